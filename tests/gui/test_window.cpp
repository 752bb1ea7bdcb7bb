#include "app/main_window.hpp"
#include "tests/gui/driver.hpp"
#include "tests/gui/fake_workbench.hpp"
#include "views/qt/theme.hpp"

#include <catch2/catch.hpp>

#include <QApplication>
#include <QLineEdit>
#include <QMenu>
#include <QMimeData>
#include <QTemporaryDir>
#include <QTimer>
#include <QToolButton>
#include <QWindow>

#include <algorithm>
#include <set>
#include <vector>

using namespace orrery;
using namespace orrery::gui_test;
using app::ActionId;

namespace {

struct Opened {
    FakeWorkbench workbench;
    app::MainWindow window;
    explicit Opened(bool with_model = true, const app::SettingsOptions& settings = {{}, true})
        : window(workbench, settings) {
        window.workspace()->graph()->set_animated(false);
        show(window, 1400, 880);
        if (with_model) workbench.submit(views::OpenSample{"resnet18"});
        settle();
    }
    void settle() {
        CHECK(wait_for([&] { return window.at_rest(); }));
    }
    void trigger(ActionId id) {
        window.actions()[id]->trigger();
        settle();
    }
};

/// Opacity of text: every widget that takes the focus must have a name.
void check_accessible(const QWidget& root) {
    for (const QWidget* w : root.findChildren<QWidget*>()) {
        if (w->focusPolicy() == Qt::NoFocus || !w->isVisible()) continue;
        const bool internal = QString::fromLatin1(w->metaObject()->className()).startsWith("QMenu") ||
                              w->objectName().startsWith("qt_") || w->inherits("QScrollBar") ||
                              w->inherits("QSplitterHandle") || w->inherits("QStackedWidget") ||
                              w->inherits("QDockWidget") || w->inherits("QMainWindow") || w->inherits("QHeaderView") ||
                              w->inherits("QTabBar") || w->inherits("QLabel");
        if (internal) continue;
        INFO(w->metaObject()->className() << " " << w->objectName().toStdString());
        CHECK_FALSE(w->accessibleName().isEmpty());
    }
}

/// A display that is slow: its windows do not hear yet that they are on screen.
class SlowDisplay : public QObject {
  public:
    bool eventFilter(QObject*, QEvent* event) override { return event->type() == QEvent::Expose; }
};

} // namespace

TEST_CASE("a window that is asked to paint waits until the display shows it", "[gui][window]") {
    FakeWorkbench workbench;
    app::MainWindow window(workbench, {{}, true});
    (void)window.winId();
    SlowDisplay slow;
    window.windowHandle()->installEventFilter(&slow);
    window.show();
    QEvent paint(QEvent::UpdateRequest);
    QApplication::sendEvent(&window, &paint);
    bool later = false; // than what the window does after a frame
    QTimer::singleShot(100, &window, [&] { later = true; });
    REQUIRE(wait_for([&] { return later; }));
    CHECK(window.isVisible());
    CHECK_FALSE(window.testAttribute(Qt::WA_Mapped)); // nothing was painted
    window.windowHandle()->removeEventFilter(&slow);
    window.hide();
    show(window, 1400, 880);
    REQUIRE(wait_for([&] { return window.testAttribute(Qt::WA_Mapped) && window.at_rest(); }));
    CHECK(window.start_page()->isVisible());
}

TEST_CASE("the start page offers samples and opens one by keyboard", "[gui][window]") {
    Opened t(false);
    REQUIRE(t.window.start_page()->isVisible());
    picture(t.window, "start");
    REQUIRE(t.window.start_page()->samples().size() == 2);
    check_accessible(t.window);
    auto* card = t.window.start_page()->samples()[0];
    card->setFocus();
    QTest::keyClick(card, Qt::Key_Space);
    t.settle();
    CHECK(t.workbench.last<views::OpenSample>()->name == "resnet18");
    CHECK(t.window.workspace()->isVisible());
}

TEST_CASE("an opened model fills every pane", "[gui][window]") {
    Opened t;
    t.trigger(ActionId::FocusGraph);
    const QImage image = picture(t.window, "window_dark");
    check_accessible(t.window);
    CHECK(count_pixels(image, qt::theme().tints[1]) > 1000);
    CHECK(t.window.strip()->buttons().size() == 12);
    CHECK(t.window.windowTitle().startsWith("resnet18.onnx"));
}

