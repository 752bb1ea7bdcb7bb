#include "core/graph/builder.hpp"
#include "core/ops/ops.hpp"
#include "core/transform/options.hpp"
#include "core/transform/passes.hpp"
#include "core/transform/rule_rewriter.hpp"

#include <algorithm>
#include <array>
#include <set>

namespace orrery::transform {

namespace {

using graph::Attrs;
using graph::Binding;
using graph::CallOp;
using graph::Ints;
using graph::Var;

const std::array kFeatures{"f16", "bf16", "int8_conv", "depthwise_conv", "grouped_conv", "dilated_conv"};

bool is_conv(const CallOp& call) {
    return call.op.name == "conv1d" || call.op.name == "conv2d" || call.op.name == "conv3d";
}

DType dtype_of(const Var& var) { return graph::as_tensor(var->type)->dtype; }

class Legalizer final : public graph::Rewriter {
  public:
    Legalizer(pass::Recorder* recorder, std::set<std::string> lacks) : Rewriter(recorder), lacks_(std::move(lacks)) {}

  protected:
    Var rewrite_binding(const Binding& binding) override {
        const auto* call = graph::as<CallOp>(binding.value);
        if (!call || !shape_of(binding.var)) return keep(binding);
        Var done;
        if (is_conv(*call) && shape_of(call->args[0])) done = convolution(binding, *call);
        if (!done) done = wider(binding, *call);
        return done ? done : keep(binding);
    }

  private:
    bool lacks(const char* feature) const { return lacks_.contains(feature); }

    Var cast_to(const Binding& binding, const Var& var, DType dtype) {
        const auto [it, fresh] = wide_.try_emplace(var);
        if (fresh) it->second = emit(binding, make_call("cast", {var}, {{"dtype", dtype}}), var->name);
        return it->second;
    }

    // ------------------------------------------------------------------------------ element types

    /// The type to compute a call in instead, when one of its operands has a type the target cannot compute with.
    std::optional<DType> wider_type(const CallOp& call) const {
        if (call.op.fusion == graph::FusionKind::Injective || call.op.name == "cast" || call.op.name == "identity" ||
            call.op.name == "broadcast_to")
            return std::nullopt;
        for (const Var& arg : call.args) {
            const graph::TensorType* type = arg ? graph::as_tensor(arg->type) : nullptr;
            if (!type) continue;
            if (type->dtype == DType::F16 && lacks("f16")) return DType::F32;
            if (type->dtype == DType::BF16 && lacks("bf16")) return DType::F32;
            const bool product = is_conv(call) || call.op.name == "matmul";
            if (product && (type->dtype == DType::I8 || type->dtype == DType::U8) && lacks("int8_conv"))
                return DType::I32;
        }
        return std::nullopt;
    }

    /// f16 and bf16 operators compute in f32 and round once; so do these. Products of bytes wrap, whatever the width.
    Var wider(const Binding& binding, const CallOp& call) {
        const std::optional<DType> wide = wider_type(call);
        if (!wide) return nullptr;
        const DType narrow = dtype_of(binding.var);
        std::vector<graph::Type> types;
        const auto widens = [&](const Var& arg) {
            const graph::TensorType* type = arg ? graph::as_tensor(arg->type) : nullptr;
            return type && (is_float(*wide) ? type->dtype == DType::F16 || type->dtype == DType::BF16
                                            : type->dtype == DType::I8 || type->dtype == DType::U8);
        };
        for (const Var& arg : call.args)
            types.push_back(!arg          ? graph::Type()
                            : widens(arg) ? graph::tensor_type(*wide, graph::as_tensor(arg->type)->dims)
                                          : arg->type);
        const Result<graph::Type> type = graph::infer_call(call.op, types, call.attrs);
        const graph::TensorType* result = type ? graph::as_tensor(*type) : nullptr;
        if (!result || (result->dtype != *wide && result->dtype != narrow)) return nullptr;
        std::vector<Var> args = call.args;
        for (Var& arg : args)
            if (widens(arg)) arg = cast_to(binding, arg, *wide);
        const graph::Expr value = make_ref<const CallOp>(call.op, args, call.attrs);
        if (result->dtype == narrow) return replace(binding, value, "computed in a wider type");
        return replace(binding, make_call("cast", {emit(binding, value, binding.var->name)}, {{"dtype", narrow}}),
                       "computed in a wider type");
    }

    // ------------------------------------------------------------------------------ convolutions

    Var convolution(const Binding& binding, const CallOp& call) {
        const std::int64_t groups = call.attrs.integer("groups", 1), channels = shape_of(call.args[0])->at(1),
                           filters = shape_of(call.args[1])->at(0);
        const bool plain = dtype_of(call.args[0]) == dtype_of(binding.var) && !call.attrs.has("border");
        if (lacks("depthwise_conv") && groups > 1 && groups == channels && groups == filters && plain)
            return depthwise(binding, call);
        if (lacks("grouped_conv") && groups > 1) return grouped(binding, call, groups);
        const Ints dilations = call.attrs.ints("dilations", {});
        const bool dilated = std::ranges::any_of(dilations, [](std::int64_t d) { return d > 1; });
        return lacks("dilated_conv") && dilated ? undilated(binding, call, dilations) : nullptr;
    }

    Var slice(const Binding& binding, const Var& from, const Ints& begins, const Ints& sizes, const Ints& steps = {}) {
        Attrs attrs{{"begins", begins}, {"sizes", sizes}};
        if (!steps.empty()) attrs = attrs.with("steps", steps);
        return emit(binding, make_call("slice", {from}, attrs));
    }

