// Networks for images: LeNet, ResNet, VGG, SqueezeNet, MobileNet, Inception, DenseNet.

#include "core/frontends/onnx/networks_builder.hpp"
#include "core/frontends/onnx/networks_zoo.hpp"

namespace orrery::onnx {

namespace {

using std::to_string;

constexpr std::int64_t kClasses = 1000;

Value conv_relu(NetworkBuilder& b, const Value& x, const std::string& path, ConvOptions options) {
    options.bias = true;
    return b.relu(b.conv(x, path, options), path);
}

/// Global pooling and the class scores, with no softmax.
Value scores(NetworkBuilder& b, const Value& x, const std::string& path) {
    const Value pooled = b.op("avgpool", "GlobalAveragePool", {x});
    return b.linear(b.flatten(pooled, "", 1), path, kClasses, kScoreGain);
}

// ---- ResNet: He et al., "Deep residual learning", 2015; bottlenecks stride in their 3x3 convolution

struct ResidualBlock {
    std::string path;
    std::int64_t width = 0, out = 0, stride = 1;
};

Value shortcut(NetworkBuilder& b, const Value& x, const ResidualBlock& block) {
    if (block.stride == 1 && x.width == block.out) return x;
    const std::string path = block.path + ".downsample";
    const Value y = b.conv(x, path + ".0", {.out = block.out, .kernel = 1, .stride = block.stride, .gain = 1});
    return b.batch_norm(y, path + ".1", 0.75);
}

Value basic_block(NetworkBuilder& b, const Value& x, const ResidualBlock& block) {
    const std::string& p = block.path;
    Value y = b.conv(x, p + ".conv1", {.out = block.width, .kernel = 3, .stride = block.stride});
    y = b.relu(b.batch_norm(y, p + ".bn1"), p + ".relu");
    y = b.conv(y, p + ".conv2", {.out = block.out, .kernel = 3, .gain = 1});
    y = b.batch_norm(y, p + ".bn2", 0.5);
    return b.relu(b.op(p, "Add", {y, shortcut(b, x, block)}), p + ".relu");
}

Value bottleneck_block(NetworkBuilder& b, const Value& x, const ResidualBlock& block) {
    const std::string& p = block.path;
    Value y = b.conv(x, p + ".conv1", {.out = block.width});
    y = b.relu(b.batch_norm(y, p + ".bn1"), p + ".relu");
    y = b.conv(y, p + ".conv2", {.out = block.width, .kernel = 3, .stride = block.stride});
    y = b.relu(b.batch_norm(y, p + ".bn2"), p + ".relu");
    y = b.conv(y, p + ".conv3", {.out = block.out, .gain = 1});
    y = b.batch_norm(y, p + ".bn3", 0.5);
    return b.relu(b.op(p, "Add", {y, shortcut(b, x, block)}), p + ".relu");
}

struct ResNet {
    std::int64_t blocks[4];
    std::int64_t expansion;
    Value (*block)(NetworkBuilder&, const Value&, const ResidualBlock&);
};

void build_resnet(NetworkBuilder& b, const NetworkInfo& info, const ResNet& net) {
    Value x = b.conv(b.input(info), "conv1", {.out = 64, .kernel = 7, .stride = 2});
    x = b.relu(b.batch_norm(x, "bn1"), "relu");
    x = b.pool(x, "maxpool", "MaxPool", {.kernel = 3, .stride = 2, .pad = 1});
    for (int layer = 0; layer < 4; ++layer) {
        const std::int64_t width = std::int64_t{64} << layer;
        for (std::int64_t i = 0; i < net.blocks[layer]; ++i) {
            const std::string path = "layer" + to_string(layer + 1) + "." + to_string(i);
            x = net.block(b, x, {path, width, width * net.expansion, layer > 0 && i == 0 ? 2 : 1});
        }
    }
    b.output(scores(b, x, "fc"), "logits", {1, kClasses});
}

// ---- SqueezeNet 1.1: Iandola et al., 2016

Value fire(NetworkBuilder& b, const Value& x, const std::string& path, std::int64_t squeeze, std::int64_t expand) {
    const Value s = conv_relu(b, x, path + ".squeeze", {.out = squeeze});
    const Value narrow = conv_relu(b, s, path + ".expand1x1", {.out = expand});
    const Value wide = conv_relu(b, s, path + ".expand3x3", {.out = expand, .kernel = 3});
    return b.concat({narrow, wide}, path);
}

// ---- MobileNet: Howard et al., 2017; Sandler et al., 2018

Value conv_bn_relu(NetworkBuilder& b, const Value& x, const std::string& path, const ConvOptions& options) {
    return b.relu(b.batch_norm(b.conv(x, path + ".conv", options), path + ".bn"), path + ".relu");
}

Value conv_bn_relu6(NetworkBuilder& b, const Value& x, const std::string& path, const ConvOptions& options) {
    const Value y = b.batch_norm(b.conv(x, path + ".0", options), path + ".1");
    const Value low = b.scalar(path + ".2", 0.0f), high = b.scalar(path + ".2", 6.0f);
    return b.op(path + ".2", "Clip", {y, low, high});
}

struct InvertedResidual {
    std::string path;
    std::int64_t expansion = 1, out = 0, stride = 1;
};

Value inverted_residual(NetworkBuilder& b, const Value& x, const InvertedResidual& block) {
    const bool residual = block.stride == 1 && x.width == block.out;
    const std::int64_t hidden = x.width * block.expansion;
    int part = 0;
    const auto next = [&] { return block.path + ".conv." + to_string(part++); };
    Value y = x;
    if (block.expansion != 1) y = conv_bn_relu6(b, y, next(), {.out = hidden});
    y = conv_bn_relu6(b, y, next(), {.out = hidden, .kernel = 3, .stride = block.stride, .groups = hidden});
    y = b.conv(y, next(), {.out = block.out, .gain = 1});
    y = b.batch_norm(y, next(), residual ? 0.5 : 1.0);
    return residual ? b.op(block.path, "Add", {x, y}) : y;
}

// ---- Inception v1: Szegedy et al., "Going deeper with convolutions", 2014

struct Inception {
    const char* name;
    std::int64_t b1, b3_reduce, b3, b5_reduce, b5, pool;
};

Value inception(NetworkBuilder& b, const Value& x, const Inception& m) {
    const std::string path = std::string("inception_") + m.name;
    const Value one = conv_relu(b, x, path + ".branch1.conv", {.out = m.b1});
    const Value three_in = conv_relu(b, x, path + ".branch2.reduce", {.out = m.b3_reduce});
    const Value three = conv_relu(b, three_in, path + ".branch2.conv", {.out = m.b3, .kernel = 3});
    const Value five_in = conv_relu(b, x, path + ".branch3.reduce", {.out = m.b5_reduce});
    const Value five = conv_relu(b, five_in, path + ".branch3.conv", {.out = m.b5, .kernel = 5});
    const Value pooled = b.pool(x, path + ".branch4.pool", "MaxPool", {.kernel = 3, .stride = 1, .pad = 1});
    const Value projected = conv_relu(b, pooled, path + ".branch4.conv", {.out = m.pool});
    return b.concat({one, three, five, projected}, path);
}

Value local_response_norm(NetworkBuilder& b, const Value& x, const std::string& path) {
    return b.op(path, "LRN", {x}, {{"alpha", 1e-4f}, {"beta", 0.75f}, {"bias", 1.0f}, {"size", std::int64_t{5}}});
}

// ---- DenseNet: Huang et al., 2016

/// `features` so far, plus the growth of one layer that reads them all.
void dense_layer(NetworkBuilder& b, std::vector<Value>& features, const std::string& path) {
    constexpr std::int64_t kGrowth = 32, kBottleneck = 4 * kGrowth;
    Value y = features.size() == 1 ? features[0] : b.concat(features, path);
    y = b.relu(b.batch_norm(y, path + ".norm1"), path + ".relu1");
    y = b.conv(y, path + ".conv1", {.out = kBottleneck});
    y = b.relu(b.batch_norm(y, path + ".norm2"), path + ".relu2");
    features.push_back(b.conv(y, path + ".conv2", {.out = kGrowth, .kernel = 3}));
}

Value dense_transition(NetworkBuilder& b, const Value& x, const std::string& path) {
    Value y = b.relu(b.batch_norm(x, path + ".norm"), path + ".relu");
    y = b.conv(y, path + ".conv", {.out = x.width / 2});
    return b.pool(y, path + ".pool", "AveragePool", {.kernel = 2, .stride = 2});
}

} // namespace

// LeCun et al., "Gradient-based learning applied to document recognition", 1998
void build_lenet(NetworkBuilder& b, const NetworkInfo& info) {
    Value x = b.input(info);
    x.width = 1;
    x = b.conv(x, "conv1", {.out = 6, .kernel = 5, .bias = true});
    x = b.pool(b.op("tanh1", "Tanh", {x}), "pool1", "AveragePool", {.kernel = 2, .stride = 2});
    x = b.conv(x, "conv2", {.out = 16, .kernel = 5, .pad = 0, .bias = true});
    x = b.pool(b.op("tanh2", "Tanh", {x}), "pool2", "AveragePool", {.kernel = 2, .stride = 2});
    x = b.flatten(x, "", 5 * 5);
    x = b.op("tanh3", "Tanh", {b.linear(x, "fc1", 120, kReluGain)});
    x = b.op("tanh4", "Tanh", {b.linear(x, "fc2", 84, kReluGain)});
    b.softmax_output(b.linear(x, "fc3", 10, kScoreGain));
}

void build_resnet18(NetworkBuilder& b, const NetworkInfo& info) {
    build_resnet(b, info, {{2, 2, 2, 2}, 1, basic_block});
}

void build_resnet50(NetworkBuilder& b, const NetworkInfo& info) {
    build_resnet(b, info, {{3, 4, 6, 3}, 4, bottleneck_block});
}

// Simonyan and Zisserman, 2014
void build_vgg16(NetworkBuilder& b, const NetworkInfo& info) {
    Value x = b.input(info);
    int index = 0;
    for (const auto& [count, width] : {std::pair{2, 64}, {2, 128}, {3, 256}, {3, 512}, {3, 512}}) {
        for (int i = 0; i < count; ++i) {
            x = b.conv(x, "features." + to_string(index++), {.out = width, .kernel = 3, .bias = true});
            x = b.relu(x, "features." + to_string(index++));
        }
        x = b.pool(x, "features." + to_string(index++), "MaxPool", {});
    }
    x = b.flatten(x, "", 7 * 7);
    for (const char* layer : {"0", "3"}) {
        const std::string number(1, static_cast<char>(layer[0] + 2));
        x = b.relu(b.linear(x, std::string("classifier.") + layer, 4096, kReluGain),
                   std::string("classifier.") + layer);
        x = b.op("classifier." + number, "Dropout", {x, b.scalar("classifier." + number, 0.5f)});
    }
    b.output(b.linear(x, "classifier.6", kClasses, kScoreGain), "logits", {1, kClasses});
}

void build_squeezenet(NetworkBuilder& b, const NetworkInfo& info) {
    const PoolOptions half{.kernel = 3, .stride = 2, .ceil = true};
    Value x = conv_relu(b, b.input(info), "features.0", {.out = 64, .kernel = 3, .stride = 2, .pad = 0});
    x = b.pool(x, "features.2", "MaxPool", half);
    x = fire(b, x, "features.3", 16, 64);
    x = fire(b, x, "features.4", 16, 64);
    x = b.pool(x, "features.5", "MaxPool", half);
    x = fire(b, x, "features.6", 32, 128);
    x = fire(b, x, "features.7", 32, 128);
    x = b.pool(x, "features.8", "MaxPool", half);
    x = fire(b, x, "features.9", 48, 192);
    x = fire(b, x, "features.10", 48, 192);
    x = fire(b, x, "features.11", 64, 256);
    x = fire(b, x, "features.12", 64, 256);
    x = conv_relu(b, x, "classifier.1", {.out = kClasses, .gain = kScoreGain});
    x = b.op("classifier.3", "GlobalAveragePool", {x});
    b.softmax_output(b.flatten(x, "", 1));
}

void build_mobilenet_v1(NetworkBuilder& b, const NetworkInfo& info) {
    struct Separable {
        std::int64_t out, stride;
    };
    constexpr Separable kLayers[] = {{64, 1},  {128, 2}, {128, 1}, {256, 2}, {256, 1},  {512, 2}, {512, 1},
                                     {512, 1}, {512, 1}, {512, 1}, {512, 1}, {1024, 2}, {1024, 1}};
    Value x = conv_bn_relu(b, b.input(info), "features.0", {.out = 32, .kernel = 3, .stride = 2});
    int index = 1;
    for (const Separable& layer : kLayers) {
        const std::string path = "features." + to_string(index++);
        x = conv_bn_relu(b, x, path + ".depthwise",
                         {.out = x.width, .kernel = 3, .stride = layer.stride, .groups = x.width});
        x = conv_bn_relu(b, x, path + ".pointwise", {.out = layer.out});
    }
    b.softmax_output(scores(b, x, "classifier"));
}

void build_mobilenet_v2(NetworkBuilder& b, const NetworkInfo& info) {
    struct Stage {
        std::int64_t expansion, out, count, stride;
    };
    constexpr Stage kStages[] = {{1, 16, 1, 1}, {6, 24, 2, 2},  {6, 32, 3, 2}, {6, 64, 4, 2},
                                 {6, 96, 3, 1}, {6, 160, 3, 2}, {6, 320, 1, 1}};
    Value x = conv_bn_relu6(b, b.input(info), "features.0", {.out = 32, .kernel = 3, .stride = 2});
    int index = 1;
    for (const Stage& stage : kStages)
        for (std::int64_t i = 0; i < stage.count; ++i)
            x = inverted_residual(
                b, x, {"features." + to_string(index++), stage.expansion, stage.out, i == 0 ? stage.stride : 1});
    x = conv_bn_relu6(b, x, "features." + to_string(index), {.out = 1280});
    b.output(scores(b, x, "classifier.1"), "logits", {1, kClasses});
}

void build_inception_v1(NetworkBuilder& b, const NetworkInfo& info) {
    const PoolOptions half{.kernel = 3, .stride = 2, .ceil = true};
    Value x = conv_relu(b, b.input(info), "conv1", {.out = 64, .kernel = 7, .stride = 2});
    x = local_response_norm(b, b.pool(x, "maxpool1", "MaxPool", half), "norm1");
    x = conv_relu(b, x, "conv2", {.out = 64});
    x = conv_relu(b, x, "conv3", {.out = 192, .kernel = 3});
    x = b.pool(local_response_norm(b, x, "norm2"), "maxpool2", "MaxPool", half);
    x = inception(b, x, {"3a", 64, 96, 128, 16, 32, 32});
    x = inception(b, x, {"3b", 128, 128, 192, 32, 96, 64});
    x = b.pool(x, "maxpool3", "MaxPool", half);
    x = inception(b, x, {"4a", 192, 96, 208, 16, 48, 64});
    x = inception(b, x, {"4b", 160, 112, 224, 24, 64, 64});
    x = inception(b, x, {"4c", 128, 128, 256, 24, 64, 64});
    x = inception(b, x, {"4d", 112, 144, 288, 32, 64, 64});
    x = inception(b, x, {"4e", 256, 160, 320, 32, 128, 128});
    x = b.pool(x, "maxpool4", "MaxPool", half);
    x = inception(b, x, {"5a", 256, 160, 320, 32, 128, 128});
    x = inception(b, x, {"5b", 384, 192, 384, 48, 128, 128});
    x = b.pool(x, "avgpool", "AveragePool", {.kernel = 7, .stride = 1});
    x = b.flatten(b.op("dropout", "Dropout", {x, b.scalar("dropout", 0.4f)}), "", 1);
    b.softmax_output(b.linear(x, "fc", kClasses, 1)); // unsigned pooled branches are large
}

void build_densenet121(NetworkBuilder& b, const NetworkInfo& info) {
    Value x = b.conv(b.input(info), "features.conv0", {.out = 64, .kernel = 7, .stride = 2});
    x = b.relu(b.batch_norm(x, "features.norm0"), "features.relu0");
    x = b.pool(x, "features.pool0", "MaxPool", {.kernel = 3, .stride = 2, .pad = 1});
    int block = 1;
    for (const int layers : {6, 12, 24, 16}) {
        const std::string path = "features.denseblock" + to_string(block);
        std::vector<Value> features{x};
        for (int i = 1; i <= layers; ++i) dense_layer(b, features, path + ".denselayer" + to_string(i));
        x = b.concat(features, path);
        if (block < 4) x = dense_transition(b, x, "features.transition" + to_string(block));
        ++block;
    }
    x = b.relu(b.batch_norm(x, "features.norm5"), "");
    b.output(scores(b, x, "classifier"), "logits", {1, kClasses});
}

} // namespace orrery::onnx
