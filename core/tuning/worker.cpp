#include "core/tuning/worker.hpp"

#include "core/base/file.hpp"
#include "core/tuning/worker_channel.hpp"
#include "core/tuning/worker_process.hpp"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

// Outline: the private folder; the process; the worker; its own life.

namespace orrery::tuning {

namespace {

using Clock = std::chrono::steady_clock;
namespace fs = std::filesystem;

Clock::time_point after(double seconds) {
    return Clock::now() + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
}
double seconds_since(Clock::time_point begin) { return std::chrono::duration<double>(Clock::now() - begin).count(); }

Diagnostic cancelled() { return {Code::Cancelled, "the measurement was cancelled", {}, {}, Severity::Note}; }

/// A folder nobody else can look into, gone with its content at the end.
class PrivateFolder {
  public:
    PrivateFolder() {
        std::error_code ignored;
        // The name of a Unix socket holds 108 bytes: a long TMPDIR is no place for one.
        constexpr std::size_t kLongestTemporary = 70;
        const fs::path temporary = fs::temp_directory_path(ignored);
        const bool usable = !temporary.empty() && temporary.string().size() <= kLongestTemporary;
        std::string name = (usable ? temporary.string() : std::string("/tmp")) + "/orrery-XXXXXX";
        if (::mkdtemp(name.data()) != nullptr) path_ = name;
    }
    ~PrivateFolder() {
        std::error_code ignored;
        if (!path_.empty()) fs::remove_all(path_, ignored);
    }
    PrivateFolder(const PrivateFolder&) = delete;
    PrivateFolder& operator=(const PrivateFolder&) = delete;
    [[nodiscard]] const fs::path& path() const { return path_; }

  private:
    fs::path path_;
};

std::string words_left(const fs::path& file) {
    const Result<std::string> text = read_file(file, 1 << 20);
    if (!text || text->empty()) return {};
    constexpr std::size_t kMost = 400;
    std::string tail = text->substr(text->size() - std::min(kMost, text->size()));
    while (!tail.empty() && tail.back() == '\n') tail.pop_back();
    return tail;
}

} // namespace

struct Worker::State {
    Options options;
    PrivateFolder folder;
    pid_t pid = 0;
    int started = 0;
    FileHandle life; ///< the child's standard input: its end is the child's
    std::unique_ptr<Channel> channel;
    WorkerHost host;
    bool gave_up = false; ///< a call to a worker elsewhere, which ends for it

    [[nodiscard]] fs::path socket() const { return folder.path() / ("worker" + std::to_string(started)); }
    [[nodiscard]] fs::path errors() const { return folder.path() / "errors"; }

    /// The status of a child that ended, waiting for its end until `until`.
    std::optional<int> ended(Clock::time_point until) {
        while (pid > 0) {
            int status = 0;
            const pid_t got = ::waitpid(pid, &status, WNOHANG);
            if (got == pid || (got < 0 && errno == ECHILD)) return forget(), status;
            if (Clock::now() >= until) return std::nullopt;
            ::poll(nullptr, 0, 5);
        }
        return std::nullopt;
    }
    void forget() {
        pid = 0;
        channel.reset();
        life.close();
        std::error_code ignored;
        fs::remove(socket(), ignored);
    }
    void kill() {
        if (!options.address.empty()) channel.reset(), gave_up = true;
        if (pid <= 0) return;
        ::kill(pid, SIGKILL);
        int status = 0;
        while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {}
        forget();
    }

    Result<FileHandle> spawn() {
        if (folder.path().empty()) return no_worker("no temporary folder can be made");
        ++started;
        ORRERY_TRY(WorkerProcess process, start_worker(options.program, socket().string(), errors()));
        pid = process.pid;
        life = std::move(process.life);
        return std::move(process.said);
    }

    /// Until the child says that it can be called.
    Result<void> await(const FileHandle& ready, const Progress& progress) {
        std::string said;
        const auto deadline = after(options.start_seconds);
        while (said.size() < kReady.size()) {
            if (progress.cancelled()) return kill(), cancelled();
            if (Clock::now() >= deadline) return kill(), no_worker("it did not answer in time");
            pollfd poll{ready.get(), POLLIN, 0};
            if (::poll(&poll, 1, 20) <= 0) continue;
            char text[16];
            const ssize_t got = ::read(ready.get(), text, kReady.size() - said.size());
            if (got < 0 && errno == EINTR) continue;
            if (got <= 0) break;
            said.append(text, static_cast<std::size_t>(got));
        }
        if (said == kReady) return {};
        const std::optional<int> status = ended(after(1));
        kill();
        const std::string words = words_left(errors());
        return no_worker("it " + (status ? describe_end(*status) : "said nonsense") +
                         (words.empty() ? "" : ": " + words));
    }

