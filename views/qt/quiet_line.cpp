#include "views/qt/quiet_line.hpp"

#include "views/qt/ink.hpp"
#include "views/qt/theme.hpp"

#include <QEvent>
#include <QFontMetrics>
#include <QPainter>

#include <utility>

namespace orrery::qt {
namespace {

constexpr int kWidthStep = 24, kLeastWidth = 48; ///< pixels. Source: our choice, about three letters

} // namespace

QuietLine::QuietLine(QWidget* parent) : QWidget(parent) {
    setSizePolicy(QSizePolicy::Preferred, QSizePolicy::Fixed);
    setAttribute(Qt::WA_OpaquePaintEvent); // so that nothing behind it is painted with it
}

void QuietLine::set_text(const QString& text) {
    if (std::exchange(text_, text) == text) return;
    measure();
    speak();
    update();
}

void QuietLine::set_more(const QString& more) {
    if (std::exchange(more_, more) != more) speak();
}

void QuietLine::measure() {
    const int wanted = (shaped_width(Face::Ui, text_) + kWidthStep - 1) / kWidthStep * kWidthStep;
    if (std::exchange(width_, wanted) != wanted) updateGeometry();
}

void QuietLine::speak() {
    setAccessibleName(text_);
    setAccessibleDescription(more_);
    setToolTip(more_.isEmpty() ? text_ : text_ + u'\n' + more_);
}

QSize QuietLine::sizeHint() const { return {width_, QFontMetrics(theme().ui).height()}; }
QSize QuietLine::minimumSizeHint() const { return {kLeastWidth, sizeHint().height()}; }

void QuietLine::changeEvent(QEvent* event) {
    QWidget::changeEvent(event);
    if (event->type() != QEvent::StyleChange && event->type() != QEvent::FontChange) return;
    measure();
    update();
}

void QuietLine::paintEvent(QPaintEvent*) {
    QPainter painter(this);
    painter.fillRect(rect(), theme().ground);
    painter.setPen(theme().dim);
    draw_text(painter, Face::Ui, {rect()}, text_);
}

} // namespace orrery::qt
