#include "tests/vta-sim/program_text.hpp"
#include "tests/vta-sim/random_programs.hpp"
#include "vta-sim/conv2d.hpp"
#include "vta-sim/cycle_model.hpp"

#include <numeric>

using namespace orrery::vta;
using orrery::vta::testing::program_of;
using orrery::vta::testing::repeated;

namespace {

std::uint64_t at(const CycleResult& r, Module module, Cause cause) {
    return r.causes[std::size_t(module)][std::size_t(cause)];
}

/// Causes sum to the total in every lane, and the intervals tile the run and agree with them.
void check_accounting(const CycleResult& r) {
    for (std::size_t lane = 0; lane < kLanes; ++lane) {
        INFO("lane " << lane);
        REQUIRE(std::accumulate(r.causes[lane].begin(), r.causes[lane].end(), std::uint64_t{0}) == r.total_cycles);
        std::array<std::uint64_t, kCauses> sums{};
        const auto& list = r.lanes[lane];
        for (std::size_t i = 0; i < list.size(); ++i) {
            const std::uint64_t end = i + 1 < list.size() ? list[i + 1].begin : r.total_cycles;
            REQUIRE(list[i].begin < end);
            sums[std::size_t(list[i].cause)] += end - list[i].begin;
        }
        REQUIRE((list.empty() || list.front().begin == 0));
        REQUIRE(sums == r.causes[lane]);
    }
}

Program small_conv(int contexts) {
    ConvJob job;
    job.shape = {.in_channels = 32,
                 .out_channels = 32,
                 .height = 14,
                 .width = 14,
                 .kernel_h = 3,
                 .kernel_w = 3,
                 .pad_h = 1,
                 .pad_w = 1};
    job.tile = {7, 14, 1, 2, contexts};
    job.epilogue = {.bias = true, .shift = 8, .clip = true};
    return conv2d_program(preset("tsim-de10").value(), job).value();
}

} // namespace

