#pragma once
// Internal to core/schedule: the part of a buffer that a piece of a program touches, and putting a smaller buffer in
// its place.

#include "core/schedule/locate.hpp"
#include "core/schedule/relocate.hpp"
#include "core/tensor/node.hpp"
#include "core/tensor/visitor.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace orrery::schedule {

/// Whether an index or a condition reads memory.
[[nodiscard]] bool depends_on_data(const tensor::Expr& expr);

/// One dimension of a box: [min, min + extent), min in terms of loops outside.
struct Need {
    tensor::Expr min;
    std::int64_t extent = 0;
    std::int64_t low = 0; ///< the least value of `min`; not negative unless a guarded access reaches out
    std::int64_t high = 0;
};

enum class Uses : std::uint8_t { Reads, Writes };
/// The least box that the accesses below make, one need a dimension; a whole dimension where it cannot be told.
/// `outside`: bounds of what is bound around the statement. Empty when nothing is accessed.
[[nodiscard]] std::vector<Need> needs_of(const tensor::Buffer& buffer, const tensor::Stmt& inside,
                                         const tensor::Bounds& outside, Uses uses);
/// Whether the loops of `writer` from `path[from]` inwards store to every element of that box that is in the buffer.
[[nodiscard]] bool writes_box(const BlockPlace& writer, std::size_t from, const tensor::Buffer& buffer,
                              const std::vector<Need>& needs);
[[nodiscard]] tensor::Buffer tile_buffer(const tensor::Buffer& whole, const std::string& name,
                                         const std::vector<Need>& needs, tensor::Scope scope);

/// Makes blocks use the tile instead of the whole buffer: indices become relative to the tile's corner, which each
/// block gets as an iterator of its own, so that it stays blind to the loops around it.
class TileUser final : public Relocator {
  public:
    TileUser(const tensor::Buffer& whole, const tensor::Buffer& tile, const std::vector<Need>& needs)
        : Relocator(whole, tile), needs_(needs) {}
    /// The block with its corner iterators added.
    tensor::Stmt use(const tensor::Block& block, tensor::Block::Fields fields);

  protected:
    using Relocator::rewrite_node;
    tensor::Stmt rewrite_node(const tensor::Block& node) override;
    [[nodiscard]] std::vector<tensor::Expr> relocated(std::vector<tensor::Expr> indices) const override;

  private:
    const std::vector<Need>& needs_;
    std::vector<tensor::Expr> corners_;
    int depth_ = 0;
};

/// Loops over a box, around a block that copies between the whole buffer and its tile. Elements of the box outside of
/// the buffer are left out.
struct TileCopy {
    std::string block; ///< its name
    const tensor::Buffer& whole;
    const tensor::Buffer& tile;
    const std::vector<Need>& needs;
    bool into_tile = true;
    std::vector<std::string> axes = {}; ///< names for the loops; "i0", "i1", ... when empty
};
/// With the origin of `like`, simplified under `outside`.
[[nodiscard]] tensor::Stmt copy_nest(const TileCopy& copy, const tensor::Block& like, const tensor::Bounds& outside);

} // namespace orrery::schedule
