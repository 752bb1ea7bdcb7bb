#include "core/graph/text.hpp"
#include "core/session/recipe_arguments.hpp"
#include "core/transform/planted.hpp"
#include "tests/gui/live_window.hpp"
#include "views/qt/theme.hpp"

#include <catch2/catch.hpp>

#include <QApplication>
#include <QCheckBox>
#include <QClipboard>
#include <QElapsedTimer>
#include <QLineEdit>
#include <QScrollArea>
#include <QScrollBar>
#include <QTemporaryDir>

// The pass explorer over a real session: the strip is clicked, dragged and typed into.

using namespace orrery;
using namespace orrery::gui_test;
using app::ActionId;

namespace {

struct Explorer : LiveWindow {
    explicit Explorer(const char* network, int width = 1680, int height = 1050) : LiveWindow(width, height) {
        open(network);
    }
    [[nodiscard]] qt::StageStrip& strip() const { return *window.strip(); }
    [[nodiscard]] const std::vector<transform::PassStep>& passes() const { return workbench.snapshot()->recipe.passes; }
    [[nodiscard]] qt::StageButton* button(const std::string& name, int occurrence = 1) const {
        for (qt::StageButton* b : strip().buttons())
            if (b->step().name == name && --occurrence == 0) return b;
        return nullptr;
    }
    void click_on(qt::StageButton* b) {
        strip().area()->ensureWidgetVisible(b, 60, 0);
        click(b, b->rect().center());
        settle();
    }
};

Result<graph::Module> doubles(const graph::Module& module, const pass::Context&) {
    // The last constant doubled: numbers change, types do not.
    std::vector<graph::Binding> bindings = module.main->bindings;
    for (graph::Binding& binding : bindings)
        if (const auto* constant = graph::as<graph::Constant>(binding.value);
            constant && constant->value.dtype() == DType::F32) {
            NDArray twice = NDArray::allocate(DType::F32, constant->value.shape());
            for (std::int64_t i = 0; i < twice.size(); ++i) twice.set(i, 2 * constant->value.as_double(i) + 1);
            binding.value = make_ref<const graph::Constant>(std::move(twice));
            break;
        }
    graph::Module out = module;
    out.main = graph::make_function(module.main->name, module.main->params, bindings, module.main->result);
    return out;
}

} // namespace

TEST_CASE("the strip: steps of all levels, n and b, changed only, filter", "[gui][passes]") {
    Explorer t("lenet");
    REQUIRE(t.screen().stages->sections.size() == 3);
    t.both_themes(QStringLiteral("passes_strip"));
    t.trigger(ActionId::LayoutExplore);
    t.click_on(t.button("import"));
    CHECK(t.screen().graph->title == "imported");
    t.window.workspace()->graph()->setFocus();
    QTest::keyClick(t.window.workspace()->graph(), Qt::Key_N);
    t.settle();
    CHECK(t.strip().selected()->step().id == 1);
    QTest::keyClick(t.window.workspace()->graph(), Qt::Key_N, Qt::ShiftModifier);
    t.settle();
    CHECK(t.strip().selected()->step().changed);
    QTest::keyClick(t.window.workspace()->graph(), Qt::Key_B, Qt::ShiftModifier);
    t.settle();
    CHECK(t.strip().selected()->step().id == 0);
    const auto shown = [&] {
        return std::ranges::count_if(t.strip().buttons(), [](const qt::StageButton* b) { return !b->isHidden(); });
    };
    const auto all = shown();
    t.trigger(ActionId::ChangedOnly);
    CHECK(shown() < all);
    picture(t.window, QStringLiteral("passes_changed_only"));
    t.trigger(ActionId::ChangedOnly);
    t.trigger(ActionId::FilterStages);
    QTest::keyClicks(t.strip().filter(), QStringLiteral("fuse"));
    CHECK(shown() >= 1);
    for (const qt::StageButton* b : t.strip().buttons())
        CHECK(b->isHidden() == !views::passes_filter(b->step(), "fuse", false));
    picture(t.window, QStringLiteral("passes_filtered"));
    QTest::keyClicks(t.strip().filter(), QStringLiteral("nothing"));
    CHECK(shown() == 0);
    picture(t.window, QStringLiteral("passes_filtered_nothing"));
    QTest::keyClick(t.strip().filter(), Qt::Key_Escape);
    CHECK(shown() == all);
    // LLVM's own passes: the IR after one of them.
    t.trigger(ActionId::LayoutSchedule);
    qt::StageButton* early = t.button("EarlyCSE");
    REQUIRE(early != nullptr);
    t.click_on(early);
    CHECK(t.screen().llvm->note.starts_with("after EarlyCSE"));
    CHECK(t.screen().llvm->line_count() > 10);
    picture(t.window, QStringLiteral("passes_llvm"));
}

