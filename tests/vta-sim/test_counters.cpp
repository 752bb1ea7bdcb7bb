#include "tests/vta-sim/program_text.hpp"
#include "vta-sim/conv2d.hpp"
#include "vta-sim/counters.hpp"
#include "vta-sim/occupancy.hpp"
#include "vta-sim/trace.hpp"

#include <nlohmann/json.hpp>

#include <sstream>

using namespace orrery::vta;
using orrery::vta::testing::program_of;
using orrery::vta::testing::repeated;

namespace {

Program conv(int contexts, int in_channels = 64) {
    ConvJob job;
    job.name = "layer";
    job.shape = {.in_channels = in_channels,
                 .out_channels = 64,
                 .height = 14,
                 .width = 14,
                 .kernel_h = 3,
                 .kernel_w = 3,
                 .pad_h = 1,
                 .pad_w = 1};
    job.tile = {14, 14, 1, 2, contexts};
    job.epilogue = {.bias = true, .shift = 8, .clip = true};
    return conv2d_program(preset("tsim-de10").value(), job).value();
}

} // namespace

TEST_CASE("work counts bytes without padding and steps by kind", "[vta][counters]") {
    const Program p = program_of("default", R"(
        load.inp sram=0 dram=0 size=2x3 stride=3 pad_y=1,1 pad_x=1,1
        load.acc sram=0 dram=0 size=1x2 stride=2
        load.acc8 sram=0 dram=0 size=1x2 stride=2
        gemm uops=0:2 iter=3x4 dst=0,0 src=0,0
        gemm.reset uops=0:1 iter=3x4 dst=0,0 src=0,0
        alu.add uops=0:1 iter=1x5 dst=0,0 src=0,0
        store sram=0 dram=0 size=1x4 stride=4
        load.inp sram=9999 dram=0 size=1x1 stride=1)");
    Work w;
    for (const Instruction& in : p.instructions) w += work_of(p, in);
    CHECK(w.instructions == 8);
    CHECK(w.inp_load_bytes == 6 * 16);
    CHECK(w.acc_load_bytes == 2 * 64 + 2 * 16);
    CHECK(w.gemm_steps == 24);
    CHECK(w.reset_steps == 12);
    CHECK(w.alu_steps == 5);
    CHECK(w.out_store_bytes == 64);
    CHECK(w.fetch_bytes == 8 * 16);
    CHECK(w.operations(p.config) == 24 * 512);
}

TEST_CASE("counters by origin sum to the whole", "[vta][counters]") {
    const Program p = conv(2);
    const CycleResult r = simulate_cycles(p);
    const Summary s = summarize(p, r);
    Work sum;
    for (const OriginCounters& o : s.origins) sum += o.work;
    CHECK(sum == s.work);
    CHECK(s.work.gemm_steps == 14 * 14 * 4 * 4 * 9);
    CHECK(s.cycles == r.total_cycles);
    std::uint64_t gemm = 0;
    for (const OriginCounters& o : s.origins) gemm += o.causes[1][std::size_t(Cause::Gemm)];
    CHECK(gemm == r.causes[1][std::size_t(Cause::Gemm)]);
    CHECK(s.gops == Approx(s.peak_gops * s.gemm_utilization));
    CHECK(s.gops <= s.roof_gops);
}

TEST_CASE("the bound is named from the causes", "[vta][counters]") {
    const auto bound = [](const Program& p) { return summarize(p, simulate_cycles(p)).bound; };
    CHECK(bound(conv(2)) == Bound::Gemm);
    CHECK(bound(program_of("tsim-de10", "load.wgt sram=0 dram=0 size=1x200 stride=200 push=next\n"
                                        "gemm uops=0:1 iter=1x9 dst=0,0 src=0,0 pop=prev\nfinish")) == Bound::ReadPort);
    CHECK(bound(program_of("tsim-de10", repeated("load.uop sram=0 dram=0 size=0x0 stride=0", 300))) == Bound::Fetch);
    CHECK(bound(program_of("tsim-de10", "alu.add uops=0:1 iter=1x900 dst=0,0 src=0,0\nfinish")) == Bound::Alu);
    CHECK(bound(program_of("tsim-de10", "finish pop=next")) == Bound::Deadlock);
    CHECK(bound(program_of("tsim-de10", "")) == Bound::Empty);
}

TEST_CASE("a range of cycles has its own counters", "[vta][counters]") {
    const CycleResult r = simulate_cycles(conv(2));
    const RangeCounters all = count_range(r, 0, r.total_cycles);
    CHECK(all.causes == r.causes);
    CHECK(all.read_beats == r.read_beats);
    // Neighbouring ranges add up.
    const RangeCounters left = count_range(r, 1000, 5003);
    const RangeCounters right = count_range(r, 5003, 9000);
    const RangeCounters both = count_range(r, 1000, 9000);
    for (std::size_t lane = 0; lane < kLanes; ++lane) {
        std::uint64_t sum = 0;
        for (std::size_t c = 0; c < kCauses; ++c) {
            CHECK(left.causes[lane][c] + right.causes[lane][c] == both.causes[lane][c]);
            sum += both.causes[lane][c];
        }
        CHECK(sum == 8000);
    }
}

