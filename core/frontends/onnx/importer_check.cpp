// Which operators of a model nothing serves: found before anything is converted, and told all at once.

#include "core/frontends/onnx/importer.hpp"

#include <algorithm>
#include <set>
#include <tuple>

namespace orrery::onnx {

ModelNode location_of(const ::onnx::NodeProto& node, const std::string& name) { return {name, node.op_type()}; }

int Scope::opset(std::string_view domain) const {
    const auto it = opsets->find(domain);
    return it == opsets->end() ? 1 : it->second;
}

bool Scope::has(std::string_view name) const {
    for (const Scope* scope = this; scope; scope = scope->outer)
        if (scope->vars.contains(name) || scope->initializers.contains(name)) return true;
    return false;
}

bool has_legacy_broadcast(std::string_view op_type, int opset) {
    static constexpr std::string_view kOperators[] = {"Add", "And", "Div", "Equal", "Greater", "Less",
                                                      "Mul", "Or",  "Pow", "Sub",   "Xor"};
    return opset < kNumpyBroadcast && std::ranges::find(kOperators, op_type) != std::end(kOperators);
}

const ConverterRow* find_converter(std::string_view op_type, int opset) {
    if (has_legacy_broadcast(op_type, opset)) opset = kNumpyBroadcast; // the importer aligns the operands
    // Rows by name, so that a model of a million nodes is checked at once.
    static const auto* const rows = [] {
        auto* map = new std::unordered_multimap<std::string_view, const ConverterRow*>;
        for (const ConverterRow& row : converters()) map->emplace(row.op_type, &row);
        return map;
    }();
    const ConverterRow* best = nullptr;
    const auto [begin, end] = rows->equal_range(op_type);
    for (auto it = begin; it != end; ++it)
        if (it->second->since_opset <= opset && (!best || it->second->since_opset > best->since_opset))
            best = it->second;
    return best;
}

bool is_control_flow(std::string_view op_type) {
    return op_type == "If" || op_type == "Loop" || op_type == "Scan" || op_type == "SequenceMap" ||
           op_type == "Gradient";
}

bool is_of_sequences(std::string_view op_type) {
    return op_type.starts_with("Sequence") || op_type.starts_with("Optional") || op_type == "ConcatFromSequence" ||
           op_type == "SplitToSequence";
}

std::vector<ServedOperator> served_operators() {
    std::vector<ServedOperator> list{{"Gradient", 1}, {"If", 1}, {"Loop", 1}, {"Scan", 8}, {"SequenceMap", 17}};
    for (const ConverterRow& row : converters())
        if (std::string_view(row.op_type).find('.') == std::string_view::npos) // the importer's own
            list.push_back({row.op_type, row.since_opset});
    std::ranges::sort(list, [](const auto& a, const auto& b) {
        return std::tie(a.name, a.since_opset) < std::tie(b.name, b.since_opset);
    });
    return list;
}

const ::onnx::FunctionProto* Importer::find_function(const ::onnx::NodeProto& node) const {
    const auto it = functions_.find({domain_of(node), node.op_type()});
    return it == functions_.end() ? nullptr : it->second;
}

namespace {

constexpr std::size_t kShownOperators = 40, kShownNodes = 1000; // our choice: what one diagnostic holds

struct Unserved {
    std::set<std::string> names;
    std::vector<Location> nodes;
    std::size_t count = 0;

    void add(const ::onnx::NodeProto& node, int opset) {
        ++count;
        if (nodes.size() < kShownNodes) nodes.push_back(location_of(node, node.name()));
        if (names.size() > kShownOperators) return;
        std::string name = node.domain().empty() ? node.op_type() : node.domain() + "." + node.op_type();
        // An operator we know, but not in so old a form.
        if (domain_of(node).empty() && find_converter(node.op_type(), 1 << 20))
            name += " (opset " + std::to_string(opset) + ")";
        names.insert(std::move(name));
    }
};

} // namespace

Result<void> Importer::check_operators() {
    Unserved unserved;
    // Graphs inside nodes are bounded in depth by the parser; a worklist all the same.
    std::vector<std::pair<const NodeList*, const Opsets*>> lists{{&file_.model->graph().node(), &opsets_}};
    std::vector<Opsets> imports;
    imports.reserve(static_cast<std::size_t>(file_.model->functions_size()));
    for (const auto& function : file_.model->functions()) {
        Opsets own;
        for (const auto& import : function.opset_import())
            own[import.domain() == "ai.onnx" ? "" : import.domain()] = static_cast<int>(import.version());
        imports.push_back(std::move(own));
        lists.push_back({&function.node(), &imports.back()});
    }
    while (!lists.empty()) {
        const auto [nodes, opsets] = lists.back();
        lists.pop_back();
        for (const auto& node : *nodes) {
            const auto version = opsets->find(domain_of(node));
            const int opset = version == opsets->end() ? 1 : version->second;
            const bool standard = has_converters(domain_of(node));
            if (!find_function(node) &&
                !(standard && (is_control_flow(node.op_type()) || find_converter(node.op_type(), opset))))
                unserved.add(node, opset);
            for (const auto& attribute : node.attribute())
                if (attribute.has_g()) lists.push_back({&attribute.g().node(), opsets});
        }
    }
    if (unserved.count == 0) return {};
    std::string message = unserved.names.size() == 1 ? "the operator " : "the operators ";
    std::size_t shown = 0;
    for (const std::string& name : unserved.names) {
        if (shown == kShownOperators) {
            message += " and more";
            break;
        }
        message += (shown++ ? ", " : "") + name;
    }
    message += unserved.names.size() == 1 ? " is not served" : " are not served";
    return Diagnostic{Code::UnsupportedOperator,
                      message + " (" + std::to_string(unserved.count) + " nodes)",
                      std::move(unserved.nodes),
                      {}};
}

} // namespace orrery::onnx
