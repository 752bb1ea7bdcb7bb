#include "vta-sim/diagnostic.hpp"

namespace orrery::vta {
namespace {

std::string number(std::uint32_t instruction) { return "#" + std::to_string(instruction); }

std::string at(const Diagnostic& d) {
    return std::string(place_name(d.place)) + (d.place == Place::Dram ? " byte " : "[") + std::to_string(d.address) +
           (d.place == Place::Dram ? "" : "]") + (d.count > 1 ? " and " + std::to_string(d.count - 1) + " more" : "");
}

} // namespace

std::string_view diagnostic_name(DiagnosticKind kind) {
    constexpr std::array<std::string_view, 8> names = {"fault",         "uninitialized read", "unordered access",
                                                       "dangling flag", "surplus tokens",     "after finish",
                                                       "no finish",     "reuse hazard"};
    return names[static_cast<std::size_t>(kind)];
}

std::string_view place_name(Place place) {
    constexpr std::array<std::string_view, 6> names = {"uop", "wgt", "inp", "acc", "out", "dram"};
    return names[static_cast<std::size_t>(place)];
}

std::string describe(const Diagnostic& d) {
    switch (d.kind) {
    case DiagnosticKind::Faulted:
        return "instruction " + number(d.instruction) + " moves no data: " + std::string(fault_name(d.fault));
    case DiagnosticKind::UninitializedRead:
        return "instruction " + number(d.instruction) + " reads " + at(d) + ", which nothing wrote";
    case DiagnosticKind::UnorderedAccess:
        return "instruction " + number(d.instruction) + " touches " + at(d) +
               " and no token orders it after instruction " + number(d.other);
    case DiagnosticKind::DanglingFlag:
        return "instruction " + number(d.instruction) + " sets a flag that has no queue in its module";
    case DiagnosticKind::SurplusTokens:
        return std::to_string(d.count) + " tokens are left in " + std::string(queue_name(*d.queue)) + " at the end";
    case DiagnosticKind::AfterFinish: return "instruction " + number(d.instruction) + " comes after FINISH";
    case DiagnosticKind::MissingFinish: return "the program has no FINISH";
    case DiagnosticKind::ReuseHazard:
        return "instruction " + number(d.instruction) + " rewrites acc[" + std::to_string(d.address) +
               "] before the pipeline has finished with it";
    }
    throw InternalError("describe of an unknown diagnostic");
}

std::string describe(const Blocked& b) {
    std::string text = std::string(module_name(b.module)) + " stands at instruction " + number(b.instruction);
    if (b.missing) {
        text += ": flag " + std::string(b.flag_next ? "pop_next" : "pop_prev") + " waits for a token in " +
                std::string(queue_name(*b.missing));
        text += b.next_pusher == kNoInstruction
                    ? ", and no remaining instruction pushes one"
                    : ", to be pushed by instruction " + number(b.next_pusher) + ", which cannot run";
    } else if (b.full) {
        text += ": its push finds " + std::string(queue_name(*b.full)) + " full";
    } else if (b.full_commands) {
        text += ": the command queue of " + std::string(module_name(*b.full_commands)) + " is full";
    } else {
        text += ": it was never fetched";
    }
    return text;
}

} // namespace orrery::vta
