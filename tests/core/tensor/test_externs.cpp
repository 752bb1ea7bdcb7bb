// call_extern: text, equality, what a block must declare, what is refused, numbers.

#include "core/tensor/externs.hpp"

#include "core/runtime/externs.hpp"
#include "core/tensor/accesses.hpp"
#include "core/tensor/analysis.hpp"
#include "core/tensor/text.hpp"
#include "core/tensor/visitor.hpp"
#include "tests/core/tensor/parsed.hpp"

#include <catch2/catch.hpp>

using namespace orrery;
using namespace orrery::tensor;

namespace {

const std::string kTiled = R"(fn f(a: f32[4,6], b: f32[6,8]) -> (c: f32[4,8]) {
  for i in 4 {
    for j in 8 {
      c[i, j] = 0.0
    }
  }
  for i_1 in 2 {
    for k in 3 {
      block tile(vi = i_1 in 2, reduce vk = k in 3) {
        reads c[vi * 2 +: 2, 0 +: 8], a[vi * 2 +: 2, vk * 2 +: 2], b[vk * 2 +: 2, 0 +: 8]
        writes c[vi * 2 +: 2, 0 +: 8]
        call_extern("orrery_gemm_f32", access_ptr(c[vi * 2 +: 2, 0 +: 8], "rw"), access_ptr(a[vi * 2 +: 2, vk * 2 +: 2], "r"), access_ptr(b[vk * 2 +: 2, 0 +: 8], "r"))
      }
    }
  }
}
)";

std::string replaced(const std::string& from, const std::string& to) {
    std::string text = kTiled;
    const std::size_t at = text.find(from);
    REQUIRE(at != std::string::npos);
    return text.replace(at, from.size(), to);
}

Program with_call(const std::string& call) {
    return parsed("fn f(a: f32[4,6], b: f32[6,8], h: f16[4,6]) -> (c: f32[4,8]) { " + call + " }");
}

Diagnostic refused(const Result<void>& result) {
    REQUIRE_FALSE(result.has_value());
    INFO(to_string(result.error()));
    CHECK_FALSE(result.error().hint.empty());
    return result.error();
}

/// Doubles its box and adds a number.
void twice(const orrery_view* views, const std::int64_t* numbers) {
    for (std::int64_t i = 0; i < views[0].extent[0]; ++i) {
        float& element = static_cast<float*>(views[0].data)[i * views[0].stride[0]];
        element = element * 2 + static_cast<float>(numbers[0]);
    }
}

} // namespace

TEST_CASE("a call of an extern function has a text of its own", "[tensor][extern][text]") {
    CHECK(to_string(parsed(kTiled)) == kTiled);
    const Program all = with_call("call_extern(\"orrery_gemm_f32\", access_ptr(c, \"rw\"), access_ptr(a, \"r\"), "
                                  "access_ptr(b, \"r\"))");
    CHECK(to_string(all).find("access_ptr(c[0 +: 4, 0 +: 8], \"rw\")") != std::string::npos);
    for (const char* wrong : {"call_extern(f)", "call_extern(\"f\", 1.5)", "call_extern(\"f\", access_ptr(c, \"x\"))",
                              "call_extern(\"f\", access_ptr(c[0], \"r\"))", "call_extern(\"f\", access_ptr(q, \"r\"))",
                              "call_extern(\"f\", access_ptr(c))", "call_extern(\"f\" 3)"}) {
        INFO(wrong);
        const Result<Program> program =
            parse_program("fn f(a: f32[4,6]) -> (c: f32[4,8]) { " + std::string(wrong) + " }");
        REQUIRE_FALSE(program.has_value());
        CHECK(program.error().code == Code::BadText);
    }
}

TEST_CASE("calls of extern functions are equal when all they say is", "[tensor][extern][structural]") {
    const Program base = parsed(kTiled);
    CHECK(structural_equal(base, parsed(kTiled)));
    CHECK(structural_hash(base) == structural_hash(parsed(kTiled)));
    for (const auto& [from, to] : std::vector<std::pair<std::string, std::string>>{
             {"\"orrery_gemm_f32\"", "\"other\""},
             {"access_ptr(b[vk * 2 +: 2, 0 +: 8], \"r\")", "access_ptr(b[vk * 2 +: 2, 0 +: 8], \"rw\")"},
             {"access_ptr(b[vk * 2 +: 2, 0 +: 8]", "access_ptr(b[vk * 2 +: 2, 1 +: 7]"},
             {"access_ptr(b[vk * 2 +: 2, 0 +: 8], \"r\")", "access_ptr(b[vk * 2 +: 2, 0 +: 8], \"r\"), 3"}}) {
        INFO(to);
        const Program other = parsed(replaced(from, to));
        CHECK_FALSE(structural_equal(base, other));
        CHECK_FALSE(structural_hash(base) == structural_hash(other));
    }
}

