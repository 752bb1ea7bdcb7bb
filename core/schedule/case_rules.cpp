#include "core/schedule/case_rules.hpp"

#include "core/schedule/accesses.hpp"
#include "core/schedule/cases.hpp"
#include "core/schedule/locate.hpp"
#include "core/schedule/pair_rules.hpp"
#include "core/schedule/tile_shape.hpp"
#include "core/tensor/analysis.hpp"
#include "core/tensor/build.hpp"
#include "core/tensor/visitor.hpp"

#include <algorithm>

namespace orrery::schedule {

using namespace tensor; // every name here is a node of tensor IR

namespace {

class CaseRules : TraceWriter {
  public:
    using TraceWriter::TraceWriter;

    void write_out(const std::string& name) {
        const std::optional<Nest> nest = open(name);
        if (!nest || !reorder(*nest)) return;
        fill(*nest);
        spread(*nest, nest->outer.size());
    }

    bool tile_between(const std::string& product) {
        const std::optional<Stages> stages = stages_of(product);
        return stages && or_nothing([&] { return in_pieces(*stages); });
    }

    bool pool(const std::string& windows) {
        for (const std::string& name : block_names()) {
            const std::optional<CaseBlock> made = case_block(name);
            const std::optional<Windows> after = made ? windows_after(made->user, made->pieces) : std::nullopt;
            if (!after || after->name != windows) continue;
            return or_nothing([&] {
                write_out(name);
                return done_.contains(windows);
            });
        }
        return false;
    }

  private:
    /// The loops of a block of cases, its dimensions split, and what is computed beside it.
    struct Nest {
        std::string user;                ///< the block whose loops they are
        std::vector<std::string> outer;  ///< loops from piece to piece
        std::vector<std::string> inner;  ///< loops over cases, and over what is alike
        std::vector<std::string> beside; ///< blocks computed in the innermost loop from piece to piece
        std::size_t uncut = 0;           ///< of the outer loops, how many stand before the first that was split
        std::string name;                ///< the block of cases itself, which is the user or beside it
    };
    /// A block of cases in a nest of its own.
    struct CaseBlock {
        ElementBlock store;
        std::vector<std::string> beside;  ///< other such blocks that it alone reads
        std::vector<std::int64_t> pieces; ///< how much of each dimension is written out together
        std::string user;                 ///< the block that uses it element by element; else itself
    };
    std::optional<CaseBlock> case_block(const std::string& name) const {
        const Block* block = find(name);
        const std::optional<ElementBlock> store = block ? element(*block) : std::nullopt;
        if (!store || store->reduces || !owns_nest(name)) return std::nullopt;
        CaseBlock out{.store = *store, .pieces = cases_of(*store)};
        if (out.pieces.empty()) return std::nullopt;
        out.beside = cases_beside(*block, *store);
        for (const std::string& producer : out.beside) widen_cases(out.pieces, *store, *element(*find(producer)));
        if (!is_param(store->buffer)) out.user = epilogue_of(*block, *store);
        if (out.user.empty() || done_.contains(out.user)) out.user = name;
        return out;
    }
    std::optional<Nest> open(const std::string& name) {
        const std::optional<CaseBlock> made = case_block(name);
        if (!made) return std::nullopt;
        Nest nest{.user = made->user, .beside = made->beside, .name = name};
        if (nest.user != name) nest.beside.insert(nest.beside.begin(), name);
        for (nest.uncut = 0; nest.uncut < made->pieces.size() && made->pieces[nest.uncut] == 1;) ++nest.uncut;
        std::vector<std::int64_t> pieces = made->pieces;
        if (const std::optional<Windows> after = windows_after(nest.user, pieces)) {
            for (std::size_t d = 0; d < pieces.size(); ++d) pieces[d] /= after->strides[d];
            nest.beside.insert(nest.beside.begin(), {after->name, nest.user});
            nest.user = user_of_windows(after->name);
        }
        const std::vector<std::string> loops = loop_names(nest.user);
        if (loops.size() != made->store.iters.size() || !owns_nest(nest.user)) return std::nullopt;
        split(nest, loops, pieces, element_of(*find(nest.user))->static_shape());
        return nest;
    }
    /// `pieces`: how much of each dimension is cases that are written out together.
    void split(Nest& nest, const std::vector<std::string>& loops, const std::vector<std::int64_t>& pieces,
               const std::vector<std::int64_t>& shape) {
        for (std::size_t d = 0; d + 1 < loops.size(); ++d) {
            const std::string loop = nest.user + "." + loops[d];
            if (pieces[d] == 1) {
                nest.outer.push_back(loop);
            } else if (pieces[d] == shape[d]) {
                nest.inner.push_back(loop);
            } else if (step("split", {loop, std::vector<std::int64_t>{-1, pieces[d]}})) {
                nest.outer.push_back(loop + "_o");
                nest.inner.push_back(loop + "_i");
            }
        }
        nest.inner.push_back(nest.user + "." + loops.back());
    }

