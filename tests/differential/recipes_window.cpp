// Convolutions and pooling, in NCHW and in other layouts; the approximations that come of passes.

#include "core/ops/layout.hpp"
#include "tests/differential/recipes.hpp"

#include <algorithm>

namespace orrery::differential {

namespace {

/// [N, C, spatial...] with extents a window fits into: one that is there, or a new one.
Var image(Draw& d, std::size_t spatial, const Want& want) {
    for (int tries = 0; tries < 3; ++tries) {
        Want all = want;
        all.least_rank = all.most_rank = 2 + spatial;
        const Var x = d.operand(all);
        const Shape shape = Draw::shape_of(x);
        if (std::ranges::all_of(shape, [](std::int64_t e) { return e > 0 && e <= 33; })) return x;
    }
    Shape shape{d.number(1, 2), d.one_of<std::int64_t>({1, 2, 3, 4, 8})};
    for (std::size_t i = 0; i < spatial; ++i) shape.push_back(d.number(1, spatial == 3 ? 4 : 8));
    return d.tensor(d.dtype(want.dtypes), shape, {.exact = want.exact});
}

/// Strides, dilations and pads for windows of `kernel` (whose extents are reduced until they fit into `shape`).
void add_windows(Draw& d, DrawnCall& call, const Shape& shape, Ints& kernel, bool narrow_pads) {
    Ints strides, dilations, before, after;
    for (std::size_t i = 0; i < kernel.size(); ++i) {
        strides.push_back(d.one_of<std::int64_t>({1, 1, 1, 2, 3}));
        dilations.push_back(d.one_of<std::int64_t>({1, 1, 1, 2}));
        const std::int64_t most = narrow_pads ? (kernel[i] - 1) * dilations[i] : 2;
        before.push_back(d.chance(50) ? 0 : d.number(0, std::max<std::int64_t>(most, 0)));
        after.push_back(d.chance(60) ? before[i] : d.number(0, std::max<std::int64_t>(most, 0)));
        while ((kernel[i] - 1) * dilations[i] + 1 > shape[2 + i] + before[i] + after[i]) {
            --kernel[i];
            if (narrow_pads)
                before[i] = std::min(before[i], (kernel[i] - 1) * dilations[i]),
                after[i] = std::min(after[i], (kernel[i] - 1) * dilations[i]);
        }
    }
    if (d.chance(70)) call.attrs["strides"] = strides;
    Ints pads = before;
    pads.insert(pads.end(), after.begin(), after.end());
    call.attrs["pads"] = pads;
    call.attrs["dilations"] = dilations;
}

std::int64_t divisor(Draw& d, std::int64_t channels) {
    if (d.chance(60)) return 1;
    std::int64_t groups = d.chance(50) ? channels : d.number(1, channels);
    while (channels % groups != 0) --groups;
    return groups;
}

Ints some_kernel(Draw& d, std::size_t spatial) {
    Ints kernel;
    for (std::size_t i = 0; i < spatial; ++i) kernel.push_back(d.number(1, spatial == 3 ? 2 : 3));
    return kernel;
}

/// What elements outside count as.
void draw_border(Draw& d, DrawnCall& call) {
    if (const DType dtype = Draw::dtype_of(call.args.front()); is_byte(dtype) && d.chance(40))
        call.attrs["border"] = d.number(dtype == DType::I8 ? -128 : 0, 127);
}

template <std::size_t Spatial> DrawnCall conv(Draw& d) {
    const Var x = image(d, Spatial, {});
    const Shape in = Draw::shape_of(x);
    const std::int64_t groups = divisor(d, in[1]);
    Ints kernel = some_kernel(d, Spatial);
    DrawnCall call{{x}, {}};
    add_windows(d, call, in, kernel, false);
    Shape weight{groups * d.one_of<std::int64_t>({1, 2, 3, 8}), in[1] / groups};
    weight.insert(weight.end(), kernel.begin(), kernel.end());
    draw_sum_dtype(d, call);
    draw_border(d, call);
    call.args.push_back(d.tensor(factor_dtype(d, call), weight));
    if (groups > 1 || d.chance(20)) call.attrs["groups"] = groups;
    return call;
}

DrawnCall conv_transpose(Draw& d) {
    const auto spatial = static_cast<std::size_t>(d.number(1, 2));
    const Var x = image(d, spatial, {});
    const Shape in = Draw::shape_of(x);
    const std::int64_t groups = divisor(d, in[1]);
    Shape weight{in[1], d.number(1, 3)};
    Ints strides, extra;
    for (std::size_t i = 0; i < spatial; ++i) {
        weight.push_back(d.number(1, 4));
        strides.push_back(d.number(1, 3));
        extra.push_back(d.number(0, strides[i] - 1));
    }
    DrawnCall call{{x, d.tensor(Draw::dtype_of(x), weight)}, {{"strides", strides}}};
    if (d.chance(40)) call.attrs["output_padding"] = extra;
    if (d.chance(40)) call.attrs["dilations"] = Ints(spatial, d.number(1, 2));
    if (d.chance(40)) { // only as much as leaves something
        Ints pads(2 * spatial, 0);
        for (std::size_t i = 0; i < spatial; ++i)
            if (weight[2 + i] > 1 && in[2 + i] > 1) pads[i] = 1;
        call.attrs["pads"] = pads;
    }
    if (groups > 1 || d.chance(20)) call.attrs["groups"] = groups;
    return call;
}

/// How many windows there are along each spatial axis. Pre: those of add_windows.
Shape counts(const DrawnCall& call, const Shape& image, const Ints& kernel) {
    const Ints strides =
        call.attrs.contains("strides") ? std::get<Ints>(call.attrs.at("strides")) : Ints(kernel.size(), 1);
    const Ints &dilations = std::get<Ints>(call.attrs.at("dilations")), &pads = std::get<Ints>(call.attrs.at("pads"));
    Shape out;
    for (std::size_t i = 0; i < kernel.size(); ++i)
        out.push_back(
            (image[2 + i] + pads[i] + pads[kernel.size() + i] - (kernel[i] - 1) * dilations[i] - 1) / strides[i] + 1);
    return out;
}

DrawnCall col2im(Draw& d) {
    const auto spatial = static_cast<std::size_t>(d.number(1, 2));
    Shape image{d.number(1, 2), d.number(1, 3)};
    for (std::size_t i = 0; i < spatial; ++i) image.push_back(d.number(2, 7));
    Ints kernel = some_kernel(d, spatial);
    DrawnCall call{{}, {}};
    add_windows(d, call, image, kernel, false);
    call.attrs["kernel"] = kernel;
    call.attrs["image"] = Ints(image.begin() + 2, image.end());
    call.args = {d.tensor(d.dtype(DTypes::Number),
                          {image[0], image[1] * element_count(kernel), element_count(counts(call, image, kernel))})};
    return call;
}

DrawnCall deform_columns(Draw& d) {
    const DType dtype = d.dtype(DTypes::WideFloat);
    const std::int64_t groups = d.number(1, 2);
    const Shape image{d.number(1, 2), groups * d.number(1, 2), d.number(2, 6), d.number(2, 6)};
    Ints kernel = some_kernel(d, 2);
    DrawnCall call{{d.tensor(dtype, image)}, {}};
    add_windows(d, call, image, kernel, false);
    call.attrs["kernel"] = kernel;
    if (groups > 1 || d.chance(30)) call.attrs["groups"] = groups;
    const Shape out = counts(call, image, kernel);
    const std::int64_t taps = groups * element_count(kernel);
    // Where a tap lies between pixels is exact for offsets of its own.
    call.args.push_back(d.tensor(dtype, {image[0], 2 * taps, out[0], out[1]}, {.strict = true}));
    if (d.chance(50)) call.args.push_back(d.tensor(dtype, {image[0], taps, out[0], out[1]}));
    return call;
}

template <DTypes Set, bool Exact = false> DrawnCall pool(Draw& d) {
    const auto spatial = static_cast<std::size_t>(d.one_of({1, 2, 2, 2, 3}));
    const Var x = image(d, spatial, {.dtypes = Set, .exact = Exact});
    Ints kernel = some_kernel(d, spatial);
    DrawnCall call{{x}, {}};
    add_windows(d, call, Draw::shape_of(x), kernel, true);
    call.attrs["kernel"] = kernel;
    if (d.chance(40)) call.attrs["ceil"] = d.chance(60);
    return call;
}
DrawnCall avg_pool(Draw& d) {
    DrawnCall call = pool<DTypes::Float>(d);
    if (d.chance(50)) call.attrs["count_include_pad"] = d.chance(50);
    return call;
}
DrawnCall lp_pool(Draw& d) {
    DrawnCall call = pool<DTypes::Float>(d);
    if (d.chance(60)) call.attrs["p"] = d.number(1, 3);
    return call;
}
DrawnCall max_pool_with_indices(Draw& d) {
    DrawnCall call = pool<DTypes::Number, true>(d);
    if (d.chance(40)) call.attrs["column_major"] = d.chance(50);
    return call;
}

// ------------------------------------------------------------------------------ layouts

/// A layout of N, C, H, W whose channels are whole or in blocks of two.
std::string some_layout(Draw& d, std::int64_t block) {
    if (block == 4) return "NCHW4c";
    if (block == 2) return d.word({"NCHW2c", "NHWC2c"});
    return d.word({"NCHW", "NHWC", "CHWN"});
}
Var laid_out(Draw& d, DType dtype, const Shape& plain, const std::pair<std::string, std::string>& layouts) {
    return d.tensor(dtype, ops::transformed_shape(plain, ops::parse_layout(layouts.first).value(),
                                                  ops::parse_layout(layouts.second).value())
                               .value());
}
Shape some_image(Draw& d) {
    return {d.number(1, 2), d.one_of<std::int64_t>({2, 4, 8}), d.number(1, 8), d.number(1, 8)};
}

DrawnCall layout_transform(Draw& d) {
    const std::string from = some_layout(d, d.number(1, 2)), to = some_layout(d, d.number(1, 2));
    return {{laid_out(d, d.dtype(DTypes::Number), some_image(d), {"NCHW", from})}, {{"from", from}, {"to", to}}};
}

DrawnCall layout_conv2d(Draw& d) {
    const Shape image = some_image(d);
    const bool depthwise = d.chance(30);
    // Blocks of four are those that weights may be in parts of.
    const std::int64_t groups = depthwise ? image[1] : 1,
                       in_block = !depthwise && image[1] % 4 == 0 && d.chance(30) ? 4 : d.number(1, 2);
    const std::int64_t out_block = depthwise ? in_block == 2 ? 2 : d.number(1, 2) : d.chance(20) ? 4 : d.number(1, 2);
    const std::string data = some_layout(d, in_block), out = some_layout(d, out_block);
    Ints kernel = some_kernel(d, 2);
    DrawnCall call;
    add_windows(d, call, image, kernel, false);
    const Shape filters{depthwise ? image[1] : std::max<std::int64_t>(out_block, 2) * d.number(1, 3), image[1] / groups,
                        kernel[0], kernel[1]};
    std::string weight = d.word({"OIHW", "HWIO"});
    const bool shuffled = !depthwise && d.chance(30); // channels in two parts, whose number weights are split by
    if ((in_block >= 2 || shuffled) && !depthwise && d.chance(70)) weight += "2i";
    if (out_block >= 2 && d.chance(70)) weight += "2o";
    call.args = {laid_out(d, d.chance(30) ? DType::F16 : d.dtype(DTypes::Number), image, {"NCHW", data})};
    draw_sum_dtype(d, call);
    draw_stretch(d, call);
    draw_border(d, call);
    call.args.push_back(laid_out(d, factor_dtype(d, call), filters, {"OIHW", weight}));
    if (groups > 1 || d.chance(20)) call.attrs["groups"] = groups;
    call.attrs["layout"] = data;
    call.attrs["out_layout"] = out;
    if (d.chance(30)) call.attrs["rows"] = d.number(1, 6);
    if (shuffled) call.attrs["shuffle"] = std::int64_t{2};
    call.attrs["weight_layout"] = weight;
    return call;
}

DrawnCall layout_conv_transpose(Draw& d) {
    const Shape image = some_image(d);
    const std::int64_t groups = image[1] >= 4 && d.chance(30) ? 2 : 1;
    const std::int64_t in_block = d.number(1, 2), out_block = d.number(1, 2), filters = 2 * groups * d.number(1, 3);
    Ints strides, kernel, extra, pads(4, 0);
    Shape weight{1, filters / out_block, image[1] / groups / in_block};
    for (std::size_t i = 0; i < 2; ++i) {
        strides.push_back(d.number(1, 3));
        kernel.push_back(d.number(strides[i], 4));
        extra.push_back(d.number(0, strides[i] - 1));
        weight[0] *= strides[i];
        weight.push_back((kernel[i] + strides[i] - 1) / strides[i]);
        // Only as much as leaves something.
        if (image[2 + i] > 2 || kernel[i] > 2) pads[i] = d.number(0, 1);
        if (image[2 + i] > 2 || kernel[i] > 2) pads[2 + i] = d.number(0, 1);
    }
    if (in_block > 1) weight.push_back(in_block);
    if (out_block > 1) weight.push_back(out_block);
    const DType dtype = d.dtype(DTypes::Number);
    DrawnCall call;
    const std::string data = in_block == 2 ? "NCHW2c" : "NCHW", out = out_block == 2 ? "NCHW2c" : "NCHW";
    call.attrs["layout"] = data;
    call.args = {laid_out(d, dtype, image, {"NCHW", data}), d.tensor(dtype, weight)};
    call.attrs["out_layout"] = out;
    call.attrs["kernel"] = kernel;
    call.attrs["strides"] = strides;
    if (groups > 1 || d.chance(20)) call.attrs["groups"] = groups;
    if (d.chance(50)) call.attrs["output_padding"] = extra;
    if (d.chance(70)) call.attrs["pads"] = pads;
    return call;
}

DrawnCall winograd(Draw& d) {
    const Shape image = some_image(d);
    const DType dtype = d.chance(30) ? DType::F16 : d.dtype(DTypes::WideFloat);
    const std::int64_t tile = dtype == DType::F16 ? 2 : d.one_of<std::int64_t>({2, 4}), out_block = d.number(1, 2);
    const std::string data = d.word({"NCHW", "NCHW2c"}), out = out_block == 2 ? "NCHW2c" : "NCHW";
    const Shape filters{tile + 2, tile + 2, d.number(1, 3), image[1], out_block};
    DrawnCall call;
    call.args = {laid_out(d, dtype, image, {"NCHW", data}), d.tensor(dtype, filters)};
    call.attrs["layout"] = data;
    call.attrs["out_layout"] = out;
    call.attrs["tile"] = tile;
    draw_sum_dtype(d, call);
    draw_stretch(d, call);
    if (d.chance(50)) call.attrs["rows"] = d.number(1, 6);
    call.attrs["pads"] = Ints{d.number(1, 2), d.number(1, 2), d.number(1, 2), d.number(1, 2)};
    return call;
}

template <DTypes Set> DrawnCall layout_pool(Draw& d) {
    const Shape image = some_image(d);
    const std::string layout = some_layout(d, d.number(1, 2));
    Ints kernel = some_kernel(d, 2);
    DrawnCall call;
    add_windows(d, call, image, kernel, true);
    call.args = {laid_out(d, d.dtype(Set), image, {"NCHW", layout})};
    call.attrs["kernel"] = kernel;
    call.attrs["layout"] = layout;
    if (d.chance(40)) call.attrs["ceil"] = d.chance(60);
    return call;
}
DrawnCall layout_avg_pool(Draw& d) {
    DrawnCall call = layout_pool<DTypes::Float>(d);
    if (d.chance(50)) call.attrs["count_include_pad"] = d.chance(50);
    return call;
}

DrawnCall layout_lrn(Draw& d) {
    const Shape image = some_image(d);
    const std::string layout = some_layout(d, image[1] % 4 == 0 && d.chance(40) ? 4 : d.number(1, 2));
    DrawnCall call{{laid_out(d, d.dtype(DTypes::Float), image, {"NCHW", layout})}, {{"layout", layout}}};
    call.attrs["size"] = d.chance(10) ? 11 : d.number(1, 6);
    if (d.chance(50)) call.attrs["alpha"] = d.real(0.0625, 1);
    if (d.chance(50)) call.attrs["beta"] = d.one_of({0.75, 0.5, 1.0});
    if (d.chance(50)) call.attrs["bias"] = d.real(1, 2);
    return call;
}

DrawnCall approximated(Draw& d) { return {{d.operand({.dtypes = DTypes::Float})}, {}}; }

} // namespace

Recipes window_recipes() {
    return {
        {"avg_pool", Effect::Sums, avg_pool},
        {"col2im", Effect::Sums, col2im},
        {"conv1d", Effect::Sums, conv<1>},
        {"conv2d", Effect::Sums, conv<2>},
        {"conv3d", Effect::Sums, conv<3>},
        {"conv_transpose", Effect::Sums, conv_transpose},
        {"deform_columns", Effect::Rounds, deform_columns},
        {"fast_erf", Effect::Rounds, approximated},
        {"fast_gelu", Effect::Rounds, approximated},
        {"fast_sigmoid", Effect::Rounds, approximated},
        {"fast_tanh", Effect::Rounds, approximated},
        {"layout_avg_pool", Effect::Sums, layout_avg_pool},
        {"layout_conv2d", Effect::Sums, layout_conv2d},
        {"layout_conv_transpose", Effect::Sums, layout_conv_transpose},
        {"layout_lrn", Effect::Sums, layout_lrn},
        {"layout_max_pool", Effect::Moves, layout_pool<DTypes::Number>},
        {"layout_transform", Effect::Moves, layout_transform},
        {"lp_pool", Effect::Sums, lp_pool},
        {"max_pool", Effect::Moves, pool<DTypes::Number>},
        {"max_pool_with_indices", Effect::Decides, max_pool_with_indices},
        {"winograd_conv2d", Effect::Sums, winograd},
    };
}

} // namespace orrery::differential
