// `orrery schedule`: a tensor program and a trace, with no model.

#include "app/cli.hpp"
#include "app/cli_schedule.hpp"
#include "backends/llvm/llvm_backend.hpp"
#include "core/base/file.hpp"
#include "core/schedule/intrinsics.hpp"
#include "core/schedule/knobs.hpp"
#include "core/schedule/legality.hpp"
#include "core/schedule/rules.hpp"
#include "core/schedule/virtual_threads.hpp"
#include "core/session/check_schedule.hpp"
#include "core/session/scratch.hpp"
#include "core/tensor/analysis.hpp"
#include "core/tensor/expression_text.hpp"
#include "core/tensor/text.hpp"
#include "core/tuning/measurer.hpp"
#include "views/model/gallery.hpp"

#include <CLI/CLI.hpp>

#include <cstdio>

namespace orrery::app {

namespace {

constexpr std::uint64_t kMostText = 16 << 20; ///< of a program, a trace or declarations. Units: bytes

void print(const std::string& text) { std::fwrite(text.data(), 1, text.size(), stdout); }

Result<void> declare_all(const std::string& path) {
    ORRERY_TRY(const std::string text, read_file(path, kMostText));
    std::string one;
    std::size_t at = 0;
    while (at <= text.size()) {
        const std::size_t end = std::min(text.find('\n', at), text.size());
        const std::string line = text.substr(at, end - at);
        at = end + 1;
        const bool separator = line.starts_with("---");
        if (!separator) one += line + "\n";
        if ((separator || at > text.size()) && one.find_first_not_of(" \t\r\n") != std::string::npos)
            ORRERY_CHECK_OK(schedule::declare_intrinsic(std::exchange(one, {})));
    }
    return {};
}

/// The first program of a file or of a scratchpad's text. Errors: those of reading it.
Result<tensor::Program> read_program(const std::string& name) {
    std::optional<std::string> text = views::scratch_text(name);
    const bool typed = text || session::is_scratch_file(name);
    if (!text) { ORRERY_TRY(text, read_file(name, kMostText)); }
    if (typed) {
        ORRERY_TRY(const std::vector<tensor::TypedProgram> programs, tensor::parse_typed(*text));
        return programs.front().program;
    }
    ORRERY_TRY(const tensor::Program program, tensor::parse_program(*text));
    ORRERY_CHECK_OK(tensor::verify(program));
    return program;
}

/// The program before and after its schedule.
struct Scheduled {
    tensor::Program before, after;
    schedule::Trace trace;
    schedule::Replay replay;
};

Result<Scheduled> schedule_it(const ScheduleArguments& a, const Target& target) {
    if (!a.intrinsics.empty()) ORRERY_CHECK_OK(declare_all(a.intrinsics));
    Scheduled out;
    ORRERY_TRY(out.before, read_program(a.program));
    if (a.trace == "default") {
        out.trace = schedule::default_trace(out.before, target);
    } else if (!a.trace.empty()) {
        ORRERY_TRY(const std::string steps, read_file(a.trace, kMostText));
        ORRERY_TRY(out.trace, schedule::parse_trace(steps));
    }
    if (a.sample != 0) { ORRERY_TRY(out.trace, schedule::sample(out.before, std::move(out.trace), a.sample)); }
    ORRERY_TRY(out.replay, schedule::replay(out.before, out.trace));
    out.after = out.replay.result();
    return out;
}

std::string menu_text(const std::vector<schedule::Legality>& menu) {
    std::string text;
    for (const schedule::Legality& line : menu) {
        if (!line.legal()) {
            text += "no  " + line.primitive->name + ": " + to_string(line.refusal) + "\n";
            continue;
        }
        for (const schedule::TraceStep& step : line.steps) text += "yes " + to_string(step) + "\n";
    }
    return text;
}

Result<std::string> shown(const ScheduleArguments& a, const Scheduled& s, const Backend& backend,
                          const Target& target) {
    if (a.show == "tensor") return tensor::to_string(s.after);
    if (a.show == "lowered") return tensor::to_string(schedule::interleave_virtual_threads(s.after).program);
    if (a.show == "trace") return to_string(s.trace);
    if (a.show == "menu") {
        ORRERY_TRY(const std::vector<schedule::Legality> menu, schedule::legal_primitives(s.after, a.at));
        return menu_text(menu);
    }
    if (a.show == "nothing") return std::string();
    const ListingKind kind = a.show == "llvm" ? ListingKind::OptimizedIr : ListingKind::Assembly;
    ORRERY_TRY(const Listing listing, backend.list(s.after, target, {}, kind));
    std::string text;
    for (const ListingLine& line : listing.lines) text += line.text + "\n";
    return text;
}

/// The program run alone in a process of its own.
Result<void> measure(const ScheduleArguments& a, const Scheduled& s, const std::shared_ptr<const Backend>& backend,
                     const Target& target) {
    tuning::Measurer::Options kept;
    tuning::Measurer measurer(backend, std::move(kept));
    const tuning::Candidate candidate{
        to_string(tensor::structural_hash(s.before)), s.before, s.after, to_string(s.trace), target, {}};
    tuning::MeasureOptions options;
    options.threads = a.threads;
    ORRERY_TRY(const tuning::Record record, measurer.measure(candidate, options, {}));
    if (record.outcome != tuning::Outcome::Ok)
        return Diagnostic{record.outcome == tuning::Outcome::WrongAnswer ? Code::WrongNumbers : Code::ProcessFailed,
                          describe(record),
                          {ProgramPlace{s.before->name, ""}},
                          {}};
    ORRERY_TRY(const tuning::Peaks peaks, measurer.peaks(target, a.threads, {}));
    const double speed = tensor::cost_of(s.before).flops / record.times.median_ms / 1e6;
    std::printf("%s, %.1f GFLOP/s, %.0f %% of the peak of %.1f in f32\n", describe(record).c_str(), speed,
                100 * speed / peaks.gflops, peaks.gflops);
    if (const auto problem = measurer.records_problem())
        std::fprintf(stderr, "orrery: %s\n", to_string(*problem).c_str());
    return {};
}

/// The program after each step against the loops as written.
Result<void> check(const Scheduled& s, const Backend& backend, const Target& target) {
    auto function = std::make_shared<session::ScheduledFunction>();
    function->lowered.name = s.before->name;
    function->lowered.program = s.before;
    function->trace = s.trace, function->replay = s.replay;
    const session::ScheduleChecker::Machine machine{
        backend,
        [&](const tensor::Program& program) -> Result<std::shared_ptr<const KernelObject>> {
            ORRERY_TRY(KernelObject object, backend.compile(program, target, {}, {}));
            return std::make_shared<const KernelObject>(std::move(object));
        },
        target.hash()};
    session::ScheduleChecker checker;
    // Where the last program is right there is no step to look for.
    session::ScheduleCheckOptions options;
    options.seconds = 0;
    ORRERY_TRY(const session::ScheduleCheck done, checker.check(function, machine, options, {}));
    if (const std::optional<Diagnostic> problem = session::problem_of(done)) return *problem;
    const double worst = done.steps.empty() ? 0 : done.steps.back()->worst;
    std::printf("agrees with the loops as written, within %.1e\n", worst);
    return {};
}

Result<void> do_schedule(const ScheduleArguments& a) {
    const std::shared_ptr<const Backend> backend = make_llvm_backend();
    ORRERY_TRY(const Target target, backend->read_target(a.target));
    ORRERY_TRY(const Scheduled scheduled, schedule_it(a, target));
    ORRERY_TRY(const std::string text, shown(a, scheduled, *backend, target));
    print(text);
    if (a.check) ORRERY_CHECK_OK(check(scheduled, *backend, target));
    if (a.measure) ORRERY_CHECK_OK(measure(a, scheduled, backend, target));
    return {};
}

} // namespace

void declare_schedule(CLI::App& app, ScheduleArguments& a, int& status) {
    auto* command = app.add_subcommand("schedule", "applies a trace to a tensor program from a file");
    command->add_option("program", a.program, "tensor program as text")->required();
    command->add_option("--trace", a.trace, "trace to apply; default for the target's rules; none when left out");
    command->add_option("--target", a.target, "target, for example \"llvm -mcpu=znver4\"; the host when left out");
    command->add_option("--intrinsics", a.intrinsics, "declarations of intrinsics, separated by lines of ---");
    command
        ->add_option("--show", a.show,
                     "tensor, lowered (virtual threads interleaved), trace, llvm, asm, menu or nothing")
        ->check(CLI::IsMember({"tensor", "lowered", "trace", "llvm", "asm", "menu", "nothing"}));
    command->add_option("--at", a.at, "menu: the block, or block.loop, whose primitives are listed");
    command->add_option("--sample", a.sample, "seed that decides the trace's knobs");
    command->add_option("--threads", a.threads, "threads of a measured run")->check(CLI::Range(1, 1024));
    command->add_flag("--measure", a.measure, "run it alone and report its speed beside this core's peak");
    command->add_flag("--check", a.check,
                      "compare its results with those of the loops as written; of wrong ones, name the step");
    command->add_flag("--json", a.json, "report errors as JSON");
    command->callback([&] { status = command_schedule(a); });
}

int command_schedule(const ScheduleArguments& arguments) {
    const Result<void> done = do_schedule(arguments);
    return done ? kDone : fail(done.error(), arguments.json);
}

} // namespace orrery::app
