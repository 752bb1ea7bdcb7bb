#include "core/ops/layout.hpp"

#include "core/base/check.hpp"
#include "core/base/parallel.hpp"

#include <algorithm>
#include <cctype>
#include <cstring>

namespace orrery::ops {

namespace {

Diagnostic bad_layout(std::string_view text, const std::string& why) {
    return {Code::BadAttribute, "\"" + std::string(text) + "\" is no layout: " + why, {}, "a layout reads like NCHW8c"};
}

} // namespace

std::size_t Layout::outer(char name) const {
    const auto it = std::ranges::find(axes, Axis{name, 0});
    ORRERY_ASSERT(it != axes.end(), std::string("the layout has an axis ") + name);
    return static_cast<std::size_t>(it - axes.begin());
}

std::optional<std::size_t> Layout::inner(char name) const {
    for (std::size_t i = 0; i < axes.size(); ++i)
        if (axes[i].name == name && axes[i].factor > 0) return i;
    return std::nullopt;
}

std::int64_t Layout::block(char name) const {
    const std::optional<std::size_t> at = inner(name);
    return at ? axes[*at].factor : 1;
}

bool Layout::has(char name) const { return std::ranges::find(axes, Axis{name, 0}) != axes.end(); }

std::int64_t Layout::extent(char name, const Shape& shape) const {
    const std::optional<std::size_t> at = inner(name);
    return shape[outer(name)] * (at ? shape[*at] : 1);
}

std::string Layout::names() const {
    std::string names;
    for (const Axis& axis : axes)
        if (axis.factor == 0) names += axis.name;
    return names;
}

Result<Layout> parse_layout(std::string_view text) {
    constexpr std::int64_t kMostFactor = 65536; // our choice: far beyond any vector
    constexpr std::size_t kLongest = 64;
    if (text.empty() || text.size() > kLongest)
        return bad_layout(text.substr(0, kLongest), "it has no axes or too many");
    Layout layout;
    std::int64_t factor = -1;
    for (char c : text) {
        if (c >= '0' && c <= '9') {
            factor = std::max<std::int64_t>(factor, 0) * 10 + (c - '0');
            if (factor > kMostFactor) return bad_layout(text, "a factor is too large");
        } else if (c >= 'A' && c <= 'Z') {
            if (factor >= 0) return bad_layout(text, "a number stands before a small letter");
            if (layout.has(c)) return bad_layout(text, "an axis is there twice");
            layout.axes.push_back({c, 0});
        } else if (c >= 'a' && c <= 'z') {
            const char name = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
            if (factor < 1) return bad_layout(text, "a small letter follows its factor");
            if (layout.inner(name)) return bad_layout(text, "an axis is split twice");
            layout.axes.push_back({name, factor});
            factor = -1;
        } else {
            return bad_layout(text, "it has letters and factors only");
        }
    }
    if (factor >= 0) return bad_layout(text, "a factor belongs to no axis");
    for (const Layout::Axis& axis : layout.axes)
        if (!layout.has(axis.name)) return bad_layout(text, "an inner part has no outer one");
    return layout;
}

std::string to_string(const Layout& layout) {
    std::string text;
    for (const Layout::Axis& axis : layout.axes)
        text += axis.factor == 0 ? std::string(1, axis.name)
                                 : std::to_string(axis.factor) +
                                       static_cast<char>(std::tolower(static_cast<unsigned char>(axis.name)));
    return text;
}

Result<Shape> transformed_shape(const Shape& shape, const Layout& from, const Layout& to) {
    if (shape.size() != from.axes.size())
        return Diagnostic{Code::BadShape,
                          to_string(from) + " has " + std::to_string(from.axes.size()) + " axes, the tensor " +
                              std::to_string(shape.size()),
                          {},
                          {}};
    std::string a = from.names(), b = to.names();
    std::ranges::sort(a);
    std::ranges::sort(b);
    if (a != b)
        return Diagnostic{
            Code::BadAttribute, to_string(from) + " and " + to_string(to) + " do not have the same axes", {}, {}};
    for (const Layout::Axis& axis : from.axes)
        if (axis.factor > 0 && shape[*from.inner(axis.name)] != axis.factor)
            return Diagnostic{Code::BadShape, "an inner part is not as long as " + to_string(from) + " says", {}, {}};
    Shape out;
    for (const Layout::Axis& axis : to.axes) {
        const std::int64_t block = to.block(axis.name), extent = from.extent(axis.name, shape);
        if (extent % block != 0)
            return Diagnostic{Code::BadShape,
                              std::to_string(block) + " does not divide the " + std::to_string(extent) +
                                  " elements of an axis of " + to_string(to),
                              {},
                              {}};
        out.push_back(axis.factor > 0 ? block : extent / block);
    }
    return out;
}

namespace {

/// How far each index along each axis of the result moves in the source. Units: elements. Additive, where blocks agree.
std::vector<std::vector<std::int64_t>> source_offsets(const Shape& shape, const Layout& from, const Layout& to,
                                                      const Shape& out) {
    Shape strides(shape.size(), 1);
    for (std::size_t d = strides.size(); d-- > 1;) strides[d - 1] = strides[d] * shape[d];
    std::vector<std::vector<std::int64_t>> offsets(out.size());
    for (std::size_t d = 0; d < out.size(); ++d) {
        const Layout::Axis& axis = to.axes[d];
        const std::int64_t block = to.block(axis.name), from_block = from.block(axis.name);
        for (std::int64_t i = 0; i < out[d]; ++i) {
            const std::int64_t element = axis.factor > 0 ? i : i * block;
            std::int64_t offset = element / from_block * strides[from.outer(axis.name)];
            if (const auto inner = from.inner(axis.name)) offset += element % from_block * strides[*inner];
            offsets[d].push_back(offset);
        }
    }
    return offsets;
}

/// Rows [begin, end) of the result, a row being all of its last axis.
struct Rows {
    std::int64_t begin = 0, end = 0;
};

template <std::size_t Bytes> void gather(const char* source, char* target, const Shape& out,
                                         const std::vector<std::vector<std::int64_t>>& offsets, const Rows& rows) {
    Shape at(out.size(), 0);
    std::int64_t left = rows.begin;
    for (std::size_t d = out.size() - 1; d-- > 0; left /= out[d]) at[d] = left % out[d];
    target += static_cast<std::size_t>(rows.begin * out.back()) * Bytes;
    for (std::int64_t row = rows.begin; row < rows.end; ++row) {
        std::int64_t base = 0;
        for (std::size_t d = 0; d + 1 < out.size(); ++d) base += offsets[d][static_cast<std::size_t>(at[d])];
        for (std::int64_t offset : offsets.back()) {
            std::memcpy(target, source + static_cast<std::size_t>(base + offset) * Bytes, Bytes);
            target += Bytes;
        }
        for (std::size_t d = out.size() - 1; d-- > 0;) {
            if (++at[d] < out[d]) break;
            at[d] = 0;
        }
    }
}

} // namespace

NDArray transformed(const NDArray& array, const Layout& from, const Layout& to) {
    for (const Layout::Axis& axis : to.axes) {
        const std::int64_t a = from.block(axis.name), b = to.block(axis.name);
        if (a == 1 || b == 1 || a == b) continue;
        const Layout whole = parse_layout(from.names()).value();
        return transformed(transformed(array, from, whole), whole, to);
    }
    const Shape out = transformed_shape(array.shape(), from, to).value();
    NDArray result = NDArray::allocate(array.dtype(), out);
    if (result.bytes() == 0) return result;
    const auto offsets = source_offsets(array.shape(), from, to, out);
    const auto* source = static_cast<const char*>(array.data());
    auto* target = static_cast<char*>(result.mutable_data());
    // Our choice: less is done before another thread has started.
    constexpr std::int64_t kPieceBytes = 1 << 20;
    const std::int64_t rows = result.size() / out.back(),
                       pieces = std::min(rows, static_cast<std::int64_t>(result.bytes()) / kPieceBytes + 1);
    parallel_for(static_cast<std::size_t>(pieces), 0, [&](std::size_t piece) {
        const auto i = static_cast<std::int64_t>(piece);
        const Rows part{rows * i / pieces, rows * (i + 1) / pieces};
        switch (byte_size(array.dtype())) {
        case 1: return gather<1>(source, target, out, offsets, part);
        case 2: return gather<2>(source, target, out, offsets, part);
        case 4: return gather<4>(source, target, out, offsets, part);
        default: return gather<8>(source, target, out, offsets, part);
        }
    });
    return result;
}

} // namespace orrery::ops
