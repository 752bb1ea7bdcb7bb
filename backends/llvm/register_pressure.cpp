#include "backends/llvm/register_pressure.hpp"

#include "core/tensor/visitor.hpp"

#include <algorithm>
#include <unordered_set>

namespace orrery::codegen {

using namespace tensor;

namespace {

constexpr std::int64_t kMaxTwins = 4;

/// Whether stores below go to places that depend on the variable.
class StoresFollow : public Visitor {
  public:
    explicit StoresFollow(const VarRef& var) { dependent_.insert(var.get()); }
    bool found = false;

  protected:
    using Visitor::visit_node;
    void visit_node(const Var& var) override { mentioned_ = mentioned_ || dependent_.contains(&var); }
    void visit_node(const Block& block) override {
        for (const BlockIter& iter : block.fields.iters)
            if (mentions(iter.binding)) dependent_.insert(iter.var.get());
        if (block.fields.init) visit(block.fields.init);
        visit(block.fields.body);
    }
    void visit_node(const Let& let) override {
        if (mentions(let.value)) dependent_.insert(let.var.get());
        visit(let.body);
    }
    void visit_node(const Store& store) override {
        for (const Expr& index : store.indices) found = found || mentions(index);
    }

  private:
    bool mentions(const Expr& expr) {
        mentioned_ = false;
        visit(expr);
        return mentioned_;
    }
    bool mentioned_ = false;
    std::unordered_set<const Var*> dependent_;
};

/// Vectors that one pass through a statement accumulates into: the copies of the widest unrolled tile in it.
std::int64_t tile_vectors(const Stmt& stmt, int lanes) {
    if (const For* loop = as<For>(stmt)) {
        const IntImm* extent = as<IntImm>(loop->extent);
        const std::int64_t inner = tile_vectors(loop->body, lanes);
        if (!extent) return inner;
        if (loop->loop == LoopKind::Unrolled) return inner * extent->value;
        if (loop->loop == LoopKind::Vectorized)
            return inner * std::max<std::int64_t>(1, (extent->value + lanes - 1) / lanes);
        return inner;
    }
    if (const Block* block = as<Block>(stmt)) return tile_vectors(block->fields.body, lanes);
    if (const Let* let = as<Let>(stmt)) return tile_vectors(let->body, lanes);
    if (const Alloc* alloc = as<Alloc>(stmt)) return tile_vectors(alloc->body, lanes);
    std::int64_t most = 1;
    if (const Seq* seq = as<Seq>(stmt))
        for (const Stmt& inner : seq->stmts) most = std::max(most, tile_vectors(inner, lanes));
    return most;
}

class FindOverflow : public Visitor {
  public:
    FindOverflow(int lanes, int registers) : lanes_(lanes), registers_(registers) {}
    std::int64_t twins = 1;

  protected:
    using Visitor::visit_node;
    void visit_node(const For& loop) override {
        if (overflows_registers(loop, lanes_, registers_)) twins = std::max(twins, as<IntImm>(loop.extent)->value);
        visit(loop.body);
    }
    void visit_node(const Store&) override {}

  private:
    int lanes_, registers_;
};

} // namespace

bool overflows_registers(const For& loop, int lanes, int registers) {
    const IntImm* extent = as<IntImm>(loop.extent);
    if (loop.loop != LoopKind::Unrolled || !extent || extent->value < 2) return false;
    const std::int64_t accumulators = tile_vectors(loop.body, lanes);
    if (accumulators + accumulators / 2 <= registers) return false;
    StoresFollow stores(loop.var);
    stores.visit(loop.body);
    return !stores.found;
}

int address_twins(const Stmt& body, int lanes, int registers) {
    FindOverflow find(lanes, registers);
    find.visit(body);
    return static_cast<int>(std::min(find.twins, kMaxTwins));
}

} // namespace orrery::codegen
