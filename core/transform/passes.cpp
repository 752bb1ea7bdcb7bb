#include "core/transform/passes.hpp"

#include "core/graph/builder.hpp"
#include "core/transform/planted.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <vector>

namespace orrery::transform {

namespace {

const std::array<GraphPass, 16>& table() {
    static const std::array<GraphPass, 16> rows{{
        {"AnnotateTarget",
         "puts what a backend takes into functions for it",
         kTyped,
         kAnnotated,
         0,
         {{"backend", "dnnl", "the backend's name"}},
         annotate_target},
        {"CanonicalizeOps",
         "turns constant matrices to the order they are read in",
         kTyped,
         0,
         0,
         {},
         canonicalize_ops},
        {"DeadCode", "drops bindings nobody uses", 0, 0, 0, {}, dead_code},
        {"EliminateCommonSubexpr", "computes equal expressions once", kTyped, 0, 0, {}, eliminate_common_subexpr},
        {"FoldConstant",
         "replaces calls on constants by their value",
         kTyped,
         0,
         0,
         {{"max_bytes", "268435456", "largest result that is folded, in bytes"}},
         fold_constant},
        {"FuseOps",
         "groups operators into kernels",
         kTyped,
         kFused,
         0,
         {{"max_depth", "64", "most operators in a group"}, {"fuse", "true", "false: one operator a kernel"}},
         fuse_ops},
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
        {"MergeRegions", "joins a backend's functions into regions", kAnnotated, 0, 0, {}, merge_regions},
        {"PartialEvaluate",
         "does beforehand what inputs do not decide: branches, loops, functions of constants",
         kTyped,
         0,
         kFused,
         {{"max_trips", "64", "most copies of a loop's body"}, {"budget", "10000", "most bindings that are added"}},
         partial_evaluate},
        {"PartitionGraph",
         "makes each region one step of the plan",
         kAnnotated,
         0,
         kAnnotated,
         {{"min_operators", "1", "least operators of a region that stays"}},
         partition_graph},
        {"SimplifyInference",
         "rewrites what only training needs; folds batch norms into convolutions",
         kTyped,
         0,
         0,
         {{"fold_conv", "true", "scale a convolution's constant weights by its batch norm"}},
         simplify_inference},
        {"ToANormal", "verifies the form and takes tuples apart", 0, 0, 0, {}, to_a_normal},
        {"ToBasicBlock", "computes what one branch needs inside that branch", kTyped, 0, 0, {}, to_basic_block},
    }};
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
        add("FoldConstant");
        add("SimplifyInference");
        add("CanonicalizeOps");
        add("FoldConstant");
    }
    if (level >= 2) add("EliminateCommonSubexpr");
    add("DeadCode");
    steps.push_back({"FuseOps", level >= 1 ? pass::Options{} : pass::Options{{"fuse", "false"}}, true});
    return steps;
}

std::vector<PassStep> partitioned(std::vector<PassStep> pipeline, const std::string& backend) {
    const auto fuse = std::ranges::find(pipeline, "FuseOps", &PassStep::name);
    const std::vector<PassStep> steps{
        {"AnnotateTarget", {{"backend", backend}}, true}, {"MergeRegions", {}, true}, {"PartitionGraph", {}, true}};
    pipeline.insert(fuse, steps.begin(), steps.end());
    return pipeline;
}

pass::Manager<graph::Module> manager() {
    return {[](const graph::Module& a, const graph::Module& b) { return a.main == b.main; }, graph::verify, describe};
}

} // namespace orrery::transform
