// The boxes a statement touches. Each index is written as a sum; variables of loops inside the statement are spread
// over their range, lets and nested block iterators are replaced by what they stand for, and the rest is kept as it
// is. Boxes of one buffer are then merged dimension by dimension.

#include "core/tensor/accesses.hpp"

#include "core/tensor/affine.hpp"
#include "core/tensor/analysis.hpp"
#include "core/tensor/build.hpp"
#include "core/tensor/compute.hpp"
#include "core/tensor/visitor.hpp"

#include <algorithm>
#include <unordered_map>
#include <unordered_set>

namespace orrery::tensor {

namespace {

/// Whether an expression depends on loads or on variables of a set.
class Depends final : public Visitor {
  public:
    explicit Depends(const std::unordered_map<const Var*, std::optional<std::int64_t>>& vars) : vars_(vars) {}
    bool found = false;

  protected:
    using Visitor::visit_node;
    void visit_node(const Var& node) override { found |= vars_.contains(&node); }
    void visit_node(const Load&) override { found = true; }

  private:
    const std::unordered_map<const Var*, std::optional<std::int64_t>>& vars_;
};

struct Span {
    Expr min, extent;
};

Span whole(const Buffer& buffer, std::size_t dimension) { return {imm(0), buffer->shape[dimension]}; }

Span merge(const Span& a, const Span& b, const Span& whole) {
    const auto offset = constant_difference(b.min, a.min);
    const auto length_a = as_int(a.extent), length_b = as_int(b.extent);
    if (!offset) return whole;
    if (!length_a || !length_b) return *offset == 0 && structural_equal(a.extent, b.extent) ? a : whole;
    const std::int64_t end = std::max(*length_a, *offset + *length_b);
    if (*offset < 0) return {b.min, imm(end - *offset)};
    return {a.min, end == *length_a ? a.extent : imm(end)};
}

class AccessFinder final : public Visitor {
  public:
    std::vector<AccessBox> found;

  protected:
    using Visitor::visit_node;

    void visit_node(const Load& node) override {
        record(false, node.buffer, node.indices);
        Visitor::visit_node(node);
    }
    void visit_node(const Store& node) override {
        record(true, node.buffer, node.indices);
        Visitor::visit_node(node);
    }
    void visit_node(const ExternCall& node) override {
        for (const ExternCall::Operand& operand : node.operands) {
            if (operand.reads()) record(false, operand.region);
            if (operand.writes()) record(true, operand.region);
        }
        Visitor::visit_node(node);
    }
    void visit_node(const Binary& node) override {
        visit(node.a);
        guarded(node.op == BinaryOp::And || node.op == BinaryOp::Or, [&] { visit(node.b); });
    }
    void visit_node(const Select& node) override {
        visit(node.condition);
        guarded(true, [&] {
            visit(node.then_value);
            visit(node.else_value);
        });
    }
    void visit_node(const If& node) override {
        visit(node.condition);
        guarded(true, [&] {
            visit(node.then_body);
            if (node.else_body != nullptr) visit(node.else_body);
        });
    }
    void visit_node(const For& node) override {
        const std::optional<std::int64_t> extent = as_int(node.extent);
        inner_[node.var.get()] = extent;
        visit(node.extent);
        guarded(!extent || *extent < 1, [&] { visit(node.body); });
    }
    void visit_node(const Let& node) override {
        stands_for_[node.var] = substitute(node.value, stands_for_);
        Visitor::visit_node(node);
    }
    void visit_node(const Alloc& node) override {
        local_.insert(node.buffer.get());
        Visitor::visit_node(node);
    }
    void visit_node(const Block& node) override {
        for (const BlockIter& iter : node.fields.iters) visit(iter.binding);
        VarMap bindings;
        for (const BlockIter& iter : node.fields.iters) bindings[iter.var] = substitute(iter.binding, stands_for_);
        stands_for_.merge(bindings);
        if (node.fields.predicate != nullptr) visit(node.fields.predicate);
        guarded(node.fields.predicate != nullptr, [&] {
            if (node.fields.init != nullptr) guarded(true, [&] { visit(node.fields.init); });
            visit(node.fields.body);
        });
    }

  private:
    template <class F> void guarded(bool guard, const F& inside) {
        guards_ += guard ? 1 : 0;
        inside();
        guards_ -= guard ? 1 : 0;
    }

