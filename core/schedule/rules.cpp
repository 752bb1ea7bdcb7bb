// How a default trace is written:
// 1. Inline: blocks that compute an element from few others disappear into their readers when that repeats no
//    costly work.
// 2. Tile: a reduction (convolution, matrix product, pooling) whose last dimension can be vectors is computed in a
//    tile of registers, rows of one other dimension by groups of a second one by lanes of the last, inside the loops of
//    the block that uses it (bias, activation, sum) or of a copy to its result. The reduction runs around the tile, so
//    each element is summed in the order of the original. A matrix times a vector reads each element once: there the
//    sums of a long piece stay in the cache instead, and rows of the matrix are read from end to end (tile_rules.cpp).
//    A depthwise convolution may stand in the loops of the product that reads it (pair_rules.cpp), and so may a
//    convolution in those of the pooling of its image (pool_rules.cpp), and a product in those of the one that reads
//    its softmax (attention_rules.cpp).
// 3. Write out: where an element's place chooses among expressions (a row of a small matrix times a vector), one copy
//    of the body for each, in the loops of the pooling of such elements where windows allow it. The product between
//    two such blocks goes by pieces with them (case_rules.cpp).
// 4. Spread: what remains is vectorized along its last dimension where that is contiguous and run in parallel
//    over its outer ones. Blocks that go over the same rows go together (row_rules.cpp).
// 5. Around tiles: panels are fetched ahead (prefetch_rules.cpp), and a few steps of long sums written out
//    (step_rules.cpp).

#include "core/schedule/rules.hpp"

#include "core/schedule/accesses.hpp"
#include "core/schedule/attention_rules.hpp"
#include "core/schedule/case_rules.hpp"
#include "core/schedule/element_block.hpp"
#include "core/schedule/locate.hpp"
#include "core/schedule/matching.hpp"
#include "core/schedule/pair_rules.hpp"
#include "core/schedule/pool_rules.hpp"
#include "core/schedule/prefetch_rules.hpp"
#include "core/schedule/reuse.hpp"
#include "core/schedule/row_rules.hpp"
#include "core/schedule/step_rules.hpp"
#include "core/schedule/tile_rules.hpp"
#include "core/schedule/tile_shape.hpp"
#include "core/schedule/trace_writer.hpp"
#include "core/tensor/build.hpp"
#include "core/tensor/visitor.hpp"

#include <algorithm>
#include <cmath>
#include <set>

namespace orrery::schedule {

using namespace tensor; // every name here is a node of tensor IR

namespace {

class Scheduler : TraceWriter {
  public:
    using TraceWriter::TraceWriter;

    Scheduled run() {
        inline_blocks();
        for (const std::string& name : block_names()) {
            if (done_.contains(name)) continue;
            const Block* block = find(name);
            if (block && reduces(*block) && !tile_pair(draft_, name) && !tile_pooled(draft_, name) &&
                !tile_attention(draft_, name) && !tile_between_cases(draft_, name) && !pool_cases(draft_, name))
                tile_reduction(draft_, name);
        }
        // Readers first: what they alone read is computed beside them.
        const std::vector<std::string> names = block_names();
        for (auto name = names.rbegin(); name != names.rend(); ++name)
            if (!done_.contains(*name)) write_out_cases(draft_, *name);
        for (auto name = names.rbegin(); name != names.rend(); ++name)
            if (!done_.contains(*name)) go_by_rows(draft_, *name);
        for (const std::string& name : block_names())
            if (!done_.contains(name)) spread(name);
        fetch_ahead(draft_);
        write_out_steps(draft_);
        programs_.resize(trace_.steps.size() + 1);
        return {std::move(trace_), {std::move(programs_)}};
    }

  private:
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

    // ------------------------------------------------------------------------------ spreading

