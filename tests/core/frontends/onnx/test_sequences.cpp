// Sequences, optionals and random operators: what the importer makes of them.

#include "tests/core/frontends/onnx/models.hpp"

#include <catch2/catch.hpp>

#include <cmath>

using namespace orrery;
using namespace orrery::onnx;
using namespace orrery::onnx::models;

namespace {

/// A sequence (or an optional one) of f32 tensors as an input.
void sequence_input(GraphMaker& maker, ::onnx::ModelProto& model, const std::string& name, bool optional = false) {
    maker.input(name, {});
    auto& graph = *model.mutable_graph();
    auto& type = *graph.mutable_input(graph.input_size() - 1)->mutable_type();
    type.Clear();
    auto& outer = optional ? *type.mutable_optional_type()->mutable_elem_type() : type;
    outer.mutable_sequence_type()->mutable_elem_type()->mutable_tensor_type()->set_elem_type(
        ::onnx::TensorProto::FLOAT);
}

std::vector<double> all(const NDArray& array) {
    std::vector<double> out;
    for (std::int64_t i = 0; i < array.size(); ++i) out.push_back(array.as_double(i));
    return out;
}

using Numbers = std::vector<double>;

} // namespace

TEST_CASE("a sequence is its elements", "[onnx][sequence]") {
    ::onnx::ModelProto m = model();
    GraphMaker maker(*m.mutable_graph());
    sequence_input(maker, m, "s");
    maker.input("x", {"2"});
    maker.ints("one", {1}).ints("last", {-1});
    maker.node("SequenceInsert", {"s", "x", "one"}, {"longer"});
    maker.node("SequenceErase", {"longer", "last"}, {"shorter"});
    maker.node("SequenceLength", {"shorter"}, {"count"});
    maker.node("SequenceAt", {"shorter", "one"}, {"second"});
    add_attr(maker.node("ConcatFromSequence", {"shorter"}, {"joined"}), "axis", 0);
    for (const char* name : {"shorter", "count", "second", "joined"}) maker.output(name);
    const ImportOptions options{.shapes = {{"s.0", {1}}, {"s.1", {3}}}, .constants = {}};
    const graph::Module module = imported(m, options);
    REQUIRE(module.main->params.size() == 3);
    REQUIRE(module.main->params[0]->name == "s.0");
    REQUIRE(module.outputs == std::vector<std::string>{"shorter.0", "shorter.1", "count", "second", "joined"});
    const std::vector<NDArray> y = run(module, {floats({1}, {7}), floats({3}, {1, 2, 3}), floats({2}, {8, 9})});
    REQUIRE(all(y[0]) == Numbers{7});
    REQUIRE(all(y[1]) == Numbers{8, 9});
    REQUIRE(y[2].as_int(0) == 2);
    REQUIRE(all(y[3]) == Numbers{8, 9});
    REQUIRE(all(y[4]) == Numbers{7, 8, 9});
    CHECK(refused(m).code == Code::BadShape); // how long is it?
    CHECK(refused(m, {.shapes = {{"s", {-1}}}, .constants = {}}).code == Code::BadShape);
}

TEST_CASE("a position outside a sequence is refused", "[onnx][sequence]") {
    for (const std::int64_t position : {-3, 2, 3}) {
        ::onnx::ModelProto m = model();
        GraphMaker maker(*m.mutable_graph());
        maker.input("x", {"2"}).ints("at", {position}).output("y");
        maker.node("SequenceConstruct", {"x", "x"}, {"s"});
        maker.node("SequenceAt", {"s", "at"}, {"y"});
        CHECK(refused(m).code == Code::BadShape);
    }
    ::onnx::ModelProto m = model();
    GraphMaker maker(*m.mutable_graph());
    maker.input("x", {"2"}).ints("at", {0}).output("y");
    maker.node("SequenceAt", {"x", "at"}, {"y"});
    CHECK(refused(m).code == Code::BadType); // x is none
}

