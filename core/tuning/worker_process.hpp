#pragma once
// Internal to core/tuning: starting worker processes, and how they end.

#include "core/base/result.hpp"

#include <filesystem>
#include <string>
#include <string_view>
#include <unistd.h>
#include <utility>

namespace orrery::tuning {

/// What a worker says once it can be called.
inline constexpr std::string_view kReady = "ready\n";

/// An open file of the system, closed at the end.
class FileHandle {
  public:
    FileHandle() = default;
    explicit FileHandle(int fd) : fd_(fd) {}
    ~FileHandle() { close(); }
    FileHandle(FileHandle&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    FileHandle& operator=(FileHandle&& other) noexcept {
        close();
        fd_ = std::exchange(other.fd_, -1);
        return *this;
    }
    void close() {
        if (fd_ >= 0) ::close(fd_);
        fd_ = -1;
    }
    [[nodiscard]] int get() const { return fd_; }

  private:
    int fd_ = -1;
};

/// A process just started.
struct WorkerProcess {
    int pid = 0;
    FileHandle life; ///< its standard input: it ends when this is closed
    FileHandle said; ///< its standard output
};
/// Starts `PROGRAM worker --socket ADDRESS`. `errors` is the file its standard error is written to; empty: ours.
/// Program empty: $ORRERY_WORKER, else this one. Errors: ProcessFailed.
[[nodiscard]] Result<WorkerProcess> start_worker(const std::filesystem::path& program, const std::string& address,
                                                 const std::filesystem::path& errors);
/// "crashed with signal 11 (Segmentation fault)", from what waitpid says.
[[nodiscard]] std::string describe_end(int status);
/// That there is no process to measure in, because.
[[nodiscard]] Diagnostic no_worker(const std::string& why);

} // namespace orrery::tuning
