#include "vta-sim/access_checker.hpp"

#include "vta-sim/index_walk.hpp"

#include <algorithm>

namespace orrery::vta {
namespace {} // namespace

void AccessChecker::Finding::add(std::uint64_t address, std::uint32_t stamp) {
    if (count == 0) {
        first = address;
        other_stamp = stamp;
    }
    ++count;
}

AccessChecker::AccessChecker(const Program& program, std::vector<Diagnostic>& findings)
    : program_(program), findings_(findings) {
    const Config& config = program.config;
    const auto resize = [](Memory& memory, int depth) {
        memory.written.resize(static_cast<std::size_t>(depth));
        memory.read.resize(static_cast<std::size_t>(depth));
    };
    resize(inp_, config.inp_depth());
    resize(wgt_, config.wgt_depth());
    resize(out_, config.acc_depth());
    acc_written_.resize(static_cast<std::size_t>(config.acc_depth()));
    uop_written_.resize(static_cast<std::size_t>(config.uop_depth));
    granule_ = 4;
    for (const MemoryId memory : {MemoryId::Inp, MemoryId::Wgt, MemoryId::Out, MemoryId::Acc8}) {
        granule_ = std::min(granule_, static_cast<std::uint64_t>(dram_element_bytes(config, memory)));
    }
    const std::size_t granules = program.dram.size() / granule_ + 1;
    dram_written_.resize(granules);
    for (auto& read : dram_read_) read.resize(granules);
}

void AccessChecker::check(std::uint32_t index, std::uint32_t ordinal, const Clock& clock, const Machine& machine) {
    const Instruction& in = program_.instructions[index];
    const Visit visit{index, ordinal + 1, clock, machine};
    auto& order = order_[at(module_of(in))];
    order.resize(ordinal, kNoInstruction);
    order.push_back(index);
    if (in.opcode == Opcode::Load && !is_sync(in)) check_load(in, visit);
    if (in.opcode == Opcode::Store && !is_sync(in)) check_store(in, visit);
    if (step_count(in) > 0) check_steps(in, visit);
}

void AccessChecker::report(DiagnosticKind kind, const Visit& visit, Place place, const Finding& finding) {
    if (finding.count == 0) return;
    Diagnostic d{.kind = kind};
    d.instruction = visit.index;
    d.place = place;
    d.address = finding.first;
    d.count = finding.count;
    findings_.push_back(d);
}

void AccessChecker::report_race(const Visit& visit, Place place, const Finding& finding, Module other) {
    if (finding.count == 0) return;
    report(DiagnosticKind::UnorderedAccess, visit, place, finding);
    findings_.back().other = order_[at(other)][finding.other_stamp - 1];
}

void AccessChecker::check_load(const Instruction& in, const Visit& visit) {
    read_dram(in, visit);
    write_sram(in, visit);
}

void AccessChecker::write_sram(const Instruction& in, const Visit& visit) {
    const std::size_t begin = in.sram_base;
    const std::size_t end = begin + sram_elements(in);
    if (in.memory == MemoryId::Inp || in.memory == MemoryId::Wgt) {
        Memory& memory = in.memory == MemoryId::Inp ? inp_ : wgt_;
        Finding race;
        for (std::size_t e = begin; e < end; ++e) {
            if (memory.read[e] > visit.clock[at(Module::Compute)]) race.add(e, memory.read[e]);
            memory.written[e] = visit.stamp;
        }
        report_race(visit, in.memory == MemoryId::Inp ? Place::Inp : Place::Wgt, race, Module::Compute);
        return;
    }
    auto& written = in.memory == MemoryId::Uop ? uop_written_ : acc_written_;
    for (std::size_t e = begin; e < end; ++e) written[e] = 1;
    if (in.memory == MemoryId::Uop || !program_.config.semantics.store_from_acc) return;
    Finding race;
    for (std::size_t e = begin; e < end; ++e) {
        if (out_.read[e] > visit.clock[at(Module::Store)]) race.add(e, out_.read[e]);
        out_.written[e] = visit.stamp;
    }
    report_race(visit, Place::Out, race, Module::Store);
}

void AccessChecker::read_dram(const Instruction& in, const Visit& visit) {
    const auto bytes = static_cast<std::uint64_t>(dram_element_bytes(program_.config, in.memory));
    auto& read = dram_read_[module_of(in) == Module::Load ? 0 : 1];
    const std::uint32_t known = visit.clock[at(Module::Store)];
    Finding race;
    for (std::uint64_t y = 0; y < in.y_size; ++y) {
        const std::uint64_t row = (in.dram_base + y * in.x_stride) * bytes;
        const std::uint64_t end = (row + in.x_size * bytes) / granule_;
        for (std::uint64_t g = row / granule_; g < end; ++g) {
            if (dram_written_[g] > known) race.add(g * granule_, dram_written_[g]);
            read[g] = visit.stamp;
        }
    }
    report_race(visit, Place::Dram, race, Module::Store);
}

void AccessChecker::write_dram(const Instruction& in, const Visit& visit) {
    const auto bytes = static_cast<std::uint64_t>(program_.config.out_bytes());
    Finding by_load;
    Finding by_compute;
    for (std::uint64_t y = 0; y < in.y_size; ++y) {
        const std::uint64_t row = (in.dram_base + y * in.x_stride) * bytes;
        const std::uint64_t end = (row + in.x_size * bytes) / granule_;
        for (std::uint64_t g = row / granule_; g < end; ++g) {
            if (dram_read_[0][g] > visit.clock[at(Module::Load)]) by_load.add(g * granule_, dram_read_[0][g]);
            if (dram_read_[1][g] > visit.clock[at(Module::Compute)]) by_compute.add(g * granule_, dram_read_[1][g]);
            dram_written_[g] = visit.stamp;
        }
    }
    report_race(visit, Place::Dram, by_load, Module::Load);
    report_race(visit, Place::Dram, by_compute, Module::Compute);
}

void AccessChecker::check_store(const Instruction& in, const Visit& visit) {
    const std::size_t begin = in.sram_base;
    const std::size_t end = begin + sram_elements(in);
    Finding unwritten;
    Finding race;
    for (std::size_t e = begin; e < end; ++e) {
        if (out_.written[e] == 0) unwritten.add(e, 0);
        if (out_.written[e] > visit.clock[at(Module::Compute)]) race.add(e, out_.written[e]);
        out_.read[e] = visit.stamp;
    }
    report(DiagnosticKind::UninitializedRead, visit, Place::Out, unwritten);
    report_race(visit, Place::Out, race, Module::Compute);
    write_dram(in, visit);
}

void AccessChecker::read_stream(const Instruction& in, const Visit& visit, Place place) {
    Memory& memory = place == Place::Inp ? inp_ : wgt_;
    const std::uint32_t known = visit.clock[at(Module::Load)];
    Finding unwritten;
    Finding race;
    walk_indices(in, visit.machine.uops(), place == Place::Inp ? src_stream(in) : wgt_stream(in), [&](std::size_t e) {
        // One comparison for both: stamp 0 wraps to the largest number.
        if (memory.written[e] - 1U >= known) {
            if (memory.written[e] == 0) {
                unwritten.add(e, 0);
            } else {
                race.add(e, memory.written[e]);
            }
        }
        memory.read[e] = visit.stamp;
        return true;
    });
    report(DiagnosticKind::UninitializedRead, visit, place, unwritten);
    report_race(visit, place, race, Module::Load);
}

void AccessChecker::read_acc_stream(const Instruction& in, const Visit& visit, bool source) {
    Finding unwritten;
    walk_indices(in, visit.machine.uops(), source ? src_stream(in) : dst_stream(in), [&](std::size_t e) {
        if (acc_written_[e] == 0) unwritten.add(e, 0);
        return true;
    });
    report(DiagnosticKind::UninitializedRead, visit, Place::Acc, unwritten);
}

void AccessChecker::write_out_stream(const Instruction& in, const Visit& visit, bool out) {
    const std::uint32_t known = visit.clock[at(Module::Store)];
    Finding race;
    walk_indices(in, visit.machine.uops(), dst_stream(in), [&](std::size_t e) {
        acc_written_[e] = 1;
        if (!out) return true;
        if (out_.read[e] > known) race.add(e, out_.read[e]);
        out_.written[e] = visit.stamp;
        return true;
    });
    report_race(visit, Place::Out, race, Module::Store);
}

void AccessChecker::check_steps(const Instruction& in, const Visit& visit) {
    Finding uops;
    for (std::size_t k = in.uop_begin; k < in.uop_end; ++k) {
        if (uop_written_[k] == 0) uops.add(k, 0);
    }
    report(DiagnosticKind::UninitializedRead, visit, Place::Uop, uops);
    const Semantics& semantics = program_.config.semantics;
    if (in.opcode == Opcode::Gemm && !in.reset) {
        read_stream(in, visit, Place::Inp);
        read_stream(in, visit, Place::Wgt);
        read_acc_stream(in, visit, false);
        check_reuse(in, visit);
    } else if (in.opcode == Opcode::Alu) {
        const bool imm_at_src = in.use_imm && semantics.immediate == ImmediateOperand::Source;
        if (!imm_at_src) read_acc_stream(in, visit, false);
        if (!in.use_imm || imm_at_src) read_acc_stream(in, visit, true);
    }
    const bool reset = in.opcode == Opcode::Gemm && in.reset;
    write_out_stream(in, visit, !reset || semantics.reset_refreshes_out || semantics.store_from_acc);
}

void AccessChecker::check_reuse(const Instruction& in, const Visit& visit) {
    const auto gap = static_cast<std::uint32_t>(program_.config.reuse_gap);
    if (gap == 0) return;
    Finding hazard;
    for (std::uint32_t k = in.uop_begin; k < in.uop_end; ++k) {
        const std::uint16_t dst = visit.machine.uops()[k].dst;
        for (std::uint32_t back = 1; back <= gap && back <= k - in.uop_begin; ++back) {
            if (visit.machine.uops()[k - back].dst == dst) {
                hazard.add(dst, 0);
                break;
            }
        }
    }
    report(DiagnosticKind::ReuseHazard, visit, Place::Acc, hazard);
}

} // namespace orrery::vta