    void spread(const std::string& name) {
        const Block* block = find(name);
        if (!block || find_block(program_, name)->loops().empty()) return;
        const double work = work_of(name) * (1 + 8 * cost_of_block(*block).transcendental);
        const std::vector<std::string> loops = loop_names(name);
        std::size_t outer = loops.size();
        if (reduces(*block)) {
            outer = spatial_prefix(*block);
            lanes_apart(name, *block);
        } else if (turn(name, *block)) {
            outer = loops.size();
        } else {
            vectorize_last(name, *block);
            outer = loop_names(name).size() - 1;
        }
        if (const Block* now = find(name); now && owns_nest(name)) spread_outer(name, outer, work);
    }
    /// Lanes of a sum of everything that are summed up apart, inside all its loops: vectors.
    void lanes_apart(const std::string& name, const Block& block) {
        const std::optional<ElementBlock> store = element(block);
        const std::vector<std::string> loops = loop_names(name);
        const Result<BlockPlace> place = find_block(program_, name);
        if (!store || store->iters.size() != 1 || loops.size() < 2 || !block.fields.init || !owns_nest(name)) return;
        const VarRef& lane = place->loops().back()->var;
        const bool inside = std::ranges::all_of(block.fields.iters, [&](const BlockIter& iter) {
            return (iter.kind == IterKind::Spatial) == (iter.binding.get() == lane.get());
        });
        LoadCollector collector;
        collector.visit(store->value);
        if (!inside || !std::ranges::all_of(collector.loads, [&](const Load* load) {
                return vector_access(load->indices, store->iters.front());
            }))
            return;
        if (!step("decompose_reduction", {name, name + "." + loops.front()})) return;
        step("vectorize", {name + "_init." + loop_names(name + "_init").back()});
        step("vectorize", {name + "." + loops.back()});
        done_.insert(name + "_init");
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
        const bool side_by_side = std::ranges::all_of(collector.loads, [&](const Load* load) {
            return vector_access(load->indices, store->iters.back()) ||
                   across_blocks(load->indices, store->iters.back(), store->buffer->static_shape().back());
        });
        rows_before_blocks(name, *store);
        if (!side_by_side) {
            const std::int64_t blocks = blocks_along_last(*store), all = loop_extents(name).back();
            if (interleave_last(name, *store)) return;
            if (blocks < width || all % blocks != 0) return unroll_last(name, *store);
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

    /// Where a block of channels reads from its neighbours, what it reads is read again for those. Rows go around
    /// blocks when so much of the images of three would not stay in the second-level cache.
    void rows_before_blocks(const std::string& name, const ElementBlock& store) {
        constexpr std::int64_t kRead = 3;
        const std::vector<std::string> loops = loop_names(name);
        const std::vector<std::int64_t> shape = store.buffer->static_shape();
        const std::size_t last = shape.size() - 1;
        LoadCollector collector;
        collector.visit(store.value);
        for (const Load* load : collector.loads) {
            if (!across_blocks(load->indices, store.iters.back(), shape.back())) continue;
            std::size_t blocks = 0;
            while (blocks < last && std::ranges::none_of(load->indices, [&](const Expr& index) {
                       return uses_var(index, store.iters[blocks]) && uses_var(index, store.iters.back());
                   }))
                ++blocks;
            std::int64_t bytes = kRead * byte_size(store.buffer->dtype);
            for (std::size_t d = blocks + 1; d <= last; ++d) bytes *= shape[d];
            if (blocks + 2 >= last || bytes <= target_.l2_bytes / 2) return;
            std::vector<std::string> order;
            for (std::size_t d = blocks + 1; d + 1 < last; ++d) order.push_back(name + "." + loops[d]);
            order.push_back(name + "." + loops[blocks]);
            step("reorder", {order});
            return;
        }
    }

    /// A last dimension of a few elements that are read from far apart (rows of a matrix by pairs, the channels of a
    /// picture): each in vectors of the dimension before, along which memory is read. Of bytes a register is stored at
    /// once, each row's part under its mask. False where it is not so.
    bool interleave_last(const std::string& name, const ElementBlock& store) {
        constexpr int kMasked = 512; // bits of registers whose bytes are stored under masks
        constexpr std::int64_t kMostRows = 4;
        const std::vector<std::string> loops = loop_names(name);
        const std::vector<std::int64_t> extents = loop_extents(name);
        if (loops.size() < 2 || extents.back() < 2 || extents.back() > kMostRows) return false;
        const std::size_t row = loops.size() - 2;
        LoadCollector collector;
        collector.visit(store.value);
        const auto along_row = [&](const Load* load) { return vector_access(load->indices, store.iters[row]); };
        if (collector.loads.empty() || !std::ranges::all_of(collector.loads, along_row)) return false;
        const bool bytes = byte_size(store.buffer->dtype) == 1;
        const std::int64_t width = target_.lanes(byte_size(store.buffer->dtype));
        const std::int64_t lanes =
            bytes ? width / static_cast<std::int64_t>(std::bit_ceil(static_cast<std::uint64_t>(extents.back())))
                  : choose_lanes(extents[row], width, width);
        if (extents[row] % lanes != 0 || (bytes ? target_.vector_bits < kMasked : lanes < width / 2)) return false;
        std::string along = name + "." + loops[row];
        const std::string across = name + "." + loops.back();
        if (lanes < extents[row]) {
            if (!step("split", {along, std::vector<std::int64_t>{-1, lanes}})) return false;
            along += "_i";
        }
        step("reorder", {std::vector{across, along}});
        step("unroll", {across});
        return step("vectorize", {along});
    }

    /// Where lanes would gather, a few copies of the body instead: the divisions of their indices that do not depend on
    /// the loop around them are then done outside of it. Those that also depend on the block of channels are constants
    /// once all blocks are written out as well, where they are few.
    void unroll_last(const std::string& name, const ElementBlock& store) {
        constexpr std::int64_t kMostCopies = 40, kMostInBlocks = 160; // our choice: a block of channels; all of them
        const std::vector<std::string> loops = loop_names(name);
        const std::vector<std::int64_t> extents = loop_extents(name);
        if (extents.back() <= 1 || extents.back() > kMostCopies) return;
        std::vector<std::string> order, inner;
        for (std::size_t d = 0; d < loops.size(); ++d) {
            const bool blocks = d + 1 < loops.size() && inner.empty() && extents[d] > 1 &&
                                extents[d] * extents.back() <= kMostInBlocks &&
                                divided_together(store.value, store.iters[d], store.iters.back());
            (blocks || d + 1 == loops.size() ? inner : order).push_back(name + "." + loops[d]);
        }
        order.insert(order.end(), inner.begin(), inner.end());
        if (inner.size() > 1 && !step("reorder", {order})) inner.erase(inner.begin());
        for (const std::string& loop : inner) step("unroll", {loop});
    }
};

} // namespace

Scheduled default_schedule(const Program& program, const Target& target) {
    Draft draft(program, target);
    return Scheduler(draft).run();
}
Trace default_trace(const Program& program, const Target& target) { return default_schedule(program, target).trace; }

} // namespace orrery::schedule
