#pragma once
// View data of the smaller views: inspector, run, problems, start page, status line.

#include "core/base/diagnostic.hpp"
#include "views/model/table.hpp"

#include <string>
#include <vector>

namespace orrery::views {

struct InspectorField {
    std::string key, value;
    bool code = false; ///< set in the code typeface
    friend bool operator==(const InspectorField&, const InspectorField&) = default;
};
struct InspectorSection {
    std::string title;
    std::string body; ///< prose; may be empty
    std::vector<InspectorField> fields;
    friend bool operator==(const InspectorSection&, const InspectorSection&) = default;
};
/// What the selected node is: attributes, types, documentation, constant values.
struct InspectorViewData {
    std::string title, subtitle;
    std::vector<InspectorSection> sections;
    std::string empty_reason = "Select a node, a line or a buffer to see what it is.";
    friend bool operator==(const InspectorViewData&, const InspectorViewData&) = default;
};

/// The last run: outputs, time by operator, agreement with the reference.
struct RunViewData {
    std::string summary;   ///< "ResNet-18 13.4 ms on 2 threads, median of 10"
    std::string agreement; ///< "exact within 1.2e-6 of the reference"
    Tone agreement_tone = Tone::Dim;
    Table outputs;   ///< name, type, min, max, mean, first values
    Table operators; ///< operator, calls, time, share
    std::string empty_reason = "Run the model (Ctrl+R) to see its outputs and where the time goes.";
    friend bool operator==(const RunViewData&, const RunViewData&) = default;
};

struct ProblemsViewData {
    Table table; ///< severity, what, where, hint
    int errors = 0, warnings = 0;
    friend bool operator==(const ProblemsViewData&, const ProblemsViewData&) = default;
};
/// `opened`: whether the model could be read, so that it has an import stage whose shapes can be set.
[[nodiscard]] ProblemsViewData build_problems(const std::vector<Diagnostic>& diagnostics, bool opened = true);
/// A remedy as it reads in a window: what is an option of the command line is done elsewhere there.
[[nodiscard]] std::string hint_in_window(const std::string& hint, bool opened = true);

struct StartSample {
    std::string name, title, description; ///< "resnet18", "ResNet-18", one sentence
    std::string figures;                  ///< "11.7 M weights · 1x3x224x224"
    std::string family;                   ///< "vision", "sequence"
};
struct StartRecent {
    std::string path, title, when;
    bool exists = true;
};
struct StartViewData {
    std::vector<StartSample> samples;
    std::vector<StartSample> gallery; ///< tensor programs; their names begin with "gallery:"
    std::string new_scratchpad;       ///< what opens an empty one, as OpenSample takes it
    std::vector<StartRecent> recents;
};

/// The four answers of the status line: is it still right, what was rebuilt, how fast is it, what is running.
struct StatusViewData {
    std::string check;
    Tone check_tone = Tone::Dim;
    std::string rebuilt, speed;
    std::string job;      ///< empty when nothing runs
    double fraction = -1; ///< of the job; negative when unknown
    bool can_cancel = false;
    bool quiet = false; ///< what runs was not asked for: its name is enough
    friend bool operator==(const StatusViewData&, const StatusViewData&) = default;
};

[[nodiscard]] std::string to_text(const InspectorViewData& data);
[[nodiscard]] std::string to_json(const InspectorViewData& data);
[[nodiscard]] std::string to_text(const RunViewData& data);
[[nodiscard]] std::string to_json(const RunViewData& data);
[[nodiscard]] std::string to_text(const ProblemsViewData& data);
[[nodiscard]] std::string to_json(const ProblemsViewData& data);
[[nodiscard]] std::string to_text(const StartViewData& data);
[[nodiscard]] std::string to_json(const StartViewData& data);

} // namespace orrery::views