    /// A convolution a group, side by side.
    Var grouped(const Binding& binding, const CallOp& call, std::int64_t groups) {
        Shape data = *shape_of(call.args[0]), weight = *shape_of(call.args[1]);
        data[1] /= groups;
        weight[0] /= groups;
        std::vector<Var> parts;
        for (std::int64_t g = 0; g < groups; ++g) {
            Ints from(data.size(), 0), of(weight.size(), 0);
            from[1] = g * data[1];
            of[0] = g * weight[0];
            const Var x = slice(binding, call.args[0], from, data), w = slice(binding, call.args[1], of, weight);
            parts.push_back(emit(binding, make_ref<const CallOp>(call.op, std::vector{x, w},
                                                                 call.attrs.with("groups", std::int64_t{1}))));
        }
        return replace(binding, make_call("concat", parts, {{"axis", std::int64_t{1}}}), "a convolution a group");
    }

    /// The sum over the window's places of the moved input times that place's weights.
    Var depthwise(const Binding& binding, const CallOp& call) {
        const Shape weight = *shape_of(call.args[1]), out = *shape_of(binding.var);
        const std::size_t spatial = weight.size() - 2;
        const Ints strides = call.attrs.ints("strides", Ints(spatial, 1)),
                   dilations = call.attrs.ints("dilations", Ints(spatial, 1)),
                   pads = call.attrs.ints("pads", Ints(2 * spatial, 0));
        Ints before(2, 0), after(2, 0), steps(2, 1);
        for (std::size_t d = 0; d < spatial; ++d) {
            before.push_back(pads[d]);
            after.push_back(pads[spatial + d]);
            steps.push_back(strides[d]);
        }
        Var data = call.args[0];
        if (std::ranges::any_of(pads, [](std::int64_t p) { return p > 0; }))
            data = emit(binding, make_call("pad", {data, nullptr}, {{"before", before}, {"after", after}}));
        Shape vector(weight.size() - 1, 1);
        vector[0] = weight[0];
        Shape sizes = weight;
        std::fill(sizes.begin() + 2, sizes.end(), 1);
        Var sum;
        Ints at(spatial, 0);
        const std::int64_t places = element_count(std::span(weight).subspan(2));
        for (std::int64_t p = 0; p < places; ++p) {
            Ints from(2, 0), of(2, 0);
            for (std::size_t d = 0; d < spatial; ++d) {
                from.push_back(at[d] * dilations[d]);
                of.push_back(at[d]);
            }
            const Var w =
                emit(binding, make_call("reshape", {slice(binding, call.args[1], of, sizes)}, {{"shape", vector}}));
            const graph::Expr product = make_call("multiply", {slice(binding, data, from, out, steps), w});
            if (p + 1 == places && !sum) return replace(binding, product, "a depthwise convolution place by place");
            const Var next = emit(binding, product);
            if (p + 1 == places)
                return replace(binding, make_call("add", {sum, next}), "a depthwise convolution place by place");
            sum = sum ? emit(binding, make_call("add", {sum, next})) : next;
            for (std::size_t d = spatial; d-- > 0;) {
                if (++at[d] < weight[2 + d]) break;
                at[d] = 0;
            }
        }
        return nullptr;
    }

    /// Constant weights with zeros between them.
    Var undilated(const Binding& binding, const CallOp& call, const Ints& dilations) {
        const NDArray* weight = constant_of(call.args[1]);
        if (!weight) return nullptr;
        const Shape from = weight->shape();
        Shape shape = from;
        for (std::size_t d = 0; d < dilations.size(); ++d) shape[2 + d] = (from[2 + d] - 1) * dilations[d] + 1;
        NDArray wide = NDArray::zeros(weight->dtype(), shape);
        for (std::int64_t i = 0; i < weight->size(); ++i) {
            std::int64_t rest = i, position = 0, stride = 1;
            for (std::size_t d = from.size(); d-- > 0;) {
                const std::int64_t step = d >= 2 ? dilations[d - 2] : 1;
                position += rest % from[d] * step * stride;
                rest /= from[d];
                stride *= shape[d];
            }
            wide.set(position, weight->as_double(i));
        }
        const Var spread = emit(binding, make_ref<const graph::Constant>(std::move(wide)), call.args[1]->name);
        const Attrs attrs = call.attrs.with("dilations", Ints(dilations.size(), 1));
        return replace(binding, make_ref<const CallOp>(call.op, std::vector{call.args[0], spread}, attrs),
                       "weights with zeros between");
    }

    std::set<std::string> lacks_;
    std::unordered_map<Var, Var> wide_; ///< casts made so far: a type has one wider one
};

} // namespace

Result<graph::Module> legalize(const graph::Module& module, const pass::Context& context) {
    const std::vector<std::string> words = words_option(context, "lacks", "");
    for (const std::string& word : words)
        if (std::ranges::none_of(kFeatures, [&](const char* feature) { return word == feature; }))
            return Diagnostic{Code::BadArgument,
                              "lacks lists f16, bf16, int8_conv, depthwise_conv, grouped_conv, dilated_conv, not \"" +
                                  word + "\"",
                              {},
                              {}};
    if (words.empty()) return module;
    graph::Module out = module;
    out.main = Legalizer(context.recorder, {words.begin(), words.end()}).run(module.main);
    return out.main == module.main ? Result<graph::Module>(module) : dead_code(out, quiet(context));
}

} // namespace orrery::transform