TEST_CASE("a load, a multiply and a store in a row, cycle by cycle", "[vta][cycles]") {
    const CycleResult r = simulate_cycles(program_of("tsim-de10", R"(
        load.inp sram=0 dram=0 size=1x4 stride=4 push=next
        gemm uops=0:1 iter=1x98 dst=0,1 src=0,0 pop=prev push=next
        store sram=0 dram=0 size=1x8 stride=8 pop=prev push=prev
        finish pop=next)"));
    REQUIRE(r.state == RunState::Finished);
    // Fetch: 4 instructions are 8 beats; command in cycle 1, beats in 21..28, the first instruction visible at 30.
    CHECK(r.records[0].fetched == 30);
    CHECK(r.records[3].fetched == 33);
    CHECK(r.records[0].issued == 30);
    CHECK(r.records[0].completed == 30 + 8 + 23); // 61
    CHECK(r.records[1].issued == 61);
    CHECK(r.records[1].completed == 61 + 98 + 7); // 166
    CHECK(r.records[2].issued == 166);
    CHECK(r.records[2].completed == 166 + 27 + 1); // 194
    CHECK(r.records[3].issued == 194);
    CHECK(r.finish_cycle == 196);
    CHECK(r.total_cycles == 196);
    check_accounting(r);
    // Compute: waits for fetch until 31, for the load until 61, works, waits for the store until 194.
    CHECK(at(r, Module::Compute, Cause::WaitFetch) == 31);
    CHECK(at(r, Module::Compute, Cause::WaitTokenPrev) == 30);
    CHECK(at(r, Module::Compute, Cause::Gemm) == 98);
    CHECK(at(r, Module::Compute, Cause::Fill) == 7);
    CHECK(at(r, Module::Compute, Cause::WaitTokenNext) == 28);
    CHECK(at(r, Module::Compute, Cause::Finish) == 2);
    // Load: 20 of its 31 cycles wait for DRAM with the port silent.
    CHECK(at(r, Module::Load, Cause::WaitLatency) == 20);
    CHECK(at(r, Module::Load, Cause::LoadInp) == 11);
    CHECK(at(r, Module::Load, Cause::Idle) == 196 - 61);
    CHECK(r.records[0].memory_wait == 20);
    // Store: 3 cycles of command and acknowledge.
    CHECK(at(r, Module::Store, Cause::WaitLatency) == 3);
}

TEST_CASE("two transfers share the read port and the wait is charged to it", "[vta][cycles]") {
    // The accumulator load is issued one cycle after the weight load and has the lower priority: its beats come after
    // all weights commanded before it could command.
    const CycleResult r = simulate_cycles(program_of("tsim-de10", R"(
        load.wgt sram=0 dram=0 size=1x16 stride=16
        load.acc sram=0 dram=0 size=1x16 stride=16)"));
    check_accounting(r);
    CHECK(r.read_beats[std::size_t(ReadClient::Wgt)] == 512);
    CHECK(r.read_beats[std::size_t(ReadClient::Acc)] == 128);
    CHECK(at(r, Module::Compute, Cause::WaitPort) > 50);
    CHECK(at(r, Module::Load, Cause::WaitPort) > 50);
    // Together they take no longer than their beats, one latency and the overheads allow.
    const std::uint64_t end = std::max(r.records[0].completed, r.records[1].completed);
    CHECK(end - r.records[0].issued == 512 + 128 + 23);
}

TEST_CASE("fetch has priority over a running load", "[vta][cycles]") {
    const CycleResult alone = simulate_cycles(program_of("tsim-de10", "load.wgt sram=0 dram=0 size=1x200 stride=200"));
    const CycleResult shared =
        simulate_cycles(program_of("tsim-de10", "load.wgt sram=0 dram=0 size=1x200 stride=200\n" +
                                                    repeated("load.uop sram=0 dram=0 size=0x0 stride=0", 15)));
    check_accounting(shared);
    // The second group of 8 instructions costs the load exactly its 16 beats.
    const auto cost = [](const CycleResult& r) { return r.records[0].completed - r.records[0].issued; };
    CHECK(cost(shared) == cost(alone) + 16);
    CHECK(at(shared, Module::Load, Cause::WaitPort) == 16);
}

TEST_CASE("causes of every module sum to the total", "[vta][cycles]") {
    for (const std::string_view name : {"tsim-de10", "tsim-pynq", "tsim-2019", "hls-pynq", "hls-ultra96"}) {
        for (const int contexts : {1, 2}) {
            Program program = small_conv(contexts);
            program.config = preset(name).value();
            const CycleResult r = simulate_cycles(program);
            INFO(name);
            REQUIRE(r.state == RunState::Finished);
            check_accounting(r);
            CHECK(r.gemm_steps == 14 * 14 * 2 * 2 * 9);
        }
    }
}

TEST_CASE("two virtual threads hide loads under multiplies", "[vta][cycles]") {
    const CycleResult one = simulate_cycles(small_conv(1));
    const CycleResult two = simulate_cycles(small_conv(2));
    CHECK(two.total_cycles < one.total_cycles);
    CHECK(two.gemm_steps == one.gemm_steps);
}

TEST_CASE("recording nothing changes no number", "[vta][cycles]") {
    const Program program = small_conv(2);
    const CycleResult full = simulate_cycles(program);
    const CycleResult bare = simulate_cycles(program, {false, false, false});
    CHECK(bare.total_cycles == full.total_cycles);
    CHECK(bare.causes == full.causes);
    CHECK(bare.records.empty());
    CHECK(bare.lanes[0].empty());
}

TEST_CASE("a full command queue stops fetch for all modules", "[vta][cycles]") {
    Program program = program_of("tsim-de10", "gemm uops=0:1 iter=100x10 dst=0,0 src=0,0\n" +
                                                  repeated("load.uop sram=0 dram=0 size=0x0 stride=0", 4) +
                                                  "load.inp sram=0 dram=0 size=1x1 stride=1\n");
    program.config.timing.command_queue_depth = 4;
    const CycleResult r = simulate_cycles(program);
    check_accounting(r);
    // Compute holds the GEMM and three syncs; the fourth waits until the GEMM is done, and the load behind it too.
    CHECK(at(r, Module::Fetch, Cause::WaitQueue) > 900);
    CHECK(r.records[4].fetched == r.records[0].completed + 1);
    CHECK(r.records[5].fetched == r.records[0].completed + 2);
    program.config.timing.command_queue_depth = 512;
    CHECK(at(simulate_cycles(program), Module::Fetch, Cause::WaitQueue) == 0);
}

TEST_CASE("a missing token is named, with who should have pushed it", "[vta][cycles][deadlock]") {
    const CycleResult r = simulate_cycles(program_of("tsim-de10", R"(
        load.inp sram=0 dram=0 size=1x1 stride=1 pop=next push=next
        gemm uops=0:1 iter=1x1 dst=0,0 src=0,0 pop=prev push=prev,next
        store sram=0 dram=0 size=1x1 stride=1 pop=prev
        finish)"));
    REQUIRE(r.state == RunState::Deadlocked);
    check_accounting(r);
    REQUIRE(r.blocked.size() == 3);
    CHECK(r.blocked[0].module == Module::Load);
    CHECK(r.blocked[0].missing == TokenQueue::ComputeToLoad);
    CHECK(r.blocked[0].flag_next);
    CHECK(r.blocked[0].next_pusher == 1);
    CHECK(r.blocked[1].missing == TokenQueue::LoadToCompute);
    CHECK_FALSE(r.blocked[1].flag_next);
    CHECK(r.blocked[1].next_pusher == 0);
    CHECK(r.blocked[2].missing == TokenQueue::ComputeToStore);
    CHECK(r.blocked[2].next_pusher == 1);
    CHECK(describe(r.blocked[0]) ==
          "load stands at instruction #0: flag pop_next waits for a token in compute->load, to be pushed "
          "by instruction #1, which cannot run");
}

TEST_CASE("a token nobody pushes is named so", "[vta][cycles][deadlock]") {
    const CycleResult r = simulate_cycles(program_of("tsim-de10", "finish pop=next"));
    REQUIRE(r.blocked.size() == 1);
    CHECK(r.blocked[0].missing == TokenQueue::StoreToCompute);
    CHECK(r.blocked[0].next_pusher == kNoInstruction);
    CHECK(at(r, Module::Compute, Cause::WaitTokenNext) == r.total_cycles - r.records[0].fetched);
}

TEST_CASE("a full token queue loses tokens or stalls, as configured", "[vta][cycles]") {
    // Three pushes into a queue of two, taken one by one later.
    Program program = program_of("tsim-de10", repeated("load.inp sram=0 dram=0 size=0x0 stride=0 push=next", 3) +
                                                  "gemm uops=0:1 iter=100x100 dst=0,0 src=0,0\n" +
                                                  repeated("load.uop sram=0 dram=0 size=0x0 stride=0 pop=prev", 3));
    program.config.timing.token_queue_depth = 2;
    const CycleResult drop = simulate_cycles(program);
    CHECK(drop.state == RunState::Deadlocked);
    CHECK(drop.lost_tokens == 1);
    CHECK(drop.first_lost_token == 2);
    program.config.timing.token_overflow = TokenOverflow::Stall;
    const CycleResult stall = simulate_cycles(program);
    CHECK(stall.state == RunState::Finished);
    CHECK(stall.lost_tokens == 0);
    CHECK(at(stall, Module::Load, Cause::WaitQueue) > 9000);
    check_accounting(stall);
    check_accounting(drop);
}

TEST_CASE("a push that never finds room is a named deadlock", "[vta][cycles][deadlock]") {
    Program program = program_of("hls-pynq", repeated("load.inp sram=0 dram=0 size=0x0 stride=0 push=next", 3));
    program.config.timing.token_queue_depth = 2;
    const CycleResult r = simulate_cycles(program);
    REQUIRE(r.state == RunState::Deadlocked);
    REQUIRE(r.blocked.size() == 1);
    CHECK(r.blocked[0].full == TokenQueue::LoadToCompute);
    CHECK(r.blocked[0].instruction == 2);
    check_accounting(r);
}

TEST_CASE("an empty program takes no time", "[vta][cycles]") {
    const CycleResult r = simulate_cycles(program_of("tsim-de10", ""));
    CHECK(r.state == RunState::Finished);
    CHECK(r.total_cycles == 0);
    check_accounting(r);
}

TEST_CASE("a transfer that faults takes the time of a sync", "[vta][cycles]") {
    const CycleResult r =
        simulate_cycles(program_of("tsim-de10", "load.inp sram=0 dram=0 size=65535x65535 stride=1\nfinish"));
    CHECK(r.state == RunState::Finished);
    CHECK(r.records[0].completed - r.records[0].issued == 2);
}

TEST_CASE("token arrows pair pushes with pops in order", "[vta][cycles]") {
    const std::vector<TokenArrow> arrows = token_arrows(program_of("tsim-de10", R"(
        load.inp sram=0 dram=0 size=0x0 stride=0 push=next
        load.inp sram=0 dram=0 size=0x0 stride=0 push=next
        load.uop sram=0 dram=0 size=0x0 stride=0 pop=prev
        load.uop sram=0 dram=0 size=0x0 stride=0 pop=prev push=next
        store sram=0 dram=0 size=0x0 stride=0 pop=prev)"));
    REQUIRE(arrows.size() == 3);
    CHECK((arrows[0].from == 0 && arrows[0].to == 2));
    CHECK((arrows[1].from == 1 && arrows[1].to == 3));
    CHECK((arrows[2].from == 3 && arrows[2].to == 4 && arrows[2].queue == TokenQueue::ComputeToStore));
}
