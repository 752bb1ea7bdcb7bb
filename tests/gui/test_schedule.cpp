// The scheduler over a real session: loops are chosen, scheduled, dragged; the trace is edited; all is taken back.

#include "core/schedule/intrinsics.hpp"
#include "tests/gui/live_window.hpp"
#include "views/qt/ink.hpp"
#include "views/qt/theme.hpp"

#include <catch2/catch.hpp>

#include <QElapsedTimer>
#include <QHBoxLayout>
#include <QLineEdit>
#include <QListWidget>
#include <QMenu>
#include <QScreen>
#include <QScrollBar>
#include <QSlider>

#include <algorithm>
#include <cstdio>

using namespace orrery;
using namespace orrery::gui_test;
using app::ActionId;
using What = session::TraceEdit::What;

namespace {

/// LeNet's second convolution, in the Schedule arrangement.
struct Scheduler : LiveWindow {
    explicit Scheduler(int width = 1600, int height = 1000, const char* network = "lenet") : LiveWindow(width, height) {
        open(network);
        trigger(ActionId::LayoutSchedule);
        if (std::string(network) != "lenet") return;
        submit(views::SetLevel{2}); // layouts as the model has them
        submit(views::SelectFunction{"conv2d_bias_add_tanh_1"});
    }
    [[nodiscard]] qt::LoopPanel& loops() const { return *window.workspace()->loops(); }
    [[nodiscard]] qt::LoopTree& tree() const { return *loops().tree(); }
    [[nodiscard]] qt::TraceList& trace() const { return *loops().trace(); }
    [[nodiscard]] std::string steps() const {
        std::string text;
        for (const views::TraceRow& row : screen().loops->trace) text += row.text + "\n";
        return text;
    }
    [[nodiscard]] std::string texts() const {
        return *screen().tensor->text + *screen().llvm->text + *screen().assembly->text;
    }
    [[nodiscard]] const views::LoopRow& row(const std::string& place) const {
        const int at = tree().row_named(place);
        INFO(place);
        REQUIRE(at >= 0);
        return screen().loops->rows[static_cast<std::size_t>(at)];
    }
    void unschedule() { submit(views::EditTrace{{.what = What::Rewrite}}); }
    void choose(const std::string& place) {
        const int at = tree().row_named(place);
        INFO(place);
        REQUIRE(at >= 0);
        tree().setFocus(Qt::OtherFocusReason);
        tree().choose(at);
        settle();
    }
    /// Opens the menu at a place and types into it.
    void open_menu(const std::string& place, const char* typed = "") {
        choose(place);
        QTest::keyClick(&tree(), Qt::Key_Return);
        settle();
        REQUIRE(loops().menu() != nullptr);
        REQUIRE(loops().menu()->isVisible());
        QTest::keyClicks(loops().menu()->field(), QString::fromLatin1(typed));
        settle();
    }
    void key(QWidget* widget, int key, Qt::KeyboardModifiers modifiers = Qt::NoModifier) {
        QTest::keyClick(widget, static_cast<Qt::Key>(key), modifiers);
        settle();
    }
    void schedule(const std::string& place, const char* primitive) {
        open_menu(place, primitive);
        key(loops().menu()->field(), Qt::Key_Return);
        CHECK_FALSE(loops().menu()->isVisible());
    }
    void drag(const std::string& from, const std::string& to) {
        const QPoint a = tree().row_rect(tree().row_named(from)).center();
        const QPoint b = tree().row_rect(tree().row_named(to)).center();
        QTest::mousePress(tree().viewport(), Qt::LeftButton, {}, a);
        move_to(a + QPoint(4, 12));
        move_to(b);
    }
    void move_to(const QPoint& at) {
        QMouseEvent move(QEvent::MouseMove, at, tree().viewport()->mapToGlobal(at), Qt::NoButton, Qt::LeftButton, {});
        QApplication::sendEvent(tree().viewport(), &move);
    }
    void drop(const std::string& at) {
        QTest::mouseRelease(tree().viewport(), Qt::LeftButton, {}, tree().row_rect(tree().row_named(at)).center());
        settle();
    }
    /// Triggers the entry of a step's menu that begins with `text`.
    void pick(int step, const QString& text) {
        QMenu menu;
        trace().fill_menu(menu, step);
        QAction* found = nullptr;
        const auto look = [&](auto&& self, QMenu& in) -> void {
            for (QAction* action : in.actions()) {
                if (action->menu()) self(self, *action->menu());
                if (found == nullptr && action->text().startsWith(text)) found = action;
            }
        };
        look(look, menu);
        INFO(text.toStdString());
        REQUIRE(found != nullptr);
        found->trigger();
        settle();
    }
};

} // namespace

