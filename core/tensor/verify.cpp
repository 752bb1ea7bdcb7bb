// Outline: Coverage (are the boxes a block touches among those it declares), Verifier (one walk that keeps what is
// in scope). The first thing found wrong is reported.

#include "core/tensor/accesses.hpp"
#include "core/tensor/affine.hpp"
#include "core/tensor/analysis.hpp"
#include "core/tensor/build.hpp"
#include "core/tensor/visitor.hpp"

#include <random>
#include <unordered_map>
#include <unordered_set>

namespace orrery::tensor {

namespace {

// ------------------------------------------------------------------------------------- coverage

/// Points of the iterators' domain at which boxes are compared when sums do not decide: corners, then a few drawn
/// ones. Source: our choice; linear boxes differ at a corner if anywhere.
constexpr int kDrawnPoints = 8;

bool proven_within(const Region& inner, const Region& outer) {
    if (inner.buffer != outer.buffer) return false;
    for (std::size_t d = 0; d < inner.min.size(); ++d) {
        const Expr inner_end = inner.min[d] + inner.extent[d], outer_end = outer.min[d] + outer.extent[d];
        const auto below = constant_difference(inner.min[d], outer.min[d]);
        const auto above = constant_difference(outer_end, inner_end);
        if (!below || !above || *below < 0 || *above < 0) return false;
    }
    return true;
}

/// The value of an index expression whose variables are replaced by constants, when it has one.
class Evaluator final : public Rewriter {
  public:
    explicit Evaluator(const VarMap& point) : point_(point) {}
    std::optional<std::int64_t> value(const Expr& expr) { return as_int(rewrite(expr)); }

  protected:
    using Rewriter::rewrite_node;
    Expr rewrite_node(const Var& node) override {
        const auto found = point_.find(handle(node));
        return found == point_.end() ? Expr(handle(node)) : found->second;
    }
    Expr rewrite_node(const Binary& node) override { return binary(node.op, rewrite(node.a), rewrite(node.b)); }
    Expr rewrite_node(const Select& node) override {
        return select(rewrite(node.condition), rewrite(node.then_value), rewrite(node.else_value));
    }
    Expr rewrite_node(const Cast& node) override { return cast(node.dtype, rewrite(node.value)); }

  private:
    const VarMap& point_;
};

/// Whether the box lies outside every declared one at that point; unknown counts as inside.
bool outside_at(const Region& box, const std::vector<const Region*>& declared, const VarMap& point) {
    Evaluator at(point);
    for (const Region* region : declared) {
        bool inside = true;
        for (std::size_t d = 0; d < box.min.size() && inside; ++d) {
            const auto min = at.value(box.min[d]), extent = at.value(box.extent[d]);
            const auto declared_min = at.value(region->min[d]), declared_extent = at.value(region->extent[d]);
            if (!min || !extent || !declared_min || !declared_extent) return false;
            inside = *min >= *declared_min && *min + *extent <= *declared_min + *declared_extent;
        }
        if (inside) return false;
    }
    return true;
}

std::vector<VarMap> sample_points(const std::vector<BlockIter>& iters) {
    std::vector<VarMap> points;
    std::vector<std::int64_t> last;
    for (const BlockIter& iter : iters) {
        const auto extent = as_int(iter.extent);
        if (!extent || *extent < 1) return {};
        last.push_back(*extent - 1);
    }
    const auto add = [&](const auto& coordinate) {
        VarMap& point = points.emplace_back();
        for (std::size_t i = 0; i < iters.size(); ++i) point[iters[i].var] = imm(coordinate(i));
    };
    add([](std::size_t) { return std::int64_t{0}; });
    add([&](std::size_t i) { return last[i]; });
    for (std::size_t one = 0; one < iters.size(); ++one) {
        add([&](std::size_t i) { return i == one ? last[i] : 0; });
        add([&](std::size_t i) { return i == one ? 0 : last[i]; });
    }
    std::mt19937_64 random(iters.size());
    for (int k = 0; k < kDrawnPoints; ++k)
        add([&](std::size_t i) {
            return static_cast<std::int64_t>(random() % (static_cast<std::uint64_t>(last[i]) + 1));
        });
    return points;
}

/// False when some execution touches what is not declared. A guarded access need only have its buffer declared.
bool covered(const AccessBox& box, const std::vector<Region>& declared, const std::vector<BlockIter>& iters) {
    std::vector<const Region*> candidates;
    for (const Region& region : declared) {
        if (region.buffer != box.region.buffer) continue;
        if (!box.certain || proven_within(box.region, region)) return true;
        candidates.push_back(&region);
    }
    if (candidates.empty()) return false;
    for (const VarMap& point : sample_points(iters))
        if (outside_at(box.region, candidates, point)) return false;
    return true;
}

// ------------------------------------------------------------------------------------- verifier

class Verifier final : public StrictVisitor<void> {
  public:
    explicit Verifier(const ProgramNode& program) : program_(program) {}

