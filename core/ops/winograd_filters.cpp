// Filters of winograd_conv2d. A few filters at a time, side by side in lanes; their rows are read once, a few channels
// go through the arithmetic together, so that each place of the transformed filters is written in whole cache lines.

#include "core/base/element_source.hpp"
#include "core/ops/rows.hpp"
#include "core/ops/scratch.hpp"
#include "core/ops/winograd.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>

namespace orrery::ops {

namespace {

constexpr std::size_t kLanes = 8; ///< filters computed together
struct Lanes {
    typedef double Numbers __attribute__((vector_size(kLanes * sizeof(double))));
    Numbers of;
};

/// Where the elements of a product with G go.
template <std::size_t Extent> using Places = std::array<Lanes*, Extent>;

/// The product of G with a column of three. G of tiles of 2: 1, 0, 0; 1/2, 1/2, 1/2; 1/2, -1/2, 1/2; 0, 0, 1. Of tiles
/// of 4: 1/4, 0, 0; -1/6, -1/6, -1/6; -1/6, 1/6, -1/6; 1/24, 1/12, 1/6; 1/24, -1/12, 1/6; 0, 0, 1. Two rows that differ
/// in one sign share the rest.
void spread(const std::array<const Lanes*, 3>& column, const Places<4>& out) {
    const auto &a = column[0]->of, &b = column[1]->of, &c = column[2]->of;
    const auto even = 0.5 * (a + c), odd = 0.5 * b;
    out[0]->of = a;
    out[1]->of = even + odd;
    out[2]->of = even - odd;
    out[3]->of = c;
}
void spread(const std::array<const Lanes*, 3>& column, const Places<6>& out) {
    const auto &a = column[0]->of, &b = column[1]->of, &c = column[2]->of;
    const auto near = (-1.0 / 6) * (a + c), near_odd = (1.0 / 6) * b;
    const auto far = (1.0 / 24) * a + (1.0 / 6) * c, far_odd = (1.0 / 12) * b;
    out[0]->of = 0.25 * a;
    out[1]->of = near - near_odd;
    out[2]->of = near + near_odd;
    out[3]->of = far + far_odd;
    out[4]->of = far - far_odd;
    out[5]->of = c;
}

/// G w G^T of the filters in the lanes, row after row.
template <std::size_t Extent> void transform(const std::array<Lanes, 9>& w, std::array<Lanes, Extent * Extent>& out) {
    std::array<Lanes, Extent * 3> rows; // G w
    Places<Extent> to{};
    for (std::size_t k = 0; k < 3; ++k) {
        for (std::size_t i = 0; i < Extent; ++i) to[i] = &rows[i * 3 + k];
        spread({&w[k], &w[3 + k], &w[6 + k]}, to);
    }
    for (std::size_t i = 0; i < Extent; ++i) {
        for (std::size_t j = 0; j < Extent; ++j) to[j] = &out[i * Extent + j];
        spread({&rows[i * 3], &rows[i * 3 + 1], &rows[i * 3 + 2]}, to);
    }
}

typedef float Rounded __attribute__((vector_size(kLanes * sizeof(float))));

/// `count` numbers, and 0 in the other lanes.
Lanes load(const float* from, std::size_t count) {
    Rounded numbers{};
    if (count == kLanes)
        std::memcpy(&numbers, from, sizeof numbers);
    else
        std::memcpy(&numbers, from, count * sizeof(float));
    return {__builtin_convertvector(numbers, Lanes::Numbers)};
}

/// The first `count` lanes, rounded.
void store(const Lanes& lanes, std::size_t count, float* to) {
    const Rounded rounded = __builtin_convertvector(lanes.of, Rounded);
    if (count == kLanes)
        std::memcpy(to, &rounded, sizeof rounded);
    else
        std::memcpy(to, &rounded, count * sizeof(float));
}

template <std::size_t Extent> class Filters final : public ElementSource {
  public:
    Filters(NDArray weights, std::int64_t block)
        : weights_(std::move(weights)), block_(block), blocks_(weights_.shape()[0] / block),
          depth_(weights_.shape()[1]) {}

    std::int64_t pieces() const override { return blocks_; }
    /// A piece is a block of filters: at every place, channels by filters side by side.
    void write(std::int64_t piece, void* out) const override {
        const std::int64_t row = depth_ * 9, pitch = row_pitch(row, sizeof(float));
        Scratch rows(at(block_ * pitch) * sizeof(float)), columns(at(kGroup * 9 * block_) * sizeof(float)),
            group(kPlaces * at(kGroup * block_) * sizeof(float));
        read_rows(weights_, {piece * block_, block_, row, pitch}, rows.as<float>());
        for (std::int64_t first = 0; first < depth_; first += kGroup) {
            const std::int64_t channels = std::min(kGroup, depth_ - first);
            turn_rows(rows.as<float>() + first * 9, {block_, pitch, channels * 9}, columns.as<float>());
            for (std::int64_t c = 0; c < channels; ++c)
                for (std::int64_t lane = 0; lane < block_; lane += kLanes)
                    compute(columns.as<float>() + c * 9 * block_ + lane, std::min(at(block_ - lane), kLanes),
                            group.as<float>() + c * block_ + lane);
            for (std::int64_t place = 0; place < kPlaces; ++place)
                std::memcpy(static_cast<float*>(out) + ((place * blocks_ + piece) * depth_ + first) * block_,
                            group.as<float>() + place * kGroup * block_, at(channels * block_) * sizeof(float));
        }
    }
    /// Elements of one place come of all filters.
    bool read(std::int64_t, std::int64_t, void*) const override { return false; }

  private:
    static constexpr std::int64_t kPlaces = Extent * Extent;
    static constexpr std::int64_t kGroup = 8; ///< channels; with a block of 16 filters 18 KiB, which a cache keeps
    static std::size_t at(std::int64_t i) { return static_cast<std::size_t>(i); }

    /// The first `count` filters of one channel, side by side, to every place of a group.
    void compute(const float* from, std::size_t count, float* to) const {
        std::array<Lanes, 9> w;
        for (std::int64_t k = 0; k < 9; ++k) w[at(k)] = load(from + k * block_, count);
        std::array<Lanes, Extent * Extent> out;
        transform<Extent>(w, out);
        for (std::int64_t place = 0; place < kPlaces; ++place)
            store(out[at(place)], count, to + place * kGroup * block_);
    }

    NDArray weights_;
    std::int64_t block_, blocks_, depth_;
};

} // namespace

NDArray winograd_weights(const NDArray& weights, std::int64_t tile, std::int64_t block) {
    const std::int64_t extent = winograd_extent(tile);
    const Shape shape{extent, extent, weights.shape()[0] / block, weights.shape()[1], block};
    std::shared_ptr<const ElementSource> source;
    if (tile == 2)
        source = std::make_shared<Filters<4>>(weights, block);
    else
        source = std::make_shared<Filters<6>>(weights, block);
    return NDArray::lazy(DType::F32, shape, std::move(source));
}

} // namespace orrery::ops
