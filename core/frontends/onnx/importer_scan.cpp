// Scan as a loop over its axis: each iteration gathers one element of every scanned input. Before opset 9 there was a
// batch around it: each of its elements is a scan.

#include "core/frontends/onnx/importer.hpp"
#include "core/frontends/onnx/importer_loop.hpp"
#include "core/frontends/onnx/importer_node.hpp"
#include "core/ops/open.hpp"
#include "core/ops/ops.hpp"

#include <numeric>

namespace orrery::onnx {

using graph::Ints;
using graph::Var;

struct ScanParts {
    const ::onnx::GraphProto& body;
    std::vector<Var> states, read; ///< initial states; scanned tensors
    Ints axes, reversed;           ///< of each scanned tensor
    Var length;                    ///< i64[], iterations that count, fewer than there are; null: all
};

namespace {

constexpr int kWithoutBatch = 9; // the opset from which on Scan has no batch axis

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
    /// Element `index` of the first axis, without the axis.
    Result<Var> element(const Var& x, std::int64_t index) {
        ORRERY_TRY(const Var at, integer(index));
        return call("gather", {x, at}, {{"axis", std::int64_t{0}}});
    }
    /// A value, known to be of that shape, with an axis before all others.
    Result<Var> row(const Var& x, Ints shape) {
        const graph::TensorType& type = *graph::as_tensor(x->type);
        shape.insert(shape.begin(), 1);
        if (graph::is_static(type)) return call("reshape", {x}, {{"shape", shape}});
        NDArray extents = NDArray::of<std::int64_t>(DType::I64, {static_cast<std::int64_t>(shape.size())},
                                                    std::span<const std::int64_t>(shape));
        ORRERY_TRY(const Var to, constant(std::move(extents)));
        return open("Reshape", {x, to}, graph::tensor_type(type.dtype, shape));
    }
    /// A node that waits for the shape of its first operand, with the values of the others.
    Result<Var> open(const char* node, std::vector<Var> args, const graph::Type& result) {
        Ints values(args.size() - 1);
        std::iota(values.begin(), values.end(), 1);
        return call("open", std::move(args),
                    {{ops::kOpenNode, std::string(node)},
                     {ops::kOpenOpset, std::int64_t{13}},
                     {ops::kOpenResults, graph::Strings{graph::to_string(result)}},
                     {ops::kOpenOutputs, Ints{1}},
                     {ops::kOpenValues, values}});
    }
    Result<Var> vector(std::int64_t value) {
        return constant(NDArray::of<std::int64_t>(DType::I64, {1}, std::span(&value, 1)));
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

/// Before opset 9 scanned values have one axis, and `directions` is of the inputs alone.
Result<ScanAxes> read_directions(ImportedNode& node, std::size_t count) {
    ScanAxes out{Ints(count, 0), node.ints("directions", Ints(count, 0))};
    if (out.reversed.size() == count) return out;
    return Diagnostic{Code::BadAttribute, "directions has one value a scanned input", {}, {}};
}

/// The first axis backwards, whose extent need not be known: a Slice that waits for it.
Result<Var> backwards(Emitter& emit, const Var& x) {
    ORRERY_TRY(const Var start, emit.vector(-1));
    ORRERY_TRY(const Var end, emit.vector(-(std::int64_t{1} << 62))); // before any first element
    ORRERY_TRY(const Var axis, emit.vector(0));
    ORRERY_TRY(const Var step, emit.vector(-1));
    return emit.open("Slice", {x, start, end, axis, step}, x->type);
}

/// Stacked values [T, ...] along the axis that is asked for, backwards where that is asked for.
Result<Var> placed(Emitter& emit, Var stacked, std::int64_t axis, std::int64_t reversed) {
    const graph::TensorType& type = *graph::as_tensor(stacked->type);
    if (reversed && graph::is_static(type)) {
        const Ints sizes = graph::static_shape(type);
        Ints begins(sizes.size(), 0), steps(sizes.size(), 1);
        if (sizes[0] > 0) {
            begins[0] = sizes[0] - 1;
            steps[0] = -1;
        }
        ORRERY_TRY(stacked, emit.call("slice", {stacked}, {{"begins", begins}, {"sizes", sizes}, {"steps", steps}}));
    } else if (reversed) {
        ORRERY_TRY(stacked, backwards(emit, stacked));
    }
    if (axis == 0) return stacked;
    Ints perm(type.dims.size());
    std::iota(perm.begin(), perm.end(), 0);
    perm.erase(perm.begin());
    perm.insert(perm.begin() + axis, 0);
    return emit.call("transpose", {stacked}, {{"perm", perm}});
}

} // namespace

Result<std::vector<Var>> Importer::emit_scan(const ScanParts& scan, const NodePlace& place, Scope& scope) {
    const std::size_t states = scan.states.size();
    Emitter emitter(*this, place);
    ORRERY_TRY(const Var length, emitter.extent(scan.read[0], scan.axes[0]));
    LoopParts loop{scan.body, length, nullptr, scan.states};
    loop.scans = static_cast<std::size_t>(scan.body.output_size()) - states;
    loop.read = scan.read;
    if (scan.length) loop.read.push_back(scan.length);
    loop.always_going = true;
    loop.inputs = [&](const std::vector<Var>& params) -> Result<std::vector<Var>> {
        std::vector<Var> given(params.begin() + 2, params.begin() + 2 + static_cast<std::ptrdiff_t>(states));
        for (std::size_t i = 0; i < scan.read.size(); ++i) {
            const Var& whole = params[2 + states + i];
            Var index = params[0];
            if (scan.reversed[i]) {
                ORRERY_TRY(const Var extent, emitter.extent(whole, scan.axes[i]));
                ORRERY_TRY(const Var one, emitter.integer(1));
                ORRERY_TRY(const Var last, emitter.call("subtract", {extent, one}));
                ORRERY_TRY(index, emitter.call("subtract", {last, index}));
            }
            ORRERY_TRY(Var element, emitter.call("gather", {whole, index}, {{"axis", scan.axes[i]}}));
            given.push_back(std::move(element));
        }
        return given;
    };
    // Beyond its length a sequence leaves the states as they are, and scans zeros.
    if (scan.length)
        loop.outputs = [&](const std::vector<Var>& params, std::vector<Var> outputs) -> Result<std::vector<Var>> {
            ORRERY_TRY(const Var inside, emitter.call("less", {params[0], params[2 + states + scan.read.size()]}));
            for (std::size_t i = 0; i < outputs.size(); ++i) {
                NDArray zero = NDArray::zeros(graph::as_tensor(outputs[i]->type)->dtype, {});
                ORRERY_TRY(const Var none, emitter.constant(std::move(zero)));
                ORRERY_TRY(outputs[i], emitter.call("where", {inside, outputs[i], i < states ? params[2 + i] : none}));
            }
            return outputs;
        };
    return emit_loop(loop, place, scope);
}

/// Each element of the batch is a scan of its own; the results are stacked again.
Result<std::vector<Var>> Importer::convert_batched_scan(const ScanParts& scan, const NodePlace& place, Scope& scope) {
    constexpr std::int64_t kMostBatch = 1024; // our choice: each is a loop of its own
    const graph::Dim& batch = graph::as_tensor(scan.read[0]->type)->dims[0];
    if (!batch.is_static() || batch.value < 1 || batch.value > kMostBatch)
        return Diagnostic{Code::UnsupportedFeature,
                          "Scan of opset 8 needs a batch of 1 to 1024 that is known at import",
                          {},
                          "bind the batch with --shape"};
    const graph::Dim length = graph::as_tensor(scan.read[0]->type)->dims[1];
    Emitter emitter(*this, place);
    std::vector<std::vector<Var>> columns(static_cast<std::size_t>(scan.body.output_size()));
    for (std::int64_t b = 0; b < batch.value; ++b) {
        ScanParts one{scan.body, {}, {}, scan.axes, scan.reversed, nullptr};
        for (const Var& state : scan.states) {
            ORRERY_TRY(Var own, emitter.element(state, b));
            one.states.push_back(std::move(own));
        }
        for (const Var& read : scan.read) {
            ORRERY_TRY(Var own, emitter.element(read, b));
            one.read.push_back(std::move(own));
        }
        if (scan.length) { ORRERY_TRY(one.length, emitter.element(scan.length, b)); }
        ORRERY_TRY(const std::vector<Var> outputs, emit_scan(one, place, scope));
        for (std::size_t i = 0; i < columns.size(); ++i) {
            graph::TensorType type = *graph::as_tensor(outputs[i]->type);
            if (i >= scan.states.size()) type.dims[0] = length; // of a loop it says nothing
            if (!graph::is_static(type))
                return Diagnostic{Code::UnsupportedFeature,
                                  "Scan of opset 8 needs static shapes",
                                  {},
                                  "bind the dimensions with --shape"};
            ORRERY_TRY(Var row, emitter.row(outputs[i], graph::static_shape(type)));
            columns[i].push_back(std::move(row));
        }
    }
    std::vector<Var> results;
    for (const std::vector<Var>& column : columns) {
        ORRERY_TRY(Var joined, emitter.call("concat", column, {{"axis", std::int64_t{0}}}));
        results.push_back(std::move(joined));
    }
    return results;
}

Result<std::vector<Var>> Importer::convert_scan(const NodePlace& place, Scope& scope) {
    ORRERY_TRY(std::vector<Var> inputs, inputs_of(place, scope));
    ImportedNode reader(*this, place, scope, inputs);
    const ::onnx::GraphProto* body = reader.graph("body");
    const std::int64_t scanned = reader.integer("num_scan_inputs", 0);
    const bool batched = reader.opset() < kWithoutBatch;
    Var lengths;
    if (batched && !inputs.empty()) { // the first operand says how long each sequence is
        lengths = inputs.front();
        inputs.erase(inputs.begin());
    }
    if (!body || scanned < 1 || scanned > static_cast<std::int64_t>(inputs.size()))
        return malformed("Scan takes a graph and at least one input to scan");
    const std::size_t states = inputs.size() - static_cast<std::size_t>(scanned);
    if (static_cast<std::size_t>(body->output_size()) < states || body->output_size() == 0)
        return malformed("the body of Scan gives too few values");
    ScanParts scan{*body,
                   {inputs.begin(), inputs.begin() + static_cast<std::ptrdiff_t>(states)},
                   {inputs.begin() + static_cast<std::ptrdiff_t>(states), inputs.end()},
                   {},
                   {},
                   lengths};
    const std::size_t around = batched ? 1 : 0; // axes before those of one scan
    std::vector<std::size_t> ranks;
    for (std::size_t i = 0; i < inputs.size(); ++i) {
        const graph::TensorType* type = inputs[i] ? graph::as_tensor(inputs[i]->type) : nullptr;
        if (!type || type->dims.size() < around + (i >= states ? 1 : 0))
            return malformed("Scan takes tensors, and scans some with axes");
        if (i >= states) ranks.push_back(type->dims.size() - around);
    }
    ORRERY_TRY(const ScanAxes in,
               batched ? read_directions(reader, ranks.size()) : read_axes(reader, "scan_input", ranks));
    scan.axes = in.axes;
    scan.reversed = in.reversed;
    if (batched) {
        if (reader.error()) return *reader.error();
        return convert_batched_scan(scan, place, scope);
    }
    ORRERY_TRY(std::vector<Var> outputs, emit_scan(scan, place, scope));
    std::vector<std::size_t> out_ranks;
    for (std::size_t i = states; i < outputs.size(); ++i)
        out_ranks.push_back(graph::as_tensor(outputs[i]->type)->dims.size());
    ORRERY_TRY(const ScanAxes out, read_axes(reader, "scan_output", out_ranks));
    if (reader.error()) return *reader.error();
    Emitter emitter(*this, place);
    for (std::size_t i = 0; i < out_ranks.size(); ++i) {
        ORRERY_TRY(outputs[states + i], placed(emitter, outputs[states + i], out.axes[i], out.reversed[i]));
    }
    return outputs;
}

} // namespace orrery::onnx
