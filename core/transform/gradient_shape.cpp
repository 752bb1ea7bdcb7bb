// Derivatives of reductions, of what is normalized along axes, and of operators that move elements.

#include "core/transform/gradient_rules.hpp"

#include <algorithm>
#include <numeric>

namespace orrery::transform::gradient_rules {

namespace {

using Back = std::vector<Var>;

std::size_t axis_of(const Request& r, std::int64_t fallback) {
    const std::int64_t attr = r.call.attrs.integer("axis", fallback);
    return static_cast<std::size_t>(attr < 0 ? attr + static_cast<std::int64_t>(shape(r.x()).size()) : attr);
}

// ------------------------------------------------------------------------------------------- reductions

/// x's shape with extent 1 at the reduced axes: what a reduction's value is reshaped to, to broadcast with x.
Ints kept_shape(const Request& r) {
    Ints kept = shape(r.x());
    for (const std::int64_t axis : r.call.attrs.ints("axes"))
        kept[static_cast<std::size_t>(axis < 0 ? axis + static_cast<std::int64_t>(kept.size()) : axis)] = 1;
    return kept;
}
double reduced_count(const Request& r) {
    const std::int64_t all = element_count(shape(r.x())), out = element_count(shape(r.out));
    return out == 0 ? 1 : static_cast<double>(all / out);
}
Var kept_g(const Request& r) { return r.emit.reshape(r.g(), kept_shape(r)); }
Var kept_out(const Request& r) { return r.emit.reshape(r.out, kept_shape(r)); }
Var over_x(const Request& r, const Var& value) {
    return r.emit.call("broadcast_to", {value}, {{"shape", Ints(shape(r.x()))}});
}

Back reduce_sum(const Request& r) { return {over_x(r, kept_g(r))}; }
Back reduce_mean(const Request& r) { return {over_x(r, r.emit.scaled(kept_g(r), 1 / reduced_count(r)))}; }
Back reduce_l1(const Request& r) { return {r.emit.mul(r.emit.call("sign", {r.x()}), kept_g(r))}; }
Back reduce_l2(const Request& r) { return {r.emit.mul(r.x(), r.emit.div(kept_g(r), kept_out(r)))}; }
Back reduce_sum_square(const Request& r) { return {r.emit.mul(r.emit.scaled(r.x(), 2), kept_g(r))}; }
Back reduce_log_sum(const Request& r) { return {over_x(r, r.emit.div(kept_g(r), r.emit.call("exp", {kept_out(r)})))}; }
Back reduce_log_sum_exp(const Request& r) {
    return {r.emit.mul(r.emit.call("exp", {r.emit.sub(r.x(), kept_out(r))}), kept_g(r))};
}
/// Equals share the derivative.
Back reduce_extreme(const Request& r) {
    const Var same = r.emit.call("equal", {r.x(), kept_out(r)});
    const Var ones = r.emit.call("cast", {same}, {{"dtype", dtype(r.x())}});
    const Var count = r.emit.call("reduce_sum", {ones}, {{"axes", r.call.attrs.ints("axes")}, {"keepdims", true}});
    return {r.emit.mul(ones, r.emit.div(kept_g(r), count))};
}

Back softmax(const Request& r) {
    const Ints axis{static_cast<std::int64_t>(axis_of(r, -1))};
    const Var weighted = r.emit.mul(r.g(), r.out);
    return {r.emit.sub(weighted, r.emit.mul(r.out, r.emit.sum(weighted, axis, true)))};
}
Back log_softmax(const Request& r) {
    const Ints axis{static_cast<std::int64_t>(axis_of(r, -1))};
    return {r.emit.sub(r.g(), r.emit.mul(r.emit.call("exp", {r.out}), r.emit.sum(r.g(), axis, true)))};
}
Back cumsum(const Request& r) {
    return {r.emit.call("cumsum", {r.g()}, r.call.attrs.with("reverse", !r.call.attrs.flag("reverse")))};
}

Var mean_over(Emitter& e, const Var& x, const Ints& axes) {
    return e.call("reduce_mean", {x}, {{"axes", axes}, {"keepdims", true}});
}
constexpr double kEpsilon = 1e-5; // the operators' default

/// y = n * scale + bias with n = (x - mean) / deviation: n hands (h - mean(h) - n mean(h n)) / deviation on.
Back layer_norm(const Request& r) {
    Emitter& e = r.emit;
    const Ints axes = axes_from(axis_of(r, -1), shape(r.x()).size());
    const Var centred = e.sub(r.x(), mean_over(e, r.x(), axes));
    const Var variance = mean_over(e, e.square(centred), axes);
    const Var deviation = e.call("sqrt", {e.shifted(variance, r.call.attrs.number("epsilon", kEpsilon))});
    const Var n = e.div(centred, deviation);
    const Var h = r.has(1) ? e.mul(r.g(), r.x(1)) : r.g();
    const Var along = e.mul(n, mean_over(e, e.mul(h, n), axes));
    return {e.div(e.sub(e.sub(h, mean_over(e, h, axes)), along), deviation),
            r.has(1) ? e.fit(e.mul(r.g(), n), shape(r.x(1))) : Var(), r.has(2) ? e.fit(r.g(), shape(r.x(2))) : Var()};
}

/// (x - mean) / sqrt(variance + epsilon) * scale + bias, along axis 1, by all five.
Back batch_norm(const Request& r) {
    Emitter& e = r.emit;
    const Shape x = shape(r.x());
    Ints along(x.size(), 1), others = axes_from(0, x.size());
    along[1] = x[1];
    others.erase(others.begin() + 1);
    const auto spread = [&](const Var& vector) { return e.reshape(vector, along); };
    const auto gathered = [&](const Var& g) { return e.sum(g, others, false); };
    const Var deviation = e.call("sqrt", {e.shifted(r.x(4), r.call.attrs.number("epsilon", kEpsilon))});
    const Var factor = e.div(r.x(1), deviation);
    const Var centred = e.sub(r.x(), spread(r.x(3)));
    const Var total = gathered(r.g()), moment = gathered(e.mul(r.g(), centred));
    const Var by_variance = e.scaled(e.div(e.mul(moment, factor), e.square(deviation)), -0.5);
    return {e.mul(r.g(), spread(factor)), e.div(moment, deviation), total, e.neg(e.mul(total, factor)), by_variance};
}

constexpr Row kReductions[] = {
    {"batch_norm", batch_norm},
    {"cumsum", cumsum},
    {"layer_norm", layer_norm},
    {"log_softmax", log_softmax},
    {"reduce_l1", reduce_l1},
    {"reduce_l2", reduce_l2},
    {"reduce_log_sum", reduce_log_sum},
    {"reduce_log_sum_exp", reduce_log_sum_exp},
    {"reduce_max", reduce_extreme},
    {"reduce_mean", reduce_mean},
    {"reduce_min", reduce_extreme},
    {"reduce_sum", reduce_sum},
    {"reduce_sum_square", reduce_sum_square},
    {"softmax", softmax},
};

// ------------------------------------------------------------------------------------- moving elements

Back reshape(const Request& r) { return {r.emit.reshape(r.g(), shape(r.x()))}; }
Back broadcast_to(const Request& r) { return {r.emit.fit(r.g(), shape(r.x()))}; }

Back transpose(const Request& r) {
    const Ints& perm = r.call.attrs.ints("perm");
    Ints inverse(perm.size());
    for (std::size_t d = 0; d < perm.size(); ++d)
        inverse[static_cast<std::size_t>(perm[d])] = static_cast<std::int64_t>(d);
    return {r.emit.transpose(r.g(), inverse)};
}

Back concat(const Request& r) {
    const std::size_t axis = axis_of(r, 0);
    Back parts;
    std::int64_t at = 0;
    for (const Var& part : r.call.args) {
        Ints begins(shape(part).size(), 0);
        begins[axis] = at;
        at += shape(part)[axis];
        parts.push_back(r.emit.call("slice", {r.g()}, {{"begins", begins}, {"sizes", Ints(shape(part))}}));
    }
    return parts;
}

/// `g` with step - 1 zeros after each element of an axis.
Var spread(Emitter& e, const Var& g, Ints extents, std::size_t axis, std::int64_t step) {
    Ints split = extents;
    split.insert(split.begin() + static_cast<std::ptrdiff_t>(axis) + 1, 1);
    Ints after(split.size(), 0);
    after[axis + 1] = step - 1;
    const Var padded = e.call("pad", {e.reshape(g, split)}, {{"after", after}});
    extents[axis] *= step;
    return e.reshape(padded, extents);
}

Back slice(const Request& r) {
    Emitter& e = r.emit;
    const Shape x = shape(r.x());
    Ints extents = shape(r.out), before = r.call.attrs.ints("begins"), after(x.size(), 0);
    const Ints steps = r.call.attrs.ints("steps", Ints(x.size(), 1));
    Var g = r.g();
    for (std::size_t d = 0; d < x.size(); ++d) {
        if (steps[d] < 0 && extents[d] > 0) { // the same elements from the other end
            Ints begins(x.size(), 0), back(x.size(), 1);
            begins[d] = extents[d] - 1;
            back[d] = -1;
            g = e.call("slice", {g}, {{"begins", begins}, {"sizes", extents}, {"steps", back}});
            before[d] += (extents[d] - 1) * steps[d];
        }
        const std::int64_t step = std::abs(steps[d]);
        if (step > 1 && extents[d] > 1) {
            g = spread(e, g, extents, d, step);
            extents[d] *= step;
        }
        if (extents[d] == 0) before[d] = 0;
        after[d] = x[d] - before[d] - extents[d];
    }
    return {e.call("pad", {g}, {{"before", before}, {"after", after}})};
}

Back pad(const Request& r) {
    Emitter& e = r.emit;
    const std::size_t rank = shape(r.x()).size();
    if (r.call.attrs.text("mode", "constant") != "constant") {
        e.fail({Code::UnsupportedFeature, "the derivative of padding that repeats elements has no rule", {}, {}});
        return {};
    }
    const auto negated = [&](const char* name) {
        Ints amounts = r.call.attrs.ints(name, Ints(rank, 0));
        for (std::int64_t& amount : amounts) amount = -amount;
        return amounts;
    };
    const Var inner = e.call("pad", {r.g()}, {{"before", negated("before")}, {"after", negated("after")}});
    Back back{inner};
    if (r.has(1)) {
        const Ints all = axes_from(0, rank);
        back.push_back(e.reshape(e.sub(e.sum(r.g(), all, false), e.sum(inner, all, false)), shape(r.x(1))));
    }
    return back;
}

Back tile(const Request& r) {
    const Shape x = shape(r.x());
    const Ints& repeats = r.call.attrs.ints("repeats");
    Ints split, axes;
    for (std::size_t d = 0; d < x.size(); ++d) {
        axes.push_back(static_cast<std::int64_t>(split.size()));
        split.push_back(repeats[d]);
        split.push_back(x[d]);
    }
    if (x.empty()) return {r.g()};
    return {r.emit.sum(r.emit.reshape(r.g(), split), axes, false)};
}

Back trilu(const Request& r) { return {r.emit.call("trilu", {r.g()}, r.call.attrs)}; }

Back depth_to_space(const Request& r) {
    if (!r.call.attrs.flag("column_row"))
        return {r.emit.call("space_to_depth", {r.g()}, {{"block", r.call.attrs.integer("block")}})};
    r.emit.fail({Code::UnsupportedFeature, "the derivative of depth_to_space by columns and rows has no rule", {}, {}});
    return {};
}
Back space_to_depth(const Request& r) {
    return {r.emit.call("depth_to_space", {r.g()}, {{"block", r.call.attrs.integer("block")}})};
}

Var as_i64(Emitter& e, const Var& indices) {
    return dtype(indices) == DType::I64 ? indices : e.call("cast", {indices}, {{"dtype", DType::I64}});
}

/// Slices go back where they were picked, added up: the picked axis in front, as scatter_nd has it.
Back gather(const Request& r) {
    Emitter& e = r.emit;
    const Shape x = shape(r.x()), picked = shape(r.x(1));
    const std::size_t axis = axis_of(r, 0);
    Ints forward(picked.size()), back, front{x[axis]}, flat(picked);
    std::iota(forward.begin(), forward.end(), static_cast<std::int64_t>(axis));
    for (std::size_t d = 0; d < x.size(); ++d) {
        if (d == axis) continue;
        forward.push_back(static_cast<std::int64_t>(d < axis ? d : d - 1 + picked.size()));
        front.push_back(x[d]);
    }
    for (std::size_t d = 0; d < x.size(); ++d)
        back.push_back(static_cast<std::int64_t>(d == axis ? 0 : d < axis ? d + 1 : d));
    flat.push_back(1);
    const Var places = e.reshape(as_i64(e, r.x(1)), flat);
    const Var sums = e.call("scatter_nd", {e.zeros(dtype(r.x()), front), places, e.transpose(r.g(), forward)},
                            {{"reduction", std::string("add")}});
    return {axis == 0 ? sums : e.transpose(sums, back)};
}

Back gather_elements(const Request& r) {
    const Var zeros = r.emit.zeros(dtype(r.x()), shape(r.x()));
    return {r.emit.call("scatter_elements", {zeros, as_i64(r.emit, r.x(1)), r.g()},
                        {{"axis", static_cast<std::int64_t>(axis_of(r, 0))}, {"reduction", std::string("add")}})};
}

Back gather_nd(const Request& r) {
    if (r.call.attrs.integer("batch_dims", 0) != 0) {
        r.emit.fail({Code::UnsupportedFeature, "the derivative of gather_nd over batches has no rule", {}, {}});
        return {};
    }
    const Var zeros = r.emit.zeros(dtype(r.x()), shape(r.x()));
    return {r.emit.call("scatter_nd", {zeros, as_i64(r.emit, r.x(1)), r.g()}, {{"reduction", std::string("add")}})};
}

constexpr Row kShapes[] = {
    {"broadcast_to", broadcast_to},
    {"concat", concat},
    {"depth_to_space", depth_to_space},
    {"gather", gather},
    {"gather_elements", gather_elements},
    {"gather_nd", gather_nd},
    {"pad", pad},
    {"reshape", reshape},
    {"slice", slice},
    {"space_to_depth", space_to_depth},
    {"tile", tile},
    {"transpose", transpose},
    {"trilu", trilu},
};

} // namespace

std::span<const Row> reduction_rows() { return kReductions; }
std::span<const Row> shape_rows() { return kShapes; }

} // namespace orrery::transform::gradient_rules
