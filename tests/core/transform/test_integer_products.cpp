// Quantized products as products of bytes: exact where the graph is one of integers, with the roundings of a real
// network's scales where it is not.

#include "tests/core/transform/graphs.hpp"

using namespace orrery;
using namespace orrery::transform;
using namespace orrery::transform::test;

namespace {

const pass::Options kBytes{{"byte_products", "dots"}};

/// The text of a constant of i8 or u8 numbers, all of the type's range.
std::string byte_constant(const char* name, const std::string& dtype, const Shape& shape, unsigned seed) {
    std::mt19937 random(seed);
    std::string extents, values;
    for (const std::int64_t extent : shape) extents += (extents.empty() ? "" : ",") + std::to_string(extent);
    for (std::int64_t i = 0; i < element_count(shape); ++i) {
        const int value = static_cast<int>(random() % 256) - (dtype == "i8" ? 128 : 0);
        values += (values.empty() ? "" : ", ") + std::to_string(value);
    }
    return std::string(name) + ": " + dtype + "[" + extents + "] = const [" + values + "]; ";
}

std::vector<NDArray> byte_inputs(const graph::Module& module) {
    std::mt19937 random(11);
    std::vector<NDArray> inputs = inputs_of(module, 3);
    for (NDArray& input : inputs)
        for (std::int64_t i = 0; i < input.size() && !is_float(input.dtype()); ++i)
            input.set(i, static_cast<double>(random() % 256) - (input.dtype() == DType::I8 ? 128 : 0));
    return inputs;
}

/// What the pass makes of a module, and by how much its first result is off.
graph::Module in_bytes(const graph::Module& module, const pass::Options& options, double& off) {
    const auto after = find_pass("IntegerProducts")->run(module, {options, {}, nullptr});
    if (!after) FAIL(to_string(after.error()));
    INFO(graph::to_string(*after));
    REQUIRE(graph::verify(*after).has_value());
    REQUIRE(find_pass("IntegerProducts")->run(*after, {options, {}, nullptr})->main == after->main);
    const std::vector<NDArray> inputs = byte_inputs(module);
    const auto x = graph::evaluate(module.main, inputs, ops::interpreter_evaluator(), {});
    const auto y = graph::evaluate(after->main, inputs, ops::interpreter_evaluator(), {});
    REQUIRE(x.has_value());
    REQUIRE(y.has_value());
    off = compare(y->front(), x->front()).max_abs;
    return *after;
}

const graph::CallOp* first_call(const graph::Module& module, const std::string& op) {
    for (const graph::Binding& binding : module.main->bindings)
        if (const auto* call = graph::as<graph::CallOp>(binding.value); call && call->op.name == op) return call;
    FAIL("no " + op);
    return nullptr;
}

std::string byte_main(const std::string& params, const std::string& body) {
    return "outputs [\"y\"]; fn main(" + params + ") { " + body + " return y; }";
}

} // namespace

TEST_CASE("convolutions of integers become ones of bytes, bit for bit", "[transform][integer_products]") {
    for (const char* dtype : {"u8", "i8"}) {
        INFO(dtype);
        const std::string zero = dtype == std::string("u8") ? "7" : "-7";
        const graph::Module module = module_of(
            byte_main(std::string("x: ") + dtype + "[1,3,5,5]",
                      byte_constant("w", "i8", {4, 3, 3, 3}, 1) + "z: i32[] = const " + zero +
                          "; a = cast(x) {dtype=i32}; b = subtract(a, z); k = cast(w) {dtype=i32}; "
                          "c = conv2d(b, k) {pads=[1, 0, 2, 1], strides=[2, 1]}; v: i32[4] = const [5, -6, 700, 1]; "
                          "y = bias_add(c, v);"));
        double off = 1;
        const graph::Module after = in_bytes(module, {}, off);
        CHECK(off == 0);
        const graph::CallOp* conv = first_call(after, "conv2d");
        CHECK(graph::as_tensor(conv->args[0]->type)->dtype == DType::U8);
        CHECK(graph::as_tensor(conv->args[1]->type)->dtype == DType::I8);
        CHECK(conv->attrs.integer("border") == (dtype == std::string("u8") ? 7 : 121));
        CHECK(count_calls(after, "bias_add") == 1); // the zero point's part and the bias at once
        CHECK(count_calls(after, "subtract") == 0);
    }
}

