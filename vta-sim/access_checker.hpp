#pragma once

#include "vta-sim/diagnostic.hpp"
#include "vta-sim/machine.hpp"

#include <array>
#include <cstdint>
#include <vector>

namespace orrery::vta {

/// How many instructions of each executing module are known to be complete before a point in the run.
using Clock = std::array<std::uint32_t, kExecModules>;

/// Watches every address: who wrote it last, who read it last, in ordinals of the modules. An access is ordered when
/// the clock of its instruction covers the conflicting access; clocks travel with the tokens.
///
/// DRAM is watched in granules of the smallest element that can be addressed (at most 4 bytes).
/// Cost: 8 bytes per SRAM element, 12 bytes per DRAM granule.
class AccessChecker {
  public:
    AccessChecker(const Program& program, std::vector<Diagnostic>& findings);

    /// Judges and records the accesses of one instruction. Pre: it does not fault; the machine is as it was before it.
    /// `ordinal` counts the instructions of its module, from 0.
    void check(std::uint32_t index, std::uint32_t ordinal, const Clock& clock, const Machine& machine);

  private:
    /// Stamps are ordinal + 1; 0 means never.
    struct Memory {
        std::vector<std::uint32_t> written;
        std::vector<std::uint32_t> read;
    };
    struct Visit {
        std::uint32_t index;
        std::uint32_t stamp;
        const Clock& clock;
        const Machine& machine;
    };
    struct Finding {
        std::uint64_t first = 0;
        std::uint64_t count = 0;
        std::uint32_t other_stamp = 0;
        void add(std::uint64_t address, std::uint32_t stamp);
    };

    void check_load(const Instruction& in, const Visit& visit);
    void check_store(const Instruction& in, const Visit& visit);
    void check_steps(const Instruction& in, const Visit& visit);
    void check_reuse(const Instruction& in, const Visit& visit);
    void read_stream(const Instruction& in, const Visit& visit, Place place);
    void read_acc_stream(const Instruction& in, const Visit& visit, bool source);
    void write_out_stream(const Instruction& in, const Visit& visit, bool out);
    void read_dram(const Instruction& in, const Visit& visit);
    void write_dram(const Instruction& in, const Visit& visit);
    void write_sram(const Instruction& in, const Visit& visit);
    void report(DiagnosticKind kind, const Visit& visit, Place place, const Finding& finding);
    void report_race(const Visit& visit, Place place, const Finding& finding, Module other);

    const Program& program_;
    std::vector<Diagnostic>& findings_;
    Memory inp_;
    Memory wgt_;
    Memory out_;
    std::vector<std::uint8_t> acc_written_;
    std::vector<std::uint8_t> uop_written_;
    std::uint64_t granule_;
    std::vector<std::uint32_t> dram_written_;
    std::array<std::vector<std::uint32_t>, 2> dram_read_;        ///< by load, by compute
    std::array<std::vector<std::uint32_t>, kExecModules> order_; ///< instruction index of each ordinal
};

} // namespace orrery::vta
