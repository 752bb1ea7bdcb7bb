#pragma once
// A point of a compilation that can be looked at and compared: a graph step, a step of a function's schedule, code.

#include "core/session/snapshot.hpp"

#include <string>
#include <string_view>

namespace orrery::session {

enum class Level : std::uint8_t { Graph, Tensor, Ir, OptimizedIr, Assembly };

struct Point {
    Level level = Level::Graph;
    int step = -1;        ///< of the graph's steps, or of the function's replay; -1 for the last
    std::string function; ///< of the levels below the graph; empty for the one that does most work
    friend bool operator==(const Point&, const Point&) = default;
};

/// "import", "FoldConstant" (the last of that name), "FoldConstant#1" (the first), "4" (the step's number), "last";
/// below the graph "[FUNCTION@]STEP" with STEP "lower", a number, a primitive's name (its last step), "scheduled",
/// "ir", "optimized" or "asm". Errors: UnknownName, listing what there is.
[[nodiscard]] Result<Point> parse_point(std::string_view text, const Snapshot& snapshot);
/// The text that parse_point reads as that point.
[[nodiscard]] std::string to_string(const Point& point, const Snapshot& snapshot);
/// As people read it: "after FoldConstant", "conv2d_relu after split(…)", "conv2d_relu, assembly".
[[nodiscard]] std::string describe(const Point& point, const Snapshot& snapshot);

/// The function a point is of: by name, else the one that does most work; null when there is none.
[[nodiscard]] FunctionPtr function_of(const Point& point, const Snapshot& snapshot);
/// The step a point is of; null below the graph and when nothing is open.
[[nodiscard]] std::shared_ptr<const GraphStep> step_of(const Point& point, const Snapshot& snapshot);

} // namespace orrery::session
