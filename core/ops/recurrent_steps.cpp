// How the steps are computed. Steps follow each other; within one, blocks of hidden units are independent of each other
// and run in parallel where there is enough to do. A block keeps the sums of all its gates in registers for a few rows
// of the batch, and reads its part of R, which lies together, from one end to the other. The state is kept twice, so
// that one step's is read while the next one's is written. Outline: activations; sizes of blocks; the statement.

#include "core/ops/recurrent_steps.hpp"

#include "core/ops/stage.hpp"

#include <algorithm>

namespace orrery::ops {

using namespace tensor;
using graph::Attrs;
using graph::Floats;
using graph::Strings;
using Kind = RecurrentKind;

// ------------------------------------------------------------------------------------ activations

namespace {

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

} // namespace

std::int64_t gate_count(Kind kind) { return kind == Kind::Rnn ? 1 : kind == Kind::Gru ? 3 : 4; }

std::size_t activation_count(Kind kind) { return kind == Kind::Rnn ? 1 : kind == Kind::Gru ? 2 : 3; }

bool is_recurrent_activation(const std::string& name) { return find_activation(name) != nullptr; }

Strings activation_names(Kind kind, const Attrs& attrs, std::size_t directions) {
    static const Strings kOwn[] = {{"tanh"}, {"sigmoid", "tanh"}, {"sigmoid", "tanh", "tanh"}};
    if (const graph::AttrValue* value = attrs.find("activations")) return std::get<Strings>(*value);
    const Strings& own = kOwn[static_cast<std::size_t>(kind)];
    Strings all;
    for (std::size_t d = 0; d < directions; ++d) all.insert(all.end(), own.begin(), own.end());
    return all;
}

Floats activation_numbers(const Attrs& attrs, const char* name, std::size_t count) {
    const graph::AttrValue* value = attrs.find(name);
    return value ? std::get<Floats>(*value) : Floats(count, 0.0);
}

// ----------------------------------------------------------------------------------------- blocks

namespace {

/// Sums of all gates of a block for the rows computed together: the eight 256-bit vectors that hide a multiply-add's
/// four cycles at two a cycle, and leave half of sixteen registers. Measured there: with twice as many, what does not
/// fit costs 30 % at a batch of eight.
constexpr std::int64_t kBlockSums = 64;
/// Multiply-adds of a step below which its blocks are not worth handing to other threads.
/// Source: our choice; a core takes some 5 us for them, a loop over threads that are awake about 1 us.
constexpr std::int64_t kParallelWork = 65536;

/// The largest divisor of `hidden` whose rows of R, for all gates of a block, are a quarter of a first-level cache of
/// 32 KiB; all of it where only small ones divide.
std::int64_t piece_of(std::int64_t hidden) {
    constexpr std::int64_t kMostRows = 32, kLeastRows = 8;
    for (std::int64_t piece = kMostRows; piece >= kLeastRows; --piece)
        if (hidden % piece == 0) return piece;
    return hidden;
}

} // namespace

std::int64_t recurrent_lanes(Kind kind, std::int64_t hidden) {
    constexpr std::int64_t kVector = 8, kMost = 32; // lanes of 256 bits, and what is worth a block; our choice
    const std::int64_t wanted = kBlockSums / (kind == Kind::Rnn ? 1 : 4);
    std::int64_t best = hidden;
    double best_filled = 0;
    for (std::int64_t lanes = kVector; lanes <= std::min(hidden, std::max(wanted, kMost)); ++lanes) {
        if (hidden % lanes != 0) continue;
        const double filled =
            static_cast<double>(lanes) / static_cast<double>((lanes + kVector - 1) / kVector * kVector);
        if (filled > best_filled || (filled == best_filled && lanes <= wanted)) best = lanes, best_filled = filled;
    }
    return best;
}

// -------------------------------------------------------------------------------------- statement

namespace {

/// One call: its sizes, buffers and the statement under construction.
class Steps {
  public:
    Steps(Kind kind, const DefineRequest& request, const RecurrentOperands& in)
        : kind_(kind), request_(request), in_(in), dtype_(request.out_dtype()), gates_(gate_count(kind)) {
        const Shape y = request.out_shape(0);
        time_ = y[0], directions_ = y[1], batch_ = y[2], hidden_ = y[3];
        lanes_ = recurrent_lanes(kind, hidden_);
        const std::int64_t most = std::max<std::int64_t>(1, kBlockSums / (gates_ * lanes_));
        for (rows_ = std::min(most, batch_); batch_ % rows_ != 0;) --rows_;
        const auto count = static_cast<std::size_t>(directions_) * activation_count(kind);
        names_ = activation_names(kind, request.attrs, static_cast<std::size_t>(directions_));
        alphas_ = activation_numbers(request.attrs, "alphas", count);
        betas_ = activation_numbers(request.attrs, "betas", count);
    }

