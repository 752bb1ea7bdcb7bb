// Models that are malformed, hostile or beyond what is served: one diagnostic with the place, soon.

#include "tests/core/frontends/onnx/models.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <chrono>

using namespace orrery;
using namespace orrery::onnx;
using namespace orrery::onnx::models;
using ::onnx::TensorProto;

namespace {

#ifdef __SANITIZE_ADDRESS__
constexpr double kRoom = 120; // instrumented code takes some ten times as long
#else
constexpr double kRoom = 10;
#endif

/// Refuses within a second (measured: milliseconds; a loaded machine is given room).
Diagnostic refused_soon(const std::string& bytes) {
    const auto start = std::chrono::steady_clock::now();
    const Result<graph::Module> module = import_bytes(std::as_bytes(std::span(bytes)), {});
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    if (module) FAIL("the model was taken");
    CHECK(seconds < kRoom);
    return module.error();
}

Code code_of(const std::string& bytes) { return refused_soon(bytes).code; }

std::vector<std::string> nodes_of(const Diagnostic& error) {
    std::vector<std::string> names;
    for (const Location& location : error.locations)
        if (const auto* node = std::get_if<ModelNode>(&location)) names.push_back(node->name);
    return names;
}

using Names = std::vector<std::string>;

} // namespace

TEST_CASE("what is no model is refused", "[onnx][import]") {
    CHECK(code_of("") == Code::MalformedModel);
    CHECK(code_of("hello, world") == Code::MalformedModel);
    CHECK(code_of(std::string(1 << 20, '\xff')) == Code::MalformedModel);
    CHECK(code_of(::onnx::ModelProto().SerializeAsString() + std::string("\x08\x03", 2)) == Code::MalformedModel);
    CHECK(import_file("/nonexistent/model.onnx").error().code == Code::FileMissing);
    CHECK(import_file("/").error().code == Code::FileUnreadable);
    ::onnx::ModelProto no_output = add_relu();
    no_output.mutable_graph()->clear_output();
    CHECK(refused(no_output).code == Code::MalformedModel);
}

TEST_CASE("a model cut anywhere is refused at a byte or reads as a smaller one", "[onnx][import]") {
    const std::string whole = seeds()[1].SerializeAsString();
    int refused = 0;
    for (std::size_t size = 0; size < whole.size(); ++size) {
        const std::string cut = whole.substr(0, size);
        const auto module = import_bytes(std::as_bytes(std::span(cut)), {});
        if (module) continue;
        ++refused;
        CHECK_FALSE(module.error().message.empty());
    }
    CHECK(refused > static_cast<int>(whole.size()) * 9 / 10);
    const Diagnostic error = refused_soon(whole.substr(0, whole.size() / 2));
    REQUIRE_FALSE(error.locations.empty());
    CHECK(std::get<FileOffset>(error.locations[0]).offset >= 0);
}

TEST_CASE("unknown operators are named all at once, with their nodes", "[onnx][import]") {
    ::onnx::ModelProto m = add_relu();
    GraphMaker g(*m.mutable_graph());
    g.node("Frobnicate", {"s"}, {"p"});
    g.node("Relu", {"p"}, {"q"});
    g.node("Wibble", {"q"}, {"r"}).set_domain("com.example");
    g.node("Frobnicate", {"r"}, {"t"});
    auto& branch = g.node("If", {"c"}, {"h"});
    GraphMaker(add_graph(branch, "then_branch")).output("t").node("Inner", {"x"}, {"t"});
    const Diagnostic error = refused(m);
    CHECK(error.code == Code::UnsupportedOperator);
    CHECK(nodes_of(error) == Names{"n2", "n4", "n5", "n0"});
    for (const char* name : {"Frobnicate", "com.example.Wibble", "Inner"})
        CHECK(error.message.find(name) != std::string::npos);
}

