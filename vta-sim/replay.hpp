#pragma once

#include "vta-sim/functional_model.hpp"

#include <cstdint>
#include <map>
#include <vector>

namespace orrery::vta {

struct ReplayOptions {
    std::uint64_t first_spacing = 16; ///< instructions between checkpoints at first
    std::size_t max_checkpoints = 64; ///< when reached, every second one goes and the spacing doubles
};

/// The functional model with a past: goes to any instruction of the run, back or forward, from the nearest checkpoint.
/// A checkpoint holds the on-chip memories whole and, of DRAM, only the pages changed since the checkpoint before.
/// Cost: memory of max_checkpoints on-chip copies plus changed pages; a jump replays at most one spacing, or, beyond
/// the furthest point reached so far, the way to the target.
class Replay {
  public:
    /// Pre: the configuration is legal; `program` outlives the replay.
    explicit Replay(const Program& program, ReplayOptions options = {});
    Replay(Program&&, ReplayOptions = {}) = delete;

    /// Instructions executed so far; this many are done.
    [[nodiscard]] std::uint64_t position() const { return model_.executed(); }
    /// Goes to a position, to the end of the run when it is shorter, or as far as it is when the watch stops. Returns
    /// the position reached.
    std::uint64_t seek(std::uint64_t position, const Watch& watch = {});
    /// False at the end or the beginning.
    bool forward() { return seek(position() + 1) > 0 && !at_end_; }
    bool back();

    [[nodiscard]] const FunctionalModel& model() const { return model_; }
    [[nodiscard]] const Machine& machine() const { return model_.machine(); }
    /// The instruction executed as number `position`; kNoInstruction when not reached yet.
    [[nodiscard]] std::uint32_t executed_at(std::uint64_t position) const;
    [[nodiscard]] std::size_t checkpoints() const { return checkpoints_.size(); }

  private:
    struct Checkpoint {
        FunctionalModel::Progress progress;
        Machine::Chip chip;
    };
    void step();
    void save();
    void restore(std::map<std::uint64_t, Checkpoint>::const_iterator checkpoint);
    void thin_out();

    const Program& program_;
    ReplayOptions options_;
    FunctionalModel model_;
    std::uint64_t spacing_;
    bool at_end_ = false;
    std::map<std::uint64_t, Checkpoint> checkpoints_; ///< by position
    /// Per page its contents as of checkpoints, ascending; before the first one the page is as in the program.
    std::map<std::uint32_t, std::map<std::uint64_t, std::vector<std::uint8_t>>> pages_;
    std::vector<std::uint32_t> history_;
};

} // namespace orrery::vta
