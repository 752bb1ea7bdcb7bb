#include "tests/gui/dynamic_models.hpp"

#include "tests/core/frontends/onnx/model_seeds.hpp"

namespace orrery::gui_test {

using ::onnx::TensorProto;
using onnx::models::add_attr;
using onnx::models::add_graph;
using onnx::models::GraphMaker;

namespace {

std::vector<float> some(std::size_t count) {
    std::vector<float> values;
    for (std::size_t i = 0; i < count; ++i) values.push_back(static_cast<float>(i % 7) / 7 - 0.4F);
    return values;
}

} // namespace

std::string any_batch() {
    ::onnx::ModelProto model = onnx::models::model();
    GraphMaker g(*model.mutable_graph());
    g.input("x", {"batch", "seq", "12"}).output("y");
    g.floats("w", {12, 20}, some(240)).floats("b", {20}, some(20)).floats("v", {20, 5}, some(100));
    g.node("MatMul", {"x", "w"}, {"h"});
    g.node("Add", {"h", "b"}, {"a"});
    g.node("Relu", {"a"}, {"r"});
    g.node("MatMul", {"r", "v"}, {"z"});
    add_attr(g.node("Softmax", {"z"}, {"y"}), "axis", -1);
    return model.SerializeAsString();
}

std::string branch_and_loop() {
    ::onnx::ModelProto model = onnx::models::model();
    GraphMaker g(*model.mutable_graph());
    g.input("c", {}, TensorProto::BOOL).input("trips", {}, TensorProto::INT64).input("x", {"3", "4"});
    g.output("y").output("grown");
    g.node("Neg", {"x"}, {"n"});
    auto& branch = g.node("If", {"c"}, {"y"});
    GraphMaker then(add_graph(branch, "then_branch"));
    then.output("a");
    then.node("Add", {"n", "x"}, {"a"});
    GraphMaker otherwise(add_graph(branch, "else_branch"));
    otherwise.output("b");
    add_attr(otherwise.node("Concat", {"x", "n"}, {"b"}), "axis", 0);
    auto& loop = g.node("Loop", {"trips", "", "x"}, {"grown"});
    GraphMaker body(add_graph(loop, "body"));
    body.input("i", {}, TensorProto::INT64).input("go", {}, TensorProto::BOOL).input("t", {"", "4"});
    body.output("go_out").output("t_out");
    body.node("Identity", {"go"}, {"go_out"});
    add_attr(body.node("Concat", {"t", "x"}, {"t_out"}), "axis", 0);
    return model.SerializeAsString();
}

} // namespace orrery::gui_test
