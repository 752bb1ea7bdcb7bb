#include "core/base/arena.hpp"

#include <algorithm>
#include <numeric>

namespace orrery {

namespace {

bool meet(const Tenant& a, const Tenant& b) { return a.first <= b.last && b.first <= a.last; }

} // namespace

std::size_t place_tenants(std::vector<Tenant>& tenants) {
    std::vector<std::size_t> order(tenants.size());
    std::iota(order.begin(), order.end(), 0);
    std::ranges::stable_sort(order, [&](std::size_t a, std::size_t b) {
        if (tenants[a].placed != tenants[b].placed) return tenants[a].placed;
        return tenants[a].bytes > tenants[b].bytes;
    });
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