TEST_CASE("a tensor is split into a sequence", "[onnx][sequence]") {
    const auto split = [](std::int64_t keepdims, const std::vector<std::int64_t>& sizes) {
        ::onnx::ModelProto m = model();
        GraphMaker maker(*m.mutable_graph());
        maker.input("x", {"2", "3"}).output("s");
        if (!sizes.empty()) maker.ints("sizes", sizes);
        auto& node =
            maker.node("SplitToSequence",
                       sizes.empty() ? std::vector<std::string>{"x"} : std::vector<std::string>{"x", "sizes"}, {"s"});
        add_attr(node, "axis", 1);
        add_attr(node, "keepdims", keepdims);
        return m;
    };
    const NDArray x = floats({2, 3}, {1, 2, 3, 4, 5, 6});
    std::vector<NDArray> y = run(imported(split(1, {2, 1})), {x});
    REQUIRE(y.size() == 2);
    REQUIRE(y[0].shape() == Shape{2, 2});
    REQUIRE(all(y[1]) == Numbers{3, 6});
    y = run(imported(split(0, {})), {x});
    REQUIRE(y.size() == 3);
    REQUIRE(y[2].shape() == Shape{2});
    REQUIRE(all(y[2]) == Numbers{3, 6});
    CHECK(refused(split(1, {2, 2})).code == Code::BadShape);
    CHECK(refused(split(1, {-1, 4})).code == Code::BadShape);
}

TEST_CASE("a graph is applied to every element", "[onnx][sequence]") {
    ::onnx::ModelProto m = model();
    GraphMaker maker(*m.mutable_graph());
    sequence_input(maker, m, "s");
    maker.input("x", {"1"}).output("y");
    auto& node = maker.node("SequenceMap", {"s", "x"}, {"y"});
    GraphMaker body(add_graph(node, "body"));
    body.input("a", {}).input("b", {}).output("c");
    body.node("Add", {"a", "b"}, {"c"});
    const ImportOptions options{.shapes = {{"s.0", {1}}, {"s.1", {2}}}, .constants = {}};
    const std::vector<NDArray> y =
        run(imported(m, options), {floats({1}, {7}), floats({2}, {1, 2}), floats({1}, {10})});
    REQUIRE(y.size() == 2);
    REQUIRE(all(y[0]) == Numbers{17});
    REQUIRE(all(y[1]) == Numbers{11, 12});
}

TEST_CASE("an optional is its element or nothing", "[onnx][sequence]") {
    ::onnx::ModelProto m = model(18);
    GraphMaker maker(*m.mutable_graph());
    sequence_input(maker, m, "s", true);
    maker.output("there");
    maker.node("OptionalHasElement", {"s"}, {"there"});
    REQUIRE(run(imported(m), {})[0].as_int(0) == 0);
    const ImportOptions one{.shapes = {{"s.0", {1}}}, .constants = {}};
    REQUIRE(run(imported(m, one), {floats({1}, {7})})[0].as_int(0) == 1);
    REQUIRE(run(imported(m, {.shapes = {{"s", {0}}}, .constants = {}}), {})[0].as_int(0) == 1); // an empty sequence
    maker.node("OptionalGetElement", {"s"}, {"got"});
    maker.output("got");
    REQUIRE(run(imported(m, one), {floats({1}, {7})})[1].as_double(0) == 7);
    CHECK(refused(m).code == Code::BadShape);
}

TEST_CASE("random nodes differ from each other and not from run to run", "[onnx][random]") {
    ::onnx::ModelProto m = model();
    GraphMaker maker(*m.mutable_graph());
    for (const char* name : {"a", "b"}) {
        add_attr(maker.node("RandomNormal", {}, {name}), "shape", std::vector<std::int64_t>{500});
        maker.output(name);
    }
    const std::vector<NDArray> first = run(imported(m), {}), again = run(imported(m), {});
    REQUIRE(first[0].content_hash() == again[0].content_hash());
    REQUIRE(first[0].content_hash() != first[1].content_hash());
}

