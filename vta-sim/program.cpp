#include "vta-sim/program.hpp"

#include <algorithm>
#include <array>

namespace orrery::vta {
namespace {

Fault transfer_fault(const Config& config, std::uint64_t dram_bytes, const Instruction& in) {
    const bool store = in.opcode == Opcode::Store;
    if (store != (in.memory == MemoryId::Out)) return Fault::BadMemory;
    if (in.memory == MemoryId::Acc8 && !config.semantics.acc_8bit) return Fault::BadMemory;
    if (is_sync(in)) return Fault::None;
    const bool padded = (in.y_pad_0 | in.y_pad_1 | in.x_pad_0 | in.x_pad_1) != 0;
    if (padded && (store || in.memory == MemoryId::Uop)) return Fault::BadPadding;
    if (in.memory == MemoryId::Uop && in.y_size != 1) return Fault::BadPadding;
    if (in.sram_base + sram_elements(in) > static_cast<std::uint64_t>(memory_depth(config, in.memory))) {
        return Fault::SramRange;
    }
    const std::uint64_t last = std::uint64_t{in.dram_base} + std::uint64_t{in.y_size - 1U} * in.x_stride + in.x_size;
    if (last * static_cast<std::uint64_t>(dram_element_bytes(config, in.memory)) > dram_bytes) return Fault::DramRange;
    return Fault::None;
}

} // namespace

const DramBuffer* Program::find_buffer(std::string_view name) const {
    const auto it = std::find_if(buffers.begin(), buffers.end(), [&](const DramBuffer& b) { return b.name == name; });
    return it == buffers.end() ? nullptr : &*it;
}

std::string_view fault_name(Fault fault) {
    constexpr std::array<std::string_view, 7> names = {"none",       "bad memory",     "bad padding",     "SRAM range",
                                                       "DRAM range", "micro-op range", "tile index range"};
    return names[static_cast<std::size_t>(fault)];
}

Fault static_fault(const Config& config, std::uint64_t dram_bytes, const Instruction& in) {
    switch (in.opcode) {
    case Opcode::Load:
    case Opcode::Store: return transfer_fault(config, dram_bytes, in);
    case Opcode::Alu:
        if (in.alu_op == AluOp::Mul && !config.semantics.multiply) return Fault::BadMemory;
        [[fallthrough]];
    case Opcode::Gemm:
        return in.uop_end < in.uop_begin || in.uop_end > config.uop_depth ? Fault::UopRange : Fault::None;
    case Opcode::Finish: return Fault::None;
    }
    throw InternalError("static_fault of an unknown opcode");
}

} // namespace orrery::vta
