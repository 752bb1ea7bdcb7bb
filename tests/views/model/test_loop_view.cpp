// The scheduler's view data of a small model: tree, trace, menu, preview.

#include "backends/llvm/llvm_backend.hpp"
#include "core/session/schedule_edit.hpp"
#include "core/session/session.hpp"
#include "views/model/loop_view.hpp"
#include "views/model/session_views.hpp"

#include <catch2/catch.hpp>

#include <algorithm>

using namespace orrery;
using namespace orrery::views;
using What = session::TraceEdit::What;

namespace {

/// LeNet's second convolution, as lowered at first.
struct Opened {
    std::shared_ptr<session::Compiler> compiler =
        std::make_shared<session::Compiler>(make_llvm_backend(), session::Compiler::Options{});
    session::Session session{compiler};
    ViewOptions options;
    Opened() {
        session.open_builtin("lenet");
        session.edit("-O2", [](session::Recipe& recipe) { recipe.passes = transform::default_pipeline(2); });
        session.wait_idle();
        options.function = "conv2d_bias_add_tanh_1";
        edit({.what = What::Rewrite});
    }
    void edit(const session::TraceEdit& what) {
        const auto function = shown_function(*session.snapshot(), options.function);
        REQUIRE(function);
        session.edit("edit", [&](session::Recipe& recipe) {
            const Result<void> done = session::apply(what, *function, recipe);
            if (!done) FAIL(to_string(done.error()));
        });
        session.wait_idle();
    }
    [[nodiscard]] LoopViewData loops() { return build_loops(*session.snapshot(), options); }
    [[nodiscard]] MenuViewData menu(const std::string& place) {
        options.schedule.menu = place;
        return build_menu(*session.snapshot(), options);
    }
    [[nodiscard]] PreviewViewData preview(const std::string& step) {
        options.schedule.preview = step;
        return build_preview(*session.snapshot(), options);
    }
};

int named(const LoopViewData& data, const std::string& place) {
    for (std::size_t i = 0; i < data.rows.size(); ++i)
        if (data.rows[i].place == place) return static_cast<int>(i);
    FAIL("no row " << place);
    return -1;
}

const LoopRow& row(const LoopViewData& data, const std::string& place) {
    return data.rows[static_cast<std::size_t>(named(data, place))];
}

} // namespace

TEST_CASE("before a model is open the scheduler says what would fill it", "[views][schedule]") {
    const session::Snapshot nothing;
    CHECK_FALSE(build_loops(nothing, {}).empty_reason.empty());
    CHECK(build_loops(nothing, {}).rows.empty());
    CHECK_FALSE(build_menu(nothing, {}).empty_reason.empty());
    CHECK_FALSE(build_preview(nothing, {}).text);
    CHECK(to_text(build_loops(nothing, {})) == build_loops(nothing, {}).empty_reason + "\n");
}

TEST_CASE("the tree: loops, blocks, buffers, kinds, axes, nests, lines", "[views][schedule]") {
    Opened t;
    const LoopViewData data = t.loops();
    CHECK(data.trace.empty());
    CHECK(data.linked);
    CHECK_FALSE(data.is_default);
    CHECK(std::ranges::count(data.rows, LoopRowKind::Buffer, &LoopRow::row) == 2);
    CHECK(std::ranges::count(data.rows, LoopRowKind::Block, &LoopRow::row) == 3);
    const LoopRow &c = row(data, "conv2d.c"), &ic = row(data, "conv2d.ic"), &block = row(data, "conv2d");
    CHECK(c.extent == "16");
    CHECK(c.axis == LoopAxis::Spatial);
    CHECK(ic.axis == LoopAxis::Reduction);
    CHECK(c.nest == ic.nest);
    CHECK(c.nest != row(data, "bias_add.c").nest);
    CHECK(ic.depth == c.depth + 3);
    CHECK(data.rows[static_cast<std::size_t>(block.parent)].place == "conv2d.kw");
    CHECK(block.facts == "reduces vic, vkh, vkw");
    // Lines are those of the tensor program's text, braces included.
    const TextViewData text = build_tensor(*t.session.snapshot(), t.options);
    CHECK(text.line(c.first_line - 1).find("for c in 16 {") != std::string::npos);
    CHECK(text.line(c.last_line - 1).find("}") != std::string::npos);
    CHECK(text.line(block.first_line - 1).find("block conv2d(") != std::string::npos);
    CHECK(c.first_line < ic.first_line);
    CHECK(c.last_line > ic.last_line);
    t.edit({.what = What::Insert, .text = "parallel(tanh.c)"});
    CHECK(row(t.loops(), "tanh.c").kind == LoopStyle::Parallel);
    CHECK(row(t.loops(), "tanh.c").facts == "parallel · spatial");
}

