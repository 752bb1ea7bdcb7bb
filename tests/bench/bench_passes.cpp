// What passes cost: a pipeline over networks pass by pass, with bindings before and after and the share of bindings
// that know where they come from; then type inference and every pass over chains of 1,000, 10,000 and 100,000
// operators. Usage: bench_passes [LEVEL [PASS...]]: the passes of -O LEVEL (3), then those named.

#include "core/frontends/onnx/import.hpp"
#include "core/frontends/onnx/networks.hpp"
#include "core/graph/builder.hpp"
#include "core/ops/ops.hpp"
#include "core/transform/passes.hpp"

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <random>
#include <string>

using namespace orrery;
using namespace orrery::graph;

namespace {

/// Processor time, which other processes do not lengthen. Units: milliseconds.
double now_ms() { return static_cast<double>(std::clock()) * 1000.0 / CLOCKS_PER_SEC; }

Module network(const std::string& name) {
    const std::string bytes = onnx::build_network(name, 1).value();
    return onnx::import_bytes(std::as_bytes(std::span(bytes)), {}, {}, {}).value();
}

/// Encoder layers as BERT-base has them: 12 of them, 128 tokens, 768 wide, 12 heads.
class Encoder {
  public:
    Module build(int layers) {
        Var x = builder_.param("x", tensor_type(DType::F32, Shape{1, kTokens, kWidth}));
        for (int i = 0; i < layers; ++i) x = layer(x);
        auto sources = std::make_shared<std::vector<Source>>(next_, Source{"node", "Node"});
        return {builder_.finish("main", x), {"y"}, sources};
    }

  private:
    static constexpr std::int64_t kTokens = 128, kWidth = 768, kHeads = 12, kInner = 3072;

    Var call(const char* name, std::vector<Var> args, Attrs attrs = {}) {
        return builder_.call(ops::op(name), std::move(args), std::move(attrs), OriginSet(next_++));
    }
    Var weight(Shape shape) {
        NDArray array = NDArray::allocate(DType::F32, std::move(shape));
        for (float& value : array.mutable_values<float>()) value = static_cast<float>(random_() % 2001) / 20000 - 0.05f;
        return builder_.constant(std::move(array), OriginSet(next_++));
    }
    Var scalar(float value) {
        NDArray array = NDArray::allocate(DType::F32, {});
        array.set(0, value);
        return builder_.constant(std::move(array), OriginSet(next_++));
    }
    Var dense(const Var& x, std::int64_t in, std::int64_t out) {
        return call("add", {call("matmul", {x, weight({in, out})}), weight({out})});
    }
    Var norm(const Var& x) { return call("layer_norm", {x, weight({kWidth}), weight({kWidth})}); }
    Var heads(const Var& x, Ints perm) {
        const Var split = call("reshape", {x}, {{"shape", Ints{1, kTokens, kHeads, kWidth / kHeads}}});
        return call("transpose", {split}, {{"perm", std::move(perm)}});
    }
    Var layer(const Var& x) {
        const Var q = heads(dense(x, kWidth, kWidth), {0, 2, 1, 3}), k = heads(dense(x, kWidth, kWidth), {0, 2, 3, 1}),
                  v = heads(dense(x, kWidth, kWidth), {0, 2, 1, 3});
        const Var scores =
            call("softmax", {call("divide", {call("matmul", {q, k}), scalar(8)})}, {{"axis", std::int64_t{-1}}});
        const Var mixed = call("transpose", {call("matmul", {scores, v})}, {{"perm", Ints{0, 2, 1, 3}}});
        const Var joined = call("reshape", {mixed}, {{"shape", Ints{1, kTokens, kWidth}}});
        const Var seen = norm(call("add", {dense(joined, kWidth, kWidth), x}));
        const Var inner = dense(seen, kWidth, kInner);
        const Var erf = call("erf", {call("divide", {inner, scalar(std::sqrt(2.0f))})});
        const Var gelu = call("multiply", {call("multiply", {inner, call("add", {erf, scalar(1)})}), scalar(0.5f)});
        return norm(call("add", {dense(gelu, kInner, kWidth), seen}));
    }

