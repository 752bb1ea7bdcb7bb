#include "views/model/session_views.hpp"

#include "core/graph/op.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace orrery::views {
namespace {

constexpr std::int64_t kSampled = 1 << 20; ///< elements looked at for statistics; larger arrays are sampled evenly
constexpr int kFirstValues = 8;

std::string number(double value) {
    char text[32];
    std::snprintf(text, sizeof text, "%.4g", value);
    return text;
}

InspectorSection constant_section(const std::string& name, const NDArray& value) {
    InspectorSection section{"Constant " + name, "", {{"type", type_text(value.dtype(), value.shape()), true}}};
    const std::int64_t count = value.size();
    if (count == 0) return section;
    const std::int64_t step = std::max<std::int64_t>(1, count / kSampled);
    double low = INFINITY, high = -INFINITY, sum = 0;
    std::int64_t seen = 0, zeros = 0;
    for (std::int64_t i = 0; i < count; i += step, ++seen) {
        const double v = value.as_double(i);
        low = std::min(low, v), high = std::max(high, v), sum += v;
        zeros += v == 0 ? 1 : 0;
    }
    section.fields.push_back({"range", number(low) + " to " + number(high)});
    section.fields.push_back({"mean", number(sum / static_cast<double>(seen))});
    if (zeros > 0)
        section.fields.push_back(
            {"zeros", number(100.0 * static_cast<double>(zeros) / static_cast<double>(seen)) + " %"});
    if (step > 1) section.fields.push_back({"statistics", "of every " + std::to_string(step) + "th element"});
    std::string first;
    for (std::int64_t i = 0; i < std::min<std::int64_t>(count, kFirstValues); ++i)
        first += (i == 0 ? "" : ", ") + number(value.as_double(i));
    section.fields.push_back({"first", first + (count > kFirstValues ? ", …" : ""), true});
    return section;
}

class Inspector {
  public:
    Inspector(const session::Snapshot& snapshot, const session::GraphStep& step)
        : snapshot_(snapshot), module_(step.module) {}

    InspectorViewData run(const Selection& selection) {
        const graph::Binding* binding = best(selection.origins);
        if (binding == nullptr) return std::move(data_);
        if (const auto* call = graph::as<graph::CallOp>(binding->value))
            operator_call(*binding, *call);
        else if (const auto* kernel = graph::as<graph::CallFunction>(binding->value))
            kernel_call(*binding, *kernel);
        else
            plain(*binding);
        sources(binding->origin);
        constants(binding->value);
        return std::move(data_);
    }

  private:
    /// The binding that fits the selection best: most shared origins, then fewest others; constants last.
    [[nodiscard]] const graph::Binding* best(const OriginSet& origins) const {
        const graph::Binding* found = nullptr;
        std::tuple<int, long, long> score;
        for (const graph::Binding& b : module_.main->bindings) {
            if (!b.origin.intersects(origins)) continue;
            long shared = 0;
            for (const SourceId id : b.origin.ids()) shared += origins.contains(id) ? 1 : 0;
            const bool constant = b.value->kind == graph::ExprKind::Constant;
            const auto own = std::tuple(constant ? 0 : 1, shared, shared - static_cast<long>(b.origin.ids().size()));
            if (found == nullptr || own > score) found = &b, score = own;
        }
        return found;
    }

    void head(const graph::Binding& binding, const std::string& title) {
        data_.title = title;
        data_.subtitle = binding.var->name;
        data_.sections.push_back({"Result", "", {{"type", graph::to_string(binding.var->type), true}}});
    }

    void operands(InspectorSection& section, const graph::CallOp& call) {
        for (std::size_t i = 0; i < call.args.size(); ++i) {
            if (!call.args[i]) continue;
            const std::size_t spec = std::min(i, call.op.operands.empty() ? 0 : call.op.operands.size() - 1);
            const std::string name = call.op.operands.empty() ? "operand" : call.op.operands[spec].name;
            section.fields.push_back({name, graph::to_string(call.args[i]->type) + "  " + call.args[i]->name, true});
        }
    }

    void attributes(const graph::CallOp& call) {
        InspectorSection section{"Attributes", "", {}};
        for (const auto& [name, value] : call.attrs.values())
            section.fields.push_back({name, graph::to_string(value), true});
        if (!section.fields.empty()) data_.sections.push_back(std::move(section));
    }

    void document(const graph::Op& op) {
        data_.sections.push_back({op.name, op.doc, {{"fusion", std::string(graph::to_string(op.fusion))}}});
    }

