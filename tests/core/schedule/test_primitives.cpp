// Every primitive in text form: before and after (golden_primitives.txt, written anew with ORRERY_UPDATE_GOLDEN=1, and
// then to be read), and refusals: code, place and a remedy.

#include "core/base/file.hpp"
#include "core/schedule/trace.hpp"
#include "core/tensor/analysis.hpp"
#include "core/tensor/text.hpp"
#include "tests/core/schedule/gallery.hpp"
#include "tests/core/schedule/programs.hpp"
#include "tests/support/paths.hpp"

#include <catch2/catch.hpp>

#include <cstdlib>
#include <set>

using namespace orrery;
using namespace orrery::schedule;
using namespace orrery::schedule::test;
using tensor::Program;

namespace {

/// One primitive, after what prepares for it.
struct Example {
    const char* program;
    const char* before;
    const char* step;
};

const std::vector<Example> kExamples = {
    {"matmul", "", "split(matmul.k, [-1, 2])"},
    {"conv", "", "split(pad.h, [-1, 3], pad)"},
    {"matmul", "", "split(matmul.k, [-1, 2], pad)"},
    {"matmul", "", "fuse([matmul.m, matmul.n])"},
    {"matmul", "", "reorder([matmul.k, matmul.m])"},
    {"matmul", "", "parallel(matmul.m)"},
    {"softmax", "", "vectorize(out.c)"},
    {"matmul", "", "unroll(matmul.k)"},
    {"matmul", "", "bind(matmul.m, blockIdx.x)"},
    {"matmul", "", "virtual_thread(matmul.m)"},
    {"matmul", "", "annotate(matmul, note, \"two words\")"},
    {"matmul", "", "pragma(matmul.k, unroll_hint, 4)"},
    {"max_pool", "", "compute_inline(shift)"},
    {"transpose_add", "compute_inline(double)", "cache_read(sum, y, stack)"},
    {"max_pool", "", "compute_at(shift, pool.h)"},
    {"batched", "", "reverse_compute_at(scale, bmm.n)"},
    {"max_pool", "compute_at(shift, pool.h)", "set_scope(shift, registers)"},
    {"batched", "", "cache_write(scale, stack)"},
    {"matmul", "", "cache_read(matmul, a, stack)"},
    {"depthwise", "", "reindex(dw, x)"},
    {"matmul", "", "decompose_reduction(matmul, matmul.k)"},
    {"matmul", "split(matmul.k, [5, 1])", "rfactor(matmul.k_o)"},
    {"conv", "", "decompose_padding(pad)"},
    {"matmul", "", "pad_einsum(matmul, [4, 8, 4])"},
    {"softmax", "", "transform_layout(e, \"r, c -> c // 2, r, c % 2\")"},
    {"softmax", "", "storage_align(e, 0, 16, 4)"},
    {"matmul", "split(matmul.m, [-1, 2])\nreorder([matmul.m_o, matmul.n, matmul.m_i])", "blockize(matmul.m_i)"},
    {"max_pool", "compute_at(shift, pool.h)", "double_buffer(shift)"},
    {"max_pool", "compute_at(shift, pool.h)\ndouble_buffer(shift)", "software_pipeline(pool.h, [0, 1])"},
    {"batched", "", "prefetch(bmm.i, a, bmm.j)"},
    {"batched", "fuse([bmm.n, bmm.i])", "prefetch(bmm.n_i, b, bmm.n_i, 4)"},
    {"dense_i8",
     "cache_read(dot, w, global)\ntransform_layout(w_read, \"n, k -> n // 8, k // 4, n % 8, k % 4\")\n"
     "split(dot.n, [-1, 8])\nsplit(dot.k, [-1, 4])\nreorder([dot.k_o, dot.n_i, dot.k_i])\n"
     "decompose_reduction(dot, dot.k_o)",
     "tensorize(dot.n_i, x86_vnni_u8i8_8x4)"},
};

/// A consumer of its own, which no program of the gallery has.
const char* const kChain = R"(fn chain(x: f32[6]) -> (y: f32[6]) {
  alloc t: f32[6] scope global
  for i in 6 { block first(vi = i in 6) { t[vi] = x[vi] + 1.0 } }
  for i in 6 { block second(vi = i in 6) { y[vi] = t[vi] * 2.0 } } })";

