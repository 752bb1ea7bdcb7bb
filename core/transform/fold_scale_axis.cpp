// A product with one number a channel moves along a chain of values that nobody else uses, to a convolution or matrix
// product whose constant weights take it up. Two directions:
//   backward  the weights above: conv(x, W) * s -> conv(x, W * s)
//   forward   the weights below: conv(x * s, W) -> conv(x, W * s)
// On the way a sum with a constant is scaled (backward) or divided (forward) likewise, and operators that commute with
// positive factors only - relu, leaky_relu, max_pool - ask that every number is positive.

#include "core/graph/builder.hpp"
#include "core/ops/ops.hpp"
#include "core/transform/options.hpp"
#include "core/transform/passes.hpp"
#include "core/transform/rule_rewriter.hpp"

#include <algorithm>
#include <cmath>

namespace orrery::transform {

namespace {

using graph::Attrs;
using graph::Binding;
using graph::CallOp;
using graph::Expr;
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

/// The product of an array and factors, broadcast as numpy does. Pre: they broadcast.
NDArray product(const NDArray& array, const Factors& factors) {
    const std::size_t rank = std::max(array.shape().size(), factors.shape.size());
    Shape a = array.shape(), b = factors.shape, out;
    a.insert(a.begin(), rank - a.size(), 1);
    b.insert(b.begin(), rank - b.size(), 1);
    for (std::size_t d = 0; d < rank; ++d) out.push_back(std::max(a[d], b[d]));
    NDArray result = NDArray::allocate(array.dtype(), out);
    Shape at(rank, 0);
    for (std::int64_t i = 0; i < result.size(); ++i) {
        std::int64_t from = 0, factor = 0;
        for (std::size_t d = 0; d < rank; ++d) {
            from = from * a[d] + (a[d] == 1 ? 0 : at[d]);
            factor = factor * b[d] + (b[d] == 1 ? 0 : at[d]);
        }
        result.set(i, array.as_double(from) * factors.numbers[static_cast<std::size_t>(factor)]);
        for (std::size_t d = rank; d-- > 0;) {
            if (++at[d] < out[d]) break;
            at[d] = 0;
        }
    }
    return result;
}

bool is_conv(const CallOp& call) {
    return call.op.name == "conv1d" || call.op.name == "conv2d" || call.op.name == "conv3d";
}
bool is_plain_matmul(const CallOp& call) {
    return call.op.name == "matmul" && !call.attrs.flag("transpose_a") &&
           graph::as_tensor(call.args[1]->type)->dims.size() == 2;
}
/// Operators through which a positive factor passes, and those through which any does.
bool passes_positive(const CallOp& call) {
    return call.op.name == "relu" || call.op.name == "leaky_relu" || call.op.name == "max_pool";
}
bool passes_any(const CallOp& call) { return call.op.name == "avg_pool"; }

class ScaleFolder final : public graph::Rewriter {
  public:
    struct Directions {
        bool forward = true, backward = true;
    };
    ScaleFolder(const pass::Context& context, const graph::Function& function, const Directions& directions)
        : Rewriter(context.recorder), directions_(directions), uses_(graph::use_counts(function)) {}

  protected:
    Var rewrite_binding(const Binding& binding) override {
        const Var var = rewritten(binding);
        if (var != binding.var) uses_[var] += uses_[binding.var];
        return var;
    }

  private:
    static constexpr int kLongestChain = 16; ///< values between factor and weights; our choice

    Var rewritten(const Binding& binding) {
        const auto* call = graph::as<CallOp>(binding.value);
        const auto* type = graph::as_tensor(binding.var->type);
        if (!call || !type || !is_float(type->dtype) || !graph::is_static(*type)) return keep(binding);
        if (directions_.backward && call->op.name == "multiply")
            if (const Var folded = backward(binding, *call)) return folded;
        if (directions_.forward && (is_conv(*call) || is_plain_matmul(*call)))
            if (const Var folded = forward(binding, *call)) return folded;
        return keep(binding);
    }

