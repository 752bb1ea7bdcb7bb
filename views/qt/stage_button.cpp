#include "views/qt/stage_strip.hpp"

#include "views/qt/ink.hpp"
#include "views/qt/theme.hpp"
#include "views/qt/words.hpp"

#include <QLinearGradient>
#include <QPainter>

#include <algorithm>

namespace orrery::qt {
namespace {

constexpr int kButtonHeight = 38, kDotWidth = 14, kMaxButton = 190;

QString second_line(const views::StageStep& step) {
    if (step.culprit && step.state == views::StageState::Done) return StageButton::tr("first wrong");
    switch (step.state) {
    case views::StageState::Running: return StageButton::tr("running…");
    case views::StageState::Failed: return StageButton::tr("failed");
    case views::StageState::Disabled: return StageButton::tr("off");
    case views::StageState::Pending: return StageButton::tr("not reached");
    case views::StageState::Done: break;
    }
    if (step.detail.empty()) return text_of(step.time);
    return step.time.empty() ? text_of(step.detail) : text_of(step.detail) + QStringLiteral("  ") + text_of(step.time);
}

bool is_wrong(const views::StageStep& step) {
    return step.state == views::StageState::Failed || step.culprit || step.check_tone == views::Tone::Bad;
}

} // namespace

StageButton::StageButton(QWidget* parent) : QAbstractButton(parent) {
    setFocusPolicy(Qt::TabFocus);
    setCursor(Qt::PointingHandCursor);
    setAttribute(Qt::WA_Hover);
}

void StageButton::set_step(const views::StageStep& step, bool expand) {
    if (expand == expand_ && step == step_) return;
    const QSize before = sizeHint();
    step_ = step;
    expand_ = expand;
    const QString line = second_line(step);
    setAccessibleName(text_of(step.name));
    setAccessibleDescription(step.check.empty() ? line : line + QStringLiteral(", error ") + text_of(step.check));
    setToolTip(step.tooltip.empty() ? text_of(step.name) + u'\n' + line : text_of(step.tooltip));
    if (sizeHint() != before) updateGeometry();
    update();
}

bool StageButton::is_dot() const {
    return !expand_ && !step_.changed && !step_.selected && !is_wrong(step_) && step_.state == views::StageState::Done;
}

QSize StageButton::sizeHint() const {
    if (is_dot()) return {kDotWidth, kButtonHeight};
    const int text = std::max(shaped_width(Face::UiBold, text_of(step_.name)) + (step_.check.empty() ? 0 : 10),
                              shaped_width(Face::UiSmall, second_line(step_)));
    return {std::clamp(text + 20, 58, kMaxButton), kButtonHeight};
}

void StageButton::paintEvent(QPaintEvent*) {
    const Theme& t = theme();
    QPainter painter(this);
    painter.setRenderHint(QPainter::Antialiasing);
    const QRectF box = QRectF(rect()).adjusted(0.5, 0.5, -0.5, -0.5);
    if (is_dot()) return paint_dot(painter, box);
    QPen border(t.hairline, 1);
    if (is_wrong(step_)) border = QPen(t.error, 1.2);
    if (step_.selected) border = QPen(t.accent, 1.4);
    if (hasFocus()) border = QPen(step_.selected ? t.text : t.accent, 1.4);
    if (step_.state == views::StageState::Pending) border.setStyle(Qt::DashLine);
    painter.setPen(border);
    painter.setBrush(step_.selected                              ? t.accent_fill
                     : underMouse()                              ? t.hover
                     : step_.state == views::StageState::Pending ? t.panel
                                                                 : t.raised);
    painter.drawRoundedRect(box, 6, 6);
    paint_lines(painter);
    paint_marks(painter);
}

void StageButton::paint_dot(QPainter& painter, const QRectF& box) const {
    const Theme& t = theme();
    painter.setBrush(Qt::NoBrush);
    painter.setPen(QPen(t.accent, 1));
    if (hasFocus()) painter.drawRoundedRect(box, 5, 5);
    painter.setPen(Qt::NoPen);
    painter.setBrush(underMouse() ? t.text : t.faint);
    painter.drawEllipse(box.center(), 2.5, 2.5);
}

void StageButton::paint_lines(QPainter& painter) const {
    const Theme& t = theme();
    const bool off = step_.state == views::StageState::Disabled, pending = step_.state == views::StageState::Pending;
    const QRect inside = rect().adjusted(10, 4, -8, -4);
    const int half = inside.height() / 2;
    painter.setPen(off || pending ? t.quiet : step_.selected && t.choice.dark ? t.accent : t.text);
    const QRect first(inside.x(), inside.y(), inside.width(), half);
    const int wide = draw_text(painter, Face::UiBold, {first}, text_of(step_.name));
    if (off) painter.drawLine(first.left(), first.center().y() + 1, first.left() + wide, first.center().y() + 1);
    const QRect second(inside.x(), inside.y() + half, inside.width(), half);
    const QString detail = text_of(step_.detail);
    if (step_.state != views::StageState::Done || detail.isEmpty() || step_.culprit) {
        painter.setPen(is_wrong(step_) ? t.error : t.dim);
        draw_text(painter, Face::UiSmall, {second}, second_line(step_));
        return;
    }
    const bool fewer = detail.startsWith(u'-') || detail.startsWith(u'−');
    painter.setPen(fewer ? t.good : t.dim);
    const QRect rest = second.adjusted(draw_text(painter, Face::UiSmall, {second}, detail) + 8, 0, 0, 0);
    painter.setPen(t.dim);
    if (const QString time = text_of(step_.time); shaped_width(Face::UiSmall, time) <= rest.width())
        draw_text(painter, Face::UiSmall, {rest}, time); // half a number says nothing
}

/// How long it took beside its neighbours, as a line at the bottom; a dot in the corner for a check.
void StageButton::paint_marks(QPainter& painter) const {
    const Theme& t = theme();
    painter.setPen(Qt::NoPen);
    if (step_.share > 0.02f && step_.state == views::StageState::Done) {
        painter.setBrush(step_.selected ? t.accent : t.faint);
        const double width = (rect().width() - 20) * static_cast<double>(step_.share);
        painter.drawRoundedRect(QRectF(10, rect().height() - 4, std::max(2.0, width), 2), 1, 1);
    }
    if (step_.check.empty()) return;
    painter.setBrush(t.tone(step_.check_tone));
    painter.drawEllipse(QPointF(rect().width() - 8, 8), 3, 3);
}

StripEdge::StripEdge(Side side, QWidget* parent) : QAbstractButton(parent), side_(side) {
    setFocusPolicy(Qt::NoFocus); // steps are walked by keys; those that take the focus come into sight
    setCursor(Qt::PointingHandCursor);
    setAttribute(Qt::WA_Hover);
    setAccessibleName(side == Side::Left ? tr("Earlier stages") : tr("Later stages"));
    setToolTip(accessibleName());
}

QSize StripEdge::sizeHint() const { return {40, kButtonHeight}; }

/// What is cut fades into the strip, and an arrow says that there is more.
void StripEdge::paintEvent(QPaintEvent*) {
    const Theme& t = theme();
    const bool left = side_ == Side::Left;
    QPainter painter(this);
    QLinearGradient fade(left ? width() : 0, 0, left ? 0 : width(), 0);
    QColor clear = t.panel;
    clear.setAlpha(0);
    fade.setColorAt(0, clear);
    fade.setColorAt(0.55, t.panel);
    painter.fillRect(rect(), fade);
    painter.setRenderHint(QPainter::Antialiasing);
    painter.setPen(QPen(underMouse() ? t.text : t.dim, 1.6, Qt::SolidLine, Qt::RoundCap, Qt::RoundJoin));
    const double tip = left ? 8 : width() - 8, back = left ? tip + 4.5 : tip - 4.5, middle = height() / 2.0;
    const QPointF arrow[] = {{back, middle - 5}, {tip, middle}, {back, middle + 5}};
    painter.drawPolyline(arrow, 3);
}

void StageRow::set_drop_mark(int x) {
    if (mark_ == x) return;
    mark_ = x;
    update();
}

void StageRow::paintEvent(QPaintEvent*) {
    if (mark_ < 0) return;
    QPainter painter(this);
    painter.fillRect(QRect(mark_ - 1, 5, 2, height() - 10), theme().accent);
}

} // namespace orrery::qt
