// What blocks touch, against an enumeration of their loops; when buffers are in use.

#include "core/schedule/footprint.hpp"

#include "core/schedule/locate.hpp"
#include "core/schedule/rules.hpp"
#include "core/schedule/trace.hpp"
#include "core/tensor/build.hpp"
#include "core/tensor/text.hpp"
#include "tests/core/schedule/gallery.hpp"
#include "tests/core/schedule/programs.hpp"
#include "tests/core/tensor/random_program.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <map>
#include <set>

using namespace orrery;
using namespace orrery::schedule;
using namespace orrery::tensor;

namespace {

struct Touched {
    double accesses = 0;
    std::set<std::int64_t> elements;
};

/// Runs a program's loops and notes what one block touches, with the loops before a level in the middle.
class Enumeration {
  public:
    Enumeration(const Program& program, const std::string& block, std::size_t level) : level_(level) {
        const BlockPlace place = find_block(program, block).value();
        chain_ = place.loops();
        for (const Block* each : blocks_of(place.path.back())) inside_.insert(each);
        run(program->body);
    }
    std::map<const BufferNode*, Touched> touched;
    bool decided = true; ///< no value decided about an access

  private:
    std::int64_t value(const Expr& e) {
        if (const auto* n = as<IntImm>(e)) return n->value;
        if (const auto* n = as<Var>(e)) {
            const auto found = env_.find(n);
            if (found == env_.end()) decided = false;
            return found == env_.end() ? 0 : found->second;
        }
        if (const auto* n = as<Cast>(e)) return value(n->value);
        if (const auto* n = as<Select>(e)) return value(n->condition) ? value(n->then_value) : value(n->else_value);
        if (const auto* n = as<Call>(e); n && n->intrinsic == Intrinsic::Not) return !value(n->args[0]);
        const auto* n = as<Binary>(e);
        if (!n || is_float(n->a->dtype)) {
            decided = false;
            return 0;
        }
        const std::int64_t a = value(n->a);
        if (n->op == BinaryOp::And) return a && value(n->b);
        if (n->op == BinaryOp::Or) return a || value(n->b);
        const std::int64_t b = value(n->b), q = b == 0 ? 0 : a / b - (a % b != 0 && (a < 0) != (b < 0) ? 1 : 0);
        switch (n->op) {
        case BinaryOp::Add: return a + b;
        case BinaryOp::Sub: return a - b;
        case BinaryOp::Mul: return a * b;
        case BinaryOp::FloorDiv: return q;
        case BinaryOp::FloorMod: return b == 0 ? 0 : a - q * b;
        case BinaryOp::Min: return std::min(a, b);
        case BinaryOp::Max: return std::max(a, b);
        case BinaryOp::Eq: return a == b;
        case BinaryOp::Ne: return a != b;
        case BinaryOp::Lt: return a < b;
        case BinaryOp::Le: return a <= b;
        case BinaryOp::Gt: return a > b;
        case BinaryOp::Ge: return a >= b;
        default: decided = false; return 0;
        }
    }
    static bool plain(const Expr& e) {
        class Finder final : public Visitor {
          public:
            bool found = false;

          protected:
            void visit_node(const Load&) override { found = true; }
            void visit_node(const FloatImm&) override { found = true; }
        };
        Finder finder;
        finder.visit(e);
        return !finder.found;
    }
    bool holds(const Expr& condition) {
        loads(condition);
        if (!plain(condition)) {
            decided = false;
            return true;
        }
        return value(condition) != 0;
    }
    void note(const Buffer& buffer, const std::vector<Expr>& indices) {
        if (!inside_.contains(block_)) return;
        std::int64_t at = 0;
        for (std::size_t d = 0; d < indices.size(); ++d) {
            if (!plain(indices[d])) decided = false;
            at = at * buffer->static_shape()[d] + (plain(indices[d]) ? value(indices[d]) : 0);
        }
        Touched& one = touched[buffer.get()];
        one.accesses += 1;
        one.elements.insert(at);
    }
    void loads(const Expr& e) {
        if (const auto* n = as<Load>(e)) {
            for (const Expr& index : n->indices) loads(index);
            note(n->buffer, n->indices);
        } else if (const auto* n = as<Binary>(e)) {
            loads(n->a);
            const bool both = n->op != BinaryOp::And && n->op != BinaryOp::Or;
            if (!both && !plain(n->a)) decided = false;
            if (both || !plain(n->a) || (value(n->a) != 0) == (n->op == BinaryOp::And)) loads(n->b);
        } else if (const auto* n = as<Select>(e)) {
            const bool then = holds(n->condition), unknown = !plain(n->condition);
            if (then || unknown) loads(n->then_value);
            if (!then || unknown) loads(n->else_value);
        } else if (const auto* n = as<Cast>(e)) {
            loads(n->value);
        } else if (const auto* n = as<Call>(e)) {
            for (const Expr& arg : n->args) loads(arg);
        }
    }
    void box(const Region& region, std::size_t d, std::vector<Expr> at) {
        if (d == region.min.size()) return note(region.buffer, at);
        for (std::int64_t i = 0; i < value(region.extent[d]); ++i) {
            std::vector<Expr> next = at;
            next.push_back(region.min[d] + i);
            box(region, d + 1, next);
        }
    }
    void run(const Stmt& s) {
        if (const auto* n = as<Store>(s)) {
            for (const Expr& index : n->indices) loads(index);
            loads(n->value);
            note(n->buffer, n->indices);
        } else if (const auto* n = as<ExternCall>(s)) {
            for (const ExternCall::Operand& operand : n->operands) {
                if (operand.reads()) box(operand.region, 0, {});
                if (operand.writes()) box(operand.region, 0, {});
            }
        } else if (const auto* n = as<For>(s)) {
            loop(*n);
        } else if (const auto* n = as<If>(s)) {
            const bool then = holds(n->condition), unknown = !plain(n->condition);
            if (then || unknown) run(n->then_body);
            if (n->else_body && (!then || unknown)) run(n->else_body);
        } else if (const auto* n = as<Let>(s)) {
            loads(n->value);
            if (plain(n->value) && n->var->dtype == DType::I64) env_[n->var.get()] = value(n->value);
            run(n->body);
        } else if (const auto* n = as<Alloc>(s)) {
            run(n->body);
        } else if (const auto* n = as<Seq>(s)) {
            for (const Stmt& one : n->stmts) run(one);
        } else if (const auto* n = as<Block>(s)) {
            block(*n);
        }
    }
    void loop(const For& n) {
        const std::int64_t extent = value(n.extent);
        const auto at = std::ranges::find(chain_, &n);
        const bool fixed = at != chain_.end() && static_cast<std::size_t>(at - chain_.begin()) < level_;
        for (std::int64_t i = fixed ? extent / 2 : 0; i < (fixed ? std::min(extent, extent / 2 + 1) : extent); ++i) {
            env_[n.var.get()] = i;
            run(n.body);
        }
    }
    void block(const Block& n) {
        bool first = true;
        for (const BlockIter& iter : n.fields.iters) {
            env_[iter.var.get()] = value(iter.binding);
            if (iter.kind == IterKind::Reduce) first = first && env_[iter.var.get()] == 0;
        }
        if (n.fields.predicate && value(n.fields.predicate) == 0) return;
        const Block* outer = std::exchange(block_, &n);
        if (n.fields.init && first) run(n.fields.init);
        run(n.fields.body);
        block_ = outer;
    }

