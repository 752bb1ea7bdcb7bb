// Extern calls compiled: by themselves, inside loops of every kind, and as implementations of intrinsics.

#include "core/runtime/externs.hpp"
#include "core/schedule/intrinsics.hpp"
#include "core/schedule/trace.hpp"
#include "tests/backends/llvm/harness.hpp"

using namespace orrery;
using namespace orrery::testing;

namespace {

constexpr double kSums = 1e-5; ///< of at most some hundred products, in another order

const std::string kTiles = R"(fn tiles(a: f32[8,12], b: f32[12,16]) -> (c: f32[8,16]) {
  LOOP i in 4 { for j in 2 {
    block tile(vi = i in 4, vj = j in 2) {
      reads a[vi * 2 +: 2, 0 +: 12], b[0 +: 12, vj * 8 +: 8], c[vi * 2 +: 2, vj * 8 +: 8]
      writes c[vi * 2 +: 2, vj * 8 +: 8]
      for p in 2 { for q in 8 { c[vi * 2 + p, vj * 8 + q] = 0.0 } }
      for k in 3 {
        call_extern("orrery_gemm_f32", access_ptr(c[vi * 2 +: 2, vj * 8 +: 8], "rw"),
                    access_ptr(a[vi * 2 +: 2, k * 4 +: 4], "r"), access_ptr(b[k * 4 +: 4, vj * 8 +: 8], "r")) } } } } })";

std::string with_loop(const std::string& kind) {
    std::string text = kTiles;
    return text.replace(text.find("LOOP"), 4, kind);
}

void shift(const orrery_view* views, const std::int64_t* numbers) {
    for (std::int64_t i = 0; i < views[0].extent[0]; ++i)
        static_cast<std::int32_t*>(views[0].data)[i * views[0].stride[0]] += static_cast<std::int32_t>(numbers[0]);
}

const char* const kTinyMatmul = R"(fn matmul(a: f32[8,16], b: f32[16,32]) -> (c: f32[8,32]) {
  for m in 8 { for n in 32 { for k in 16 { block mm(vm = m in 8, vn = n in 32, reduce vk = k in 16) {
    reads c[vm, vn], a[vm, vk], b[vk, vn] writes c[vm, vn]
    init { c[vm, vn] = 0.0 } c[vm, vn] = c[vm, vn] + a[vm, vk] * b[vk, vn] } } } } })";

std::string declared(const std::string& name, const std::string& implementation) {
    return "intrinsic " + name + R"(
fn gemm(a: f32[4,8], b: f32[8,16]) -> (c: f32[4,16]) {
  for i in 4 { for j in 16 { for k in 8 { block gemm(vi = i in 4, vj = j in 16, reduce vk = k in 8) {
    reads c[vi, vj], a[vi, vk], b[vk, vj] writes c[vi, vj]
    c[vi, vj] = c[vi, vj] + a[vi, vk] * b[vk, vj] } } } } }
)" + implementation +
           "\n";
}

const char* const kCall =
    R"(call_extern("orrery_gemm_f32", access_ptr(c, "rw"), access_ptr(a, "r"), access_ptr(b, "r")))";

tensor::Program tensorized(const std::string& intrinsic) {
    const auto trace = schedule::parse_trace(
        "split(mm.m, [-1, 4])\nsplit(mm.n, [-1, 16])\nsplit(mm.k, [-1, 8])\n"
        "reorder([mm.m_o, mm.n_o, mm.k_o, mm.m_i, mm.n_i, mm.k_i])\ndecompose_reduction(mm, mm.k_o)\n"
        "tensorize(mm.m_i, " +
        intrinsic + ")\nparallel(mm_o.m_o)\n");
    REQUIRE(trace.has_value());
    const Result<schedule::Replay> done = schedule::replay(parsed(kTinyMatmul), *trace);
    if (!done) FAIL(to_string(done.error()));
    return done->result();
}

} // namespace

TEST_CASE("extern calls run inside loops of every kind", "[llvm][extern]") {
    for (const char* kind : {"for", "parallel", "vectorized", "unrolled"}) {
        INFO(kind);
        check_program(parsed(with_loop(kind)), {.tolerance = kSums});
        check_program(parsed(with_loop(kind)), {.tolerance = kSums, .options = {.bounds_checks = true}});
    }
}

