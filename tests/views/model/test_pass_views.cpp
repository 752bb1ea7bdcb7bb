// The pass explorer's view data: strip, overlays, groups, exports, script, edited text.

#include "backends/llvm/llvm_backend.hpp"
#include "core/graph/text.hpp"
#include "core/session/session.hpp"
#include "views/model/graph_export.hpp"
#include "views/model/screen_builder.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

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
    }
    void edit(const std::function<void(session::Recipe&)>& change) {
        session.edit("edit", change);
        session.wait_idle();
    }
    std::shared_ptr<const GraphViewData> graph(const ViewOptions& options) {
        return builder.build_graph(session.snapshot(), options, {}).value();
    }
};

const StageStep& step_named(const StagesViewData& stages, const std::string& name) {
    for (const StageSection& section : stages.sections)
        for (const StageStep& step : section.steps)
            if (step.name == name) return step;
    FAIL("no step " << name);
    return stages.sections.front().steps.front();
}

/// Boxes of the same name keep their order from left to right, row by row of the later picture: the share that does.
double share_in_order(const GraphViewData& before, const GraphViewData& after) {
    std::map<std::string, float> x;
    for (const GraphNode& n : before.nodes) x[n.name] = n.box.x + n.box.width / 2;
    std::map<float, std::vector<const GraphNode*>> rows;
    for (const GraphNode& n : after.nodes)
        if (x.contains(n.name)) rows[n.box.y + n.box.height / 2].push_back(&n);
    int pairs = 0, kept = 0;
    for (auto& [y, row] : rows)
        for (std::size_t i = 0; i < row.size(); ++i)
            for (std::size_t k = i + 1; k < row.size(); ++k) {
                const float then = x[row[i]->name] - x[row[k]->name], now = row[i]->box.x - row[k]->box.x;
                if (std::abs(then) < 1) continue; // one stood above the other
                ++pairs;
                kept += (then < 0) == (now < 0) ? 1 : 0;
            }
    return pairs == 0 ? 1 : static_cast<double>(kept) / pairs;
}

} // namespace

TEST_CASE("the strip says what each pass is, did, and how it is written", "[views][strip]") {
    Opened t("lenet");
    int first = 0;
    t.edit([&](session::Recipe& r) {
        const auto fold = std::ranges::find(r.passes, "FoldConstant", &transform::PassStep::name);
        fold->options["max_bytes"] = "1000";
        first = static_cast<int>(fold - r.passes.begin());
    });
    t.session.check_steps();
    t.session.wait_idle();
    const auto function = shown_function(*t.session.snapshot(), "");
    t.session.want_code(function->lowered.name);
    t.session.wait_idle();
    const auto snapshot = t.session.snapshot();
    const StagesViewData stages = build_stages(*snapshot, {});
    CHECK(stages.choices.size() == transform::passes().size());
    CHECK(stages.command.find("--pass-option FoldConstant.max_bytes=1000") != std::string::npos);
    const StageStep& fold = step_named(stages, "FoldConstant");
    CHECK(fold.pass == first);
    CHECK_FALSE(fold.summary.empty());
    REQUIRE(fold.options.size() >= 1);
    CHECK(fold.options[0].value == "1000");
    CHECK(fold.options[0].own);
    CHECK_FALSE(step_named(stages, "FuseOps").check.empty());
    CHECK(step_named(stages, "FuseOps").check_tone == Tone::Good);
    CHECK(step_named(stages, "import").pass == -1);
    // LLVM's own passes stand between what is generated and the assembly.
    const StageSection& llvm = stages.sections[2];
    REQUIRE(llvm.steps.size() > 5);
    CHECK(llvm.steps.front().id == kCodeStages);
    CHECK(llvm.steps[1].id == kBackendStages);
    CHECK(llvm.steps[1].name == "SROA");
    CHECK(llvm.steps.back().id == kCodeStages + 2);
    float most = 0;
    for (const StageStep& step : llvm.steps) most = std::max(most, step.share);
    CHECK(most == 1);
    CHECK(nlohmann::json::parse(to_json(stages))["sections"].size() == 3);
}

