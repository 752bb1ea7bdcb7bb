// Networks give the same numbers whatever passes they were compiled with.

#include "backends/llvm/llvm_backend.hpp"
#include "core/session/compiler.hpp"
#include "core/session/recipe.hpp"
#include "core/session/session.hpp"

#include <catch2/catch.hpp>

using namespace orrery;
using namespace orrery::session;

namespace {

using Steps = std::vector<transform::PassStep>;

/// A pipeline with passes before fusion, and constants folded after them.
Steps with(int level, const std::vector<transform::PassStep>& more) {
    Steps steps = transform::default_pipeline(level);
    const transform::PassStep fuse = steps.back();
    steps.pop_back();
    steps.insert(steps.end(), more.begin(), more.end());
    steps.push_back({"FoldConstant", {}, true});
    steps.push_back({"DeadCode", {}, true});
    steps.push_back(fuse);
    return steps;
}

struct Variant {
    const char* name;
    Steps steps;
    double tolerance; ///< of the largest difference over the largest value: rounding of reordered sums, or as stated
};

std::vector<Variant> variants() {
    constexpr double kRounding = 2e-5;
    std::vector<Variant> all;
    for (int level = 1; level <= 3; ++level) all.push_back({"-O", transform::default_pipeline(level), kRounding});
    all.push_back({"AlterOpLayout", with(3, {{"AlterOpLayout", {}, true}}), kRounding});
    all.push_back({"ConvertLayout", with(3, {{"ConvertLayout", {{"layout", "NHWC"}}, true}}), kRounding});
    all.push_back({"FoldScaleAxis", with(3, {{"FoldScaleAxis", {}, true}}), kRounding});
    all.push_back({"CombineParallel",
                   with(3, {{"CombineParallelConv2D", {{"max_width", "4096"}}, true},
                            {"CombineParallelDense", {{"max_width", "4096"}}, true},
                            {"CombineParallelBatchMatmul", {{"max_width", "4096"}}, true}}),
                   kRounding});
    all.push_back({"Legalize", with(3, {{"Legalize", {{"lacks", "depthwise_conv, grouped_conv, dilated_conv"}}, true}}),
                   kRounding});
    all.push_back({"FastMath", with(3, {{"FastMath", {}, true}}), 5e-3});
    return all;
}

NDArray run_with(Compiler& compiler, const std::string& network, const Steps& steps) {
    Recipe recipe = compiler.new_recipe({});
    recipe.builtin = network;
    recipe.passes = steps;
    const auto model = compiler.compile(recipe, {});
    if (!model) FAIL(to_string(model.error()));
    const auto result = run(**model, seeded_inputs((*model)->executable->plan, 1), 1, {});
    if (!result) FAIL(to_string(result.error()));
    return result->outputs[0];
}

void require_same(const std::string& network) {
    Compiler compiler(make_llvm_backend(), {});
    const NDArray expected = run_with(compiler, network, transform::default_pipeline(0));
    for (const Variant& variant : variants()) {
        INFO(network << " " << variant.name);
        CHECK(compare(run_with(compiler, network, variant.steps), expected).max_rel < variant.tolerance);
    }
}

} // namespace

TEST_CASE("small networks agree whatever the pipeline", "[session][pipelines]") {
    require_same("mlp");
    require_same("lenet");
}

TEST_CASE("networks agree whatever the pipeline", "[.nightly][session][pipelines]") {
    for (const char* name : {"squeezenet", "mobilenet_v2", "resnet18", "inception_v1", "densenet121", "transformer"})
        require_same(name);
}
