#pragma once
// Synthetic graphs for layout tests.

#include "views/layout/layout.hpp"

namespace orrery::layout {

inline Input chain(int count) {
    Input input;
    for (int i = 0; i < count; ++i) input.nodes.push_back({140, 46, -1});
    for (int i = 0; i + 1 < count; ++i) input.edges.push_back({i, i + 1});
    return input;
}

/// Blocks of twelve operators with a residual edge around each, and one mask that feeds every block.
inline Input transformer(int blocks) {
    Input input;
    input.nodes.push_back({140, 46, -1}); // the mask
    input.nodes.push_back({140, 46, -1});
    for (int b = 0; b < blocks; ++b) {
        const int before = static_cast<int>(input.nodes.size()) - 1;
        for (int k = 0; k < 12; ++k) {
            const int node = static_cast<int>(input.nodes.size());
            input.nodes.push_back({140, 46, -1});
            input.edges.push_back({k < 3 ? before : node - 1, node});
        }
        const int last = static_cast<int>(input.nodes.size()) - 1;
        input.edges.push_back({before, last});
        input.edges.push_back({0, last - 6});
    }
    return input;
}

inline bool boxes_overlap(const Input& input, const Result& result) {
    for (std::size_t i = 0; i < input.nodes.size(); ++i)
        for (std::size_t k = i + 1; k < input.nodes.size(); ++k) {
            const float dx = result.centers[i].x - result.centers[k].x, dy = result.centers[i].y - result.centers[k].y;
            if ((dx < 0 ? -dx : dx) + 0.5f < (input.nodes[i].width + input.nodes[k].width) / 2 &&
                (dy < 0 ? -dy : dy) + 0.5f < (input.nodes[i].height + input.nodes[k].height) / 2)
                return true;
        }
    return false;
}

} // namespace orrery::layout
