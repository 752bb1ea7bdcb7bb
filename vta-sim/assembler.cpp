// One instruction to text and back, driven by a table of operands; then whole programs, line by line.

#include "vta-sim/assembler.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <optional>
#include <vector>

namespace orrery::vta {
namespace {

/// An operand: a name and one field, or two with the separator between them.
struct Operand {
    std::string_view name;
    Field first;
    char separator; ///< 0 for a single field
    Field second;
    bool always; ///< printed even when zero
};

constexpr std::array kTransferOperands = {
    Operand{"sram", Field::SramBase, 0, Field::SramBase, true},
    Operand{"dram", Field::DramBase, 0, Field::DramBase, true},
    Operand{"size", Field::YSize, 'x', Field::XSize, true},
    Operand{"stride", Field::XStride, 0, Field::XStride, true},
    Operand{"pad_y", Field::YPad0, ',', Field::YPad1, false},
    Operand{"pad_x", Field::XPad0, ',', Field::XPad1, false},
};
constexpr std::array kStepOperands = {
    Operand{"uops", Field::UopBegin, ':', Field::UopEnd, true},
    Operand{"iter", Field::IterOut, 'x', Field::IterIn, true},
    Operand{"dst", Field::DstOut, ',', Field::DstIn, true},
    Operand{"src", Field::SrcOut, ',', Field::SrcIn, true},
    Operand{"wgt", Field::WgtOut, ',', Field::WgtIn, false},
};
constexpr std::array<std::string_view, 6> kKindNames = {"inp", "wgt", "acc", "out", "uop", "acc8"};
constexpr std::size_t kDataBytesPerLine = 32;
constexpr std::uint32_t kNoOrigin = 0xffffffffU;

std::span<const Operand> operands_of(const Instruction& in) {
    switch (in.opcode) {
    case Opcode::Load:
    case Opcode::Store: return kTransferOperands;
    case Opcode::Gemm: return kStepOperands;
    case Opcode::Alu: return std::span(kStepOperands).first(4);
    case Opcode::Finish: return {};
    }
    throw InternalError("operands of an unknown opcode");
}

std::string mnemonic(const Instruction& in) {
    std::string text(opcode_name(in.opcode));
    if (in.opcode == Opcode::Load || (in.opcode == Opcode::Store && in.memory != MemoryId::Out)) {
        text += "." + std::string(memory_name(in.memory));
    }
    if (in.opcode == Opcode::Gemm && in.reset) text += ".reset";
    if (in.opcode == Opcode::Alu) text += "." + std::string(alu_name(in.alu_op));
    return text;
}

/// The two flags of a pop or a push.
struct Flags {
    bool prev = false;
    bool next = false;
};

void append_flags(std::string& text, const char* name, Flags flags) {
    if (!flags.prev && !flags.next) return;
    text += std::string(" ") + name + "=" + (flags.prev ? "prev" : "") + (flags.prev && flags.next ? "," : "") +
            (flags.next ? "next" : "");
}

Error syntax(std::string message, std::string_view where) {
    return {ErrorCode::BadSyntax, std::move(message), std::string(where)};
}

std::vector<std::string_view> words_of(std::string_view line) {
    std::vector<std::string_view> words;
    while (true) {
        const std::size_t begin = line.find_first_not_of(" \t\r");
        if (begin == std::string_view::npos) return words;
        line.remove_prefix(begin);
        const std::size_t end = std::min(line.find_first_of(" \t\r"), line.size());
        words.push_back(line.substr(0, end));
        line.remove_prefix(end);
    }
}

std::optional<std::int64_t> number_of(std::string_view text) {
    const bool negative = text.starts_with('-');
    if (negative) text.remove_prefix(1);
    const bool hex = text.starts_with("0x");
    if (hex) text.remove_prefix(2);
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, hex ? 16 : 10);
    if (text.empty() || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
    if (value > 1ULL << 62) return std::nullopt;
    return negative ? -static_cast<std::int64_t>(value) : static_cast<std::int64_t>(value);
}

Status read_mnemonic(std::string_view word, Instruction& in) {
    const std::size_t dot = word.find('.');
    const std::string_view head = word.substr(0, dot);
    const std::string_view tail = dot == std::string_view::npos ? std::string_view() : word.substr(dot + 1);
    std::optional<Opcode> opcode;
    for (const Opcode o : {Opcode::Load, Opcode::Store, Opcode::Gemm, Opcode::Finish, Opcode::Alu}) {
        if (opcode_name(o) == head) opcode = o;
    }
    if (!opcode) return syntax("unknown mnemonic", word);
    in.opcode = *opcode;
    if (*opcode == Opcode::Store) in.memory = MemoryId::Out;
    if (*opcode == Opcode::Gemm && tail == "reset") {
        in.reset = true;
        return Done{};
    }
    if (*opcode == Opcode::Alu) {
        for (const AluOp op : {AluOp::Min, AluOp::Max, AluOp::Add, AluOp::Shr, AluOp::Mul}) {
            if (alu_name(op) != tail) continue;
            in.alu_op = op;
            return Done{};
        }
        return syntax("unknown ALU operation", word);
    }
    if (*opcode == Opcode::Load || (*opcode == Opcode::Store && !tail.empty())) {
        for (const MemoryId m :
             {MemoryId::Uop, MemoryId::Wgt, MemoryId::Inp, MemoryId::Acc, MemoryId::Out, MemoryId::Acc8}) {
            if (memory_name(m) != tail) continue;
            in.memory = m;
            return Done{};
        }
        return syntax("unknown memory", word);
    }
    if (!tail.empty()) return syntax("unknown suffix", word);
    return Done{};
}

Result<Flags> read_flags(std::string_view value, std::string_view word) {
    Flags flags;
    while (!value.empty()) {
        const std::size_t comma = std::min(value.find(','), value.size());
        const std::string_view name = value.substr(0, comma);
        if (name == "prev") {
            flags.prev = true;
        } else if (name == "next") {
            flags.next = true;
        } else {
            return syntax("flags are prev and next", word);
        }
        value.remove_prefix(std::min(comma + 1, value.size()));
    }
    return flags;
}

/// Stores a number in a field as wide as the storage of the field allows; the encoder judges the rest.
Status store_field(Instruction& in, Field field, std::string_view text, std::string_view word) {
    const auto value = number_of(text);
    if (!value) return syntax("not a number", word);
    set_field(in, field, *value);
    if (field_value(in, field) != *value) {
        return Error{ErrorCode::FieldOverflow, "the number does not fit the field", std::string(word)};
    }
    return Done{};
}

Status read_operand(std::string_view word, Instruction& in) {
    const std::size_t equals = word.find('=');
    if (equals == std::string_view::npos) return syntax("expected name=value", word);
    const std::string_view name = word.substr(0, equals);
    const std::string_view value = word.substr(equals + 1);
    if (name == "pop" || name == "push") {
        const Result<Flags> flags = read_flags(value, word);
        if (!flags) return flags.error();
        (name == "pop" ? in.pop_prev : in.push_prev) = flags->prev;
        (name == "pop" ? in.pop_next : in.push_next) = flags->next;
        return Done{};
    }
    if (name == "imm" && in.opcode == Opcode::Alu) {
        in.use_imm = true;
        return store_field(in, Field::Imm, value, word);
    }
    if (name == "reset" && in.opcode == Opcode::Alu) return store_field(in, Field::Reset, value, word);
    if (name == "unused_imm" && in.opcode == Opcode::Alu) return store_field(in, Field::Imm, value, word);
    for (const Operand& operand : operands_of(in)) {
        if (operand.name != name) continue;
        if (operand.separator == 0) return store_field(in, operand.first, value, word);
        const std::size_t cut = value.find(operand.separator);
        if (cut == std::string_view::npos) return syntax("expected two numbers", word);
        const Status first = store_field(in, operand.first, value.substr(0, cut), word);
        if (!first) return first;
        return store_field(in, operand.second, value.substr(cut + 1), word);
    }
    return syntax("unknown operand", word);
}

} // namespace

std::string disassemble(const Instruction& in) {
    std::string text = mnemonic(in);
    if (in.opcode == Opcode::Alu && in.use_imm) text += " imm=" + std::to_string(in.imm);
    if (in.opcode == Opcode::Alu && !in.use_imm && in.imm != 0) text += " unused_imm=" + std::to_string(in.imm);
    if (in.opcode == Opcode::Alu && in.reset) text += " reset=1";
    for (const Operand& operand : operands_of(in)) {
        const std::int64_t first = field_value(in, operand.first);
        const std::int64_t second = field_value(in, operand.second);
        if (!operand.always && first == 0 && second == 0) continue;
        text += " " + std::string(operand.name) + "=" + std::to_string(first);
        if (operand.separator != 0) text += operand.separator + std::to_string(second);
    }
    append_flags(text, "pop", {in.pop_prev, in.pop_next});
    append_flags(text, "push", {in.push_prev, in.push_next});
    return text;
}

Result<Instruction> assemble_instruction(std::string_view line) {
    const std::vector<std::string_view> words = words_of(line.substr(0, line.find(';')));
    if (words.empty()) return syntax("an empty line", line);
    Instruction in;
    const Status head = read_mnemonic(words.front(), in);
    if (!head) return head.error();
    for (std::size_t i = 1; i < words.size(); ++i) {
        const Status operand = read_operand(words[i], in);
        if (!operand) return operand.error();
    }
    return in;
}

namespace {

std::string one_line(const std::string& json) {
    std::string text;
    for (const char c : json) {
        if (c != '\n') text += c;
    }
    return text;
}

std::string hex_bytes(std::span<const std::uint8_t> bytes) {
    constexpr std::string_view digits = "0123456789abcdef";
    std::string text;
    for (const std::uint8_t byte : bytes) {
        text += digits[byte >> 4];
        text += digits[byte & 15];
    }
    return text;
}

std::uint32_t word_at(const std::vector<std::uint8_t>& dram, std::uint64_t address) {
    std::uint32_t word = 0;
    for (std::size_t i = 0; i < 4; ++i) word |= std::uint32_t{dram[address + i]} << (8 * i);
    return word;
}

/// True when every word of the buffer is what its micro-op encodes to, so that `uop` lines lose nothing.
bool holds_uops(const Program& program, const Codec& codec, const DramBuffer& buffer) {
    if (buffer.kind != BufferKind::Uop || buffer.address % 4 != 0 || buffer.bytes % 4 != 0) return false;
    if (buffer.address > program.dram.size() || buffer.bytes > program.dram.size() - buffer.address) return false;
    for (std::uint64_t a = buffer.address; a < buffer.address + buffer.bytes; a += 4) {
        const std::uint32_t word = word_at(program.dram, a);
        const Result<std::uint32_t> again = codec.encode_uop(codec.decode_uop(word));
        if (!again || *again != word) return false;
    }
    return true;
}

void append_data(std::string& text, std::span<const std::uint8_t> dram) {
    for (std::size_t a = 0; a < dram.size(); a += kDataBytesPerLine) {
        const auto line = dram.subspan(a, std::min(kDataBytesPerLine, dram.size() - a));
        if (std::all_of(line.begin(), line.end(), [](std::uint8_t b) { return b == 0; })) continue;
        text += ".data " + std::to_string(a) + " " + hex_bytes(line) + "\n";
    }
}

/// Reads a program line by line.
class Reader {
  public:
    Status line(std::string_view text);
    Program take() { return std::move(program_); }

