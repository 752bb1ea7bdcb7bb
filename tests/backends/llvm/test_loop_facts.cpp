// Conditions that a loop leaves alone are decided before it; copies of loops are bounded.
#include "backends/llvm/loop_facts.hpp"

#include "tests/backends/llvm/harness.hpp"

using namespace orrery;
using namespace orrery::testing;
using codegen::LoopFacts;

namespace {

const tensor::For& loop_named(const tensor::Stmt& stmt, const std::string& name) {
    if (const auto* loop = tensor::as<tensor::For>(stmt))
        return loop->var->name == name ? *loop : loop_named(loop->body, name);
    if (const auto* alloc = tensor::as<tensor::Alloc>(stmt)) return loop_named(alloc->body, name);
    if (const auto* seq = tensor::as<tensor::Seq>(stmt)) return loop_named(seq->stmts.back(), name);
    throw std::runtime_error("no loop " + name);
}

/// The guards of a loop as texts.
std::vector<std::string> guards(const tensor::Program& program, const std::string& name) {
    std::vector<std::string> out;
    const LoopFacts facts(program->body);
    for (const tensor::Expr& guard : facts.guards(loop_named(program->body, name)))
        out.push_back(tensor::to_string(guard));
    return out;
}

std::size_t count(const tensor::Program& program, ListingKind kind, const std::string& part,
                  const std::string& other = "") {
    const Listing listing = llvm_backend().list(program, llvm_backend().host(), {}, kind).value();
    return static_cast<std::size_t>(std::ranges::count_if(listing.lines, [&](const ListingLine& line) {
        return line.text.find(part) != std::string::npos && line.text.find(other) != std::string::npos;
    }));
}

using Texts = std::vector<std::string>;

} // namespace

TEST_CASE("what guards a loop are conditions of all blocks in it that it does not change", "[llvm][loop_facts]") {
    const tensor::Program program = parsed(R"(fn f(x: f32[10,8], p: i64[4]) -> (y: f32[10,8]) {
  for o in 4 { for i in 3 { for j in 8 {
    prefetch x[min(o * 3 + i, 9), 0]
    block b(vi = o * 3 + i in 10, vj = j in 8) where o * 3 + i < 10 && j < 7 && p[o] > -100000 {
      y[vi, vj] = x[vi, vj] + 1.0
    }
    block c(vi2 = o * 3 + i in 10, vj2 = j in 8) where o < 5 && o * 3 + i < 10 { y[vi2, vj2] = y[vi2, vj2] * 2.0 }
  } } }
})");
    CHECK(guards(program, "j") == Texts{"o * 3 + i < 10"}); // j < 7 changes, p[o] is memory, o < 5 is of one block
    CHECK(guards(program, "i").empty());
    check_program(program);
}

TEST_CASE("what may go wrong is decided where it stands", "[llvm][loop_facts]") {
    const tensor::Program program = parsed(R"(fn f(x: f32[8]) -> (y: f32[8]) {
  for o in 2 { for i in 4 {
    block b(vi = o * 4 + i in 8) where 4 // o < 9 && o // 3 < 1 { y[vi] = x[vi] }
  } }
})");
    CHECK(guards(program, "i") == Texts{"o // 3 < 1"});
}

TEST_CASE("a loop with another effect beside its blocks has no guard", "[llvm][loop_facts]") {
    const tensor::Program program = parsed(R"(fn f(x: f32[12]) -> (y: f32[12], z: f32[4]) {
  for o in 4 { for i in 3 {
    z[o] = x[o]
    block b(vi = o * 3 + i in 12) where o < 3 { y[vi] = x[vi] }
  } }
})");
    CHECK(guards(program, "i").empty());
    check_program(program);
}

TEST_CASE("a tile beyond the end is left out by one branch outside of its loops", "[llvm][loop_facts]") {
    const tensor::Program program = parsed(R"(fn f(x: f32[16,40], w: f32[16,8]) -> (y: f32[40,8]) {
  parallel o in 7 { for i in 6 {
    for k in 16 { unrolled c in 4 { vectorized l in 2 {
      block sum(vi = o * 6 + i in 40, vc = c * 2 + l in 8, reduce vk = k in 16) where o * 6 + i < 40 {
        init { y[vi, vc] = 0.0 }
        y[vi, vc] = y[vi, vc] + x[vk, vi] * w[vk, vc]
      }
    } } }
  } }
})");
    CHECK(guards(program, "k") == Texts{"o * 6 + i < 40"});
    CHECK(guards(program, "i").empty());
    CHECK(count(program, ListingKind::BackendIr, " icmp slt ", ", 40") == 1);
    check_program(program, {.tolerance = 1e-6});
}

TEST_CASE("copies of loops are bounded, those of straight code are not", "[llvm][loop_facts]") {
    const auto text = [](const std::string& kind) {
        return "fn f(x: f32[5,4,9]) -> (y: f32[5,4,9]) {\n  unrolled a in 5 { unrolled b in 4 { " + kind +
               " k in 9 {\n    y[a, b, k] = x[a, b, k] + 1.0\n  } } }\n}";
    };
    const tensor::Program loops = parsed(text("for")), straight = parsed(text("unrolled"));
    CHECK(LoopFacts(loops->body).loops_inside(loop_named(loops->body, "b")) == 1);
    CHECK(LoopFacts(loops->body).loops_inside(loop_named(loops->body, "a")) == 4);
    CHECK(LoopFacts(straight->body).loops_inside(loop_named(straight->body, "a")) == 0);
    CHECK(count(loops, ListingKind::BackendIr, " fadd ") == 4);
    CHECK(count(straight, ListingKind::BackendIr, " fadd ") == 180);
    check_program(loops);
    check_program(straight);
}

TEST_CASE("predicates of every kind under loops of every kind", "[llvm][loop_facts]") {
    const std::string text = R"(fn f(x: f32[14,9]) -> (y: f32[14,9]) {
  A o in 4 { B i in 4 { C j in 3 { D l in 4 {
    block b(vi = o * 4 + i in 14, vj = j * 4 + l in 9) where o * 4 + i < 14 && j * 4 + l < 9 {
      y[vi, vj] = x[vi, vj] * f32(vi + 3 * vj)
    }
  } } } }
})";
    const auto with = [&](const std::string& a, const std::string& b, const std::string& c, const std::string& d) {
        std::string out = text;
        for (const auto& [from, to] :
             {std::pair("A o", a), std::pair("B i", b), std::pair("C j", c), std::pair("D l", d)})
            out.replace(out.find(from), 1, to);
        return out;
    };
    for (const char* a : {"parallel", "for"})
        for (const char* b : {"for", "unrolled", "vectorized"})
            for (const char* c : {"for", "unrolled"})
                for (const char* d : {"for", "unrolled", "vectorized"}) check_text(with(a, b, c, d));
}
