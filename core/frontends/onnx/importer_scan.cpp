// Scan as a loop over its axis: each iteration gathers one element of every scanned input.

#include "core/frontends/onnx/importer.hpp"
#include "core/frontends/onnx/importer_loop.hpp"
#include "core/frontends/onnx/importer_node.hpp"
#include "core/ops/ops.hpp"

#include <numeric>
#include <optional>

namespace orrery::onnx {

using graph::Ints;
using graph::Var;

namespace {

constexpr int kWithoutBatch = 9; // the opset from which on Scan has no batch axis

Diagnostic malformed(std::string message) { return {Code::MalformedModel, std::move(message), {}, {}}; }

/// Emits calls with the node's name and origin.
class Emitter {
  public:
    Emitter(Importer& importer, const NodePlace& place) : importer_(importer), place_(place) {}

    Result<Var> call(const char* op, std::vector<Var> args, graph::Attrs attrs = {}) {
        return importer_.emit(make_ref<const graph::CallOp>(ops::op(op), std::move(args), std::move(attrs)),
                              place_.name, place_.source);
    }
    Result<Var> constant(NDArray value) {
        return importer_.emit(make_ref<const graph::Constant>(std::move(value)), place_.name, place_.source);
    }
    Result<Var> integer(std::int64_t value) {
        return constant(NDArray::of<std::int64_t>(DType::I64, {}, std::span(&value, 1)));
    }
    /// The extent of an axis, as i64[].
    Result<Var> extent(const Var& x, std::int64_t axis) {
        const graph::Dim& dim = graph::as_tensor(x->type)->dims[static_cast<std::size_t>(axis)];
        if (dim.is_static()) return integer(dim.value);
        ORRERY_TRY(const Var shape, call("shape_of", {x}, {{"start", axis}, {"end", axis + 1}}));
        return call("reshape", {shape}, {{"shape", Ints{}}});
    }

