#pragma once
// The graph canvas: zoom, pan, select, search, minimap, all by mouse and by keyboard.

#include "views/model/command.hpp"
#include "views/model/graph_view.hpp"
#include "views/qt/graph_painter.hpp"

#include <QPixmap>
#include <QVariantAnimation>
#include <QWidget>

#include <memory>
#include <optional>
#include <vector>

namespace orrery::qt {

class FindBar;

class GraphView : public QWidget {
    Q_OBJECT
  public:
    explicit GraphView(QWidget* parent = nullptr);

    /// Shows another graph. The node that was selected (or the one in the middle), or what became of it, stays where it
    /// is on screen until the user moves the view, so that there and back again is the same picture; the first graph is
    /// fitted.
    void set_data(std::shared_ptr<const views::GraphViewData> data);
    /// From now on graphs are exchanged in place; until then each is fitted.
    void hold() { touched_ = true; }
    [[nodiscard]] const views::GraphViewData& data() const { return *data_; }
    void set_selection(const views::Selection& selection, bool reveal = true);
    void set_heat(bool on);
    void set_sink(views::CommandSink sink) { sink_ = std::move(sink); }
    /// The window's own actions at the end of the context menu; a null one is not allowed.
    void set_more_actions(std::vector<QAction*> actions) { more_actions_ = std::move(actions); }
    /// Motion is off when the system asks for it, and for tests.
    void set_animated(bool on) { animated_ = on; }

    [[nodiscard]] double scale() const { return scale_; }
    [[nodiscard]] int active_node() const { return active_; }
    [[nodiscard]] const std::vector<int>& linked() const { return linked_; }
    [[nodiscard]] const std::vector<int>& found() const { return found_; }
    [[nodiscard]] QRectF node_on_screen(int index) const;
    /// Where the legend of the overlay is painted; empty when it is not.
    [[nodiscard]] QRectF legend_rect() const;
    [[nodiscard]] double last_paint_ms() const { return paint_ms_; }
    [[nodiscard]] const GraphFrameStats& last_stats() const { return stats_; }

  public slots:
    void fit_all();
    void fit_selection();
    void zoom_by(double factor);
    void reset_zoom();
    void open_find();
    void find_next(bool backwards);
    void set_find(const QString& query);
    void select_node(int index);
    void toggle_group();
    /// Selects the readers (or the inputs) of the active node.
    void select_neighbours(bool readers);

  signals:
    void selection_requested(const orrery::views::Selection& selection);
    void function_requested(const QString& function);
    void zoom_changed(double scale);

  protected:
    void paintEvent(QPaintEvent* event) override;
    void resizeEvent(QResizeEvent* event) override;
    void wheelEvent(QWheelEvent* event) override;
    void mousePressEvent(QMouseEvent* event) override;
    void mouseMoveEvent(QMouseEvent* event) override;
    void mouseReleaseEvent(QMouseEvent* event) override;
    void mouseDoubleClickEvent(QMouseEvent* event) override;
    void leaveEvent(QEvent* event) override;
    void keyPressEvent(QKeyEvent* event) override;
    void changeEvent(QEvent* event) override;
    bool event(QEvent* event) override;
    void contextMenuEvent(QContextMenuEvent* event) override;

  private:
    void send(const views::Command& command) {
        if (sink_) sink_(command);
    }
    void set_view(double scale, QPointF origin, bool animate);
    void apply_view(double scale, QPointF origin);
    void fit_rect(const layout::Rect& rect, double most, bool animate);
    void open_view();
    void reveal(const std::vector<int>& nodes);
    void zoom_at(QPointF point, double factor);
    void keep_in_reach(double scale, QPointF& origin) const;
    void step_to(int key);
    void show_hit(std::size_t index);
    void publish(int index);
    [[nodiscard]] layout::Point to_graph(QPointF point) const;
    [[nodiscard]] QRectF minimap_rect() const;
    void paint_minimap(QPainter& painter);
    void paint_legend(QPainter& painter) const;
    /// The node that is, or became, the one of that name; -1 when none did.
    [[nodiscard]] int find_like(const std::string& name, const OriginSet& origins) const;
    void choose_anchor(const views::GraphViewData& shown);
    void rebuild_minimap();
    void move_by_minimap(QPointF point);
    [[nodiscard]] const views::GraphFrame* frame_header_at(QPointF point) const;

    std::shared_ptr<const views::GraphViewData> data_;
    GraphPainter painter_;
    views::CommandSink sink_;
    std::vector<QAction*> more_actions_;
    views::Selection selection_;
    std::vector<int> linked_, found_;
    std::string wanted_; ///< name of the node the user selected: it may be fused away and come back
    OriginSet wanted_origins_;
    /// What stays in place while graphs are exchanged.
    struct Anchor {
        std::string name;
        OriginSet origins;
        QPointF place; ///< of its middle, on screen
        double scale = 0;
        QPointF origin; ///< of the view the last exchange left: moved since, another anchor is chosen
    };
    std::optional<Anchor> anchor_;
    int active_ = -1, hovered_ = -1;
    double scale_ = 1;
    QPointF origin_;
    bool fitted_ = false, heat_ = false, animated_ = true;
    bool touched_ = false; ///< the user has zoomed, panned or selected since the picture was opened
    enum class Drag { None, Maybe, Pan, Minimap } drag_ = Drag::None;
    QPointF pressed_, last_;
    QVariantAnimation motion_;
    double from_scale_ = 1, to_scale_ = 1;
    QPointF from_origin_, to_origin_;
    QPixmap minimap_;
    FindBar* find_bar_ = nullptr;
    std::size_t current_hit_ = 0;
    double paint_ms_ = 0;
    GraphFrameStats stats_;
};

} // namespace orrery::qt