Program prepared(const Program& program, const std::string& script) {
    const Result<Trace> trace = parse_trace(script);
    REQUIRE(trace.has_value());
    const Result<Replay> done = replay(program, *trace);
    if (!done) FAIL(to_string(done.error()));
    return done->result();
}

std::string example_text(const Program& program, const std::string& before, const std::string& step) {
    INFO(before << "\n" << step);
    const Program start = prepared(program, before), after = prepared(start, step);
    const Result<void> sound = tensor::verify(after);
    if (!sound) FAIL(to_string(sound.error()) << "\n" << tensor::to_string(after));
    REQUIRE(difference(program, after) < 1e-5);
    return "==== " + step + "\n" + tensor::to_string(start) + "----\n" + tensor::to_string(after) + "\n";
}

} // namespace

TEST_CASE("primitives rewrite programs as their golden text says", "[schedule][primitives]") {
    std::string text;
    std::set<std::string> shown;
    for (const Example& example : kExamples) {
        text += example_text(named(example.program), example.before, example.step);
        const std::string step = example.step;
        shown.insert(step.substr(0, step.find('(')));
    }
    text += example_text(program_of(kChain), "", "reverse_compute_inline(second)");
    shown.insert("reverse_compute_inline");
    for (const PrimitiveInfo& info : primitives()) {
        INFO(info.name);
        CHECK((info.sampling || shown.contains(info.name)));
    }
    const std::filesystem::path path = tests::source_dir() / "tests/core/schedule/golden_primitives.txt";
    if (std::getenv("ORRERY_UPDATE_GOLDEN")) REQUIRE(write_file(path, text).has_value());
    const Result<std::string> golden = read_file(path);
    REQUIRE(golden.has_value());
    REQUIRE(text == *golden);
}

TEST_CASE("primitives are documented with operands, meaning and an example", "[schedule][primitives]") {
    REQUIRE(primitives().size() >= 28);
    for (const PrimitiveInfo& info : primitives()) {
        INFO(info.name);
        CHECK(info.signature.starts_with(info.name + "("));
        CHECK_FALSE(info.args.empty());
        CHECK(info.summary.size() > 20);
        CHECK_FALSE(info.before.empty());
        CHECK_FALSE(info.after.empty());
        CHECK(info.doc.find(info.summary) == 0);
        for (const ArgInfo& arg : info.args) CHECK((arg.kind != ArgKind::Choice || !arg.choices.empty()));
        CHECK(find_primitive(info.name) == &info);
    }
}

// -------------------------------------------------------------------------------------- refusals