TEST_CASE("split and vectorize by keyboard: everything follows, and is taken back", "[gui][schedule]") {
    Scheduler t;
    REQUIRE(t.screen().loops->is_default);
    t.both_themes(QStringLiteral("schedule_default"));
    t.unschedule();
    const std::string plain = t.texts();
    t.schedule("tanh.w", "split");
    REQUIRE(t.screen().loops->trace.size() == 1);
    CHECK(t.steps().starts_with("split(tanh.w, [-1, "));
    const std::string split = t.texts();
    CHECK(split != plain);
    t.schedule("tanh.w_i", "vec");
    REQUIRE(t.screen().loops->trace.size() == 2);
    CHECK(t.row("tanh.w_i").kind == views::LoopStyle::Vectorized);
    CHECK(t.screen().tensor->text->find("vectorized w_i") != std::string::npos);
    const std::string vectorized = t.texts();
    t.both_themes(QStringLiteral("schedule_vectorized"));
    // The window's undo and redo.
    CHECK(t.screen().undo_title == "vectorize(tanh.w_i)");
    t.trigger(ActionId::Undo);
    CHECK(t.texts() == split);
    t.trigger(ActionId::Undo);
    CHECK(t.texts() == plain);
    t.trigger(ActionId::Redo);
    t.trigger(ActionId::Redo);
    CHECK(t.texts() == vectorized);
    t.trigger(ActionId::ResetSchedule);
    CHECK(t.screen().loops->is_default);
}

TEST_CASE("a menu previews what it would do, and says why the rest is not legal", "[gui][schedule]") {
    Scheduler t;
    t.unschedule();
    const std::string before = *t.screen().tensor->text;
    t.open_menu("conv2d.w");
    qt::PrimitiveMenu& menu = *t.loops().menu();
    REQUIRE(menu.list()->count() > 8);
    QTest::keyClicks(menu.field(), QStringLiteral("split"));
    t.settle();
    // The tensor pane shows the program as it would be, changed lines marked; nothing is applied.
    CHECK(t.screen().preview->text);
    CHECK(t.window.workspace()->tensor()->data().changes.size() > 10);
    CHECK(menu.footer().contains(QStringLiteral("w becomes w_o, w_i")));
    CHECK(*t.screen().tensor->text == before);
    t.both_themes(QStringLiteral("schedule_preview"));
    t.key(menu.field(), Qt::Key_Escape);
    CHECK_FALSE(menu.isVisible());
    CHECK(t.window.workspace()->tensor()->data().changes.empty());
    CHECK(t.steps().empty());
    // What is refused stands below, with the reason.
    t.open_menu("conv2d.ic", "vectorize");
    REQUIRE(menu.list()->count() == 1);
    CHECK(menu.step().isEmpty());
    CHECK(menu.footer().size() > 20);
    picture(t.window, QStringLiteral("schedule_refused"));
    t.key(menu.field(), Qt::Key_Return);
    CHECK(menu.isVisible());
    CHECK(t.steps().empty());
    t.key(menu.field(), Qt::Key_Escape);
    // Operands of one's own: Tab takes the step into the field.
    t.open_menu("conv2d.h", "split");
    t.key(menu.field(), Qt::Key_Tab);
    CHECK(menu.field()->text().startsWith(QStringLiteral("split(conv2d.h, [-1, ")));
    menu.field()->setText(QStringLiteral("split(conv2d.h, [-1, 5])"));
    t.settle();
    CHECK(menu.footer().contains(QStringLiteral("h becomes h_o, h_i")));
    t.key(menu.field(), Qt::Key_Return);
    CHECK(t.steps() == "split(conv2d.h, [-1, 5])\n");
    // A wrong step typed by hand is refused where it was asked for.
    t.open_menu("conv2d.h_o", "vectorize(conv2d.ic)");
    CHECK(menu.footer().size() > 20);
    t.key(menu.field(), Qt::Key_Return);
    CHECK(t.steps() == "split(conv2d.h, [-1, 5])\n");
    CHECK(t.loops().refusal().size() > 20);
    picture(t.window, QStringLiteral("schedule_refusal"));
    t.choose("conv2d.c");
    t.schedule("tanh.c", "parallel");
    CHECK(t.loops().refusal().isEmpty());
}

