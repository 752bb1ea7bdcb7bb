#pragma once
// Where the cycles of an accelerator run go, for the whole of it or a range: utilization, causes, memory, roofline.

#include "views/model/table.hpp"
#include "views/model/vta_run.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace orrery::views {

struct VtaRooflinePoint {
    std::string name;
    double ops_per_byte = 0, gops = 0;
    double share = 0;   ///< of the compute module's cycles
    bool whole = false; ///< the run or range itself, not one of its origins
};
/// Peak, slope and ridge of the configuration, and where programs stand.
struct VtaRoofline {
    double peak_gops = 0, bandwidth_gbytes = 0, ridge = 0;
    std::vector<VtaRooflinePoint> points;
};

struct VtaStatistics {
    std::uint64_t begin = 0, end = 0; ///< cycles
    bool whole = true;
    vta::Summary summary;
    vta::RangeCounters counters; ///< causes of every lane, which sum to end - begin, and beats
    std::string sentence;        ///< what bounds this
    std::string headline;        ///< "532,354 cycles · GEMM 84.8 % · 43.4 of 51.2 GOPS"
    Table modules;               ///< a row a module: busy, waiting, the largest cause
    Table causes;                ///< a row a cause, a column a module; columns sum to the cycles
    Table memory;                ///< a row a memory: bytes, share, beats
    Table origins;               ///< a row an origin that has instructions
    Table energy;                ///< estimate, with its source
    VtaRoofline roofline;        ///< point 0 is the whole, point i + 1 row i of origins
};

/// Of cycles [begin, end); `end` beyond the run means its end. Thread: any. Cost: linear in instructions.
[[nodiscard]] VtaStatistics build_vta_statistics(const VtaRun& run, std::uint64_t begin = 0,
                                                 std::uint64_t end = vta::kNever);

/// Two runs side by side: figure, A, B, ratio.
[[nodiscard]] Table compare_vta(const VtaStatistics& a, const VtaStatistics& b);
/// Findings of the functional model and of the deadlock, if any: kind, instruction, what.
[[nodiscard]] Table vta_findings(const VtaRun& run, const VtaDetails& details);
/// The configuration in words: shapes, memories, rates.
[[nodiscard]] Table vta_config_table(const vta::Config& config);
/// One sentence for a tooltip: what a module does in a cycle of this cause.
[[nodiscard]] std::string_view vta_cause_help(vta::Cause cause);
/// "6,623,232"
[[nodiscard]] std::string grouped(std::uint64_t value);

[[nodiscard]] std::string to_text(const VtaStatistics& data);
[[nodiscard]] std::string to_json(const VtaStatistics& data);

} // namespace orrery::views
