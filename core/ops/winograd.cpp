// winograd_conv2d and its filters. Y = A^T [ (G w G^T) . (B^T d B) ] A for each tile of results: the middle product is,
// for each of the extent * extent places, a matrix product of tiles by channels with channels by filters.
// WinogradStages: rows of B^T d, its columns, the products, rows of A^T m, its columns.

#include "core/ops/winograd.hpp"

#include "core/ops/family.hpp"
#include "core/ops/layout.hpp"
#include "core/ops/stage.hpp"
#include "core/ops/window.hpp"

#include <array>

namespace orrery::ops {

using namespace tensor;
using graph::AttrKind;
using graph::FusionKind;

namespace {

constexpr std::int64_t kWinogradWindow = 3;
using Row = std::vector<double>;

/// The matrices of one tile size. Source: see winograd.hpp.
struct WinogradMatrices {
    std::vector<Row> b, g, a; ///< B^T, G, A^T
};

const WinogradMatrices& winograd_matrices(std::int64_t tile) {
    static const WinogradMatrices two{{{1, 0, -1, 0}, {0, 1, 1, 0}, {0, -1, 1, 0}, {0, 1, 0, -1}},
                                      {{1, 0, 0}, {0.5, 0.5, 0.5}, {0.5, -0.5, 0.5}, {0, 0, 1}},
                                      {{1, 1, 1, 0}, {0, 1, -1, -1}}};
    static const WinogradMatrices four{
        {{4, 0, -5, 0, 1, 0},
         {0, -4, -4, 1, 1, 0},
         {0, 4, -4, -1, 1, 0},
         {0, -2, -1, 2, 1, 0},
         {0, 2, -1, -2, 1, 0},
         {0, 4, 0, -5, 0, 1}},
        {{1.0 / 4, 0, 0},
         {-1.0 / 6, -1.0 / 6, -1.0 / 6},
         {-1.0 / 6, 1.0 / 6, -1.0 / 6},
         {1.0 / 24, 1.0 / 12, 1.0 / 6},
         {1.0 / 24, -1.0 / 12, 1.0 / 6},
         {0, 0, 1}},
        {{1, 1, 1, 1, 1, 0}, {0, 1, -1, 2, -2, 0}, {0, 1, 1, 4, 4, 0}, {0, 1, -1, 8, -8, 1}}};
    return tile == 2 ? two : four;
}

// ------------------------------------------------------------------------------ rows of a matrix as expressions

using Column = std::function<Expr(std::int64_t k)>;

/// Terms added, those with a factor of one or minus one without a product.
class SumOfTerms {
  public:
    void add(double factor, const Expr& value) {
        if (factor == 0) return;
        const Expr term = std::abs(factor) == 1 ? value : value * constant(value->dtype, std::abs(factor));
        if (sum_ == nullptr)
            sum_ = factor < 0 ? constant(value->dtype, 0) - term : term;
        else
            sum_ = factor < 0 ? sum_ - term : sum_ + term;
    }
    [[nodiscard]] const Expr& value() const { return sum_; }

