#include "views/qt/roofline_view.hpp"

#include "views/qt/theme.hpp"
#include "views/qt/words.hpp"

#include <QHelpEvent>
#include <QMouseEvent>
#include <QPainter>
#include <QToolTip>

#include <numeric>

namespace orrery::qt {
namespace {

QRectF rect_of(const views::RooflineBox& box) { return {box.x, box.y, box.width, box.height}; }
QPointF point_of(const views::RooflineSpot& spot) { return {spot.x, spot.y}; }

} // namespace

RooflineView::RooflineView(QWidget* parent) : QWidget(parent), data_(std::make_shared<views::Roofline>()) {
    setAccessibleName(tr("Roofline"));
    setMouseTracking(true);
    setSizePolicy(QSizePolicy::Expanding, QSizePolicy::Expanding);
}

void RooflineView::set_data(std::shared_ptr<const views::Roofline> data) {
    data_ = std::move(data);
    hovered_ = -1;
    QString roofs;
    for (const views::Roof& roof : data_->roofs) roofs += (roofs.isEmpty() ? "" : ", ") + text_of(roof.label);
    setAccessibleDescription(tr("%n points under %1", nullptr, static_cast<int>(data_->points.size())).arg(roofs));
    update();
}

void RooflineView::select_row(int row) {
    if (row == selected_) return;
    selected_ = row;
    update();
}

views::RooflinePicture RooflineView::layout_now() const {
    const QFontMetricsF metrics(theme().ui_small);
    return picture_of(*data_, {static_cast<double>(width()), static_cast<double>(height()), metrics.height(),
                               [&](const std::string& text) { return metrics.horizontalAdvance(text_of(text)) + 1; }});
}

void RooflineView::paint_roofs(QPainter& painter, const views::RooflinePicture& picture) const {
    const Theme& t = theme();
    painter.setPen(QPen(t.hairline, 1));
    for (const views::RooflineLine& line : picture.grid) painter.drawLine(point_of(line.from), point_of(line.to));
    painter.drawRect(rect_of(picture.plot));
    painter.setRenderHint(QPainter::Antialiasing);
    painter.setPen(QPen(t.faint, 1));
    for (const views::RooflineLine& line : picture.leaders) painter.drawLine(point_of(line.from), point_of(line.to));
    for (const views::RooflineLine& line : picture.roofs) {
        const bool arithmetic = data_->roofs[static_cast<std::size_t>(line.roof)].arithmetic;
        painter.setPen(QPen(arithmetic ? t.text : t.blue, arithmetic ? 2 : 1.5));
        painter.drawLine(point_of(line.from), point_of(line.to));
    }
    painter.setFont(t.ui_small);
    painter.setPen(t.text);
    for (const views::RooflineText& label : picture.labels)
        painter.drawText(rect_of(label.box), Qt::AlignCenter, text_of(label.text));
    painter.setPen(t.dim);
    for (const views::RooflineText& number : picture.numbers)
        painter.drawText(rect_of(number.box), Qt::AlignCenter, text_of(number.text));
    for (const views::RooflineText* title : {&picture.x_title, &picture.y_title})
        painter.drawText(rect_of(title->box), Qt::AlignCenter, text_of(title->text));
}

void RooflineView::paint_points(QPainter& painter, const views::RooflinePicture& picture) const {
    const Theme& t = theme();
    // The trace that is shown, what is chosen and what is under the mouse lie on top.
    std::vector<std::size_t> order(picture.points.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    const auto rank = [&](std::size_t i) {
        return (data_->points[i].present ? 1 : 0) + (data_->points[i].row == selected_ ? 2 : 0) +
               (static_cast<int>(i) == hovered_ ? 4 : 0);
    };
    std::ranges::stable_sort(order, {}, rank);
    for (const std::size_t i : order) {
        const views::RooflinePoint& point = data_->points[i];
        const QPointF at = point_of(picture.points[i]);
        const double radius = point.present ? 6 : 4.5;
        painter.setPen(QPen(t.panel, 1.5));
        painter.setBrush(point.present ? t.good : t.violet);
        painter.drawEllipse(at, radius, radius);
        if (point.row == selected_ || static_cast<int>(i) == hovered_) {
            painter.setBrush(Qt::NoBrush);
            painter.setPen(QPen(point.row == selected_ ? t.accent : t.text, 2));
            painter.drawEllipse(at, radius + 3, radius + 3);
        }
    }
}

void RooflineView::paintEvent(QPaintEvent*) {
    QPainter painter(this);
    painter.fillRect(rect(), theme().panel);
    const views::RooflinePicture picture = layout_now();
    if (picture.plot.width > 0) {
        paint_roofs(painter, picture);
        paint_points(painter, picture);
        return;
    }
    painter.setFont(theme().ui);
    painter.setPen(theme().dim);
    painter.drawText(rect().adjusted(16, 8, -16, -8), Qt::AlignCenter | Qt::TextWordWrap,
                     data_->roofs.empty() ? text_of(data_->empty_reason)
                                          : tr("Make this pane larger to see the roofline."));
}

int RooflineView::point_under(const QPointF& at) const {
    constexpr double kReach = 12; // Units: pixels
    return point_at(layout_now(), {at.x(), at.y()}, kReach);
}

void RooflineView::mousePressEvent(QMouseEvent* event) {
    const int point = event->button() == Qt::LeftButton ? point_under(event->position()) : -1;
    if (point < 0) return;
    select_row(data_->points[static_cast<std::size_t>(point)].row);
    Q_EMIT row_chosen(selected_);
}

void RooflineView::mouseMoveEvent(QMouseEvent* event) {
    const int point = point_under(event->position());
    if (point == hovered_) return;
    hovered_ = point;
    update();
}

void RooflineView::leaveEvent(QEvent*) {
    hovered_ = -1;
    update();
}

bool RooflineView::event(QEvent* event) {
    if (event->type() == QEvent::ToolTip) {
        const auto* help = static_cast<QHelpEvent*>(event);
        const int point = point_under(help->pos());
        if (point < 0)
            QToolTip::hideText();
        else
            QToolTip::showText(help->globalPos(), text_of(data_->points[static_cast<std::size_t>(point)].details),
                               this);
        return true;
    }
    return QWidget::event(event);
}

} // namespace orrery::qt
