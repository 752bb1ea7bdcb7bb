#pragma once
// What was measured of the shown kernel: a button, a table of traces, and the same rows under this machine's roofs.

#include "views/model/command.hpp"
#include "views/model/measure_view.hpp"
#include "views/qt/roofline_view.hpp"
#include "views/qt/table_panel.hpp"

#include <QWidget>

#include <memory>

class QLabel;
class QProgressBar;
class QPushButton;

namespace orrery::qt {

class MeasurePanel : public QWidget {
    Q_OBJECT
  public:
    explicit MeasurePanel(QWidget* parent = nullptr);
    void set_sink(views::CommandSink sink) { sink_ = std::move(sink); }
    void set_data(std::shared_ptr<const views::MeasureViewData> data);
    [[nodiscard]] QPushButton* button() const { return button_; }
    [[nodiscard]] QPushButton* cancel() const { return cancel_; }
    [[nodiscard]] TablePanel* table() const { return table_; }
    [[nodiscard]] RooflineView* roofline() const { return roofline_; }
    /// The sentence beside the button.
    [[nodiscard]] QString said() const;

  protected:
    void changeEvent(QEvent* event) override;

  private:
    void take_trace(int row) const;
    void choose(int row);
    void tell();

    views::CommandSink sink_;
    std::shared_ptr<const views::MeasureViewData> data_;
    QPushButton *button_ = nullptr, *cancel_ = nullptr;
    QLabel* said_ = nullptr;
    QProgressBar* progress_ = nullptr;
    TablePanel* table_ = nullptr;
    RooflineView* roofline_ = nullptr;
};

} // namespace orrery::qt
