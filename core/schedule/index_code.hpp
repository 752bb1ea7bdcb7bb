#pragma once
// Internal to core/schedule: integer expressions made ready to be evaluated many times.

#include "core/tensor/node.hpp"

#include <cstdint>
#include <span>
#include <unordered_map>
#include <vector>

namespace orrery::schedule {

/// Where each variable's value stands among the values that are given.
using Slots = std::unordered_map<const tensor::Var*, int>;

/// Bool counts as 0 and 1. What it means: core/tensor/node.hpp; indices do not overflow.
class IndexCode {
  public:
    IndexCode(const tensor::Expr& expr, const Slots& slots);
    /// False when the value depends on what is read from memory, on floats or on variables without a slot.
    [[nodiscard]] bool known() const { return known_; }
    /// Slots of its variables, each once.
    [[nodiscard]] const std::vector<int>& slots() const { return used_; }
    /// Pre: known(); a value for every slot.
    [[nodiscard]] std::int64_t operator()(std::span<const std::int64_t> values) const {
        return value(static_cast<int>(nodes_.size()) - 1, values);
    }

  private:
    enum class What : std::uint8_t { Number, Slot, Binary, Select, Not };
    struct Node {
        What what = What::Number;
        tensor::BinaryOp op = tensor::BinaryOp::Add;
        int a = -1, b = -1, c = -1;
        std::int64_t number = 0;
    };
    int compile(const tensor::Expr& expr, const Slots& slots);
    int add(Node node);
    [[nodiscard]] std::int64_t value(int at, std::span<const std::int64_t> values) const;
    std::vector<Node> nodes_;
    std::vector<int> used_;
    bool known_ = true;
};

} // namespace orrery::schedule
