#include "tests/core/frontends/onnx/model_seeds.hpp"

#include <cctype>

namespace orrery::onnx::models {

using ::onnx::TensorProto;

GraphMaker& GraphMaker::input(const std::string& name, const Dims& dims, int type) {
    auto& info = *graph_.add_input();
    info.set_name(name);
    auto& tensor = *info.mutable_type()->mutable_tensor_type();
    tensor.set_elem_type(type);
    auto& shape = *tensor.mutable_shape();
    for (const std::string& dim : dims) {
        auto& d = *shape.add_dim();
        if (!dim.empty() && (std::isdigit(dim[0]) || dim[0] == '-'))
            d.set_dim_value(std::stoll(dim));
        else if (!dim.empty())
            d.set_dim_param(dim);
    }
    return *this;
}

GraphMaker& GraphMaker::output(const std::string& name) {
    graph_.add_output()->set_name(name);
    return *this;
}

TensorProto& GraphMaker::tensor(const std::string& name, const std::vector<std::int64_t>& dims, int type) {
    TensorProto& tensor = *graph_.add_initializer();
    tensor.set_name(name);
    tensor.set_data_type(type);
    for (const std::int64_t dim : dims) tensor.add_dims(dim);
    return tensor;
}

GraphMaker& GraphMaker::floats(const std::string& name, const std::vector<std::int64_t>& dims,
                               const std::vector<float>& values) {
    tensor(name, dims).set_raw_data(values.data(), values.size() * sizeof(float));
    return *this;
}

GraphMaker& GraphMaker::ints(const std::string& name, const std::vector<std::int64_t>& values) {
    TensorProto& t = tensor(name, {static_cast<std::int64_t>(values.size())}, TensorProto::INT64);
    for (const std::int64_t value : values) t.add_int64_data(value);
    return *this;
}

::onnx::NodeProto& GraphMaker::node(const std::string& op, const std::vector<std::string>& inputs,
                                    const std::vector<std::string>& outputs) {
    ::onnx::NodeProto& node = *graph_.add_node();
    node.set_op_type(op);
    node.set_name("n" + std::to_string(graph_.node_size() - 1));
    for (const std::string& input : inputs) node.add_input(input);
    for (const std::string& output : outputs) node.add_output(output);
    return node;
}

void add_attr(::onnx::NodeProto& node, const std::string& name, std::int64_t value) {
    auto& a = *node.add_attribute();
    a.set_name(name);
    a.set_type(::onnx::AttributeProto::INT);
    a.set_i(value);
}

void add_attr(::onnx::NodeProto& node, const std::string& name, const std::vector<std::int64_t>& values) {
    auto& a = *node.add_attribute();
    a.set_name(name);
    a.set_type(::onnx::AttributeProto::INTS);
    for (const std::int64_t value : values) a.add_ints(value);
}

::onnx::GraphProto& add_graph(::onnx::NodeProto& node, const std::string& name) {
    auto& a = *node.add_attribute();
    a.set_name(name);
    a.set_type(::onnx::AttributeProto::GRAPH);
    return *a.mutable_g();
}

::onnx::ModelProto model(int opset) {
    ::onnx::ModelProto model;
    model.set_ir_version(8);
    auto& import = *model.add_opset_import();
    import.set_version(opset);
    model.mutable_graph()->set_name("test");
    return model;
}

::onnx::ModelProto add_relu() {
    ::onnx::ModelProto m = model();
    GraphMaker g(*m.mutable_graph());
    g.input("x", {"2", "3"}).output("y").floats("w", {3}, {1, -10, 0});
    g.node("Add", {"x", "w"}, {"s"});
    g.node("Relu", {"s"}, {"y"});
    return m;
}

namespace {

::onnx::ModelProto small_network() {
    ::onnx::ModelProto m = model(13);
    GraphMaker g(*m.mutable_graph());
    g.input("data", {"N", "3", "8", "8"}).output("prob");
    g.floats("w", {4, 3, 3, 3}, std::vector<float>(108, 0.1F)).floats("b", {4}, {1, 2, 3, 4});
    auto& conv = g.node("Conv", {"data", "w", "b"}, {"c"});
    add_attr(conv, "pads", std::vector<std::int64_t>{1, 1, 1, 1});
    add_attr(conv, "strides", std::vector<std::int64_t>{2, 2});
    g.node("Relu", {"c"}, {"r"});
    g.node("GlobalAveragePool", {"r"}, {"p"});
    g.node("Shape", {"p"}, {"shape"});
    g.ints("zero", {0}).ints("minus", {-1});
    g.node("Gather", {"shape", "zero"}, {"batch"});
    add_attr(g.node("Concat", {"batch", "minus"}, {"target"}), "axis", 0);
    g.node("Reshape", {"p", "target"}, {"flat"});
    add_attr(g.node("Softmax", {"flat"}, {"prob"}), "axis", 1);
    return m;
}

::onnx::ModelProto with_subgraphs() {
    ::onnx::ModelProto m = model(16);
    GraphMaker g(*m.mutable_graph());
    g.input("x", {"4"}).output("y").output("scan");
    TensorProto& yes = g.tensor("yes", {}, TensorProto::BOOL);
    yes.add_int32_data(1);
    TensorProto& trips = g.tensor("trips", {}, TensorProto::INT64);
    trips.add_int64_data(3);
    auto& branch = g.node("If", {"yes"}, {"h"});
    GraphMaker(add_graph(branch, "then_branch")).output("t").node("Relu", {"x"}, {"t"});
    GraphMaker(add_graph(branch, "else_branch")).output("e").node("Neg", {"x"}, {"e"});
    auto& loop = g.node("Loop", {"trips", "yes", "h"}, {"y", "scan"});
    GraphMaker body(add_graph(loop, "body"));
    body.input("i", {}, TensorProto::INT64).input("go", {}, TensorProto::BOOL).input("c", {"4"});
    body.output("go_out").output("c_out").output("s_out");
    body.node("Identity", {"go"}, {"go_out"});
    body.node("Add", {"c", "x"}, {"c_out"});
    body.node("Identity", {"c"}, {"s_out"});
    return m;
}

::onnx::ModelProto with_function() {
    ::onnx::ModelProto m = model(16);
    m.add_opset_import()->set_domain("own");
    m.mutable_opset_import(1)->set_version(1);
    auto& f = *m.add_functions();
    f.set_name("Twice");
    f.set_domain("own");
    f.add_input("a");
    f.add_output("b");
    f.add_attribute("axes");
    auto& import = *f.add_opset_import();
    import.set_version(16);
    auto& add = *f.add_node();
    add.set_op_type("Add");
    add.add_input("a");
    add.add_input("a");
    add.add_output("s");
    auto& transpose = *f.add_node();
    transpose.set_op_type("Transpose");
    transpose.add_input("s");
    transpose.add_output("b");
    auto& perm = *transpose.add_attribute();
    perm.set_name("perm");
    perm.set_ref_attr_name("axes");
    perm.set_type(::onnx::AttributeProto::INTS);
    GraphMaker g(*m.mutable_graph());
    g.input("x", {"2", "3"}).output("y");
    auto& call = g.node("Twice", {"x"}, {"t"});
    call.set_domain("own");
    add_attr(call, "axes", std::vector<std::int64_t>{1, 0});
    g.node("Relu", {"t"}, {"y"});
    return m;
}

::onnx::ModelProto typed_fields() {
    ::onnx::ModelProto m = model(11);
    GraphMaker g(*m.mutable_graph());
    g.input("x", {"2"}, TensorProto::INT32).output("y");
    TensorProto& f16 = g.tensor("h", {2}, TensorProto::FLOAT16);
    f16.add_int32_data(0x3c00);
    f16.add_int32_data(0x4000);
    g.tensor("d", {1}, TensorProto::DOUBLE).add_double_data(2.5);
    g.tensor("u", {1}, TensorProto::UINT64).add_uint64_data(7);
    add_attr(g.node("Cast", {"h"}, {"h1"}), "to", 1);
    add_attr(g.node("Cast", {"d"}, {"d1"}), "to", 1);
    add_attr(g.node("Cast", {"u"}, {"u1"}), "to", 1);
    add_attr(g.node("Cast", {"x"}, {"x1"}), "to", 1);
    g.node("Add", {"h1", "d1"}, {"a"});
    g.node("Mul", {"a", "u1"}, {"b"});
    g.node("Add", {"b", "x1"}, {"y"});
    return m;
}

} // namespace

std::vector<::onnx::ModelProto> seeds() {
    return {add_relu(), small_network(), with_subgraphs(), with_function(), typed_fields()};
}

} // namespace orrery::onnx::models
