#include "views/model/vta_config_view.hpp"

#include "views/model/memory_view.hpp"
#include "views/model/vta_statistics.hpp"
#include "vta-sim/examples.hpp"

#include <algorithm>
#include <cstdio>

namespace orrery::views {
namespace {

struct KnobLabel {
    std::string_view key, label;
};
struct GroupRow {
    const char* title;
    std::vector<KnobLabel> knobs;
};

const std::vector<GroupRow>& groups() {
    static const std::vector<GroupRow> table = {
        {"Shape and clock",
         {{"LOG_BATCH", "Batch"}, {"LOG_BLOCK", "Block"}, {"CLOCK_MHZ", "Clock"}, {"GEMM_INTERVAL", "GEMM interval"}}},
        {"Memories",
         {{"LOG_INP_BUFF_SIZE", "inp"},
          {"LOG_WGT_BUFF_SIZE", "wgt"},
          {"LOG_ACC_BUFF_SIZE", "acc"},
          {"LOG_UOP_BUFF_SIZE", "uop index"},
          {"UOP_DEPTH", "uop depth"}}},
        {"Memory path",
         {{"BUS_BYTES", "Bus"},
          {"DRAM_LATENCY", "DRAM latency"},
          {"PATH_LATENCY", "Path latency"},
          {"MAX_BURST_BEATS", "Longest burst"},
          {"OUTSTANDING_READS", "Reads in flight"},
          {"OUTSTANDING_WRITES", "Writes in flight"},
          {"COMMAND_GAP", "Command gap"}}},
        {"Pipelines and queues",
         {{"ALU_IMM_INTERVAL", "ALU, immediate"},
          {"ALU_REG_INTERVAL", "ALU, registers"},
          {"PIPELINE_FILL", "Pipeline fill"},
          {"COMMAND_QUEUE_DEPTH", "Command queue"},
          {"TOKEN_QUEUE_DEPTH", "Token queue"},
          {"REUSE_GAP", "Reuse gap"}}},
        {"Overheads",
         {{"SYNC_CYCLES", "Sync"},
          {"LOAD_OVERHEAD", "Load"},
          {"UOP_OVERHEAD", "Load uop"},
          {"STORE_OVERHEAD", "Store"},
          {"WRITE_OVERHEAD", "Write burst"},
          {"STORE_BUBBLE", "Store bubble"},
          {"FETCH_OVERHEAD", "Fetch group"}}},
        {"Scalar widths", {{"LOG_INP_WIDTH", "Input"}, {"LOG_WGT_WIDTH", "Weight"}, {"LOG_ACC_WIDTH", "Accumulator"}}},
    };
    return table;
}

std::string memory_amount(int log_bytes, int index_bits) {
    std::string text = log_bytes >= 0 && log_bytes < 40 ? bytes_text(std::uint64_t{1} << log_bytes) : std::string("?");
    if (index_bits >= 0 && index_bits < 40) text += " · " + grouped(std::uint64_t{1} << index_bits) + " tiles";
    return text;
}

/// What a knob's number amounts to.
std::string amounts(const vta::Config& c, const vta::Knob& knob, int value) {
    const std::string_view key = knob.key;
    if (key == "LOG_INP_BUFF_SIZE") return memory_amount(value, c.inp_index_bits());
    if (key == "LOG_WGT_BUFF_SIZE") return memory_amount(value, c.wgt_index_bits());
    if (key == "LOG_ACC_BUFF_SIZE") return memory_amount(value, c.acc_index_bits());
    if (key == "LOG_UOP_BUFF_SIZE") return memory_amount(value, c.uop_index_bits());
    if (knob.unit.starts_with("log2 ")) {
        std::string_view unit = knob.unit.substr(5);
        if (value == 0 && unit.ends_with('s')) unit.remove_suffix(1); // one row
        return std::to_string(1 << std::clamp(value, 0, 30)) + " " + std::string(unit);
    }
    return std::string(knob.unit);
}

} // namespace

VtaConfigView build_vta_config(const vta::Config& config) {
    VtaConfigView view;
    view.name = config.name;
    for (const vta::Violation& v : vta::check(config))
        view.violations.push_back(
            {std::string(vta::rule_name(v.rule)), v.message, v.key, v.nearest, v.nearest != v.value});
    for (const GroupRow& group : groups()) {
        VtaKnobGroup shown{group.title, {}};
        for (const KnobLabel& label : group.knobs) {
            const auto knob = std::ranges::find(vta::knobs(), label.key, &vta::Knob::key);
            if (knob == vta::knobs().end()) continue;
            const int value = vta::knob_value(config, label.key);
            const bool broken =
                std::ranges::any_of(view.violations, [&](const VtaViolation& v) { return v.key == label.key; });
            shown.rows.push_back({std::string(label.key), std::string(label.label), value, knob->minimum, knob->maximum,
                                  amounts(config, *knob, value), std::string(knob->help), broken});
        }
        view.groups.push_back(std::move(shown));
    }
    if (!view.violations.empty()) {
        view.headline = std::to_string(view.violations.size()) +
                        (view.violations.size() == 1 ? " rule is broken" : " rules are broken") +
                        ": nothing is simulated";
        return view;
    }
    char text[160];
    std::snprintf(text, sizeof text, "(%d, %d) x (%d, %d) · %.1f GOPS peak · %.2f GB/s · ridge %.1f op/byte",
                  config.batch(), config.block(), config.block(), config.block(), config.peak_gops(),
                  config.bandwidth_gbytes(), config.ridge_ops_per_byte());
    view.headline = text;
    return view;
}

std::vector<VtaPresetRow> vta_presets() {
    const auto help = [](std::string_view name) -> std::string {
        if (name == "default") return "the software's own idea of the machine";
        if (name == "tsim-de10") return "the public cycle simulator as it builds by default";
        if (name == "tsim-pynq") return "the same with bursts of 256 beats";
        if (name == "tsim-2019") return "before its units were pipelined: 4 cycles a GEMM step";
        if (name == "hls-pynq") return "the HLS design on a small FPGA, 100 MHz";
        if (name == "hls-ultra96") return "the HLS design, 333 MHz, 128-bit bus";
        if (name == "gemm-1x32x32") return "307 GOPS: blocks of 32 at 150 MHz";
        if (name == "gemm-4x16x16") return "256 GOPS: batches of 4 at 125 MHz";
        return {};
    };
    std::vector<VtaPresetRow> rows;
    for (const std::string_view name : vta::preset_names()) rows.push_back({std::string(name), help(name)});
    return rows;
}

vta::Config vta_preset(const std::string& name) { return vta::preset(name).value(); }

vta::Config with_knob(vta::Config config, const std::string& key, int value) {
    if (!vta::set_knob(config, key, value)) return config;
    for (const std::string_view name : vta::preset_names()) {
        vta::Config preset = vta::preset(name).value();
        if (preset == (config.name = preset.name, config)) return preset;
    }
    config.name = "custom";
    return config;
}

std::vector<VtaExampleRow> vta_examples() {
    std::vector<VtaExampleRow> rows;
    for (const vta::Example& e : vta::examples())
        rows.push_back({std::string(e.name), std::string(e.title), std::string(e.help)});
    return rows;
}

std::string to_text(const VtaConfigView& view) {
    std::string out = view.name + "\n" + view.headline + "\n";
    for (const VtaViolation& v : view.violations) out += v.message + "\n";
    for (const VtaKnobGroup& group : view.groups) {
        out += "\n" + group.title + "\n";
        for (const VtaKnobRow& row : group.rows)
            out += "  " + row.key + " " + std::to_string(row.value) + "  " + row.amounts + "  " + row.help + "\n";
    }
    return out;
}

} // namespace orrery::views
