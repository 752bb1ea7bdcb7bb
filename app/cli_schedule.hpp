#pragma once
// The arguments of `orrery schedule`; parsing and doing in commands_schedule.cpp.

#include <cstdint>
#include <string>

namespace CLI {
class App;
}

namespace orrery::app {

struct ScheduleArguments {
    std::string program;    ///< a file with a tensor program as text
    std::string trace;      ///< a file with a trace; "default" for the target's rules; empty for the loops as written
    std::string target;     ///< as parse_target reads it; empty for the host
    std::string intrinsics; ///< a file with declarations of intrinsics, separated by lines of ---
    std::string show = "tensor"; ///< tensor, trace, llvm, asm, menu or nothing
    std::string at;              ///< the place of a menu
    std::uint64_t sample = 0;    ///< seed that decides the trace's knobs; 0: as they stand
    int threads = 1;
    bool measure = false, check = false;
    bool json = false;
};

void declare_schedule(CLI::App& app, ScheduleArguments& arguments, int& status);
int command_schedule(const ScheduleArguments& arguments);

} // namespace orrery::app
