#include "tests/vta-sim/random_programs.hpp"
#include "vta-sim/conv2d.hpp"
#include "vta-sim/replay.hpp"

#include <catch2/catch.hpp>

using namespace orrery::vta;
using orrery::vta::testing::Random;

namespace {

Program conv_program() {
    Random random(41);
    ConvJob job;
    job.shape = {.in_channels = 48,
                 .out_channels = 48,
                 .height = 10,
                 .width = 10,
                 .kernel_h = 3,
                 .kernel_w = 3,
                 .pad_h = 1,
                 .pad_w = 1};
    job.tile = {2, 5, 1, 1, 2};
    job.epilogue = {.bias = true, .shift = 6, .clip = true};
    const auto input = testing::random_values(random, std::size_t(job.shape.input().size()), 8);
    const auto weight = testing::random_values(random, std::size_t(job.shape.weight().size()), 8);
    const auto bias = testing::random_values(random, 48, 16);
    job.tensors = {input, weight, bias};
    return conv2d_program(preset("tsim-de10").value(), job).value();
}

/// State after `position` instructions, from the start.
void check_state(const Program& program, const Replay& replay, std::uint64_t position) {
    FunctionalModel fresh(program, {.check_accesses = false});
    while (fresh.executed() < position) REQUIRE(fresh.step());
    REQUIRE(replay.position() == position);
    REQUIRE(replay.machine().dram() == fresh.machine().dram());
    REQUIRE(replay.machine().chip() == fresh.machine().chip());
    REQUIRE(replay.model().progress() == fresh.progress());
}

} // namespace

TEST_CASE("any instruction can be visited in any order", "[vta][replay]") {
    const Program program = conv_program();
    Replay replay(program, {.first_spacing = 4, .max_checkpoints = 16});
    const std::uint64_t total = program.instructions.size();
    REQUIRE(total > 200);
    Random random(42);
    for (int i = 0; i < 60; ++i) {
        const std::uint64_t target = random() % (total + 1);
        CHECK(replay.seek(target) == target);
        check_state(program, replay, target);
    }
    CHECK(replay.checkpoints() <= 17);
}

TEST_CASE("stepping back undoes one instruction", "[vta][replay]") {
    const Program program = conv_program();
    Replay replay(program);
    replay.seek(100);
    const std::uint32_t last = replay.executed_at(99);
    REQUIRE(replay.back());
    check_state(program, replay, 99);
    REQUIRE(replay.forward());
    CHECK(replay.executed_at(99) == last);
    check_state(program, replay, 100);
    replay.seek(0);
    CHECK_FALSE(replay.back());
}

TEST_CASE("the end is the end, deadlocked or not", "[vta][replay]") {
    Program program = conv_program();
    {
        Replay replay(program);
        CHECK(replay.seek(1 << 20) == program.instructions.size());
        CHECK_FALSE(replay.forward());
        CHECK(replay.model().state() == RunState::Finished);
    }
    program.instructions[program.instructions.size() / 2].pop_next = true;
    program.instructions[program.instructions.size() / 2].pop_prev = true;
    Replay stuck(program);
    const std::uint64_t reached = stuck.seek(1 << 20);
    CHECK(stuck.model().state() == RunState::Deadlocked);
    CHECK(reached < program.instructions.size());
    CHECK_FALSE(stuck.model().blocked().empty());
    CHECK(stuck.back());
    check_state(program, stuck, reached - 1);
}

TEST_CASE("a jump back replays at most one spacing", "[vta][replay]") {
    const Program program = conv_program();
    Replay replay(program, {.first_spacing = 8, .max_checkpoints = 1000});
    replay.seek(program.instructions.size());
    CHECK(replay.checkpoints() == program.instructions.size() / 8 + 1);
}
