#include "core/base/file.hpp"
#include "core/tensor/analysis.hpp"
#include "core/tensor/build.hpp"
#include "core/tensor/compute.hpp"
#include "core/tensor/text.hpp"
#include "tests/core/tensor/random_program.hpp"
#include "tests/support/paths.hpp"

#include <catch2/catch.hpp>

#include <bit>
#include <cmath>

using namespace orrery;
using namespace orrery::tensor;

namespace {

/// Parsed, printed, parsed again: the same program and the same text.
Program round_trip(const std::string& text) {
    const Result<Program> first = parse_program(text);
    if (!first) FAIL(to_string(first.error()) << "\n" << text);
    const std::string printed = to_string(*first);
    INFO(printed);
    const Result<Program> second = parse_program(printed);
    REQUIRE(second.has_value());
    CHECK(structural_equal(*first, *second));
    CHECK(structural_hash(*first) == structural_hash(*second));
    CHECK(to_string(*second) == printed);
    return *first;
}

struct Place {
    int line, column;
};
/// Where parsing is refused; fails the test when it is not, or not as BadText.
Place refused(const std::string& text) {
    const Result<Program> result = parse_program(text);
    REQUIRE_FALSE(result.has_value());
    INFO(to_string(result.error()));
    CHECK(result.error().code == Code::BadText);
    REQUIRE(result.error().locations.size() == 1);
    const auto& at = std::get<TextPosition>(result.error().locations.front());
    return {at.line, at.column};
}
void check_refused(const std::string& text, int line, int column) {
    INFO(text.substr(0, 400));
    const Place place = refused(text);
    CHECK(place.line == line);
    CHECK(place.column == column);
}
/// A refusal within the body of a small program; the body is line 2.
void check_body_refused(const std::string& body, int column) {
    check_refused("fn f(x: f32[4], k: i64[4]) -> (y: f32[4]) {\n" + body + "\n}\n", 2, column);
}

std::string value_text(const Expr& expr) { return to_string(expr); }

Program conv() {
    ComputeBuilder builder;
    const Buffer x = make_buffer("x", DType::F32, {1, 3, 8, 8}), w = make_buffer("w", DType::F32, {4, 3, 3, 3});
    using E = std::vector<Expr>;
    const Buffer pad =
        builder.origin(OriginSet(3))
            .axes({"n", "c", "h", "w"})
            .compute("pad", DType::F32, {1, 3, 10, 10}, [&](const E& i) {
                const Expr inside = ge(i[2], imm(1)) && lt(i[2], imm(9)) && ge(i[3], imm(1)) && lt(i[3], imm(9));
                return select(inside, load(x, {i[0], i[1], i[2] - 1, i[3] - 1}), constant(DType::F32, 0));
            });
    const Buffer y =
        builder.axes({"n", "oc", "oh", "ow"})
            .reduce("conv", DType::F32, {1, 4, 8, 8}, {Combiner::Sum, {3, 3, 3}, {"ic", "kh", "kw"}},
                    [&](const E& i, const E& k) {
                        return load(pad, {i[0], k[0], i[2] + k[1], i[3] + k[2]}) * load(w, {i[1], k[0], k[1], k[2]});
                    });
    return builder.program("conv2d", {x, w}, {y});
}

} // namespace

