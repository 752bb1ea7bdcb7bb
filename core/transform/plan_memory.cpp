#include "core/base/arena.hpp"
#include "core/graph/builder.hpp"
#include "core/graph/function_attrs.hpp"
#include "core/transform/passes.hpp"

#include <algorithm>
#include <unordered_map>

namespace orrery::transform {

namespace {

using graph::Var;

/// The tensors that the calls of a function make, in order, and when each is needed.
class Lives {
  public:
    explicit Lives(const graph::Function& main) {
        for (const graph::Binding& binding : main->bindings) add(binding);
        if (const auto result = slots_.find(main->result); result != slots_.end())
            for (const std::size_t slot : result->second)
                if (slot != kElsewhere) output_[slot] = true;
    }
    [[nodiscard]] const std::vector<Tenant>& tenants() const { return tenants_; }
    [[nodiscard]] bool is_output(std::size_t slot) const { return output_[slot]; }

  private:
    static constexpr std::size_t kElsewhere = ~std::size_t{0}; ///< a parameter or constant

    std::vector<std::size_t> slots_of(const Var& var) const {
        const auto found = slots_.find(var);
        return found == slots_.end() ? std::vector<std::size_t>{kElsewhere} : found->second;
    }

    void add(const graph::Binding& binding) {
        if (const auto* tuple = graph::as<graph::Tuple>(binding.value)) {
            std::vector<std::size_t> fields;
            for (const Var& field : tuple->fields) fields.push_back(slots_of(field).front());
            slots_[binding.var] = std::move(fields);
        } else if (const auto* project = graph::as<graph::Project>(binding.value)) {
            const std::vector<std::size_t> fields = slots_of(project->tuple);
            slots_[binding.var] = {project->index < fields.size() ? fields[project->index] : kElsewhere};
        } else if (binding.value->kind == graph::ExprKind::CallFunction) {
            for (const Var& operand : graph::operands(binding.value))
                for (const std::size_t slot : operand ? slots_of(operand) : std::vector<std::size_t>{})
                    if (slot != kElsewhere) tenants_[slot].last = step_;
            const graph::TupleType* tuple = graph::as_tuple(binding.var->type);
            const std::vector<graph::Type> types = tuple ? tuple->fields : std::vector<graph::Type>{binding.var->type};
            for (const graph::Type& type : types) make(binding.var, type);
            ++step_;
        }
    }

    void make(const Var& var, const graph::Type& type) {
        const graph::TensorType* tensor = graph::as_tensor(type);
        const std::int64_t bytes = tensor && graph::is_static(*tensor)
                                       ? element_count(graph::static_shape(*tensor)) * byte_size(tensor->dtype)
                                       : 0;
        slots_[var].push_back(tenants_.size());
        tenants_.push_back({arena_bytes(static_cast<std::size_t>(bytes)), step_, step_});
        output_.push_back(false);
    }

    std::unordered_map<Var, std::vector<std::size_t>> slots_;
    std::vector<Tenant> tenants_;
    std::vector<bool> output_;
    std::int32_t step_ = 0;
};

bool is_open(const graph::Binding& binding) {
    const graph::TensorType* tensor = graph::as_tensor(binding.var->type);
    return tensor && !graph::is_static(*tensor);
}

} // namespace

Result<graph::Module> plan_memory(const graph::Module& module, const pass::Context& context) {
    const graph::Function& main = module.main;
    // Extents that are known only when the model runs: each part is planned when its shapes are met.
    if (std::ranges::any_of(main->bindings, is_open)) return module;
    const Lives lives(main);
    const bool reuse = context.option("reuse", "true") != "false";
    std::vector<Tenant> arena;
    for (std::size_t slot = 0; slot < lives.tenants().size(); ++slot) {
        if (lives.is_output(slot)) continue;
        Tenant tenant = lives.tenants()[slot];
        if (!reuse) tenant.first = 0, tenant.last = static_cast<std::int32_t>(lives.tenants().size());
        arena.push_back(tenant);
    }
    (void)place_tenants(arena);
    graph::Ints offsets;
    std::size_t next = 0;
    for (std::size_t slot = 0; slot < lives.tenants().size(); ++slot)
        offsets.push_back(lives.is_output(slot) ? -1 : static_cast<std::int64_t>(arena[next++].offset));
    const graph::AttrValue* now = main->attrs.find(graph::kMemoryAttr);
    if (offsets.empty() || (now && *now == graph::AttrValue(offsets))) return module;
    graph::Module out = module;
    out.main = graph::make_function(main->name, main->params, main->bindings, main->result,
                                    main->attrs.with(graph::kMemoryAttr, offsets));
    return out;
}

} // namespace orrery::transform