  private:
    Expr sum_;
};

/// What two rows of B^T have in common is a sum over even places, plus or minus one over odd places.
Expr even_and_odd(const Row& row, const Column& at) {
    std::array<SumOfTerms, 2> parts;
    std::array<double, 2> last{};
    for (std::size_t k = 0; k < row.size(); ++k)
        if (row[k] != 0) last[k % 2] = row[k];
    if (last[0] == 0 || last[1] == 0) {
        SumOfTerms alone;
        for (std::size_t k = 0; k < row.size(); ++k) alone.add(row[k], at(static_cast<std::int64_t>(k)));
        return alone.value();
    }
    // The last places are first and positive, so that rows that differ in sign share both sums.
    for (std::size_t k = row.size(); k-- > 0;)
        parts[k % 2].add(last[k % 2] < 0 ? -row[k] : row[k], at(static_cast<std::int64_t>(k)));
    SumOfTerms sum;
    for (const std::size_t part : {0, 1}) sum.add(last[part] < 0 ? -1 : 1, parts[part].value());
    return sum.value();
}

/// What rows of A^T have in common are sums and differences of the places 1 and 2, 3 and 4.
Expr in_pairs(const Row& row, const Column& at) {
    SumOfTerms sum;
    for (std::size_t k = 0; k < row.size(); ++k) {
        const auto place = static_cast<std::int64_t>(k);
        if (k == 0 || k + 1 == row.size()) {
            sum.add(row[k], at(place));
            continue;
        }
        if (row[k] != 0) sum.add(row[k], row[k] == row[k + 1] ? at(place) + at(place + 1) : at(place) - at(place + 1));
        ++k;
    }
    return sum.value();
}

/// Row `i` of a matrix times what `at` gives, whichever row that is.
Expr row_of(const std::vector<Row>& rows, const Expr& i, Expr (*form)(const Row&, const Column&), const Column& at) {
    Expr value = form(rows.back(), at);
    for (std::size_t r = rows.size() - 1; r-- > 0;)
        value = select(eq(i, imm(static_cast<std::int64_t>(r))), form(rows[r], at), value);
    return value;
}

// ------------------------------------------------------------------------------ the operator

struct WinogradLayouts {
    Layout data, out;
};

Result<WinogradLayouts> winograd_layouts(const Attrs& attrs) {
    WinogradLayouts out;
    for (auto [name, layout] : {std::pair("layout", &out.data), std::pair("out_layout", &out.out)}) {
        ORRERY_TRY(*layout, parse_layout(attrs.text(name)));
        if (layout->names() != "NCHW" || layout->inner('N') || layout->inner('H') || layout->inner('W'))
            return attr_error(std::string(name) + " is NCHW with C split or whole, not " + attrs.text(name));
    }
    return out;
}

Attrs winograd_plain_attrs(const Attrs& attrs) {
    Attrs::Map map = attrs.values();
    for (const char* name : {"layout", "out_layout", "rows", "stretch", "tile"}) map.erase(name);
    return Attrs(std::move(map));
}

Result<Type> winograd_type(const TypeRequest& request) {
    ORRERY_TRY(const TensorType x, static_operand(request, 0, DTypes::Float));
    ORRERY_TRY(const TensorType weight, ranked_operand(request, 1, 5, DTypes::Float));
    ORRERY_CHECK_OK(same_dtype(x, weight));
    ORRERY_CHECK_OK(check_stretch(request.attrs, x.dtype));
    ORRERY_TRY(const WinogradLayouts l, winograd_layouts(request.attrs));
    const std::int64_t tile = request.attrs.integer("tile", 4), extent = winograd_extent(tile);
    if (tile != 2 && tile != 4) return attr_error("a tile has an extent of 2 or 4, not " + std::to_string(tile));
    if (is_narrow_float(x.dtype) && (x.dtype != DType::F16 || tile != 2))
        return attr_error("tiles of 4, or of narrower types than f16, lose too many digits of " +
                          std::string(to_string(x.dtype)));
    if (const std::int64_t rows = request.attrs.integer("rows", 1); rows < 1 || rows > kMostProductRows)
        return attr_error("tiles go in groups of 1 to " + std::to_string(kMostProductRows) + ", not " +
                          std::to_string(rows));
    const Layout nchw = parse_layout("NCHW").value();
    ORRERY_TRY(const Shape plain, transformed_shape(graph::static_shape(x), l.data, nchw));
    const Shape w = graph::static_shape(weight);
    if (w[0] != extent || w[1] != extent || w[4] != l.out.block('C'))
        return shape_error("filters are [extent, extent, M / block, C, block] with an extent of tile + 2 and the "
                           "result's block of channels, not " +
                           graph::to_string(request.types[1]));
    if (w[2] > kMaxWindow || w[3] > kMaxWindow) return shape_error("no filters are that many");
    ORRERY_TRY(const Type filters, checked_type(x.dtype, Shape{w[2] * w[4], w[3], kWinogradWindow, kWinogradWindow}));
    ORRERY_TRY(const Type data, checked_type(x.dtype, plain));
    const std::vector<Type> types{data, filters};
    ORRERY_TRY(const Type result, graph::infer_call(op("conv2d"), types, winograd_plain_attrs(request.attrs)));
    const TensorType& out = *graph::as_tensor(result);
    ORRERY_TRY(const Shape shape, transformed_shape(graph::static_shape(out), nchw, l.out));
    return checked_type(out.dtype, shape);
}

/// The stages of one convolution. Tiles are counted row by row through the image, up to a multiple of `rows`: the last
/// one is repeated, so that products work on whole groups of tiles.
class WinogradStages {
  public:
    explicit WinogradStages(const DefineRequest& request)
        : request_(request), data_(parse_layout(request.attrs.text("layout")).value()),
          tile_(request.attrs.integer("tile", 4)), extent_(winograd_extent(tile_)), matrices_(winograd_matrices(tile_)),
          in_(request.shape(0)), out_(request.out_shape()), filters_(request.shape(1)), narrow_(request.in(0)->dtype),
          wide_type_(accumulator(request.out_dtype())), high_((out_[2] + tile_ - 1) / tile_),
          wide_((out_[3] + tile_ - 1) / tile_) {
        const std::int64_t rows = request.attrs.integer("rows", 1);
        tiles_ = (high_ * wide_ + rows - 1) / rows * rows;
    }

