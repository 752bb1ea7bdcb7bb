#pragma once
// Passes as rows of a table, and the manager that runs them: checks, times, verifies, records.

#include "core/base/progress.hpp"
#include "core/base/result.hpp"
#include "core/pass/record.hpp"

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

namespace orrery::pass {

/// What is known to hold of an IR between passes, as bits: a pass requires some, establishes some, may break some.
using Invariants = std::uint32_t;

/// Options of one pass, as the recipe stores them.
using Options = std::map<std::string, std::string>;

struct OptionSpec {
    std::string name, fallback, doc;
};

/// What a pass function is given besides the IR.
struct Context {
    const Options& options;
    const Progress& progress;
    Recorder* recorder = nullptr;

    [[nodiscard]] std::string option(const std::string& name, const std::string& fallback) const {
        const auto it = options.find(name);
        return it == options.end() ? fallback : it->second;
    }
};

/// One row of a pipeline's table.
template <class IR> struct Pass {
    std::string name;    ///< "FoldConstant": shown, stored in recipes
    std::string summary; ///< one line
    Invariants requires_ = 0, establishes = 0, breaks = 0;
    std::vector<OptionSpec> options;
    Result<IR> (*run)(const IR&, const Context&) = nullptr;
};

/// What one step did.
template <class IR> struct Step {
    std::string name;
    IR after;
    bool changed = false;
    double milliseconds = 0;
    std::vector<Rewrite> rewrites;
};

/// How a step is wrapped: cancelled? invariants? run, timed; changed?; verify; record.
template <class IR> struct Manager {
    std::function<bool(const IR&, const IR&)> same;  ///< identity of the IR's root is enough
    std::function<Result<void>(const IR&)> verify;   ///< empty to skip
    std::function<std::string(Invariants)> describe; ///< names of missing invariants, for the error

    /// Errors: what the pass says with its name as a place; Cancelled; BadRecipe when an invariant is missing.
    Result<Step<IR>> run(const Pass<IR>& pass, const IR& before, Invariants& holding, const Options& options,
                         const Progress& progress) const {
        if (progress.cancelled()) return Diagnostic{Code::Cancelled, "cancelled", {PassPlace{pass.name}}, {}};
        if (const Invariants missing = pass.requires_ & ~holding)
            return Diagnostic{Code::BadRecipe,
                              pass.name + " needs " + (describe ? describe(missing) : "an invariant") + " first",
                              {PassPlace{pass.name}},
                              "run the pass that establishes it earlier"};
        Recorder recorder;
        const auto start = std::chrono::steady_clock::now();
        Result<IR> after = pass.run(before, Context{options, progress, &recorder});
        const std::chrono::duration<double, std::milli> elapsed = std::chrono::steady_clock::now() - start;
        if (!after) {
            after.error().locations.push_back(PassPlace{pass.name});
            return std::move(after.error());
        }
        Step<IR> step{pass.name, *std::move(after), false, elapsed.count(), recorder.take()};
        step.changed = !same(before, step.after);
        if (verify && step.changed)
            if (Result<void> sound = verify(step.after); !sound) {
                sound.error().locations.push_back(PassPlace{pass.name});
                return std::move(sound.error());
            }
        holding = (holding | pass.establishes) & ~(step.changed ? pass.breaks : 0);
        return step;
    }
};

} // namespace orrery::pass
