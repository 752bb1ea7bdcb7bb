#include "core/tuning/worker_listener.hpp"

#include "core/tuning/worker_process.hpp"

#include <cerrno>
#include <charconv>
#include <csignal>
#include <poll.h>
#include <sys/wait.h>

namespace orrery::tuning {

namespace {

Diagnostic bad_address(const std::string& address, const std::string& why, const std::string& remedy) {
    return {Code::BadArgument, "no worker can listen on \"" + address + "\": " + why, {}, remedy};
}

Result<void> check(const ListenOptions& options) {
    const std::string& address = options.address;
    const std::size_t colon = address.rfind(':');
    int port = 0;
    const char* end = address.data() + address.size();
    const bool number = colon != std::string::npos && colon > 0 &&
                        std::from_chars(address.data() + colon + 1, end, port).ptr == end && port > 0 && port < 65536;
    if (!number) return bad_address(address, "it is not HOST:PORT", "write 127.0.0.1:9190, for example");
    const std::string host = address.substr(0, colon);
    const bool here = host == "localhost" || host == "[::1]" || host.starts_with("127.");
    if (!here && !options.from_outside)
        return bad_address(address, "whoever reaches it can run any code here",
                           "listen on 127.0.0.1, reach it through ssh -L; or allow it with --from-outside");
    return {};
}

/// Ends a process when this does.
struct Child {
    int pid = 0;
    ~Child() {
        if (pid <= 0) return;
        ::kill(pid, SIGKILL);
        int status = 0;
        while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {}
    }
    /// How it ended; nullopt while it lives.
    std::optional<std::string> ended() {
        int status = 0;
        if (::waitpid(pid, &status, WNOHANG) != pid) return std::nullopt;
        pid = 0;
        return describe_end(status);
    }
};

/// Whether it said that it can be called, before its output ended.
bool became_ready(const FileHandle& said, const Progress& progress) {
    std::string text;
    while (text.size() < kReady.size() && !progress.cancelled()) {
        pollfd poll{said.get(), POLLIN, 0};
        if (::poll(&poll, 1, 50) <= 0) continue;
        char part[16];
        const ssize_t got = ::read(said.get(), part, kReady.size() - text.size());
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) break;
        text.append(part, static_cast<std::size_t>(got));
    }
    return text == kReady;
}

} // namespace

Result<void> listen_worker(const ListenOptions& options, const std::function<void(const std::string&)>& say,
                           const Progress& progress) {
    ORRERY_CHECK_OK(check(options));
    while (!progress.cancelled()) {
        ORRERY_TRY(const WorkerProcess started, start_worker(options.program, options.address, {}));
        Child child{started.pid};
        if (!became_ready(started.said, progress)) {
            if (progress.cancelled()) break;
            return no_worker("it cannot listen on " + options.address);
        }
        say("listening on " + options.address);
        std::optional<std::string> end;
        while (!progress.cancelled() && !(end = child.ended())) ::poll(nullptr, 0, 20);
        if (end) say("a worker " + *end + "; another is started");
    }
    return Diagnostic{Code::Cancelled, "the worker was stopped", {}, {}, Severity::Note};
}

} // namespace orrery::tuning
