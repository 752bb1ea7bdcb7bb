// Measuring in the window: a button, rows and points, a trace taken from them, cancelled, crashed.

#include "tests/gui/live_window.hpp"
#include "views/qt/theme.hpp"

#include <catch2/catch.hpp>

#include <QPushButton>

using namespace orrery;
using namespace orrery::gui_test;
using app::ActionId;
using What = session::TraceEdit::What;

namespace {

struct Measuring : LiveWindow {
    explicit Measuring(int width = 1600, int height = 1000, const char* network = "lenet") : LiveWindow(width, height) {
        open(network);
        trigger(ActionId::LayoutSchedule);
        if (std::string(network) == "lenet") {
            submit(views::SetLevel{2});
            submit(views::SelectFunction{"conv2d_bias_add_tanh_1"});
        }
        trigger(ActionId::ShowMeasurements);
    }
    [[nodiscard]] qt::MeasurePanel& pane() const { return *window.workspace()->measure(); }
    [[nodiscard]] const views::MeasureViewData& data() const { return *screen().measure; }
    [[nodiscard]] int rows() const { return static_cast<int>(data().table.rows.size()); }
    void unschedule() { submit(views::EditTrace{{.what = What::Rewrite}}); }
    /// The middle of a row's cell.
    [[nodiscard]] QPoint row_place(int row) const {
        return pane().table()->visualRect(pane().table()->model()->index(row, 1)).center();
    }
};

} // namespace

TEST_CASE("a kernel is measured, its traces become rows and points, one is taken back", "[gui][measure]") {
    Measuring t;
    CHECK(t.pane().button()->isVisible());
    CHECK(t.pane().button()->isEnabled());
    const int before = t.rows();
    if (before == 0) {
        CHECK(t.data().table.empty_reason.find("Ctrl+Shift+M") != std::string::npos);
        t.both_themes(QStringLiteral("measure_empty"));
    }
    t.trigger(ActionId::Measure);
    REQUIRE(t.rows() == before + 1);
    CHECK(t.data().present == 0);
    CHECK(t.data().roofline.roofs.size() >= 3);
    CHECK_FALSE(t.data().roofline.points.empty());
    const std::string scheduled = t.data().present_trace;
    t.unschedule();
    CHECK(t.data().present != 0);
    QTest::mouseClick(t.pane().button(), Qt::LeftButton);
    t.settle();
    REQUIRE(t.rows() == before + 2);
    CHECK(t.data().present == 0);
    CHECK(t.data().traces[0].empty());
    CHECK(t.data().traces[1] == scheduled);
    // Nothing of the picture is cut or lies on something else.
    const views::RooflinePicture picture = t.pane().roofline()->layout_now();
    REQUIRE(picture.plot.width > 0);
    for (std::size_t i = 0; i < picture.labels.size(); ++i)
        for (std::size_t k = 0; k < i; ++k) CHECK_FALSE(picture.labels[i].box.meets(picture.labels[k].box));
    // A point and a row are the same thing.
    QTest::mouseClick(t.pane().table()->viewport(), Qt::LeftButton, {}, t.row_place(1));
    CHECK(t.pane().roofline()->selected_row() == 1);
    t.both_themes(QStringLiteral("measure"));
    for (std::size_t i = 0; i < picture.points.size(); ++i)
        if (t.data().roofline.points[i].row == 0) {
            click(t.pane().roofline(), {picture.points[i].x, picture.points[i].y});
            CHECK(t.pane().table()->selectionModel()->selectedRows().front().row() == 0);
        }
    // Taking a trace is an edit like any other.
    QTest::mouseDClick(t.pane().table()->viewport(), Qt::LeftButton, {}, t.row_place(1));
    t.settle();
    CHECK(t.data().present_trace == scheduled);
    CHECK(t.data().present == 1);
    t.trigger(ActionId::Undo);
    CHECK(t.data().present_trace.empty());
    CHECK(t.data().present == 0);
}

TEST_CASE("a measurement is cancelled, and another function has its own", "[gui][measure]") {
    Measuring t(1280, 720, "resnet18");
    t.unschedule(); // the loops as written take seconds: there is time to cancel
    const int before = t.rows();
    t.workbench.submit(views::MeasureFunction{});
    REQUIRE(wait_for([&] { return !t.data().running.empty() && t.pane().cancel()->isVisible(); }));
    CHECK_FALSE(t.pane().button()->isVisible());
    picture(t.window, QStringLiteral("measure_running"));
    QTest::mouseClick(t.pane().cancel(), Qt::LeftButton);
    t.settle();
    CHECK(t.data().running.empty());
    CHECK(t.pane().button()->isVisible());
    CHECK(t.rows() == before);
    CHECK(t.screen().problems->errors == 0);
    t.trigger(ActionId::ResetSchedule);
    t.trigger(ActionId::Measure);
    CHECK(t.rows() == before + 1);
    picture(t.window, QStringLiteral("measure_small"));
    t.submit(views::SelectFunction{t.screen().functions.back()});
    CHECK(t.data().subject == t.screen().functions.back());
    CHECK(t.data().table.rows.empty());
}

TEST_CASE("without a model the pane says what to do", "[gui][measure]") {
    LiveWindow t;
    CHECK_FALSE(t.window.actions()[ActionId::Measure]->isEnabled());
    CHECK_FALSE(t.screen().measure->why_not.empty());
}

// ./test_gui "[.large]": pictures of a large model's panes, for the eye.
TEST_CASE("a large model: strip to its end, a kernel measured, problems", "[.large]") {
    Measuring t(1600, 1000, "resnet50");
    t.trigger(ActionId::Measure);
    t.both_themes(QStringLiteral("large_measure"));
    t.submit(views::SelectStage{views::kCodeStages + 2});
    picture(t.window, QStringLiteral("large_strip_end"));
    t.submit(views::SelectStage{views::kTensorStages + 4});
    picture(t.window, QStringLiteral("large_strip_middle"));
    t.trigger(ActionId::ShowAccess);
    picture(t.window, QStringLiteral("large_access"));
    t.trigger(ActionId::ShowMachine);
    picture(t.window, QStringLiteral("large_machine"));
}
