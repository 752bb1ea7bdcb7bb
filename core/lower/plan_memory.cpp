#include "core/lower/lower.hpp"

#include <algorithm>
#include <numeric>

namespace orrery::lower {

namespace {

constexpr std::size_t kAlignment = 64;

std::size_t aligned(std::size_t bytes) { return (bytes + kAlignment - 1) / kAlignment * kAlignment; }

/// Something that needs `bytes` of the arena during steps [first, last].
struct Tenant {
    std::size_t bytes = 0;
    std::int32_t first = 0, last = 0;
    std::size_t offset = 0;
};

/// Largest first, each at the lowest offset free of those placed before that live at the same time.
std::size_t place(std::vector<Tenant>& tenants) {
    std::vector<std::size_t> order(tenants.size());
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(),
                     [&](std::size_t a, std::size_t b) { return tenants[a].bytes > tenants[b].bytes; });
    std::vector<const Tenant*> placed; // by offset
    std::size_t end = 0;
    for (std::size_t i : order) {
        Tenant& tenant = tenants[i];
        std::size_t offset = 0;
        for (const Tenant* other : placed) {
            if (other->last < tenant.first || tenant.last < other->first) continue;
            if (offset + tenant.bytes <= other->offset) break;
            offset = std::max(offset, other->offset + other->bytes);
        }
        tenant.offset = offset;
        end = std::max(end, offset + tenant.bytes);
        const auto at = std::ranges::upper_bound(placed, offset, {}, [](const Tenant* t) { return t->offset; });
        placed.insert(at, &tenant);
    }
    return end;
}

std::size_t most_live(const std::vector<Tenant>& tenants, std::size_t steps) {
    std::vector<std::ptrdiff_t> change(steps + 2, 0);
    for (const Tenant& tenant : tenants) {
        change[static_cast<std::size_t>(tenant.first)] += static_cast<std::ptrdiff_t>(tenant.bytes);
        change[static_cast<std::size_t>(tenant.last) + 1] -= static_cast<std::ptrdiff_t>(tenant.bytes);
    }
    std::ptrdiff_t live = 0, most = 0;
    for (std::ptrdiff_t delta : change) most = std::max(most, live += delta);
    return static_cast<std::size_t>(most);
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
        if (value.storage != runtime::Storage::Arena || value.last_step < 0) continue;
        tenants.push_back({aligned(value.bytes), value.first_step, value.last_step, 0});
        offsets.push_back(&value.offset);
    }
    for (std::size_t s = 0; s < plan.steps.size(); ++s) {
        if (plan.steps[s].workspace_bytes == 0) continue;
        tenants.push_back(
            {aligned(plan.steps[s].workspace_bytes), static_cast<std::int32_t>(s), static_cast<std::int32_t>(s), 0});
        offsets.push_back(&plan.steps[s].workspace_offset);
    }
    plan.arena_bytes = place(tenants);
    for (std::size_t i = 0; i < tenants.size(); ++i) *offsets[i] = tenants[i].offset;
    plan.live_bytes_bound = most_live(tenants, plan.steps.size());
    return plan;
}

} // namespace orrery::lower
