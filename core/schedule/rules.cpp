// How a default trace is written:
// 1. Inline: blocks that compute an element from few others disappear into their readers when that repeats no
//    costly work.
// 2. Tile: a reduction (convolution, matrix product, pooling) whose last dimension can be vectors is computed in a
//    tile of registers, rows of one other dimension by groups of a second one by lanes of the last, inside the loops of
//    the block that uses it (bias, activation, sum) or of a copy to its result. The reduction runs around the tile, so
//    each element is summed in the order of the original. A matrix times a vector reads each element once: there the
//    sums of a long piece stay in the cache instead, and rows of the matrix are read from end to end.
// 3. Spread: what remains is vectorized along its last dimension where that is contiguous and run in parallel
//    over its outer ones.

#include "core/schedule/rules.hpp"

#include "core/schedule/accesses.hpp"
#include "core/schedule/element_block.hpp"
#include "core/schedule/locate.hpp"
#include "core/tensor/affine.hpp"
#include "core/tensor/build.hpp"
#include "core/tensor/visitor.hpp"

#include <algorithm>
#include <cmath>
#include <set>

namespace orrery::schedule {

using namespace tensor; // every name here is a node of tensor IR

namespace {

/// Below this many element operations a block runs on one thread. Source: our choice; waking a thread costs some
/// microseconds, in which one core does about this much.
constexpr double kParallelWork = 32768;
constexpr std::int64_t kMostOuterLoops = 1 << 20;

const Refusal kNoRefusal(const Program& program) { return {"rule", program, ""}; }

class Scheduler {
  public:
    Scheduler(Program program, const Target& target) : program_(std::move(program)), target_(target) {}

    Trace run() {
        inline_blocks();
        for (const std::string& name : block_names()) {
            if (done_.contains(name)) continue;
            const Block* block = find(name);
            if (block && reduces(*block)) tile(name);
        }
        for (const std::string& name : block_names())
            if (!done_.contains(name)) spread(name);
        return std::move(trace_);
    }

  private:
    /// Appends the step when it is legal.
    bool step(const std::string& primitive, std::vector<Arg> args) {
        TraceStep next{primitive, std::move(args)};
        Result<Rewritten> done = apply_step(program_, next);
        if (!done) return false;
        program_ = std::move(done->program);
        trace_.steps.push_back(std::move(next));
        return true;
    }

    std::vector<std::string> block_names() const {
        std::vector<std::string> names;
        for (const Block* block : blocks_of(program_->body)) names.push_back(block->fields.name);
        return names;
    }
    const Block* find(const std::string& name) const {
        for (const Block* block : blocks_of(program_->body))
            if (block->fields.name == name) return block;
        return nullptr;
    }
    std::vector<std::string> loop_names(const std::string& block) const {
        std::vector<std::string> names;
        if (const Result<BlockPlace> place = find_block(program_, block))
            for (const For* loop : place->loops()) names.push_back(loop->var->name);
        return names;
    }
    std::vector<std::int64_t> loop_extents(const std::string& block) const {
        std::vector<std::int64_t> extents;
        if (const Result<BlockPlace> place = find_block(program_, block))
            for (const For* loop : place->loops()) extents.push_back(extent_of(loop->extent));
        return extents;
    }
    static bool reduces(const Block& block) {
        return std::ranges::any_of(block.fields.iters, [](const BlockIter& i) { return i.kind == IterKind::Reduce; });
    }
    bool is_param(const Buffer& buffer) const {
        return std::ranges::find(program_->params, buffer) != program_->params.end();
    }
    std::optional<ElementBlock> element(const Block& block) const {
        Result<ElementBlock> found = element_block(block, kNoRefusal(program_));
        if (!found) return std::nullopt;
        return *std::move(found);
    }
    std::vector<const Block*> readers_of(const Buffer& buffer, const Block& but) const {
        std::vector<const Block*> out;
        for (const Block* block : blocks_of(program_->body)) {
            const std::vector<Buffer> read = buffers_read(block->fields.body);
            if (block != &but && std::ranges::find(read, buffer) != read.end()) out.push_back(block);
        }
        return out;
    }

    // ------------------------------------------------------------------------------- inlining