TEST_CASE("a loop is dragged to another place of its nest, and nowhere else", "[gui][schedule]") {
    Scheduler t;
    t.unschedule();
    t.drag("conv2d.ic", "conv2d.h");
    picture(t.window, QStringLiteral("schedule_drag"));
    t.drop("conv2d.h");
    CHECK(t.steps() == "reorder([conv2d.ic, conv2d.h, conv2d.w])\n");
    CHECK(t.tree().row_named("conv2d.ic") < t.tree().row_named("conv2d.h"));
    t.drag("conv2d.w", "bias_add.c");
    picture(t.window, QStringLiteral("schedule_drag_refused"));
    t.drop("bias_add.c");
    CHECK(t.screen().loops->trace.size() == 1);
    CHECK(t.loops().refusal().contains(QStringLiteral("not of one nest")));
    t.trigger(ActionId::Undo);
    CHECK(t.steps().empty());
}

TEST_CASE("the trace is edited in place: steps change, move and go", "[gui][schedule]") {
    Scheduler t;
    t.submit(views::EditTrace{
        {.what = What::Rewrite, .text = "split(conv2d.h, [-1, 2])\nsplit(conv2d.w, [-1, 2])\nparallel(conv2d.c)\n"}});
    t.trace().setFocus(Qt::OtherFocusReason);
    // Double click, another factor, Enter.
    QTest::mouseDClick(t.trace().viewport(), Qt::LeftButton, {}, t.trace().row_rect(1).center());
    REQUIRE(t.trace().editor()->isVisible());
    t.trace().editor()->setText(QStringLiteral("split(conv2d.h, [-1, 5])"));
    picture(t.window, QStringLiteral("schedule_edit_step"));
    t.key(t.trace().editor(), Qt::Key_Return);
    CHECK(t.screen().loops->trace[0].text == "split(conv2d.h, [-1, 5])");
    // Later, earlier, away.
    t.trace().choose(1);
    t.key(&t.trace(), Qt::Key_Down, Qt::ControlModifier);
    CHECK(t.screen().loops->trace[1].text == "split(conv2d.h, [-1, 5])");
    t.trace().choose(3);
    t.key(&t.trace(), Qt::Key_Delete);
    CHECK(t.steps() == "split(conv2d.w, [-1, 2])\nsplit(conv2d.h, [-1, 5])\n");
    // A step that a later one needs: the program up to there stays, the step says why.
    t.submit(views::EditTrace{{.what = What::Insert, .at = 2, .text = "unroll(conv2d.h_i)"}});
    t.trace().choose(2);
    t.key(&t.trace(), Qt::Key_Delete);
    REQUIRE(t.screen().loops->trace.size() == 2);
    CHECK_FALSE(t.screen().loops->trace[1].error.empty());
    CHECK(t.screen().loops->reached == 1);
    CHECK(t.tree().row_named("conv2d.w_i") >= 0);
    CHECK(t.screen().problems->errors == 1);
    t.both_themes(QStringLiteral("schedule_broken"));
    t.trigger(ActionId::Undo);
    CHECK(t.screen().loops->reached == 3);
    CHECK(t.screen().problems->errors == 0);
    // A step that is not legal where it is typed changes nothing.
    t.trace().edit(1);
    t.trace().editor()->setText(QStringLiteral("vectorize(conv2d.ic)"));
    t.key(t.trace().editor(), Qt::Key_Return);
    CHECK(t.screen().loops->trace[0].text == "split(conv2d.w, [-1, 2])");
    CHECK_FALSE(t.loops().refusal().isEmpty());
}

