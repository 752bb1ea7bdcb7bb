#include "core/tensor/expression_text.hpp"

#include "core/tensor/analysis.hpp"
#include "core/tensor/text.hpp"
#include "tests/core/tensor/typed_gallery.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <random>

using namespace orrery;
using namespace orrery::tensor;

namespace {

Program program_of(const std::string& text) {
    const Result<std::vector<TypedProgram>> typed = parse_typed(text);
    if (!typed) FAIL(to_string(typed.error()) << "\n" << text);
    REQUIRE(typed->size() == 1);
    return typed->front().program;
}

/// Runs a program whose inputs hold 0.5, 1.5, 2.5, ...; integers 0, 1, 2, ...
std::vector<double> results_of(const std::string& text) {
    const Program program = program_of(text);
    std::vector<NDArray> args;
    for (std::size_t i = 0; i < program->params.size(); ++i) {
        const Buffer& param = program->params[i];
        args.push_back(NDArray::zeros(param->dtype, param->static_shape()));
        if (i >= program->input_count) continue;
        for (std::int64_t k = 0; k < args.back().size(); ++k)
            args.back().set(k, static_cast<double>(k) + (is_float(param->dtype) ? 0.5 : 0));
    }
    const Result<void> done = interpret(program, args);
    if (!done) FAIL(to_string(done.error()));
    std::vector<double> out;
    for (std::int64_t k = 0; k < args.back().size(); ++k) out.push_back(args.back().as_double(k));
    return out;
}

struct Refused {
    std::string text;
    Code code;
    int line, column;
};

void check_refused(const Refused& one) {
    const Result<std::vector<TypedProgram>> typed = parse_typed(one.text);
    INFO(one.text);
    REQUIRE_FALSE(typed.has_value());
    const Diagnostic& error = typed.error();
    INFO(to_string(error));
    CHECK(code_name(error.code) == std::string(code_name(one.code)));
    const auto* at = std::get_if<TextPosition>(&error.locations.at(0));
    REQUIRE(at != nullptr);
    CHECK(at->line == one.line);
    CHECK(at->column == one.column);
    CHECK_FALSE(error.message.empty());
}

} // namespace

TEST_CASE("a stage is the loops and the block that an operator's would be", "[tensor][typed]") {
    const Program typed = program_of("input A: f32[4, 3], B: f32[3, 5]\n"
                                     "C[i: 4, j: 5] = sum[k: 3](A[i, k] * B[k, j])");
    const Result<Program> wanted = parse_program(R"(fn scratch(A: f32[4,3], B: f32[3,5]) -> (C: f32[4,5]) {
      for i in 4 { for j in 5 { for k in 3 {
        block C(vi = i in 4, vj = j in 5, reduce vk = k in 3) {
          reads C[vi, vj], A[vi, vk], B[vk, vj]
          writes C[vi, vj]
          init { C[vi, vj] = 0.0 }
          C[vi, vj] = C[vi, vj] + A[vi, vk] * B[vk, vj]
        } } } } })");
    REQUIRE(wanted.has_value());
    INFO(to_string(typed));
    CHECK(structural_equal(typed, *wanted));
    CHECK(typed->name == "scratch");
}

TEST_CASE("numbers take the type of what they meet", "[tensor][typed]") {
    const auto dtype = [](const std::string& expression) {
        return program_of("let N = 4  let eps = 0.1\ninput x: f16[N], n: i32[N], d: f64[N], flag: bool[N]\ny[i: N] = " +
                          expression)
            ->params.back()
            ->dtype;
    };
    CHECK(dtype("x[i] * 2") == DType::F16);
    CHECK(dtype("2 - x[i] / N + eps") == DType::F16);
    CHECK(dtype("n[i] + N") == DType::I32);
    CHECK(dtype("select(flag[i], 1, 0.5)") == DType::F32);
    CHECK(dtype("f32(x[i]) + f32(n[i])") == DType::F32);
    CHECK(dtype("-1") == DType::I64);
    CHECK(dtype("max(x[i], 0)") == DType::F16);
    CHECK(dtype("n[i] > 3 && flag[i]") == DType::Bool);
    CHECK(dtype("0.5f64") == DType::F64);
    // In f64 the number is what was typed, not what it would be in f32.
    CHECK(results_of("input d: f64[1]\ny[] = d[0] * 0 + 0.1") == std::vector<double>{0.1});
    CHECK(results_of("input d: f64[1]\nlet a = 0.1 let b = -a\ny[] = d[0] * 0 + (b - 0.2)") ==
          std::vector<double>{-0.1 - 0.2});
}

