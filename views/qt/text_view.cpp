#include "views/qt/text_view.hpp"

#include "views/qt/find_bar.hpp"
#include "views/qt/theme.hpp"

#include <QApplication>
#include <QClipboard>
#include <QContextMenuEvent>
#include <QElapsedTimer>
#include <QGlyphRun>
#include <QHelpEvent>
#include <QMenu>
#include <QMouseEvent>
#include <QPainter>
#include <QRawFont>
#include <QScrollBar>
#include <QToolTip>

#include <algorithm>
#include <array>
#include <tuple>

// Outline: lines as painted; rows and folds; painting; mouse; keys; find.

namespace orrery::qt {
namespace {

constexpr int kTabWidth = 8;
constexpr int kGutterPad = 10, kFoldWidth = 16, kTextPad = 6, kBarWidth = 3;
constexpr std::size_t kSearchSlice = 8u << 20; // bytes searched between two events: about 10 ms
constexpr std::size_t kMaxCopyBytes = 256u << 20;

int digits(int value) {
    int count = 1;
    while (value >= 10) value /= 10, ++count;
    return count;
}

/// Assembly is set in columns: label, mnemonic, operands.
int tab_stop(int column, views::TextLanguage language) {
    if (language != views::TextLanguage::Assembly) return column + kTabWidth - column % kTabWidth;
    return column < 4 ? 4 : column < 17 ? 18 : column + 2;
}

bool is_word(QChar c) { return c.isLetterOrNumber() || c == u'_' || c == u'.' || c == u'%'; }

} // namespace

struct TextView::Display {
    QString text;
    std::vector<int> column_of_byte; ///< one past the end included; empty when bytes are columns
    [[nodiscard]] int column(std::size_t byte) const {
        if (column_of_byte.empty()) return static_cast<int>(byte);
        return column_of_byte[std::min(byte, column_of_byte.size() - 1)];
    }
};

TextView::TextView(QWidget* parent) : QAbstractScrollArea(parent), data_(std::make_shared<views::TextViewData>()) {
    setFrameShape(QFrame::NoFrame);
    setFocusPolicy(Qt::StrongFocus);
    viewport()->setMouseTracking(true);
    viewport()->setCursor(Qt::IBeamCursor);
    viewport()->setAttribute(Qt::WA_OpaquePaintEvent);
    find_bar_ = new FindBar(tr("Find in this text"), viewport());
    connect(find_bar_, &FindBar::edited, this, &TextView::set_find);
    connect(find_bar_, &FindBar::next, this, &TextView::find_next);
    connect(find_bar_, &FindBar::closed, this, [this] {
        find_bar_->hide();
        set_find({}, false);
        setFocus();
    });
    connect(this, &TextView::find_changed, find_bar_, &FindBar::show_count);
    update_metrics();
}

TextView::~TextView() = default;

bool TextView::set_data(std::shared_ptr<const views::TextViewData> data) {
    if (!data || data == data_) return false;
    const bool same = data->subject == data_->subject && data->language == data_->language && data_->line_count() > 0;
    data_ = std::move(data);
    setAccessibleName(QString::fromStdString(data_->title));
    std::vector<int> kept;
    for (const int line : folded_)
        if (same && !data_->folded && fold_at(line) != nullptr) kept.push_back(line);
    if (data_->folded)
        for (const views::FoldRange& f : data_->folds) kept.push_back(f.first);
    folded_ = std::move(kept);
    linked_.clear();
    hover_.clear();
    if (!same) caret_ = anchor_ = {};
    caret_.line = anchor_.line = std::min(caret_.line, std::max(0, data_->line_count() - 1));
    longest_ = 0;
    for (std::size_t i = 0; i + 1 < data_->line_start.size(); ++i)
        longest_ = std::max(longest_, static_cast<int>(data_->line_start[i + 1] - data_->line_start[i]));
    rebuild_rows();
    update_bars();
    if (!same) verticalScrollBar()->setValue(0), horizontalScrollBar()->setValue(0);
    if (find_bar_->isVisible())
        set_find(find_bar_->text(), find_bar_->match_case());
    else
        search_.reset();
    viewport()->update();
    return true;
}

void TextView::set_selection(const views::Selection& selection, bool reveal) {
    std::vector<int> lines = views::linked_lines(*data_, selection);
    const bool by_line = !selection.tensor_lines.empty();
    const bool same = lines == linked_ && by_line == by_line_;
    if (lines.empty() && same) return;
    linked_ = std::move(lines);
    by_line_ = by_line;
    if (reveal && !linked_.empty()) {
        const int first = verticalScrollBar()->value(), last = first + visible_rows() - 1;
        const bool seen = std::any_of(linked_.begin(), linked_.end(), [&](int line) {
            const int row = row_of_line(line);
            return row >= first && row < last && line_of_row(row) == line;
        });
        if (!seen) scroll_to_line(linked_.front());
    }
    if (!same) viewport()->update();
}

void TextView::set_hover(const views::Selection& hover) {
    auto lines = views::linked_lines(*data_, hover);
    if (lines == hover_) return;
    hover_ = std::move(lines);
    viewport()->update();
}

// ------------------------------------------------------------------------------------ rows and folds

void TextView::update_metrics() {
    font_ = theme().mono;
    if (font_pixels_ > 0) font_.setPixelSize(font_pixels_);
    const QFontMetricsF metrics(font_);
    char_width_ = metrics.horizontalAdvance(QStringLiteral("MMMMMMMMMM")) / 10;
    line_height_ = std::max(static_cast<int>(metrics.height()) + 2,
                            font_.pixelSize() * 19 / 12); // WINDOW.md: 12 px on 19 px lines
    ascent_ = static_cast<int>((line_height_ - metrics.height()) / 2 + metrics.ascent());
    ink_.reset();
    update_bars();
    viewport()->update();
}

void TextView::update_bars() {
    const int page = visible_rows();
    verticalScrollBar()->setRange(0, std::max(0, row_count() - page + 1));
    verticalScrollBar()->setPageStep(std::max(1, page - 2));
    const int room = viewport()->width() - gutter_width() - kTextPad;
    const int wanted = static_cast<int>((longest_ + 2) * char_width_);
    horizontalScrollBar()->setRange(0, std::max(0, wanted - room));
    horizontalScrollBar()->setPageStep(std::max(1, room));
    horizontalScrollBar()->setSingleStep(static_cast<int>(char_width_ * 4));
}

void TextView::rebuild_rows() {
    rows_.clear();
    if (folded_.empty()) return;
    rows_.reserve(static_cast<std::size_t>(data_->line_count()));
    std::size_t next = 0;
    for (int line = 0; line < data_->line_count(); ++line) {
        rows_.push_back(line);
        while (next < folded_.size() && folded_[next] < line) ++next;
        if (next < folded_.size() && folded_[next] == line)
            if (const views::FoldRange* fold = fold_at(line)) line = fold->last;
    }
}

int TextView::row_count() const { return rows_.empty() ? data_->line_count() : static_cast<int>(rows_.size()); }
int TextView::line_of_row(int row) const { return rows_.empty() ? row : rows_[static_cast<std::size_t>(row)]; }

int TextView::row_of_line(int line) const {
    if (rows_.empty()) return line;
    const auto it = std::upper_bound(rows_.begin(), rows_.end(), line);
    return it == rows_.begin() ? 0 : static_cast<int>(it - rows_.begin()) - 1;
}

int TextView::visible_rows() const { return std::max(1, viewport()->height() / line_height_); }
int TextView::first_visible_line() const {
    return row_count() == 0 ? 0 : line_of_row(std::min(verticalScrollBar()->value(), row_count() - 1));
}

const views::FoldRange* TextView::fold_at(int line) const {
    const auto& folds = data_->folds;
    const auto it = std::lower_bound(folds.begin(), folds.end(), line,
                                     [](const views::FoldRange& f, int at) { return f.first < at; });
    return it != folds.end() && it->first == line ? &*it : nullptr;
}

bool TextView::is_folded(int line) const { return std::binary_search(folded_.begin(), folded_.end(), line); }

void TextView::toggle_fold(int line) {
    if (fold_at(line) == nullptr) return;
    const auto it = std::lower_bound(folded_.begin(), folded_.end(), line);
    if (it != folded_.end() && *it == line)
        folded_.erase(it);
    else
        folded_.insert(it, line);
    rebuild_rows();
    update_bars();
    viewport()->update();
    Q_EMIT folds_changed();
}

void TextView::set_folded(const std::vector<int>& folded) {
    if (folded == folded_) return;
    folded_ = folded;
    rebuild_rows();
    update_bars();
    viewport()->update();
}

void TextView::fold_all(bool folded) {
    folded_.clear();
    if (folded)
        for (const views::FoldRange& f : data_->folds)
            if (folded_.empty() || folded_.back() != f.first) folded_.push_back(f.first);
    rebuild_rows();
    update_bars();
    viewport()->update();
    Q_EMIT folds_changed();
}

void TextView::unfold_to(int line) {
    const auto hides = [&](int first) {
        const views::FoldRange* fold = fold_at(first);
        return fold != nullptr && first < line && line <= fold->last;
    };
    const std::size_t before = folded_.size();
    std::erase_if(folded_, hides);
    if (folded_.size() == before) return;
    rebuild_rows();
    update_bars();
    Q_EMIT folds_changed();
}

void TextView::scroll_to_line(int line) {
    unfold_to(line);
    verticalScrollBar()->setValue(row_of_line(line) - visible_rows() / 3);
}

void TextView::go_to_line(int line) {
    if (line < 0 || line >= data_->line_count()) return;
    caret_ = anchor_ = {line, 0};
    const int row = row_of_line(line), first = verticalScrollBar()->value();
    if (line_of_row(row) != line || row < first + 1 || row > first + visible_rows() - 4) scroll_to_line(line);
    viewport()->update();
}

std::optional<QPoint> TextView::line_position(int line) const {
    const int row = row_of_line(line);
    if (row >= row_count() || line_of_row(row) != line) return std::nullopt;
    const int y = (row - verticalScrollBar()->value()) * line_height_ + line_height_ / 2;
    if (y < 0 || y >= viewport()->height()) return std::nullopt;
    return QPoint(gutter_width() + kTextPad + 20, y);
}

int TextView::gutter_width() const {
    return kGutterPad + static_cast<int>(char_width_ * std::max(2, digits(data_->line_count()))) + kFoldWidth;
}

TextView::Display TextView::display_of(int line) const {
    const std::string_view bytes = data_->line(line);
    Display shown;
    const bool plain = std::all_of(bytes.begin(), bytes.end(), [](char c) { return c >= ' ' && (c & 0x80) == 0; });
    if (plain) {
        shown.text = QString::fromLatin1(bytes.data(), static_cast<qsizetype>(bytes.size()));
        return shown;
    }
    shown.column_of_byte.reserve(bytes.size() + 1);
    for (std::size_t i = 0; i < bytes.size();) {
        const auto lead = static_cast<unsigned char>(bytes[i]);
        std::size_t length = lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
        length = std::min(length, bytes.size() - i);
        const int column = static_cast<int>(shown.text.size());
        for (std::size_t k = 0; k < length; ++k) shown.column_of_byte.push_back(column);
        if (lead == '\t')
            shown.text += QString(tab_stop(column, data_->language) - column, u' ');
        else if (lead < ' ')
            shown.text += QChar(0x2400 + lead); // control pictures
        else
            shown.text += QString::fromUtf8(bytes.data() + i, static_cast<qsizetype>(length));
        i += length;
    }
    shown.column_of_byte.push_back(static_cast<int>(shown.text.size()));
    return shown;
}

// ------------------------------------------------------------------------------------------ painting

/// Text is painted as one run of glyphs a colour and frame: no shaping, a few calls instead of hundreds.
struct TextView::Ink {
    struct Run {
        QVector<quint32> glyphs;
        QVector<QPointF> places;
    };
    QRawFont font;
    std::array<quint32, 128> ascii{};
    std::array<Run, 9> runs;
    Run numbers;                                                     ///< of lines
    std::vector<std::tuple<QPointF, QChar, views::SpanKind>> others; ///< characters the typeface lacks

