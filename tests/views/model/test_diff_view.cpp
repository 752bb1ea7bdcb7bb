// Two points of real recipes compared: LeNet and its variants.

#include "backends/llvm/llvm_backend.hpp"
#include "core/graph/text.hpp"
#include "core/ops/ops.hpp"
#include "core/session/compiler.hpp"
#include "views/model/diff_build.hpp"
#include "views/model/diff_html.hpp"
#include "views/model/graph_comparison.hpp"
#include "views/model/session_views.hpp"
#include "views/model/text_diff.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <set>

using namespace orrery;
using namespace orrery::views;

namespace {

session::Compiler& compiler() {
    static session::Compiler shared(make_llvm_backend(), session::Compiler::Options{});
    return shared;
}

std::shared_ptr<session::Snapshot> snapshot_of(const session::Recipe& recipe) {
    auto snapshot = std::make_shared<session::Snapshot>();
    snapshot->recipe = recipe;
    snapshot->title = recipe.builtin;
    snapshot->steps = compiler().graph_steps(recipe, {}).value();
    const auto functions = compiler().functions(recipe, snapshot->steps.back()->module, {}).value();
    snapshot->lowered = functions.model;
    snapshot->functions = functions.functions;
    return snapshot;
}

session::Recipe recipe_of(const char* network) {
    session::Recipe recipe = compiler().new_recipe({});
    recipe.builtin = network;
    return recipe;
}

/// ResNet-18: convolutions, batch norms, fusion. Made once for all tests here.
const std::shared_ptr<session::Snapshot>& resnet() {
    static const auto shared = snapshot_of(recipe_of("resnet18"));
    return shared;
}

int step_named(const session::Snapshot& snapshot, const std::string& name) {
    for (std::size_t i = 0; i < snapshot.steps.size(); ++i)
        if (snapshot.steps[i]->name == name && snapshot.steps[i]->changed) return static_cast<int>(i);
    FAIL("no step " + name);
    return -1;
}

DiffViewData diff(const session::SnapshotPtr& left, session::Point a, const session::SnapshotPtr& right,
                  session::Point b) {
    return build_diff({left, right, std::move(a), std::move(b), {}}, {}).value();
}

DiffText text_of(std::initializer_list<const char*> lines) {
    DiffText text;
    for (const char* line : lines) text.lines.push_back({line, {}, 0, false, LineChange::None, -1});
    return text;
}

/// Each row as "l:r change".
std::string rows_text(const std::vector<DiffRow>& rows) {
    static constexpr const char* kSigns = "=+-~>_";
    std::string text;
    for (const DiffRow& row : rows)
        text += (text.empty() ? "" : " ") + (row.left < 0 ? "." : std::to_string(row.left)) +
                kSigns[static_cast<std::size_t>(row.change)] + (row.right < 0 ? "." : std::to_string(row.right));
    return text;
}

} // namespace

TEST_CASE("lines are aligned by equality, then by likeness", "[views][diff]") {
    const auto rows = [](const DiffText& a, const DiffText& b) { return rows_text(align_lines(a, b, {})); };
    CHECK(rows(text_of({"a b c", "d e f"}), text_of({"a b c", "d e f"})) == "0=0 1=1");
    CHECK(rows(text_of({"one two three"}), text_of({"one two four"})) == "0~0");
    CHECK(rows(text_of({"one two three"}), text_of({"nothing alike here"})) == "0-. .+0");
    CHECK(rows(text_of({"for i in 4 {", "x = 1", "}"}), text_of({"  for i in 4 {", "    x = 1", "  }"})) ==
          "0=0 1=1 2=2"); // indentation does not count
    CHECK(rows(text_of({"a moved line here", "b", "c"}), text_of({"b", "c", "a moved line here"})) ==
          "0>. 1=0 2=1 .>2");
    CHECK(rows(text_of({}), text_of({"x"})) == ".+0");
}

TEST_CASE("numbers that a code generator gives do not count", "[views][diff]") {
    DiffText a = text_of({"  %12 = add i64 %11, 4, !dbg !7", "  br label %5"}),
             b = text_of({"  %3 = add i64 %2, 4, !dbg !19", "  br label %9"});
    a.language = b.language = TextLanguage::Llvm;
    CHECK(rows_text(align_lines(a, b, {})) == "0=0 1=1");
    DiffText x = text_of({"\tjne .LBB0_12"}), y = text_of({"\tjne .LBB3_4"});
    x.language = y.language = TextLanguage::Assembly;
    CHECK(rows_text(align_lines(x, y, {})) == "0=0");
}

