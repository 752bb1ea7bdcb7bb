// Steps: a region's units are taken in order. A unit is an anchor (convolution, product, pooling, or elementwise work
// alone) and what follows it: bias, a sum with another value, an elementwise function. The anchor chooses layouts for
// its operands and result; values that have another one are turned by a reorder. What follows becomes the anchor's
// post-operations where the library takes them, and primitives of their own otherwise.

#include "backends/dnnl/region_builder.hpp"

#include "backends/dnnl/accepts.hpp"
#include "core/base/check.hpp"
#include "core/graph/op.hpp"

#include <algorithm>
#include <cstring>
#include <optional>
#include <unordered_map>

namespace orrery::onednn {

namespace {

using dnnl::memory;
using graph::CallOp;
using graph::Var;
using Desc = memory::desc;
using Dims = memory::dims;

constexpr auto kType = memory::data_type::f32;

Desc plain(const Dims& dims) {
    Dims strides(dims.size(), 1);
    for (std::size_t i = dims.size(); i-- > 1;) strides[i - 1] = strides[i] * dims[i];
    return {dims, kType, strides};
}
Desc any_layout(const Dims& dims) { return {dims, kType, memory::format_tag::any}; }

/// A value of the region and its extents, whatever its layout.
using ValueId = std::size_t;

class Builder {
  public:
    explicit Builder(const graph::Function& region)
        : arguments_(arguments_of(region)),
          program_(std::make_unique<Program>(dnnl::engine(dnnl::engine::kind::cpu, 0))), stream_(program_->engine) {
        for (std::size_t i = 0; i < region->params.size(); ++i)
            ids_[region->params[i]] = argument(plain(dims_of(region->params[i]->type)), i);
    }

    BuiltRegion run(const graph::Function& region) {
        if (region->attrs.has("composite"))
            unit(*region);
        else
            for (const graph::Binding& binding : region->bindings) take(binding);
        results(region);
        program_->place_values();
        return {std::move(program_), std::move(listing_)};
    }

  private:
    // ---------------------------------------------------------------------- values

    ValueId add_value(const Value& value) {
        program_->values.push_back(value);
        return program_->values.size() - 1;
    }
    ValueId argument(const Desc& layout, std::size_t index) {
        return add_value({layout, Place::Argument, index, 0, -1, -1, kNone});
    }
    ValueId workspace(const Desc& layout) { return add_value({layout, Place::Workspace, 0, 0, -1, -1, kNone}); }
    ValueId constant(const dnnl::memory& value) {
        program_->constants.push_back(value);
        return add_value({value.get_desc(), Place::Constant, program_->constants.size() - 1, 0, -1, -1, kNone});
    }
    ValueId constant(const NDArray& array, const Dims& dims) {
        dnnl::memory value(plain(dims), program_->engine);
        std::memcpy(value.get_data_handle(), array.data(), array.bytes());
        return constant(value);
    }
    [[nodiscard]] const Desc& layout(ValueId id) const { return program_->values[id].layout; }

    void add_step(const dnnl::primitive& primitive, std::vector<std::pair<int, ValueId>> args, const Desc& scratchpad) {
        if (scratchpad.get_size() > 0) args.emplace_back(DNNL_ARG_SCRATCHPAD, workspace(scratchpad));
        program_->steps.push_back({primitive, std::move(args)});
    }

    /// The value in a layout, turned where it has another. Constants are turned here and now.
    ValueId in_layout(ValueId id, const Desc& wanted) {
        if (layout(id) == wanted) return id;
        if (program_->values[id].place == Place::Constant) {
            dnnl::memory turned(wanted, program_->engine);
            dnnl::memory from = program_->constants[program_->values[id].index];
            dnnl::reorder(from, turned).execute(stream_, from, turned);
            stream_.wait();
            return constant(turned);
        }
        const ValueId turned = workspace(wanted);
        reorder(id, turned);
        return turned;
    }
    void reorder(ValueId from, ValueId to) {
        const dnnl::reorder::primitive_desc how(program_->engine, layout(from), program_->engine, layout(to),
                                                user_scratch());
        add_step(dnnl::reorder(how), {{DNNL_ARG_FROM, from}, {DNNL_ARG_TO, to}}, how.scratchpad_desc());
        listing_.push_back("reorder");
    }
    static dnnl::primitive_attr user_scratch() {
        dnnl::primitive_attr attr;
        attr.set_scratchpad_mode(dnnl::scratchpad_mode::user);
        return attr;
    }

    // ---------------------------------------------------------------------- units

