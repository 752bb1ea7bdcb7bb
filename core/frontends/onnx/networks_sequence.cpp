// Networks for vectors and token sequences: dense layers, LSTM, transformer encoder.

#include "core/frontends/onnx/networks_builder.hpp"
#include "core/frontends/onnx/networks_zoo.hpp"

#include <cmath>

namespace orrery::onnx {

namespace {

using std::to_string;

constexpr std::int64_t kVocabulary = 8000;

Value embed(NetworkBuilder& b, const Value& tokens, const std::string& path, std::int64_t width) {
    const Value table = b.weight(path + ".weight", {kVocabulary, width}, Fill::bell(1));
    return {b.op(path, "Gather", {table, tokens}, {{"axis", std::int64_t{0}}}).name, width};
}

// ---- LSTM: Hochreiter and Schmidhuber, 1997; x is [T, N, F]

struct LstmResult {
    Value sequence; ///< [T, N, H]
    Value last;     ///< [N, H]
};

LstmResult lstm_layer(NetworkBuilder& b, const Value& x, const std::string& path, std::int64_t hidden) {
    const Value w = b.weight(path + ".W", {1, 4 * hidden, x.width}, Fill::bell(1 / std::sqrt(double(x.width))));
    const Value r = b.weight(path + ".R", {1, 4 * hidden, hidden}, Fill::bell(1 / std::sqrt(double(hidden))));
    const Value bias = b.weight(path + ".B", {1, 8 * hidden}, Fill::bell(0.05));
    auto& node = b.node(path, "LSTM", {x, w, r, bias}, {{"direction", "forward"}, {"hidden_size", hidden}});
    for (int i = 0; i < 3; ++i) node.add_output(node.name() + "_output_" + to_string(i));
    const Value sequence{node.output(0), hidden}, last{node.output(1), hidden};
    return {b.op(path, "Squeeze", {sequence, b.integers(path, {1})}),
            b.op(path, "Squeeze", {last, b.integers(path, {0})})};
}

// ---- Transformer encoder: Vaswani et al., 2017, normalized after each residual as in BERT

struct Encoder {
    std::int64_t tokens, width, heads, inner, layers;
};

/// MatMul and Add on the last axis of [N, T, F].
Value dense(NetworkBuilder& b, const Value& x, const std::string& path, std::int64_t out, double gain = 1) {
    const double deviation = gain / std::sqrt(static_cast<double>(x.width));
    const Value product = b.op(path, "MatMul", {x, b.weight(path + ".weight", {x.width, out}, Fill::bell(deviation))});
    const Value sum = b.op(path, "Add", {b.weight(path + ".bias", {out}, Fill::bell(0.05)), product});
    return {sum.name, out};
}

Value layer_norm(NetworkBuilder& b, const Value& x, const std::string& path) {
    return b.op(path, "LayerNormalization",
                {x, b.weight(path + ".weight", {x.width}, Fill::near_one()),
                 b.weight(path + ".bias", {x.width}, Fill::bell(0.05))},
                {{"axis", std::int64_t{-1}}, {"epsilon", 1e-5f}});
}

/// x (1 + erf(x / sqrt 2)) / 2
Value gelu(NetworkBuilder& b, const Value& x, const std::string& path) {
    const Value scaled = b.op(path, "Div", {x, b.scalar(path, 1.41421354f)});
    const Value shifted = b.op(path, "Add", {b.op(path, "Erf", {scaled}), b.scalar(path, 1.0f)});
    return b.op(path, "Mul", {b.op(path, "Mul", {x, shifted}), b.scalar(path, 0.5f)});
}

/// [N, T, F] to [N, heads, T, F / heads], axes in the order `perm` asks for.
Value split_heads(NetworkBuilder& b, const Value& x, const std::string& path, const Encoder& e,
                  std::vector<std::int64_t> perm) {
    const Value shape = b.integers(path, {1, e.tokens, e.heads, e.width / e.heads});
    return b.op(path, "Transpose", {b.op(path, "Reshape", {x, shape})}, {{"perm", std::move(perm)}});
}

Value attention(NetworkBuilder& b, const Value& x, const std::string& path, const Encoder& e) {
    const std::string self = path + ".self";
    const Value q = split_heads(b, dense(b, x, self + ".query", e.width), self, e, {0, 2, 1, 3});
    const Value k = split_heads(b, dense(b, x, self + ".key", e.width), self, e, {0, 2, 3, 1});
    const Value v = split_heads(b, dense(b, x, self + ".value", e.width), self, e, {0, 2, 1, 3});
    const auto root = static_cast<float>(std::sqrt(static_cast<double>(e.width / e.heads)));
    const Value scaled = b.op(self, "Div", {b.op(self, "MatMul", {q, k}), b.scalar(self, root)});
    const Value weights = b.op(self, "Softmax", {scaled}, {{"axis", std::int64_t{-1}}});
    Value mixed = b.op(self, "Transpose", {b.op(self, "MatMul", {weights, v})},
                       {{"perm", std::vector<std::int64_t>{0, 2, 1, 3}}});
    mixed = b.op(self, "Reshape", {mixed, b.integers(self, {1, e.tokens, e.width})});
    mixed.width = e.width;
    const Value y = dense(b, mixed, path + ".output.dense", e.width, 0.5);
    return layer_norm(b, b.op(path + ".output", "Add", {y, x}), path + ".output.LayerNorm");
}

Value encoder_layer(NetworkBuilder& b, const Value& x, const std::string& path, const Encoder& e) {
    const Value seen = attention(b, x, path + ".attention", e);
    Value y = gelu(b, dense(b, seen, path + ".intermediate.dense", e.inner, kReluGain), path + ".intermediate");
    y.width = e.inner;
    y = dense(b, y, path + ".output.dense", e.width, 0.5);
    return layer_norm(b, b.op(path + ".output", "Add", {y, seen}), path + ".output.LayerNorm");
}

} // namespace

void build_mlp(NetworkBuilder& b, const NetworkInfo& info) {
    Value x = b.input(info);
    x = b.relu(b.linear(x, "fc1", 512, kReluGain), "relu1");
    x = b.relu(b.linear(x, "fc2", 256, kReluGain), "relu2");
    b.softmax_output(b.linear(x, "fc3", 10, kScoreGain));
}

void build_lstm(NetworkBuilder& b, const NetworkInfo& info) {
    constexpr std::int64_t kWidth = 256, kHidden = 512, kTopics = 16;
    Value x = embed(b, b.input(info), "embedding", kWidth);
    x = b.op("lstm", "Transpose", {x}, {{"perm", std::vector<std::int64_t>{1, 0, 2}}});
    x = lstm_layer(b, x, "lstm.0", kHidden).sequence;
    x = lstm_layer(b, x, "lstm.1", kHidden).last;
    b.softmax_output(
        b.linear(x, "classifier", kTopics, 4 * kScoreGain)); // an LSTM's state has about a quarter's spread
}

void build_transformer(NetworkBuilder& b, const NetworkInfo& info) {
    constexpr Encoder e{.tokens = 64, .width = 256, .heads = 4, .inner = 1024, .layers = 4};
    const Value words = embed(b, b.input(info), "embeddings.word_embeddings", e.width);
    const Value places = b.weight("embeddings.position_embeddings.weight", {1, e.tokens, e.width}, Fill::bell(0.3));
    Value x = b.op("embeddings", "Add", {words, places});
    x = layer_norm(b, x, "embeddings.LayerNorm");
    for (std::int64_t i = 0; i < e.layers; ++i) x = encoder_layer(b, x, "encoder.layer." + to_string(i), e);
    const Value first = b.op("pooler", "Gather", {x, b.integers("pooler", {0})}, {{"axis", std::int64_t{1}}});
    Value pooled = b.flatten(first, "pooler", 1);
    pooled.width = e.width;
    pooled = b.op("pooler.activation", "Tanh", {b.linear(pooled, "pooler.dense", e.width, 1)});
    b.output(x, "last_hidden_state", {1, e.tokens, e.width});
    b.output(pooled, "pooler_output", {1, e.width});
}

} // namespace orrery::onnx
