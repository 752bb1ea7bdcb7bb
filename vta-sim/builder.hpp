#pragma once

#include "vta-sim/program.hpp"

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace orrery::vta {

/// A LOAD or STORE before it is an instruction. Units: elements of the memory.
struct Transfer {
    MemoryId memory = MemoryId::Inp;
    const DramBuffer* buffer = nullptr;
    std::uint64_t offset = 0; ///< first element within the buffer
    std::uint64_t sram_base = 0;
    std::uint64_t y_size = 1;
    std::uint64_t x_size = 1;
    std::uint64_t x_stride = 0; ///< 0 means x_size
    std::array<int, 2> y_pad{}; ///< above, below
    std::array<int, 2> x_pad{}; ///< left, right
};

/// One of up to two loops around the micro-ops of a kernel.
struct UopLoop {
    std::uint64_t extent = 1;
    std::uint64_t dst = 0; ///< what a turn adds to each index
    std::uint64_t src = 0;
    std::uint64_t wgt = 0;
};

/// A micro-op kernel: what a GEMM or ALU instruction does, with micro-ops and loops.
struct UopKernel {
    bool alu = false;
    bool reset = false;    ///< GEMM only
    AluOp op = AluOp::Add; ///< ALU only, as the next two
    bool use_imm = false;
    std::int16_t imm = 0;
    std::vector<UopLoop> loops; ///< at most two, outer first
    std::vector<Uop> uops;
};

/// The runtime's interface: emits instructions, places micro-ops and buffers, and keeps the dependency flags.
/// The first mistake is kept and returned by `finish`; calls after it do nothing.
class Builder {
  public:
    /// Pre: the configuration is legal.
    explicit Builder(const Config& config);

    /// A buffer of whole elements, 64-byte aligned or aligned to its element, whichever is larger; zeros at first.
    /// The reference stays valid as long as the builder.
    const DramBuffer& alloc(std::string_view name, BufferKind kind, std::uint64_t elements);
    /// Copies into the image. Errors: OutOfDram when it does not fit the buffer.
    void write(const DramBuffer& buffer, std::span<const std::uint8_t> bytes);

    /// Instructions emitted from now on come from this origin.
    void set_origin(std::string_view name);

    /// 2-D load with padding, or store. Errors: FieldOverflow; IllegalTile when it leaves SRAM or the buffer.
    void load(const Transfer& transfer);
    void store(const Transfer& transfer);

    /// Emits the kernel, preceded by a LOAD UOP when its micro-ops are not in the micro-op memory. The cache is a
    /// ring: a kernel that does not fit behind the last one starts again at 0 and drops all others.
    /// Errors: IllegalKernel (too many loops or micro-ops, reuse gap), FieldOverflow.
    void run(const UopKernel& kernel);

    /// The next instruction of `to` first takes a token that `from` gives.
    void dep_pop(Module from, Module to);
    /// The last instruction of `from` gives a token to `to`; where its flag is taken, a sync instruction does.
    void dep_push(Module from, Module to);

    /// All instructions before it are complete before any instruction after it starts; for joining programs.
    void barrier();
    /// Waits in compute for load and store, then FINISH.
    void synchronize();

    /// Appends the micro-op buffer and returns the program.
    [[nodiscard]] Result<Program> finish();

    [[nodiscard]] const Config& config() const { return program_.config; }

  private:
    struct ModuleState {
        std::optional<std::size_t> last; ///< instruction that a push flag can be set on
        bool pop_prev = false;           ///< to be set on the next instruction
        bool pop_next = false;
    };
    struct CachedKernel {
        std::uint64_t dram_offset;
        std::optional<std::uint64_t> sram;
    };

    void fail(ErrorCode code, std::string message, std::string where);
    void emit(Instruction instruction);
    void emit_sync(Module module);
    void transfer(Opcode opcode, const Transfer& transfer);
    [[nodiscard]] std::uint64_t place_uops(const std::vector<Uop>& uops);
    [[nodiscard]] bool kernel_is_legal(const UopKernel& kernel);

    Program program_;
    Codec codec_;
    std::vector<std::unique_ptr<DramBuffer>> buffers_;
    std::array<ModuleState, kExecModules> modules_;
    std::map<std::vector<std::uint32_t>, CachedKernel> cache_;
    std::vector<std::uint32_t> uop_words_;
    std::vector<std::size_t> uop_loads_; ///< instructions whose dram_base counts from the micro-op buffer
    std::uint64_t uop_top_ = 0;
    std::uint32_t origin_ = 0;
    std::optional<Error> error_;
};

/// Runs tiles through load, compute and store with one or two contexts of every memory (virtual threads).
///
/// Work is a list of tiles, each with `reductions` steps. Step k uses load context k % contexts, tile t uses
/// accumulator context t % contexts, and tiles of a group of `contexts` are interleaved step by step, so that the
/// loads of one context run while the other is multiplied. Tokens make every reuse of a context wait for its reader.
struct TilePipeline {
    std::size_t tiles = 0;
    int reductions = 1;
    int contexts = 1;

    /// What happens to one tile; the callbacks only emit loads, kernels and stores.
    class Stages {
      public:
        virtual ~Stages() = default;
        virtual void load(std::size_t tile, int reduction, int load_context) = 0;
        virtual void begin(std::size_t tile, int acc_context) = 0;
        virtual void multiply(std::size_t tile, int reduction, int load_context, int acc_context) = 0;
        virtual void end(std::size_t tile, int acc_context) = 0;
        virtual void store(std::size_t tile, int acc_context) = 0;
    };

    void emit(Builder& builder, Stages& stages) const;
};

} // namespace orrery::vta
