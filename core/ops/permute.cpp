// Elements that lie beside each other in the source lie far apart in the result, and the other way round: squares of
// both go through a small buffer, so that each cache line is fetched and written once.

#include "core/ops/permute.hpp"

#include "core/base/check.hpp"
#include "core/base/parallel.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <vector>

namespace orrery::ops {

namespace {

constexpr std::int64_t kSide = 16; ///< of a square: a cache line of four-byte elements

/// An axis of the result.
struct Axis {
    std::int64_t extent = 1;
    std::int64_t from = 1, to = 1; ///< from one index to the next, in the source and in the result. Units: elements
};

/// Axes of the result, neighbours that are neighbours in the source joined, those of one element left out.
std::vector<Axis> axes_of(const NDArray& array, std::span<const std::int64_t> perm) {
    const Shape& shape = array.shape();
    Shape strides(shape.size(), 1);
    for (std::size_t d = shape.size(); d-- > 1;) strides[d - 1] = strides[d] * shape[d];
    std::vector<Axis> axes;
    for (const std::int64_t axis : perm) {
        const auto a = static_cast<std::size_t>(axis);
        if (shape[a] == 1) continue;
        if (!axes.empty() && axes.back().from == strides[a] * shape[a]) {
            axes.back().extent *= shape[a];
            axes.back().from = strides[a];
        } else {
            axes.push_back({shape[a], strides[a], 1});
        }
    }
    if (axes.empty()) axes.push_back({});
    for (std::size_t d = axes.size(); d-- > 1;) axes[d - 1].to = axes[d].to * axes[d].extent;
    return axes;
}

/// The last axis of the result (`across`), the axis along which the source lies (`along`, the same one when they agree)
/// and the others.
struct Turn {
    Axis across, along;
    std::vector<Axis> others;
    bool same = false;
};

Turn turn_of(std::vector<Axis> axes) {
    Turn turn;
    turn.across = axes.back();
    axes.pop_back();
    turn.same = turn.across.from == 1;
    if (!turn.same) {
        const auto along = std::ranges::find(axes, 1, &Axis::from);
        if (along != axes.end()) {
            turn.along = *along;
            axes.erase(along);
        } else {
            turn.along.extent = 1;
        }
    }
    turn.others = std::move(axes);
    return turn;
}

/// Indices of the other axes, as offsets.
struct Offsets {
    std::int64_t from = 0, to = 0;
};
Offsets offsets_of(const std::vector<Axis>& axes, std::int64_t index) {
    Offsets out;
    for (std::size_t d = axes.size(); d-- > 0; index /= axes[d].extent) {
        const std::int64_t at = index % axes[d].extent;
        out.from += at * axes[d].from;
        out.to += at * axes[d].to;
    }
    return out;
}

template <class T> void turn_strip(const Turn& turn, const T* from, T* to, std::int64_t first) {
    const std::int64_t rows = std::min(kSide, turn.along.extent - first);
    std::array<std::array<T, kSide>, kSide> square;
    for (std::int64_t column = 0; column < turn.across.extent; column += kSide) {
        const std::int64_t columns = std::min(kSide, turn.across.extent - column);
        for (std::int64_t c = 0; c < columns; ++c) {
            const T* line = from + (column + c) * turn.across.from + first;
            for (std::int64_t r = 0; r < rows; ++r)
                square[static_cast<std::size_t>(r)][static_cast<std::size_t>(c)] = line[r];
        }
        for (std::int64_t r = 0; r < rows; ++r)
            std::memcpy(to + (first + r) * turn.along.to + column, square[static_cast<std::size_t>(r)].data(),
                        static_cast<std::size_t>(columns) * sizeof(T));
    }
}

template <class T> void permute(const NDArray& array, const Turn& turn, NDArray& result) {
    const T* from = static_cast<const T*>(array.data());
    T* to = static_cast<T*>(result.mutable_data());
    const std::int64_t strips = turn.same ? 1 : (turn.along.extent + kSide - 1) / kSide;
    std::int64_t others = 1;
    for (const Axis& axis : turn.others) others *= axis.extent;
    const std::int64_t parts = others * strips;
    constexpr std::int64_t kPieceBytes = 1 << 20; // our choice: less is done before another thread has started
    const std::int64_t pieces = std::min(parts, static_cast<std::int64_t>(result.bytes()) / kPieceBytes + 1);
    parallel_for(static_cast<std::size_t>(pieces), 0, [&](std::size_t piece) {
        const auto i = static_cast<std::int64_t>(piece);
        for (std::int64_t part = parts * i / pieces; part < parts * (i + 1) / pieces; ++part) {
            const Offsets at = offsets_of(turn.others, part / strips);
            if (turn.same)
                std::memcpy(to + at.to, from + at.from, static_cast<std::size_t>(turn.across.extent) * sizeof(T));
            else
                turn_strip(turn, from + at.from, to + at.to, part % strips * kSide);
        }
    });
}

} // namespace

NDArray permuted(const NDArray& array, std::span<const std::int64_t> perm) {
    ORRERY_ASSERT(perm.size() == array.shape().size(), "one entry of the permutation an axis");
    Shape shape;
    for (const std::int64_t axis : perm) shape.push_back(array.shape()[static_cast<std::size_t>(axis)]);
    NDArray result = NDArray::allocate(array.dtype(), std::move(shape));
    if (result.size() == 0) return result;
    const Turn turn = turn_of(axes_of(array, perm));
    switch (byte_size(array.dtype())) {
    case 1: permute<std::uint8_t>(array, turn, result); break;
    case 2: permute<std::uint16_t>(array, turn, result); break;
    case 4: permute<std::uint32_t>(array, turn, result); break;
    default: permute<std::uint64_t>(array, turn, result); break;
    }
    return result;
}

} // namespace orrery::ops