TEST_CASE("words that differ are marked, neighbours together", "[views][diff]") {
    const DiffWords words = changed_words("conv2d(x, w) {strides=[1, 1]}", "conv2d(x, w) {strides=[2, 2]}");
    REQUIRE(words.left.size() == 2);
    CHECK(words.left[0] == std::pair<std::uint32_t, std::uint32_t>{23, 24});
    CHECK(words.right.size() == 2);
    CHECK(changed_words("same", "same").left.empty());
    CHECK(changed_words("", "new").right == std::vector<std::pair<std::uint32_t, std::uint32_t>>{{0, 3}});
}

TEST_CASE("both sides have as many lines, and equal stretches fold", "[views][diff]") {
    DiffText a, b;
    for (int i = 0; i < 40; ++i) {
        a.lines.push_back({"line " + std::to_string(i), {}, 0, false, LineChange::None, -1});
        if (i != 20) b.lines.push_back(a.lines.back());
    }
    const AlignedTexts both = lay_side_by_side(a, b, align_lines(a, b, {}));
    CHECK(both.left->line_count() == 40);
    CHECK(both.right->line_count() == 40);
    CHECK(both.right->changes[20] == LineChange::Filler);
    CHECK(both.right->line(20).empty());
    CHECK(both.right->numbers[21] == 21);
    CHECK(both.hunks == std::vector<int>{20});
    CHECK(both.removed == 1);
    CHECK(both.left->folds == std::vector<FoldRange>{{0, 16}, {23, 39}});
}

TEST_CASE("a point against itself is empty", "[views][diff]") {
    for (const char* at : {"import", "last", "lower", "scheduled"}) {
        const session::Point point = session::parse_point(at, *resnet()).value();
        const DiffViewData data = diff(resnet(), point, resnet(), point);
        INFO(at);
        CHECK(data.identical);
        CHECK(data.hunks.empty());
        CHECK(data.changes.rows.empty());
        CHECK(data.lines.none());
    }
    // Recompiled from nothing, nothing is the same handle; under another seed only the weights differ.
    const DiffViewData again = diff(resnet(), {}, snapshot_of(recipe_of("resnet18")), {});
    CHECK(again.identical);
    session::Recipe seeded = recipe_of("resnet18");
    seeded.seed = 9;
    const DiffViewData weights = diff(resnet(), {}, snapshot_of(seeded), {});
    CHECK_FALSE(weights.identical);
    CHECK(weights.operators.none());
    CHECK(weights.summary == "only weights differ");
}

TEST_CASE("batch norms go into convolutions: what is removed, changed, and by which rule", "[views][diff]") {
    const int step = step_named(*resnet(), "SimplifyInference");
    const DiffViewData data =
        diff(resnet(), {session::Level::Graph, step - 1, {}}, resnet(), {session::Level::Graph, step, {}});
    CHECK(data.graph);
    CHECK_FALSE(data.identical);
    // Twenty batch norms; each leaves a bias_add in its place, and small sums that are folded later.
    int batch_norms = 0, with_rule = 0;
    for (const TableRow& row : data.changes.rows)
        if (row.cells[2].text.starts_with("batch_norm")) {
            ++batch_norms;
            with_rule += row.cells[5].text.starts_with("SimplifyInference: batch norm") ? 1 : 0;
            CHECK(row.details.find("core/transform/simplify_inference.cpp:") != std::string::npos);
        }
    CHECK(batch_norms == 20);
    CHECK(with_rule == 20);
    CHECK(data.left->line_count() == data.right->line_count());
    CHECK_FALSE(data.left->words.empty());
    const auto figure = std::ranges::find_if(data.statistics.rows,
                                             [](const TableRow& r) { return r.cells[0].text == "· normalization"; });
    REQUIRE(figure != data.statistics.rows.end());
    CHECK(figure->cells[1].text == "20");
    CHECK(figure->cells[2].text == "0");
}

