#pragma once
// Where a model's time goes: by operator, layer, node and kernel, under this machine's roofs, and what would follow if
// some of it were faster.

#include "views/model/graph_view.hpp"
#include "views/model/roofline.hpp"
#include "views/model/table.hpp"

#include <string>
#include <vector>

namespace orrery::session {
struct Profile;
struct Snapshot;
} // namespace orrery::session

namespace orrery::views {

/// One call of a run, in order of execution.
struct ProfileSegment {
    std::string title, details;              ///< what is written in it; what hovering says
    double from = 0, to = 0;                 ///< place in the run, in [0, 1]
    OperatorKind kind = OperatorKind::Other; ///< of the operator that takes most of it
    OriginSet origins;
    int kernel = -1; ///< row of `kernels`
};

struct ProfileViewData {
    std::string summary;     ///< "12.9 ms on 2 threads, median of 70 runs · 71 % of what this machine can do"
    std::string headline;    ///< "3 kernels, in 7 calls, are 41 % of the time at 38 % of their peak; at 80 % ..."
    std::string attribution; ///< how time is led back to the model
    Table operators, layers, nodes, kernels;
    Table what_if;
    std::vector<std::string> kernel_names; ///< parallel to the kernels' rows
    std::vector<ProfileSegment> segments;
    Roofline roofline; ///< a point a kernel; `row` is one of `kernels`
    bool can_profile = false;
    std::string why_not; ///< when it cannot, or nothing was profiled yet: one sentence
};

/// A profiling under way, apart from the data: it changes many times a second.
struct ProfileJob {
    std::string running;  ///< empty when none is
    double fraction = -1; ///< negative when unknown
    friend bool operator==(const ProfileJob&, const ProfileJob&) = default;
};

[[nodiscard]] ProfileViewData build_profile(const session::Profile& profile);
[[nodiscard]] ProfileViewData build_profile(const session::Snapshot& snapshot);
[[nodiscard]] ProfileJob profile_job(const session::Snapshot& snapshot);

[[nodiscard]] std::string to_text(const ProfileViewData& data);
[[nodiscard]] std::string to_json(const ProfileViewData& data);

} // namespace orrery::views
