#include "core/transform/choice_problem.hpp"

#include "core/base/check.hpp"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <utility>

namespace orrery::transform {

namespace {

using Costs = std::vector<double>;

double capped(double cost) { return std::min(cost, ChoiceProblem::kImpossible); }

/// A problem while it becomes smaller. Nodes keep their numbers.
class Reduction {
  public:
    Reduction(const ChoiceProblem& problem, std::int64_t most_cases)
        : cases_left_(most_cases), alone_(problem.nodes), neighbours_(problem.nodes.size()) {
        for (const ChoiceProblem::Edge& edge : problem.edges) add(edge.a, edge.b, edge.costs);
        for (std::size_t node = 0; node < alone_.size(); ++node) waiting_.insert({neighbours_[node].size(), node});
    }

    Choices run() {
        while (!waiting_.empty()) {
            if (waiting_.begin()->first <= 2) {
                take_out(waiting_.begin()->second);
                continue;
            }
            const std::size_t node = waiting_.rbegin()->second;
            const auto count = static_cast<std::int64_t>(alone_[node].size());
            if (count <= cases_left_) return each_of(node);
            fix(node, looks_best(node));
            exact_ = false;
        }
        return decided();
    }

  private:
    /// How a node that was taken out answers what its neighbours choose, for each pair of alternatives.
    struct Answer {
        std::size_t node = 0;
        std::vector<std::size_t> neighbours; ///< none to two
        std::vector<std::size_t> best;       ///< by their alternatives, row by row
    };

    std::size_t count(std::size_t node) const { return alone_[node].size(); }
    double between(std::size_t a, std::size_t b, std::size_t i, std::size_t j) const {
        return a < b ? edges_.at({a, b})[i * count(b) + j] : edges_.at({b, a})[j * count(a) + i];
    }

    /// `costs` by the alternatives of a, then of b.
    void add(std::size_t a, std::size_t b, const Costs& costs) {
        ORRERY_ASSERT(a != b && costs.size() == count(a) * count(b), "an edge is between two nodes' alternatives");
        Costs& sum = edges_[{std::min(a, b), std::max(a, b)}];
        sum.resize(costs.size(), 0);
        for (std::size_t i = 0; i < count(a); ++i)
            for (std::size_t j = 0; j < count(b); ++j) {
                double& at = a < b ? sum[i * count(b) + j] : sum[j * count(a) + i];
                at = capped(at + costs[i * count(b) + j]);
            }
        link(a, b);
        link(b, a);
    }
    void link(std::size_t from, std::size_t to) {
        const std::size_t before = neighbours_[from].size();
        neighbours_[from].insert(to);
        if (waiting_.erase({before, from}) > 0) waiting_.insert({neighbours_[from].size(), from});
    }
    /// Out of what waits, and out of its neighbours' sets.
    void unlink(std::size_t node) {
        waiting_.erase({neighbours_[node].size(), node});
        for (const std::size_t other : neighbours_[node]) {
            waiting_.erase({neighbours_[other].size(), other});
            neighbours_[other].erase(node);
            waiting_.insert({neighbours_[other].size(), other});
            edges_.erase({std::min(node, other), std::max(node, other)});
        }
    }

    /// Pre: at most two neighbours.
    void take_out(std::size_t node) {
        Answer answer{node, {neighbours_[node].begin(), neighbours_[node].end()}, {}};
        const std::size_t rows = answer.neighbours.empty() ? 1 : count(answer.neighbours.front());
        const std::size_t columns = answer.neighbours.size() < 2 ? 1 : count(answer.neighbours.back());
        Costs costs(rows * columns);
        answer.best.resize(rows * columns);
        for (std::size_t i = 0; i < rows; ++i)
            for (std::size_t j = 0; j < columns; ++j) {
                const auto with = [&](std::size_t own) {
                    double sum = alone_[node][own];
                    if (!answer.neighbours.empty()) sum += between(node, answer.neighbours.front(), own, i);
                    if (answer.neighbours.size() == 2) sum += between(node, answer.neighbours.back(), own, j);
                    return capped(sum);
                };
                std::size_t best = 0;
                double least = with(0);
                for (std::size_t own = 1; own < count(node); ++own)
                    if (const double sum = with(own); sum < least) {
                        least = sum;
                        best = own;
                    }
                costs[i * columns + j] = least;
                answer.best[i * columns + j] = best;
            }
        unlink(node);
        if (answer.neighbours.empty()) sum_ = capped(sum_ + costs.front());
        if (answer.neighbours.size() == 1)
            for (std::size_t i = 0; i < rows; ++i) {
                double& at = alone_[answer.neighbours.front()][i];
                at = capped(at + costs[i]);
            }
        if (answer.neighbours.size() == 2) add(answer.neighbours.front(), answer.neighbours.back(), costs);
        answers_.push_back(std::move(answer));
    }

