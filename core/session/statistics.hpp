#pragma once
// What a module costs, counted: operators, work, memory traffic, weights, memory live at once.

#include "core/base/progress.hpp"
#include "core/base/result.hpp"
#include "core/graph/node.hpp"
#include "core/tensor/analysis.hpp"

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>

namespace orrery::session {

/// Of a whole module at one point of the recipe. Each operator before fusion, each kernel after it, reads its operands
/// from memory and writes its result there.
struct Statistics {
    std::map<std::string, std::size_t> operators; ///< calls by operator, kernels opened
    std::size_t total = 0;                        ///< operator calls
    std::size_t kernels = 0;                      ///< calls of primitive functions
    std::size_t unknown = 0;                      ///< operators and calls whose work is not known: symbolic shapes
    double flops = 0;                             ///< float operations; a fused multiply-add counts 2
    double bytes_read = 0, bytes_written = 0;
    std::size_t weights = 0; ///< constants
    std::int64_t weight_elements = 0;
    std::size_t weight_bytes = 0;
    std::size_t peak_bytes = 0; ///< values of main live at once, in order of its bindings; weights left out
};

/// Errors: Cancelled. Thread: any; works that were counted before are remembered by content.
[[nodiscard]] Result<Statistics> statistics_of(const graph::Module& module, const Progress& progress = {});

/// Work of one binding, an operator or a kernel, by lowering it; none for constants, tuples and what cannot be lowered.
/// Thread: any.
[[nodiscard]] std::optional<tensor::Cost> work_of(const graph::Binding& binding);

} // namespace orrery::session
