// What holds nodes of its own: functions of the model are expanded, a branch whose condition is known is taken; other
// branches become functions of the graph IR.

#include "core/frontends/onnx/importer.hpp"
#include "core/frontends/onnx/importer_node.hpp"
#include "core/ops/ops.hpp"

namespace orrery::onnx {

using graph::Var;

namespace {

constexpr int kMaxExpansion = 64; // our choice: functions and graphs inside each other
constexpr std::int64_t kConditionBytes = 64;

Diagnostic unsupported(std::string message) {
    return {Code::UnsupportedFeature, std::move(message), {}, "give the input it depends on as a constant"};
}

} // namespace

Result<std::vector<Var>> Importer::expand_function(const ::onnx::FunctionProto& function, const NodePlace& place,
                                                   Scope& scope) {
    if (scope.depth >= kMaxExpansion) return malformed("functions call each other without end");
    ORRERY_TRY(const std::vector<Var> inputs, inputs_of(place, scope));
    if (static_cast<int>(inputs.size()) > function.input_size())
        return malformed(function.name() + " takes " + std::to_string(function.input_size()) + " inputs, not " +
                         std::to_string(inputs.size()));
    Arguments arguments;
    for (const auto& attribute : place.proto->attribute()) {
        const ::onnx::AttributeProto* given = &attribute;
        if (!attribute.ref_attr_name().empty()) {
            const auto outer =
                scope.arguments ? scope.arguments->find(attribute.ref_attr_name()) : Arguments::const_iterator();
            if (!scope.arguments || outer == scope.arguments->end()) continue;
            given = outer->second;
        }
        arguments.emplace(attribute.name(), given);
    }
    Opsets opsets;
    for (const auto& import : function.opset_import())
        opsets[import.domain() == "ai.onnx" ? "" : import.domain()] = static_cast<int>(import.version());
    if (opsets.empty()) opsets = *scope.opsets;

    Scope body;
    body.opsets = &opsets;
    body.arguments = &arguments;
    body.path = place.name + "/";
    body.depth = scope.depth + 1;
    for (int i = 0; i < function.input_size(); ++i) {
        const Var var = static_cast<std::size_t>(i) < inputs.size() ? inputs[static_cast<std::size_t>(i)] : Var();
        if (!body.vars.emplace(function.input(i), var).second)
            return malformed(function.name() + " lists the input '" + function.input(i) + "' twice");
    }
    ORRERY_CHECK_OK(convert_nodes(function.node(), body));
    std::vector<Var> outputs;
    for (const std::string& name : function.output()) {
        ORRERY_TRY(Var var, lookup(body, name, place.source));
        outputs.push_back(std::move(var));
    }
    if (outputs.size() < static_cast<std::size_t>(place.proto->output_size()))
        return malformed(function.name() + " has fewer outputs than are asked for");
    return outputs;
}

Result<std::vector<Var>> Importer::convert_subgraph(const ::onnx::GraphProto& graph, const std::vector<Var>& inputs,
                                                    const NodePlace& place, Scope& scope) {
    if (scope.depth >= kMaxExpansion) return malformed("graphs nest too deep");
    if (static_cast<std::size_t>(graph.input_size()) != inputs.size())
        return malformed("a graph inside takes " + std::to_string(graph.input_size()) + " inputs, not " +
                         std::to_string(inputs.size()));
    Scope body;
    body.outer = &scope;
    body.opsets = scope.opsets;
    body.arguments = scope.arguments;
    body.path = place.name + "/";
    body.depth = scope.depth + 1;
    ORRERY_CHECK_OK(add_initializers(graph, body));
    for (int i = 0; i < graph.input_size(); ++i)
        body.vars.insert_or_assign(graph.input(i).name(), inputs[static_cast<std::size_t>(i)]);
    ORRERY_CHECK_OK(convert_nodes(graph.node(), body));
    std::vector<Var> outputs;
    for (const auto& output : graph.output()) {
        ORRERY_TRY(Var var, lookup(body, output.name(), place.source));
        if (!var) return unsupported("the output '" + output.name() + "' is not computed");
        outputs.push_back(std::move(var));
    }
    return outputs;
}

Result<std::vector<Var>> Importer::convert_if(const NodePlace& place, Scope& scope) {
    ORRERY_TRY(std::vector<Var> inputs, inputs_of(place, scope));
    const ImportedNode reader(*this, place, scope, inputs);
    const ::onnx::GraphProto* branches[] = {reader.graph("else_branch"), reader.graph("then_branch")};
    if (inputs.size() != 1 || !inputs[0] || !branches[0] || !branches[1])
        return malformed("If takes a condition and two graphs");
    const auto count = static_cast<std::size_t>(place.proto->output_size());
    const std::optional<NDArray> condition = known.value(inputs[0], kConditionBytes);
    if (condition && condition->size() == 1) {
        const ::onnx::GraphProto& taken = *branches[condition->as_int(0) != 0];
        ORRERY_TRY(std::vector<Var> outputs, convert_subgraph(taken, {}, place, scope));
        if (outputs.size() < count) return malformed("a branch of If has too few outputs");
        return outputs;
    }
    ORRERY_TRY(const Var chosen_by, control_value(inputs[0], place));
    std::vector<Var> captures;
    ORRERY_TRY(InnerFunction otherwise, convert_function({*branches[0]}, place, scope, captures));
    ORRERY_TRY(InnerFunction then, convert_function({*branches[1]}, place, scope, captures));
    if (then.outputs.size() < count || otherwise.outputs.size() != then.outputs.size())
        return malformed("the branches of If have too few outputs, or not as many");
    const std::size_t outputs = then.outputs.size();
    const graph::Function functions[] = {finish_function(std::move(otherwise), captures, place.name + "_else"),
                                         finish_function(std::move(then), captures, place.name + "_then")};
    ORRERY_TRY(const Var chosen, emit(make_ref<const graph::If>(chosen_by, functions[1], functions[0], captures),
                                      place.name, place.source));
    if (outputs == 1) return std::vector<Var>{chosen};
    return parts_of(chosen, outputs, place);
}

} // namespace orrery::onnx
