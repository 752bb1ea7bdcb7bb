#pragma once
// What is run: kernels in order, over values whose memory is planned beforehand.

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace orrery::runtime {

/// Element type as DLPack says it: code (0 int, 1 uint, 2 float, 4 bfloat, 6 bool, 10 to 13 8-bit floats) and bits.
/// 4-bit integers take a byte each.
struct ElementType {
    std::uint8_t code = 2;
    std::uint8_t bits = 32;
    [[nodiscard]] std::size_t bytes() const { return (bits + 7u) / 8u; } ///< of one element
    friend bool operator==(const ElementType&, const ElementType&) = default;
};

enum class Storage : std::uint8_t {
    Input,    ///< `index` into the inputs given to a run
    Output,   ///< `offset` bytes into output `index` of those given to a run
    Constant, ///< `index` into the executable's constants
    Arena,    ///< `offset` bytes into the arena, shared over time
};

/// Values may lie over the same bytes: one that is part of another is written into its place, and the other is there
/// from the step after the last of its parts.
struct Value {
    std::string name;
    ElementType type;
    std::vector<std::int64_t> shape;
    std::size_t bytes = 0;
    Storage storage = Storage::Arena;
    std::size_t index = 0;
    std::size_t offset = 0;                     ///< Units: bytes, a multiple of 64
    std::int32_t first_step = 0, last_step = 0; ///< inclusive steps during which an Arena value is live
};

/// One kernel call. `workspace_offset` is into the arena; the workspace is live during this step only.
struct Step {
    std::string name;                ///< of the tensor program
    std::uint32_t kernel = 0;        ///< index into Plan::kernels
    std::vector<std::uint32_t> args; ///< value ids: the program's inputs, then its outputs
    std::size_t workspace_offset = 0, workspace_bytes = 0;
};

struct Plan {
    std::vector<Value> values;
    std::vector<Step> steps;
    std::vector<std::string> kernels;           ///< symbols, distinct
    std::vector<std::uint32_t> inputs, outputs; ///< value ids, in the model's order
    std::size_t arena_bytes = 0;
    std::size_t live_bytes_bound = 0; ///< most bytes live in any step: no plan can be smaller
};

} // namespace orrery::runtime