namespace {

struct RefusalCase {
    const char* program;
    const char* before;
    const char* step;
    const char* place; ///< of the diagnostic
};

const std::vector<RefusalCase> kRefusals = {
    // Dependences that indices show, whatever blocks declare of their iterators.
    {"prefix_sum", "", "parallel(scan.i)", "loop scan.i"},
    {"prefix_sum", "", "vectorize(scan.i)", "loop scan.i"},
    {"prefix_sum", "", "bind(scan.i, threadIdx.x)", "loop scan.i"},
    {"prefix_sum", "", "virtual_thread(scan.i)", "loop scan.i"},
    {"wave", "", "reorder([wave.j, wave.i])", "loop wave.j"},
    {"wave", "", "parallel(wave.i)", "loop wave.i"},
    {"stencil", "", "parallel(step.t)", "loop step.t"},
    {"stencil", "", "compute_inline(back)", "block back"},
    {"stencil", "", "compute_at(start, step.i)", "block start"},
    {"histogram", "", "parallel(count.r)", "loop count.r"},
    {"overwrite", "", "parallel(fill.r)", "loop fill.r"},
    {"overwrite", "", "compute_inline(fill)", "block fill"},
    {"matmul", "", "parallel(matmul.k)", "loop matmul.k"},
    // What an extern call does inside of its boxes is not known.
    {"outside", "", "parallel(tile.k)", "loop tile.k"},
    {"outside", "", "rfactor(tile.k)", "loop tile.k"},
    {"outside", "", "compute_inline(double)", "block double"},
    {"outside", "", "transform_layout(double, \"m, n -> n, m\")", "block double"},
    {"outside", "", "cache_write(tile, stack)", "block tile"},
    {"outside", "", "reverse_compute_at(relu, tile.k)", "block relu"},
    // Others.
    {"matmul", "", "split(matmul.m, [2, 2])", "loop matmul.m"},
    {"matmul", "", "split(matmul.m, [-1, 4], pad)", "loop matmul.m"},
    {"matmul", "", "fuse([matmul.m, matmul.k])", "loop matmul.m"},
    {"matmul", "parallel(matmul.m)", "fuse([matmul.m, matmul.n])", "loop matmul.m"},
    {"matmul", "split(matmul.k, [5, 1])\nunroll(matmul.k_i)", "vectorize(matmul.m)", "loop matmul.m"},
    {"matmul", "bind(matmul.m, threadIdx.x)", "bind(matmul.n, threadIdx.x)", "loop matmul.n"},
    {"matmul", "", "annotate(matmul.m, thread, x)", "matmul.m"},
    {"matmul", "decompose_reduction(matmul, matmul.k)", "compute_inline(matmul_init)", "block matmul_init"},
    {"matmul", "decompose_reduction(matmul, matmul.k)", "cache_write(matmul, stack)", "block matmul"},
    {"repeat", "", "decompose_reduction(again, again.t)", "block again"},
    {"matmul", "reorder([matmul.k, matmul.m])", "decompose_reduction(matmul, matmul.n)", "block matmul"},
    {"softmax", "", "compute_at(e, out.c)", "block e"},
    {"softmax", "", "reverse_compute_at(out, sum.k)", "block out"},
    {"conv", "", "reverse_compute_at(relu, conv.ic)", "block relu"},
    {"softmax", "", "reverse_compute_inline(out)", "block out"},
    {"matmul", "", "set_scope(matmul, stack)", "block matmul"},
    {"prefix_sum", "", "cache_read(scan, y, stack)", "block scan"},
    {"conv", "", "reindex(pad, x)", "block pad"},
    {"matmul", "", "rfactor(matmul.m)", "loop matmul.m"},
    {"matmul", "decompose_reduction(matmul, matmul.k)", "rfactor(matmul.k)", "loop matmul.k"},
    {"max_pool", "", "decompose_padding(shift)", "block shift"},
    {"depthwise", "", "pad_einsum(dw, [4, 4, 4, 4, 4])", "block dw"},
    {"softmax", "", "transform_layout(e, \"r, c -> r, c // 2\")", "block e"},
    {"matmul", "", "transform_layout(matmul, \"m, n -> n, m\")", "block matmul"},
    {"softmax", "", "storage_align(e, 1, 16, 4)", "block e"},
    {"matmul", "split(matmul.k, [-1, 2])", "blockize(matmul.k_i)", "loop matmul.k_i"},
    {"softmax", "", "double_buffer(e)", "block e"},
    {"matmul", "", "software_pipeline(matmul.m, [0, 1])", "loop matmul.m"},
    {"matmul", "", "prefetch(matmul.m, b, matmul.k)", "loop matmul.m"},
    {"overwrite", "", "software_pipeline(fill.r, [0, 1])", "loop fill.r"},
    {"matmul", "", "tensorize(matmul.k, x86_vnni_u8i8_8x4)", "loop matmul.k"},
};

} // namespace

TEST_CASE("what is not legal is refused with its place", "[schedule][primitives][refusal]") {
    std::set<std::string> refused;
    for (const RefusalCase& row : kRefusals) {
        INFO(row.program << ": " << row.before << " then " << row.step);
        const Program program = prepared(named(row.program), row.before);
        const Result<Trace> step = parse_trace(row.step);
        REQUIRE(step.has_value());
        const Result<Rewritten> done = apply_step(program, step->steps.front());
        REQUIRE_FALSE(done.has_value());
        CHECK(done.error().code == Code::IllegalSchedule);
        REQUIRE_FALSE(done.error().locations.empty());
        CHECK(std::get<ProgramPlace>(done.error().locations.front()).place == row.place);
        CHECK(done.error().message.find(step->steps.front().primitive) == 0);
        CHECK_FALSE(done.error().hint.empty());
        refused.insert(step->steps.front().primitive);
    }
    for (const PrimitiveInfo& info : primitives()) {
        INFO(info.name);
        // No loop of the gallery is too long, and a note is refused for its key or place only: test_refusals.cpp.
        const bool elsewhere = info.name == "pragma" || info.name == "unroll";
        CHECK((info.sampling || elsewhere || refused.contains(info.name)));
    }
}

