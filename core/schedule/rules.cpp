// How a default trace is written:
// 1. Inline: blocks that compute an element from few others disappear into their readers when that repeats no
//    costly work.
// 2. Tile: a reduction (convolution, matrix product, pooling) whose last dimension can be vectors is computed in a
//    tile of registers, rows of one other dimension by groups of a second one by lanes of the last, inside the loops of
//    the block that uses it (bias, activation, sum) or of a copy to its result. The reduction runs around the tile, so
//    each element is summed in the order of the original. A matrix times a vector reads each element once: there the
//    sums of a long piece stay in the cache instead, and rows of the matrix are read from end to end.
// 3. Write out: where an element's place chooses among expressions (a row of a small matrix times a vector), one copy
// of
//    the body for each.
// 4. Spread: what remains is vectorized along its last dimension where that is contiguous and run in parallel
//    over its outer ones.

#include "core/schedule/rules.hpp"

#include "core/schedule/accesses.hpp"
#include "core/schedule/cases.hpp"
#include "core/schedule/element_block.hpp"
#include "core/schedule/locate.hpp"
#include "core/schedule/matching.hpp"
#include "core/schedule/reuse.hpp"
#include "core/schedule/tile_shape.hpp"
#include "core/tensor/build.hpp"
#include "core/tensor/visitor.hpp"

#include <algorithm>
#include <cmath>
#include <set>

namespace orrery::schedule {

using namespace tensor; // every name here is a node of tensor IR

namespace {

constexpr std::int64_t kMostOuterLoops = 1 << 20;

const Refusal kNoRefusal(const Program& program) { return {"rule", program, ""}; }

class Scheduler {
  public:
    Scheduler(Program program, const Target& target)
        : program_(std::move(program)), programs_{program_}, target_(target) {}

    Scheduled run() {
        inline_blocks();
        for (const std::string& name : block_names()) {
            if (done_.contains(name)) continue;
            const Block* block = find(name);
            if (block && reduces(*block)) tile(name);
        }
        // Readers first: what they alone read is computed beside them.
        const std::vector<std::string> names = block_names();
        for (auto name = names.rbegin(); name != names.rend(); ++name)
            if (!done_.contains(*name)) write_out(*name);
        for (auto name = names.rbegin(); name != names.rend(); ++name)
            if (!done_.contains(*name)) in_rows(*name);
        for (const std::string& name : block_names())
            if (!done_.contains(name)) spread(name);
        programs_.resize(trace_.steps.size() + 1);
        return {std::move(trace_), {std::move(programs_)}};
    }

  private:
    /// Appends the step when it is legal.
    bool step(const std::string& primitive, std::vector<Arg> args) {
        TraceStep next{primitive, std::move(args)};
        Result<Rewritten> done = apply_step(program_, next);
        if (!done) return false;
        program_ = std::move(done->program);
        programs_.resize(trace_.steps.size() + 1); // steps may have been taken back
        programs_.push_back(program_);
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
                if (!cheap && (readers.size() > 1 || !read_once(*consumer, producer.buffer, cost))) return false;
                continue;
            }
            // In a reduction the work is repeated for every output that reads the element.
            if (!cheap || cost.loads > 2 || cost.divisions > 0) return false;
            if (cost.operations > 0 && repeats(*reader, *consumer, producer.buffer)) return false;
            if (packs(producer, *consumer)) return false;
        }
        return !readers.empty();
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

    /// The block that uses a reduction's result element by element once its loops are those over the reduction's
    /// dimensions, which they are made; empty when there is none.
    std::string unfolding_of(const Block& block, const ElementBlock& reduction) {
        const std::vector<const Block*> readers = readers_of(reduction.buffer, block);
        const std::optional<ElementBlock> consumer = readers.size() == 1 ? element(*readers.front()) : std::nullopt;
        if (!consumer || consumer->reduces) return {};
        const std::optional<std::vector<LoopChange>> changes = matching_loops(*consumer, reduction);
        const std::string user = readers.front()->fields.name;
        const std::vector<std::string> loops = loop_names(user);
        if (!changes || loops.size() != consumer->iters.size()) return {};
        const auto at = [&](std::size_t loop) { return user + "." + loops[loop]; };
        for (const LoopChange& change : *changes) {
            const bool done = change.factor == 0
                                  ? step("fuse", {std::vector{at(change.loop), at(change.loop + 1)}})
                                  : step("split", {at(change.loop), std::vector<std::int64_t>{-1, change.factor}});
            if (!done) return {};
        }
        return user;
    }

