// Quantized networks: their products as code of processors that multiply bytes, and as loops on this machine.

#include "core/transform/passes.hpp"
#include "tests/portable/programs.hpp"

#include <algorithm>
#include <random>

using namespace orrery;
using namespace orrery::portable;

namespace {

/// A constant of i8, all of its range.
std::string weight(const char* name, const Shape& shape) {
    std::mt19937 random(static_cast<unsigned>(shape.size() + name[1]));
    std::string text;
    for (const std::int64_t extent : shape) text += (text.empty() ? "" : ",") + std::to_string(extent);
    text = "  " + std::string(name) + ": i8[" + text + "] = const [";
    for (std::int64_t i = 0; i < element_count(shape); ++i)
        text += (i ? ", " : "") + std::to_string(static_cast<int>(random() % 255) - 127);
    return text + "];\n";
}

/// A layer of u8 `in`: a product by dequantized weights, a bias, relu, u8 again. All scales are powers of two, so that
/// real numbers are exact and results do not depend on how they are computed.
std::string layer(const std::string& name, const std::string& in, const std::string& product, const Shape& weights,
                  const char* scale) {
    std::string bias;
    for (std::int64_t i = 0; i < (product == "matmul" ? weights[1] : weights[0]); ++i)
        bias += (i ? ", " : "") + std::to_string(i * 37 % 1000 - 500);
    const std::string count = std::to_string(product == "matmul" ? weights[1] : weights[0]),
                      op = product.substr(0, product.find(' ')), attrs = product.substr(op.size());
    return weight(("k" + name).c_str(), weights) + "  f" + name + ": f32[] = const " + scale + ";\n  w" + name +
           " = dequantize_linear(k" + name + ", one);\n  d" + name + " = dequantize_linear(" + in +
           ", one, zero);\n  c" + name + " = " + op + "(d" + name + ", w" + name + ")" + attrs + ";\n  i" + name +
           ": i32[" + count + "] = const [" + bias + "];\n  v" + name + " = dequantize_linear(i" + name +
           ", one);\n  b" + name + " = bias_add(c" + name + ", v" + name + ");\n  r" + name + " = relu(b" + name +
           ");\n  q" + name + " = quantize_linear(r" + name + ", f" + name + ", zero) {dtype=u8};\n";
}

/// Convolutions of three channels, of 64 with a border, with steps, of a single place, of channels that fill no tile, a
/// residual sum, and products of several rows and of one, whose columns fill halves of registers.
std::string network() {
    return "outputs [\"y\"];\nfn main(x: f32[2,3,16,16]) {\n  one: f32[] = const 1;\n  zero: u8[] = const 3;\n"
           "  fine: f32[] = const 0.0078125;\n  q = quantize_linear(x, fine, zero) {dtype=u8};\n" +
           layer("a", "q", "conv2d {pads=[1, 1, 1, 1]}", {64, 3, 3, 3}, "1024") +
           layer("b", "qa", "conv2d {pads=[1, 1, 1, 1]}", {64, 64, 3, 3}, "4096") +
           layer("c", "qb", "conv2d {pads=[1, 1, 1, 1], strides=[2, 2]}", {128, 64, 3, 3}, "4096") +
           layer("d", "qc", "conv2d", {32, 128, 1, 1}, "2048") + layer("e", "qd", "conv2d", {32, 32, 2, 2}, "2048") +
           "  half = slice(qd) {begins=[0, 0, 0, 0], sizes=[2, 32, 7, 7]};\n"
           "  h = dequantize_linear(half, one, zero);\n  g = dequantize_linear(qe, one, zero);\n  s = add(g, h);\n"
           "  two: f32[] = const 2;\n  t = quantize_linear(s, two, zero) {dtype=u8};\n"
           "  m = reshape(t) {shape=[49, 64]};\n" +
           layer("m", "m", "matmul", {64, 96}, "1024") + "  n = reshape(qm) {shape=[1, 4704]};\n" +
           layer("n", "n", "matmul", {4704, 40}, "8192") + "  y = dequantize_linear(qn, one, zero);\n  return y;\n}\n";
}

Model model_for(const session::Recipe& recipe) { return compiled_text(recipe, network()); }

/// How many kernels have an instruction.
std::size_t kernels_with(const std::string& target, const std::string& instruction) {
    session::Recipe recipe = compiler().new_recipe({});
    recipe.target = compiler().backend().read_target("llvm -mtriple=x86_64-linux-gnu -threads=2 " + target).value();
    const Model model = model_for(recipe);
    std::size_t found = 0;
    for (const session::FunctionPtr& function : model->functions) {
        const auto code = compiler().code(recipe, function);
        REQUIRE(code.has_value());
        found += std::ranges::any_of((*code)->assembly.lines, [&](const ListingLine& line) {
            return line.text.find(instruction) != std::string::npos;
        });
    }
    return found;
}

} // namespace

TEST_CASE("products of bytes are single instructions on processors that have them", "[portable][bytes]") {
    // Three channels, 32 channels and one row fill no tiles.
    CHECK(kernels_with("-mcpu=sapphirerapids", "tdpbusd") == 4);
    CHECK(kernels_with("-mcpu=sapphirerapids", "vpdpbusd") == 3);
    CHECK(kernels_with("-mcpu=sapphirerapids -bytes=dots", "vpdpbusd") == 7);
    CHECK(kernels_with("-mcpu=icelake-server", "vpdpbusd") == 7);
    CHECK(kernels_with("-mcpu=alderlake", "vpdpbusd") == 7);
    CHECK(kernels_with("-mcpu=haswell", "vpdpbusd") == 0);
    // Channels of the picture are stored side by side, a register at once.
    CHECK(kernels_with("-mcpu=icelake-server", "{k1}, zmm") >= 1);
}

TEST_CASE("sums of bytes are exact, however products are made and whatever the threads", "[portable][bytes]") {
    std::optional<NDArray> expected;
    for (const ByteProducts products : {ByteProducts::None, ByteProducts::Dots, ByteProducts::Tiles})
        for (const int threads : {1, 2}) {
            INFO(to_string(products) << ", " << threads << " threads");
            session::Recipe recipe = compiler().new_recipe({});
            recipe.target.byte_products = products; // as loops where this machine has none
            recipe.target.cores = threads;
            for (transform::PassStep& step : recipe.passes)
                if (step.name == "IntegerProducts") step.options["byte_products"] = "dots";
            const Model model = model_for(recipe);
            const std::vector<NDArray> inputs = session::seeded_inputs(model->executable->plan, 1);
            const auto checked = session::check(*model, inputs, 0, {});
            REQUIRE(checked.has_value());
            CHECK(checked->first_wrong == -1);
            const auto out = session::run(*model, inputs, threads, {});
            REQUIRE(out.has_value());
            if (!expected) expected = out->outputs[0];
            CHECK(compare(out->outputs[0], *expected).max_abs == 0);
        }
}
