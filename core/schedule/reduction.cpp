// decompose_reduction.

#include "core/schedule/locate.hpp"
#include "core/schedule/primitives.hpp"
#include "core/tensor/build.hpp"
#include "core/tensor/visitor.hpp"

#include <algorithm>

namespace orrery::schedule {

using namespace tensor; // every name here is a node of tensor IR

Result<Rewritten> decompose_reduction(const Program& program, const std::string& name, const std::string& loop_name) {
    ORRERY_TRY(const LoopPlace place, find_loop(program, loop_name));
    const Refusal refuse{"decompose_reduction", program, "block " + name};
    const Block& block = *place.block.block;
    if (block.fields.name != name)
        return refuse("loop " + loop_name + " is named by another block", "name it by block " + name);
    if (!block.fields.init) return refuse("it has no initial value to separate");

    Block::Fields init;
    init.name = name + "_init";
    for (const Block* other : blocks_of(program->body))
        if (other->fields.name == init.name) return refuse("there is a block " + init.name + " already");
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
        if (reduces && spatial) return refuse("loop " + loop->var->name + " mixes spatial and reduction iterators");
        if (!spatial) {
            if (block.fields.predicate && uses_var(block.fields.predicate, loop->var))
                return refuse("its predicate depends on reduction loop " + loop->var->name);
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
    if (block.fields.predicate) init.predicate = substitute(block.fields.predicate, loop_map);
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
