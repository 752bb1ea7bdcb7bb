#pragma once
// What is known of a program's loops before they are written: which conditions they leave alone, and how much a copy
// of their body is.

#include "core/tensor/node.hpp"

#include <cstdint>
#include <unordered_map>
#include <vector>

namespace orrery::codegen {

/// Loops that copies of an unrolled body may hold together, beyond which the body stays one. Each copy of a loop is
/// instructions and a search for registers of its own, and saves no more than the counting of the loop around.
/// Source: our choice; no default schedule of the built-in networks has so many.
constexpr std::int64_t kMostCopiedLoops = 8;

class LoopFacts {
  public:
    explicit LoopFacts(const tensor::Stmt& body);

    /// Conditions under which alone a loop has any effect and which no iteration changes: conjuncts of the predicates
    /// of its blocks. They have no loads and cannot go wrong.
    [[nodiscard]] const std::vector<tensor::Expr>& guards(const tensor::For& loop) const;
    /// How many loops one copy of the body holds that are not copied themselves.
    [[nodiscard]] std::int64_t loops_inside(const tensor::For& loop) const;

  private:
    struct Fact {
        std::vector<tensor::Expr> guards;
        std::int64_t loops = 0;
    };
    class Find;
    std::unordered_map<const tensor::For*, Fact> facts_;
};

/// Whether `guard` is among them, as a value.
[[nodiscard]] bool holds(const std::vector<tensor::Expr>& guards, const tensor::Expr& guard);
/// The predicate without the conjuncts that hold; null when nothing is left.
[[nodiscard]] tensor::Expr without(const tensor::Expr& predicate, const std::vector<tensor::Expr>& held);

} // namespace orrery::codegen
