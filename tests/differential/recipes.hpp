#pragma once
// For every operator, how to draw legal operands and attributes. A new operator needs a row here; a test says so.

#include "tests/differential/draw.hpp"

#include <string_view>
#include <vector>

namespace orrery::differential {

/// What an operator does to floats, which says how far two right answers may be apart.
enum class Effect : std::uint8_t {
    Moves,   ///< gives elements of its operands, or exact functions of them
    Rounds,  ///< rounds each element of its result
    Sums,    ///< adds up, in no fixed order: the result may be off by roundings of the operands too
    Decides, ///< a little more or less in an operand may give another result: operands are drawn `exact`
};

struct OpRecipe {
    const char* op;
    Effect effect;
    DrawnCall (*draw)(Draw& draw); ///< always accepted by the operator's type relation
};
using Recipes = std::vector<OpRecipe>;

/// One of each operator, in order of name.
[[nodiscard]] const Recipes& recipes();
/// Null when there is none.
[[nodiscard]] const OpRecipe* find_recipe(std::string_view op);

/// In which element type sums of products are given, now and then: that of the operands, or f32 of narrow ones.
void draw_sum_dtype(Draw& d, DrawnCall& call);
/// Over how many products of f16 sums are made in f16, more often than not.
void draw_stretch(Draw& d, DrawnCall& call);
/// The element type of the second factor of a product whose first one and element type of sums are drawn.
[[nodiscard]] DType factor_dtype(Draw& d, const DrawnCall& call);

// The families they come from.
[[nodiscard]] Recipes elementwise_recipes();
[[nodiscard]] Recipes pick_recipes();
[[nodiscard]] Recipes reduce_recipes();
[[nodiscard]] Recipes sequence_recipes();
[[nodiscard]] Recipes shape_recipes();
[[nodiscard]] Recipes window_recipes();

} // namespace orrery::differential