    bool worth_inlining(const Block& block, const ElementBlock& producer) const {
        const ExprCost cost = cost_of_expr(producer.value);
        if (cost.loads == 0 && cost.operations == 0 && cost.selects == 0) return true;
        const std::vector<const Block*> readers = readers_of(producer.buffer, block);
        const bool cheap = cost.selects == 0 && cost.transcendental == 0 && cost.operations <= 2;
        for (const Block* reader : readers) {
            const std::optional<ElementBlock> consumer = element(*reader);
            if (!consumer) return false;
            if (!consumer->reduces) {
                if (!cheap && (readers.size() > 1 || times_read(*consumer, producer.buffer) > 1)) return false;
                continue;
            }
            // In a reduction the work is repeated for every output that reads the element.
            if (!cheap || cost.loads > 2 || cost.divisions > 0) return false;
            if (cost.operations > 0 && repeats(*reader, *consumer, producer.buffer)) return false;
            if (packs(producer, *consumer)) return false;
        }
        return !readers.empty();
    }
    /// True when a copy brings into a row what the reduction's lanes would otherwise have to gather.
    static bool packs(const ElementBlock& producer, const ElementBlock& consumer) {
        if (consumer.iters.empty()) return false;
        const VarRef& lane = consumer.iters.back();
        LoadCollector read, copied;
        read.visit(consumer.value);
        copied.visit(producer.value);
        for (const Load* load : read.loads) {
            if (load->buffer != producer.buffer || !vector_access(load->indices, lane)) continue;
            VarMap at;
            for (std::size_t d = 0; d < producer.iters.size(); ++d) at[producer.iters[d]] = load->indices[d];
            for (const Load* from : copied.loads) {
                std::vector<Expr> indices;
                for (const Expr& index : from->indices) indices.push_back(substitute(index, at));
                if (!vector_access(indices, lane)) return true;
            }
        }
        return false;
    }
    static int times_read(const ElementBlock& consumer, const Buffer& buffer) {
        LoadCollector collector;
        collector.visit(consumer.value);
        return static_cast<int>(
            std::ranges::count_if(collector.loads, [&](const Load* load) { return load->buffer == buffer; }));
    }
    /// True when some spatial iterator of the consumer does not choose the element read.
    static bool repeats(const Block& block, const ElementBlock& consumer, const Buffer& buffer) {
        LoadCollector collector;
        collector.visit(consumer.value);
        for (const Load* load : collector.loads) {
            if (load->buffer != buffer) continue;
            for (const BlockIter& iter : block.fields.iters) {
                const bool used =
                    std::ranges::any_of(load->indices, [&](const Expr& e) { return uses_var(e, iter.var); });
                if (!used && extent_of(iter.extent) > 1) return true;
            }
        }
        return false;
    }
    void inline_blocks() {
        for (const std::string& name : block_names()) {
            const Block* block = find(name);
            const std::optional<ElementBlock> producer = block ? element(*block) : std::nullopt;
            if (!producer || producer->reduces || is_param(producer->buffer)) continue;
            if (worth_inlining(*block, *producer)) step("compute_inline", {name});
        }
    }

    // --------------------------------------------------------------------------------- tiling

    /// Lanes that divide `extent` and fill registers best, up to `most`; one register with a tail when none does well.
    std::int64_t choose_lanes(std::int64_t extent, std::int64_t width, std::int64_t most) const {
        if (extent <= 1) return 1;
        std::int64_t best = 1;
        double best_score = 0;
        for (std::int64_t v = 1; v <= std::min(extent, most); ++v) {
            if (extent % v != 0) continue;
            const std::int64_t filled =
                v > width / 2 ? (v + width - 1) / width * width : std::bit_ceil(static_cast<std::uint64_t>(v));
            // Narrow registers do the work of one instruction on fewer lanes.
            const double score = static_cast<double>(v) / static_cast<double>(filled) *
                                 std::min(1.0, static_cast<double>(filled) / static_cast<double>(width) + 0.4);
            if (score >= best_score) {
                best_score = score;
                best = v;
            }
        }
        constexpr double kPoor = 0.6;
        if (best_score >= kPoor || extent <= width) return best;
        return width;
    }

    /// The largest divisor of `extent` up to `most`.
    static std::int64_t choose_divisor(std::int64_t extent, std::int64_t most) {
        for (std::int64_t u = std::min(extent, most); u > 1; --u)
            if (extent % u == 0) return u;
        return 1;
    }

    /// A dimension of a tile and how much of it.
    struct TilePart {
        std::ptrdiff_t dim = -1; ///< of the result; -1 for none
        std::int64_t size = 1;
    };
    /// Rows share what is loaded along the lanes (a convolution's weights), groups what is loaded for a row (its
    /// input).
    struct TileShape {
        TilePart outer_rows, rows, groups, lanes;
        [[nodiscard]] const TilePart* part_of(std::size_t d) const {
            for (const TilePart* part : {&outer_rows, &rows, &groups, &lanes})
                if (part->dim == static_cast<std::ptrdiff_t>(d) && (part->size > 1 || part == &lanes)) return part;
            return nullptr;
        }
    };

