#include "core/frontends/onnx/tensor_data.hpp"

#include "core/base/file.hpp"
#include "core/base/text_pool.hpp"
#include "core/frontends/onnx/import.hpp"

#include <algorithm>
#include <charconv>
#include <google/protobuf/io/coded_stream.h>
#include <limits>
#include <onnx/onnx-data_pb.h>
#include <onnx/onnx_pb.h>

namespace orrery::onnx {

namespace {

using ::onnx::TensorProto;

Diagnostic malformed(const TensorProto& tensor, const std::string& what) {
    return {Code::MalformedModel, "tensor '" + tensor.name() + "': " + what, {}, {}};
}

/// Stores the values of a typed field; each must be one of the dtype's.
template <class T, class Field>
Result<NDArray> from_field(const TensorProto& tensor, const Field& field, NDArray array) {
    auto out = array.mutable_values<T>();
    std::size_t i = 0;
    for (const auto value : field) {
        out[i] = static_cast<T>(value);
        if (static_cast<decltype(value + 0)>(out[i]) != value && value == value)
            return malformed(tensor,
                             "element " + std::to_string(i) + " does not fit " + std::string(to_string(array.dtype())));
        ++i;
    }
    return array;
}

/// Calls `use` with the typed field that holds elements of `dtype`, and a value of the type that stores them.
template <class F> Result<NDArray> with_field(const TensorProto& t, DType dtype, F&& use) {
    switch (dtype) {
    case DType::Bool:
    case DType::F8E4M3FN:
    case DType::F8E4M3FNUZ:
    case DType::F8E5M2:
    case DType::F8E5M2FNUZ:
    case DType::U4: // their own field's elements hold two each: see nibbles_of
    case DType::U8: return use(t.int32_data(), std::uint8_t{});
    case DType::I4:
    case DType::I8: return use(t.int32_data(), std::int8_t{});
    case DType::I16: return use(t.int32_data(), std::int16_t{});
    case DType::I32: return use(t.int32_data(), std::int32_t{});
    case DType::U16:
    case DType::F16:
    case DType::BF16: return use(t.int32_data(), std::uint16_t{});
    case DType::I64: return use(t.int64_data(), std::int64_t{});
    case DType::U32: return use(t.uint64_data(), std::uint32_t{});
    case DType::U64: return use(t.uint64_data(), std::uint64_t{});
    case DType::F32: return use(t.float_data(), float{});
    case DType::F64: return use(t.double_data(), double{});
    }
    fail_internal("with_field covers every dtype");
}

struct ExternalPlace {
    std::string location;
    std::uint64_t offset = 0, length = 0;
    bool has_length = false;
};

Result<ExternalPlace> external_place(const TensorProto& tensor) {
    ExternalPlace place;
    for (const auto& entry : tensor.external_data()) {
        if (entry.key() == "location") place.location = entry.value();
        if (entry.key() != "offset" && entry.key() != "length") continue;
        std::uint64_t number = 0;
        const char* end = entry.value().data() + entry.value().size();
        const auto [rest, error] = std::from_chars(entry.value().data(), end, number);
        if (error != std::errc() || rest != end)
            return malformed(tensor, "its external " + entry.key() + " is no number");
        (entry.key() == "offset" ? place.offset : place.length) = number;
        place.has_length |= entry.key() == "length";
    }
    return place;
}

/// The file of external data. It lies below the model's folder, links followed: a model reads nothing else.
Result<std::filesystem::path> external_file(const TensorProto& tensor, const std::string& location,
                                            const std::filesystem::path& folder) {
    if (folder.empty()) return malformed(tensor, "its data is in another file, which a model in memory cannot have");
    const std::filesystem::path relative(location);
    std::error_code error;
    const auto root = std::filesystem::weakly_canonical(folder, error);
    const auto path = error ? root : std::filesystem::weakly_canonical(root / relative, error);
    const auto inside = path.lexically_relative(root);
    if (error || location.empty() || location.find('\0') != std::string::npos || relative.is_absolute() ||
        inside.empty() || *inside.begin() == "..")
        return malformed(tensor, "its data may lie only beside the model, not at '" + location + "'");
    return path;
}

Result<NDArray> from_file(const TensorProto& tensor, DType dtype, std::size_t bytes, const TensorLimits& limits) {
    ORRERY_TRY(const ExternalPlace place, external_place(tensor));
    ORRERY_TRY(const std::filesystem::path path, external_file(tensor, place.location, limits.folder));
    ORRERY_TRY(const MappedFile file, map_file(path));
    const Shape shape(tensor.dims().begin(), tensor.dims().end());
    if ((place.has_length && place.length != bytes) || place.offset > file.bytes.size() ||
        bytes > file.bytes.size() - place.offset) {
        Diagnostic error = malformed(tensor, type_text(dtype, shape) + " does not fit its place in the file");
        error.locations.push_back(FileOffset{path.string(), static_cast<std::int64_t>(place.offset)});
        return error;
    }
    const std::byte* data = file.bytes.data() + place.offset;
    if (bytes == 0) return NDArray::zeros(dtype, shape);
    if (reinterpret_cast<std::uintptr_t>(data) % static_cast<std::size_t>(byte_size(dtype)) != 0)
        return NDArray::copy_of(dtype, shape, data, bytes);
    return NDArray::view(dtype, shape, file.owner, data);
}

/// 4-bit integers lie two in a byte, the first in the low half; here they get a byte each.
Result<NDArray> nibbles_of(const TensorProto& tensor, DType dtype, const TensorLimits& limits) {
    const Shape shape(tensor.dims().begin(), tensor.dims().end());
    const std::int64_t count = element_count(shape);
    const auto bytes = static_cast<std::size_t>(count / 2 + count % 2);
    NDArray packed;
    if (tensor.data_location() == TensorProto::EXTERNAL) {
        TensorProto place = tensor;
        place.clear_dims();
        place.add_dims(static_cast<std::int64_t>(bytes));
        ORRERY_TRY(packed, from_file(place, DType::U8, bytes, limits));
    } else if (tensor.has_raw_data() ? tensor.raw_data().size() != bytes
                                     : static_cast<std::size_t>(tensor.int32_data_size()) != bytes) {
        return malformed(tensor,
                         type_text(dtype, shape) + " takes " + std::to_string(bytes) + " bytes, which are not there");
    } else {
        packed = NDArray::allocate(DType::U8, {static_cast<std::int64_t>(bytes)});
        for (std::size_t i = 0; i < bytes; ++i)
            packed.mutable_values<std::uint8_t>()[i] = static_cast<std::uint8_t>(
                tensor.has_raw_data() ? tensor.raw_data()[i] : tensor.int32_data(static_cast<int>(i)));
    }
    NDArray array = NDArray::allocate(dtype, shape);
    const auto pairs = packed.values<std::uint8_t>();
    for (std::int64_t i = 0; i < array.size(); ++i)
        array.set_int(i, pairs[static_cast<std::size_t>(i / 2)] >> (i % 2 * 4)); // cut and signed there
    return array;
}

/// Strings as their numbers.
Result<NDArray> numbers_of_texts(const TensorProto& tensor, const TensorLimits& limits) {
    const Shape shape(tensor.dims().begin(), tensor.dims().end());
    ORRERY_TRY(const std::int64_t elements, checked_elements(shape, DType::I64, limits.max_bytes));
    if (tensor.string_data_size() != elements)
        return malformed(tensor, "it has " + std::to_string(elements) + " elements, and " +
                                     std::to_string(tensor.string_data_size()) + " strings are there");
    NDArray array = NDArray::allocate(DType::I64, shape);
    for (std::int64_t i = 0; i < elements; ++i) {
        ORRERY_TRY(const std::int64_t number, number_of_text(tensor.string_data(static_cast<int>(i))));
        array.set_int(i, number);
    }
    return array;
}

/// A bool is 0 or 1 whatever the file says.
NDArray normalized(NDArray array) {
    if (array.dtype() != DType::Bool) return array;
    const auto values = array.values<std::uint8_t>();
    if (std::all_of(values.begin(), values.end(), [](std::uint8_t v) { return v <= 1; })) return array;
    NDArray copy = NDArray::allocate(DType::Bool, array.shape());
    std::transform(values.begin(), values.end(), copy.mutable_values<std::uint8_t>().begin(),
                   [](std::uint8_t v) { return static_cast<std::uint8_t>(v != 0); });
    return copy;
}

} // namespace

Result<DType> dtype_of(std::int32_t data_type) {
    switch (data_type) {
    case TensorProto::FLOAT: return DType::F32;
    case TensorProto::UINT8: return DType::U8;
    case TensorProto::INT8: return DType::I8;
    case TensorProto::UINT16: return DType::U16;
    case TensorProto::INT16: return DType::I16;
    case TensorProto::INT32: return DType::I32;
    case TensorProto::INT64: return DType::I64;
    case TensorProto::BOOL: return DType::Bool;
    case TensorProto::FLOAT16: return DType::F16;
    case TensorProto::DOUBLE: return DType::F64;
    case TensorProto::UINT32: return DType::U32;
    case TensorProto::UINT64: return DType::U64;
    case TensorProto::BFLOAT16: return DType::BF16;
    // Numbers of onnx.proto from 1.14 and 1.16 on, newer than the message classes.
    case 17: return DType::F8E4M3FN;
    case 18: return DType::F8E4M3FNUZ;
    case 19: return DType::F8E5M2;
    case 20: return DType::F8E5M2FNUZ;
    case 21: return DType::U4;
    case 22: return DType::I4;
    case TensorProto::STRING: return Diagnostic{Code::UnsupportedFeature, "tensors of strings are not served", {}, {}};
    case TensorProto::COMPLEX64:
    case TensorProto::COMPLEX128:
        return Diagnostic{Code::UnsupportedFeature, "tensors of complex numbers are not served", {}, {}};
    case TensorProto::UNDEFINED: return Diagnostic{Code::MalformedModel, "a tensor has no element type", {}, {}};
    default:
        return Diagnostic{Code::UnsupportedFeature,
                          "tensors of ONNX element type " + std::to_string(data_type) + " are not served",
                          {},
                          {}};
    }
}

Result<NDArray> tensor_value(const TensorProto& tensor, const TensorLimits& limits) {
    constexpr int kMaxRank = 64; // our choice: no operator of ONNX makes sense of more
    const bool text = tensor.data_type() == TensorProto::STRING;
    ORRERY_TRY(const DType dtype, text ? Result<DType>(DType::I64) : dtype_of(tensor.data_type()));
    if (tensor.dims_size() > kMaxRank)
        return Diagnostic{Code::LimitExceeded, "tensor '" + tensor.name() + "' has more than 64 dimensions", {}, {}};
    if (tensor.has_segment())
        return Diagnostic{Code::UnsupportedFeature, "tensor '" + tensor.name() + "' is cut into segments", {}, {}};
    if (text) return numbers_of_texts(tensor, limits);
    const Shape shape(tensor.dims().begin(), tensor.dims().end());
    ORRERY_TRY(const std::int64_t elements, checked_elements(shape, dtype, limits.max_bytes));
    if (!is_arithmetic(dtype)) return nibbles_of(tensor, dtype, limits);
    const std::size_t bytes = static_cast<std::size_t>(elements) * static_cast<std::size_t>(byte_size(dtype));
    if (tensor.data_location() == TensorProto::EXTERNAL) {
        ORRERY_TRY(NDArray array, from_file(tensor, dtype, bytes, limits));
        return normalized(std::move(array));
    }
    if (tensor.has_raw_data()) {
        if (tensor.raw_data().size() != bytes)
            return malformed(tensor, type_text(dtype, shape) + " takes " + std::to_string(bytes) + " bytes, and " +
                                         std::to_string(tensor.raw_data().size()) + " are there");
        return normalized(NDArray::copy_of(dtype, shape, tensor.raw_data().data(), bytes));
    }
    ORRERY_TRY(NDArray array, with_field(tensor, dtype, [&]<class T>(const auto& field, T) -> Result<NDArray> {
                   if (field.size() != elements)
                       return malformed(tensor, type_text(dtype, shape) + " has " + std::to_string(elements) +
                                                    " elements, and " + std::to_string(field.size()) + " are there");
                   return from_field<T>(tensor, field, NDArray::allocate(dtype, shape));
               }));
    return normalized(std::move(array));
}

namespace {

Result<void> parse_message(std::span<const std::byte> bytes, google::protobuf::MessageLite& message) {
    if (bytes.size() > static_cast<std::size_t>(std::numeric_limits<int>::max()))
        return Diagnostic{Code::LimitExceeded, "a tensor file of more than 2 GiB", {}, {}};
    google::protobuf::io::CodedInputStream stream(reinterpret_cast<const std::uint8_t*>(bytes.data()),
                                                  static_cast<int>(bytes.size()));
    if (message.ParseFromCodedStream(&stream) && stream.ConsumedEntireMessage()) return {};
    return Diagnostic{Code::MalformedModel, "not an ONNX tensor", {}, "a .pb file holds one serialized TensorProto"};
}

Result<std::optional<std::vector<NDArray>>> elements_of(const ::onnx::SequenceProto& sequence) {
    std::vector<NDArray> elements;
    if (sequence.sequence_values_size() + sequence.map_values_size() + sequence.optional_values_size() +
            sequence.sparse_tensor_values_size() >
        0)
        return Diagnostic{Code::UnsupportedFeature, "sequences are served of tensors only", {}, {}};
    for (const TensorProto& tensor : sequence.tensor_values()) {
        ORRERY_TRY(NDArray element, tensor_value(tensor));
        elements.push_back(std::move(element));
    }
    return std::optional(std::move(elements));
}

} // namespace

Result<NDArray> parse_tensor(std::span<const std::byte> bytes) {
    TensorProto tensor;
    ORRERY_CHECK_OK(parse_message(bytes, tensor));
    return tensor_value(tensor);
}

Result<std::optional<std::vector<NDArray>>> parse_value(std::span<const std::byte> bytes, ValueKind kind) {
    if (kind == ValueKind::Tensor) {
        ORRERY_TRY(NDArray array, parse_tensor(bytes));
        return std::optional(std::vector{std::move(array)});
    }
    if (kind == ValueKind::Sequence) {
        ::onnx::SequenceProto sequence;
        ORRERY_CHECK_OK(parse_message(bytes, sequence));
        return elements_of(sequence);
    }
    ::onnx::OptionalProto optional;
    ORRERY_CHECK_OK(parse_message(bytes, optional));
    if (optional.has_sequence_value()) return elements_of(optional.sequence_value());
    if (!optional.has_tensor_value()) return std::optional<std::vector<NDArray>>();
    ORRERY_TRY(NDArray array, tensor_value(optional.tensor_value()));
    return std::optional(std::vector{std::move(array)});
}

} // namespace orrery::onnx