    // ------------------------------------------------------------ windows over what cases make

    /// A pooling of which no window reads more than one piece.
    struct Windows {
        std::string name;
        std::vector<std::int64_t> strides; ///< of each dimension
    };
    /// The pooling that alone reads what `image` makes, piece by piece; nullopt for none.
    std::optional<Windows> windows_after(const std::string& image, const std::vector<std::int64_t>& pieces) const {
        const std::optional<ElementBlock> made = element(*find(image));
        if (!made || is_param(made->buffer) || !owns_nest(image)) return std::nullopt;
        const std::vector<const Block*> readers = readers_of(made->buffer, *find(image));
        const std::optional<ElementBlock> pool = readers.size() == 1 ? element(*readers.front()) : std::nullopt;
        if (!pool || !pool->reduces || !owns_nest(readers.front()->fields.name)) return std::nullopt;
        LoadCollector collector;
        collector.visit(pool->value);
        if (std::ranges::count(collector.loads, made->buffer, &Load::buffer) != 1) return std::nullopt;
        const Load& read = **std::ranges::find(collector.loads, made->buffer, &Load::buffer);
        const std::vector<std::int64_t> shape = made->buffer->static_shape(), out = pool->buffer->static_shape();
        if (pool->iters.size() != pieces.size() || read.indices.size() != pieces.size()) return std::nullopt;
        Windows windows{.name = readers.front()->fields.name};
        for (std::size_t d = 0; d < pieces.size(); ++d) {
            const std::int64_t stride = coefficient(read.indices[d], pool->iters[d]).value_or(0);
            Bounds first;
            for (const BlockIter& iter : readers.front()->fields.iters)
                if (iter.kind == IterKind::Reduce) first[iter.var] = {0, extent_of(iter.extent) - 1};
            first[pool->iters[d]] = {0, 0};
            const std::optional<Interval> places = interval_of(read.indices[d], first);
            if (stride < 1 || pieces[d] % stride != 0 || out[d] * stride != shape[d] || !places || places->min < 0 ||
                places->max >= stride)
                return std::nullopt;
            windows.strides.push_back(stride);
        }
        return windows;
    }
    /// The block whose loops a pooling is computed in: the one that uses it element by element, or a copy to where it
    /// belongs.
    std::string user_of_windows(const std::string& pool) {
        const std::optional<ElementBlock> windows = element(*find(pool));
        const std::string user = is_param(windows->buffer) ? std::string() : epilogue_of(*find(pool), *windows);
        if (!user.empty() && !done_.contains(user)) return user;
        return step("cache_write", {pool, std::string("stack")}) ? pool + "_write" : pool;
    }

    // ------------------------------------------------------------ loops

