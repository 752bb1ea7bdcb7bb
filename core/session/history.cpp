#include "core/session/history.hpp"

#include "core/graph/match.hpp"
#include "core/graph/op.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <tuple>
#include <unordered_map>
#include <unordered_set>

// Outline: modules indexed; one step forward; one step back; the walk; kernels.

namespace orrery::session {

namespace {

using graph::Binding;
using graph::Var;

constexpr std::size_t kMostFollowed = 16; ///< values followed at once; a kernel may hold dozens. Source: our choice
constexpr std::size_t kMostLines = 200;   ///< lines of a kernel listed. Source: our choice

/// "core/transform/fuse_ops.cpp": the path from the repository's root.
std::string from_root(const char* file) {
    const std::string_view path(file);
    for (const std::string_view folder : {"core/", "backends/"})
        if (const std::size_t at = path.rfind(std::string("/") + std::string(folder)); at != std::string_view::npos)
            return std::string(path.substr(at + 1));
    return std::string(path);
}

std::string value_text(const graph::Expr& value) {
    const auto list = [&value] {
        std::string text = "(";
        for (const Var& var : graph::operands(value))
            text += (text.size() > 1 ? ", " : "") + (var ? var->name : std::string("_"));
        return text + ")";
    };
    if (const auto* call = graph::as<graph::CallOp>(value)) {
        std::string attrs;
        for (const auto& [name, attr] : call->attrs.values())
            attrs += (attrs.empty() ? " {" : ", ") + name + "=" + graph::to_string(attr);
        return call->op.name + list() + (attrs.empty() ? "" : attrs + "}");
    }
    if (const auto* call = graph::as<graph::CallFunction>(value)) return "@" + call->function->name + list();
    if (value->kind == graph::ExprKind::Constant) return "const";
    if (value->kind == graph::ExprKind::If) return "if" + list();
    if (value->kind == graph::ExprKind::Loop) return "loop" + list();
    return list();
}

/// Main's bindings by variable and by expression.
class Indexed {
  public:
    explicit Indexed(const graph::Module& m) : module(m) {
        for (const Binding& binding : m.main->bindings) {
            by_var_.emplace(binding.var.get(), &binding);
            by_value_.emplace(binding.value.get(), &binding);
        }
        for (const Var& param : m.main->params) params_.insert(param.get());
    }
    [[nodiscard]] const Binding* binding(const Object* handle) const {
        if (const auto it = by_var_.find(handle); it != by_var_.end()) return it->second;
        const auto it = by_value_.find(handle);
        return it == by_value_.end() ? nullptr : it->second;
    }
    [[nodiscard]] bool has(const Var& var) const { return by_var_.contains(var.get()) || params_.contains(var.get()); }
    [[nodiscard]] bool is_param(const Var& var) const { return params_.contains(var.get()); }
    [[nodiscard]] std::string text(const Var& var) const {
        const Binding* found = binding(var.get());
        const std::string head = var->name + ": " + graph::to_string(var->type);
        return found ? head + " = " + value_text(found->value) : head;
    }
    const graph::Module& module;

  private:
    std::unordered_map<const Object*, const Binding*> by_var_, by_value_;
    std::unordered_set<const Object*> params_;
};

/// One step: the modules around it, its record both ways, and the match of the two when it is needed.
class Passage {
  public:
    Passage(const GraphStep& step, const Indexed& before, const Indexed& after)
        : before(before), after(after), step_(step) {
        for (const pass::Rewrite& r : step.rewrites) {
            forward_.emplace(r.before.get(), &r);
            if (r.after) backward_.emplace(r.after.get(), &r);
        }
    }

    struct Answer {
        std::vector<Var> values; ///< on the other side
        Fate fate = Fate::Rewired;
        const pass::Rewrite* rewrite = nullptr;
        bool touched = true; ///< false: the step left the value alone
    };

    Answer forward(const Var& var) {
        const Binding* binding = before.binding(var.get());
        if (!binding)
            return {after.has(var) ? std::vector<Var>{var} : std::vector<Var>{}, Fate::Removed, nullptr,
                    !after.has(var)};
        const pass::Rewrite* rewrite = find(forward_, *binding);
        if (rewrite) return recorded(*binding, *rewrite);
        if (const Binding* same = after.binding(var.get()); same && same->value == binding->value)
            return {{var}, Fate::Rewired, nullptr, false};
        if (const Var other = across(var, true)) {
            const Binding* next = after.binding(other.get());
            return {{other}, fate_of(*binding, next), nullptr, !equal_but_names(*binding, next)};
        }
        std::vector<Var> heirs = heirs_of(*binding);
        return {heirs, heirs.empty() ? Fate::Removed : Fate::Merged, nullptr, true};
    }

