#pragma once
// From a region's function to primitives.

#include "backends/dnnl/region_program.hpp"
#include "core/graph/node.hpp"

#include <memory>
#include <string>
#include <vector>

namespace orrery::onednn {

/// Arguments of the region's kernel, by index: parameters, constants inside of several elements, results, workspace.
struct Arguments {
    std::size_t parameters = 0, constants = 0, results = 0;
    [[nodiscard]] std::size_t result(std::size_t i) const { return parameters + constants + i; }
    [[nodiscard]] std::size_t workspace() const { return parameters + constants + results; }
};
[[nodiscard]] Arguments arguments_of(const graph::Function& region);

struct BuiltRegion {
    std::unique_ptr<Program> program;
    std::vector<std::string> listing;
};
/// Pre: every call is taken. Throws dnnl::error for what the library refuses. The number of threads is OpenMP's.
[[nodiscard]] BuiltRegion build_region(const graph::Function& region);

} // namespace orrery::onednn
