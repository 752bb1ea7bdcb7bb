// From statements to control nodes and leaves. Steps for a nest of loops around one store:
//   1. peel: give the loops slots, name the block iterators and lets, collect the conditions on the way.
//   2. classify: map, fold, or neither (see interpreter_plan.hpp).
//   3. choose the strip: innermost loops while their product fits into kLanes, the next one in chunks.
//   4. compile the conditions, the value and the store over the lanes of the strip.

#include "core/tensor/build.hpp"
#include "core/tensor/interpreter_leaf.hpp"

#include <unordered_set>

namespace orrery::tensor {

namespace {

constexpr std::size_t kMacCode = 3; ///< instructions of load * load

struct ChainLoop {
    const For* node = nullptr;
    int slot = 0;
    std::optional<std::int64_t> extent; ///< when it is constant
};

/// A nest down to its store.
struct Nest {
    /// What is evaluated on the way down, in order.
    struct Step {
        Expr expr;
        bool condition = false; ///< else a bound value
    };
    std::vector<ChainLoop> loops;
    std::vector<Step> steps;
    const Store* store = nullptr;
    const Store* init = nullptr;
    std::vector<Expr> reduce_iters;

    // Of a fold:
    BinaryOp op{};
    Expr term; ///< null for a map
};

template <class T> Control make_control(T node) {
    auto control = std::make_unique<ControlNode>();
    control->node = std::move(node);
    return control;
}

/// Loads from one buffer within expressions.
class LoadCounter {
  public:
    explicit LoadCounter(const BufferNode* buffer) : buffer_(buffer) {}
    void visit(const Expr& expr) {
        if (expr == nullptr || !seen_.insert(expr.get()).second) return;
        if (const Binary* node = as<Binary>(expr)) {
            visit(node->a);
            visit(node->b);
        } else if (const Call* call = as<Call>(expr)) {
            for (const Expr& arg : call->args) visit(arg);
        } else if (const Cast* cast = as<Cast>(expr)) {
            visit(cast->value);
        } else if (const Select* select = as<Select>(expr)) {
            visit(select->condition);
            visit(select->then_value);
            visit(select->else_value);
        } else if (const Load* load = as<Load>(expr)) {
            count += load->buffer.get() == buffer_;
            all.push_back(load);
            for (const Expr& index : load->indices) visit(index);
        }
    }
    int count = 0;
    std::vector<const Load*> all;

  private:
    const BufferNode* buffer_;
    std::unordered_set<const ExprNode*> seen_;
};

bool is_combiner(BinaryOp op) {
    return op == BinaryOp::Add || op == BinaryOp::Mul || op == BinaryOp::Min || op == BinaryOp::Max ||
           op == BinaryOp::And || op == BinaryOp::Or;
}

class Planner {
  public:
    Planner(const Program& program, std::span<const std::vector<std::int64_t>> shapes) {
        for (std::size_t p = 0; p < program->params.size(); ++p) {
            const Buffer& buffer = program->params[p];
            for (std::size_t d = 0; d < shapes[p].size(); ++d)
                if (const Var* var = as<Var>(buffer->shape[d])) {
                    state_.sizes.emplace(VarRef(var), shapes[p][d]);
                    bind(VarRef(var), Linear{shapes[p][d], {}}, Interval{shapes[p][d], shapes[p][d]});
                }
            add_buffer(buffer, shapes[p], static_cast<int>(p));
        }
        state_.plan.body = compile(program->body);
    }
    Plan take() { return std::move(state_.plan); }

  private:
    int add_buffer(const Buffer& buffer, std::vector<std::int64_t> shape, int parameter) {
        const auto index = static_cast<int>(state_.plan.buffers.size());
        state_.buffers[buffer.get()] = index;
        state_.plan.buffers.push_back({buffer->name, buffer->dtype, std::move(shape), parameter});
        return index;
    }

