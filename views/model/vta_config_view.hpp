#pragma once
// An accelerator configuration as an editor shows it: knobs by group, what they amount to, which rules they break.

#include "views/model/table.hpp"
#include "views/model/vta_run.hpp"

#include <string>
#include <vector>

namespace orrery::views {

struct VtaKnobRow {
    std::string key, label; ///< "LOG_BLOCK", "Block"
    int value = 0, lowest = 0, highest = 0;
    std::string amounts; ///< what the value means: "16 lanes", "32 KB · 2,048 tiles"
    std::string help;
    bool broken = false; ///< a rule asks for another value
};
struct VtaKnobGroup {
    std::string title;
    std::vector<VtaKnobRow> rows;
};
struct VtaViolation {
    std::string rule, message, key;
    int nearest = 0;
    bool repairs = false; ///< setting `key` to `nearest` satisfies the rule
};
struct VtaConfigView {
    std::string name;
    std::string headline; ///< "(1, 16) x (16, 16) · 51.2 GOPS · 0.80 GB/s · ridge 64.0 op/byte"
    std::vector<VtaKnobGroup> groups;
    std::vector<VtaViolation> violations; ///< empty: legal
};
/// Of any configuration, legal or not. Thread: any; cheap.
[[nodiscard]] VtaConfigView build_vta_config(const vta::Config& config);

struct VtaPresetRow {
    std::string name, help;
};
/// Shipped configurations, with what they are.
[[nodiscard]] std::vector<VtaPresetRow> vta_presets();
/// Pre: one of vta_presets().
[[nodiscard]] vta::Config vta_preset(const std::string& name);
/// `config` with one knob turned; its name says that it is no preset any more.
[[nodiscard]] vta::Config with_knob(vta::Config config, const std::string& key, int value);

struct VtaExampleRow {
    std::string name, title, help;
};
[[nodiscard]] std::vector<VtaExampleRow> vta_examples();

[[nodiscard]] std::string to_text(const VtaConfigView& view);

} // namespace orrery::views
