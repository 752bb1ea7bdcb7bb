#pragma once
// A tensor program made ready to interpret: a tree of control nodes over leaves of straight-line lane code.
//
// A leaf is what one block does in its innermost loops: one store, the expression it stores, and the conditions
// around it. As many of the innermost loops as fit into kLanes iterations (the last of them in chunks) form its
// strip, and every instruction runs over all iterations of the strip before the next one does. That gives the
// same numbers as one iteration after another, because a leaf gets a strip only when
//   - nothing in it loads the buffer it stores to ("map": iterations are independent; stores keep their order), or
//   - it stores combine(old element, term) and only the old element is loaded from that buffer ("fold": terms are
//     computed for the whole strip, then combined strictly one after another).
// Anything else runs with a strip of one iteration. Lanes that a condition turns off load nothing.

#include "core/base/result.hpp"
#include "core/runtime/externs.hpp"
#include "core/tensor/interpreter_kernels.hpp"

#include <algorithm>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <variant>
#include <vector>

namespace orrery::tensor {

/// constant + sum of coefficient * slot; slots hold loop variables and bound i64 values.
struct Linear {
    struct Term {
        int slot = 0;
        std::int64_t coefficient = 0;
        bool operator==(const Term&) const = default;
    };
    std::int64_t constant = 0;
    std::vector<Term> terms; ///< by slot, no slot twice, no coefficient 0
    bool operator==(const Linear&) const = default;

    /// Wraps: a part of an expression that no lane asks for may overflow.
    [[nodiscard]] std::int64_t at(const std::int64_t* slots) const {
        auto sum = static_cast<std::uint64_t>(constant);
        for (const Term& term : terms)
            sum += static_cast<std::uint64_t>(term.coefficient) * static_cast<std::uint64_t>(slots[term.slot]);
        return static_cast<std::int64_t>(sum);
    }
};

/// A Linear over the lanes of a strip: lane i is index.at(slots at the strip's first iteration) + pattern[i].
struct LaneLinear {
    Linear index;
    std::vector<std::int64_t> pattern;         ///< one element a lane of a full strip
    std::int64_t chunk_step = 0;               ///< change from one iteration of the chunked loop to the next
    std::int64_t inner_min = 0, inner_max = 0; ///< least and greatest change over the loops inside it

