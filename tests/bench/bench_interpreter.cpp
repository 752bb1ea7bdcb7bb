// How long the reference interpreter takes for an innermost iteration. Usage: bench_interpreter

#include "core/tensor/analysis.hpp"
#include "core/tensor/build.hpp"
#include "core/tensor/compute.hpp"

#include <algorithm>
#include <cstdio>
#include <ctime>
#include <string>

using namespace orrery;
using namespace orrery::tensor;

namespace {

struct Case {
    std::string name;
    Program program;
    double iterations = 0; ///< of the innermost block
};

Buffer padded(ComputeBuilder& builder, const Buffer& x, std::int64_t pad) {
    const std::vector<std::int64_t> shape = x->static_shape();
    return builder.compute("padded", DType::F32, {shape[0], shape[1], shape[2] + 2 * pad, shape[3] + 2 * pad},
                           [&](const ComputeBuilder::Spatial& i) {
                               const Expr y = i[2] - pad, z = i[3] - pad;
                               const Expr inside =
                                   ge(y, imm(0)) && lt(y, imm(shape[2])) && ge(z, imm(0)) && lt(z, imm(shape[3]));
                               return select(inside, load(x, {i[0], i[1], y, z}), constant(DType::F32, 0));
                           });
}

/// A 3x3 convolution with padding 1; the padding a stage of its own, or a select at every product.
Case convolution(std::int64_t channels, std::int64_t size, bool select_inside) {
    const Buffer x = make_buffer("x", DType::F32, {1, channels, size, size});
    const Buffer w = make_buffer("w", DType::F32, {channels, channels, 3, 3});
    ComputeBuilder builder;
    const Buffer from = select_inside ? x : padded(builder, x, 1);
    const Buffer out =
        builder.reduce("conv", DType::F32, {1, channels, size, size}, {Combiner::Sum, {channels, 3, 3}, {}},
                       [&](const ComputeBuilder::Spatial& i, const ComputeBuilder::Spatial& r) {
                           const Expr weight = load(w, {i[1], r[0], r[1], r[2]});
                           if (!select_inside) return load(from, {i[0], r[0], i[2] + r[1], i[3] + r[2]}) * weight;
                           const Expr y = i[2] + r[1] - 1, z = i[3] + r[2] - 1;
                           const Expr inside = ge(y, imm(0)) && lt(y, imm(size)) && ge(z, imm(0)) && lt(z, imm(size));
                           return select(inside, load(x, {i[0], r[0], y, z}), constant(DType::F32, 0)) * weight;
                       });
    const auto count = static_cast<double>(channels * channels * size * size * 9);
    return {select_inside ? "conv 3x3, select inside" : "conv 3x3", builder.program("conv", {x, w}, {out}), count};
}

Case matmul(std::int64_t n) {
    const Buffer a = make_buffer("a", DType::F32, {n, n}), b = make_buffer("b", DType::F32, {n, n});
    ComputeBuilder builder;
    const Buffer out = builder.reduce("matmul", DType::F32, {n, n}, {Combiner::Sum, {n}, {}},
                                      [&](const ComputeBuilder::Spatial& i, const ComputeBuilder::Spatial& r) {
                                          return load(a, {i[0], r[0]}) * load(b, {r[0], i[1]});
                                      });
    return {"matmul", builder.program("matmul", {a, b}, {out}), static_cast<double>(n * n * n)};
}

Case elementwise(std::int64_t n) {
    const Buffer a = make_buffer("a", DType::F32, {n}), b = make_buffer("b", DType::F32, {n});
    ComputeBuilder builder;
    const Buffer out = builder.compute("add_relu", DType::F32, {n}, [&](const ComputeBuilder::Spatial& i) {
        return max(load(a, {i[0]}) + load(b, {i[0]}), constant(DType::F32, 0));
    });
    return {"add, relu", builder.program("add_relu", {a, b}, {out}), static_cast<double>(n)};
}

Case depthwise(std::int64_t channels, std::int64_t size) {
    const Buffer x = make_buffer("x", DType::F32, {1, channels, size + 2, size + 2});
    const Buffer w = make_buffer("w", DType::F32, {channels, 3, 3});
    ComputeBuilder builder;
    const Buffer out =
        builder.reduce("depthwise", DType::F32, {1, channels, size, size}, {Combiner::Sum, {3, 3}, {}},
                       [&](const ComputeBuilder::Spatial& i, const ComputeBuilder::Spatial& r) {
                           return load(x, {i[0], i[1], i[2] + r[0], i[3] + r[1]}) * load(w, {i[1], r[0], r[1]});
                       });
    return {"depthwise 3x3", builder.program("depthwise", {x, w}, {out}),
            static_cast<double>(channels * size * size * 9)};
}

/// A chain that no strip can hold: each element needs the one before.
Case scan(std::int64_t n) {
    const Buffer x = make_buffer("x", DType::F32, {n}), out = make_buffer("y", DType::F32, {n});
    const VarRef i = Var::make("i");
    const Expr before = select(gt(i, imm(0)), load(out, {i - 1}), constant(DType::F32, 0));
    const Stmt body = For::make(i, imm(n), LoopKind::Serial, Store::make(out, {i}, before + load(x, {i})));
    return {"running sum", make_program("scan", {x, out}, 1, body), static_cast<double>(n)};
}

/// Processor time, which other processes do not lengthen.
double seconds_of(const Case& c) {
    std::vector<NDArray> args;
    for (const Buffer& param : c.program->params) {
        args.push_back(NDArray::zeros(param->dtype, param->static_shape()));
        for (std::int64_t i = 0; i < args.back().size(); ++i)
            args.back().set(i, static_cast<double>(i % 17) * 0.125 - 1);
    }
    const std::clock_t start = std::clock();
    const Result<void> done = interpret(c.program, args);
    if (!done) std::printf("%s\n", to_string(done.error()).c_str());
    return static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
}

} // namespace

int main() {
    for (const Case& c : {convolution(64, 56, false), convolution(64, 56, true), matmul(512), depthwise(256, 56),
                          elementwise(1 << 24), scan(1 << 20)}) {
        double best = seconds_of(c);
        for (int run = 0; run < 2; ++run) best = std::min(best, seconds_of(c));
        std::printf("%-26s %10.1f ms  %6.2f ns/iteration\n", c.name.c_str(), best * 1e3, best * 1e9 / c.iterations);
    }
}
