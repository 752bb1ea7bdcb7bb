// Outline: Linear, SetSolver (separate, eliminate, tidy, propagate, search), IntegerSet.

#include "core/schedule/integer_set.hpp"

#include <algorithm>
#include <numeric>
#include <optional>

namespace orrery::schedule {

namespace {

/// Source: our choice; questions about loop nests need one to a few dozen steps.
constexpr int kSearchSteps = 400;
constexpr int kRounds = 24; ///< of propagation before a domain is halved instead

std::int64_t floor_quotient(std::int64_t a, std::int64_t b) { return a / b - (a % b != 0 && (a < 0) != (b < 0)); }

} // namespace

void Linear::add(int var, std::int64_t coefficient) {
    for (auto term = terms.begin(); term != terms.end(); ++term)
        if (term->first == var) {
            term->second += coefficient;
            if (term->second == 0) terms.erase(term);
            return;
        }
    if (coefficient != 0) terms.emplace_back(var, coefficient);
}

void Linear::add(const Linear& other, std::int64_t factor) {
    for (const auto& [var, coefficient] : other.terms) add(var, coefficient * factor);
    constant += other.constant * factor;
}

int IntegerSet::add_var(std::int64_t low, std::int64_t high) {
    domains_.push_back({low, high});
    return static_cast<int>(domains_.size()) - 1;
}

class SetSolver {
  public:
    explicit SetSolver(const IntegerSet& set)
        : domains_(set.domains_), zero_(set.zero_), not_negative_(set.not_negative_) {}

    IntegerSet::Solution run() {
        if (!eliminate() || !tidy()) return {IntegerSet::Answer::Empty, {}};
        const Verdict verdict = search(domains_);
        if (verdict == Verdict::Empty) return {IntegerSet::Answer::Empty, {}};
        if (verdict == Verdict::Open || overflow_) return {IntegerSet::Answer::Open, {}};
        // Eliminated variables take the value their equality gave them, the last one first.
        for (std::size_t i = solved_.size(); i-- > 0;)
            point_[static_cast<std::size_t>(solved_[i].first)] = value(solved_[i].second);
        return {IntegerSet::Answer::Found, point_};
    }

  private:
    using Domains = std::vector<IntegerSet::Domain>;
    enum class Verdict : std::uint8_t { Empty, Found, Open };
    static constexpr std::int64_t kHuge = std::int64_t{1} << 40; ///< coefficients beyond are given up on

    std::int64_t value(const Linear& form) const {
        std::int64_t sum = form.constant;
        for (const auto& [var, coefficient] : form.terms) sum += coefficient * point_[static_cast<std::size_t>(var)];
        return sum;
    }

    void watch(const Linear& form) {
        if (std::abs(form.constant) > IntegerSet::kUnbounded) overflow_ = true;
        for (const auto& [var, coefficient] : form.terms)
            if (std::abs(coefficient) > kHuge) overflow_ = true;
    }

    static std::int64_t divisor(const Linear& form) {
        std::int64_t common = 0;
        for (const auto& [var, coefficient] : form.terms) common = std::gcd(common, coefficient);
        return common;
    }

    /// An equality whose larger coefficients have a common divisor, of which the rest only reaches one multiple, is
    /// two: 2 a - 2 b + c - d = 0 with c and d of [0, 1] says that a = b and c = d. False when the rest reaches none.
    bool separate() {
        for (std::size_t i = 0; i < zero_.size(); ++i) {
            std::ranges::sort(zero_[i].terms, std::ranges::greater{},
                              [](const auto& term) { return std::abs(term.second); });
            for (std::size_t large = 1; large < zero_[i].terms.size(); ++large) {
                const std::optional<std::int64_t> multiple = only_multiple(zero_[i], large);
                if (multiple == kNone) return false;
                if (!multiple) continue;
                const auto middle = zero_[i].terms.begin() + static_cast<std::ptrdiff_t>(large);
                Linear rest;
                rest.terms.assign(middle, zero_[i].terms.end());
                rest.constant = zero_[i].constant - *multiple;
                zero_[i].terms.erase(middle, zero_[i].terms.end());
                zero_[i].constant = *multiple;
                zero_.push_back(std::move(rest));
                break;
            }
        }
        return true;
    }
    static constexpr std::int64_t kNone = INT64_MIN;
    /// The one multiple of the common divisor of the first `large` terms that the other terms and the constant can add
    /// up to; kNone when there is none, nullopt when there are several or it cannot be told.
    std::optional<std::int64_t> only_multiple(const Linear& form, std::size_t large) const {
        std::int64_t common = 0;
        __int128 low = form.constant, high = form.constant;
        for (std::size_t t = 0; t < form.terms.size(); ++t) {
            const auto [var, coefficient] = form.terms[t];
            if (t < large) {
                common = std::gcd(common, coefficient);
                continue;
            }
            const IntegerSet::Domain& d = domains_[static_cast<std::size_t>(var)];
            if (d.low <= -IntegerSet::kUnbounded || d.high >= IntegerSet::kUnbounded) return std::nullopt;
            low += static_cast<__int128>(coefficient) * (coefficient > 0 ? d.low : d.high);
            high += static_cast<__int128>(coefficient) * (coefficient > 0 ? d.high : d.low);
        }
        if (common < 2 || low < -IntegerSet::kUnbounded || high > IntegerSet::kUnbounded) return std::nullopt;
        const std::int64_t first = -floor_quotient(-static_cast<std::int64_t>(low), common) * common;
        if (first > high) return kNone;
        return first + common > high ? std::optional(first) : std::nullopt;
    }

