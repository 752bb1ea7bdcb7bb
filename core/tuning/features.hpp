#pragma once
// A scheduled program in few numbers, for models of its speed.

#include "core/target/target.hpp"
#include "core/tensor/node.hpp"

#include <cstdint>
#include <span>
#include <vector>

namespace orrery::tuning {

/// What they say, in order: "log2 of operations", "vectors filled", ...
[[nodiscard]] std::span<const char* const> feature_names();
/// Of the block with most work in detail, of all others in sums: arithmetic, how vectors are filled, registers, what is
/// loaded for an operation, what goes past each cache, how work is shared. Sizes as logarithms, so that workloads of
/// different size are alike. Cost: less than a millisecond for a convolution.
[[nodiscard]] std::vector<float> features_of(const tensor::Program& program, const Target& target, int threads);

/// How many instructions the innermost statement that is most written out becomes: copies by unrolling, times registers
/// by lanes. What is far beyond the registers takes long to compile and gains nothing.
[[nodiscard]] std::int64_t most_written_out(const tensor::Program& program, const Target& target);

} // namespace orrery::tuning