    void operator_call(const graph::Binding& binding, const graph::CallOp& call) {
        head(binding, call_title(call));
        InspectorSection section{"Operands", "", {}};
        operands(section, call);
        data_.sections.push_back(std::move(section));
        attributes(call);
        kernel_facts(binding);
        document(call.op);
    }

    void kernel_call(const graph::Binding& binding, const graph::CallFunction& call) {
        head(binding, call.function->name);
        kernel_facts(binding);
        InspectorSection body{"Fused operators", "", {}};
        const graph::CallOp* main = nullptr;
        for (const graph::Binding& inner : call.function->bindings)
            if (const auto* op = graph::as<graph::CallOp>(inner.value)) {
                body.fields.push_back({op->op.name, graph::to_string(inner.var->type), true});
                if (main == nullptr || op->op.fusion == graph::FusionKind::OutFusable) main = op;
            }
        data_.sections.push_back(std::move(body));
        if (main == nullptr) return;
        attributes(*main);
        document(main->op);
    }

    void plain(const graph::Binding& binding) {
        const bool constant = binding.value->kind == graph::ExprKind::Constant;
        head(binding, constant                                       ? "constant"
                      : binding.value->kind == graph::ExprKind::If   ? "if"
                      : binding.value->kind == graph::ExprKind::Loop ? "loop"
                                                                     : "value");
        if (const auto* value = graph::as<graph::Constant>(binding.value))
            data_.sections.push_back(constant_section(binding.var->name, value->value));
    }

    /// Work, time and speed of the kernel that computes a binding.
    void kernel_facts(const graph::Binding& binding) {
        if (!snapshot_.compiled) return;
        const lower::LoweredModel& model = snapshot_.compiled->model;
        for (std::size_t c = 0; c < model.calls.size(); ++c) {
            if (model.calls[c].var != binding.var) continue;
            const session::ScheduledFunction& f = *snapshot_.compiled->functions[model.calls[c].function];
            InspectorSection section{"Kernel", "", {{"program", f.lowered.name, true}}};
            if (f.lowered.calls > 1)
                section.fields.push_back({"shared by", std::to_string(f.lowered.calls) + " calls of equal shape"});
            section.fields.push_back({"work", number(f.cost.flops / 1e6) + " MFLOP, reads " +
                                                  bytes_text(static_cast<std::uint64_t>(f.cost.bytes_read)) +
                                                  ", writes " +
                                                  bytes_text(static_cast<std::uint64_t>(f.cost.bytes_written))});
            if (snapshot_.run)
                for (const auto& step : snapshot_.run->steps)
                    if (step.call == c && step.microseconds > 0)
                        section.fields.push_back({"measured", number(step.microseconds / 1000) + " ms, " +
                                                                  number(f.cost.flops / step.microseconds / 1000) +
                                                                  " GFLOP/s"});
            section.fields.push_back({"schedule", f.trace_is_default
                                                      ? "default, " + std::to_string(f.trace.steps.size()) + " steps"
                                                      : "yours, " + std::to_string(f.trace.steps.size()) +
                                                            (f.trace.steps.size() == 1 ? " step" : " steps")});
            data_.sections.push_back(std::move(section));
        }
        for (const lower::LoweredJoin& join : model.joins)
            if (join.var == binding.var) data_.sections.push_back({"Memory", "", {{"joins", join_text(join)}}});
    }

    void sources(const OriginSet& origin) {
        InspectorSection section{"Came from the model's", "", {}};
        constexpr std::size_t kShown = 12;
        for (const SourceId id : origin.ids()) {
            if (section.fields.size() == kShown) {
                section.fields.push_back({"and", std::to_string(origin.ids().size() - kShown) + " more"});
                break;
            }
            if (id < module_.sources->size())
                section.fields.push_back({(*module_.sources)[id].op_type, (*module_.sources)[id].name, true});
        }
        if (!section.fields.empty()) data_.sections.push_back(std::move(section));
    }

    void constants(const graph::Expr& value) {
        for (const graph::Var& var : graph::operands(value))
            for (const graph::Binding& b : module_.main->bindings)
                if (b.var == var)
                    if (const auto* constant = graph::as<graph::Constant>(b.value))
                        data_.sections.push_back(constant_section(var->name, constant->value));
    }

    const session::Snapshot& snapshot_;
    const graph::Module& module_;
    InspectorViewData data_;
};

} // namespace

InspectorViewData build_inspector(const session::Snapshot& snapshot, const ViewOptions& options) {
    const auto step = shown_step(snapshot, options.graph_step);
    if (!step || options.selection.origins.empty()) return {};
    return Inspector(snapshot, *step).run(options.selection);
}

} // namespace orrery::views
