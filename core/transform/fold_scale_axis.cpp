// Products with one number a channel move to convolutions and matrix products whose constant weights take them up:
//   backward  to the weights above: conv(x, W) * s -> conv(x, W * s)
//   forward   to the weights below: conv(x * s, W) -> conv(x, W * s)
// Steps:
// 1. Each product, in order, looks upwards: everything it multiplies must take the factors, on all branches of sums and
//    concatenations, and nobody else may see any of it. Operators that commute with positive factors only - relu,
//    leaky_relu, max_pool - ask that all are positive; constants of sums are scaled along; another product's constant
//    takes them up.
// 2. Each product that is left looks downwards: everyone who uses it must take the factors, on all branches. Constants
//    of sums are divided by them.
// 3. What was found is written down as changes of single bindings, which compose by multiplying, and applied in one go.

#include "core/graph/builder.hpp"
#include "core/ops/ops.hpp"
#include "core/transform/options.hpp"
#include "core/transform/passes.hpp"
#include "core/transform/rule_rewriter.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <unordered_map>

namespace orrery::transform {

namespace {

using graph::Binding;
using graph::CallOp;
using graph::Var;
using Numbers = std::vector<double>;

/// The channels of a value: which axis, how many.
struct Channels {
    std::size_t rank = 0, axis = 0;
    std::int64_t count = 0;
    friend bool operator==(const Channels&, const Channels&) = default;
};

/// One number a channel of a constant that broadcasts to values with those channels; nullopt when it varies along
/// another axis.
std::optional<Numbers> per_channel(const NDArray& array, const Channels& channels) {
    if (array.shape().size() > channels.rank) return std::nullopt;
    const std::size_t shift = channels.rank - array.shape().size();
    for (std::size_t d = 0; d < array.shape().size(); ++d) {
        const bool along = shift + d == channels.axis;
        if (array.shape()[d] != 1 && (!along || array.shape()[d] != channels.count)) return std::nullopt;
    }
    Numbers numbers;
    for (std::int64_t i = 0; i < channels.count; ++i) numbers.push_back(array.as_double(array.size() == 1 ? 0 : i));
    return numbers;
}

bool all_positive(const Numbers& numbers) {
    return std::ranges::all_of(numbers, [](double n) { return n > 0 && std::isfinite(n); });
}

/// Factors that broadcast to an array: numbers at row-major positions of `shape`.
struct Factors {
    Shape shape;
    Numbers numbers;
};

/// One row of a product: both steps are 0 or 1 element.
template <class T> void multiply_row(const T* a, const double* b, T* out, std::int64_t count, const bool (&moves)[2]) {
    for (std::int64_t i = 0; i < count; ++i)
        out[i] = static_cast<T>(static_cast<double>(a[moves[0] ? i : 0]) * b[moves[1] ? i : 0]);
}

/// The product of an array and factors, broadcast as numpy does. Pre: they broadcast.
NDArray product(const NDArray& array, const Factors& factors) {
    const std::size_t rank = std::max<std::size_t>({array.shape().size(), factors.shape.size(), 1});
    Shape a = array.shape(), b = factors.shape, out;
    a.insert(a.begin(), rank - a.size(), 1);
    b.insert(b.begin(), rank - b.size(), 1);
    for (std::size_t d = 0; d < rank; ++d) out.push_back(std::max(a[d], b[d]));
    NDArray result = NDArray::allocate(array.dtype(), out);
    const std::int64_t row = out.back(), rows = row == 0 ? 0 : result.size() / row;
    const bool moves[2] = {a.back() != 1, b.back() != 1};
    Shape at(rank, 0);
    for (std::int64_t r = 0; r < rows; ++r) {
        std::int64_t from = 0, factor = 0;
        for (std::size_t d = 0; d < rank; ++d) {
            from = from * a[d] + (a[d] == 1 ? 0 : at[d]);
            factor = factor * b[d] + (b[d] == 1 ? 0 : at[d]);
        }
        const double* numbers = factors.numbers.data() + factor;
        if (array.dtype() == DType::F32)
            multiply_row(static_cast<const float*>(array.data()) + from, numbers,
                         static_cast<float*>(result.mutable_data()) + r * row, row, moves);
        else
            for (std::int64_t i = 0; i < row; ++i)
                result.set(r * row + i, array.as_double(from + (moves[0] ? i : 0)) * numbers[moves[1] ? i : 0]);
        for (std::size_t d = rank - 1; d-- > 0;) {
            if (++at[d] < out[d]) break;
            at[d] = 0;
        }
    }
    const std::size_t least = std::max(array.shape().size(), factors.shape.size());
    return least == rank ? result : result.reshaped({});
}

/// Bytes hold no weights times a factor.
bool sums_bytes(const CallOp& call) {
    return call.attrs.has("out_dtype") && call.attrs.dtype("out_dtype") == DType::I32;
}
bool is_conv(const CallOp& call) {
    if (sums_bytes(call)) return false;
    return call.op.name == "conv1d" || call.op.name == "conv2d" || call.op.name == "conv3d";
}
bool is_plain_matmul(const CallOp& call) {
    return call.op.name == "matmul" && !sums_bytes(call) && !call.attrs.flag("transpose_a") &&
           graph::as_tensor(call.args[1]->type)->dims.size() == 2;
}
bool passes_positive(const CallOp& call) {
    return call.op.name == "relu" || call.op.name == "leaky_relu" || call.op.name == "max_pool";
}
bool is_pool(const CallOp& call) { return call.op.name == "max_pool" || call.op.name == "avg_pool"; }

/// One number for each element of an axis.
struct Scale {
    std::size_t axis = 0;
    Numbers numbers;

