#include "core/session/schedule_edit.hpp"

#include "backends/llvm/llvm_backend.hpp"
#include "core/session/compiler.hpp"
#include "core/session/session.hpp"
#include "core/tensor/analysis.hpp"
#include "tests/core/session/compiler.hpp"

#include <catch2/catch.hpp>

#include <algorithm>

using namespace orrery;
using namespace orrery::session;
using What = TraceEdit::What;

namespace {

/// LeNet's second convolution under a recipe that is edited.
struct Bench {
    Recipe recipe = shared_compiler()->new_recipe({});
    FunctionPtr function;
    Bench() {
        recipe.builtin = "lenet";
        recipe.passes = transform::default_pipeline(2); // layouts as the model has them
        compile();
    }
    void compile() {
        const Steps steps = shared_compiler()->graph_steps(recipe, {}).value();
        const auto functions = shared_compiler()->functions(recipe, steps.back()->module, {}).value().functions;
        const auto found = std::ranges::find_if(
            functions, [](const FunctionPtr& f) { return f->lowered.name == "conv2d_bias_add_tanh_1"; });
        REQUIRE(found != functions.end());
        function = *found;
    }
    void edit(const TraceEdit& what) {
        const Result<void> done = apply(what, *function, recipe);
        if (!done) FAIL(to_string(done.error()));
        compile();
    }
    [[nodiscard]] Code refused(const TraceEdit& what) {
        const Recipe before = recipe;
        const Result<void> done = apply(what, *function, recipe);
        REQUIRE_FALSE(done);
        CHECK(recipe == before);
        return done.error().code;
    }
    [[nodiscard]] std::string trace() const { return to_string(function->trace); }
};

} // namespace

TEST_CASE("the first edit starts from the default trace", "[session][schedule]") {
    Bench b;
    REQUIRE(b.function->trace_is_default);
    const std::string before = b.trace();
    const std::size_t steps = b.function->trace.steps.size();
    REQUIRE(steps > 3);
    b.edit({.what = What::Insert, .text = "annotate(tanh, note, here)"});
    CHECK_FALSE(b.function->trace_is_default);
    CHECK(b.trace() == before + "annotate(tanh, note, here)\n");
    CHECK(b.function->replay.programs.size() == steps + 2);
    b.edit({.what = What::Reset});
    CHECK(b.function->trace_is_default);
    CHECK(b.trace() == before);
    CHECK(b.recipe.schedules.empty());
}

TEST_CASE("steps are put in, replaced, moved and removed", "[session][schedule]") {
    Bench b;
    b.edit({.what = What::Rewrite});
    CHECK(b.function->trace.steps.empty());
    b.edit({.what = What::Insert, .text = "split(conv2d.w, [-1, 2])"});
    b.edit({.what = What::Insert, .at = 0, .text = "split(conv2d.h, [-1, 5])"});
    CHECK(b.trace() == "split(conv2d.h, [-1, 5])\nsplit(conv2d.w, [-1, 2])\n");
    b.edit({.what = What::Move, .at = 0, .to = 1});
    CHECK(b.trace() == "split(conv2d.w, [-1, 2])\nsplit(conv2d.h, [-1, 5])\n");
    b.edit({.what = What::Replace, .at = 0, .text = "split(conv2d.w, [-1, 5])"});
    CHECK(b.trace() == "split(conv2d.w, [-1, 5])\nsplit(conv2d.h, [-1, 5])\n");
    b.edit({.what = What::Remove, .at = 1});
    CHECK(b.trace() == "split(conv2d.w, [-1, 5])\n");
}

TEST_CASE("an edit that cannot be carried out leaves the recipe alone", "[session][schedule]") {
    Bench b;
    b.edit({.what = What::Rewrite});
    CHECK(b.refused({.what = What::Insert, .text = "vectorize(conv2d.ic)"}) == Code::IllegalSchedule);
    CHECK(b.refused({.what = What::Insert, .text = "split(conv2d.nothing, [-1, 2])"}) == Code::UnknownName);
    CHECK(b.refused({.what = What::Insert, .text = "split("}) == Code::BadText);
    CHECK(b.refused({.what = What::Insert, .text = ""}) == Code::BadText);
    CHECK(b.refused({.what = What::Remove, .at = 0}) == Code::BadArgument);
    CHECK(b.refused({.what = What::Move, .at = 0, .to = 1}) == Code::BadArgument);
    CHECK(b.refused({.what = What::Fix, .text = "k0"}) == Code::UnknownName);
    CHECK(b.refused({.what = What::Take, .text = "none"}) == Code::UnknownName);
    CHECK(b.refused({.what = What::Keep}) == Code::BadArgument);
}

TEST_CASE("what an edit breaks further on is named, and the program before it stays", "[session][schedule]") {
    Bench b;
    b.edit({.what = What::Rewrite, .text = "split(conv2d.w, [-1, 2])\nunroll(conv2d.w_i)\nsplit(conv2d.h, [-1, 5])\n"});
    REQUIRE_FALSE(b.function->error);
    b.edit({.what = What::Remove, .at = 0});
    REQUIRE(b.function->error);
    CHECK(b.function->error->code == Code::UnknownName);
    const auto& places = b.function->error->locations;
    CHECK(std::ranges::any_of(places, [](const Location& place) {
        const auto* program = std::get_if<ProgramPlace>(&place);
        return program != nullptr && program->place == "step 1: unroll(conv2d.w_i)";
    }));
    CHECK(b.function->replay.programs.size() == 1);
    CHECK(b.function->trace.steps.size() == 2);
    b.edit({.what = What::Move, .at = 1, .to = 0});
    REQUIRE(b.function->error);
    CHECK(b.function->replay.programs.size() == 2);
    // The code is that of the program that could be made.
    CHECK(shared_compiler()->code(b.recipe, b.function).has_value());
}

