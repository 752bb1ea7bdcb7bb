#pragma once

#include "vta-sim/program.hpp"

#include <array>
#include <cstdint>
#include <vector>

namespace orrery::vta::testing {

/// A second functional model, written for obviousness and nothing else: one scalar at a time, bits pulled out one by
/// one, the next instruction found by scanning the whole program. Shares the instruction decoder and the list of static
/// faults with the library, and no execution code.
class NaiveMachine {
  public:
    explicit NaiveMachine(const Program& program);

    /// True when every instruction ran.
    bool run();

    std::vector<std::uint8_t> dram;
    std::vector<bool> done;
    std::vector<std::int64_t> inp, wgt, acc, out; ///< scalars, row-major as in DRAM
    std::vector<std::uint32_t> uops;
    std::array<std::uint64_t, 4> tokens{}; ///< by TokenQueue

  private:
    bool ready(std::size_t index) const;
    void execute(std::size_t index);
    void transfer(const Instruction& in);
    bool step_in_range(const Instruction& in, std::int64_t dst, std::int64_t src, std::int64_t wgt_index) const;
    void steps(const Instruction& in);
    void gemm_step(const Instruction& in, std::int64_t dst, std::int64_t src, std::int64_t wgt_index);
    void alu_step(const Instruction& in, std::int64_t dst, std::int64_t src);
    std::int64_t read_bits(std::uint64_t bit, int width) const;
    void write_bits(std::uint64_t bit, int width, std::int64_t value);

    const Program& program_;
    const Config& config_;
};

} // namespace orrery::vta::testing