TEST_CASE("rows and selections mean each other", "[views][schedule]") {
    Opened t;
    const LoopViewData data = t.loops();
    for (const char* place : {"conv2d.c", "conv2d.kw", "conv2d", "bias_add.w", "tanh"}) {
        INFO(place);
        const int at = named(data, place);
        CHECK(row_of(data, select_row(data, at)) == at);
    }
    // A line inside a block means the block.
    const TextViewData text = build_tensor(*t.session.snapshot(), t.options);
    const LoopRow& block = row(data, "conv2d");
    CHECK(row_of(data, select_line(text, block.first_line + 1)) == named(data, "conv2d"));
    // A node of the model means its block, whatever function is shown.
    CHECK(row_of(data, {row(data, "tanh").origins, {}, {}}) >= 0);
    CHECK(row_of(data, {}) == -1);
    CHECK(select_row(data, -1).empty());
}

TEST_CASE("a loop dragged onto another of its nest is a reorder", "[views][schedule]") {
    Opened t;
    const LoopViewData data = t.loops();
    std::string why;
    CHECK(reorder_step(data, named(data, "conv2d.w"), named(data, "conv2d.c"), why) ==
          "reorder([conv2d.w, conv2d.c, conv2d.h])");
    CHECK(why.empty());
    CHECK(reorder_step(data, named(data, "conv2d.c"), named(data, "conv2d.w"), why) ==
          "reorder([conv2d.h, conv2d.w, conv2d.c])");
    CHECK(reorder_step(data, named(data, "conv2d.w"), named(data, "bias_add.c"), why).empty());
    CHECK_FALSE(why.empty());
    CHECK(reorder_step(data, named(data, "conv2d.w"), named(data, "conv2d"), why).empty());
    CHECK(reorder_step(data, -1, 1000, why).empty());
    t.edit({.what = What::Insert, .text = "reorder([conv2d.w, conv2d.c, conv2d.h])"});
    CHECK(named(t.loops(), "conv2d.w") < named(t.loops(), "conv2d.c"));
}

TEST_CASE("the menu: legal steps first, each of which applies, then why the rest is not", "[views][schedule]") {
    Opened t;
    const MenuViewData menu = t.menu("conv2d.ic");
    REQUIRE(menu.entries.size() > 5);
    CHECK(std::ranges::is_partitioned(menu.entries, [](const MenuEntry& entry) { return entry.legal(); }));
    CHECK(menu.entries.front().primitive == "split");
    const auto function = shown_function(*t.session.snapshot(), t.options.function);
    for (const MenuEntry& entry : menu.entries) {
        INFO(entry.primitive << " " << entry.step << entry.reason);
        CHECK_FALSE(entry.summary.empty());
        if (entry.legal())
            CHECK(schedule::apply_step(function->program(), schedule::parse_trace(entry.step).value().steps.front())
                      .has_value());
        else
            CHECK(entry.reason.size() > 10);
    }
    const auto vectorize = std::ranges::find(menu.entries, "vectorize", &MenuEntry::primitive);
    REQUIRE(vectorize != menu.entries.end());
    CHECK_FALSE(vectorize->legal());
    CHECK_FALSE(t.menu("conv2d.nothing").empty_reason.empty());
    CHECK(t.menu("conv2d.nothing").entries.empty());
}

TEST_CASE("a preview marks what a step changes and applies nothing", "[views][schedule]") {
    Opened t;
    const std::string before = *build_tensor(*t.session.snapshot(), t.options).text;
    const PreviewViewData data = t.preview("split(conv2d.w, [-1, 2])");
    REQUIRE(data.text);
    CHECK(data.error.empty());
    CHECK(data.sentence.find("w becomes w_o, w_i") != std::string::npos);
    REQUIRE(data.text->changes.size() == static_cast<std::size_t>(data.text->line_count()));
    // Without what goes it is the program afterwards; without what comes, the one before.
    std::string after;
    int changed = 0, equal = 0;
    for (int line = 0; line < data.text->line_count(); ++line) {
        const LineChange change = data.text->changes[static_cast<std::size_t>(line)];
        if (change != LineChange::Removed) after += std::string(data.text->line(line)) + "\n";
        changed += change == LineChange::None ? 0 : 1;
        equal += change == LineChange::None ? 1 : 0;
    }
    CHECK(changed >= 2);
    CHECK(equal > changed);
    CHECK(*build_tensor(*t.session.snapshot(), t.options).text == before);
    t.edit({.what = What::Insert, .text = "split(conv2d.w, [-1, 2])"});
    t.options.schedule.preview.clear();
    CHECK(*build_tensor(*t.session.snapshot(), t.options).text == after);
    CHECK_FALSE(t.preview("vectorize(conv2d.ic)").error.empty());
    CHECK_FALSE(t.preview("split(").error.empty());
    CHECK_FALSE(t.preview("unroll(tanh.w)\nunroll(tanh.h)").error.empty());
}

