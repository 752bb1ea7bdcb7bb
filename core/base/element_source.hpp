#pragma once
// Where the elements of an array come from that nobody has looked at yet.

#include <cstddef>
#include <cstdint>

namespace orrery {

/// Arrays of fewer bytes are computed at once. Source: our choice, what costs less than a thread's start.
inline constexpr std::size_t kWorthDelaying = 65536;

/// Elements that follow from others, for NDArray::lazy: a constant that one pass scales and the next ones pack is
/// written once, as it is in the end. The same source gives the same bits, in whatever pieces and on whatever threads.
/// Thread: all members are called from several threads at once.
class ElementSource {
  public:
    virtual ~ElementSource() = default;

    /// How many independent pieces the array is written in, each worth a few hundred microseconds. At least 1.
    [[nodiscard]] virtual std::int64_t pieces() const = 0;
    /// Writes the elements of one piece, and no others. `out` is where the whole array lies.
    virtual void write(std::int64_t piece, void* out) const = 0;
    /// Writes elements [begin, begin + count), row-major, to the beginning of `out`, which is aligned for the dtype.
    /// False, and nothing is written, where that takes as much as writing the array.
    [[nodiscard]] virtual bool read(std::int64_t begin, std::int64_t count, void* out) const = 0;
    /// All elements as they lie somewhere already, at any address; null when they do not.
    [[nodiscard]] virtual const void* bytes() const { return nullptr; }
};

} // namespace orrery
