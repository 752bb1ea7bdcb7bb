#include "core/base/file.hpp"

#include "core/base/ndarray.hpp"
#include "core/base/parallel.hpp"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <vector>

namespace orrery {

namespace {

Diagnostic file_error(Code code, const std::filesystem::path& path, const std::string& what) {
    return {code, what + ": " + std::strerror(errno), {FileOffset{path.string(), -1}}, {}};
}

/// Closes on scope exit.
struct Descriptor {
    int fd = -1;
    ~Descriptor() {
        if (fd >= 0) ::close(fd);
    }
};

Result<std::uint64_t> open_regular(const std::filesystem::path& path, Descriptor& file) {
    file.fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (file.fd < 0)
        return file_error(errno == ENOENT ? Code::FileMissing : Code::FileUnreadable, path, "cannot open the file");
    struct stat info {};
    if (::fstat(file.fd, &info) != 0) return file_error(Code::FileUnreadable, path, "cannot read the file's size");
    if (!S_ISREG(info.st_mode))
        return Diagnostic{Code::FileUnreadable, "not a regular file", {FileOffset{path.string(), -1}}, {}};
    return static_cast<std::uint64_t>(info.st_size);
}

Diagnostic too_large(const std::filesystem::path& path, std::uint64_t size, std::uint64_t limit) {
    return {Code::LimitExceeded,
            "the file has " + std::to_string(size) + " bytes, more than the limit of " + std::to_string(limit),
            {FileOffset{path.string(), -1}},
            {}};
}

/// Fills `out` from a place in the file on; 0, or the error's number. A file that has become shorter is an error.
int read_at(int fd, std::span<std::byte> out, std::size_t from) {
    while (!out.empty()) {
        const ssize_t n = ::pread(fd, out.data(), out.size(), static_cast<off_t>(from));
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return n < 0 ? errno : EIO;
        out = out.subspan(static_cast<std::size_t>(n));
        from += static_cast<std::size_t>(n);
    }
    return 0;
}

} // namespace

Result<std::string> read_file(const std::filesystem::path& path, std::uint64_t max_bytes) {
    Descriptor file;
    ORRERY_TRY(const std::uint64_t size, open_regular(path, file));
    if (size > max_bytes) return too_large(path, size, max_bytes);
    std::string content(size, '\0');
    for (std::size_t done = 0; done < size;) {
        const ssize_t n = ::read(file.fd, content.data() + done, size - done);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return file_error(Code::FileUnreadable, path, "cannot read the file");
        if (n == 0) {
            content.resize(done);
            break;
        }
        done += static_cast<std::size_t>(n);
    }
    return content;
}

Result<void> write_file(const std::filesystem::path& path, std::string_view content) {
    std::string temporary = path.string() + ".XXXXXX";
    Descriptor file{::mkstemp(temporary.data())};
    if (file.fd < 0) return file_error(Code::FileUnwritable, path, "cannot write beside the file");
    ::fchmod(file.fd, 0644);
    for (std::size_t done = 0; done < content.size();) {
        const ssize_t n = ::write(file.fd, content.data() + done, content.size() - done);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) {
            Diagnostic error = file_error(Code::FileUnwritable, path, "cannot write the file");
            ::unlink(temporary.c_str());
            return error;
        }
        done += static_cast<std::size_t>(n);
    }
    if (::rename(temporary.c_str(), path.c_str()) != 0) {
        Diagnostic error = file_error(Code::FileUnwritable, path, "cannot replace the file");
        ::unlink(temporary.c_str());
        return error;
    }
    return {};
}

Result<MappedFile> map_file(const std::filesystem::path& path) {
    Descriptor file;
    ORRERY_TRY(const std::uint64_t size, open_regular(path, file));
    if (size == 0) return MappedFile{};
    void* memory = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file.fd, 0);
    if (memory == MAP_FAILED) return file_error(Code::FileUnreadable, path, "cannot map the file");
    std::shared_ptr<const void> owner(memory, [size](const void* p) { ::munmap(const_cast<void*>(p), size); });
    return MappedFile{owner, {static_cast<const std::byte*>(memory), size}};
}

Result<LoadedFile> load_file(const std::filesystem::path& path, std::uint64_t max_bytes) {
    Descriptor file;
    ORRERY_TRY(const std::uint64_t size, open_regular(path, file));
    if (size > max_bytes) return too_large(path, size, max_bytes);
    constexpr std::size_t kPieceBytes = std::size_t{1} << 20; // our choice: still in a cache when it is hashed
    NDArray memory = NDArray::allocate(DType::U8, {static_cast<std::int64_t>(size)});
    const std::span<std::byte> bytes = std::as_writable_bytes(memory.mutable_values<std::uint8_t>());
    const std::size_t pieces = (bytes.size() + kPieceBytes - 1) / kPieceBytes;
    std::vector<Hash> hashes(pieces);
    std::vector<int> errors(pieces, 0);
    parallel_for(pieces, 0, [&](std::size_t i) {
        const std::size_t from = i * kPieceBytes;
        const std::span<std::byte> piece = bytes.subspan(from, std::min(kPieceBytes, bytes.size() - from));
        errors[i] = read_at(file.fd, piece, from);
        hashes[i] = hash_bytes(piece.data(), piece.size());
    });
    for (const int error : errors)
        if (error != 0) {
            errno = error;
            return file_error(Code::FileUnreadable, path, "cannot read the file");
        }
    Hasher hasher;
    hasher.add(size);
    for (const Hash& hash : hashes) hasher.add(hash);
    return LoadedFile{memory.owner(), bytes, hasher.finish()};
}

std::optional<Hash> file_stamp(const std::filesystem::path& path) {
    struct stat info {};
    if (::stat(path.c_str(), &info) != 0) return std::nullopt;
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    Hasher hasher;
    hasher.add(static_cast<std::uint64_t>(info.st_dev)).add(static_cast<std::uint64_t>(info.st_ino));
    hasher.add(static_cast<std::int64_t>(info.st_size));
    for (const timespec& time : {info.st_mtim, info.st_ctim}) {
        const auto written = std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
        if (written + std::chrono::seconds(2) > now) return std::nullopt;
        hasher.add(static_cast<std::int64_t>(time.tv_sec)).add(static_cast<std::int64_t>(time.tv_nsec));
    }
    return hasher.finish();
}

std::filesystem::path cache_directory() {
    if (const char* own = std::getenv("ORRERY_CACHE_DIR"); own && *own) return own;
    if (const char* xdg = std::getenv("XDG_CACHE_HOME"); xdg && *xdg) return std::filesystem::path(xdg) / "orrery";
    const char* home = std::getenv("HOME");
    return std::filesystem::path(home && *home ? home : "/tmp") / ".cache" / "orrery";
}

} // namespace orrery
