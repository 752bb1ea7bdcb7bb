// The matcher is a search with backtracking over a list of goals (this pattern at that variable). Goals form a chain
// on the stack, so that trying an operand's alternatives can go on with whatever else is left to match; the depth of
// the recursion is the size of the pattern, never that of the graph.

#include "core/graph/pattern_node.hpp"

#include "core/base/check.hpp"
#include "core/graph/op.hpp"

#include <algorithm>
#include <unordered_set>

namespace orrery::graph {

// ------------------------------------------------------------------------------ values

FunctionValues::FunctionValues(const Function& function) : function_(function) {
    index_.reserve(function->bindings.size());
    for (std::size_t i = 0; i < function->bindings.size(); ++i) {
        const Binding& binding = function->bindings[i];
        index_.emplace(binding.var, i);
        for (const Var& operand : operands(binding.value))
            if (operand) users_[operand].push_back(binding.var);
    }
}

const Binding* FunctionValues::binding_of(const Var& var) const {
    const auto it = index_.find(var);
    return it == index_.end() ? nullptr : &function_->bindings[it->second];
}

std::size_t FunctionValues::index_of(const Var& var) const {
    const auto it = index_.find(var);
    return it == index_.end() ? npos : it->second;
}

Expr FunctionValues::value_of(const Var& var) const {
    const Binding* binding = binding_of(var);
    return binding ? binding->value : Expr();
}

int FunctionValues::use_count(const Var& var) const {
    return static_cast<int>(users(var).size()) + (function_->result == var ? 1 : 0);
}

std::span<const Var> FunctionValues::users(const Var& var) const {
    const auto it = users_.find(var);
    return it == users_.end() ? std::span<const Var>() : std::span<const Var>(it->second);
}

// ------------------------------------------------------------------------------ building

namespace {

Pattern make(Pattern::Node node) { return Pattern(std::make_shared<const Pattern::Node>(std::move(node))); }

template <class Change> Pattern changed(const Pattern& pattern, Change change) {
    Pattern::Node copy = pattern.node();
    change(copy);
    return make(std::move(copy));
}

Pattern of_kind(PatternKind kind) {
    Pattern::Node node;
    node.kind = kind;
    return make(std::move(node));
}

} // namespace

Pattern any() { return of_kind(PatternKind::Any); }
Pattern missing() { return of_kind(PatternKind::Missing); }
Pattern constant() { return of_kind(PatternKind::Constant); }
Pattern parameter() { return of_kind(PatternKind::Parameter); }

Pattern op(std::string name) {
    Pattern::Node node;
    node.kind = PatternKind::Op;
    node.op = std::move(name);
    node.any_operands = true;
    return make(std::move(node));
}

Pattern op(std::string name, std::vector<Pattern> operands) {
    Pattern::Node node;
    node.kind = PatternKind::Op;
    node.op = std::move(name);
    node.children = std::move(operands);
    return make(std::move(node));
}

Pattern commutative(std::string name, Pattern a, Pattern b) {
    return changed(op(std::move(name), {std::move(a), std::move(b)}),
                   [](Pattern::Node& node) { node.either_order = true; });
}

Pattern any_of(std::vector<Pattern> alternatives) {
    ORRERY_ASSERT(!alternatives.empty(), "a pattern has an alternative");
    if (alternatives.size() == 1) return alternatives.front();
    Pattern::Node node;
    node.kind = PatternKind::AnyOf;
    node.children = std::move(alternatives);
    return make(std::move(node));
}

Pattern optional(const std::string& name, const Pattern& inner, const std::vector<Pattern>& more) {
    std::vector<Pattern> operands{inner};
    operands.insert(operands.end(), more.begin(), more.end());
    return any_of({op(name, std::move(operands)), inner});
}

Pattern dominated(const Pattern& from, const Pattern& path, const Pattern& to) {
    Pattern::Node node;
    node.kind = PatternKind::Dominated;
    node.children = {from, path, to};
    return make(std::move(node));
}

Pattern Pattern::as(std::string name) const {
    // A second name goes around the first.
    Node around;
    around.kind = PatternKind::AnyOf;
    around.children = {*this};
    return changed(node_->capture.empty() ? *this : make(std::move(around)),
                   [&](Node& node) { node.capture = std::move(name); });
}
Pattern Pattern::single_use() const {
    return changed(*this, [](Node& node) { node.once = true; });
}
Pattern Pattern::attr(std::string name, AttrValue value) const {
    return changed(*this, [&](Node& node) { node.attrs.push_back({std::move(name), std::move(value), false}); });
}
Pattern Pattern::attr_or_absent(std::string name, AttrValue value) const {
    return changed(*this, [&](Node& node) { node.attrs.push_back({std::move(name), std::move(value), true}); });
}
Pattern Pattern::dtype(DType dtype) const {
    return changed(*this, [&](Node& node) { node.dtype = dtype; });
}
Pattern Pattern::shape(Shape shape) const {
    return changed(*this, [&](Node& node) { node.shape = std::move(shape); });
}
Pattern Pattern::where(std::function<bool(const Var&, const Expr&)> test, std::string what) const {
    return changed(*this, [&](Node& node) {
        node.test = std::move(test);
        node.what = std::move(what);
    });
}

std::vector<std::string> Pattern::root_operators() const {
    if (node_->kind == PatternKind::Op) return {node_->op};
    if (node_->kind == PatternKind::Dominated) return node_->children[2].root_operators();
    std::vector<std::string> names;
    if (node_->kind != PatternKind::AnyOf) return names;
    for (const Pattern& child : node_->children) {
        const std::vector<std::string> more = child.root_operators();
        if (more.empty()) return {};
        names.insert(names.end(), more.begin(), more.end());
    }
    std::ranges::sort(names);
    names.erase(std::unique(names.begin(), names.end()), names.end());
    return names;
}

// ------------------------------------------------------------------------------ matching

namespace {

using Node = Pattern::Node;

class Solver {
  public:
    Solver(const Values& values, const Binding& root) : values_(values), root_(root) {}

