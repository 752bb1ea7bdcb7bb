// Calls of extern functions: the boxes they are given become an array of orrery_view, the numbers one of i64.
#include "backends/llvm/emitter.hpp"

#include "backends/llvm/kernel_name.hpp"
#include "core/runtime/externs.hpp"

#include <llvm/IR/IRBuilder.h>
#include <llvm/IR/Module.h>

namespace orrery::codegen {

using namespace tensor;
using llvm::Value;

void Emitter::emit_extern(const ExternCall& call) {
    if (lanes_.count != 0) return fail_lanes(); // one call an iteration
    const runtime::ExternFunction* known = runtime::find_extern(call.symbol);
    ORRERY_ASSERT(known != nullptr, call.symbol + " is a function known here");
    llvm::Type* word = b_.getInt64Ty();
    auto* view_type = llvm::StructType::get(b_.getContext(), {b_.getPtrTy(), b_.getPtrTy(), b_.getPtrTy(), word});
    std::int64_t words = 0;
    for (const runtime::ExternFunction::Box& box : known->boxes)
        words += 2 * static_cast<std::int64_t>(box.extents.size());
    llvm::AllocaInst* views = make_alloca(view_type, static_cast<std::int64_t>(known->boxes.size()), "views");
    llvm::AllocaInst* sizes = make_alloca(word, words, "sizes");
    llvm::AllocaInst* numbers = make_alloca(word, static_cast<std::int64_t>(known->numbers.size()), "numbers");
    std::uint64_t next_box = 0, next_size = 0, next_number = 0;
    const auto put = [&](Value* value, std::uint64_t field) {
        Value* view = b_.CreateConstInBoundsGEP1_64(view_type, views, next_box);
        b_.CreateStore(value, b_.CreateStructGEP(view_type, view, static_cast<unsigned>(field)));
    };
    for (const ExternCall::Operand& operand : call.operands) {
        if (operand.number != nullptr) {
            b_.CreateStore(scalar(index(operand.number)), b_.CreateConstInBoundsGEP1_64(word, numbers, next_number++));
            continue;
        }
        const Region& box = operand.region;
        const Access access = locate(box.buffer, box.min);
        if (options_.bounds_checks) {
            std::vector<Index> last;
            for (std::size_t d = 0; d < box.min.size(); ++d)
                last.push_back(plus(plus(index(box.min[d]), index(box.extent[d])), constant_index(-1)));
            check_bounds(access.place, last);
        }
        const std::size_t rank = known->boxes[next_box].extents.size(), lead = box.min.size() - rank;
        put(address(access, access.flat), 0);
        for (std::size_t field = 1; field <= 2; ++field) {
            put(b_.CreateConstInBoundsGEP1_64(word, sizes, next_size), field);
            for (std::size_t d = lead; d < box.min.size(); ++d) {
                const Index size = field == 1 ? index(box.extent[d]) : constant_index(access.place.strides[d]);
                b_.CreateStore(scalar(size), b_.CreateConstInBoundsGEP1_64(word, sizes, next_size++));
            }
        }
        put(b_.getInt64(rank), 3);
        ++next_box;
    }
    auto* type = llvm::FunctionType::get(b_.getVoidTy(), {b_.getPtrTy(), b_.getPtrTy()}, false);
    llvm::FunctionCallee function = module_.getOrInsertFunction(extern_symbol(call.symbol), type);
    if (auto* declared = llvm::dyn_cast<llvm::Function>(function.getCallee())) declared->setDoesNotThrow();
    b_.CreateCall(function, {views, numbers});
}

} // namespace orrery::codegen
