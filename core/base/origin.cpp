#include "core/base/origin.hpp"

#include <algorithm>

namespace orrery {

OriginSet::OriginSet(SourceId id) : OriginSet(std::vector<SourceId>{id}) {}

OriginSet::OriginSet(std::vector<SourceId> ids) {
    if (ids.empty()) return;
    std::sort(ids.begin(), ids.end());
    ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
    auto* rep = new Rep;
    rep->ids = std::move(ids);
    rep_ = Ref<const Rep>(rep);
}

std::span<const SourceId> OriginSet::ids() const {
    return rep_ ? std::span<const SourceId>(rep_->ids) : std::span<const SourceId>();
}

bool OriginSet::contains(SourceId id) const { return std::ranges::binary_search(ids(), id); }

bool OriginSet::intersects(const OriginSet& other) const {
    const auto a = ids(), b = other.ids();
    for (std::size_t i = 0, j = 0; i < a.size() && j < b.size();) {
        if (a[i] == b[j]) return true;
        a[i] < b[j] ? ++i : ++j;
    }
    return false;
}

OriginSet unite(const OriginSet& a, const OriginSet& b) {
    if (a.rep_ == b.rep_ || b.empty()) return a;
    if (a.empty()) return b;
    const auto x = a.ids(), y = b.ids();
    if (std::ranges::includes(x, y)) return a;
    if (std::ranges::includes(y, x)) return b;
    std::vector<SourceId> all;
    std::ranges::set_union(x, y, std::back_inserter(all));
    return OriginSet(std::move(all));
}

bool operator==(const OriginSet& a, const OriginSet& b) { return std::ranges::equal(a.ids(), b.ids()); }

} // namespace orrery
