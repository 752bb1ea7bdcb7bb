#include "core/base/arena.hpp"
#include "core/lower/lower.hpp"

#include <algorithm>

namespace orrery::lower {

namespace {

bool in_arena(const runtime::Value& value) { return value.storage == runtime::Storage::Arena && value.last_step >= 0; }

/// The graph's own plan is kept where it holds: it says a place for every value, no two that meet share one, and none
/// lies beyond what all of them side by side take. The plan may be typed by hand: it is not believed before.
void keep_planned(const LoweredModel& model, const runtime::Plan& plan, std::vector<Tenant>& tenants) {
    std::size_t most = 0;
    for (const Tenant& tenant : tenants) most += tenant.bytes;
    std::size_t next = 0;
    for (std::size_t id = 0; id < plan.values.size(); ++id) {
        if (!in_arena(plan.values[id])) continue;
        const std::int64_t offset = model.values[id].planned_offset;
        Tenant& tenant = tenants[next++];
        tenant.offset = static_cast<std::size_t>(std::max<std::int64_t>(0, offset));
        tenant.placed = offset >= 0 && tenant.offset % kArenaAlignment == 0 && tenant.offset <= most - tenant.bytes;
    }
    const bool holds = std::ranges::all_of(tenants, &Tenant::placed) && places_are_apart(tenants);
    if (!holds)
        for (Tenant& tenant : tenants) tenant.placed = false, tenant.offset = 0;
}

} // namespace

runtime::ElementType element_type(DType dtype) {
    const auto bits = static_cast<std::uint8_t>(bit_width(dtype));
    if (dtype == DType::Bool) return {6, 8};
    if (dtype == DType::BF16) return {4, 16};
    // DLPack 1.1: 10 to 13 are the 8-bit floats e4m3fn, e4m3fnuz, e5m2, e5m2fnuz.
    if (is_float8(dtype))
        return {static_cast<std::uint8_t>(10 + static_cast<int>(dtype) - static_cast<int>(DType::F8E4M3FN)), bits};
    if (is_float(dtype)) return {2, bits};
    return {static_cast<std::uint8_t>(is_signed_int(dtype) ? 0 : 1), bits};
}

runtime::Plan plan_memory(const LoweredModel& model, const std::vector<std::size_t>& workspace_bytes) {
    ORRERY_ASSERT(workspace_bytes.size() == model.functions.size(), "one workspace size a function");
    runtime::Plan plan;
    plan.inputs = model.inputs;
    plan.outputs = model.outputs;
    for (const LoweredFunction& function : model.functions) plan.kernels.push_back(function.name);
    for (const LoweredValue& value : model.values) {
        runtime::Value& out = plan.values.emplace_back();
        out.name = value.name;
        out.type = element_type(value.dtype);
        out.shape = value.shape;
        out.bytes = static_cast<std::size_t>(element_count(value.shape) * byte_size(value.dtype));
        out.storage = value.storage;
        out.index = value.index;
        out.first_step = static_cast<std::int32_t>(model.calls.size());
        out.last_step = -1;
    }
    for (std::size_t s = 0; s < model.calls.size(); ++s) {
        const LoweredCall& call = model.calls[s];
        runtime::Step& step = plan.steps.emplace_back();
        step.name = model.functions[call.function].name;
        step.kernel = static_cast<std::uint32_t>(call.function);
        step.workspace_bytes = workspace_bytes[call.function];
        step.args = call.args;
        step.args.insert(step.args.end(), call.results.begin(), call.results.end());
        for (std::uint32_t id : step.args) {
            runtime::Value& value = plan.values[id];
            value.first_step = std::min(value.first_step, static_cast<std::int32_t>(s));
            value.last_step = std::max(value.last_step, static_cast<std::int32_t>(s));
        }
    }

    std::vector<Tenant> tenants;
    std::vector<std::size_t*> offsets;
    for (runtime::Value& value : plan.values) {
        if (!in_arena(value)) continue;
        tenants.push_back({arena_bytes(value.bytes), value.first_step, value.last_step});
        offsets.push_back(&value.offset);
    }
    keep_planned(model, plan, tenants);
    for (std::size_t s = 0; s < plan.steps.size(); ++s) {
        if (plan.steps[s].workspace_bytes == 0) continue;
        const auto step = static_cast<std::int32_t>(s);
        tenants.push_back({arena_bytes(plan.steps[s].workspace_bytes), step, step});
        offsets.push_back(&plan.steps[s].workspace_offset);
    }
    plan.arena_bytes = place_tenants(tenants);
    for (std::size_t i = 0; i < tenants.size(); ++i) *offsets[i] = tenants[i].offset;
    plan.live_bytes_bound = most_live_bytes(tenants, plan.steps.size());
    return plan;
}

} // namespace orrery::lower
