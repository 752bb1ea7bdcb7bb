// Sequences, optionals, and what is done to every element of a sequence.

#include "core/frontends/onnx/importer.hpp"
#include "core/frontends/onnx/importer_node.hpp"

namespace orrery::onnx {

using graph::Var;

Var Importer::sequence(std::vector<Var> elements, const std::string& name, const OriginSet& from) {
    return builder.emit(make_ref<const graph::Tuple>(std::move(elements)), name, from);
}

std::optional<std::vector<Var>> Importer::elements(const Var& var) const {
    if (!var) return std::nullopt;
    if (var == no_element_) return std::vector<Var>{};
    const graph::Expr value = builder.value_of(var);
    const graph::Tuple* tuple = graph::as<graph::Tuple>(value);
    return tuple ? std::optional(tuple->fields) : std::nullopt;
}

Var Importer::no_element() {
    if (!no_element_) no_element_ = graph::make_var("none", graph::tuple_type({}));
    return no_element_;
}

/// The body once for each element; inputs that are no sequences go to each as they are.
Result<std::vector<Var>> Importer::convert_sequence_map(const NodePlace& place, Scope& scope) {
    ORRERY_TRY(const std::vector<Var> inputs, inputs_of(place, scope));
    const ImportedNode reader(*this, place, scope, inputs);
    const ::onnx::GraphProto* body = reader.graph("body");
    const std::optional<std::vector<Var>> first = reader.sequence(0);
    if (!body || !first) return Diagnostic{Code::MalformedModel, "SequenceMap takes a sequence and a graph", {}, {}};
    std::vector<std::vector<Var>> columns(static_cast<std::size_t>(place.proto->output_size()));
    for (std::size_t step = 0; step < first->size(); ++step) {
        std::vector<Var> args;
        for (std::size_t i = 0; i < inputs.size(); ++i) {
            const std::optional<std::vector<Var>> given = reader.sequence(i);
            if (given && given->size() != first->size())
                return Diagnostic{Code::BadShape, "SequenceMap's sequences differ in length", {}, {}};
            args.push_back(given ? (*given)[step] : inputs[i]);
        }
        ORRERY_TRY(const std::vector<Var> out, convert_subgraph(*body, args, place, scope));
        if (out.size() < columns.size())
            return Diagnostic{Code::MalformedModel, "SequenceMap has more outputs than its body gives", {}, {}};
        for (std::size_t i = 0; i < columns.size(); ++i) columns[i].push_back(out[i]);
    }
    std::vector<Var> outputs;
    for (std::vector<Var>& column : columns)
        outputs.push_back(sequence(std::move(column), place.name, OriginSet(place.source)));
    return outputs;
}

} // namespace orrery::onnx
