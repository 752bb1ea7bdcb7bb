#pragma once
// i64 values as the code generator sees them: sums whose parts stay apart until an address is wanted, so that equal
// parts are shared, constants end up in displacements, and strides, bounds and divisibility are known.

#include <cstdint>
#include <limits>
#include <optional>
#include <vector>

namespace llvm {
class Value;
} // namespace llvm

namespace orrery::codegen {

/// Inclusive bounds. Everything, when an end is not known.
struct Range {
    std::int64_t lo = std::numeric_limits<std::int64_t>::min();
    std::int64_t hi = std::numeric_limits<std::int64_t>::max();
    [[nodiscard]] bool within(std::int64_t least, std::int64_t most) const { return lo >= least && hi <= most; }
};
/// The range of sums and products; everything when an end would overflow.
[[nodiscard]] Range operator+(const Range& a, const Range& b);
[[nodiscard]] Range operator*(const Range& a, std::int64_t scale);
[[nodiscard]] Range hull(const Range& a, const Range& b);

struct Remainder;
/// A scalar i64 the sums are made of: a loop counter, a loaded index, a quotient or remainder.
struct Atom {
    llvm::Value* value = nullptr;
    Range range;
    int rank = 0;                         ///< order of creation: outer loops before inner ones
    const Remainder* remainder = nullptr; ///< null when it is none
};

/// constant + sum of scale * atom + lane * (number of the vector lane) + lanes. Arithmetic is modulo 2^64.
struct Index {
    struct Term {
        const Atom* atom = nullptr;
        std::int64_t scale = 0;
    };
    std::int64_t constant = 0;
    std::vector<Term> terms; ///< by rank, no atom twice, no scale 0
    std::int64_t lane = 0;
    llvm::Value* lanes = nullptr; ///< a vector, or null for 0: what is neither uniform nor linear over the lanes
    Range lanes_range{0, 0};

    [[nodiscard]] bool is_constant() const { return terms.empty() && lane == 0 && !lanes; }
    [[nodiscard]] bool is_uniform() const { return lane == 0 && !lanes; }
    /// Without `lane` and `lanes`.
    [[nodiscard]] Index scalar_part() const;
};

/// What an atom is the remainder of: whole = divisor * quotient + atom. Sums in which these two stand together hold the
/// whole instead, so that a position counted through two loops is known to be the one that was taken apart.
struct Remainder {
    Index whole;
    std::int64_t divisor = 1;
    const Atom* quotient = nullptr;
};

/// The same sum of the same atoms.
[[nodiscard]] bool same(const Index& a, const Index& b);
[[nodiscard]] Index constant_index(std::int64_t value);
[[nodiscard]] Index atom_index(const Atom& atom);
/// a + scale * b. Pre: at most one of them has `lanes`, and b only with scale 1.
[[nodiscard]] Index add(const Index& a, const Index& b, std::int64_t scale = 1);
/// Pre: no `lanes`.
[[nodiscard]] Index scaled(const Index& a, std::int64_t scale);
/// Over all lanes 0 .. lane_count - 1.
[[nodiscard]] Range range_of(const Index& a, int lane_count);
/// The largest power of two up to 64 that divides scale * a for every lane that starts a vector, that is without the
/// `lane` part. 1 with `lanes`.
[[nodiscard]] std::int64_t alignment_of(const Index& a, std::int64_t scale);

/// a = divisor * quotient + remainder, floored, where it takes no code but at most one scalar division: when `pending`
/// is given, floor_div(pending, divisor) is to be added to the quotient and floor_mod(pending, divisor) to the
/// remainder.
struct Division {
    Index quotient, remainder;
    std::optional<Index> pending;
};
/// nullopt when lanes fall into different quotients. Pre: divisor > 0.
[[nodiscard]] std::optional<Division> divide(const Index& a, std::int64_t divisor, int lane_count);

/// floor_mod(a, block) of lane 0, where lanes are neighbours and that is known. Pre: block > 0.
[[nodiscard]] std::optional<std::int64_t> place_in_block(const Index& a, std::int64_t block);

[[nodiscard]] std::int64_t floor_quotient(std::int64_t a, std::int64_t b);

} // namespace orrery::codegen
