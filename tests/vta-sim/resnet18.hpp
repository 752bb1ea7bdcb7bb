#pragma once

#include "vta-sim/examples.hpp"

namespace orrery::vta::bench {

using vta::resnet18_epilogue;
using vta::resnet18_layers;
using vta::ResnetLayer;

} // namespace orrery::vta::bench