TEST_CASE("dropout in training drops about as many as it is told and keeps the mean", "[onnx][random]") {
    ::onnx::ModelProto m = model();
    GraphMaker maker(*m.mutable_graph());
    maker.input("x", {"10000"}).floats("ratio", {}, {0.25F}).output("y").output("mask");
    maker.tensor("training", {}, ::onnx::TensorProto::BOOL).add_int32_data(1);
    add_attr(maker.node("Dropout", {"x", "ratio", "training"}, {"y", "mask"}), "seed", 3);
    const std::vector<NDArray> y = run(imported(m), {floats({10000}, std::vector<float>(10000, 3))});
    double kept = 0;
    for (std::int64_t i = 0; i < 10000; ++i) {
        kept += y[1].as_double(i);
        REQUIRE(y[0].as_double(i) == (y[1].as_int(i) != 0 ? 4 : 0));
    }
    REQUIRE(std::abs(kept / 10000 - 0.75) < 0.03); // 5 deviations are 0.022
}

TEST_CASE("classes are drawn by their probabilities", "[onnx][random]") {
    ::onnx::ModelProto m = model();
    GraphMaker maker(*m.mutable_graph());
    // Probabilities 0.2 and 0.8 of the first row; the second has one class.
    maker.floats("scores", {2, 2}, {0, std::log(4.0F), -1e30F, 0}).output("y");
    add_attr(maker.node("Multinomial", {"scores"}, {"y"}), "sample_size", 5000);
    const NDArray y = run(imported(m), {})[0];
    REQUIRE(y.shape() == Shape{2, 5000});
    REQUIRE(y.dtype() == DType::I32);
    double ones = 0;
    for (std::int64_t i = 0; i < 5000; ++i) {
        ones += y.as_double(i);
        REQUIRE(y.as_int(5000 + i) == 1);
    }
    REQUIRE(std::abs(ones / 5000 - 0.8) < 0.03);
}

TEST_CASE("slices that differ are found along an axis", "[onnx][convert]") {
    ::onnx::ModelProto m = model();
    GraphMaker maker(*m.mutable_graph());
    maker.floats("x", {3, 2}, {2, 1, 0, 5, 2, 1}).output("y").output("first").output("inverse").output("counts");
    add_attr(maker.node("Unique", {"x"}, {"y", "first", "inverse", "counts"}), "axis", 0);
    const std::vector<NDArray> y = run(imported(m), {});
    REQUIRE(y[0].shape() == Shape{2, 2});
    REQUIRE(all(y[0]) == Numbers{0, 5, 2, 1});
    REQUIRE(all(y[1]) == Numbers{1, 0});
    REQUIRE(all(y[2]) == Numbers{1, 0, 1});
    REQUIRE(all(y[3]) == Numbers{1, 2});
}

TEST_CASE("n-grams are counted", "[onnx][convert]") {
    const auto counted = [](const char* mode, std::int64_t skips) {
        ::onnx::ModelProto m = model();
        GraphMaker maker(*m.mutable_graph());
        maker.floats("x", {6}, {1, 2, 1, 2, 3, 1}).output("y");
        auto& cast = maker.node("Cast", {"x"}, {"whole"});
        add_attr(cast, "to", ::onnx::TensorProto::INT32);
        auto& node = maker.node("TfIdfVectorizer", {"whole"}, {"y"});
        auto& text = *node.add_attribute();
        text.set_name("mode");
        text.set_type(::onnx::AttributeProto::STRING);
        text.set_s(mode);
        add_attr(node, "min_gram_length", 1);
        add_attr(node, "max_gram_length", 2);
        add_attr(node, "max_skip_count", skips);
        add_attr(node, "pool_int64s", std::vector<std::int64_t>{1, 9, 1, 2, 2, 2}); // 1; 9; (1, 2); (2, 2)
        add_attr(node, "ngram_counts", std::vector<std::int64_t>{0, 2});
        add_attr(node, "ngram_indexes", std::vector<std::int64_t>{3, 0, 1, 2});
        return all(run(imported(m), {})[0]);
    };
    REQUIRE(counted("TF", 0) == Numbers{0, 2, 0, 3});
    REQUIRE(counted("TF", 1) == Numbers{0, 2, 1, 3}); // 2 _ 2 with one skipped
    REQUIRE(counted("IDF", 0) == Numbers{0, 1, 0, 1});
}
