// Recurrent networks. Outline: what the three kinds share (operands, checks); the products of the whole input with the
// weights, as stages that schedules may shape, before the steps through time (recurrent_steps.cpp); the steps alone,
// which passes leave when they have made a product of its own of the input's part.

#include "core/ops/family.hpp"
#include "core/ops/recurrent_steps.hpp"
#include "core/ops/stage.hpp"

namespace orrery::ops {

using namespace tensor;
using graph::AttrKind;
using graph::FusionKind;
using graph::Strings;
using Kind = RecurrentKind;

namespace {

enum Operand : std::size_t { kX, kW, kR, kBias, kLengths, kInitialH, kInitialC, kPeephole };
/// Of the steps alone. The GRU has the bias of its candidate in place of the LSTM's cell.
enum StepOperand : std::size_t {
    kGates,
    kRecurrent,
    kStepLengths,
    kStepInitialH,
    kStepInitialC,
    kStepPeephole,
    kLateBias = kStepInitialC
};

std::size_t direction_count(const Attrs& attrs) {
    return attrs.text("direction", "forward") == "bidirectional" ? 2 : 1;
}

// ----------------------------------------------------------------------------------- type relation

/// Directions, and what is said of activations.
Result<void> check_attrs(Kind kind, const Attrs& attrs) {
    const std::string direction = attrs.text("direction", "forward");
    if (direction != "forward" && direction != "reverse" && direction != "bidirectional")
        return attr_error("direction is forward, reverse or bidirectional, not " + direction);
    const std::size_t count = direction_count(attrs) * activation_count(kind);
    const Strings names = activation_names(kind, attrs, direction_count(attrs));
    if (names.size() != count)
        return attr_error("needs " + std::to_string(count) + " activations, has " + std::to_string(names.size()));
    for (const std::string& name : names)
        if (!is_recurrent_activation(name)) return attr_error("there is no recurrent activation named " + name);
    for (const char* list : {"alphas", "betas"})
        if (activation_numbers(attrs, list, count).size() != count)
            return attr_error(std::string(list) + " must have one value an activation");
    return {};
}

/// Operand i must be exactly that tensor, when present.
Result<void> check_exact(const TypeRequest& request, std::size_t i, DType dtype, const Shape& shape) {
    if (!present(request, i)) return {};
    ORRERY_TRY(const TensorType type, static_operand(request, i));
    if (type.dtype == dtype && graph::static_shape(type) == shape) return {};
    return shape_error("operand " + std::to_string(i) + " must be " + type_text(dtype, shape) + ", is " +
                       graph::to_string(request.types[i]));
}

/// All steps' h, the last h and, of the LSTM, the last c.
Result<Type> result_type(Kind kind, DType dtype, const Shape& steps) {
    ORRERY_TRY(Type all, checked_type(dtype, steps));
    ORRERY_TRY(Type state, checked_type(dtype, Shape{steps[1], steps[2], steps[3]}));
    if (kind == Kind::Lstm) return graph::tuple_type({all, state, state});
    return graph::tuple_type({all, state});
}

template <Kind K> Result<Type> recurrent_type(const TypeRequest& request) {
    ORRERY_CHECK_OK(check_attrs(K, request.attrs));
    ORRERY_TRY(const TensorType x, ranked_operand(request, kX, 3, DTypes::WideFloat));
    ORRERY_TRY(const TensorType r, ranked_operand(request, kR, 3, DTypes::WideFloat));
    const std::int64_t time = x.dims[0].value, batch = x.dims[1].value, input = x.dims[2].value,
                       hidden = r.dims[2].value;
    const auto directions = static_cast<std::int64_t>(direction_count(request.attrs));
    if (hidden < 1 || hidden > kMaxWindow)
        return shape_error("the hidden size is the last dimension of " + graph::to_string(request.types[kR]));
    const std::int64_t gates = gate_count(K) * hidden;
    ORRERY_CHECK_OK(check_exact(request, kW, x.dtype, {directions, gates, input}));
    ORRERY_CHECK_OK(check_exact(request, kR, x.dtype, {directions, gates, hidden}));
    ORRERY_CHECK_OK(check_exact(request, kBias, x.dtype, {directions, 2 * gates}));
    ORRERY_CHECK_OK(check_exact(request, kLengths, DType::I32, {batch}));
    ORRERY_CHECK_OK(check_exact(request, kInitialH, x.dtype, {directions, batch, hidden}));
    ORRERY_CHECK_OK(check_exact(request, kInitialC, x.dtype, {directions, batch, hidden}));
    ORRERY_CHECK_OK(check_exact(request, kPeephole, x.dtype, {directions, 3 * hidden}));
    return result_type(K, x.dtype, {time, directions, batch, hidden});
}

template <Kind K> Result<Type> steps_type(const TypeRequest& request) {
    ORRERY_CHECK_OK(check_attrs(K, request.attrs));
    ORRERY_TRY(const TensorType gates, ranked_operand(request, kGates, 3, DTypes::WideFloat));
    ORRERY_TRY(const TensorType r, ranked_operand(request, kRecurrent, 5, DTypes::WideFloat));
    const auto directions = static_cast<std::int64_t>(direction_count(request.attrs));
    const std::int64_t time = gates.dims[0].value, batch = gates.dims[1].value, hidden = r.dims[2].value,
                       count = gate_count(K);
    if (hidden < 1 || hidden > kMaxWindow)
        return shape_error("the hidden size is the third dimension of " + graph::to_string(request.types[kRecurrent]));
    const std::int64_t lanes = recurrent_lanes(K, hidden);
    ORRERY_CHECK_OK(check_exact(request, kGates, gates.dtype, {time, batch, directions * count * hidden}));
    ORRERY_CHECK_OK(check_exact(request, kRecurrent, gates.dtype, {directions, hidden / lanes, hidden, count, lanes}));
    ORRERY_CHECK_OK(check_exact(request, kStepLengths, DType::I32, {batch}));
    ORRERY_CHECK_OK(check_exact(request, kStepInitialH, gates.dtype, {directions, batch, hidden}));
    if (K == Kind::Gru) {
        if (present(request, kLateBias) && !request.attrs.flag("linear_before_reset"))
            return attr_error("late_bias is there for linear_before_reset only");
        ORRERY_CHECK_OK(check_exact(request, kLateBias, gates.dtype, {directions, hidden}));
    } else {
        ORRERY_CHECK_OK(check_exact(request, kStepInitialC, gates.dtype, {directions, batch, hidden}));
        ORRERY_CHECK_OK(check_exact(request, kStepPeephole, gates.dtype, {directions, 3 * hidden}));
    }
    return result_type(K, gates.dtype, {time, directions, batch, hidden});
}

// ------------------------------------------------------------------------------------- definition

/// One call of a whole network: what its steps read, as stages.
class Inputs {
  public:
    Inputs(Kind kind, const DefineRequest& request)
        : kind_(kind), request_(request), name_(request.name), dtype_(request.out_dtype()) {
        const Shape y = request.out_shape(0);
        time_ = y[0], directions_ = y[1], batch_ = y[2], hidden_ = y[3], input_ = request.shape(kX)[2];
        gates_ = gate_count(kind) * hidden_;
        late_ = kind == Kind::Gru && request.attrs.flag("linear_before_reset");
    }

