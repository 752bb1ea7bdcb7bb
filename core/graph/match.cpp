#include "core/graph/match.hpp"

#include "core/base/sequence_diff.hpp"

#include <algorithm>
#include <limits>
#include <map>
#include <span>
#include <unordered_map>
#include <utility>

// Outline: uses of nodes; the matcher (anchors, surroundings, spreading, names and places); what differs.

namespace orrery::graph {

namespace {

constexpr std::int32_t kNone = -1;
constexpr std::uint64_t kPairSeed = 0x9ae16a3b2f90404full; ///< sets labels of pairs apart from hashes of nodes

std::uint64_t mix(std::uint64_t a, std::uint64_t b) {
    // The finalizer of SplitMix64 over both. Source: Steele, Lea, Flood, OOPSLA 2014, figure 17.
    std::uint64_t z = a * 0x9e3779b97f4a7c15ull + b + 0x632be59bd9b4e019ull;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
    return z ^ (z >> 31);
}

/// A use of a node: operand `position` of node `user`.
struct Use {
    std::int32_t user = 0, position = 0;
};

/// One side: its nodes with their readers.
class Side {
  public:
    explicit Side(const OpenedFunction& f) : opened(f), match(f.nodes.size(), kNone), uses(f.nodes.size()) {
        for (const OpenedNode& node : f.nodes) {
            Hasher hasher;
            hash_into(hasher, node.var->type);
            hasher.add(static_cast<std::uint64_t>(node.inputs.size()));
            shape.push_back(hasher.finish().low);
        }
        for (std::size_t i = 0; i < f.nodes.size(); ++i)
            for (std::size_t k = 0; k < f.nodes[i].inputs.size(); ++k)
                if (const std::int32_t from = f.nodes[i].inputs[k]; from >= 0)
                    uses[static_cast<std::size_t>(from)].push_back(
                        {static_cast<std::int32_t>(i), static_cast<std::int32_t>(k)});
    }
    [[nodiscard]] std::size_t size() const { return opened.nodes.size(); }
    [[nodiscard]] const OpenedNode& node(std::size_t i) const { return opened.nodes[i]; }
    [[nodiscard]] bool free(std::size_t i) const { return match[i] == kNone; }
    [[nodiscard]] bool is_param(std::size_t i) const { return static_cast<std::int32_t>(i) < opened.params; }
    [[nodiscard]] bool is_result(std::size_t i) const { return static_cast<std::int32_t>(i) == opened.result; }

    const OpenedFunction& opened;
    std::vector<std::int32_t> match; ///< node of the other side
    std::vector<std::vector<Use>> uses;
    std::vector<std::uint64_t> shape; ///< hash of type and number of operands: what may take another's place
};

class Matcher {
  public:
    Matcher(const OpenedFunction& before, const OpenedFunction& after, const MatchOptions& options)
        : a_(before), b_(after), same_model_(options.same_model) {}

    std::vector<std::int32_t> run() {
        if (same_model_) by_handle();
        parameters();
        by_class(values(a_), values(b_), Most::Equal);
        by_class(destinies(a_), destinies(b_), Most::One);
        for (int depth = 4; depth > 0; --depth) by_class(surroundings(a_, depth), surroundings(b_, depth), Most::One);
        spread(Fit::Own);
        if (same_model_) by_label(Fit::Own, [](const OpenedNode& n) { return origin_label(n); });
        by_label(Fit::Own, [](const OpenedNode& n) { return name_label(n); });
        spread(Fit::Own);
        for (int round = 0; round < 4 && by_class(labelled(a_), labelled(b_), Most::One); ++round) spread(Fit::Own);
        in_order(Fit::Own);
        spread(Fit::Kind);
        if (same_model_) by_label(Fit::Kind, [](const OpenedNode& n) { return origin_label(n); });
        by_label(Fit::Kind, [](const OpenedNode& n) { return name_label(n); });
        in_order(Fit::Kind);
        spread(Fit::Kind);
        spread(Fit::Place);
        if (same_model_) renewed();
        return std::move(a_.match);
    }

  private:
    using Labels = std::vector<std::uint64_t>;
    enum class Most { One, Equal };      ///< classes of one node a side; or of equally many, paired in order
    enum class Fit { Own, Kind, Place }; ///< equal in all but operands; of one operator; of one type and arity

    static std::uint64_t key(const Side& side, std::size_t i, Fit fit) {
        return fit == Fit::Own ? side.node(i).own : fit == Fit::Kind ? side.node(i).kind : side.shape[i];
    }

