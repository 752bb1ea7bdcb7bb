#pragma once
// What the processor's model says of the shown kernel: its loops, what bounds each, the ports they use.

#include "views/model/table.hpp"

#include <string>

namespace orrery {
struct FunctionCode;
namespace session {
struct Snapshot;
}
} // namespace orrery

namespace orrery::views {

struct ViewOptions;

struct MachineViewData {
    std::string subject;      ///< the function
    std::string summary;      ///< "znver4 · hot loop: lines 31 to 58, 16.0 cycles an iteration, bound by ..."
    Table loops;              ///< one innermost loop a row; selecting it selects its lines of the tensor program
    Table ports;              ///< of the hot loop, busiest first
    std::string empty_reason; ///< one sentence shown when there is nothing
    friend bool operator==(const MachineViewData&, const MachineViewData&) = default;
};
[[nodiscard]] MachineViewData build_machine(const session::Snapshot& snapshot, const ViewOptions& options);

/// Of each line of the assembly: what the instruction does, and its cost. Shown on hover.
[[nodiscard]] std::vector<std::string> instruction_details(const FunctionCode& code);

[[nodiscard]] std::string to_text(const MachineViewData& data);
[[nodiscard]] std::string to_json(const MachineViewData& data);

} // namespace orrery::views
