#pragma once
// Pictures and tables of the graph view as files of other programs.

#include "views/model/graph_view.hpp"

#include <string>

namespace orrery::views {

struct ExportStyle {
    bool dark = false;
    bool heat = false; ///< nodes in the overlay's colours, with its legend
};

/// The whole picture as a self-contained SVG 1.1 file. Units: pixels at zoom 1.
[[nodiscard]] std::string to_svg(const GraphViewData& data, const ExportStyle& style);
/// For Graphviz: boxes, edges, open groups as clusters; without positions.
[[nodiscard]] std::string to_dot(const GraphViewData& data);
/// RFC 4180: a header, then a line a row. Cells of a column with a unit are written as numbers of that unit.
[[nodiscard]] std::string to_csv(const Table& table);

} // namespace orrery::views
