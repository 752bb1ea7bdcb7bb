// The graph of one step as items to lay out.

#include "views/model/session_views.hpp"

#include "core/graph/op.hpp"
#include "core/ops/layout.hpp"
#include "core/transform/fusion.hpp"
#include "core/transform/passes.hpp"

#include <algorithm>
#include <unordered_map>
#include <unordered_set>

namespace orrery::views {

namespace {

using graph::Binding;
using graph::Var;

/// The path a node's name stands in: "layer1/0/conv1" of "/layer1/0/conv1/Conv" and of "layer1.0.conv1.weight".
std::string scope_of(std::string name) {
    std::ranges::replace(name, '.', '/');
    if (name.starts_with('/')) name.erase(0, 1);
    const std::size_t cut = name.rfind('/');
    return cut == std::string::npos ? std::string() : name.substr(0, cut);
}

std::string title_of(const graph::FunctionNode& function) {
    std::string title;
    std::size_t shown = 0, more = 0;
    constexpr std::size_t kMostShown = 4;
    bool product = false;
    for (const Binding& binding : function.bindings) {
        const auto* call = graph::as<graph::CallOp>(binding.value);
        if (!call || (product && call->op.name == "bias_add")) continue; // a bias belongs to the product before it
        product = call->op.name.starts_with("conv") || call->op.name.starts_with("layout_conv") ||
                  call->op.name == "matmul" || call->op.name == "layout_matmul";
        if (++shown > kMostShown)
            ++more;
        else
            title += (title.empty() ? "" : " · ") + call_title(*call);
    }
    return more > 0 ? title + " · +" + std::to_string(more) : title;
}

/// The operator that says most about a kernel: the one that works hardest.
OperatorKind kind_of(const graph::FunctionNode& function) {
    OperatorKind kind = OperatorKind::Other;
    for (const Binding& binding : function.bindings) {
        const auto* call = graph::as<graph::CallOp>(binding.value);
        if (!call) continue;
        const OperatorKind own = operator_kind(call->op.name);
        if (own == OperatorKind::Convolution || own == OperatorKind::MatMul || own == OperatorKind::Recurrent)
            return own;
        if (kind == OperatorKind::Other || kind == OperatorKind::Elementwise) kind = own;
    }
    return kind;
}

class Describer {
  public:
    Describer(const session::Snapshot& snapshot, const session::GraphStep& step, const DescribeOptions& options)
        : snapshot_(snapshot), step_(step), options_(options) {
        if (!snapshot.lowered) return;
        // What was measured is of the last step's kernels; a variable may have had its name from the start.
        const bool last = &step == snapshot.steps.back().get();
        values_.resize(snapshot.lowered->calls.size());
        for (std::size_t c = 0; c < snapshot.lowered->calls.size(); ++c) {
            const lower::LoweredCall& call = snapshot.lowered->calls[c];
            if (call.var) call_of_var_[call.var] = c;
            for (SourceId id : call.origin.ids()) call_of_source_.emplace(id, c);
            if (!last || call.function >= snapshot.functions.size()) continue;
            const tensor::Cost& cost = snapshot.functions[call.function]->cost;
            values_[c].flops = cost.flops, values_[c].bytes = cost.bytes_read + cost.bytes_written;
        }
        for (const lower::LoweredJoin& join : snapshot.lowered->joins)
            if (last && join.copies == ops::Copies::Nothing) in_place_.insert(join.var);
        explain_edges();
        if (last && snapshot.run)
            for (const session::RunResult::StepTime& time : snapshot.run->steps)
                if (time.call < values_.size()) values_[time.call].time_ms = time.microseconds / 1e3;
        if (last && snapshot.check)
            for (std::size_t c = 0; c < std::min(values_.size(), snapshot.check->rows.size()); ++c)
                values_[c].error = snapshot.check->rows[c].difference.max_rel;
    }

    GraphDescription run() {
        const graph::Function& main = step_.module.main;
        for (const Var& param : main->params) {
            GraphItem item;
            item.name = item.title = param->name;
            item.subtitle = short_type(param->type);
            item.kind = OperatorKind::Input;
            add(param, std::move(item));
        }
        costs_ = main->bindings.size() <= kCostedNodes ? options_.costs : nullptr;
        for (const Binding& binding : main->bindings) describe(binding, "");
        outputs(main->result);
        if (!out_.clusters.empty()) gather_clusters(out_);
        return std::move(out_);
    }

