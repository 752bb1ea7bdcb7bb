#include "tests/backends/llvm/harness.hpp"

#include <cstring>
#include <thread>

using namespace orrery;
using namespace orrery::testing;

namespace {

/// The same bits with 1, 2 and 5 threads, and what the interpreter says.
void check_threads(const std::string& text) {
    const tensor::Program program = parsed(text);
    Compiled compiled(program, {.contract = false});
    std::vector<NDArray> expected = random_args(program, 3);
    const std::vector<NDArray> fresh = copies(expected);
    REQUIRE(tensor::interpret(program, expected));
    for (int threads : {1, 2, 5}) {
        std::vector<NDArray> args = copies(fresh);
        runtime::ThreadPool pool(threads);
        for (int round = 0; round < 20; ++round) compiled.run(args, pool);
        for (std::size_t i = program->input_count; i < args.size(); ++i) {
            INFO(threads << " threads\n" << text);
            REQUIRE(std::memcmp(args[i].data(), expected[i].data(), args[i].bytes()) == 0);
        }
    }
}

} // namespace

TEST_CASE("results do not depend on the number of threads", "[llvm][parallel]") {
    check_threads("fn f(x: f32[37,50]) -> (y: f32[37]) { parallel i in 37 { y[i] = 0.0 for j in 50 { y[i] = y[i] + "
                  "x[i, j] } } }");
    check_threads(R"(fn f(x: f32[12,40]) -> (y: f32[12,40], z: f32[40]) {
  let scale = x[3, 4] + 1.0
  let shift = i64(scale) % 5
  parallel i in 12 { parallel k in 2 { vectorized j in 20 { y[i, k * 20 + j] = x[i, (k * 20 + j + shift) % 40] * scale } } }
  parallel j in 40 { z[j] = y[11, j] + y[0, j] }
})");
    check_threads(R"(fn f(x: f32[9,16]) -> (y: f32[9,16]) {
  for o in 3 { parallel i in 3 { vectorized j in 16 { y[o * 3 + i, j] = x[i * 3 + o, j] + f32(o) } } }
})");
}

TEST_CASE("each iteration of a parallel loop has its own buffers", "[llvm][parallel]") {
    for (const char* scope : {"global", "stack"})
        for (int size : {8, 40000}) {
            std::string text = R"(fn f(x: f32[23,8]) -> (y: f32[23]) {
  alloc all: f32[23,8]
  parallel i in 23 {
    alloc t: f32[SIZE] scope WHERE
    for j in 8 { t[j] = x[i, j] * 2.0 all[i, j] = x[i, j] }
    y[i] = 0.0
    for j in 8 { y[i] = y[i] + t[7 - j] + all[i, j] }
  }
})";
            text.replace(text.find("SIZE"), 4, std::to_string(size));
            text.replace(text.find("WHERE"), 5, scope);
            check_threads(text);
        }
}

TEST_CASE("buffers too large for a slot an iteration make the loop serial, and right", "[llvm][parallel]") {
    const std::string text = R"(fn f(x: f32[4000]) -> (y: f32[4000]) {
  parallel i in 4000 { alloc t: f32[100000] t[i] = x[i] parallel j in 1 { y[i] = t[i] + 1.0 } }
})";
    Compiled compiled(parsed(text));
    CHECK(compiled.workspace_bytes < 1000000);
    check_threads(text);
}

TEST_CASE("programs compile in parallel", "[llvm][parallel]") {
    const tensor::Program program =
        parsed("fn f(x: f32[64]) -> (y: f32[64]) { vectorized i in 64 { y[i] = exp(x[i]) } }");
    const Result<KernelObject> once = llvm_backend().compile(program, llvm_backend().host(), {}, {});
    REQUIRE(once);
    std::vector<std::string> objects(8);
    std::vector<std::thread> threads;
    for (std::string& object : objects)
        threads.emplace_back([&object, &program] {
            for (int i = 0; i < 3; ++i)
                if (Result<KernelObject> made = llvm_backend().compile(program, llvm_backend().host(), {}, {}))
                    object = made->object;
        });
    for (std::thread& thread : threads) thread.join();
    for (const std::string& object : objects) CHECK(object == once->object);
}
