#include "core/frontends/onnx/open_node.hpp"

#include "core/frontends/onnx/importer.hpp"
#include "core/frontends/onnx/open.hpp"
#include "core/ops/ops.hpp"

#include <algorithm>

namespace orrery::onnx {

using graph::Var;

namespace {

// Our choice: what a converter may look at for free, and what it gets when it cannot do without.
constexpr std::int64_t kSmallBytes = 64 << 10, kRequiredBytes = 16 << 20;

} // namespace

// --------------------------------------------------------------------------------- arrays

void put_array(graph::Attrs::Map& map, const std::string& name, const NDArray& value) {
    map[name + ".dtype"] = value.dtype();
    map[name + ".shape"] = graph::Ints(value.shape());
    if (is_float(value.dtype())) {
        graph::Floats values;
        for (std::int64_t i = 0; i < value.size(); ++i) values.push_back(value.as_double(i));
        map[name] = std::move(values);
    } else {
        map[name] = graph::Ints(value.to_ints());
    }
}

std::optional<NDArray> get_array(const graph::Attrs& attrs, std::string_view name) {
    const auto part = [&](const char* ending) { return attrs.find(std::string(name) + ending); };
    const graph::AttrValue *dtype = part(".dtype"), *shape = part(".shape"), *values = attrs.find(name);
    if (!dtype || !std::get_if<DType>(dtype) || !shape || !std::get_if<graph::Ints>(shape) || !values)
        return std::nullopt;
    const auto count =
        checked_elements(std::get<graph::Ints>(*shape), std::get<DType>(*dtype), kMaxAttributeElements * 8);
    if (!count) return std::nullopt;
    NDArray array = NDArray::allocate(std::get<DType>(*dtype), std::get<graph::Ints>(*shape));
    const auto* floats = std::get_if<graph::Floats>(values);
    const auto* ints = std::get_if<graph::Ints>(values);
    const std::size_t given = floats ? floats->size() : ints ? ints->size() : 0;
    if (given != static_cast<std::size_t>(*count)) return std::nullopt;
    for (std::int64_t i = 0; i < *count; ++i)
        floats ? array.set(i, (*floats)[static_cast<std::size_t>(i)])
               : array.set_int(i, (*ints)[static_cast<std::size_t>(i)]);
    return array;
}

// --------------------------------------------------------------------------------- reader

OpenNode::OpenNode(const graph::Attrs& attrs, std::vector<Var> args, Place place)
    : attrs_(attrs), call_(ops::read_open(attrs).value()), args_(std::move(args)), place_(std::move(place)) {}

template <class T> const T* OpenNode::typed(std::string_view name) {
    const graph::AttrValue* value = attrs_.find(name);
    if (!value) return nullptr;
    if (const T* held = std::get_if<T>(value)) return held;
    if (!error_)
        error_ = Diagnostic{Code::BadAttribute,
                            "the attribute " + std::string(name) + " of " + call_.node + " has the wrong kind",
                            {},
                            {}};
    return nullptr;
}

std::int64_t OpenNode::integer(std::string_view name, std::int64_t fallback) {
    const auto* value = typed<std::int64_t>(name);
    return value ? *value : fallback;
}

double OpenNode::number(std::string_view name, double fallback) {
    const auto* value = typed<double>(name);
    return value ? *value : fallback;
}

std::string OpenNode::text(std::string_view name, std::string fallback) {
    const auto* value = typed<std::string>(name);
    return value ? *value : std::move(fallback);
}

graph::Ints OpenNode::ints(std::string_view name, graph::Ints fallback) {
    const auto* value = typed<graph::Ints>(name);
    return value ? *value : std::move(fallback);
}

graph::Floats OpenNode::floats(std::string_view name, graph::Floats fallback) {
    const auto* value = typed<graph::Floats>(name);
    return value ? *value : std::move(fallback);
}

graph::Strings OpenNode::texts(std::string_view name, graph::Strings fallback) {
    const auto* value = typed<graph::Strings>(name);
    return value ? *value : std::move(fallback);
}

std::optional<NDArray> OpenNode::tensor(std::string_view name) { return get_array(attrs_, name); }

Result<DType> OpenNode::dtype(std::string_view name, DType fallback) {
    const auto* value = typed<std::int64_t>(name);
    if (!value) return fallback;
    return dtype_of(static_cast<std::int32_t>(*value));
}

std::optional<NDArray> OpenNode::constant(std::size_t i) { return value_of(i, kSmallBytes); }

std::optional<NDArray> OpenNode::value_of(std::size_t i, std::int64_t max_bytes) {
    if (!input(i)) return std::nullopt;
    asked_.insert(i);
    return place_.value ? place_.value(i, max_bytes) : place_.known.value(input(i), max_bytes);
}

Result<NDArray> OpenNode::required_constant(std::size_t i, std::string_view what) {
    if (std::optional<NDArray> value = value_of(i, kRequiredBytes)) return *std::move(value);
    missed_ = true;
    return Diagnostic{Code::UnsupportedFeature,
                      call_.node + "'s `" + std::string(what) + "` must be known before it is computed",
                      {},
                      {}};
}

Result<graph::TensorType> OpenNode::type(std::size_t i) const {
    looked_ = true;
    const Var var = input(i);
    if (const graph::TensorType* type = var ? graph::as_tensor(var->type) : nullptr) return *type;
    return Diagnostic{Code::BadType,
                      "input " + std::to_string(i) + " of " + call_.node + (var ? " is no tensor" : " is missing"),
                      {},
                      {}};
}

std::int64_t OpenNode::place() const {
    Hasher hasher;
    hasher.add(std::string_view(place_.name));
    return static_cast<std::int64_t>(hasher.finish().low);
}

Var OpenNode::noted(const Var& var) {
    place_.known.note(var, place_.builder.value_of(var));
    return var;
}

Result<Var> OpenNode::call(std::string_view op, std::vector<Var> args, graph::Attrs attrs) {
    ORRERY_TRY(const Var var,
               place_.builder.try_emit(make_ref<const graph::CallOp>(ops::op(op), std::move(args), std::move(attrs)),
                                       place_.name, place_.origin));
    return noted(var);
}

Var OpenNode::constant_var(NDArray value) {
    return noted(place_.builder.constant(std::move(value), place_.origin, place_.name));
}

Var OpenNode::project(const Var& tuple, std::size_t index) {
    return noted(place_.builder.emit(make_ref<const graph::Project>(tuple, index), place_.name, place_.origin));
}

// -------------------------------------------------------------------------------- closing

Result<Var> close_call(const graph::CloseRequest& request) {
    ORRERY_TRY(const ops::OpenCall call, ops::read_open(request.call.attrs));
    const ConverterRow* row = has_converters(call.domain) ? find_converter(call.node, call.opset) : nullptr;
    if (!row) return Diagnostic{Code::UnsupportedOperator, "the operator " + call.node + " is not served", {}, {}};
    if (!std::ranges::all_of(request.args, [](const Var& v) { return !v || graph::fully_static(v->type); }))
        return Diagnostic{Code::BadShape, call.node + " waits for shapes that are not known", {}, {}};
    OpenNode node(request.call.attrs, request.args,
                  {request.builder, request.known, request.binding.var->name, request.binding.origin});
    Result<std::vector<Var>> outputs = row->convert(node);
    if (node.error()) return *node.error();
    if (!outputs) return std::move(outputs.error());
    std::vector<Var> present;
    for (std::size_t i = 0; i < call.outputs.size(); ++i)
        if (call.outputs[i] && i < outputs->size() && (*outputs)[i]) present.push_back((*outputs)[i]);
    if (present.size() == 1) return present[0];
    ORRERY_TRY(const Var tuple, request.builder.try_emit(make_ref<const graph::Tuple>(std::move(present)),
                                                         request.binding.var->name, request.binding.origin));
    request.known.note(tuple, request.builder.value_of(tuple));
    return tuple;
}

Result<ClosedCall> closed_call(const graph::CallOp& call, std::span<const NDArray> args, const Progress& progress) {
    ORRERY_TRY(const ops::OpenCall open, ops::read_open(call.attrs));
    graph::FunctionBuilder builder;
    graph::KnownValues known(ops::interpreter_evaluator(), progress);
    std::vector<Var> vars;
    ClosedCall closed;
    for (std::size_t i = 0; i < call.args.size(); ++i) {
        vars.emplace_back();
        if (!call.args[i] || !args[i].defined()) continue;
        if (std::ranges::find(open.values, static_cast<std::int64_t>(i)) != open.values.end()) {
            vars.back() = builder.constant(args[i], {}, call.args[i]->name);
            known.note(vars.back(), builder.value_of(vars.back()));
        } else {
            vars.back() = builder.param(call.args[i]->name, graph::tensor_type(args[i].dtype(), args[i].shape()));
            closed.params.push_back(i);
        }
    }
    const graph::Binding binding{graph::make_var(open.node, graph::tuple_type({})), {}, {}};
    ORRERY_TRY(const Var result, close_call({call, vars, binding, builder, known}));
    closed.function = builder.finish(open.node, result);
    return closed;
}

graph::OpEvaluator evaluator() {
    return [plain = ops::interpreter_evaluator()](const graph::CallOp& call, std::span<const NDArray> args,
                                                  const graph::Type& result,
                                                  const Progress& progress) -> Result<std::vector<NDArray>> {
        if (!call.op.open) return plain(call, args, result, progress);
        ORRERY_TRY(const ClosedCall closed, closed_call(call, args, progress));
        std::vector<NDArray> rest;
        for (const std::size_t i : closed.params) rest.push_back(args[i]);
        return graph::evaluate(closed.function, rest, plain, progress);
    };
}

graph::Specializer specializer() { return {evaluator(), close_call}; }

} // namespace orrery::onnx