    /// Least and greatest value over a strip that takes `steps` iterations of the chunked loop.
    [[nodiscard]] std::int64_t least(std::int64_t base, std::int64_t steps) const {
        return base + inner_min + std::min<std::int64_t>(0, chunk_step * (steps - 1));
    }
    [[nodiscard]] std::int64_t greatest(std::int64_t base, std::int64_t steps) const {
        return base + inner_max + std::max<std::int64_t>(0, chunk_step * (steps - 1));
    }
};

/// A part of an index that is no sum of slots: coefficient * an i64 register.
struct LaneTerm {
    int reg = 0;
    std::int64_t coefficient = 0;
};

/// Where a load or store goes.
struct Access {
    enum class Stride : std::uint8_t { Same, Unit, Any };
    struct Dimension {
        LaneLinear index;
        std::vector<LaneTerm> extra;
        std::int64_t extent = 0;
    };
    int buffer = 0;
    LaneLinear offset;                 ///< Units: elements
    std::vector<std::int32_t> pattern; ///< offset.pattern again; empty when it does not fit
    std::vector<LaneTerm> extra;
    Stride stride = Stride::Any;
    int run = 1;                       ///< lanes in a row, from each multiple of it on, that go to one element
    bool proven = false;               ///< in bounds whatever the slots are
    std::vector<Dimension> dimensions; ///< empty when proven
};

enum class OpCode : std::uint8_t {
    Unary,
    Binary,
    Select, ///< dst = c ? a : b; `mask`, `index`: registers that say that all lanes take a, b, or -1
    Load,
    Affine,     ///< dst = linears[index], i64
    Compare,    ///< dst = linears[index] op 0, Bool; `a` is the BinaryOp
    MaskAnd,    ///< dst = a and b; a or b < 0 is all lanes
    MaskAndNot, ///< dst = a and not b; a < 0 is all lanes
    JumpIfNone, ///< to instruction `index` when no lane of `a` is on; -1 leaves the leaf
    ToSlot      ///< slots[index] = lane 0 of a
};

struct Instruction {
    OpCode code{};
    int dst = -1, a = -1, b = -1, c = -1;
    int mask = -1;         ///< Load: lanes that are on; -1 for all
    int index = -1;        ///< access, linear, jump target or slot
    bool in_place = false; ///< Load: the register may be the buffer's own memory
    DType dtype{};         ///< Load, Select: of the result
    union {
        UnaryKernel unary = nullptr;
        BinaryKernel binary;
        SelectKernel select;
        GatherKernel gather;
    };
};
using LaneCode = std::vector<Instruction>;

/// An i64 computed once: `linear` when `code` is empty, else lane 0 of `reg` after the code.
struct ScalarCode {
    LaneCode code;
    int reg = -1;
    Linear linear;
};

struct Leaf {
    struct Store {
        int access = 0, value = 0, mask = -1;
        DType dtype{};
        FoldKernel fold = nullptr; ///< null: the value is stored as it is
        MacKernel mac = nullptr;   ///< instead of `code` when all of its accesses are in bounds
        int mac_a = -1, mac_b = -1;
    };
    LaneCode before; ///< once, before the strips
    LaneCode code;   ///< once a strip
    Store store;
    bool straight = false; ///< `code` has no jump, and its last instruction computes what is stored
    bool chunked = false;  ///< the outermost strip loop runs in chunks
    int chunk_slot = -1;
    ScalarCode chunk_extent;
    std::int64_t chunk = 1; ///< its iterations in a full strip
    int inner = 1;          ///< lanes of one of them
    std::vector<int> inner_slots;
    // The block's init, when the fold has one.
    int init_value = -1;           ///< register, or -1
    std::vector<int> reduce_iters; ///< linears: init runs in lanes where all are 0
    int init_mask = -1;            ///< instead: a Bool register of those lanes
    bool starts_only = false;      ///< while no linear is negative, only the first lane of a run can be such a lane
    int run = kLanes;              ///< lanes in a row that store to one element
};

struct ControlNode;
using Control = std::unique_ptr<ControlNode>;

struct LoopControl {
    int slot;
    ScalarCode extent;
    Control body;
};
struct SequenceControl {
    std::vector<Control> children;
};
/// Runs `then` when lane 0 of `reg` is true.
struct BranchControl {
    LaneCode code;
    int reg;
    Control then_body, else_body;
};
/// Runs `body` when all are 0.
struct ZeroControl {
    std::vector<Linear> values;
    Control body;
};
struct BindControl {
    int slot;
    ScalarCode value;
    Control body;
};
/// A bound value that is no i64: spread over all lanes of `reg`.
struct SpreadControl {
    LaneCode code;
    int from, reg;
    UnaryKernel splat;
    Control body;
};
struct AllocControl {
    int buffer;
    Control body;
};

/// Calls a function over boxes of buffers, whose last `rank` dimensions it sees.
struct ExternControl {
    struct Box {
        int buffer;
        std::vector<ScalarCode> min, extent;
        std::size_t rank;
    };
    const runtime::ExternFunction* function;
    std::vector<Box> boxes;
    std::vector<ScalarCode> numbers;
};

struct ControlNode {
    std::variant<LoopControl, SequenceControl, BranchControl, ZeroControl, BindControl, SpreadControl, AllocControl,
                 ExternControl, Leaf>
        node;
};

struct PlannedBuffer {
    std::string name;
    DType dtype{};
    std::vector<std::int64_t> shape;
    int parameter = -1; ///< -1 for an allocated one
};

struct Plan {
    struct Constant {
        int reg = 0;
        Expr value;
    };
    std::vector<PlannedBuffer> buffers;
    std::vector<Access> accesses;
    std::vector<LaneLinear> linears;
    std::vector<Constant> constants;
    int slot_count = 0, register_count = 0;
    Control body;
};

/// Pre: `shapes` are the parameters' shapes and fit the program (see interpret); check_externs(program).
/// Broken invariant when a variable or buffer is not in scope.
[[nodiscard]] Plan plan_program(const Program& program, std::span<const std::vector<std::int64_t>> shapes);

/// The value of a shape's extent once size parameters are known.
using SizeMap = std::map<VarRef, std::int64_t>;
[[nodiscard]] std::int64_t extent_value(const Expr& extent, const SizeMap& sizes);

} // namespace orrery::tensor
