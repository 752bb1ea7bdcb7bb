#pragma once
// Every value of every graph step, to be found by typing: name, operator, shape, type, attributes, model node.

#include "core/base/origin.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace orrery::session {
struct Snapshot;
}

namespace orrery::views {

/// One value, however many steps it goes through unchanged.
struct SearchRow {
    std::string name;  ///< of its variable
    std::string title; ///< "conv2d 3×3 /2 · 64×56×56"
    std::string steps; ///< "import … SimplifyInference"
    OriginSet origins;
    std::int32_t first_step = 0, last_step = 0; ///< at which it is there
};

struct SearchViewData {
    std::vector<SearchRow> rows;           ///< values of later steps first
    std::string text;                      ///< what is searched: a line a row, lower case
    std::vector<std::uint32_t> line_start; ///< rows + 1 entries
};

/// Cost: linear in the bindings of all steps.
[[nodiscard]] SearchViewData build_search(const session::Snapshot& snapshot);
/// Rows that hold all words of `query`, case ignored: those whose name holds the first word first. At most `most`.
/// Cost: one pass over the text a word; about 1 ms for 10,000 nodes of ten steps.
[[nodiscard]] std::vector<int> search(const SearchViewData& data, std::string_view query, std::size_t most);

} // namespace orrery::views