    void take(const graph::Binding& binding) {
        if (const auto* call = graph::as<graph::CallFunction>(binding.value)) {
            for (std::size_t i = 0; i < call->args.size(); ++i)
                ids_[call->function->params[i]] = ids_.at(call->args[i]);
            unit(*call->function);
            ids_[binding.var] = ids_.at(call->function->result);
        } else if (const auto* value = graph::as<graph::Constant>(binding.value)) {
            ids_[binding.var] = constant(value->value, dims_of(binding.var->type));
        } else if (const auto* op = graph::as<CallOp>(binding.value)) {
            ids_[binding.var] = single(*op, binding.var->type);
        } // a tuple of results: see results()
    }

    /// The operators of one function: fused as far as the library goes.
    void unit(const graph::FunctionNode& function) {
        std::vector<const graph::Binding*> calls;
        for (const graph::Binding& binding : function.bindings) {
            if (binding.value->kind == graph::ExprKind::CallOp)
                calls.push_back(&binding);
            else
                take(binding);
        }
        if (calls.size() > 1 && fused(calls)) return;
        for (const graph::Binding* call : calls) take(*call);
    }

    /// A convolution or product with what follows; false when the library does not take it.
    bool fused(const std::vector<const graph::Binding*>& calls) {
        const auto& anchor = *graph::as<CallOp>(calls[0]->value);
        if (anchor.op.name != "conv2d" && anchor.op.name != "matmul") return false;
        Following after;
        for (std::size_t i = 1; i < calls.size(); ++i)
            if (!follow(after, *graph::as<CallOp>(calls[i]->value), calls[i - 1]->var, calls[i]->var->type))
                return false;
        const std::size_t values = program_->values.size(), steps = program_->steps.size(),
                          constants = program_->constants.size(), lines = listing_.size();
        try {
            const ValueId result = anchor.op.name == "conv2d" ? convolution(anchor, calls[0]->var->type, after)
                                                              : product(anchor, calls[0]->var->type, after);
            ids_[calls.back()->var] = result;
            return true;
        } catch (const dnnl::error& error) {
            if (error.status != dnnl_unimplemented && error.status != dnnl_invalid_arguments) throw;
            program_->values.resize(values);
            program_->steps.resize(steps);
            program_->constants.resize(constants);
            listing_.resize(lines);
            return false;
        }
    }

    /// What stands behind an anchor.
    struct Following {
        std::optional<ValueId> bias;
        std::optional<ValueId> other; ///< added to the result
        std::optional<Eltwise> eltwise;
        std::string text; ///< " + bias + x -> relu"
    };

    bool follow(Following& after, const CallOp& call, const Var& before, const graph::Type& result) {
        const std::size_t rank = dims_of(result).size();
        if (after.eltwise) return false;
        if (call.op.name == "bias_add" && call.args[0] == before && !after.bias && !after.other) {
            const std::int64_t axis = call.attrs.integer("axis", 1),
                               at = axis < 0 ? axis + static_cast<std::int64_t>(rank) : axis;
            bias_axis_ = at;
            after.bias = ids_.at(call.args[1]);
            after.text += " + bias";
            return true;
        }
        if (call.op.name == "add" && !after.other) {
            const Var other = call.args[0] == before ? call.args[1] : call.args[0];
            if (other == before || dims_of(other->type) != dims_of(result)) return false;
            after.other = ids_.at(other);
            after.text += " + x";
            return true;
        }
        after.eltwise = eltwise_of(call);
        if (after.eltwise) after.text += " -> " + call.op.name;
        return after.eltwise.has_value();
    }

    /// Attributes with what follows as post-operations over a result of that layout.
    static dnnl::primitive_attr attributes(const Following& after, const Desc& result) {
        dnnl::primitive_attr attr = user_scratch();
        dnnl::post_ops ops;
        if (after.other) ops.append_binary(dnnl::algorithm::binary_add, result);
        if (after.eltwise)
            ops.append_eltwise(1.0F, after.eltwise->algorithm, after.eltwise->alpha, after.eltwise->beta);
        attr.set_post_ops(ops);
        return attr;
    }

    ValueId convolution(const CallOp& call, const graph::Type& type, const Following& after) {
        if (after.bias && bias_axis_ != 1) throw dnnl::error(dnnl_unimplemented, "bias along another axis");
        using Forward = dnnl::convolution_forward;
        const Dims in = dims_of(call.args[0]->type), out = dims_of(type);
        Dims weight = dims_of(call.args[1]->type);
        const std::int64_t groups = call.attrs.integer("groups", 1);
        ValueId filters = ids_.at(call.args[1]);
        if (groups > 1) {
            const Dims grouped{groups, weight[0] / groups, weight[1], weight[2], weight[3]};
            filters = reinterpreted(filters, weight, plain(grouped));
            weight = grouped;
        }
        const Windows w = windows_of(call, type);
        const auto describe = [&](const Desc& result, const dnnl::primitive_attr& attr) {
            const Desc bias = after.bias ? Desc({out[1]}, kType, memory::format_tag::a) : Desc();
            const Forward::desc what(dnnl::prop_kind::forward_inference, dnnl::algorithm::convolution_direct,
                                     any_layout(in), any_layout(weight), bias, result, w.strides, w.dilations, w.before,
                                     w.after);
            return Forward::primitive_desc(what, attr, program_->engine);
        };
        const Desc result = describe(any_layout(out), attributes({{}, {}, after.eltwise, {}}, {})).dst_desc();
        const Forward::primitive_desc how = describe(result, attributes(after, result));
        std::vector<std::pair<int, ValueId>> args{{DNNL_ARG_SRC, in_layout(ids_.at(call.args[0]), how.src_desc())},
                                                  {DNNL_ARG_WEIGHTS, in_layout(filters, how.weights_desc())}};
        return finish(Forward(how), how, std::move(args), after, "conv2d");
    }

