// Operators whose form changed between opset versions: each form that ONNX's own suite (of opset 17) does not have.

#include "tests/core/frontends/onnx/models.hpp"

#include <catch2/catch.hpp>

#include <cmath>
#include <functional>
#include <memory>

using namespace orrery;
using namespace orrery::onnx;
using namespace orrery::onnx::models;

namespace {

/// A model of one node, run on constants and inputs.
class OneNode {
  public:
    OneNode(int opset, const std::string& op, std::size_t outputs = 1)
        : model_(std::make_shared<::onnx::ModelProto>(model(opset))), maker_(*model_->mutable_graph()) {
        node_ = &maker_.node(op, {}, {});
        for (std::size_t i = 0; i < outputs; ++i) {
            node_->add_output("y" + std::to_string(i));
            maker_.output("y" + std::to_string(i));
        }
    }
    /// An input that the model is run with.
    OneNode& with(const NDArray& value) {
        const std::string name = next();
        Dims dims;
        for (std::int64_t extent : value.shape()) dims.push_back(std::to_string(extent));
        maker_.input(name, dims);
        values_.push_back(value);
        return *this;
    }
    OneNode& with(Shape shape, const std::vector<float>& values) { return with(floats(std::move(shape), values)); }
    /// A constant of the model.
    OneNode& ints(const std::vector<std::int64_t>& values) {
        maker_.ints(next(), values);
        return *this;
    }
    OneNode& constant(const Shape& shape, const std::vector<float>& values) {
        maker_.floats(next(), shape, values);
        return *this;
    }
    OneNode& missing() {
        node_->add_input("");
        return *this;
    }
    OneNode& attr(const std::string& name, std::int64_t value) {
        add_attr(*node_, name, value);
        return *this;
    }
    OneNode& list(const std::string& name, const std::vector<std::int64_t>& values) {
        add_attr(*node_, name, values);
        return *this;
    }
    OneNode& real(const std::string& name, float value) {
        auto& a = *node_->add_attribute();
        a.set_name(name);
        a.set_type(::onnx::AttributeProto::FLOAT);
        a.set_f(value);
        return *this;
    }
    OneNode& reals(const std::string& name, const std::vector<float>& values) {
        auto& a = *node_->add_attribute();
        a.set_name(name);
        a.set_type(::onnx::AttributeProto::FLOATS);
        for (float value : values) a.add_floats(value);
        return *this;
    }
    OneNode& text(const std::string& name, const std::string& value) {
        auto& a = *node_->add_attribute();
        a.set_name(name);
        a.set_type(::onnx::AttributeProto::STRING);
        a.set_s(value);
        return *this;
    }
    std::vector<NDArray> run() { return models::run(imported(*model_), values_); }
    Code refusal() { return refused(*model_).code; }
    /// Requires the first output to be this.
    void gives(const Shape& shape, const std::vector<float>& expected, double tolerance = 1e-5) {
        const NDArray y = run()[0];
        INFO(node_->op_type());
        REQUIRE(y.shape() == shape);
        REQUIRE(y.size() == static_cast<std::int64_t>(expected.size()));
        for (std::int64_t i = 0; i < y.size(); ++i)
            REQUIRE(y.as_double(i) == Approx(expected[static_cast<std::size_t>(i)]).margin(tolerance));
    }

  private:
    std::string next() {
        node_->add_input("x" + std::to_string(node_->input_size()));
        return node_->input(node_->input_size() - 1);
    }
    std::shared_ptr<::onnx::ModelProto> model_; ///< shared by copies, for the others point into it
    GraphMaker maker_;
    ::onnx::NodeProto* node_ = nullptr;
    std::vector<NDArray> values_;
};

const std::vector<float> kSix{1, 2, 3, 4, 5, 6};

} // namespace

