#pragma once
// The arguments of `orrery tune` and `orrery records`; doing in commands_tune.cpp and commands_records.cpp.

#include "app/cli.hpp"

#include <string>
#include <vector>

namespace orrery::app {

struct TuneArguments : ModelArguments {
    int trials = 0;     ///< 0 for no limit
    double minutes = 0; ///< 0 for no limit
    std::string search = "model";
    std::vector<std::string> functions; ///< all when empty
    std::string worker;                 ///< "HOST:PORT"; empty for a process of our own
    std::string output;                 ///< recipe to write
    bool fresh = false;                 ///< what records know is left aside
    bool resume = false;                ///< the default, said aloud
    bool flush = false;
    bool no_peaks = false;
    double patience = 5; ///< seconds
    bool quiet = false;  ///< no line a trial
};

struct RecordsArguments : ModelArguments {
    std::string what; ///< "export", "import", "best", "layouts"
    std::string file; ///< of JSON lines; "-" for the standard streams
    std::string output;
    bool best = false;     ///< export only the best, see Records::for_each
    bool measure = false;  ///< kernels in other layouts that have no time
    double seconds = 0.25; ///< of each
};

struct WorkerArguments {
    std::string socket, listen;
    bool from_outside = false;
};

/// Median of runs of the whole model; 0 for one that is not one static plan. Units: milliseconds.
[[nodiscard]] Result<double> model_latency(session::Compiler& compiler, const session::Recipe& recipe);
int command_tune(const TuneArguments& arguments);
int command_records(const RecordsArguments& arguments);
/// The process that kernels are measured in; what starts it is tuning::Worker. Or one that listens for other machines.
int command_worker(const WorkerArguments& arguments);

} // namespace orrery::app
