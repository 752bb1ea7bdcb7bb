#include "views/model/machine_view.hpp"

#include "core/session/prediction.hpp"
#include "views/model/instruction_help.hpp"
#include "views/model/json.hpp"
#include "views/model/session_views.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace orrery::views {

namespace {

std::string number(double value, int digits = 1) {
    char text[64];
    if (value >= 1e6)
        std::snprintf(text, sizeof text, "%.2f M", value / 1e6);
    else
        std::snprintf(text, sizeof text, "%.*f", value == std::floor(value) ? 0 : digits, value);
    return text;
}

TableCell cell(double value, int digits = 1) { return {number(value, digits), value, -1}; }

std::string port_list(const LoopCost& loop) {
    std::string out;
    for (const PortUse& port : loop.ports) out += (out.empty() ? "" : ", ") + port.name + " " + number(port.cycles, 2);
    return out;
}

/// Which loops of the tensor program the lines are of: the names of blocks and loops there.
OriginSet origins_of(const session::ScheduledFunction& function, const session::PredictedLoop& loop) {
    OriginSet out;
    for (int line = std::max(1, loop.tensor_first); line <= loop.tensor_last; ++line)
        out = unite(out, function.printed.lines[static_cast<std::size_t>(line) - 1].origin);
    return out;
}

TableRow loop_row(const session::ScheduledFunction& function, const FunctionCode& code,
                  const session::PredictedLoop& predicted, bool hot) {
    const LoopCost& loop = code.cost.loops[predicted.loop];
    TableRow row;
    const std::string lines = std::to_string(loop.first + 1) + "–" + std::to_string(loop.last + 1);
    row.cells = {{lines, static_cast<double>(loop.first), -1},
                 {predicted.tensor_first > 0
                      ? std::to_string(predicted.tensor_first) + "–" + std::to_string(predicted.tensor_last)
                      : "not linked",
                  static_cast<double>(predicted.tensor_first), -1},
                 {number(100 * predicted.share) + " %", predicted.share, static_cast<float>(predicted.share)},
                 cell(predicted.iterations, 0),
                 cell(loop.cycles),
                 cell(loop.latency),
                 cell(loop.instructions),
                 cell(loop.micro_ops),
                 cell(loop.vector_bits),
                 cell(loop.registers),
                 cell(loop.stack),
                 {describe(loop, code.cost), static_cast<double>(loop.bound), -1}};
    row.origins = origins_of(function, predicted);
    for (int line = std::max(1, predicted.tensor_first); line <= predicted.tensor_last; ++line)
        row.tensor_lines.push_back(line);
    row.tone = hot ? Tone::Good : loop.stack > 0 ? Tone::Warning : Tone::Normal;
    row.details = describe(loop, code.cost) + "\nbusy cycles an iteration: " + port_list(loop);
    if (loop.stack > 0)
        row.details += "\n" + std::to_string(loop.stack) +
                       " instructions read or write the stack: values did not fit " + "into registers";
    return row;
}

Table loop_table(const session::ScheduledFunction& function, const FunctionCode& code,
                 const session::Prediction& prediction) {
    Table table;
    table.function = function.lowered.name;
    table.columns = {{"Assembly", Align::Left, 10}, {"Tensor", Align::Left, 8},  {"Share", Align::Right, 8},
                     {"Runs", Align::Right, 10},    {"Cycles", Align::Right, 8}, {"Latency", Align::Right, 8},
                     {"Instr.", Align::Right, 7},   {"µops", Align::Right, 6},   {"Bits", Align::Right, 5},
                     {"Regs", Align::Right, 5},     {"Stack", Align::Right, 6},  {"Bound", Align::Left, 0}};
    for (std::size_t i = 0; i < prediction.loops.size(); ++i)
        table.rows.push_back(
            loop_row(function, code, prediction.loops[i], static_cast<std::ptrdiff_t>(i) == prediction.hot));
    table.empty_reason = "This kernel has no loop in its machine code: everything is written out.";
    return table;
}

Table port_table(const FunctionCode& code, const session::Prediction& prediction) {
    Table table;
    table.columns = {{"Port", Align::Left, 0}, {"Busy", Align::Right, 8}, {"Share", Align::Right, 8}};
    table.empty_reason = "No loop, no ports.";
    if (prediction.hot < 0) return table;
    const LoopCost& loop = code.cost.loops[prediction.loops[static_cast<std::size_t>(prediction.hot)].loop];
    for (const PortUse& port : loop.ports) {
        const double share = loop.cycles > 0 ? port.cycles / loop.cycles : 0;
        table.rows.push_back({{{port.name, 0, -1},
                               cell(port.cycles, 2),
                               {number(100 * share) + " %", share, static_cast<float>(std::min(1.0, share))}},
                              {},
                              Tone::Normal,
                              {}});
    }
    return table;
}

} // namespace

