// Fusion in three steps.
// 1. The dataflow graph of main: one node a binding, an edge to each user with the kind of access it makes.
// 2. The post-dominator tree: the nearest node every path from a node to the result passes, with the widest kind
//    of access on the way. Nodes used outside (the result) have none.
// 3. Groups: going forward in two phases, a node joins the group of its post-dominator when the rules allow every
//    node on the way in between. Elementwise work after convolutions is taken first, injective chains second.
// 4. Pairs: a group around a depthwise convolution joins that of the convolution of single places which alone reads it,
//    where a piece of rows stays in the cache between the two; one around a convolution joins that of the pooling which
//    alone reads its image, where a piece of that stays in the cache or windows keep to the tiles it is computed in.
// 5. Attention: a matrix product joins the product of its softmax with a third matrix, where a few of its rows stay in
//    the cache between the two.
// 6. Operands: a chain that does nothing but reshape and transpose joins the matrix product that alone reads it: its
//    rows are read where they lie when they lie in one piece, and its columns are turned a panel at a time.

#include "core/graph/builder.hpp"
#include "core/ops/ops.hpp"
#include "core/transform/attention.hpp"
#include "core/transform/fusion.hpp"
#include "core/transform/options.hpp"
#include "core/transform/passes.hpp"
#include "core/transform/product_operand.hpp"
#include "core/transform/rule_rewriter.hpp"
#include "core/transform/window_pair.hpp"

#include <algorithm>
#include <optional>
#include <unordered_set>

namespace orrery::transform {

namespace {

using graph::Binding;
using graph::FusionKind;
using graph::Var;

constexpr std::ptrdiff_t kNone = -1;

/// `var` read elementwise by a call whose result has its shape, otherwise as the operator says.
FusionKind edge_kind(const graph::CallOp& call, const Var& operand, const Var& result) {
    const graph::TensorType *from = graph::as_tensor(operand->type), *to = graph::as_tensor(result->type);
    if (call.op.fusion == FusionKind::Broadcast && from && to && from->dims == to->dims) return FusionKind::Elementwise;
    return call.op.fusion;
}

struct Node {
    FusionKind kind = FusionKind::Opaque;
    bool call = false;    ///< an operator call, so it belongs to a group
    bool escapes = false; ///< the function's result
    std::vector<std::pair<std::size_t, FusionKind>> users;
    std::ptrdiff_t dominator = kNone;
    int depth = 0;
    FusionKind dominator_kind = FusionKind::Opaque; ///< widest access on the way to the dominator
    NotFused reason = NotFused::ElsewhereFused;     ///< why it was not fused with its dominator
};

/// The pass's options.
struct Limits {
    std::size_t group = 64;       ///< operators in a group
    std::int64_t piece_bytes = 0; ///< of a depthwise convolution's rows, 0 where it never shares a kernel
    std::int64_t image_bytes = 0; ///< of rows that are pooled, 0 where pooling has a kernel of its own
};

class Partition {
  public:
    Partition(const graph::Function& function, const Limits& limits) : limits_(limits) {
        build(function);
        dominate();
        groups_.resize(nodes_.size());
        for (std::size_t i = 0; i < nodes_.size(); ++i)
            groups_[i] = {i,
                          nodes_[i].kind,
                          nodes_[i].kind == FusionKind::OutFusable || nodes_[i].kind == FusionKind::Reduction,
                          i,
                          1,
                          i};
        for (int phase = 0; phase < 2; ++phase)
            for (std::size_t i = 0; i < nodes_.size(); ++i) try_fuse(i, phase);
        for (std::size_t i = 0; i < nodes_.size(); ++i) try_pair(function, i);
        for (std::size_t i = 0; i < nodes_.size(); ++i) try_pooled(function, i);
        for (std::size_t i = 0; i < nodes_.size(); ++i) try_attention(function, i);
        for (std::size_t i = 0; i < nodes_.size(); ++i) try_operands(function, i);
    }

    /// Edges between operators of different groups, with the reason the producer's group goes no further.
    std::vector<UnfusedEdge> unfused(const graph::Function& function) {
        std::vector<UnfusedEdge> edges;
        for (std::size_t i = 0; i < nodes_.size(); ++i) {
            if (!nodes_[i].call) continue;
            std::unordered_set<std::size_t> seen;
            for (const auto& [user, access] : nodes_[i].users)
                if (seen.insert(user).second && (!nodes_[user].call || root(i) != root(user)))
                    edges.push_back(edge(function, i, user));
        }
        std::ranges::stable_sort(edges, {}, [&](const UnfusedEdge& e) { return index_.at(e.consumer); });
        return edges;
    }