TEST_CASE("the slider shows earlier programs, and what is applied there goes there", "[gui][schedule]") {
    Scheduler t;
    t.submit(views::EditTrace{{.what = What::Rewrite, .text = "split(conv2d.w, [-1, 2])\nparallel(conv2d.c)\n"}});
    t.loops().slider()->setValue(1);
    t.settle();
    CHECK(t.screen().loops->shown == 1);
    CHECK(t.row("conv2d.c").kind == views::LoopStyle::Serial);
    CHECK(t.screen().tensor->note == "after split(conv2d.w, [-1, 2])");
    t.schedule("conv2d.w_i", "unroll");
    CHECK(t.steps() == "split(conv2d.w, [-1, 2])\nunroll(conv2d.w_i)\nparallel(conv2d.c)\n");
    CHECK(t.screen().loops->shown == 2);
    t.trigger(ActionId::NextStep);
    CHECK(t.screen().loops->shown == 3);
    CHECK(t.row("conv2d.c").kind == views::LoopStyle::Parallel);
    t.trigger(ActionId::PreviousStep);
    CHECK(t.screen().loops->shown == 2);
    t.trace().choose(0);
    t.key(&t.trace(), Qt::Key_Space);
    CHECK(t.screen().loops->shown == 0);
    CHECK(t.screen().tensor->note == "as lowered");
}

TEST_CASE("numbers become knobs, traces become branches", "[gui][schedule]") {
    Scheduler t;
    t.submit(views::EditTrace{{.what = What::Rewrite, .text = "split(conv2d.c, [-1, 4])\n"}});
    t.pick(1, QStringLiteral("Open 4 as knob k0"));
    CHECK(t.steps() == "split(conv2d.c, [-1, knob(k0, [1, 2, 4, 8, 16], 4)])\n");
    CHECK(t.screen().loops->knobs == "1 knob, 5 schedules");
    const std::string four = *t.screen().tensor->text;
    t.pick(1, QStringLiteral("8"));
    CHECK(*t.screen().tensor->text != four);
    picture(t.window, QStringLiteral("schedule_knob"));
    t.pick(1, QStringLiteral("Keep this trace as branch 1"));
    CHECK(t.screen().loops->branches == std::vector<std::string>{"branch 1"});
    t.pick(1, QStringLiteral("Fix knob k0 at 8"));
    CHECK(t.steps() == "split(conv2d.c, [-1, 8])\n");
    t.unschedule();
    // Both stand side by side.
    t.pick(0, QStringLiteral("Compare with it"));
    CHECK(t.screen().other_titles.size() == 1);
    CHECK(t.screen().other_titles[0].ends_with("branch 1"));
    t.pick(0, QStringLiteral("Take this trace"));
    CHECK(t.screen().loops->knobs == "1 knob, 5 schedules");
    t.trigger(ActionId::KeepTrace);
    CHECK(t.screen().loops->branches.size() == 2);
}

TEST_CASE("loops, tensor program, IR and assembly mark each other", "[gui][schedule]") {
    Scheduler t;
    const views::LoopViewData& loops = *t.screen().loops;
    const auto block = std::ranges::find(loops.rows, views::LoopRowKind::Block, &views::LoopRow::row);
    REQUIRE(block != loops.rows.end());
    t.choose("conv2d");
    app::Workspace& panes = *t.window.workspace();
    const views::LoopRow& row = t.row("conv2d");
    CHECK(static_cast<int>(panes.tensor()->linked().size()) == row.last_line - row.first_line + 1);
    CHECK_FALSE(panes.llvm()->linked().empty());
    CHECK_FALSE(panes.assembly()->linked().empty());
    picture(t.window, QStringLiteral("schedule_linked"));
    // A click in the tensor program, in the assembly: the row that holds the line.
    const int line = t.row("tanh").first_line;
    Q_EMIT panes.tensor()->selection_requested(views::select_line(*t.screen().tensor, line + 1));
    t.settle();
    CHECK(t.tree().current() == t.tree().row_named("tanh"));
    const auto& links = t.screen().assembly->links;
    const auto code = std::ranges::find_if(links, [&](const views::LineLink& link) {
        return link.tensor_line > row.first_line && link.tensor_line < row.last_line;
    });
    REQUIRE(code != links.end());
    Q_EMIT panes.assembly()->selection_requested(
        views::select_line(*t.screen().assembly, static_cast<int>(code - links.begin())));
    t.settle();
    CHECK(t.tree().current() == t.tree().row_named("conv2d"));
    // After an edit the lines are others; the loop is still the one that is marked.
    t.submit(views::EditTrace{{.what = What::Insert, .text = "split(conv2d.ic, [-1, 2])"}});
    CHECK(t.tree().current() == t.tree().row_named("conv2d"));
    CHECK(t.window.selection() == views::select_row(*t.screen().loops, t.tree().current()));
}

