#pragma once
// How the axes of a tensor lie in memory, and operators for tensors laid out otherwise than NCHW.

#include "core/base/ndarray.hpp"
#include "core/base/result.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace orrery::ops {

/// Axes in order. A capital is a whole axis; where a number and the small letter follow, the capital is the outer part
/// and they are the inner part of that many elements: "NCHW", "NHWC", "NCHW8c", "OIHW4i8o".
struct Layout {
    struct Axis {
        char name = 'N';         ///< the capital
        std::int64_t factor = 0; ///< extent of an inner part; 0 for a capital
        friend bool operator==(const Axis&, const Axis&) = default;
    };
    std::vector<Axis> axes;

    friend bool operator==(const Layout&, const Layout&) = default;
    /// Position of the capital. Pre: there is one.
    [[nodiscard]] std::size_t outer(char name) const;
    /// Position of the inner part, where the axis is split.
    [[nodiscard]] std::optional<std::size_t> inner(char name) const;
    /// Extent of the inner part; 1 for a whole axis.
    [[nodiscard]] std::int64_t block(char name) const;
    [[nodiscard]] bool has(char name) const;
    /// The extent of an axis, both parts together, in a tensor of `shape`. Pre: the shape has this rank.
    [[nodiscard]] std::int64_t extent(char name, const Shape& shape) const;
    /// The capitals, in order.
    [[nodiscard]] std::string names() const;
};

/// Errors: BadAttribute for letters given twice, inner parts without outer ones, factors outside 1 to 65,536.
[[nodiscard]] Result<Layout> parse_layout(std::string_view text);
[[nodiscard]] std::string to_string(const Layout& layout);
/// The shape of a tensor that lies in `from` once it lies in `to`.
/// Errors: BadShape when the rank is not that of `from` or a factor does not divide, BadAttribute when the two do not
/// have the same axes.
[[nodiscard]] Result<Shape> transformed_shape(const Shape& shape, const Layout& from, const Layout& to);
/// The elements of a constant in another order: what the operator layout_transform computes. The array is lazy, so that
/// weights that change their layout twice are moved once. Pre: transformed_shape succeeds.
[[nodiscard]] NDArray transformed(const NDArray& array, const Layout& from, const Layout& to);

} // namespace orrery::ops
