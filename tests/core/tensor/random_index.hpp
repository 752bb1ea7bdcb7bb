#pragma once
// Random integer and truth expressions over a few bounded i64 variables, without i64 overflow: the inputs of the
// simplifier's and the intervals' property tests.

#include "core/tensor/analysis.hpp"
#include "core/tensor/build.hpp"

#include <random>
#include <vector>

namespace orrery::tensor::testing {

class IndexGenerator {
  public:
    explicit IndexGenerator(std::uint64_t seed) : random_(seed) {
        for (int v = 0; v < 3; ++v) {
            vars_.push_back(Var::make(std::string(1, static_cast<char>('x' + v))));
            const std::int64_t min = chance(60) ? 0 : below(21) - 10;
            bounds_[vars_.back()] = {min, min + below(chance(50) ? 5 : 40)};
        }
    }
    [[nodiscard]] const Bounds& bounds() const { return bounds_; }
    [[nodiscard]] const std::vector<VarRef>& vars() const { return vars_; }
    /// A value within its bounds for every variable.
    std::int64_t draw(const VarRef& var) {
        const Interval interval = bounds_.at(var);
        return interval.min + below(static_cast<int>(interval.max - interval.min + 1));
    }

    Expr index(int depth) {
        if (depth <= 0 || chance(12))
            return chance(75) ? Expr(vars_[static_cast<std::size_t>(below(3))]) : imm(below(30) - 8);
        switch (below(12)) {
        case 0:
        case 1: return Binary::make(BinaryOp::Add, index(depth - 1), index(depth - 1));
        case 2: return Binary::make(BinaryOp::Sub, index(depth - 1), index(depth - 1));
        case 3:
        case 4: return Binary::make(BinaryOp::Mul, index(depth - 1), imm(factor()));
        case 5: return Binary::make(BinaryOp::FloorDiv, index(depth - 1), imm(divisor()));
        case 6: return Binary::make(BinaryOp::FloorMod, index(depth - 1), imm(divisor()));
        case 7: return Binary::make(pick({BinaryOp::Min, BinaryOp::Max}), index(depth - 1), index(depth - 1));
        case 8: return Select::make(truth(depth - 1), index(depth - 1), index(depth - 1));
        case 9: return Binary::make(pick({BinaryOp::Div, BinaryOp::Rem}), index(depth - 1), imm(divisor()));
        case 10: return odd(depth);
        default: return split();
        }
    }

    Expr truth(int depth) {
        if (depth <= 0) return compared(0);
        switch (below(6)) {
        case 0: return Binary::make(BinaryOp::And, truth(depth - 1), truth(depth - 1));
        case 1: return Binary::make(BinaryOp::Or, truth(depth - 1), truth(depth - 1));
        case 2: return Call::make(Intrinsic::Not, {truth(depth - 1)});
        default: return compared(depth);
        }
    }

    int below(int n) { return static_cast<int>(random_() % static_cast<std::uint64_t>(n)); }
    bool chance(int percent) { return below(100) < percent; }

  private:
    template <class T> T pick(std::initializer_list<T> items) {
        return *(items.begin() + below(static_cast<int>(items.size())));
    }
    std::int64_t factor() { return pick({2, 3, 4, 4, 8, 12, -1, -4, 1, 0}); }
    std::int64_t divisor() { return pick({2, 3, 4, 4, 8, 12, 6, 5, 1, -3, 0}); }
    Expr compared(int depth) {
        const auto op = static_cast<BinaryOp>(static_cast<int>(BinaryOp::Eq) + below(6));
        return Binary::make(op, index(depth - 1), index(depth - 1));
    }
    /// (x * c + y) / d: what splitting and fusing loops makes.
    Expr split() {
        const Expr sum = Binary::make(BinaryOp::Add, Binary::make(BinaryOp::Mul, vars_[0], imm(factor())),
                                      vars_[static_cast<std::size_t>(below(3))]);
        return Binary::make(pick({BinaryOp::FloorDiv, BinaryOp::FloorMod}), sum, imm(divisor()));
    }
    /// Less usual: products of variables, bits, narrow types.
    Expr odd(int depth) {
        switch (below(6)) {
        case 0: return Binary::make(BinaryOp::Mul, vars_[0], Binary::make(BinaryOp::Mul, vars_[1], imm(factor())));
        case 1:
            return Binary::make(pick({BinaryOp::BitAnd, BinaryOp::BitOr, BinaryOp::BitXor}), index(depth - 1),
                                index(depth - 1));
        case 2: return Call::make(pick({Intrinsic::Abs, Intrinsic::Neg, Intrinsic::Sign}), {index(depth - 1)});
        case 3: return Binary::make(pick({BinaryOp::Shl, BinaryOp::Shr}), vars_[1], imm(below(8)));
        case 4: return Binary::make(BinaryOp::FloorDiv, index(depth - 1), vars_[2]);
        default: {
            const DType narrow = pick({DType::I8, DType::U8, DType::I32, DType::U16});
            Expr value = Cast::make(narrow, index(depth - 1));
            if (chance(50))
                value = Binary::make(pick({BinaryOp::Add, BinaryOp::Mul, BinaryOp::Min}), value,
                                     constant_int(narrow, below(100)));
            return Cast::make(DType::I64, value);
        }
        }
    }

    std::mt19937_64 random_;
    std::vector<VarRef> vars_;
    Bounds bounds_;
};

} // namespace orrery::tensor::testing
