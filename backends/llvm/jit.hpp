#pragma once
// Objects made for this machine, linked into this process.

#include "core/target/backend.hpp"

namespace orrery::codegen {

/// Errors: ProcessFailed with the linker's words.
[[nodiscard]] Result<std::shared_ptr<const LoadedCode>> load_objects(std::span<const KernelObject> objects);

} // namespace orrery::codegen
