#pragma once
// Compiling the expressions of one leaf to lane code.

#include "core/tensor/analysis.hpp"
#include "core/tensor/interpreter_plan.hpp"

#include <optional>
#include <unordered_map>
#include <variant>

namespace orrery::tensor {

/// What all leaves of a plan share while it is made.
struct PlanState {
    /// A variable: a sum of slots, another name for an expression, or a register that holds it in every lane.
    using Binding = std::variant<Linear, Expr, int>;

    Plan plan;
    SizeMap sizes;
    Bounds bounds; ///< of the i64 variables in scope
    std::unordered_map<const Var*, Binding> vars;
    std::unordered_map<const BufferNode*, int> buffers;
    std::vector<int> free_registers;

    int new_slot() { return plan.slot_count++; }
    int new_register();
    int constant_register(const Expr& value);
    /// The index of a buffer in scope; a broken invariant otherwise.
    [[nodiscard]] int buffer_index(const Buffer& buffer) const;
};

/// A loop that a strip runs through.
struct StripLoop {
    int slot = 0;
    std::int64_t extent = 0; ///< of the chunked loop, the iterations of a full strip
};

/// Loops of a strip, outermost first. Only the first may be chunked.
struct Strip {
    std::vector<StripLoop> loops;
    bool chunked = false;
    [[nodiscard]] int lanes() const;
};

class LeafCompiler {
  public:
    LeafCompiler(PlanState& state, Strip strip);
    ~LeafCompiler(); ///< gives its registers back to the state

    /// An i64 expression as slots and other terms.
    struct Sum {
        Linear linear;
        std::vector<std::pair<Expr, std::int64_t>> terms;
    };
    [[nodiscard]] Sum sum_of(const Expr& expr);
    [[nodiscard]] bool same_index(const std::vector<Expr>& a, const std::vector<Expr>& b);
    [[nodiscard]] bool has_load(const Expr& expr);

    /// To be called for everything that will be emitted, before the first emit: values used once free their register.
    void count_uses(const Expr& expr);
    /// Code that puts the value of `expr` into the register returned, for the lanes that are on.
    int emit(const Expr& expr);
    /// From here on, only lanes where `condition` holds are on.
    void restrict(const Expr& condition);
    int access(const Buffer& buffer, const std::vector<Expr>& indices);
    int lane_linear(const Linear& linear);
    /// As lane_linear, for an expression; nullopt when it takes more than slots.
    std::optional<int> lane_linear(const Expr& expr);
    [[nodiscard]] int mask() const { return mask_; }

    [[nodiscard]] const LaneCode& code() const { return code_; }
    LaneCode take_code() { return std::move(code_); }
    LaneCode take_before() { return std::move(before_); }

  private:
    /// Values known in the lanes that are on, and who may reuse them.
    using Known = std::unordered_map<const ExprNode*, int>;
    struct Traits {
        bool load = false, varying = false;
        int uses = 0; ///< edges from expressions seen so far
    };

    const Traits& traits_of(const Expr& expr);
    void add_to(Sum& sum, const Expr& expr, std::int64_t factor);
    [[nodiscard]] bool is_uniform(const Expr& expr);
    [[nodiscard]] bool is_uniform(const Sum& sum);
    void resolve(const Sum& sum, Linear& linear, std::vector<LaneTerm>& extra);
    [[nodiscard]] const Expr& behind(const Expr& expr) const;
    int hoist(const Expr& expr);
    LaneLinear over_lanes(Linear linear) const;

    std::optional<int> known(const ExprNode* node) const;
    int allocate();
    void drop(const Expr& operand, int reg);
    int append(Instruction instruction);
    int emit_new(const Expr& expr);
    int emit_binary(const Binary& node);
    std::optional<int> emit_comparison(const Binary& node);
    int emit_logical(const Binary& node);
    int emit_select(const Select& node);
    int emit_call(const Call& node);
    int emit_load(const Load& node);
    struct Arm {
        int reg = -1, mask = -1; ///< mask -1: computed in every lane that is on
    };
    Arm emit_arm(const Expr& expr, int condition, OpCode mask_op);
    int round(int reg, DType dtype);

    PlanState& state_;
    const Strip strip_;
    std::vector<std::vector<std::int64_t>> lane_values_; ///< of each strip loop
    LaneCode code_, before_;
    std::vector<Known> known_{1};
    std::unordered_map<const ExprNode*, Traits> traits_;
    std::unordered_map<const ExprNode*, int> hoisted_;
    std::vector<int> owned_;
    int mask_ = -1;
};

} // namespace orrery::tensor
