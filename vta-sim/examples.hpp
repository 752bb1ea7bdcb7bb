#pragma once

#include "vta-sim/conv2d.hpp"
#include "vta-sim/program.hpp"
#include "vta-sim/watch.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace orrery::vta {

/// One distinct convolution of ResNet-18 and how often the network has it. The first layer is left out.
struct ResnetLayer {
    std::string_view name; ///< "C2" to "C11", the usual numbering
    std::string_view text; ///< "56 64-64 3x3"
    ConvShape shape;
    int times;
};
/// 1,695.5 M multiply-accumulates with their multiplicities.
[[nodiscard]] std::span<const ResnetLayer> resnet18_layers();
/// What the convolutions of the quantized network do before they store: bias, shift, clip.
[[nodiscard]] Epilogue resnet18_epilogue();

/// A program that needs no file.
struct Example {
    std::string_view name;  ///< as a command names it: "matmul", "resnet18_c2"
    std::string_view title; ///< as a list shows it
    std::string_view help;  ///< one sentence: what there is to see
};
[[nodiscard]] std::span<const Example> examples();

struct ExampleOptions {
    int contexts = 2;           ///< virtual threads, 1 or 2
    std::uint32_t seed = 1;     ///< of the data in DRAM
    std::size_t candidates = 8; ///< tiles of a convolution that are simulated, the fastest taken
    Watch watch = {};
};

/// Builds an example for a configuration, its input, weights and biases drawn from the seed.
/// Errors: UnknownName; BadConfig when the configuration is illegal; IllegalTile when no tile fits it; Stopped.
/// Pure and deterministic. Cost: up to `candidates` simulations a layer.
[[nodiscard]] Result<Program> example_program(const Config& config, std::string_view name,
                                              const ExampleOptions& options = {});

} // namespace orrery::vta
