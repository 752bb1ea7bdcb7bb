#pragma once
// A compilation as a small value: everything shown or produced is computed from it.

#include "core/base/ndarray.hpp"
#include "core/base/result.hpp"
#include "core/schedule/trace.hpp"
#include "core/target/backend.hpp"
#include "core/target/target.hpp"
#include "core/transform/passes.hpp"

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace orrery::session {

/// Where a function's schedule comes from when the recipe has no trace for its workload.
enum class ScheduleRule : std::uint8_t {
    Default, ///< one that ships with the program (shipped.hpp), else schedule::default_trace
    Rules,   ///< schedule::default_trace
    None,    ///< the loop nests as lowered
};

/// All state a user can change. A session file is its JSON; undo and redo edit it; the command line runs it.
struct Recipe {
    static constexpr int kVersion = 3; ///< 2 brought branches, 3 scratchpads; without either it is written as 1
    std::filesystem::path model;       ///< empty before one is opened
    std::string builtin;               ///< name of a built-in network when `model` is empty
    std::uint64_t seed = 0;            ///< of the built-in network's weights
    std::string scratch;               ///< tensor programs as text, in place of a model; empty for none
    Hash model_hash;                   ///< of the file's bytes; zero when unknown
    std::map<std::string, Shape> shapes;
    Target target;
    std::vector<transform::PassStep> passes;
    ScheduleRule rule = ScheduleRule::Default;
    std::map<std::string, schedule::Trace> schedules; ///< by workload (hash in hexadecimal)
    /// Other traces of a workload kept beside the one in force, by name; they change nothing that is computed.
    std::map<std::string, std::map<std::string, schedule::Trace>> branches;
    BuildOptions build;
    int threads = 0; ///< of a run; 0 for the target's cores

    friend bool operator==(const Recipe&, const Recipe&) = default;
};

/// The versioned JSON form; from_json(to_json(r)) equals r.
[[nodiscard]] std::string to_json(const Recipe& recipe);
/// "default", "rules", "none".
[[nodiscard]] const char* rule_name(ScheduleRule rule);
[[nodiscard]] std::optional<ScheduleRule> parse_rule(std::string_view name);
/// What the text leaves out keeps its default; the target is read by `backend`.
/// Errors: BadRecipe naming the key; a version newer than ours; those of Backend::read_target.
[[nodiscard]] Result<Recipe> from_json(std::string_view text, const Backend& backend);
/// Whether the text is a workload's key: the 32 hexadecimal digits of a hash.
[[nodiscard]] bool is_workload(std::string_view text);
/// Relative model paths are resolved against the recipe file's folder.
[[nodiscard]] Result<Recipe> load_recipe(const std::filesystem::path& path, const Backend& backend);
[[nodiscard]] Result<void> save_recipe(const Recipe& recipe, const std::filesystem::path& path);

} // namespace orrery::session
