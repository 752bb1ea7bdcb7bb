#include "app/main_window.hpp"
#include "app/vta_page.hpp"
#include "tests/gui/driver.hpp"
#include "tests/gui/fake_workbench.hpp"
#include "views/qt/theme.hpp"

#include <catch2/catch.hpp>

#include <QApplication>
#include <QElapsedTimer>
#include <QFile>
#include <QLineEdit>
#include <QMouseEvent>
#include <QPushButton>
#include <QSpinBox>
#include <QTemporaryDir>
#include <QToolButton>
#include <QWheelEvent>

#include <algorithm>
#include <cmath>
#include <random>

// The accelerator's page: programs, timeline, stepping, editing, comparing. Needs no model.

using namespace orrery;
using namespace orrery::gui_test;
using app::ActionId;
using app::VtaPage;

namespace {

struct Vta {
    FakeWorkbench workbench;
    app::MainWindow window;
    VtaPage& page;
    explicit Vta(int width = 1680, int height = 1050)
        : window(workbench, {{}, true}), page((show(window, width, height), window.show_vta(true), *window.vta())) {
        settle();
    }
    void settle() {
        int calm = 0;
        REQUIRE(QTest::qWaitFor(
            [&] {
                QApplication::processEvents();
                calm = page.idle() && window.at_rest() ? calm + 1 : 0;
                return calm > 3;
            },
            60'000));
    }
    [[nodiscard]] const views::VtaRun& run() const { return *page.run(); }
    [[nodiscard]] imgui::VtaTimelineLayout layout() {
        return imgui::vta_timeline_layout(page.timeline()->data(), page.timeline()->state(),
                                          page.timeline()->canvas()->input());
    }
    void key(Qt::Key key, Qt::KeyboardModifiers modifiers = Qt::NoModifier) {
        QTest::keyClick(page.timeline()->canvas(), key, modifiers);
        settle();
    }
    void frame() {
        page.timeline()->canvas()->request_frame();
        settle();
    }
    /// The middle of an instruction's bar.
    [[nodiscard]] QPointF bar_of(std::uint32_t instruction) {
        const imgui::VtaTimelineLayout l = layout();
        const vta::InstructionRecord& r = run().cycles.records[instruction];
        const auto lane = views::lane_of(vta::module_of(run().program.instructions[instruction]));
        return {l.x((static_cast<double>(r.issued) + static_cast<double>(r.completed)) / 2),
                l.lane_top[static_cast<std::size_t>(lane)] + l.lane_height * 0.4f};
    }
    void drag(const QPointF& from, const QPointF& to, Qt::MouseButton button = Qt::LeftButton) {
        QWidget* canvas = page.timeline()->canvas();
        QTest::mouseMove(canvas, from.toPoint());
        QTest::mousePress(canvas, button, Qt::NoModifier, from.toPoint());
        settle();
        for (int i = 1; i <= 4; ++i) {
            const QPointF at = from + (to - from) * i / 4;
            QMouseEvent move(QEvent::MouseMove, at, canvas->mapToGlobal(at), Qt::NoButton, button, Qt::NoModifier);
            QApplication::sendEvent(canvas, &move);
            QApplication::processEvents();
        }
        QTest::mouseRelease(canvas, button, Qt::NoModifier, to.toPoint());
        settle();
    }
    /// The longest instruction of a module.
    [[nodiscard]] std::uint32_t longest(vta::Module module) const {
        std::uint32_t best = 0;
        std::uint64_t most = 0;
        for (std::uint32_t i = 0; i < run().size(); ++i) {
            const vta::InstructionRecord& r = run().cycles.records[i];
            if (vta::module_of(run().program.instructions[i]) == module && r.completed - r.issued > most)
                best = i, most = r.completed - r.issued;
        }
        return best;
    }
};

bool has_pixels(const QImage& image, const QColor& colour, int least) { return count_pixels(image, colour) >= least; }

} // namespace

TEST_CASE("the accelerator's page opens without a model and explains a layer", "[gui][vta]") {
    Vta t;
    REQUIRE(t.page.run());
    CHECK(t.page.isVisible());
    CHECK(t.run().request.example == "resnet18_c2");
    CHECK(t.page.bound()->sentence().startsWith("Bound by the GEMM unit"));
    CHECK(t.page.table(VtaPage::Origins)->model_data()->rowCount() == 1);
    const QImage image = picture(t.window, "vta_dark");
    CHECK(has_pixels(image, qt::theme().blue, 5000));
    CHECK(has_pixels(image, qt::theme().teal, 300));
    t.window.actions()[ActionId::DarkTheme]->trigger();
    t.settle();
    const QImage light = picture(t.window, "vta_light");
    CHECK(has_pixels(light, qt::theme().blue, 5000));
    t.window.resize(1280, 720);
    t.settle();
    picture(t.window, "vta_light_1280x720");
    t.window.actions()[ActionId::DarkTheme]->trigger();
    t.settle();
    picture(t.window, "vta_1280x720");
    t.window.actions()[ActionId::LayoutVta]->trigger();
    CHECK_FALSE(t.page.isVisible());
}

TEST_CASE("the timeline zooms to a cycle, selects by click, and its twin follows", "[gui][vta]") {
    Vta t;
    const std::uint32_t gemm = t.longest(vta::Module::Compute);
    click(t.page.timeline()->canvas(), t.bar_of(gemm));
    t.settle();
    const std::uint32_t chosen = t.page.instructions()->selected();
    REQUIRE(chosen != vta::kNoInstruction);
    CHECK(vta::module_of(t.run().program.instructions[chosen]) == vta::Module::Compute);
    CHECK(t.page.table(VtaPage::Fields)->model_data()->rowCount() > 8);
    t.key(Qt::Key_F);
    const double shown = t.page.timeline()->state().cycles_shown;
    CHECK(shown < static_cast<double>(t.run().total()) / 4);
    picture(t.window, "vta_instruction");
    // From the list to the timeline.
    t.page.instructions()->setFocus();
    QTest::keyClick(t.page.instructions(), Qt::Key_Down);
    t.settle();
    CHECK(t.page.timeline()->state().selected == chosen + 1);
    // Down to single cycles, by wheel and key, and all out again.
    t.page.timeline()->canvas()->setFocus();
    for (int i = 0; i < 40; ++i) t.key(Qt::Key_W);
    CHECK(t.page.timeline()->state().cycles_shown == 8);
    picture(t.window, "vta_cycles");
    const double first = t.page.timeline()->state().first_cycle;
    t.key(Qt::Key_D);
    CHECK(t.page.timeline()->state().first_cycle > first);
    t.key(Qt::Key_A);
    for (int i = 0; i < 12; ++i) t.key(Qt::Key_S);
    CHECK(t.page.timeline()->state().cycles_shown > 100);
    picture(t.window, "vta_tokens");
    t.key(Qt::Key_0);
    CHECK(t.page.timeline()->state().cycles_shown == 0);
    QWheelEvent wheel({400, 120}, t.page.timeline()->canvas()->mapToGlobal(QPointF(400, 120)), {}, {0, 240},
                      Qt::NoButton, Qt::NoModifier, Qt::NoScrollPhase, false);
    QApplication::sendEvent(t.page.timeline()->canvas(), &wheel);
    t.settle();
    CHECK(t.page.timeline()->state().cycles_shown < static_cast<double>(t.run().total()));
    // Dragging moves.
    const double before = t.page.timeline()->state().first_cycle;
    t.drag({600, 130}, {500, 130});
    CHECK(t.page.timeline()->state().first_cycle > before);
}

TEST_CASE("a range limits every figure", "[gui][vta]") {
    Vta t;
    const auto whole = t.page.statistics();
    const imgui::VtaTimelineLayout l = t.layout();
    t.drag({l.left + 200, l.axis + 8}, {l.left + 500, l.axis + 8});
    const auto part = t.page.statistics();
    REQUIRE(part != whole);
    CHECK_FALSE(part->whole);
    CHECK(part->summary.cycles < whole->summary.cycles);
    CHECK(std::abs(static_cast<double>(part->begin) - l.cycle(l.left + 200)) <
          0.01 * static_cast<double>(t.run().total()));
    t.page.show_bottom_tab(VtaPage::UtilizationTab);
    t.settle();
    picture(t.window, "vta_range");
    t.key(Qt::Key_F);
    CHECK(t.page.timeline()->state().cycles_shown > 0);
    t.key(Qt::Key_Escape);
    CHECK(t.page.statistics()->whole);
}

TEST_CASE("next and previous stall", "[gui][vta]") {
    Vta t;
    t.page.open("resnet18_c9");
    t.page.set_threads(1);
    t.settle();
    t.key(Qt::Key_N);
    const std::uint32_t first = t.page.instructions()->selected();
    const std::uint64_t first_at = t.page.timeline()->state().stall_at;
    REQUIRE(first != vta::kNoInstruction);
    CHECK(views::vta_wait_before(t.run(), first) > 0);
    t.key(Qt::Key_N);
    t.key(Qt::Key_N);
    const std::uint32_t third = t.page.instructions()->selected();
    const std::uint64_t third_at = t.page.timeline()->state().stall_at;
    CHECK(third_at > first_at);
    CHECK(third >= first);
    picture(t.window, "vta_stall");
    t.key(Qt::Key_N, Qt::ShiftModifier);
    t.key(Qt::Key_N, Qt::ShiftModifier);
    CHECK(t.page.timeline()->state().stall_at == first_at);
    CHECK(t.page.instructions()->selected() == first);
}

TEST_CASE("latency hiding in one click", "[gui][vta]") {
    Vta t;
    t.page.open("resnet18_c9");
    t.settle();
    t.page.compare_threads();
    t.settle();
    REQUIRE(t.page.other_run());
    CHECK(t.run().request.contexts == 1);
    CHECK(t.page.other_run()->request.contexts == 2);
    CHECK(t.page.other_run()->total() * 10 < t.run().total() * 7);
    CHECK(t.page.table(VtaPage::Compare)->model_data()->rowCount() > 8);
    picture(t.window, "vta_compare");
    t.page.timeline()->state().cycles_shown = 20'000;
    t.page.timeline()->state().first_cycle = 30'000;
    t.frame();
    picture(t.window, "vta_compare_zoomed");
    t.window.actions()[ActionId::DarkTheme]->trigger();
    t.settle();
    picture(t.window, "vta_compare_light");
    t.window.actions()[ActionId::DarkTheme]->trigger();
    t.page.swap();
    t.settle();
    CHECK(t.run().request.contexts == 2);
    CHECK(t.page.other_run()->request.contexts == 1);
    t.page.drop_b();
    t.settle();
    CHECK_FALSE(t.page.other_run());
}

TEST_CASE("a knob is turned and everything follows; illegal ones say why and what would do", "[gui][vta]") {
    Vta t;
    t.page.open("matmul");
    t.settle();
    t.page.show_side_tab(VtaPage::MachineTab);
    const std::uint64_t before = t.run().total();
    QSpinBox* latency = t.page.config_panel()->knob("DRAM_LATENCY");
    REQUIRE(latency != nullptr);
    latency->setValue(400);
    t.settle();
    CHECK(t.run().total() > before);
    CHECK(t.run().request.config.name == "custom");
    picture(t.window, "vta_machine");
    const auto legal = t.page.run();
    t.page.config_panel()->knob("LOG_ACC_BUFF_SIZE")->setValue(19);
    t.settle();
    CHECK(t.page.config_panel()->message().contains("LOG_ACC_BUFF_SIZE"));
    CHECK(t.page.run() == legal); // the last legal run stays on screen
    picture(t.window, "vta_illegal");
    REQUIRE(t.page.config_panel()->remedy() != nullptr);
    while (t.page.config_panel()->remedy() != nullptr)
        QTest::mouseClick(t.page.config_panel()->remedy(), Qt::LeftButton);
    t.settle();
    CHECK(t.page.config_panel()->message().isEmpty());
    CHECK(t.page.run() != legal);
    for (const auto& [preset, gops] : {std::pair("gemm-1x32x32", 307.2), {"gemm-4x16x16", 256.0}}) {
        t.page.set_preset(preset);
        t.settle();
        CHECK(std::abs(t.page.statistics()->summary.peak_gops - gops) < 1e-9);
    }
    t.window.actions()[ActionId::Undo]->trigger();
    t.settle();
    CHECK(t.run().request.config.name == "gemm-1x32x32");
    t.window.actions()[ActionId::Redo]->trigger();
    t.settle();
    CHECK(t.run().request.config.name == "gemm-4x16x16");
    // Two configurations beside each other.
    t.page.keep_as_b();
    t.page.set_preset("tsim-de10");
    t.settle();
    CHECK(t.page.other_run()->request.config.name == "gemm-4x16x16");
    t.page.show_side_tab(VtaPage::BoundTab);
    t.page.show_bottom_tab(VtaPage::CompareTab);
    t.settle();
    picture(t.window, "vta_configurations");
}

TEST_CASE("an instruction is edited in place and simulated at once", "[gui][vta]") {
    Vta t;
    t.page.open("matmul");
    t.settle();
    const std::uint64_t before = t.run().total();
    std::uint32_t gemm = 0;
    while (t.run().program.instructions[gemm].opcode != vta::Opcode::Gemm || t.run().program.instructions[gemm].reset)
        ++gemm;
    const auto duration = [&] { return t.run().cycles.records[gemm].completed - t.run().cycles.records[gemm].issued; };
    const std::uint64_t took = duration();
    t.page.select_instruction(gemm);
    qt::VtaInstructionList* list = t.page.instructions();
    list->setFocus();
    QTest::keyClick(list, Qt::Key_Return);
    REQUIRE(list->editor() != nullptr);
    QString text = list->editor()->text();
    list->editor()->setText("gemm uops=nonsense");
    QTest::keyClick(list->editor(), Qt::Key_Return);
    REQUIRE(list->editor() != nullptr); // refused, with the reason shown
    CHECK_FALSE(t.page.hint().isEmpty());
    picture(t.window, "vta_edit");
    vta::Instruction changed = t.run().program.instructions[gemm];
    changed.iter_out = static_cast<std::uint16_t>(changed.iter_out + 3);
    text.replace(QString("iter=%1x").arg(changed.iter_out - 3), QString("iter=%1x").arg(changed.iter_out));
    list->editor()->setText(text);
    QTest::keyClick(list->editor(), Qt::Key_Return);
    t.settle();
    CHECK(list->editor() == nullptr);
    CHECK(t.run().program.instructions[gemm].iter_out == changed.iter_out);
    CHECK(duration() > took);
    t.window.actions()[ActionId::Undo]->trigger();
    t.settle();
    CHECK(t.run().total() == before);
    CHECK(duration() == took);
    // Every word has its documentation below the mouse.
    list->select(gemm);
    CHECK(list->help_at(list->row_position(gemm)).contains("GEMM"));
}

TEST_CASE("stepping forward and back, to breakpoints, with tiles", "[gui][vta]") {
    Vta t;
    t.page.open("matmul");
    t.settle();
    t.page.show_bottom_tab(VtaPage::StepTab);
    app::VtaStepPanel* step = t.page.stepping();
    t.settle();
    CHECK(step->view().position == 0);
    for (int i = 0; i < 5; ++i) QTest::mouseClick(step->button(app::VtaStepPanel::Forward), Qt::LeftButton);
    t.settle();
    CHECK(step->view().position == 5);
    QTest::mouseClick(step->button(app::VtaStepPanel::Back), Qt::LeftButton);
    t.settle();
    CHECK(step->view().position == 4);
    QTest::keyClicks(step->breakpoint_field(), "acc[7]");
    QTest::keyClick(step->breakpoint_field(), Qt::Key_Return);
    QTest::mouseClick(step->button(app::VtaStepPanel::Start), Qt::LeftButton);
    QTest::mouseClick(step->button(app::VtaStepPanel::BreakForward), Qt::LeftButton);
    t.settle();
    CHECK(step->view().stopped.find("acc[7]") != std::string::npos);
    CHECK(t.page.instructions()->selected() == step->view().last);
    const auto place = imgui::vta_tile_place(step->view(), step->canvas()->input(), {vta::Strip::Acc, 7});
    REQUIRE(place.size > 0);
    click(step->canvas(), {place.x + place.size / 2, place.y + place.size / 2});
    t.settle();
    CHECK(step->view().tile == views::VtaTile{vta::Strip::Acc, 7});
    QTest::mouseClick(step->button(app::VtaStepPanel::BreakForward), Qt::LeftButton);
    QTest::mouseClick(step->button(app::VtaStepPanel::BreakForward), Qt::LeftButton);
    t.settle();
    picture(t.window, "vta_step");
    QTest::keyClicks(step->breakpoint_field(), "nonsense");
    QTest::keyClick(step->breakpoint_field(), Qt::Key_Return);
    CHECK_FALSE(t.page.hint().isEmpty());
    t.window.actions()[ActionId::DarkTheme]->trigger();
    t.settle();
    picture(t.window, "vta_step_light");
    t.window.actions()[ActionId::DarkTheme]->trigger();
}

TEST_CASE("the whole network, layers as origins on the roofline", "[gui][vta]") {
    Vta t;
    t.page.open("resnet18");
    t.settle();
    CHECK(t.page.table(VtaPage::Origins)->model_data()->rowCount() >= 19);
    t.page.show_bottom_tab(VtaPage::OriginsTab);
    t.page.timeline()->set_colouring(imgui::VtaColouring::Origin);
    t.settle();
    picture(t.window, "vta_network");
    t.page.show_bottom_tab(VtaPage::MemoryTab);
    t.settle();
    picture(t.window, "vta_memory");
    t.window.actions()[ActionId::DarkTheme]->trigger();
    t.page.show_bottom_tab(VtaPage::OriginsTab);
    t.settle();
    picture(t.window, "vta_network_light");
    t.window.actions()[ActionId::DarkTheme]->trigger();
}

TEST_CASE("a deadlock is shown with its token", "[gui][vta]") {
    Vta t;
    t.page.open("deadlock");
    t.settle();
    CHECK(t.page.bound()->sentence().contains("load->compute"));
    CHECK(t.page.table(VtaPage::Findings)->model_data()->rowCount() >= 1);
    t.page.show_bottom_tab(VtaPage::FindingsTab);
    t.settle();
    picture(t.window, "vta_deadlock");
}

TEST_CASE("programs of files: opened, refused, exported", "[gui][vta]") {
    Vta t;
    QTemporaryDir folder;
    const QString path = folder.filePath("stream.vta");
    REQUIRE(vta::write_program(t.run().program, path.toStdString()).has_value());
    t.window.open_path(path);
    t.settle();
    CHECK(t.run().request.file_title == "stream.vta");
    CHECK_FALSE(t.page.open(folder.filePath("nothing.vta")));
    CHECK_FALSE(t.page.hint().isEmpty());
    t.page.export_trace(folder.filePath("trace.json"));
    CHECK(QFile(folder.filePath("trace.json")).size() > 10'000);
    t.page.compare_threads(); // a file has the threads it was made with
    t.settle();
    CHECK_FALSE(t.page.other_run());
}

/// Loads, kernels and stores in tokens, over and over; of the same length, or of lengths that vary widely.
vta::Program stream(int turns, bool varied) {
    vta::Program program;
    program.config = views::vta_preset("tsim-de10");
    program.dram.resize(1 << 16);
    program.origin_names = {"stream"};
    vta::Instruction load, gemm, store;
    load.opcode = vta::Opcode::Load, load.memory = vta::MemoryId::Inp;
    load.y_size = 1, load.x_size = load.x_stride = 4;
    load.push_next = true;
    gemm.opcode = vta::Opcode::Gemm;
    gemm.uop_end = 4, gemm.iter_out = gemm.iter_in = 2;
    gemm.pop_prev = gemm.push_prev = gemm.push_next = true;
    store = load;
    store.opcode = vta::Opcode::Store, store.memory = vta::MemoryId::Out;
    store.push_next = false, store.pop_prev = true;
    std::minstd_rand random(3);
    for (int i = 0; i < turns; ++i) {
        load.pop_next = i > 1;
        if (varied && i % 4096 == 0) gemm.iter_out = static_cast<std::uint16_t>(1 + random() % 24);
        if (varied && i % 1024 == 0) load.x_size = static_cast<std::uint16_t>(1 + random() % 64);
        program.instructions.insert(program.instructions.end(), {load, gemm, store});
    }
    program.instructions.emplace_back();
    return program;
}

/// Kernels of many steps: short in time to simulate, long to follow in data.
vta::Program long_kernels() {
    vta::Program program = stream(1500, false);
    program.config = views::vta_preset("tsim-de10");
    for (vta::Instruction& in : program.instructions)
        if (in.opcode == vta::Opcode::Gemm) in.iter_out = in.iter_in = 200;
    return program;
}

TEST_CASE("what takes long is said, can be cancelled, and gives way to what is newer", "[gui][vta]") {
    Vta t;
    QTemporaryDir folder;
    const QString path = folder.filePath("long.vta");
    REQUIRE(vta::write_program(long_kernels(), path.toStdString()).has_value());
    // A newer request ends the older one, and only its own results arrive.
    for (const char* program : {"resnet18", "resnet18_c9", "matmul"}) t.page.open(program);
    t.settle();
    CHECK(t.run().request.example == "matmul");
    CHECK(t.page.statistics()->summary.cycles == t.run().total());
    const auto before = t.page.run();
    // Cancelled before it is there: what was shown stays, and so do its choices.
    t.page.open("resnet18");
    t.page.cancel();
    t.settle();
    CHECK(t.page.run() == before);
    CHECK(t.page.request() == before->request);
    // Following its memories takes seconds: the page says so, and cancels.
    t.page.open(path);
    REQUIRE(wait_for([&] { return t.page.busy(); }));
    CHECK(t.run().request.file_title == "long.vta");
    CHECK(t.window.actions()[ActionId::Cancel]->isEnabled());
    picture(t.window, "vta_busy");
    t.window.actions()[ActionId::Cancel]->trigger();
    t.settle();
    CHECK_FALSE(t.page.busy());
    CHECK_FALSE(t.page.timeline()->data().a_details);
    picture(t.window, "vta_cancelled");
    // Looking at a run does not wait for what follows it, nor does the next program.
    t.page.open("matmul");
    t.page.open(path);
    REQUIRE(wait_for([&] { return t.page.busy(); }));
    t.page.select_range(0, 1000);
    REQUIRE(wait_for([&] { return t.page.statistics()->end == 1000; }));
    CHECK_FALSE(t.page.timeline()->data().a_details);
    t.page.open("matmul");
    t.settle();
    CHECK(t.run().request.example == "matmul");
    CHECK(t.page.timeline()->data().a_details);
}

TEST_CASE("a frame of the timeline stays small however long the run", "[gui][vta]") {
    Vta t(1600, 900);
    vta::Program program = stream(100'000, true);
    vta::CycleResult cycles = vta::simulate_cycles(program);
    views::VtaRequest request;
    request.file_title = "stream", request.config = program.config;
    t.page.show_run(views::index_vta_run(request, std::move(program), std::move(cycles)));
    t.page.timeline()->canvas()->repaint();
    // A busy and a waiting rectangle for two pixels of each lane and the overview, and as many for words and lines.
    const int columns = t.page.timeline()->canvas()->width() / 2;
    for (const double shown : {1.0, 0.1, 1e-3}) {
        t.page.timeline()->state().cycles_shown = shown * static_cast<double>(t.run().total());
        t.frame();
        CHECK(t.page.timeline()->canvas()->vertices() < 4 * (columns * 2 * 6 + 1500));
    }
}

TEST_CASE("at 1280 by 720 everything on the page can be reached", "[gui][vta]") {
    Vta t(1280, 720);
    CHECK(t.window.width() == 1280);
    CHECK(t.window.height() == 720);
    CHECK(t.layout().strip_height >= 9);
    t.page.open("resnet18_c9");
    t.page.compare_threads();
    t.settle();
    CHECK(t.layout().strip_height >= 9);
    picture(t.window, "vta_compare_1280x720");
    for (int tab = VtaPage::InstructionsTab; tab <= VtaPage::FindingsTab; ++tab) {
        t.page.show_bottom_tab(tab);
        t.settle();
        CHECK(t.window.height() == 720);
        picture(t.window, QStringLiteral("vta_1280x720_tab%1").arg(tab));
    }
    t.page.show_side_tab(VtaPage::MachineTab);
    t.settle();
    CHECK(t.window.width() == 1280);
    picture(t.window, "vta_1280x720_machine");
}

// Measurement for the documentation: ./test_gui "[.vta-measure]".
TEST_CASE("ten million instructions open and pan", "[.vta-measure]") {
    const bool varied = GENERATE(false, true);
    vta::Program program = stream(3'333'333, varied);
    QElapsedTimer timer;
    timer.start();
    vta::CycleResult cycles = vta::simulate_cycles(program);
    WARN((varied ? "varied: " : "even: ") << program.instructions.size() << " instructions, " << cycles.total_cycles
                                          << " cycles simulated in " << timer.elapsed() << " ms");
    Vta t(1600, 900);
    // The canvas alone at 1600x900: larger than in any window of that size.
    app::VtaTimelinePanel* panel = t.page.timeline();
    timer.restart();
    views::VtaRequest request;
    request.file_title = "stream", request.config = program.config;
    const auto run = views::index_vta_run(request, std::move(program), std::move(cycles));
    t.page.show_run(run);
    panel->canvas()->repaint();
    WARN("open, from the simulated result to the first frame: " << timer.elapsed() << " ms");
    timer.restart();
    const auto details = views::build_vta_details(run);
    WARN("memories and tokens followed in " << timer.elapsed() << " ms, while the timeline is there");
    views::VtaTimelineData data = panel->data();
    data.a_details = details;
    panel->setParent(nullptr);
    show(*panel, 1600, 900);
    panel->set_data(data);
    for (const double shown : {0.9, 0.1, 1e-3, 1e-5}) {
        std::vector<double> times, paints;
        auto& state = panel->state();
        const double total = static_cast<double>(run->total());
        state.cycles_shown = shown * total;
        for (int i = 0; i < 200; ++i) {
            state.first_cycle = (total - state.cycles_shown) * i / 200;
            QElapsedTimer frame;
            frame.start();
            panel->canvas()->request_frame();
            panel->canvas()->repaint();
            times.push_back(static_cast<double>(frame.nsecsElapsed()) / 1e6);
            paints.push_back(panel->canvas()->last_frame_ms());
        }
        std::ranges::sort(times);
        std::ranges::sort(paints);
        WARN("pan at " << shown * 100 << " % shown: median " << times[100] << " ms, p95 " << times[190]
                       << " ms, canvas median " << paints[100] << ", p95 " << paints[190] << " ms, "
                       << panel->canvas()->vertices() << " vertices");
    }
    picture(*panel, varied ? "vta_ten_million_varied" : "vta_ten_million");
    delete panel;
    QFile status("/proc/self/status");
    REQUIRE(status.open(QIODevice::ReadOnly));
    const QString text = QString::fromLatin1(status.readAll());
    WARN("resident " << text.mid(text.indexOf("VmRSS:") + 6, 20).simplified().toStdString());
}
