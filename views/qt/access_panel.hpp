#pragma once
// The buffers of a program, what one block touches of them loop by loop, and a picture of one iteration.

#include "views/model/access_view.hpp"
#include "views/model/command.hpp"
#include "views/qt/table_panel.hpp"

#include <QWidget>

#include <memory>
#include <string>

class QLabel;

namespace orrery::qt {

/// The grid alone.
class AccessGrid : public QWidget {
    Q_OBJECT
  public:
    explicit AccessGrid(QWidget* parent = nullptr);
    void set_data(std::shared_ptr<const views::AccessViewData> data);
    /// Where a cell is painted.
    [[nodiscard]] QRectF cell_rect(int row, int column) const;

  protected:
    void paintEvent(QPaintEvent* event) override;
    bool event(QEvent* event) override;

  private:
    [[nodiscard]] double cell_size() const;
    [[nodiscard]] QPointF origin() const;
    void paint_cells(QPainter& painter);
    void paint_axes(QPainter& painter);
    void paint_legend(QPainter& painter);
    std::shared_ptr<const views::AccessViewData> data_;
};

class AccessPanel : public QWidget {
    Q_OBJECT
  public:
    explicit AccessPanel(QWidget* parent = nullptr);
    void set_data(std::shared_ptr<const views::AccessViewData> data);
    /// The loop or block that is chosen elsewhere.
    void set_place(const std::string& place);
    [[nodiscard]] const views::AccessViewData& data() const { return *data_; }
    [[nodiscard]] TablePanel* buffers() const { return buffers_; }
    [[nodiscard]] TablePanel* levels() const { return levels_; }
    [[nodiscard]] AccessGrid* grid() const { return grid_; }

  signals:
    /// What is to be computed, or that nothing is any more: the pane is hidden.
    void wanted(const orrery::views::ShowAccess& what);
    /// A loop was chosen here.
    void place_requested(const std::string& place);

  protected:
    void showEvent(QShowEvent* event) override;
    void hideEvent(QHideEvent* event) override;

  private:
    void want();
    std::shared_ptr<const views::AccessViewData> data_;
    views::ShowAccess what_{false, {}, {}};
    TablePanel *buffers_ = nullptr, *levels_ = nullptr;
    AccessGrid* grid_ = nullptr;
};

} // namespace orrery::qt
