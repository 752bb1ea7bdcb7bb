// What random programs found, by name: each of these was wrong once.

#include "tests/differential/require_agrees.hpp"

using namespace orrery;
using namespace orrery::differential;

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