TEST_CASE("the strip's filter: by name, and what changed", "[views][strip]") {
    StageStep step;
    step.name = "FoldConstant", step.changed = false;
    CHECK(passes_filter(step, "", false));
    CHECK(passes_filter(step, "fold", false));
    CHECK_FALSE(passes_filter(step, "fuse", false));
    CHECK_FALSE(passes_filter(step, "", true));
    step.state = StageState::Failed;
    CHECK(passes_filter(step, "", true));
}

TEST_CASE("a failed pass keeps its input, those after it are not reached", "[views][strip]") {
    Opened t("lenet");
    t.edit([](session::Recipe& r) {
        r.passes.insert(r.passes.begin() + 1, {"HandEdit", {{"text", "fn main() {\n  nonsense\n}"}}, true});
    });
    const auto snapshot = t.session.snapshot();
    const StagesViewData stages = build_stages(*snapshot, {});
    const StageStep& failed = step_named(stages, "HandEdit");
    CHECK(failed.state == StageState::Failed);
    CHECK_FALSE(failed.error.empty());
    CHECK(stages.sections[0].steps.size() == snapshot->recipe.passes.size() + 1);
    CHECK(stages.sections[0].steps.back().state == StageState::Pending);
    CHECK(stages.sections[0].steps.back().pass >= 0);
    const GraphDescription shown = describe_graph(*snapshot, failed.id);
    CHECK(shown.title.starts_with("before HandEdit"));
    CHECK(shown.items.size() > 5);
    ViewOptions options;
    options.editor = true;
    options.graph_step = failed.id;
    const EditViewData edit = build_edit(*snapshot, options);
    CHECK(edit.is_edit);
    CHECK(edit.error_line >= 2);
    CHECK(edit.text.find("nonsense") != std::string::npos);
}

TEST_CASE("stepping keeps the order of what did not change, and comes back to the same picture", "[views][graph]") {
    for (const char* network : {"lenet", "inception_v1", "transformer"}) {
        Opened t(network);
        ViewOptions options;
        options.graph.groups = GroupState::Open;
        const int last = static_cast<int>(t.session.snapshot()->steps.size()) - 1;
        std::map<int, std::shared_ptr<const GraphViewData>> seen;
        std::shared_ptr<const GraphViewData> before;
        int steps = 0, good = 0;
        for (int step = last; step >= 0; --step) {
            options.graph_step = step;
            const auto now = t.graph(options);
            if (before && now != before) {
                ++steps;
                good += share_in_order(*before, *now) >= 0.999 ? 1 : 0;
            }
            seen[step] = before = now;
        }
        for (int step = 0; step <= last; ++step) {
            options.graph_step = step;
            CHECK(t.graph(options) == seen[step]);
        }
        INFO(network << ": " << good << " of " << steps);
        CHECK(good * 100 >= steps * 95);
    }
}

TEST_CASE("overlays: every value known after a run and a check, sums as measured", "[views][overlay]") {
    Opened t("lenet");
    t.session.run();
    t.session.wait_idle();
    t.session.check();
    t.session.wait_idle();
    ViewOptions options;
    double flops = 0, bytes = 0;
    for (const auto& call : t.session.snapshot()->lowered->calls) {
        const tensor::Cost& cost = t.session.snapshot()->functions[call.function]->cost;
        flops += cost.flops, bytes += cost.bytes_read + cost.bytes_written;
    }
    for (int o = 0; o < kOverlays; ++o) {
        options.graph.overlay = static_cast<Overlay>(o);
        const auto graph = t.graph(options);
        CHECK(graph->has_overlay[static_cast<std::size_t>(o)]);
        CHECK_FALSE(graph->legend.title.empty());
        CHECK(std::ranges::any_of(graph->nodes, [](const GraphNode& n) { return n.heat >= 0; }));
        for (const GraphNode& n : graph->nodes) CHECK(n.heat <= 1);
        double work = 0, moved = 0;
        for (const TableRow& row : graph->table.rows) {
            work += std::max(0.0, row.cells[3].sort_key), moved += std::max(0.0, row.cells[4].sort_key);
            CHECK_FALSE(row.origins.empty());
        }
        CHECK(work == Approx(flops));
        CHECK(moved == Approx(bytes));
    }
    // The import has work and bytes by operator, but nothing that was measured.
    options.graph.overlay = Overlay::Flops;
    options.graph_step = 0;
    const auto imported = t.graph(options);
    CHECK(imported->has_overlay[static_cast<std::size_t>(Overlay::Flops)]);
    CHECK_FALSE(imported->has_times);
}

