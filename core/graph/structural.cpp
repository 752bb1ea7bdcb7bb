// Equality and hash up to names and origins. Functions are closed, so each is compared and hashed on its own; inner
// functions go through a worklist (equality) or are hashed before their users (hash), never by recursion.

#include "core/base/check.hpp"
#include "core/graph/functions.hpp"
#include "core/graph/node.hpp"
#include "core/graph/op.hpp"

#include <algorithm>
#include <cstring>
#include <map>
#include <mutex>
#include <set>
#include <tuple>
#include <unordered_map>

namespace orrery::graph {

std::vector<Function> functions_inside_out(const Function& root) {
    std::vector<Function> order;
    std::unordered_map<Function, bool> finished; // false while its inner functions are on the stack
    std::vector<Function> stack{root};
    while (!stack.empty()) {
        const Function function = stack.back();
        const auto [it, first] = finished.emplace(function, false);
        if (!first) {
            stack.pop_back();
            if (!it->second) {
                it->second = true;
                order.push_back(function);
            }
            continue;
        }
        const std::size_t mark = stack.size();
        for (const Binding& binding : function->bindings)
            for (const Function& inner : inner_functions(binding.value))
                if (!finished.contains(inner)) stack.push_back(inner);
        std::reverse(stack.begin() + static_cast<std::ptrdiff_t>(mark), stack.end());
    }
    return order;
}

// ------------------------------------------------------------------------------ constants

namespace {

/// Hashes of large constants, by where their bytes are. An entry counts while the storage it was made for lives.
class ConstantHashes {
  public:
    Hash of(const NDArray& value) {
        static constexpr std::size_t kWorthKeeping = 4096; // bytes; smaller ones hash faster than they are looked up
        if (value.bytes() < kWorthKeeping || !value.owner()) return value.content_hash();
        const Key key{value.data(), value.bytes(), value.dtype(), value.shape()};
        {
            const std::lock_guard lock(mutex_);
            if (const auto it = entries_.find(key); it != entries_.end() && same_owner(it->second.owner, value))
                return it->second.hash;
        }
        const Hash hash = value.content_hash();
        const std::lock_guard lock(mutex_);
        if (entries_.size() >= sweep_at_) {
            std::erase_if(entries_, [](const auto& entry) { return entry.second.owner.expired(); });
            sweep_at_ = std::max<std::size_t>(1024, 2 * entries_.size());
        }
        entries_.insert_or_assign(key, Entry{value.owner(), hash});
        return hash;
    }

  private:
    struct Key {
        const void* data;
        std::size_t bytes;
        DType dtype;
        Shape shape;
        bool operator<(const Key& o) const {
            return std::tie(data, bytes, dtype, shape) < std::tie(o.data, o.bytes, o.dtype, o.shape);
        }
    };
    struct Entry {
        std::weak_ptr<const void> owner;
        Hash hash;
    };
    static bool same_owner(const std::weak_ptr<const void>& held, const NDArray& value) {
        return !held.expired() && !held.owner_before(value.owner()) && !value.owner().owner_before(held);
    }
    std::mutex mutex_;
    std::map<Key, Entry> entries_;
    std::size_t sweep_at_ = 1024;
};

} // namespace

bool same_constant(const NDArray& a, const NDArray& b) {
    if (a.dtype() != b.dtype() || a.shape() != b.shape()) return false;
    if (a.owner() == b.owner() && a.source() && a.source() == b.source()) return true;
    return a.data() == b.data() || a.bytes() == 0 || std::memcmp(a.data(), b.data(), a.bytes()) == 0;
}

Hash constant_hash(const NDArray& value) {
    static ConstantHashes hashes;
    return hashes.of(value);
}

// ------------------------------------------------------------------------------ equality

namespace {

class Comparer {
  public:
    bool equal_functions(const Function& a, const Function& b) {
        meet(a, b);
        while (!pending_.empty()) {
            const auto [x, y] = pending_.back();
            pending_.pop_back();
            if (!equal_one(*x, *y)) return false;
        }
        return true;
    }

  private:
    using Pair = std::pair<const FunctionNode*, const FunctionNode*>;

    /// Two functions that must be equal for the rest to be.
    void meet(const Function& a, const Function& b) {
        if (a != b && met_.insert({a.get(), b.get()}).second) pending_.push_back({a.get(), b.get()});
    }

    bool equal_one(const FunctionNode& a, const FunctionNode& b) {
        if (a.params.size() != b.params.size() || a.bindings.size() != b.bindings.size() || !(a.attrs == b.attrs))
            return false;
        counterpart_.clear();
        for (std::size_t i = 0; i < a.params.size(); ++i)
            if (!pair_up(a.params[i], b.params[i])) return false;
        for (std::size_t i = 0; i < a.bindings.size(); ++i)
            if (!equal_values(a.bindings[i].value, b.bindings[i].value) ||
                !pair_up(a.bindings[i].var, b.bindings[i].var))
                return false;
        return same(a.result, b.result);
    }

