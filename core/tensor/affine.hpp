#pragma once
// Index expressions as sums: how regions are compared and merged.

#include "core/tensor/node.hpp"

#include <optional>
#include <vector>

namespace orrery::tensor {

/// sum of coefficient * term + constant, where a term is a variable or an expression that is no sum or product by
/// a constant (`x // 4`). No term twice, no coefficient 0.
struct Affine {
    struct Term {
        Expr term;
        std::int64_t coefficient = 0;
    };
    std::vector<Term> terms;
    std::int64_t constant = 0;
};

/// Always possible: what is not affine becomes a term. Pre: i64. Cost: quadratic in the number of distinct terms.
[[nodiscard]] Affine affine_of(const Expr& expr);
[[nodiscard]] Expr to_expr(const Affine& affine);
/// a - b when that is the same number for every value of the variables, as far as sums show it.
[[nodiscard]] std::optional<std::int64_t> constant_difference(const Expr& a, const Expr& b);

} // namespace orrery::tensor
