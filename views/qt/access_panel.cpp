#include "views/qt/access_panel.hpp"

#include "views/qt/theme.hpp"
#include "views/qt/words.hpp"

#include <QHBoxLayout>
#include <QHelpEvent>
#include <QPainter>
#include <QSplitter>
#include <QToolTip>

#include <algorithm>

namespace orrery::qt {
namespace {

constexpr int kPictureMargin = 12, kTitle = 38, kLabels = 18, kLegend = 24;

} // namespace

// ------------------------------------------------------------------------------------------- the grid

AccessGrid::AccessGrid(QWidget* parent) : QWidget(parent), data_(std::make_shared<views::AccessViewData>()) {
    setAccessibleName(tr("Elements one iteration touches"));
    setMinimumSize(200, 120);
}

void AccessGrid::set_data(std::shared_ptr<const views::AccessViewData> data) {
    data_ = std::move(data);
    setAccessibleDescription(text_of(data_->picture.title + ", " + data_->picture.note));
    update();
}

double AccessGrid::cell_size() const {
    const views::AccessPicture& p = data_->picture;
    constexpr double kLeast = 2, kMost = 18;
    const double wide = static_cast<double>(width() - 2 * kPictureMargin - kLabels) / std::max(1, p.columns);
    const double high = static_cast<double>(height() - kTitle - 2 * kLabels - kLegend - 8) / std::max(1, p.rows);
    const double size = std::clamp(std::min(wide, high), kLeast, kMost);
    return size < 4 ? size : std::floor(size);
}

QPointF AccessGrid::origin() const { return {kPictureMargin + kLabels, 6 + kTitle + kLabels}; }

QRectF AccessGrid::cell_rect(int row, int column) const {
    const double size = cell_size();
    return {origin().x() + column * size, origin().y() + row * size, size, size};
}

void AccessGrid::paint_cells(QPainter& painter) {
    const Theme& t = theme();
    const views::AccessPicture& p = data_->picture;
    const double size = cell_size(), gap = size >= 5 ? 1 : 0;
    const QRectF all(origin(), QSizeF(p.columns * size, p.rows * size));
    painter.fillRect(all, t.raised);
    for (int r = 0; r < p.rows; ++r)
        for (int c = 0; c < p.columns; ++c) {
            const QRectF cell = cell_rect(r, c).adjusted(gap, gap, 0, 0);
            if (p.has(r, c, views::kTouchedNow))
                painter.fillRect(cell, t.teal);
            else if (p.has(r, c, views::kTouchedNext))
                painter.fillRect(cell, t.blue_fill);
            else if (p.has(r, c, views::kTouchedInLoop))
                painter.fillRect(cell, t.teal_fill);
            else if (gap > 0)
                painter.fillRect(cell, t.ground);
            if (p.has(r, c, views::kTouchedNext)) { // seen on what is touched now, too
                painter.setPen(QPen(t.blue, 1));
                painter.setBrush(Qt::NoBrush);
                if (size >= 5) painter.drawRect(cell.adjusted(0.5, 0.5, -0.5, -0.5));
            }
        }
    // Borders of cache lines over everything.
    for (int r = 0; r < p.rows; ++r)
        for (int c = 0; c < p.columns; ++c)
            if (p.has(r, c, views::kLineStart))
                painter.fillRect(QRectF(cell_rect(r, c).topLeft(), QSizeF(size >= 8 ? 2 : 1, size)), t.violet);
    painter.setPen(QPen(t.hairline, 1));
    painter.setBrush(Qt::NoBrush);
    painter.drawRect(all.adjusted(-0.5, -0.5, 0.5, 0.5));
}

/// First and last index of what is drawn.
void AccessGrid::paint_axes(QPainter& painter) {
    const Theme& t = theme();
    const views::AccessPicture& p = data_->picture;
    const double size = cell_size();
    painter.setFont(t.ui_small);
    painter.setPen(t.quiet);
    const auto say = [&](const QRectF& box, int align, std::int64_t index) {
        painter.drawText(box, align | Qt::AlignVCenter, QString::number(index));
    };
    const QPointF at = origin();
    say({at.x(), at.y() - kLabels, 40, kLabels - 2}, Qt::AlignLeft, p.first_column);
    if (p.columns * size > 60)
        say({at.x() + p.columns * size - 60, at.y() - kLabels, 60, kLabels - 2}, Qt::AlignRight,
            p.first_column + p.columns - 1);
    say({0, at.y() - 2, at.x() - 5, 14}, Qt::AlignRight, p.first_row);
    if (p.rows * size > 26)
        say({0, at.y() + p.rows * size - 13, at.x() - 5, 14}, Qt::AlignRight, p.first_row + p.rows - 1);
    if (p.rows < p.all_rows || p.columns < p.all_columns) {
        const QString part = tr("part of %1 × %2").arg(p.all_rows).arg(p.all_columns);
        painter.drawText(QRectF(at.x(), at.y() + p.rows * size + 1, width() - at.x() - kPictureMargin, kLabels),
                         Qt::AlignLeft | Qt::AlignVCenter, part);
    }
}

void AccessGrid::paint_legend(QPainter& painter) {
    const Theme& t = theme();
    painter.setFont(t.ui_small);
    int x = kPictureMargin;
    const int y = height() - kLegend;
    const auto entry = [&](const QColor& fill, const QColor& edge, int box, const QString& text) {
        const QRectF mark(x, y + (kLegend - 10) / 2.0, box, 10);
        painter.fillRect(mark, fill);
        painter.setPen(QPen(edge, 1));
        if (box > 4) painter.drawRect(mark.adjusted(0.5, 0.5, -0.5, -0.5));
        painter.setPen(t.dim);
        const int wide = painter.fontMetrics().horizontalAdvance(text);
        painter.drawText(QRectF(x + box + 5, y, wide + 2, kLegend), Qt::AlignLeft | Qt::AlignVCenter, text);
        x += box + wide + 16;
    };
    entry(t.teal, t.teal, 10, tr("now"));
    entry(t.blue_fill, t.blue, 10, tr("next"));
    entry(t.teal_fill, t.teal_fill, 10, tr("loop"));
    entry(t.violet, t.violet, 2, tr("line"));
}

void AccessGrid::paintEvent(QPaintEvent*) {
    const Theme& t = theme();
    QPainter painter(this);
    painter.fillRect(rect(), t.ground);
    const views::AccessPicture& p = data_->picture;
    if (p.rows == 0) {
        painter.setPen(t.dim);
        painter.drawText(rect().adjusted(16, 8, -16, -8), Qt::AlignCenter | Qt::TextWordWrap,
                         tr("What one iteration touches of a buffer is drawn here."));
        return;
    }
    painter.setFont(t.mono);
    painter.setPen(t.text);
    const QString title = text_of(p.title);
    const QRect head(kPictureMargin, 4, width() - 2 * kPictureMargin, kTitle / 2);
    painter.drawText(head, Qt::AlignLeft | Qt::AlignVCenter,
                     painter.fontMetrics().elidedText(title, Qt::ElideRight, head.width()));
    painter.setFont(t.ui_small);
    painter.setPen(t.dim);
    painter.drawText(head.translated(0, kTitle / 2), Qt::AlignLeft | Qt::AlignVCenter,
                     painter.fontMetrics().elidedText(text_of(p.note), Qt::ElideRight, head.width()));
    painter.setClipRect(QRect(0, 0, width(), height() - kLegend));
    paint_cells(painter);
    paint_axes(painter);
    painter.setClipping(false);
    paint_legend(painter);
}

bool AccessGrid::event(QEvent* event) {
    if (event->type() == QEvent::ToolTip) {
        const auto* help = static_cast<QHelpEvent*>(event);
        const views::AccessPicture& p = data_->picture;
        const QPointF at = QPointF(help->pos()) - origin();
        const int row = static_cast<int>(at.y() / cell_size()), column = static_cast<int>(at.x() / cell_size());
        if (at.x() < 0 || at.y() < 0 || row >= p.rows || column >= p.columns) return QWidget::event(event);
        const QString what = p.has(row, column, views::kTouchedNow)      ? tr("touched by this iteration")
                             : p.has(row, column, views::kTouchedNext)   ? tr("touched by the next iteration")
                             : p.has(row, column, views::kTouchedInLoop) ? tr("touched by others of the loop")
                                                                         : tr("not touched by the loop");
        QToolTip::showText(help->globalPos(),
                           tr("row %1, column %2: %3").arg(p.first_row + row).arg(p.first_column + column).arg(what),
                           this);
        return true;
    }
    return QWidget::event(event);
}

// ------------------------------------------------------------------------------------------ the panel

AccessPanel::AccessPanel(QWidget* parent) : QWidget(parent), data_(std::make_shared<views::AccessViewData>()) {
    setAccessibleName(tr("Access"));
    auto* row = new QHBoxLayout(this);
    row->setContentsMargins(0, 0, 0, 0);
    auto* split = new QSplitter(Qt::Horizontal, this);
    split->setHandleWidth(1);
    split->setChildrenCollapsible(false);
    buffers_ = new TablePanel(tr("Buffers"), split);
    grid_ = new AccessGrid(split);
    levels_ = new TablePanel(tr("Loops and caches"), split);
    for (QWidget* part : std::initializer_list<QWidget*>{buffers_, grid_, levels_}) split->addWidget(part);
    split->setSizes({375, 235, 570});
    row->addWidget(split);
    connect(buffers_, &TablePanel::row_activated, this, [this](int chosen) {
        if (chosen >= std::ssize(data_->buffer_names)) return;
        what_.buffer = data_->buffer_names[static_cast<std::size_t>(chosen)];
        want();
    });
    connect(levels_, &TablePanel::row_activated, this, [this](int chosen) {
        if (chosen >= std::ssize(data_->level_places)) return;
        const std::string place = data_->level_places[static_cast<std::size_t>(chosen)];
        set_place(place);
        Q_EMIT place_requested(place);
    });
}

void AccessPanel::set_data(std::shared_ptr<const views::AccessViewData> data) {
    if (!data || data == data_) return;
    data_ = std::move(data);
    buffers_->set_table(std::shared_ptr<const views::Table>(data_, &data_->buffers));
    buffers_->select_row(data_->buffer_row);
    levels_->set_table(std::shared_ptr<const views::Table>(data_, &data_->levels));
    levels_->select_row(data_->level_row);
    grid_->set_data(data_);
}

void AccessPanel::set_place(const std::string& place) {
    if (place == what_.place) return;
    what_.place = place;
    want();
}

void AccessPanel::want() {
    if (what_.on) Q_EMIT wanted(what_);
}

void AccessPanel::showEvent(QShowEvent* event) {
    QWidget::showEvent(event);
    if (std::exchange(what_.on, true)) return;
    Q_EMIT wanted(what_);
}

void AccessPanel::hideEvent(QHideEvent* event) {
    QWidget::hideEvent(event);
    if (event->spontaneous() || !std::exchange(what_.on, false)) return;
    Q_EMIT wanted(what_);
}

} // namespace orrery::qt
