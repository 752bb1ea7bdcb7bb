#include "core/ops/family.hpp"
#include "core/ops/stage.hpp"

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
    ORRERY_CHECK_OK(same_dtype(a, b));
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
    return checked_type(a.dtype, dims);
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

} // namespace

Family matmul_family() {
    return {
        {.name = "matmul",
         .doc = "The matrix product of a and b over their last two dimensions; earlier ones broadcast. A vector on the "
                "left is a row, on "
                "the right a column, whose dimension the result lacks. Sums of f16 and bf16 are made in f32, of "
                "integers in their own "
                "type. Errors: BadShape when the inner dimensions differ or the batches do not broadcast.",
         .operands = {{"a", "[batch..., M, K] or [K], numbers"}, {"b", "[batch..., K, N] or [K], of a's element type"}},
         .attrs = {{"transpose_a", AttrKind::Bool, false, "a is [batch..., K, M]; false when left out"},
                   {"transpose_b", AttrKind::Bool, false, "b is [batch..., N, K]; false when left out"}},
         .fusion = FusionKind::OutFusable,
         .infer = matmul_type,
         .define = define_matmul,
         .onnx_names = {"MatMul", "Gemm", "MatMulInteger", "QLinearMatMul"}}};
}

} // namespace orrery::ops
