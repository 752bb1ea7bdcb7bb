// Regions through oneDNN against the interpreter: each operator and composite over many shapes, whole networks, other
// numbers of threads than planned for, several runs at once.

#include "backends/dnnl/dnnl_backend.hpp"
#include "backends/llvm/llvm_backend.hpp"
#include "core/graph/builder.hpp"
#include "core/graph/evaluate.hpp"
#include "core/graph/text.hpp"
#include "core/ops/ops.hpp"
#include "core/session/compiler.hpp"
#include "core/transform/passes.hpp"

#include <catch2/catch.hpp>

#include <thread>

using namespace orrery;
using namespace orrery::session;

namespace {

Compiler& compiler() {
    static Compiler made = [] {
        add_region_backend(make_dnnl_backend());
        return Compiler(make_llvm_backend(), Compiler::Options{});
    }();
    return made;
}

Recipe partitioned_recipe() {
    Recipe recipe = compiler().new_recipe({});
    recipe.passes = transform::partitioned(transform::default_pipeline(), "dnnl");
    return recipe;
}

graph::Module module_of(const std::string& text) {
    Result<graph::Module> parsed = graph::parse_module(text, ops::registry(), {});
    if (!parsed) FAIL(to_string(parsed.error()) << "\n" << text);
    return *parsed;
}

NDArray ramp(DType dtype, const Shape& shape, int seed) {
    NDArray array = NDArray::allocate(dtype, shape);
    for (std::int64_t i = 0; i < array.size(); ++i)
        array.set(i, static_cast<double>((i * 37 + seed * 11) % 64) / 32 - 1);
    return array;
}

std::vector<NDArray> inputs_of(const graph::Module& module) {
    std::vector<NDArray> inputs;
    for (const graph::Var& param : module.main->params) {
        const graph::TensorType& type = *graph::as_tensor(param->type);
        inputs.push_back(ramp(type.dtype, graph::static_shape(type), static_cast<int>(inputs.size())));
    }
    return inputs;
}

std::size_t region_count(const CompiledModel& model) {
    std::size_t count = 0;
    for (const auto& region : model.regions) count += region ? 1 : 0;
    return count;
}

/// Compiles and runs with and without regions; requires `regions` of them, and numbers as the interpreter's.
/// f32 sums in another order, and elementwise functions good to some units in the last place.
void require_agrees(const std::string& text, std::size_t regions, int threads = 2) {
    const graph::Module module = module_of(text);
    const auto model = compiler().compile_module(partitioned_recipe(), module, {});
    INFO(text);
    if (!model) FAIL(to_string(model.error()));
    REQUIRE(region_count(**model) == regions);
    const std::vector<NDArray> inputs = inputs_of(module);
    const auto got = run(**model, inputs, threads, {});
    REQUIRE(got.has_value());
    const auto want = graph::evaluate(module.main, inputs, ops::interpreter_evaluator(), {});
    REQUIRE(want.has_value());
    for (std::size_t i = 0; i < want->size(); ++i) {
        const Difference difference = compare(got->outputs[i], (*want)[i]);
        REQUIRE(difference.same_type);
        REQUIRE(difference.max_rel < 2e-5);
    }
}

std::string one(const std::string& params, const std::string& body) {
    return "outputs [\"y\"];\nfn main(" + params + ") { " + body + " return y; }\n";
}

} // namespace

TEST_CASE("convolutions of many kinds", "[dnnl]") {
    struct Form {
        std::string x, w, attrs;
    };
    for (const Form& f : std::vector<Form>{{"f32[1,3,8,8]", "f32[4,3,3,3]", ""},
                                           {"f32[2,3,9,7]", "f32[16,3,3,2]", "{strides=[2, 1], pads=[1, 0, 2, 1]}"},
                                           {"f32[1,8,8,8]", "f32[8,1,3,3]", "{groups=8, pads=[1, 1, 1, 1]}"},
                                           {"f32[1,6,5,5]", "f32[4,3,2,2]", "{groups=2}"},
                                           {"f32[1,4,11,11]", "f32[5,4,3,3]", "{dilations=[2, 3], pads=[2, 3, 2, 3]}"},
                                           {"f32[1,4,10,10]", "f32[8,4,1,1]", "{strides=[3, 3]}"},
                                           {"f32[1,17,6,6]", "f32[33,17,3,3]", "{pads=[1, 1, 1, 1]}"}}) {
        require_agrees(one("x: " + f.x + ", w: " + f.w, "y = conv2d(x, w) " + f.attrs + ";"), 1);
        require_agrees(one("x: " + f.x + ", w: " + f.w, "c = conv2d(x, w) " + f.attrs + "; y = relu(c);"), 1, 1);
    }
}

