// Elements that lie beside each other in the source lie far apart in the result, and the other way round: squares of
// both go through a small buffer, so that each cache line is fetched and written once.

#include "core/ops/permute.hpp"

#include "core/base/check.hpp"
#include "core/base/element_source.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>
#include <vector>

namespace orrery::ops {

namespace {

constexpr std::int64_t kSide = 16; ///< of a square: a cache line of four-byte elements

template <class T> constexpr auto width_of = static_cast<std::int64_t>(sizeof(T));

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

template <class T> void turn_strip(const Turn& turn, const char* from, T* to, std::int64_t first) {
    const std::int64_t rows = std::min(kSide, turn.along.extent - first);
    std::array<std::array<T, kSide>, kSide> square;
    for (std::int64_t column = 0; column < turn.across.extent; column += kSide) {
        const std::int64_t columns = std::min(kSide, turn.across.extent - column);
        for (std::int64_t c = 0; c < columns; ++c) {
            std::array<T, kSide> line; // at any address
            std::memcpy(line.data(), from + ((column + c) * turn.across.from + first) * width_of<T>,
                        static_cast<std::size_t>(rows) * sizeof(T));
            for (std::int64_t r = 0; r < rows; ++r)
                square[static_cast<std::size_t>(r)][static_cast<std::size_t>(c)] = line[static_cast<std::size_t>(r)];
        }
        for (std::int64_t r = 0; r < rows; ++r)
            std::memcpy(to + (first + r) * turn.along.to + column, square[static_cast<std::size_t>(r)].data(),
                        static_cast<std::size_t>(columns) * sizeof(T));
    }
}

/// An array with its axes in another order.
class Permuted final : public ElementSource {
  public:
    Permuted(NDArray array, std::span<const std::int64_t> perm)
        : array_(std::move(array)), perm_(perm.begin(), perm.end()), axes_(axes_of(array_, perm)),
          turn_(turn_of(axes_)) {
        for (const Axis& axis : turn_.others) parts_ *= axis.extent;
        if (!turn_.same) parts_ *= strips();
    }

    [[nodiscard]] const NDArray& array() const { return array_; }
    [[nodiscard]] const std::vector<std::int64_t>& perm() const { return perm_; }

    std::int64_t pieces() const override {
        constexpr std::int64_t kPieceBytes = 1 << 20; // our choice: less is done before another thread has started
        return std::min(parts_, static_cast<std::int64_t>(array_.bytes()) / kPieceBytes + 1);
    }
    void write(std::int64_t piece, void* out) const override {
        switch (byte_size(array_.dtype())) {
        case 1: return permute<std::uint8_t>(piece, out);
        case 2: return permute<std::uint16_t>(piece, out);
        case 4: return permute<std::uint32_t>(piece, out);
        default: return permute<std::uint64_t>(piece, out);
        }
    }
    bool read(std::int64_t begin, std::int64_t count, void* out) const override {
        constexpr std::int64_t kFew = 64; // our choice: elements fetched one by one, to tell arrays apart
        if (count > kFew) return false;
        const std::int64_t width = byte_size(array_.dtype());
        for (std::int64_t i = 0; i < count; ++i)
            array_.read(offsets_of(axes_, begin + i).from, 1, static_cast<char*>(out) + i * width);
        return true;
    }

  private:
    [[nodiscard]] std::int64_t strips() const { return (turn_.along.extent + kSide - 1) / kSide; }

    template <class T> void permute(std::int64_t piece, void* out) const {
        const void* all = array_.loose_data();
        const char* from = static_cast<const char*>(all ? all : array_.data());
        T* to = static_cast<T*>(out);
        const std::int64_t strips = turn_.same ? 1 : this->strips(), count = pieces();
        for (std::int64_t part = parts_ * piece / count; part < parts_ * (piece + 1) / count; ++part) {
            const Offsets at = offsets_of(turn_.others, part / strips);
            const char* source = from + at.from * width_of<T>;
            if (turn_.same)
                std::memcpy(to + at.to, source, static_cast<std::size_t>(turn_.across.extent) * sizeof(T));
            else
                turn_strip(turn_, source, to + at.to, part % strips * kSide);
        }
    }

    NDArray array_;
    std::vector<std::int64_t> perm_;
    std::vector<Axis> axes_; ///< of the result, in order
    Turn turn_;
    std::int64_t parts_ = 1; ///< strips of all other axes
};

} // namespace

NDArray permuted(const NDArray& array, std::span<const std::int64_t> perm) {
    ORRERY_ASSERT(perm.size() == array.shape().size(), "one entry of the permutation an axis");
    Shape shape;
    for (const std::int64_t axis : perm) shape.push_back(array.shape()[static_cast<std::size_t>(axis)]);
    if (array.size() == 0) return NDArray::allocate(array.dtype(), std::move(shape));
    NDArray lazy = NDArray::lazy(array.dtype(), std::move(shape), std::make_shared<Permuted>(array, perm));
    if (lazy.bytes() < kWorthDelaying) static_cast<void>(lazy.data());
    return lazy;
}

std::optional<Turned> turned_from(const NDArray& array) {
    const auto* source = dynamic_cast<const Permuted*>(array.source());
    if (source == nullptr) return std::nullopt;
    const Shape& before = source->array().shape();
    for (std::size_t d = 0; d < before.size(); ++d) // the same elements may have been given another shape since
        if (array.shape().size() != before.size() ||
            array.shape()[d] != before[static_cast<std::size_t>(source->perm()[d])])
            return std::nullopt;
    return Turned{source->array(), source->perm()};
}

} // namespace orrery::ops
