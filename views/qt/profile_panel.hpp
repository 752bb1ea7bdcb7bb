#pragma once
// Where a run's time goes: the run as a strip of calls, tables by operator, layer, node and kernel, what would follow
// if some of it were faster, and the kernels under this machine's roofs.

#include "views/model/command.hpp"
#include "views/model/profile_view.hpp"
#include "views/qt/pane.hpp"
#include "views/qt/roofline_view.hpp"
#include "views/qt/table_panel.hpp"

#include <QWidget>

#include <array>
#include <memory>

class QLabel;
class QProgressBar;
class QPushButton;
class QStackedWidget;

namespace orrery::qt {

/// The calls of a run side by side, each as wide as its share of the time, coloured by what it does.
class TimeStrip : public QWidget {
    Q_OBJECT
  public:
    explicit TimeStrip(QWidget* parent = nullptr);
    void set_data(std::shared_ptr<const views::ProfileViewData> data);
    void set_selection(const views::Selection& selection);
    [[nodiscard]] int segment_at(const QPointF& at) const; ///< -1 for none
    [[nodiscard]] QRectF place_of(int segment) const;

  signals:
    void segment_chosen(int segment);

  protected:
    void paintEvent(QPaintEvent* event) override;
    void mousePressEvent(QMouseEvent* event) override;
    bool event(QEvent* event) override;

  private:
    std::shared_ptr<const views::ProfileViewData> data_;
    OriginSet selected_;
};

class ProfilePanel : public QWidget {
    Q_OBJECT
  public:
    enum Tab { OperatorsTab, LayersTab, NodesTab, KernelsTab };
    explicit ProfilePanel(QWidget* parent = nullptr);
    void set_sink(views::CommandSink sink) { sink_ = std::move(sink); }
    void set_data(std::shared_ptr<const views::ProfileViewData> data);
    void set_job(const views::ProfileJob& job);
    void set_selection(const views::Selection& selection);
    [[nodiscard]] QPushButton* button() const { return button_; }
    [[nodiscard]] QPushButton* cancel() const { return cancel_; }
    [[nodiscard]] TablePanel* table(Tab tab) const { return tables_[tab]; }
    [[nodiscard]] TablePanel* current_table() const;
    [[nodiscard]] TablePanel* what_if() const { return what_if_; }
    [[nodiscard]] TimeStrip* strip() const { return strip_; }
    [[nodiscard]] RooflineView* roofline() const { return roofline_; }
    [[nodiscard]] QString said() const; ///< the line beside the button
    void show_tab(Tab tab);

  signals:
    void selection_requested(const orrery::views::Selection& selection);

  protected:
    void changeEvent(QEvent* event) override;

  private:
    QWidget* build_line();
    QWidget* build_tables();
    void connect_parts();
    void tell();
    void choose_kernel(int row);

    views::CommandSink sink_;
    std::shared_ptr<const views::ProfileViewData> data_;
    views::ProfileJob job_;
    QPushButton *button_ = nullptr, *cancel_ = nullptr;
    QLabel *said_ = nullptr, *headline_ = nullptr;
    QProgressBar* progress_ = nullptr;
    TimeStrip* strip_ = nullptr;
    PaneHeader* tabs_ = nullptr;
    QStackedWidget* stack_ = nullptr;
    std::array<TablePanel*, 4> tables_{};
    TablePanel* what_if_ = nullptr;
    RooflineView* roofline_ = nullptr;
};

} // namespace orrery::qt
