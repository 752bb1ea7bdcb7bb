#pragma once
// A roofline as a picture: hovering names a point, clicking chooses its row in the table beside it.

#include "views/model/roofline.hpp"

#include <QWidget>

#include <memory>

namespace orrery::qt {

class RooflineView : public QWidget {
    Q_OBJECT
  public:
    explicit RooflineView(QWidget* parent = nullptr);
    void set_data(std::shared_ptr<const views::Roofline> data);
    /// Marks the point of a row of the table; -1 for none.
    void select_row(int row);
    [[nodiscard]] int selected_row() const { return selected_; }
    /// As it is painted now, for tests.
    [[nodiscard]] views::RooflinePicture layout_now() const;
    [[nodiscard]] QSize minimumSizeHint() const override { return {180, 120}; }

  signals:
    void row_chosen(int row);

  protected:
    void paintEvent(QPaintEvent* event) override;
    void mousePressEvent(QMouseEvent* event) override;
    void mouseMoveEvent(QMouseEvent* event) override;
    void leaveEvent(QEvent* event) override;
    bool event(QEvent* event) override;

  private:
    void paint_roofs(QPainter& painter, const views::RooflinePicture& picture) const;
    void paint_points(QPainter& painter, const views::RooflinePicture& picture) const;
    [[nodiscard]] int point_under(const QPointF& at) const;
    std::shared_ptr<const views::Roofline> data_;
    int selected_ = -1; ///< row
    int hovered_ = -1;  ///< point
};

} // namespace orrery::qt