TEST_CASE("a block declares the boxes it gives away", "[tensor][extern][verify]") {
    CHECK(verify(parsed(kTiled)).has_value());
    for (const auto& [from, to] : std::vector<std::pair<std::string, std::string>>{
             {"a[vi * 2 +: 2, vk * 2 +: 2], b[vk", "a[vi * 2 +: 2, vk * 2], b[vk"}, // reads less
             {"reads c[vi * 2 +: 2, 0 +: 8], ", "reads "},                          // "rw" reads
             {"writes c[vi * 2 +: 2, 0 +: 8]", "writes c[vi * 2, 0 +: 8]"},
             {"\"r\"))", "\"rw\"))"}, // an input
             {"access_ptr(c[vi * 2 +: 2, 0 +: 8]", "access_ptr(c[i_1 * 2 +: 2, 0 +: 8]"}}) {
        INFO(to);
        const Result<void> sound = verify(parsed(replaced(from, to)));
        REQUIRE_FALSE(sound.has_value());
        CHECK(sound.error().code == Code::IllegalSchedule);
    }
    CHECK_FALSE(verify(with_call("call_extern(\"f\", access_ptr(c[1 +: 4, 0], \"w\"))")).has_value());
    CHECK_FALSE(verify(with_call("call_extern(\"f\", access_ptr(c[0, 0 +: 9], \"w\"))")).has_value());
    CHECK(verify(with_call("call_extern(\"f\", access_ptr(c[1 +: 3, 0], \"w\"))")).has_value());
    // Boxes are spread over the loops inside, as indices are.
    const std::vector<AccessBox> boxes =
        each_access(with_call("for i in 2 { call_extern(\"f\", access_ptr(c[i * 2 +: 2, 3], \"w\"), i) }")->body);
    REQUIRE(boxes.size() == 1);
    CHECK((boxes[0].is_write && boxes[0].certain));
    CHECK(to_string(boxes[0].region.min[0]) == "0");
    CHECK(to_string(boxes[0].region.extent[0]) == "4");
}

TEST_CASE("unknown functions and operands that do not fit are refused", "[tensor][extern]") {
    CHECK(check_externs(parsed(kTiled)).has_value());
    CHECK(refused(check_externs(parsed(replaced("orrery_gemm_f32", "nobody")))).code == Code::UnknownName);
    const std::string c = "access_ptr(c, \"rw\")", a = "access_ptr(a, \"r\")", b = "access_ptr(b, \"r\")";
    const auto call = [](const std::string& operands) {
        return check_externs(with_call("call_extern(\"orrery_gemm_f32\", " + operands + ")"));
    };
    CHECK(call(c + ", " + a + ", " + b).has_value());
    CHECK(refused(call(c + ", " + a)).code == Code::BadArgument);
    CHECK(refused(call(c + ", " + a + ", " + b + ", 1")).code == Code::BadArgument);
    CHECK(refused(call("access_ptr(c, \"w\"), " + a + ", " + b)).code == Code::BadArgument);
    CHECK(refused(call(c + ", access_ptr(h, \"r\"), " + b)).code == Code::BadArgument);
    CHECK(refused(call(c + ", " + b + ", " + a)).code == Code::BadArgument); // 4 rows, 6 rows
    CHECK(refused(call("access_ptr(c[0 +: 2, 0 +: 8], \"rw\"), " + a + ", " + b)).code == Code::BadArgument);
    // The interpreter says so, too, with the block as the place.
    const Program unknown = parsed(replaced("orrery_gemm_f32", "nobody"));
    std::vector<NDArray> args = {NDArray::zeros(DType::F32, {4, 6}), NDArray::zeros(DType::F32, {6, 8}),
                                 NDArray::zeros(DType::F32, {4, 8})};
    const Diagnostic said = refused(interpret(unknown, args));
    CHECK(said.code == Code::UnknownName);
    CHECK(std::get<ProgramPlace>(said.locations.at(0)).place == "block tile");
}

