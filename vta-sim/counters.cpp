#include "vta-sim/counters.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace orrery::vta {
namespace {

double share(std::uint64_t part, std::uint64_t whole) {
    return whole == 0 ? 0 : static_cast<double>(part) / static_cast<double>(whole);
}

std::uint64_t at(const std::array<std::uint64_t, kCauses>& row, Cause cause) {
    return row[static_cast<std::size_t>(cause)];
}

/// What a summary is made from: a whole run or a part of it.
struct Span {
    RangeCounters counters;
    std::uint64_t cycles = 0;
    RunState state = RunState::Ready;
};
using Row = std::array<std::uint64_t, kCauses>;

const Row& row(const Span& span, Module module) { return span.counters.causes[static_cast<std::size_t>(module)]; }

double busy_share(const Row& causes, std::uint64_t cycles) {
    std::uint64_t busy = 0;
    for (int c = 0; c < kCauses; ++c) {
        if (is_busy(static_cast<Cause>(c))) busy += causes[static_cast<std::size_t>(c)];
    }
    return share(busy, cycles);
}

std::uint64_t total_beats(const RangeCounters& counters) {
    std::uint64_t beats = 0;
    for (const std::uint64_t b : counters.read_beats) beats += b;
    return beats;
}

/// Where the compute lane spends what is not GEMM steps decides the bound: it is the module everything meets in.
Bound find_bound(const Span& span, double port_share) {
    if (span.state == RunState::Deadlocked) return Bound::Deadlock;
    if (span.cycles == 0) return Bound::Empty;
    const Row& compute = row(span, Module::Compute);
    const Row& load = row(span, Module::Load);
    const std::uint64_t gemm = at(compute, Cause::Gemm);
    const std::uint64_t alu = at(compute, Cause::Alu) + at(compute, Cause::Fill);
    const std::uint64_t token_prev = at(compute, Cause::WaitTokenPrev);
    const std::uint64_t token_next = at(compute, Cause::WaitTokenNext);
    const std::uint64_t memory = at(compute, Cause::WaitLatency) + at(compute, Cause::WaitPort) +
                                 at(compute, Cause::LoadUop) + at(compute, Cause::LoadAcc);
    const std::uint64_t fetch = at(compute, Cause::WaitFetch);
    const std::uint64_t largest = std::max({gemm, alu, token_prev, token_next, memory, fetch});
    if (largest == gemm) return Bound::Gemm;
    if (largest == alu) return Bound::Alu;
    if (largest == fetch) return Bound::Fetch;
    if (largest == token_next) return Bound::Store;
    if (largest == memory) return port_share > 0.6 ? Bound::ReadPort : Bound::MemoryLatency;
    // Compute waits for loads: do they fill the port, wait for DRAM, or wait for compute in turn?
    const std::uint64_t moving = at(load, Cause::LoadInp) + at(load, Cause::LoadWgt) + at(load, Cause::WaitPort);
    if (at(load, Cause::WaitTokenNext) > moving) return Bound::Dependencies;
    return moving >= at(load, Cause::WaitLatency) ? Bound::ReadPort : Bound::MemoryLatency;
}

std::string percent(double value) {
    char text[32];
    std::snprintf(text, sizeof text, "%.1f %%", 100 * value);
    return text;
}

/// What takes most of compute's other cycles, where that is a quarter of the run or nearly; else nothing.
std::string beside_gemm(const Span& span) {
    const Row& compute = row(span, Module::Compute);
    const Row& load = row(span, Module::Load);
    Cause most = Cause::Alu;
    for (int c = 0; c < kCauses; ++c) {
        const auto cause = static_cast<Cause>(c);
        if (cause != Cause::Gemm && at(compute, cause) > at(compute, most)) most = cause;
    }
    const double taken = share(at(compute, most), span.cycles);
    if (taken < 0.2) return {};
    if (most != Cause::WaitTokenPrev) return ", beside " + std::string(cause_name(most)) + " in " + percent(taken);
    const bool in_turns = at(load, Cause::WaitTokenNext) > at(load, Cause::LoadInp) + at(load, Cause::LoadWgt);
    return ", and waits for loads in " + percent(taken) +
           (in_turns ? " while they wait for it in turn: a second context would overlap them" : "");
}

std::string sentence_of(const Summary& s, const Span& span, const std::vector<Blocked>& blocked) {
    const Row& compute = row(span, Module::Compute);
    const auto part = [&](Cause cause) { return percent(share(at(compute, cause), span.cycles)); };
    switch (s.bound) {
    case Bound::Gemm:
        return "Bound by the GEMM unit: it is busy in " + part(Cause::Gemm) + " of all cycles" + beside_gemm(span) +
               ".";
    case Bound::Alu:
        return "Bound by the ALU: compute spends " + part(Cause::Alu) + " of all cycles in ALU steps and " +
               part(Cause::Fill) + " filling pipelines.";
    case Bound::ReadPort:
        return "Bound by memory bandwidth: the read port carries data in " + percent(s.read_port_utilization) +
               " of all cycles while compute waits.";
    case Bound::MemoryLatency:
        return "Bound by memory latency: compute waits for transfers that are short or not overlapped; the read port "
               "is busy in only " +
               percent(s.read_port_utilization) + " of all cycles.";
    case Bound::Store:
        return "Bound by stores: compute waits for a free output context in " + part(Cause::WaitTokenNext) +
               " of all cycles.";
    case Bound::Fetch:
        return "Bound by instruction fetch: compute waits for it in " + part(Cause::WaitFetch) + " of all cycles.";
    case Bound::Dependencies:
        return "Bound by dependencies: compute waits for loads in " + part(Cause::WaitTokenPrev) +
               " of all cycles while loads wait for compute; a second context would overlap them.";
    case Bound::Deadlock: return blocked.empty() ? "Deadlocked." : "Deadlocked: " + describe(blocked.front()) + ".";
    case Bound::Empty: return "Nothing to run.";
    }
    throw InternalError("sentence of an unknown bound");
}

/// The interval a cycle lies in. Pre: the list is not empty.
template <class List> std::size_t interval_at(const List& list, std::uint64_t cycle) {
    const auto it =
        std::upper_bound(list.begin(), list.end(), cycle, [](std::uint64_t c, const auto& i) { return c < i.begin; });
    return it == list.begin() ? 0 : static_cast<std::size_t>(it - list.begin() - 1);
}

} // namespace

