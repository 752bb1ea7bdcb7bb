// Statements and loops.
#include "backends/llvm/emitter.hpp"

#include "backends/llvm/debug_lines.hpp"
#include "backends/llvm/register_pressure.hpp"
#include "core/tensor/affine.hpp"
#include "core/tensor/visitor.hpp"

#include <llvm/IR/IRBuilder.h>

#include <algorithm>
#include <bit>
#include <set>

namespace orrery::codegen {

using namespace tensor;
using llvm::Value;

namespace {

constexpr std::int64_t kMaxUnrolled = 1024;      ///< copies of one loop's body
constexpr std::int64_t kMaxEmitted = 60000;      ///< statements, before loops are no longer unrolled
constexpr std::int64_t kMaxScalarUnrolled = 64;  ///< copies of a vectorized loop that cannot be widened
constexpr std::int64_t kMaxChunks = 8;           ///< vectors in a row before they become a loop
constexpr std::int64_t kMaxLaneBytes = 64 << 10; ///< stack for the lanes' copies of one buffer

class HasVectorized : public Visitor {
  public:
    bool found = false;

  protected:
    using Visitor::visit_node;
    void visit_node(const For& loop) override {
        found = found || loop.loop == LoopKind::Vectorized;
        if (!found) Visitor::visit_node(loop);
    }
};

/// Nothing is loaded and no number is a float: what is written as bits computes with none of it.
class Whole : public Visitor {
  public:
    static bool is(const Expr& expr) {
        Whole seen;
        seen.visit(expr);
        return seen.whole_;
    }

  protected:
    using Visitor::visit_node;
    void visit_node(const Load&) override { whole_ = false; }
    void visit_node(const FloatImm&) override { whole_ = false; }
    void visit_node(const Cast& cast) override {
        whole_ = whole_ && !is_float(cast.dtype);
        Visitor::visit_node(cast);
    }

  private:
    bool whole_ = true;
};

/// Whether a narrow float is moved from where it lies, or is a number known beforehand: no digit of it changes.
bool moves_bits(const Expr& value) {
    if (const Select* choice = as<Select>(value))
        return Whole::is(choice->condition) && moves_bits(choice->then_value) && moves_bits(choice->else_value);
    if (const Load* load = as<Load>(value)) return std::ranges::all_of(load->indices, Whole::is);
    return value->kind == NodeKind::FloatImm;
}

/// The widest element a vector loop computes; indices and conditions do not count.
class WidestElement : public Visitor {
  public:
    /// `half`: what is of f16 is computed so.
    explicit WidestElement(bool half) : half_(half) {}
    int bytes = 1;

  protected:
    using Visitor::visit_node;
    void see(DType dtype) {
        const bool widened = is_narrow_float(dtype) && !(half_ && dtype == DType::F16);
        bytes = std::max(bytes, widened ? 4 : byte_size(dtype));
    }
    void visit_node(const Store& store) override {
        if (is_narrow_float(store.buffer->dtype) && moves_bits(store.value)) {
            bytes = std::max(bytes, byte_size(store.buffer->dtype));
            return;
        }
        see(store.buffer->dtype);
        visit(store.value);
    }
    void visit_node(const Load& load) override { see(load.buffer->dtype); }
    void visit_node(const Cast& cast) override {
        see(cast.dtype);
        if (cast.value->dtype != DType::I64) visit(cast.value);
    }
    void visit_node(const Call& call) override {
        see(call.dtype);
        Visitor::visit_node(call);
    }
    void visit_node(const Select& select) override {
        visit(select.then_value);
        visit(select.else_value);
    }
    void visit_node(const Binary& binary) override {
        if (is_comparison(binary.op) && binary.a->dtype == DType::I64) return;
        Visitor::visit_node(binary);
    }
    void visit_node(const For& loop) override { visit(loop.body); }
    void visit_node(const Block& block) override {
        if (block.fields.init) visit(block.fields.init);
        visit(block.fields.body);
    }

  private:
    bool half_;
};

/// The iterations at which what a choice in a loop's body depends on changes, where that is the loop's own number.
/// Where a border is copied with what it surrounds, little is left to choose in between.
class ChoiceChanges : public Visitor {
  public:
    explicit ChoiceChanges(const VarRef& var) { offsets_[var.get()] = 0; }
    std::set<std::int64_t> at;
    bool innermost = true;

