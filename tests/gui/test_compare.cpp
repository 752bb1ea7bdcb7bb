#include "tests/gui/live_window.hpp"
#include "views/qt/theme.hpp"

#include <catch2/catch.hpp>

#include <QApplication>
#include <QDragEnterEvent>
#include <QDropEvent>
#include <QFile>
#include <QLineEdit>
#include <QMimeData>
#include <QScrollBar>
#include <QTemporaryDir>
#include <QToolButton>

// Comparing in the window: stages with the one before, a pinned one, a second recipe; the history of a value.

using namespace orrery;
using namespace orrery::gui_test;
using app::ActionId;

namespace {

struct Comparing : LiveWindow {
    explicit Comparing(const char* sample, int width = 1680, int height = 1050) : LiveWindow(width, height) {
        window.actions()[ActionId::LayoutPasses]->trigger();
        open(sample);
    }
    [[nodiscard]] const views::DiffViewData& diff() const { return *screen().diff; }
    [[nodiscard]] qt::DiffPanel& panel() const { return *window.workspace()->diff(); }
    void select(int stage) { submit(views::SelectStage{stage}); }
};

} // namespace

TEST_CASE("the Passes layout compares the selected stage with the one before", "[gui][compare]") {
    Comparing t("resnet18");
    REQUIRE(t.panel().isVisible());
    CHECK(t.window.workspace()->figures()->isVisible());
    t.select(t.stage("SimplifyInference"));
    CHECK(t.diff().right_title == "after SimplifyInference");
    CHECK(t.diff().operators.added + t.diff().operators.changed > 20);
    CHECK(t.panel().left()->data().line_count() == t.panel().right()->data().line_count());
    CHECK(t.window.workspace()->changes()->model_data()->rowCount() > 20);
    int marked = 0;
    for (const views::GraphNode& node : t.screen().graph->nodes) marked += node.change > views::NodeMark::Same ? 1 : 0;
    CHECK(marked > 0);
    t.both_themes("compare_simplify");

    // Change after change, by key; both sides go along.
    t.panel().right()->setFocus();
    const int first = t.panel().right()->caret_line();
    QTest::keyClick(t.panel().right(), Qt::Key_F7);
    CHECK(t.panel().right()->caret_line() > first);
    CHECK(t.panel().left()->verticalScrollBar()->value() == t.panel().right()->verticalScrollBar()->value());
    const int second = t.panel().right()->caret_line();
    QTest::keyClick(t.panel().right(), Qt::Key_F7);
    QTest::keyClick(t.panel().right(), Qt::Key_F7, Qt::ShiftModifier);
    CHECK(t.panel().right()->caret_line() == second);

    // Folding one side folds the other.
    REQUIRE_FALSE(t.diff().left->folds.empty());
    const int fold = t.diff().left->folds.front().first;
    CHECK(t.panel().left()->is_folded(fold));
    t.panel().left()->toggle_fold(fold);
    CHECK_FALSE(t.panel().right()->is_folded(fold));

    // A line selected on one side marks its partner on the other, and the node.
    const auto& hunks = t.diff().hunks;
    t.panel().right()->go_to_line(hunks[1]);
    const auto at = t.panel().right()->line_position(hunks[1]);
    REQUIRE(at);
    click(t.panel().right()->viewport(), *at);
    t.settle();
    CHECK_FALSE(t.panel().right()->linked().empty());
    CHECK_FALSE(t.panel().left()->linked().empty());
    CHECK_FALSE(t.window.workspace()->graph()->linked().empty());
    picture(t.window, "compare_selected_line");

    // A row of the table of changes selects too.
    t.window.workspace()->changes()->selectRow(3);
    t.settle();
    CHECK_FALSE(t.window.selection().empty());

    t.select(t.stage("FuseOps"));
    CHECK(t.diff().operators.moved > 40);
    t.trigger(ActionId::OpenGroups);
    t.both_themes("compare_fusion");
}