TEST_CASE("reductions inside expressions become stages over the axes they use", "[tensor][typed]") {
    const std::string text = "input x: f32[2, 3]\ny[i: 2, j: 3] = x[i, j] / sum[k: 3](x[i, k])";
    const Program program = program_of(text);
    INFO(to_string(program));
    CHECK(to_string(program).find("alloc y_sum: f32[2]") != std::string::npos);
    const std::vector<double> y = results_of(text);
    CHECK(y[0] == Approx(0.5 / 4.5));
    CHECK(y[5] == Approx(5.5 / 13.5));
    // One inside another, over axes of the stage alone.
    const std::vector<double> v = results_of("input x: f32[2, 3]\nv[i: 2] = sum[k: 3]((x[i, k] - sum[l: 3](x[i, l]) / "
                                             "3) * (x[i, k] - sum[m: 3](x[i, m]) / 3))");
    CHECK(v[0] == Approx(2));
    CHECK(v[1] == Approx(2));
}

TEST_CASE("every reducer combines as its name says", "[tensor][typed]") {
    const auto one = [](const std::string& expression) {
        return results_of("input x: f32[4], n: i32[4]\ny[] = " + expression).at(0);
    };
    CHECK(one("sum[k: 4](x[k])") == 8);
    CHECK(one("prod[k: 4](x[k])") == Approx(0.5 * 1.5 * 2.5 * 3.5));
    CHECK(one("max[k: 4](x[k])") == 3.5);
    CHECK(one("min[k: 4](x[k])") == 0.5);
    CHECK(one("sum[k: 4](n[k])") == 6);
    CHECK(one("all[k: 4](x[k] > 0.7)") == 0);
    CHECK(one("any[k: 4](x[k] > 3)") == 1);
    CHECK(one("sum[i: 4, j: 4](x[i] * x[j])") == 64);
    CHECK(one("exp(max[k: 4](x[k])) * 0 + 1") == 1);
}

TEST_CASE("scalars, index arithmetic, several results", "[tensor][typed]") {
    CHECK(results_of("input a: f32[], x: f32[3]\ny[i: 3] = a * x[i] + a[]") == std::vector<double>{0.75, 1.25, 1.75});
    CHECK(results_of("input x: f32[6]\ny[i: 2, j: 3] = x[(i * 3 + j + 1) % 6]") ==
          std::vector<double>{1.5, 2.5, 3.5, 4.5, 5.5, 0.5});
    const Program two = program_of("input x: f32[4]\na[i: 4] = x[i] + 1\nb[i: 4] = a[i] * 2\noutput b, a");
    CHECK(two->params.size() == 3);
    CHECK(two->params[1]->name == "b");
    CHECK(two->params[2]->name == "a");
}

TEST_CASE("statements lead to the lines that define them", "[tensor][typed]") {
    const Result<std::vector<TypedProgram>> typed = parse_typed(
        "# a comment\ninput x: f32[4, 4]\ntop[i: 4] = max[k: 4](x[i, k])\n\ny[i: 4, j: 4] =\n  x[i, j] - top[i]\n");
    REQUIRE(typed.has_value());
    const TypedProgram& one = typed->front();
    REQUIRE(one.definitions.size() == 2);
    CHECK(one.definitions[0].line == 3);
    CHECK(one.definitions[1].line == 5);
    const PrintedProgram printed = print_program(one.program);
    for (const PrintedLine& line : printed.lines) {
        if (line.text.find("block top") != std::string::npos) CHECK(line.origin == OriginSet(SourceId{0}));
        if (line.text.find("block y") != std::string::npos) CHECK(line.origin == OriginSet(SourceId{1}));
    }
    const Result<std::vector<TypedProgram>> ir = parse_typed(tests::gallery_texts().at("two_kernels.tir"));
    REQUIRE(ir.has_value());
    REQUIRE(ir->size() == 2);
    CHECK(ir->at(0).definitions.size() == 3);
    CHECK(ir->at(1).definitions[1].name == "square");
    CHECK(ir->at(1).program->origin.contains(4)); // counted over both
}

