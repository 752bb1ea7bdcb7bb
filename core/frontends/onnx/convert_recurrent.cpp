#include "core/frontends/onnx/convert_support.hpp"

#include <algorithm>
#include <cctype>
#include <map>

namespace orrery::onnx {

namespace {

using graph::Floats;
using graph::Strings;

struct KnownActivation {
    const char* name; ///< ONNX's, in lower case
    const char* op;   ///< ours
    bool alpha = false;
    bool beta = false;
    double alpha_default = 0;
    double beta_default = 0;
};

// Source of the defaults: ONNX RNN, the attribute `activations`.
constexpr KnownActivation kActivations[] = {
    {.name = "affine", .op = "affine", .alpha = true, .beta = true, .alpha_default = 1},
    {.name = "elu", .op = "elu", .alpha = true, .alpha_default = 1},
    {.name = "hardsigmoid",
     .op = "hard_sigmoid",
     .alpha = true,
     .beta = true,
     .alpha_default = 0.2,
     .beta_default = 0.5},
    {.name = "leakyrelu", .op = "leaky_relu", .alpha = true, .alpha_default = 0.01},
    {.name = "relu", .op = "relu"},
    {.name = "scaledtanh", .op = "scaled_tanh", .alpha = true, .beta = true, .alpha_default = 1, .beta_default = 1},
    {.name = "sigmoid", .op = "sigmoid"},
    {.name = "softplus", .op = "softplus"},
    {.name = "softsign", .op = "softsign"},
    {.name = "tanh", .op = "tanh"},
    {.name = "thresholdedrelu", .op = "thresholded_relu", .alpha = true, .alpha_default = 1},
};

/// Sets activations, alphas and betas. ONNX lists a parameter only for the activations that have one, in order.
Result<void> read_activations(NodeReader& node, graph::Attrs::Map& attrs) {
    if (!node.has_attr("activations")) return {};
    const Floats alphas = node.floats("activation_alpha", {}), betas = node.floats("activation_beta", {});
    std::size_t next_alpha = 0, next_beta = 0;
    Strings names;
    Floats used_alphas, used_betas;
    for (std::string name : node.texts("activations", {})) {
        std::ranges::transform(name, name.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
        const auto* known =
            std::ranges::find_if(kActivations, [&](const KnownActivation& a) { return name == a.name; });
        if (known == std::end(kActivations)) return bad_attribute("there is no recurrent activation named " + name);
        names.emplace_back(known->op);
        used_alphas.push_back(known->alpha && next_alpha < alphas.size() ? alphas[next_alpha++] : known->alpha_default);
        used_betas.push_back(known->beta && next_beta < betas.size() ? betas[next_beta++] : known->beta_default);
    }
    attrs["activations"] = names;
    attrs["alphas"] = used_alphas;
    attrs["betas"] = used_betas;
    return {};
}

/// Inputs in f32 or f64, time before batch.
Result<Vars> recurrent_inputs(NodeReader& node, bool batch_first, DType wide) {
    ORRERY_CHECK_OK(require_inputs(node, 3));
    Vars args = inputs(node);
    for (std::size_t i = 0; i < args.size(); ++i) {
        if (!args[i] || i == 4) continue; // 4: lengths
        ORRERY_TRY(args[i], cast_to(node, args[i], wide));
        const bool batched = i == 0 || i == 5 || i == 6;
        if (!batch_first || !batched) continue;
        ORRERY_TRY(args[i], transposed(node, args[i], {1, 0, 2}));
    }
    return args;
}

Converted recurrent(NodeReader& node, const char* op, graph::Attrs::Map attrs) {
    ORRERY_TRY(const DType dtype, input_dtype(node, 0));
    const DType wide = dtype == DType::F64 ? DType::F64 : DType::F32;
    const bool batch_first = node.integer("layout", 0) != 0;
    ORRERY_CHECK_OK(read_activations(node, attrs));
    attrs["direction"] = node.text("direction", "forward");
    if (node.has_attr("clip")) attrs["clip"] = node.number("clip", 0);
    ORRERY_TRY(const Vars args, recurrent_inputs(node, batch_first, wide));
    ORRERY_TRY(const Var all, node.call(op, args, graph::Attrs(std::move(attrs))));
    Vars vars;
    for (std::size_t i = 0; i < node.output_count(); ++i) {
        vars.emplace_back();
        if (!node.has_output(i)) continue;
        if (i >= graph::as_tuple(all->type)->fields.size())
            return unsupported("output " + std::to_string(i) + " of " + std::string(node.op_type()) + " is not served");
        ORRERY_TRY(vars.back(), cast_to(node, node.project(all, i), dtype));
        if (!batch_first) continue;
        ORRERY_TRY(vars.back(), transposed(node, vars.back(), i == 0 ? Ints{2, 0, 1, 3} : Ints{1, 0, 2}));
    }
    return results(node, std::move(vars));
}

Converted rnn(NodeReader& node) { return recurrent(node, "rnn", {}); }
Converted gru(NodeReader& node) {
    return recurrent(node, "gru", {{"linear_before_reset", node.integer("linear_before_reset", 0) != 0}});
}
Converted lstm(NodeReader& node) {
    return recurrent(node, "lstm", {{"input_forget", node.integer("input_forget", 0) != 0}});
}

constexpr ConverterRow kRecurrentRows[] = {
    {"GRU", 7, gru},
    {"LSTM", 7, lstm},
    {"RNN", 7, rnn},
};

} // namespace

Rows recurrent_rows() { return kRecurrentRows; }

} // namespace orrery::onnx
