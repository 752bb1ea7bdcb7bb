// Loads and stores: scalar, contiguous, strided and gathered, under the mask of the lanes.
#include "backends/llvm/emitter.hpp"

#include "core/tensor/build.hpp"

#include <llvm/IR/IRBuilder.h>

#include <bit>
#include <numeric>

namespace orrery::codegen {

using namespace tensor;
using llvm::Value;

namespace {

/// Strides up to this are loaded as whole vectors and shuffled.
constexpr std::int64_t kMaxShuffledStride = 4;

int bytes_of(const Buffer& buffer) { return byte_size(buffer->dtype); }

} // namespace

Emitter::Access Emitter::locate(const Buffer& buffer, const std::vector<Expr>& indices) {
    const auto found = frame_.places.find(buffer.get());
    ORRERY_ASSERT(found != frame_.places.end(), buffer->name + " is allocated where it is used");
    const Place& place = found->second;
    std::vector<Index> at;
    at.reserve(indices.size());
    for (const Expr& expr : indices) at.push_back(index(expr));
    if (options_.bounds_checks) check_bounds(place, at);
    Access access{buffer, place, Index(), true};
    for (std::size_t d = 0; d < at.size(); ++d) {
        access.inside = access.inside && range(at[d]).within(0, place.shape[d] - 1);
        access.flat = plus(access.flat, at[d], place.strides[d]);
    }
    if (place.copies != 0) {
        access.flat = plus(Index(), access.flat, place.copies);
        access.flat.lane += 1;
    }
    return access;
}

void Emitter::emit_prefetch(const Prefetch& node) {
    const Place& place = frame_.places.at(node.buffer.get());
    Index flat;
    for (std::size_t d = 0; d < node.indices.size(); ++d) flat = plus(flat, index(node.indices[d]), place.strides[d]);
    if (!flat.is_uniform()) return;                             // lanes want several lines: none is fetched
    constexpr std::uint64_t kRead = 0, kNearest = 3, kData = 1; // operands of llvm.prefetch
    Value* at = address({node.buffer, place, flat}, flat, false);
    b_.CreateIntrinsic(llvm::Intrinsic::prefetch, {at->getType()},
                       {at, b_.getInt32(kRead), b_.getInt32(kNearest), b_.getInt32(kData)});
}

void Emitter::check_bounds(const Place& place, const std::vector<Index>& indices) {
    Value* outside = nullptr;
    for (std::size_t d = 0; d < indices.size(); ++d) {
        if (range(indices[d]).within(0, place.shape[d] - 1)) continue;
        Value* at = materialize(indices[d]);
        Value* last = llvm::ConstantInt::get(at->getType(), static_cast<std::uint64_t>(place.shape[d] - 1), true);
        Value* beyond = place.shape[d] == 0 ? llvm::ConstantInt::getTrue(b_.getContext()) : b_.CreateICmpUGT(at, last);
        if (outside) widen_pair(outside, beyond);
        outside = outside ? b_.CreateOr(outside, beyond) : beyond;
    }
    if (!outside) return;
    if (lanes_.mask) outside = both(lanes_.mask, outside);
    if (outside->getType()->isVectorTy()) outside = b_.CreateOrReduce(outside);
    if (!frame_.trap) {
        const llvm::IRBuilderBase::InsertPointGuard guard(b_);
        frame_.trap = new_block("outside");
        b_.SetInsertPoint(frame_.trap);
        b_.CreateIntrinsic(llvm::Intrinsic::trap, {}, {});
        b_.CreateUnreachable();
    }
    llvm::BasicBlock* inside = new_block("inside");
    b_.CreateCondBr(outside, frame_.trap, inside);
    b_.SetInsertPoint(inside);
}

llvm::Type* Emitter::element(const Access& access) const { return memory_type(b_.getContext(), access.buffer->dtype); }

Value* Emitter::address(const Access& access, const Index& flat, bool inside) {
    // The constant part on its own: it becomes the displacement of an instruction, and the rest is shared.
    Index moving = flat.scalar_part();
    moving.constant = 0;
    Value* pointer = pointer_of(access.place);
    const auto step = [&](Value* offset) {
        pointer = inside ? b_.CreateInBoundsGEP(element(access), pointer, offset)
                         : b_.CreateGEP(element(access), pointer, offset);
    };
    // The moving part alone may lie before the buffer: then neither step is inbounds.
    inside = inside && (flat.constant == 0 || range_of(moving, 1).lo >= 0);
    if (!moving.is_constant()) step(scalar(moving, inside));
    if (flat.constant != 0) step(b_.getInt64(static_cast<std::uint64_t>(flat.constant)));
    return pointer;
}

Value* Emitter::lane_addresses(const Access& access) {
    Value* offsets = access.flat.lanes;
    if (access.flat.lane != 0)
        offsets = offsets ? b_.CreateAdd(offsets, lane_numbers(access.flat.lane)) : lane_numbers(access.flat.lane);
    // The scalar part may lie outside while every active lane is inside.
    return b_.CreateGEP(element(access), address(access, access.flat, false), offsets);
}

unsigned Emitter::alignment(const Access& access, const Index& flat) const {
    return static_cast<unsigned>(
        std::max<std::int64_t>(alignment_of(flat, bytes_of(access.buffer)), bytes_of(access.buffer)));
}

/// Longer with undefined lanes, or shorter.
Value* Emitter::resize(Value* vector, unsigned count) {
    llvm::SmallVector<int, 64> lanes(count, -1);
    const unsigned old = llvm::cast<llvm::FixedVectorType>(vector->getType())->getNumElements();
    std::iota(lanes.begin(), lanes.begin() + std::min(count, old), 0);
    return b_.CreateShuffleVector(vector, lanes);
}

// ------------------------------------------------------------------------------------------- loads

Value* Emitter::load(const Load& node) {
    if (lanes_.count > 1)
        if (Value* v = load_across_blocks(node)) return v;
    const Access access = locate(node.buffer, node.indices);
    if (access.flat.is_uniform()) return load_uniform(access);
    const auto type = llvm::FixedVectorType::get(element(access), static_cast<unsigned>(lanes_.count));
    if (lanes_.failed)
        return llvm::PoisonValue::get(llvm::FixedVectorType::get(
            bits_ ? element(access) : register_type(b_.getContext(), node.dtype), static_cast<unsigned>(lanes_.count)));
    const std::int64_t stride = access.flat.lanes ? 0 : access.flat.lane;
    Value* v = nullptr;
    if (stride == 1)
        v = load_contiguous(access);
    else if (stride != 0 && (may_skip_mask(access) || lanes_.prefix != 0))
        v = load_strided(access);
    else
        v = load_gathered(access);
    ORRERY_ASSERT(v->getType() == type, "a vector load has a value a lane");
    return bits_ ? v : arithmetic_.from_memory(node.dtype, v);
}

/// Neighbours along a split axis (`x[.., e // 16, .., e % 16]`), of which the first ones end a block and the others
/// start the next: a vector of each, and what stands across both. Null where lanes are no such, or under a mask.
Value* Emitter::load_across_blocks(const Load& node) {
    const Binary* rest = node.indices.empty() ? nullptr : as<Binary>(node.indices.back());
    const std::optional<std::int64_t> block = rest && rest->op == BinaryOp::FloorMod ? as_int(rest->b) : std::nullopt;
    const std::optional<Index> whole = block ? known_sum(rest->a) : std::nullopt;
    const std::optional<std::int64_t> place = whole && *block > 0 ? place_in_block(*whole, *block) : std::nullopt;
    if (!place || lanes_.count > *block || *place + lanes_.count <= *block || lanes_.failed) return nullptr;
    const Lanes before = lanes_;
    std::vector<Value*> parts;
    for (const std::int64_t part : {0, 1}) {
        lanes_ = before;
        lanes_.block = *block;
        lanes_.place = *place;
        lanes_.part = part;
        const Access access = locate(node.buffer, node.indices);
        lanes_ = before;
        if (!may_skip_mask(access) || access.flat.lanes || access.flat.lane != 1) return nullptr;
        parts.push_back(load_contiguous(access));
    }
    llvm::SmallVector<int, 64> lanes(static_cast<std::size_t>(lanes_.count));
    std::iota(lanes.begin(), lanes.end(), static_cast<int>(*place + lanes_.count - *block));
    Value* v = b_.CreateShuffleVector(parts[0], parts[1], lanes);
    return bits_ ? v : arithmetic_.from_memory(node.dtype, v);
}

Value* Emitter::load_uniform(const Access& access) {
    Index flat = access.flat;
    if (!may_skip_mask(access) && lanes_.prefix == 0) { // perhaps no lane wants it: then element 0 does no harm
        Value* any = b_.CreateOrReduce(lanes_.mask);
        Value* safe = b_.CreateSelect(any, scalar(flat), b_.getInt64(0));
        flat = wrap(safe);
    }
    Value* v = b_.CreateAlignedLoad(element(access), address(access, flat), llvm::Align(alignment(access, flat)));
    return bits_ ? v : arithmetic_.from_memory(access.buffer->dtype, v);
}

Value* Emitter::load_contiguous(const Access& access) {
    const auto count = static_cast<unsigned>(lanes_.count);
    auto* type = llvm::FixedVectorType::get(element(access), count);
    const llvm::Align align(alignment(access, access.flat));
    if (may_skip_mask(access)) return b_.CreateAlignedLoad(type, address(access, access.flat), align);
    if (lanes_.prefix != 0 && (access.place.on_stack || !machine_.masked_memory)) {
        auto* part = llvm::FixedVectorType::get(element(access), static_cast<unsigned>(lanes_.prefix));
        return resize(b_.CreateAlignedLoad(part, address(access, access.flat), align), count);
    }
    Value* pointer = address(access, access.flat, false); // of lane 0, which may lie outside
    return b_.CreateMaskedLoad(type, pointer, llvm::Align(static_cast<std::uint64_t>(bytes_of(access.buffer))),
                               widen(lanes_.mask), llvm::Constant::getNullValue(type));
}

Value* Emitter::load_strided(const Access& access) {
    const std::int64_t stride = access.flat.lane, count = lanes_.count;
    const std::int64_t active = may_skip_mask(access) ? count : lanes_.prefix;
    auto* type = llvm::FixedVectorType::get(element(access), static_cast<unsigned>(count));
    const llvm::Align align(static_cast<std::uint64_t>(bytes_of(access.buffer)));
    const auto at = [&](std::int64_t element_offset) {
        return address(access, add(access.flat.scalar_part(), constant_index(element_offset)));
    };
    if (stride == -1 && active == count)
        return b_.CreateVectorReverse(b_.CreateAlignedLoad(type, at(1 - count), align));
    const bool masks = machine_.masked_memory && !access.place.on_stack;
    if (stride >= 2 && stride <= kMaxShuffledStride && (active == count || masks)) return load_shuffled(access, active);
    Value* v = llvm::PoisonValue::get(type);
    for (std::int64_t lane = 0; lane < active; ++lane)
        v = b_.CreateInsertElement(v, b_.CreateAlignedLoad(element(access), at(lane * stride), align),
                                   static_cast<std::uint64_t>(lane));
    return v;
}

/// Whole vectors over what the first `active` lanes span, then each lane from the vector that holds it. The last
/// vector is moved back so that it ends there, or masked where the others do not reach that far.
Value* Emitter::load_shuffled(const Access& access, std::int64_t active) {
    const std::int64_t stride = access.flat.lane, count = lanes_.count;
    const std::int64_t span = (active - 1) * stride + 1;
    auto* type = llvm::FixedVectorType::get(element(access), static_cast<unsigned>(count));
    const llvm::Align align(static_cast<std::uint64_t>(bytes_of(access.buffer)));
    Value* result = nullptr;
    for (std::int64_t piece = 0; piece * count < span; ++piece) {
        const std::int64_t start = span < count ? 0 : std::min(piece * count, span - count);
        Value* pointer = address(access, add(access.flat.scalar_part(), constant_index(start)));
        Value* v = nullptr;
        if (span < count)
            v = b_.CreateMaskedLoad(type, pointer, align, first_lanes(span));
        else
            v = b_.CreateAlignedLoad(type, pointer, align);
        llvm::SmallVector<int, 64> pick;
        for (std::int64_t lane = 0; lane < count; ++lane) {
            const std::int64_t position = lane * stride;
            const bool here = lane < active && position / count == piece;
            const auto from = static_cast<int>(position - start);
            if (result)
                pick.push_back(here ? static_cast<int>(count) + from : static_cast<int>(lane));
            else
                pick.push_back(here ? from : -1);
        }
        result = result ? b_.CreateShuffleVector(result, v, pick) : b_.CreateShuffleVector(v, pick);
    }
    return result;
}

Value* Emitter::load_gathered(const Access& access) {
    auto* type = llvm::FixedVectorType::get(element(access), static_cast<unsigned>(lanes_.count));
    Value* mask = may_skip_mask(access) ? nullptr : widen(lanes_.mask);
    return b_.CreateMaskedGather(type, lane_addresses(access),
                                 llvm::Align(static_cast<std::uint64_t>(bytes_of(access.buffer))), mask,
                                 mask ? llvm::Constant::getNullValue(type) : nullptr);
}

// ------------------------------------------------------------------------------------------ stores

void Emitter::store(const Access& access, Value* v) {
    if (access.flat.is_uniform()) {
        // One element for all lanes: the same value whichever lane writes it, or one iteration depends on another.
        if (v->getType()->isVectorTy() || (lanes_.mask && lanes_.prefix == 0)) return fail_lanes();
        Value* bits = bits_ ? v : arithmetic_.to_memory(access.buffer->dtype, v);
        b_.CreateAlignedStore(bits, address(access, access.flat), llvm::Align(alignment(access, access.flat)));
        return;
    }
    Value* bits = bits_ ? widen(v) : arithmetic_.to_memory(access.buffer->dtype, widen(v));
    if (!access.flat.lanes && access.flat.lane == 1)
        store_contiguous(access, bits);
    else
        store_scattered(access, bits);
}

void Emitter::store_contiguous(const Access& access, Value* v) {
    const llvm::Align align(alignment(access, access.flat));
    if (!lanes_.mask) {
        b_.CreateAlignedStore(v, address(access, access.flat), align);
        return;
    }
    if (access.place.own && access.inside) { // so that a register can stand for it: what is masked stays as it was
        Value* before = b_.CreateAlignedLoad(v->getType(), address(access, access.flat), align);
        b_.CreateAlignedStore(b_.CreateSelect(widen(lanes_.mask), v, before), address(access, access.flat), align);
        return;
    }
    if (lanes_.prefix != 0 && (access.place.on_stack || !machine_.masked_memory)) {
        if (access.place.copies == 0) v = resize(v, static_cast<unsigned>(lanes_.prefix));
        b_.CreateAlignedStore(v, address(access, access.flat), align);
        return;
    }
    Value* pointer = address(access, access.flat, false);
    b_.CreateMaskedStore(v, pointer, llvm::Align(static_cast<std::uint64_t>(bytes_of(access.buffer))),
                         widen(lanes_.mask));
}

/// Lanes a few elements apart: one vector with the others masked.
void Emitter::store_spread(const Access& access, Value* v) {
    const std::int64_t span = (lanes_.count - 1) * access.flat.lane + 1;
    llvm::SmallVector<int, 64> pick;
    llvm::SmallVector<llvm::Constant*, 64> mask;
    for (std::int64_t at = 0; at < span; ++at) {
        const bool here = at % access.flat.lane == 0;
        pick.push_back(here ? static_cast<int>(at / access.flat.lane) : -1);
        mask.push_back(b_.getInt1(here));
    }
    b_.CreateMaskedStore(b_.CreateShuffleVector(v, pick), address(access, access.flat.scalar_part()),
                         llvm::Align(static_cast<std::uint64_t>(bytes_of(access.buffer))),
                         llvm::ConstantVector::get(mask));
}

void Emitter::store_scattered(const Access& access, Value* v) {
    const llvm::Align align(static_cast<std::uint64_t>(bytes_of(access.buffer)));
    if (access.flat.lanes || lanes_.mask) { // lanes in order, as the loop would
        Value* mask = lanes_.mask ? widen(lanes_.mask) : nullptr;
        b_.CreateMaskedScatter(v, lane_addresses(access), align, mask);
        return;
    }
    constexpr int kMasked = 512; // bits of registers whose elements of any size are stored under masks
    if (const std::int64_t stride = access.flat.lane; stride >= 2 && stride <= kMaxShuffledStride &&
                                                      machine_.masked_memory && machine_.vector_bits >= kMasked &&
                                                      !access.place.on_stack)
        return store_spread(access, v);
    for (std::int64_t lane = 0; lane < lanes_.count; ++lane) {
        const Index flat = add(access.flat.scalar_part(), constant_index(lane * access.flat.lane));
        b_.CreateAlignedStore(b_.CreateExtractElement(v, static_cast<std::uint64_t>(lane)), address(access, flat),
                              align);
    }
}

} // namespace orrery::codegen
