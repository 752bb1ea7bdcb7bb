#include "backends/dnnl/region_program.hpp"

#include <algorithm>
#include <numeric>

namespace orrery::onednn {

void Program::place_values() {
    constexpr std::size_t kAlignment = 64;
    for (std::size_t s = 0; s < steps.size(); ++s)
        for (const auto& [name, id] : steps[s].args) {
            Value& value = values[values[id].shares == kNone ? id : values[id].shares];
            if (value.first_step < 0) value.first_step = static_cast<int>(s);
            value.last_step = static_cast<int>(s);
        }
    std::vector<std::size_t> order;
    for (std::size_t i = 0; i < values.size(); ++i)
        if (values[i].place == Place::Workspace && values[i].first_step >= 0) order.push_back(i);
    const auto bytes = [&](std::size_t i) {
        return (values[i].layout.get_size() + kAlignment - 1) / kAlignment * kAlignment;
    };
    std::ranges::stable_sort(order, std::ranges::greater(), bytes);
    std::vector<std::size_t> placed; // by offset
    workspace_bytes = 0;
    for (std::size_t i : order) {
        std::size_t offset = 0;
        for (std::size_t other : placed) {
            if (values[other].last_step < values[i].first_step || values[i].last_step < values[other].first_step)
                continue;
            if (offset + bytes(i) <= values[other].offset) break;
            offset = std::max(offset, values[other].offset + bytes(other));
        }
        values[i].offset = offset;
        workspace_bytes = std::max(workspace_bytes, offset + bytes(i));
        placed.insert(std::ranges::upper_bound(placed, offset, {}, [&](std::size_t p) { return values[p].offset; }), i);
    }
    for (Value& value : values)
        if (value.shares != kNone) value.offset = values[value.shares].offset;
}

std::unique_ptr<Program::Instance> Program::instance() const {
    {
        const std::lock_guard lock(mutex_);
        if (!free_.empty()) {
            std::unique_ptr<Instance> kept = std::move(free_.back());
            free_.pop_back();
            return kept;
        }
    }
    auto made = std::make_unique<Instance>();
    made->stream = std::make_unique<dnnl::stream>(engine);
    for (const Value& value : values)
        made->memories.push_back(value.place == Place::Constant ? constants[value.index]
                                                                : dnnl::memory(value.layout, engine, DNNL_MEMORY_NONE));
    for (const Step& step : steps) {
        std::unordered_map<int, dnnl::memory>& args = made->args.emplace_back();
        for (const auto& [name, id] : step.args) args.insert_or_assign(name, made->memories[id]);
    }
    return made;
}

void Program::run(void* const* args, void* given) const {
    std::unique_ptr<Instance> now = instance();
    if (!given && workspace_bytes > 0 && !now->own) {
        const auto bytes = static_cast<dnnl::memory::dim>(workspace_bytes);
        now->own = dnnl::memory({{bytes}, dnnl::memory::data_type::u8, dnnl::memory::format_tag::a}, engine);
    }
    auto* const workspace = static_cast<std::byte*>(given || workspace_bytes == 0 ? given : now->own.get_data_handle());
    for (std::size_t i = 0; i < values.size(); ++i) {
        const Value& value = values[i];
        if (value.place == Place::Constant || (value.place == Place::Workspace && !workspace)) continue;
        now->memories[i].set_data_handle(value.place == Place::Argument ? args[value.index] : workspace + value.offset);
    }
    for (std::size_t s = 0; s < steps.size(); ++s) steps[s].primitive.execute(*now->stream, now->args[s]);
    now->stream->wait();
    const std::lock_guard lock(mutex_);
    free_.push_back(std::move(now));
}

} // namespace orrery::onednn
