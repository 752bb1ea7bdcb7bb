#include "core/frontends/onnx/networks.hpp"

#include "core/frontends/onnx/networks_builder.hpp"
#include "core/frontends/onnx/networks_zoo.hpp"

namespace orrery::onnx {

namespace {

struct Entry {
    NetworkInfo info;
    void (*build)(NetworkBuilder&, const NetworkInfo&);
};

constexpr NetworkInfo image(std::string_view name, std::string_view summary, std::int64_t channels = 3,
                            std::int64_t side = 224) {
    return {name, summary, "input", DType::F32, {1, channels, side, side}, 4};
}

constexpr NetworkInfo tokens(std::string_view name, std::string_view summary) {
    return {name, summary, "tokens", DType::I64, {1, 64}, 2};
}

constexpr Entry kEntries[] = {
    {{"mlp", "Three dense layers for 28x28 digits", "input", DType::F32, {1, 784}, 2}, build_mlp},
    {image("lenet", "LeNet-5: two convolutions and three dense layers for digits", 1, 28), build_lenet},
    {image("resnet18", "ResNet-18: residual blocks of two 3x3 convolutions"), build_resnet18},
    {image("resnet50", "ResNet-50: residual bottleneck blocks"), build_resnet50},
    {image("vgg16", "VGG-16: plain 3x3 convolutions, large dense layers"), build_vgg16},
    {image("squeezenet", "SqueezeNet 1.1: fire modules, 1.2 million weights"), build_squeezenet},
    {image("mobilenet_v1", "MobileNet v1: depthwise separable convolutions"), build_mobilenet_v1},
    {image("mobilenet_v2", "MobileNet v2: inverted residuals with linear bottlenecks"), build_mobilenet_v2},
    {image("inception_v1", "Inception v1 (GoogLeNet): parallel branches, concatenated"), build_inception_v1},
    {image("densenet121", "DenseNet-121: every layer reads all before it"), build_densenet121},
    {tokens("lstm", "Text classifier: embedding and two LSTM layers"), build_lstm},
    {tokens("transformer", "Transformer encoder: four layers of four-headed attention"), build_transformer},
};

constexpr auto kInfos = [] {
    std::array<NetworkInfo, std::size(kEntries)> infos{};
    for (std::size_t i = 0; i < infos.size(); ++i) infos[i] = kEntries[i].info;
    return infos;
}();

} // namespace

std::span<const NetworkInfo> networks() { return kInfos; }

Result<std::string> build_network(std::string_view name, std::uint64_t seed) {
    for (const Entry& entry : kEntries) {
        if (entry.info.name != name) continue;
        NetworkBuilder builder(name, seed);
        entry.build(builder, entry.info);
        return builder.finish();
    }
    std::string known;
    for (const NetworkInfo& info : kInfos) known += (known.empty() ? "" : " ") + std::string(info.name);
    return Diagnostic{
        Code::UnknownName, "there is no built-in network named '" + std::string(name) + "'", {}, "one of: " + known};
}

} // namespace orrery::onnx