    /// One alternative of a node, whose costs go to its neighbours.
    void fix(std::size_t node, std::size_t own) {
        for (const std::size_t other : neighbours_[node])
            for (std::size_t j = 0; j < count(other); ++j) {
                double& at = alone_[other][j];
                at = capped(at + between(node, other, own, j));
            }
        unlink(node);
        sum_ = capped(sum_ + alone_[node][own]);
        answers_.push_back({node, {}, {own}});
    }

    Choices each_of(std::size_t node) const {
        std::optional<Choices> best;
        for (std::size_t own = 0; own < count(node); ++own) {
            Reduction smaller = *this;
            smaller.cases_left_ = cases_left_ / static_cast<std::int64_t>(count(node));
            smaller.fix(node, own);
            Choices found = smaller.run();
            const bool exact = found.exact && (!best || best->exact);
            if (!best || found.cost < best->cost) best = std::move(found);
            best->exact = exact;
        }
        return *best;
    }

    std::size_t looks_best(std::size_t node) const {
        std::size_t best = 0;
        double least = 0;
        for (std::size_t own = 0; own < count(node); ++own) {
            double sum = alone_[node][own];
            for (const std::size_t other : neighbours_[node]) {
                double answer = ChoiceProblem::kImpossible;
                for (std::size_t j = 0; j < count(other); ++j)
                    answer = std::min(answer, alone_[other][j] + between(node, other, own, j));
                sum += answer;
            }
            if (own > 0 && sum >= least) continue;
            least = sum;
            best = own;
        }
        return best;
    }

    /// Answers in reverse: whoever was taken out later is decided by then.
    Choices decided() const {
        Choices out;
        out.cost = sum_;
        out.exact = exact_;
        out.chosen.resize(alone_.size());
        for (auto answer = answers_.rbegin(); answer != answers_.rend(); ++answer) {
            std::size_t at = 0;
            if (!answer->neighbours.empty()) at = out.chosen[answer->neighbours.front()];
            if (answer->neighbours.size() == 2)
                at = at * count(answer->neighbours.back()) + out.chosen[answer->neighbours.back()];
            out.chosen[answer->node] = answer->best[at];
        }
        return out;
    }

    std::int64_t cases_left_;
    bool exact_ = true;
    double sum_ = 0; ///< of what is decided
    std::vector<Costs> alone_;
    std::vector<std::set<std::size_t>> neighbours_;
    std::map<std::pair<std::size_t, std::size_t>, Costs> edges_; ///< the smaller number first
    std::set<std::pair<std::size_t, std::size_t>> waiting_;      ///< number of neighbours and node
    std::vector<Answer> answers_;                                ///< in the order in which nodes were taken out
};

} // namespace

double ChoiceProblem::cost(const std::vector<std::size_t>& chosen) const {
    double sum = 0;
    for (std::size_t node = 0; node < nodes.size(); ++node) sum += nodes[node][chosen[node]];
    for (const Edge& edge : edges) sum += edge.costs[chosen[edge.a] * nodes[edge.b].size() + chosen[edge.b]];
    return capped(sum);
}

Choices choose_least(const ChoiceProblem& problem, std::int64_t most_cases) {
    Choices out = Reduction(problem, most_cases).run();
    out.cost = problem.cost(out.chosen);
    return out;
}

} // namespace orrery::transform