    std::size_t level_;
    std::vector<const For*> chain_;
    std::set<const Block*> inside_;
    std::map<const Var*, std::int64_t> env_;
    const Block* block_ = nullptr;
};

struct Compared {
    int sets = 0, exact = 0;
};

/// Every block, level and buffer of a program.
void compare_all(const Program& program, Compared& counts) {
    for (const Block* block : blocks_of(program->body)) {
        const Result<BlockAccesses> accesses = BlockAccesses::of(program, block->fields.name);
        INFO(to_string(program) << "\nblock " << block->fields.name);
        REQUIRE(accesses.has_value());
        for (std::size_t level = 0; level <= accesses->loops().size(); ++level) {
            Enumeration truth(program, block->fields.name, level);
            for (std::size_t b = 0; b < accesses->buffers().size(); ++b) {
                const Buffer& buffer = accesses->buffers()[b].buffer;
                const Touched& right = truth.touched[buffer.get()];
                const ElementSet set = accesses->touched(b, level);
                INFO("buffer " << buffer->name << ", level " << level);
                ++counts.sets;
                if (!set.exact) {
                    if (truth.decided) CHECK(set.size() >= std::ssize(right.elements));
                    continue;
                }
                ++counts.exact;
                REQUIRE(set.accesses == right.accesses);
                REQUIRE(set.size() == std::ssize(right.elements));
                std::set<std::int64_t> lines;
                for (const std::int64_t e : right.elements) lines.insert(e * byte_size(buffer->dtype) / 64);
                REQUIRE(set.lines(byte_size(buffer->dtype), 64) == std::ssize(lines));
            }
        }
    }
}

BlockAccesses accesses_of(const Program& program, const std::string& block) {
    return BlockAccesses::of(program, block).value();
}

std::size_t buffer_at(const BlockAccesses& accesses, const std::string& buffer) {
    for (std::size_t b = 0; b < accesses.buffers().size(); ++b)
        if (accesses.buffers()[b].buffer->name == buffer) return b;
    FAIL("no buffer " << buffer);
    return 0;
}

Program scheduled(const Program& program, const std::string& trace) {
    return replay(program, parse_trace(trace).value()).value().result();
}

} // namespace

TEST_CASE("footprints are what an enumeration of the loops touches", "[schedule][footprint]") {
    Compared counts;
    for (const std::string& text : test::kGalleryTexts) {
        const Program program = test::program_of(text);
        compare_all(program, counts);
        const Result<Replay> done = replay(program, default_trace(program, Target{}));
        REQUIRE(done.has_value());
        compare_all(done->result(), counts);
    }
    const int gallery = counts.sets;
    tensor::testing::ProgramGenerator random(Catch::rngSeed());
    INFO("seed " << Catch::rngSeed());
    for (int i = 0; i < 40; ++i) compare_all(random.program(), counts);
    CHECK(gallery > 300);
    CHECK(counts.exact > counts.sets * 6 / 10); // values decide about the rest
}