TEST_CASE("axes move from attributes to inputs", "[onnx][convert]") {
    for (const int opset : {11, 13, 18}) {
        const auto axes = [opset](OneNode node, int since, const std::vector<std::int64_t>& values) {
            return opset < since ? node.list("axes", values) : node.ints(values);
        };
        axes(OneNode(opset, "Squeeze").with({1, 2, 1}, {1, 2}), 13, {-1}).gives({1, 2}, {1, 2});
        axes(OneNode(opset, "Unsqueeze").with({2}, {1, 2}), 13, {0, -1}).gives({1, 2, 1}, {1, 2});
        axes(OneNode(opset, "ReduceSum").with({2, 3}, kSix), 13, {1}).gives({2, 1}, {6, 15});
        axes(OneNode(opset, "ReduceMean").with({2, 3}, kSix), 18, {1}).attr("keepdims", 0).gives({2}, {2, 5});
        axes(OneNode(opset, "ReduceL2").with({1, 2}, {3, 4}), 18, {1}).gives({1, 1}, {5});
    }
    OneNode(11, "Squeeze").with({1, 2, 1}, {1, 2}).gives({2}, {1, 2});
    OneNode(13, "ReduceSum").with({2, 3}, kSix).gives({1, 1}, {21});
    OneNode(13, "ReduceSum").with({2, 3}, kSix).attr("noop_with_empty_axes", 1).gives({2, 3}, kSix);
    REQUIRE(OneNode(13, "Squeeze").with({1, 2}, {1, 2}).ints({1}).refusal() == Code::BadShape);
    REQUIRE(OneNode(13, "Unsqueeze").with({2}, {1, 2}).ints({0, 0}).refusal() == Code::BadAttribute);
}

TEST_CASE("slices and splits of every version", "[onnx][convert]") {
    OneNode(9, "Slice").with({2, 3}, kSix).list("starts", {0, -2}).list("ends", {1, 1000}).gives({1, 2}, {2, 3});
    OneNode(9, "Slice")
        .with({2, 3}, kSix)
        .list("starts", {1})
        .list("ends", {3})
        .list("axes", {1})
        .gives({2, 2}, {2, 3, 5, 6});
    OneNode(13, "Slice").with({6}, kSix).ints({4}).ints({-1000}).ints({0}).ints({-2}).gives({3}, {5, 3, 1});
    OneNode(13, "Slice").with({6}, kSix).ints({2}).ints({2}).gives({0}, {});
    REQUIRE(OneNode(13, "Slice").with({6}, kSix).ints({0}).ints({6}).ints({0}).ints({0}).refusal() ==
            Code::BadAttribute);

    const auto parts = [](OneNode node) {
        std::vector<std::int64_t> extents;
        for (const NDArray& part : node.run()) extents.push_back(part.shape()[0]);
        return extents;
    };
    using Extents = std::vector<std::int64_t>;
    REQUIRE(parts(OneNode(11, "Split", 2).with({6}, kSix).list("split", {4, 2})) == Extents{4, 2});
    REQUIRE(parts(OneNode(13, "Split", 2).with({6}, kSix).ints({1, 5})) == Extents{1, 5});
    REQUIRE(parts(OneNode(13, "Split", 3).with({6}, kSix)) == Extents{2, 2, 2});
    REQUIRE(parts(OneNode(18, "Split", 4).with({7}, {1, 2, 3, 4, 5, 6, 7}).attr("num_outputs", 4)) ==
            Extents{2, 2, 2, 1});
    REQUIRE(OneNode(13, "Split", 2).with({6}, kSix).ints({1, 4}).refusal() == Code::BadShape);
    REQUIRE(OneNode(13, "Split", 2).with({6}, kSix).ints({9, -3}).refusal() == Code::BadShape);
}

TEST_CASE("padding, cropping, clipping", "[onnx][convert]") {
    OneNode(10, "Pad").with({3}, {1, 2, 3}).list("pads", {1, 2}).real("value", 9).gives({6}, {9, 1, 2, 3, 9, 9});
    OneNode(13, "Pad").with({3}, {1, 2, 3}).ints({1, 0}).text("mode", "edge").gives({4}, {1, 1, 2, 3});
    OneNode(18, "Pad").with({1, 3}, {1, 2, 3}).ints({0, 1}).missing().ints({-1}).gives({1, 4}, {1, 2, 3, 0});
    OneNode(19, "Pad").with({3}, {1, 2, 3}).ints({1, 1}).text("mode", "wrap").gives({5}, {3, 1, 2, 3, 1});
    REQUIRE(OneNode(13, "Pad").with({3}, {1, 2, 3}).ints({1}).refusal() == Code::BadShape);
    OneNode(18, "CenterCropPad").with({2, 3}, kSix).ints({1, 6}).gives({1, 6}, {0, 1, 2, 3, 0, 0});
    OneNode(18, "CenterCropPad").with({2, 3}, kSix).ints({1}).list("axes", {1}).gives({2, 1}, {2, 5});
    OneNode(6, "Clip").with({3}, {-5, 0.5F, 5}).real("min", -1).gives({3}, {-1, 0.5F, 5});
    OneNode(11, "Clip").with({3}, {-5, 0.5F, 5}).missing().constant({}, {1}).gives({3}, {-5, 0.5F, 1});
    OneNode(11, "Clip").with({3}, {-5, 0.5F, 5}).with({}, {-1}).gives({3}, {-1, 0.5F, 5}); // a bound that is data
}