TEST_CASE("a convolution prints as people read it", "[tensor][text]") {
    const std::string expected = R"(fn conv2d(x: f32[1,3,8,8], w: f32[4,3,3,3]) -> (conv: f32[1,4,8,8]) {
  alloc pad: f32[1,3,10,10] scope global
  for n in 1 {
    for c in 3 {
      for h in 10 {
        for w_1 in 10 {
          block pad(vn = n in 1, vc = c in 3, vh = h in 10, vw = w_1 in 10) {
            reads x[vn, vc, vh - 1, vw - 1]
            writes pad[vn, vc, vh, vw]
            pad[vn, vc, vh, vw] = select(vh >= 1 && vh < 9 && vw >= 1 && vw < 9, x[vn, vc, vh - 1, vw - 1], 0.0)
          }
        }
      }
    }
  }
  for n_1 in 1 {
    for oc in 4 {
      for oh in 8 {
        for ow in 8 {
          for ic in 3 {
            for kh in 3 {
              for kw in 3 {
                block conv(vn_1 = n_1 in 1, voc = oc in 4, voh = oh in 8, vow = ow in 8, reduce vic = ic in 3, reduce vkh = kh in 3, reduce vkw = kw in 3) {
                  reads conv[vn_1, voc, voh, vow], pad[vn_1, vic, voh + vkh, vow + vkw], w[voc, vic, vkh, vkw]
                  writes conv[vn_1, voc, voh, vow]
                  init { conv[vn_1, voc, voh, vow] = 0.0 }
                  conv[vn_1, voc, voh, vow] = conv[vn_1, voc, voh, vow] + pad[vn_1, vic, voh + vkh, vow + vkw] * w[voc, vic, vkh, vkw]
                }
              }
            }
          }
        }
      }
    }
  }
}
)";
    CHECK(to_string(conv()) == expected);
    CHECK(structural_equal(round_trip(expected), conv()));
}

TEST_CASE("the program in the documentation is one, and prints as it stands there", "[tensor][text]") {
    const Result<std::string> page = read_file(tests::source_dir() / "docs/text-forms.md");
    REQUIRE(page.has_value());
    const std::size_t start = page->find("fn conv2d(", page->find("## Tensor IR"));
    REQUIRE(start != std::string::npos);
    const std::string text = page->substr(start, page->find("```", start) - start);
    const Program program = round_trip(text);
    CHECK(to_string(program) == text);
    const Result<void> sound = verify(program);
    if (!sound) FAIL(to_string(sound.error()));
}

TEST_CASE("lines carry their statement and origin", "[tensor][text]") {
    const Program program = conv();
    const PrintedProgram printed = print_program(program);
    int statements = 0;
    for (std::size_t i = 0; i < printed.lines.size(); ++i) {
        const PrintedLine& line = printed.lines[i];
        const std::size_t indent = line.text.find_first_not_of(' ');
        CHECK(indent == static_cast<std::size_t>(line.depth) * 2);
        if (!line.node) continue;
        ++statements;
        CHECK(printed.line_of.at(line.node) == static_cast<int>(i) + 1);
        CHECK(line.origin == line.node->origin);
        CHECK(line.origin.contains(3));
    }
    CHECK(statements == 1 + 11 + 2 + 3); // the alloc, loops, blocks and stores: each a line of its own
    CHECK(printed.lines[printed.line_of.at(program->body.get()) - 1].text ==
          "  alloc pad: f32[1,3,10,10] scope global");
    CHECK(printed.text() == to_string(program));
}

TEST_CASE("every construct reads back equal", "[tensor][text]") {
    round_trip("fn empty() -> () {}");
    round_trip("fn \"a/b:0 \\\"q\\\"\"(x: f32[]) -> (y: f32[]) { y[] = x[] }");
    round_trip(R"(fn symbolic<n: i64, m: i64>(x: f32[n,4 * m]) -> (y: f32[n // 2]) {
      alloc t: f16[n % 3 + 1] scope registers
      for i in n // 2 { y[i] = x[i, m - 1] }
    })");
    round_trip("fn scopes(x: u8[2] scope stack) -> (y: u8[2] scope registers) { y[0] = x[0] }");
    round_trip(R"(fn kinds(x: f32[2,3,4,5]) -> (y: f32[2,3,4,5]) {
      parallel a in 2 @pragma="x y" { for b in 3 @"odd key" { unrolled c in 4 { vectorized d in 5 {
        if a < 1 { y[a, b, c, d] = 1.0 } else { if b > 0 {} else {} }
        { alloc t: f32[] scope stack
          t[] = 1.0 }
        let u = x[a, b, c, d]
        { let v = u * 2.0
          y[a, b, c, d] = v }
        y[a, b, c, d] = u
      } } } }
    })");
    round_trip(R"(fn blocks(x: f32[8]) -> (y: f32[1]) {
      for r in 4 { for s in 3 {
        block "sum of x"(v = 0 in 1, reduce k = r * 3 + s in 8) where r * 3 + s < 8 @tensorize="dot" {
          reads y[0], x[k]
          writes y[v]
          init { y[0] = 0.0
                 y[0] = 0.0 }
          y[0] = y[0] + x[k]
          block inner() { reads x[0 +: 8], y[0 +: k] }
        } } }
    })");
}

