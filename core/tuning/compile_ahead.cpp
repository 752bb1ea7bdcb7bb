#include "core/tuning/compile_ahead.hpp"

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <thread>

namespace orrery::tuning {

struct CompileAhead::State {
    How how;
    std::vector<tensor::Program> programs;
    std::mutex mutex;
    std::condition_variable done;
    std::vector<std::optional<Result<KernelObject>>> objects;
    std::size_t next = 0, finished = 0;
    std::stop_source stop;
    std::vector<std::jthread> workers; ///< last: they end before the rest does

    void work() {
        while (true) {
            std::size_t index = 0;
            {
                const std::lock_guard lock(mutex);
                if (next >= programs.size() || stop.stop_requested()) return;
                index = next++;
            }
            Result<KernelObject> object = compile(index);
            const std::lock_guard lock(mutex);
            objects[index] = std::move(object);
            ++finished;
            done.notify_all();
        }
    }
    /// A bug of a code generator is that candidate's end, not the tuning's.
    Result<KernelObject> compile(std::size_t index) {
        try {
            return how.backend.compile(programs[index], how.target, how.build, {stop.get_token(), {}});
        } catch (const std::exception& failure) {
            return Diagnostic{Code::Internal, failure.what(), {ProgramPlace{programs[index]->name, ""}}, {}};
        }
    }
    /// Until `ready`, looking now and then whether that is still wanted.
    template <class Ready> bool wait(const Progress& progress, const Ready& ready) {
        std::unique_lock lock(mutex);
        while (!ready()) {
            if (progress.cancelled()) return false;
            done.wait_for(lock, std::chrono::milliseconds(50));
        }
        return true;
    }
};

CompileAhead::CompileAhead(const How& how, std::vector<tensor::Program> programs)
    : state_(new State{how, std::move(programs), {}, {}, {}, 0, 0, {}, {}}) {
    state_->objects.resize(state_->programs.size());
    const std::size_t count = std::min(state_->programs.size(), static_cast<std::size_t>(std::max(1, how.workers)));
    for (std::size_t i = 0; i < count; ++i) state_->workers.emplace_back([state = state_.get()] { state->work(); });
}

CompileAhead::~CompileAhead() { state_->stop.request_stop(); }

Result<KernelObject> CompileAhead::take(std::size_t index, const Progress& progress) {
    if (!state_->wait(progress, [&] { return state_->objects[index].has_value(); }))
        return Diagnostic{Code::Cancelled, "compiling was cancelled", {}, {}, Severity::Note};
    const std::lock_guard lock(state_->mutex);
    return std::move(*state_->objects[index]);
}

bool CompileAhead::wait_all(const Progress& progress) {
    return state_->wait(progress, [&] { return state_->finished == state_->programs.size(); });
}

} // namespace orrery::tuning
