#pragma once
// The strip of stages: from import to machine code.

#include "views/model/table.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace orrery::views {

/// Ids of stages: graph steps count from 0, steps of the shown function's schedule from kTensorStages,
/// generated code from kCodeStages (IR, optimized IR, assembly), the backend's own passes from kBackendStages.
inline constexpr int kTensorStages = 1'000'000, kCodeStages = 2'000'000, kBackendStages = 3'000'000;

enum class StageState : std::uint8_t { Pending, Running, Done, Failed, Disabled };

/// An option of a pass, edited in place.
struct StageOption {
    std::string name, value, fallback, doc;
    bool own = false;  ///< the recipe sets it
    bool flag = false; ///< "true" or "false"
    friend bool operator==(const StageOption&, const StageOption&) = default;
};

struct StageStep {
    int id = 0;          ///< what SelectStage names
    std::string name;    ///< "FuseOps"
    std::string detail;  ///< what it changed: "-31"
    std::string time;    ///< "2 ms"
    std::string tooltip; ///< the whole sentence
    bool changed = true; ///< unchanged steps shrink to a dot
    bool selected = false;
    bool can_disable = false; ///< a pass of the recipe: it may be switched off, moved, removed
    int pass = -1;            ///< index into the recipe's passes; -1 for what is no pass of the recipe
    float share = 0;          ///< of the section's slowest step's time, [0, 1]
    std::string summary;      ///< what the pass does, one line
    std::string reference;    ///< how the command line calls it: "FoldConstant#2"
    std::string check;        ///< "1.2e-7" once it was checked; why not, when it could not
    Tone check_tone = Tone::Dim;
    bool culprit = false; ///< a search found it to be the first wrong one
    std::string error;    ///< why it failed
    std::vector<StageOption> options;
    StageState state = StageState::Done;
    friend bool operator==(const StageStep&, const StageStep&) = default;
};

struct StageSection {
    std::string title; ///< "Graph", "Tensor · conv2d_add_relu_3", "LLVM"
    std::vector<StageStep> steps;
};

/// A pass that can be inserted.
struct StageChoice {
    std::string name, summary;
};

struct StagesViewData {
    std::vector<StageSection> sections;
    std::vector<StageChoice> choices; ///< every pass there is, by name
    std::string command;              ///< the command line that makes what is shown
    std::string empty_reason = "Open a model to see the steps it goes through.";
};

/// True when a strip that is filtered still shows the step: its name or detail holds `text` (case ignored), and with
/// `only_changed` it changed something, failed or is selected.
[[nodiscard]] bool passes_filter(const StageStep& step, std::string_view text, bool only_changed);

[[nodiscard]] std::string to_text(const StagesViewData& data);
[[nodiscard]] std::string to_json(const StagesViewData& data);

} // namespace orrery::views
