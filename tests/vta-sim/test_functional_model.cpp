#include "tests/vta-sim/program_text.hpp"
#include "tests/vta-sim/random_programs.hpp"
#include "vta-sim/functional_model.hpp"
#include "vta-sim/gemm_kernel.hpp"

#include <algorithm>

using namespace orrery::vta;
using orrery::vta::testing::program_of;
using orrery::vta::testing::Random;

namespace {

struct Ran {
    RunState state;
    std::vector<Diagnostic> findings;
    std::vector<Blocked> blocked;
    std::vector<std::uint8_t> dram;
    std::vector<std::int32_t> acc0;
};

Ran run(const Program& program) {
    FunctionalModel model(program);
    const RunState state = model.run();
    const auto acc = model.machine().acc_tile(0);
    return {state, model.diagnostics(), model.blocked(), model.machine().dram(), {acc.begin(), acc.end()}};
}

const Diagnostic* find(const Ran& ran, DiagnosticKind kind) {
    const auto it =
        std::find_if(ran.findings.begin(), ran.findings.end(), [&](const Diagnostic& d) { return d.kind == kind; });
    return it == ran.findings.end() ? nullptr : &*it;
}

const std::string kUop = ".uops 4096\nuop dst=0 src=0 wgt=0\n";
const std::string kLoadUop = "load.uop sram=0 dram=1024 size=1x1 stride=1\n";
const std::string kLoadAcc = "load.acc sram=0 dram=0 size=1x1 stride=1\n";

/// acc[0] lanes after one ALU instruction on lane value `value`, immediate or register operand.
std::int32_t alu(const std::string& preset, const std::string& op, std::int32_t value, const std::string& imm) {
    char hex[9];
    const auto raw = static_cast<std::uint32_t>(value);
    std::snprintf(hex, sizeof hex, "%02x%02x%02x%02x", raw & 255, raw >> 8 & 255, raw >> 16 & 255, raw >> 24);
    Program program = program_of(preset, ".data 0 " + std::string(hex) + "\n" + kUop + kLoadUop + kLoadAcc + "alu." +
                                             op + " imm=" + imm + " uops=0:1 iter=1x1 dst=0,0 src=0,0\nfinish");
    return run(program).acc0[0];
}

} // namespace

TEST_CASE("ALU operations are 32-bit and signed", "[vta][functional]") {
    CHECK(alu("default", "add", 5, "-7") == -2);
    CHECK(alu("default", "add", 0x7fffffff, "1") == INT32_MIN);
    CHECK(alu("default", "min", 5, "-7") == -7);
    CHECK(alu("default", "max", -300, "-128") == -128);
    CHECK(alu("default", "mul", 0x10000, "16384") == 0x40000000);
    CHECK(alu("default", "mul", 0x10001, "-2") == -0x20002);
}

TEST_CASE("shifts follow the rule of the configuration", "[vta][functional]") {
    CHECK(alu("default", "shr", -5, "1") == -3);  // arithmetic
    CHECK(alu("default", "shr", 3, "-2") == 12);  // negative amounts shift left
    CHECK(alu("default", "shr", 64, "33") == 32); // low 5 bits of the magnitude
    CHECK(alu("hls-pynq", "shr", 3, "-2") == 12);
    CHECK(alu("hls-pynq", "shr", 3, "17") == 3 << 15); // low 5 bits are 10001, which is -15
    CHECK(alu("tsim-de10", "shr", 3, "-2") == 12);     // an immediate may shift left
}

TEST_CASE("a register amount shifts left or right by rule", "[vta][functional]") {
    // acc[0] = 3, acc[1] = -2.
    const std::string text =
        ".data 0 03000000\n.data 64 feffffff\n.uops 4096\nuop dst=0 src=1\n" + kLoadUop +
        "load.acc sram=0 dram=0 size=1x2 stride=2\nalu.shr uops=0:1 iter=1x1 dst=0,0 src=0,0\nfinish";
    CHECK(run(program_of("default", text)).acc0[0] == 12);  // left by 2
    CHECK(run(program_of("tsim-de10", text)).acc0[0] == 0); // right by 30
    CHECK(run(program_of("hls-pynq", text)).acc0[0] == 12); // 11110 is -2
}

