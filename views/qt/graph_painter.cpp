#include "views/qt/graph_painter.hpp"

#include "views/qt/theme.hpp"
#include "views/qt/words.hpp"

#include <QPainterPath>

#include <algorithm>
#include <cmath>

namespace orrery::qt {
namespace {

constexpr int kLargeEdgeCells = 64;
constexpr int kFarEdges = 5000; ///< lines painted at most when nodes are dots

template <class T> bool has(const std::vector<T>* values, T value) {
    return values != nullptr && std::binary_search(values->begin(), values->end(), value);
}

QRectF on_screen(const layout::Rect& r, const GraphFrameState& s) {
    return {s.origin.x() + r.x * s.scale, s.origin.y() + r.y * s.scale, r.width * s.scale, r.height * s.scale};
}

QPointF on_screen(layout::Point p, const GraphFrameState& s) {
    return {s.origin.x() + p.x * s.scale, s.origin.y() + p.y * s.scale};
}

/// Colour of a dot or bar: of what happened to the node, where graphs are compared; else of what it does.
const QColor& mark_colour(const views::GraphNode& node) {
    const Theme& t = theme();
    if (const QColor* changed = t.change(node.change)) return *changed;
    if (!node.backend.empty()) return t.violet;
    return node.change == views::NodeMark::Same ? t.grey : t.kind(node.kind);
}

/// A quiet wash over a frame whose boxes have no heat of their own.
QColor frame_fill(const views::GraphFrame& frame, const GraphFrameState& s) {
    const QColor ground = theme().panel;
    if (!s.heat || frame.heat < 0) return ground;
    const QColor hot = theme().heat_at(frame.heat);
    const auto mix = [](int a, int b) { return (3 * a + b) / 4; };
    return {mix(ground.red(), hot.red()), mix(ground.green(), hot.green()), mix(ground.blue(), hot.blue())};
}

bool is_pill(const views::GraphNode& node) {
    using K = views::OperatorKind;
    return node.stub || node.kind == K::Input || node.kind == K::Output || node.kind == K::Constant;
}

} // namespace

GraphIndex::GraphIndex(const views::GraphViewData& data) {
    for (const views::GraphNode& n : data.nodes) node_boxes_.push_back(n.box);
    for (const views::GraphEdge& e : data.edges) {
        layout::Rect box;
        for (std::uint32_t k = 0; k < e.point_count; ++k) {
            const layout::Point p = data.points[e.first_point + k];
            if (k == 0) {
                box = {p.x, p.y, 0, 0};
                continue;
            }
            const float right = std::max(box.right(), p.x), bottom = std::max(box.bottom(), p.y);
            box.x = std::min(box.x, p.x), box.y = std::min(box.y, p.y);
            box.width = right - box.x, box.height = bottom - box.y;
        }
        edge_boxes_.push_back(box);
    }
    // About one node a cell, square cells.
    const float area = std::max(1.f, data.width * data.height);
    cell_ = std::clamp(std::sqrt(area / static_cast<float>(std::max<std::size_t>(1, data.nodes.size()))), 64.f, 2048.f);
    columns_ = std::max(1, static_cast<int>(data.width / cell_) + 1);
    rows_ = std::max(1, static_cast<int>(data.height / cell_) + 1);
    std::vector<int> none;
    fill(node_cells_, node_boxes_, &none);
    fill(edge_cells_, edge_boxes_, &large_edges_);
}

void GraphIndex::fill(Cells& cells, const std::vector<layout::Rect>& boxes, std::vector<int>* large) {
    const auto column = [&](float x) { return std::clamp(static_cast<int>(x / cell_), 0, columns_ - 1); };
    const auto row = [&](float y) { return std::clamp(static_cast<int>(y / cell_), 0, rows_ - 1); };
    std::vector<std::pair<int, int>> entries;
    for (std::size_t i = 0; i < boxes.size(); ++i) {
        const layout::Rect& b = boxes[i];
        const int left = column(b.x), right = column(b.right()), top = row(b.y), bottom = row(b.bottom());
        if ((right - left + 1) * (bottom - top + 1) > kLargeEdgeCells) {
            large->push_back(static_cast<int>(i));
            continue;
        }
        for (int y = top; y <= bottom; ++y)
            for (int x = left; x <= right; ++x) entries.emplace_back(y * columns_ + x, static_cast<int>(i));
    }
    std::sort(entries.begin(), entries.end());
    cells.first.assign(static_cast<std::size_t>(columns_) * static_cast<std::size_t>(rows_) + 1, 0);
    for (const auto& [cell, item] : entries) ++cells.first[static_cast<std::size_t>(cell) + 1];
    for (std::size_t i = 1; i < cells.first.size(); ++i) cells.first[i] += cells.first[i - 1];
    for (const auto& [cell, item] : entries) cells.items.push_back(item);
}

std::vector<int> GraphIndex::query(const Cells& cells, const std::vector<layout::Rect>& boxes,
                                   const std::vector<int>& large, const layout::Rect& area) const {
    std::vector<int> found;
    if (columns_ == 0) return found;
    const auto touches = [&](int i) {
        const layout::Rect& b = boxes[static_cast<std::size_t>(i)];
        return b.x <= area.right() && area.x <= b.right() && b.y <= area.bottom() && area.y <= b.bottom();
    };
    const int left = std::clamp(static_cast<int>(area.x / cell_), 0, columns_ - 1);
    const int right = std::clamp(static_cast<int>(area.right() / cell_), 0, columns_ - 1);
    const int top = std::clamp(static_cast<int>(area.y / cell_), 0, rows_ - 1);
    const int bottom = std::clamp(static_cast<int>(area.bottom() / cell_), 0, rows_ - 1);
    for (int y = top; y <= bottom; ++y) {
        const std::size_t line = static_cast<std::size_t>(y) * static_cast<std::size_t>(columns_);
        for (std::uint32_t k = cells.first[line + static_cast<std::size_t>(left)];
             k < cells.first[line + static_cast<std::size_t>(right) + 1]; ++k)
            if (touches(cells.items[k])) found.push_back(cells.items[k]);
    }
    for (const int i : large)
        if (touches(i)) found.push_back(i);
    std::sort(found.begin(), found.end());
    found.erase(std::unique(found.begin(), found.end()), found.end());
    return found;
}

std::vector<int> GraphIndex::nodes_in(const layout::Rect& area) const {
    return query(node_cells_, node_boxes_, {}, area);
}
std::vector<int> GraphIndex::edges_in(const layout::Rect& area) const {
    return query(edge_cells_, edge_boxes_, large_edges_, area);
}

int GraphIndex::node_at(layout::Point point) const {
    int hit = -1;
    for (const int i : nodes_in({point.x, point.y, 0, 0}))
        if (node_boxes_[static_cast<std::size_t>(i)].contains(point)) hit = i;
    return hit;
}

void GraphPainter::set_data(std::shared_ptr<const views::GraphViewData> data) {
    data_ = std::move(data);
    index_ = GraphIndex(*data_);
}

GraphFrameStats GraphPainter::paint(QPainter& painter, const GraphFrameState& s) const {
    GraphFrameStats stats;
    const double pad = 12;
    const layout::Rect area{static_cast<float>((-s.origin.x() - pad) / s.scale),
                            static_cast<float>((-s.origin.y() - pad) / s.scale),
                            static_cast<float>((s.size.width() + 2 * pad) / s.scale),
                            static_cast<float>((s.size.height() + 2 * pad) / s.scale)};
    const std::vector<int> nodes = index_.nodes_in(area);
    paint_frames(painter, s, area);
    paint_edges(painter, s, area, stats);
    paint_titles(painter, s, area);
    if (46 * s.scale < kAggregateBelow) { // 46: the height of a box at zoom 1
        paint_cells(painter, s, nodes);
        stats.nodes = static_cast<int>(nodes.size());
        return stats;
    }
    painter.setRenderHint(QPainter::Antialiasing, 46 * s.scale >= 10);
    for (const int i : nodes) paint_node(painter, s, i, stats);
    return stats;
}

/// One dot for each occupied cell of a few pixels: the first node in it gives the colour, a selected one wins.
void GraphPainter::paint_cells(QPainter& painter, const GraphFrameState& s, const std::vector<int>& nodes) const {
    constexpr int kCell = 3;
    const int columns = s.size.width() / kCell + 1, rows = s.size.height() / kCell + 1;
    std::vector<std::uint8_t> taken(static_cast<std::size_t>(columns) * static_cast<std::size_t>(rows), 0);
    std::vector<QRectF> marked;
    const Theme& t = theme();
    painter.setRenderHint(QPainter::Antialiasing, false);
    for (const int i : nodes) {
        const views::GraphNode& node = data_->nodes[static_cast<std::size_t>(i)];
        const QRectF box = on_screen(node.box, s);
        const bool mark = i == s.active || has(s.linked, i);
        if (mark) marked.push_back(box.adjusted(-2, -2, 2, 2));
        const int x = static_cast<int>(box.center().x()) / kCell, y = static_cast<int>(box.center().y()) / kCell;
        if (x < 0 || y < 0 || x >= columns || y >= rows) continue;
        std::uint8_t& cell =
            taken[static_cast<std::size_t>(y) * static_cast<std::size_t>(columns) + static_cast<std::size_t>(x)];
        if (cell != 0) continue;
        cell = 1;
        const QColor colour = s.heat && node.heat >= 0 ? t.heat_at(node.heat) : mark_colour(node);
        painter.fillRect(QRectF(box.x(), y * kCell, std::max<double>(kCell - 1, box.width()), kCell - 1), colour);
    }
    for (const QRectF& box : marked) painter.fillRect(box, t.accent);
}

void GraphPainter::paint_edges(QPainter& painter, const GraphFrameState& s, const layout::Rect& area,
                               GraphFrameStats& stats) const {
    const Theme& t = theme();
    std::vector<int> edges = index_.edges_in(area);
    const bool curves = s.scale >= 0.22;
    QColor quiet = t.faint;
    painter.setBrush(Qt::NoBrush);
    if (!curves) {
        painter.setRenderHint(QPainter::Antialiasing, false);
        painter.setPen(QPen(t.hairline, 1));
        std::vector<QLineF> lines;
        const std::size_t step = 1 + edges.size() / kFarEdges;
        for (std::size_t k = 0; k < edges.size(); k += step) {
            const views::GraphEdge& e = data_->edges[static_cast<std::size_t>(edges[k])];
            if (e.point_count < 2) continue;
            const QPointF a = on_screen(data_->points[e.first_point], s),
                          b = on_screen(data_->points[e.first_point + e.point_count - 1], s);
            if ((a - b).manhattanLength() >= 3) lines.emplace_back(a, b);
        }
        painter.drawLines(lines.data(), static_cast<int>(lines.size()));
        stats.edges = static_cast<int>(lines.size());
        return;
    }
    painter.setRenderHint(QPainter::Antialiasing);
    const bool arrows = s.scale >= 0.4;
    const auto draw = [&](int index, const QColor& colour, double width) {
        const views::GraphEdge& e = data_->edges[static_cast<std::size_t>(index)];
        if (e.point_count < 4) return;
        const auto gone = [this](std::int32_t node) {
            return data_->nodes[static_cast<std::size_t>(node)].change == views::NodeMark::Removed;
        };
        QPen pen(colour, width);
        if (gone(e.from) || gone(e.to)) pen.setStyle(Qt::DashLine);
        const layout::Point* p = data_->points.data() + e.first_point;
        QPainterPath path(on_screen(p[0], s));
        for (std::uint32_t k = 1; k + 2 < e.point_count; k += 3)
            path.cubicTo(on_screen(p[k], s), on_screen(p[k + 1], s), on_screen(p[k + 2], s));
        painter.setPen(pen);
        painter.setBrush(Qt::NoBrush);
        painter.drawPath(path);
        ++stats.edges;
        if (!arrows) return;
        const QPointF tip = on_screen(p[e.point_count - 1], s), before = on_screen(p[e.point_count - 2], s);
        const double length = std::max(0.01, std::hypot(tip.x() - before.x(), tip.y() - before.y()));
        const QPointF along = (tip - before) / length, across(-along.y(), along.x());
        const double size = std::min(7.0, 7 * s.scale);
        const QPointF head[3] = {tip, tip - along * size + across * size * 0.5,
                                 tip - along * size - across * size * 0.5};
        painter.setPen(Qt::NoPen);
        painter.setBrush(colour);
        painter.drawConvexPolygon(head, 3);
    };
    std::vector<int> marked;
    for (const int i : edges) {
        const views::GraphEdge& e = data_->edges[static_cast<std::size_t>(i)];
        if (e.from == s.active || e.to == s.active)
            marked.push_back(i);
        else
            draw(i, quiet, 1.2);
    }
    for (const int i : marked) draw(i, t.accent, 1.6);
}

void GraphPainter::paint_frames(QPainter& painter, const GraphFrameState& s, const layout::Rect& area) const {
    const Theme& t = theme();
    painter.setRenderHint(QPainter::Antialiasing);
    for (const views::GraphFrame& f : data_->frames) {
        if (!f.box.intersects(area)) continue;
        const QRectF box = on_screen(f.box, s);
        // What another backend takes is told by its colour and by its line.
        painter.setPen(f.backend.empty() ? QPen(t.hairline, 1) : QPen(t.violet, 1.2, Qt::DashLine));
        painter.setBrush(frame_fill(f, s));
        painter.drawRoundedRect(box, 8, 8);
    }
}

/// Over the edges that lead into a frame, so that none runs through its words.
void GraphPainter::paint_titles(QPainter& painter, const GraphFrameState& s, const layout::Rect& area) const {
    const Theme& t = theme();
    if (20 * s.scale < kTextFrom) return;
    for (const views::GraphFrame& f : data_->frames) {
        if (!f.box.intersects(area)) continue;
        const QRectF box = on_screen(f.box, s);
        QFont font = t.ui_small;
        font.setPixelSize(std::max(static_cast<int>(kTextFrom), static_cast<int>(12 * std::min(1.0, s.scale))));
        painter.setFont(font);
        QRectF line(box.x() + 10, box.y() + 4, box.width() - 20, font.pixelSize() + 6);
        const auto words = [&](const QColor& colour, const QString& text, int align) {
            const double width = painter.fontMetrics().horizontalAdvance(text);
            QRectF ground(line.x() - 3, line.y(), width + 6, line.height());
            if (align == Qt::AlignRight) ground.moveRight(line.right() + 3);
            painter.fillRect(ground, frame_fill(f, s));
            painter.setPen(colour);
            painter.drawText(line, align | Qt::AlignVCenter, text);
        };
        const int value = painter.fontMetrics().horizontalAdvance(text_of(f.value));
        if (s.heat && value > 0 && value < line.width() / 2) {
            words(t.text, text_of(f.value), Qt::AlignRight);
            line.setWidth(line.width() - value - 10);
        }
        const QString title = QStringLiteral("⊟ ") + text_of(f.title);
        words(f.backend.empty() ? t.dim : t.violet,
              painter.fontMetrics().elidedText(title, Qt::ElideMiddle, static_cast<int>(line.width())), Qt::AlignLeft);
    }
}

void GraphPainter::paint_node(QPainter& painter, const GraphFrameState& s, int index, GraphFrameStats& stats) const {
    const Theme& t = theme();
    const views::GraphNode& node = data_->nodes[static_cast<std::size_t>(index)];
    const QRectF box = on_screen(node.box, s);
    ++stats.nodes;
    const bool active = index == s.active, linked = has(s.linked, index);
    const bool hot = s.heat && node.heat >= 0;
    QColor fill = hot ? t.heat_at(node.heat) : s.heat ? t.grey_fill : t.kind_fill(node.kind);
    const QColor* changed = hot ? nullptr : t.change(node.change);
    if (changed) fill = *t.change_fill(node.change);
    if (!hot && node.change == views::NodeMark::Same) fill = t.panel;
    if ((active || linked) && !hot) fill = t.accent_fill;
    if (box.height() < 10) {
        painter.fillRect(box, active || linked ? t.accent : hot ? t.heat_at(node.heat) : mark_colour(node));
        return;
    }
    const bool pill = is_pill(node);
    const double radius = pill ? box.height() / 2 : std::min(6.0, 6 * s.scale);
    QPen border(t.hairline, 1);
    if (changed) border = QPen(*changed, 1.2);
    if (has(s.found, index)) border = QPen(t.blue, 1.6);
    if (linked) border = QPen(t.accent, 1.4);
    if (active) border = QPen(t.accent, 2);
    if (index == s.hovered && !active && !linked) border = QPen(t.faint, 1.4);
    if (node.change == views::NodeMark::Removed) border.setStyle(Qt::DashLine);
    painter.setPen(border);
    painter.setBrush(pill && !changed ? t.raised : fill);
    if (node.members > 0) { // a second sheet behind: more inside
        painter.setBrush(t.panel);
        painter.drawRoundedRect(box.translated(3 * s.scale, 3 * s.scale), radius, radius);
        painter.setBrush(fill);
    }
    painter.drawRoundedRect(box, radius, radius);
    if (!pill) {
        const double bar = std::max(2.0, 4 * s.scale), inset = active ? 1.0 : 0.5;
        painter.setPen(Qt::NoPen);
        painter.setBrush(active ? t.accent : mark_colour(node));
        painter.drawRoundedRect(QRectF(box.x() + inset, box.y() + inset, bar, box.height() - 2 * inset), bar / 2,
                                bar / 2);
    }
    if (hot) {
        painter.setPen(Qt::NoPen);
        painter.setBrush(t.warning);
        const double width = (box.width() - 16 * s.scale) * node.heat;
        painter.drawRect(QRectF(box.x() + 10 * s.scale, box.bottom() - 4 * s.scale, width, std::max(1.0, 2 * s.scale)));
    }
    paint_label(painter, s, node, box, stats);
    if (changed) paint_badge(painter, s, node, box);
    if (active && s.focused) {
        painter.setPen(QPen(t.text, 1, Qt::DotLine));
        painter.setBrush(Qt::NoBrush);
        painter.drawRoundedRect(box.adjusted(-4, -4, 4, 4), radius + 3, radius + 3);
    }
}

/// The sign of what happened, in a disc at the corner: told by shape as well as colour.
void GraphPainter::paint_badge(QPainter& painter, const GraphFrameState& s, const views::GraphNode& node,
                               const QRectF& box) const {
    const Theme& t = theme();
    const double radius = std::clamp(9 * s.scale, 6.0, 14.0);
    const QPointF middle(box.right() - radius * 0.4, box.top() + radius * 0.4);
    painter.setPen(QPen(t.ground, 1.5));
    painter.setBrush(*t.change(node.change));
    painter.drawEllipse(middle, radius, radius);
    QFont font = t.ui_bold;
    font.setPixelSize(std::max(8, static_cast<int>(radius * 1.4)));
    painter.setFont(font);
    painter.setPen(t.choice.dark ? t.ground : t.raised);
    painter.drawText(QRectF(middle - QPointF(radius, radius), QSizeF(2 * radius, 2 * radius)), Qt::AlignCenter,
                     change_sign(node.change));
}

void GraphPainter::paint_label(QPainter& painter, const GraphFrameState& s, const views::GraphNode& node,
                               const QRectF& box, GraphFrameStats& stats) const {
    const Theme& t = theme();
    const double wanted = 13 * s.scale;
    const bool pill = is_pill(node);
    if (box.height() < kTextFrom + 4 || (wanted < kTextFrom && box.width() < 44)) return;
    QFont title = pill ? t.ui_small : t.ui_bold, small = t.ui_small;
    title.setPixelSize(static_cast<int>(std::clamp(wanted, kTextFrom, 40.0)));
    small.setPixelSize(static_cast<int>(std::clamp(12 * s.scale, kTextFrom, 38.0)));
    const bool both = !pill && !node.subtitle.empty() && box.height() >= title.pixelSize() + small.pixelSize() + 8;
    const double left = pill ? 8 : 11 * s.scale + 2;
    const QRectF inside = box.adjusted(left, 0, pill ? -8 : -5, 0);
    const auto line = [&](const QFont& font, const QColor& colour, const QRectF& where, const std::string& text,
                          int align) {
        painter.setFont(font);
        painter.setPen(colour);
        painter.drawText(
            where, align | Qt::AlignVCenter | Qt::TextSingleLine,
            painter.fontMetrics().elidedText(text_of(text), Qt::ElideRight, static_cast<int>(where.width()) + 1));
        ++stats.texts;
    };
    if (pill) {
        const std::string text = node.subtitle.empty() ? node.title : node.title + "  " + node.subtitle;
        return line(title, t.dim, inside, text, Qt::AlignHCenter);
    }
    if (!both) return line(title, t.text, inside, node.title, Qt::AlignLeft);
    const double half = box.height() / 2;
    line(title, t.text, {inside.x(), box.y() + 3 * s.scale, inside.width(), half - 2 * s.scale}, node.title,
         Qt::AlignLeft);
    const bool hot = s.heat && node.heat >= 0; // dim text has too little contrast on the warm fills
    line(small, hot ? t.text : t.dim, {inside.x(), box.y() + half - 1 * s.scale, inside.width(), half - 3 * s.scale},
         node.subtitle, Qt::AlignLeft);
}

} // namespace orrery::qt
