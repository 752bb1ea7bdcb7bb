#include "tests/gui/driver.hpp"
#include "tests/gui/fake_data.hpp"
#include "views/layout/engine.hpp"
#include "views/qt/graph_view.hpp"
#include "views/qt/theme.hpp"

#include <catch2/catch.hpp>

#include <QElapsedTimer>
#include <QSignalSpy>

using namespace orrery;
using namespace orrery::gui_test;

namespace {

views::GraphOptions closed() {
    views::GraphOptions options;
    options.groups = views::GroupState::Closed;
    return options;
}

std::shared_ptr<const views::GraphViewData> drawn(const views::GraphDescription& description,
                                                  const views::GraphOptions& options = closed()) {
    layout::LayoutEngine engine;
    auto built = views::build_graph_view(description, options, engine, {});
    REQUIRE(built);
    return std::make_shared<const views::GraphViewData>(*std::move(built));
}

int node_named(const views::GraphViewData& data, const std::string& name) {
    for (std::size_t i = 0; i < data.nodes.size(); ++i)
        if (data.nodes[i].name == name) return static_cast<int>(i);
    return -1;
}

} // namespace

TEST_CASE("a residual network is drawn with its blocks folded, and open", "[gui][graph]") {
    qt::GraphView view;
    view.set_animated(false);
    show(view, 420, 620);
    view.set_data(drawn(residual_network(false)));
    picture(view, "graph_folded");
    CHECK(view.last_stats().texts > 0);
    views::GraphOptions open;
    open.groups = views::GroupState::Open;
    view.set_data(drawn(residual_network(false), open));
    view.fit_all();
    picture(view, "graph_open");
    CHECK(view.last_stats().nodes == 38);
    view.set_heat(true);
    view.set_data(drawn(residual_network(true), open));
    view.zoom_by(1.8);
    picture(view, "graph_heat");
}

TEST_CASE("a click selects a node and names its program; arrows walk the edges", "[gui][graph]") {
    qt::GraphView view;
    view.set_animated(false);
    show(view, 500, 700);
    view.set_data(drawn(residual_network(false)));
    QSignalSpy selected(&view, &qt::GraphView::selection_requested),
        function(&view, &qt::GraphView::function_requested);
    const int stem = node_named(view.data(), "v1");
    REQUIRE(stem >= 0);
    click(&view, view.node_on_screen(stem).center());
    REQUIRE(selected.count() == 1);
    CHECK(selected.takeFirst().at(0).value<views::Selection>().origins.contains(1));
    CHECK(function.takeFirst().at(0).toString() == "conv2d_1");
    CHECK(view.active_node() == stem);
    picture(view, "graph_selected");
    QTest::keyClick(&view, Qt::Key_Down);
    CHECK(view.data().nodes[static_cast<std::size_t>(view.active_node())].name == "v2");
    QTest::keyClick(&view, Qt::Key_Up);
    CHECK(view.active_node() == stem);
    QTest::keyClick(&view, Qt::Key_O);
    CHECK(view.linked().size() == 1);
}

TEST_CASE("groups are toggled by Enter and by double click", "[gui][graph]") {
    qt::GraphView view;
    view.set_animated(false);
    show(view, 500, 700);
    std::vector<std::string> toggled;
    view.set_sink([&](const views::Command& command) {
        if (const auto* toggle = std::get_if<views::ToggleGroup>(&command)) toggled.push_back(toggle->name);
    });
    view.set_data(drawn(residual_network(false)));
    const int group = node_named(view.data(), "block:v3");
    REQUIRE(group >= 0);
    QTest::mouseDClick(&view, Qt::LeftButton, {}, view.node_on_screen(group).center().toPoint());
    view.select_node(group);
    QTest::keyClick(&view, Qt::Key_Return);
    CHECK(toggled == std::vector<std::string>{"block:v3", "block:v3"});
}

TEST_CASE("opening a group keeps the selected node in its place", "[gui][graph]") {
    qt::GraphView view;
    view.set_animated(false);
    show(view, 500, 700);
    view.set_data(drawn(residual_network(false)));
    view.select_node(node_named(view.data(), "v2"));
    const QPointF before = view.node_on_screen(view.active_node()).center();
    views::GraphOptions options;
    options.groups = views::GroupState::Closed;
    options.toggled.insert("block:v3");
    view.set_data(drawn(residual_network(false), options));
    REQUIRE(view.active_node() >= 0);
    const QPointF after = view.node_on_screen(view.active_node()).center();
    CHECK(std::abs(before.x() - after.x()) < 1);
    CHECK(std::abs(before.y() - after.y()) < 1);
    picture(view, "graph_one_open");
}

TEST_CASE("finding walks through the hits", "[gui][graph]") {
    qt::GraphView view;
    view.set_animated(false);
    show(view, 520, 600);
    views::GraphOptions open;
    open.groups = views::GroupState::Open;
    view.set_data(drawn(residual_network(false), open));
    view.open_find();
    view.set_find("relu 256×14×14");
    CHECK(view.found().size() == 4);
    const int first = view.active_node();
    view.find_next(false);
    CHECK(view.active_node() != first);
    picture(view, "graph_find");
    view.set_find("nothing like this");
    CHECK(view.found().empty());
}

TEST_CASE("ten thousand nodes are drawn at once and pan smoothly", "[gui][graph][speed]") {
    const auto description = transformer(10'000);
    views::GraphOptions flat;
    flat.group_repeats = false;
    qt::GraphView view;
    view.set_animated(false);
    show(view, 1600, 1000);
    QElapsedTimer timer;
    timer.start();
    const auto data = drawn(description, flat);
    view.set_data(data);
    view.fit_all();
    view.repaint();
    const double first = static_cast<double>(timer.nsecsElapsed()) / 1e6;
    REQUIRE(data->nodes.size() > 10'000);
    std::string report;
    double worst = 0;
    for (const double zoom : {0.0, 0.05, 0.15, 0.3, 0.75, 1.0}) {
        if (zoom > 0) view.zoom_by(zoom / view.scale());
        const double pan = frame_ms(view, 30, [&](int i) {
            QTest::mousePress(&view, Qt::MiddleButton, {}, QPoint(800, 500));
            QTest::mouseMove(&view, QPoint(800 + (i % 2 == 0 ? 40 : -40), 500 + (i % 2 == 0 ? 25 : -25)));
            QTest::mouseRelease(&view, Qt::MiddleButton, {}, QPoint(800, 500));
        });
        worst = std::max(worst, view.last_paint_ms());
        report += " " + std::to_string(view.scale()).substr(0, 6) + ": " +
                  std::to_string(view.last_paint_ms()).substr(0, 5) + " ms painted, " +
                  std::to_string(pan).substr(0, 5) + " ms a pan step, " + std::to_string(view.last_stats().nodes) +
                  " nodes;";
        picture(view, QStringLiteral("graph_10k_%1").arg(zoom));
    }
    WARN("10,000 nodes: first picture " << first << " ms (goal 2000);" << report);
    timer.restart();
    const auto folded = drawn(description);
    WARN("10,000 nodes folded: " << static_cast<double>(timer.nsecsElapsed()) / 1e6 << " ms, " << folded->nodes.size()
                                 << " boxes");
    CHECK(first < 8000);
    CHECK(worst < 100);
}
