#pragma once
// Small programs of the kinds networks are made of, compiled for a machine.

#include "backends/llvm/llvm_backend.hpp"
#include "core/graph/text.hpp"
#include "core/ops/ops.hpp"
#include "core/session/compiler.hpp"
#include "core/session/scratch.hpp"
#include "tests/portable/machines.hpp"

#include <catch2/catch.hpp>

#include <string>
#include <vector>

namespace orrery::portable {

inline session::Compiler& compiler() {
    static session::Compiler made(make_llvm_backend(), session::Compiler::Options{});
    return made;
}

/// A kernel as index expressions, and how many multiplications and additions of f32 it asks for.
struct Kernel {
    const char* name;
    const char* text;
    std::int64_t products;
};
inline constexpr Kernel kMatmul{"matmul", R"(kernel matmul
input A: f32[48, 40], B: f32[40, 64]
C[i: 48, j: 64] = sum[k: 40](A[i, k] * B[k, j])
)",
                                std::int64_t{48} * 64 * 40};
inline constexpr Kernel kConv{"conv2d, blocks of channels", R"(kernel conv2d
input x: f32[2, 12, 12, 8], weight: f32[1, 2, 3, 3, 8, 32]
pad[c: 2, h: 14, w: 14, i: 8] = select(h >= 1 && h <= 12 && w >= 1 && w <= 12, x[c, h - 1, w - 1, i], 0.0)
y[k: 1, h: 12, w: 12, o: 32] = sum[c: 2, r: 3, s: 3, i: 8](pad[c, h + r, w + s, i] * weight[k, c, r, s, i, o])
output y
)",
                              std::int64_t{32} * 144 * 144};
/// Channels that fill no whole number of registers.
inline constexpr Kernel kOddConv{"conv2d, blocks of 34 channels", R"(kernel conv2d
input x: f32[1, 12, 12, 34], weight: f32[1, 1, 34, 34]
y[k: 1, h: 12, w: 12, o: 34] = sum[c: 1, i: 34](x[c, h, w, i] * weight[k, c, i, o])
output y
)",
                                 std::int64_t{34} * 144 * 34};
inline constexpr Kernel kPlainConv{"conv2d, as in a file", R"(kernel conv2d
input x: f32[8, 16, 16], weight: f32[16, 8, 3, 3]
pad[c: 8, h: 18, w: 18] = select(h >= 1 && h <= 16 && w >= 1 && w <= 16, x[c, h - 1, w - 1], 0.0)
y[k: 16, h: 16, w: 16] = sum[c: 8, r: 3, s: 3](pad[c, h + r, w + s] * weight[k, c, r, s])
output y
)",
                                   std::int64_t{16} * 256 * 72};
inline constexpr Kernel kDepthwise{"depthwise, blocks of channels", R"(kernel depthwise
input x: f32[2, 12, 12, 16], weight: f32[2, 3, 3, 16]
pad[c: 2, h: 14, w: 14, i: 16] = select(h >= 1 && h <= 12 && w >= 1 && w <= 12, x[c, h - 1, w - 1, i], 0.0)
y[c: 2, h: 12, w: 12, i: 16] = sum[r: 3, s: 3](pad[c, h + r, w + s, i] * weight[c, r, s, i])
output y
)",
                                   std::int64_t{32} * 144 * 9};
inline constexpr Kernel kSoftmax{"softmax", R"(kernel softmax
input x: f32[16, 256]
top[i: 16] = max[k: 256](x[i, k])
e[i: 16, j: 256] = exp(x[i, j] - top[i])
y[i: 16, j: 256] = e[i, j] / sum[k: 256](e[i, k])
output y
)",
                                 0};
inline constexpr std::array<Kernel, 5> kKernels = {kMatmul, kConv, kPlainConv, kDepthwise, kSoftmax};

using Model = std::shared_ptr<const session::CompiledModel>;

inline Target target_of(const Machine& machine) {
    Result<Target> target = compiler().backend().read_target(machine.target);
    if (!target) FAIL(to_string(target.error()));
    return *target;
}

inline session::Recipe recipe_of(const Kernel& kernel, const Machine& machine,
                                 session::ScheduleRule rule = session::ScheduleRule::Rules) {
    session::Recipe recipe = session::scratch_recipe(compiler(), std::string(kernel.text));
    recipe.target = target_of(machine);
    recipe.rule = rule;
    return recipe;
}

inline Model compiled(const Kernel& kernel, const Machine& machine,
                      session::ScheduleRule rule = session::ScheduleRule::Rules) {
    Result<Model> model = compiler().compile(recipe_of(kernel, machine, rule), {});
    if (!model) FAIL(to_string(model.error()));
    return *model;
}

/// Numbers in brackets, the same every time: thirds and sevenths around zero.
inline std::string numbers(std::int64_t count) {
    std::string text = "[";
    for (std::int64_t i = 0; i < count; ++i)
        text += (i > 0 ? ", " : "") + std::to_string(static_cast<double>(i * 37 % 23 - 11) / 16.0);
    return text + "]";
}
/// A line of a network: a constant of that shape.
inline std::string weight(const char* name, const std::vector<std::int64_t>& shape) {
    std::string text;
    std::int64_t count = 1;
    for (const std::int64_t extent : shape) {
        text += (text.empty() ? "" : ",") + std::to_string(extent);
        count *= extent;
    }
    return "  " + std::string(name) + ": f32[" + text + "] = const " + numbers(count) + ";\n";
}

/// A small network through all passes: convolutions and a product whose weights are packed when it is compiled.
inline std::string network() {
    return "outputs [\"y\"];\nfn main(x: f32[1,16,14,14]) -> f32[1,40] {\n  v: f32[32,16,3,3] = const " +
           numbers(std::int64_t{32} * 16 * 9) + ";\n  a = conv2d(x, v) {pads=[1, 1, 1, 1]};\n  b = relu(a);\n" +
           "  w: f32[32,1,3,3] = const " + numbers(std::int64_t{32} * 9) +
           ";\n  c = conv2d(b, w) {pads=[1, 1, 1, 1], groups=32};\n  d = relu(c);\n" + "  u: f32[64,32,1,1] = const " +
           numbers(std::int64_t{64} * 32) +
           ";\n  e = conv2d(d, u);\n  f = add(e, e);\n  g = max_pool(f) {kernel=[2, 2], strides=[2, 2]};\n" +
           "  h = reduce_mean(g) {axes=[2, 3]};\n  i = reshape(h) {shape=[1, 64]};\n  m: f32[64,40] = const " +
           numbers(std::int64_t{64} * 40) + ";\n  j = matmul(i, m);\n  y = softmax(j);\n  return y;\n}\n";
}

/// A network's text through the passes of a recipe.
inline Model compiled_text(const session::Recipe& recipe, const std::string& text) {
    Result<graph::Module> module = graph::parse_module(text, ops::registry(), {});
    if (!module) FAIL(to_string(module.error()));
    Result<Model> model = compiler().compile_module(recipe, *module, {});
    if (!model) FAIL(to_string(model.error()));
    return *model;
}

inline Model compiled_network(const Machine& machine, bool winograd) {
    session::Recipe recipe = compiler().new_recipe({});
    recipe.target = target_of(machine);
    for (transform::PassStep& step : recipe.passes)
        if (step.name == "Winograd") step.enabled = winograd;
    return compiled_text(recipe, network());
}

} // namespace orrery::portable