TEST_CASE("softmax flattened and along an axis", "[onnx][convert]") {
    const std::vector<float> equal(6, 1);
    OneNode(11, "Softmax").with({1, 2, 3}, equal).gives({1, 2, 3}, std::vector<float>(6, 1.0F / 6));
    OneNode(13, "Softmax").with({1, 2, 3}, equal).gives({1, 2, 3}, std::vector<float>(6, 1.0F / 3));
    OneNode(11, "Softmax").with({1, 2, 3}, equal).attr("axis", -1).gives({1, 2, 3}, std::vector<float>(6, 1.0F / 3));
    OneNode(11, "Hardmax").with({1, 2, 2}, {1, 4, 3, 2}).gives({1, 2, 2}, {0, 1, 0, 0});
    REQUIRE(OneNode(13, "Softmax").with({2}, {1, 2}).attr("axis", 1).refusal() == Code::BadAttribute);
}

TEST_CASE("resampling through the versions", "[onnx][convert]") {
    const std::vector<float> doubled{1, 1, 2, 2};
    OneNode(7, "Upsample").with({2}, {1, 2}).reals("scales", {2}).gives({4}, doubled);
    OneNode(9, "Upsample").with({2}, {1, 2}).constant({1}, {2}).gives({4}, doubled);
    OneNode(10, "Resize").with({2}, {1, 2}).constant({1}, {2}).gives({4}, doubled);
    OneNode(11, "Resize").with({2}, {1, 2}).constant({0}, {}).constant({1}, {2}).gives({4}, doubled);
    OneNode(13, "Resize").with({2}, {1, 2}).missing().missing().ints({4}).gives({4}, doubled);
    OneNode(9, "Upsample").with({2}, {1, 3}).constant({1}, {2}).text("mode", "linear").gives({4}, {1, 2, 3, 3});
    OneNode(18, "Resize").with({1, 2}, {1, 2}).missing().missing().ints({4}).list("axes", {1}).gives({1, 4}, doubled);
    // One scale for both axes: 2, the lesser of 2 and 3, or 3, the greater.
    const auto policy = [](const char* name) {
        return OneNode(18, "Resize")
            .with({1, 1}, {7})
            .missing()
            .missing()
            .ints({2, 3})
            .text("keep_aspect_ratio_policy", name);
    };
    policy("not_larger").gives({2, 2}, std::vector<float>(4, 7));
    policy("not_smaller").gives({3, 3}, std::vector<float>(9, 7));
    // With antialias every element counts: the mean of pairs of a line, off by the edge.
    OneNode(18, "Resize")
        .with({4}, {0, 8, 16, 24})
        .constant({0}, {})
        .constant({1}, {0.5F})
        .text("mode", "linear")
        .attr("antialias", 1)
        .gives({2}, {5, 19});
    REQUIRE(OneNode(11, "Resize").with({2}, {1, 2}).missing().constant({1}, {-1}).refusal() == Code::BadAttribute);
    REQUIRE(OneNode(11, "Resize").with({2}, {1, 2}).refusal() == Code::BadShape);
}

TEST_CASE("group norm by groups and by channels", "[onnx][convert]") {
    const std::vector<float> x{1, 3, 5, 9, 0, 2, 4, 8}; // [1, 4, 2], groups of means 4.5 and 3.5
    const auto expected = [&](const std::vector<float>& scale) {
        std::vector<float> y;
        for (std::size_t i = 0; i < 8; ++i) {
            const double mean = i < 4 ? 4.5 : 3.5, variance = 8.75;
            y.push_back(static_cast<float>((x[i] - mean) / std::sqrt(variance + 1e-5) * scale[i / 2]));
        }
        return y;
    };
    OneNode(18, "GroupNormalization")
        .with({1, 4, 2}, x)
        .with({2}, {1, 10})
        .with({2}, {0, 0})
        .attr("num_groups", 2)
        .gives({1, 4, 2}, expected({1, 1, 10, 10}));
    OneNode(21, "GroupNormalization")
        .with({1, 4, 2}, x)
        .with({4}, {1, 2, 3, 4})
        .with({4}, {0, 0, 0, 0})
        .attr("num_groups", 2)
        .gives({1, 4, 2}, expected({1, 2, 3, 4}));
    REQUIRE(OneNode(18, "GroupNormalization")
                .with({1, 4, 2}, x)
                .with({3}, {1, 1, 1})
                .with({3}, {0, 0, 0})
                .attr("num_groups", 3)
                .refusal() == Code::BadAttribute);
}