TEST_CASE("kernels as groups: fused ones open into their operators, others close into what they become",
          "[views][groups]") {
    Opened t("lenet");
    const auto snapshot = t.session.snapshot();
    for (const int step : {-1, 0}) {
        const GraphDescription d = describe_graph(*snapshot, step, {GroupBy::Kernels, nullptr});
        REQUIRE_FALSE(d.clusters.empty());
        for (std::size_t i = 0; i < d.items.size(); ++i)
            for (const int input : d.items[i].inputs) CHECK(input < static_cast<int>(i));
        const std::vector<GraphBlock> blocks = find_blocks(d, GroupBy::Kernels);
        CHECK(blocks.size() >= 5); // conv + bias + tanh and the like
        for (const GraphBlock& block : blocks) {
            CHECK(block.operators >= 2);
            for (int i = block.first; i < block.first + block.count; ++i)
                CHECK(d.items[static_cast<std::size_t>(i)].cluster == block.cluster);
        }
        GraphOptions closed;
        closed.group_by = GroupBy::Kernels, closed.groups = GroupState::Closed;
        layout::LayoutEngine engine;
        const GraphViewData drawn = build_graph_view(d, closed, engine, {}).value();
        int kernels = 0;
        for (const GraphNode& n : drawn.nodes)
            kernels += n.kind != OperatorKind::Input && n.kind != OperatorKind::Output && !n.stub ? 1 : 0;
        // One box a kernel call; what folds away (a reshape of a constant) may leave fewer.
        CHECK(kernels <= static_cast<int>(snapshot->lowered->calls.size()) + 1);
        CHECK(kernels + 2 >= static_cast<int>(snapshot->lowered->calls.size()));
    }
}

TEST_CASE("clusters whose items are apart are brought together, cyclic ones stay", "[views][groups]") {
    const auto item = [](const char* name, int cluster, std::vector<int> inputs) {
        GraphItem i;
        i.name = i.title = name, i.cluster = cluster, i.inputs = std::move(inputs);
        i.kind = OperatorKind::Elementwise;
        return i;
    };
    GraphDescription d;
    d.clusters = {{"a", "a", {}}, {"b", "b", {}}};
    d.items = {item("x", 0, {}), item("y", 1, {}), item("z", 0, {0}), item("w", 1, {1})};
    gather_clusters(d);
    CHECK(find_blocks(d, GroupBy::Kernels).size() == 2);
    CHECK(d.items[1].name == "z");
    CHECK(d.items[1].inputs == std::vector<int>{0});
    d.items = {item("x", 0, {}), item("y", 1, {0}), item("z", 0, {1})};
    d.clusters = {{"a", "a", {}}, {"b", "b", {}}};
    gather_clusters(d);
    CHECK(d.items[1].name == "y");
    CHECK(find_blocks(d, GroupBy::Kernels).empty());
}

