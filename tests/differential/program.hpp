#pragma once
// A case of the differential test: a program, what goes in, the passes it goes through.

#include "core/graph/node.hpp"
#include "core/session/recipe.hpp"
#include "core/transform/passes.hpp"

#include <functional>
#include <string>
#include <vector>

namespace orrery::differential {

/// How the program is compiled after the passes.
struct Build {
    session::ScheduleRule rule = session::ScheduleRule::Default;
    BuildOptions options;
    int threads = 1;
};

struct Case {
    graph::Module module;
    std::vector<NDArray> inputs; ///< one a parameter
    std::vector<transform::PassStep> passes;
    Build build;
    /// Spoils what the passes made, in tests of this test; empty otherwise.
    std::function<graph::Module(const graph::Module&)> spoil;
};

/// A case drawn from a seed; `op`, an index into recipes(), occurs in it.
[[nodiscard]] Case draw_case(std::uint64_t seed, std::size_t op);
/// Smaller cases that may fail in the same way: fewer passes, parts of the program, parts replaced by what they gave.
[[nodiscard]] std::vector<Case> smaller(const Case& failed);
/// The program as text, what goes in, and the passes: enough to write a test of it.
[[nodiscard]] std::string to_string(const Case& drawn);
/// Operator calls in a function and the functions inside.
[[nodiscard]] std::vector<const graph::CallOp*> calls_in(const graph::Function& function);

} // namespace orrery::differential
