#pragma once
// One change of a schedule as a value, for commands.

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace orrery::session {

/// One change of one function's schedule. Steps count from 0.
struct TraceEdit {
    enum class What : std::uint8_t {
        Insert,  ///< the step `text` before step `at`; at the end when `at` is -1
        Replace, ///< step `at` becomes the step `text`
        Remove,  ///< step `at`
        Move,    ///< step `at` to index `to`
        Rewrite, ///< the whole trace becomes `text`
        Reset,   ///< back to the default
        Promote, ///< number `arg`, `item` of step `at` becomes the knob `text`; `numbers` are its candidates, likely
                 ///< ones when there are none
        Fix,     ///< the knob `text` is closed with its present decision
        Decide,  ///< the knob `text` becomes `numbers[0]` and stays open
        Keep,    ///< the trace is kept beside, under the name `text`
        Take,    ///< the branch `text` becomes the trace
        Drop,    ///< the branch `text` is forgotten
    };
    What what = What::Insert;
    std::ptrdiff_t at = -1, to = -1;
    std::string text = {};
    std::size_t arg = 0;
    std::ptrdiff_t item = -1;
    std::vector<std::int64_t> numbers = {};
};

} // namespace orrery::session
