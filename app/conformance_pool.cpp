#include "app/conformance_pool.hpp"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstring>
#include <exception>
#include <optional>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

namespace orrery::app {

namespace {

using Clock = std::chrono::steady_clock;

bool write_all(int fd, const void* data, std::size_t size) {
    const char* at = static_cast<const char*>(data);
    while (size > 0) {
        const ssize_t n = ::send(fd, at, size, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return false;
        at += n;
        size -= static_cast<std::size_t>(n);
    }
    return true;
}

bool read_all(int fd, void* data, std::size_t size) {
    char* at = static_cast<char*>(data);
    while (size > 0) {
        const ssize_t n = ::read(fd, at, size);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return false;
        at += n;
        size -= static_cast<std::size_t>(n);
    }
    return true;
}

/// What stands before an answer's bytes.
struct Header {
    std::uint64_t size = 0;
    std::uint64_t failed = 0; ///< 1: the work threw, and the bytes say what
};

/// A worker's life: an item's number in, a header and the answer out, until the other end closes.
[[noreturn]] void serve(int fd, const std::function<std::string(std::size_t)>& work) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL); // no worker outlives the run
    std::uint64_t item = 0;
    while (read_all(fd, &item, sizeof item)) {
        std::string answer;
        Header header;
        try {
            answer = work(item);
        } catch (const std::exception& failure) { // this process's main
            answer = failure.what();
            header.failed = 1;
        }
        header.size = answer.size();
        if (!write_all(fd, &header, sizeof header) || !write_all(fd, answer.data(), answer.size())) break;
    }
    ::_exit(0);
}

class Worker {
  public:
    Worker() = default;
    Worker(const Worker&) = delete;
    Worker& operator=(const Worker&) = delete;
    ~Worker() { kill(); }

    bool start(const std::function<std::string(std::size_t)>& work) {
        int ends[2];
        if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) return false;
        pid_ = ::fork();
        if (pid_ == 0) {
            ::close(ends[0]);
            serve(ends[1], work);
        }
        ::close(ends[1]);
        fd_ = ends[0];
        if (pid_ > 0) return true;
        ::close(fd_);
        fd_ = -1;
        return false;
    }

    bool give(std::size_t item, Clock::time_point deadline) {
        item_ = item;
        deadline_ = deadline;
        const std::uint64_t number = item;
        return write_all(fd_, &number, sizeof number);
    }

    std::optional<ItemResult> answer() {
        Header header;
        if (!read_all(fd_, &header, sizeof header)) return std::nullopt;
        std::string text(header.size, '\0');
        if (!read_all(fd_, text.data(), text.size())) return std::nullopt;
        if (header.failed) return ItemResult{ItemResult::End::Crashed, "internal error: " + text};
        return ItemResult{ItemResult::End::Answered, std::move(text)};
    }

    /// Ends the process and says how it had ended.
    std::string stop() {
        if (pid_ <= 0) return {};
        ::close(fd_);
        int status = 0;
        // A worker whose socket closed is ending by itself: its own status is the one to tell.
        for (int tries = 0; tries < 100 && !expired_; ++tries) {
            if (::waitpid(pid_, &status, WNOHANG) == pid_) return describe(status);
            ::usleep(1000);
        }
        ::kill(pid_, SIGKILL);
        ::waitpid(pid_, &status, 0);
        return describe(status);
    }

    std::string kill() {
        expired_ = true;
        return stop();
    }

    [[nodiscard]] bool busy() const { return item_.has_value(); }
    [[nodiscard]] std::size_t item() const { return *item_; }
    void done() { item_.reset(); }
    [[nodiscard]] Clock::time_point deadline() const { return deadline_; }
    [[nodiscard]] int fd() const { return fd_; }
    [[nodiscard]] bool running() const { return pid_ > 0; }

  private:
    std::string describe(int status) {
        pid_ = -1;
        fd_ = -1;
        expired_ = false;
        if (WIFSIGNALED(status))
            return std::string("ended by signal ") + std::to_string(WTERMSIG(status)) + " (" +
                   strsignal(WTERMSIG(status)) + ")";
        return "ended with status " + std::to_string(WEXITSTATUS(status));
    }

    pid_t pid_ = -1;
    int fd_ = -1;
    bool expired_ = false;
    std::optional<std::size_t> item_;
    Clock::time_point deadline_;
};

class Pool {
  public:
    Pool(std::size_t count, const std::function<std::string(std::size_t)>& work, const PoolOptions& options)
        : work_(work), options_(options), results_(count),
          workers_(std::min(count, static_cast<std::size_t>(std::max(1, options.workers)))) {}

    Result<std::vector<ItemResult>> run(const Progress& progress) {
        while (finished_ < results_.size()) {
            if (progress.cancelled()) return Diagnostic{Code::Cancelled, "cancelled", {}, {}};
            for (Worker& worker : workers_) ORRERY_CHECK_OK(feed(worker));
            wait();
            progress.tell("conformance", static_cast<double>(finished_) / static_cast<double>(results_.size()));
        }
        return std::move(results_);
    }

  private:
    Result<void> feed(Worker& worker) {
        if (worker.busy() || next_ == results_.size()) return {};
        for (int tries = 0; tries < 2; ++tries) {
            if (!worker.running() && !worker.start(work_))
                return Diagnostic{
                    Code::ProcessFailed, std::string("cannot start a worker process: ") + std::strerror(errno), {}, {}};
            if (worker.give(next_, Clock::now() + std::chrono::seconds(options_.item_seconds))) {
                ++next_;
                return {};
            }
            worker.done();
            worker.stop();
        }
        return Diagnostic{Code::ProcessFailed, "a worker process ends as soon as it starts", {}, {}};
    }

    /// Until an answer, an end, or the next deadline; at most a tenth of a second, so that a request to stop is seen.
    void wait() {
        std::vector<pollfd> fds;
        std::vector<Worker*> busy;
        for (Worker& worker : workers_)
            if (worker.busy()) {
                fds.push_back({worker.fd(), POLLIN, 0});
                busy.push_back(&worker);
            }
        if (::poll(fds.data(), fds.size(), 100) < 0 && errno != EINTR) return;
        for (std::size_t i = 0; i < fds.size(); ++i) {
            if (fds[i].revents)
                receive(*busy[i]);
            else if (Clock::now() > busy[i]->deadline())
                finish(*busy[i],
                       {ItemResult::End::TimedOut,
                        (busy[i]->kill(), "took longer than " + std::to_string(options_.item_seconds) + " s")});
        }
    }

    void receive(Worker& worker) {
        if (std::optional<ItemResult> result = worker.answer()) return finish(worker, *std::move(result));
        finish(worker, {ItemResult::End::Crashed, "crashed: its process " + worker.stop()});
    }

    void finish(Worker& worker, ItemResult result) {
        results_[worker.item()] = std::move(result);
        worker.done();
        ++finished_;
    }

    const std::function<std::string(std::size_t)>& work_;
    const PoolOptions options_;
    std::vector<ItemResult> results_;
    std::vector<Worker> workers_;
    std::size_t next_ = 0, finished_ = 0;
};

} // namespace

Result<std::vector<ItemResult>> run_in_processes(std::size_t count, const std::function<std::string(std::size_t)>& work,
                                                 const PoolOptions& options, const Progress& progress) {
    return Pool(count, work, options).run(progress);
}

} // namespace orrery::app
