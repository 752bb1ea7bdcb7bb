#include "core/ops/family.hpp"
#include "core/ops/stage.hpp"
#include "core/ops/winograd.hpp"

#include <algorithm>

namespace orrery::ops {

using namespace tensor;
using graph::AttrKind;
using graph::FusionKind;

namespace {

/// [batch..., rows, columns] of an operand, with a vector made a matrix and the transposition undone.
struct Matrix {
    Dims batch;
    Dim rows = 1, columns = 1;
};

enum class Side : std::uint8_t { Left, Right };

Matrix as_matrix(const TensorType& type, Side side, bool transposed) {
    Matrix m;
    const std::size_t rank = type.dims.size();
    if (rank == 1) {
        (side == Side::Left ? m.columns : m.rows) = type.dims[0];
        return m;
    }
    m.batch.assign(type.dims.begin(), type.dims.end() - 2);
    m.rows = type.dims[rank - (transposed ? 1 : 2)];
    m.columns = type.dims[rank - (transposed ? 2 : 1)];
    return m;
}

Result<Type> matmul_type(const TypeRequest& request) {
    ORRERY_TRY(const TensorType a, operand(request, 0, DTypes::Number));
    ORRERY_TRY(const TensorType b, operand(request, 1, DTypes::Number));
    ORRERY_CHECK_OK(check_factors(a, b, request.attrs));
    if (a.dims.empty() || b.dims.empty()) return shape_error("a matrix product takes tensors of one dimension or more");
    const Matrix left = as_matrix(a, Side::Left, request.attrs.flag("transpose_a")),
                 right = as_matrix(b, Side::Right, request.attrs.flag("transpose_b"));
    if (!(left.columns == right.rows))
        return shape_error("matrices do not fit: " + graph::to_string(request.types[0]) + " and " +
                           graph::to_string(request.types[1]));
    if (!left.columns.is_static())
        return shape_error("the summed dimension must be static: " + graph::to_string(request.types[0]));
    ORRERY_TRY(Dims dims, broadcast(left.batch, right.batch));
    if (a.dims.size() > 1) dims.push_back(left.rows);
    if (b.dims.size() > 1) dims.push_back(right.columns);
    ORRERY_TRY(const DType dtype, sum_dtype(request.attrs, a.dtype));
    return checked_type(dtype, dims);
}

/// Indices of an operand at batch `out`, row and column.
Indices matrix_indices(const Shape& shape, const Indices& batch, const Shape& batch_shape, const Expr& outer,
                       const Expr& inner) {
    if (shape.size() == 1) return {inner};
    Indices at = broadcast_indices({shape.begin(), shape.end() - 2}, batch, batch_shape);
    at.push_back(outer);
    at.push_back(inner);
    return at;
}

std::vector<Buffer> define_matmul(const DefineRequest& request) {
    const Buffer &a = request.in(0), &b = request.in(1);
    const Shape left = request.shape(0), right = request.shape(1), out = request.out_shape();
    const bool rows = left.size() > 1, columns = right.size() > 1;
    const bool transpose_a = rows && request.attrs.flag("transpose_a"),
               transpose_b = columns && request.attrs.flag("transpose_b");
    const std::size_t batch = out.size() - (rows ? 1 : 0) - (columns ? 1 : 0);
    const std::int64_t depth = rows ? left[left.size() - (transpose_a ? 2 : 1)] : left[0];
    Names axes;
    for (std::size_t i = 0; i < batch; ++i) axes.push_back(batch == 1 ? "b" : "b" + std::to_string(i));
    if (rows) axes.emplace_back("i");
    if (columns) axes.emplace_back("j");
    const DType wide = accumulator(request.out_dtype());
    return {reduce_stage(
        request.builder, {std::string(request.name), request.out_dtype(), out, axes},
        {.combiner = Combiner::Sum, .extents = {depth}, .names = {"k"}}, [&](const Indices& i, const Indices& k) {
            const Indices at_batch(i.begin(), i.begin() + static_cast<std::ptrdiff_t>(batch));
            const Shape batch_shape(out.begin(), out.begin() + static_cast<std::ptrdiff_t>(batch));
            const Expr row = rows ? i[batch] : imm(0), column = columns ? i.back() : imm(0);
            const Expr x = load(a, transpose_a ? matrix_indices(left, at_batch, batch_shape, k[0], row)
                                               : matrix_indices(left, at_batch, batch_shape, row, k[0]));
            const Expr y =
                load(b, transpose_b || !columns ? matrix_indices(right, at_batch, batch_shape, column, k[0])
                                                : matrix_indices(right, at_batch, batch_shape, k[0], column));
            return cast(wide, x) * cast(wide, y);
        })};
}

// ------------------------------------------------------------------------------ layout_matmul

/// How a matrix b lies: in panels of that many columns, rows of it in parts whose elements follow each other.
struct Panels {
    std::int64_t columns = 1; ///< 1 for as matmul takes it
    std::int64_t part = 1;    ///< rows
};

/// How many dimensions a matrix in panels has.
std::size_t panel_rank(const Panels& panels) { return panels.columns == 1 ? 2 : panels.part == 1 ? 3 : 4; }

/// The plain type of b. Matrices in panels are [batch..., N / columns, K, columns], or [batch..., N / columns, K /
/// part, columns, part].
Result<Type> plain_right(const TypeRequest& request, const Panels& panels) {
    ORRERY_TRY(const TensorType b, static_operand(request, 1, DTypes::Number));
    if (panels.columns == 1) return Type(request.types[1]);
    const Shape shape = graph::static_shape(b);
    const bool parts = panels.part > 1;
    const std::string columns = std::to_string(panels.columns), part = std::to_string(panels.part);
    const std::size_t rank = panel_rank(panels), batch = shape.size() < rank ? 0 : shape.size() - rank;
    if (shape.size() < rank || shape[batch + 2] != panels.columns || (parts && shape[batch + 3] != panels.part))
        return shape_error("a matrix in panels of " + columns + " columns is [batch..., N / " + columns + ", K" +
                           (parts ? " / " + part : "") + ", " + columns + (parts ? ", " + part : "") + "], not " +
                           graph::to_string(request.types[1]));
    if (shape[batch] > kMaxTensorBytes / panels.columns || shape[batch + 1] > kMaxTensorBytes / panels.part)
        return shape_error("no machine holds so large a matrix");
    Shape plain(shape.begin(), shape.begin() + static_cast<std::ptrdiff_t>(batch));
    plain.insert(plain.end(), {shape[batch + 1] * panels.part, shape[batch] * panels.columns});
    return checked_type(b.dtype, plain);
}

Result<Type> layout_matmul_type(const TypeRequest& request) {
    constexpr std::int64_t kWidestPanel = 65536; // our choice: far beyond any vector
    ORRERY_TRY(const TensorType a, static_operand(request, 0, DTypes::Number));
    const std::int64_t rows = request.attrs.integer("rows", 1), panel = request.attrs.integer("panel", 1),
                       part = request.attrs.integer("part", 1), columns = request.attrs.integer("columns", 1);
    if (rows < 1 || rows > kMostProductRows)
        return attr_error("rows go in groups of 1 to " + std::to_string(kMostProductRows) + ", not " +
                          std::to_string(rows));
    if (columns < 1 || columns > kMostProductRows || (columns > 1 && panel > 1))
        return attr_error("columns of a matrix that is not in panels go in groups of 1 to " +
                          std::to_string(kMostProductRows) + ", not " + std::to_string(columns));
    if (panel < 1 || panel > kWidestPanel)
        return attr_error("panels have 1 to " + std::to_string(kWidestPanel) + " columns, not " +
                          std::to_string(panel));
    if (part < 1 || part > kWidestPanel || (part > 1 && panel == 1))
        return attr_error("rows of a matrix in panels go in parts of 1 to " + std::to_string(kWidestPanel) + ", not " +
                          std::to_string(part));
    ORRERY_CHECK_OK(check_stretch(request.attrs, a.dtype));
    ORRERY_TRY(const Type right, plain_right(request, {panel, part}));
    if (a.dims.size() < 2 || graph::as_tensor(right)->dims.size() < 2)
        return shape_error("a product in panels takes matrices");
    const std::vector<Type> types{request.types[0], right};
    Attrs::Map plain = request.attrs.values();
    std::erase_if(plain, [](const auto& attr) { return attr.first != sum_dtype_attr().name; });
    return graph::infer_call(op("matmul"), types, Attrs(std::move(plain)));
}

/// Where a row stands that is counted through all dimensions of `lead`.
Indices counted_through(const Expr& row, const Shape& lead) {
    const auto long_ones = std::ranges::count_if(lead, [](std::int64_t extent) { return extent > 1; });
    if (long_ones > 1) return unflatten(row, lead);
    Indices at;
    for (const std::int64_t extent : lead) at.push_back(extent > 1 ? row : imm(0));
    return at;
}

/// Rows are counted through all dimensions before the last where b is one matrix, up to a multiple of `rows`: the last
/// one is repeated, so that products work on whole groups of rows; and so are columns, up to a multiple of `columns`.
/// Then the result as matmul lays it out.
std::vector<Buffer> define_layout_matmul(const DefineRequest& request) {
    const Buffer &a = request.in(0), &b = request.in(1);
    const Shape left = request.shape(0), right = request.shape(1), out = request.out_shape();
    const std::int64_t multiple = request.attrs.integer("rows", 1), panel = request.attrs.integer("panel", 1),
                       part = request.attrs.integer("part", 1);
    const std::size_t rank = panel_rank({panel, part});
    const bool one_matrix = right.size() == rank;
    const std::size_t batch = one_matrix ? 0 : out.size() - 2;
    const Shape lead(out.begin() + static_cast<std::ptrdiff_t>(batch), out.end() - 1),
        batch_shape(out.begin(), out.begin() + static_cast<std::ptrdiff_t>(batch));
    std::int64_t rows = 1;
    for (const std::int64_t extent : lead) rows *= extent;
    Shape shape = batch_shape;
    Names names, axes;
    for (std::size_t i = 0; i < batch; ++i) names.push_back(batch == 1 ? "b" : "b" + std::to_string(i));
    axes = names;
    for (std::size_t i = 0; i < lead.size(); ++i)
        axes.push_back(i + 1 == lead.size() ? "i" : lead.size() == 2 ? "b" : "b" + std::to_string(i));
    axes.emplace_back("j");
    names.emplace_back("i");
    shape.push_back((rows + multiple - 1) / multiple * multiple);
    for (const char* name : panel > 1 ? std::vector{"p", "j"} : std::vector{"j"}) names.emplace_back(name);
    if (panel > 1) shape.push_back(right[right.size() - rank]);
    const std::int64_t group = request.attrs.integer("columns", 1);
    shape.push_back(panel > 1 ? panel : (out.back() + group - 1) / group * group);
    const Stretches stretches = stretches_of(request);
    const Buffer sums = product_sum_stage(
        request.builder, {std::string(request.name), request.out_dtype(), shape, names},
        {.combiner = Combiner::Sum, .extents = {left.back()}, .names = {"k"}}, stretches,
        [&](const Indices& i, const Indices& k) {
            const Indices at_batch(i.begin(), i.begin() + static_cast<std::ptrdiff_t>(batch));
            const Expr row = shape[batch] > rows ? min(i[batch], imm(rows - 1)) : i[batch];
            Indices x =
                one_matrix ? counted_through(row, lead) : matrix_indices(left, at_batch, batch_shape, row, k[0]);
            if (one_matrix) x.push_back(k[0]);
            Indices y = broadcast_indices({right.begin(), right.end() - static_cast<std::ptrdiff_t>(rank)}, at_batch,
                                          batch_shape);
            if (panel > 1) y.push_back(i[batch + 1]);
            y.push_back(part > 1 ? floor_div(k[0], imm(part)) : k[0]);
            y.push_back(panel == 1 && shape.back() > out.back() ? min(i.back(), imm(out.back() - 1)) : i.back());
            if (part > 1) y.push_back(floor_mod(k[0], imm(part)));
            return cast(stretches.dtype, load(a, x)) * cast(stretches.dtype, load(b, y));
        });
    if (sums->static_shape() == out) return {sums};
    return {compute_stage(request.builder, {"product", request.out_dtype(), out, axes}, [&](const Indices& i) {
        Indices at(i.begin(), i.begin() + static_cast<std::ptrdiff_t>(batch));
        at.push_back(flatten({i.begin() + static_cast<std::ptrdiff_t>(batch), i.end() - 1}, lead));
        if (panel > 1) at.push_back(floor_div(i.back(), imm(panel)));
        at.push_back(panel > 1 ? floor_mod(i.back(), imm(panel)) : i.back());
        return load(sums, at);
    })};
}

} // namespace

Family matmul_family() {
    return {
        {.name = "layout_matmul",
         .doc =
             "What matmul computes, of a matrix b that may lie in panels of columns. Errors: those of matmul; BadShape "
             "when a or b is a vector or b is not in panels as wide as `panel`, BadAttribute for widths and groups "
             "out of range.",
         .operands =
             {{"a", "[batch..., M, K], numbers"},
              {"b",
               "[batch..., N / panel, K, panel], [batch..., N / panel, K / part, panel, part], or as matmul's where "
               "`panel` is 1, of a's element type"}},
         .attrs =
             {{"panel", AttrKind::Int, false, "columns that lie side by side; 1 when left out: b as matmul's"},
              {"part", AttrKind::Int, false,
               "rows of a panel whose elements follow each other, column by column; 1 when left out"},
              sum_dtype_attr(),
              {"rows", AttrKind::Int, false,
               "rows of the result are computed in multiples of that many, which changes no element; 1 when left "
               "out"},
              {"columns", AttrKind::Int, false,
               "columns of the result are computed in multiples of that many, which changes no element, where b is "
               "not in panels; 1 when left out"},
              sum_stretch_attr()},
         .fusion = FusionKind::OutFusable,
         .infer = layout_matmul_type,
         .define = define_layout_matmul,
         .onnx_names = {"MatMul", "Gemm"}},
        {.name = "matmul",
         .doc = "The matrix product of a and b over their last two dimensions; earlier ones broadcast. A vector on the "
                "left is a row, on "
                "the right a column, whose dimension the result lacks. Sums of f16 and bf16 are made in f32, of "
                "integers in their own "
                "type. Errors: BadShape when the inner dimensions differ or the batches do not broadcast.",
         .operands = {{"a", "[batch..., M, K] or [K], numbers"}, {"b", "[batch..., K, N] or [K], of a's element type"}},
         .attrs = {sum_dtype_attr(),
                   {"transpose_a", AttrKind::Bool, false, "a is [batch..., K, M]; false when left out"},
                   {"transpose_b", AttrKind::Bool, false, "b is [batch..., N, K]; false when left out"}},
         .fusion = FusionKind::OutFusable,
         .infer = matmul_type,
         .define = define_matmul,
         .onnx_names = {"MatMul", "Gemm", "MatMulInteger", "QLinearMatMul"}}};
}

} // namespace orrery::ops
