// Attention and rotary embeddings, as products, a softmax and what stands between them.

#include "core/frontends/onnx/convert_support.hpp"

#include <cmath>
#include <limits>

namespace orrery::onnx {

namespace {

// -------------------------------------------------------------------------------- rotary embedding

/// Elements [begin, begin + count * step) of the last axis.
Result<Var> part_of(NodeReader& node, const Var& x, std::int64_t begin, std::int64_t count, std::int64_t step) {
    const Shape shape = shape_of(x);
    Ints begins(shape.size(), 0), sizes(shape), steps(shape.size(), 1);
    begins.back() = begin;
    sizes.back() = count;
    steps.back() = step;
    return node.call("slice", {x}, {{"begins", begins}, {"sizes", sizes}, {"steps", steps}});
}

/// The cache's rows for each position, as [B, S, 1, half], in x's element type.
Result<Var> rotary_factors(NodeReader& node, std::size_t input, const Shape& x, std::int64_t half) {
    ORRERY_TRY(const Shape cache, input_shape(node, input));
    Var rows = node.input(input);
    if (node.has(3)) { ORRERY_TRY(rows, node.call("gather", {rows, node.input(3)}, {{"axis", std::int64_t{0}}})); }
    const Shape shape = shape_of(rows);
    if (shape != Shape{x[0], x[1], half} && shape != Shape{1, x[1], half})
        return bad_shape("RotaryEmbedding's cache does not fit its positions");
    return reshaped(node, rows, {shape[0], shape[1], 1, half});
}

/// x as [B, S, heads, head size], and how to come back.
struct Heads {
    Var x;
    Shape original;
};
Result<Heads> split_heads(NodeReader& node, const Shape& shape) {
    Heads heads{node.input(0), shape};
    if (shape.size() == 4) {
        ORRERY_TRY(heads.x, transposed(node, heads.x, {0, 2, 1, 3}));
        return heads;
    }
    const std::int64_t count = node.integer("num_heads", 0);
    if (shape.size() != 3 || count < 1 || shape[2] % count != 0)
        return bad_shape("RotaryEmbedding takes [B, heads, S, D], or [B, S, heads * D] and num_heads");
    ORRERY_TRY(heads.x, reshaped(node, heads.x, {shape[0], shape[1], count, shape[2] / count}));
    return heads;
}

Result<Var> join_parts(NodeReader& node, const Var& real, const Var& imaginary, bool interleaved) {
    if (!interleaved) return node.call("concat", {real, imaginary}, {{"axis", std::int64_t{3}}});
    Shape column = shape_of(real);
    Shape whole = column;
    whole.back() *= 2;
    column.push_back(1);
    ORRERY_TRY(const Var a, reshaped(node, real, column));
    ORRERY_TRY(const Var b, reshaped(node, imaginary, column));
    ORRERY_TRY(const Var pairs, node.call("concat", {a, b}, {{"axis", std::int64_t{4}}}));
    return reshaped(node, pairs, whole);
}

Converted rotary_embedding(NodeReader& node) {
    ORRERY_CHECK_OK(require_inputs(node, 3));
    ORRERY_TRY(const Shape given, input_shape(node, 0));
    ORRERY_TRY(const Heads heads, split_heads(node, given));
    const Shape shape = shape_of(heads.x);
    const std::int64_t asked = node.integer("rotary_embedding_dim", 0), turned = asked == 0 ? shape[3] : asked;
    if (turned < 2 || turned > shape[3] || turned % 2 != 0)
        return bad_attribute("rotary_embedding_dim must be even and within the head size");
    const std::int64_t half = turned / 2;
    const bool interleaved = node.integer("interleaved", 0) != 0;
    ORRERY_TRY(const Var cosine, rotary_factors(node, 1, shape, half));
    ORRERY_TRY(const Var sine, rotary_factors(node, 2, shape, half));
    ORRERY_TRY(const Var a, part_of(node, heads.x, 0, half, interleaved ? 2 : 1));
    ORRERY_TRY(const Var b, part_of(node, heads.x, interleaved ? 1 : half, half, interleaved ? 2 : 1));
    const auto sum = [&](const Var& x, const Var& y, const char* op) -> Result<Var> {
        ORRERY_TRY(const Var left, node.call("multiply", {a, x}));
        ORRERY_TRY(const Var right, node.call("multiply", {b, y}));
        return node.call(op, {left, right});
    };
    ORRERY_TRY(const Var real, sum(cosine, sine, "subtract"));
    ORRERY_TRY(const Var imaginary, sum(sine, cosine, "add"));
    ORRERY_TRY(Var y, join_parts(node, real, imaginary, interleaved));
    if (turned < shape[3]) {
        ORRERY_TRY(const Var rest, part_of(node, heads.x, turned, shape[3] - turned, 1));
        ORRERY_TRY(y, node.call("concat", {y, rest}, {{"axis", std::int64_t{3}}}));
    }
    if (given.size() == 4) return result(node, transposed(node, y, {0, 2, 1, 3}));
    return result(node, reshaped(node, y, given));
}

// --------------------------------------------------------------------------------------- attention

/// [B, heads, S, D] of an input that may be [B, S, heads * D].
Result<Var> heads_of(NodeReader& node, std::size_t i, const char* attribute) {
    ORRERY_TRY(const Shape shape, input_shape(node, i));
    if (shape.size() == 4) return node.input(i);
    const std::int64_t heads = node.integer(attribute, 0);
    if (shape.size() != 3 || heads < 1 || shape[2] % heads != 0)
        return bad_shape("Attention takes [B, heads, S, D], or [B, S, heads * D] and " + std::string(attribute));
    ORRERY_TRY(const Var split, reshaped(node, node.input(i), {shape[0], shape[1], heads, shape[2] / heads}));
    return transposed(node, split, {0, 2, 1, 3});
}

/// Keys or values after those of the past.
Result<Var> with_past(NodeReader& node, const Var& now, std::size_t past) {
    if (!node.has(past)) return now;
    return node.call("concat", {node.input(past), now}, {{"axis", std::int64_t{2}}});
}

/// Query heads of one key and value head lie beside each other: [B, kv heads, heads of each, S, D].
struct Attention {
    Var query, key, value;
    Shape scores;  ///< [B, heads, Sq, Skv]
    Shape grouped; ///< [B, kv heads, heads of each, Sq, Skv]
};

Result<Attention> read_attention(NodeReader& node, const Var& query, const Var& key, const Var& value) {
    const Shape q = shape_of(query), k = shape_of(key), v = shape_of(value);
    if (q.size() != 4 || k.size() != 4 || v.size() != 4 || q[0] != k[0] || q[3] != k[3] || k[1] < 1 ||
        q[1] % k[1] != 0 || v[0] != k[0] || v[1] != k[1] || v[2] != k[2])
        return bad_shape("Attention's queries, keys and values do not fit");
    const std::int64_t each = q[1] / k[1];
    Attention a{nullptr, nullptr, nullptr, {q[0], q[1], q[2], k[2]}, {q[0], k[1], each, q[2], k[2]}};
    const DType dtype = type_of(query).dtype;
    const double scale = node.number("scale", 1 / std::sqrt(static_cast<double>(q[3])));
    if (!(scale >= 0)) return bad_attribute("scale must be 0 or more");
    const auto scaled = [&](const Var& x) { return node.call("multiply", {x, scalar(node, dtype, std::sqrt(scale))}); };
    ORRERY_TRY(const Var small_query, scaled(query));
    ORRERY_TRY(const Var small_key, scaled(key));
    ORRERY_TRY(a.query, reshaped(node, small_query, {q[0], k[1], each, q[2], q[3]}));
    ORRERY_TRY(a.key, reshaped(node, small_key, {k[0], k[1], 1, k[2], k[3]}));
    ORRERY_TRY(a.value, reshaped(node, value, {v[0], v[1], 1, v[2], v[3]}));
    return a;
}

/// What is added to the scores: 0, or -infinity where a key is not to be looked at; null for nothing.
Result<Var> attention_bias(NodeReader& node, const Shape& scores, DType dtype) {
    Var bias;
    const Var low = scalar(node, dtype, -std::numeric_limits<double>::infinity()), zero = scalar(node, dtype, 0);
    if (node.has(3)) {
        bias = node.input(3);
        ORRERY_TRY(const DType type, input_dtype(node, 3));
        if (type == DType::Bool) {
            ORRERY_TRY(bias, node.call("where", {bias, zero, low}));
        } else {
            ORRERY_TRY(bias, cast_to(node, bias, dtype));
        }
    }
    if (node.integer("is_causal", 0) == 0) return bias;
    ORRERY_TRY(NDArray allowed, filled(DType::Bool, {scores[2], scores[3]}, 1));
    // Queries follow the past: the first one sees it all, and itself.
    const std::int64_t past = node.has(4) ? scores[3] - scores[2] : 0;
    for (std::int64_t i = 0; i < scores[2]; ++i)
        for (std::int64_t j = 0; j < scores[3]; ++j) allowed.set_int(i * scores[3] + j, j <= i + past);
    ORRERY_TRY(const Var causal, node.call("where", {node.constant_var(std::move(allowed)), zero, low}));
    if (!bias) return causal;
    return node.call("add", {bias, causal});
}

Converted attention(NodeReader& node) {
    ORRERY_CHECK_OK(require_inputs(node, 3));
    ORRERY_TRY(const DType dtype, input_dtype(node, 0));
    ORRERY_TRY(const Var query, heads_of(node, 0, "q_num_heads"));
    ORRERY_TRY(const Var new_key, heads_of(node, 1, "kv_num_heads"));
    ORRERY_TRY(const Var new_value, heads_of(node, 2, "kv_num_heads"));
    ORRERY_TRY(const Var key, with_past(node, new_key, 4));
    ORRERY_TRY(const Var value, with_past(node, new_value, 5));
    ORRERY_TRY(const Attention a, read_attention(node, query, key, value));
    ORRERY_TRY(const Var product, node.call("matmul", {a.query, a.key}, {{"transpose_b", true}}));
    ORRERY_TRY(Var scores, reshaped(node, product, a.scores));
    Vars stages{scores}; // what qk_matmul_output_mode 0 to 3 asks for
    if (const double cap = node.number("softcap", 0); cap != 0) {
        ORRERY_TRY(const Var part, node.call("divide", {scores, scalar(node, dtype, cap)}));
        ORRERY_TRY(const Var bent, node.call("tanh", {part}));
        ORRERY_TRY(scores, node.call("multiply", {bent, scalar(node, dtype, cap)}));
    }
    stages.push_back(scores);
    // After the cap, which would make a number of -infinity. So does ONNX Runtime.
    ORRERY_TRY(const Var bias, attention_bias(node, a.scores, dtype));
    if (bias) { ORRERY_TRY(scores, node.call("add", {scores, bias})); }
    stages.push_back(scores);
    DType precision = dtype;
    if (node.integer("softmax_precision", 0) != 0) { ORRERY_TRY(precision, node.dtype("softmax_precision", dtype)); }
    ORRERY_TRY(const Var wide, cast_to(node, scores, precision));
    ORRERY_TRY(const Var shares, node.call("softmax", {wide}, {{"axis", std::int64_t{-1}}}));
    ORRERY_TRY(const Var weights, cast_to(node, shares, dtype));
    stages.push_back(weights);
    ORRERY_TRY(const Var grouped, reshaped(node, weights, a.grouped));
    ORRERY_TRY(const Var sum, node.call("matmul", {grouped, a.value}));
    const std::int64_t depth = shape_of(value)[3];
    ORRERY_TRY(Var y, reshaped(node, sum, {a.scores[0], a.scores[1], a.scores[2], depth}));
    ORRERY_TRY(const Shape given, input_shape(node, 0));
    if (given.size() == 3) {
        ORRERY_TRY(const Var rows, transposed(node, y, {0, 2, 1, 3}));
        ORRERY_TRY(y, reshaped(node, rows, {a.scores[0], a.scores[2], a.scores[1] * depth}));
    }
    const std::int64_t mode = node.integer("qk_matmul_output_mode", 0);
    if (mode < 0 || mode > 3) return bad_attribute("qk_matmul_output_mode is 0, 1, 2 or 3");
    return results(node, {y, key, value, stages[static_cast<std::size_t>(mode)]});
}

constexpr ConverterRow kAttentionRows[] = {
    {"Attention", 23, attention},
    {"RotaryEmbedding", 23, rotary_embedding},
};

} // namespace

Rows attention_rows() { return kAttentionRows; }

} // namespace orrery::onnx