    [[nodiscard]] Scale along(std::size_t other) const { return {other, numbers}; }
    [[nodiscard]] Scale inverse() const {
        Scale out = *this;
        for (double& n : out.numbers) n = 1 / n;
        return out;
    }
    [[nodiscard]] Scale part(std::int64_t begin, std::int64_t count) const {
        return {axis, {numbers.begin() + begin, numbers.begin() + begin + count}};
    }
};

void compose(Numbers& with, const Numbers& numbers) {
    if (with.empty()) with.assign(numbers.size(), 1);
    for (std::size_t i = 0; i < numbers.size(); ++i) with[i] *= numbers[i];
}

/// What becomes of one binding.
struct Change {
    bool removed = false; ///< a product, which stands for its operand `through` from here on
    std::size_t through = 0;
    Numbers outputs, inputs;                ///< of weights, a channel; empty: as they are
    std::map<std::size_t, Scale> constants; ///< operands that are constants, and what they are multiplied by
    OriginSet origin;                       ///< of the products taken up
};
using Changes = std::unordered_map<Var, Change>;

/// Finds where products go, on the function as it is.
class ScalePlanner {
  public:
    explicit ScalePlanner(const graph::Function& function) : function_(function), counts_(graph::use_counts(function)) {
        for (const Binding& binding : function->bindings) {
            bindings_.emplace(binding.var, &binding);
            for (const Var& operand : graph::operands(binding.value))
                if (operand) users_[operand].push_back(&binding);
        }
    }

    struct Directions {
        bool forward = true, backward = true;
    };
    Changes run(const Directions& directions) {
        for (const bool upwards : {true, false}) {
            up_ = upwards;
            if (!(upwards ? directions.backward : directions.forward)) continue;
            for (const Binding& binding : function_->bindings) try_product(binding);
        }
        return std::move(changes_);
    }

  private:
    static constexpr int kMostSteps = 256; ///< values between one product and all of the weights; our choice

    // ------------------------------------------------------------------------------------ values

    const CallOp* call_of(const Var& var) const {
        const auto it = bindings_.find(var);
        return it == bindings_.end() ? nullptr : graph::as<CallOp>(it->second->value);
    }
    const NDArray* constant_of(const Var& var) const {
        const auto it = bindings_.find(var);
        const auto* constant = it == bindings_.end() ? nullptr : graph::as<graph::Constant>(it->second->value);
        return constant ? &constant->value : nullptr;
    }
    bool alone(const Var& var) const {
        const auto it = counts_.find(var);
        return it != counts_.end() && it->second == 1;
    }
    bool is_removed(const Var& var) const {
        const auto it = changes_.find(var);
        return it != changes_.end() && it->second.removed;
    }
    /// The operand of a product that is a constant while the other has the product's type; 2 when there is none.
    std::size_t factor_of(const CallOp& call, const Var& var) const {
        for (const std::size_t side : {1, 0})
            if (constant_of(call.args[side]) && graph::equal(call.args[1 - side]->type, var->type)) return side;
        return 2;
    }

    // ---------------------------------------------------------------------------------- a product

