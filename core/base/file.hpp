#pragma once
// Files: read whole, mapped, written atomically.

#include "core/base/hash.hpp"
#include "core/base/result.hpp"

#include <cstddef>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace orrery {

/// Errors: FileMissing, FileUnreadable, LimitExceeded beyond `max_bytes`.
[[nodiscard]] Result<std::string> read_file(const std::filesystem::path& path, std::uint64_t max_bytes = 1ull << 32);
/// Writes beside the target and renames, so that a failure leaves the old content.
/// Errors: FileUnwritable.
[[nodiscard]] Result<void> write_file(const std::filesystem::path& path, std::string_view content);

/// A read-only mapping; the bytes live as long as `owner`.
struct MappedFile {
    std::shared_ptr<const void> owner;
    std::span<const std::byte> bytes;
};
/// Errors: FileMissing, FileUnreadable.
[[nodiscard]] Result<MappedFile> map_file(const std::filesystem::path& path);

/// A file's bytes in memory of this process: whatever becomes of the file afterwards, they stay.
struct LoadedFile {
    std::shared_ptr<const void> owner;
    std::span<const std::byte> bytes;
    Hash content; ///< of the bytes; not what hash_bytes gives
};
/// Reads and hashes piece by piece, on all cores.
/// Errors: FileMissing, FileUnreadable, LimitExceeded beyond `max_bytes`.
[[nodiscard]] Result<LoadedFile> load_file(const std::filesystem::path& path, std::uint64_t max_bytes = 1ull << 32);
/// Differs once a file is written again: of its device, node, size and times. nullopt where that is not certain: no
/// such file, or one written within the last two seconds, since its times are coarse.
[[nodiscard]] std::optional<Hash> file_stamp(const std::filesystem::path& path);

/// The folder for results kept between runs: $ORRERY_CACHE_DIR, else $XDG_CACHE_HOME/orrery, else ~/.cache/orrery.
/// Not created.
[[nodiscard]] std::filesystem::path cache_directory();

} // namespace orrery