Work& Work::operator+=(const Work& o) {
    instructions += o.instructions;
    gemm_steps += o.gemm_steps;
    reset_steps += o.reset_steps;
    alu_steps += o.alu_steps;
    uop_load_bytes += o.uop_load_bytes;
    inp_load_bytes += o.inp_load_bytes;
    wgt_load_bytes += o.wgt_load_bytes;
    acc_load_bytes += o.acc_load_bytes;
    out_store_bytes += o.out_store_bytes;
    fetch_bytes += o.fetch_bytes;
    return *this;
}

Work work_of(const Program& program, const Instruction& in) {
    Work work;
    work.instructions = 1;
    work.fetch_bytes = 16;
    if (static_fault(program.config, program.dram.size(), in) != Fault::None) return work;
    if (in.opcode == Opcode::Gemm) (in.reset ? work.reset_steps : work.gemm_steps) = step_count(in);
    if (in.opcode == Opcode::Alu) work.alu_steps = step_count(in);
    if (in.opcode != Opcode::Load && in.opcode != Opcode::Store) return work;
    const std::uint64_t bytes =
        dram_elements(in) * static_cast<std::uint64_t>(dram_element_bytes(program.config, in.memory));
    switch (in.memory) {
    case MemoryId::Uop: work.uop_load_bytes = bytes; break;
    case MemoryId::Inp: work.inp_load_bytes = bytes; break;
    case MemoryId::Wgt: work.wgt_load_bytes = bytes; break;
    case MemoryId::Acc:
    case MemoryId::Acc8: work.acc_load_bytes = bytes; break;
    case MemoryId::Out: work.out_store_bytes = bytes; break;
    }
    return work;
}

double sram_access_energy(const EnergyTable& t, double bytes) {
    const double log_size = std::log2(std::max(bytes, 1.0));
    const auto between = [&](double low_log, double low, double high_log, double high) {
        return low + (high - low) * (log_size - low_log) / (high_log - low_log);
    };
    const double energy =
        log_size < 15 ? between(13, t.sram_8k, 15, t.sram_32k) : between(15, t.sram_32k, 20, t.sram_1m);
    return std::max(energy, 1.0);
}