    std::optional<Match> run(const Pattern& pattern) {
        const Goals goal{&pattern.node(), root_.var, nullptr};
        if (!solve(&goal)) return std::nullopt;
        Match match;
        match.root = root_.var;
        for (const auto& [name, var] : captures_) match.captures.emplace(name, var);
        match.calls = calls_;
        match.constants = constants_;
        return match;
    }

  private:
    struct Goals {
        const Node* pattern;
        Var var;
        const Goals* rest;
    };
    /// What has been noted so far, by length: going back is cutting.
    struct Mark {
        std::size_t captures, calls, constants;
    };
    [[nodiscard]] Mark mark() const { return {captures_.size(), calls_.size(), constants_.size()}; }
    void back_to(const Mark& mark) {
        captures_.resize(mark.captures);
        calls_.resize(mark.calls);
        constants_.resize(mark.constants);
    }

    [[nodiscard]] Expr value_of(const Var& var) const { return var == root_.var ? root_.value : values_.value_of(var); }

    bool solve(const Goals* goals) {
        if (!goals) return true;
        const Mark before = mark();
        if (at(*goals)) return true;
        back_to(before);
        return false;
    }

    bool at(const Goals& goal) {
        const Node& node = *goal.pattern;
        if (node.kind == PatternKind::Missing) return goal.var == nullptr && solve(goal.rest);
        if (goal.var == nullptr) return false;
        const Expr value = value_of(goal.var);
        if (!holds(node, goal.var, value)) return false;
        switch (node.kind) {
        case PatternKind::Any: return solve(goal.rest);
        case PatternKind::Missing: return false;
        case PatternKind::Parameter: return value == nullptr && solve(goal.rest);
        case PatternKind::Constant:
            if (!as<Constant>(value)) return false;
            note(constants_, goal.var);
            return solve(goal.rest);
        case PatternKind::Op: return call(goal, as<CallOp>(value));
        case PatternKind::AnyOf:
            return std::ranges::any_of(node.children, [&](const Pattern& child) {
                const Goals next{&child.node(), goal.var, goal.rest};
                return solve(&next);
            });
        case PatternKind::Dominated: return flows(goal);
        }
        fail_internal("the matcher covers every kind of pattern");
    }

