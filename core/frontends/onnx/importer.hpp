#pragma once
// The importer's parts: one import's state, names in scope, and how lists of nodes are converted.

#include "core/frontends/onnx/converter.hpp"
#include "core/frontends/onnx/import.hpp"
#include "core/frontends/onnx/reader_model.hpp"
#include "core/graph/known_values.hpp"

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

namespace orrery::onnx {

using NodeList = google::protobuf::RepeatedPtrField<::onnx::NodeProto>;
using Opsets = std::map<std::string, int, std::less<>>; ///< version of each domain; the default domain is ""
/// Attributes of a call of a model's own function, by name: what `ref_attr_name` in its body refers to.
using Arguments = std::unordered_map<std::string_view, const ::onnx::AttributeProto*>;

/// A model that says something ONNX does not allow.
inline Diagnostic malformed(std::string message) { return {Code::MalformedModel, std::move(message), {}, {}}; }

/// Names of one graph or function body. A subgraph sees those around it.
struct Scope {
    Scope* outer = nullptr;
    std::unordered_map<std::string_view, graph::Var> vars; ///< computed, null when not available
    std::unordered_map<std::string_view, const ::onnx::TensorProto*> initializers; ///< bound at their first use
    const Opsets* opsets = nullptr;
    const Arguments* arguments = nullptr; ///< of the function call being expanded, or null
    std::string path;                     ///< put before names of nodes: "" or "If_3/"
    int depth = 0;
    /// Set where a function of its own begins (a branch, a loop's body): what it takes from around it, and its own
    /// variables for that, null where it does not use one.
    std::vector<graph::Var>*captures = nullptr, *captured = nullptr;

    [[nodiscard]] int opset(std::string_view domain) const;
    /// Whether the name is bound here or around.
    [[nodiscard]] bool has(std::string_view name) const;
};

/// Where a node comes from: its place in the table of sources, and how diagnostics name it.
struct NodePlace {
    SourceId source = 0;
    std::string name;
    const ::onnx::NodeProto* proto = nullptr;
};

[[nodiscard]] inline std::string_view domain_of(const ::onnx::NodeProto& node) {
    return node.domain() == "ai.onnx" ? std::string_view() : std::string_view(node.domain());
}
[[nodiscard]] ModelNode location_of(const ::onnx::NodeProto& node, const std::string& name);
inline constexpr int kNumpyBroadcast = 7; ///< the opset from which on operands are broadcast as numpy does
/// Whether the operator, in that opset, lays its second operand along the first from an attribute `axis` on.
[[nodiscard]] bool has_legacy_broadcast(std::string_view op_type, int opset);
/// Domains whose operators are rows of `converters()`: the names of the two do not meet.
[[nodiscard]] inline bool has_converters(std::string_view domain) {
    return domain.empty() || domain == "ai.onnx.preview.training";
}
/// The row that serves an operator of such a domain, or null.
[[nodiscard]] const ConverterRow* find_converter(std::string_view op_type, int opset);
/// Operators the importer converts itself: those that hold graphs, and Gradient, which names a part of one.
[[nodiscard]] bool is_control_flow(std::string_view op_type);
/// Operators of sequences and optionals: they are converted whatever is known of their elements.
[[nodiscard]] bool is_of_sequences(std::string_view op_type);

/// Nodes in an order in which everything is computed before it is used: the file's own when that is one.
/// `known` says whether a name comes from outside the list.
/// Errors: MalformedModel for names defined twice or not at all, and for cycles; places name the nodes.
[[nodiscard]] Result<std::vector<int>> order_nodes(const NodeList& nodes,
                                                   const std::function<bool(std::string_view)>& known);

using OutputsHook = std::function<Result<std::vector<graph::Var>>(const std::vector<graph::Var>& params,
                                                                  std::vector<graph::Var> outputs)>;
/// A graph that becomes a function of its own. `inputs` makes the graph's inputs from the parameters, in the
/// function; without it they are the parameters.
struct InnerGraph {
    const ::onnx::GraphProto& graph;
    std::vector<graph::Type> params = {};
    std::function<Result<std::vector<graph::Var>>(const std::vector<graph::Var>&)> inputs = {};
    /// Makes the function's outputs of the graph's, given the parameters too; without it they are the graph's.
    OutputsHook outputs = {};
};
struct InnerFunction {
    std::vector<graph::Var> params, captured;
    std::vector<graph::Binding> bindings;
    std::vector<graph::Var> outputs;
};

struct OpenAttempt; // one conversion of a node over shapes of numbers; importer_open.cpp
struct OpenAttempts;
struct LoopParts; // what a loop is made of; importer_loop.cpp
struct ScanParts; // what a scan is made of; importer_scan.cpp

/// One import. Not for several threads.
class Importer {
  public:
    Importer(const ModelFile& file, const std::filesystem::path& folder, const ImportOptions& options,
             const Progress& progress);
    [[nodiscard]] Result<graph::Module> run();