Energy energy_of(const Config& config, const Work& w, const EnergyTable& t) {
    const double width = std::max(config.inp_bits(), config.wgt_bits()) / 8.0;
    const double macs = static_cast<double>(w.gemm_steps) * config.macs_per_step();
    const double lanes = config.batch() * config.block();
    const auto words = [](double bytes) { return bytes / 8; };
    const double inp = sram_access_energy(t, std::exp2(config.log_inp_buff)) * words(config.inp_bytes());
    const double wgt = sram_access_energy(t, std::exp2(config.log_wgt_buff)) * words(config.wgt_bytes());
    const double acc = sram_access_energy(t, std::exp2(config.log_acc_buff)) * words(config.acc_bytes());
    const double uop = sram_access_energy(t, config.uop_depth * 4.0) * words(4);
    Energy e;
    e.multiply = macs * (t.multiply8 * width * width + t.add32);
    e.alu = static_cast<double>(w.alu_steps) * lanes * t.add32;
    // A GEMM step reads inp, wgt and acc and writes acc; an ALU step reads one or two and writes one: two are taken.
    e.sram = static_cast<double>(w.gemm_steps) * (inp + wgt + 2 * acc + uop) +
             static_cast<double>(w.reset_steps) * (acc + uop) + static_cast<double>(w.alu_steps) * (2 * acc + uop);
    e.sram += words(static_cast<double>(w.inp_load_bytes)) * sram_access_energy(t, std::exp2(config.log_inp_buff)) +
              words(static_cast<double>(w.wgt_load_bytes)) * sram_access_energy(t, std::exp2(config.log_wgt_buff)) +
              words(static_cast<double>(w.acc_load_bytes + w.out_store_bytes)) *
                  sram_access_energy(t, std::exp2(config.log_acc_buff));
    e.dram = words(static_cast<double>(w.dram_bytes())) * t.dram_64bit;
    return e;
}

namespace {

/// Names of the origins, with as many as any instruction refers to.
std::vector<OriginCounters> named_origins(const Program& program) {
    auto count = static_cast<std::uint32_t>(program.origin_names.size());
    for (const std::uint32_t origin : program.origins) count = std::max(count, origin + 1);
    std::vector<OriginCounters> origins(std::max<std::size_t>(count, 1));
    for (std::size_t i = 0; i < origins.size(); ++i)
        origins[i].name = i < program.origin_names.size() ? program.origin_names[i] : "origin " + std::to_string(i);
    return origins;
}

/// Adds the causes of [begin, end) to the origins of their instructions.
void count_origins(Summary& s, const Program& program, const CycleResult& result, std::uint64_t begin,
                   std::uint64_t end) {
    for (std::size_t lane = 0; lane < kLanes; ++lane) {
        const auto& list = result.lanes[lane];
        if (list.empty()) continue;
        for (std::size_t i = interval_at(list, begin); i < list.size() && list[i].begin < end; ++i) {
            if (list[i].instruction == kNoInstruction) continue;
            const std::uint64_t low = std::max(begin, list[i].begin);
            const std::uint64_t high = std::min(end, i + 1 < list.size() ? list[i + 1].begin : result.total_cycles);
            if (low >= high) continue;
            s.origins[program.origin_of(list[i].instruction)].causes[lane][static_cast<std::size_t>(list[i].cause)] +=
                high - low;
        }
    }
}

Work scaled(const Work& work, double part) {
    const auto of = [&](std::uint64_t value) {
        return static_cast<std::uint64_t>(std::llround(static_cast<double>(value) * part));
    };
    return {.instructions = 1,
            .gemm_steps = of(work.gemm_steps),
            .reset_steps = of(work.reset_steps),
            .alu_steps = of(work.alu_steps),
            .uop_load_bytes = of(work.uop_load_bytes),
            .inp_load_bytes = of(work.inp_load_bytes),
            .wgt_load_bytes = of(work.wgt_load_bytes),
            .acc_load_bytes = of(work.acc_load_bytes),
            .out_store_bytes = of(work.out_store_bytes),
            .fetch_bytes = of(work.fetch_bytes)};
}

/// Everything that follows from work and causes.
void derive(Summary& s, const Config& config, const Span& span, const std::vector<Blocked>& blocked) {
    s.cycles = span.cycles;
    s.seconds = static_cast<double>(s.cycles) / (config.timing.clock_mhz * 1e6);
    const auto operations = static_cast<double>(s.work.operations(config));
    s.gops = s.seconds == 0 ? 0 : operations / s.seconds / 1e9;
    s.peak_gops = config.peak_gops();
    s.ops_per_byte = s.work.dram_bytes() == 0 ? 0 : operations / static_cast<double>(s.work.dram_bytes());
    s.roof_gops = std::min(s.peak_gops, s.ops_per_byte * config.bandwidth_gbytes());
    s.gemm_utilization =
        share(s.work.gemm_steps * static_cast<std::uint64_t>(config.timing.gemm_interval), span.cycles);
    s.read_port_utilization = share(total_beats(span.counters), span.cycles);
    for (std::size_t lane = 0; lane < kLanes; ++lane)
        s.busy[lane] = busy_share(span.counters.causes[lane], span.cycles);
    s.bound = find_bound(span, s.read_port_utilization);
    s.sentence = sentence_of(s, span, blocked);
}

} // namespace

