#pragma once
// Tensor program to LLVM IR. One Emitter writes one program into a module.
//
// A kernel `f` becomes f(args, context), which loads the buffers' addresses and calls f.body, whose parameters are
// declared not to alias. A parallel loop becomes f.parallel.<var>(begin, end, closure) and its own body in the same
// way. A vectorized loop is emitted in chunks of the machine's width: expressions that depend on the loop variable
// become vectors, conditions that do become masks. What cannot be widened is taken back and emitted as scalar
// iterations.

#include "backends/llvm/arithmetic.hpp"
#include "backends/llvm/index.hpp"
#include "backends/llvm/loop_facts.hpp"
#include "backends/llvm/workspace.hpp"
#include "core/target/backend.hpp"

#include <deque>
#include <initializer_list>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>

namespace llvm {
class AllocaInst;
class BasicBlock;
class Constant;
class DISubprogram;
class Function;
class FunctionType;
class Instruction;
class Module;
class PHINode;
} // namespace llvm

namespace orrery::codegen {

class DebugLines;

/// What the machine that code is made for can do.
struct Machine {
    int vector_bits = 128;
    int vector_registers = 16;
    bool native_half = false;                 ///< converts f16 in hardware
    bool masked_memory = false;               ///< loads and stores vectors under a mask in hardware
    std::set<std::string> intrinsics = {};    ///< of core/schedule/intrinsics.hpp, those it has
    bool native_bfloat = false;               ///< rounds f32 to bf16 in hardware, subnormal numbers to zero
    std::set<std::string> tile_products = {}; ///< instructions that multiply tiles (TensorIntrinsic::tiles)
    bool computes_half = false;               ///< has arithmetic in f16
};

class Emitter {
  public:
    /// `lines` may be null: no debug locations. Everything outlives the emitter.
    Emitter(llvm::Module& module, llvm::IRBuilderBase& builder, const Machine& machine, const BuildOptions& options,
            DebugLines* lines);
    /// Pre: find_unsupported(program) found nothing.
    void emit(const tensor::Program& program, const WorkspacePlan& workspace);

  private:
    /// A variable's value: an index for i64, an IR value otherwise.
    struct Bound {
        Index index;
        llvm::Value* value = nullptr;
    };
    /// A buffer's memory.
    struct Place {
        llvm::Value* pointer = nullptr;
        std::vector<std::int64_t> shape, strides; ///< Units: elements
        int copies = 0;                           ///< one a lane, innermost, when not 0
        bool on_stack = false;
        bool own = false; ///< no other thread knows it
        bool read_only = false;
        std::vector<llvm::Value*> twins; ///< the same address in other parameters, see register_pressure.hpp
    };
    /// What was divided, or compared, before: the same again is the same value, so that differences vanish.
    struct KnownDivision {
        Index whole;
        std::int64_t divisor = 1;
        Index quotient, remainder;
    };
    struct KnownExtreme {
        tensor::BinaryOp op;
        Index a, b, result;
    };
    /// The function being written.
    struct Frame {
        llvm::Function* function = nullptr;
        llvm::DISubprogram* scope = nullptr;
        std::unordered_map<const tensor::Node*, Bound> vars;
        std::unordered_map<const tensor::BufferNode*, Place> places;
        llvm::Value* context = nullptr;        ///< null in a parallel body
        llvm::Value* workspace = nullptr;      ///< base of the workspace
        const tensor::For* parallel = nullptr; ///< the loop whose body this is
        const Atom* slot = nullptr;            ///< its iteration
        llvm::Value* turn = nullptr;           ///< iteration of the serial loop around, in a kernel's own function
        llvm::BasicBlock* trap = nullptr;
        std::vector<KnownDivision> divisions; ///< that were computed on every way to here
        std::vector<KnownExtreme> extremes;
        int twins = 1;     ///< addresses of every read-only buffer
        int twin = 0;      ///< which of them is used now
        std::string tiles; ///< how the tile registers are configured from the function's start; empty for not at all
    };
    /// The vector being written; count 0 in scalar code.
    struct Lanes {
        int count = 0;
        llvm::Value* mask = nullptr; ///< null for all lanes
        int prefix = 0;              ///< the mask is exactly the first `prefix` lanes, when not 0
        bool failed = false;
        /// Where lanes go through two blocks of so many elements of a split axis (`load_across_blocks`): the place in
        /// its block that lane 0 has, and which of the two is looked at. 0 for nowhere.
        std::int64_t block = 0, place = 0, part = 0;
    };
    /// An element or a vector of elements of a buffer.
    struct Access {
        const tensor::Buffer& buffer;
        const Place& place;
        Index flat;
        bool inside = false; ///< for every lane, active or not
    };
    struct Checkpoint {
        llvm::BasicBlock *block = nullptr, *last_block = nullptr, *trap = nullptr;
        llvm::Instruction* last = nullptr;
        std::size_t divisions = 0, extremes = 0;
    };
    /// While it lives, code is written that need not have run when what follows runs: what becomes known in it is
    /// forgotten at its end.
    class Branch {
      public:
        explicit Branch(Emitter& emitter)
            : emitter_(emitter), divisions_(emitter.frame_.divisions.size()),
              extremes_(emitter.frame_.extremes.size()) {}
        ~Branch() { emitter_.forget(divisions_, extremes_); }
        Branch(const Branch&) = delete;
        Branch& operator=(const Branch&) = delete;

