// Blocks that stand for a hardware instruction: emitted where the target has it, compiled as described elsewhere.

#include "core/schedule/intrinsics.hpp"
#include "core/schedule/trace.hpp"
#include "tests/backends/llvm/harness.hpp"

#include <algorithm>

using namespace orrery;
using namespace orrery::testing;

namespace {

tensor::Program scheduled(const std::string& text, const std::string& script) {
    const tensor::Program program = parsed(text);
    const Result<schedule::Replay> done = schedule::replay(program, *schedule::parse_trace(script));
    if (!done) FAIL(to_string(done.error()));
    return done->result();
}

std::string assembly(const tensor::Program& program, const std::string& target) {
    const Result<Target> made = parse_target(target, llvm_backend().host());
    REQUIRE(made.has_value());
    const Result<Listing> listing = llvm_backend().list(program, *made, {}, ListingKind::Assembly);
    if (!listing) FAIL(to_string(listing.error()));
    std::string text;
    for (const ListingLine& line : listing->lines) text += line.text + "\n";
    return text;
}

const char* const kDense = R"(fn dense(x: u8[4,32], w: i8[32,32]) -> (y: i32[4,32]) {
  for m in 4 { for n in 32 { for k in 32 { block dot(vm = m in 4, vn = n in 32, reduce vk = k in 32) {
    reads y[vm, vn], x[vm, vk], w[vn, vk] writes y[vm, vn]
    init { y[vm, vn] = 0i32 } y[vm, vn] = y[vm, vn] + i32(x[vm, vk]) * i32(w[vn, vk]) } } } } })";

std::string dot_script(int lanes, const std::string& intrinsic) {
    const std::string n = std::to_string(lanes);
    return "cache_read(dot, w, global)\ntransform_layout(w_read, \"n, k -> n // " + n + ", k // 4, n % " + n +
           ", k % 4\")\nsplit(dot.n, [-1, " + n +
           "])\nsplit(dot.k, [-1, 4])\nreorder([dot.k_o, dot.n_i, dot.k_i])\ndecompose_reduction(dot, dot.k_o)\n"
           "tensorize(dot.n_i, " +
           intrinsic + ")\n";
}

} // namespace

TEST_CASE("a dot product of bytes becomes the instruction where there is one", "[llvm][intrinsic]") {
    const tensor::Program wide = scheduled(kDense, dot_script(16, "x86_vnni_u8i8_16x4"));
    const std::string code = assembly(wide, "llvm -mtriple=x86_64-linux-gnu -mcpu=znver4 -vector-bits=512");
    REQUIRE(code.find("vpdpbusd") != std::string::npos);
    REQUIRE(code.find("zmm") != std::string::npos);
    // No instruction: the description, with the same numbers.
    REQUIRE(assembly(wide, "llvm -mtriple=x86_64-linux-gnu -mcpu=znver2 -vector-bits=256").find("vpdpbusd") ==
            std::string::npos);
    check_program(wide);
    const tensor::Program narrow = scheduled(kDense, dot_script(8, "x86_vnni_u8i8_8x4"));
    REQUIRE(assembly(narrow, "llvm -mtriple=x86_64-linux-gnu -mcpu=alderlake -vector-bits=256").find("vpdpbusd") !=
            std::string::npos);
    check_program(narrow);
}

TEST_CASE("Arm's dot product is emitted for processors that have it", "[llvm][intrinsic]") {
    std::string text = kDense;
    text.replace(text.find("u8[4,32]"), 8, "i8[4,32]");
    const tensor::Program program = scheduled(text, dot_script(4, "arm_sdot_i8_4x4"));
    const std::string target = "llvm -mtriple=aarch64-linux-gnu -vector-bits=128 -mcpu=";
    REQUIRE(assembly(program, target + "neoverse-n1").find("sdot") != std::string::npos);
    REQUIRE(assembly(program, target + "cortex-a53").find("sdot") == std::string::npos);
    check_program(program);
}

TEST_CASE("intrinsics can be declared as text", "[llvm][intrinsic]") {
    const std::string declaration =
        "intrinsic fma_8 needs x86:fma\n"
        "fn fma(a: f32[8], b: f32[8]) -> (c: f32[8]) { for i in 8 { block fma(vi = i in 8) {\n"
        "reads c[vi], a[vi], b[vi] writes c[vi]\n"
        "c[vi] = c[vi] + a[vi] * b[vi] } } }\n"
        "c = llvm.fma.v8f32(a as f32x8, b as f32x8, c as f32x8)\n";
    REQUIRE(schedule::declare_intrinsic(declaration).has_value());
    const tensor::Program program =
        scheduled("fn product(x: f32[6,16], y: f32[6,16]) -> (z: f32[16]) {\n"
                  "for k in 6 { for i in 16 { block sum(vi = i in 16, reduce vk = k in 6) {\n"
                  "reads z[vi], x[vk, vi], y[vk, vi] writes z[vi]\n"
                  "init { z[vi] = 0.0 } z[vi] = z[vi] + x[vk, vi] * y[vk, vi] } } } }",
                  "split(sum.i, [-1, 8])\ndecompose_reduction(sum, sum.k)\ntensorize(sum.i_i, fma_8)\n");
    REQUIRE(assembly(program, "llvm -mtriple=x86_64-linux-gnu -mcpu=znver2").find("vfmadd") != std::string::npos);
    check_program(program, {.tolerance = 1e-6});
    for (const char* wrong :
         {"", "intrinsic", "intrinsic a\nfn a() -> (c: f32[8]) { c[0] = 1.0 }",
          "intrinsic a\nfn a(x: f32[8]) -> (c: f32[8]) { for i in 8 { block b(vi = i in 8) { reads x[vi] writes c[vi] "
          "c[vi] = x[vi] } } }\nc = llvm.fma(q as f32x8)"})
        REQUIRE_FALSE(schedule::parse_intrinsic(wrong).has_value());
}