TEST_CASE("passes are inserted, moved, dragged, switched off and removed, all undoable", "[gui][passes]") {
    Explorer t("mlp");
    const auto first = t.workbench.snapshot()->recipe;
    const auto names = [&] {
        std::vector<std::string> out;
        for (const transform::PassStep& p : t.passes()) out.push_back(p.name);
        return out;
    };
    const auto before = names();
    // Insert by typing.
    t.click_on(t.button("import"));
    t.trigger(ActionId::InsertPass);
    REQUIRE(t.window.palette_popup()->isVisible());
    QTest::keyClicks(t.window.palette_popup()->field(), QStringLiteral("deadcode"));
    picture(t.window, QStringLiteral("passes_insert"));
    QTest::keyClick(t.window.palette_popup()->field(), Qt::Key_Return);
    t.settle();
    REQUIRE(names().size() == before.size() + 1);
    CHECK(names().front() == "DeadCode");
    CHECK(t.strip().selected()->step().pass == 0);
    // Move by keys on the step itself.
    qt::StageButton* inserted = t.strip().selected();
    inserted->setFocus(Qt::TabFocusReason);
    QTest::keyClick(inserted, Qt::Key_Right, Qt::ControlModifier);
    t.settle();
    CHECK(names()[1] == "DeadCode");
    CHECK(t.strip().selected()->step().pass == 1);
    // Drag it back to the front.
    t.window.actions()[ActionId::ExpandStages]->setChecked(true); // dots are small to drag
    t.settle();
    qt::StageButton* dragged = t.strip().selected();
    qt::StageButton* target = t.strip().buttons()[1];
    const QPoint to = dragged->mapFromGlobal(target->mapToGlobal(QPoint(4, 18)));
    QTest::mousePress(dragged, Qt::LeftButton, {}, QPoint(20, 18));
    QTest::mouseMove(dragged, QPoint(0, 18));
    QTest::mouseMove(dragged, to);
    picture(t.window, QStringLiteral("passes_drag"));
    QTest::mouseRelease(dragged, Qt::LeftButton, {}, to);
    t.settle();
    CHECK(names()[0] == "DeadCode");
    // Off, on, removed.
    t.trigger(ActionId::SwitchPass);
    CHECK_FALSE(t.passes()[0].enabled);
    picture(t.window, QStringLiteral("passes_off"));
    t.trigger(ActionId::SwitchPass);
    CHECK(t.passes()[0].enabled);
    t.trigger(ActionId::RemovePass);
    CHECK(names() == before);
    // The script lists it all; going to its first line is undoing everything.
    t.trigger(ActionId::ShowScript);
    CHECK(t.screen().script->table.rows.size() == 7);
    t.both_themes(QStringLiteral("passes_script"));
    while (!t.screen().undo_title.empty()) t.trigger(ActionId::Undo);
    CHECK(t.workbench.snapshot()->recipe == first);
    t.workbench.submit(views::GoToEdit{3});
    t.settle();
    CHECK(t.screen().script->current == 3);
}

TEST_CASE("options are edited in place, under their step", "[gui][passes]") {
    Explorer t("lenet");
    t.click_on(t.button("FuseOps"));
    t.trigger(ActionId::PassOptions);
    qt::PassCard& card = *t.window.pass_card();
    REQUIRE(card.isVisible());
    REQUIRE(card.editors().size() >= 2);
    t.both_themes(QStringLiteral("passes_card"));
    QLineEdit* depth = nullptr;
    QCheckBox* flag = nullptr;
    for (QWidget* editor : card.editors()) {
        if (auto* field = qobject_cast<QLineEdit*>(editor); field && editor->accessibleName() == "max_depth")
            depth = field;
        if (auto* box = qobject_cast<QCheckBox*>(editor); box && editor->accessibleName() == "fuse") flag = box;
    }
    REQUIRE(depth != nullptr);
    REQUIRE(flag != nullptr);
    depth->setFocus();
    depth->selectAll();
    QTest::keyClicks(depth, QStringLiteral("2"));
    QTest::keyClick(depth, Qt::Key_Return);
    t.settle();
    CHECK(t.passes().back().options.at("max_depth") == "2");
    CHECK(card.isVisible());
    for (QWidget* editor : card.editors())
        if (auto* box = qobject_cast<QCheckBox*>(editor)) flag = box;
    QTest::mouseClick(flag, Qt::LeftButton, {}, QPoint(8, flag->height() / 2));
    t.settle();
    CHECK(t.passes().back().options.at("fuse") == "false");
    QTest::keyClick(&card, Qt::Key_Escape);
    CHECK_FALSE(card.isVisible());
    t.trigger(ActionId::CopyCommand);
    const QString command = QApplication::clipboard()->text();
    CHECK(command.contains(QStringLiteral("--pass-option FuseOps.fuse=false")));
    CHECK(command.contains(QStringLiteral("--pass-option FuseOps.max_depth=2")));
}

