#include "core/transform/normalization_rules.hpp"

#include "core/graph/pattern.hpp"

#include <numeric>

namespace orrery::transform {

namespace {

using graph::any;
using graph::CallOp;
using graph::constant;
using graph::op;
using graph::Pattern;

/// The first of the last dimensions that a mean is taken over; nullopt where it is taken over others, or drops them.
std::optional<std::int64_t> first_axis(const CallOp& mean, std::size_t rank) {
    graph::Ints axes = mean.attrs.ints("axes");
    if (!mean.attrs.flag("keepdims", true) || axes.empty() || axes.size() > rank) return std::nullopt;
    for (std::int64_t& axis : axes)
        if (axis < 0) axis += static_cast<std::int64_t>(rank);
    std::ranges::sort(axes);
    graph::Ints last(axes.size());
    std::iota(last.begin(), last.end(), static_cast<std::int64_t>(rank - axes.size()));
    return axes == last ? std::optional(last.front()) : std::nullopt;
}

Replacement layer_norm(Site& site) {
    const NDArray& epsilon = *site.constant_of(site["epsilon"]);
    if (!is_float(site.type().dtype) || !site.same_type(site["x"]) || epsilon.size() != 1 || epsilon.as_double(0) < 0)
        return Replacement::none();
    if (site.has("two") && !all_equal(*site.constant_of(site["two"]), 2)) return Replacement::none();
    const std::size_t rank = site.type().dims.size();
    const std::optional<std::int64_t> axis = first_axis(*site.call_of(site["mean"]), rank);
    if (!axis || axis != first_axis(*site.call_of(site["variance"]), rank)) return Replacement::none();
    for (std::size_t d = static_cast<std::size_t>(*axis); d < rank; ++d)
        if (!site.type().dims[d].is_static()) return Replacement::none();
    return Replacement::by(make_call("layer_norm", {site["x"]}, {{"axis", *axis}, {"epsilon", epsilon.as_double(0)}}));
}

Rules rows() {
    const Pattern x = any().as("x");
    const Pattern centred = op("subtract", {x, op("reduce_mean", {x}).as("mean")}).as("centred");
    const Pattern squares =
        graph::any_of({op("multiply", {centred, centred}), op("power", {centred, constant().as("two")})});
    const Pattern variance = op("reduce_mean", {squares}).as("variance");
    return {{"a layer norm spelled out",
             op("divide", {centred, op("sqrt", {graph::commutative("add", variance, constant().as("epsilon"))})}),
             layer_norm}};
}

} // namespace

const Rules& normalization_rules() {
    static const Rules rules = rows();
    return rules;
}

} // namespace orrery::transform
