// Rows of the primitives on what blocks compute: reductions, layouts, intrinsics, pipelines.

#include "core/schedule/catalog.hpp"
#include "core/schedule/intrinsics.hpp"
#include "core/schedule/primitives.hpp"
#include "core/tensor/build.hpp"

#include <algorithm>
#include <span>

namespace orrery::schedule {

using tensor::as;
using tensor::BlockIter;
using tensor::For;
using tensor::IterKind;
using tensor::Program;

#define ORRERY_OPERANDS(...) ORRERY_CHECK_OK(args.done(__VA_ARGS__))

namespace {

/// On a block: its loops from the outermost of the reduction inwards. On a loop: that one.
Candidates decompose_candidates(const MenuPlace& menu) {
    if (menu.on_loop()) return {{menu.block, menu.loop}};
    Candidates out;
    for (const For* loop : menu.place.loops())
        for (const BlockIter& iter : menu.place.block->fields.iters)
            if (iter.kind == IterKind::Reduce && uses_var(iter.binding, loop->var)) {
                out.push_back({menu.block, menu.loop_named(*loop)});
                break;
            }
    if (out.empty())
        for (const For* loop : menu.place.loops()) out.push_back({menu.block, menu.loop_named(*loop)});
    return out;
}

Result<Rewritten> apply_decompose(const Program& program, Args& args) {
    const std::string block = args.name(0), loop = args.name(1);
    ORRERY_OPERANDS(2);
    return decompose_reduction(program, block, loop);
}

Candidates pad_einsum_candidates(const MenuPlace& menu) {
    if (menu.on_loop()) return {};
    Candidates out;
    for (const std::int64_t multiple : {16, 8, 4})
        out.push_back({menu.block, Ints(menu.place.block->fields.iters.size(), multiple)});
    return out;
}

/// Tiles of the last two dimensions, and the first one inside.
Candidates layout_candidates(const MenuPlace& menu) {
    if (menu.on_loop()) return {};
    const auto written = buffers_written(menu.place.block->fields.body);
    if (written.size() != 1) return {{menu.block, std::string("i -> i")}};
    const std::size_t rank = written.front()->rank();
    if (rank == 0) return {{menu.block, std::string("-> 0")}};
    std::string names, turned, tiled;
    for (std::size_t d = 0; d < rank; ++d) names += (d ? ", i" : "i") + std::to_string(d);
    for (std::size_t d = 1; d < rank; ++d) turned += "i" + std::to_string(d) + ", ";
    for (std::size_t d = 0; d + 1 < rank; ++d) tiled += "i" + std::to_string(d) + ", ";
    const std::string last = "i" + std::to_string(rank - 1);
    Candidates out;
    for (const char* factor : {"8", "4"})
        out.push_back({menu.block, names + " -> " + tiled + last + " // " + factor + ", " + last + " % " + factor});
    if (rank > 1) out.push_back({menu.block, names + " -> " + turned + "i0"});
    return out;
}

Candidates align_candidates(const MenuPlace& menu) {
    if (menu.on_loop()) return {};
    const auto written = buffers_written(menu.place.block->fields.body);
    const std::int64_t rank = written.empty() ? 0 : static_cast<std::int64_t>(written.front()->rank());
    return {{menu.block, std::max<std::int64_t>(0, rank - 2), std::int64_t{32}, std::int64_t{8}},
            {menu.block, std::max<std::int64_t>(0, rank - 2), std::int64_t{16}, std::int64_t{0}}};
}

Candidates tensorize_candidates(const MenuPlace& menu) {
    if (!menu.on_loop()) return {};
    Candidates out;
    for (const std::string& name : intrinsic_names()) out.push_back({menu.loop, name});
    return out;
}

/// The first half of the body's statements in stage 0, the rest in stage 1; or only the last in stage 1.
Candidates pipeline_candidates(const MenuPlace& menu) {
    if (!menu.on_loop()) return {};
    const auto& loop = static_cast<const For&>(*menu.place.path[menu.at]);
    const tensor::Seq* seq = as<tensor::Seq>(loop.body);
    if (!seq) return {{menu.loop, Ints{0, 1}}};
    Candidates out;
    for (std::size_t first = 1; first < seq->stmts.size() && first < 5; ++first) {
        Ints stages(seq->stmts.size(), 1);
        std::fill_n(stages.begin(), first, 0);
        out.push_back({menu.loop, stages});
    }
    return out;
}

Result<Rewritten> apply_double_buffer(const Program& program, Args& args) {
    const std::string block = args.name(0);
    ORRERY_OPERANDS(1);
    return double_buffer(program, block);
}

Result<Rewritten> apply_pipeline(const Program& program, Args& args) {
    const std::string loop = args.name(0);
    const Ints stages = args.ints(1);
    ORRERY_OPERANDS(2);
    return software_pipeline(program, loop, stages);
}

/// Of each input the block reads, in the loops inside, innermost first.
Candidates prefetch_candidates(const MenuPlace& menu) {
    if (!menu.on_loop()) return {};
    const auto inputs = std::span(menu.program->params).first(menu.program->input_count);
    Candidates out;
    for (const tensor::Buffer& read : buffers_read(menu.place.block->fields.body)) {
        if (std::ranges::find(inputs, read) == inputs.end()) continue;
        for (std::size_t i = menu.place.path.size(); i-- > menu.at;)
            if (const For* loop = as<For>(menu.place.path[i]); loop && loop->loop != tensor::LoopKind::Vectorized)
                out.push_back({menu.loop, read->name, menu.loop_named(*loop)});
    }
    if (out.empty()) out.push_back({menu.loop, std::string("nothing"), menu.loop});
    return out;
}

Result<Rewritten> apply_prefetch(const Program& program, Args& args) {
    const std::string loop = args.name(0), input = args.name(1), inner = args.name(2);
    const std::int64_t distance = args.has(3) ? args.integer(3) : 1;
    ORRERY_OPERANDS(3, 4);
    return prefetch(program, loop, input, inner, distance);
}

Result<Rewritten> apply_rfactor(const Program& program, Args& args) {
    const std::string loop = args.name(0);
    ORRERY_OPERANDS(1);
    return rfactor(program, loop);
}

Result<Rewritten> apply_blockize(const Program& program, Args& args) {
    const std::string loop = args.name(0);
    ORRERY_OPERANDS(1);
    return blockize(program, loop);
}

Result<Rewritten> apply_tensorize(const Program& program, Args& args) {
    const std::string loop = args.name(0), intrinsic = args.name(1);
    ORRERY_OPERANDS(2);
    return tensorize(program, loop, intrinsic);
}

Result<Rewritten> apply_transform_layout(const Program& program, Args& args) {
    const std::string block = args.name(0), map = args.text(1);
    ORRERY_OPERANDS(2);
    return transform_layout(program, block, map);
}

Result<Rewritten> apply_storage_align(const Program& program, Args& args) {
    const std::string block = args.name(0);
    const std::int64_t dim = args.integer(1), factor = args.integer(2), offset = args.has(3) ? args.integer(3) : 0;
    ORRERY_OPERANDS(3, 4);
    return storage_align(program, block, dim, factor, offset);
}

Result<Rewritten> apply_decompose_padding(const Program& program, Args& args) {
    const std::string block = args.name(0);
    ORRERY_OPERANDS(1);
    return decompose_padding(program, block);
}

Result<Rewritten> apply_pad_einsum(const Program& program, Args& args) {
    const std::string block = args.name(0);
    const Ints multiples = args.ints(1);
    ORRERY_OPERANDS(2);
    return pad_einsum(program, block, multiples);
}

std::vector<CatalogRow> reduction_rows() {
    return {
        {info("decompose_reduction", {kBlock, kLoop},
              "Makes a block of its own, named block_init, of a reduction's initial value, run before that loop.",
              "no reduction loop of the block is outside of it; the block's buffer exists outside of it; no later "
              "iteration sets the initial value again; no loop mixes spatial and reduction iterators.",
              "for i { for k { block c(vi = i, reduce vk = k) { init { c[vi] = 0 } c[vi] = c[vi] + a[vi, vk] } } }",
              "decompose_reduction(c, c.k)\nfor i { block c_init(vi = i) { c[vi] = 0 }; for k { block c(...) { c[vi] = "
              "c[vi] "
              "+ a[vi, vk] } } }"),
         apply_decompose, decompose_candidates},
        {info(
             "rfactor", {kLoop},
             "Takes a reduction in two steps: a new block block_rf keeps the loop apart, with a buffer of partial "
             "results "
             "that has one more dimension; the block then adds those up. The loop can then be parallel or a vector. "
             "Floats "
             "are added in another order, which rounds differently.",
             "the block is a sum, product, minimum, maximum, and or or with its initial value in it; the loop gives "
             "reduction iterators their value, as one term of a sum of loops; its loops are its own, and a tail leaves "
             "each iteration its first step.",
             "for i { for k in 8 { c[i] += a[i, k] } }",
             "rfactor(c.k)\nfor i { for k in 8 { c_rf[k, i] = a[i, k] } }; for i { for k in 8 { c[i] += c_rf[k, i] } "
             "}"),
         apply_rfactor, this_loop},
    };
}

std::vector<CatalogRow> layout_rows() {
    return {
        {info("transform_layout", {kBlock, {"map", ArgKind::Text}},
              "Lays the buffer a block writes out in another way, everywhere: an element moves to the indices that the "
              "map "
              "gives.",
              "the buffer is no parameter; no two elements come to lie in one place; indices do not become negative, "
              "and "
              "the buffer grows at most 64 times.",
              "t[n, c] with t: f32[2,8]",
              "transform_layout(t, \"n, c -> n, c // 4, c % 4\")\nt[n, c // 4, c % 4] with t: f32[2,2,4]"),
         apply_transform_layout, layout_candidates},
        {info("storage_align",
              {kBlock, {"dim", ArgKind::Integer}, {"factor", ArgKind::Integer}, {"offset", ArgKind::Integer, {}, true}},
              "Lengthens the rows of the buffer a block writes, so that the stride of a dimension is `offset` modulo "
              "`factor`: rows start on lines of a cache, or do not fall on each other there.",
              "the buffer is no parameter; the dimension is not the last; some row length does it.", "t: f32[8,64]",
              "storage_align(t, 0, 32, 8)\nt: f32[8,72]"),
         apply_storage_align, align_candidates},
    };
}

std::vector<CatalogRow> pipeline_rows() {
    return {
        {info("double_buffer", {kBlock},
              "Gives the buffer a block writes in every iteration of a loop two halves, used in turn, and keeps it "
              "from one "
              "iteration to the next: the next one can be filled while this one is used.",
              "the buffer is allocated inside a loop that runs one iteration after another, and is not in registers.",
              "for t { alloc b; b[i] = ...; ... b[i] ... }",
              "double_buffer(b)\nalloc b: [2, ...]; for t { b[t % 2, i] = ...; ... b[t % 2, i] ... }"),
         apply_double_buffer, this_block},
        {info("software_pipeline", {kLoop, {"stage", ArgKind::Numbers}},
              "Runs parts of a loop's body that have a later stage that many iterations later, so that an iteration "
              "computes while the next one loads. What does not fit is written out before and after the loop.",
              "the loop is serial, its body has several statements, each with a stage from 0 on, and no buffer of one "
              "iteration; no part comes to run before another one it depends on.",
              "for t in 8 { load(t); work(t) }",
              "software_pipeline(b.t, [0, 1])\nload(0); for t in 7 { load(t + 1); work(t) }; work(7)"),
         apply_pipeline, pipeline_candidates},
        {info("prefetch",
              {kLoop, {"input", ArgKind::Buffer}, {"inner", ArgKind::Loop}, {"distance", ArgKind::Integer, {}, true}},
              "While an iteration of a loop computes, fetches what the next one will read of an input, or the one that "
              "many further on: in equal parts, some cache lines at the beginning of each iteration of a loop inside. "
              "With a distance, that many iterations share the work. No result changes; the processor need not wait "
              "for what has come.",
              "the input's box moves with the loop, is one whose lines can be told, and comes to at most 64 lines for "
              "an iteration of the inner loop; loops from the first to the inner one have constant extents, none runs "
              "as vectors, and no block is around them; the distance is less than the loop's extent.",
              "for j in 64 { for i in 11 { for k in 8 { block b(...) { ... w[j, k, 0 +: 16] ... } } } }",
              "prefetch(b.j, w, b.i)\nfor j in 64 { for i in 11 { prefetch w[min(j + 1, 63), min(i, 7), 0]\n"
              "  for k in 8 { block b(...) { ... } } } }"),
         apply_prefetch, prefetch_candidates},
    };
}

std::vector<CatalogRow> intrinsic_rows() {
    return {
        {info(
             "blockize", {kLoop},
             "Makes one block of a loop and all inside, named block_o: its iterators count whole tiles.",
             "only loops around one block are inside, which run through whole, aligned tiles of the block's iterators; "
             "the "
             "block has no predicate.",
             "for io { for ii in 4 { block b(vi = io * 4 + ii) { ... } } }",
             "blockize(b.ii)\nfor io { block b_o(vi_o = io) { for ii in 4 { block b(vi = vi_o * 4 + ii) { ... } } } }"),
         apply_blockize, this_loop},
        {info("tensorize", {kLoop, {"intrinsic", ArgKind::Choice, intrinsic_names()}},
              "blockize, and the new block stands for a hardware instruction whose description it is. A backend that "
              "has "
              "the instruction emits it; everything else compiles and runs the description. `orrery schedule "
              "--intrinsics FILE` declares more of them.",
              "as for blockize; and the loops inside, in order, and what the block computes are those of the "
              "description, "
              "with operands of the same types whose rows lie one behind the other.",
              "for i in 16 { for k in 4 { block d(...) { c[vi] = c[vi] + i32(a[vk]) * i32(b[vi, vk]) } } }",
              "tensorize(d.i, x86_vnni_u8i8_16x4)\nblock d_o(...) @tensorize=\"x86_vnni_u8i8_16x4\" { ... }"),
         apply_tensorize, tensorize_candidates},
    };
}

std::vector<CatalogRow> padding_rows() {
    return {
        {info(
             "decompose_padding", {kBlock},
             "Takes a padding apart: a new block block_fill writes the constant everywhere, the block then copies only "
             "what is inside, in loops that run through just that.",
             "the block stores a choice between a constant and something else; it is no reduction.",
             "for i in 10 { p[i] = select(i >= 1 && i < 9, x[i - 1], 0) }",
             "decompose_padding(p)\nfor i in 10 { p[i] = 0 }; for i in 8 { p[i + 1] = x[i] }"),
         apply_decompose_padding, this_block},
        {info("pad_einsum", {kBlock, {"multiple", ArgKind::Numbers}},
              "Rounds the extents of a sum of products up to multiples, one an iterator: what it reads is copied with "
              "zeros around it, and its result is copied back without.",
              "the block is a sum with an initial value of its own, each iterator bound to a loop of its own, every "
              "buffer "
              "used at iterators; over a padded reduction every factor of what is summed depends on it.",
              "for m in 6, n in 6, k in 5 { c[m, n] += a[m, k] * b[k, n] }",
              "pad_einsum(c, [8, 8, 8])\na_pad, b_pad: a, b and zeros; for m in 8, n in 8, k in 8 { c_pad[m, n] += "
              "a_pad[m, "
              "k] * b_pad[k, n] }; c: c_pad without its margin"),
         apply_pad_einsum, pad_einsum_candidates},
    };
}

} // namespace

std::vector<CatalogRow> block_rows() {
    std::vector<CatalogRow> out = reduction_rows();
    for (auto family : {padding_rows, layout_rows, pipeline_rows, intrinsic_rows})
        for (CatalogRow& row : family()) out.push_back(std::move(row));
    return out;
}

} // namespace orrery::schedule
