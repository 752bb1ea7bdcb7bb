// Indices: how i64 expressions become sums, and sums become IR.
#include "backends/llvm/emitter.hpp"

#include <llvm/IR/IRBuilder.h>

#include <algorithm>

namespace orrery::codegen {

using namespace tensor;
using llvm::Value;

namespace {

constexpr std::int64_t kInt32 = std::numeric_limits<std::int32_t>::max();

/// Ranges whose differences cannot overflow.
bool is_small(const Range& r) {
    constexpr std::int64_t kQuarter = std::int64_t(1) << 62;
    return r.within(-kQuarter, kQuarter);
}

Range range_of_dtype(DType dtype) {
    if (is_float(dtype) || dtype == DType::I64 || dtype == DType::U64) return {};
    const int bits = bit_width(dtype);
    if (dtype == DType::Bool) return {0, 1};
    if (is_signed_int(dtype)) return {-(std::int64_t(1) << (bits - 1)), (std::int64_t(1) << (bits - 1)) - 1};
    return {0, (std::int64_t(1) << bits) - 1};
}

/// Equal to the sum modulo `divisor`: remainders by multiples of it stand as what they were taken of.
Index opened(const Index& sum, std::int64_t divisor) {
    for (const Index::Term& term : sum.terms) {
        const Remainder* of = term.atom->remainder;
        if (!of || of->divisor % divisor != 0 || of->divisor > kInt32 || std::abs(term.scale) > kInt32) continue;
        Index out = sum;
        std::erase_if(out.terms, [&](const Index::Term& other) { return other.atom == term.atom; });
        const Index whole = add(of->whole, atom_index(*of->quotient), -of->divisor);
        return opened(add(out, whole, term.scale), divisor);
    }
    return sum;
}

Range quotient_range(const Range& a, std::int64_t divisor) {
    return {floor_quotient(a.lo, divisor), floor_quotient(a.hi, divisor)};
}

/// Whether `op` holds for every difference a - b in the range, or for none.
std::optional<bool> decide(BinaryOp op, const Range& d) {
    switch (op) {
    case BinaryOp::Lt: return d.hi < 0 ? std::optional(true) : d.lo >= 0 ? std::optional(false) : std::nullopt;
    case BinaryOp::Le: return d.hi <= 0 ? std::optional(true) : d.lo > 0 ? std::optional(false) : std::nullopt;
    case BinaryOp::Gt: return d.lo > 0 ? std::optional(true) : d.hi <= 0 ? std::optional(false) : std::nullopt;
    case BinaryOp::Ge: return d.lo >= 0 ? std::optional(true) : d.hi < 0 ? std::optional(false) : std::nullopt;
    case BinaryOp::Eq:
    case BinaryOp::Ne: {
        const bool equal = op == BinaryOp::Eq;
        if (d.lo == 0 && d.hi == 0) return equal;
        if (d.lo > 0 || d.hi < 0) return !equal;
        return std::nullopt;
    }
    default: fail_internal("decide is given a comparison");
    }
}

} // namespace

Range Emitter::range(const Index& i) const { return range_of(i, std::max(lanes_.count, 1)); }

const Atom& Emitter::make_atom(Value* v, Range range) {
    return atoms_.emplace_back(Atom{v, range, static_cast<int>(atoms_.size())});
}

Index Emitter::wrap(Value* v, Range range) {
    if (auto* number = llvm::dyn_cast<llvm::ConstantInt>(v)) return constant_index(number->getSExtValue());
    if (!v->getType()->isVectorTy()) return atom_index(make_atom(v, range));
    Index out;
    out.lanes = v;
    out.lanes_range = range;
    return out;
}

Index Emitter::plus(const Index& a, const Index& b, std::int64_t scale) {
    if (!b.lanes || (!a.lanes && scale == 1)) return add(a, b, scale);
    Index rest_a = a, rest_b = b; // vectors are added as IR, the rest as sums
    rest_a.lanes = rest_b.lanes = nullptr;
    Value* lanes = b_.CreateMul(b.lanes, llvm::ConstantInt::get(b.lanes->getType(), static_cast<std::uint64_t>(scale)));
    if (a.lanes) lanes = b_.CreateAdd(a.lanes, lanes);
    rest_a.lanes_range = rest_b.lanes_range = {0, 0};
    Index out = add(rest_a, rest_b, scale);
    out.lanes = lanes;
    out.lanes_range = (a.lanes ? a.lanes_range : Range{0, 0}) + b.lanes_range * scale;
    return out;
}

// ------------------------------------------------------------------------------- from expressions

Index Emitter::index(const Expr& expr) {
    if (const IntImm* number = as<IntImm>(expr)) return constant_index(number->value);
    if (const Var* var = as<Var>(expr)) {
        const auto found = frame_.vars.find(var);
        ORRERY_ASSERT(found != frame_.vars.end(), var->name + " is bound where it is used");
        return found->second.index;
    }
    if (const Binary* node = as<Binary>(expr)) return index_binary(*node);
    if (const Cast* node = as<Cast>(expr))
        return wrap(arithmetic_.cast(DType::I64, node->value->dtype, value(node->value)),
                    range_of_dtype(node->value->dtype));
    if (const Load* node = as<Load>(expr)) return wrap(load(*node));
    if (const Call* node = as<Call>(expr)) {
        if (node->intrinsic == Intrinsic::Neg) return plus(Index(), index(node->args[0]), -1);
        return wrap(emit_call(*node));
    }
    const Select* node = as<Select>(expr);
    ORRERY_ASSERT(node != nullptr, "an i64 expression is one of the kinds above");
    return wrap(emit_select(*node), expr_range(expr));
}

Index Emitter::index_binary(const Binary& node) {
    if (node.op == BinaryOp::Add || node.op == BinaryOp::Sub) {
        const Index a = index(node.a); // in order: operands may emit code
        return plus(a, index(node.b), node.op == BinaryOp::Add ? 1 : -1);
    }
    Index a = index(node.a), b = index(node.b);
    switch (node.op) {
    case BinaryOp::Mul:
        if (a.is_constant()) std::swap(a, b);
        if (b.is_constant()) return plus(Index(), a, b.constant);
        break;
    case BinaryOp::Div:
    case BinaryOp::Rem:
    case BinaryOp::FloorDiv:
    case BinaryOp::FloorMod: return index_division(node.op, a, b);
    case BinaryOp::Min:
    case BinaryOp::Max: return index_extreme(node.op, a, b);
    default: break;
    }
    Value *x = materialize(a), *y = materialize(b);
    widen_pair(x, y);
    Range result;
    if (node.op == BinaryOp::Mul) {
        const Range ra = range(a), rb = range(b);
        result = hull(ra * rb.lo, ra * rb.hi);
    }
    return wrap(arithmetic_.binary(node.op, DType::I64, x, y), result);
}

Index Emitter::index_division(BinaryOp op, const Index& a, const Index& b) {
    const bool wants_remainder = op == BinaryOp::Rem || op == BinaryOp::FloorMod;
    const bool floored = op == BinaryOp::FloorDiv || op == BinaryOp::FloorMod;
    const Range ra = range(a);
    if (b.is_constant() && b.constant > 0 && (floored || ra.lo >= 0)) {
        const std::int64_t d = b.constant;
        const Range mod_range = ra.within(0, d - 1) ? ra : Range{0, d - 1};
        const Range result = wants_remainder ? mod_range : quotient_range(ra, d);
        std::optional<Division> parts = divide(a, d, std::max(lanes_.count, 1));
        if (!parts) parts = division_in_part(a, d);
        if (parts) {
            Index out = wants_remainder ? parts->remainder : parts->quotient;
            if (!parts->pending) return out;
            const KnownDivision known = division(*parts->pending, d);
            return plus(out, wants_remainder ? known.remainder : known.quotient);
        }
        if (ra.within(0, kInt32) && d <= kInt32) { // 32-bit vectors divide in far fewer instructions
            llvm::Type* wide = llvm::FixedVectorType::get(b_.getInt64Ty(), static_cast<unsigned>(lanes_.count));
            llvm::Type* narrow = llvm::FixedVectorType::get(b_.getInt32Ty(), static_cast<unsigned>(lanes_.count));
            Value* x = b_.CreateTrunc(materialize(a), narrow);
            Value* y = llvm::ConstantInt::get(narrow, static_cast<std::uint64_t>(d));
            return wrap(b_.CreateZExt(wants_remainder ? b_.CreateURem(x, y) : b_.CreateUDiv(x, y), wide), result);
        }
        Value *x = materialize(a), *y = materialize(b);
        widen_pair(x, y);
        return wrap(arithmetic_.binary(op, DType::I64, x, y), result);
    }
    Value *x = materialize(a), *y = materialize(b);
    widen_pair(x, y);
    return wrap(arithmetic_.binary(op, DType::I64, x, y));
}

/// The division of what goes through two blocks with the lanes, as the one of them that is looked at has it: its end
/// for the first, its start for the second.
std::optional<Division> Emitter::division_in_part(const Index& whole, std::int64_t divisor) const {
    const std::optional<std::int64_t> place = lanes_.block == divisor ? place_in_block(whole, divisor) : std::nullopt;
    if (place != lanes_.place) return std::nullopt;
    Index block = whole.scalar_part();
    block.constant -= *place;
    Division out = *divide(block, divisor, lanes_.count);
    out.quotient.constant += lanes_.part;
    out.remainder = constant_index(lanes_.part == 0 ? divisor - lanes_.count : 0);
    out.remainder.lane = 1;
    return out;
}

Emitter::KnownDivision Emitter::division(const Index& whole, std::int64_t divisor) {
    constexpr std::size_t kMostKept = 1024; // our choice: they are looked through one by one
    for (const KnownDivision& known : frame_.divisions) {
        if (known.divisor != divisor) continue;
        // What is a multiple of the divisor larger has the same remainder: sums are written modulo it.
        Index apart = add(opened(whole, divisor), opened(known.whole, divisor), -1);
        if (apart.lane != 0 || apart.lanes || apart.constant % divisor != 0 ||
            !std::ranges::all_of(apart.terms, [&](const Index::Term& term) { return term.scale % divisor == 0; }))
            continue;
        apart.constant /= divisor;
        for (Index::Term& term : apart.terms) term.scale /= divisor;
        return {whole, divisor, add(known.quotient, apart), known.remainder};
    }
    const Range range = range_of(whole, 1);
    Value* x = scalar(whole);
    Value* y = b_.getInt64(static_cast<std::uint64_t>(divisor));
    const bool natural = range.lo >= 0;
    Value* quotient = natural ? b_.CreateUDiv(x, y) : arithmetic_.binary(BinaryOp::FloorDiv, DType::I64, x, y);
    Value* rest = natural ? b_.CreateURem(x, y) : arithmetic_.binary(BinaryOp::FloorMod, DType::I64, x, y);
    KnownDivision made{whole, divisor, wrap(quotient, quotient_range(range, divisor)), wrap(rest, {0, divisor - 1})};
    if (made.quotient.is_constant() || made.remainder.is_constant()) return made;
    const Atom* of = made.quotient.terms.front().atom;
    atoms_.back().remainder = &remainders_.emplace_back(Remainder{whole, divisor, of});
    if (frame_.divisions.size() < kMostKept) frame_.divisions.push_back(made);
    return made;
}

void Emitter::forget(std::size_t divisions, std::size_t extremes) {
    frame_.divisions.erase(frame_.divisions.begin() + static_cast<std::ptrdiff_t>(divisions), frame_.divisions.end());
    frame_.extremes.erase(frame_.extremes.begin() + static_cast<std::ptrdiff_t>(extremes), frame_.extremes.end());
}

Index Emitter::index_extreme(BinaryOp op, const Index& a, const Index& b) {
    const bool least = op == BinaryOp::Min;
    const Range ra = range(a), rb = range(b);
    if (is_small(ra) && is_small(rb) && !a.lanes && !b.lanes) {
        const Range d = range(add(a, b, -1));
        if (d.hi <= 0) return least ? a : b;
        if (d.lo >= 0) return least ? b : a;
    }
    for (const KnownExtreme& known : frame_.extremes)
        if (known.op == op && same(known.a, a) && same(known.b, b)) return known.result;
    Value *x = materialize(a), *y = materialize(b);
    widen_pair(x, y);
    const Range result = least ? Range{std::min(ra.lo, rb.lo), std::min(ra.hi, rb.hi)}
                               : Range{std::max(ra.lo, rb.lo), std::max(ra.hi, rb.hi)};
    const Index made = wrap(arithmetic_.binary(op, DType::I64, x, y), result);
    if (made.is_uniform()) frame_.extremes.push_back({op, a, b, made});
    return made;
}

Value* Emitter::compare(BinaryOp op, const Index& a, const Index& b) {
    const Range ra = range(a), rb = range(b);
    if (is_small(ra) && is_small(rb) && !a.lanes && !b.lanes) {
        const Index d = add(a, b, -1);
        const Range rd = range(d);
        if (const std::optional<bool> known = decide(op, rd)) return b_.getInt1(*known);
        if (d.lane != 0) { // lane * k op -(uniform part), in 32 bits where they suffice
            const Index uniform = scaled(d.scalar_part(), -1);
            const bool narrow =
                range(uniform).within(-kInt32, kInt32) && (Range{0, lanes_.count} * d.lane).within(-kInt32, kInt32);
            Value* bound = scalar(uniform);
            if (narrow) bound = b_.CreateTrunc(bound, b_.getInt32Ty());
            return arithmetic_.binary(op, DType::I64, lane_numbers(d.lane, narrow ? 32 : 64), widen(bound));
        }
        return arithmetic_.binary(op, DType::I64, scalar(add(a.scalar_part(), constant_index(0))),
                                  scalar(b.scalar_part()));
    }
    Value *x = materialize(a), *y = materialize(b);
    widen_pair(x, y);
    return arithmetic_.binary(op, DType::I64, x, y);
}

// ------------------------------------------------------------------------------- to IR

Value* Emitter::scalar(const Index& i, bool address) {
    Value* sum = nullptr;
    for (const Index::Term& term : i.terms) { // outer loops first, so that their part can be kept
        Value* v = term.atom->value;
        if (term.scale != 1)
            v = b_.CreateMul(v, b_.getInt64(static_cast<std::uint64_t>(term.scale)), "", false, address);
        sum = sum ? b_.CreateAdd(sum, v, "", false, address) : v;
    }
    if (!sum) return b_.getInt64(static_cast<std::uint64_t>(i.constant));
    if (i.constant == 0) return sum;
    return b_.CreateAdd(sum, b_.getInt64(static_cast<std::uint64_t>(i.constant)), "", false, address);
}

Value* Emitter::lane_numbers(std::int64_t scale, unsigned bits) {
    llvm::SmallVector<llvm::Constant*, 64> numbers;
    for (int lane = 0; lane < lanes_.count; ++lane)
        numbers.push_back(llvm::ConstantInt::get(b_.getIntNTy(bits), static_cast<std::uint64_t>(scale * lane), true));
    return llvm::ConstantVector::get(numbers);
}

Value* Emitter::first_lanes(std::int64_t active) {
    llvm::SmallVector<llvm::Constant*, 64> lanes;
    for (int lane = 0; lane < lanes_.count; ++lane) lanes.push_back(b_.getInt1(lane < active));
    return llvm::ConstantVector::get(lanes);
}

Value* Emitter::materialize(const Index& i) {
    if (i.is_uniform()) return scalar(i);
    Value* v = i.lanes;
    if (i.lane != 0) v = v ? b_.CreateAdd(v, lane_numbers(i.lane)) : lane_numbers(i.lane);
    const Index rest = i.scalar_part();
    if (rest.is_constant() && rest.constant == 0) return v;
    return b_.CreateAdd(widen(scalar(rest)), v);
}

Value* Emitter::widen(Value* v) {
    if (v->getType()->isVectorTy()) return v;
    return b_.CreateVectorSplat(static_cast<unsigned>(lanes_.count), v);
}

void Emitter::widen_pair(Value*& a, Value*& b) {
    if (a->getType()->isVectorTy() || b->getType()->isVectorTy()) {
        a = widen(a);
        b = widen(b);
    }
}

Value* Emitter::both(Value* a, Value* b) {
    if (!a || !b) return a ? a : b;
    widen_pair(a, b);
    return b_.CreateAnd(a, b);
}

// ------------------------------------------------------------------------------- without code

Range Emitter::expr_range(const Expr& expr) const {
    if (const IntImm* number = as<IntImm>(expr)) return {number->value, number->value};
    if (const Var* var = as<Var>(expr)) {
        const auto found = frame_.vars.find(var);
        return found == frame_.vars.end() ? Range() : range(found->second.index);
    }
    if (const Cast* node = as<Cast>(expr)) return range_of_dtype(node->value->dtype);
    if (const Select* node = as<Select>(expr)) return hull(expr_range(node->then_value), expr_range(node->else_value));
    const Binary* node = as<Binary>(expr);
    if (!node || node->dtype != DType::I64) return {};
    if (const std::optional<Index> sum = known_sum(expr)) return range(*sum); // where equal parts have gone
    const Range a = expr_range(node->a), b = expr_range(node->b);
    const bool fixed = b.lo == b.hi;
    switch (node->op) {
    case BinaryOp::Add: return a + b;
    case BinaryOp::Sub: return a + b * -1;
    case BinaryOp::Mul: return fixed ? a * b.lo : hull(a * b.lo, a * b.hi);
    case BinaryOp::FloorDiv: return fixed && b.lo > 0 ? quotient_range(a, b.lo) : Range();
    case BinaryOp::FloorMod: return fixed && b.lo > 0 ? (a.within(0, b.lo - 1) ? a : Range{0, b.lo - 1}) : Range();
    case BinaryOp::Min: return {std::min(a.lo, b.lo), std::min(a.hi, b.hi)};
    case BinaryOp::Max: return {std::max(a.lo, b.lo), std::max(a.hi, b.hi)};
    default: return {};
    }
}

std::optional<Index> Emitter::known_sum(const Expr& expr) const {
    if (const IntImm* number = as<IntImm>(expr)) return constant_index(number->value);
    if (const Var* var = as<Var>(expr)) {
        const auto found = frame_.vars.find(var);
        if (found == frame_.vars.end() || found->second.index.lanes) return std::nullopt;
        return found->second.index;
    }
    const Binary* node = as<Binary>(expr);
    if (!node || node->dtype != DType::I64) return std::nullopt;
    if (node->op != BinaryOp::Add && node->op != BinaryOp::Sub && node->op != BinaryOp::Mul) return std::nullopt;
    const std::optional<Index> a = known_sum(node->a), b = a ? known_sum(node->b) : std::nullopt;
    if (!b) return std::nullopt;
    if (node->op != BinaryOp::Mul) return add(*a, *b, node->op == BinaryOp::Add ? 1 : -1);
    if (b->is_constant()) return scaled(*a, b->constant);
    return a->is_constant() ? std::optional(scaled(*b, a->constant)) : std::nullopt;
}

} // namespace orrery::codegen
