#pragma once
// Internal to core/schedule: which executions touch the same element, decided from the accesses themselves. What a
// block declares of its iterators is not believed: a "spatial" loop that reads what another iteration wrote is found.

#include "core/schedule/integer_set.hpp"
#include "core/schedule/locate.hpp"
#include "core/tensor/node.hpp"
#include "core/tensor/visitor.hpp"

#include <array>
#include <optional>
#include <string>
#include <vector>

namespace orrery::schedule {

/// Whether its operands may be taken in any order, sums of many in any grouping (but for rounding).
[[nodiscard]] bool commutes(tensor::BinaryOp op);

/// A load or store in terms of the loops around it, and when it is made.
struct Touch {
    tensor::Buffer buffer;
    bool is_write = false;
    std::vector<tensor::Expr> indices;     ///< iterators and lets replaced by what they stand for
    std::vector<const tensor::For*> loops; ///< inside the statement looked at, outermost first
    std::vector<tensor::Expr> conditions;  ///< all hold when it is made
    const tensor::Block* block = nullptr;  ///< innermost around it
    const tensor::Store* update = nullptr; ///< the store `x[s] = x[s] + e` it belongs to (any commutative operator)
    bool in_init = false;
    int position = 0; ///< in the order of the text
    /// What an extern call touches is any element of a box: the last of `loops` run through it, and are kept here.
    std::vector<tensor::Stmt> box_loops = {};
};
/// In the order of the text, without buffers allocated inside.
[[nodiscard]] std::vector<Touch> touches_of(const tensor::Stmt& stmt);
/// With those of buffers allocated inside.
[[nodiscard]] std::vector<Touch> all_touches_of(const tensor::Stmt& stmt);

/// Two touches as points of one set: loops outside are shared, those inside are there twice.
class TouchPair {
  public:
    /// `outside`: bounds of loops and iterators around both.
    TouchPair(const Touch& first, const Touch& second, const tensor::Bounds& outside);
    enum Side : std::uint8_t { First = 0, Second = 1 };

    void same_element();
    /// The loop has one value on both sides.
    void same(const tensor::For* loop);
    /// The loop's value on `side` is less than on the other.
    void less(const tensor::For* loop, Side side);
    /// `first` on the first side minus `second` on the second is at most, or at least, that.
    void at_most(const tensor::For* first, const tensor::For* second, std::int64_t difference);
    void at_least(const tensor::For* first, const tensor::For* second, std::int64_t difference);
    void equal(const tensor::Expr& a, Side a_side, const tensor::Expr& b, Side b_side);
    /// The condition holds, as far as it is a comparison of sums.
    void assume(const tensor::Expr& condition, Side side, bool truth = true);

    [[nodiscard]] IntegerSet::Solution solve() const { return set_.solve(); }
    /// Where a solution has a loop and a touch. Example: "i = 3", "y[4, 0]"
    [[nodiscard]] std::string loop_text(const IntegerSet::Solution& at, const tensor::For* loop, Side side);
    [[nodiscard]] std::string touch_text(const IntegerSet::Solution& at, Side side);

  private:
    int column(const tensor::VarRef& var, Side side);
    Linear linear(const tensor::Expr& expr, Side side);
    Linear term(const tensor::Expr& expr, Side side);
    Linear divided(const tensor::Binary& node, const tensor::Expr& expr, Side side);
    Linear extreme(const tensor::Binary& node, const tensor::Expr& expr, Side side);
    [[nodiscard]] bool own(const tensor::Expr& expr, Side side) const;
    void compare(tensor::BinaryOp op, const tensor::Expr& a, const tensor::Expr& b, Side side);

    struct Known {
        tensor::Expr expr;
        Linear value;
    };
    std::array<const Touch*, 2> touches_;
    const tensor::Bounds& outside_;
    IntegerSet set_;
    std::array<std::map<const tensor::Var*, int>, 2> columns_;
    std::map<const tensor::Var*, int> shared_;
    std::array<std::vector<Known>, 2> known_;
    std::vector<Known> known_shared_;
};

/// Two executions that touch one element, at least one of them writing.
struct Conflict {
    std::string block;      ///< of the later one
    bool reduction = false; ///< both belong to one accumulating store
    std::string text; ///< "iteration h = 1 reads y[0], which iteration h = 0 writes", or that none could be ruled out
};

/// Bounds of the loops and block iterators in `path` before `end`.
[[nodiscard]] tensor::Bounds bounds_outside(const std::vector<tensor::Stmt>& path, std::size_t end);
/// A dependence between two iterations of the loop, with everything outside of it fixed; nullopt when there is none.
[[nodiscard]] std::optional<Conflict> carried_dependence(const LoopPlace& place);
/// The same between touches of one buffer only.
[[nodiscard]] std::optional<Conflict> carried_dependence(const LoopPlace& place, const tensor::Buffer& buffer);
/// A dependence that running the loops, each directly inside the one before, in the order `after` would reverse.
/// Sums and other commutative updates may be reversed.
[[nodiscard]] std::optional<Conflict> reversed_dependence(const LoopPlace& outermost,
                                                          const std::vector<const tensor::For*>& before,
                                                          const std::vector<const tensor::For*>& after);
/// An execution of the block's init that runs after an update of the same element, or twice, as loops from
/// `place` inwards run; then the init is no beginning.
[[nodiscard]] std::optional<Conflict> late_init(const LoopPlace& place);

} // namespace orrery::schedule