  private:
    Status directive(const std::vector<std::string_view>& words, std::string_view text);
    Status config(std::string_view json);
    Status buffer(const std::vector<std::string_view>& words, std::string_view text);
    Status data(const std::vector<std::string_view>& words);
    Status uop(const std::vector<std::string_view>& words);
    Status place(std::uint64_t address, std::span<const std::uint8_t> bytes);
    void origin(std::string_view name);

    Program program_;
    std::uint64_t uop_address_ = 0;
    std::uint32_t origin_ = 0;
};

Status Reader::line(std::string_view text) {
    if (text.starts_with(".config")) return config(text.substr(7));
    if (text.starts_with(".origin ")) {
        origin(text.substr(8));
        return Done{};
    }
    const std::vector<std::string_view> words = words_of(text.substr(0, text.find(';')));
    if (words.empty()) return Done{};
    if (words.front().starts_with('.')) return directive(words, text);
    if (words.front() == "uop") return uop(words);
    Result<Instruction> in = assemble_instruction(text);
    if (!in) return in.error();
    const Result<Encoded> bits = Codec(program_.config).encode(*in);
    if (!bits) return bits.error();
    program_.instructions.push_back(*in);
    program_.origins.push_back(origin_);
    return Done{};
}

Status Reader::config(std::string_view json) {
    Result<Config> config = config_from_json(json);
    if (!config) return config.error();
    program_.config = *config;
    return Done{};
}

void Reader::origin(std::string_view name) {
    auto& names = program_.origin_names;
    const auto it = std::find(names.begin(), names.end(), name);
    origin_ = static_cast<std::uint32_t>(it - names.begin());
    if (it == names.end()) names.emplace_back(name);
}

Status Reader::directive(const std::vector<std::string_view>& words, std::string_view text) {
    if (words.front() == ".buffer") return buffer(words, text);
    if (words.front() == ".data") return data(words);
    if (words.size() != 2) return syntax("expected one number", text);
    const auto value = number_of(words[1]);
    if (!value || *value < 0 || *value > 1LL << 32) return syntax("expected a number of at most 2^32", words[1]);
    if (words.front() == ".dram") {
        program_.dram.resize(static_cast<std::size_t>(*value));
        return Done{};
    }
    if (words.front() == ".uops") {
        uop_address_ = static_cast<std::uint64_t>(*value);
        return Done{};
    }
    return Error{ErrorCode::UnknownName, "unknown directive", std::string(words.front())};
}

Status Reader::buffer(const std::vector<std::string_view>& words, std::string_view text) {
    if (words.size() < 5) return syntax("expected kind, address, bytes, name", words.front());
    const auto kind = std::find(kKindNames.begin(), kKindNames.end(), words[1]);
    if (kind == kKindNames.end()) return Error{ErrorCode::UnknownName, "unknown kind of buffer", std::string(words[1])};
    const auto address = number_of(words[2]);
    const auto bytes = number_of(words[3]);
    if (!address || !bytes || *address < 0 || *bytes < 0) return syntax("not a number", words[2]);
    // The name is the rest of the line, spaces and all.
    const std::string_view name = text.substr(static_cast<std::size_t>(words[4].data() - text.data()));
    program_.buffers.push_back({std::string(name), static_cast<BufferKind>(kind - kKindNames.begin()),
                                static_cast<std::uint64_t>(*address), static_cast<std::uint64_t>(*bytes)});
    return Done{};
}

Status Reader::place(std::uint64_t address, std::span<const std::uint8_t> bytes) {
    if (address > program_.dram.size() || bytes.size() > program_.dram.size() - address) {
        return Error{ErrorCode::OutOfDram, "beyond the image that .dram declares", std::to_string(address)};
    }
    std::copy(bytes.begin(), bytes.end(), program_.dram.begin() + static_cast<std::ptrdiff_t>(address));
    return Done{};
}

Status Reader::data(const std::vector<std::string_view>& words) {
    const auto address = words.size() == 3 ? number_of(words[1]) : std::nullopt;
    if (!address || *address < 0 || words[2].size() % 2 != 0)
        return syntax("expected an address and bytes", words.front());
    std::vector<std::uint8_t> bytes;
    for (std::size_t i = 0; i < words[2].size(); i += 2) {
        std::uint8_t byte = 0;
        const auto [end, error] = std::from_chars(words[2].data() + i, words[2].data() + i + 2, byte, 16);
        if (error != std::errc() || end != words[2].data() + i + 2) return syntax("not hexadecimal", words[2]);
        bytes.push_back(byte);
    }
    return place(static_cast<std::uint64_t>(*address), bytes);
}

Status Reader::uop(const std::vector<std::string_view>& words) {
    Uop uop;
    for (std::size_t i = 1; i < words.size(); ++i) {
        const std::size_t equals = std::min(words[i].find('='), words[i].size());
        const std::string_view name = words[i].substr(0, equals);
        const auto value = equals < words[i].size() ? number_of(words[i].substr(equals + 1)) : std::nullopt;
        if (!value || *value < 0 || *value > 0xffff)
            return syntax("expected dst=, src= or wgt= and a number", words[i]);
        std::uint16_t* field = name == "dst" ? &uop.dst : name == "src" ? &uop.src : name == "wgt" ? &uop.wgt : nullptr;
        if (field == nullptr) return syntax("expected dst=, src= or wgt=", words[i]);
        *field = static_cast<std::uint16_t>(*value);
    }
    const Result<std::uint32_t> word = Codec(program_.config).encode_uop(uop);
    if (!word) return word.error();
    std::array<std::uint8_t, 4> bytes{};
    for (std::size_t i = 0; i < 4; ++i) bytes[i] = static_cast<std::uint8_t>(*word >> (8 * i));
    const Status placed = place(uop_address_, bytes);
    uop_address_ += 4;
    return placed;
}

} // namespace

std::string disassemble(const Program& program, const DisassembleOptions& options) {
    std::string text = ".config " + one_line(to_json(program.config)) + "\n";
    text += ".dram " + std::to_string(program.dram.size()) + "\n";
    for (const DramBuffer& b : program.buffers) {
        text += ".buffer " + std::string(kKindNames[static_cast<std::size_t>(b.kind)]) + " " +
                std::to_string(b.address) + " " + std::to_string(b.bytes) + " " + b.name + "\n";
    }
    const Codec codec(program.config);
    std::vector<std::uint8_t> rest = options.data ? program.dram : std::vector<std::uint8_t>();
    for (const DramBuffer& b : program.buffers) {
        if (!holds_uops(program, codec, b)) continue;
        text += ".uops " + std::to_string(b.address) + "\n";
        for (std::uint64_t a = b.address; a < b.address + b.bytes; a += 4) {
            const Uop uop = codec.decode_uop(word_at(program.dram, a));
            text += "uop dst=" + std::to_string(uop.dst) + " src=" + std::to_string(uop.src) +
                    " wgt=" + std::to_string(uop.wgt) + "\n";
            if (options.data) std::fill_n(rest.begin() + static_cast<std::ptrdiff_t>(a), 4, std::uint8_t{0});
        }
    }
    append_data(text, rest);
    for (const std::string& name : program.origin_names) text += ".origin " + name + "\n";
    std::uint32_t origin = kNoOrigin;
    for (std::size_t i = 0; i < program.instructions.size(); ++i) {
        if (program.origin_of(i) != origin && program.origin_of(i) < program.origin_names.size()) {
            origin = program.origin_of(i);
            text += ".origin " + program.origin_names[origin] + "\n";
        }
        text += disassemble(program.instructions[i]) + "\n";
    }
    return text;
}

Result<Program> assemble(std::string_view text) {
    Reader reader;
    for (int number = 1; !text.empty(); ++number) {
        const std::size_t end = std::min(text.find('\n'), text.size());
        const Status status = reader.line(text.substr(0, end));
        if (!status) {
            return Error{status.error().code, status.error().message,
                         "line " + std::to_string(number) + ", " + status.error().where};
        }
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    return reader.take();
}

} // namespace orrery::vta
