#include "core/schedule/element_block.hpp"

#include "core/schedule/dependence.hpp"
#include "core/tensor/visitor.hpp"

#include <algorithm>

namespace orrery::schedule {

using namespace tensor; // every name here is a node of tensor IR

namespace {

class AllocDropper final : public Rewriter {
  public:
    explicit AllocDropper(const Buffer& buffer) : buffer_(buffer) {}

  protected:
    using Rewriter::rewrite_node;
    Stmt rewrite_node(const Alloc& node) override {
        if (node.buffer == buffer_) return rewrite(node.body);
        return Rewriter::rewrite_node(node);
    }

  private:
    const Buffer& buffer_;
};

class LoadReplacer final : public Rewriter {
  public:
    LoadReplacer(const Buffer& buffer, const Expr& value) : buffer_(buffer), value_(value) {}

  protected:
    using Rewriter::rewrite_node;
    Expr rewrite_node(const Load& node) override {
        return node.buffer == buffer_ ? value_ : Rewriter::rewrite_node(node);
    }

  private:
    const Buffer& buffer_;
    const Expr& value_;
};

class LoopSearch final : public Visitor {
  public:
    explicit LoopSearch(const VarRef& var) : var_(var) {}
    bool found = false;

  protected:
    using Visitor::visit_node;
    void visit_node(const For& node) override {
        found |= node.var == var_;
        if (!found) Visitor::visit_node(node);
    }

  private:
    const VarRef& var_;
};

} // namespace

std::optional<Update> update_of(const Block& block) {
    const Store* store = as<Store>(block.fields.body);
    const Binary* sum = store ? as<Binary>(store->value) : nullptr;
    if (!sum || !commutes(sum->op)) return std::nullopt;
    for (const auto& [self, value] : {std::pair(sum->a, sum->b), std::pair(sum->b, sum->a)}) {
        const Load* load = as<Load>(self);
        if (!load || load->buffer != store->buffer) continue;
        const auto same = [](const Expr& a, const Expr& b) { return structural_equal(a, b); };
        if (!std::ranges::equal(load->indices, store->indices, same)) continue;
        const std::vector<Buffer> read = buffers_read(Store::make(store->buffer, store->indices, value));
        if (std::ranges::find(read, store->buffer) == read.end()) return Update{sum->op, self, value};
    }
    return std::nullopt;
}

Stmt replace_loads(const Stmt& in, const Buffer& buffer, const Expr& value) {
    return LoadReplacer(buffer, value).rewrite(in);
}

bool uses_loop(const Stmt& stmt, const VarRef& loop) {
    LoopSearch search(loop);
    search.visit(stmt);
    return search.found;
}

Result<ElementBlock> element_block(const Block& block, const Refusal& refuse) {
    const Store* store = as<Store>(block.fields.body);
    if (!store)
        return refuse("it does more than store one element",
                      "choose a block whose body is one store; a block around others is moved before blockize, and an "
                      "extern call stays where it is");
    ElementBlock out{store->buffer, {}, store->value, block.fields.init != nullptr};
    std::size_t spatial = 0;
    for (const BlockIter& iter : block.fields.iters)
        if (iter.kind == IterKind::Spatial)
            ++spatial;
        else
            out.reduces = true;
    for (const Expr& index : store->indices) {
        const Var* var = as<Var>(index);
        for (const BlockIter& iter : block.fields.iters)
            if (var && iter.var.get() == var && iter.kind == IterKind::Spatial) out.iters.push_back(iter.var);
    }
    if (out.iters.size() != store->indices.size() || spatial != out.iters.size())
        return refuse("it does not store at its own iterators, one a dimension",
                      "choose a block that stores at its spatial iterators, each once");
    return out;
}

bool builds_on_before(const Block& block, const ElementBlock& element) {
    // A reduction with its initial value reads the element it stores, and no other.
    if (block.fields.init && update_of(block)) return false;
    const std::vector<Buffer> read = buffers_read(block.fields.body);
    return std::find(read.begin(), read.end(), element.buffer) != read.end();
}

std::string loop_name(const BlockIter& iter) {
    if (const Var* loop = as<Var>(iter.binding)) return loop->name;
    const std::string& name = iter.var->name;
    return name.size() > 1 && name.front() == 'v' ? name.substr(1) : name;
}

Stmt nest_of(const BlockPlace& place) {
    // Through prefetches that stand beside the block in its loops.
    std::size_t at = place.path.size() - 1;
    for (std::size_t i = at; i-- > 0 && blocks_of(place.path[i]).size() == 1;) {
        const NodeKind kind = place.path[i]->kind;
        if (kind != NodeKind::For && kind != NodeKind::Seq) break;
        if (kind == NodeKind::For) at = i;
    }
    return place.path[at];
}

Stmt remove_nest(const Stmt& in, const BlockPlace& place) { return replace_stmt(in, nest_of(place), nullptr); }

Stmt drop_buffer(const Stmt& in, const Buffer& buffer) { return AllocDropper(buffer).rewrite(in); }

Stmt rename_buffer(const Stmt& in, const Buffer& before, const Buffer& after) {
    return substitute_buffers(in, {{before, after}});
}

} // namespace orrery::schedule
