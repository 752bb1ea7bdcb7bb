#pragma once
// Any number of recipes side by side: the graph of each at the same point, and the figures of all.

#include "views/model/graph_view.hpp"
#include "views/model/table.hpp"

#include <memory>
#include <string>
#include <vector>

namespace orrery::views {

/// One recipe among those compared.
struct Side {
    std::string title;                          ///< "resnet18.onnx", "resnet18 at -O0"
    std::string target;                         ///< "llvm · znver4 · 2 threads"
    std::string status;                         ///< what is under way, or what went wrong; empty when all is there
    std::shared_ptr<const GraphViewData> graph; ///< origins are those of the first side's model; never null
};

struct SidesViewData {
    std::vector<Side> sides; ///< the open recipe first; empty: nothing is shown side by side
    /// A column for each side; bars are shares of the largest.
    Table figures{{}, {}, "Figures of all sides appear here once there are two."};
    std::string summary; ///< "3 recipes, after FuseOps"
};
[[nodiscard]] std::string to_text(const SidesViewData& data);
[[nodiscard]] std::string to_json(const SidesViewData& data);

} // namespace orrery::views
