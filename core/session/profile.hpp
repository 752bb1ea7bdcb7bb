#pragma once
// Where a model's time goes: many runs, each kernel timed in each, and its time led back to operators, nodes and layers
// of the model.
//
// A call of a kernel is timed by itself, so that layers which share a kernel have times of their own. Inside a call
// that several operators were fused into there is nothing to time: its time is divided by what each would take at this
// machine's peaks, its arithmetic and the bytes it moves in and out of the kernel. An operator that passes made of
// several nodes stays one: what it takes is that of all of them together.

#include "core/base/origin.hpp"
#include "core/base/progress.hpp"
#include "core/base/result.hpp"
#include "core/graph/node.hpp"
#include "core/tuning/measurement.hpp"
#include "core/tuning/peaks.hpp"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace orrery::tuning {
class Measurer;
}

namespace orrery::session {

class Compiler;
struct CompiledModel;
struct Recipe;

/// An operator's part of one call.
struct ProfilePart {
    std::string op;   ///< "conv2d"; the function's name for one that another backend computes whole
    OriginSet origin; ///< of the model; several where passes joined nodes
    double share = 1; ///< of the call's time; those of one call add up to 1
    double flops = 0;
    double bytes = 0; ///< that it moves in and out of the kernel
};

/// One call of a kernel.
struct ProfileCall {
    std::string function, value; ///< of the tensor program; its result's name
    OriginSet origin;
    double us = 0;       ///< median of its runs. Units: microseconds, like all below
    double flops = 0;    ///< float operations; a fused multiply-add counts 2
    double bytes = 0;    ///< read and written, each element once
    double bound_us = 0; ///< at best on this machine; 0 when its peaks are not known
    std::string roof;    ///< what that is: "FMA", or the memory its bytes come from: "L2", "L3", "DRAM"
    std::vector<ProfilePart> parts;
};

struct Profile {
    std::vector<ProfileCall> calls; ///< in order of execution
    tuning::Times whole;            ///< of runs, from inputs to outputs
    int threads = 1;
    double busy_others = 0; ///< cores that other processes kept busy meanwhile
    std::optional<tuning::Peaks> peaks;
    std::string no_peaks;                                      ///< why there are none
    std::shared_ptr<const std::vector<graph::Source>> sources; ///< what origins name

    /// Of all calls; the rest of a run is spent between them. Units: microseconds.
    [[nodiscard]] double calls_us() const;
};

struct ProfileOptions {
    int runs = 0; ///< 0: until `seconds` are over, at least 10, at most 500
    double seconds = 1;
    std::uint64_t seed = 0; ///< of the inputs
    bool peaks = true;      ///< measures this machine's when they are not known; false: as far as they are
};

/// Runs a model, after some runs nobody times. `fused` is the module it was compiled from. `peaks` may be missing.
/// Errors: UnsupportedFeature for a model whose kernels are made while it runs; Cancelled.
[[nodiscard]] Result<Profile> profile(const CompiledModel& model, const graph::Module& fused, const Recipe& recipe,
                                      const ProfileOptions& options, const Progress& progress);

/// Fills bounds, and the shares of operators, for a machine of those peaks; without any, as if one of 16 operations a
/// byte. Caches are `recipe`'s target's.
void set_peaks(Profile& profile, const CompiledModel& model, const Recipe& recipe, std::optional<tuning::Peaks> peaks);

/// Compiles a recipe's model, runs it, and fills in this machine's peaks. Errors: those of compiling, and of `profile`;
/// peaks that cannot be measured are only told.
[[nodiscard]] Result<Profile> profile_recipe(Compiler& compiler, tuning::Measurer& measurer, const Recipe& recipe,
                                             const ProfileOptions& options, const Progress& progress);

/// A sum over parts of calls.
struct ProfileRow {
    std::string name;
    OriginSet origins;
    double us = 0, flops = 0, bytes = 0;
    double bound_us = 0;
    std::string roof;      ///< of most of it
    std::size_t calls = 0; ///< it takes part in
    int depth = 0;         ///< below the row before it that has a smaller one
};
/// Slowest first; the times of all rows add up to calls_us().
[[nodiscard]] std::vector<ProfileRow> by_kernel(const Profile& profile);
[[nodiscard]] std::vector<ProfileRow> by_operator(const Profile& profile);
/// One for each set of nodes that became one operator.
[[nodiscard]] std::vector<ProfileRow> by_node(const Profile& profile);
/// Layers as the paths in the names of nodes have them, in order of execution, those inside a layer below it; a part of
/// several nodes is in the layer that holds them all, or in that of its first. Where names have no paths, each call is
/// a layer. The times of rows of depth 0 add up to calls_us().
[[nodiscard]] std::vector<ProfileRow> by_layer(const Profile& profile);

/// What would follow if some of the model came as close to its bound as it should.
struct WhatIf {
    std::string what; ///< "3 kernels", "conv2d_add_relu_3", "all of conv2d", "between kernels"
    OriginSet origins;
    std::size_t calls = 0;
    double us = 0;       ///< now
    double share = 0;    ///< of a run
    double of_bound = 0; ///< how close it is now, in [0, 1]
    double gain_us = 0;  ///< of a run
};
/// How close is close enough. Source: our choice; what oneDNN reaches on large convolutions (103 to 140 of 138
/// GFLOP/s).
inline constexpr double kAim = 0.8;
/// The few kernels that half of everything to be gained is in, then each of them, then operators, then all, then what
/// is between kernels. Empty without peaks.
[[nodiscard]] std::vector<WhatIf> what_if(const Profile& profile);

} // namespace orrery::session