Summary summarize(const Program& program, const CycleResult& result, const EnergyTable& table) {
    Summary s;
    s.origins = named_origins(program);
    for (std::size_t i = 0; i < program.instructions.size(); ++i) {
        const Work work = work_of(program, program.instructions[i]);
        s.work += work;
        s.origins[program.origin_of(i)].work += work;
    }
    count_origins(s, program, result, 0, result.total_cycles);
    derive(s, program.config, {{result.causes, result.read_beats}, result.total_cycles, result.state}, result.blocked);
    s.gemm_utilization = result.gemm_utilization(program.config);
    s.energy = energy_of(program.config, s.work, table);
    return s;
}

Summary summarize_range(const Program& program, const CycleResult& result, std::uint64_t begin, std::uint64_t end) {
    Summary s;
    s.origins = named_origins(program);
    end = std::min(end, result.total_cycles);
    begin = std::min(begin, end);
    for (std::size_t i = 0; i < result.records.size(); ++i) {
        const InstructionRecord& r = result.records[i];
        if (r.completed == kNever || r.issued >= end || r.completed <= begin) continue;
        const std::uint64_t overlap = std::min(end, r.completed) - std::max(begin, r.issued);
        const Work work = scaled(work_of(program, program.instructions[i]), share(overlap, r.completed - r.issued));
        s.work += work;
        s.origins[program.origin_of(i)].work += work;
    }
    count_origins(s, program, result, begin, end);
    const bool whole = begin == 0 && end == result.total_cycles;
    const RunState state = result.state == RunState::Deadlocked && !whole ? RunState::Ready : result.state;
    derive(s, program.config, {count_range(result, begin, end), end - begin, state}, result.blocked);
    s.energy = energy_of(program.config, s.work);
    return s;
}

RangeCounters count_range(const CycleResult& result, std::uint64_t begin, std::uint64_t end) {
    RangeCounters counters;
    end = std::min(end, result.total_cycles);
    for (std::size_t lane = 0; lane < kLanes && begin < end; ++lane) {
        const auto& list = result.lanes[lane];
        if (list.empty()) continue;
        for (std::size_t i = interval_at(list, begin); i < list.size() && list[i].begin < end; ++i) {
            const std::uint64_t low = std::max(begin, list[i].begin);
            const std::uint64_t high = std::min(end, i + 1 < list.size() ? list[i + 1].begin : result.total_cycles);
            if (low < high) counters.causes[lane][static_cast<std::size_t>(list[i].cause)] += high - low;
        }
    }
    if (result.port.empty()) return counters;
    for (std::size_t i = interval_at(result.port, begin); i < result.port.size() && result.port[i].begin < end; ++i) {
        const std::uint64_t low = std::max(begin, result.port[i].begin);
        const std::uint64_t high = std::min(end, result.port[i].end);
        if (low < high) counters.read_beats[static_cast<std::size_t>(result.port[i].client)] += high - low;
    }
    return counters;
}

std::string_view bound_name(Bound bound) {
    constexpr std::array<std::string_view, 9> names = {"gemm",  "alu",          "read port", "memory latency", "store",
                                                       "fetch", "dependencies", "deadlock",  "empty"};
    return names[static_cast<std::size_t>(bound)];
}

} // namespace orrery::vta
