#include "core/schedule/attention_rules.hpp"

#include "core/schedule/accesses.hpp"
#include "core/schedule/element_block.hpp"
#include "core/schedule/locate.hpp"
#include "core/schedule/pair_rules.hpp"
#include "core/schedule/row_rules.hpp"
#include "core/schedule/tile_rules.hpp"
#include "core/schedule/tile_shape.hpp"
#include "core/tensor/visitor.hpp"

#include <algorithm>
#include <array>

namespace orrery::schedule {

using namespace tensor; // every name here is a node of tensor IR

namespace {

class Attention : TraceWriter {
  public:
    using TraceWriter::TraceWriter;

    bool run(const std::string& first) {
        return or_nothing([&] {
            lanes_last(draft_, first);
            const std::optional<Chain> chain = chain_from(first);
            return chain && one_nest(first, *chain);
        });
    }

  private:
    struct Product {
        ElementBlock element;
        TileShape shape;
    };
    /// A block that is computed in tiles of rows that share what is loaded along the lanes.
    std::optional<Product> product(const Block& block) const {
        std::optional<ElementBlock> found = element(block);
        if (!found || !found->reduces || !owns_nest(block.fields.name)) return std::nullopt;
        const std::optional<TileShape> shape = tile_shape(block, *found, target_);
        if (!shape || !shape->shares || shape->lanes.size < 2 || shape->rows.dim < 0 || shape->outer_rows.size > 1 ||
            shape->groups.size > 1)
            return std::nullopt;
        return Product{*std::move(found), *shape};
    }