    void try_product(const Binding& binding) {
        const CallOp* call = graph::as<CallOp>(binding.value);
        const std::optional<Shape> shape = shape_of(binding.var);
        if (!call || call->op.name != "multiply" || !shape || is_removed(binding.var) ||
            !is_float(graph::as_tensor(binding.var->type)->dtype))
            return;
        const std::size_t side = factor_of(*call, binding.var);
        if (side > 1) return;
        std::vector<std::size_t> axes{1};
        if (shape->size() != 2) axes.push_back(shape->size() - 1);
        for (const std::size_t axis : axes) {
            if (axis >= shape->size()) continue;
            std::optional<Numbers> numbers =
                per_channel(*constant_of(call->args[side]), {shape->size(), axis, (*shape)[axis]});
            if (!numbers) continue;
            if (const auto it = changes_.find(binding.var); it != changes_.end())
                if (const auto more = it->second.constants.find(side); more != it->second.constants.end()) {
                    if (more->second.axis != axis) continue;
                    compose(*numbers, more->second.numbers);
                }
            if (!std::ranges::all_of(*numbers, [](double n) { return std::isfinite(n); })) continue;
            if (take(binding, *call, 1 - side, {axis, *std::move(numbers)})) return;
        }
    }

    bool take(const Binding& binding, const CallOp& call, std::size_t data, const Scale& scale) {
        plan_.clear();
        steps_ = 0;
        if (!(up_ ? up(call.args[data], scale) : down(binding.var, scale)) || plan_.empty()) return false;
        for (const auto& [var, planned] : plan_) {
            Change& change = changes_[var];
            if (!planned.outputs.empty()) compose(change.outputs, planned.outputs);
            if (!planned.inputs.empty()) compose(change.inputs, planned.inputs);
            for (const auto& [operand, factors] : planned.constants) {
                Scale& with = change.constants[operand];
                with.axis = factors.axis;
                compose(with.numbers, factors.numbers);
            }
            change.origin = unite(change.origin, binding.origin);
        }
        Change& own = changes_[binding.var];
        own.removed = true;
        own.through = data;
        return true;
    }

    /// A constant operand times factors; false when an earlier product scaled it along another axis.
    bool scale_constant(const Var& var, std::size_t operand, const Scale& scale) {
        if (const auto it = changes_.find(var); it != changes_.end())
            if (const auto old = it->second.constants.find(operand);
                old != it->second.constants.end() && old->second.axis != scale.axis)
                return false;
        const auto [at, fresh] = plan_[var].constants.emplace(operand, scale);
        if (!fresh) compose(at->second.numbers, scale.numbers);
        return true;
    }

    /// Whether the value has an axis that the factors fit, and a type that is computed with.
    static bool fits(const Var& var, const Scale& scale) {
        const std::optional<Shape> shape = shape_of(var);
        return shape && scale.axis < shape->size() &&
               (*shape)[scale.axis] == static_cast<std::int64_t>(scale.numbers.size()) &&
               is_float(graph::as_tensor(var->type)->dtype);
    }

    /// The axis of the operand that an axis of the value is, for operators of one operand that a factor passes;
    /// nullopt for those that it does not pass.
    static std::optional<std::size_t> passed(const CallOp& call, const Scale& scale) {
        const std::string& name = call.op.name;
        if (name == "negative" || name == "relu" || name == "leaky_relu" || is_pool(call)) {
            if ((passes_positive(call) && !all_positive(scale.numbers)) || (is_pool(call) && scale.axis != 1))
                return std::nullopt;
            return scale.axis;
        }
        if (name != "transpose") return std::nullopt;
        return static_cast<std::size_t>(call.attrs.ints("perm")[scale.axis]);
    }

    static std::size_t axis_of(const CallOp& call, const Var& var, std::int64_t fallback) {
        const std::int64_t axis = call.attrs.integer("axis", fallback);
        return static_cast<std::size_t>(axis < 0 ? axis + static_cast<std::int64_t>(shape_of(var)->size()) : axis);
    }

    // ------------------------------------------------------------------------------------ upwards

    /// Whether the value can be had times the factors.
    bool up(const Var& var, const Scale& scale) {
        const CallOp* call = call_of(var);
        if (!call || ++steps_ > kMostSteps || !alone(var) || !fits(var, scale)) return false;
        if (is_removed(var)) return up(call->args[changes_.at(var).through], scale);
        if (is_conv(*call) || is_plain_matmul(*call)) {
            if (scale.axis != (is_conv(*call) ? 1 : shape_of(var)->size() - 1) || !constant_of(call->args[1]))
                return false;
            compose(plan_[var].outputs, scale.numbers);
            return true;
        }
        const std::string& name = call->op.name;
        if (name == "multiply") {
            const std::size_t side = factor_of(*call, var);
            return side < 2 && scale_constant(var, side, scale);
        }
        if (name == "bias_add") {
            if (axis_of(*call, var, 1) != scale.axis || !constant_of(call->args[1])) return false;
            return scale_constant(var, 1, scale.along(0)) && up(call->args[0], scale);
        }
        if (name == "add" || name == "subtract") return up_sum(var, *call, scale);
        if (name == "concat") return up_parts(var, *call, scale);
        const std::optional<std::size_t> axis = passed(*call, scale);
        return axis && up(call->args[0], scale.along(*axis));
    }