    [[nodiscard]] RecurrentOperands run() {
        RecurrentOperands out{.gates = gates(), .recurrent = recurrent(), .late = late_};
        out.lengths = given(kLengths);
        out.initial_h = given(kInitialH);
        out.initial_c = given(kInitialC);
        out.peephole = given(kPeephole);
        if (late_ && request_.has(kBias))
            out.late_bias =
                compute_stage(request_.builder, {name_ + "_late_bias", dtype_, {directions_, hidden_}, {"d", "j"}},
                              [&](const Indices& i) {
                                  return load(request_.in(kBias), {i[0], i[1] + (gates_ + 2 * hidden_)});
                              });
        return out;
    }

  private:
    [[nodiscard]] Buffer given(std::size_t i) const { return request_.has(i) ? request_.in(i) : Buffer(); }

    /// [t, b, c]: column c is gate and unit c % (G H) of direction c / (G H). W is transposed, so that the innermost
    /// loops run along memory.
    [[nodiscard]] Buffer gates() {
        const std::int64_t columns = directions_ * gates_;
        const Buffer& x = request_.in(kX);
        const Buffer weights = compute_stage(
            request_.builder, {name_ + "_weights", dtype_, {input_, columns}, {"k", "c"}}, [&](const Indices& i) {
                return load(request_.in(kW), {direction(i[1]), column(i[1]), i[0]});
            });
        const Shape shape{time_, batch_, columns};
        const Names axes{"t", "b", "c"};
        const Buffer product = reduce_stage(request_.builder, {name_ + "_input", dtype_, shape, axes},
                                            {.combiner = Combiner::Sum, .extents = {input_}, .names = {"k"}},
                                            [&](const Indices& i, const Indices& k) {
                                                return load(x, {i[0], i[1], k[0]}) * load(weights, {k[0], i[2]});
                                            });
        if (!request_.has(kBias)) return product;
        const Buffer& bias = request_.in(kBias);
        return compute_stage(request_.builder, {name_ + "_gates", dtype_, shape, axes}, [&](const Indices& i) {
            const Expr d = direction(i[2]), c = column(i[2]);
            const Expr own = load(bias, {d, c + gates_});
            const Expr added = late_ ? select(lt(c, imm(2 * hidden_)), own, constant(dtype_, 0)) : own;
            return load(product, i) + load(bias, {d, c}) + added;
        });
    }
    [[nodiscard]] Expr direction(const Expr& c) const { return directions_ == 1 ? imm(0) : floor_div(c, imm(gates_)); }
    [[nodiscard]] Expr column(const Expr& c) const { return directions_ == 1 ? c : floor_mod(c, imm(gates_)); }