    bool reorder(const Nest& nest) {
        std::vector<std::string> order = nest.outer;
        order.insert(order.end(), nest.inner.begin(), nest.inner.end());
        return step("reorder", {order});
    }
    /// Everything inside the loops from piece to piece.
    void fill(const Nest& nest) {
        done_.insert(nest.user);
        const std::size_t outer = depth(nest.user, nest.outer);
        for (const std::string& producer : nest.beside) {
            if (outer == 0 || !step("compute_at", {producer, nest.outer.back()})) continue;
            done_.insert(producer);
            write_out_loops(producer, outer);
        }
        std::vector<std::string> readers = nest.beside;
        readers.push_back(nest.name);
        for (const std::string& reader : readers)
            if (const std::string copy = outer > 0 ? copy_for(reader) : std::string(); !copy.empty())
                border_beside(copy, nest.outer.back(), outer);
        for (const std::string& loop : nest.inner) step(loop == nest.inner.back() ? "vectorize" : "unroll", {loop});
    }
    /// How many loops are around a block down to the last of those.
    std::size_t depth(const std::string& block, const std::vector<std::string>& loops) const {
        if (loops.empty()) return 0;
        const std::vector<std::string> all = loop_names(block);
        const auto last = std::ranges::find(all, loops.back().substr(block.size() + 1));
        return last == all.end() ? 0 : static_cast<std::size_t>(last - all.begin()) + 1;
    }
    /// Shares the first `count` loops among cores.
    void spread(const Nest& nest, std::size_t count) {
        constexpr double kOperations = 8; // our choice: of one element, a row of a small matrix
        spread_outer(nest.user, count, work_of(nest.user) * kOperations);
    }
    /// Writes out the loops of a block inside the first `outer`.
    void write_out_loops(const std::string& name, std::size_t outer) {
        lanes_inside(name);
        const std::vector<std::string> own = loop_names(name);
        for (std::size_t i = outer; i < own.size(); ++i)
            step(i + 1 == own.size() ? "vectorize" : "unroll", {name + "." + own[i]});
    }
    /// Puts the loop over the last dimension of a reduction inside those over what it reduces.
    void lanes_inside(const std::string& name) {
        const std::size_t spatial = spatial_prefix(*find(name));
        const std::vector<std::string> own = loop_names(name);
        if (spatial == 0 || spatial == own.size()) return;
        std::vector<std::string> order;
        for (std::size_t i = spatial; i < own.size(); ++i) order.push_back(name + "." + own[i]);
        order.push_back(name + "." + own[spatial - 1]);
        step("reorder", {order});
    }
    /// What a block of cases reads with a border of zeros around: a few registers, filled where they are used, rather
    /// than all of it written and read again.
    void border_beside(const std::string& copy, const std::string& loop, std::size_t outer) {
        constexpr double kRepeated = 4; // our choice: tiles overlap, and loads beside sums cost little
        constexpr std::int64_t kMost = 64;
        const ExprCost cost = cost_of_block(*find(copy));
        if (cost.transcendental > 0 || cost.operations > 0) return;
        const Mark before = mark();
        const double all = work_of(copy);
        if (!step("compute_at", {copy, loop})) return;
        const std::vector<std::int64_t> extents = loop_extents(copy);
        std::int64_t rows = 1;
        for (std::size_t i = outer; i + 1 < extents.size(); ++i) rows *= extents[i];
        if (rows > kMost || work_of(copy) > kRepeated * all) return take_back(before);
        done_.insert(copy);
        write_out_loops(copy, outer);
    }
    /// The blocks of cases that this one alone reads.
    std::vector<std::string> cases_beside(const Block& block, const ElementBlock& store) const {
        std::vector<std::string> out;
        for (const Block* producer : blocks_of(program_->body)) {
            const std::optional<ElementBlock> made = element(*producer);
            if (producer == &block || !made || made->reduces || is_param(made->buffer)) continue;
            const std::vector<const Block*> readers = readers_of(made->buffer, *producer);
            if (readers.size() == 1 && readers.front() == &block && !cases_of(*made).empty() &&
                made->buffer != store.buffer)
                out.push_back(producer->fields.name);
        }
        return out;
    }

    // ------------------------------------------------------------ a product between blocks of cases