TEST_CASE("a selection is linked over all panes, both ways", "[gui][window]") {
    Opened t;
    app::Workspace& w = *t.window.workspace();
    // From the assembly up.
    const auto line = w.assembly()->line_position(9);
    REQUIRE(line);
    click(w.assembly()->viewport(), *line);
    t.settle();
    CHECK(w.tensor()->linked() == std::vector<int>{10});
    CHECK(w.assembly()->linked().size() == 15);
    CHECK(w.llvm()->linked().size() == 3);
    CHECK_FALSE(w.graph()->linked().empty());
    picture(t.window, "window_linked_from_assembly");
    // From the graph down.
    w.graph()->select_node(1);
    t.settle();
    CHECK(t.window.selection().origins.contains(1));
    CHECK(w.tensor()->linked().empty());
    CHECK(t.workbench.last<views::SelectFunction>()->name == "conv2d_1");
    // Back to what was selected before.
    t.trigger(ActionId::Back);
    CHECK(w.tensor()->linked() == std::vector<int>{10});
    t.trigger(ActionId::Forward);
    CHECK(t.window.selection().origins.contains(1));
    // From memory's table.
    w.memory()->table()->selectRow(4);
    t.settle();
    CHECK(t.window.selection().origins.contains(4));
    CHECK(w.memory()->state().selected == 4);
}

TEST_CASE("a run shows times, heat and agreement", "[gui][window]") {
    Opened t;
    CHECK_FALSE(t.window.actions()[ActionId::Heat]->isEnabled());
    QTest::mouseClick(t.window.toolbar()->run_button(), Qt::LeftButton);
    t.settle();
    REQUIRE(t.workbench.last<views::RunModel>() != nullptr);
    CHECK(t.window.workspace()->run()->isVisible());
    CHECK(t.window.actions()[ActionId::Heat]->isEnabled());
    t.trigger(ActionId::LayoutRun);
    picture(t.window, "window_run");
    t.trigger(ActionId::Heat);
    CHECK_FALSE(t.workbench.last<views::ShowHeat>()->on);
    t.trigger(ActionId::Undo);
    CHECK(t.workbench.last<views::Undo>() != nullptr);
}

TEST_CASE("every layout can be shown, and comes back as it was left", "[gui][window]") {
    QTemporaryDir directory;
    const app::SettingsOptions settings{directory.path(), false};
    {
        Opened t(true, settings);
        for (const auto& [id, name] : {std::pair(ActionId::LayoutExplore, "explore"),
                                       {ActionId::LayoutPasses, "passes"},
                                       {ActionId::LayoutRun, "run"},
                                       {ActionId::LayoutSchedule, "schedule"}}) {
            t.trigger(id);
            QApplication::processEvents();
            picture(t.window, QStringLiteral("layout_%1").arg(name));
        }
        t.trigger(ActionId::LayoutExplore);
        CHECK(t.window.workspace()->pane_shown(app::PaneId::Inspector));
        t.window.workspace()->show_pane(app::PaneId::Inspector, false);
        t.window.close();
    }
    Opened again(true, settings);
    CHECK(again.window.workspace()->arrangement() == app::Arrangement::Explore);
    CHECK_FALSE(again.window.workspace()->pane_shown(app::PaneId::Inspector));
    again.trigger(ActionId::ResetLayout);
    CHECK(again.window.workspace()->pane_shown(app::PaneId::Inspector));
}

TEST_CASE("the palette lists every action and runs one", "[gui][window]") {
    Opened t;
    t.trigger(ActionId::Palette);
    REQUIRE(t.window.palette_popup()->isVisible());
    CHECK(t.window.palette_popup()->model()->rowCount() >= static_cast<int>(app::action_rows().size()));
    QStringList listed;
    for (int i = 0; i < t.window.palette_popup()->model()->rowCount(); ++i)
        listed << t.window.palette_popup()->model()->entry(i)->text;
    for (const QAction* action : t.window.actions().all()) CHECK(listed.contains(action->text()));
    picture(t.window, "palette");
    QTest::keyClicks(t.window.palette_popup()->field(), "check against");
    picture(t.window, "palette_filtered");
    QTest::keyClick(t.window.palette_popup()->field(), Qt::Key_Return);
    t.settle();
    CHECK(t.workbench.last<views::CheckModel>() != nullptr);
    CHECK_FALSE(t.window.palette_popup()->isVisible());
    t.trigger(ActionId::GoToFunction);
    QTest::keyClicks(t.window.palette_popup()->field(), "dense");
    QTest::keyClick(t.window.palette_popup()->field(), Qt::Key_Return);
    CHECK(t.workbench.last<views::SelectFunction>()->name == "dense_37");
}

