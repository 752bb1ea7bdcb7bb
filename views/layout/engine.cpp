#include "views/layout/engine.hpp"

#include "core/base/file.hpp"
#include "views/layout/graphviz_process.hpp"
#include "views/layout/layered.hpp"
#include "views/layout/wire.hpp"

#include <algorithm>
#include <vector>

namespace orrery::layout {
namespace {

constexpr std::size_t kInMemory = 64;
constexpr std::size_t kOnDisk = 400; ///< files kept; the oldest go first
constexpr std::uint64_t kMaxFileBytes = 64u << 20;

void prune(const std::filesystem::path& directory) {
    namespace fs = std::filesystem;
    std::error_code error;
    std::vector<std::pair<fs::file_time_type, fs::path>> files;
    for (const auto& entry : fs::directory_iterator(directory, error))
        files.emplace_back(entry.last_write_time(error), entry.path());
    if (files.size() <= kOnDisk) return;
    std::sort(files.begin(), files.end());
    for (std::size_t i = 0; i < files.size() - kOnDisk; ++i) fs::remove(files[i].second, error);
}

} // namespace

LayoutEngine::LayoutEngine(Options options) : options_(std::move(options)) {
    if (options_.worker.empty()) options_.worker = find_worker();
}

std::shared_ptr<const Result> LayoutEngine::find(const Hash& key, const Input& input) {
    {
        const std::lock_guard lock(mutex_);
        if (const auto it = index_.find(key); it != index_.end()) {
            recent_.splice(recent_.begin(), recent_, it->second);
            return it->second->second;
        }
    }
    if (options_.cache_directory.empty()) return nullptr;
    const auto bytes = read_file(options_.cache_directory / to_string(key), kMaxFileBytes);
    if (!bytes) return nullptr;
    auto result = decode_result(*bytes);
    if (!result || !fits(*result, input)) return nullptr;
    auto shared = std::make_shared<const Result>(*std::move(result));
    keep(key, shared, false);
    return shared;
}

void LayoutEngine::keep(const Hash& key, const std::shared_ptr<const Result>& result, bool on_disk) {
    {
        const std::lock_guard lock(mutex_);
        if (index_.contains(key)) return;
        recent_.emplace_front(key, result);
        index_[key] = recent_.begin();
        if (recent_.size() > kInMemory) {
            index_.erase(recent_.back().first);
            recent_.pop_back();
        }
    }
    if (!on_disk || options_.cache_directory.empty()) return;
    std::error_code error;
    std::filesystem::create_directories(options_.cache_directory, error);
    // A full disk costs only the next start its cached layout.
    if (write_file(options_.cache_directory / to_string(key), encode(*result))) prune(options_.cache_directory);
}

orrery::Result<std::shared_ptr<const Result>> LayoutEngine::run(const Input& input, const Progress& progress) {
    ORRERY_ASSERT(is_valid(input));
    const Hash key = content_hash(input);
    if (auto cached = find(key, input)) return cached;
    std::string note;
    if (!input.prior.empty()) {
        // Only the layered layout can go on from a picture.
    } else if (input.nodes.size() + input.edges.size() > options_.graphviz_limit) {
        note = "plain layout: too large for Graphviz";
    } else {
        auto drawn = run_graphviz(input, options_.worker, options_.time_box_s, progress);
        if (drawn) {
            auto shared = std::make_shared<const Result>(*std::move(drawn));
            keep(key, shared, true);
            return std::shared_ptr<const Result>(shared);
        }
        if (drawn.error().code == Code::Cancelled) return drawn.error();
        note = "plain layout: " + drawn.error().message;
    }
    if (progress.cancelled()) return Diagnostic{Code::Cancelled, "the layout was cancelled", {}, {}, Severity::Note};
    Result plain = layered(input);
    plain.note = note;
    auto shared = std::make_shared<const Result>(std::move(plain));
    keep(key, shared, false);
    return std::shared_ptr<const Result>(shared);
}

} // namespace orrery::layout
