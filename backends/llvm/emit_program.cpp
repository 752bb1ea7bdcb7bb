// Programs and parallel loops: the functions of a kernel and what they hand to each other.
#include "backends/llvm/emitter.hpp"

#include "backends/llvm/debug_lines.hpp"
#include "backends/llvm/kernel_name.hpp"
#include "backends/llvm/register_pressure.hpp"
#include "core/schedule/intrinsics.hpp"
#include "core/tensor/visitor.hpp"

#include <llvm/IR/DebugInfoMetadata.h>
#include <llvm/IR/IRBuilder.h>
#include <llvm/IR/IntrinsicsX86.h>
#include <llvm/IR/Module.h>

#include <algorithm>
#include <set>

namespace orrery::codegen {

using namespace tensor;
using llvm::Value;

namespace {

/// What a statement uses that is bound outside of it.
class FreeNames : public Visitor {
  public:
    std::vector<const Var*> vars;           ///< in order of first use
    std::vector<const BufferNode*> buffers; ///< likewise
    std::set<const BufferNode*> stored;

    void find(const For& loop) {
        bound_.insert(loop.var.get());
        visit(loop.body);
        std::erase_if(vars, [this](const Var* var) { return bound_.contains(var); });
        std::erase_if(buffers, [this](const BufferNode* buffer) { return allocated_.contains(buffer); });
    }

  protected:
    using Visitor::visit_node;
    void visit_node(const Var& var) override {
        if (seen_.insert(&var).second) vars.push_back(&var);
    }
    void visit_node(const Load& load) override {
        use(load.buffer);
        Visitor::visit_node(load);
    }
    void visit_node(const Store& store) override {
        use(store.buffer);
        stored.insert(store.buffer.get());
        Visitor::visit_node(store);
    }
    void visit_node(const ExternCall& call) override {
        for (const ExternCall::Operand& operand : call.operands) {
            if (operand.number != nullptr) continue;
            use(operand.region.buffer);
            if (operand.writes()) stored.insert(operand.region.buffer.get());
        }
        Visitor::visit_node(call);
    }
    void visit_node(const Prefetch& prefetch) override {
        use(prefetch.buffer);
        Visitor::visit_node(prefetch);
    }
    void visit_node(const For& loop) override {
        bound_.insert(loop.var.get());
        Visitor::visit_node(loop);
    }
    void visit_node(const Let& let) override {
        bound_.insert(let.var.get());
        Visitor::visit_node(let);
    }
    void visit_node(const Alloc& alloc) override {
        allocated_.insert(alloc.buffer.get());
        Visitor::visit_node(alloc);
    }
    void visit_node(const Block& block) override { // regions are no uses
        for (const BlockIter& iter : block.fields.iters) {
            bound_.insert(iter.var.get());
            visit(iter.binding);
        }
        if (block.fields.predicate) visit(block.fields.predicate);
        if (block.fields.init) visit(block.fields.init);
        visit(block.fields.body);
    }

  private:
    void use(const Buffer& buffer) {
        if (used_.insert(buffer.get()).second) buffers.push_back(buffer.get());
    }
    std::set<const Var*> seen_, bound_;
    std::set<const BufferNode*> used_, allocated_;
};

class HasParallel : public Visitor {
  public:
    static bool in(const Stmt& stmt) {
        HasParallel finder;
        finder.visit(stmt);
        return finder.found_;
    }

  protected:
    using Visitor::visit_node;
    void visit_node(const For& loop) override {
        found_ = found_ || loop.loop == LoopKind::Parallel;
        if (!found_) visit(loop.body);
    }