    /// How one load of a reduction moves with the tile's dimensions.
    struct TileLoad {
        bool lane = false, row = false, group = false;
    };
    struct TileLoads {
        std::vector<TileLoad> all;
        std::int64_t vectors = 1;   ///< registers of a row of one group
        std::int64_t steps = 1;     ///< of the reduction
        std::int64_t row_bytes = 0; ///< of a vector load
    };
    /// Operations a cycle of one step of the reduction over a tile; 0 when it does not fit the registers.
    /// Source of the machine: two multiply-adds, two loads and four cycles until a sum can be added to are common to
    /// x86 since 2017 and to large Arm cores; what the second-level cache delivers was measured on Zen 3.
    double tile_speed(const TileLoads& loads, std::int64_t rows, std::int64_t groups) const {
        constexpr double kPipes = 2, kLatency = 4, kSecondLevelBytes = 24;
        const std::int64_t sums = rows * groups * loads.vectors;
        std::int64_t loaded = 0, kept = 1, streamed = 0;
        for (const TileLoad& load : loads.all) {
            const std::int64_t one = (load.lane ? loads.vectors : 1) * (load.group ? groups : 1);
            loaded += one * (load.row ? rows : 1);
            if (!load.row) kept += one;
            if (!load.row && load.lane) streamed += one * loads.row_bytes;
        }
        if (sums + kept > target_.vector_registers) return 0;
        // What all rows share is read again for each tile: from the first level when it stays there.
        const bool near = streamed * loads.steps <= target_.l1_bytes / 2;
        const double cycles = std::max({static_cast<double>(sums) / kPipes, static_cast<double>(loaded) / kPipes,
                                        kLatency, near ? 0 : static_cast<double>(streamed) / kSecondLevelBytes});
        return static_cast<double>(sums) / cycles;
    }

    /// The innermost dimension before `end` of more than one element that `fits`; -1 for none.
    template <class Fits>
    static std::ptrdiff_t innermost(const std::vector<std::int64_t>& shape, std::ptrdiff_t end, const Fits& fits) {
        for (std::ptrdiff_t d = end; d-- > 0;)
            if (shape[static_cast<std::size_t>(d)] > 1 && fits(static_cast<std::size_t>(d))) return d;
        return -1;
    }

    /// Which dimensions of a reduction make its tile; nullopt when its last one cannot be vectors.
    std::optional<TileShape> tile_shape(const Block& block, const ElementBlock& reduction) const {
        if (reduction.iters.empty()) return std::nullopt;
        TileShape tile;
        const auto last = static_cast<std::ptrdiff_t>(reduction.iters.size()) - 1;
        tile.lanes.dim = last;
        const std::vector<std::int64_t> shape = reduction.buffer->static_shape();
        const auto moves = [&](const Load* load, std::ptrdiff_t d) {
            return d >= 0 && std::ranges::any_of(load->indices, [&](const Expr& e) {
                       return uses_var(e, reduction.iters[static_cast<std::size_t>(d)]);
                   });
        };
        LoadCollector collector;
        collector.visit(reduction.value);
        std::vector<const Load*> along, others;
        for (const Load* load : collector.loads) {
            if (load->buffer == reduction.buffer) continue;
            if (!vector_access(load->indices, reduction.iters.back())) return std::nullopt;
            (moves(load, last) ? along : others).push_back(load);
        }
        if (along.empty() || shape.back() < 2) return std::nullopt;
        const auto shared_by = [&](const std::vector<const Load*>& loads) {
            return [&](std::size_t d) {
                return std::ranges::none_of(
                    loads, [&](const Load* load) { return moves(load, static_cast<std::ptrdiff_t>(d)); });
            };
        };
        tile.rows.dim = innermost(shape, last, shared_by(along));
        if (tile.rows.dim >= 0) tile.outer_rows.dim = innermost(shape, tile.rows.dim, shared_by(along));
        // Where all loads are along the lanes (a depthwise convolution, a pooling) rows are sums to work on at once.
        if (tile.rows.dim < 0 && others.empty() && last > 0 && shape[static_cast<std::size_t>(last) - 1] > 1)
            tile.rows.dim = last - 1;
        if (!others.empty()) tile.groups.dim = innermost(shape, last, shared_by(others));
        TileLoads loads;
        for (const BlockIter& iter : block.fields.iters)
            if (iter.kind == IterKind::Reduce) loads.steps *= extent_of(iter.extent);
        for (const std::vector<const Load*>* list : {&std::as_const(along), &std::as_const(others)})
            for (const Load* load : *list)
                loads.all.push_back({list == &along, moves(load, tile.rows.dim) || moves(load, tile.outer_rows.dim),
                                     moves(load, tile.groups.dim)});
        choose_tile(tile, loads, shape, byte_size(reduction.buffer->dtype));
        return tile;
    }