TEST_CASE("names must be defined once and before the end", "[onnx][import]") {
    ::onnx::ModelProto undefined = add_relu();
    undefined.mutable_graph()->mutable_node(1)->set_input(0, "nowhere");
    CHECK(refused(undefined).code == Code::MalformedModel);
    CHECK(nodes_of(refused(undefined)) == Names{"n1"});

    ::onnx::ModelProto twice = add_relu();
    twice.mutable_graph()->mutable_node(1)->set_output(0, "s");
    CHECK(refused(twice).code == Code::MalformedModel);
    CHECK(nodes_of(refused(twice)) == Names{"n1", "n0"});

    ::onnx::ModelProto input = add_relu();
    input.mutable_graph()->mutable_node(0)->set_output(0, "x");
    CHECK(refused(input).code == Code::MalformedModel);

    ::onnx::ModelProto output = add_relu();
    output.mutable_graph()->mutable_output(0)->set_name("nowhere");
    CHECK(refused(output).code == Code::MalformedModel);

    ::onnx::ModelProto initializer = add_relu();
    *initializer.mutable_graph()->add_initializer() = initializer.graph().initializer(0);
    CHECK(refused(initializer).code == Code::MalformedModel);

    ::onnx::ModelProto listed = add_relu();
    *listed.mutable_graph()->add_input() = listed.graph().input(0);
    CHECK(refused(listed).code == Code::MalformedModel);
}

TEST_CASE("a cycle is named by its nodes", "[onnx][import]") {
    ::onnx::ModelProto m = model();
    GraphMaker g(*m.mutable_graph());
    g.input("x", {"3"}).output("y");
    g.node("Relu", {"x"}, {"a"});
    g.node("Add", {"a", "d"}, {"b"});
    g.node("Relu", {"b"}, {"c"});
    g.node("Relu", {"c"}, {"d"});
    g.node("Relu", {"d"}, {"y"});
    const Diagnostic error = refused(m);
    CHECK(error.code == Code::MalformedModel);
    Names names = nodes_of(error);
    std::ranges::sort(names);
    CHECK(names == Names{"n1", "n2", "n3"});
    m.mutable_graph()->mutable_node(0)->set_input(0, "a");
    CHECK(nodes_of(refused(m)) == Names{"n0"});
}

TEST_CASE("huge sizes are refused before memory is taken", "[onnx][import]") {
    ::onnx::ModelProto input = add_relu();
    input.mutable_graph()
        ->mutable_input(0)
        ->mutable_type()
        ->mutable_tensor_type()
        ->mutable_shape()
        ->mutable_dim(0)
        ->set_dim_value(INT64_MAX);
    CHECK(refused(input).code == Code::LimitExceeded);

    ::onnx::ModelProto initializer = add_relu();
    initializer.mutable_graph()->mutable_initializer(0)->set_dims(0, std::int64_t{1} << 62);
    CHECK(refused(initializer).code == Code::LimitExceeded);
    initializer.mutable_graph()->mutable_initializer(0)->set_dims(0, -3);
    CHECK(refused(initializer).code == Code::BadShape);
    initializer.mutable_graph()->mutable_initializer(0)->set_dims(0, 1 << 20);
    CHECK(refused(initializer).code == Code::MalformedModel);

    // An outer product of outer products.
    ::onnx::ModelProto grows = model();
    GraphMaker g(*grows.mutable_graph());
    g.input("x", {"1000", "1"}).input("z", {"1", "1000", "1", "1"}).output("y");
    g.node("Add", {"x", "z"}, {"a"});
    g.node("Expand", {"a", "shape"}, {"y"});
    g.ints("shape", {1 << 20, 1 << 20, 1000, 1});
    const Diagnostic error = refused(grows);
    CHECK(error.code == Code::LimitExceeded);
    CHECK(nodes_of(error) == Names{"n1"});

    ::onnx::ModelProto filled = model();
    GraphMaker f(*filled.mutable_graph());
    f.output("y").ints("shape", {1 << 20, 1 << 20});
    f.node("ConstantOfShape", {"shape"}, {"y"});
    CHECK(refused(filled).code == Code::LimitExceeded);
    CHECK(refused(add_relu(), {.max_bytes = 16}).code == Code::LimitExceeded);
}

TEST_CASE("few bytes that ask for many objects are refused", "[onnx][import]") {
    // A graph of ten million empty nodes, two bytes each.
    const std::size_t count = 10'000'000;
    std::string nodes;
    nodes.reserve(2 * count);
    for (std::size_t i = 0; i < count; ++i) nodes += std::string("\x0a\x00", 2);
    std::string bytes = "\x3a";
    for (std::size_t size = nodes.size(); size; size >>= 7)
        bytes += static_cast<char>((size & 127) | (size >> 7 ? 128 : 0));
    CHECK(code_of(bytes + nodes) == Code::LimitExceeded);
}

