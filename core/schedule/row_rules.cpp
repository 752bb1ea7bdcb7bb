#include "core/schedule/row_rules.hpp"

#include "core/schedule/accesses.hpp"
#include "core/schedule/element_block.hpp"
#include "core/schedule/locate.hpp"
#include "core/schedule/reuse.hpp"
#include "core/schedule/tile_shape.hpp"
#include "core/tensor/visitor.hpp"

namespace orrery::schedule {

using namespace tensor; // every name here is a node of tensor IR

namespace {

class Rowing : TraceWriter {
  public:
    using TraceWriter::TraceWriter;

    bool run(const std::string& name) {
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
    void vectors_of_row(const std::string& name, std::size_t outer) {
        constexpr std::int64_t kFew = 32, kFewSteps = 8;
        const Block* block = find(name);
        std::vector<std::string> own = loop_names(name);
        if (own.size() <= outer) return;
        own.erase(own.begin(), own.begin() + static_cast<std::ptrdiff_t>(outer));
        const std::string first = name + "." + own.front(), last = name + "." + own.back();
        if (!reduces(*block)) {
            if (own.size() == 1 && !step("vectorize", {last})) in_vectors(last, *block);
            return;
        }
        const std::int64_t extent = loop_extents(name).back();
        if (own.size() == 1) return void(extent <= kFew && step("unroll", {last}));
        // Lanes that are summed up apart: all of them, step by step.
        if (name.find("_rf") == std::string::npos || own.size() != 2 ||
            !step("reorder", {std::vector<std::string>{last, first}}))
            return;
        step("set_scope", {name, std::string("registers")});
        if (step("decompose_reduction", {name, last}))
            step("vectorize", {name + "_init." + loop_names(name + "_init").back()});
        if (extent <= kFewSteps) step("unroll", {last});
        step("vectorize", {first});
    }

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
        if (lanes == 0) // the last step takes what is left
            for (const std::int64_t registers : {1, 2, 4})
                if (extent >= width * registers * kSteps / (registers > 1 ? 1 : 2)) lanes = width * registers;
        const std::string last = name + "." + loop.var->name;
        if (lanes < 2 || !step("split", {last, std::vector<std::int64_t>{-1, lanes}})) return false;
        if (!step("rfactor", {last + "_i"})) return false;
        // Many lanes are added up a register, then four, at a time: one after another, each waits for the one before.
        constexpr std::int64_t kTogether = 4;
        std::string loop_left = last + "_i";
        while (lanes >= kTogether * kTogether) {
            const Mark before = mark();
            lanes = lanes > width ? width : kTogether;
            if (!step("split", {loop_left, std::vector<std::int64_t>{-1, lanes}}) ||
                !step("rfactor", {loop_left + "_i"})) {
                take_back(before);
                break;
            }
            loop_left += "_i";
        }
        return true;
    }

  private:
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
    /// A row too long to be written out goes in vectors.
    void in_vectors(const std::string& loop, const Block& block) {
        const std::int64_t width = target_.lanes(byte_size(element_of(block)->dtype));
        const std::int64_t lanes = choose_lanes(loop_extents(block.fields.name).back(), width, width * 4);
        if (lanes > 1 && step("split", {loop, std::vector<std::int64_t>{-1, lanes}})) step("vectorize", {loop + "_i"});
    }
};

} // namespace

bool sum_in_lanes(Draft& draft, const std::string& name) { return Rowing(draft).sum_in_lanes(name); }
bool go_by_rows(Draft& draft, const std::string& name) { return Rowing(draft).run(name); }
void vectors_of_row(Draft& draft, const std::string& name, std::size_t outer) {
    Rowing(draft).vectors_of_row(name, outer);
}

} // namespace orrery::schedule