TEST_CASE("fusion adds and removes nothing: operators move into kernels", "[views][diff]") {
    const int step = step_named(*resnet(), "FuseOps");
    const DiffRequest request{
        resnet(), resnet(), {session::Level::Graph, step - 1, {}}, {session::Level::Graph, step, {}}, {}};
    const DiffViewData data = build_diff(request, {}).value();
    CHECK(data.operators.added == 0);
    CHECK(data.operators.removed == 0);
    CHECK(data.operators.changed == 0);
    CHECK(data.operators.moved > 40);
    const GraphDescription graph = describe_diff(request);
    std::set<std::string> names;
    for (std::size_t i = 0; i < graph.items.size(); ++i) {
        names.insert(graph.items[i].name);
        for (const int input : graph.items[i].inputs) CHECK(input < static_cast<int>(i));
        CHECK(graph.items[i].change != NodeMark::None);
        CHECK(graph.items[i].change != NodeMark::Removed);
    }
    CHECK(names.size() == graph.items.size());
    const auto peak = std::ranges::find_if(data.statistics.rows,
                                           [](const TableRow& r) { return r.cells[0].text == "memory written"; });
    REQUIRE(peak != data.statistics.rows.end());
    CHECK(peak->cells[3].sort_key < 0); // what stays inside a kernel is not written
}

TEST_CASE("the graph of both sides shows what is gone among what stays", "[views][diff]") {
    const DiffRequest request{resnet(), resnet(), {session::Level::Graph, 0, {}}, {}, {}};
    const GraphDescription graph = describe_diff(request);
    int gone = 0, stays = 0;
    for (std::size_t i = 0; i < graph.items.size(); ++i) {
        const GraphItem& item = graph.items[i];
        gone += item.change == NodeMark::Removed ? 1 : 0;
        stays += item.change != NodeMark::Removed ? 1 : 0;
        for (const int input : item.inputs) CHECK(input < static_cast<int>(i));
    }
    CHECK(gone > 0);
    CHECK(stays == static_cast<int>(describe_graph(*resnet(), -1).items.size()));
}

TEST_CASE("schedule steps and code are compared line by line", "[views][diff]") {
    const DiffViewData tensor = diff(resnet(), session::parse_point("lower", *resnet()).value(), resnet(),
                                     session::parse_point("scheduled", *resnet()).value());
    CHECK_FALSE(tensor.graph);
    CHECK(tensor.lines.added > 0);
    CHECK(tensor.left->language == TextLanguage::Tensor);
    auto with_code = std::make_shared<session::Snapshot>(*resnet());
    const session::FunctionPtr function = session::function_of({}, *with_code);
    with_code->code[function->lowered.name] = compiler().code(with_code->recipe, function).value();
    const DiffViewData ir = diff(with_code, session::parse_point("ir", *with_code).value(), with_code,
                                 session::parse_point("optimized", *with_code).value());
    CHECK(ir.lines.removed + ir.lines.added + ir.lines.changed > 0);
    CHECK(ir.left->language == TextLanguage::Llvm);
    const DiffViewData mixed = diff(with_code, session::parse_point("asm", *with_code).value(), with_code, {});
    CHECK(mixed.left->line_count() == 0);
    CHECK(mixed.empty_reason.find("different languages") != std::string::npos);
    const DiffViewData waiting = diff(resnet(), session::parse_point("asm", *resnet()).value(), resnet(),
                                      session::parse_point("asm", *resnet()).value());
    CHECK(waiting.empty_reason.starts_with("Generating the code"));
}

TEST_CASE("two models are linked by names, and by structure where names differ", "[views][diff]") {
    const auto other = snapshot_of(recipe_of("lenet"));
    const DiffViewData data = diff(resnet(), {}, other, {});
    CHECK(data.left_title.starts_with("resnet18"));
    CHECK_FALSE(data.identical);
    CHECK(data.left->line_count() == data.right->line_count());
    // A model whose nodes all have other names is still the same graph.
    graph::Module renamed = resnet()->steps.front()->module;
    auto sources = std::make_shared<std::vector<graph::Source>>(*renamed.sources);
    for (graph::Source& source : *sources) source.name = "other/" + source.name;
    renamed.sources = sources;
    const session::SourceMap map = session::map_sources(resnet()->steps.front()->module, renamed);
    CHECK_FALSE(map.identity());
    CHECK(map.mapped(sources->size()) > sources->size() * 9 / 10);
}

