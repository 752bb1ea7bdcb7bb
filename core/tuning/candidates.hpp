#pragma once
// A task's spaces as points, and points as programs ready to be compiled.

#include "core/base/hash.hpp"
#include "core/schedule/spaces.hpp"
#include "core/tuning/tuning.hpp"

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <span>
#include <string>
#include <vector>

namespace orrery::tuning {

/// Bits of a generator, used the same on every machine.
class Dice {
  public:
    explicit Dice(std::uint64_t seed) : random_(seed) {}
    /// Pre: n > 0.
    std::size_t below(std::size_t n) { return static_cast<std::size_t>(random_() % n); }
    bool chance(double share) { return static_cast<double>(random_() >> 11) * 0x1p-53 < share; }

  private:
    std::mt19937_64 random_;
};

/// A decision: of each knob of a space, an index into its candidates.
struct Point {
    std::size_t space = 0;
    std::vector<std::uint16_t> choice;
    auto operator<=>(const Point&) const = default;
};

/// What a point or a trace comes to.
struct Prepared {
    std::optional<Point> point; ///< nullopt for a trace that is in no space
    schedule::Trace trace;      ///< closed
    tensor::Program program;    ///< scheduled; null when it was refused
    Hash hash;                  ///< of the program's structure: equal programs are one candidate
    std::vector<float> features;
    std::string refused; ///< why it cannot be run; empty when it can
};

/// Thread: one call at a time.
class CandidateSpace {
  public:
    CandidateSpace(tensor::Program program, const Target& target, int threads);

    /// The trace, opened, and its alternatives become further spaces. Returns the point that is the trace itself;
    /// nullopt when it does not apply to the program.
    std::optional<Point> add(const schedule::Trace& trace, std::size_t most);
    /// The point that is this closed trace; nullopt when no space has it.
    [[nodiscard]] std::optional<Point> find(const schedule::Trace& trace) const;
    /// Only this value of a knob from now on, in every space that has it; nullopt frees it.
    void pin(const std::string& knob, std::optional<std::int64_t> value);
    [[nodiscard]] bool has_pins() const { return !pins_.empty(); }

    [[nodiscard]] const std::vector<SpaceInfo>& spaces() const { return infos_; }
    /// Over all spaces; at most 2^62.
    [[nodiscard]] std::uint64_t size() const;
    [[nodiscard]] std::vector<KnobValue> knobs(const Point& point) const;
    /// A point's program. Cost: some milliseconds.
    [[nodiscard]] Prepared prepare(const Point& point) const;
    [[nodiscard]] Prepared prepare(const schedule::Trace& trace) const;

    /// The same of many, on all cores.
    [[nodiscard]] std::vector<Prepared> prepare_all(std::span<const Point> points) const;

    /// The decision of a space's trace as it was made.
    [[nodiscard]] Point origin(std::size_t space) const;
    [[nodiscard]] Point drawn(Dice& dice) const;
    /// Number `index` of size(), the last knob fastest.
    [[nodiscard]] Point nth(std::uint64_t index) const;
    /// A neighbour: a knob or two a candidate or two further, sometimes another space with the same decisions.
    [[nodiscard]] Point mutated(const Point& point, Dice& dice) const;
    /// The first's, some knobs as the second has them.
    [[nodiscard]] Point crossed(const Point& first, const Point& second, Dice& dice) const;

  private:
    struct Kept {
        schedule::Trace trace; ///< open
        Point origin;
        std::size_t prefix = 0;       ///< steps before the first open one
        tensor::Program after_prefix; ///< the program after them
    };
    /// The choice that is pinned, or this one.
    [[nodiscard]] std::uint16_t allowed(std::size_t space, std::size_t knob, std::uint16_t choice) const;
    [[nodiscard]] std::optional<Point> decided(std::size_t space, const schedule::Trace& trace) const;
    [[nodiscard]] Point moved(const Point& point, std::size_t space) const;
    void finish(Prepared& prepared, const tensor::Program& from, std::size_t first) const;

    tensor::Program program_;
    Target target_;
    int threads_;
    std::vector<Kept> kept_;
    std::vector<SpaceInfo> infos_;
    std::map<std::string, std::int64_t> pins_;
};

} // namespace orrery::tuning
