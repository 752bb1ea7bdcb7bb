#include "core/ops/elementwise.hpp"

namespace orrery::ops {

using namespace tensor;
using graph::FusionKind;

namespace {

template <BinaryOp Op> Expr compared(const Expr& a, const Expr& b, const Attrs&) { return binary(Op, a, b); }

Result<Type> where_type(const TypeRequest& request) {
    ORRERY_TRY(const TensorType condition, operand(request, 0, DTypes::Bool));
    ORRERY_TRY(const TensorType a, operand(request, 1));
    ORRERY_TRY(const TensorType b, operand(request, 2));
    ORRERY_CHECK_OK(same_dtype(a, b));
    ORRERY_TRY(const Dims values, broadcast(a.dims, b.dims));
    ORRERY_TRY(const Dims dims, broadcast(condition.dims, values));
    return checked_type(a.dtype, dims);
}

std::vector<Buffer> define_where(const DefineRequest& request) {
    const Shape shape = request.out_shape();
    return {compute_stage(request.builder, {"where", request.out_dtype(), shape}, [&](const Indices& i) {
        return select(load_broadcast(request.in(0), i, shape), load_broadcast(request.in(1), i, shape),
                      load_broadcast(request.in(2), i, shape));
    })};
}

template <BinaryOp Op, DTypes Allowed>
OpRow comparison(const char* name, const char* doc, const char* operand_doc, std::vector<std::string> onnx_names) {
    return {.name = name,
            .doc = doc,
            .operands = two_operands(operand_doc),
            .fusion = FusionKind::Broadcast,
            .infer = comparison_type<Allowed>,
            .define = define_binary<compared<Op>>,
            .onnx_names = std::move(onnx_names)};
}

} // namespace

Family compare_logic_family() {
    constexpr const char* kAnything = "any element type of 8 bits or more, any shape";
    constexpr const char* kNumbers = "numbers, any shape";
    constexpr const char* kBools = "bool, any shape";
    return {
        comparison<BinaryOp::Eq, DTypes::Comparable>("equal", "True where a equals b; false for NaN.", kAnything,
                                                     {"Equal"}),
        comparison<BinaryOp::Ne, DTypes::Comparable>("not_equal", "True where a differs from b; true for NaN.",
                                                     kAnything, {"Xor"}),
        comparison<BinaryOp::Lt, DTypes::Number>("less", "True where a is less than b.", kNumbers, {"Less"}),
        comparison<BinaryOp::Le, DTypes::Number>("less_equal", "True where a is b or less.", kNumbers, {"LessOrEqual"}),
        comparison<BinaryOp::Gt, DTypes::Number>("greater", "True where a is greater than b.", kNumbers, {"Greater"}),
        comparison<BinaryOp::Ge, DTypes::Number>("greater_equal", "True where a is b or greater.", kNumbers,
                                                 {"GreaterOrEqual"}),
        comparison<BinaryOp::And, DTypes::Bool>("logical_and", "True where a and b are.", kBools, {"And"}),
        comparison<BinaryOp::Or, DTypes::Bool>("logical_or", "True where a or b is.", kBools, {"Or"}),
        {.name = "where",
         .doc = "The elements of a where the condition is true, those of b elsewhere. All three broadcast.",
         .operands = {{"condition", "bool, any shape"}, {"a", kAnything}, {"b", "of a's element type"}},
         .fusion = FusionKind::Broadcast,
         .infer = where_type,
         .define = define_where,
         .onnx_names = {"Where"}},
    };
}

} // namespace orrery::ops
