// Prefetches compiled: an instruction each, whatever they point to, and no other number.

#include "core/schedule/trace.hpp"
#include "tests/backends/llvm/harness.hpp"

#include <algorithm>

using namespace orrery;
using namespace orrery::testing;

namespace {

constexpr double kSums = 1e-5; ///< of some tens of products, in another order

const char* const kPanels = R"(fn panels(a: f32[12,40], w: f32[5,40,16]) -> (c: f32[12,80]) {
  for p in 5 { for i in 12 { for j in 16 { for k in 40 {
    block mm(vp = p in 5, vi = i in 12, vj = j in 16, reduce vk = k in 40) {
      reads c[vi, vp * 16 + vj], a[vi, vk], w[vp, vk, vj] writes c[vi, vp * 16 + vj]
      init { c[vi, vp * 16 + vj] = 0.0 }
      c[vi, vp * 16 + vj] = c[vi, vp * 16 + vj] + a[vi, vk] * w[vp, vk, vj] } } } } } })";

tensor::Program scheduled(const std::string& script) {
    const auto trace = schedule::parse_trace(script);
    REQUIRE(trace.has_value());
    const Result<schedule::Replay> done = schedule::replay(parsed(kPanels), *trace);
    if (!done) FAIL(to_string(done.error()));
    return done->result();
}

const std::string kTile = "split(mm.i, [-1, 4])\nreorder([mm.i_o, mm.k, mm.i_i, mm.j])\n"
                          "decompose_reduction(mm, mm.k)\nvectorize(mm.j)\nunroll(mm.i_i)\n";

std::ptrdiff_t fetches_in(const tensor::Program& program) {
    const Result<Listing> listing = llvm_backend().list(program, llvm_backend().host(), {}, ListingKind::BackendIr);
    REQUIRE(listing.has_value());
    return std::ranges::count_if(listing->lines, [](const ListingLine& line) {
        return line.text.find("call void @llvm.prefetch") != std::string::npos;
    });
}

} // namespace

TEST_CASE("a panel is fetched while the one before it is used", "[llvm][prefetch]") {
    for (const char* fetch : {"", "prefetch(mm.p, w, mm.i_o)", "prefetch(mm.p, w, mm.k)", "prefetch(mm.p, w, mm.k, 2)",
                              "parallel(mm.p)\nprefetch(mm.p, w, mm.i_o)",
                              "fuse([mm.p, mm.i_o])\nparallel(mm.p_i_o)\n"
                              "prefetch(mm.p_i_o, w, mm.p_i_o, 3)"}) {
        INFO(fetch);
        const tensor::Program program = scheduled(kTile + fetch);
        CHECK((fetches_in(program) > 0) == (*fetch != 0));
        check_program(program, {.tolerance = kSums});
        check_program(program, {.tolerance = kSums, .options = {.contract = false, .bounds_checks = true}});
    }
}

TEST_CASE("a prefetch far outside of its buffer does no harm, and one of lanes none at all", "[llvm][prefetch]") {
    for (const char* statement :
         {"prefetch x[i * 1000000007, 0 - i]", "vectorized q in 8 { prefetch x[q * 100, 0] }",
          "vectorized q in 8 { prefetch x[i + 1, 0] }", "if i % 2 == 0 { prefetch x[i + 2, 0] }"}) {
        for (const char* loop : {"for", "parallel", "unrolled"}) {
            INFO(loop << ": " << statement);
            const std::string text = std::string("fn f(x: f32[6,3]) -> (y: f32[6]) { ") + loop + " i in 6 { " +
                                     statement +
                                     " block b(vi = i in 6) { reads x[vi, 0] writes y[vi] y[vi] = x[vi, 0] * 2.0 } } }";
            check_text(text);
            check_text(text, {.options = {.contract = false, .bounds_checks = true}});
        }
    }
}