MachineViewData build_machine(const session::Snapshot& snapshot, const ViewOptions& options) {
    MachineViewData data;
    const auto nothing = [&data](const std::string& why) {
        data.empty_reason = data.loops.empty_reason = why;
        return data;
    };
    const session::FunctionPtr function = shown_function(snapshot, options.function);
    if (const std::string why = why_no_kernels(snapshot); !function && !why.empty()) return nothing(why);
    if (!function) return nothing("Open a model: what bounds the machine code of the selected kernel appears here.");
    data.subject = function->lowered.name;
    const auto found = snapshot.code.find(data.subject);
    if (found == snapshot.code.end()) return nothing("Generating the code of " + data.subject + ".");
    const FunctionCode& code = *found->second;
    if (!code.cost.unknown.empty()) return nothing(code.cost.unknown + ".");
    const session::Prediction prediction = session::predict(*function, code);
    data.loops = loop_table(*function, code, prediction);
    data.ports = port_table(code, prediction);
    data.summary = code.cost.cpu + " · " + std::to_string(code.cost.dispatch_width) + " micro-ops a cycle";
    if (prediction.hot < 0) return data;
    const session::PredictedLoop& hot = prediction.loops[static_cast<std::size_t>(prediction.hot)];
    const LoopCost& loop = code.cost.loops[hot.loop];
    data.summary += " · hot loop: lines " + std::to_string(loop.first + 1) + " to " + std::to_string(loop.last + 1) +
                    ", " + number(100 * hot.share) + " % of " + number(prediction.cycles) + " cycles, " +
                    describe(loop, code.cost);
    return data;
}

std::vector<std::string> instruction_details(const FunctionCode& code) {
    std::vector<std::string> out;
    for (std::size_t i = 0; i < code.assembly.lines.size(); ++i) {
        const std::string_view mnemonic = mnemonic_of(code.assembly.lines[i].text);
        std::string text;
        if (!mnemonic.empty()) {
            const std::string help = instruction_help(mnemonic);
            text = std::string(mnemonic) + (help.empty() ? "" : ": " + help);
        }
        if (i < code.cost.instructions.size() && !mnemonic.empty()) {
            const InstructionCost& cost = code.cost.instructions[i];
            text += "\nlatency " + std::to_string(cost.latency) + ", one every " + number(cost.throughput, 2) +
                    (cost.throughput == 1 ? " cycle, " : " cycles, ") + std::to_string(cost.micro_ops) +
                    (cost.micro_ops == 1 ? " micro-op" : " micro-ops");
            if (cost.stack)
                text += cost.stores ? " · writes the stack: a spill" : " · reads the stack: a spilled value";
            else if (cost.loads || cost.stores)
                text += cost.loads && cost.stores ? " · reads and writes memory"
                        : cost.loads              ? " · reads memory"
                                                  : " · writes memory";
        }
        out.push_back(std::move(text));
    }
    return out;
}

std::string to_text(const MachineViewData& data) {
    if (!data.empty_reason.empty()) return data.empty_reason + "\n";
    return data.subject + "\n" + data.summary + "\n\n" + to_text(data.loops) + "\n" + to_text(data.ports);
}

std::string to_json(const MachineViewData& data) {
    return dump(Json{{"view", "machine"},
                     {"function", data.subject},
                     {"summary", data.summary},
                     {"loops", json_of(data.loops)},
                     {"ports", json_of(data.ports)},
                     {"empty_reason", data.empty_reason}});
}

} // namespace orrery::views
