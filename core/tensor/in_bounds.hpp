#pragma once
// Whether a program that somebody typed can be run: no access leaves its buffer, no size is beyond reason.

#include "core/base/result.hpp"
#include "core/tensor/node.hpp"

namespace orrery::tensor {

/// Bounds of what is typed. Source: our choice.
inline constexpr std::int64_t kMaxTypedBytes = std::int64_t{4} << 30;    ///< of one buffer
inline constexpr std::int64_t kMaxTypedWork = std::int64_t{1} << 40;     ///< executions of one statement: minutes
inline constexpr std::int64_t kMaxTypedConstant = std::int64_t{1} << 40; ///< in an index, so that none overflows

/// Proves that each index lies in its buffer's shape, from the ranges of loops and the conditions around it (if, where,
/// select, && and ||), and that each iterator of a block stays in its extent. What is read from memory may be any
/// value: it has to be clamped (min, max, %) or asked about first.
/// Pre: verify(program). Errors: BadShape for what cannot be proven and for extents that are not numbers,
/// LimitExceeded for sizes; each with the block or buffer as its place, and a remedy.
[[nodiscard]] Result<void> prove_in_bounds(const Program& program);

} // namespace orrery::tensor
