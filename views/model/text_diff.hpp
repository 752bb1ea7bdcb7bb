#pragma once
// Two texts side by side: lines aligned, words marked.

#include "core/base/sequence_diff.hpp"
#include "views/model/text_view.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace orrery::views {

/// A line to be compared.
struct DiffLine {
    std::string text;
    OriginSet origins;
    std::int32_t tensor_line = 0;
    /// What is known without reading the text. Structured lines are never paired by their text.
    bool structured = false;
    LineChange known = LineChange::None; ///< of a structured line
    std::int32_t partner = -1;           ///< line of the other side that a structured line stands for
};

struct DiffText {
    TextLanguage language = TextLanguage::Plain;
    std::string title, subject, note;
    std::vector<DiffLine> lines;
};

/// Rows of the aligned pair: a line of each side; -1 where the other side has nothing like it.
struct DiffRow {
    std::int32_t left = -1, right = -1;
    LineChange change = LineChange::None;
    friend bool operator==(const DiffRow&, const DiffRow&) = default;
};

/// `certain` pairs are aligned as given; the lines between them by text: equal ones in order, then the most similar of
/// what is left. Indentation does not count, nor do register numbers and labels of generated code.
/// Pre: `certain` increases on both sides. Cost: near linear where the texts are alike.
[[nodiscard]] std::vector<DiffRow> align_lines(const DiffText& left, const DiffText& right,
                                               const std::vector<SequencePair>& certain);

/// Bytes of each line that the other lacks, word by word.
struct DiffWords {
    std::vector<std::pair<std::uint32_t, std::uint32_t>> left, right; ///< [begin, end)
};
[[nodiscard]] DiffWords changed_words(std::string_view left, std::string_view right);

/// Both sides with as many lines, fillers where a side has none; equal stretches fold.
struct AlignedTexts {
    std::shared_ptr<const TextViewData> left, right;
    std::vector<int> hunks;                             ///< first line of each run of changed lines
    int added = 0, removed = 0, changed = 0, moved = 0; ///< lines
};
[[nodiscard]] AlignedTexts lay_side_by_side(const DiffText& left, const DiffText& right,
                                            const std::vector<DiffRow>& rows);
inline constexpr int kContextLines = 3; ///< equal lines kept open around a change. Source: diff's habit

} // namespace orrery::views