    Result<void> run() {
        for (std::size_t i = 0; i < program_.params.size(); ++i) {
            const Buffer& param = program_.params[i];
            if (!params_.emplace(param.get(), i < program_.input_count).second)
                refuse("buffer " + param->name, "a parameter is given twice");
            check_extents(param);
            SizeVars sizes(scope_);
            for (const Expr& extent : param->shape) sizes.visit(extent);
        }
        visit(program_.body);
        if (error_) return *std::move(error_);
        return {};
    }

  protected:
    void visit_node(const IntImm&) override {}
    void visit_node(const FloatImm&) override {}
    void visit_node(const Var& node) override {
        const auto found = scope_.find(&node);
        if (found == scope_.end()) return refuse(place_, "variable " + node.name + " is used where it is not bound");
        const bool hidden = found->second.kind == Bound::Loop && found->second.block_depth < block_depth_;
        if (hidden) refuse(place_, "the block uses loop " + node.name + " instead of an iterator");
    }
    void visit_node(const Binary& node) override {
        visit(node.a);
        const bool guard = node.op == BinaryOp::And || node.op == BinaryOp::Or;
        guards_ += guard ? 1 : 0;
        visit(node.b);
        guards_ -= guard ? 1 : 0;
    }
    void visit_node(const Call& node) override { visit_all(node.args); }
    void visit_node(const Cast& node) override { visit(node.value); }
    void visit_node(const Select& node) override {
        visit(node.condition);
        ++guards_;
        visit(node.then_value);
        visit(node.else_value);
        --guards_;
    }
    void visit_node(const Load& node) override {
        check_access(node.buffer, node.indices);
        visit_all(node.indices);
    }

    void visit_node(const Store& node) override {
        const auto param = params_.find(node.buffer.get());
        if (param != params_.end() && param->second) refuse("buffer " + node.buffer->name, "an input is written");
        check_access(node.buffer, node.indices);
        visit_all(node.indices);
        visit(node.value);
    }
    void visit_node(const ExternCall& node) override {
        for (const ExternCall::Operand& operand : node.operands) {
            if (operand.number != nullptr) {
                visit(operand.number);
                continue;
            }
            check_region(operand.region, operand.writes());
            if (!error_) check_box(operand.region);
        }
    }
    void visit_node(const Prefetch& node) override {
        const auto param = params_.find(node.buffer.get());
        if (param == params_.end() || !param->second)
            refuse("buffer " + node.buffer->name, "what is prefetched is no input");
        LoadFinder finder;
        for (const Expr& index : node.indices) finder.visit(index);
        if (finder.found) refuse("buffer " + node.buffer->name, "what is prefetched depends on what a buffer holds");
        visit_all(node.indices);
    }
    void visit_node(const For& node) override {
        visit(node.extent);
        const auto extent = as_int(node.extent);
        if (extent && *extent < 0) refuse("loop " + node.var->name, "the extent is negative");
        within("loop " + node.var->name, [&] {
            guards_ += extent && *extent > 0 ? 0 : 1;
            bind(node.var, Bound::Loop);
            visit(node.body);
            scope_.erase(node.var.get());
            guards_ -= extent && *extent > 0 ? 0 : 1;
        });
    }
    void visit_node(const If& node) override {
        visit(node.condition);
        ++guards_;
        visit(node.then_body);
        if (node.else_body != nullptr) visit(node.else_body);
        --guards_;
    }
    void visit_node(const Let& node) override {
        visit(node.value);
        bind(node.var, Bound::Value);
        visit(node.body);
        scope_.erase(node.var.get());
    }
    void visit_node(const Alloc& node) override {
        const BufferNode* buffer = node.buffer.get();
        if (params_.contains(buffer) || !ever_allocated_.insert(buffer).second)
            refuse("buffer " + buffer->name, "a buffer is allocated twice, or is a parameter too");
        check_extents(node.buffer);
        visit_all(buffer->shape);
        live_.insert(buffer);
        visit(node.body);
        live_.erase(buffer);
    }
    void visit_node(const Block& node) override {
        const Block::Fields& fields = node.fields;
        within("block " + fields.name, [&] {
            if (!block_names_.insert(fields.name).second) refuse(place_, "two blocks have one name");
            for (const BlockIter& iter : fields.iters) {
                visit(iter.extent);
                visit(iter.binding);
            }
            if (fields.predicate != nullptr) visit(fields.predicate);
            guards_ += fields.predicate != nullptr ? 1 : 0;
            ++block_depth_;
            for (const BlockIter& iter : fields.iters) bind(iter.var, Bound::Value);
            for (const Region& region : fields.reads) check_region(region, false);
            for (const Region& region : fields.writes) check_region(region, true);
            if (fields.init != nullptr) visit(fields.init);
            visit(fields.body);
            if (!error_) check_coverage(fields);
            for (const BlockIter& iter : fields.iters) scope_.erase(iter.var.get());
            --block_depth_;
            guards_ -= fields.predicate != nullptr ? 1 : 0;
        });
    }
    void visit_node(const Seq& node) override {
        for (const Stmt& stmt : node.stmts) visit(stmt);
    }

