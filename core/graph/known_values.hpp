#pragma once
// What is known before a program runs: values computed from constants and shapes, on demand.

#include "core/base/ndarray.hpp"
#include "core/base/progress.hpp"
#include "core/graph/evaluate.hpp"
#include "core/graph/symbols.hpp"

#include <cstdint>
#include <optional>
#include <unordered_map>
#include <vector>

namespace orrery::graph {

/// Values of variables that depend on constants and types alone. Nothing is computed until it is asked for, and then
/// once; the graph's bindings stay as they are.
class KnownValues {
  public:
    /// With a probe, symbolic extents count as known too: values are those for the probe's.
    KnownValues(OpEvaluator evaluator, const Progress& progress, Probe* probe = nullptr)
        : evaluator_(std::move(evaluator)), progress_(progress), probe_(probe) {}

    /// To be told of each variable bound, in order.
    void note(const Var& var, const Expr& value);
    /// Says what a variable is that nothing binds.
    void set(const Var& var, NDArray value);
    [[nodiscard]] bool is_known(const Var& var) const { return var && known_.contains(var); }
    /// The value, unless it depends on an input or would take arrays of more than `max_bytes` on the way.
    [[nodiscard]] std::optional<NDArray> value(const Var& var, std::int64_t max_bytes);

  private:
    struct Entry {
        Expr expr;
        std::vector<NDArray> parts; ///< empty until computed; of a tuple its parts
    };
    bool follows_from_types(const CallOp& call) const;
    bool compute(const Var& var, std::int64_t max_bytes);
    std::optional<std::vector<NDArray>> apply(const Var& var, const Expr& expr, std::int64_t max_bytes);
    std::optional<std::vector<NDArray>> apply_to_types(const CallOp& call);

    OpEvaluator evaluator_;
    const Progress& progress_;
    Probe* probe_;
    std::unordered_map<Var, Entry> known_;
    int evaluations_ = 0;
};

} // namespace orrery::graph
