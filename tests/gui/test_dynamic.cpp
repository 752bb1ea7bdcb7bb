#include "core/base/file.hpp"
#include "core/target/region.hpp"
#include "tests/gui/dynamic_models.hpp"
#include "tests/gui/live_window.hpp"

#include <catch2/catch.hpp>

#include <QLineEdit>
#include <QTemporaryDir>

// Models whose shapes are known when they run, and models that another backend takes parts of, in the window.

using namespace orrery;
using namespace orrery::gui_test;
using app::ActionId;

namespace {

struct Written : LiveWindow {
    QTemporaryDir directory;
    explicit Written(const std::string& bytes, int width = 1680, int height = 1050) : LiveWindow(width, height) {
        const QString path = directory.filePath(QStringLiteral("dynamic.onnx"));
        REQUIRE(write_file(path.toStdString(), bytes));
        open_file(path);
    }
    /// Every pane that has nothing to show says why.
    void check_sentences() const {
        CHECK(screen().tensor->empty_reason.find("ernels are made") != std::string::npos);
        CHECK(screen().llvm->empty_reason.find("ernels are made") != std::string::npos);
        CHECK(screen().assembly->empty_reason.find("ernels are made") != std::string::npos);
        CHECK(screen().loops->empty_reason.find("ernels are made") != std::string::npos);
        CHECK(screen().memory->empty_reason.find("known when it runs") != std::string::npos);
    }
};

} // namespace

TEST_CASE("a model over any batch: what is open is said, shapes are bound in the import's card", "[gui][dynamic]") {
    Written t(any_batch());
    REQUIRE(t.screen().has_model);
    t.check_sentences();
    CHECK(t.screen().problems->errors == 0);
    CHECK(t.screen().problems->table.rows.size() == 1); // a note: which extents are open, and how to bind them
    const int product = t.node("matmul");
    REQUIRE(product >= 0);
    CHECK(t.screen().graph->nodes[static_cast<std::size_t>(product)].subtitle.find("batch") != std::string::npos);
    t.graph().select_node(product);
    t.settle();
    CHECK_FALSE(t.screen().inspector->sections.empty());
    t.both_themes(QStringLiteral("dynamic_batch"));
    for (const ActionId id : {ActionId::LayoutExplore, ActionId::LayoutPasses, ActionId::LayoutRun}) t.trigger(id);
    picture(t.window, QStringLiteral("dynamic_batch_run"));

    // Without shapes there are no inputs to draw: the run says what to bind.
    t.trigger(ActionId::Run);
    CHECK(t.screen().problems->errors == 1);
    picture(t.window, QStringLiteral("dynamic_batch_unbound"));
    t.trigger(ActionId::LayoutSchedule);
    t.submit(views::SelectStage{0});
    t.trigger(ActionId::PassOptions);
    qt::PassCard& card = *t.window.pass_card();
    REQUIRE(card.isVisible());
    REQUIRE(card.editors().size() == 1);
    t.both_themes(QStringLiteral("dynamic_card"));
    auto* field = qobject_cast<QLineEdit*>(card.editors().front());
    REQUIRE(field != nullptr);
    CHECK(field->text() == QStringLiteral("batch,seq,12"));
    field->selectAll();
    QTest::keyClicks(field, QStringLiteral("2,many,12"));
    QTest::keyClick(field, Qt::Key_Return);
    t.settle();
    CHECK(t.workbench.snapshot()->recipe.shapes.empty());
    CHECK(t.screen().problems->errors == 2);
    field = qobject_cast<QLineEdit*>(card.editors().front());
    field->setFocus();
    field->selectAll();
    QTest::keyClicks(field, QStringLiteral("2,9,12"));
    QTest::keyClick(field, Qt::Key_Return);
    t.settle();
    CHECK(t.workbench.snapshot()->recipe.shapes.at("x") == Shape{2, 9, 12});
    QTest::keyClick(&card, Qt::Key_Escape);
    CHECK_FALSE(card.isVisible());
    CHECK(t.screen().tensor->line_count() > 5); // now there are kernels
    t.trigger(ActionId::Run);
    REQUIRE(t.screen().run->outputs.rows.size() == 1);
    CHECK(t.screen().run->agreement_tone == views::Tone::Good);
    picture(t.window, QStringLiteral("dynamic_bound"));
    t.trigger(ActionId::Undo);
    t.check_sentences();
}

