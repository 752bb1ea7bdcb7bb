#pragma once
// One function a built-in network: each adds its nodes, weights, input and outputs to an empty builder.

namespace orrery::onnx {

class NetworkBuilder;
struct NetworkInfo;

void build_mlp(NetworkBuilder& b, const NetworkInfo& info);
void build_lenet(NetworkBuilder& b, const NetworkInfo& info);
void build_resnet18(NetworkBuilder& b, const NetworkInfo& info);
void build_resnet50(NetworkBuilder& b, const NetworkInfo& info);
void build_vgg16(NetworkBuilder& b, const NetworkInfo& info);
void build_squeezenet(NetworkBuilder& b, const NetworkInfo& info);
void build_mobilenet_v1(NetworkBuilder& b, const NetworkInfo& info);
void build_mobilenet_v2(NetworkBuilder& b, const NetworkInfo& info);
void build_inception_v1(NetworkBuilder& b, const NetworkInfo& info);
void build_densenet121(NetworkBuilder& b, const NetworkInfo& info);
void build_lstm(NetworkBuilder& b, const NetworkInfo& info);
void build_transformer(NetworkBuilder& b, const NetworkInfo& info);

} // namespace orrery::onnx
