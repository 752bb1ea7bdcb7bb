// What holds nodes of its own: functions of the model are expanded, branches whose condition is known are taken, loops
// whose trips are known are unrolled.

#include "core/frontends/onnx/importer.hpp"
#include "core/frontends/onnx/importer_node.hpp"
#include "core/ops/ops.hpp"

namespace orrery::onnx {

using graph::Var;

namespace {

constexpr int kMaxExpansion = 64;          // our choice: functions and graphs inside each other
constexpr std::int64_t kMaxTrips = 10'000; // our choice; nodes are bounded besides
constexpr std::int64_t kConditionBytes = 64;

Diagnostic unsupported(std::string message) {
    return {Code::UnsupportedFeature, std::move(message), {}, "give the input it depends on as a constant"};
}

Diagnostic malformed(std::string message) { return {Code::MalformedModel, std::move(message), {}, {}}; }

NDArray scalar(DType dtype, std::int64_t value) {
    NDArray array = NDArray::allocate(dtype, {});
    array.set_int(0, value);
    return array;
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
    const std::optional<NDArray> condition = known.value(inputs[0], kConditionBytes);
    if (!condition || condition->size() != 1) return unsupported("If whose condition is not known at import");
    const ::onnx::GraphProto& taken = *branches[condition->as_int(0) != 0];
    ORRERY_TRY(std::vector<Var> outputs, convert_subgraph(taken, {}, place, scope));
    if (outputs.size() < static_cast<std::size_t>(place.proto->output_size()))
        return malformed("a branch of If has too few outputs");
    return outputs;
}

Result<std::vector<Var>> Importer::convert_loop(const NodePlace& place, Scope& scope) {
    ORRERY_TRY(const std::vector<Var> inputs, inputs_of(place, scope));
    ImportedNode reader(*this, place, scope, inputs);
    const ::onnx::GraphProto* body = reader.graph("body");
    if (!body || inputs.size() < 2) return malformed("Loop takes a limit, a condition and a graph");
    const auto given = [&](std::size_t i, std::int64_t fallback) -> Result<std::int64_t> {
        if (!inputs[i]) return fallback;
        const std::optional<NDArray> value = known.value(inputs[i], kConditionBytes);
        if (!value || value->size() != 1) return unsupported("Loop whose number of iterations is not known at import");
        return value->as_int(0);
    };
    ORRERY_TRY(const std::int64_t limit, given(0, kMaxTrips + 1));
    ORRERY_TRY(std::int64_t going, given(1, 1));

    std::vector<Var> carried(inputs.begin() + 2, inputs.end());
    const std::size_t scans = static_cast<std::size_t>(std::max(body->output_size() - 1, 0)) -
                              std::min(carried.size(), static_cast<std::size_t>(std::max(body->output_size() - 1, 0)));
    std::vector<std::vector<Var>> scanned(scans);
    Var condition = inputs[1] ? inputs[1] : reader.constant_var(scalar(DType::Bool, 1));
    for (std::int64_t trip = 0; going && trip < limit; ++trip) {
        if (trip == kMaxTrips) return unsupported("Loop of more than " + std::to_string(kMaxTrips) + " iterations");
        std::vector<Var> args{reader.constant_var(scalar(DType::I64, trip)), condition};
        args.insert(args.end(), carried.begin(), carried.end());
        ORRERY_TRY(const std::vector<Var> out, convert_subgraph(*body, args, place, scope));
        if (out.size() != 1 + carried.size() + scans) return malformed("the body of Loop gives too few values");
        condition = out[0];
        const std::optional<NDArray> next = known.value(condition, kConditionBytes);
        if (!next || next->size() != 1) return unsupported("Loop whose condition is not known at import");
        going = next->as_int(0) != 0;
        for (std::size_t i = 0; i < carried.size(); ++i) carried[i] = out[1 + i];
        for (std::size_t i = 0; i < scans; ++i) scanned[i].push_back(out[1 + carried.size() + i]);
    }

    std::vector<Var> outputs = carried;
    for (const std::vector<Var>& parts : scanned) {
        if (parts.empty()) return unsupported("Loop that scans values and makes no iteration");
        std::vector<Var> rows;
        for (const Var& part : parts) {
            const graph::TensorType* type = graph::as_tensor(part->type);
            if (!type) return malformed("Loop scans something that is no tensor");
            graph::Ints shape{1};
            for (const graph::Dim& dim : type->dims) shape.push_back(dim.value);
            ORRERY_TRY(Var row, reader.call("reshape", {part}, {{"shape", shape}}));
            rows.push_back(std::move(row));
        }
        ORRERY_TRY(Var stacked, reader.call("concat", rows, {{"axis", 0}}));
        outputs.push_back(std::move(stacked));
    }
    if (outputs.size() < static_cast<std::size_t>(place.proto->output_size()))
        return malformed("Loop has more outputs than its body gives");
    return outputs;
}

} // namespace orrery::onnx
