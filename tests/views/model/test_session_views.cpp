// View data of a real, small model: LeNet, compiled, run and checked.

#include "backends/llvm/llvm_backend.hpp"
#include "core/graph/text.hpp"
#include "core/ops/ops.hpp"
#include "core/session/history.hpp"
#include "core/session/session.hpp"
#include "views/model/history_view.hpp"
#include "views/model/screen_builder.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <set>

using namespace orrery;
using namespace orrery::views;

namespace {

struct Opened {
    std::shared_ptr<session::Compiler> compiler =
        std::make_shared<session::Compiler>(make_llvm_backend(), session::Compiler::Options{});
    session::Session session{compiler};
    ScreenBuilder builder{std::make_shared<layout::LayoutEngine>()};
    explicit Opened(const char* network) {
        session.open_builtin(network);
        session.wait_idle();
        if (const auto function = shown_function(*session.snapshot(), "")) session.want_code(function->lowered.name);
        session.wait_idle();
    }
};

/// LeNet, compiled once for all tests here.
Opened& lenet() {
    static Opened opened("lenet");
    return opened;
}

} // namespace

TEST_CASE("before a model is open every view says what would fill it", "[views][session]") {
    session::Snapshot nothing;
    const ViewOptions options;
    CHECK(build_stages(nothing, options).sections.empty());
    CHECK(describe_graph(nothing, -1).items.empty());
    const TextViewData tensor = build_tensor(nothing, options);
    CHECK_FALSE(tensor.empty_reason.empty());
    CHECK_FALSE(build_code(nothing, options, CodeView::Llvm, tensor).empty_reason.empty());
    CHECK_FALSE(build_code(nothing, options, CodeView::Assembly, tensor).empty_reason.empty());
    CHECK_FALSE(build_inspector(nothing, options).empty_reason.empty());
    CHECK_FALSE(build_memory(nothing).empty_reason.empty());
    CHECK_FALSE(build_run(nothing).empty_reason.empty());
}

TEST_CASE("stages: the graph's, the function's, the code's", "[views][session]") {
    const auto snapshot = lenet().session.snapshot();
    ViewOptions options;
    const StagesViewData stages = build_stages(*snapshot, options);
    REQUIRE(stages.sections.size() == 3);
    CHECK(stages.sections[0].steps.front().name == "import");
    CHECK(stages.sections[0].steps.back().selected);
    CHECK(stages.sections[1].steps.front().id == kTensorStages);
    CHECK(stages.sections[2].steps.front().id == kCodeStages);
}

TEST_CASE("the graph: pills, kernels, links to functions", "[views][session]") {
    const auto snapshot = lenet().session.snapshot();
    const GraphDescription fused = describe_graph(*snapshot, -1);
    std::set<std::string> names, functions;
    int constants = 0;
    for (const GraphItem& item : fused.items) {
        names.insert(item.name);
        constants += item.kind == OperatorKind::Constant ? 1 : 0;
        for (const int input : item.inputs) CHECK(input < static_cast<int>(fused.items.size()));
        if (!item.function.empty()) functions.insert(item.function);
    }
    CHECK(names.size() == fused.items.size());
    CHECK(constants > 0);
    CHECK(functions.size() == snapshot->functions.size());
    CHECK(fused.items.front().kind == OperatorKind::Input);
    CHECK(fused.items.back().kind == OperatorKind::Output);
    const GraphDescription imported = describe_graph(*snapshot, 0);
    CHECK(std::ranges::any_of(imported.items, [](const GraphItem& i) { return i.title.starts_with("conv2d 5×5"); }));
}

TEST_CASE("the tensor program is numbered as debug locations are", "[views][session]") {
    const auto snapshot = lenet().session.snapshot();
    ViewOptions options;
    const TextViewData tensor = build_tensor(*snapshot, options);
    const auto function = shown_function(*snapshot, "");
    REQUIRE(tensor.line_count() == static_cast<int>(function->printed.lines.size()));
    for (int i = 0; i < tensor.line_count(); ++i) {
        CHECK(tensor.line(i) == function->printed.lines[static_cast<std::size_t>(i)].text);
        CHECK(tensor.links[static_cast<std::size_t>(i)].tensor_line == i + 1);
    }
    CHECK_FALSE(tensor.folds.empty());
    CHECK(std::ranges::any_of(tensor.links, [](const LineLink& l) { return l.tint >= 0; }));
    options.tensor_step = 0;
    const TextViewData lowered = build_tensor(*snapshot, options);
    CHECK(lowered.note.starts_with("as lowered"));
    CHECK(std::ranges::all_of(lowered.links, [](const LineLink& l) { return l.tensor_line == 0; }));
}

