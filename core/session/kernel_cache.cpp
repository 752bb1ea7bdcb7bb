#include "core/session/kernel_cache.hpp"

#include "core/base/file.hpp"

#include <cstring>
#include <system_error>

namespace orrery::session {

namespace {

/// Bumped whenever generated code or this file format changes, so that old kernels are not taken for new ones.
constexpr std::uint64_t kFormat = 16;

struct Header {
    char magic[8] = {'O', 'R', 'K', 'E', 'R', 'N', 'E', 'L'};
    std::uint64_t format = kFormat;
    Hash content; ///< of everything after the header
    std::uint64_t symbol_bytes = 0, object_bytes = 0, workspace_bytes = 0;
};

} // namespace

std::filesystem::path KernelCache::path_of(const Hash& key) const {
    const std::string name = to_string(key);
    return folder_ / "kernels" / name.substr(0, 2) / (name + ".o");
}

std::optional<KernelObject> KernelCache::find(const Hash& key) const {
    if (folder_.empty()) return std::nullopt;
    const Result<std::string> content = read_file(path_of(key), 64u << 20);
    if (!content || content->size() < sizeof(Header)) return std::nullopt;
    Header header;
    const Header expected;
    std::memcpy(&header, content->data(), sizeof header);
    if (std::memcmp(header.magic, expected.magic, sizeof header.magic) != 0 || header.format != kFormat)
        return std::nullopt;
    const std::size_t rest = content->size() - sizeof header;
    if (header.symbol_bytes > rest || header.object_bytes != rest - header.symbol_bytes) return std::nullopt;
    if (hash_bytes(content->data() + sizeof header, rest) != header.content) return std::nullopt;
    return KernelObject{content->substr(sizeof header, header.symbol_bytes),
                        content->substr(sizeof header + header.symbol_bytes), header.workspace_bytes, 0};
}

void KernelCache::put(const Hash& key, const KernelObject& object) const {
    if (folder_.empty()) return;
    const std::string body = object.symbol + object.object;
    Header header;
    header.symbol_bytes = object.symbol.size();
    header.object_bytes = object.object.size();
    header.workspace_bytes = object.workspace_bytes;
    header.content = hash_bytes(body.data(), body.size());
    std::string content(sizeof header, '\0');
    std::memcpy(content.data(), &header, sizeof header);
    content += body;
    const std::filesystem::path path = path_of(key);
    std::error_code ignored;
    std::filesystem::create_directories(path.parent_path(), ignored);
    // Failing to keep a kernel costs time later, nothing else.
    [[maybe_unused]] const Result<void> written = write_file(path, content);
}

} // namespace orrery::session
