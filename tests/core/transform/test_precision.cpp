#include "tests/core/transform/graphs.hpp"

#include <map>

using namespace orrery;
using namespace orrery::transform;
using namespace orrery::transform::test;

namespace {

std::string plain_main(const std::string& param, const std::string& body) {
    return "outputs [\"y\"]; fn main(" + param + ") { " + body + " return y; }";
}

const char* const kNetwork = "w: f32[2,3,1,1] = const [0.1, 0.2, -0.3, 0.4, 0.5, -0.6]; b: f32[2] = const [0.1, -0.2]; "
                             "c = conv2d(x, w); d = bias_add(c, b); e = relu(d); f = exp(e); y = add(f, e);";

} // namespace

TEST_CASE("functions and their approximations", "[transform][fast_math]") {
    const graph::Module module =
        module_of(plain_main("x: f32[64]", "a = tanh(x); b = erf(a); c = sigmoid(b); y = gelu(c);"));
    graph::Module fast;
    const double error = difference_after("FastMath", module, fast, {});
    for (const char* name : {"fast_tanh", "fast_erf", "fast_sigmoid", "fast_gelu"})
        REQUIRE(count_calls(fast, name) == 1);
    REQUIRE(error < 2e-3); // the bounds of all four together
    REQUIRE(error > 0);
    const graph::Module quotient = module_of(plain_main("x: f32[4]", "c: f32[] = const 3; y = divide(x, c);"));
    graph::Module product;
    REQUIRE(difference_after("FastMath", quotient, product, {}) < 1e-6);
    REQUIRE(count_calls(product, "multiply") == 1);
    REQUIRE(count_calls(product, "divide") == 0);
    // A reciprocal that is no normal number would lose digits.
    require_unchanged("FastMath", plain_main("x: f32[4]", "c: f32[] = const 0; y = divide(x, c);"));
    require_unchanged("FastMath", plain_main("x: f32[4]", "a = gelu(x) {approximate=true}; y = exp(a);"));
}

TEST_CASE("products in f16, exponentials in f32", "[transform][mixed_precision]") {
    const graph::Module module = module_of(plain_main("x: f32[1,3,2,2]", kNetwork));
    graph::Module mixed;
    // f16 has 11 bits; three products and a sum lose less than eight units in the last place.
    REQUIRE(difference_after("ToMixedPrecision", module, mixed, {}) < 8.0 / 2048);
    const auto dtype_of = [&](const std::string& op) {
        for (const graph::Binding& binding : mixed.main->bindings)
            if (const auto* call = graph::as<graph::CallOp>(binding.value); call && call->op.name == op)
                return graph::as_tensor(binding.var->type)->dtype;
        FAIL("no " + op);
        return DType::F32;
    };
    REQUIRE(dtype_of("conv2d") == DType::F16);
    REQUIRE(dtype_of("relu") == DType::F16);
    REQUIRE(dtype_of("exp") == DType::F32);
    REQUIRE(graph::equal(mixed.main->result->type, module.main->result->type));
    REQUIRE(count_calls(mixed, "cast") == 4); // x in, e for exp, f in, y out
    REQUIRE(difference_after("ToMixedPrecision", module, mixed, {{"dtype", "bf16"}}) < 8.0 / 256);
    REQUIRE(dtype_of("conv2d") == DType::BF16);
}

TEST_CASE("lists say what is computed narrow", "[transform][mixed_precision]") {
    const graph::Module module = module_of(plain_main("x: f32[1,3,2,2]", kNetwork));
    graph::Module mixed;
    difference_after("ToMixedPrecision", module, mixed, {{"deny", "relu, bias_add"}});
    REQUIRE(count_calls(mixed, "cast") == 2); // around the convolution
    require_unchanged("ToMixedPrecision", plain_main("x: f32[1,3,2,2]", kNetwork), {{"deny", "conv2d"}});
    REQUIRE(refused_with("ToMixedPrecision", {{"deny", "nonsense"}}) == Code::UnknownName);
    REQUIRE(refused_with("ToMixedPrecision", {{"dtype", "f8"}}) == Code::BadArgument);
}

TEST_CASE("what a target lacks", "[transform][legalize]") {
    const graph::Module half = module_of(plain_main(
        "x: f16[2,3], z: f16[3,2]", "a = matmul(x, z); b = add(a, a); c = reshape(b) {shape=[4]}; y = exp(c);"));
    const graph::Module wide = apply("Legalize", half, {{"lacks", "f16,bf16"}});
    REQUIRE(count_calls(wide, "cast") == 7); // two, one and one operands in, three results out
    REQUIRE(difference(half, wide) == 0);
    require_unchanged("Legalize", plain_main("x: f16[2]", "y = exp(x);"));
    require_unchanged("Legalize", plain_main("x: f16[2]", "y = exp(x);"), {{"lacks", "bf16"}});
    const graph::Module bytes = module_of(
        plain_main("x: i8[1,2,2,2]",
                   "w: i8[1,2,1,1] = const [100, 90]; k: i8[] = const 127; s = multiply(x, k); y = conv2d(s, w);"));
    REQUIRE(difference(bytes, apply("Legalize", bytes, {{"lacks", "int8_conv"}})) == 0);
    REQUIRE(refused_with("Legalize", {{"lacks", "wings"}}) == Code::BadArgument);
}