TEST_CASE("code lines share origins and tints with their tensor line", "[views][session]") {
    const auto snapshot = lenet().session.snapshot();
    ViewOptions options;
    const TextViewData tensor = build_tensor(*snapshot, options);
    const TextViewData code = build_code(*snapshot, options, CodeView::Assembly, tensor);
    REQUIRE(code.line_count() > 10);
    int linked = 0;
    for (const LineLink& link : code.links) {
        if (link.tensor_line == 0) continue;
        ++linked;
        const LineLink& line = tensor.links[static_cast<std::size_t>(link.tensor_line) - 1];
        CHECK(link.origins == line.origins);
        CHECK(link.tint == line.tint);
    }
    CHECK(linked > 10);
    CHECK(build_code(*snapshot, options, CodeView::Llvm, tensor).line_count() > 10);
    options.function = snapshot->functions.back()->lowered.name;
    if (!snapshot->code.contains(options.function))
        CHECK(build_code(*snapshot, options, CodeView::Llvm, tensor).empty_reason.find(options.function) !=
              std::string::npos);
}

TEST_CASE("memory: boxes within the arena, none overlapping in time and space", "[views][session]") {
    const auto snapshot = lenet().session.snapshot();
    const MemoryViewData memory = build_memory(*snapshot);
    REQUIRE_FALSE(memory.boxes.empty());
    for (std::size_t i = 0; i < memory.boxes.size(); ++i) {
        const MemoryBox& a = memory.boxes[i];
        CHECK(a.offset + a.bytes <= memory.arena_bytes);
        for (std::size_t k = 0; k < i; ++k) {
            const MemoryBox& b = memory.boxes[k];
            const bool apart = a.last_step < b.first_step || b.last_step < a.first_step ||
                               a.offset + a.bytes <= b.offset || b.offset + b.bytes <= a.offset;
            CHECK(apart);
        }
    }
}

TEST_CASE("memory: what a concatenation joins lies inside it", "[views][session]") {
    // a and b are steps, and y; c is none. r joins rows of a batch, which takes a kernel.
    const char* const kText = R"(outputs ["y", "r"];
fn main(x: f32[2,16]) -> (f32[4,16], f32[2,32]) {
  a = softmax(x) {axis=1};
  b = softmax(a) {axis=0};
  c = concat(a, b) {axis=0};
  y = softmax(c) {axis=1};
  q = concat(a, b) {axis=1};
  r = softmax(q) {axis=1};
  t = (y, r);
  return t;
}
)";
    session::Compiler compiler(make_llvm_backend(), {});
    const auto module = graph::parse_module(kText, ops::registry(), {});
    REQUIRE(module.has_value());
    session::Recipe recipe = compiler.new_recipe({});
    recipe.passes = {{"FuseOps", {}, true}};
    const auto compiled = compiler.compile_module(recipe, *module, {});
    REQUIRE(compiled.has_value());
    session::Snapshot snapshot;
    snapshot.compiled = *compiled;
    snapshot.functions = (*compiled)->functions;
    snapshot.lowered = std::shared_ptr<const lower::LoweredModel>(*compiled, &(*compiled)->model);
    auto step = std::make_shared<session::GraphStep>();
    step->name = "FuseOps";
    step->module = *transform::find_pass("FuseOps")->run(*module, {{}, {}, nullptr});
    snapshot.steps = {step};
    const MemoryViewData memory = build_memory(snapshot);
    const auto box = [&](const std::string& name) {
        const auto found = std::ranges::find(memory.boxes, name, &MemoryBox::name);
        if (found == memory.boxes.end()) FAIL(name);
        return *found;
    };
    CHECK((box("a").part_of == "c" && box("b").part_of == "c"));
    CHECK((box("a").offset == box("c").offset && box("b").offset == box("c").offset + 128));
    CHECK((box("c").part_of.empty() && box("q").part_of.empty()));
    CHECK(box("a").joins.empty());
    CHECK(box("c").joins.starts_with("no kernel"));
    CHECK(box("q").joins.starts_with("written by a kernel"));
    CHECK(memory.step_names.size() == 5);
    CHECK(*std::ranges::max_element(memory.live_bytes) == memory.bound_bytes);
    // The graph and the value's history say so, too.
    for (const GroupBy group : {GroupBy::Blocks, GroupBy::Kernels}) {
        const GraphDescription graph = describe_graph(snapshot, -1, {.group_by = group});
        const auto bytes = [&](const std::string& name) {
            const auto found = std::ranges::find_if(graph.items, [&](const GraphItem& item) {
                return item.name == name || item.name == name + "/" + name;
            });
            if (found == graph.items.end()) FAIL(name);
            return found->bytes;
        };
        CHECK(bytes("c") == 0);
        CHECK(bytes("q") != 0);
    }
    const auto history = session::history_of(snapshot, 0, session::find_value(step->module, "c"), {});
    REQUIRE(history.has_value());
    CHECK((history->in_place && history->kernels.empty()));
    CHECK(build_history(snapshot, *history).entries.back().title == "no kernel");
}

