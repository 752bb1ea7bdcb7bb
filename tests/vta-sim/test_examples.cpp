#include "vta-sim/counters.hpp"
#include "vta-sim/examples.hpp"
#include "vta-sim/functional_model.hpp"

#include <catch2/catch.hpp>

using namespace orrery::vta;

namespace {

Work sum_of(const std::vector<OriginCounters>& origins) {
    Work sum;
    for (const OriginCounters& origin : origins) sum += origin.work;
    return sum;
}

} // namespace

TEST_CASE("every example runs to its end without a finding, but for the one that is to stand still",
          "[vta][examples]") {
    const Config config = preset("tsim-de10").value();
    for (const Example& example : examples()) {
        for (const int contexts : {1, 2}) {
            CAPTURE(example.name, contexts);
            const Result<Program> program =
                example_program(config, example.name, {.contexts = contexts, .candidates = 2});
            REQUIRE(program.has_value());
            const CycleResult cycles = simulate_cycles(*program);
            FunctionalModel model(*program);
            model.run();
            if (example.name == "deadlock") {
                REQUIRE(cycles.state == RunState::Deadlocked);
                REQUIRE_FALSE(cycles.blocked.empty());
                CHECK(cycles.blocked.front().missing == TokenQueue::LoadToCompute);
                CHECK(model.state() == RunState::Deadlocked);
                continue;
            }
            CHECK(cycles.state == RunState::Finished);
            CHECK(model.state() == RunState::Finished);
            CHECK(model.diagnostics().empty());
        }
    }
}

TEST_CASE("examples fit the other shipped configurations, or say why not", "[vta][examples]") {
    for (const std::string_view name : preset_names()) {
        CAPTURE(name);
        const Result<Program> program = example_program(preset(name).value(), "matmul");
        REQUIRE(program.has_value());
        CHECK(simulate_cycles(*program).state == RunState::Finished);
    }
    CHECK(example_program(preset("default").value(), "no such").error().code == ErrorCode::UnknownName);
    Config illegal = preset("default").value();
    illegal.log_block = 7;
    CHECK(example_program(illegal, "matmul").error().code == ErrorCode::BadConfig);
    Config tiny = preset("default").value();
    tiny.log_wgt_buff = 9; // two weight tiles: a 3x3 kernel needs nine
    CHECK(example_program(tiny, "resnet18_c2").error().code == ErrorCode::IllegalTile);
}

TEST_CASE("the ResNet example has the network's multiplications", "[vta][examples]") {
    const Program program = example_program(preset("tsim-de10").value(), "resnet18", {.candidates = 1}).value();
    const Summary summary = summarize(program, simulate_cycles(program));
    CHECK(summary.work.gemm_steps == 6'623'232);
    CHECK(summary.origins.size() >= 19);
}

TEST_CASE("ranges add up to the whole", "[vta][counters]") {
    const Program program = example_program(preset("tsim-de10").value(), "resnet18_c4", {.candidates = 1}).value();
    const CycleResult result = simulate_cycles(program);
    const Summary whole = summarize(program, result);
    const Summary same = summarize_range(program, result, 0, kNever);
    CHECK(same.work == whole.work);
    CHECK(same.cycles == whole.cycles);
    CHECK(same.bound == whole.bound);
    CHECK(same.sentence == whole.sentence);
    for (std::size_t i = 0; i < whole.origins.size(); ++i) CHECK(same.origins[i].causes == whole.origins[i].causes);

    Work parts;
    std::uint64_t cycles = 0;
    const std::uint64_t cuts[] = {0, 1, 1000, 31'337, whole.cycles / 2, whole.cycles};
    for (std::size_t i = 0; i + 1 < std::size(cuts); ++i) {
        const Summary part = summarize_range(program, result, cuts[i], cuts[i + 1]);
        std::uint64_t compute = 0;
        for (const OriginCounters& origin : part.origins)
            for (const std::uint64_t c : origin.causes[1]) compute += c;
        CHECK(compute + count_range(result, cuts[i], cuts[i + 1]).causes[1][std::size_t(Cause::Idle)] ==
              cuts[i + 1] - cuts[i]);
        CHECK(sum_of(part.origins) == part.work);
        parts += part.work;
        cycles += part.cycles;
    }
    CHECK(cycles == whole.cycles);
    // An instruction cut in two is rounded in both parts.
    const auto near = [](std::uint64_t a, std::uint64_t b) { return a > b ? a - b <= 8 : b - a <= 8; };
    CHECK(near(parts.gemm_steps, whole.work.gemm_steps));
    CHECK(near(parts.alu_steps, whole.work.alu_steps));
    CHECK(near(parts.inp_load_bytes, whole.work.inp_load_bytes));
    CHECK(near(parts.out_store_bytes, whole.work.out_store_bytes));
}

TEST_CASE("the sentence names what stands beside the GEMM unit", "[vta][counters]") {
    const auto sentence = [](int contexts) {
        const Program program =
            example_program(preset("tsim-de10").value(), "resnet18_c9", {.contexts = contexts}).value();
        return summarize(program, simulate_cycles(program)).sentence;
    };
    CHECK(sentence(1).find("a second context would overlap them") != std::string::npos);
    CHECK(sentence(2).find("loads") == std::string::npos);
}
