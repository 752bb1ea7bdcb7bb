#pragma once
// Two points of one recipe, or of two, compared: texts side by side, what changed in the graph, what it costs.

#include "views/model/table.hpp"
#include "views/model/text_view.hpp"

#include <memory>
#include <string>
#include <vector>

namespace orrery::views {

struct DiffCounts {
    int added = 0, removed = 0, changed = 0, moved = 0;
    [[nodiscard]] bool none() const { return added + removed + changed + moved == 0; }
};

struct DiffViewData {
    std::string left_title, right_title; ///< "after FoldConstant"; with the model's name where two are compared
    std::string summary;                 ///< "12 added · 41 removed · 20 changed · 3 moved"
    std::string empty_reason = "Open a model: what each step changes appears here.";
    bool graph = false;     ///< two graphs are compared: `operators` and `changes` are filled
    bool identical = false; ///< nothing differs but names
    DiffCounts operators;   ///< of the graph, weights left out
    DiffCounts lines;
    std::shared_ptr<const TextViewData> left = std::make_shared<TextViewData>();
    std::shared_ptr<const TextViewData> right = std::make_shared<TextViewData>();
    std::vector<int> hunks; ///< first line of each run of changed lines
    /// Change, value, was, is, what, why: of graphs.
    Table changes{{}, {}, "Below the graph the two texts are what there is to compare."};
    /// Figure, before, after, difference.
    Table statistics{{}, {}, "Figures of both sides appear here once there are two to compare."};
};

[[nodiscard]] std::string to_text(const DiffViewData& data);
[[nodiscard]] std::string to_json(const DiffViewData& data);

} // namespace orrery::views
