#pragma once
// Parts of a graph through oneDNN.

#include "core/target/region.hpp"

#include <memory>

namespace orrery {

/// The region backend named "dnnl". f32 only; threads are those of the run.
[[nodiscard]] std::shared_ptr<const RegionBackend> make_dnnl_backend();

} // namespace orrery
