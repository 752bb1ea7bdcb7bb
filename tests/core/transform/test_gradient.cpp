// Derivatives against numerical differences: each rule, and graphs of several operators.

#include "tests/core/transform/graphs.hpp"

#include "core/transform/gradient.hpp"

#include <cmath>
#include <numeric>
#include <set>

using namespace orrery;
using namespace orrery::transform;
using namespace orrery::transform::test;

namespace {

/// A body over f64 parameters x, y and what else it lists; v is the value. `k` weighs the value's elements, so that
/// they are not all alike on the way back.
struct Case {
    std::string params, value, body;
};

graph::Module module_with(const Case& one) {
    return module_of("outputs [\"r\"]; fn main(" + one.params + ", k: f64[" + one.value + "]) { " + one.body +
                     " r = multiply(v, k); return r; }");
}

double sum_of(const graph::Function& function, const std::vector<NDArray>& args) {
    const auto out = graph::evaluate(function, args, ops::interpreter_evaluator(), {});
    if (!out) FAIL(to_string(out.error()));
    double sum = 0;
    for (std::int64_t i = 0; i < out->front().size(); ++i) sum += out->front().as_double(i);
    return sum;
}

NDArray moved(const NDArray& array, std::int64_t element, double by) {
    NDArray copy = NDArray::copy_of(array.dtype(), array.shape(), array.data(), array.bytes());
    copy.set(element, array.as_double(element) + by);
    return copy;
}

std::vector<std::size_t> real_params(const graph::Function& function) {
    std::vector<std::size_t> by;
    for (std::size_t i = 0; i < function->params.size(); ++i)
        if (is_float(graph::as_tensor(function->params[i]->type)->dtype)) by.push_back(i);
    return by;
}

/// Central differences of every element of every parameter, against the derivatives.
void require_derivatives(const graph::Module& module, unsigned seed) {
    const std::vector<std::size_t> by = real_params(module.main);
    const Result<graph::Function> derived = gradient(module.main, by);
    if (!derived) FAIL(to_string(derived.error()));
    graph::Module whole = module;
    whole.main = *derived;
    whole.outputs.assign(by.size(), "d");
    INFO(graph::to_string(whole));
    const Result<void> sound = graph::verify(whole);
    if (!sound) FAIL(to_string(sound.error()));
    std::vector<NDArray> args = inputs_of(module, seed);
    const auto found = graph::evaluate(*derived, args, ops::interpreter_evaluator(), {});
    if (!found) FAIL(to_string(found.error()));
    REQUIRE(found->size() == by.size());
    constexpr double kStep = 1e-5; // the cube root of f64's last digit, where differences are most exact
    for (std::size_t i = 0; i < by.size(); ++i) {
        const NDArray given = args[by[i]];
        REQUIRE((*found)[i].shape() == given.shape());
        for (std::int64_t e = 0; e < given.size(); ++e) {
            args[by[i]] = moved(given, e, kStep);
            const double above = sum_of(module.main, args);
            args[by[i]] = moved(given, e, -kStep);
            const double below = sum_of(module.main, args), expected = (above - below) / (2 * kStep);
            INFO("element " << e << " of " << module.main->params[by[i]]->name);
            REQUIRE(std::abs((*found)[i].as_double(e) - expected) < 1e-6 * std::max(1.0, std::abs(expected)));
        }
        args[by[i]] = given;
    }
}

/// An operator of one operand on [2, 3], shifted to where it is defined.
Case unary(const std::string& call, const std::string& shift = "0", const std::string& scale = "1") {
    return {"x: f64[2,3]", "2,3",
            "c: f64[1] = const [" + shift + "]; f: f64[1] = const [" + scale +
                "]; m = multiply(x, f); p = add(m, c); v = " + call + ";"};
}
Case binary(const std::string& call, const std::string& shift = "0") {
    return {"x: f64[2,3], y: f64[3]", "2,3",
            "c: f64[1] = const [" + shift + "]; p = add(x, c); q = add(y, c); v = " + call + ";"};
}

std::vector<Case> elementwise_cases() {
    std::vector<Case> cases;
    for (const char* name :
         {"abs",      "negative", "identity", "exp",  "sin",        "cos",   "sinh", "cosh",  "tanh",
          "asinh",    "atan",     "erf",      "relu", "leaky_relu", "elu",   "selu", "celu",  "sigmoid",
          "softplus", "softsign", "mish",     "gelu", "tan",        "floor", "ceil", "round", "sign"})
        cases.push_back(unary(std::string(name) + "(p)"));
    for (const char* name : {"log", "sqrt", "reciprocal", "acosh"})
        cases.push_back(unary(std::string(name) + "(p)", "3"));
    for (const char* name : {"asin", "acos", "atanh"}) cases.push_back(unary(std::string(name) + "(p)", "0", "0.9"));
    for (const char* call : {"leaky_relu(p) {alpha=0.3}", "elu(p) {alpha=0.7}", "selu(p) {alpha=1.5, gamma=0.9}",
                             "celu(p) {alpha=0.6}", "gelu(p) {approximate=true}", "thresholded_relu(p) {alpha=0.2}",
                             "clip(p) {min=-0.4, max=0.3}", "clip(p)", "shrink(p) {lambda=0.4, bias=0.1}"})
        cases.push_back(unary(call));
    for (const char* call : {"hard_sigmoid(p)", "hard_sigmoid(p) {alpha=0.4, beta=0.3}", "hard_swish(p)"})
        cases.push_back(unary(call, "0.5", "6"));
    for (const char* name : {"add", "subtract", "multiply", "maximum", "minimum"})
        cases.push_back(binary(std::string(name) + "(p, q)"));
    for (const char* name : {"divide", "power", "modulo"}) cases.push_back(binary(std::string(name) + "(p, q)", "2.5"));
    cases.push_back(binary("prelu(p, q)"));
    cases.push_back({"x: f64[2,3], y: f64[3]", "2,3", "v = bias_add(x, y);"});
    cases.push_back({"x: f64[2], y: f64[2]", "2", "v = bias_add(x, y) {axis=0};"});
    cases.push_back({"x: f64[2,3], y: f64[1,3]", "2,3", "c = less(x, y); v = where(c, x, y);"});
    cases.push_back({"x: f32[2]", "2", "v = cast(x) {dtype=f64};"});
    cases.back().params = "x: f64[2]";
    cases.push_back({"x: f64[2]", "2", "i = cast(x) {dtype=i64}; j = cast(i) {dtype=f64}; v = multiply(x, j);"});
    return cases;
}

std::vector<Case> reduction_cases() {
    std::vector<Case> cases;
    for (const char* name : {"reduce_sum", "reduce_mean", "reduce_max", "reduce_min", "reduce_l1", "reduce_l2",
                             "reduce_sum_square", "reduce_log_sum_exp"}) {
        cases.push_back({"x: f64[2,3,2]", "2,2", "v = " + std::string(name) + "(x) {axes=[1], keepdims=false};"});
        cases.push_back({"x: f64[2,3,2]", "1,3,1", "v = " + std::string(name) + "(x) {axes=[0, -1]};"});
    }
    cases.push_back({"x: f64[2,3]", "2", "e = exp(x); v = reduce_log_sum(e) {axes=[1], keepdims=false};"});
    for (const char* name : {"softmax", "log_softmax"}) {
        cases.push_back({"x: f64[2,3]", "2,3", "v = " + std::string(name) + "(x);"});
        cases.push_back({"x: f64[2,3,2]", "2,3,2", "v = " + std::string(name) + "(x) {axis=1};"});
    }
    for (const char* attrs : {"axis=1", "axis=0, exclusive=true", "axis=1, reverse=true"})
        cases.push_back({"x: f64[2,3]", "2,3", "v = cumsum(x) {" + std::string(attrs) + "};"});
    cases.push_back({"x: f64[2,3], s: f64[3], b: f64[3]", "2,3", "v = layer_norm(x, s, b) {epsilon=0.1};"});
    cases.push_back({"x: f64[2,2,3]", "2,2,3", "v = layer_norm(x) {axis=1, epsilon=0.1};"});
    cases.push_back({"x: f64[2,3,2], s: f64[3], b: f64[3], m: f64[3], w: f64[3]", "2,3,2",
                     "c: f64[1] = const [2]; d = add(w, c); v = batch_norm(x, s, b, m, d) {epsilon=0.1};"});
    return cases;
}

std::vector<Case> shape_cases() {
    return {
        {"x: f64[2,3]", "3,2", "v = reshape(x) {shape=[3, 2]};"},
        {"x: f64[2,3,2]", "3,2,2", "v = transpose(x) {perm=[1, 2, 0]};"},
        {"x: f64[1,3]", "2,2,3", "v = broadcast_to(x) {shape=[2, 2, 3]};"},
        {"x: f64[2,1], y: f64[2,2]", "2,3", "v = concat(x, y) {axis=1};"},
        {"x: f64[3,4]", "2,2", "v = slice(x) {begins=[1, 0], sizes=[2, 2]};"},
        {"x: f64[7,5]", "3,3", "v = slice(x) {begins=[1, 0], sizes=[3, 3], steps=[2, 2]};"},
        {"x: f64[7,5]", "2,5", "v = slice(x) {begins=[6, 4], sizes=[2, 5], steps=[-3, -1]};"},
        {"x: f64[2,3]", "4,2", "v = pad(x) {before=[1, -1], after=[1, 0]};"},
        {"x: f64[2,3], y: f64[1]", "3,4", "v = pad(x, y) {before=[1, 0], after=[0, 1]};"},
        {"x: f64[2,3]", "4,9", "v = tile(x) {repeats=[2, 3]};"},
        {"x: f64[3,3]", "3,3", "v = trilu(x) {upper=false, k=1};"},
        {"x: f64[1,4,2,2]", "1,1,4,4", "v = depth_to_space(x) {block=2};"},
        {"x: f64[1,1,4,4]", "1,4,2,2", "v = space_to_depth(x) {block=2};"},
        {"x: f64[2,4,2]", "2,2,3,2", "i: i64[2,3] = const [0, 3, 0, -1, 2, 2]; v = gather(x, i) {axis=1};"},
        {"x: f64[4,2]", "2", "i: i64[] = const 2; v = gather(x, i);"},
        {"x: f64[2,3]", "2,3", "i: i32[2,3] = const [0, 1, 1, 1, 1, 0]; v = gather_elements(x, i) {axis=0};"},
        {"x: f64[2,3,2]", "2,2", "i: i64[2,2] = const [0, 1, 1, 2]; v = gather_nd(x, i);"},
    };
}

std::vector<Case> product_cases() {
    return {
        {"x: f64[2,3], y: f64[3,4]", "2,4", "v = matmul(x, y);"},
        {"x: f64[3,2], y: f64[3,4]", "2,4", "v = matmul(x, y) {transpose_a=true};"},
        {"x: f64[2,3], y: f64[4,3]", "2,4", "v = matmul(x, y) {transpose_b=true};"},
        {"x: f64[3,2], y: f64[4,3]", "2,4", "v = matmul(x, y) {transpose_a=true, transpose_b=true};"},
        {"x: f64[2,1,2,3], y: f64[2,3,1]", "2,2,2,1", "v = matmul(x, y);"},
        {"x: f64[3], y: f64[2,3,2]", "2,2", "v = matmul(x, y);"},
        {"x: f64[2,2,3], y: f64[3]", "2,2", "v = matmul(x, y);"},
        {"x: f64[3], y: f64[3]", "", "v = matmul(x, y);"},
        {"x: f64[2,2,5], w: f64[3,2,2]", "2,3,4", "v = conv1d(x, w);"},
        {"x: f64[1,2,5,4], w: f64[2,2,3,2]", "1,2,3,3", "v = conv2d(x, w) {strides=[2, 1], pads=[1, 0, 1, 0]};"},
        {"x: f64[2,2,6,6], w: f64[2,2,2,2]", "2,2,2,2", "v = conv2d(x, w) {strides=[3, 3], dilations=[1, 2]};"},
        {"x: f64[2,4,3,3], w: f64[4,2,2,2]", "2,4,2,2", "v = conv2d(x, w) {groups=2};"},
        {"x: f64[2,3,3,3], w: f64[3,1,2,2]", "2,3,2,2", "v = conv2d(x, w) {groups=3};"},
        {"x: f64[1,1,2,3,3], w: f64[2,1,2,2,2]", "1,2,1,2,2", "v = conv3d(x, w);"},
        {"x: f64[1,2,2,3], w: f64[2,2,2,2]", "1,2,3,4", "v = conv_transpose(x, w);"},
        {"x: f64[1,4,2,2], w: f64[4,1,3,3]", "1,2,4,4",
         "v = conv_transpose(x, w) {groups=2, strides=[2, 2], pads=[1, 1, 1, 1], output_padding=[1, 1]};"},
        {"x: f64[1,2,4,5]", "1,2,3,2", "v = avg_pool(x) {kernel=[2, 3], strides=[1, 2]};"},
        {"x: f64[1,2,4,4]", "1,2,3,3", "v = avg_pool(x) {kernel=[2, 2], strides=[2, 2], pads=[1, 1, 1, 1]};"},
        {"x: f64[1,1,5,5]", "1,1,3,3", "v = avg_pool(x) {kernel=[2, 2], strides=[2, 2], ceil=true};"},
        {"x: f64[1,1,4,4]", "1,1,5,5", "v = avg_pool(x) {kernel=[2, 2], pads=[1, 1, 1, 1], count_include_pad=true};"},
        {"x: f64[1,2,4,5]", "1,2,3,3", "v = max_pool(x) {kernel=[2, 3]};"},
        {"x: f64[2,1,5]", "2,1,3", "v = max_pool(x) {kernel=[3], strides=[2], pads=[1, 1]};"},
        {"x: f64[1,1,4,4]", "1,1,2,2",
         "t = max_pool_with_indices(x) {kernel=[2, 2], strides=[2, 2], column_major=true}; v = t[0];"},
    };
}

std::vector<Case> all_cases() {
    std::vector<Case> all;
    for (const auto& cases : {elementwise_cases(), reduction_cases(), shape_cases(), product_cases()})
        all.insert(all.end(), cases.begin(), cases.end());
    return all;
}

Result<graph::Function> derived(const std::string& text) {
    const graph::Module module = module_of(text);
    return gradient(module.main, real_params(module.main));
}

} // namespace