TEST_CASE("what follows a convolution or a product is part of it", "[dnnl]") {
    const std::string x = "x: f32[1,3,6,6], w: f32[4,3,3,3], z: f32[1,4,6,6]";
    const std::string conv = "b: f32[4] = const [1, -1, 0.5, 2]; c = conv2d(x, w) {pads=[1, 1, 1, 1]}; ";
    require_agrees(one(x, conv + "d = bias_add(c, b); e = add(d, z); y = relu(e);"), 1);
    require_agrees(one(x, conv + "d = bias_add(c, b); e = add(z, d); y = clip(e) {min=0.0, max=6.0};"), 1);
    require_agrees(one(x, conv + "e = add(c, z); y = sigmoid(e);"), 1);
    require_agrees(one(x, conv + "d = bias_add(c, b); y = hard_swish(d);"), 1);
    // A sum with itself, and a bias along another axis, are work of their own.
    require_agrees(one(x, conv + "y = add(c, c);"), 1);
    require_agrees(one("x: f32[1,3,6,6], w: f32[6,3,3,3], b: f32[6]",
                       "c = conv2d(x, w) {pads=[1, 1, 1, 1]}; y = bias_add(c, b) {axis=3};"),
                   1);
    const std::string a = "a: f32[5,7], w: f32[7,9]";
    const std::string bias = "b: f32[9] = const [1, 2, 3, 4, 5, 6, 7, 8, 9]; m = matmul(a, w); ";
    require_agrees(one(a, bias + "d = bias_add(m, b) {axis=1}; y = gelu(d);"), 1);
    require_agrees(one(a, bias + "y = bias_add(m, b) {axis=-1};"), 1);
}

TEST_CASE("products of many kinds", "[dnnl]") {
    require_agrees(one("a: f32[5,7], b: f32[7,9]", "y = matmul(a, b);"), 1);
    require_agrees(one("a: f32[7,5], b: f32[9,7]", "y = matmul(a, b) {transpose_a=true, transpose_b=true};"), 1);
    require_agrees(one("a: f32[2,3,5,7], b: f32[2,3,7,4]", "y = matmul(a, b);"), 1);
    require_agrees(one("a: f32[2,3,5,7], b: f32[2,3,4,7]", "y = matmul(a, b) {transpose_b=true};"), 1);
    require_agrees(one("a: f32[2,5,7], b: f32[7,4]", "m = matmul(a, b); y = relu(m);"), 1);
    require_agrees(one("a: f32[2,5,7], b: f32[1,7,4]", "y = matmul(a, b);"), 1);
    require_agrees(one("a: f32[7], b: f32[7,4]", "y = matmul(a, b);"), 0);
}

TEST_CASE("pooling and elementwise work", "[dnnl]") {
    const std::string x = "x: f32[2,5,9,8]";
    for (const char* op : {"max_pool", "avg_pool"}) {
        require_agrees(one(x, std::string("y = ") + op + "(x) {kernel=[3, 2], strides=[2, 2], pads=[1, 0, 1, 1]};"), 1);
        require_agrees(one(x, std::string("y = ") + op + "(x) {kernel=[2, 2], ceil=true, strides=[2, 2]};"), 0);
    }
    require_agrees(one(x, "y = avg_pool(x) {kernel=[3, 3], pads=[1, 1, 1, 1], count_include_pad=true};"), 1);
    for (const char* op : {"relu", "leaky_relu", "elu", "tanh", "sigmoid", "abs", "exp", "gelu", "hard_swish"})
        require_agrees(one(x, std::string("y = ") + op + "(x);"), 1);
    require_agrees(one(x, "y = gelu(x) {approximate=true};"), 1);
    require_agrees(one(x + ", z: f32[1,5,1,1]", "y = multiply(x, z);"), 1);
    require_agrees(one(x + ", z: f32[2,5,9,8]", "y = subtract(z, x);"), 1);
    require_agrees(one("x: f64[4]", "y = relu(x);"), 0);
    require_agrees(one("x: f32[0,4]", "y = relu(x);"), 0);
}