TEST_CASE("the interpreter calls extern functions over their boxes", "[tensor][extern][interpreter]") {
    std::vector<NDArray> args = {NDArray::zeros(DType::F32, {4, 6}), NDArray::zeros(DType::F32, {6, 8}),
                                 NDArray::zeros(DType::F32, {4, 8})};
    for (std::int64_t i = 0; i < 24; ++i) args[0].set(i, static_cast<double>(i % 5) - 2);
    for (std::int64_t i = 0; i < 48; ++i) args[1].set(i, static_cast<double>(i % 7) - 3);
    REQUIRE(interpret(parsed(kTiled), args).has_value());
    for (std::int64_t i = 0; i < 4; ++i)
        for (std::int64_t j = 0; j < 8; ++j) {
            double sum = 0;
            for (std::int64_t k = 0; k < 6; ++k) sum += args[0].as_double(i * 6 + k) * args[1].as_double(k * 8 + j);
            REQUIRE(args[2].as_double(i * 8 + j) == sum);
        }

    runtime::register_extern({"test_tensor_twice", "", {{"x", "f32", "rw", {"n"}}}, {"plus"}, twice});
    const Program columns = parsed(R"(fn f(x: f32[3,4]) -> (y: f32[3,4]) {
      alloc t: f32[1,3,4] scope stack
      for i in 3 { for j in 4 { t[0, i, j] = x[i, j] } }
      for j in 4 { if j != 1 { call_extern("test_tensor_twice", access_ptr(t[0, 0 +: 2 + j // 3, j], "rw"), j * 10) } }
      for i in 3 { for j in 4 { y[i, j] = t[0, i, j] } } })");
    // A column is no row: its dimension of extent 1 is behind, so the rank is one too many.
    CHECK(refused(check_externs(columns)).code == Code::BadArgument);
    const Program rows = parsed(R"(fn f(x: f32[3,4]) -> (y: f32[3,4]) {
      alloc t: f32[1,4,3] scope stack
      for i in 3 { for j in 4 { t[0, j, i] = x[i, j] } }
      for j in 4 { if j != 1 { call_extern("test_tensor_twice", access_ptr(t[0, j, 0 +: 2 + j // 3], "rw"), j * 10) } }
      for i in 3 { for j in 4 { y[i, j] = t[0, j, i] } } })");
    std::vector<NDArray> pair = {NDArray::zeros(DType::F32, {3, 4}), NDArray::zeros(DType::F32, {3, 4})};
    for (std::int64_t i = 0; i < 12; ++i) pair[0].set(i, static_cast<double>(i));
    REQUIRE(interpret(rows, pair).has_value());
    for (std::int64_t i = 0; i < 3; ++i)
        for (std::int64_t j = 0; j < 4; ++j) {
            const double x = static_cast<double>(i * 4 + j);
            const bool inside = j != 1 && i < 2 + j / 3;
            INFO(i << " " << j);
            CHECK(pair[1].as_double(i * 4 + j) == (inside ? x * 2 + static_cast<double>(j) * 10 : x));
        }
}

TEST_CASE("rewriting an extern call keeps what does not change", "[tensor][extern][rewriter]") {
    const Program program = parsed(kTiled);
    class Nothing final : public Rewriter {};
    CHECK(Nothing().rewrite(program) == program);
    const Buffer wide = make_buffer("wide", DType::F32, {4, 16});
    const Stmt moved = substitute_buffers(program->body, {{program->params[2], wide}});
    CHECK(to_string(moved).find("access_ptr(wide[vi * 2 +: 2, 0 +: 8], \"rw\")") != std::string::npos);
    CHECK(has_extern_call(moved));
    CHECK(simplify(program)->body->kind == NodeKind::Seq);
    // What only an extern call uses is not dropped.
    const Program scratch = parsed("fn f() -> (y: f32[2]) { alloc t: f32[2] scope stack\n"
                                   "call_extern(\"g\", access_ptr(t, \"w\")) }");
    CHECK(to_string(simplify(scratch)).find("alloc t") != std::string::npos);
}
