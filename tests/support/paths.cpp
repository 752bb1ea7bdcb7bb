#include "tests/support/paths.hpp"

namespace orrery::tests {

std::filesystem::path source_dir() { return ORRERY_SOURCE_DIR; }
std::filesystem::path shared_dir() { return source_dir().parent_path() / "shared"; }

} // namespace orrery::tests
