#include "core/tensor/analysis.hpp"
#include "core/tensor/build.hpp"
#include "core/tensor/visitor.hpp"

#include <algorithm>
#include <set>

namespace orrery::tensor {

namespace {

/// The box of a buffer's elements that accesses touch.
struct Box {
    std::vector<Interval> dimensions;
};

bool compares_floats(const Expr& condition) {
    const Binary* binary = as<Binary>(condition);
    if (!binary) return false;
    return is_float(binary->a->dtype) || compares_floats(binary->a) || compares_floats(binary->b);
}

class CostCounter final : public Visitor {
  public:
    explicit CostCounter(const Program& program) {
        for (std::size_t p = 0; p < program->params.size(); ++p)
            (p < program->input_count ? read_ : written_)[program->params[p].get()] = {};
        visit(program->body);
        for (const auto& [buffer, box] : read_) cost_.bytes_read += bytes(*buffer, box);
        for (const auto& [buffer, box] : written_) cost_.bytes_written += bytes(*buffer, box);
    }
    [[nodiscard]] const Cost& cost() const { return cost_; }

  protected:
    using Visitor::visit;

    void visit_node(const Binary& node) override {
        if (!counted_.insert(&node).second) return;
        if (is_float(node.dtype)) cost_.flops += times_;
        Visitor::visit_node(node);
    }
    void visit_node(const Call& node) override {
        if (!counted_.insert(&node).second) return;
        if (is_float(node.dtype)) cost_.flops += times_;
        Visitor::visit_node(node);
    }
    /// Only one arm runs: the dearer one counts. Choosing by a comparison of floats is one operation, as a maximum is.
    void visit_node(const Select& node) override {
        if (!counted_.insert(&node).second) return;
        if (is_float(node.dtype) && compares_floats(node.condition)) cost_.flops += times_;
        visit(node.condition);
        dearer([&] { visit(node.then_value); }, [&] { visit(node.else_value); });
    }
    void visit_node(const Load& node) override {
        touch(read_, node.buffer, node.indices);
        Visitor::visit_node(node);
    }
    void visit_node(const Store& node) override {
        counted_.clear();
        touch(written_, node.buffer, node.indices);
        Visitor::visit_node(node);
    }
    /// Which operations it does is not known.
    void visit_node(const ExternCall& node) override {
        counted_.clear();
        for (const ExternCall::Operand& operand : node.operands) {
            std::vector<Expr> last;
            for (std::size_t d = 0; d < operand.region.min.size(); ++d)
                last.push_back(operand.region.min[d] + operand.region.extent[d] - 1);
            for (const std::vector<Expr>* corner : {&operand.region.min, &std::as_const(last)}) {
                if (operand.reads()) touch(read_, operand.region.buffer, *corner);
                if (operand.writes()) touch(written_, operand.region.buffer, *corner);
            }
        }
    }
    void visit_node(const For& node) override {
        const std::optional<Interval> extent = interval_of(node.extent, bounds_);
        const double outer = times_;
        if (extent && extent->max < 1) return;
        if (extent) {
            times_ *= static_cast<double>(extent->max);
            bounds_[node.var] = {0, extent->max - 1};
        }
        visit(node.body);
        times_ = outer;
        bounds_.erase(node.var);
    }
    void visit_node(const If& node) override {
        counted_.clear();
        visit(node.condition);
        dearer([&] { visit(node.then_body); },
               [&] {
                   if (node.else_body) visit(node.else_body);
               });
    }
    void visit_node(const Let& node) override {
        counted_.clear();
        if (const std::optional<Interval> interval = interval_of(node.value, bounds_)) bounds_[node.var] = *interval;
        Visitor::visit_node(node);
    }
    void visit_node(const Alloc& node) override {
        if (node.buffer->scope == Scope::Global) {
            std::int64_t bytes = byte_size(node.buffer->dtype);
            for (const Expr& extent : node.buffer->shape)
                bytes *= interval_of(extent, bounds_).value_or(Interval{1, 1}).max;
            cost_.alloc_bytes += bytes;
        }
        visit(node.body);
    }

    /// Iterators take each value once, so a predicate leaves as many executions as the iterators have values; the
    /// init runs once for each of the spatial ones.
    void visit_node(const Block& node) override {
        const double outer = times_;
        double values = 1, reduced = 1;
        for (const BlockIter& iter : node.fields.iters) {
            const std::int64_t extent =
                std::max<std::int64_t>(1, interval_of(iter.extent, bounds_).value_or(Interval{1, 1}).max);
            (iter.kind == IterKind::Reduce ? reduced : values) *= static_cast<double>(extent);
            const std::optional<Interval> binding = interval_of(iter.binding, bounds_);
            bounds_[iter.var] = {binding ? std::max<std::int64_t>(0, binding->min) : 0,
                                 binding ? std::min(extent - 1, binding->max) : extent - 1};
        }
        if (node.fields.predicate) times_ = std::min(times_, values * reduced);
        if (node.fields.init) {
            const double executions = times_;
            times_ /= reduced;
            visit(node.fields.init);
            times_ = executions;
        }
        visit(node.fields.body);
        times_ = outer;
    }

  private:
    using Boxes = std::map<const BufferNode*, Box>;

    template <class A, class B> void dearer(A a, B b) {
        const double before = cost_.flops;
        a();
        const double after_a = cost_.flops;
        cost_.flops = before;
        b();
        cost_.flops = std::max(after_a, cost_.flops);
    }

    void touch(Boxes& boxes, const Buffer& buffer, const std::vector<Expr>& indices) {
        const auto found = boxes.find(buffer.get());
        if (found == boxes.end()) return;
        Box& box = found->second;
        const bool first = box.dimensions.empty();
        for (std::size_t d = 0; d < indices.size(); ++d) {
            const std::int64_t extent =
                std::max<std::int64_t>(1, interval_of(buffer->shape[d], bounds_).value_or(Interval{1, 1}).max);
            Interval interval = interval_of(indices[d], bounds_).value_or(Interval{0, extent - 1});
            interval = {std::clamp<std::int64_t>(interval.min, 0, extent - 1),
                        std::clamp<std::int64_t>(interval.max, 0, extent - 1)};
            if (first)
                box.dimensions.push_back(interval);
            else
                box.dimensions[d] = {std::min(box.dimensions[d].min, interval.min),
                                     std::max(box.dimensions[d].max, interval.max)};
        }
        touched_.insert(buffer.get());
    }

    [[nodiscard]] double bytes(const BufferNode& buffer, const Box& box) const {
        if (!touched_.contains(&buffer)) return 0;
        double count = byte_size(buffer.dtype);
        for (const Interval& interval : box.dimensions) count *= static_cast<double>(interval.max - interval.min + 1);
        return count;
    }

    Cost cost_;
    double times_ = 1;
    Bounds bounds_;
    Boxes read_, written_;
    std::set<const BufferNode*> touched_;
    std::set<const ExprNode*> counted_; ///< of one statement: a value used twice is computed once
};

} // namespace

Cost cost_of(const Program& program) { return CostCounter(program).cost(); }

} // namespace orrery::tensor