    /// The fastest tile; among equals the one with fewer groups, then with rows of one dimension, then with more rows.
    void choose_tile(TileShape& tile, TileLoads& loads, const std::vector<std::int64_t>& shape,
                     std::int64_t bytes) const {
        constexpr std::int64_t kMostGroups = 8, kMostOuterRows = 4;
        constexpr double kWorthMore = 1.05; // our choice: what is further apart is read and written more slowly
        const auto divisors = [&](const TilePart& part, std::int64_t most) {
            const std::int64_t extent = part.dim < 0 ? 1 : shape[static_cast<std::size_t>(part.dim)];
            std::vector<std::int64_t> out;
            for (std::int64_t n = 1; n <= std::min(extent, most); ++n)
                if (extent % n == 0) out.push_back(n);
            return out;
        };
        const std::vector<std::int64_t> rows_there = divisors(tile.rows, target_.vector_registers);
        const std::int64_t width = target_.lanes(static_cast<int>(bytes));
        tile.lanes.size = choose_lanes(shape.back(), width, width * (rows_there.back() >= 4 ? 2 : 4));
        // Lanes that do not divide their dimension need masks. Where a tile would share nothing, a whole row in the
        // first-level cache does without them, but for its end.
        const bool shares = !std::ranges::all_of(loads.all, &TileLoad::lane);
        if (shape.back() % tile.lanes.size != 0 && !shares && shape.back() * bytes <= target_.l1_bytes / 4)
            return void(tile.lanes.size = shape.back());
        loads.vectors = (tile.lanes.size + width - 1) / width;
        loads.row_bytes = width * bytes;
        double best = 0;
        for (const std::int64_t groups : divisors(tile.groups, kMostGroups))
            for (const std::int64_t outer : divisors(tile.outer_rows, kMostOuterRows))
                for (const std::int64_t rows : rows_there) {
                    const double speed = tile_speed(loads, outer * rows, groups);
                    const bool alike = groups == tile.groups.size && outer == tile.outer_rows.size;
                    if (speed == 0 || (alike ? speed < best : speed <= best * kWorthMore)) continue;
                    best = speed;
                    tile.outer_rows.size = outer;
                    tile.rows.size = rows;
                    tile.groups.size = groups;
                }
    }

    /// The block that uses a reduction's result element by element, in a nest of its own; empty when there is none.
    std::string epilogue_of(const Block& block, const ElementBlock& reduction) const {
        const std::vector<const Block*> readers = readers_of(reduction.buffer, block);
        if (readers.size() != 1) return {};
        const std::optional<ElementBlock> consumer = element(*readers.front());
        if (!consumer || consumer->reduces || consumer->buffer->static_shape() != reduction.buffer->static_shape())
            return {};
        LoadCollector collector;
        collector.visit(consumer->value);
        for (const Load* load : collector.loads) {
            if (load->buffer == reduction.buffer)
                for (std::size_t d = 0; d < load->indices.size(); ++d)
                    if (load->indices[d].get() != consumer->iters[d].get()) return {};
        }
        return readers.front()->fields.name;
    }

    /// The block in whose loops a reduction is computed, made when there is none; empty when none can be.
    std::string user_of(const std::string& name, const ElementBlock& reduction) {
        const Block* block = find(name);
        std::string user = is_param(reduction.buffer) ? std::string() : epilogue_of(*block, reduction);
        if (!user.empty()) return user;
        return step("cache_write", {name, std::string("stack")}) ? name + "_write" : std::string();
    }

