#pragma once
// What a block touches of its buffers, loop level by loop level: distinct elements, cache lines, strides; and from
// which statement to which a buffer is in use.

#include "core/base/result.hpp"
#include "core/tensor/node.hpp"

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace orrery::schedule {

/// Elements of one buffer: every sum of one offset out of each part is one, and no element twice. Dimensions that move
/// with the same loops are in one part.
struct ElementSet {
    std::vector<std::vector<std::int64_t>> parts; ///< row-major offsets, sorted. Units: elements
    std::vector<std::int64_t> shape;              ///< of the buffer
    double accesses = 0;                          ///< loads and stores that touch them, each counted
    bool exact = true; ///< false: nothing else is touched, but maybe not all of it: values decide, or there is too much
    [[nodiscard]] std::int64_t size() const;
    /// Distinct lines of `line_bytes` they lie in; the buffer starts at a line. Cost: at most a million steps, beyond
    /// which it is the most they can be.
    [[nodiscard]] std::int64_t lines(std::int64_t element_bytes, std::int64_t line_bytes) const;
    /// Their places in two dimensions, sorted, none twice; `row` may be -1 for none. At most `most`.
    [[nodiscard]] std::vector<std::array<std::int64_t, 2>> projected(int row, int column, std::size_t most) const;
};

/// The accesses of one block, and of those inside it. Levels count loops around the block, outermost first: level i is
/// one run of loop i with all loops inside, level loops().size() one execution of the block. Loops outside a level
/// stand in the middle of their range, away from borders and tails. Thread: any.
class BlockAccesses {
  public:
    /// Errors: UnknownName; UnsupportedFeature when a loop or buffer has no known size.
    [[nodiscard]] static Result<BlockAccesses> of(const tensor::Program& program, const std::string& block);

    [[nodiscard]] const std::vector<const tensor::For*>& loops() const;
    /// Those it touches, in the order of the text.
    struct Used {
        tensor::Buffer buffer;
        bool read = false, written = false;
    };
    [[nodiscard]] const std::vector<Used>& buffers() const;
    /// Iterations of a loop; of one whose extent depends on other loops, the most.
    [[nodiscard]] std::int64_t trips(std::size_t loop) const;
    /// What one run of a level touches of a buffer, the loop just outside `by` iterations on from the middle of its
    /// range. Pre: both indices exist. Cost: at most some million steps; most sets are found from sums alone.
    [[nodiscard]] ElementSet touched(std::size_t buffer, std::size_t level, std::int64_t by = 0) const;
    /// How far the next iteration of a loop moves on in a buffer, everything inside being at its first. Units:
    /// elements. nullopt when that is not the same throughout.
    [[nodiscard]] std::optional<std::int64_t> stride(std::size_t buffer, std::size_t loop) const;

  private:
    struct State;
    explicit BlockAccesses(std::shared_ptr<const State> state) : state_(std::move(state)) {}
    std::shared_ptr<const State> state_;
};

/// From its first use to its last, in the order of the text.
struct BufferLife {
    tensor::Buffer buffer;
    bool input = false, output = false;                       ///< a parameter; allocated otherwise
    const tensor::For* inside = nullptr;                      ///< each iteration of it has one of its own
    const tensor::StmtNode *first = nullptr, *last = nullptr; ///< null when it is not used
    bool read = false, written = false;
};
/// Parameters first, then allocations in the order of the text.
[[nodiscard]] std::vector<BufferLife> lifetimes(const tensor::Program& program);

} // namespace orrery::schedule
