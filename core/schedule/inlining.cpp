// compute_inline.

#include "core/schedule/element_block.hpp"
#include "core/schedule/locate.hpp"
#include "core/schedule/primitives.hpp"
#include "core/tensor/build.hpp"
#include "core/tensor/visitor.hpp"

#include <algorithm>

namespace orrery::schedule {

using namespace tensor; // every name here is a node of tensor IR

namespace {

/// Replaces loads of one buffer by an expression in terms of its indices, in every block but the producer.
class LoadInliner final : public Rewriter {
  public:
    LoadInliner(const Block& producer, const ElementBlock& element) : producer_(producer), element_(element) {}

  protected:
    using Rewriter::rewrite_node;
    Expr rewrite_node(const Load& node) override {
        const Expr load = Rewriter::rewrite_node(node);
        if (node.buffer != element_.buffer) return load;
        VarMap map;
        for (std::size_t d = 0; d < element_.iters.size(); ++d) map[element_.iters[d]] = as<Load>(load)->indices[d];
        return simplify(substitute(element_.value, map));
    }
    Stmt rewrite_node(const Block& node) override {
        if (&node == &producer_) return handle(node);
        Block::Fields fields = node.fields;
        const Stmt body = rewrite(node.fields.body);
        if (body == node.fields.body) return handle(node);
        fields.body = body;
        if (fields.init) fields.init = rewrite(fields.init);
        const Stmt block = rebuild_block(node, std::move(fields));
        return with_origin(block, unite(block->origin, producer_.origin));
    }

  private:
    const Block& producer_;
    const ElementBlock& element_;
};

} // namespace

Result<Rewritten> compute_inline(const Program& program, const std::string& name) {
    ORRERY_TRY(const BlockPlace place, find_block(program, name));
    const Refusal refuse{"compute_inline", program, "block " + name};
    ORRERY_TRY(const ElementBlock element, element_block(*place.block, refuse));
    if (element.reduces) return refuse("it is a reduction", "inline its consumers into each other instead");
    if (place.block->fields.predicate) return refuse("it has a predicate", "inline before splitting");
    if (std::ranges::find(program->params, element.buffer) != program->params.end())
        return refuse("its buffer " + element.buffer->name + " is a result of the program");
    const Stmt inlined = LoadInliner(*place.block, element).rewrite(program->body);
    Program out = with_body(program, inlined);
    ORRERY_TRY(const BlockPlace rest, find_block(out, name));
    out = with_body(out, drop_buffer(remove_nest(out->body, rest), element.buffer));
    Rewritten result{out, {}};
    for (const For* loop : place.loops()) result.forward.push_back({loop->var, {}, "block " + name + " was inlined"});
    return result;
}

} // namespace orrery::schedule