    /// A reduction that runs along the last dimension of what moves with its lanes (a product with a transposed matrix)
    /// has no vectors: a copy in which the lanes are last, where enough of the work uses it again.
    void pack(const std::string& name) {
        constexpr double kWorthCopy = 8; // our choice: uses of an element for one that is copied
        const Block* block = find(name);
        const std::optional<ElementBlock> reduction = element(*block);
        if (!reduction || reduction->iters.empty()) return;
        const VarRef& lane = reduction->iters.back();
        LoadCollector collector;
        collector.visit(reduction->value);
        for (const Load* load : collector.loads) {
            if (load->buffer == reduction->buffer || vector_access(load->indices, lane)) continue;
            std::string from, to, lane_axis;
            double uses = 1;
            std::size_t axes = 0, lane_at = 0;
            for (const BlockIter& iter : block->fields.iters) {
                const bool moves =
                    std::ranges::any_of(load->indices, [&](const Expr& e) { return uses_var(e, iter.var); });
                if (!moves) {
                    uses *= static_cast<double>(extent_of(iter.extent));
                    continue;
                }
                const std::string axis = "a" + std::to_string(axes);
                from += (axes ? ", " : "") + axis;
                if (iter.var.get() == lane.get()) {
                    lane_axis = axis;
                    lane_at = axes;
                } else {
                    to += axis + ", ";
                }
                ++axes;
            }
            if (lane_axis.empty() || uses < kWorthCopy) return;
            const std::vector<std::string> before = block_names();
            if (!step("reindex", {name, load->buffer->name})) return;
            for (const std::string& made : block_names()) {
                if (std::ranges::find(before, made) != before.end()) continue;
                if (!step("transform_layout", {made, from + " -> " + to + lane_axis})) return;
                std::vector<std::string> order;
                for (const std::string& loop : loop_names(made)) order.push_back(made + "." + loop);
                if (order.size() != axes) return;
                std::rotate(order.begin() + static_cast<std::ptrdiff_t>(lane_at),
                            order.begin() + static_cast<std::ptrdiff_t>(lane_at) + 1, order.end());
                step("reorder", {order});
            }
            return pack(name);
        }
    }
    void tile(const std::string& name) {
        pack(name);
        const Block* block = find(name);
        const std::optional<ElementBlock> reduction = element(*block);
        if (!reduction) return;
        const std::optional<TileShape> shape = tile_shape(*block, *reduction);
        if (!shape || shape->lanes.size < 2) return;
        if (const std::int64_t piece = streamed_piece(*block, *reduction, *shape); piece > 0)
            return stream(name, *reduction, piece);
        const Panel panel = panel_of(*block, *reduction, *shape);
        std::string copy;
        if (panel.buffer) {
            const std::vector<std::string> before = block_names();
            if (step("cache_read", {name, panel.buffer->name, std::string("global")}))
                for (const std::string& made : block_names())
                    if (std::ranges::find(before, made) == before.end()) copy = made;
        }
        const std::string user = user_of(name, *reduction);
        if (user.empty()) return;
        const std::vector<std::string> loops = loop_names(user);
        if (loops.size() != reduction->iters.size()) return;

        // The user's loops: outer ones, the parts of the split dimensions, then rows, groups and lanes.
        const auto at = [&user](const std::string& loop) { return user + "." + loop; };
        std::vector<std::string> outer, after_panel, rows, groups, lanes;
        for (std::size_t d = 0; d < loops.size(); ++d) {
            const TilePart* part = shape->part_of(d);
            auto& around = copy.empty() || panel.moves_with[d] ? outer : after_panel;
            if (!part) {
                around.push_back(at(loops[d]));
                continue;
            }
            if (!step("split", {at(loops[d]), std::vector<std::int64_t>{-1, part->size}})) return;
            around.push_back(at(loops[d] + "_o"));
            auto& list = part == &shape->lanes ? lanes : part == &shape->groups ? groups : rows;
            list.push_back(at(loops[d] + "_i"));
        }
        const std::size_t panels = outer.size();
        outer.insert(outer.end(), after_panel.begin(), after_panel.end());
        std::vector<std::string> inner = rows;
        inner.insert(inner.end(), groups.begin(), groups.end());
        inner.insert(inner.end(), lanes.begin(), lanes.end());
        std::vector<std::string> order = outer;
        order.insert(order.end(), inner.begin(), inner.end());
        if (order.size() > 1) step("reorder", {order});
        if (!step("compute_at", {name, outer.back()})) return;
        done_.insert({name, user, name + "_init"});
        const std::int64_t width = target_.lanes(byte_size(reduction->buffer->dtype));
        const bool in_registers = shape->lanes.size <= width * target_.vector_registers;
        step("set_scope", {name, std::string(in_registers ? "registers" : "stack")});
        finish_tile(name, *shape);
        for (const std::string& loop : inner) step(loop == inner.back() ? "vectorize" : "unroll", {loop});
        const double work = work_of(name);
        if (copy.empty()) return spread_outer(user, outer.size(), work);
        if (step("compute_at", {copy, outer[panels - 1]})) {
            done_.insert(copy);
            step("vectorize", {copy + "." + loop_names(copy).back()});
            spread_outer(user, panels, work);
        }
    }

