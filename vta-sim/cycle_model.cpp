// Event-driven model of fetch, load, compute, store and the read port.
//
// Time only moves to the next cycle in which something can change: the end of an instruction, a command on the read
// port, or an instruction handed out by fetch. In one cycle, in this order: modules whose instruction ends give their
// tokens; fetch acts; modules that have an instruction and its tokens start, until nothing changes; the port takes one
// command. A token given and a queue place freed in a cycle can be used in that cycle.
//
// Each module keeps a lane: a cursor that only moves forward, each move with a cause. That tiles the run, so the
// causes of a lane sum to the total by construction.

#include "vta-sim/cycle_model.hpp"

#include <algorithm>

namespace orrery::vta {
namespace {

std::uint64_t wide(int value) { return static_cast<std::uint64_t>(value); }

constexpr std::size_t kNoQueue = kTokenQueues;

/// Index of the queue a flag names; kNoQueue when the flag is not set or has none.
std::size_t flagged(bool set, std::optional<TokenQueue> queue) { return set && queue ? at(*queue) : kNoQueue; }

class Lane {
  public:
    explicit Lane(bool record) : record_(record) {}

    /// Gives the cycles from the cursor to `end` to `cause`; nothing when the cursor is there already.
    void until(std::uint64_t end, Cause cause, std::uint32_t instruction) {
        if (end <= cursor_) return;
        totals_[static_cast<std::size_t>(cause)] += end - cursor_;
        if (record_ &&
            (intervals_.empty() || intervals_.back().cause != cause || intervals_.back().instruction != instruction)) {
            intervals_.push_back({cursor_, instruction, cause});
        }
        cursor_ = end;
    }
    [[nodiscard]] std::uint64_t cursor() const { return cursor_; }
    [[nodiscard]] const std::array<std::uint64_t, kCauses>& totals() const { return totals_; }
    [[nodiscard]] std::vector<Interval> take() { return std::move(intervals_); }

  private:
    bool record_;
    std::uint64_t cursor_ = 0;
    std::array<std::uint64_t, kCauses> totals_{};
    std::vector<Interval> intervals_;
};

enum class Phase : std::uint8_t { Waiting, Running, Transferring, Pushing };

struct Engine {
    struct Entry {
        std::uint32_t instruction;
        std::uint64_t visible;
    };
    Phase phase = Phase::Waiting;
    std::deque<Entry> queue; ///< front: the running instruction, or the next one
    std::uint64_t issued = 0;
    std::uint64_t end = kNever; ///< of the running instruction, once known
    std::uint64_t beats = 0;    ///< of the running transfer, so far
    std::uint64_t zeros = 0;    ///< elements to fill with zeros
    std::uint64_t memory_wait = 0;
    Cause cause = Cause::Sync;
};

struct FetchState {
    enum class Phase : std::uint8_t { Start, Transferring, Dispatching, Blocked, Done };
    Phase phase = Phase::Start;
    std::uint32_t next = 0; ///< instruction to hand out
    std::uint32_t group_end = 0;
    std::uint64_t time = 0; ///< of the next action; kNever while transferring or blocked
};

class Simulation {
  public:
    Simulation(const Program& program, const CycleOptions& options)
        : program_(program), config_(program.config), timing_(program.config.timing), options_(options),
          port_(timing_, options.record_port), lanes_{Lane(options.record_intervals), Lane(options.record_intervals),
                                                      Lane(options.record_intervals), Lane(options.record_intervals)} {
        if (options.record_instructions) result_.records.resize(program.instructions.size());
        if (program.instructions.empty()) fetch_.phase = FetchState::Phase::Done, fetch_.time = kNever;
    }

    CycleResult run();

