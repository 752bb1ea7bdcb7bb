#include "core/target/code_cost.hpp"

#include <cstdio>

namespace orrery {

namespace {

std::string cycles_text(double cycles) {
    char text[32];
    std::snprintf(text, sizeof text, "%.1f", cycles);
    return text;
}

} // namespace

std::string describe(const LoopCost& loop, const CodeCost& cost) {
    if (loop.bound == LoopBound::Unknown) return loop.innermost ? "not simulated" : "holds other loops";
    std::string out = cycles_text(loop.cycles) + " cycles an iteration, bound by ";
    switch (loop.bound) {
    case LoopBound::Ports: return out + loop.ports.front().name + " (" + cycles_text(loop.bound_cycles) + ")";
    case LoopBound::Dispatch:
        return out + "dispatch: " + std::to_string(loop.micro_ops) + " micro-ops, " +
               std::to_string(cost.dispatch_width) + " a cycle";
    default: return out + "results that the next iteration waits for";
    }
}

} // namespace orrery
