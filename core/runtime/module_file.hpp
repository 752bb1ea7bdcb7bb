#pragma once
// What a module file holds besides its kernels: the plan and the constants, in one blob behind the symbol
// `orrery_module`.
//
// Layout, all numbers little-endian: header {8 bytes magic, u32 version, u32 0, u64 size of the blob, u64 size of the
// plan, u64 FNV-1a hash of the plan}, the plan, then each constant at a multiple of 64 bytes from the blob's start.

#include "core/runtime/plan.hpp"

#include <optional>
#include <span>

namespace orrery::runtime {

inline constexpr const char* kModuleSymbol = "orrery_module";

using Bytes = std::span<const std::byte>;

/// A plan and its constants; the constants' bytes belong to the blob they were read from.
struct ModuleContents {
    Plan plan;
    std::vector<Bytes> constants; ///< one for each index of a Constant value
};

/// The blob. Its constants are 64-byte aligned when the blob is.
[[nodiscard]] std::vector<std::byte> write_module(const Plan& plan, std::span<const Bytes> constants);

/// Reads a blob of unknown origin: sizes, counts, offsets and indices are checked before they are believed.
/// nullopt, with the reason in `error`, when it is not a whole and consistent module of this version.
[[nodiscard]] std::optional<ModuleContents> read_module(Bytes blob, std::string& error);

/// Why an executor could not run this plan safely; empty when it could. `constant_bytes` are the constants' sizes.
[[nodiscard]] std::string find_plan_error(const Plan& plan, std::span<const std::size_t> constant_bytes);

} // namespace orrery::runtime