    bool pair_up(const Var& a, const Var& b) {
        counterpart_[a] = b;
        return equal(a->type, b->type);
    }

    bool same(const Var& a, const Var& b) const {
        if (!a || !b) return a == b;
        const auto it = counterpart_.find(a);
        return it != counterpart_.end() && it->second == b;
    }

    bool equal_values(const Expr& a, const Expr& b) {
        if (a->kind != b->kind) return false;
        const std::vector<Var> x = operands(a), y = operands(b);
        if (!std::ranges::equal(x, y, [this](const Var& p, const Var& q) { return same(p, q); })) return false;
        const std::vector<Function> f = inner_functions(a), g = inner_functions(b);
        for (std::size_t i = 0; i < f.size(); ++i) meet(f[i], g[i]);
        switch (a->kind) {
        case ExprKind::CallOp:
            return &as<CallOp>(a)->op == &as<CallOp>(b)->op && as<CallOp>(a)->attrs == as<CallOp>(b)->attrs;
        case ExprKind::Constant: return a == b || same_constant(as<Constant>(a)->value, as<Constant>(b)->value);
        case ExprKind::Project: return as<Project>(a)->index == as<Project>(b)->index;
        case ExprKind::Loop: return as<Loop>(a)->fields.carried.size() == as<Loop>(b)->fields.carried.size();
        case ExprKind::CallFunction:
        case ExprKind::Tuple:
        case ExprKind::If:
        case ExprKind::FunctionLiteral: return true;
        }
        fail_internal("equal_values covers every kind");
    }

    std::set<Pair> met_;
    std::vector<Pair> pending_;
    std::unordered_map<Var, Var> counterpart_; // variables of the first function to those of the second
};

} // namespace

bool structural_equal(const Function& a, const Function& b) { return a == b || Comparer().equal_functions(a, b); }

bool structural_equal(const Module& a, const Module& b) {
    return a.outputs == b.outputs && structural_equal(a.main, b.main);
}

// ------------------------------------------------------------------------------ hash

namespace {

class FunctionHasher {
  public:
    explicit FunctionHasher(const std::unordered_map<Function, Hash>& inner) : inner_(inner) {}

    Hash of(const FunctionNode& function) {
        function.attrs.hash_into(hasher_);
        hasher_.add(static_cast<std::uint64_t>(function.params.size()));
        for (const Var& param : function.params) define(param);
        hasher_.add(static_cast<std::uint64_t>(function.bindings.size()));
        for (const Binding& binding : function.bindings) {
            add_value(binding.value);
            define(binding.var);
        }
        use(function.result);
        return hasher_.finish();
    }

  private:
    void define(const Var& var) {
        number_.emplace(var, static_cast<int>(number_.size()));
        hash_into(hasher_, var->type);
    }

    void use(const Var& var) {
        const auto it = var ? number_.find(var) : number_.end();
        hasher_.add(it == number_.end() ? -1 : it->second);
    }

    void add_value(const Expr& value) {
        hasher_.add(static_cast<int>(value->kind));
        const std::vector<Var> vars = operands(value);
        hasher_.add(static_cast<std::uint64_t>(vars.size()));
        for (const Var& var : vars) use(var);
        for (const Function& function : inner_functions(value)) hasher_.add(inner_.at(function));
        if (const CallOp* call = as<CallOp>(value)) {
            hasher_.add(std::string_view(call->op.name));
            call->attrs.hash_into(hasher_);
        } else if (const Constant* constant = as<Constant>(value))
            hasher_.add(constant_hash(constant->value));
        else if (const Project* project = as<Project>(value))
            hasher_.add(static_cast<std::uint64_t>(project->index));
        else if (const Loop* loop = as<Loop>(value))
            hasher_.add(static_cast<std::uint64_t>(loop->fields.carried.size()));
    }

    const std::unordered_map<Function, Hash>& inner_;
    Hasher hasher_;
    std::unordered_map<Var, int> number_;
};

} // namespace

Hash structural_hash(const Function& function) {
    std::unordered_map<Function, Hash> hashes;
    for (const Function& inner : functions_inside_out(function))
        hashes.emplace(inner, FunctionHasher(hashes).of(*inner));
    return hashes.at(function);
}

Hash structural_hash(const Module& module) {
    Hasher hasher;
    hasher.add(structural_hash(module.main)).add(static_cast<std::uint64_t>(module.outputs.size()));
    for (const std::string& output : module.outputs) hasher.add(std::string_view(output));
    return hasher.finish();
}

} // namespace orrery::graph
