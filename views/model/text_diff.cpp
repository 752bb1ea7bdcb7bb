#include "views/model/text_diff.hpp"

#include <algorithm>
#include <cctype>
#include <functional>
#include <unordered_map>

// Outline: keys of lines; alignment; words; side by side.

namespace orrery::views {
namespace {

std::uint64_t hash_of(std::string_view text) { return std::hash<std::string_view>()(text); }

bool is_word(char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '_' || (c & 0x80) != 0; }

/// The line without what a code generator numbers: registers of LLVM IR, metadata, local labels.
std::string without_numbers(std::string_view text) {
    std::string out;
    out.reserve(text.size());
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        out += c;
        const bool label = c == '.' && text.substr(i).starts_with(".L");
        if (c != '%' && c != '!' && c != '#' && !label) continue;
        if (label)
            while (i + 1 < text.size() && std::isalpha(static_cast<unsigned char>(text[i + 1]))) out += text[++i];
        while (i + 1 < text.size() &&
               (std::isdigit(static_cast<unsigned char>(text[i + 1])) || (label && text[i + 1] == '_')))
            ++i;
    }
    return out;
}

std::uint64_t key_of(const DiffLine& line, TextLanguage language) {
    const std::string_view text = trimmed(line.text);
    const bool generated = language == TextLanguage::Llvm || language == TextLanguage::Assembly;
    return hash_of(generated ? std::string_view(without_numbers(text)) : text);
}

std::vector<std::uint64_t> words_of(std::string_view text) {
    std::vector<std::uint64_t> words;
    for (std::size_t i = 0; i < text.size();) {
        std::size_t end = i + 1;
        if (is_word(text[i]))
            while (end < text.size() && is_word(text[end])) ++end;
        if (text[i] != ' ' && text[i] != '\t') words.push_back(hash_of(text.substr(i, end - i)));
        i = end;
    }
    return words;
}

/// Share of words in common, in [0, 1]. Pre: both sorted.
double similarity(const std::vector<std::uint64_t>& a, const std::vector<std::uint64_t>& b) {
    if (a.empty() || b.empty()) return 0;
    std::size_t common = 0;
    for (std::size_t i = 0, j = 0; i < a.size() && j < b.size();) {
        if (a[i] == b[j])
            ++common, ++i, ++j;
        else
            a[i] < b[j] ? ++i : ++j;
    }
    return 2.0 * static_cast<double>(common) / static_cast<double>(a.size() + b.size());
}

class Aligner {
  public:
    Aligner(const DiffText& left, const DiffText& right) : left_(left), right_(right) {
        for (const DiffLine& line : left.lines) left_keys_.push_back(key_of(line, left.language));
        for (const DiffLine& line : right.lines) right_keys_.push_back(key_of(line, right.language));
        // Structured lines that are not certain pairs have no equal on the other side.
        std::uint64_t next = 1;
        for (std::size_t i = 0; i < left.lines.size(); ++i)
            if (left.lines[i].structured) left_keys_[i] = next += 2;
        for (std::size_t j = 0; j < right.lines.size(); ++j)
            if (right.lines[j].structured) right_keys_[j] = (next += 2) ^ (1ull << 63);
    }

    std::vector<DiffRow> run(const std::vector<SequencePair>& certain) {
        std::uint32_t l = 0, r = 0;
        for (const SequencePair& pair : certain) {
            gap(l, pair.a, r, pair.b);
            emit(pair.a, pair.b);
            l = pair.a + 1, r = pair.b + 1;
        }
        gap(l, static_cast<std::uint32_t>(left_.lines.size()), r, static_cast<std::uint32_t>(right_.lines.size()));
        mark_moved();
        return std::move(rows_);
    }

  private:
    void gap(std::uint32_t l0, std::uint32_t l1, std::uint32_t r0, std::uint32_t r1) {
        const auto pairs =
            common_subsequence(std::span(left_keys_).subspan(l0, l1 - l0), std::span(right_keys_).subspan(r0, r1 - r0));
        std::uint32_t l = l0, r = r0;
        for (const SequencePair& pair : pairs) {
            hunk(l, l0 + pair.a, r, r0 + pair.b);
            emit(l0 + pair.a, r0 + pair.b);
            l = l0 + pair.a + 1, r = r0 + pair.b + 1;
        }
        hunk(l, l1, r, r1);
    }

    /// Lines without an equal: the most similar pairs that keep the order, then the rest.
    void hunk(std::uint32_t l0, std::uint32_t l1, std::uint32_t r0, std::uint32_t r1) {
        std::uint32_t l = l0, r = r0;
        for (const SequencePair& pair : similar(l0, l1, r0, r1)) {
            alone(l, pair.a, r, pair.b);
            emit(pair.a, pair.b);
            l = pair.a + 1, r = pair.b + 1;
        }
        alone(l, l1, r, r1);
    }

