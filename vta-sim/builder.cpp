// Buffers, transfers, kernels with the micro-op cache, dependency flags, and last the pipeline that interleaves tiles
// over contexts.

#include "vta-sim/builder.hpp"

#include <algorithm>
#include <cstring>

namespace orrery::vta {
namespace {

constexpr std::uint64_t kFirstAddress = 4096; // leaves page 0 unused, so that a zero address is noticed
constexpr std::uint64_t kAlignment = 64;

MemoryId memory_of(BufferKind kind) {
    switch (kind) {
    case BufferKind::Inp: return MemoryId::Inp;
    case BufferKind::Wgt: return MemoryId::Wgt;
    case BufferKind::Acc: return MemoryId::Acc;
    case BufferKind::Out: return MemoryId::Out;
    case BufferKind::Uop: return MemoryId::Uop;
    case BufferKind::Acc8: return MemoryId::Acc8;
    }
    throw InternalError("unknown buffer kind");
}

bool towards_next(Module from, Module to) { return static_cast<int>(to) > static_cast<int>(from); }

std::uint64_t round_up(std::uint64_t value, std::uint64_t unit) { return (value + unit - 1) / unit * unit; }

} // namespace

Builder::Builder(const Config& config) : codec_(config) {
    ensure(check(config).empty(), "Builder of an illegal configuration");
    program_.config = config;
    program_.dram.resize(kFirstAddress);
    program_.origin_names.emplace_back("program");
}

void Builder::fail(ErrorCode code, std::string message, std::string where) {
    if (!error_) error_ = Error{code, std::move(message), std::move(where)};
}

const DramBuffer& Builder::alloc(std::string_view name, BufferKind kind, std::uint64_t elements) {
    const auto element = static_cast<std::uint64_t>(dram_element_bytes(program_.config, memory_of(kind)));
    const std::uint64_t address = round_up(program_.dram.size(), std::max(kAlignment, element));
    buffers_.push_back(std::make_unique<DramBuffer>(DramBuffer{std::string(name), kind, address, elements * element}));
    program_.dram.resize(address + elements * element);
    return *buffers_.back();
}

void Builder::write(const DramBuffer& buffer, std::span<const std::uint8_t> bytes) {
    if (bytes.size() > buffer.bytes) return fail(ErrorCode::OutOfDram, "more data than the buffer holds", buffer.name);
    std::copy(bytes.begin(), bytes.end(), program_.dram.begin() + static_cast<std::ptrdiff_t>(buffer.address));
}

void Builder::set_origin(std::string_view name) {
    auto& names = program_.origin_names;
    const auto it = std::find(names.begin(), names.end(), name);
    origin_ = static_cast<std::uint32_t>(it - names.begin());
    if (it == names.end()) names.emplace_back(name);
}

void Builder::emit(Instruction instruction) {
    if (error_) return;
    ModuleState& module = modules_[at(module_of(instruction))];
    instruction.pop_prev = std::exchange(module.pop_prev, false);
    instruction.pop_next = std::exchange(module.pop_next, false);
    const Result<Encoded> bits = codec_.encode(instruction);
    if (!bits) {
        return fail(bits.error().code, bits.error().message,
                    std::string(opcode_name(instruction.opcode)) + " " + bits.error().where);
    }
    module.last = program_.instructions.size();
    program_.instructions.push_back(instruction);
    program_.origins.push_back(origin_);
}

void Builder::emit_sync(Module module) {
    Instruction in;
    in.opcode = module == Module::Store ? Opcode::Store : Opcode::Load;
    in.memory = module == Module::Load ? MemoryId::Inp : module == Module::Compute ? MemoryId::Uop : MemoryId::Out;
    emit(in);
}

void Builder::load(const Transfer& t) { transfer(Opcode::Load, t); }
void Builder::store(const Transfer& t) { transfer(Opcode::Store, t); }

void Builder::transfer(Opcode opcode, const Transfer& t) {
    ensure(t.buffer != nullptr, "a transfer without a buffer");
    const auto element = static_cast<std::uint64_t>(dram_element_bytes(program_.config, t.memory));
    const std::uint64_t stride = t.x_stride == 0 ? t.x_size : t.x_stride;
    const std::string where = t.buffer->name;
    if (t.y_size == 0 || t.x_size == 0) return fail(ErrorCode::IllegalTile, "an empty transfer", where);
    if (t.y_size > 0xffff || t.x_size > 0xffff || stride > 0xffff) {
        return fail(ErrorCode::FieldOverflow, "rows, row length and stride have 16 bits", where);
    }
    for (const int pad : {t.y_pad[0], t.y_pad[1], t.x_pad[0], t.x_pad[1]}) {
        if (pad < 0 || pad > 15) return fail(ErrorCode::FieldOverflow, "padding is 0 to 15", where);
    }
    if ((t.offset + (t.y_size - 1) * stride + t.x_size) * element > t.buffer->bytes) {
        return fail(ErrorCode::OutOfDram, "the transfer leaves its buffer", where);
    }
    if (t.sram_base > 0xffff || t.buffer->address / element + t.offset > 0xffffffffU) {
        return fail(ErrorCode::FieldOverflow, "the SRAM or DRAM address does not fit", where);
    }
    Instruction in;
    in.opcode = opcode;
    in.memory = t.memory;
    in.sram_base = static_cast<std::uint16_t>(t.sram_base);
    in.dram_base = static_cast<std::uint32_t>(t.buffer->address / element + t.offset);
    in.y_size = static_cast<std::uint16_t>(t.y_size);
    in.x_size = static_cast<std::uint16_t>(t.x_size);
    in.x_stride = static_cast<std::uint16_t>(stride);
    in.y_pad_0 = static_cast<std::uint8_t>(t.y_pad[0]);
    in.y_pad_1 = static_cast<std::uint8_t>(t.y_pad[1]);
    in.x_pad_0 = static_cast<std::uint8_t>(t.x_pad[0]);
    in.x_pad_1 = static_cast<std::uint8_t>(t.x_pad[1]);
    const Fault fault = static_fault(program_.config, program_.dram.size(), in);
    if (fault != Fault::None) return fail(ErrorCode::IllegalTile, std::string(fault_name(fault)), where);
    emit(in);
}

bool Builder::kernel_is_legal(const UopKernel& kernel) {
    if (kernel.loops.size() > 2 || kernel.uops.empty()) {
        fail(ErrorCode::IllegalKernel, "a kernel has one micro-op or more and at most two loops", "kernel");
        return false;
    }
    if (kernel.uops.size() > static_cast<std::size_t>(program_.config.uop_depth)) {
        fail(ErrorCode::IllegalKernel,
             std::to_string(kernel.uops.size()) + " micro-ops exceed the memory of " +
                 std::to_string(program_.config.uop_depth),
             "kernel");
        return false;
    }
    const auto gap = static_cast<std::size_t>(program_.config.reuse_gap);
    for (std::size_t k = 0; !kernel.alu && !kernel.reset && k < kernel.uops.size(); ++k) {
        for (std::size_t back = 1; back <= std::min(gap, k); ++back) {
            if (kernel.uops[k].dst != kernel.uops[k - back].dst) continue;
            fail(ErrorCode::IllegalKernel,
                 "a micro-op writes the tile of one less than " + std::to_string(gap + 1) + " before it",
                 "micro-op " + std::to_string(k));
            return false;
        }
    }
    return true;
}

void Builder::run(const UopKernel& kernel) {
    if (error_ || !kernel_is_legal(kernel)) return;
    const std::uint64_t begin = place_uops(kernel.uops);
    // A single loop sits at the outer level for GEMM and at the inner level for ALU.
    UopLoop outer;
    UopLoop inner;
    if (kernel.loops.size() == 2) {
        outer = kernel.loops[0];
        inner = kernel.loops[1];
    } else if (kernel.loops.size() == 1) {
        (kernel.alu ? inner : outer) = kernel.loops[0];
    }
    for (const UopLoop& loop : {outer, inner}) {
        for (const std::uint64_t value : {loop.extent, loop.dst, loop.src, loop.wgt}) {
            if (value > 0xffff) return fail(ErrorCode::FieldOverflow, "a loop extent or factor does not fit", "loop");
        }
    }
    Instruction in;
    in.opcode = kernel.alu ? Opcode::Alu : Opcode::Gemm;
    in.reset = !kernel.alu && kernel.reset;
    in.uop_begin = static_cast<std::uint16_t>(begin);
    in.uop_end = static_cast<std::uint16_t>(begin + kernel.uops.size());
    in.iter_out = static_cast<std::uint16_t>(outer.extent);
    in.iter_in = static_cast<std::uint16_t>(inner.extent);
    in.dst_out = static_cast<std::uint16_t>(outer.dst);
    in.dst_in = static_cast<std::uint16_t>(inner.dst);
    in.src_out = static_cast<std::uint16_t>(outer.src);
    in.src_in = static_cast<std::uint16_t>(inner.src);
    if (kernel.alu) {
        in.alu_op = kernel.op;
        in.use_imm = kernel.use_imm;
        in.imm = kernel.imm;
    } else {
        in.wgt_out = static_cast<std::uint16_t>(outer.wgt);
        in.wgt_in = static_cast<std::uint16_t>(inner.wgt);
    }
    emit(in);
}

std::uint64_t Builder::place_uops(const std::vector<Uop>& uops) {
    std::vector<std::uint32_t> words;
    for (const Uop& uop : uops) {
        const Result<std::uint32_t> word = codec_.encode_uop(uop);
        if (!word) {
            fail(word.error().code, word.error().message, "micro-op " + word.error().where);
            return 0;
        }
        words.push_back(*word);
    }
    const auto [it, added] = cache_.try_emplace(words, CachedKernel{uop_words_.size(), std::nullopt});
    if (added) uop_words_.insert(uop_words_.end(), words.begin(), words.end());
    CachedKernel& cached = it->second;
    if (cached.sram) return *cached.sram;
    if (uop_top_ + words.size() > static_cast<std::uint64_t>(program_.config.uop_depth)) {
        for (auto& [key, kernel] : cache_) kernel.sram.reset();
        uop_top_ = 0;
    }
    cached.sram = uop_top_;
    Instruction in;
    in.opcode = Opcode::Load;
    in.memory = MemoryId::Uop;
    in.sram_base = static_cast<std::uint16_t>(uop_top_);
    in.dram_base = static_cast<std::uint32_t>(cached.dram_offset);
    in.y_size = 1;
    in.x_size = static_cast<std::uint16_t>(words.size());
    in.x_stride = in.x_size;
    uop_loads_.push_back(program_.instructions.size());
    emit(in);
    uop_top_ += words.size();
    return *cached.sram;
}

void Builder::dep_pop(Module from, Module to) {
    ModuleState& module = modules_[at(to)];
    bool& flag = towards_next(from, to) ? module.pop_prev : module.pop_next;
    if (flag) emit_sync(to);
    flag = true;
}

void Builder::dep_push(Module from, Module to) {
    if (error_) return;
    ModuleState& module = modules_[at(from)];
    const bool next = towards_next(from, to);
    const auto taken = [&] {
        const Instruction& last = program_.instructions[*module.last];
        return next ? last.push_next : last.push_prev;
    };
    if (!module.last || module.pop_prev || module.pop_next || taken()) emit_sync(from);
    if (error_) return;
    Instruction& last = program_.instructions[*module.last];
    (next ? last.push_next : last.push_prev) = true;
}

void Builder::barrier() {
    dep_push(Module::Load, Module::Compute);
    dep_push(Module::Store, Module::Compute);
    dep_pop(Module::Load, Module::Compute);
    dep_pop(Module::Store, Module::Compute);
    emit_sync(Module::Compute);
    dep_push(Module::Compute, Module::Load);
    dep_push(Module::Compute, Module::Store);
    dep_pop(Module::Compute, Module::Load);
    dep_pop(Module::Compute, Module::Store);
}

void Builder::synchronize() {
    dep_push(Module::Load, Module::Compute);
    dep_push(Module::Store, Module::Compute);
    dep_pop(Module::Load, Module::Compute);
    dep_pop(Module::Store, Module::Compute);
    emit(Instruction{});
}

Result<Program> Builder::finish() {
    for (const Module module : {Module::Load, Module::Compute, Module::Store}) {
        if (modules_[at(module)].pop_prev || modules_[at(module)].pop_next) emit_sync(module);
    }
    if (error_) return *error_;
    if (!uop_words_.empty()) {
        const DramBuffer& buffer = alloc("uops", BufferKind::Uop, uop_words_.size());
        for (std::size_t i = 0; i < uop_words_.size(); ++i) {
            for (std::size_t byte = 0; byte < 4; ++byte) {
                program_.dram[buffer.address + 4 * i + byte] = static_cast<std::uint8_t>(uop_words_[i] >> (8 * byte));
            }
        }
        for (const std::size_t load : uop_loads_) {
            program_.instructions[load].dram_base += static_cast<std::uint32_t>(buffer.address / 4);
        }
    }
    for (const auto& buffer : buffers_) program_.buffers.push_back(*buffer);
    return std::move(program_);
}

void TilePipeline::emit(Builder& builder, Stages& stages) const {
    const auto ways = static_cast<std::size_t>(contexts);
    const std::size_t total_steps = tiles * static_cast<std::size_t>(reductions);
    std::size_t step = 0;
    for (std::size_t group = 0; group < tiles; group += ways) {
        const std::size_t end = std::min(group + ways, tiles);
        for (int r = 0; r < reductions; ++r) {
            for (std::size_t tile = group; tile < end; ++tile, ++step) {
                const int load_context = static_cast<int>(step % ways);
                const int acc_context = static_cast<int>(tile % ways);
                if (step >= ways) builder.dep_pop(Module::Compute, Module::Load);
                stages.load(tile, r, load_context);
                builder.dep_push(Module::Load, Module::Compute);
                if (r == 0) {
                    if (tile >= ways) builder.dep_pop(Module::Store, Module::Compute);
                    stages.begin(tile, acc_context);
                }
                builder.dep_pop(Module::Load, Module::Compute);
                stages.multiply(tile, r, load_context, acc_context);
                if (step + ways < total_steps) builder.dep_push(Module::Compute, Module::Load);
            }
        }
        for (std::size_t tile = group; tile < end; ++tile) {
            const int acc_context = static_cast<int>(tile % ways);
            stages.end(tile, acc_context);
            builder.dep_push(Module::Compute, Module::Store);
            builder.dep_pop(Module::Compute, Module::Store);
            stages.store(tile, acc_context);
            if (tile + ways < tiles) builder.dep_push(Module::Store, Module::Compute);
        }
    }
}

} // namespace orrery::vta
