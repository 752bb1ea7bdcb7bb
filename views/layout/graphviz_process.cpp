#include "views/layout/graphviz_process.hpp"

#include "views/layout/wire.hpp"

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

extern char** environ;

namespace orrery::layout {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kPollMs = 15;

class Pipe {
  public:
    Pipe() { ok_ = ::pipe2(ends_, O_CLOEXEC) == 0; }
    ~Pipe() { close(0), close(1); }
    Pipe(const Pipe&) = delete;
    Pipe& operator=(const Pipe&) = delete;
    void close(int end) {
        if (ok_ && ends_[end] >= 0) ::close(ends_[end]);
        ends_[end] = -1;
    }
    [[nodiscard]] bool ok() const { return ok_; }
    [[nodiscard]] int end(int which) const { return ends_[which]; }

  private:
    int ends_[2] = {-1, -1};
    bool ok_ = false;
};

/// Kills and reaps the child unless it was reaped already.
class Child {
  public:
    explicit Child(pid_t pid) : pid_(pid) {}
    ~Child() {
        if (pid_ <= 0) return;
        ::kill(pid_, SIGKILL);
        wait();
    }
    Child(const Child&) = delete;
    Child& operator=(const Child&) = delete;
    /// The exit status as waitpid gives it.
    int wait() {
        int status = 0;
        while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {}
        pid_ = 0;
        return status;
    }

  private:
    pid_t pid_;
};

Diagnostic failed(std::string message) { return {Code::ProcessFailed, std::move(message), {}, {}, Severity::Warning}; }

orrery::Result<pid_t> spawn(const std::filesystem::path& worker, const Pipe& to_child, const Pipe& from_child) {
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, to_child.end(0), 0);
    posix_spawn_file_actions_adddup2(&actions, from_child.end(1), 1);
    posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
    std::string path = worker.string();
    char* arguments[] = {path.data(), nullptr};
    pid_t pid = 0;
    const int error = ::posix_spawn(&pid, path.c_str(), &actions, nullptr, arguments, environ);
    posix_spawn_file_actions_destroy(&actions);
    if (error != 0) return failed("cannot start the layout helper " + path);
    return pid;
}

/// Feeds `request` and gathers the answer until the child closes its end.
orrery::Result<std::string> talk(Pipe& to_child, Pipe& from_child, std::string_view request, Clock::time_point deadline,
                                 const Progress& progress) {
    ::fcntl(to_child.end(1), F_SETFL, O_NONBLOCK);
    std::string answer;
    std::string chunk(1 << 16, '\0');
    while (true) {
        if (progress.cancelled())
            return Diagnostic{Code::Cancelled, "the layout was cancelled", {}, {}, Severity::Note};
        if (Clock::now() >= deadline) return failed("Graphviz passed its time box");
        pollfd fds[2] = {{from_child.end(0), POLLIN, 0}, {to_child.end(1), POLLOUT, 0}};
        if (::poll(fds, to_child.end(1) >= 0 ? 2 : 1, kPollMs) < 0 && errno != EINTR) return failed("poll failed");
        if (to_child.end(1) >= 0 && (fds[1].revents & (POLLOUT | POLLERR)) != 0) {
            const ssize_t sent = ::write(to_child.end(1), request.data(), request.size());
            if (sent > 0) request.remove_prefix(static_cast<std::size_t>(sent));
            if (request.empty() || (sent < 0 && errno != EAGAIN && errno != EINTR)) to_child.close(1);
        }
        if ((fds[0].revents & (POLLIN | POLLHUP)) != 0) {
            const ssize_t got = ::read(from_child.end(0), chunk.data(), chunk.size());
            if (got == 0) return answer;
            if (got > 0) answer.append(chunk.data(), static_cast<std::size_t>(got));
        }
    }
}

/// A child that died must not take this program with it.
void ignore_broken_pipes() {
    struct sigaction now {};
    if (::sigaction(SIGPIPE, nullptr, &now) == 0 && now.sa_handler == SIG_DFL) ::signal(SIGPIPE, SIG_IGN);
}

} // namespace

std::filesystem::path find_worker() {
    if (const char* named = std::getenv("ORRERY_LAYOUT_WORKER")) return named;
    std::error_code error;
    const auto self = std::filesystem::read_symlink("/proc/self/exe", error);
    if (error) return {};
    const auto beside = self.parent_path() / "orrery-layout";
    return std::filesystem::exists(beside, error) ? beside : std::filesystem::path();
}

orrery::Result<Result> run_graphviz(const Input& input, const std::filesystem::path& worker, double seconds,
                                    const Progress& progress) {
    if (worker.empty()) return failed("the layout helper orrery-layout is not installed beside the program");
    ignore_broken_pipes();
    Pipe to_child, from_child;
    if (!to_child.ok() || !from_child.ok()) return failed("no pipe for the layout helper");
    const auto deadline =
        Clock::now() + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
    ORRERY_TRY(const pid_t pid, spawn(worker, to_child, from_child));
    Child child(pid);
    to_child.close(0);
    from_child.close(1);
    ORRERY_TRY(const std::string answer, talk(to_child, from_child, encode(input), deadline, progress));
    const int status = child.wait();
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) return failed("Graphviz failed on this graph");
    auto result = decode_result(answer);
    if (!result || !fits(*result, input)) return failed("Graphviz gave no usable layout");
    return *std::move(result);
}

} // namespace orrery::layout
