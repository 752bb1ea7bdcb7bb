// Expressions: scalars where all lanes agree, vectors where they do not.
#include "backends/llvm/emitter.hpp"

#include <llvm/IR/IRBuilder.h>

namespace orrery::codegen {

using namespace tensor;
using llvm::Value;

namespace {

/// A function whose scalar code is long enough to branch around.
bool is_costly(Intrinsic intrinsic) {
    switch (intrinsic) {
    case Intrinsic::Neg:
    case Intrinsic::Not:
    case Intrinsic::BitNot:
    case Intrinsic::Abs:
    case Intrinsic::Sign:
    case Intrinsic::Sqrt:
    case Intrinsic::Floor:
    case Intrinsic::Ceil:
    case Intrinsic::Round:
    case Intrinsic::Trunc:
    case Intrinsic::IsNan:
    case Intrinsic::IsInf:
    case Intrinsic::CountOnes: return false;
    default: return true;
    }
}

} // namespace

Value* Emitter::constant(DType dtype, std::int64_t bits) {
    return llvm::ConstantInt::get(register_type(b_.getContext(), dtype), static_cast<std::uint64_t>(bits), true);
}

Value* Emitter::value(const Expr& expr) {
    if (expr->dtype == DType::I64) return materialize(index(expr));
    switch (expr->kind) {
    case NodeKind::IntImm: return constant(expr->dtype, as<IntImm>(expr)->value);
    case NodeKind::FloatImm: {
        Value* number = arithmetic_.constant(expr->dtype, as<FloatImm>(expr)->value);
        return bits_ ? arithmetic_.to_memory(expr->dtype, number) : number;
    }
    case NodeKind::Var: {
        const auto found = frame_.vars.find(expr.get());
        ORRERY_ASSERT(found != frame_.vars.end(), as<Var>(expr)->name + " is bound where it is used");
        return found->second.value;
    }
    case NodeKind::Binary: return emit_binary(*as<Binary>(expr));
    case NodeKind::Call: return emit_call(*as<Call>(expr));
    case NodeKind::Cast: {
        const Expr& from = as<Cast>(expr)->value;
        return arithmetic_.cast(expr->dtype, from->dtype, value(from));
    }
    case NodeKind::Select: return emit_select(*as<Select>(expr));
    case NodeKind::Load: return load(*as<Load>(expr));
    case NodeKind::Store:
    case NodeKind::ExternCall:
    case NodeKind::Prefetch:
    case NodeKind::For:
    case NodeKind::If:
    case NodeKind::Let:
    case NodeKind::Alloc:
    case NodeKind::Block:
    case NodeKind::Seq: break;
    }
    fail_internal("an expression is no statement");
}

Value* Emitter::emit_binary(const Binary& node) {
    if (is_comparison(node.op) && node.a->dtype == DType::I64) {
        const Index a = index(node.a);
        return compare(node.op, a, index(node.b));
    }
    if (node.op == BinaryOp::And || node.op == BinaryOp::Or) return emit_logical(node);
    Value* a = value(node.a);
    Value* b = value(node.b);
    widen_pair(a, b);
    return arithmetic_.binary(node.op, node.a->dtype, a, b);
}

Value* Emitter::emit_logical(const Binary& node) {
    const bool conjunction = node.op == BinaryOp::And;
    Value* a = value(node.a);
    if (auto* known = llvm::dyn_cast<llvm::ConstantInt>(a)) // decides, or leaves it to the right side
        return known->isOne() == conjunction ? value(node.b) : a;
    if (!needs_guard(node.b)) {
        Value* b = value(node.b);
        widen_pair(a, b);
        return arithmetic_.binary(node.op, DType::Bool, a, b);
    }
    if (a->getType()->isVectorTy()) { // the right side for the lanes that the left leaves open
        const Lanes before = lanes_;
        lanes_.mask = both(lanes_.mask, conjunction ? a : b_.CreateNot(a));
        lanes_.prefix = 0;
        Value* b = widen(value(node.b));
        const bool failed = lanes_.failed;
        lanes_ = before;
        lanes_.failed = failed;
        Value* decided = llvm::ConstantInt::getBool(a->getType(), !conjunction);
        return conjunction ? b_.CreateSelect(a, b, decided) : b_.CreateSelect(a, decided, b);
    }
    llvm::BasicBlock *right = new_block("right"), *done = new_block("decided");
    if (conjunction)
        b_.CreateCondBr(a, right, done);
    else
        b_.CreateCondBr(a, done, right);
    llvm::BasicBlock* left_end = b_.GetInsertBlock();
    b_.SetInsertPoint(right);
    Value* b = nullptr;
    {
        const Branch here(*this);
        b = value(node.b);
    }
    llvm::BasicBlock* right_end = b_.GetInsertBlock();
    b_.CreateBr(done);
    llvm::Type* type = b->getType();
    b_.SetInsertPoint(done);
    llvm::PHINode* result = b_.CreatePHI(type, 2);
    result->addIncoming(llvm::ConstantInt::getBool(type, !conjunction), left_end);
    result->addIncoming(b, right_end);
    return result;
}

Value* Emitter::emit_call(const Call& node) {
    Value* x = value(node.args[0]);
    Value* y = node.args.size() > 1 ? value(node.args[1]) : nullptr;
    if (y) widen_pair(x, y);
    return arithmetic_.intrinsic(node.intrinsic, node.args[0]->dtype, x, y);
}

Value* Emitter::emit_select(const Select& node) {
    Value* condition = value(node.condition);
    if (auto* known = llvm::dyn_cast<llvm::ConstantInt>(condition))
        return value(known->isOne() ? node.then_value : node.else_value);
    const bool guarded = needs_guard(node.then_value) || needs_guard(node.else_value);
    if (!guarded) {
        Value* a = value(node.then_value);
        Value* b = value(node.else_value);
        widen_pair(a, b);
        if (condition->getType()->isVectorTy()) a = widen(a), b = widen(b);
        return b_.CreateSelect(condition, a, b);
    }
    if (!condition->getType()->isVectorTy()) return emit_choice(condition, node);
    const Lanes before = lanes_;
    lanes_.prefix = 0;
    lanes_.mask = both(before.mask, condition);
    Value* a = widen(value(node.then_value));
    lanes_.mask = both(before.mask, b_.CreateNot(condition));
    Value* b = widen(value(node.else_value));
    const bool failed = lanes_.failed;
    lanes_ = before;
    lanes_.failed = failed;
    return b_.CreateSelect(condition, a, b);
}

Value* Emitter::emit_choice(Value* condition, const Select& node) {
    llvm::BasicBlock *then_block = new_block("then"), *else_block = new_block("else"), *done = new_block("chosen");
    b_.CreateCondBr(condition, then_block, else_block);
    const auto branch = [&](llvm::BasicBlock* block, const Expr& expr) {
        const Branch here(*this);
        b_.SetInsertPoint(block);
        return value(expr);
    };
    Value* a = branch(then_block, node.then_value);
    then_block = b_.GetInsertBlock();
    Value* b = branch(else_block, node.else_value);
    if (a->getType()->isVectorTy()) b = widen(b);
    else_block = b_.GetInsertBlock();
    b_.CreateBr(done);
    b_.SetInsertPoint(then_block);
    if (b->getType()->isVectorTy()) a = widen(a);
    b_.CreateBr(done);
    b_.SetInsertPoint(done);
    llvm::PHINode* result = b_.CreatePHI(a->getType(), 2);
    result->addIncoming(a, then_block);
    result->addIncoming(b, else_block);
    return result;
}

bool Emitter::needs_guard(const Expr& expr) const {
    if (const Binary* node = as<Binary>(expr)) return needs_guard(node->a) || needs_guard(node->b);
    if (const Cast* node = as<Cast>(expr)) return needs_guard(node->value);
    if (const Select* node = as<Select>(expr))
        return needs_guard(node->condition) || needs_guard(node->then_value) || needs_guard(node->else_value);
    if (const Call* node = as<Call>(expr)) {
        if (lanes_.count == 0 && is_costly(node->intrinsic)) return true;
        for (const Expr& arg : node->args)
            if (needs_guard(arg)) return true;
        return false;
    }
    const Load* node = as<Load>(expr);
    if (!node) return false;
    for (std::size_t d = 0; d < node->indices.size(); ++d) {
        const std::int64_t extent = as<IntImm>(node->buffer->shape[d])->value;
        if (!expr_range(node->indices[d]).within(0, extent - 1) || needs_guard(node->indices[d])) return true;
    }
    return false;
}

} // namespace orrery::codegen
