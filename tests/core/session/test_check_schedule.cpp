// Steps of a schedule run against the program as lowered: right ones pass, wrong instructions are named with the first
// element they spoil, and nothing is run twice.

#include "core/session/check_schedule.hpp"

#include "backends/llvm/llvm_backend.hpp"
#include "core/schedule/intrinsics.hpp"
#include "core/schedule/rules.hpp"
#include "core/session/compiler.hpp"
#include "core/session/schedule_edit.hpp"
#include "core/session/session.hpp"
#include "core/tensor/text.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <thread>

using namespace orrery;
using namespace orrery::session;
using What = TraceEdit::What;

namespace {

const Backend& llvm() {
    static const auto backend = make_llvm_backend();
    return *backend;
}

/// Running maxima of four rows.
const char* const kPeaks = "fn peaks(x: i32[4,16]) -> (y: i32[16]) {\n"
                           "for s in 16 { block start(vs = s in 16) { writes y[vs] y[vs] = i32(-100) } }\n"
                           "for k in 4 { for i in 16 { block top(reduce vk = k in 4, vi = i in 16) {\n"
                           "reads y[vi], x[vk, vi] writes y[vi] y[vi] = max(y[vi], x[vk, vi]) } } } }\n";

/// Said to be the maximum of 8 numbers, emitted as `instruction`.
std::string declaration(const std::string& name, const std::string& instruction) {
    return "intrinsic " + name +
           "\nfn top(a: i32[8]) -> (c: i32[8]) { for i in 8 { block top(vi = i in 8) {\n"
           "reads c[vi], a[vi] writes c[vi]\nc[vi] = max(c[vi], a[vi]) } } }\nc = llvm." +
           instruction + "(c as i32x8, a as i32x8)\n";
}

FunctionPtr scheduled(const std::string& text, const std::string& trace) {
    auto function = std::make_shared<ScheduledFunction>();
    function->lowered.program = tensor::parse_program(text).value();
    function->lowered.name = function->lowered.program->name;
    function->trace = schedule::parse_trace(trace).value();
    Result<schedule::Replay> replayed = schedule::replay(function->lowered.program, function->trace);
    if (!replayed) FAIL(to_string(replayed.error()));
    function->replay = *std::move(replayed);
    return function;
}

struct Checked {
    ScheduleChecker checker;
    int compiled = 0;
    ScheduleCheck operator()(const FunctionPtr& function, const ScheduleCheckOptions& options = {}) {
        const Target target = llvm().host();
        const ScheduleChecker::Machine machine{
            llvm(),
            [&](const tensor::Program& program) -> Result<std::shared_ptr<const KernelObject>> {
                ++compiled;
                ORRERY_TRY(KernelObject object, llvm().compile(program, target, {}, {}));
                return std::make_shared<const KernelObject>(std::move(object));
            },
            target.hash()};
        Result<ScheduleCheck> done = checker.check(function, machine, options, {});
        if (!done) FAIL(to_string(done.error()));
        return *std::move(done);
    }
};

} // namespace

TEST_CASE("right steps pass, and are not run twice", "[session][check_schedule]") {
    Checked check;
    const auto two = scheduled(kPeaks, "split(top.i, [-1, 8])\nvectorize(top.i_i)\n");
    const ScheduleCheck first = check(two);
    CHECK(first.finished);
    CHECK(first.first_wrong == -1);
    CHECK(first.ran == 2);
    REQUIRE(first.steps.size() == 2);
    for (const auto& step : first.steps) {
        REQUIRE(step.has_value());
        CHECK(step->right);
        CHECK(step->worst == 0);
    }
    CHECK_FALSE(problem_of(first).has_value());
    // One more step costs one run; taking it back none.
    const ScheduleCheck more = check(scheduled(kPeaks, "split(top.i, [-1, 8])\nvectorize(top.i_i)\nunroll(top.i_o)\n"));
    CHECK(more.ran == 1);
    CHECK(check(two).ran == 0);
    const int before = check.compiled;
    CHECK(check(two).first_wrong == -1);
    CHECK(check.compiled == before);
    CHECK(check(scheduled(kPeaks, "")).steps.empty());
}

