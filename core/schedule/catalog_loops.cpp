// Rows of the primitives on loops and of notes.

#include "core/schedule/catalog.hpp"
#include "core/schedule/primitives.hpp"
#include "core/tensor/build.hpp"

#include <algorithm>

namespace orrery::schedule {

using tensor::as;
using tensor::as_int;
using tensor::For;
using tensor::Program;

#define ORRERY_OPERANDS(...) ORRERY_CHECK_OK(args.done(__VA_ARGS__))

namespace {

/// The loop of the menu, or nothing when it is about a block.
Candidates split_candidates(const MenuPlace& menu) {
    if (!menu.on_loop()) return {};
    const auto extent = as_int(static_cast<const For&>(*menu.place.path[menu.at]).extent).value_or(1);
    Candidates out;
    for (const std::int64_t factor : {8, 16, 4, 32, 2, 64, 7, 3})
        if (extent > factor && extent % factor == 0) out.push_back({menu.loop, Ints{-1, factor}});
    for (const std::int64_t factor : {8, 4, 2})
        if (extent > factor && extent % factor != 0) out.push_back({menu.loop, Ints{-1, factor}});
    if (out.empty()) out.push_back({menu.loop, Ints{-1, 2}});
    return out;
}

/// This loop with the one directly inside.
Candidates fuse_candidates(const MenuPlace& menu) {
    if (!menu.on_loop()) return {};
    const For* inner = menu.at + 1 < menu.place.path.size() ? as<For>(menu.place.path[menu.at + 1]) : nullptr;
    if (!inner) return {{Names{menu.loop}}};
    return {{Names{menu.loop, menu.loop_named(*inner)}}};
}

/// This loop to every place inwards, then outwards, nearest first.
Candidates reorder_candidates(const MenuPlace& menu) {
    if (!menu.on_loop()) return {};
    Candidates out;
    Names inwards{menu.loop};
    for (std::size_t i = menu.at + 1; i < menu.place.path.size(); ++i) {
        const For* loop = as<For>(menu.place.path[i]);
        if (!loop) break;
        inwards.insert(inwards.end() - 1, menu.loop_named(*loop));
        out.push_back({inwards});
    }
    Names outwards{menu.loop};
    for (std::size_t i = menu.at; i-- > 0;) {
        const For* loop = as<For>(menu.place.path[i]);
        if (!loop) break;
        outwards.insert(outwards.begin() + 1, menu.loop_named(*loop));
        out.push_back({outwards});
    }
    if (out.empty()) out.push_back({Names{menu.loop, menu.loop}});
    return out;
}

Candidates bind_candidates(const MenuPlace& menu) {
    if (!menu.on_loop()) return {};
    return {{menu.loop, std::string("blockIdx.x")}, {menu.loop, std::string("threadIdx.x")}};
}

Candidates annotate_candidates(const MenuPlace& menu) {
    return {{menu.on_loop() ? menu.loop : menu.block, std::string("note"), std::string("look here")}};
}

Candidates pragma_candidates(const MenuPlace& menu) {
    if (!menu.on_loop()) return {};
    return {{menu.loop, std::string("unroll_hint"), std::string("4")}};
}

template <Result<Rewritten> (*primitive)(const Program&, const std::string&)>
Result<Rewritten> on_one_loop(const Program& program, Args& args) {
    const std::string loop = args.name(0);
    ORRERY_OPERANDS(1);
    return primitive(program, loop);
}

template <Result<Rewritten> (*primitive)(const Program&, const Names&)>
Result<Rewritten> on_loops(const Program& program, Args& args) {
    const Names loops = args.names(0);
    ORRERY_OPERANDS(1);
    return primitive(program, loops);
}

Result<Rewritten> apply_split(const Program& program, Args& args) {
    const std::string loop = args.name(0);
    const Ints factors = args.ints(1);
    const std::string tail = args.has(2) ? args.name(2) : "predicate";
    ORRERY_OPERANDS(2, 3);
    if (tail != "predicate" && tail != "pad")
        return Diagnostic{
            Code::BadArgument, "split: its tail is predicate or pad, not " + tail, {}, "leave it out, or write pad"};
    return split(program, loop, factors, tail == "pad" ? Tail::Padding : Tail::Predicate);
}

Result<Rewritten> apply_bind(const Program& program, Args& args) {
    const std::string loop = args.name(0), axis = args.name(1);
    ORRERY_OPERANDS(2);
    return bind(program, loop, axis);
}

template <Result<Rewritten> (*primitive)(const Program&, const std::string&, const std::string&, const std::string&)>
Result<Rewritten> with_key(const Program& program, Args& args) {
    const std::string place = args.name(0), key = args.text(1), value = args.has(2) ? args.text(2) : "";
    ORRERY_OPERANDS(2, 3);
    return primitive(program, place, key, value);
}

std::vector<CatalogRow> shape_rows() {
    return {
        {info(
             "split", {kLoop, {"factor", ArgKind::Factors}, {"tail", ArgKind::Choice, {"predicate", "pad"}, true}},
             "Makes a nest of a loop: outer loops count pieces, the last one runs through a piece. One factor may be "
             "-1: what the others leave. The new loops are named v_o and v_i, or v_0, v_1, ... for more than two. When "
             "the product is larger than the extent, blocks inside get a predicate; with pad, the buffer they write "
             "grows instead and the extra elements are computed for nobody.",
             "factors are positive, at most one is -1, and they cover the extent; a tail has blocks inside, not bare "
             "statements; pad: one block inside, which writes a buffer of its own, not a result.",
             "for i in 10 { block b(vi = i in 10) { y[vi] = x[vi] } }",
             "split(b.i, [-1, 4])\nfor i_o in 3 { for i_i in 4 {\n  block b(vi = i_o * 4 + i_i in 10) where i_o * 4 + "
             "i_i "
             "< 10 { y[vi] = x[vi] } } }"),
         apply_split, split_candidates},
        {info(
             "fuse", {{"block.loop", ArgKind::Loops}},
             "Makes one loop of two or more, each directly inside the one before. The order of iterations stays. The "
             "new loop is named a_b.",
             "each loop is directly inside the one before, with constant extents, and all run in the same way (all "
             "serial, all parallel, with the same annotations): what was proven of the outer loop is not proven of the "
             "inner one.",
             "for i in 2 { for j in 3 { block b(vi = i in 2, vj = j in 3) { ... } } }",
             "fuse([b.i, b.j])\nfor i_j in 6 { block b(vi = i_j // 3 in 2, vj = i_j % 3 in 3) { ... } }"),
         on_loops<fuse>, fuse_candidates},
        {info(
             "reorder", {{"block.loop", ArgKind::Loops}},
             "Puts the loops, all around one block, in the given order; loops between them keep their place. Sums and "
             "other commutative updates may be added up in another order, which rounds floats differently.",
             "nothing but loops stands between them; no iteration comes to read or write an element before one that it "
             "depends on; loops that run in parallel still carry no dependence.",
             "for i { for j { block b(...) } }", "reorder([b.j, b.i])\nfor j { for i { block b(...) } }"),
         on_loops<reorder>, reorder_candidates},
        {info(
             "unroll", {kLoop},
             "Writes out all iterations, in order. Generated code counts them where copies of the body would hold more "
             "than eight loops.",
             "the extent is a constant of at most 1024.", "for i in 2 { block b(...) }",
             "unroll(b.i)\nunrolled i in 2 { block b(...) }"),
         on_one_loop<unroll>, this_loop},
    };
}

std::vector<CatalogRow> kind_rows() {
    return {
        {info("parallel", {kLoop}, "Runs iterations of the loop on several threads, in any order.",
              "no iteration touches an element that another one writes, as the indices show; buffers allocated inside "
              "the loop are each iteration's own.",
              "for i in 64 { block b(...) }", "parallel(b.i)\nparallel i in 64 { block b(...) }"),
         on_one_loop<parallel>, this_loop},
        {info("vectorize", {kLoop}, "Runs iterations of the loop as lanes of vectors.",
              "as for parallel; and the loop is the innermost one, of a constant extent of at most 256.",
              "for i in 16 { block b(...) }", "vectorize(b.i)\nvectorized i in 16 { block b(...) }"),
         on_one_loop<vectorize>, this_loop},
        {info(
             "bind",
             {kLoop,
              {"axis",
               ArgKind::Choice,
               {"blockIdx.x", "blockIdx.y", "blockIdx.z", "threadIdx.x", "threadIdx.y", "threadIdx.z"}}},
             "Binds a serial loop to an axis of an accelerator's threads. The interpreter and the code generators for "
             "processors run it serially.",
             "as for parallel; no other loop of the nest is bound to that axis; loops bound to blockIdx are outside of "
             "those bound to threadIdx; a block has at most 1024 threads, 64 along z, and 65535 blocks stand along y "
             "and z.",
             "for i in 64 { block b(...) }",
             "bind(b.i, threadIdx.x)\nfor i in 64 @thread=\"threadIdx.x\" { block b(...) }"),
         apply_bind, bind_candidates},
        {info("virtual_thread", {kLoop},
              "Marks a serial loop whose iterations run side by side, so that what one waits for another computes. "
              "Generated code has it inside of the loops it is written around, unrolled around each block, and a copy "
              "of every buffer allocated in it for each iteration; the interpreter runs one after another.",
              "as for parallel; at most 64 iterations.", "for i in 2 { for k in 8 { block b(...) } }",
              "virtual_thread(b.i)\nfor i in 2 @thread=\"vthread\" { for k in 8 { block b(...) } }\n"
              "generated as\nfor k in 8 { unrolled i in 2 { block b(...) } }"),
         on_one_loop<virtual_thread>, this_loop},
        {info("annotate",
              {{"block or block.loop", ArgKind::Block}, {"key", ArgKind::Text}, {"value", ArgKind::Text, {}, true}},
              "Leaves a note on a block or a loop, which every transformation keeps and backends may heed.",
              "the key is not one whose meaning must be checked (thread, tensorize).", "for i in 4 { block b(...) }",
              "annotate(b.i, note, \"look here\")\nfor i in 4 @note=\"look here\" { block b(...) }"),
         with_key<annotate>, annotate_candidates},
        {info("pragma", {kLoop, {"key", ArgKind::Text}, {"value", ArgKind::Text, {}, true}},
              "Leaves a hint for the code generator on a loop: the annotation pragma_KEY.", "",
              "for i in 4 { block b(...) }",
              "pragma(b.i, unroll_hint, 4)\nfor i in 4 @pragma_unroll_hint=\"4\" { block b(...) }"),
         with_key<pragma>, pragma_candidates},
    };
}

} // namespace

std::vector<CatalogRow> loop_rows() {
    std::vector<CatalogRow> out = shape_rows();
    for (CatalogRow& row : kind_rows()) out.push_back(std::move(row));
    return out;
}

} // namespace orrery::schedule
