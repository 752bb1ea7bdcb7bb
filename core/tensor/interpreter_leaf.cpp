// Shared state; questions about expressions (what they load, whether they vary over the lanes, what sum they are);
// indices and accesses; at the end, code.

#include "core/tensor/interpreter_leaf.hpp"

#include "core/tensor/build.hpp"

#include <limits>

namespace orrery::tensor {

namespace {

std::int64_t wrap_add(std::int64_t a, std::int64_t b) {
    return static_cast<std::int64_t>(static_cast<std::uint64_t>(a) + static_cast<std::uint64_t>(b));
}
std::int64_t wrap_multiply(std::int64_t a, std::int64_t b) {
    return static_cast<std::int64_t>(static_cast<std::uint64_t>(a) * static_cast<std::uint64_t>(b));
}

/// sum += factor * slot.
void add_slot(Linear& sum, int slot, std::int64_t factor) {
    auto at = std::lower_bound(sum.terms.begin(), sum.terms.end(), slot,
                               [](const Linear::Term& term, int value) { return term.slot < value; });
    if (at != sum.terms.end() && at->slot == slot) {
        at->coefficient = wrap_add(at->coefficient, factor);
        if (at->coefficient == 0) sum.terms.erase(at);
    } else if (factor != 0) {
        sum.terms.insert(at, {slot, factor});
    }
}

/// sum += factor * other.
void add_linear(Linear& sum, const Linear& other, std::int64_t factor) {
    sum.constant = wrap_add(sum.constant, wrap_multiply(factor, other.constant));
    for (const Linear::Term& term : other.terms) add_slot(sum, term.slot, wrap_multiply(factor, term.coefficient));
}

/// The operands of an expression, for walks that treat all kinds alike.
template <class F> void for_each_operand(const Expr& expr, F&& f) {
    switch (expr->kind) {
    case NodeKind::Binary: {
        const Binary& node = *as<Binary>(expr);
        f(node.a);
        f(node.b);
        return;
    }
    case NodeKind::Call:
        for (const Expr& arg : as<Call>(expr)->args) f(arg);
        return;
    case NodeKind::Cast: return f(as<Cast>(expr)->value);
    case NodeKind::Select: {
        const Select& node = *as<Select>(expr);
        f(node.condition);
        f(node.then_value);
        f(node.else_value);
        return;
    }
    case NodeKind::Load:
        for (const Expr& index : as<Load>(expr)->indices) f(index);
        return;
    default: return;
    }
}

bool is_constant(const Expr& expr) { return expr->kind == NodeKind::IntImm || expr->kind == NodeKind::FloatImm; }

} // namespace

// ------------------------------------------------------------------------------------- shared state

int PlanState::new_register() {
    if (free_registers.empty()) return plan.register_count++;
    const int reg = free_registers.back();
    free_registers.pop_back();
    return reg;
}

int PlanState::constant_register(const Expr& value) {
    std::uint64_t bits = 0;
    write_constant(value, &bits);
    for (const Plan::Constant& known : plan.constants) {
        std::uint64_t other = 0;
        write_constant(known.value, &other);
        if (known.value->dtype == value->dtype && other == bits) return known.reg;
    }
    plan.constants.push_back({plan.register_count++, value});
    return plan.constants.back().reg;
}

int PlanState::buffer_index(const Buffer& buffer) const {
    const auto found = buffers.find(buffer.get());
    ORRERY_ASSERT(found != buffers.end(), buffer->name + ": the buffer is a parameter or allocated");
    return found->second;
}

int Strip::lanes() const {
    int count = 1;
    for (const StripLoop& loop : loops) count *= static_cast<int>(loop.extent);
    return count;
}

// ------------------------------------------------------------------------------------- questions

LeafCompiler::LeafCompiler(PlanState& state, Strip strip) : state_(state), strip_(std::move(strip)) {
    const int lanes = strip_.lanes();
    int inner = lanes;
    for (const StripLoop& loop : strip_.loops) {
        inner /= static_cast<int>(loop.extent);
        std::vector<std::int64_t>& values = lane_values_.emplace_back(static_cast<std::size_t>(lanes));
        for (int lane = 0; lane < lanes; ++lane) values[static_cast<std::size_t>(lane)] = lane / inner % loop.extent;
    }
}

LeafCompiler::~LeafCompiler() {
    state_.free_registers.insert(state_.free_registers.end(), owned_.begin(), owned_.end());
}

const Expr& LeafCompiler::behind(const Expr& expr) const {
    const Expr* at = &expr;
    while (const Var* var = as<Var>(*at)) {
        const auto found = state_.vars.find(var);
        ORRERY_ASSERT(found != state_.vars.end(), var->name + ": the variable is in scope");
        const Expr* other = std::get_if<Expr>(&found->second);
        if (!other) break;
        at = other;
    }
    return *at;
}

const LeafCompiler::Traits& LeafCompiler::traits_of(const Expr& given) {
    const Expr& expr = behind(given);
    if (const auto found = traits_.find(expr.get()); found != traits_.end()) return found->second;
    Traits traits;
    if (const Var* var = as<Var>(expr)) {
        if (const Linear* linear = std::get_if<Linear>(&state_.vars.at(var)))
            for (const Linear::Term& term : linear->terms)
                for (const StripLoop& loop : strip_.loops) traits.varying |= loop.slot == term.slot;
    }
    for_each_operand(expr, [&](const Expr& operand) {
        const Traits& inner = traits_of(operand);
        traits.load |= inner.load;
        traits.varying |= inner.varying;
    });
    traits.load |= expr->kind == NodeKind::Load;
    return traits_[expr.get()] = traits;
}

void LeafCompiler::count_uses(const Expr& given) {
    const Expr& expr = behind(given);
    (void)traits_of(expr);
    if (++traits_[expr.get()].uses > 1) return;
    for_each_operand(expr, [this](const Expr& operand) { count_uses(operand); });
}

bool LeafCompiler::has_load(const Expr& expr) { return traits_of(expr).load; }

bool LeafCompiler::is_uniform(const Expr& expr) {
    const Traits& traits = traits_of(expr);
    return !strip_.loops.empty() && !traits.load && !traits.varying;
}

bool LeafCompiler::is_uniform(const Sum& sum) {
    return std::all_of(sum.terms.begin(), sum.terms.end(), [this](const auto& term) { return is_uniform(term.first); });
}

void LeafCompiler::add_to(Sum& sum, const Expr& given, std::int64_t factor) {
    const Expr& expr = behind(given);
    if (const IntImm* imm = as<IntImm>(expr)) {
        sum.linear.constant = wrap_add(sum.linear.constant, wrap_multiply(factor, imm->value));
        return;
    }
    if (const Var* var = as<Var>(expr)) {
        if (const Linear* linear = std::get_if<Linear>(&state_.vars.at(var)))
            return add_linear(sum.linear, *linear, factor);
    }
    // Sums of loaded values are data, computed once however often they are used.
    if (const Binary* node = as<Binary>(expr); node && !has_load(expr)) {
        if (node->op == BinaryOp::Add || node->op == BinaryOp::Sub) {
            add_to(sum, node->a, factor);
            return add_to(sum, node->b, node->op == BinaryOp::Add ? factor : wrap_multiply(factor, -1));
        }
        if (node->op == BinaryOp::Mul) {
            if (const IntImm* c = as<IntImm>(behind(node->b)))
                return add_to(sum, node->a, wrap_multiply(factor, c->value));
            if (const IntImm* c = as<IntImm>(behind(node->a)))
                return add_to(sum, node->b, wrap_multiply(factor, c->value));
        }
    }
    for (auto& [term, coefficient] : sum.terms)
        if (term == expr) {
            coefficient = wrap_add(coefficient, factor);
            return;
        }
    sum.terms.emplace_back(expr, factor);
}

LeafCompiler::Sum LeafCompiler::sum_of(const Expr& expr) {
    ORRERY_ASSERT(expr->dtype == DType::I64, "an index is i64");
    Sum sum;
    add_to(sum, expr, 1);
    std::erase_if(sum.terms, [](const auto& term) { return term.second == 0; });
    return sum;
}

bool LeafCompiler::same_index(const std::vector<Expr>& a, const std::vector<Expr>& b) {
    for (std::size_t d = 0; d < a.size(); ++d) {
        const Sum x = sum_of(a[d]), y = sum_of(b[d]);
        if (x.linear != y.linear || x.terms.size() != y.terms.size()) return false;
        for (std::size_t t = 0; t < x.terms.size(); ++t)
            if (x.terms[t].second != y.terms[t].second || !structural_equal(x.terms[t].first, y.terms[t].first))
                return false;
    }
    return true;
}

// ------------------------------------------------------------------------------------- indices

LaneLinear LeafCompiler::over_lanes(Linear linear) const {
    LaneLinear result;
    result.pattern.assign(static_cast<std::size_t>(strip_.lanes()), 0);
    for (std::size_t l = 0; l < strip_.loops.size(); ++l) {
        const StripLoop& loop = strip_.loops[l];
        for (const Linear::Term& term : linear.terms) {
            if (term.slot != loop.slot) continue;
            for (std::size_t lane = 0; lane < result.pattern.size(); ++lane)
                result.pattern[lane] =
                    wrap_add(result.pattern[lane], wrap_multiply(term.coefficient, lane_values_[l][lane]));
            const std::int64_t last = wrap_multiply(term.coefficient, loop.extent - 1);
            if (strip_.chunked && l == 0)
                result.chunk_step = term.coefficient;
            else
                (last < 0 ? result.inner_min : result.inner_max) += last;
        }
    }
    result.index = std::move(linear);
    return result;
}

int LeafCompiler::hoist(const Expr& expr) {
    if (const auto found = hoisted_.find(expr.get()); found != hoisted_.end()) return found->second;
    LeafCompiler once(state_, {});
    once.count_uses(expr);
    const int reg = once.emit(expr);
    LaneCode code = once.take_code();
    const auto base = static_cast<int>(before_.size());
    for (Instruction& instruction : code)
        if (instruction.code == OpCode::JumpIfNone) instruction.index += base;
    before_.insert(before_.end(), code.begin(), code.end());
    const int slot = state_.new_slot();
    before_.push_back({.code = OpCode::ToSlot, .a = reg, .index = slot});
    return hoisted_[expr.get()] = slot;
}

void LeafCompiler::resolve(const Sum& sum, Linear& linear, std::vector<LaneTerm>& extra) {
    linear = sum.linear;
    for (const auto& [term, coefficient] : sum.terms) {
        if (is_uniform(term)) {
            add_slot(linear, hoist(term), coefficient);
        } else {
            const int reg = emit(term);
            traits_[term.get()].uses += 2; // the register is read later than its users in the expression say
            extra.push_back({reg, coefficient});
        }
    }
}

int LeafCompiler::lane_linear(const Linear& linear) {
    state_.plan.linears.push_back(over_lanes(linear));
    return static_cast<int>(state_.plan.linears.size()) - 1;
}

std::optional<int> LeafCompiler::lane_linear(const Expr& expr) {
    const Sum sum = sum_of(expr);
    if (!is_uniform(sum)) return std::nullopt;
    Linear linear;
    std::vector<LaneTerm> none;
    resolve(sum, linear, none);
    return lane_linear(linear);
}

namespace {

/// Lanes in a row, from each multiple of it on, that a pattern sends to one element.
int run_of(const std::vector<std::int64_t>& pattern) {
    std::size_t run = 0; // the first run's length, which all others are multiples of when they are as long
    while (run < pattern.size() && pattern[run] == pattern[0]) ++run;
    for (std::size_t lane = 0; lane < pattern.size(); ++lane)
        if (pattern[lane] != pattern[lane / run * run]) return 1;
    return static_cast<int>(run);
}

} // namespace

int LeafCompiler::access(const Buffer& buffer, const std::vector<Expr>& indices) {
    Access access;
    access.buffer = state_.buffer_index(buffer);
    const std::vector<std::int64_t> shape = state_.plan.buffers[static_cast<std::size_t>(access.buffer)].shape;
    access.proven = true;
    Linear offset;
    std::int64_t stride = 1;
    for (std::size_t d = shape.size(); d-- > 0;) {
        const std::optional<Interval> interval = interval_of(indices[d], state_.bounds);
        access.proven &= interval && interval->min >= 0 && interval->max < shape[d];
        Linear linear;
        Access::Dimension dimension;
        resolve(sum_of(indices[d]), linear, dimension.extra);
        add_linear(offset, linear, stride);
        for (const LaneTerm& term : dimension.extra)
            access.extra.push_back({term.reg, wrap_multiply(term.coefficient, stride)});
        dimension.index = over_lanes(std::move(linear));
        dimension.extent = shape[d];
        access.dimensions.insert(access.dimensions.begin(), std::move(dimension));
        stride *= shape[d];
    }
    if (access.proven) access.dimensions.clear();
    access.offset = over_lanes(std::move(offset));
    bool fits = true, same = true, unit = true;
    const std::vector<std::int64_t>& pattern = access.offset.pattern;
    for (std::size_t lane = 0; lane < pattern.size(); ++lane) {
        fits &= pattern[lane] == static_cast<std::int32_t>(pattern[lane]);
        same &= pattern[lane] == 0;
        unit &= pattern[lane] == static_cast<std::int64_t>(lane);
    }
    if (fits) access.pattern.assign(pattern.begin(), pattern.end());
    access.stride = same ? Access::Stride::Same : unit ? Access::Stride::Unit : Access::Stride::Any;
    access.run = pattern.empty() ? 1 : run_of(pattern);
    state_.plan.accesses.push_back(std::move(access));
    return static_cast<int>(state_.plan.accesses.size()) - 1;
}

// ------------------------------------------------------------------------------------- code

std::optional<int> LeafCompiler::known(const ExprNode* node) const {
    for (std::size_t frame = known_.size(); frame-- > 0;)
        if (const auto found = known_[frame].find(node); found != known_[frame].end()) return found->second;
    return std::nullopt;
}

int LeafCompiler::allocate() {
    owned_.push_back(state_.new_register());
    return owned_.back();
}

/// Frees the register of an operand that nothing else will read.
void LeafCompiler::drop(const Expr& operand, int reg) {
    const Expr& expr = behind(operand);
    const auto found = known_.back().find(expr.get());
    if (found == known_.back().end() || found->second != reg || traits_[expr.get()].uses > 1) return;
    const auto owner = std::find(owned_.begin(), owned_.end(), reg);
    if (owner == owned_.end()) return;
    owned_.erase(owner);
    known_.back().erase(found);
    state_.free_registers.push_back(reg);
}

int LeafCompiler::append(Instruction instruction) {
    instruction.dst = allocate();
    code_.push_back(instruction);
    return instruction.dst;
}

int LeafCompiler::emit(const Expr& given) {
    const Expr& expr = behind(given);
    if (is_constant(expr)) return state_.constant_register(expr);
    if (const std::optional<int> reg = known(expr.get())) return *reg;
    if (const Var* var = as<Var>(expr)) {
        if (const int* reg = std::get_if<int>(&state_.vars.at(var))) return *reg;
    }
    const int reg = emit_new(expr);
    known_.back()[expr.get()] = reg;
    return reg;
}

int LeafCompiler::emit_new(const Expr& expr) {
    if (expr->dtype == DType::I64) {
        if (const std::optional<int> linear = lane_linear(expr))
            return append({.code = OpCode::Affine, .index = *linear});
    }
    switch (expr->kind) {
    case NodeKind::Binary: return emit_binary(*as<Binary>(expr));
    case NodeKind::Call: return emit_call(*as<Call>(expr));
    case NodeKind::Select: return emit_select(*as<Select>(expr));
    case NodeKind::Load: return emit_load(*as<Load>(expr));
    case NodeKind::Cast: {
        const Expr& value = as<Cast>(expr)->value;
        const int a = emit(value);
        Instruction instruction{.code = OpCode::Unary, .a = a};
        instruction.unary = cast_kernel(expr->dtype, value->dtype);
        const int reg = append(instruction);
        drop(value, a);
        return reg;
    }
    default: fail_internal("every kind of expression is compiled");
    }
}

int LeafCompiler::round(int reg, DType dtype) {
    const UnaryKernel kernel = rounding_kernel(dtype);
    if (!kernel) return reg;
    Instruction instruction{.code = OpCode::Unary, .a = reg};
    instruction.unary = kernel;
    return append(instruction);
}

int LeafCompiler::emit_binary(const Binary& node) {
    const bool logical = node.op == BinaryOp::And || node.op == BinaryOp::Or;
    if (logical && has_load(node.b)) return emit_logical(node);
    if (is_comparison(node.op) && node.a->dtype == DType::I64)
        if (const std::optional<int> reg = emit_comparison(node)) return *reg;
    const int a = emit(node.a), b = emit(node.b);
    Instruction instruction{.code = OpCode::Binary, .a = a, .b = b};
    instruction.binary = binary_kernel(node.op, node.a->dtype);
    const int reg = append(instruction);
    drop(node.a, a);
    drop(node.b, b);
    return is_comparison(node.op) ? reg : round(reg, node.dtype);
}

/// a op b as a - b op 0, where the difference is a sum of slots and cannot overflow.
std::optional<int> LeafCompiler::emit_comparison(const Binary& node) {
    constexpr std::int64_t kSafe = std::int64_t{1} << 61;
    for (const Expr* side : {&node.a, &node.b}) {
        const std::optional<Interval> interval = interval_of(*side, state_.bounds);
        if (!interval || interval->min < -kSafe || interval->max > kSafe) return std::nullopt;
    }
    Sum sum;
    add_to(sum, node.a, 1);
    add_to(sum, node.b, -1);
    std::erase_if(sum.terms, [](const auto& term) { return term.second == 0; });
    if (!is_uniform(sum)) return std::nullopt;
    Linear linear;
    std::vector<LaneTerm> none;
    resolve(sum, linear, none);
    return append({.code = OpCode::Compare, .a = static_cast<int>(node.op), .index = lane_linear(linear)});
}

/// And, Or whose right side must not be evaluated where the left decides.
int LeafCompiler::emit_logical(const Binary& node) {
    const bool is_and = node.op == BinaryOp::And;
    const int a = emit(node.a);
    const Arm b = emit_arm(node.b, a, is_and ? OpCode::MaskAnd : OpCode::MaskAndNot);
    const int decided = state_.constant_register(boolean(!is_and));
    Instruction instruction{
        .code = OpCode::Select, .a = is_and ? b.reg : decided, .b = is_and ? decided : b.reg, .c = a};
    instruction.dtype = DType::Bool;
    (is_and ? instruction.mask : instruction.index) = b.mask;
    instruction.select = select_kernel(DType::Bool);
    return append(instruction);
}

LeafCompiler::Arm LeafCompiler::emit_arm(const Expr& given, int condition, OpCode mask_op) {
    const Expr& expr = behind(given);
    const bool simple = is_constant(expr) || expr->kind == NodeKind::Var || known(expr.get()) ||
                        (!has_load(expr) && expr->dtype == DType::I64 && is_uniform(sum_of(expr)));
    if (simple) return {emit(expr), -1};
    const int mask = append({.code = mask_op, .a = mask_, .b = condition});
    const std::size_t jump = code_.size();
    code_.push_back({.code = OpCode::JumpIfNone, .a = mask});
    const int outer_mask = std::exchange(mask_, mask);
    known_.emplace_back();
    const int reg = emit(expr);
    known_.pop_back();
    mask_ = outer_mask;
    code_[jump].dst = reg;
    code_[jump].index = static_cast<int>(code_.size());
    return {reg, mask};
}

int LeafCompiler::emit_select(const Select& node) {
    const int condition = emit(node.condition);
    const Arm then_arm = emit_arm(node.then_value, condition, OpCode::MaskAnd);
    const Arm else_arm = emit_arm(node.else_value, condition, OpCode::MaskAndNot);
    Instruction instruction{.code = OpCode::Select, .a = then_arm.reg, .b = else_arm.reg, .c = condition};
    instruction.mask = then_arm.mask;
    instruction.index = else_arm.mask;
    instruction.dtype = node.dtype;
    instruction.select = select_kernel(node.dtype);
    return append(instruction); // the arms keep their registers: the result may be one of them
}

int LeafCompiler::emit_call(const Call& node) {
    const int a = emit(node.args[0]);
    Instruction instruction{.code = OpCode::Unary, .a = a};
    if (node.args.size() == 2) {
        instruction.code = OpCode::Binary;
        instruction.b = emit(node.args[1]);
        instruction.binary = intrinsic_kernel(node.intrinsic, node.dtype);
    } else {
        instruction.unary = unary_kernel(node.intrinsic, node.args[0]->dtype);
    }
    const int reg = append(instruction);
    drop(node.args[0], a);
    return round(reg, node.dtype);
}

int LeafCompiler::emit_load(const Load& node) {
    Instruction instruction{.code = OpCode::Load, .mask = mask_, .index = access(node.buffer, node.indices)};
    const DType dtype = node.dtype;
    // In an arm the result may be read where the arm was skipped, so it must be the register's own memory.
    instruction.in_place = known_.size() == 1 && dtype != DType::Bool && rounding_kernel(dtype) == nullptr;
    instruction.dtype = dtype;
    instruction.gather = gather_kernel(dtype);
    return append(instruction);
}

void LeafCompiler::restrict(const Expr& condition) {
    const int reg = emit(condition);
    mask_ = append({.code = OpCode::MaskAnd, .a = mask_, .b = reg});
    code_.push_back({.code = OpCode::JumpIfNone, .a = mask_, .index = -1});
}

} // namespace orrery::tensor