    explicit Ink(const QFont& from) : font(QRawFont::fromFont(from)) {
        for (char c = ' '; c < 127; ++c) {
            const auto glyph = font.glyphIndexesForString(QString(QLatin1Char(c)));
            ascii[static_cast<std::size_t>(c)] = glyph.isEmpty() ? 0 : glyph[0];
        }
    }
    void add(QChar c, QPointF at, views::SpanKind kind) {
        if (c == u' ') return;
        quint32 glyph = c.unicode() < 128 ? ascii[c.unicode()] : 0;
        if (glyph == 0 && font.supportsCharacter(c)) glyph = font.glyphIndexesForString(QString(c)).value(0);
        if (glyph == 0) return others.emplace_back(at, c, kind), void();
        Run& run = runs[static_cast<std::size_t>(kind)];
        run.glyphs.push_back(glyph);
        run.places.push_back(at);
    }
    /// A number whose last digit stands at `at`, the others before it.
    void add_number(int number, QPointF at, double digit_width) {
        for (; number > 0; number /= 10, at.rx() -= digit_width) {
            numbers.glyphs.push_back(ascii[static_cast<std::size_t>('0' + number % 10)]);
            numbers.places.push_back(at);
        }
    }
    void paint_run(QPainter& painter, const Run& from, const QColor& colour) const {
        if (from.glyphs.isEmpty()) return;
        QGlyphRun run;
        run.setRawFont(font);
        run.setGlyphIndexes(from.glyphs);
        run.setPositions(from.places);
        painter.setPen(colour);
        painter.drawGlyphRun(QPointF(0, 0), run);
    }
    void paint_numbers(QPainter& painter) const { paint_run(painter, numbers, theme().quiet); }
    void paint(QPainter& painter) const {
        for (std::size_t k = 0; k < runs.size(); ++k) paint_run(painter, runs[k], theme().code[k]);
        for (const auto& [at, c, kind] : others) {
            painter.setPen(theme().code[static_cast<std::size_t>(kind)]);
            painter.drawText(at, QString(c));
        }
    }
};

void TextView::paintEvent(QPaintEvent*) {
    QElapsedTimer timer;
    timer.start();
    const Theme& t = theme();
    QPainter painter(viewport());
    painter.fillRect(viewport()->rect(), t.ground);
    if (data_->line_count() == 0) {
        painter.setFont(t.ui);
        painter.setPen(t.dim);
        painter.drawText(viewport()->rect().adjusted(24, 24, -24, -24), Qt::AlignCenter | Qt::TextWordWrap,
                         QString::fromStdString(data_->empty_reason));
        return;
    }
    painter.setFont(font_);
    const int first = verticalScrollBar()->value();
    const int count = std::min(viewport()->height() / line_height_ + 2, row_count() - first);
    if (!ink_) ink_ = std::make_unique<Ink>(font_);
    Ink ink = *ink_;
    for (int k = 0; k < count; ++k) {
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
    for (int k = 0; k < count; ++k) paint_gutter(painter, line_of_row(first + k), k * line_height_);
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
    if (index < data_->heat.size() && data_->heat[index] > 0.004f) {
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

void TextView::resizeEvent(QResizeEvent* event) {
    QAbstractScrollArea::resizeEvent(event);
    update_bars();
    place_find_bar();
}

void TextView::scrollContentsBy(int, int) { viewport()->update(); }

void TextView::changeEvent(QEvent* event) {
    QAbstractScrollArea::changeEvent(event);
    if (event->type() == QEvent::StyleChange || event->type() == QEvent::FontChange) update_metrics();
}

void TextView::set_font_pixels(int pixels) {
    font_pixels_ = std::clamp(pixels, 8, 28);
    update_metrics();
}

// --------------------------------------------------------------------------------------------- mouse

TextView::Place TextView::place_at(const QPoint& point) const {
    const int row = std::clamp(verticalScrollBar()->value() + (point.y() < 0 ? -1 : point.y() / line_height_), 0,
                               std::max(0, row_count() - 1));
    Place place;
    place.line = row_count() == 0 ? 0 : line_of_row(row);
    const double x = point.x() - gutter_width() - kTextPad + horizontalScrollBar()->value();
    place.column = std::max(0, static_cast<int>(x / char_width_ + 0.5));
    if (data_->line_count() > 0)
        place.column = std::min(place.column, static_cast<int>(display_of(place.line).text.size()));
    return place;
}

std::pair<TextView::Place, TextView::Place> TextView::ordered() const {
    return caret_ < anchor_ ? std::pair(caret_, anchor_) : std::pair(anchor_, caret_);
}

void TextView::mousePressEvent(QMouseEvent* event) {
    if (event->button() != Qt::LeftButton || data_->line_count() == 0) return;
    const Place place = place_at(event->pos());
    const int numbers = gutter_width() - kFoldWidth;
    if (event->pos().x() >= numbers && event->pos().x() < gutter_width() && fold_at(place.line) != nullptr) {
        toggle_fold(place.line);
        return;
    }
    if ((event->modifiers() & Qt::ShiftModifier) == 0) anchor_ = place;
    caret_ = place;
    dragging_ = true;
    dragged_ = (event->modifiers() & Qt::ShiftModifier) != 0;
    viewport()->update();
}

void TextView::mouseMoveEvent(QMouseEvent* event) {
    if (data_->line_count() == 0) return;
    const Place place = place_at(event->pos());
    if (dragging_) {
        if (place != caret_) dragged_ = true;
        caret_ = place;
        if (event->pos().y() < 0) verticalScrollBar()->triggerAction(QAbstractSlider::SliderSingleStepSub);
        if (event->pos().y() > viewport()->height())
            verticalScrollBar()->triggerAction(QAbstractSlider::SliderSingleStepAdd);
        viewport()->update();
        return;
    }
    const bool inside = event->pos().y() / line_height_ + verticalScrollBar()->value() < row_count();
    const int line = inside ? place.line : -1;
    if (line == hover_line_) return;
    hover_line_ = line;
    Q_EMIT hovered(line < 0 ? views::Selection() : views::select_line(*data_, line));
}

void TextView::mouseReleaseEvent(QMouseEvent* event) {
    if (event->button() != Qt::LeftButton || !dragging_) return;
    dragging_ = false;
    if (!dragged_) publish(caret_.line, false);
}

void TextView::mouseDoubleClickEvent(QMouseEvent* event) {
    if (event->button() != Qt::LeftButton || data_->line_count() == 0) return;
    const Place place = place_at(event->pos());
    if (fold_at(place.line) != nullptr) {
        publish(place.line, true);
        return;
    }
    const QString text = display_of(place.line).text;
    int begin = place.column, end = place.column;
    while (begin > 0 && is_word(text[begin - 1])) --begin;
    while (end < text.size() && is_word(text[end])) ++end;
    anchor_ = {place.line, begin};
    caret_ = {place.line, end};
    viewport()->update();
}

void TextView::leaveEvent(QEvent*) {
    if (hover_line_ < 0) return;
    hover_line_ = -1;
    Q_EMIT hovered({});
}

bool TextView::viewportEvent(QEvent* event) {
    if (event->type() == QEvent::ToolTip && data_->line_count() > 0) {
        const auto* help = static_cast<QHelpEvent*>(event);
        const Place place = place_at(help->pos());
        const auto index = static_cast<std::size_t>(place.line);
        QStringList lines;
        if (index < data_->details.size() && !data_->details[index].empty())
            lines << QString::fromStdString(data_->details[index]);
        if (index < data_->heat.size() && data_->heat[index] > 0.004f)
            lines << tr("%1 % of the time").arg(data_->heat[index] * 100, 0, 'f', 1);
        if (index < data_->links.size() && data_->changes.empty() && data_->language != views::TextLanguage::Tensor) {
            const int line = data_->links[index].tensor_line;
            lines << (line > 0 ? tr("from line %1 of the tensor program").arg(line)
                               : tr("not linked to a line of the tensor program"));
        }
        QToolTip::showText(help->globalPos(), lines.join(u'\n'), viewport());
        return true;
    }
    return QAbstractScrollArea::viewportEvent(event);
}

void TextView::contextMenuEvent(QContextMenuEvent* event) {
    QMenu menu(this);
    const int line = place_at(event->pos()).line;
    menu.addAction(tr("Copy"), this, &TextView::copy)->setEnabled(!selected_text().isEmpty());
    menu.addAction(tr("Select what this line came from"), this, [this, line] { publish(line, false); });
    if (fold_at(line) != nullptr) {
        menu.addAction(tr("Select the whole block"), this, [this, line] { publish(line, true); });
        menu.addAction(is_folded(line) ? tr("Unfold") : tr("Fold"), this, [this, line] { toggle_fold(line); });
    }
    menu.addSeparator();
    menu.addAction(tr("Fold all"), this, [this] { fold_all(true); });
    menu.addAction(tr("Unfold all"), this, [this] { fold_all(false); });
    menu.addAction(tr("Find…"), this, &TextView::open_find);
    menu.exec(event->globalPos());
}

void TextView::publish(int line, bool block) {
    caret_.line = line;
    const views::Selection selection = block ? views::select_block(*data_, line) : views::select_line(*data_, line);
    if (!selection.empty()) Q_EMIT selection_requested(selection);
    viewport()->update();
}

// ---------------------------------------------------------------------------------------------- keys

void TextView::move_caret(int line, bool publish_it) {
    if (data_->line_count() == 0) return;
    line = std::clamp(line, 0, data_->line_count() - 1);
    caret_ = anchor_ = {line, 0};
    const int row = row_of_line(line), first = verticalScrollBar()->value();
    if (row < first) verticalScrollBar()->setValue(row);
    if (row > first + visible_rows() - 2) verticalScrollBar()->setValue(row - visible_rows() + 2);
    const std::string_view text = data_->line(line);
    setAccessibleDescription(QStringLiteral("%1: %2").arg(line + 1).arg(
        QString::fromUtf8(text.data(), static_cast<qsizetype>(text.size()))));
    if (publish_it) publish(line, false);
    viewport()->update();
}

void TextView::keyPressEvent(QKeyEvent* event) {
    const int row = row_of_line(caret_.line);
    const auto at_row = [&](int r) { return row_count() == 0 ? 0 : line_of_row(std::clamp(r, 0, row_count() - 1)); };
    if (event->matches(QKeySequence::Copy)) return copy();
    if (event->matches(QKeySequence::Find)) return open_find();
    if (event->matches(QKeySequence::FindNext)) return find_next(false);
    if (event->matches(QKeySequence::FindPrevious)) return find_next(true);
    if (event->matches(QKeySequence::SelectAll)) {
        anchor_ = {0, 0};
        const int last = std::max(0, data_->line_count() - 1);
        caret_ = {last, data_->line_count() > 0 ? static_cast<int>(display_of(last).text.size()) : 0};
        return viewport()->update();
    }
    const bool control = (event->modifiers() & Qt::ControlModifier) != 0;
    switch (event->key()) {
    case Qt::Key_Up: return move_caret(at_row(row - 1), !control);
    case Qt::Key_Down: return move_caret(at_row(row + 1), !control);
    case Qt::Key_PageUp: return move_caret(at_row(row - visible_rows() + 2), false);
    case Qt::Key_PageDown: return move_caret(at_row(row + visible_rows() - 2), false);
    case Qt::Key_Home: return move_caret(at_row(0), false);
    case Qt::Key_End: return move_caret(at_row(row_count() - 1), false);
    case Qt::Key_Return:
    case Qt::Key_Enter: return publish(caret_.line, (event->modifiers() & Qt::ShiftModifier) != 0);
    case Qt::Key_Left:
        if (fold_at(caret_.line) != nullptr && !is_folded(caret_.line)) return toggle_fold(caret_.line);
        return horizontalScrollBar()->triggerAction(QAbstractSlider::SliderSingleStepSub);
    case Qt::Key_Right:
        if (is_folded(caret_.line)) return toggle_fold(caret_.line);
        return horizontalScrollBar()->triggerAction(QAbstractSlider::SliderSingleStepAdd);
    case Qt::Key_Escape:
        if (find_bar_->isVisible()) return Q_EMIT find_bar_->closed();
        break;
    default: break;
    }
    QAbstractScrollArea::keyPressEvent(event);
}

void TextView::wheelEvent(QWheelEvent* event) {
    if ((event->modifiers() & Qt::ControlModifier) != 0) {
        set_font_pixels(font_.pixelSize() + (event->angleDelta().y() > 0 ? 1 : -1));
        event->accept();
        return;
    }
    QAbstractScrollArea::wheelEvent(event);
}

QString TextView::selected_text() const {
    const auto [from, to] = ordered();
    if (from == to || data_->line_count() == 0) return {};
    if (data_->line_start[static_cast<std::size_t>(to.line) + 1] -
            data_->line_start[static_cast<std::size_t>(from.line)] >
        kMaxCopyBytes)
        return {};
    QString text;
    for (int line = from.line; line <= to.line; ++line) {
        const QString shown = display_of(line).text;
        const int begin = line == from.line ? from.column : 0;
        const int end = line == to.line ? to.column : static_cast<int>(shown.size());
        text += shown.mid(begin, end - begin);
        if (line != to.line) text += u'\n';
    }
    return text;
}

void TextView::copy() const {
    const QString text = selected_text();
    if (!text.isEmpty()) QApplication::clipboard()->setText(text);
}

// ---------------------------------------------------------------------------------------------- find

void TextView::place_find_bar() { find_bar_->move(viewport()->width() - find_bar_->width() - 12, 8); }

void TextView::open_find() {
    place_find_bar();
    const QString selected = selected_text();
    find_bar_->open(selected.contains(u'\n') ? QString() : selected);
}

void TextView::set_find(const QString& needle, bool match_case) {
    if (search_timer_ != 0) killTimer(search_timer_);
    search_timer_ = 0;
    search_running_ = false;
    current_hit_ = 0;
    search_.reset();
    if (!needle.isEmpty() && data_->line_count() > 0) {
        search_ = std::make_unique<views::TextSearch>(data_, needle.toStdString(), match_case);
        search_running_ = true;
        search_timer_ = startTimer(0);
    }
    Q_EMIT find_changed(0, 0, search_running_);
    viewport()->update();
}

void TextView::timerEvent(QTimerEvent* event) {
    if (event->timerId() != search_timer_) return QAbstractScrollArea::timerEvent(event);
    const bool first = search_->hits().empty();
    search_running_ = search_->advance(kSearchSlice);
    if (!search_running_) {
        killTimer(search_timer_);
        search_timer_ = 0;
    }
    if (first && !search_->hits().empty()) {
        const auto& hits = search_->hits();
        const auto from = std::lower_bound(hits.begin(), hits.end(), first_visible_line(),
                                           [](const views::TextHit& h, int line) { return h.line < line; });
        show_hit(from == hits.end() ? 0 : static_cast<std::size_t>(from - hits.begin()));
    } else {
        Q_EMIT find_changed(hit_count() == 0 ? 0 : static_cast<int>(current_hit_) + 1, static_cast<int>(hit_count()),
                            search_running_);
    }
    viewport()->update();
}

std::size_t TextView::hit_count() const { return search_ ? search_->hits().size() : 0; }

void TextView::find_next(bool backwards) {
    const std::size_t count = hit_count();
    if (count == 0) return;
    show_hit((current_hit_ + (backwards ? count - 1 : 1)) % count);
}

void TextView::show_hit(std::size_t index) {
    current_hit_ = index;
    const views::TextHit& hit = search_->hits()[index];
    const int row = row_of_line(hit.line), first = verticalScrollBar()->value();
    if (row < first || row > first + visible_rows() - 2 || line_of_row(row) != hit.line) scroll_to_line(hit.line);
    const double x = display_of(hit.line).column(hit.begin) * char_width_;
    if (x < horizontalScrollBar()->value() ||
        x > horizontalScrollBar()->value() + viewport()->width() - gutter_width() - 80)
        horizontalScrollBar()->setValue(static_cast<int>(x) - 80);
    caret_ = anchor_ = {hit.line, 0};
    Q_EMIT find_changed(static_cast<int>(index) + 1, static_cast<int>(hit_count()), search_running_);
    viewport()->update();
}

} // namespace orrery::qt
