#pragma once
// The strip of stages: from import to machine code.

#include <cstdint>
#include <string>
#include <vector>

namespace orrery::views {

/// Ids of stages: graph steps count from 0, steps of the shown function's schedule from kTensorStages,
/// generated code from kCodeStages (IR, optimized IR, assembly).
inline constexpr int kTensorStages = 1000, kCodeStages = 2000;

enum class StageState : std::uint8_t { Pending, Running, Done, Failed, Disabled };

struct StageStep {
    int id = 0;          ///< what SelectStage names
    std::string name;    ///< "FuseOps"
    std::string detail;  ///< what it changed: "-31"
    std::string time;    ///< "2 ms"
    std::string tooltip; ///< the whole sentence
    bool changed = true; ///< unchanged steps shrink to a dot
    bool selected = false;
    bool can_disable = false; ///< a pass of the recipe that may be switched off
    StageState state = StageState::Done;
};

struct StageSection {
    std::string title; ///< "Graph", "Tensor · conv2d_add_relu_3", "LLVM"
    std::vector<StageStep> steps;
};

struct StagesViewData {
    std::vector<StageSection> sections;
    std::string empty_reason = "Open a model to see the steps it goes through.";
};

[[nodiscard]] std::string to_text(const StagesViewData& data);
[[nodiscard]] std::string to_json(const StagesViewData& data);

} // namespace orrery::views
