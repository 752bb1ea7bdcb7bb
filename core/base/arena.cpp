#include "core/base/arena.hpp"

#include <algorithm>
#include <numeric>
#include <utility>

namespace orrery {

namespace {

bool meet(const Tenant& a, const Tenant& b) { return a.first <= b.last && b.first <= a.last; }

} // namespace

namespace {

using Order = std::vector<std::size_t>;

/// What is known of the tenants whatever their places.
struct Load {
    std::size_t most = 0;              ///< bytes that live at the fullest step
    std::vector<std::size_t> breadths; ///< of each tenant: the most that lives at one of its steps
};

Load load_of(const std::vector<Tenant>& tenants) {
    std::int32_t last = -1;
    for (const Tenant& tenant : tenants) last = std::max(last, tenant.last);
    std::vector<std::size_t> live(static_cast<std::size_t>(last + 1), 0);
    for (const Tenant& tenant : tenants)
        for (std::int32_t s = tenant.first; s <= tenant.last; ++s) live[static_cast<std::size_t>(s)] += tenant.bytes;
    Load load;
    for (const Tenant& tenant : tenants) {
        std::size_t breadth = 0;
        for (std::int32_t s = tenant.first; s <= tenant.last; ++s)
            breadth = std::max(breadth, live[static_cast<std::size_t>(s)]);
        load.breadths.push_back(breadth);
        load.most = std::max(load.most, breadth);
    }
    return load;
}

/// Places those without a place, in order. Pre: those with one come first.
std::size_t place_in_order(std::vector<Tenant>& tenants, const Order& order) {
    std::vector<const Tenant*> placed; // by offset
    std::size_t end = 0;
    for (std::size_t i : order) {
        Tenant& tenant = tenants[i];
        if (!tenant.placed) {
            std::size_t offset = 0;
            for (const Tenant* other : placed) {
                if (!meet(*other, tenant)) continue;
                if (offset + tenant.bytes <= other->offset) break;
                offset = std::max(offset, other->offset + other->bytes);
            }
            tenant.offset = offset;
            tenant.placed = true;
        }
        end = std::max(end, tenant.offset + tenant.bytes);
        placed.insert(std::ranges::upper_bound(placed, tenant.offset, {}, &Tenant::offset), &tenant);
    }
    return end;
}

/// Those with a place, then the others by `key`, largest first; equal ones as they come.
template <class Key> Order order_by(const std::vector<Tenant>& tenants, const Key& key) {
    Order order(tenants.size());
    std::iota(order.begin(), order.end(), 0);
    std::ranges::stable_sort(order, [&](std::size_t a, std::size_t b) {
        if (tenants[a].placed != tenants[b].placed) return tenants[a].placed;
        return !tenants[a].placed && key(a) > key(b);
    });
    return order;
}

/// The best placement of the orders tried so far.
class Search {
  public:
    explicit Search(const std::vector<Tenant>& start) : start_(start), load_(load_of(start)) {}

    [[nodiscard]] bool done() const { return !best_.empty() && end_ <= load_.most; }
    [[nodiscard]] const std::vector<Tenant>& best() const { return best_; }
    [[nodiscard]] std::size_t end() const { return end_; }

    /// Tries an order, then `repairs` times the same with the first tenant that reached the end moved to the front.
    void attempt(Order order, std::size_t repairs) {
        const auto first_free = static_cast<std::ptrdiff_t>(std::ranges::count_if(start_, &Tenant::placed));
        for (std::size_t i = 0; i <= repairs && !done(); ++i) {
            std::vector<Tenant> tenants = start_;
            const std::size_t end = place_in_order(tenants, order);
            if (best_.empty() || end < end_) {
                end_ = end;
                best_ = tenants;
            }
            const auto high = std::find_if(order.begin() + first_free, order.end(),
                                           [&](std::size_t t) { return tenants[t].offset + tenants[t].bytes == end; });
            if (high == order.end() || high == order.begin() + first_free) return;
            std::rotate(order.begin() + first_free, high, high + 1);
        }
    }
    [[nodiscard]] std::size_t breadth(std::size_t tenant) const { return load_.breadths[tenant]; }

  private:
    const std::vector<Tenant>& start_;
    Load load_;
    std::vector<Tenant> best_;
    std::size_t end_ = 0;
};

} // namespace

std::size_t place_tenants(std::vector<Tenant>& tenants) {
    // Our choice: so many steps of placing that they take a few milliseconds.
    constexpr std::size_t kMostWork = 4'000'000, kMostRepairs = 40;
    if (tenants.empty()) return 0;
    const std::size_t work = tenants.size() * tenants.size();
    const auto bytes = [&](std::size_t i) { return tenants[i].bytes; };
    if (work > kMostWork) return place_in_order(tenants, order_by(tenants, bytes));
    Search search(tenants);
    const auto length = [&](std::size_t i) { return static_cast<std::size_t>(tenants[i].last - tenants[i].first); };
    search.attempt(order_by(tenants, bytes), 0);
    const std::vector<Order> orders = {
        order_by(tenants, [&](std::size_t i) { return std::pair(search.breadth(i), tenants[i].bytes); }),
        order_by(tenants, bytes),
        order_by(tenants, [&](std::size_t i) { return tenants[i].bytes * (length(i) + 1); }),
        order_by(tenants, [&](std::size_t i) { return std::pair(length(i), tenants[i].bytes); }),
    };
    const std::size_t repairs = std::min(kMostRepairs, kMostWork / work / orders.size());
    for (const Order& order : orders) search.attempt(order, repairs);
    tenants = search.best();
    return search.end();
}

bool places_are_apart(const std::vector<Tenant>& tenants) {
    std::vector<const Tenant*> placed;
    for (const Tenant& tenant : tenants)
        if (tenant.bytes > 0) placed.push_back(&tenant);
    std::ranges::sort(placed, {}, &Tenant::offset);
    for (std::size_t i = 0; i < placed.size(); ++i)
        for (std::size_t j = i + 1; j < placed.size() && placed[j]->offset < placed[i]->offset + placed[i]->bytes; ++j)
            if (meet(*placed[i], *placed[j])) return false;
    return true;
}

std::size_t most_live_bytes(const std::vector<Tenant>& tenants, std::size_t steps) {
    std::vector<std::ptrdiff_t> change(steps + 2, 0);
    for (const Tenant& tenant : tenants) {
        change[static_cast<std::size_t>(tenant.first)] += static_cast<std::ptrdiff_t>(tenant.bytes);
        change[static_cast<std::size_t>(tenant.last) + 1] -= static_cast<std::ptrdiff_t>(tenant.bytes);
    }
    std::ptrdiff_t live = 0, most = 0;
    for (std::ptrdiff_t delta : change) most = std::max(most, live += delta);
    return static_cast<std::size_t>(most);
}

} // namespace orrery
