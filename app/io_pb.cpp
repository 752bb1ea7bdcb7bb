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

} // namespace orrery::app