    std::vector<SequencePair> similar(std::uint32_t l0, std::uint32_t l1, std::uint32_t r0, std::uint32_t r1) const {
        constexpr double kAlike = 0.5;         // share of words in common. Source: our choice
        constexpr std::size_t kMost = 1 << 14; // pairs of lines compared in one hunk
        const std::size_t n = l1 - l0, m = r1 - r0;
        if (n == 0 || m == 0 || n * m > kMost) return {};
        std::vector<std::vector<std::uint64_t>> a, b;
        for (std::uint32_t i = l0; i < l1; ++i) std::ranges::sort(a.emplace_back(words_of(left_.lines[i].text)));
        for (std::uint32_t j = r0; j < r1; ++j) std::ranges::sort(b.emplace_back(words_of(right_.lines[j].text)));
        std::vector<double> best((n + 1) * (m + 1), 0);
        const auto at = [&](std::size_t i, std::size_t j) -> double& { return best[i * (m + 1) + j]; };
        std::vector<double> score(n * m, 0);
        for (std::size_t i = n; i-- > 0;)
            for (std::size_t j = m; j-- > 0;) {
                const bool plain = !left_.lines[l0 + i].structured && !right_.lines[r0 + j].structured;
                const double own = plain ? similarity(a[i], b[j]) : 0;
                score[i * m + j] = own >= kAlike ? own : 0;
                at(i, j) = std::max({at(i + 1, j), at(i, j + 1), at(i + 1, j + 1) + score[i * m + j]});
            }
        std::vector<SequencePair> pairs;
        for (std::size_t i = 0, j = 0; i < n && j < m;) {
            if (score[i * m + j] > 0 && at(i, j) == at(i + 1, j + 1) + score[i * m + j])
                pairs.push_back({l0 + static_cast<std::uint32_t>(i++), r0 + static_cast<std::uint32_t>(j++)});
            else
                at(i, j) == at(i + 1, j) ? ++i : ++j;
        }
        return pairs;
    }

    void emit(std::uint32_t l, std::uint32_t r) {
        const DiffLine &a = left_.lines[l], &b = right_.lines[r];
        LineChange change = LineChange::None;
        if (a.structured && b.structured)
            change = a.known;
        else if (left_keys_[l] != right_keys_[r])
            change = LineChange::Changed;
        rows_.push_back({static_cast<std::int32_t>(l), static_cast<std::int32_t>(r), change});
    }

    void alone(std::uint32_t l0, std::uint32_t l1, std::uint32_t r0, std::uint32_t r1) {
        for (; l0 < l1; ++l0)
            rows_.push_back({static_cast<std::int32_t>(l0), -1,
                             left_.lines[l0].partner >= 0 ? LineChange::Moved : LineChange::Removed});
        for (; r0 < r1; ++r0)
            rows_.push_back({-1, static_cast<std::int32_t>(r0),
                             right_.lines[r0].partner >= 0 ? LineChange::Moved : LineChange::Added});
    }

    /// A removed line that alone is equal to an added one has moved.
    void mark_moved() {
        constexpr std::size_t kTelling = 12; // bytes; a brace may be anywhere
        struct Ends {
            int removed = 0, added = 0;
            std::size_t removed_row = 0, added_row = 0;
        };
        std::unordered_map<std::uint64_t, Ends> ends;
        for (std::size_t i = 0; i < rows_.size(); ++i) {
            const DiffRow& row = rows_[i];
            if (row.change == LineChange::Removed) {
                const DiffLine& line = left_.lines[static_cast<std::size_t>(row.left)];
                if (line.structured || trimmed(line.text).size() < kTelling) continue;
                Ends& e = ends[left_keys_[static_cast<std::size_t>(row.left)]];
                ++e.removed, e.removed_row = i;
            } else if (row.change == LineChange::Added) {
                const DiffLine& line = right_.lines[static_cast<std::size_t>(row.right)];
                if (line.structured || trimmed(line.text).size() < kTelling) continue;
                Ends& e = ends[right_keys_[static_cast<std::size_t>(row.right)]];
                ++e.added, e.added_row = i;
            }
        }
        for (const auto& [key, e] : ends)
            if (e.removed == 1 && e.added == 1)
                rows_[e.removed_row].change = rows_[e.added_row].change = LineChange::Moved;
    }

