#include "views/qt/bar_boxes.hpp"

#include "views/qt/theme.hpp"

#include <QPainter>
#include <QPolygonF>

// The theme's sheet draws the boxes and leaves their arrows out: it could only take them from files.

namespace orrery::qt {
namespace {

/// A small triangle, its tip `tip` pixels below the middle; above it when negative.
void paint_arrow(QWidget* box, QPointF middle, double tip) {
    QPainter painter(box);
    painter.setRenderHint(QPainter::Antialiasing);
    painter.setPen(Qt::NoPen);
    painter.setBrush(box->isEnabled() ? theme().dim : theme().faint);
    const double base = -tip / 2;
    const QPointF points[] = {middle + QPointF(-3.5, base), middle + QPointF(3.5, base),
                              middle + QPointF(0, base + tip)};
    painter.drawConvexPolygon(points, 3);
}

} // namespace

BarCombo::BarCombo(QWidget* parent) : QComboBox(parent) { setObjectName(QStringLiteral("bar")); }

void BarCombo::paintEvent(QPaintEvent* event) {
    QComboBox::paintEvent(event);
    paint_arrow(this, {width() - 12.5, height() / 2.0}, 4);
}

BarSpin::BarSpin(QWidget* parent) : QSpinBox(parent) { setObjectName(QStringLiteral("bar")); }

void BarSpin::paintEvent(QPaintEvent* event) {
    QSpinBox::paintEvent(event);
    paint_arrow(this, {width() - 11.5, height() / 2.0 - 5}, -4);
    paint_arrow(this, {width() - 11.5, height() / 2.0 + 5}, 4);
}

} // namespace orrery::qt