    /// What stands around a product: tiles of an image are its rows.
    struct Stages {
        std::string input, product, result;
        std::int64_t bytes = 0; ///< of what one stage hands to the next
        std::int64_t weight_bytes = 0;
    };
    std::optional<Stages> stages_of(const std::string& product) const {
        const Block* block = find(product);
        const std::optional<ElementBlock> sums = block ? element(*block) : std::nullopt;
        if (!sums || !sums->reduces || is_param(sums->buffer) || !owns_nest(product)) return std::nullopt;
        const std::optional<TileShape> shape = tile_shape(*block, *sums, target_);
        if (!shape || !shape->shares || shape->lanes.size < 2 || shape->rows.dim < 0 || shape->outer_rows.size > 1)
            return std::nullopt;
        Stages out{.product = product};
        out.bytes = sums->buffer->static_size() * byte_size(sums->buffer->dtype);
        for (const Buffer& read : buffers_read(block->fields.body)) {
            if (read == sums->buffer) continue;
            (is_param(read) ? out.weight_bytes : out.bytes) += read->static_size() * byte_size(read->dtype);
            if (is_param(read)) continue;
            const Block* maker = maker_of(read);
            if (!maker || !out.input.empty() || readers_of(read, *maker).size() != 1) return std::nullopt;
            out.input = maker->fields.name;
        }
        const Block* reader = only_reader(sums->buffer, *block);
        const Block* last = reader ? only_reader(element(*reader)->buffer, *reader) : nullptr;
        if (out.input.empty() || out.weight_bytes == 0 || !last) return std::nullopt;
        out.result = last->fields.name;
        return out;
    }
    /// The block of cases that stores to a buffer; null for none.
    const Block* maker_of(const Buffer& buffer) const {
        for (const Block* block : blocks_of(program_->body))
            if (element_of(*block) == buffer) return is_of_cases(*block) ? block : nullptr;
        return nullptr;
    }
    /// The block of cases that alone reads a buffer; null for none.
    const Block* only_reader(const Buffer& buffer, const Block& maker) const {
        const std::vector<const Block*> readers = readers_of(buffer, maker);
        return readers.size() == 1 && is_of_cases(*readers.front()) ? readers.front() : nullptr;
    }
    bool is_of_cases(const Block& block) const {
        const std::optional<ElementBlock> made = element(block);
        return made && !made->reduces && !cases_of(*made).empty();
    }

