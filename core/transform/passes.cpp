#include "core/transform/passes.hpp"

#include "core/graph/builder.hpp"
#include "core/transform/mixed_precision.hpp"
#include "core/transform/planted.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <vector>

namespace orrery::transform {

namespace {

using Options = std::vector<pass::OptionSpec>;

/// A pass that needs types, and keeps whatever holds.
GraphPass row(const char* name, const char* summary, decltype(GraphPass::run) run, Options options = {}) {
    return {name, summary, kTyped, 0, 0, std::move(options), run};
}

Options branch_options(const char* width) {
    return {{"min_branches", "2", "fewest that are joined"}, {"max_width", width, "most channels of one"}};
}

std::vector<GraphPass> layout_passes() {
    return {
        row("AlterOpLayout", "moves convolutions and constant matrices to a layout that fills vectors", alter_op_layout,
            {{"vector_bits", "128", "width of the vector registers; the target's when left out"},
             {"bf16_tiles", "false", "products of bf16 in tiles; the target's when left out"},
             {"f16_arithmetic", "false", "whether f16 is computed in f16; the target's when left out"},
             {"f16_sums", "0", "most products of f16 added up in f16 before f32, where f16 is computed in f16"},
             {"byte_products", "none",
              "how products of bytes are made: none, dots (of four at a time), tiles; the target's when left out"},
             {"choose", "graph", "graph: what costs least over the whole graph; local: each convolution for itself"},
             {"costs", "", "measured times of kernels, lines KERNEL = NANOSECONDS; estimates for all others"},
             {"l2_bytes", "524288", "of a core's second-level cache; the target's when left out"},
             {"l3_bytes", "8388608", "of the third-level cache; the target's when left out"}}),
        row("ConvertLayout", "moves convolutions to a layout", convert_layout,
            {{"layout", "NCHW", "NCHW, NHWC, or NCHW8c with any block"}}),
        row("Winograd", "computes 3x3 convolutions in tiles with fewer products", winograd,
            {{"costs", "", "measured times of kernels, as AlterOpLayout takes them; estimates for all others"},
             {"tile", "auto", "extent of a tile of results: auto, 2, 4, or 0 for no convolution"},
             {"vector_bits", "128", "width of the vector registers; the target's when left out"}}),
    };
}

std::vector<GraphPass> type_passes() {
    return {
        row("IntegerProducts", "computes quantized products by constants from bytes, with sums in i32",
            integer_products,
            {{"byte_products", "none",
              "how the target makes products of bytes; none: those of dequantized values stay; the target's when left "
              "out"}}),
        row("FastMath", "approximates erf, gelu, sigmoid, tanh and quotients by constants", fast_math),
        row("Legalize", "rewrites what a target lacks", legalize,
            {{"lacks", "", "f16, bf16, int8_conv, depthwise_conv, grouped_conv, dilated_conv"}}),
        row("ToMixedPrecision", "computes in f16 or bf16 what tolerates it", to_mixed_precision,
            {{"dtype", "f16", "f16 or bf16"},
             {"allow", kNarrowAllowed, "operators always computed so"},
             {"follow", kNarrowFollowing, "operators computed so after one that is"},
             {"deny", "", "operators taken out of both lists"},
             {"products", "all",
              "weights: only convolutions and products by constants, tiles: only convolutions by constants and "
              "products that fill tiles of 32 summed elements and columns; what they give is f32, what is read "
              "narrow is kept narrow, and only operators that move elements follow"}}),
    };
}

std::vector<GraphPass> fusion_passes() {
    GraphPass defuse = row("DefuseOps", "puts kernels' operators back", defuse_ops);
    defuse.breaks = kFused;
    GraphPass fuse = row(
        "FuseOps", "groups operators into kernels", fuse_ops,
        {{"max_depth", "64", "most operators in a group"},
         {"fuse", "true", "false: one operator a kernel"},
         {"piece_bytes", "0",
          "most bytes of a depthwise convolution's rows that the next convolution finds in a cache; the target's when "
          "left out"},
         {"image_bytes", "0",
          "most bytes of a convolution's rows that the pooling after it finds in a cache; the target's when left "
          "out"}});
    fuse.establishes = kFused;
    GraphPass plan{"PlanMemory",
                   "gives what kernels make a place in one arena",
                   kTyped | kFused,
                   kPlanned,
                   0,
                   {{"reuse", "true", "false: every value has memory of its own"}},
                   plan_memory};
    return {std::move(defuse), std::move(fuse), std::move(plan)};
}

std::vector<GraphPass> rewriting_passes() {
    return {
        row("CanonicalizeOps", "brings products, recurrent networks, layer norms to the form schedules are made for",
            canonicalize_ops),
        row("CombineParallelBatchMatmul", "joins matrix products of one batch", combine_parallel_batch_matmul,
            branch_options("64")),
        row("CombineParallelConv2D", "joins convolutions of one input", combine_parallel_conv2d, branch_options("64")),
        row("CombineParallelDense", "joins products of one tensor with constant matrices", combine_parallel_dense,
            branch_options("1024")),
        {"DeadCode", "drops bindings nobody uses", 0, 0, 0, {}, dead_code},
        row("EliminateCommonSubexpr", "computes equal expressions once", eliminate_common_subexpr),
        row("FoldConstant", "replaces calls on constants by their value", fold_constant,
            {{"max_bytes", "268435456",
              "largest result that is folded, in bytes, where it is larger than its operands"}}),
        row("FoldScaleAxis", "takes products with constants into weights", fold_scale_axis,
            {{"forward", "true", "into weights after the product"}, {"backward", "true", "into weights before it"}}),
        row("SimplifyExpr", "removes detours: reshapes, transposes, casts, slices, neutral elements", simplify_expr,
            {{"reassociate", "false", "join constants across floating-point sums and products"}}),
        row("SimplifyInference", "rewrites what only training needs; folds batch norms into convolutions",
            simplify_inference, {{"fold_conv", "true", "scale a convolution's constant weights by its batch norm"}}),
    };
}

std::vector<GraphPass> region_passes() {
    return {
        {"AnnotateTarget",
         "puts what a backend takes into functions for it",
         kTyped,
         kAnnotated,
         0,
         {{"backend", "dnnl", "the backend's name"}},
         annotate_target},
        {"MergeRegions", "joins a backend's functions into regions", kAnnotated, 0, 0, {}, merge_regions},
        {"PartitionGraph",
         "makes each region one step of the plan",
         kAnnotated,
         0,
         kAnnotated,
         {{"min_operators", "1", "least operators of a region that stays"}},
         partition_graph},
    };
}

std::vector<GraphPass> function_passes() {
    return {
        {"HandEdit",
         "goes on from graph text edited by hand",
         0,
         kTyped,
         0,
         {{"text", "", "the whole module; empty: no change"}},
         hand_edit},
        {"InferTypes", "infers every type anew", 0, kTyped, 0, {}, infer_types},
        {"Inline",
         "replaces calls of functions by what they compute",
         kTyped,
         0,
         kFused,
         {{"max_size", "1000", "most bindings of a function that is replaced"}},
         inline_functions},
        {"LambdaLift", "makes functions take what they use, and equal ones one", kTyped, 0, 0, {}, lambda_lift},
        {"PartialEvaluate",
         "does beforehand what inputs do not decide: branches, loops, functions of constants",
         kTyped,
         0,
         kFused,
         {{"max_trips", "64", "most copies of a loop's body"}, {"budget", "10000", "most bindings that are added"}},
         partial_evaluate},
        {"ToANormal", "verifies the form and takes tuples apart", 0, 0, 0, {}, to_a_normal},
        {"ToBasicBlock", "computes what one branch needs inside that branch", kTyped, 0, 0, {}, to_basic_block},
    };
}

const std::vector<GraphPass>& table() {
    static const std::vector<GraphPass> rows = [] {
        std::vector<GraphPass> all;
        for (const auto& family :
             {function_passes(), fusion_passes(), layout_passes(), region_passes(), rewriting_passes(), type_passes()})
            all.insert(all.end(), family.begin(), family.end());
        for (GraphPass& pass : all)
            if (!(pass.establishes & kPlanned)) pass.breaks |= kPlanned;
        std::ranges::sort(all, {}, &GraphPass::name);
        return all;
    }();
    return rows;
}

/// What a test planted; null outside of tests.
std::atomic<const std::vector<GraphPass>*>& planted() {
    static std::atomic<const std::vector<GraphPass>*> passes{nullptr};
    return passes;
}

} // namespace

namespace testing {

PlantedPasses::PlantedPasses(std::vector<GraphPass> passes) {
    delete planted().exchange(new std::vector<GraphPass>(std::move(passes)));
}
PlantedPasses::~PlantedPasses() { delete planted().exchange(nullptr); }

} // namespace testing

std::string describe(pass::Invariants invariants) {
    std::string text;
    if (invariants & kTyped) text += "inferred types";
    if (invariants & kFused)
        text += std::string(text.empty() ? "" : ", ") + "operators grouped into functions (FuseOps)";
    if (invariants & kAnnotated)
        text += std::string(text.empty() ? "" : ", ") + "functions for a backend (AnnotateTarget)";
    if (invariants & kPlanned) text += std::string(text.empty() ? "" : ", ") + "memory planned (PlanMemory)";
    return text;
}

std::span<const GraphPass> passes() { return table(); }

const GraphPass* find_pass(std::string_view name) {
    const auto it = std::ranges::find_if(table(), [name](const GraphPass& pass) { return pass.name == name; });
    if (it != table().end()) return &*it;
    if (const std::vector<GraphPass>* more = planted())
        for (const GraphPass& pass : *more)
            if (pass.name == name) return &pass;
    return nullptr;
}

std::vector<PassStep> default_pipeline(int level) {
    std::vector<PassStep> steps;
    const auto add = [&steps](const char* name) { steps.push_back({name, {}, true}); };
    if (level >= 1) {
        add("IntegerProducts"); // before constants are folded: dequantized weights would be real numbers
        add("FoldConstant");
        add("SimplifyInference");
        if (level >= 2) add("SimplifyExpr");
        add("CanonicalizeOps");
        add("FoldConstant");
    }
    if (level >= 2) add("EliminateCommonSubexpr");
    if (level >= 3) {
        add("AlterOpLayout");
        add("Winograd");
    }
    add("DeadCode");
    steps.push_back({"FuseOps", level >= 1 ? pass::Options{} : pass::Options{{"fuse", "false"}}, true});
    return steps;
}

namespace {

/// Products in a narrow type. Before layouts are altered: they are chosen for what is narrow.
std::vector<PassStep> in_narrow(std::vector<PassStep> pipeline, pass::Options options) {
    auto at = std::ranges::find(pipeline, "AlterOpLayout", &PassStep::name);
    if (at == pipeline.end()) at = std::ranges::find(pipeline, "FuseOps", &PassStep::name);
    at = pipeline.insert(at, {"FastMath", {}, true}) + 1;
    pipeline.insert(at, {"ToMixedPrecision", std::move(options), true});
    return pipeline;
}

} // namespace

std::vector<PassStep> in_bf16(std::vector<PassStep> pipeline) {
    return in_narrow(std::move(pipeline), {{"dtype", "bf16"}, {"products", "tiles"}});
}

std::vector<PassStep> in_f16(std::vector<PassStep> pipeline) {
    pipeline = in_narrow(std::move(pipeline), {{"dtype", "f16"}, {"products", "weights"}});
    // Source: measured (docs/performance.md): an error like that of bf16, at a twentieth of the time for sums in f32.
    for (PassStep& step : pipeline)
        if (step.name == "AlterOpLayout") step.options.insert({"f16_sums", "128"});
    return pipeline;
}

std::vector<PassStep> partitioned(std::vector<PassStep> pipeline, const std::string& backend) {
    // Before layouts are altered: backends take the plain operators.
    auto at = std::ranges::find(pipeline, "AlterOpLayout", &PassStep::name);
    if (at == pipeline.end()) at = std::ranges::find(pipeline, "FuseOps", &PassStep::name);
    const std::vector<PassStep> steps{
        {"AnnotateTarget", {{"backend", backend}}, true}, {"MergeRegions", {}, true}, {"PartitionGraph", {}, true}};
    pipeline.insert(at, steps.begin(), steps.end());
    return pipeline;
}

pass::Options facts_of(const Target& target) {
    return {{"bf16_tiles", target.bf16_tiles ? "true" : "false"},
            {"byte_products", std::string(to_string(target.byte_products))},
            {"f16_arithmetic", target.f16_arithmetic ? "true" : "false"},
            {"image_bytes", std::to_string(target.image_bytes())},
            {"l2_bytes", std::to_string(target.l2_bytes)},
            {"l3_bytes", std::to_string(target.l3_bytes)},
            {"piece_bytes", std::to_string(target.piece_bytes())},
            {"vector_bits", std::to_string(target.vector_bits)}};
}

PassStep with_facts(PassStep step, const pass::Options& facts) {
    if (const GraphPass* pass = find_pass(step.name))
        for (const pass::OptionSpec& option : pass->options)
            if (const auto fact = facts.find(option.name); fact != facts.end()) step.options.insert(*fact);
    return step;
}

pass::Manager<graph::Module> manager() {
    return {[](const graph::Module& a, const graph::Module& b) { return a.main == b.main; }, graph::verify, describe};
}

} // namespace orrery::transform
