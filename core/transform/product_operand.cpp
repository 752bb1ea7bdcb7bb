#include "core/transform/product_operand.hpp"

#include "core/graph/op.hpp"
#include "core/transform/rule_rewriter.hpp"

namespace orrery::transform {

using graph::CallOp;

bool is_plain_product(const CallOp& call) {
    if (call.op.name == "matmul") return !call.attrs.flag("transpose_a") && !call.attrs.flag("transpose_b");
    return call.op.name == "layout_matmul" && call.attrs.integer("part", 1) == 1;
}

bool keeps_stretches(const CallOp& call, std::int64_t length) {
    if (call.op.name == "reshape") return true;
    const std::optional<Shape> shape = shape_of(call.args[0]);
    if (call.op.name != "transpose" || !shape) return false;
    const graph::Ints& perm = call.attrs.ints("perm");
    std::int64_t kept = 1;
    for (std::size_t d = shape->size(); d-- > 0 && perm[d] == static_cast<std::int64_t>(d);) kept *= (*shape)[d];
    return length > 0 && kept % length == 0;
}

} // namespace orrery::transform
