// From a parsed file to a module: inputs and their shapes, then nodes in order, then outputs.

#include "core/frontends/onnx/importer.hpp"

#include "core/base/file.hpp"
#include "core/frontends/onnx/importer_node.hpp"
#include "core/frontends/onnx/open.hpp"
#include "core/ops/ops.hpp"

#include <algorithm>
#include <new>

namespace orrery::onnx {

using graph::Var;

namespace {

constexpr int kNewestOpset = 23;                 // the newest whose operators the tables know
constexpr std::int64_t kExpandedNodes = 100'000; // our choice: how many nodes functions and loops may add
constexpr std::size_t kSharedUsers = 8;          // a constant used by more nodes comes from none in particular

/// Before opset 7 a second operand could be laid along the first from `axis` on: it gets the trailing ones that make
/// today's broadcasting, from the last axis, do the same. Source: ONNX changelog, Add-6 and Add-7.
Result<void> align_operands(ImportedNode node, std::vector<Var>& inputs) {
    if (inputs.size() != 2 || !node.has_attr("axis")) return {};
    ORRERY_TRY(const graph::TensorType a, node.type(0));
    ORRERY_TRY(const graph::TensorType b, node.type(1));
    if (!graph::is_static(b))
        return Diagnostic{Code::UnsupportedFeature,
                          "a second operand that lies along the first from an axis on needs static dimensions",
                          {},
                          "export the model with opset 7 or newer"};
    const auto rank = static_cast<std::int64_t>(a.dims.size()), own = static_cast<std::int64_t>(b.dims.size());
    const std::int64_t axis = node.integer("axis", rank - own);
    if (axis < 0 || axis + own > rank)
        return Diagnostic{Code::BadAttribute, "axis lays the second operand outside of the first", {}, {}};
    graph::Ints shape = graph::static_shape(b);
    shape.resize(static_cast<std::size_t>(rank - axis), 1);
    ORRERY_TRY(inputs[1], node.call("reshape", {inputs[1]}, {{"shape", shape}}));
    return {};
}

/// Refuses a computed type whose size is beyond the limit, so that nothing later overflows. Open sizes are checked when
/// they are known.
Result<void> check_type(const graph::Type& type, std::int64_t max_bytes) {
    if (const graph::TupleType* tuple = graph::as_tuple(type)) {
        for (const graph::Type& field : tuple->fields) ORRERY_CHECK_OK(check_type(field, max_bytes));
        return {};
    }
    const graph::TensorType* tensor = graph::as_tensor(type);
    if (!tensor || !graph::is_static(*tensor)) return {};
    const Result<std::int64_t> count = checked_elements(graph::static_shape(*tensor), tensor->dtype, max_bytes);
    if (!count) return count.error();
    return {};
}

std::string shown(const ::onnx::NodeProto& node, const std::string& path, int number) {
    return path + (node.name().empty() ? node.op_type() + "_" + std::to_string(number) : node.name());
}

} // namespace

Importer::Importer(const ModelFile& file, const std::filesystem::path& folder, const ImportOptions& options,
                   const Progress& progress)
    : known(evaluator(), progress), tensors(TensorLimits{options.max_bytes, folder}, file), file_(file),
      options_(options), progress_(progress) {
    for (int number = 0; number < graph::kProbes; ++number) {
        probes_.emplace_back(number);
        worlds_.emplace_back(evaluator(), progress_, &probes_.back());
    }
}

void Importer::note(const Var& var) {
    const graph::Expr value = builder.value_of(var);
    known.note(var, value);
    if (!symbolic_) return;
    for (graph::KnownValues& world : worlds_) world.note(var, value);
    graph::collect_symbols(var->type, symbols_);
}

Result<void> Importer::check_model() {
    const ::onnx::ModelProto& model = *file_.model;
    for (const auto& import : model.opset_import()) {
        const std::string domain = import.domain() == "ai.onnx" ? "" : import.domain();
        const std::int64_t version = import.version();
        if (version < 1 || version > (domain.empty() ? kNewestOpset : 1 << 20))
            return Diagnostic{Code::UnsupportedFeature,
                              "the model uses opset " + std::to_string(version) +
                                  (domain.empty() ? "" : " of " + domain),
                              {FileOffset{file_.path, -1}},
                              "export it with opset " + std::to_string(kNewestOpset) + " or an older one"};
        opsets_[domain] = static_cast<int>(version);
    }
    for (const auto& function : model.functions())
        functions_[{function.domain() == "ai.onnx" ? std::string_view() : std::string_view(function.domain()),
                    function.name()}] = &function;
    if (model.graph().sparse_initializer_size() > 0)
        return Diagnostic{Code::UnsupportedFeature,
                          "the model has sparse initializers",
                          {FileOffset{file_.path, -1}},
                          "save them as dense tensors"};
    nodes_left_ = model.graph().node_size() + kExpandedNodes;
    return check_operators();
}

Result<void> Importer::add_initializers(const ::onnx::GraphProto& graph, Scope& scope) {
    for (const auto& tensor : graph.initializer())
        if (tensor.name().empty() || !scope.initializers.emplace(tensor.name(), &tensor).second)
            return Diagnostic{Code::MalformedModel,
                              tensor.name().empty() ? "an initializer has no name"
                                                    : "the initializer '" + tensor.name() + "' is defined twice",
                              {FileOffset{file_.path, -1}},
                              {}};
    return {};
}

Result<graph::Module> Importer::run() {
    ORRERY_CHECK_OK(check_model());
    Scope scope;
    scope.opsets = &opsets_;
    ORRERY_CHECK_OK(add_initializers(file_.model->graph(), scope));
    ORRERY_CHECK_OK(bind_inputs(scope));
    ORRERY_CHECK_OK(convert_nodes(file_.model->graph().node(), scope));
    return finish(scope);
}

Result<graph::Module> Importer::finish(Scope& scope) {
    const auto& outputs = file_.model->graph().output();
    graph::Module module;
    std::vector<Var> results;
    for (const auto& output : outputs) {
        const bool exists = scope.has(output.name());
        Result<Var> var = exists ? lookup(scope, output.name(), 0) : Result<Var>(Var());
        if (!var) return std::move(var.error());
        if (!*var)
            return Diagnostic{exists ? Code::UnsupportedFeature : Code::MalformedModel,
                              "the output '" + output.name() + "' is computed nowhere",
                              {FileOffset{file_.path, -1}},
                              {}};
        const std::optional<std::vector<Var>> parts = elements(*var);
        if (!parts) {
            results.push_back(*var);
            module.outputs.push_back(output.name());
            continue;
        }
        for (std::size_t i = 0; i < parts->size(); ++i) {
            results.push_back((*parts)[i]);
            module.outputs.push_back(output.name() + "." + std::to_string(i));
        }
    }
    if (results.empty())
        return Diagnostic{Code::MalformedModel, "the model has no outputs", {FileOffset{file_.path, -1}}, {}};
    for (const auto& [var, users] : constant_users_)
        if (users.size() <= kSharedUsers) builder.add_origin(var, OriginSet(users));
    const Var result =
        results.size() == 1 ? results[0] : builder.emit(make_ref<const graph::Tuple>(results), "outputs", {});
    module.main = builder.finish("main", result);
    module.sources = std::make_shared<const std::vector<graph::Source>>(std::move(sources_));
    return module;
}

Result<Var> Importer::emit(const graph::Expr& value, const std::string& name, SourceId source) {
    ORRERY_TRY(const Var var, builder.try_emit(value, name, OriginSet(source)));
    ORRERY_CHECK_OK(check_type(var->type, options_.max_bytes));
    note(var);
    return var;
}

Result<Var> Importer::lookup(Scope& scope, std::string_view name, SourceId user) {
    std::vector<Scope*> functions; // those that the name is looked up from outside of, innermost first
    for (Scope* at = &scope; at; at = at->outer) {
        if (const auto it = at->vars.find(name); it != at->vars.end()) {
            if (const auto users = constant_users_.find(it->second);
                users != constant_users_.end() && users->second.size() <= kSharedUsers)
                users->second.push_back(user);
            return functions.empty() || !it->second ? it->second : capture(functions, it->first, it->second);
        }
        if (const auto it = at->initializers.find(name); it != at->initializers.end()) {
            // An initializer is bound in the function that uses it: arrays are shared, and its value is known there.
            Scope& home = functions.empty() ? *at : *functions.front();
            ORRERY_TRY(NDArray value, tensors.read(*it->second));
            const Var var = builder.constant(std::move(value), {}, std::string(name));
            note(var);
            if (it->second->data_type() == ::onnx::TensorProto::STRING) texts_.insert(var);
            home.vars.emplace(it->first, var);
            constant_users_[var] = {user};
            return var;
        }
        if (at->captures) functions.push_back(at);
    }
    return Diagnostic{Code::MalformedModel, "the input '" + std::string(name) + "' is computed nowhere", {}, {}};
}

Result<NodePlace> Importer::place_of(const ::onnx::NodeProto& node, const Scope& scope) {
    if (--nodes_left_ < 0)
        return Diagnostic{Code::LimitExceeded,
                          "functions and loops expand to more than " + std::to_string(kExpandedNodes) + " nodes",
                          {location_of(node, scope.path + node.name())},
                          {}};
    const auto id = static_cast<SourceId>(sources_.size());
    sources_.push_back({shown(node, scope.path, static_cast<int>(id)), node.op_type()});
    return NodePlace{id, sources_.back().name, &node};
}

Result<void> Importer::convert_nodes(const NodeList& nodes, Scope& scope) {
    ORRERY_TRY(const std::vector<int> order,
               order_nodes(nodes, [&](std::string_view name) { return scope.has(name); }));
    for (std::size_t i = 0; i < order.size(); ++i) {
        if (progress_.cancelled()) return Diagnostic{Code::Cancelled, "cancelled", {}, {}};
        const ::onnx::NodeProto& node = nodes[order[i]];
        if (Result<void> done = convert_node(node, scope); !done) return done;
        if (scope.depth == 0) progress_.tell("import", static_cast<double>(i + 1) / static_cast<double>(order.size()));
    }
    return {};
}

Result<std::vector<Var>> Importer::inputs_of(const NodePlace& place, Scope& scope) {
    std::vector<Var> inputs;
    for (const std::string& name : place.proto->input()) {
        if (name.empty()) {
            inputs.emplace_back();
            continue;
        }
        ORRERY_TRY(Var var, lookup(scope, name, place.source));
        if (!var)
            return Diagnostic{Code::UnsupportedFeature,
                              "the input '" + name + "' is an output that its operator's converter does not compute",
                              {},
                              {}};
        inputs.push_back(std::move(var));
    }
    ORRERY_CHECK_OK(check_texts(place, inputs));
    return inputs;
}

Result<std::vector<Var>> Importer::convert_served(const NodePlace& place, Scope& scope) {
    const ConverterRow* row = find_converter(place.proto->op_type(), scope.opset(domain_of(*place.proto)));
    ORRERY_ASSERT(row != nullptr, "check_operators found every operator");
    ORRERY_TRY(std::vector<Var> inputs, inputs_of(place, scope));
    ORRERY_TRY(const std::optional<Var> cast, convert_text_cast(place, scope, inputs));
    if (cast) return std::vector<Var>{*cast};
    Result<std::vector<Var>> outputs = convert_row(*row, inputs, place, scope);
    if (outputs) note_texts(place, inputs, *outputs);
    return outputs;
}

Result<std::vector<Var>> Importer::convert_row(const ConverterRow& row, std::vector<Var> inputs, const NodePlace& place,
                                               Scope& scope) {
    if (has_legacy_broadcast(place.proto->op_type(), scope.opset({})))
        ORRERY_CHECK_OK(align_operands(ImportedNode(*this, place, scope, inputs), inputs));
    const bool lists = is_of_sequences(place.proto->op_type()) ||
                       std::ranges::any_of(inputs, [&](const Var& v) { return elements(v).has_value(); });
    if (!lists && !std::ranges::all_of(inputs, [](const Var& v) { return !v || graph::fully_static(v->type); }))
        return place.proto->op_type() == "Shape" || place.proto->op_type() == "Size"
                   ? emit_shape(place, scope, inputs)
                   : convert_open(place, scope, inputs);
    const std::size_t mark = builder.bindings().size();
    ImportedNode reader(*this, place, scope, inputs);
    Result<std::vector<Var>> outputs = row.convert(reader);
    // A wrong attribute explains what went wrong after it.
    if (reader.error()) return *reader.error();
    if (outputs || lists || !reader.waits_for_data()) return outputs;
    builder.roll_back(mark);
    return convert_open(place, scope, inputs);
}

/// The shape of a tensor with symbolic extents is a value of the program; that of any other is a constant.
Result<std::vector<Var>> Importer::emit_shape(const NodePlace& place, Scope& scope, const std::vector<Var>& inputs) {
    ImportedNode reader(*this, place, scope, inputs);
    graph::Attrs attrs;
    for (const char* name : {"start", "end"})
        if (reader.has_attr(name)) attrs = attrs.with(name, reader.integer(name, 0));
    Result<Var> shape = reader.call("shape_of", inputs, attrs);
    if (reader.error()) return *reader.error();
    if (shape && place.proto->op_type() == "Size")
        shape = reader.call("reduce_prod", {*shape}, {{"axes", graph::Ints{0}}, {"keepdims", false}});
    if (!shape) return std::move(shape.error());
    return std::vector<Var>{*std::move(shape)};
}

Result<void> Importer::convert_node(const ::onnx::NodeProto& node, Scope& scope) {
    ORRERY_TRY(const NodePlace place, place_of(node, scope));
    const ::onnx::FunctionProto* function = find_function(node);
    Result<std::vector<Var>> outputs = function                          ? expand_function(*function, place, scope)
                                       : node.op_type() == "If"          ? convert_if(place, scope)
                                       : node.op_type() == "Loop"        ? convert_loop(place, scope)
                                       : node.op_type() == "Scan"        ? convert_scan(place, scope)
                                       : node.op_type() == "SequenceMap" ? convert_sequence_map(place, scope)
                                       : node.op_type() == "Gradient"    ? convert_gradient(place, scope)
                                                                         : convert_served(place, scope);
    if (!outputs) {
        Diagnostic& error = outputs.error();
        if (error.code != Code::Cancelled)
            error.locations.insert(error.locations.begin(), location_of(node, place.name));
        return std::move(error);
    }
    ORRERY_ASSERT(outputs->size() >= static_cast<std::size_t>(node.output_size()),
                  node.op_type() + ": a variable for each listed output");
    for (int i = 0; i < node.output_size(); ++i)
        if (!node.output(i).empty()) scope.vars.emplace(node.output(i), (*outputs)[static_cast<std::size_t>(i)]);
    return {};
}

namespace {

/// Where a model's bytes are from.
struct ModelPlace {
    std::filesystem::path folder; ///< of external data
    std::string name;             ///< for diagnostics
    std::shared_ptr<const void> owner;
};

/// A file may describe more than this machine can hold, within every limit: that is its user's to know, not a bug.
Result<graph::Module> import_model(std::span<const std::byte> bytes, const ModelPlace& place,
                                   const ImportOptions& options, const Progress& progress) {
    try {
        ORRERY_TRY(ModelFile file, parse_model(bytes, place.name));
        file.owner = place.owner;
        return Importer(file, place.folder, options, progress).run();
    } catch (const std::bad_alloc&) {
        return Diagnostic{
            Code::OutOfMemory, "the model takes more memory than there is", {FileOffset{place.name, -1}}, {}};
    }
}

} // namespace

Result<graph::Module> import_bytes(std::span<const std::byte> bytes, const std::filesystem::path& folder,
                                   const ImportOptions& options, const Progress& progress) {
    return import_model(bytes, {folder, "model", nullptr}, options, progress);
}

Result<LoadedFile> load_model(const std::filesystem::path& path) {
    Result<LoadedFile> file = load_file(path, kMostModelBytes);
    if (!file && file.error().code == Code::LimitExceeded) file.error() = too_large_a_model(path.string());
    return file;
}

Result<graph::Module> import_loaded(const LoadedFile& file, const std::filesystem::path& path,
                                    const ImportOptions& options, const Progress& progress) {
    const std::filesystem::path folder = path.parent_path();
    return import_model(file.bytes, {folder.empty() ? "." : folder, path.string(), file.owner}, options, progress);
}

Result<graph::Module> import_file(const std::filesystem::path& path, const ImportOptions& options,
                                  const Progress& progress) {
    progress.tell("read", 0);
    ORRERY_TRY(const LoadedFile file, load_model(path));
    return import_loaded(file, path, options, progress);
}

} // namespace orrery::onnx
