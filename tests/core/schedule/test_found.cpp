// What random walks found, each by its name.

#include "core/schedule/legality.hpp"
#include "core/schedule/trace.hpp"
#include "core/tensor/analysis.hpp"
#include "core/tensor/text.hpp"
#include "tests/core/schedule/gallery.hpp"
#include "tests/core/schedule/programs.hpp"
#include "tests/core/schedule/rules.hpp"

#include <catch2/catch.hpp>

using namespace orrery;
using namespace orrery::schedule;
using namespace orrery::schedule::test;
using tensor::Program;

namespace {

void keeps_numbers(const std::string& name, const std::string& script) {
    const Program program = named(name);
    const Result<Replay> done = replay(program, *parse_trace(script));
    INFO(name << "\n" << script);
    if (!done) FAIL(to_string(done.error()));
    const Result<void> sound = tensor::verify(done->result());
    if (!sound) FAIL(to_string(sound.error()) << "\n" << tensor::to_string(done->result()));
    REQUIRE(difference(program, done->result()) < 1e-5);
}

/// The last step is refused, those before are not.
void is_refused(const std::string& name, const std::string& script) {
    Trace trace = *parse_trace(script);
    const TraceStep last = trace.steps.back();
    trace.steps.pop_back();
    INFO(name << "\n" << script);
    const Result<Replay> done = replay(named(name), trace);
    if (!done) FAIL(to_string(done.error()));
    const Result<Rewritten> next = apply_step(done->result(), last);
    REQUIRE_FALSE(next.has_value());
    REQUIRE(next.error().code == Code::IllegalSchedule);
}

} // namespace

TEST_CASE("copies outlive the nest they were made for, so that it can be moved", "[schedule][found]") {
    keeps_numbers("transpose_add", "reindex(double, x)\ncompute_inline(double)");
    keeps_numbers("conv", "cache_read(conv, w, stack)\ncompute_at(conv, relu.h)");
    keeps_numbers("max_pool", "cache_read(shift, x, stack)\ncompute_inline(shift)");
    keeps_numbers("triangle", "cache_read(tri, x, stack)\ncache_read(x_read, x, stack)\ncompute_inline(x_read)");
    keeps_numbers("transpose_add", "cache_write(turn, registers)\nsplit(turn_write.i, [-1, 4])\n"
                                   "cache_read(turn, x, stack)\ncompute_at(turn, turn_write.i_o)");
}

TEST_CASE("blocks with a predicate move and start as those without", "[schedule][found]") {
    keeps_numbers("triangle", "decompose_reduction(tri, tri.k)");
    for (const char* apart : {"rfactor(mean.k_i)\ncompute_at(mean_rf, mean.r)",
                              "rfactor(mean.k_i)\nreorder([mean_rf.k_o, mean_rf.k_i])\n"
                              "decompose_reduction(mean_rf, mean_rf.k_o)\nvectorize(mean_rf.k_i)",
                              "rfactor(mean.k_i)\ncompute_at(mean_rf, mean.r)\nreorder([mean_rf.k_o, mean_rf.k_i])\n"
                              "decompose_reduction(mean_rf, mean_rf.k_o)\nvectorize(mean_rf.k_i)"})
        for (const char* lanes : {"3", "4", "5", "7"})
            keeps_numbers("layer_norm", "split(mean.k, [-1, " + std::string(lanes) + "])\n" + apart);
}

TEST_CASE("a sum that reads a number without dimensions has a default trace", "[schedule][found]") {
    const Result<Program> program = tensor::parse_program(R"(fn scaled(x: f32[6,32], s: f32[]) -> (y: f32[6]) {
  for i in 6 { for k in 32 { block sum(vi = i in 6, reduce vk = k in 32) {
    reads y[vi], x[vi, vk], s[] writes y[vi]
    init { y[vi] = 0.0 } y[vi] = y[vi] + s[] * x[vi, vk] } } } })");
    if (!program) FAIL(to_string(program.error()));
    (void)checked_trace(*program, machine_of(256, 16));
}

TEST_CASE("a scan does not follow its producer out of order", "[schedule][found]") {
    is_refused("prefix_sum", "cache_read(scan, x, stack)\nreverse_compute_at(scan, x_read.i0)");
    is_refused("prefix_sum", "reindex(scan, x)\nsplit(x_reindex.i, [4, 3])\nreorder([x_reindex.i_i, x_reindex.i_o])\n"
                             "reverse_compute_at(scan, x_reindex.i_i)");
}

