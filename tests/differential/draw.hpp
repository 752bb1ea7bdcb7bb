#pragma once
// Draws random well-typed programs: numbers, types, operands that are there already or new.

#include "core/graph/builder.hpp"
#include "core/ops/relation.hpp"

#include <initializer_list>
#include <random>
#include <span>
#include <string>
#include <unordered_set>
#include <vector>

namespace orrery::differential {

using graph::Attrs;
using graph::Floats;
using graph::Ints;
using graph::Strings;
using graph::Var;
using ops::DTypes;

/// What an operand must be. Ranges say what a new one holds; one that is there already may hold anything unless
/// `strict`.
struct Want {
    DTypes dtypes = DTypes::Number;
    std::size_t least_rank = 0, most_rank = 4;
    bool exact = false;  ///< floats must be free of rounding: they are about to decide something
    bool strict = false; ///< only a new value will do
    bool finite = false; ///< a new value holds no infinities and NaN, whatever others do
    double low = -2, high = 2;
};

/// What goes into a program's parameter.
struct DrawnInput {
    Var var;
    NDArray value;
};

/// One operator call, about to be added.
struct DrawnCall {
    std::vector<Var> args; ///< null for a missing optional operand
    Attrs::Map attrs;
};

/// Random numbers, and the program drawn so far. The same on every machine for equal seeds.
class Draw {
  public:
    explicit Draw(std::uint64_t seed) : engine_(seed), large_(chance(8)), wild_(chance(12)) {}

    [[nodiscard]] std::int64_t number(std::int64_t low, std::int64_t high);
    [[nodiscard]] bool chance(int percent) { return number(0, 99) < percent; }
    /// A multiple of 1/16 in [low, high], never 0 unless the range holds nothing else: zeros have two signs, which
    /// programs may mix up.
    [[nodiscard]] double real(double low, double high);
    template <class T> [[nodiscard]] T one_of(std::initializer_list<T> values) {
        return *(values.begin() + number(0, static_cast<std::int64_t>(values.size()) - 1));
    }
    [[nodiscard]] std::string word(std::initializer_list<const char*> values) { return one_of(values); }

    [[nodiscard]] DType dtype(DTypes set);
    [[nodiscard]] std::int64_t extent();
    /// Of at most most_elements() elements; now and then with an extent of 0 when `empty`.
    [[nodiscard]] Shape shape(std::size_t least_rank, std::size_t most_rank, bool empty = false);

    /// A value that is there already and fits, or a new one.
    [[nodiscard]] Var operand(const Want& want);
    /// One of exactly that type.
    [[nodiscard]] Var tensor(DType dtype, const Shape& shape, const Want& want = {});
    /// A shape that broadcasts with `shape` to `shape`.
    [[nodiscard]] Shape broadcastable(const Shape& shape);
    /// Whole numbers in [low, high], a new value.
    [[nodiscard]] Var whole(DType dtype, const Shape& shape, std::int64_t low, std::int64_t high);
    [[nodiscard]] Var constant(const NDArray& value);

    /// An axis of a tensor, now and then counted from the end. Pre: rank > 0.
    [[nodiscard]] std::int64_t axis(std::size_t rank);
    [[nodiscard]] std::vector<std::size_t> some_axes(std::size_t rank);

    /// Adds a call of an operator whose operands and attributes fit; `exact` says whether floats of the result are free
    /// of rounding.
    Var add(const graph::Op& op, const DrawnCall& call, bool exact);
    [[nodiscard]] bool exact(const Var& var) const { return !rounded_.contains(var); }
    void value(const Var& var, bool exact);

    [[nodiscard]] static Shape shape_of(const Var& var);
    [[nodiscard]] static DType dtype_of(const Var& var);
    [[nodiscard]] static std::size_t rank_of(const Var& var) { return shape_of(var).size(); }

    graph::FunctionBuilder& builder() { return builder_; }
    [[nodiscard]] const graph::FunctionBuilder& builder() const { return builder_; }
    [[nodiscard]] const std::vector<DrawnInput>& inputs() const { return inputs_; }
    [[nodiscard]] const std::vector<Var>& values() const { return values_; }

    /// Of one value: most programs are small, so that many can be tried; some are large enough for every tile.
    [[nodiscard]] std::int64_t most_elements() const { return large_ ? 20'000 : 1500; }
    /// Whether inputs may hold infinities, NaN and the ends of the integers.
    [[nodiscard]] bool wild() const { return wild_; }

  private:
    [[nodiscard]] Var fresh(const NDArray& value);
    void add_extremes(NDArray& array);
    [[nodiscard]] NDArray filled(DType dtype, const Shape& shape, const Want& want);

    std::mt19937_64 engine_;
    bool large_, wild_;
    graph::FunctionBuilder builder_;
    std::vector<DrawnInput> inputs_;
    std::vector<Var> values_;
    std::unordered_set<Var> rounded_;
};

} // namespace orrery::differential