TEST_CASE("derivatives agree with numerical differences", "[transform][gradient]") {
    for (const Case& one : all_cases()) {
        INFO(one.params << ": " << one.body);
        require_derivatives(module_with(one), 5);
    }
}

TEST_CASE("every rule has a case", "[transform][gradient]") {
    std::set<std::string> covered;
    for (const Case& one : all_cases()) {
        const graph::Module module = module_with(one);
        for (const graph::Binding& binding : module.main->bindings)
            if (const auto* call = graph::as<graph::CallOp>(binding.value)) covered.insert(call->op.name);
    }
    for (const graph::Op* op : ops::registry().all()) {
        INFO(op->name);
        CHECK((!has_gradient(op->name) || covered.contains(op->name)));
    }
}

TEST_CASE("values used several times hand on the sum", "[transform][gradient]") {
    require_derivatives(
        module_with({"x: f64[2,2], w: f64[2,2], b: f64[2]", "2,2",
                     "p = matmul(x, w); q = add(p, b); r1 = tanh(q); s = softmax(r1); m = multiply(s, x); "
                     "n = matmul(m, w) {transpose_b=true}; t = (n, q); u = t[0]; "
                     "o = t[1]; z = add(u, o); v = add(z, q);"}),
        11);
    // A convolutional network with a branch.
    require_derivatives(
        module_with(
            {"x: f64[1,2,6,6], w: f64[3,2,3,3], u: f64[3,3,1,1], d: f64[3,4]", "1,4",
             "a = conv2d(x, w) {pads=[1, 1, 1, 1]}; r1 = tanh(a); c = conv2d(r1, u); s = add(c, r1); "
             "p = max_pool(s) {kernel=[2, 2], strides=[2, 2]}; m = reduce_mean(p) {axes=[2, 3], keepdims=false}; "
             "v = matmul(m, d);"}),
        12);
}

