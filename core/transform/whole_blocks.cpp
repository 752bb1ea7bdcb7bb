#include "core/transform/whole_blocks.hpp"

#include "core/graph/builder.hpp"
#include "core/ops/rows.hpp"
#include "core/transform/options.hpp"
#include "core/transform/passes.hpp"
#include "core/transform/rule_rewriter.hpp"

#include <algorithm>
#include <array>
#include <unordered_map>
#include <unordered_set>

namespace orrery::transform {

namespace {

using graph::Binding;
using graph::CallOp;
using graph::Ints;
using graph::Var;

/// What an operator does with channels of one of its operands, [N, C, H, W].
enum class Channels : std::uint8_t {
    Mixes,
    Keeps, ///< each becomes one of the result, of an image
    Ends,  ///< each becomes one of the result, a single number
};

bool is_among(const auto& names, const std::string& name) {
    return std::ranges::any_of(names, [&](const char* each) { return name == each; });
}

/// Whether a constant is one number a channel, or one for all.
bool by_channel(const Shape& shape, const Shape& image) {
    if (element_count(shape) == 1) return true;
    return (shape.size() == 3 || shape.size() == 4) && shape[shape.size() - 3] == image[1] &&
           element_count(shape) == image[1];
}

Channels channels_in(const CallOp& call, std::size_t operand, const std::function<bool(const Var&)>& is_constant) {
    static constexpr std::array kBoth{"add", "subtract", "multiply", "maximum", "minimum"};
    static constexpr std::array kOverImage{"reduce_sum", "reduce_mean", "reduce_max", "reduce_min"};
    const std::optional<Shape> image = shape_of(call.args[operand]);
    const std::string& name = call.op.name;
    if (!image || image->size() != 4) return Channels::Mixes;
    if (is_among(kOverImage, name)) {
        Ints axes = call.attrs.ints("axes", {});
        for (std::int64_t& axis : axes) axis += axis < 0 ? 4 : 0;
        std::ranges::sort(axes);
        return axes == Ints{2, 3} && call.attrs.flag("keepdims", true) ? Channels::Ends : Channels::Mixes;
    }
    if (is_among(std::array{"max_pool", "avg_pool"}, name)) return Channels::Keeps;
    if (call.args.size() == 1)
        return call.op.fusion == graph::FusionKind::Elementwise && name != "trilu" && !call.op.random ? Channels::Keeps
                                                                                                      : Channels::Mixes;
    if (call.args.size() != 2 || !call.args[1 - operand] || !is_constant(call.args[1 - operand]))
        return Channels::Mixes;
    if (name == "bias_add")
        return operand == 0 && call.attrs.integer("axis", 1) == 1 ? Channels::Keeps : Channels::Mixes;
    const std::optional<Shape> other = shape_of(call.args[1 - operand]);
    return is_among(kBoth, name) && other && by_channel(*other, *image) ? Channels::Keeps : Channels::Mixes;
}

/// Values whose channels nobody mixes, while they are images.
std::unordered_set<Var> kept_apart(const graph::Function& function) {
    std::unordered_set<Var> constants, mixed{function->result}, out;
    for (const Binding& binding : function->bindings)
        if (graph::as<graph::Constant>(binding.value)) constants.insert(binding.var);
    for (auto binding = function->bindings.rbegin(); binding != function->bindings.rend(); ++binding) {
        if (!mixed.contains(binding->var)) out.insert(binding->var);
        const auto* call = graph::as<CallOp>(binding->value);
        const std::vector<Var> operands = graph::operands(binding->value);
        for (std::size_t i = 0; i < operands.size(); ++i) {
            if (!operands[i]) continue;
            const Channels channels =
                call ? channels_in(*call, i, [&](const Var& var) { return constants.contains(var); }) : Channels::Mixes;
            if (channels == Channels::Mixes || (channels == Channels::Keeps && mixed.contains(binding->var)))
                mixed.insert(operands[i]);
        }
    }
    return out;
}

class Widening final : public graph::Rewriter {
  public:
    Widening(pass::Recorder* recorder, const WantedFilters& wanted, const graph::Function& function)
        : Rewriter(recorder), wanted_(wanted), apart_(kept_apart(function)) {}

  protected:
    Var rewrite_binding(const Binding& binding) override {
        const auto* call = graph::as<CallOp>(binding.value);
        if (!call || call->args.empty()) return keep(binding);
        for (std::size_t i = 0; i < call->args.size(); ++i)
            if (const auto wide = wide_.find(call->args[i]); wide != wide_.end())
                return widened(binding, *call, i, wide->second);
        return filters_of(binding, *call);
    }

  private:
    /// A convolution gets its filters. What had stood there stays for the time being: nobody uses it.
    Var filters_of(const Binding& binding, const CallOp& call) {
        const NDArray* filters = call.op.name == "conv2d" ? constant_of(call.args[1]) : nullptr;
        const Var narrow = keep(binding);
        if (!filters || filters->dtype() != DType::F32 || call.attrs.integer("groups", 1) != 1 ||
            !apart_.contains(binding.var) || !shape_of(narrow))
            return narrow;
        const std::int64_t count = wanted_(filters->shape()[0]);
        if (count <= filters->shape()[0]) return narrow;
        const Var more = with_zeros(binding, call.args[1], *filters, 0, count);
        wide_[narrow] = emit(binding, make_call("conv2d", {call.args[0], more}, call.attrs), narrow->name);
        return narrow;
    }
    Var widened(const Binding& binding, const CallOp& call, std::size_t operand, const Var& wide) {
        const std::int64_t channels = (*shape_of(call.args[operand]))[1], count = (*shape_of(wide))[1];
        std::vector<Var> args = call.args;
        args[operand] = wide;
        for (Var& arg : args) {
            const NDArray* constant = arg == wide ? nullptr : constant_of(arg);
            if (!constant || constant->size() == 1) continue;
            const auto axis = std::ranges::find(constant->shape(), channels) - constant->shape().begin();
            arg = with_zeros(binding, arg, *constant, static_cast<std::size_t>(axis), count);
        }
        const graph::Expr value = make_ref<const CallOp>(call.op, std::move(args), call.attrs);
        if (apart_.contains(binding.var) &&
            channels_in(call, operand, [](const Var&) { return true; }) == Channels::Keeps) {
            const Var narrow = keep(binding);
            wide_[narrow] = emit(binding, value, narrow->name);
            return narrow;
        }
        const Var all = emit(binding, value, binding.var->name);
        const Shape result = *shape_of(binding.var);
        return replace(binding, make_call("slice", {all}, {{"begins", Ints(result.size(), 0)}, {"sizes", result}}),
                       "filters of zeros fill blocks");
    }
    /// Made once for all who want it.
    Var with_zeros(const Binding& binding, const Var& var, const NDArray& array, std::size_t axis, std::int64_t count) {
        Var& made = made_[var];
        if (made) return made;
        return made = emit(binding, make_ref<const graph::Constant>(ops::with_zeros(array, axis, count)), var->name);
    }

    const WantedFilters& wanted_;
    const std::unordered_set<Var> apart_; ///< variables of the function as it was
    std::unordered_map<Var, Var> wide_;   ///< by what had stood there
    std::unordered_map<Var, Var> made_;   ///< constants with zeros
};

} // namespace

graph::Module with_whole_blocks(const graph::Module& module, const pass::Context& context,
                                const WantedFilters& wanted) {
    graph::Module out = module;
    out.main = Widening(context.recorder, wanted, module.main).run(module.main);
    if (out.main == module.main) return module;
    return dead_code(out, quiet(context)).value();
}

} // namespace orrery::transform