    std::vector<Buffer> run() {
        const std::string name(request_.name);
        y_ = make_buffer(name, dtype_, {time_, directions_, batch_, hidden_});
        h_ = make_buffer(name + "_h", dtype_, {directions_, batch_, hidden_});
        state_ = make_buffer(name + "_state", dtype_, {2, batch_, hidden_});
        std::vector<Buffer> outputs{y_, h_};
        if (kind_ == Kind::Lstm)
            outputs.push_back(c_ = make_buffer(name + "_c", dtype_, {directions_, batch_, hidden_}));
        const std::size_t results = outputs.size();
        outputs.push_back(state_);
        if (resets_first()) {
            update_ = make_buffer(name + "_update", dtype_, {batch_, hidden_});
            reset_ = make_buffer(name + "_reset", dtype_, {batch_, hidden_});
            outputs.insert(outputs.end(), {update_, reset_});
        }
        std::vector<Stmt> body;
        if (in_.lengths != nullptr)
            body.push_back(loops(y_->static_shape(), {"t", "d", "b", "j"},
                                 [&](const Indices& i) { return Store::make(y_, i, zero()); }));
        for (std::int64_t d = 0; d < directions_; ++d) body.push_back(direction(d));
        std::vector<Buffer> buffers = request_.builder.statement(name, outputs, Seq::make(std::move(body)));
        buffers.resize(results);
        return buffers;
    }

  private:
    /// Where in the computation a statement stands.
    struct At {
        std::int64_t d = 0;
        Expr step;  ///< of the sequence
        Expr block; ///< of hidden units
        Expr row;   ///< of the batch
        Expr t;     ///< of the input
        Buffer sums;
        Expr slot; ///< the row's place in `sums`
        [[nodiscard]] Expr now() const { return floor_mod(step, imm(2)); }
        [[nodiscard]] Expr next() const { return floor_mod(step + 1, imm(2)); }
    };
    using Rows = std::function<Stmt(const At&)>;
    /// Gates [first, first + count).
    struct Gates {
        std::int64_t first = 0, count = 0;
    };

    [[nodiscard]] Expr zero() const { return constant(dtype_, 0); }
    [[nodiscard]] Expr one() const { return constant(dtype_, 1); }
    [[nodiscard]] bool resets_first() const { return kind_ == Kind::Gru && !in_.late; }
    [[nodiscard]] bool backward(std::int64_t d) const {
        return d == 1 || request_.attrs.text("direction", "forward") == "reverse";
    }
    [[nodiscard]] Expr length(const Expr& row) const {
        return max(min(cast(DType::I64, load(in_.lengths, {row})), imm(time_)), imm(0));
    }
    /// The step of the input that row `row` has at step `step` of its sequence; any, beyond its end.
    [[nodiscard]] Expr input_step(std::int64_t d, const Expr& step, const Expr& row) const {
        if (!backward(d)) return step;
        if (in_.lengths == nullptr) return imm(time_ - 1) - step;
        return max(length(row) - 1 - step, imm(0));
    }
    [[nodiscard]] Expr unit(const At& at, const Expr& lane) const { return at.block * lanes_ + lane; }

    static Stmt vectors(std::int64_t extent, const std::string& name, const std::function<Stmt(const Expr&)>& body) {
        return loop_of(extent, name, LoopKind::Vectorized, body);
    }
    static Stmt copies(std::int64_t extent, const std::string& name, const std::function<Stmt(const Expr&)>& body) {
        return loop_of(extent, name, LoopKind::Unrolled, body);
    }
    static Stmt loop_of(std::int64_t extent, const std::string& name, LoopKind kind,
                        const std::function<Stmt(const Expr&)>& body) {
        const VarRef var = Var::make(name);
        return For::make(var, imm(extent), kind, body(Expr(var)));
    }

