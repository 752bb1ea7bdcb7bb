#include "app/io_pb.hpp"

#include "core/base/file.hpp"
#include "core/frontends/onnx/import.hpp"

namespace orrery::app {

Result<NDArray> read_pb(const std::filesystem::path& path) {
    ORRERY_TRY(const MappedFile file, map_file(path));
    auto array = onnx::parse_tensor(file.bytes);
    if (!array) array.error().locations.push_back(FileOffset{path.string(), -1});
    return array;
}

Result<PbValues> read_pb_values(const std::filesystem::path& folder, const std::string& prefix,
                                std::span<const onnx::ModelValue> values) {
    PbValues out;
    for (std::size_t i = 0; i < values.size(); ++i) {
        const std::filesystem::path path = folder / (prefix + std::to_string(i) + ".pb");
        if (!std::filesystem::exists(path)) break;
        ORRERY_TRY(const MappedFile file, map_file(path));
        auto elements = onnx::parse_value(file.bytes, values[i].kind);
        if (!elements) {
            elements.error().locations.push_back(FileOffset{path.string(), -1});
            return std::move(elements.error());
        }
        if (!*elements) continue; // an optional without element
        const bool sequence =
            values[i].kind == onnx::ValueKind::Sequence || values[i].kind == onnx::ValueKind::OptionalSequence;
        if (sequence) out.lengths[values[i].name] = {static_cast<std::int64_t>((*elements)->size())};
        for (std::size_t k = 0; k < (*elements)->size(); ++k) {
            out.names.push_back(sequence ? values[i].name + "." + std::to_string(k) : values[i].name);
            out.arrays.push_back((**elements)[k]);
            out.kinds.push_back(values[i].kind);
        }
    }
    return out;
}

} // namespace orrery::app
