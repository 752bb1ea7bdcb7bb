// Strings as their numbers, and derivatives that a model asks for.

#include "core/base/text_pool.hpp"
#include "core/frontends/onnx/open.hpp"
#include "core/graph/evaluate.hpp"
#include "tests/core/frontends/onnx/models.hpp"

#include <catch2/catch.hpp>

#include <cmath>

using namespace orrery;
using namespace orrery::onnx;
using namespace orrery::onnx::models;

namespace {

using Words = std::vector<std::string>;

void add_text(::onnx::NodeProto& node, const std::string& name, const std::string& value) {
    auto& attribute = *node.add_attribute();
    attribute.set_name(name);
    attribute.set_type(::onnx::AttributeProto::STRING);
    attribute.set_s(value);
}

void add_texts(::onnx::NodeProto& node, const std::string& name, const Words& values) {
    auto& attribute = *node.add_attribute();
    attribute.set_name(name);
    attribute.set_type(::onnx::AttributeProto::STRINGS);
    for (const std::string& value : values) attribute.add_strings(value);
}

NDArray texts(Shape shape, const Words& words) {
    NDArray array = NDArray::allocate(DType::I64, std::move(shape));
    for (std::size_t i = 0; i < words.size(); ++i)
        array.set_int(static_cast<std::int64_t>(i), number_of_text(words[i]).value());
    return array;
}

Words words_of(const NDArray& array) {
    Words words;
    for (const std::int64_t number : array.to_ints()) words.push_back(text_of_number(number).value_or("?"));
    return words;
}

::onnx::ModelProto normalizer(const Dims& shape, const Words& stop, const std::string& action, int exact) {
    ::onnx::ModelProto m = model(10);
    GraphMaker g(*m.mutable_graph());
    g.input("x", shape, ::onnx::TensorProto::STRING).output("y");
    auto& node = g.node("StringNormalizer", {"x"}, {"y"});
    add_texts(node, "stopwords", stop);
    if (!action.empty()) add_text(node, "case_change_action", action);
    add_attr(node, "is_case_sensitive", exact);
    return m;
}

} // namespace

TEST_CASE("strings are normalized when they are known", "[onnx][text]") {
    const NDArray days = texts({4}, {"Monday", "tuesday", "STRASSE", "\xc3\x89t\xc3\xa9"});
    const auto run_with = [&](const Words& stop, const std::string& action, int exact) {
        return words_of(run(imported(normalizer({"4"}, stop, action, exact)), {days})[0]);
    };
    CHECK(run_with({"monday"}, "", 1) == words_of(days));
    CHECK(run_with({"monday"}, "", 0) == Words{"tuesday", "STRASSE", "\xc3\x89t\xc3\xa9"});
    CHECK(run_with({}, "UPPER", 0) == Words{"MONDAY", "TUESDAY", "STRASSE", "\xc3\x89T\xc3\x89"});
    CHECK(run_with({"\xc3\xa9T\xc3\x89"}, "LOWER", 0) == Words{"monday", "tuesday", "strasse"});
    // Of nothing, one empty string is left.
    const auto none = run(imported(normalizer({"1", "2"}, {"a"}, "UPPER", 1)), {texts({1, 2}, {"a", "a"})});
    CHECK(none[0].shape() == Shape{1, 1});
    CHECK(words_of(none[0]) == Words{""});
    CHECK(refused(normalizer({"4"}, {}, "TITLE", 1)).code == Code::BadAttribute);
}

TEST_CASE("strings are moved and compared, and nothing else", "[onnx][text]") {
    ::onnx::ModelProto m = model(13);
    GraphMaker g(*m.mutable_graph());
    g.input("x", {"2"}, ::onnx::TensorProto::STRING).output("y").output("same");
    auto& more = g.tensor("more", {2}, ::onnx::TensorProto::STRING);
    more.add_string_data("a");
    more.add_string_data("c");
    g.ints("order", {2, 0});
    add_attr(g.node("Concat", {"x", "more"}, {"joined"}), "axis", 0);
    g.node("Gather", {"joined", "order"}, {"y"});
    g.node("Equal", {"x", "more"}, {"same"});
    const auto out = run(imported(m), {texts({2}, {"a", "b"})});
    CHECK(words_of(out[0]) == Words{"a", "a"});
    CHECK(out[1].as_int(0) == 1);
    CHECK(out[1].as_int(1) == 0);
    g.node("Neg", {"y"}, {"z"});
    CHECK(refused(m).code == Code::UnsupportedFeature);
}