    /// What a product reads along its lanes, row after row of a wider matrix: those of one tile lie far apart, in few
    /// sets of the caches. A copy in which they lie side by side serves all tiles beside it.
    struct Panel {
        Buffer buffer;                ///< null when no copy is worth it
        std::vector<bool> moves_with; ///< the result's dimensions
    };
    Panel panel_of(const Block& block, const ElementBlock& reduction, const TileShape& shape) const {
        constexpr std::int64_t kWorthCopy = 8; // our choice: uses of an element for one that is copied
        const VarRef& lane = reduction.iters.back();
        LoadCollector collector;
        collector.visit(reduction.value);
        const Load* found = nullptr;
        for (const Load* load : collector.loads) {
            if (load->buffer == reduction.buffer) continue;
            const bool along = std::ranges::any_of(load->indices, [&](const Expr& e) { return uses_var(e, lane); });
            if (along && found) return {};
            if (along) found = load;
        }
        if (!found || found->indices.back().get() != lane.get() || shape.rows.size < 2) return {};
        if (found->buffer->static_shape().back() < 2 * shape.lanes.size) return {};
        std::int64_t uses = 1, bytes = shape.lanes.size * byte_size(found->dtype);
        Panel out{found->buffer, {}};
        for (const BlockIter& iter : block.fields.iters) {
            const bool moves =
                std::ranges::any_of(found->indices, [&](const Expr& e) { return uses_var(e, iter.var); });
            if (iter.kind == IterKind::Spatial && !moves) uses *= extent_of(iter.extent);
            if (iter.kind == IterKind::Reduce && moves) bytes *= extent_of(iter.extent);
        }
        for (const VarRef& iter : reduction.iters)
            out.moves_with.push_back(
                std::ranges::any_of(found->indices, [&](const Expr& e) { return uses_var(e, iter); }));
        return uses >= kWorthCopy * shape.rows.size && bytes <= target_.l2_bytes / 2 ? out : Panel{};
    }

    /// How much of the last dimension a reduction whose rows are used once (a matrix times a vector) sums up at a time;
    /// 0 when it is none, or small. Each row of the matrix is then read from one end to the other, as memory likes it,
    /// and the sums stay in the first-level cache.
    std::int64_t streamed_piece(const Block& block, const ElementBlock& reduction, const TileShape& shape) const {
        LoadCollector collector;
        collector.visit(reduction.value);
        const Load* matrix = nullptr;
        for (const Load* load : collector.loads) {
            if (load->buffer == reduction.buffer) continue;
            const bool lane =
                std::ranges::any_of(load->indices, [&](const Expr& e) { return uses_var(e, reduction.iters.back()); });
            if (lane && matrix) return 0;
            if (lane) matrix = load;
        }
        if (!matrix || shape.rows.dim >= 0 || coefficient(matrix->indices.back(), reduction.iters.back()) != 1)
            return 0;
        std::int64_t elements = reduction.buffer->static_shape().back();
        bool reduces = false;
        for (const BlockIter& iter : block.fields.iters) {
            if (iter.kind != IterKind::Reduce) continue;
            if (std::ranges::none_of(matrix->indices, [&](const Expr& e) { return uses_var(e, iter.var); })) return 0;
            if (uses_var(matrix->indices.back(), iter.var)) return 0;
            reduces = true;
            elements *= extent_of(iter.extent);
        }
        const std::int64_t bytes = byte_size(reduction.buffer->dtype);
        if (!reduces || elements * bytes <= target_.l1_bytes) return 0;
        const std::int64_t extent = reduction.buffer->static_shape().back();
        const bool shared = target_.cores > 1 && static_cast<double>(elements) >= kParallelWork;
        const std::int64_t most = std::min(target_.l1_bytes / 4 / bytes, shared ? extent / target_.cores : extent);
        const std::int64_t width = target_.lanes(static_cast<int>(bytes));
        const std::int64_t whole = extent % width == 0 ? width * choose_divisor(extent / width, most / width) : 0;
        const std::int64_t piece = whole > 0 ? whole : choose_divisor(extent, most);
        return piece >= width * 4 ? piece : 0;
    }