    [[nodiscard]] Buffer result() const {
        const Buffer sums = sums_of(products(transformed_input()));
        const DType given = request_.out_dtype();
        Names axes = nchw_names(4);
        if (out_.size() > 4) axes.emplace_back("ci");
        return compute_stage(request_.builder, {std::string(request_.name), given, out_, axes}, [&](const Indices& i) {
            const Expr inner = i.size() > 4 ? i[4] : imm(0);
            const Expr tile = floor_div(i[2], imm(tile_)) * wide_ + floor_div(i[3], imm(tile_));
            return cast(given, row_of(matrices_.a, floor_mod(i[3], imm(tile_)), in_pairs, [&](std::int64_t k) {
                            return load(sums, {i[0], i[1], tile, floor_mod(i[2], imm(tile_)), imm(k), inner});
                        }));
        });
    }

  private:
    /// B^T d B. Shape: [extent, extent, n, tile, c, channel of the block]: the channels of a tile lie side by side, as
    /// products read them.
    [[nodiscard]] Buffer transformed_input() const {
        const std::int64_t block = data_.block('C'), blocks = filters_[3] / block;
        const Ints pads = request_.attrs.ints("pads", Ints(4, 0));
        const Buffer x = pad_stage(request_.builder, request_.in(0),
                                   {.first = 2,
                                    .before = {pads[0], pads[1]},
                                    .extent = {high_ * tile_ + 2, wide_ * tile_ + 2},
                                    .value = constant(narrow_, 0)});
        const Buffer rows = stage("rows", wide_type_, {in_[0], blocks, tiles_, extent_, extent_, block},
                                  {"n", "c", "t", "i", "j", "ci"}, [&](const Indices& i) {
                                      const Expr tile =
                                          tiles_ > high_ * wide_ ? min(i[2], imm(high_ * wide_ - 1)) : i[2];
                                      return row_of(matrices_.b, i[3], even_and_odd, [&](std::int64_t k) {
                                          Indices at{i[0], i[1], floor_div(tile, imm(wide_)) * tile_ + k,
                                                     floor_mod(tile, imm(wide_)) * tile_ + i[4]};
                                          if (data_.inner('C')) at.push_back(i[5]);
                                          return cast(wide_type_, load(x, at));
                                      });
                                  });
        return stage("input", narrow_, {extent_, extent_, in_[0], tiles_, blocks, block},
                     {"i", "j", "n", "t", "c", "ci"}, [&](const Indices& i) {
                         return cast(narrow_, row_of(matrices_.b, i[1], even_and_odd, [&](std::int64_t k) {
                                         return load(rows, {i[2], i[4], i[3], i[0], imm(k), i[5]});
                                     }));
                     });
    }
    /// Shape: [extent, extent, c, n, tile, filter of the block]
    [[nodiscard]] Buffer products(const Buffer& input) const {
        const std::int64_t block = data_.block('C'), blocks = filters_[3] / block;
        const Stretches stretches = stretches_of(request_);
        return product_sum_stage(request_.builder,
                                 {"winograd_product",
                                  wide_type_,
                                  {extent_, extent_, filters_[2], in_[0], tiles_, filters_[4]},
                                  {"i", "j", "c", "n", "t", "ci"}},
                                 {.combiner = Combiner::Sum, .extents = {blocks, block}, .names = {"ic", "ii"}},
                                 stretches, [&](const Indices& i, const Indices& k) {
                                     return cast(stretches.dtype, load(input, {i[0], i[1], i[3], i[4], k[0], k[1]})) *
                                            cast(stretches.dtype,
                                                 load(request_.in(1), {i[0], i[1], i[2], k[0] * block + k[1], i[5]}));
                                 });
    }
    /// A^T m. Shape: [n, c, tile, row of the tile, extent, filter of the block]
    [[nodiscard]] Buffer sums_of(const Buffer& products) const {
        return stage("sums", wide_type_, {in_[0], filters_[2], high_ * wide_, tile_, extent_, filters_[4]},
                     {"n", "c", "t", "i", "j", "ci"}, [&](const Indices& i) {
                         return row_of(matrices_.a, i[3], in_pairs, [&](std::int64_t k) {
                             return load(products, {imm(k), i[4], i[1], i[0], i[2], i[5]});
                         });
                     });
    }
    [[nodiscard]] Buffer stage(const std::string& name, DType dtype, const Shape& shape, const Names& axes,
                               const ComputeBuilder::Body& body) const {
        return compute_stage(request_.builder, {"winograd_" + name, dtype, shape, axes}, body);
    }

