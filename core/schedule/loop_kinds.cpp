// parallel, vectorize, unroll: what a loop is turned into, and when that is legal.

#include "core/schedule/locate.hpp"
#include "core/schedule/primitives.hpp"
#include "core/tensor/build.hpp"
#include "core/tensor/visitor.hpp"

#include <algorithm>
#include <set>

namespace orrery::schedule {

using namespace tensor; // every name here is a node of tensor IR

namespace {

constexpr std::int64_t kMostLanes = 256, kMostUnrolled = 1024; // our choice: beyond, code grows without use

/// Buffers allocated below a statement.
class AllocCollector final : public Visitor {
  public:
    std::set<Buffer> buffers;

  protected:
    void visit_node(const Alloc& node) override {
        buffers.insert(node.buffer);
        Visitor::visit_node(node);
    }
};

class LoopFinder final : public Visitor {
  public:
    bool found = false;

  protected:
    void visit_node(const For&) override { found = true; }
};

/// Why iterations of the loop are not independent; empty when they are. A block's executions with distinct spatial
/// values are independent, so it is enough that each block below gives the loop to a spatial iterator, or that what
/// it writes lives inside one iteration.
std::string dependence(const For& loop) {
    AllocCollector local;
    local.visit(loop.body);
    for (const Block* block : blocks_of(loop.body)) {
        bool spatial = false;
        for (const BlockIter& iter : block->fields.iters) {
            if (!uses_var(iter.binding, loop.var)) continue;
            if (iter.kind == IterKind::Reduce) return "it carries the reduction of block " + block->fields.name;
            spatial = true;
        }
        const std::vector<Buffer> written = buffers_written(block->fields.body);
        const bool inside = std::ranges::all_of(written, [&](const Buffer& b) { return local.buffers.contains(b); });
        if (!spatial && !inside && extent_of(loop.extent) > 1)
            return "every iteration runs block " + block->fields.name + " over the same elements";
    }
    return {};
}

Result<Rewritten> set_kind(const Program& program, const LoopPlace& place, LoopKind kind) {
    const For& loop = place.loop();
    const Stmt made = For::make(loop.var, loop.extent, kind, loop.body, loop.annotations);
    return Rewritten{replace_stmt(program, place.block.path[place.at], made), {}};
}

} // namespace

Result<Rewritten> parallel(const Program& program, const std::string& name) {
    ORRERY_TRY(const LoopPlace place, find_loop(program, name));
    const Refusal refuse{"parallel", program, "loop " + name};
    if (!as_int(place.loop().extent)) return refuse("its extent is not a constant");
    if (const std::string why = dependence(place.loop()); !why.empty()) return refuse(why, "choose a spatial loop");
    return set_kind(program, place, LoopKind::Parallel);
}

Result<Rewritten> vectorize(const Program& program, const std::string& name) {
    ORRERY_TRY(const LoopPlace place, find_loop(program, name));
    const Refusal refuse{"vectorize", program, "loop " + name};
    const auto extent = as_int(place.loop().extent);
    if (!extent || *extent > kMostLanes)
        return refuse("its extent is not a constant of at most " + std::to_string(kMostLanes), "split it first");
    LoopFinder inner;
    inner.visit(place.loop().body);
    if (inner.found) return refuse("it is not the innermost loop", "reorder it inside");
    if (const std::string why = dependence(place.loop()); !why.empty()) return refuse(why, "choose a spatial loop");
    return set_kind(program, place, LoopKind::Vectorized);
}

Result<Rewritten> unroll(const Program& program, const std::string& name) {
    ORRERY_TRY(const LoopPlace place, find_loop(program, name));
    const auto extent = as_int(place.loop().extent);
    if (!extent || *extent > kMostUnrolled)
        return Refusal{"unroll", program, "loop " + name}(
            "its extent is not a constant of at most " + std::to_string(kMostUnrolled), "split it first");
    return set_kind(program, place, LoopKind::Unrolled);
}

} // namespace orrery::schedule
