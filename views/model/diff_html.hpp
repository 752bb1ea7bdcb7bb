#pragma once
// A comparison as one HTML file that needs nothing else.

#include "views/model/diff_view.hpp"
#include "views/model/graph_view.hpp"

#include <string>

namespace orrery::views {

/// A page with styles and script inside: summary, figures, changes, texts side by side with equal stretches folded,
/// dark or light as the reader's system is, with a switch. Long texts keep what changed: beyond kMostReportBytes equal
/// lines are left out, and the page says so.
[[nodiscard]] std::string to_html(const DiffViewData& data, const GraphViewData* graph = nullptr);
inline constexpr std::size_t kMostReportBytes = 12u << 20; ///< Source: our choice; a report stays under 20 MB

} // namespace orrery::views