TEST_CASE("convolutions a target lacks", "[transform][legalize]") {
    const std::string weight = "w: f32[4,2,1,2] = const [1, 2, 3, 4, 5, 6, 7, 8, -1, -2, -3, -4, -5, -6, -7, -8]; ";
    const graph::Module grouped = module_of(
        plain_main("x: f32[1,4,3,3]", weight + "y = conv2d(x, w) {groups=2, pads=[0, 1, 0, 0], strides=[2, 1]};"));
    const graph::Module split = apply("Legalize", grouped, {{"lacks", "grouped_conv"}});
    REQUIRE(count_calls(split, "conv2d") == 2);
    REQUIRE(difference(grouped, split) == 0);

    const graph::Module depthwise = module_of(plain_main(
        "x: f32[1,2,4,4]", "w: f32[2,1,2,2] = const [1, 2, 3, 4, 5, 6, 7, 8]; "
                           "y = conv2d(x, w) {groups=2, pads=[1, 0, 1, 1], strides=[1, 2], dilations=[2, 1]};"));
    const graph::Module places = apply("Legalize", depthwise, {{"lacks", "depthwise_conv"}});
    REQUIRE(count_calls(places, "conv2d") == 0);
    REQUIRE(count_calls(places, "multiply") == 4);

    const graph::Module dilated =
        module_of(plain_main("x: f32[1,4,4,5]", weight + "y = conv2d(x, w) {groups=2, dilations=[2, 3]};"));
    const graph::Module dense = apply("Legalize", dilated, {{"lacks", "dilated_conv"}});
    REQUIRE(count_calls(dense, "conv2d") == 1);
    REQUIRE(difference(dilated, dense) == 0);
}

TEST_CASE("products of tiles in bf16: what is read narrow is kept narrow, sums stay f32",
          "[transform][mixed_precision]") {
    const auto zeros = [](std::int64_t count) {
        std::string text = "[0";
        for (std::int64_t i = 1; i < count; ++i) text += ", " + std::to_string(i % 3);
        return text + "]";
    };
    const graph::Module module =
        module_of("outputs [\"y\"]; fn main(x: f32[1,32,4,4], z: f32[1,3,4,4]) { w: f32[32,32,1,1] = const " +
                  zeros(1024) + "; v: f32[32,3,1,1] = const " + zeros(96) +
                  "; a = relu(x); b = conv2d(a, w); c = add(b, a); d = max_pool(c) {kernel=[2, 2], strides=[2, 2]}; "
                  "e = conv2d(d, w); g = conv2d(z, v); h = max_pool(g) {kernel=[2, 2], strides=[2, 2]}; y = add(e, h); "
                  "return y; }");
    const pass::Options options{{"dtype", "bf16"}, {"products", "tiles"}};
    graph::Module mixed;
    REQUIRE(difference_after("ToMixedPrecision", module, mixed, options) < 8.0 / 256);
    INFO(graph::to_string(mixed));
    std::map<std::string, int> narrow;
    for (const graph::Binding& binding : mixed.main->bindings)
        if (const auto* call = graph::as<graph::CallOp>(binding.value))
            narrow[call->op.name + (graph::as_tensor(binding.var->type)->dtype == DType::BF16 ? " narrow" : "")] += 1;
    // Sums, and a convolution of three channels, are f32; what the first product reads is also what the sum reads.
    CHECK(narrow["conv2d"] == 3);
    CHECK(narrow["conv2d narrow"] == 0);
    CHECK(narrow["add"] == 2);
    CHECK(narrow["cast narrow"] == 2); // of the relu, and of the sum
    CHECK(narrow["cast"] == 1);        // back, for the sum
    CHECK(narrow["max_pool"] == 2);
    for (const graph::Binding& binding : mixed.main->bindings)
        if (const auto* call = graph::as<graph::CallOp>(binding.value); call && call->op.name == "add") {
            const graph::Binding* other = nullptr;
            for (const graph::Binding& one : mixed.main->bindings)
                if (one.var == call->args[1]) other = &one;
            if (const auto* cast = other ? graph::as<graph::CallOp>(other->value) : nullptr;
                cast && cast->op.name == "cast")
                CHECK(graph::as_tensor(cast->args[0]->type)->dtype == DType::BF16);
        }
}

