#include "views/model/vta_step.hpp"

#include "views/model/json.hpp"
#include "views/model/vta_instructions.hpp"
#include "views/model/vta_statistics.hpp"
#include "vta-sim/assembler.hpp"
#include "vta-sim/index_walk.hpp"

#include <algorithm>
#include <charconv>

namespace orrery::views {
namespace {

constexpr std::string_view kMemories[] = {"uop", "inp", "wgt", "acc", "out"};

std::size_t depth_of(const vta::Config& config, vta::Strip memory) {
    switch (memory) {
    case vta::Strip::Uop: return static_cast<std::size_t>(config.uop_depth);
    case vta::Strip::Inp: return static_cast<std::size_t>(config.inp_depth());
    case vta::Strip::Wgt: return static_cast<std::size_t>(config.wgt_depth());
    case vta::Strip::Acc:
    case vta::Strip::Out: return static_cast<std::size_t>(config.acc_depth());
    }
    return 0;
}

std::optional<vta::Strip> strip_of(vta::MemoryId memory) {
    switch (memory) {
    case vta::MemoryId::Uop: return vta::Strip::Uop;
    case vta::MemoryId::Inp: return vta::Strip::Inp;
    case vta::MemoryId::Wgt: return vta::Strip::Wgt;
    case vta::MemoryId::Acc:
    case vta::MemoryId::Acc8: return vta::Strip::Acc;
    case vta::MemoryId::Out: return vta::Strip::Out;
    }
    return {};
}

std::vector<std::vector<std::int32_t>> rows_of(const auto& flat, int rows) {
    std::vector<std::vector<std::int32_t>> out;
    const std::size_t width = flat.size() / static_cast<std::size_t>(std::max(1, rows));
    for (std::size_t i = 0; i + width <= flat.size() && width > 0; i += width)
        out.emplace_back(flat.begin() + static_cast<std::ptrdiff_t>(i),
                         flat.begin() + static_cast<std::ptrdiff_t>(i + width));
    return out;
}

std::vector<std::vector<std::int32_t>> tile_values(const vta::Machine& machine, const VtaTile& tile) {
    const vta::Config& config = machine.config();
    const int i = static_cast<int>(tile.index);
    if (tile.index >= depth_of(config, tile.memory)) return {};
    switch (tile.memory) {
    case vta::Strip::Uop: {
        const vta::Uop uop = machine.uop(i);
        return {{uop.dst, uop.src, uop.wgt}};
    }
    case vta::Strip::Inp: return rows_of(machine.inp_tile(i), config.batch());
    case vta::Strip::Wgt: return rows_of(machine.wgt_tile(i), config.block());
    case vta::Strip::Acc: return rows_of(machine.acc_tile(i), config.batch());
    case vta::Strip::Out: return rows_of(machine.out_tile(i), config.batch());
    }
    return {};
}

bool any(const auto& values) {
    return std::ranges::any_of(values, [](auto v) { return v != 0; });
}

VtaMemoryGrid grid_of(const vta::Machine& machine, vta::Strip memory) {
    VtaMemoryGrid grid;
    grid.memory = memory;
    const std::size_t depth = depth_of(machine.config(), memory);
    grid.filled.resize(depth);
    const vta::Machine::Chip chip = memory == vta::Strip::Wgt ? machine.chip() : vta::Machine::Chip{};
    const std::size_t weights = depth == 0 ? 0 : chip.wgt.size() / depth;
    for (std::size_t i = 0; i < depth; ++i) {
        const int tile = static_cast<int>(i);
        bool filled = false;
        switch (memory) {
        case vta::Strip::Uop: filled = !(machine.uop(tile) == vta::Uop{}); break;
        case vta::Strip::Inp: filled = any(machine.inp_tile(tile)); break;
        case vta::Strip::Wgt: filled = any(std::span(chip.wgt).subspan(i * weights, weights)); break;
        case vta::Strip::Acc: filled = any(machine.acc_tile(tile)); break;
        case vta::Strip::Out: filled = any(machine.out_tile(tile)); break;
        }
        grid.filled[i] = filled ? 1 : 0;
        grid.in_use += filled ? 1 : 0;
    }
    return grid;
}

std::string waits_for(const vta::FunctionalModel& model, vta::Module module, const vta::Instruction& in) {
    std::string text;
    const auto need = [&](bool set, std::optional<vta::TokenQueue> queue) {
        if (set && queue && model.tokens(*queue) == 0)
            text += (text.empty() ? "a token in " : " and ") + std::string(vta::queue_name(*queue));
    };
    need(in.pop_prev, vta::pop_queue(module, false));
    need(in.pop_next, vta::pop_queue(module, true));
    return text;
}

void add_tables(VtaStepView& view, const vta::Program& program, const vta::FunctionalModel& model) {
    view.queues.columns = {{"Module", Align::Left, 9},
                           {"Next", Align::Right, 8},
                           {"Waits for", Align::Left, 26},
                           {"Instruction", Align::Left, 0}};
    view.tokens_table.columns = {{"Queue", Align::Left, 18}, {"Tokens", Align::Right, 8}, {"means", Align::Left, 0}};
    for (int m = 0; m < vta::kExecModules; ++m) {
        const auto module = static_cast<vta::Module>(m);
        const std::uint32_t next = model.next_of(module);
        view.next[static_cast<std::size_t>(m)] = next;
        TableRow row;
        if (next == vta::kNoInstruction) {
            row.tone = Tone::Dim;
            row.cells = {{std::string(vta::module_name(module)), 0, -1}, {"-", 0, -1}, {"", 0, -1}, {"no more", 0, -1}};
        } else {
            const vta::Instruction& in = program.instructions[next];
            const std::string waits = waits_for(model, module, in);
            row.tone = waits.empty() ? Tone::Normal : Tone::Warning;
            row.cells = {{std::string(vta::module_name(module)), 0, -1},
                         {std::to_string(next), 0, -1},
                         {waits.empty() ? "nothing: it can run" : waits, 0, -1},
                         {vta::disassemble(in), 0, -1}};
        }
        view.queues.rows.push_back(std::move(row));
    }
    constexpr const char* kMeanings[] = {"data are there", "a buffer of load is free", "a result is there",
                                         "an output is free"};
    for (int q = 0; q < vta::kTokenQueues; ++q) {
        const auto queue = static_cast<vta::TokenQueue>(q);
        const std::uint32_t count = model.tokens(queue);
        view.tokens[static_cast<std::size_t>(q)] = count;
        TableRow row;
        row.cells = {{std::string(vta::queue_name(queue)), 0, -1},
                     {std::to_string(count), static_cast<double>(count), -1},
                     {kMeanings[q], 0, -1}};
        view.tokens_table.rows.push_back(std::move(row));
    }
}

std::optional<std::uint64_t> number_in(std::string_view text) {
    while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size()) return {};
    return value;
}

} // namespace

