#include "core/schedule/pair_rules.hpp"

#include "core/schedule/accesses.hpp"
#include "core/schedule/locate.hpp"
#include "core/schedule/tile_rules.hpp"
#include "core/schedule/tile_shape.hpp"
#include "core/tensor/build.hpp"
#include "core/tensor/visitor.hpp"

#include <algorithm>

namespace orrery::schedule {

using namespace tensor; // every name here is a node of tensor IR

namespace {

class Pairing : TraceWriter {
  public:
    using TraceWriter::TraceWriter;

    bool run(const std::string& first) {
        return or_nothing([&] { return pieces_side_by_side(first); });
    }
    bool tile_inside(const MovedTile& tile) {
        const auto& [name, user, dims, shape, around] = tile;
        const std::vector<std::string> all = loop_names(user);
        std::vector<std::string> order, inner;
        for (std::size_t d = 0; d < dims.size(); ++d) {
            const TilePart* part = shape.part_of(d);
            const std::string loop = user + "." + dims[d];
            const bool there =
                std::find(all.begin() + static_cast<std::ptrdiff_t>(around), all.end(), dims[d]) != all.end();
            if (!there && part) return false;
            if (!there) continue; // one row
            if (part && !step("split", {loop, std::vector<std::int64_t>{-1, part->size}})) return false;
            order.push_back(part ? loop + "_o" : loop);
            if (part) inner.push_back(loop + "_i");
        }
        const std::size_t own = order.size();
        if (own == 0) return false;
        // What is loaded along the lanes serves all rows while it is near.
        if (const auto row = std::ranges::find(order, user + "." + dims[shape.rows.dim] + "_o");
            shape.shares && row != order.end())
            std::rotate(row, row + 1, order.end());
        const std::string inside = order.back();
        order.insert(order.end(), inner.begin(), inner.end());
        if (!step("reorder", {order}) || !step("compute_at", {name, inside})) return false;
        if (element_of(*find(name))->static_size() > shape.size()) return false; // more than the loops ask for
        step("set_scope", {name, std::string("registers")});
        finish_tile(draft_, name, shape, user, {around, around + own});
        for (const std::string& loop : inner) step(loop == inner.back() ? "vectorize" : "unroll", {loop});
        done_.insert({name, user, name + "_init"});
        return true;
    }

  private:
    /// What a product reads of a buffer that is computed a piece of rows at a time, all channels of each.
    struct PieceUse {
        std::string product;
        Pieces rows;
        std::size_t batch = 1; ///< pieces of equal rows
    };
    /// nullopt when the one reader of a block's result is no such product, or no piece fits.
    std::optional<PieceUse> piece_use(const Block& maker, const Buffer& made) const {
        if (is_param(made)) return std::nullopt;
        const std::vector<const Block*> readers = readers_of(made, maker);
        const std::optional<ElementBlock> product = readers.size() == 1 ? element(*readers.front()) : std::nullopt;
        if (!product || !product->reduces || !owns_nest(readers.front()->fields.name)) return std::nullopt;
        const std::optional<TileShape> shape = tile_shape(*readers.front(), *product, target_);
        if (!shape || !shape->shares || shape->lanes.size < 2 || shape->rows.dim < 0 || shape->outer_rows.size > 1)
            return std::nullopt;
        LoadCollector collector;
        collector.visit(product->value);
        const auto reads_made = [&](const Load* load) { return load->buffer == made; };
        const auto load = std::ranges::find_if(collector.loads, reads_made);
        if (load == collector.loads.end() || std::ranges::count_if(collector.loads, reads_made) != 1)
            return std::nullopt;
        PieceUse out{readers.front()->fields.name, {.dim = shape->rows.dim}};
        const auto moves = [&](std::size_t d) {
            return std::ranges::any_of((*load)->indices, [&](const Expr& e) { return uses_var(e, product->iters[d]); });
        };
        std::int64_t bytes = made->static_size() * byte_size(made->dtype);
        const std::vector<std::int64_t> extents = product->buffer->static_shape();
        for (std::size_t d = 0; d < extents.size(); ++d)
            if (static_cast<std::ptrdiff_t>(d) != shape->rows.dim && moves(d))
                out.batch *= static_cast<std::size_t>(extents[d]);
        const auto row = static_cast<std::size_t>(shape->rows.dim);
        const std::int64_t width = counted_width(**load, product->iters[row]);
        if (width == 0 || !moves(row)) return std::nullopt;
        out.rows.count =
            piece_count(extents[row], width, shape->rows.size, bytes / static_cast<std::int64_t>(out.batch),
                        static_cast<std::int64_t>(out.batch));
        return out.rows.count > 1 ? std::optional(out) : std::nullopt;
    }
    /// Into how many pieces of whole rows and whole tiles an image goes: few, for all weights are read anew for each,
    /// but so many that cores end together; 0 for none.
    std::int64_t piece_count(std::int64_t places, std::int64_t width, std::int64_t tile, std::int64_t bytes,
                             std::int64_t images) const {
        constexpr std::int64_t kForEachCore = 6, kLeastTiles = 4; // our choice: tiles that use the weights of one piece
        std::int64_t equal = 0;
        for (std::int64_t count = 2; count <= places / tile; ++count) {
            const std::int64_t piece = places / count, pieces = count * images;
            if (places % count != 0 || piece % width != 0 || piece % tile != 0 || bytes / count > target_.piece_bytes())
                continue;
            if (piece / tile < kLeastTiles) break;
            if (pieces % target_.cores != 0) continue;
            if (pieces >= kForEachCore * target_.cores) return count;
            equal = count;
        }
        return equal;
    }

    bool pieces_side_by_side(const std::string& first) {
        const std::optional<ElementBlock> reduction = element(*find(first));
        if (!reduction || !owns_nest(first) || is_param(reduction->buffer)) return false;
        const std::optional<TileShape> shape = tile_shape(*find(first), *reduction, target_);
        if (!shape || shape->shares || shape->lanes.size < 2) return false;
        std::string user = epilogue_of(*find(first), *reduction);
        if (user.empty() && !piece_use(*find(first), reduction->buffer)) return false;
        if (user.empty() && step("cache_write", {first, std::string("stack")})) user = first + "_write";
        const Block* maker = user.empty() ? nullptr : find(user);
        const std::optional<ElementBlock> made = maker ? element(*maker) : std::nullopt;
        const std::optional<PieceUse> use = made ? piece_use(*maker, made->buffer) : std::nullopt;
        if (!use) return false;
        const std::int64_t whole = made->buffer->static_size();
        const std::vector<std::string> dims = loop_names(user);
        // The loop over pieces stands before those that choose filters.
        const std::optional<PieceLoop> pieces = tile_in_pieces(draft_, use->product, use->rows);
        if (!pieces || !step("compute_at", {user, pieces->name})) return false;
        const Store* piece = as<Store>(find(user)->fields.body);
        const std::int64_t count = use->rows.count * static_cast<std::int64_t>(use->batch);
        if (!piece || piece->buffer->static_size() * count != whole) return false;
        if (!tile_inside({first, user, dims, *shape, pieces->around})) return false;
        spread_outer(pieces->user, pieces->around, work_of(pieces->user) * static_cast<double>(target_.lanes(4)));
        return true;
    }
};

} // namespace

bool tile_pair(Draft& draft, const std::string& first) { return Pairing(draft).run(first); }
bool tile_inside(Draft& draft, const MovedTile& tile) { return Pairing(draft).tile_inside(tile); }

} // namespace orrery::schedule
