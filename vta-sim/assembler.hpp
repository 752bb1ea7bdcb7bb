#pragma once

#include "vta-sim/program.hpp"

#include <string>
#include <string_view>

namespace orrery::vta {

/// One instruction as text, e.g.
///     load.inp sram=18 dram=837 size=3x4 stride=14 pad_y=1,0 pad_x=0,2 push=next
///     gemm uops=8:17 iter=14x7 dst=14,1 src=16,1 wgt=0,3 pop=prev push=prev
///     alu.shr imm=8 uops=0:1 iter=1x98 dst=0,1 src=0,1 push=next
/// A pair names outer then inner, rows then columns, or before then after. Operands that are zero are left out, except
/// those every instruction of the kind has.
[[nodiscard]] std::string disassemble(const Instruction& instruction);

/// The inverse; operands may come in any order. Numbers are decimal or 0x hexadecimal,
/// and decimal only around an x.
/// Errors: BadSyntax, FieldOverflow; `where` is the word.
[[nodiscard]] Result<Instruction> assemble_instruction(std::string_view line);

struct DisassembleOptions {
    bool data = true; ///< also the bytes of the DRAM image that are no micro-ops
};

/// A whole program as text: directives `.config` (JSON on one line), `.dram` (bytes of the image), `.buffer` (kind,
/// address, bytes, name), `.uops` (address; `uop` lines follow), `.data` (address, hexadecimal bytes), `.origin`
/// (name; holds for the instructions that follow), then instructions. `;` begins a comment.
[[nodiscard]] std::string disassemble(const Program& program, const DisassembleOptions& options = {});

/// The inverse. Errors: BadSyntax, UnknownName, FieldOverflow, BadJson, BadConfig, OutOfDram; `where` is "line N, ...".
[[nodiscard]] Result<Program> assemble(std::string_view text);

} // namespace orrery::vta