    static void note(std::vector<Var>& list, const Var& var) {
        if (std::ranges::find(list, var) == list.end()) list.push_back(var);
    }

    /// The conditions that hang on a pattern of any kind; notes its capture.
    bool holds(const Node& node, const Var& var, const Expr& value) {
        if (node.once && values_.use_count(var) != 1) return false;
        if (!node.attrs.empty() && !attrs_hold(node, as<CallOp>(value))) return false;
        if (node.dtype || node.shape) {
            const TensorType* type = as_tensor(var->type);
            if (!type || (node.dtype && type->dtype != *node.dtype)) return false;
            if (node.shape && !fits(*node.shape, *type)) return false;
        }
        if (node.test && !node.test(var, value)) return false;
        if (node.capture.empty()) return true;
        for (const auto& [name, captured] : captures_)
            if (name == node.capture) return captured == var;
        captures_.emplace_back(node.capture, var);
        return true;
    }

    static bool attrs_hold(const Node& node, const CallOp* call) {
        return call && std::ranges::all_of(node.attrs, [call](const AttrTest& test) {
                   const AttrValue* value = call->attrs.find(test.name);
                   return value ? *value == test.value : test.may_be_absent;
               });
    }

    static bool fits(const Shape& shape, const TensorType& type) {
        return std::ranges::equal(shape, type.dims, [](std::int64_t wanted, const Dim& dim) {
            return wanted == -1 || (dim.is_static() && dim.value == wanted);
        });
    }

    bool call(const Goals& goal, const CallOp* call) {
        const Node& node = *goal.pattern;
        if (!call || call->op.name != node.op) return false;
        note(calls_, goal.var);
        if (node.any_operands) return solve(goal.rest);
        for (std::size_t i = node.children.size(); i < call->args.size(); ++i)
            if (call->args[i]) return false;
        if (node.either_order) {
            if (call->args.size() < 2) return false;
            const Goals second{&node.children[1].node(), call->args[1], goal.rest};
            const Goals first{&node.children[0].node(), call->args[0], &second};
            if (solve(&first)) return true;
            const Goals second_swapped{&node.children[1].node(), call->args[0], goal.rest};
            const Goals first_swapped{&node.children[0].node(), call->args[1], &second_swapped};
            return solve(&first_swapped);
        }
        std::vector<Goals> chain(node.children.size());
        const Goals* next = goal.rest;
        for (std::size_t i = chain.size(); i-- > 0;) {
            chain[i] = {&node.children[i].node(), i < call->args.size() ? call->args[i] : Var(), next};
            next = &chain[i];
        }
        return solve(next);
    }

    /// `to` at the goal's variable, then a value matching `from` above it from which nothing leaves but through there.
    bool flows(const Goals& goal) {
        const Node& node = *goal.pattern;
        for (const Var& source : sources_above(node.children[1], goal.var)) {
            const Mark before = mark();
            std::vector<Var> between;
            if (!fits_alone(node.children[0], source)) continue;
            if (!reaches(node.children[1], source, goal.var, between)) continue;
            const Goals from{&node.children[0].node(), source, goal.rest};
            const Goals to{&node.children[2].node(), goal.var, &from};
            // The root comes first in `calls_`, the path after it.
            if (solve(&to)) {
                for (const Var& var : between) note(calls_, var);
                return true;
            }
            back_to(before);
        }
        return false;
    }

    /// Whether a part of the pattern fits there, whatever has been captured.
    [[nodiscard]] bool fits_alone(const Pattern& pattern, const Var& var) const {
        return Solver(values_, {var, value_of(var), {}}).run(pattern).has_value();
    }