    /// A worker elsewhere; one that ended is being started again by whoever started it.
    Result<void> connect(const Progress& progress) {
        if (channel) return {};
        progress.tell("calling the worker at " + options.address, 0);
        const auto deadline = after(options.start_seconds);
        std::string why = "it did not answer in time";
        while (Clock::now() < deadline && !progress.cancelled()) {
            auto next = std::make_unique<Channel>(options.address);
            CallOutcome<WorkerHost> answer =
                next->hello([&] { return !progress.cancelled() && Clock::now() < deadline; }, gave_up);
            if (answer.value) {
                host = *std::move(answer.value), channel = std::move(next), gave_up = false, ++started;
                return {};
            }
            why = answer.error.message;
            if (answer.error.failure == CallFailure::Refused) break;
            ::poll(nullptr, 0, 50);
        }
        if (progress.cancelled()) return cancelled();
        return Diagnostic{Code::ProcessFailed,
                          "the worker at " + options.address + " cannot be used: " + why,
                          {},
                          "start one there: orrery worker --listen " + options.address};
    }

    Result<void> start(const Progress& progress) {
        if (!options.address.empty()) return connect(progress);
        if (pid > 0 && !ended(Clock::now())) return {};
        progress.tell("starting a process to measure in", 0);
        ORRERY_TRY(const FileHandle ready, spawn());
        ORRERY_CHECK_OK(await(ready, progress));
        channel = std::make_unique<Channel>("unix:" + socket().string());
        const auto deadline = after(options.start_seconds);
        CallOutcome<WorkerHost> answer =
            channel->hello([&] { return !progress.cancelled() && Clock::now() < deadline; });
        if (answer.value) return host = *std::move(answer.value), Result<void>();
        kill();
        if (progress.cancelled()) return cancelled();
        return no_worker(answer.error.message);
    }
};

Worker::Worker(Options options) : state_(std::make_unique<State>()) { state_->options = std::move(options); }

Worker::~Worker() { state_->kill(); }

int Worker::started() const { return state_->started; }
int Worker::process() const { return static_cast<int>(state_->pid); }

Result<WorkerHost> Worker::host(const Progress& progress) {
    ORRERY_CHECK_OK(state_->start(progress));
    return state_->host;
}

Result<WorkerRun> Worker::run(const RunRequest& request, const Progress& progress) {
    ORRERY_CHECK_OK(state_->start(progress));
    const auto begin = Clock::now();
    const auto deadline = after(request.deadline_seconds);
    const double expected = request.warm_up_seconds + request.seconds + 0.1;
    bool late = false;
    CallOutcome<Channel::Answer> answer = state_->channel->run(request, [&] {
        late = Clock::now() >= deadline;
        progress.tell("running " + request.object.symbol, std::min(0.99, seconds_since(begin) / expected));
        return !late && !progress.cancelled();
    });
    WorkerRun out;
    if (answer.value) {
        out.outcome = answer.value->load_error.empty() ? Outcome::Ok : Outcome::CompileError;
        out.reason = std::move(answer.value->load_error);
        out.report = std::move(answer.value->report);
        return out;
    }
    if (progress.cancelled()) return state_->kill(), cancelled();
    if (answer.error.failure == CallFailure::Refused)
        return Diagnostic{Code::LimitExceeded,
                          "this cannot be measured: " + answer.error.message,
                          {ProgramPlace{request.object.symbol, ""}},
                          "choose smaller shapes"};
    if (late) {
        state_->kill();
        char text[64];
        std::snprintf(text, sizeof text, "did not finish within %.3g s", request.deadline_seconds);
        out.outcome = Outcome::TimedOut, out.reason = text;
        return out;
    }
    // The socket closed because the process is ending: what ended it is what is told.
    const std::optional<int> status = state_->ended(after(2));
    state_->kill();
    out.outcome = Outcome::Crashed;
    out.reason = status ? describe_end(*status) : "the worker ended: " + answer.error.message;
    return out;
}

Result<void> serve_worker(const Backend& backend, const std::string& address) {
    return serve(backend, address, [] {
        std::fwrite(kReady.data(), 1, kReady.size(), stdout);
        std::fflush(stdout);
        char ignored[64];
        ssize_t got = 0;
        do got = ::read(0, ignored, sizeof ignored);
        while (got > 0 || (got < 0 && errno == EINTR));
        // A kernel may be running that never ends, and nobody is left who would wait for it.
        ::_exit(0);
    });
}

} // namespace orrery::tuning