TEST_CASE("of a polynomial it is the polynomial's derivative", "[transform][gradient]") {
    // c = a + b, d = c a: dd/da = 2 a + b, dd/db = a.
    const graph::Module module =
        module_of("outputs [\"d\"]; fn main(a: f32[], b: f32[]) { c = add(a, b); d = multiply(c, a); return d; }");
    const std::vector<std::size_t> by{0, 1};
    const graph::Function derived = gradient(module.main, by).value();
    NDArray a = NDArray::allocate(DType::F32, {}), b = a;
    a.set(0, 3);
    b = NDArray::allocate(DType::F32, {});
    b.set(0, 5);
    const auto out = graph::evaluate(derived, std::vector<NDArray>{a, b}, ops::interpreter_evaluator(), {}).value();
    CHECK(out[0].as_double(0) == 11);
    CHECK(out[1].as_double(0) == 3);
}

TEST_CASE("a parameter the value does not depend on has zeros", "[transform][gradient]") {
    const graph::Module module =
        module_of("outputs [\"y\"]; fn main(x: f32[2], z: f32[3]) { i = argmax(z) {axis=0}; j = cast(i) {dtype=f32}; "
                  "y = multiply(x, j); return y; }");
    const std::vector<std::size_t> by{1};
    const graph::Function derived = gradient(module.main, by).value();
    const auto out = graph::evaluate(derived, inputs_of(module, 3), ops::interpreter_evaluator(), {}).value();
    CHECK(compare(out[0], NDArray::zeros(DType::F32, {3})).max_abs == 0);
}

