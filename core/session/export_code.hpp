#pragma once
// Kernels of a model as files for other programs.

#include "core/session/compiler.hpp"

#include <filesystem>
#include <string>

namespace orrery::session {

/// What a file of that name holds: .o, .s or .ll. Errors: BadArgument.
[[nodiscard]] Result<EmitKind> emit_kind_of(const std::filesystem::path& path);

/// Only this process can run a region that a library computes. Errors: UnsupportedFeature.
[[nodiscard]] Result<void> check_writable(const lower::LoweredModel& model);

/// All kernels of a module, as the recipe's passes left it, in one file. Errors: UnsupportedFeature for a model whose
/// shapes are known late and for one with regions; those of a schedule and of the backend.
[[nodiscard]] Result<std::string> export_code(Compiler& compiler, const Recipe& recipe, const graph::Module& fused,
                                              EmitKind kind);

} // namespace orrery::session
