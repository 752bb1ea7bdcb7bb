// blockize, tensorize: a piece of a program as one block.

#include "core/schedule/dependence.hpp"
#include "core/schedule/intrinsics.hpp"
#include "core/schedule/locate.hpp"
#include "core/schedule/motion.hpp"
#include "core/schedule/primitives.hpp"
#include "core/tensor/affine.hpp"
#include "core/tensor/build.hpp"
#include "core/tensor/visitor.hpp"

#include <algorithm>
#include <optional>

namespace orrery::schedule {

using namespace tensor; // every name here is a node of tensor IR

namespace {

/// binding = extent * outer + inner, where inner runs through [0, extent) as the loops inside do.
struct Tiling {
    Affine outer, inner;
    std::int64_t extent = 1;
};

Result<std::vector<Tiling>> tilings_of(const Block& block, const Bounds& inside, const Refusal& refuse) {
    std::vector<Tiling> out;
    std::vector<Expr> inner;
    for (const BlockIter& iter : block.fields.iters) {
        Tiling tiling;
        const Affine sum = affine_of(iter.binding);
        tiling.outer.constant = sum.constant;
        for (const Affine::Term& term : sum.terms) {
            const bool in =
                std::ranges::any_of(inside, [&](const auto& entry) { return uses_var(term.term, entry.first); });
            (in ? tiling.inner : tiling.outer).terms.push_back(term);
        }
        inner.push_back(to_expr(tiling.inner));
        out.push_back(std::move(tiling));
    }
    const auto box = box_of(inner, inside);
    if (!box)
        return refuse("the loops inside do not run through a box of the block's iterators",
                      "split and reorder so that whole tiles are inside");
    for (std::size_t i = 0; i < out.size(); ++i) {
        out[i].extent = (*box)[i];
        bool whole = out[i].outer.constant % out[i].extent == 0;
        for (const Affine::Term& term : out[i].outer.terms) whole &= term.coefficient % out[i].extent == 0;
        if (!whole)
            return refuse("iterator " + block.fields.iters[i].var->name + " does not step by whole tiles of " +
                              std::to_string(out[i].extent),
                          "split into factors that divide");
    }
    return out;
}

} // namespace

Result<Rewritten> blockize(const Program& program, const std::string& loop_name) {
    ORRERY_TRY(const LoopPlace place, find_loop(program, loop_name));
    const Refusal refuse{"blockize", program, "loop " + loop_name};
    const Stmt& piece = place.block.path[place.at];
    const Block& block = *place.block.block;
    Bounds inside;
    for (std::size_t i = place.at; i + 1 < place.block.path.size(); ++i) {
        const For* loop = as<For>(place.block.path[i]);
        const auto extent = loop ? as_int(loop->extent) : std::nullopt;
        if (!extent || *extent < 1 || blocks_of(loop->body).size() != 1)
            return refuse("something other than loops around one block is inside", "choose an inner loop");
        inside[loop->var] = {0, *extent - 1};
    }
    if (inside_block(place.block)) return refuse("a block is around it already", "choose a loop around that block");
    if (block.fields.predicate)
        return refuse("block " + block.fields.name + " has a predicate", "split into factors that divide the extent");
    const std::string name = block.fields.name + "_o";
    if (has_block(program, name))
        return refuse("there is a block " + name + " already",
                      "blockize each block once, or choose a loop of block " + name);
    ORRERY_TRY(const std::vector<Tiling> tilings, tilings_of(block, inside, refuse));

    Block::Fields outer, inner = block.fields;
    outer.name = name;
    for (std::size_t i = 0; i < tilings.size(); ++i) {
        const BlockIter& iter = block.fields.iters[i];
        Affine step = tilings[i].outer;
        step.constant /= tilings[i].extent;
        for (Affine::Term& term : step.terms) term.coefficient /= tilings[i].extent;
        Expr base = imm(step.constant * tilings[i].extent);
        if (!step.terms.empty()) {
            const VarRef var = Var::make(iter.var->name + "_o");
            const std::int64_t count = (extent_of(iter.extent) + tilings[i].extent - 1) / tilings[i].extent;
            outer.iters.push_back({var, imm(count), iter.kind, to_expr(step)});
            base = Expr(var) * tilings[i].extent;
        }
        inner.iters[i].binding = base + to_expr(tilings[i].inner);
    }
    outer.body = replace_stmt(piece, place.block.path.back(), Block::make(std::move(inner), block.origin));
    return Rewritten{replace_stmt(program, piece, rebuild_block(block, std::move(outer))), {}};
}

Result<Rewritten> tensorize(const Program& program, const std::string& loop_name, const std::string& intrinsic_name) {
    const std::optional<TensorIntrinsic> intrinsic = find_intrinsic(intrinsic_name);
    if (!intrinsic) {
        std::string names;
        for (const std::string& name : intrinsic_names()) names += (names.empty() ? "" : ", ") + name;
        return Diagnostic{Code::UnknownName,
                          "there is no intrinsic named " + intrinsic_name,
                          {ProgramPlace{program->name, "loop " + loop_name}},
                          "there are " + names};
    }
    const Refusal refuse{"tensorize", program, "loop " + loop_name};
    ORRERY_TRY(Rewritten out, blockize(program, loop_name));
    const std::string name = loop_name.substr(0, loop_name.find('.')) + "_o";
    ORRERY_TRY(const BlockPlace place, find_block(out.program, name));
    const Result<IntrinsicMatch> match = match_intrinsic(*place.block, *intrinsic);
    if (!match)
        return refuse(match.error().message,
                      "split, reorder and decompose_reduction until the loops inside are those of "
                      "the description");
    Block::Fields fields = place.block->fields;
    fields.annotations["tensorize"] = intrinsic_name;
    out.program = replace_stmt(out.program, place.path.back(), Block::make(std::move(fields), place.block->origin));
    return out;
}

} // namespace orrery::schedule