    // What converting one node needs.
    graph::FunctionBuilder builder;
    graph::KnownValues known;
    TensorReader tensors;
    /// Binds a checked value with the node's origin. Errors: those of infer_expr, BadShape, LimitExceeded.
    [[nodiscard]] Result<graph::Var> emit(const graph::Expr& value, const std::string& name, SourceId source);
    /// The variable of a name; null when the model leaves it out. Errors: MalformedModel, UnsupportedFeature.
    [[nodiscard]] Result<graph::Var> lookup(Scope& scope, std::string_view name, SourceId user);
    [[nodiscard]] const ImportOptions& options() const { return options_; }
    /// To be called for every variable bound in the builder.
    void note(const graph::Var& var);
    /// A sequence is a tuple that is made and looked at while importing: nothing of it is left in the graph.
    [[nodiscard]] graph::Var sequence(std::vector<graph::Var> elements, const std::string& name, const OriginSet& from);
    /// The elements of a sequence; nullopt of anything else.
    [[nodiscard]] std::optional<std::vector<graph::Var>> elements(const graph::Var& var) const;
    /// The variable of every optional without element.
    [[nodiscard]] graph::Var no_element();

  private:
    Result<void> check_model();
    Result<void> bind_inputs(Scope& scope);
    Result<graph::Module> finish(Scope& scope);

    Result<void> convert_nodes(const NodeList& nodes, Scope& scope);
    Result<void> convert_node(const ::onnx::NodeProto& node, Scope& scope);
    Result<std::vector<graph::Var>> convert_served(const NodePlace& place, Scope& scope);
    Result<std::vector<graph::Var>> convert_row(const ConverterRow& row, std::vector<graph::Var> inputs,
                                                const NodePlace& place, Scope& scope);
    Result<std::vector<graph::Var>> emit_shape(const NodePlace& place, Scope& scope,
                                               const std::vector<graph::Var>& inputs);
    Result<std::vector<graph::Var>> inputs_of(const NodePlace& place, Scope& scope);
    Result<NodePlace> place_of(const ::onnx::NodeProto& node, const Scope& scope);
    Result<void> add_initializers(const ::onnx::GraphProto& graph, Scope& scope);

    // importer_open.cpp
    /// A node that some of its operands' shapes or values are not known for: converted for several shapes and emitted
    /// when the result is the same, kept as an open call otherwise. Errors: `refusal` when it fits no shapes.
    Result<std::vector<graph::Var>> convert_open(const NodePlace& place, Scope& scope,
                                                 const std::vector<graph::Var>& inputs);
    OpenAttempts attempt_open(const graph::Attrs& attrs, const ConverterRow& row,
                              const std::vector<graph::Var>& inputs);
    Result<std::vector<graph::Var>> replay(const OpenAttempt& attempt, const std::vector<graph::Var>& inputs,
                                           const NodePlace& place);
    Result<std::vector<graph::Type>> open_results(const OpenAttempts& attempts);

    // importer_control.cpp
    Result<std::vector<graph::Var>> expand_function(const ::onnx::FunctionProto& function, const NodePlace& place,
                                                    Scope& scope);
    Result<std::vector<graph::Var>> convert_subgraph(const ::onnx::GraphProto& graph,
                                                     const std::vector<graph::Var>& inputs, const NodePlace& place,
                                                     Scope& scope);
    const ::onnx::FunctionProto* find_function(const ::onnx::NodeProto& node) const;