    const CallOp* call_of(const Var& var) const {
        const Expr value = var ? value_of(var) : Expr();
        return value ? graph::as<CallOp>(value) : nullptr;
    }
    bool alone(const Var& var) const {
        const auto it = uses_.find(var);
        return it != uses_.end() && it->second == 1;
    }
    Var emit_call(const Binding& binding, const CallOp& like, std::vector<Var> args, const Var& old) {
        const Binding origin{binding.var, binding.value, unite(binding.origin, builder().origin_of(old))};
        return once(emit(origin, make_ref<const CallOp>(like.op, std::move(args), like.attrs), old->name));
    }
    Var once(const Var& var) {
        uses_[var] = 1;
        return var;
    }

    // ------------------------------------------------------------------------------ weights

    Var scaled(const Binding& binding, const Var& constant, const Factors& factors) {
        const Binding from{binding.var, binding.value, unite(binding.origin, builder().origin_of(constant))};
        return emit(from, make_ref<const graph::Constant>(product(*constant_of(constant), factors)), constant->name);
    }

    /// Weights times one number an output channel.
    Var scaled_outputs(const Binding& binding, const CallOp& call, const Numbers& s) {
        Shape along(shape_of(call.args[1])->size(), 1);
        const bool last = !is_conv(call) && !call.attrs.flag("transpose_b");
        (last ? along.back() : along.front()) = static_cast<std::int64_t>(s.size());
        return scaled(binding, call.args[1], {along, s});
    }

    /// Weights times one number an input channel.
    Var scaled_inputs(const Binding& binding, const CallOp& call, const Numbers& s) {
        const Shape shape = *shape_of(call.args[1]);
        Shape along(shape.size(), 1);
        if (!is_conv(call)) {
            along[call.attrs.flag("transpose_b") ? 1 : 0] = static_cast<std::int64_t>(s.size());
            return scaled(binding, call.args[1], {along, s});
        }
        // Output channel m of group g sees channels from g * C / groups on.
        const std::int64_t groups = call.attrs.integer("groups", 1), inner = shape[1], filters = shape[0] / groups;
        along[0] = shape[0];
        along[1] = inner;
        Numbers numbers;
        for (std::int64_t m = 0; m < shape[0]; ++m)
            for (std::int64_t i = 0; i < inner; ++i)
                numbers.push_back(s[static_cast<std::size_t>(m / filters * inner + i)]);
        return scaled(binding, call.args[1], {along, numbers});
    }

    static Channels output_channels(const Var& var, const CallOp& anchor) {
        const Shape shape = *shape_of(var);
        const std::size_t axis = is_conv(anchor) ? 1 : shape.size() - 1;
        return {shape.size(), axis, shape[axis]};
    }

    /// A constant operand of a sum times (or over) one number a channel, broadcast as the operand was.
    Var rescaled(const Binding& binding, const Var& constant, const Channels& channels, const Numbers& factors) {
        // At the constant's rank, or at as many axes as reach the channels.
        Shape along(std::max(shape_of(constant)->size(), channels.rank - channels.axis), 1);
        along[channels.axis + along.size() - channels.rank] = channels.count;
        return scaled(binding, constant, {along, factors});
    }

    // ------------------------------------------------------------------------------ the chain between

