#include "backends/llvm/kernel_name.hpp"

#include "core/runtime/externs.hpp"

#include <algorithm>
#include <array>
#include <string_view>

namespace orrery::codegen {

namespace {

/// Whether the C library has a function of that name that kernels call.
bool is_taken(std::string_view name) {
    static constexpr std::array<std::string_view, 28> kTaken = {
        "acos", "acosh", "asin",      "asinh", "atan", "atanh", "ceil",   "cos",     "cosh",   "erf",
        "exp",  "floor", "fma",       "fmod",  "log",  "main",  "memcpy", "memmove", "memset", "orrery_module",
        "pow",  "rint",  "roundeven", "sin",   "sinh", "sqrt",  "tan",    "tanh"};
    std::string_view stem = name;
    if (stem.ends_with('f') && std::find(kTaken.begin(), kTaken.end(), stem.substr(0, stem.size() - 1)) != kTaken.end())
        stem.remove_suffix(1);
    return std::find(kTaken.begin(), kTaken.end(), stem) != kTaken.end() || stem == "trunc" || stem == "truncf";
}

} // namespace

std::string kernel_symbol(const std::string& program) {
    return is_taken(program) || runtime::find_extern(program) ? program + ".kernel" : program;
}

std::string extern_symbol(const std::string& function) { return is_taken(function) ? function + ".extern" : function; }

} // namespace orrery::codegen