TEST_CASE("a long chain is differentiated without recursion", "[transform][gradient]") {
    graph::FunctionBuilder builder;
    graph::Var x = builder.param("x", graph::tensor_type(DType::F32, Shape{2}));
    for (int i = 0; i < 20'000; ++i) x = builder.call(ops::op("negative"), {x}, {}, {});
    const std::vector<std::size_t> by{0};
    const graph::Function derived = gradient(builder.finish("main", x), by).value();
    CHECK(derived->bindings.size() > 20'000);
}

TEST_CASE("what has no derivative is refused", "[transform][gradient]") {
    const auto code = [](const std::string& text) {
        const Result<graph::Function> function = derived(text);
        REQUIRE_FALSE(function.has_value());
        return function.error().code;
    };
    CHECK(code("fn main(x: f32[4]) -> f32[4] { y = reduce_prod(x) {axes=[0]}; z = multiply(y, x); return z; }") ==
          Code::UnsupportedFeature);
    CHECK(code("fn main(x: f32[n]) -> f32[n] { y = exp(x); return y; }") == Code::BadShape);
    CHECK(code("fn main(x: f32[2]) { y = cast(x) {dtype=i32}; return y; }") == Code::UnsupportedFeature);
    CHECK(code("fn main(x: f32[3]) { y = pad(x) {before=[1], mode=\"reflect\"}; return y; }") ==
          Code::UnsupportedFeature);
}

TEST_CASE("a part of a graph between two values becomes a function", "[transform][gradient]") {
    const graph::Module module =
        module_of("outputs [\"d\"]; fn main(a: f32[2], b: f32[2]) { u = exp(a); c = add(u, b); "
                  "z = sin(c); d = multiply(c, u); return d; }");
    graph::FunctionBuilder builder;
    for (const graph::Var& param : module.main->params) builder.param(param);
    for (const graph::Binding& binding : module.main->bindings) builder.append(binding);
    std::vector<graph::Var> free;
    const std::vector<graph::Var> from{module.main->bindings[0].var};
    const graph::Function part = slice_of(builder, module.main->result, from, free);
    REQUIRE(free == std::vector<graph::Var>{module.main->params[1]});
    CHECK(part->bindings.size() == 2);
    CHECK(part->params.size() == 2);
}