    Answer backward(const Var& var) {
        const Binding* binding = after.binding(var.get());
        if (!binding) return {{var}, Fate::Rewired, nullptr, false};
        std::vector<Var> from;
        const pass::Rewrite* first = nullptr;
        collect_backward(var.get(), from, first, 0);
        collect_backward(binding->value.get(), from, first, 0);
        if (!from.empty()) return {from, fate_of(*before.binding(from.front().get()), binding), first, true};
        if (const Binding* same = before.binding(var.get()); same && same->value == binding->value)
            return {{var}, Fate::Rewired, nullptr, false};
        if (const Var other = across(var, false)) {
            const Binding* old = before.binding(other.get());
            if (old) return {{other}, fate_of(*old, binding), nullptr, !equal_but_names(*old, binding)};
        }
        // Made by the pass, for the model nodes it carries.
        for (const Binding& each : before.module.main->bindings)
            if (from.size() < kMostFollowed && each.value->kind != graph::ExprKind::Constant &&
                each.origin == binding->origin && !binding->origin.empty())
                from.push_back(each.var);
        return {from, Fate::Introduced, first, true};
    }

    const Indexed &before, &after;

  private:
    using Record = std::unordered_multimap<const Object*, const pass::Rewrite*>;

    static const pass::Rewrite* find(const Record& record, const Binding& binding) {
        if (const auto it = record.find(binding.var.get()); it != record.end()) return it->second;
        const auto it = record.find(binding.value.get());
        return it == record.end() ? nullptr : it->second;
    }

    /// Follows a rewrite to what stands at the end of the pass: it may have been rewritten again within it.
    Answer recorded(const Binding& binding, const pass::Rewrite& first) {
        const pass::Rewrite* rewrite = &first;
        for (int hops = 0; hops < 32; ++hops) {
            if (!rewrite->after) return {{}, Fate::Removed, rewrite, true};
            const Binding* next = after.binding(rewrite->after.get());
            if (next) {
                const bool known = before.binding(next->var.get()) && next->var != binding.var &&
                                   next->value->kind != graph::ExprKind::CallFunction;
                return {{next->var}, known ? Fate::Merged : fate_of(binding, next), rewrite, true};
            }
            const auto again = forward_.find(rewrite->after.get());
            if (again == forward_.end() || again->second == rewrite) break;
            rewrite = again->second;
        }
        // What stood for it is gone too, or is a parameter.
        const auto* var = dynamic_cast<const graph::VarNode*>(rewrite->after.get());
        if (var != nullptr && after.has(Var(var))) return {{Var(var)}, Fate::Merged, rewrite, true};
        return {heirs_of(binding), Fate::Merged, rewrite, true};
    }

    void collect_backward(const Object* handle, std::vector<Var>& from, const pass::Rewrite*& first, int hops) {
        const auto [begin, end] = backward_.equal_range(handle);
        for (auto it = begin; it != end; ++it) {
            if (!first) first = it->second;
            const Object* source = it->second->before.get();
            if (const Binding* binding = before.binding(source)) {
                if (from.size() < kMostFollowed && std::ranges::find(from, binding->var) == from.end())
                    from.push_back(binding->var);
            } else if (hops < 32 && source != handle) {
                collect_backward(source, from, first, hops + 1);
            }
        }
    }

    static Fate fate_of(const Binding& old, const Binding* next) {
        using Kind = graph::ExprKind;
        if (!next) return Fate::Merged;
        if (next->value->kind == Kind::Constant && old.value->kind != Kind::Constant) return Fate::Folded;
        if (next->value->kind == Kind::CallFunction && old.value->kind != Kind::CallFunction) return Fate::Fused;
        const auto *x = graph::as<graph::CallOp>(old.value), *y = graph::as<graph::CallOp>(next->value);
        return x && y && &x->op == &y->op && x->attrs == y->attrs ? Fate::Rewired : Fate::Rewritten;
    }

    /// The same expression over variables of the same names.
    static bool equal_but_names(const Binding& old, const Binding* next) {
        return next && value_text(old.value) == value_text(next->value) && graph::equal(old.var->type, next->var->type);
    }