    void record(bool is_write, const Buffer& buffer, const std::vector<Expr>& indices) {
        if (local_.contains(buffer.get())) return;
        AccessBox box{{buffer, {}, {}}, is_write, guards_ == 0};
        for (std::size_t d = 0; d < indices.size(); ++d) {
            std::optional<Span> span = span_of(indices[d]);
            box.certain &= span.has_value();
            if (!span) span = whole(buffer, d);
            box.region.min.push_back(std::move(span->min));
            box.region.extent.push_back(std::move(span->extent));
        }
        found.push_back(std::move(box));
    }

    /// A box: each range is spread over the loops inside, then over its own extent.
    void record(bool is_write, const Region& region) {
        if (local_.contains(region.buffer.get())) return;
        AccessBox box{{region.buffer, {}, {}}, is_write, guards_ == 0};
        for (std::size_t d = 0; d < region.min.size(); ++d) {
            std::optional<Span> span = span_of(region.min[d]);
            const Expr extent = substitute(region.extent[d], stands_for_);
            const auto known = as_int(extent);
            if (span && known)
                span->extent = imm(*as_int(span->extent) + *known - 1);
            else if (span && as_int(span->extent) == 1 && !depends(extent))
                span->extent = extent;
            else
                span.reset();
            box.certain &= span.has_value();
            if (!span) span = whole(region.buffer, d);
            box.region.min.push_back(std::move(span->min));
            box.region.extent.push_back(std::move(span->extent));
        }
        found.push_back(std::move(box));
    }

    /// Nothing when the index is not affine in the loops inside.
    std::optional<Span> span_of(const Expr& original) const {
        const Expr index = substitute(original, stands_for_);
        if (!depends(index)) return Span{index, imm(1)};
        Affine rest;
        std::int64_t below = 0, above = 0;
        const Affine sum = affine_of(index);
        rest.constant = sum.constant;
        for (const Affine::Term& term : sum.terms) {
            if (!depends(term.term)) {
                rest.terms.push_back(term);
                continue;
            }
            const auto loop = inner_.find(as<Var>(term.term));
            if (loop == inner_.end() || !loop->second) return std::nullopt;
            std::int64_t reach = 0;
            if (__builtin_mul_overflow(term.coefficient, std::max<std::int64_t>(*loop->second - 1, 0), &reach) ||
                __builtin_add_overflow(reach < 0 ? below : above, reach, reach < 0 ? &below : &above))
                return std::nullopt;
        }
        std::int64_t extent = 0;
        if (__builtin_sub_overflow(above, below, &extent) || __builtin_add_overflow(extent, 1, &extent) ||
            __builtin_add_overflow(rest.constant, below, &rest.constant))
            return std::nullopt;
        return Span{to_expr(rest), imm(extent)};
    }

    [[nodiscard]] bool depends(const Expr& expr) const {
        Depends search(inner_);
        search.visit(expr);
        return search.found;
    }

    std::unordered_map<const Var*, std::optional<std::int64_t>> inner_; ///< loops inside, with constant extents
    VarMap stands_for_;
    std::unordered_set<const BufferNode*> local_;
    int guards_ = 0;
};

/// Joins a box to the one of its buffer.
void merge_into(std::vector<Region>& regions, const Region& region) {
    const auto known =
        std::find_if(regions.begin(), regions.end(), [&](const Region& r) { return r.buffer == region.buffer; });
    if (known == regions.end()) return regions.push_back(region);
    for (std::size_t d = 0; d < region.min.size(); ++d) {
        Span span =
            merge({known->min[d], known->extent[d]}, {region.min[d], region.extent[d]}, whole(region.buffer, d));
        known->min[d] = std::move(span.min);
        known->extent[d] = std::move(span.extent);
    }
}

} // namespace

std::vector<AccessBox> each_access(const Stmt& stmt) {
    AccessFinder finder;
    finder.visit(stmt);
    return std::move(finder.found);
}

// Variables that are neither iterators nor bound inside stay in the boxes as they are, so nothing has to be known of
// the iterators here.
Accesses find_accesses(const Stmt& stmt, const std::vector<BlockIter>&) {
    Accesses accesses;
    for (const AccessBox& box : each_access(stmt))
        merge_into(box.is_write ? accesses.writes : accesses.reads, box.region);
    return accesses;
}

} // namespace orrery::tensor
