#include "backends/llvm/kernel_name.hpp"

#include <algorithm>
#include <array>
#include <string_view>

namespace orrery::codegen {

std::string kernel_symbol(const std::string& program) {
    static constexpr std::array<std::string_view, 28> kTaken = {
        "acos", "acosh", "asin",      "asinh", "atan", "atanh", "ceil",   "cos",     "cosh",   "erf",
        "exp",  "floor", "fma",       "fmod",  "log",  "main",  "memcpy", "memmove", "memset", "orrery_module",
        "pow",  "rint",  "roundeven", "sin",   "sinh", "sqrt",  "tan",    "tanh"};
    std::string_view stem = program;
    if (stem.ends_with('f') && std::find(kTaken.begin(), kTaken.end(), stem.substr(0, stem.size() - 1)) != kTaken.end())
        stem.remove_suffix(1);
    const bool taken =
        std::find(kTaken.begin(), kTaken.end(), stem) != kTaken.end() || stem == "trunc" || stem == "truncf";
    return taken ? program + ".kernel" : program;
}

} // namespace orrery::codegen
