#include "backends/llvm/workspace.hpp"

#include "core/tensor/externs.hpp"
#include "core/tensor/visitor.hpp"

namespace orrery::codegen {

using namespace tensor;

namespace {

// Stacks of worker threads are 8 MiB as glibc makes them; a kernel stays well below.
constexpr std::size_t kMaxStackBuffer = 1 << 20;
constexpr std::size_t kMaxStack = 2 << 20;
/// A global buffer up to this size inside a parallel loop is cheaper on each thread's stack than a slot an iteration.
constexpr std::size_t kSmallGlobal = 64 << 10;
/// Beyond this, iterations of a parallel loop that each need a slot run one after another.
constexpr std::size_t kMaxSlots = std::size_t(1) << 30;
constexpr std::size_t kMaxBuffer = std::size_t(1) << 40;

std::size_t aligned(std::size_t bytes) { return (bytes + 63) / 64 * 64; }

class Planner : public Visitor {
  public:
    WorkspacePlan plan;

  protected:
    using Visitor::visit_node;

    void visit_node(const For& loop) override {
        if (loop.loop != LoopKind::Parallel || outer_) return Visitor::visit_node(loop);
        const IntImm* extent = as<IntImm>(loop.extent);
        const std::size_t before = plan.bytes;
        outer_ = true;
        slot_bytes_ = 0;
        slotted_.clear();
        Visitor::visit_node(loop);
        outer_ = false;
        if (slot_bytes_ == 0) return;
        const bool fits = extent && static_cast<std::size_t>(extent->value) <= kMaxSlots / slot_bytes_;
        if (!fits) plan.serial.insert(&loop);
        for (const BufferNode* buffer : slotted_) {
            WorkspacePlan::Slot& slot = plan.slots[buffer];
            slot = {before + slot.offset, fits ? slot_bytes_ : 0};
        }
        plan.bytes = before + slot_bytes_ * (fits ? static_cast<std::size_t>(extent->value) : 1);
    }

    void visit_node(const Alloc& alloc) override {
        place(alloc.buffer);
        Visitor::visit_node(alloc);
    }

  private:
    void place(const Buffer& buffer) {
        const std::size_t bytes = aligned(static_cast<std::size_t>(buffer->static_size()) *
                                          static_cast<std::size_t>(byte_size(buffer->dtype)));
        const bool global = buffer->scope == Scope::Global;
        const std::size_t bound = !global ? kMaxStackBuffer : outer_ ? kSmallGlobal : 0;
        if (bytes <= bound && stack_ + bytes <= kMaxStack) {
            stack_ += bytes;
            return;
        }
        if (outer_) {
            plan.slots[buffer.get()] = {slot_bytes_, 0};
            slotted_.push_back(buffer.get());
            slot_bytes_ += bytes;
        } else {
            plan.slots[buffer.get()] = {plan.bytes, 0};
            plan.bytes += bytes;
        }
    }

    bool outer_ = false; ///< inside a parallel loop
    std::size_t slot_bytes_ = 0, stack_ = 0;
    std::vector<const BufferNode*> slotted_;
};

class Checker : public Visitor {
  public:
    Result<void> result;

    /// Of a constant shape, and of a size that memory could hold.
    void check(const Buffer& buffer) {
        std::size_t bytes = static_cast<std::size_t>(byte_size(buffer->dtype));
        for (const Expr& extent : buffer->shape) {
            const IntImm* imm = as<IntImm>(extent);
            if (!imm || imm->value < 0) return refuse("has a shape that is not constant", buffer);
            if (imm->value != 0 && bytes > kMaxBuffer / static_cast<std::size_t>(imm->value))
                return refuse("is larger than any memory", buffer);
            bytes *= static_cast<std::size_t>(imm->value);
        }
    }

  protected:
    using Visitor::visit_node;
    void visit_node(const Alloc& alloc) override {
        check(alloc.buffer);
        Visitor::visit_node(alloc);
    }
    void visit_node(const For& loop) override {
        bound_.insert(loop.var.get());
        Visitor::visit_node(loop);
    }
    void visit_node(const Let& let) override {
        bound_.insert(let.var.get());
        Visitor::visit_node(let);
    }
    void visit_node(const Block& block) override {
        for (const BlockIter& iter : block.fields.iters) bound_.insert(iter.var.get());
        Visitor::visit_node(block);
    }
    void visit_node(const Var& var) override {
        if (!bound_.contains(&var)) refuse("size " + var.name + " has no value");
    }

  private:
    void refuse(const char* why, const Buffer& buffer) { refuse("buffer " + buffer->name + " " + why); }
    void refuse(const std::string& what) {
        if (result) result = Diagnostic{Code::UnsupportedFeature, what, {}, "give the model's dimensions values"};
    }
    std::unordered_set<const Var*> bound_;
};

} // namespace

WorkspacePlan plan_workspace(const Program& program) {
    Planner planner;
    planner.visit(program->body);
    return std::move(planner.plan);
}

Result<void> find_unsupported(const Program& program) {
    Checker checker;
    for (const Buffer& buffer : program->params) checker.check(buffer);
    checker.visit(program->body);
    if (!checker.result) {
        Diagnostic error = checker.result.error();
        error.locations.push_back(ProgramPlace{program->name, ""});
        return error;
    }
    return tensor::check_externs(program);
}

} // namespace orrery::codegen
