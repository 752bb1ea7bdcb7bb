#pragma once
// The pipeline timeline at any zoom: bars of visible size, token arrows, stalls, and what lies at a cycle.

#include "views/model/vta_run.hpp"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace orrery::views {

/// Lanes from top to bottom.
enum class VtaLane : std::uint8_t { Fetch, Load, Compute, Store, Port };
inline constexpr int kVtaLanes = 5;
[[nodiscard]] std::string_view vta_lane_name(VtaLane lane);
/// The module of a lane; none for the port.
[[nodiscard]] std::optional<vta::Module> module_of(VtaLane lane);
[[nodiscard]] VtaLane lane_of(vta::Module module);

/// Cycles of one lane between two places. Either one interval as it is, or, where intervals are narrower than can be
/// seen, several added up exactly.
struct VtaBar {
    std::uint64_t begin = 0, end = 0;                ///< cycles
    std::uint32_t instruction = vta::kNoInstruction; ///< of the interval at `begin`
    vta::Cause busy = vta::Cause::Idle;              ///< what it mostly works at
    vta::Cause stall = vta::Cause::Idle;             ///< what it mostly waits for
    std::uint64_t busy_cycles = 0, stall_cycles = 0; ///< the rest of the bar is idle
    bool merged = false;
};

/// What part of the run is shown, and how finely. Units: cycles; pixels.
struct VtaWindow {
    double begin = 0, end = 1;
    int pixels = 1;
};
/// Bars that tile the window's part of the run from left to right: at most one per two pixels but for the ends.
/// The read port's clients are named by the cause of the load they serve. `before` holds the bars of another window of
/// the same run, lane and column: what is in both is taken from there, so that moving costs what comes into sight.
/// Cost: new bars times a look-up of about a microsecond, however long the run.
[[nodiscard]] std::vector<VtaBar> build_vta_bars(const VtaRun& run, VtaLane lane, const VtaWindow& window,
                                                 std::span<const VtaBar> before = {});
/// Cycles of the columns in which intervals that are too narrow are added up; 1: none are.
[[nodiscard]] std::uint64_t vta_column(const VtaWindow& window);

/// The interval a cycle lies in, as a bar; none outside the run.
[[nodiscard]] std::optional<VtaBar> vta_bar_at(const VtaRun& run, VtaLane lane, std::uint64_t cycle);
/// The next or previous interval of the lane that waits at least `least` cycles, from the interval at `cycle` on.
[[nodiscard]] std::optional<VtaBar> vta_next_stall(const VtaRun& run, VtaLane lane, std::uint64_t cycle, int direction,
                                                   std::uint64_t least = 1);

/// A token's way from the end of one instruction to the start of another.
struct VtaArrow {
    vta::TokenQueue queue;
    std::uint32_t from, to;
    std::uint64_t given, taken; ///< cycles
};
/// Arrows that touch [begin, end), none when there are more than `most`.
[[nodiscard]] std::vector<VtaArrow> build_vta_arrows(const VtaDetails& details, std::uint64_t begin, std::uint64_t end,
                                                     std::size_t most);
/// Arrows that end or start at an instruction.
[[nodiscard]] std::vector<VtaArrow> vta_arrows_of(const VtaDetails& details, std::uint32_t instruction);

/// What the timeline shows: one run, or two on one axis. Details follow later.
struct VtaTimelineData {
    std::shared_ptr<const VtaRun> a, b;
    std::shared_ptr<const VtaDetails> a_details, b_details;
    bool followed = true; ///< details that are missing are on their way; else nobody makes them
    std::string empty_reason = "Choose a program to see its pipeline, cycle by cycle.";
    [[nodiscard]] std::uint64_t total() const { return std::max(a ? a->total() : 0, b ? b->total() : 0); }
};

/// What the canvas shows of a range, in words and as data.
[[nodiscard]] std::string timeline_text(const VtaRun& run, const VtaWindow& window);
[[nodiscard]] std::string timeline_json(const VtaRun& run, const VtaWindow& window);

} // namespace orrery::views
