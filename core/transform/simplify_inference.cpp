#include "core/graph/builder.hpp"
#include "core/ops/ops.hpp"
#include "core/transform/passes.hpp"

namespace orrery::transform {

namespace {

using graph::Attrs;
using graph::Binding;
using graph::Ints;
using graph::Var;

class Simplifier final : public graph::Rewriter {
  public:
    Simplifier(const pass::Context& context, const graph::Function& function)
        : Rewriter(context.recorder), fold_conv_(context.option("fold_conv", "true") == "true"),
          uses_(graph::use_counts(function)) {}

  protected:
    Var rewrite_binding(const Binding& binding) override {
        const Var var = rewritten(binding);
        // Whoever used the old variable uses this one now.
        if (var != binding.var) uses_[var] += uses_[binding.var];
        return var;
    }

  private:
    Var rewritten(const Binding& binding) {
        const auto* call = graph::as<graph::CallOp>(binding.value);
        if (!call) return keep(binding);
        const std::string& name = call->op.name;
        if (name == "identity" || name == "dropout") return forward_identity(binding, *call);
        if (name == "batch_norm" && call->args.size() == 5 && graph::as_tensor(binding.var->type))
            return expand(binding, *call);
        return keep(binding);
    }

    Var forward_identity(const Binding& binding, const graph::CallOp& call) {
        if (!graph::equal(binding.var->type, call.args[0]->type)) return keep(binding);
        return alias(binding, call.args[0], "an identity at inference");
    }

    Var emit_call(const Binding& binding, const char* op, std::vector<Var> args, Attrs attrs = {}) {
        return emit(binding, make_ref<const graph::CallOp>(ops::op(op), std::move(args), std::move(attrs)));
    }

    Var scalar_like(const Binding& binding, const Var& like, double value) {
        NDArray array = NDArray::allocate(graph::as_tensor(like->type)->dtype, {});
        array.set(0, value);
        return emit(binding, make_ref<const graph::Constant>(std::move(array)));
    }

    /// A per-channel vector [C] as a tensor that broadcasts over [N, C, spatial...] or, for weights, over [C, ...].
    Var along(const Binding& binding, const Var& vector, std::size_t trailing) {
        if (trailing == 0) return vector;
        Ints shape{graph::static_shape(*graph::as_tensor(vector->type)).at(0)};
        shape.resize(1 + trailing, 1);
        return emit_call(binding, "reshape", {vector}, {{"shape", shape}});
    }

    /// y = (x - mean) / sqrt(variance + epsilon) * gamma + beta, as x * scale + shift.
    Var expand(const Binding& binding, const graph::CallOp& call) {
        const auto& gamma = call.args[1];
        const auto& beta = call.args[2];
        const auto& mean = call.args[3];
        const auto& variance = call.args[4];
        if (!gamma || !beta || !graph::is_static(*graph::as_tensor(gamma->type))) return keep(binding);
        const Var epsilon = scalar_like(binding, variance, call.attrs.number("epsilon", 1e-5));
        const Var deviation = emit_call(binding, "sqrt", {emit_call(binding, "add", {variance, epsilon})});
        const Var scale = emit_call(binding, "divide", {gamma, deviation});
        const Var shift = emit_call(binding, "subtract", {beta, emit_call(binding, "multiply", {mean, scale})});

        if (const Var folded = fold_into_conv(binding, call.args[0], scale, shift)) return folded;
        const std::size_t rank = graph::as_tensor(call.args[0]->type)->dims.size();
        const std::size_t trailing = rank >= 2 ? rank - 2 : 0;
        const Var scaled = emit_call(binding, "multiply", {call.args[0], along(binding, scale, trailing)});
        return replace(binding,
                       make_ref<const graph::CallOp>(
                           ops::op("add"), std::vector<Var>{scaled, along(binding, shift, trailing)}, Attrs{}),
                       "batch norm as a scale and a shift");
    }

    /// conv(x, W) * scale + shift = conv(x, W * scale) + shift, when nobody else sees the convolution.
    Var fold_into_conv(const Binding& binding, const Var& data, const Var& scale, Var shift) {
        if (!fold_conv_ || uses_[data] != 1) return nullptr;
        Var conv_var = data;
        Var bias;
        const graph::Expr producer = value_of(data);
        const auto* call = graph::as<graph::CallOp>(producer);
        if (call && call->op.name == "bias_add" && call->attrs.integer("axis", 1) == 1) {
            conv_var = call->args[0];
            bias = call->args[1];
            if (uses_[conv_var] != 1) return nullptr;
        }
        const graph::Expr conv_value = value_of(conv_var);
        const auto* conv = graph::as<graph::CallOp>(conv_value);
        if (!conv || conv->op.name != "conv2d" || !constant_of(conv->args[1])) return nullptr;

        const std::size_t trailing = graph::as_tensor(conv->args[1]->type)->dims.size() - 1;
        const Var weight = emit_call(binding, "multiply", {conv->args[1], along(binding, scale, trailing)});
        if (bias) shift = emit_call(binding, "add", {shift, emit_call(binding, "multiply", {bias, scale})});
        std::vector<Var> args = conv->args;
        args[1] = weight;
        const Binding conv_binding{binding.var, binding.value, unite(binding.origin, builder().origin_of(conv_var))};
        const Var scaled =
            emit(conv_binding, make_ref<const graph::CallOp>(conv->op, args, conv->attrs), conv_var->name);
        const std::vector<Var> consumed{data, conv_var};
        return replace(binding,
                       make_ref<const graph::CallOp>(ops::op("bias_add"), std::vector<Var>{scaled, shift},
                                                     Attrs{{"axis", std::int64_t{1}}}),
                       "batch norm into a convolution's weights", consumed);
    }

    bool fold_conv_;
    std::unordered_map<Var, int> uses_;
};

} // namespace

Result<graph::Module> simplify_inference(const graph::Module& module, const pass::Context& context) {
    graph::Module out = module;
    out.main = Simplifier(context, module.main).run(module.main);
    // A folded convolution leaves its original unused.
    return out.main == module.main ? Result<graph::Module>(module)
                                   : dead_code(out, pass::Context{context.options, context.progress, nullptr});
}

} // namespace orrery::transform
