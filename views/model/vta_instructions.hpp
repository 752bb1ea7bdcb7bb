#pragma once
// Instructions of a program as a list shows them, row by row, and what each of their fields means.

#include "views/model/table.hpp"
#include "views/model/vta_run.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace orrery::views {

/// One line of the list, formatted when it is asked for: a program has millions.
struct VtaInstructionRow {
    std::uint32_t index = 0;
    vta::Module module = vta::Module::Compute;
    std::string text; ///< disassembly
    std::string origin;
    std::string issued; ///< "12,345", or "never"
    std::string cycles; ///< from issue to completion
    std::string waited; ///< stood at a token or for fetch before it was issued; empty for none
    bool ran = true;
    bool edited = false;
};
/// Pre: index < run.size().
[[nodiscard]] VtaInstructionRow vta_instruction_row(const VtaRun& run, std::uint32_t index);
/// Cycles its module stood still right before it, and why: waits of the lane named after this instruction.
[[nodiscard]] std::uint64_t vta_wait_before(const VtaRun& run, std::uint32_t index);

/// One field: where it sits, what it holds, what it means.
struct VtaField {
    vta::Field field;
    std::string name, bits, value, help;
    std::int64_t number = 0;
    std::int64_t lowest = 0, highest = 0; ///< what the bits can hold
};
/// In bit order.
[[nodiscard]] std::vector<VtaField> vta_fields(const vta::Config& config, const vta::Instruction& instruction);
/// Field, bits, value, meaning; then what the fields add up to: module, steps or bytes, tokens, and when it ran.
[[nodiscard]] Table vta_field_table(const VtaRun& run, std::uint32_t index);
/// What a word of the disassembly means, for a tooltip: "dst=14,1" gives the help of the two factors. Empty if unknown.
[[nodiscard]] std::string vta_word_help(std::string_view word);
/// What an instruction does and how it takes its time, in two or three lines.
[[nodiscard]] std::string vta_instruction_help(const VtaRun& run, std::uint32_t index);

/// What a typed line means under the configuration.
struct VtaEdit {
    vta::Instruction instruction;
    std::string error; ///< why it is none, or does not encode; empty when it is one
};
[[nodiscard]] VtaEdit parse_vta_instruction(const vta::Config& config, std::string_view line);

/// The first instruction from `from` on (or before it), its text or origin containing `needle`; kNoInstruction if none.
[[nodiscard]] std::uint32_t find_vta_instruction(const VtaRun& run, std::uint32_t from, int direction,
                                                 std::string_view needle);

[[nodiscard]] Table vta_instruction_table(const VtaRun& run, std::uint32_t first, std::uint32_t count);

} // namespace orrery::views
