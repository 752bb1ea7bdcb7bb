#include "core/transform/simplify_rules.hpp"

#include <algorithm>
#include <numeric>

namespace orrery::transform {

namespace {

using graph::any;
using graph::any_of;
using graph::Attrs;
using graph::CallOp;
using graph::constant;
using graph::Expr;
using graph::Ints;
using graph::op;
using graph::Pattern;
using graph::Var;

Pattern some_x() { return any().as("x"); }
/// A call under a name.
Pattern named(const char* operator_name, const char* capture) { return op(operator_name).as(capture); }

Var operand(Site& site, const char* name) { return site.call_of(site[name])->args[0]; }

// ------------------------------------------------------------------------------ reshape, transpose

Replacement same_as_operand(Site& site) {
    return site.same_type(site["x"]) ? Replacement::by(site["x"]) : Replacement::none();
}

Expr reshape_to(Site& site, const Var& from) {
    return make_call("reshape", {from}, {{"shape", graph::static_shape(site.type())}});
}

Replacement reshape_of_reshape(Site& site) {
    if (!graph::is_static(site.type())) return Replacement::none();
    return Replacement::by(reshape_to(site, operand(site, "inner")));
}

bool is_identity(const Ints& perm) {
    for (std::size_t i = 0; i < perm.size(); ++i)
        if (perm[i] != static_cast<std::int64_t>(i)) return false;
    return true;
}

Replacement transpose_of_nothing(Site& site) {
    return is_identity(site.root().attrs.ints("perm")) ? Replacement::by(site["x"]) : Replacement::none();
}

/// Axes with more than one element keep their order.
Replacement transpose_of_ones(Site& site) {
    const std::optional<Shape> shape = shape_of(site["x"]);
    if (!shape) return Replacement::none();
    std::int64_t last = -1;
    for (std::int64_t axis : site.root().attrs.ints("perm")) {
        if ((*shape)[static_cast<std::size_t>(axis)] == 1) continue;
        if (axis < last) return Replacement::none();
        last = axis;
    }
    return Replacement::by(reshape_to(site, site["x"]));
}

/// out axis d is axis inner[outer[d]].
Ints composed(const Ints& outer, const Ints& inner) {
    Ints perm;
    for (std::int64_t axis : outer) perm.push_back(inner[static_cast<std::size_t>(axis)]);
    return perm;
}

Replacement transpose_of_transpose(Site& site) {
    const Ints perm = composed(site.root().attrs.ints("perm"), site.call_of(site["inner"])->attrs.ints("perm"));
    const Var from = operand(site, "inner");
    if (is_identity(perm)) return Replacement::by(from);
    return Replacement::by(make_call("transpose", {from}, {{"perm", perm}}));
}

/// One operand, each element from the element at the same place, whatever the place.
bool is_elementwise(const CallOp& call) {
    return call.op.fusion == graph::FusionKind::Elementwise && call.args.size() == 1 && call.op.name != "trilu" &&
           !call.op.random;
}

/// transpose(f(g(transpose(x)))) = transpose(f(g(x))) with one transpose for two.
Replacement transposes_around_elementwise(Site& site) {
    constexpr std::size_t kLongest = 16;
    std::vector<const CallOp*> between;
    Var at = site["x"];
    const CallOp* call = site.call_of(at);
    while (call && is_elementwise(*call) && site.used_once(at) && between.size() < kLongest) {
        between.push_back(call);
        at = call->args[0];
        call = site.call_of(at);
    }
    if (between.empty() || !call || call->op.name != "transpose") return Replacement::none();
    const Ints perm = composed(site.root().attrs.ints("perm"), call->attrs.ints("perm"));
    Var value = call->args[0];
    for (auto it = between.rbegin(); it != between.rend(); ++it)
        value = site.emit(make_ref<const CallOp>((*it)->op, std::vector{value}, (*it)->attrs));
    if (is_identity(perm)) return Replacement::by(value);
    return Replacement::by(make_call("transpose", {value}, {{"perm", perm}}));
}

/// f(transpose(a), transpose(b)) = transpose(f(a, b)) where both turn alike.
Replacement binary_of_transposes(Site& site) {
    const CallOp &a = *site.call_of(site["a"]), &b = *site.call_of(site["b"]);
    const Ints& perm = a.attrs.ints("perm");
    if (!(perm == b.attrs.ints("perm")) || !(site.used_once(site["a"]) || site["a"] == site["b"]))
        return Replacement::none();
    const Var joined =
        site.emit(make_ref<const CallOp>(site.root().op, std::vector{a.args[0], b.args[0]}, site.root().attrs));
    return Replacement::by(make_call("transpose", {joined}, {{"perm", perm}}));
}

// ------------------------------------------------------------------------------ broadcast, tile

Replacement broadcast_of_broadcast(Site& site) {
    return Replacement::by(make_call("broadcast_to", {operand(site, "inner")}, site.root().attrs));
}

/// A broadcast the operator makes by itself. Which operand it is follows from which one it is a call of.
Replacement broadcast_into_binary(Site& site) {
    std::vector<Var> args = site.root().args;
    for (Var& arg : args) {
        const CallOp* call = site.call_of(arg);
        if (!call || call->op.name != "broadcast_to") continue;
        std::vector<Var> tried = args;
        tried[static_cast<std::size_t>(&arg - args.data())] = call->args[0];
        const Expr value = make_ref<const CallOp>(site.root().op, tried, site.root().attrs);
        const Result<graph::Type> type = graph::infer_expr(value);
        if (type && graph::equal(*type, site.result_type())) return Replacement::by(value);
    }
    return Replacement::none();
}

// ------------------------------------------------------------------------------ slice, concat

Ints steps_of(const CallOp& slice) { return slice.attrs.ints("steps", Ints(slice.attrs.ints("begins").size(), 1)); }

Expr slice_call(const Var& from, const Ints& begins, const Ints& sizes, const Ints& steps) {
    return make_call("slice", {from}, {{"begins", begins}, {"sizes", sizes}, {"steps", steps}});
}

Replacement slice_of_everything(Site& site) {
    if (!site.same_type(site["x"]) || !graph::is_static(site.type())) return Replacement::none();
    const Ints steps = steps_of(site.root());
    const Shape shape = graph::static_shape(site.type());
    for (std::size_t d = 0; d < steps.size(); ++d)
        if (steps[d] != 1 && shape[d] > 1) return Replacement::none();
    return Replacement::by(site["x"]);
}

Replacement slice_of_slice(Site& site) {
    const CallOp& inner = *site.call_of(site["inner"]);
    Ints begins = inner.attrs.ints("begins"), steps = steps_of(inner);
    const Ints outer_begins = site.root().attrs.ints("begins"), outer_steps = steps_of(site.root());
    if (element_count(site.root().attrs.ints("sizes")) == 0) return Replacement::none();
    for (std::size_t d = 0; d < begins.size(); ++d) {
        begins[d] += outer_begins[d] * steps[d];
        steps[d] *= outer_steps[d];
    }
    return Replacement::by(slice_call(inner.args[0], begins, site.root().attrs.ints("sizes"), steps));
}

std::size_t axis_of(const CallOp& concat, std::size_t rank) {
    const std::int64_t axis = concat.attrs.integer("axis");
    return static_cast<std::size_t>(axis < 0 ? axis + static_cast<std::int64_t>(rank) : axis);
}

/// A slice that lies within one part.
Replacement slice_of_concat(Site& site) {
    const CallOp& concat = *site.call_of(site["inner"]);
    Ints begins = site.root().attrs.ints("begins");
    const Ints sizes = site.root().attrs.ints("sizes"), steps = steps_of(site.root());
    if (element_count(sizes) == 0) return Replacement::none();
    const std::size_t axis = axis_of(concat, begins.size());
    const std::int64_t reach = begins[axis] + (sizes[axis] - 1) * steps[axis];
    const std::int64_t low = std::min(begins[axis], reach), high = std::max(begins[axis], reach);
    std::int64_t start = 0;
    for (const Var& part : concat.args) {
        if (!shape_of(part)) return Replacement::none();
        const std::int64_t end = start + (*shape_of(part))[axis];
        if (low >= start && high < end) {
            begins[axis] -= start;
            return Replacement::by(slice_call(part, begins, sizes, steps));
        }
        start = end;
    }
    return Replacement::none();
}

Replacement concat_of_one(Site& site) {
    return site.root().args.size() == 1 ? Replacement::by(site.root().args[0]) : Replacement::none();
}

/// Parts that are concatenations along the same axis, used here only, give their parts.
Replacement concat_of_concat(Site& site) {
    const std::size_t rank = site.type().dims.size(), axis = axis_of(site.root(), rank);
    std::vector<Var> parts;
    bool changed = false;
    for (const Var& part : site.root().args) {
        const CallOp* inner = site.call_of(part);
        if (inner && inner->op.name == "concat" && axis_of(*inner, rank) == axis && site.used_once(part)) {
            parts.insert(parts.end(), inner->args.begin(), inner->args.end());
            changed = true;
        } else {
            parts.push_back(part);
        }
    }
    if (!changed) return Replacement::none();
    return Replacement::by(make_call("concat", parts, {{"axis", static_cast<std::int64_t>(axis)}}));
}

/// The slice of one tensor that two neighbouring slices make together; null when they do not.
Expr joined_slices(const CallOp& a, const CallOp& b, std::size_t axis) {
    if (a.args[0] != b.args[0]) return nullptr;
    const Ints steps = steps_of(a), begins = a.attrs.ints("begins"), after = b.attrs.ints("begins");
    Ints sizes = a.attrs.ints("sizes");
    const Ints& more = b.attrs.ints("sizes");
    if (!(steps == steps_of(b)) || element_count(sizes) == 0 || element_count(more) == 0) return nullptr;
    for (std::size_t d = 0; d < sizes.size(); ++d) {
        if (d != axis && (begins[d] != after[d] || sizes[d] != more[d])) return nullptr;
        if (d == axis && after[d] != begins[d] + sizes[d] * steps[d]) return nullptr;
    }
    sizes[axis] += more[axis];
    return slice_call(a.args[0], begins, sizes, steps);
}

Replacement concat_of_slices(Site& site) {
    const std::size_t axis = axis_of(site.root(), site.type().dims.size());
    const std::vector<Var>& parts = site.root().args;
    std::vector<Var> joined;
    std::vector<Expr> pending; // the value of the last of `joined` where it is not bound yet
    bool changed = false;
    for (const Var& part : parts) {
        const CallOp* slice = site.call_of(part);
        if (!slice || slice->op.name != "slice") slice = nullptr;
        const CallOp* before = nullptr;
        if (!joined.empty()) before = pending.back() ? graph::as<CallOp>(pending.back()) : site.call_of(joined.back());
        const Expr both = slice && before && before->op.name == "slice" ? joined_slices(*before, *slice, axis) : Expr();
        if (both) {
            pending.back() = both;
            changed = true;
            continue;
        }
        joined.push_back(part);
        pending.emplace_back();
    }
    if (!changed) return Replacement::none();
    if (joined.size() == 1) return Replacement::by(pending[0]);
    for (std::size_t i = 0; i < joined.size(); ++i)
        if (pending[i]) joined[i] = site.emit(pending[i]);
    return Replacement::by(make_call("concat", joined, site.root().attrs));
}

// ------------------------------------------------------------------------------ pad

bool is_constant_pad(const CallOp& pad) { return pad.attrs.text("mode", "constant") == "constant"; }

Ints pads_of(const CallOp& pad, const char* side, std::size_t rank) { return pad.attrs.ints(side, Ints(rank, 0)); }

/// Padding by a value that is 0, or left out.
bool pads_zero(const Site& site, const CallOp& pad) {
    if (!is_constant_pad(pad)) return false;
    if (pad.args.size() < 2 || !pad.args[1]) return true;
    const NDArray* value = site.constant_of(pad.args[1]);
    return value && all_equal(*value, 0);
}

Replacement pad_by_nothing(Site& site) {
    const std::size_t rank = site.type().dims.size();
    const Ints zeros(rank, 0);
    const bool nothing = pads_of(site.root(), "before", rank) == zeros && pads_of(site.root(), "after", rank) == zeros;
    return nothing ? Replacement::by(site.root().args[0]) : Replacement::none();
}

/// The extents added on spatial axes, as `pads` of a window; nullopt when something else is padded or anything is cut.
std::optional<Ints> window_pads(const CallOp& pad, std::size_t rank) {
    const Ints before = pads_of(pad, "before", rank), after = pads_of(pad, "after", rank);
    if (rank < 3 || before[0] || before[1] || after[0] || after[1]) return std::nullopt;
    Ints pads(before.begin() + 2, before.end());
    pads.insert(pads.end(), after.begin() + 2, after.end());
    if (std::ranges::any_of(pads, [](std::int64_t p) { return p < 0; })) return std::nullopt;
    return pads;
}

/// Zeros around a convolution's input are its own padding.
Replacement pad_into_conv(Site& site) {
    const CallOp& pad = *site.call_of(site["inner"]);
    const std::size_t rank = site.type().dims.size();
    const std::optional<Ints> more = window_pads(pad, rank);
    if (!more || site.root().attrs.has("border") || !pads_zero(site, pad)) return Replacement::none();
    Ints pads = site.root().attrs.ints("pads", Ints(more->size(), 0));
    for (std::size_t i = 0; i < pads.size(); ++i) pads[i] += (*more)[i];
    std::vector<Var> args = site.root().args;
    args[0] = pad.args[0];
    return Replacement::by(make_ref<const CallOp>(site.root().op, args, site.root().attrs.with("pads", pads)));
}

/// Zeros around a mean's input count as elements.
Replacement pad_into_avg_pool(Site& site) {
    const CallOp& pad = *site.call_of(site["inner"]);
    const Attrs& attrs = site.root().attrs;
    const std::optional<Ints> pads = window_pads(pad, site.type().dims.size());
    if (!pads || !pads_zero(site, pad) || attrs.flag("ceil")) return Replacement::none();
    const Ints own = attrs.ints("pads", Ints(pads->size(), 0));
    if (own != Ints(pads->size(), 0)) return Replacement::none();
    return Replacement::by(
        make_call("avg_pool", {pad.args[0]}, attrs.with("pads", *pads).with("count_include_pad", true)));
}

Rules binary_layout_rules() {
    Rules rules;
    for (const char* name : {"add", "subtract", "multiply", "divide", "maximum", "minimum"}) {
        rules.push_back({"elementwise work between equal transposes",
                         op(name, {named("transpose", "a"), named("transpose", "b")}), binary_of_transposes});
        rules.push_back({"a broadcast the operator makes by itself",
                         any_of({op(name, {op("broadcast_to"), any()}), op(name, {any(), op("broadcast_to")})}),
                         broadcast_into_binary});
    }
    return rules;
}

} // namespace

Rules layout_rules() {
    Rules rules{
        {"reshape to the same shape", op("reshape", {some_x()}), same_as_operand},
        {"reshape of a reshape", op("reshape", {named("reshape", "inner")}), reshape_of_reshape},
        {"transpose that moves nothing", op("transpose", {some_x()}), transpose_of_nothing},
        {"transpose of a transpose", op("transpose", {named("transpose", "inner")}), transpose_of_transpose},
        {"transposes around elementwise work", op("transpose", {some_x()}), transposes_around_elementwise},
        {"transpose that moves extents of one", op("transpose", {some_x()}), transpose_of_ones},
        {"broadcast to the same shape", op("broadcast_to", {some_x()}), same_as_operand},
        {"broadcast of a broadcast", op("broadcast_to", {named("broadcast_to", "inner")}), broadcast_of_broadcast},
        {"tile once", op("tile", {some_x()}), same_as_operand},
        {"slice of everything", op("slice", {some_x()}), slice_of_everything},
        {"slice of a slice", op("slice", {named("slice", "inner")}), slice_of_slice},
        {"slice of a part", op("slice", {named("concat", "inner")}), slice_of_concat},
        {"concat of one part", op("concat"), concat_of_one},
        {"concat of concats", op("concat"), concat_of_concat},
        {"concat of neighbouring slices", op("concat"), concat_of_slices},
        {"pad by nothing", op("pad"), pad_by_nothing},
        {"padding into a mean", op("avg_pool", {named("pad", "inner")}), pad_into_avg_pool},
    };
    for (const char* name : {"conv1d", "conv2d", "conv3d"})
        rules.push_back({"padding into a convolution", op(name, {named("pad", "inner"), any()}), pad_into_conv});
    for (Rule& rule : binary_layout_rules()) rules.push_back(std::move(rule));
    return rules;
}

} // namespace orrery::transform
