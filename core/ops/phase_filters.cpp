// Filters of transposed convolutions, sorted by phase when a model is compiled.

#include "core/base/element_source.hpp"
#include "core/ops/transposed.hpp"

#include <algorithm>
#include <cstring>
#include <memory>

namespace orrery::ops {

namespace {

class PhaseFilters final : public ElementSource {
  public:
    PhaseFilters(NDArray weights, std::int64_t groups, const std::vector<PhaseAxis>& axes)
        : weights_(std::move(weights)), width_(byte_size(weights_.dtype())), depth_(weights_.shape()[0] / groups),
          each_(weights_.shape()[1]), filters_(each_ * groups),
          kernel_(weights_.size() / std::max<std::int64_t>(1, weights_.shape()[0] * each_)) {
        find_taps(axes);
    }

    std::int64_t pieces() const override { return filters_; }
    /// A piece is a filter, in every phase.
    void write(std::int64_t piece, void* out) const override {
        const auto* from = static_cast<const char*>(weights_.data());
        const std::int64_t taps = std::ssize(taps_) / phases_, first = piece / each_ * depth_, column = piece % each_;
        const auto width = static_cast<std::size_t>(width_);
        for (std::int64_t phase = 0; phase < phases_; ++phase) {
            char* to = static_cast<char*>(out) + (phase * filters_ + piece) * depth_ * taps * width_;
            for (std::int64_t c = first; c < first + depth_; ++c)
                for (std::int64_t t = 0; t < taps; ++t, to += width_)
                    if (const std::int64_t tap = taps_[static_cast<std::size_t>(phase * taps + t)]; tap < 0)
                        std::memset(to, 0, width);
                    else
                        std::memcpy(to, from + ((c * each_ + column) * kernel_ + tap) * width_, width);
        }
    }
    bool read(std::int64_t, std::int64_t, void*) const override { return false; }

  private:
    /// The place in a filter of each tap of each phase; -1 for none.
    void find_taps(const std::vector<PhaseAxis>& axes) {
        std::int64_t taps = 1;
        for (const PhaseAxis& axis : axes) {
            phases_ *= axis.stride;
            taps *= axis.taps();
        }
        for (std::int64_t phase = 0; phase < phases_; ++phase)
            for (std::int64_t t = 0; t < taps; ++t) {
                std::int64_t phase_left = phase, tap_left = t, at = 0, step = 1;
                for (std::size_t d = axes.size(); d-- > 0; step *= axes[d].kernel) {
                    const std::int64_t tap = axes[d].tap(phase_left % axes[d].stride, tap_left % axes[d].taps());
                    at = at < 0 || tap >= axes[d].kernel ? -1 : at + tap * step;
                    phase_left /= axes[d].stride;
                    tap_left /= axes[d].taps();
                }
                taps_.push_back(at);
            }
    }

    NDArray weights_;
    std::int64_t width_, depth_, each_, filters_, kernel_; ///< depth, each: channels and filters of a group
    std::int64_t phases_ = 1;
    std::vector<std::int64_t> taps_;
};

} // namespace

NDArray phase_filters(const NDArray& weights, std::int64_t groups, const std::vector<PhaseAxis>& axes) {
    Shape shape{1, weights.shape()[1] * groups, weights.shape()[0] / groups};
    for (const PhaseAxis& axis : axes) {
        shape[0] *= axis.stride;
        shape.push_back(axis.taps());
    }
    if (element_count(shape) == 0) return NDArray::zeros(weights.dtype(), shape);
    NDArray lazy = NDArray::lazy(weights.dtype(), shape, std::make_shared<PhaseFilters>(weights, groups, axes));
    if (lazy.bytes() < kWorthDelaying) static_cast<void>(lazy.data());
    return lazy;
}

} // namespace orrery::ops
