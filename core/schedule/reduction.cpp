// decompose_reduction.

#include "core/schedule/dependence.hpp"
#include "core/schedule/locate.hpp"
#include "core/schedule/motion.hpp"
#include "core/schedule/primitives.hpp"
#include "core/schedule/tiles.hpp"
#include "core/tensor/build.hpp"
#include "core/tensor/visitor.hpp"

#include <algorithm>
#include <optional>

namespace orrery::schedule {

using namespace tensor; // every name here is a node of tensor IR

namespace {

/// What else keeps a block's init from running before the loop; no value when nothing does.
std::optional<Diagnostic> refuse_decompose(const LoopPlace& place, const Refusal& refuse) {
    const Block& block = *place.block.block;
    if (inside_block(place.block)) return refuse("a block is around it", "decompose before blockize");
    const std::vector<Buffer> started = buffers_written(block.fields.init);
    for (std::size_t i = place.at; i + 1 < place.block.path.size(); ++i) {
        const Stmt& between = place.block.path[i];
        if (const Alloc* alloc = as<Alloc>(between);
            alloc && std::ranges::find(started, alloc->buffer) != started.end())
            return refuse("its buffer " + alloc->buffer->name + " exists inside the loop only",
                          "choose a loop inside of the allocation");
        if (as<If>(between) || as<Let>(between) || as<Block>(between))
            return refuse("something other than a loop stands between the loop and it", "choose a loop further in");
    }
    for (const Block* other : blocks_of(place.block.path[place.at])) {
        if (other == &block) break; // what runs after it in an iteration sees the same as before
        for (const Buffer& buffer : started) {
            const std::vector<Buffer> read = buffers_read(other->fields.body),
                                      written = buffers_written(other->fields.body);
            if (std::ranges::find(read, buffer) != read.end() || std::ranges::find(written, buffer) != written.end())
                return refuse("block " + other->fields.name + " uses " + buffer->name + " before it in that loop",
                              "choose a loop further in, which that block is outside of");
        }
    }
    if (const auto late = late_init(place))
        return refuse("its initial value is set again after something was added: " + late->text,
                      "choose a loop inside of the one that repeats it");
    return std::nullopt;
}

/// The reduction iterator that is not 0 where all loops over its values are; null for none.
const BlockIter* starts_late(const Block& block, const VarMap& first) {
    for (const BlockIter& iter : block.fields.iters)
        if (iter.kind == IterKind::Reduce && as_int(simplify(substitute(iter.binding, first))) != 0) return &iter;
    return nullptr;
}

} // namespace

Result<Rewritten> decompose_reduction(const Program& program, const std::string& name, const std::string& loop_name) {
    ORRERY_TRY(const LoopPlace place, find_loop(program, loop_name));
    const Refusal refuse{"decompose_reduction", program, "block " + name};
    const Block& block = *place.block.block;
    if (block.fields.name != name)
        return refuse("loop " + loop_name + " is named by another block", "name it by block " + name);
    if (!block.fields.init)
        return refuse("it has no initial value to separate", "choose a reduction that sets its initial value itself");

    Block::Fields init;
    init.name = name + "_init";
    if (has_block(program, init.name))
        return refuse("there is a block " + init.name + " already", "its initial value is apart already");
    if (auto refused = refuse_decompose(place, refuse)) return *std::move(refused);
    VarMap iter_map, loop_map;
    std::vector<std::pair<const For*, VarRef>> loops;
    for (std::size_t i = 0; i < place.block.path.size(); ++i) {
        const For* loop = as<For>(place.block.path[i]);
        if (!loop) continue;
        bool reduces = false, spatial = false;
        for (const BlockIter& iter : block.fields.iters)
            if (uses_var(iter.binding, loop->var)) (iter.kind == IterKind::Reduce ? reduces : spatial) = true;
        if (i < place.at && reduces)
            return refuse("reduction loop " + loop->var->name + " is outside of " + loop_name,
                          "choose the outermost reduction loop");
        if (i < place.at) continue;
        if (reduces && spatial)
            return refuse("loop " + loop->var->name + " mixes spatial and reduction iterators",
                          "fuse loops of one kind only");
        if (!spatial) {
            loop_map[loop->var] = imm(0); // the initial value is set in the first step, where the predicate allows that
            continue;
        }
        loops.emplace_back(loop, Var::make(loop->var->name));
        loop_map[loop->var] = loops.back().second;
    }
    for (const BlockIter& iter : block.fields.iters) {
        if (iter.kind == IterKind::Reduce) continue;
        const VarRef var = Var::make(iter.var->name);
        init.iters.push_back({var, iter.extent, IterKind::Spatial, substitute(iter.binding, loop_map)});
        iter_map[iter.var] = var;
    }
    if (block.fields.predicate) {
        if (depends_on_data(block.fields.predicate))
            return refuse("its predicate reads memory", "choose a block whose predicate asks for loops alone");
        if (const BlockIter* iter = starts_late(block, loop_map))
            return refuse("it has a predicate, and iterator " + iter->var->name + " does not start at 0",
                          "decompose before its reduction loops are taken apart");
        init.predicate = simplify(substitute(block.fields.predicate, loop_map),
                                  bounds_outside(place.block.path, place.block.path.size()));
        if (as_int(init.predicate) == 1) init.predicate = nullptr;
    }
    init.body = substitute(block.fields.init, iter_map);
    Stmt nest = rebuild_block(block, std::move(init));
    for (std::size_t i = loops.size(); i-- > 0;)
        nest =
            For::make(loops[i].second, loops[i].first->extent, loops[i].first->loop, nest, loops[i].first->annotations);

    Block::Fields update = block.fields;
    update.init = nullptr;
    const Stmt& outer = place.block.path[place.at];
    const Stmt updated = replace_stmt(outer, place.block.path.back(), rebuild_block(block, std::move(update)));
    return Rewritten{replace_stmt(program, outer, Seq::make({nest, updated})), {}};
}

} // namespace orrery::schedule