    /// Index of the last binding of the group of binding `i`.
    std::size_t sink(std::size_t i) { return groups_[root(i)].last; }
    bool is_call(std::size_t i) const { return nodes_[i].call; }
    FusionKind kind(std::size_t i) { return groups_[root(i)].kind; }
    /// What the kernel of binding `i` is called; null for its operators.
    const char* name(std::size_t i) { return groups_[root(i)].name; }

  private:
    struct Group {
        std::size_t parent = 0;
        FusionKind kind = FusionKind::Opaque;
        bool anchored =
            false; ///< holds a convolution, matrix product or reduction: only one may, but for pairs and attention
        std::size_t anchor = 0;
        std::size_t size = 1;
        std::size_t last = 0;
        const char* name = nullptr; ///< where it is more than a list of its operators
    };

    void build(const graph::Function& function) {
        std::unordered_map<Var, std::size_t>& index = index_;
        nodes_.resize(function->bindings.size());
        for (std::size_t i = 0; i < nodes_.size(); ++i) {
            const Binding& binding = function->bindings[i];
            index.emplace(binding.var, i);
            const auto* call = graph::as<graph::CallOp>(binding.value);
            nodes_[i].call = call != nullptr;
            if (call) nodes_[i].kind = graph::as_tensor(binding.var->type) ? call->op.fusion : FusionKind::Opaque;
            for (const Var& operand : graph::operands(binding.value)) {
                const auto it = operand ? index.find(operand) : index.end();
                if (it == index.end()) continue;
                nodes_[it->second].users.emplace_back(i, call ? edge_kind(*call, operand, binding.var)
                                                              : FusionKind::Opaque);
            }
        }
        if (const auto it = index.find(function->result); it != index.end()) nodes_[it->second].escapes = true;
    }

    void dominate() {
        for (std::size_t k = nodes_.size(); k-- > 0;) {
            Node& node = nodes_[k];
            node.depth = 1;
            if (node.escapes || node.users.empty()) continue;
            std::ptrdiff_t common = static_cast<std::ptrdiff_t>(node.users.front().first);
            FusionKind widest = node.users.front().second;
            for (const auto& [user, kind] : node.users) {
                widest = std::max(widest, kind);
                common = meet(common, static_cast<std::ptrdiff_t>(user), widest);
                if (common == kNone) break;
            }
            if (common == kNone) continue;
            node.dominator = common;
            node.dominator_kind = widest;
            node.depth = nodes_[static_cast<std::size_t>(common)].depth + 1;
        }
    }

    /// Nearest common post-dominator of two nodes, widening `widest` by what lies on the way.
    std::ptrdiff_t meet(std::ptrdiff_t a, std::ptrdiff_t b, FusionKind& widest) const {
        while (a != b) {
            if (a == kNone || b == kNone) return kNone;
            std::ptrdiff_t& deeper =
                nodes_[static_cast<std::size_t>(a)].depth >= nodes_[static_cast<std::size_t>(b)].depth ? a : b;
            widest = std::max(widest, nodes_[static_cast<std::size_t>(deeper)].dominator_kind);
            deeper = nodes_[static_cast<std::size_t>(deeper)].dominator;
        }
        return a;
    }

    std::size_t root(std::size_t i) {
        while (groups_[i].parent != i) i = groups_[i].parent = groups_[groups_[i].parent].parent;
        return i;
    }

    /// True when every node strictly between `from` and `to`, and `to` itself, belongs to a group of a kind that
    /// `allowed` takes.
    template <class Allowed> bool path_allows(std::size_t from, std::size_t to, Allowed allowed) {
        std::unordered_set<std::size_t> seen;
        std::vector<std::size_t> todo;
        for (const auto& user : nodes_[from].users) todo.push_back(user.first);
        while (!todo.empty()) {
            const std::size_t at = todo.back();
            todo.pop_back();
            if (!seen.insert(at).second) continue;
            if (!nodes_[at].call || !allowed(groups_[root(at)].kind, at == to)) return false;
            if (at == to) continue;
            for (const auto& user : nodes_[at].users) todo.push_back(user.first);
        }
        return true;
    }

