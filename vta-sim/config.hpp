#pragma once

#include "vta-sim/result.hpp"

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace orrery::vta {

/// How SHR reads its amount. Right shifts are always arithmetic.
/// Source: the implementations disagree; each rule names the one it matches.
enum class ShiftRule {
    Signed,        ///< amount < 0 shifts left; low 5 bits of the magnitude (functional simulator, OpenCL)
    RegisterRight, ///< as Signed for an immediate; a register amount always right by its low 5 bits (Chisel)
    LowFiveSigned, ///< low 5 bits as a signed number, -16..15 (HLS)
};

/// Which accumulator tile an ALU operation with an immediate reads.
enum class ImmediateOperand {
    Destination, ///< acc[dst] (functional simulator, HLS)
    Source,      ///< acc[src] (Chisel; equal wherever the compiler emits src = dst)
};

/// What a push to a full token queue does.
enum class TokenOverflow {
    Stall, ///< the pushing module waits (HLS FIFO)
    Drop,  ///< the token is lost (Chisel saturating counter)
};

/// The points where hardware and simulators disagree, as choices. The defaults are this model's own.
struct Semantics {
    ShiftRule shift = ShiftRule::Signed;
    ImmediateOperand immediate = ImmediateOperand::Destination;
    bool reset_refreshes_out = true; ///< a GEMM reset step also writes OUT (HLS yes, Chisel no)
    bool store_from_acc = false;     ///< STORE reads ACC instead of OUT (functional simulator only)
    bool multiply = true;            ///< ALU MUL exists (functional simulator, OpenCL)
    bool acc_8bit = true;            ///< LOAD ACC_8BIT exists (functional simulator, OpenCL)
    bool operator==(const Semantics&) const = default;
};

/// The memory path and the pipelines. Units: cycles unless the name says otherwise.
/// Source: Chisel state machines of the public VTA hardware as tabulated in docs/vta.md.
struct Timing {
    int clock_mhz = 100;
    int bus_bytes = 8;             ///< bytes a data beat carries
    int dram_latency = 16;         ///< charged when the request queue was empty
    int path_latency = 4;          ///< command to DRAM and data back; with the latency 20 to the first beat
    int max_burst_beats = 16;      ///< bursts never cross a boundary of this size
    int outstanding_reads = 16;    ///< bursts in flight on the read port
    int outstanding_writes = 1;    ///< bursts in flight on the write port
    int command_gap = 2;           ///< cycles between two commands of one read client
    int command_queue_depth = 512; ///< instructions queued per module
    int token_queue_depth = 255;   ///< tokens a dependency queue holds
    TokenOverflow token_overflow = TokenOverflow::Drop;
    int gemm_interval = 1;    ///< cycles per GEMM step
    int alu_imm_interval = 1; ///< cycles per ALU step with an immediate
    int alu_reg_interval = 2; ///< cycles per ALU step with two register operands
    int pipeline_fill = 7;    ///< issue, fill and drain of one GEMM or ALU instruction
    int sync_cycles = 2;      ///< an instruction that moves no data, and FINISH
    int load_overhead = 3;    ///< issue and completion of LOAD INP, WGT, ACC beside latency and beats
    int uop_overhead = 2;     ///< the same for LOAD UOP
    int store_overhead = 1;   ///< once per STORE
    int write_overhead = 3;   ///< command and acknowledge of one write burst
    int store_bubble = 1;     ///< SRAM read cycles per stored element that carry no beat
    int fetch_overhead = 2;   ///< per group of fetched instructions
    bool operator==(const Timing&) const = default;
};

/// One accelerator: shapes, memories, timing and the choice of semantics. A plain value; `check` judges it.
struct Config {
    std::string name = "custom";
    std::string target = "sim";
    std::string hw_version = "0.0.2";
    int log_inp_width = 3; ///< log2 bits of an input scalar
    int log_wgt_width = 3; ///< log2 bits of a weight scalar
    int log_acc_width = 5; ///< log2 bits of an accumulator scalar
    int log_batch = 0;     ///< log2 rows of an activation tile
    int log_block = 4;     ///< log2 of both channel block sizes
    int log_uop_buff = 15; ///< log2 bytes the micro-op index field is sized for
    int log_inp_buff = 15; ///< log2 bytes of input SRAM
    int log_wgt_buff = 18; ///< log2 bytes of weight SRAM
    int log_acc_buff = 17; ///< log2 bytes of accumulator SRAM
    int uop_depth = 8192;  ///< micro-ops the SRAM really holds; may be less than the field can index
    int reuse_gap = 0;     ///< micro-ops that must separate two writes of one tile inside a kernel
    Timing timing;
    Semantics semantics;
    bool operator==(const Config&) const = default;

    [[nodiscard]] int batch() const { return 1 << log_batch; }
    [[nodiscard]] int block() const { return 1 << log_block; }
    [[nodiscard]] int inp_bits() const { return 1 << log_inp_width; }
    [[nodiscard]] int wgt_bits() const { return 1 << log_wgt_width; }
    [[nodiscard]] int out_bits() const { return inp_bits(); }

    /// log2 depths, which are the widths of the index fields. Units: elements.
    [[nodiscard]] int uop_index_bits() const { return log_uop_buff - 5 + 3; }
    [[nodiscard]] int inp_index_bits() const { return log_inp_buff - log_batch - log_block - log_inp_width + 3; }
    [[nodiscard]] int wgt_index_bits() const { return log_wgt_buff - 2 * log_block - log_wgt_width + 3; }
    [[nodiscard]] int acc_index_bits() const { return log_acc_buff - log_batch - log_block - log_acc_width + 3; }
    [[nodiscard]] int inp_depth() const { return 1 << inp_index_bits(); }
    [[nodiscard]] int wgt_depth() const { return 1 << wgt_index_bits(); }
    [[nodiscard]] int acc_depth() const { return 1 << acc_index_bits(); }

    /// Units: bytes of one SRAM element.
    [[nodiscard]] int inp_bytes() const { return (batch() * block() * inp_bits()) / 8; }
    [[nodiscard]] int wgt_bytes() const { return (block() * block() * wgt_bits()) / 8; }
    [[nodiscard]] int acc_bytes() const { return batch() * block() * 4; }
    [[nodiscard]] int out_bytes() const { return (batch() * block() * out_bits()) / 8; }

    /// Multiply-accumulates of one GEMM step.
    [[nodiscard]] int macs_per_step() const { return batch() * block() * block(); }
    /// Units: 10^9 operations a second, a multiply-accumulate being two.
    [[nodiscard]] double peak_gops() const;
    /// Units: 10^9 bytes a second of the read port.
    [[nodiscard]] double bandwidth_gbytes() const;
    /// Operations per DRAM byte at which peak and bandwidth meet.
    [[nodiscard]] double ridge_ops_per_byte() const;
};

/// The legality rules a configuration must satisfy. Source: bit fields and assertions of the public sources.
enum class Rule {
    FieldRange,       ///< each knob within its own range
    PowerOfTwo,       ///< bus and burst are powers of two
    WholeByteElement, ///< a memory element is at least one whole byte
    ElementLimit,     ///< no memory element exceeds 4096 bytes
    DepthRange,       ///< each memory holds 2 to 65536 elements (sram_base has 16 bits)
    UopWord,          ///< acc + max(acc, inp) + wgt index bits fit the 32-bit micro-op
    GemmWord,         ///< 2 (acc + inp + wgt) index bits fit word 1 of GEMM
    AluWord,          ///< 4 acc index bits + 20 fit word 1 of ALU: at most 2048 accumulator tiles
    LoopWord,         ///< micro-op index bits fit word 0 of GEMM and ALU: at most 13
    UopDepth,         ///< the micro-op SRAM is no deeper than its index field can address
    AccWidth,         ///< accumulators are 32-bit
};

/// One broken rule: which knob to turn, and the nearest value that satisfies the rule with the others fixed.
struct Violation {
    Rule rule;
    std::string key; ///< JSON key of the knob
    int value;       ///< what it is
    int nearest;     ///< what would do; equal to `value` when this knob alone cannot repair the rule
    std::string message;
};

/// A knob of the configuration as an editor shows it.
struct Knob {
    std::string_view key;
    int minimum;
    int maximum;
    std::string_view unit;
    std::string_view help;
};

[[nodiscard]] std::span<const Knob> knobs();
/// Pre: `key` is one of knobs().
[[nodiscard]] int knob_value(const Config& config, std::string_view key);
/// Sets one knob; legality is not checked. Errors: UnknownName.
Status set_knob(Config& config, std::string_view key, int value);

/// Every broken rule; empty when the configuration is legal.
[[nodiscard]] std::vector<Violation> check(const Config& config);
/// The configuration itself, or BadConfig with the first violations in the message.
Result<Config> checked(Config config);
[[nodiscard]] std::string_view rule_name(Rule rule);

/// tsim-de10, tsim-pynq, tsim-2019, hls-pynq, hls-ultra96, gemm-1x32x32, gemm-4x16x16 and default.
[[nodiscard]] std::span<const std::string_view> preset_names();
/// Errors: UnknownName.
Result<Config> preset(std::string_view name);

/// JSON object with the keys of the public configuration files and the timing and semantics keys of this model.
[[nodiscard]] std::string to_json(const Config& config);
/// Starts from the defaults, or from the preset named by the key PRESET. Unknown keys are refused.
/// Errors: BadJson, UnknownName, BadConfig.
Result<Config> config_from_json(std::string_view text);

} // namespace orrery::vta
