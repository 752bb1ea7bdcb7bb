#pragma once
// 128-bit content hashes: keys of the stage cache, workloads, constants and files.

#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace orrery {

/// A content hash. Equal content gives equal hashes on every run and machine.
struct Hash {
    std::uint64_t high = 0, low = 0;
    auto operator<=>(const Hash&) const = default;
};

/// 32 lower-case hexadecimal digits.
[[nodiscard]] std::string to_string(const Hash& hash);

/// Feeds values into one hash (XXH3, 128 bits). Strings and spans are fed with their length, so
/// that ("ab", "c") and ("a", "bc") differ.
class Hasher {
  public:
    Hasher();
    ~Hasher();
    Hasher(const Hasher&) = delete;
    Hasher& operator=(const Hasher&) = delete;

    Hasher& bytes(const void* data, std::size_t size);
    Hasher& add(std::string_view text);
    Hasher& add(std::int64_t value);
    Hasher& add(std::uint64_t value);
    Hasher& add(int value) { return add(static_cast<std::int64_t>(value)); }
    Hasher& add(double value);
    Hasher& add(const Hash& hash);
    Hasher& add(std::span<const std::int64_t> values);
    [[nodiscard]] Hash finish() const;

  private:
    struct State;
    std::unique_ptr<State> state_;
};

[[nodiscard]] Hash hash_bytes(const void* data, std::size_t size);

} // namespace orrery

template <> struct std::hash<orrery::Hash> {
    std::size_t operator()(const orrery::Hash& h) const noexcept { return static_cast<std::size_t>(h.low); }
};