    /// Puts `from` and everything on the way into the group of `to`, unless that would hold two anchors or grow too
    /// large.
    std::optional<NotFused> merge_path(std::size_t from, std::size_t to) {
        std::unordered_set<std::size_t> roots{root(from), root(to)};
        std::unordered_set<std::size_t> seen{to};
        std::vector<std::size_t> todo{from};
        while (!todo.empty()) {
            const std::size_t at = todo.back();
            todo.pop_back();
            if (!seen.insert(at).second) continue;
            roots.insert(root(at));
            for (const auto& user : nodes_[at].users) todo.push_back(user.first);
        }
        std::size_t size = 0;
        int anchors = 0;
        Group merged = groups_[root(to)];
        for (std::size_t r : roots) {
            size += groups_[r].size;
            anchors += groups_[r].anchored ? 1 : 0;
            merged.kind = std::max(merged.kind, groups_[r].kind);
            merged.last = std::max(merged.last, groups_[r].last);
            if (groups_[r].anchored) merged.anchor = groups_[r].anchor;
        }
        if (anchors > 1) return NotFused::SecondAnchor;
        if (size > limits_.group) return NotFused::TooLarge;
        const std::size_t target = root(to);
        for (std::size_t r : roots) groups_[r].parent = target;
        groups_[target] = {target, merged.kind, anchors == 1, merged.anchor, size, merged.last};
        return std::nullopt;
    }

    /// Puts the group of a depthwise convolution into that of the pointwise one `to`, its only reader.
    void try_pair(const graph::Function& function, std::size_t to) {
        const auto call_at = [&](std::size_t i) { return graph::as<graph::CallOp>(function->bindings[i].value); };
        if (limits_.piece_bytes == 0 || !nodes_[to].call || !is_pointwise(*call_at(to))) return;
        const auto read = index_.find(call_at(to)->args[0]);
        if (read == index_.end() || !nodes_[read->second].call || nodes_[read->second].dominator == kNone) return;
        const std::size_t from = read->second;
        const Group &first = groups_[root(from)], &second = groups_[root(to)];
        if (!first.anchored || !is_depthwise(*call_at(first.anchor)) || first.last != from ||
            nodes_[from].users.size() > 1)
            return;
        NotFused& reason = nodes_[from].reason;
        if (!has_piece(*call_at(to), limits_.piece_bytes)) return void(reason = NotFused::NoPiece);
        if (first.size + second.size > limits_.group) return void(reason = NotFused::TooLarge);
        groups_[root(to)].size += first.size;
        groups_[root(from)].parent = root(to);
    }

    /// Puts the group of a convolution that is not in groups into that of the pooling `to`, its image's only reader.
    void try_pooled(const graph::Function& function, std::size_t to) {
        const auto call_at = [&](std::size_t i) { return graph::as<graph::CallOp>(function->bindings[i].value); };
        if (limits_.image_bytes == 0 || !nodes_[to].call || !is_pooling(*call_at(to))) return;
        const std::optional<std::size_t> image = made_for(*call_at(to));
        if (!image) return;
        const graph::CallOp& convolution = *call_at(groups_[root(*image)].anchor);
        const bool tiles = is_tiled_convolution(convolution);
        if (!tiles && !is_plain_convolution(convolution)) return;
        NotFused& reason = nodes_[*image].reason;
        Group& group = groups_[root(to)];
        if (tiles && !keeps_to_tiles(*call_at(to), convolution)) return void(reason = NotFused::AcrossTiles);
        if (!tiles && !has_piece_to_pool(*call_at(to), limits_.image_bytes))
            return void(reason = NotFused::NoPieceToPool);
        if (group.size + groups_[root(*image)].size > limits_.group) return void(reason = NotFused::TooLarge);
        group.size += groups_[root(*image)].size;
        groups_[root(*image)].parent = root(to);
    }