    [[nodiscard]] Buffer recurrent() {
        const std::int64_t lanes = recurrent_lanes(kind_, hidden_);
        const Shape shape{directions_, hidden_ / lanes, hidden_, gate_count(kind_), lanes};
        return compute_stage(request_.builder, {name_ + "_recurrent", dtype_, shape, {"d", "n", "k", "g", "l"}},
                             [&](const Indices& i) {
                                 const Expr row = i[3] * hidden_ + i[1] * lanes + i[4];
                                 return load(request_.in(kR), {i[0], row, i[2]});
                             });
    }

    Kind kind_;
    const DefineRequest& request_;
    std::string name_;
    DType dtype_;
    std::int64_t time_ = 0, batch_ = 0, input_ = 0, directions_ = 0, hidden_ = 0, gates_ = 0;
    bool late_ = false;
};

template <Kind K> std::vector<Buffer> define_recurrent(const DefineRequest& request) {
    return define_steps(K, request, Inputs(K, request).run());
}

template <Kind K> std::vector<Buffer> define_steps_alone(const DefineRequest& request) {
    const auto given = [&](std::size_t i) { return request.has(i) ? request.in(i) : Buffer(); };
    RecurrentOperands in{.gates = given(kGates),
                         .recurrent = given(kRecurrent),
                         .lengths = given(kStepLengths),
                         .initial_h = given(kStepInitialH),
                         .late = K == Kind::Gru && request.attrs.flag("linear_before_reset")};
    if (K == Kind::Gru) {
        in.late_bias = given(kLateBias);
    } else {
        in.initial_c = given(kStepInitialC);
        in.peephole = given(kStepPeephole);
    }
    return define_steps(K, request, in);
}

std::vector<graph::OperandSpec> recurrent_operands(const char* gates, bool lstm) {
    std::vector<graph::OperandSpec> operands{
        {"x", "[T, B, I], f32 or f64"},
        {"w", std::string("[D, gates H, I], gates in the order ") + gates},
        {"r", "[D, gates H, H]"},
        {"bias", "[D, 2 gates H]: of w, then of r; 0 when missing", true},
        {"lengths", "[B], i32: steps of each sequence; all T when missing", true},
        {"initial_h", "[D, B, H]; 0 when missing", true},
    };
    if (lstm) {
        operands.push_back({"initial_c", "[D, B, H]; 0 when missing", true});
        operands.push_back({"peephole", "[D, 3 H] for i, o, f; none when missing", true});
    }
    return operands;
}

/// Operands of the steps alone; `lanes` of recurrent_lanes.
std::vector<graph::OperandSpec> step_operands(const char* gates) {
    return {
        {"gates",
         std::string("[T, B, D gates H]: what the input and the biases add to each gate; gates in the order ") + gates +
             ", f32 or f64"},
        {"recurrent",
         "[D, H / L, H, gates, L]: R by blocks of L units: the divisor of H from 8 to 32, or to 64 with one gate, that "
         "fills vectors of 8 best (up to 16 or 64 where equal ones are); H where there is none"},
        {"lengths", "[B], i32: steps of each sequence; all T when missing", true},
        {"initial_h", "[D, B, H]; 0 when missing", true},
    };
}

std::vector<graph::OperandSpec> with(std::vector<graph::OperandSpec> operands, std::vector<graph::OperandSpec> more) {
    for (graph::OperandSpec& spec : more) operands.push_back(std::move(spec));
    return operands;
}

std::vector<graph::AttrSpec> recurrent_attrs(std::vector<graph::AttrSpec> more) {
    std::vector<graph::AttrSpec> attrs{
        {"direction", AttrKind::Text, false, "forward (when left out), reverse or bidirectional"},
        {"activations", AttrKind::Texts, false,
         "for each direction: those of the gates, then of the cell; of relu, tanh, sigmoid, affine, leaky_relu, "
         "thresholded_relu, scaled_tanh, "
         "hard_sigmoid, elu, softsign, softplus"},
        {"alphas", AttrKind::Floats, false, "one an activation; all 0 when left out"},
        {"betas", AttrKind::Floats, false, "one an activation; all 0 when left out"},
        {"clip", AttrKind::Float, false,
         "gates are held within [-clip, clip] before activation; 0, when left out: not at all"},
    };
    for (graph::AttrSpec& spec : more) attrs.push_back(std::move(spec));
    return attrs;
}

constexpr const char* kRecurrentDoc =
    " D is the number of directions. Results: all steps' h [T, D, B, H] (0 beyond a sequence's length), the last "
    "h [D, B, H]";

constexpr const char* kStepsDoc =
    " D is the number of directions, G of gates. Passes make it of the whole network, with a matrix product for the "
    "input's part. Results: as of the whole network. Errors: BadShape, BadAttribute.";

graph::AttrSpec linear_before_reset() {
    return {"linear_before_reset", AttrKind::Bool, false,
            "whether the reset gate multiplies R h + b rather than h; false when left out"};
}
graph::AttrSpec input_forget() {
    return {"input_forget", AttrKind::Bool, false, "whether the forget gate is 1 - i; false when left out"};
}

/// The steps alone.
Family steps_family() {
    return {
        {.name = "rnn_steps",
         .doc = std::string("The steps of a simple recurrent network.") + kStepsDoc,
         .operands = step_operands("h"),
         .attrs = recurrent_attrs({}),
         .fusion = FusionKind::Opaque,
         .infer = steps_type<Kind::Rnn>,
         .define = define_steps_alone<Kind::Rnn>,
         .onnx_names = {"RNN"}},
        {.name = "gru_steps",
         .doc = std::string("The steps of a gated recurrent unit.") + kStepsDoc,
         .operands =
             with(step_operands("z, r, h"),
                  {{"late_bias", "[D, H]: of R for the candidate, with linear_before_reset; 0 when missing", true}}),
         .attrs = recurrent_attrs({linear_before_reset()}),
         .fusion = FusionKind::Opaque,
         .infer = steps_type<Kind::Gru>,
         .define = define_steps_alone<Kind::Gru>,
         .onnx_names = {"GRU"}},
        {.name = "lstm_steps",
         .doc = std::string("The steps of a long short-term memory.") + kStepsDoc,
         .operands = with(step_operands("i, o, f, c"), {{"initial_c", "[D, B, H]; 0 when missing", true},
                                                        {"peephole", "[D, 3 H] for i, o, f; none when missing", true}}),
         .attrs = recurrent_attrs({input_forget()}),
         .fusion = FusionKind::Opaque,
         .infer = steps_type<Kind::Lstm>,
         .define = define_steps_alone<Kind::Lstm>,
         .onnx_names = {"LSTM"}},
    };
}

} // namespace

Family recurrent_family() {
    Family family = steps_family();
    Family whole{
        {.name = "rnn",
         .doc = std::string("A simple recurrent network: h = f(W x + R h + b).") + kRecurrentDoc +
                ". Errors: BadShape, BadAttribute.",
         .operands = recurrent_operands("h", false),
         .attrs = recurrent_attrs({}),
         .fusion = FusionKind::Opaque,
         .infer = recurrent_type<Kind::Rnn>,
         .define = define_recurrent<Kind::Rnn>,
         .onnx_names = {"RNN"}},
        {.name = "gru",
         .doc = std::string("A gated recurrent unit: h = (1 - z) g(...) + z h.") + kRecurrentDoc +
                ". Errors: BadShape, BadAttribute.",
         .operands = recurrent_operands("z, r, h", false),
         .attrs = recurrent_attrs({linear_before_reset()}),
         .fusion = FusionKind::Opaque,
         .infer = recurrent_type<Kind::Gru>,
         .define = define_recurrent<Kind::Gru>,
         .onnx_names = {"GRU"}},
        {.name = "lstm",
         .doc = std::string("A long short-term memory: c = f c + i g(...), h = o h(c).") + kRecurrentDoc +
                ", the last c [D, B, H]. Errors: BadShape, BadAttribute.",
         .operands = recurrent_operands("i, o, f, c", true),
         .attrs = recurrent_attrs({input_forget()}),
         .fusion = FusionKind::Opaque,
         .infer = recurrent_type<Kind::Lstm>,
         .define = define_recurrent<Kind::Lstm>,
         .onnx_names = {"LSTM"}},
    };
    for (OpRow& row : whole) family.push_back(std::move(row));
    return family;
}

} // namespace orrery::ops
