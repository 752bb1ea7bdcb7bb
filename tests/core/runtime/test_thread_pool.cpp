#include "core/runtime/thread_pool.hpp"

#include <catch2/catch.hpp>

#include <atomic>
#include <chrono>
#include <numeric>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#ifdef __linux__
#include <sched.h>
#endif

using orrery::runtime::ThreadPool;

namespace {

struct Counts {
    std::vector<std::atomic<int>> hits;
    std::atomic<int> chunks{0};
    explicit Counts(std::size_t size) : hits(size) {}
};

void count(std::int64_t begin, std::int64_t end, void* closure) {
    auto& counts = *static_cast<Counts*>(closure);
    ++counts.chunks;
    for (std::int64_t i = begin; i < end; ++i) ++counts.hits[static_cast<std::size_t>(i)];
}

} // namespace

TEST_CASE("every iteration runs exactly once, in few pieces a thread", "[runtime][pool]") {
    for (int threads : {1, 2, 3, 7}) {
        ThreadPool pool(threads);
        CHECK(pool.size() == threads);
        for (std::int64_t extent : {1, 2, 5, 7, 64, 1000}) {
            Counts counts(static_cast<std::size_t>(extent));
            pool.parallel_for(extent, count, &counts);
            CHECK(counts.chunks >= std::min<std::int64_t>(threads, extent));
            CHECK(counts.chunks <= 16 * threads);
            for (const std::atomic<int>& hits : counts.hits) REQUIRE(hits == 1);
        }
    }
}

TEST_CASE("what a slow thread has not begun others take over", "[runtime][pool]") {
    struct Shared {
        std::thread::id caller = std::this_thread::get_id();
        std::atomic<std::int64_t> done{0};
        std::atomic<bool> held{false}, late{false};
    };
    ThreadPool pool(2);
    for (int round = 0; round < 20; ++round) {
        Shared shared;
        pool.parallel_for(
            64,
            [](std::int64_t begin, std::int64_t end, void* closure) {
                auto& s = *static_cast<Shared*>(closure);
                if (std::this_thread::get_id() == s.caller) {
                    while (!s.held) std::this_thread::yield(); // the worker has begun
                } else if (!s.held.exchange(true)) {
                    const auto last = std::chrono::steady_clock::now() + std::chrono::seconds(20);
                    while (s.done < 64 - (end - begin) && !s.late) s.late = std::chrono::steady_clock::now() > last;
                }
                s.done += end - begin;
            },
            &shared);
        CHECK(shared.done == 64);
        REQUIRE_FALSE(shared.late); // all but its first piece was done without it
    }
}

TEST_CASE("an empty loop runs nothing", "[runtime][pool]") {
    ThreadPool pool(2);
    Counts counts(1);
    pool.parallel_for(0, count, &counts);
    pool.parallel_for(-3, count, &counts);
    CHECK(counts.chunks == 0);
}

TEST_CASE("a pool of no threads is the caller alone", "[runtime][pool]") { CHECK(ThreadPool(0).size() == 1); }

TEST_CASE("many small loops in a row each finish before the next", "[runtime][pool]") {
    ThreadPool pool(4);
    std::vector<int> cells(16, 0);
    for (int round = 1; round <= 20000; ++round) {
        pool.parallel_for(
            16,
            [](std::int64_t begin, std::int64_t end, void* closure) {
                auto& values = *static_cast<std::vector<int>*>(closure);
                for (std::int64_t i = begin; i < end; ++i)
                    ++values[static_cast<std::size_t>(i)]; // unsynchronized on purpose
            },
            &cells);
    }
    for (int cell : cells) REQUIRE(cell == 20000);
}

TEST_CASE("a loop inside a loop stays on its thread", "[runtime][pool]") {
    struct Outer {
        ThreadPool* pool;
        std::atomic<int> inner{0}, strays{0};
    };
    ThreadPool pool(3);
    Outer outer{&pool};
    pool.parallel_for(
        6,
        [](std::int64_t begin, std::int64_t end, void* closure) {
            auto& o = *static_cast<Outer*>(closure);
            for (std::int64_t i = begin; i < end; ++i) {
                struct Inner {
                    Outer* outer;
                    std::thread::id thread;
                } inner{&o, std::this_thread::get_id()};
                o.pool->parallel_for(
                    10,
                    [](std::int64_t b, std::int64_t e, void* c) {
                        const auto& in = *static_cast<Inner*>(c);
                        in.outer->inner += static_cast<int>(e - b);
                        if (std::this_thread::get_id() != in.thread) ++in.outer->strays;
                    },
                    &inner);
            }
        },
        &outer);
    CHECK(outer.inner == 60);
    CHECK(outer.strays == 0);
    Counts after(9); // and the pool is parallel again afterwards
    pool.parallel_for(9, count, &after);
    CHECK(after.chunks >= 3);
}

