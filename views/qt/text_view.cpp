#include "views/qt/text_view.hpp"

#include "views/qt/find_bar.hpp"
#include "views/qt/text_view_ink.hpp"
#include "views/qt/theme.hpp"

#include <QApplication>
#include <QClipboard>
#include <QContextMenuEvent>
#include <QHelpEvent>
#include <QMenu>
#include <QMouseEvent>
#include <QScrollBar>
#include <QToolTip>

#include <algorithm>

// Outline: what is shown; rows and folds; size; mouse; keys; find. Painting is in text_view_paint.cpp.

namespace orrery::qt {
namespace {

constexpr int kTabWidth = 8;
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
    update_rows();
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
    if (!same) update_rows();
}

void TextView::set_hover(const views::Selection& hover) {
    auto lines = views::linked_lines(*data_, hover);
    if (lines == hover_) return;
    hover_ = std::move(lines);
    update_rows();
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

// ---------------------------------------------------------------------------------- size and typeface

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
