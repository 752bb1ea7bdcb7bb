#pragma once

#include "vta-sim/cycle_model.hpp"
#include "vta-sim/program.hpp"

#include <array>
#include <cstdint>
#include <string>
#include <vector>

namespace orrery::vta {

/// What instructions do, apart from when. Bytes are DRAM bytes, padding excluded; reset steps are not GEMM steps.
struct Work {
    std::uint64_t instructions = 0;
    std::uint64_t gemm_steps = 0;
    std::uint64_t reset_steps = 0;
    std::uint64_t alu_steps = 0;
    std::uint64_t uop_load_bytes = 0;
    std::uint64_t inp_load_bytes = 0;
    std::uint64_t wgt_load_bytes = 0;
    std::uint64_t acc_load_bytes = 0;
    std::uint64_t out_store_bytes = 0;
    std::uint64_t fetch_bytes = 0;
    Work& operator+=(const Work& other);
    bool operator==(const Work&) const = default;

    [[nodiscard]] std::uint64_t dram_bytes() const {
        return uop_load_bytes + inp_load_bytes + wgt_load_bytes + acc_load_bytes + out_store_bytes + fetch_bytes;
    }
    /// Two per multiply-accumulate; ALU operations are not counted, as in the peak rate.
    [[nodiscard]] std::uint64_t operations(const Config& config) const {
        return 2 * gemm_steps * static_cast<std::uint64_t>(config.macs_per_step());
    }
};

/// An instruction that faults or moves no data counts as an instruction and as fetched bytes only.
[[nodiscard]] Work work_of(const Program& program, const Instruction& instruction);

/// Energy per access. Units: picojoules.
/// Source: M. Horowitz, "Computing's energy problem (and what we can do about it)", ISSCC 2014, 45 nm at 0.9 V:
/// 8-bit add 0.03, 32-bit add 0.1, 8-bit multiply 0.2, 64-bit access to 8 KB SRAM 10, 32 KB 20, 1 MB 100, 64-bit DRAM
/// access 1300 to 2600. Between the SRAM points: linear in log2 of the size. A 16-bit multiply is taken as 4 times an
/// 8-bit one, narrower ones as a quarter each halving: multipliers grow with the square of the width.
struct EnergyTable {
    double add32 = 0.1;
    double multiply8 = 0.2;
    double sram_8k = 10;
    double sram_32k = 20;
    double sram_1m = 100;
    double dram_64bit = 1300;
};

/// Units: picojoules. An estimate to compare programs and configurations with, not a measurement.
struct Energy {
    double multiply = 0;
    double alu = 0;
    double sram = 0;
    double dram = 0;
    [[nodiscard]] double total() const { return multiply + alu + sram + dram; }
};
[[nodiscard]] double sram_access_energy(const EnergyTable& table, double bytes);
[[nodiscard]] Energy energy_of(const Config& config, const Work& work, const EnergyTable& table = {});

/// Work and module time of one origin.
struct OriginCounters {
    std::string name;
    Work work;
    std::array<std::array<std::uint64_t, kCauses>, kLanes> causes{}; ///< idle time belongs to no origin
};

/// What limits a run.
enum class Bound : std::uint8_t { Gemm, Alu, ReadPort, MemoryLatency, Store, Fetch, Dependencies, Deadlock, Empty };

struct Summary {
    Work work;
    std::uint64_t cycles = 0;
    std::vector<OriginCounters> origins;
    double seconds = 0; ///< at the configured clock
    double gops = 0;    ///< achieved
    double peak_gops = 0;
    double ops_per_byte = 0; ///< operational intensity
    double roof_gops = 0;    ///< the roofline at that intensity
    double gemm_utilization = 0;
    double read_port_utilization = 0;
    std::array<double, kLanes> busy{}; ///< share of cycles each module is busy
    Energy energy;
    Bound bound = Bound::Empty;
    std::string sentence; ///< what bounds this, in one sentence, from the causes
};

/// Work and time of a range of cycles [begin, end), as a selection in a timeline needs it.
struct RangeCounters {
    std::array<std::array<std::uint64_t, kCauses>, kLanes> causes{};
    std::array<std::uint64_t, kReadClients> read_beats{};
};

/// Pre: `result` was recorded with intervals for the origins to have causes.
[[nodiscard]] Summary summarize(const Program& program, const CycleResult& result, const EnergyTable& table = {});

/// The same of the cycles [begin, end): an instruction's work is shared evenly over its cycles from issue to
/// completion. The whole run gives what `summarize` gives, as far as instructions completed.
/// Pre: instructions, intervals and port recorded. Cost: linear in instructions and in the intervals of the range.
[[nodiscard]] Summary summarize_range(const Program& program, const CycleResult& result, std::uint64_t begin,
                                      std::uint64_t end);

/// Cost: logarithmic to the start of the range, then linear in its intervals. Pre: intervals and port recorded.
[[nodiscard]] RangeCounters count_range(const CycleResult& result, std::uint64_t begin, std::uint64_t end);

[[nodiscard]] std::string_view bound_name(Bound bound);

} // namespace orrery::vta
