#pragma once
// Program text of any level: lines, links to the tensor program and the model, folds, colours.

#include "core/base/origin.hpp"
#include "views/model/selection.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace orrery::views {

enum class TextLanguage : std::uint8_t { Plain, Graph, Tensor, Llvm, Assembly };
inline constexpr int kTintCount = 6; ///< quiet background colours a theme offers for linked lines

/// What a line came from.
struct LineLink {
    OriginSet origins;
    std::int32_t tensor_line = 0; ///< line of the printed tensor program, from 1; 0 when it has none
    std::int8_t tint = -1;        ///< background colour shared by linked lines, below kTintCount; -1 for none
};

/// Lines (first, last] disappear when the range is folded; `first` stays.
struct FoldRange {
    std::int32_t first = 0, last = 0; ///< from 0
    friend bool operator==(const FoldRange&, const FoldRange&) = default;
};

/// How a line stands against the other text, where two are compared. A filler stands for a line that only the other
/// has.
enum class LineChange : std::uint8_t { None, Added, Removed, Changed, Moved, Filler };

/// A run of bytes of one line.
struct TextHit {
    std::int32_t line = 0;
    std::uint32_t begin = 0, end = 0; ///< bytes within the line
    friend bool operator==(const TextHit&, const TextHit&) = default;
};

struct TextViewData {
    TextLanguage language = TextLanguage::Plain;
    std::string title;        ///< "Tensor program", "Assembly"
    std::string subject;      ///< the function shown
    std::string note;         ///< "after vectorize", "86 lines, 30 zmm"
    std::string empty_reason; ///< one sentence shown when there is no text
    std::shared_ptr<const std::string> text = std::make_shared<std::string>(); ///< UTF-8, lines end in '\n'
    std::vector<std::uint64_t> line_start; ///< byte offset of each line, and one past the end: lines + 1 entries
    std::vector<LineLink> links;           ///< one a line, or empty when nothing is linked
    std::vector<FoldRange> folds;          ///< sorted by first line; nested or disjoint
    std::vector<std::string> details;      ///< one a line, or empty: shown on hover
    std::vector<float> heat;               ///< share of time in [0, 1], one a line, or empty
    std::vector<LineChange> changes;       ///< one a line, or empty when nothing is compared
    std::vector<std::int32_t> numbers;     ///< line numbers shown, 0 for none; empty: lines count from 1
    std::vector<TextHit> words;            ///< parts of changed lines that differ, in order of lines
    bool folded = false;                   ///< opens with its ranges folded

    [[nodiscard]] int line_count() const { return line_start.empty() ? 0 : static_cast<int>(line_start.size()) - 1; }
    /// Without its line end. Pre: 0 <= line < line_count().
    [[nodiscard]] std::string_view line(int index) const;
};

/// Sets text and line_start.
void set_text(TextViewData& data, std::string text);

enum class SpanKind : std::uint8_t { Plain, Keyword, Type, Number, String, Comment, Function, Register, Label };

/// A run of bytes of one line in one colour.
struct TextSpan {
    std::uint32_t begin = 0, end = 0;
    SpanKind kind = SpanKind::Plain;
    friend bool operator==(const TextSpan&, const TextSpan&) = default;
};

/// Colours of one line; gaps are plain. Cost: linear in the line, no state between lines.
[[nodiscard]] std::vector<TextSpan> spans_of(std::string_view line, TextLanguage language);

/// Folds from nesting depths: every line followed by deeper ones opens a range that reaches to the last deeper line,
/// and one further when that line only closes (starts with '}').
[[nodiscard]] std::vector<FoldRange> folds_by_depth(const std::vector<int>& depths, const TextViewData& data);
/// Folds from braces at line ends, or for assembly from labels to the line before the next one.
[[nodiscard]] std::vector<FoldRange> folds_of(const TextViewData& data);

/// Gives the lines of every outermost-but-one fold (the blocks of a tensor program) a tint of their own, in order.
/// `is_block` says whether a line opens a block; lines inside a block take its tint.
void tint_blocks(TextViewData& tensor, const std::vector<bool>& is_block);
/// Gives each line the tint of the tensor line it came from.
void tint_like(TextViewData& code, const TextViewData& tensor);

/// The lines `selection` means, sorted.
[[nodiscard]] std::vector<int> linked_lines(const TextViewData& data, const Selection& selection);
/// What a click on `line` selects: its tensor line and origins.
[[nodiscard]] Selection select_line(const TextViewData& data, int line);
/// What a double click selects: the tensor lines of the whole range that folds at `line`.
[[nodiscard]] Selection select_block(const TextViewData& data, int line);

/// Finds a needle in program text, a bounded stretch at a time so that a view stays quick. A needle never spans lines.
class TextSearch {
  public:
    TextSearch(std::shared_ptr<const TextViewData> data, std::string needle, bool match_case);
    /// Searches up to `bytes` further; returns false when the end is reached or kMaxHits were found.
    bool advance(std::size_t bytes);
    [[nodiscard]] const std::vector<TextHit>& hits() const { return hits_; }
    static constexpr std::size_t kMaxHits = 100'000;

  private:
    std::shared_ptr<const TextViewData> data_;
    std::string needle_;
    std::size_t at_ = 0;
    int line_ = 0;
    bool match_case_;
    std::uint32_t skip_[256];
    std::vector<TextHit> hits_;
};

/// A line without the blanks around it.
[[nodiscard]] std::string_view trimmed(std::string_view line);
[[nodiscard]] std::string to_text(const TextViewData& data);
[[nodiscard]] std::string to_json(const TextViewData& data);

} // namespace orrery::views