    /// Puts the product whose softmax is the first factor of the product `to`, and that softmax, into its group.
    void try_attention(const graph::Function& function, std::size_t to) {
        const auto call_at = [&](std::size_t i) { return graph::as<graph::CallOp>(function->bindings[i].value); };
        if (limits_.piece_bytes == 0 || !nodes_[to].call || !is_product_of_values(*call_at(to))) return;
        const std::optional<std::size_t> weights = made_for(*call_at(to));
        const std::size_t softmax = weights ? groups_[root(*weights)].anchor : to;
        if (!weights || !is_softmax_of_rows(*call_at(softmax)) || groups_[root(*weights)].size > 1) return;
        const std::optional<std::size_t> scores = made_for(*call_at(softmax));
        const std::size_t product = scores ? groups_[root(*scores)].anchor : softmax;
        if (!scores || !is_product_of_values(*call_at(product)) ||
            !is_many_scores(*call_at(product), limits_.piece_bytes))
            return;
        if (!keeps_scores(*call_at(product), limits_.piece_bytes))
            return void(nodes_[*scores].reason = NotFused::NoPieceOfScores);
        const std::size_t size = groups_[root(*scores)].size + groups_[root(*weights)].size;
        if (groups_[root(to)].size + size > limits_.group) return void(nodes_[*scores].reason = NotFused::TooLarge);
        groups_[root(to)].size += size;
        groups_[root(to)].name = "attention";
        groups_[root(*scores)].parent = groups_[root(*weights)].parent = root(to);
    }
    /// The operator whose result is a call's first argument, where that alone reads it and its group ends there.
    std::optional<std::size_t> made_for(const graph::CallOp& call) {
        const auto read = index_.find(call.args[0]);
        if (read == index_.end()) return std::nullopt;
        const std::size_t from = read->second;
        const Group& group = groups_[root(from)];
        if (!nodes_[from].call || nodes_[from].escapes || nodes_[from].users.size() > 1 || !group.anchored ||
            group.last != from)
            return std::nullopt;
        return from;
    }

    /// Puts what only moves elements of an operand of the matrix product `to`, which alone reads them, into its group.
    void try_operands(const graph::Function& function, std::size_t to) {
        const auto* product = graph::as<graph::CallOp>(function->bindings[to].value);
        if (!product || !is_plain_product(*product)) return;
        for (std::size_t k = 0; k < product->args.size(); ++k) {
            const auto read = index_.find(product->args[k]);
            const std::optional<Shape> shape = shape_of(product->args[k]);
            if (read == index_.end() || !shape || shape->empty()) continue;
            const std::size_t from = read->second;
            if (!only_moves(function, from, k == 0 ? shape->back() : 1)) continue;
            const std::size_t size = groups_[root(from)].size;
            Group& group = groups_[root(to)];
            if (group.size + size > limits_.group) {
                nodes_[from].reason = NotFused::TooLarge;
                continue;
            }
            group.size += size;
            groups_[root(from)].parent = root(to);
        }
    }
    /// Whether the group of `last` is a chain that ends there, transposes, has one reader, and moves elements in whole
    /// stretches of so many.
    bool only_moves(const graph::Function& function, std::size_t last, std::int64_t stretch) {
        if (nodes_[last].escapes || nodes_[last].users.size() > 1) return false;
        const std::size_t group = root(last);
        std::size_t count = 0;
        bool transposes = false;
        for (auto at = index_.find(function->bindings[last].var); at != index_.end() && root(at->second) == group;) {
            const auto* call = graph::as<graph::CallOp>(function->bindings[at->second].value);
            if (!call || !keeps_stretches(*call, stretch)) return false;
            transposes = transposes || call->op.name == "transpose";
            ++count;
            at = index_.find(call->args[0]);
        }
        return transposes && count == groups_[group].size;
    }

    void try_fuse(std::size_t i, int phase) {
        Node& node = nodes_[i];
        if (!node.call || node.kind == FusionKind::Opaque || node.dominator == kNone) return;
        const auto to = static_cast<std::size_t>(node.dominator);
        if (!nodes_[to].call || root(i) == root(to)) return;
        node.reason = attempt(i, to, phase).value_or(node.reason);
    }

    /// Fuses `from` with `to` and what lies between when the rules allow; otherwise says why not, when this phase is
    /// the one to say.
    std::optional<NotFused> attempt(std::size_t i, std::size_t to, int phase) {
        const Node& node = nodes_[i];
        const auto merged = [&]() -> std::optional<NotFused> { return merge_path(i, to); };
        const FusionKind kind = groups_[root(i)].kind;
        if (kind == FusionKind::OutFusable) {
            if (phase != 0) return std::nullopt;
            if (node.dominator_kind != FusionKind::Elementwise) return NotFused::ReadAccess;
            if (!path_allows(i, to, [](FusionKind k, bool) { return k <= FusionKind::Broadcast; }))
                return NotFused::Between;
            return merged();
        }
        if (kind <= FusionKind::Broadcast) {
            if (node.dominator_kind > FusionKind::Reduction) return NotFused::ReadAccess;
            // What a convolution's epilogue reads beside its sums, element by element.
            const bool beside =
                nodes_[to].kind <= FusionKind::Broadcast && node.dominator_kind == FusionKind::Elementwise;
            const auto allowed = [beside](FusionKind k, bool last) {
                return k <= FusionKind::Injective ||
                       (last && (k == FusionKind::Reduction || (beside && k == FusionKind::OutFusable)));
            };
            return path_allows(i, to, allowed) ? merged() : NotFused::Between;
        }
        if (kind == FusionKind::Injective) {
            if (phase != 1) return std::nullopt;
            if (node.dominator_kind > FusionKind::Injective) return NotFused::ReadAccess;
            if (!path_allows(i, to, [](FusionKind k, bool) { return k <= FusionKind::Injective; }))
                return NotFused::Between;
            return merged();
        }
        return NotFused::ElsewhereFused;
    }

