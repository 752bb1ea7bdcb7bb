// Recurrent networks.

#include "tests/differential/recipes.hpp"

namespace orrery::differential {

namespace {

DrawnCall recurrent(Draw& d, std::int64_t gates, std::int64_t activations, bool lstm) {
    const std::int64_t time = d.number(1, 4), batch = d.number(1, 3), in = d.number(1, 5), hidden = d.number(1, 5);
    const std::string direction = d.word({"forward", "reverse", "bidirectional"});
    const std::int64_t directions = direction == "bidirectional" ? 2 : 1;
    const DType dtype = d.dtype(DTypes::WideFloat);
    const Want small{.low = -1, .high = 1};
    DrawnCall call{{d.tensor(dtype, {time, batch, in}), d.tensor(dtype, {directions, gates * hidden, in}, small),
                    d.tensor(dtype, {directions, gates * hidden, hidden}, small)},
                   {{"direction", direction}}};
    const auto maybe = [&](const Shape& shape) {
        call.args.push_back(d.chance(50) ? d.tensor(dtype, shape, small) : Var());
    };
    maybe({directions, 2 * gates * hidden});
    call.args.push_back(d.chance(40) ? d.whole(DType::I32, {batch}, 0, time) : Var());
    maybe({directions, batch, hidden});
    if (lstm) {
        maybe({directions, batch, hidden});
        maybe({directions, 3 * hidden});
        if (d.chance(40)) call.attrs["input_forget"] = d.chance(50);
    }
    if (d.chance(40)) {
        Strings names;
        Floats ones;
        for (std::int64_t i = 0; i < directions * activations; ++i) {
            names.push_back(d.word({"relu", "tanh", "sigmoid", "affine", "leaky_relu", "scaled_tanh", "hard_sigmoid",
                                    "elu", "softsign", "softplus"}));
            ones.push_back(0.5);
        }
        call.attrs["activations"] = names;
        call.attrs["alphas"] = ones;
        call.attrs["betas"] = ones;
    }
    if (d.chance(30)) call.attrs["clip"] = d.real(0.5, 2);
    return call;
}

/// What steps take besides the state.
enum class Besides : std::uint8_t { Nothing, LateBias, Cell };

/// The same activations and clip, without the input's product: L as operators choose it for up to 5 units is H.
DrawnCall steps(Draw& d, std::int64_t gates, std::int64_t activations, Besides besides) {
    DrawnCall whole = recurrent(d, gates, activations, besides == Besides::Cell);
    const std::string direction = std::get<std::string>(whole.attrs.at("direction"));
    const std::int64_t time = d.number(1, 4), batch = d.number(1, 3), hidden = d.number(1, 5),
                       directions = direction == "bidirectional" ? 2 : 1;
    const DType dtype = d.dtype(DTypes::WideFloat);
    const Want small{.low = -1, .high = 1};
    DrawnCall call{{d.tensor(dtype, {time, batch, directions * gates * hidden}, small),
                    d.tensor(dtype, {directions, 1, hidden, gates, hidden}, small),
                    d.chance(40) ? d.whole(DType::I32, {batch}, 0, time) : Var()},
                   whole.attrs};
    const auto maybe = [&](const Shape& shape) {
        call.args.push_back(d.chance(50) ? d.tensor(dtype, shape, small) : Var());
    };
    maybe({directions, batch, hidden});
    if (besides == Besides::LateBias) maybe({directions, hidden});
    if (besides == Besides::Cell) {
        maybe({directions, batch, hidden});
        maybe({directions, 3 * hidden});
    }
    return call;
}

DrawnCall rnn(Draw& d) { return recurrent(d, 1, 1, false); }
DrawnCall gru(Draw& d) {
    DrawnCall call = recurrent(d, 3, 2, false);
    if (d.chance(50)) call.attrs["linear_before_reset"] = d.chance(60);
    return call;
}
DrawnCall lstm(Draw& d) { return recurrent(d, 4, 3, true); }

DrawnCall rnn_steps(Draw& d) { return steps(d, 1, 1, Besides::Nothing); }
DrawnCall gru_steps(Draw& d) {
    const bool late = d.chance(50);
    DrawnCall call = steps(d, 3, 2, late ? Besides::LateBias : Besides::Nothing);
    if (late) call.attrs["linear_before_reset"] = true;
    return call;
}
DrawnCall lstm_steps(Draw& d) { return steps(d, 4, 3, Besides::Cell); }

} // namespace

Recipes sequence_recipes() {
    return {
        {"gru", Effect::Sums, gru},   {"gru_steps", Effect::Sums, gru_steps},
        {"lstm", Effect::Sums, lstm}, {"lstm_steps", Effect::Sums, lstm_steps},
        {"rnn", Effect::Sums, rnn},   {"rnn_steps", Effect::Sums, rnn_steps},
    };
}

} // namespace orrery::differential
