#include "core/graph/function_attrs.hpp"
#include "core/lower/lower.hpp"
#include "core/tensor/analysis.hpp"
#include "core/tensor/compute.hpp"

#include <unordered_map>
#include <unordered_set>

namespace orrery::lower {

namespace {

using graph::Binding;
using graph::Var;

class ModuleLowering {
  public:
    explicit ModuleLowering(const graph::Module& module)
        : module_(module), tensors_(ops::call_tensors(module.main)),
          nesting_(ops::nest_tensors(module.main, tensors_)) {}

    Result<LoweredModel> run(const Progress& progress) {
        const graph::Function& main = module_.main;
        for (std::size_t i = 0; i < main->params.size(); ++i) {
            ORRERY_TRY(const std::uint32_t id, add_value(main->params[i]->name, main->params[i]->type, {}));
            model_.values[id].storage = runtime::Storage::Input;
            model_.values[id].index = i;
            model_.inputs.push_back(id);
            ids_[main->params[i]] = {id};
        }
        for (std::size_t i = 0; i < main->bindings.size(); ++i) {
            if (progress.cancelled()) return Diagnostic{Code::Cancelled, "cancelled", {}, {}};
            progress.tell("lowering", static_cast<double>(i) / static_cast<double>(main->bindings.size()));
            if (Result<void> done = lower(main->bindings[i]); !done)
                return located(std::move(done.error()), main->bindings[i]);
        }
        take_planned();
        ORRERY_CHECK_OK(place_outputs());
        nest();
        ORRERY_CHECK_OK(unite_origins());
        note_weights();
        return std::move(model_);
    }

  private:
    Diagnostic located(Diagnostic error, const Binding& binding) const {
        for (SourceId id : binding.origin.ids()) {
            const graph::Source& source = module_.sources->at(id);
            error.locations.push_back(ModelNode{source.name, source.op_type});
        }
        return error;
    }

    Result<std::uint32_t> add_value(const std::string& name, const graph::Type& type, const OriginSet& origin) {
        const graph::TensorType* tensor = graph::as_tensor(type);
        if (!tensor || !graph::is_static(*tensor))
            return Diagnostic{Code::UnsupportedFeature,
                              name + " has type " + graph::to_string(type) + "; compiled programs need static shapes",
                              {},
                              "bind every symbolic dimension with --shape"};
        model_.values.push_back(
            {name, tensor->dtype, graph::static_shape(*tensor), runtime::Storage::Arena, 0, origin});
        return static_cast<std::uint32_t>(model_.values.size() - 1);
    }

    Result<void> lower(const Binding& binding) {
        if (const auto* constant = graph::as<graph::Constant>(binding.value)) {
            ORRERY_TRY(const std::uint32_t id, add_value(binding.var->name, binding.var->type, binding.origin));
            model_.values[id].storage = runtime::Storage::Constant;
            model_.values[id].index = model_.constants.size();
            model_.constants.push_back(constant->value);
            ids_[binding.var] = {id};
            return {};
        }
        if (const auto* tuple = graph::as<graph::Tuple>(binding.value)) {
            std::vector<std::uint32_t> fields;
            for (const Var& field : tuple->fields) fields.push_back(ids_.at(field).front());
            ids_[binding.var] = std::move(fields);
            return {};
        }
        if (const auto* project = graph::as<graph::Project>(binding.value)) {
            ids_[binding.var] = {ids_.at(project->tuple).at(project->index)};
            return {};
        }
        const auto* call = graph::as<graph::CallFunction>(binding.value);
        if (!call || !call->function->primitive())
            return Diagnostic{Code::UnsupportedFeature,
                              "only operators, constants and tuples are compiled; " + binding.var->name + " is neither",
                              {},
                              "run FuseOps last, and PartitionGraph after AnnotateTarget; control flow runs in the "
                              "interpreter only"};
        const ops::Join* join = nesting_.join_of(calls_);
        if (join && join->copies == ops::Copies::Nothing) {
            ORRERY_CHECK_OK(lower_join(binding, *join));
        } else {
            ORRERY_CHECK_OK(lower_call(binding, *call));
            if (join) model_.joins.push_back({binding.var, made_.back(), join->copies});
        }
        ++calls_;
        return {};
    }

    /// No call but copies of what cannot be part of the result.
    Result<void> lower_join(const Binding& binding, const ops::Join& join) {
        const auto& call = *graph::as<graph::CallFunction>(binding.value);
        const std::size_t tensor = made_.size();
        ORRERY_TRY(const std::uint32_t id, add_value(binding.var->name, binding.var->type, binding.origin));
        ids_[binding.var] = {id};
        made_.push_back(id);
        model_.joins.push_back({binding.var, id, ops::Copies::Nothing});
        for (const ops::Join::Copied& copied : join.copied) {
            const std::uint32_t copy = copy_of(ids_.at(call.args[copied.arg]).front(), binding.origin);
            copies_.push_back({copy, tensor, copied.offset});
        }
        return {};
    }