  private:
    [[nodiscard]] const Instruction& instruction(std::uint32_t index) const { return program_.instructions[index]; }
    [[nodiscard]] std::uint64_t next_event() const;
    void act(std::uint64_t now);
    void settle(std::uint64_t now);
    void complete(Module module, std::uint64_t now);
    bool try_push(Module module, std::uint64_t now);
    bool try_issue(Module module, std::uint64_t now);
    void issue(Module module, std::uint64_t now);
    void issue_steps(Module module, std::uint64_t now);
    void issue_load(Module module, std::uint64_t now);
    void issue_store(std::uint64_t now);
    void issue_plain(Module module, std::uint64_t now, Cause cause);
    void grant(std::uint64_t now);
    void advance_transfer(Lane& lane, const ReadPort::Grant& burst, Cause cause, std::uint32_t index);
    void fetch_step(std::uint64_t now);
    void start_group(std::uint64_t now);
    void dispatch(std::uint64_t now);
    void finish();
    void finish_lane(Module module, std::uint64_t total);
    Blocked blocked_engine(Module module) const;
    [[nodiscard]] std::uint32_t next_pusher(TokenQueue queue) const;
    Lane& lane(Module module) { return lanes_[at(module)]; }
    [[nodiscard]] bool has_room(TokenQueue queue) const {
        return tokens_[at(queue)].size() < wide(timing_.token_queue_depth);
    }