TEST_CASE("a pinned stage stays on the left while stages are stepped through", "[gui][compare]") {
    Comparing t("lenet");
    t.select(0);
    CHECK(t.diff().left->line_count() == 0);
    CHECK_FALSE(t.diff().empty_reason.empty()); // nothing stands before the import, and the pane says so
    picture(t.window, "compare_nothing_before");
    t.trigger(ActionId::PinLeft);
    CHECK(t.screen().left_pinned);
    t.select(static_cast<int>(t.workbench.snapshot()->steps.size()) - 1);
    CHECK(t.diff().left_title == "imported");
    CHECK(t.diff().right_title == "after FuseOps");
    t.trigger(ActionId::SwapSides);
    CHECK(t.diff().left_title == "after FuseOps");
    t.trigger(ActionId::SwapSides);
    click(t.panel().pin_button(), QPointF(8, 8));
    t.settle();
    CHECK_FALSE(t.screen().left_pinned);

    // Below the graph: schedule steps, and LLVM's own work.
    t.select(views::kTensorStages + 3);
    CHECK(t.panel().left()->data().language == views::TextLanguage::Tensor);
    CHECK(t.diff().lines.added + t.diff().lines.changed + t.diff().lines.removed > 0);
    CHECK_FALSE(t.window.workspace()->changes()->model_data()->table().empty_reason.empty());
    picture(t.window, "compare_schedule");
    t.select(views::kCodeStages + 1);
    CHECK(t.panel().left()->data().language == views::TextLanguage::Llvm);
    CHECK(t.diff().left->line_count() > 20);
    picture(t.window, "compare_llvm");
    t.select(views::kCodeStages + 2);
    CHECK(t.diff().empty_reason.find("Ctrl+L") != std::string::npos);
}

TEST_CASE("a second recipe is opened beside the first", "[gui][compare]") {
    Comparing t("lenet");
    t.trigger(ActionId::CompareUnscheduled);
    CHECK(t.screen().other_title == "lenet unscheduled");
    CHECK(t.diff().identical); // schedules are below the graph
    t.select(views::kCodeStages + 2);
    CHECK(t.diff().left->language == views::TextLanguage::Assembly);
    CHECK(t.diff().lines.added + t.diff().lines.removed > 10);
    t.both_themes("compare_assembly");
    t.trigger(ActionId::StopComparing);
    CHECK(t.screen().other_title.empty());

    // Another model, dropped with Shift held.
    QTemporaryDir directory;
    t.workbench.submit(views::SelectStage{t.stage("FuseOps")});
    t.workbench.submit(views::CompareWith{views::CompareWith::What::Sample, "mlp"});
    t.settle();
    CHECK(t.diff().left_title.starts_with("lenet"));
    CHECK(t.diff().right_title.starts_with("mlp"));
    picture(t.window, "compare_models");
    const QString path = directory.filePath("missing.onnx");
    QMimeData files;
    files.setUrls({QUrl::fromLocalFile(path)});
    QDragEnterEvent enter({300, 300}, Qt::CopyAction, &files, Qt::LeftButton, Qt::ShiftModifier);
    QApplication::sendEvent(&t.window, &enter);
    QDropEvent drop(QPointF(300, 300), Qt::CopyAction, &files, Qt::LeftButton, Qt::ShiftModifier);
    QApplication::sendEvent(&t.window, &drop);
    t.settle();
    CHECK(t.screen().problems->errors == 1);
    CHECK(t.screen().has_model);

    // The recipe as it is now, while it is edited on.
    t.trigger(ActionId::CompareFrozen);
    CHECK(t.diff().identical);
    t.workbench.submit(views::EnablePass{t.stage("FuseOps"), false});
    t.settle();
    CHECK(t.screen().other_title == "lenet as it was");

    // Closing the model ends the comparison.
    t.trigger(ActionId::CloseModel);
    CHECK(t.screen().other_title.empty());
}

