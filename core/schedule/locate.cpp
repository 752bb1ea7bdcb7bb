#include "core/schedule/locate.hpp"

#include "core/tensor/build.hpp"
#include "core/tensor/compute.hpp"
#include "core/tensor/visitor.hpp"

#include <algorithm>

namespace orrery::schedule {

using namespace tensor; // every name here is a node of tensor IR

namespace {

class BlockFinder final : public Visitor {
  public:
    explicit BlockFinder(std::string_view name) : name_(name) {}
    BlockPlace found;
    std::string names;

  protected:
    template <class Node> void enter(const Node& node) {
        if (found.block) return;
        path_.push_back(handle(node));
        Visitor::visit_node(node);
        path_.pop_back();
    }
    void visit_node(const For& node) override { enter(node); }
    void visit_node(const If& node) override { enter(node); }
    void visit_node(const Let& node) override { enter(node); }
    void visit_node(const Alloc& node) override { enter(node); }
    void visit_node(const Seq& node) override { enter(node); }
    void visit_node(const Block& node) override {
        names += (names.empty() ? "" : ", ") + node.fields.name;
        if (found.block || node.fields.name != name_) return enter(node);
        found.path = path_;
        found.path.push_back(handle(node));
        found.block = &node;
    }

  private:
    std::string_view name_;
    std::vector<Stmt> path_;
};

class BlockCollector final : public Visitor {
  public:
    std::vector<const Block*> blocks;

  protected:
    void visit_node(const Block& node) override {
        blocks.push_back(&node);
        Visitor::visit_node(node);
    }
};

class Replacer final : public Rewriter {
  public:
    Replacer(const Stmt& before, const Stmt& after) : before_(before), after_(after) {}

  protected:
    template <class Node> Stmt enter(const Node& node) {
        if (&node == before_.get()) return after_ ? after_ : Seq::make({});
        return Rewriter::rewrite_node(node);
    }
    Stmt rewrite_node(const For& node) override { return enter(node); }
    Stmt rewrite_node(const If& node) override { return enter(node); }
    Stmt rewrite_node(const Let& node) override { return enter(node); }
    Stmt rewrite_node(const Alloc& node) override { return enter(node); }
    Stmt rewrite_node(const Seq& node) override { return enter(node); }
    Stmt rewrite_node(const Block& node) override { return enter(node); }
    Stmt rewrite_node(const Store& node) override { return handle(node); }
    using Rewriter::rewrite_node;

  private:
    const Stmt& before_;
    const Stmt& after_;
};

class BufferCollector final : public Visitor {
  public:
    std::vector<Buffer> read, written;

  protected:
    static void add(std::vector<Buffer>& list, const Buffer& buffer) {
        if (std::ranges::find(list, buffer) == list.end()) list.push_back(buffer);
    }
    void visit_node(const Load& node) override {
        add(read, node.buffer);
        Visitor::visit_node(node);
    }
    void visit_node(const Store& node) override {
        add(written, node.buffer);
        Visitor::visit_node(node);
    }

    void visit_node(const ExternCall& node) override {
        for (const ExternCall::Operand& operand : node.operands) {
            if (operand.reads()) add(read, operand.region.buffer);
            if (operand.writes()) add(written, operand.region.buffer);
        }
        Visitor::visit_node(node);
    }

  public:
    /// Declared regions are not accesses.
    void visit_node(const Block& node) override {
        if (node.fields.init) visit(node.fields.init);
        visit(node.fields.body);
    }
};

class GivenFinder final : public StmtVisitor {
  public:
    explicit GivenFinder(const Buffer& buffer) : buffer_(buffer) {}
    bool found = false;

  protected:
    using StmtVisitor::visit_node;
    void visit_node(const ExternCall& node) override {
        for (const ExternCall::Operand& operand : node.operands) found |= operand.region.buffer == buffer_;
    }

  private:
    const Buffer& buffer_;
};

class VarFinder final : public Visitor {
  public:
    explicit VarFinder(const VarRef& var) : var_(var) {}
    bool found = false;

  protected:
    void visit_node(const Var& node) override { found = found || &node == var_.get(); }