      private:
        Emitter& emitter_;
        std::size_t divisions_, extremes_;
    };
    struct Captures;

    // emit_program.cpp
    void emit_entry(const tensor::Program& program, llvm::Function* body);
    llvm::Function* make_function(llvm::FunctionType* type, const std::string& name, bool external);
    void describe_buffer_param(unsigned index, const tensor::Buffer& buffer, bool read_only);
    llvm::Value* pointer_of(const Place& place) const;
    Place place_of(const tensor::Buffer& buffer, llvm::Value* pointer) const;
    void emit_parallel(const tensor::For& loop, const Index& extent);
    int twins_for(const tensor::Stmt& body) const;
    Captures find_captures(const tensor::For& loop) const;
    llvm::Function* emit_parallel_entry(const std::string& name, llvm::Function* body, const Captures& captures);
    void emit_parallel_body(const tensor::For& loop, llvm::Function* body, const Captures& captures);

    // emit_stmt.cpp
    void emit(const tensor::Stmt& stmt);
    void emit_kind(const tensor::Stmt& stmt);
    void emit_seq(const tensor::Seq& seq);
    void emit_store(const tensor::Store& store);
    void emit_if(const tensor::If& branch);
    void emit_let(const tensor::Let& let);
    void emit_alloc(const tensor::Alloc& alloc);
    void emit_block(const tensor::Block& block);
    void emit_init(const tensor::Block& block);
    /// emit_intrinsic.cpp. False when the block stands for none that can be emitted here.
    bool emit_intrinsic(const tensor::Block& block);
    // emit_tiles.cpp
    struct TileProduct;
    [[nodiscard]] std::optional<TileProduct> tile_product(const tensor::Block& block) const;
    [[nodiscard]] bool has_tiles(const tensor::Stmt& stmt) const;
    [[nodiscard]] std::optional<TileProduct> held_product(const tensor::For& loop) const;
    [[nodiscard]] bool clears_sums(const tensor::Stmt& stmt, const tensor::Stmt& next) const;
    bool emit_tiles(const tensor::Block& block);
    bool emit_held(const tensor::For& loop); ///< false where its sums cannot stay in registers for all of it
    llvm::Constant* tile_configuration(const std::string& config);
    /// Whether that was done where the code being written stands, so that leave_tiles ends it there.
    bool configure_tiles(const TileProduct& product);
    void leave_tiles(bool configured);
    struct TileAddress {
        llvm::Value* first = nullptr;
        std::int64_t pitch = 0;  ///< between rows. Units: bytes
        std::int64_t second = 0; ///< from the first tile's rows to the second's. Units: bytes
    };
    TileAddress tile_address(const TileProduct& product, const std::string& param);
    void move_tile(unsigned id, unsigned tile, const TileAddress& at, std::int64_t offset);
    void move_sums(unsigned id, const TileProduct& product);
    void start_sums(const TileProduct& product);
    void multiply_tiles(const TileProduct& product);
    void tile_call(unsigned id, std::initializer_list<llvm::Value*> args);
    void emit_extern(const tensor::ExternCall& call);
    void emit_prefetch(const tensor::Prefetch& prefetch); ///< emit_access.cpp
    /// `then_emit` where `condition` (i1, or one a lane) holds, `else_emit` where not.
    template <class Then, class Else> void emit_where(llvm::Value* condition, Then&& then_emit, Else&& else_emit);
    void emit_for(const tensor::For& loop);
    void emit_guarded(const tensor::For& loop);
    void emit_serial(const tensor::For& loop, const Index& extent);
    void emit_piece(const tensor::For& loop, std::int64_t begin, std::int64_t end);
    void emit_counted(const tensor::For& loop, llvm::Value* begin, llvm::Value* end, Range range);
    void emit_unrolled(const tensor::For& loop, std::int64_t extent);
    void emit_vectorized(const tensor::For& loop, std::int64_t extent);
    void emit_chunk(const tensor::For& loop, const Index& first, int count, int prefix);
    void emit_chunk_loop(const tensor::For& loop, std::int64_t chunks, int width);
    void emit_tail(const tensor::For& loop, std::int64_t first, int left);
    Checkpoint checkpoint();
    void roll_back(const Checkpoint& to);
    void fail_lanes() { lanes_.failed = true; }

