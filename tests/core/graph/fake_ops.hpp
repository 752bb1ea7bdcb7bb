#pragma once
// A small registry of operators for tests of the graph IR, and random functions over it.

#include "core/graph/evaluate.hpp"
#include "core/graph/op.hpp"
#include "core/graph/text.hpp"

#include <cstdint>
#include <random>
#include <string>

namespace orrery::graph::fake {

/// relu(x); add(a, b) of one type; pair(x) -> (x, x); bias(x, b?, c?); cat(x...) along axis 0 of vectors;
/// odd(x) with an attribute of each kind; less(a, b: f32[]) -> bool[].
const OpRegistry& registry();
/// Applies them to f32 arrays.
OpEvaluator evaluator();

Type f32(Shape shape);
NDArray floats(Shape shape, std::vector<float> values);
/// Of a text over the registry; a failed parse fails the test.
Module parsed(const std::string& text, const ConstantPool& pool = {});

/// A well-typed module with every kind of expression, constant and attribute.
Module random_module(std::mt19937_64& rng, int bindings, int depth = 2);

} // namespace orrery::graph::fake