    bool pair(std::size_t i, std::size_t j) {
        if (!a_.free(i) || !b_.free(j) || a_.is_param(i) != b_.is_param(j)) return false;
        const auto is_constant = [](const OpenedNode& n) { return n.value && n.value->kind == ExprKind::Constant; };
        if (is_constant(a_.node(i)) != is_constant(b_.node(j))) return false;
        a_.match[i] = static_cast<std::int32_t>(j);
        b_.match[j] = static_cast<std::int32_t>(i);
        fresh_.push_back(i);
        return true;
    }

    // ---------------------------------------------------------------------------------- anchors

    void by_handle() {
        const auto match_on = [&](auto handle_of) {
            std::unordered_map<const Object*, std::pair<std::int32_t, int>> seen; // node, how often
            for (std::size_t j = 0; j < b_.size(); ++j)
                if (const Object* handle = b_.free(j) ? handle_of(b_.node(j)) : nullptr) {
                    auto& entry = seen[handle];
                    entry = {static_cast<std::int32_t>(j), entry.second + 1};
                }
            std::unordered_map<const Object*, int> own;
            for (std::size_t i = 0; i < a_.size(); ++i) ++own[handle_of(a_.node(i))];
            for (std::size_t i = 0; i < a_.size(); ++i) {
                const Object* handle = handle_of(a_.node(i));
                const auto it = handle && a_.free(i) && own[handle] == 1 ? seen.find(handle) : seen.end();
                if (it != seen.end() && it->second.second == 1) pair(i, static_cast<std::size_t>(it->second.first));
            }
        };
        match_on([](const OpenedNode& n) -> const Object* { return n.var.get(); });
        match_on([](const OpenedNode& n) -> const Object* { return n.value.get(); });
    }

    /// By name where the names are told apart on both sides, then by place.
    void parameters() {
        const auto params = [](const Side& side) {
            return std::span(side.opened.nodes).first(static_cast<std::size_t>(side.opened.params));
        };
        const auto names = [](std::span<const OpenedNode> nodes) {
            std::map<std::string, std::size_t> named;
            for (std::size_t i = 0; i < nodes.size(); ++i) named.emplace(nodes[i].var->name, i);
            return named;
        };
        const auto x = params(a_), y = params(b_);
        const auto named_x = names(x), named_y = names(y);
        const bool same_types =
            std::ranges::equal(x, y, [](const OpenedNode& p, const OpenedNode& q) { return p.own == q.own; });
        const bool same_names =
            std::ranges::equal(named_x, named_y, [](const auto& p, const auto& q) { return p.first == q.first; });
        if (named_x.size() == x.size() && named_y.size() == y.size() && (same_names || !same_types))
            for (const auto& [name, i] : named_x)
                if (const auto it = named_y.find(name); it != named_y.end()) pair(i, it->second);
        for (std::size_t i = 0; i < x.size() && i < y.size(); ++i)
            if (same_types || x[i].own == y[i].own) pair(i, i);
    }

    /// The label of a pair, the same on both sides; 0 when the node has none.
    std::uint64_t pair_label(const Side& side, std::size_t i) const {
        if (side.free(i)) return 0;
        const auto first = &side == &a_ ? i : static_cast<std::size_t>(side.match[i]);
        return mix(kPairSeed, first);
    }

    /// Equal for nodes that compute the same from the same parameters.
    Labels values(const Side& side) const {
        Labels labels(side.size());
        for (std::size_t i = 0; i < side.size(); ++i) {
            std::uint64_t label = side.is_param(i) ? mix(pair_label(side, i), side.node(i).own) : side.node(i).own;
            for (const std::int32_t input : side.node(i).inputs)
                label = mix(label, input < 0 ? 1 : labels[static_cast<std::size_t>(input)]);
            labels[i] = label;
        }
        return labels;
    }

    /// Equal for nodes whose readers do the same with them, down to the result.
    Labels destinies(const Side& side) const {
        Labels labels(side.size());
        for (std::size_t i = side.size(); i-- > 0;) {
            std::uint64_t sum = side.is_result(i) ? 7 : 0; // a sum, since readers have no order that both sides share
            for (const Use& use : side.uses[i])
                sum += mix(labels[static_cast<std::size_t>(use.user)], static_cast<std::uint64_t>(use.position));
            labels[i] = mix(side.node(i).own, sum);
        }
        return labels;
    }

