#include "views/qt/graph_view.hpp"

#include "views/qt/find_bar.hpp"
#include "views/qt/theme.hpp"
#include "views/qt/words.hpp"

#include <QApplication>
#include <QContextMenuEvent>
#include <QElapsedTimer>
#include <QHelpEvent>
#include <QMenu>
#include <QMouseEvent>
#include <QPainter>
#include <QStyle>
#include <QToolTip>

#include <algorithm>
#include <cmath>
#include <utility>

// Outline: data and selection; view (zoom, fit); painting and minimap; mouse; keys; search.

namespace orrery::qt {
namespace {

constexpr double kMinScale = 0.0004, kMaxScale = 4;
constexpr double kReadable = 0.7; // text of 9 px: the zoom a picture opens at when it cannot be fitted
constexpr double kMargin = 28;
constexpr int kMotionMs = 120; // WINDOW.md: under 150 ms
constexpr QSizeF kMinimapSize(112, 150);
constexpr int kDragPixels = 4;
constexpr double kLegendHeight = 24;

} // namespace

GraphView::GraphView(QWidget* parent) : QWidget(parent), data_(std::make_shared<views::GraphViewData>()) {
    setFocusPolicy(Qt::StrongFocus);
    setMouseTracking(true);
    setAttribute(Qt::WA_OpaquePaintEvent);
    setMinimumSize(160, 120);
    setAccessibleName(tr("Graph"));
    find_bar_ = new FindBar(tr("Find nodes by name, operator, shape"), this);
    connect(find_bar_, &FindBar::edited, this, [this](const QString& text) { set_find(text); });
    connect(find_bar_, &FindBar::next, this, &GraphView::find_next);
    connect(find_bar_, &FindBar::closed, this, [this] {
        find_bar_->hide();
        set_find({});
        setFocus();
    });
    motion_.setDuration(kMotionMs);
    motion_.setEasingCurve(QEasingCurve::OutCubic);
    motion_.setStartValue(0.0);
    motion_.setEndValue(1.0);
    connect(&motion_, &QVariantAnimation::valueChanged, this, [this](const QVariant& value) {
        const double t = value.toDouble();
        apply_view(from_scale_ * std::pow(to_scale_ / from_scale_, t), from_origin_ + (to_origin_ - from_origin_) * t);
    });
}

void GraphView::set_data(std::shared_ptr<const views::GraphViewData> data) {
    if (!data || data == data_) return;
    motion_.stop();
    if (fitted_ && touched_ && !data_->nodes.empty()) choose_anchor(*data_);
    data_ = std::move(data);
    painter_.set_data(data_);
    hovered_ = -1;
    active_ = active_ >= 0 ? find_like(wanted_, wanted_origins_) : -1;
    linked_ = views::linked_nodes(*data_, selection_);
    const int kept = anchor_ ? find_like(anchor_->name, anchor_->origins) : -1;
    if (data_->nodes.empty()) {
        fitted_ = touched_ = false;
        anchor_.reset();
    } else if (kept >= 0 && fitted_ && touched_) {
        const layout::Rect& box = data_->nodes[static_cast<std::size_t>(kept)].box;
        apply_view(scale_, anchor_->place - QPointF(box.x + box.width / 2, box.y + box.height / 2) * scale_);
        anchor_->scale = scale_, anchor_->origin = origin_;
    } else {
        open_view();
    }
    rebuild_minimap();
    if (find_bar_->isVisible())
        found_ = views::find_nodes(*data_, find_bar_->text().toStdString());
    else
        found_.clear();
    update();
}

/// The selected node, else the one nearest to the middle; the one of before while nobody moved the view.
void GraphView::choose_anchor(const views::GraphViewData& shown) {
    const bool still = anchor_ && anchor_->scale == scale_ && anchor_->origin == origin_;
    if (still && (active_ < 0 || anchor_->name == wanted_)) return;
    int chosen = active_;
    if (chosen < 0) {
        const layout::Point middle = to_graph(rect().center());
        float best = 1e30f;
        for (std::size_t i = 0; i < shown.nodes.size(); ++i) {
            const layout::Rect& b = shown.nodes[i].box;
            const float dx = b.x + b.width / 2 - middle.x, dy = b.y + b.height / 2 - middle.y;
            if (dx * dx + dy * dy < best) best = dx * dx + dy * dy, chosen = static_cast<int>(i);
        }
    }
    const views::GraphNode& node = shown.nodes[static_cast<std::size_t>(chosen)];
    const bool selected = chosen == active_;
    anchor_ = Anchor{selected ? wanted_ : node.name, selected ? wanted_origins_ : node.origins,
                     node_on_screen(chosen).center(), scale_, origin_};
}

int GraphView::find_like(const std::string& name, const OriginSet& origins) const {
    int best = -1;
    std::pair<long, long> most{0, 0};
    for (std::size_t i = 0; i < data_->nodes.size(); ++i) {
        const views::GraphNode& node = data_->nodes[i];
        if (node.name == name) return static_cast<int>(i);
        if (node.stub || !node.origins.intersects(origins)) continue;
        long shared = 0;
        for (const SourceId id : origins.ids()) shared += node.origins.contains(id) ? 1 : 0;
        const std::pair<long, long> own{shared, -static_cast<long>(node.origins.ids().size())};
        if (best < 0 || own > most) best = static_cast<int>(i), most = own;
    }
    return best;
}

void GraphView::set_selection(const views::Selection& selection, bool reveal_it) {
    std::vector<int> linked = views::linked_nodes(*data_, selection);
    const bool same = selection == selection_ && linked == linked_;
    selection_ = selection;
    linked_ = std::move(linked);
    if (active_ >= 0 && !std::binary_search(linked_.begin(), linked_.end(), active_)) active_ = -1;
    if (active_ < 0 && linked_.size() == 1) {
        active_ = linked_.front();
        wanted_ = data_->nodes[static_cast<std::size_t>(active_)].name;
        wanted_origins_ = data_->nodes[static_cast<std::size_t>(active_)].origins;
    }
    if (reveal_it && !linked_.empty()) reveal(linked_);
    if (!same) update();
}

void GraphView::set_heat(bool on) {
    if (std::exchange(heat_, on) != on) update();
}

void GraphView::publish(int index) {
    const views::GraphNode& node = data_->nodes[static_cast<std::size_t>(index)];
    setAccessibleDescription(text_of(node.title + ", " + node.subtitle));
    selection_ = {node.origins, {}, {}};
    wanted_ = node.name, wanted_origins_ = node.origins;
    linked_ = views::linked_nodes(*data_, selection_);
    Q_EMIT selection_requested(selection_);
    if (!node.function.empty()) Q_EMIT function_requested(text_of(node.function));
    update();
}

void GraphView::select_node(int index) {
    if (index < 0 || index >= static_cast<int>(data_->nodes.size())) return;
    active_ = index;
    touched_ = true;
    publish(index);
    reveal({index});
}

// ---------------------------------------------------------------------------------------------- view

layout::Point GraphView::to_graph(QPointF point) const {
    return {static_cast<float>((point.x() - origin_.x()) / scale_),
            static_cast<float>((point.y() - origin_.y()) / scale_)};
}

QRectF GraphView::node_on_screen(int index) const {
    const layout::Rect& b = data_->nodes[static_cast<std::size_t>(index)].box;
    return {origin_.x() + b.x * scale_, origin_.y() + b.y * scale_, b.width * scale_, b.height * scale_};
}

void GraphView::keep_in_reach(double scale, QPointF& origin) const {
    const double w = data_->width * scale, h = data_->height * scale;
    origin.setX(std::clamp(origin.x(), std::min(80.0, width() - 80.0) - w, width() - 80.0));
    origin.setY(std::clamp(origin.y(), std::min(60.0, height() - 60.0) - h, height() - 60.0));
}

void GraphView::apply_view(double scale, QPointF origin) {
    const bool zoomed = scale != scale_;
    scale_ = scale;
    origin_ = origin;
    if (zoomed) Q_EMIT zoom_changed(scale_);
    update();
}

void GraphView::set_view(double scale, QPointF origin, bool animate) {
    motion_.stop();
    keep_in_reach(scale, origin);
    const bool calm = style()->styleHint(QStyle::SH_Widget_Animation_Duration, nullptr, this) == 0;
    if (!animate || !animated_ || calm || !isVisible()) return apply_view(scale, origin);
    from_scale_ = scale_, to_scale_ = scale;
    from_origin_ = origin_, to_origin_ = origin;
    motion_.start();
}

void GraphView::fit_rect(const layout::Rect& r, double most, bool animate) {
    if (r.width <= 0 || r.height <= 0) return;
    const double scale =
        std::clamp(std::min((width() - 2 * kMargin) / r.width, (height() - 2 * kMargin) / r.height), kMinScale, most);
    set_view(scale, {width() / 2.0 - (r.x + r.width / 2) * scale, height() / 2.0 - (r.y + r.height / 2) * scale},
             animate);
}

void GraphView::fit_all() {
    touched_ = true;
    fit_rect({0, 0, data_->width, data_->height}, 1, true);
}

void GraphView::fit_selection() {
    if (linked_.empty() && active_ < 0) return fit_all();
    std::vector<int> nodes = linked_;
    if (nodes.empty()) nodes.push_back(active_);
    layout::Rect all = data_->nodes[static_cast<std::size_t>(nodes.front())].box;
    for (const int i : nodes) {
        const layout::Rect& b = data_->nodes[static_cast<std::size_t>(i)].box;
        const float right = std::max(all.right(), b.right()), bottom = std::max(all.bottom(), b.bottom());
        all.x = std::min(all.x, b.x), all.y = std::min(all.y, b.y);
        all.width = right - all.x, all.height = bottom - all.y;
    }
    fit_rect(all, 1.25, true);
}

/// Whole when that is readable, else at a readable zoom from the top.
void GraphView::open_view() {
    if (!isVisible() && !testAttribute(Qt::WA_Resized)) return; // no size yet: resizeEvent comes back here
    const double whole = std::min((width() - 2 * kMargin) / std::max(1.f, data_->width),
                                  (height() - 2 * kMargin) / std::max(1.f, data_->height));
    fitted_ = true;
    if (whole >= kReadable) {
        fit_rect({0, 0, data_->width, data_->height}, 1, false);
        return;
    }
    const double across = (width() - 2 * kMargin) / std::max(1.f, data_->width);
    const double scale = std::clamp(across, kReadable, 1.0);
    // A wide picture is opened at its first node, not at the middle of nothing.
    const layout::Rect first = data_->nodes.front().box;
    const double middle = across >= kReadable ? data_->width / 2 : first.x + first.width / 2;
    apply_view(scale, {width() / 2.0 - middle * scale, kMargin});
}

void GraphView::zoom_at(QPointF point, double factor) {
    touched_ = true;
    const double scale = std::clamp(scale_ * factor, kMinScale, kMaxScale);
    const QPointF origin = point - (point - origin_) * (scale / scale_);
    motion_.stop();
    apply_view(scale, origin);
}

void GraphView::zoom_by(double factor) { zoom_at(QRectF(rect()).center(), factor); }
void GraphView::reset_zoom() { zoom_at(QRectF(rect()).center(), 1 / scale_); }

void GraphView::reveal(const std::vector<int>& nodes) {
    const QRectF inside = QRectF(rect()).adjusted(12, 12, -12, -12);
    for (const int i : nodes)
        if (inside.contains(node_on_screen(i))) return;
    const QPointF middle = node_on_screen(nodes.front()).center();
    const double scale = std::max(scale_, std::min(1.0, kReadable));
    const QPointF in_graph = (middle - origin_) / scale_;
    set_view(scale, QRectF(rect()).center() - in_graph * scale, true);
}

// ------------------------------------------------------------------------------ painting and minimap

void GraphView::paintEvent(QPaintEvent*) {
    QElapsedTimer timer;
    timer.start();
    const Theme& t = theme();
    QPainter painter(this);
    painter.fillRect(rect(), t.ground);
    if (data_->nodes.empty()) {
        painter.setPen(t.dim);
        painter.setFont(t.ui);
        painter.drawText(rect().adjusted(24, 24, -24, -24), Qt::AlignCenter | Qt::TextWordWrap,
                         text_of(data_->empty_reason));
        return;
    }
    GraphFrameState state;
    state.scale = scale_;
    state.origin = origin_;
    state.size = size();
    state.linked = &linked_;
    state.found = &found_;
    state.active = active_;
    state.hovered = hovered_;
    state.heat = heat_;
    state.focused = hasFocus();
    stats_ = painter_.paint(painter, state);
    paint_legend(painter);
    paint_minimap(painter);
    paint_ms_ = static_cast<double>(timer.nsecsElapsed()) / 1e6;
}

QRectF GraphView::legend_rect() const {
    if (!heat_ || data_->legend.title.empty() || data_->nodes.empty() || width() < 160) return {};
    return QRectF(0, height() - kLegendHeight, width(), kLegendHeight);
}

/// One line at the bottom, so that it hides no box: what is coloured, the scale, the sum.
void GraphView::paint_legend(QPainter& painter) const {
    const QRectF box = legend_rect();
    if (box.isEmpty()) return;
    const Theme& t = theme();
    painter.setRenderHint(QPainter::Antialiasing);
    painter.fillRect(box, t.panel);
    painter.fillRect(QRectF(box.x(), box.y(), box.width(), 1), t.hairline);
    painter.setFont(t.ui_small);
    const QFontMetrics metrics = painter.fontMetrics();
    const views::GraphLegend& legend = data_->legend;
    double left = box.x() + 12;
    const double right = box.right() - 12;
    const auto write = [&](const QColor& colour, const QString& text, double most) {
        const QString shown = metrics.elidedText(text, Qt::ElideRight, static_cast<int>(most));
        painter.setPen(colour);
        painter.drawText(QRectF(left, box.y(), most + 1, box.height()), Qt::AlignLeft | Qt::AlignVCenter, shown);
        left += metrics.horizontalAdvance(shown) + 8;
    };
    constexpr double kBar = 64;
    const double scale =
        kBar + 16 + metrics.horizontalAdvance(text_of(legend.low)) + metrics.horizontalAdvance(text_of(legend.high));
    write(t.text, text_of(legend.title), std::max(24.0, right - left - scale - 8));
    write(t.dim, text_of(legend.low), right - left);
    QLinearGradient heat(left, 0, left + kBar, 0);
    for (int i = 0; i <= 4; ++i) heat.setColorAt(i / 4.0, t.heat_at(static_cast<float>(i) / 4));
    painter.setPen(QPen(t.hairline, 1));
    painter.setBrush(heat);
    painter.drawRoundedRect(QRectF(left, box.center().y() - 3, kBar, 7), 2, 2);
    left += kBar + 8;
    write(t.dim, text_of(legend.high), right - left);
    if (!legend.total.empty() && right - left >= metrics.horizontalAdvance(text_of(legend.total)) + 8)
        painter.drawText(QRectF(left, box.y(), right - left, box.height()), Qt::AlignRight | Qt::AlignVCenter,
                         text_of(legend.total));
}

QRectF GraphView::minimap_rect() const {
    if (data_->nodes.empty() || data_->width <= 0 || data_->height <= 0) return {};
    const QRectF shown(origin_, QSizeF(data_->width * scale_, data_->height * scale_));
    if (QRectF(rect()).contains(shown) || width() < 260 || height() < 260) return {};
    const double k = std::min(kMinimapSize.width() / data_->width, kMinimapSize.height() / data_->height);
    const QSizeF size(std::max(30.0, data_->width * k) + 16, std::max(24.0, data_->height * k) + 16);
    const double below = legend_rect().isEmpty() ? 12 : kLegendHeight + 8;
    return {width() - size.width() - 12, height() - size.height() - below, size.width(), size.height()};
}

void GraphView::rebuild_minimap() {
    minimap_ = {};
    if (data_->nodes.empty() || data_->width <= 0 || data_->height <= 0) return;
    const Theme& t = theme();
    const double ratio = devicePixelRatioF();
    const double k = std::min(kMinimapSize.width() / data_->width, kMinimapSize.height() / data_->height);
    minimap_ = QPixmap(QSize(static_cast<int>(std::max(30.0, data_->width * k) * ratio) + 1,
                             static_cast<int>(std::max(24.0, data_->height * k) * ratio) + 1));
    minimap_.setDevicePixelRatio(ratio);
    minimap_.fill(Qt::transparent);
    QPainter painter(&minimap_);
    for (const views::GraphNode& n : data_->nodes) {
        if (n.stub) continue;
        painter.fillRect(
            QRectF(n.box.x * k, n.box.y * k, std::max(1.5, n.box.width * k), std::max(1.0, n.box.height * k)),
            n.change > views::NodeMark::Same    ? *t.change(n.change)
            : n.change == views::NodeMark::Same ? t.faint
                                                : t.kind(n.kind));
    }
}

void GraphView::paint_minimap(QPainter& painter) {
    const QRectF box = minimap_rect();
    if (box.isEmpty() || minimap_.isNull()) return;
    const Theme& t = theme();
    painter.setRenderHint(QPainter::Antialiasing, false);
    QColor ground = t.panel;
    ground.setAlphaF(0.94f);
    painter.fillRect(box, ground);
    painter.setPen(t.hairline);
    painter.setBrush(Qt::NoBrush);
    painter.drawRect(box.adjusted(0, 0, -1, -1));
    painter.drawPixmap(box.topLeft() + QPointF(8, 8), minimap_);
    const double k = std::min(kMinimapSize.width() / data_->width, kMinimapSize.height() / data_->height);
    for (const int i : linked_) {
        const layout::Rect& b = data_->nodes[static_cast<std::size_t>(i)].box;
        painter.fillRect(QRectF(box.x() + 8 + b.x * k, box.y() + 8 + b.y * k, std::max(2.0, b.width * k),
                                std::max(2.0, b.height * k)),
                         t.accent);
    }
    const QRectF seen(box.x() + 8 - origin_.x() / scale_ * k, box.y() + 8 - origin_.y() / scale_ * k,
                      width() / scale_ * k, height() / scale_ * k);
    painter.setPen(t.accent);
    painter.drawRect(seen.intersected(box.adjusted(2, 2, -3, -3)));
}

void GraphView::move_by_minimap(QPointF point) {
    const QRectF box = minimap_rect();
    const double k = std::min(kMinimapSize.width() / data_->width, kMinimapSize.height() / data_->height);
    const QPointF in_graph = (point - box.topLeft() - QPointF(8, 8)) / k;
    QPointF origin = QRectF(rect()).center() - in_graph * scale_;
    keep_in_reach(scale_, origin);
    apply_view(scale_, origin);
}

void GraphView::resizeEvent(QResizeEvent* event) {
    QWidget::resizeEvent(event);
    find_bar_->move(std::max(4, width() - find_bar_->width() - 12), 8);
    if (data_->nodes.empty()) return;
    if (!fitted_ || !touched_)
        open_view();
    else
        origin_ += QPointF((width() - event->oldSize().width()) / 2.0, 0);
}

void GraphView::changeEvent(QEvent* event) {
    QWidget::changeEvent(event);
    if (event->type() == QEvent::StyleChange) rebuild_minimap();
}

// --------------------------------------------------------------------------------------------- mouse

void GraphView::wheelEvent(QWheelEvent* event) {
    const QPoint delta = event->angleDelta();
    if ((event->modifiers() & Qt::ShiftModifier) != 0) {
        QPointF origin = origin_ + QPointF(delta.y() + delta.x(), 0) / 2;
        keep_in_reach(scale_, origin);
        apply_view(scale_, origin);
    } else if (delta.y() != 0) {
        zoom_at(event->position(), std::pow(1.0015, delta.y()));
    }
    event->accept();
}

const views::GraphFrame* GraphView::frame_header_at(QPointF point) const {
    const layout::Point p = to_graph(point);
    for (const views::GraphFrame& f : data_->frames)
        if (f.box.contains(p) && p.y < f.box.y + 24) return &f;
    return nullptr;
}

void GraphView::mousePressEvent(QMouseEvent* event) {
    touched_ = true;
    pressed_ = last_ = event->position();
    motion_.stop();
    if (event->button() == Qt::LeftButton && minimap_rect().contains(event->position())) {
        drag_ = Drag::Minimap;
        return move_by_minimap(event->position());
    }
    if (event->button() == Qt::LeftButton || event->button() == Qt::MiddleButton)
        drag_ = event->button() == Qt::MiddleButton ? Drag::Pan : Drag::Maybe;
}

void GraphView::mouseMoveEvent(QMouseEvent* event) {
    const QPointF at = event->position();
    if (drag_ == Drag::Minimap) return move_by_minimap(at);
    if (drag_ == Drag::Maybe && (at - pressed_).manhattanLength() > kDragPixels) {
        drag_ = Drag::Pan;
        setCursor(Qt::ClosedHandCursor);
    }
    if (drag_ == Drag::Pan) {
        QPointF origin = origin_ + (at - last_);
        keep_in_reach(scale_, origin);
        last_ = at;
        return apply_view(scale_, origin);
    }
    const int hit = minimap_rect().contains(at) ? -1 : painter_.index().node_at(to_graph(at));
    if (hit == hovered_) return;
    hovered_ = hit;
    setCursor(hit >= 0 ? Qt::PointingHandCursor : Qt::ArrowCursor);
    update();
}

void GraphView::mouseReleaseEvent(QMouseEvent* event) {
    const Drag was = std::exchange(drag_, Drag::None);
    if (was == Drag::Pan) unsetCursor();
    if (was != Drag::Maybe || event->button() != Qt::LeftButton) return;
    const int hit = painter_.index().node_at(to_graph(event->position()));
    if (hit >= 0) {
        active_ = hit;
        publish(hit);
        return;
    }
    active_ = -1;
    selection_ = {};
    linked_.clear();
    Q_EMIT selection_requested(selection_);
    update();
}

void GraphView::mouseDoubleClickEvent(QMouseEvent* event) {
    const int hit = painter_.index().node_at(to_graph(event->position()));
    if (hit >= 0 && data_->nodes[static_cast<std::size_t>(hit)].members > 0) {
        active_ = hit;
        toggle_group();
    } else if (const views::GraphFrame* frame = frame_header_at(event->position())) {
        send(views::ToggleGroup{frame->name});
    }
}

void GraphView::leaveEvent(QEvent*) {
    hovered_ = -1;
    update();
}

bool GraphView::event(QEvent* event) {
    if (event->type() == QEvent::ToolTip) {
        const auto* help = static_cast<QHelpEvent*>(event);
        const int hit = painter_.index().node_at(to_graph(help->pos()));
        if (hit < 0) {
            if (const views::GraphFrame* frame = frame_header_at(help->pos()))
                QToolTip::showText(help->globalPos(),
                                   text_of(frame->title + (frame->value.empty() ? "" : "\n" + frame->value)) + u'\n' +
                                       tr("%n operators; double-click closes it", nullptr, frame->members),
                                   this);
            else
                QToolTip::hideText();
            return true;
        }
        const views::GraphNode& n = data_->nodes[static_cast<std::size_t>(hit)];
        QStringList lines{text_of(n.title)};
        if (!n.subtitle.empty()) lines << text_of(n.subtitle);
        if (n.change > views::NodeMark::Same)
            lines << text_of(std::string(views::to_string(n.change)) + (n.was.empty() ? "" : ": " + n.was));
        if (!n.function.empty()) lines << tr("computed by %1").arg(text_of(n.function));
        if (!n.reason.empty()) lines << tr("not fused with what reads it: %1").arg(text_of(n.reason));
        if (n.members > 0) lines << tr("double-click or Enter opens it");
        QToolTip::showText(help->globalPos(), lines.join(u'\n'), this);
        return true;
    }
    return QWidget::event(event);
}

void GraphView::contextMenuEvent(QContextMenuEvent* event) {
    QMenu menu(this);
    const int hit = painter_.index().node_at(to_graph(event->pos()));
    if (hit >= 0) {
        const views::GraphNode& n = data_->nodes[static_cast<std::size_t>(hit)];
        menu.addAction(tr("Select"), this, [this, hit] { select_node(hit); });
        if (n.members > 0)
            menu.addAction(tr("Open the group"), this, [this, name = n.name] { send(views::ToggleGroup{name}); });
        menu.addAction(tr("Select what it reads"), this, [this, hit] { active_ = hit, select_neighbours(false); });
        menu.addAction(tr("Select what reads it"), this, [this, hit] { active_ = hit, select_neighbours(true); });
        menu.addSeparator();
    } else if (const views::GraphFrame* frame = frame_header_at(event->pos())) {
        menu.addAction(tr("Close the group"), this, [this, name = frame->name] { send(views::ToggleGroup{name}); });
    }
    menu.addAction(tr("Fit all"), QKeySequence(Qt::Key_Space), this, &GraphView::fit_all);
    menu.addAction(tr("Fit the selection"), QKeySequence(Qt::Key_F), this, &GraphView::fit_selection);
    menu.addAction(tr("Open all groups"), this, [this] { send(views::OpenAllGroups{true}); });
    menu.addAction(tr("Close all groups"), this, [this] { send(views::OpenAllGroups{false}); });
    menu.addAction(tr("Find…"), this, &GraphView::open_find);
    for (QAction* more : more_actions_) menu.addAction(more);
    menu.exec(event->globalPos());
}

// ---------------------------------------------------------------------------------------------- keys

void GraphView::toggle_group() {
    if (active_ < 0) return;
    const views::GraphNode& n = data_->nodes[static_cast<std::size_t>(active_)];
    if (n.members > 0) return send(views::ToggleGroup{n.name});
    const layout::Point middle{n.box.x + n.box.width / 2, n.box.y + n.box.height / 2};
    for (const views::GraphFrame& f : data_->frames)
        if (f.box.contains(middle)) return send(views::ToggleGroup{f.name});
}

void GraphView::select_neighbours(bool readers) {
    if (active_ < 0) return;
    views::Selection selection;
    std::vector<int> reached;
    for (const views::GraphEdge& e : data_->edges) {
        const int end = readers ? (e.from == active_ ? e.to : -1) : (e.to == active_ ? e.from : -1);
        if (end < 0) continue;
        selection.origins = unite(selection.origins, data_->nodes[static_cast<std::size_t>(end)].origins);
        reached.push_back(end);
    }
    if (reached.empty()) return;
    selection_ = selection;
    active_ = -1;
    linked_ = views::linked_nodes(*data_, selection);
    Q_EMIT selection_requested(selection);
    reveal(reached);
    update();
}

/// Down and up follow edges; left and right go to the nearest box beside.
void GraphView::step_to(int key) {
    if (data_->nodes.empty()) return;
    if (active_ < 0) return select_node(linked_.empty() ? 0 : linked_.front());
    const layout::Rect& here = data_->nodes[static_cast<std::size_t>(active_)].box;
    const auto middle = [](const layout::Rect& r) { return QPointF(r.x + r.width / 2, r.y + r.height / 2); };
    int best = -1;
    double nearest = 1e30;
    const auto consider = [&](int i) {
        const QPointF d = middle(data_->nodes[static_cast<std::size_t>(i)].box) - middle(here);
        const bool aside = key == Qt::Key_Left || key == Qt::Key_Right;
        if (aside && ((key == Qt::Key_Left) != (d.x() < 0) || std::abs(d.y()) > std::abs(d.x()))) return;
        const double far = aside ? std::abs(d.x()) + 3 * std::abs(d.y()) : std::abs(d.y()) + std::abs(d.x());
        if (i != active_ && far < nearest) nearest = far, best = i;
    };
    if (key == Qt::Key_Down || key == Qt::Key_Up) {
        for (const views::GraphEdge& e : data_->edges) {
            if (key == Qt::Key_Down && e.from == active_) consider(e.to);
            if (key == Qt::Key_Up && e.to == active_) consider(e.from);
        }
    } else {
        const layout::Rect band{here.x - 4000, here.y - 200, here.width + 8000, here.height + 400};
        for (const int i : painter_.index().nodes_in(band)) consider(i);
    }
    if (best >= 0) select_node(best);
}

void GraphView::keyPressEvent(QKeyEvent* event) {
    const bool plain = (event->modifiers() & (Qt::ControlModifier | Qt::AltModifier | Qt::MetaModifier)) == 0;
    if (event->matches(QKeySequence::Find)) return open_find();
    if (event->matches(QKeySequence::FindNext)) return find_next(false);
    if (event->matches(QKeySequence::FindPrevious)) return find_next(true);
    if (!plain) return QWidget::keyPressEvent(event);
    switch (event->key()) {
    case Qt::Key_Space: return fit_all();
    case Qt::Key_F: return fit_selection();
    case Qt::Key_Plus:
    case Qt::Key_Equal: return zoom_by(1.25);
    case Qt::Key_Minus: return zoom_by(0.8);
    case Qt::Key_0: return reset_zoom();
    case Qt::Key_I: return select_neighbours(false);
    case Qt::Key_O: return select_neighbours(true);
    case Qt::Key_Return:
    case Qt::Key_Enter: return toggle_group();
    case Qt::Key_Up:
    case Qt::Key_Down:
    case Qt::Key_Left:
    case Qt::Key_Right: return step_to(event->key());
    default: break;
    }
    QWidget::keyPressEvent(event);
}

// -------------------------------------------------------------------------------------------- search

void GraphView::open_find() {
    find_bar_->move(std::max(4, width() - find_bar_->width() - 12), 8);
    find_bar_->open({});
}

void GraphView::set_find(const QString& query) {
    found_ = views::find_nodes(*data_, query.toStdString());
    current_hit_ = 0;
    if (found_.empty())
        find_bar_->show_count(0, 0, false);
    else
        show_hit(0);
    update();
}

void GraphView::find_next(bool backwards) {
    if (found_.empty()) return;
    show_hit((current_hit_ + (backwards ? found_.size() - 1 : 1)) % found_.size());
}

void GraphView::show_hit(std::size_t index) {
    current_hit_ = index;
    find_bar_->show_count(static_cast<int>(index) + 1, static_cast<int>(found_.size()), false);
    select_node(found_[index]);
}

} // namespace orrery::qt
