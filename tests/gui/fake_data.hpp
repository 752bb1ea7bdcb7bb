#pragma once
// Invented view data: a small residual network, large graphs, long texts.

#include "views/model/graph_view.hpp"
#include "views/model/memory_view.hpp"
#include "views/model/panels.hpp"
#include "views/model/stages_view.hpp"
#include "views/model/text_view.hpp"

#include <memory>

namespace orrery::gui_test {

/// Input, a stem, four stages of two residual blocks, pooling, a dense layer; item i has origin i.
[[nodiscard]] views::GraphDescription residual_network(bool with_times);
/// Blocks of twelve operators, one mask that feeds every block.
[[nodiscard]] views::GraphDescription transformer(int operators);
[[nodiscard]] views::StagesViewData stages(int selected);
/// A convolution with add and relu: sixteen lines in three blocks.
[[nodiscard]] std::shared_ptr<views::TextViewData> tensor_program(const std::string& function);
[[nodiscard]] std::shared_ptr<views::TextViewData> assembly(const views::TextViewData& tensor);
[[nodiscard]] std::shared_ptr<views::TextViewData> llvm(const views::TextViewData& tensor);
[[nodiscard]] std::shared_ptr<views::TextViewData> long_text(int lines);
[[nodiscard]] views::MemoryViewData memory_plan(const views::GraphDescription& graph);
[[nodiscard]] views::RunViewData run_result(const views::GraphDescription& graph);
[[nodiscard]] views::InspectorViewData inspector(const views::GraphItem& item);

} // namespace orrery::gui_test
