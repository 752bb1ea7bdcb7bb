#include "core/schedule/index_code.hpp"

#include "core/tensor/interval.hpp"

#include <algorithm>

namespace orrery::schedule {

using namespace tensor; // every name here is a node of tensor IR

namespace {

/// Casts between these keep indices as they are.
bool wide(DType dtype) { return dtype == DType::I64 || dtype == DType::I32 || dtype == DType::Bool; }

std::int64_t calculate(BinaryOp op, std::int64_t a, std::int64_t b) {
    const bool undefined = b == 0 || (b == -1 && a == INT64_MIN);
    switch (op) {
    case BinaryOp::Add: return a + b;
    case BinaryOp::Sub: return a - b;
    case BinaryOp::Mul: return a * b;
    case BinaryOp::Div: return undefined ? 0 : a / b;
    case BinaryOp::Rem: return undefined ? 0 : a % b;
    case BinaryOp::FloorDiv: return undefined ? 0 : divide_floor(a, b);
    case BinaryOp::FloorMod: return undefined ? 0 : a - divide_floor(a, b) * b;
    case BinaryOp::Min: return std::min(a, b);
    case BinaryOp::Max: return std::max(a, b);
    case BinaryOp::Eq: return a == b;
    case BinaryOp::Ne: return a != b;
    case BinaryOp::Lt: return a < b;
    case BinaryOp::Le: return a <= b;
    case BinaryOp::Gt: return a > b;
    case BinaryOp::Ge: return a >= b;
    default: fail_internal("operators that have no value here are not compiled");
    }
}

bool has_value(BinaryOp op) {
    switch (op) {
    case BinaryOp::BitAnd:
    case BinaryOp::BitOr:
    case BinaryOp::BitXor:
    case BinaryOp::Shl:
    case BinaryOp::Shr: return false;
    default: return true;
    }
}

} // namespace

IndexCode::IndexCode(const Expr& expr, const Slots& slots) { compile(expr, slots); }

int IndexCode::add(Node node) {
    nodes_.push_back(node);
    return static_cast<int>(nodes_.size()) - 1;
}

int IndexCode::compile(const Expr& expr, const Slots& slots) {
    if (const auto* number = as<IntImm>(expr)) return add({.what = What::Number, .number = number->value});
    if (const auto* var = as<Var>(expr)) {
        const auto slot = slots.find(var);
        if (slot != slots.end()) {
            if (std::ranges::find(used_, slot->second) == used_.end()) used_.push_back(slot->second);
            return add({.what = What::Slot, .a = slot->second});
        }
    }
    if (const auto* node = as<Binary>(expr); node && wide(node->a->dtype) && has_value(node->op)) {
        const int a = compile(node->a, slots), b = compile(node->b, slots);
        return add({.what = What::Binary, .op = node->op, .a = a, .b = b});
    }
    if (const auto* node = as<Select>(expr); node && wide(node->dtype)) {
        const int a = compile(node->condition, slots), b = compile(node->then_value, slots),
                  c = compile(node->else_value, slots);
        return add({.what = What::Select, .a = a, .b = b, .c = c});
    }
    if (const auto* node = as<Call>(expr); node && node->intrinsic == Intrinsic::Not) {
        const int a = compile(node->args.front(), slots);
        return add({.what = What::Not, .a = a});
    }
    if (const auto* node = as<Cast>(expr); node && wide(node->dtype) && wide(node->value->dtype) &&
                                           (node->dtype != DType::Bool || node->value->dtype == DType::Bool))
        return compile(node->value, slots);
    known_ = false;
    return add({});
}

std::int64_t IndexCode::value(int at, std::span<const std::int64_t> values) const {
    const Node& node = nodes_[static_cast<std::size_t>(at)];
    switch (node.what) {
    case What::Number: return node.number;
    case What::Slot: return values[static_cast<std::size_t>(node.a)];
    case What::Select: return value(node.a, values) != 0 ? value(node.b, values) : value(node.c, values);
    case What::Not: return value(node.a, values) == 0;
    case What::Binary: break;
    }
    const std::int64_t a = value(node.a, values);
    if (node.op == BinaryOp::And) return a != 0 && value(node.b, values) != 0;
    if (node.op == BinaryOp::Or) return a != 0 || value(node.b, values) != 0;
    return calculate(node.op, a, value(node.b, values));
}

} // namespace orrery::schedule
