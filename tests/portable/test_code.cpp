// Code made for machines of other kinds: that its inner loops are whole vectors in registers is read off its assembly.

#include "tests/portable/programs.hpp"

#include <algorithm>
#include <set>

using namespace orrery;
using namespace orrery::portable;

namespace {

/// Which registers written like "v%.4s" a line names, % being a number.
void add_registers(std::string_view line, std::string_view form, std::set<int>& found) {
    if (form.empty()) return;
    const std::string_view before = form.substr(0, form.find('%')), after = form.substr(form.find('%') + 1);
    for (std::size_t at = line.find(before); at != std::string_view::npos; at = line.find(before, at)) {
        at += before.size();
        std::size_t end = at;
        int number = 0;
        for (; end < line.size() && line[end] >= '0' && line[end] <= '9'; ++end) number = number * 10 + line[end] - '0';
        if (end > at && line.substr(end).starts_with(after)) found.insert(number);
    }
}

/// The innermost loop with most multiplications of whole vectors.
struct Loop {
    std::vector<std::string> lines;
    int multiplications = 0, narrower = 0, on_stack = 0;
    std::set<int> registers;
};

/// Whether a line reads or writes a fixed place of the stack: a value there was no register for. A place that moves
/// with the loop is an element of an array.
bool spilled(std::string_view line, std::string_view stack) {
    const std::size_t at = line.find("[" + std::string(stack));
    if (at == std::string_view::npos) return false;
    const std::string_view offset = line.substr(at + 1 + stack.size(), line.find(']', at) - at - 1 - stack.size());
    return std::ranges::none_of(offset, [](char c) { return c >= 'a' && c <= 'z'; });
}

std::string instruction(const std::string& line) {
    const std::size_t at = line.find_first_not_of(' ');
    return at == std::string::npos ? line : line.substr(at);
}

Loop busiest_loop(const FunctionCode& code, const Machine& machine) {
    Loop best;
    for (const LoopCost& loop : code.cost.loops) {
        if (!loop.innermost) continue;
        Loop one;
        for (std::size_t i = loop.first; i <= loop.last; ++i) {
            const std::string& line = one.lines.emplace_back(code.assembly.lines[i].text);
            std::set<int> here, half;
            add_registers(line, machine.vector, here);
            add_registers(line, machine.narrower, half);
            const bool multiplies = instruction(line).starts_with(machine.multiply);
            one.multiplications += multiplies && !here.empty();
            one.narrower += multiplies && !half.empty();
            one.on_stack += (!here.empty() || !half.empty()) && spilled(line, machine.stack);
            one.registers.insert(here.begin(), here.end());
        }
        if (one.multiplications >= best.multiplications) best = std::move(one);
    }
    return best;
}

Loop busiest_loop(const session::FunctionPtr& function, const session::Recipe& recipe, const Machine& machine) {
    const auto code = compiler().code(recipe, function);
    if (!code) FAIL(to_string(code.error()));
    REQUIRE((*code)->cost.unknown.empty());
    return busiest_loop(**code, machine);
}

std::string text_of(const Loop& loop) {
    std::string text;
    for (const std::string& line : loop.lines) text += line + "\n";
    return text;
}

} // namespace

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
