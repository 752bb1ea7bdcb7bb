#pragma once
// The steps of a recurrent network through time, as one statement: what is left when the input's share of every gate is
// known.

#include "core/ops/ops.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace orrery::ops {

enum class RecurrentKind : std::uint8_t { Rnn, Gru, Lstm };

/// 1, 3 (z, r, h), 4 (i, o, f, c).
[[nodiscard]] std::int64_t gate_count(RecurrentKind kind);
/// Of one direction: those of the gates, then of the cell.
[[nodiscard]] std::size_t activation_count(RecurrentKind kind);
[[nodiscard]] bool is_recurrent_activation(const std::string& name);
/// Names of all directions' activations: as the attribute says, or the kind's own for each.
[[nodiscard]] graph::Strings activation_names(RecurrentKind kind, const graph::Attrs& attrs, std::size_t directions);
/// The attribute's numbers, or as many zeros.
[[nodiscard]] graph::Floats activation_numbers(const graph::Attrs& attrs, const char* name, std::size_t count);

/// How many hidden units are computed together, as lanes of vectors: the divisor of `hidden` from 8 to 32, or to 64
/// with one gate, that fills vectors of 8 best; all of it where there is none.
[[nodiscard]] std::int64_t recurrent_lanes(RecurrentKind kind, std::int64_t hidden);

/// What the steps read. D directions, G gates of H units, in blocks of L lanes.
struct RecurrentOperands {
    tensor::Buffer gates = {};     ///< [T, B, D G H]: what the input and the biases add to each gate
    tensor::Buffer recurrent = {}; ///< [D, H / L, H, G, L]: R by block of units, then by what it is multiplied with
    tensor::Buffer lengths = {}, initial_h = {}, initial_c = {}, peephole = {}; ///< null when missing
    tensor::Buffer late_bias = {}; ///< [D, H], of the GRU's candidate; then the reset gate multiplies after the product
    bool late = false;             ///< it does, with or without a bias
};

/// Adds the statement to the request's builder and returns y [T, D, B, H], h [D, B, H] and, of the LSTM, c [D, B, H].
/// Shapes are taken from the request's outputs.
[[nodiscard]] std::vector<tensor::Buffer> define_steps(RecurrentKind kind, const DefineRequest& request,
                                                       const RecurrentOperands& operands);

} // namespace orrery::ops
