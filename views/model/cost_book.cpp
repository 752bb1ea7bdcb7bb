#include "views/model/cost_book.hpp"

#include "core/lower/lower.hpp"
#include "core/ops/ops.hpp"

namespace orrery::views {

namespace {
constexpr std::size_t kMostEntries = 200'000; // a few models' worth of steps; beyond, it starts anew
}

template <class Make> std::optional<tensor::Cost> CostBook::get(const Ref<const Object>& key, Make&& make) {
    {
        const std::lock_guard lock(mutex_);
        if (const auto it = entries_.find(key.get()); it != entries_.end()) return it->second.cost;
    }
    std::optional<tensor::Cost> cost;
    if (const Result<tensor::Program> program = make()) cost = tensor::cost_of(*program);
    const std::lock_guard lock(mutex_);
    if (entries_.size() > kMostEntries) entries_.clear();
    entries_.emplace(key.get(), Entry{key, cost});
    return cost;
}

std::optional<tensor::Cost> CostBook::call(const graph::Expr& call, const graph::Type& type) {
    const auto* op = graph::as<graph::CallOp>(call);
    if (op == nullptr) return std::nullopt;
    return get(Ref<const Object>(call), [&] { return ops::program_of(*op, type); });
}

std::optional<tensor::Cost> CostBook::kernel(const graph::Function& function) {
    return get(Ref<const Object>(function), [&] { return lower::lower_function(function, function->name); });
}

} // namespace orrery::views