TEST_CASE("the key list opens and closes", "[gui][window]") {
    Opened t;
    t.trigger(ActionId::Keys);
    REQUIRE(t.window.key_list()->isVisible());
    CHECK(t.window.rect().contains(t.window.key_list()->geometry()));
    picture(t.window, "keys");
    QTest::keyClick(t.window.key_list(), Qt::Key_Escape);
    CHECK_FALSE(t.window.key_list()->isVisible());
}

TEST_CASE("a broken file becomes a row in Problems", "[gui][window]") {
    Opened t;
    t.window.open_path("/nonexistent/model.onnx");
    t.settle();
    CHECK(t.window.workspace()->problems()->isVisible());
    CHECK(t.window.workspace()->problems()->model_data()->rowCount() == 1);
    picture(t.window, "window_problem");
}

TEST_CASE("stages are walked by key, only the changed ones with Shift", "[gui][window]") {
    Opened t;
    t.trigger(ActionId::FocusGraph);
    QTest::keyClick(t.window.workspace()->graph(), Qt::Key_B);
    t.settle();
    CHECK(t.workbench.last<views::SelectStage>()->id == 7);
    for (int i = 0; i < 2; ++i) {
        QTest::keyClick(t.window.workspace()->graph(), Qt::Key_B);
        t.settle();
    }
    CHECK(t.workbench.last<views::SelectStage>()->id == 5);
    QTest::keyClick(t.window.workspace()->graph(), Qt::Key_B, Qt::ShiftModifier);
    t.settle();
    CHECK(t.workbench.last<views::SelectStage>()->id == 2);
}

TEST_CASE("a running job shows progress and can be cancelled", "[gui][window]") {
    Opened t;
    views::Screen screen = *t.workbench.screen();
    screen.status.job = "compiling resnet18: conv2d_add_relu_3, 12 of 25";
    screen.status.fraction = 0.48;
    screen.status.can_cancel = true;
    t.workbench.publish(screen);
    t.settle();
    // A job that is over at once is not told of.
    REQUIRE(spin_until([&] { return t.window.status()->cancel_button()->isVisible(); }));
    picture(t.window, "window_job");
    QTest::mouseClick(t.window.status()->cancel_button(), Qt::LeftButton);
    CHECK(t.workbench.last<views::CancelJobs>() != nullptr);
}

TEST_CASE("the light theme and a small window", "[gui][window]") {
    Opened t;
    t.trigger(ActionId::DarkTheme);
    REQUIRE_FALSE(qt::theme().choice.dark);
    const QImage image = picture(t.window, "window_light");
    CHECK(image.pixelColor(image.width() / 2, image.height() / 2).lightness() > 180);
    t.trigger(ActionId::ColourBlind);
    picture(t.window, "window_light_colour_blind");
    t.window.resize(1280, 720);
    QApplication::processEvents();
    picture(t.window, "window_1280x720");
    t.trigger(ActionId::ColourBlind);
    t.trigger(ActionId::DarkTheme);
    REQUIRE(qt::theme().choice.dark);
}

TEST_CASE("a dropped file is opened", "[gui][window]") {
    Opened t(false);
    QMimeData data;
    data.setUrls({QUrl::fromLocalFile("/tmp/dropped.onnx")});
    QDragEnterEvent enter({50, 50}, Qt::CopyAction, &data, Qt::LeftButton, Qt::NoModifier);
    QApplication::sendEvent(&t.window, &enter);
    CHECK(enter.isAccepted());
    picture(t.window, "start_drop");
    QDropEvent drop({50, 50}, Qt::CopyAction, &data, Qt::LeftButton, Qt::NoModifier);
    QApplication::sendEvent(&t.window, &drop);
    CHECK(t.workbench.last<views::OpenFile>()->path == "/tmp/dropped.onnx");
}

