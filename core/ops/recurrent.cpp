// Recurrent networks. Outline: what the three kinds share (operands, checks, activations); the products of the whole
// input with the weights, as stages that schedules may shape; then the steps through time, as one statement.

#include "core/ops/family.hpp"
#include "core/ops/stage.hpp"

#include <algorithm>

namespace orrery::ops {

using namespace tensor;
using graph::AttrKind;
using graph::FusionKind;
using graph::Strings;

namespace {

enum class Kind : std::uint8_t { Rnn, Gru, Lstm };

std::int64_t gate_count(Kind kind) { return kind == Kind::Rnn ? 1 : kind == Kind::Gru ? 3 : 4; }
std::size_t activation_count(Kind kind) { return kind == Kind::Rnn ? 1 : kind == Kind::Gru ? 2 : 3; }

enum Operand : std::size_t { kX, kW, kR, kBias, kLengths, kInitialH, kInitialC, kPeephole };

// ------------------------------------------------------------------------------------ activations

struct Activation {
    std::string name;
    double alpha = 0, beta = 0;
};

struct KnownActivation {
    const char* name;
    Expr (*value)(const Expr& x, const Expr& alpha, const Expr& beta);
};

Expr one_like(const Expr& x) { return constant(x->dtype, 1); }
Expr zero_like(const Expr& x) { return constant(x->dtype, 0); }
Expr sigmoid_of(const Expr& x) { return one_like(x) / (one_like(x) + call(Intrinsic::Exp, call(Intrinsic::Neg, x))); }

constexpr KnownActivation kActivations[] = {
    {"relu", [](const Expr& x, const Expr&, const Expr&) { return max(x, zero_like(x)); }},
    {"tanh", [](const Expr& x, const Expr&, const Expr&) { return call(Intrinsic::Tanh, x); }},
    {"sigmoid", [](const Expr& x, const Expr&, const Expr&) { return sigmoid_of(x); }},
    {"affine", [](const Expr& x, const Expr& alpha, const Expr& beta) { return alpha * x + beta; }},
    {"leaky_relu",
     [](const Expr& x, const Expr& alpha, const Expr&) { return select(lt(x, zero_like(x)), alpha * x, x); }},
    {"thresholded_relu",
     [](const Expr& x, const Expr& alpha, const Expr&) { return select(ge(x, alpha), x, zero_like(x)); }},
    {"scaled_tanh",
     [](const Expr& x, const Expr& alpha, const Expr& beta) { return alpha * call(Intrinsic::Tanh, beta * x); }},
    {"hard_sigmoid", [](const Expr& x, const Expr& alpha,
                        const Expr& beta) { return min(max(alpha * x + beta, zero_like(x)), one_like(x)); }},
    {"elu",
     [](const Expr& x, const Expr& alpha, const Expr&) {
         return select(lt(x, zero_like(x)), alpha * (call(Intrinsic::Exp, x) - one_like(x)), x);
     }},
    {"softsign", [](const Expr& x, const Expr&, const Expr&) { return x / (one_like(x) + call(Intrinsic::Abs, x)); }},
    {"softplus",
     [](const Expr& x, const Expr&, const Expr&) {
         return max(x, zero_like(x)) +
                call(Intrinsic::Log, one_like(x) + call(Intrinsic::Exp, call(Intrinsic::Neg, call(Intrinsic::Abs, x))));
     }},
};

const KnownActivation* find_activation(const std::string& name) {
    const auto* found = std::ranges::find_if(kActivations, [&](const KnownActivation& a) { return name == a.name; });
    return found == std::end(kActivations) ? nullptr : found;
}

const Strings& texts(const Attrs& attrs, const char* name, const Strings& fallback) {
    const graph::AttrValue* value = attrs.find(name);
    return value ? std::get<Strings>(*value) : fallback;
}
const Floats& floats(const Attrs& attrs, const char* name, const Floats& fallback) {
    const graph::AttrValue* value = attrs.find(name);
    return value ? std::get<Floats>(*value) : fallback;
}

/// Names of all directions' activations: as given, or the kind's own for each.
Strings activation_names(Kind kind, const Attrs& attrs, std::size_t directions) {
    static const Strings kOwn[] = {{"tanh"}, {"sigmoid", "tanh"}, {"sigmoid", "tanh", "tanh"}};
    const Strings& own = kOwn[static_cast<std::size_t>(kind)];
    Strings all;
    for (std::size_t d = 0; d < directions; ++d) all.insert(all.end(), own.begin(), own.end());
    return texts(attrs, "activations", all);
}

std::size_t direction_count(const Attrs& attrs) {
    return attrs.text("direction", "forward") == "bidirectional" ? 2 : 1;
}

// ----------------------------------------------------------------------------------- type relation

Result<void> check_activations(Kind kind, const Attrs& attrs) {
    const std::size_t count = direction_count(attrs) * activation_count(kind);
    const Strings names = activation_names(kind, attrs, direction_count(attrs));
    if (names.size() != count)
        return attr_error("needs " + std::to_string(count) + " activations, has " + std::to_string(names.size()));
    for (const std::string& name : names)
        if (!find_activation(name)) return attr_error("there is no recurrent activation named " + name);
    const Floats zeros(count, 0.0);
    for (const char* list : {"alphas", "betas"})
        if (floats(attrs, list, zeros).size() != count)
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

template <Kind K> Result<Type> recurrent_type(const TypeRequest& request) {
    const std::string direction = request.attrs.text("direction", "forward");
    if (direction != "forward" && direction != "reverse" && direction != "bidirectional")
        return attr_error("direction is forward, reverse or bidirectional, not " + direction);
    ORRERY_CHECK_OK(check_activations(K, request.attrs));
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
    ORRERY_TRY(Type steps, checked_type(x.dtype, Shape{time, directions, batch, hidden}));
    ORRERY_TRY(Type state, checked_type(x.dtype, Shape{directions, batch, hidden}));
    if (K == Kind::Lstm) return graph::tuple_type({steps, state, state});
    return graph::tuple_type({steps, state});
}

// ------------------------------------------------------------------------------------- definition

/// One call: its sizes, buffers and the statement under construction.
class Recurrence {
  public:
    Recurrence(Kind kind, const DefineRequest& request) : kind_(kind), request_(request), dtype_(request.out_dtype()) {
        const Shape x = request.shape(kX), r = request.shape(kR);
        time_ = x[0], batch_ = x[1], input_ = x[2];
        directions_ = r[0], hidden_ = r[2], gates_ = gate_count(kind) * hidden_;
        late_bias_ = kind == Kind::Gru && request.attrs.flag("linear_before_reset");
        names_ = activation_names(kind, request.attrs, static_cast<std::size_t>(directions_));
        const Floats zeros(names_.size(), 0.0);
        alphas_ = floats(request.attrs, "alphas", zeros);
        betas_ = floats(request.attrs, "betas", zeros);
    }

    std::vector<Buffer> run() {
        input_stages();
        const std::string name(request_.name);
        y_ = make_buffer(name, dtype_, {time_, directions_, batch_, hidden_});
        h_ = make_buffer(name + "_h", dtype_, {directions_, batch_, hidden_});
        sums_ = make_buffer(name + "_sums", dtype_, {gates_});
        reset_ = make_buffer(name + "_reset", dtype_, {hidden_});
        std::vector<Buffer> outputs{y_, h_};
        if (kind_ == Kind::Lstm)
            outputs.push_back(c_ = make_buffer(name + "_c", dtype_, {directions_, batch_, hidden_}));
        const std::size_t results = outputs.size();
        outputs.push_back(sums_);
        if (kind_ == Kind::Gru) outputs.push_back(reset_);

        std::vector<Stmt> body{initial(h_, kInitialH)};
        if (kind_ == Kind::Lstm) body.push_back(initial(c_, kInitialC));
        if (request_.has(kLengths))
            body.push_back(loops(y_->static_shape(), {"t", "d", "b", "j"},
                                 [&](const Indices& i) { return Store::make(y_, i, zero()); }));
        for (std::int64_t d = 0; d < directions_; ++d) body.push_back(direction(d));
        std::vector<Buffer> buffers = request_.builder.statement(name, outputs, Seq::make(std::move(body)));
        buffers.resize(results);
        return buffers;
    }

  private:
    [[nodiscard]] Expr zero() const { return constant(dtype_, 0); }
    [[nodiscard]] Expr one() const { return constant(dtype_, 1); }

    /// `gates_x`[d, t, b, g]: what the input and the biases contribute; `recurrent`[d, k, g]: R transposed, as W is, so
    /// that the innermost loops run along memory.
    void input_stages() {
        const Buffer& x = request_.in(kX);
        const Buffer weights = transposed("_weights", request_.in(kW), input_);
        const Shape shape{directions_, time_, batch_, gates_};
        const Names axes{"d", "t", "b", "g"};
        const std::string name(request_.name);
        gates_x_ = reduce_stage(request_.builder, {name + "_input", dtype_, shape, axes},
                                {.combiner = Combiner::Sum, .extents = {input_}, .names = {"k"}},
                                [&](const Indices& i, const Indices& k) {
                                    return load(x, {i[1], i[2], k[0]}) * load(weights, {i[0], k[0], i[3]});
                                });
        if (request_.has(kBias)) {
            const Buffer product = gates_x_;
            gates_x_ = compute_stage(request_.builder, {name + "_gates", dtype_, shape, axes}, [&](const Indices& i) {
                const Expr recurrent = load(request_.in(kBias), {i[0], i[3] + gates_});
                const Expr added = late_bias_ ? select(lt(i[3], imm(2 * hidden_)), recurrent, zero()) : recurrent;
                return load(product, i) + load(request_.in(kBias), {i[0], i[3]}) + added;
            });
        }
        recurrent_ = transposed("_recurrent", request_.in(kR), hidden_);
    }
    /// [d, k, g] of weights [d, g, k].
    [[nodiscard]] Buffer transposed(const char* suffix, const Buffer& weights, std::int64_t inputs) {
        return compute_stage(
            request_.builder,
            {std::string(request_.name) + suffix, dtype_, {directions_, inputs, gates_}, {"d", "k", "g"}},
            [&](const Indices& i) {
                return load(weights, {i[0], i[2], i[1]});
            });
    }

    [[nodiscard]] Stmt initial(const Buffer& state, std::size_t operand) const {
        return loops(state->static_shape(), {"d", "b", "j"}, [&](const Indices& i) {
            return Store::make(state, i, request_.has(operand) ? load(request_.in(operand), i) : zero());
        });
    }

    [[nodiscard]] Expr activated(std::int64_t d, std::size_t which, const Expr& x) const {
        const std::size_t i = static_cast<std::size_t>(d) * activation_count(kind_) + which;
        return find_activation(names_[i])->value(x, constant(dtype_, alphas_[i]), constant(dtype_, betas_[i]));
    }
    [[nodiscard]] Expr clipped(const Expr& x) const {
        const double limit = request_.attrs.number("clip", 0);
        return limit > 0 ? max(min(x, constant(dtype_, limit)), constant(dtype_, -limit)) : x;
    }
    [[nodiscard]] Expr gate(std::int64_t index, const Expr& j) const { return load(sums_, {j + index * hidden_}); }

    /// sums[g] = gates_x[d, t, b, g] + sum over k of h[d, b, k] * R[d, g, k], for g in [0, gates).
    [[nodiscard]] Stmt products(const Indices& at, const Expr& t, std::int64_t gates) const {
        const Stmt start = lanes(gates_, "g", [&](const Expr& g) {
            return Store::make(sums_, {g}, load(gates_x_, {at[0], t, at[1], g}));
        });
        return Seq::make({start, accumulate(at, 0, gates, h_, {at[0], at[1]})});
    }
    /// A loop whose iterations touch elements of their own: lanes of vectors.
    template <class F> static Stmt lanes(std::int64_t extent, const std::string& name, const F& body) {
        const VarRef var = Var::make(name);
        return For::make(var, imm(extent), LoopKind::Vectorized, body(Expr(var)));
    }
    /// sums[g] += sum over k of state[prefix, k] * R[d, g, k], for g in [first, first + count). Several k at a time, so
    /// that a sum is fetched once for all of them.
    [[nodiscard]] Stmt accumulate(const Indices& at, std::int64_t first, std::int64_t count, const Buffer& state,
                                  const Indices& prefix) const {
        const std::int64_t together = hidden_ % 4 == 0 ? 4 : 1;
        return loop(hidden_ / together, "k", [&](const Expr& k) {
            return lanes(count, "g", [&](const Expr& index) {
                const Expr g = index + first;
                Expr more;
                for (std::int64_t i = 0; i < together; ++i) {
                    const Expr row = together == 1 ? k : k * together + i;
                    Indices from = prefix;
                    from.push_back(row);
                    const Expr product = load(state, from) * load(recurrent_, {at[0], row, g});
                    more = more ? more + product : product;
                }
                return Store::make(sums_, {g}, load(sums_, {g}) + more);
            });
        });
    }

    /// All steps of one direction, batch by batch.
    [[nodiscard]] Stmt direction(std::int64_t d) const {
        const bool backward = request_.attrs.text("direction", "forward") == "reverse" || d == 1;
        return loop(batch_, "b", [&](const Expr& b) {
            const Indices at{imm(d), b};
            const Expr length = request_.has(kLengths)
                                    ? max(min(cast(DType::I64, load(request_.in(kLengths), {b})), imm(time_)), imm(0))
                                    : imm(time_);
            return loop(time_, "s", [&](const Expr& s) {
                const Stmt body = step(d, at, backward ? length - 1 - s : s);
                return request_.has(kLengths) ? If::make(lt(s, length), body) : body;
            });
        });
    }

    [[nodiscard]] Stmt step(std::int64_t d, const Indices& at, const Expr& t) const {
        switch (kind_) {
        case Kind::Rnn: return rnn_step(d, at, t);
        case Kind::Gru: return gru_step(d, at, t);
        case Kind::Lstm: return lstm_step(d, at, t);
        }
        fail_internal("step covers every kind");
    }

    [[nodiscard]] Stmt emit(const Indices& at, const Expr& t, const Expr& j, const Expr& h) const {
        return Seq::make({Store::make(h_, {at[0], at[1], j}, h),
                          Store::make(y_, {t, at[0], at[1], j}, load(h_, {at[0], at[1], j}))});
    }

    [[nodiscard]] Stmt rnn_step(std::int64_t d, const Indices& at, const Expr& t) const {
        return Seq::make({products(at, t, gates_), lanes(hidden_, "j", [&](const Expr& j) {
                              return emit(at, t, j, activated(d, 0, clipped(gate(0, j))));
                          })});
    }

    /// Gates z, r, h. z stays in `sums`, activated.
    [[nodiscard]] Stmt gru_step(std::int64_t d, const Indices& at, const Expr& t) const {
        const auto h = [&](const Expr& j) { return load(h_, {at[0], at[1], j}); };
        std::vector<Stmt> body{products(at, t, 2 * hidden_)};
        body.push_back(lanes(hidden_, "j", [&](const Expr& j) {
            return Seq::make({Store::make(sums_, {j}, activated(d, 0, clipped(gate(0, j)))),
                              Store::make(sums_, {j + hidden_}, activated(d, 0, clipped(gate(1, j)))),
                              Store::make(reset_, {j}, late_bias_ ? late_bias(d, j) : gate(1, j) * h(j))});
        }));
        if (late_bias_) {
            // reset = R h + bias first, then the reset gate's multiple of it joins the sum.
            body.push_back(loop(hidden_, "k", [&](const Expr& k) {
                return lanes(hidden_, "j", [&](const Expr& j) {
                    return Store::make(reset_, {j},
                                       load(reset_, {j}) + h(k) * load(recurrent_, {at[0], k, j + 2 * hidden_}));
                });
            }));
            body.push_back(lanes(hidden_, "j", [&](const Expr& j) {
                return Store::make(sums_, {j + 2 * hidden_}, gate(2, j) + gate(1, j) * load(reset_, {j}));
            }));
        } else {
            body.push_back(accumulate(at, 2 * hidden_, hidden_, reset_, {}));
        }
        body.push_back(lanes(hidden_, "j", [&](const Expr& j) {
            const Expr z = gate(0, j);
            return emit(at, t, j, (one() - z) * activated(d, 1, clipped(gate(2, j))) + z * h(j));
        }));
        return Seq::make(std::move(body));
    }
    [[nodiscard]] Expr late_bias(std::int64_t d, const Expr& j) const {
        return request_.has(kBias) ? load(request_.in(kBias), {imm(d), j + (gates_ + 2 * hidden_)}) : zero();
    }

    /// Gates i, o, f, c; peepholes i, o, f.
    [[nodiscard]] Stmt lstm_step(std::int64_t d, const Indices& at, const Expr& t) const {
        const auto peephole = [&](std::int64_t which, const Expr& j, const Expr& cell) -> Expr {
            if (!request_.has(kPeephole)) return nullptr;
            return load(request_.in(kPeephole), {at[0], j + which * hidden_}) * cell;
        };
        const auto with = [](const Expr& sum, const Expr& more) { return more ? sum + more : sum; };
        return Seq::make(
            {products(at, t, gates_), lanes(hidden_, "j", [&](const Expr& j) {
                 const Indices here{at[0], at[1], j};
                 const Expr cell = load(c_, here);
                 const VarRef i = Var::make("i", dtype_), f = Var::make("f", dtype_), c = Var::make("c", dtype_),
                              o = Var::make("o", dtype_);
                 const Expr input = activated(d, 0, clipped(with(gate(0, j), peephole(0, j, cell))));
                 const Expr forget = request_.attrs.flag("input_forget")
                                         ? one() - i
                                         : activated(d, 0, clipped(with(gate(2, j), peephole(2, j, cell))));
                 const Expr output = activated(d, 0, clipped(with(gate(1, j), peephole(1, j, c))));
                 const Stmt store = Seq::make({Store::make(c_, here, c), emit(at, t, j, o * activated(d, 2, c))});
                 const Expr next = f * cell + i * activated(d, 1, clipped(gate(3, j)));
                 return Let::make(i, input, Let::make(f, forget, Let::make(c, next, Let::make(o, output, store))));
             })});
    }

    Kind kind_;
    const DefineRequest& request_;
    DType dtype_;
    std::int64_t time_ = 0, batch_ = 0, input_ = 0, directions_ = 0, hidden_ = 0, gates_ = 0;
    bool late_bias_ = false;
    Strings names_;
    Floats alphas_, betas_;
    Buffer gates_x_, recurrent_, y_, h_, c_, sums_, reset_;
};

template <Kind K> std::vector<Buffer> define_recurrent(const DefineRequest& request) {
    return Recurrence(K, request).run();
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

} // namespace

Family recurrent_family() {
    return {
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
         .attrs = recurrent_attrs({{"linear_before_reset", AttrKind::Bool, false,
                                    "whether the reset gate multiplies R h + b rather than h; false when left out"}}),
         .fusion = FusionKind::Opaque,
         .infer = recurrent_type<Kind::Gru>,
         .define = define_recurrent<Kind::Gru>,
         .onnx_names = {"GRU"}},
        {.name = "lstm",
         .doc = std::string("A long short-term memory: c = f c + i g(...), h = o h(c).") + kRecurrentDoc +
                ", the last c [D, B, H]. Errors: BadShape, BadAttribute.",
         .operands = recurrent_operands("i, o, f, c", true),
         .attrs = recurrent_attrs(
             {{"input_forget", AttrKind::Bool, false, "whether the forget gate is 1 - i; false when left out"}}),
         .fusion = FusionKind::Opaque,
         .infer = recurrent_type<Kind::Lstm>,
         .define = define_recurrent<Kind::Lstm>,
         .onnx_names = {"LSTM"}},
    };
}

} // namespace orrery::ops
