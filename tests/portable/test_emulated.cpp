// Code for other machines runs on an emulator: its results are the interpreter's, and its instructions are counted.

#include "tests/portable/emulator.hpp"
#include "tests/portable/programs.hpp"
#include "tests/support/run_calls.hpp"

#include <iostream>

using namespace orrery;
using namespace orrery::portable;

namespace {

constexpr double kTolerance = 1e-5; ///< of the largest element: sums of some hundred terms in another order

/// The machines that can be emulated here; says what is missing for the others.
std::vector<Machine> emulated() {
    std::vector<Machine> out;
    for (const Machine& machine : kMachines) {
        if (machine.emulator[0] == '\0') continue;
        const std::string missing = missing_for(machine);
        if (missing.empty())
            out.push_back(machine);
        else
            WARN("no code for " << machine.name << " is run here: there is no " << missing
                                << " (Debian's qemu-user, llvm-19, lld-19)");
    }
    return out;
}

EmulatedRun run(const Model& model, const Machine& machine) {
    const auto inputs = session::drawn_inputs(*model, 1);
    if (!inputs) FAIL(to_string(inputs.error()));
    const auto expected = test::run_calls(model->model, *inputs);
    if (!expected) FAIL(to_string(expected.error()));
    Result<EmulatedRun> done = emulate(*model, *inputs, machine);
    if (!done) FAIL(to_string(done.error()));
    REQUIRE(done->outputs.size() == expected->size());
    for (std::size_t i = 0; i < expected->size(); ++i) {
        const Difference d = compare(done->outputs[i], (*expected)[i]);
        if (d.max_rel > kTolerance) FAIL("at " << d.worst_index << ": " << d.actual << ", not " << d.expected);
    }
    return *std::move(done);
}

/// What is executed for each multiplication of whole vectors that the kernel asks for.
double per_multiplication(const EmulatedRun& run, const Kernel& kernel, const Machine& machine) {
    return static_cast<double>(run.instructions()) * static_cast<double>(machine.lanes()) /
           static_cast<double>(kernel.products);
}

/// Most instructions a multiplication, some 5 % above what there are (docs/performance.md). An addition to a sum is an
/// instruction of its own on SSE2, and so is a copy of what a multiplication overwrites.
struct Bound {
    const Kernel& kernel;
    double neon, sse2, avx2;
    [[nodiscard]] double of(const Machine& machine) const {
        return machine.name == kNeon.name ? neon : machine.name == kSse.name ? sse2 : avx2;
    }
};
constexpr std::array<Bound, 4> kBounds = {
    {{kMatmul, 1.67, 4.3, 2.3}, {kConv, 1.72, 4.4, 2.36}, {kPlainConv, 2.6, 5.3, 2.83}, {kDepthwise, 4.7, 5.1, 3.5}}};

} // namespace

TEST_CASE("kernels for other machines compute what the interpreter does, with few instructions",
          "[portable][emulated]") {
    for (const Machine& machine : emulated()) {
        for (const Bound& bound : kBounds) {
            const EmulatedRun done = run(compiled(bound.kernel, machine), machine);
            INFO(machine.name << ", " << bound.kernel.name << ": " << done.instructions() << " instructions");
            CHECK(done.count(machine.multiply) * machine.lanes() >= bound.kernel.products);
            CHECK(per_multiplication(done, bound.kernel, machine) <= bound.of(machine));
        }
        INFO(machine.name);
        run(compiled(kSoftmax, machine), machine);
    }
}

TEST_CASE("a network for another machine computes what the interpreter does", "[portable][emulated]") {
    for (const Machine& machine : emulated())
        for (const bool winograd : {false, true}) {
            INFO(machine.name << (winograd ? ", Winograd" : ""));
            if (winograd && machine.lanes() > 4) continue; // long code; other tests run it as this machine's own
            run(compiled_network(machine, winograd), machine);
        }
}

TEST_CASE("schedules save most of the instructions of plain loops", "[portable][emulated]") {
    constexpr Kernel kSmall{"matmul", R"(kernel matmul
input A: f32[12, 16], B: f32[16, 32]
C[i: 12, j: 32] = sum[k: 16](A[i, k] * B[k, j])
)",
                            std::int64_t{12} * 32 * 16};
    for (const Machine& machine : emulated()) {
        INFO(machine.name);
        const EmulatedRun plain = run(compiled(kSmall, machine, session::ScheduleRule::None), machine);
        const EmulatedRun scheduled = run(compiled(kSmall, machine), machine);
        CHECK(scheduled.count(machine.multiply) == kSmall.products / machine.lanes());
        CHECK(scheduled.instructions() * 8 < plain.instructions());
    }
}

TEST_CASE("the table of docs/performance.md", "[portable][.nightly]") {
    for (const Machine& machine : emulated())
        for (const Kernel& kernel : {kMatmul, kConv}) {
            const EmulatedRun scheduled = run(compiled(kernel, machine), machine);
            const EmulatedRun plain = run(compiled(kernel, machine, session::ScheduleRule::None), machine);
            std::cout << machine.name << ", " << kernel.name << ": at least " << kernel.products / machine.lanes()
                      << ", scheduled " << scheduled.instructions() << ", plain " << plain.instructions() << "\n";
        }
}
