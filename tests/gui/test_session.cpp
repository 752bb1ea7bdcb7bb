#include "core/base/file.hpp"
#include "core/frontends/onnx/networks.hpp"
#include "tests/gui/live_window.hpp"
#include "views/qt/theme.hpp"

#include <catch2/catch.hpp>

#include <QApplication>
#include <QElapsedTimer>
#include <QFile>
#include <QTemporaryDir>

// The window over a real session: built-in networks are opened, compiled, run, changed.

using namespace orrery;
using namespace orrery::gui_test;
using app::ActionId;

TEST_CASE("LeNet is opened, linked from node to instruction, run and undone", "[gui][session]") {
    LiveWindow t;
    t.open("lenet");
    app::Workspace& w = *t.window.workspace();
    REQUIRE(t.screen().has_model);
    CHECK(t.screen().problems->table.rows.empty());
    CHECK(w.tensor()->data().line_count() > 20);
    CHECK(w.llvm()->data().line_count() > 20);
    CHECK(w.assembly()->data().line_count() > 20);
    CHECK(t.screen().memory->boxes.size() > 2);

    // A node of the graph shows its program and its origins everywhere.
    const int conv = t.node("conv2d");
    REQUIRE(conv >= 0);
    w.graph()->select_node(conv);
    t.settle();
    CHECK(w.tensor()->data().subject == t.screen().graph->nodes[static_cast<std::size_t>(conv)].function);
    CHECK_FALSE(w.tensor()->linked().empty());
    CHECK_FALSE(w.assembly()->linked().empty());
    CHECK(t.screen().inspector->title.find("conv2d") != std::string::npos);
    picture(t.window, "session_lenet_node");

    // A line of the tensor program that instructions came from: they are marked, and so is the node.
    const auto& links = w.assembly()->data().links;
    int line = 0;
    for (const views::LineLink& link : links) line = std::max(line, link.tensor_line);
    REQUIRE(line > 0);
    w.tensor()->scroll_to_line(line - 1);
    const auto at = w.tensor()->line_position(line - 1);
    REQUIRE(at);
    click(w.tensor()->viewport(), *at);
    t.settle();
    CHECK(w.tensor()->linked() == std::vector<int>{line - 1});
    REQUIRE_FALSE(w.assembly()->linked().empty());
    for (const int i : w.assembly()->linked()) CHECK(links[static_cast<std::size_t>(i)].tensor_line == line);
    CHECK(std::ranges::find(w.graph()->linked(), conv) != w.graph()->linked().end());
    picture(t.window, "session_lenet_line");

    // Run: outputs, times, agreement.
    t.window.actions()[ActionId::Run]->trigger();
    t.settle();
    REQUIRE(t.screen().run->outputs.rows.size() == 1);
    CHECK(t.screen().run->agreement_tone == views::Tone::Good);
    CHECK(t.screen().heat);
    CHECK(t.screen().graph->has_times);
    picture(t.window, "session_lenet_run");

    // A pass switched off, and back by undo.
    const auto steps = t.workbench.snapshot()->steps;
    int fuse = -1;
    for (std::size_t i = 1; i < steps.size(); ++i)
        if (steps[i]->changed && steps[i]->name != "FuseOps") fuse = static_cast<int>(i);
    REQUIRE(fuse > 0);
    t.workbench.submit(views::EnablePass{fuse, false});
    t.settle();
    CHECK(t.screen().stages->sections[0].steps[static_cast<std::size_t>(fuse)].state == views::StageState::Disabled);
    CHECK_FALSE(t.screen().undo_title.empty());
    t.window.actions()[ActionId::Undo]->trigger();
    t.settle();
    CHECK(t.screen().stages->sections[0].steps[static_cast<std::size_t>(fuse)].state == views::StageState::Done);
    CHECK_FALSE(t.screen().redo_title.empty());
}

TEST_CASE("ResNet-18 shows every level, and each stage on demand", "[gui][session]") {
    LiveWindow t;
    QElapsedTimer timer;
    timer.start();
    t.workbench.submit(views::OpenSample{"resnet18"});
    REQUIRE(wait_for([&] { return !t.screen().graph->nodes.empty() && t.window.up_to_date(); }));
    const double graph_ms = static_cast<double>(timer.nsecsElapsed()) / 1e6;
    t.settle();
    WARN("ResNet-18: graph on screen after " << graph_ms << " ms, everything after " << timer.elapsed() << " ms");
    picture(t.window, "session_resnet18");
    CHECK(t.screen().graph->group_names.size() >= 4);
    t.window.actions()[ActionId::OpenGroups]->trigger();
    t.settle();
    CHECK(t.screen().graph->nodes.size() > 15);
    t.window.actions()[ActionId::LayoutExplore]->trigger();
    t.workbench.submit(views::SelectStage{0});
    t.settle();
    CHECK(t.screen().graph->title == "imported");
    picture(t.window, "session_resnet18_imported");
    t.window.actions()[ActionId::LayoutSchedule]->trigger();
    t.workbench.submit(views::SelectStage{views::kTensorStages});
    t.settle();
    CHECK(t.screen().tensor->note.starts_with("as lowered"));
    t.workbench.submit(views::SelectStage{views::kCodeStages});
    t.settle();
    CHECK(t.screen().llvm->note.starts_with("as generated"));
}