TEST_CASE("machine code: loops and ports in a table, marked with the rest; both syntaxes", "[gui][schedule]") {
    Scheduler t;
    t.trigger(ActionId::ShowMachine);
    app::Workspace& panes = *t.window.workspace();
    REQUIRE(t.screen().machine->empty_reason.empty());
    REQUIRE(panes.machine()->model()->rowCount() > 0);
    CHECK(panes.ports()->model()->rowCount() > 0);
    panes.machine()->setCurrentIndex(panes.machine()->model()->index(0, 0));
    t.settle();
    CHECK_FALSE(t.window.selection().tensor_lines.empty());
    CHECK_FALSE(panes.assembly()->linked().empty());
    t.both_themes(QStringLiteral("schedule_machine"));
    const std::string intel = *t.screen().assembly->text;
    t.trigger(ActionId::AttSyntax);
    CHECK(t.screen().att_syntax);
    CHECK(*t.screen().assembly->text != intel);
    CHECK(t.screen().assembly->text->find('%') != std::string::npos);
    picture(t.window, QStringLiteral("schedule_att"));
    t.trigger(ActionId::AttSyntax);
    CHECK(*t.screen().assembly->text == intel);
}

TEST_CASE("rows that are not painted anew show what they would show", "[gui][schedule]") {
    Scheduler t;
    app::Workspace& panes = *t.window.workspace();
    const auto on_screen = [&] { return t.window.screen()->grabWindow(t.window.winId()).toImage(); };
    const auto check = [&](const char* what) {
        const QImage kept = on_screen();
        REQUIRE(kept.width() == t.window.width());
        for (QAbstractScrollArea* list : std::initializer_list<QAbstractScrollArea*>{
                 &t.tree(), &t.trace(), panes.tensor(), panes.llvm(), panes.assembly()})
            list->viewport()->update();
        t.settle();
        INFO(what);
        CHECK(kept == on_screen());
    };
    t.choose("conv2d");
    t.submit(views::EditTrace{{.what = What::Insert, .text = "split(conv2d.ic, [-1, 2])"}});
    check("a step more, with lines marked");
    t.choose("tanh");
    check("other lines marked");
    t.submit(views::EditTrace{{.what = What::Insert, .text = "annotate(tanh, note, here)"}});
    check("one line another");
    t.trigger(ActionId::Undo);
    t.trigger(ActionId::Undo);
    check("fewer lines");
    panes.tensor()->toggle_fold(panes.tensor()->data().folds.front().first);
    t.submit(views::EditTrace{{.what = What::Insert, .text = "split(conv2d.kh, [-1, 5])"}});
    check("with a fold");
    panes.tensor()->fold_all(false);
    panes.tensor()->verticalScrollBar()->setValue(5);
    t.submit(views::EditTrace{{.what = What::Remove, .at = 0}});
    check("scrolled, the first step gone");
    t.unschedule();
    check("no steps");
    t.choose("conv2d.ic");
    t.choose("conv2d.kh");
    check("other lines in sight marked");
    t.submit(views::EditTrace{{.what = What::Insert, .text = "vectorize(nothing)"}});
    check("refused");
}

namespace {

/// Calls back before an object gets an event of a kind.
struct Watch : QObject {
    QEvent::Type kind;
    std::function<void()> seen;
    Watch(QObject* object, QEvent::Type k, std::function<void()> call) : kind(k), seen(std::move(call)) {
        object->installEventFilter(this);
    }
    bool eventFilter(QObject*, QEvent* event) override {
        if (event->type() == kind) seen();
        return false;
    }
};

} // namespace