  private:
    static constexpr std::size_t kCostedNodes = 5000; ///< larger graphs show what their kernels cost. Our choice

    /// Why values are not fused with what reads them, as the recipe's first FuseOps says.
    void explain_edges() {
        const auto& passes = snapshot_.recipe.passes;
        const pass::Options facts = transform::facts_of(snapshot_.recipe.target);
        for (std::size_t i = 0; i < passes.size() && i + 1 < snapshot_.steps.size(); ++i) {
            const session::GraphStep& before = *snapshot_.steps[i];
            if (passes[i].name != "FuseOps" || !passes[i].enabled || snapshot_.steps[i + 1]->error) continue;
            if (before.module.main->bindings.size() > kCostedNodes) return;
            const Result<std::vector<transform::UnfusedEdge>> edges = transform::fusion_reasons(
                before.module, {transform::with_facts(passes[i], facts).options, {}, nullptr});
            if (edges)
                for (const transform::UnfusedEdge& edge : *edges) reasons_.emplace(edge.producer, edge.text);
            return;
        }
    }

    void add(const Var& var, GraphItem item) {
        if (const auto reason = reasons_.find(var); reason != reasons_.end()) item.reason = reason->second;
        // Blocks repeat with other channel counts: what a node does counts, not its shape.
        item.signature = item.title;
        if (const int again = names_[item.name]++; again > 0) item.name += "#" + std::to_string(again);
        index_[var] = static_cast<int>(out_.items.size());
        out_.items.push_back(std::move(item));
    }
    int index_of(const Var& var) const {
        const auto it = index_.find(var);
        return it == index_.end() ? -1 : it->second;
    }

    /// `path` is empty in main, "kernel/" within what is taken apart.
    void describe(const Binding& binding, const std::string& path) {
        if (const auto* project = graph::as<graph::Project>(binding.value)) {
            const auto tuple = fields_.find(project->tuple);
            const bool part = tuple != fields_.end() && project->index < tuple->second.size();
            const int source = index_of(part ? tuple->second[project->index] : project->tuple);
            if (source >= 0) index_[binding.var] = source;
            return;
        }
        if (binding.value->kind == graph::ExprKind::Tuple) {
            fields_[binding.var] = graph::operands(binding.value);
            return;
        }
        const auto* apply = graph::as<graph::CallFunction>(binding.value);
        if (apply != nullptr && cluster_ < 0 && is_cluster(*apply->function)) return take_apart(binding, *apply);
        GraphItem item;
        item.name = path + binding.var->name;
        item.subtitle = short_type(binding.var->type);
        item.origins = binding.origin;
        item.cluster = cluster_;
        if (!binding.origin.empty()) {
            const SourceId first = binding.origin.ids().front();
            if (first < step_.module.sources->size()) item.scope = scope_of((*step_.module.sources)[first].name);
        }
        if (binding.value->kind == graph::ExprKind::Constant) {
            item.title = binding.var->name;
            item.kind = OperatorKind::Constant;
            item.scope.clear();
            return add(binding.var, std::move(item));
        }
        if (const auto* call = graph::as<graph::CallOp>(binding.value)) {
            item.title = call_title(*call);
            item.kind = operator_kind(call->op.name);
        } else if (apply != nullptr) {
            item.title = title_of(*apply->function);
            item.kind = kind_of(*apply->function);
        } else {
            item.title = binding.value->kind == graph::ExprKind::If ? "if" : "loop";
        }
        for (const Var& operand : graph::operands(binding.value)) read(operand, item);
        link(binding, item);
        cost(binding, item);
        add(binding.var, std::move(item));
    }

    void read(const Var& operand, GraphItem& item) const {
        if (!operand) return;
        if (const int source = index_of(operand); source >= 0)
            item.inputs.push_back(source);
        else if (const auto tuple = fields_.find(operand); tuple != fields_.end())
            for (const Var& field : tuple->second)
                if (const int part = index_of(field); part >= 0) item.inputs.push_back(part);
    }

    /// "dnnl · region_1" of "dnnl_region_1"; a kernel's own name.
    static std::string part_title(const std::string& backend, const std::string& name) {
        if (backend.empty()) return name;
        return backend + " · " + (name.starts_with(backend + "_") ? name.substr(backend.size() + 1) : name);
    }
    /// What another backend takes is told apart whatever the groups are.
    bool is_cluster(const graph::FunctionNode& function) const {
        return function.attrs.has("backend") || (options_.group_by == GroupBy::Kernels && function.primitive());
    }