TEST_CASE("every operator and function reads back equal, with the parentheses it needs", "[tensor][text]") {
    round_trip(R"(fn ops(a: i32[9], f: f32[9], b: bool[9]) -> (y: bool[1]) {
      let i1 = a[0] + a[1] - a[2] * a[3] / a[4] // a[5] % a[6]
      let i2 = a[0] - (a[1] - a[2]) * (a[3] + -a[4]) // -(a[5] // a[6])
      let i3 = a[0] & a[1] | a[2] ^ a[3] << a[4] >> (a[5] >> 1i32) & ~a[6]
      let i4 = rem(min(a[0], a[1]), max(a[2], i1)) + popcount(a[1]) + i2 + i3 + -(3i32) + -3i32 - -3i32
      let b1 = b[0] && b[1] || !b[2] && (b[3] || a[0] == a[1] && f[0] != f[1])
      let b2 = (a[0] < a[1]) == (a[0] <= a[1])
      let b3 = (i4 == a[0]) != b2
      y[0] = b1 == b3
    })");
    for (const char* name :
         {"abs",  "sign", "sqrt", "exp",   "log",   "sin",   "cos", "tan",   "asin", "acos",  "atan",
          "sinh", "cosh", "tanh", "asinh", "acosh", "atanh", "erf", "floor", "ceil", "round", "trunc"})
        round_trip("fn f(x: f32[1]) -> (y: f32[1]) { y[0] = " + std::string(name) + "(-x[0]) }");
    round_trip("fn f(x: f32[1]) -> (y: f32[1]) { y[0] = pow(fmod(x[0], 2.0), select(isnan(x[0]) || isinf(x[0]), 1.0, "
               "-x[0])) }");
    for (const char* type : {"bool", "i8", "i16", "i32", "u8", "u16", "u32", "u64", "f16", "bf16", "f32", "f64"})
        round_trip("fn f(x: i64[1]) -> (y: i64[1]) { y[0] = i64(" + std::string(type) + "(x[0])) }");
}

TEST_CASE("precedence groups as written", "[tensor][text]") {
    const VarRef a = Var::make("a"), b = Var::make("b"), c = Var::make("c");
    const auto bin = [](BinaryOp op, Expr x, Expr y) { return Binary::make(op, std::move(x), std::move(y)); };
    CHECK(value_text(bin(BinaryOp::Sub, a, bin(BinaryOp::Sub, b, c))) == "a - (b - c)");
    CHECK(value_text(bin(BinaryOp::Sub, bin(BinaryOp::Sub, a, b), c)) == "a - b - c");
    CHECK(value_text(bin(BinaryOp::Mul, bin(BinaryOp::Add, a, b), c)) == "(a + b) * c");
    CHECK(value_text(bin(BinaryOp::FloorMod, bin(BinaryOp::FloorDiv, a, b), c)) == "a // b % c");
    CHECK(value_text(Call::make(Intrinsic::Neg, {bin(BinaryOp::Mul, a, b)})) == "-(a * b)");
    CHECK(value_text(Call::make(Intrinsic::Neg, {imm(3)})) == "-(3)");
    CHECK(value_text(imm(-3)) == "-3");
    CHECK(value_text(bin(BinaryOp::Lt, bin(BinaryOp::Lt, a, b), boolean(true))) == "(a < b) < true");
}

