#pragma once
// Tensor programs as people type them: tensor expressions, or tensor IR. Grammar: docs/text-forms.md.

#include "core/base/result.hpp"
#include "core/tensor/node.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace orrery::tensor {

/// What a line of a typed program defines: a stage of an expression, a block of tensor IR.
struct Definition {
    std::string name;
    int line = 0; ///< from 1
};

/// A program and the text it came from. The origins of its statements are the numbers of their definitions, counted
/// over all programs of the text.
struct TypedProgram {
    Program program;
    std::vector<Definition> definitions;
};

/// Sizes of texts. Source: our choice, far beyond what people type.
inline constexpr std::size_t kMaxTypedText = std::size_t{1} << 20; ///< Units: bytes
inline constexpr std::size_t kMaxTypedStages = 256;
inline constexpr std::size_t kMaxTypedPrograms = 64;

/// One program of tensor expressions, the stages of which are made by ComputeBuilder as operators' are.
/// Example: "input x: f32[8, 4]\ny[i: 8] = sum[k: 4](x[i, k])" -> fn scratch(x: f32[8,4]) -> (y: f32[8]) {...}
/// Errors: BadText, BadShape, BadType, LimitExceeded; each with line and column, and what to do.
[[nodiscard]] Result<TypedProgram> parse_expressions(std::string_view text);

/// Whether nothing in a text means that word: a new name may be it.
[[nodiscard]] bool is_free_word(std::string_view word);

/// Either form: tensor IR, one program after another, when the first word is `fn`; else tensor expressions. Blocks of
/// tensor IR that declare nothing declare what they access. What comes back is verified and proven to stay within its
/// buffers (in_bounds.hpp). Errors: as above.
[[nodiscard]] Result<std::vector<TypedProgram>> parse_typed(std::string_view text);

/// Where the text of a program says what an error names: "loop i", "block conv", "buffer x"; else where it begins.
/// `index`: which program of the text. Cost: linear in the text.
[[nodiscard]] TextPosition place_in_text(std::string_view text, std::size_t index, const std::string& place);

/// The program as tensor expressions, which parse back to an equal one; empty when it is none: a schedule was applied,
/// or its statements do more than define elements.
[[nodiscard]] std::string to_expressions(const Program& program);

} // namespace orrery::tensor
