#include "core/frontends/onnx/networks.hpp"
#include "core/frontends/onnx/networks_builder.hpp"

#include <catch2/catch.hpp>

#include <cmath>
#include <cstring>
#include <set>

using namespace orrery;
using namespace orrery::onnx;

namespace {

::onnx::ModelProto built(std::string_view name, std::uint64_t seed = 0) {
    const auto bytes = build_network(name, seed);
    REQUIRE(bytes);
    ::onnx::ModelProto model;
    REQUIRE(model.ParseFromString(*bytes));
    return model;
}

std::vector<float> floats(const ::onnx::TensorProto& tensor) {
    std::vector<float> values(tensor.raw_data().size() / 4);
    std::memcpy(values.data(), tensor.raw_data().data(), values.size() * 4);
    return values;
}

const ::onnx::TensorProto* find(const ::onnx::ModelProto& model, std::string_view name) {
    for (const auto& tensor : model.graph().initializer())
        if (tensor.name() == name) return &tensor;
    return nullptr;
}

double deviation(const std::vector<float>& values) {
    double sum = 0, squares = 0;
    for (const float v : values) sum += v, squares += double(v) * v;
    const auto n = static_cast<double>(values.size());
    return std::sqrt(squares / n - sum / n * (sum / n));
}

bool ends_with(const std::string& text, std::string_view end) {
    return text.size() >= end.size() && text.compare(text.size() - end.size(), end.size(), end) == 0;
}

/// What training would change: batch normalization's running statistics are not counted.
std::int64_t trainable(const ::onnx::ModelProto& model) {
    std::int64_t count = 0;
    for (const auto& tensor : model.graph().initializer())
        if (!ends_with(tensor.name(), "running_mean") && !ends_with(tensor.name(), "running_var"))
            count += static_cast<std::int64_t>(tensor.raw_data().size() / 4);
    return count;
}

/// Each node reads what stands before it, names are unique, each initializer is used and complete.
void check_graph(const ::onnx::ModelProto& model) {
    std::set<std::string> known, names, used;
    for (const auto& input : model.graph().input()) known.insert(input.name());
    for (const auto& tensor : model.graph().initializer()) {
        CHECK(known.insert(tensor.name()).second);
        std::int64_t count = 1;
        for (const std::int64_t d : tensor.dims()) count *= d;
        CHECK(tensor.raw_data().size() == static_cast<std::size_t>(count) * 4);
    }
    for (const auto& node : model.graph().node()) {
        INFO(node.name());
        CHECK(names.insert(node.name()).second);
        for (const auto& in : node.input()) CHECK(known.count(in) == 1);
        for (const auto& in : node.input()) used.insert(in);
        for (const auto& out : node.output()) CHECK(known.insert(out).second);
    }
    for (const auto& tensor : model.graph().initializer()) CHECK(used.count(tensor.name()) == 1);
    for (const auto& output : model.graph().output()) CHECK(known.count(output.name()) == 1);
}

} // namespace

TEST_CASE("every network is a well-formed graph that takes the input its description names", "[frontends][networks]") {
    REQUIRE(networks().size() == 12);
    for (const NetworkInfo& info : networks()) {
        if (info.name == "vgg16") continue; // half a gigabyte; its size is checked below
        INFO(info.name);
        const ::onnx::ModelProto model = built(info.name);
        CHECK(model.ir_version() == 8);
        REQUIRE(model.opset_import_size() == 1);
        CHECK(model.opset_import(0).version() == 17);
        REQUIRE(model.graph().input_size() == 1);
        CHECK(model.graph().input(0).name() == info.input);
        const auto& type = model.graph().input(0).type().tensor_type();
        CHECK((type.elem_type() == ::onnx::TensorProto::INT64) == (info.dtype == DType::I64));
        REQUIRE(type.shape().dim_size() == info.rank);
        for (int i = 0; i < info.rank; ++i) CHECK(type.shape().dim(i).dim_value() == info.shape()[i]);
        check_graph(model);
    }
}