    /// The step a value makes from the one before it on the chain: which operand that is, and what to do with the rest.
    struct Link {
        Var var;                 ///< the value
        std::size_t through = 0; ///< its operand on the chain
        Var constant;            ///< the other operand of a sum; null for none
        bool bias = false;       ///< that operand is a vector along an axis
    };
    /// nullopt when no factor passes. `positive` says whether the factors are.
    std::optional<Link> link_at(const Var& var, const Channels& channels, bool positive) const {
        const CallOp* call = call_of(var);
        if (!call) return std::nullopt;
        if (passes_any(*call) || (passes_positive(*call) && positive)) return Link{var, 0, nullptr, false};
        if (call->op.name == "bias_add") {
            const std::int64_t attr = call->attrs.integer("axis", 1);
            const auto axis =
                static_cast<std::size_t>(attr < 0 ? attr + static_cast<std::int64_t>(channels.rank) : attr);
            if (axis == channels.axis && constant_of(call->args[1])) return Link{var, 0, call->args[1], true};
        }
        if (call->op.name == "add" || call->op.name == "subtract")
            for (std::size_t i : {0, 1}) {
                const Var &data = call->args[i], &other = call->args[1 - i];
                if (call->op.name == "subtract" && i == 1) continue;
                if (constant_of(other) && graph::equal(data->type, var->type)) return Link{var, i, other, false};
            }
        return std::nullopt;
    }

    /// A link again, over another value, with its constant times `factors`.
    Var relinked(const Binding& binding, const Link& link, const Var& data, const Channels& channels,
                 const Numbers& factors) {
        const CallOp& call = *call_of(link.var);
        std::vector<Var> args = call.args;
        args[link.through] = data;
        if (link.constant)
            args[1 - link.through] = link.bias ? rescaled(binding, link.constant, {1, 0, channels.count}, factors)
                                               : rescaled(binding, link.constant, channels, factors);
        return emit_call(binding, call, std::move(args), link.var);
    }

    // ------------------------------------------------------------------------------ backward

    /// y * s with y a chain above which convolution or product stands.
    Var backward(const Binding& binding, const CallOp& multiply) {
        for (std::size_t side : {0, 1}) {
            const NDArray* factor = constant_of(multiply.args[1 - side]);
            const Var& data = multiply.args[side];
            if (!factor || !graph::equal(data->type, binding.var->type)) continue;
            std::vector<Link> links;
            const Var anchor = anchor_above(data, links, *factor);
            if (!anchor) continue;
            const CallOp& call = *call_of(anchor);
            const Channels channels = output_channels(anchor, call);
            const Numbers s = *per_channel(*factor, channels);
            std::vector<Var> args = call.args, consumed{anchor};
            args[1] = scaled_outputs(binding, call, s);
            if (links.empty())
                return replace(binding, make_ref<const CallOp>(call.op, args, call.attrs),
                               "a factor into weights above", consumed);
            Var value = emit_call(binding, call, args, anchor);
            for (std::size_t i = links.size(); i-- > 0;) {
                consumed.push_back(links[i].var);
                value = relinked(binding, links[i], value, channels, s);
            }
            uses_[value] = 0; // the users are those of the product
            return alias(binding, value, "a factor into weights above");
        }
        return nullptr;
    }

    /// The convolution or product a chain starts from, with the links from `data` up to it; null when there is none.
    Var anchor_above(const Var& data, std::vector<Link>& links, const NDArray& factor) const {
        Var at = data;
        for (int i = 0; i < kLongestChain && alone(at); ++i) {
            const CallOp* call = call_of(at);
            if (!call) return nullptr;
            if ((is_conv(*call) || is_plain_matmul(*call)) && shape_of(at)) {
                const Channels channels = output_channels(at, *call);
                if (!constant_of(call->args[1])) return nullptr;
                const std::optional<Numbers> s = per_channel(factor, channels);
                if (!s || !std::ranges::all_of(*s, [](double n) { return std::isfinite(n); })) return nullptr;
                // Whether the factors pass was found for the channels of any of the two kinds.
                return std::ranges::all_of(
                           links, [&](const Link& l) { return link_at(l.var, channels, all_positive(*s)).has_value(); })
                           ? at
                           : nullptr;
            }
            if (!shape_of(at)) return nullptr;
            const Shape shape = *shape_of(at);
            std::optional<Link> link;
            for (std::size_t axis : {std::size_t{1}, shape.size() - 1})
                if (!link && axis < shape.size()) link = link_at(at, {shape.size(), axis, shape[axis]}, true);
            if (!link) return nullptr;
            links.push_back(*link);
            at = call->args[link->through];
        }
        return nullptr;
    }

