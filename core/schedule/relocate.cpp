#include "core/schedule/relocate.hpp"

#include "core/schedule/locate.hpp"
#include "core/tensor/build.hpp"

#include <algorithm>

namespace orrery::schedule {

using namespace tensor; // every name here is a node of tensor IR

Expr Relocator::rewrite_node(const Load& node) {
    const Expr load = Rewriter::rewrite_node(node);
    return node.buffer == before_ ? Load::make(after_, relocated(as<Load>(load)->indices)) : load;
}

Stmt Relocator::rewrite_node(const Store& node) {
    const Stmt stmt = Rewriter::rewrite_node(node);
    const Store* store = as<Store>(stmt);
    return node.buffer == before_ ? Store::make(after_, relocated(store->indices), store->value, stmt->origin) : stmt;
}

Stmt Relocator::rewrite_node(const ExternCall& node) {
    const Stmt stmt = Rewriter::rewrite_node(node);
    std::vector<ExternCall::Operand> operands = as<ExternCall>(stmt)->operands;
    bool changed = false;
    for (ExternCall::Operand& operand : operands) {
        if (operand.number != nullptr || operand.region.buffer != before_) continue;
        Region box{after_, relocated(operand.region.min), operand.region.extent};
        box.extent.insert(box.extent.begin(), box.min.size() - box.extent.size(), imm(1));
        operand.region = std::move(box);
        changed = true;
    }
    return changed ? ExternCall::make(node.symbol, std::move(operands), stmt->origin) : stmt;
}

bool Relocator::concerns(const Block& block) const {
    const Stmt all = block.fields.init ? Seq::make({block.fields.init, block.fields.body}) : block.fields.body;
    const std::vector<Buffer> read = buffers_read(all), written = buffers_written(all);
    return std::ranges::find(read, before_) != read.end() || std::ranges::find(written, before_) != written.end();
}

// -------------------------------------------------------------------------------------------- CopyUser

Stmt CopyUser::rewrite_node(const Block& node) {
    if (!concerns(node)) return handle(node);
    Block::Fields fields = node.fields;
    const Expr outside = slot_;
    if (outside == nullptr) {
        const VarRef slot = Var::make(before_->name + (count_ == 2 ? "_half" : "_copy"));
        fields.iters.push_back({slot, imm(count_), IterKind::Spatial, which_});
        slot_ = slot;
    }
    fields.body = rewrite(fields.body);
    if (fields.init) fields.init = rewrite(fields.init);
    slot_ = outside;
    return rebuild_block(node, std::move(fields));
}

Stmt CopyUser::rewrite_node(const Alloc& node) {
    return node.buffer == before_ ? rewrite(node.body) : Relocator::rewrite_node(node);
}

std::vector<Expr> CopyUser::relocated(std::vector<Expr> indices) const {
    indices.insert(indices.begin(), slot_ == nullptr ? which_ : slot_);
    return indices;
}

} // namespace orrery::schedule
