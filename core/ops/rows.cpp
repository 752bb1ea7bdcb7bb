#include "core/ops/rows.hpp"

#include "core/base/element_source.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>

namespace orrery::ops {

namespace {

class RowProduct final : public ElementSource {
  public:
    /// Pre: f32, one factor a row.
    RowProduct(NDArray array, NDArray factors)
        : array_(std::move(array)), factors_(std::move(factors)), row_(array_.size() / array_.shape()[0]) {}

    std::int64_t pieces() const override { return (array_.size() + kPiece - 1) / kPiece; }
    void write(std::int64_t piece, void* out) const override {
        const std::int64_t begin = piece * kPiece, end = std::min(begin + kPiece, array_.size());
        multiply(begin, end - begin, static_cast<float*>(out) + begin);
    }
    bool read(std::int64_t begin, std::int64_t count, void* out) const override {
        multiply(begin, count, static_cast<float*>(out));
        return true;
    }

  private:
    static constexpr std::int64_t kPiece = std::int64_t{1} << 18; ///< elements; 1 MiB

    void multiply(std::int64_t begin, std::int64_t count, float* out) const {
        constexpr std::int64_t kMost = 4096; // elements that the first-level cache keeps until they are multiplied
        const float* factors = factors_.values<float>().data();
        for (const std::int64_t end = begin + count; begin < end;) {
            const std::int64_t row = begin / row_, size = std::min({(row + 1) * row_ - begin, end - begin, kMost});
            array_.read(begin, size, out);
            const float factor = factors[row];
            for (std::int64_t i = 0; i < size; ++i) out[i] *= factor;
            begin += size;
            out += size;
        }
    }

    NDArray array_, factors_;
    std::int64_t row_;
};

class Lengthened final : public ElementSource {
  public:
    /// `row`, `longer`: elements from one along an axis before the lengthened one to the next, as it is and as wanted.
    Lengthened(NDArray array, std::int64_t row, std::int64_t longer)
        : array_(std::move(array)), row_(row), longer_(longer), width_(byte_size(array_.dtype())),
          all_(array_.size() / row_ * longer_) {}

    std::int64_t pieces() const override { return (all_ * width_ + kPieceBytes - 1) / kPieceBytes; }
    void write(std::int64_t piece, void* out) const override {
        const std::int64_t count = pieces(), begin = all_ * piece / count, end = all_ * (piece + 1) / count;
        fill(begin, end, static_cast<char*>(out) + begin * width_);
    }
    bool read(std::int64_t begin, std::int64_t count, void* out) const override {
        fill(begin, begin + count, static_cast<char*>(out));
        return true;
    }

  private:
    static constexpr std::int64_t kPieceBytes = std::int64_t{1} << 20; ///< our choice

    void fill(std::int64_t begin, std::int64_t end, char* out) const {
        while (begin < end) {
            const std::int64_t at = begin % longer_, size = std::min(end - begin, (at < row_ ? row_ : longer_) - at);
            if (at < row_)
                array_.read(begin / longer_ * row_ + at, size, out);
            else
                std::memset(out, 0, static_cast<std::size_t>(size * width_));
            begin += size;
            out += size * width_;
        }
    }

    NDArray array_;
    std::int64_t row_, longer_, width_, all_;
};

constexpr std::int64_t kSide = 4; ///< of a square of elements that is turned in registers
struct Four {
    typedef std::uint32_t Numbers __attribute__((vector_size(kSide * sizeof(std::uint32_t))));
    Numbers of;
};

/// Four elements of four rows as four columns.
void turn(std::array<Four, kSide>& v) {
    const auto low01 = __builtin_shufflevector(v[0].of, v[1].of, 0, 4, 1, 5),
               high01 = __builtin_shufflevector(v[0].of, v[1].of, 2, 6, 3, 7),
               low23 = __builtin_shufflevector(v[2].of, v[3].of, 0, 4, 1, 5),
               high23 = __builtin_shufflevector(v[2].of, v[3].of, 2, 6, 3, 7);
    v[0].of = __builtin_shufflevector(low01, low23, 0, 1, 4, 5);
    v[1].of = __builtin_shufflevector(low01, low23, 2, 3, 6, 7);
    v[2].of = __builtin_shufflevector(high01, high23, 0, 1, 4, 5);
    v[3].of = __builtin_shufflevector(high01, high23, 2, 3, 6, 7);
}

} // namespace

void turn_rows(const void* in, const Across& across, void* out) {
    constexpr std::int64_t kWidth = sizeof(std::uint32_t);
    const auto* from = static_cast<const char*>(in);
    auto* to = static_cast<char*>(out);
    const auto source = [&](std::int64_t r, std::int64_t j) { return from + (r * across.pitch + j) * kWidth; };
    const auto place = [&](std::int64_t r, std::int64_t j) {
        return to + ((across.slots ? across.slots[j] : j) * across.rows + r) * kWidth;
    };
    const std::int64_t columns = across.columns / kSide * kSide, rows = across.rows / kSide * kSide;
    for (std::int64_t j = 0; j < columns; j += kSide)
        for (std::int64_t r = 0; r < rows; r += kSide) {
            std::array<Four, kSide> square;
            for (std::int64_t i = 0; i < kSide; ++i)
                std::memcpy(&square[static_cast<std::size_t>(i)], source(r + i, j), sizeof(Four));
            turn(square);
            for (std::int64_t i = 0; i < kSide; ++i)
                std::memcpy(place(r, j + i), &square[static_cast<std::size_t>(i)], sizeof(Four));
        }
    for (std::int64_t j = 0; j < across.columns; ++j) // what is left of the columns, and of the rows
        for (std::int64_t r = j < columns ? rows : 0; r < across.rows; ++r)
            std::memcpy(place(r, j), source(r, j), kWidth);
}

std::int64_t row_pitch(std::int64_t count, std::int64_t width) {
    constexpr std::int64_t kLine = 64;
    return ((count * width + kLine - 1) / kLine | 1) * kLine / width;
}

void read_rows(const NDArray& array, const RowsWanted& rows, void* out) {
    const std::int64_t width = byte_size(array.dtype());
    for (std::int64_t r = 0; r < rows.count; ++r)
        array.read((rows.first + r) * rows.length, rows.length, static_cast<char*>(out) + r * rows.pitch * width);
}

std::optional<NDArray> row_product(const NDArray& array, const NDArray& factors) {
    if (array.dtype() != DType::F32 || factors.dtype() != DType::F32 || array.bytes() < kWorthDelaying ||
        array.shape().size() != factors.shape().size() || factors.size() != array.shape()[0] ||
        factors.shape()[0] != array.shape()[0])
        return std::nullopt;
    return NDArray::lazy(DType::F32, array.shape(), std::make_shared<RowProduct>(array, factors));
}

NDArray with_zeros(const NDArray& array, std::size_t axis, std::int64_t count) {
    Shape shape = array.shape();
    const std::int64_t row = element_count(std::span(shape).subspan(axis));
    const std::int64_t longer = row / shape[axis] * count;
    shape[axis] = count;
    const auto made = std::make_shared<Lengthened>(array, row, longer);
    if (array.bytes() >= kWorthDelaying) return NDArray::lazy(array.dtype(), shape, made);
    NDArray out = NDArray::allocate(array.dtype(), shape);
    made->read(0, out.size(), out.mutable_data());
    return out;
}

} // namespace orrery::ops