    // ------------------------------------------------------------------------------ forward

    Channels input_channels(const CallOp& anchor) const {
        const Shape shape = *shape_of(anchor.args[0]);
        const std::size_t axis = is_conv(anchor) ? 1 : shape.size() - 1;
        return {shape.size(), axis, shape[axis]};
    }

    /// conv(chain(x * s), W)
    Var forward(const Binding& binding, const CallOp& anchor) {
        if (!constant_of(anchor.args[1]) || !shape_of(anchor.args[0])) return nullptr;
        const Channels channels = input_channels(anchor);
        std::vector<Link> links;
        Var at = anchor.args[0];
        for (int i = 0; i < kLongestChain && alone(at); ++i) {
            const CallOp* call = call_of(at);
            if (!call) return nullptr;
            if (call->op.name == "multiply") return take_forward(binding, anchor, links, at);
            const std::optional<Link> link = link_at(at, channels, true);
            if (!link) return nullptr;
            links.push_back(*link);
            at = call->args[link->through];
        }
        return nullptr;
    }

    Var take_forward(const Binding& binding, const CallOp& anchor, const std::vector<Link>& links, const Var& product) {
        const Channels channels = input_channels(anchor);
        const CallOp& multiply = *call_of(product);
        for (std::size_t side : {0, 1}) {
            const NDArray* factor = constant_of(multiply.args[1 - side]);
            if (!factor || !graph::equal(multiply.args[side]->type, product->type)) continue;
            const std::optional<Numbers> s = per_channel(*factor, channels);
            if (!s || !acceptable(*s, links, channels)) return nullptr;
            Numbers inverse;
            for (double n : *s) inverse.push_back(1 / n);
            Var value = multiply.args[side];
            std::vector<Var> consumed{product};
            for (std::size_t i = links.size(); i-- > 0;) {
                consumed.push_back(links[i].var);
                value = relinked(binding, links[i], value, channels, inverse);
            }
            if (links.empty()) uses_[value] += 1;
            std::vector<Var> args = anchor.args;
            args[0] = value;
            args[1] = scaled_inputs(binding, anchor, *s);
            return replace(binding, make_ref<const CallOp>(anchor.op, args, anchor.attrs),
                           "a factor into weights below", consumed);
        }
        return nullptr;
    }

    /// Whether all links take these factors. Sums are divided by them, so that none may be near 0.
    bool acceptable(const Numbers& s, const std::vector<Link>& links, const Channels& channels) const {
        constexpr double kSmallest = 1e-6, kLargest = 1e6; // our choice: beyond, the quotients lose the sum's digits
        const bool sums = std::ranges::any_of(links, [](const Link& link) { return link.constant != nullptr; });
        if (!std::ranges::all_of(s, [&](double n) {
                return std::isfinite(n) && (!sums || (std::abs(n) >= kSmallest && std::abs(n) <= kLargest));
            }))
            return false;
        return std::ranges::all_of(
            links, [&](const Link& link) { return link_at(link.var, channels, all_positive(s)).has_value(); });
    }

    Directions directions_;
    std::unordered_map<Var, int> uses_;
};

} // namespace

Result<graph::Module> fold_scale_axis(const graph::Module& module, const pass::Context& context) {
    ScaleFolder::Directions directions;
    ORRERY_TRY(directions.forward, flag_option(context, "forward", true));
    ORRERY_TRY(directions.backward, flag_option(context, "backward", true));
    graph::Module out = module;
    out.main = ScaleFolder(context, module.main, directions).run(module.main);
    // What the factor passed through is left unused.
    return out.main == module.main ? Result<graph::Module>(module) : dead_code(out, quiet(context));
}

} // namespace orrery::transform
