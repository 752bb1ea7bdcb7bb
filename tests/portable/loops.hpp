#pragma once
// The inner loops of code, read off its assembly.

#include "tests/portable/programs.hpp"

#include <algorithm>
#include <set>
#include <string>
#include <vector>

namespace orrery::portable {

/// Which registers written like "v%.4s" a line names, % being a number.
inline void add_registers(std::string_view line, std::string_view form, std::set<int>& found) {
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
    int stored_on_stack = 0; ///< of those: an array there that is read at fixed places is no sum without a register
    std::set<int> registers;
};

/// Whether a line reads or writes a fixed place of the stack: a value there was no register for. A place that moves
/// with the loop is an element of an array.
inline bool spilled(std::string_view line, std::string_view stack) {
    const std::size_t at = line.find("[" + std::string(stack));
    if (at == std::string_view::npos) return false;
    const std::string_view offset = line.substr(at + 1 + stack.size(), line.find(']', at) - at - 1 - stack.size());
    return std::ranges::none_of(offset, [](char c) { return c >= 'a' && c <= 'z'; });
}

inline std::string instruction(const std::string& line) {
    const std::size_t at = line.find_first_not_of(' ');
    return at == std::string::npos ? line : line.substr(at);
}

inline Loop busiest_loop(const FunctionCode& code, const Machine& machine) {
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
            const bool on_stack = (!here.empty() || !half.empty()) && spilled(line, machine.stack);
            one.on_stack += on_stack;
            one.stored_on_stack += on_stack && line.find('[') < line.find(','); // the first operand is written
            one.registers.insert(here.begin(), here.end());
        }
        if (one.multiplications >= best.multiplications) best = std::move(one);
    }
    return best;
}

inline Loop busiest_loop(const session::FunctionPtr& function, const session::Recipe& recipe, const Machine& machine) {
    const auto code = compiler().code(recipe, function);
    if (!code) FAIL(to_string(code.error()));
    REQUIRE((*code)->cost.unknown.empty());
    return busiest_loop(**code, machine);
}

inline std::string text_of(const Loop& loop) {
    std::string text;
    for (const std::string& line : loop.lines) text += line + "\n";
    return text;
}

} // namespace orrery::portable
