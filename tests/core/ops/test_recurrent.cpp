#include "tests/core/ops/calls.hpp"

#include <cmath>

using namespace orrery;
using namespace orrery::ops::test;

namespace {

constexpr std::int64_t kTime = 4, kInput = 3;

/// How large a drawn network is.
struct Sizes {
    std::int64_t directions = 2, batch = 2, hidden = 2;
};

double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

/// Operands of one direction, and the state the references step.
struct Cell {
    NDArray x, w, r, b;
    std::int64_t d = 0, batch = 0;
    std::vector<double> h = {}, c = {};

    [[nodiscard]] std::int64_t hidden() const { return r.shape()[2]; }

    [[nodiscard]] double input(std::int64_t t, std::int64_t row) const {
        double sum = 0;
        for (std::int64_t k = 0; k < kInput; ++k) sum += at(x, {t, batch, k}) * at(w, {d, row, k});
        return sum;
    }
    [[nodiscard]] double recurrent(const std::vector<double>& state, std::int64_t row) const {
        double sum = 0;
        for (std::int64_t k = 0; k < hidden(); ++k) sum += state[static_cast<std::size_t>(k)] * at(r, {d, row, k});
        return sum;
    }
    [[nodiscard]] double bias(std::int64_t row) const { return at(b, {d, row}); }
    [[nodiscard]] double recurrent_bias(std::int64_t row) const { return at(b, {d, b.shape()[1] / 2 + row}); }
    [[nodiscard]] double gate(std::int64_t t, std::int64_t row) const {
        return input(t, row) + recurrent(h, row) + bias(row) + recurrent_bias(row);
    }

    void rnn(std::int64_t t) {
        std::vector<double> next;
        for (std::int64_t j = 0; j < hidden(); ++j) next.push_back(std::tanh(gate(t, j)));
        h = next;
    }
    void gru(std::int64_t t, bool linear_before_reset) {
        std::vector<double> z, reset, next, held = h;
        for (std::int64_t j = 0; j < hidden(); ++j) z.push_back(sigmoid(gate(t, j)));
        for (std::int64_t j = 0; j < hidden(); ++j) reset.push_back(sigmoid(gate(t, hidden() + j)));
        for (std::size_t j = 0; j < h.size(); ++j) held[j] *= reset[j];
        for (std::int64_t j = 0; j < hidden(); ++j) {
            const std::int64_t row = 2 * hidden() + j;
            const double through = linear_before_reset
                                       ? reset[static_cast<std::size_t>(j)] * (recurrent(h, row) + recurrent_bias(row))
                                       : recurrent(held, row) + recurrent_bias(row);
            const double fresh = std::tanh(input(t, row) + bias(row) + through), keep = z[static_cast<std::size_t>(j)];
            next.push_back((1 - keep) * fresh + keep * h[static_cast<std::size_t>(j)]);
        }
        h = next;
    }
    void lstm(std::int64_t t, const NDArray& peephole) {
        std::vector<double> next_h, next_c;
        for (std::int64_t j = 0; j < hidden(); ++j) {
            const double cell = c[static_cast<std::size_t>(j)];
            const double i = sigmoid(gate(t, j) + at(peephole, {d, j}) * cell);
            const double f = sigmoid(gate(t, 2 * hidden() + j) + at(peephole, {d, 2 * hidden() + j}) * cell);
            next_c.push_back(f * cell + i * std::tanh(gate(t, 3 * hidden() + j)));
            const double o = sigmoid(gate(t, hidden() + j) + at(peephole, {d, hidden() + j}) * next_c.back());
            next_h.push_back(o * std::tanh(next_c.back()));
        }
        h = next_h;
        c = next_c;
    }
};

struct Expected {
    NDArray y, h, c;
};

/// Steps every batch of every direction through its sequence.
Expected stepped(Cell cell, const std::vector<std::int64_t>& lengths,
                 const std::function<void(Cell&, std::int64_t)>& step) {
    const std::int64_t batch = cell.x.shape()[1], hidden = cell.hidden(), directions = cell.r.shape()[0];
    Expected out{NDArray::zeros(DType::F32, {kTime, directions, batch, hidden}),
                 NDArray::zeros(DType::F32, {directions, batch, hidden}),
                 NDArray::zeros(DType::F32, {directions, batch, hidden})};
    for (cell.d = 0; cell.d < directions; ++cell.d)
        for (cell.batch = 0; cell.batch < batch; ++cell.batch) {
            cell.h.assign(static_cast<std::size_t>(hidden), 0);
            cell.c.assign(static_cast<std::size_t>(hidden), 0);
            const std::int64_t length = lengths[static_cast<std::size_t>(cell.batch)];
            for (std::int64_t s = 0; s < length; ++s) {
                const std::int64_t t = cell.d == 1 ? length - 1 - s : s;
                step(cell, t);
                for (std::int64_t j = 0; j < hidden; ++j)
                    out.y.set(((t * directions + cell.d) * batch + cell.batch) * hidden + j,
                              cell.h[static_cast<std::size_t>(j)]);
            }
            for (std::int64_t j = 0; j < hidden; ++j) {
                out.h.set((cell.d * batch + cell.batch) * hidden + j, cell.h[static_cast<std::size_t>(j)]);
                out.c.set((cell.d * batch + cell.batch) * hidden + j, cell.c[static_cast<std::size_t>(j)]);
            }
        }
    return out;
}

Cell drawn_cell(std::int64_t gates, const Sizes& sizes = {}) {
    Cell cell;
    cell.x = drawn({kTime, sizes.batch, kInput}, 1);
    cell.w = drawn({sizes.directions, gates * sizes.hidden, kInput}, 2);
    cell.r = drawn({sizes.directions, gates * sizes.hidden, sizes.hidden}, 3);
    cell.b = drawn({sizes.directions, 2 * gates * sizes.hidden}, 4);
    return cell;
}

const Attrs kBoth{{"direction", std::string("bidirectional")}};
const std::vector<std::int64_t> kFull{kTime, kTime}, kShort{4, 2};
NDArray lengths_of(const std::vector<std::int64_t>& lengths) {
    return array(DType::I32, {static_cast<std::int64_t>(lengths.size())}, {lengths.begin(), lengths.end()});
}

} // namespace