TEST_CASE("operators newer than the suite", "[onnx][convert]") {
    OneNode(18, "Mish").with({1}, {1}).gives({1}, {static_cast<float>(std::tanh(std::log(1 + std::exp(1.0))))});
    OneNode(20, "Gelu").with({1}, {1}).gives({1}, {static_cast<float>(0.5 * (1 + std::erf(std::sqrt(0.5))))});
    OneNode(20, "Gelu").with({1}, {1}).text("approximate", "tanh").gives({1}, {0.841192F});
    OneNode(18, "LpPool")
        .with({1, 1, 4}, {3, 4, 6, 8})
        .list("kernel_shape", {2})
        .list("strides", {2})
        .gives({1, 1, 2}, {5, 10});
    OneNode(19, "AveragePool")
        .with({1, 1, 4}, {1, 2, 3, 8})
        .list("kernel_shape", {2})
        .list("dilations", {2})
        .gives({1, 1, 2}, {2, 5});
    OneNode(18, "ScatterElements")
        .with({2}, {1, 5})
        .ints({0, 1})
        .with({2}, {3, 3})
        .text("reduction", "max")
        .gives({2}, {3, 5});
    REQUIRE(OneNode(20, "Gelu").with({1}, {1}).text("approximate", "sine").refusal() == Code::BadAttribute);
}

TEST_CASE("newer operators refuse what does not fit", "[onnx][convert]") {
    const std::vector<float> kEight(8, 1);
    REQUIRE(OneNode(20, "AffineGrid").with({2, 2, 2}, kEight).ints({2, 1, 3, 3}).refusal() == Code::BadShape);
    REQUIRE(OneNode(20, "AffineGrid").with({1, 2, 3}, kSix).ints({1, 1, -3, 3}).refusal() == Code::BadShape);
    REQUIRE(OneNode(20, "AffineGrid").with({1, 2, 3}, kSix).ints({2, 1, 3, 3}).refusal() == Code::BadShape);
    REQUIRE(OneNode(18, "Col2Im").with({1, 4, 2}, kEight).ints({3, 3}).ints({2}).refusal() == Code::BadAttribute);
    REQUIRE(OneNode(1, "MaxRoiPool").with({1, 2, 2, 2}, kEight).with({1, 5}, {0, 0, 0, 1, 1}).refusal() ==
            Code::BadAttribute);
    const auto deform = [&](std::int64_t groups) {
        return OneNode(19, "DeformConv")
            .with({1, 2, 2, 2}, kEight)
            .with({2, 1, 2, 2}, kEight)
            .with({1, 8, 1, 1}, kEight)
            .attr("group", groups);
    };
    deform(2).gives({1, 2, 1, 1}, {1, 1}); // every tap but the first is moved out of the image
    for (const std::int64_t groups : {0, -1, 3}) REQUIRE(deform(groups).refusal() == Code::BadShape);
    const auto rotary = [&](std::int64_t turned) {
        return OneNode(23, "RotaryEmbedding")
            .with({1, 1, 2, 4}, kEight)
            .with({1, 2, 1}, {1, 1})
            .with({1, 2, 1}, {0, 0})
            .attr("rotary_embedding_dim", turned);
    };
    rotary(2).gives({1, 1, 2, 4}, kEight);
    REQUIRE(rotary(3).refusal() == Code::BadAttribute);
    REQUIRE(rotary(6).refusal() == Code::BadAttribute);
    REQUIRE(rotary(4).refusal() == Code::BadShape); // the cache is for 2
    const auto attention = [&](const Shape& key) {
        return OneNode(23, "Attention").with({1, 2, 1, 4}, kEight).with(key, kEight).with(key, kEight);
    };
    REQUIRE(attention({1, 1, 4, 2}).refusal() == Code::BadShape);
    REQUIRE(attention({2, 1, 1, 4}).refusal() == Code::BadShape);
    REQUIRE(attention({1, 2, 4}).refusal() == Code::BadShape); // no kv_num_heads
    REQUIRE(attention({1, 2, 1, 4}).attr("qk_matmul_output_mode", 4).refusal() == Code::BadAttribute);
    REQUIRE(attention({1, 2, 1, 4}).real("scale", -1).refusal() == Code::BadAttribute);
    REQUIRE(OneNode(7, "Multinomial").with({1, 2}, {0, 0}).attr("sample_size", 0).refusal() == Code::BadShape);
    REQUIRE(OneNode(1, "RandomNormal").list("shape", {-1}).refusal() == Code::BadShape);
    REQUIRE(OneNode(1, "RandomUniform").list("shape", {1 << 20, 1 << 30}).refusal() == Code::LimitExceeded);
}

