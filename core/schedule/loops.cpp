// split, fuse, reorder.

#include "core/schedule/dependence.hpp"
#include "core/schedule/locate.hpp"
#include "core/schedule/padding.hpp"
#include "core/schedule/primitives.hpp"
#include "core/tensor/build.hpp"
#include "core/tensor/visitor.hpp"

#include <algorithm>
#include <optional>

namespace orrery::schedule {

using namespace tensor; // every name here is a node of tensor IR

namespace {

constexpr std::int64_t kMostIterations = std::int64_t{1} << 40; // our choice: index arithmetic stays far from overflow

/// Rewrites bindings and predicates of the blocks below: variables replaced, a condition added, both simplified.
class BlockRebinder final : public Rewriter {
  public:
    BlockRebinder(const VarMap& map, Expr condition, Bounds bounds)
        : map_(map), condition_(std::move(condition)), bounds_(std::move(bounds)) {}
    bool bare = false; ///< a load or store outside any block was seen

  protected:
    using Rewriter::rewrite_node;
    Stmt rewrite_node(const For& node) override {
        if (const auto extent = as_int(node.extent)) bounds_[node.var] = {0, *extent - 1};
        return Rewriter::rewrite_node(node);
    }
    Stmt rewrite_node(const Block& node) override {
        Block::Fields fields = node.fields;
        for (BlockIter& iter : fields.iters) iter.binding = simplify(substitute(iter.binding, map_), bounds_);
        if (fields.predicate) fields.predicate = simplify(substitute(fields.predicate, map_), bounds_);
        if (condition_) fields.predicate = fields.predicate ? fields.predicate && condition_ : condition_;
        return Block::make(std::move(fields), node.origin);
    }
    Stmt rewrite_node(const Store& node) override {
        bare = true;
        return Rewriter::rewrite_node(node);
    }
    Expr rewrite_node(const Load& node) override {
        bare = true;
        return Rewriter::rewrite_node(node);
    }
    Expr rewrite_node(const Var& node) override {
        const auto found = map_.find(handle(node));
        return found == map_.end() ? Expr(handle(node)) : found->second;
    }