    const DefineRequest& request_;
    Layout data_;
    std::int64_t tile_, extent_;
    const WinogradMatrices& matrices_;
    Shape in_, out_, filters_;
    DType narrow_, wide_type_; ///< of the operands and of sums of them
    std::int64_t high_, wide_, tiles_ = 0;
};

std::vector<Buffer> define_winograd(const DefineRequest& request) { return {WinogradStages(request).result()}; }

} // namespace

Family winograd_family() {
    return {
        {.name = "winograd_conv2d",
         .doc =
             "What conv2d computes with 3x3 windows at stride 1, in tiles of results after Winograd: with tiles of 4 a "
             "quarter of the products, with tiles of 2 four ninths. Its rounding differs from conv2d's: in f32 the "
             "root mean square of the error is less than conv2d's with tiles of 2, whose sums are shorter, and three "
             "to "
             "four times it with tiles of 4 (measured: docs/performance.md). The result is [N, M, H', W'] in "
             "`out_layout`. Errors: those of conv2d; "
             "BadShape for filters of other extents; BadAttribute for other tiles and layouts.",
         .operands = {{"x", "[N, C, H, W] in `layout`; f32, f64, or f16 in tiles of 2"},
                      {"weight",
                       "[tile + 2, tile + 2, M / block, C, block], of x's element type: the filters transformed, "
                       "`block` being the result's block of channels"}},
         .attrs = {{"layout", AttrKind::Text, true, "of x: NCHW, with C split or whole"},
                   {"out_layout", AttrKind::Text, true, "of the result, likewise"},
                   sum_dtype_attr(),
                   {"pads", AttrKind::Ints, false,
                    "elements of zero around: top, left, bottom, right; all 0 when left out"},
                   {"rows", AttrKind::Int, false,
                    "tiles are computed in multiples of that many, which changes no result; 1 when left out"},
                   sum_stretch_attr(),
                   {"tile", AttrKind::Int, false, "extent of a tile of results, 2 or 4; 4 when left out"}},
         .fusion = FusionKind::OutFusable,
         .infer = winograd_type,
         .define = define_winograd,
         .onnx_names = {"Conv"}},
    };
}

} // namespace orrery::ops