    /// Values `var` is computed from by way of values matching `path`, nearest first.
    [[nodiscard]] std::vector<Var> sources_above(const Pattern& path, const Var& var) const {
        std::vector<Var> found;
        std::unordered_set<Var> seen;
        const auto look_at = [&](const Expr& value) {
            if (!value) return;
            for (const Var& operand : operands(value))
                if (operand && found.size() < kLongestPath && seen.insert(operand).second) found.push_back(operand);
        };
        look_at(value_of(var));
        for (std::size_t i = 0; i < found.size(); ++i)
            if (fits_alone(path, found[i])) look_at(value_of(found[i]));
        return found;
    }

    /// True when everything computed from `source` flows into `sink` through values matching `path`.
    [[nodiscard]] bool reaches(const Pattern& path, const Var& source, const Var& sink,
                               std::vector<Var>& between) const {
        std::unordered_set<Var> seen{source};
        std::vector<Var> todo{source};
        while (!todo.empty()) {
            const Var var = todo.back();
            todo.pop_back();
            const std::span<const Var> users = values_.users(var);
            if (users.empty() || static_cast<int>(users.size()) != values_.use_count(var)) return false;
            for (const Var& user : users) {
                if (user == sink || !seen.insert(user).second) continue;
                if (seen.size() > kLongestPath || !fits_alone(path, user)) return false;
                between.push_back(user);
                todo.push_back(user);
            }
        }
        return true;
    }

    const Values& values_;
    const Binding root_;
    std::vector<std::pair<std::string, Var>> captures_;
    std::vector<Var> calls_, constants_;
};

} // namespace

std::optional<Match> match(const Pattern& pattern, const Binding& root, const Values& values) {
    return Solver(values, root).run(pattern);
}

std::optional<Match> match(const Pattern& pattern, const Var& root, const Values& values) {
    return match(pattern, Binding{root, values.value_of(root), {}}, values);
}

bool is_closed(const Match& match, const Values& values) {
    return std::ranges::all_of(match.calls, [&](const Var& var) {
        if (var == match.root) return true;
        const std::span<const Var> users = values.users(var);
        return static_cast<int>(users.size()) == values.use_count(var) && std::ranges::all_of(users, [&](const Var& u) {
                   return std::ranges::find(match.calls, u) != match.calls.end();
               });
    });
}

std::vector<FoundMatch> find_matches(std::span<const Pattern> patterns, const Function& function) {
    const FunctionValues values(function);
    std::unordered_map<std::string, std::vector<std::size_t>> by_root;
    std::vector<std::size_t> anywhere;
    for (std::size_t p = 0; p < patterns.size(); ++p) {
        const std::vector<std::string> roots = patterns[p].root_operators();
        if (roots.empty()) anywhere.push_back(p);
        for (const std::string& root : roots) by_root[root].push_back(p);
    }
    std::unordered_set<Var> taken;
    std::vector<FoundMatch> found;
    for (auto it = function->bindings.rbegin(); it != function->bindings.rend(); ++it) {
        const auto* call = as<CallOp>(it->value);
        if (!call || taken.contains(it->var)) continue;
        std::vector<std::size_t> candidates = anywhere;
        if (const auto roots = by_root.find(call->op.name); roots != by_root.end())
            candidates.insert(candidates.end(), roots->second.begin(), roots->second.end());
        std::ranges::sort(candidates);
        for (std::size_t p : candidates) {
            std::optional<Match> here = match(patterns[p], it->var, values);
            if (!here || !is_closed(*here, values)) continue;
            if (std::ranges::any_of(here->calls, [&](const Var& var) { return taken.contains(var); })) continue;
            taken.insert(here->calls.begin(), here->calls.end());
            found.push_back({p, *std::move(here)});
            break;
        }
    }
    std::ranges::reverse(found);
    return found;
}

} // namespace orrery::graph
