#pragma once
// The state of an accelerator program after some of its instructions: memories, tokens, queues; and breakpoints.

#include "views/model/table.hpp"
#include "views/model/vta_run.hpp"
#include "vta-sim/replay.hpp"

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace orrery::views {

/// What an instruction did to a tile of an on-chip memory.
enum class VtaTouch : std::uint8_t { None, Read, Written };

/// One on-chip memory as a grid of tiles.
struct VtaMemoryGrid {
    vta::Strip memory = vta::Strip::Uop;
    std::vector<std::uint8_t> filled; ///< a tile: 1 when any value in it is not zero
    std::vector<VtaTouch> touched;    ///< by the last instruction; empty when it touched none
    std::uint32_t in_use = 0;         ///< tiles filled
};

/// A tile to look at or to stop at.
struct VtaTile {
    vta::Strip memory = vta::Strip::Acc;
    std::uint32_t index = 0;
    friend bool operator==(const VtaTile&, const VtaTile&) = default;
};
/// "acc[12]"
[[nodiscard]] std::string to_string(const VtaTile& tile);
/// The inverse; empty when it is no tile of the configuration.
[[nodiscard]] std::optional<VtaTile> vta_tile_named(const vta::Config& config, std::string_view text);

struct VtaStepView {
    std::uint64_t position = 0; ///< instructions done
    std::uint64_t count = 0;    ///< instructions of the program
    std::uint32_t last = vta::kNoInstruction;
    std::array<std::uint32_t, vta::kExecModules> next{}; ///< by module; kNoInstruction: no more
    std::array<std::uint32_t, vta::kTokenQueues> tokens{};
    std::array<VtaMemoryGrid, vta::kStrips> grids;
    VtaTile tile;
    std::vector<std::vector<std::int32_t>> values; ///< rows of the tile
    bool at_end = false;
    std::string stopped;  ///< why a run to a breakpoint stopped; empty after a step
    std::string headline; ///< "37 of 342 done · last: #36 gemm …"
    Table queues;         ///< module, next instruction, what it waits for
    Table tokens_table;   ///< queue, tokens, who gives, who takes
};

enum class VtaStop : std::uint8_t { Instruction, Tile, Stall };
/// One condition under which a run stops.
struct VtaBreakpoint {
    VtaStop stop = VtaStop::Instruction;
    std::uint32_t instruction = 0; ///< Instruction: stops when it is the next of its module
    VtaTile tile;                  ///< Tile: stops after an instruction read or wrote it
    std::uint64_t cycles = 1;      ///< Stall: stops after an instruction that waited at least so long to be issued
    friend bool operator==(const VtaBreakpoint&, const VtaBreakpoint&) = default;
};
[[nodiscard]] std::string to_string(const VtaBreakpoint& breakpoint);
/// "instruction 12", "12", "acc[3]", "stall", "stall 100". Errors: BadText with what would be understood.
[[nodiscard]] vta::Result<VtaBreakpoint> vta_breakpoint_named(const vta::Config& config, std::string_view text);

/// Steps one run. Thread: one at a time, off the window's.
class VtaStepper {
  public:
    explicit VtaStepper(std::shared_ptr<const VtaRun> run);
    /// To a position, back or forward. When the watch stops, this and the next end where they are.
    void seek(std::uint64_t position, const vta::Watch& watch = {});
    /// Forward until a breakpoint holds or nothing more can run, or back to where one held last before here.
    /// Returns why it stopped. Cost: the instructions passed; back, all those before here.
    std::string run_to_break(const std::vector<VtaBreakpoint>& breakpoints, int direction,
                             const vta::Watch& watch = {});
    [[nodiscard]] VtaStepView view(const VtaTile& tile);
    [[nodiscard]] const VtaRun& run() const { return *run_; }
    [[nodiscard]] std::uint64_t position() const { return replay_.position(); }

  private:
    /// Which breakpoint holds right after the last instruction; empty for none.
    [[nodiscard]] std::string held(const std::vector<VtaBreakpoint>& breakpoints) const;
    [[nodiscard]] std::uint32_t last() const {
        return replay_.position() == 0 ? vta::kNoInstruction : replay_.executed_at(replay_.position() - 1);
    }
    bool forward();

    std::shared_ptr<const VtaRun> run_;
    vta::Replay replay_;
    bool at_end_ = false;
    std::string stopped_;
};

/// Tiles that an instruction reads and writes in a memory, with the micro-ops as `machine` holds them.
[[nodiscard]] std::vector<VtaTouch> vta_touches(const vta::Program& program, const vta::Machine& machine,
                                                std::uint32_t instruction, vta::Strip memory);

[[nodiscard]] std::string to_text(const VtaStepView& view);
[[nodiscard]] std::string to_json(const VtaStepView& view);

} // namespace orrery::views