TEST_CASE("a product's footprints by hand", "[schedule][footprint]") {
    const Program program = test::matmul(64, 64, 64);
    const BlockAccesses accesses = accesses_of(program, "matmul");
    const std::size_t a = buffer_at(accesses, "a"), b = buffer_at(accesses, "b"), c = buffer_at(accesses, "matmul");
    REQUIRE(accesses.loops().size() == 3);
    // Rows of a by columns of b: loops m, n, k.
    CHECK(accesses.touched(a, 0).size() == 64 * 64);
    CHECK(accesses.touched(a, 1).size() == 64);
    CHECK(accesses.touched(a, 1).accesses == 64 * 64);
    CHECK(accesses.touched(b, 1).size() == 64 * 64);
    CHECK(accesses.touched(b, 2).size() == 64);
    CHECK(accesses.touched(b, 2).lines(4, 64) == 64);
    CHECK(accesses.touched(a, 2).lines(4, 64) == 4);
    CHECK(accesses.touched(b, 3).size() == 1);
    CHECK(accesses.touched(c, 2).size() == 1);
    CHECK(accesses.stride(a, 0) == 64);
    CHECK(accesses.stride(a, 1) == 0);
    CHECK(accesses.stride(a, 2) == 1);
    CHECK(accesses.stride(b, 2) == 64);
    CHECK(accesses.trips(2) == 64);
    // The iteration after the one in the middle, and one past the end.
    CHECK(accesses.touched(a, 3, 1).projected(0, 1, 10) == std::vector<std::array<std::int64_t, 2>>{{32, 33}});
    CHECK(accesses.touched(a, 3, 32).size() == 0);
}

TEST_CASE("fused loops, windows and conditions have exact footprints", "[schedule][footprint]") {
    const Program conv = test::conv_bias_relu(4, 8, 14);
    const Program fused = scheduled(conv, "fuse([relu.h, relu.w])\nsplit(relu.h_w, [-1, 10])\n");
    const auto block = accesses_of(fused, "relu");
    const std::size_t out = buffer_at(block, "relu");
    CHECK(block.touched(out, 0).size() == 8 * 14 * 14);
    CHECK(block.touched(out, 0).exact);
    const auto pad = accesses_of(conv, "pad");
    // Rows of the image that lie inside: the border is not read.
    CHECK(pad.touched(buffer_at(pad, "x"), 0).size() == 4 * 14 * 14);
    CHECK(pad.touched(buffer_at(pad, "x"), 0).accesses == 4 * 14 * 14);
    const auto window = accesses_of(conv, "conv");
    const std::size_t padded = buffer_at(window, "pad");
    CHECK(window.touched(padded, 5).size() == 9);          // 3 by 3 of one channel
    CHECK(window.touched(padded, 4).size() == 4 * 9);      // of each
    CHECK(window.touched(padded, 3).size() == 4 * 3 * 16); // along a row
}

TEST_CASE("a size that is not known is told", "[schedule][footprint]") {
    const Program program = test::matmul(4, 4, 4);
    CHECK(BlockAccesses::of(program, "nothing").error().code == Code::UnknownName);
}

TEST_CASE("a loop over part of another is counted as far as it goes", "[schedule][footprint]") {
    const Program program =
        test::program_of("fn low(x: f32[8,8]) -> (y: f32[8]) {\n"
                         "for i in 8 { for j in i + 1 { block sum(vi = i in 8, reduce vj = j in 8) {\n"
                         "init { y[vi] = 0.0 } y[vi] = y[vi] + x[vi, vj] } } } }");
    const auto accesses = accesses_of(program, "sum");
    const std::size_t x = buffer_at(accesses, "x");
    CHECK(accesses.touched(x, 0).size() == 36);
    CHECK(accesses.touched(x, 1).size() == 5); // i = 4
    CHECK(accesses.trips(1) == 8);
}

TEST_CASE("buffers are in use from their first use to their last", "[schedule][footprint]") {
    const Program program =
        scheduled(test::conv_bias_relu(4, 8, 6), "compute_inline(bias)\ncompute_at(conv, relu.h)\n");
    std::map<std::string, BufferLife> lives;
    for (const BufferLife& life : lifetimes(program)) lives[life.buffer->name] = life;
    const PrintedProgram printed = print_program(program);
    const auto line = [&](const StmtNode* stmt) { return printed.line_of.at(stmt); };
    REQUIRE(lives.contains("pad"));
    CHECK(lives["x"].input);
    CHECK(lives["relu"].output);
    CHECK_FALSE(lives["x"].written);
    CHECK(lives["pad"].written);
    CHECK(lives["pad"].read);
    CHECK(line(lives["pad"].first) < line(lives["pad"].last));
    CHECK(line(lives["x"].last) <= line(lives["pad"].first));
    CHECK(line(lives["conv"].last) >= line(lives["pad"].last));
    CHECK(line(lives["relu"].first) >= line(lives["conv"].first));
}
