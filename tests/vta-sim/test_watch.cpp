#include "vta-sim/cycle_model.hpp"
#include "vta-sim/examples.hpp"
#include "vta-sim/occupancy.hpp"
#include "vta-sim/replay.hpp"
#include "vta-sim/watch.hpp"

#include <catch2/catch.hpp>

using namespace orrery::vta;

namespace {

/// Stops a computation the first time it says how far it is.
struct StopAtOnce {
    std::stop_source source;
    int told = 0;
    Watch watch{source.get_token(), [this](double fraction) {
                    CHECK(fraction > 0);
                    CHECK(fraction < 1);
                    ++told;
                    source.request_stop();
                }};
};

/// So many instructions that a watch is asked several times.
Program long_stream() {
    Program program;
    program.config = preset("tsim-de10").value();
    program.dram.resize(1 << 12);
    Instruction load;
    load.opcode = Opcode::Load, load.memory = MemoryId::Inp;
    load.y_size = load.x_size = load.x_stride = 1;
    program.instructions.assign(20'000, load);
    program.instructions.emplace_back();
    return program;
}

} // namespace

TEST_CASE("what is watched tells how far it is, and ends when it is stopped", "[vta][watch]") {
    const Program program = long_stream();
    {
        StopAtOnce stop;
        CHECK(simulate_cycles(program, {.watch = stop.watch}).state == RunState::Stopped);
        CHECK(stop.told == 1);
    }
    {
        StopAtOnce stop;
        FunctionalModel model(program, {.watch = stop.watch});
        CHECK(model.run() == RunState::Stopped);
        CHECK(model.executed() < program.instructions.size());
        CHECK_FALSE(model.step()); // and stays so
        CHECK(stop.told == 1);
    }
    {
        StopAtOnce stop;
        (void)sram_occupancy(program, simulate_cycles(program), 100, stop.watch);
        CHECK(stop.told == 1);
    }
    {
        StopAtOnce stop;
        Replay replay(program);
        const std::uint64_t reached = replay.seek(15'000, stop.watch);
        CHECK(reached < 15'000);
        CHECK(reached == replay.position());
        CHECK(replay.seek(15'000) == 15'000); // it goes on from there
    }
}

TEST_CASE("a search for tiles ends when it is stopped", "[vta][watch]") {
    StopAtOnce stop;
    stop.source.request_stop();
    const Result<Program> program =
        example_program(preset("tsim-de10").value(), "resnet18", {.watch = {stop.source.get_token(), {}}});
    REQUIRE_FALSE(program);
    CHECK(program.error().code == ErrorCode::Stopped);
}

TEST_CASE("a watch that is not stopped changes nothing", "[vta][watch]") {
    const Program program = long_stream();
    std::stop_source source;
    double last = 0;
    const Watch watch{source.get_token(), [&last](double fraction) {
                          CHECK(fraction >= last);
                          last = fraction;
                      }};
    CHECK(simulate_cycles(program, {.watch = watch}).total_cycles == simulate_cycles(program).total_cycles);
    CHECK(last > 0.9);
}