TEST_CASE("stores keep the low bits and do not saturate", "[vta][functional]") {
    // 300 = 0x12c stores 0x2c.
    const Ran ran = run(program_of("default", ".data 0 2c010000\n" + kUop + kLoadUop + kLoadAcc +
                                                  "alu.add imm=0 uops=0:1 iter=1x1 dst=0,0 src=0,0 push=next\n"
                                                  "store sram=0 dram=512 size=1x1 stride=1 pop=prev\nfinish"));
    CHECK(ran.dram[512 * 16] == 0x2c);
    // load.uop reads the uop buffer, so nothing else is reported.
    CHECK(ran.findings.empty());
}

TEST_CASE("a load of ACC does not reach OUT except where the configuration stores from ACC", "[vta][functional]") {
    const std::string text = ".data 0 2c000000\nload.acc sram=0 dram=0 size=1x1 stride=1 push=next\n"
                             "store sram=0 dram=512 size=1x1 stride=1 pop=prev\nfinish";
    const Ran out = run(program_of("default", text));
    CHECK(out.dram[512 * 16] == 0);
    REQUIRE(find(out, DiagnosticKind::UninitializedRead) != nullptr);
    CHECK(find(out, DiagnosticKind::UninitializedRead)->place == Place::Out);
    Program program = program_of("default", text);
    program.config.semantics.store_from_acc = true;
    CHECK(run(program).dram[512 * 16] == 0x2c);
    CHECK(run(program).findings.empty());
}

TEST_CASE("a reset writes OUT by rule", "[vta][functional]") {
    const std::string text = ".data 0 07000000\n" + kUop + kLoadUop + kLoadAcc +
                             "alu.add imm=0 uops=0:1 iter=1x1 dst=0,0 src=0,0\n"
                             "gemm.reset uops=0:1 iter=1x1 dst=0,0 src=0,0 push=next\n"
                             "store sram=0 dram=512 size=1x1 stride=1 pop=prev\nfinish";
    CHECK(run(program_of("hls-pynq", text)).dram[512 * 16] == 0);
    CHECK(run(program_of("tsim-de10", text)).dram[512 * 16] == 7);
}

TEST_CASE("reads of memory nothing wrote are reported with the address", "[vta][functional]") {
    const Ran ran = run(program_of("default", kUop + kLoadUop + "gemm uops=0:1 iter=1x3 dst=0,1 src=0,2\nfinish"));
    std::vector<Place> places;
    for (const Diagnostic& d : ran.findings) {
        CHECK(d.kind == DiagnosticKind::UninitializedRead);
        CHECK(d.instruction == 1);
        places.push_back(d.place);
        if (d.place == Place::Inp) CHECK(d.count == 3);
        if (d.place == Place::Wgt) CHECK(d.count == 1);
    }
    CHECK(places == std::vector{Place::Inp, Place::Wgt, Place::Acc});
    const Ran no_uop = run(program_of("default", "gemm.reset uops=5:7 iter=1x1 dst=0,0 src=0,0\nfinish"));
    REQUIRE(find(no_uop, DiagnosticKind::UninitializedRead) != nullptr);
    CHECK(find(no_uop, DiagnosticKind::UninitializedRead)->place == Place::Uop);
    CHECK(find(no_uop, DiagnosticKind::UninitializedRead)->address == 5);
}