    const Program& program_;
    const Config& config_;
    const Timing timing_;
    CycleOptions options_;
    ReadPort port_;
    std::array<Lane, kLanes> lanes_;
    std::array<Engine, kExecModules> engines_;
    std::array<std::deque<std::uint64_t>, kTokenQueues> tokens_; ///< cycle each token was given
    FetchState fetch_;
    std::uint64_t now_ = 0;
    CycleResult result_;
};

constexpr std::array kEngineOrder = {Module::Store, Module::Compute, Module::Load};

std::uint64_t Simulation::next_event() const {
    std::uint64_t next = std::min(fetch_.time, port_.next_grant());
    for (const Engine& engine : engines_) {
        if (engine.phase == Phase::Running) next = std::min(next, engine.end);
    }
    return next;
}

CycleResult Simulation::run() {
    Pace pace(options_.watch);
    for (std::uint64_t next = next_event(); next != kNever; next = next_event()) {
        now_ = next;
        act(next);
        if (pace.stopped(result_.instructions_completed, program_.instructions.size()))
            return CycleResult{.state = RunState::Stopped};
    }
    finish();
    return std::move(result_);
}

void Simulation::act(std::uint64_t now) {
    for (const Module module : kEngineOrder) {
        Engine& engine = engines_[at(module)];
        if (engine.phase == Phase::Running && engine.end == now) {
            engine.phase = Phase::Pushing;
            if (try_push(module, now)) complete(module, now);
        }
    }
    if (fetch_.time == now) fetch_step(now);
    settle(now);
    if (port_.next_grant() == now) grant(now);
}

void Simulation::settle(std::uint64_t now) {
    for (bool changed = true; changed;) {
        changed = false;
        for (const Module module : kEngineOrder) {
            Engine& engine = engines_[at(module)];
            if (engine.phase == Phase::Pushing && try_push(module, now)) {
                complete(module, now);
                changed = true;
            }
            if (engine.phase == Phase::Waiting && try_issue(module, now)) changed = true;
        }
    }
}

bool Simulation::try_push(Module module, std::uint64_t now) {
    const std::uint32_t index = engines_[at(module)].queue.front().instruction;
    const Instruction& in = instruction(index);
    const std::array pushes = {flagged(in.push_prev, push_queue(module, false)),
                               flagged(in.push_next, push_queue(module, true))};
    const auto full = [&](std::size_t queue) { return tokens_[queue].size() >= wide(timing_.token_queue_depth); };
    if (timing_.token_overflow == TokenOverflow::Stall) {
        for (const std::size_t queue : pushes) {
            if (queue != kNoQueue && full(queue)) return false;
        }
    }
    for (const std::size_t queue : pushes) {
        if (queue == kNoQueue) continue;
        if (!full(queue)) {
            tokens_[queue].push_back(now);
        } else {
            ++result_.lost_tokens;
            result_.first_lost_token = std::min(result_.first_lost_token, index);
        }
    }
    return true;
}

void Simulation::complete(Module module, std::uint64_t now) {
    Engine& engine = engines_[at(module)];
    const std::uint32_t index = engine.queue.front().instruction;
    lane(module).until(engine.end, engine.cause, index);
    lane(module).until(now, Cause::WaitQueue, index);
    if (options_.record_instructions) {
        InstructionRecord& record = result_.records[index];
        record.completed = now;
        record.memory_wait = static_cast<std::uint32_t>(std::min<std::uint64_t>(engine.memory_wait, 0xffffffffU));
    }
    if (instruction(index).opcode == Opcode::Finish && result_.finish_cycle == kNever) result_.finish_cycle = now;
    ++result_.instructions_completed;
    engine.queue.pop_front();
    engine.phase = Phase::Waiting;
    engine.end = kNever;
    // Fetch was standing before this queue: it hands its instruction over in the cycle that begins now.
    if (fetch_.phase == FetchState::Phase::Blocked && module_of(instruction(fetch_.next)) == module) {
        lane(Module::Fetch).until(now, Cause::WaitQueue, fetch_.next);
        fetch_.phase = FetchState::Phase::Dispatching;
        fetch_.time = now + 1;
    }
}

bool Simulation::try_issue(Module module, std::uint64_t now) {
    Engine& engine = engines_[at(module)];
    if (engine.queue.empty() || engine.queue.front().visible > now) return false;
    const Engine::Entry entry = engine.queue.front();
    const Instruction& in = instruction(entry.instruction);
    const std::size_t prev = flagged(in.pop_prev, pop_queue(module, false));
    const std::size_t next = flagged(in.pop_next, pop_queue(module, true));
    if (prev != kNoQueue && tokens_[prev].empty()) return false;
    if (next != kNoQueue && tokens_[next].empty()) return false;

    Lane& lane = lanes_[at(module)];
    lane.until(entry.visible, Cause::WaitFetch, entry.instruction);
    if (prev != kNoQueue) {
        lane.until(tokens_[prev].front(), Cause::WaitTokenPrev, entry.instruction);
        tokens_[prev].pop_front();
    }
    if (next != kNoQueue) {
        lane.until(tokens_[next].front(), Cause::WaitTokenNext, entry.instruction);
        tokens_[next].pop_front();
    }
    ensure(lane.cursor() == now, "an instruction was ready before it was issued");
    if (options_.record_instructions) { result_.records[entry.instruction].issued = now; }
    engine.issued = now;
    engine.memory_wait = 0;
    issue(module, now);
    return true;
}

void Simulation::issue(Module module, std::uint64_t now) {
    const Instruction& in = instruction(engines_[at(module)].queue.front().instruction);
    if (in.opcode == Opcode::Finish) {
        issue_plain(module, now, Cause::Finish);
    } else if (static_fault(config_, program_.dram.size(), in) != Fault::None || is_sync(in)) {
        issue_plain(module, now, Cause::Sync);
    } else if (in.opcode == Opcode::Load) {
        issue_load(module, now);
    } else if (in.opcode == Opcode::Store) {
        issue_store(now);
    } else {
        issue_steps(module, now);
    }
}

void Simulation::issue_plain(Module module, std::uint64_t now, Cause cause) {
    Engine& engine = engines_[at(module)];
    engine.cause = cause;
    engine.phase = Phase::Running;
    engine.end = now + wide(timing_.sync_cycles);
}

void Simulation::issue_steps(Module module, std::uint64_t now) {
    Engine& engine = engines_[at(module)];
    const std::uint32_t index = engine.queue.front().instruction;
    const Instruction& in = instruction(index);
    const std::uint64_t steps = step_count(in);
    const bool gemm = in.opcode == Opcode::Gemm;
    const int alu_interval = in.use_imm ? timing_.alu_imm_interval : timing_.alu_reg_interval;
    const std::uint64_t end_of_steps = now + steps * wide(gemm ? timing_.gemm_interval : alu_interval);
    (gemm ? (in.reset ? result_.reset_steps : result_.gemm_steps) : result_.alu_steps) += steps;
    lane(module).until(end_of_steps, gemm ? Cause::Gemm : Cause::Alu, index);
    engine.cause = Cause::Fill;
    engine.phase = Phase::Running;
    engine.end = end_of_steps + wide(timing_.pipeline_fill);
}

struct LoadKind {
    Cause cause;
    ReadClient client;
};

LoadKind load_kind(MemoryId memory) {
    switch (memory) {
    case MemoryId::Uop: return {Cause::LoadUop, ReadClient::Uop};
    case MemoryId::Inp: return {Cause::LoadInp, ReadClient::Inp};
    case MemoryId::Wgt: return {Cause::LoadWgt, ReadClient::Wgt};
    case MemoryId::Acc:
    case MemoryId::Acc8: return {Cause::LoadAcc, ReadClient::Acc};
    case MemoryId::Out: break;
    }
    throw InternalError("load of OUT");
}

BurstCursor cursor_of(const Config& config, const Instruction& in) {
    const auto bytes = wide(dram_element_bytes(config, in.memory));
    return {config.timing, {in.dram_base * bytes, in.y_size, in.x_size * bytes, in.x_stride * bytes}};
}

void Simulation::issue_load(Module module, std::uint64_t now) {
    Engine& engine = engines_[at(module)];
    const std::uint32_t index = engine.queue.front().instruction;
    const Instruction& in = instruction(index);
    const LoadKind kind = load_kind(in.memory);
    engine.cause = kind.cause;
    engine.phase = Phase::Transferring;
    engine.beats = 0;
    engine.zeros = sram_elements(in) - dram_elements(in);
    // One cycle to issue; rows of top padding are written before the first command.
    const std::uint64_t first_command = now + 1 + in.y_pad_0;
    lane(module).until(first_command, kind.cause, index);
    const auto slot = module == Module::Load ? ReadPort::Slot::Load : ReadPort::Slot::Compute;
    port_.start(slot, kind.client, index, cursor_of(config_, in), first_command);
}

void Simulation::issue_store(std::uint64_t now) {
    Engine& engine = engines_[at(Module::Store)];
    const std::uint32_t index = engine.queue.front().instruction;
    const Instruction& in = instruction(index);
    const auto element = wide(config_.out_bytes());
    Lane& lane = lanes_[at(Module::Store)];
    std::uint64_t time = now + wide(timing_.store_overhead);
    lane.until(time, Cause::Store, index);
    bool first = true;
    for (BurstCursor cursor = cursor_of(config_, in); !cursor.done(); first = false) {
        const BurstCursor::Burst burst = cursor.next();
        if (first || timing_.outstanding_writes == 1) time += wide(timing_.write_overhead);
        engine.memory_wait += time - lane.cursor();
        lane.until(time, Cause::WaitLatency, index);
        // Elements whose first byte is in this burst each cost an SRAM read beside their beats.
        const std::uint64_t elements =
            (burst.row_offset + burst.bytes + element - 1) / element - (burst.row_offset + element - 1) / element;
        time += burst.beats + elements * wide(timing_.store_bubble);
        lane.until(time, Cause::Store, index);
        result_.write_beats += burst.beats;
        ++result_.write_bursts;
    }
    engine.cause = Cause::Store;
    engine.phase = Phase::Running;
    engine.end = time;
}

void Simulation::advance_transfer(Lane& lane, const ReadPort::Grant& burst, Cause cause, std::uint32_t index) {
    if (burst.first_beat > lane.cursor()) {
        const std::uint64_t busy = port_.busy_within(lane.cursor(), burst.first_beat);
        lane.until(lane.cursor() + busy, Cause::WaitPort, index);
        lane.until(burst.first_beat, Cause::WaitLatency, index);
    }
    lane.until(burst.first_beat + burst.beats, cause, index);
}

void Simulation::grant(std::uint64_t now) {
    std::uint64_t oldest = now;
    if (fetch_.phase == FetchState::Phase::Transferring) oldest = std::min(oldest, lane(Module::Fetch).cursor());
    for (const Module module : {Module::Load, Module::Compute}) {
        if (engines_[at(module)].phase == Phase::Transferring) oldest = std::min(oldest, lane(module).cursor());
    }
    port_.forget_before(oldest);
    const ReadPort::Grant burst = port_.grant(now);
    if (burst.slot == ReadPort::Slot::Fetch) {
        advance_transfer(lane(Module::Fetch), burst, Cause::Fetch, fetch_.next);
        if (burst.last) {
            fetch_.phase = FetchState::Phase::Dispatching;
            fetch_.time = burst.first_beat + burst.beats + 1;
        }
        return;
    }
    const Module module = burst.slot == ReadPort::Slot::Load ? Module::Load : Module::Compute;
    Engine& engine = engines_[at(module)];
    Lane& lane = lanes_[at(module)];
    const std::uint64_t before = lane.cursor();
    advance_transfer(lane, burst, engine.cause, engine.queue.front().instruction);
    engine.memory_wait += lane.cursor() - before - std::min(burst.beats, lane.cursor() - before);
    engine.beats += burst.beats;
    if (!burst.last) return;
    // Zeros are written in cycles that bring no data; those that found none are written now.
    const std::uint64_t after_data = burst.first_beat + burst.beats;
    const std::uint64_t free_cycles = after_data - engine.issued - 1 - engine.beats;
    const std::uint64_t late_zeros = engine.zeros > free_cycles ? engine.zeros - free_cycles : 0;
    const int overhead = engine.cause == Cause::LoadUop ? timing_.uop_overhead : timing_.load_overhead;
    engine.phase = Phase::Running;
    engine.end = after_data + late_zeros + wide(overhead) - 1;
}

void Simulation::fetch_step(std::uint64_t now) {
    if (fetch_.phase == FetchState::Phase::Start) {
        start_group(now);
    } else {
        dispatch(now);
    }
}

void Simulation::start_group(std::uint64_t now) {
    const auto group = std::max<std::uint64_t>(1, wide(timing_.max_burst_beats) * wide(timing_.bus_bytes) / 16);
    const std::uint64_t left = program_.instructions.size() - fetch_.next;
    const std::uint64_t count = std::min(group, left);
    fetch_.group_end = fetch_.next + static_cast<std::uint32_t>(count);
    const std::uint64_t address = program_.instruction_address() + std::uint64_t{fetch_.next} * 16;
    lane(Module::Fetch).until(now + 1, Cause::Fetch, fetch_.next);
    port_.start(ReadPort::Slot::Fetch, ReadClient::Fetch, fetch_.next,
                BurstCursor(timing_, {address, 1, count * 16, count * 16}), now + 1);
    fetch_.phase = FetchState::Phase::Transferring;
    fetch_.time = kNever;
}

void Simulation::dispatch(std::uint64_t now) {
    Engine& engine = engines_[at(module_of(instruction(fetch_.next)))];
    Lane& lane = lanes_[at(Module::Fetch)];
    if (engine.queue.size() == wide(timing_.command_queue_depth)) {
        fetch_.phase = FetchState::Phase::Blocked;
        fetch_.time = kNever;
        return;
    }
    lane.until(now, Cause::Fetch, fetch_.next);
    engine.queue.push_back({fetch_.next, now});
    if (options_.record_instructions) result_.records[fetch_.next].fetched = now;
    ++fetch_.next;
    if (fetch_.next == program_.instructions.size()) {
        fetch_.phase = FetchState::Phase::Done;
        fetch_.time = kNever;
    } else if (fetch_.next == fetch_.group_end) {
        fetch_.phase = FetchState::Phase::Start;
        fetch_.time = now + wide(timing_.fetch_overhead) - 1;
        lane.until(fetch_.time, Cause::Fetch, fetch_.next - 1);
    } else {
        fetch_.time = now + 1;
    }
}

std::uint32_t Simulation::next_pusher(TokenQueue queue) const {
    std::uint32_t first = fetch_.next;
    for (const Engine& engine : engines_) {
        if (!engine.queue.empty()) first = std::min(first, engine.queue.front().instruction);
    }
    for (std::uint32_t i = first; i < program_.instructions.size(); ++i) {
        const Instruction& in = instruction(i);
        const Module module = module_of(in);
        const auto& waiting = engines_[at(module)].queue;
        const bool ran = i < fetch_.next && (waiting.empty() || i < waiting.front().instruction);
        if (ran) continue;
        if (in.push_prev && push_queue(module, false) == queue) return i;
        if (in.push_next && push_queue(module, true) == queue) return i;
    }
    return kNoInstruction;
}

Blocked Simulation::blocked_engine(Module module) const {
    const Engine& engine = engines_[at(module)];
    Blocked b;
    b.module = module;
    b.instruction = engine.queue.front().instruction;
    const Instruction& in = instruction(b.instruction);
    if (engine.phase == Phase::Pushing) {
        const auto prev = push_queue(module, false);
        const bool prev_full = in.push_prev && prev && !has_room(*prev);
        b.full = prev_full ? prev : push_queue(module, true);
        return b;
    }
    const auto prev = pop_queue(module, false);
    const auto next = pop_queue(module, true);
    if (in.pop_prev && prev && tokens_[at(*prev)].empty()) {
        b.missing = prev;
    } else if (in.pop_next && next && tokens_[at(*next)].empty()) {
        b.missing = next;
        b.flag_next = true;
    }
    if (b.missing) b.next_pusher = next_pusher(*b.missing);
    return b;
}

/// Brings a lane to the end of the run: idle, or the wait a deadlock leaves it in.
void Simulation::finish_lane(Module module, std::uint64_t total) {
    Lane& lane = lanes_[at(module)];
    if (module == Module::Fetch) {
        const bool stands = fetch_.phase == FetchState::Phase::Blocked;
        lane.until(total, stands ? Cause::WaitQueue : Cause::Idle, stands ? fetch_.next : kNoInstruction);
        return;
    }
    Engine& engine = engines_[at(module)];
    if (engine.queue.empty()) {
        std::uint32_t later = fetch_.next;
        while (later < program_.instructions.size() && module_of(instruction(later)) != module) ++later;
        const bool unfetched = later < program_.instructions.size();
        lane.until(total, unfetched ? Cause::WaitFetch : Cause::Idle, unfetched ? later : kNoInstruction);
        return;
    }
    const Engine::Entry entry = engine.queue.front();
    if (engine.phase == Phase::Pushing) {
        lane.until(engine.end, engine.cause, entry.instruction);
        lane.until(total, Cause::WaitQueue, entry.instruction);
        return;
    }
    lane.until(entry.visible, Cause::WaitFetch, entry.instruction);
    const Blocked b = blocked_engine(module);
    lane.until(total, b.flag_next ? Cause::WaitTokenNext : Cause::WaitTokenPrev, entry.instruction);
}

void Simulation::finish() {
    const bool complete = result_.instructions_completed == program_.instructions.size();
    result_.state = complete ? RunState::Finished : RunState::Deadlocked;
    result_.total_cycles = now_;
    for (const Lane& lane : lanes_) result_.total_cycles = std::max(result_.total_cycles, lane.cursor());
    for (const Module module : {Module::Load, Module::Compute, Module::Store}) {
        const Engine& engine = engines_[at(module)];
        if (!engine.queue.empty()) result_.blocked.push_back(blocked_engine(module));
        if (!engine.queue.empty() || complete) continue;
        for (std::uint32_t i = fetch_.next; i < program_.instructions.size(); ++i) {
            if (module_of(instruction(i)) != module) continue;
            Blocked b;
            b.module = module;
            b.instruction = i;
            result_.blocked.push_back(b);
            break;
        }
    }
    if (!complete && fetch_.phase == FetchState::Phase::Blocked) {
        Blocked b;
        b.module = Module::Fetch;
        b.instruction = fetch_.next;
        b.full_commands = module_of(instruction(fetch_.next));
        result_.blocked.push_back(b);
    }
    for (const Module module : {Module::Load, Module::Compute, Module::Store, Module::Fetch}) {
        finish_lane(module, result_.total_cycles);
        result_.causes[at(module)] = lane(module).totals();
        result_.lanes[at(module)] = lane(module).take();
    }
    result_.port = port_.take_recorded();
    result_.read_beats = port_.beats();
    result_.read_bursts = port_.bursts();
}

} // namespace

std::string_view cause_name(Cause cause) {
    constexpr std::array<std::string_view, kCauses> names = {
        "fetch",         "load inp",    "load wgt",      "load uop",   "load acc",   "store",
        "gemm",          "alu",         "pipeline fill", "sync",       "finish",     "wait pop_prev",
        "wait pop_next", "wait memory", "wait port",     "wait queue", "wait fetch", "idle"};
    return names[static_cast<std::size_t>(cause)];
}

double CycleResult::gemm_utilization(const Config& config) const {
    if (total_cycles == 0) return 0;
    return static_cast<double>(gemm_steps * wide(config.timing.gemm_interval)) / static_cast<double>(total_cycles);
}

CycleResult simulate_cycles(const Program& program, const CycleOptions& options) {
    ensure(program.instructions.size() < kNoInstruction, "a program of 2^32 instructions");
    return Simulation(program, options).run();
}

std::vector<std::uint32_t> completion_order(const Program& program, const CycleResult& result) {
    std::vector<std::uint32_t> order;
    for (std::uint32_t i = 0; i < result.records.size(); ++i) {
        if (result.records[i].completed != kNever) order.push_back(i);
    }
    const auto rank = [&](std::uint32_t i) {
        return std::pair(result.records[i].completed, -static_cast<int>(module_of(program.instructions[i])));
    };
    std::sort(order.begin(), order.end(), [&](std::uint32_t a, std::uint32_t b) { return rank(a) < rank(b); });
    return order;
}

std::vector<TokenArrow> token_arrows(const Program& program) {
    std::array<std::vector<std::uint32_t>, kTokenQueues> pushes;
    std::array<std::vector<std::uint32_t>, kTokenQueues> pops;
    for (std::uint32_t i = 0; i < program.instructions.size(); ++i) {
        const Instruction& in = program.instructions[i];
        const Module module = module_of(in);
        const auto add = [i](auto& lists, bool set, std::optional<TokenQueue> queue) {
            if (set && queue) lists[at(*queue)].push_back(i);
        };
        add(pops, in.pop_prev, pop_queue(module, false));
        add(pops, in.pop_next, pop_queue(module, true));
        add(pushes, in.push_prev, push_queue(module, false));
        add(pushes, in.push_next, push_queue(module, true));
    }
    std::vector<TokenArrow> arrows;
    for (std::size_t q = 0; q < kTokenQueues; ++q) {
        for (std::size_t k = 0; k < std::min(pushes[q].size(), pops[q].size()); ++k) {
            arrows.push_back({static_cast<TokenQueue>(q), pushes[q][k], pops[q][k]});
        }
    }
    return arrows;
}

} // namespace orrery::vta
