// Strings: a tensor of them is imported as one of their numbers (core/base/text_pool.hpp). What moves elements, or asks
// whether they are equal, serves them as it serves numbers; nothing else may see them.

#include "core/frontends/onnx/convert_text.hpp"
#include "core/frontends/onnx/importer.hpp"
#include "core/frontends/onnx/importer_node.hpp"
#include "core/ops/open.hpp"

#include <algorithm>

namespace orrery::onnx {

using graph::Var;

namespace {

/// Operators whose value holds elements of the strings they are given.
constexpr std::string_view kMovers[] = {"Compress",         "Concat",    "Expand",    "Flatten",   "Gather",
                                        "GatherElements",   "GatherND",  "Identity",  "Reshape",   "ReverseSequence",
                                        "ScatterElements",  "ScatterND", "Slice",     "Split",     "Squeeze",
                                        "StringNormalizer", "Tile",      "Transpose", "Unsqueeze", "Where"};
/// Those that give numbers of them.
constexpr std::string_view kReaders[] = {"Cast", "CastLike", "Equal", "Shape", "Size", "TfIdfVectorizer"};

bool holds(std::span<const std::string_view> names, const ::onnx::NodeProto& node) {
    return domain_of(node).empty() && std::ranges::find(names, node.op_type()) != names.end();
}

bool is_text_constant(const ::onnx::NodeProto& node) {
    return node.op_type() == "Constant" && std::ranges::any_of(node.attribute(), [](const ::onnx::AttributeProto& a) {
               return (a.has_t() && a.t().data_type() == ::onnx::TensorProto::STRING) || a.name() == "value_string" ||
                      a.name() == "value_strings";
           });
}

} // namespace

Result<void> Importer::check_texts(const NodePlace& place, const std::vector<Var>& inputs) const {
    const auto is_text = [&](const Var& var) { return var && texts_.contains(var); };
    if (texts_.empty() || std::ranges::none_of(inputs, is_text) || holds(kMovers, *place.proto) ||
        holds(kReaders, *place.proto) || find_function(*place.proto))
        return {};
    return Diagnostic{Code::UnsupportedFeature, place.proto->op_type() + " of strings is not served", {}, {}};
}

void Importer::note_texts(const NodePlace& place, const std::vector<Var>& inputs, const std::vector<Var>& outputs) {
    const bool moved = !texts_.empty() && holds(kMovers, *place.proto) &&
                       std::ranges::any_of(inputs, [&](const Var& var) { return var && texts_.contains(var); });
    if (!moved && !is_text_constant(*place.proto)) return;
    for (const Var& var : outputs)
        if (var) texts_.insert(var);
}

Result<std::optional<Var>> Importer::convert_text_cast(const NodePlace& place, const Scope& scope,
                                                       const std::vector<Var>& inputs) {
    const std::string& op = place.proto->op_type();
    const bool like = op == "CastLike";
    if (!domain_of(*place.proto).empty() || (!like && op != "Cast") || inputs.empty() || !inputs[0] ||
        (like && (inputs.size() < 2 || !inputs[1])))
        return std::optional<Var>();
    ImportedNode reader(*this, place, scope, inputs);
    const bool from = texts_.contains(inputs[0]);
    const bool to = like ? texts_.contains(inputs[1]) : reader.integer("to", 0) == ::onnx::TensorProto::STRING;
    if (!from && !to) return std::optional<Var>();
    if (from && to) return std::optional(inputs[0]);
    ORRERY_TRY(const graph::TensorType given, reader.type(0));
    DType dtype = DType::I64;
    if (from && like) {
        ORRERY_TRY(const graph::TensorType other, reader.type(1));
        dtype = other.dtype;
    } else if (from) {
        ORRERY_TRY(dtype, reader.dtype("to", DType::F32));
    }
    graph::Attrs attrs{{ops::kOpenNode, std::string(from ? kTextParse : kTextPrint)},
                       {ops::kOpenOpset, std::int64_t{1}},
                       {ops::kOpenResults, graph::Strings{graph::to_string(graph::tensor_type(dtype, given.dims))}},
                       {ops::kOpenOutputs, graph::Ints{1}},
                       {ops::kOpenValues, graph::Ints{0}}};
    if (from) attrs = attrs.with("to", std::string(to_string(dtype)));
    ORRERY_TRY(const Var var, reader.call("open", {inputs[0]}, attrs));
    if (to) texts_.insert(var);
    return std::optional(var);
}

} // namespace orrery::onnx
