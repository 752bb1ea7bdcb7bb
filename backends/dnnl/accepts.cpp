#include "backends/dnnl/accepts.hpp"

#include "core/graph/op.hpp"

#include <algorithm>
#include <map>
#include <string_view>

namespace orrery::onednn {

using dnnl::algorithm;
using graph::CallOp;
using graph::Ints;

namespace {

std::int64_t attr_axis(const CallOp& call, std::int64_t fallback, std::size_t rank) {
    const std::int64_t axis = call.attrs.integer("axis", fallback);
    return axis < 0 ? axis + static_cast<std::int64_t>(rank) : axis;
}

/// Every tensor: f32, static, of something, of no more dimensions than layouts have.
std::optional<std::string> refused_type(const graph::Type& type) {
    constexpr std::size_t kMostDims = 5; // beyond, only few primitives are fast
    const graph::TensorType* tensor = type ? graph::as_tensor(type) : nullptr;
    if (!tensor) return "it is no tensor";
    if (tensor->dtype != DType::F32) return "it is not of f32";
    if (!graph::is_static(*tensor)) return "its shape is not known";
    if (tensor->dims.empty() || tensor->dims.size() > kMostDims) return "it has no or too many dimensions";
    if (element_count(graph::static_shape(*tensor)) == 0) return "it is empty";
    return std::nullopt;
}

std::optional<std::string> refused_matmul(const CallOp& call) {
    const std::size_t a = dims_of(call.args[0]->type).size(), b = dims_of(call.args[1]->type).size();
    if (a < 2 || b < 2) return "vectors are not taken";
    if (a != b && (b != 2 || call.attrs.flag("transpose_a"))) return "the operands differ in rank";
    return std::nullopt;
}

std::optional<std::string> refused_pool(const CallOp& call) {
    const Ints& kernel = call.attrs.ints("kernel");
    if (kernel.size() != 2) return "windows are over two axes";
    const Ints pads = call.attrs.ints("pads", Ints(4, 0)), dilations = call.attrs.ints("dilations", Ints(2, 1));
    if (dilations != Ints(2, 1)) return "windows with holes are not taken";
    for (std::size_t i = 0; i < 4; ++i)
        if (pads[i] >= kernel[i % 2]) return "a window may lie in the padding";
    if (call.attrs.flag("ceil")) return "windows that stick out are not taken";
    return std::nullopt;
}

std::optional<std::string> refused_binary(const CallOp& call, const graph::Type& result) {
    const dnnl::memory::dims a = dims_of(call.args[0]->type), b = dims_of(call.args[1]->type);
    if (a != dims_of(result)) return "the first operand is broadcast";
    if (a.size() != b.size()) return "the operands differ in rank";
    return std::nullopt;
}

} // namespace

dnnl::memory::dims dims_of(const graph::Type& type) { return graph::static_shape(*graph::as_tensor(type)); }

std::optional<Eltwise> eltwise_of(const CallOp& call) {
    const std::string& name = call.op.name;
    const auto number = [&](const char* attr, double fallback) {
        return static_cast<float>(call.attrs.number(attr, fallback));
    };
    if (name == "relu") return Eltwise{algorithm::eltwise_relu};
    if (name == "leaky_relu") return Eltwise{algorithm::eltwise_relu, number("alpha", 0.01)};
    if (name == "elu") return Eltwise{algorithm::eltwise_elu, number("alpha", 1)};
    if (name == "tanh") return Eltwise{algorithm::eltwise_tanh};
    if (name == "sigmoid") return Eltwise{algorithm::eltwise_logistic};
    if (name == "abs") return Eltwise{algorithm::eltwise_abs};
    if (name == "exp") return Eltwise{algorithm::eltwise_exp};
    if (name == "sqrt") return Eltwise{algorithm::eltwise_sqrt};
    if (name == "gelu")
        return Eltwise{call.attrs.flag("approximate") ? algorithm::eltwise_gelu_tanh : algorithm::eltwise_gelu_erf};
    if (name == "hard_swish") return Eltwise{algorithm::eltwise_hardswish};
    if (name == "clip" && call.attrs.has("min") && call.attrs.has("max"))
        return Eltwise{algorithm::eltwise_clip, number("min", 0), number("max", 0)};
    return std::nullopt;
}

std::optional<algorithm> binary_of(const CallOp& call) {
    static const std::map<std::string, algorithm, std::less<>> kKnown{{"add", algorithm::binary_add},
                                                                      {"divide", algorithm::binary_div},
                                                                      {"multiply", algorithm::binary_mul},
                                                                      {"subtract", algorithm::binary_sub}};
    const auto it = kKnown.find(call.op.name);
    return it == kKnown.end() ? std::nullopt : std::optional(it->second);
}

std::optional<std::string> refusal(const CallOp& call, const graph::Type& result) {
    const std::string& name = call.op.name;
    const bool pools = name == "max_pool" || name == "avg_pool";
    const bool known =
        name == "conv2d" || name == "matmul" || name == "bias_add" || pools || eltwise_of(call) || binary_of(call);
    if (!known) return name + " is not taken";
    if (const auto reason = refused_type(result)) return "the result: " + *reason;
    for (const graph::Var& arg : call.args)
        if (const auto reason = refused_type(arg ? arg->type : graph::Type())) return "an operand: " + *reason;
    if (name == "matmul") return refused_matmul(call);
    if (pools) return refused_pool(call);
    if (binary_of(call)) return refused_binary(call, result);
    if (name == "bias_add" &&
        attr_axis(call, 1, dims_of(result).size()) >= static_cast<std::int64_t>(dims_of(result).size()))
        return "the axis lies outside";
    return std::nullopt;
}

Windows windows_of(const CallOp& call, const graph::Type&) {
    Windows out;
    const bool conv = call.op.name == "conv2d";
    if (conv) {
        const dnnl::memory::dims weight = dims_of(call.args[1]->type);
        out.kernel = {weight[2], weight[3]};
    } else {
        out.kernel = call.attrs.ints("kernel");
    }
    out.strides = call.attrs.ints("strides", Ints(2, 1));
    for (std::int64_t d : call.attrs.ints("dilations", Ints(2, 1))) out.dilations.push_back(d - 1);
    const Ints pads = call.attrs.ints("pads", Ints(4, 0));
    out.before = {pads[0], pads[1]};
    out.after = {pads[2], pads[3]};
    // Elements behind the last window are no concern of ours; oneDNN wants the extents to come out even.
    const dnnl::memory::dims in = dims_of(call.args[0]->type);
    for (std::size_t d = 0; d < 2; ++d) {
        const std::int64_t span = (out.kernel[d] - 1) * (out.dilations[d] + 1) + 1;
        out.after[d] -= (in[2 + d] + out.before[d] + out.after[d] - span) % out.strides[d];
    }
    return out;
}

} // namespace orrery::onednn