TEST_CASE("messages nested without end are refused", "[onnx][import]") {
    ::onnx::ModelProto m = add_relu();
    ::onnx::GraphProto* graph = m.mutable_graph();
    for (int i = 0; i < 2000; ++i) graph = &add_graph(GraphMaker(*graph).node("If", {"c"}, {"y"}), "then_branch");
    CHECK(code_of(m.SerializeAsString()) == Code::MalformedModel);
}

TEST_CASE("functions that call themselves or explode are refused", "[onnx][import]") {
    ::onnx::ModelProto self = seeds()[3];
    auto& call = *self.mutable_functions(0)->add_node();
    call.set_op_type("Twice");
    call.set_domain("own");
    call.add_input("s");
    call.add_output("again");
    CHECK(refused(self).code == Code::MalformedModel);

    ::onnx::ModelProto bomb = seeds()[3]; // f_i calls f_(i-1) twice: 2^40 nodes
    for (int i = 1; i <= 40; ++i) {
        auto& f = *bomb.add_functions();
        f.set_name("F" + std::to_string(i));
        f.set_domain("own");
        f.add_input("a");
        f.add_output("b");
        for (int k = 0; k < 2; ++k) {
            auto& node = *f.add_node();
            node.set_op_type(i == 1 ? "Relu" : "F" + std::to_string(i - 1));
            if (i > 1) node.set_domain("own");
            node.add_input(k ? "m" : "a");
            node.add_output(k ? "b" : "m");
        }
        f.add_opset_import()->set_version(16);
    }
    auto& top = *bomb.mutable_graph()->mutable_node(0);
    top.set_op_type("F40");
    CHECK(refused(bomb).code == Code::LimitExceeded);
}

TEST_CASE("a long chain of constants does not take long", "[onnx][import]") {
    ::onnx::ModelProto m = model();
    GraphMaker g(*m.mutable_graph());
    g.ints("c0", {1}).ints("one", {0}).input("x", {"1"}).output("y");
    const int count = 100'000;
    for (int i = 0; i < count; ++i) g.node("Add", {"c" + std::to_string(i), "one"}, {"c" + std::to_string(i + 1)});
    g.node("Reshape", {"x", "c" + std::to_string(count)}, {"y"});
    CHECK(code_of(m.SerializeAsString()) == Code::UnsupportedFeature);
}

TEST_CASE("what is not served yet is said with its place", "[onnx][import]") {
    ::onnx::ModelProto newer = add_relu();
    newer.mutable_opset_import(0)->set_version(99);
    CHECK(refused(newer).code == Code::UnsupportedFeature);

    ::onnx::ModelProto texts = add_relu();
    texts.mutable_graph()->mutable_input(0)->mutable_type()->mutable_tensor_type()->set_elem_type(TensorProto::STRING);
    CHECK(refused(texts).code == Code::UnsupportedFeature);

    ::onnx::ModelProto sequence = add_relu();
    auto& list = *sequence.mutable_graph()->mutable_input(0)->mutable_type()->mutable_sequence_type();
    CHECK(refused(sequence).code == Code::BadShape); // its length is open
    list.mutable_elem_type()->mutable_map_type();
    CHECK(refused(sequence, {.shapes = {{"x", {1}}}, .constants = {}}).code == Code::UnsupportedFeature);

    ::onnx::ModelProto sparse = add_relu();
    sparse.mutable_graph()->add_sparse_initializer();
    CHECK(refused(sparse).code == Code::UnsupportedFeature);
}

TEST_CASE("wrong attributes and operands are told with the node", "[onnx][import]") {
    ::onnx::ModelProto kind = model();
    GraphMaker g(*kind.mutable_graph());
    g.input("x", {"2", "3"}).output("y");
    add_attr(g.node("Transpose", {"x"}, {"y"}), "perm", 1);
    CHECK(refused(kind).code == Code::BadAttribute);
    CHECK(nodes_of(refused(kind)) == Names{"n0"});

    ::onnx::ModelProto shapes = add_relu();
    shapes.mutable_graph()->mutable_initializer(0)->set_dims(0, 2);
    shapes.mutable_graph()->mutable_initializer(0)->set_raw_data(std::string(8, '\0'));
    CHECK(refused(shapes).code == Code::BadShape);
    CHECK(nodes_of(refused(shapes)) == Names{"n0"});

    ::onnx::ModelProto missing = add_relu();
    missing.mutable_graph()->mutable_node(0)->mutable_input()->DeleteSubrange(1, 1);
    CHECK_FALSE(import(missing).has_value());
    CHECK(nodes_of(refused(missing)) == Names{"n0"});
}
