#pragma once

#include "vta-sim/config.hpp"
#include "vta-sim/result.hpp"

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace orrery::vta {

enum class Opcode : std::uint8_t { Load = 0, Store = 1, Gemm = 2, Finish = 3, Alu = 4 };
enum class MemoryId : std::uint8_t { Uop = 0, Wgt = 1, Inp = 2, Acc = 3, Out = 4, Acc8 = 5 };
enum class AluOp : std::uint8_t { Min = 0, Max = 1, Add = 2, Shr = 3, Mul = 4 };

/// The four engines. Fetch routes instructions; the others execute them in order.
enum class Module : std::uint8_t { Load = 0, Compute = 1, Store = 2, Fetch = 3 };
inline constexpr int kExecModules = 3;

/// The four dependency queues, named producer to consumer. All start empty.
enum class TokenQueue : std::uint8_t { LoadToCompute = 0, ComputeToLoad = 1, ComputeToStore = 2, StoreToCompute = 3 };
inline constexpr int kTokenQueues = 4;

/// Its place in a table of engines, or of queues.
constexpr std::size_t at(Module module) { return static_cast<std::size_t>(module); }
constexpr std::size_t at(TokenQueue queue) { return static_cast<std::size_t>(queue); }

/// One instruction, decoded. Fields that its kind does not use are zero, so equality is equality of encodings.
struct Instruction {
    Opcode opcode = Opcode::Finish;
    MemoryId memory = MemoryId::Uop; ///< LOAD, STORE
    AluOp alu_op = AluOp::Min;
    bool pop_prev = false;
    bool pop_next = false;
    bool push_prev = false;
    bool push_next = false;
    bool reset = false;
    bool use_imm = false;
    std::uint8_t y_pad_0 = 0; ///< rows above, below; elements left, right: 0..15
    std::uint8_t y_pad_1 = 0;
    std::uint8_t x_pad_0 = 0;
    std::uint8_t x_pad_1 = 0;
    std::uint16_t sram_base = 0; ///< Units: elements of the memory
    std::uint32_t dram_base = 0; ///< Units: elements; ACC_8BIT counts elements of a quarter of the size
    std::uint16_t y_size = 0;    ///< rows
    std::uint16_t x_size = 0;    ///< elements per row
    std::uint16_t x_stride = 0;  ///< elements between row starts in DRAM
    std::uint16_t uop_begin = 0;
    std::uint16_t uop_end = 0; ///< exclusive
    std::uint16_t iter_out = 0;
    std::uint16_t iter_in = 0;
    std::uint16_t dst_out = 0; ///< index factors: what one turn of the outer or inner loop adds
    std::uint16_t dst_in = 0;
    std::uint16_t src_out = 0;
    std::uint16_t src_in = 0;
    std::uint16_t wgt_out = 0;
    std::uint16_t wgt_in = 0;
    std::int16_t imm = 0;
    bool operator==(const Instruction&) const = default;
};

/// One micro-op: tile indices that the loop factors are added to.
struct Uop {
    std::uint16_t dst = 0; ///< accumulator tile
    std::uint16_t src = 0; ///< input tile (GEMM) or accumulator tile (ALU)
    std::uint16_t wgt = 0; ///< weight tile (GEMM)
    bool operator==(const Uop&) const = default;
};

/// 128 bits as two little-endian words.
struct Encoded {
    std::uint64_t word0 = 0;
    std::uint64_t word1 = 0;
    bool operator==(const Encoded&) const = default;
};

enum class Field : std::uint8_t {
    Opcode,
    PopPrev,
    PopNext,
    PushPrev,
    PushNext,
    Memory,
    SramBase,
    DramBase,
    YSize,
    XSize,
    XStride,
    YPad0,
    YPad1,
    XPad0,
    XPad1,
    Reset,
    UopBegin,
    UopEnd,
    IterOut,
    IterIn,
    DstOut,
    DstIn,
    SrcOut,
    SrcIn,
    WgtOut,
    WgtIn,
    AluOp,
    UseImm,
    Imm,
};

/// Where one field sits in the 128 bits.
struct FieldLayout {
    Field field;
    int offset; ///< Units: bits, 0..127; a field never crosses bit 64
    int width;  ///< Units: bits
};

[[nodiscard]] std::string_view field_name(Field field);
/// One sentence for a tool tip.
[[nodiscard]] std::string_view field_help(Field field);
/// The number a field holds; imm is signed, all others unsigned.
[[nodiscard]] std::int64_t field_value(const Instruction& instruction, Field field);
/// Stores `value` truncated to the storage of the field; the encoder judges its width.
void set_field(Instruction& instruction, Field field, std::int64_t value);

/// Encodes and decodes for one configuration. Pre: the configuration is legal.
class Codec {
  public:
    explicit Codec(const Config& config);

    /// The fields of an opcode in bit order.
    [[nodiscard]] std::span<const FieldLayout> layout(Opcode opcode) const;
    /// Errors: FieldOverflow naming the field.
    [[nodiscard]] Result<Encoded> encode(const Instruction& instruction) const;
    /// Errors: BadEncoding for an unknown opcode, memory or ALU operation, or a set unused bit.
    [[nodiscard]] Result<Instruction> decode(Encoded bits) const;
    /// Errors: FieldOverflow.
    [[nodiscard]] Result<std::uint32_t> encode_uop(Uop uop) const;
    [[nodiscard]] Uop decode_uop(std::uint32_t bits) const;

  private:
    std::vector<FieldLayout> memory_;
    std::vector<FieldLayout> gemm_;
    std::vector<FieldLayout> alu_;
    std::vector<FieldLayout> finish_;
    int dst_bits_;
    int src_bits_;
    int wgt_bits_;
};

/// The module that executes the instruction: INP and WGT loads go to load, stores to store, all else to compute.
[[nodiscard]] Module module_of(const Instruction& instruction);
/// The queue a pop flag of a module takes from; empty where the flag has no queue.
[[nodiscard]] std::optional<TokenQueue> pop_queue(Module module, bool next);
/// The queue a push flag of a module adds to; empty where the flag has no queue.
[[nodiscard]] std::optional<TokenQueue> push_queue(Module module, bool next);

/// True when a LOAD or STORE moves nothing and only carries flags.
[[nodiscard]] bool is_sync(const Instruction& instruction);
/// GEMM or ALU steps: iter_out x iter_in x micro-ops; 0 for other kinds.
[[nodiscard]] std::uint64_t step_count(const Instruction& instruction);
/// SRAM elements a LOAD or STORE covers, padding included; 0 for a sync.
[[nodiscard]] std::uint64_t sram_elements(const Instruction& instruction);
/// Elements a LOAD or STORE moves over the bus; 0 for a sync.
[[nodiscard]] std::uint64_t dram_elements(const Instruction& instruction);
/// Units: bytes of one element in DRAM.
[[nodiscard]] int dram_element_bytes(const Config& config, MemoryId memory);
/// Units: elements.
[[nodiscard]] int memory_depth(const Config& config, MemoryId memory);

[[nodiscard]] std::string_view opcode_name(Opcode opcode);
[[nodiscard]] std::string_view memory_name(MemoryId memory);
[[nodiscard]] std::string_view alu_name(AluOp op);
[[nodiscard]] std::string_view module_name(Module module);
[[nodiscard]] std::string_view queue_name(TokenQueue queue);

} // namespace orrery::vta