TEST_CASE("weights are as many as the published networks have", "[frontends][networks]") {
    // Counts as published: torchvision's model pages, and Caffe's model zoo for inception_v1.
    CHECK(trainable(built("resnet18")) == 11'689'512);
    CHECK(trainable(built("resnet50")) == 25'557'032);
    CHECK(trainable(built("squeezenet")) == 1'235'496);
    CHECK(trainable(built("mobilenet_v2")) == 3'504'872);
    CHECK(trainable(built("densenet121")) == 7'978'856);
    CHECK(trainable(built("inception_v1")) == 6'998'552);
    CHECK(trainable(built("lenet")) == 61'706);
}

TEST_CASE("vgg16 has 138,357,544 weights and little else", "[frontends][networks]") {
    const auto bytes = build_network("vgg16", 0);
    REQUIRE(bytes);
    CHECK(bytes->size() > 4ull * 138'357'544);
    CHECK(bytes->size() < 4ull * 138'357'544 + 16'384);
}

TEST_CASE("weights follow from the seed and the tensor's name alone", "[frontends][networks]") {
    CHECK(*build_network("mlp", 7) == *build_network("mlp", 7));
    const auto zero = built("mlp", 0), one = built("mlp", 1);
    CHECK(find(zero, "fc1.weight")->raw_data() != find(one, "fc1.weight")->raw_data());
    const auto weight = floats(*find(zero, "fc1.weight")), next = floats(*find(zero, "fc2.weight"));
    CHECK(std::vector<float>(weight.begin(), weight.begin() + 8) != std::vector<float>(next.begin(), next.begin() + 8));
}

TEST_CASE("the generator is splitmix64, bit for bit", "[frontends][networks]") {
    // The first two words from the seed 1234567 are 6457827717110365317 and 3203168211198807973 (the vector most
    // implementations publish). Their 16-bit quarters sum to 131070 + (74052) and 131070 + (-31502).
    const std::uint64_t words[] = {6457827717110365317u, 3203168211198807973u};
    float out[2] = {};
    fill_weights(reinterpret_cast<char*>(out), 2, 1234567, Fill::bell(1));
    const auto step = static_cast<float>(std::sqrt(3.0) / 65536.0);
    CHECK(out[0] == 74052.0f * step);
    CHECK(out[1] == -31502.0f * step);
    fill_weights(reinterpret_cast<char*>(out), 2, 1234567, Fill::near_one());
    for (int i = 0; i < 2; ++i)
        CHECK(out[i] == (52429.0f + static_cast<float>((words[i] >> 32) * 26215 >> 32)) / 65536.0f);
}

TEST_CASE("weights keep the variance of activations", "[frontends][networks]") {
    const auto model = built("resnet18");
    // 64 channels of 3x3 beside a ReLU, and the branch's end with no gain; 36,864 draws are within 2 %.
    CHECK(deviation(floats(*find(model, "layer1.0.conv1.weight"))) == Approx(std::sqrt(2.0 / 576)).epsilon(0.02));
    CHECK(deviation(floats(*find(model, "layer1.0.conv2.weight"))) == Approx(std::sqrt(1.0 / 576)).epsilon(0.02));
    for (const float v : floats(*find(model, "layer1.0.bn1.running_var"))) CHECK((v >= 0.8f && v <= 1.2f));
    for (const float v : floats(*find(model, "layer1.0.bn2.weight"))) CHECK((v >= 0.4f && v <= 0.6f));
}

TEST_CASE("nodes are named by module path, so that blocks can be grouped", "[frontends][networks]") {
    const auto model = built("resnet18");
    std::set<std::string> names;
    for (const auto& node : model.graph().node()) names.insert(node.name());
    for (const char* name : {"/conv1/Conv", "/layer1/0/conv1/Conv", "/layer1/0/relu/Relu", "/layer1/0/relu/Relu_1",
                             "/layer4/0/downsample/0/Conv", "/layer4/1/Add", "/fc/Gemm"})
        CHECK(names.count(name) == 1);
    CHECK(find(model, "layer1.0.bn2.running_mean") != nullptr);
}

TEST_CASE("a name that is not in the list is refused", "[frontends][networks]") {
    const auto result = build_network("resnet51", 0);
    REQUIRE_FALSE(result);
    CHECK(result.error().code == Code::UnknownName);
    CHECK(result.error().hint.find("resnet50") != std::string::npos);
}
