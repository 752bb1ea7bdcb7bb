#include "core/schedule/motion.hpp"

#include "core/schedule/dependence.hpp"
#include "core/tensor/affine.hpp"
#include "core/tensor/build.hpp"
#include "core/tensor/visitor.hpp"

#include <algorithm>

namespace orrery::schedule {

using namespace tensor; // every name here is a node of tensor IR

namespace {

class BareUse final : public Visitor {
  public:
    explicit BareUse(const Buffer& buffer) : buffer_(buffer) {}
    bool found = false;

  protected:
    using Visitor::visit_node;
    void visit_node(const Load& node) override {
        found |= node.buffer == buffer_;
        Visitor::visit_node(node);
    }
    void visit_node(const Store& node) override {
        found |= node.buffer == buffer_;
        Visitor::visit_node(node);
    }
    void visit_node(const ExternCall& node) override {
        for (const ExternCall::Operand& operand : node.operands) found |= operand.region.buffer == buffer_;
        Visitor::visit_node(node);
    }
    void visit_node(const Block&) override {}

  private:
    const Buffer& buffer_;
};

bool mentions(const std::vector<Buffer>& buffers, const Buffer& buffer) {
    return std::ranges::find(buffers, buffer) != buffers.end();
}

template <class Find> std::vector<BlockPlace> users_of(const Program& program, const Buffer& buffer, Find find) {
    std::vector<BlockPlace> out;
    for (const Block* block : blocks_of(program->body)) {
        if (blocks_of(block->fields.body).size() > 0) continue; // the block inside is named
        const Stmt body = block->fields.init ? Seq::make({block->fields.init, block->fields.body}) : block->fields.body;
        if (mentions(find(body), buffer)) out.push_back(*find_block(program, block->fields.name));
    }
    return out;
}

/// A part of a loop's number: (loop // scale) % size.
struct Digit {
    const Var* var = nullptr;
    std::int64_t scale = 1, size = 1, coefficient = 1;
};

std::optional<Digit> digit_of(const Expr& term, const Bounds& loops) {
    if (const Var* var = as<Var>(term)) {
        const auto bound = loops.find(VarRef(var));
        if (bound == loops.end()) return std::nullopt;
        return Digit{var, 1, bound->second.max + 1};
    }
    const Binary* node = as<Binary>(term);
    const auto divisor = node ? as_int(node->b) : std::nullopt;
    if (!divisor || *divisor < 1) return std::nullopt;
    const std::optional<Digit> inner = digit_of(node->a, loops);
    if (!inner) return std::nullopt;
    if (node->op == BinaryOp::FloorDiv) {
        if (inner->size % *divisor != 0) return std::nullopt;
        return Digit{inner->var, inner->scale * *divisor, inner->size / *divisor};
    }
    if (node->op != BinaryOp::FloorMod) return std::nullopt;
    if (*divisor >= inner->size) return inner;
    if (inner->size % *divisor != 0) return std::nullopt;
    return Digit{inner->var, inner->scale, *divisor};
}

bool uses_any_of(const Expr& expr, const Bounds& loops) {
    return std::ranges::any_of(loops, [&](const auto& entry) { return uses_var(expr, entry.first); });
}

bool apart(const Digit& a, const Digit& b) {
    return a.var != b.var || a.scale * a.size <= b.scale || b.scale * b.size <= a.scale;
}

} // namespace

bool inside_block(const BlockPlace& place) {
    return std::ranges::any_of(place.path, [&](const Stmt& stmt) {
        const Block* block = as<Block>(stmt);
        return block && block != place.block;
    });
}

std::vector<BlockPlace> writers_of(const Program& program, const Buffer& buffer) {
    return users_of(program, buffer, buffers_written);
}
std::vector<BlockPlace> readers_of(const Program& program, const Buffer& buffer) {
    return users_of(program, buffer, buffers_read);
}

bool bare_use(const Program& program, const Buffer& buffer) {
    BareUse search(buffer);
    search.visit(program->body);
    return search.found;
}

std::size_t order_of(const Program& program, const Block* block) {
    const std::vector<const Block*> all = blocks_of(program->body);
    return static_cast<std::size_t>(std::ranges::find(all, block) - all.begin());
}

std::string changed_between(const Program& program, const BlockPlace& producer, const Buffer& result,
                            const std::vector<Stmt>& destination) {
    const Block& block = *producer.block;
    std::vector<Buffer> needed = buffers_read(block.fields.body);
    if (block.fields.init)
        for (const Buffer& buffer : buffers_read(block.fields.init)) needed.push_back(buffer);
    const std::size_t own = order_of(program, &block);
    for (const Buffer& buffer : needed) {
        if (buffer == result) continue;
        for (const Stmt& around : producer.path)
            if (const Alloc* alloc = as<Alloc>(around);
                alloc && alloc->buffer == buffer && std::ranges::find(destination, around) == destination.end())
                return buffer->name + ", which it reads, does not exist there";
        if (bare_use(program, buffer))
            for (const Buffer& written : buffers_written(program->body))
                if (written == buffer) return "a statement outside any block uses " + buffer->name + ", which it reads";
        for (const BlockPlace& writer : writers_of(program, buffer)) {
            const std::string name = writer.block->fields.name;
            if (writer.block == &block) return "it writes " + buffer->name + ", which it reads";
            if (order_of(program, writer.block) > own)
                return "block " + name + " writes " + buffer->name + ", which it reads, after it";
            for (std::size_t i = 0; i < producer.path.size(); ++i) {
                const For* loop = as<For>(producer.path[i]);
                if (!loop || std::ranges::find(writer.path, producer.path[i]) == writer.path.end()) continue;
                if (std::ranges::find(destination, producer.path[i]) == destination.end())
                    return "block " + name + " writes " + buffer->name +
                           ", which it reads, in every iteration of loop " + loop->var->name +
                           ", and the destination is outside of that loop";
                if (carried_dependence({producer, i}, result))
                    return "block " + name + " writes " + buffer->name +
                           ", which it reads, in every iteration of loop " + loop->var->name + ", and elements of " +
                           result->name + " are used in a later one";
            }
        }
    }
    return {};
}

std::optional<std::vector<std::int64_t>> box_of(const std::vector<Expr>& exprs, const Bounds& loops) {
    std::vector<Digit> all;
    std::vector<std::int64_t> extents;
    for (const Expr& expr : exprs) {
        std::vector<Digit> digits;
        for (const Affine::Term& term : affine_of(expr).terms) {
            if (!uses_any_of(term.term, loops)) continue;
            std::optional<Digit> digit = digit_of(term.term, loops);
            if (!digit) return std::nullopt;
            digit->coefficient = term.coefficient;
            if (digit->size == 1) continue;
            for (const Digit& other : all)
                if (!apart(*digit, other)) return std::nullopt;
            digits.push_back(*digit);
            all.push_back(*digit);
        }
        std::ranges::sort(digits, {}, &Digit::coefficient);
        std::int64_t reach = 0;
        for (const Digit& digit : digits) {
            if (digit.coefficient < 1 || digit.coefficient > reach + 1) return std::nullopt;
            reach += digit.coefficient * (digit.size - 1);
        }
        extents.push_back(reach + 1);
    }
    return extents;
}

std::vector<Expr> conjuncts(const Expr& condition) {
    if (condition == nullptr) return {};
    if (const Binary* node = as<Binary>(condition); node && node->op == BinaryOp::And) {
        std::vector<Expr> out = conjuncts(node->a);
        for (Expr& other : conjuncts(node->b)) out.push_back(std::move(other));
        return out;
    }
    return {condition};
}

} // namespace orrery::schedule
