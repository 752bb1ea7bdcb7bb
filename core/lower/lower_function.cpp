#include "core/lower/lower.hpp"
#include "core/ops/ops.hpp"
#include "core/tensor/build.hpp"
#include "core/tensor/compute.hpp"

#include <unordered_map>

namespace orrery::lower {

namespace {

using graph::Var;
using tensor::Buffer;

/// Lowers the bindings of one primitive function into a builder.
class FunctionLowering {
  public:
    /// A region's constants of several elements become inputs, and functions inside it are gone into.
    explicit FunctionLowering(bool region = false) : region_(region) {}

    Result<LoweredRegion> run(const graph::Function& function, const std::string& name) {
        std::vector<Buffer> inputs;
        for (const Var& param : function->params) {
            ORRERY_TRY(Buffer buffer, buffer_for(param->name, param->type));
            values_[param] = {buffer};
            inputs.push_back(std::move(buffer));
        }
        OriginSet origin;
        for (const graph::Binding& binding : function->bindings) {
            origin = unite(origin, binding.origin);
            builder_.origin(binding.origin);
            ORRERY_CHECK_OK(lower(binding));
        }
        inputs.insert(inputs.end(), constants_.begin(), constants_.end());
        return LoweredRegion{builder_.program(name, inputs, values_.at(function->result), origin), std::move(arrays_)};
    }

  private:
    static Result<Buffer> buffer_for(const std::string& name, const graph::Type& type) {
        const graph::TensorType* tensor = graph::as_tensor(type);
        if (!tensor || !graph::is_static(*tensor))
            return Diagnostic{Code::UnsupportedFeature,
                              name + " has type " + graph::to_string(type) +
                                  "; tensor programs are made for static tensors",
                              {},
                              "bind every symbolic dimension with --shape"};
        return tensor::make_buffer(name, tensor->dtype, graph::static_shape(*tensor));
    }

    Result<void> lower(const graph::Binding& binding) {
        if (const auto* constant = graph::as<graph::Constant>(binding.value))
            return lower_constant(binding.var, constant->value);
        if (const auto* project = graph::as<graph::Project>(binding.value)) {
            values_[binding.var] = {values_.at(project->tuple).at(project->index)};
            return {};
        }
        if (const auto* tuple = graph::as<graph::Tuple>(binding.value)) {
            std::vector<Buffer> fields;
            for (const Var& field : tuple->fields) fields.push_back(values_.at(field).front());
            values_[binding.var] = std::move(fields);
            return {};
        }
        if (const auto* inner = graph::as<graph::CallFunction>(binding.value); inner && region_)
            return lower_inner(binding.var, *inner);
        const auto* call = graph::as<graph::CallOp>(binding.value);
        if (!call)
            return Diagnostic{Code::UnsupportedFeature, "a kernel holds operator calls only", {}, "run FuseOps last"};
        std::vector<Buffer> args;
        for (const Var& arg : call->args) args.push_back(arg ? values_.at(arg).front() : Buffer{});
        values_[binding.var] = ops::define(*call, args, binding.var->type, builder_);
        return {};
    }

    Result<void> lower_inner(const Var& var, const graph::CallFunction& call) {
        if (++depth_ > kMostDepth)
            return Diagnostic{
                Code::UnsupportedFeature, "a region holds operators and composites, nothing deeper", {}, {}};
        for (std::size_t i = 0; i < call.args.size(); ++i) values_[call.function->params[i]] = values_.at(call.args[i]);
        for (const graph::Binding& binding : call.function->bindings) {
            builder_.origin(binding.origin);
            ORRERY_CHECK_OK(lower(binding));
        }
        values_[var] = values_.at(call.function->result);
        --depth_;
        return {};
    }

    Result<void> lower_constant(const Var& var, const NDArray& value) {
        if (value.size() != 1 && region_) {
            constants_.push_back(tensor::make_buffer(var->name, value.dtype(), value.shape()));
            arrays_.push_back(value);
            values_[var] = {constants_.back()};
            return {};
        }
        if (value.size() != 1)
            return Diagnostic{
                Code::UnsupportedFeature, "a kernel holds constants of one element only", {}, "run FuseOps last"};
        const tensor::Expr scalar = is_float(value.dtype()) ? tensor::constant(value.dtype(), value.as_double(0))
                                                            : tensor::constant_int(value.dtype(), value.as_int(0));
        values_[var] = {builder_.compute(var->name, value.dtype(), value.shape(), [&](const auto&) { return scalar; })};
        return {};
    }

    static constexpr int kMostDepth = 2; ///< a composite, and one inside it
    bool region_;
    int depth_ = 0;
    tensor::ComputeBuilder builder_;
    std::unordered_map<Var, std::vector<Buffer>> values_;
    std::vector<Buffer> constants_;
    std::vector<NDArray> arrays_; ///< parallel to constants_
};

} // namespace

Result<tensor::Program> lower_function(const graph::Function& function, const std::string& name) {
    ORRERY_TRY(LoweredRegion lowered, FunctionLowering().run(function, name));
    return lowered.program;
}

Result<LoweredRegion> lower_region(const graph::Function& function, const std::string& name) {
    return FunctionLowering(true).run(function, name);
}

} // namespace orrery::lower