    Labels refined(const Side& side, const Labels& labels) const {
        Labels next(side.size());
        for (std::size_t i = 0; i < side.size(); ++i) {
            std::uint64_t label = mix(side.node(i).own, labels[i]);
            for (const std::int32_t input : side.node(i).inputs)
                label = mix(label, input < 0 ? 1 : labels[static_cast<std::size_t>(input)]);
            std::uint64_t sum = side.is_result(i) ? 7 : 0;
            for (const Use& use : side.uses[i])
                sum += mix(labels[static_cast<std::size_t>(use.user)], static_cast<std::uint64_t>(use.position));
            next[i] = mix(label, sum);
        }
        return next;
    }

    /// Equal for nodes whose neighbours look the same, up to `depth` edges away.
    Labels surroundings(const Side& side, int depth) const {
        Labels labels(side.size());
        for (std::size_t i = 0; i < side.size(); ++i) labels[i] = side.node(i).own;
        for (int k = 0; k < depth; ++k) labels = refined(side, labels);
        return labels;
    }

    /// Like surroundings, but matched neighbours count as what they are.
    Labels labelled(const Side& side) const {
        Labels labels(side.size());
        for (std::size_t i = 0; i < side.size(); ++i) {
            const std::uint64_t known = pair_label(side, i);
            labels[i] = known != 0 ? known : side.node(i).own;
        }
        return refined(side, labels);
    }

    bool by_class(const Labels& of_a, const Labels& of_b, Most most) {
        std::unordered_map<std::uint64_t, std::pair<std::vector<std::size_t>, std::vector<std::size_t>>> classes;
        for (std::size_t i = 0; i < a_.size(); ++i)
            if (a_.free(i)) classes[of_a[i]].first.push_back(i);
        for (std::size_t j = 0; j < b_.size(); ++j)
            if (b_.free(j))
                if (const auto it = classes.find(of_b[j]); it != classes.end()) it->second.second.push_back(j);
        bool any = false;
        for (const auto& [label, members] : classes) {
            const auto& [left, right] = members;
            if (left.size() != right.size() || (most == Most::One && left.size() != 1)) continue;
            for (std::size_t k = 0; k < left.size(); ++k)
                if (a_.node(left[k]).own == b_.node(right[k]).own) any = pair(left[k], right[k]) || any;
        }
        return any;
    }

    // --------------------------------------------------------------------------- from pair to pair

    /// Operands and readers of matched nodes match when they fit and nothing else there does.
    void spread(Fit fit) {
        if (a_.opened.result >= 0 && b_.opened.result >= 0)
            join(static_cast<std::size_t>(a_.opened.result), static_cast<std::size_t>(b_.opened.result), fit);
        fresh_.clear();
        for (std::size_t i = 0; i < a_.size(); ++i)
            if (!a_.free(i)) fresh_.push_back(i);
        while (!fresh_.empty()) {
            const std::size_t i = fresh_.back();
            fresh_.pop_back();
            const auto j = static_cast<std::size_t>(a_.match[i]);
            const auto &x = a_.node(i).inputs, &y = b_.node(j).inputs;
            for (std::size_t k = 0; x.size() == y.size() && k < x.size(); ++k)
                if (x[k] >= 0 && y[k] >= 0) join(static_cast<std::size_t>(x[k]), static_cast<std::size_t>(y[k]), fit);
            readers(i, j, fit);
        }
    }

    bool join(std::size_t i, std::size_t j, Fit fit) {
        return a_.free(i) && b_.free(j) && key(a_, i, fit) == key(b_, j, fit) && pair(i, j);
    }

    /// The only free reader of a kind at an operand position on either side. Cost: linear in the readers.
    void readers(std::size_t i, std::size_t j, Fit fit) {
        const auto free_readers = [fit](const Side& side, std::size_t at) {
            std::unordered_map<std::uint64_t, std::int32_t> found; // kNone where there are several
            for (const Use& use : side.uses[at]) {
                const auto user = static_cast<std::size_t>(use.user);
                if (!side.free(user)) continue;
                const std::uint64_t label = mix(key(side, user, fit), static_cast<std::uint64_t>(use.position));
                const auto [it, first] = found.emplace(label, use.user);
                if (!first) it->second = kNone;
            }
            return found;
        };
        if (a_.uses[i].empty() || b_.uses[j].empty()) return;
        const auto left = free_readers(a_, i), right = free_readers(b_, j);
        for (const auto& [label, user] : left) {
            const auto it = right.find(label);
            if (user != kNone && it != right.end() && it->second != kNone)
                join(static_cast<std::size_t>(user), static_cast<std::size_t>(it->second), fit);
        }
    }