TEST_CASE("branches and loops: their boxes, their texts, a run of what has known inputs", "[gui][dynamic]") {
    Written t(branch_and_loop(), 1280, 720);
    REQUIRE(t.screen().has_model);
    t.check_sentences();
    REQUIRE(t.node("if") >= 0);
    REQUIRE(t.node("loop") >= 0);
    t.graph().select_node(t.node("if"));
    t.settle();
    CHECK(t.screen().inspector->title == "if");
    picture(t.window, QStringLiteral("dynamic_branch"));
    t.trigger(ActionId::Run);
    CHECK(t.screen().problems->errors == 0);
    CHECK(t.screen().run->outputs.rows.size() == 2);
    t.trigger(ActionId::Check);
    CHECK(t.screen().run->agreement_tone == views::Tone::Good);
    t.both_themes(QStringLiteral("dynamic_branch_run"));
    // Steps are compared, edited and followed as those of any other model.
    t.trigger(ActionId::LayoutPasses);
    t.submit(views::SelectStage{static_cast<int>(t.workbench.snapshot()->steps.size()) - 1});
    CHECK(t.screen().diff->left->line_count() > 3);
    t.trigger(ActionId::CheckSteps);
    picture(t.window, QStringLiteral("dynamic_branch_passes"));
    // No file can hold what is compiled while it runs.
    const QString object = t.directory.filePath(QStringLiteral("model.o"));
    t.submit(views::ExportCode{object.toStdString()});
    CHECK(t.screen().problems->errors == 1);
    CHECK_FALSE(QFile::exists(object));
}

TEST_CASE("parts that another backend takes stand in frames of their own", "[gui][dynamic][partition]") {
    LiveWindow t;
    if (!find_region_backend("dnnl")) {
        WARN("this build has no oneDNN: nothing to partition for");
        return;
    }
    session::Recipe recipe = shared_compiler()->new_recipe({});
    recipe.builtin = "lenet";
    recipe.passes = transform::partitioned(std::move(recipe.passes), "dnnl");
    t.workbench.open_recipe(recipe);
    t.settle();
    const auto frames = [&] {
        std::vector<views::GraphFrame> of;
        for (const views::GraphFrame& frame : t.screen().graph->frames)
            if (frame.backend == "dnnl") of.push_back(frame);
        return of;
    };
    t.trigger(ActionId::OpenGroups);
    REQUIRE_FALSE(frames().empty());
    CHECK(frames().front().title.starts_with("dnnl · "));
    t.both_themes(QStringLiteral("partition_open"));
    // A region is closed and opened by its frame's title, whatever the groups are of.
    for (const ActionId groups : {ActionId::GroupBlocks, ActionId::GroupModules, ActionId::GroupOnlyRepeats,
                                  ActionId::GroupKernels, ActionId::GroupBackends}) {
        t.trigger(groups);
        t.trigger(ActionId::OpenGroups);
        const auto before = frames();
        REQUIRE_FALSE(before.empty());
        t.submit(views::ToggleGroup{before.front().name});
        CHECK(frames().size() == before.size() - 1);
        const auto& nodes = t.screen().graph->nodes;
        const auto folded = std::ranges::find(nodes, before.front().name, &views::GraphNode::name);
        REQUIRE(folded != nodes.end());
        CHECK(folded->backend == "dnnl");
        CHECK(folded->members == before.front().members);
        if (groups == ActionId::GroupBackends) t.both_themes(QStringLiteral("partition_one_closed"));
    }
    t.trigger(ActionId::CloseGroups);
    picture(t.window, QStringLiteral("partition_closed"));
    t.trigger(ActionId::Run);
    CHECK(t.screen().run->agreement_tone == views::Tone::Good);
    t.trigger(ActionId::OpenGroups);
    CHECK(std::ranges::any_of(frames(), [](const views::GraphFrame& f) { return !f.value.empty(); }));
    picture(t.window, QStringLiteral("partition_run"));

    // Step by step: operators move into parts, parts come together; none is lost.
    t.trigger(ActionId::LayoutPasses);
    for (const char* name : {"AnnotateTarget", "MergeRegions", "PartitionGraph"}) {
        if (t.stage(name) < 0) continue; // it had nothing to do
        t.submit(views::SelectStage{t.stage(name)});
        INFO(name);
        CHECK(t.screen().diff->operators.added + t.screen().diff->operators.removed == 0);
        for (const views::GraphNode& node : t.screen().graph->nodes) CHECK(node.change != views::NodeMark::Removed);
        picture(t.window, QStringLiteral("partition_%1").arg(QLatin1String(name)));
    }
    // A region is run by a library in this process: no file can hold it, and the window says so.
    QTemporaryDir directory;
    const QString object = directory.filePath(QStringLiteral("model.o"));
    t.submit(views::ExportCode{object.toStdString()});
    CHECK(t.screen().problems->errors == 1);
    CHECK_FALSE(QFile::exists(object));
}