    bool in_pieces(const Stages& stages) {
        if (!step("cache_write", {stages.product, std::string("stack")})) return false;
        const std::string copy = stages.product + "_write";
        std::optional<Nest> nest = open(stages.result);
        if (!nest || nest->uncut == 0 || nest->outer.size() < nest->uncut + 2) return false;
        const std::size_t around = loops_over_pieces(stages, *nest);
        if (around == 0 || !reorder(*nest)) return false;
        const std::string pieces = nest->outer[around - 1];
        done_.insert({copy, stages.input}); // they are no borders
        fill(*nest);
        std::int64_t count = 1;
        for (std::size_t i = 0; i < around; ++i) count *= loop_extents(nest->user)[i];
        if (!product_beside(stages.product, copy, pieces, around, count) || !input_beside(stages.input, pieces, around))
            return false;
        spread(*nest, around);
        return true;
    }
    /// Pieces of whole rows of tiles, or of parts of one row.
    struct TilePieces {
        std::int64_t rows = 1, columns = 1;
        [[nodiscard]] std::int64_t tiles() const { return rows * columns; }
    };
    /// nullopt where stages had better follow each other. Source of the numbers: measured (docs/performance.md).
    std::optional<TilePieces> choose_pieces(const Stages& stages, std::int64_t images, std::int64_t rows,
                                            std::int64_t columns) const {
        constexpr double kKept = 0.8, kFar = 8, kWeights = 2.5;
        constexpr std::int64_t kLeastTiles = 12, kForEachCore = 6; // our choice: rows of registers; cores end together
        const double cache = static_cast<double>(target_.l2_bytes), weights = static_cast<double>(stages.weight_bytes);
        const std::int64_t all = images * rows * columns;
        const double tile = static_cast<double>(stages.bytes) / static_cast<double>(all);
        const auto bytes = [&](std::int64_t tiles) { return static_cast<double>(tiles) * tile; };
        if (bytes(all) < cache / 2) return std::nullopt;
        std::optional<TilePieces> far; // weights come from beyond that cache for each piece
        for (const TilePieces& piece : divisions(rows, columns)) {
            const std::int64_t tiles = piece.tiles(), count = all / tiles;
            if (tiles < kLeastTiles || (count % target_.cores != 0 && count < kForEachCore * target_.cores)) continue;
            if (weights + bytes(tiles) <= kKept * cache) return piece;
            if (bytes(all) >= kFar * cache && bytes(tiles) <= cache / 2 && weights <= kWeights * bytes(tiles))
                far = piece;
        }
        return far;
    }
    /// From few tiles to many.
    static std::vector<TilePieces> divisions(std::int64_t rows, std::int64_t columns) {
        std::vector<TilePieces> out;
        for (std::int64_t n = 1; n < columns; ++n)
            if (columns % n == 0) out.push_back({1, n});
        for (std::int64_t n = 1; n <= rows; ++n)
            if (rows % n == 0) out.push_back({n, columns});
        return out;
    }
    /// Puts loops over pieces before the one that chooses filters. How many loops there are down to the last of them; 0
    /// for no pieces.
    std::size_t loops_over_pieces(const Stages& stages, Nest& nest) {
        const std::size_t row = nest.uncut, column = row + 1;
        std::vector<std::string>& outer = nest.outer;
        const std::vector<std::int64_t> extents = loop_extents(nest.user);
        std::int64_t images = 1;
        for (std::size_t d = 0; d + 1 < nest.uncut; ++d) images *= extents[d];
        const auto extent = [&](std::size_t at) { return extents[depth(nest.user, {outer[at]}) - 1]; };
        const std::optional<TilePieces> piece = choose_pieces(stages, images, extent(row), extent(column));
        if (!piece) return 0;
        const bool parts = piece->columns < extent(column);
        const bool pieces = piece->rows > 1;
        std::string& cut = outer[parts ? column : row];
        std::vector<std::string> after{outer[row - 1]};
        if (parts || pieces) {
            if (!step("split", {cut, std::vector<std::int64_t>{-1, parts ? piece->columns : piece->rows}})) return 0;
            after.push_back(cut + "_i");
            cut += "_o";
        }
        const std::size_t last = parts ? column : row;
        outer.insert(outer.begin() + static_cast<std::ptrdiff_t>(last) + 1, after.begin(), after.end());
        outer.erase(outer.begin() + static_cast<std::ptrdiff_t>(row) - 1);
        return last;
    }
    /// The product of one piece, whose sums go through `copy`. False where pieces compute more than they need.
    bool product_beside(const std::string& product, const std::string& copy, const std::string& pieces,
                        std::size_t around, std::int64_t count) {
        const std::vector<std::string> dims = loop_names(copy);
        if (!step("compute_at", {copy, pieces})) return false;
        const Block* block = find(product);
        std::optional<ElementBlock> sums = element(*block);
        const std::optional<Update> update = update_of(*block);
        const Buffer piece = element_of(*find(copy));
        if (!sums || !update || !piece || piece->static_size() * count > sums->buffer->static_size()) return false;
        sums->buffer = make_buffer(piece->name, piece->dtype, piece->static_shape());
        sums->value = update->value;
        const std::optional<TileShape> shape = tile_shape(*block, *sums, target_);
        return shape && tile_inside(draft_, {product, copy, dims, *shape, around});
    }
    /// What the product reads, tile after tile, each with all its cases.
    bool input_beside(const std::string& name, const std::string& pieces, std::size_t around) {
        const std::optional<ElementBlock> store = element(*find(name));
        const std::vector<std::int64_t> shape = store->buffer->static_shape();
        const std::vector<std::string> dims = loop_names(name);
        Nest nest{.user = name, .beside = cases_beside(*find(name), *store), .name = name};
        std::vector<std::int64_t> cases = cases_of(*store);
        for (const std::string& producer : nest.beside) widen_cases(cases, *store, *element(*find(producer)));
        if (!step("compute_at", {name, pieces})) return false;
        const std::vector<std::string> own = loop_names(name);
        for (std::size_t d = 0; d < dims.size(); ++d) {
            if (std::find(own.begin() + static_cast<std::ptrdiff_t>(around), own.end(), dims[d]) == own.end()) continue;
            if (cases[d] > 1 && cases[d] < shape[d]) return false;
            (cases[d] > 1 || d + 1 == dims.size() ? nest.inner : nest.outer).push_back(name + "." + dims[d]);
        }
        if (nest.outer.empty() || !reorder(nest)) return false;
        fill(nest);
        return true;
    }
};

} // namespace

void write_out_cases(Draft& draft, const std::string& name) { CaseRules(draft).write_out(name); }
bool pool_cases(Draft& draft, const std::string& pool) { return CaseRules(draft).pool(pool); }
bool tile_between_cases(Draft& draft, const std::string& product) { return CaseRules(draft).tile_between(product); }

} // namespace orrery::schedule
