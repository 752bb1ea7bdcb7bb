// Gradient: the part of the graph between its xs and its y, differentiated and put in place of the node.

#include "core/frontends/onnx/importer.hpp"
#include "core/frontends/onnx/importer_node.hpp"
#include "core/transform/gradient.hpp"

#include <algorithm>
#include <numeric>
#include <set>

namespace orrery::onnx {

using graph::Var;

Result<std::vector<Var>> Importer::convert_gradient(const NodePlace& place, Scope& scope) {
    ORRERY_TRY(const std::vector<Var> inputs, inputs_of(place, scope));
    ImportedNode reader(*this, place, scope, inputs);
    graph::Strings names = reader.texts("xs", {});
    const std::size_t count = names.size();
    const graph::Strings others = reader.texts("zs", {});
    names.insert(names.end(), others.begin(), others.end());
    const std::string last = reader.text("y", "");
    if (reader.error()) return *reader.error();
    if (count == 0 || inputs.size() != names.size() || std::ranges::find(inputs, nullptr) != inputs.end() ||
        static_cast<std::size_t>(place.proto->output_size()) > count)
        return malformed("Gradient takes a value for each of its xs and zs, and gives at most one for each of its xs");
    if (std::set<std::string>(names.begin(), names.end()).size() != names.size())
        return malformed("Gradient names a tensor twice");

    std::vector<Var> ends;
    for (const std::string& name : names) {
        ORRERY_TRY(Var end, lookup(scope, name, place.source));
        ends.push_back(std::move(end));
    }
    ORRERY_TRY(const Var y, lookup(scope, last, place.source));
    if (!y || std::ranges::find(ends, nullptr) != ends.end())
        return malformed("Gradient names a tensor that is not computed");
    if (!builder.value_of(y) && std::ranges::find(ends, y) == ends.end())
        return Diagnostic{
            Code::UnsupportedFeature, "Gradient's y is not computed in the graph that the node stands in", {}, {}};
    for (std::size_t i = 0; i < ends.size(); ++i)
        if (!graph::equal(ends[i]->type, inputs[i]->type))
            return Diagnostic{Code::BadShape,
                              "Gradient is given " + graph::to_string(inputs[i]->type) + " for " + names[i] +
                                  ", which is " + graph::to_string(ends[i]->type),
                              {},
                              {}};
    return emit_gradient(y, {ends, inputs, count}, place);
}

Result<std::vector<Var>> Importer::emit_gradient(const Var& y, const GradientEnds& given, const NodePlace& place) {
    std::vector<Var> free;
    const graph::Function between = transform::slice_of(builder, y, given.ends, free);
    std::vector<std::size_t> by(given.count);
    std::iota(by.begin(), by.end(), std::size_t{0});
    ORRERY_TRY(const graph::Function function, transform::gradient(between, by));
    nodes_left_ -= static_cast<std::int64_t>(function->bindings.size());
    if (nodes_left_ < 0) return Diagnostic{Code::LimitExceeded, "the derivatives take too many operators", {}, {}};

    // At the values that the tensors have anyway, what leads to y is there already.
    const bool same = given.ends == given.inputs;
    std::unordered_map<Var, Var> now;
    for (std::size_t i = 0; i < given.ends.size(); ++i) now[given.ends[i]] = given.inputs[i];
    for (const Var& var : free) now[var] = var;
    for (const graph::Binding& binding : function->bindings) {
        if (same && builder.value_of(binding.var)) {
            now[binding.var] = binding.var;
            continue;
        }
        std::vector<Var> operands = graph::operands(binding.value);
        for (Var& operand : operands)
            if (operand) operand = now.at(operand);
        ORRERY_TRY(Var var, emit(graph::with_operands(binding.value, operands), place.name, place.source));
        builder.add_origin(var, binding.origin);
        now[binding.var] = std::move(var);
    }
    const Var result = now.at(function->result);
    if (given.count == 1) return std::vector<Var>{result};
    return parts_of(result, given.count, place);
}

} // namespace orrery::onnx
