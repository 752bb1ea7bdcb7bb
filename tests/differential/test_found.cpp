// What random programs found, by name: each of these was wrong once.

#include "tests/differential/agree.hpp"

#include "core/graph/text.hpp"
#include "core/ops/ops.hpp"

#include <catch2/catch.hpp>

using namespace orrery;
using namespace orrery::differential;

namespace {

/// A program from text through passes, on whole numbers from -4 on.
void require_agrees(const std::string& text, std::vector<transform::PassStep> passes) {
    Result<graph::Module> module = graph::parse_module(text, ops::registry(), {});
    if (!module) FAIL(orrery::to_string(module.error()));
    Case found{*module, {}, std::move(passes), {}, {}};
    for (const graph::Var& param : found.module.main->params) {
        const graph::TensorType& type = *graph::as_tensor(param->type);
        NDArray value = NDArray::allocate(type.dtype, graph::static_shape(type));
        for (std::int64_t i = 0; i < value.size(); ++i) value.set(i, static_cast<double>(i % 9) - 4);
        found.inputs.push_back(std::move(value));
    }
    const Outcome outcome = run_case(found);
    INFO(differential::to_string(found));
    REQUIRE(outcome.failure.empty());
}

} // namespace

TEST_CASE("an operator of one operand is no matrix product", "[differential][found]") {
    // The second operand was looked at before the operator's name.
    require_agrees("outputs [\"y\"];\nfn main(x: f32[2,3,4]) { a = tanh(x); y = exp(a); return y; }\n",
                   {{"CombineParallelBatchMatmul", {}, true}, {"FuseOps", {}, true}});
}

TEST_CASE("sums over nothing read no panel that could be fetched ahead", "[differential][found]") {
    // The bytes of a panel were divided by, and there are none.
    require_agrees(
        "outputs [\"y\"];\nfn main(x: i64[17,0,8]) { y = reduce_log_sum(x) {axes=[2], keepdims=false}; return y; }\n",
        {{"FuseOps", {}, true}});
}

TEST_CASE("powers of two and ten are functions of their own to LLVM", "[differential][found]") {
    for (const char* base : {"2.0", "10.0"})
        for (const char* type : {"f32", "f64"}) {
            const std::string t(type);
            require_agrees("outputs [\"y\"];\nfn main(x: " + t + "[9]) { b: " + t + "[] = const " + base +
                               "; y = power(b, x); return y; }\n",
                           {{"FuseOps", {}, true}});
        }
}

TEST_CASE("a pooling over three axes of a packed value stays one", "[differential][found]") {
    // It was taken for one over the image, in the layout of the convolution before it.
    const std::string text = "outputs [\"y\"];\nfn main(x: f32[1,8,7,6], w: f32[3,8,3,3,2]) { "
                             "c = layout_conv2d(x, w) {layout=\"NCHW\", out_layout=\"NCHW2c\", strides=[1, 2], "
                             "weight_layout=\"OIHW2o\"}; y = avg_pool(c) {dilations=[2, 1, 2], kernel=[2, 1, 1], "
                             "pads=[2, 0, 0, 2, 0, 0], strides=[3, 1, 1]}; return y; }\n";
    for (const char* layout : {"NCHW", "NHWC", "NCHW3c"})
        require_agrees(text, {{"ConvertLayout", {{"layout", layout}}, true}, {"FuseOps", {}, true}});
    require_agrees(text, {{"AlterOpLayout", {{"vector_bits", "128"}}, true}, {"FuseOps", {}, true}});
}
