// The text view's painting.

#include "views/qt/text_view_ink.hpp"

#include <QElapsedTimer>
#include <QScrollBar>

namespace orrery::qt {
namespace {

constexpr float kHot = 0.004f; ///< share of the time from which a line is marked

} // namespace

int TextView::rows_in_sight() const {
    return std::max(0, std::min(viewport()->height() / line_height_ + 2, row_count() - verticalScrollBar()->value()));
}

/// Of a row counted from the first in sight.
std::uint64_t TextView::signature(int row) const {
    const int line = line_of_row(verticalScrollBar()->value() + row);
    const auto index = static_cast<std::size_t>(line);
    const auto [from, to] = ordered();
    if (search_ || !data_->words.empty() || (from != to && line >= from.line && line <= to.line))
        return PaintedRows::kUnknown;
    const auto among = [line](const std::vector<int>& lines) {
        return std::binary_search(lines.begin(), lines.end(), line) ? 1 : 0;
    };
    Signature all;
    all.add(data_->line(line)).add(static_cast<int>(data_->language)).add(gutter_width());
    all.add(horizontalScrollBar()->value()).add(index < data_->numbers.size() ? data_->numbers[index] : line + 1);
    all.add(index < data_->links.size() ? data_->links[index].tint : -1).add(among(linked_) + (by_line_ ? 2 : 0));
    all.add(among(hover_)).add(line == caret_.line && hasFocus() ? 1 : 0);
    all.add(index < data_->changes.size() ? static_cast<int>(data_->changes[index]) : -1);
    all.add(index < data_->heat.size() && data_->heat[index] > kHot ? 1 : 0);
    const views::FoldRange* fold = fold_at(line);
    all.add(fold == nullptr ? -1 : is_folded(line) ? fold->last : -2);
    return all.finish();
}

/// Paints what changed, when all else is where it was.
void TextView::update_rows() {
    if (data_->line_count() == 0) return viewport()->update();
    painted_.update(
        *viewport(), rows_in_sight(), [this](int row) { return signature(row); },
        [this](int row) { return QRect(0, row * line_height_, viewport()->width(), line_height_); });
}

void TextView::paintEvent(QPaintEvent* event) {
    QElapsedTimer timer;
    timer.start();
    const Theme& t = theme();
    QPainter painter(viewport());
    painter.fillRect(viewport()->rect(), t.ground);
    if (data_->line_count() == 0) {
        painted_.forget();
        painter.setFont(t.ui);
        painter.setPen(t.dim);
        painter.drawText(viewport()->rect().adjusted(24, 24, -24, -24), Qt::AlignCenter | Qt::TextWordWrap,
                         QString::fromStdString(data_->empty_reason));
        return;
    }
    painter.setFont(font_);
    const int first = verticalScrollBar()->value();
    const int count = rows_in_sight();
    const auto wanted = [&](int k) { return wants(*event, {0, k * line_height_, viewport()->width(), line_height_}); };
    if (!ink_) ink_ = std::make_unique<Ink>(font_);
    Ink ink = *ink_;
    for (int k = 0; k < count; ++k) {
        if (!wanted(k)) continue;
        painted_.painted(k, signature(k));
        const int line = line_of_row(first + k), y = k * line_height_;
        const Display shown = display_of(line);
        paint_ground(painter, line, y, shown);
        ink_line(ink, y, shown, data_->line(line));
        ink_number(ink, y, line);
        if (!is_folded(line)) continue;
        const views::FoldRange* fold = fold_at(line);
        const QString more = tr("… %1 lines").arg(fold != nullptr ? fold->last - fold->first : 0);
        const double left = gutter_width() + kTextPad - horizontalScrollBar()->value() +
                            char_width_ * (static_cast<double>(shown.text.size()) + 1);
        for (int i = 0; i < more.size(); ++i)
            ink.add(more[i], {left + i * char_width_, static_cast<double>(y + ascent_)}, views::SpanKind::Comment);
    }
    painter.save();
    painter.setClipRect(gutter_width(), 0, viewport()->width() - gutter_width(), viewport()->height());
    ink.paint(painter);
    painter.restore();
    ink.paint_numbers(painter);
    for (int k = 0; k < count; ++k)
        if (wanted(k)) paint_gutter(painter, line_of_row(first + k), k * line_height_);
    paint_ms_ = static_cast<double>(timer.nsecsElapsed()) / 1e6;
}

void TextView::paint_ground(QPainter& painter, int line, int y, const Display& shown) {
    const Theme& t = theme();
    const int width = viewport()->width();
    const auto index = static_cast<std::size_t>(line);
    const bool selected = std::binary_search(linked_.begin(), linked_.end(), line);
    const int tint = index < data_->links.size() ? data_->links[index].tint : -1;
    const views::LineChange change = index < data_->changes.size() ? data_->changes[index] : views::LineChange::None;
    if (change == views::LineChange::Filler)
        painter.fillRect(0, y, width, line_height_, QBrush(t.hairline, Qt::BDiagPattern));
    else if (const QColor* ground = t.change_fill(change))
        painter.fillRect(0, y, width, line_height_, *ground);
    if (selected && by_line_)
        painter.fillRect(0, y, width, line_height_, t.accent_fill);
    else if (tint >= 0)
        painter.fillRect(0, y, width, line_height_, t.tints[static_cast<std::size_t>(tint)]);
    if (!(selected && by_line_) && std::binary_search(hover_.begin(), hover_.end(), line))
        painter.fillRect(0, y, width, line_height_, t.hover);
    paint_marks(painter, line, y, shown);
    if (selected) painter.fillRect(0, y, kBarWidth, line_height_, t.accent);
    if (line == caret_.line && hasFocus()) {
        painter.setPen(t.faint);
        painter.setBrush(Qt::NoBrush);
        painter.drawRect(0, y, width - 1, line_height_ - 1);
    }
}

void TextView::paint_gutter(QPainter& painter, int line, int y) {
    const Theme& t = theme();
    const int numbers = gutter_width() - kFoldWidth;
    const auto index = static_cast<std::size_t>(line);
    const views::LineChange change = index < data_->changes.size() ? data_->changes[index] : views::LineChange::None;
    if (const QColor* colour = t.change(change)) {
        painter.setPen(*colour);
        painter.drawText(QRect(numbers, y, kFoldWidth + 2, line_height_), Qt::AlignCenter, change_sign(change));
    }
    if (index < data_->heat.size() && data_->heat[index] > kHot) {
        const int height = line_height_ - 2;
        QColor hot = t.heat.back();
        painter.fillRect(kBarWidth + 1, y + 1, 3, height, hot);
    }
    if (fold_at(line) == nullptr) return;
    const double x = numbers + 5, mid = y + line_height_ / 2.0;
    QPolygonF arrow;
    if (is_folded(line))
        arrow << QPointF(x, mid - 4) << QPointF(x + 5, mid) << QPointF(x, mid + 4);
    else
        arrow << QPointF(x - 1, mid - 2.5) << QPointF(x + 7, mid - 2.5) << QPointF(x + 3, mid + 2.5);
    painter.setRenderHint(QPainter::Antialiasing);
    painter.setPen(Qt::NoPen);
    painter.setBrush(is_folded(line) ? t.dim : t.faint);
    painter.drawPolygon(arrow);
    painter.setRenderHint(QPainter::Antialiasing, false);
}

void TextView::paint_marks(QPainter& painter, int line, int y, const Display& shown) {
    const double left = gutter_width() + kTextPad - horizontalScrollBar()->value();
    const auto [from, to] = ordered();
    if (from != to && line >= from.line && line <= to.line) {
        const int begin = line == from.line ? from.column : 0;
        const int end = line == to.line ? to.column : static_cast<int>(shown.text.size()) + 1;
        painter.fillRect(QRectF(left + begin * char_width_, y, (end - begin) * char_width_, line_height_),
                         theme().selection);
    }
    const auto begins = [](const views::TextHit& h, int at) { return h.line < at; };
    for (auto word = std::lower_bound(data_->words.begin(), data_->words.end(), line, begins);
         word != data_->words.end() && word->line == line; ++word) {
        const int begin = shown.column(word->begin), end = shown.column(word->end);
        painter.fillRect(
            QRectF(left + begin * char_width_ - 1, y + 1, (end - begin) * char_width_ + 2, line_height_ - 2),
            theme().word);
    }
    if (!search_) return;
    const auto& hits = search_->hits();
    auto hit =
        std::lower_bound(hits.begin(), hits.end(), line, [](const views::TextHit& h, int at) { return h.line < at; });
    for (; hit != hits.end() && hit->line == line; ++hit) {
        const int begin = shown.column(hit->begin), end = shown.column(hit->end);
        const QRectF box(left + begin * char_width_, y + 1, (end - begin) * char_width_, line_height_ - 2);
        painter.fillRect(box, theme().find);
        if (static_cast<std::size_t>(hit - hits.begin()) == current_hit_) {
            painter.setPen(theme().accent);
            painter.drawRect(box.adjusted(0, 0, -1, -1));
        }
    }
}

void TextView::ink_number(Ink& ink, int y, int line) const {
    const auto index = static_cast<std::size_t>(line);
    const int number = index < data_->numbers.size() ? data_->numbers[index] : line + 1;
    const double last = gutter_width() - kFoldWidth - char_width_;
    ink.add_number(number, {last, static_cast<double>(y + ascent_)}, char_width_);
}

void TextView::ink_line(Ink& ink, int y, const Display& shown, std::string_view text) {
    const double left = gutter_width() + kTextPad - horizontalScrollBar()->value();
    // Only the columns in sight are looked at: a line may be very long.
    const int first = std::max(0, static_cast<int>(horizontalScrollBar()->value() / char_width_) - 1);
    const int last = first + static_cast<int>(viewport()->width() / char_width_) + 2;
    const auto draw = [&](int begin, int end, views::SpanKind kind) {
        end = std::min({end, last, static_cast<int>(shown.text.size())});
        for (int i = std::max(begin, first); i < end; ++i)
            ink.add(shown.text[i], {left + i * char_width_, static_cast<double>(y + ascent_)}, kind);
    };
    int at = 0;
    constexpr std::size_t kColouredBytes = 4096; // beyond this a line is data, not code
    for (const views::TextSpan& span : views::spans_of(text.substr(0, kColouredBytes), data_->language)) {
        const int begin = shown.column(span.begin), end = shown.column(span.end);
        draw(at, begin, views::SpanKind::Plain);
        draw(begin, end, span.kind);
        at = end;
    }
    draw(at, static_cast<int>(shown.text.size()), views::SpanKind::Plain);
}

} // namespace orrery::qt