  private:
    Importer& importer_;
    const NodePlace& place_;
};

/// Axes and directions of scanned values: `count` of them, in range.
struct ScanAxes {
    Ints axes, reversed;
};

Result<ScanAxes> read_axes(ImportedNode& node, const std::string& prefix, const std::vector<std::size_t>& ranks) {
    ScanAxes out{node.ints(prefix + "_axes", Ints(ranks.size(), 0)),
                 node.ints(prefix + "_directions", Ints(ranks.size(), 0))};
    if (out.axes.size() != ranks.size() || out.reversed.size() != ranks.size())
        return Diagnostic{Code::BadAttribute, prefix + "_axes and _directions have one value a scanned value", {}, {}};
    for (std::size_t i = 0; i < ranks.size(); ++i) {
        const auto rank = static_cast<std::int64_t>(ranks[i]);
        if (out.axes[i] < 0) out.axes[i] += rank;
        if (out.axes[i] < 0 || out.axes[i] >= rank)
            return Diagnostic{Code::BadAttribute, prefix + "_axes has an axis that is not there", {}, {}};
    }
    return out;
}

/// Stacked values [T, ...] along the axis that is asked for, backwards where that is asked for.
Result<Var> placed(Emitter& emit, Var stacked, std::int64_t axis, std::optional<std::int64_t> reversed_length) {
    if (reversed_length) {
        Ints backwards(static_cast<std::size_t>(*reversed_length));
        std::iota(backwards.rbegin(), backwards.rend(), 0);
        ORRERY_TRY(const Var order, emit.constant(NDArray::of<std::int64_t>(DType::I64, {*reversed_length},
                                                                            std::span<const std::int64_t>(backwards))));
        ORRERY_TRY(stacked, emit.call("gather", {stacked, order}, {{"axis", 0}}));
    }
    if (axis == 0) return stacked;
    Ints perm(graph::as_tensor(stacked->type)->dims.size());
    std::iota(perm.begin(), perm.end(), 0);
    perm.erase(perm.begin());
    perm.insert(perm.begin() + axis, 0);
    return emit.call("transpose", {stacked}, {{"perm", perm}});
}

} // namespace

Result<std::vector<Var>> Importer::convert_scan(const NodePlace& place, Scope& scope) {
    ORRERY_TRY(const std::vector<Var> inputs, inputs_of(place, scope));
    ImportedNode reader(*this, place, scope, inputs);
    const ::onnx::GraphProto* body = reader.graph("body");
    const std::int64_t scanned = reader.integer("num_scan_inputs", 0);
    if (reader.opset() < kWithoutBatch)
        return Diagnostic{
            Code::UnsupportedFeature, "Scan over batches is not served", {}, "export with opset 9 or newer"};
    if (!body || scanned < 1 || scanned > static_cast<std::int64_t>(inputs.size()))
        return malformed("Scan takes a graph and at least one input to scan");
    const std::size_t states = inputs.size() - static_cast<std::size_t>(scanned);
    if (static_cast<std::size_t>(body->output_size()) < states)
        return malformed("the body of Scan gives too few values");
    const std::vector<Var> read(inputs.begin() + static_cast<std::ptrdiff_t>(states), inputs.end());
    std::vector<std::size_t> ranks;
    for (std::size_t i = 0; i < inputs.size(); ++i) {
        const graph::TensorType* type = inputs[i] ? graph::as_tensor(inputs[i]->type) : nullptr;
        if (!type || (i >= states && type->dims.empty()))
            return malformed("Scan takes tensors, and scans some with axes");
        if (i >= states) ranks.push_back(type->dims.size());
    }
    ORRERY_TRY(const ScanAxes in, read_axes(reader, "scan_input", ranks));
    Emitter emitter(*this, place);
    ORRERY_TRY(const Var length, emitter.extent(read[0], in.axes[0]));

    LoopParts loop{*body, length, nullptr, {inputs.begin(), inputs.begin() + static_cast<std::ptrdiff_t>(states)}};
    loop.scans = static_cast<std::size_t>(body->output_size()) - states;
    loop.read = read;
    loop.always_going = true;
    loop.inputs = [&](const std::vector<Var>& params) -> Result<std::vector<Var>> {
        std::vector<Var> given(params.begin() + 2, params.begin() + 2 + static_cast<std::ptrdiff_t>(states));
        for (std::size_t i = 0; i < read.size(); ++i) {
            const Var& whole = params[2 + states + i];
            Var index = params[0];
            if (in.reversed[i]) {
                ORRERY_TRY(const Var extent, emitter.extent(whole, in.axes[i]));
                ORRERY_TRY(const Var one, emitter.integer(1));
                ORRERY_TRY(const Var last, emitter.call("subtract", {extent, one}));
                ORRERY_TRY(index, emitter.call("subtract", {last, index}));
            }
            ORRERY_TRY(Var element, emitter.call("gather", {whole, index}, {{"axis", in.axes[i]}}));
            given.push_back(std::move(element));
        }
        return given;
    };
    ORRERY_TRY(std::vector<Var> outputs, emit_loop(loop, place, scope));

    std::vector<std::size_t> out_ranks;
    for (std::size_t i = states; i < outputs.size(); ++i)
        out_ranks.push_back(graph::as_tensor(outputs[i]->type)->dims.size());
    ORRERY_TRY(const ScanAxes out, read_axes(reader, "scan_output", out_ranks));
    if (reader.error()) return *reader.error();
    const graph::Dim& trips = graph::as_tensor(read[0]->type)->dims[static_cast<std::size_t>(in.axes[0])];
    for (std::size_t i = 0; i < out_ranks.size(); ++i) {
        if (out.reversed[i] && !trips.is_static())
            return Diagnostic{Code::UnsupportedFeature,
                              "Scan that writes backwards over an axis of unknown length is not served",
                              {},
                              "bind the axis with --shape"};
        ORRERY_TRY(outputs[states + i], placed(emitter, outputs[states + i], out.axes[i],
                                               out.reversed[i] ? std::optional(trips.value) : std::nullopt));
    }
    return outputs;
}

} // namespace orrery::onnx
