#pragma once
// Measuring the schedules of a recipe, and what is known of a workload's speed.

#include "core/session/stages.hpp"
#include "core/tuning/measurer.hpp"

#include <optional>
#include <string>
#include <vector>

namespace orrery::tuning {
struct TunerOptions;
struct TuningLink;
} // namespace orrery::tuning

namespace orrery::session {

class Compiler;
struct Recipe;

/// Everything that was measured of one workload, with the roofs of this machine.
struct Measurements {
    std::string function, workload;     ///< name; hash in hexadecimal
    std::vector<tuning::Record> rows;   ///< newest first
    std::optional<tuning::Peaks> peaks; ///< for `threads`; nullopt until something was measured
    int threads = 1;
    std::int64_t weights_distance = 0; ///< in its model
    std::string machine;               ///< this one
    std::string target;                ///< as records name the recipe's
    std::string problem;               ///< why records are not kept; empty when they are
};

/// Threads of the recipe's runs.
[[nodiscard]] int threads_of(const Recipe& recipe);
/// The function's schedule as something to be measured. Errors: UnsupportedFeature for a region of another backend.
[[nodiscard]] Result<tuning::Candidate> candidate_of(const Recipe& recipe, const ScheduledFunction& function);
/// What is known of a function's workload. Reads the database.
[[nodiscard]] Measurements known_measurements(tuning::Measurer& measurer, const Recipe& recipe,
                                              const ScheduledFunction& function);

/// What is tuned of a recipe's model. `options.threads` of 0 is the recipe's.
struct TuneWork {
    const Recipe& recipe;
    const std::string& only_function; ///< empty: all
    const tuning::TunerOptions& options;
};
/// Errors: those of session::tune. Thread: any, for as long as it takes.
[[nodiscard]] Result<void> tune(Compiler& compiler, tuning::Measurer& measurer, const TuneWork& work,
                                const tuning::TuningLink& link);

} // namespace orrery::session
