#include "views/model/vta_statistics.hpp"

#include "views/model/json.hpp"
#include "views/model/memory_view.hpp"

#include <algorithm>
#include <cstdarg>
#include <cstdio>

namespace orrery::views {
namespace {

std::string form(const char* format, ...) __attribute__((format(printf, 1, 2)));
std::string form(const char* format, ...) {
    char text[160];
    va_list arguments;
    va_start(arguments, format);
    std::vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    return text;
}

double share(double part, double whole) { return whole <= 0 ? 0 : part / whole; }
double real(std::uint64_t value) { return static_cast<double>(value); }
std::string percent(double part) { return form("%.1f %%", 100 * part); }

TableCell number_cell(std::uint64_t value) { return {grouped(value), real(value), -1}; }
TableCell share_cell(double part) { return {percent(part), part, static_cast<float>(part)}; }
TableCell text_cell(std::string text) { return {std::move(text), 0, -1}; }

using Causes = std::array<std::uint64_t, vta::kCauses>;

/// The wait that takes most; having nothing left to do is none.
std::pair<vta::Cause, std::uint64_t> largest_wait(const Causes& causes) {
    std::pair<vta::Cause, std::uint64_t> best{vta::Cause::Idle, 0};
    for (int c = 0; c < vta::kCauses; ++c) {
        const auto cause = static_cast<vta::Cause>(c);
        const std::uint64_t cycles = causes[static_cast<std::size_t>(c)];
        const bool wait = !vta::is_busy(cause) && cause != vta::Cause::Idle;
        if (wait && cycles > best.second) best = {cause, cycles};
    }
    return best;
}

Table module_table(const std::array<Causes, vta::kLanes>& lanes, std::uint64_t cycles) {
    Table table;
    table.columns = {{"Module", Align::Left, 12},           {"Busy", Align::Right, 10},
                     {"Waits", Align::Right, 10},           {"Idle", Align::Right, 10},
                     {"Waits mostly for", Align::Left, 18}, {"what that means", Align::Left, 0}};
    for (int lane = 0; lane < vta::kLanes; ++lane) {
        const Causes& causes = lanes[static_cast<std::size_t>(lane)];
        const std::uint64_t idle = causes[static_cast<std::size_t>(vta::Cause::Idle)];
        std::uint64_t busy = 0;
        for (int c = 0; c < vta::kCauses; ++c)
            if (vta::is_busy(static_cast<vta::Cause>(c))) busy += causes[static_cast<std::size_t>(c)];
        const auto [cause, longest] = largest_wait(causes);
        TableRow row;
        row.cells = {text_cell(std::string(vta::module_name(static_cast<vta::Module>(lane)))),
                     share_cell(share(real(busy), real(cycles))),
                     share_cell(share(real(cycles - busy - idle), real(cycles))),
                     share_cell(share(real(idle), real(cycles))),
                     text_cell(longest == 0 ? "-" : std::string(vta::cause_name(cause))),
                     text_cell(longest == 0 ? "it never waits" : std::string(vta_cause_help(cause)))};
        table.rows.push_back(std::move(row));
    }
    return table;
}

Table cause_table(const std::array<Causes, vta::kLanes>& lanes, std::uint64_t cycles) {
    Table table;
    table.columns = {{"Cause", Align::Left, 16}};
    for (int lane = 0; lane < vta::kLanes; ++lane)
        table.columns.push_back({std::string(vta::module_name(static_cast<vta::Module>(lane))), Align::Right, 18});
    table.columns.push_back({"the module", Align::Left, 0});
    const auto row_of = [&](std::string name, auto&& cycles_of, std::string help) {
        TableRow row;
        row.cells.push_back(text_cell(std::move(name)));
        for (std::size_t lane = 0; lane < lanes.size(); ++lane) {
            const std::uint64_t value = cycles_of(lane);
            const double part = share(real(value), real(cycles));
            row.cells.push_back({value == 0 ? "" : grouped(value) + form("  %5.1f %%", 100 * part), real(value),
                                 static_cast<float>(part)});
        }
        row.cells.push_back(text_cell(std::move(help)));
        return row;
    };
    for (int c = 0; c < vta::kCauses; ++c) {
        const auto index = static_cast<std::size_t>(c);
        if (std::ranges::all_of(lanes, [&](const Causes& lane) { return lane[index] == 0; })) continue;
        const auto cause = static_cast<vta::Cause>(c);
        table.rows.push_back(row_of(
            std::string(vta::cause_name(cause)), [&](std::size_t lane) { return lanes[lane][index]; },
            std::string(vta_cause_help(cause))));
        if (cause == vta::Cause::Idle)
            table.rows.back().tone = Tone::Dim;
        else if (!vta::is_busy(cause))
            table.rows.back().tone = Tone::Bad;
    }
    TableRow sum = row_of(
        "all", [&](std::size_t) { return cycles; }, "every cycle has exactly one cause");
    for (std::size_t i = 1; i <= lanes.size(); ++i) sum.cells[i].bar = -1;
    sum.tone = Tone::Dim;
    table.rows.push_back(std::move(sum));
    table.empty_reason = "The run has no cycles.";
    return table;
}

Table memory_table(const VtaStatistics& s) {
    Table table;
    table.columns = {{"Memory", Align::Left, 12}, {"Bytes", Align::Right, 12},     {"Share", Align::Right, 10},
                     {"Beats", Align::Right, 14}, {"Read port", Align::Right, 10}, {"is", Align::Left, 0}};
    const vta::Work& w = s.summary.work;
    struct Part {
        const char* name;
        std::uint64_t bytes;
        int client;
        const char* help;
    };
    const Part parts[] = {
        {"inp", w.inp_load_bytes, static_cast<int>(vta::ReadClient::Inp), "activations"},
        {"wgt", w.wgt_load_bytes, static_cast<int>(vta::ReadClient::Wgt), "weights"},
        {"acc", w.acc_load_bytes, static_cast<int>(vta::ReadClient::Acc), "biases and operands of the ALU"},
        {"uop", w.uop_load_bytes, static_cast<int>(vta::ReadClient::Uop), "micro-op kernels"},
        {"fetch", w.fetch_bytes, static_cast<int>(vta::ReadClient::Fetch), "instructions"},
        {"out", w.out_store_bytes, -1, "results; writes have a port of their own"}};
    for (const Part& part : parts) {
        TableRow row;
        row.cells = {text_cell(part.name),
                     {bytes_text(part.bytes), real(part.bytes), -1},
                     share_cell(share(real(part.bytes), real(w.dram_bytes())))};
        if (part.client >= 0) {
            const std::uint64_t beats = s.counters.read_beats[static_cast<std::size_t>(part.client)];
            row.cells.push_back(number_cell(beats));
            row.cells.push_back(share_cell(share(real(beats), real(s.summary.cycles))));
        } else {
            row.cells.insert(row.cells.end(), {text_cell(""), text_cell("")});
        }
        row.cells.push_back(text_cell(part.help));
        table.rows.push_back(std::move(row));
    }
    return table;
}

/// Cycles of the compute module that belong to an origin, its waits included.
std::uint64_t compute_cycles(const vta::OriginCounters& origin) {
    std::uint64_t cycles = 0;
    for (const std::uint64_t c : origin.causes[static_cast<std::size_t>(vta::Module::Compute)]) cycles += c;
    return cycles;
}

void add_origins(VtaStatistics& s, const vta::Config& config) {
    Table& table = s.origins;
    table.columns = {
        {"Origin", Align::Left, 20},       {"Compute cycles", Align::Right, 20}, {"GEMM", Align::Right, 10},
        {"Bytes", Align::Right, 11},       {"op/byte", Align::Right, 9},         {"GOPS", Align::Right, 8},
        {"of the roof", Align::Right, 12}, {"Waits", Align::Right, 10},          {"mostly for", Align::Left, 0}};
    table.empty_reason = "The program has no instructions.";
    for (const vta::OriginCounters& origin : s.summary.origins) {
        const Causes& causes = origin.causes[static_cast<std::size_t>(vta::Module::Compute)];
        const std::uint64_t cycles = compute_cycles(origin);
        if (cycles == 0 && origin.work.instructions == 0) continue;
        const double operations = real(origin.work.operations(config));
        const double intensity = share(operations, real(origin.work.dram_bytes()));
        const double gops = share(operations * config.timing.clock_mhz, real(cycles) * 1e3);
        const double roof = std::min(config.peak_gops(), intensity * config.bandwidth_gbytes());
        std::uint64_t waits = 0;
        for (int c = 0; c < vta::kCauses; ++c)
            if (!vta::is_busy(static_cast<vta::Cause>(c))) waits += causes[static_cast<std::size_t>(c)];
        const auto [cause, longest] = largest_wait(causes);
        const double part = share(real(cycles), real(s.summary.cycles));
        TableRow row;
        row.cells = {text_cell(origin.name),
                     {grouped(cycles) + form("  %5.1f %%", 100 * part), real(cycles), static_cast<float>(part)},
                     share_cell(share(real(origin.work.gemm_steps) * config.timing.gemm_interval, real(cycles))),
                     {bytes_text(origin.work.dram_bytes()), real(origin.work.dram_bytes()), -1},
                     {form("%.1f", intensity), intensity, -1},
                     {form("%.1f", gops), gops, -1},
                     share_cell(share(gops, roof)),
                     share_cell(share(real(waits), real(cycles))),
                     text_cell(longest == 0 ? "-" : std::string(vta::cause_name(cause)))};
        table.rows.push_back(std::move(row));
        s.roofline.points.push_back({origin.name, intensity, gops, part, false});
    }
}

Table energy_table(const vta::Summary& summary) {
    Table table;
    table.columns = {{"Energy", Align::Left, 14},
                     {"Estimate", Align::Right, 12},
                     {"Share", Align::Right, 10},
                     {"counts", Align::Left, 0}};
    const vta::Energy& e = summary.energy;
    const std::pair<const char*, double> parts[] = {
        {"DRAM", e.dram}, {"SRAM", e.sram}, {"multiply", e.multiply}, {"ALU", e.alu}};
    const char* const help[] = {"64-bit DRAM accesses at 1300 pJ", "64-bit SRAM accesses at 10 to 100 pJ by size",
                                "8-bit products at 0.2 pJ and 32-bit sums at 0.1 pJ", "32-bit operations at 0.1 pJ"};
    for (std::size_t i = 0; i < std::size(parts); ++i) {
        TableRow row;
        row.cells = {text_cell(parts[i].first),
                     {form("%.3f mJ", parts[i].second * 1e-9), parts[i].second, -1},
                     share_cell(share(parts[i].second, e.total())),
                     text_cell(help[i])};
        row.details = "Energies of one access after M. Horowitz, ISSCC 2014, 45 nm: to compare designs with, not a "
                      "measurement.";
        table.rows.push_back(std::move(row));
    }
    TableRow sum;
    sum.cells = {text_cell("all"),
                 {form("%.3f mJ", e.total() * 1e-9), e.total(), -1},
                 text_cell(""),
                 text_cell("an estimate after Horowitz, ISSCC 2014, 45 nm")};
    sum.tone = Tone::Dim;
    table.rows.push_back(std::move(sum));
    return table;
}

std::string headline_of(const VtaStatistics& s) {
    const vta::Summary& m = s.summary;
    return (s.whole ? "" : "cycles " + grouped(s.begin) + " to " + grouped(s.end) + " · ") + grouped(m.cycles) +
           " cycles · GEMM " + percent(m.gemm_utilization) + form(" · %.1f of %.1f GOPS", m.gops, m.peak_gops);
}

Json json_of(const vta::Work& w) {
    return Json{{"instructions", w.instructions},       {"gemm_steps", w.gemm_steps},
                {"reset_steps", w.reset_steps},         {"alu_steps", w.alu_steps},
                {"uop_load_bytes", w.uop_load_bytes},   {"inp_load_bytes", w.inp_load_bytes},
                {"wgt_load_bytes", w.wgt_load_bytes},   {"acc_load_bytes", w.acc_load_bytes},
                {"out_store_bytes", w.out_store_bytes}, {"fetch_bytes", w.fetch_bytes}};
}

Json json_of(const std::array<Causes, vta::kLanes>& lanes) {
    Json out = Json::object();
    for (int lane = 0; lane < vta::kLanes; ++lane) {
        Json& row = out[std::string(vta::module_name(static_cast<vta::Module>(lane)))] = Json::object();
        for (int c = 0; c < vta::kCauses; ++c)
            if (const std::uint64_t value = lanes[static_cast<std::size_t>(lane)][static_cast<std::size_t>(c)];
                value != 0)
                row[std::string(vta::cause_name(static_cast<vta::Cause>(c)))] = value;
    }
    return out;
}

} // namespace

std::string grouped(std::uint64_t value) {
    std::string digits = std::to_string(value);
    for (std::size_t i = digits.size(); i > 3; i -= 3) digits.insert(i - 3, ",");
    return digits;
}

std::string_view vta_cause_help(vta::Cause cause) {
    using C = vta::Cause;
    switch (cause) {
    case C::Fetch: return "reads instructions and hands them out";
    case C::LoadInp: return "brings activations on chip";
    case C::LoadWgt: return "brings weights on chip";
    case C::LoadUop: return "brings micro-ops on chip; nothing is computed meanwhile";
    case C::LoadAcc: return "brings accumulators on chip; nothing is computed meanwhile";
    case C::Store: return "writes results to DRAM";
    case C::Gemm: return "multiplies: one step an interval";
    case C::Alu: return "adds, shifts, clips: one step an interval";
    case C::Fill: return "issues, fills or drains a pipeline; longer kernels amortize it";
    case C::Sync: return "runs an instruction that only carries tokens";
    case C::Finish: return "ends the program";
    case C::WaitTokenPrev: return "stands at pop_prev: the module before has not given its token";
    case C::WaitTokenNext: return "stands at pop_next: the module behind has not given its token";
    case C::WaitLatency: return "waits for DRAM while the read port is silent; longer transfers hide it";
    case C::WaitPort: return "waits while the read port serves another client";
    case C::WaitQueue: return "finds a command or token queue full";
    case C::WaitFetch: return "waits for its next instruction";
    case C::Idle: return "has no more instructions";
    }
    return "";
}

VtaStatistics build_vta_statistics(const VtaRun& run, std::uint64_t begin, std::uint64_t end) {
    VtaStatistics s;
    s.end = std::min(end, run.total());
    s.begin = std::min(begin, s.end);
    s.whole = s.begin == 0 && s.end == run.total();
    const vta::Config& config = run.program.config;
    vta::RangeCounters& counters = s.counters;
    if (s.whole) {
        s.summary = vta::summarize(run.program, run.cycles);
        counters = {run.cycles.causes, run.cycles.read_beats};
    } else {
        s.summary = vta::summarize_range(run.program, run.cycles, s.begin, s.end);
        for (std::size_t lane = 0; lane < run.lanes.size(); ++lane)
            counters.causes[lane] = run.lanes[lane].within(s.begin, s.end);
        counters.read_beats = run.port.within(s.begin, s.end);
    }
    s.sentence = s.summary.sentence;
    s.headline = headline_of(s);
    s.modules = module_table(counters.causes, s.summary.cycles);
    s.causes = cause_table(counters.causes, s.summary.cycles);
    s.memory = memory_table(s);
    s.energy = energy_table(s.summary);
    s.roofline = {config.peak_gops(), config.bandwidth_gbytes(), config.ridge_ops_per_byte(), {}};
    s.roofline.points.push_back({run.title, s.summary.ops_per_byte, s.summary.gops, 1, true});
    add_origins(s, config);
    return s;
}

Table compare_vta(const VtaStatistics& a, const VtaStatistics& b) {
    Table table;
    table.columns = {{"Figure", Align::Left, 24},
                     {"A", Align::Right, 16},
                     {"B", Align::Right, 16},
                     {"B / A", Align::Right, 10},
                     {"", Align::Left, 0}};
    constexpr const char* kWhole = nullptr;
    const auto add = [&](const char* name, double left, double right, const char* format, const char* help) {
        TableRow row;
        const auto text = [&](double value) {
            if (format == kWhole) return grouped(static_cast<std::uint64_t>(value));
            char buffer[48];
            std::snprintf(buffer, sizeof buffer, format, value);
            return std::string(buffer);
        };
        row.cells = {text_cell(name),
                     {text(left), left, -1},
                     {text(right), right, -1},
                     {left == 0 ? std::string("-") : form("%.3f", right / left), share(right, left), -1},
                     text_cell(help)};
        table.rows.push_back(std::move(row));
    };
    add("cycles", real(a.summary.cycles), real(b.summary.cycles), kWhole, "fewer is better");
    add("time, ms", a.summary.seconds * 1e3, b.summary.seconds * 1e3, "%.3f", "at each one's clock");
    add("GEMM utilization, %", 100 * a.summary.gemm_utilization, 100 * b.summary.gemm_utilization, "%.1f", "");
    add("GOPS", a.summary.gops, b.summary.gops, "%.1f", "achieved");
    add("peak GOPS", a.summary.peak_gops, b.summary.peak_gops, "%.1f", "of the configuration");
    add("DRAM bytes", real(a.summary.work.dram_bytes()), real(b.summary.work.dram_bytes()), kWhole, "read and written");
    add("op / byte", a.summary.ops_per_byte, b.summary.ops_per_byte, "%.1f", "");
    add("instructions", real(a.summary.work.instructions), real(b.summary.work.instructions), kWhole, "");
    add("energy, mJ", a.summary.energy.total() * 1e-9, b.summary.energy.total() * 1e-9, "%.3f", "estimate");
    const char* const busy[] = {"load busy, %", "compute busy, %", "store busy, %", "fetch busy, %"};
    for (std::size_t lane = 0; lane < a.summary.busy.size(); ++lane)
        add(busy[lane], 100 * a.summary.busy[lane], 100 * b.summary.busy[lane], "%.1f", "");
    return table;
}

Table vta_findings(const VtaRun& run, const VtaDetails& details) {
    Table table;
    table.columns = {{"Finding", Align::Left, 22}, {"Instruction", Align::Right, 12}, {"What", Align::Left, 0}};
    table.empty_reason =
        "The functional model finds nothing wrong: every read was written, every access is ordered, and "
        "no token is left.";
    const auto add = [&](std::string kind, std::uint32_t instruction, std::string text) {
        TableRow row;
        row.tone = Tone::Bad;
        row.details = text;
        row.cells = {text_cell(std::move(kind)),
                     instruction == vta::kNoInstruction ? text_cell("") : number_cell(instruction),
                     text_cell(std::move(text))};
        table.rows.push_back(std::move(row));
    };
    for (const vta::Blocked& blocked : run.cycles.blocked) add("deadlock", blocked.instruction, vta::describe(blocked));
    for (const vta::Diagnostic& finding : details.findings)
        add(std::string(vta::diagnostic_name(finding.kind)), finding.instruction, vta::describe(finding));
    if (details.dropped_findings != 0)
        add("more", vta::kNoInstruction, grouped(details.dropped_findings) + " further findings are not listed");
    if (details.data_state == vta::RunState::OutOfSteps)
        add("not finished", vta::kNoInstruction, "the program has too many steps to check; these are of its beginning");
    return table;
}

Table vta_config_table(const vta::Config& config) {
    Table table;
    table.columns = {{"Figure", Align::Left, 22}, {"Value", Align::Left, 26}, {"", Align::Left, 0}};
    const auto add = [&](std::string name, std::string value, std::string help) {
        TableRow row;
        row.cells = {text_cell(std::move(name)), text_cell(std::move(value)), text_cell(std::move(help))};
        table.rows.push_back(std::move(row));
    };
    add("GEMM", form("(%d, %d) x (%d, %d)", config.batch(), config.block(), config.block(), config.block()),
        form("%d multiply-accumulates a step, one step in %d cycle(s)", config.macs_per_step(),
             config.timing.gemm_interval));
    add("clock", form("%d MHz", config.timing.clock_mhz), "");
    add("peak", form("%.1f GOPS", config.peak_gops()), "two operations a multiply-accumulate");
    add("bandwidth", form("%.2f GB/s", config.bandwidth_gbytes()), form("%d bytes a cycle", config.timing.bus_bytes));
    add("ridge", form("%.1f op/byte", config.ridge_ops_per_byte()), "below it memory binds, above it arithmetic can");
    const auto memory = [&](const char* name, int depth, int bytes, const char* help) {
        add(std::string(name) + " memory",
            form("%d x %d B = ", depth, bytes) +
                bytes_text(static_cast<std::uint64_t>(depth) * static_cast<std::uint64_t>(bytes)),
            help);
    };
    memory("inp", config.inp_depth(), config.inp_bytes(), "activation tiles");
    memory("wgt", config.wgt_depth(), config.wgt_bytes(), "weight tiles");
    memory("acc", config.acc_depth(), config.acc_bytes(), "accumulator tiles");
    memory("out", config.acc_depth(), config.out_bytes(), "result tiles, indexed as acc");
    memory("uop", config.uop_depth, 4, "micro-ops");
    add("index bits",
        form("uop %d, inp %d, wgt %d, acc %d", config.uop_index_bits(), config.inp_index_bits(),
             config.wgt_index_bits(), config.acc_index_bits()),
        "widths of the instruction's fields");
    return table;
}

std::string to_text(const VtaStatistics& s) {
    return s.headline + "\n" + s.sentence + "\n\nUTILIZATION\n" + to_text(s.modules) + "\nCAUSES\n" +
           to_text(s.causes) + "\nMEMORY\n" + to_text(s.memory) + "\nORIGINS\n" + to_text(s.origins) + "\nENERGY\n" +
           to_text(s.energy);
}

std::string to_json(const VtaStatistics& s) {
    const vta::Summary& m = s.summary;
    Json origins = Json::array();
    for (const vta::OriginCounters& origin : m.origins)
        origins.push_back(
            Json{{"name", origin.name}, {"work", json_of(origin.work)}, {"causes", json_of(origin.causes)}});
    Json points = Json::array();
    for (const VtaRooflinePoint& p : s.roofline.points)
        points.push_back(Json{{"name", p.name}, {"ops_per_byte", p.ops_per_byte}, {"gops", p.gops}});
    Json busy = Json::object();
    for (std::size_t lane = 0; lane < m.busy.size(); ++lane)
        busy[std::string(vta::module_name(static_cast<vta::Module>(lane)))] = m.busy[lane];
    return dump(Json{
        {"view", "vta statistics"},
        {"begin", s.begin},
        {"end", s.end},
        {"cycles", m.cycles},
        {"seconds", m.seconds},
        {"bound", vta::bound_name(m.bound)},
        {"sentence", s.sentence},
        {"gemm_utilization", m.gemm_utilization},
        {"read_port_utilization", m.read_port_utilization},
        {"busy", std::move(busy)},
        {"gops", m.gops},
        {"peak_gops", m.peak_gops},
        {"ops_per_byte", m.ops_per_byte},
        {"roof_gops", m.roof_gops},
        {"ridge_ops_per_byte", s.roofline.ridge},
        {"bandwidth_gbytes", s.roofline.bandwidth_gbytes},
        {"energy_pj",
         {{"multiply", m.energy.multiply}, {"alu", m.energy.alu}, {"sram", m.energy.sram}, {"dram", m.energy.dram}}},
        {"work", json_of(m.work)},
        {"causes", json_of(s.counters.causes)},
        {"origins", std::move(origins)},
        {"roofline", std::move(points)}});
}

} // namespace orrery::views