TEST_CASE("strings say numbers, and numbers strings", "[onnx][text]") {
    ::onnx::ModelProto m = model(15);
    GraphMaker g(*m.mutable_graph());
    g.input("x", {"3"}, ::onnx::TensorProto::STRING).input("f", {"8"}).output("y").output("s").output("i");
    add_attr(g.node("Cast", {"x"}, {"y"}), "to", ::onnx::TensorProto::FLOAT);
    add_attr(g.node("Cast", {"f"}, {"s"}), "to", ::onnx::TensorProto::STRING);
    g.tensor("like", {1}, ::onnx::TensorProto::INT32).add_int32_data(0);
    add_attr(g.node("Cast", {"f"}, {"whole"}), "to", ::onnx::TensorProto::INT64);
    add_attr(g.node("Cast", {"whole"}, {"words"}), "to", ::onnx::TensorProto::STRING);
    g.node("CastLike", {"words", "like"}, {"i"});
    const NDArray f = floats({8}, {0.5f, -3, 1e-5f, 123456.789f, 1e20f, 0, INFINITY, 0.1f});
    const auto module = imported(m);
    const auto out = run(module, {texts({3}, {"3.25", "-INF", "+1e3"}), floats({8}, {1, 2, 3, -4, 5, 6, 7, 8})});
    CHECK(compare(out[0], floats({3}, {3.25f, -INFINITY, 1000})).max_abs == 0);
    CHECK(out[2].dtype() == DType::I32);
    CHECK(out[2].as_int(3) == -4);
    // Python's repr of these in single precision.
    CHECK(words_of(out[1])[3] == "-4.0");
    ::onnx::ModelProto only = model(13);
    GraphMaker h(*only.mutable_graph());
    h.input("f", {"8"}).output("s");
    add_attr(h.node("Cast", {"f"}, {"s"}), "to", ::onnx::TensorProto::STRING);
    CHECK(words_of(run(imported(only), {f})[0]) ==
          Words{"0.5", "-3.0", "1e-05", "123456.79", "1e+20", "0.0", "inf", "0.1"});
    CHECK(graph::evaluate(module.main, std::vector{texts({3}, {"3.25", "x", "1"}), f}, evaluator(), {}).error().code ==
          Code::BadType);
}

TEST_CASE("n-grams of strings are counted", "[onnx][text]") {
    ::onnx::ModelProto m = model(9);
    GraphMaker g(*m.mutable_graph());
    g.input("x", {"5"}, ::onnx::TensorProto::STRING).output("y");
    auto& node = g.node("TfIdfVectorizer", {"x"}, {"y"});
    add_texts(node, "pool_strings", {"a", "b", "a", "b"}); // a and b alone; a before b
    add_attr(node, "ngram_counts", std::vector<std::int64_t>{0, 2});
    add_attr(node, "ngram_indexes", std::vector<std::int64_t>{0, 1, 2});
    for (const char* length : {"min_gram_length", "max_gram_length"})
        add_attr(node, length, std::int64_t{length[1] == 'i' ? 1 : 2});
    add_attr(node, "max_skip_count", 0);
    add_text(node, "mode", "TF");
    const auto out = run(imported(m), {texts({5}, {"a", "b", "c", "a", "b"})});
    CHECK(compare(out[0], floats({3}, {2, 2, 2})).max_abs == 0);
}

namespace {

/// c = a + b, d = c a, and the derivatives of d by the names `xs`, at the values `at`.
::onnx::ModelProto derivatives(const Words& xs, const Words& at, const std::string& y = "d") {
    ::onnx::ModelProto m = model(12);
    auto& import = *m.add_opset_import();
    import.set_domain("ai.onnx.preview.training");
    import.set_version(1);
    GraphMaker g(*m.mutable_graph());
    g.input("a", {"2"}).input("b", {"2"}).input("z", {"2"});
    g.node("Add", {"a", "b"}, {"c"});
    g.node("Mul", {"c", "a"}, {"d"});
    Words outputs;
    for (const std::string& x : xs) outputs.push_back("by_" + x);
    auto& node = g.node("Gradient", at, outputs);
    node.set_domain("ai.onnx.preview.training");
    add_texts(node, "xs", xs);
    add_text(node, "y", y);
    for (const std::string& output : outputs) g.output(output);
    return m;
}

} // namespace

TEST_CASE("a model gets the derivatives it asks for", "[onnx][gradient]") {
    const std::vector<NDArray> inputs{floats({2}, {1, 2}), floats({2}, {3, 5}), floats({2}, {10, 20})};
    auto out = run(imported(derivatives({"a", "b"}, {"a", "b"})), inputs);
    CHECK(compare(out[0], floats({2}, {5, 9})).max_abs == 0); // 2 a + b
    CHECK(compare(out[1], floats({2}, {1, 2})).max_abs == 0); // a
    // At other values than the graph's own, what lies between is computed again.
    out = run(imported(derivatives({"a"}, {"z"})), inputs);
    CHECK(compare(out[0], floats({2}, {23, 45})).max_abs == 0);
    // By a value inside, what leads to it counts for nothing.
    out = run(imported(derivatives({"c"}, {"c"})), inputs);
    CHECK(compare(out[0], floats({2}, {1, 2})).max_abs == 0);
    // Nodes in any order.
    ::onnx::ModelProto m = derivatives({"a", "b"}, {"a", "b"});
    m.mutable_graph()->mutable_node()->SwapElements(0, 2);
    CHECK(compare(run(imported(m), inputs)[0], floats({2}, {5, 9})).max_abs == 0);
}

TEST_CASE("derivatives that make no sense are refused", "[onnx][gradient]") {
    CHECK(refused(derivatives({"a", "b"}, {"a"})).code == Code::MalformedModel);
    CHECK(refused(derivatives({"a", "a"}, {"a", "a"})).code == Code::MalformedModel);
    CHECK(refused(derivatives({"a"}, {"a"}, "nowhere")).code == Code::MalformedModel);
    ::onnx::ModelProto m = derivatives({"a"}, {"a"});
    m.mutable_graph()->mutable_node(1)->set_op_type("BitShift"); // integers only: refused as ever
    CHECK_FALSE(import(m).has_value());
    ::onnx::ModelProto symbolic = derivatives({"a"}, {"a"});
    for (int i = 0; i < 3; ++i) {
        auto& dim = *symbolic.mutable_graph()->mutable_input(i)->mutable_type()->mutable_tensor_type()->mutable_shape();
        dim.clear_dim();
        dim.add_dim()->set_dim_value(3);
        dim.add_dim()->set_dim_param("n");
    }
    CHECK(refused(symbolic).code == Code::BadShape);
}