TEST_CASE("accesses that no token orders are reported with both instructions", "[vta][functional]") {
    const std::string gemm = "gemm uops=0:1 iter=1x1 dst=0,0 src=0,0";
    const std::string loads = "load.inp sram=0 dram=0 size=1x1 stride=1\nload.wgt sram=0 dram=0 size=1x1 stride=1";
    const std::string head = kUop + kLoadUop + "gemm.reset uops=0:1 iter=1x1 dst=0,0 src=0,0\n";
    SECTION("read after write") {
        const Ran ran = run(program_of("default", head + loads + "\n" + gemm + "\nfinish"));
        const Diagnostic* d = find(ran, DiagnosticKind::UnorderedAccess);
        REQUIRE(d != nullptr);
        CHECK(d->instruction == 4);
        CHECK(d->other == 2);
        CHECK(d->place == Place::Inp);
    }
    SECTION("ordered by a token") {
        CHECK(run(program_of("default", head + loads + " push=next\n" + gemm + " pop=prev\nfinish")).findings.empty());
    }
    SECTION("write after read") {
        const std::string again = "load.inp sram=0 dram=1 size=1x1 stride=1";
        const Ran ran =
            run(program_of("default", head + loads + " push=next\n" + gemm + " pop=prev\n" + again + "\nfinish"));
        REQUIRE(find(ran, DiagnosticKind::UnorderedAccess) != nullptr);
        CHECK(find(ran, DiagnosticKind::UnorderedAccess)->instruction == 5);
        CHECK(find(ran, DiagnosticKind::UnorderedAccess)->other == 4);
        CHECK(run(program_of("default", head + loads + " push=next\n" + gemm + " pop=prev push=prev\n" + again +
                                            " pop=next\nfinish"))
                  .findings.empty());
    }
    SECTION("through DRAM") {
        const std::string store = "store sram=0 dram=0 size=1x1 stride=1 pop=prev push=prev\n";
        const std::string text = head + "alu.add imm=0 uops=0:1 iter=1x1 dst=0,0 src=0,0 push=next\n" + store;
        const Ran ran = run(program_of("default", text + "load.inp sram=0 dram=0 size=1x1 stride=1\nfinish pop=next"));
        REQUIRE(find(ran, DiagnosticKind::UnorderedAccess) != nullptr);
        CHECK(find(ran, DiagnosticKind::UnorderedAccess)->place == Place::Dram);
        CHECK(run(program_of("default", text + "load.uop sram=0 dram=0 size=0x0 stride=0 pop=next push=prev\n"
                                               "load.inp sram=0 dram=0 size=1x1 stride=1 pop=next\nfinish"))
                  .findings.empty());
    }
}

TEST_CASE("faults are reported, move no data and pass their tokens", "[vta][functional]") {
    struct Case {
        std::string text;
        Fault fault;
    };
    const Case cases[] = {
        {"load.inp sram=2047 dram=0 size=1x2 stride=2", Fault::SramRange},
        {"load.inp sram=0 dram=4095 size=1x2 stride=2", Fault::DramRange},
        {"load.inp sram=0 dram=0xffffffff size=1x1 stride=1", Fault::DramRange},
        {"load.out sram=0 dram=0 size=1x1 stride=1", Fault::BadMemory},
        {"store.acc sram=0 dram=0 size=1x1 stride=1", Fault::BadMemory},
        {"store sram=0 dram=0 size=1x1 stride=1 pad_y=1,0", Fault::BadPadding},
        {"load.uop sram=0 dram=0 size=2x1 stride=1", Fault::BadPadding},
        {"gemm uops=3:2 iter=1x1 dst=0,0 src=0,0", Fault::UopRange},
        {"gemm uops=8191:8193 iter=1x1 dst=0,0 src=0,0", Fault::UopRange},
        {"gemm uops=0:1 iter=2x2 dst=2047,1 src=0,0", Fault::IndexRange},
        {"gemm uops=0:1 iter=1x2 dst=0,0 src=0,0 wgt=0,1023", Fault::None},
        {"gemm uops=0:1 iter=1x3 dst=0,0 src=0,0 wgt=0,1023", Fault::IndexRange},
    };
    for (const Case& c : cases) {
        INFO(c.text);
        const Ran ran = run(program_of("default", c.text + "\nfinish"));
        CHECK(ran.state == RunState::Finished);
        const Diagnostic* d = find(ran, DiagnosticKind::Faulted);
        CHECK((d == nullptr ? Fault::None : d->fault) == c.fault);
    }
    CHECK(find(run(program_of("tsim-de10", "load.acc8 sram=0 dram=0 size=1x1 stride=1\nfinish")),
               DiagnosticKind::Faulted) != nullptr);
    CHECK(find(run(program_of("tsim-de10", "alu.mul imm=1 uops=0:1 iter=1x1 dst=0,0 src=0,0\nfinish")),
               DiagnosticKind::Faulted) != nullptr);
}

TEST_CASE("surplus tokens, dangling flags and misplaced FINISH are reported", "[vta][functional]") {
    const Ran ran =
        run(program_of("default", "load.inp sram=0 dram=0 size=0x0 stride=0 push=prev,next\nfinish\nfinish"));
    REQUIRE(find(ran, DiagnosticKind::SurplusTokens) != nullptr);
    CHECK(find(ran, DiagnosticKind::SurplusTokens)->queue == TokenQueue::LoadToCompute);
    CHECK(find(ran, DiagnosticKind::SurplusTokens)->count == 1);
    REQUIRE(find(ran, DiagnosticKind::DanglingFlag) != nullptr);
    REQUIRE(find(ran, DiagnosticKind::AfterFinish) != nullptr);
    CHECK(find(ran, DiagnosticKind::AfterFinish)->instruction == 2);
    CHECK(find(run(program_of("default", "")), DiagnosticKind::MissingFinish) != nullptr);
}