TEST_CASE("an instruction that is not what it is said to be is caught at its step, with the element",
          "[session][check_schedule]") {
    REQUIRE(schedule::declare_intrinsic(declaration("wrong_top_8", "smin.v8i32")).has_value());
    const char* const trace =
        "split(top.i, [-1, 8])\nunroll(start.s)\ntensorize(top.i_i, wrong_top_8)\nunroll(top.i_o)\n";
    Checked check;
    const ScheduleCheck found = check(scheduled(kPeaks, trace));
    REQUIRE(found.first_wrong == 2);
    CHECK(found.steps[0]->right);
    CHECK(found.steps[1]->right);
    REQUIRE(found.steps[2].has_value());
    REQUIRE(found.steps[2]->wrong.has_value());
    const WrongElement& wrong = *found.steps[2]->wrong;
    CHECK(wrong.buffer == "y");
    // The least of -100 and anything is -100, and every maximum is more: the first element is wrong.
    CHECK(wrong.index == std::vector<std::int64_t>{0});
    CHECK(wrong.actual == -100);
    CHECK(wrong.expected > -100);
    const auto problem = problem_of(found);
    REQUIRE(problem.has_value());
    CHECK(problem->code == Code::WrongNumbers);
    CHECK(problem->message.find(to_string(wrong)) != std::string::npos);
    // Declared as it should have been, under the same name: what is known of the wrong one is not believed of it.
    REQUIRE(schedule::declare_intrinsic(declaration("wrong_top_8", "smax.v8i32")).has_value());
    CHECK(check(scheduled(kPeaks, trace)).first_wrong == -1);
}

TEST_CASE("the first wrong element is the first in row-major order", "[session][check_schedule]") {
    // The tail, where the instruction does not reach, stays right.
    REQUIRE(schedule::declare_intrinsic("intrinsic wrong_sum_4\nfn sum(a: f32[4]) -> (c: f32[4]) { for i in 4 {\n"
                                        "block sum(vi = i in 4) { reads c[vi], a[vi] writes c[vi]\n"
                                        "c[vi] = c[vi] + a[vi] } } }\n"
                                        "c = llvm.maxnum.v4f32(c as f32x4, a as f32x4)\n")
                .has_value());
    const auto function = scheduled(
        "fn sums(x: f32[3,8]) -> (y: f32[3,8]) {\n"
        "for r in 3 { for s in 8 { block zero(vr = r in 3, vs = s in 8) { writes y[vr, vs] y[vr, vs] = 5.0 } } }\n"
        "for r in 3 { for i in 4 { block low(vr = r in 3, vi = i in 4) {\n"
        "reads y[vr, vi], x[vr, vi] writes y[vr, vi] y[vr, vi] = y[vr, vi] + x[vr, vi] } } }\n"
        "for r in 3 { for i in 4 { block high(vr = r in 3, vi = i in 4) {\n"
        "reads y[vr, vi + 4], x[vr, vi + 4] writes y[vr, vi + 4]\n"
        "y[vr, vi + 4] = y[vr, vi + 4] + x[vr, vi + 4] } } } }\n",
        "tensorize(high.i, wrong_sum_4)\n");
    Checked check;
    const ScheduleCheck found = check(function);
    REQUIRE(found.first_wrong == 0);
    CHECK(found.steps[0]->wrong->index == std::vector<std::int64_t>{0, 4});
    CHECK(found.steps[0]->wrong->actual == 5);
}

TEST_CASE("limits: too much work, too little time, a cancelled check", "[session][check_schedule]") {
    const auto function = scheduled(kPeaks, "split(top.i, [-1, 8])\nvectorize(top.i_i)\nunroll(top.i_o)\n");
    Checked check;
    ScheduleCheckOptions options;
    options.most_stores = 10;
    const ScheduleCheck left = check(function, options);
    CHECK(left.finished);
    REQUIRE(left.left_alone.has_value());
    CHECK(left.left_alone->severity == Severity::Note);
    CHECK(check.compiled == 0);
    options.most_stores = -1, options.seconds = 0;
    const ScheduleCheck last = check(function, options);
    CHECK(last.ran == 1);
    CHECK(last.steps[2].has_value());
    CHECK_FALSE(last.steps[0].has_value());
    std::stop_source stop;
    stop.request_stop();
    const ScheduleChecker::Machine machine{llvm(), {}, {}};
    ScheduleChecker other;
    CHECK(other.check(function, machine, {}, {stop.get_token(), {}}).error().code == Code::Cancelled);
}

TEST_CASE("an operand that is not its whole parameter is refused", "[session][check_schedule]") {
    CHECK(schedule::declare_intrinsic(declaration("fits", "smax.v8i32")).has_value());
    std::string text = declaration("overrun", "smax.v16i32");
    for (std::size_t at = 0; (at = text.find("i32x8", at)) != std::string::npos; ++at) text.replace(at, 5, "i32x16");
    CHECK(schedule::declare_intrinsic(text).error().code == Code::BadText);
}

