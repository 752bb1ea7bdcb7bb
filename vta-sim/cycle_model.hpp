#pragma once

#include "vta-sim/diagnostic.hpp"
#include "vta-sim/functional_model.hpp"
#include "vta-sim/memory_port.hpp"
#include "vta-sim/program.hpp"
#include "vta-sim/watch.hpp"

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

namespace orrery::vta {

/// What a module does in a cycle. Every cycle of every module has exactly one.
enum class Cause : std::uint8_t {
    Fetch,   ///< busy: receives or hands out instructions
    LoadInp, ///< busy: issue, data beats, zero fill, completion of the transfer; so for the next four
    LoadWgt,
    LoadUop,
    LoadAcc,
    Store,
    Gemm,          ///< busy: steps
    Alu,           ///< busy: steps
    Fill,          ///< busy: issue, fill and drain of GEMM and ALU pipelines
    Sync,          ///< busy: an instruction without data
    Finish,        ///< busy: FINISH
    WaitTokenPrev, ///< stands at pop_prev
    WaitTokenNext, ///< stands at pop_next
    WaitLatency,   ///< its transfer waits for DRAM while the port is silent
    WaitPort,      ///< its transfer waits while the port carries beats of another client
    WaitQueue,     ///< a command queue or token queue has no room
    WaitFetch,     ///< its next instruction has not been fetched yet
    Idle,          ///< has no more instructions
};
inline constexpr int kCauses = 18;
inline constexpr int kLanes = 4; ///< load, compute, store, fetch: the order of Module

[[nodiscard]] std::string_view cause_name(Cause cause);
[[nodiscard]] constexpr bool is_busy(Cause cause) { return cause <= Cause::Finish; }

/// From `begin` to the begin of the next interval of the lane, or to the end of the run.
struct Interval {
    std::uint64_t begin;
    std::uint32_t instruction; ///< kNoInstruction when idle; the first of the group for fetch
    Cause cause;
};

/// When one instruction was where. Units: cycles; kNever where it did not get there.
struct InstructionRecord {
    std::uint64_t fetched = kNever;   ///< visible in its command queue
    std::uint64_t issued = kNever;    ///< has its tokens and starts
    std::uint64_t completed = kNever; ///< done; its tokens can be taken from this cycle on
    std::uint32_t memory_wait = 0;    ///< cycles of it spent in WaitLatency and WaitPort
};

struct CycleOptions {
    bool record_instructions = true;
    bool record_intervals = true;
    bool record_port = true;
    Watch watch = {}; ///< told instructions done; when it stops the run ends, as Stopped and with nothing else
};

struct CycleResult {
    RunState state = RunState::Ready;
    std::uint64_t total_cycles = 0;
    std::uint64_t finish_cycle = kNever; ///< completion of the first FINISH
    std::uint64_t instructions_completed = 0;
    std::uint64_t gemm_steps = 0; ///< without reset steps
    std::uint64_t reset_steps = 0;
    std::uint64_t alu_steps = 0;
    std::vector<InstructionRecord> records;
    std::array<std::vector<Interval>, kLanes> lanes;
    /// Cycles by cause; each row sums to total_cycles.
    std::array<std::array<std::uint64_t, kCauses>, kLanes> causes{};
    std::vector<PortInterval> port;
    std::array<std::uint64_t, kReadClients> read_beats{};
    std::array<std::uint64_t, kReadClients> read_bursts{};
    std::uint64_t write_beats = 0;
    std::uint64_t write_bursts = 0;
    std::uint64_t lost_tokens = 0; ///< pushes to a full queue under TokenOverflow::Drop
    std::uint32_t first_lost_token = kNoInstruction;
    std::vector<Blocked> blocked; ///< empty unless Deadlocked

    /// GEMM steps per cycle of the run, times the cycles a step takes: 1 is the peak of the configuration.
    [[nodiscard]] double gemm_utilization(const Config& config) const;
};

/// Simulates a program in time, cycle by cycle in meaning and event by event in execution. Data never matter: loop
/// counts and addresses are in the instructions. Deterministic, exact integers. Always ends: a deadlock is a result.
/// Pre: the configuration is legal.
[[nodiscard]] CycleResult simulate_cycles(const Program& program, const CycleOptions& options = {});

/// Indices of the completed instructions in order of completion (ties: store, compute, load).
[[nodiscard]] std::vector<std::uint32_t> completion_order(const Program& program, const CycleResult& result);

/// A token from the instruction that pushed it to the one that took it.
struct TokenArrow {
    TokenQueue queue;
    std::uint32_t from;
    std::uint32_t to;
};
/// Pairs the k-th push with the k-th pop of each queue. Pre: no token was lost.
[[nodiscard]] std::vector<TokenArrow> token_arrows(const Program& program);

} // namespace orrery::vta