  protected:
    using Visitor::visit_node;
    void visit_node(const For& loop) override {
        innermost = innermost && (loop.loop == LoopKind::Vectorized || loop.loop == LoopKind::Unrolled);
        visit(loop.body);
    }
    void visit_node(const Block& block) override {
        innermost = innermost && !block.fields.init;
        for (const BlockIter& iter : block.fields.iters) {
            const Affine sum = affine_of(iter.binding);
            if (sum.terms.size() != 1 || sum.terms[0].coefficient != 1) continue;
            if (const auto known = offsets_.find(sum.terms[0].term.get()); known != offsets_.end())
                offsets_[iter.var.get()] = known->second + sum.constant;
        }
        visit(block.fields.body);
    }
    void visit_node(const Select& select) override {
        see(select.condition);
        Visitor::visit_node(select);
    }

  private:
    void see(const Expr& condition) {
        const Binary* node = as<Binary>(condition);
        if (!node) return;
        if (node->op == BinaryOp::And || node->op == BinaryOp::Or) {
            see(node->a);
            return see(node->b);
        }
        const bool at_least = node->op == BinaryOp::Ge || node->op == BinaryOp::Lt;
        if ((!at_least && node->op != BinaryOp::Gt && node->op != BinaryOp::Le) || node->a->dtype != DType::I64) return;
        Affine sum = affine_of(node->a); // sum op 0
        const Affine bound = affine_of(node->b);
        sum.constant -= bound.constant;
        if (!bound.terms.empty() || sum.terms.size() != 1 || std::abs(sum.terms[0].coefficient) != 1) return;
        const auto known = offsets_.find(sum.terms[0].term.get());
        if (known == offsets_.end()) return;
        const bool up = sum.terms[0].coefficient > 0;
        const std::int64_t change = up ? -sum.constant + (at_least ? 0 : 1) : sum.constant + (at_least ? 1 : 0);
        at.insert(change - known->second);
    }
    std::unordered_map<const Node*, std::int64_t> offsets_; ///< what is the loop's number, but for a constant
};

/// A member has another value while this lives.
template <class T> class Restored {
  public:
    Restored(T& member, T value) : member_(member), before_(std::exchange(member, value)) {}
    ~Restored() { member_ = before_; }
    Restored(const Restored&) = delete;
    Restored& operator=(const Restored&) = delete;

  private:
    T& member_;
    T before_;
};

/// The first iterations of the pieces a loop is written in, and its end.
std::vector<std::int64_t> pieces_of(const For& loop, std::int64_t extent) {
    constexpr std::size_t kMostChanges = 2; // our choice: one at either end
    ChoiceChanges changes(loop.var);
    changes.visit(loop.body);
    std::erase_if(changes.at, [&](std::int64_t at) { return at <= 0 || at >= extent; });
    std::vector<std::int64_t> out{0};
    if (changes.innermost && changes.at.size() <= kMostChanges)
        out.insert(out.end(), changes.at.begin(), changes.at.end());
    out.push_back(extent);
    return out;
}

} // namespace

void Emitter::emit(const Stmt& stmt) {
    if (lanes_.failed) return;
    ++emitted_;
    if (!lines_) return emit_kind(stmt);
    const llvm::DebugLoc before = b_.getCurrentDebugLocation();
    lines_->set(b_, frame_.scope, stmt.get());
    emit_kind(stmt);
    b_.SetCurrentDebugLocation(before);
}

void Emitter::emit_kind(const Stmt& stmt) {
    switch (stmt->kind) {
    case NodeKind::Store: return emit_store(*as<Store>(stmt));
    case NodeKind::ExternCall: return emit_extern(*as<ExternCall>(stmt));
    case NodeKind::Prefetch: return emit_prefetch(*as<Prefetch>(stmt));
    case NodeKind::For: return emit_guarded(*as<For>(stmt));
    case NodeKind::If: return emit_if(*as<If>(stmt));
    case NodeKind::Let: return emit_let(*as<Let>(stmt));
    case NodeKind::Alloc: return emit_alloc(*as<Alloc>(stmt));
    case NodeKind::Block: return emit_block(*as<Block>(stmt));
    case NodeKind::Seq: return emit_seq(*as<Seq>(stmt));
    case NodeKind::IntImm:
    case NodeKind::FloatImm:
    case NodeKind::Var:
    case NodeKind::Binary:
    case NodeKind::Call:
    case NodeKind::Cast:
    case NodeKind::Select:
    case NodeKind::Load: break;
    }
    fail_internal("a statement is no expression");
}

void Emitter::emit_seq(const Seq& node) {
    for (std::size_t i = 0; i < node.stmts.size(); ++i) {
        const Restored<bool> before(sums_are_zero_, i + 1 < node.stmts.size() && lanes_.count == 0 &&
                                                        clears_sums(node.stmts[i], node.stmts[i + 1]));
        if (sums_are_zero_) ++i; // registers are cleared instead
        emit(node.stmts[i]);
    }
}

void Emitter::emit_store(const Store& node) {
    const Restored<bool> before(bits_, is_narrow_float(node.buffer->dtype) && moves_bits(node.value));
    // A store rounds by itself.
    const Cast* cast = is_narrow_float(node.buffer->dtype) ? as<Cast>(node.value) : nullptr;
    const bool rounds = cast && cast->dtype == node.buffer->dtype && cast->value->dtype == DType::F32;
    Value* v = value(rounds ? cast->value : node.value);
    const Access access = locate(node.buffer, node.indices);
    store(access, v);
}

template <class Then, class Else> void Emitter::emit_where(Value* condition, Then&& then_emit, Else&& else_emit) {
    if (auto* known = llvm::dyn_cast<llvm::ConstantInt>(condition)) {
        if (known->isOne())
            then_emit();
        else
            else_emit();
        return;
    }
    if (condition->getType()->isVectorTy()) {
        const Lanes before = lanes_;
        lanes_.prefix = 0;
        lanes_.mask = both(before.mask, condition);
        then_emit();
        lanes_.mask = both(before.mask, b_.CreateNot(condition));
        else_emit();
        const bool failed = lanes_.failed;
        lanes_ = before;
        lanes_.failed = failed;
        return;
    }
    llvm::BasicBlock *then_block = new_block("then"), *else_block = new_block("else"), *done = new_block("endif");
    b_.CreateCondBr(condition, then_block, else_block);
    const auto branch = [&](llvm::BasicBlock* block, const auto& emit_it) {
        const Branch here(*this);
        b_.SetInsertPoint(block);
        emit_it();
        b_.CreateBr(done);
    };
    branch(then_block, then_emit);
    branch(else_block, else_emit);
    b_.SetInsertPoint(done);
}

void Emitter::emit_if(const If& node) {
    emit_where(
        value(node.condition), [&] { emit(node.then_body); },
        [&] {
            if (node.else_body) emit(node.else_body);
        });
}

void Emitter::emit_let(const Let& node) {
    Bound bound;
    if (node.var->dtype == DType::I64)
        bound.index = index(node.value);
    else
        bound.value = value(node.value);
    frame_.vars[node.var.get()] = bound;
    emit(node.body);
}

void Emitter::emit_alloc(const Alloc& node) {
    const BufferNode* buffer = node.buffer.get();
    llvm::Type* type = memory_type(b_.getContext(), buffer->dtype);
    if (const auto slot = plan_->slots.find(buffer); slot != plan_->slots.end()) {
        if (lanes_.count != 0) return fail_lanes();           // every lane would need one
        if (slot->second.stride == 0) return emit(node.body); // a parameter, see emit(Program)
        Index offset = constant_index(static_cast<std::int64_t>(slot->second.offset));
        if (frame_.slot) offset = add(offset, atom_index(*frame_.slot), static_cast<std::int64_t>(slot->second.stride));
        Value* pointer = b_.CreateInBoundsGEP(b_.getInt8Ty(), frame_.workspace, scalar(offset, true), buffer->name);
        frame_.places[buffer] = place_of(node.buffer, pointer);
    } else {
        const int copies = lanes_.count;
        const std::int64_t count = buffer->static_size() * std::max(copies, 1);
        if (copies != 0 && count * byte_size(buffer->dtype) > kMaxLaneBytes) return fail_lanes();
        Place& place = frame_.places[buffer]; // an unrolled body's copies share it
        if (!place.pointer || place.copies != copies)
            place = place_of(node.buffer, make_alloca(type, count, buffer->name));
        place.copies = copies;
        place.on_stack = place.own = true;
    }
    emit(node.body);
}

void Emitter::emit_block(const Block& node) {
    const auto body = [&] {
        for (const BlockIter& iter : node.fields.iters)
            frame_.vars[iter.var.get()] = Bound{index(iter.binding), nullptr};
        if (emit_intrinsic(node)) return;
        if (node.fields.init) emit_init(node);
        emit(node.fields.body);
    };
    if (node.fields.predicate == nullptr) return body(); // `!` would build an expression
    const Expr left = without(node.fields.predicate, held_);
    if (left == nullptr) return body();
    emit_where(value(left), body, [] {});
}

void Emitter::emit_init(const Block& node) {
    Value* first = nullptr; // every Reduce iterator is 0
    for (const BlockIter& iter : node.fields.iters) {
        if (iter.kind != IterKind::Reduce) continue;
        Value* zero = compare(BinaryOp::Eq, frame_.vars[iter.var.get()].index, Index());
        if (auto* known = llvm::dyn_cast<llvm::ConstantInt>(zero)) {
            if (known->isZero()) return;
            continue;
        }
        first = both(first, zero);
    }
    if (!first) return emit(node.fields.init);
    emit_where(
        first, [&] { emit(node.fields.init); }, [] {});
}

// ------------------------------------------------------------------------------------------- loops

/// What no iteration changes is decided once, before the loop.
void Emitter::emit_guarded(const For& loop) {
    const std::vector<Expr>& guards = facts_->guards(loop);
    if (lanes_.count != 0 || guards.empty()) return emit_for(loop);
    const std::size_t before = held_.size();
    Value* condition = nullptr;
    for (const Expr& guard : guards) {
        if (holds(held_, guard)) continue;
        condition = both(condition, value(guard));
        held_.push_back(guard);
    }
    if (condition)
        emit_where(
            condition, [&] { emit_for(loop); }, [] {});
    else
        emit_for(loop);
    held_.resize(before);
}

void Emitter::emit_for(const For& loop) {
    const Index extent = index(loop.extent);
    if (!extent.is_uniform()) return fail_lanes();
    const std::optional<std::int64_t> known = extent.is_constant() ? std::optional(extent.constant) : std::nullopt;
    if (known && *known <= 0) return;
    if (known && *known == 1) {
        frame_.vars[loop.var.get()] = Bound{Index(), nullptr};
        return emit(loop.body);
    }
    if (emit_held(loop)) return;
    switch (loop.loop) {
    case LoopKind::Parallel:
        if (!frame_.context || lanes_.count != 0) break;
        if (!plan_->serial.contains(&loop)) return emit_parallel(loop, extent);
        {
            Value* context = std::exchange(frame_.context, nullptr); // one workspace: nothing inside is parallel either
            emit_serial(loop, extent);
            frame_.context = context;
            return;
        }
    case LoopKind::Unrolled:
        if (known && *known <= kMaxUnrolled && emitted_ <= kMaxEmitted &&
            *known * facts_->loops_inside(loop) <= kMostCopiedLoops)
            return emit_unrolled(loop, *known);
        break;
    case LoopKind::Vectorized: {
        HasVectorized inner;
        inner.visit(loop.body);
        if (known && lanes_.count == 0 && !inner.found) return emit_vectorized(loop, *known);
        if (known && *known <= kMaxScalarUnrolled && emitted_ <= kMaxEmitted) return emit_unrolled(loop, *known);
        break;
    }
    case LoopKind::Serial: break;
    }
    if (!known) return emit_serial(loop, extent);
    const std::vector<std::int64_t> pieces = pieces_of(loop, *known);
    for (std::size_t i = 0; i + 1 < pieces.size(); ++i) emit_piece(loop, pieces[i], pieces[i + 1]);
}

/// Iterations begin .. end - 1, at least one.
void Emitter::emit_piece(const For& loop, std::int64_t begin, std::int64_t end) {
    if (end - begin > 1)
        return emit_counted(loop, b_.getInt64(static_cast<std::uint64_t>(begin)),
                            b_.getInt64(static_cast<std::uint64_t>(end)), {begin, end - 1});
    frame_.vars[loop.var.get()] = Bound{constant_index(begin), nullptr};
    emit(loop.body);
}

void Emitter::emit_serial(const For& loop, const Index& extent) {
    const Range bounds = range(extent);
    Value* end = scalar(extent);
    const Range iterations{0, bounds.hi == std::numeric_limits<std::int64_t>::max()
                                  ? bounds.hi
                                  : std::max<std::int64_t>(bounds.hi - 1, 0)};
    if (bounds.lo >= 1) return emit_counted(loop, b_.getInt64(0), end, iterations);
    llvm::BasicBlock *enter = new_block(loop.var->name + ".some"), *skip = new_block(loop.var->name + ".none");
    b_.CreateCondBr(b_.CreateICmpSGT(end, b_.getInt64(0)), enter, skip);
    b_.SetInsertPoint(enter);
    {
        const Branch here(*this);
        emit_counted(loop, b_.getInt64(0), end, iterations);
    }
    b_.CreateBr(skip);
    b_.SetInsertPoint(skip);
}

/// var = begin, ..., end - 1, at least once.
void Emitter::emit_counted(const For& loop, Value* begin, Value* end, Range range) {
    llvm::BasicBlock* before = b_.GetInsertBlock();
    llvm::BasicBlock* body = new_block(loop.var->name + ".loop");
    b_.CreateBr(body);
    b_.SetInsertPoint(body);
    llvm::PHINode* counter = b_.CreatePHI(b_.getInt64Ty(), 2, loop.var->name);
    counter->addIncoming(begin, before);
    Value* number = counter;
    if (&loop == frame_.parallel && frame_.turn) { // to and fro, see emit_parallel_body
        Value* last = b_.CreateSub(b_.CreateAdd(begin, end), b_.getInt64(1));
        number = b_.CreateSelect(b_.CreateTrunc(frame_.turn, b_.getInt1Ty()), b_.CreateSub(last, counter), counter);
    }
    const Atom& iteration = make_atom(number, range);
    if (&loop == frame_.parallel) frame_.slot = &iteration;
    frame_.vars[loop.var.get()] = Bound{atom_index(iteration), nullptr};
    Value* turn = std::exchange(frame_.turn, counter);
    {
        const Branch here(*this);
        emit(loop.body);
    }
    frame_.turn = turn;
    Value* next = b_.CreateAdd(counter, b_.getInt64(1), "", true, true);
    counter->addIncoming(next, b_.GetInsertBlock());
    llvm::BasicBlock* after = new_block(loop.var->name + ".end");
    b_.CreateCondBr(b_.CreateICmpSLT(next, end), body, after);
    b_.SetInsertPoint(after);
}

void Emitter::emit_unrolled(const For& loop, std::int64_t extent) {
    const bool twins =
        frame_.twins > 1 && overflows_registers(loop, machine_.vector_bits / 32, machine_.vector_registers);
    const int before = frame_.twin;
    for (std::int64_t i = 0; i < extent; ++i) {
        if (twins) frame_.twin = static_cast<int>(i % frame_.twins);
        frame_.vars[loop.var.get()] = Bound{constant_index(i), nullptr};
        emit(loop.body);
    }
    frame_.twin = before;
}

// ---------------------------------------------------------------------------------- vectorized loops

void Emitter::emit_vectorized(const For& loop, std::int64_t extent) {
    WidestElement widest(machine_.computes_half);
    widest.visit(loop.body);
    const int width = machine_.vector_bits / 8 / widest.bytes;
    if (width > 1) {
        const Checkpoint start = checkpoint();
        const std::int64_t chunks = extent / width;
        if (chunks > kMaxChunks)
            emit_chunk_loop(loop, chunks, width);
        else
            for (std::int64_t chunk = 0; chunk < chunks; ++chunk)
                emit_chunk(loop, constant_index(chunk * width), width, 0);
        emit_tail(loop, chunks * width, static_cast<int>(extent % width));
        const bool failed = std::exchange(lanes_, Lanes()).failed;
        if (!failed) return;
        roll_back(start);
    }
    if (extent <= kMaxScalarUnrolled && emitted_ <= kMaxEmitted)
        emit_unrolled(loop, extent);
    else
        emit_serial(loop, constant_index(extent));
}

/// Iterations first .. first + count - 1 as lanes; with `prefix`, only so many of them.
void Emitter::emit_chunk(const For& loop, const Index& first, int count, int prefix) {
    if (lanes_.failed) return;
    lanes_.count = count;
    lanes_.prefix = prefix;
    lanes_.mask = nullptr;
    if (prefix != 0) lanes_.mask = first_lanes(prefix);
    Index iteration = first;
    iteration.lane = 1;
    frame_.vars[loop.var.get()] = Bound{iteration, nullptr};
    emit(loop.body);
    lanes_.count = 0;
    lanes_.mask = nullptr;
    lanes_.prefix = 0;
}

void Emitter::emit_chunk_loop(const For& loop, std::int64_t chunks, int width) {
    llvm::BasicBlock* before = b_.GetInsertBlock();
    llvm::BasicBlock* body = new_block(loop.var->name + ".vectors");
    b_.CreateBr(body);
    b_.SetInsertPoint(body);
    llvm::PHINode* counter = b_.CreatePHI(b_.getInt64Ty(), 2, loop.var->name);
    counter->addIncoming(b_.getInt64(0), before);
    const Index first = scaled(atom_index(make_atom(counter, {0, chunks - 1})), width);
    {
        const Branch here(*this);
        emit_chunk(loop, first, width, 0);
    }
    Value* next = b_.CreateAdd(counter, b_.getInt64(1), "", true, true);
    counter->addIncoming(next, b_.GetInsertBlock());
    llvm::BasicBlock* after = new_block(loop.var->name + ".end");
    b_.CreateCondBr(b_.CreateICmpSLT(next, b_.getInt64(static_cast<std::uint64_t>(chunks))), body, after);
    b_.SetInsertPoint(after);
}

/// The last iterations, fewer than a vector: one masked vector, or powers of two where masks cost too much.
void Emitter::emit_tail(const For& loop, std::int64_t first, int left) {
    while (left > 0) {
        const int whole = static_cast<int>(std::bit_ceil(static_cast<unsigned>(left)));
        if (machine_.masked_memory && whole > 2)
            return emit_chunk(loop, constant_index(first), whole, whole == left ? 0 : left);
        const int part = whole == left ? left : whole / 2;
        if (part == 1) {
            if (lanes_.failed) return;
            frame_.vars[loop.var.get()] = Bound{constant_index(first), nullptr};
            emit(loop.body);
        } else {
            emit_chunk(loop, constant_index(first), part, 0);
        }
        first += part;
        left -= part;
    }
}

Emitter::Checkpoint Emitter::checkpoint() {
    llvm::BasicBlock* block = b_.GetInsertBlock();
    return {block,
            &frame_.function->back(),
            frame_.trap,
            block->empty() ? nullptr : &block->back(),
            frame_.divisions.size(),
            frame_.extremes.size()};
}

/// Removes everything emitted since; what was emitted before does not refer to it.
void Emitter::roll_back(const Checkpoint& to) {
    llvm::SmallVector<llvm::BasicBlock*, 16> blocks;
    for (llvm::BasicBlock* block = to.last_block->getNextNode(); block; block = block->getNextNode())
        blocks.push_back(block);
    llvm::SmallVector<llvm::Instruction*, 64> instructions;
    for (llvm::Instruction* i = to.last             ? to.last->getNextNode()
                                : to.block->empty() ? nullptr
                                                    : &to.block->front();
         i; i = i->getNextNode())
        instructions.push_back(i);
    for (llvm::BasicBlock* block : blocks) block->dropAllReferences();
    for (auto i = instructions.rbegin(); i != instructions.rend(); ++i) { (*i)->eraseFromParent(); }
    for (llvm::BasicBlock* block : blocks) block->eraseFromParent();
    frame_.trap = to.trap;
    forget(to.divisions, to.extremes);
    b_.SetInsertPoint(to.block);
}

} // namespace orrery::codegen
