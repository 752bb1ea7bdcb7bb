#pragma once
// Schedules that come with the program: found by tuning, for workloads that many models have.

#include "core/lower/lower.hpp"
#include "core/schedule/rules.hpp"
#include "core/session/recipe.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace orrery::session {

/// What of a target a schedule depends on: "x86_64, 256-bit vectors, 16 registers".
[[nodiscard]] std::string target_kind(const Target& target);

/// Lines of JSON by workload and kind of target; resources/traces.jsonl is the one built in. Lines that cannot be read
/// are left aside. Thread: any.
class ShippedTraces {
  public:
    explicit ShippedTraces(std::string_view lines);
    [[nodiscard]] static const ShippedTraces& built_in();
    /// A trace that applies to the function wholly; nullopt when there is none.
    [[nodiscard]] std::optional<schedule::Scheduled> find(const lower::LoweredFunction& function,
                                                          const Target& target) const;
    [[nodiscard]] std::size_t size() const { return traces_.size(); }

  private:
    std::map<std::string, std::string> traces_; ///< by workload and kind of target, as text
};

/// A function's schedule when the recipe has none of its own.
struct RuledTrace {
    schedule::Trace trace;
    schedule::Replay replay; ///< of it
    bool shipped = false;
};
[[nodiscard]] RuledTrace ruled_trace(ScheduleRule rule, const lower::LoweredFunction& function, const Target& target);

} // namespace orrery::session
