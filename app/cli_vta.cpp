// Parsing of `orrery vta`.

#include "app/cli_vta.hpp"

#include <CLI/CLI.hpp>

namespace orrery::app {

namespace {

void add_program(CLI::App& command, VtaProgramArguments& a) {
    command.add_option("program", a.program, "an example (orrery vta example lists them), a program file, a listing")
        ->required();
    command.add_option("--config", a.config, "preset or JSON file; a file's own when left out");
    command.add_option("--threads", a.threads, "virtual threads of an example")->check(CLI::Range(1, 2));
    command.add_flag("--json", a.json, "report as JSON");
}

void add_range(CLI::App& command, VtaRunArguments& a) {
    command.add_option("--range", a.range, "only cycles BEGIN:END");
}

void declare_listings(CLI::App& vta, VtaArguments& a, int& status) {
    auto* info = vta.add_subcommand("info", "a configuration: sizes, fields, rates, legality");
    info->add_option("--config", a.info.config, "preset or JSON file");
    info->add_flag("--json", a.info.json, "report as JSON");
    info->callback([&] { status = command_vta_info(a.info); });

    auto* assemble = vta.add_subcommand("asm", "assembles a listing into a program file");
    assemble->add_option("listing", a.assemble.input, "text as disasm prints it")->required();
    assemble->add_option("-o,--output", a.assemble.output, "program file to write; only checked when left out");
    assemble->add_flag("--json", a.assemble.json, "report as JSON");
    assemble->callback([&] { status = command_vta_asm(a.assemble); });

    auto* disassemble = vta.add_subcommand("disasm", "prints a program as a listing that asm reads");
    disassemble->add_option("program", a.disassemble.input, "an example or a program file")->required();
    disassemble->add_option("-o,--output", a.disassemble.output, "listing to write");
    disassemble->add_flag("--no-data", a.disassemble.no_data, "leave the bytes of DRAM out");
    disassemble->add_flag("--json", a.disassemble.json, "report errors as JSON");
    disassemble->callback([&] { status = command_vta_disasm(a.disassemble); });

    auto* example = vta.add_subcommand("example", "lists the examples, or builds and runs some of them");
    example->add_option("name", a.example.names, "examples; all are listed when left out");
    example->add_option("-o,--output", a.example.output,
                        "program file (.vta) or listing (.s) to write, of one example");
    example->add_option("--config", a.example.config, "preset or JSON file");
    example->add_option("--threads", a.example.threads, "virtual threads")->check(CLI::Range(1, 2));
    example->add_flag("--json", a.example.json, "report as JSON");
    example->callback([&] { status = command_vta_example(a.example); });
}

} // namespace

void declare_vta(CLI::App& app, VtaArguments& a, int& status) {
    auto* vta = app.add_subcommand("vta", "the accelerator: simulates a program and explains every cycle");
    vta->require_subcommand(1);
    declare_listings(*vta, a, status);

    auto* run = vta->add_subcommand("run", "simulates a program: utilization, causes of stall, memory, what bounds it");
    add_program(*run, a.run);
    add_range(*run, a.run);
    run->add_option("--trace", a.run.trace, "write a trace for Perfetto or chrome://tracing");
    run->callback([&] { status = command_vta_run(a.run); });

    auto* step = vta->add_subcommand("step", "the state after some instructions: memories, tokens, queues");
    add_program(*step, a.step);
    step->add_option("--to", a.step.to, "instructions done, in order of execution; any position, back or forward");
    step->add_option("--steps", a.step.steps, "then print so many steps one by one");
    step->add_option("--break", a.step.breakpoints, "then run until: 12 (an instruction), acc[3] (a tile), stall 100")
        ->take_all();
    step->add_option("--tile", a.step.tile, "tile whose values are printed, such as wgt[0]");
    step->callback([&] { status = command_vta_step(a.step); });

    auto* dump = vta->add_subcommand("dump", "prints what a view of the VTA page shows");
    add_program(*dump, a.dump);
    add_range(*dump, a.dump);
    dump->add_option("--view", a.dump.view, "timeline, statistics, instructions, fields, roofline, findings or config")
        ->required();
    dump->add_option("--first", a.dump.first, "first instruction");
    dump->add_option("--count", a.dump.count, "instructions");
    dump->add_option("--width", a.dump.width, "bars a lane of the timeline")->check(CLI::Range(1, 100000));
    dump->callback([&] { status = command_vta_dump(a.dump); });
}

} // namespace orrery::app
