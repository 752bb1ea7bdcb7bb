// Operators whose value is known from shapes and constants alone.

#include "core/frontends/onnx/convert_support.hpp"

#include <cmath>
#include <functional>
#include <numbers>

namespace orrery::onnx {

namespace {

Converted constant(NodeReader& node) {
    if (node.has_attr("value")) {
        std::optional<NDArray> value = node.tensor("value");
        if (!value) return bad_attribute("the value of Constant is no tensor that can be read");
        return results(node, {node.constant_var(*std::move(value))});
    }
    if (node.has_attr("value_int")) {
        const std::int64_t value = node.integer("value_int", 0);
        return results(node, {node.constant_var(NDArray::of<std::int64_t>(DType::I64, {}, std::span(&value, 1)))});
    }
    if (node.has_attr("value_ints")) return results(node, {node.constant_var(int_vector(node.ints("value_ints", {})))});
    if (node.has_attr("value_float")) return results(node, {scalar(node, DType::F32, node.number("value_float", 0))});
    if (node.has_attr("value_floats")) {
        const graph::Floats values = node.floats("value_floats", {});
        NDArray array = NDArray::allocate(DType::F32, {static_cast<std::int64_t>(values.size())});
        for (std::size_t i = 0; i < values.size(); ++i) array.set(static_cast<std::int64_t>(i), values[i]);
        return results(node, {node.constant_var(std::move(array))});
    }
    return unsupported("Constant holds texts or a sparse tensor, which are not served");
}

/// A one-element array of `like`'s type and value, repeated over `shape`.
Result<NDArray> repeated(const NDArray& like, const Shape& shape) {
    ORRERY_TRY(NDArray array, filled(like.dtype(), shape, like.as_double(0)));
    // Integers beyond 2^53 would not survive the way through a double.
    if (is_int(like.dtype()) && byte_size(like.dtype()) == 8)
        for (std::int64_t i = 0; i < array.size(); ++i) array.set_int(i, like.as_int(0));
    return array;
}

Converted constant_of_shape(NodeReader& node) {
    ORRERY_TRY(const NDArray shape, node.required_constant(0, "shape"));
    NDArray value = NDArray::zeros(DType::F32, {1});
    if (node.has_attr("value")) {
        std::optional<NDArray> given = node.tensor("value");
        if (!given || given->size() != 1) return bad_attribute("the value of ConstantOfShape is one element");
        value = *std::move(given);
    }
    ORRERY_TRY(NDArray array, repeated(value, shape.to_ints()));
    return results(node, {node.constant_var(std::move(array))});
}

Converted shape_of_input(NodeReader& node) {
    ORRERY_TRY(const Shape shape, input_shape(node, 0));
    const auto rank = static_cast<std::int64_t>(shape.size());
    const auto bounded = [rank](std::int64_t at) { return std::clamp<std::int64_t>(at < 0 ? at + rank : at, 0, rank); };
    const std::int64_t start = bounded(node.integer("start", 0)),
                       end = std::max(start, bounded(node.integer("end", rank)));
    return results(node, {node.constant_var(int_vector({shape.begin() + start, shape.begin() + end}))});
}

Converted size(NodeReader& node) {
    ORRERY_TRY(const Shape shape, input_shape(node, 0));
    const std::int64_t count = element_count(shape);
    return results(node, {node.constant_var(NDArray::of<std::int64_t>(DType::I64, {}, std::span(&count, 1)))});
}

Converted eye_like(NodeReader& node) {
    ORRERY_TRY(const Shape shape, input_shape(node, 0));
    ORRERY_TRY(const DType own, input_dtype(node, 0));
    ORRERY_TRY(const DType dtype, node.dtype("dtype", own));
    if (shape.size() != 2) return bad_shape("EyeLike takes a matrix");
    ORRERY_TRY(NDArray array, filled(dtype, shape, 0));
    const std::int64_t k = node.integer("k", 0);
    for (std::int64_t row = 0; row < shape[0]; ++row)
        if (row + k >= 0 && row + k < shape[1]) array.set(row * shape[1] + row + k, 1);
    return results(node, {node.constant_var(std::move(array))});
}

Converted range(NodeReader& node) {
    constexpr double kMostElements = 1 << 28;
    ORRERY_TRY(const NDArray start, node.required_constant(0, "start"));
    ORRERY_TRY(const NDArray limit, node.required_constant(1, "limit"));
    ORRERY_TRY(const NDArray delta, node.required_constant(2, "delta"));
    if (start.size() != 1 || limit.size() != 1 || delta.size() != 1) return bad_shape("Range takes three scalars");
    const double count = std::max(0.0, std::ceil((limit.as_double(0) - start.as_double(0)) / delta.as_double(0)));
    if (!(count <= kMostElements))
        return Diagnostic{Code::LimitExceeded, "Range has too many elements, or a delta of 0", {}, {}};
    NDArray array = NDArray::allocate(start.dtype(), {static_cast<std::int64_t>(count)});
    for (std::int64_t i = 0; i < array.size(); ++i) {
        if (is_float(array.dtype()))
            array.set(i, start.as_double(0) + static_cast<double>(i) * delta.as_double(0));
        else
            array.set_int(i, start.as_int(0) + i * delta.as_int(0));
    }
    return results(node, {node.constant_var(std::move(array))});
}

Converted non_zero(NodeReader& node) {
    ORRERY_TRY(const NDArray x, node.required_constant(0, "input"));
    const auto rank = static_cast<std::int64_t>(x.shape().size());
    std::vector<std::int64_t> found;
    for (std::int64_t i = 0; i < x.size(); ++i)
        if (x.as_double(i) != 0) found.push_back(i);
    const auto count = static_cast<std::int64_t>(found.size());
    NDArray array = NDArray::allocate(DType::I64, {rank, count});
    for (std::int64_t j = 0; j < count; ++j) {
        std::int64_t rest = found[static_cast<std::size_t>(j)];
        for (std::int64_t d = rank; d-- > 0;) {
            const std::int64_t extent = x.shape()[static_cast<std::size_t>(d)];
            array.set_int(d * count + j, rest % extent);
            rest /= extent;
        }
    }
    return results(node, {node.constant_var(std::move(array))});
}

// ---------------------------------------------------------------------------------------- windows

/// A cosine window: sum of coefficients[k] * (-1)^k * cos(2 pi k n / N).
Converted window(NodeReader& node, std::initializer_list<double> coefficients) {
    ORRERY_TRY(const NDArray size, node.required_constant(0, "size"));
    ORRERY_TRY(const DType dtype, node.dtype("output_datatype", DType::F32));
    const std::int64_t count = size.size() == 1 ? size.as_int(0) : -1;
    ORRERY_TRY(NDArray array, filled(dtype, {count}, 0));
    const double span = static_cast<double>(node.integer("periodic", 1) != 0 ? count : count - 1);
    for (std::int64_t n = 0; n < count; ++n) {
        double value = 0, sign = 1;
        int k = 0;
        for (double c : coefficients) {
            value += sign * c * std::cos(2 * std::numbers::pi * k++ * static_cast<double>(n) / span);
            sign = -sign;
        }
        array.set(n, value);
    }
    return results(node, {node.constant_var(std::move(array))});
}
Converted hann(NodeReader& node) { return window(node, {0.5, 0.5}); }
// The coefficients are the operators' own definition.
Converted hamming(NodeReader& node) { return window(node, {25.0 / 46, 21.0 / 46}); }
Converted blackman(NodeReader& node) { return window(node, {0.42, 0.5, 0.08}); }

/// Triangles on the mel scale over the bins of a spectrum: [dft_length / 2 + 1, bins].
Converted mel_weights(NodeReader& node) {
    double values[5] = {};
    constexpr const char* kNames[] = {"num_mel_bins", "dft_length", "sample_rate", "lower_edge_hertz",
                                      "upper_edge_hertz"};
    for (std::size_t i = 0; i < 5; ++i) {
        ORRERY_TRY(const NDArray value, node.required_constant(i, kNames[i]));
        if (value.size() != 1 || !(std::abs(value.as_double(0)) < 1e9))
            return bad_shape(std::string(kNames[i]) + " is one number");
        values[i] = value.as_double(0);
    }
    const auto bins = static_cast<std::int64_t>(values[0]), length = static_cast<std::int64_t>(values[1]);
    if (bins < 1 || length < 1 || values[2] <= 0) return bad_shape("MelWeightMatrix takes positive sizes");
    const std::int64_t spectrum = length / 2 + 1;
    ORRERY_TRY(const DType dtype, node.dtype("output_datatype", DType::F32));
    ORRERY_TRY(NDArray array, filled(dtype, {spectrum, bins}, 0));
    // 2595 and 700: the mel scale of the operator's definition.
    const auto mel = [](double hertz) { return 2595 * std::log10(1 + hertz / 700); };
    const double low = mel(values[3]), step = (mel(values[4]) - low) / static_cast<double>(bins + 2);
    std::vector<std::int64_t> edges;
    for (std::int64_t i = 0; i < bins + 2; ++i) {
        const double hertz = 700 * (std::pow(10, (low + step * static_cast<double>(i)) / 2595) - 1);
        edges.push_back(std::clamp<std::int64_t>(
            static_cast<std::int64_t>(std::floor(static_cast<double>(length + 1) * hertz / values[2])), 0, spectrum));
    }
    for (std::int64_t i = 0; i < bins; ++i) {
        const std::int64_t left = edges[static_cast<std::size_t>(i)], peak = edges[static_cast<std::size_t>(i + 1)],
                           right = edges[static_cast<std::size_t>(i + 2)];
        if (peak == left && peak < spectrum) array.set(peak * bins + i, 1);
        for (std::int64_t j = left; peak > left && j <= std::min(peak, spectrum - 1); ++j)
            array.set(j * bins + i, static_cast<double>(j - left) / static_cast<double>(peak - left));
        for (std::int64_t j = peak; j < right; ++j)
            array.set(j * bins + i, static_cast<double>(right - j) / static_cast<double>(right - peak));
    }
    return results(node, {node.constant_var(std::move(array))});
}

constexpr ConverterRow kConstantRows[] = {
    {"BlackmanWindow", 17, blackman},
    {"Constant", 1, constant},
    {"ConstantOfShape", 9, constant_of_shape},
    {"EyeLike", 9, eye_like},
    {"HammingWindow", 17, hamming},
    {"HannWindow", 17, hann},
    {"MelWeightMatrix", 17, mel_weights},
    {"NonZero", 9, non_zero},
    {"Range", 11, range},
    {"Shape", 1, shape_of_input},
    {"Size", 1, size},
};

} // namespace

Rows constant_rows() { return kConstantRows; }

} // namespace orrery::onnx