TEST_CASE("what products read of a concatenation is rounded part by part", "[transform][mixed_precision]") {
    std::string weight = "const [0";
    for (int i = 1; i < 1024; ++i) weight += ", " + std::to_string(i % 3);
    const auto narrowed = [&](const std::string& between, const std::string& result) {
        graph::Module mixed;
        const graph::Module module =
            module_of("outputs [\"y\"]; fn main(x: f32[1,16,4,4], z: f32[1,16,4,4]) { w: f32[32,32,1,1] = " + weight +
                      "]; a = relu(x); b = tanh(z); c = concat(a, b) {axis=1}; " + between +
                      " d = conv2d(c, w); y = " + result + "; return y; }");
        const pass::Options options{{"dtype", "bf16"}, {"products", "tiles"}};
        REQUIRE(difference_after("ToMixedPrecision", module, mixed, options) < 8.0 / 256);
        std::map<std::string, int> calls;
        for (const graph::Binding& binding : mixed.main->bindings)
            if (const auto* call = graph::as<graph::CallOp>(binding.value))
                calls[call->op.name + " " + std::string(to_string(graph::as_tensor(binding.var->type)->dtype))] += 1;
        return calls;
    };
    using Calls = std::map<std::string, int>;
    CHECK(narrowed("", "relu(d)") ==
          Calls{{"relu f32", 2}, {"tanh f32", 1}, {"cast bf16", 2}, {"concat bf16", 1}, {"conv2d f32", 1}});
    // Another reader after the product takes what is kept; one before it had the f32 result, which is rounded then.
    CHECK(narrowed("", "add(d, c)") == Calls{{"relu f32", 1},
                                             {"tanh f32", 1},
                                             {"cast bf16", 2},
                                             {"concat bf16", 1},
                                             {"conv2d f32", 1},
                                             {"cast f32", 1},
                                             {"add f32", 1}});
    CHECK(narrowed("e = exp(c);", "add(d, e)") == Calls{{"relu f32", 1},
                                                        {"tanh f32", 1},
                                                        {"concat f32", 1},
                                                        {"exp f32", 1},
                                                        {"cast bf16", 1},
                                                        {"conv2d f32", 1},
                                                        {"add f32", 1}});
}

TEST_CASE("products of a batch are made in tiles, too, of matrices packed when they run",
          "[transform][mixed_precision]") {
    const auto mixed = [](const char* columns) {
        const std::string n = columns;
        const graph::Module module = module_of("outputs [\"y\"]; fn main(q: f32[2,64,32], k: f32[2,32," + n +
                                               "]) { y = matmul(q, k); return y; }");
        graph::Module narrow;
        REQUIRE(difference_after("ToMixedPrecision", module, narrow, {{"dtype", "bf16"}, {"products", "tiles"}}) < 0.1);
        graph::Module laid;
        REQUIRE(difference_after("AlterOpLayout", narrow, laid, {{"vector_bits", "512"}, {"bf16_tiles", "true"}}) <
                1e-4);
        return graph::to_string(laid);
    };
    const std::string tiles = mixed("64");
    INFO(tiles);
    CHECK(tiles.find(R"(layout_transform(k_1) {from="AKN", to="ANK32n2k"})") != std::string::npos);
    CHECK(tiles.find("panel=32, part=2, rows=32") != std::string::npos);
    CHECK(mixed("48").find("bf16") == std::string::npos); // columns fill no tile
}

TEST_CASE("products by weights in f16: any size of them, what they give stays f32", "[transform][mixed_precision]") {
    std::string ones = "[1";
    for (int i = 1; i < 27; ++i) ones += ", " + std::to_string(i % 4);
    const graph::Module module =
        module_of("outputs [\"y\"]; fn main(x: f32[1,3,4,4], p: f32[3,5]) { k: f32[3,1,3,3] = const " + ones +
                  "]; w: f32[3,3] = const [1, 2, 3, 4, 5, 6, 7, 8, 9]; a = conv2d(x, k) {groups=3, pads=[1, 1, 1, 1]}; "
                  "b = reduce_mean(a) {axes=[0, 2], keepdims=false}; c = transpose(b) {perm=[1, 0]}; d = matmul(c, w); "
                  "y = matmul(d, p); return y; }");
    graph::Module mixed;
    const pass::Options options{{"dtype", "f16"}, {"products", "weights"}};
    REQUIRE(difference_after("ToMixedPrecision", module, mixed, options) < 8.0 / 2048);
    int narrow = 0, wide = 0;
    for (const graph::Binding& binding : mixed.main->bindings)
        if (const auto* call = graph::as<graph::CallOp>(binding.value);
            call && !call->args.empty() && (call->op.name == "conv2d" || call->op.name == "matmul")) {
            CHECK(graph::as_tensor(binding.var->type)->dtype == DType::F32);
            ++(graph::as_tensor(call->args[0]->type)->dtype == DType::F16 ? narrow : wide);
        }
    CHECK(narrow == 2);
    CHECK(wide == 1); // of two matrices that are no constants
}

TEST_CASE("a pipeline in f16 lays products out for it", "[transform][mixed_precision]") {
    const std::vector<PassStep> steps = in_f16(default_pipeline(3));
    const auto at = [&](const char* name) { return std::ranges::find(steps, name, &PassStep::name) - steps.begin(); };
    CHECK(at("FastMath") < at("ToMixedPrecision"));
    CHECK(at("ToMixedPrecision") < at("AlterOpLayout"));
    CHECK(steps[static_cast<std::size_t>(at("AlterOpLayout"))].options.at("f16_sums") == "128");
}