TEST_CASE("primitives move what an extern call is given", "[schedule][primitives][extern]") {
    const Program program = named("outside");
    for (const char* script :
         {"compute_at(double, tile.i)", "cache_read(tile, t, stack)", "cache_read(tile, b, stack)",
          "decompose_reduction(tile, tile.k)\nparallel(tile.i)", "parallel(tile.i)\nunroll(tile.j)",
          "vectorize(relu.j)", "reorder([tile.j, tile.i])", "split(tile.i, [-1, 2])", "split(double.i, [-1, 4], pad)",
          "storage_align(double, 0, 16, 3)", "set_scope(double, stack)", "virtual_thread(tile.j)", "blockize(tile.j)",
          "compute_at(double, tile.i)\ndouble_buffer(double)", "fuse([tile.i, tile.j])"}) {
        INFO(script);
        const Program after = prepared(program, script);
        const Result<void> sound = tensor::verify(after);
        if (!sound) FAIL(to_string(sound.error()) << "\n" << tensor::to_string(after));
        CHECK(difference(program, after) < 1e-5);
    }
}

TEST_CASE("padded copies of operands that are called alike have names of their own", "[schedule][primitives]") {
    // No text says so: names of parameters differ there, but those of buffers are hints.
    const Program text = named("matmul");
    const auto alike = [&](const tensor::Buffer& buffer) {
        return tensor::make_buffer("a", buffer->dtype, buffer->static_shape());
    };
    std::vector<tensor::Buffer> params;
    tensor::BufferMap renamed;
    for (const tensor::Buffer& buffer : text->params) {
        params.push_back(alike(buffer));
        renamed[buffer] = params.back();
    }
    const Program program =
        tensor::make_program(text->name, params, text->input_count, tensor::substitute_buffers(text->body, renamed));
    const Program after = prepared(program, "pad_einsum(matmul, [4, 8, 4])");
    const Result<void> sound = tensor::verify(after);
    if (!sound) FAIL(to_string(sound.error()) << "\n" << tensor::to_string(after));
    CHECK(difference(program, after) < 1e-5);
}

TEST_CASE("names and operands that are wrong are told apart", "[schedule][primitives][refusal]") {
    const Program program = named("matmul");
    const auto code_of = [&](const std::string& line) {
        const Result<Trace> step = parse_trace(line);
        REQUIRE(step.has_value());
        const Result<Rewritten> done = apply_step(program, step->steps.front());
        REQUIRE_FALSE(done.has_value());
        return done.error().code;
    };
    REQUIRE(code_of("tensorize(matmul.k, nothing)") == Code::UnknownName);
    REQUIRE(code_of("bind(matmul.m, threadIdx.q)") == Code::BadArgument);
    REQUIRE(code_of("transform_layout(matmul, \"m -> m\")") == Code::IllegalSchedule); // a result: before its map
    REQUIRE(code_of("sample_perfect_tile(t0, 2, 16)") == Code::BadArgument);
    REQUIRE(code_of("split(matmul.m, sample_perfect_tile(t0, 2, 16))") == Code::BadArgument);
    REQUIRE(code_of("split(matmul.m, [-1, 2], sideways)") == Code::BadArgument);
    REQUIRE(code_of("cache_read(matmul, a)") == Code::BadArgument);
    REQUIRE(code_of("pragma(matmul, hint, 4)") == Code::BadArgument); // of a loop only
    REQUIRE(code_of("pragma(matmul.q, hint, 4)") == Code::UnknownName);
    REQUIRE(code_of("unroll(matmul.q)") == Code::UnknownName);
    REQUIRE(code_of("reindex(matmul, q)") == Code::IllegalSchedule);
}