  private:
    const VarRef& var_;
};

} // namespace

bool given_to_extern(const Stmt& stmt, const Buffer& buffer) {
    GivenFinder finder(buffer);
    finder.visit(stmt);
    return finder.found;
}

std::vector<const For*> BlockPlace::loops() const {
    std::vector<const For*> out;
    for (const Stmt& stmt : path)
        if (const For* loop = as<For>(stmt)) out.push_back(loop);
    return out;
}

Bounds BlockPlace::bounds() const {
    Bounds bounds;
    for (const For* loop : loops())
        if (const auto extent = as_int(loop->extent)) bounds[loop->var] = {0, *extent - 1};
    return bounds;
}

Result<BlockPlace> find_block(const Program& program, const std::string& block) {
    BlockFinder finder(block);
    finder.visit(program->body);
    if (finder.found.block) return std::move(finder.found);
    return Diagnostic{Code::UnknownName,
                      program->name + " has no block named " + block,
                      {ProgramPlace{program->name, "block " + block}},
                      "its blocks are " + finder.names};
}

Result<LoopPlace> find_loop(const Program& program, const std::string& name) {
    // A block's name may have dots of its own: it is the longest beginning that names one.
    std::size_t dot = name.rfind('.');
    for (std::size_t at = dot; at != std::string::npos && at > 0; at = name.rfind('.', at - 1)) {
        dot = at;
        if (name.find('.') == at || has_block(program, name.substr(0, at))) break;
    }
    if (dot == std::string::npos)
        return Diagnostic{Code::BadArgument,
                          "a loop is named block.loop, not \"" + name + "\"",
                          {ProgramPlace{program->name, name}},
                          "write \"" + name + ".LOOP\""};
    ORRERY_TRY(BlockPlace place, find_block(program, name.substr(0, dot)));
    const std::string wanted = name.substr(dot + 1);
    std::string names;
    for (std::size_t i = place.path.size(); i-- > 0;) {
        const For* loop = as<For>(place.path[i]);
        if (!loop) continue;
        if (loop->var->name == wanted) return LoopPlace{std::move(place), i};
        names = loop->var->name + (names.empty() ? "" : ", ") + names;
    }
    return Diagnostic{Code::UnknownName,
                      "block " + name.substr(0, dot) + " has no loop named " + wanted,
                      {ProgramPlace{program->name, "loop " + name}},
                      "the loops around it are " + (names.empty() ? "none" : names)};
}

std::vector<const Block*> blocks_of(const Stmt& stmt) {
    BlockCollector collector;
    collector.visit(stmt);
    return collector.blocks;
}

bool has_block(const Program& program, const std::string& name) {
    const std::vector<const Block*> all = blocks_of(program->body);
    return std::ranges::any_of(all, [&](const Block* block) { return block->fields.name == name; });
}

std::string fresh_block(const Program& program, const std::string& name) {
    std::string base = name;
    std::ranges::replace(base, '.', '_'); // a model's names have dots, where block.loop has the only one
    std::string out = base;
    for (int suffix = 1; has_block(program, out); ++suffix) out = base + "_" + std::to_string(suffix);
    return out;
}

std::string scope_name(Scope scope) {
    switch (scope) {
    case Scope::Global: return "global";
    case Scope::Stack: return "stack";
    case Scope::Registers: return "registers";
    }
    fail_internal("a scope has a name");
}

Stmt replace_stmt(const Stmt& in, const Stmt& before, const Stmt& after) { return Replacer(before, after).rewrite(in); }

Program replace_stmt(const Program& program, const Stmt& before, const Stmt& after) {
    return with_body(program, replace_stmt(program->body, before, after));
}

Program replace_allocating(const Program& program, const std::vector<Stmt>& path, const Stmt& before, const Stmt& after,
                           const std::vector<Buffer>& buffers) {
    const auto end = std::ranges::find(path, before);
    ORRERY_ASSERT(end != path.end(), "the statement is on the path");
    auto scope = path.begin();
    for (auto stmt = path.begin(); stmt != end; ++stmt)
        if (!as<Alloc>(*stmt) && !as<Seq>(*stmt)) scope = stmt + 1;
    Stmt body = replace_stmt(*scope, before, after);
    for (const Buffer& buffer : buffers) body = Alloc::make(buffer, body);
    return replace_stmt(program, *scope, body);
}

Program with_body(const Program& program, Stmt body) {
    if (body == program->body) return program;
    return make_program(program->name, program->params, program->input_count, std::move(body), program->origin);
}

Stmt rebuild_block(const Block& block, Block::Fields fields) {
    Accesses accesses = find_accesses(fields.init ? Seq::make({fields.init, fields.body}) : fields.body, fields.iters);
    fields.reads = std::move(accesses.reads);
    fields.writes = std::move(accesses.writes);
    return Block::make(std::move(fields), block.origin);
}

std::int64_t extent_of(const Expr& extent) {
    const auto value = as_int(extent);
    ORRERY_ASSERT(value.has_value(), "extents are static");
    return *value;
}

bool uses_var(const Expr& expr, const VarRef& var) {
    VarFinder finder(var);
    finder.visit(expr);
    return finder.found;
}

std::vector<Buffer> buffers_read(const Stmt& stmt) {
    BufferCollector collector;
    collector.visit(stmt);
    return collector.read;
}

std::vector<Buffer> buffers_written(const Stmt& stmt) {
    BufferCollector collector;
    collector.visit(stmt);
    return collector.written;
}

Diagnostic Refusal::operator()(const std::string& reason, const std::string& remedy) const {
    return {Code::IllegalSchedule,
            std::string(primitive) + " is refused at " + place + ": " + reason,
            {ProgramPlace{program->name, place}},
            remedy};
}

} // namespace orrery::schedule