std::string to_string(const VtaTile& tile) {
    return std::string(kMemories[static_cast<std::size_t>(tile.memory)]) + "[" + std::to_string(tile.index) + "]";
}

std::optional<VtaTile> vta_tile_named(const vta::Config& config, std::string_view text) {
    const std::size_t open = text.find_first_of("[:");
    if (open == std::string_view::npos) return {};
    std::string_view number = text.substr(open + 1);
    if (text[open] == '[') {
        if (number.empty() || number.back() != ']') return {};
        number.remove_suffix(1);
    }
    const auto index = number_in(number);
    for (std::size_t m = 0; m < std::size(kMemories); ++m) {
        const auto memory = static_cast<vta::Strip>(m);
        if (text.substr(0, open) == kMemories[m] && index && *index < depth_of(config, memory))
            return VtaTile{memory, static_cast<std::uint32_t>(*index)};
    }
    return {};
}

std::string to_string(const VtaBreakpoint& b) {
    switch (b.stop) {
    case VtaStop::Instruction: return "instruction " + std::to_string(b.instruction);
    case VtaStop::Tile: return to_string(b.tile);
    case VtaStop::Stall: return "stall " + std::to_string(b.cycles);
    }
    return {};
}

vta::Result<VtaBreakpoint> vta_breakpoint_named(const vta::Config& config, std::string_view text) {
    VtaBreakpoint b;
    if (const auto tile = vta_tile_named(config, text)) {
        b.stop = VtaStop::Tile, b.tile = *tile;
        return b;
    }
    if (text.starts_with("stall")) {
        b.stop = VtaStop::Stall;
        if (text == "stall") return b;
        if (const auto cycles = number_in(text.substr(5))) return b.cycles = *cycles, b;
    }
    std::string_view number = text;
    if (number.starts_with("instruction")) number.remove_prefix(11);
    if (const auto index = number_in(number); index && *index < vta::kNoInstruction) {
        b.instruction = static_cast<std::uint32_t>(*index);
        return b;
    }
    return vta::Error{vta::ErrorCode::BadSyntax,
                      "write an instruction's number, a tile such as acc[3], or stall and a number of cycles",
                      std::string(text)};
}

