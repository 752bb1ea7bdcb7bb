// double_buffer, software_pipeline: work of one iteration beside that of the next.

#include "core/schedule/dependence.hpp"
#include "core/schedule/locate.hpp"
#include "core/schedule/motion.hpp"
#include "core/schedule/primitives.hpp"
#include "core/schedule/relocate.hpp"
#include "core/tensor/build.hpp"
#include "core/tensor/visitor.hpp"

#include <algorithm>
#include <optional>

namespace orrery::schedule {

using namespace tensor; // every name here is a node of tensor IR

namespace {

bool runs_at_once(const For& loop) {
    return loop.loop == LoopKind::Parallel || loop.loop == LoopKind::Vectorized || loop.annotations.contains("thread");
}

} // namespace

Result<Rewritten> double_buffer(const Program& program, const std::string& name) {
    ORRERY_TRY(const BlockPlace place, find_block(program, name));
    const Refusal refuse{"double_buffer", program, "block " + name};
    const std::vector<Buffer> written = buffers_written(place.block->fields.body);
    if (written.size() != 1)
        return refuse("it writes " + std::to_string(written.size()) + " buffers",
                      "choose a block that writes one buffer");
    const Buffer& before = written.front();
    if (bare_use(program, before))
        return refuse("a statement outside any block uses " + before->name, "put that statement into a block");
    std::ptrdiff_t loop_at = -1;
    bool found = false;
    for (std::size_t i = 0; i < place.path.size() && !found; ++i) {
        if (as<For>(place.path[i])) loop_at = static_cast<std::ptrdiff_t>(i);
        const Alloc* alloc = as<Alloc>(place.path[i]);
        found = alloc && alloc->buffer == before;
        if (as<Block>(place.path[i]) && !found && i + 1 < place.path.size())
            return refuse("a block is around it", "double_buffer before blockize");
    }
    if (!found || loop_at < 0)
        return refuse("its buffer " + before->name + " is not allocated inside a loop",
                      "compute_at or cache_read it inside a loop first");
    const Stmt& outer = place.path[static_cast<std::size_t>(loop_at)];
    const For& loop = static_cast<const For&>(*outer);
    if (runs_at_once(loop))
        return refuse("iterations of loop " + loop.var->name + " run at once and would share the two halves",
                      "choose a serial loop");
    if (before->scope == Scope::Registers)
        return refuse(before->name + " is in registers, which have no index", "set_scope it to stack");
    std::vector<std::int64_t> shape = before->static_shape();
    shape.insert(shape.begin(), 2);
    const Buffer after = make_buffer(before->name, before->dtype, shape, before->scope);
    const Stmt body = CopyUser(before, after, floor_mod(loop.var, imm(2)), 2).rewrite(loop.body);
    const Stmt made = Alloc::make(after, For::make(loop.var, loop.extent, loop.loop, body, loop.annotations));
    return Rewritten{replace_stmt(program, outer, made), {}};
}

// --------------------------------------------------------------------------- software_pipeline

namespace {

/// What names of copies of the blocks end in, with a number behind: no block of the program is called that.
std::string fresh_suffix(const Program& program, const Stmt& body, const std::string& word) {
    const std::vector<const Block*> all = blocks_of(program->body);
    for (int n = 0;; ++n) {
        const std::string suffix = n == 0 ? word : "_" + std::to_string(n) + word;
        const bool taken = std::ranges::any_of(blocks_of(body), [&](const Block* copied) {
            return std::ranges::any_of(
                all, [&](const Block* other) { return other->fields.name.starts_with(copied->fields.name + suffix); });
        });
        if (!taken) return suffix;
    }
}

/// A copy with variables, buffers and block names of its own.
class Cloner final : public Rewriter {
  public:
    explicit Cloner(std::string suffix) : suffix_(std::move(suffix)) {}

  protected:
    using Rewriter::rewrite_node;
    Expr rewrite_node(const Var& node) override {
        const auto found = vars_.find(handle(node));
        return found == vars_.end() ? Expr(handle(node)) : found->second;
    }
    Stmt rewrite_node(const For& node) override {
        const Expr extent = rewrite(node.extent);
        const VarRef var = Var::make(node.var->name);
        vars_[node.var] = var;
        return For::make(var, extent, node.loop, rewrite(node.body), node.annotations);
    }
    Stmt rewrite_node(const Let& node) override {
        const Expr value = rewrite(node.value);
        const VarRef var = Var::make(node.var->name, node.var->dtype);
        vars_[node.var] = var;
        return Let::make(var, value, rewrite(node.body));
    }
    Stmt rewrite_node(const Alloc& node) override {
        const Buffer copy =
            make_ref<const BufferNode>(node.buffer->name, node.buffer->dtype, node.buffer->shape, node.buffer->scope);
        buffers_[node.buffer] = copy;
        return Alloc::make(copy, rewrite(node.body));
    }
    Stmt rewrite_node(const Block& node) override {
        Block::Fields fields = node.fields;
        fields.name += suffix_;
        for (BlockIter& iter : fields.iters) iter.binding = rewrite(iter.binding);
        if (fields.predicate) fields.predicate = rewrite(fields.predicate);
        for (BlockIter& iter : fields.iters) {
            const VarRef var = Var::make(iter.var->name);
            vars_[iter.var] = var;
            iter.var = var;
        }
        if (fields.init) fields.init = rewrite(fields.init);
        fields.body = rewrite(fields.body);
        return rebuild_block(node, std::move(fields));
    }
    Buffer rewrite_buffer(const Buffer& buffer) override {
        const auto found = buffers_.find(buffer);
        return found == buffers_.end() ? buffer : found->second;
    }