    void bind(const VarRef& var, PlanState::Binding binding, std::optional<Interval> interval) {
        state_.vars[var.get()] = std::move(binding);
        if (interval)
            state_.bounds[var] = *interval;
        else
            state_.bounds.erase(var);
    }
    int bind_slot(const VarRef& var, std::optional<Interval> interval) {
        const int slot = state_.new_slot();
        bind(var, Linear{0, {{slot, 1}}}, interval);
        return slot;
    }

    std::optional<std::int64_t> constant_extent(const Expr& extent) {
        const std::optional<Interval> interval = interval_of(extent, state_.bounds);
        if (interval && interval->min == interval->max) return interval->min;
        return std::nullopt;
    }
    std::optional<Interval> loop_interval(const Expr& extent) {
        const std::optional<Interval> interval = interval_of(extent, state_.bounds);
        if (!interval || interval->max < 1) return std::nullopt;
        return Interval{0, interval->max - 1};
    }

    ScalarCode scalar(const Expr& expr) {
        LeafCompiler leaf(state_, {});
        LeafCompiler::Sum sum = leaf.sum_of(expr);
        if (sum.terms.empty()) return {.linear = std::move(sum.linear)};
        leaf.count_uses(expr);
        const int reg = leaf.emit(expr);
        return {.code = leaf.take_code(), .reg = reg};
    }

    // --------------------------------------------------------------------------------- statements

    Control compile(const Stmt& stmt) {
        switch (stmt->kind) {
        case NodeKind::Store: return compile_single(*as<Store>(stmt));
        case NodeKind::ExternCall: return compile_extern(*as<ExternCall>(stmt));
        case NodeKind::Prefetch: return make_control(SequenceControl{}); // nothing happens
        case NodeKind::For: return compile_for(*as<For>(stmt));
        case NodeKind::If: {
            const If& node = *as<If>(stmt);
            return branch(
                node.condition, [&] { return compile(node.then_body); },
                [&] { return node.else_body ? compile(node.else_body) : nullptr; });
        }
        case NodeKind::Let: return compile_let(*as<Let>(stmt));
        case NodeKind::Alloc: {
            const Alloc& node = *as<Alloc>(stmt);
            std::vector<std::int64_t> shape;
            for (const Expr& extent : node.buffer->shape) shape.push_back(extent_value(extent, state_.sizes));
            const int index = add_buffer(node.buffer, std::move(shape), -1);
            return make_control(AllocControl{index, compile(node.body)});
        }
        case NodeKind::Block: return compile_block(*as<Block>(stmt));
        case NodeKind::Seq: {
            SequenceControl sequence;
            for (const Stmt& child : as<Seq>(stmt)->stmts) sequence.children.push_back(compile(child));
            return make_control(std::move(sequence));
        }
        default: fail_internal("every kind of statement is compiled");
        }
    }

    Control compile_extern(const ExternCall& node) {
        ExternControl control{runtime::find_extern(node.symbol), {}, {}};
        ORRERY_ASSERT(control.function != nullptr, node.symbol + " is a function known here");
        for (const ExternCall::Operand& operand : node.operands) {
            if (operand.number != nullptr) {
                control.numbers.push_back(scalar(operand.number));
                continue;
            }
            ExternControl::Box box{state_.buffer_index(operand.region.buffer), {}, {}, 0};
            box.rank = control.function->boxes[control.boxes.size()].extents.size();
            for (const Expr& min : operand.region.min) box.min.push_back(scalar(min));
            for (const Expr& extent : operand.region.extent) box.extent.push_back(scalar(extent));
            control.boxes.push_back(std::move(box));
        }
        return make_control(std::move(control));
    }

    template <class Then, class Else> Control branch(const Expr& condition, Then then_body, Else else_body) {
        BranchControl node;
        {
            LeafCompiler leaf(state_, {});
            leaf.count_uses(condition);
            node.reg = leaf.emit(condition);
            node.code = leaf.take_code();
        }
        node.then_body = then_body();
        node.else_body = else_body();
        return make_control(std::move(node));
    }