TEST_CASE("a side's nodes carry the first model's origins, its own stay its own", "[views][diff][sides]") {
    const session::SnapshotPtr lenet = snapshot_of(recipe_of("lenet")), mlp = snapshot_of(recipe_of("mlp"));
    const auto& sources = *lenet->steps.front()->module.sources;
    const session::SourceMap map = session::map_sources(lenet->steps.front()->module, mlp->steps.front()->module);
    const GraphDescription one = describe_side({*lenet, *mlp, -1, 1}, map, {}),
                           two = describe_side({*lenet, *mlp, -1, 2}, map, {});
    REQUIRE(one.items.size() == two.items.size());
    int linked = 0, alone = 0;
    for (std::size_t i = 0; i < one.items.size(); ++i)
        for (const SourceId id : one.items[i].origins.ids()) {
            const bool known = id < sources.size();
            ++(known ? linked : alone);
            CHECK(two.items[i].origins.contains(id) == known);
        }
    CHECK(linked >= 3); // the dense layers of both are called fc1, fc2, fc3
    CHECK(alone >= 2);  // one's activations are relu, the other's tanh
}

TEST_CASE("figures of several recipes stand beside each other", "[views][diff]") {
    session::Recipe lenet = recipe_of("lenet");
    lenet.passes = transform::default_pipeline(2); // layouts, and what goes between them, are the machine's
    const Table table =
        compare_figures({{resnet()}, {snapshot_of(lenet)}, {snapshot_of(recipe_of("mlp"))}}, {}).value();
    REQUIRE(table.columns.size() == 4);
    CHECK(table.columns[2].title == "lenet");
    const auto row = std::ranges::find_if(table.rows, [](const TableRow& r) { return r.cells[0].text == "operators"; });
    REQUIRE(row != table.rows.end());
    CHECK(row->cells[2].text == "18");
    for (const TableRow& each : table.rows) CHECK(each.cells.size() == 4);
}

