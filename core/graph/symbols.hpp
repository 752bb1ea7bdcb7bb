#pragma once
// Extents that are not known yet: what symbols mean, and how types are found without knowing them.
//
// A relation between types is tried on several sets of values for the symbols (probes). What comes out equal every
// time is an integer; what follows a form in the symbols (n, 2*n, n+1, n/2, n*m) every time has that name; anything
// else is `?`. The sets hold multiples of 32 and 64, since networks halve their extents, and primes, so that a rounding
// or a remainder does not pass for a constant. Values are the same on every run.

#include "core/base/result.hpp"
#include "core/graph/type.hpp"

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace orrery::graph {

inline constexpr int kProbes = 4;

/// Values for symbols, handed out as symbols are met: the same for one name, different for different names.
/// Not for several threads.
class Probe {
  public:
    /// How unknown extents get their values.
    enum class Unknowns : std::uint8_t { Apart, Together };
    /// Pre: 0 <= number < kProbes.
    explicit Probe(int number) : number_(number) {}

    /// The type with every extent a number. With Apart each `?` gets a value of its own, with Together all get
    /// `shared`, or the probe's value for one when `shared` is negative.
    [[nodiscard]] Type closed(const Type& type, Unknowns unknowns = Unknowns::Apart, std::int64_t shared = -1);
    /// Of a symbol, which may be a sum of products and quotients of others; nullopt for `?` and for what is no such
    /// text or overflows.
    [[nodiscard]] std::optional<std::int64_t> value(std::string_view symbol);
    /// Forgets values given to `?`; those of symbols stay.
    void reset_unknowns() { unknowns_ = 0; }

  private:
    [[nodiscard]] std::int64_t number_of(std::size_t index) const;
    std::optional<std::int64_t> product(std::string_view text);

    int number_;
    std::map<std::string, std::size_t, std::less<>> atoms_;
    std::size_t unknowns_ = 0;
};

/// The extents that have those values in the probes: an integer, a form in `symbols`, or `?`. Pre: `values` and each
/// of the symbols' values have one entry a probe.
struct SymbolValues {
    std::string name;
    std::vector<std::int64_t> values;
};
[[nodiscard]] Dim name_extent(std::span<const std::int64_t> values, std::span<const SymbolValues> symbols);

/// Symbols of a type, each once, without `?`, added to `out` in order of appearance.
void collect_symbols(const Type& type, std::vector<std::string>& out);
/// Types that came out of the same relation in several probes as one; `symbols` as for name_extent. With fewer than two
/// only ranks are believed. Null when they differ in more than extents.
[[nodiscard]] Type merge_types(std::span<const Type> types, std::span<const SymbolValues> symbols);

/// The type with every extent unknown.
[[nodiscard]] Type ranks_only(const Type& type);
/// Extents that stand in a type, each once, added to `out`.
void collect_extents(const Type& type, std::vector<std::int64_t>& out);

/// The result type of a relation over types that are not all static. `relation` is given static types, null where
/// `types` is. Errors: the first of the relation's own when no values fit.
using StaticRelation = std::function<Result<Type>(std::span<const Type>)>;
[[nodiscard]] Result<Type> infer_by_probes(std::span<const Type> types, const StaticRelation& relation);

/// Checks a value's shape against a type, binding symbols: a name stands for one extent throughout.
/// False when it does not fit.
using SymbolBindings = std::map<std::string, std::int64_t>;
[[nodiscard]] bool bind_shape(const TensorType& type, std::span<const std::int64_t> shape, SymbolBindings& bindings);

} // namespace orrery::graph