    FunctionBuilder builder_;
    SourceId next_ = 0;
    std::mt19937 random_{1};
};

std::size_t operators(const Function& function) {
    std::size_t count = 0;
    for (const Binding& binding : function->bindings) {
        if (binding.value->kind == ExprKind::CallOp) ++count;
        for (const Function& inner : inner_functions(binding.value)) count += operators(inner);
    }
    return count;
}

void count_origins(const Function& function, std::size_t& all, std::size_t& known) {
    for (const Binding& binding : function->bindings) {
        ++all;
        known += binding.origin.empty() ? 0 : 1;
        for (const Function& inner : inner_functions(binding.value)) count_origins(inner, all, known);
    }
}

using Steps = std::vector<transform::PassStep>;

double run_pipeline(const std::string& name, Module module, const Steps& steps) {
    std::printf("\n%s: %zu operators\n", name.c_str(), operators(module.main));
    double total = 0;
    for (const transform::PassStep& step : steps) {
        const std::size_t before = operators(module.main);
        const transform::PassStep given = transform::with_facts(step, {{"vector_bits", "512"}});
        const double start = now_ms();
        Result<Module> after = transform::find_pass(step.name)->run(module, {given.options, {}, nullptr});
        const double ms = now_ms() - start;
        if (!after) {
            std::printf("  %-28s %s\n", step.name.c_str(), to_string(after.error()).c_str());
            continue;
        }
        total += ms;
        std::printf("  %-28s %8.2f ms  %5zu -> %5zu operators%s\n", step.name.c_str(), ms, before,
                    operators(after->main), after->main == module.main ? "" : "  changed");
        module = *std::move(after);
    }
    std::size_t all = 0, known = 0;
    count_origins(module.main, all, known);
    std::printf("  %-28s %8.2f ms; %zu of %zu bindings know their origin\n", "together", total, known, all);
    return total;
}

Module chain(std::size_t length) {
    FunctionBuilder builder;
    Var x = builder.param("x", tensor_type(DType::F32, Shape{4}));
    const char* const kinds[] = {"relu", "exp", "negative", "tanh"};
    for (std::size_t i = 0; i < length; ++i)
        x = builder.call(ops::op(kinds[i % 4]), {x}, {}, OriginSet(static_cast<SourceId>(i)));
    return {builder.finish("main", x), {"y"}, std::make_shared<const std::vector<Source>>()};
}

void print_slope(const std::string& name, const std::vector<double>& ms) {
    std::printf("  %-28s", name.c_str());
    for (double each : ms) std::printf(" %10.2f ms", each);
    const auto slope = [&](std::size_t i) { return std::log10(std::max(ms[i], 1e-3) / std::max(ms[i - 1], 1e-3)); };
    std::printf("   exponents %.2f %.2f\n", slope(1), slope(2));
}

void print_slopes() {
    std::printf("\nchains of 1,000, 10,000 and 100,000 operators\n");
    std::vector<Module> chains;
    std::vector<double> build, check;
    for (std::size_t length : {1'000u, 10'000u, 100'000u}) {
        const double start = now_ms();
        chains.push_back(chain(length));
        build.push_back(now_ms() - start);
        const double verified = now_ms();
        if (!verify(chains.back())) std::printf("the chain does not verify\n");
        check.push_back(now_ms() - verified);
    }
    print_slope("type inference", build);
    print_slope("verify", check);
    for (const transform::GraphPass& pass : transform::passes()) {
        std::vector<double> ms;
        for (const Module& module : chains) {
            const double start = now_ms();
            (void)pass.run(module, {{}, {}, nullptr});
            ms.push_back(now_ms() - start);
        }
        print_slope(pass.name, ms);
    }
}

} // namespace

int main(int argc, char** argv) {
    const int level = argc > 1 ? std::atoi(argv[1]) : 3;
    Steps steps = transform::default_pipeline(level);
    for (int i = 2; i < argc; ++i) steps.push_back({argv[i], {}, true});
    for (const transform::PassStep& step : steps)
        if (!transform::find_pass(step.name)) return std::printf("there is no pass named %s\n", step.name.c_str()), 1;
    run_pipeline("resnet50", network("resnet50"), steps);
    run_pipeline("mobilenet_v2", network("mobilenet_v2"), steps);
    const double dense = run_pipeline("densenet121", network("densenet121"), steps);
    run_pipeline("transformer", network("transformer"), steps);
    const double encoder = run_pipeline("12 encoder layers", Encoder().build(12), steps);
    std::printf("\ndensenet121 and 12 encoder layers together: %.0f ms\n", dense + encoder);
    print_slopes();
}