    UnfusedEdge edge(const graph::Function& function, std::size_t from, std::size_t to) {
        const Binding &producer = function->bindings[from], &consumer = function->bindings[to];
        const Node &node = nodes_[from], &user = nodes_[to];
        NotFused reason = node.reason;
        if (!user.call)
            reason = NotFused::NoOperator;
        else if (node.kind == FusionKind::Opaque || user.kind == FusionKind::Opaque)
            reason = NotFused::Opaque;
        else if (node.dominator == kNone)
            reason = NotFused::Escapes;
        return {producer.var, consumer.var, reason, sentence(reason, producer, consumer)};
    }

    static std::string operator_of(const Binding& binding) {
        const auto* call = graph::as<graph::CallOp>(binding.value);
        return call ? call->op.name : "no operator";
    }

    std::string sentence(NotFused reason, const Binding& producer, const Binding& consumer) const {
        const std::string a = operator_of(producer), b = operator_of(consumer);
        switch (reason) {
        case NotFused::Opaque: return a + " and " + b + ": one of them is fused with nothing";
        case NotFused::NoOperator: return a + " is used by something that is no operator";
        case NotFused::Escapes: return a + " is seen outside, or its users come together nowhere";
        case NotFused::ReadAccess:
            return "what follows " + a + " does not read it element by element: " + b + " or one after it";
        case NotFused::Between:
            return "between " + a + " and where its users come together lies work of too wide a kind";
        case NotFused::SecondAnchor: return a + " and " + b + " would put two sums into one kernel";
        case NotFused::NoPiece:
            return "the weights of " + b +
                   " do not stay in the cache, or no rows that divide its image and the places it " +
                   "computes at once do after " + a;
        case NotFused::NoPieceToPool:
            return "the whole image stays in the cache after " + a + ", or not even the rows that " + b +
                   " reads at once";
        case NotFused::AcrossTiles:
            return "windows of " + b + " read more than one of the tiles that " + a + " is computed in";
        case NotFused::NoPieceOfScores:
            return "what " + b +
                   " is computed from, a few rows of it and all of the second matrix, does not stay in "
                   "the cache until the product after it";
        case NotFused::TooLarge:
            return "the kernel would hold more than " + std::to_string(limits_.group) + " operators";
        case NotFused::ElsewhereFused: return a + " ends its kernel: " + b + " computes from a finished value";
        }
        fail_internal("a sentence for every reason");
    }

