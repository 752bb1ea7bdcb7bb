// Quotients, remainders and comparisons of sums. Throughout, a sum is cut into a part whose coefficients a divisor
// divides and a rest B that stays within one multiple of it: floor((g*A + B) / (g*c)) = floor((A + m) / c) when
// m*g <= B < (m+1)*g.

#include "core/tensor/build.hpp"
#include "core/tensor/simplify.hpp"

#include <algorithm>
#include <numeric>
#include <set>

namespace orrery::tensor {

namespace {

/// Coefficients beyond this are left alone, so that products of two cannot overflow.
constexpr std::int64_t kTame = std::int64_t{1} << 31;

bool is_tame(const Affine& sum) {
    const auto tame = [](std::int64_t value) { return value > -kTame && value < kTame; };
    return tame(sum.constant) && std::all_of(sum.terms.begin(), sum.terms.end(),
                                             [&](const Affine::Term& term) { return tame(term.coefficient); });
}

/// Of the terms whose coefficient `g` divides, divided by it, and all else. `constant` goes to the rest.
struct Cut {
    Affine multiple, rest;
};

Cut cut(const Affine& sum, std::int64_t g) {
    Cut parts;
    parts.rest.constant = sum.constant;
    for (const Affine::Term& term : sum.terms) {
        if (term.coefficient % g == 0)
            parts.multiple.terms.push_back({term.term, term.coefficient / g});
        else
            parts.rest.terms.push_back(term);
    }
    return parts;
}

/// m when m*g <= rest < (m+1)*g for all values.
std::optional<std::int64_t> multiple_of(const Affine& rest, std::int64_t g, ExprSimplifier& under) {
    const std::optional<Interval> interval = under.interval(rest);
    if (!interval) return std::nullopt;
    const std::int64_t m = divide_floor(interval->min, g);
    if (m != divide_floor(interval->max, g)) return std::nullopt;
    return m;
}

/// Common divisors of c and a coefficient, above 1, greatest first.
std::set<std::int64_t, std::greater<>> divisors(const Affine& sum, std::int64_t c) {
    std::set<std::int64_t, std::greater<>> found;
    for (const Affine::Term& term : sum.terms)
        if (const std::int64_t g = std::gcd(term.coefficient, c); g > 1) found.insert(g);
    return found;
}

std::int64_t common_divisor(const Affine& sum) {
    std::int64_t g = 0;
    for (const Affine::Term& term : sum.terms) g = std::gcd(g, term.coefficient);
    return g;
}

std::optional<std::int64_t> positive(const Expr& expr) {
    const std::optional<std::int64_t> value = as_int(expr);
    return value && *value > 0 ? value : std::nullopt;
}

/// x and c of `x // c` or `x % c`, c > 0.
struct Divided {
    Expr x;
    std::int64_t c = 0;
};
std::optional<Divided> divided(const Expr& expr, BinaryOp op) {
    const Binary* node = as<Binary>(expr);
    if (!node || node->op != op) return std::nullopt;
    const std::optional<std::int64_t> c = positive(node->b);
    if (!c) return std::nullopt;
    return Divided{node->a, *c};
}

void add(Affine& sum, const Affine& other) {
    sum.terms.insert(sum.terms.end(), other.terms.begin(), other.terms.end());
    sum.constant += other.constant;
}

/// floor((x // d + k) / c) = floor((x + k*d) / (c*d)).
Expr divide_quotient(const Affine& sum, std::int64_t c, ExprSimplifier& under) {
    if (sum.terms.size() != 1 || sum.terms[0].coefficient != 1) return nullptr;
    const std::optional<Divided> inner = divided(sum.terms[0].term, BinaryOp::FloorDiv);
    if (!inner || inner->c >= kTame || c >= kTame) return nullptr;
    Affine x = affine_of(inner->x);
    if (!is_tame(x)) return nullptr;
    x.constant += sum.constant * inner->c;
    return floor_div(under.canonical(std::move(x)), imm(c * inner->c));
}

/// k * (x % d) is k * x modulo c when c divides k * d; coefficients count modulo c.
Affine modulo(const Affine& sum, std::int64_t c, bool& changed) {
    Affine out;
    out.constant = sum.constant;
    if (out.constant >= c || out.constant <= -c) out.constant -= divide_floor(out.constant, c) * c;
    changed |= out.constant != sum.constant;
    for (const Affine::Term& term : sum.terms) {
        const std::int64_t coefficient = term.coefficient % c;
        changed |= coefficient != term.coefficient;
        if (coefficient == 0) continue;
        const std::optional<Divided> inner = divided(term.term, BinaryOp::FloorMod);
        if (inner && inner->c < kTame && coefficient * inner->c % c == 0) {
            Affine x = affine_of(inner->x);
            if (is_tame(x)) {
                for (Affine::Term& part : x.terms) part.coefficient = part.coefficient * coefficient % c;
                x.constant = x.constant * coefficient % c;
                add(out, x);
                changed = true;
                continue;
            }
        }
        out.terms.push_back({term.term, coefficient});
    }
    return out;
}

BinaryOp mirrored(BinaryOp op) {
    switch (op) {
    case BinaryOp::Lt: return BinaryOp::Gt;
    case BinaryOp::Le: return BinaryOp::Ge;
    case BinaryOp::Gt: return BinaryOp::Lt;
    case BinaryOp::Ge: return BinaryOp::Le;
    default: return op;
    }
}

/// The constant K for which g*A op K is A op result; nullopt when an equality can never hold.
std::optional<std::int64_t> divide_bound(BinaryOp op, std::int64_t bound, std::int64_t g) {
    const std::int64_t down = divide_floor(bound, g), up = -divide_floor(-bound, g);
    switch (op) {
    case BinaryOp::Lt:
    case BinaryOp::Ge: return up;
    case BinaryOp::Le:
    case BinaryOp::Gt: return down;
    default: return down == up ? std::optional(down) : std::nullopt;
    }
}

} // namespace

Expr divide_sum(const Expr& a, std::int64_t c, ExprSimplifier& under) {
    const Affine sum = affine_of(a);
    if (!is_tame(sum) || c >= kTame) return nullptr;
    Cut parts = cut(sum, c);
    if (const std::optional<std::int64_t> m = multiple_of(parts.rest, c, under)) {
        parts.multiple.constant = *m;
        return under.canonical(std::move(parts.multiple));
    }
    for (const std::int64_t g : divisors(parts.rest, c)) {
        Cut inner = cut(parts.rest, g);
        const std::optional<std::int64_t> m = multiple_of(inner.rest, g, under);
        if (!m) continue;
        inner.multiple.constant = *m;
        return under.canonical(std::move(parts.multiple)) +
               floor_div(under.canonical(std::move(inner.multiple)), imm(c / g));
    }
    const bool whole = parts.rest.constant >= c || parts.rest.constant <= -c;
    if (!parts.multiple.terms.empty() || whole) {
        if (whole) {
            parts.multiple.constant = divide_floor(parts.rest.constant, c);
            parts.rest.constant -= parts.multiple.constant * c;
        }
        return under.canonical(std::move(parts.multiple)) + floor_div(under.canonical(std::move(parts.rest)), imm(c));
    }
    return divide_quotient(sum, c, under);
}

Expr reduce_sum(const Expr& a, std::int64_t c, ExprSimplifier& under) {
    const Affine sum = affine_of(a);
    if (!is_tame(sum) || c >= kTame) return nullptr;
    bool changed = false;
    Affine rest = modulo(sum, c, changed);
    if (changed) rest = affine_of(under.canonical(std::move(rest))); // what it took apart may have like terms
    if (const std::optional<std::int64_t> m = multiple_of(rest, c, under)) {
        rest.constant -= *m * c;
        return under.canonical(std::move(rest));
    }
    for (const std::int64_t g : divisors(rest, c)) {
        Cut inner = cut(rest, g);
        const std::optional<std::int64_t> m = multiple_of(inner.rest, g, under);
        if (!m) continue;
        inner.multiple.constant = *m;
        inner.rest.constant -= *m * g;
        return floor_mod(under.canonical(std::move(inner.multiple)), imm(c / g)) * imm(g) +
               under.canonical(std::move(inner.rest));
    }
    return changed ? floor_mod(under.canonical(std::move(rest)), imm(c)) : nullptr;
}

Expr compare_sums(const Binary& node, ExprSimplifier& under) {
    const Affine difference = affine_of(node.a - node.b);
    if (!is_tame(difference)) return nullptr;
    BinaryOp op = node.op;
    Affine left, right;
    std::int64_t g = common_divisor(difference);
    std::int64_t constant = difference.constant;
    if (g > 1) {
        const std::optional<std::int64_t> bound = divide_bound(op, -constant, g);
        if (!bound) return boolean(op == BinaryOp::Ne);
        constant = -*bound;
    } else {
        g = 1;
    }
    for (const Affine::Term& term : difference.terms)
        (term.coefficient > 0 ? left : right).terms.push_back({term.term, std::abs(term.coefficient) / g});
    if (left.terms.empty()) {
        std::swap(left, right);
        op = mirrored(op);
        constant = -constant;
    }
    if (right.terms.empty() || constant < 0)
        right.constant = -constant;
    else
        left.constant = constant;
    Expr a = under.canonical(std::move(left)), b = under.canonical(std::move(right));
    if (op == node.op && structural_equal(a, node.a) && structural_equal(b, node.b)) return nullptr;
    return binary(op, a, b);
}

} // namespace orrery::tensor
