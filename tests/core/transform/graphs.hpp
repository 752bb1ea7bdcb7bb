#pragma once
// Graphs written as text for pass tests, and how what they mean is compared.

#include "core/graph/builder.hpp"
#include "core/graph/evaluate.hpp"
#include "core/graph/text.hpp"
#include "core/ops/ops.hpp"
#include "core/transform/passes.hpp"

#include <catch2/catch.hpp>

#include <random>

namespace orrery::transform::test {

/// A module from text over the real operators; its bindings come from model nodes 0, 1, 2, ... in order.
inline graph::Module module_of(const std::string& text) {
    Result<graph::Module> parsed = graph::parse_module(text, ops::registry(), {});
    if (!parsed) FAIL(to_string(parsed.error()));
    auto sources = std::make_shared<std::vector<graph::Source>>();
    std::vector<graph::Binding> bindings = parsed->main->bindings;
    for (graph::Binding& binding : bindings) {
        binding.origin = OriginSet(static_cast<SourceId>(sources->size()));
        sources->push_back({binding.var->name, "Node"});
    }
    const graph::Function& main = parsed->main;
    parsed->main = graph::make_function(main->name, main->params, bindings, main->result, main->attrs);
    parsed->sources = sources;
    return *parsed;
}

inline std::vector<NDArray> inputs_of(const graph::Module& module, unsigned seed) {
    std::mt19937 random(seed);
    std::vector<NDArray> inputs;
    for (const graph::Var& param : module.main->params) {
        const graph::TensorType& type = *graph::as_tensor(param->type);
        NDArray array = NDArray::zeros(type.dtype, graph::static_shape(type));
        for (std::int64_t i = 0; i < array.size(); ++i)
            array.set(i, static_cast<double>(random() % 2001) / 1000.0 - 1.0);
        inputs.push_back(std::move(array));
    }
    return inputs;
}

/// Largest relative difference of the results of two modules on the same inputs, by the interpreter.
inline double difference(const graph::Module& a, const graph::Module& b) {
    const std::vector<NDArray> inputs = inputs_of(a, 7);
    const auto x = graph::evaluate(a.main, inputs, ops::interpreter_evaluator(), {});
    const auto y = graph::evaluate(b.main, inputs, ops::interpreter_evaluator(), {});
    if (!x) FAIL(to_string(x.error()));
    if (!y) FAIL(to_string(y.error()));
    double worst = 0;
    for (std::size_t i = 0; i < x->size(); ++i) worst = std::max(worst, compare((*y)[i], (*x)[i]).max_rel);
    return worst;
}

/// Runs a pass that changes rounding, and gives the largest relative difference.
inline double difference_after(const std::string& pass, const graph::Module& module, graph::Module& after,
                               const pass::Options& options) {
    const auto result = find_pass(pass)->run(module, {options, {}, nullptr});
    if (!result) FAIL(to_string(result.error()));
    after = *result;
    INFO(graph::to_string(after));
    REQUIRE(graph::verify(after).has_value());
    REQUIRE(find_pass(pass)->run(after, {options, {}, nullptr})->main == after.main);
    return difference(module, after);
}

/// Runs a pass, requiring that it keeps the module well-formed and its meaning, and that it is idle the second time
/// when `idempotent`.
inline graph::Module apply(const std::string& pass, const graph::Module& module, const pass::Options& options = {},
                           bool idempotent = true) {
    const GraphPass* row = find_pass(pass);
    REQUIRE(row != nullptr);
    const auto once = row->run(module, {options, {}, nullptr});
    if (!once) FAIL(to_string(once.error()));
    INFO(graph::to_string(*once));
    const Result<void> sound = graph::verify(*once);
    if (!sound) FAIL(to_string(sound.error()));
    REQUIRE(difference(module, *once) < 1e-5);
    if (idempotent) REQUIRE(row->run(*once, {options, {}, nullptr})->main == once->main);
    return *once;
}

/// Requires that a pass makes `after` of `before`, both in text form, and what `apply` requires.
inline void require_becomes(const std::string& pass, const std::string& before, const std::string& after,
                            const pass::Options& options = {}) {
    const graph::Module result = apply(pass, module_of(before), options);
    const graph::Module expected = module_of(after);
    INFO(graph::to_string(result));
    INFO(graph::to_string(expected));
    REQUIRE(graph::structural_equal(result.main, expected.main));
}

/// Requires that a pass leaves a module as it is.
inline void require_unchanged(const std::string& pass, const std::string& text, const pass::Options& options = {}) {
    const graph::Module module = module_of(text);
    const auto after = find_pass(pass)->run(module, {options, {}, nullptr});
    if (!after) FAIL(to_string(after.error()));
    INFO(graph::to_string(*after));
    REQUIRE(after->main == module.main);
}

/// The code a pass refuses its options with.
inline Code refused_with(const std::string& pass, const pass::Options& options) {
    const auto after = find_pass(pass)->run(module_of("fn main(x: f32[2]) -> f32[2] { y = relu(x); return y; }"),
                                            {options, {}, nullptr});
    REQUIRE_FALSE(after.has_value());
    return after.error().code;
}

inline std::size_t count_calls(const graph::Module& module, const std::string& op) {
    std::size_t count = 0;
    for (const graph::Binding& binding : module.main->bindings)
        if (const auto* call = graph::as<graph::CallOp>(binding.value))
            count += op.empty() || call->op.name == op ? 1 : 0;
    return count;
}

inline std::vector<const graph::CallFunction*> kernels(const graph::Module& module) {
    std::vector<const graph::CallFunction*> out;
    for (const graph::Binding& binding : module.main->bindings)
        if (const auto* call = graph::as<graph::CallFunction>(binding.value)) out.push_back(call);
    return out;
}

} // namespace orrery::transform::test