TEST_CASE("energy follows the table", "[vta][counters]") {
    const EnergyTable t;
    CHECK(sram_access_energy(t, 8192) == Approx(10));
    CHECK(sram_access_energy(t, 32768) == Approx(20));
    CHECK(sram_access_energy(t, 1 << 20) == Approx(100));
    // 32 KB 20 pJ, 1 MB 100 pJ over 5 doublings: 256 KB is 3 doublings up.
    CHECK(sram_access_energy(t, 1 << 18) == Approx(20 + 3 * 16));
    Work w;
    w.gemm_steps = 10;
    w.wgt_load_bytes = 800;
    const Energy e = energy_of(Config{}, w, t);
    CHECK(e.multiply == Approx(10 * 256 * 0.3));
    CHECK(e.dram == Approx(100 * 1300));
    CHECK(e.total() > e.dram);
}

TEST_CASE("occupancy follows values from their write to their last read", "[vta][occupancy]") {
    const Program p = program_of("tsim-de10", R"(
        load.uop sram=0 dram=0 size=1x1 stride=1
        load.inp sram=0 dram=0 size=1x10 stride=10
        load.wgt sram=0 dram=0 size=1x1 stride=1 push=next
        gemm.reset uops=0:1 iter=1x5 dst=0,1 src=0,0
        gemm uops=0:1 iter=1x5 dst=0,1 src=0,1 pop=prev push=next
        store sram=0 dram=0 size=1x5 stride=5 pop=prev push=prev
        finish pop=next)");
    const CycleResult r = simulate_cycles(p);
    REQUIRE(r.state == RunState::Finished);
    const Occupancy o = sram_occupancy(p, r, r.total_cycles);
    REQUIRE(o.cycles_per_sample == 1);
    CHECK(o.depth[std::size_t(Strip::Inp)] == 2048);
    CHECK(o.peak[std::size_t(Strip::Inp)] == 5); // ten are loaded, five are ever read
    CHECK(o.peak[std::size_t(Strip::Wgt)] == 1);
    CHECK(o.peak[std::size_t(Strip::Acc)] == 5);
    CHECK(o.peak[std::size_t(Strip::Out)] == 5);
    const auto& inp = o.elements[std::size_t(Strip::Inp)];
    CHECK(inp[r.records[1].completed - 1] == 0);
    CHECK(inp[r.records[1].completed] == 5);
    CHECK(inp[r.records[4].completed - 1] == 5);
    CHECK(inp[r.records[4].completed] == 0);
    // Coarser samples keep the area.
    const Occupancy coarse = sram_occupancy(p, r, 7);
    const auto area = [](const Occupancy& x) {
        double sum = 0;
        for (const float v : x.elements[std::size_t(Strip::Inp)]) sum += double(v) * double(x.cycles_per_sample);
        return sum;
    };
    CHECK(area(coarse) == Approx(area(o)).epsilon(1e-4));
}

TEST_CASE("two contexts never occupy more than the memories hold", "[vta][occupancy]") {
    const Program p = conv(2);
    const CycleResult r = simulate_cycles(p);
    const Occupancy o = sram_occupancy(p, r, 500);
    for (std::size_t strip = 0; strip < kStrips; ++strip) {
        CHECK(o.peak[strip] > 0);
        CHECK(o.peak[strip] <= o.depth[strip]);
        for (const float v : o.elements[strip]) REQUIRE(v <= float(o.peak[strip]) + 0.01F);
    }
}

TEST_CASE("the trace is JSON with every instruction, cause and arrow", "[vta][trace]") {
    const Program p = conv(2);
    const CycleResult r = simulate_cycles(p);
    const Occupancy o = sram_occupancy(p, r, 100);
    std::ostringstream out;
    TraceOptions options;
    options.occupancy = &o;
    write_chrome_trace(out, p, r, options);
    const auto json = nlohmann::json::parse(out.str());
    std::map<std::string, int> phases;
    std::uint64_t last = 0;
    std::size_t instructions = 0;
    for (const auto& event : json["traceEvents"]) {
        ++phases[event["ph"].get<std::string>()];
        if (event["ph"] != "X") continue;
        last = std::max(last, event["ts"].get<std::uint64_t>() + event["dur"].get<std::uint64_t>());
        instructions += event["tid"].get<int>() < 4 ? 1 : 0;
    }
    CHECK(instructions == p.instructions.size());
    CHECK(last == r.total_cycles);
    CHECK(phases["s"] == phases["f"]);
    CHECK(std::size_t(phases["s"]) == token_arrows(p).size());
    CHECK(phases["C"] > 400);
}