    /// All steps of one direction: the state as given, the steps, the state as a result.
    [[nodiscard]] Stmt direction(std::int64_t d) const {
        const auto initial = [&](const Buffer& given, const Indices& i) {
            return given != nullptr ? load(given, {imm(d), i[0], i[1]}) : zero();
        };
        std::vector<Stmt> body{loops({batch_, hidden_}, {"b", "j"}, [&](const Indices& i) {
            const Stmt h = Store::make(state_, {imm(0), i[0], i[1]}, initial(in_.initial_h, i));
            if (kind_ != Kind::Lstm) return h;
            return Seq::make({h, Store::make(c_, {imm(d), i[0], i[1]}, initial(in_.initial_c, i))});
        })};
        body.push_back(loop(time_, "s", [&](const Expr& step) { return one_step(d, step); }));
        body.push_back(loops({batch_, hidden_}, {"b", "j"}, [&](const Indices& i) {
            return Store::make(h_, {imm(d), i[0], i[1]}, load(state_, {imm(time_ % 2), i[0], i[1]}));
        }));
        return Seq::make(std::move(body));
    }

    [[nodiscard]] Stmt one_step(std::int64_t d, const Expr& step) const {
        switch (kind_) {
        case Kind::Rnn: return blocks(d, step, {0, 1}, [this](const At& at) { return rnn_row(at); });
        case Kind::Lstm: return blocks(d, step, {0, 4}, [this](const At& at) { return lstm_row(at); });
        case Kind::Gru: break;
        }
        if (in_.late) return blocks(d, step, {0, 3}, [this](const At& at) { return gru_late_row(at); });
        return Seq::make({blocks(d, step, {0, 2}, [this](const At& at) { return gru_gates_row(at); }),
                          blocks(d, step, {2, 1}, [this](const At& at) { return gru_row(at); })});
    }

