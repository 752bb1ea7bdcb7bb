#pragma once
// Results by content hash: least recently used go first; equal work under way is waited for, not repeated.

#include "core/base/hash.hpp"
#include "core/base/progress.hpp"
#include "core/base/result.hpp"

#include <condition_variable>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <unordered_set>

namespace orrery::session {

/// Thread: any. Errors are not kept.
class StageCache {
  public:
    explicit StageCache(std::size_t limit_bytes) : limit_(limit_bytes) {}

    template <class T> struct Made {
        std::shared_ptr<const T> value;
        std::size_t bytes = 0; ///< what keeping it costs
    };

    /// The value under `key`, computed when it is not there. One caller computes, others wait; when that one was
    /// cancelled, a waiter takes over. Pre: a key stands for one type.
    template <class T> Result<std::shared_ptr<const T>> get(const Hash& key, const Progress& progress,
                                                            const std::function<Result<Made<T>>()>& make) {
        ORRERY_TRY(const std::shared_ptr<const void> found, find_or_claim(key, progress));
        if (found) return std::static_pointer_cast<const T>(found);
        struct Release {
            StageCache& cache;
            const Hash& key;
            ~Release() { cache.release(key); }
        } release{*this, key};
        Result<Made<T>> made = make();
        if (!made) return std::move(made.error());
        insert(key, made->value, made->bytes);
        return made->value;
    }

    /// The value under `key` when it is there already; null otherwise. Never waits.
    template <class T> std::shared_ptr<const T> ready(const Hash& key) {
        return std::static_pointer_cast<const T>(find(key));
    }

    void clear();

  private:
    struct Entry {
        std::shared_ptr<const void> value;
        std::size_t bytes = 0;
        std::list<Hash>::iterator use;
    };
    /// The value, or null when the caller must compute it: it then holds the claim. Errors: Cancelled while waiting.
    Result<std::shared_ptr<const void>> find_or_claim(const Hash& key, const Progress& progress);
    std::shared_ptr<const void> find(const Hash& key);
    void release(const Hash& key);
    void insert(const Hash& key, std::shared_ptr<const void> value, std::size_t bytes);

    std::mutex mutex_;
    std::condition_variable_any changed_;
    std::unordered_map<Hash, Entry> entries_;
    std::unordered_set<Hash> claims_;
    std::list<Hash> uses_; ///< most recent first
    std::size_t bytes_ = 0, limit_ = 0;
};

} // namespace orrery::session
