#include "core/ops/layout.hpp"

#include "core/base/check.hpp"
#include "core/base/element_source.hpp"
#include "core/ops/permute.hpp"
#include "core/ops/rows.hpp"
#include "core/ops/scratch.hpp"

#include <algorithm>
#include <cctype>
#include <cstring>
#include <memory>

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

using Offsets = std::vector<std::vector<std::int64_t>>;

/// How far each index along each axis of the result moves in the source. Units: elements. Additive, where blocks agree.
Offsets source_offsets(const Shape& shape, const Layout& from, const Layout& to, const Shape& out) {
    Shape strides(shape.size(), 1);
    for (std::size_t d = strides.size(); d-- > 1;) strides[d - 1] = strides[d] * shape[d];
    Offsets offsets(out.size());
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

/// A part of a result: elements [begin, end), in order, of an array whose axes are indices into offsets.
struct Part {
    std::int64_t begin = 0, end = 0;
};

template <std::size_t Bytes> void gather(const char* source, char* target, const Offsets& offsets, const Part& part) {
    // Where `begin` stands; then all of the last axis in one go.
    std::vector<std::size_t> index(offsets.size(), 0);
    std::int64_t left = part.begin;
    for (std::size_t d = offsets.size(); d-- > 0; left /= static_cast<std::int64_t>(offsets[d].size()))
        index[d] = static_cast<std::size_t>(left) % offsets[d].size();
    const std::vector<std::int64_t>& last = offsets.back();
    for (std::int64_t at = part.begin; at < part.end;) {
        std::int64_t base = 0;
        for (std::size_t d = 0; d + 1 < offsets.size(); ++d) base += offsets[d][index[d]];
        const std::size_t first = index.back(),
                          count = std::min(last.size() - first, static_cast<std::size_t>(part.end - at));
        for (std::size_t i = first; i < first + count; ++i) {
            std::memcpy(target, source + static_cast<std::size_t>(base + last[i]) * Bytes, Bytes);
            target += Bytes;
        }
        at += static_cast<std::int64_t>(count);
        index.back() = 0;
        for (std::size_t d = offsets.size() - 1; d-- > 0;) {
            if (++index[d] < offsets[d].size()) break;
            index[d] = 0;
        }
    }
}

void gather(std::int64_t width, const void* from, void* to, const Offsets& offsets, const Part& part) {
    const auto* source = static_cast<const char*>(from);
    auto* target = static_cast<char*>(to);
    switch (width) {
    case 1: return gather<1>(source, target, offsets, part);
    case 2: return gather<2>(source, target, offsets, part);
    case 4: return gather<4>(source, target, offsets, part);
    default: return gather<8>(source, target, offsets, part);
    }
}

/// An array in another layout. Where both have the same first axis, an index of the result's is made of a few rows of
/// the array, which are read once, side by side, and looked at across.
class Relaid final : public ElementSource {
  public:
    /// Pre: transformed_shape gives `shape`, and blocks_agree.
    Relaid(NDArray array, Layout from, Layout to, Shape shape)
        : array_(std::move(array)), from_(std::move(from)), to_(std::move(to)), shape_(std::move(shape)),
          width_(byte_size(array_.dtype())), offsets_(source_offsets(array_.shape(), from_, to_, shape_)) {
        const Layout::Axis &first = to_.axes.front(), &source = from_.axes.front();
        if (first != source || first.factor > 0 || from_.inner(first.name)) return;
        rows_ = to_.block(first.name);
        row_ = array_.size() / array_.shape()[0];
        pitch_ = row_pitch(row_, width_);
        in_rows_ = offsets_;
        in_rows_.front() = {0};
        for (std::vector<std::int64_t>& axis : in_rows_)
            for (std::int64_t& offset : axis) offset = offset / row_ * pitch_ + offset % row_;
        if (to_.axes.back().name == first.name && rows_ > 1 && width_ == 4) find_slots();
    }

    [[nodiscard]] const NDArray& array() const { return array_; }
    [[nodiscard]] const Layout& from() const { return from_; }
    [[nodiscard]] const Layout& to() const { return to_; }
    [[nodiscard]] const Shape& shape() const { return shape_; }

    std::int64_t pieces() const override {
        constexpr std::int64_t kPieceBytes = std::int64_t{1} << 18; // our choice
        const std::int64_t wanted = array_.size() * width_ / kPieceBytes + 1;
        return std::min(wanted, rows_ > 0 ? shape_.front() : array_.size());
    }
    void write(std::int64_t piece, void* out) const override {
        const std::int64_t all = rows_ > 0 ? shape_.front() : array_.size(), count = pieces();
        const Part part{all * piece / count, all * (piece + 1) / count};
        if (rows_ > 0) return write_rows(part, static_cast<char*>(out));
        gather(width_, array_.data(), static_cast<char*>(out) + part.begin * width_, offsets_, part);
    }
    bool read(std::int64_t begin, std::int64_t count, void* out) const override {
        constexpr std::int64_t kFew = 64; // our choice: elements fetched one by one, to tell arrays apart
        if (count > kFew) return false;
        for (std::int64_t i = 0; i < count; ++i) {
            std::int64_t left = begin + i, offset = 0;
            for (std::size_t d = shape_.size(); d-- > 0; left /= shape_[d])
                offset += offsets_[d][static_cast<std::size_t>(left % shape_[d])];
            array_.read(offset, 1, static_cast<char*>(out) + i * width_);
        }
        return true;
    }

  private:
    /// Indices of the first axis.
    void write_rows(const Part& part, char* out) const {
        const std::int64_t elements = rows_ * row_;
        Scratch rows(static_cast<std::size_t>(rows_ * pitch_ * width_));
        for (std::int64_t i = part.begin; i < part.end; ++i) {
            read_rows(array_, {i * rows_, rows_, row_, pitch_}, rows.as<char>());
            char* to = out + i * elements * width_;
            if (slots_.empty())
                gather(width_, rows.as<char>(), to, in_rows_, {0, elements});
            else
                turn_rows(rows.as<char>(), {rows_, pitch_, row_, slots_.data()}, to);
        }
    }
    /// Where the last axis of the result goes over the rows, elements of a column stay side by side: the index of each
    /// column among all in the result.
    void find_slots() {
        slots_.resize(static_cast<std::size_t>(row_));
        std::vector<std::size_t> index(in_rows_.size() - 1, 0); // of the first axis, and all others but the last
        for (std::int64_t slot = 0; slot < row_; ++slot) {
            std::int64_t column = 0;
            for (std::size_t d = 1; d < index.size(); ++d) column += in_rows_[d][index[d]];
            slots_[static_cast<std::size_t>(column)] = static_cast<std::int32_t>(slot);
            for (std::size_t d = index.size(); d-- > 1;) {
                if (++index[d] < in_rows_[d].size()) break;
                index[d] = 0;
            }
        }
    }

    NDArray array_;
    Layout from_, to_;
    Shape shape_;
    std::int64_t width_;        ///< of an element. Units: bytes
    Offsets offsets_, in_rows_; ///< in the array; and in rows at a distance of `pitch_`
    /// Rows of one index of the first axis, none where that is not so; of how many elements, and how far apart.
    std::int64_t rows_ = 0, row_ = 0, pitch_ = 0;
    std::vector<std::int32_t> slots_;
};

/// Whether one layout's axes are cut where the other's are, or not at all: one step leads from one to the other.
bool blocks_agree(const Layout& from, const Layout& to) {
    return std::ranges::all_of(to.axes, [&](const Layout::Axis& axis) {
        const std::int64_t a = from.block(axis.name), b = to.block(axis.name);
        return a == 1 || b == 1 || a == b;
    });
}

} // namespace

