#pragma once

#include "vta-sim/conv2d.hpp"

#include <array>
#include <string_view>

namespace orrery::vta::bench {

/// One distinct convolution of ResNet-18 and how often the network has it. The first layer is left out.
struct ResnetLayer {
    std::string_view name;
    ConvShape shape;
    int times;
};

inline ConvShape square(int size, int in, int out, int kernel, int stride) {
    ConvShape s;
    s.in_channels = in;
    s.out_channels = out;
    s.height = size;
    s.width = size;
    s.kernel_h = kernel;
    s.kernel_w = kernel;
    s.stride = stride;
    s.pad_h = kernel / 2;
    s.pad_w = kernel / 2;
    return s;
}

/// C2 to C11 of the usual numbering; 1,695.5 M multiply-accumulates with their multiplicities.
inline const std::array<ResnetLayer, 10>& resnet18_layers() {
    static const std::array<ResnetLayer, 10> layers = {{
        {"C2  56 64-64 3x3", square(56, 64, 64, 3, 1), 4},
        {"C3  56 64-128 3x3/2", square(56, 64, 128, 3, 2), 1},
        {"C4  56 64-128 1x1/2", square(56, 64, 128, 1, 2), 1},
        {"C5  28 128-128 3x3", square(28, 128, 128, 3, 1), 3},
        {"C6  28 128-256 3x3/2", square(28, 128, 256, 3, 2), 1},
        {"C7  28 128-256 1x1/2", square(28, 128, 256, 1, 2), 1},
        {"C8  14 256-256 3x3", square(14, 256, 256, 3, 1), 3},
        {"C9  14 256-512 3x3/2", square(14, 256, 512, 3, 2), 1},
        {"C10 14 256-512 1x1/2", square(14, 256, 512, 1, 2), 1},
        {"C11 7 512-512 3x3", square(7, 512, 512, 3, 1), 3},
    }};
    return layers;
}

/// What the convolutions of the quantized network do before they store: bias, shift, clip.
inline Epilogue resnet18_epilogue() { return {.bias = true, .shift = 8, .clip = true}; }

} // namespace orrery::vta::bench
