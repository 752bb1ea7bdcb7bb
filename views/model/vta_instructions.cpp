#include "views/model/vta_instructions.hpp"

#include "views/model/memory_view.hpp"
#include "views/model/vta_statistics.hpp"
#include "vta-sim/assembler.hpp"

#include <algorithm>

namespace orrery::views {
namespace {

std::string bits_text(const vta::FieldLayout& layout) {
    return layout.width == 1 ? std::to_string(layout.offset)
                             : std::to_string(layout.offset) + "-" + std::to_string(layout.offset + layout.width - 1);
}

std::string value_text(const vta::Instruction& in, vta::Field field) {
    using F = vta::Field;
    const std::int64_t value = vta::field_value(in, field);
    switch (field) {
    case F::Opcode: return std::to_string(value) + "  " + std::string(vta::opcode_name(in.opcode));
    case F::Memory: return std::to_string(value) + "  " + std::string(vta::memory_name(in.memory));
    case F::AluOp: return std::to_string(value) + "  " + std::string(vta::alu_name(in.alu_op));
    default: return std::to_string(value);
    }
}

/// "pops load->compute, pushes compute->store"
std::string tokens_text(const vta::Instruction& in) {
    const vta::Module module = vta::module_of(in);
    std::string text;
    const auto add = [&](bool set, const char* verb, std::optional<vta::TokenQueue> queue) {
        if (!set) return;
        text += (text.empty() ? "" : ", ") + std::string(verb) + " " +
                (queue ? std::string(vta::queue_name(*queue)) : std::string("a queue that is not there"));
    };
    add(in.pop_prev, "pops", vta::pop_queue(module, false));
    add(in.pop_next, "pops", vta::pop_queue(module, true));
    add(in.push_prev, "pushes", vta::push_queue(module, false));
    add(in.push_next, "pushes", vta::push_queue(module, true));
    return text.empty() ? "none" : text;
}

std::string work_text(const VtaRun& run, const vta::Instruction& in) {
    if (in.opcode == vta::Opcode::Finish) return "ends the program";
    if (vta::is_sync(in)) return "moves nothing: carries tokens";
    if (in.opcode == vta::Opcode::Gemm || in.opcode == vta::Opcode::Alu)
        return grouped(vta::step_count(in)) + " steps: " + std::to_string(in.iter_out) + " x " +
               std::to_string(in.iter_in) + " turns of " + std::to_string(std::max(0, in.uop_end - in.uop_begin)) +
               " micro-ops";
    const std::uint64_t bytes =
        vta::dram_elements(in) * static_cast<std::uint64_t>(vta::dram_element_bytes(run.program.config, in.memory));
    std::string text = bytes_text(bytes) + ", " + std::to_string(in.y_size) + " rows of " + std::to_string(in.x_size);
    const std::uint64_t zeros = vta::sram_elements(in) - vta::dram_elements(in);
    if (zeros != 0) text += ", and " + grouped(zeros) + " tiles of zeros";
    return text;
}

struct WordHelp {
    std::string_view word;
    std::string_view help;
};
constexpr WordHelp kWords[] = {
    {"load.inp", "LOAD of activations into inp memory, by the load module"},
    {"load.wgt", "LOAD of weights into wgt memory, by the load module"},
    {"load.acc", "LOAD of accumulators, by the compute module: nothing is computed meanwhile"},
    {"load.acc8", "LOAD of 8-bit values widened to accumulators, by the compute module"},
    {"load.uop", "LOAD of micro-ops, by the compute module: nothing is computed meanwhile"},
    {"store", "STORE of results from out memory; keeps the low bits, without saturation"},
    {"gemm", "GEMM: acc[dst] += inp[src] x wgt[wgt] for every micro-op in two loops"},
    {"gemm.reset", "GEMM that sets acc[dst] to zero and reads nothing"},
    {"reset", "the reset bit, which an ALU instruction ignores"},
    {"unused_imm", "an immediate that is encoded and not used"},
    {"alu.min", "ALU: the smaller of the two operands, lane by lane"},
    {"alu.max", "ALU: the larger of the two operands, lane by lane"},
    {"alu.add", "ALU: the sum of the two operands, lane by lane"},
    {"alu.shr", "ALU: arithmetic shift right, lane by lane"},
    {"alu.mul", "ALU: low 32 bits of the product, lane by lane"},
    {"finish", "FINISH: ends the program"},
    {"sram", "sram_base: first element of the on-chip memory"},
    {"dram", "dram_base: first element in DRAM; the byte address is this times the element size"},
    {"size", "y_size x x_size: rows, and elements of a row"},
    {"stride", "x_stride: elements between the starts of two rows in DRAM"},
    {"pad_y", "y_pad_0, y_pad_1: rows of zeros above and below"},
    {"pad_x", "x_pad_0, x_pad_1: zeros left and right of each row"},
    {"uops", "uop_begin : uop_end, exclusive: the micro-ops of the innermost loop"},
    {"iter", "iter_out x iter_in: turns of the two loops around the micro-ops"},
    {"dst", "dst_out, dst_in: what a turn of the outer and inner loop adds to the accumulator index"},
    {"src", "src_out, src_in: what a turn adds to the index of the other operand (inp for GEMM, acc for ALU)"},
    {"wgt", "wgt_out, wgt_in: what a turn adds to the weight index"},
    {"imm", "the immediate operand, 16 bits, signed"},
    {"pop", "takes a token before it starts: prev from the module before, next from the module behind"},
    {"push", "gives a token when it is done: prev to the module before, next to the module behind"},
};

} // namespace

std::uint64_t vta_wait_before(const VtaRun& run, std::uint32_t index) {
    if (!run.ran(index)) return 0;
    const auto& lane = run.lanes[static_cast<std::size_t>(vta::module_of(run.program.instructions[index]))];
    if (lane.empty()) return 0;
    const std::uint64_t issued = run.cycles.records[index].issued;
    std::uint64_t waited = 0;
    for (std::size_t i = lane.find(issued); i < lane.items().size(); --i) {
        const vta::Interval& interval = lane.items()[i];
        if (interval.begin >= issued) {
            if (i == 0) break;
            continue;
        }
        const bool wait = !vta::is_busy(interval.cause) && interval.cause != vta::Cause::Idle;
        if (!wait || interval.instruction != index) break;
        waited += std::min(issued, lane.end(i)) - interval.begin;
        if (i == 0) break;
    }
    return waited;
}

VtaInstructionRow vta_instruction_row(const VtaRun& run, std::uint32_t index) {
    const vta::Instruction& in = run.program.instructions[index];
    VtaInstructionRow row;
    row.index = index;
    row.module = vta::module_of(in);
    row.text = vta::disassemble(in);
    const std::uint32_t origin = run.program.origin_of(index);
    if (origin < run.program.origin_names.size()) row.origin = run.program.origin_names[origin];
    const auto edit = run.request.edits.find(index);
    row.edited = edit != run.request.edits.end() && edit->second.after == in;
    row.ran = run.ran(index);
    if (!row.ran) {
        row.issued = "never";
        return row;
    }
    const vta::InstructionRecord& record = run.cycles.records[index];
    row.issued = grouped(record.issued);
    row.cycles = grouped(record.completed - record.issued);
    if (const std::uint64_t waited = vta_wait_before(run, index); waited != 0) row.waited = grouped(waited);
    return row;
}

std::vector<VtaField> vta_fields(const vta::Config& config, const vta::Instruction& in) {
    std::vector<VtaField> fields;
    const vta::Codec codec(config);
    for (const vta::FieldLayout& layout : codec.layout(in.opcode)) {
        VtaField f{layout.field,
                   std::string(vta::field_name(layout.field)),
                   bits_text(layout),
                   value_text(in, layout.field),
                   std::string(vta::field_help(layout.field)),
                   vta::field_value(in, layout.field),
                   0,
                   0};
        const bool is_signed = layout.field == vta::Field::Imm;
        f.lowest = is_signed ? -(std::int64_t{1} << (layout.width - 1)) : 0;
        f.highest = (std::int64_t{1} << (is_signed ? layout.width - 1 : layout.width)) - 1;
        fields.push_back(std::move(f));
    }
    return fields;
}

Table vta_field_table(const VtaRun& run, std::uint32_t index) {
    Table table;
    table.columns = {
        {"Field", Align::Left, 9}, {"Bits", Align::Right, 8}, {"Value", Align::Left, 8}, {"Meaning", Align::Left, 0}};
    table.empty_reason = "Select an instruction to see its fields.";
    if (index >= run.size()) return table;
    const vta::Instruction& in = run.program.instructions[index];
    for (const VtaField& field : vta_fields(run.program.config, in)) {
        TableRow row;
        row.cells = {{field.name, 0, -1},
                     {field.bits, 0, -1},
                     {field.value, static_cast<double>(field.number), -1},
                     {field.help, 0, -1}};
        row.details = field.name + ", bits " + field.bits + ", from " + std::to_string(field.lowest) + " to " +
                      std::to_string(field.highest) + "\n" + field.help;
        table.rows.push_back(std::move(row));
    }
    const auto add = [&](const char* name, std::string value) {
        TableRow row;
        row.tone = Tone::Dim;
        row.details = value;
        row.cells = {{name, 0, -1}, {"", 0, -1}, {"", 0, -1}, {std::move(value), 0, -1}};
        table.rows.push_back(std::move(row));
    };
    add("module", std::string(vta::module_name(vta::module_of(in))));
    add("work", work_text(run, in));
    add("tokens", tokens_text(in));
    const vta::Fault fault = vta::static_fault(run.program.config, run.program.dram.size(), in);
    if (fault != vta::Fault::None) add("fault", "moves no data: " + std::string(vta::fault_name(fault)));
    if (run.ran(index)) {
        const vta::InstructionRecord& r = run.cycles.records[index];
        add("time", "fetched at " + grouped(r.fetched) + ", issued at " + grouped(r.issued) + ", done at " +
                        grouped(r.completed) + "; waited " + grouped(r.memory_wait) + " cycles for memory");
    } else {
        add("time", "never ran");
    }
    return table;
}

std::string vta_word_help(std::string_view word) {
    const std::string_view key = word.substr(0, word.find('='));
    for (const WordHelp& row : kWords)
        if (row.word == key) return std::string(row.help);
    return {};
}

std::string vta_instruction_help(const VtaRun& run, std::uint32_t index) {
    if (index >= run.size()) return {};
    const vta::Instruction& in = run.program.instructions[index];
    const VtaInstructionRow row = vta_instruction_row(run, index);
    std::string text = "#" + std::to_string(index) + "  " + row.text + "\n" + work_text(run, in);
    if (!row.origin.empty()) text += " · " + row.origin;
    text += "\ntokens: " + tokens_text(in);
    if (row.ran) {
        text +=
            "\ncycles " + row.issued + " to " + grouped(run.cycles.records[index].completed) + " (" + row.cycles + ")";
        if (!row.waited.empty()) text += ", after waiting " + row.waited;
    } else {
        text += "\nnever ran";
    }
    return text;
}

VtaEdit parse_vta_instruction(const vta::Config& config, std::string_view line) {
    const auto said = [](const vta::Error& error) {
        return error.message + (error.where.empty() ? "" : ": ") + error.where;
    };
    const auto parsed = vta::assemble_instruction(line);
    if (!parsed) return {{}, said(parsed.error())};
    const auto encoded = vta::Codec(config).encode(*parsed);
    return {*parsed, encoded ? std::string() : said(encoded.error())};
}

std::uint32_t find_vta_instruction(const VtaRun& run, std::uint32_t from, int direction, std::string_view needle) {
    const auto matches = [&](std::uint32_t i) {
        if (vta::disassemble(run.program.instructions[i]).find(needle) != std::string::npos) return true;
        const std::uint32_t origin = run.program.origin_of(i);
        return origin < run.program.origin_names.size() &&
               run.program.origin_names[origin].find(needle) != std::string::npos;
    };
    constexpr std::uint32_t kMostLooked = 2'000'000; // half a second: a search never holds the window up for longer
    std::uint32_t i = from;
    for (std::uint32_t looked = 0; i < run.size() && looked < kMostLooked; ++looked) {
        if (matches(i)) return i;
        if (direction < 0 && i == 0) break;
        i = direction < 0 ? i - 1 : i + 1;
    }
    return vta::kNoInstruction;
}

Table vta_instruction_table(const VtaRun& run, std::uint32_t first, std::uint32_t count) {
    Table table;
    table.columns = {{"#", Align::Right, 10},      {"Module", Align::Left, 9},   {"Instruction", Align::Left, 0},
                     {"Issued", Align::Right, 12}, {"Cycles", Align::Right, 10}, {"Waited", Align::Right, 10},
                     {"Origin", Align::Left, 16}};
    table.empty_reason = "The program has no instructions.";
    const std::uint64_t end = std::min<std::uint64_t>(run.size(), std::uint64_t{first} + count);
    for (std::uint32_t i = first; i < end; ++i) {
        const VtaInstructionRow r = vta_instruction_row(run, i);
        TableRow row;
        row.cells = {{std::to_string(i), static_cast<double>(i), -1},
                     {std::string(vta::module_name(r.module)), 0, -1},
                     {r.text, 0, -1},
                     {r.issued, 0, -1},
                     {r.cycles, 0, -1},
                     {r.waited, 0, -1},
                     {r.origin, 0, -1}};
        table.rows.push_back(std::move(row));
    }
    return table;
}

} // namespace orrery::views