    Control compile_let(const Let& node) {
        const std::optional<Interval> interval =
            node.var->dtype == DType::I64 ? interval_of(node.value, state_.bounds) : std::nullopt;
        if (node.var->dtype == DType::I64) {
            ScalarCode value = scalar(node.value);
            const int slot = bind_slot(node.var, interval);
            return make_control(BindControl{slot, std::move(value), compile(node.body)});
        }
        SpreadControl spread;
        {
            LeafCompiler leaf(state_, {});
            leaf.count_uses(node.value);
            spread.from = leaf.emit(node.value);
            spread.code = leaf.take_code();
        }
        spread.reg = state_.plan.register_count++; // never given back: it is read for as long as the body runs
        spread.splat = splat_kernel(node.var->dtype);
        bind(node.var, spread.reg, std::nullopt);
        spread.body = compile(node.body);
        return make_control(std::move(spread));
    }

    Control compile_block(const Block& node) {
        if (std::optional<Nest> nest = peel(node)) return compile_nest(*nest, 0);
        if (node.fields.predicate)
            return branch(
                node.fields.predicate, [&] { return compile_bindings(node); }, [] { return Control(); });
        return compile_bindings(node);
    }

    Control compile_bindings(const Block& node) {
        std::vector<BindControl> binds;
        std::vector<std::pair<VarRef, int>> slots;
        std::vector<std::optional<Interval>> intervals;
        for (const BlockIter& iter : node.fields.iters) {
            intervals.push_back(interval_of(iter.binding, state_.bounds));
            binds.push_back({state_.new_slot(), scalar(iter.binding), nullptr});
        }
        ZeroControl zero;
        for (std::size_t i = 0; i < binds.size(); ++i) {
            const Linear linear{0, {{binds[i].slot, 1}}};
            bind(node.fields.iters[i].var, linear, intervals[i]);
            if (node.fields.iters[i].kind == IterKind::Reduce) zero.values.push_back(linear);
        }
        Control body = compile(node.fields.body);
        if (node.fields.init) {
            zero.body = compile(node.fields.init);
            SequenceControl both;
            both.children.push_back(make_control(std::move(zero)));
            both.children.push_back(std::move(body));
            body = make_control(std::move(both));
        }
        for (std::size_t i = binds.size(); i-- > 0;) {
            binds[i].body = std::move(body);
            body = make_control(std::move(binds[i]));
        }
        return body;
    }

    Control compile_for(const For& node) {
        const std::optional<std::int64_t> extent = constant_extent(node.extent);
        if (extent && *extent <= 0) return make_control(SequenceControl{});
        if (extent && *extent == 1) {
            bind(node.var, Linear{}, Interval{0, 0});
            return compile(node.body);
        }
        if (std::optional<Nest> nest = peel(node)) return compile_nest(*nest, 0);
        ScalarCode count = scalar(node.extent);
        const int slot = bind_slot(node.var, loop_interval(node.extent));
        return make_control(LoopControl{slot, std::move(count), compile(node.body)});
    }

    // --------------------------------------------------------------------------------- step 1: peel

    std::optional<Nest> peel(const Node& top) {
        Nest nest;
        const Node* at = &top;
        while (const For* loop = as<For>(at)) {
            const std::optional<std::int64_t> extent = constant_extent(loop->extent);
            if (extent && *extent <= 0) return std::nullopt;
            if (extent && *extent == 1)
                bind(loop->var, Linear{}, Interval{0, 0});
            else
                nest.loops.push_back({loop, bind_slot(loop->var, loop_interval(loop->extent)), extent});
            at = loop->body.get();
        }
        if (!peel_leaf(at, nest) || !classify(nest)) return std::nullopt;
        return nest;
    }