TEST_CASE("the trace: what is shown, what failed, which numbers are open", "[views][schedule]") {
    Opened t;
    t.edit({.what = What::Rewrite,
            .text = "split(conv2d.w, [-1, 2])\nunroll(conv2d.w_i)\nsplit(conv2d.c, [-1, knob(k0, [2, 4])])\n"});
    LoopViewData data = t.loops();
    REQUIRE(data.trace.size() == 3);
    CHECK(data.shown == 3);
    CHECK(data.knobs == "1 knob, 2 schedules");
    REQUIRE(data.trace[2].numbers.size() == 2);
    CHECK(data.trace[2].numbers[1].knob == "k0");
    CHECK(data.trace[2].numbers[1].candidates == std::vector<std::int64_t>{2, 4});
    t.options.tensor_step = 1;
    data = t.loops();
    CHECK(data.shown == 1);
    CHECK_FALSE(data.linked);
    CHECK(select_row(data, 0).tensor_lines.empty());
    t.options.tensor_step = -1;
    t.edit({.what = What::Remove, .at = 0});
    data = t.loops();
    CHECK(data.reached == 0);
    CHECK_FALSE(data.trace[0].error.empty());
    CHECK_FALSE(data.trace[1].applied);
    CHECK(to_text(data).find("refused: ") != std::string::npos);
    CHECK(to_json(data).find("\"error\"") != std::string::npos);
}

TEST_CASE("a check's verdicts stand at the steps whose programs they are of", "[views][schedule]") {
    Opened t;
    t.edit({.what = What::Rewrite, .text = "split(conv2d.w, [-1, 2])\nunroll(conv2d.w_i)\n"});
    LoopViewData data = t.loops();
    CHECK(data.trace[0].verdict == StepVerdict::Unknown);
    CHECK(data.checked.empty());
    t.session.check_schedule(t.options.function);
    t.session.wait_idle();
    data = t.loops();
    CHECK(data.trace[0].verdict == StepVerdict::Right);
    CHECK(data.trace[1].verdict == StepVerdict::Right);
    CHECK(data.checked == "all steps keep the numbers");
    CHECK(to_text(data).find("unroll(conv2d.w_i)  right") != std::string::npos);
    CHECK(build_status(*t.session.snapshot()).check_tone == Tone::Good);
    // Another last step: what was known of the first still holds.
    t.edit({.what = What::Replace, .at = 1, .text = "unroll(conv2d.kw)"});
    data = t.loops();
    CHECK(data.trace[0].verdict == StepVerdict::Right);
    CHECK(data.trace[1].verdict == StepVerdict::Unknown);
    CHECK(data.checked == "1 of 2 steps checked, all right");
    // A wrong verdict, as a check would bring it.
    auto wrong = std::make_shared<session::Snapshot>(*t.session.snapshot());
    auto check = std::make_shared<session::ScheduleCheck>();
    check->of = shown_function(*wrong, t.options.function);
    check->steps = {session::ScheduleVerdict{}, session::ScheduleVerdict{.right = false}};
    check->steps[1]->wrong = session::WrongElement{"y", {0, 3}, 4, 6};
    check->first_wrong = 1, check->finished = true;
    wrong->schedule_check = check;
    data = build_loops(*wrong, t.options);
    CHECK(data.trace[1].verdict == StepVerdict::Wrong);
    CHECK(data.trace[1].wrong == "y[0, 3] is 4 instead of 6");
    CHECK(to_text(data).find("wrong: y[0, 3] is 4 instead of 6") != std::string::npos);
    CHECK(build_status(*wrong).check_tone == Tone::Bad);
    CHECK(build_status(*wrong).check.find("step 2") != std::string::npos);
}