TEST_CASE("what bodies throw reaches the caller once all are done", "[runtime][pool]") {
    struct Shared {
        std::atomic<int> done{0};
        std::int64_t bad = 0;
    };
    ThreadPool pool(4);
    for (std::int64_t bad : {0, 1, 3}) {
        for (int round = 0; round < 200; ++round) {
            Shared shared;
            shared.bad = bad;
            const auto body = [](std::int64_t begin, std::int64_t end, void* closure) {
                auto& s = *static_cast<Shared*>(closure);
                for (std::int64_t i = begin; i < end; ++i) {
                    if (i >= s.bad) throw std::runtime_error(std::to_string(i));
                    ++s.done;
                }
            };
            std::string what;
            try {
                pool.parallel_for(4, body, &shared);
            } catch (const std::runtime_error& error) { what = error.what(); }
            REQUIRE(what == std::to_string(bad)); // the first chunk's, though others threw as well
            REQUIRE(shared.done == bad);
        }
    }
    Counts after(8); // and the pool is as good as new
    pool.parallel_for(8, count, &after);
    CHECK(after.chunks >= 4);
}

TEST_CASE("threads that share a pool each get their loop done", "[runtime][pool]") {
    ThreadPool pool(3);
    std::atomic<int> wrong{0};
    std::vector<std::thread> callers;
    for (int c = 0; c < 4; ++c)
        callers.emplace_back([&pool, &wrong] {
            for (int round = 0; round < 2000; ++round) {
                Counts counts(7);
                pool.parallel_for(7, count, &counts);
                for (const std::atomic<int>& hits : counts.hits) wrong += hits == 1 ? 0 : 1;
            }
        });
    for (std::thread& caller : callers) caller.join();
    CHECK(wrong == 0);
}

TEST_CASE("pools beside each other, more threads than cores", "[runtime][pool]") {
    std::atomic<int> wrong{0};
    std::vector<std::thread> callers;
    for (int c = 0; c < 3; ++c)
        callers.emplace_back([&wrong, c] {
            ThreadPool pool(2 + 3 * c);
            for (int round = 0; round < 500; ++round) {
                Counts counts(40);
                pool.parallel_for(40, count, &counts);
                wrong += counts.chunks >= 2 + 3 * c ? 0 : 1;
                for (const std::atomic<int>& hits : counts.hits) wrong += hits == 1 ? 0 : 1;
            }
        });
    for (std::thread& caller : callers) caller.join();
    CHECK(wrong == 0);
}

TEST_CASE("a pool that was never used, or is parked, ends", "[runtime][pool]") {
    for (int round = 0; round < 50; ++round) {
        ThreadPool pool(5);
        if (round % 2 == 0) continue;
        Counts counts(3); // two of the workers have nothing to do
        pool.parallel_for(3, count, &counts);
        CHECK(counts.chunks == 3);
    }
}

TEST_CASE("kernels reach the pool through its context", "[runtime][pool]") {
    ThreadPool pool(2);
    Counts counts(10);
    orrery_context* context = pool.context();
    context->parallel_for(context, 10, count, &counts);
    CHECK(counts.chunks >= 2);
}

TEST_CASE("an extent near the largest splits without overflow", "[runtime][pool]") {
    struct Sum {
        std::atomic<std::int64_t> total{0};
    } sum;
    ThreadPool pool(3);
    pool.parallel_for(
        INT64_MAX, [](std::int64_t b, std::int64_t e, void* c) { static_cast<Sum*>(c)->total += e - b; }, &sum);
    CHECK(sum.total == INT64_MAX);
}

#ifdef __linux__
TEST_CASE("workers keep off their caller's core", "[runtime][pool]") {
    cpu_set_t allowed;
    REQUIRE(sched_getaffinity(0, sizeof allowed, &allowed) == 0);
    if (CPU_COUNT(&allowed) < 2) {
        WARN("skipped: one core");
        return;
    }
    struct Seen {
        std::thread::id caller = std::this_thread::get_id();
        std::atomic<bool> worked{false};
        cpu_set_t cores{}; ///< the worker's
    };
    ThreadPool pool(2);
    for (int core = 0; core < CPU_SETSIZE; ++core) {
        if (!CPU_ISSET(core, &allowed)) continue;
        cpu_set_t one; // the caller goes from core to core
        CPU_ZERO(&one);
        CPU_SET(core, &one);
        REQUIRE(sched_setaffinity(0, sizeof one, &one) == 0);
        Seen seen;
        pool.parallel_for(
            2,
            [](std::int64_t, std::int64_t, void* closure) {
                auto& s = *static_cast<Seen*>(closure);
                if (std::this_thread::get_id() == s.caller) {
                    while (!s.worked) std::this_thread::yield(); // the worker has its part
                    return;
                }
                sched_getaffinity(0, sizeof s.cores, &s.cores);
                s.worked = true;
            },
            &seen);
        CHECK(CPU_COUNT(&seen.cores) > 0);
        CHECK_FALSE(CPU_ISSET(core, &seen.cores));
    }
    sched_setaffinity(0, sizeof allowed, &allowed);
}
#endif
