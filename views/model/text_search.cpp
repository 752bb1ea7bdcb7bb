#include "views/model/text_view.hpp"

#include <algorithm>

// Horspool's search over the whole text at once; hits are then turned into lines, whose starts are walked
// alongside. Case is folded for ASCII only.

namespace orrery::views {
namespace {

struct LowerTable {
    unsigned char of[256];
    constexpr LowerTable() : of() {
        for (int c = 0; c < 256; ++c) of[c] = static_cast<unsigned char>(c >= 'A' && c <= 'Z' ? c + 32 : c);
    }
};
constexpr LowerTable kLower;

} // namespace

TextSearch::TextSearch(std::shared_ptr<const TextViewData> data, std::string needle, bool match_case)
    : data_(std::move(data)), needle_(std::move(needle)), match_case_(match_case) {
    if (!match_case_)
        for (char& c : needle_) c = static_cast<char>(kLower.of[static_cast<unsigned char>(c)]);
    const auto length = static_cast<std::uint32_t>(needle_.size());
    std::fill(std::begin(skip_), std::end(skip_), length);
    for (std::uint32_t i = 0; i + 1 < length; ++i) {
        const auto c = static_cast<unsigned char>(needle_[i]);
        skip_[c] = length - 1 - i;
        if (!match_case_ && c >= 'a' && c <= 'z') skip_[c - 32] = length - 1 - i;
    }
}

bool TextSearch::advance(std::size_t bytes) {
    const std::string& text = *data_->text;
    const std::size_t length = needle_.size();
    if (length == 0 || text.size() < length || hits_.size() >= kMaxHits) return false;
    const std::size_t last = text.size() - length;
    const std::size_t stop = std::min(last + 1, at_ + bytes);
    const auto* hay = reinterpret_cast<const unsigned char*>(text.data());
    const auto* needle = reinterpret_cast<const unsigned char*>(needle_.data());
    const auto equal = [&](std::size_t at) {
        if (match_case_) return std::equal(needle, needle + length, hay + at);
        for (std::size_t k = length; k-- > 0;)
            if (kLower.of[hay[at + k]] != needle[k]) return false;
        return true;
    };
    while (at_ < stop) {
        if (!equal(at_)) {
            at_ += skip_[hay[at_ + length - 1]];
            continue;
        }
        while (data_->line_start[static_cast<std::size_t>(line_) + 1] <= at_) ++line_;
        const auto begin = static_cast<std::uint32_t>(at_ - data_->line_start[static_cast<std::size_t>(line_)]);
        hits_.push_back({line_, begin, begin + static_cast<std::uint32_t>(length)});
        at_ += length;
        if (hits_.size() >= kMaxHits) return false;
    }
    return at_ <= last;
}

} // namespace orrery::views