    /// Solves equalities for variables of coefficient one, the shortest first, and takes apart what comes out. False
    /// when one has no integer solution.
    bool eliminate() {
        while (true) {
            if (!reduce() || !separate()) return false;
            std::ptrdiff_t shortest = -1;
            for (std::size_t i = 0; i < zero_.size(); ++i)
                if (unit_of(zero_[i]) &&
                    (shortest < 0 || zero_[i].terms.size() < zero_[static_cast<std::size_t>(shortest)].terms.size()))
                    shortest = static_cast<std::ptrdiff_t>(i);
            if (shortest < 0) return true;
            const Linear form = zero_[static_cast<std::size_t>(shortest)];
            const auto [var, sign] = *unit_of(form);
            Linear stands_for;
            stands_for.add(form, -sign);
            stands_for.add(var, 1); // the variable cancels: -sign * sign + 1 = 0
            zero_.erase(zero_.begin() + shortest);
            replace(var, stands_for);
        }
    }
    /// Divides equalities by their common divisors and drops those that say nothing. False when one cannot hold.
    bool reduce() {
        for (std::size_t i = zero_.size(); i-- > 0;) {
            Linear& form = zero_[i];
            const std::int64_t common = divisor(form);
            if (common == 0 ? form.constant != 0 : form.constant % common != 0) return false;
            if (common == 0) {
                zero_.erase(zero_.begin() + static_cast<std::ptrdiff_t>(i));
                continue;
            }
            for (auto& [var, coefficient] : form.terms) coefficient /= common;
            form.constant /= common;
        }
        return true;
    }
    /// The term of coefficient one or minus one whose variable stands in most equalities: without it, they meet.
    std::optional<std::pair<int, std::int64_t>> unit_of(const Linear& form) const {
        std::optional<std::pair<int, std::int64_t>> best;
        std::ptrdiff_t most = 0;
        for (const auto& term : form.terms) {
            if (std::abs(term.second) != 1) continue;
            const std::ptrdiff_t times = std::ranges::count_if(zero_, [&](const Linear& other) {
                return std::ranges::any_of(other.terms, [&](const auto& t) { return t.first == term.first; });
            });
            if (times <= most) continue;
            most = times;
            best = term;
        }
        return best;
    }

    void replace(int var, const Linear& by) {
        const auto rewrite = [&](Linear& form) {
            const auto term = std::ranges::find(form.terms, var, &std::pair<int, std::int64_t>::first);
            if (term == form.terms.end()) return;
            const std::int64_t coefficient = term->second;
            form.terms.erase(term);
            form.add(by, coefficient);
            watch(form);
        };
        for (Linear& form : zero_) rewrite(form);
        for (Linear& form : not_negative_) rewrite(form);
        const IntegerSet::Domain domain = domains_[static_cast<std::size_t>(var)];
        if (domain.low > -IntegerSet::kUnbounded) {
            Linear above = by;
            above.constant -= domain.low;
            not_negative_.push_back(std::move(above));
        }
        if (domain.high < IntegerSet::kUnbounded) {
            Linear below;
            below.add(by, -1);
            below.constant += domain.high;
            not_negative_.push_back(std::move(below));
        }
        domains_[static_cast<std::size_t>(var)] = {0, 0};
        solved_.emplace_back(var, by);
    }

    /// Divides inequalities by their common divisor, drops those that say nothing, and compares opposite ones. False
    /// when two contradict each other.
    bool tidy() {
        std::vector<Linear> kept;
        for (Linear& form : not_negative_) {
            const std::int64_t common = divisor(form);
            if (common == 0) {
                if (form.constant < 0) return false;
                continue;
            }
            for (auto& [var, coefficient] : form.terms) coefficient /= common;
            form.constant = floor_quotient(form.constant, common);
            std::ranges::sort(form.terms);
            const auto same =
                std::ranges::find_if(kept, [&](const Linear& other) { return other.terms == form.terms; });
            if (same != kept.end())
                same->constant = std::min(same->constant, form.constant);
            else
                kept.push_back(std::move(form));
        }
        not_negative_ = std::move(kept);
        for (std::size_t i = 0; i < not_negative_.size(); ++i)
            for (std::size_t j = i + 1; j < not_negative_.size(); ++j)
                if (opposite(not_negative_[i], not_negative_[j]) &&
                    not_negative_[i].constant + not_negative_[j].constant < 0)
                    return false;
        return true;
    }
    static bool opposite(const Linear& a, const Linear& b) {
        return std::ranges::equal(
            a.terms, b.terms, [](const auto& x, const auto& y) { return x.first == y.first && x.second == -y.second; });
    }

