// Random operators. One without a seed gets it from its place in the model: every run gives the same numbers.

#include "core/frontends/onnx/convert_random.hpp"

#include <bit>

namespace orrery::onnx {

namespace {

Var seed_var(NodeReader& node, std::int64_t seed) {
    return node.constant_var(NDArray::of<std::int64_t>(DType::I64, {}, std::span(&seed, 1)));
}

/// The attribute is a float: its bits, so that no two seeds are one.
Var seed_of(NodeReader& node) {
    if (!node.has_attr("seed")) return seed_var(node, node.place());
    const auto seed = static_cast<float>(node.number("seed", 0));
    return seed_var(node, static_cast<std::int64_t>(std::bit_cast<std::uint32_t>(seed)) << 20);
}

struct Random {
    const char* op;
    const char* first; ///< attributes
    const char* second;
};
constexpr Random kUniform{"random_uniform", "low", "high"}, kNormal{"random_normal", "mean", "scale"};

Converted random_of(NodeReader& node, const Random& kind, const Shape& shape, DType dtype) {
    const DType made = dtype == DType::F64 || !is_float(dtype) ? dtype : DType::F32;
    ORRERY_TRY(const Var value, node.call(kind.op, {seed_of(node)},
                                          {{kind.first, node.number(kind.first, 0)},
                                           {kind.second, node.number(kind.second, 1)},
                                           {"shape", Ints(shape)},
                                           {"dtype", made}}));
    return result(node, cast_to(node, value, dtype));
}

template <const Random& Kind> Converted of_shape(NodeReader& node) {
    ORRERY_TRY(const DType dtype, node.dtype("dtype", DType::F32));
    return random_of(node, Kind, node.ints("shape", {}), dtype);
}

template <const Random& Kind> Converted like(NodeReader& node) {
    ORRERY_TRY(const Shape shape, input_shape(node, 0));
    ORRERY_TRY(const DType own, input_dtype(node, 0));
    ORRERY_TRY(const DType dtype, node.dtype("dtype", own));
    return random_of(node, Kind, shape, dtype);
}

Result<Var> uniform(NodeReader& node, const Var& seed, const Shape& shape, DType dtype) {
    return node.call("random_uniform", {seed}, {{"shape", Ints(shape)}, {"dtype", dtype}});
}

/// 1 with the probability that the input says.
Converted bernoulli(NodeReader& node) {
    ORRERY_TRY(const Shape shape, input_shape(node, 0));
    ORRERY_TRY(const DType own, input_dtype(node, 0));
    ORRERY_TRY(const DType dtype, node.dtype("dtype", own));
    ORRERY_TRY(const Var drawn, uniform(node, seed_of(node), shape, own == DType::F64 ? own : DType::F32));
    ORRERY_TRY(const Var chance, cast_to(node, node.input(0), type_of(drawn).dtype));
    ORRERY_TRY(const Var hit, node.call("less", {drawn, chance}));
    return result(node, cast_to(node, hit, dtype));
}

/// Classes by their unnormalized log-probabilities [N, C]: how many of the running sums of probabilities a number drawn
/// from [0, 1) is past.
Converted multinomial(NodeReader& node) {
    ORRERY_TRY(const Shape shape, input_shape(node, 0));
    const std::int64_t samples = node.integer("sample_size", 1);
    if (shape.size() != 2 || shape[1] < 1 || samples < 1 || samples > (std::int64_t{1} << 30))
        return bad_shape("Multinomial takes [N, C] and a positive sample_size");
    ORRERY_TRY(const DType dtype, node.dtype("dtype", DType::I32));
    ORRERY_TRY(const DType own, input_dtype(node, 0));
    const DType wide = own == DType::F64 ? own : DType::F32;
    ORRERY_TRY(const Var scores, cast_to(node, node.input(0), wide));
    ORRERY_TRY(const Var chances, node.call("softmax", {scores}, {{"axis", std::int64_t{1}}}));
    ORRERY_TRY(const Var sums, node.call("cumsum", {chances}, {{"axis", std::int64_t{1}}}));
    ORRERY_TRY(const Var row, reshaped(node, sums, {shape[0], 1, shape[1]}));
    ORRERY_TRY(const Var drawn, uniform(node, seed_of(node), {shape[0], samples, 1}, wide));
    ORRERY_TRY(const Var past, node.call("greater_equal", {drawn, row}));
    ORRERY_TRY(const Var ones, cast_to(node, past, dtype));
    ORRERY_TRY(const Var index, node.call("reduce_sum", {ones}, {{"axes", Ints{2}}, {"keepdims", false}}));
    // Rounding may leave the last sum below 1.
    return result(node, node.call("clip", {index}, {{"max", static_cast<double>(shape[1] - 1)}}));
}

constexpr ConverterRow kRandomRows[] = {
    {"Bernoulli", 15, bernoulli},
    {"Multinomial", 7, multinomial},
    {"RandomNormal", 1, of_shape<kNormal>},
    {"RandomNormalLike", 1, like<kNormal>},
    {"RandomUniform", 1, of_shape<kUniform>},
    {"RandomUniformLike", 1, like<kUniform>},
};

} // namespace

Result<Dropped> random_dropout(NodeReader& node, const Var& ratio) {
    ORRERY_TRY(const Shape shape, input_shape(node, 0));
    ORRERY_TRY(const DType dtype, input_dtype(node, 0));
    const DType wide = dtype == DType::F64 ? dtype : DType::F32;
    const Var seed = seed_var(node, node.has_attr("seed") ? node.integer("seed", 0) : node.place());
    ORRERY_TRY(const Var drawn, uniform(node, seed, shape, wide));
    ORRERY_TRY(const Var part, cast_to(node, ratio, wide));
    ORRERY_TRY(const Var mask, node.call("greater_equal", {drawn, part}));
    ORRERY_TRY(const Var kept, node.call("subtract", {scalar(node, wide, 1), part}));
    ORRERY_TRY(const Var divisor, cast_to(node, kept, dtype));
    ORRERY_TRY(const Var scaled, node.call("divide", {node.input(0), divisor}));
    ORRERY_TRY(const Var value, node.call("where", {mask, scaled, scalar(node, dtype, 0)}));
    return Dropped{value, mask};
}

Rows random_rows() { return kRandomRows; }

} // namespace orrery::onnx
