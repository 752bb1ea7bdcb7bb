#include "core/transform/attention.hpp"

#include "core/graph/op.hpp"
#include "core/transform/product_operand.hpp"
#include "core/transform/rule_rewriter.hpp"

namespace orrery::transform {

using graph::CallOp;

bool is_product_of_values(const CallOp& call) {
    const graph::TensorType* first = graph::as_tensor(call.args[0]->type);
    return is_plain_product(call) && call.attrs.integer("panel", 1) == 1 && first && first->dtype == DType::F32;
}

bool is_softmax_of_rows(const CallOp& call) {
    const std::optional<Shape> shape = shape_of(call.args[0]);
    if (call.op.name != "softmax" || !shape || shape->empty()) return false;
    const std::int64_t axis = call.attrs.integer("axis", -1);
    return axis == -1 || axis == std::ssize(*shape) - 1;
}

bool is_many_scores(const CallOp& call, std::int64_t piece_bytes) {
    constexpr std::int64_t kPieces = 4; // our choice: less stays in a cache between kernels as well
    const std::optional<Shape> first = shape_of(call.args[0]), second = shape_of(call.args[1]);
    if (!first || !second || first->size() < 2 || second->size() < 2) return false;
    const Shape rows(first->begin(), first->end() - 1);
    return element_count(rows) * second->back() * byte_size(DType::F32) > kPieces * piece_bytes;
}

bool keeps_scores(const CallOp& call, std::int64_t piece_bytes) {
    constexpr std::int64_t kGroups = 2;  // of rows that share what is loaded of the second factor
    constexpr std::int64_t kFactors = 2; // pieces that it takes: both factors stay in the second-level cache
    const Shape first = *shape_of(call.args[0]), second = *shape_of(call.args[1]);
    const std::int64_t rows = kGroups * call.attrs.integer("rows", 1), columns = second.back();
    return first[first.size() - 2] > rows &&
           columns * std::max(rows, first.back() / kFactors) * byte_size(DType::F32) <= piece_bytes;
}

} // namespace orrery::transform
