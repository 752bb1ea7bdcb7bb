// Loops: short ones are unrolled, all others become a loop of the graph IR.

#include "core/frontends/onnx/importer_loop.hpp"
#include "core/frontends/onnx/importer.hpp"
#include "core/frontends/onnx/importer_node.hpp"
#include "core/ops/ops.hpp"

#include <algorithm>
#include <utility>

namespace orrery::onnx {

using graph::Type;
using graph::Var;

namespace {

constexpr std::int64_t kConditionBytes = 64;
// Our choice: up to here the unrolled nodes are few enough to look at and to fuse; beyond, a loop compiles once.
constexpr std::int64_t kUnrolledTrips = 16, kUnrolledNodes = 256;

NDArray scalar(DType dtype, std::int64_t value) {
    NDArray array = NDArray::allocate(dtype, {});
    array.set_int(0, value);
    return array;
}

/// A condition for a body that gives none.
Var add_true(InnerFunction& body) {
    const Var yes = graph::make_var("going", graph::tensor_type(DType::Bool, Shape{}));
    body.bindings.push_back({yes, make_ref<const graph::Constant>(scalar(DType::Bool, 1)), {}});
    return yes;
}

} // namespace

Result<std::vector<Var>> Importer::convert_loop(const NodePlace& place, Scope& scope) {
    ORRERY_TRY(const std::vector<Var> inputs, inputs_of(place, scope));
    const ImportedNode reader(*this, place, scope, inputs);
    const ::onnx::GraphProto* body = reader.graph("body");
    if (!body || inputs.size() < 2) return malformed("Loop takes a limit, a condition and a graph");
    LoopParts loop{*body, inputs[0], inputs[1], {inputs.begin() + 2, inputs.end()}};
    if (std::ranges::find(loop.carried, nullptr) != loop.carried.end())
        return malformed("Loop carries a value that is left out");
    const std::size_t results = loop.carried.size() + 1;
    if (static_cast<std::size_t>(body->output_size()) < results)
        return malformed("the body of Loop gives too few values");
    loop.scans = static_cast<std::size_t>(body->output_size()) - results;
    if (loop.carried.size() + loop.scans < static_cast<std::size_t>(place.proto->output_size()))
        return malformed("Loop has more outputs than its body gives");

    const std::optional<NDArray> trips = known.value(loop.limit, kConditionBytes);
    const std::optional<NDArray> going = known.value(loop.condition, kConditionBytes);
    if (trips && trips->size() == 1 && (!loop.condition || (going && going->size() == 1))) {
        const std::int64_t count = std::max<std::int64_t>(0, trips->as_int(0));
        if (count <= kUnrolledTrips && count * body->node_size() <= kUnrolledNodes && (count > 0 || loop.scans == 0)) {
            const std::size_t bindings = builder.bindings().size(), nodes = sources_.size();
            Result<std::vector<Var>> unrolled = unroll_loop(loop, place, scope);
            if (unrolled || unrolled.error().code != Code::UnsupportedFeature) return unrolled;
            builder.roll_back(bindings); // its condition depends on data
            sources_.resize(nodes);
        }
    }
    return emit_loop(loop, place, scope);
}

Result<std::vector<Var>> Importer::unroll_loop(const LoopParts& loop, const NodePlace& place, Scope& scope) {
    ImportedNode reader(*this, place, scope, {});
    const std::int64_t limit = known.value(loop.limit, kConditionBytes)->as_int(0);
    const auto holds = [&](const Var& var) -> Result<bool> {
        const std::optional<NDArray> value = known.value(var, kConditionBytes);
        if (value && value->size() == 1) return value->as_int(0) != 0;
        return Diagnostic{Code::UnsupportedFeature, "Loop's condition depends on data", {}, {}};
    };
    std::vector<Var> carried = loop.carried;
    std::vector<std::vector<Var>> scanned(loop.scans);
    Var condition = loop.condition ? loop.condition : reader.constant_var(scalar(DType::Bool, 1));
    ORRERY_TRY(bool going, holds(condition));
    for (std::int64_t trip = 0; going && trip < limit; ++trip) {
        std::vector<Var> args{reader.constant_var(scalar(DType::I64, trip)), condition};
        args.insert(args.end(), carried.begin(), carried.end());
        ORRERY_TRY(const std::vector<Var> out, convert_subgraph(loop.body, args, place, scope));
        condition = out[0];
        ORRERY_TRY(going, holds(condition));
        for (std::size_t i = 0; i < carried.size(); ++i) carried[i] = out[1 + i];
        for (std::size_t i = 0; i < loop.scans; ++i) scanned[i].push_back(out[1 + carried.size() + i]);
    }
    std::vector<Var> outputs = carried;
    for (const std::vector<Var>& parts : scanned) {
        if (parts.empty())
            return Diagnostic{Code::UnsupportedFeature, "Loop scans values and makes no iteration", {}, {}};
        std::vector<Var> rows;
        for (const Var& part : parts) {
            const graph::TensorType* type = graph::as_tensor(part->type);
            if (!type) return malformed("Loop scans something that is no tensor");
            if (!graph::is_static(*type))
                return Diagnostic{Code::UnsupportedFeature, "Loop scans values of open shapes", {}, {}};
            graph::Ints shape{1};
            for (const graph::Dim& dim : type->dims) shape.push_back(dim.value);
            ORRERY_TRY(Var row, reader.call("reshape", {part}, {{"shape", shape}}));
            rows.push_back(std::move(row));
        }
        ORRERY_TRY(Var stacked, reader.call("concat", rows, {{"axis", 0}}));
        outputs.push_back(std::move(stacked));
    }
    return outputs;
}

/// The body is converted for the types the loop starts with; where an iteration gives others, the extents that differ
/// are left open and it is converted again. Each round opens an extent at least, so that the rounds end.
Result<std::vector<Var>> Importer::emit_loop(const LoopParts& loop, const NodePlace& place, Scope& scope) {
    std::vector<Type> carried;
    for (const Var& var : loop.carried) {
        if (!graph::as_tensor(var->type))
            return Diagnostic{Code::UnsupportedFeature,
                              "a loop carries a sequence or optional, and its number of iterations depends on data",
                              {},
                              "give the limit and the condition as constants"};
        carried.push_back(var->type);
    }
    Var limit, condition;
    if (loop.limit) { ORRERY_TRY(limit, control_value(loop.limit, place)); }
    if (loop.condition) { ORRERY_TRY(condition, control_value(loop.condition, place)); }
    const std::size_t nodes = sources_.size();
    while (true) {
        std::vector<Type> types{graph::tensor_type(DType::I64, Shape{}), graph::tensor_type(DType::Bool, Shape{})};
        types.insert(types.end(), carried.begin(), carried.end());
        for (const Var& var : loop.read) types.push_back(var->type);
        std::vector<Var> captures;
        ORRERY_TRY(InnerFunction body,
                   convert_function({loop.body, types, loop.inputs, loop.outputs}, place, scope, captures));
        if (loop.always_going) body.outputs.insert(body.outputs.begin(), add_true(body));
        if (body.outputs.size() != 1 + loop.carried.size() + loop.scans)
            return malformed("the body of a loop gives too few values");
        bool stable = true;
        for (std::size_t i = 0; i < carried.size(); ++i) { // what is only read stays as it is
            const Type& out = body.outputs[1 + i]->type;
            const Type both = graph::join(carried[i], out);
            if (!both)
                return Diagnostic{Code::UnsupportedFeature,
                                  "Loop carries " + graph::to_string(carried[i]) + " in and " + graph::to_string(out) +
                                      " out",
                                  {},
                                  "ranks and element types must stay"};
            stable = stable && graph::equal(both, carried[i]);
            carried[i] = both;
        }
        if (!stable) {
            sources_.resize(nodes);
            continue;
        }
        graph::FunctionBuilder around = std::exchange(builder, {});
        for (const graph::Binding& binding : body.bindings) builder.append(binding);
        Result<Var> going = control_value(body.outputs[0], place);
        body.bindings = builder.bindings();
        builder = std::move(around);
        if (!going) return std::move(going.error());
        body.outputs[0] = *going;
        if (body.outputs.size() == 1) return malformed("a loop carries and scans nothing");
        std::vector<Var> captured = loop.read;
        captured.insert(captured.end(), captures.begin(), captures.end());
        const graph::Function function = finish_function(std::move(body), captures, place.name + "_body");
        ORRERY_TRY(const Var result, emit(make_ref<const graph::Loop>(
                                              graph::Loop::Fields{limit, condition, loop.carried, captured, function}),
                                          place.name, place.source));
        return parts_of(result, loop.carried.size() + loop.scans, place);
    }
}

} // namespace orrery::onnx
