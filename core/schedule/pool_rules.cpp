#include "core/schedule/pool_rules.hpp"

#include "core/schedule/accesses.hpp"
#include "core/schedule/element_block.hpp"
#include "core/schedule/matching.hpp"
#include "core/schedule/pair_rules.hpp"
#include "core/schedule/tile_rules.hpp"
#include "core/schedule/tile_shape.hpp"
#include "core/tensor/analysis.hpp"
#include "core/tensor/build.hpp"
#include "core/tensor/visitor.hpp"

#include <algorithm>

namespace orrery::schedule {

using namespace tensor; // every name here is a node of tensor IR

namespace {

class Pooled : TraceWriter {
  public:
    using TraceWriter::TraceWriter;

    bool run(const std::string& first) {
        const std::optional<Chain> chain = chain_from(*find(first));
        return chain && or_nothing([&] { return one_nest(first, *chain); });
    }

  private:
    /// From a convolution to the pooling of its image.
    struct Chain {
        TileShape shape;                 ///< of the convolution
        std::string image;               ///< the block that makes elements of the image
        std::vector<LoopChange> changes; ///< to that block's loops, for the convolution's dimensions
        std::string pool;
        Pieces rows;
    };
    std::optional<Chain> chain_from(const Block& first) const {
        const std::optional<ElementBlock> sums = own_reduction(first);
        const std::optional<TileShape> shape = sums ? tile_shape(first, *sums, target_) : std::nullopt;
        if (!shape || !shape->shares || shape->lanes.size < 2 || shape->rows.dim < 0) return std::nullopt;
        const Block* image = only_reader(sums->buffer, first);
        const std::optional<ElementBlock> made = image ? element(*image) : std::nullopt;
        if (!made || made->reduces || is_param(made->buffer) || !owns_nest(image->fields.name)) return std::nullopt;
        std::optional<std::vector<LoopChange>> changes = matching_loops(*made, *sums);
        const Block* pool = only_reader(made->buffer, *image);
        const std::optional<ElementBlock> windows = pool ? own_reduction(*pool) : std::nullopt;
        if (!changes || !windows) return std::nullopt;
        const std::optional<TileShape> pooled = tile_shape(*pool, *windows, target_);
        if (!pooled || pooled->shares || pooled->lanes.size < 2) return std::nullopt;
        const std::optional<Pieces> rows = pieces_of({first, *sums, *made, *pool, *windows, *pooled});
        if (!rows) return std::nullopt;
        return Chain{*shape, image->fields.name, *std::move(changes), pool->fields.name, *rows};
    }
    std::optional<ElementBlock> own_reduction(const Block& block) const {
        std::optional<ElementBlock> found = element(block);
        if (!found || !found->reduces || !owns_nest(block.fields.name)) return std::nullopt;
        return found;
    }
    const Block* only_reader(const Buffer& buffer, const Block& maker) const {
        const std::vector<const Block*> readers = readers_of(buffer, maker);
        return readers.size() == 1 && !is_param(buffer) ? readers.front() : nullptr;
    }

