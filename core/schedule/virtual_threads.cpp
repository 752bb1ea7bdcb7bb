#include "core/schedule/virtual_threads.hpp"

#include "core/schedule/locate.hpp"
#include "core/schedule/relocate.hpp"
#include "core/tensor/build.hpp"
#include "core/tensor/visitor.hpp"

#include <algorithm>

namespace orrery::schedule {

using namespace tensor; // every name here is a node of tensor IR

namespace {

bool is_virtual_thread(const For& loop) {
    const auto note = loop.annotations.find("thread");
    return note != loop.annotations.end() && note->second == "vthread" && as_int(loop.extent);
}

class ThreadFinder final : public StmtVisitor {
  public:
    bool found = false;

  protected:
    using StmtVisitor::visit_node;
    void visit_node(const For& node) override {
        found = found || is_virtual_thread(node);
        if (!found) StmtVisitor::visit_node(node);
    }
};

class Interleaver final : public Rewriter {
  public:
    std::unordered_map<const Node*, const Node*> from;

  protected:
    using Rewriter::rewrite_node;
    Stmt rewrite_node(const For& node) override {
        const Stmt made = Rewriter::rewrite_node(node); // threads inside first
        pair(handle(node), made);
        if (!is_virtual_thread(node)) return made;
        thread_ = as<For>(made);
        return spread(thread_->body);
    }

  private:
    /// The statement in every iteration of the thread's loop.
    Stmt spread(const Stmt& stmt) {
        if (const Seq* seq = as<Seq>(stmt)) {
            std::vector<Stmt> out;
            for (const Stmt& one : seq->stmts) out.push_back(spread(one));
            return kept(Seq::make(std::move(out)), stmt);
        }
        if (const For* loop = as<For>(stmt);
            loop && loop->loop != LoopKind::Vectorized && !uses_var(loop->extent, thread_->var))
            return kept(For::make(loop->var, loop->extent, loop->loop, spread(loop->body), loop->annotations), stmt);
        if (const If* branch = as<If>(stmt); branch && !uses_var(branch->condition, thread_->var))
            return kept(If::make(branch->condition, spread(branch->then_body),
                                 branch->else_body ? spread(branch->else_body) : nullptr),
                        stmt);
        if (const Alloc* alloc = as<Alloc>(stmt);
            alloc && std::ranges::none_of(alloc->buffer->shape,
                                          [&](const Expr& extent) { return uses_var(extent, thread_->var); }))
            return kept(of_each(*alloc), stmt);
        return repeated(stmt);
    }

    Stmt of_each(const Alloc& node) {
        std::vector<Expr> shape = node.buffer->shape;
        shape.insert(shape.begin(), thread_->extent);
        const Buffer all =
            make_ref<const BufferNode>(node.buffer->name, node.buffer->dtype, std::move(shape), node.buffer->scope);
        const Stmt body = CopyUser(node.buffer, all, thread_->var, *as_int(thread_->extent)).rewrite(node.body);
        pair(node.body, body);
        return Alloc::make(all, spread(body));
    }

    /// With a variable of its own: each is bound once.
    Stmt repeated(const Stmt& stmt) {
        const VarRef var = Var::make(thread_->var->name);
        const Stmt body = substitute(stmt, {{thread_->var, var}});
        pair(stmt, body);
        const Stmt loop = For::make(var, thread_->extent, LoopKind::Unrolled, body);
        from[loop.get()] = origin_of(thread_);
        return loop;
    }

    Stmt kept(const Stmt& made, const Stmt& old) {
        Stmt out = with_origin(made, unite(made->origin, old->origin));
        from.try_emplace(out.get(), origin_of(old.get()));
        held_.push_back(out);
        return out;
    }
    const Node* origin_of(const Node* node) const {
        const auto found = from.find(node);
        return found == from.end() ? node : found->second;
    }
    /// Statements of two trees of one form.
    void pair(const Stmt& before, const Stmt& after) {
        if (before == after || before->kind != after->kind) return;
        held_.push_back(after);
        from.try_emplace(after.get(), origin_of(before.get()));
        if (const For* loop = as<For>(before)) return pair(loop->body, as<For>(after)->body);
        if (const Let* let = as<Let>(before)) return pair(let->body, as<Let>(after)->body);
        if (const Alloc* alloc = as<Alloc>(before)) return pair(alloc->body, as<Alloc>(after)->body);
        if (const If* branch = as<If>(before)) {
            pair(branch->then_body, as<If>(after)->then_body);
            if (branch->else_body && as<If>(after)->else_body) pair(branch->else_body, as<If>(after)->else_body);
        } else if (const Block* block = as<Block>(before)) {
            pair(block->fields.body, as<Block>(after)->fields.body);
            if (block->fields.init && as<Block>(after)->fields.init)
                pair(block->fields.init, as<Block>(after)->fields.init);
        } else if (const Seq* seq = as<Seq>(before)) {
            const Seq& other = *as<Seq>(after);
            for (std::size_t i = 0; i < std::min(seq->stmts.size(), other.stmts.size()); ++i)
                pair(seq->stmts[i], other.stmts[i]);
        }
    }

    const For* thread_ = nullptr;
    std::vector<Stmt> held_; ///< alive while `from` is made: no address is used twice
};

} // namespace

Interleaved interleave_virtual_threads(const Program& program) {
    ThreadFinder finder;
    finder.visit(program->body);
    if (!finder.found) return {program, {}};
    Interleaver interleaver;
    Program out = interleaver.rewrite(program);
    return {std::move(out), std::move(interleaver.from)};
}

} // namespace orrery::schedule
