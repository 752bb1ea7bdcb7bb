#pragma once

#include "vta-sim/cycle_model.hpp"
#include "vta-sim/occupancy.hpp"

#include <iosfwd>

namespace orrery::vta {

struct TraceOptions {
    bool instructions = true;             ///< one bar per instruction, named by its disassembly
    bool causes = true;                   ///< one bar per cause interval
    bool port = true;                     ///< the read port by client
    bool tokens = true;                   ///< arrows from push to pop
    const Occupancy* occupancy = nullptr; ///< counters over time, when given
};

/// Writes the run in the Trace Event Format that chrome://tracing and Perfetto read. One cycle is one microsecond of
/// the format. Cost: the document is streamed, about 200 bytes per event.
/// Source: "Trace Event Format", Google,
/// https://docs.google.com/document/d/1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0nSsKchNAySU
void write_chrome_trace(std::ostream& out, const Program& program, const CycleResult& result,
                        const TraceOptions& options = {});

} // namespace orrery::vta