    /// For every block of units, in parallel: sums of some gates of all rows, then `use` of each row.
    [[nodiscard]] Stmt blocks(std::int64_t d, const Expr& step, const Gates& gates, const Rows& use) const {
        const std::int64_t number = hidden_ / lanes_, work = batch_ * gates.count * hidden_ * hidden_;
        const LoopKind kind = number > 1 && work >= kParallelWork ? LoopKind::Parallel : LoopKind::Serial;
        return loop_of(number, "n", kind, [&](const Expr& block) {
            const At at{d, step, block, nullptr, nullptr, nullptr, nullptr};
            return batch_ == rows_ ? at_once(at, gates, use) : in_pieces(at, gates, use);
        });
    }
    [[nodiscard]] Buffer register_sums(const Gates& gates) const {
        const Scope scope = lanes_ <= kBlockSums ? Scope::Registers : Scope::Stack;
        return make_buffer("sums", dtype_, {rows_, gates.count, lanes_}, scope);
    }
    [[nodiscard]] Stmt each_row(const At& at, const Expr& group, const Rows& body) const {
        return copies(rows_, "r", [&](const Expr& slot) {
            At here = at;
            here.slot = slot;
            here.row = group * rows_ + slot;
            here.t = input_step(at.d, at.step, here.row);
            return body(here);
        });
    }
    [[nodiscard]] Stmt at_once(At at, const Gates& gates, const Rows& use) const {
        at.sums = register_sums(gates);
        const Stmt start = each_row(at, imm(0), [&](const At& here) { return start_sums(here, gates); });
        const Stmt products = loop(hidden_, "k", [&](const Expr& k) {
            return each_row(at, imm(0), [&](const At& here) { return add_product(here, gates, k); });
        });
        return Alloc::make(at.sums, Seq::make({start, products, each_row(at, imm(0), use)}));
    }
    /// More rows than registers have sums for: a piece of R, which the first-level cache holds meanwhile, for all of
    /// them, then the next piece. The sums of a few rows are in registers for each piece.
    [[nodiscard]] Stmt in_pieces(const At& at, const Gates& gates, const Rows& use) const {
        const Buffer all = make_buffer("all_sums", dtype_, {batch_, gates.count, lanes_}, Scope::Stack);
        const auto groups = [&](const std::function<Stmt(const Expr&)>& body) {
            return loop(batch_ / rows_, "b", body);
        };
        const auto each = [&](const Rows& body) {
            return groups([&](const Expr& group) {
                return each_row(at, group, [&](At here) {
                    here.sums = all;
                    here.slot = here.row;
                    return body(here);
                });
            });
        };
        const std::int64_t piece = piece_of(hidden_);
        const Stmt pieces = loop(hidden_ / piece, "p", [&](const Expr& p) {
            return groups([&](const Expr& group) {
                At part = at;
                part.sums = register_sums(gates);
                const auto moved = [&](bool in) {
                    return each_row(part, group, [&](const At& here) {
                        return copies(gates.count, "g", [&](const Expr& g) {
                            return vectors(lanes_, "l", [&](const Expr& lane) {
                                const Indices near{here.slot, g, lane}, far{here.row, g, lane};
                                return in ? Store::make(part.sums, near, load(all, far))
                                          : Store::make(all, far, load(part.sums, near));
                            });
                        });
                    });
                };
                const Stmt products = loop(piece, "k", [&](const Expr& k) {
                    return each_row(part, group,
                                    [&](const At& here) { return add_product(here, gates, p * piece + k); });
                });
                return Alloc::make(part.sums, Seq::make({moved(true), products, moved(false)}));
            });
        });
        const Stmt start = each([&](const At& here) { return start_sums(here, gates); });
        return Alloc::make(all, Seq::make({start, pieces, each(use)}));
    }
    /// The candidate of a GRU whose reset gate comes late starts from its bias alone.
    [[nodiscard]] Stmt start_sums(const At& at, const Gates& gates) const {
        const auto gate = [&](std::int64_t g) {
            return vectors(lanes_, "l", [&](const Expr& lane) {
                const bool candidate = in_.late && g == 2;
                const Expr bias = in_.late_bias != nullptr ? load(in_.late_bias, {imm(at.d), unit(at, lane)}) : zero();
                return Store::make(at.sums, {at.slot, imm(g - gates.first), lane},
                                   candidate ? bias : given(at, g, lane));
            });
        };
        std::vector<Stmt> all;
        for (std::int64_t g = gates.first; g < gates.first + gates.count; ++g) all.push_back(gate(g));
        return Seq::make(std::move(all));
    }
    /// sums[g] += state[k] * R[g, k]. The candidate of a GRU is about the state that its reset gate left.
    [[nodiscard]] Stmt add_product(const At& at, const Gates& gates, const Expr& k) const {
        const bool candidate = resets_first() && gates.first == 2;
        const Expr state = candidate ? load(reset_, {at.row, k}) : load(state_, {at.now(), at.row, k});
        return copies(gates.count, "g", [&](const Expr& g) {
            return vectors(lanes_, "l", [&](const Expr& lane) {
                const Expr weight = load(in_.recurrent, {imm(at.d), at.block, k, g + gates.first, lane});
                const Indices here{at.slot, g, lane};
                return Store::make(at.sums, here, load(at.sums, here) + state * weight);
            });
        });
    }

    /// What the input adds to gate g.
    [[nodiscard]] Expr given(const At& at, std::int64_t g, const Expr& lane) const {
        return load(in_.gates, {at.t, at.row, unit(at, lane) + (at.d * gates_ + g) * hidden_});
    }
    [[nodiscard]] Expr sum(const At& at, std::int64_t g, const Expr& lane) const {
        return load(at.sums, {at.slot, imm(g), lane});
    }
    [[nodiscard]] Expr state(const At& at, const Expr& lane) const {
        return load(state_, {at.now(), at.row, unit(at, lane)});
    }
    [[nodiscard]] Expr activated(const At& at, std::size_t which, const Expr& x) const {
        const std::size_t i = static_cast<std::size_t>(at.d) * activation_count(kind_) + which;
        return find_activation(names_[i])->value(x, constant(dtype_, alphas_[i]), constant(dtype_, betas_[i]));
    }
    [[nodiscard]] Expr clipped(const Expr& x) const {
        const double limit = request_.attrs.number("clip", 0);
        return limit > 0 ? max(min(x, constant(dtype_, limit)), constant(dtype_, -limit)) : x;
    }