    // ---------------------------------------------------------------------------- names and places

    static std::uint64_t origin_label(const OpenedNode& node) {
        if (node.origin.empty()) return 0;
        std::uint64_t label = 3;
        for (const SourceId id : node.origin.ids()) label = mix(label, id);
        return label;
    }
    static std::uint64_t name_label(const OpenedNode& node) {
        return node.var->name.empty() ? 0 : std::hash<std::string>()(node.var->name) | 1;
    }

    /// Nodes that alone on their side have a label and fit.
    template <class Label> void by_label(Fit fit, Label label_of) {
        const auto collect = [&](const Side& side) {
            std::unordered_map<std::uint64_t, std::int32_t> found;
            for (std::size_t i = 0; i < side.size(); ++i) {
                const std::uint64_t label = side.is_param(i) || !side.free(i) ? 0 : label_of(side.node(i));
                if (label == 0) continue;
                const auto [it, first] = found.emplace(mix(label, key(side, i, fit)), static_cast<std::int32_t>(i));
                if (!first) it->second = kNone;
            }
            return found;
        };
        const auto left = collect(a_), right = collect(b_);
        for (const auto& [label, i] : left) {
            const auto it = right.find(label);
            if (i == kNone || it == right.end() || it->second == kNone) continue;
            const auto x = static_cast<std::size_t>(i), y = static_cast<std::size_t>(it->second);
            if (near(x, y) || !has_matched_neighbour(x, y)) pair(x, y);
        }
    }

    /// True when an operand or a reader of one is matched to an operand or a reader of the other.
    [[nodiscard]] bool near(std::size_t i, std::size_t j) const {
        const auto &x = a_.node(i).inputs, &y = b_.node(j).inputs;
        for (const std::int32_t input : x)
            if (input >= 0 && a_.match[static_cast<std::size_t>(input)] != kNone &&
                std::ranges::find(y, a_.match[static_cast<std::size_t>(input)]) != y.end())
                return true;
        if (a_.is_result(i) && b_.is_result(j)) return true;
        constexpr std::size_t kMostReaders = 64; // of a value that everything reads, one reader says little
        for (std::size_t k = 0; k < a_.uses[i].size() && k < kMostReaders; ++k) {
            const std::int32_t other = a_.match[static_cast<std::size_t>(a_.uses[i][k].user)];
            if (other == kNone) continue;
            const auto& inputs = b_.node(static_cast<std::size_t>(other)).inputs;
            if (std::ranges::find(inputs, static_cast<std::int32_t>(j)) != inputs.end()) return true;
        }
        return false;
    }

    /// True when there is anything to tell by whether the two are near.
    [[nodiscard]] bool has_matched_neighbour(std::size_t i, std::size_t j) const {
        const auto any = [](const Side& side, std::size_t at) {
            return std::ranges::any_of(
                       side.node(at).inputs,
                       [&](std::int32_t k) { return k >= 0 && !side.free(static_cast<std::size_t>(k)); }) ||
                   std::ranges::any_of(side.uses[at],
                                       [&](const Use& u) { return !side.free(static_cast<std::size_t>(u.user)); });
        };
        return any(a_, i) && any(b_, j);
    }

    /// What is left between the same matched neighbours in order, aligned by what fits.
    void in_order(Fit fit) {
        std::vector<std::uint64_t> x, y;
        std::vector<std::size_t> at_x, at_y;
        const auto collect = [&](const Side& side, std::vector<std::uint64_t>& keys, std::vector<std::size_t>& at) {
            for (std::size_t i = 0; i < side.size(); ++i) {
                if (side.is_param(i)) continue;
                const std::uint64_t known = pair_label(side, i);
                keys.push_back(known != 0 ? known : key(side, i, fit));
                at.push_back(i);
            }
        };
        collect(a_, x, at_x);
        collect(b_, y, at_y);
        for (const SequencePair& p : common_subsequence(x, y)) {
            const std::size_t i = at_x[p.a], j = at_y[p.b];
            if (a_.free(i) && b_.free(j) && key(a_, i, fit) == key(b_, j, fit) && near(i, j)) pair(i, j);
        }
    }

