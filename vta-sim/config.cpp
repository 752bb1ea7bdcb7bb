#include "vta-sim/config.hpp"

#include <algorithm>
#include <array>

namespace orrery::vta {
namespace {

struct KnobRow {
    Knob knob;
    int& (*ref)(Config&);
};

#define ORRERY_KNOB(key, member, low, high, unit, help)                                                                \
    KnobRow {                                                                                                          \
        Knob{key, low, high, unit, help}, [](Config& c) -> int& { return c.member; }                                   \
    }

const std::array kRows = {
    ORRERY_KNOB("LOG_INP_WIDTH", log_inp_width, 1, 4, "log2 bits", "width of an input scalar"),
    ORRERY_KNOB("LOG_WGT_WIDTH", log_wgt_width, 1, 4, "log2 bits", "width of a weight scalar"),
    ORRERY_KNOB("LOG_ACC_WIDTH", log_acc_width, 0, 6, "log2 bits", "width of an accumulator scalar"),
    ORRERY_KNOB("LOG_BATCH", log_batch, 0, 6, "log2 rows", "rows of an activation tile"),
    ORRERY_KNOB("LOG_BLOCK", log_block, 1, 7, "log2 lanes", "input and output channels of a tile"),
    ORRERY_KNOB("LOG_UOP_BUFF_SIZE", log_uop_buff, 3, 20, "log2 bytes", "micro-op memory as the index field sees it"),
    ORRERY_KNOB("LOG_INP_BUFF_SIZE", log_inp_buff, 3, 26, "log2 bytes", "input memory"),
    ORRERY_KNOB("LOG_WGT_BUFF_SIZE", log_wgt_buff, 3, 26, "log2 bytes", "weight memory"),
    ORRERY_KNOB("LOG_ACC_BUFF_SIZE", log_acc_buff, 3, 26, "log2 bytes", "accumulator memory"),
    ORRERY_KNOB("UOP_DEPTH", uop_depth, 2, 65536, "micro-ops", "micro-ops the memory really holds"),
    ORRERY_KNOB("REUSE_GAP", reuse_gap, 0, 8, "micro-ops", "distance between two writes of one tile in a kernel"),
    ORRERY_KNOB("CLOCK_MHZ", timing.clock_mhz, 1, 5000, "MHz", "clock"),
    ORRERY_KNOB("BUS_BYTES", timing.bus_bytes, 4, 512, "bytes", "one data beat"),
    ORRERY_KNOB("DRAM_LATENCY", timing.dram_latency, 0, 4096, "cycles", "DRAM delay when its queue was empty"),
    ORRERY_KNOB("PATH_LATENCY", timing.path_latency, 2, 4096, "cycles", "command path and data path"),
    ORRERY_KNOB("MAX_BURST_BEATS", timing.max_burst_beats, 1, 256, "beats", "longest burst"),
    ORRERY_KNOB("OUTSTANDING_READS", timing.outstanding_reads, 1, 256, "bursts", "reads in flight"),
    ORRERY_KNOB("OUTSTANDING_WRITES", timing.outstanding_writes, 1, 256, "bursts", "writes in flight"),
    ORRERY_KNOB("COMMAND_GAP", timing.command_gap, 1, 64, "cycles", "between two commands of one client"),
    ORRERY_KNOB("COMMAND_QUEUE_DEPTH", timing.command_queue_depth, 1, 1 << 20, "instructions", "queue of a module"),
    ORRERY_KNOB("TOKEN_QUEUE_DEPTH", timing.token_queue_depth, 1, 1 << 20, "tokens", "dependency queue"),
    ORRERY_KNOB("GEMM_INTERVAL", timing.gemm_interval, 1, 64, "cycles", "one GEMM step"),
    ORRERY_KNOB("ALU_IMM_INTERVAL", timing.alu_imm_interval, 1, 64, "cycles", "one ALU step with an immediate"),
    ORRERY_KNOB("ALU_REG_INTERVAL", timing.alu_reg_interval, 1, 64, "cycles", "one ALU step with two registers"),
    ORRERY_KNOB("PIPELINE_FILL", timing.pipeline_fill, 1, 256, "cycles", "issue, fill and drain"),
    ORRERY_KNOB("SYNC_CYCLES", timing.sync_cycles, 1, 64, "cycles", "instruction without data"),
    ORRERY_KNOB("LOAD_OVERHEAD", timing.load_overhead, 2, 256, "cycles", "LOAD INP, WGT, ACC"),
    ORRERY_KNOB("UOP_OVERHEAD", timing.uop_overhead, 2, 256, "cycles", "LOAD UOP"),
    ORRERY_KNOB("STORE_OVERHEAD", timing.store_overhead, 1, 256, "cycles", "STORE"),
    ORRERY_KNOB("WRITE_OVERHEAD", timing.write_overhead, 0, 256, "cycles", "write command and acknowledge"),
    ORRERY_KNOB("STORE_BUBBLE", timing.store_bubble, 0, 16, "cycles", "SRAM read per stored element"),
    ORRERY_KNOB("FETCH_OVERHEAD", timing.fetch_overhead, 2, 256, "cycles", "group of fetched instructions"),
};

#undef ORRERY_KNOB

const KnobRow* find_row(std::string_view key) {
    const auto row = std::find_if(kRows.begin(), kRows.end(), [&](const KnobRow& r) { return r.knob.key == key; });
    return row == kRows.end() ? nullptr : &*row;
}

bool power_of_two(int value) { return value > 0 && (value & (value - 1)) == 0; }

/// Depth and element size of one memory, computed without shifting by a negative amount.
struct MemoryBits {
    const char* name;
    int index_bits;
    int log_element_bits;
};

std::array<MemoryBits, 4> memories(const Config& c) {
    return {MemoryBits{"uop", c.uop_index_bits(), 5},
            MemoryBits{"inp", c.inp_index_bits(), c.log_batch + c.log_block + c.log_inp_width},
            MemoryBits{"wgt", c.wgt_index_bits(), 2 * c.log_block + c.log_wgt_width},
            MemoryBits{"acc", c.acc_index_bits(), c.log_batch + c.log_block + c.log_acc_width}};
}

/// A rule: the predicate, the knobs that could repair it in the order to try, and what it says.
struct RuleRow {
    Rule rule;
    std::string_view name;
    std::vector<std::string_view> keys;
    bool (*holds)(const Config&);
    std::string_view says;
};

bool element_sizes_within(const Config& c, int low, int high) {
    return std::ranges::all_of(
        memories(c), [&](const MemoryBits& m) { return m.log_element_bits >= low && m.log_element_bits <= high; });
}

template <int kMemory> bool depth_in_range(const Config& c) {
    const int bits = memories(c)[kMemory].index_bits;
    return bits >= 1 && bits <= 16;
}

const std::vector<RuleRow>& rules() {
    static const std::vector<RuleRow> table = {
        {Rule::AccWidth,
         "acc-width",
         {"LOG_ACC_WIDTH"},
         [](const Config& c) { return c.log_acc_width == 5; },
         "accumulators are 32-bit"},
        {Rule::PowerOfTwo,
         "power-of-two",
         {"BUS_BYTES"},
         [](const Config& c) { return power_of_two(c.timing.bus_bytes); },
         "a data beat carries a power of two of bytes"},
        {Rule::PowerOfTwo,
         "power-of-two",
         {"MAX_BURST_BEATS"},
         [](const Config& c) { return power_of_two(c.timing.max_burst_beats); },
         "the longest burst is a power of two of beats"},
        {Rule::WholeByteElement,
         "whole-byte-element",
         {"LOG_BLOCK", "LOG_BATCH", "LOG_INP_WIDTH", "LOG_WGT_WIDTH"},
         [](const Config& c) { return element_sizes_within(c, 3, 99); },
         "a memory element is at least one byte"},
        {Rule::ElementLimit,
         "element-limit",
         {"LOG_BLOCK", "LOG_BATCH", "LOG_WGT_WIDTH", "LOG_INP_WIDTH"},
         [](const Config& c) { return element_sizes_within(c, 0, 15); },
         "no memory element exceeds 4096 bytes"},
        {Rule::DepthRange,
         "depth-range",
         {"LOG_UOP_BUFF_SIZE"},
         depth_in_range<0>,
         "uop memory holds 2 to 65536 elements"},
        {Rule::DepthRange,
         "depth-range",
         {"LOG_INP_BUFF_SIZE"},
         depth_in_range<1>,
         "inp memory holds 2 to 65536 elements"},
        {Rule::DepthRange,
         "depth-range",
         {"LOG_WGT_BUFF_SIZE"},
         depth_in_range<2>,
         "wgt memory holds 2 to 65536 elements"},
        {Rule::DepthRange,
         "depth-range",
         {"LOG_ACC_BUFF_SIZE"},
         depth_in_range<3>,
         "acc memory holds 2 to 65536 elements"},
        {Rule::UopWord,
         "uop-word",
         {"LOG_WGT_BUFF_SIZE", "LOG_ACC_BUFF_SIZE", "LOG_INP_BUFF_SIZE", "LOG_BLOCK"},
         [](const Config& c) {
             const int a = c.acc_index_bits();
             return a + std::max(a, c.inp_index_bits()) + c.wgt_index_bits() <= 32;
         },
         "acc + max(acc, inp) + wgt index bits must fit the 32-bit micro-op"},
        {Rule::GemmWord,
         "gemm-word",
         {"LOG_WGT_BUFF_SIZE", "LOG_INP_BUFF_SIZE", "LOG_ACC_BUFF_SIZE", "LOG_BLOCK"},
         [](const Config& c) { return 2 * (c.acc_index_bits() + c.inp_index_bits() + c.wgt_index_bits()) <= 64; },
         "twice the acc, inp and wgt index bits must fit word 1 of GEMM"},
        {Rule::AluWord,
         "alu-word",
         {"LOG_ACC_BUFF_SIZE", "LOG_BLOCK", "LOG_BATCH"},
         [](const Config& c) { return 4 * c.acc_index_bits() + 20 <= 64; },
         "four acc index bits and 20 must fit word 1 of ALU: at most 2048 accumulator tiles"},
        {Rule::LoopWord,
         "loop-word",
         {"LOG_UOP_BUFF_SIZE"},
         [](const Config& c) { return c.uop_index_bits() <= 13; },
         "uop index bits must fit word 0 of GEMM and ALU: at most 13"},
        {Rule::UopDepth,
         "uop-depth",
         {"UOP_DEPTH", "LOG_UOP_BUFF_SIZE"},
         [](const Config& c) { return c.uop_index_bits() >= 0 && c.uop_depth <= 1LL << c.uop_index_bits(); },
         "the uop memory cannot be deeper than its index field addresses"},
    };
    return table;
}

/// The value of `row` closest to the present one that makes `rule` hold; the present one when there is none.
int nearest_legal(const Config& config, const RuleRow& rule, const KnobRow& row) {
    Config trial = config;
    const int value = row.ref(trial);
    const int reach = row.knob.maximum - row.knob.minimum + std::abs(value);
    for (int distance = 1; distance <= reach; ++distance) {
        for (const int candidate : {value - distance, value + distance}) {
            if (candidate < row.knob.minimum || candidate > row.knob.maximum) continue;
            row.ref(trial) = candidate;
            if (rule.holds(trial)) return candidate;
        }
    }
    return value;
}

Violation describe(const Config& config, const RuleRow& rule) {
    Config copy = config;
    Violation violation{rule.rule, std::string(rule.keys.front()), 0, 0, {}};
    for (const std::string_view key : rule.keys) {
        const KnobRow& row = *find_row(key);
        violation.key = key;
        violation.value = row.ref(copy);
        violation.nearest = nearest_legal(config, rule, row);
        if (violation.nearest != violation.value) break;
    }
    violation.message = "rule " + std::string(rule.name) + ": " + std::string(rule.says) + "; " + violation.key +
                        " is " + std::to_string(violation.value) + ", nearest legal value " +
                        std::to_string(violation.nearest);
    return violation;
}

} // namespace

double Config::peak_gops() const { return 2.0 * macs_per_step() * timing.clock_mhz / 1000.0 / timing.gemm_interval; }

double Config::bandwidth_gbytes() const { return timing.bus_bytes * static_cast<double>(timing.clock_mhz) / 1000.0; }

double Config::ridge_ops_per_byte() const { return peak_gops() / bandwidth_gbytes(); }

std::span<const Knob> knobs() {
    static const std::vector<Knob> table = [] {
        std::vector<Knob> all;
        for (const KnobRow& row : kRows) all.push_back(row.knob);
        return all;
    }();
    return table;
}

int knob_value(const Config& config, std::string_view key) {
    const KnobRow* row = find_row(key);
    ensure(row != nullptr, "knob_value of an unknown key");
    Config copy = config;
    return row->ref(copy);
}

Status set_knob(Config& config, std::string_view key, int value) {
    const KnobRow* row = find_row(key);
    if (row == nullptr) return Error{ErrorCode::UnknownName, "no such knob", std::string(key)};
    row->ref(config) = value;
    return Done{};
}

std::vector<Violation> check(const Config& config) {
    std::vector<Violation> found;
    Config copy = config;
    for (const KnobRow& row : kRows) {
        const int value = row.ref(copy);
        const int nearest = std::clamp(value, row.knob.minimum, row.knob.maximum);
        if (nearest == value) continue;
        found.push_back({Rule::FieldRange, std::string(row.knob.key), value, nearest,
                         "rule field-range: " + std::string(row.knob.key) + " is " + std::to_string(value) +
                             ", allowed " + std::to_string(row.knob.minimum) + " to " +
                             std::to_string(row.knob.maximum) + ", nearest legal value " + std::to_string(nearest)});
    }
    if (!found.empty()) return found;
    for (const RuleRow& rule : rules()) {
        if (!rule.holds(config)) found.push_back(describe(config, rule));
    }
    return found;
}

Result<Config> checked(Config config) {
    const std::vector<Violation> found = check(config);
    if (found.empty()) return config;
    std::string message;
    for (const Violation& violation : found) message += (message.empty() ? "" : "\n") + violation.message;
    return Error{ErrorCode::BadConfig, message, found.front().key};
}

std::string_view rule_name(Rule rule) {
    if (rule == Rule::FieldRange) return "field-range";
    for (const RuleRow& row : rules()) {
        if (row.rule == rule) return row.name;
    }
    return "unknown";
}

} // namespace orrery::vta
