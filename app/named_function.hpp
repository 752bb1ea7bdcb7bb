#pragma once
// A function that an argument names.

#include "core/base/result.hpp"
#include "core/session/compiler.hpp"

#include <span>
#include <string>

namespace orrery::app {

/// The function of that name. Errors: UnknownName with the names there are.
[[nodiscard]] inline Result<session::FunctionPtr> named_function(std::span<const session::FunctionPtr> functions,
                                                                 const std::string& name) {
    std::string known;
    for (const session::FunctionPtr& function : functions) {
        if (function->lowered.name == name) return function;
        known += (known.empty() ? "" : ", ") + function->lowered.name;
    }
    return Diagnostic{Code::UnknownName, "the model has no function named " + name, {}, "its functions are " + known};
}

} // namespace orrery::app
