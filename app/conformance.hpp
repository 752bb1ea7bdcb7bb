#pragma once
// ONNX's backend tests: folders of cases, each a model with inputs and the outputs it must give.

#include "core/base/ndarray.hpp"
#include "core/base/progress.hpp"
#include "core/base/result.hpp"
#include "core/graph/node.hpp"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <vector>

namespace orrery::app {

enum class CaseStatus : std::uint8_t { Passed, Failed, Unsupported };
[[nodiscard]] std::string_view to_string(CaseStatus status); ///< "passed", "failed", "unsupported"

struct ConformanceCase {
    std::string name; ///< of its folder; "node/test_abs" when the folder asked for holds several kinds
    CaseStatus status = CaseStatus::Failed;
    std::string reason;  ///< empty when passed
    std::string op_type; ///< the operator at fault, when one is
    double seconds = 0;
};

struct ConformanceReport {
    int passed = 0, failed = 0, unsupported = 0;
    std::map<std::string, int> unsupported_operators; ///< cases refused because of each operator
    std::vector<ConformanceCase> cases;               ///< in order of name
};

/// Computes a module's outputs. Called in worker processes, one case at a time.
using ModuleRunner =
    std::function<Result<std::vector<NDArray>>(const graph::Module& module, std::span<const NDArray> inputs)>;

struct ConformanceOptions {
    double rtol = 1e-3; ///< Source: onnx/backend/test/runner, which also takes 1e-3
    double atol = 1e-5; ///< our choice: the runner's 1e-7 is below one rounding of float32 sums of terms near 1
    int case_seconds = 20;
    int workers = 2;
};

/// Runs every case below `folder`: a case, a kind ("node"), or a folder of kinds. A case that crashes or passes its
/// time counts as failed and ends nothing else. A case whose model is not there is unsupported. Thread: the caller's
/// process should run no other thread that holds locks, since workers are forked from it. Errors: FileMissing when
/// there are no cases, ProcessFailed, Cancelled.
[[nodiscard]] Result<ConformanceReport> run_conformance(const std::filesystem::path& folder, const ModuleRunner& runner,
                                                        const ConformanceOptions& options = {},
                                                        const Progress& progress = {});

/// One case, in this process.
[[nodiscard]] ConformanceCase run_case(const std::filesystem::path& folder, const ModuleRunner& runner,
                                       const ConformanceOptions& options);

/// Fields: passed, failed, unsupported, unsupported_operators, cases (name, status, reason).
[[nodiscard]] std::string to_json(const ConformanceReport& report);
/// A line a case, counts by operator, and the totals last.
[[nodiscard]] std::string to_text(const ConformanceReport& report);

} // namespace orrery::app
