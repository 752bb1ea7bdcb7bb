#pragma once
// Paints a graph: what is in sight, in as much detail as its size on screen allows.

#include "views/model/graph_view.hpp"

#include <QPainter>
#include <QRectF>
#include <QTransform>

#include <memory>
#include <vector>

namespace orrery::qt {

/// Which nodes and edges touch a rectangle: a uniform grid of cells over the picture.
class GraphIndex {
  public:
    GraphIndex() = default;
    explicit GraphIndex(const views::GraphViewData& data);
    /// Indices in increasing order, without duplicates.
    [[nodiscard]] std::vector<int> nodes_in(const layout::Rect& area) const;
    [[nodiscard]] std::vector<int> edges_in(const layout::Rect& area) const;
    /// The topmost node at a point, or -1.
    [[nodiscard]] int node_at(layout::Point point) const;

  private:
    struct Cells {
        std::vector<std::uint32_t> first;
        std::vector<int> items;
    };
    void fill(Cells& cells, const std::vector<layout::Rect>& boxes, std::vector<int>* large);
    [[nodiscard]] std::vector<int> query(const Cells& cells, const std::vector<layout::Rect>& boxes,
                                         const std::vector<int>& large, const layout::Rect& area) const;

    float cell_ = 1;
    int columns_ = 0, rows_ = 0;
    std::vector<layout::Rect> node_boxes_, edge_boxes_;
    Cells node_cells_, edge_cells_;
    std::vector<int> large_edges_; ///< those that touch very many cells
};

/// What one frame shows.
struct GraphFrameState {
    double scale = 1;
    QPointF origin; ///< screen position of the picture's (0, 0)
    QSize size;
    const std::vector<int>* linked = nullptr; ///< nodes meant by the selection, sorted
    const std::vector<int>* found = nullptr;  ///< search hits, sorted
    int active = -1;                          ///< the node selected in this view
    int hovered = -1;
    bool heat = false;
    bool focused = false;
};

/// Counts of what a frame painted, for tests.
struct GraphFrameStats {
    int nodes = 0, edges = 0, texts = 0;
};

// Levels of detail. Units: screen pixels. Source: UX.md section 3, own measurements.
inline constexpr double kAggregateBelow = 4; ///< box height under which boxes melt into cells
inline constexpr double kTextFrom = 9;       ///< smallest text painted

class GraphPainter {
  public:
    void set_data(std::shared_ptr<const views::GraphViewData> data);
    [[nodiscard]] const GraphIndex& index() const { return index_; }
    GraphFrameStats paint(QPainter& painter, const GraphFrameState& state) const;

  private:
    void paint_cells(QPainter& painter, const GraphFrameState& state, const std::vector<int>& nodes) const;
    void paint_edges(QPainter& painter, const GraphFrameState& state, const layout::Rect& area,
                     GraphFrameStats& stats) const;
    void paint_frames(QPainter& painter, const GraphFrameState& state, const layout::Rect& area) const;
    void paint_titles(QPainter& painter, const GraphFrameState& state, const layout::Rect& area) const;
    void paint_node(QPainter& painter, const GraphFrameState& state, int index, GraphFrameStats& stats) const;
    void paint_badge(QPainter& painter, const GraphFrameState& state, const views::GraphNode& node,
                     const QRectF& box) const;
    void paint_label(QPainter& painter, const GraphFrameState& state, const views::GraphNode& node, const QRectF& box,
                     GraphFrameStats& stats) const;

    std::shared_ptr<const views::GraphViewData> data_ = std::make_shared<views::GraphViewData>();
    GraphIndex index_;
};

} // namespace orrery::qt