TEST_CASE("constants print short and read back exactly", "[tensor][text]") {
    CHECK(value_text(constant(DType::F32, 0.1)) == "0.1");
    CHECK(value_text(constant(DType::F64, 0.1)) == "0.1f64");
    CHECK(value_text(constant(DType::F16, 0.1)) == "0.1f16");
    CHECK(value_text(constant(DType::BF16, 3)) == "3.0bf16");
    CHECK(value_text(constant(DType::F32, -0.0)) == "-0.0");
    CHECK(value_text(constant(DType::F32, 1e30)) == "1e+30");
    CHECK(value_text(constant_int(DType::I8, -128)) == "-128i8");
    CHECK(value_text(constant_int(DType::U64, -1)) == "18446744073709551615u64");
    CHECK(value_text(imm(INT64_MIN)) == "-9223372036854775808");
    CHECK(value_text(lowest(DType::F16)) == "-inff16");
    CHECK(value_text(constant(DType::F32, std::nan(""))) == "nan");

    std::mt19937_64 random(Catch::rngSeed());
    std::vector<Expr> values;
    for (DType type : {DType::F8E4M3FN, DType::F8E4M3FNUZ, DType::F8E5M2, DType::F8E5M2FNUZ, DType::F16, DType::BF16,
                       DType::F32, DType::F64}) {
        for (double v : {0.0, -0.0, 1.0, -1.5, 1e-45, 1.1754944e-38, 3.4028235e38, 65504.0, 5.96e-8, 5e-324,
                         1.7976931348623157e308, 1e7, 16777216.0})
            values.push_back(FloatImm::make(type, v));
        for (double v : {std::nan(""), HUGE_VAL, -HUGE_VAL}) values.push_back(FloatImm::make(type, v));
        for (int i = 0; i < 200; ++i) values.push_back(FloatImm::make(type, std::bit_cast<double>(random())));
        for (int i = 0; i < 200; ++i)
            values.push_back(FloatImm::make(type, std::bit_cast<float>(static_cast<std::uint32_t>(random()))));
    }
    for (int t = 0; t < kDTypeCount; ++t) {
        const auto type = static_cast<DType>(t);
        if (!is_int(type)) continue;
        values.push_back(lowest(type));
        values.push_back(highest(type));
        for (int i = 0; i < 50; ++i) values.push_back(constant_int(type, static_cast<std::int64_t>(random())));
    }
    for (const Expr& value : values) {
        const std::string text = value_text(value);
        INFO(text);
        const Result<Program> program =
            parse_program("fn f() -> (y: " + std::string(to_string(value->dtype)) + "[]) { y[] = " + text + " }");
        REQUIRE(program.has_value());
        CHECK(structural_equal(as<Store>((*program)->body)->value, value));
    }
}

TEST_CASE("random programs read back equal", "[tensor][text][property]") {
    for (std::uint64_t i = 0; i < 200; ++i) {
        const std::uint64_t seed = Catch::rngSeed() * 1000003ull + i;
        INFO("seed " << seed);
        const Program program = testing::ProgramGenerator(seed).program();
        const std::string text = to_string(program);
        INFO(text);
        const Result<Program> read = parse_program(text);
        if (!read) FAIL(to_string(read.error()));
        REQUIRE(structural_equal(*read, program));
        REQUIRE(structural_hash(*read) == structural_hash(program));
        REQUIRE(to_string(*read) == text);
    }
}

