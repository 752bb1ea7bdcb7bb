// A worker waits for its ticket: it spins for a while, then parks in the kernel. Who raises a ticket wakes its worker
// only when that one says that it is parked, so that a loop between threads that are awake makes no system call. The
// caller takes the first chunk and waits for the others in the same way.

#include "core/runtime/thread_pool.hpp"

#include "core/runtime/placement.hpp"
#include "core/runtime/tile_registers.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <exception>
#include <limits>
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
};

/// What is left of a thread's share of a loop.
struct alignas(64) Share {
    std::atomic<std::int64_t> next{0};
    std::int64_t end = 0;   ///< written before tickets are raised
    std::int64_t least = 1; ///< iterations that are taken at once

    void set(const Job& job, int part) {
        const std::int64_t whole = job.extent / job.parts, rest = job.extent % job.parts; // extent * part may overflow
        const std::int64_t begin = whole * part + std::min<std::int64_t>(part, rest);
        end = begin + whole + (part < rest ? 1 : 0);
        least = std::max<std::int64_t>(1, (end - begin) / kLeastPieces);
        next.store(begin, std::memory_order_relaxed);
    }
    /// A third of what is left; empty when nothing is.
    [[nodiscard]] std::pair<std::int64_t, std::int64_t> take() {
        std::int64_t begin = next.load(std::memory_order_relaxed), taken = 0;
        do {
            if (begin >= end) return {end, end};
            taken = std::min(end - begin, std::max(least, (end - begin) / 3));
        } while (!next.compare_exchange_weak(begin, begin + taken, std::memory_order_relaxed));
        return {begin, begin + taken};
    }

  private:
    static constexpr std::int64_t kLeastPieces = 16; ///< our choice: what is left over then is a thirtieth of a share
};

/// What a body threw first, by iterations.
struct Failure {
    std::int64_t at = std::numeric_limits<std::int64_t>::max();
    std::exception_ptr what;
};

struct Worker {
    Signal ticket; ///< raised by the caller when there is a share for it: the number of the latest
    Share share;
    Failure failure; ///< of what it ran; written before `pending` is lowered
};

} // namespace

struct ThreadPool::State {
    struct Context : orrery_context {
        ThreadPool* pool = nullptr;
    };
    Context context;
    alignas(64) Job job; ///< written before tickets are raised, read after
    Share first;         ///< the caller's
    std::vector<Worker> workers;
    Signal pending;                  ///< workers that have not finished with their shares
    std::atomic<bool> busy{false};   ///< a loop is shared out
    std::atomic<bool> failed{false}; ///< a worker has a failure
    std::atomic<bool> stopping{false};
    bool spin = true; ///< every thread has a core to itself
    std::vector<std::thread> threads;
    Placement placement; ///< used while `busy`

    explicit State(int size) : workers(static_cast<std::size_t>(size - 1)), placement(size) {
        spin = static_cast<unsigned>(size) <= std::max(1u, std::thread::hardware_concurrency());
    }

    void work(int index) {
        Worker& self = workers[static_cast<std::size_t>(index)];
        for (std::uint32_t seen = 0;;) {
            self.ticket.wait_while(seen, spin);
            seen = self.ticket.number.load(std::memory_order_acquire);
            if (stopping.load(std::memory_order_acquire)) return; // the last ticket has no job
            if (!self.ticket.take(seen)) continue; // the caller was faster; `job` may be another one by now
            run_from(index + 1, self.failure);
            finish_part();
        }
    }
    [[nodiscard]] Share& share_of(int part) {
        return part == 0 ? first : workers[static_cast<std::size_t>(part - 1)].share;
    }
    /// Runs a share, then what others have not yet begun of theirs.
    void run_from(int part, Failure& failure) {
        for (int i = 0; i < job.parts; ++i) {
            Share& share = share_of((part + i) % job.parts);
            for (auto piece = share.take(); piece.first < piece.second; piece = share.take()) run(piece, failure);
        }
    }
    void run(std::pair<std::int64_t, std::int64_t> piece, Failure& failure) {
        try {
            job.body(piece.first, piece.second, job.closure);
        } catch (...) {
            if (piece.first < failure.at) failure = {piece.first, std::current_exception()};
            failed.store(true, std::memory_order_relaxed);
        }
    }
    void finish_part() {
        if (pending.number.fetch_sub(1, std::memory_order_seq_cst) == 1) pending.wake();
    }
    /// The caller's, which has found all shares empty: workers that have not begun need not.
    void call_off(int parts) {
        for (int i = 0; i + 1 < parts && pending.number.load(std::memory_order_acquire) != 0; ++i) {
            Signal& ticket = workers[static_cast<std::size_t>(i)].ticket;
            const std::uint32_t latest = ticket.number.load(std::memory_order_relaxed);
            if (ticket.taken.load(std::memory_order_acquire) != latest && ticket.take(latest))
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
    /// The first of all failures; none is left afterwards.
    [[nodiscard]] std::exception_ptr take_failure(Failure first) {
        if (!failed.load(std::memory_order_relaxed)) return nullptr;
        failed.store(false, std::memory_order_relaxed);
        for (Worker& worker : workers)
            if (Failure other = std::exchange(worker.failure, {}); other.at < first.at) first = std::move(other);
        return first.what;
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
    request_tile_registers();
    for (int i = 0; i + 1 < threads; ++i) state_->threads.emplace_back([state = state_.get(), i] { state->work(i); });
    state_->placement.around_caller(state_->threads);
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
    s.placement.around_caller(s.threads);
    s.job = {body, closure, extent, parts};
    for (int part = 0; part < parts; ++part) s.share_of(part).set(s.job, part);
    s.pending.number.store(static_cast<std::uint32_t>(parts - 1), std::memory_order_relaxed);
    for (int i = 0; i + 1 < parts; ++i) s.raise(static_cast<std::size_t>(i));
    Failure failure;
    s.run_from(0, failure);
    s.call_off(parts);
    s.wait_for_parts();
    const std::exception_ptr thrown = s.take_failure(std::move(failure));
    s.busy.store(false, std::memory_order_release);
    if (thrown) std::rethrow_exception(thrown);
}

} // namespace orrery::runtime