    // emit_expr.cpp
    /// A scalar where the value is the same for all lanes, a vector otherwise.
    llvm::Value* value(const tensor::Expr& expr);
    llvm::Value* emit_binary(const tensor::Binary& node);
    llvm::Value* emit_logical(const tensor::Binary& node);
    llvm::Value* emit_call(const tensor::Call& node);
    llvm::Value* emit_select(const tensor::Select& node);
    llvm::Value* emit_choice(llvm::Value* condition, const tensor::Select& node);
    llvm::Value* constant(DType dtype, std::int64_t bits);
    /// May evaluating it where it is not asked for go wrong, or cost much?
    bool needs_guard(const tensor::Expr& expr) const;
    void widen_pair(llvm::Value*& a, llvm::Value*& b);
    llvm::Value* widen(llvm::Value* v);
    llvm::Value* both(llvm::Value* a, llvm::Value* b); ///< conjunction; null is true

    // emit_index.cpp
    Index index(const tensor::Expr& expr);
    Index index_binary(const tensor::Binary& node);
    Index index_division(tensor::BinaryOp op, const Index& a, const Index& b);
    std::optional<Division> division_in_part(const Index& whole, std::int64_t divisor) const;
    /// Both parts of a floored division of a scalar.
    KnownDivision division(const Index& whole, std::int64_t divisor);
    Index index_extreme(tensor::BinaryOp op, const Index& a, const Index& b);
    /// All that became known after so many.
    void forget(std::size_t divisions, std::size_t extremes);
    Index plus(const Index& a, const Index& b, std::int64_t scale = 1);
    /// An IR value as an index, of values within `range`.
    Index wrap(llvm::Value* v, Range range = {});
    const Atom& make_atom(llvm::Value* v, Range range);
    llvm::Value* compare(tensor::BinaryOp op, const Index& a, const Index& b);
    llvm::Value* materialize(const Index& i);
    /// The uniform part as a scalar; `address`: it is a position inside a buffer, so that sums cannot overflow.
    llvm::Value* scalar(const Index& i, bool address = false);
    llvm::Value* first_lanes(std::int64_t active); ///< a mask
    llvm::Value* lane_numbers(std::int64_t scale, unsigned bits = 64);
    Range expr_range(const tensor::Expr& expr) const;
    /// The sum an expression is, where that takes no code.
    std::optional<Index> known_sum(const tensor::Expr& expr) const;
    Range range(const Index& i) const;

    // emit_access.cpp
    Access locate(const tensor::Buffer& buffer, const std::vector<tensor::Expr>& indices);
    void check_bounds(const Place& place, const std::vector<Index>& indices);
    llvm::Value* load(const tensor::Load& node);
    llvm::Value* load_across_blocks(const tensor::Load& node);
    llvm::Value* load_uniform(const Access& access);
    llvm::Value* load_contiguous(const Access& access);
    llvm::Value* load_strided(const Access& access);
    llvm::Value* load_shuffled(const Access& access, std::int64_t active);
    llvm::Value* load_gathered(const Access& access);
    void store(const Access& access, llvm::Value* v);
    void store_contiguous(const Access& access, llvm::Value* v);
    void store_scattered(const Access& access, llvm::Value* v);
    void store_spread(const Access& access, llvm::Value* v);
    /// `inside`: the address is that of an element of the buffer.
    llvm::Value* address(const Access& access, const Index& flat, bool inside = true);
    llvm::Value* lane_addresses(const Access& access);
    unsigned alignment(const Access& access, const Index& flat) const;
    llvm::Type* element(const Access& access) const;
    llvm::Value* resize(llvm::Value* vector, unsigned count);
    bool may_skip_mask(const Access& access) const { return !lanes_.mask || access.inside; }

    llvm::AllocaInst* make_alloca(llvm::Type* type, std::int64_t count, const std::string& name);
    llvm::BasicBlock* new_block(const std::string& name);

    llvm::Module& module_;
    llvm::IRBuilderBase& b_;
    const Machine machine_;
    const BuildOptions options_;
    DebugLines* lines_;
    Arithmetic arithmetic_;
    const WorkspacePlan* plan_ = nullptr;
    std::optional<LoopFacts> facts_;
    std::vector<tensor::Expr> held_; ///< conditions that hold wherever code is written now
    std::string symbol_;
    bool gives_away_ = false; ///< addresses of buffers to extern functions
    Frame frame_;
    Lanes lanes_;
    std::deque<Atom> atoms_;
    std::deque<Remainder> remainders_;
    bool has_parallel_ = false;  ///< the program
    bool sums_are_zero_ = false; ///< those of the loop that is written next
    bool holds_sums_ = false;    ///< in tile registers, for the loop being written
    bool bits_ = false;          ///< what is written moves the bits of narrow floats and computes nothing
    std::int64_t emitted_ = 0;   ///< statements so far: unrolling stops when there are too many
};

} // namespace orrery::codegen