    enum class Change : std::uint8_t { None, Some, Empty };

    /// Bounds that sum(sign * form) >= 0 gives each of its variables.
    Change tighten(const Linear& form, std::int64_t sign, Domains& domains) const {
        __int128 most = form.constant * static_cast<__int128>(sign);
        int unbounded = 0;
        const auto reach = [&](const std::pair<int, std::int64_t>& term, bool& open) -> __int128 {
            const IntegerSet::Domain& d = domains[static_cast<std::size_t>(term.first)];
            const std::int64_t c = term.second * sign;
            const std::int64_t bound = c > 0 ? d.high : d.low;
            open = std::abs(bound) >= IntegerSet::kUnbounded;
            return open ? 0 : static_cast<__int128>(c) * bound;
        };
        for (const auto& term : form.terms) {
            bool open = false;
            most += reach(term, open);
            unbounded += open ? 1 : 0;
        }
        if (unbounded == 0 && most < 0) return Change::Empty;
        if (unbounded > 1) return Change::None;
        Change change = Change::None;
        for (const auto& term : form.terms) {
            bool open = false;
            const __int128 own = reach(term, open);
            if (unbounded == 1 && !open) continue;
            const __int128 others = most - own; // c * x >= -others
            IntegerSet::Domain& d = domains[static_cast<std::size_t>(term.first)];
            const std::int64_t c = term.second * sign;
            if (others > IntegerSet::kUnbounded || others < -IntegerSet::kUnbounded) continue;
            const auto rest = static_cast<std::int64_t>(others);
            if (c > 0) {
                const std::int64_t low = -floor_quotient(rest, c);
                if (low <= d.low) continue;
                d.low = low;
            } else {
                const std::int64_t high = floor_quotient(rest, -c);
                if (high >= d.high) continue;
                d.high = high;
            }
            if (d.low > d.high) return Change::Empty;
            change = Change::Some;
        }
        return change;
    }

    /// False when some domain becomes empty.
    bool propagate(Domains& domains) const {
        for (int round = 0; round < kRounds; ++round) {
            bool changed = false;
            const auto apply = [&](const Linear& form, std::int64_t sign) {
                const Change change = tighten(form, sign, domains);
                changed |= change == Change::Some;
                return change != Change::Empty;
            };
            for (const Linear& form : zero_)
                if (!apply(form, 1) || !apply(form, -1)) return false;
            for (const Linear& form : not_negative_)
                if (!apply(form, 1)) return false;
            if (!changed) break;
        }
        return true;
    }

    Verdict search(Domains domains) {
        if (overflow_ || ++steps_ > kSearchSteps) return Verdict::Open;
        for (const IntegerSet::Domain& d : domains)
            if (d.low > d.high) return Verdict::Empty;
        if (!propagate(domains)) return Verdict::Empty;
        std::ptrdiff_t pick = -1;
        for (std::size_t i = 0; i < domains.size(); ++i) {
            if (domains[i].low == domains[i].high) continue;
            if (pick < 0 || domains[i].high - domains[i].low < width(domains, pick))
                pick = static_cast<std::ptrdiff_t>(i);
        }
        if (pick < 0) {
            point_.clear();
            for (const IntegerSet::Domain& d : domains) point_.push_back(d.low);
            return holds() ? Verdict::Found : Verdict::Empty;
        }
        IntegerSet::Domain& chosen = domains[static_cast<std::size_t>(pick)];
        const IntegerSet::Domain whole = chosen;
        const bool open_low = whole.low <= -IntegerSet::kUnbounded, open_high = whole.high >= IntegerSet::kUnbounded;
        const std::int64_t first = !open_low ? whole.low : !open_high ? whole.high : 0;
        chosen = {first, first};
        Verdict verdict = search(domains);
        if (verdict != Verdict::Empty) return verdict;
        if (open_low || open_high) return Verdict::Open;
        const std::int64_t middle = whole.low + 1 + (whole.high - whole.low - 1) / 2;
        chosen = {whole.low + 1, middle};
        verdict = search(domains);
        if (verdict != Verdict::Empty || middle == whole.high) return verdict;
        chosen = {middle + 1, whole.high};
        return search(domains);
    }
    static std::int64_t width(const Domains& domains, std::ptrdiff_t i) {
        const IntegerSet::Domain& d = domains[static_cast<std::size_t>(i)];
        return d.high - d.low;
    }
    bool holds() const {
        return std::ranges::all_of(zero_, [&](const Linear& form) { return value(form) == 0; }) &&
               std::ranges::all_of(not_negative_, [&](const Linear& form) { return value(form) >= 0; });
    }

    Domains domains_;
    std::vector<Linear> zero_, not_negative_;
    std::vector<std::pair<int, Linear>> solved_;
    std::vector<std::int64_t> point_;
    int steps_ = 0;
    bool overflow_ = false;
};

IntegerSet::Solution IntegerSet::solve() const { return SetSolver(*this).run(); }

} // namespace orrery::schedule