    /// Values that carry the origins of one that is gone without a word: the ones that it went into.
    std::vector<Var> heirs_of(const Binding& binding) const {
        std::vector<Var> heirs;
        if (binding.origin.empty() || binding.value->kind == graph::ExprKind::Constant) return heirs;
        for (const Binding& each : after.module.main->bindings)
            if (heirs.size() < kMostFollowed && each.value->kind != graph::ExprKind::Constant &&
                std::ranges::includes(each.origin.ids(), binding.origin.ids()))
                heirs.push_back(each.var);
        return heirs;
    }

    /// By the match of both modules: the node that stands for this one, when its binding is of main.
    Var across(const Var& var, bool forwards) {
        if (!match_) {
            opened_before_ = graph::open_function(before.module.main);
            opened_after_ = graph::open_function(after.module.main);
            match_ = graph::match_functions(opened_before_, opened_after_);
            for (std::size_t i = 0; i < opened_before_.nodes.size(); ++i)
                node_before_.emplace(opened_before_.nodes[i].var, i);
            for (std::size_t j = 0; j < opened_after_.nodes.size(); ++j)
                node_after_.emplace(opened_after_.nodes[j].var, j);
        }
        const auto& from = forwards ? node_before_ : node_after_;
        const auto& to = forwards ? opened_after_ : opened_before_;
        const auto it = from.find(var);
        if (it == from.end()) return {};
        const std::int32_t other = (forwards ? match_->after_of : match_->before_of)[it->second];
        if (other < 0) return {};
        const graph::OpenedNode& node = to.nodes[static_cast<std::size_t>(other)];
        return node.group < 0 ? node.var : to.groups[static_cast<std::size_t>(node.group)].var;
    }

    const GraphStep& step_;
    Record forward_, backward_;
    std::optional<graph::FunctionMatch> match_;
    graph::OpenedFunction opened_before_, opened_after_;
    std::unordered_map<Var, std::size_t> node_before_, node_after_;
};

class Historian {
  public:
    Historian(const Snapshot& snapshot, const Progress& progress) : snapshot_(snapshot), progress_(progress) {
        for (const auto& step : snapshot.steps) modules_.emplace_back(step->module);
    }

    Result<ValueHistory> run(std::size_t step, const Var& value) {
        ValueHistory out;
        out.name = value->name;
        out.text = modules_[step].text(value);
        out.step = step;
        out.steps = snapshot_.steps.size();
        if (const Binding* binding = modules_[step].binding(value.get())) out.origin = binding->origin;
        for (const SourceId id : out.origin.ids())
            if (id < modules_[step].module.sources->size()) out.sources.push_back((*modules_[step].module.sources)[id]);
        ORRERY_CHECK_OK(back(out, step, value));
        ORRERY_CHECK_OK(ahead(out, step, value));
        return out;
    }

  private:
    Result<void> back(ValueHistory& out, std::size_t step, const Var& value) {
        std::vector<Var> followed{value};
        for (std::size_t s = step; s > 0 && !followed.empty(); --s) ORRERY_CHECK_OK(cross(out, s, false, followed));
        if (!followed.empty()) {
            HistoryEvent event;
            event.fate = Fate::Imported;
            for (const Var& var : followed) event.after.push_back(modules_[0].text(var));
            out.events.push_back(std::move(event));
        }
        std::ranges::reverse(out.events);
        return {};
    }

    Result<void> ahead(ValueHistory& out, std::size_t step, const Var& value) {
        std::vector<Var> followed{value};
        for (std::size_t s = step + 1; s < modules_.size() && !followed.empty(); ++s)
            ORRERY_CHECK_OK(cross(out, s, true, followed));
        for (const Var& var : followed) kernels(out, var);
        return {};
    }