TEST_CASE("a simple network in both directions, with lengths", "[ops][recurrent]") {
    const Cell cell = drawn_cell(1);
    for (const auto& lengths : {kFull, kShort}) {
        const Expected expected = stepped(cell, lengths, [](Cell& c, std::int64_t t) { c.rnn(t); });
        const Arrays actual = call_all("rnn", {cell.x, cell.w, cell.r, cell.b, lengths_of(lengths)}, kBoth);
        require_near(actual[0], expected.y);
        require_near(actual[1], expected.h);
    }
}

TEST_CASE("a gated unit, the reset gate before and after the product", "[ops][recurrent]") {
    const Cell cell = drawn_cell(3);
    for (const bool late : {false, true}) {
        const Expected expected = stepped(cell, kShort, [late](Cell& c, std::int64_t t) { c.gru(t, late); });
        const Arrays actual = call_all("gru", {cell.x, cell.w, cell.r, cell.b, lengths_of(kShort)},
                                       kBoth.with("linear_before_reset", late));
        require_near(actual[0], expected.y);
        require_near(actual[1], expected.h);
    }
}

TEST_CASE("a long short-term memory with peepholes", "[ops][recurrent]") {
    const Cell cell = drawn_cell(4);
    const NDArray peephole = drawn({2, 3 * cell.hidden()}, 5);
    for (const auto& lengths : {kFull, kShort}) {
        const Expected expected = stepped(cell, lengths, [&](Cell& c, std::int64_t t) { c.lstm(t, peephole); });
        const Arrays args{cell.x,    cell.w,    cell.r,  cell.b, lengths == kFull ? NDArray() : lengths_of(lengths),
                          NDArray(), NDArray(), peephole};
        const Arrays actual = call_all("lstm", args, kBoth);
        require_near(actual[0], expected.y);
        require_near(actual[1], expected.h);
        require_near(actual[2], expected.c);
    }
    // The state of a first half carries the second.
    const Cell one = drawn_cell(4, {.directions = 1});
    const Arrays whole = call_all("lstm", {one.x, one.w, one.r, one.b});
    const auto half = [&](std::int64_t begin) {
        return call("slice", {one.x}, {{"begins", Ints{begin, 0, 0}}, {"sizes", Ints{2, 2, kInput}}});
    };
    const Arrays first = call_all("lstm", {half(0), one.w, one.r, one.b});
    const Arrays second = call_all("lstm", {half(2), one.w, one.r, one.b, NDArray(), first[1], first[2]});
    require_near(second[1], whole[1]);
    require_near(second[2], whole[2]);
}