TEST_CASE("several results, values used twice, results that are inputs of others", "[dnnl]") {
    require_agrees(R"(outputs ["y", "c", "p"];
fn main(x: f32[1,8,8,8], w: f32[8,8,3,3]) {
  c = conv2d(x, w) {pads=[1, 1, 1, 1]};
  r = relu(c);
  p = max_pool(r) {kernel=[2, 2], strides=[2, 2]};
  s = add(r, c);
  t = softmax(s);
  y = relu(t);
  o = (y, c, p);
  return o;
}
)",
                   2);
}

TEST_CASE("networks in regions give what the interpreter gives", "[dnnl][models]") {
    // Source of the tolerance: f32 sums of up to some thousand terms in another order, through some tens of layers.
    for (const char* network : {"lenet", "squeezenet", "resnet18", "mobilenet_v2", "transformer"}) {
        INFO(network);
        Recipe recipe = partitioned_recipe();
        recipe.builtin = network;
        const auto model = compiler().compile(recipe, {});
        if (!model) FAIL(to_string(model.error()));
        REQUIRE(region_count(**model) > 0);
        recipe.passes = transform::default_pipeline();
        const auto plain = compiler().compile(recipe, {});
        REQUIRE(plain.has_value());
        const std::vector<NDArray> inputs = seeded_inputs((*model)->executable->plan, 5);
        const auto got = run(**model, inputs, 2, {}), want = run(**plain, inputs, 2, {});
        REQUIRE(got.has_value());
        for (std::size_t i = 0; i < want->outputs.size(); ++i)
            REQUIRE(compare(got->outputs[i], want->outputs[i]).max_rel < 1e-4);
    }
    Recipe recipe = partitioned_recipe();
    recipe.builtin = "lenet";
    const auto model = compiler().compile(recipe, {});
    const auto checked = check(**model, seeded_inputs((*model)->executable->plan, 1), 1e-4, {});
    REQUIRE(checked.has_value());
    REQUIRE(checked->first_wrong == -1);
}

TEST_CASE("regions run several at once, with other numbers of threads", "[dnnl]") {
    const graph::Module module = module_of(
        one("x: f32[1,8,16,16], w: f32[8,8,3,3]", "c = conv2d(x, w) {pads=[1, 1, 1, 1]}; d = relu(c); y = add(d, x);"));
    const auto model = compiler().compile_module(partitioned_recipe(), module, {});
    REQUIRE(model.has_value());
    const std::vector<NDArray> inputs = inputs_of(module);
    const auto want = run(**model, inputs, 1, {});
    REQUIRE(want.has_value());
    std::vector<double> worst(3, 1);
    std::vector<std::thread> runners;
    for (int t = 0; t < 3; ++t)
        runners.emplace_back([&, t] {
            double most = 0;
            for (int i = 0; i < 20; ++i) {
                const auto got = run(**model, inputs, t + 1, {});
                most = std::max(most, got ? compare(got->outputs[0], want->outputs[0]).max_rel : 1);
            }
            worst[static_cast<std::size_t>(t)] = most;
        });
    for (std::thread& runner : runners) runner.join();
    for (double most : worst) REQUIRE(most < 1e-5);
}

TEST_CASE("a region nobody compiles is refused", "[dnnl]") {
    const graph::Module module = module_of(R"(outputs ["y"];
fn r(x: f32[4]) with {backend="nobody", primitive=true} { y = relu(x); return y; }
fn main(x: f32[4]) { y = @r(x); return y; }
)");
    Recipe recipe = compiler().new_recipe({});
    recipe.passes.clear();
    REQUIRE(compiler().compile_module(recipe, module, {}).error().code == Code::NoTarget);
}
