// Scalars in DRAM to and from unpacked lanes; loads and stores; GEMM (in gemm_kernel.cpp), reset and ALU; access for
// readers; checkpoints.
//
// OUT is kept lazily: a GEMM or ALU step only marks its tile as live, which means that OUT is the low bits of the
// accumulators. Whatever is about to change the accumulators without changing OUT freezes a copy first.

#include "vta-sim/machine.hpp"

#include "vta-sim/gemm_kernel.hpp"
#include "vta-sim/index_walk.hpp"

#include <algorithm>
#include <cstring>

namespace orrery::vta {
namespace {

/// The signed scalar number `index` of `bits` bits in packed little-endian bytes. `bits` is 2, 4, 8 or 16.
std::int16_t unpack(const std::uint8_t* bytes, std::size_t index, int bits) {
    if (bits == 8) return static_cast<std::int8_t>(bytes[index]);
    if (bits == 16) return static_cast<std::int16_t>(bytes[2 * index] | bytes[2 * index + 1] << 8);
    const std::size_t at = index * static_cast<std::size_t>(bits);
    const int raw = bytes[at / 8] >> (at % 8) & ((1 << bits) - 1);
    return static_cast<std::int16_t>(raw >= 1 << (bits - 1) ? raw - (1 << bits) : raw);
}

void pack(std::uint8_t* bytes, std::size_t index, int bits, std::int16_t value) {
    if (bits == 8) {
        bytes[index] = static_cast<std::uint8_t>(value);
    } else if (bits == 16) {
        bytes[2 * index] = static_cast<std::uint8_t>(value);
        bytes[2 * index + 1] = static_cast<std::uint8_t>(value >> 8);
    } else {
        const std::size_t at = index * static_cast<std::size_t>(bits);
        const int mask = (1 << bits) - 1;
        const int shift = static_cast<int>(at % 8);
        bytes[at / 8] = static_cast<std::uint8_t>((bytes[at / 8] & ~(mask << shift)) | (value & mask) << shift);
    }
}

/// The low `bits` bits of an accumulator as a signed number.
std::int16_t narrow(std::int32_t value, int bits) {
    const int shift = 32 - bits;
    return static_cast<std::int16_t>(static_cast<std::int32_t>(static_cast<std::uint32_t>(value) << shift) >> shift);
}

std::int32_t shift_left(std::int32_t value, int amount) {
    return static_cast<std::int32_t>(static_cast<std::uint32_t>(value) << amount);
}

std::int32_t shift(std::int32_t value, std::int32_t amount, ShiftRule rule, bool immediate) {
    const auto low5 = static_cast<int>(static_cast<std::uint32_t>(amount) & 31U);
    switch (rule) {
    case ShiftRule::LowFiveSigned: return low5 < 16 ? value >> low5 : shift_left(value, 32 - low5);
    case ShiftRule::RegisterRight:
        if (!immediate) return value >> low5;
        [[fallthrough]];
    case ShiftRule::Signed:
        if (amount >= 0) return value >> low5;
        return shift_left(value, static_cast<int>((0U - static_cast<std::uint32_t>(amount)) & 31U));
    }
    throw InternalError("unknown shift rule");
}

} // namespace

Machine::Machine(const Config& config, std::vector<std::uint8_t> dram)
    : config_(config), codec_(config), dram_(std::move(dram)) {
    const auto lanes = static_cast<std::size_t>(config.batch() * config.block());
    const auto block = static_cast<std::size_t>(config.block());
    inp_.resize(static_cast<std::size_t>(config.inp_depth()) * lanes);
    wgt_.resize(static_cast<std::size_t>(config.wgt_depth()) * block * block);
    acc_.resize(static_cast<std::size_t>(config.acc_depth()) * lanes);
    out_.resize(acc_.size());
    out_live_.resize(static_cast<std::size_t>(config.acc_depth()));
    uops_.resize(static_cast<std::size_t>(config.uop_depth));
    dirty_.resize((dram_.size() + kPageBytes - 1) / kPageBytes);
}

Fault Machine::index_fault(const Instruction& in) const {
    if (step_count(in) == 0) return Fault::None;
    const auto acc_depth = static_cast<std::uint64_t>(config_.acc_depth());
    if (largest_index(in, uops_, dst_stream(in)) >= acc_depth) return Fault::IndexRange;
    if (in.opcode == Opcode::Alu) {
        const bool reads_src = !in.use_imm || config_.semantics.immediate == ImmediateOperand::Source;
        if (reads_src && largest_index(in, uops_, src_stream(in)) >= acc_depth) return Fault::IndexRange;
    } else if (!in.reset) {
        if (largest_index(in, uops_, src_stream(in)) >= static_cast<std::uint64_t>(config_.inp_depth()))
            return Fault::IndexRange;
        if (largest_index(in, uops_, wgt_stream(in)) >= static_cast<std::uint64_t>(config_.wgt_depth()))
            return Fault::IndexRange;
    }
    return Fault::None;
}

Fault Machine::execute(const Instruction& in) {
    switch (in.opcode) {
    case Opcode::Load:
        if (!is_sync(in)) load(in);
        return Fault::None;
    case Opcode::Store:
        if (!is_sync(in)) store(in);
        return Fault::None;
    case Opcode::Finish: return Fault::None;
    case Opcode::Gemm:
    case Opcode::Alu: break;
    }
    const Fault fault = index_fault(in);
    if (fault != Fault::None || step_count(in) == 0) return fault;
    if (in.opcode == Opcode::Alu) {
        alu(in);
    } else if (in.reset) {
        reset(in);
    } else {
        gemm(in);
    }
    return Fault::None;
}

void Machine::load(const Instruction& in) {
    const auto bytes = static_cast<std::size_t>(dram_element_bytes(config_, in.memory));
    const std::size_t width = std::size_t{in.x_pad_0} + in.x_size + in.x_pad_1;
    std::size_t element = in.sram_base;
    const auto clear = [&](std::size_t count) {
        for (; count > 0; --count) clear_element(in.memory, element++);
    };
    clear(in.y_pad_0 * width);
    for (std::size_t y = 0; y < in.y_size; ++y) {
        clear(in.x_pad_0);
        const std::uint8_t* row = dram_.data() + (in.dram_base + y * in.x_stride) * bytes;
        for (std::size_t x = 0; x < in.x_size; ++x) load_element(in.memory, element++, row + x * bytes);
        clear(in.x_pad_1);
    }
    clear(in.y_pad_1 * width);
}

void Machine::load_element(MemoryId memory, std::size_t element, const std::uint8_t* bytes) {
    const auto lanes = static_cast<std::size_t>(config_.batch() * config_.block());
    switch (memory) {
    case MemoryId::Uop: {
        std::uint32_t bits;
        std::memcpy(&bits, bytes, sizeof bits);
        uops_[element] = codec_.decode_uop(bits);
        return;
    }
    case MemoryId::Wgt: load_wgt(element, bytes); return;
    case MemoryId::Inp: {
        std::int16_t* tile = inp_.data() + element * lanes;
        const int bits = config_.inp_bits();
        if (bits == 8) {
            for (std::size_t i = 0; i < lanes; ++i) tile[i] = static_cast<std::int8_t>(bytes[i]);
        } else {
            for (std::size_t i = 0; i < lanes; ++i) tile[i] = unpack(bytes, i, bits);
        }
        return;
    }
    case MemoryId::Acc:
        freeze_out(element);
        std::memcpy(acc_.data() + element * lanes, bytes, lanes * sizeof(std::int32_t));
        return;
    case MemoryId::Acc8:
        freeze_out(element);
        for (std::size_t i = 0; i < lanes; ++i) acc_[element * lanes + i] = static_cast<std::int8_t>(bytes[i]);
        return;
    case MemoryId::Out: break;
    }
    throw InternalError("load of OUT");
}

void Machine::clear_element(MemoryId memory, std::size_t element) {
    const auto lanes = static_cast<std::ptrdiff_t>(config_.batch() * config_.block());
    const auto at = static_cast<std::ptrdiff_t>(element);
    const std::ptrdiff_t wgt_lanes = std::ptrdiff_t{config_.block()} * config_.block();
    if (memory == MemoryId::Inp) {
        std::fill_n(inp_.begin() + at * lanes, lanes, std::int16_t{0});
    } else if (memory == MemoryId::Wgt) {
        std::fill_n(wgt_.begin() + at * wgt_lanes, wgt_lanes, std::int16_t{0});
    } else {
        freeze_out(element);
        std::fill_n(acc_.begin() + at * lanes, lanes, 0);
    }
}

void Machine::load_wgt(std::size_t element, const std::uint8_t* bytes) {
    const auto block = static_cast<std::size_t>(config_.block());
    std::int16_t* tile = wgt_.data() + element * block * block;
    const int bits = config_.wgt_bits();
    if (bits == 8) {
        for (std::size_t o = 0; o < block; ++o) {
            const std::uint8_t* row = bytes + o * block;
            for (std::size_t c = 0; c < block; c += 2) {
                std::int16_t* pair = tile + (c * block + 2 * o);
                pair[0] = static_cast<std::int8_t>(row[c]);
                pair[1] = static_cast<std::int8_t>(row[c + 1]);
            }
        }
        return;
    }
    for (std::size_t i = 0; i < block * block; ++i) {
        const std::size_t o = i / block;
        const std::size_t c = i % block;
        tile[(c / 2 * block + o) * 2 + c % 2] = unpack(bytes, i, bits);
    }
}

void Machine::store(const Instruction& in) {
    const auto bytes = static_cast<std::size_t>(config_.out_bytes());
    const auto lanes = static_cast<std::size_t>(config_.batch() * config_.block());
    const int bits = config_.out_bits();
    std::size_t element = in.sram_base;
    for (std::size_t y = 0; y < in.y_size; ++y) {
        const std::size_t begin = (in.dram_base + y * in.x_stride) * bytes;
        for (std::size_t x = 0; x < in.x_size; ++x, ++element) {
            std::uint8_t* target = dram_.data() + begin + x * bytes;
            const bool live = config_.semantics.store_from_acc || out_live_[element] != 0;
            for (std::size_t i = 0; i < lanes; ++i) {
                const std::size_t at = element * lanes + i;
                pack(target, i, bits, live ? narrow(acc_[at], bits) : out_[at]);
            }
        }
        for (std::size_t page = begin / kPageBytes; page <= (begin + in.x_size * bytes - 1) / kPageBytes; ++page) {
            if (dirty_[page] != 0) continue;
            dirty_[page] = 1;
            dirty_list_.push_back(static_cast<std::uint32_t>(page));
        }
    }
}

void Machine::gemm(const Instruction& in) {
    run_gemm(in, {acc_.data(), inp_.data(), wgt_.data(), uops_, config_.batch(), config_.block()});
    walk_indices(in, uops_, dst_stream(in), [&](std::size_t dst) {
        out_live_[dst] = 1;
        return true;
    });
}

void Machine::reset(const Instruction& in) {
    const auto lanes = static_cast<std::size_t>(config_.batch() * config_.block());
    walk_indices(in, uops_, dst_stream(in), [&](std::size_t dst) {
        if (!config_.semantics.reset_refreshes_out) freeze_out(dst);
        std::memset(acc_.data() + dst * lanes, 0, lanes * sizeof(std::int32_t));
        if (config_.semantics.reset_refreshes_out) out_live_[dst] = 1;
        return true;
    });
}

void Machine::freeze_out(std::size_t element) {
    if (out_live_[element] == 0) return;
    const auto lanes = static_cast<std::size_t>(config_.batch() * config_.block());
    for (std::size_t i = element * lanes; i < (element + 1) * lanes; ++i) out_[i] = narrow(acc_[i], config_.out_bits());
    out_live_[element] = 0;
}

namespace {

struct AluOperands {
    std::span<const Uop> uops;
    std::int32_t* acc;
    std::size_t lanes;
    bool imm_at_src; ///< an immediate operation reads acc[src]
};

/// Applies `op` to all lanes of all steps.
template <class Op> void alu_steps(const Instruction& in, const AluOperands& operands, Op op) {
    const auto& [uops, acc, lanes, imm_at_src] = operands;
    const std::int32_t imm = in.imm;
    for (std::size_t y = 0; y < in.iter_out; ++y) {
        for (std::size_t x = 0; x < in.iter_in; ++x) {
            for (std::size_t k = in.uop_begin; k < in.uop_end; ++k) {
                std::int32_t* dst = acc + (uops[k].dst + y * in.dst_out + x * in.dst_in) * lanes;
                const std::int32_t* src = acc + (uops[k].src + y * in.src_out + x * in.src_in) * lanes;
                if (in.use_imm) {
                    const std::int32_t* left = imm_at_src ? src : dst;
                    for (std::size_t i = 0; i < lanes; ++i) dst[i] = op(left[i], imm);
                } else {
                    for (std::size_t i = 0; i < lanes; ++i) dst[i] = op(dst[i], src[i]);
                }
            }
        }
    }
}

} // namespace

void Machine::alu(const Instruction& in) {
    const auto lanes = static_cast<std::size_t>(config_.batch() * config_.block());
    const bool at_src = config_.semantics.immediate == ImmediateOperand::Source;
    const AluOperands operands{uops_, acc_.data(), lanes, at_src};
    const auto run = [&](auto op) { alu_steps(in, operands, op); };
    using I = std::int32_t;
    using U = std::uint32_t;
    switch (in.alu_op) {
    case AluOp::Min: run([](I a, I b) { return a < b ? a : b; }); break;
    case AluOp::Max: run([](I a, I b) { return a > b ? a : b; }); break;
    case AluOp::Add: run([](I a, I b) { return static_cast<I>(static_cast<U>(a) + static_cast<U>(b)); }); break;
    case AluOp::Mul: run([](I a, I b) { return static_cast<I>(static_cast<U>(a) * static_cast<U>(b)); }); break;
    case AluOp::Shr: {
        const ShiftRule rule = config_.semantics.shift;
        run([rule, imm = in.use_imm](I a, I b) { return shift(a, b, rule, imm); });
        break;
    }
    }
    walk_indices(in, uops_, dst_stream(in), [&](std::size_t dst) {
        out_live_[dst] = 1;
        return true;
    });
}

std::span<const std::int16_t> Machine::inp_tile(int index) const {
    const auto lanes = static_cast<std::size_t>(config_.batch() * config_.block());
    return std::span(inp_).subspan(static_cast<std::size_t>(index) * lanes, lanes);
}

std::span<const std::int32_t> Machine::acc_tile(int index) const {
    const auto lanes = static_cast<std::size_t>(config_.batch() * config_.block());
    return std::span(acc_).subspan(static_cast<std::size_t>(index) * lanes, lanes);
}

std::vector<std::int16_t> Machine::wgt_tile(int index) const {
    const auto block = static_cast<std::size_t>(config_.block());
    const std::int16_t* tile = wgt_.data() + static_cast<std::size_t>(index) * block * block;
    std::vector<std::int16_t> plain(block * block);
    for (std::size_t i = 0; i < plain.size(); ++i) {
        const std::size_t o = i / block;
        const std::size_t c = i % block;
        plain[i] = tile[(c / 2 * block + o) * 2 + c % 2];
    }
    return plain;
}

std::vector<std::int16_t> Machine::out_tile(int index) const {
    const auto lanes = static_cast<std::size_t>(config_.batch() * config_.block());
    const auto element = static_cast<std::size_t>(index);
    const bool live = config_.semantics.store_from_acc || out_live_[element] != 0;
    std::vector<std::int16_t> tile(lanes);
    for (std::size_t i = 0; i < lanes; ++i) {
        const std::size_t at = element * lanes + i;
        tile[i] = live ? narrow(acc_[at], config_.out_bits()) : out_[at];
    }
    return tile;
}

void Machine::restore(const Chip& chip) {
    inp_ = chip.inp;
    wgt_ = chip.wgt;
    acc_ = chip.acc;
    out_ = chip.out;
    out_live_ = chip.out_live;
    uops_ = chip.uops;
}

std::vector<std::uint32_t> Machine::take_dirty_pages() {
    std::vector<std::uint32_t> pages = std::move(dirty_list_);
    dirty_list_.clear();
    for (const std::uint32_t page : pages) dirty_[page] = 0;
    std::sort(pages.begin(), pages.end());
    return pages;
}

void Machine::set_page(std::uint32_t page, std::span<const std::uint8_t> bytes) {
    const std::size_t begin = std::size_t{page} * kPageBytes;
    ensure(begin + bytes.size() <= dram_.size(), "set_page beyond DRAM");
    std::copy(bytes.begin(), bytes.end(), dram_.begin() + static_cast<std::ptrdiff_t>(begin));
}

} // namespace orrery::vta