TEST_CASE("a deadlock names module, instruction, flag and pusher", "[vta][functional][deadlock]") {
    const Ran ran = run(program_of("default", "load.uop sram=0 dram=0 size=0x0 stride=0 pop=prev\n"
                                              "load.inp sram=0 dram=0 size=0x0 stride=0 pop=next push=next\nfinish"));
    REQUIRE(ran.state == RunState::Deadlocked);
    REQUIRE(ran.blocked.size() == 2);
    CHECK(ran.blocked[0].module == Module::Load);
    CHECK(ran.blocked[0].missing == TokenQueue::ComputeToLoad);
    CHECK(ran.blocked[0].next_pusher == kNoInstruction);
    CHECK(ran.blocked[1].missing == TokenQueue::LoadToCompute);
    CHECK(ran.blocked[1].next_pusher == 1);
}

TEST_CASE("head-of-line blocking of fetch is a deadlock that names the queue", "[vta][functional][deadlock]") {
    // Two compute instructions wait for a load that is behind a third one, which finds the queue full.
    Program program = program_of("default", testing::repeated("load.uop sram=0 dram=0 size=0x0 stride=0 pop=prev", 3) +
                                                "load.inp sram=0 dram=0 size=0x0 stride=0 push=next\n");
    program.config.timing.command_queue_depth = 2;
    const Ran ran = run(program);
    REQUIRE(ran.state == RunState::Deadlocked);
    CHECK(ran.blocked.back().module == Module::Fetch);
    CHECK(ran.blocked.back().full_commands == Module::Compute);
    CHECK(ran.blocked.back().instruction == 2);
}

TEST_CASE("a run that would not end in reasonable time says so", "[vta][functional]") {
    const Program program =
        program_of("default", kUop + kLoadUop + "gemm.reset uops=0:1 iter=16383x16383 dst=0,0 src=0,0\nfinish");
    FunctionalModel model(program, {.max_steps = 1000});
    CHECK(model.run() == RunState::OutOfSteps);
    CHECK(model.executed() == 1);
}

TEST_CASE("micro-ops that rewrite a tile too soon are reported where hardware minds", "[vta][functional]") {
    const std::string text =
        ".uops 4096\nuop dst=0\nuop dst=1\nuop dst=0\nload.uop sram=0 dram=1024 size=1x3 stride=3\n"
        "gemm uops=0:3 iter=1x1 dst=0,0 src=0,0\nfinish";
    CHECK(find(run(program_of("hls-pynq", text)), DiagnosticKind::ReuseHazard) != nullptr);
    CHECK(find(run(program_of("tsim-de10", text)), DiagnosticKind::ReuseHazard) == nullptr);
}

TEST_CASE("the vector kernel equals plain loops", "[vta][functional]") {
    Random random(7);
    for (const int block : {2, 4, 8, 16, 32, 64}) {
        for (const int batch : {1, 4}) {
            const auto lanes = std::size_t(batch * block);
            std::vector<std::int16_t> inp(8 * lanes);
            std::vector<std::int16_t> wgt(8 * std::size_t(block * block));
            for (auto& v : inp) v = static_cast<std::int16_t>(random());
            for (auto& v : wgt) v = static_cast<std::int16_t>(random());
            inp[0] = inp[1] = -32768; // the pair whose products overflow 32 bits when added
            wgt[0] = wgt[1] = -32768;
            const std::vector<Uop> uops = {{0, 0, 0}, {1, 1, 2}, {0, 2, 3}};
            Instruction in;
            in.uop_end = 3;
            in.iter_out = 2;
            in.iter_in = 3;
            in.dst_out = 3;
            in.dst_in = 1;
            in.src_in = 2;
            in.wgt_out = 4;
            std::vector<std::int32_t> fast(8 * lanes, 12345);
            std::vector<std::int32_t> plain = fast;
            run_gemm(in, {fast.data(), inp.data(), wgt.data(), uops, batch, block});
            run_gemm_portable(in, {plain.data(), inp.data(), wgt.data(), uops, batch, block});
            REQUIRE(fast == plain);
        }
    }
}
