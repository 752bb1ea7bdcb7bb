#pragma once
// The arguments of `orrery vta …`, one struct a subcommand; parsing in cli_vta.cpp, doing in commands_vta.cpp.

#include <cstdint>
#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace orrery::app {

/// What chooses a program, shared by most subcommands.
struct VtaProgramArguments {
    std::string program; ///< an example's name, a program file, or a listing
    std::string config;  ///< a preset or a JSON file; empty: the file's own, or kVtaPreset
    int threads = 2;     ///< virtual threads of an example
    bool json = false;
};
struct VtaInfoArguments {
    std::string config;
    bool json = false;
};
struct VtaListingArguments {
    std::string input, output;
    bool no_data = false, json = false;
};
struct VtaRunArguments : VtaProgramArguments {
    std::string trace; ///< Chrome trace to write
    std::string range; ///< "BEGIN:END" in cycles
};
struct VtaStepArguments : VtaProgramArguments {
    std::uint64_t to = 0, steps = 0;
    std::vector<std::string> breakpoints;
    std::string tile = "acc[0]";
};
struct VtaExampleArguments : VtaProgramArguments {
    std::vector<std::string> names;
    std::string output;
};
struct VtaDumpArguments : VtaRunArguments {
    std::string view;
    std::uint32_t first = 0, count = 100;
    int width = 96; ///< bars a lane
};
struct VtaArguments {
    VtaInfoArguments info;
    VtaListingArguments assemble, disassemble;
    VtaRunArguments run;
    VtaStepArguments step;
    VtaExampleArguments example;
    VtaDumpArguments dump;
};

/// Adds `vta` and its subcommands; `a` and `status` outlive the parsing.
void declare_vta(CLI::App& app, VtaArguments& a, int& status);

int command_vta_info(const VtaInfoArguments& arguments);
int command_vta_asm(const VtaListingArguments& arguments);
int command_vta_disasm(const VtaListingArguments& arguments);
int command_vta_run(const VtaRunArguments& arguments);
int command_vta_step(const VtaStepArguments& arguments);
int command_vta_example(const VtaExampleArguments& arguments);
int command_vta_dump(const VtaDumpArguments& arguments);

} // namespace orrery::app
