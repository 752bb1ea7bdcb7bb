#pragma once

#include "vta-sim/program.hpp"

#include <cstdint>
#include <span>
#include <vector>

namespace orrery::vta {

/// The on-chip memories and DRAM as plain values, and what each instruction does to them. Knows neither order nor
/// time: callers decide when an instruction runs. All memories start at zero.
///
/// Semantics, once: integers are two's complement; accumulators are 32-bit and wrap. A GEMM step adds, for each
/// batch row b and output lane o, the sum over input lanes c of inp[src][b][c] * wgt[wgt][o][c] to acc[dst][b][o].
/// An ALU step writes acc[dst] = op(acc[dst], imm or acc[src]) lane by lane. Steps run outer loop, inner loop,
/// micro-op, each seeing the results of those before. A STORE keeps the low bits of OUT, without saturation.
/// Padding is zeros. DRAM scalars are little-endian, sub-byte scalars packed from bit 0.
class Machine {
  public:
    Machine(const Config& config, std::vector<std::uint8_t> dram);

    /// Runs one instruction to its end. Pre: static_fault is None. Returns IndexRange, changing nothing, when a step
    /// would leave its memory.
    Fault execute(const Instruction& instruction);
    /// What `execute` would return.
    [[nodiscard]] Fault index_fault(const Instruction& instruction) const;

    [[nodiscard]] const Config& config() const { return config_; }
    [[nodiscard]] const std::vector<std::uint8_t>& dram() const { return dram_; }
    [[nodiscard]] Uop uop(int index) const { return uops_[static_cast<std::size_t>(index)]; }
    [[nodiscard]] std::span<const Uop> uops() const { return uops_; }
    /// Shape: [batch, block] of one tile.
    [[nodiscard]] std::span<const std::int16_t> inp_tile(int index) const;
    [[nodiscard]] std::span<const std::int32_t> acc_tile(int index) const;
    /// Shape: [block out, block in] of one tile, in a copy since the memory is kept interleaved.
    [[nodiscard]] std::vector<std::int16_t> wgt_tile(int index) const;
    /// Shape: [batch, block]; what a STORE of this tile would write.
    [[nodiscard]] std::vector<std::int16_t> out_tile(int index) const;

    /// Everything on chip, for checkpoints. DRAM is kept apart as changed pages.
    struct Chip {
        std::vector<std::int16_t> inp;
        std::vector<std::int16_t> wgt;
        std::vector<std::int32_t> acc;
        std::vector<std::int16_t> out;
        std::vector<std::uint8_t> out_live;
        std::vector<Uop> uops;
        bool operator==(const Chip&) const = default;
    };
    [[nodiscard]] Chip chip() const { return {inp_, wgt_, acc_, out_, out_live_, uops_}; }
    void restore(const Chip& chip);

    static constexpr std::size_t kPageBytes = 4096;
    /// DRAM pages written since the last call, in ascending order.
    [[nodiscard]] std::vector<std::uint32_t> take_dirty_pages();
    /// Overwrites a page. Pre: the page lies in DRAM; `bytes` is as long as the page there.
    void set_page(std::uint32_t page, std::span<const std::uint8_t> bytes);

  private:
    void load(const Instruction& in);
    void load_element(MemoryId memory, std::size_t element, const std::uint8_t* bytes);
    void clear_element(MemoryId memory, std::size_t element);
    void load_wgt(std::size_t element, const std::uint8_t* bytes);
    void store(const Instruction& in);
    void gemm(const Instruction& in);
    void reset(const Instruction& in);
    void alu(const Instruction& in);
    void freeze_out(std::size_t element);

    Config config_;
    Codec codec_;
    std::vector<std::uint8_t> dram_;
    std::vector<std::int16_t> inp_;      ///< [depth][batch][block], sign-extended
    std::vector<std::int16_t> wgt_;      ///< [depth][block in / 2][block out][2], sign-extended
    std::vector<std::int32_t> acc_;      ///< [depth][batch][block]
    std::vector<std::int16_t> out_;      ///< [depth][batch][block], valid where out_live is 0
    std::vector<std::uint8_t> out_live_; ///< 1: OUT holds the low bits of the accumulator tile of this index
    std::vector<Uop> uops_;
    std::vector<std::uint8_t> dirty_;
    std::vector<std::uint32_t> dirty_list_;
};

} // namespace orrery::vta