TEST_CASE("text edited by hand becomes a step; a mistake is shown at its line", "[gui][passes]") {
    Explorer t("lenet");
    t.click_on(t.button("import"));
    t.trigger(ActionId::EditText);
    qt::EditPanel& panel = *t.window.workspace()->editor();
    REQUIRE(panel.field()->toPlainText().contains(QStringLiteral("tanh(")));
    t.both_themes(QStringLiteral("passes_text"));
    QString text = panel.field()->toPlainText();
    panel.field()->setPlainText(QString(text).replace(QStringLiteral("= tanh("), QStringLiteral("= tahn(")));
    CHECK(panel.dirty());
    QTest::keyClick(panel.field(), Qt::Key_Return, Qt::ControlModifier);
    t.settle();
    REQUIRE(t.passes().front().name == "HandEdit");
    CHECK(t.screen().edit->error_line > 0);
    CHECK(t.button("HandEdit")->step().state == views::StageState::Failed);
    CHECK(t.screen().graph->title.starts_with("before HandEdit"));
    t.trigger(ActionId::ShowScript);
    t.trigger(ActionId::EditText);
    t.both_themes(QStringLiteral("passes_text_error"));
    panel.field()->setPlainText(QString(text).replace(QStringLiteral("= tanh("), QStringLiteral("= relu(")));
    panel.apply();
    t.settle();
    CHECK(t.passes().size() == transform::default_pipeline().size() + 1); // the same step, mended
    CHECK(t.button("HandEdit")->step().state == views::StageState::Done);
    CHECK(t.screen().problems->errors == 0);
    CHECK(t.node("relu") >= 0);
    t.trigger(ActionId::Undo);
    t.trigger(ActionId::Undo);
    CHECK(t.passes() == transform::default_pipeline());
}

TEST_CASE("steps are checked in the background and the first wrong one is found", "[gui][passes]") {
    const transform::testing::PlantedPasses planted({{"Doubles", "plants wrong numbers", 0, 0, 0, {}, doubles}});
    Explorer t("lenet", 1280, 720);
    t.trigger(ActionId::CheckSteps);
    REQUIRE(t.workbench.snapshot()->step_checks);
    CHECK(t.workbench.snapshot()->step_checks->first_wrong == -1);
    CHECK(t.button("FuseOps")->step().check_tone == views::Tone::Good);
    t.workbench.submit(views::InsertPass{2, "Doubles"});
    t.settle();
    t.trigger(ActionId::CheckSteps);
    CHECK(t.button("Doubles")->step().check_tone == views::Tone::Bad);
    t.trigger(ActionId::Bisect);
    REQUIRE(t.workbench.snapshot()->bisection);
    CHECK(t.workbench.snapshot()->bisection->pass == "Doubles");
    CHECK(t.button("Doubles")->step().culprit);
    t.click_on(t.button("FuseOps"));
    t.both_themes(QStringLiteral("passes_bisect"));
}

TEST_CASE("the selected node stays where it is while stepping", "[gui][passes]") {
    for (const char* network : {"lenet", "squeezenet"}) {
        Explorer t(network);
        t.trigger(ActionId::LayoutExplore);
        t.trigger(ActionId::OpenGroups);
        qt::GraphView& view = *t.window.workspace()->graph();
        const int node = t.node("conv2d");
        REQUIRE(node >= 0);
        view.select_node(node);
        t.settle();
        const QPointF place = view.node_on_screen(view.active_node()).center();
        const int last = static_cast<int>(t.workbench.snapshot()->steps.size()) - 1;
        for (int k = 0; k < 2 * last; ++k) {
            t.strip().step(k < last ? -1 : 1, false);
            t.settle();
            INFO(network << ", step " << t.strip().selected()->step().name);
            REQUIRE(view.active_node() >= 0);
            const QPointF now = view.node_on_screen(view.active_node()).center();
            CHECK(std::abs(now.x() - place.x()) < 1);
            CHECK(std::abs(now.y() - place.y()) < 1);
            if (k == last - 1) picture(t.window, QStringLiteral("passes_stable_%1_import").arg(network));
        }
        picture(t.window, QStringLiteral("passes_stable_%1").arg(network));
    }
}

