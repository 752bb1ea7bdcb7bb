#include "core/base/hash.hpp"

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace orrery {

struct Hasher::State {
    XXH3_state_t xxh;
};

std::string to_string(const Hash& hash) {
    static constexpr char kDigits[] = "0123456789abcdef";
    std::string text(32, '0');
    for (int i = 0; i < 16; ++i) {
        text[static_cast<std::size_t>(i)] = kDigits[(hash.high >> (60 - 4 * i)) & 15];
        text[static_cast<std::size_t>(16 + i)] = kDigits[(hash.low >> (60 - 4 * i)) & 15];
    }
    return text;
}

Hasher::Hasher() : state_(std::make_unique<State>()) { XXH3_128bits_reset(&state_->xxh); }
Hasher::~Hasher() = default;

Hasher& Hasher::bytes(const void* data, std::size_t size) {
    XXH3_128bits_update(&state_->xxh, data, size);
    return *this;
}

Hasher& Hasher::add(std::string_view text) {
    add(static_cast<std::uint64_t>(text.size()));
    return bytes(text.data(), text.size());
}

Hasher& Hasher::add(std::int64_t value) { return bytes(&value, sizeof value); }
Hasher& Hasher::add(std::uint64_t value) { return bytes(&value, sizeof value); }
Hasher& Hasher::add(double value) { return bytes(&value, sizeof value); }
Hasher& Hasher::add(const Hash& hash) { return bytes(&hash, sizeof hash); }

Hasher& Hasher::add(std::span<const std::int64_t> values) {
    add(static_cast<std::uint64_t>(values.size()));
    return bytes(values.data(), values.size_bytes());
}

Hash Hasher::finish() const {
    const XXH128_hash_t h = XXH3_128bits_digest(&state_->xxh);
    return {h.high64, h.low64};
}

Hash hash_bytes(const void* data, std::size_t size) {
    const XXH128_hash_t h = XXH3_128bits(data, size);
    return {h.high64, h.low64};
}

} // namespace orrery