TEST_CASE("exports: SVG, DOT and CSV hold every node", "[views][export]") {
    Opened t("lenet");
    t.session.run();
    t.session.wait_idle();
    const auto graph = t.graph({});
    const std::string svg = to_svg(*graph, {false, true}), dot = to_dot(*graph), csv = to_csv(graph->table);
    CHECK(svg.starts_with("<?xml"));
    CHECK(svg.find("NaN") == std::string::npos);
    CHECK(svg.find("nan") == std::string::npos);
    CHECK(svg.find("Time of the last run") != std::string::npos);
    std::size_t groups = 0, arrows = 0, lines = 0;
    for (std::size_t at = svg.find("<g><title>"); at != std::string::npos; at = svg.find("<g><title>", at + 1))
        ++groups;
    for (std::size_t at = dot.find(" -> "); at != std::string::npos; at = dot.find(" -> ", at + 1)) ++arrows;
    for (std::size_t at = csv.find("\r\n"); at != std::string::npos; at = csv.find("\r\n", at + 1)) ++lines;
    CHECK(groups == graph->nodes.size());
    CHECK(arrows == graph->edges.size());
    CHECK(lines == graph->table.rows.size() + 1);
    CHECK(csv.starts_with("Operator,Result,Time (ms),Work (FLOP),Bytes (B)"));
    Table quoted;
    quoted.columns = {{"a", Align::Left, 0}};
    quoted.rows.push_back({{{"say \"hi\", twice", 0, -1}}, {}, Tone::Normal, {}});
    CHECK(to_csv(quoted) == "a\r\n\"say \"\"hi\"\", twice\"\r\n");
}

TEST_CASE("the script lists every action with its command line", "[views][script]") {
    Opened t("mlp");
    t.edit([](session::Recipe& r) { r.passes.erase(r.passes.begin()); });
    t.edit([](session::Recipe& r) { r.passes.back().options["max_depth"] = "3"; });
    t.session.undo();
    t.session.wait_idle();
    const ScriptViewData script = build_script(*t.session.snapshot());
    REQUIRE(script.table.rows.size() == 3);
    CHECK(script.current == 1);
    CHECK(script.table.rows[0].details == "orrery run mlp");
    CHECK(script.table.rows[2].tone == Tone::Dim);
    CHECK(script.table.rows[2].details.find("FuseOps.max_depth=3") != std::string::npos);
    CHECK(script.command == script.table.rows[1].details);
    // Command lines that are remembered are the same, after an edit that drops one too.
    CommandBook book;
    CHECK(build_script(*t.session.snapshot(), &book) == script);
    REQUIRE(book.size() == 3);
    CHECK(build_script(*t.session.snapshot(), &book) == script);
    t.edit([](session::Recipe& r) { r.passes.back().enabled = false; });
    const ScriptViewData next = build_script(*t.session.snapshot(), &book);
    CHECK(next == build_script(*t.session.snapshot()));
    CHECK(next.current == 2);
    CHECK(book[0].first == t.session.snapshot()->history->entries[0].recipe);
}

TEST_CASE("text edited by hand is a step that can be undone", "[views][edit]") {
    Opened t("lenet");
    ViewOptions options;
    options.editor = true;
    options.graph_step = 0;
    EditViewData edit = build_edit(*t.session.snapshot(), options);
    CHECK_FALSE(edit.is_edit);
    const std::size_t at = edit.text.find("= tanh(");
    REQUIRE(at != std::string::npos);
    std::string text = edit.text;
    text.replace(at, 7, "= relu(");
    t.edit([&](session::Recipe& r) { r.passes.insert(r.passes.begin(), {"HandEdit", {{"text", text}}, true}); });
    const auto snapshot = t.session.snapshot();
    REQUIRE_FALSE(snapshot->steps.back()->error);
    CHECK(snapshot->steps[1]->changed);
    CHECK(graph::to_string(snapshot->steps[1]->module) == text);
    t.session.check_steps();
    t.session.wait_idle();
    CHECK(t.session.snapshot()->step_checks->first_wrong == 1); // other numbers, and the strip says so
    t.session.undo();
    t.session.wait_idle();
    CHECK(t.session.snapshot()->steps.size() == snapshot->steps.size() - 1);
}
