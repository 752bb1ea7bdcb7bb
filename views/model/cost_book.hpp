#pragma once
// What operators and kernels cost, remembered from step to step.

#include "core/graph/node.hpp"
#include "core/tensor/analysis.hpp"

#include <mutex>
#include <optional>
#include <unordered_map>

namespace orrery::views {

/// Thread: any. Costs are kept by the expression's or function's handle, which passes keep where they change nothing.
class CostBook {
  public:
    /// Of one operator call of that type. None when its shapes are not known.
    [[nodiscard]] std::optional<tensor::Cost> call(const graph::Expr& call, const graph::Type& type);
    /// Of a primitive function as one kernel.
    [[nodiscard]] std::optional<tensor::Cost> kernel(const graph::Function& function);

  private:
    template <class Make> std::optional<tensor::Cost> get(const Ref<const Object>& key, Make&& make);
    struct Entry {
        Ref<const Object> keep; ///< the key is its address
        std::optional<tensor::Cost> cost;
    };
    std::mutex mutex_;
    std::unordered_map<const Object*, Entry> entries_;
};

} // namespace orrery::views
