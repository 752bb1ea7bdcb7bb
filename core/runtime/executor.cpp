#include "core/runtime/executor.hpp"

#include "core/runtime/thread_pool.hpp"

#include <cstdlib>
#include <new>

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace orrery::runtime {

namespace {

struct Free {
    void operator()(std::byte* memory) const { std::free(memory); }
};
using Memory = std::unique_ptr<std::byte, Free>;

/// 64-byte aligned; null for 0 bytes. In huge pages where it fills some: kernels touch all of it in each run, and each
/// first touch, and each translation that is not in the processor's table, counts there.
Memory allocate(std::size_t bytes) {
    constexpr std::size_t kLine = 64, kHugePage = std::size_t{2} << 20;
    if (bytes == 0) return nullptr;
    const std::size_t alignment = bytes >= kHugePage ? kHugePage : kLine;
    auto* memory =
        static_cast<std::byte*>(std::aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment));
    if (!memory) throw std::bad_alloc();
#if defined(__linux__)
    if (alignment == kHugePage) madvise(memory, bytes / kHugePage * kHugePage, MADV_HUGEPAGE);
#endif
    return Memory(memory);
}

/// A place in the argument arrays that is given anew each run.
struct Patch {
    std::size_t slot = 0;
    std::size_t index = 0;  ///< of the input or output
    std::size_t offset = 0; ///< into an output
};

} // namespace

struct Executor::State {
    std::shared_ptr<const Executable> executable;
    std::shared_ptr<ThreadPool> pool;
    Memory arena;
    std::vector<void*> args;            ///< of all steps, one after another
    std::vector<std::size_t> first_arg; ///< of each step
    std::vector<Patch> inputs, outputs;

    State(std::shared_ptr<const Executable> e, std::shared_ptr<ThreadPool> p)
        : executable(std::move(e)), pool(std::move(p)) {
        const Plan& plan = executable->plan;
        arena = allocate(plan.arena_bytes);
        for (const Step& step : plan.steps) {
            first_arg.push_back(args.size());
            for (std::uint32_t id : step.args) add_arg(plan.values[id]);
            args.push_back(step.workspace_bytes == 0 ? nullptr : arena.get() + step.workspace_offset);
        }
    }

    void add_arg(const Value& value) {
        if (value.storage == Storage::Input) inputs.push_back({args.size(), value.index, 0});
        if (value.storage == Storage::Output) outputs.push_back({args.size(), value.index, value.offset});
        args.push_back(const_cast<void*>(fixed_data(value)));
    }

    /// Null for what is given by the caller of a run.
    [[nodiscard]] const void* fixed_data(const Value& value) const {
        if (value.storage == Storage::Constant) return executable->constants[value.index];
        if (value.storage == Storage::Arena) return arena.get() + value.offset;
        return nullptr;
    }
};

Executor::Executor(std::shared_ptr<const Executable> executable, int threads)
    : Executor(std::move(executable), std::make_shared<ThreadPool>(threads)) {}

Executor::Executor(std::shared_ptr<const Executable> executable, std::shared_ptr<ThreadPool> pool)
    : state_(std::make_unique<State>(std::move(executable), std::move(pool))) {}

Executor::~Executor() = default;

const Plan& Executor::plan() const { return state_->executable->plan; }

bool Executor::run(std::span<const void* const> inputs, std::span<void* const> outputs, StepTimes* times,
                   std::stop_token stop) {
    State& s = *state_;
    for (const Patch& patch : s.inputs) s.args[patch.slot] = const_cast<void*>(inputs[patch.index]);
    for (const Patch& patch : s.outputs)
        s.args[patch.slot] = static_cast<std::byte*>(outputs[patch.index]) + patch.offset;
    const std::vector<Step>& steps = s.executable->plan.steps;
    if (times) times->resize(steps.size());
    using Clock = std::chrono::steady_clock;
    Clock::time_point before = times ? Clock::now() : Clock::time_point();
    for (std::size_t i = 0; i < steps.size(); ++i) {
        if (stop.stop_requested()) return false;
        orrery_context* context = s.pool->context();
        context->data = s.executable->data_of(steps[i].kernel);
        s.executable->kernels[steps[i].kernel](s.args.data() + s.first_arg[i], context);
        if (!times) continue;
        const Clock::time_point after = Clock::now();
        (*times)[i] = std::chrono::duration_cast<std::chrono::nanoseconds>(after - before).count();
        before = after;
    }
    return true;
}

const void* Executor::value_data(std::uint32_t value) const {
    return state_->fixed_data(state_->executable->plan.values[value]);
}

} // namespace orrery::runtime
