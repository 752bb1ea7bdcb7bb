#pragma once
// Steps of a recipe on the same inputs: do the numbers stay, and if not, which pass was it.

#include "core/session/compiler.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace orrery::session {

struct StepCheckOptions {
    std::uint64_t seed = 0; ///< of the inputs, see seeded_inputs
    /// Of the largest element. A step whose module rounds by design may lose what rounding_of says instead.
    /// Source: as for `check`, float32 sums of some thousand terms.
    double tolerance = 1e-4;
    /// Models of less work are interpreted, larger ones compiled operator by operator. Units: floating-point
    /// operations. Source: our choice; the interpreter does about 10^8 a second.
    double interpreted_up_to = 5e7;
};

/// What became of the numbers at one step.
struct StepCheck {
    bool ran = false;                ///< false: nothing changed since the step before, or the step itself failed
    Difference from_before;          ///< worst of all outputs, against the step before
    Difference from_import;          ///< against the import
    double tolerance = 0;            ///< what may be lost at this step: see rounding_of
    bool agrees = true;              ///< from_before is within the tolerance
    bool right = true;               ///< from_import is within the tolerance
    std::optional<Diagnostic> error; ///< the module could not be run
    double milliseconds = 0;
};

struct StepChecks {
    StepCheckOptions options;
    bool interpreted = true;
    Steps of;                        ///< the steps checked
    std::vector<StepCheck> steps;    ///< parallel to `of`, as far as the work got; [0] is the import
    double worst = 0;                ///< largest from_before
    std::ptrdiff_t first_wrong = -1; ///< index into steps, -1 for none
};

/// What a module may lose against the import, of the largest element, by rounding as its types and operators say: 64
/// units in the last place of a 16-bit float that it has and the import has not, 1e-2 for approximations (FastMath);
/// 0 when there is neither. Source: our choice; sums of some hundred products lose about as much, and the networks here
/// lose less than a quarter of it.
[[nodiscard]] double rounding_of(const graph::Module& module, const graph::Module& import);

using CheckSink = std::function<void(const StepChecks&)>;
/// Runs the module after each step of the recipe that changed something. `sink`, when given, sees each step as it is
/// done. Errors: those of the import and of running it, Cancelled. A later step that cannot be run is a row with its
/// error.
[[nodiscard]] Result<StepChecks> check_steps(Compiler& compiler, const Recipe& recipe, const StepCheckOptions& options,
                                             const Progress& progress, const CheckSink& sink = {});

/// The verdict of a search for the first wrong pass.
struct Bisection {
    struct Probe {
        std::size_t step = 0;
        double worst = 0; ///< against the import; 0 when it failed
        bool wrong = false;
    };
    std::ptrdiff_t first_wrong = -1; ///< index into `steps`, -1 when all is right
    std::string pass;                ///< its name
    std::optional<Diagnostic> error; ///< what it failed with: its own words, the verifier's, or those of running it
    double worst = 0;                ///< of the wrong step
    std::vector<Probe> probes;       ///< modules run besides the import, in order
    std::size_t candidates = 0;      ///< passes that changed something
    Steps steps;
};
/// Halves the list of passes that changed something. A pass that fails, or whose module the verifier refuses, counts
/// as wrong without being run. Cost: at most ceil(log2(candidates)) + 1 runs besides that of the import.
/// Errors: those of the import, Cancelled.
[[nodiscard]] Result<Bisection> bisect(Compiler& compiler, const Recipe& recipe, const StepCheckOptions& options,
                                       const Progress& progress);

} // namespace orrery::session