    /// A value that a pass made anew under the old name, for the same model nodes: another operator, the same value.
    void renewed() {
        std::unordered_map<std::string, std::int32_t> named;
        for (std::size_t j = 0; j < b_.size(); ++j) {
            if (!b_.free(j)) continue;
            const auto [it, first] = named.emplace(b_.node(j).var->name, static_cast<std::int32_t>(j));
            if (!first) it->second = kNone;
        }
        std::unordered_map<std::string, int> often;
        for (std::size_t i = 0; i < a_.size(); ++i) often[a_.node(i).var->name] += a_.free(i) ? 1 : 0;
        for (std::size_t i = 0; i < a_.size(); ++i) {
            if (!a_.free(i)) continue;
            const OpenedNode& x = a_.node(i);
            const auto it = named.find(x.var->name);
            if (it == named.end() || it->second == kNone || often[x.var->name] != 1) continue;
            const OpenedNode& y = b_.node(static_cast<std::size_t>(it->second));
            if (x.origin.intersects(y.origin) && equal(x.var->type, y.var->type))
                pair(i, static_cast<std::size_t>(it->second));
        }
    }

    Side a_, b_;
    bool same_model_;
    std::vector<std::size_t> fresh_; ///< nodes of `a_` matched since they were last spread from
};

// ------------------------------------------------------------------------------------ what differs

std::uint8_t difference(const OpenedNode& a, const OpenedNode& b, const std::vector<std::int32_t>& after_of) {
    std::uint8_t bits = 0;
    if (!equal(a.var->type, b.var->type)) bits |= kType;
    if (a.kind != b.kind) bits |= kOperator;
    if (a.own != b.own && a.kind == b.kind && a.value) {
        const auto *x = as<CallOp>(a.value), *y = as<CallOp>(b.value);
        if (x && y) {
            if (!(x->attrs == y->attrs)) bits |= kAttributes;
        } else if ((bits & kType) == 0 || a.value->kind != ExprKind::Tuple) {
            bits |= kContent;
        }
    }
    const bool same_operands = a.inputs.size() == b.inputs.size() &&
                               std::ranges::equal(a.inputs, b.inputs, [&](std::int32_t x, std::int32_t y) {
                                   return x < 0 || y < 0 ? x == y : after_of[static_cast<std::size_t>(x)] == y;
                               });
    return static_cast<std::uint8_t>(bits | (same_operands ? 0 : kOperands));
}

/// Kernel of one side to the kernel of the other that holds most of its matched nodes.
std::vector<std::int32_t> group_map(const OpenedFunction& from, const OpenedFunction& to,
                                    const std::vector<std::int32_t>& match) {
    std::vector<std::int32_t> map(from.groups.size(), kNone);
    for (std::size_t g = 0; g < from.groups.size(); ++g) {
        std::map<std::int32_t, int> votes;
        const OpenedGroup& group = from.groups[g];
        for (std::int32_t i = group.first; i < group.first + group.count; ++i)
            if (const std::int32_t j = match[static_cast<std::size_t>(i)]; j >= 0)
                if (const std::int32_t other = to.nodes[static_cast<std::size_t>(j)].group; other >= 0) ++votes[other];
        int most = 0;
        for (const auto& [other, count] : votes)
            if (count > most) most = count, map[g] = other;
    }
    return map;
}

/// The kernel a node shares with other operators; a kernel of one operator is as good as none.
std::int32_t shared_group(const OpenedFunction& side, const std::vector<int>& operators, std::size_t node) {
    const std::int32_t group = side.nodes[node].group;
    return group >= 0 && operators[static_cast<std::size_t>(group)] > 1 ? group : kNone;
}

std::vector<int> operators_in_groups(const OpenedFunction& side) {
    std::vector<int> count(side.groups.size(), 0);
    for (const OpenedNode& node : side.nodes)
        if (node.group >= 0 && node.value->kind == ExprKind::CallOp) ++count[static_cast<std::size_t>(node.group)];
    return count;
}

bool is_weight(const OpenedNode& node) { return node.value && node.value->kind == ExprKind::Constant; }

void mark_groups(const OpenedFunction& before, const OpenedFunction& after, FunctionMatch& out) {
    const std::vector<int> in_before = operators_in_groups(before), in_after = operators_in_groups(after);
    for (std::size_t i = 0; i < before.nodes.size(); ++i) {
        const std::int32_t j = out.after_of[i];
        if (j < 0 || !before.nodes[i].value || is_weight(before.nodes[i])) continue;
        const std::int32_t from = shared_group(before, in_before, i),
                           to = shared_group(after, in_after, static_cast<std::size_t>(j));
        const bool stays = (from == kNone && to == kNone) ||
                           (from != kNone && to != kNone && out.after_group[static_cast<std::size_t>(from)] == to &&
                            out.before_group[static_cast<std::size_t>(to)] == from);
        if (!stays) out.differs[i] |= kGroup;
    }
}

/// Nodes that keep the order, as indices of `before`: as many operators as can be, then weights between them.
void mark_order(const OpenedFunction& before, FunctionMatch& out) {
    std::vector<bool> in_line(before.nodes.size(), false);
    const auto keep = [&](const std::vector<std::uint32_t>& nodes) {
        std::vector<std::uint32_t> order;
        for (const std::uint32_t i : nodes) order.push_back(static_cast<std::uint32_t>(out.after_of[i]));
        for (const std::uint32_t k : longest_increasing(order)) in_line[nodes[k]] = true;
    };
    std::vector<std::uint32_t> operators;
    for (std::uint32_t i = 0; i < before.nodes.size(); ++i)
        if (out.after_of[i] >= 0 && !is_weight(before.nodes[i])) operators.push_back(i);
    keep(operators);
    std::vector<std::int32_t> next_after(before.nodes.size() + 1, std::numeric_limits<std::int32_t>::max());
    for (std::size_t i = before.nodes.size(); i-- > 0;)
        next_after[i] = in_line[i] ? out.after_of[i] : next_after[i + 1];
    std::vector<std::uint32_t> weights;
    std::int32_t last_after = -1;
    for (std::uint32_t i = 0; i < before.nodes.size(); ++i) {
        if (in_line[i]) {
            keep(std::exchange(weights, {}));
            last_after = out.after_of[i];
        } else if (is_weight(before.nodes[i]) && out.after_of[i] > last_after && out.after_of[i] < next_after[i]) {
            weights.push_back(i);
        }
    }
    keep(weights);
    for (std::size_t i = 0; i < before.nodes.size(); ++i)
        if (out.after_of[i] >= 0 && !in_line[i]) out.differs[i] |= kOrder;
}

} // namespace

const char* to_string(NodeChange change) {
    switch (change) {
    case NodeChange::Same: return "same";
    case NodeChange::Changed: return "changed";
    case NodeChange::Moved: return "moved";
    case NodeChange::Removed: return "removed";
    case NodeChange::Added: return "added";
    }
    return "";
}

bool FunctionMatch::identical() const {
    const auto same = [](NodeChange c) { return c == NodeChange::Same; };
    return std::ranges::all_of(before, same) && std::ranges::all_of(after, same);
}

FunctionMatch compare_matched(const OpenedFunction& before, const OpenedFunction& after,
                              std::vector<std::int32_t> after_of) {
    FunctionMatch out;
    out.after_of = std::move(after_of);
    out.before_of.assign(after.nodes.size(), kNone);
    out.before.assign(before.nodes.size(), NodeChange::Removed);
    out.after.assign(after.nodes.size(), NodeChange::Added);
    out.differs.assign(before.nodes.size(), 0);
    for (std::size_t i = 0; i < before.nodes.size(); ++i)
        if (const std::int32_t j = out.after_of[i]; j >= 0) {
            out.before_of[static_cast<std::size_t>(j)] = static_cast<std::int32_t>(i);
            out.differs[i] = difference(before.nodes[i], after.nodes[static_cast<std::size_t>(j)], out.after_of);
        }
    out.after_group = group_map(before, after, out.after_of);
    out.before_group = group_map(after, before, out.before_of);
    mark_groups(before, after, out);
    mark_order(before, out);
    for (std::size_t i = 0; i < before.nodes.size(); ++i) {
        const std::int32_t j = out.after_of[i];
        if (j < 0) continue;
        const std::uint8_t bits = out.differs[i];
        // Where a weight stands in the list says nothing.
        const bool moved = (bits & kGroup) != 0 || ((bits & kOrder) != 0 && !is_weight(before.nodes[i]));
        const bool changed = (bits & ~(kGroup | kOrder)) != 0;
        const NodeChange change = changed ? NodeChange::Changed : moved ? NodeChange::Moved : NodeChange::Same;
        out.before[i] = out.after[static_cast<std::size_t>(j)] = change;
    }
    return out;
}

FunctionMatch match_functions(const OpenedFunction& before, const OpenedFunction& after, const MatchOptions& options) {
    return compare_matched(before, after, Matcher(before, after, options).run());
}

} // namespace orrery::graph
