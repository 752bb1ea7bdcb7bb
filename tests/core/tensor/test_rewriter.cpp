#include "core/tensor/build.hpp"
#include "core/tensor/text.hpp"
#include "core/tensor/visitor.hpp"
#include "tests/core/tensor/random_program.hpp"

#include <catch2/catch.hpp>

using namespace orrery;
using namespace orrery::tensor;

namespace {

/// Takes the place of an f32 constant.
class Doubler final : public Rewriter {
  public:
    using Rewriter::rewrite;

  protected:
    using Rewriter::rewrite_node;
    Expr rewrite_node(const FloatImm& node) override { return FloatImm::make(node.dtype, node.value * 2); }
};

class Counter final : public Visitor {
  public:
    int loads = 0;
    std::vector<std::string> vars;

  protected:
    using Visitor::visit_node;
    void visit_node(const Load& node) override {
        ++loads;
        Visitor::visit_node(node);
    }
    void visit_node(const Var& node) override { vars.push_back(node.name); }
};

} // namespace

TEST_CASE("a rewriter that changes nothing returns the same program", "[tensor][rewriter][property]") {
    Rewriter idle;
    for (std::uint64_t i = 0; i < 50; ++i) {
        const Program program = testing::ProgramGenerator(Catch::rngSeed() + i).program();
        CHECK(idle.rewrite(program) == program);
        CHECK(substitute(program->body, {{Var::make("elsewhere"), imm(1)}}) == program->body);
    }
}

TEST_CASE("a rewrite shares what it keeps and carries origins", "[tensor][rewriter]") {
    const Buffer y = make_buffer("y", DType::F32, {4});
    const VarRef i = Var::make("i");
    const Stmt one = Store::make(y, {imm(0)}, constant(DType::F32, 1), OriginSet(1));
    const Stmt copy = For::make(i, imm(3), LoopKind::Serial, Store::make(y, {i}, load(y, {i + 1}), OriginSet(2)));
    const Stmt both = Seq::make({one, copy});
    Doubler doubler;
    const Stmt changed = doubler.rewrite(both);
    CHECK(changed != both);
    CHECK(as<Seq>(changed)->stmts[1] == copy);
    CHECK(changed->origin == both->origin);
    CHECK(as<Seq>(changed)->stmts[0]->origin == OriginSet(1));
    CHECK(to_string(changed).find("y[0] = 2.0") == 0);
    CHECK(to_string(both).find("y[0] = 1.0") == 0);
}

TEST_CASE("a rebuilt statement keeps its origin unless it brings its own", "[tensor][rewriter]") {
    class Replace final : public Rewriter {
      public:
        explicit Replace(OriginSet origin) : origin_(std::move(origin)) {}

      protected:
        using Rewriter::rewrite_node;
        Stmt rewrite_node(const Store& node) override {
            return Store::make(node.buffer, node.indices, constant(DType::F32, 9), origin_);
        }

      private:
        OriginSet origin_;
    };
    const Buffer y = make_buffer("y", DType::F32, {4});
    const Stmt loop = For::make(Var::make("i"), imm(3), LoopKind::Serial,
                                Store::make(y, {imm(0)}, constant(DType::F32, 1), OriginSet(2)));
    const Stmt kept = Replace({}).rewrite(loop);
    CHECK(as<For>(kept)->body->origin == OriginSet(2));
    CHECK(kept->origin == OriginSet(2));
    const Stmt brought = Replace(OriginSet(5)).rewrite(loop);
    CHECK(as<For>(brought)->body->origin == OriginSet(5));
    CHECK(brought->origin == unite(OriginSet(2), OriginSet(5)));
}

TEST_CASE("substitution reaches every place and no binding", "[tensor][rewriter]") {
    const Result<Program> program = parse_program(R"(fn f<n: i64>(x: f32[n]) -> (y: f32[n]) {
      alloc t: f32[n + 1] scope stack
      for i in n {
        block b(v = i + n in n) where i < n {
          reads x[n - 1 +: n]
          writes y[n - 1], t[n]
          if v < n { y[n - 1] = x[n - 1] }
          let u = n
          t[n] = f32(u) } } })");
    REQUIRE(program.has_value());
    const VarRef n = VarRef(as<Var>((*program)->params[0]->shape[0]));
    const Stmt changed = substitute((*program)->body, {{n, imm(7)}});
    Counter counter;
    counter.visit(changed);
    CHECK(counter.loads == 1);
    CHECK(counter.vars == std::vector<std::string>{"i", "i", "v", "u"});
    CHECK(as_int(as<Binary>(as<Alloc>(changed)->buffer->shape[0])->a) == 7);
    CHECK_THROWS_AS(substitute((*program)->body, {{n, constant(DType::F32, 1)}}), InternalError);
}

TEST_CASE("buffers are substituted wherever they are mentioned", "[tensor][rewriter]") {
    const Result<Program> program = parse_program(R"(fn f(x: f32[4]) -> (y: f32[4]) {
      alloc t: f32[4] scope stack
      for i in 4 { block b(v = i in 4) { reads x[v], t[v] writes t[v] t[v] = x[v] + t[v] } } })");
    REQUIRE(program.has_value());
    const Buffer old = as<Alloc>((*program)->body)->buffer;
    const Buffer fresh = make_buffer("fresh", DType::F32, {8});
    const std::string text = to_string(substitute_buffers((*program)->body, {{old, fresh}}));
    CHECK(text.find("t[v]") == std::string::npos);
    CHECK(text.find("alloc fresh: f32[8] scope global") == 0);
    CHECK(text.find("reads x[v], fresh[v]") != std::string::npos);
    CHECK(text.find("fresh[v] = x[v] + fresh[v]") != std::string::npos);
    CHECK_THROWS_AS(substitute_buffers((*program)->body, {{old, make_buffer("wrong", DType::F32, {2, 2})}}),
                    InternalError);
}
