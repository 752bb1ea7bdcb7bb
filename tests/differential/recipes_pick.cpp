// Operators with indices among their operands or results.

#include "tests/differential/recipes.hpp"

#include <algorithm>

namespace orrery::differential {

namespace {

std::size_t normal(std::int64_t axis, std::size_t rank) {
    return static_cast<std::size_t>(axis < 0 ? axis + static_cast<std::int64_t>(rank) : axis);
}

DType index_type(Draw& d) { return d.one_of({DType::I64, DType::I64, DType::I32, DType::I8}); }

/// Indices into an axis of `extent`, negative ones and a few outside among them.
Var indices(Draw& d, const Shape& shape, std::int64_t extent, bool inside = false) {
    const std::int64_t beyond = !inside && d.chance(10) ? 2 : 0;
    const bool negative = d.chance(40);
    return d.whole(index_type(d), shape, negative ? -extent - beyond : 0, extent - 1 + beyond);
}

/// An operand of any type without empty axes.
Var solid(Draw& d, std::size_t least_rank, const Want& want) {
    for (;;) {
        Want all = want;
        all.least_rank = std::max(all.least_rank, least_rank);
        const Var x = d.operand(all);
        if (element_count(Draw::shape_of(x)) > 0) return x;
    }
}
Var solid(Draw& d, std::size_t least_rank) { return solid(d, least_rank, {.dtypes = DTypes::Any}); }

DrawnCall gather(Draw& d) {
    const Var x = solid(d, 1);
    const std::int64_t axis = d.axis(Draw::rank_of(x));
    const std::int64_t extent = Draw::shape_of(x)[normal(axis, Draw::rank_of(x))];
    Shape shape;
    for (std::int64_t rank = d.number(0, 2); rank > 0; --rank) shape.push_back(d.number(1, 4));
    DrawnCall call{{x, indices(d, shape, extent)}, {{"axis", axis}}};
    if (axis == 0 && d.chance(50)) call.attrs.clear();
    return call;
}

Shape reaching(Draw& d, Shape shape, std::size_t axis) {
    for (std::size_t i = 0; i < shape.size(); ++i) shape[i] = i == axis ? d.number(1, 5) : d.number(1, shape[i]);
    return shape;
}

DrawnCall gather_elements(Draw& d) {
    const Var x = solid(d, 1);
    const Shape in = Draw::shape_of(x);
    const std::int64_t axis = d.axis(in.size());
    const std::size_t at = normal(axis, in.size());
    return {{x, indices(d, reaching(d, in, at), in[at])}, {{"axis", axis}}};
}

/// Index tuples of `depth` into the dimensions of `in` from `first` on.
Var tuples(Draw& d, Shape prefix, const Shape& in, std::size_t first, std::int64_t depth) {
    std::int64_t least = in[first];
    for (std::int64_t i = 0; i < depth; ++i) least = std::min(least, in[first + static_cast<std::size_t>(i)]);
    prefix.push_back(depth);
    return indices(d, prefix, least, true);
}

DrawnCall gather_nd(Draw& d) {
    const Var x = solid(d, 1);
    const Shape in = Draw::shape_of(x);
    const std::int64_t batch = in.size() > 1 ? d.number(0, 1) : 0;
    Shape prefix(in.begin(), in.begin() + batch);
    for (std::int64_t more = d.number(0, 2); more > 0; --more) prefix.push_back(d.number(1, 4));
    const std::int64_t depth = d.number(1, static_cast<std::int64_t>(in.size()) - batch);
    DrawnCall call{{x, tuples(d, prefix, in, static_cast<std::size_t>(batch), depth)}, {}};
    if (batch > 0 || d.chance(50)) call.attrs["batch_dims"] = batch;
    return call;
}

DrawnCall one_hot(Draw& d) {
    const std::int64_t depth = d.number(1, 6);
    Shape shape;
    for (std::int64_t rank = d.number(0, 3); rank > 0; --rank) shape.push_back(d.number(1, 5));
    const DType type = d.dtype(DTypes::Number);
    const Var picked = d.whole(type, shape, -depth - 1, depth);
    DrawnCall call{{picked, d.tensor(d.dtype(DTypes::Any), {2})}, {{"depth", depth}}};
    if (d.chance(60)) call.attrs["axis"] = d.axis(shape.size() + 1);
    return call;
}

DrawnCall reverse_sequence(Draw& d) {
    const Var x = solid(d, 2);
    const Shape in = Draw::shape_of(x);
    const std::size_t time = static_cast<std::size_t>(d.number(0, 1));
    DrawnCall call{{x, d.whole(DType::I64, {in[1 - time]}, 0, in[time] + 1)}, {}};
    if (time == 1 || d.chance(50)) {
        call.attrs["time_axis"] = static_cast<std::int64_t>(time);
        call.attrs["batch_axis"] = static_cast<std::int64_t>(1 - time);
    }
    return call;
}

void maybe_reduction(Draw& d, DrawnCall& call) {
    if (d.chance(60)) call.attrs["reduction"] = d.word({"none", "add", "mul", "max", "min"});
}

DrawnCall scatter_elements(Draw& d) {
    const Var x = solid(d, 1, {.dtypes = DTypes::Comparable});
    const Shape in = Draw::shape_of(x);
    const std::int64_t axis = d.axis(in.size());
    const std::size_t at = normal(axis, in.size());
    const Shape shape = reaching(d, in, at);
    DrawnCall call{{x, indices(d, shape, in[at], true), d.tensor(Draw::dtype_of(x), shape)}, {{"axis", axis}}};
    maybe_reduction(d, call);
    return call;
}

DrawnCall scatter_nd(Draw& d) {
    const Var x = solid(d, 1, {.dtypes = DTypes::Comparable});
    const Shape in = Draw::shape_of(x);
    Shape prefix;
    for (std::int64_t more = d.number(0, 2); more > 0; --more) prefix.push_back(d.number(1, 4));
    const std::int64_t depth = d.number(1, static_cast<std::int64_t>(in.size()));
    const Var at = tuples(d, prefix, in, 0, depth);
    Shape updates = prefix;
    updates.insert(updates.end(), in.begin() + depth, in.end());
    DrawnCall call{{x, at, d.tensor(Draw::dtype_of(x), updates)}, {}};
    maybe_reduction(d, call);
    return call;
}

DrawnCall cumsum(Draw& d) {
    const Var x = d.operand({.least_rank = 1});
    DrawnCall call{{x}, {{"axis", d.axis(Draw::rank_of(x))}}};
    for (const char* name : {"exclusive", "reverse"})
        if (d.chance(50)) call.attrs[name] = d.chance(50);
    return call;
}

DrawnCall top_k(Draw& d) {
    const Var x = d.operand({.least_rank = 1, .exact = true});
    const Shape in = Draw::shape_of(x);
    const std::int64_t axis = d.axis(in.size());
    DrawnCall call{{x}, {{"k", d.number(0, std::min<std::int64_t>(in[normal(axis, in.size())], 5))}, {"axis", axis}}};
    if (d.chance(50)) call.attrs["largest"] = d.chance(50);
    return call;
}

DrawnCall arg(Draw& d) {
    const Var x = solid(d, 1, {.exact = true});
    DrawnCall call{{x}, {}};
    if (d.chance(70)) call.attrs["axis"] = d.axis(Draw::rank_of(x));
    for (const char* name : {"keepdims", "last"})
        if (d.chance(50)) call.attrs[name] = d.chance(50);
    return call;
}

DrawnCall hardmax(Draw& d) {
    const Var x = d.operand({.dtypes = DTypes::Float, .least_rank = 1, .exact = true});
    DrawnCall call{{x}, {}};
    if (d.chance(60)) call.attrs["axis"] = d.axis(Draw::rank_of(x));
    return call;
}

DrawnCall grid_sample(Draw& d) {
    const DType dtype = d.dtype(DTypes::WideFloat);
    const std::int64_t batch = d.number(1, 2);
    const Var x = d.tensor(dtype, {batch, d.number(1, 3), d.number(1, 5), d.number(1, 5)});
    // Nearest pixels are decided by the grid; a grid of its own is exact.
    const Var grid =
        d.tensor(dtype, {batch, d.number(1, 4), d.number(1, 4), 2}, {.strict = true, .low = -1.5, .high = 1.5});
    DrawnCall call{{x, grid}, {{"mode", d.word({"linear", "nearest", "cubic"})}}};
    if (d.chance(60)) call.attrs["padding"] = d.word({"zeros", "border", "reflection"});
    if (d.chance(60)) call.attrs["align_corners"] = d.chance(50);
    return call;
}

DrawnCall roi_align(Draw& d) {
    const DType dtype = d.dtype(DTypes::WideFloat);
    const std::int64_t batch = d.number(1, 2), regions = d.number(1, 3);
    const Var x = d.tensor(dtype, {batch, d.number(1, 3), d.number(3, 8), d.number(3, 8)});
    const Var rois = d.tensor(dtype, {regions, 4}, {.strict = true, .low = 0.0625, .high = 3});
    DrawnCall call{{x, rois, d.whole(DType::I64, {regions}, 0, batch - 1)},
                   {{"height", d.number(1, 3)}, {"width", d.number(1, 3)}, {"samples", d.number(0, 2)}}};
    if (d.chance(50)) call.attrs["spatial_scale"] = d.real(0.25, 1);
    if (d.chance(50)) call.attrs["half_pixel"] = d.chance(50);
    if (d.chance(50)) call.attrs["mode"] = d.word({"avg", "max"});
    return call;
}

DrawnCall roi_max_pool(Draw& d) {
    const DType dtype = d.dtype(DTypes::WideFloat);
    const std::int64_t batch = d.number(1, 2), regions = d.number(1, 3);
    const Var x = d.tensor(dtype, {batch, d.number(1, 3), d.number(3, 8), d.number(3, 8)});
    // The first number of a region is its image; the others are its corners.
    NDArray rois = NDArray::allocate(dtype, {regions, 5});
    for (std::int64_t i = 0; i < rois.size(); ++i)
        rois.set(i, i % 5 == 0 ? static_cast<double>(d.number(0, batch - 1)) : d.real(0.0625, 4));
    DrawnCall call{{x, d.constant(rois)}, {{"height", d.number(1, 3)}, {"width", d.number(1, 3)}}};
    if (d.chance(50)) call.attrs["spatial_scale"] = d.real(0.25, 1);
    return call;
}

DrawnCall shape_of(Draw& d) {
    DrawnCall call{{d.operand({.dtypes = DTypes::Any})}, {}};
    if (d.chance(50)) call.attrs["start"] = d.number(-3, 3);
    if (d.chance(50)) call.attrs["end"] = d.number(-3, 5);
    return call;
}

DrawnCall random_numbers(Draw& d, const char* first, const char* second) {
    DrawnCall call{{d.whole(DType::I64, d.chance(50) ? Shape{} : Shape{1}, 0, 1000)},
                   {{"shape", Ints(d.shape(0, 3))}, {"dtype", d.dtype(DTypes::Float)}}};
    if (d.chance(50)) call.attrs[first] = d.real(-1, 0);
    if (d.chance(50)) call.attrs[second] = d.real(0.5, 2);
    return call;
}
DrawnCall random_normal(Draw& d) { return random_numbers(d, "mean", "scale"); }
DrawnCall random_uniform(Draw& d) { return random_numbers(d, "low", "high"); }

} // namespace

Recipes pick_recipes() {
    return {
        {"argmax", Effect::Decides, arg},
        {"argmin", Effect::Decides, arg},
        {"cumsum", Effect::Sums, cumsum},
        {"gather", Effect::Moves, gather},
        {"gather_elements", Effect::Moves, gather_elements},
        {"gather_nd", Effect::Moves, gather_nd},
        {"grid_sample", Effect::Rounds, grid_sample},
        {"hardmax", Effect::Decides, hardmax},
        {"one_hot", Effect::Decides, one_hot},
        {"random_normal", Effect::Rounds, random_normal},
        {"random_uniform", Effect::Rounds, random_uniform},
        {"reverse_sequence", Effect::Moves, reverse_sequence},
        {"roi_align", Effect::Rounds, roi_align},
        {"roi_max_pool", Effect::Moves, roi_max_pool},
        {"scatter_elements", Effect::Rounds, scatter_elements},
        {"scatter_nd", Effect::Rounds, scatter_nd},
        {"shape_of", Effect::Decides, shape_of},
        {"top_k", Effect::Decides, top_k},
    };
}

} // namespace orrery::differential