TEST_CASE("what cannot be read is refused with its place", "[tensor][typed]") {
    const std::string head = "input x: f32[8], n: i32[8], b: bool[8]\n";
    const std::vector<Refused> all = {
        {"", Code::BadText, 1, 1},
        {"# nothing", Code::BadText, 1, 1},
        {"input x: f32[8]", Code::BadText, 1, 16},
        {"input x f32[8]", Code::BadText, 1, 9},
        {"input x: f33[8]", Code::BadText, 1, 10},
        {"input x: f32[-1]", Code::BadShape, 1, 14},
        {"input x: f32[0]", Code::BadShape, 1, 14},
        {"input x: f32[2.5]", Code::BadText, 1, 14},
        {"input x: f32[100000, 100000]", Code::LimitExceeded, 1, 7},
        {"input x: f32[999999999999]", Code::LimitExceeded, 1, 14},
        {"let N = x", Code::BadText, 1, 9},
        {"kernel 5", Code::BadText, 1, 8},
        {"let sum = 4", Code::BadText, 1, 5},
        {"sum[i: 8] = 1", Code::BadText, 1, 1},
        {"= 4", Code::BadText, 1, 1},
        {head + "x[i: 8] = 1", Code::BadText, 2, 1},
        {head + "y[i 8] = 1", Code::BadText, 2, 5},
        {head + "y[i: 8] 1", Code::BadText, 2, 9},
        {head + "y = x[0]", Code::BadText, 2, 3},
        {head + "y[i: 8, i: 8] = 1.0", Code::BadText, 2, 9},
        {head + "y[x: 8] = 1.0", Code::BadText, 2, 3},
        {head + "y[i: n] = 1.0", Code::BadText, 2, 7},
        {head + "y[i: 8] = z[i]", Code::BadText, 2, 11},
        {head + "y[i: 8] = y[i]", Code::BadText, 2, 11},
        {head + "y[i: 8] = x[i] +", Code::BadText, 2, 17},
        {head + "y[i: 8] = (x[i]", Code::BadText, 2, 16},
        {head + "y[i: 8] = x[i] + n[i]", Code::BadType, 2, 16},
        {head + "y[i: 8] = n[i] + 0.5", Code::BadType, 2, 16},
        {head + "y[i: 8] = n[i] + 5000000000", Code::BadType, 2, 16},
        {head + "y[i: 8] = x[i] % 2.0", Code::BadType, 2, 16},
        {head + "y[i: 8] = x[i] && b[i]", Code::BadType, 2, 16},
        {head + "y[i: 8] = b[i] + b[i]", Code::BadType, 2, 16},
        {head + "y[i: 8] = exp(n[i])", Code::BadType, 2, 11},
        {head + "y[i: 8] = exp(x[i], x[i])", Code::BadText, 2, 11},
        {head + "y[i: 8] = expp(x[i])", Code::BadText, 2, 11},
        {head + "y[i: 8] = x(i)", Code::BadText, 2, 11},
        {head + "y[i: 8] = x[i, i]", Code::BadShape, 2, 11},
        {head + "y[i: 8] = x[x[i]]", Code::BadType, 2, 13},
        {head + "y[i: 8] = x[1.0]", Code::BadType, 2, 13},
        {head + "y[i: 8] = select(x[i], 1.0, 2.0)", Code::BadType, 2, 11},
        {head + "y[i: 8] = 1 < 2 < 3", Code::BadText, 2, 17},
        {head + "y[i: 8] = 300i8", Code::BadText, 2, 11},
        {head + "y[i: 8] = 1e999", Code::BadText, 2, 11},
        {head + "y[] = sum(x[0])", Code::BadText, 2, 7},
        {head + "y[] = sum[](x[0])", Code::BadText, 2, 7},
        {head + "y[] = sum[k: 8](b[k])", Code::BadType, 2, 7},
        {head + "y[] = any[k: 8](x[k])", Code::BadType, 2, 7},
        {head + "y[] = sum[k: 8](sum[j: 8](x[k] * x[j]))", Code::BadText, 2, 7},
        {head + "y[i: 8] = x[i]\noutput z", Code::BadText, 3, 8},
        {head + "y[i: 8] = x[i]\noutput y, y", Code::BadText, 3, 11},
        {head + "y[i: 8] = x[i] $", Code::BadText, 2, 16},
        // What the text says may not be done.
        {head + "y[i: 8] = x[i + 1]", Code::BadShape, 2, 1},
        {head + "y[i: 8] = x[i]\nz[i: 9] = y[i]", Code::BadShape, 3, 1},
        {head + "y[i: 8] = x[n[i]]", Code::BadShape, 2, 1},
        {head + "y[i: 100000, j: 100000] = 1.0", Code::LimitExceeded, 2, 1},
        {head + "y[] = sum[i: 1000000, j: 1000000, k: 1000](x[0])", Code::LimitExceeded, 2, 1},
        {head + "y[i: 8] = x[i]\nz[i: 4, j: 4] = sum[k: 4](y[i + j + k])", Code::BadShape, 3, 1},
        // Tensor IR.
        {"fn f(x: f32[8]) -> () { }", Code::BadShape, 1, 1},
        {"fn f(x: f32[8]) -> (y: f32[8]) {\n y[8] = 1.0 }", Code::IllegalSchedule, 1, 21},
        {"fn f(x: f32[8]) -> (y: f32[8]) {\n for i in 9 {\n block b(vi = i in 9) { y[vi] = 1.0 } } }", Code::BadShape,
         3, 8},
        {"fn f<n: i64>(x: f32[n]) -> (y: f32[n]) { }", Code::BadShape, 1, 14},
        {"fn f(x: f32[8]) -> (y: f32[8]) {\n x[0] = 1.0 }", Code::IllegalSchedule, 1, 6},
    };
    for (const Refused& one : all) check_refused(one);
}

