// Virtual threads and loops bound to an accelerator's threads, compiled for a processor.

#include "core/schedule/trace.hpp"
#include "tests/backends/llvm/harness.hpp"

using namespace orrery;
using namespace orrery::testing;

namespace {

const char* const kPooled = R"(fn pooled(x: f32[4,8,9]) -> (y: f32[4,4,9]) {
  for c in 4 {
    for h in 4 {
      alloc t: f32[2,9] scope stack
      for i in 2 { for q in 9 { block copy(vc = c in 4, vh = h in 4, vi = i in 2, vq = q in 9) {
        reads x[vc, vh * 2 + vi, vq] writes t[vi, vq]
        t[vi, vq] = x[vc, vh * 2 + vi, vq] * 2.0 } } }
      for i2 in 2 { for q2 in 9 { block sum(vc2 = c in 4, vh2 = h in 4, vq2 = q2 in 9, reduce vi2 = i2 in 2) {
        reads y[vc2, vh2, vq2], t[vi2, vq2] writes y[vc2, vh2, vq2]
        init { y[vc2, vh2, vq2] = 0.0 }
        y[vc2, vh2, vq2] = y[vc2, vh2, vq2] + t[vi2, vq2] } } }
    } } })";

tensor::Program interleaved(const std::string& script) {
    const Result<schedule::Replay> done = schedule::replay(parsed(kPooled), *schedule::parse_trace(script));
    if (!done) FAIL(to_string(done.error()));
    return done->result();
}

std::string unoptimized(const tensor::Program& program) {
    const Result<Listing> listing = llvm_backend().list(program, llvm_backend().host(), {}, ListingKind::BackendIr);
    if (!listing) FAIL(to_string(listing.error()));
    std::string text;
    for (const ListingLine& line : listing->lines) text += line.text + "\n";
    return text;
}

} // namespace

TEST_CASE("virtual threads are compiled side by side, with the same numbers", "[llvm][virtual_thread]") {
    for (const char* script :
         {"virtual_thread(copy.h)", "virtual_thread(copy.c)", "virtual_thread(copy.c)\nvirtual_thread(copy.h)",
          "parallel(copy.c)\nvirtual_thread(copy.h)\nvectorize(copy.q)\nvectorize(sum.q2)",
          "virtual_thread(copy.c)\nparallel(copy.h)",
          "virtual_thread(copy.h)\nset_scope(copy, registers)\nunroll(copy.i)"}) {
        INFO(script);
        check_program(interleaved(script));
    }
    // A copy of the buffer for each of the four.
    CHECK(unoptimized(interleaved("")).find("alloca [18 x float]") != std::string::npos);
    CHECK(unoptimized(interleaved("virtual_thread(copy.h)")).find("alloca [72 x float]") != std::string::npos);
}

TEST_CASE("loops bound to an accelerator's threads run serially on a processor", "[llvm][virtual_thread]") {
    const tensor::Program program = interleaved("bind(copy.c, blockIdx.x)\nbind(copy.h, threadIdx.x)");
    check_program(program);
    CHECK(unoptimized(program).find("parallel_for") == std::string::npos);
    CHECK(unoptimized(interleaved("parallel(copy.c)")).find("parallel_for") != std::string::npos);
}

TEST_CASE("lines of a virtual thread's code are those of the program that is shown", "[llvm][virtual_thread]") {
    const tensor::Program program = interleaved("virtual_thread(copy.h)");
    const tensor::PrintedProgram shown = tensor::print_program(program);
    const Result<Listing> listing = llvm_backend().list(program, llvm_backend().host(), {}, ListingKind::OptimizedIr);
    REQUIRE(listing.has_value());
    const auto store = std::find_if(shown.lines.begin(), shown.lines.end(), [](const tensor::PrintedLine& line) {
        return line.text.find("t[vi, vq] = ") != std::string::npos;
    });
    const auto wanted = static_cast<int>(store - shown.lines.begin()) + 1;
    CHECK(std::any_of(listing->lines.begin(), listing->lines.end(),
                      [&](const ListingLine& line) { return line.tensor_line == wanted; }));
}
