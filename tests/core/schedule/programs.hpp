#pragma once
// Tensor programs that schedule tests work on, and how two of them are compared.

#include "core/base/ndarray.hpp"
#include "core/tensor/analysis.hpp"
#include "core/tensor/build.hpp"
#include "core/tensor/compute.hpp"

#include <random>

namespace orrery::schedule::test {

/// x[1,ic,h,w] padded by one, 3x3 convolution to oc channels, bias and relu.
inline tensor::Program conv_bias_relu(std::int64_t ic, std::int64_t oc, std::int64_t size) {
    using namespace tensor;
    const Buffer x = make_buffer("x", DType::F32, {1, ic, size, size}),
                 w = make_buffer("w", DType::F32, {oc, ic, 3, 3});
    const Buffer b = make_buffer("b", DType::F32, {oc});
    ComputeBuilder builder;
    const std::int64_t padded = size + 2;
    const Buffer pad =
        builder.axes({"n", "c", "h", "w"}).compute("pad", DType::F32, {1, ic, padded, padded}, [&](const auto& i) {
            const Expr inside =
                ge(i[2], imm(1)) && lt(i[2], imm(size + 1)) && ge(i[3], imm(1)) && lt(i[3], imm(size + 1));
            return select(inside, load(x, {i[0], i[1], i[2] - 1, i[3] - 1}), constant(DType::F32, 0));
        });
    const Buffer conv =
        builder.axes({"n", "c", "h", "w"})
            .reduce("conv", DType::F32, {1, oc, size, size}, {Combiner::Sum, {ic, 3, 3}, {"ic", "kh", "kw"}},
                    [&](const auto& i, const auto& k) {
                        return load(pad, {i[0], k[0], i[2] + k[1], i[3] + k[2]}) * load(w, {i[1], k[0], k[1], k[2]});
                    });
    const Buffer biased =
        builder.axes({"n", "c", "h", "w"}).compute("bias", DType::F32, {1, oc, size, size}, [&](const auto& i) {
            return load(conv, i) + load(b, {i[1]});
        });
    const Buffer relu =
        builder.axes({"n", "c", "h", "w"}).compute("relu", DType::F32, {1, oc, size, size}, [&](const auto& i) {
            return tensor::max(load(biased, i), constant(DType::F32, 0));
        });
    return builder.program("conv_bias_relu", {x, w, b}, {relu});
}

inline tensor::Program matmul(std::int64_t m, std::int64_t n, std::int64_t k) {
    using namespace tensor;
    const Buffer a = make_buffer("a", DType::F32, {m, k}), b = make_buffer("b", DType::F32, {k, n});
    ComputeBuilder builder;
    const Buffer c =
        builder.axes({"m", "n"})
            .reduce("matmul", DType::F32, {m, n}, {Combiner::Sum, {k}, {"k"}}, [&](const auto& i, const auto& r) {
                return load(a, {i[0], r[0]}) * load(b, {r[0], i[1]});
            });
    return builder.program("matmul", {a, b}, {c});
}

/// exp(x - max) / sum along the last dimension.
inline tensor::Program softmax(std::int64_t rows, std::int64_t columns) {
    using namespace tensor;
    const Buffer x = make_buffer("x", DType::F32, {rows, columns});
    ComputeBuilder builder;
    const auto last = [&](const char* name, Combiner combiner, const Buffer& of) {
        return builder.axes({"r"}).reduce(name, DType::F32, {rows}, {combiner, {columns}, {"k"}},
                                          [&](const auto& i, const auto& k) {
                                              return load(of, {i[0], k[0]});
                                          });
    };
    const Buffer high = last("high", Combiner::Max, x);
    const Buffer power = builder.axes({"r", "c"}).compute("power", DType::F32, {rows, columns}, [&](const auto& i) {
        return call(Intrinsic::Exp, load(x, i) - load(high, {i[0]}));
    });
    const Buffer sum = last("sum", Combiner::Sum, power);
    const Buffer out = builder.axes({"r", "c"}).compute("out", DType::F32, {rows, columns}, [&](const auto& i) {
        return load(power, i) / load(sum, {i[0]});
    });
    return builder.program("softmax", {x}, {out});
}

/// y = max over 2x2 windows, then plus one, twice read.
inline tensor::Program pool_chain(std::int64_t channels, std::int64_t size) {
    using namespace tensor;
    const Buffer x = make_buffer("x", DType::F32, {1, channels, size, size});
    ComputeBuilder builder;
    const Buffer shifted = builder.axes({"n", "c", "h", "w"})
                               .compute("shifted", DType::F32, {1, channels, size, size},
                                        [&](const auto& i) { return load(x, i) + constant(DType::F32, 1); });
    const Buffer pool = builder.axes({"n", "c", "h", "w"})
                            .reduce("pool", DType::F32, {1, channels, size / 2, size / 2},
                                    {Combiner::Max, {2, 2}, {"kh", "kw"}}, [&](const auto& i, const auto& k) {
                                        return load(shifted, {i[0], i[1], i[2] * 2 + k[0], i[3] * 2 + k[1]});
                                    });
    return builder.program("pool_chain", {x}, {pool});
}

/// Arguments filled from a seed, outputs zeroed.
inline std::vector<NDArray> arguments(const tensor::Program& program, unsigned seed) {
    std::mt19937 random(seed);
    std::vector<NDArray> args;
    for (std::size_t p = 0; p < program->params.size(); ++p) {
        NDArray array = NDArray::zeros(program->params[p]->dtype, program->params[p]->static_shape());
        for (std::int64_t i = 0; p < program->input_count && i < array.size(); ++i)
            array.set(i, static_cast<double>(random() % 2001) / 1000.0 - 1.0);
        args.push_back(std::move(array));
    }
    return args;
}

/// Largest difference of the results of two programs with the same parameters, run by the interpreter.
inline double difference(const tensor::Program& a, const tensor::Program& b, unsigned seed = 1) {
    std::vector<NDArray> x = arguments(a, seed), y = arguments(b, seed);
    const Result<void> first = tensor::interpret(a, x), second = tensor::interpret(b, y);
    if (!first || !second) return 1e30;
    double worst = 0;
    for (std::size_t i = a->input_count; i < x.size(); ++i) worst = std::max(worst, compare(y[i], x[i]).max_rel);
    return worst;
}

} // namespace orrery::schedule::test
