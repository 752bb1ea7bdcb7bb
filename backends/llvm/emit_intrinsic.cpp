// Blocks that stand for a hardware instruction: emitted as that where the machine has it, as their description
// elsewhere.
#include "backends/llvm/emitter.hpp"

#include "core/schedule/intrinsics.hpp"
#include "core/tensor/build.hpp"

#include <llvm/IR/IRBuilder.h>
#include <llvm/IR/Intrinsics.h>
#include <llvm/IR/Module.h>

#include <algorithm>
#include <charconv>

namespace orrery::codegen {

using namespace tensor;
using llvm::Value;

namespace {

/// "i32x16" as a vector, "i32" as a scalar; null for what is neither.
llvm::Type* type_of(llvm::LLVMContext& context, std::string_view text) {
    const std::size_t times = text.find('x');
    const std::optional<DType> dtype = parse_dtype(text.substr(0, times));
    if (!dtype || *dtype == DType::Bool) return nullptr;
    llvm::Type* element = memory_type(context, *dtype);
    if (times == std::string_view::npos) return element;
    unsigned count = 0;
    const std::string_view digits = text.substr(times + 1);
    const auto [end, code] = std::from_chars(digits.data(), digits.data() + digits.size(), count);
    if (code != std::errc{} || end != digits.data() + digits.size() || count < 1 || count > 1024) return nullptr;
    return llvm::FixedVectorType::get(element, count);
}

/// All of a parameter of the description as one vector: the value of a call that does not read its result. Null when it
/// is too large for one.
llvm::Type* whole_of(llvm::LLVMContext& context, const Program& description, const std::string& param) {
    for (const Buffer& buffer : description->params) {
        if (buffer->name != param) continue;
        std::int64_t count = 1;
        for (const Expr& extent : buffer->shape) count *= std::clamp<std::int64_t>(as_int(extent).value_or(0), 0, 4096);
        if (count < 1 || count > 1024 || buffer->dtype == DType::Bool) return nullptr;
        return llvm::FixedVectorType::get(memory_type(context, buffer->dtype), static_cast<unsigned>(count));
    }
    return nullptr;
}

/// The intrinsic, when LLVM has it with that type.
llvm::Function* declared(llvm::Module& module, const std::string& name, llvm::FunctionType* type) {
    const llvm::Intrinsic::ID id = llvm::Function::lookupIntrinsicID(name);
    if (id == llvm::Intrinsic::not_intrinsic) return nullptr;
    llvm::SmallVector<llvm::Intrinsic::IITDescriptor, 8> table;
    llvm::Intrinsic::getIntrinsicInfoTableEntries(id, table);
    llvm::ArrayRef<llvm::Intrinsic::IITDescriptor> left = table;
    llvm::SmallVector<llvm::Type*, 4> overloads;
    if (llvm::Intrinsic::matchIntrinsicSignature(type, left, overloads) != llvm::Intrinsic::MatchIntrinsicTypes_Match ||
        llvm::Intrinsic::matchIntrinsicVarArg(false, left))
        return nullptr;
    return llvm::Intrinsic::getDeclaration(&module, id, overloads);
}

/// The call with the buffers of the block in place of the description's parameters.
Stmt placed(const schedule::TensorIntrinsic& intrinsic, const schedule::IntrinsicMatch& match) {
    const ExternCall& call = *as<ExternCall>(intrinsic.implementation->body);
    std::vector<ExternCall::Operand> operands = call.operands;
    for (ExternCall::Operand& operand : operands) {
        if (operand.number != nullptr) continue;
        const schedule::IntrinsicMatch::Place& place = match.params.at(operand.region.buffer->name);
        Region box{place.buffer, place.corner, std::vector<Expr>(place.corner.size(), imm(1))};
        const std::size_t lead = place.corner.size() - operand.region.min.size();
        for (std::size_t d = lead; d < box.min.size(); ++d) {
            box.min[d] = box.min[d] + operand.region.min[d - lead];
            box.extent[d] = operand.region.extent[d - lead];
        }
        operand.region = std::move(box);
    }
    return ExternCall::make(call.symbol, std::move(operands));
}

} // namespace

bool Emitter::emit_intrinsic(const Block& block) {
    const auto note = block.fields.annotations.find("tensorize");
    if (note == block.fields.annotations.end() || lanes_.count != 0) return false;
    if (emit_tiles(block)) return true;
    if (!machine_.intrinsics.contains(note->second)) return false;
    const auto intrinsic = schedule::find_intrinsic(note->second);
    if (!intrinsic || (intrinsic->llvm_name.empty() && !intrinsic->implementation)) return false;
    const Result<schedule::IntrinsicMatch> match = schedule::match_intrinsic(block, *intrinsic);
    if (!match) return false; // it was scheduled further: what it says is compiled as it stands
    if (intrinsic->implementation) {
        emit_extern(*as<ExternCall>(placed(*intrinsic, *match)));
        return true;
    }
    llvm::LLVMContext& context = b_.getContext();
    std::vector<llvm::Type*> types;
    llvm::Type* result = nullptr;
    for (const schedule::IntrinsicOperand& operand : intrinsic->operands) {
        types.push_back(type_of(context, operand.type));
        llvm::Type* scalar = operand.splat.empty() ? nullptr : type_of(context, operand.splat);
        const bool whole =
            types.back() && types.back()->isVectorTy() &&
            (!scalar ||
             (!scalar->isVectorTy() && types.back()->getPrimitiveSizeInBits() % scalar->getPrimitiveSizeInBits() == 0));
        if (!whole || (!operand.splat.empty() && !scalar)) return false;
        if (operand.param == intrinsic->result) result = types.back();
    }
    if (!result) result = whole_of(context, intrinsic->description, intrinsic->result);
    if (!result) return false;
    llvm::Function* function = declared(module_, intrinsic->llvm_name, llvm::FunctionType::get(result, types, false));
    if (!function) return false;
    const auto pointer_to = [&](const std::string& param) {
        const schedule::IntrinsicMatch::Place& place = match->params.at(param);
        const Access access = locate(place.buffer, place.corner);
        return address(access, access.flat);
    };
    std::vector<Value*> values;
    for (std::size_t i = 0; i < intrinsic->operands.size(); ++i) {
        const schedule::IntrinsicOperand& operand = intrinsic->operands[i];
        const llvm::Align align(1); // elements may be bytes
        Value* pointer = pointer_to(operand.param);
        if (operand.splat.empty()) {
            values.push_back(b_.CreateAlignedLoad(types[i], pointer, align));
            continue;
        }
        llvm::Type* scalar = type_of(context, operand.splat);
        const auto lanes = static_cast<unsigned>(types[i]->getPrimitiveSizeInBits() / scalar->getPrimitiveSizeInBits());
        Value* filled = b_.CreateVectorSplat(lanes, b_.CreateAlignedLoad(scalar, pointer, align));
        values.push_back(b_.CreateBitCast(filled, types[i]));
    }
    b_.CreateAlignedStore(b_.CreateCall(function, values), pointer_to(intrinsic->result), llvm::Align(1));
    return true;
}

} // namespace orrery::codegen