TEST_CASE("a call that does not read its result is emitted, too", "[llvm][intrinsic]") {
    REQUIRE(schedule::declare_intrinsic(
                "intrinsic fma_3\nfn fma(a: f32[8], b: f32[8], d: f32[8]) -> (c: f32[8]) { for i in 8 {\n"
                "block fma(vi = i in 8) { reads a[vi], b[vi], d[vi] writes c[vi] c[vi] = d[vi] + a[vi] * b[vi] } } }\n"
                "c = llvm.fma.v8f32(a as f32x8, b as f32x8, d as f32x8)\n")
                .has_value());
    const tensor::Program program =
        scheduled("fn p(x: f32[16], y: f32[16], w: f32[16]) -> (z: f32[16]) {\n"
                  "for i in 16 { block add(vi = i in 16) { reads x[vi], y[vi], w[vi] writes z[vi]\n"
                  "z[vi] = w[vi] + x[vi] * y[vi] } } }",
                  "split(add.i, [-1, 8])\ntensorize(add.i_i, fma_3)\n");
    const Result<Listing> ir = llvm_backend().list(program, llvm_backend().host(), {}, ListingKind::BackendIr);
    REQUIRE(ir.has_value());
    REQUIRE(std::ranges::any_of(
        ir->lines, [](const ListingLine& line) { return line.text.find("@llvm.fma.v8f32(") != std::string::npos; }));
    check_program(program, {.tolerance = 1e-6});
}

TEST_CASE("an intrinsic LLVM does not have with that type is compiled as described", "[llvm][intrinsic]") {
    REQUIRE(schedule::declare_intrinsic(
                "intrinsic odd_8\nfn odd(a: f32[8]) -> (c: f32[8]) { for i in 8 { block odd(vi = i in 8) {\n"
                "reads c[vi], a[vi] writes c[vi]\nc[vi] = c[vi] + a[vi] } } }\n"
                "c = llvm.x86.avx512.vpdpbusd.512(c as f32x8, a as f32x8)\n")
                .has_value());
    const tensor::Program program = scheduled("fn p(x: f32[8]) -> (y: f32[8]) {\n"
                                              "for i in 8 { block zero(vi = i in 8) { writes y[vi] y[vi] = 1.0 } }\n"
                                              "for i in 8 { block add(vi = i in 8) { reads y[vi], x[vi] writes y[vi]\n"
                                              "y[vi] = y[vi] + x[vi] } } }",
                                              "tensorize(add.i, odd_8)\n");
    check_program(program);
}

TEST_CASE("products of tiles are found by their size, and declared as text", "[llvm][intrinsic][tiles]") {
    for (const auto& [rows, columns] : {std::pair(16, 16), std::pair(14, 32), std::pair(32, 32), std::pair(28, 16)}) {
        const auto found = schedule::find_intrinsic(schedule::bf16_tiles_name(rows, columns));
        REQUIRE(found);
        CHECK(found->tiles == "tdpbf16ps");
        CHECK(found->description->params[2]->static_shape() == Shape{rows, columns});
    }
    const auto bytes = schedule::find_intrinsic(schedule::byte_tiles_name(28, 32));
    REQUIRE(bytes);
    CHECK(bytes->tiles == "tdpbusd");
    CHECK(bytes->description->params[0]->static_shape() == Shape{28, 64});
    for (const char* name : {"x86_amx_u8i8_28x32x32", "x86_amx_bf16_17x32x32", "x86_amx_bf16_34x32x32",
                             "x86_amx_bf16_16x48x32", "x86_amx_bf16_"})
        CHECK_FALSE(schedule::find_intrinsic(name));
    // One of all sizes is listed.
    const std::vector<std::string> names = schedule::intrinsic_names();
    CHECK(std::ranges::count_if(names, [](const std::string& n) { return n.starts_with("x86_amx_bf16"); }) == 1);
    const auto refused = [](const std::string& m, const std::string& n, const std::string& last) {
        return schedule::parse_intrinsic(
            "intrinsic mine\nfn tile(a: i8[" + m + ",64], b: i8[16," + n + ",4]) -> (c: i32[" + m + "," + n +
            "]) {\n  for i in " + m + " { for j in " + n + " { for k in 16 { for q in 4 { block tile(vi = i in " + m +
            ", vj = j in " + n +
            ", reduce vk = k in 16, reduce vq = q in 4) { reads c[vi, vj], a[vi, vk * 4 + vq], "
            "b[vk, vj, vq] writes c[vi, vj] c[vi, vj] = c[vi, vj] + i32(a[vi, vk * 4 + vq]) * "
            "i32(b[vk, vj, vq]) } } } } } }\n" +
            last);
    };
    CHECK(refused("8", "16", "c = tiles.tdpbssd(a, b)").has_value());
    CHECK(refused("33", "16", "c = tiles.tdpbssd(a, b)").error().code == Code::BadText);
    CHECK(refused("17", "16", "c = tiles.tdpbssd(a, b)").error().code == Code::BadText);
    CHECK(refused("8", "24", "c = tiles.tdpbssd(a, b)").error().code == Code::BadText);
    CHECK(refused("8", "16", "c = tiles.(a, b)").error().code == Code::BadText);
    CHECK(refused("8", "16", "d = tiles.tdpbssd(a, b)").error().code == Code::BadText);
}