TEST_CASE("weights lose their zero points, and keep them where bytes do not hold the difference",
          "[transform][integer_products]") {
    const auto module = [](const std::string& zero) {
        return module_of(byte_main("x: u8[3,8]", byte_constant("w", "u8", {8, 4}, 2) + "z: i32[4] = const " + zero +
                                                     "; a = cast(x) {dtype=i32}; k = cast(w) {dtype=i32}; "
                                                     "d = subtract(k, z); y = matmul(a, d);"));
    };
    double off = 1;
    const graph::Module after = in_bytes(module("[128, 128, 128, 128]"), {}, off);
    CHECK(off == 0);
    CHECK(count_calls(after, "") == 1);
    CHECK(first_call(after, "matmul")->attrs.dtype("out_dtype") == DType::I32);
    const graph::Module wide = module("[0, 0, 0, 0]");
    CHECK(in_bytes(wide, {}, off).main == wide.main);
}

TEST_CASE("zero points known when the model runs are taken off then", "[transform][integer_products]") {
    const std::string text = byte_constant("w", "i8", {8, 4}, 3) +
                             "a = cast(x) {dtype=i32}; n = cast(z) {dtype=i32}; b = subtract(a, n); "
                             "k = cast(w) {dtype=i32}; y = matmul(b, k);";
    double off = 1;
    const graph::Module after = in_bytes(module_of(byte_main("x: u8[3,8], z: u8[]", text)), {}, off);
    CHECK(off == 0);
    CHECK(graph::as_tensor(first_call(after, "matmul")->args[0]->type)->dtype == DType::U8);
    // Around an image they would be its border.
    const std::string conv = byte_constant("w", "i8", {2, 1, 3, 3}, 3) +
                             "a = cast(x) {dtype=i32}; n = cast(z) {dtype=i32}; b = subtract(a, n); "
                             "k = cast(w) {dtype=i32}; y = conv2d(b, k)";
    CHECK(first_call(in_bytes(module_of(byte_main("x: u8[1,1,4,4], z: u8[]", conv + ";")), {}, off), "conv2d")
              ->attrs.has("out_dtype"));
    CHECK(off == 0);
    require_unchanged("IntegerProducts", byte_main("x: u8[1,1,4,4], z: u8[]", conv + " {pads=[1, 1, 1, 1]};"));
}

TEST_CASE("a dequantized layer is one product, one factor and one rounding", "[transform][integer_products]") {
    for (const char* dtype : {"u8", "i8"}) {
        INFO(dtype);
        const bool is_signed = dtype == std::string("i8");
        const std::string type(dtype), zero = is_signed ? "-128" : "0";
        const graph::Module module = module_of(byte_main(
            "x: f32[1,4,6,6]",
            byte_constant("w", "i8", {6, 4, 3, 3}, 4) + "s: f32[] = const 0.01; z: " + type + "[] = const 3; " +
                "q = quantize_linear(x, s, z) {dtype=" + type + "}; a = dequantize_linear(q, s, z); " +
                "t: f32[6] = const [0.01, 0.02, 0.011, 0.005, 0.03, 0.01]; "
                "k = dequantize_linear(w, t) {axis=0}; c = conv2d(a, k) {pads=[1, 1, 1, 1]}; "
                "u: f32[6] = const [0.0001, 0.0002, 0.00011, 0.00005, 0.0003, 0.0001]; "
                "i: i32[6] = const [100, -200, 3000, 4, -5, 6]; v = dequantize_linear(i, u) {axis=0}; "
                "d = bias_add(c, v); e = relu(d); o: f32[] = const 0.25; p: " +
                type + "[] = const " + zero + "; y = quantize_linear(e, o, p) {dtype=" + type + "};"));
        double off = 9;
        CHECK(in_bytes(module, {}, off).main == module.main); // products of f32 are faster there
        const graph::Module after = in_bytes(module, kBytes, off);
        CHECK(off <= 1);
        CHECK(count_calls(after, "dequantize_linear") == 0);
        CHECK(count_calls(after, "relu") == 0); // nothing lies below the zero point
        CHECK(count_calls(after, "multiply") == 1);
        CHECK(count_calls(after, "bias_add") == 1);
        CHECK(count_calls(after, "quantize_linear") == 2);
        CHECK(graph::as_tensor(first_call(after, "conv2d")->args[0]->type)->dtype == DType::U8);
    }
}

