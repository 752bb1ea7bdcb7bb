#include "core/base/text_pool.hpp"

#include "core/base/hash.hpp"

#include <mutex>
#include <unordered_map>

namespace orrery {

namespace {

struct Pool {
    std::mutex mutex;
    std::unordered_map<std::int64_t, std::string> texts;
};

Pool& pool() {
    static Pool* const one = new Pool; // lives as long as the process
    return *one;
}

} // namespace

Result<std::int64_t> number_of_text(std::string_view text) {
    const auto number = static_cast<std::int64_t>(hash_bytes(text.data(), text.size()).low);
    const std::scoped_lock lock(pool().mutex);
    const auto [it, added] = pool().texts.emplace(number, text);
    if (added || it->second == text) return number;
    return Diagnostic{Code::LimitExceeded, "two strings cannot be told apart by their hashes", {}, {}};
}

std::optional<std::string> text_of_number(std::int64_t number) {
    const std::scoped_lock lock(pool().mutex);
    const auto it = pool().texts.find(number);
    return it == pool().texts.end() ? std::nullopt : std::optional(it->second);
}

} // namespace orrery
