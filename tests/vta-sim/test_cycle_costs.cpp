// Every cost row of the accelerator's manual, with the arithmetic. Costs are measured from issue to completion, which
// is when the next instruction of the module can issue. Programs are shorter than one fetch group, so that the read
// port is free while they run.

#include "tests/vta-sim/program_text.hpp"
#include "vta-sim/cycle_model.hpp"

using namespace orrery::vta;
using orrery::vta::testing::program_of;
using orrery::vta::testing::repeated;

namespace {

std::uint64_t cost(const CycleResult& result, std::size_t instruction) {
    REQUIRE(result.records.at(instruction).completed != kNever);
    return result.records[instruction].completed - result.records[instruction].issued;
}

/// The cost of the only instruction of a program.
std::uint64_t cost_of(const std::string& preset, const std::string& instruction) {
    return cost(simulate_cycles(program_of(preset, instruction)), 0);
}

} // namespace

TEST_CASE("GEMM takes N + 7 cycles, with reset too", "[vta][cycles]") {
    // N = 14 x 7 x 9 = 882.
    CHECK(cost_of("tsim-de10", "gemm uops=8:17 iter=14x7 dst=14,1 src=16,1") == 882 + 7);
    CHECK(cost_of("tsim-de10", "gemm.reset uops=0:1 iter=1x98 dst=0,1 src=0,0") == 98 + 7);
    CHECK(cost_of("tsim-de10", "gemm uops=3:3 iter=14x7 dst=0,0 src=0,0") == 0 + 7);
}

TEST_CASE("ALU with an immediate takes N + 7 cycles, with registers 2 N + 7", "[vta][cycles]") {
    // The accumulator memory has one read port: two operands take two cycles.
    CHECK(cost_of("tsim-de10", "alu.shr imm=8 uops=0:1 iter=1x98 dst=0,1 src=0,1") == 98 + 7);
    CHECK(cost_of("tsim-de10", "alu.add uops=0:1 iter=1x98 dst=0,1 src=0,1") == 2 * 98 + 7);
}

TEST_CASE("units before 2021 take 4 cycles a GEMM step and 5 an ALU step", "[vta][cycles]") {
    CHECK(cost_of("tsim-2019", "gemm uops=8:17 iter=14x7 dst=14,1 src=16,1") == 4 * 882 + 7);
    CHECK(cost_of("tsim-2019", "alu.shr imm=8 uops=0:1 iter=1x98 dst=0,1 src=0,1") == 5 * 98 + 7);
    CHECK(cost_of("tsim-2019", "alu.add uops=0:1 iter=1x98 dst=0,1 src=0,1") == 5 * 98 + 7);
}

TEST_CASE("the HLS ALU takes two cycles for every operation", "[vta][cycles]") {
    CHECK(cost_of("hls-pynq", "alu.shr imm=8 uops=0:1 iter=1x98 dst=0,1 src=0,1") == 2 * 98 + 7);
    CHECK(cost_of("hls-pynq", "gemm uops=8:17 iter=14x7 dst=14,1 src=16,1") == 882 + 7);
}

TEST_CASE("instructions without data and FINISH take 2 cycles", "[vta][cycles]") {
    CHECK(cost_of("tsim-de10", "load.uop sram=0 dram=0 size=0x0 stride=0") == 2);
    CHECK(cost_of("tsim-de10", "load.inp sram=0 dram=0 size=0x0 stride=0") == 2);
    CHECK(cost_of("tsim-de10", "store sram=0 dram=0 size=0x0 stride=0") == 2);
    CHECK(cost_of("tsim-de10", "finish") == 2);
}

TEST_CASE("loads take B + 23 cycles, micro-op loads B + 22", "[vta][cycles]") {
    // 64-bit bus: 2 beats per inp element, 32 per wgt, 8 per acc, half a beat per micro-op.
    CHECK(cost_of("tsim-de10", "load.inp sram=0 dram=0 size=1x4 stride=4") == 8 + 23);
    CHECK(cost_of("tsim-de10", "load.inp sram=0 dram=0 size=1x64 stride=64") == 128 + 23); // 8 bursts back to back
    CHECK(cost_of("tsim-pynq", "load.inp sram=0 dram=0 size=1x64 stride=64") == 128 + 23); // 1 burst
    CHECK(cost_of("tsim-de10", "load.wgt sram=0 dram=0 size=1x2 stride=2") == 64 + 23);
    CHECK(cost_of("tsim-de10", "load.acc sram=0 dram=0 size=1x3 stride=3") == 24 + 23);
    CHECK(cost_of("tsim-de10", "load.uop sram=0 dram=0 size=1x9 stride=9") == 5 + 22); // ceil(9 / 2)
    CHECK(cost_of("tsim-de10", "load.uop sram=0 dram=1 size=1x2 stride=2") == 2 + 22); // straddles two beats
}