    /// Where the row's sequence still goes on, `value` is the step's h; beyond its end the state stays.
    [[nodiscard]] Stmt emit(const At& at,
                            const std::function<Stmt(const Expr&, const std::function<Stmt(Expr)>&)>& value) const {
        const Stmt goes_on = vectors(lanes_, "l", [&](const Expr& lane) {
            return value(lane, [&](const Expr& h) {
                const Expr j = unit(at, lane);
                return Seq::make({Store::make(state_, {at.next(), at.row, j}, h),
                                  Store::make(y_, {at.t, imm(at.d), at.row, j}, load(state_, {at.next(), at.row, j}))});
            });
        });
        if (in_.lengths == nullptr) return goes_on;
        const Stmt stays = vectors(lanes_, "l", [&](const Expr& lane) {
            return Store::make(state_, {at.next(), at.row, unit(at, lane)}, state(at, lane));
        });
        return If::make(lt(at.step, length(at.row)), goes_on, stays);
    }

    [[nodiscard]] Stmt rnn_row(const At& at) const {
        return emit(at, [&](const Expr& lane, const auto& finish) {
            return finish(activated(at, 0, clipped(sum(at, 0, lane))));
        });
    }

    /// z, and what r leaves of the state.
    [[nodiscard]] Stmt gru_gates_row(const At& at) const {
        return vectors(lanes_, "l", [&](const Expr& lane) {
            const Indices here{at.row, unit(at, lane)};
            const Expr r = activated(at, 0, clipped(sum(at, 1, lane)));
            return Seq::make({Store::make(update_, here, activated(at, 0, clipped(sum(at, 0, lane)))),
                              Store::make(reset_, here, r * state(at, lane))});
        });
    }
    [[nodiscard]] Stmt gru_row(const At& at) const {
        return emit(at, [&](const Expr& lane, const auto& finish) {
            const Expr z = load(update_, {at.row, unit(at, lane)});
            return finish((one() - z) * activated(at, 1, clipped(sum(at, 0, lane))) + z * state(at, lane));
        });
    }
    [[nodiscard]] Stmt gru_late_row(const At& at) const {
        return emit(at, [&](const Expr& lane, const auto& finish) {
            const VarRef z = Var::make("z", dtype_), r = Var::make("r", dtype_);
            const Expr candidate = activated(at, 1, clipped(given(at, 2, lane) + r * sum(at, 2, lane)));
            const Stmt last = finish((one() - z) * candidate + z * state(at, lane));
            return Let::make(z, activated(at, 0, clipped(sum(at, 0, lane))),
                             Let::make(r, activated(at, 0, clipped(sum(at, 1, lane))), last));
        });
    }

    /// Gates i, o, f, c; peepholes i, o, f.
    [[nodiscard]] Stmt lstm_row(const At& at) const {
        return emit(at, [&](const Expr& lane, const auto& finish) {
            const Expr j = unit(at, lane);
            const Indices here{imm(at.d), at.row, j};
            const auto with = [&](std::int64_t gate, std::int64_t which, const Expr& cell) {
                const Expr all = sum(at, gate, lane);
                if (in_.peephole == nullptr) return clipped(all);
                return clipped(all + load(in_.peephole, {imm(at.d), j + which * hidden_}) * cell);
            };
            const Expr cell = load(c_, here);
            const VarRef i = Var::make("i", dtype_), f = Var::make("f", dtype_), c = Var::make("c", dtype_),
                         o = Var::make("o", dtype_);
            const Expr forget = request_.attrs.flag("input_forget") ? one() - i : activated(at, 0, with(2, 2, cell));
            const Expr next = f * cell + i * activated(at, 1, clipped(sum(at, 3, lane)));
            const Stmt store = Seq::make({Store::make(c_, here, c), finish(o * activated(at, 2, c))});
            return Let::make(
                i, activated(at, 0, with(0, 0, cell)),
                Let::make(f, forget, Let::make(c, next, Let::make(o, activated(at, 0, with(1, 1, c)), store))));
        });
    }

    Kind kind_;
    const DefineRequest& request_;
    const RecurrentOperands& in_;
    DType dtype_;
    std::int64_t gates_ = 0, time_ = 0, batch_ = 0, directions_ = 0, hidden_ = 0;
    std::int64_t lanes_ = 1, rows_ = 1; ///< computed together: units, rows of the batch
    Strings names_;
    Floats alphas_, betas_;
    Buffer y_, h_, c_;
    Buffer state_;          ///< h before and after a step: [2, B, H]
    Buffer update_, reset_; ///< of a GRU: z, and the state that r left
};

} // namespace

std::vector<Buffer> define_steps(Kind kind, const DefineRequest& request, const RecurrentOperands& operands) {
    return Steps(kind, request, operands).run();
}

} // namespace orrery::ops