    /// Adds the step of an anchor: operands are there, bias and the other summand join.
    template <class PrimitiveDesc> ValueId finish(const dnnl::primitive& primitive, const PrimitiveDesc& how,
                                                  std::vector<std::pair<int, ValueId>> args, const Following& after,
                                                  const std::string& name) {
        if (after.bias) args.emplace_back(DNNL_ARG_BIAS, *after.bias);
        if (after.other)
            args.emplace_back(DNNL_ARG_ATTR_MULTIPLE_POST_OP(0) | DNNL_ARG_SRC_1,
                              in_layout(*after.other, how.dst_desc()));
        const ValueId result = workspace(how.dst_desc());
        args.emplace_back(DNNL_ARG_DST, result);
        add_step(primitive, std::move(args), how.scratchpad_desc());
        listing_.push_back(name + after.text + ": " + how.impl_info_str());
        return result;
    }

    ValueId product(const CallOp& call, const graph::Type& type, const Following& after) {
        Dims a = dims_of(call.args[0]->type), b = dims_of(call.args[1]->type), out = dims_of(type);
        const std::int64_t last = static_cast<std::int64_t>(out.size()) - 1;
        if (after.bias && bias_axis_ != last) throw dnnl::error(dnnl_unimplemented, "bias along another axis");
        const bool turn_a = call.attrs.flag("transpose_a"), turn_b = call.attrs.flag("transpose_b");
        if (a.size() != b.size()) { // [batch..., M, K] by [K, N]: the batch joins the rows; only strides change
            if (after.other) throw dnnl::error(dnnl_unimplemented, "a sum over joined rows");
            const std::int64_t rows = element_count(std::span(a).first(a.size() - 1));
            a = {rows, a.back()};
            out = {rows, out.back()};
        }
        // The transposed operand is a view with exchanged strides.
        const auto turned = [](const Dims& dims, bool turn, Dims& logical) {
            Dims strides(dims.size(), 1);
            for (std::size_t i = dims.size(); i-- > 1;) strides[i - 1] = strides[i] * dims[i];
            logical = dims;
            if (turn) {
                std::swap(logical[dims.size() - 1], logical[dims.size() - 2]);
                std::swap(strides[dims.size() - 1], strides[dims.size() - 2]);
            }
            return Desc(logical, kType, strides);
        };
        Dims left, right;
        const Desc a_view = turned(a, turn_a, left), b_view = turned(b, turn_b, right);
        ValueId x = ids_.at(call.args[0]), y = ids_.at(call.args[1]);
        x = reinterpreted(x, dims_of(call.args[0]->type), a_view);
        y = reinterpreted(y, dims_of(call.args[1]->type), b_view);
        const bool fixed = program_->values[y].place == Place::Constant;
        Dims bias_dims(out.size(), 1);
        bias_dims.back() = out.back();
        const Desc bias = after.bias ? plain(bias_dims) : Desc();
        const dnnl::matmul::desc what(a_view, fixed ? any_layout(right) : b_view, bias, plain(out));
        const dnnl::matmul::primitive_desc how(what, attributes(after, plain(out)), program_->engine);
        Following now = after;
        if (now.bias) now.bias = reinterpreted(*after.bias, {out.back()}, plain(bias_dims));
        const ValueId result =
            finish(dnnl::matmul(how), how, {{DNNL_ARG_SRC, x}, {DNNL_ARG_WEIGHTS, in_layout(y, how.weights_desc())}},
                   now, "matmul");
        return reinterpreted(result, out, plain(dims_of(type)));
    }

    /// The bytes of a value, made plain, seen under another layout of as many elements: a second name for its place.
    ValueId reinterpreted(ValueId id, const Dims& dims, const Desc& as) {
        const ValueId flat = in_layout(id, plain(dims));
        if (layout(flat) == as) return flat;
        Value value = program_->values[flat];
        value.layout = as;
        if (value.place == Place::Constant) {
            const dnnl::memory& from = program_->constants[value.index];
            dnnl::memory seen(as, program_->engine);
            std::memcpy(seen.get_data_handle(), from.get_data_handle(), from.get_desc().get_size());
            return constant(seen);
        }
        if (value.place == Place::Argument) return add_value(value);
        value.shares = value.shares == kNone ? flat : value.shares;
        return add_value(value);
    }