  private:
    class LoadFinder final : public Visitor {
      public:
        bool found = false;

      protected:
        using Visitor::visit_node;
        void visit_node(const Load&) override { found = true; }
    };
    struct Bound {
        enum Kind : std::uint8_t { Value, Loop } kind = Value;
        int block_depth = 0;
    };
    using Scope = std::unordered_map<const Var*, Bound>;

    /// Variables of parameter shapes are the program's sizes, known everywhere.
    class SizeVars final : public Visitor {
      public:
        explicit SizeVars(Scope& scope) : scope_(scope) {}

      protected:
        using Visitor::visit_node;
        void visit_node(const Var& node) override { scope_.emplace(&node, Bound{}); }

      private:
        Scope& scope_;
    };

    template <class T> void visit(const Ref<T>& node) {
        if (!error_) dispatch(*node);
    }
    void visit_all(const std::vector<Expr>& exprs) {
        for (const Expr& expr : exprs) visit(expr);
    }
    template <class F> void within(std::string place, const F& inside) {
        std::swap(place_, place);
        inside();
        std::swap(place_, place);
    }
    void refuse(const std::string& place, std::string message) {
        if (!error_)
            error_ = Diagnostic{Code::IllegalSchedule, std::move(message), {ProgramPlace{program_.name, place}}, {}};
    }

    void bind(const VarRef& var, Bound::Kind kind) {
        if (scope_.contains(var.get()) || !ever_bound_.insert(var.get()).second)
            refuse(place_, "variable " + var->name + " is bound twice");
        scope_[var.get()] = {kind, block_depth_};
    }
    void check_extents(const Buffer& buffer) {
        for (const Expr& extent : buffer->shape) {
            const auto known = as_int(extent);
            if (known && *known < 0) refuse("buffer " + buffer->name, "an extent is negative");
        }
    }
    void check_known(const Buffer& buffer) {
        if (!params_.contains(buffer.get()) && !live_.contains(buffer.get()))
            refuse("buffer " + buffer->name, "the buffer is neither a parameter nor allocated here");
    }
    void check_access(const Buffer& buffer, const std::vector<Expr>& indices) {
        check_known(buffer);
        if (guards_ > 0) return;
        for (std::size_t d = 0; d < indices.size(); ++d) {
            const auto index = as_int(indices[d]), extent = as_int(buffer->shape[d]);
            if (index && (*index < 0 || (extent && *index >= *extent)))
                refuse("buffer " + buffer->name, "an index is out of bounds");
        }
    }
    void check_region(const Region& region, bool written) {
        check_known(region.buffer);
        const auto param = params_.find(region.buffer.get());
        if (written && param != params_.end() && param->second)
            refuse("buffer " + region.buffer->name, "an input is written");
        if (region.min.size() != region.buffer->rank() || region.extent.size() != region.min.size())
            refuse(place_, "a region has one range per dimension");
        visit_all(region.min);
        visit_all(region.extent);
    }
    void check_box(const Region& region) {
        for (std::size_t d = 0; d < region.min.size() && guards_ == 0; ++d) {
            const auto first = as_int(region.min[d]), count = as_int(region.extent[d]);
            const auto extent = as_int(region.buffer->shape[d]);
            if ((first && *first < 0) || (count && *count < 0) ||
                (first && count && extent && (*first > *extent || *count > *extent - *first)))
                refuse("buffer " + region.buffer->name, "an extern function is given a box out of bounds");
        }
    }
    void check_coverage(const Block::Fields& fields) {
        const Stmt all = fields.init == nullptr ? fields.body : Seq::make({fields.init, fields.body});
        for (const AccessBox& box : each_access(all))
            if (!covered(box, box.is_write ? fields.writes : fields.reads, fields.iters))
                return refuse(place_, std::string("the block ") + (box.is_write ? "writes " : "reads ") +
                                          box.region.buffer->name + " beyond what it declares");
    }

    const ProgramNode& program_;
    std::optional<Diagnostic> error_;
    std::string place_ = "body";
    Scope scope_;
    std::unordered_set<const Var*> ever_bound_;
    std::unordered_map<const BufferNode*, bool> params_; ///< to whether it is an input
    std::unordered_set<const BufferNode*> ever_allocated_, live_;
    std::unordered_set<std::string> block_names_;
    int block_depth_ = 0, guards_ = 0;
};

} // namespace

Result<void> verify(const Program& program) { return Verifier(*program).run(); }

} // namespace orrery::tensor