std::vector<VtaTouch> vta_touches(const vta::Program& program, const vta::Machine& machine, std::uint32_t instruction,
                                  vta::Strip memory) {
    const vta::Instruction& in = program.instructions[instruction];
    std::vector<VtaTouch> touches(depth_of(program.config, memory));
    if (vta::static_fault(program.config, program.dram.size(), in) != vta::Fault::None) return touches;
    const auto mark = [&](VtaTouch touch) {
        return [&touches, touch](std::size_t e) {
            if (e < touches.size()) touches[e] = std::max(touches[e], touch);
            return true;
        };
    };
    if (in.opcode == vta::Opcode::Load || in.opcode == vta::Opcode::Store) {
        const bool store = in.opcode == vta::Opcode::Store;
        if (strip_of(in.memory) != memory) return touches;
        const std::uint64_t end = std::min<std::uint64_t>(touches.size(), in.sram_base + vta::sram_elements(in));
        for (std::uint64_t e = in.sram_base; e < end; ++e) touches[e] = store ? VtaTouch::Read : VtaTouch::Written;
        return touches;
    }
    if (vta::step_count(in) == 0 || machine.index_fault(in) != vta::Fault::None) return touches;
    const bool gemm = in.opcode == vta::Opcode::Gemm, multiplies = gemm && !in.reset;
    const auto walk = [&](const vta::IndexStream& stream, VtaTouch touch) {
        vta::walk_indices(in, machine.uops(), stream, mark(touch));
    };
    switch (memory) {
    case vta::Strip::Uop:
        for (std::size_t k = in.uop_begin; k < in.uop_end && k < touches.size(); ++k) touches[k] = VtaTouch::Read;
        break;
    case vta::Strip::Inp:
        if (multiplies) walk(vta::src_stream(in), VtaTouch::Read);
        break;
    case vta::Strip::Wgt:
        if (multiplies) walk(vta::wgt_stream(in), VtaTouch::Read);
        break;
    case vta::Strip::Acc:
        if (!gemm && !in.use_imm) walk(vta::src_stream(in), VtaTouch::Read);
        walk(vta::dst_stream(in), VtaTouch::Written);
        break;
    case vta::Strip::Out: walk(vta::dst_stream(in), VtaTouch::Written); break;
    }
    return touches;
}

VtaStepper::VtaStepper(std::shared_ptr<const VtaRun> run) : run_(std::move(run)), replay_(run_->program) {}

bool VtaStepper::forward() {
    const std::uint64_t before = replay_.position();
    at_end_ = replay_.seek(before + 1) == before;
    return !at_end_;
}

void VtaStepper::seek(std::uint64_t position, const vta::Watch& watch) {
    stopped_.clear();
    at_end_ = replay_.seek(position, watch) < position && !watch.stopped();
    if (at_end_)
        stopped_ = replay_.model().state() == vta::RunState::Deadlocked ? "deadlock: nothing can run" : "the end";
}

std::string VtaStepper::held(const std::vector<VtaBreakpoint>& breakpoints) const {
    const std::uint32_t done = last();
    if (done == vta::kNoInstruction) return {};
    const auto module = vta::module_of(run_->program.instructions[done]);
    for (const VtaBreakpoint& b : breakpoints) {
        if (b.stop == VtaStop::Instruction && replay_.model().next_of(module) == b.instruction)
            return "instruction " + std::to_string(b.instruction) + " is next in " +
                   std::string(vta::module_name(module));
        if (b.stop == VtaStop::Stall && vta_wait_before(*run_, done) >= std::max<std::uint64_t>(1, b.cycles))
            return "instruction " + std::to_string(done) + " waited " + grouped(vta_wait_before(*run_, done)) +
                   " cycles";
        if (b.stop != VtaStop::Tile) continue;
        const auto touches = vta_touches(run_->program, replay_.machine(), done, b.tile.memory);
        if (b.tile.index < touches.size() && touches[b.tile.index] != VtaTouch::None)
            return "instruction " + std::to_string(done) +
                   (touches[b.tile.index] == VtaTouch::Read ? " read " : " wrote ") + to_string(b.tile);
    }
    return {};
}

