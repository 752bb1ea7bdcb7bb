// compute_inline, reverse_compute_inline.

#include "core/schedule/dependence.hpp"
#include "core/schedule/element_block.hpp"
#include "core/schedule/locate.hpp"
#include "core/schedule/motion.hpp"
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
        fields.body = rewrite(node.fields.body);
        if (fields.init) fields.init = rewrite(fields.init);
        if (fields.body == node.fields.body && fields.init == node.fields.init) return handle(node);
        const Stmt block = rebuild_block(node, std::move(fields));
        return with_origin(block, unite(block->origin, producer_.origin));
    }

  private:
    const Block& producer_;
    const ElementBlock& element_;
};

bool is_param(const Program& program, const Buffer& buffer) {
    return std::ranges::find(program->params, buffer) != program->params.end();
}

std::optional<Diagnostic> refuse_inline(const Program& program, const BlockPlace& place, const ElementBlock& element) {
    const Refusal refuse{"compute_inline", program, "block " + place.block->fields.name};
    const Buffer& buffer = element.buffer;
    if (element.reduces) return refuse("it is a reduction", "inline its consumers into each other instead");
    if (place.block->fields.predicate) return refuse("it has a predicate", "inline before splitting");
    if (inside_block(place)) return refuse("a block is around it", "inline before blockize");
    if (is_param(program, buffer))
        return refuse("its buffer " + buffer->name + " is a result of the program",
                      "cache_write it first, and inline the copy's source");
    if (builds_on_before(*place.block, element))
        return refuse("it builds on what " + buffer->name + " holds before",
                      "choose a block that writes without reading its own buffer");
    if (bare_use(program, buffer))
        return refuse("a statement outside any block uses " + buffer->name, "put that statement into a block");
    if (given_to_extern(program->body, buffer))
        return refuse("an extern call is given " + buffer->name, "compute_at moves it to the call");
    for (const BlockPlace& writer : writers_of(program, buffer))
        if (writer.block != place.block)
            return refuse("block " + writer.block->fields.name + " writes " + buffer->name + ", too",
                          "inline before decomposing its reduction or padding");
    for (const BlockPlace& reader : readers_of(program, buffer)) {
        if (order_of(program, reader.block) < order_of(program, place.block))
            return refuse("block " + reader.block->fields.name + " reads " + buffer->name + " before it is computed",
                          "choose a block that runs before all its readers");
        if (const std::string why = changed_between(program, place, buffer, reader.path); !why.empty())
            return refuse(why, "choose a block whose inputs stay as they are until its readers have run");
    }
    return std::nullopt;
}

} // namespace

Result<Rewritten> compute_inline(const Program& program, const std::string& name) {
    ORRERY_TRY(const BlockPlace place, find_block(program, name));
    const Refusal refuse{"compute_inline", program, "block " + name};
    ORRERY_TRY(const ElementBlock element, element_block(*place.block, refuse));
    if (auto refused = refuse_inline(program, place, element)) return *std::move(refused);
    const Stmt inlined = LoadInliner(*place.block, element).rewrite(program->body);
    Program out = with_body(program, inlined);
    ORRERY_TRY(const BlockPlace rest, find_block(out, name));
    out = with_body(out, drop_buffer(remove_nest(out->body, rest), element.buffer));
    Rewritten result{out, {}};
    for (const For* loop : place.loops()) result.forward.push_back({loop->var, {}, "block " + name + " was inlined"});
    return result;
}

// ---------------------------------------------------------------------- reverse_compute_inline

