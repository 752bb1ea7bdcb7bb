#include "backends/llvm/index.hpp"

#include <algorithm>
#include <numeric>

namespace orrery::codegen {

namespace {

std::int64_t wrapping_add(std::int64_t a, std::int64_t b) {
    return static_cast<std::int64_t>(static_cast<std::uint64_t>(a) + static_cast<std::uint64_t>(b));
}
std::int64_t wrapping_mul(std::int64_t a, std::int64_t b) {
    return static_cast<std::int64_t>(static_cast<std::uint64_t>(a) * static_cast<std::uint64_t>(b));
}

/// gcd of magnitudes; 0 for two zeros. Safe for the least integer.
std::uint64_t common_divisor(std::uint64_t g, std::int64_t value) {
    const std::uint64_t magnitude =
        value < 0 ? 0 - static_cast<std::uint64_t>(value) : static_cast<std::uint64_t>(value);
    return std::gcd(g, magnitude);
}

/// Quotients and remainders of one division, put together again.
Index joined(Index sum) {
    for (const Index::Term& term : sum.terms) {
        const Remainder* of = term.atom->remainder;
        if (!of) continue;
        const std::int64_t scale = term.scale;
        const auto quotient = std::ranges::find_if(sum.terms, [&](const Index::Term& other) {
            return other.atom == of->quotient && other.scale == wrapping_mul(scale, of->divisor);
        });
        if (quotient == sum.terms.end()) continue;
        std::erase_if(sum.terms, [&, rest = term.atom](const Index::Term& other) {
            return other.atom == rest || other.atom == of->quotient;
        });
        return add(sum, of->whole, scale);
    }
    return sum;
}

} // namespace

Range operator+(const Range& a, const Range& b) {
    Range out;
    std::int64_t lo = 0, hi = 0;
    if (__builtin_add_overflow(a.lo, b.lo, &lo) || __builtin_add_overflow(a.hi, b.hi, &hi)) return out;
    return {lo, hi};
}

Range operator*(const Range& a, std::int64_t scale) {
    std::int64_t x = 0, y = 0;
    if (__builtin_mul_overflow(a.lo, scale, &x) || __builtin_mul_overflow(a.hi, scale, &y)) return {};
    return {std::min(x, y), std::max(x, y)};
}

Range hull(const Range& a, const Range& b) { return {std::min(a.lo, b.lo), std::max(a.hi, b.hi)}; }

Index Index::scalar_part() const {
    Index out = *this;
    out.lane = 0;
    out.lanes = nullptr;
    out.lanes_range = {0, 0};
    return out;
}

Index constant_index(std::int64_t value) {
    Index out;
    out.constant = value;
    return out;
}

Index atom_index(const Atom& atom) {
    Index out;
    out.terms.push_back({&atom, 1});
    return out;
}

Index add(const Index& a, const Index& b, std::int64_t scale) {
    Index out;
    out.constant = wrapping_add(a.constant, wrapping_mul(b.constant, scale));
    out.lane = wrapping_add(a.lane, wrapping_mul(b.lane, scale));
    out.lanes = a.lanes ? a.lanes : b.lanes;
    out.lanes_range = a.lanes ? a.lanes_range : b.lanes_range;
    out.terms.reserve(a.terms.size() + b.terms.size());
    std::size_t i = 0, j = 0;
    while (i < a.terms.size() || j < b.terms.size()) {
        const bool take_a =
            j == b.terms.size() || (i < a.terms.size() && a.terms[i].atom->rank <= b.terms[j].atom->rank);
        const bool take_b =
            i == a.terms.size() || (j < b.terms.size() && b.terms[j].atom->rank <= a.terms[i].atom->rank);
        Index::Term term{take_a ? a.terms[i].atom : b.terms[j].atom, 0};
        if (take_a) term.scale = a.terms[i++].scale;
        if (take_b) term.scale = wrapping_add(term.scale, wrapping_mul(b.terms[j++].scale, scale));
        if (term.scale != 0) out.terms.push_back(term);
    }
    return joined(std::move(out));
}

bool same(const Index& a, const Index& b) {
    return a.constant == b.constant && a.lane == b.lane && a.lanes == b.lanes &&
           std::ranges::equal(a.terms, b.terms, [](const Index::Term& x, const Index::Term& y) {
               return x.atom == y.atom && x.scale == y.scale;
           });
}

Index scaled(const Index& a, std::int64_t scale) { return add(Index(), a, scale); }

Range range_of(const Index& a, int lane_count) {
    Range range{a.constant, a.constant};
    for (const Index::Term& term : a.terms) range = range + term.atom->range * term.scale;
    if (a.lane != 0) range = range + Range{0, lane_count - 1} * a.lane;
    return range + a.lanes_range;
}

std::int64_t alignment_of(const Index& a, std::int64_t scale) {
    if (a.lanes) return 1;
    std::uint64_t g = common_divisor(64, wrapping_mul(a.constant, scale));
    for (const Index::Term& term : a.terms) g = common_divisor(g, wrapping_mul(term.scale, scale));
    return static_cast<std::int64_t>(g);
}

std::int64_t floor_quotient(std::int64_t a, std::int64_t b) {
    return a / b - (a % b != 0 && (a < 0) != (b < 0) ? 1 : 0);
}

std::optional<std::int64_t> place_in_block(const Index& a, std::int64_t block) {
    const bool whole = std::ranges::all_of(a.terms, [&](const Index::Term& term) { return term.scale % block == 0; });
    if (a.lane != 1 || a.lanes || !whole) return std::nullopt;
    return a.constant - floor_quotient(a.constant, block) * block;
}

std::optional<Division> divide(const Index& a, std::int64_t divisor, int lane_count) {
    if (a.lanes) return std::nullopt;
    Division out;
    Index rest; // what is left after everything divisible is taken out
    out.quotient.constant = floor_quotient(a.constant, divisor);
    rest.constant = a.constant - out.quotient.constant * divisor;
    for (const Index::Term& term : a.terms) {
        if (term.scale % divisor == 0)
            out.quotient.terms.push_back({term.atom, term.scale / divisor});
        else
            rest.terms.push_back(term);
    }
    if (a.lane % divisor == 0)
        out.quotient.lane = a.lane / divisor;
    else
        rest.lane = a.lane;
    if (range_of(rest, lane_count).within(0, divisor - 1)) {
        out.remainder = rest;
        return out;
    }
    if (rest.lane != 0) { // lanes must not carry into the quotient
        std::uint64_t step = common_divisor(static_cast<std::uint64_t>(divisor), rest.constant);
        for (const Index::Term& term : rest.terms) step = common_divisor(step, term.scale);
        if (rest.lane < 0 || (Range{0, lane_count - 1} * rest.lane).hi >= static_cast<std::int64_t>(step))
            return std::nullopt;
        out.remainder.lane = rest.lane;
    }
    out.pending = rest.scalar_part();
    return out;
}

} // namespace orrery::codegen
