#pragma once
// The text form of tensor programs; parse(print(p)) equals p. Grammar: docs/text-forms.md.

#include "core/base/result.hpp"
#include "core/tensor/node.hpp"

#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace orrery::tensor {

/// A line of a printed program and what stands on it.
struct PrintedLine {
    std::string text;
    int depth = 0;              ///< nesting depth, for folding
    const Node* node = nullptr; ///< the statement that starts on this line; null for closing braces and headers
    OriginSet origin;
};

/// A printed program. `lines[i]` is line i + 1: the line number that debug locations of generated code carry.
struct PrintedProgram {
    std::vector<PrintedLine> lines;
    std::unordered_map<const Node*, int> line_of; ///< from statement to its first line, from 1
    [[nodiscard]] std::string text() const;       ///< all lines joined, with a final newline
};

[[nodiscard]] PrintedProgram print_program(const Program& program);
[[nodiscard]] std::string to_string(const Program& program);
[[nodiscard]] std::string to_string(const Expr& expr);
[[nodiscard]] std::string to_string(const Stmt& stmt);

/// Errors: BadText at a line and column.
[[nodiscard]] Result<Program> parse_program(std::string_view text);
/// Several programs, one after another.
[[nodiscard]] Result<std::vector<Program>> parse_programs(std::string_view text);

} // namespace orrery::tensor
