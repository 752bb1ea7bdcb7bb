#include "core/frontends/onnx/reader_model.hpp"

#include "core/frontends/onnx/reader_wire.hpp"

#include <google/protobuf/arena.h>

#include <limits>

namespace orrery::onnx {

Result<ModelFile> parse_model(std::span<const std::byte> bytes, std::string path) {
    const auto whole_file = [&](Code code, std::string message, std::string hint) {
        return Diagnostic{code, std::move(message), {FileOffset{path, -1}}, std::move(hint)};
    };
    if (bytes.size() > static_cast<std::size_t>(std::numeric_limits<int>::max()))
        return whole_file(Code::LimitExceeded, "the model file has more than 2 GiB, the most that protobuf reads",
                          "save the weights as external data");
    if (bytes.empty()) return whole_file(Code::MalformedModel, "the model file is empty", {});
    ORRERY_CHECK_OK(check_wire(bytes, *::onnx::ModelProto::descriptor(), path));

    ModelFile file{std::make_shared<google::protobuf::Arena>(), nullptr, path};
    file.model = google::protobuf::Arena::CreateMessage<::onnx::ModelProto>(file.arena.get());
    if (!file.model->ParseFromArray(bytes.data(), static_cast<int>(bytes.size())))
        return whole_file(Code::MalformedModel, "not an ONNX model: the file does not parse",
                          "the file may be cut short or damaged");
    if (!file.model->has_graph()) return whole_file(Code::MalformedModel, "the model has no graph", {});
    return file;
}

Result<NDArray> TensorReader::load(const ::onnx::TensorProto& tensor) const {
    constexpr std::size_t kWorthTaking = 4096; // bytes; smaller data is copied to aligned storage of its own
    const bool inside = tensor.data_location() != ::onnx::TensorProto::EXTERNAL && !tensor.has_segment();
    if (!inside || tensor.raw_data().size() < kWorthTaking || tensor.data_type() == ::onnx::TensorProto::BOOL)
        return tensor_value(tensor, limits_);
    ORRERY_TRY(const DType dtype, dtype_of(tensor.data_type()));
    if (!is_arithmetic(dtype)) return tensor_value(tensor, limits_); // two in a byte
    const Shape shape(tensor.dims().begin(), tensor.dims().end());
    const Result<std::int64_t> elements = checked_elements(shape, dtype, limits_.max_bytes);
    const auto width = static_cast<std::size_t>(byte_size(dtype));
    if (!elements || static_cast<std::size_t>(*elements) * width != tensor.raw_data().size())
        return tensor_value(tensor, limits_); // says what is wrong
    // The messages belong to this reader's model, which nobody else reads; `done_` keeps the tensor from being read
    // again.
    auto& raw = *const_cast<::onnx::TensorProto&>(tensor).mutable_raw_data();
    if (reinterpret_cast<std::uintptr_t>(raw.data()) % width != 0) return tensor_value(tensor, limits_);
    const auto owner = std::make_shared<const std::string>(std::move(raw));
    return NDArray::view(dtype, shape, owner, owner->data());
}

Result<NDArray> TensorReader::read(const ::onnx::TensorProto& tensor) {
    if (const auto it = done_.find(&tensor); it != done_.end()) return it->second;
    ORRERY_TRY(NDArray array, load(tensor));
    const auto bytes = static_cast<std::int64_t>(array.bytes());
    if (bytes > left_)
        return Diagnostic{Code::LimitExceeded,
                          "the model's constants take more than the limit of " + std::to_string(limits_.max_bytes) +
                              " bytes",
                          {},
                          {}};
    left_ -= bytes;
    done_.emplace(&tensor, array);
    return array;
}

} // namespace orrery::onnx
