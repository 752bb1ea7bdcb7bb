#pragma once
// The life of one value as a list of events, from the model's node to the lines of its kernel.

#include "core/base/origin.hpp"
#include "views/model/table.hpp"

#include <string>
#include <vector>

namespace orrery::session {
struct Snapshot;
struct ValueHistory;
} // namespace orrery::session

namespace orrery::views {

/// The sign an event is drawn with: shapes tell them apart, not colours alone.
enum class HistorySign : std::uint8_t { Model, Made, Changed, Joined, Constant, Gone, Kernel };
[[nodiscard]] std::string_view to_string(HistorySign sign);

struct HistoryEntry {
    HistorySign sign = HistorySign::Changed;
    int stage = -1;                         ///< what SelectStage names; -1 for none
    std::string title;                      ///< "FuseOps"
    std::string sentence;                   ///< "joins 3 others in kernel conv2d_bias_add_relu"
    std::string rule;                       ///< "rule \"fuse\", core/transform/fuse_ops.cpp:265"
    std::vector<std::string> before, after; ///< bindings; of a kernel its lines in `after`
    bool here = false;                      ///< the step at which the value was asked for
};

struct HistoryViewData {
    std::string title;    ///< "layer1_0_conv1_out"
    std::string subtitle; ///< its binding
    std::string summary;  ///< "3 of 8 steps changed it"
    std::vector<HistoryEntry> entries;
    OriginSet origins;
    std::string function; ///< the tensor program it ends in; empty when in none
    std::string empty_reason = "Select a node and press H to see where it came from and what became of it.";
};

[[nodiscard]] HistoryViewData build_history(const session::Snapshot& snapshot, const session::ValueHistory& history);

[[nodiscard]] std::string to_text(const HistoryViewData& data);
[[nodiscard]] std::string to_json(const HistoryViewData& data);

} // namespace orrery::views
