#pragma once
// A plain table: problems, outputs, per-operator times, buffers.

#include "core/base/origin.hpp"

#include <string>
#include <vector>

namespace orrery::views {

enum class Align : std::uint8_t { Left, Right };
enum class Tone : std::uint8_t { Normal, Dim, Good, Warning, Bad };

struct TableColumn {
    std::string title;
    Align align = Align::Left;
    int width = 0;         ///< wished width in characters; 0: takes what is left
    std::string unit = {}; ///< of the cells' sort keys; empty for text
    friend bool operator==(const TableColumn&, const TableColumn&) = default;
};

struct TableCell {
    std::string text;
    double sort_key = 0; ///< sorted by this, then by text
    float bar = -1;      ///< share in [0, 1] painted behind the text; negative for none
    float bar_from = 0;  ///< where the bar begins, [0, 1]
    friend bool operator==(const TableCell&, const TableCell&) = default;
};

struct TableRow {
    std::vector<TableCell> cells; ///< one per column
    OriginSet origins;            ///< what selecting the row selects; may be empty
    Tone tone = Tone::Normal;
    std::string details;                ///< the whole story, for tooltip and copy
    std::vector<int> tensor_lines = {}; ///< of the table's function, sorted: selecting the row selects them too
    friend bool operator==(const TableRow&, const TableRow&) = default;
};

struct Table {
    std::vector<TableColumn> columns;
    std::vector<TableRow> rows;
    std::string empty_reason;  ///< one sentence shown when there are no rows
    std::string function = {}; ///< the tensor program that rows' lines are of
    friend bool operator==(const Table&, const Table&) = default;
};

[[nodiscard]] std::string to_text(const Table& table);
[[nodiscard]] std::string to_json(const Table& table);

} // namespace orrery::views
