#include "core/lower/value_arrays.hpp"

#include <cstring>

namespace orrery::lower {

void ValueArrays::set(std::uint32_t id, NDArray array) {
    const LoweredValue& value = model_.values[id];
    if (value.host < 0) {
        arrays_[id] = std::move(array);
        return;
    }
    const LoweredValue& host = model_.values[static_cast<std::size_t>(value.host)];
    NDArray& whole = arrays_[static_cast<std::size_t>(value.host)];
    if (!whole.defined()) whole = NDArray::zeros(host.dtype, host.shape);
    std::memcpy(static_cast<std::byte*>(whole.mutable_data()) + value.host_offset, array.data(),
                static_cast<std::size_t>(array.bytes()));
}

NDArray ValueArrays::get(std::uint32_t id) const {
    const LoweredValue& value = model_.values[id];
    if (value.host < 0) return arrays_[id];
    const NDArray& whole = arrays_[static_cast<std::size_t>(value.host)];
    const auto bytes = static_cast<std::size_t>(element_count(value.shape) * byte_size(value.dtype));
    return NDArray::copy_of(value.dtype, value.shape, static_cast<const std::byte*>(whole.data()) + value.host_offset,
                            bytes);
}

} // namespace orrery::lower
