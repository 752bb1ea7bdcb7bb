#pragma once
// Why AlterOpLayout chose the layouts it did.

#include "core/graph/node.hpp"
#include "core/pass/pass.hpp"

#include <string>
#include <vector>

namespace orrery::transform {

/// A value whose layout was chosen: the result of a convolution, or of what is carried along and lies otherwise than it
/// would after each convolution's own choice. Units: us, as measured or estimated for one core.
struct LayoutChoice {
    graph::Var value;              ///< of the function before the pass
    std::string data, out;         ///< chosen; `data` is empty for what is carried along
    std::string own_data, own_out; ///< each convolution for itself
    double us = 0, own_us = 0;     ///< of the kernel, without transforms
    bool measured = false;         ///< `us` is
    std::string text;              ///< one sentence
};
struct LayoutReport {
    std::vector<LayoutChoice> choices;              ///< in order of the function
    std::size_t transforms = 0, own_transforms = 0; ///< of values that are no constants
    double us = 0, own_us = 0;                      ///< kernels and transforms, as chosen and each for itself
    bool exact = true;                              ///< nothing was found to cost less, and nothing can
    std::string text;                               ///< one sentence; empty where nothing was planned
};

/// The choices AlterOpLayout with these options would make. Pre: `before` is what it is given. Errors: those of
/// alter_op_layout.
[[nodiscard]] Result<LayoutReport> layout_reasons(const graph::Module& before, const pass::Context& context);

} // namespace orrery::transform