TEST_CASE("in a narrow window nothing of the toolbar and of the tabs is cut", "[gui][window]") {
    Opened t;
    app::Workspace& panes = *t.window.workspace();
    panes.show_bottom_tab(app::Workspace::MemoryTab);
    const std::vector<qt::PaneHeader*> headers = [&] {
        std::vector<qt::PaneHeader*> found;
        for (qt::PaneHeader* header : panes.findChildren<qt::PaneHeader*>())
            if (header->selected_tab() >= 0 && header->isVisible()) found.push_back(header);
        return found;
    }();
    REQUIRE(headers.size() == 2); // of the code and of the panes below
    const auto within = [&](const QWidget& all) {
        for (const QToolButton* button : all.findChildren<QToolButton*>(QString(), Qt::FindDirectChildrenOnly)) {
            if (!button->isVisible()) continue;
            INFO(button->text().toStdString());
            CHECK(button->width() >= button->sizeHint().width());
            CHECK(button->geometry().right() < all.width());
        }
    };
    for (const int width : {1600, 1100, 900}) {
        INFO(width);
        t.window.resize(width, 720);
        t.settle();
        QApplication::processEvents();
        REQUIRE(t.window.width() == width);
        within(*t.window.toolbar());
        for (const qt::PaneHeader* header : headers) within(*header);
        if (width == 900) picture(t.window, "narrow_900");
    }
    // What is left out is in a menu; what is chosen there is seen.
    const auto below = std::ranges::max_element(
        headers, {}, [](const qt::PaneHeader* h) { return h->findChildren<QToolButton*>().size(); });
    REQUIRE((*below)->more_button() != nullptr);
    REQUIRE((*below)->more_button()->isVisible());
    CHECK((*below)->tab(app::Workspace::MemoryTab)->isVisible());
    REQUIRE_FALSE((*below)->tab(app::Workspace::ProfileTab)->isVisible());
    QTimer::singleShot(50, [&] {
        auto* menu = qobject_cast<QMenu*>(QApplication::activePopupWidget());
        REQUIRE(menu != nullptr);
        picture(*menu, "narrow_tabs");
        menu->setActiveAction(menu->actions().back());
        QTest::keyClick(menu, Qt::Key_Return);
    });
    QTest::mouseClick((*below)->more_button(), Qt::LeftButton);
    QApplication::processEvents();
    CHECK(panes.bottom_tab() == app::Workspace::ProfileTab);
    CHECK((*below)->tab(app::Workspace::ProfileTab)->isVisible());
    within(**below);
    t.window.resize(1600, 880);
    t.settle();
    QApplication::processEvents();
    CHECK_FALSE((*below)->more_button()->isVisible());
    CHECK(t.window.toolbar()->search_button()->isVisible());
}

TEST_CASE("a key means one thing", "[gui][window]") {
    std::set<std::string> keys{"Alt+M"}; // the main menu's
    for (const app::ActionRow& row : app::action_rows()) {
        if (row.canvas || row.keys[0] == '\0') continue;
        INFO(row.text << ": " << row.keys);
        CHECK(keys.insert(row.keys).second);
    }
}

TEST_CASE("the memory canvas draws, selects by click, and has a table twin", "[gui][window]") {
    Opened t;
    app::MemoryPanel& memory = *t.window.workspace()->memory();
    t.window.workspace()->show_bottom_tab(app::Workspace::MemoryTab);
    QApplication::processEvents();
    REQUIRE(wait_for([&] { return memory.canvas()->frames() > 0; }));
    const auto& boxes = t.workbench.screen()->memory->boxes;
    const auto rect =
        imgui::memory_box_rect(*t.workbench.screen()->memory, memory.state(), memory.canvas()->input(), 7);
    REQUIRE_FALSE(rect.empty());
    click(memory.canvas(), {(rect.left + rect.right) / 2, (rect.top + rect.bottom) / 2});
    REQUIRE(wait_for([&] { return memory.state().selected >= 0 && !t.window.selection().empty(); }));
    CHECK(t.window.selection().origins.intersects(boxes[static_cast<std::size_t>(memory.state().selected)].origins));
    picture(memory, "memory");
    const int frames = memory.canvas()->frames();
    QApplication::processEvents();
    CHECK(memory.canvas()->frames() <= frames + 2); // drawn on demand: without input it rests
    WARN("memory canvas frame: " << memory.canvas()->last_frame_ms() << " ms");
}
