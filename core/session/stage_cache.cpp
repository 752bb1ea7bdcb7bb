#include "core/session/stage_cache.hpp"

namespace orrery::session {

Result<std::shared_ptr<const void>> StageCache::find_or_claim(const Hash& key, const Progress& progress) {
    std::unique_lock lock(mutex_);
    while (true) {
        if (const auto it = entries_.find(key); it != entries_.end()) {
            uses_.splice(uses_.begin(), uses_, it->second.use);
            return it->second.value;
        }
        if (progress.cancelled()) return Diagnostic{Code::Cancelled, "cancelled", {}, {}};
        if (claims_.insert(key).second) return std::shared_ptr<const void>();
        changed_.wait(lock, progress.stop, [&] { return !claims_.contains(key); });
    }
}

std::shared_ptr<const void> StageCache::find(const Hash& key) {
    const std::lock_guard lock(mutex_);
    const auto it = entries_.find(key);
    if (it == entries_.end()) return nullptr;
    uses_.splice(uses_.begin(), uses_, it->second.use);
    return it->second.value;
}

void StageCache::release(const Hash& key) {
    {
        const std::lock_guard lock(mutex_);
        claims_.erase(key);
    }
    changed_.notify_all();
}

void StageCache::insert(const Hash& key, std::shared_ptr<const void> value, std::size_t bytes) {
    const std::lock_guard lock(mutex_);
    uses_.push_front(key);
    entries_[key] = {std::move(value), bytes, uses_.begin()};
    bytes_ += bytes;
    while (bytes_ > limit_ && uses_.size() > 1) {
        const auto oldest = entries_.find(uses_.back());
        bytes_ -= oldest->second.bytes;
        entries_.erase(oldest);
        uses_.pop_back();
    }
}

void StageCache::clear() {
    const std::lock_guard lock(mutex_);
    entries_.clear();
    uses_.clear();
    bytes_ = 0;
}

} // namespace orrery::session