    ValueId single(const CallOp& call, const graph::Type& type) {
        if (call.op.name == "conv2d") return convolution(call, type, {});
        if (call.op.name == "matmul") return product(call, type, {});
        if (call.op.name == "max_pool" || call.op.name == "avg_pool") return pooling(call, type);
        if (const std::optional<Eltwise> eltwise = eltwise_of(call)) return elementwise(call, *eltwise);
        return binary(call, type);
    }

    ValueId pooling(const CallOp& call, const graph::Type& type) {
        using Forward = dnnl::pooling_forward;
        const Windows w = windows_of(call, type);
        const dnnl::algorithm how_many = call.op.name == "max_pool" ? dnnl::algorithm::pooling_max
                                         : call.attrs.flag("count_include_pad")
                                             ? dnnl::algorithm::pooling_avg_include_padding
                                             : dnnl::algorithm::pooling_avg_exclude_padding;
        const ValueId x = ids_.at(call.args[0]);
        const Forward::desc what(dnnl::prop_kind::forward_inference, how_many, layout(x), any_layout(dims_of(type)),
                                 w.strides, w.kernel, w.before, w.after);
        const Forward::primitive_desc how(what, user_scratch(), program_->engine);
        return finish(Forward(how), how, {{DNNL_ARG_SRC, x}}, {}, call.op.name);
    }

    ValueId elementwise(const CallOp& call, const Eltwise& function) {
        using Forward = dnnl::eltwise_forward;
        const ValueId x = ids_.at(call.args[0]);
        const Forward::desc what(dnnl::prop_kind::forward_inference, function.algorithm, layout(x), function.alpha,
                                 function.beta);
        const Forward::primitive_desc how(what, user_scratch(), program_->engine);
        return finish(Forward(how), how, {{DNNL_ARG_SRC, x}}, {}, call.op.name);
    }

    /// add and the like, and bias_add, whose vector lies along an axis.
    ValueId binary(const CallOp& call, const graph::Type& type) {
        const Dims out = dims_of(type);
        const ValueId a = ids_.at(call.args[0]);
        ValueId b = ids_.at(call.args[1]);
        Dims other = dims_of(call.args[1]->type);
        if (call.op.name == "bias_add") {
            const std::int64_t axis = call.attrs.integer("axis", 1);
            Dims along(out.size(), 1);
            along[static_cast<std::size_t>(axis < 0 ? axis + static_cast<std::int64_t>(out.size()) : axis)] = other[0];
            b = reinterpreted(b, other, plain(along));
            other = along;
        }
        const dnnl::algorithm function = binary_of(call).value_or(dnnl::algorithm::binary_add);
        if (other == out) b = in_layout(b, layout(a));
        const dnnl::binary::desc what(function, layout(a), layout(b), layout(a));
        const dnnl::binary::primitive_desc how(what, user_scratch(), program_->engine);
        return finish(dnnl::binary(how), how, {{DNNL_ARG_SRC_0, a}, {DNNL_ARG_SRC_1, b}}, {}, call.op.name);
    }

    /// Results lie plain in the kernel's arguments.
    void results(const graph::Function& region) {
        std::vector<Var> vars{region->result};
        for (const graph::Binding& binding : region->bindings)
            if (binding.var == region->result)
                if (const auto* tuple = graph::as<graph::Tuple>(binding.value)) vars = tuple->fields;
        for (std::size_t i = 0; i < vars.size(); ++i)
            reorder(ids_.at(vars[i]), argument(plain(dims_of(vars[i]->type)), arguments_.result(i)));
    }

    Arguments arguments_;
    std::unique_ptr<Program> program_;
    dnnl::stream stream_;
    std::unordered_map<Var, ValueId> ids_;
    std::vector<std::string> listing_;
    std::int64_t bias_axis_ = 1;
};

std::size_t large_constants(const graph::FunctionNode& function) {
    std::size_t count = 0;
    for (const graph::Binding& binding : function.bindings) {
        if (const auto* value = graph::as<graph::Constant>(binding.value)) count += value->value.size() != 1 ? 1 : 0;
        if (const auto* inner = graph::as<graph::CallFunction>(binding.value))
            count += large_constants(*inner->function);
    }
    return count;
}

} // namespace

Arguments arguments_of(const graph::Function& region) {
    const graph::TupleType* tuple = graph::as_tuple(region->result->type);
    return {region->params.size(), large_constants(*region), tuple ? tuple->fields.size() : 1};
}

BuiltRegion build_region(const graph::Function& region) { return Builder(region).run(region); }

} // namespace orrery::onednn