    /// The operators inside a kernel or a backend's part, as a cluster. What a backend takes as one operator stays one.
    void take_apart(const Binding& binding, const graph::CallFunction& apply) {
        const graph::FunctionNode& function = *apply.function;
        GraphCluster cluster{"cluster:" + binding.var->name, function.name, {}};
        cluster.backend = function.attrs.text("backend", "");
        if (const auto it = call_of_var_.find(binding.var); it != call_of_var_.end()) {
            cluster.values = values_[it->second];
            cluster.title = snapshot_.lowered->functions[snapshot_.lowered->calls[it->second].function].name;
        }
        cluster.title = part_title(cluster.backend, cluster.title);
        const bool in_place = in_place_.contains(binding.var);
        if (in_place) cluster.title += ", in place";
        const int outer = std::exchange(cluster_, static_cast<int>(out_.clusters.size()));
        out_.clusters.push_back(std::move(cluster));
        if (function.attrs.has("composite")) {
            out_.clusters.back().values = {}; // they are the item's
            describe(binding, "");
            cluster_ = outer;
            return;
        }
        // A function called twice has the same variables twice: the later ones are those to be found.
        for (std::size_t i = 0; i < function.params.size() && i < apply.args.size(); ++i)
            if (const int source = index_of(apply.args[i]); source >= 0) index_[function.params[i]] = source;
        // What a region consists of keeps its names from before it was one.
        const std::string path = out_.clusters.back().backend.empty() ? binding.var->name + "/" : std::string();
        const auto first = static_cast<std::ptrdiff_t>(out_.items.size());
        for (const Binding& inner : function.bindings) describe(inner, path);
        if (in_place)
            std::for_each(out_.items.begin() + first, out_.items.end(), [](GraphItem& item) { item.bytes = 0; });
        cluster_ = outer;
        if (const auto tuple = fields_.find(function.result); tuple != fields_.end()) {
            fields_[binding.var] = std::vector<Var>(tuple->second);
        } else if (const int result = index_of(function.result); result >= 0) {
            index_[binding.var] = result;
        }
    }

    void link(const Binding& binding, GraphItem& item) {
        std::size_t call = 0;
        if (const auto it = call_of_var_.find(binding.var); it != call_of_var_.end()) {
            call = it->second;
            const NodeValues& v = values_[call];
            item.time_ms = v.time_ms, item.flops = v.flops, item.bytes = v.bytes, item.error = v.error;
        } else if (in_place_.contains(binding.var)) {
            item.flops = item.bytes = 0; // no kernel makes it
            return;
        } else {
            const auto known =
                std::ranges::find_if(binding.origin.ids(), [&](SourceId id) { return call_of_source_.contains(id); });
            if (known == binding.origin.ids().end()) return;
            call = call_of_source_.at(*known);
        }
        const lower::LoweredFunction& function = snapshot_.lowered->functions[snapshot_.lowered->calls[call].function];
        item.function = function.name;
        const bool grouped = options_.group_by == GroupBy::Kernels ||
                             (options_.group_by == GroupBy::Backends && !function.backend.empty());
        if (!grouped || item.cluster >= 0) return;
        // Not fused yet: by the kernel it ends up in.
        const auto [at, fresh] = cluster_of_call_.emplace(call, static_cast<int>(out_.clusters.size()));
        if (fresh)
            out_.clusters.push_back(
                {"kernel:" + std::to_string(call), part_title(function.backend, function.name), {}, function.backend});
        item.cluster = at->second;
    }

    void cost(const Binding& binding, GraphItem& item) const {
        if (costs_ == nullptr || item.flops >= 0) return;
        const auto* apply = graph::as<graph::CallFunction>(binding.value);
        const std::optional<tensor::Cost> cost =
            apply != nullptr ? costs_->kernel(apply->function) : costs_->call(binding.value, binding.var->type);
        if (cost) item.flops = cost->flops, item.bytes = cost->bytes_read + cost->bytes_written;
    }