    void stream(const std::string& name, const ElementBlock& reduction, std::int64_t piece) {
        constexpr std::int64_t kRows = 4; // our choice: of the matrix, read side by side for one visit of the sums
        const std::string user = user_of(name, reduction);
        const std::vector<std::string> loops = loop_names(user);
        if (user.empty() || loops.size() != reduction.iters.size()) return;
        const std::string last = user + "." + loops.back();
        if (!step("split", {last, std::vector<std::int64_t>{-1, piece}})) return;
        if (!step("compute_at", {name, last + "_o"})) return;
        done_.insert({name, user, name + "_init"});
        std::vector<std::string> order;
        const Block* block = find(name);
        const Result<BlockPlace> place = find_block(program_, name);
        std::int64_t steps = 1;
        for (const For* loop : place->loops())
            for (const BlockIter& iter : block->fields.iters)
                if (iter.kind == IterKind::Reduce && iter.binding.get() == loop->var.get()) {
                    order.push_back(name + "." + loop->var->name);
                    steps = extent_of(loop->extent);
                }
        const std::vector<std::string> all = loop_names(name);
        const std::string lane = name + "." + all[all.size() - order.size() - 1];
        const std::int64_t rows = choose_divisor(steps, kRows);
        const std::int64_t width = target_.lanes(byte_size(reduction.buffer->dtype));
        const std::int64_t lanes = choose_lanes(piece, width, width * 2);
        std::string row;
        if (rows > 1 && step("split", {order.back(), std::vector<std::int64_t>{-1, rows}})) {
            row = order.back() + "_i";
            order.back() += "_o";
        }
        if (!step("split", {lane, std::vector<std::int64_t>{-1, lanes}})) return;
        order.push_back(lane + "_o");
        if (!row.empty()) order.push_back(row);
        order.push_back(lane + "_i");
        step("reorder", {order});
        if (step("decompose_reduction", {name, order.front()}))
            step("vectorize", {name + "_init." + loop_names(name + "_init").back()});
        if (!row.empty()) step("unroll", {row});
        step("vectorize", {lane + "_i"});
        if (step("split", {last + "_i", std::vector<std::int64_t>{-1, lanes}})) step("vectorize", {last + "_i_i"});
        spread_outer(user, loops.size(), work_of(name));
    }

    /// Inside a tile: the reduction around rows and lanes, the initial value apart.
    void finish_tile(const std::string& name, const TileShape& shape) {
        const Block* block = find(name);
        const Result<BlockPlace> place = find_block(program_, name);
        std::vector<std::string> reduction, spatial;
        for (const For* loop : place->loops())
            for (const BlockIter& iter : block->fields.iters) {
                if (iter.kind == IterKind::Reduce && iter.binding.get() == loop->var.get())
                    reduction.push_back(name + "." + loop->var->name);
            }
        const std::vector<std::string> all = loop_names(name);
        std::vector<const TilePart*> parts; ///< in the order of the dimensions, as the block's loops are
        for (std::size_t d = 0; d <= static_cast<std::size_t>(shape.lanes.dim); ++d)
            if (const TilePart* part = shape.part_of(d)) parts.push_back(part);
        const std::size_t own = parts.size();
        for (std::size_t i = all.size() - reduction.size() - own; i < all.size() - reduction.size(); ++i)
            spatial.push_back(name + "." + all[i]);
        // What a row loads is used by all groups at once: those stand inside.
        const auto group = std::ranges::find(parts, &shape.groups) - parts.begin();
        if (group < std::ssize(spatial))
            std::rotate(spatial.begin() + group, spatial.begin() + group + 1, spatial.end() - 1);
        std::vector<std::string> order = reduction;
        order.insert(order.end(), spatial.begin(), spatial.end());
        if (reduction.empty()) return;
        step("reorder", {order});
        if (step("decompose_reduction", {name, reduction.front()})) {
            const std::vector<std::string> init = loop_names(name + "_init");
            for (std::size_t i = init.size() - std::min(own, init.size()); i < init.size(); ++i)
                step(i + 1 == init.size() ? "vectorize" : "unroll", {name + "_init." + init[i]});
        }
        for (const std::string& loop : spatial) step(loop == spatial.back() ? "vectorize" : "unroll", {loop});
    }

    // ------------------------------------------------------------------------------ spreading

    double work_of(const std::string& name) const {
        double work = 1;
        for (std::int64_t extent : loop_extents(name)) work *= static_cast<double>(extent);
        return work;
    }

    /// Makes one parallel loop of the first `count` loops around a block, when there is enough to do.
    void spread_outer(const std::string& name, std::size_t count, double work) {
        if (work < kParallelWork || target_.cores < 2 || count == 0) return;
        const std::vector<std::string> loops = loop_names(name);
        const std::vector<std::int64_t> extents = loop_extents(name);
        std::vector<std::string> together;
        std::int64_t total = 1;
        for (std::size_t i = 0; i < count && i < loops.size(); ++i) {
            // Enough pieces for every core to get its share; further loops stay inside, where addresses are simple.
            if (total >= std::int64_t{target_.cores} * 16 || total * extents[i] > kMostOuterLoops) break;
            together.push_back(name + "." + loops[i]);
            total *= extents[i];
        }
        if (total < 2) return;
        if (together.size() > 1 && !step("fuse", {together})) return;
        step("parallel", {name + "." + loop_names(name).front()});
    }

