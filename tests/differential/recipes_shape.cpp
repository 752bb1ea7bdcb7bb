// Operators that move elements.

#include "tests/differential/recipes.hpp"

#include <algorithm>
#include <numeric>

namespace orrery::differential {

namespace {

Var anything(Draw& d, std::size_t least_rank = 0) {
    return d.operand({.dtypes = DTypes::Any, .least_rank = least_rank});
}

Ints ones(std::size_t count) { return Ints(count, 1); }

/// Splits, joins, adds and drops dimensions.
Shape regrouped(Draw& d, Shape shape) {
    for (std::int64_t edits = d.number(1, 3); edits > 0; --edits) {
        const auto rank = static_cast<std::int64_t>(shape.size());
        const std::int64_t at = rank == 0 ? 0 : d.number(0, rank - 1);
        switch (d.number(0, 3)) {
        case 0: // join
            if (at + 1 < rank) {
                shape[static_cast<std::size_t>(at)] *= shape[static_cast<std::size_t>(at) + 1];
                shape.erase(shape.begin() + at + 1);
            }
            break;
        case 1: // split
            for (std::int64_t factor : {2, 3, 4, 8})
                if (rank > 0 && rank < 5 && shape[static_cast<std::size_t>(at)] % factor == 0 && d.chance(50)) {
                    shape[static_cast<std::size_t>(at)] /= factor;
                    shape.insert(shape.begin() + at + d.number(0, 1), factor);
                    break;
                }
            break;
        case 2:
            if (rank < 5) shape.insert(shape.begin() + at, 1);
            break;
        default: std::erase(shape, 1);
        }
    }
    return shape;
}

DrawnCall reshape(Draw& d) {
    const Var x = anything(d);
    Ints shape = regrouped(d, Draw::shape_of(x));
    if (!shape.empty() && element_count(shape) > 0 && d.chance(25))
        shape[static_cast<std::size_t>(d.number(0, static_cast<std::int64_t>(shape.size()) - 1))] = -1;
    return {{x}, {{"shape", shape}}};
}

DrawnCall transpose(Draw& d) {
    const Var x = anything(d);
    Ints perm(Draw::rank_of(x));
    std::iota(perm.begin(), perm.end(), 0);
    for (std::size_t i = perm.size(); i > 1; --i)
        std::swap(perm[i - 1], perm[static_cast<std::size_t>(d.number(0, static_cast<std::int64_t>(i) - 1))]);
    return {{x}, {{"perm", perm}}};
}

DrawnCall broadcast_to(Draw& d) {
    const Var x = anything(d);
    Ints shape = Draw::shape_of(x);
    for (std::int64_t& e : shape)
        if (e == 1 && d.chance(70)) e = d.number(1, 5);
    while (shape.size() < 4 && d.chance(40)) shape.insert(shape.begin(), d.number(1, 3));
    return {{x}, {{"shape", shape}}};
}

DrawnCall concat(Draw& d) {
    const Var x = anything(d, 1);
    const std::int64_t axis = d.axis(Draw::rank_of(x));
    DrawnCall call{{x}, {{"axis", axis}}};
    for (std::int64_t more = d.number(0, 2); more > 0; --more) {
        Shape shape = Draw::shape_of(x);
        const auto at = static_cast<std::size_t>(axis < 0 ? axis + static_cast<std::int64_t>(shape.size()) : axis);
        if (d.chance(60)) shape[at] = d.number(1, 4);
        call.args.push_back(d.tensor(Draw::dtype_of(x), shape));
    }
    return call;
}

DrawnCall slice(Draw& d) {
    const Var x = anything(d);
    Ints begins, sizes, steps;
    for (std::int64_t extent : Draw::shape_of(x)) {
        if (extent == 0 || d.chance(40)) { // all of it
            begins.push_back(0);
            sizes.push_back(extent);
            steps.push_back(1);
            continue;
        }
        const std::int64_t step = d.one_of<std::int64_t>({1, 1, 2, 3, -1, -2}), begin = d.number(0, extent - 1);
        const std::int64_t room = step > 0 ? extent - 1 - begin : begin;
        begins.push_back(begin);
        steps.push_back(step);
        sizes.push_back(d.number(d.chance(3) ? 0 : 1, room / std::abs(step) + 1));
    }
    DrawnCall call{{x}, {{"begins", begins}, {"sizes", sizes}}};
    if (steps != ones(steps.size()) || d.chance(50)) call.attrs["steps"] = steps;
    return call;
}

DrawnCall pad(Draw& d) {
    const Var x = anything(d);
    const std::string mode = d.word({"constant", "constant", "reflect", "edge", "wrap"});
    Ints before, after;
    for (std::int64_t extent : Draw::shape_of(x)) {
        const bool stays = (extent == 0 && mode != "constant") || d.chance(40);
        before.push_back(stays ? 0 : d.number(extent > 2 ? -1 : 0, 3));
        after.push_back(stays ? 0 : d.number(extent > 2 ? -1 : 0, 3));
    }
    DrawnCall call{{x}, {{"before", before}, {"after", after}}};
    if (mode != "constant" || d.chance(50)) call.attrs["mode"] = mode;
    if (d.chance(50)) call.args.push_back(d.tensor(Draw::dtype_of(x), d.chance(50) ? Shape{} : Shape{1}));
    return call;
}

DrawnCall tile(Draw& d) {
    const Var x = anything(d);
    Ints repeats;
    for (std::size_t i = 0; i < Draw::rank_of(x); ++i) repeats.push_back(d.one_of<std::int64_t>({1, 1, 2, 3}));
    return {{x}, {{"repeats", repeats}}};
}

DrawnCall trilu(Draw& d) {
    DrawnCall call{{anything(d, 2)}, {}};
    if (d.chance(70)) call.attrs["upper"] = d.chance(50);
    if (d.chance(70)) call.attrs["k"] = d.number(-3, 3);
    return call;
}

/// [N, C, H, W] with C or H and W multiples of a block.
DrawnCall blocks(Draw& d, bool to_space) {
    const std::int64_t block = d.number(1, 3);
    const Shape shape = to_space
                            ? Shape{d.number(1, 2), block * block * d.number(1, 3), d.number(1, 4), d.number(1, 4)}
                            : Shape{d.number(1, 2), d.number(1, 3), block * d.number(1, 4), block * d.number(1, 4)};
    return {{d.tensor(d.dtype(DTypes::Any), shape)}, {{"block", block}}};
}
DrawnCall depth_to_space(Draw& d) {
    DrawnCall call = blocks(d, true);
    if (d.chance(50)) call.attrs["column_row"] = d.chance(50);
    return call;
}
DrawnCall space_to_depth(Draw& d) { return blocks(d, false); }

DrawnCall resize(Draw& d) {
    const std::string mode = d.word({"nearest", "linear", "cubic"});
    const Var x = d.operand({.dtypes = mode == "nearest" ? DTypes::Number : DTypes::Float, .least_rank = 1});
    const Shape in = Draw::shape_of(x);
    Ints sizes;
    Floats scales;
    std::int64_t changed = 0; // a model resizes two axes, rarely three
    for (std::int64_t extent : in) {
        const bool stays = extent == 0 || changed == 2 || d.chance(50);
        const double scale = stays ? 1 : d.one_of({0.5, 2.0, 1.5, 3.0, 0.75});
        changed += stays ? 0 : 1;
        sizes.push_back(std::max<std::int64_t>(extent == 0 ? 0 : 1,
                                               static_cast<std::int64_t>(static_cast<double>(extent) * scale)));
        scales.push_back(scale);
    }
    DrawnCall call{{x}, {{"sizes", sizes}, {"scales", scales}, {"mode", mode}}};
    const std::string coordinates = d.word({"half_pixel", "half_pixel_symmetric", "pytorch_half_pixel", "align_corners",
                                            "asymmetric", "tf_half_pixel_for_nn", "tf_crop_and_resize"});
    call.attrs["coordinates"] = coordinates;
    // Positions that are rounded to a neighbour must be exact: only halves and doubles of whole numbers are.
    if (mode == "nearest" && coordinates != "asymmetric") call.attrs["coordinates"] = std::string("half_pixel");
    if (mode == "nearest")
        call.attrs["rounding"] = d.word({"round_prefer_floor", "round_prefer_ceil", "floor", "ceil"});
    if (std::get<std::string>(call.attrs["coordinates"]) == "tf_crop_and_resize") {
        Floats roi(2 * in.size());
        for (std::size_t i = 0; i < in.size(); ++i)
            roi[i] = d.real(0.0625, 0.25), roi[in.size() + i] = d.real(0.5, 0.9375);
        call.attrs["roi"] = roi;
        call.attrs["extrapolation"] = d.real(-2, 2);
    }
    if (mode == "cubic" && d.chance(50)) call.attrs["cubic_a"] = -0.5;
    if (mode != "nearest" && d.chance(30)) call.attrs["antialias"] = d.chance(50);
    if (mode == "cubic" && d.chance(30)) call.attrs["exclude_outside"] = d.chance(50);
    return call;
}

} // namespace

Recipes shape_recipes() {
    return {
        {"broadcast_to", Effect::Moves, broadcast_to},
        {"concat", Effect::Moves, concat},
        {"depth_to_space", Effect::Moves, depth_to_space},
        {"pad", Effect::Moves, pad},
        {"reshape", Effect::Moves, reshape},
        {"resize", Effect::Sums, resize},
        {"slice", Effect::Moves, slice},
        {"space_to_depth", Effect::Moves, space_to_depth},
        {"tile", Effect::Moves, tile},
        {"transpose", Effect::Moves, transpose},
        {"trilu", Effect::Moves, trilu},
    };
}

} // namespace orrery::differential