TEST_CASE("sizes of texts are bounded", "[tensor][typed]") {
    const auto code = [](const std::string& text) {
        const Result<std::vector<TypedProgram>> typed = parse_typed(text);
        REQUIRE_FALSE(typed.has_value());
        return typed.error().code;
    };
    CHECK(code("y[] = " + std::string(300, '(') + "1.0" + std::string(300, ')')) == Code::BadText);
    CHECK(code("y[] = " + std::string(3000, '-') + "1.0") == Code::BadText);
    std::string chain = "input x: f32[1]\ny[] = x[0]", many = "input x: f32[1]\n", axes = "y[";
    for (int i = 0; i < 2000; ++i) chain += " + x[0]";
    for (int i = 0; i < 300; ++i) many += "y" + std::to_string(i) + "[] = x[0]\n";
    for (int i = 0; i < 12; ++i) axes += (i ? ", a" : "a") + std::to_string(i) + ": 1";
    CHECK(code(chain) == Code::BadText);
    CHECK(code(many) == Code::LimitExceeded);
    CHECK(code(axes + "] = 1.0") == Code::LimitExceeded);
    CHECK(code(std::string(kMaxTypedText + 1, ' ')) == Code::LimitExceeded);
}

TEST_CASE("the gallery is read, verified and stays in its buffers", "[tensor][typed]") {
    CHECK(tests::gallery_texts().size() >= 12);
    for (const auto& [name, text] : tests::gallery_texts()) {
        INFO(name);
        const Result<std::vector<TypedProgram>> typed = parse_typed(text);
        if (!typed) FAIL(to_string(typed.error()));
        for (const TypedProgram& one : *typed) {
            CHECK(verify(one.program).has_value());
            // Its text form is read back equal, as every program's is.
            CHECK(structural_equal(parse_program(to_string(one.program)).value(), one.program));
        }
    }
}