TEST_CASE("after an edit the tensor program is painted first, the lines of the chosen loop marked; the rest follows",
          "[gui][schedule]") {
    Scheduler t;
    t.unschedule();
    t.choose("conv2d.kw");
    app::Workspace& panes = *t.window.workspace();
    const std::vector<int> before = panes.tensor()->linked();
    REQUIRE_FALSE(before.empty());
    std::vector<std::string> order;
    std::vector<std::vector<int>> marked;
    const Watch text(panes.tensor()->viewport(), QEvent::Paint, [&] {
        order.push_back("text");
        marked.push_back(panes.tensor()->linked());
    });
    const Watch tree(t.tree().viewport(), QEvent::Paint, [&] { order.push_back("tree"); });
    const Watch trace(t.trace().viewport(), QEvent::Paint, [&] { order.push_back("trace"); });
    const QMetaObject::Connection told = QObject::connect(&t.window, &app::MainWindow::tensor_painted, [&] {
        CHECK(panes.tensor()->data().text == t.screen().tensor->text);
        CHECK(t.tree().data().trace.size() != t.screen().loops->trace.size());
        order.push_back("told");
    });
    t.submit(views::EditTrace{{.what = What::Insert, .text = "split(conv2d.ic, [-1, 2])"}});
    REQUIRE(order.size() >= 4);
    CHECK(order[0] == "text");
    CHECK(order[1] == "told");
    CHECK(std::ranges::count(order, "told") == 1);
    CHECK(std::ranges::count(order, "tree") > 0);
    CHECK(std::ranges::count(order, "trace") > 0);
    // The loop stands on other lines now: no frame marks the old ones.
    CHECK(panes.tensor()->linked() != before);
    for (const std::vector<int>& lines : marked) CHECK(lines == panes.tensor()->linked());
    QObject::disconnect(told);
}

TEST_CASE("no program of before comes after that of another function is shown", "[gui][schedule]") {
    Scheduler t;
    const std::string other = t.screen().functions.front();
    REQUIRE(other != t.screen().tensor->subject);
    bool seen = false;
    const auto look = [&] {
        if (t.screen().tensor->subject == other) seen = true;
        CHECK((t.screen().tensor->subject == other) == seen);
        CHECK(t.screen().loops->subject == t.screen().tensor->subject);
    };
    QObject receiver;
    QObject::connect(&t.workbench, &app::Workbench::changed, &receiver, look);
    QObject::connect(&t.workbench, &app::Workbench::programs_changed, &receiver, look);
    t.workbench.submit(views::EditTrace{{.what = What::Insert, .text = "annotate(tanh, note, here)"}});
    t.workbench.submit(views::SelectFunction{other});
    t.settle();
    CHECK(seen);
    t.submit(views::Undo{});
    CHECK(t.screen().tensor->subject == other);
}

TEST_CASE("a line that says another number has nothing around it laid out anew", "[gui][schedule]") {
    QWidget around;
    auto* row = new QHBoxLayout(&around);
    auto* line = new qt::QuietLine(&around);
    row->addWidget(line);
    row->addStretch(1);
    line->set_text(QStringLiteral("Trace · 12 steps · default"));
    show(around, 400, 60);
    int layouts = 0;
    const Watch watch(&around, QEvent::LayoutRequest, [&] { ++layouts; });
    const int width = line->width();
    CHECK(width >= qt::shaped_width(qt::Face::Ui, QStringLiteral("Trace · 12 steps · default")));
    line->set_text(QStringLiteral("Trace · 13 steps · default"));
    QApplication::processEvents();
    CHECK(layouts == 0);
    CHECK(line->accessibleName() == QStringLiteral("Trace · 13 steps · default"));
    line->set_text(QStringLiteral("Trace · 13 steps · default · 2 knobs, 12 schedules"));
    QApplication::processEvents();
    CHECK(layouts > 0);
    CHECK(line->width() > width);
}

TEST_CASE("the scheduler fits a small window", "[gui][schedule]") {
    Scheduler t(1280, 720);
    app::Workspace& panes = *t.window.workspace();
    t.both_themes(QStringLiteral("schedule_1280"));
    CHECK(panes.loops()->width() >= 220);
    CHECK(panes.tensor()->width() >= 300);
    CHECK(panes.assembly()->width() >= 300);
    CHECK(panes.graph()->width() >= 120);
    t.open_menu("conv2d");
    picture(t.window, QStringLiteral("schedule_1280_menu"));
    CHECK(t.loops().menu()->geometry().right() < t.window.width());
    CHECK(t.loops().menu()->geometry().bottom() < t.window.height());
}

namespace {

struct Times {
    std::vector<double> ms;
    void print(const char* what) {
        std::ranges::sort(ms);
        const auto at = [&](double share) {
            return ms[std::min(ms.size() - 1, static_cast<std::size_t>(share * static_cast<double>(ms.size())))];
        };
        std::printf("%-34s p50 %6.1f ms  p95 %6.1f ms  worst %6.1f ms  (%zu)\n", what, at(0.5), at(0.95), ms.back(),
                    ms.size());
    }
};

} // namespace