    bool peel_leaf(const Node* at, Nest& nest) {
        for (;;) {
            if (const Let* let = as<Let>(at)) {
                bind(let->var, let->value,
                     let->var->dtype == DType::I64 ? interval_of(let->value, state_.bounds) : std::nullopt);
                nest.steps.push_back({let->value});
                at = let->body.get();
            } else if (const If* node = as<If>(at)) {
                if (node->else_body) return false;
                nest.steps.push_back({node->condition, true});
                at = node->then_body.get();
            } else if (const Block* block = as<Block>(at)) {
                if (!peel_block(*block, nest)) return false;
                at = block->fields.body.get();
            } else {
                nest.store = as<Store>(at);
                return nest.store != nullptr;
            }
        }
    }

    bool peel_block(const Block& block, Nest& nest) {
        if (block.fields.predicate) nest.steps.push_back({block.fields.predicate, true});
        for (const BlockIter& iter : block.fields.iters) {
            bind(iter.var, iter.binding, interval_of(iter.binding, state_.bounds));
            nest.steps.push_back({iter.binding});
        }
        if (!block.fields.init) return true;
        // An init runs under the conditions around its block only, so nothing may stand between it and the store.
        nest.init = as<Store>(block.fields.init);
        if (!nest.init || !as<Store>(block.fields.body)) return false;
        for (const BlockIter& iter : block.fields.iters)
            if (iter.kind == IterKind::Reduce) nest.reduce_iters.push_back(iter.var);
        return true;
    }

    // --------------------------------------------------------------------------------- step 2: classify

    bool classify(Nest& nest) {
        const Store& store = *nest.store;
        LoadCounter around(store.buffer.get()), value(store.buffer.get());
        for (const Nest::Step& step : nest.steps) around.visit(step.expr);
        for (const ChainLoop& loop : nest.loops) around.visit(loop.node->extent);
        for (const Expr& index : store.indices) around.visit(index);
        if (around.count > 0) return false;
        value.visit(store.value);
        if (value.count == 0) return nest.init == nullptr;
        return classify_fold(nest);
    }

    bool classify_fold(Nest& nest) {
        const Store& store = *nest.store;
        const Binary* node = as<Binary>(store.value);
        if (!node || !is_combiner(node->op)) return false;
        LeafCompiler leaf(state_, {});
        const auto is_old = [&](const Expr& side) {
            const Load* load = as<Load>(side);
            return load && load->buffer == store.buffer && leaf.same_index(load->indices, store.indices);
        };
        const bool left = is_old(node->a);
        if (!left && !is_old(node->b)) return false;
        nest.op = node->op;
        nest.term = left ? node->b : node->a;
        LoadCounter loads(store.buffer.get());
        loads.visit(nest.term);
        if (nest.init) {
            if (nest.init->buffer != store.buffer || !leaf.same_index(nest.init->indices, store.indices)) return false;
            loads.visit(nest.init->value);
        }
        if (loads.count > 0) return false;
        // `old and term`: the term is not evaluated when the old element decides, and then may load from anywhere.
        const bool lazy = left && (node->op == BinaryOp::And || node->op == BinaryOp::Or);
        return !lazy ||
               std::all_of(loads.all.begin(), loads.all.end(), [this](const Load* load) { return in_bounds(*load); });
    }

    bool in_bounds(const Load& load) {
        const auto buffer = static_cast<std::size_t>(state_.buffer_index(load.buffer));
        for (std::size_t d = 0; d < load.indices.size(); ++d) {
            const std::optional<Interval> interval = interval_of(load.indices[d], state_.bounds);
            if (!interval || interval->min < 0 || interval->max >= state_.plan.buffers[buffer].shape[d]) return false;
        }
        return true;
    }

    // --------------------------------------------------------------------------------- step 3: the strip

