#pragma once
// Places in one block of memory for what lives at known times.

#include <cstddef>
#include <cstdint>
#include <vector>

namespace orrery {

inline constexpr std::size_t kArenaAlignment = 64; ///< of every place: a cache line

/// Something that needs `bytes` of memory during steps [first, last].
struct Tenant {
    std::size_t bytes = 0; ///< a multiple of kArenaAlignment; see arena_bytes
    std::int32_t first = 0, last = 0;
    std::size_t offset = 0;
    bool placed = false;  ///< `offset` is given
    bool follows = false; ///< lies where the tenant before it in the list ends: they move together
};

/// Rounded up to whole cache lines.
[[nodiscard]] constexpr std::size_t arena_bytes(std::size_t bytes) {
    return (bytes + kArenaAlignment - 1) / kArenaAlignment * kArenaAlignment;
}

/// Gives every tenant that has no place one, at the lowest offset free of those that live at the same time, and returns
/// the end of the last place. The order decides: largest first, those of the fullest steps first, longest first, then
/// these with whatever reached highest moved to the front, until an order needs no more than lives at once; the best is
/// taken. The same input gives the same places. Cost: quadratic for an order; large inputs try few.
/// Source: greedy by size and by breadth, "Efficient Memory Management for Deep Neural Net Inference", Pisarchyk and
/// Lee, 2020, section 5; moving to the front is our choice.
[[nodiscard]] std::size_t place_tenants(std::vector<Tenant>& tenants);

/// Whether no two tenants share memory at the same time.
[[nodiscard]] bool places_are_apart(const std::vector<Tenant>& tenants);

/// The most bytes that live at one of `steps` steps: no placement needs less. Pre: every `last` is below `steps`.
[[nodiscard]] std::size_t most_live_bytes(const std::vector<Tenant>& tenants, std::size_t steps);

/// A value: alone in its place, or part of that of another, its host.
struct Stay {
    std::size_t bytes = 0;
    std::int32_t first = 0, last = -1; ///< the steps that touch it first and last; none where last < first
    std::ptrdiff_t host = -1;          ///< index of a stay that has no host; -1 where it lies alone
    std::size_t offset = 0;            ///< in the host's place, a multiple of kArenaAlignment
};

/// Who needs memory when, of values some of which are parts of others.
struct Tenancy {
    std::vector<Tenant> tenants;
    std::vector<std::ptrdiff_t> first; ///< of each stay's place: index of its first tenant; -1 where nothing touches it
};
/// A place is cut where its parts begin and end. A piece lives from the first to the last step that touches a value
/// which lies over it: what is not written yet leaves room to others. Pieces of a place follow one another.
[[nodiscard]] Tenancy tenants_of(const std::vector<Stay>& stays);

} // namespace orrery
