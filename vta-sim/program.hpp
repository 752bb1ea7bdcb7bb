#pragma once

#include "vta-sim/config.hpp"
#include "vta-sim/isa.hpp"
#include "vta-sim/result.hpp"

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace orrery::vta {

enum class BufferKind : std::uint8_t { Inp, Wgt, Acc, Out, Uop, Acc8 };

/// A named region of the DRAM image.
struct DramBuffer {
    std::string name;
    BufferKind kind = BufferKind::Inp;
    std::uint64_t address = 0; ///< Units: bytes, a multiple of the element size
    std::uint64_t bytes = 0;
    bool operator==(const DramBuffer&) const = default;
};

/// Everything a run needs: a configuration, instructions and the DRAM they address. A plain value.
struct Program {
    Config config;
    std::vector<Instruction> instructions;
    std::vector<std::uint32_t> origins;    ///< per instruction an index into origin_names; empty means all 0
    std::vector<std::string> origin_names; ///< what the user calls the sources of instructions
    std::vector<DramBuffer> buffers;
    std::vector<std::uint8_t> dram; ///< image before the first instruction; address 0 is its first byte
    bool operator==(const Program&) const = default;

    [[nodiscard]] std::uint32_t origin_of(std::size_t instruction) const {
        return instruction < origins.size() ? origins[instruction] : 0;
    }
    /// Instructions sit after the image, on a page of 4096 bytes. Units: bytes.
    [[nodiscard]] std::uint64_t instruction_address() const { return (dram.size() + 4095) / 4096 * 4096; }
    /// Null when there is no such buffer.
    [[nodiscard]] const DramBuffer* find_buffer(std::string_view name) const;
};

/// Why an instruction cannot do what it says, whatever the data: it then moves no data but still carries its flags.
enum class Fault : std::uint8_t {
    None,
    BadMemory,  ///< a memory id this opcode cannot use, or an operation this configuration lacks
    BadPadding, ///< padding on a STORE or a micro-op load, or more than one row of micro-ops
    SramRange,  ///< the transfer leaves the on-chip memory
    DramRange,  ///< the transfer leaves the DRAM image
    UopRange,   ///< micro-ops beyond the micro-op memory, or uop_end before uop_begin
    IndexRange, ///< a step addresses a tile beyond its memory
};

[[nodiscard]] std::string_view fault_name(Fault fault);

/// Faults that follow from the instruction alone; IndexRange also needs the micro-ops and is left to the machine.
[[nodiscard]] Fault static_fault(const Config& config, std::uint64_t dram_bytes, const Instruction& instruction);

/// Program file: magic, version, JSON metadata (configuration, buffers, origins), instructions as 128-bit words,
/// and the DRAM image as segments that leave out pages of zeros.
/// Errors: FieldOverflow when an instruction does not encode.
[[nodiscard]] Result<std::vector<std::uint8_t>> to_bytes(const Program& program);
/// Errors: BadFile, BadEncoding, BadConfig. Never allocates more than `max_dram_bytes` for the image.
[[nodiscard]] Result<Program> program_from_bytes(std::span<const std::uint8_t> bytes,
                                                 std::uint64_t max_dram_bytes = std::uint64_t{1} << 32);
/// Errors: BadFile.
Status write_program(const Program& program, const std::string& path);
[[nodiscard]] Result<Program> read_program(const std::string& path);

} // namespace orrery::vta