    /// The loops of the strip; `first` is the outermost of them.
    Strip choose_strip(const Nest& nest, std::size_t& first) {
        Strip strip;
        std::int64_t lanes = 1;
        first = nest.loops.size();
        while (first > 0 && !strip.chunked) {
            const ChainLoop& loop = nest.loops[first - 1];
            const std::int64_t room = kLanes / lanes;
            if (loop.extent && *loop.extent <= room) {
                strip.loops.insert(strip.loops.begin(), {loop.slot, *loop.extent});
                lanes *= *loop.extent;
            } else if (room > 1) {
                strip.loops.insert(strip.loops.begin(), {loop.slot, room});
                strip.chunked = true;
            } else {
                break;
            }
            --first;
        }
        return strip;
    }

    Control compile_nest(const Nest& nest, std::size_t from) {
        std::size_t first = 0;
        const Strip strip = choose_strip(nest, first);
        if (from < first) {
            const ChainLoop& loop = nest.loops[from];
            ScalarCode extent = scalar(loop.node->extent);
            return make_control(LoopControl{loop.slot, std::move(extent), compile_nest(nest, from + 1)});
        }
        Leaf leaf;
        leaf.chunked = strip.chunked;
        std::size_t next = 0;
        if (strip.chunked) {
            leaf.chunk_slot = strip.loops[0].slot;
            leaf.chunk = strip.loops[0].extent;
            leaf.chunk_extent = scalar(nest.loops[first].node->extent);
            next = 1;
        }
        for (; next < strip.loops.size(); ++next) leaf.inner_slots.push_back(strip.loops[next].slot);
        leaf.inner = static_cast<int>(strip.lanes() / leaf.chunk);
        compile_leaf(nest, strip, leaf);
        return make_control(std::move(leaf));
    }

    /// A store by itself: the strip is one iteration, which any store may have.
    Control compile_single(const Store& store) {
        Nest nest;
        nest.store = &store;
        Leaf leaf;
        compile_leaf(nest, {}, leaf);
        return make_control(std::move(leaf));
    }

    // --------------------------------------------------------------------------------- step 4: code

    void compile_leaf(const Nest& nest, const Strip& strip, Leaf& leaf) {
        LeafCompiler code(state_, strip);
        const Store& store = *nest.store;
        const Expr& value = nest.term ? nest.term : store.value;
        for (const Nest::Step& step : nest.steps) {
            code.count_uses(step.expr);
            if (!step.condition) code.count_uses(step.expr); // it is read again through its variable
        }
        for (const Expr& index : store.indices) code.count_uses(index);
        code.count_uses(value);
        if (nest.init) code.count_uses(nest.init->value);
        for (const Nest::Step& step : nest.steps) {
            if (step.condition)
                code.restrict(step.expr);
            else if (code.has_load(step.expr))
                code.emit(step.expr);
        }
        leaf.store.dtype = store.buffer->dtype;
        leaf.store.access = code.access(store.buffer, store.indices);
        const bool bare = code.mask() < 0;
        leaf.store.value = code.emit(value);
        leaf.store.mask = code.mask();
        if (nest.term) {
            leaf.store.fold = fold_kernel(nest.op, store.buffer->dtype);
            if (bare) find_mac(nest, leaf, code);
        }
        set_runs(nest, strip, leaf, code);
        leaf.before = code.take_before();
        leaf.code = code.take_code();
        if (leaf.code.size() != kMacCode) leaf.store.mac = nullptr; // the init has code of its own
        leaf.straight = is_straight(leaf);
    }

    /// Whether what is stored can be computed where it is stored to.
    bool is_straight(const Leaf& leaf) const {
        const Leaf::Store& store = leaf.store;
        if (store.fold || store.mask >= 0 || leaf.code.empty() || lane_bytes(store.dtype) != byte_size(store.dtype) ||
            state_.plan.accesses[static_cast<std::size_t>(store.access)].stride != Access::Stride::Unit)
            return false;
        const Instruction& last = leaf.code.back();
        return last.dst == store.value && (last.code == OpCode::Unary || last.code == OpCode::Binary) &&
               std::none_of(leaf.code.begin(), leaf.code.end(), [](const Instruction& i) {
                   return i.code == OpCode::JumpIfNone || i.code == OpCode::ToSlot;
               });
    }

