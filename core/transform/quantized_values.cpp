#include "core/transform/quantized_values.hpp"

#include "core/transform/rule_rewriter.hpp"

#include <cmath>

namespace orrery::transform {

using graph::CallOp;
using graph::Var;

namespace {

DType element_type(const Var& var) {
    const graph::TensorType* type = graph::as_tensor(var->type);
    return type ? type->dtype : DType::Bool;
}

bool is_cast_to_i32(const CallOp* call) {
    return call && call->attrs.dtype("dtype") == DType::I32 && is_byte(element_type(call->args[0]));
}

} // namespace

const CallOp* KnownValues::call_of(const Var& var, const char* op) const {
    const graph::Expr value = var ? value_of_(var) : nullptr;
    const auto* call = value ? graph::as<CallOp>(value) : nullptr;
    return call && call->op.name == op ? call : nullptr;
}

const NDArray* KnownValues::find(const Var& var) {
    constexpr std::int64_t kMost = 1 << 16; // our choice: scales and biases have an element a channel
    if (!var) return nullptr;
    if (const auto found = found_.find(var); found != found_.end()) return found->second ? &*found->second : nullptr;
    std::optional<NDArray> out;
    const graph::Expr value = value_of_(var);
    const std::optional<Shape> shape = shape_of(var);
    if (!value || !shape || element_count(*shape) > kMost) return nullptr;
    if (const auto* constant = graph::as<graph::Constant>(value)) out = constant->value;
    const auto* call = graph::as<CallOp>(value);
    if (call && !call->op.random && !call->args.empty()) {
        std::vector<NDArray> args;
        bool known = true;
        for (const Var& arg : call->args) {
            const NDArray* array = arg ? find(arg) : nullptr;
            known = known && (!arg || array);
            args.push_back(array ? *array : NDArray{});
        }
        if (known)
            if (const auto result = evaluate_(*call, args, var->type, {}); result && result->size() == 1)
                out = result->front();
    }
    const auto& kept = found_[var] = std::move(out);
    return kept ? &*kept : nullptr;
}

std::optional<double> KnownValues::number(const Var& var) {
    const NDArray* array = find(var);
    return array && array->size() == 1 ? std::optional(array->as_double(0)) : std::nullopt;
}

std::optional<QuantizedValue> KnownValues::centred(const Var& var) {
    const CallOp* difference = call_of(var, "subtract");
    const CallOp* cast = call_of(difference ? difference->args[0] : var, "cast");
    if (!is_cast_to_i32(cast)) return std::nullopt;
    QuantizedValue out{.value = cast->args[0]};
    if (!difference) return out;
    out.zero_var = difference->args[1];
    const std::optional<Shape> shape = shape_of(out.zero_var), all = shape_of(out.value);
    if (!shape || element_count(*shape) != 1 || !all || shape->size() > all->size()) return std::nullopt;
    const std::optional<double> zero = number(out.zero_var);
    out.zero = zero ? std::optional(static_cast<std::int64_t>(*zero)) : std::nullopt;
    return out;
}

std::optional<QuantizedValue> KnownValues::dequantized(const Var& var) {
    const CallOp* call = call_of(var, "dequantize_linear");
    if (!call || element_type(var) != DType::F32 || !is_byte(element_type(call->args[0]))) return std::nullopt;
    const bool has_zero = call->args.size() > 2 && call->args[2];
    const std::optional<double> scale = number(call->args[1]), zero = has_zero ? number(call->args[2]) : 0;
    if (!scale || !zero) return std::nullopt;
    return QuantizedValue{.value = call->args[0],
                          .zero = static_cast<std::int64_t>(*zero),
                          .zero_var = has_zero ? call->args[2] : Var(),
                          .scale = static_cast<float>(*scale)};
}

const NDArray* KnownValues::bytes(const Var& var) const {
    const graph::Expr value = value_of_(var);
    const auto* constant = value ? graph::as<graph::Constant>(value) : nullptr;
    return constant && is_byte(constant->value.dtype()) ? &constant->value : nullptr;
}

/// The elements of what broadcasts to `shape`, when that is one or along the axis.
std::optional<std::vector<double>> KnownValues::along(const Var& var, const Shape& shape, std::size_t axis) {
    const NDArray* array = find(var);
    if (!array || array->shape().size() > shape.size()) return std::nullopt;
    const std::size_t ahead = shape.size() - array->shape().size();
    for (std::size_t d = 0; d < array->shape().size(); ++d)
        if (array->shape()[d] != 1 && d + ahead != axis) return std::nullopt;
    std::vector<double> out;
    for (std::int64_t i = 0; i < array->size(); ++i) out.push_back(array->as_double(i));
    return out;
}

std::optional<KnownValues::Parts> KnownValues::parts_of(const Var& var, std::size_t axis) {
    Parts out;
    if (const CallOp* call = call_of(var, "dequantize_linear")) {
        out.values = bytes(call->args[0]);
        const NDArray* scale = find(call->args[1]);
        const bool has_zero = call->args.size() > 2 && call->args[2];
        const NDArray* zero = has_zero ? find(call->args[2]) : nullptr;
        if (!out.values || !scale || (has_zero && !zero) || call->attrs.integer("block", 0) != 0) return std::nullopt;
        const auto rank = static_cast<std::int64_t>(out.values->shape().size());
        const std::int64_t given = call->attrs.integer("axis", 1);
        const bool fits = (given < 0 ? given + rank : given) == static_cast<std::int64_t>(axis);
        if (scale->size() != 1 && !fits) return std::nullopt;
        for (std::int64_t i = 0; i < scale->size(); ++i) {
            out.scales.push_back(static_cast<float>(scale->as_double(i)));
            out.zeros.push_back(zero ? zero->as_double(i) : 0);
        }
        return out;
    }
    const CallOp* difference = call_of(var, "subtract");
    const CallOp* cast = call_of(difference ? difference->args[0] : var, "cast");
    if (!is_cast_to_i32(cast)) return std::nullopt;
    out.values = bytes(cast->args[0]);
    out.scales = {1};
    const auto zeros = out.values && difference ? along(difference->args[1], out.values->shape(), axis)
                                                : std::optional(std::vector<double>{0});
    if (!out.values || !zeros) return std::nullopt;
    out.zeros = *zeros;
    return out;
}

std::optional<QuantizedWeights> KnownValues::weights(const Var& var, std::size_t axis) {
    const std::optional<Parts> parts = parts_of(var, axis);
    if (!parts || axis >= parts->values->shape().size()) return std::nullopt;
    const NDArray& from = *parts->values;
    const Shape& shape = from.shape();
    const std::int64_t extent = shape[axis];
    std::int64_t inner = 1;
    for (std::size_t d = axis + 1; d < shape.size(); ++d) inner *= shape[d];
    const auto each = static_cast<std::size_t>(extent);
    QuantizedWeights out{NDArray::allocate(DType::I8, shape), parts->scales, std::vector<std::int64_t>(each),
                         std::vector<std::int64_t>(each)};
    const auto to = out.values.mutable_values<std::int8_t>();
    const bool is_signed = from.dtype() == DType::I8;
    for (std::size_t i = 0; i < to.size(); ++i) {
        const auto at = static_cast<std::size_t>(static_cast<std::int64_t>(i) / inner % extent);
        const std::int64_t value = is_signed ? from.values<std::int8_t>()[i] : from.values<std::uint8_t>()[i];
        const std::int64_t whole = value - static_cast<std::int64_t>(parts->zeros[parts->zeros.size() > 1 ? at : 0]);
        if (whole < INT8_MIN || whole > INT8_MAX) return std::nullopt;
        to[i] = static_cast<std::int8_t>(whole);
        out.sums[at] += whole;
        out.sizes[at] += std::abs(whole);
    }
    return out;
}

} // namespace orrery::transform
