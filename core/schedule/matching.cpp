#include "core/schedule/matching.hpp"

#include "core/schedule/accesses.hpp"
#include "core/tensor/affine.hpp"
#include "core/tensor/build.hpp"
#include "core/tensor/visitor.hpp"

#include <algorithm>

namespace orrery::schedule {

using namespace tensor; // every name here is a node of tensor IR

namespace {

std::optional<std::vector<LoopChange>> changes_for(const std::vector<Expr>& indices, const ElementBlock& user,
                                                   const Shape& made) {
    const Shape shape = user.buffer->static_shape();
    std::vector<LoopChange> changes;
    std::size_t d = 0, loop = 0;
    while (d < indices.size()) {
        if (loop == shape.size()) return std::nullopt;
        const Expr here = user.iters[loop];
        if (indices[d].get() == here.get()) {
            if (shape[loop] > made[d]) return std::nullopt;
            ++d;
            ++loop;
        } else if (loop + 1 < shape.size() &&
                   constant_difference(indices[d], here * shape[loop + 1] + Expr(user.iters[loop + 1])) == 0) {
            changes.push_back({loop, 0});
            ++d;
            loop += 2;
        } else if (d + 1 < indices.size() && structural_equal(indices[d], floor_div(here, imm(made[d + 1]))) &&
                   structural_equal(indices[d + 1], floor_mod(here, imm(made[d + 1])))) {
            changes.push_back({loop, made[d + 1]});
            d += 2;
            ++loop;
        } else {
            return std::nullopt;
        }
    }
    return loop == shape.size() ? std::optional(std::move(changes)) : std::nullopt;
}

/// Whether a sum has that term once.
bool is_one_of(const Affine& sum, const Expr& term) {
    return std::ranges::any_of(
        sum.terms, [&](const Affine::Term& t) { return t.coefficient == 1 && structural_equal(t.term, term); });
}

/// How a variable stands in an index: as var // extent and var % extent, and otherwise.
class BlockUses final : public Visitor {
  public:
    explicit BlockUses(const VarRef& var) : var_(var) {}
    std::int64_t extent = 0;
    bool outer = false, inner = false, otherwise = false;

  protected:
    void visit_node(const Binary& node) override {
        const std::optional<std::int64_t> block = node.a.get() == var_.get() ? as_int(node.b) : std::nullopt;
        if (!block || (node.op != BinaryOp::FloorDiv && node.op != BinaryOp::FloorMod))
            return Visitor::visit_node(node);
        otherwise = otherwise || (extent != 0 && extent != *block);
        extent = *block;
        (node.op == BinaryOp::FloorDiv ? outer : inner) = true;
    }
    void visit_node(const Var& node) override { otherwise = otherwise || &node == var_.get(); }

  private:
    const VarRef& var_;
};

} // namespace

std::int64_t blocks_along_last(const ElementBlock& user) {
    LoadCollector collector;
    collector.visit(user.value);
    std::int64_t extent = 0;
    for (const Load* load : collector.loads)
        for (std::size_t d = 0; d < load->indices.size(); ++d) {
            BlockUses uses(user.iters.back());
            uses.visit(load->indices[d]);
            if (uses.extent == 0 && !uses.otherwise) continue;
            const bool last = d + 1 == load->indices.size();
            if (uses.otherwise || (extent != 0 && extent != uses.extent) || (uses.inner && (uses.outer || !last)))
                return 0;
            // The place in the block moves by one.
            const Expr place = floor_mod(user.iters.back(), imm(uses.extent));
            if (uses.inner && !is_one_of(affine_of(load->indices[d]), place)) return 0;
            extent = uses.extent;
        }
    return extent;
}

std::optional<std::vector<LoopChange>> matching_loops(const ElementBlock& user, const ElementBlock& made) {
    LoadCollector collector;
    collector.visit(user.value);
    std::optional<std::vector<LoopChange>> found;
    for (const Load* load : collector.loads) {
        if (load->buffer != made.buffer) continue;
        std::optional<std::vector<LoopChange>> changes = changes_for(load->indices, user, made.buffer->static_shape());
        if (!changes || (found && *found != *changes)) return std::nullopt;
        found = std::move(changes);
    }
    return found;
}

} // namespace orrery::schedule
