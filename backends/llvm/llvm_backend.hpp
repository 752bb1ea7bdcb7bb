#pragma once
// Code generation through LLVM: kernels for this machine and for others, and shared libraries of them.

#include "core/target/backend.hpp"

#include <cstddef>
#include <filesystem>
#include <memory>
#include <span>

namespace orrery {

/// The backend named "llvm". Nothing of LLVM is initialized before its first use.
[[nodiscard]] std::unique_ptr<Backend> make_llvm_backend();

/// Links objects and the blob of core/runtime/module_file.hpp into a shared library for the C interface, with
/// `ld.lld` as a child process. Pre: all objects were compiled for `target`.
/// Errors: NoTarget, ProcessFailed (no linker, or its words), FileUnwritable.
[[nodiscard]] Result<void> link_module(std::span<const KernelObject> objects, std::span<const std::byte> blob,
                                       const Target& target, const std::filesystem::path& path);

} // namespace orrery