TEST_CASE("rows cost no bubble while DRAM has commands queued", "[vta][cycles]") {
    // 4 rows of 1 element = 4 bursts of 2 beats, one command every 2 cycles: data flow at 1 beat a cycle.
    CHECK(cost_of("tsim-de10", "load.inp sram=0 dram=0 size=4x1 stride=100") == 8 + 23);
    // Rows of one beat need a command a cycle but get one every two: 4 rows of 2 micro-ops cannot be asked for faster.
    // With a 16-byte bus an inp element is 1 beat: beats at 21, 22, 23 ... as long as the queue holds.
    CHECK(cost_of("hls-ultra96", "load.inp sram=0 dram=0 size=4x1 stride=100") == 4 + 23);
}

TEST_CASE("a queue run dry costs the DRAM latency again", "[vta][cycles]") {
    // One burst in flight: each of 2 bursts of 16 beats takes 20 + 16 cycles, the second asked for in the cycle after
    // the last beat of the first. 1 + 36 + 36 + 2 = 75 for 32 beats.
    Program program = program_of("tsim-de10", "load.inp sram=0 dram=0 size=1x16 stride=16");
    program.config.timing.outstanding_reads = 1;
    CHECK(cost(simulate_cycles(program), 0) == 1 + 2 * (20 + 16) + 2);
}

TEST_CASE("bursts do not cross a boundary of the burst size", "[vta][cycles]") {
    // 8 inp elements from element 4: bytes 64..191 cross 128, so two bursts of 8 beats; the data still flow.
    const CycleResult r = simulate_cycles(program_of("tsim-de10", "load.inp sram=0 dram=4 size=1x8 stride=8"));
    CHECK(r.read_bursts[std::size_t(ReadClient::Inp)] == 2);
    CHECK(r.read_beats[std::size_t(ReadClient::Inp)] == 16);
    CHECK(cost(r, 0) == 16 + 23);
}

TEST_CASE("top padding delays the first command, other padding hides under data", "[vta][cycles]") {
    // One row of zeros above: 1 cycle before the first command.
    CHECK(cost_of("tsim-de10", "load.inp sram=0 dram=0 size=1x4 stride=4 pad_y=1,0") == 8 + 23 + 1);
    // 10 zeros find room in the 20 cycles before the first beat.
    CHECK(cost_of("tsim-de10", "load.inp sram=0 dram=0 size=1x4 stride=4 pad_y=0,1 pad_x=2,1") == 8 + 23);
    // 31 x 31 elements, 1 of data: each cycle after issue writes a zero or brings a beat: 1 + 960 + 2, then 2 to end.
    CHECK(cost_of("tsim-de10", "load.inp sram=0 dram=0 size=1x1 stride=1 pad_y=15,15 pad_x=15,15") == 1 + 960 + 2 + 2);
}

TEST_CASE("a store takes 3 B / 2 + 3 cycles per burst and 1 once", "[vta][cycles]") {
    // An out element is 2 beats and 1 SRAM read bubble.
    CHECK(cost_of("tsim-de10", "store sram=0 dram=0 size=1x8 stride=8") == (3 * 16 / 2 + 3) + 1);
    CHECK(cost_of("tsim-de10", "store sram=0 dram=0 size=1x16 stride=16") == 2 * (3 * 16 / 2 + 3) + 1);
    CHECK(cost_of("tsim-de10", "store sram=0 dram=0 size=3x2 stride=50") == 3 * (3 * 4 / 2 + 3) + 1);
    CHECK(cost_of("tsim-pynq", "store sram=0 dram=0 size=1x16 stride=16") == (3 * 32 / 2 + 3) + 1);
}

TEST_CASE("the wide-memory store has no bubbles", "[vta][cycles]") {
    // 16 elements of 1 beat on a 16-byte bus, one burst.
    CHECK(cost_of("hls-ultra96", "store sram=0 dram=0 size=1x16 stride=16") == 16 + 3 + 1);
}

TEST_CASE("fetch takes 46 cycles for each group of 8 on De10", "[vta][cycles]") {
    // Per group: 20 to the first beat, 16 beats, 8 instructions at one a cycle, 2 between groups.
    const CycleResult r =
        simulate_cycles(program_of("tsim-de10", repeated("load.uop sram=0 dram=0 size=0x0 stride=0", 24)));
    CHECK(r.records[0].fetched == 20 + 16 + 2);
    CHECK(r.records[7].fetched - r.records[0].fetched == 7);
    CHECK(r.records[8].fetched - r.records[0].fetched == 46);
    CHECK(r.records[16].fetched - r.records[8].fetched == 46);
}

TEST_CASE("fetch takes 406 cycles for each group of 128 on Pynq", "[vta][cycles]") {
    const CycleResult r =
        simulate_cycles(program_of("tsim-pynq", repeated("load.uop sram=0 dram=0 size=0x0 stride=0", 384)));
    CHECK(r.records[128].fetched - r.records[0].fetched == 20 + 256 + 128 + 2);
    CHECK(r.records[256].fetched - r.records[128].fetched == 406);
}
