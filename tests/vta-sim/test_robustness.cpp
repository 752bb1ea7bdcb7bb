// Random streams: valid, faulty, racing and deadlocking. The functional model agrees with the naive one in every
// scalar; the cycle model finishes, runs the same instructions and stands at the same token; where no finding says that
// order matters, its own order of completion leads to the same state.

#include "tests/vta-sim/naive_machine.hpp"
#include "tests/vta-sim/random_programs.hpp"
#include "vta-sim/cycle_model.hpp"
#include "vta-sim/functional_model.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <numeric>

using namespace orrery::vta;
using orrery::vta::testing::chance;
using orrery::vta::testing::NaiveMachine;
using orrery::vta::testing::pick;
using orrery::vta::testing::Random;

namespace {

Config small_config(Random& random) {
    Config c = testing::random_config(random, 2, 5);
    c.timing.command_queue_depth = chance(random, 30) ? pick(random, 1, 4) : 512;
    c.semantics.multiply = chance(random, 80);
    c.semantics.acc_8bit = chance(random, 80);
    c.uop_depth = chance(random, 30) ? pick(random, 2, c.uop_depth) : c.uop_depth;
    return c;
}

void draw_transfer(Random& random, const Config& config, Instruction& in) {
    const bool wild = chance(random, 10);
    const int depth = memory_depth(config, in.memory);
    in.sram_base = static_cast<std::uint16_t>(pick(random, 0, wild ? 65535 : depth / 2));
    in.dram_base = wild ? static_cast<std::uint32_t>(random()) : static_cast<std::uint32_t>(pick(random, 0, 20));
    in.y_size = static_cast<std::uint16_t>(wild ? pick(random, 0, 65535) : pick(random, 0, 3));
    in.x_size = static_cast<std::uint16_t>(wild ? pick(random, 0, 65535) : pick(random, 0, 4));
    in.x_stride = static_cast<std::uint16_t>(wild ? pick(random, 0, 65535) : pick(random, 0, 6));
    if (in.memory == MemoryId::Uop && chance(random, 90)) in.y_size = 1;
    const bool pads = in.opcode == Opcode::Load && in.memory != MemoryId::Uop ? chance(random, 30) : chance(random, 3);
    if (!pads) return;
    in.y_pad_0 = static_cast<std::uint8_t>(pick(random, 0, 2));
    in.y_pad_1 = static_cast<std::uint8_t>(pick(random, 0, 2));
    in.x_pad_0 = static_cast<std::uint8_t>(pick(random, 0, 2));
    in.x_pad_1 = static_cast<std::uint8_t>(pick(random, 0, 15));
}

void draw_steps(Random& random, const Config& config, const Codec& codec, Instruction& in) {
    const bool wild = chance(random, 10);
    in.uop_begin = static_cast<std::uint16_t>(pick(random, 0, std::min(config.uop_depth - 1, 6)));
    in.uop_end = static_cast<std::uint16_t>(wild ? pick(random, 0, config.uop_depth)
                                                 : std::min(config.uop_depth, in.uop_begin + pick(random, 0, 3)));
    in.iter_out = static_cast<std::uint16_t>(pick(random, 0, 3));
    in.iter_in = static_cast<std::uint16_t>(pick(random, 0, 3));
    for (const FieldLayout& at : codec.layout(in.opcode)) {
        if (at.field < Field::DstOut || at.field > Field::WgtIn) continue;
        const int largest = (1 << at.width) - 1;
        set_field(in, at.field, wild ? pick(random, 0, largest) : pick(random, 0, std::min(largest, 2)));
    }
    if (in.opcode == Opcode::Gemm) {
        in.reset = chance(random, 30);
        return;
    }
    in.alu_op = static_cast<AluOp>(pick(random, 0, 4));
    in.use_imm = chance(random, 60);
    in.imm = static_cast<std::int16_t>(in.alu_op == AluOp::Shr && chance(random, 70) ? pick(random, -40, 40)
                                                                                     : pick(random, -32768, 32767));
}

/// Flags as a sequential program would have them, so that many streams finish; then some are flipped.
void draw_flags(Random& random, std::vector<Instruction>& stream, int flips) {
    std::array<int, kTokenQueues> tokens{};
    for (Instruction& in : stream) {
        const Module module = module_of(in);
        const auto draw = [&](std::optional<TokenQueue> queue, bool pop) {
            if (!queue || !chance(random, 40)) return false;
            int& count = tokens[std::size_t(*queue)];
            if (pop && count == 0) return false;
            count += pop ? -1 : 1;
            return true;
        };
        in.pop_prev = draw(pop_queue(module, false), true);
        in.pop_next = draw(pop_queue(module, true), true);
        in.push_prev = draw(push_queue(module, false), false);
        in.push_next = draw(push_queue(module, true), false);
    }
    for (int i = 0; i < flips && !stream.empty(); ++i) {
        Instruction& in = stream[std::size_t(pick(random, 0, int(stream.size()) - 1))];
        bool Instruction::*flag[] = {&Instruction::pop_prev, &Instruction::pop_next, &Instruction::push_prev,
                                     &Instruction::push_next};
        bool& bit = in.*flag[pick(random, 0, 3)];
        bit = !bit;
    }
}

Program random_stream(Random& random) {
    Program program;
    program.config = small_config(random);
    program.dram.resize(std::size_t(pick(random, 0, 8192)));
    for (auto& byte : program.dram) byte = static_cast<std::uint8_t>(random());
    const Codec codec(program.config);
    // Mostly small micro-op indices, so that steps stay in range.
    for (std::size_t a = 0; a + 4 <= program.dram.size() && a < 160; a += 4) {
        const Uop uop{static_cast<std::uint16_t>(pick(random, 0, 1)), static_cast<std::uint16_t>(pick(random, 0, 1)),
                      static_cast<std::uint16_t>(pick(random, 0, 1))};
        const std::uint32_t word = codec.encode_uop(uop).value();
        for (std::size_t i = 0; i < 4; ++i) program.dram[a + i] = static_cast<std::uint8_t>(word >> (8 * i));
    }
    const int count = pick(random, 0, 40);
    for (int i = 0; i < count; ++i) {
        Instruction in;
        in.opcode = static_cast<Opcode>(
            pick(random, 0, 19) == 0 ? 3 : std::array{0, 0, 1, 2, 4}[std::size_t(pick(random, 0, 4))]);
        if (in.opcode == Opcode::Load)
            in.memory = static_cast<MemoryId>(
                chance(random, 5) ? 4 : std::array{0, 1, 2, 3, 5}[std::size_t(pick(random, 0, 4))]);
        if (in.opcode == Opcode::Store)
            in.memory = chance(random, 95) ? MemoryId::Out : static_cast<MemoryId>(pick(random, 0, 5));
        if (in.opcode == Opcode::Load || in.opcode == Opcode::Store) draw_transfer(random, program.config, in);
        if (in.opcode == Opcode::Gemm || in.opcode == Opcode::Alu) draw_steps(random, program.config, codec, in);
        program.instructions.push_back(in);
    }
    draw_flags(random, program.instructions, chance(random, 50) ? 0 : pick(random, 1, 4));
    return program;
}

void check_same_state(const Machine& machine, const NaiveMachine& naive) {
    const Config& c = machine.config();
    REQUIRE(machine.dram() == naive.dram);
    const auto same = [](const auto& tile, const std::vector<std::int64_t>& scalars, int index) {
        return std::equal(tile.begin(), tile.end(), scalars.begin() + static_cast<std::ptrdiff_t>(tile.size()) * index);
    };
    bool equal = true;
    for (int i = 0; i < c.inp_depth(); ++i) equal = equal && same(machine.inp_tile(i), naive.inp, i);
    for (int i = 0; i < c.wgt_depth(); ++i) equal = equal && same(machine.wgt_tile(i), naive.wgt, i);
    for (int i = 0; i < c.acc_depth(); ++i) equal = equal && same(machine.acc_tile(i), naive.acc, i);
    for (int i = 0; i < c.acc_depth() && !c.semantics.store_from_acc; ++i)
        equal = equal && same(machine.out_tile(i), naive.out, i);
    const Codec codec(c);
    for (int i = 0; i < c.uop_depth; ++i)
        equal = equal && machine.uop(i) == codec.decode_uop(naive.uops[std::size_t(i)]);
    REQUIRE(equal);
}

struct Tally {
    int finished = 0, deadlocked = 0, faulty = 0, racing = 0, clean = 0;
};

bool has(const FunctionalModel& model, DiagnosticKind kind) {
    return std::any_of(model.diagnostics().begin(), model.diagnostics().end(),
                       [&](const Diagnostic& d) { return d.kind == kind; });
}

void check_stream(Random& random, Tally& tally) {
    const Program program = random_stream(random);
    NaiveMachine naive(program);
    const bool all = naive.run();
    FunctionalModel model(program);
    const RunState state = model.run();
    REQUIRE(state == (all ? RunState::Finished : RunState::Deadlocked));
    REQUIRE(model.executed() == std::uint64_t(std::count(naive.done.begin(), naive.done.end(), true)));
    check_same_state(model.machine(), naive);
    for (int q = 0; q < kTokenQueues; ++q)
        REQUIRE(model.tokens(static_cast<TokenQueue>(q)) == naive.tokens[std::size_t(q)]);

    const CycleResult cycles = simulate_cycles(program);
    REQUIRE(cycles.state == state);
    REQUIRE(cycles.blocked == model.blocked());
    for (std::size_t i = 0; i < naive.done.size(); ++i)
        REQUIRE((cycles.records[i].completed != kNever) == naive.done[i]);
    for (const auto& lane : cycles.causes)
        REQUIRE(std::accumulate(lane.begin(), lane.end(), std::uint64_t{0}) == cycles.total_cycles);
    if (state == RunState::Deadlocked) {
        // Every deadlock names at least one token or the full queue that everything waits behind.
        REQUIRE(std::any_of(cycles.blocked.begin(), cycles.blocked.end(),
                            [](const Blocked& b) { return b.missing.has_value(); }));
    }
    const bool racing = has(model, DiagnosticKind::UnorderedAccess);
    if (!racing) check_same_state(execute_in_order(program, completion_order(program, cycles)), naive);
    for (const Diagnostic& d : model.diagnostics()) REQUIRE_FALSE(describe(d).empty());
    tally.finished += all;
    tally.deadlocked += !all;
    tally.racing += racing;
    tally.faulty += has(model, DiagnosticKind::Faulted);
    tally.clean += all && !racing && !has(model, DiagnosticKind::Faulted);
}

void check_streams(int count, unsigned seed) {
    Tally tally;
    Random random(seed);
    for (int i = 0; i < count; ++i) {
        INFO("seed " << seed << ", stream " << i);
        check_stream(random, tally);
    }
    INFO("finished " << tally.finished << ", deadlocked " << tally.deadlocked << ", faulty " << tally.faulty
                     << ", racing " << tally.racing << ", clean " << tally.clean);
    // The mixture must not degenerate.
    CHECK(tally.finished > count / 4);
    CHECK(tally.deadlocked > count / 10);
    CHECK(tally.faulty > count / 4);
    CHECK(tally.racing > count / 20);
    CHECK(tally.clean > count / 50);
    if (count >= 100000) {
        WARN("finished " << tally.finished << ", deadlocked " << tally.deadlocked << ", faulty " << tally.faulty
                         << ", racing " << tally.racing << ", clean " << tally.clean);
    }
}

} // namespace

TEST_CASE("random streams: both functional models and the cycle model agree", "[vta][robustness]") {
    check_streams(3000, 31);
}
TEST_CASE("100,000 random streams", "[.nightly]") { check_streams(100000, 32); }

TEST_CASE("random bits are refused or run, and never break", "[vta][robustness]") {
    Random random(33);
    const Config config = preset("tsim-de10").value();
    const Codec codec(config);
    int decoded = 0;
    for (int i = 0; i < 20000; ++i) {
        const Encoded bits{(std::uint64_t{random()} << 32) | random(), (std::uint64_t{random()} << 32) | random()};
        const Result<Instruction> in = codec.decode(bits);
        if (!in) continue;
        ++decoded;
        REQUIRE(codec.encode(*in).value() == bits);
        Program program;
        program.config = config;
        program.dram.resize(4096);
        program.instructions = {*in};
        if (decoded % 20 != 0) continue;
        const CycleResult cycles = simulate_cycles(program);
        REQUIRE((cycles.state == RunState::Finished || cycles.state == RunState::Deadlocked));
        FunctionalModel model(program, {.max_steps = 1 << 16});
        model.run();
    }
    CHECK(decoded > 1000);
}
