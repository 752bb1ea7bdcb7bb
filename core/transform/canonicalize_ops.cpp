#include "core/graph/builder.hpp"
#include "core/ops/ops.hpp"
#include "core/ops/transposed.hpp"
#include "core/transform/canonicalize_recurrent.hpp"
#include "core/transform/channel_shuffle.hpp"
#include "core/transform/normalization_rules.hpp"
#include "core/transform/options.hpp"
#include "core/transform/passes.hpp"
#include "core/transform/rule_rewriter.hpp"

#include <algorithm>
#include <numeric>
#include <string_view>
#include <unordered_set>

namespace orrery::transform {

namespace {

using graph::Binding;
using graph::CallOp;
using graph::Var;

class Canonicalizer final : public graph::Rewriter {
  public:
    Canonicalizer(pass::Recorder* recorder, const graph::Function& function)
        : Rewriter(recorder), uses_(graph::use_counts(function)) {}

  protected:
    Var rewrite_binding(const Binding& binding) override {
        const Var var = rewritten(binding);
        if (var != binding.var) uses_[var] = uses_[binding.var];
        if (known(binding.value)) known_.insert(var);
        return var;
    }

  private:
    Var rewritten(const Binding& binding) {
        const auto* call = graph::as<CallOp>(binding.value);
        if (!call) return keep(binding);
        const graph::Expr steps = split_recurrent(
            *call, [this](const Var& var) { return constant_of(var) != nullptr; },
            [&](const graph::Expr& value, const char* name) { return emit(binding, value, name); });
        if (steps) return replace(binding, steps, "a product for all steps, then the steps");
        if (call->op.name == "matmul" && call->attrs.flag("transpose_b") && constant_of(call->args[1]))
            return with_turned_matrix(binding, *call);
        if (call->op.name == "conv2d")
            if (const Var after = with_late_shuffle(binding, *call)) return after;
        if (call->op.name == "conv_transpose")
            if (const Var plain = plain_convolution(binding, *call)) return plain;
        return keep(binding);
    }

    // ------------------------------------------------------------------------------ matrix products

    Var with_turned_matrix(const Binding& binding, const CallOp& call) {
        const Var weight = call.args[1];
        graph::Ints perm(graph::as_tensor(weight->type)->dims.size());
        std::iota(perm.begin(), perm.end(), 0);
        if (perm.size() < 2) return keep(binding);
        std::swap(perm[perm.size() - 1], perm[perm.size() - 2]);
        const Var turned = emit(
            binding, make_ref<const CallOp>(ops::op("transpose"), std::vector{weight}, graph::Attrs{{"perm", perm}}),
            weight->name);
        const graph::Attrs attrs = call.attrs.with("transpose_b", false);
        return replace(binding, make_ref<const CallOp>(call.op, std::vector{call.args[0], turned}, attrs),
                       "a constant matrix stored as it is read");
    }

    // ------------------------------------------------------------------------------ transposed convolutions

