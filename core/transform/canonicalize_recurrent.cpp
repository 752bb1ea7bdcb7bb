#include "core/transform/canonicalize_recurrent.hpp"

#include "core/ops/recurrent_steps.hpp"
#include "core/transform/rule_rewriter.hpp"

namespace orrery::transform {

namespace {

using graph::Ints;
using graph::Var;
using ops::RecurrentKind;

/// As core/ops/recurrent.cpp has them.
enum Operand : std::size_t { kX, kW, kR, kBias, kLengths, kInitialH, kInitialC, kPeephole };

class Split {
  public:
    Split(RecurrentKind kind, const graph::CallOp& call, const EmitValue& emit)
        : kind_(kind), call_(call), emit_(emit), late_(call.attrs.flag("linear_before_reset")) {
        const Shape r = *shape_of(call.args[kR]);
        directions_ = r[0], hidden_ = r[2], count_ = ops::gate_count(kind), gates_ = count_ * hidden_;
        input_ = (*shape_of(call.args[kW]))[2];
    }

    graph::Expr run(const char* steps) {
        std::vector<Var> args{gates(), recurrent(), operand(kLengths), operand(kInitialH)};
        if (kind_ == RecurrentKind::Lstm) args.insert(args.end(), {operand(kInitialC), operand(kPeephole)});
        if (late_ && operand(kBias)) args.push_back(bias(gates_ + 2 * hidden_, hidden_));
        while (!args.back()) args.pop_back();
        return make_call(steps, std::move(args), call_.attrs);
    }

  private:
    [[nodiscard]] Var operand(std::size_t i) const { return i < call_.args.size() ? call_.args[i] : Var(); }
    Var emit(const char* op, std::vector<Var> args, graph::Attrs attrs, const char* name) {
        return emit_(make_call(op, std::move(args), std::move(attrs)), name);
    }

    /// [T, B, D G H], with both biases but the one that a late reset gate multiplies.
    Var gates() {
        const Var by_input = emit("transpose", {call_.args[kW]}, {{"perm", Ints{2, 0, 1}}}, "weights");
        const Var w = emit("reshape", {by_input}, {{"shape", Ints{input_, directions_ * gates_}}}, "weights");
        const Var product = emit("matmul", {call_.args[kX], w}, {}, "input");
        if (!operand(kBias)) return product;
        Var own = bias(gates_, gates_);
        if (late_) {
            const Ints before(2, 0), after{0, hidden_};
            own = emit("pad", {bias(gates_, 2 * hidden_)}, {{"before", before}, {"after", after}}, "bias");
        }
        const Var sum = emit("add", {bias(0, gates_), own}, {}, "bias");
        const Var flat = emit("reshape", {sum}, {{"shape", Ints{directions_ * gates_}}}, "bias");
        return emit("add", {product, flat}, {}, "gates");
    }
    /// Columns [first, first + count) of the biases of all directions.
    Var bias(std::int64_t first, std::int64_t count) {
        return emit("slice", {operand(kBias)}, {{"begins", Ints{0, first}}, {"sizes", Ints{directions_, count}}},
                    "bias");
    }

    Var recurrent() {
        const std::int64_t lanes = ops::recurrent_lanes(kind_, hidden_);
        const Var apart = emit("reshape", {call_.args[kR]},
                               {{"shape", Ints{directions_, count_, hidden_ / lanes, lanes, hidden_}}}, "recurrent");
        return emit("transpose", {apart}, {{"perm", Ints{0, 2, 4, 1, 3}}}, "recurrent");
    }

    RecurrentKind kind_;
    const graph::CallOp& call_;
    const EmitValue& emit_;
    bool late_;
    std::int64_t directions_ = 0, hidden_ = 0, input_ = 0, count_ = 0, gates_ = 0;
};

} // namespace

graph::Expr split_recurrent(const graph::CallOp& call, const std::function<bool(const Var&)>& is_constant,
                            const EmitValue& emit) {
    struct Row {
        const char* whole;
        const char* steps;
        RecurrentKind kind;
    };
    static constexpr Row kRows[] = {{"rnn", "rnn_steps", RecurrentKind::Rnn},
                                    {"gru", "gru_steps", RecurrentKind::Gru},
                                    {"lstm", "lstm_steps", RecurrentKind::Lstm}};
    for (const Row& row : kRows)
        if (call.op.name == row.whole && is_constant(call.args[kW]) && is_constant(call.args[kR]))
            return Split(row.kind, call, emit).run(row.steps);
    return nullptr;
}

} // namespace orrery::transform
