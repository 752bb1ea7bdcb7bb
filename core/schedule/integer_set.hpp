#pragma once
// Sets of integer points given by linear equalities and inequalities: what dependence and region questions become.

#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

namespace orrery::schedule {

/// sum of coefficient * variable + constant; variables are numbers an IntegerSet gave out. No variable twice.
struct Linear {
    std::vector<std::pair<int, std::int64_t>> terms;
    std::int64_t constant = 0;

    void add(int var, std::int64_t coefficient);
    void add(const Linear& other, std::int64_t factor = 1);
};

/// The integer points of bounded variables at which linear forms are zero or not negative. A bound may be missing:
/// a loop up to a size that is not known yet has a variable without an upper bound and an inequality with the size.
///
/// How emptiness is decided: equalities are taken apart where their larger coefficients allow, solved for a variable
/// with coefficient one and substituted, greatest common divisors and opposite inequalities are compared, bounds are
/// propagated, and what is left is searched by halving domains, within a budget.
class IntegerSet {
  public:
    /// Units: values. Larger than any index, small enough that sums of products of them are told from overflow.
    static constexpr std::int64_t kUnbounded = std::int64_t{1} << 50;

    /// A variable of [low, high]; -kUnbounded and kUnbounded for no bound.
    int add_var(std::int64_t low, std::int64_t high);
    void require_zero(Linear form) { zero_.push_back(std::move(form)); }
    void require_not_negative(Linear form) { not_negative_.push_back(std::move(form)); }

    enum class Answer : std::uint8_t {
        Empty, ///< no point, proven
        Found, ///< `point` is one
        Open,  ///< neither within the budget
    };
    struct Solution {
        Answer answer = Answer::Open;
        std::vector<std::int64_t> point; ///< a value a variable, when Found
    };
    /// Cost: cubic in the number of variables and forms, times at most a few hundred for the search.
    [[nodiscard]] Solution solve() const;

  private:
    struct Domain {
        std::int64_t low = 0, high = 0;
    };
    friend class SetSolver;
    std::vector<Domain> domains_;
    std::vector<Linear> zero_, not_negative_;
};

} // namespace orrery::schedule
