#include "core/tuning/worker_process.hpp"

#include <array>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>

extern char** environ;

namespace orrery::tuning {

Diagnostic no_worker(const std::string& why) {
    return {Code::ProcessFailed,
            "no process to measure in: " + why,
            {},
            "ORRERY_WORKER can name the program that is started for it; this one is when it is not set"};
}

std::string describe_end(int status) {
    if (WIFSIGNALED(status)) {
        const int signal = WTERMSIG(status);
        const char* name = ::sigdescr_np(signal);
        return "crashed with signal " + std::to_string(signal) + (name ? " (" + std::string(name) + ")" : "");
    }
    if (WIFEXITED(status)) return "ended the process with status " + std::to_string(WEXITSTATUS(status));
    return "ended in an unknown way";
}

Result<WorkerProcess> start_worker(const std::filesystem::path& program, const std::string& address,
                                   const std::filesystem::path& errors) {
    int to_child[2], from_child[2];
    WorkerProcess out;
    if (::pipe2(to_child, O_CLOEXEC) != 0) return no_worker("no pipe");
    const FileHandle input(to_child[0]);
    out.life = FileHandle(to_child[1]);
    if (::pipe2(from_child, O_CLOEXEC) != 0) return no_worker("no pipe");
    out.said = FileHandle(from_child[0]);
    const FileHandle output(from_child[1]);
    const char* named = std::getenv("ORRERY_WORKER");
    const std::string path = !program.empty()  ? program.string()
                             : named && *named ? std::string(named)
                                               : "/proc/self/exe";
    std::string words[] = {"orrery", "worker", "--socket", address};
    std::array<char*, 5> arguments{};
    for (std::size_t i = 0; i < std::size(words); ++i) arguments[i] = words[i].data();
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, input.get(), 0);
    posix_spawn_file_actions_adddup2(&actions, output.get(), 1);
    if (!errors.empty())
        posix_spawn_file_actions_addopen(&actions, 2, errors.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    pid_t pid = 0;
    const int error = ::posix_spawn(&pid, path.c_str(), &actions, nullptr, arguments.data(), environ);
    posix_spawn_file_actions_destroy(&actions);
    if (error != 0) return no_worker(path + " cannot be started: " + std::strerror(error));
    out.pid = static_cast<int>(pid);
    return out;
}

} // namespace orrery::tuning
