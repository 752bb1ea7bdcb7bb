// Outline: Linear, SetSolver (eliminate, tidy, propagate, search), IntegerSet.

#include "core/schedule/integer_set.hpp"

#include <algorithm>
#include <numeric>

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

    /// Solves equalities for variables of coefficient one. False when one has no integer solution.
    bool eliminate() {
        for (std::size_t i = 0; i < zero_.size();) {
            Linear& form = zero_[i];
            const std::int64_t common = divisor(form);
            if (common == 0) {
                if (form.constant != 0) return false;
                zero_.erase(zero_.begin() + static_cast<std::ptrdiff_t>(i));
                continue;
            }
            if (form.constant % common != 0) return false;
            for (auto& [var, coefficient] : form.terms) coefficient /= common;
            form.constant /= common;
            const auto unit = std::ranges::find_if(form.terms, [](const auto& t) { return std::abs(t.second) == 1; });
            if (unit == form.terms.end()) {
                ++i;
                continue;
            }
            const int var = unit->first;
            const std::int64_t sign = unit->second;
            Linear stands_for;
            stands_for.add(form, -sign);
            stands_for.add(var, 1); // the variable cancels: -sign * sign + 1 = 0
            zero_.erase(zero_.begin() + static_cast<std::ptrdiff_t>(i));
            replace(var, stands_for);
            i = 0;
        }
        return true;
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