    struct Sizes {
        const Block& convolution;
        const ElementBlock &sums, &image;
        const Block& pool;
        const ElementBlock& windows;
        const TileShape& pooled;
    };
    /// The pieces with the least rows for one core among those which the second-level cache keeps, where rows that are
    /// computed twice and cores that wait cost less than the pieces gain.
    std::optional<Pieces> pieces_of(const Sizes& all) const {
        // Products that cores do while they would write and read an element of the image that no near cache keeps.
        // Source: measured (docs/performance.md).
        constexpr std::int64_t kWorth = 8;
        LoadCollector collector;
        collector.visit(all.windows.value);
        if (std::ranges::count(collector.loads, all.image.buffer, &Load::buffer) != 1) return std::nullopt;
        const Load& load = **std::ranges::find(collector.loads, all.image.buffer, &Load::buffer);
        const Shape shape = all.image.buffer->static_shape(), out = all.windows.buffer->static_shape();
        const Bounds summed = bounds_of(all.pool, IterKind::Reduce);
        const auto row = std::ranges::find_if(load.indices, [&](const Expr& index) { return uses_any(index, summed); });
        if (row == load.indices.end()) return std::nullopt;
        const std::ptrdiff_t dim = dimension_of(all.windows, *row);
        if (dim < 0) return std::nullopt;
        Pieces best{.dim = dim, .count = 0, .before = first_of_filters(all, load)};
        if (best.before < 0 || best.before > dim) best.before = dim;
        std::int64_t images = 1, products = 1;
        for (std::ptrdiff_t d = 0; d < best.before; ++d) images *= out[static_cast<std::size_t>(d)];
        for (const auto& [iter, range] : bounds_of(all.convolution, IterKind::Reduce)) products *= range.max + 1;
        const std::int64_t height = shape[static_cast<std::size_t>(row - load.indices.begin())],
                           bytes = all.image.buffer->static_size() * byte_size(all.image.buffer->dtype) / images;
        const auto d = static_cast<std::size_t>(dim);
        const TilePart* part = all.pooled.part_of(d);
        const std::int64_t tiles = out[d] / (part ? part->size : 1);
        std::int64_t least = INT64_MAX;
        for (std::int64_t count = 2; count <= tiles; ++count) {
            if (tiles % count != 0 || out[d] % count != 0) continue;
            Bounds piece = summed;
            piece[all.windows.iters[d]] = {(out[d] - out[d] / count) / 2, (out[d] + out[d] / count) / 2 - 1};
            const std::optional<Interval> read = interval_of(*row, piece);
            if (!read) return std::nullopt;
            const std::int64_t rows = read->max - read->min + 1,
                               own = (count * images + target_.cores - 1) / target_.cores * rows,
                               more = own * target_.cores - images * height;
            if (rows * bytes / height > target_.image_bytes() || more * products > kWorth * images * height ||
                own >= least)
                continue;
            least = own;
            best.count = count;
        }
        return best.count > 0 ? std::optional(best) : std::nullopt;
    }
    static Bounds bounds_of(const Block& block, IterKind kind) {
        Bounds out;
        for (const BlockIter& iter : block.fields.iters)
            if (iter.kind == kind) out[iter.var] = {0, extent_of(iter.extent) - 1};
        return out;
    }
    static bool uses_any(const Expr& expr, const Bounds& vars) {
        return std::ranges::any_of(vars, [&](const auto& entry) { return uses_var(expr, entry.first); });
    }
    /// The dimension of what a block computes that an index moves with; -1 for none.
    static std::ptrdiff_t dimension_of(const ElementBlock& block, const Expr& index) {
        const auto iter = std::ranges::find_if(block.iters, [&](const VarRef& each) { return uses_var(index, each); });
        return iter == block.iters.end() ? -1 : iter - block.iters.begin();
    }
    /// The first dimension of the pooling that chooses filters of the convolution; -1 for none.
    static std::ptrdiff_t first_of_filters(const Sizes& all, const Load& read) {
        LoadCollector collector;
        collector.visit(all.image.value);
        const Load& sums = **std::ranges::find(collector.loads, all.sums.buffer, &Load::buffer);
        std::ptrdiff_t first = -1;
        for (std::size_t c = 0; c < sums.indices.size(); ++c) {
            if (!chooses_lanes(all.sums, c)) continue;
            for (std::size_t q = 0; q < read.indices.size(); ++q) {
                const std::ptrdiff_t dim = dimension_of(all.windows, read.indices[q]);
                if (uses_var(sums.indices[c], all.image.iters[q]) && dim >= 0 && (first < 0 || dim < first))
                    first = dim;
            }
        }
        return first;
    }

    bool one_nest(const std::string& first, const Chain& chain) {
        const std::vector<std::string> names = loop_names(chain.image);
        const Shape whole = element_of(*find(chain.image))->static_shape();
        const std::optional<PieceLoop> piece = tile_in_pieces(draft_, chain.pool, chain.rows);
        if (!piece || names.size() != whole.size() || !step("compute_at", {chain.image, piece->name})) return false;
        const std::optional<Loops> loops = change_loops(chain, names, whole);
        if (!loops) return false;
        const std::size_t around = piece->around + loops->rows;
        if (!tile_inside(draft_, {first, chain.image, loops->dims, chain.shape, around})) return false;
        spread_outer(piece->user, piece->around, work_of(piece->user) * static_cast<double>(target_.lanes(4)));
        return true;
    }
    /// An image's loops over the convolution's dimensions, and how many around them go from row to row.
    struct Loops {
        std::vector<std::string> dims;
        std::size_t rows = 0;
    };
    /// The loops of a piece of an image become such. Places are counted through its rows where those are whole.
    /// `names`, `shape`: of the whole image's.
    std::optional<Loops> change_loops(const Chain& chain, const std::vector<std::string>& names, const Shape& shape) {
        const Shape piece = element_of(*find(chain.image))->static_shape();
        Loops out;
        std::vector<std::string> rows, others;
        auto change = chain.changes.begin();
        for (std::size_t d = 0; d < names.size(); ++d) {
            const std::string loop = chain.image + "." + names[d];
            if (change == chain.changes.end() || change->loop != d) {
                out.dims.push_back(names[d]);
                if (piece[d] > 1) others.push_back(loop);
                continue;
            }
            if (change->factor > 0) {
                if (!step("split", {loop, std::vector<std::int64_t>{-1, change->factor}})) return std::nullopt;
                out.dims.insert(out.dims.end(), {names[d] + "_o", names[d] + "_i"});
                others.insert(others.end(), {loop + "_o", loop + "_i"});
            } else if (const std::string next = chain.image + "." + names[d + 1]; piece[d + 1] < shape[d + 1]) {
                out.dims.push_back(names[++d]);
                rows.push_back(loop);
                others.push_back(next);
            } else {
                if (!step("fuse", {std::vector{loop, next}})) return std::nullopt;
                out.dims.push_back(names[d] + "_" + names[d + 1]);
                others.push_back(loop + "_" + names[++d]);
            }
            ++change;
        }
        out.rows = rows.size();
        rows.insert(rows.end(), others.begin(), others.end());
        return out.rows == 0 || step("reorder", {rows}) ? std::optional(out) : std::nullopt;
    }
};

} // namespace

bool tile_pooled(Draft& draft, const std::string& first) { return Pooled(draft).run(first); }

} // namespace orrery::schedule