TEST_CASE("expressions are written back as a text that reads equal", "[tensor][typed]") {
    for (const auto& [name, text] : tests::gallery_texts()) {
        if (!name.ends_with(".te")) continue;
        INFO(name);
        const Program program = program_of(text);
        const std::string written = to_expressions(program);
        INFO(written);
        REQUIRE_FALSE(written.empty());
        CHECK(structural_equal(program_of(written), program));
        CHECK(to_expressions(program_of(written)) == written);
    }
    // Types that constants name, words that mean something.
    const std::string odd = to_expressions(program_of(
        "input x: f16[4], n: i8[4]\ny[i: 4] = x[i] * 0.5 + f16(n[i] + 3)\nz[i: 4] = select(n[i] > 3, y[i], -inf)"));
    CHECK(odd.find("0.5f16") != std::string::npos);
    // What is no expression has none.
    CHECK(to_expressions(program_of(tests::gallery_texts().at("histogram.tir"))).empty());
    CHECK(to_expressions(program_of(tests::gallery_texts().at("prefix_sum.tir"))).empty());
    const std::string named = to_expressions(program_of("fn max(x: f32[4]) -> (out: f32[4]) { for input in 4 { block "
                                                        "twice(v = input in 4) { out[v] = x[v] * 2.0 } } }"));
    CHECK(named == "kernel max\ninput x: f32[4]\ntwice[input_1: 4] = x[input_1] * 2.0\noutput twice\n");
}

TEST_CASE("damaged texts end in a program or in an error with a place", "[tensor][typed][property]") {
    constexpr int kRounds = 150;
    const unsigned seed = 20261126;
    std::mt19937 random(seed);
    const auto below = [&](std::size_t n) { return std::uniform_int_distribution<std::size_t>(0, n - 1)(random); };
    const std::string pieces[] = {"[",       "]",
                                  "(",       ")",
                                  ":",       ",",
                                  "=",       "sum",
                                  "max",     "0",
                                  "1",       "-1",
                                  "4096",    "1e30",
                                  "f32",     "i8",
                                  "let",     "input",
                                  "fn",      "block",
                                  "x",       "i",
                                  "k",       "%",
                                  "/",       "//",
                                  "select(", "\n",
                                  "#",       "\"",
                                  "\xff",    "nan",
                                  "true",    "18446744073709551616",
                                  "output",  "kernel"};
    int accepted = 0;
    for (const auto& [name, text] : tests::gallery_texts())
        for (int round = 0; round < kRounds; ++round) {
            std::string damaged = text;
            for (std::size_t edit = 0, edits = 1 + below(4); edit < edits; ++edit) {
                const std::size_t at = below(damaged.size() + 1), length = below(12);
                const std::string& piece = pieces[below(std::size(pieces))];
                switch (below(3)) {
                case 0: damaged.insert(at, piece); break;
                case 1: damaged.erase(at, length); break;
                default: damaged.replace(at, length, piece); break;
                }
            }
            INFO(name << ", round " << round << "\n" << damaged);
            const Result<std::vector<TypedProgram>> typed = parse_typed(damaged);
            if (typed) {
                ++accepted;
                for (const TypedProgram& one : *typed) REQUIRE(verify(one.program).has_value());
                continue;
            }
            REQUIRE_FALSE(typed.error().locations.empty());
            const auto* place = std::get_if<TextPosition>(&typed.error().locations.front());
            REQUIRE(place != nullptr);
            REQUIRE(place->line >= 1);
            REQUIRE(place->line <= 1 + std::ranges::count(damaged, '\n'));
        }
    CHECK(accepted > 100); // comments, numbers and names can be changed
}
