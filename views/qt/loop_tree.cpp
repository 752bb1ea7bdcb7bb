#include "views/qt/loop_tree.hpp"

#include "views/qt/ink.hpp"
#include "views/qt/theme.hpp"
#include "views/qt/words.hpp"

#include <QApplication>
#include <QHelpEvent>
#include <QKeyEvent>
#include <QMouseEvent>
#include <QPainter>
#include <QScrollBar>
#include <QToolTip>

#include <algorithm>

namespace orrery::qt {
namespace {

constexpr int kLoopRow = 22, kIndent = 14, kLeft = 14;

/// Each kind of loop has a colour of its own; its name stands beside, so that nothing is told by colour alone.
const QColor& colour_of(const views::LoopRow& row) {
    const Theme& t = theme();
    if (row.row == views::LoopRowKind::Block) return t.violet;
    if (row.row != views::LoopRowKind::Loop) return t.faint;
    switch (row.kind) {
    case views::LoopStyle::Serial: return t.grey;
    case views::LoopStyle::Parallel: return t.green;
    case views::LoopStyle::Vectorized: return t.blue;
    case views::LoopStyle::Unrolled: return t.teal;
    }
    return t.grey;
}

int row_of_place(const views::LoopViewData& data, const std::string& place) {
    const auto found = std::ranges::find(data.rows, place, &views::LoopRow::place);
    return found == data.rows.end() ? -1 : static_cast<int>(found - data.rows.begin());
}

} // namespace

LoopTree::LoopTree(QWidget* parent) : QAbstractScrollArea(parent), data_(std::make_shared<views::LoopViewData>()) {
    setFrameShape(QFrame::NoFrame);
    setFocusPolicy(Qt::StrongFocus);
    setAccessibleName(tr("Loops"));
    setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
    viewport()->setAttribute(Qt::WA_OpaquePaintEvent);
    viewport()->setMouseTracking(true);
}

void LoopTree::set_data(std::shared_ptr<const views::LoopViewData> data) {
    if (!data || data == data_) return;
    const bool same = data->subject == data_->subject;
    const std::optional<views::Selection> moved = selection_in(*data);
    current_ = row_in(*data);
    data_ = std::move(data);
    hovered_ = pressed_ = drop_ = -1;
    update_bar();
    if (!same) verticalScrollBar()->setValue(0);
    update_rows();
    if (moved) Q_EMIT selection_requested(*moved);
    speak();
}

/// The row that is the chosen one once `data` is shown.
int LoopTree::row_in(const views::LoopViewData& data) const {
    if (data.subject != data_->subject || current_ < 0) return -1;
    const std::string& place = data_->rows[static_cast<std::size_t>(current_)].place;
    const int named = place.empty() ? -1 : row_of_place(data, place);
    return named >= 0 ? named : std::min(current_, static_cast<int>(data.rows.size()) - 1);
}

std::optional<views::Selection> LoopTree::selection_in(const views::LoopViewData& data) const {
    const int row = lined_ ? row_in(data) : -1;
    if (row < 0) return std::nullopt;
    views::Selection next = views::select_row(data, row);
    if (next == views::select_row(*data_, current_)) return std::nullopt;
    return next;
}

int LoopTree::row_named(const std::string& place) const { return row_of_place(*data_, place); }

void LoopTree::set_selection(const views::Selection& selection) {
    lined_ = !selection.tensor_lines.empty();
    if (current_ >= 0 && selection == views::select_row(*data_, current_)) return;
    const int row = views::row_of(*data_, selection);
    if (row == current_) return;
    current_ = row;
    if (row >= 0) reveal(row);
    update_rows();
    speak();
}

void LoopTree::choose(int row) {
    if (row < 0 || row >= static_cast<int>(data_->rows.size())) return;
    current_ = row;
    lined_ = true;
    reveal(row);
    update_rows();
    speak();
    Q_EMIT selection_requested(views::select_row(*data_, row));
}

void LoopTree::speak() {
    const std::string place = current_ < 0 ? std::string() : data_->rows[static_cast<std::size_t>(current_)].place;
    if (place != std::exchange(told_, place)) Q_EMIT place_changed(place);
    if (current_ < 0) return setAccessibleDescription(text_of(data_->note));
    const views::LoopRow& row = data_->rows[static_cast<std::size_t>(current_)];
    setAccessibleDescription(text_of(row.name + " " + row.extent + " " + row.facts));
}

void LoopTree::open_menu(const QString& typed) {
    if (current_ < 0 && !data_->rows.empty()) choose(0);
    if (current_ < 0) return;
    reveal(current_);
    Q_EMIT menu_requested(current_, typed);
}

QRect LoopTree::row_rect(int row) const {
    return {0, row * kLoopRow - verticalScrollBar()->value() + 4, viewport()->width(), kLoopRow};
}

int LoopTree::row_at(int y) const {
    const int row = (y + verticalScrollBar()->value() - 4) / kLoopRow;
    return y + verticalScrollBar()->value() >= 4 && row < static_cast<int>(data_->rows.size()) ? row : -1;
}

void LoopTree::update_bar() {
    const int height = static_cast<int>(data_->rows.size()) * kLoopRow + 8;
    verticalScrollBar()->setRange(0, std::max(0, height - viewport()->height()));
    verticalScrollBar()->setPageStep(viewport()->height());
    verticalScrollBar()->setSingleStep(kLoopRow);
}

void LoopTree::reveal(int row) {
    const QRect rect = row_rect(row);
    QScrollBar* bar = verticalScrollBar();
    if (rect.top() < 0) bar->setValue(bar->value() + rect.top() - 4);
    if (rect.bottom() > viewport()->height()) bar->setValue(bar->value() + rect.bottom() - viewport()->height() + 4);
}

// ------------------------------------------------------------------------------------------ painting

void LoopTree::paint_row(QPainter& painter, int index) {
    const Theme& t = theme();
    const views::LoopRow& row = data_->rows[static_cast<std::size_t>(index)];
    const QRect rect = row_rect(index);
    if (index == current_)
        painter.fillRect(rect, t.accent_fill);
    else if (index == hovered_)
        painter.fillRect(rect, t.hover);
    painter.setPen(QPen(t.hairline, 1));
    for (int depth = 1; depth <= row.depth; ++depth) {
        const int x = kLeft + (depth - 1) * kIndent + 3;
        painter.drawLine(x, rect.top(), x, rect.bottom());
    }
    const QColor& colour = colour_of(row);
    int x = kLeft + row.depth * kIndent;
    if (row.row == views::LoopRowKind::Block) {
        painter.setPen(Qt::NoPen);
        painter.setBrush(colour);
        painter.drawRoundedRect(QRectF(x, rect.top() + 7, 8, 8), 2, 2);
    } else if (row.row == views::LoopRowKind::Loop) {
        painter.fillRect(QRectF(x + 2, rect.top() + 4, 3, kLoopRow - 8), colour);
    }
    x += 14;
    const int right = rect.right() - 8;
    const auto draw = [&](Face face, const QColor& ink, const std::string& text) {
        if (text.empty() || x >= right - 12) return;
        painter.setPen(ink);
        x += draw_text(painter, face, {QRect(x, rect.top(), right - x, kLoopRow)}, text_of(text)) + 8;
    };
    const bool place = !row.place.empty();
    draw(row.row == views::LoopRowKind::Block ? Face::MonoBold : Face::Mono,
         index == current_ && t.choice.dark ? t.accent
         : place                            ? t.text
                                            : t.dim,
         row.name);
    draw(Face::Mono, t.dim, row.extent);
    const bool coloured = row.row == views::LoopRowKind::Loop && row.kind != views::LoopStyle::Serial;
    draw(Face::UiSmall, coloured ? colour : t.quiet, row.facts);
    if (index == current_ && hasFocus()) {
        painter.setPen(QPen(t.accent, 1));
        painter.setBrush(Qt::NoBrush);
        painter.drawRect(QRectF(rect).adjusted(0.5, 0.5, -0.5, -0.5));
    }
}

std::uint64_t LoopTree::signature(int index) const {
    const views::LoopRow& row = data_->rows[static_cast<std::size_t>(index)];
    Signature all;
    all.add(static_cast<int>(row.row)).add(static_cast<int>(row.kind)).add(static_cast<int>(row.axis)).add(row.depth);
    all.add(row.place.empty() ? 1 : 0).add(row.name).add(row.extent).add(row.facts).add(row_rect(index).top());
    all.add(index == current_ ? (hasFocus() ? 2 : 1) : index == hovered_ ? 3 : 0);
    return all.finish();
}

/// Paints what changed, when all else is where it was.
void LoopTree::update_rows() {
    if (data_->rows.empty()) return viewport()->update();
    painted_.update(
        *viewport(), static_cast<int>(data_->rows.size()), [this](int row) { return signature(row); },
        [this](int row) { return row_rect(row); });
}

/// Where the dragged loop would go, and the step that says so, or why not.
void LoopTree::paint_drop(QPainter& painter) {
    if (drop_ < 0 || drop_ == pressed_) return;
    const Theme& t = theme();
    std::string why;
    const std::string step = views::reorder_step(*data_, pressed_, drop_, why);
    const QRect rect = row_rect(drop_);
    const int y = drop_ < pressed_ ? rect.top() : rect.bottom();
    painter.setPen(QPen(step.empty() ? t.error : t.accent, 2));
    painter.drawLine(kLeft + data_->rows[static_cast<std::size_t>(drop_)].depth * kIndent, y, rect.right() - 4, y);
    const QString text = text_of(step.empty() ? why : step);
    const int wide = std::min(rect.width() - 16, shaped_width(Face::UiSmall, text) + 16);
    const QRect box(rect.right() - wide - 4, y + (drop_ < pressed_ ? -24 : 4), wide, 20);
    painter.setPen(QPen(t.hairline, 1));
    painter.setBrush(t.raised);
    painter.drawRoundedRect(box, 4, 4);
    painter.setPen(step.empty() ? t.error : t.text);
    draw_text(painter, Face::UiSmall, {box.adjusted(8, 0, -8, 0)}, text);
}

void LoopTree::paintEvent(QPaintEvent* event) {
    const Theme& t = theme();
    QPainter painter(viewport());
    painter.fillRect(viewport()->rect(), t.ground);
    if (data_->rows.empty()) {
        painted_.forget();
        painter.setFont(t.ui);
        painter.setPen(t.dim);
        painter.drawText(viewport()->rect().adjusted(16, 16, -16, -16), Qt::AlignCenter | Qt::TextWordWrap,
                         text_of(data_->empty_reason));
        return;
    }
    for (std::size_t i = 0; i < data_->rows.size(); ++i) {
        const QRect rect = row_rect(static_cast<int>(i));
        if (!wants(*event, rect)) continue;
        painted_.painted(static_cast<int>(i), signature(static_cast<int>(i)));
        paint_row(painter, static_cast<int>(i));
    }
    paint_drop(painter);
}

void LoopTree::resizeEvent(QResizeEvent* event) {
    QAbstractScrollArea::resizeEvent(event);
    update_bar();
}

void LoopTree::changeEvent(QEvent* event) {
    QAbstractScrollArea::changeEvent(event);
    if (event->type() == QEvent::StyleChange) viewport()->update();
}

bool LoopTree::viewportEvent(QEvent* event) {
    if (event->type() == QEvent::ToolTip) {
        const auto* help = static_cast<QHelpEvent*>(event);
        const int at = row_at(help->pos().y());
        if (at < 0) return false;
        const views::LoopRow& row = data_->rows[static_cast<std::size_t>(at)];
        const std::string lines =
            row.first_line == 0 ? ""
                                : "\nlines " + std::to_string(row.first_line) + " to " + std::to_string(row.last_line);
        QToolTip::showText(help->globalPos(),
                           text_of((row.place.empty() ? row.name : row.place) + "  " + row.extent +
                                   (row.facts.empty() ? "" : "\n" + row.facts) + lines),
                           viewport());
        return true;
    }
    return QAbstractScrollArea::viewportEvent(event);
}

// --------------------------------------------------------------------------------- mouse and keyboard

void LoopTree::mousePressEvent(QMouseEvent* event) {
    setFocus(Qt::MouseFocusReason);
    const int row = row_at(event->pos().y());
    if (row >= 0) choose(row);
    if (event->button() != Qt::LeftButton) return;
    pressed_ = row;
    pressed_at_ = event->pos();
}

void LoopTree::mouseMoveEvent(QMouseEvent* event) {
    const int row = row_at(event->pos().y());
    const bool dragged =
        pressed_ >= 0 && (event->buttons() & Qt::LeftButton) != 0 &&
        (drop_ >= 0 || (event->pos() - pressed_at_).manhattanLength() >= QApplication::startDragDistance());
    if (dragged && row >= 0) {
        drop_ = row;
        viewport()->setCursor(Qt::ClosedHandCursor);
    }
    hovered_ = row;
    viewport()->update();
}

void LoopTree::mouseReleaseEvent(QMouseEvent*) {
    const int from = std::exchange(pressed_, -1), to = std::exchange(drop_, -1);
    viewport()->unsetCursor();
    viewport()->update();
    if (from < 0 || to < 0 || from == to) return;
    std::string why;
    const std::string step = views::reorder_step(*data_, from, to, why);
    if (step.empty())
        Q_EMIT refused(text_of(why));
    else
        Q_EMIT step_requested(text_of(step));
}

void LoopTree::mouseDoubleClickEvent(QMouseEvent* event) {
    if (event->button() == Qt::LeftButton && row_at(event->pos().y()) >= 0) open_menu();
}

void LoopTree::contextMenuEvent(QContextMenuEvent* event) {
    if (event->reason() == QContextMenuEvent::Mouse)
        if (const int row = row_at(event->pos().y()); row >= 0 && row != current_) choose(row);
    open_menu();
}

void LoopTree::leaveEvent(QEvent* event) {
    QAbstractScrollArea::leaveEvent(event);
    hovered_ = -1;
    viewport()->update();
}

void LoopTree::keyPressEvent(QKeyEvent* event) {
    const int last = static_cast<int>(data_->rows.size()) - 1;
    const bool plain = (event->modifiers() & (Qt::ControlModifier | Qt::AltModifier | Qt::MetaModifier)) == 0;
    switch (event->key()) {
    case Qt::Key_Down: return choose(std::min(current_ + 1, last));
    case Qt::Key_Up: return choose(std::max(current_ - 1, 0));
    case Qt::Key_Home: return choose(0);
    case Qt::Key_End: return choose(last);
    case Qt::Key_Left:
        if (current_ >= 0) choose(data_->rows[static_cast<std::size_t>(current_)].parent);
        return;
    case Qt::Key_Right:
        if (current_ < last && data_->rows[static_cast<std::size_t>(current_ + 1)].parent == current_)
            choose(current_ + 1);
        return;
    case Qt::Key_Escape:
        if (drop_ < 0) break;
        pressed_ = drop_ = -1;
        return viewport()->update();
    case Qt::Key_Return:
    case Qt::Key_Enter:
    case Qt::Key_Menu:
    case Qt::Key_Space: return open_menu();
    default: break;
    }
    // Typing begins the name of a primitive.
    if (plain && !event->text().isEmpty() && event->text().front().isLetter()) return open_menu(event->text());
    QAbstractScrollArea::keyPressEvent(event);
}

void LoopTree::focusInEvent(QFocusEvent* event) {
    QAbstractScrollArea::focusInEvent(event);
    viewport()->update();
}

void LoopTree::focusOutEvent(QFocusEvent* event) {
    QAbstractScrollArea::focusOutEvent(event);
    viewport()->update();
}

} // namespace orrery::qt
