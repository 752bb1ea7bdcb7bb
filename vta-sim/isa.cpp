// Names and help of fields; field access by name; layouts of a configuration, encoding and decoding; properties of
// single instructions; names.

#include "vta-sim/isa.hpp"

#include <algorithm>
#include <array>
#include <string>

namespace orrery::vta {
namespace {

struct FieldRow {
    std::string_view name;
    std::string_view help;
};

constexpr std::array kFields = {
    FieldRow{"opcode", "what the instruction does"},
    FieldRow{"pop_prev",
             "before it starts, take one token from the previous module (load for compute, compute for store)"},
    FieldRow{"pop_next", "before it starts, take one token from the next module (compute for load, store for compute)"},
    FieldRow{"push_prev", "when it is done, give one token to the previous module"},
    FieldRow{"push_next", "when it is done, give one token to the next module"},
    FieldRow{"memory", "the on-chip memory the transfer fills or drains"},
    FieldRow{"sram_base", "first element on chip"},
    FieldRow{"dram_base", "first element in DRAM; the byte address is this times the element size"},
    FieldRow{"y_size", "rows"},
    FieldRow{"x_size", "elements per row; 0 makes the instruction a carrier of flags only"},
    FieldRow{"x_stride", "elements between two row starts in DRAM"},
    FieldRow{"y_pad_0", "rows of zeros above"},
    FieldRow{"y_pad_1", "rows of zeros below"},
    FieldRow{"x_pad_0", "zero elements left of each row"},
    FieldRow{"x_pad_1", "zero elements right of each row"},
    FieldRow{"reset", "write zeros to acc[dst] instead of multiplying"},
    FieldRow{"uop_begin", "first micro-op"},
    FieldRow{"uop_end", "one past the last micro-op"},
    FieldRow{"iter_out", "turns of the outer loop"},
    FieldRow{"iter_in", "turns of the inner loop"},
    FieldRow{"dst_out", "added to dst at each outer turn"},
    FieldRow{"dst_in", "added to dst at each inner turn"},
    FieldRow{"src_out", "added to src at each outer turn"},
    FieldRow{"src_in", "added to src at each inner turn"},
    FieldRow{"wgt_out", "added to wgt at each outer turn"},
    FieldRow{"wgt_in", "added to wgt at each inner turn"},
    FieldRow{"alu_op", "the lane-wise operation"},
    FieldRow{"use_imm", "the second operand is imm instead of acc[src]"},
    FieldRow{"imm", "signed 16-bit immediate, sign-extended to 32 bits"},
};

std::uint64_t mask(int width) { return width >= 64 ? ~0ULL : (1ULL << width) - 1; }

/// Appends fields packed from `offset` up; returns the offset after them.
int pack(std::vector<FieldLayout>& out, int offset, std::initializer_list<std::pair<Field, int>> fields) {
    for (const auto& [field, width] : fields) {
        out.push_back({field, offset, width});
        offset += width;
    }
    return offset;
}

int pack_common(std::vector<FieldLayout>& out) {
    return pack(
        out, 0,
        {{Field::Opcode, 3}, {Field::PopPrev, 1}, {Field::PopNext, 1}, {Field::PushPrev, 1}, {Field::PushNext, 1}});
}

void pack_loops(std::vector<FieldLayout>& out, int uop_bits) {
    const int offset = pack_common(out);
    pack(out, offset,
         {{Field::Reset, 1},
          {Field::UopBegin, uop_bits},
          {Field::UopEnd, uop_bits + 1},
          {Field::IterOut, 14},
          {Field::IterIn, 14}});
}

std::uint64_t extract(Encoded bits, const FieldLayout& at) {
    const std::uint64_t word = at.offset < 64 ? bits.word0 : bits.word1;
    return (word >> (at.offset & 63)) & mask(at.width);
}

bool valid_code(const FieldLayout& at, std::uint64_t value) {
    if (at.field == Field::Memory) return value <= static_cast<std::uint64_t>(MemoryId::Acc8);
    if (at.field == Field::AluOp) return value <= static_cast<std::uint64_t>(AluOp::Mul);
    return true;
}

} // namespace

std::string_view field_name(Field field) { return kFields[static_cast<std::size_t>(field)].name; }
std::string_view field_help(Field field) { return kFields[static_cast<std::size_t>(field)].help; }

std::int64_t field_value(const Instruction& in, Field field) {
    switch (field) {
    case Field::Opcode: return static_cast<int>(in.opcode);
    case Field::PopPrev: return in.pop_prev;
    case Field::PopNext: return in.pop_next;
    case Field::PushPrev: return in.push_prev;
    case Field::PushNext: return in.push_next;
    case Field::Memory: return static_cast<int>(in.memory);
    case Field::SramBase: return in.sram_base;
    case Field::DramBase: return in.dram_base;
    case Field::YSize: return in.y_size;
    case Field::XSize: return in.x_size;
    case Field::XStride: return in.x_stride;
    case Field::YPad0: return in.y_pad_0;
    case Field::YPad1: return in.y_pad_1;
    case Field::XPad0: return in.x_pad_0;
    case Field::XPad1: return in.x_pad_1;
    case Field::Reset: return in.reset;
    case Field::UopBegin: return in.uop_begin;
    case Field::UopEnd: return in.uop_end;
    case Field::IterOut: return in.iter_out;
    case Field::IterIn: return in.iter_in;
    case Field::DstOut: return in.dst_out;
    case Field::DstIn: return in.dst_in;
    case Field::SrcOut: return in.src_out;
    case Field::SrcIn: return in.src_in;
    case Field::WgtOut: return in.wgt_out;
    case Field::WgtIn: return in.wgt_in;
    case Field::AluOp: return static_cast<int>(in.alu_op);
    case Field::UseImm: return in.use_imm;
    case Field::Imm: return in.imm;
    }
    throw InternalError("field_value of an unknown field");
}

void set_field(Instruction& in, Field field, std::int64_t value) {
    const auto flag = value != 0;
    const auto byte = static_cast<std::uint8_t>(value);
    const auto half = static_cast<std::uint16_t>(value);
    switch (field) {
    case Field::Opcode: in.opcode = static_cast<Opcode>(byte); return;
    case Field::PopPrev: in.pop_prev = flag; return;
    case Field::PopNext: in.pop_next = flag; return;
    case Field::PushPrev: in.push_prev = flag; return;
    case Field::PushNext: in.push_next = flag; return;
    case Field::Memory: in.memory = static_cast<MemoryId>(byte); return;
    case Field::SramBase: in.sram_base = half; return;
    case Field::DramBase: in.dram_base = static_cast<std::uint32_t>(value); return;
    case Field::YSize: in.y_size = half; return;
    case Field::XSize: in.x_size = half; return;
    case Field::XStride: in.x_stride = half; return;
    case Field::YPad0: in.y_pad_0 = byte; return;
    case Field::YPad1: in.y_pad_1 = byte; return;
    case Field::XPad0: in.x_pad_0 = byte; return;
    case Field::XPad1: in.x_pad_1 = byte; return;
    case Field::Reset: in.reset = flag; return;
    case Field::UopBegin: in.uop_begin = half; return;
    case Field::UopEnd: in.uop_end = half; return;
    case Field::IterOut: in.iter_out = half; return;
    case Field::IterIn: in.iter_in = half; return;
    case Field::DstOut: in.dst_out = half; return;
    case Field::DstIn: in.dst_in = half; return;
    case Field::SrcOut: in.src_out = half; return;
    case Field::SrcIn: in.src_in = half; return;
    case Field::WgtOut: in.wgt_out = half; return;
    case Field::WgtIn: in.wgt_in = half; return;
    case Field::AluOp: in.alu_op = static_cast<AluOp>(byte); return;
    case Field::UseImm: in.use_imm = flag; return;
    case Field::Imm: in.imm = static_cast<std::int16_t>(value); return;
    }
}

Codec::Codec(const Config& config) {
    const int u = config.uop_index_bits();
    const int i = config.inp_index_bits();
    const int w = config.wgt_index_bits();
    const int a = config.acc_index_bits();
    dst_bits_ = a;
    src_bits_ = std::max(a, i);
    wgt_bits_ = w;

    pack_common(finish_);
    const int after_flags = pack_common(memory_);
    pack(memory_, after_flags, {{Field::Memory, 3}, {Field::SramBase, 16}, {Field::DramBase, 32}});
    pack(memory_, 64,
         {{Field::YSize, 16},
          {Field::XSize, 16},
          {Field::XStride, 16},
          {Field::YPad0, 4},
          {Field::YPad1, 4},
          {Field::XPad0, 4},
          {Field::XPad1, 4}});
    pack_loops(gemm_, u);
    pack(gemm_, 64,
         {{Field::DstOut, a},
          {Field::DstIn, a},
          {Field::SrcOut, i},
          {Field::SrcIn, i},
          {Field::WgtOut, w},
          {Field::WgtIn, w}});
    pack_loops(alu_, u);
    pack(alu_, 64,
         {{Field::DstOut, a},
          {Field::DstIn, a},
          {Field::SrcOut, a},
          {Field::SrcIn, a},
          {Field::AluOp, 3},
          {Field::UseImm, 1},
          {Field::Imm, 16}});
}

std::span<const FieldLayout> Codec::layout(Opcode opcode) const {
    switch (opcode) {
    case Opcode::Load:
    case Opcode::Store: return memory_;
    case Opcode::Gemm: return gemm_;
    case Opcode::Alu: return alu_;
    case Opcode::Finish: return finish_;
    }
    throw InternalError("layout of an unknown opcode");
}

Result<Encoded> Codec::encode(const Instruction& instruction) const {
    Encoded bits;
    for (const FieldLayout& at : layout(instruction.opcode)) {
        const std::int64_t value = field_value(instruction, at.field);
        const std::uint64_t raw = static_cast<std::uint64_t>(value) & mask(at.width);
        if (at.field != Field::Imm && raw != static_cast<std::uint64_t>(value)) {
            return Error{ErrorCode::FieldOverflow,
                         std::to_string(value) + " does not fit " + std::to_string(at.width) + " bits",
                         std::string(field_name(at.field))};
        }
        (at.offset < 64 ? bits.word0 : bits.word1) |= raw << (at.offset & 63);
    }
    return bits;
}

Result<Instruction> Codec::decode(Encoded bits) const {
    const std::uint64_t opcode = bits.word0 & 7;
    if (opcode > static_cast<std::uint64_t>(Opcode::Alu)) {
        return Error{ErrorCode::BadEncoding, "unknown opcode " + std::to_string(opcode), "opcode"};
    }
    Instruction out;
    Encoded used;
    for (const FieldLayout& at : layout(static_cast<Opcode>(opcode))) {
        const std::uint64_t value = extract(bits, at);
        if (!valid_code(at, value)) {
            return Error{ErrorCode::BadEncoding, "unknown code " + std::to_string(value),
                         std::string(field_name(at.field))};
        }
        set_field(out, at.field, static_cast<std::int64_t>(value));
        (at.offset < 64 ? used.word0 : used.word1) |= mask(at.width) << (at.offset & 63);
    }
    if ((bits.word0 & ~used.word0) != 0 || (bits.word1 & ~used.word1) != 0) {
        return Error{ErrorCode::BadEncoding, "a bit outside every field is set", "unused"};
    }
    return out;
}

Result<std::uint32_t> Codec::encode_uop(Uop uop) const {
    if (uop.dst > mask(dst_bits_)) return Error{ErrorCode::FieldOverflow, "micro-op index too large", "dst"};
    if (uop.src > mask(src_bits_)) return Error{ErrorCode::FieldOverflow, "micro-op index too large", "src"};
    if (uop.wgt > mask(wgt_bits_)) return Error{ErrorCode::FieldOverflow, "micro-op index too large", "wgt"};
    return static_cast<std::uint32_t>(uop.dst | (static_cast<std::uint64_t>(uop.src) << dst_bits_) |
                                      (static_cast<std::uint64_t>(uop.wgt) << (dst_bits_ + src_bits_)));
}

Uop Codec::decode_uop(std::uint32_t bits) const {
    const std::uint64_t wide = bits;
    return {static_cast<std::uint16_t>(wide & mask(dst_bits_)),
            static_cast<std::uint16_t>((wide >> dst_bits_) & mask(src_bits_)),
            static_cast<std::uint16_t>((wide >> (dst_bits_ + src_bits_)) & mask(wgt_bits_))};
}

Module module_of(const Instruction& in) {
    if (in.opcode == Opcode::Store) return Module::Store;
    if (in.opcode == Opcode::Load && (in.memory == MemoryId::Inp || in.memory == MemoryId::Wgt)) return Module::Load;
    return Module::Compute;
}

std::optional<TokenQueue> pop_queue(Module module, bool next) {
    if (module == Module::Load && next) return TokenQueue::ComputeToLoad;
    if (module == Module::Compute) return next ? TokenQueue::StoreToCompute : TokenQueue::LoadToCompute;
    if (module == Module::Store && !next) return TokenQueue::ComputeToStore;
    return std::nullopt;
}

std::optional<TokenQueue> push_queue(Module module, bool next) {
    if (module == Module::Load && next) return TokenQueue::LoadToCompute;
    if (module == Module::Compute) return next ? TokenQueue::ComputeToStore : TokenQueue::ComputeToLoad;
    if (module == Module::Store && !next) return TokenQueue::StoreToCompute;
    return std::nullopt;
}

bool is_sync(const Instruction& in) {
    return (in.opcode == Opcode::Load || in.opcode == Opcode::Store) && (in.x_size == 0 || in.y_size == 0);
}

std::uint64_t step_count(const Instruction& in) {
    if (in.opcode != Opcode::Gemm && in.opcode != Opcode::Alu) return 0;
    if (in.uop_end <= in.uop_begin) return 0;
    return static_cast<std::uint64_t>(in.iter_out) * in.iter_in * static_cast<std::uint64_t>(in.uop_end - in.uop_begin);
}

std::uint64_t sram_elements(const Instruction& in) {
    if ((in.opcode != Opcode::Load && in.opcode != Opcode::Store) || is_sync(in)) return 0;
    const std::uint64_t width = static_cast<std::uint64_t>(in.x_pad_0) + in.x_size + in.x_pad_1;
    const std::uint64_t height = static_cast<std::uint64_t>(in.y_pad_0) + in.y_size + in.y_pad_1;
    return width * height;
}

std::uint64_t dram_elements(const Instruction& in) {
    if ((in.opcode != Opcode::Load && in.opcode != Opcode::Store) || is_sync(in)) return 0;
    return static_cast<std::uint64_t>(in.x_size) * in.y_size;
}

int dram_element_bytes(const Config& config, MemoryId memory) {
    switch (memory) {
    case MemoryId::Uop: return 4;
    case MemoryId::Wgt: return config.wgt_bytes();
    case MemoryId::Inp: return config.inp_bytes();
    case MemoryId::Acc: return config.acc_bytes();
    case MemoryId::Out: return config.out_bytes();
    case MemoryId::Acc8: return config.acc_bytes() / 4;
    }
    throw InternalError("dram_element_bytes of an unknown memory");
}

int memory_depth(const Config& config, MemoryId memory) {
    switch (memory) {
    case MemoryId::Uop: return config.uop_depth;
    case MemoryId::Wgt: return config.wgt_depth();
    case MemoryId::Inp: return config.inp_depth();
    case MemoryId::Acc:
    case MemoryId::Out:
    case MemoryId::Acc8: return config.acc_depth();
    }
    throw InternalError("memory_depth of an unknown memory");
}

std::string_view opcode_name(Opcode opcode) {
    constexpr std::array<std::string_view, 5> names = {"load", "store", "gemm", "finish", "alu"};
    return names[static_cast<std::size_t>(opcode)];
}

std::string_view memory_name(MemoryId memory) {
    constexpr std::array<std::string_view, 6> names = {"uop", "wgt", "inp", "acc", "out", "acc8"};
    return names[static_cast<std::size_t>(memory)];
}

std::string_view alu_name(AluOp op) {
    constexpr std::array<std::string_view, 5> names = {"min", "max", "add", "shr", "mul"};
    return names[static_cast<std::size_t>(op)];
}

std::string_view module_name(Module module) {
    constexpr std::array<std::string_view, 4> names = {"load", "compute", "store", "fetch"};
    return names[static_cast<std::size_t>(module)];
}

std::string_view queue_name(TokenQueue queue) {
    constexpr std::array<std::string_view, 4> names = {"load->compute", "compute->load", "compute->store",
                                                       "store->compute"};
    return names[static_cast<std::size_t>(queue)];
}

} // namespace orrery::vta
