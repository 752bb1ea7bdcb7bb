// Graphs inside nodes as functions of their own: closed, with what they take from around as parameters.

#include "core/frontends/onnx/importer.hpp"
#include "core/ops/ops.hpp"

#include <algorithm>
#include <utility>

namespace orrery::onnx {

using graph::Var;

namespace {

constexpr int kMaxNesting = 64;                   // our choice: functions inside each other
constexpr std::int64_t kCapturedBytes = 16 << 20; // our choice: what a converter may be given by value
constexpr std::int64_t kCapturedShapeBytes = 64 << 10;

} // namespace

Var Importer::capture(const std::vector<Scope*>& functions, std::string_view name, const Var& outer) {
    if (outer == no_element_) return outer;
    if (known.is_known(outer))
        if (std::optional<NDArray> value = known.value(outer, kCapturedBytes)) {
            const Var var = builder.constant(*std::move(value), {}, outer->name);
            note(var);
            if (texts_.contains(outer)) texts_.insert(var);
            functions.front()->vars.emplace(name, var);
            return var;
        }
    Var var = outer;
    for (auto it = functions.rbegin(); it != functions.rend(); ++it) { // outermost first: each passes it on
        Scope& function = **it;
        const auto at = std::ranges::find(*function.captures, var);
        const auto index = static_cast<std::size_t>(at - function.captures->begin());
        if (at == function.captures->end()) function.captures->push_back(var);
        function.captured->resize(function.captures->size());
        Var& own = (*function.captured)[index];
        if (!own) {
            own = graph::make_var(var->name, var->type);
            if (texts_.contains(var)) texts_.insert(own);
            for (graph::KnownValues& world : worlds_)
                if (std::optional<NDArray> value = world.value(var, kCapturedShapeBytes))
                    world.set(own, *std::move(value));
        }
        function.vars.emplace(name, own);
        var = own;
    }
    return var;
}

Result<InnerFunction> Importer::convert_function(const InnerGraph& inner, const NodePlace& place, Scope& scope,
                                                 std::vector<Var>& captures) {
    if (scope.depth >= kMaxNesting) return Diagnostic{Code::MalformedModel, "graphs nest too deep", {}, {}};
    InnerFunction function;
    Scope body;
    body.outer = &scope;
    body.opsets = scope.opsets;
    body.arguments = scope.arguments;
    body.path = place.name + "/";
    body.depth = scope.depth + 1;
    body.captures = &captures;
    body.captured = &function.captured;
    ORRERY_CHECK_OK(add_initializers(inner.graph, body));
    for (std::size_t i = 0; i < inner.params.size(); ++i) {
        const bool named = !inner.inputs && static_cast<int>(i) < inner.graph.input_size();
        function.params.push_back(graph::make_var(
            named ? inner.graph.input(static_cast<int>(i)).name() : "p" + std::to_string(i), inner.params[i]));
    }
    graph::FunctionBuilder around = std::exchange(builder, {});
    Result<std::vector<Var>> outputs = convert_body(inner, function, place, body);
    function.bindings = builder.bindings();
    builder = std::move(around);
    if (!outputs) return std::move(outputs.error());
    function.outputs = *std::move(outputs);
    return function;
}

Result<std::vector<Var>> Importer::convert_body(const InnerGraph& inner, const InnerFunction& function,
                                                const NodePlace& place, Scope& body) {
    std::vector<Var> inputs = function.params;
    if (inner.inputs) { ORRERY_TRY(inputs, inner.inputs(function.params)); }
    if (static_cast<std::size_t>(inner.graph.input_size()) != inputs.size())
        return Diagnostic{Code::MalformedModel,
                          "a graph inside takes " + std::to_string(inner.graph.input_size()) + " inputs, not " +
                              std::to_string(inputs.size()),
                          {},
                          {}};
    for (int i = 0; i < inner.graph.input_size(); ++i)
        body.vars.insert_or_assign(inner.graph.input(i).name(), inputs[static_cast<std::size_t>(i)]);
    ORRERY_CHECK_OK(convert_nodes(inner.graph.node(), body));
    std::vector<Var> outputs;
    for (const auto& output : inner.graph.output()) {
        ORRERY_TRY(Var var, lookup(body, output.name(), place.source));
        if (!var)
            return Diagnostic{Code::UnsupportedFeature, "the output '" + output.name() + "' is not computed", {}, {}};
        if (!graph::as_tensor(var->type))
            return Diagnostic{Code::UnsupportedFeature,
                              "the output '" + output.name() + "' is a sequence or optional that depends on data",
                              {},
                              "give the condition as a constant"};
        if (texts_.contains(var))
            return Diagnostic{
                Code::UnsupportedFeature, "the output '" + output.name() + "' of a graph inside is a string", {}, {}};
        outputs.push_back(std::move(var));
    }
    return inner.outputs ? inner.outputs(function.params, std::move(outputs)) : Result(std::move(outputs));
}

graph::Function Importer::finish_function(InnerFunction inner, const std::vector<Var>& captures,
                                          const std::string& name) {
    std::vector<Var> params = std::move(inner.params);
    inner.captured.resize(captures.size());
    for (std::size_t i = 0; i < captures.size(); ++i)
        params.push_back(inner.captured[i] ? inner.captured[i] : graph::make_var(captures[i]->name, captures[i]->type));
    if (inner.outputs.size() == 1)
        return graph::make_function(name, std::move(params), std::move(inner.bindings), inner.outputs[0]);
    std::vector<graph::Type> types;
    for (const Var& output : inner.outputs) types.push_back(output->type);
    const Var result = graph::make_var("outputs", graph::tuple_type(std::move(types)));
    inner.bindings.push_back({result, make_ref<const graph::Tuple>(std::move(inner.outputs)), {}});
    return graph::make_function(name, std::move(params), std::move(inner.bindings), result);
}

Result<std::vector<Var>> Importer::parts_of(const Var& value, std::size_t count, const NodePlace& place) {
    std::vector<Var> parts;
    for (std::size_t i = 0; i < count; ++i) {
        ORRERY_TRY(Var part, emit(make_ref<const graph::Project>(value, i), place.name, place.source));
        parts.push_back(std::move(part));
    }
    return parts;
}

Result<Var> Importer::control_value(const Var& var, const NodePlace& place) {
    const graph::TensorType* type = graph::as_tensor(var->type);
    if (type && type->dims.empty()) return var;
    return emit(make_ref<const graph::CallOp>(ops::op("reshape"), std::vector<Var>{var},
                                              graph::Attrs{{"shape", graph::Ints{}}}),
                place.name, place.source);
}

} // namespace orrery::onnx
