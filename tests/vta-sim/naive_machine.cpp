#include "tests/vta-sim/naive_machine.hpp"

namespace orrery::vta::testing {
namespace {

std::int64_t signed_bits(std::uint64_t raw, int width) {
    const std::uint64_t modulus = std::uint64_t{1} << width;
    raw %= modulus;
    return raw >= modulus / 2 ? static_cast<std::int64_t>(raw) - static_cast<std::int64_t>(modulus)
                              : static_cast<std::int64_t>(raw);
}

std::int64_t to32(std::int64_t value) { return signed_bits(static_cast<std::uint64_t>(value), 32); }

std::int64_t times_power(std::int64_t value, std::int64_t power) {
    for (std::int64_t i = 0; i < power; ++i) value = to32(value * 2);
    return value;
}

std::int64_t over_power(std::int64_t value, std::int64_t power) {
    for (std::int64_t i = 0; i < power; ++i) value = value < 0 ? (value - 1) / 2 : value / 2; // towards minus infinity
    return value;
}

std::int64_t shifted(std::int64_t value, std::int64_t amount, ShiftRule rule, bool immediate) {
    const std::int64_t low5 = ((amount % 32) + 32) % 32;
    if (rule == ShiftRule::LowFiveSigned) return low5 < 16 ? over_power(value, low5) : times_power(value, 32 - low5);
    if (rule == ShiftRule::RegisterRight && !immediate) return over_power(value, low5);
    return amount >= 0 ? over_power(value, low5) : times_power(value, (-amount) % 32);
}

} // namespace

NaiveMachine::NaiveMachine(const Program& program)
    : dram(program.dram), done(program.instructions.size()), program_(program), config_(program.config) {
    const auto tile = static_cast<std::size_t>(config_.batch() * config_.block());
    inp.resize(static_cast<std::size_t>(config_.inp_depth()) * tile);
    wgt.resize(static_cast<std::size_t>(config_.wgt_depth()) *
               static_cast<std::size_t>(config_.block() * config_.block()));
    acc.resize(static_cast<std::size_t>(config_.acc_depth()) * tile);
    out.resize(acc.size());
    uops.resize(static_cast<std::size_t>(config_.uop_depth));
}

bool NaiveMachine::run() {
    for (bool progress = true; progress;) {
        progress = false;
        for (std::size_t i = 0; i < done.size() && !progress; ++i) {
            if (done[i] || !ready(i)) continue;
            execute(i);
            done[i] = true;
            progress = true;
        }
    }
    for (const bool d : done) {
        if (!d) return false;
    }
    return true;
}

/// First of its module, reached by fetch, and both tokens there.
bool NaiveMachine::ready(std::size_t index) const {
    const Instruction& in = program_.instructions[index];
    const Module module = module_of(in);
    for (std::size_t i = 0; i < index; ++i) {
        if (!done[i] && module_of(program_.instructions[i]) == module) return false;
    }
    for (std::size_t i = 0; i <= index; ++i) {
        // Fetch stands before instruction i when so many of its module are fetched and not done.
        int queued = 0;
        for (std::size_t k = 0; k < i; ++k) {
            queued += !done[k] && module_of(program_.instructions[k]) == module_of(program_.instructions[i]) ? 1 : 0;
        }
        if (!done[i] && queued >= config_.timing.command_queue_depth) return false;
    }
    for (const bool next : {false, true}) {
        const auto queue = pop_queue(module, next);
        if ((next ? in.pop_next : in.pop_prev) && queue && tokens[static_cast<std::size_t>(*queue)] == 0) return false;
    }
    return true;
}

void NaiveMachine::execute(std::size_t index) {
    const Instruction& in = program_.instructions[index];
    const Module module = module_of(in);
    for (const bool next : {false, true}) {
        const auto queue = pop_queue(module, next);
        if ((next ? in.pop_next : in.pop_prev) && queue) --tokens[static_cast<std::size_t>(*queue)];
    }
    if (static_fault(config_, dram.size(), in) == Fault::None) {
        if (in.opcode == Opcode::Load || in.opcode == Opcode::Store) transfer(in);
        if (in.opcode == Opcode::Gemm || in.opcode == Opcode::Alu) steps(in);
    }
    for (const bool next : {false, true}) {
        const auto queue = push_queue(module, next);
        if ((next ? in.push_next : in.push_prev) && queue) ++tokens[static_cast<std::size_t>(*queue)];
    }
}

std::int64_t NaiveMachine::read_bits(std::uint64_t bit, int width) const {
    std::uint64_t raw = 0;
    for (int i = 0; i < width; ++i) {
        const std::uint64_t at = bit + static_cast<std::uint64_t>(i);
        raw += static_cast<std::uint64_t>(dram[at / 8] >> (at % 8) & 1) << i;
    }
    return signed_bits(raw, width);
}

void NaiveMachine::write_bits(std::uint64_t bit, int width, std::int64_t value) {
    for (int i = 0; i < width; ++i) {
        const std::uint64_t at = bit + static_cast<std::uint64_t>(i);
        const int one = static_cast<int>(static_cast<std::uint64_t>(value) >> i & 1);
        dram[at / 8] = static_cast<std::uint8_t>((dram[at / 8] & ~(1 << (at % 8))) | one << (at % 8));
    }
}

void NaiveMachine::transfer(const Instruction& in) {
    if (in.x_size == 0 || in.y_size == 0) return;
    struct Kind {
        std::vector<std::int64_t>* memory;
        std::int64_t scalars;
        int width;
    };
    const std::int64_t tile = config_.batch() * config_.block();
    Kind kind{&acc, tile, 32};
    if (in.memory == MemoryId::Inp) kind = {&inp, tile, config_.inp_bits()};
    if (in.memory == MemoryId::Wgt) kind = {&wgt, std::int64_t{config_.block()} * config_.block(), config_.wgt_bits()};
    if (in.memory == MemoryId::Acc8) kind = {&acc, tile, 8};
    if (in.memory == MemoryId::Out) kind = {config_.semantics.store_from_acc ? &acc : &out, tile, config_.out_bits()};
    const int width = in.x_pad_0 + in.x_size + in.x_pad_1;
    const int height = in.y_pad_0 + in.y_size + in.y_pad_1;
    for (int y = 0; y < height; ++y) {
        for (int x = 0; x < width; ++x) {
            const std::int64_t element = in.sram_base + std::int64_t{y} * width + x;
            const int dy = y - in.y_pad_0;
            const int dx = x - in.x_pad_0;
            const bool padding = dy < 0 || dy >= in.y_size || dx < 0 || dx >= in.x_size;
            const std::uint64_t source =
                in.dram_base + static_cast<std::uint64_t>(padding ? 0 : std::int64_t{dy} * in.x_stride + dx);
            if (in.memory == MemoryId::Uop) {
                uops[static_cast<std::size_t>(element)] = static_cast<std::uint32_t>(read_bits(source * 32, 32));
                continue;
            }
            for (std::int64_t i = 0; i < kind.scalars; ++i) {
                std::int64_t& scalar = (*kind.memory)[static_cast<std::size_t>(element * kind.scalars + i)];
                const std::uint64_t bit =
                    (source * static_cast<std::uint64_t>(kind.scalars) + static_cast<std::uint64_t>(i)) *
                    static_cast<std::uint64_t>(kind.width);
                if (in.opcode == Opcode::Store) {
                    write_bits(bit, kind.width, scalar);
                } else {
                    scalar = padding ? 0 : read_bits(bit, kind.width);
                }
            }
        }
    }
}

bool NaiveMachine::step_in_range(const Instruction& in, std::int64_t dst, std::int64_t src,
                                 std::int64_t wgt_index) const {
    if (dst >= config_.acc_depth()) return false;
    if (in.opcode == Opcode::Gemm) return in.reset || (src < config_.inp_depth() && wgt_index < config_.wgt_depth());
    return (in.use_imm && config_.semantics.immediate == ImmediateOperand::Destination) || src < config_.acc_depth();
}

void NaiveMachine::steps(const Instruction& in) {
    const Codec codec(config_);
    // Twice over the same loops: an instruction with a step out of range does nothing at all.
    for (const bool judge : {true, false}) {
        for (std::int64_t y = 0; y < in.iter_out; ++y) {
            for (std::int64_t x = 0; x < in.iter_in; ++x) {
                for (std::size_t k = in.uop_begin; k < in.uop_end; ++k) {
                    const Uop uop = codec.decode_uop(uops[k]);
                    const std::int64_t dst = uop.dst + y * in.dst_out + x * in.dst_in;
                    const std::int64_t src = uop.src + y * in.src_out + x * in.src_in;
                    const std::int64_t wgt_index = uop.wgt + y * in.wgt_out + x * in.wgt_in;
                    if (judge) {
                        if (!step_in_range(in, dst, src, wgt_index)) return;
                    } else if (in.opcode == Opcode::Gemm) {
                        gemm_step(in, dst, src, wgt_index);
                    } else {
                        alu_step(in, dst, src);
                    }
                }
            }
        }
    }
}

void NaiveMachine::gemm_step(const Instruction& in, std::int64_t dst, std::int64_t src, std::int64_t wgt_index) {
    const std::int64_t block = config_.block();
    for (std::int64_t b = 0; b < config_.batch(); ++b) {
        for (std::int64_t o = 0; o < block; ++o) {
            const auto at = static_cast<std::size_t>((dst * config_.batch() + b) * block + o);
            std::int64_t sum = in.reset ? 0 : acc[at];
            for (std::int64_t c = 0; !in.reset && c < block; ++c) {
                sum += inp[static_cast<std::size_t>((src * config_.batch() + b) * block + c)] *
                       wgt[static_cast<std::size_t>((wgt_index * block + o) * block + c)];
            }
            acc[at] = to32(sum);
            if (!in.reset || config_.semantics.reset_refreshes_out) {
                out[at] = signed_bits(static_cast<std::uint64_t>(acc[at]), config_.out_bits());
            }
        }
    }
}

void NaiveMachine::alu_step(const Instruction& in, std::int64_t dst, std::int64_t src) {
    const std::int64_t lanes = config_.batch() * config_.block();
    for (std::int64_t i = 0; i < lanes; ++i) {
        const auto at = static_cast<std::size_t>(dst * lanes + i);
        const auto other = static_cast<std::size_t>(src * lanes + i);
        const bool at_source = in.use_imm && config_.semantics.immediate == ImmediateOperand::Source;
        const std::int64_t left = acc[at_source ? other : at];
        const std::int64_t right = in.use_imm ? in.imm : acc[other];
        switch (in.alu_op) {
        case AluOp::Min: acc[at] = left < right ? left : right; break;
        case AluOp::Max: acc[at] = left < right ? right : left; break;
        case AluOp::Add: acc[at] = to32(left + right); break;
        case AluOp::Mul: acc[at] = to32(left * right); break;
        case AluOp::Shr: acc[at] = shifted(left, right, config_.semantics.shift, in.use_imm); break;
        }
        out[at] = signed_bits(static_cast<std::uint64_t>(acc[at]), config_.out_bits());
    }
}

} // namespace orrery::vta::testing
