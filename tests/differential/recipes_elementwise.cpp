// Operators that compute each element from one element of each operand.

#include "tests/differential/recipes.hpp"

#include <algorithm>

namespace orrery::differential {

namespace {

DrawnCall unary(Draw& d, const Want& want) { return {{d.operand(want)}, {}}; }

template <DTypes Set> DrawnCall one(Draw& d) { return unary(d, {.dtypes = Set}); }
template <DTypes Set> DrawnCall one_exact(Draw& d) { return unary(d, {.dtypes = Set, .exact = true}); }

/// Sixteenths of the range a new operand is drawn from, used two times out of three.
template <int Low, int High> DrawnCall within(Draw& d) {
    return unary(d, {.dtypes = DTypes::Float, .strict = d.chance(66), .low = Low / 16.0, .high = High / 16.0});
}

/// Two operands that broadcast, in either order.
DrawnCall pair(Draw& d, const Want& want) {
    const Var a = d.operand(want);
    Shape other = d.broadcastable(Draw::shape_of(a));
    if (other.size() == Draw::rank_of(a) && other.size() < 4 && d.chance(15))
        other.insert(other.begin(), d.number(1, 2));
    const Var b = d.tensor(Draw::dtype_of(a), other, want);
    return d.chance(30) ? DrawnCall{{b, a}, {}} : DrawnCall{{a, b}, {}};
}

template <DTypes Set> DrawnCall two(Draw& d) { return pair(d, {.dtypes = Set}); }
template <DTypes Set> DrawnCall two_exact(Draw& d) { return pair(d, {.dtypes = Set, .exact = true}); }

DrawnCall shift(Draw& d) {
    const Var a = d.operand({.dtypes = DTypes::Int});
    return {{a, d.whole(Draw::dtype_of(a), d.broadcastable(Draw::shape_of(a)), 0, d.chance(10) ? 70 : 9)}, {}};
}

DrawnCall power(Draw& d) {
    const Var a = d.operand({.dtypes = DTypes::Number, .strict = d.chance(60), .low = 0.125, .high = 2});
    return {{a, d.tensor(Draw::dtype_of(a), d.broadcastable(Draw::shape_of(a)))}, {}};
}

DrawnCall modulo(Draw& d) {
    DrawnCall call = two_exact<DTypes::Number>(d);
    if (d.chance(50)) call.attrs["truncated"] = d.chance(50);
    return call;
}

DrawnCall bias_add(Draw& d) {
    const Var x = d.operand({.least_rank = 1});
    const Shape shape = Draw::shape_of(x);
    DrawnCall call{{x}, {}};
    std::int64_t axis = 1;
    if (shape.size() < 2 || d.chance(50)) call.attrs["axis"] = axis = d.axis(shape.size());
    const auto at = static_cast<std::size_t>(axis < 0 ? axis + static_cast<std::int64_t>(shape.size()) : axis);
    call.args.push_back(d.tensor(Draw::dtype_of(x), {shape[at]}));
    return call;
}

void maybe_real(Draw& d, DrawnCall& call, const char* name, double low, double high) {
    if (d.chance(50)) call.attrs[name] = d.real(low, high);
}

DrawnCall with_alpha(Draw& d) {
    DrawnCall call = one<DTypes::Float>(d);
    maybe_real(d, call, "alpha", 0.0625, 2);
    return call;
}
DrawnCall selu(Draw& d) {
    DrawnCall call = with_alpha(d);
    maybe_real(d, call, "gamma", 0.5, 2);
    return call;
}
DrawnCall hard_sigmoid(Draw& d) {
    DrawnCall call = with_alpha(d);
    maybe_real(d, call, "beta", -1, 1);
    return call;
}
DrawnCall thresholded_relu(Draw& d) {
    DrawnCall call = one_exact<DTypes::Float>(d);
    maybe_real(d, call, "alpha", -1, 1);
    return call;
}
DrawnCall shrink(Draw& d) {
    DrawnCall call = one_exact<DTypes::Number>(d);
    maybe_real(d, call, "lambda", 0, 1);
    maybe_real(d, call, "bias", 0, 1);
    return call;
}
DrawnCall clip(Draw& d) {
    DrawnCall call = one<DTypes::Number>(d);
    maybe_real(d, call, "min", -2, 0);
    maybe_real(d, call, "max", 0.0625, 2);
    return call;
}
DrawnCall gelu(Draw& d) {
    DrawnCall call = one<DTypes::Float>(d);
    if (d.chance(50)) call.attrs["approximate"] = d.chance(50);
    return call;
}
DrawnCall is_inf(Draw& d) {
    DrawnCall call = one_exact<DTypes::Float>(d);
    for (const char* name : {"detect_positive", "detect_negative"})
        if (d.chance(40)) call.attrs[name] = d.chance(50);
    return call;
}
DrawnCall prelu(Draw& d) {
    const Var x = d.operand({});
    return {{x, d.tensor(Draw::dtype_of(x), d.broadcastable(Draw::shape_of(x)))}, {}};
}
DrawnCall cast(Draw& d) {
    DrawnCall call = one_exact<DTypes::Any>(d);
    call.attrs["dtype"] = d.dtype(DTypes::Any);
    if (d.chance(30)) call.attrs["saturate"] = d.chance(50);
    return call;
}
DrawnCall where(Draw& d) {
    const Var a = d.operand({.dtypes = DTypes::Any});
    const Shape shape = Draw::shape_of(a);
    const Var b = d.tensor(Draw::dtype_of(a), d.broadcastable(shape));
    const Var condition = d.tensor(DType::Bool, d.broadcastable(shape));
    return d.chance(30) ? DrawnCall{{condition, b, a}, {}} : DrawnCall{{condition, a, b}, {}};
}

/// Scale and zero point: one element, a vector along an axis, or one of each block along it.
void add_scale(Draw& d, DrawnCall& call, DType scale, DType zero) {
    const Shape shape = Draw::shape_of(call.args[0]);
    Shape vector = d.chance(50) ? Shape{} : Shape{1};
    if (!shape.empty() && d.chance(50)) {
        const std::int64_t axis = d.axis(shape.size());
        const auto at = static_cast<std::size_t>(axis < 0 ? axis + static_cast<std::int64_t>(shape.size()) : axis);
        call.attrs["axis"] = axis;
        vector = {shape[at]};
        if (d.chance(40)) {
            const std::int64_t block = d.number(1, 4);
            call.attrs["block"] = block;
            vector = shape;
            vector[at] = (shape[at] + block - 1) / block;
        }
    }
    call.args.push_back(d.tensor(scale, vector, {.strict = true, .low = 0.0625, .high = 1}));
    if (d.chance(60)) call.args.push_back(d.whole(zero, vector, -5, 5));
}
DrawnCall quantize(Draw& d) {
    DrawnCall call = one_exact<DTypes::Number>(d);
    const DType to = d.one_of({DType::I8, DType::U8, DType::I16, DType::U16, DType::I32});
    call.attrs["dtype"] = to;
    const DType x = Draw::dtype_of(call.args[0]);
    add_scale(d, call, is_float(x) && d.chance(50) ? x : DType::F32, to);
    return call;
}
DrawnCall dequantize(Draw& d) {
    const DType from = d.one_of({DType::I8, DType::U8, DType::I16, DType::U16, DType::I32});
    DrawnCall call{{d.tensor(from, d.shape(0, 4))}, {}};
    add_scale(d, call, d.dtype(DTypes::Float), from);
    return call;
}

Recipes unary_recipes() {
    return {
        {"abs", Effect::Moves, one<DTypes::Number>},
        {"acos", Effect::Rounds, within<-16, 16>},
        {"acosh", Effect::Rounds, within<16, 64>},
        {"asin", Effect::Rounds, within<-16, 16>},
        {"asinh", Effect::Rounds, one<DTypes::Float>},
        {"atan", Effect::Rounds, one<DTypes::Float>},
        {"atanh", Effect::Rounds, within<-15, 15>},
        {"bitwise_not", Effect::Moves, one<DTypes::Int>},
        {"cast", Effect::Decides, cast},
        {"ceil", Effect::Decides, one_exact<DTypes::Float>},
        {"celu", Effect::Rounds, with_alpha},
        {"clip", Effect::Moves, clip},
        {"cos", Effect::Rounds, one<DTypes::Float>},
        {"cosh", Effect::Rounds, one<DTypes::Float>},
        {"elu", Effect::Rounds, with_alpha},
        {"erf", Effect::Rounds, one<DTypes::Float>},
        {"exp", Effect::Rounds, one<DTypes::Float>},
        {"floor", Effect::Decides, one_exact<DTypes::Float>},
        {"gelu", Effect::Rounds, gelu},
        {"hard_sigmoid", Effect::Rounds, hard_sigmoid},
        {"hard_swish", Effect::Rounds, one<DTypes::Float>},
        {"identity", Effect::Moves, one<DTypes::Any>},
        {"is_inf", Effect::Decides, is_inf},
        {"is_nan", Effect::Decides, one_exact<DTypes::Float>},
        {"leaky_relu", Effect::Rounds, with_alpha},
        {"log", Effect::Rounds, within<1, 64>},
        {"logical_not", Effect::Moves, one<DTypes::Bool>},
        {"mish", Effect::Rounds, one<DTypes::Float>},
        {"negative", Effect::Moves, one<DTypes::Signed>},
        {"reciprocal", Effect::Rounds, within<-32, 32>},
        {"relu", Effect::Moves, one<DTypes::Number>},
        {"round", Effect::Decides, one_exact<DTypes::Float>},
        {"selu", Effect::Rounds, selu},
        {"shrink", Effect::Rounds, shrink},
        {"sigmoid", Effect::Rounds, one<DTypes::Float>},
        {"sign", Effect::Decides, one_exact<DTypes::Number>},
        {"sin", Effect::Rounds, one<DTypes::Float>},
        {"sinh", Effect::Rounds, one<DTypes::Float>},
        {"softplus", Effect::Rounds, one<DTypes::Float>},
        {"softsign", Effect::Rounds, one<DTypes::Float>},
        {"sqrt", Effect::Rounds, within<1, 64>},
        {"tan", Effect::Rounds, within<-16, 16>},
        {"tanh", Effect::Rounds, one<DTypes::Float>},
        {"thresholded_relu", Effect::Moves, thresholded_relu},
    };
}

} // namespace

Recipes elementwise_recipes() {
    Recipes rows = unary_recipes();
    const Recipes binary{
        {"add", Effect::Rounds, two<DTypes::Number>},
        {"bias_add", Effect::Rounds, bias_add},
        {"bitwise_and", Effect::Moves, two<DTypes::Int>},
        {"bitwise_or", Effect::Moves, two<DTypes::Int>},
        {"bitwise_xor", Effect::Moves, two<DTypes::Int>},
        {"dequantize_linear", Effect::Rounds, dequantize},
        {"divide", Effect::Rounds, two<DTypes::Number>},
        {"equal", Effect::Decides, two_exact<DTypes::Comparable>},
        {"greater", Effect::Decides, two_exact<DTypes::Number>},
        {"greater_equal", Effect::Decides, two_exact<DTypes::Number>},
        {"less", Effect::Decides, two_exact<DTypes::Number>},
        {"less_equal", Effect::Decides, two_exact<DTypes::Number>},
        {"logical_and", Effect::Moves, two<DTypes::Bool>},
        {"logical_or", Effect::Moves, two<DTypes::Bool>},
        {"maximum", Effect::Moves, two<DTypes::Number>},
        {"minimum", Effect::Moves, two<DTypes::Number>},
        {"modulo", Effect::Rounds, modulo},
        {"multiply", Effect::Rounds, two<DTypes::Number>},
        {"not_equal", Effect::Decides, two_exact<DTypes::Comparable>},
        {"power", Effect::Rounds, power},
        {"prelu", Effect::Rounds, prelu},
        {"quantize_linear", Effect::Decides, quantize},
        {"shift_left", Effect::Moves, shift},
        {"shift_right", Effect::Moves, shift},
        {"subtract", Effect::Rounds, two<DTypes::Number>},
        {"where", Effect::Moves, where},
    };
    rows.insert(rows.end(), binary.begin(), binary.end());
    return rows;
}

} // namespace orrery::differential