    /// A sum of products of two loads and nothing else: its code is load, load, multiply.
    void find_mac(const Nest& nest, Leaf& leaf, LeafCompiler& code) {
        const Binary* product = as<Binary>(nest.term);
        if (nest.op != BinaryOp::Add || !product || product->op != BinaryOp::Mul) return;
        if (!as<Load>(product->a) || !as<Load>(product->b) || product->a == product->b) return;
        const LaneCode& made = code.code();
        if (made.size() != kMacCode || made[0].code != OpCode::Load || made[1].code != OpCode::Load) return;
        leaf.store.mac = mac_kernel(product->dtype);
        leaf.store.mac_a = made[0].index;
        leaf.store.mac_b = made[1].index;
    }

    void set_runs(const Nest& nest, const Strip& strip, Leaf& leaf, LeafCompiler& code) {
        const Access& access = state_.plan.accesses[static_cast<std::size_t>(leaf.store.access)];
        const auto moves = [&access](const StripLoop& loop) {
            return std::any_of(access.offset.index.terms.begin(), access.offset.index.terms.end(),
                               [&loop](const Linear::Term& term) { return term.slot == loop.slot; });
        };
        leaf.run = 1;
        for (std::size_t l = strip.loops.size(); l-- > 0 && access.extra.empty() && !moves(strip.loops[l]);)
            leaf.run *= static_cast<int>(strip.loops[l].extent);
        if (!nest.init) return;
        leaf.init_value = code.emit(nest.init->value);
        for (const Expr& iter : nest.reduce_iters) {
            const std::optional<int> linear = code.lane_linear(iter);
            if (!linear) return set_init_mask(nest, leaf, code);
            leaf.reduce_iters.push_back(*linear);
        }
        find_starts(leaf);
    }

    void set_init_mask(const Nest& nest, Leaf& leaf, LeafCompiler& code) {
        Expr all_zero = boolean(true);
        for (const Expr& iter : nest.reduce_iters) all_zero = all_zero && eq(iter, imm(0));
        leaf.reduce_iters.clear();
        leaf.run = 1;
        code.count_uses(all_zero);
        leaf.init_mask = code.emit(all_zero);
        made_.push_back(all_zero);
    }

    /// Whether in every lane but the first of a run some reduce iterator is greater than in the first.
    void find_starts(Leaf& leaf) {
        const int lanes = leaf.inner * static_cast<int>(leaf.chunk);
        leaf.starts_only = true;
        for (int lane = 0; lane < lanes; ++lane) {
            const int start = lane / leaf.run * leaf.run;
            bool later = lane == start;
            for (int linear : leaf.reduce_iters) {
                const std::vector<std::int64_t>& pattern =
                    state_.plan.linears[static_cast<std::size_t>(linear)].pattern;
                later |= pattern[static_cast<std::size_t>(lane)] > pattern[static_cast<std::size_t>(start)];
            }
            leaf.starts_only &= later;
        }
    }

    PlanState state_;
    std::vector<Expr> made_; ///< expressions made here, alive while code refers to them by address
};

} // namespace

std::int64_t extent_value(const Expr& extent, const SizeMap& sizes) {
    Bounds bounds;
    for (const auto& [var, size] : sizes) bounds[var] = {size, size};
    const std::optional<Interval> interval = interval_of(extent, bounds);
    ORRERY_ASSERT(interval && interval->min == interval->max, "a shape is known when the program starts");
    return interval->min;
}

Plan plan_program(const Program& program, std::span<const std::vector<std::int64_t>> shapes) {
    return Planner(program, shapes).take();
}

} // namespace orrery::tensor