NDArray transformed(const NDArray& array, const Layout& from, const Layout& to) {
    if (from == to) return array;
    if (const auto* before = dynamic_cast<const Relaid*>(array.source()))
        if (before->to() == from && before->shape() == array.shape() && blocks_agree(before->from(), to))
            return transformed(before->array(), before->from(), to);
    // Turned first, as the weights of dense layers are: one step from where they came from.
    if (const std::optional<Turned> turned = turned_from(array);
        turned && std::ranges::all_of(from.axes, [](const Layout::Axis& axis) { return axis.factor == 0; })) {
        Layout before = from;
        for (std::size_t d = 0; d < from.axes.size(); ++d)
            before.axes[static_cast<std::size_t>(turned->perm[d])] = from.axes[d];
        return transformed(turned->array, before, to);
    }
    if (!blocks_agree(from, to)) {
        const Layout whole = parse_layout(from.names()).value();
        return transformed(transformed(array, from, whole), whole, to);
    }
    const Shape out = transformed_shape(array.shape(), from, to).value();
    if (array.bytes() == 0) return NDArray::allocate(array.dtype(), out);
    NDArray lazy = NDArray::lazy(array.dtype(), out, std::make_shared<Relaid>(array, from, to, out));
    if (lazy.bytes() < kWorthDelaying) static_cast<void>(lazy.data());
    return lazy;
}

} // namespace orrery::ops