  private:
    bool found_ = false;
};

/// Buffers of the workspace that exist once, by offset.
std::vector<std::pair<std::size_t, const BufferNode*>> single_slots(const WorkspacePlan& plan) {
    std::vector<std::pair<std::size_t, const BufferNode*>> out;
    for (const auto& [buffer, slot] : plan.slots)
        if (slot.stride == 0) out.emplace_back(slot.offset, buffer);
    std::sort(out.begin(), out.end());
    return out;
}

std::uint64_t bytes_of(const BufferNode& buffer) {
    return static_cast<std::uint64_t>(buffer.static_size()) * static_cast<std::uint64_t>(byte_size(buffer.dtype));
}

} // namespace

/// The values a parallel body takes: buffers' addresses, then the workspace's when it wants it, then scalars.
struct Emitter::Captures {
    std::vector<const BufferNode*> buffers;
    std::set<const BufferNode*> stored; ///< of them, those the loop writes
    std::vector<const Var*> vars;
    std::vector<const Atom*> atoms; ///< of the i64 variables, by rank
    std::vector<Value*> values;     ///< of everything, in the order of the parameters
    bool turn = false;              ///< the last value is Frame::turn
    int twins = 1;

    /// How often a buffer's address is handed to the body.
    [[nodiscard]] int addresses(const BufferNode* buffer) const { return stored.contains(buffer) ? 1 : twins; }
};

Emitter::Emitter(llvm::Module& module, llvm::IRBuilderBase& builder, const Machine& machine,
                 const BuildOptions& options, DebugLines* lines)
    : module_(module), b_(builder), machine_(machine), options_(options), lines_(lines),
      arithmetic_(builder, machine.native_half) {
    arithmetic_.use_half_arithmetic(machine.computes_half);
    llvm::FastMathFlags flags;
    flags.setAllowContract(options.contract);
    b_.setFastMathFlags(flags);
}

llvm::Function* Emitter::make_function(llvm::FunctionType* type, const std::string& name, bool external) {
    auto* function = llvm::Function::Create(
        type, external ? llvm::GlobalValue::ExternalLinkage : llvm::GlobalValue::InternalLinkage, name, module_);
    function->setDoesNotThrow();
    function->addFnAttr("prefer-vector-width", std::to_string(machine_.vector_bits));
    function->addFnAttr("min-legal-vector-width", std::to_string(machine_.vector_bits));
    function->addFnAttr("no-trapping-math", "true");
    return function;
}

Emitter::Place Emitter::place_of(const Buffer& buffer, Value* pointer) const {
    Place place;
    place.pointer = pointer;
    place.shape = buffer->static_shape();
    place.strides.assign(place.shape.size(), 1);
    for (std::size_t d = place.shape.size(); d-- > 1;) place.strides[d - 1] = place.strides[d] * place.shape[d];
    return place;
}

void Emitter::describe_buffer_param(unsigned index, const Buffer& buffer, bool read_only) {
    llvm::Function* function = frame_.function;
    function->addParamAttr(index, llvm::Attribute::NoAlias);
    if (!gives_away_) function->addParamAttr(index, llvm::Attribute::NoCapture);
    function->addParamAttr(index, llvm::Attribute::getWithAlignment(b_.getContext(), llvm::Align(64)));
    if (read_only) function->addParamAttr(index, llvm::Attribute::ReadOnly);
    if (const std::uint64_t bytes = bytes_of(*buffer); bytes != 0) function->addDereferenceableParamAttr(index, bytes);
    function->getArg(index)->setName(buffer->name);
    Place& place = frame_.places[buffer.get()];
    if (place.pointer) return place.twins.push_back(function->getArg(index));
    place = place_of(buffer, function->getArg(index));
    place.read_only = read_only;
}

Value* Emitter::pointer_of(const Place& place) const {
    const std::size_t twin = static_cast<std::size_t>(frame_.twin);
    return twin == 0 || twin > place.twins.size() ? place.pointer : place.twins[twin - 1];
}

int Emitter::twins_for(const Stmt& body) const {
    return address_twins(body, machine_.vector_bits / 32, machine_.vector_registers);
}

void Emitter::emit(const Program& program, const WorkspacePlan& workspace) {
    plan_ = &workspace;
    facts_.emplace(program->body);
    gives_away_ = !schedule::externs_of(program).empty();
    symbol_ = kernel_symbol(program->name);
    has_parallel_ = HasParallel::in(program->body);
    // Beside products of tiles, which take subnormal numbers as zero too.
    arithmetic_.use_native_bfloat(machine_.native_bfloat && has_tiles(program->body));
    const auto slots = single_slots(workspace);
    frame_ = Frame();
    frame_.twins = twins_for(program->body);
    const auto inputs = static_cast<unsigned>(program->input_count), twins = static_cast<unsigned>(frame_.twins - 1);
    const auto buffers = static_cast<unsigned>(program->params.size() + slots.size()) + inputs * twins;
    const std::vector<llvm::Type*> params(buffers + 2, b_.getPtrTy());
    frame_.function = make_function(llvm::FunctionType::get(b_.getVoidTy(), params, false), symbol_ + ".body", false);
    if (lines_) frame_.scope = lines_->add_function(*frame_.function);
    for (unsigned i = 0; i < program->params.size(); ++i)
        describe_buffer_param(i, program->params[i], i < program->input_count);
    for (unsigned i = 0; i < slots.size(); ++i)
        describe_buffer_param(static_cast<unsigned>(program->params.size()) + i, Buffer(slots[i].second), false);
    for (unsigned i = 0; i < inputs * twins; ++i)
        describe_buffer_param(buffers - inputs * twins + i, program->params[i / twins], true);
    frame_.workspace = frame_.function->getArg(buffers);
    frame_.context = frame_.function->getArg(buffers + 1);
    frame_.workspace->setName("workspace");
    frame_.context->setName("context");
    emit_entry(program, frame_.function);
    auto* allocas = new_block("entry"); // nothing but allocations, see make_alloca
    auto* start = new_block("start");
    b_.SetInsertPoint(allocas);
    if (lines_) lines_->set(b_, frame_.scope, nullptr);
    b_.CreateBr(start);
    b_.SetInsertPoint(start);
    emit(program->body);
    if (!frame_.tiles.empty()) tile_call(llvm::Intrinsic::x86_tilerelease, {});
    b_.CreateRetVoid();
}

/// void symbol(void** args, context): what the runtime calls.
void Emitter::emit_entry(const Program& program, llvm::Function* body) {
    auto* type = llvm::FunctionType::get(b_.getVoidTy(), {b_.getPtrTy(), b_.getPtrTy()}, false);
    llvm::Function* entry = make_function(type, symbol_, true);
    entry->getArg(0)->setName("args");
    entry->getArg(1)->setName("context");
    b_.SetInsertPoint(llvm::BasicBlock::Create(b_.getContext(), "entry", entry));
    b_.SetCurrentDebugLocation(llvm::DebugLoc());
    if (lines_) lines_->set(b_, lines_->add_function(*entry), nullptr);
    const auto argument = [&](std::size_t i, const std::string& name) {
        Value* from = b_.CreateConstInBoundsGEP1_64(b_.getPtrTy(), entry->getArg(0), i);
        return b_.CreateAlignedLoad(b_.getPtrTy(), from, llvm::Align(8), name);
    };
    std::vector<Value*> values;
    for (std::size_t i = 0; i < program->params.size(); ++i) values.push_back(argument(i, program->params[i]->name));
    Value* workspace = llvm::ConstantPointerNull::get(b_.getPtrTy());
    if (plan_->bytes != 0) workspace = argument(program->params.size(), "workspace");
    for (const auto& [offset, buffer] : single_slots(*plan_))
        values.push_back(b_.CreateConstInBoundsGEP1_64(b_.getInt8Ty(), workspace, offset, buffer->name));
    for (std::size_t i = 0; i < program->input_count; ++i)
        for (int twin = 1; twin < frame_.twins; ++twin) values.push_back(values[i]);
    values.push_back(workspace);
    values.push_back(entry->getArg(1));
    b_.CreateCall(body, values);
    b_.CreateRetVoid();
}

llvm::AllocaInst* Emitter::make_alloca(llvm::Type* type, std::int64_t count, const std::string& name) {
    const llvm::IRBuilderBase::InsertPointGuard guard(b_);
    b_.SetInsertPoint(frame_.function->getEntryBlock().getTerminator());
    llvm::AllocaInst* memory =
        b_.CreateAlloca(llvm::ArrayType::get(type, static_cast<std::uint64_t>(count)), nullptr, name);
    memory->setAlignment(llvm::Align(64));
    return memory;
}

llvm::BasicBlock* Emitter::new_block(const std::string& name) {
    return llvm::BasicBlock::Create(b_.getContext(), name, frame_.function);
}

// ------------------------------------------------------------------------------------ parallel loops

Emitter::Captures Emitter::find_captures(const For& loop) const {
    FreeNames names;
    names.find(loop);
    Captures out;
    out.buffers = names.buffers;
    out.vars = names.vars;
    out.stored = names.stored;
    out.twins = twins_for(loop.body);
    for (const BufferNode* buffer : out.buffers) out.values.push_back(frame_.places.at(buffer).pointer);
    out.values.push_back(frame_.workspace);
    std::set<const Atom*> seen;
    for (const Var* var : out.vars) {
        const Bound& bound = frame_.vars.at(var);
        for (const Index::Term& term : bound.index.terms)
            if (seen.insert(term.atom).second) out.atoms.push_back(term.atom);
    }
    std::sort(out.atoms.begin(), out.atoms.end(), [](const Atom* a, const Atom* b) { return a->rank < b->rank; });
    for (const Atom* atom : out.atoms) out.values.push_back(atom->value);
    for (const Var* var : out.vars)
        if (Value* v = frame_.vars.at(var).value) out.values.push_back(v);
    out.turn = frame_.turn != nullptr;
    if (out.turn) out.values.push_back(frame_.turn);
    return out;
}

void Emitter::emit_parallel(const For& loop, const Index& extent) {
    const Captures captures = find_captures(loop);
    std::vector<llvm::Type*> params = {b_.getInt64Ty(), b_.getInt64Ty()};
    std::vector<llvm::Type*> fields;
    for (Value* v : captures.values) fields.push_back(v->getType());
    for (const BufferNode* buffer : captures.buffers)
        params.insert(params.end(), static_cast<std::size_t>(captures.addresses(buffer)), b_.getPtrTy());
    params.insert(params.end(), fields.begin() + static_cast<std::ptrdiff_t>(captures.buffers.size()), fields.end());
    const std::string name = symbol_ + ".parallel." + loop.var->name;
    llvm::Function* body = make_function(llvm::FunctionType::get(b_.getVoidTy(), params, false), name + ".body", false);

    Value* count = scalar(extent);
    auto* closure_type = llvm::StructType::get(b_.getContext(), fields);
    llvm::AllocaInst* closure = make_alloca(closure_type, 1, "closure");
    for (unsigned i = 0; i < captures.values.size(); ++i)
        b_.CreateStore(captures.values[i], b_.CreateStructGEP(closure_type, closure, i));
    llvm::Function* entry = emit_parallel_entry(name, body, captures);
    auto* loop_type =
        llvm::FunctionType::get(b_.getVoidTy(), {b_.getPtrTy(), b_.getInt64Ty(), b_.getPtrTy(), b_.getPtrTy()}, false);
    Value* parallel_for = b_.CreateAlignedLoad(b_.getPtrTy(), frame_.context, llvm::Align(8), "parallel_for");
    b_.CreateCall(loop_type, parallel_for, {frame_.context, count, entry, closure});
    emit_parallel_body(loop, body, captures);
}

/// void name(begin, end, closure): what the thread pool calls.
llvm::Function* Emitter::emit_parallel_entry(const std::string& name, llvm::Function* body, const Captures& captures) {
    const llvm::IRBuilderBase::InsertPointGuard guard(b_);
    auto* type = llvm::FunctionType::get(b_.getVoidTy(), {b_.getInt64Ty(), b_.getInt64Ty(), b_.getPtrTy()}, false);
    llvm::Function* entry = make_function(type, name, false);
    b_.SetInsertPoint(llvm::BasicBlock::Create(b_.getContext(), "entry", entry));
    if (lines_) {
        const unsigned line = b_.getCurrentDebugLocation().getLine();
        b_.SetCurrentDebugLocation(llvm::DILocation::get(b_.getContext(), line, 0, lines_->add_function(*entry)));
    }
    std::vector<llvm::Type*> fields;
    for (Value* v : captures.values) fields.push_back(v->getType());
    auto* closure_type = llvm::StructType::get(b_.getContext(), fields);
    std::vector<Value*> values = {entry->getArg(0), entry->getArg(1)};
    for (unsigned i = 0; i < fields.size(); ++i) {
        Value* v = b_.CreateLoad(fields[i], b_.CreateStructGEP(closure_type, entry->getArg(2), i));
        const int times = i < captures.buffers.size() ? captures.addresses(captures.buffers[i]) : 1;
        values.insert(values.end(), static_cast<std::size_t>(times), v);
    }
    b_.CreateCall(body, values);
    b_.CreateRetVoid();
    return entry;
}

/// A loop that is met again and again runs up and down in turn, as the serial loop around it counts: each time it
/// begins with what the caches still hold from the time before. Iterations are independent of each other: results are
/// the same.
void Emitter::emit_parallel_body(const For& loop, llvm::Function* body, const Captures& captures) {
    const llvm::IRBuilderBase::InsertPointGuard guard(b_);
    Frame outer = std::exchange(frame_, Frame());
    frame_.function = body;
    frame_.twins = captures.twins;
    if (lines_) frame_.scope = lines_->add_function(*body);
    body->getArg(0)->setName("begin");
    body->getArg(1)->setName("end");
    unsigned next = 2;
    for (const BufferNode* buffer : captures.buffers) {
        const bool read_only = !captures.stored.contains(buffer);
        for (int i = 0; i < captures.addresses(buffer); ++i) describe_buffer_param(next++, Buffer(buffer), read_only);
        frame_.places[buffer].on_stack = outer.places.at(buffer).on_stack;
    }
    frame_.workspace = body->getArg(next++);
    std::unordered_map<const Atom*, const Atom*> atoms;
    for (const Atom* atom : captures.atoms) atoms[atom] = &make_atom(body->getArg(next++), atom->range);
    for (const Var* var : captures.vars) {
        Bound bound = outer.vars.at(var);
        for (Index::Term& term : bound.index.terms) term.atom = atoms.at(term.atom);
        if (bound.value) bound.value = body->getArg(next++);
        frame_.vars[var] = bound;
    }
    if (captures.turn) frame_.turn = body->getArg(next++);
    auto* allocas = new_block("entry");
    auto* start = new_block("start");
    auto* enter = new_block("some");
    auto* done = new_block("done");
    b_.SetInsertPoint(allocas);
    if (lines_) lines_->set(b_, frame_.scope, &loop);
    b_.CreateBr(start);
    b_.SetInsertPoint(start);
    b_.CreateCondBr(b_.CreateICmpSLT(body->getArg(0), body->getArg(1)), enter, done);
    b_.SetInsertPoint(enter);
    const IntImm* extent = as<IntImm>(loop.extent);
    const Range range{0, extent ? extent->value - 1 : std::numeric_limits<std::int64_t>::max()};
    frame_.parallel = &loop;
    emit_counted(loop, body->getArg(0), body->getArg(1), range);
    b_.CreateBr(done);
    b_.SetInsertPoint(done);
    if (!frame_.tiles.empty()) tile_call(llvm::Intrinsic::x86_tilerelease, {});
    b_.CreateRetVoid();
    frame_ = std::move(outer);
}

} // namespace orrery::codegen
