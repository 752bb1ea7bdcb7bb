#include "core/frontends/onnx/reader_model.hpp"

#include "core/base/element_source.hpp"
#include "core/frontends/onnx/reader_wire.hpp"

#include <google/protobuf/arena.h>

#include <algorithm>
#include <cstring>

namespace orrery::onnx {

namespace {

/// Raw data in a file's bytes, wherever it begins.
class RawElements final : public ElementSource {
  public:
    RawElements(std::shared_ptr<const void> owner, std::span<const std::byte> data, std::int64_t width)
        : owner_(std::move(owner)), data_(data), width_(width) {}

    std::int64_t pieces() const override {
        return static_cast<std::int64_t>((data_.size() + kPieceBytes - 1) / kPieceBytes);
    }
    void write(std::int64_t piece, void* out) const override {
        const std::size_t from = static_cast<std::size_t>(piece) * kPieceBytes;
        std::memcpy(static_cast<std::byte*>(out) + from, data_.data() + from,
                    std::min(kPieceBytes, data_.size() - from));
    }
    bool read(std::int64_t begin, std::int64_t count, void* out) const override {
        std::memcpy(out, data_.data() + begin * width_, static_cast<std::size_t>(count * width_));
        return true;
    }
    const void* bytes() const override { return data_.data(); }

  private:
    static constexpr std::size_t kPieceBytes = std::size_t{1} << 20; // our choice

    std::shared_ptr<const void> owner_;
    std::span<const std::byte> data_;
    std::int64_t width_; ///< of an element. Units: bytes
};

} // namespace

Diagnostic too_large_a_model(const std::string& path) {
    return {Code::LimitExceeded,
            "the model file has more than 2 GiB, the most that protobuf reads",
            {FileOffset{path, -1}},
            "save the weights as external data"};
}

Result<ModelFile> parse_model(std::span<const std::byte> bytes, std::string path) {
    const auto whole_file = [&](Code code, std::string message, std::string hint) {
        return Diagnostic{code, std::move(message), {FileOffset{path, -1}}, std::move(hint)};
    };
    if (bytes.size() > kMostModelBytes) return too_large_a_model(path);
    if (bytes.empty()) return whole_file(Code::MalformedModel, "the model file is empty", {});
    ORRERY_CHECK_OK(check_wire(bytes, *::onnx::ModelProto::descriptor(), path));

    ModelFile file{.arena = std::make_shared<google::protobuf::Arena>(), .path = path};
    file.model = google::protobuf::Arena::CreateMessage<::onnx::ModelProto>(file.arena.get());
    constexpr std::size_t kLeast = 65536; // bytes of raw data worth leaving where it is; our choice
    const StrippedModel stripped = strip_raw_data(bytes, kLeast);
    if (!file.model->ParseFromArray(stripped.bytes.data(), static_cast<int>(stripped.bytes.size())))
        return whole_file(Code::MalformedModel, "not an ONNX model: the file does not parse",
                          "the file may be cut short or damaged");
    if (!file.model->has_graph()) return whole_file(Code::MalformedModel, "the model has no graph", {});
    for (const StrippedModel::Data& data : stripped.data)
        file.raw.emplace(&file.model->graph().initializer(data.initializer), data.bytes);
    return file;
}

Result<NDArray> TensorReader::load(const ::onnx::TensorProto& tensor) const {
    constexpr std::size_t kWorthTaking = 4096; // bytes; smaller data is copied to aligned storage of its own
    // The messages belong to this reader's model, which nobody else reads; `done_` keeps a tensor from being read
    // again.
    auto& message = const_cast<::onnx::TensorProto&>(tensor);
    const auto outside = file_.raw.find(&tensor);
    const bool is_outside = outside != file_.raw.end();
    const std::span<const std::byte> data = !is_outside ? std::as_bytes(std::span(tensor.raw_data())) : outside->second;
    const auto put_back = [&] {
        if (is_outside) message.set_raw_data(data.data(), data.size());
        return tensor_value(tensor, limits_);
    };
    const bool inside = tensor.data_location() != ::onnx::TensorProto::EXTERNAL && !tensor.has_segment();
    if (!inside || data.size() < kWorthTaking || tensor.data_type() == ::onnx::TensorProto::BOOL) return put_back();
    ORRERY_TRY(const DType dtype, dtype_of(tensor.data_type()));
    if (!is_arithmetic(dtype)) return put_back(); // two in a byte
    const Shape shape(tensor.dims().begin(), tensor.dims().end());
    const Result<std::int64_t> elements = checked_elements(shape, dtype, limits_.max_bytes);
    const auto width = static_cast<std::size_t>(byte_size(dtype));
    if (!elements || static_cast<std::size_t>(*elements) * width != data.size())
        return put_back(); // says what is wrong
    if (is_outside && file_.owner)
        return NDArray::lazy(dtype, shape,
                             std::make_shared<RawElements>(file_.owner, data, static_cast<std::int64_t>(width)));
    if (is_outside) return NDArray::copy_of(dtype, shape, data.data(), data.size());
    if (reinterpret_cast<std::uintptr_t>(data.data()) % width != 0) return put_back();
    const auto owner = std::make_shared<const std::string>(std::move(*message.mutable_raw_data()));
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
