// A round of a search fills a list of candidates that are new and can be run:
// random: points drawn evenly over spaces and knobs.
// grid: points number 0, n/2, n/4, 3n/4, ... of all.
// genetic: the origin of each space first; then children of those measured fastest.
// model: as genetic, but many children over some generations, of which those are taken that the model predicts fastest,
//    and a third otherwise (children of the fastest, and some at random), so that it learns of what it does not know.

#include "core/tuning/search.hpp"

#include <algorithm>

namespace orrery::tuning {

namespace {

constexpr int kMostTries = 40; ///< points looked at for each that is wanted: our choice
constexpr std::size_t kParents = 12;
constexpr int kGenerations = 2;
constexpr int kChildren = 40;      ///< a generation
constexpr double kAtRandom = 0.35; ///< of a round, not chosen by the model

/// 0, 1/2, 1/4, 3/4, 1/8, ... Source: van der Corput, "Verteilungsfunktionen", 1935.
double corput(std::uint64_t n) {
    double out = 0, digit = 0.5;
    for (; n > 0; n >>= 1, digit /= 2)
        if ((n & 1) != 0) out += digit;
    return out;
}

} // namespace

/// One call of propose.
class Search::Round {
  public:
    Round(Search& search, const CandidateSpace& space, const TaskHistory& history, std::size_t count)
        : search_(search), space_(space), history_(history), count_(count),
          tries_(kMostTries * static_cast<int>(count)) {
        std::vector<const Tried*> good;
        for (const Tried& tried : history.tried)
            if (tried.point && tried.milliseconds > 0) good.push_back(&tried);
        std::ranges::stable_sort(good, {}, [](const Tried* t) { return t->milliseconds; });
        for (const Tried* tried : good)
            if (parents_.size() < kParents) parents_.push_back(*tried->point);
    }

    std::vector<Proposal> random() {
        offer([&] { return space_.drawn(search_.dice_); });
        return std::move(out_);
    }
    std::vector<Proposal> grid() {
        const std::uint64_t size = space_.size();
        offer([&] {
            const std::uint64_t n = search_.next_++;
            const auto at = static_cast<std::uint64_t>(corput(n) * static_cast<double>(size));
            return space_.nth(std::min(at, size - 1));
        });
        return std::move(out_);
    }
    std::vector<Proposal> genetic() {
        origins();
        offer([&] { return child(); });
        return std::move(out_);
    }
    std::vector<Proposal> by_model();

  private:
    /// Of at most `tries` points, which `draw` makes, those that are new and can be run, until they are `wanted`. As if
    /// one after another: so many are prepared at a time as are still wanted.
    template <class Draw> std::vector<Prepared> fresh(std::size_t wanted, int& tries, const Draw& draw) {
        std::vector<Prepared> out;
        while (out.size() < wanted && tries > 0) {
            std::vector<Point> points;
            const std::size_t most = std::min(wanted - out.size(), static_cast<std::size_t>(tries));
            for (std::size_t i = 0; i < most; ++i, --tries) {
                Point point = draw();
                if (!search_.refused_.contains(point) && seen_.insert(point).second) points.push_back(std::move(point));
            }
            for (Prepared& one : space_.prepare_all(points)) {
                if (!one.refused.empty())
                    search_.refused_.insert(*one.point);
                else if (!history_.programs.contains(one.hash) && hashes_.insert(one.hash).second)
                    out.push_back(std::move(one));
            }
        }
        return out;
    }
    template <class Draw> void offer(const Draw& draw) {
        for (Prepared& one : fresh(count_ - std::min(count_, out_.size()), tries_, draw))
            out_.push_back({std::move(one), std::nullopt});
    }
    /// What spaces are when nothing is decided otherwise; at most half a round.
    void origins() {
        std::size_t next = 0;
        int tries = std::min(tries_, static_cast<int>(space_.spaces().size()));
        tries_ -= tries;
        for (Prepared& one : fresh((count_ + 1) / 2, tries, [&] { return space_.origin(next++); }))
            out_.push_back({std::move(one), std::nullopt});
        tries_ += tries;
    }
    Point child() {
        if (parents_.empty()) return space_.drawn(search_.dice_);
        Dice& dice = search_.dice_;
        // Of two, the faster.
        const auto pick = [&] { return parents_[std::min(dice.below(parents_.size()), dice.below(parents_.size()))]; };
        const Point first = pick();
        return space_.mutated(dice.chance(0.3) ? space_.crossed(first, pick(), dice) : first, dice);
    }

    Search& search_;
    const CandidateSpace& space_;
    const TaskHistory& history_;
    std::size_t count_;
    int tries_;
    std::vector<Point> parents_; ///< fastest first
    std::set<Point> seen_;
    std::set<Hash> hashes_;
    std::vector<Proposal> out_;
};

std::vector<Proposal> Search::Round::by_model() {
    struct Scored {
        Prepared prepared;
        float score = 0;
    };
    std::vector<Scored> all;
    const std::size_t measured = parents_.size();
    for (int generation = 0; generation < kGenerations; ++generation) {
        std::size_t origin = generation == 0 ? 0 : space_.spaces().size();
        int tries = 2 * kChildren;
        std::vector<Prepared> children = fresh(
            kChildren, tries, [&] { return origin < space_.spaces().size() ? space_.origin(origin++) : child(); });
        std::vector<std::vector<float>> features;
        for (const Prepared& one : children) features.push_back(one.features);
        const std::vector<float> scores = search_.model_->predict(features);
        if (scores.size() != children.size()) return genetic();
        for (std::size_t i = 0; i < children.size(); ++i) all.push_back({std::move(children[i]), scores[i]});
        std::ranges::stable_sort(all, std::ranges::greater(), &Scored::score);
        // Programs are large; those of candidates that will not be taken are made again when a child of theirs is.
        if (all.size() > 4 * count_) all.resize(4 * count_);
        parents_.resize(std::min(parents_.size(), measured));
        for (std::size_t i = 0; i < all.size() && i < kParents; ++i) parents_.push_back(*all[i].prepared.point);
    }
    const auto by_chance = static_cast<std::size_t>(kAtRandom * static_cast<double>(count_));
    for (Scored& one : all) {
        if (out_.size() + by_chance >= count_) break;
        out_.push_back({std::move(one.prepared), history_.best_ms / std::max(one.score, 0.01F)});
    }
    parents_.resize(std::min(parents_.size(), measured));
    tries_ = kMostTries;
    offer([&] { return search_.dice_.chance(0.6) ? child() : space_.drawn(search_.dice_); });
    return std::move(out_);
}

std::vector<Proposal> Search::propose(const CandidateSpace& space, const TaskHistory& history, int count) {
    if (space.spaces().empty() || count < 1) return {};
    Round round(*this, space, history, static_cast<std::size_t>(count));
    switch (kind_) {
    case SearchKind::Random: return round.random();
    case SearchKind::Grid: return round.grid();
    case SearchKind::Genetic: return round.genetic();
    case SearchKind::Model: return model_ && history.best_ms > 0 ? round.by_model() : round.genetic();
    }
    fail_internal("every search is known");
}

} // namespace orrery::tuning
