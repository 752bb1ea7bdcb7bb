#include "core/frontends/onnx/importer_node.hpp"

#include "core/frontends/onnx/open_node.hpp"
#include "core/ops/open.hpp"
#include "core/ops/ops.hpp"

namespace orrery::onnx {

using graph::Var;
using ::onnx::AttributeProto;

namespace {

// Our choice: what a converter may look at for free, and what it gets when it cannot do without.
constexpr std::int64_t kSmallBytes = 64 << 10, kRequiredBytes = 16 << 20;

/// The attribute's kind; files before IR version 2 do not say it.
int kind_of(const AttributeProto& a) {
    if (a.type() != AttributeProto::UNDEFINED) return a.type();
    if (a.has_f()) return AttributeProto::FLOAT;
    if (a.has_i()) return AttributeProto::INT;
    if (a.has_s()) return AttributeProto::STRING;
    if (a.has_t()) return AttributeProto::TENSOR;
    if (a.has_g()) return AttributeProto::GRAPH;
    if (a.floats_size()) return AttributeProto::FLOATS;
    if (a.strings_size()) return AttributeProto::STRINGS;
    return AttributeProto::INTS;
}

} // namespace

const AttributeProto* ImportedNode::find(std::string_view name) const {
    for (const AttributeProto& attribute : place_.proto->attribute()) {
        if (attribute.name() != name) continue;
        if (attribute.ref_attr_name().empty()) return &attribute;
        if (!scope_.arguments) return nullptr;
        const auto it = scope_.arguments->find(attribute.ref_attr_name());
        return it == scope_.arguments->end() ? nullptr : it->second;
    }
    return nullptr;
}

const AttributeProto* ImportedNode::typed(std::string_view name, int kind) {
    const AttributeProto* attribute = find(name);
    if (!attribute || kind_of(*attribute) == kind) return attribute;
    if (!error_)
        error_ =
            Diagnostic{Code::BadAttribute,
                       "the attribute " + std::string(name) + " of " + std::string(op_type()) + " has the wrong kind",
                       {},
                       {}};
    return nullptr;
}

std::int64_t ImportedNode::integer(std::string_view name, std::int64_t fallback) {
    const AttributeProto* a = typed(name, AttributeProto::INT);
    return a ? a->i() : fallback;
}

double ImportedNode::number(std::string_view name, double fallback) {
    const AttributeProto* a = typed(name, AttributeProto::FLOAT);
    return a ? static_cast<double>(a->f()) : fallback;
}

std::string ImportedNode::text(std::string_view name, std::string fallback) {
    const AttributeProto* a = typed(name, AttributeProto::STRING);
    return a ? a->s() : std::move(fallback);
}

graph::Ints ImportedNode::ints(std::string_view name, graph::Ints fallback) {
    const AttributeProto* a = typed(name, AttributeProto::INTS);
    return a ? graph::Ints(a->ints().begin(), a->ints().end()) : std::move(fallback);
}

graph::Floats ImportedNode::floats(std::string_view name, graph::Floats fallback) {
    const AttributeProto* a = typed(name, AttributeProto::FLOATS);
    return a ? graph::Floats(a->floats().begin(), a->floats().end()) : std::move(fallback);
}

graph::Strings ImportedNode::texts(std::string_view name, graph::Strings fallback) {
    const AttributeProto* a = typed(name, AttributeProto::STRINGS);
    return a ? graph::Strings(a->strings().begin(), a->strings().end()) : std::move(fallback);
}

std::optional<NDArray> ImportedNode::tensor(std::string_view name) {
    const AttributeProto* a = typed(name, AttributeProto::TENSOR);
    if (!a) return std::nullopt;
    Result<NDArray> value = importer_.tensors.read(a->t());
    if (value) return *std::move(value);
    if (!error_) error_ = value.error();
    return std::nullopt;
}

Result<DType> ImportedNode::dtype(std::string_view name, DType fallback) {
    const AttributeProto* a = typed(name, AttributeProto::INT);
    if (!a) return fallback;
    return dtype_of(static_cast<std::int32_t>(a->i()));
}

const ::onnx::GraphProto* ImportedNode::graph(std::string_view name) const {
    const AttributeProto* a = find(name);
    return a && a->has_g() ? &a->g() : nullptr;
}

std::optional<NDArray> ImportedNode::constant(std::size_t i) { return importer_.known.value(input(i), kSmallBytes); }

Result<NDArray> ImportedNode::required_constant(std::size_t i, std::string_view what) {
    if (std::optional<NDArray> value = importer_.known.value(input(i), kRequiredBytes)) return *std::move(value);
    waits_ = waits_ || !importer_.known.is_known(input(i));
    return Diagnostic{Code::UnsupportedFeature,
                      std::string(op_type()) + "'s `" + std::string(what) + "` must be known at import",
                      {},
                      "give the input it depends on as a constant"};
}

Result<graph::TensorType> ImportedNode::type(std::size_t i) const {
    const Var var = input(i);
    if (const graph::TensorType* type = var ? graph::as_tensor(var->type) : nullptr) return *type;
    return Diagnostic{Code::BadType,
                      "input " + std::to_string(i) + " of " + std::string(op_type()) +
                          (var ? " is no tensor" : " is missing"),
                      {},
                      {}};
}

Result<graph::Attrs> ImportedNode::open_attrs() {
    graph::Attrs::Map map;
    for (const AttributeProto& listed : place_.proto->attribute()) {
        const std::string& name = listed.name();
        const AttributeProto* a = find(name);
        if (!a) continue;
        switch (kind_of(*a)) {
        case AttributeProto::INT: map[name] = a->i(); break;
        case AttributeProto::FLOAT: map[name] = static_cast<double>(a->f()); break;
        case AttributeProto::STRING: map[name] = a->s(); break;
        case AttributeProto::INTS: map[name] = graph::Ints(a->ints().begin(), a->ints().end()); break;
        case AttributeProto::FLOATS: map[name] = graph::Floats(a->floats().begin(), a->floats().end()); break;
        case AttributeProto::STRINGS: map[name] = graph::Strings(a->strings().begin(), a->strings().end()); break;
        case AttributeProto::TENSOR: {
            ORRERY_TRY(const NDArray value, importer_.tensors.read(a->t()));
            if (value.size() <= kMaxAttributeElements) {
                put_array(map, name, value);
                break;
            }
            [[fallthrough]];
        }
        default:
            return Diagnostic{Code::UnsupportedFeature,
                              std::string(op_type()) + " with the attribute " + name + " cannot wait for shapes",
                              {},
                              "bind every symbolic dimension with --shape"};
        }
    }
    map[ops::kOpenNode] = std::string(op_type());
    if (const std::string_view domain = domain_of(*place_.proto); !domain.empty())
        map[ops::kOpenDomain] = std::string(domain);
    map[ops::kOpenOpset] = std::int64_t{opset()};
    graph::Ints outputs;
    for (std::size_t i = 0; i < output_count(); ++i) outputs.push_back(has_output(i) ? 1 : 0);
    map[ops::kOpenOutputs] = std::move(outputs);
    return graph::Attrs(std::move(map));
}

std::optional<std::vector<Var>> ImportedNode::sequence(std::size_t i) const {
    const Var var = input(i);
    return var ? importer_.elements(var) : std::nullopt;
}

Var ImportedNode::sequence_var(std::vector<Var> elements) {
    return importer_.sequence(std::move(elements), place_.name, OriginSet(place_.source));
}

Result<Var> ImportedNode::call(std::string_view op, std::vector<Var> args, graph::Attrs attrs) {
    return importer_.emit(make_ref<const graph::CallOp>(ops::op(op), std::move(args), std::move(attrs)), place_.name,
                          place_.source);
}

Var ImportedNode::constant_var(NDArray value) {
    const Var var = importer_.builder.constant(std::move(value), OriginSet(place_.source), place_.name);
    importer_.note(var);
    return var;
}

Var ImportedNode::project(const Var& tuple, std::size_t index) {
    const Var var =
        importer_.builder.emit(make_ref<const graph::Project>(tuple, index), place_.name, OriginSet(place_.source));
    importer_.note(var);
    return var;
}

} // namespace orrery::onnx