TEST_CASE("partial sums that are moved add up what they did", "[schedule][found]") {
    keeps_numbers("layer_norm", "split(mean.k, [-1, 2])\nrfactor(mean.k_i)\ncompute_at(mean_rf, mean.r)");
    keeps_numbers("layer_norm", "split(mean.k, [-1, 4])\nrfactor(mean.k_o)\ncompute_at(mean_rf, mean.r)");
}

TEST_CASE("a reduction that a block around it goes on with keeps its initial value", "[schedule][found]") {
    is_refused("whole_sum", "blockize(total.j)\ndecompose_reduction(total, total.j)");
}

TEST_CASE("a zero that starts a sum is not its value", "[schedule][found]") {
    is_refused("batched", "decompose_reduction(bmm, bmm.k)\ncompute_inline(bmm_init)");
    is_refused("batched", "decompose_reduction(bmm, bmm.k)\ncache_write(bmm, stack)");
}

TEST_CASE("a nest is all loops of a block, those with a prefetch in them too", "[schedule][found]") {
    // Its sums went to a copy that lived for one step of the sum.
    keeps_numbers("matmul",
                  "fuse([matmul.m, matmul.n])\nprefetch(matmul.m_n, b, matmul.k)\ncache_write(matmul, stack)");
    keeps_numbers("whole_sum", "prefetch(total.i, x, total.i)\ncache_write(total, stack)");
    keeps_numbers("whole_sum", "prefetch(total.j, x, total.j)\ncache_write(total, global)");
    keeps_numbers("batched", "prefetch(bmm.k, b, bmm.k)\ncache_write(bmm, registers)");
}

TEST_CASE("an index read from memory is not read where its condition does not hold", "[schedule][found]") {
    keeps_numbers("gather", "split(pick.i, [-1, 2])\ncompute_at(scale, pick.i_i)");
    keeps_numbers("gather", "split(pick.i, [-1, 2])\ncache_write(scale, stack)\ncache_write(scale_write, global)\n"
                            "compute_at(scale_write_write, pick.i_i)");
}

TEST_CASE("a product is padded as far as it is used, not as far as its buffer was aligned", "[schedule][found]") {
    keeps_numbers("batched", "storage_align(bmm, 1, 16, 0)\npad_einsum(bmm, [1, 3, 3, 2])");
}

TEST_CASE("a loop is pipelined after one whose copies have the names of its blocks", "[schedule][found]") {
    keeps_numbers("matmul", "decompose_reduction(matmul, matmul.k)\nreorder([matmul.n, matmul.m])\n"
                            "software_pipeline(matmul.m, [0, 1])\nsoftware_pipeline(matmul_init.m, [0, 1])");
}

TEST_CASE("a block whose name has dots is found, and so are its loops", "[schedule][found]") {
    const Program plain = tensor::parse_program("fn f(a: f32[16]) -> (c: f32[16]) {\n"
                                                "for m in 16 { block add(vm = m in 16) {\n"
                                                "reads a[vm] writes c[vm] c[vm] = a[vm] + 1.0 } } }\n")
                              .value();
    const BlockPlace place = find_block(plain, "add").value();
    tensor::Block::Fields fields = place.block->fields;
    fields.name = "model.layer.add";
    const Program program =
        replace_stmt(plain, place.path.back(), tensor::Block::make(std::move(fields), place.block->origin));
    CHECK(find_loop(program, "model.layer.add.m").value().loop().var->name == "m");
    CHECK(find_loop(program, "model.layer.add.k").error().code == Code::UnknownName);
    CHECK(find_loop(program, "model.m").error().code == Code::UnknownName);
    CHECK(find_loop(program, ".m").error().code == Code::UnknownName);
    CHECK(legal_primitives(program, "model.layer.add").has_value());
    CHECK(legal_primitives(program, "model.layer.add.m").has_value());
    CHECK(apply_step(program, {"annotate", {Arg{"model.layer.add"}, Arg{"note"}, Arg{"here"}}}).has_value());
    CHECK(apply_step(program, {"parallel", {Arg{"model.layer.add.m"}}}).has_value());
}
