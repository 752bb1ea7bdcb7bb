#pragma once
// Accelerator programs and configurations by the names a person gives them.

#include "core/base/result.hpp"
#include "views/model/vta_run.hpp"

#include <string>

namespace orrery::app {

/// The configuration of examples when none is named: the public cycle simulator as it builds by default.
inline constexpr const char* kVtaPreset = "tsim-de10";

/// A simulator's refusal as everything else in this program says it.
[[nodiscard]] Diagnostic to_diagnostic(const vta::Error& error);

/// A preset's name or a JSON file. Errors: FileMissing, FileUnreadable, BadText, BadArgument, UnknownName.
[[nodiscard]] Result<vta::Config> load_vta_config(const std::string& name);

/// A program file, or a listing in text; told apart by the first bytes. Errors: FileMissing, FileUnreadable, BadText.
[[nodiscard]] Result<vta::Program> load_vta_file(const std::string& path);

/// What `program` names, an example or a file, under a configuration (empty: the file's own, or kVtaPreset).
[[nodiscard]] Result<views::VtaRequest> load_vta_request(const std::string& program, const std::string& config,
                                                         int threads);

/// A trace of the run for Perfetto or chrome://tracing: instructions, causes, tokens, the port, and memories in samples
/// that a viewer can still open. Errors: FileUnwritable.
[[nodiscard]] Result<void> write_vta_trace(const views::VtaRun& run, const std::string& path);

} // namespace orrery::app
