#pragma once

#include "vta-sim/config.hpp"

#include <array>
#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

namespace orrery::vta {

/// Who may read DRAM, in order of priority.
enum class ReadClient : std::uint8_t { Fetch, Uop, Inp, Wgt, Acc };
inline constexpr int kReadClients = 5;

inline constexpr std::uint64_t kNever = ~std::uint64_t{0};

/// Cuts a strided transfer into bursts: each row starts anew, no burst crosses a boundary of the burst size.
class BurstCursor {
  public:
    struct Shape {
        std::uint64_t address; ///< Units: bytes, as the others
        std::uint64_t rows;
        std::uint64_t row_bytes;
        std::uint64_t stride;
    };
    struct Burst {
        std::uint64_t row_offset; ///< bytes from the start of its row
        std::uint64_t bytes;
        std::uint64_t beats; ///< bus words touched, so an unaligned edge counts whole
    };

    BurstCursor(const Timing& timing, const Shape& shape);
    [[nodiscard]] bool done() const { return row_ == shape_.rows; }
    /// Pre: !done().
    Burst next();

  private:
    Shape shape_;
    std::uint64_t bus_bytes_;
    std::uint64_t burst_bytes_;
    std::uint64_t row_ = 0;
    std::uint64_t offset_ = 0;
};

/// A run of beats on the read port without a break.
struct PortInterval {
    std::uint64_t begin;
    std::uint64_t end;
    std::uint32_t instruction; ///< first instruction of the group for fetch
    ReadClient client;
};

/// The read port all clients share. One command a cycle, the highest priority first; DRAM answers in order of
/// commands at one beat a cycle, and adds its latency whenever a command finds it with nothing to do.
class ReadPort {
  public:
    ReadPort(const Timing& timing, bool record);

    /// Slots are the engines that can each have one transfer under way.
    enum class Slot : std::uint8_t { Load, Compute, Fetch };
    static constexpr int kSlots = 3;

    /// Pre: the slot is free; the shape is not empty. `ready` is the first cycle a command may be presented.
    void start(Slot slot, ReadClient client, std::uint32_t instruction, const BurstCursor& cursor, std::uint64_t ready);

    /// The cycle of the next command; kNever when no transfer waits for one.
    [[nodiscard]] std::uint64_t next_grant() const;

    struct Grant {
        Slot slot;
        std::uint64_t first_beat;
        std::uint64_t beats;
        bool last; ///< the transfer has no more bursts; the slot is free
    };
    /// Issues the command of cycle `now`. Pre: now == next_grant().
    Grant grant(std::uint64_t now);

    /// Cycles of [begin, end) in which the port carried beats. Pre: no transfer waits since before `begin`.
    [[nodiscard]] std::uint64_t busy_within(std::uint64_t begin, std::uint64_t end) const;
    /// Forgets beats before `cycle`, as far as they are not recorded.
    void forget_before(std::uint64_t cycle);

    [[nodiscard]] const std::array<std::uint64_t, kReadClients>& beats() const { return beats_; }
    [[nodiscard]] const std::array<std::uint64_t, kReadClients>& bursts() const { return bursts_; }
    [[nodiscard]] std::vector<PortInterval> take_recorded() { return std::move(recorded_); }

  private:
    struct Request {
        ReadClient client;
        std::uint32_t instruction;
        BurstCursor cursor;
        std::uint64_t ready;
    };
    [[nodiscard]] std::uint64_t skip_last_beats(std::uint64_t cycle) const;
    void note(const PortInterval& interval);

    Timing timing_;
    bool record_;
    std::array<std::optional<Request>, kSlots> requests_;
    std::deque<std::uint64_t> last_beats_; ///< of bursts in flight, ascending
    std::uint64_t command_free_ = 0;
    std::uint64_t dram_last_ = 0; ///< last busy cycle of DRAM
    bool dram_used_ = false;
    std::deque<PortInterval> recent_;
    std::vector<PortInterval> recorded_;
    std::array<std::uint64_t, kReadClients> beats_{};
    std::array<std::uint64_t, kReadClients> bursts_{};
};

} // namespace orrery::vta