// ./test_gui "[.schedule-measure]": from a key to the new program and its code on screen, on ResNet-50's busiest 3x3.
TEST_CASE("one primitive on a convolution of ResNet-50, undo, redo", "[.schedule-measure]") {
    Scheduler t(1600, 1000, "resnet50");
    std::string function;
    for (const std::string& name : t.screen().functions) {
        const auto found = views::shown_function(*t.workbench.snapshot(), name);
        for (const tensor::Buffer& buffer : found->lowered.program->params)
            if (buffer->rank() >= 4 && buffer->static_shape()[2] == 3 && buffer->static_shape()[3] == 3)
                function = name;
    }
    REQUIRE_FALSE(function.empty());
    t.submit(views::SelectFunction{function});
    const auto shown = [&](std::size_t steps) {
        return t.window.up_to_date() && t.screen().loops->trace.size() == steps && !t.screen().code_pending &&
               t.screen().llvm->line_count() > 0 && t.screen().assembly->line_count() > 0;
    };
    const std::size_t base = t.screen().loops->trace.size();
    std::printf("%s, default trace of %zu steps\n", function.c_str(), base);
    const std::string old_tensor = *t.screen().tensor->text;
    // Every split is one that was not made before: nothing comes from a cache.
    std::vector<std::string> edits;
    for (const views::LoopRow& row : t.screen().loops->rows)
        if (row.row == views::LoopRowKind::Loop)
            for (const int factor : {2, 3, 5, 7, 12})
                edits.push_back("split(" + row.place + ", [-1, " + std::to_string(factor) + "])");
    // A figure is of an edit made at rest: what the last one still draws is over. No check hangs on it.
    constexpr int kPauseMs = 20;
    Times text, tensor_only, whole, undo, redo, rest;
    QElapsedTimer clock;
    double text_ms = -1;
    const auto now = [&] { return static_cast<double>(clock.nsecsElapsed()) / 1e6; };
    QObject::connect(&t.window, &app::MainWindow::tensor_painted, [&] { text_ms = now(); });
    const auto timed = [&](Times& times, const views::Command& command, std::size_t steps) {
        t.settle();
        QTest::qWait(kPauseMs);
        clock.start();
        t.workbench.submit(command);
        REQUIRE(spin_until([&] { return shown(steps); }));
        QApplication::processEvents();
        times.ms.push_back(now());
    };
    for (const std::string& step : edits) {
        QTest::qWait(kPauseMs);
        text_ms = -1;
        clock.start();
        t.workbench.submit(views::EditTrace{{.what = What::Insert, .text = step}});
        const bool tensor = spin_until([&] {
            return (t.window.up_to_date() && t.screen().loops->trace.size() == base + 1) ||
                   !t.screen().loops->refusal.empty();
        });
        REQUIRE(tensor);
        if (!t.screen().loops->refusal.empty()) {
            t.submit(views::ShowMenu{});
            continue;
        }
        QApplication::processEvents();
        tensor_only.ms.push_back(now());
        REQUIRE(text_ms >= 0);
        text.ms.push_back(text_ms);
        REQUIRE(spin_until([&] { return shown(base + 1); }));
        QApplication::processEvents();
        whole.ms.push_back(now());
        timed(undo, views::Undo{}, base);
        REQUIRE(spin_until([&] { return t.window.at_rest(); }));
        QApplication::processEvents();
        rest.ms.push_back(now());
        CHECK(*t.screen().tensor->text == old_tensor);
        timed(redo, views::Redo{}, base + 1);
        t.settle();
        t.submit(views::Undo{});
    }
    REQUIRE(whole.ms.size() > 10);
    text.print("edit to tensor program");
    tensor_only.print("edit to program, tree and trace");
    whole.print("edit to LLVM IR and assembly");
    undo.print("undo: tree, trace, program, code");
    redo.print("redo: tree, trace, program, code");
    rest.print("undo: strip, status and the rest");
}