TEST_CASE("units in several blocks, rows of a batch together", "[ops][recurrent]") {
    // Blocks of 8, 24, 64, 16 and all units; rows of the batch in pairs and one at a time, at once and in pieces.
    for (const Sizes& sizes : {Sizes{1, 4, 24}, Sizes{2, 7, 24}, Sizes{1, 1, 128}, Sizes{1, 2, 17}}) {
        INFO(sizes.hidden << " units, " << sizes.batch << " rows");
        std::vector<std::int64_t> lengths;
        for (std::int64_t i = 0; i < sizes.batch; ++i) lengths.push_back(i % (kTime + 1));
        const Attrs attrs{{"direction", std::string(sizes.directions == 2 ? "bidirectional" : "forward")}};
        const auto near = [&](const Cell& cell, const char* op, const Attrs& with,
                              const std::function<void(Cell&, std::int64_t)>& step) {
            const Expected expected = stepped(cell, lengths, step);
            const Arrays actual = call_all(op, {cell.x, cell.w, cell.r, cell.b, lengths_of(lengths)}, with);
            require_near(actual[0], expected.y);
            require_near(actual[1], expected.h);
        };
        near(drawn_cell(1, sizes), "rnn", attrs, [](Cell& c, std::int64_t t) { c.rnn(t); });
        for (const bool late : {false, true})
            near(drawn_cell(3, sizes), "gru", attrs.with("linear_before_reset", late),
                 [late](Cell& c, std::int64_t t) { c.gru(t, late); });
        const NDArray none = NDArray::zeros(DType::F32, {2, 3 * sizes.hidden});
        near(drawn_cell(4, sizes), "lstm", attrs, [&](Cell& c, std::int64_t t) { c.lstm(t, none); });
    }
}

TEST_CASE("the steps alone refuse what is not laid out for them", "[ops][recurrent]") {
    const NDArray gates = drawn({2, 1, 96}, 1), r = drawn({1, 3, 24, 4, 8}, 2);
    REQUIRE(call_all("lstm_steps", {gates, r}).size() == 3);
    REQUIRE(refusal("lstm_steps", {gates, drawn({1, 1, 24, 4, 24}, 2)}) == Code::BadShape);
    REQUIRE(refusal("lstm_steps", {drawn({2, 1, 72}, 1), r}) == Code::BadShape);
    REQUIRE(refusal("lstm_steps", {gates, r}, kBoth) == Code::BadShape);
    const NDArray gru = drawn({1, 3, 24, 3, 8}, 2), bias = drawn({1, 24}, 3);
    const Arrays late{drawn({2, 1, 72}, 1), gru, NDArray(), NDArray(), bias};
    REQUIRE(call_all("gru_steps", late, {{"linear_before_reset", true}}).size() == 2);
    REQUIRE(refusal("gru_steps", late) == Code::BadAttribute);
}

TEST_CASE("activations, clip and coupled gates", "[ops][recurrent]") {
    const NDArray x = f32({1, 1, 1}, {3}), w = f32({1, 1, 1}, {2}), r = f32({1, 1, 1}, {0});
    const auto rnn = [&](const char* activation, double alpha, double beta) {
        return call_all("rnn", {x, w, r},
                        {{"activations", Strings{activation}}, {"alphas", Floats{alpha}}, {"betas", Floats{beta}}})[1]
            .as_double(0);
    };
    REQUIRE(rnn("relu", 0, 0) == 6);
    REQUIRE(rnn("affine", 0.5, 1) == 4);
    REQUIRE(rnn("thresholded_relu", 7, 0) == 0);
    REQUIRE(rnn("hard_sigmoid", 0.1, 0.25) == Approx(0.85));
    REQUIRE(rnn("scaled_tanh", 2, 0.5) == Approx(2 * std::tanh(3.0)));
    REQUIRE(rnn("softsign", 0, 0) == Approx(6.0 / 7));
    REQUIRE(call_all("rnn", {x, w, r}, {{"activations", Strings{"relu"}}, {"clip", 5.0}})[1].as_double(0) == 5);
    // Gates i, o, f, c of weights 0: i = 0.5, and f = 1 - i with input_forget.
    const NDArray w4 = f32({1, 4, 1}, {0, 0, 1, 0}), r4 = f32({1, 4, 1}, {0, 0, 0, 0}), c0 = f32({1, 1, 1}, {8});
    const Arrays args{x, w4, r4, NDArray(), NDArray(), NDArray(), c0};
    REQUIRE(call_all("lstm", args, {{"input_forget", true}})[2].as_double(0) == Approx(4));
    REQUIRE(call_all("lstm", args)[2].as_double(0) == Approx(8 * sigmoid(3)));

    REQUIRE(refusal("rnn", {x, w, r}, {{"activations", Strings{"cosine"}}}) == Code::BadAttribute);
    REQUIRE(refusal("rnn", {x, w, r}, {{"activations", Strings{"relu", "relu"}}}) == Code::BadAttribute);
    REQUIRE(refusal("rnn", {x, w, r}, {{"direction", std::string("sideways")}}) == Code::BadAttribute);
    REQUIRE(refusal("rnn", {x, w, f32({1, 2, 1}, {0, 0})}) == Code::BadShape);
    REQUIRE(refusal("lstm", {x, w, r}) == Code::BadShape);
}