TEST_CASE("a product of byte tiles is emitted with its sums in registers", "[llvm][intrinsic][tiles]") {
    const tensor::Program program =
        scheduled(R"(fn dense(x: i8[16,128], w: i8[32,16,4]) -> (y: i32[16,16]) {
  for m in 16 { for n in 16 { for k in 128 { block dot(vm = m in 16, vn = n in 16, reduce vk = k in 128) {
    reads y[vm, vn], x[vm, vk], w[vk // 4, vn, vk % 4] writes y[vm, vn]
    init { y[vm, vn] = 0i32 } y[vm, vn] = y[vm, vn] + i32(x[vm, vk]) * i32(w[vk // 4, vn, vk % 4]) } } } } })",
                  "split(dot.k, [-1, 16, 4])\nreorder([dot.k_0, dot.m, dot.n, dot.k_1, dot.k_2])\n"
                  "decompose_reduction(dot, dot.k_0)\n"
                  "tensorize(dot.m, x86_amx_i8_16x16x64)\n");
    const std::string code = assembly(program, "llvm -mtriple=x86_64-linux-gnu -mcpu=sapphirerapids -vector-bits=512");
    const auto count = [&code](const std::string& what) {
        std::size_t found = 0;
        for (std::size_t at = code.find(what); at != std::string::npos; at = code.find(what, at + 1)) ++found;
        return found;
    };
    INFO(code);
    CHECK(count("tdpbssd") == 1);
    CHECK(count("tilezero") == 1);
    CHECK(count("tileloadd") == 2);
    CHECK(count("tilestored") == 1);
    CHECK(count("ldtilecfg") == 1);
    CHECK(count("tilerelease") == 1);
    check_program(program);
}

TEST_CASE("narrow floats that are only moved keep their bits", "[llvm][bf16]") {
    const tensor::Program program = parsed(R"(fn border(x: bf16[6,8]) -> (y: bf16[8,8]) {
  for i in 8 { vectorized j in 8 { block copy(vi = i in 8, vj = j in 8) {
    reads x[vi - 1, vj] writes y[vi, vj]
    y[vi, vj] = select(vi >= 1 && vi < 7, x[vi - 1, vj], 1.5bf16) } } } })");
    NDArray x = NDArray::allocate(DType::BF16, {6, 8}), y = NDArray::zeros(DType::BF16, {8, 8});
    for (std::uint16_t i = 0; i < 48; ++i) // NaNs of every kind among them, and subnormal numbers
        x.mutable_values<std::uint16_t>()[i] = static_cast<std::uint16_t>(i < 24 ? 0x7f80 + i : i * 3);
    std::vector<NDArray> args{x, y};
    Compiled(program).run(args);
    for (std::size_t i = 0; i < 64; ++i)
        CHECK(y.values<std::uint16_t>()[i] == (i < 8 || i >= 56 ? 0x3fc0 : x.values<std::uint16_t>()[i - 8]));
}

TEST_CASE("narrow floats that decide what is moved are numbers", "[llvm][bf16]") {
    // A condition, and an index, of narrow floats beside a value that is only moved.
    check_program(parsed(R"(fn chosen(x: bf16[16], y: bf16[16]) -> (z: bf16[16]) {
  vectorized i in 16 { block choose(vi = i in 16) {
    reads x[vi], y[vi] writes z[vi] z[vi] = select(bf16(vi) < 3.5bf16, x[vi], y[vi]) } } })"));
    check_program(parsed(R"(fn picked(x: bf16[16], at: bf16[16]) -> (z: bf16[16]) {
  for i in 16 { block pick(vi = i in 16) {
    reads x[0 +: 16], at[vi] writes z[vi] z[vi] = x[max(min(i64(at[vi]), 15), 0)] } } })"));
}
