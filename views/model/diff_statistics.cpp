#include "views/model/diff_statistics.hpp"

#include "core/session/statistics.hpp"
#include "core/tensor/node.hpp"
#include "views/model/diff_build.hpp"
#include "views/model/graph_view.hpp"
#include "views/model/memory_view.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <map>

// Outline: figures of a point; the table of two.

namespace orrery::views {
namespace {

enum class Unit : std::uint8_t { Count, Flops, Bytes };

struct Figure {
    std::string name;
    double value = 0;
    Unit unit = Unit::Count;
    bool known = true;
    std::string details;
};
using Figures = std::vector<Figure>;

std::string formatted(const char* format, double value) {
    char text[48];
    std::snprintf(text, sizeof text, format, value);
    return text;
}

std::string value_text(double value, Unit unit) {
    if (unit == Unit::Bytes) return bytes_text(static_cast<std::uint64_t>(std::max(0.0, value)));
    if (unit == Unit::Count && value < 1e6) return formatted("%.0f", value);
    static constexpr std::array<const char*, 5> kUnits = {"", " k", " M", " G", " T"};
    std::size_t at = 0;
    while (value >= 1000 && at + 1 < kUnits.size()) value /= 1000, ++at;
    return formatted(value >= 100 || at == 0 ? "%.0f" : value >= 10 ? "%.1f" : "%.2f", value) + kUnits[at];
}

void graph_figures(Figures& out, const session::Statistics& s) {
    out.push_back({"operators", static_cast<double>(s.total), Unit::Count, true, {}});
    out.push_back({"kernels", static_cast<double>(s.kernels), Unit::Count, true, {}});
    out.push_back({"FLOPs", s.flops, Unit::Flops, true,
                   s.unknown > 0 ? std::to_string(s.unknown) + " operators of symbolic shape are not counted" : ""});
    out.push_back({"memory read", s.bytes_read, Unit::Bytes, true, {}});
    out.push_back({"memory written", s.bytes_written, Unit::Bytes, true, {}});
    out.push_back({"parameters", static_cast<double>(s.weight_elements), Unit::Count, true, {}});
    out.push_back({"parameter bytes", static_cast<double>(s.weight_bytes), Unit::Bytes, true, {}});
    out.push_back({"peak memory", static_cast<double>(s.peak_bytes), Unit::Bytes, true, {}});
    if (s.unknown > 0) out.push_back({"of unknown work", static_cast<double>(s.unknown), Unit::Count, true, {}});
    std::map<OperatorKind, Figure> kinds;
    for (const auto& [op, count] : s.operators) {
        Figure& figure = kinds[operator_kind(op)];
        figure.value += static_cast<double>(count);
        figure.details += (figure.details.empty() ? "" : ", ") + op + " " + std::to_string(count);
    }
    for (auto& [kind, figure] : kinds) {
        figure.name = "· " + std::string(to_string(kind));
        out.push_back(std::move(figure));
    }
}

void tensor_figures(Figures& out, const session::ScheduledFunction& function, const session::Point& point) {
    const auto& programs = function.replay.programs;
    const bool last = point.step < 0 || static_cast<std::size_t>(point.step) + 1 >= programs.size();
    const tensor::Program& program = last ? programs.back() : programs[static_cast<std::size_t>(point.step)];
    const tensor::PrintedProgram earlier = last ? tensor::PrintedProgram{} : tensor::print_program(program);
    const auto& lines = last ? function.printed.lines : earlier.lines;
    const tensor::Cost cost = tensor::cost_of(program);
    std::array<double, 4> loops{};
    double blocks = 0;
    for (const tensor::PrintedLine& line : lines) {
        if (!line.node) continue;
        blocks += line.node->kind == tensor::NodeKind::Block ? 1 : 0;
        if (line.node->kind == tensor::NodeKind::For)
            loops[static_cast<std::size_t>(static_cast<const tensor::For*>(line.node)->loop)] += 1;
    }
    out.push_back({"lines", static_cast<double>(lines.size()), Unit::Count, true, {}});
    out.push_back({"blocks", blocks, Unit::Count, true, {}});
    static constexpr const char* kNames[] = {"· loops, serial", "· loops, parallel", "· loops, vectorized",
                                             "· loops, unrolled"};
    for (std::size_t k = 0; k < 4; ++k) out.push_back({kNames[k], loops[k], Unit::Count, true, {}});
    out.push_back({"FLOPs", cost.flops, Unit::Flops, true, {}});
    out.push_back({"memory read", cost.bytes_read, Unit::Bytes, true, {}});
    out.push_back({"memory written", cost.bytes_written, Unit::Bytes, true, {}});
    out.push_back({"scratch memory", static_cast<double>(cost.alloc_bytes), Unit::Bytes, true, {}});
}

/// The instruction of a line: the mnemonic of assembly, the operation of LLVM IR; empty for other lines.
std::string instruction_of(std::string_view line, session::Level level) {
    if (line.empty() || (line[0] != ' ' && line[0] != '\t')) return {};
    std::size_t at = line.find_first_not_of(" \t");
    if (at == std::string_view::npos || line[at] == ';' || line[at] == '.' || line[at] == '#') return {};
    if (level != session::Level::Assembly)
        if (const std::size_t equals = line.find(" = "); equals != std::string_view::npos) at = equals + 3;
    for (const std::string_view prefix : {"tail ", "musttail ", "notail "})
        if (line.substr(at).starts_with(prefix)) at += prefix.size();
    const std::size_t end = line.find_first_of(" \t", at);
    return std::string(line.substr(at, end == std::string_view::npos ? end : end - at));
}

void code_figures(Figures& out, const Listing& listing, session::Level level) {
    std::map<std::string, double> counts;
    double instructions = 0;
    for (const ListingLine& line : listing.lines)
        if (const std::string name = instruction_of(line.text, level); !name.empty()) ++counts[name], ++instructions;
    out.push_back({"lines", static_cast<double>(listing.lines.size()), Unit::Count, true, {}});
    out.push_back({"instructions", instructions, Unit::Count, true, {}});
    for (const auto& [name, count] : counts) out.push_back({"· " + name, count, Unit::Count, true, {}});
}

Result<Figures> figures_of(const session::Snapshot& snapshot, const session::Point& point, const Progress& progress) {
    Figures out;
    if (const auto step = session::step_of(point, snapshot)) {
        ORRERY_TRY(const session::Statistics statistics, session::statistics_of(step->module, progress));
        graph_figures(out, statistics);
        return out;
    }
    const session::FunctionPtr function = session::function_of(point, snapshot);
    if (!function) return out;
    if (point.level == session::Level::Tensor) {
        tensor_figures(out, *function, point);
    } else if (const auto it = snapshot.code.find(function->lowered.name); it != snapshot.code.end()) {
        const session::FunctionCode& code = *it->second;
        code_figures(out,
                     point.level == session::Level::Ir            ? code.ir
                     : point.level == session::Level::OptimizedIr ? code.optimized_ir
                                                                  : code.assembly,
                     point.level);
    }
    return out;
}

std::string difference_text(double left, double right, Unit unit) {
    if (left == right) return "";
    const double by = right - left;
    std::string text = (by < 0 ? "−" : "+") + value_text(std::abs(by), unit);
    const double percent = left == 0 ? 0 : 100 * by / left;
    if (unit != Unit::Count && std::abs(percent) >= 0.5)
        text += std::string(" (") + (percent < 0 ? "−" : "+") + formatted("%.0f %%)", std::abs(percent));
    return text;
}

/// Figures of both in one order: the left ones, with those that only the right has behind their kin.
std::vector<std::pair<Figure, Figure>> paired(const Figures& left, const Figures& right) {
    std::vector<std::pair<Figure, Figure>> rows;
    for (const Figure& figure : left) {
        const auto it = std::ranges::find(right, figure.name, &Figure::name);
        Figure none = figure;
        none.value = 0, none.details.clear();
        rows.emplace_back(figure, it == right.end() ? none : *it);
    }
    for (const Figure& figure : right)
        if (std::ranges::find(left, figure.name, &Figure::name) == left.end()) {
            Figure none = figure;
            none.value = 0, none.details.clear();
            rows.emplace_back(none, figure);
        }
    return rows;
}

Table table_of(const Figures& left, const Figures& right) {
    Table table;
    table.columns = {{"Figure", Align::Left, 0},
                     {"Before", Align::Right, 8},
                     {"After", Align::Right, 8},
                     {"Difference", Align::Right, 16}};
    table.empty_reason = "There are no figures for these points yet.";
    int order = 0;
    for (const auto& [a, b] : paired(left, right)) {
        TableRow row;
        row.cells = {{a.name, static_cast<double>(order++), -1},
                     {value_text(a.value, a.unit), a.value, -1},
                     {value_text(b.value, b.unit), b.value, -1},
                     {difference_text(a.value, b.value, a.unit), b.value - a.value, -1}};
        row.tone = a.value == b.value ? Tone::Dim : Tone::Normal;
        row.details = a.name + ": " + row.cells[1].text + " → " + row.cells[2].text;
        if (!a.details.empty()) row.details += "\nbefore: " + a.details;
        if (!b.details.empty()) row.details += "\nafter: " + b.details;
        table.rows.push_back(std::move(row));
    }
    return table;
}

/// What the last run of each took; nothing when none was run.
void add_times(Table& table, const std::vector<ComparedStep>& sides) {
    double most = 0;
    for (const ComparedStep& side : sides)
        if (side.snapshot->run) most = std::max(most, side.snapshot->run->milliseconds);
    if (most <= 0) return;
    TableRow row;
    row.cells.push_back({"time of a run", 0, -1});
    for (const ComparedStep& side : sides) {
        const double ms = side.snapshot->run ? side.snapshot->run->milliseconds : -1;
        row.cells.push_back({ms < 0 ? "not run" : formatted(ms < 1 ? "%.3f ms" : "%.2f ms", ms), ms,
                             ms < 0 ? -1 : static_cast<float>(ms / most)});
    }
    table.rows.push_back(std::move(row));
}

} // namespace

Result<Table> compare_statistics(const DiffRequest& request, const Progress& progress) {
    ORRERY_TRY(const Figures left, figures_of(*request.left, request.left_point, progress));
    ORRERY_TRY(const Figures right, figures_of(*request.right, request.right_point, progress));
    return table_of(left, right);
}

Result<Table> compare_figures(const std::vector<ComparedStep>& sides, const Progress& progress) {
    std::vector<Figures> columns;
    Figures all; // every figure that any of them has, in order
    Table table;
    table.columns = {{"Figure", Align::Left, 0}};
    for (const ComparedStep& side : sides) {
        const session::Point point{session::Level::Graph, side.step, {}};
        ORRERY_TRY(columns.emplace_back(), figures_of(*side.snapshot, point, progress));
        for (const Figure& figure : columns.back())
            if (std::ranges::find(all, figure.name, &Figure::name) == all.end()) all.push_back(figure);
        table.columns.push_back({side.title.empty() ? side.snapshot->title : side.title, Align::Right, 18});
    }
    table.empty_reason = "There is nothing to compare.";
    add_times(table, sides);
    for (const Figure& figure : all) {
        TableRow row;
        row.cells.push_back({figure.name, static_cast<double>(table.rows.size() + 1), -1});
        double most = 0;
        for (const Figures& column : columns) {
            const auto it = std::ranges::find(column, figure.name, &Figure::name);
            const double value = it == column.end() ? 0 : it->value;
            most = std::max(most, value);
            row.cells.push_back({value_text(value, figure.unit), value, -1});
        }
        for (std::size_t c = 1; c < row.cells.size() && most > 0; ++c)
            row.cells[c].bar = static_cast<float>(row.cells[c].sort_key / most);
        table.rows.push_back(std::move(row));
    }
    return table;
}

Table build_statistics(const session::Snapshot& snapshot, const session::Point& point) {
    const Result<Figures> figures = figures_of(snapshot, point, {});
    Table table;
    table.columns = {{"Figure", Align::Left, 0}, {"Value", Align::Right, 12}, {"Of these", Align::Left, 40}};
    table.empty_reason = "There are no figures for this point yet.";
    if (!figures) return table;
    for (const Figure& f : *figures) {
        TableRow row;
        row.cells = {{f.name, 0, -1}, {value_text(f.value, f.unit), f.value, -1}, {f.details, 0, -1}};
        table.rows.push_back(std::move(row));
    }
    return table;
}

} // namespace orrery::views
