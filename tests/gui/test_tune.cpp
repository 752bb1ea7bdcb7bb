// Tuning in the window: started, paused, pinned, seeded, stopped; trials chosen, opened, applied, undone.

#include "core/tuning/tuning.hpp"
#include "tests/gui/live_window.hpp"

#include <catch2/catch.hpp>

#include <QCheckBox>
#include <QComboBox>
#include <QElapsedTimer>
#include <QPushButton>
#include <QSpinBox>

#include <cstdio>

using namespace orrery;
using namespace orrery::gui_test;
using app::ActionId;
using app::TunePanel;
using What = views::Tune::What;

namespace {

struct Tuning : LiveWindow {
    explicit Tuning(const char* model, int width = 1680, int height = 1050) : LiveWindow(width, height) {
        open(model);
        submit(views::SetThreads{1}); // the other core is the window's
        trigger(ActionId::LayoutTune);
    }
    [[nodiscard]] TunePanel& pane() const { return *window.workspace()->tune(); }
    [[nodiscard]] const views::TuneViewData& data() const { return *screen().tune; }
    [[nodiscard]] tuning::TuningSnapshotPtr tuning() const { return workbench.snapshot()->tuning; }
    [[nodiscard]] std::size_t tried() const { return tuning() ? tuning()->trials.size() : 0; }
    void press(TunePanel::Button which) { QTest::mouseClick(pane().button(which), Qt::LeftButton); }
    void start(int trials, const char* search = "random") {
        pane().trials()->setValue(trials);
        pane().search()->setCurrentText(QLatin1String(search));
        press(TunePanel::StartButton);
    }
    /// Waits for what is on screen, as long as a few trials take.
    [[nodiscard]] bool wait_shown(const std::function<bool()>& done) const { return QTest::qWaitFor(done, 60'000); }
    [[nodiscard]] QPointF dot(const views::Plot& plot, const imgui::TuneRect& part, const views::PlotDot& dot) const {
        const imgui::TunePlace place = imgui::tune_place(plot, part, dot.x, dot.y);
        return {place.x, place.y};
    }
    [[nodiscard]] imgui::TuneLayout layout() const { return imgui::tune_layout(pane().canvas()->input()); }
    /// The nearest dot to itself that no other lies upon.
    [[nodiscard]] int lonely_dot() const {
        for (const views::PlotDot& a : data().best.dots) {
            bool alone = a.trial > 0;
            for (const views::PlotDot& b : data().best.dots) {
                const QPointF d = dot(data().best, layout().best, a) - dot(data().best, layout().best, b);
                alone = alone && (b.trial == a.trial || d.manhattanLength() > 24);
            }
            if (alone) return static_cast<int>(&a - data().best.dots.data());
        }
        return -1;
    }
};

} // namespace

TEST_CASE("a model is tuned, watched, paused and stopped", "[gui][tune]") {
    Tuning t("mlp");
    CHECK(t.pane().isVisible());
    CHECK(t.pane().button(TunePanel::StartButton)->isEnabled());
    CHECK_FALSE(t.pane().button(TunePanel::ApplyButton)->isEnabled());
    picture(t.window, QStringLiteral("tune_empty"));
    t.pane().only_shown()->setChecked(true);
    t.start(40);
    // The kernel is measured as it is; then what may be decided of it is known.
    REQUIRE(t.wait_shown([&] { return t.data().running && t.tried() >= 3 && !t.data().knob_places.empty(); }));
    CHECK(t.pane().button(TunePanel::PauseButton)->isVisible());
    CHECK_FALSE(t.pane().trials()->isVisible());
    picture(t.window, QStringLiteral("tune_running"));
    t.press(TunePanel::PauseButton);
    REQUIRE(t.wait_shown([&] { return t.pane().button(TunePanel::PauseButton)->text() == QStringLiteral("Resume"); }));
    CHECK(t.data().paused);
    // While it rests a knob is pinned and the user's own schedule is handed over.
    const std::size_t before = t.tried();
    REQUIRE_FALSE(t.data().knob_places.empty());
    // A value that ran: with another there may be nothing to try.
    const tuning::TuningSnapshotPtr rests = t.tuning();
    const auto last = std::ranges::find_if(rests->trials.rbegin(), rests->trials.rend(), [](const auto& trial) {
        return trial->outcome == tuning::Outcome::Ok && !trial->knobs.empty();
    });
    REQUIRE(last != rests->trials.rend());
    const tuning::KnobValue ran = (*last)->knobs.front();
    const auto place = [&] {
        return std::ranges::find_if(t.data().knob_places, [&](const views::TuneViewData::KnobPlace& each) {
            return each.knob == ran.name && each.value == ran.value;
        });
    };
    REQUIRE(place() != t.data().knob_places.end());
    t.pane().show_tab(TunePanel::KnobsTab);
    t.pane().table(TunePanel::KnobsTab)->selectRow(static_cast<int>(place() - t.data().knob_places.begin()));
    t.press(TunePanel::PinButton);
    t.workbench.submit(views::EditTrace{{.what = session::TraceEdit::What::Rewrite}});
    REQUIRE(t.wait_shown([&] { return !t.workbench.snapshot()->recipe.schedules.empty(); }));
    t.press(TunePanel::SeedButton);
    CHECK(t.tried() == before);
    t.press(TunePanel::PauseButton);
    REQUIRE(t.wait_shown([&] { return t.tried() >= before + 2; }));
    const tuning::TrialPtr own = t.tuning()->trials[before];
    CHECK(own->kind == tuning::TrialKind::Seed);
    CHECK(own->trace.empty());
    CHECK(own->outcome == tuning::Outcome::Ok);
    REQUIRE(t.wait_shown([&] { return place() != t.data().knob_places.end() && place()->pinned; }));
    for (std::size_t i = before + 1; i < t.tried(); ++i)
        for (const tuning::KnobValue& knob : t.tuning()->trials[i]->knobs)
            if (knob.name == ran.name) CHECK(knob.value == ran.value);
    picture(t.window, QStringLiteral("tune_knobs"));
    t.press(TunePanel::StopButton);
    t.settle();
    CHECK(t.data().tasks.rows.size() == 1);
    CHECK_FALSE(t.data().running);
    CHECK(t.pane().button(TunePanel::StartButton)->isVisible());
    CHECK(t.screen().problems->errors == 0);
    CHECK(t.tuning()->phase == tuning::TuningPhase::Done);
}

TEST_CASE("trials are chosen, opened beside each other, and applied", "[gui][tune]") {
    Tuning t("gallery:matmul");
    t.start(10);
    t.settle();
    REQUIRE(t.tried() >= 8);
    CHECK_FALSE(t.data().running);
    REQUIRE(t.data().task == 0);
    CHECK(t.data().trials.rows.size() == t.tried());
    t.both_themes(QStringLiteral("tune_done"));
    // A dot is clicked: it is the row, the point of the roofline, and one side of the pair.
    const int lonely = t.lonely_dot();
    REQUIRE(lonely >= 0);
    const views::PlotDot dot = t.data().best.dots[static_cast<std::size_t>(lonely)];
    click(t.pane().canvas(), t.dot(t.data().best, t.layout().best, dot));
    t.settle();
    CHECK(t.data().chosen == dot.trial);
    t.pane().show_tab(TunePanel::TrialsTab);
    const auto row = std::ranges::find(t.data().numbers, dot.trial) - t.data().numbers.begin();
    CHECK(t.pane().table(TunePanel::TrialsTab)->selectionModel()->selectedRows().front().row() == row);
    CHECK(t.pane().roofline()->selected_row() == row);
    picture(t.window, QStringLiteral("tune_trials"));
    // Opened: program, IR and assembly beside the other's, and the figures of both.
    const bool newest = t.data().numbers.front() != dot.trial;
    t.submit(
        views::Tune{.what = What::CompareTrial, .number = newest ? t.data().numbers.front() : t.data().numbers.back()});
    CHECK(t.data().beside != t.data().chosen);
    t.pane().show_tab(TunePanel::PairTab);
    t.settle();
    CHECK_FALSE(t.data().pair.rows.empty());
    CHECK(t.pane().pair()->data().left->line_count() > 0);
    CHECK(t.pane().pair()->data().right->line_count() > 0);
    t.both_themes(QStringLiteral("tune_pair"));
    t.submit(views::Tune{.what = What::ShowPair, .number = TunePanel::AssemblyLevel});
    CHECK(t.pane().pair()->data().left->line_count() > 0);
    picture(t.window, QStringLiteral("tune_assembly"));
    t.pane().show_tab(TunePanel::TasksTab);
    t.settle();
    // What is faster becomes the recipe's, by one edit.
    if (t.data().improvements > 0) {
        t.press(TunePanel::ApplyButton);
        t.settle();
        CHECK_FALSE(t.workbench.snapshot()->recipe.schedules.empty());
        CHECK(t.data().improvements == 0);
        CHECK(t.screen().undo_title.starts_with("apply tuning"));
        picture(t.window, QStringLiteral("tune_applied"));
        t.trigger(ActionId::Undo);
        CHECK(t.workbench.snapshot()->recipe.schedules.empty());
        CHECK(t.data().improvements > 0);
    }
    CHECK(t.screen().problems->errors == 0);
}

TEST_CASE("tuning on a small screen, and another model", "[gui][tune]") {
    Tuning t("mlp", 1280, 720);
    t.start(6);
    REQUIRE(t.wait_shown([&] { return t.tried() >= 2; }));
    picture(t.window, QStringLiteral("tune_small"));
    t.open("lenet");
    CHECK(t.tried() == 0);
    CHECK(t.data().tasks.rows.empty());
    CHECK(t.screen().problems->errors == 0);
}

TEST_CASE("predictions are held against what is measured", "[.nightly][gui][tune]") {
    Tuning t("gallery:matmul");
    t.start(48, "model");
    t.settle();
    CHECK_FALSE(t.data().predicted.empty());
    CHECK(t.data().problem.empty());
    t.pane().show_tab(TunePanel::TrialsTab);
    t.press(TunePanel::TimeButton);
    t.settle();
    CHECK(t.data().best.x_title == "seconds");
    picture(t.window, QStringLiteral("tune_predicted"));
}

TEST_CASE("frames while a tuning uses the other core", "[.timing]") {
    Tuning t("mlp");
    t.start(100000);
    REQUIRE(t.wait_shown([&] { return t.tried() >= 3; }));
    std::vector<double> frames;
    QElapsedTimer whole;
    whole.start();
    const QSize size = t.pane().canvas()->size();
    for (int i = 0; whole.elapsed() < 30'000; ++i) {
        // The mouse moves over the plots, as it would sixty times a second; each move asks for a frame.
        QElapsedTimer frame;
        frame.start();
        const int drawn = t.pane().canvas()->frames();
        QTest::mouseMove(t.pane().canvas(), {20 + i * 7 % (size.width() - 40), 30 + i * 3 % (size.height() - 60)});
        REQUIRE(spin_until([&] { return t.pane().canvas()->frames() > drawn; }));
        frames.push_back(static_cast<double>(frame.nsecsElapsed()) / 1e6);
        QTest::qWait(std::max<int>(1, 16 - static_cast<int>(frame.elapsed())));
    }
    const std::size_t trials = t.tried();
    t.press(TunePanel::StopButton);
    t.settle();
    std::ranges::sort(frames);
    std::printf("%zu frames during %zu trials: median %.1f ms, p99 %.1f ms, longest %.1f ms\n", frames.size(), trials,
                frames[frames.size() / 2], frames[frames.size() * 99 / 100], frames.back());
}
