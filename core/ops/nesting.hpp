#pragma once
// Which tensors of a program need neither memory nor a kernel of their own: what concatenations join is written where
// the result has it, and slices are read where they lie.

#include "core/graph/node.hpp"

#include <cstddef>
#include <optional>
#include <vector>

namespace orrery::ops {

inline constexpr std::size_t kElsewhere = ~std::size_t{0}; ///< in place of a tensor: a parameter or constant

/// A tensor that a call in main makes.
struct MadeTensor {
    graph::Var var; ///< the call's binding
    std::size_t bytes = 0;
    bool output = false; ///< of the program
};

/// What the calls of functions in main read and make. Tensors are numbered in order of the bindings, as kMemoryAttr
/// has them.
struct CallTensors {
    struct Call {
        std::size_t binding = 0;          ///< index
        std::vector<std::size_t> args;    ///< tensor numbers, or kElsewhere
        std::size_t first = 0, count = 0; ///< the tensors it makes
    };
    std::vector<Call> calls;
    std::vector<MadeTensor> tensors;
};
[[nodiscard]] CallTensors call_tensors(const graph::Function& main);

/// Why a call that joins its arguments, takes one as it is or cuts a piece out of it has a kernel all the same.
enum class Copies : std::uint8_t {
    Nothing,   ///< it has none
    Scattered, ///< the elements that come from one argument do not follow one another, in it or in the result
    Unaligned, ///< a piece would begin inside a cache line: kernels are promised whole ones
    Mostly,    ///< most of the result would be copied: from inputs, constants, outputs, or where other results have it
};
/// "a piece would begin inside a cache line"; nothing for Nothing.
[[nodiscard]] const char* to_string(Copies why);

/// A call that only joins or cuts.
struct Join {
    std::size_t call = 0; ///< index into CallTensors::calls
    Copies copies = Copies::Nothing;
    /// Arguments that cannot lie inside the result and are copied there, and where to; only where it has no kernel.
    struct Copied {
        std::size_t arg = 0, offset = 0;
    };
    std::vector<Copied> copied;
};

/// Part of another tensor: `offset` bytes, a multiple of kArenaAlignment, into that of `host`, which is part of none.
struct Inside {
    std::size_t host = 0, offset = 0;
};

/// Which tensors are parts of which. Tensors over the same bytes hold the same numbers; a byte is written once.
struct Nesting {
    std::vector<Join> joins;                   ///< in order of their calls
    std::vector<std::optional<Inside>> inside; ///< by tensor

    [[nodiscard]] const Join* join_of(std::size_t call) const;
};

/// Steps: joins are taken last first, so that a result which a later one holds already takes its own arguments there:
/// a chain of concatenations becomes one place. An argument which is part of another result already, or that is an
/// input, constant or output, is copied, as long as that is no more than half of it; where all pieces lie one after
/// another already, as that of a slice does, so does the result. Example: c = concat(a, b); y = softmax(c); d =
/// concat(c, e)
/// -> a, b, e and c are parts of d. The same program gives the same answer.
[[nodiscard]] Nesting nest_tensors(const graph::Function& main, const CallTensors& tensors);

} // namespace orrery::ops
