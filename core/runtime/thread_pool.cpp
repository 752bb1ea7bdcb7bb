// A worker waits for its ticket: it spins for a while, then parks in the kernel. Who raises a ticket wakes its worker
// only when that one says that it is parked, so that a loop between threads that are awake makes no system call. The
// caller takes the first chunk and waits for the others in the same way.

#include "core/runtime/thread_pool.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <exception>
#include <thread>
#include <utility>
#include <vector>

#if defined(__x86_64__) || defined(__i386__)
#include <immintrin.h>
#endif

namespace orrery::runtime {

namespace {

/// How long a thread spins before it parks: what waking a parked thread costs, so that waiting costs at most twice what
/// it must. Source: measured by tests/bench/bench_runtime.
constexpr std::chrono::microseconds kSpin{50};
constexpr int kTurns = 64; ///< between looks at the clock

void relax() {
#if defined(__x86_64__) || defined(__i386__)
    _mm_pause();
#elif defined(__aarch64__)
    asm volatile("yield");
#endif
}

/// A number that some threads change and one waits for.
struct alignas(64) Signal {
    std::atomic<std::uint32_t> number{0};
    std::atomic<std::uint32_t> taken{0}; ///< of tickets: the latest whose part has been begun
    std::atomic<bool> parked{false};     ///< the one who waits is, or is about to be, in the kernel

    /// Returns once `number` no longer holds `old`.
    void wait_while(std::uint32_t old, bool spin) {
        if (spin) {
            const auto end = std::chrono::steady_clock::now() + kSpin;
            do {
                for (int i = 0; i < kTurns; ++i) {
                    if (number.load(std::memory_order_acquire) != old) return;
                    relax();
                }
            } while (std::chrono::steady_clock::now() < end);
        }
        // Either this thread sees the new number, or who wrote it sees `parked`.
        parked.store(true, std::memory_order_seq_cst);
        number.wait(old, std::memory_order_seq_cst);
        parked.store(false, std::memory_order_relaxed);
    }
    /// True for one of those who ask for the part of ticket `ticket`.
    bool take(std::uint32_t ticket) {
        std::uint32_t before = ticket - 1;
        return taken.compare_exchange_strong(before, ticket, std::memory_order_acq_rel, std::memory_order_acquire);
    }
    void wake() {
        if (parked.load(std::memory_order_seq_cst)) number.notify_one();
    }
};

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

struct Worker {
    Signal ticket;              ///< raised by the caller when there is a part for it: the number of the latest
    std::exception_ptr failure; ///< of its part; written before `pending` is lowered
};

} // namespace

struct ThreadPool::State {
    struct Context : orrery_context {
        ThreadPool* pool = nullptr;
    };
    Context context;
    alignas(64) Job job; ///< written before tickets are raised, read after
    std::vector<Worker> workers;
    Signal pending;                  ///< parts not yet finished by workers
    std::atomic<bool> busy{false};   ///< a loop is shared out
    std::atomic<bool> failed{false}; ///< a worker has a failure
    std::atomic<bool> stopping{false};
    bool spin = true; ///< every thread has a core to itself
    std::vector<std::thread> threads;

    explicit State(int size) : workers(static_cast<std::size_t>(size - 1)) {
        spin = static_cast<unsigned>(size) <= std::max(1u, std::thread::hardware_concurrency());
    }

    void work(int index) {
        Worker& self = workers[static_cast<std::size_t>(index)];
        for (std::uint32_t seen = 0;;) {
            self.ticket.wait_while(seen, spin);
            seen = self.ticket.number.load(std::memory_order_acquire);
            if (stopping.load(std::memory_order_acquire)) return; // the last ticket has no job
            if (!self.ticket.take(seen)) continue; // the caller was faster; `job` may be another one by now
            try {
                job.run(index + 1);
            } catch (...) {
                self.failure = std::current_exception();
                failed.store(true, std::memory_order_relaxed);
            }
            finish_part();
        }
    }
    void finish_part() {
        if (pending.number.fetch_sub(1, std::memory_order_seq_cst) == 1) pending.wake();
    }
    /// The caller's: parts that no worker has begun.
    void run_left_over(int parts) {
        for (int i = 0; i + 1 < parts && pending.number.load(std::memory_order_acquire) != 0; ++i) {
            Signal& ticket = workers[static_cast<std::size_t>(i)].ticket;
            const std::uint32_t latest = ticket.number.load(std::memory_order_relaxed);
            if (ticket.taken.load(std::memory_order_acquire) == latest || !ticket.take(latest)) continue;
            try {
                job.run(i + 1);
            } catch (...) {
                workers[static_cast<std::size_t>(i)].failure = std::current_exception();
                failed.store(true, std::memory_order_relaxed);
            }
            pending.number.fetch_sub(1, std::memory_order_seq_cst);
        }
    }
    void raise(std::size_t worker) {
        Signal& ticket = workers[worker].ticket;
        ticket.number.fetch_add(1, std::memory_order_seq_cst);
        ticket.wake();
    }
    void wait_for_parts() {
        for (std::uint32_t left = pending.number.load(std::memory_order_acquire); left != 0;
             left = pending.number.load(std::memory_order_acquire))
            pending.wait_while(left, spin);
    }
    /// `first` or, when there is none, that of the first worker that has one; none has afterwards.
    [[nodiscard]] std::exception_ptr take_failure(std::exception_ptr first) {
        if (!failed.load(std::memory_order_relaxed)) return first;
        failed.store(false, std::memory_order_relaxed);
        for (Worker& worker : workers)
            if (std::exception_ptr failure = std::exchange(worker.failure, nullptr); failure && !first) first = failure;
        return first;
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
    for (int i = 0; i + 1 < threads; ++i) state_->threads.emplace_back([state = state_.get(), i] { state->work(i); });
}

ThreadPool::~ThreadPool() {
    state_->stopping.store(true, std::memory_order_release);
    for (std::size_t i = 0; i < state_->threads.size(); ++i) state_->raise(i);
    for (std::thread& thread : state_->threads) thread.join();
}

int ThreadPool::size() const { return static_cast<int>(state_->workers.size()) + 1; }

orrery_context* ThreadPool::context() { return &state_->context; }

void ThreadPool::parallel_for(std::int64_t extent, orrery_loop_body body, void* closure) {
    if (extent <= 0) return;
    State& s = *state_;
    const int parts = static_cast<int>(std::min<std::int64_t>(extent, size()));
    if (parts == 1 || s.busy.exchange(true, std::memory_order_acquire)) return body(0, extent, closure);
    s.job = {body, closure, extent, parts};
    s.pending.number.store(static_cast<std::uint32_t>(parts - 1), std::memory_order_relaxed);
    for (int i = 0; i + 1 < parts; ++i) s.raise(static_cast<std::size_t>(i));
    std::exception_ptr failure;
    try {
        s.job.run(0);
    } catch (...) { failure = std::current_exception(); }
    s.run_left_over(parts);
    s.wait_for_parts();
    failure = s.take_failure(std::move(failure));
    s.busy.store(false, std::memory_order_release);
    if (failure) std::rethrow_exception(failure);
}

} // namespace orrery::runtime