    const DiffText &left_, &right_;
    std::vector<std::uint64_t> left_keys_, right_keys_;
    std::vector<DiffRow> rows_;
};

struct Word {
    std::uint32_t begin = 0, end = 0;
};

std::vector<Word> split(std::string_view text, std::vector<std::uint64_t>& keys) {
    std::vector<Word> words;
    for (std::size_t i = 0; i < text.size();) {
        std::size_t end = i + 1;
        if (is_word(text[i]))
            while (end < text.size() && is_word(text[end])) ++end;
        if (text[i] != ' ' && text[i] != '\t') {
            words.push_back({static_cast<std::uint32_t>(i), static_cast<std::uint32_t>(end)});
            keys.push_back(hash_of(text.substr(i, end - i)));
        }
        i = end;
    }
    return words;
}

/// The words not in `kept`, neighbours joined over the spaces between them.
std::vector<std::pair<std::uint32_t, std::uint32_t>> marks(const std::vector<Word>& words,
                                                           const std::vector<bool>& kept) {
    std::vector<std::pair<std::uint32_t, std::uint32_t>> out;
    for (std::size_t i = 0; i < words.size(); ++i) {
        if (kept[i]) continue;
        if (!out.empty() && i > 0 && !kept[i - 1])
            out.back().second = words[i].end;
        else
            out.emplace_back(words[i].begin, words[i].end);
    }
    return out;
}

/// One side of the aligned pair, being filled.
class SideBuilder {
  public:
    SideBuilder(const DiffText& source, std::size_t rows) : source_(source) {
        data_.language = source.language, data_.title = source.title, data_.subject = source.subject;
        data_.note = source.note;
        data_.folded = true;
        data_.changes.reserve(rows), data_.numbers.reserve(rows), data_.links.reserve(rows);
    }
    void add(std::int32_t line, LineChange change) {
        if (line >= 0) {
            const DiffLine& from = source_.lines[static_cast<std::size_t>(line)];
            text_ += from.text;
            data_.links.push_back({from.origins, from.tensor_line, -1});
        } else {
            data_.links.push_back({});
            change = LineChange::Filler;
        }
        text_ += '\n';
        data_.changes.push_back(change);
        data_.numbers.push_back(line + 1);
    }
    void mark(const std::vector<std::pair<std::uint32_t, std::uint32_t>>& words) {
        const auto line = static_cast<std::int32_t>(data_.changes.size()) - 1;
        for (const auto& [begin, end] : words) data_.words.push_back({line, begin, end});
    }
    std::shared_ptr<const TextViewData> finish(const std::vector<FoldRange>& folds) {
        set_text(data_, std::move(text_));
        data_.folds = folds;
        return std::make_shared<const TextViewData>(std::move(data_));
    }

  private:
    const DiffText& source_;
    TextViewData data_;
    std::string text_;
};

/// Equal stretches, without the lines kept open beside changes.
std::vector<FoldRange> equal_stretches(const std::vector<DiffRow>& rows) {
    std::vector<FoldRange> folds;
    const auto count = static_cast<int>(rows.size());
    for (int i = 0; i < count;) {
        int end = i;
        while (end < count && rows[static_cast<std::size_t>(end)].change == LineChange::None) ++end;
        const int first = i == 0 ? 0 : i + kContextLines - 1; // the line that stays and says how many follow
        const int last = end == count ? end - 1 : end - kContextLines - 1;
        constexpr int kWorthIt = 4;
        if (last - first >= kWorthIt) folds.push_back({first, last});
        i = std::max(end, i + 1);
    }
    return folds;
}

} // namespace

std::vector<DiffRow> align_lines(const DiffText& left, const DiffText& right,
                                 const std::vector<SequencePair>& certain) {
    return Aligner(left, right).run(certain);
}

DiffWords changed_words(std::string_view left, std::string_view right) {
    std::vector<std::uint64_t> a, b;
    const std::vector<Word> x = split(left, a), y = split(right, b);
    std::vector<bool> kept_x(x.size(), false), kept_y(y.size(), false);
    constexpr std::size_t kMostWords = 4000; // beyond it a line is data
    if (x.size() > kMostWords || y.size() > kMostWords) return {};
    for (const SequencePair& pair : common_subsequence(a, b)) kept_x[pair.a] = kept_y[pair.b] = true;
    return {marks(x, kept_x), marks(y, kept_y)};
}

AlignedTexts lay_side_by_side(const DiffText& left, const DiffText& right, const std::vector<DiffRow>& rows) {
    AlignedTexts out;
    SideBuilder a(left, rows.size()), b(right, rows.size());
    bool in_hunk = false;
    for (std::size_t i = 0; i < rows.size(); ++i) {
        const DiffRow& row = rows[i];
        a.add(row.left, row.change);
        b.add(row.right, row.change);
        if (row.change != LineChange::None && !in_hunk) out.hunks.push_back(static_cast<int>(i));
        in_hunk = row.change != LineChange::None;
        out.added += row.change == LineChange::Added ? 1 : 0;
        out.removed += row.change == LineChange::Removed ? 1 : 0;
        out.changed += row.change == LineChange::Changed ? 1 : 0;
        out.moved += row.change == LineChange::Moved && row.right >= 0 ? 1 : 0;
        if (row.change != LineChange::Changed || row.left < 0 || row.right < 0) continue;
        const DiffWords words = changed_words(left.lines[static_cast<std::size_t>(row.left)].text,
                                              right.lines[static_cast<std::size_t>(row.right)].text);
        a.mark(words.left);
        b.mark(words.right);
    }
    const std::vector<FoldRange> folds = equal_stretches(rows);
    out.left = a.finish(folds);
    out.right = b.finish(folds);
    return out;
}

} // namespace orrery::views
