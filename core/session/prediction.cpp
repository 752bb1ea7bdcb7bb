#include "core/session/prediction.hpp"

#include "core/tensor/build.hpp"
#include "core/tensor/stmt.hpp"

#include <algorithm>

namespace orrery::session {

namespace {

/// How often each printed line's code runs as machine instructions: lanes of a vector are one instruction, copies of
/// an unrolled loop stand one after another.
std::vector<double> executions(const tensor::PrintedProgram& printed) {
    struct Around {
        int depth = 0;
        double times = 1;
    };
    std::vector<Around> around{{-1, 1}};
    std::vector<double> out;
    for (const tensor::PrintedLine& line : printed.lines) {
        while (around.back().depth >= line.depth) around.pop_back();
        out.push_back(around.back().times);
        if (!line.node || line.node->kind != tensor::NodeKind::For) continue;
        const auto& loop = static_cast<const tensor::For&>(*line.node);
        const bool repeats = loop.loop == tensor::LoopKind::Serial || loop.loop == tensor::LoopKind::Parallel;
        const auto extent = tensor::as_int(loop.extent);
        around.push_back({line.depth, around.back().times * (repeats && extent ? static_cast<double>(*extent) : 1)});
    }
    return out;
}

} // namespace

Prediction predict(const ScheduledFunction& function, const FunctionCode& code) {
    Prediction out;
    const std::vector<double> times = executions(function.printed);
    for (std::size_t i = 0; i < code.cost.loops.size(); ++i) {
        const LoopCost& loop = code.cost.loops[i];
        if (loop.bound == LoopBound::Unknown) continue;
        PredictedLoop row;
        row.loop = i;
        for (std::size_t at = loop.first; at <= loop.last; ++at) {
            const int line = code.assembly.lines[at].tensor_line;
            if (line <= 0 || static_cast<std::size_t>(line) > times.size()) continue;
            row.tensor_first = row.tensor_first == 0 ? line : std::min(row.tensor_first, line);
            row.tensor_last = std::max(row.tensor_last, line);
            row.iterations = std::max(row.iterations, times[static_cast<std::size_t>(line) - 1]);
        }
        row.cycles = row.iterations * loop.cycles;
        out.cycles += row.cycles;
        out.loops.push_back(row);
    }
    for (std::size_t i = 0; i < out.loops.size(); ++i) {
        if (out.cycles > 0) out.loops[i].share = out.loops[i].cycles / out.cycles;
        if (out.hot < 0 || out.loops[i].cycles > out.loops[static_cast<std::size_t>(out.hot)].cycles)
            out.hot = static_cast<std::ptrdiff_t>(i);
    }
    return out;
}

} // namespace orrery::session
