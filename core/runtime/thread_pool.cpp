#include "core/runtime/thread_pool.hpp"

#include <algorithm>
#include <atomic>
#include <thread>
#include <vector>

#if defined(__x86_64__) || defined(__i386__)
#include <immintrin.h>
#endif

namespace orrery::runtime {

namespace {

/// Turns of the spin loop before a thread parks: some tens of microseconds, about what waking a parked thread costs,
/// so that kernels in a row find their workers awake.
constexpr int kSpins = 1000;

thread_local bool inside_parallel_loop = false;

void relax() {
#if defined(__x86_64__) || defined(__i386__)
    _mm_pause();
#elif defined(__aarch64__)
    asm volatile("yield");
#endif
}

/// Returns once `word` no longer holds `old`.
void wait_while(const std::atomic<std::uint32_t>& word, std::uint32_t old) {
    for (int i = 0; i < kSpins; ++i) {
        if (word.load(std::memory_order_acquire) != old) return;
        relax();
    }
    word.wait(old, std::memory_order_acquire);
}

struct Job {
    orrery_loop_body body = nullptr;
    void* closure = nullptr;
    std::int64_t extent = 0;
    int parts = 0;

    void run(int part) const {
        const std::int64_t whole = extent / parts, rest = extent % parts; // extent * part may overflow
        const std::int64_t begin = whole * part + std::min<std::int64_t>(part, rest);
        const std::int64_t end = begin + whole + (part < rest ? 1 : 0);
        body(begin, end, closure);
    }
};

/// A worker's own line: raised by the caller when there is a part for it.
struct alignas(64) Ticket {
    std::atomic<std::uint32_t> number{0};
};

} // namespace

struct ThreadPool::State {
    struct Context : orrery_context {
        ThreadPool* pool = nullptr;
    };
    Context context;
    Job job;                                           ///< written before tickets are raised, read after
    std::vector<Ticket> tickets;                       ///< one a worker
    alignas(64) std::atomic<std::uint32_t> pending{0}; ///< parts not yet finished by workers
    std::atomic<bool> stopping{false};
    std::vector<std::thread> workers;

    explicit State(int threads) : tickets(static_cast<std::size_t>(threads - 1)) {}

    void work(int index) {
        inside_parallel_loop = true; // loops inside bodies stay on this thread
        std::uint32_t seen = 0;
        std::atomic<std::uint32_t>& ticket = tickets[static_cast<std::size_t>(index)].number;
        for (;;) {
            wait_while(ticket, seen);
            ++seen;
            if (stopping.load(std::memory_order_acquire)) return;
            job.run(index + 1);
            if (pending.fetch_sub(1, std::memory_order_acq_rel) == 1) pending.notify_one();
        }
    }
};

ThreadPool::ThreadPool(int threads) : state_(std::make_unique<State>(std::max(threads, 1))) {
    state_->context.pool = this;
    state_->context.threads = size();
    state_->context.data = nullptr;
    state_->context.parallel_for = [](orrery_context* context, std::int64_t extent, orrery_loop_body body,
                                      void* closure) {
        static_cast<State::Context*>(context)->pool->parallel_for(extent, body, closure);
    };
    for (int i = 0; i + 1 < threads; ++i) state_->workers.emplace_back([state = state_.get(), i] { state->work(i); });
}

ThreadPool::~ThreadPool() {
    state_->stopping.store(true, std::memory_order_release);
    for (Ticket& ticket : state_->tickets) {
        ticket.number.fetch_add(1, std::memory_order_release);
        ticket.number.notify_one();
    }
    for (std::thread& worker : state_->workers) worker.join();
}

int ThreadPool::size() const { return static_cast<int>(state_->tickets.size()) + 1; }

orrery_context* ThreadPool::context() { return &state_->context; }

void ThreadPool::parallel_for(std::int64_t extent, orrery_loop_body body, void* closure) {
    if (extent <= 0) return;
    const int parts = static_cast<int>(std::min<std::int64_t>(extent, size()));
    if (parts == 1 || inside_parallel_loop) {
        body(0, extent, closure);
        return;
    }
    State& s = *state_;
    s.job = {body, closure, extent, parts};
    s.pending.store(static_cast<std::uint32_t>(parts - 1), std::memory_order_relaxed);
    for (int i = 0; i + 1 < parts; ++i) {
        std::atomic<std::uint32_t>& ticket = s.tickets[static_cast<std::size_t>(i)].number;
        ticket.fetch_add(1, std::memory_order_release);
        ticket.notify_one();
    }
    inside_parallel_loop = true;
    s.job.run(0);
    inside_parallel_loop = false;
    for (std::uint32_t left = s.pending.load(std::memory_order_acquire); left != 0;
         left = s.pending.load(std::memory_order_acquire))
        wait_while(s.pending, left);
}

} // namespace orrery::runtime