TEST_CASE("the text form of a small comparison", "[views][diff][golden]") {
    const auto step = [](const char* name, const char* text) {
        auto made = std::make_shared<session::GraphStep>();
        made->name = name, made->changed = true;
        made->module =
            graph::parse_module(text, ops::registry(), {}, std::make_shared<std::vector<graph::Source>>()).value();
        return made;
    };
    auto snapshot = std::make_shared<session::Snapshot>();
    snapshot->title = "small";
    snapshot->steps = {step("import", R"(outputs ["y"];
fn main(x: f32[4,8]) -> f32[4,8] {
  a: f32[4,8] = relu(x);
  d: f32[4,8] = sigmoid(a);
  s: f32[4,8] = softmax(d) {axis=1};
  return s;
})"),
                       step("Simplify", R"(outputs ["y"];
fn main(x: f32[4,8]) -> f32[4,8] {
  a: f32[4,8] = relu(x);
  s: f32[4,8] = softmax(a) {axis=0};
  t: f32[4,8] = tanh(s);
  return t;
})")};
    const DiffViewData data = diff(snapshot, {session::Level::Graph, 0, {}}, snapshot, {});
    CHECK(to_text(data) == R"(--- imported
+++ after Simplify
1 added · 1 removed · 1 changed
 fn main(x: f32[4,8]) -> f32[4,8] {
   a: f32[4,8] = relu(x);
-  d: f32[4,8] = sigmoid(a);
-  s: f32[4,8] = softmax(d) {axis=1};
+  s: f32[4,8] = softmax(a) {axis=0};
+  t: f32[4,8] = tanh(s);
-  return s;
+  return t;
 }

Figure           Before  After   Difference
operators             3      3
kernels               0      0
FLOPs               324    232  −92 (−28 %)
memory read       384 B  384 B
memory written    384 B  384 B
parameters            0      0
parameter bytes     0 B    0 B
peak memory       256 B  256 B
· normalization       1      1
· activation          2      2

Change   Value  Was            Is             What                  Why
removed  d      sigmoid · 4×8                                       Simplify
changed  s      softmax · 4×8  softmax · 4×8  axis 1 → 0, operands  Simplify
added    t                     tanh · 4×8                           Simplify
)");
    CHECK(to_json(data).find("\"summary\": \"1 added · 1 removed · 1 changed\"") != std::string::npos);
}

TEST_CASE("what the window compares: the stage before, a pinned one, the same of another recipe", "[views][diff]") {
    ViewOptions options;
    const session::SnapshotPtr snapshot = resnet();
    const auto last = static_cast<int>(snapshot->steps.size()) - 1;
    DiffRequest request = diff_request(snapshot, options); // nothing selected: the last step
    CHECK(request.left_point.step == last - 1);
    options.selected_stage = 0;
    CHECK_FALSE(diff_request(snapshot, options).empty_reason.empty());
    options.selected_stage = 3;
    request = diff_request(snapshot, options);
    CHECK((request.left_point.step == 2 && request.right_point.step == 3));
    options.selected_stage = kTensorStages + 2;
    request = diff_request(snapshot, options);
    CHECK((request.left_point.level == session::Level::Tensor && request.left_point.step == 1));
    CHECK(request.left_point.function == request.right_point.function);
    options.selected_stage = kCodeStages + 1;
    CHECK(diff_request(snapshot, options).left_point.level == session::Level::Ir);
    options.selected_stage = kBackendStages + 3;
    CHECK(diff_request(snapshot, options).right_point.level == session::Level::OptimizedIr);
    options.selected_stage = kCodeStages + 2;
    CHECK_FALSE(diff_request(snapshot, options).empty_reason.empty());
    options.diff.pinned = session::Point{session::Level::Assembly, -1, snapshot->functions.front()->lowered.name};
    CHECK(diff_request(snapshot, options).left_point == *options.diff.pinned);
    options.diff = {};
    options.diff.other = snapshot_of(recipe_of("lenet"));
    options.selected_stage = step_named(*snapshot, "SimplifyInference");
    request = diff_request(snapshot, options);
    CHECK(request.right == options.diff.other);
    CHECK(request.right->steps[static_cast<std::size_t>(request.right_point.step)]->name == "SimplifyInference");
    options.diff.swapped = true;
    CHECK(diff_request(snapshot, options).left == options.diff.other);
    CHECK_FALSE(diff_request(std::make_shared<session::Snapshot>(), options).empty_reason.empty());
}

TEST_CASE("points are named, numbered, and refused with a list", "[session][diff]") {
    const session::Snapshot& s = *resnet();
    CHECK(session::parse_point("import", s).value().step == 0);
    CHECK(session::parse_point("FuseOps", s).value().step == step_named(s, "FuseOps"));
    CHECK(session::parse_point("FoldConstant#1", s).value().step == 2);
    CHECK(session::parse_point("asm", s).value().level == session::Level::Assembly);
    const std::string name = s.functions.front()->lowered.name;
    const session::Point lower = session::parse_point(name + "@lower", s).value();
    CHECK((lower.function == name && lower.step == 0));
    for (const char* bad : {"nothing", "FoldConstant#9", "99999", "no_such@lower", "#", "@", "lower#2"}) {
        INFO(bad);
        const auto refused = session::parse_point(bad, s);
        REQUIRE_FALSE(refused);
        CHECK(refused.error().code == Code::UnknownName);
        CHECK_FALSE(refused.error().hint.empty());
    }
    for (const char* good : {"import", "last", "3", "lower", "scheduled", "ir", "optimized", "asm"}) {
        const session::Point point = session::parse_point(good, s).value();
        CHECK(session::parse_point(session::to_string(point, s), s).value() == point);
    }
}

TEST_CASE("a report stands alone and stays small", "[views][diff]") {
    const DiffRequest request{resnet(), resnet(), {session::Level::Graph, 0, {}}, {}, {}};
    const std::string html = to_html(build_diff(request, {}).value());
    CHECK(html.size() < 20u << 20);
    CHECK(html.starts_with("<!doctype html>"));
    for (const char* outside : {"http://", "https://", "src=", "@import", "<link"})
        CHECK(html.find(outside) == std::string::npos);
    CHECK(html.find("prefers-color-scheme: dark") != std::string::npos);
    CHECK(html.find("batch_norm") != std::string::npos);
    DiffViewData hostile;
    DiffText a = text_of({"<script>alert(1)</script> & \"quoted\""});
    const AlignedTexts both = lay_side_by_side(a, a, align_lines(a, a, {}));
    hostile.left = both.left, hostile.right = both.right, hostile.left_title = "<b>";
    CHECK(to_html(hostile).find("<script>alert") == std::string::npos);
}

TEST_CASE("a report of very long texts leaves equal lines out and says so", "[views][diff]") {
    DiffText a, b;
    for (int i = 0; i < 200'000; ++i) {
        a.lines.push_back(
            {"a rather long line of program text, number " + std::to_string(i), {}, 0, false, LineChange::None, -1});
        b.lines.push_back(a.lines.back());
    }
    b.lines[100'000].text = "another line";
    DiffViewData data;
    const AlignedTexts both = lay_side_by_side(a, b, align_lines(a, b, {}));
    data.left = both.left, data.right = both.right;
    const std::string html = to_html(data);
    CHECK(html.size() < 1u << 20);
    CHECK(html.find("lines that are alike are left out") != std::string::npos);
}
