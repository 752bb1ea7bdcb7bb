// Follows the lifetime of every value: instructions are walked in order of completion, each element keeps when it was
// written and when it was last read, and a new write closes the lifetime of the value before it. Lifetimes become steps
// up and down, which sorted by time give the mean of every sample and the peak.

#include "vta-sim/occupancy.hpp"

#include "vta-sim/index_walk.hpp"
#include "vta-sim/machine.hpp"

#include <algorithm>

namespace orrery::vta {
namespace {

struct Step {
    std::uint64_t cycle;
    std::int32_t change;
};

class Lifetimes {
  public:
    explicit Lifetimes(std::uint64_t depth) : written_(depth, kNever), read_(depth, 0) {}

    void write(std::size_t element, std::uint64_t cycle) {
        close(element);
        written_[element] = cycle;
        read_[element] = cycle;
    }
    void read(std::size_t element, std::uint64_t cycle) { read_[element] = std::max(read_[element], cycle); }

    std::vector<Step> take() {
        for (std::size_t e = 0; e < written_.size(); ++e) close(e);
        std::sort(steps_.begin(), steps_.end(), [](const Step& a, const Step& b) { return a.cycle < b.cycle; });
        return std::move(steps_);
    }

  private:
    void close(std::size_t element) {
        if (written_[element] == kNever || read_[element] <= written_[element]) return;
        steps_.push_back({written_[element], 1});
        steps_.push_back({read_[element], -1});
        written_[element] = kNever;
    }
    std::vector<std::uint64_t> written_;
    std::vector<std::uint64_t> read_;
    std::vector<Step> steps_;
};

using Strips = std::array<Lifetimes, kStrips>;

Lifetimes& of(Strips& strips, Strip strip) { return strips[static_cast<std::size_t>(strip)]; }

void walk_transfer(Strips& strips, const Instruction& in, std::uint64_t cycle) {
    const std::size_t end = in.sram_base + sram_elements(in);
    Strip strip = Strip::Out;
    if (in.memory == MemoryId::Uop) strip = Strip::Uop;
    if (in.memory == MemoryId::Inp) strip = Strip::Inp;
    if (in.memory == MemoryId::Wgt) strip = Strip::Wgt;
    if (in.memory == MemoryId::Acc || in.memory == MemoryId::Acc8) strip = Strip::Acc;
    for (std::size_t e = in.sram_base; e < end; ++e) {
        if (in.opcode == Opcode::Store) {
            of(strips, strip).read(e, cycle);
        } else {
            of(strips, strip).write(e, cycle);
        }
    }
}

void walk_steps(Strips& strips, const Instruction& in, std::span<const Uop> uops, std::uint64_t cycle) {
    for (std::size_t k = in.uop_begin; k < in.uop_end; ++k) of(strips, Strip::Uop).read(k, cycle);
    const auto reader = [&](Strip strip) {
        return [&strips, strip, cycle](std::size_t e) {
            of(strips, strip).read(e, cycle);
            return true;
        };
    };
    if (in.opcode == Opcode::Gemm && !in.reset) {
        walk_indices(in, uops, src_stream(in), reader(Strip::Inp));
        walk_indices(in, uops, wgt_stream(in), reader(Strip::Wgt));
    }
    if (in.opcode == Opcode::Alu && !in.use_imm) walk_indices(in, uops, src_stream(in), reader(Strip::Acc));
    const bool fresh = in.opcode == Opcode::Gemm && in.reset;
    walk_indices(in, uops, dst_stream(in), [&](std::size_t e) {
        // An accumulating write continues the value that was there.
        if (fresh) {
            of(strips, Strip::Acc).write(e, cycle);
        } else {
            of(strips, Strip::Acc).read(e, cycle);
        }
        of(strips, Strip::Out).write(e, cycle);
        return true;
    });
}

/// Turns steps into the mean of each sample and the peak.
void fill_strip(Occupancy& out, std::size_t strip, const std::vector<Step>& steps, std::uint64_t total) {
    auto& samples = out.elements[strip];
    std::int64_t level = 0;
    std::uint64_t cycle = 0;
    const auto spread = [&](std::uint64_t end) {
        while (cycle < end) {
            const std::uint64_t sample = cycle / out.cycles_per_sample;
            const std::uint64_t stop = std::min(end, (sample + 1) * out.cycles_per_sample);
            samples[sample] += static_cast<float>(level) * static_cast<float>(stop - cycle) /
                               static_cast<float>(out.cycles_per_sample);
            cycle = stop;
        }
    };
    for (std::size_t i = 0; i < steps.size();) {
        const std::uint64_t now = steps[i].cycle;
        spread(std::min(now, total));
        while (i < steps.size() && steps[i].cycle == now) level += steps[i++].change;
        out.peak[strip] = std::max(out.peak[strip], static_cast<std::uint64_t>(level));
    }
    spread(total);
}

} // namespace

Occupancy sram_occupancy(const Program& program, const CycleResult& result, std::size_t samples, const Watch& watch) {
    ensure(samples > 0, "sram_occupancy without samples");
    const Config& config = program.config;
    Occupancy out;
    const auto depth = [](int elements) { return static_cast<std::uint64_t>(elements); };
    out.depth = {depth(config.uop_depth), depth(config.inp_depth()), depth(config.wgt_depth()),
                 depth(config.acc_depth()), depth(config.acc_depth())};
    out.cycles_per_sample = std::max<std::uint64_t>(1, (result.total_cycles + samples - 1) / samples);
    for (auto& strip : out.elements) strip.resize(result.total_cycles / out.cycles_per_sample + 1);

    Strips strips = {Lifetimes(out.depth[0]), Lifetimes(out.depth[1]), Lifetimes(out.depth[2]), Lifetimes(out.depth[3]),
                     Lifetimes(out.depth[4])};
    // Only micro-ops matter for the index sets, so only their loads are executed.
    Machine machine(config, program.dram);
    Pace pace(watch, 64);
    std::uint64_t walked = 0;
    for (const std::uint32_t index : completion_order(program, result)) {
        if (pace.stopped(++walked, program.instructions.size())) return out;
        const Instruction& in = program.instructions[index];
        const std::uint64_t cycle = result.records[index].completed;
        if (static_fault(config, program.dram.size(), in) != Fault::None) continue;
        if (in.opcode == Opcode::Load && in.memory == MemoryId::Uop) machine.execute(in);
        if (sram_elements(in) > 0) walk_transfer(strips, in, cycle);
        if (step_count(in) > 0 && machine.index_fault(in) == Fault::None) walk_steps(strips, in, machine.uops(), cycle);
    }
    for (std::size_t strip = 0; strip < kStrips; ++strip)
        fill_strip(out, strip, strips[strip].take(), result.total_cycles);
    return out;
}

} // namespace orrery::vta