    /// A transposed convolution that is an ordinary one, or a product. Null for others.
    Var plain_convolution(const Binding& binding, const CallOp& call) {
        const std::optional<Shape> x = shape_of(call.args[0]), w = shape_of(call.args[1]), y = shape_of(binding.var);
        if (!x || !w || !y || x->size() > 5 || !is_float(graph::as_tensor(binding.var->type)->dtype)) return nullptr;
        const std::size_t count = x->size() - 2;
        const std::vector<ops::PhaseAxis> axes = ops::phase_axes(call.attrs, {w->begin() + 2, w->end()}, *y);
        const std::int64_t groups = call.attrs.integer("groups", 1);
        bool one_place = groups == 1, one_phase = true;
        graph::Ints pads;
        for (std::size_t d = 0; d < count; ++d) {
            const ops::PhaseAxis& axis = axes[d];
            one_place =
                one_place && (*x)[2 + d] == 1 && axis.dilation == 1 && axis.extent == axis.kernel && axis.before == 0;
            pads.push_back(axis.dilation * (axis.kernel - 1) - axis.before);
            one_phase = one_phase && axis.stride == 1 && pads.back() >= 0;
        }
        if (one_place) return product_of_filters(binding, call);
        const NDArray* filters = constant_of(call.args[1]);
        for (std::size_t d = 0; d < count; ++d) {
            const ops::PhaseAxis& axis = axes[d];
            pads.push_back(axis.extent + axis.dilation * (axis.kernel - 1) - (*x)[2 + d] - pads[d]);
            one_phase = one_phase && pads.back() >= 0;
        }
        if (!one_phase || !filters) return nullptr;
        const NDArray sorted = ops::phase_filters(*filters, groups, axes);
        const Var weight =
            emit(binding,
                 make_ref<const graph::Constant>(sorted.reshaped({sorted.shape().begin() + 1, sorted.shape().end()})),
                 call.args[1]->name);
        graph::Attrs::Map attrs = call.attrs.values();
        attrs.erase("output_padding");
        attrs.insert_or_assign("pads", pads);
        const char* const names[] = {"conv1d", "conv2d", "conv3d"};
        return replace(binding, make_call(names[count - 1], {call.args[0], weight}, graph::Attrs(std::move(attrs))),
                       "a transposed convolution of stride 1 with turned filters", std::vector{call.args[1]});
    }
    /// Images of one place: their channels times the filters.
    Var product_of_filters(const Binding& binding, const CallOp& call) {
        const Shape x = *shape_of(call.args[0]), w = *shape_of(call.args[1]), y = *shape_of(binding.var);
        const auto reshaped = [&](const Var& var, const Shape& shape) {
            return emit(binding, make_call("reshape", {var}, {{"shape", shape}}), var->name);
        };
        const Var rows = reshaped(call.args[0], {x[0], x[1]});
        const Var columns = reshaped(call.args[1], {w[0], element_count(w) / w[0]});
        const Var product = emit(binding, make_call("matmul", {rows, columns}), binding.var->name);
        return replace(binding, make_call("reshape", {product}, {{"shape", y}}),
                       "a transposed convolution of one place as a product");
    }

    // ------------------------------------------------------------------------------ channel shuffles

    /// Whether a value follows from constants.
    bool known(const graph::Expr& value) const {
        if (graph::as<graph::Constant>(value)) return true;
        const auto* call = graph::as<CallOp>(value);
        return call && !call->op.random && !call->args.empty() &&
               std::ranges::all_of(call->args, [&](const Var& arg) { return arg && known_.contains(arg); });
    }
    /// Groups of several channels: such a convolution can read what is shuffled as it lay before.
    static bool in_groups(const CallOp& conv) {
        const std::optional<Shape> x = shape_of(conv.args[0]);
        const std::int64_t groups = conv.attrs.integer("groups", 1);
        return x && x->size() == 4 && groups > 1 && groups < (*x)[1];
    }
    /// The axis along which a known operand of `call` has one element a channel of `data`; nullopt when it has other
    /// elements, -1 when it has one.
    static std::optional<std::ptrdiff_t> channel_axis(const Shape& operand, const Shape& data) {
        if (element_count(operand) == 1) return -1;
        const std::size_t ahead = data.size() - operand.size();
        if (operand.size() > data.size() || ahead > 1) return std::nullopt;
        for (std::size_t d = 0; d < operand.size(); ++d)
            if (operand[d] != (d + ahead == 1 ? data[1] : 1)) return std::nullopt;
        return 1 - static_cast<std::ptrdiff_t>(ahead);
    }
    /// The call with `x` in place of its data, which lies as before a shuffle into `parts`, and so does the result.
    /// Null where a channel does not follow from the same channel and known numbers.
    graph::Expr unshuffled(const CallOp& call, const Var& data, const Var& x, std::int64_t parts, const Emit& emit) {
        static const std::unordered_set<std::string_view> kBinary{"add",     "subtract", "multiply", "divide",
                                                                  "maximum", "minimum",  "prelu"};
        const Shape shape = *shape_of(data);
        std::vector<Var> args = call.args;
        const auto back = [&](Var& arg, std::size_t axis) { arg = shuffled(arg, axis, shape[1] / parts, emit); };
        if (call.op.name == "conv2d") {
            const std::optional<Shape> w = shape_of(args[1]);
            const bool depthwise = w && (*w)[0] == shape[1] && call.attrs.integer("groups", 1) == shape[1];
            if (!depthwise || !known_.contains(args[1])) return nullptr;
            back(args[1], 0);
        } else if (call.op.name == "bias_add") {
            if (call.attrs.integer("axis", 1) != 1 || !known_.contains(args[1])) return nullptr;
            back(args[1], 0);
        } else if (kBinary.contains(call.op.name)) {
            for (Var& arg : args) {
                if (arg == data) continue;
                const std::optional<Shape> other = known_.contains(arg) ? shape_of(arg) : std::nullopt;
                const auto axis = other ? channel_axis(*other, shape) : std::nullopt;
                if (!axis) return nullptr;
                if (*axis >= 0) back(arg, static_cast<std::size_t>(*axis));
            }
        } else if (call.op.fusion != graph::FusionKind::Elementwise || args.size() != 1 || call.op.name == "trilu" ||
                   call.op.random) {
            return nullptr;
        }
        std::ranges::replace(args, data, x);
        return make_ref<const CallOp>(call.op, std::move(args), call.attrs);
    }