std::string VtaStepper::run_to_break(const std::vector<VtaBreakpoint>& breakpoints, int direction,
                                     const vta::Watch& watch) {
    stopped_.clear();
    vta::Pace pace(watch, 64);
    if (direction > 0) {
        while (stopped_.empty() && !pace.stopped(replay_.position(), run_->size()) && forward())
            stopped_ = held(breakpoints);
        if (at_end_) seek(replay_.position() + 1);
        return stopped_;
    }
    const std::uint64_t from = replay_.position();
    std::uint64_t found = 0;
    std::string reason = "the beginning";
    seek(0);
    while (replay_.position() + 1 < from && !pace.stopped(replay_.position(), from) && forward()) {
        std::string now = held(breakpoints);
        if (!now.empty()) found = replay_.position(), reason = std::move(now);
    }
    seek(found, watch);
    return stopped_ = reason;
}

VtaStepView VtaStepper::view(const VtaTile& tile) {
    VtaStepView view;
    view.position = replay_.position();
    view.count = run_->size();
    view.last = last();
    view.at_end = at_end_;
    view.stopped = stopped_;
    view.tile = tile;
    view.values = tile_values(replay_.machine(), tile);
    for (std::size_t m = 0; m < view.grids.size(); ++m) {
        view.grids[m] = grid_of(replay_.machine(), static_cast<vta::Strip>(m));
        if (view.last != vta::kNoInstruction)
            view.grids[m].touched =
                vta_touches(run_->program, replay_.machine(), view.last, static_cast<vta::Strip>(m));
    }
    add_tables(view, run_->program, replay_.model());
    view.headline = grouped(view.position) + " of " + grouped(view.count) + " done";
    if (view.last != vta::kNoInstruction)
        view.headline +=
            " · last: #" + std::to_string(view.last) + " " + vta::disassemble(run_->program.instructions[view.last]);
    if (!view.stopped.empty()) view.headline += " · stopped: " + view.stopped;
    return view;
}

std::string to_text(const VtaStepView& view) {
    std::string out = view.headline + "\n" + to_text(view.queues) + to_text(view.tokens_table);
    for (const VtaMemoryGrid& grid : view.grids) {
        const auto count = [&](VtaTouch touch) { return std::ranges::count(grid.touched, touch); };
        out += std::string(kMemories[static_cast<std::size_t>(grid.memory)]) + ": " + grouped(grid.in_use) + " of " +
               grouped(grid.filled.size()) + " tiles hold values";
        if (view.last != vta::kNoInstruction)
            out += "; the last instruction read " + std::to_string(count(VtaTouch::Read)) + " and wrote " +
                   std::to_string(count(VtaTouch::Written));
        out += "\n";
    }
    out += to_string(view.tile) + "\n";
    for (const auto& row : view.values) {
        for (const std::int32_t value : row) out += " " + std::to_string(value);
        out += "\n";
    }
    return out;
}

std::string to_json(const VtaStepView& view) {
    Json tokens = Json::object(), next = Json::object(), memories = Json::object();
    for (int q = 0; q < vta::kTokenQueues; ++q)
        tokens[std::string(vta::queue_name(static_cast<vta::TokenQueue>(q)))] =
            view.tokens[static_cast<std::size_t>(q)];
    for (int m = 0; m < vta::kExecModules; ++m) {
        const std::uint32_t index = view.next[static_cast<std::size_t>(m)];
        next[std::string(vta::module_name(static_cast<vta::Module>(m)))] =
            index == vta::kNoInstruction ? Json(nullptr) : Json(index);
    }
    for (const VtaMemoryGrid& grid : view.grids)
        memories[std::string(kMemories[static_cast<std::size_t>(grid.memory)])] =
            Json{{"tiles", grid.filled.size()},
                 {"filled", grid.in_use},
                 {"read", std::ranges::count(grid.touched, VtaTouch::Read)},
                 {"written", std::ranges::count(grid.touched, VtaTouch::Written)}};
    return dump(Json{{"view", "vta step"},
                     {"position", view.position},
                     {"count", view.count},
                     {"last", view.last == vta::kNoInstruction ? Json(nullptr) : Json(view.last)},
                     {"stopped", view.stopped},
                     {"next", std::move(next)},
                     {"tokens", std::move(tokens)},
                     {"memories", std::move(memories)},
                     {"tile", to_string(view.tile)},
                     {"values", view.values}});
}

} // namespace orrery::views