TEST_CASE("a session checks the steps of an edited schedule quietly", "[session][check_schedule]") {
    const auto compiler = std::make_shared<Compiler>(make_llvm_backend(), Compiler::Options{});
    Session session(compiler);
    session.open_builtin("lenet");
    session.edit("-O2", [](Recipe& recipe) { recipe.passes = transform::default_pipeline(2); });
    session.wait_idle();
    const std::string name = "conv2d_bias_add_tanh_1";
    const auto function = [&] {
        const SnapshotPtr snapshot = session.snapshot();
        const auto found =
            std::ranges::find_if(snapshot->functions, [&](const FunctionPtr& f) { return f->lowered.name == name; });
        REQUIRE(found != snapshot->functions.end());
        return *found;
    };
    const auto edit = [&](const TraceEdit& what) {
        session.edit("edit", [&](Recipe& recipe) {
            const Result<void> done = apply(what, *function(), recipe);
            if (!done) FAIL(to_string(done.error()));
        });
        session.wait_idle();
        session.check_schedule(name);
        session.wait_idle();
    };
    edit({.what = What::Insert, .text = "annotate(tanh, note, here)"});
    auto check = session.snapshot()->schedule_check;
    REQUIRE(check);
    CHECK(check->of == function());
    CHECK(check->finished);
    CHECK(check->first_wrong == -1);
    CHECK(check->steps.size() == function()->trace.steps.size());
    CHECK(std::ranges::all_of(check->steps, [](const auto& verdict) { return verdict && verdict->right; }));
    CHECK(session.snapshot()->problems.empty());
    // An instruction that adds the wrong operand.
    REQUIRE(schedule::declare_intrinsic(
                "intrinsic wrong_fma_2\nfn fma(a: f32[2], b: f32[1]) -> (c: f32[2]) { for i in 2 {\n"
                "block fma(vi = i in 2) { reads c[vi], a[vi], b[0] writes c[vi]\nc[vi] = c[vi] + a[vi] * b[0] } } }\n"
                "c = llvm.fma.v2f32(c as f32x2, b splat f32 as f32x2, a as f32x2)\n")
                .has_value());
    const std::string before = "reorder([conv2d.ic, conv2d.kh, conv2d.kw, conv2d.w])\n"
                               "decompose_reduction(conv2d, conv2d.ic)\nsplit(conv2d.w, [-1, 2])\n";
    edit({.what = What::Rewrite, .text = before + "tensorize(conv2d.w_i, wrong_fma_2)\n"});
    REQUIRE(function()->trace.steps.size() == 4);
    if (function()->error) FAIL(to_string(*function()->error));
    check = session.snapshot()->schedule_check;
    CHECK(check->first_wrong == 3);
    CHECK(check->steps[2]->right);
    REQUIRE(session.snapshot()->problems.size() == 1);
    CHECK(session.snapshot()->problems[0].code == Code::WrongNumbers);
    // Without the step all is well again, and known.
    session.undo();
    session.wait_idle();
    CHECK(session.snapshot()->problems.empty());
    session.check_schedule(name);
    session.wait_idle();
    CHECK(session.snapshot()->schedule_check->ran == 0);
    CHECK(session.snapshot()->schedule_check->first_wrong == -1);
    // A model that is not there has nothing to check.
    session.check_schedule("nothing");
    session.wait_idle();
    session.close();
    session.wait_idle();
    CHECK_FALSE(session.snapshot()->schedule_check);
}

TEST_CASE("a ResNet convolution's schedule is checked", "[session][check_schedule]") {
    // One of ResNet's 3x3 convolutions, a quarter of its channels: 14.5 million products.
    const char* const text =
        "fn conv(x: f32[16,56,56], w: f32[32,16,3,3]) -> (y: f32[32,54,54]) {\n"
        "for c in 32 { for h in 54 { for q in 54 { for i in 16 { for r in 3 { for s in 3 {\n"
        "block conv(vc = c in 32, vh = h in 54, vq = q in 54, reduce vi = i in 16, reduce vr = r in 3, reduce vs = s "
        "in 3) {\n"
        "reads y[vc, vh, vq], x[vi, vh + vr, vq + vs], w[vc, vi, vr, vs] writes y[vc, vh, vq]\n"
        "init { y[vc, vh, vq] = 0.0 }\n"
        "y[vc, vh, vq] = y[vc, vh, vq] + x[vi, vh + vr, vq + vs] * w[vc, vi, vr, vs] } } } } } } } }\n";
    const tensor::Program program = tensor::parse_program(text).value();
    const auto function = scheduled(text, to_string(schedule::default_trace(program, llvm().host())));
    REQUIRE(function->trace.steps.size() > 2);
    Checked check;
    const ScheduleCheck done = check(function);
    CHECK(done.first_wrong == -1);
    for (const auto& step : done.steps) CHECK(step->worst < 1e-4);
}