TEST_CASE("older forms", "[onnx][convert]") {
    const std::vector<NDArray> top = OneNode(9, "TopK", 2).with({4}, {1, 9, 3, 7}).attr("k", 2).run();
    REQUIRE(top[0].as_double(1) == 7);
    REQUIRE(top[1].as_int(1) == 3);
    const std::vector<NDArray> dropped = OneNode(7, "Dropout", 2).with({2}, {1, 2}).real("ratio", 0.5).run();
    REQUIRE(dropped[0].as_double(1) == 2);
    REQUIRE(dropped[1].dtype() == DType::F32); // the mask had the data's type
    REQUIRE(OneNode(10, "Dropout", 2).with({2}, {1, 2}).run()[1].dtype() == DType::Bool);
    const auto batch_norm = [](int opset) {
        return OneNode(opset, "BatchNormalization")
            .with({1, 1, 2}, {1, 3})
            .with({1}, {2})
            .with({1}, {1})
            .with({1}, {2})
            .with({1}, {4})
            .real("epsilon", 0);
    };
    for (const int opset : {7, 9, 14, 15}) batch_norm(opset).gives({1, 1, 2}, {0, 2});
    OneNode(7, "BatchNormalization") // statistics of each place of a sample
        .with({2, 1, 2}, {1, 3, 5, 7})
        .with({1, 2}, {2, 1})
        .with({1, 2}, {1, 0})
        .with({1, 2}, {2, 3})
        .with({1, 2}, {4, 1})
        .real("epsilon", 0)
        .attr("spatial", 0)
        .gives({2, 1, 2}, {0, 0, 4, 4});
    OneNode(7, "PRelu")
        .with({1, 2, 2, 3}, {-1, -1, -1, -1, -1, -1, -2, -2, -2, 2, 2, 2})
        .with({2}, {0.5F, 0.25F})
        .gives({1, 2, 2, 3}, {-0.5F, -0.5F, -0.5F, -0.5F, -0.5F, -0.5F, -0.5F, -0.5F, -0.5F, 2, 2, 2});
    OneNode(9, "Pow").with({2}, {3, 4}).constant({}, {2}).gives({2}, {9, 16});
    OneNode(9, "Pow").with({2}, {4, 9}).constant({1}, {0.5F}).gives({2}, {2, 3});
    OneNode(9, "Pow").with({2}, {2, 3}).constant({1}, {3}).gives({2}, {8, 27});
}

TEST_CASE("a convolution's padding is worked out", "[onnx][convert]") {
    const auto conv = [](const char* pad, std::int64_t stride) {
        return OneNode(11, "Conv")
            .with({1, 1, 4}, {1, 2, 3, 4})
            .constant({1, 1, 2}, {1, 10})
            .text("auto_pad", pad)
            .list("strides", {stride});
    };
    conv("SAME_UPPER", 1).gives({1, 1, 4}, {21, 32, 43, 4});
    conv("SAME_LOWER", 1).gives({1, 1, 4}, {10, 21, 32, 43});
    conv("VALID", 1).gives({1, 1, 3}, {21, 32, 43});
    conv("SAME_UPPER", 2).gives({1, 1, 2}, {21, 43});
    REQUIRE(conv("SOME", 1).refusal() == Code::BadAttribute);
    REQUIRE(conv("VALID", 0).refusal() == Code::BadAttribute);
    REQUIRE(OneNode(11, "Conv")
                .with({1, 1, 4}, {1, 2, 3, 4})
                .constant({1, 1, 2}, {1, 10})
                .list("kernel_shape", {3})
                .refusal() == Code::BadAttribute);
    OneNode(11, "ConvTranspose")
        .with({1, 1, 2}, {1, 2})
        .constant({1, 1, 3}, {1, 2, 3})
        .list("strides", {2})
        .list("output_shape", {4})
        .gives({1, 1, 4}, {2, 5, 4, 6});
    OneNode(11, "Gemm")
        .with({1, 2}, {1, 2})
        .constant({3, 2}, {1, 0, 0, 1, 1, 1})
        .constant({3}, {10, 20, 30})
        .attr("transB", 1)
        .real("alpha", 2)
        .real("beta", 0.5)
        .gives({1, 3}, {7, 14, 21});
}