TEST_CASE("programs after the steps that two traces share are the same objects", "[session][schedule]") {
    Bench b;
    const FunctionPtr before = b.function;
    b.edit({.what = What::Insert, .text = "annotate(tanh, note, here)"});
    for (std::size_t i = 0; i < before->replay.programs.size(); ++i)
        CHECK(before->replay.programs[i] == b.function->replay.programs[i]);
    // An edit in front of everything gives what a replay from the start gives.
    b.edit({.what = What::Insert, .at = 0, .text = "annotate(conv2d, note, first)"});
    const auto fresh = schedule::replay(b.function->lowered.program, b.function->trace);
    REQUIRE(fresh);
    CHECK(tensor::structural_hash(fresh->result()) == tensor::structural_hash(b.function->program()));
}

TEST_CASE("a number becomes a knob, is decided, and is fixed", "[session][schedule]") {
    Bench b;
    b.edit({.what = What::Rewrite, .text = "split(conv2d.c, [-1, 4])\n"});
    b.edit({.what = What::Promote, .at = 0, .text = "k0", .arg = 1, .item = 1});
    const auto knobs = schedule::knobs_of(b.function->trace);
    REQUIRE(knobs.size() == 1);
    CHECK(knobs[0].knob.candidates == std::vector<std::int64_t>{1, 2, 4, 8, 16});
    CHECK(schedule::space_size(b.function->trace) == 5);
    b.edit({.what = What::Decide, .text = "k0", .numbers = {8}});
    CHECK(std::get<std::vector<std::int64_t>>(b.function->trace.steps[0].args[1])[1] == 8);
    // Open numbers survive being written down.
    CHECK(schedule::parse_trace(b.trace()).value() == b.function->trace);
    b.edit({.what = What::Fix, .text = "k0"});
    CHECK(b.trace() == "split(conv2d.c, [-1, 8])\n");
    CHECK(likely_candidates(1) == std::vector<std::int64_t>{0, 1});
}

TEST_CASE("branches are kept in the recipe, taken and forgotten", "[session][schedule]") {
    Bench b;
    const std::string by_rule = b.trace();
    b.edit({.what = What::Keep, .text = "default"});
    b.edit({.what = What::Rewrite, .text = "parallel(tanh.c)\n"});
    b.edit({.what = What::Keep, .text = "plain"});
    const auto* branches = branches_of(b.recipe, b.function->lowered);
    REQUIRE(branches != nullptr);
    CHECK(branches->size() == 2);
    const Recipe read = from_json(to_json(b.recipe), compiler().backend()).value();
    CHECK(read == b.recipe);
    CHECK(to_json(b.recipe).find("\"orrery_recipe\": 2") != std::string::npos);
    b.edit({.what = What::Take, .text = "default"});
    CHECK(b.trace() == by_rule);
    b.edit({.what = What::Drop, .text = "default"});
    b.edit({.what = What::Drop, .text = "plain"});
    CHECK(branches_of(b.recipe, b.function->lowered) == nullptr);
    // What older programs can read is written as they read it.
    CHECK(to_json(b.recipe).find("\"orrery_recipe\": 1") != std::string::npos);
    const auto code = [&](const char* text) { return from_json(text, compiler().backend()).error().code; };
    CHECK(code(R"({"orrery_recipe": 2, "branches": {"xyz": {}}})") == Code::BadRecipe);
    CHECK(code(R"({"orrery_recipe": 2, "branches": {"00000000000000000000000000000000": 3}})") == Code::BadRecipe);
    CHECK(code(R"({"orrery_recipe": 2, "branches": {"00000000000000000000000000000000": {"a": "split("}}})") ==
          Code::BadText);
}

TEST_CASE("command lines name functions, the recipe their workloads", "[session][schedule]") {
    Bench b;
    std::vector<std::string> schedules{"conv2d_bias_add_tanh_1=parallel(tanh.c)"};
    REQUIRE(name_workloads(schedules, b.recipe, *shared_compiler()));
    CHECK(schedules[0] == to_string(b.function->lowered.workload) + "=parallel(tanh.c)");
    const std::vector<std::string> known = schedules;
    REQUIRE(name_workloads(schedules, b.recipe, *shared_compiler()));
    CHECK(schedules == known);
    schedules = {"nothing=parallel(tanh.c)"};
    CHECK(name_workloads(schedules, b.recipe, *shared_compiler()).error().code == Code::UnknownName);
}

TEST_CASE("a schedule's edit leaves the steps of the graph alone", "[session][schedule]") {
    Session session(shared_compiler());
    session.open_builtin("lenet");
    session.wait_idle();
    const SnapshotPtr before = session.snapshot();
    const FunctionPtr function = before->functions.front();
    session.edit("none", [&](Recipe& recipe) { REQUIRE(apply({.what = What::Rewrite}, *function, recipe)); });
    session.wait_idle();
    const SnapshotPtr after = session.snapshot();
    CHECK(after->steps == before->steps);
    CHECK(after->rebuilt_functions == 1);
    REQUIRE(after->compiled);
    CHECK(after->functions.front()->trace.steps.empty());
    session.undo();
    session.wait_idle();
    CHECK(session.snapshot()->functions == before->functions);
    // An edit of the graph goes through it again.
    session.edit("passes", [](Recipe& recipe) { recipe.passes = transform::default_pipeline(0); });
    session.wait_idle();
    CHECK(session.snapshot()->steps.size() != before->steps.size());
}