TEST_CASE("extern functions of this process get numbers and conditions", "[llvm][extern]") {
    runtime::register_extern({"test_llvm_shift", "", {{"x", "i32", "rw", {"n"}}}, {"by"}, shift});
    // The same name as the C library's function that kernels call.
    runtime::register_extern({"exp", "", {{"x", "i32", "rw", {"n"}}}, {"by"}, shift});
    for (const std::string symbol : {"test_llvm_shift", "exp"})
        check_program(parsed("fn rows(x: i32[6,5]) -> (y: i32[6,5]) { for i in 6 { for j in 5 { y[i, j] = x[i, j] }\n"
                             "if i % 2 == 0 { call_extern(\"" +
                             symbol +
                             "\", access_ptr(y[i, 1 +: 4 - i // 2], \"rw\"), "
                             "i64(x[i, 0]) - 7) } } }"));
    // A kernel called like an extern function is another function.
    check_program(parsed("fn test_llvm_shift(x: i32[4]) -> (y: i32[4]) { for i in 4 { y[i] = x[i] }\n"
                         "call_extern(\"test_llvm_shift\", access_ptr(y, \"rw\"), 3) }"));
}

TEST_CASE("an extern function that nobody knows is an error of compilation", "[llvm][extern]") {
    const tensor::Program program =
        parsed("fn f(x: f32[4]) -> (y: f32[4]) { call_extern(\"nobody\", access_ptr(y, \"w\")) }");
    const Result<KernelObject> object = llvm_backend().compile(program, llvm_backend().host(), {}, {});
    REQUIRE_FALSE(object.has_value());
    CHECK(object.error().code == Code::UnknownName);
    CHECK_FALSE(object.error().hint.empty());
}

TEST_CASE("an intrinsic's implementation may be an extern call", "[llvm][extern][intrinsic]") {
    REQUIRE(schedule::declare_intrinsic(declared("test_gemm_4x16x8", kCall)).has_value());
    const tensor::Program program = tensorized("test_gemm_4x16x8");
    CHECK(schedule::externs_of(program) == std::vector<std::string>{"orrery_gemm_f32"});
    const Result<Listing> listing = llvm_backend().list(program, llvm_backend().host(), {}, ListingKind::OptimizedIr);
    REQUIRE(listing.has_value());
    CHECK(std::any_of(listing->lines.begin(), listing->lines.end(), [](const ListingLine& line) {
        return line.text.find("call void @orrery_gemm_f32(") != std::string::npos;
    }));
    check_program(program, {.tolerance = kSums});

    const auto refused = [](const std::string& implementation) {
        const Result<void> made = schedule::declare_intrinsic(declared("test_gemm_wrong", implementation));
        REQUIRE_FALSE(made.has_value());
        return made.error().code;
    };
    CHECK(refused("call_extern(\"nobody\", access_ptr(c, \"rw\"))") == Code::UnknownName);
    CHECK(refused("call_extern(\"orrery_gemm_f32\", access_ptr(c, \"rw\"))") == Code::BadArgument);
    CHECK(refused("call_extern(\"orrery_gemm_f32\"") == Code::BadText);
    CHECK(refused(std::string(kCall) + "\n" + kCall) == Code::BadText);
    CHECK(refused("c = llvm.fma.v16f32(a as f32x16, b as f32x16, c as f32x16)\n" + std::string(kCall)) ==
          Code::BadText);
}

TEST_CASE("a module file holds no extern function", "[llvm][extern][module]") {
    const Result<KernelObject> object = llvm_backend().compile(parsed(with_loop("for")), llvm_backend().host(), {}, {});
    REQUIRE(object.has_value());
    const KernelObject objects[] = {*object};
    const std::vector<std::byte> blob(16);
    const Result<void> linked = link_module(objects, blob, llvm_backend().host(), "/nonexistent/x.so");
    REQUIRE_FALSE(linked.has_value());
    CHECK(linked.error().code == Code::UnsupportedFeature);
    CHECK(linked.error().message.find("orrery_gemm_f32") != std::string::npos);
}
