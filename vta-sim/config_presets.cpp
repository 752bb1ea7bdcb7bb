#include "vta-sim/config.hpp"

#include <array>

namespace orrery::vta {
namespace {

/// Source: the default top of the Chisel cycle simulator; 64-bit bus, 16-beat bursts, 2048 micro-ops.
Config tsim_de10() {
    Config c;
    c.name = "tsim-de10";
    c.target = "tsim";
    c.uop_depth = 2048;
    c.semantics = {.shift = ShiftRule::RegisterRight,
                   .immediate = ImmediateOperand::Source,
                   .reset_refreshes_out = false,
                   .store_from_acc = false,
                   .multiply = false,
                   .acc_8bit = false};
    return c;
}

/// Source: the same design with the bus shell of the Pynq board: bursts of up to 256 beats.
Config tsim_pynq() {
    Config c = tsim_de10();
    c.name = "tsim-pynq";
    c.timing.max_burst_beats = 256;
    return c;
}

/// Source: the design before the pipelined units of 2021: 4 cycles a GEMM step, 5 cycles an ALU step.
Config tsim_2019() {
    Config c = tsim_de10();
    c.name = "tsim-2019";
    c.timing.gemm_interval = 4;
    c.timing.alu_imm_interval = 5;
    c.timing.alu_reg_interval = 5;
    return c;
}

/// Source: the HLS design: ALU interval 2 for every operation, token FIFOs of 1024, two-tile reuse distance.
Config hls_pynq() {
    Config c;
    c.name = "hls-pynq";
    c.target = "pynq";
    c.reuse_gap = 2;
    c.timing.max_burst_beats = 256;
    c.timing.alu_imm_interval = 2;
    c.timing.alu_reg_interval = 2;
    c.timing.store_bubble = 0;
    c.timing.token_queue_depth = 1024;
    c.timing.token_overflow = TokenOverflow::Stall;
    c.semantics = {.shift = ShiftRule::LowFiveSigned,
                   .immediate = ImmediateOperand::Destination,
                   .reset_refreshes_out = true,
                   .store_from_acc = false,
                   .multiply = false,
                   .acc_8bit = false};
    return c;
}

Config hls_ultra96() {
    Config c = hls_pynq();
    c.name = "hls-ultra96";
    c.target = "ultra96";
    c.timing.clock_mhz = 333;
    c.timing.bus_bytes = 16;
    c.timing.max_burst_beats = 128;
    return c;
}

/// (1, 32) x (32, 32) at 150 MHz: 2 x 1024 x 0.15 = 307.2 GOPS.
Config gemm_1x32x32() {
    Config c;
    c.name = "gemm-1x32x32";
    c.log_block = 5;
    c.timing.clock_mhz = 150;
    c.timing.bus_bytes = 64;
    return c;
}

/// (4, 16) x (16, 16) at 125 MHz: 2 x 1024 x 0.125 = 256 GOPS.
Config gemm_4x16x16() {
    Config c;
    c.name = "gemm-4x16x16";
    c.log_batch = 2;
    c.log_inp_buff = 17;
    c.log_acc_buff = 19;
    c.timing.clock_mhz = 125;
    c.timing.bus_bytes = 64;
    return c;
}

Config plain_default() {
    Config c;
    c.name = "default";
    return c;
}

struct PresetRow {
    std::string_view name;
    Config (*make)();
};

constexpr std::array kPresets = {
    PresetRow{"default", plain_default},     PresetRow{"tsim-de10", tsim_de10},
    PresetRow{"tsim-pynq", tsim_pynq},       PresetRow{"tsim-2019", tsim_2019},
    PresetRow{"hls-pynq", hls_pynq},         PresetRow{"hls-ultra96", hls_ultra96},
    PresetRow{"gemm-1x32x32", gemm_1x32x32}, PresetRow{"gemm-4x16x16", gemm_4x16x16},
};

} // namespace

std::span<const std::string_view> preset_names() {
    static const std::array<std::string_view, kPresets.size()> names = [] {
        std::array<std::string_view, kPresets.size()> all{};
        for (std::size_t i = 0; i < all.size(); ++i) all[i] = kPresets[i].name;
        return all;
    }();
    return names;
}

Result<Config> preset(std::string_view name) {
    for (const PresetRow& row : kPresets) {
        if (row.name == name) return row.make();
    }
    std::string known;
    for (const PresetRow& row : kPresets) known += (known.empty() ? "" : ", ") + std::string(row.name);
    return Error{ErrorCode::UnknownName, "no such preset; known are " + known, std::string(name)};
}

} // namespace orrery::vta