TEST_CASE("most instructions of a kernel are linked to a line", "[gui][session]") {
    LiveWindow t;
    t.open("resnet18");
    const auto& data = t.window.workspace()->assembly()->data();
    int instructions = 0, linked = 0;
    for (int i = 0; i < data.line_count(); ++i) {
        if (!data.line(i).starts_with("\t")) continue;
        ++instructions;
        linked += data.links[static_cast<std::size_t>(i)].tensor_line > 0 ? 1 : 0;
    }
    REQUIRE(instructions > 0);
    WARN("linked instructions: " << linked << " of " << instructions);
    CHECK(linked * 100 >= instructions * 70); // entry stubs and prologues belong to no line
}

TEST_CASE("a file that is no model becomes a problem and leaves the window usable", "[gui][session]") {
    LiveWindow t;
    QTemporaryDir directory;
    const QString path = directory.filePath("broken.onnx");
    QFile file(path);
    REQUIRE(file.open(QIODevice::WriteOnly));
    file.write("this is not a model");
    file.close();
    t.window.open_path(path);
    t.settle();
    CHECK(t.screen().problems->errors == 1);
    picture(t.window, "session_broken");
    t.open("mlp");
    CHECK(t.screen().has_model);
    CHECK(t.screen().problems->errors == 0);
    t.window.actions()[ActionId::CloseModel]->trigger();
    t.settle();
    CHECK(t.window.start_page()->isVisible());
    picture(t.window, "session_start");
}

TEST_CASE("a file given on the command line is among the recent ones, one that is gone is not", "[gui][session]") {
    LiveWindow t;
    QTemporaryDir directory;
    const QString path = directory.filePath("given.onnx");
    QFile file(path);
    REQUIRE(file.open(QIODevice::WriteOnly));
    file.close();
    const std::size_t before = t.window.start_page()->recents().size();
    t.window.remember(path);
    t.window.remember(directory.filePath("gone.onnx"));
    CHECK(t.window.start_page()->recents().size() == before + 1);
}

TEST_CASE("a recipe saved from the window opens as it was; code is exported; a changed file is reloaded",
          "[gui][session]") {
    QTemporaryDir directory;
    const auto path = [&](const char* name) { return directory.filePath(name).toStdString(); };
    const auto write_network = [&](const char* network) {
        const Result<std::string> bytes = onnx::build_network(network, 1);
        REQUIRE(bytes);
        REQUIRE(write_file(path("model.onnx"), *bytes));
    };
    write_network("lenet");
    Hash shown;
    {
        LiveWindow t;
        t.window.open_path(directory.filePath("model.onnx"));
        t.settle();
        t.workbench.submit(views::EnablePass{1, false});
        t.settle();
        t.workbench.submit(views::SaveRecipe{path("session.json")});
        shown = graph::structural_hash(t.workbench.snapshot()->final_module());
        for (const char* name : {"model.s", "model.ll", "model.o"}) {
            t.workbench.submit(views::ExportCode{path(name)});
            t.settle();
            const Result<std::string> written = read_file(path(name));
            REQUIRE(written);
            CHECK(written->find("conv2d") != std::string::npos);
        }
        t.workbench.submit(views::ExportCode{path("missing/model.s")});
        t.settle();
        CHECK(t.screen().problems->errors == 1);
        CHECK(t.screen().has_model);
    }
    LiveWindow t;
    t.window.open_path(directory.filePath("session.json"));
    t.settle();
    CHECK(t.screen().problems->errors == 0);
    CHECK(t.screen().stages->sections[0].steps[1].state == views::StageState::Disabled);
    CHECK(graph::structural_hash(t.workbench.snapshot()->final_module()) == shown);
    picture(t.window, "session_recipe_reopened");

    write_network("mlp");
    t.window.actions()[ActionId::Reload]->trigger();
    t.settle();
    CHECK(t.screen().problems->errors == 0);
    CHECK(t.node("conv2d") < 0);
    CHECK(t.node("matmul") >= 0);
    CHECK(t.screen().stages->sections[0].steps[1].state == views::StageState::Disabled);
    picture(t.window, "session_reloaded");
}

// Measurements for the closing note: ./test_gui "[.measure]".
TEST_CASE("large networks: from a file being opened to its graph on screen, everything, memory", "[.measure]") {
    QTemporaryDir directory;
    for (const char* network : {"resnet50", "densenet121", "transformer"}) {
        const QString path = directory.filePath(QStringLiteral("%1.onnx").arg(QLatin1String(network)));
        {
            const Result<std::string> bytes = onnx::build_network(network, 1);
            REQUIRE(bytes);
            REQUIRE(write_file(path.toStdString(), *bytes));
        }
        LiveWindow t;
        QElapsedTimer timer;
        timer.start();
        t.window.open_path(path);
        REQUIRE(spin_until([&] { return !t.screen().graph->nodes.empty() && t.window.up_to_date(); }));
        QApplication::processEvents(); // painted
        const qint64 first = timer.elapsed();
        t.settle();
        const qint64 all = timer.elapsed();
        timer.restart();
        t.submit(views::OpenAllGroups{true});
        const qint64 open = timer.elapsed();
        picture(t.window, QStringLiteral("measure_%1").arg(network));
        QFile status("/proc/self/status");
        REQUIRE(status.open(QIODevice::ReadOnly));
        const QString text = QString::fromLatin1(status.readAll());
        const auto memory = text.mid(text.indexOf("VmRSS:") + 6, 20).simplified().toStdString();
        WARN(network << " from " << QFileInfo(path).size() / 1'000'000 << " MB: graph after " << first
                     << " ms, everything after " << all << " ms, all groups open in " << open << " ms ("
                     << t.screen().graph->nodes.size() << " boxes, " << t.screen().graph->note << "), resident "
                     << memory);
    }
}