    std::vector<Node> nodes_;
    std::vector<Group> groups_;
    std::unordered_map<Var, std::size_t> index_;
    Limits limits_;
};

/// A constant of one element is part of the kernel; larger ones are its parameters.
bool belongs_inside(const graph::Expr& value) {
    const auto* constant = graph::as<graph::Constant>(value);
    return constant && constant->value.size() == 1;
}

/// The primitive function of one group and the variables it is applied to.
struct Kernel {
    graph::Function function;
    std::vector<Var> args;
    OriginSet origin;
};

Kernel make_kernel(const graph::Function& main, const std::vector<std::size_t>& members,
                   const std::unordered_map<Var, const Binding*>& bound, FusionKind kind, const char* known_as) {
    graph::FunctionBuilder builder;
    std::unordered_map<Var, Var> inside;
    Kernel kernel;
    std::string name;
    std::unordered_set<Var> own;
    for (std::size_t m : members) own.insert(main->bindings[m].var);
    for (std::size_t m : members) {
        const Binding& binding = main->bindings[m];
        std::vector<Var> operands = graph::operands(binding.value);
        for (Var& operand : operands) {
            if (!operand) continue;
            auto it = inside.find(operand);
            if (it == inside.end()) {
                const auto source = bound.find(operand);
                const bool scalar = source != bound.end() && belongs_inside(source->second->value);
                const Var var = scalar ? builder.emit(source->second->value, operand->name, source->second->origin)
                                       : builder.param(operand->name, operand->type);
                if (!scalar) kernel.args.push_back(operand);
                it = inside.emplace(operand, var).first;
            }
            operand = it->second;
        }
        inside.emplace(binding.var,
                       builder.emit(graph::with_operands(binding.value, operands), binding.var->name, binding.origin));
        kernel.origin = unite(kernel.origin, binding.origin);
        name += (name.empty() ? "" : "_") + graph::as<graph::CallOp>(binding.value)->op.name;
    }
    constexpr std::size_t kLongestName = 60;
    if (name.size() > kLongestName) name = name.substr(0, name.find('_', kLongestName - 20)) + "_and_more";
    if (known_as) name = known_as;
    graph::Attrs attrs{{"primitive", true}, {"kind", std::string(graph::to_string(kind))}};
    kernel.function = builder.finish(name, inside.at(main->bindings[members.back()].var), attrs);
    return kernel;
}

Result<Limits> limits_of(const pass::Context& context) {
    ORRERY_TRY(const std::int64_t most, number_option(context, "max_depth", {64, 1, INT64_MAX}));
    ORRERY_TRY(const bool fuse, flag_option(context, "fuse", true));
    ORRERY_TRY(const std::int64_t piece, number_option(context, "piece_bytes", {0, 0, INT64_MAX}));
    ORRERY_TRY(const std::int64_t image, number_option(context, "image_bytes", {0, 0, INT64_MAX}));
    return Limits{fuse ? static_cast<std::size_t>(most) : std::size_t{1}, piece, image};
}

} // namespace

const char* name_of(NotFused reason) {
    switch (reason) {
    case NotFused::Opaque: return "opaque";
    case NotFused::NoOperator: return "no operator";
    case NotFused::Escapes: return "escapes";
    case NotFused::ReadAccess: return "read access";
    case NotFused::Between: return "work between";
    case NotFused::SecondAnchor: return "second sum";
    case NotFused::NoPiece: return "no piece of rows";
    case NotFused::NoPieceToPool: return "no piece to pool";
    case NotFused::AcrossTiles: return "windows across tiles";
    case NotFused::NoPieceOfScores: return "no piece of scores";
    case NotFused::TooLarge: return "too large";
    case NotFused::ElsewhereFused: return "finished value";
    }
    fail_internal("a name for every reason");
}

Result<std::vector<UnfusedEdge>> fusion_reasons(const graph::Module& before, const pass::Context& context) {
    ORRERY_TRY(const Limits limits, limits_of(context));
    return Partition(before.main, limits).unfused(before.main);
}

Result<graph::Module> fuse_ops(const graph::Module& module, const pass::Context& context) {
    ORRERY_TRY(const Limits limits, limits_of(context));
    const graph::Function& main = module.main;
    const bool any_call =
        std::ranges::any_of(main->bindings, [](const Binding& b) { return b.value->kind == graph::ExprKind::CallOp; });
    if (!any_call) return module;

    Partition partition(main, limits);
    std::unordered_map<Var, const Binding*> bound;
    std::unordered_map<std::size_t, std::vector<std::size_t>> members;
    for (std::size_t i = 0; i < main->bindings.size(); ++i) {
        bound.emplace(main->bindings[i].var, &main->bindings[i]);
        if (partition.is_call(i)) members[partition.sink(i)].push_back(i);
    }
    std::vector<Binding> bindings;
    for (std::size_t i = 0; i < main->bindings.size(); ++i) {
        const Binding& binding = main->bindings[i];
        if (!partition.is_call(i)) {
            bindings.push_back(binding);
            continue;
        }
        if (partition.sink(i) != i) continue;
        Kernel kernel = make_kernel(main, members[i], bound, partition.kind(i), partition.name(i));
        const graph::Expr call = make_ref<const graph::CallFunction>(kernel.function, kernel.args);
        if (context.recorder)
            for (std::size_t m : members[i])
                context.recorder->add({main->bindings[m].value, call, "fuse", __FILE__, __LINE__});
        bindings.push_back({binding.var, call, kernel.origin});
    }
    graph::Module out = module;
    out.main = graph::make_function(main->name, main->params, std::move(bindings), main->result, main->attrs);
    // Constants that went inside are no longer used here.
    return dead_code(out, quiet(context));
}

} // namespace orrery::transform
