#pragma once
// Layout with a cache: Graphviz inside its time box, else the layered layout.

#include "core/base/progress.hpp"
#include "core/base/result.hpp"
#include "views/layout/layout.hpp"

#include <filesystem>
#include <list>
#include <memory>
#include <mutex>
#include <unordered_map>

namespace orrery::layout {

struct Options {
    double time_box_s = 1.0;               ///< what Graphviz gets. Source: issue, "within its time box"
    std::size_t graphviz_limit = 900;      ///< nodes plus edges beyond which Graphviz is not even asked
    std::filesystem::path worker;          ///< the helper program; empty: find_worker()
    std::filesystem::path cache_directory; ///< where layouts are kept between runs; empty: only in memory
};

/// Thread: `run` may be called from any thread, several at once.
class LayoutEngine {
  public:
    explicit LayoutEngine(Options options = {});

    /// The layout of `input`; one that goes on from a picture (Input::prior) is layered. Pre: is_valid(input).
    /// Errors: Cancelled only; whatever befalls Graphviz ends in the layered layout and a note.
    [[nodiscard]] orrery::Result<std::shared_ptr<const Result>> run(const Input& input, const Progress& progress = {});

  private:
    [[nodiscard]] std::shared_ptr<const Result> find(const Hash& key, const Input& input);
    void keep(const Hash& key, const std::shared_ptr<const Result>& result, bool on_disk);

    Options options_;
    std::mutex mutex_;
    std::list<std::pair<Hash, std::shared_ptr<const Result>>> recent_; ///< newest first
    std::unordered_map<Hash, decltype(recent_)::iterator> index_;
};

} // namespace orrery::layout