TEST_CASE("names are made unique and readable", "[tensor][text]") {
    const Buffer a = make_buffer("x", DType::F32, {2}), b = make_buffer("x", DType::F32, {2});
    const Buffer odd = make_buffer("conv1/bias:0", DType::F32, {2}), word = make_buffer("in", DType::F32, {2});
    const VarRef i = Var::make("x"), j = Var::make("7");
    const Stmt stores = Seq::make({Store::make(a, {i}, load(b, {j})), Store::make(odd, {i}, load(word, {j}))});
    const Stmt body = For::make(i, imm(2), LoopKind::Serial, For::make(j, imm(2), LoopKind::Serial, stores));
    const std::string text = to_string(make_program("f", {b, word, a, odd}, 2, body));
    CHECK(text.find("fn f(x: f32[2], in_: f32[2]) -> (x_1: f32[2], conv1_bias_0: f32[2]) {") == 0);
    CHECK(text.find("for x_2 in 2 {") != std::string::npos);
    CHECK(text.find("x_1[x_2] = x[v7]") != std::string::npos);
    round_trip(text);
}

TEST_CASE("a long header wraps at its parameters", "[tensor][text]") {
    std::vector<Buffer> params;
    for (int i = 0; i < 12; ++i) params.push_back(make_buffer("parameter", DType::F32, {1, 64, 56, 56}));
    const Program program = make_program(
        "wide", params, 11, Store::make(params.back(), {imm(0), imm(0), imm(0), imm(0)}, constant(DType::F32, 1)));
    const PrintedProgram printed = print_program(program);
    CHECK(printed.lines.size() > 5);
    for (const PrintedLine& line : printed.lines) CHECK(line.text.size() <= 100);
    CHECK(printed.line_of.at(program->body.get()) == static_cast<int>(printed.lines.size()) - 1);
    round_trip(printed.text());
}

TEST_CASE("several programs stand one after another", "[tensor][text]") {
    const auto programs = parse_programs("# two\nfn f(x: f32[1]) -> () {}\nfn g(x: f32[2]) -> () {} # end");
    REQUIRE(programs.has_value());
    REQUIRE(programs->size() == 2);
    CHECK((*programs)[1]->name == "g");
    CHECK(parse_programs("  \n")->empty());
    CHECK_FALSE(parse_programs("fn f() -> () {} fn").has_value());
}

TEST_CASE("text that is no program is refused where it goes wrong", "[tensor][text]") {
    check_refused("", 1, 1);
    check_refused("fn f() -> () {} x", 1, 17);
    check_refused("fn f() -> () {", 1, 15);
    check_refused("fn f(x: f33[1]) -> () {}", 1, 9);
    check_refused("fn f(x: f32[1], x: f32[1]) -> () {}", 1, 17);
    check_refused("fn f(x: f32[-1]) -> () {}", 1, 16);
    check_refused("fn f(x: f32[4294967296,4294967296]) -> () {}", 1, 35);
    check_refused("fn f(x: f32[n]) -> () {}", 1, 13);
    check_refused("fn for() -> () {}", 1, 4);
    check_refused("fn \"f() -> () {}", 1, 4);
    check_refused("fn f() -> () {\n\n  \xff }", 3, 3);
    check_body_refused("z[0] = 1.0", 1);
    check_body_refused("y[0] = z", 8);
    check_body_refused("y[0] = x + 1.0", 10);
    check_body_refused("y[0, 1] = 1.0", 2);
    check_body_refused("y[0] = x[0, 1]", 9);
    check_body_refused("y[1.0] = 1.0", 3);
    check_body_refused("y[0] = 1", 8);
    check_body_refused("y[0] = 1.0 + 1", 12);
    check_body_refused("y[0] = f32(1 < 2 < 3)", 18);
    check_body_refused("y[0] = 1.0 // 2.0", 12);
    check_body_refused("y[0] = select(1, 2.0, 3.0)", 8);
    check_body_refused("y[0] = sqrt(1.0, 2.0)", 8);
    check_body_refused("y[0] = foo(1.0)", 8);
    check_body_refused("y[0] = !1.0", 8);
    check_body_refused("y[0] = f32(300i8)", 12);
    check_body_refused("y[0] = f32(-1u8)", 13);
    check_body_refused("y[0] = f32(1.5i8)", 12);
    check_body_refused("y[0] = f32(99999999999999999999)", 12);
    check_body_refused("y[0] = 1e999", 8);
    check_body_refused("y[0] = f32(70000.0f16)", 12);
    check_body_refused("y[0] = 1.0q", 8);
    check_body_refused("if 1 { }", 4);
    check_body_refused("for i in 1.0 { }", 10);
    check_body_refused("for i in 4 @a @a { }", 16);
    check_body_refused("for i in 4 { } y[i] = 1.0", 18);
    check_body_refused("{ alloc t: f32[1] scope stack } t[0] = 1.0", 33);
    check_body_refused("alloc t: f32[1] scope heap", 23);
    check_body_refused("block b(i = 0 in 1, i = 0 in 1) { }", 21);
    check_body_refused("block b(i = 0 in 1) where i < 1 { }", 27);
    check_body_refused("block b() { reads x[0, 1] }", 19);
    check_body_refused("block b() { reads x[0] @a=\"\\q\" }", 24);
    check_body_refused("for i in 4 @a=\"\\q\" { }", 15);
    check_body_refused("else { }", 1);
}

