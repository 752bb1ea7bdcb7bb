#include "vta-sim/functional_model.hpp"

#include <algorithm>

namespace orrery::vta {
namespace {

/// Calls `use(queue)` for each queue the set flags of an instruction name.
template <class Use> void for_pops(Module module, const Instruction& in, Use&& use) {
    if (in.pop_prev) {
        if (const auto queue = pop_queue(module, false)) use(*queue);
    }
    if (in.pop_next) {
        if (const auto queue = pop_queue(module, true)) use(*queue);
    }
}

template <class Use> void for_pushes(Module module, const Instruction& in, Use&& use) {
    if (in.push_prev) {
        if (const auto queue = push_queue(module, false)) use(*queue);
    }
    if (in.push_next) {
        if (const auto queue = push_queue(module, true)) use(*queue);
    }
}

} // namespace

FunctionalModel::FunctionalModel(const Program& program, FunctionalOptions options)
    : program_(program), options_(options), machine_(program.config, program.dram) {
    ensure(program.instructions.size() < kNoInstruction, "a program of 2^32 instructions");
    for (std::uint32_t i = 0; i < program.instructions.size(); ++i) {
        order_[at(module_of(program.instructions[i]))].push_back(i);
    }
    if (options_.check_accesses) checker_ = std::make_unique<AccessChecker>(program_, diagnostics_);
    fetch();
}

std::uint32_t FunctionalModel::tokens(TokenQueue queue) const { return progress_.tokens[at(queue)]; }

std::uint32_t FunctionalModel::next_of(Module module) const {
    const auto& order = order_[at(module)];
    const std::uint32_t position = progress_.position[at(module)];
    return position < order.size() ? order[position] : kNoInstruction;
}

void FunctionalModel::fetch() {
    const auto depth = static_cast<std::uint32_t>(program_.config.timing.command_queue_depth);
    while (progress_.fetched < program_.instructions.size()) {
        auto& waiting = progress_.waiting[at(module_of(program_.instructions[progress_.fetched]))];
        if (waiting == depth) return;
        ++waiting;
        ++progress_.fetched;
    }
}

bool FunctionalModel::has_tokens(Module module, const Instruction& in) const {
    bool all = true;
    for_pops(module, in, [&](TokenQueue queue) { all = all && progress_.tokens[at(queue)] > 0; });
    return all;
}

std::optional<Module> FunctionalModel::choose() const {
    std::optional<Module> best;
    std::uint32_t best_index = progress_.fetched;
    for (const Module module : {Module::Load, Module::Compute, Module::Store}) {
        const std::uint32_t index = next_of(module);
        if (index < best_index && has_tokens(module, program_.instructions[index])) {
            best = module;
            best_index = index;
        }
    }
    return best;
}

std::optional<std::uint32_t> FunctionalModel::step() {
    if (state_ != RunState::Ready) return std::nullopt;
    const std::optional<Module> module = choose();
    if (!module) {
        finish_run();
        return std::nullopt;
    }
    const std::uint32_t index = next_of(*module);
    const std::uint64_t steps = step_count(program_.instructions[index]);
    if (steps > options_.max_steps - progress_.steps) {
        state_ = RunState::OutOfSteps;
        return std::nullopt;
    }
    progress_.steps += steps;
    execute(*module, index);
    return index;
}

RunState FunctionalModel::run() {
    Pace pace(options_.watch, 64);
    while (step())
        if (pace.stopped(progress_.executed, program_.instructions.size())) return state_ = RunState::Stopped;
    return state_;
}

void FunctionalModel::take_token(TokenQueue queue, Clock& clock) {
    --progress_.tokens[at(queue)];
    if (!checker_) return;
    const Clock& carried = token_clocks_[at(queue)].front();
    for (std::size_t i = 0; i < clock.size(); ++i) clock[i] = std::max(clock[i], carried[i]);
    token_clocks_[at(queue)].pop_front();
}

void FunctionalModel::execute(Module module, std::uint32_t index) {
    const Instruction& in = program_.instructions[index];
    Clock& clock = clocks_[at(module)];
    const std::uint32_t ordinal = progress_.position[at(module)];
    clock[at(module)] = ordinal;
    for_pops(module, in, [&](TokenQueue queue) { take_token(queue, clock); });

    Fault fault = static_fault(program_.config, machine_.dram().size(), in);
    if (fault == Fault::None) fault = machine_.index_fault(in);
    if (fault != Fault::None) {
        Diagnostic d{.kind = DiagnosticKind::Faulted};
        d.fault = fault;
        d.instruction = index;
        diagnostics_.push_back(d);
    } else {
        if (checker_) checker_->check(index, ordinal, clock, machine_);
        machine_.execute(in);
    }
    note_flags(index, module, in);

    clock[at(module)] = ordinal + 1;
    for_pushes(module, in, [&](TokenQueue queue) {
        ++progress_.tokens[at(queue)];
        if (checker_) token_clocks_[at(queue)].push_back(clock);
    });
    ++progress_.position[at(module)];
    --progress_.waiting[at(module)];
    ++progress_.executed;
    fetch();
    trim_diagnostics();
}

void FunctionalModel::note_flags(std::uint32_t index, Module module, const Instruction& in) {
    const bool dangling = (in.pop_prev && !pop_queue(module, false)) || (in.pop_next && !pop_queue(module, true)) ||
                          (in.push_prev && !push_queue(module, false)) || (in.push_next && !push_queue(module, true));
    if (!dangling) return;
    Diagnostic d{.kind = DiagnosticKind::DanglingFlag};
    d.instruction = index;
    diagnostics_.push_back(d);
}

void FunctionalModel::trim_diagnostics() {
    if (diagnostics_.size() <= options_.max_diagnostics) return;
    dropped_ += diagnostics_.size() - options_.max_diagnostics;
    diagnostics_.resize(options_.max_diagnostics, Diagnostic{.kind = DiagnosticKind::Faulted});
}

void FunctionalModel::finish_run() {
    const bool complete = progress_.executed == program_.instructions.size();
    state_ = complete ? RunState::Finished : RunState::Deadlocked;
    if (!complete) find_blocked();
    for (std::size_t q = 0; complete && q < kTokenQueues; ++q) {
        if (progress_.tokens[q] == 0) continue;
        Diagnostic d{.kind = DiagnosticKind::SurplusTokens};
        d.count = progress_.tokens[q];
        d.queue = static_cast<TokenQueue>(q);
        diagnostics_.push_back(d);
    }
    const auto finish = std::find_if(program_.instructions.begin(), program_.instructions.end(),
                                     [](const Instruction& in) { return in.opcode == Opcode::Finish; });
    if (finish == program_.instructions.end()) {
        diagnostics_.push_back(Diagnostic{.kind = DiagnosticKind::MissingFinish});
    } else if (finish + 1 != program_.instructions.end()) {
        Diagnostic d{.kind = DiagnosticKind::AfterFinish};
        d.instruction = static_cast<std::uint32_t>(finish + 1 - program_.instructions.begin());
        diagnostics_.push_back(d);
    }
    trim_diagnostics();
}

void FunctionalModel::find_blocked() {
    for (const Module module : {Module::Load, Module::Compute, Module::Store}) {
        const std::uint32_t index = next_of(module);
        if (index == kNoInstruction) continue;
        Blocked b;
        b.module = module;
        b.instruction = index;
        if (index < progress_.fetched) {
            const Instruction& in = program_.instructions[index];
            const auto prev = pop_queue(module, false);
            const auto next = pop_queue(module, true);
            if (in.pop_prev && prev && tokens(*prev) == 0) {
                b.missing = prev;
            } else if (in.pop_next && next && tokens(*next) == 0) {
                b.missing = next;
                b.flag_next = true;
            }
            if (b.missing) b.next_pusher = next_pusher(*b.missing);
        }
        blocked_.push_back(b);
    }
    if (progress_.fetched < program_.instructions.size()) {
        Blocked b;
        b.module = Module::Fetch;
        b.instruction = progress_.fetched;
        b.full_commands = module_of(program_.instructions[progress_.fetched]);
        blocked_.push_back(b);
    }
}

std::uint32_t FunctionalModel::next_pusher(TokenQueue queue) const {
    std::uint32_t best = kNoInstruction;
    for (const Module module : {Module::Load, Module::Compute, Module::Store}) {
        const auto& order = order_[at(module)];
        for (std::size_t i = progress_.position[at(module)]; i < order.size() && order[i] < best; ++i) {
            for_pushes(module, program_.instructions[order[i]], [&](TokenQueue q) {
                if (q == queue) best = order[i];
            });
        }
    }
    return best;
}

void FunctionalModel::restore(const Progress& progress, const Machine::Chip& chip) {
    ensure(!checker_, "restore of a model that checks accesses");
    progress_ = progress;
    machine_.restore(chip);
    blocked_.clear();
    diagnostics_.clear();
    state_ = RunState::Ready;
}

Machine execute_in_order(const Program& program, std::span<const std::uint32_t> order) {
    Machine machine(program.config, program.dram);
    for (const std::uint32_t index : order) {
        const Instruction& in = program.instructions[index];
        if (static_fault(program.config, machine.dram().size(), in) == Fault::None) machine.execute(in);
    }
    return machine;
}

} // namespace orrery::vta
