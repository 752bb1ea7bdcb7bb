#include "core/session/dynamic_model.hpp"

#include "core/base/check.hpp"
#include "core/frontends/onnx/open.hpp"
#include "core/graph/builder.hpp"
#include "core/graph/specialize.hpp"
#include "core/ops/open.hpp"
#include "core/session/stages.hpp"

#include <algorithm>

namespace orrery::session {

namespace {

constexpr std::size_t kKeptRegions = 256; // our choice: beyond, those used least recently are compiled again

bool computes(const graph::Binding& binding) { return binding.value->kind == graph::ExprKind::CallOp; }

/// Whether a static function has so little to do that compiling it is not worth it.
bool is_small(const graph::Function& function, std::int64_t limit) {
    std::int64_t elements = 0;
    const auto count = [&](const graph::Type& type) {
        if (const graph::TensorType* tensor = graph::as_tensor(type))
            elements += element_count(graph::static_shape(*tensor));
    };
    for (const graph::Var& param : function->params) count(param->type);
    for (const graph::Binding& binding : function->bindings) {
        if (!computes(binding)) continue;
        count(binding.var->type);
        for (const graph::Var& operand : graph::operands(binding.value))
            if (operand) count(operand->type);
    }
    return elements <= limit || std::ranges::none_of(function->bindings, computes);
}

void add_shapes(Hasher& hasher, std::span<const NDArray> args) {
    for (const NDArray& arg : args) {
        if (!arg.defined()) {
            hasher.add(-1);
            continue;
        }
        hasher.add(static_cast<int>(arg.dtype())).add(static_cast<std::uint64_t>(arg.shape().size()));
        hasher.add(std::span<const std::int64_t>(arg.shape()));
    }
}

std::uint64_t address(const void* node) { return reinterpret_cast<std::uintptr_t>(node); }

} // namespace

DynamicModel::DynamicModel(graph::Module imported, const graph::Module& optimized, Compile compile,
                           std::int64_t interpreted_elements)
    : imported_(std::move(imported)), program_(make_program(optimized.main)), compile_(std::move(compile)),
      interpreted_elements_(interpreted_elements) {}

std::size_t DynamicModel::specialized() const {
    const std::lock_guard lock(mutex_);
    return specialized_;
}

RegionPtr DynamicModel::find(const Hash& key) const {
    const std::lock_guard lock(mutex_);
    const auto it = regions_.find(key);
    if (it == regions_.end()) return nullptr;
    uses_.splice(uses_.begin(), uses_, it->second.use);
    return it->second.region;
}

void DynamicModel::put(const Hash& key, Entry entry) const {
    const std::lock_guard lock(mutex_);
    ++specialized_;
    if (regions_.contains(key)) return;
    uses_.push_front(key);
    entry.use = uses_.begin();
    regions_.emplace(key, std::move(entry));
    if (uses_.size() > kKeptRegions) {
        regions_.erase(uses_.back());
        uses_.pop_back();
    }
}

Result<RegionPtr> DynamicModel::finish(SpecializedRegion region, bool open, const Progress& progress) const {
    if (!open || !is_small(region.function, interpreted_elements_)) {
        graph::Module module;
        module.main = region.function;
        module.sources = imported_.sources;
        const graph::TupleType* tuple = graph::as_tuple(region.function->result->type);
        for (std::size_t i = 0; i < (tuple ? tuple->fields.size() : 1); ++i)
            module.outputs.push_back("result" + std::to_string(i));
        ORRERY_TRY(region.compiled, compile_(module, progress));
        ORRERY_ASSERT(!region.compiled->dynamic, "a specialized region is static");
    }
    return std::make_shared<const SpecializedRegion>(std::move(region));
}

Result<RegionPtr> DynamicModel::region(const graph::Function& function, std::span<const NDArray> args,
                                       const Progress& progress) const {
    Hasher hasher;
    hasher.add("region").add(address(function.get()));
    add_shapes(hasher, args);
    const Hash key = hasher.finish();
    if (RegionPtr known = find(key)) return known;
    std::vector<graph::Type> types;
    bool open = false;
    for (std::size_t i = 0; i < args.size(); ++i) {
        types.push_back(graph::tensor_type(args[i].dtype(), args[i].shape()));
        open = open || !graph::fully_static(function->params[i]->type);
    }
    SpecializedRegion made;
    ORRERY_TRY(made.function, graph::specialize(function, types, {}, onnx::specializer(), progress));
    ORRERY_TRY(RegionPtr region, finish(std::move(made), open, progress));
    put(key, {{}, function, region, {}});
    return region;
}

Result<RegionPtr> DynamicModel::single(const graph::CallOp& call, std::span<const NDArray> args,
                                       const Progress& progress) const {
    Hasher hasher;
    hasher.add("single").add(address(&call));
    add_shapes(hasher, args);
    for (const std::int64_t i : call.attrs.ints(ops::kOpenValues, {}))
        if (i >= 0 && i < static_cast<std::int64_t>(args.size()) && args[static_cast<std::size_t>(i)].defined())
            hasher.add(args[static_cast<std::size_t>(i)].content_hash());
    const Hash key = hasher.finish();
    if (RegionPtr known = find(key)) return known;
    ORRERY_TRY(onnx::ClosedCall closed, onnx::closed_call(call, args, progress));
    ORRERY_TRY(RegionPtr region, finish({std::move(closed.function), {}, std::move(closed.params)}, true, progress));
    put(key, {graph::Expr(&call), {}, region, {}});
    return region;
}

std::string open_inputs(const graph::Function& main) {
    std::string text;
    for (const graph::Var& param : main->params)
        if (!graph::fully_static(param->type))
            text += (text.empty() ? "" : ", ") + param->name + ": " + graph::to_string(param->type);
    return text;
}

Diagnostic why_dynamic(const graph::Module& module) {
    const std::string open = open_inputs(module.main);
    Diagnostic note{Code::UnsupportedFeature, {}, {}, {}};
    note.severity = Severity::Note;
    if (!open.empty()) {
        note.message = "kernels are made when shapes are known; open are " + open;
        for (const graph::Var& param : module.main->params)
            if (!graph::fully_static(param->type)) note.hint += " --shape " + param->name + "=...";
        note.hint = "bind them with" + note.hint;
        return note;
    }
    note.message = "the model decides while it runs (branches, loops, extents that are data); kernels are made for the "
                   "shapes each part meets";
    for (const graph::Binding& binding : module.main->bindings)
        if (note.locations.empty() &&
            (binding.value->kind == graph::ExprKind::If || binding.value->kind == graph::ExprKind::Loop ||
             !graph::fully_static(binding.var->type)))
            for (const SourceId id : binding.origin.ids())
                note.locations.push_back(ModelNode{module.sources->at(id).name, module.sources->at(id).op_type});
    return note;
}

} // namespace orrery::session
