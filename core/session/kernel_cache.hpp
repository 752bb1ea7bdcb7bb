#pragma once
// Compiled kernels on disk, by content hash, so that a model opened again starts at once.

#include "core/base/hash.hpp"
#include "core/target/backend.hpp"

#include <filesystem>
#include <optional>

namespace orrery::session {

/// One file a kernel. A damaged file counts as absent. Thread: any; several processes may share the folder.
class KernelCache {
  public:
    /// An empty folder name turns it off.
    explicit KernelCache(std::filesystem::path folder) : folder_(std::move(folder)) {}
    [[nodiscard]] std::optional<KernelObject> find(const Hash& key) const;
    /// A full or read-only disk is no error: the kernel is made again next time.
    void put(const Hash& key, const KernelObject& object) const;

  private:
    [[nodiscard]] std::filesystem::path path_of(const Hash& key) const;
    std::filesystem::path folder_;
};

} // namespace orrery::session