    Result<void> lower_call(const Binding& binding, const graph::CallFunction& call) {
        ORRERY_TRY(const std::size_t function, function_for(call.function));
        equals_[function].push_back(call.function);
        LoweredCall lowered{function, {}, {}, binding.origin, binding.var};
        for (const Var& arg : call.args) lowered.args.push_back(ids_.at(arg).front());
        if (const auto constants = region_constants_.find(function); constants != region_constants_.end())
            lowered.args.insert(lowered.args.end(), constants->second.begin(), constants->second.end());
        if (const graph::TupleType* tuple = graph::as_tuple(binding.var->type)) {
            for (std::size_t i = 0; i < tuple->fields.size(); ++i) {
                ORRERY_TRY(const std::uint32_t id,
                           add_value(binding.var->name + "." + std::to_string(i), tuple->fields[i], binding.origin));
                lowered.results.push_back(id);
            }
        } else {
            ORRERY_TRY(const std::uint32_t id, add_value(binding.var->name, binding.var->type, binding.origin));
            lowered.results.push_back(id);
        }
        made_.insert(made_.end(), lowered.results.begin(), lowered.results.end());
        add_call(binding.var, std::move(lowered));
        return {};
    }

    void add_call(const Var& var, LoweredCall call) {
        LoweredFunction& function = model_.functions[call.function];
        ++function.calls;
        function.origin = unite(function.origin, call.origin);
        if (var) ids_[var] = call.results;
        model_.calls.push_back(std::move(call));
    }

    std::string unique_name(const std::string& wanted) {
        std::string clean;
        for (char c : wanted.empty() ? std::string("kernel") : wanted)
            clean += std::isalnum(static_cast<unsigned char>(c)) ? c : '_';
        for (int n = 0;; ++n) {
            std::string name = n == 0 ? clean : clean + "_" + std::to_string(n);
            if (names_.insert(name).second) return name;
        }
    }

    Result<std::size_t> function_for(const graph::Function& source) {
        const Hash key = graph::structural_hash(source);
        if (const auto it = by_source_.find(key); it != by_source_.end()) return it->second;
        const std::string name = unique_name(source->name);
        if (source->attrs.has("backend")) return region_for(source, name, key);
        ORRERY_TRY(tensor::Program program, lower_function(source, name));
        const std::size_t index = add_function(name, std::move(program), source);
        by_source_.emplace(key, index);
        return index;
    }

    /// Regions hold their constants, so that equal programs need not be equal regions.
    Result<std::size_t> region_for(const graph::Function& source, const std::string& name, const Hash& key) {
        ORRERY_TRY(LoweredRegion region, lower_region(source, name));
        const std::size_t index = model_.functions.size();
        for (const NDArray& constant : region.constants) {
            ORRERY_TRY(const std::uint32_t id,
                       add_value(name + ".constant", graph::tensor_type(constant.dtype(), constant.shape()), {}));
            model_.values[id].storage = runtime::Storage::Constant;
            model_.values[id].index = model_.constants.size();
            model_.constants.push_back(constant);
            region_constants_[index].push_back(id);
        }
        model_.functions.push_back(
            {name, key, std::move(region.program), source, source->attrs.text("backend"), 0, {}});
        by_source_.emplace(key, index);
        return index;
    }

    std::size_t add_function(const std::string& name, tensor::Program program, const graph::Function& source) {
        const Hash workload = tensor::structural_hash(program);
        const auto [it, fresh] = by_workload_.emplace(workload, model_.functions.size());
        if (fresh)
            model_.functions.push_back({name, workload, std::move(program), source, {}, 0, {}});
        else
            names_.erase(name);
        return it->second;
    }

    /// A program shared by several calls carries the origins of all of them, statement by statement.
    Result<void> unite_origins() {
        for (const auto& [index, equals] : equals_) {
            LoweredFunction& function = model_.functions[index];
            if (!function.backend.empty()) continue; // each of its calls is the same region
            std::vector<Binding> bindings = function.source->bindings;
            bool wider = false;
            for (const graph::Function& other : equals) {
                if (other->bindings.size() != bindings.size()) continue;
                for (std::size_t i = 0; i < bindings.size(); ++i) {
                    const OriginSet both = unite(bindings[i].origin, other->bindings[i].origin);
                    wider = wider || !(both == bindings[i].origin);
                    bindings[i].origin = both;
                }
            }
            if (!wider) continue;
            const graph::Function& s = function.source;
            function.source = graph::make_function(s->name, s->params, std::move(bindings), s->result, s->attrs);
            ORRERY_TRY(function.program, lower_function(function.source, function.name));
        }
        return {};
    }

