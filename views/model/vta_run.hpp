#pragma once
// One simulated run of an accelerator program, with what its views look things up in.

#include "views/model/vta_index.hpp"
#include "vta-sim/counters.hpp"
#include "vta-sim/occupancy.hpp"
#include "vta-sim/watch.hpp"

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace orrery::views {

/// One instruction replaced by another, wherever the program still has the first at that place: a program that was
/// built anew for other tiles does not take over what was meant for the one before.
struct VtaReplacement {
    vta::Instruction before, after;
    friend bool operator==(const VtaReplacement&, const VtaReplacement&) = default;
};

/// What is simulated: an example or a program of a file, on a configuration, with some instructions replaced.
/// A small value: undoing is going back to the one before.
struct VtaRequest {
    std::string example = "resnet18_c2"; ///< ignored when `file` is set
    int contexts = 2;                    ///< virtual threads of an example
    std::shared_ptr<const vta::Program> file;
    std::string file_title;
    vta::Config config;                            ///< of an example; of a file its timing and semantics only
    std::map<std::uint32_t, VtaReplacement> edits; ///< by instruction
    friend bool operator==(const VtaRequest&, const VtaRequest&) = default;
};

/// "ResNet-18 C2, 2 threads, tsim-de10"
[[nodiscard]] std::string vta_title(const VtaRequest& request);
/// Errors: those of example_program; BadConfig when a file's program was made for another shape.
/// Thread: any; a convolution's tiles are searched.
[[nodiscard]] vta::Result<vta::Program> build_vta_program(const VtaRequest& request, const vta::Watch& watch = {});

/// A run in time. Immutable once made; never moves, since the indices look into it.
struct VtaRun {
    VtaRequest request;
    std::string title;
    vta::Program program;
    vta::CycleResult cycles;
    std::array<VtaLaneIndex, vta::kLanes> lanes; ///< by vta::Module
    VtaPortIndex port;
    std::uint32_t origin_count = 1;

    VtaRun() = default;
    VtaRun(const VtaRun&) = delete;
    VtaRun& operator=(const VtaRun&) = delete;
    [[nodiscard]] std::uint64_t total() const { return cycles.total_cycles; }
    [[nodiscard]] std::size_t size() const { return program.instructions.size(); }
    [[nodiscard]] bool ran(std::uint32_t instruction) const {
        return instruction < cycles.records.size() && cycles.records[instruction].completed != vta::kNever;
    }
};

/// Simulates and indexes; null when the watch stopped it. Thread: any.
[[nodiscard]] std::shared_ptr<const VtaRun> build_vta_run(VtaRequest request, vta::Program program,
                                                          const vta::Watch& watch = {});
/// Indexes a simulation that was recorded in full. Cost: one pass over its intervals.
[[nodiscard]] std::shared_ptr<const VtaRun> index_vta_run(VtaRequest request, vta::Program program,
                                                          vta::CycleResult cycles);

/// How full each memory is over time; none when the program has more steps than are walked for it (2^28).
[[nodiscard]] std::optional<vta::Occupancy> build_vta_occupancy(const VtaRun& run, std::uint64_t most_samples,
                                                                const vta::Watch& watch = {});

/// What is known of a run later than its timeline.
struct VtaDetails {
    std::shared_ptr<const VtaRun> run;
    /// By queue, each ascending in both ends; empty when tokens were lost.
    std::array<std::vector<vta::TokenArrow>, vta::kTokenQueues> arrows;
    vta::Occupancy occupancy; ///< without samples when `occupancy_skipped`
    /// Sums of the samples before each: the mean of any range in two looks.
    std::array<std::vector<double>, vta::kStrips> occupied_before;
    bool occupancy_skipped = false;        ///< the program has more steps than are walked for a strip
    std::vector<vta::Diagnostic> findings; ///< of the functional model
    std::uint64_t dropped_findings = 0;
    vta::RunState data_state = vta::RunState::Ready; ///< OutOfSteps: findings are those of the beginning
};
/// Null when the watch stopped it. Thread: any.
[[nodiscard]] std::shared_ptr<const VtaDetails> build_vta_details(std::shared_ptr<const VtaRun> run,
                                                                  const vta::Watch& watch = {});
/// Mean elements occupied over [begin, end).
[[nodiscard]] double vta_occupied(const VtaDetails& details, vta::Strip strip, std::uint64_t begin, std::uint64_t end);

} // namespace orrery::views
