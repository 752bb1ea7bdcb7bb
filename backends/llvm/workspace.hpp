#pragma once
// Where the buffers a program allocates live: on the stack of the thread that uses them, or in the workspace.

#include "core/base/result.hpp"
#include "core/tensor/node.hpp"

#include <unordered_map>
#include <unordered_set>

namespace orrery::codegen {

struct WorkspacePlan {
    struct Slot {
        std::size_t offset = 0;
        std::size_t stride = 0; ///< bytes from one iteration of the parallel loop around to the next; 0 outside of one
    };
    std::unordered_map<const tensor::BufferNode*, Slot> slots; ///< buffers that are not here live on the stack
    std::unordered_set<const tensor::For*> serial; ///< parallel loops whose iterations' slots would take too much
    std::size_t bytes = 0;
};

/// Every buffer gets memory of its own: kernels are told that no two overlap. Pre: all shapes are static.
[[nodiscard]] WorkspacePlan plan_workspace(const tensor::Program& program);

/// Why no code can be made for a program.
/// Errors: UnsupportedFeature for shapes that are not constant, sizes without a value or beyond memory.
[[nodiscard]] Result<void> find_unsupported(const tensor::Program& program);

} // namespace orrery::codegen