    void note_weights() {
        std::size_t bytes = 0;
        for (const LoweredValue& value : model_.values)
            if (value.storage == runtime::Storage::Constant)
                bytes += static_cast<std::size_t>(element_count(value.shape)) * byte_size(value.dtype);
        for (LoweredFunction& function : model_.functions) {
            function.weights.assign(function.program->input_count, true);
            function.model_weights = bytes;
        }
        for (const LoweredCall& call : model_.calls) {
            std::vector<bool>& weights = model_.functions[call.function].weights;
            for (std::size_t i = 0; i < weights.size(); ++i)
                weights[i] = weights[i] && model_.values[call.args[i]].storage == runtime::Storage::Constant;
        }
    }

    /// Places that PlanMemory wrote into main: one a result of a call, in order.
    void take_planned() {
        const graph::AttrValue* memory = module_.main->attrs.find(graph::kMemoryAttr);
        const auto* offsets = memory ? std::get_if<graph::Ints>(memory) : nullptr;
        if (!offsets) return;
        for (std::size_t i = 0; i < std::min(offsets->size(), made_.size()); ++i)
            model_.values[made_[i]].planned_offset = (*offsets)[i];
    }

    /// Says of each value that is part of another where it lies. Pre: outputs have their places.
    void nest() {
        const auto put = [&](std::uint32_t id, std::size_t host, std::size_t offset) {
            const ops::Inside at = nesting_.inside[host].value_or(ops::Inside{host, 0});
            LoweredValue& value = model_.values[id];
            value.host = made_[at.host];
            value.host_offset = at.offset + offset;
            value.storage = model_.values[made_[at.host]].storage;
            value.index = model_.values[made_[at.host]].index;
        };
        for (std::size_t i = 0; i < made_.size(); ++i)
            if (const std::optional<ops::Inside>& at = nesting_.inside[i]) put(made_[i], at->host, at->offset);
        for (const Copy& copy : copies_) put(copy.value, copy.tensor, copy.offset);
    }

    /// An output needs memory of its own: a value that is also an input, a constant or an earlier output is copied.
    Result<void> place_outputs() {
        for (std::uint32_t id : ids_.at(module_.main->result)) {
            if (model_.values[id].storage != runtime::Storage::Arena) id = copy_of(id, model_.values[id].origin);
            LoweredValue& value = model_.values[id];
            value.storage = runtime::Storage::Output;
            value.index = model_.outputs.size();
            model_.outputs.push_back(id);
        }
        return {};
    }

    std::uint32_t copy_of(std::uint32_t id, OriginSet origin) {
        const LoweredValue source = model_.values[id];
        const tensor::Buffer buffer = tensor::make_buffer("x", source.dtype, source.shape);
        const std::string name = unique_name("copy");
        const std::size_t function =
            add_function(name, tensor::ComputeBuilder().program(name, {buffer}, {buffer}), nullptr);
        model_.values.push_back(
            {source.name + ".copy", source.dtype, source.shape, runtime::Storage::Arena, 0, origin});
        const auto copy = static_cast<std::uint32_t>(model_.values.size() - 1);
        add_call(nullptr, {function, {id}, {copy}, std::move(origin), nullptr});
        return copy;
    }

    /// A value that is a copy: part of a tensor.
    struct Copy {
        std::uint32_t value = 0;
        std::size_t tensor = 0, offset = 0;
    };

    const graph::Module& module_;
    const ops::CallTensors tensors_;
    const ops::Nesting nesting_;
    LoweredModel model_;
    std::size_t calls_ = 0;           ///< of main that are lowered
    std::vector<std::uint32_t> made_; ///< values by tensor, as tensors_ numbers them
    std::vector<Copy> copies_;
    std::unordered_map<Var, std::vector<std::uint32_t>> ids_;
    std::unordered_map<Hash, std::size_t> by_source_, by_workload_;
    std::unordered_map<std::size_t, std::vector<graph::Function>> equals_; ///< by function: what its calls apply
    std::unordered_map<std::size_t, std::vector<std::uint32_t>> region_constants_; ///< by function: values of its own
    std::unordered_set<std::string> names_;
};

} // namespace

Result<LoweredModel> lower_module(const graph::Module& module, const Progress& progress) {
    return ModuleLowering(module).run(progress);
}

} // namespace orrery::lower