  private:
    std::string suffix_;
    VarMap vars_;
    BufferMap buffers_;
};

/// A dependence that the stages would turn round; no value when there is none.
std::optional<std::string> broken_order(const LoopPlace& place, const std::vector<Stmt>& parts,
                                        const std::vector<std::int64_t>& stages) {
    const For& loop = place.loop();
    const Bounds outside = bounds_outside(place.block.path, place.at);
    // Touches of each part by itself, as if it alone were in the loop.
    std::vector<std::vector<Touch>> touches;
    std::vector<Stmt> alone;
    for (const Stmt& part : parts) {
        alone.push_back(For::make(loop.var, loop.extent, loop.loop, part, loop.annotations));
        touches.push_back(touches_of(alone.back()));
    }
    for (std::size_t j = 0; j < parts.size(); ++j)
        for (std::size_t k = 0; k < parts.size(); ++k)
            for (const Touch& first : touches[j])
                for (const Touch& second : touches[k]) {
                    if (j == k || first.buffer != second.buffer || (!first.is_write && !second.is_write)) continue;
                    TouchPair pair(first, second, outside);
                    pair.same_element();
                    // First ran before Second: in an earlier iteration, or in the same one as the earlier part.
                    pair.at_most(first.loops.front(), second.loops.front(), j < k ? 0 : -1);
                    // Now Second runs before it: iteration + stage is less, or the same for an earlier part.
                    pair.at_least(first.loops.front(), second.loops.front(), stages[k] - stages[j] + (k < j ? 0 : 1));
                    if (pair.solve().answer != IntegerSet::Answer::Empty)
                        return "part " + std::to_string(k + 1) + " would use elements of " + first.buffer->name +
                               " before part " + std::to_string(j + 1) + " of an earlier or the same iteration has";
                }
    return std::nullopt;
}

} // namespace

Result<Rewritten> software_pipeline(const Program& program, const std::string& loop_name,
                                    const std::vector<std::int64_t>& stages) {
    ORRERY_TRY(const LoopPlace place, find_loop(program, loop_name));
    const Refusal refuse{"software_pipeline", program, "loop " + loop_name};
    const For& loop = place.loop();
    const auto extent = as_int(loop.extent);
    if (!extent)
        return refuse("its extent is not a constant", "give the size a value, or choose a loop of constant extent");
    if (runs_at_once(loop) || loop.loop != LoopKind::Serial)
        return refuse("it is not a serial loop",
                      "choose a loop that is neither parallel, vectorized, unrolled nor bound");
    if (inside_block(place.block)) return refuse("a block is around it", "pipeline before blockize");
    if (as<Alloc>(loop.body))
        return refuse("buffer " + as<Alloc>(loop.body)->buffer->name + " exists in one iteration only",
                      "double_buffer it first");
    const Seq* seq = as<Seq>(loop.body);
    if (!seq || seq->stmts.size() < 2)
        return refuse("its body is one statement",
                      "compute_at, cache_read or reverse_compute_at something in it first");
    if (stages.size() != seq->stmts.size())
        return refuse("its body has " + std::to_string(seq->stmts.size()) + " parts, and " +
                          std::to_string(stages.size()) + " stages are given",
                      "give each part its stage, the first ones 0");
    constexpr std::int64_t kMostStages = 8; // our choice: each stage is written out twice
    const std::int64_t last = *std::ranges::max_element(stages);
    if (*std::ranges::min_element(stages) != 0 || last > kMostStages || last < 1)
        return refuse("stages go from 0 to at most " + std::to_string(kMostStages) + ", and are not all 0",
                      "give the first part 0 and a later one at most " + std::to_string(kMostStages));
    if (*extent <= last)
        return refuse("it has " + std::to_string(*extent) + " iterations, too few for " + std::to_string(last + 1) +
                          " stages",
                      "use fewer stages, or choose a longer loop");
    if (const auto why = broken_order(place, seq->stmts, stages))
        return refuse(*why, "give that part a later stage, or double_buffer the buffer between them");

    const std::string before = fresh_suffix(program, loop.body, "_in");
    const std::string after = fresh_suffix(program, loop.body, "_out");
    std::vector<Stmt> out, steady;
    const auto ramp = [&](std::int64_t time, const std::string& suffix) {
        for (std::size_t j = 0; j < stages.size(); ++j) {
            const std::int64_t iteration = time - stages[j];
            if (iteration < 0 || iteration >= *extent) continue;
            Cloner clone(suffix + std::to_string(time));
            out.push_back(clone.rewrite(substitute(seq->stmts[j], {{loop.var, imm(iteration)}})));
        }
    };
    for (std::int64_t time = 0; time < last; ++time) ramp(time, before);
    const VarRef var = Var::make(loop.var->name);
    for (std::size_t j = 0; j < stages.size(); ++j)
        steady.push_back(substitute(seq->stmts[j], {{loop.var, Expr(var) + (last - stages[j])}}));
    out.push_back(For::make(var, imm(*extent - last), loop.loop, Seq::make(std::move(steady)), loop.annotations));
    for (std::int64_t time = *extent; time < *extent + last; ++time) ramp(time, after);
    Rewritten result{replace_stmt(program, place.block.path[place.at], Seq::make(std::move(out))), {}};
    result.forward.push_back({loop.var, {var}, "pipelined"});
    return result;
}

} // namespace orrery::schedule
