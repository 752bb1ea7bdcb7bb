// Where a model's time goes, in the window: profiled, selected from every part of the pane, cancelled.

#include "tests/gui/live_window.hpp"

#include <catch2/catch.hpp>

#include <QLabel>
#include <QPushButton>

using namespace orrery;
using namespace orrery::gui_test;
using app::ActionId;
using qt::ProfilePanel;

namespace {

struct Profiling : LiveWindow {
    explicit Profiling(const char* network, int width = 1600, int height = 1000) : LiveWindow(width, height) {
        open(network);
        trigger(ActionId::LayoutProfile);
    }
    [[nodiscard]] ProfilePanel& pane() const { return *window.workspace()->profile(); }
    [[nodiscard]] const views::ProfileViewData& data() const { return *screen().profile; }
    void click_row(qt::TablePanel* table, int row) {
        QTest::mouseClick(table->viewport(), Qt::LeftButton, {},
                          table->visualRect(table->model()->index(row, 1)).center());
        settle();
    }
    [[nodiscard]] const OriginSet& selected() const { return workbench.options().selection.origins; }
};

} // namespace

TEST_CASE("a model is profiled and every part of the pane selects everywhere", "[gui][profile]") {
    Profiling t("resnet18");
    CHECK(t.pane().isVisible());
    CHECK(t.data().kernels.empty_reason.find("Ctrl+Shift+R") != std::string::npos);
    picture(t.window, QStringLiteral("profile_empty"));
    QTest::mouseClick(t.pane().button(), Qt::LeftButton);
    t.settle();
    REQUIRE_FALSE(t.data().kernels.rows.empty());
    CHECK_FALSE(t.data().headline.empty());
    CHECK(t.data().roofline.roofs.size() >= 3);
    CHECK(t.pane().said().contains(QStringLiteral("runs")));
    t.both_themes(QStringLiteral("profile_operators"));
    t.pane().show_tab(ProfilePanel::LayersTab);
    t.click_row(t.pane().table(ProfilePanel::LayersTab), 2);
    CHECK(t.selected() == t.data().layers.rows[2].origins);
    CHECK(t.graph().active_node() >= 0);
    t.both_themes(QStringLiteral("profile_layers"));
    t.pane().show_tab(ProfilePanel::NodesTab);
    t.click_row(t.pane().table(ProfilePanel::NodesTab), 1);
    CHECK(t.selected() == t.data().nodes.rows[1].origins);
    picture(t.window, QStringLiteral("profile_nodes"));
    t.pane().show_tab(ProfilePanel::KernelsTab);
    t.click_row(t.pane().table(ProfilePanel::KernelsTab), 1);
    CHECK(t.workbench.options().function == t.data().kernel_names[1]);
    CHECK(t.pane().roofline()->selected_row() == 1);
    picture(t.window, QStringLiteral("profile_kernels"));
    t.click_row(t.pane().what_if(), 0);
    CHECK(t.selected() == t.data().what_if.rows[0].origins);
    // The strip: a call is clicked, its kernel is shown.
    int widest = 0;
    for (int i = 0; i < static_cast<int>(t.data().segments.size()); ++i)
        if (t.pane().strip()->place_of(i).width() > t.pane().strip()->place_of(widest).width()) widest = i;
    click(t.pane().strip(), t.pane().strip()->place_of(widest).center());
    t.settle();
    const views::ProfileSegment& segment = t.data().segments[static_cast<std::size_t>(widest)];
    CHECK(t.selected() == segment.origins);
    CHECK(t.workbench.options().function == t.data().kernel_names[static_cast<std::size_t>(segment.kernel)]);
    t.both_themes(QStringLiteral("profile_call"));
    // A selection from elsewhere is shown here; another recipe has no profile yet.
    Q_EMIT t.graph().selection_requested({t.data().nodes.rows[0].origins, {}, {}});
    t.settle();
    CHECK(t.pane().table(ProfilePanel::NodesTab)->selectionModel()->selectedRows().front().row() == 0);
    t.submit(views::SetThreads{1});
    CHECK(t.data().kernels.rows.empty());
}

TEST_CASE("a profiling is cancelled, on a small screen too", "[gui][profile]") {
    Profiling t("resnet18", 1280, 720);
    // One kernel as written takes long enough to stop the runs.
    t.submit(views::EditTrace{{.what = session::TraceEdit::What::Rewrite}});
    t.workbench.submit(views::ProfileModel{true});
    REQUIRE(wait_for([&] { return t.pane().cancel()->isVisible(); }));
    picture(t.window, QStringLiteral("profile_running"));
    QTest::mouseClick(t.pane().cancel(), Qt::LeftButton);
    t.settle();
    CHECK(t.pane().button()->isVisible());
    CHECK(t.data().kernels.rows.empty());
    CHECK(t.screen().problems->errors == 0);
}