TEST_CASE("a view that nobody moves comes back to the same picture after stepping there and back", "[gui][passes]") {
    for (const char* network : {"lenet", "squeezenet"}) {
        Explorer t(network);
        t.trigger(ActionId::LayoutExplore);
        t.trigger(ActionId::OpenGroups);
        const int last = static_cast<int>(t.workbench.snapshot()->steps.size()) - 1;
        const auto places = [&] {
            std::vector<QRectF> of;
            for (std::size_t i = 0; i < t.graph().data().nodes.size(); ++i)
                of.push_back(t.graph().node_on_screen(static_cast<int>(i)));
            return of;
        };
        t.strip().step(-1, false);
        t.settle();
        t.strip().step(1, false);
        t.settle();
        const std::vector<QRectF> at_last = places();
        std::vector<QRectF> at_import;
        for (int round = 0; round < 3; ++round) {
            for (int k = 0; k < last; ++k) {
                t.strip().step(-1, false);
                t.settle();
            }
            if (round == 0) {
                at_import = places();
                picture(t.window, QStringLiteral("passes_unmoved_%1_import").arg(network));
            }
            CHECK(places() == at_import);
            for (int k = 0; k < last; ++k) {
                t.strip().step(1, false);
                t.settle();
            }
            INFO(network << ", round " << round);
            CHECK(places() == at_last);
        }
    }
}

TEST_CASE("groups of every kind are opened, closed, and toggled one by one", "[gui][passes][groups]") {
    Explorer t("resnet18");
    t.trigger(ActionId::LayoutExplore);
    for (const auto& [id, name] : {std::pair(ActionId::GroupModules, "modules"),
                                   {ActionId::GroupOnlyRepeats, "repeats"},
                                   {ActionId::GroupKernels, "kernels"},
                                   {ActionId::GroupBlocks, "blocks"}}) {
        INFO(name);
        t.trigger(id);
        t.trigger(ActionId::CloseGroups);
        CHECK(t.screen().graph->frames.empty());
        const auto closed =
            std::ranges::count_if(t.screen().graph->nodes, [](const views::GraphNode& n) { return n.members > 0; });
        REQUIRE(closed > 2);
        picture(t.window, QStringLiteral("groups_%1_closed").arg(QLatin1String(name)));
        // By key: the selected group opens, and closes from inside.
        int group = 0;
        while (t.screen().graph->nodes[static_cast<std::size_t>(group)].members == 0) ++group;
        t.graph().select_node(group);
        t.graph().setFocus();
        QTest::keyClick(&t.graph(), Qt::Key_Return);
        t.settle();
        REQUIRE(t.screen().graph->frames.size() == 1);
        const views::GraphFrame frame = t.screen().graph->frames.front();
        CHECK(frame.members > 1);
        // By mouse, on the frame's title.
        t.graph().fit_all();
        const layout::Rect box = t.screen().graph->frames.front().box;
        const QRectF node = t.graph().node_on_screen(0);
        const layout::Rect of = t.screen().graph->nodes.front().box;
        const double scale = node.width() / of.width;
        QTest::mouseDClick(
            &t.graph(), Qt::LeftButton, {},
            (node.topLeft() + QPointF(box.x + box.width / 2 - of.x, box.y + 8 - of.y) * scale).toPoint());
        t.settle();
        CHECK(t.screen().graph->frames.empty());
        t.trigger(ActionId::OpenGroups);
        CHECK(std::ssize(t.screen().graph->frames) == closed);
        picture(t.window, QStringLiteral("groups_%1_open").arg(QLatin1String(name)));
    }
}

TEST_CASE("overlays, their legend and their table share the selection", "[gui][passes]") {
    Explorer t("lenet");
    t.trigger(ActionId::Run);
    t.trigger(ActionId::Check);
    for (const auto& [id, name] : {std::pair(ActionId::OverlayLatency, "latency"),
                                   {ActionId::OverlayFlops, "flops"},
                                   {ActionId::OverlayBytes, "bytes"},
                                   {ActionId::OverlayIntensity, "intensity"},
                                   {ActionId::OverlayError, "error"}}) {
        REQUIRE(t.window.actions()[id]->isEnabled());
        t.trigger(id);
        CHECK(t.screen().heat);
        CHECK_FALSE(t.window.workspace()->graph()->legend_rect().isEmpty());
        t.trigger(ActionId::ShowOperators);
        picture(t.window, QStringLiteral("passes_overlay_%1").arg(QLatin1String(name)));
    }
    qt::TablePanel& table = *t.window.workspace()->operators();
    REQUIRE(table.model_data()->rowCount() > 5);
    table.sortByColumn(3, Qt::DescendingOrder);
    click(table.viewport(), table.visualRect(table.model()->index(0, 0)).center());
    t.settle();
    CHECK_FALSE(t.window.workspace()->graph()->linked().empty());
    t.both_themes(QStringLiteral("passes_operators"));
    // Groups: by kernels, open and closed.
    t.trigger(ActionId::GroupKernels);
    t.trigger(ActionId::OpenGroups);
    CHECK_FALSE(t.screen().graph->frames.empty());
    picture(t.window, QStringLiteral("passes_kernels_open"));
    t.trigger(ActionId::CloseGroups);
    picture(t.window, QStringLiteral("passes_kernels_closed"));
    // Files.
    QTemporaryDir folder;
    for (const char* file : {"g.svg", "g.dot", "g.csv"}) {
        const QString path = folder.filePath(QLatin1String(file));
        t.workbench.submit(views::ExportView{path.toStdString()});
        t.settle();
        CHECK(QFileInfo(path).size() > 500);
    }
}

