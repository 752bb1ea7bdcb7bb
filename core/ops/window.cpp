#include "core/ops/window.hpp"

#include <algorithm>

namespace orrery::ops {

Result<std::vector<Window>> read_windows(const Attrs& attrs, const Ints& kernel) {
    const std::size_t count = kernel.size();
    ORRERY_TRY(const Ints strides, checked_ints(attrs, "strides", {count, 1, kMaxWindow, 1}));
    ORRERY_TRY(const Ints dilations, checked_ints(attrs, "dilations", {count, 1, kMaxWindow, 1}));
    ORRERY_TRY(const Ints pads, checked_ints(attrs, "pads", {2 * count, 0, kMaxWindow, 0}));
    std::vector<Window> windows;
    for (std::size_t i = 0; i < count; ++i) {
        if (kernel[i] < 1 || kernel[i] > kMaxWindow)
            return shape_error("a window of " + std::to_string(kernel[i]) + " elements is outside 1 to " +
                               std::to_string(kMaxWindow));
        windows.push_back({kernel[i], strides[i], dilations[i], pads[i], pads[count + i], attrs.flag("ceil")});
    }
    return windows;
}

Result<std::int64_t> window_count(const Window& w, std::int64_t extent) {
    const std::int64_t room = extent + w.before + w.after - w.span();
    if (extent < 1 || room < 0)
        return shape_error("a window spanning " + std::to_string(w.span()) + " does not fit into " +
                           std::to_string(extent) + " elements padded by " + std::to_string(w.before) + " and " +
                           std::to_string(w.after));
    std::int64_t count = (w.ceil ? room + w.stride - 1 : room) / w.stride + 1;
    if (w.ceil && (count - 1) * w.stride >= extent + w.before) --count;
    return count;
}

Result<void> check_copy(const TensorType& x, const Shape& extents) {
    // Source: our choice; kernels larger than their input and strides of several times it still pass.
    constexpr std::int64_t kFloorBytes = std::int64_t{1} << 28, kRatio = 64;
    Shape copy, original;
    for (std::size_t i = 0; i < x.dims.size(); ++i) {
        const std::int64_t extent = x.dims[i].is_static() ? x.dims[i].value : 1;
        original.push_back(extent);
        copy.push_back(i < 2 ? extent : extents[i - 2]);
    }
    ORRERY_TRY(const std::int64_t elements, checked_elements(original, x.dtype, kMaxTensorBytes));
    return checked_elements(copy, x.dtype, std::max(kFloorBytes, elements * byte_size(x.dtype) * kRatio))
        .and_then([](std::int64_t) { return Result<void>(); });
}

std::vector<graph::AttrSpec> window_attrs() {
    using graph::AttrKind;
    return {{"strides", AttrKind::Ints, false, "one a spatial axis, positive; all 1 when left out"},
            {"dilations", AttrKind::Ints, false,
             "distance of a window's elements, one a spatial axis, positive; all 1 when left out"},
            {"pads", AttrKind::Ints, false,
             "elements added before each spatial axis, then after each; all 0 when left out"}};
}

} // namespace orrery::ops