    void outputs(const Var& result) {
        std::vector<Var> results{result};
        if (const auto it = fields_.find(result); it != fields_.end()) results = it->second;
        for (std::size_t i = 0; i < results.size(); ++i) {
            GraphItem item;
            item.name = "output " + std::to_string(i);
            item.title = i < step_.module.outputs.size() ? step_.module.outputs[i] : item.name;
            item.subtitle = short_type(results[i]->type);
            item.kind = OperatorKind::Output;
            if (const int source = index_of(results[i]); source >= 0) {
                item.inputs.push_back(source);
                item.origins = out_.items[static_cast<std::size_t>(source)].origins;
            }
            item.signature = item.name;
            out_.items.push_back(std::move(item));
        }
    }

    const session::Snapshot& snapshot_;
    const session::GraphStep& step_;
    const DescribeOptions& options_;
    CostBook* costs_ = nullptr;
    GraphDescription out_;
    int cluster_ = -1;                             ///< being taken apart
    std::unordered_map<Var, std::string> reasons_; ///< by producer
    std::unordered_map<Var, int> index_;
    std::unordered_map<std::string, int> names_; ///< how often each was used
    std::unordered_map<Var, std::vector<Var>> fields_;
    std::unordered_map<Var, std::size_t> call_of_var_;
    std::unordered_map<SourceId, std::size_t> call_of_source_;
    std::unordered_set<Var> in_place_; ///< what no kernel makes
    std::unordered_map<std::size_t, int> cluster_of_call_;
    std::vector<NodeValues> values_; ///< by call
};

} // namespace

std::string call_title(const graph::CallOp& call) {
    std::string title = call.op.name;
    const auto window = [&title](std::span<const std::int64_t> extents) {
        for (std::size_t i = 0; i < extents.size(); ++i) title += (i ? "×" : " ") + std::to_string(extents[i]);
    };
    const bool packed = call.op.name == "layout_conv2d";
    if ((packed || call.op.name == "conv2d") && call.args.size() > 1 && call.args[1]) {
        const graph::TensorType* weight = graph::as_tensor(call.args[1]->type);
        const Result<ops::Layout> layout =
            ops::parse_layout(packed ? call.attrs.text("weight_layout", "OIHW") : "OIHW");
        if (weight && layout && graph::is_static(*weight) && weight->dims.size() == layout->axes.size()) {
            const Shape shape = graph::static_shape(*weight);
            const std::int64_t extents[] = {layout->extent('H', shape), layout->extent('W', shape)};
            window(extents);
        }
    }
    if (call.attrs.has("kernel")) window(call.attrs.ints("kernel"));
    if (call.attrs.has("strides")) {
        const graph::Ints strides = call.attrs.ints("strides", {});
        if (!strides.empty() && strides.front() > 1) title += " /" + std::to_string(strides.front());
    }
    return title;
}

std::string short_type(const graph::Type& type) {
    const graph::TensorType* tensor = graph::as_tensor(type);
    if (!tensor) return graph::to_string(type);
    std::string text;
    for (std::size_t i = 0; i < tensor->dims.size(); ++i) {
        const graph::Dim& dim = tensor->dims[i];
        if (i == 0 && dim.is_static() && dim.value == 1 && tensor->dims.size() > 1) continue;
        text += (text.empty() ? "" : "×") + (dim.is_static() ? std::to_string(dim.value) : dim.symbol);
    }
    if (text.empty()) text = "scalar";
    return tensor->dtype == DType::F32 ? text : text + " " + std::string(to_string(tensor->dtype));
}

std::shared_ptr<const session::GraphStep> shown_step(const session::Snapshot& snapshot, int graph_step) {
    if (!snapshot.has_model()) return nullptr;
    const auto last = static_cast<int>(snapshot.steps.size()) - 1;
    return snapshot.steps[static_cast<std::size_t>(graph_step < 0 || graph_step > last ? last : graph_step)];
}

GraphDescription describe_graph(const session::Snapshot& snapshot, int graph_step, const DescribeOptions& options) {
    GraphDescription description;
    const std::shared_ptr<const session::GraphStep> step = shown_step(snapshot, graph_step);
    if (!step) return description;
    description = Describer(snapshot, *step, options).run();
    description.title = step->name == "import"    ? "imported"
                        : step->error             ? "before " + step->name + ", which failed"
                        : step->name == "FuseOps" ? "fused"
                                                  : "after " + step->name;
    return description;
}

} // namespace orrery::views
