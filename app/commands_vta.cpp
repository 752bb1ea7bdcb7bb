// vta: the accelerator's programs, their runs in time and in data, and what the VTA page shows.

#include "app/cli.hpp"
#include "app/cli_vta.hpp"
#include "app/vta_program.hpp"
#include "core/base/file.hpp"
#include "views/model/vta_instructions.hpp"
#include "views/model/vta_statistics.hpp"
#include "views/model/vta_step.hpp"
#include "views/model/vta_timeline.hpp"
#include "vta-sim/assembler.hpp"
#include "vta-sim/examples.hpp"

#include <charconv>
#include <cstdio>
#include <nlohmann/json.hpp>

namespace orrery::app {

namespace {

using Json = nlohmann::ordered_json;

void print_line(const std::string& text) {
    std::printf("%s", text.c_str());
    if (!text.empty() && text.back() != '\n') std::printf("\n");
}
void print_line(const Json& json) { print_line(json.dump(2, ' ', false, Json::error_handler_t::replace)); }

struct Range {
    std::uint64_t begin = 0, end = vta::kNever;
};
Result<Range> parse_range(const std::string& text) {
    Range range;
    if (text.empty()) return range;
    const char* const end = text.data() + text.size();
    const auto first = std::from_chars(text.data(), end, range.begin);
    if (first.ec != std::errc() || first.ptr == end || *first.ptr != ':')
        return Diagnostic{Code::BadArgument, "\"" + text + "\" is no range", {}, "write --range BEGIN:END, in cycles"};
    const auto last = std::from_chars(first.ptr + 1, end, range.end);
    if (last.ec != std::errc() || last.ptr != end || range.end <= range.begin)
        return Diagnostic{Code::BadArgument, "\"" + text + "\" is no range", {}, "write --range BEGIN:END, in cycles"};
    return range;
}

using RunPtr = std::shared_ptr<const views::VtaRun>;

Result<RunPtr> simulate(const VtaProgramArguments& a) {
    ORRERY_TRY(views::VtaRequest request, load_vta_request(a.program, a.config, a.threads));
    vta::Result<vta::Program> program = views::build_vta_program(request);
    if (!program) return to_diagnostic(program.error());
    return views::build_vta_run(std::move(request), *std::move(program));
}

Json findings_json(const views::Table& findings) {
    Json list = Json::array();
    for (const views::TableRow& row : findings.rows)
        list.push_back(Json{{"kind", row.cells[0].text}, {"what", row.cells[2].text}});
    return list;
}

/// A program that stands still or breaks a rule is the user's to mend: exit status 1, with the report printed.
int verdict(const views::VtaRun& run, const views::Table& findings) {
    return run.cycles.state == vta::RunState::Finished && findings.rows.empty() ? kDone : kUserError;
}

std::string trail_line(const views::VtaRun& run, const views::VtaStepView& view) {
    const auto row = views::vta_instruction_row(run, view.last);
    char text[256];
    std::snprintf(text, sizeof text, "%6llu  %-8s #%-6u issued %10s  tokens %u %u %u %u  %s\n",
                  static_cast<unsigned long long>(view.position), std::string(vta::module_name(row.module)).c_str(),
                  view.last, row.issued.c_str(), view.tokens[0], view.tokens[1], view.tokens[2], view.tokens[3],
                  row.text.c_str());
    return text;
}

Result<std::string> view_text(const VtaDumpArguments& a, const RunPtr& run, const Range& range) {
    const views::VtaWindow window{static_cast<double>(range.begin),
                                  static_cast<double>(std::min(range.end, run->total())), 2 * a.width};
    const auto table = [&](const views::Table& t) {
        if (!a.json) return views::to_text(t);
        Json rows = Json::array();
        for (const views::TableRow& row : t.rows) {
            Json cells = Json::object();
            for (std::size_t c = 0; c < row.cells.size(); ++c) cells[t.columns[c].title] = row.cells[c].text;
            rows.push_back(std::move(cells));
        }
        return rows.dump(2, ' ', false, Json::error_handler_t::replace);
    };
    if (a.view == "timeline") return a.json ? views::timeline_json(*run, window) : views::timeline_text(*run, window);
    if (a.view == "statistics" || a.view == "roofline") {
        const views::VtaStatistics statistics = views::build_vta_statistics(*run, range.begin, range.end);
        if (a.json) return views::to_json(statistics);
        return a.view == "roofline" ? statistics.sentence + "\n" + views::to_text(statistics.origins)
                                    : views::to_text(statistics);
    }
    if (a.view == "instructions") return table(views::vta_instruction_table(*run, a.first, a.count));
    if (a.view == "fields") return table(views::vta_field_table(*run, a.first));
    if (a.view == "findings") return table(views::vta_findings(*run, *views::build_vta_details(run)));
    if (a.view == "config")
        return a.json ? vta::to_json(run->program.config) : table(views::vta_config_table(run->program.config));
    return Diagnostic{Code::UnknownName,
                      "there is no view named " + a.view,
                      {},
                      "timeline, statistics, instructions, fields, roofline, findings, config"};
}

} // namespace

int command_vta_info(const VtaInfoArguments& a) {
    const Result<vta::Config> config = load_vta_config(a.config.empty() ? kVtaPreset : a.config);
    if (!config) return fail(config.error(), a.json);
    if (a.json) {
        Json report = Json::parse(vta::to_json(*config));
        report["PEAK_GOPS"] = config->peak_gops();
        report["BANDWIDTH_GBYTES"] = config->bandwidth_gbytes();
        report["RIDGE_OPS_PER_BYTE"] = config->ridge_ops_per_byte();
        print_line(report);
        return kDone;
    }
    std::string presets;
    for (const std::string_view name : vta::preset_names()) presets += " " + std::string(name);
    print_line(config->name + "\n" + views::to_text(views::vta_config_table(*config)) +
               "\nIt is legal. Presets:" + presets);
    return kDone;
}

int command_vta_asm(const VtaListingArguments& a) {
    const Result<vta::Program> program = load_vta_file(a.input);
    if (!program) return fail(program.error(), a.json);
    if (!a.output.empty()) {
        const vta::Status written = vta::write_program(*program, a.output);
        if (!written) return fail({Code::FileUnwritable, written.error().message, {FileOffset{a.output}}, {}}, a.json);
    }
    if (a.json)
        print_line(Json{{"instructions", program->instructions.size()},
                        {"dram_bytes", program->dram.size()},
                        {"output", a.output}});
    else
        print_line(views::grouped(program->instructions.size()) + " instructions, " +
                   views::grouped(program->dram.size()) + " bytes of DRAM" +
                   (a.output.empty() ? "" : ", written to " + a.output));
    return kDone;
}

int command_vta_disasm(const VtaListingArguments& a) {
    const Result<views::VtaRequest> request = load_vta_request(a.input, {}, 2);
    if (!request) return fail(request.error(), a.json);
    const vta::Result<vta::Program> program = views::build_vta_program(*request);
    if (!program) return fail(to_diagnostic(program.error()), a.json);
    const std::string text = vta::disassemble(*program, {.data = !a.no_data});
    if (a.output.empty()) return print_line(text), kDone;
    const Result<void> written = write_file(a.output, text);
    return written ? kDone : fail(written.error(), a.json);
}

int command_vta_run(const VtaRunArguments& a) {
    const Result<Range> range = parse_range(a.range);
    if (!range) return fail(range.error(), a.json);
    const Result<RunPtr> run = simulate(a);
    if (!run) return fail(run.error(), a.json);
    const auto details = views::build_vta_details(*run);
    const views::Table findings = views::vta_findings(**run, *details);
    const views::VtaStatistics statistics = views::build_vta_statistics(**run, range->begin, range->end);
    if (!a.trace.empty())
        if (const Result<void> written = write_vta_trace(**run, a.trace); !written)
            return fail(written.error(), a.json);
    if (a.json) {
        Json report = Json::parse(views::to_json(statistics));
        report["title"] = (*run)->title;
        report["findings"] = findings_json(findings);
        print_line(report);
    } else {
        print_line((*run)->title + "\n" + views::to_text(statistics) + "\nFINDINGS\n" + views::to_text(findings));
        if (!a.trace.empty()) print_line("\ntrace written to " + a.trace + ": open it at ui.perfetto.dev");
    }
    return verdict(**run, findings);
}

int command_vta_step(const VtaStepArguments& a) {
    const Result<RunPtr> run = simulate(a);
    if (!run) return fail(run.error(), a.json);
    const vta::Config& config = (*run)->program.config;
    const auto tile = views::vta_tile_named(config, a.tile);
    if (!tile)
        return fail({Code::BadArgument, "there is no tile " + a.tile, {}, "write for example acc[3], inp[0], wgt[12]"},
                    a.json);
    std::vector<views::VtaBreakpoint> breakpoints;
    for (const std::string& text : a.breakpoints) {
        const auto breakpoint = views::vta_breakpoint_named(config, text);
        if (!breakpoint) return fail(to_diagnostic(breakpoint.error()), a.json);
        breakpoints.push_back(*breakpoint);
    }
    views::VtaStepper stepper(*run);
    stepper.seek(a.to);
    std::string trail;
    for (std::uint64_t i = 0; i < a.steps; ++i) {
        const std::uint64_t before = stepper.position();
        stepper.seek(before + 1);
        if (stepper.position() == before) break;
        trail += trail_line(**run, stepper.view(*tile));
    }
    if (!breakpoints.empty()) (void)stepper.run_to_break(breakpoints, 1);
    const views::VtaStepView view = stepper.view(*tile);
    if (a.json)
        print_line(views::to_json(view));
    else
        print_line((*run)->title + "\n" + trail + views::to_text(view));
    return kDone;
}

int command_vta_example(const VtaExampleArguments& a) {
    if (a.names.empty()) {
        Json list = Json::array();
        for (const vta::Example& example : vta::examples()) {
            if (a.json)
                list.push_back(Json{{"name", example.name}, {"title", example.title}, {"help", example.help}});
            else
                std::printf("%-14s %-42s %s\n", std::string(example.name).c_str(), std::string(example.title).c_str(),
                            std::string(example.help).c_str());
        }
        if (a.json) print_line(list);
        return kDone;
    }
    if (!a.output.empty() && a.names.size() > 1)
        return fail({Code::BadArgument, "one file takes one example", {}, "name one, or leave -o out"}, a.json);
    Json list = Json::array();
    for (const std::string& name : a.names) {
        VtaProgramArguments one = a;
        one.program = name;
        const Result<RunPtr> run = simulate(one);
        if (!run) return fail(run.error(), a.json);
        if (!a.output.empty()) {
            const vta::Program& program = (*run)->program;
            const bool listing = a.output.ends_with(".s") || a.output.ends_with(".txt");
            const bool written = listing ? write_file(a.output, vta::disassemble(program)).has_value()
                                         : vta::write_program(program, a.output).has_value();
            if (!written)
                return fail({Code::FileUnwritable, "cannot write the program", {FileOffset{a.output}}, {}}, a.json);
        }
        const views::VtaStatistics s = views::build_vta_statistics(**run);
        if (a.json)
            list.push_back(Json::parse(views::to_json(s)));
        else
            print_line((*run)->title + "\n  " + s.headline + "\n  " + s.sentence);
    }
    if (a.json) print_line(list);
    return kDone;
}

int command_vta_dump(const VtaDumpArguments& a) {
    const Result<Range> range = parse_range(a.range);
    if (!range) return fail(range.error(), a.json);
    const Result<RunPtr> run = simulate(a);
    if (!run) return fail(run.error(), a.json);
    const Result<std::string> text = view_text(a, *run, *range);
    if (!text) return fail(text.error(), a.json);
    print_line(*text);
    return kDone;
}

} // namespace orrery::app
