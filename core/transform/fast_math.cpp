#include "core/graph/builder.hpp"
#include "core/ops/ops.hpp"
#include "core/transform/passes.hpp"
#include "core/transform/rule_rewriter.hpp"

#include <cmath>

namespace orrery::transform {

namespace {

using graph::any;
using graph::op;

template <const char* const& Name> Replacement by_fast(Site& site) {
    return Replacement::by(make_call(Name, {site["x"]}));
}

/// Within 1.5 units in the last place.
Replacement by_reciprocal(Site& site) {
    const NDArray& divisor = *site.constant_of(site["c"]);
    if (divisor.dtype() != DType::F32) return Replacement::none();
    NDArray reciprocal = NDArray::allocate(DType::F32, divisor.shape());
    for (std::int64_t i = 0; i < divisor.size(); ++i) {
        const float value = 1 / divisor.values<float>()[static_cast<std::size_t>(i)];
        if (!std::isnormal(value)) return Replacement::none();
        reciprocal.mutable_values<float>()[static_cast<std::size_t>(i)] = value;
    }
    return Replacement::by(make_call("multiply", {site["x"], site.emit(std::move(reciprocal))}));
}

constexpr const char* kErf = "fast_erf";
constexpr const char* kGelu = "fast_gelu";
constexpr const char* kSigmoid = "fast_sigmoid";
constexpr const char* kTanh = "fast_tanh";

const Rules& rules() {
    const graph::Pattern x = any().as("x");
    static const Rules rows{
        {"erf to within 5e-4", op("erf", {x}), by_fast<kErf>},
        {"gelu to within 7e-4", op("gelu", {x}).attr_or_absent("approximate", false), by_fast<kGelu>},
        {"sigmoid to within 5e-5", op("sigmoid", {x}), by_fast<kSigmoid>},
        {"tanh to within 1e-4", op("tanh", {x}), by_fast<kTanh>},
        {"a product with the reciprocal", op("divide", {x, graph::constant().as("c")}), by_reciprocal},
    };
    return rows;
}

} // namespace

Result<graph::Module> fast_math(const graph::Module& module, const pass::Context& context) {
    graph::Module out = module;
    out.main = RuleRewriter(rules(), module.main, context.recorder).run(module.main);
    return out;
}

} // namespace orrery::transform
