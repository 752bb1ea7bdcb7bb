#pragma once
// The memory plan: buffers over time.

#include "core/base/origin.hpp"
#include "views/model/graph_view.hpp"
#include "views/model/table.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace orrery::views {

/// One value's stay in the arena.
struct MemoryBox {
    std::string name, type; ///< "conv1_out", "f32[1,64,112,112]"
    std::uint64_t offset = 0, bytes = 0;
    std::int32_t first_step = 0, last_step = 0; ///< inclusive
    OperatorKind kind = OperatorKind::Other;    ///< of the step that writes it
    OriginSet origins;
    bool workspace = false; ///< scratch of one step
    std::string part_of;    ///< the value it lies inside; empty where it has memory of its own
    std::string joins;      ///< of what only joins others: that nothing is copied, or why it is
    friend bool operator==(const MemoryBox&, const MemoryBox&) = default;
};

struct MemoryViewData {
    std::vector<MemoryBox> boxes;          ///< by first step, then offset
    std::vector<std::string> step_names;   ///< one a step
    std::vector<std::uint64_t> live_bytes; ///< one a step; what values share counts once
    std::uint64_t arena_bytes = 0;         ///< what the plan takes
    std::uint64_t bound_bytes = 0;         ///< most bytes live at once: no plan can take less
    std::uint64_t constant_bytes = 0;
    std::string summary; ///< "9.2 MB for 61 values; 4 % above the least possible"
    std::string empty_reason = "Once the model is compiled, its buffers are drawn here over time.";
    friend bool operator==(const MemoryViewData&, const MemoryViewData&) = default;
};

/// "9.2 MB", "812 B"; powers of 1024.
[[nodiscard]] std::string bytes_text(std::uint64_t bytes);
/// The same boxes as a table: the canvas's twin. Row i is box i.
[[nodiscard]] Table memory_table(const MemoryViewData& data);
/// What is to be said of a value's place: "inside concat_2", and how it came to be, where it only joins others.
[[nodiscard]] std::vector<std::string> place_notes(const MemoryBox& box);
/// Fills live_bytes and summary from the boxes and totals.
void summarize(MemoryViewData& data);

[[nodiscard]] std::string to_text(const MemoryViewData& data);
[[nodiscard]] std::string to_json(const MemoryViewData& data);

} // namespace orrery::views
