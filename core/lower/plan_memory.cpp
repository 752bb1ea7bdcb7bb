#include "core/base/arena.hpp"
#include "core/lower/lower.hpp"

#include <algorithm>

namespace orrery::lower {

namespace {

using runtime::Storage;
using runtime::Value;

/// The graph's own plan is kept where it holds: it says a place for every value, none of a part elsewhere than in its
/// host, no two that meet share one, and none lies beyond what all of them side by side take. The plan may be typed by
/// hand: it is not believed before.
void keep_planned(const LoweredModel& model, const std::vector<std::size_t>& ids, Tenancy& tenancy) {
    std::size_t most = 0;
    for (const Tenant& tenant : tenancy.tenants) most += tenant.bytes;
    bool holds = true;
    for (std::size_t i = 0; i < ids.size() && holds; ++i) {
        const LoweredValue& value = model.values[ids[i]];
        if (tenancy.first[i] < 0 || (value.host < 0 && value.planned_offset < 0)) {
            holds = tenancy.first[i] < 0;
        } else if (value.host >= 0) { // a copy is in no plan
            const std::int64_t host = model.values[static_cast<std::size_t>(value.host)].planned_offset;
            const std::int64_t offset = value.planned_offset;
            holds = offset < 0 || offset - static_cast<std::int64_t>(value.host_offset) == host;
        } else {
            auto offset = static_cast<std::size_t>(value.planned_offset);
            holds = offset % kArenaAlignment == 0 && offset <= most;
            auto t = static_cast<std::size_t>(tenancy.first[i]);
            do {
                Tenant& tenant = tenancy.tenants[t];
                tenant.offset = offset, tenant.placed = true;
                offset += tenant.bytes;
            } while (++t < tenancy.tenants.size() && tenancy.tenants[t].follows);
            holds = holds && offset <= most;
        }
    }
    if (holds && places_are_apart(tenancy.tenants)) return;
    for (Tenant& tenant : tenancy.tenants) tenant.placed = false, tenant.offset = 0;
}

/// Ids of the values in the arena, and when each is touched and where it lies: a stay each.
std::vector<std::size_t> arena_values(const LoweredModel& model, const runtime::Plan& plan, std::vector<Stay>& stays) {
    std::vector<std::size_t> ids;
    std::vector<std::ptrdiff_t> stay_of(plan.values.size(), -1);
    for (std::size_t id = 0; id < plan.values.size(); ++id) {
        if (plan.values[id].storage != Storage::Arena) continue;
        stay_of[id] = static_cast<std::ptrdiff_t>(ids.size());
        ids.push_back(id);
    }
    for (const std::size_t id : ids) {
        const LoweredValue& value = model.values[id];
        const std::ptrdiff_t host = value.host < 0 ? -1 : stay_of[static_cast<std::size_t>(value.host)];
        stays.push_back(
            {plan.values[id].bytes, plan.values[id].first_step, plan.values[id].last_step, host, value.host_offset});
    }
    return ids;
}

/// What no step writes is there once the last of its parts is written, and its parts stay until then at least.
void complete_joins(const LoweredModel& model, runtime::Plan& plan) {
    std::vector<std::vector<std::size_t>> parts(plan.values.size()); // by host
    for (std::size_t id = 0; id < plan.values.size(); ++id)
        if (model.values[id].host >= 0) parts[static_cast<std::size_t>(model.values[id].host)].push_back(id);
    for (const LoweredJoin& join : model.joins) {
        if (join.copies != ops::Copies::Nothing) continue;
        Value& whole = plan.values[join.value];
        const LoweredValue& at = model.values[join.value];
        const std::size_t host = at.host < 0 ? join.value : static_cast<std::size_t>(at.host);
        std::vector<Value*> inside;
        for (const std::size_t id : parts[host]) {
            const std::size_t offset = model.values[id].host_offset;
            if (id != join.value && plan.values[id].last_step >= 0 && offset >= at.host_offset &&
                offset + plan.values[id].bytes <= at.host_offset + whole.bytes)
                inside.push_back(&plan.values[id]);
        }
        if (inside.empty()) inside.push_back(&plan.values[host]); // it is another view of its host
        std::int32_t complete = 0;
        for (const Value* part : inside) complete = std::max(complete, part->first_step);
        for (Value* part : inside) part->last_step = std::max(part->last_step, complete);
        whole.first_step = whole.last_step > complete ? complete + 1 : complete;
        whole.last_step = std::max(whole.last_step, whole.first_step);
    }
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
        out.offset = value.storage == Storage::Output ? value.host_offset : 0;
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

    std::vector<Stay> stays;
    const std::vector<std::size_t> ids = arena_values(model, plan, stays);
    Tenancy tenancy = tenants_of(stays);
    keep_planned(model, ids, tenancy);
    std::vector<Tenant>& tenants = tenancy.tenants;
    const std::size_t of_values = tenants.size();
    for (std::size_t s = 0; s < plan.steps.size(); ++s) {
        if (plan.steps[s].workspace_bytes == 0) continue;
        const auto step = static_cast<std::int32_t>(s);
        tenants.push_back({arena_bytes(plan.steps[s].workspace_bytes), step, step});
    }
    plan.arena_bytes = place_tenants(tenants);
    plan.live_bytes_bound = most_live_bytes(tenants, plan.steps.size());
    for (std::size_t i = 0; i < ids.size(); ++i)
        if (tenancy.first[i] >= 0)
            plan.values[ids[i]].offset = tenants[static_cast<std::size_t>(tenancy.first[i])].offset + stays[i].offset;
    std::size_t next = of_values;
    for (runtime::Step& step : plan.steps)
        if (step.workspace_bytes != 0) step.workspace_offset = tenants[next++].offset;
    complete_joins(model, plan);
    return plan;
}

} // namespace orrery::lower