TEST_CASE("the history of a value, by key", "[gui][compare][history]") {
    Comparing t("resnet18");
    t.trigger(ActionId::LayoutSchedule);
    t.trigger(ActionId::OpenGroups);
    int node = -1;
    const auto& nodes = t.screen().graph->nodes;
    for (std::size_t i = 0; i < nodes.size(); ++i)
        if (nodes[i].title.find("add · relu") != std::string::npos && nodes[i].members == 0) node = static_cast<int>(i);
    REQUIRE(node >= 0);
    t.window.workspace()->graph()->select_node(node);
    t.window.workspace()->graph()->setFocus();
    QTest::keyClick(t.window.workspace()->graph(), Qt::Key_H);
    t.settle();
    const views::HistoryViewData& history = *t.screen().history;
    qt::HistoryPanel* panel = t.window.workspace()->history();
    REQUIRE(panel->isVisible());
    CHECK(history.title == nodes[static_cast<std::size_t>(node)].name);
    CHECK(history.entries.front().sign == views::HistorySign::Model);
    CHECK(history.entries.back().sign == views::HistorySign::Kernel);
    CHECK(std::ranges::any_of(history.entries, [](const views::HistoryEntry& e) { return e.title == "FuseOps"; }));
    t.both_themes("history");

    // An entry leads to its stage, by mouse and by key.
    int entry = -1;
    for (std::size_t i = 0; i < history.entries.size(); ++i)
        if (history.entries[i].title == "SimplifyInference") entry = static_cast<int>(i);
    REQUIRE(entry >= 0);
    panel->setFocus();
    QTest::keyClick(panel, Qt::Key_Home);
    for (int k = 0; k < entry; ++k) QTest::keyClick(panel, Qt::Key_Down);
    CHECK(panel->current() == entry);
    QTest::keyClick(panel, Qt::Key_Return);
    t.settle();
    CHECK(t.workbench.options().selected_stage == t.stage("SimplifyInference"));
}

TEST_CASE("values of all steps are found by operator, shape and attribute", "[gui][compare][search]") {
    Comparing t("resnet18");
    t.trigger(ActionId::GoTo);
    auto* palette = t.window.palette_popup();
    QTest::keyClicks(palette->field(), "batch_norm 512");
    REQUIRE(palette->model()->rowCount() > 0);
    CHECK(palette->model()->entry(0)->detail.contains("512"));
    picture(t.window, "search");
    QTest::keyClick(palette->field(), Qt::Key_Return);
    t.settle();
    CHECK(t.workbench.options().graph_step >= 0); // batch norms are gone at the end: an earlier step is shown
    CHECK_FALSE(t.window.selection().empty());
    CHECK_FALSE(t.window.workspace()->graph()->linked().empty());
}

TEST_CASE("a comparison is exported as one file", "[gui][compare]") {
    Comparing t("lenet");
    QTemporaryDir directory;
    for (const char* name : {"diff.html", "diff.json", "diff.txt"}) {
        const QString path = directory.filePath(name);
        t.workbench.submit(views::ExportDiff{path.toStdString()});
        t.settle();
        QFile file(path);
        INFO(name);
        REQUIRE(file.open(QIODevice::ReadOnly));
        const QByteArray bytes = file.readAll();
        CHECK(bytes.size() > 1000);
        CHECK(bytes.contains("FuseOps"));
        if (path.endsWith("html")) CHECK(bytes.contains("<svg"));
    }
    CHECK(t.screen().problems->errors == 0);
    t.workbench.submit(views::ExportDiff{directory.filePath("no/such/folder.html").toStdString()});
    t.settle();
    CHECK(t.screen().problems->errors == 1);
}

TEST_CASE("the Passes layout on a small screen", "[gui][compare]") {
    Comparing t("lenet", 1280, 720);
    t.select(t.stage("FuseOps"));
    t.both_themes("compare_1280");
    t.window.actions()[ActionId::LayoutExplore]->trigger();
    t.settle();
    CHECK_FALSE(t.window.workspace()->diff_shown());
    for (const views::GraphNode& node : t.screen().graph->nodes) CHECK(node.change == views::NodeMark::None);
}