TEST_CASE("the inspector finds the node that shares the selection's origins", "[views][session]") {
    const auto snapshot = lenet().session.snapshot();
    ViewOptions options;
    const GraphDescription fused = describe_graph(*snapshot, -1);
    const auto conv =
        std::ranges::find_if(fused.items, [](const GraphItem& i) { return i.kind == OperatorKind::Convolution; });
    REQUIRE(conv != fused.items.end());
    options.selection.origins = conv->origins;
    const InspectorViewData data = build_inspector(*snapshot, options);
    CHECK(data.title.find("conv2d") != std::string::npos);
    CHECK(
        std::ranges::any_of(data.sections, [](const InspectorSection& s) { return s.title.starts_with("Constant"); }));
    CHECK(std::ranges::any_of(
        data.sections, [](const InspectorSection& s) { return s.title.ends_with("conv2d") && !s.body.empty(); }));
}

TEST_CASE("a run and a check fill the run view", "[views][session]") {
    Opened& t = lenet();
    t.session.run(1);
    t.session.wait_idle();
    t.session.check(1);
    t.session.wait_idle();
    const auto snapshot = t.session.snapshot();
    const RunViewData run = build_run(*snapshot);
    CHECK(run.outputs.rows.size() == 1);
    CHECK(run.operators.rows.size() == snapshot->lowered->calls.size());
    CHECK(run.agreement_tone == Tone::Good);
    double share = 0;
    for (const TableRow& row : run.operators.rows) share += row.cells[2].sort_key;
    CHECK(share == Approx(1).epsilon(1e-6));
    double ms = 0;
    for (const GraphItem& item : describe_graph(*snapshot, -1).items) ms += std::max(0.0, item.time_ms);
    double measured = 0;
    for (const auto& step : snapshot->run->steps) measured += step.microseconds / 1000;
    CHECK(ms == Approx(measured).epsilon(1e-6)); // nothing counted twice
    CHECK(build_status(*snapshot).check_tone == Tone::Good);
}

TEST_CASE("parts of a screen that did not change are the same objects", "[views][session]") {
    Opened t("mlp");
    ViewOptions options;
    const Screen first = t.builder.build(t.session.snapshot(), options);
    const Screen again = t.builder.build(t.session.snapshot(), options);
    CHECK(first.stages == again.stages);
    CHECK(first.tensor == again.tensor);
    CHECK(first.assembly == again.assembly);
    CHECK(first.memory == again.memory);
    CHECK(first.problems == again.problems);
    options.selection.origins = t.session.snapshot()->functions.front()->lowered.origin;
    const Screen selected = t.builder.build(t.session.snapshot(), options);
    CHECK(selected.tensor == first.tensor);
    CHECK(selected.inspector != first.inspector);
    options.function = t.session.snapshot()->functions.back()->lowered.name;
    const Screen other = t.builder.build(t.session.snapshot(), options);
    CHECK(other.tensor != first.tensor);
    CHECK(other.memory == first.memory);
    const auto graph = t.builder.build_graph(t.session.snapshot(), options, {});
    REQUIRE(graph);
    CHECK(t.builder.build_graph(t.session.snapshot(), options, {}).value() == *graph);
    options.graph.show_constants = true;
    CHECK(t.builder.build_graph(t.session.snapshot(), options, {}).value() != *graph);
}

TEST_CASE("programs come before the rest of a screen, and are its parts", "[views][session]") {
    Opened t("lenet");
    ViewOptions options;
    CHECK_FALSE(t.builder.build_programs(t.session.snapshot(), options)); // there is no screen yet whose parts change
    const Screen before = t.builder.build(t.session.snapshot(), options);
    CHECK_FALSE(t.builder.build_programs(t.session.snapshot(), options));
    const auto function = shown_function(*t.session.snapshot(), "");
    t.session.edit("no schedule", [&](session::Recipe& recipe) {
        recipe.schedules[to_string(function->lowered.workload)] = schedule::Trace{};
    });
    t.session.wait_idle();
    t.session.want_code(function->lowered.name);
    t.session.wait_idle();
    const auto programs = t.builder.build_programs(t.session.snapshot(), options);
    REQUIRE(programs);
    CHECK(programs->tensor != before.tensor);
    CHECK(programs->loops->trace.empty());
    const Screen after = t.builder.build(t.session.snapshot(), options);
    t.builder.free_old();
    CHECK(after.tensor == programs->tensor);
    CHECK(after.loops == programs->loops);
    CHECK(after.llvm == programs->llvm);
    CHECK(after.assembly == programs->assembly);
    // Back again: the parts of the first screen.
    t.session.undo();
    t.session.wait_idle();
    const auto undone = t.builder.build_programs(t.session.snapshot(), options);
    REQUIRE(undone);
    CHECK(undone->tensor == before.tensor);
    CHECK(undone->assembly == before.assembly);
    // Another function is another screen.
    (void)t.builder.build(t.session.snapshot(), options);
    for (const session::FunctionPtr& other : t.session.snapshot()->functions)
        if (other->lowered.name != function->lowered.name) options.function = other->lowered.name;
    CHECK_FALSE(t.builder.build_programs(t.session.snapshot(), options));
}
