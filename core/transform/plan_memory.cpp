#include "core/base/arena.hpp"
#include "core/graph/builder.hpp"
#include "core/graph/function_attrs.hpp"
#include "core/ops/nesting.hpp"
#include "core/transform/passes.hpp"

#include <algorithm>

namespace orrery::transform {

namespace {

/// When the tensors are needed that the calls of a function make, and what they are parts of: a stay each.
std::vector<Stay> stays_of(const ops::CallTensors& tensors, const ops::Nesting& nesting) {
    std::vector<Stay> stays;
    for (std::size_t i = 0; i < tensors.tensors.size(); ++i) {
        Stay& stay = stays.emplace_back(Stay{tensors.tensors[i].bytes, INT32_MAX, -1, -1, 0});
        if (!nesting.inside[i]) continue;
        stay.host = static_cast<std::ptrdiff_t>(nesting.inside[i]->host);
        stay.offset = nesting.inside[i]->offset;
    }
    std::int32_t step = 0;
    const auto touch = [&](std::size_t tensor) {
        if (tensor == ops::kElsewhere) return;
        stays[tensor].first = std::min(stays[tensor].first, step), stays[tensor].last = step;
    };
    for (std::size_t c = 0; c < tensors.calls.size(); ++c) {
        const ops::CallTensors::Call& call = tensors.calls[c];
        const ops::Join* join = nesting.join_of(c);
        if (join && join->copies == ops::Copies::Nothing) {
            for (const ops::Join::Copied& copied : join->copied) {
                touch(call.args[copied.arg]), touch(call.first);
                ++step;
            }
            continue;
        }
        for (const std::size_t arg : call.args) touch(arg);
        for (std::size_t i = 0; i < call.count; ++i) touch(call.first + i);
        ++step;
    }
    return stays;
}

/// Offsets of tensors in the arena; -1 of outputs and what is part of them.
graph::Ints offsets_of(const graph::Function& main, bool reuse) {
    const ops::CallTensors tensors = ops::call_tensors(main);
    std::vector<Stay> stays = stays_of(tensors, ops::nest_tensors(main, tensors));
    const auto host = [&](std::size_t i) { return stays[i].host < 0 ? i : static_cast<std::size_t>(stays[i].host); };
    const auto is_output = [&](std::size_t i) { return tensors.tensors[host(i)].output; };
    for (std::size_t i = 0; i < stays.size(); ++i) {
        if (is_output(i))
            stays[i].first = INT32_MAX, stays[i].last = -1;
        else if (!reuse)
            stays[i].first = 0, stays[i].last = static_cast<std::int32_t>(stays.size());
    }
    Tenancy tenancy = tenants_of(stays);
    (void)place_tenants(tenancy.tenants);
    graph::Ints offsets;
    for (std::size_t i = 0; i < stays.size(); ++i) {
        const std::ptrdiff_t first = tenancy.first[i];
        offsets.push_back(
            first < 0 || is_output(i)
                ? -1
                : static_cast<std::int64_t>(tenancy.tenants[static_cast<std::size_t>(first)].offset + stays[i].offset));
    }
    return offsets;
}

bool is_open(const graph::Binding& binding) {
    const graph::TensorType* tensor = graph::as_tensor(binding.var->type);
    return tensor && !graph::is_static(*tensor);
}

} // namespace

Result<graph::Module> plan_memory(const graph::Module& module, const pass::Context& context) {
    const graph::Function& main = module.main;
    // Extents that are known only when the model runs: each part is planned when its shapes are met.
    if (std::ranges::any_of(main->bindings, is_open)) return module;
    const graph::Ints offsets = offsets_of(main, context.option("reuse", "true") != "false");
    const graph::AttrValue* now = main->attrs.find(graph::kMemoryAttr);
    if (offsets.empty() || (now && *now == graph::AttrValue(offsets))) return module;
    graph::Module out = module;
    out.main = graph::make_function(main->name, main->params, main->bindings, main->result,
                                    main->attrs.with(graph::kMemoryAttr, offsets));
    return out;
}

} // namespace orrery::transform
