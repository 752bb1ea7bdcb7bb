#include "core/ops/family.hpp"
#include "core/ops/ops.hpp"

#include <deque>

namespace orrery::ops {

namespace {

struct Registry {
    graph::OpRegistry ops;
    std::deque<TensorRule> rules; ///< addresses stay as rows are added

    void add(Family family) {
        for (OpRow& row : family) {
            ORRERY_ASSERT(row.infer && row.define && !row.doc.empty(), row.name + ": a row is complete");
            rules.push_back({row.define});
            graph::Op op;
            op.name = std::move(row.name);
            op.doc = std::move(row.doc);
            op.operands = std::move(row.operands);
            op.attrs = std::move(row.attrs);
            op.fusion = row.fusion;
            op.infer = row.infer;
            op.value_of_types = row.value_of_types;
            op.open = row.open;
            op.onnx_names = std::move(row.onnx_names);
            op.random = row.random;
            op.rule = &rules.back();
            ops.add(std::move(op));
        }
    }

    Registry() {
        add(activation_family());
        add(cast_family());
        add(compare_logic_family());
        add(conv_family());
        add(dynamic_family());
        add(einsum_family());
        add(elementwise_binary_family());
        add(elementwise_unary_family());
        add(fast_math_family());
        add(gather_family());
        add(layout_family());
        add(matmul_family());
        add(norm_family());
        add(patch_family());
        add(pool_family());
        add(quantize_family());
        add(random_family());
        add(recurrent_family());
        add(reduce_family());
        add(resize_family());
        add(scan_family());
        add(scatter_family());
        add(shape_family());
        add(signal_family());
        add(softmax_family());
        add(spatial_family());
        add(transposed_family());
        add(typed_program_family());
        add(winograd_family());
    }
};

} // namespace

const graph::OpRegistry& registry() {
    // Never destroyed: nodes of programs that live until the end of the process point into it.
    static const auto* const instance = new Registry;
    return instance->ops;
}

const graph::Op& op(std::string_view name) {
    const graph::Op* found = registry().find(name);
    ORRERY_ASSERT(found != nullptr, "there is an operator named " + std::string(name));
    return *found;
}

} // namespace orrery::ops