    /// Follows values across one step, ahead or back: one event when it touched any of them.
    Result<void> cross(ValueHistory& out, std::size_t step, bool ahead, std::vector<Var>& followed) {
        if (progress_.cancelled()) return Diagnostic{Code::Cancelled, "cancelled", {}, {}};
        if (!snapshot_.steps[step]->changed) return {};
        Passage passage(*snapshot_.steps[step], modules_[step - 1], modules_[step]);
        Indexed &here = modules_[ahead ? step - 1 : step], &there = modules_[ahead ? step : step - 1];
        HistoryEvent event;
        std::vector<std::string>&own = ahead ? event.before : event.after, &others = ahead ? event.after : event.before;
        std::vector<Var> next;
        bool touched = false;
        for (const Var& var : followed) {
            const Passage::Answer answer = ahead ? passage.forward(var) : passage.backward(var);
            for (const Var& other : answer.values)
                if (std::ranges::find(next, other) == next.end() && next.size() < kMostFollowed) next.push_back(other);
            if (!answer.touched) continue;
            add(event, step, answer, touched);
            touched = true;
            own.push_back(here.text(var));
            for (const Var& other : answer.values)
                if (const std::string text = there.text(other); std::ranges::find(others, text) == others.end())
                    others.push_back(text);
        }
        if (touched) out.events.push_back(std::move(event));
        followed = std::move(next);
        return {};
    }

    static void add(HistoryEvent& event, std::size_t step, const Passage::Answer& answer, bool again) {
        event.step = step;
        if (!again) event.fate = answer.fate;
        if (!answer.rewrite || !event.rule.empty()) return;
        event.rule = answer.rewrite->rule;
        event.file = from_root(answer.rewrite->file);
        event.line = answer.rewrite->line;
    }

    void kernels(ValueHistory& out, const Var& var) const {
        if (!snapshot_.lowered) return;
        for (const lower::LoweredJoin& join : snapshot_.lowered->joins)
            out.in_place = out.in_place || (join.var == var && join.copies == ops::Copies::Nothing);
        for (const lower::LoweredCall& call : snapshot_.lowered->calls) {
            if (call.var != var || call.function >= snapshot_.functions.size()) continue;
            const ScheduledFunction& function = *snapshot_.functions[call.function];
            HistoryKernel kernel;
            kernel.function = function.lowered.name;
            int number = 0;
            for (const tensor::PrintedLine& line : function.printed.lines) {
                ++number;
                if (kernel.lines.size() >= kMostLines || !line.origin.intersects(out.origin)) continue;
                kernel.lines.push_back(number);
                kernel.texts.push_back(line.text);
            }
            for (const schedule::TraceStep& step : function.trace.steps)
                kernel.schedule.push_back(schedule::to_string(step));
            out.kernels.push_back(std::move(kernel));
        }
    }

    const Snapshot& snapshot_;
    const Progress& progress_;
    std::vector<Indexed> modules_;
};

} // namespace

const char* to_string(Fate fate) {
    switch (fate) {
    case Fate::Imported: return "imported";
    case Fate::Introduced: return "introduced";
    case Fate::Rewritten: return "rewritten";
    case Fate::Rewired: return "rewired";
    case Fate::Merged: return "merged";
    case Fate::Folded: return "folded";
    case Fate::Fused: return "fused";
    case Fate::Removed: return "removed";
    }
    return "";
}

graph::Var find_value(const graph::Module& module, std::string_view name) {
    std::map<std::string, int> seen;
    const auto is_it = [&](const Var& var) {
        const int again = seen[var->name]++;
        return again == 0 ? var->name == name : var->name + "#" + std::to_string(again) == name;
    };
    for (const Var& param : module.main->params)
        if (is_it(param)) return param;
    for (const Binding& binding : module.main->bindings) {
        const graph::ExprKind kind = binding.value->kind;
        if (kind != graph::ExprKind::Project && kind != graph::ExprKind::Tuple && is_it(binding.var))
            return binding.var;
    }
    return nullptr;
}

graph::Var find_value(const graph::Module& module, const OriginSet& origins) {
    const Binding* found = nullptr;
    std::tuple<int, long, long> score;
    for (const Binding& b : module.main->bindings) {
        if (!b.origin.intersects(origins)) continue;
        long shared = 0;
        for (const SourceId id : b.origin.ids()) shared += origins.contains(id) ? 1 : 0;
        const bool constant = b.value->kind == graph::ExprKind::Constant;
        const auto own = std::tuple(constant ? 0 : 1, shared, shared - static_cast<long>(b.origin.ids().size()));
        if (found == nullptr || own > score) found = &b, score = own;
    }
    return found ? found->var : nullptr;
}

Result<ValueHistory> history_of(const Snapshot& snapshot, std::size_t step, const graph::Var& value,
                                const Progress& progress) {
    ORRERY_ASSERT(step < snapshot.steps.size() && value != nullptr, "a value of a step");
    return Historian(snapshot, progress).run(step, value);
}

} // namespace orrery::session
