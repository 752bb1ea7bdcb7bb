// Code made for machines of other kinds: that its inner loops are whole vectors in registers is read off its assembly.

#include "tests/portable/loops.hpp"

using namespace orrery;
using namespace orrery::portable;

TEST_CASE("a machine's vectors are those of the processor that is named", "[portable][target]") {
    for (const Machine& machine : kMachines) {
        INFO(machine.name);
        CHECK(target_of(machine).vector_bits == machine.vector_bits);
        CHECK(target_of(machine).vector_registers == machine.vector_registers);
    }
}

TEST_CASE("the inner loop of a product or convolution is a tile of whole vectors in registers, for any machine",
          "[portable][code]") {
    for (const Machine& machine : kMachines)
        for (const Kernel& kernel : {kMatmul, kConv}) {
            const session::Recipe recipe = recipe_of(kernel, machine);
            const Model model = compiled(kernel, machine);
            REQUIRE(model->functions.size() == 1);
            const Loop loop = busiest_loop(model->functions.front(), recipe, machine);
            INFO(machine.name << ", " << kernel.name << "\n" << text_of(loop));
            // Sums that hide a multiplication's latency: four cycles of two multiplications.
            CHECK(loop.multiplications >= 8);
            CHECK(loop.narrower == 0);
            CHECK(loop.on_stack == 0);
            // A tile uses half of the registers at least: loads are shared by as many products as fit.
            CHECK(static_cast<int>(loop.registers.size()) * 2 >= machine.vector_registers);
        }
}

TEST_CASE("channels that fill no whole number of registers are a tile of several, one of them in part",
          "[portable][code]") {
    const session::Recipe recipe = recipe_of(kOddConv, kAvx512);
    const Loop loop = busiest_loop(compiled(kOddConv, kAvx512)->functions.front(), recipe, kAvx512);
    INFO(text_of(loop));
    // Two whole registers and a part of one for each row, of at least four.
    CHECK(loop.multiplications >= 8);
    CHECK(loop.on_stack == 0);
    std::size_t numbers = 0; // of the image, each for all of a row
    for (const std::string& line : loop.lines) numbers += instruction(line).starts_with("vbroadcastss");
    CHECK(numbers * 2 <= static_cast<std::size_t>(loop.multiplications));
}

TEST_CASE("other kernels' inner loops keep vectors in registers too", "[portable][code]") {
    for (const Machine& machine : kMachines)
        for (const Kernel& kernel : {kPlainConv, kDepthwise, kSoftmax}) {
            const session::Recipe recipe = recipe_of(kernel, machine);
            const Model model = compiled(kernel, machine);
            for (const session::FunctionPtr& function : model->functions) {
                const Loop loop = busiest_loop(function, recipe, machine);
                INFO(machine.name << ", " << kernel.name << "\n" << text_of(loop));
                CHECK(loop.on_stack == 0);
                CHECK_FALSE(loop.registers.empty());
            }
        }
}

TEST_CASE("a network's kernels for other machines keep vectors in registers", "[portable][code]") {
    for (const Machine& machine : kMachines) {
        session::Recipe recipe = compiler().new_recipe({});
        recipe.target = target_of(machine);
        const Model model = compiled_network(machine, false);
        for (const session::FunctionPtr& function : model->functions) {
            const Loop loop = busiest_loop(function, recipe, machine);
            INFO(machine.name << ", " << function->lowered.name << "\n" << text_of(loop));
            CHECK(loop.on_stack == 0);
        }
    }
}

TEST_CASE("plain loops are scalar on any machine", "[portable][code]") {
    for (const Machine& machine : kMachines) {
        const session::Recipe recipe = recipe_of(kMatmul, machine, session::ScheduleRule::None);
        const Model model = compiled(kMatmul, machine, session::ScheduleRule::None);
        const Loop loop = busiest_loop(model->functions.front(), recipe, machine);
        INFO(machine.name << "\n" << text_of(loop));
        CHECK(loop.multiplications == 0);
    }
}