    /// conv(f(shuffle(x))) in groups as conv(shuffle(f'(x))), where f computes each channel from the same channel of
    /// its operand: a depthwise convolution, sums and products with known numbers, activations. Null where it is none.
    Var with_late_shuffle(const Binding& binding, const CallOp& call) {
        constexpr std::size_t kLongest = 16; // our choice
        if (!in_groups(call)) return nullptr;
        const ValueOf value_of = [this](const Var& var) { return this->value_of(var); };
        std::vector<Var> between; // the last first
        Var at = call.args[0];
        std::optional<ChannelShuffle> shuffle;
        while (!(shuffle = channel_shuffle(at, value_of))) {
            const graph::Expr value = value_of(at);
            const auto* step = value ? graph::as<CallOp>(value) : nullptr;
            if (!step || between.size() == kLongest || uses_[at] != 1) return nullptr;
            const auto data =
                std::ranges::find_if(step->args, [&](const Var& arg) { return arg && !known_.contains(arg); });
            if (data == step->args.end() || !shape_of(*data) || shape_of(*data)->size() != 4) return nullptr;
            between.push_back(at);
            at = *data;
        }
        if (between.empty() || uses_[at] != 1) return nullptr;
        const std::size_t before = builder().bindings().size();
        Var x = shuffle->of;
        for (auto it = between.rbegin(); it != between.rend(); ++it) {
            const OriginSet origin = builder().origin_of(*it);
            const Emit emit = [&](const graph::Expr& value) { return builder().emit(value, (*it)->name, origin); };
            const graph::Expr value = unshuffled(*graph::as<CallOp>(value_of(*it)),
                                                 it == between.rbegin() ? at : *std::prev(it), x, shuffle->parts, emit);
            if (!value) {
                builder().roll_back(before);
                return nullptr;
            }
            x = emit(value);
        }
        const OriginSet origin = builder().origin_of(at);
        std::vector<Var> args = call.args;
        args[0] = shuffled(x, 1, shuffle->parts,
                           [&](const graph::Expr& value) { return builder().emit(value, at->name, origin); });
        return replace(binding, make_ref<const CallOp>(call.op, std::move(args), call.attrs),
                       "a channel shuffle after what keeps channels apart", between);
    }

    std::unordered_map<Var, int> uses_;
    std::unordered_set<Var> known_; ///< what follows from constants
};

} // namespace

Result<graph::Module> canonicalize_ops(const graph::Module& module, const pass::Context& context) {
    graph::Module out = module;
    out.main = Canonicalizer(context.recorder, module.main).run(module.main);
    out.main = RuleRewriter(normalization_rules(), out.main, context.recorder).run(out.main);
    if (out.main == module.main) return module;
    return dead_code(out, quiet(context)).value();
}

} // namespace orrery::transform
