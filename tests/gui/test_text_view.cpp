#include "tests/gui/driver.hpp"
#include "tests/gui/fake_data.hpp"
#include "views/qt/text_view.hpp"
#include "views/qt/theme.hpp"

#include <catch2/catch.hpp>

#include <QApplication>
#include <QClipboard>
#include <QElapsedTimer>
#include <QScrollBar>
#include <QSignalSpy>

using namespace orrery;
using namespace orrery::gui_test;

TEST_CASE("a tensor program is coloured, tinted, numbered", "[gui][text]") {
    qt::TextView view;
    show(view, 760, 380);
    view.set_data(tensor_program("conv2d_add_relu_3"));
    const QImage image = picture(view, "text_tensor");
    CHECK(count_pixels(image, qt::theme().tints[1]) > 2000);
    CHECK(count_pixels(image, qt::theme().code[1]) > 20);
}

TEST_CASE("a click selects the tensor line, a double click the block", "[gui][text]") {
    qt::TextView view;
    show(view, 760, 380);
    view.set_data(tensor_program("f"));
    QSignalSpy spy(&view, &qt::TextView::selection_requested);
    click(view.viewport(), *view.line_position(10));
    REQUIRE(spy.count() == 1);
    auto selection = spy.takeFirst().at(0).value<views::Selection>();
    CHECK(selection.tensor_lines == std::vector<int>{11});
    CHECK(selection.function == "f");
    CHECK(selection.origins.contains(4));
    QTest::mouseDClick(view.viewport(), Qt::LeftButton, {}, *view.line_position(7));
    REQUIRE(spy.count() >= 1);
    selection = spy.takeLast().at(0).value<views::Selection>();
    CHECK(selection.tensor_lines == std::vector<int>{8, 9, 10, 11, 12});
}

TEST_CASE("linked lines are marked and scrolled to", "[gui][text]") {
    const auto tensor = tensor_program("f");
    qt::TextView view;
    show(view, 640, 240);
    view.set_data(assembly(*tensor));
    views::Selection selection;
    selection.function = "f";
    selection.tensor_lines = {15};
    view.set_selection(selection);
    REQUIRE(view.linked().size() == 18);
    CHECK(view.line_position(view.linked().front()));
    const QImage image = picture(view, "text_linked");
    CHECK(count_pixels(image, qt::theme().accent_fill) > 2000);
    selection.function = "g"; // lines of another program
    view.set_selection(selection);
    CHECK(view.linked().empty());
}

TEST_CASE("folding hides lines, finding opens them again", "[gui][text]") {
    qt::TextView view;
    show(view, 760, 380);
    view.set_data(tensor_program("f"));
    view.toggle_fold(6);
    CHECK(view.is_folded(6));
    CHECK_FALSE(view.line_position(9));
    CHECK(view.line_position(13));
    picture(view, "text_folded");
    view.open_find();
    QTest::keyClicks(QApplication::focusWidget(), "CONV(");
    REQUIRE(wait_for([&] { return !view.find_running() && view.hit_count() > 0; }));
    CHECK(view.hit_count() == 1);
    CHECK(view.line_position(9));
    CHECK(view.caret_line() == 9);
    picture(view, "text_find");
}

TEST_CASE("the keyboard moves, folds, selects and copies", "[gui][text]") {
    qt::TextView view;
    show(view, 760, 380);
    view.set_data(tensor_program("f"));
    view.setFocus();
    QSignalSpy spy(&view, &qt::TextView::selection_requested);
    for (int i = 0; i < 6; ++i) QTest::keyClick(&view, Qt::Key_Down);
    CHECK(view.caret_line() == 6);
    CHECK(spy.count() == 6);
    QTest::keyClick(&view, Qt::Key_Left);
    CHECK(view.is_folded(6));
    QTest::keyClick(&view, Qt::Key_Down);
    CHECK(view.caret_line() == 13);
    QTest::keySequence(&view, QKeySequence::SelectAll);
    QTest::keySequence(&view, QKeySequence::Copy);
    CHECK(QApplication::clipboard()->text().startsWith("fn f(x: f32"));
    CHECK(QApplication::clipboard()->text().count('\n') == 15);
}

TEST_CASE("an empty pane says what would fill it", "[gui][text]") {
    qt::TextView view;
    show(view, 400, 200);
    auto data = std::make_shared<views::TextViewData>();
    data->empty_reason = "Select a node of the graph to see its tensor program.";
    view.set_data(data);
    QTest::keyClick(&view, Qt::Key_Down);
    QTest::mouseClick(view.viewport(), Qt::LeftButton, {}, QPoint(50, 50));
    const QImage image = picture(view, "text_empty");
    CHECK(count_pixels(image, qt::theme().dim) > 20);
}

TEST_CASE("a million lines open at once and scroll smoothly", "[gui][text][speed]") {
    const auto data = long_text(1'000'000);
    qt::TextView view;
    show(view, 900, 700);
    QElapsedTimer timer;
    timer.start();
    view.set_data(data);
    view.viewport()->repaint();
    const double open = static_cast<double>(timer.nsecsElapsed()) / 1e6;
    const double scroll =
        frame_ms(*view.viewport(), 60, [&](int i) { view.verticalScrollBar()->setValue(i * 16'000); });
    timer.restart();
    view.set_find("rdx + 999999]", false);
    REQUIRE(wait_for([&] { return !view.find_running(); }));
    const double find = static_cast<double>(timer.nsecsElapsed()) / 1e6;
    CHECK(view.hit_count() == 1);
    CHECK(view.caret_line() == 999'999);
    picture(view, "text_million");
    WARN("1,000,000 lines: open " << open << " ms (goal 200), scroll frame " << scroll << " ms (goal 16), find " << find
                                  << " ms (goal 500)");
    CHECK(open < 800);
    CHECK(scroll < 64);
    CHECK(find < 2500);
}
