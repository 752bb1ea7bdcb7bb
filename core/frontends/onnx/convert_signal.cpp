// Signals and images sampled at positions that are data.

#include "core/frontends/onnx/convert_support.hpp"

namespace orrery::onnx {

namespace {

Result<std::int64_t> known_integer(NodeReader& node, std::size_t i, const char* what) {
    ORRERY_TRY(const NDArray value, node.required_constant(i, what));
    if (value.size() != 1) return bad_shape(std::string(what) + " is one number");
    return value.as_int(0);
}

/// Until opset 19 the axis is an attribute, then input 2.
Converted dft(NodeReader& node) {
    ORRERY_TRY(const Shape input, input_shape(node, 0));
    std::int64_t axis = node.integer("axis", 1);
    if (node.opset() >= 20) {
        axis = -2;
        if (node.has(2)) { ORRERY_TRY(axis, known_integer(node, 2, "axis")); }
    }
    // Negative axes count with the last dimension; the operator's own count without it.
    if (axis < 0) axis += static_cast<std::int64_t>(input.size());
    graph::Attrs::Map attrs{
        {"axis", axis}, {"inverse", node.integer("inverse", 0) != 0}, {"onesided", node.integer("onesided", 0) != 0}};
    if (node.has(1)) { ORRERY_TRY(attrs["length"], known_integer(node, 1, "dft_length")); }
    return result(node, node.call("dft", {node.input(0)}, graph::Attrs(std::move(attrs))));
}

/// Frames of the signal [N, length, 1 or 2], times a window, each transformed: [N, frames, bins, 2].
Converted stft(NodeReader& node) {
    ORRERY_TRY(const Shape signal, input_shape(node, 0));
    ORRERY_TRY(const std::int64_t step, known_integer(node, 1, "frame_step"));
    if (signal.size() != 3) return bad_shape("STFT takes [N, length, 1 or 2]");
    std::int64_t length = 0;
    if (node.has(3)) {
        ORRERY_TRY(length, known_integer(node, 3, "frame_length"));
    } else if (node.has(2)) {
        ORRERY_TRY(const Shape window, input_shape(node, 2));
        length = window.size() == 1 ? window[0] : 0;
    }
    if (length < 1 || length > signal[1] || step < 1)
        return bad_shape("STFT needs frames of 1 to " + std::to_string(signal[1]) + " samples and a positive step");
    const std::int64_t frames = (signal[1] - length) / step + 1;
    ORRERY_TRY([[maybe_unused]] const std::int64_t checked,
               checked_elements(Shape{frames, length}, DType::I64, kMaxConstantBytes));
    NDArray places = NDArray::allocate(DType::I64, {frames, length});
    for (std::int64_t i = 0; i < frames * length; ++i) places.set_int(i, i / length * step + i % length);
    ORRERY_TRY(Var framed,
               node.call("gather", {node.input(0), node.constant_var(std::move(places))}, {{"axis", std::int64_t{1}}}));
    if (node.has(2)) {
        ORRERY_TRY(const Var window, reshaped(node, node.input(2), {length, 1}));
        ORRERY_TRY(framed, node.call("multiply", {framed, window}));
    }
    return result(
        node, node.call("dft", {framed}, {{"axis", std::int64_t{2}}, {"onesided", node.integer("onesided", 1) != 0}}));
}

constexpr ConverterRow kSignalRows[] = {
    {"DFT", 17, dft},
    {"STFT", 17, stft},
};

} // namespace

Rows signal_rows() { return kSignalRows; }

} // namespace orrery::onnx
