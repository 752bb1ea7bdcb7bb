// parallel, vectorize, unroll: what a loop is turned into, and when that is legal.

#include "core/schedule/dependence.hpp"
#include "core/schedule/legality.hpp"
#include "core/schedule/locate.hpp"
#include "core/schedule/primitives.hpp"
#include "core/tensor/build.hpp"
#include "core/tensor/visitor.hpp"

#include <optional>

namespace orrery::schedule {

using namespace tensor; // every name here is a node of tensor IR

namespace {

constexpr std::int64_t kMostLanes = 256, kMostUnrolled = 1024; // our choice: beyond, code grows without use

class LoopFinder final : public Visitor {
  public:
    bool found = false;

  protected:
    void visit_node(const For&) override { found = true; }
};

/// The refusal when an iteration of the loop depends on another one.
std::optional<Diagnostic> dependent(const LoopPlace& place, const Refusal& refuse) {
    const std::optional<Conflict> conflict = carried_dependence(place);
    if (!conflict) return std::nullopt;
    if (conflict->reduction)
        return refuse("it carries the reduction of block " + conflict->block + ": " + conflict->text,
                      "choose a spatial loop, or rfactor the reduction over this one");
    return refuse(conflict->text, "choose a loop whose iterations touch elements of their own");
}

/// Loads and stores of one loop that are compared, each with each. Source: our choice, far beyond a kernel's.
constexpr std::size_t kMostTouches = 400;

/// Looks at every loop that is parallel or a vector; keeps the first refusal.
class KindChecker final : public Visitor {
  public:
    explicit KindChecker(const Program& program) : program_(program) {}
    std::optional<Diagnostic> error;

  protected:
    template <class Node> void enter(const Node& node) {
        if (error) return;
        path_.push_back(handle(node));
        Visitor::visit_node(node);
        path_.pop_back();
    }
    void visit_node(const For& node) override {
        if (node.loop == LoopKind::Parallel || node.loop == LoopKind::Vectorized) check(node);
        enter(node);
    }
    void visit_node(const If& node) override { enter(node); }
    void visit_node(const Let& node) override { enter(node); }
    void visit_node(const Alloc& node) override { enter(node); }
    void visit_node(const Seq& node) override { enter(node); }
    void visit_node(const Block& node) override { enter(node); }

  private:
    void check(const For& node) {
        if (error) return;
        const bool vector = node.loop == LoopKind::Vectorized;
        const Refusal refuse{vector ? "vectorized" : "parallel", program_, "loop " + node.var->name};
        LoopPlace place;
        place.block.path = path_;
        place.block.path.push_back(handle(node));
        place.at = path_.size();
        if (touches_of(place.block.path.back()).size() > kMostTouches) {
            error = refuse("it holds too much to be compared", "make it serial: for");
            error->code = Code::LimitExceeded;
        } else {
            error = dependent(place, refuse);
        }
    }

    const Program& program_;
    std::vector<Stmt> path_;
};

Result<Rewritten> set_kind(const Program& program, const LoopPlace& place, LoopKind kind) {
    const For& loop = place.loop();
    const Stmt made = For::make(loop.var, loop.extent, kind, loop.body, loop.annotations);
    return Rewritten{replace_stmt(program, place.block.path[place.at], made), {}};
}

} // namespace

Result<void> check_loop_kinds(const Program& program) {
    KindChecker checker(program);
    static_cast<Visitor&>(checker).visit(program->body);
    if (checker.error) return *std::move(checker.error);
    return {};
}

Result<Rewritten> parallel(const Program& program, const std::string& name) {
    ORRERY_TRY(const LoopPlace place, find_loop(program, name));
    const Refusal refuse{"parallel", program, "loop " + name};
    if (!as_int(place.loop().extent))
        return refuse("its extent is not a constant", "give the size a value, or choose a loop of constant extent");
    if (auto why = dependent(place, refuse)) return *std::move(why);
    return set_kind(program, place, LoopKind::Parallel);
}

Result<Rewritten> vectorize(const Program& program, const std::string& name) {
    ORRERY_TRY(const LoopPlace place, find_loop(program, name));
    const Refusal refuse{"vectorize", program, "loop " + name};
    const auto extent = as_int(place.loop().extent);
    if (!extent || *extent > kMostLanes)
        return refuse("its extent is not a constant of at most " + std::to_string(kMostLanes), "split it first");
    LoopFinder inner;
    inner.visit(place.loop().body);
    if (inner.found) return refuse("it is not the innermost loop", "reorder it inside");
    if (auto why = dependent(place, refuse)) return *std::move(why);
    return set_kind(program, place, LoopKind::Vectorized);
}

Result<Rewritten> unroll(const Program& program, const std::string& name) {
    ORRERY_TRY(const LoopPlace place, find_loop(program, name));
    const Refusal refuse{"unroll", program, "loop " + name};
    const auto extent = as_int(place.loop().extent);
    if (!extent || *extent > kMostUnrolled)
        return refuse("its extent is not a constant of at most " + std::to_string(kMostUnrolled), "split it first");
    return set_kind(program, place, LoopKind::Unrolled);
}

} // namespace orrery::schedule
