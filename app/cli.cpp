// Parsing of the command line.

#include "app/cli.hpp"
#include "app/cli_schedule.hpp"
#include "app/cli_tune.hpp"
#include "app/cli_vta.hpp"

#include <CLI/CLI.hpp>

namespace orrery::app {

namespace {

/// What changes a recipe; session::command_line writes these words.
void add_edits(CLI::App& command, session::RecipeArguments& a) {
    command.add_option("-O,--opt-level", a.level, "level of the pass pipeline, 0 to 3")->check(CLI::Range(0, 3));
    const auto list = [&command](const char* name, std::vector<std::string>& out, const char* text) {
        command.add_option(name, out, text)->take_all()->allow_extra_args(false);
    };
    list("--pass", a.passes, "exactly these graph passes, in this order (repeatable); none for no pass");
    list("--without", a.without, "switches a pass off; NAME#2 is the second of that name (repeatable)");
    list("--pass-option", a.options, "PASS.KEY=VALUE; @FILE as value is read from a file (repeatable)");
    list("--schedule", a.schedules,
         "FUNCTION=@FILE: the trace of a tensor program, by its name or its workload's hash; or FUNCTION=TRACE "
         "(repeatable)");
    command.add_option("--codegen-level", a.codegen_level, "level of the code generator, 0 to 3")
        ->check(CLI::Range(0, 3));
    command.add_flag("--no-contract", a.no_contract, "round products and sums separately");
    command.add_flag("--bounds-checks", a.bounds_checks, "kernels trap on an index outside its buffer");
}

void add_model(CLI::App& command, ModelArguments& a, bool required = true) {
    auto* model = command.add_option(
        "model", a.model, "model file, recipe file, tensor program (.te, .tir), built-in network, or gallery:NAME");
    if (required) model->required();
    command.add_option("--shape", a.shapes, "shape of an input, NAME=1,3,224,224 (repeatable)")->take_all();
    command.add_option("--target", a.target, "target, for example \"llvm -mcpu=znver3\"; the host when left out");
    add_edits(command, a.edits);
    command.add_option("--recipe", a.recipe, "recipe file: everything but the model is taken from it");
    command
        .add_option("--precision", a.precision,
                    "f32; bf16 or f16: convolutions and matrix products in that, for processors with tiles of bf16 "
                    "(AMX) or arithmetic in f16 (AVX512-FP16)")
        ->check(CLI::IsMember({"f32", "bf16", "f16"}));
    command.add_option("--partition", a.partition, "region backend that takes parts of the graph, for example dnnl");
    command.add_option("--rule", a.rule, "schedules: default, rules without those that ship, or none for plain loops")
        ->check(CLI::IsMember({"default", "rules", "none"}));
    command.add_option("--threads", a.threads, "threads of a run; all cores when left out")->check(CLI::Range(1, 1024));
    command.add_option("--seed", a.seed, "seed of drawn inputs and of a built-in network's weights");
    command.add_flag("--no-cache", a.no_cache, "neither read nor write compiled kernels on disk");
    command.add_flag("--json", a.json, "report as JSON");
}

void add_graph_view(CLI::App& command, std::string& overlay, std::string& group_by) {
    command
        .add_option("--overlay", overlay,
                    "colours: latency (runs the model), flops, bytes, intensity, error (checks it)")
        ->check(CLI::IsMember({"latency", "flops", "bytes", "intensity", "error"}));
    command.add_option("--group-by", group_by, "groups: blocks, modules, repeats, kernels, backends or none")
        ->check(CLI::IsMember({"blocks", "modules", "repeats", "kernels", "backends", "none"}));
}

void add_inputs(CLI::App& command, RunArguments& a) {
    command.add_option("--input", a.inputs, "NAME=FILE: .npy, .pb, or a PNG, JPEG or BMP picture (repeatable)")
        ->take_all();
    command.add_option("--mean", a.mean, "subtracted from a picture's channels (0 to 255)")
        ->expected(1, 3)
        ->delimiter(',');
    command.add_option("--std", a.deviation, "a picture's channels are divided by it")->expected(1, 3)->delimiter(',');
    command.add_option("--layout", a.layout, "of a picture's tensor")->check(CLI::IsMember({"NCHW", "NHWC"}));
    command.add_option("--channels", a.order, "channel order of a picture's tensor")
        ->check(CLI::IsMember({"RGB", "BGR"}));
}

/// All argument structs; they outlive parsing.
struct Arguments {
    NewArguments make;
    ShowArguments show;
    RunArguments run;
    CheckArguments check;
    BisectArguments bisect;
    BenchArguments bench;
    MeasureArguments measure;
    ProfileArguments profile;
    CompileArguments compile;
    ConformanceArguments conformance;
    DumpArguments dump;
    DiffArguments diff;
    CompareArguments compare;
    HistoryArguments history;
    ProvenanceArguments provenance;
    ExportArguments exported;
    CaptureArguments capture;
    WindowArguments window;
    VtaArguments vta;
    ScheduleArguments schedule;
    TuneArguments tune;
    RecordsArguments records;
    WorkerArguments worker;
    std::string op, item;
    bool ops_json = false, gallery_json = false;
};

void declare_models(CLI::App& app, Arguments& a, int& status) {
    auto* make = app.add_subcommand("new", "writes a built-in network as an ONNX file");
    make->add_option("name", a.make.name,
                     "mlp lenet resnet18 resnet50 vgg16 squeezenet mobilenet_v1 mobilenet_v2 inception_v1 densenet121 "
                     "lstm transformer")
        ->required();
    make->add_option("-o,--output", a.make.output, "file to write")->required();
    make->add_option("--seed", a.make.seed, "seed of the weights");
    make->add_flag("--json", a.make.json, "report as JSON");
    make->callback([&] { status = command_new(a.make); });

    auto* show = app.add_subcommand("show", "prints a stage");
    add_model(*show, a.show);
    show->add_option("--at", a.show.at, "graph, layouts (and why those), expressions, tensor, llvm or asm")
        ->check(CLI::IsMember({"graph", "layouts", "expressions", "tensor", "llvm", "asm"}));
    show->add_option("--after", a.show.after, "the graph after this pass; \"import\" for before the first");
    show->add_option("--function", a.show.function, "only this function");
    show->callback([&] { status = command_show(a.show); });

    auto* run = app.add_subcommand("run", "runs a model");
    add_model(*run, a.run);
    add_inputs(*run, a.run);
    run->add_option("--output", a.run.output, "folder for outputs as .npy");
    run->add_option("--top", a.run.top, "print the K largest elements of the first output")
        ->check(CLI::Range(0, 1000000000));
    run->add_option("--labels", a.run.labels, "a file with one label a line");
    run->callback([&] { status = command_run(a.run); });

    auto* check = app.add_subcommand("check", "compares compiled results with the interpreter, kernel by kernel");
    add_model(*check, a.check);
    add_inputs(*check, a.check);
    check->add_option("--tolerance", a.check.tolerance, "largest difference, relative to the largest element");
    check->add_flag("--steps", a.check.steps, "compare the module after each pass with the one before it");
    check->callback([&] { status = a.check.steps ? command_check_steps(a.check) : command_check(a.check); });

    auto* bisect = app.add_subcommand("bisect", "finds the first pass that breaks the numbers or the verifier");
    add_model(*bisect, a.bisect);
    bisect->add_option("--tolerance", a.bisect.tolerance, "largest difference, relative to the largest element");
    bisect->callback([&] { status = command_bisect(a.bisect); });

    auto* bench = app.add_subcommand("bench", "measures latency, compile time and memory");
    add_model(*bench, a.bench);
    bench->add_option("--runs", a.bench.runs, "timed runs")->check(CLI::Range(1, 1000000));
    bench->callback([&] { status = command_bench(a.bench); });

    auto* compile = app.add_subcommand("compile", "writes machine code: .o, .s, .ll, or a module .so");
    add_model(*compile, a.compile);
    compile->add_option("-o,--output", a.compile.output, "file to write; its ending says what")->required();
    compile->callback([&] { status = command_compile(a.compile); });
}

void declare_rest(CLI::App& app, Arguments& a, int& status) {
    auto* conformance = app.add_subcommand("conformance", "runs an ONNX backend-test folder");
    conformance->add_option("folder", a.conformance.folder, "folder of cases")->required();
    conformance->add_flag("--interpreter", a.conformance.interpreter, "run the interpreter instead of compiled code");
    conformance->add_flag("--json", a.conformance.json, "report as JSON");
    conformance->callback([&] { status = command_conformance(a.conformance); });

    auto* ops = app.add_subcommand("ops", "lists the operators, or documents one");
    ops->add_option("name", a.op, "operator");
    ops->add_flag("--json", a.ops_json, "report as JSON");
    ops->callback([&] { status = command_ops(a.op, a.ops_json); });

    auto* gallery = app.add_subcommand("gallery", "lists the tensor programs that come with orrery, or prints one");
    gallery->add_option("name", a.item, "print this one");
    gallery->add_flag("--json", a.gallery_json, "report as JSON");
    gallery->callback([&] { status = command_gallery(a.item, a.gallery_json); });

    auto* dump = app.add_subcommand("dump", "prints what a view shows, with no display");
    add_model(*dump, a.dump);
    dump->add_option(
            "--view", a.dump.view,
            "stages, graph, operators, tensor, llvm, asm, inspector, problems, memory, run, script, edit, start, "
            "machine, measure, access, profile, tune, loops, menu, preview, diff, history or statistics")
        ->required();
    dump->add_option("--after", a.dump.after, "graph, operators, edit: after this pass");
    add_graph_view(*dump, a.dump.overlay, a.dump.group_by);
    dump->add_option("--format", a.dump.format, "text or json")->check(CLI::IsMember({"text", "json"}));
    dump->add_option("--function", a.dump.function, "function shown");
    dump->add_option("--value", a.dump.value,
                     "history: the value; menu, access: the place, as conv.oc; preview: the step");
    dump->callback([&] { status = command_dump(a.dump); });

    auto* exported =
        app.add_subcommand("export", "writes a view as a file: the graph as a picture, operators as a table");
    add_model(*exported, a.exported);
    exported->add_option("--view", a.exported.view, "graph or operators")->check(CLI::IsMember({"graph", "operators"}));
    exported->add_option("--format", a.exported.format, "svg, png, dot or csv; the file's ending when left out")
        ->check(CLI::IsMember({"svg", "png", "dot", "csv"}));
    exported->add_option("-o,--output", a.exported.output, "file to write")->required();
    exported->add_option("--after", a.exported.after, "the graph after this pass; \"import\" for before the first");
    add_graph_view(*exported, a.exported.overlay, a.exported.group_by);
    exported->add_flag("--open", a.exported.open, "open all groups");
    exported->add_option("--theme", a.exported.theme, "dark or light")->check(CLI::IsMember({"dark", "light"}));
    exported->add_option("--scale", a.exported.scale, "pixels a unit of a .png")->check(CLI::Range(0.05, 16.0));
    exported->callback([&] { status = command_export(a.exported); });

    auto* capture = app.add_subcommand("capture", "writes the window as a picture; needs a display");
    add_model(*capture, a.capture, false);
    capture
        ->add_option("--layout", a.capture.layout,
                     "Explore, Passes, Schedule, Run, Compare, Scratch, Profile, Tune, Start, or VTA, whose MODEL is "
                     "a program of the accelerator")
        ->transform(CLI::IsMember(
            {"Explore", "Passes", "Schedule", "Run", "Compare", "Scratch", "Profile", "Tune", "Start", "VTA"},
            CLI::ignore_case));
    capture->add_option("-o,--output", a.capture.output, "PNG file to write")->required();
    capture->add_option("--size", a.capture.size, "WIDTHxHEIGHT in pixels, for example 1600x1000");
    capture->add_option("--theme", a.capture.theme, "dark or light")->check(CLI::IsMember({"dark", "light"}));
    capture->add_option("--function", a.capture.function, "function selected");
    capture->callback([&] { status = command_capture(a.capture); });
}

void declare_compare(CLI::App& app, Arguments& a, int& status) {
    auto* diff = app.add_subcommand("diff", "compares two points of a recipe, or two recipes");
    add_model(*diff, a.diff);
    diff->add_option("other", a.diff.other, "second model, recipe or built-in network; left out: the same one");
    diff->add_option("--at", a.diff.at,
                     "STEP..STEP: a pass, its number, import, last; [FUNCTION@]lower, scheduled, ir, optimized, asm");
    diff->add_option("--other-target", a.diff.other_target, "target of the second");
    diff->add_option("--other-opt-level", a.diff.other_level, "level of the second's passes")->check(CLI::Range(0, 3));
    diff->add_option("--other-rule", a.diff.other_rule, "schedules of the second")
        ->check(CLI::IsMember({"default", "rules", "none"}));
    diff->add_option("--format", a.diff.format, "text, json or html: a report in one file")
        ->check(CLI::IsMember({"text", "json", "html"}));
    diff->add_option("-o,--output", a.diff.output, "file to write");
    diff->callback([&] { status = command_diff(a.diff); });

    auto* compare = app.add_subcommand("compare", "figures of several models or recipes beside each other");
    add_model(*compare, a.compare);
    compare->add_option("others", a.compare.others, "more of them")->required();
    compare->add_flag("--graphs", a.compare.graphs,
                      "the graph of each too, with the nodes of the first each stands for");
    compare->callback([&] { status = command_compare(a.compare); });

    auto* measure = app.add_subcommand("measure", "runs one kernel alone: its time, its speed against this machine's");
    add_model(*measure, a.measure);
    measure->add_option("--function", a.measure.function, "the kernel; the one with most work when left out");
    measure->add_option("--seconds", a.measure.seconds, "of timed runs, at most")->check(CLI::Range(0.01, 600.0));
    measure->add_option("--deadline", a.measure.deadline, "seconds after which it counts as hung")
        ->check(CLI::Range(0.1, 3600.0));
    measure->add_flag("--history", a.measure.history, "what was measured before; runs nothing");
    measure->add_flag("--no-peaks", a.measure.no_peaks, "do not measure this machine's peaks when they are unknown");
    measure->callback([&] { status = command_measure(a.measure); });
    auto* profile =
        app.add_subcommand("profile", "where a run's time goes: by operator, layer, node and kernel; what if");
    add_model(*profile, a.profile);
    profile->add_option("--runs", a.profile.runs, "timed runs; as many as take a second when left out")
        ->check(CLI::Range(1, 1000000));
    profile->add_flag("--no-peaks", a.profile.no_peaks, "do not measure this machine's peaks when they are unknown");
    profile->callback([&] { status = command_profile(a.profile); });

    auto* history = app.add_subcommand("history", "what each pass did to one value, from the model to its kernel");
    add_model(*history, a.history);
    history->add_option("value", a.history.value, "name of the value")->required();
    history->add_option("--at", a.history.at, "the step at which it has that name; the last when left out");
    history->callback([&] { status = command_history(a.history); });

    auto* provenance = app.add_subcommand("provenance", "how much of the generated code leads back to the model");
    add_model(*provenance, a.provenance);
    provenance->add_flag("--kernels", a.provenance.kernels, "each kernel's share, not only the sums");
    provenance->callback([&] { status = command_provenance(a.provenance); });
}

void declare_tuning(CLI::App& app, Arguments& a, int& status) {
    auto* tune = app.add_subcommand("tune", "looks for faster schedules of a model's kernels by measuring");
    add_model(*tune, a.tune);
    tune->add_option("--trials", a.tune.trials, "candidates to measure, over all kernels")
        ->check(CLI::Range(1, 1 << 20));
    tune->add_option("--minutes", a.tune.minutes, "time to take; 10 when neither this nor --trials is given")
        ->check(CLI::Range(0.01, 100000.0));
    tune->add_option("--search", a.tune.search, "how candidates are found: random, grid, genetic or model")
        ->check(CLI::IsMember({"random", "grid", "genetic", "model"}));
    tune->add_option("--function", a.tune.functions, "only this kernel (repeatable)")->take_all();
    tune->add_option("--worker", a.tune.worker, "HOST:PORT of a worker that was started there with --listen");
    tune->add_option("-o,--output", a.tune.output, "recipe to write, the best schedules in it");
    auto* fresh = tune->add_flag("--fresh", a.tune.fresh, "measure again what records know");
    tune->add_flag("--resume", a.tune.resume, "go on where records end, as is done anyway")->excludes(fresh);
    tune->add_option("--patience", a.tune.patience, "seconds that a busy machine is waited for before a candidate")
        ->check(CLI::Range(0.0, 3600.0));
    tune->add_flag("--no-peaks", a.tune.no_peaks, "do not measure this machine's peaks when they are unknown");
    tune->add_flag("--flush", a.tune.flush, "empty the caches before each timed run");
    tune->add_flag("--quiet", a.tune.quiet, "no line for each trial");
    tune->callback([&] { status = command_tune(a.tune); });

    auto* records = app.add_subcommand("records", "what was measured: export, import, or the best of a model");
    records->require_subcommand(1);
    auto* exported = records->add_subcommand("export", "writes records as lines of JSON");
    exported->add_option("file", a.records.file, "file to write; standard output when left out");
    exported->add_flag("--best", a.records.best, "only the fastest of each kernel, target, machine and threads");
    exported->callback([&] { a.records.what = "export", status = command_records(a.records); });
    auto* imported = records->add_subcommand("import", "adds records from lines of JSON");
    imported->add_option("file", a.records.file, "file to read; - for standard input")->required();
    imported->callback([&] { a.records.what = "import", status = command_records(a.records); });
    auto* best = records->add_subcommand("best", "the fastest that is known of each kernel of a model");
    add_model(*best, a.records);
    best->add_option("-o,--output", a.records.output, "recipe to write, these schedules in it");
    best->callback([&] { a.records.what = "best", status = command_records(a.records); });
    auto* layouts = records->add_subcommand("layouts", "layouts of a model chosen by what its kernels take in others");
    add_model(*layouts, a.records);
    layouts->add_flag("--measure", a.records.measure, "measure the kernels that have no time yet");
    layouts->add_option("--seconds", a.records.seconds, "of timed runs of each")->check(CLI::Range(0.01, 60.0));
    layouts->add_option("-o,--output", a.records.output, "recipe to write, with these times in it");
    layouts->callback([&] { a.records.what = "layouts", status = command_records(a.records); });

    auto* worker = app.add_subcommand("worker", "the process that kernels are measured in, for other machines");
    worker->add_option("--listen", a.worker.listen, "HOST:PORT to serve on, for example 127.0.0.1:9190");
    worker->add_flag("--from-outside", a.worker.from_outside,
                     "serve other machines too: whoever reaches the port can run any code here");
    worker->add_option("--socket", a.worker.socket, "Unix socket to serve on, until standard input ends")->group("");
    worker->callback([&] { status = command_worker(a.worker); });
}

} // namespace

int run_command_line(int argc, char** argv) {
    CLI::App app{"Orrery: a deep-learning compiler one can see inside"};
    app.set_version_flag("--version", std::string("orrery ") + ORRERY_VERSION);
    app.footer("orrery [MODEL|RECIPE] opens the window. Exit status: 0 done, 1 user error, 2 internal error.");
    app.require_subcommand(0, 1);
    Arguments arguments;
    int status = kDone;
    declare_models(app, arguments, status);
    declare_rest(app, arguments, status);
    declare_compare(app, arguments, status);
    declare_tuning(app, arguments, status);
    declare_vta(app, arguments.vta, status);
    declare_schedule(app, arguments.schedule, status);
    auto* window = &app;
    add_model(*window, arguments.window, false);
    window->add_option("--config", arguments.window.config, "folder for settings");
    window->add_flag("--no-config", arguments.window.no_config, "neither read nor write settings");
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) { return app.exit(error) == 0 ? kDone : kUserError; }
    if (app.get_subcommands().empty()) status = command_window(arguments.window);
    return status;
}

} // namespace orrery::app
