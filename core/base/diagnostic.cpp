#include "core/base/diagnostic.hpp"

#include "core/base/check.hpp"

namespace orrery {

const char* code_name(Code code) {
    switch (code) {
    case Code::MalformedModel: return "MalformedModel";
    case Code::UnsupportedOperator: return "UnsupportedOperator";
    case Code::UnsupportedFeature: return "UnsupportedFeature";
    case Code::BadShape: return "BadShape";
    case Code::BadAttribute: return "BadAttribute";
    case Code::BadType: return "BadType";
    case Code::LimitExceeded: return "LimitExceeded";
    case Code::BadRecipe: return "BadRecipe";
    case Code::IllegalSchedule: return "IllegalSchedule";
    case Code::BadText: return "BadText";
    case Code::BadArgument: return "BadArgument";
    case Code::UnknownName: return "UnknownName";
    case Code::WrongNumbers: return "WrongNumbers";
    case Code::FileMissing: return "FileMissing";
    case Code::FileUnreadable: return "FileUnreadable";
    case Code::FileUnwritable: return "FileUnwritable";
    case Code::NoTarget: return "NoTarget";
    case Code::NoDisplay: return "NoDisplay";
    case Code::ProcessFailed: return "ProcessFailed";
    case Code::OutOfMemory: return "OutOfMemory";
    case Code::Cancelled: return "Cancelled";
    case Code::Internal: return "Internal";
    }
    fail_internal("code_name covers every code");
}

namespace {

struct Describe {
    std::string operator()(const FileOffset& at) const {
        return at.offset < 0 ? at.path : at.path + " at byte " + std::to_string(at.offset);
    }
    std::string operator()(const ModelNode& at) const {
        return "node " + (at.name.empty() ? "(unnamed)" : at.name) +
               (at.op_type.empty() ? "" : " (" + at.op_type + ")");
    }
    std::string operator()(const TextPosition& at) const {
        return "line " + std::to_string(at.line) + ", column " + std::to_string(at.column);
    }
    std::string operator()(const ProgramPlace& at) const { return at.function + ": " + at.place; }
    std::string operator()(const PassPlace& at) const { return "pass " + at.pass; }
};

} // namespace

std::string to_string(const Location& location) { return std::visit(Describe{}, location); }

std::string to_string(const Diagnostic& diagnostic) {
    std::string text = diagnostic.message;
    constexpr std::size_t kShownPlaces = 8;
    for (std::size_t i = 0; i < diagnostic.locations.size() && i < kShownPlaces; ++i)
        text += (i == 0 ? " [" : "; ") + to_string(diagnostic.locations[i]);
    if (diagnostic.locations.size() > kShownPlaces)
        text += "; and " + std::to_string(diagnostic.locations.size() - kShownPlaces) + " more";
    if (!diagnostic.locations.empty()) text += "]";
    if (!diagnostic.hint.empty()) text += ". " + diagnostic.hint;
    return text;
}

} // namespace orrery