TEST_CASE("what loops touch: buffers, caches and a picture follow the chosen loop", "[gui][schedule][access]") {
    Scheduler t;
    CHECK(t.screen().access->buffers.rows.empty()); // nothing is computed for a pane nobody sees
    t.trigger(ActionId::ShowAccess);
    app::Workspace& panes = *t.window.workspace();
    qt::AccessPanel& access = *panes.access();
    CHECK(access.isVisible());
    REQUIRE(access.buffers()->model()->rowCount() > 3);
    CHECK(access.data().picture.rows > 0);
    t.both_themes(QStringLiteral("access_default"));
    t.unschedule();
    // A loop chosen in the tree.
    t.choose("conv2d.kh");
    CHECK(access.data().place == "conv2d.kh");
    CHECK(access.data().level_row == access.levels()->currentIndex().row());
    CHECK(access.data().picture.note.find("one iteration of kh") == 0);
    t.both_themes(QStringLiteral("access_window"));
    // One chosen in the table of loops is the tree's, and the program's lines.
    access.levels()->setCurrentIndex(access.levels()->model()->index(0, 0));
    t.settle();
    CHECK(access.data().place != "conv2d.kh");
    CHECK(t.tree().current() == t.tree().row_named(access.data().place));
    CHECK_FALSE(t.window.selection().tensor_lines.empty());
    // Another buffer.
    const std::string buffer = access.data().picture.buffer;
    access.buffers()->setCurrentIndex(access.buffers()->model()->index(1, 0));
    t.settle();
    CHECK(access.data().picture.buffer != buffer);
    CHECK(access.data().picture.buffer == access.data().buffer_names[1]);
    t.both_themes(QStringLiteral("access_weights"));
    // An edit: the place goes where it can.
    t.submit(views::EditTrace{{.what = What::Insert, .text = "split(conv2d.kh, [-1, 5])"}});
    CHECK(access.data().block == "conv2d");
    // Hidden again, it is left as it is.
    const auto last = t.screen().access;
    t.trigger(ActionId::ShowMachine);
    t.choose("conv2d.ic");
    CHECK(t.screen().access->buffers.rows.empty());
    CHECK(last->buffers.rows.size() > 3);
}

TEST_CASE("steps of a schedule are checked by themselves; a wrong instruction is marked with its element",
          "[gui][schedule][check_schedule]") {
    Scheduler t;
    CHECK(t.screen().loops->checked.empty()); // the default is not an edit
    t.submit(views::EditTrace{{.what = What::Insert, .text = "annotate(tanh, note, here)"}});
    REQUIRE(t.screen().loops->trace.size() > 4);
    CHECK(t.screen().loops->checked == "all steps keep the numbers");
    for (const views::TraceRow& row : t.screen().loops->trace) CHECK(row.verdict == views::StepVerdict::Right);
    CHECK(t.screen().problems->errors == 0);
    t.both_themes(QStringLiteral("check_right"));
    REQUIRE(schedule::declare_intrinsic(
                "intrinsic window_fma_2\nfn fma(a: f32[2], b: f32[1]) -> (c: f32[2]) { for i in 2 {\n"
                "block fma(vi = i in 2) { reads c[vi], a[vi], b[0] writes c[vi]\nc[vi] = c[vi] + a[vi] * b[0] } } }\n"
                "c = llvm.fma.v2f32(c as f32x2, b splat f32 as f32x2, a as f32x2)\n")
                .has_value());
    t.submit(views::EditTrace{{.what = What::Rewrite,
                               .text = "reorder([conv2d.ic, conv2d.kh, conv2d.kw, conv2d.w])\n"
                                       "decompose_reduction(conv2d, conv2d.ic)\nsplit(conv2d.w, [-1, 2])\n"
                                       "tensorize(conv2d.w_i, window_fma_2)\nparallel(tanh.c)\n"}});
    const views::LoopViewData& loops = *t.screen().loops;
    REQUIRE(loops.reached == 5);
    CHECK(loops.trace[2].verdict == views::StepVerdict::Right);
    CHECK(loops.trace[3].verdict == views::StepVerdict::Wrong);
    CHECK(loops.trace[3].wrong.find("[0, 0, 0, 0] is ") != std::string::npos);
    CHECK(t.screen().problems->errors == 1);
    CHECK(t.screen().status.check_tone == views::Tone::Bad);
    t.window.workspace()->show_bottom_tab(app::Workspace::ProblemsTab);
    t.both_themes(QStringLiteral("check_wrong"));
    t.trigger(ActionId::Undo);
    CHECK(t.screen().problems->errors == 0);
    CHECK(t.screen().loops->checked == "all steps keep the numbers");
}