    void spread(const std::string& name) {
        const Block* block = find(name);
        if (!block || find_block(program_, name)->loops().empty()) return;
        const double work = work_of(name) * (1 + 8 * cost_of_block(*block).transcendental);
        const std::vector<std::string> loops = loop_names(name);
        std::size_t outer = loops.size();
        if (reduces(*block)) {
            outer = spatial_prefix(*block);
        } else if (turn(name, *block)) {
            outer = loops.size();
        } else {
            vectorize_last(name, *block);
            outer = loop_names(name).size() - 1;
        }
        if (const Block* now = find(name); now && owns_nest(name)) spread_outer(name, outer, work);
    }
    static ExprCost cost_of_block(const Block& block) {
        ExprCost cost;
        cost.visit(block.fields.body);
        return cost;
    }
    /// Loops before the first one a reduction iterator is bound to.
    std::size_t spatial_prefix(const Block& block) const {
        const Result<BlockPlace> place = find_block(program_, block.fields.name);
        std::size_t count = 0;
        for (const For* loop : place->loops()) {
            for (const BlockIter& iter : block.fields.iters)
                if (iter.kind == IterKind::Reduce && uses_var(iter.binding, loop->var)) return count;
            ++count;
        }
        return count;
    }
    bool owns_nest(const std::string& name) const {
        const Result<BlockPlace> place = find_block(program_, name);
        const std::vector<const For*> loops = place->loops();
        return !loops.empty() && blocks_of(loops.front()->body).size() == 1;
    }
    /// A block that reads along another dimension than it writes (a transpose): in squares of both, so that what is
    /// fetched for one line of the result is still there for the next. False when it is none, or small.
    bool turn(const std::string& name, const Block& block) {
        constexpr std::int64_t kSide = 16; // our choice: a cache line of four-byte elements
        const std::optional<ElementBlock> store = element(block);
        const std::vector<std::string> loops = loop_names(name);
        if (!store || store->iters.size() < 2 || loops.size() != store->iters.size()) return false;
        const std::vector<std::int64_t> shape = store->buffer->static_shape();
        if (store->buffer->static_size() * byte_size(store->buffer->dtype) <= target_.l1_bytes) return false;
        LoadCollector collector;
        collector.visit(store->value);
        std::ptrdiff_t along = -1;
        for (const Load* load : collector.loads)
            if (!vector_access(load->indices, store->iters.back()))
                for (std::size_t d = 0; d + 1 < store->iters.size(); ++d)
                    if (coefficient(load->indices.back(), store->iters[d]) == 1) along = static_cast<std::ptrdiff_t>(d);
        if (along < 0 || shape[static_cast<std::size_t>(along)] < kSide || shape.back() < kSide) return false;
        std::vector<std::string> order, inner;
        for (std::size_t d = 0; d < loops.size(); ++d) {
            const std::string loop = name + "." + loops[d];
            const bool side = static_cast<std::ptrdiff_t>(d) == along || d + 1 == loops.size();
            const std::int64_t size = side ? choose_divisor(shape[d], kSide) : 1;
            if (size == 1) {
                order.push_back(loop);
                continue;
            }
            if (!step("split", {loop, std::vector<std::int64_t>{-1, size}})) return false;
            order.push_back(loop + "_o");
            inner.push_back(loop + "_i");
        }
        order.insert(order.end(), inner.begin(), inner.end());
        step("reorder", {order});
        if (!inner.empty()) step("unroll", {inner.back()});
        return true;
    }
    void vectorize_last(const std::string& name, const Block& block) {
        const std::optional<ElementBlock> store = element(block);
        if (!store || store->iters.empty() || loop_names(name).size() != store->iters.size()) return;
        LoadCollector collector;
        collector.visit(store->value);
        for (const Load* load : collector.loads)
            if (!vector_access(load->indices, store->iters.back())) return unroll_last(name);
        const std::int64_t width = target_.lanes(byte_size(store->buffer->dtype));
        const std::int64_t extent = loop_extents(name).back();
        const std::int64_t lanes = choose_lanes(extent, width, width * 4);
        if (lanes < 2) return;
        const std::string last = name + "." + loop_names(name).back();
        if (extent % lanes != 0 || lanes == extent) { // whole vectors and an end, rather than masks throughout
            step("vectorize", {last});
        } else if (step("split", {last, std::vector<std::int64_t>{-1, lanes}})) {
            step("vectorize", {last + "_i"});
        }
    }

    /// Where lanes would gather, a few copies of the body instead: the divisions of their indices that do not depend on
    /// the loop around them are then done outside of it.
    void unroll_last(const std::string& name) {
        constexpr std::int64_t kMostCopies = 16; // our choice: a block of channels
        const std::int64_t extent = loop_extents(name).back();
        if (extent > 1 && extent <= kMostCopies) step("unroll", {name + "." + loop_names(name).back()});
    }

    Program program_;
    const Target& target_;
    Trace trace_;
    std::set<std::string> done_;
};

} // namespace

Trace default_trace(const Program& program, const Target& target) { return Scheduler(program, target).run(); }

} // namespace orrery::schedule
