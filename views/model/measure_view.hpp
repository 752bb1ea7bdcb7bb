#pragma once
// What was measured of the shown function's schedules: a table, and the same rows as points of a roofline.

#include "views/model/roofline.hpp"
#include "views/model/table.hpp"

#include <string>
#include <vector>

namespace orrery::session {
struct Snapshot;
}

namespace orrery::tuning {
struct Peaks;
}

namespace orrery::views {

struct ViewOptions;

struct MeasureViewData {
    std::string subject;             ///< the function
    std::string summary;             ///< "best 0.41 ms, 92 GFLOP/s, 67 % of the peak · this trace 0.52 ms"
    Table table;                     ///< newest first; those of other machines, targets and numbers of threads quiet
    std::vector<std::string> traces; ///< parallel to the rows: what taking one makes the schedule
    Roofline roofline;               ///< of this machine, target and number of threads
    int present = -1;                ///< newest row of the trace that is shown
    std::string present_trace;       ///< as text
    bool can_measure = false;
    std::string why_not;  ///< when it cannot
    std::string running;  ///< what a measurement under way is doing; empty when none is
    double fraction = -1; ///< of it; negative when unknown
    std::string problem;  ///< why records are not kept; empty when they are
};
[[nodiscard]] MeasureViewData build_measure(const session::Snapshot& snapshot, const ViewOptions& options);

/// "7 steps · vectorize(conv.ow)"; "the loops as written" for none.
[[nodiscard]] std::string short_trace(const std::string& trace);

/// Three digits that count: "0.412 ms", "38.1 µs".
[[nodiscard]] std::string duration_text(double ms);
/// A machine's limits, arithmetic first.
[[nodiscard]] std::vector<Roof> roofs_of(const tuning::Peaks& peaks);

[[nodiscard]] std::string to_text(const MeasureViewData& data);
[[nodiscard]] std::string to_json(const MeasureViewData& data);

} // namespace orrery::views