    bool up_sum(const Var& var, const CallOp& call, const Scale& scale) {
        for (const std::size_t i : {0, 1}) {
            const Var &operand = call.args[i], &other = call.args[1 - i];
            const bool scaled = constant_of(operand)
                                    ? graph::equal(other->type, var->type) && scale_constant(var, i, scale)
                                    : graph::equal(operand->type, var->type) && up(operand, scale);
            if (!scaled) return false;
        }
        return true;
    }

    bool up_parts(const Var& var, const CallOp& call, const Scale& scale) {
        const bool across = axis_of(call, var, 0) == scale.axis;
        std::int64_t at = 0;
        for (std::size_t i = 0; i < call.args.size(); ++i) {
            const std::optional<Shape> shape = shape_of(call.args[i]);
            if (!shape) return false;
            const std::int64_t count = (*shape)[scale.axis];
            const Scale own = across ? scale.part(at, count) : scale;
            at += count;
            if (!(constant_of(call.args[i]) ? scale_constant(var, i, own) : up(call.args[i], own))) return false;
        }
        return true;
    }

    // ---------------------------------------------------------------------------------- downwards

    /// Whether everyone who uses the value takes it without the factors, and makes up for it.
    bool down(const Var& var, const Scale& scale) {
        if (++steps_ > kMostSteps || var == function_->result || !fits(var, scale)) return false;
        const auto users = users_.find(var);
        return users != users_.end() && std::ranges::all_of(users->second, [&](const Binding* user) {
                   const CallOp* call = graph::as<CallOp>(user->value);
                   return call && std::ranges::count(call->args, var) == 1 && down_into(*user, *call, var, scale);
               });
    }

    bool down_into(const Binding& user, const CallOp& call, const Var& var, const Scale& scale) {
        const auto at = static_cast<std::size_t>(std::ranges::find(call.args, var) - call.args.begin());
        if (is_removed(user.var)) return at == changes_.at(user.var).through && down(user.var, scale);
        if (is_conv(call) || is_plain_matmul(call)) {
            if (at != 0 || !constant_of(call.args[1]) || !fits(call.args[0], scale) ||
                scale.axis != (is_conv(call) ? 1 : shape_of(var)->size() - 1))
                return false;
            compose(plan_[user.var].inputs, scale.numbers);
            return true;
        }
        const std::string& name = call.op.name;
        if (name == "multiply") {
            const std::size_t side = factor_of(call, user.var);
            return side < 2 && side != at && scale_constant(user.var, side, scale);
        }
        if (name == "bias_add")
            return at == 0 && axis_of(call, user.var, 1) == scale.axis && constant_of(call.args[1]) && divides(scale) &&
                   scale_constant(user.var, 1, scale.along(0).inverse()) && down(user.var, scale);
        if (name == "add" || name == "subtract")
            return constant_of(call.args[1 - at]) && graph::equal(var->type, user.var->type) && divides(scale) &&
                   scale_constant(user.var, 1 - at, scale.inverse()) && down(user.var, scale);
        if (name == "concat") return axis_of(call, user.var, 0) == scale.axis && down_part(user, call, at, scale);
        if (name == "transpose") {
            const graph::Ints& perm = call.attrs.ints("perm");
            const auto to = std::ranges::find(perm, static_cast<std::int64_t>(scale.axis)) - perm.begin();
            return down(user.var, scale.along(static_cast<std::size_t>(to)));
        }
        return passed(call, scale) && down(user.var, scale);
    }

    /// The other parts of a concatenation are as they were: factors of 1.
    bool down_part(const Binding& user, const CallOp& call, std::size_t at, const Scale& scale) {
        Scale whole{scale.axis, {}};
        for (std::size_t i = 0; i < call.args.size(); ++i) {
            const std::optional<Shape> shape = shape_of(call.args[i]);
            if (!shape) return false;
            if (i == at)
                whole.numbers.insert(whole.numbers.end(), scale.numbers.begin(), scale.numbers.end());
            else
                whole.numbers.insert(whole.numbers.end(), static_cast<std::size_t>((*shape)[scale.axis]), 1.0);
        }
        return down(user.var, whole);
    }