  private:
    const VarMap& map_;
    Expr condition_;
    Bounds bounds_;
};

/// Names for the parts of a split loop.
std::string part_name(const std::string& name, std::size_t part, std::size_t parts) {
    if (parts == 2) return name + (part == 0 ? "_o" : "_i");
    return name + "_" + std::to_string(part);
}

/// Fills in the factor -1 and checks the rest.
Result<std::int64_t> complete(std::vector<std::int64_t>& factors, std::int64_t extent, const Refusal& refuse) {
    std::ptrdiff_t open = -1;
    std::int64_t product = 1;
    for (std::size_t i = 0; i < factors.size(); ++i) {
        if (factors[i] == -1 && open < 0) {
            open = static_cast<std::ptrdiff_t>(i);
            continue;
        }
        if (factors[i] < 1 || factors[i] > std::max<std::int64_t>(extent, 1))
            return refuse("factor " + std::to_string(factors[i]) + " is not between 1 and the extent " +
                              std::to_string(extent),
                          "choose factors from 1 to " + std::to_string(extent));
        product *= factors[i];
        if (product > kMostIterations)
            return refuse("the factors multiply to more than 2^40", "choose smaller factors, or -1 for one of them");
    }
    if (open >= 0) {
        factors[static_cast<std::size_t>(open)] = std::max<std::int64_t>(1, (extent + product - 1) / product);
        product *= factors[static_cast<std::size_t>(open)];
    }
    if (product < extent)
        return refuse("the factors cover " + std::to_string(product) + " of " + std::to_string(extent) + " iterations",
                      "leave one factor open with -1");
    return product;
}

Stmt same_loop(const For& loop, Stmt body) {
    return For::make(loop.var, loop.extent, loop.loop, std::move(body), loop.annotations);
}

} // namespace

Result<Rewritten> split(const Program& program, const std::string& name, std::vector<std::int64_t> factors, Tail tail) {
    ORRERY_TRY(const LoopPlace place, find_loop(program, name));
    const Refusal refuse{"split", program, "loop " + name};
    const For& loop = place.loop();
    if (factors.size() < 2)
        return refuse("it takes at least two factors", "give one more; -1 is what the others leave");
    const auto extent = as_int(loop.extent);
    if (!extent)
        return refuse("its extent is not a constant", "give the size a value, or choose a loop of constant extent");
    ORRERY_TRY(const std::int64_t product, complete(factors, *extent, refuse));
    if (product != *extent && tail == Tail::Padding) {
        ORRERY_TRY(const Program padded, pad_loop(program, place, product, refuse));
        return split(padded, name, factors, Tail::Predicate);
    }

    std::vector<VarRef> vars;
    Bounds bounds = place.block.bounds();
    Expr value = imm(0);
    for (std::size_t i = 0; i < factors.size(); ++i) {
        vars.push_back(Var::make(part_name(loop.var->name, i, factors.size())));
        bounds[vars.back()] = {0, factors[i] - 1};
        value = value * imm(factors[i]) + vars.back();
    }
    const Expr condition = product == *extent ? Expr() : lt(value, imm(*extent));
    const VarMap map{{loop.var, value}};
    BlockRebinder rebinder(map, condition, bounds);
    Stmt body = rebinder.rewrite(loop.body);
    if (rebinder.bare && condition)
        return refuse("a statement outside any block would need a guard", "split into factors that divide the extent");
    for (std::size_t i = factors.size(); i-- > 0;)
        body = For::make(vars[i], imm(factors[i]), LoopKind::Serial, body, i == 0 ? loop.annotations : Annotations());
    return Rewritten{replace_stmt(program, place.block.path[place.at], body), {{loop.var, vars, "split"}}};
}

Result<Rewritten> fuse(const Program& program, const std::vector<std::string>& names) {
    if (names.size() < 2)
        return Diagnostic{Code::BadArgument,
                          "fuse takes at least two loops",
                          {ProgramPlace{program->name, "fuse"}},
                          "name them as [block.loop, block.loop]"};
    ORRERY_TRY(const LoopPlace first, find_loop(program, names.front()));
    const Refusal refuse{"fuse", program, "loop " + names.front()};
    std::vector<const For*> loops{&first.loop()};
    for (std::size_t i = 1; i < names.size(); ++i) {
        ORRERY_TRY(const LoopPlace next, find_loop(program, names[i]));
        if (loops.back()->body.get() != &next.loop())
            return refuse("loop " + names[i] + " is not directly inside " + names[i - 1], "reorder the loops first");
        // The fused loop runs as the outer one did: that must have been found legal for the inner one, too.
        if (next.loop().loop != loops.front()->loop || next.loop().annotations != loops.front()->annotations)
            return refuse("loop " + names[i] + " runs in another way than " + names.front(),
                          "fuse before loops are made parallel, vectors, unrolled or annotated");
        loops.push_back(&next.loop());
    }
    std::int64_t extent = 1;
    std::string fused_name;
    for (const For* loop : loops) {
        const auto own = as_int(loop->extent);
        if (!own)
            return refuse("loop " + loop->var->name + " has no constant extent",
                          "give the size a value, or choose loops of constant extent");
        if (__builtin_mul_overflow(extent, *own, &extent) || extent > kMostIterations)
            return refuse("the loop would have more than 2^40 iterations", "fuse fewer loops");
        fused_name += (fused_name.empty() ? "" : "_") + loop->var->name;
    }
    const VarRef fused = Var::make(fused_name);
    Bounds bounds = first.block.bounds();
    bounds[fused] = {0, extent - 1};
    VarMap map;
    Expr rest = fused;
    for (std::size_t i = loops.size(); i-- > 0;) {
        const std::int64_t own = extent_of(loops[i]->extent);
        map[loops[i]->var] = i == 0 ? rest : floor_mod(rest, imm(own));
        rest = floor_div(rest, imm(own));
    }
    BlockRebinder rebinder(map, nullptr, bounds);
    const Stmt body = rebinder.rewrite(loops.back()->body);
    const Stmt made = For::make(fused, imm(extent), loops.front()->loop, body, loops.front()->annotations);
    Rewritten out{replace_stmt(program, first.block.path[first.at], made), {}};
    for (const For* loop : loops) out.forward.push_back({loop->var, {fused}, "fused into " + fused_name});
    return out;
}

Result<Rewritten> reorder(const Program& program, const std::vector<std::string>& names) {
    if (names.size() < 2)
        return Diagnostic{Code::BadArgument,
                          "reorder takes at least two loops",
                          {ProgramPlace{program->name, "reorder"}},
                          "name them as [block.loop, block.loop]"};
    std::vector<LoopPlace> wanted;
    for (const std::string& name : names) {
        ORRERY_TRY(LoopPlace place, find_loop(program, name));
        wanted.push_back(std::move(place));
    }
    const Refusal refuse{"reorder", program, "loop " + names.front()};
    const auto [low, high] = std::ranges::minmax(wanted, {}, &LoopPlace::at);
    const BlockPlace& block = wanted.front().block;
    std::vector<std::size_t> positions;
    for (const LoopPlace& place : wanted) {
        if (place.block.block != block.block)
            return refuse("the loops are named by different blocks", "name all loops by one block");
        if (std::ranges::find(positions, place.at) != positions.end())
            return refuse("a loop is named twice", "name each loop once");
        positions.push_back(place.at);
    }
    for (std::size_t at = low.at; at < high.at; ++at)
        if (!as<For>(block.path[at]) || static_cast<const For&>(*block.path[at]).body != block.path[at + 1])
            return refuse("something other than a loop stands between the loops",
                          "choose loops directly inside each other");

    std::vector<const For*> chain;
    for (std::size_t at = low.at; at <= high.at; ++at) chain.push_back(&static_cast<const For&>(*block.path[at]));
    std::vector<std::size_t> slots = positions;
    std::ranges::sort(slots);
    const std::vector<const For*> before = chain;
    for (std::size_t i = 0; i < slots.size(); ++i) chain[slots[i] - low.at] = &wanted[i].loop();
    for (const For* loop : before)
        for (const For* other : before)
            if (loop != other && (uses_var(loop->extent, other->var)))
                return refuse("the extent of loop " + loop->var->name + " depends on loop " + other->var->name,
                              "keep " + other->var->name + " around " + loop->var->name);
    if (const auto conflict = reversed_dependence({block, low.at}, before, chain))
        return refuse("it would reverse a dependence of block " + conflict->block + ": " + conflict->text,
                      "keep the loop that carries it outside");
    // A loop whose iterations run in any order, or at once, is proven so where it stands.
    for (const For* loop : before)
        if (loop->loop == LoopKind::Vectorized && chain.back() != loop)
            return refuse("loop " + loop->var->name + " is vectorized and stays innermost", "vectorize last");
    Stmt body = static_cast<const For&>(*block.path[high.at]).body;
    for (std::size_t i = chain.size(); i-- > 0;) body = same_loop(*chain[i], body);
    Rewritten out{replace_stmt(program, block.path[low.at], body), {}};
    // A loop whose iterations run at once was found legal where it stood: more is inside of it now.
    const std::string name = block.block->fields.name;
    for (const For* loop : before) {
        const bool at_once = loop->loop == LoopKind::Parallel || loop->annotations.contains("thread");
        if (!at_once) continue;
        const LoopPlace now = *find_loop(out.program, name + "." + loop->var->name);
        if (const auto conflict = carried_dependence(now))
            return refuse("loop " + loop->var->name +
                              " runs in parallel and would carry a dependence: " + conflict->text,
                          "reorder before making loops parallel");
    }
    return out;
}

} // namespace orrery::schedule
