#include "backends/llvm/loop_bases.hpp"

#include <llvm/Analysis/LoopInfo.h>
#include <llvm/IR/IRBuilder.h>
#include <llvm/IR/Instructions.h>
#include <llvm/IR/Module.h>

namespace orrery::codegen {

namespace {

using llvm::Value;

class LoopBases {
  public:
    explicit LoopBases(const llvm::Loop& loop) : loop_(loop), before_(loop.getLoopPreheader()->getTerminator()) {}

    bool hide() {
        for (llvm::BasicBlock* block : loop_.blocks())
            for (llvm::Instruction& each : *block) {
                auto* address = llvm::dyn_cast<llvm::GetElementPtrInst>(&each);
                if (!address && each.getOpcode() != llvm::Instruction::Add) continue;
                for (llvm::Use& use : each.operands())
                    if (Value* v = use->getType()->isPointerTy() ? opaque_address(use) : opaque(use)) use.set(v);
            }
        return !made_.empty();
    }

  private:
    /// What stands for a value from outside of the loop in it; null where it is none, or nothing to look into.
    Value* opaque(Value* v) {
        if (!llvm::isa<llvm::Instruction>(v) || llvm::isa<llvm::AllocaInst>(v) || !loop_.isLoopInvariant(v) ||
            !(v->getType()->isPointerTy() || v->getType()->isIntegerTy(64)))
            return nullptr;
        Value*& made = made_[v];
        if (!made) made = before_.CreateFreeze(v, v->getName());
        return made;
    }
    /// Addresses that differ by a constant start from one: a register serves several.
    Value* opaque_address(Value* v) {
        const llvm::DataLayout& layout = before_.GetInsertBlock()->getModule()->getDataLayout();
        llvm::APInt offset(layout.getIndexTypeSizeInBits(v->getType()), 0);
        Value* base = opaque(v->stripAndAccumulateConstantOffsets(layout, offset, true));
        if (!base || offset == 0) return base;
        Value*& made = made_[v];
        if (!made) made = before_.CreateGEP(before_.getInt8Ty(), base, before_.getInt(offset));
        return made;
    }

    const llvm::Loop& loop_;
    llvm::IRBuilder<> before_;
    llvm::DenseMap<Value*, Value*> made_;
};

} // namespace

bool hide_loop_bases(const llvm::LoopInfo& loops) {
    bool changed = false;
    for (const llvm::Loop* loop : loops.getLoopsInPreorder())
        if (loop->isInnermost() && loop->getLoopPreheader()) changed = LoopBases(*loop).hide() || changed;
    return changed;
}

} // namespace orrery::codegen
