#include "tests/vta-sim/random_programs.hpp"

namespace orrery::vta::testing {

Config random_config(Random& random, int low, int high) {
    while (true) {
        Config c;
        c.log_batch = pick(random, 0, 2);
        c.log_block = pick(random, 1, 5);
        c.log_inp_width = pick(random, 0, 3) == 0 ? pick(random, 1, 4) : 3;
        c.log_wgt_width = pick(random, 0, 3) == 0 ? pick(random, 1, 4) : 3;
        c.log_uop_buff = pick(random, low, 13) + 2;
        c.log_inp_buff = pick(random, low, high) + c.log_batch + c.log_block + c.log_inp_width - 3;
        c.log_wgt_buff = pick(random, low, high) + 2 * c.log_block + c.log_wgt_width - 3;
        c.log_acc_buff = pick(random, low, high) + c.log_batch + c.log_block + c.log_acc_width - 3;
        c.uop_depth = 1 << c.uop_index_bits();
        c.timing.bus_bytes = 1 << pick(random, 2, 6);
        c.timing.max_burst_beats = 1 << pick(random, 0, 8);
        c.timing.dram_latency = pick(random, 0, 40);
        c.timing.outstanding_reads = pick(random, 1, 16);
        c.timing.outstanding_writes = pick(random, 1, 4);
        c.timing.token_overflow = TokenOverflow::Stall;
        c.timing.token_queue_depth = 1 << 16;
        c.timing.command_queue_depth = pick(random, 0, 1) == 0 ? 512 : pick(random, 4, 64);
        c.semantics.shift = static_cast<ShiftRule>(pick(random, 0, 2));
        c.semantics.immediate = static_cast<ImmediateOperand>(pick(random, 0, 1));
        c.semantics.reset_refreshes_out = pick(random, 0, 1) == 1;
        c.semantics.store_from_acc = pick(random, 0, 3) == 0;
        if (check(c).empty()) return c;
    }
}

Instruction random_instruction(Random& random, const Codec& codec) {
    Instruction in;
    in.opcode = static_cast<Opcode>(pick(random, 0, 4));
    for (const FieldLayout& at : codec.layout(in.opcode)) {
        if (at.field == Field::Opcode) continue;
        std::int64_t value = static_cast<std::int64_t>(random()) & ((std::int64_t{1} << at.width) - 1);
        if (at.field == Field::Memory) value = pick(random, 0, 5);
        if (at.field == Field::AluOp) value = pick(random, 0, 4);
        if (at.field == Field::Imm) value = static_cast<std::int16_t>(value);
        set_field(in, at.field, value);
    }
    return in;
}

std::vector<std::int32_t> random_values(Random& random, std::size_t count, int bits) {
    std::uniform_int_distribution<std::int32_t> range(-(1 << (bits - 1)), (1 << (bits - 1)) - 1);
    std::vector<std::int32_t> values(count);
    for (std::int32_t& v : values) v = range(random);
    return values;
}

} // namespace orrery::vta::testing