    /// Whether a sum's constant may be divided by the factors.
    static bool divides(const Scale& scale) {
        constexpr double kSmallest = 1e-6, kLargest = 1e6; // our choice: beyond, the quotients lose the sum's digits
        return std::ranges::all_of(scale.numbers,
                                   [](double n) { return std::abs(n) >= kSmallest && std::abs(n) <= kLargest; });
    }

    const graph::Function& function_;
    std::unordered_map<Var, int> counts_;
    std::unordered_map<Var, const Binding*> bindings_;
    std::unordered_map<Var, std::vector<const Binding*>> users_;
    Changes changes_, plan_;
    int steps_ = 0;
    bool up_ = true;
};

/// Applies changes.
class ScaleFolder final : public graph::Rewriter {
  public:
    ScaleFolder(const pass::Context& context, const Changes& changes) : Rewriter(context.recorder), changes_(changes) {}

  protected:
    Var rewrite_binding(const Binding& binding) override {
        const auto it = changes_.find(binding.var);
        if (it == changes_.end()) return keep(binding);
        const Change& change = it->second;
        const CallOp& call = *graph::as<CallOp>(binding.value);
        if (change.removed) return alias(binding, call.args[change.through], "a factor into weights");
        std::vector<Var> args = call.args;
        const Binding from{binding.var, binding.value, unite(binding.origin, change.origin)};
        if (!change.outputs.empty()) args[1] = scaled(from, args[1], over_outputs(call, change.outputs));
        if (!change.inputs.empty()) args[1] = scaled(from, args[1], over_inputs(call, change.inputs));
        const std::size_t rank = shape_of(binding.var)->size();
        for (const auto& [operand, scale] : change.constants)
            args[operand] = scaled(from, args[operand], over_constant(call, args[operand], rank, scale));
        const Var var =
            replace(binding, make_ref<const CallOp>(call.op, std::move(args), call.attrs), "takes up a factor");
        builder().add_origin(var, change.origin);
        return var;
    }

  private:
    Var scaled(const Binding& binding, const Var& constant, const Factors& factors) {
        const Binding from{binding.var, binding.value, unite(binding.origin, builder().origin_of(constant))};
        return emit(from, make_ref<const graph::Constant>(product(*constant_of(constant), factors)), constant->name);
    }

    /// One number an output channel, as the weights lie.
    static Factors over_outputs(const CallOp& call, const Numbers& s) {
        Shape along(shape_of(call.args[1])->size(), 1);
        const bool last = !is_conv(call) && !call.attrs.flag("transpose_b");
        (last ? along.back() : along.front()) = static_cast<std::int64_t>(s.size());
        return {along, s};
    }

    /// One number an input channel. Output channel m of group g sees channels from g * C / groups on.
    static Factors over_inputs(const CallOp& call, const Numbers& s) {
        const Shape shape = *shape_of(call.args[1]);
        Shape along(shape.size(), 1);
        if (!is_conv(call)) {
            along[call.attrs.flag("transpose_b") ? 1 : 0] = static_cast<std::int64_t>(s.size());
            return {along, s};
        }
        const std::int64_t groups = call.attrs.integer("groups", 1), inner = shape[1], filters = shape[0] / groups;
        along[0] = shape[0];
        along[1] = inner;
        Numbers numbers;
        for (std::int64_t m = 0; m < shape[0]; ++m)
            for (std::int64_t i = 0; i < inner; ++i)
                numbers.push_back(s[static_cast<std::size_t>(m / filters * inner + i)]);
        return {along, numbers};
    }

    /// Over a constant operand: at its rank, or at as many axes as reach the channels. A bias has the one axis.
    static Factors over_constant(const CallOp& call, const Var& constant, std::size_t rank, const Scale& scale) {
        const auto count = static_cast<std::int64_t>(scale.numbers.size());
        if (call.op.name == "bias_add") return {{count}, scale.numbers};
        Shape along(std::max(shape_of(constant)->size(), rank - scale.axis), 1);
        along[scale.axis + along.size() - rank] = count;
        return {along, scale.numbers};
    }

    const Changes& changes_;
};

} // namespace

Result<graph::Module> fold_scale_axis(const graph::Module& module, const pass::Context& context) {
    ScalePlanner::Directions directions;
    ORRERY_TRY(directions.forward, flag_option(context, "forward", true));
    ORRERY_TRY(directions.backward, flag_option(context, "backward", true));
    const Changes changes = ScalePlanner(module.main).run(directions);
    if (changes.empty()) return module;
    graph::Module out = module;
    out.main = ScaleFolder(context, changes).run(module.main);
    // What the factors passed through is left unused.
    return dead_code(out, quiet(context));
}

} // namespace orrery::transform