TEST_CASE("what moves elements moves bytes, and few channels come by fours", "[transform][integer_products]") {
    const graph::Module module = module_of(
        byte_main("x: f32[1,3,8,8]",
                  byte_constant("w", "i8", {2, 3, 2, 2}, 5) +
                      "s: f32[] = const 0.01; z: i8[] = const 5; q = quantize_linear(x, s, z) {dtype=i8}; "
                      "a = dequantize_linear(q, s, z); m = max_pool(a) {kernel=[2, 2], strides=[2, 2]}; "
                      "n = quantize_linear(m, s, z) {dtype=i8}; b = dequantize_linear(n, s, z); t: f32[] = const 0.02; "
                      "k = dequantize_linear(w, t); c = conv2d(b, k); y = relu(c);"));
    double off = 1;
    const graph::Module after = in_bytes(module, kBytes, off);
    CHECK(off < 1e-4);
    CHECK(count_calls(after, "quantize_linear") == 1);
    CHECK(count_calls(after, "dequantize_linear") == 0);
    CHECK(graph::as_tensor(first_call(after, "max_pool")->args[0]->type)->dtype != DType::F32);
    CHECK(graph::static_shape(*graph::as_tensor(first_call(after, "conv2d")->args[1]->type)) == Shape{2, 4, 2, 2});
    CHECK(count_calls(after, "pad") == 1);
}

TEST_CASE("values held within bounds before they are quantized are held in steps, or by the bytes",
          "[transform][integer_products]") {
    const auto module = [](const std::string& scale) {
        return module_of(byte_main("x: u8[1,4,4,4]", byte_constant("w", "i8", {6, 4, 1, 1}, 6) +
                                                         "s: f32[] = const 0.01; z: u8[] = const 0; "
                                                         "a = dequantize_linear(x, s, z); "
                                                         "k = dequantize_linear(w, s); c = conv2d(a, k); "
                                                         "d = clip(c) {min=0.0, max=6.0}; o: f32[] = const " +
                                                         scale + "; y = quantize_linear(d, o, z) {dtype=u8};"));
    };
    double off = 9;
    CHECK(count_calls(in_bytes(module("0.02"), kBytes, off), "clip") == 0); // 255 steps are less than 6
    CHECK(off <= 1);
    CHECK(first_call(in_bytes(module("0.05"), kBytes, off), "clip")->attrs.number("max") == Approx(120));
    CHECK(off <= 1);
}

TEST_CASE("a sum of dequantized values is made in steps of its result", "[transform][integer_products]") {
    const auto module = [](const std::string& rest) {
        return module_of(byte_main("x: u8[1,4,4,4], z: u8[1,6,4,4]",
                                   byte_constant("w", "i8", {6, 4, 1, 1}, 6) +
                                       "s: f32[] = const 0.01; t: f32[] = const 0.3; o: u8[] = const 0; "
                                       "p: u8[] = const 9; a = dequantize_linear(x, s, o); "
                                       "k = dequantize_linear(w, s); c = conv2d(a, k); v: f32[] = const 0.05; "
                                       "q = quantize_linear(c, v, p) {dtype=u8}; d = dequantize_linear(q, v, p); "
                                       "e = dequantize_linear(z, t, p); g = add(d, e); h = relu(g); " +
                                       rest));
    };
    double off = 9;
    const graph::Module alone = in_bytes(module("y = quantize_linear(h, t, o) {dtype=u8};"), kBytes, off);
    CHECK(off <= 1);
    CHECK(count_calls(alone, "dequantize_linear") == 2);
    CHECK(count_calls(alone, "relu") == 0);
    // One that is used otherwise as well is made once.
    const graph::Module shared = in_bytes(
        module("r = quantize_linear(h, t, o) {dtype=u8}; m = dequantize_linear(r, t, o); y = add(h, m);"), kBytes, off);
    CHECK(count_calls(shared, "relu") == 1);
    CHECK(count_calls(shared, "add") == 2);
}