TEST_CASE("hostile depth is refused, not followed", "[tensor][text]") {
    const std::string head = "fn f(x: f32[4]) -> (y: f32[4]) {\n";
    const auto repeat = [](const std::string& piece, int count) {
        std::string out;
        for (int i = 0; i < count; ++i) out += piece;
        return out;
    };
    for (const std::string& body :
         {"y[0] = " + repeat("(", 1000000), "y[0] = " + repeat("-", 1000000) + "x[0]",
          "y[0] = " + repeat("sqrt(", 300000), "y[0] = x[0]" + repeat(" + x[0]", 300000), "y[" + repeat("x[", 300000),
          repeat("{", 1000000), repeat("for i in 2 {", 200000), repeat("if true {} else {", 200000),
          repeat("alloc t: f32[1] scope stack ", 200000), repeat("let t = 1 ", 200000),
          repeat("block b() { init {", 200000), "y[0] = " + repeat("1.0 + (", 100000)})
        CHECK(refused(head + body).line == 2);
    round_trip(head + "y[0] = " + repeat("(x[0] * ", 450) + "x[0]" + repeat(")", 450) + repeat(" + x[0]", 900) + "}");
    round_trip(head + repeat("for i in 2 { ", 450) + "y[0] = x[0]" + repeat("}", 451));
}

TEST_CASE("expressions of any depth print", "[tensor][text]") {
    const VarRef a = Var::make("a");
    Expr left = a, right = a, calls = a;
    for (int i = 0; i < 100000; ++i) {
        left = Binary::make(BinaryOp::Add, left, a);
        right = Binary::make(BinaryOp::Sub, a, right);
        calls = Call::make(Intrinsic::Abs, {calls});
    }
    CHECK(value_text(left).size() == 1 + 4 * 100000);
    CHECK(value_text(right).size() == 1 + 6 * 100000 - 2);
    CHECK(value_text(calls).size() == 1 + 5 * 100000);
}

TEST_CASE("cut and garbled texts never do more than be refused", "[tensor][text][property]") {
    const std::string text = to_string(conv());
    for (std::size_t cut = 0; cut + 2 < text.size(); cut += 7)
        CHECK_FALSE(parse_program(text.substr(0, cut)).has_value());
    std::mt19937_64 random(Catch::rngSeed());
    int accepted = 0;
    for (int i = 0; i < 2000; ++i) {
        std::string garbled = text;
        for (int k = 0; k < 3; ++k) garbled[random() % garbled.size()] = static_cast<char>(random() % 128);
        accepted += parse_program(garbled).has_value();
    }
    CHECK(accepted < 2000);
}