TEST_CASE("recipes side by side: variants, a target, a model; one selection for all", "[gui][compare][sides]") {
    LiveWindow t;
    t.open("lenet");
    t.trigger(ActionId::LayoutCompare);
    qt::SidesPanel& panel = *t.window.workspace()->sides();
    panel.set_animated(false);
    REQUIRE(panel.isVisible());
    CHECK_FALSE(t.window.workspace()->pane_shown(app::PaneId::Graph));
    CHECK(panel.graphs().size() == 1);
    picture(t.window, "sides_alone");
    t.trigger(ActionId::CompareUnoptimized);
    CHECK(t.window.workspace()->arrangement() == app::Arrangement::Compare); // asked for here, shown here
    t.submit(views::CompareWith{views::CompareWith::What::Target, "llvm -mcpu=x86-64-v2 -vector-bits=128"});
    t.submit(views::CompareWith{views::CompareWith::What::Sample, "mlp"});
    REQUIRE(panel.graphs().size() == 4);
    CHECK(t.screen().sides->figures.columns.size() == 5);
    CHECK(t.screen().other_title == "mlp");
    // Variants of one model are linked node by node, one to many: a kernel to the operators it was made of.
    qt::GraphView& first = *panel.graphs()[0];
    qt::GraphView& plain = *panel.graphs()[1];
    qt::GraphView& other = *panel.graphs()[2];
    first.select_node(t.node("conv2d"));
    t.settle();
    CHECK(plain.linked().size() >= 1);
    CHECK(other.linked().size() == 1);
    t.both_themes("sides_four");
    int add = -1;
    for (std::size_t i = 0; i < plain.data().nodes.size(); ++i)
        if (plain.data().nodes[i].title.find("tanh") != std::string::npos) add = static_cast<int>(i);
    REQUIRE(add >= 0);
    plain.select_node(add);
    t.settle();
    REQUIRE(first.linked().size() == 1);
    CHECK(first.data().nodes[static_cast<std::size_t>(first.linked().front())].title.find("tanh") != std::string::npos);
    // Of another model, nodes of one name and operator are linked; what it has alone selects itself only.
    qt::GraphView& mlp = *panel.graphs()[3];
    mlp.select_node(3); // of ten columns: stored alike in both, whatever this machine's vectors
    t.settle();
    CHECK_FALSE(mlp.linked().empty());
    REQUIRE(first.linked().size() == 1);
    CHECK(first.data().nodes[static_cast<std::size_t>(first.linked().front())].title.starts_with("matmul"));
    // A step of the strip is shown on all sides that have it.
    t.submit(views::SelectStage{t.stage("SimplifyInference") < 0 ? 0 : t.stage("SimplifyInference")});
    CHECK(t.screen().sides->summary.starts_with("4 recipes"));
    t.submit(views::SelectStage{static_cast<int>(t.workbench.snapshot()->steps.size()) - 1});
    // Times of all that this machine runs, one after another.
    t.trigger(ActionId::Run);
    const views::Table& figures = t.screen().sides->figures;
    REQUIRE(figures.rows.front().cells[0].text == "time of a run");
    CHECK(figures.rows.front().cells[1].sort_key > 0);
    CHECK(figures.rows.front().cells[2].sort_key > 0);
    CHECK(figures.rows.front().cells[3].text == "not run"); // made for another processor
    CHECK(figures.rows.front().cells[4].sort_key > 0);
    t.both_themes("sides_run");
    // The same as text and as JSON.
    CHECK(views::to_text(*t.screen().sides).find("time of a run") != std::string::npos);
    // One is closed by its button; its neighbours stay.
    click(panel.close_button(2), QPointF(6, 6));
    t.settle();
    REQUIRE(panel.graphs().size() == 3);
    CHECK(t.screen().other_titles == std::vector<std::string>{"lenet at -O0", "mlp"});
    // The texts of one of them, in the Passes layout.
    Q_EMIT panel.texts_requested(1);
    t.settle();
    CHECK(t.window.workspace()->arrangement() == app::Arrangement::Passes);
    CHECK(t.screen().other_title == "lenet at -O0");
    CHECK(t.screen().diff->right_title.starts_with("lenet at -O0"));
    t.trigger(ActionId::LayoutCompare);
    t.trigger(ActionId::StopComparing);
    CHECK(panel.graphs().size() == 1);
    CHECK(t.screen().sides->sides.size() == 1);
}

TEST_CASE("two models side by side on a small screen", "[gui][compare][sides]") {
    LiveWindow t(1280, 720);
    t.open("resnet18");
    t.trigger(ActionId::LayoutCompare);
    t.window.workspace()->sides()->set_animated(false);
    t.submit(views::CompareWith{views::CompareWith::What::Sample, "resnet50"});
    CHECK(t.window.workspace()->sides()->graphs().size() == 2);
    t.both_themes("sides_1280");
    t.submit(views::CompareWith{views::CompareWith::What::File, "/no/such/model.onnx"});
    CHECK(t.screen().problems->errors == 1);
    CHECK(t.window.workspace()->sides()->graphs().size() == 2);
}
