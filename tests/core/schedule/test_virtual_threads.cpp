// What a virtual thread is lowered to: text, numbers, and that statements lead back to those they stand for.

#include "core/schedule/virtual_threads.hpp"

#include "core/schedule/trace.hpp"
#include "core/tensor/analysis.hpp"
#include "core/tensor/text.hpp"
#include "tests/core/schedule/gallery.hpp"
#include "tests/core/schedule/programs.hpp"

#include <catch2/catch.hpp>

using namespace orrery;
using namespace orrery::schedule;
using namespace orrery::schedule::test;
using namespace orrery::tensor;

namespace {

Program after(const Program& program, const std::string& script) {
    const Result<Replay> done = replay(program, *parse_trace(script));
    if (!done) FAIL(to_string(done.error()));
    return done->result();
}

Program lowered(const Program& program) {
    const Program out = interleave_virtual_threads(program).program;
    const Result<void> sound = verify(out);
    if (!sound) FAIL(to_string(sound.error()) << "\n" << to_string(out));
    CHECK(difference(program, out) < 1e-6);
    return out;
}

/// Every line without its indentation, from the first that starts like that on.
std::string shape_of(const Program& program, const std::string& first) {
    std::string out;
    bool on = false;
    for (const PrintedLine& line : print_program(program).lines) {
        const std::string text = line.text.substr(std::min(line.text.find_first_not_of(' '), line.text.size()));
        on = on || text.starts_with(first);
        if (on && (text.starts_with("for") || text.starts_with("unrolled") || text.starts_with("parallel") ||
                   text.starts_with("vectorized") || text.starts_with("block") || text.starts_with("alloc")))
            out += text.substr(0, text.find_first_of("({")) + "\n";
    }
    return out;
}

} // namespace

TEST_CASE("a program without virtual threads is left alone", "[schedule][virtual_thread]") {
    for (const std::string& text : gallery_texts()) {
        const Program program = program_of(text);
        const Interleaved done = interleave_virtual_threads(program);
        CHECK(done.program == program);
        CHECK(done.from.empty());
    }
    const Program bound = after(named("matmul"), "bind(matmul.m, blockIdx.x)\nbind(matmul.n, threadIdx.x)");
    CHECK(interleave_virtual_threads(bound).program == bound);
}

TEST_CASE("a virtual thread runs inside of the loops it is written around", "[schedule][virtual_thread]") {
    const Program program = after(named("matmul"), "split(matmul.m, [2, 3])\nvirtual_thread(matmul.m_o)");
    CHECK(shape_of(lowered(program), "for") ==
          "for m_i in 3 \nfor n in 8 \nfor k in 5 \nunrolled m_o in 2 \nblock matmul\n");
}

TEST_CASE("each virtual thread has a copy of what it allocates", "[schedule][virtual_thread]") {
    const Program program =
        after(named("max_pool"), "compute_at(shift, pool.h)\nvectorize(shift.q)\nvirtual_thread(pool.h)");
    const Program out = lowered(program);
    CHECK(shape_of(out, "for") == "for c in 3 \nalloc t: f32[4,1,2,8] scope stack\nfor h in 2 \nunrolled h_1 in 4 "
                                  "\nvectorized q in 8 \nblock shift\n"
                                  "for q_1 in 4 \nfor kh in 2 \nfor kw in 2 \nunrolled h_2 in 4 \nblock pool\n");
}

TEST_CASE("conditions and extents that depend on a virtual thread stay around its statements",
          "[schedule][virtual_thread]") {
    const std::string text = R"(fn f(x: f32[2,8], n: i64[1]) -> (y: f32[2,8]) {
      for t in 2 @thread="vthread" {
        if n[0] > 0 { for i in 4 { block a(vt = t in 2, vi = i in 8) { y[vt, vi] = x[vt, vi] } } }
        if t > 0 { block b(vt2 = t in 2) { y[vt2, 4] = 1.0 } }
        for j in t + 1 { block c(vt3 = t in 2, vj = j in 8) { y[vt3, 5 + vj] = 2.0 } }
        let two = t * 2
        y[t, two] = 3.0
      } })";
    const Program out = lowered(program_of(text));
    CHECK(shape_of(out, "for") ==
          "for i in 4 \nunrolled t in 2 \nblock a\nunrolled t_1 in 2 \nblock b\nunrolled t_2 in 2 \n"
          "for j in t_2 + 1 \nblock c\nunrolled t_3 in 2 \n");
}

TEST_CASE("virtual threads inside of each other, and around parallel loops", "[schedule][virtual_thread]") {
    const Program nested =
        after(named("batched"), "virtual_thread(bmm.n)\nvirtual_thread(bmm.i)\nvirtual_thread(scale.i)\n"
                                "parallel(bmm.j)\ncache_read(bmm, a, stack)");
    const std::string text = to_string(lowered(nested));
    CHECK(text.find("vthread") == std::string::npos);
    CHECK(shape_of(lowered(after(named("batched"), "virtual_thread(bmm.n)\nvirtual_thread(bmm.i)\nparallel(bmm.j)")),
                   "parallel") == "parallel j in 4 \nfor k in 6 \nunrolled i in 4 \nunrolled n in 2 \nblock bmm\n"
                                  "for n_1 in 2 \nfor i_1 in 4 \nfor j_1 in 4 \nblock scale\n");
    CHECK(shape_of(lowered(after(named("outside"), "virtual_thread(tile.j)")), "for i_1") ==
          "for i_1 in 3 \nfor k_1 in 5 \nunrolled j in 2 \nblock tile\nfor p in 2 \nfor q in 4 \nfor i_2 in 6 \nfor "
          "j_1 in 8 \n"
          "block relu\n");
}

TEST_CASE("statements of a lowered program lead back to those of the program", "[schedule][virtual_thread]") {
    const Program program = after(named("max_pool"), "compute_at(shift, pool.h)\nvirtual_thread(pool.h)");
    const PrintedProgram shown = print_program(program);
    const Interleaved done = interleave_virtual_threads(program);
    class Lost final : public Visitor {
      public:
        Lost(const PrintedProgram& shown, const Interleaved& done) : shown_(shown), done_(done) {}
        int lost = 0, found = 0;

      protected:
        void visit_node(const For& node) override {
            see(node);
            Visitor::visit_node(node);
        }
        void visit_node(const Block& node) override {
            see(node);
            Visitor::visit_node(node);
        }
        void visit_node(const Store& node) override { see(node); }

      private:
        void see(const Node& node) {
            const auto from = done_.from.find(&node);
            const bool known = shown_.line_of.contains(from == done_.from.end() ? &node : from->second);
            ++(known ? found : lost);
        }
        const PrintedProgram& shown_;
        const Interleaved& done_;
    };
    Lost lost(shown, done);
    lost.visit(done.program->body);
    CHECK(lost.lost == 0);
    CHECK(lost.found > 10);
}