    Result<std::vector<graph::Var>> convert_if(const NodePlace& place, Scope& scope);

    // importer_function.cpp
    /// `captures` are those of all functions that are applied to the same operands; it is added to.
    Result<InnerFunction> convert_function(const InnerGraph& inner, const NodePlace& place, Scope& scope,
                                           std::vector<graph::Var>& captures);
    /// The function's own variable for one from around it: a constant when that is one, otherwise a parameter.
    graph::Var capture(const std::vector<Scope*>& functions, std::string_view name, const graph::Var& outer);
    Result<std::vector<graph::Var>> convert_body(const InnerGraph& inner, const InnerFunction& function,
                                                 const NodePlace& place, Scope& body);
    graph::Function finish_function(InnerFunction inner, const std::vector<graph::Var>& captures,
                                    const std::string& name);
    /// The first parts of a tuple.
    Result<std::vector<graph::Var>> parts_of(const graph::Var& value, std::size_t count, const NodePlace& place);
    /// Scalars as control flow takes them: vectors of one element are reshaped.
    Result<graph::Var> control_value(const graph::Var& var, const NodePlace& place);

    // importer_loop.cpp
    Result<std::vector<graph::Var>> convert_loop(const NodePlace& place, Scope& scope);
    Result<std::vector<graph::Var>> unroll_loop(const LoopParts& loop, const NodePlace& place, Scope& scope);
    Result<std::vector<graph::Var>> emit_loop(const LoopParts& loop, const NodePlace& place, Scope& scope);
    // importer_scan.cpp
    Result<std::vector<graph::Var>> convert_scan(const NodePlace& place, Scope& scope);
    Result<std::vector<graph::Var>> convert_batched_scan(const ScanParts& scan, const NodePlace& place, Scope& scope);
    /// One scan, without a batch: final states, then scanned outputs stacked along their first axis.
    Result<std::vector<graph::Var>> emit_scan(const ScanParts& scan, const NodePlace& place, Scope& scope);
    // importer_gradient.cpp
    Result<std::vector<graph::Var>> convert_gradient(const NodePlace& place, Scope& scope);
    struct GradientEnds {
        const std::vector<graph::Var>&ends, &inputs; ///< the tensors named, and the values to take for them
        std::size_t count = 0;                       ///< of them, those to differentiate by
    };
    Result<std::vector<graph::Var>> emit_gradient(const graph::Var& y, const GradientEnds& given,
                                                  const NodePlace& place);
    // importer_text.cpp
    /// Strings only go where they are moved and compared, since they are whole numbers here.
    Result<void> check_texts(const NodePlace& place, const std::vector<graph::Var>& inputs) const;
    /// A cast to or from strings; nullopt of anything else.
    Result<std::optional<graph::Var>> convert_text_cast(const NodePlace& place, const Scope& scope,
                                                        const std::vector<graph::Var>& inputs);
    void note_texts(const NodePlace& place, const std::vector<graph::Var>& inputs,
                    const std::vector<graph::Var>& outputs);
    // importer_sequence.cpp
    Result<std::vector<graph::Var>> convert_sequence_map(const NodePlace& place, Scope& scope);

    // importer_check.cpp
    /// All operators that nothing serves, named at once.
    Result<void> check_operators();

    const ModelFile& file_;
    const ImportOptions& options_;
    const Progress& progress_;
    Opsets opsets_;
    std::map<std::pair<std::string_view, std::string_view>, const ::onnx::FunctionProto*> functions_; ///< domain, name
    std::vector<graph::Source> sources_;
    std::unordered_map<graph::Var, std::vector<SourceId>> constant_users_;
    std::int64_t nodes_left_ = 0;           ///< bounds what functions and loops expand to
    bool symbolic_ = false;                 ///< some input has a symbol for an extent
    std::vector<std::string> symbols_;      ///< of types so far: names for computed extents are found among them
    std::deque<graph::Probe> probes_;       ///< kProbes of them
    std::deque<graph::KnownValues> worlds_; ///< what is known when symbols have the probes' values
    graph::Var no_element_;                 ///< null until asked for
    std::unordered_set<graph::Var> texts_;  ///< those that hold strings, as numbers of core/base/text_pool.hpp
};

} // namespace orrery::onnx