namespace {

/// The statements around a block's nest.
std::vector<Stmt> around_nest(const BlockPlace& place) {
    const Stmt nest = nest_of(place);
    return {place.path.begin(), std::ranges::find(place.path, nest)};
}

/// The producer a consumer can be put into; a refusal when there is none.
Result<BlockPlace> only_producer(const Program& program, const BlockPlace& place, const ElementBlock& element,
                                 const Refusal& refuse) {
    std::optional<BlockPlace> found;
    for (const Buffer& buffer : buffers_read(place.block->fields.body)) {
        if (buffer == element.buffer)
            return refuse("it builds on what " + buffer->name + " holds before",
                          "choose a block that writes without reading its own buffer");
        for (BlockPlace& writer : writers_of(program, buffer)) {
            if (is_param(program, buffer))
                return refuse("it reads " + buffer->name + ", a result of the program",
                              "cache_write the block that computes it first");
            if (found) return refuse("it reads what several blocks compute", "inline the others into it first");
            found = std::move(writer);
        }
    }
    if (!found) return refuse("it reads nothing a block computes", "choose a block that reads another block's result");
    return *std::move(found);
}

std::optional<Diagnostic> refuse_reverse_inline(const Program& program, const BlockPlace& place,
                                                const ElementBlock& element, const BlockPlace& producer,
                                                const ElementBlock& made) {
    const Refusal refuse{"reverse_compute_inline", program, "block " + place.block->fields.name};
    const std::string by = "block " + producer.block->fields.name + ", which computes " + made.buffer->name + ", ";
    if (place.block->fields.predicate != nullptr || producer.block->fields.predicate != nullptr)
        return refuse("it or " + by + "has a predicate", "inline before splitting");
    if (inside_block(place) || inside_block(producer)) return refuse("a block is around it", "inline before blockize");
    if (made.reduces)
        return refuse(by + "is a reduction: its sum is not complete before the last step",
                      "move it into the reduction's loops with reverse_compute_at");
    if (builds_on_before(*producer.block, made))
        return refuse(by + "builds on what is there before",
                      "choose a producer that writes without reading its own buffer");
    if (around_nest(place) != around_nest(producer))
        return refuse("it does not stand beside " + by + "in the program",
                      "inline before compute_at moves either of them");
    if (readers_of(program, made.buffer).size() != 1 || bare_use(program, made.buffer) ||
        bare_use(program, element.buffer))
        return refuse(made.buffer->name + " is read elsewhere, too",
                      "inline the producer into all its readers with compute_inline");
    const std::size_t from = order_of(program, producer.block), to = order_of(program, place.block);
    if (from > to) return refuse(by + "runs after it", "choose a block whose producer runs before it");
    for (const auto& users : {writers_of(program, element.buffer), readers_of(program, element.buffer)})
        for (const BlockPlace& user : users)
            if (user.block != place.block && order_of(program, user.block) < to)
                return refuse("block " + user.block->fields.name + " uses " + element.buffer->name + " before it",
                              "choose a block that is the first to use its buffer");
    if (writers_of(program, element.buffer).size() != 1)
        return refuse(element.buffer->name + " is written elsewhere, too",
                      "inline before decomposing its reduction or padding");
    return std::nullopt;
}

} // namespace

Result<Rewritten> reverse_compute_inline(const Program& program, const std::string& name) {
    ORRERY_TRY(const BlockPlace place, find_block(program, name));
    const Refusal refuse{"reverse_compute_inline", program, "block " + name};
    ORRERY_TRY(const ElementBlock element, element_block(*place.block, refuse));
    if (element.reduces) return refuse("it is a reduction", "inline what it reads into it with compute_inline");
    ORRERY_TRY(const BlockPlace producer, only_producer(program, place, element, refuse));
    ORRERY_TRY(const ElementBlock made, element_block(*producer.block, refuse));
    if (auto refused = refuse_reverse_inline(program, place, element, producer, made)) return *std::move(refused);

    // The consumer's iterators in terms of the producer's: it must read each element once, at its own place.
    VarMap map;
    for (const Touch& touch : touches_of(place.block->fields.body)) {
        if (touch.buffer != made.buffer) continue;
        VarMap here;
        for (std::size_t d = 0; d < touch.indices.size(); ++d) {
            const auto iter = std::ranges::find_if(
                place.block->fields.iters, [&](const BlockIter& i) { return i.var.get() == touch.indices[d].get(); });
            const auto own = std::ranges::find(producer.block->fields.iters, made.iters[d], &BlockIter::var);
            if (iter == place.block->fields.iters.end() || extent_of(iter->extent) != extent_of(own->extent))
                return refuse("it reads " + made.buffer->name + " at other places than its own iterators",
                              "inline the producer into it with compute_inline instead");
            here[iter->var] = made.iters[d];
        }
        if (here.size() != place.block->fields.iters.size() || here.size() != made.iters.size() ||
            (!map.empty() && here != map))
            return refuse("its elements and those of " + made.buffer->name + " do not correspond one to one",
                          "inline the producer into it with compute_inline instead");
        map = std::move(here);
    }
    Block::Fields fields = producer.block->fields;
    const Stmt store = substitute(place.block->fields.body, map);
    fields.body = replace_loads(store, made.buffer, made.value);
    const Stmt block = rebuild_block(*producer.block, std::move(fields));
    Stmt out = replace_stmt(program->body, producer.path.back(),
                            with_origin(block, unite(block->origin, place.block->origin)));
    out = replace_stmt(out, nest_of(place), nullptr);
    Rewritten result{with_body(program, drop_buffer(out, made.buffer)), {}};
    for (const For* loop : place.loops())
        result.forward.push_back({loop->var, {}, "block " + name + " became part of " + producer.block->fields.name});
    return result;
}

} // namespace orrery::schedule
