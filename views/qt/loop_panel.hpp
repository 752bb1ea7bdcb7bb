#pragma once
// The scheduler beside the tensor program: its loops, and below them the trace with a slider over its steps.

#include "views/qt/loop_tree.hpp"
#include "views/qt/pane.hpp"
#include "views/qt/primitive_menu.hpp"
#include "views/qt/quiet_line.hpp"
#include "views/qt/trace_list.hpp"

#include <QWidget>

#include <memory>

class QLabel;
class QSlider;
class QSplitter;

namespace orrery::qt {

class LoopPanel : public QWidget {
    Q_OBJECT
  public:
    explicit LoopPanel(QWidget* parent = nullptr);
    void set_sink(const views::CommandSink& sink);
    void set_data(std::shared_ptr<const views::LoopViewData> data);
    void set_menu(std::shared_ptr<const views::MenuViewData> data);
    void set_preview(std::shared_ptr<const views::PreviewViewData> data);
    void set_selection(const views::Selection& selection) { tree_->set_selection(selection); }
    [[nodiscard]] LoopTree* tree() const { return tree_; }
    [[nodiscard]] TraceList* trace() const { return trace_; }
    /// Made when it is first opened; null before.
    [[nodiscard]] PrimitiveMenu* menu() const { return menu_; }
    [[nodiscard]] QSlider* slider() const { return slider_; }
    /// Why the last edit was refused, as it is shown; empty when it was not.
    [[nodiscard]] QString refusal() const;

  signals:
    void selection_requested(const orrery::views::Selection& selection);

  protected:
    void changeEvent(QEvent* event) override;

  private:
    void build_trace(QSplitter* splitter);
    void open_menu(int row, const QString& typed);
    void show_refusal(const QString& why);
    void send(const views::Command& command) const {
        if (sink_) sink_(command);
    }

    views::CommandSink sink_;
    std::shared_ptr<const views::LoopViewData> data_;
    PaneHeader* header_ = nullptr;
    LoopTree* tree_ = nullptr;
    TraceList* trace_ = nullptr;
    PrimitiveMenu* menu_ = nullptr;
    QSlider* slider_ = nullptr;
    QuietLine* title_ = nullptr;
    QLabel* refusal_ = nullptr;
};

} // namespace orrery::qt
