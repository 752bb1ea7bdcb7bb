#include "views/qt/history_panel.hpp"

#include "views/qt/theme.hpp"
#include "views/qt/words.hpp"

#include <QKeyEvent>
#include <QMouseEvent>
#include <QPainter>
#include <QPainterPath>
#include <QScrollBar>

#include <algorithm>

namespace orrery::qt {
namespace {

constexpr int kHead = 52;                  // title, binding
constexpr int kEventLeft = 44, kAxis = 24; // text, middle of the line
constexpr int kEventRow = 20, kCode = 18, kEventGap = 10;

} // namespace

HistoryPanel::HistoryPanel(QWidget* parent)
    : QAbstractScrollArea(parent), data_(std::make_shared<views::HistoryViewData>()) {
    setFrameShape(QFrame::NoFrame);
    setFocusPolicy(Qt::StrongFocus);
    setAccessibleName(tr("History of a value"));
    viewport()->setAttribute(Qt::WA_OpaquePaintEvent);
}

void HistoryPanel::set_data(std::shared_ptr<const views::HistoryViewData> data) {
    if (!data || data == data_) return;
    const bool same = data->title == data_->title;
    data_ = std::move(data);
    if (!same) {
        current_ = -1;
        for (std::size_t i = 0; i < data_->entries.size(); ++i)
            if (data_->entries[i].here) current_ = static_cast<int>(i);
    }
    current_ = std::min(current_, static_cast<int>(data_->entries.size()) - 1);
    lay_out();
    if (!same) verticalScrollBar()->setValue(0);
    setAccessibleDescription(text_of(data_->title + ", " + data_->summary));
}

void HistoryPanel::lay_out() {
    entries_.clear();
    int y = kHead;
    for (const views::HistoryEntry& e : data_->entries) {
        Entry entry;
        entry.top = y;
        using Kind = Line::Kind;
        entry.lines.push_back({Kind::Title, text_of(e.title)});
        for (const std::string& line : e.before) entry.lines.push_back({Kind::Before, text_of(line)});
        for (const std::string& line : e.after) entry.lines.push_back({Kind::After, text_of(line)});
        if (!e.rule.empty()) entry.lines.push_back({Kind::Rule, text_of(e.rule)});
        for (const Line& line : entry.lines) entry.height += line.kind == Kind::Title ? kEventRow : kCode;
        entry.height += kEventGap;
        y += entry.height;
        entries_.push_back(std::move(entry));
    }
    height_ = y + kEventGap;
    update_bar();
    viewport()->update();
}

void HistoryPanel::update_bar() {
    const int page = viewport()->height();
    verticalScrollBar()->setRange(0, data_->entries.empty() ? 0 : std::max(0, height_ - page));
    verticalScrollBar()->setPageStep(page);
    verticalScrollBar()->setSingleStep(kEventRow);
}

QRect HistoryPanel::entry_rect(int index) const {
    const Entry& e = entries_[static_cast<std::size_t>(index)];
    return {0, e.top - verticalScrollBar()->value(), viewport()->width(), e.height};
}

int HistoryPanel::entry_at(int y) const {
    const int at = y + verticalScrollBar()->value();
    for (std::size_t i = 0; i < entries_.size(); ++i)
        if (at >= entries_[i].top && at < entries_[i].top + entries_[i].height) return static_cast<int>(i);
    return -1;
}

/// A shape for each kind of event: a box for the model and kernels, a disc for changes, a cross for the end.
void HistoryPanel::paint_sign(QPainter& painter, views::HistorySign sign, const QPointF& at) const {
    using S = views::HistorySign;
    const Theme& t = theme();
    painter.setPen(Qt::NoPen);
    switch (sign) {
    case S::Model:
        painter.setBrush(t.grey);
        painter.drawRect(QRectF(at.x() - 5, at.y() - 5, 10, 10));
        break;
    case S::Made:
        painter.setBrush(t.added);
        painter.drawEllipse(at, 7, 7);
        break;
    case S::Changed:
        painter.setBrush(t.changed);
        painter.drawEllipse(at, 7, 7);
        break;
    case S::Joined: {
        QPainterPath path;
        path.moveTo(at + QPointF(-7, -6));
        path.lineTo(at + QPointF(7, -6));
        path.lineTo(at + QPointF(0, 7));
        path.closeSubpath();
        painter.setBrush(t.moved);
        painter.drawPath(path);
        break;
    }
    case S::Constant: {
        const QPointF diamond[4] = {at + QPointF(0, -8), at + QPointF(8, 0), at + QPointF(0, 8), at + QPointF(-8, 0)};
        painter.setBrush(t.teal);
        painter.drawConvexPolygon(diamond, 4);
        break;
    }
    case S::Gone:
        painter.setPen(QPen(t.removed, 2.4, Qt::SolidLine, Qt::RoundCap));
        painter.drawLine(at + QPointF(-5, -5), at + QPointF(5, 5));
        painter.drawLine(at + QPointF(5, -5), at + QPointF(-5, 5));
        break;
    case S::Kernel:
        painter.setBrush(t.blue);
        painter.drawRoundedRect(QRectF(at.x() - 7, at.y() - 6, 14, 12), 3, 3);
        break;
    }
    const QString inside = sign == S::Made ? QStringLiteral("+") : sign == S::Changed ? QStringLiteral("~") : QString();
    if (!inside.isEmpty()) {
        QFont font = t.ui_bold;
        font.setPixelSize(11);
        painter.setFont(font);
        painter.setPen(t.choice.dark ? t.ground : t.raised);
        painter.drawText(QRectF(at.x() - 8, at.y() - 8, 16, 16), Qt::AlignCenter, inside);
    }
}

void HistoryPanel::paintEvent(QPaintEvent*) {
    const Theme& t = theme();
    QPainter painter(viewport());
    painter.fillRect(viewport()->rect(), t.ground);
    if (data_->title.empty()) {
        painter.setFont(t.ui);
        painter.setPen(t.dim);
        painter.drawText(viewport()->rect().adjusted(24, 16, -24, -16), Qt::AlignCenter | Qt::TextWordWrap,
                         text_of(data_->empty_reason));
        return;
    }
    painter.setRenderHint(QPainter::Antialiasing);
    const int scroll = verticalScrollBar()->value(), width = viewport()->width();
    const auto line = [&](const QFont& font, const QColor& colour, int x, int y, int height, const QString& text) {
        painter.setFont(font);
        painter.setPen(colour);
        const QString shown = painter.fontMetrics().elidedText(text, Qt::ElideRight, width - x - 12);
        painter.drawText(QRect(x, y, width - x - 8, height), Qt::AlignLeft | Qt::AlignVCenter, shown);
        return x + painter.fontMetrics().horizontalAdvance(shown);
    };
    const int after_title = line(t.ui_bold, t.text, 12, 8 - scroll, kEventRow, text_of(data_->title));
    line(t.ui_small, t.dim, after_title + 12, 8 - scroll, kEventRow, text_of(data_->summary));
    line(t.mono, t.dim, 12, 28 - scroll, kCode, text_of(data_->subtitle));
    if (!entries_.empty())
        painter.fillRect(QRectF(kAxis - 1, entries_.front().top - scroll + kEventRow / 2.0, 2,
                                entries_.back().top - entries_.front().top),
                         t.hairline);
    for (std::size_t i = 0; i < entries_.size(); ++i) {
        const Entry& entry = entries_[i];
        const views::HistoryEntry& e = data_->entries[i];
        int y = entry.top - scroll;
        if (y > viewport()->height() || y + entry.height < 0) continue;
        if (static_cast<int>(i) == current_) {
            painter.setPen(Qt::NoPen);
            painter.setBrush(hasFocus() ? t.hover : t.panel);
            painter.drawRoundedRect(QRectF(4, y - 3, width - 8, entry.height - 2), 5, 5);
        }
        paint_sign(painter, e.sign, QPointF(kAxis, y + kEventRow / 2.0));
        for (const Line& text : entry.lines) {
            const bool title = text.kind == Line::Kind::Title;
            if (title) {
                const int x = line(t.ui_bold, e.here ? t.accent : t.text, kEventLeft, y, kEventRow, text.text);
                line(t.ui, t.dim, x + 10, y, kEventRow, text_of(e.sentence));
            } else if (text.kind == Line::Kind::Rule) {
                line(t.ui_small, t.quiet, kEventLeft, y, kCode, text.text);
            } else {
                const bool before = text.kind == Line::Kind::Before;
                const bool both = !e.before.empty();
                if (both || e.sign == views::HistorySign::Gone)
                    line(t.mono, before ? t.removed : t.added, kEventLeft, y, kCode,
                         before ? QStringLiteral("−") : QStringLiteral("+"));
                line(t.mono, before ? t.dim : t.text, kEventLeft + (both ? 16 : 0), y, kCode, text.text);
            }
            y += title ? kEventRow : kCode;
        }
    }
}

void HistoryPanel::resizeEvent(QResizeEvent* event) {
    QAbstractScrollArea::resizeEvent(event);
    update_bar();
}

void HistoryPanel::select(int index) {
    if (index < 0 || index >= static_cast<int>(entries_.size())) return;
    current_ = index;
    const views::HistoryEntry& e = data_->entries[static_cast<std::size_t>(index)];
    setAccessibleDescription(text_of(e.title + ": " + e.sentence));
    const QRect rect = entry_rect(index);
    if (rect.top() < 4) verticalScrollBar()->setValue(verticalScrollBar()->value() + rect.top() - 4);
    if (rect.bottom() > viewport()->height())
        verticalScrollBar()->setValue(verticalScrollBar()->value() + rect.bottom() - viewport()->height());
    viewport()->update();
}

void HistoryPanel::activate(int index) {
    select(index);
    if (index < 0 || index >= static_cast<int>(entries_.size()) || !sink_) return;
    const views::HistoryEntry& e = data_->entries[static_cast<std::size_t>(index)];
    if (e.sign == views::HistorySign::Kernel && !data_->function.empty())
        sink_(views::SelectFunction{data_->function});
    else if (e.stage >= 0)
        sink_(views::SelectStage{e.stage});
}

void HistoryPanel::mousePressEvent(QMouseEvent* event) {
    if (event->button() != Qt::LeftButton) return;
    setFocus();
    if (const int index = entry_at(event->pos().y()); index >= 0) activate(index);
}

void HistoryPanel::keyPressEvent(QKeyEvent* event) {
    switch (event->key()) {
    case Qt::Key_Down: return select(std::min(current_ + 1, static_cast<int>(entries_.size()) - 1));
    case Qt::Key_Up: return select(std::max(current_ - 1, 0));
    case Qt::Key_Home: return select(0);
    case Qt::Key_End: return select(static_cast<int>(entries_.size()) - 1);
    case Qt::Key_Return:
    case Qt::Key_Enter: return activate(current_);
    default: break;
    }
    QAbstractScrollArea::keyPressEvent(event);
}

void HistoryPanel::changeEvent(QEvent* event) {
    QAbstractScrollArea::changeEvent(event);
    if (event->type() == QEvent::StyleChange) viewport()->update();
}

} // namespace orrery::qt