    /// From a product to the one that reads what becomes of its rows.
    struct Chain {
        Product first, second;
        std::vector<std::string> rows; ///< the blocks between, in the order of the program
        std::string last;              ///< of those, the one that the second product reads
        std::string product;           ///< the second one
    };
    std::optional<Chain> chain_from(const std::string& first) const {
        const std::optional<Product> start = product(*find(first));
        if (!start || is_param(start->element.buffer)) return std::nullopt;
        Chain out{*start, *start, {}, {}, {}};
        std::vector<Buffer> made{start->element.buffer};
        const auto is_made = [&](const Buffer& b) { return std::ranges::find(made, b) != made.end(); };
        for (const Block* block : blocks_of(program_->body)) {
            const std::vector<Buffer> read = buffers_read(block->fields.body);
            if (block->fields.name == first || std::ranges::none_of(read, is_made)) continue;
            if (!out.product.empty()) return std::nullopt; // something is read once more
            if (const std::optional<Product> end = product(*block)) {
                out.second = *end;
                out.product = block->fields.name;
                if (!reads_rows_of(out, made.back())) return std::nullopt;
                continue;
            }
            const std::optional<ElementBlock> row = element(*block);
            if (!row || is_param(row->buffer) || !owns_nest(block->fields.name) || done_.contains(block->fields.name))
                return std::nullopt;
            made.push_back(row->buffer);
            out.rows.push_back(out.last = block->fields.name);
        }
        return out.product.empty() || out.rows.empty() ? std::nullopt : std::optional(out);
    }
    /// Whether the second product reads a buffer once, its own row of it.
    bool reads_rows_of(const Chain& chain, const Buffer& buffer) const {
        const ElementBlock& product = chain.second.element;
        LoadCollector collector;
        collector.visit(product.value);
        if (std::ranges::count(collector.loads, buffer, &Load::buffer) != 1) return false;
        const Load& load = **std::ranges::find(collector.loads, buffer, &Load::buffer);
        const auto moves = [&](std::ptrdiff_t d) {
            return std::ranges::any_of(load.indices, [&](const Expr& index) {
                return uses_var(index, product.iters[static_cast<std::size_t>(d)]);
            });
        };
        return moves(chain.second.shape.rows.dim) && !moves(chain.second.shape.lanes.dim);
    }
    /// In how many pieces rows go: as few as the nearest cache keeps between the products.
    std::int64_t piece_count(const Chain& chain) const {
        const std::vector<std::int64_t> extents = chain.second.element.buffer->static_shape();
        const Buffer& scores = chain.first.element.buffer;
        const std::int64_t rows = extents[static_cast<std::size_t>(chain.second.shape.rows.dim)],
                           tile = chain.second.shape.rows.size, tiles = (rows + tile - 1) / tile,
                           bytes = scores->static_shape().back() * byte_size(scores->dtype);
        for (std::int64_t count = 2; count < tiles; ++count)
            if (tiles % count == 0 && tiles / count * tile * bytes <= target_.l1_bytes / 2) return count;
        return tiles;
    }
    bool one_nest(const std::string& first, const Chain& chain) {
        const Pieces pieces{chain.second.shape.rows.dim, piece_count(chain)};
        if (pieces.count < 2) return false;
        const std::vector<std::string> between = reduced_in_lanes(chain.rows);
        std::string user = epilogue_of(*find(first), chain.first.element);
        if (user.empty() || std::ranges::find(chain.rows, user) != chain.rows.end()) {
            if (!step("cache_write", {first, std::string("stack")})) return false;
            user = first + "_write";
        }
        const std::array<std::string, 2> copies{copy_of_factor(first, chain.first.shape.lanes.size),
                                                copy_of_factor(chain.product, chain.second.shape.lanes.size)};
        const std::vector<std::string> dims = loop_names(user);
        const std::optional<PieceLoop> piece = tile_in_pieces(draft_, chain.product, pieces);
        if (!piece) return false;
        done_.insert(copies.begin(), copies.end()); // they are made once, for all pieces
        if (!rows_beside(chain, between, piece->name, piece->around) || !step("compute_at", {user, piece->name}) ||
            !tile_inside(draft_, {first, user, dims, chain.first.shape, piece->around}))
            return false;
        spread_outer(piece->user, piece->around, work_of(piece->user) * static_cast<double>(target_.lanes(4)));
        for (const std::string& copy : copies) done_.erase(copy);
        panels_of(copies[0], chain.first.shape.lanes.size);
        panels_of(copies[1], chain.second.shape.lanes.size);
        return true;
    }
    /// The block that copies what a product reads along its lanes, for it alone: one that is there (it turns it), or
    /// one that is made where rows of it are wider than a tile. Empty for none.
    std::string copy_of_factor(const std::string& name, std::int64_t lanes) {
        const ElementBlock product = *element(*find(name));
        const auto along = [&](const Expr& index) { return uses_var(index, product.iters.back()); };
        LoadCollector collector;
        collector.visit(product.value);
        for (const Load* load : collector.loads) {
            if (load->buffer == product.buffer || std::ranges::none_of(load->indices, along)) continue;
            for (const Block* block : blocks_of(program_->body))
                if (element_of(*block) == load->buffer && readers_of(load->buffer, *block).size() == 1)
                    return block->fields.name;
        }
        const std::vector<std::string> before = block_names();
        lanes_last(draft_, name, lanes);
        for (const std::string& made : block_names())
            if (std::ranges::find(before, made) == before.end()) return made;
        return {};
    }
    /// Such a copy lies in panels as wide as a tile: each piece reads them from end to end.
    void panels_of(const std::string& copy, std::int64_t lanes) {
        if (copy.empty()) return;
        const std::vector<std::string> loops = loop_names(copy);
        const std::vector<std::int64_t> shape = element_of(*find(copy))->static_shape();
        if (loops.size() != shape.size() || shape.size() < 2 || shape.back() % lanes != 0 || shape.back() == lanes)
            return;
        std::string from, to;
        std::vector<std::string> order;
        for (std::size_t d = 0; d < shape.size(); ++d) {
            const std::string axis = "a" + std::to_string(d);
            from += (d > 0 ? ", " : "") + axis;
            if (d + 2 < shape.size()) {
                to += axis + ", ";
                order.push_back(copy + "." + loops[d]);
            }
        }
        const std::string along = copy + "." + loops.back(), last = "a" + std::to_string(shape.size() - 1),
                          width = std::to_string(lanes);
        to += last + " // " + width + ", a" + std::to_string(shape.size() - 2) + ", " + last + " % " + width;
        if (!step("transform_layout", {copy, from + " -> " + to}) ||
            !step("split", {along, std::vector<std::int64_t>{-1, lanes}}))
            return;
        order.insert(order.end(), {along + "_o", copy + "." + loops[loops.size() - 2], along + "_i"});
        const double work = work_of(copy);
        if (!step("reorder", {order}) || !step("vectorize", {along + "_i"})) return;
        spread_outer(copy, order.size() - 2, work);
        done_.insert(copy);
    }
    /// Sums and maxima along rows are taken in lanes. All blocks in whose place these now stand, in the order of the
    /// program.
    std::vector<std::string> reduced_in_lanes(const std::vector<std::string>& rows) {
        const std::vector<std::string> before = block_names();
        for (const std::string& name : rows)
            if (reduces(*find(name))) tile_reduction(draft_, name);
        std::vector<std::string> out;
        for (const std::string& name : block_names())
            if (std::ranges::find(before, name) == before.end() || std::ranges::find(rows, name) != rows.end())
                out.push_back(name);
        return out;
    }
    /// The blocks between the products, row by row in the loop over pieces.
    bool rows_beside(const Chain& chain, const std::vector<std::string>& between, const std::string& piece,
                     std::size_t around) {
        if (!step("compute_at", {chain.last, piece})) return false;
        const std::vector<std::string> own = loop_names(chain.last);
        if (own.size() != around + 2) return false; // a row's loop and the one along it
        const std::string row = chain.last + "." + own[around];
        std::vector<std::string> inside;
        for (auto name = between.rbegin(); name != between.rend(); ++name) {
            if (*name == chain.last) continue;
            if (!step("compute_at", {*name, row})) return false;
            inside.push_back(*name);
        }
        inside.push_back(chain.last);
        for (const std::string& name : inside) vectors_of_row(draft_, name, around + 1);
        done_.insert(inside.begin(), inside.end());
        return true;
    }
};

} // namespace

bool tile_attention(Draft& draft, const std::string& first) { return Attention(draft).run(first); }

} // namespace orrery::schedule