TEST_CASE("what the strip has no room for is an arrow away", "[gui][passes]") {
    using Side = qt::StripEdge::Side;
    Explorer t("lenet");
    const QScrollBar* bar = t.strip().area()->horizontalScrollBar();
    const auto turn = [&](Side side) {
        QTest::mouseClick(t.strip().edge(side), Qt::LeftButton);
        t.settle();
    };
    t.submit(views::SelectStage{0});
    t.trigger(ActionId::ExpandStages);
    t.window.resize(900, 720);
    t.settle();
    REQUIRE(bar->maximum() > 0);
    int turns = 0;
    for (; t.strip().edge(Side::Right)->isVisible() && turns < 50; ++turns) {
        const int before = bar->value();
        turn(Side::Right);
        CHECK(bar->value() > before);
    }
    CHECK(turns > 0);
    CHECK(bar->value() == bar->maximum());
    // The last step is seen whole, up to the edge of what is scrolled.
    const qt::StageButton* last = t.strip().buttons().back();
    const QRect box(last->mapTo(t.strip().area()->viewport(), QPoint(0, 0)), last->size());
    CHECK(t.strip().area()->viewport()->rect().contains(box));
    picture(t.window, QStringLiteral("strip_end"));
    for (turns = 0; t.strip().edge(Side::Left)->isVisible() && turns < 50; ++turns) turn(Side::Left);
    CHECK(bar->value() == 0);
    picture(t.window, QStringLiteral("strip_begin"));
}

// Measurements for the closing note: ./test_gui "[.stepping]".
TEST_CASE("stepping a recipe of a hundred steps back and forth", "[.stepping]") {
    for (const char* network : {"lenet", "resnet50", "transformer"}) {
        Explorer t(network);
        t.workbench.submit(views::SetLevel{3});
        session::Recipe recipe = t.workbench.snapshot()->recipe;
        const std::vector<transform::PassStep> usual = transform::default_pipeline();
        recipe.passes.clear();
        for (std::size_t i = 0; recipe.passes.size() + 1 < 100; ++i)
            if (const auto& step = usual[i % usual.size()]; step.name != "FuseOps") recipe.passes.push_back(step);
        recipe.passes.push_back(usual.back());
        t.workbench.open_recipe(recipe);
        t.settle();
        t.trigger(ActionId::LayoutExplore);
        t.trigger(ActionId::OpenGroups);
        const auto pass = [&](int direction) {
            std::vector<double> ms;
            for (int k = 0; k < 99; ++k) {
                const auto before = t.workbench.screen();
                QElapsedTimer timer;
                timer.start();
                t.strip().step(direction, false);
                REQUIRE(spin_until([&] {
                    return t.workbench.screen()->stages != before->stages && t.workbench.idle() &&
                           t.window.up_to_date();
                }));
                QApplication::sendPostedEvents();
                QApplication::processEvents(); // what is to be painted is painted
                ms.push_back(static_cast<double>(timer.nsecsElapsed()) / 1e6);
            }
            std::ranges::sort(ms);
            return ms;
        };
        const auto cold = pass(-1);
        const auto forth = pass(1), back = pass(-1);
        const auto line = [](const std::vector<double>& ms) {
            return "p50 " + std::to_string(ms[ms.size() / 2]) + " ms, p95 " + std::to_string(ms[ms.size() * 95 / 100]) +
                   " ms, worst " + std::to_string(ms.back()) + " ms";
        };
        WARN(network << " (" << t.screen().graph->nodes.size() << " boxes): first time back " << line(cold)
                     << "; forth from the cache " << line(forth) << "; back from the cache " << line(back));
    }
}
