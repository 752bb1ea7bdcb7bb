#include "core/transform/passes.hpp"

#include "core/graph/builder.hpp"

#include <algorithm>
#include <array>

namespace orrery::transform {

namespace {

const std::array<GraphPass, 6>& table() {
    static const std::array<GraphPass, 6> rows{{
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
        {"SimplifyInference",
         "rewrites what only training needs; folds batch norms into convolutions",
         kTyped,
         0,
         0,
         {{"fold_conv", "true", "scale a convolution's constant weights by its batch norm"}},
         simplify_inference},
    }};
    return rows;
}

} // namespace

std::string describe(pass::Invariants invariants) {
    std::string text;
    if (invariants & kTyped) text += "inferred types";
    if (invariants & kFused)
        text += std::string(text.empty() ? "" : ", ") + "operators grouped into functions (FuseOps)";
    return text;
}

std::span<const GraphPass> passes() { return table(); }

const GraphPass* find_pass(std::string_view name) {
    const auto it = std::ranges::find_if(table(), [name](const GraphPass& pass) { return pass.name == name; });
    return it == table().end() ? nullptr : &*it;
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

pass::Manager<graph::Module> manager() {
    return {[](const graph::Module& a, const graph::Module& b) { return a.main == b.main; }, graph::verify, describe};
}

} // namespace orrery::transform