    /// The block in whose loops a reduction is computed, made when there is none; empty when none can be.
    enum class Unfold : std::uint8_t { Never, WherePossible };
    std::string user_of(const std::string& name, const ElementBlock& reduction, Unfold unfold) {
        const Block* block = find(name);
        std::string user = is_param(reduction.buffer) ? std::string() : epilogue_of(*block, reduction);
        if (user.empty() && unfold != Unfold::Never && !is_param(reduction.buffer))
            user = unfolding_of(*block, reduction);
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
    void tile(const std::string& name, Unfold unfold = Unfold::WherePossible) {
        const Program before_tile = program_;
        const std::size_t steps = trace_.steps.size();
        pack(name);
        const Block* block = find(name);
        const std::optional<ElementBlock> reduction = element(*block);
        if (!reduction) return;
        const std::optional<TileShape> shape = tile_shape(*block, *reduction, target_);
        if (!shape || shape->lanes.size < 2) return void(sum_in_lanes(name));
        if (const std::int64_t piece = streamed_piece(*block, *reduction, *shape, target_); piece > 0)
            return stream(name, *reduction, piece);
        const Panel panel = panel_of(*block, *reduction, *shape, target_);
        std::string copy;
        if (panel.buffer) {
            const std::vector<std::string> before = block_names();
            if (step("cache_read", {name, panel.buffer->name, std::string("global")}))
                for (const std::string& made : block_names())
                    if (std::ranges::find(before, made) == before.end()) copy = made;
        }
        const std::string user = user_of(name, *reduction, unfold);
        if (user.empty()) return;
        const std::vector<std::string> loops = loop_names(user);
        if (loops.size() != reduction->iters.size()) return;

        // The user's loops: outer ones, the parts of the split dimensions, then rows, groups and lanes.
        const auto at = [&user](const std::string& loop) { return user + "." + loop; };
        const bool panels = side_by_side(*reduction, *shape);
        const auto late = [&](std::size_t d) {
            if (!copy.empty()) return !panel.moves_with[d];
            const bool chooses = chooses_lanes(*reduction, d) && d + 1 < loops.size();
            return panels && !chooses && reduction->buffer->static_shape()[d] > 1;
        };
        std::vector<std::string> outer, after_panel, rows, groups, lanes;
        for (std::size_t d = 0; d < loops.size(); ++d) {
            const TilePart* part = shape->part_of(d);
            auto& around = late(d) ? after_panel : outer;
            if (!part) {
                around.push_back(at(loops[d]));
                continue;
            }
            if (!step("split", {at(loops[d]), std::vector<std::int64_t>{-1, part->size}})) return;
            around.push_back(at(loops[d] + "_o"));
            auto& list = part == &shape->lanes ? lanes : part == &shape->groups ? groups : rows;
            list.push_back(at(loops[d] + "_i"));
        }
        const std::size_t before_rows = outer.size();
        outer.insert(outer.end(), after_panel.begin(), after_panel.end());
        if (copy.empty()) rows_in_pieces(*reduction, *shape, loops, user, outer);
        std::vector<std::string> inner = rows;
        inner.insert(inner.end(), groups.begin(), groups.end());
        inner.insert(inner.end(), lanes.begin(), lanes.end());
        std::vector<std::string> order = outer;
        order.insert(order.end(), inner.begin(), inner.end());
        if (order.size() > 1) step("reorder", {order});
        if (!step("compute_at", {name, outer.back()})) return;
        if (unfold != Unfold::Never && repeats_work(name, *shape)) {
            program_ = before_tile;
            trace_.steps.resize(steps);
            return tile(name, Unfold::Never);
        }
        done_.insert({name, user, name + "_init"});
        const std::int64_t width = target_.lanes(byte_size(reduction->buffer->dtype));
        const bool in_registers = shape->lanes.size <= width * target_.vector_registers;
        step("set_scope", {name, std::string(in_registers ? "registers" : "stack")});
        finish_tile(name, *shape);
        for (const std::string& loop : inner) step(loop == inner.back() ? "vectorize" : "unroll", {loop});
        const double work = work_of(name);
        if (copy.empty()) {
            const std::size_t around = shape->shares ? 0 : copies_beside(name, user, outer.size());
            return spread_outer(user, around > 0 ? around : outer.size(), work);
        }
        if (step("compute_at", {copy, outer[before_rows - 1]})) {
            done_.insert(copy);
            step("vectorize", {copy + "." + loop_names(copy).back()});
            spread_outer(user, before_rows, work);
        }
    }

    /// A copy that only this reduction reads (its input with a border, say), where little else is done with what is
    /// copied: made a piece at a time in the outer loops of `user`, while the piece is in the nearest caches, instead
    /// of all of it before. How many loops are around a piece then; 0 where it stays apart.
    std::size_t copies_beside(const std::string& name, const std::string& user, std::size_t outer) {
        constexpr double kRepeated = 1.25; // our choice: pieces overlap by what windows reach over
        const double kept = 2.0 * static_cast<double>(target_.l1_bytes), want = 4.0 * target_.cores;
        const std::string copy = copy_for(name);
        const Block* block = copy.empty() ? nullptr : find(copy);
        if (!block) return 0;
        const Buffer whole = element(*block)->buffer;
        const double all = static_cast<double>(whole->static_size());
        const std::vector<std::string> loops = loop_names(user);
        const std::vector<std::int64_t> extents = loop_extents(user);
        const Program before = program_;
        const std::size_t steps = trace_.steps.size();
        double around = 1;
        for (std::size_t d = 0; d < outer; around *= static_cast<double>(extents[d++]))
            for (std::int64_t pieces = 2; pieces <= extents[d]; ++pieces) {
                const double count = around * static_cast<double>(pieces);
                if (extents[d] % pieces != 0 || count < want || all / count * byte_size(whole->dtype) > kept) continue;
                std::string at = user + "." + loops[d];
                if (pieces < extents[d]) {
                    if (!step("split", {at, std::vector<std::int64_t>{pieces, -1}})) continue;
                    at += "_o";
                }
                if (step("compute_at", {copy, at})) {
                    const Result<BlockPlace> place = find_block(program_, copy);
                    const Buffer piece = element_of(*place->block);
                    const double size = piece ? static_cast<double>(piece->static_size()) : all;
                    if (size * byte_size(whole->dtype) <= kept && size * count <= kRepeated * all) {
                        done_.insert(copy);
                        step("vectorize", {copy + "." + loop_names(copy).back()});
                        return d + 1;
                    }
                }
                program_ = before;
                trace_.steps.resize(steps);
            }
        return 0;
    }
    /// The block that copies into a buffer which this one alone reads; empty when there is none.
    std::string copy_for(const std::string& name) const {
        for (const Buffer& read : buffers_read(find(name)->fields.body)) {
            for (const Block* block : blocks_of(program_->body)) {
                const std::optional<ElementBlock> made = element(*block);
                if (block->fields.name == name || !made || made->buffer != read || made->reduces || is_param(read))
                    continue;
                const std::vector<const Block*> readers = readers_of(read, *block);
                if (readers.size() == 1 && readers.front()->fields.name == name && !done_.contains(block->fields.name))
                    return block->fields.name;
            }
        }
        return {};
    }

    void stream(const std::string& name, const ElementBlock& reduction, std::int64_t piece) {
        // Of the matrix, read side by side for one visit of the sums. Source: measured (4: 16 GB/s, 8: 20, 16: 19).
        constexpr std::int64_t kRows = 8;
        const std::string user = user_of(name, reduction, Unfold::Never);
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

    /// Whether a tile is larger than was asked for, since the user's loops do not say which part they need.
    bool repeats_work(const std::string& name, const TileShape& shape) const {
        std::int64_t size = 1;
        for (const TilePart* part : {&shape.outer_rows, &shape.rows, &shape.groups, &shape.lanes}) size *= part->size;
        const Store* store = as<Store>(find(name)->fields.body);
        return store && store->buffer->static_size() > size;
    }

    /// Puts the loop over pieces of rows before the loops that choose what is loaded along the lanes. `loops`: of the
    /// user before they were split.
    void rows_in_pieces(const ElementBlock& reduction, const TileShape& shape, const std::vector<std::string>& loops,
                        const std::string& user, std::vector<std::string>& outer) {
        const RowPieces pieces = row_pieces(reduction, shape, target_);
        if (pieces.dim < 0) return;
        const auto dim = static_cast<std::size_t>(pieces.dim);
        const auto loop_of = [&](std::size_t d) { return user + "." + loops[d] + (shape.part_of(d) ? "_o" : ""); };
        const std::string rows = loop_of(dim);
        auto first = outer.end();
        for (std::size_t d = 0; d < loops.size(); ++d)
            if (chooses_lanes(reduction, d)) first = std::min(first, std::ranges::find(outer, loop_of(d)));
        const auto at = std::ranges::find(outer, rows);
        if (at == outer.end() || first >= at || !step("split", {rows, std::vector<std::int64_t>{pieces.count, -1}}))
            return;
        *at = rows + "_i";
        outer.insert(first, rows + "_o");
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

    // ---------------------------------------------------------------------------------- cases

    /// A block whose value is chosen by where its element stands (a row of a small matrix times what was read): each
    /// case is written out, around a vector of what is alike, so that nothing is chosen when it runs. Blocks of cases
    /// it alone reads are computed beside it, a piece at a time; it is itself beside the block that uses it element by
    /// element, if there is one.
    bool write_out(const std::string& name) {
        const Block* block = find(name);
        const std::optional<ElementBlock> store = block ? element(*block) : std::nullopt;
        if (!store || store->reduces || !owns_nest(name)) return false;
        const std::vector<std::int64_t> cases = cases_of(*store);
        if (cases.empty()) return false;
        std::vector<std::string> beside = cases_beside(*block, *store);
        std::vector<std::int64_t> pieces = cases;
        for (const std::string& producer : beside) widen_cases(pieces, *store, *element(*find(producer)));
        std::string user = is_param(store->buffer) ? std::string() : epilogue_of(*block, *store);
        if (user.empty() || done_.contains(user))
            user = name;
        else
            beside.insert(beside.begin(), name);
        const std::vector<std::string> loops = loop_names(user);
        if (loops.size() != store->iters.size() || !owns_nest(user)) return false;
        std::vector<std::string> outer, inner;
        for (std::size_t d = 0; d + 1 < loops.size(); ++d) {
            const std::string loop = user + "." + loops[d];
            if (pieces[d] == 1) {
                outer.push_back(loop);
            } else if (pieces[d] == store->buffer->static_shape()[d]) {
                inner.push_back(loop);
            } else if (step("split", {loop, std::vector<std::int64_t>{-1, pieces[d]}})) {
                outer.push_back(loop + "_o");
                inner.push_back(loop + "_i");
            }
        }
        inner.push_back(user + "." + loops.back());
        std::vector<std::string> order = outer;
        order.insert(order.end(), inner.begin(), inner.end());
        if (!step("reorder", {order})) return false;
        done_.insert(user);
        for (const std::string& producer : beside) {
            if (outer.empty() || !step("compute_at", {producer, outer.back()})) continue;
            done_.insert(producer);
            const std::vector<std::string> own = loop_names(producer);
            for (std::size_t i = outer.size(); i < own.size(); ++i)
                step(i + 1 == own.size() ? "vectorize" : "unroll", {producer + "." + own[i]});
        }
        constexpr double kOperations = 8; // our choice: of one element, a row of a small matrix
        const double work = work_of(user) * kOperations;
        for (const std::string& loop : inner) step(loop == inner.back() ? "vectorize" : "unroll", {loop});
        spread_outer(user, outer.size(), work);
        return true;
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

    // ----------------------------------------------------------------------------------- rows

    /// A reduction along the last dimension of what it reads has no vectors of results: lanes are summed up apart, and
    /// added at the end. False when it is none, or lanes do not divide it.
    bool sum_in_lanes(const std::string& name) {
        const Block* block = find(name);
        const std::optional<ElementBlock> reduction = block ? element(*block) : std::nullopt;
        const Result<BlockPlace> place = find_block(program_, name);
        if (!reduction || !block->fields.init || !update_of(*block) || !owns_nest(name)) return false;
        const For& loop = *place->loops().back();
        const BlockIter* along = nullptr;
        for (const BlockIter& iter : block->fields.iters)
            if (iter.kind == IterKind::Reduce && iter.binding.get() == loop.var.get()) along = &iter;
        if (!along) return false;
        LoadCollector collector;
        collector.visit(reduction->value);
        for (const Load* load : collector.loads)
            if (load->buffer != reduction->buffer && !vector_access(load->indices, along->var)) return false;
        const std::int64_t extent = extent_of(loop.extent), width = target_.lanes(byte_size(reduction->buffer->dtype));
        // More sums at once where that leaves each of them some steps.
        constexpr std::int64_t kSteps = 8;
        std::int64_t lanes = 0;
        for (const std::int64_t registers : {1, 2, 4})
            if (extent % (width * registers) == 0 && extent >= width * registers * (registers > 1 ? kSteps : 2))
                lanes = width * registers;
        const std::string last = name + "." + loop.var->name;
        if (lanes < 2 || !step("split", {last, std::vector<std::int64_t>{-1, lanes}})) return false;
        return step("rfactor", {last + "_i"});
    }
    /// Blocks that go over the same rows (the maximum, the powers and the sum of a softmax) run row by row inside the
    /// loops of the one that reads them, while the row is in the first-level cache.
    bool in_rows(const std::string& name) {
        const Block* block = find(name);
        const std::optional<ElementBlock> store = block ? element(*block) : std::nullopt;
        const std::vector<std::string> loops = store ? loop_names(name) : std::vector<std::string>{};
        if (!store || store->iters.empty() || loops.size() < store->iters.size() || !owns_nest(name)) return false;
        // The last dimension is along the row, unless it has one element or is added up.
        const bool along = !store->reduces && store->buffer->static_shape().back() > 1;
        const std::size_t outer = store->iters.size() - (along ? 1 : 0);
        if (outer == 0 || (store->reduces ? spatial_prefix(*block) != outer : loops.size() != store->iters.size()))
            return false;
        const std::string row = name + "." + loops[outer - 1];
        double work = work_of(name);
        std::vector<std::string> moved;
        const std::vector<std::string> names = block_names();
        for (auto other = names.rbegin(); other != names.rend(); ++other)
            if (*other != name && !done_.contains(*other) && beside_row(*other, row)) {
                moved.push_back(*other);
                work += work_of(*other) * (1 + 8 * cost_of_block(*find(*other)).transcendental);
            }
        if (moved.empty()) return false;
        done_.insert(name);
        for (const std::string& part : moved) vectors_of_row(part, outer);
        vectors_of_row(name, outer);
        spread_outer(name, outer, work);
        return true;
    }
    /// Computes a block at a row's loop when that repeats nothing and its piece stays in the first-level cache.
    bool beside_row(const std::string& name, const std::string& row) {
        const Block* block = find(name);
        const std::optional<ElementBlock> made = block ? element(*block) : std::nullopt;
        if (!made || is_param(made->buffer) || !owns_nest(name)) return false;
        const std::int64_t all = made->buffer->static_size();
        const Program before = program_;
        if (!step("compute_at", {name, row})) return false;
        const Result<BlockPlace> place = find_block(program_, name);
        std::int64_t rows = 1;
        for (const For* loop : place->loops()) {
            rows *= extent_of(loop->extent);
            if (row.ends_with("." + loop->var->name)) break;
        }
        const Buffer piece = element_of(*place->block);
        const bool fits = piece && piece->static_size() * byte_size(piece->dtype) <= target_.l1_bytes / 2;
        if (fits && piece->static_size() * rows <= all) {
            done_.insert(name);
            return true;
        }
        program_ = before;
        trace_.steps.pop_back();
        return false;
    }
    static Buffer element_of(const Block& block) {
        const Store* store = as<Store>(block.fields.body);
        return store ? store->buffer : nullptr;
    }
    /// A block inside a row's loops, the first `outer`: its own loops are vectors, or few enough to be written out.
    void vectors_of_row(const std::string& name, std::size_t outer) {
        constexpr std::int64_t kFew = 32;
        const Block* block = find(name);
        std::vector<std::string> own = loop_names(name);
        if (own.size() <= outer) return;
        own.erase(own.begin(), own.begin() + static_cast<std::ptrdiff_t>(outer));
        const std::string first = name + "." + own.front(), last = name + "." + own.back();
        if (!reduces(*block)) return void(own.size() == 1 && step("vectorize", {last}));
        const std::int64_t extent = loop_extents(name).back();
        if (own.size() == 1) return void(extent <= kFew && step("unroll", {last}));
        // Lanes that are summed up apart: all of them, step by step.
        if (!name.ends_with("_rf") || own.size() != 2 || !step("reorder", {std::vector<std::string>{last, first}}))
            return;
        step("set_scope", {name, std::string("registers")});
        if (step("decompose_reduction", {name, last}))
            step("vectorize", {name + "_init." + loop_names(name + "_init").back()});
        step("vectorize", {first});
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
        const auto last_loop = [&] { return name + "." + loop_names(name).back(); };
        const std::int64_t width = target_.lanes(byte_size(store->buffer->dtype));
        LoadCollector collector;
        collector.visit(store->value);
        const bool side_by_side = std::ranges::all_of(
            collector.loads, [&](const Load* load) { return vector_access(load->indices, store->iters.back()); });
        if (!side_by_side) {
            const std::int64_t blocks = blocks_along_last(*store), all = loop_extents(name).back();
            if (blocks < width || all % blocks != 0) return unroll_last(name);
            if (!step("split", {last_loop(), std::vector<std::int64_t>{-1, blocks}})) return;
        }
        const std::int64_t extent = loop_extents(name).back();
        const std::int64_t lanes = choose_lanes(extent, width, width * 4);
        if (lanes < 2) return;
        const std::string last = last_loop();
        if (extent % lanes != 0 || lanes == extent) { // whole vectors and an end, rather than masks throughout
            step("vectorize", {last});
        } else if (step("split", {last, std::vector<std::int64_t>{-1, lanes}})) {
            step("vectorize", {last + "_i"});
        }
    }

    /// Where lanes would gather, a few copies of the body instead: the divisions of their indices that do not depend on
    /// the loop around them are then done outside of it.
    void unroll_last(const std::string& name) {
        constexpr std::int64_t kMostCopies = 40; // our choice: a block of channels
        const std::int64_t extent = loop_extents(name).back();
        if (extent > 1 && extent <= kMostCopies) step("unroll", {name + "." + loop_names(name).back()});
    }

    Program program_;
    std::vector<Program> programs_; ///< after each step of the trace, from none on
    const Target& target_;
    Trace trace_;
    std::set<std::string> done_;
};

} // namespace

Scheduled default_schedule(const Program& program, const Target& target) { return Scheduler(program, target).run(); }
Trace default_trace(const Program& program, const Target& target) { return default_schedule(program, target).trace; }

} // namespace orrery::schedule
