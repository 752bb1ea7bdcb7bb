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

/// Tenants [first, end) that move together.
struct Row {
    std::size_t first = 0, end = 0;
};

Row row_of(const std::vector<Tenant>& tenants, std::size_t i) {
    Row row{i, i + 1};
    while (tenants[row.first].follows) --row.first;
    while (row.end < tenants.size() && tenants[row.end].follows) ++row.end;
    return row;
}

/// The lowest offset at which a row keeps clear of what is placed. Pre: `placed` is ordered by offset.
std::size_t lowest_free(const std::vector<Tenant>& tenants, Row row, const std::vector<const Tenant*>& placed) {
    std::vector<std::pair<std::ptrdiff_t, std::ptrdiff_t>> taken; // no row begins after the one and before the other
    std::ptrdiff_t before = 0;
    for (std::size_t i = row.first; i < row.end; ++i) {
        const auto bytes = static_cast<std::ptrdiff_t>(tenants[i].bytes);
        for (const Tenant* other : placed) {
            if (!meet(*other, tenants[i])) continue;
            const auto start = static_cast<std::ptrdiff_t>(other->offset) - before;
            taken.emplace_back(start - bytes, start + static_cast<std::ptrdiff_t>(other->bytes));
        }
        before += bytes;
    }
    if (row.end - row.first > 1) std::ranges::sort(taken);
    std::ptrdiff_t offset = 0;
    for (const auto& [after, until] : taken) {
        if (offset <= after) break;
        offset = std::max(offset, until);
    }
    return static_cast<std::size_t>(offset);
}

/// Places those without a place, in order. Pre: those with one come first; all of a row have one, or none has.
std::size_t place_in_order(std::vector<Tenant>& tenants, const Order& order) {
    std::vector<const Tenant*> placed; // by offset
    std::vector<bool> known(tenants.size(), false);
    std::size_t end = 0;
    const auto keep = [&](std::size_t i) {
        const Tenant& tenant = tenants[i];
        end = std::max(end, tenant.offset + tenant.bytes);
        placed.insert(std::ranges::upper_bound(placed, tenant.offset, {}, &Tenant::offset), &tenant);
        known[i] = true;
    };
    for (std::size_t i : order) {
        if (known[i]) continue;
        if (tenants[i].placed) {
            keep(i);
            continue;
        }
        const Row row = row_of(tenants, i);
        std::size_t offset = lowest_free(tenants, row, placed);
        for (std::size_t member = row.first; member < row.end; ++member) {
            tenants[member].offset = offset;
            tenants[member].placed = true;
            offset += tenants[member].bytes;
        }
        for (std::size_t member = row.first; member < row.end; ++member) keep(member);
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

namespace {

/// Adds the pieces of the place of `stays[parts.front()]`, in which its other parts lie.
void add_place(const std::vector<Stay>& stays, const std::vector<std::size_t>& parts, std::vector<Tenant>& tenants) {
    const auto start = [&](std::size_t part) { return stays[part].host < 0 ? 0 : stays[part].offset; };
    const auto end = [&](std::size_t part) { return start(part) + arena_bytes(stays[part].bytes); };
    std::vector<std::size_t> cuts;
    for (const std::size_t part : parts) cuts.push_back(start(part)), cuts.push_back(end(part));
    std::ranges::sort(cuts);
    cuts.erase(std::unique(cuts.begin(), cuts.end()), cuts.end());
    if (cuts.size() == 1) cuts.push_back(cuts.front()); // of no bytes
    const auto piece = [&](std::size_t at) { return std::ranges::lower_bound(cuts, at) - cuts.begin(); };
    Tenant whole{0, INT32_MAX, -1};
    std::vector<Tenant> pieces;
    for (std::size_t i = 0; i + 1 < cuts.size(); ++i) pieces.push_back({cuts[i + 1] - cuts[i], INT32_MAX, -1});
    for (const std::size_t part : parts) {
        const Stay& stay = stays[part];
        if (stay.last < stay.first) continue;
        whole.first = std::min(whole.first, stay.first), whole.last = std::max(whole.last, stay.last);
        const std::ptrdiff_t until = cuts.front() == cuts.back() ? 1 : piece(end(part));
        for (std::ptrdiff_t i = piece(start(part)); i < until; ++i) {
            Tenant& over = pieces[static_cast<std::size_t>(i)];
            over.first = std::min(over.first, stay.first), over.last = std::max(over.last, stay.last);
        }
    }
    for (std::size_t i = 0; i < pieces.size(); ++i) {
        if (pieces[i].last < 0) pieces[i].first = whole.first, pieces[i].last = whole.last; // room that nobody touches
        pieces[i].follows = i > 0;
        tenants.push_back(pieces[i]);
    }
}

} // namespace

Tenancy tenants_of(const std::vector<Stay>& stays) {
    std::vector<std::vector<std::size_t>> parts(stays.size()); // by host, itself first
    std::vector<bool> touched(stays.size(), false);
    const auto host = [&](std::size_t i) { return stays[i].host < 0 ? i : static_cast<std::size_t>(stays[i].host); };
    for (std::size_t i = 0; i < stays.size(); ++i)
        if (stays[i].host < 0) parts[i].push_back(i);
    for (std::size_t i = 0; i < stays.size(); ++i) {
        if (stays[i].host >= 0) parts[host(i)].push_back(i);
        if (stays[i].first <= stays[i].last) touched[host(i)] = true;
    }
    Tenancy out;
    out.first.assign(stays.size(), -1);
    for (std::size_t i = 0; i < stays.size(); ++i) {
        if (!touched[i]) continue; // its place belongs to its host, or is none
        out.first[i] = static_cast<std::ptrdiff_t>(out.tenants.size());
        add_place(stays, parts[i], out.tenants);
    }
    for (std::size_t i = 0; i < stays.size(); ++i)
        if (stays[i].host >= 0) out.first[i] = out.first[host(i)];
    return out;
}

} // namespace orrery
