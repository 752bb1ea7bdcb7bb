// What a taken model becomes.

#include "core/frontends/onnx/import.hpp"
#include "core/frontends/onnx/reader_wire.hpp"
#include "core/graph/builder.hpp"
#include "core/graph/text.hpp"
#include "core/ops/ops.hpp"
#include "tests/core/frontends/onnx/models.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <limits>
#include <set>

using namespace orrery;
using namespace orrery::onnx;
using namespace orrery::onnx::models;
using ::onnx::TensorProto;

namespace {

std::string result_type(const graph::Module& module) { return graph::to_string(module.main->result->type); }

/// A model whose only work is to give its initializer back.
::onnx::ModelProto constant_model(const TensorProto& tensor) {
    ::onnx::ModelProto m = model();
    *m.mutable_graph()->add_initializer() = tensor;
    m.mutable_graph()->mutable_initializer(0)->set_name("c");
    GraphMaker(*m.mutable_graph()).output("c");
    return m;
}

} // namespace

TEST_CASE("a model becomes bindings with names, types, origins and sources", "[onnx][import]") {
    const graph::Module module = imported(add_relu());
    CHECK(graph::verify(module).has_value());
    CHECK(module.outputs == std::vector<std::string>{"y"});
    REQUIRE(module.sources->size() == 2);
    CHECK((*module.sources)[0].name == "n0");
    CHECK((*module.sources)[1].op_type == "Relu");
    REQUIRE(module.main->bindings.size() == 3);
    CHECK(module.main->params[0]->name == "x");
    CHECK(module.main->bindings[0].var->name == "w");
    CHECK(module.main->bindings[0].origin == OriginSet(0)); // the constant comes from the node that uses it
    CHECK(module.main->bindings[1].origin == OriginSet(0));
    CHECK(module.main->bindings[2].origin == OriginSet(1));
    CHECK(module.main->bindings[2].var->name == "n1");
    CHECK(result_type(module) == "f32[2,3]");
    const NDArray y = run(module, {floats({2, 3}, {1, 2, 3, -4, 50, -6})})[0];
    CHECK(compare(y, floats({2, 3}, {2, 0, 3, 0, 40, 0})).max_abs == 0);
}

TEST_CASE("every seed model imports, verifies and reads back from its text", "[onnx][import]") {
    for (const ::onnx::ModelProto& proto : seeds()) {
        const graph::Module module = imported(proto);
        CHECK(graph::verify(module).has_value());
        const auto again = graph::parse_module(graph::to_string(module), ops::registry(), graph::constants_of(module));
        REQUIRE(again.has_value());
        CHECK(graph::structural_equal(module, *again));
    }
}

TEST_CASE("nodes without names get them from operator and number", "[onnx][import]") {
    ::onnx::ModelProto m = add_relu();
    for (auto& node : *m.mutable_graph()->mutable_node()) node.clear_name();
    const graph::Module module = imported(m);
    CHECK((*module.sources)[0].name == "Add_0");
    CHECK((*module.sources)[1].name == "Relu_1");
}

TEST_CASE("nodes out of order are put in order, sources stay those of their nodes", "[onnx][import]") {
    ::onnx::ModelProto m = add_relu();
    m.mutable_graph()->mutable_node()->SwapElements(0, 1);
    const graph::Module module = imported(m);
    CHECK(graph::verify(module).has_value());
    const NDArray y = run(module, {floats({2, 3}, {1, 2, 3, -4, 50, -6})})[0];
    CHECK(y.as_double(4) == 40);
}

TEST_CASE("outputs may be inputs, constants and repeated", "[onnx][import]") {
    ::onnx::ModelProto m = add_relu();
    GraphMaker(*m.mutable_graph()).output("x").output("w").output("y");
    const graph::Module module = imported(m);
    CHECK(module.outputs == std::vector<std::string>{"y", "x", "w", "y"});
    CHECK(result_type(module) == "(f32[2,3], f32[2,3], f32[3], f32[2,3])");
    CHECK(graph::verify(module).has_value());
    CHECK(run(module, {floats({2, 3}, {1, 2, 3, -4, 50, -6})}).size() == 4);
}

TEST_CASE("inputs with a default value are constants, unused constants are not there", "[onnx][import]") {
    ::onnx::ModelProto m = add_relu();
    GraphMaker(*m.mutable_graph()).input("w", {"3"}).floats("unused", {2}, {1, 2});
    const graph::Module module = imported(m);
    CHECK(module.main->params.size() == 1);
    CHECK(module.main->bindings.size() == 3);
}

TEST_CASE("constants used by many nodes come from none in particular", "[onnx][import]") {
    ::onnx::ModelProto m = model();
    GraphMaker g(*m.mutable_graph());
    g.input("x0", {"3"}).floats("w", {3}, {1, 2, 3});
    for (int i = 0; i < 20; ++i) g.node("Add", {"x" + std::to_string(i), "w"}, {"x" + std::to_string(i + 1)});
    g.output("x20");
    CHECK(imported(m).main->bindings[0].origin.empty());
    m.mutable_graph()->mutable_node()->DeleteSubrange(3, 17);
    m.mutable_graph()->mutable_output(0)->set_name("x3");
    CHECK(imported(m).main->bindings[0].origin == OriginSet(std::vector<SourceId>{0, 1, 2}));
}

TEST_CASE("initializers of every type, raw and typed", "[onnx][import]") {
    struct Kind {
        int type;
        DType dtype;
        void (*fill)(TensorProto&);
    };
    const std::vector<Kind> kinds{
        {TensorProto::FLOAT, DType::F32, [](TensorProto& t) { t.add_float_data(1), t.add_float_data(2); }},
        {TensorProto::DOUBLE, DType::F64, [](TensorProto& t) { t.add_double_data(1), t.add_double_data(2); }},
        {TensorProto::INT64, DType::I64, [](TensorProto& t) { t.add_int64_data(1), t.add_int64_data(2); }},
        {TensorProto::UINT64, DType::U64, [](TensorProto& t) { t.add_uint64_data(1), t.add_uint64_data(2); }},
        {TensorProto::UINT32, DType::U32, [](TensorProto& t) { t.add_uint64_data(1), t.add_uint64_data(2); }},
        {TensorProto::INT32, DType::I32, [](TensorProto& t) { t.add_int32_data(1), t.add_int32_data(2); }},
        {TensorProto::INT16, DType::I16, [](TensorProto& t) { t.add_int32_data(1), t.add_int32_data(2); }},
        {TensorProto::INT8, DType::I8, [](TensorProto& t) { t.add_int32_data(1), t.add_int32_data(2); }},
        {TensorProto::UINT16, DType::U16, [](TensorProto& t) { t.add_int32_data(1), t.add_int32_data(2); }},
        {TensorProto::UINT8, DType::U8, [](TensorProto& t) { t.add_int32_data(1), t.add_int32_data(2); }},
        {TensorProto::FLOAT16, DType::F16, [](TensorProto& t) { t.add_int32_data(0x3c00), t.add_int32_data(0x4000); }},
        {TensorProto::BFLOAT16, DType::BF16,
         [](TensorProto& t) { t.add_int32_data(0x3f80), t.add_int32_data(0x4000); }},
    };
    for (const Kind& kind : kinds) {
        TensorProto typed;
        typed.set_data_type(kind.type);
        typed.add_dims(2);
        kind.fill(typed);
        const NDArray a = run(imported(constant_model(typed)), {})[0];
        CHECK(a.dtype() == kind.dtype);
        CHECK(a.as_double(0) == 1);
        CHECK(a.as_double(1) == 2);
        TensorProto raw;
        raw.set_data_type(kind.type);
        raw.add_dims(2);
        raw.set_raw_data(a.data(), a.bytes());
        CHECK(run(imported(constant_model(raw)), {})[0].content_hash() == a.content_hash());
    }
}

TEST_CASE("large raw data keeps its values when its storage is taken over", "[onnx][import]") {
    std::vector<float> values(5000);
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i);
    TensorProto raw;
    raw.set_data_type(TensorProto::FLOAT);
    raw.add_dims(5000);
    raw.set_raw_data(values.data(), values.size() * sizeof(float));
    const NDArray a = run(imported(constant_model(raw)), {})[0];
    CHECK(a.as_double(4999) == 4999);
}

TEST_CASE("external data is read from beside the model and nowhere else", "[onnx][import]") {
    namespace fs = std::filesystem;
    const fs::path root = fs::temp_directory_path() / ("orrery_import_" + std::to_string(::getpid()));
    const fs::path folder = root / "model";
    fs::create_directories(folder / "weights");
    const std::vector<float> values{0, 1, 2, 3, 4, 5};
    for (const fs::path& file : {folder / "weights/w.bin", root / "outside.bin"})
        std::ofstream(file, std::ios::binary).write(reinterpret_cast<const char*>(values.data()), 24);
    const auto with = [&](const std::string& location, const std::string& offset, const std::string& length) {
        ::onnx::ModelProto m = add_relu();
        TensorProto& w = *m.mutable_graph()->mutable_initializer(0);
        w.clear_raw_data();
        w.set_data_location(TensorProto::EXTERNAL);
        for (const auto& [key, value] : std::vector<std::pair<std::string, std::string>>{
                 {"location", location}, {"offset", offset}, {"length", length}}) {
            auto& entry = *w.add_external_data();
            entry.set_key(key);
            entry.set_value(value);
        }
        std::ofstream(folder / "m.onnx", std::ios::binary) << m.SerializeAsString();
        return import_file(folder / "m.onnx");
    };
    const auto code = [&](const std::string& location, const std::string& offset, const std::string& length) {
        const auto module = with(location, offset, length);
        return module ? Code::Internal : module.error().code;
    };
    const auto module = with("weights/w.bin", "8", "12");
    REQUIRE(module.has_value());
    CHECK(run(*module, {floats({2, 3}, {0, 0, 0, 0, 0, 0})})[0].as_double(2) == 4);
    CHECK(code("../outside.bin", "0", "12") == Code::MalformedModel);
    CHECK(code((root / "outside.bin").string(), "0", "12") == Code::MalformedModel);
    CHECK(code("weights/w.bin", "20", "12") == Code::MalformedModel);
    CHECK(code("weights/w.bin", "18446744073709551615", "12") == Code::MalformedModel);
    CHECK(code("weights/w.bin", "0", "8") == Code::MalformedModel);
    CHECK(code("weights/none.bin", "0", "12") == Code::FileMissing);
    fs::create_symlink(root / "outside.bin", folder / "link.bin");
    CHECK(code("link.bin", "0", "12") == Code::MalformedModel);
    fs::remove_all(root);
}

TEST_CASE("shapes bind symbols, which agree over inputs", "[onnx][import]") {
    ::onnx::ModelProto m = model();
    GraphMaker g(*m.mutable_graph());
    g.input("a", {"batch", "n"}).input("b", {"batch", "n"}).output("y");
    g.node("Add", {"a", "b"}, {"y"});
    CHECK(result_type(imported(m)) == "f32[batch,n]");
    CHECK(result_type(imported(m, {.shapes = {{"a", {4, 5}}}})) == "f32[4,5]");
    CHECK(refused(m, {.shapes = {{"a", {4, 5}}, {"b", {4, 6}}}}).code == Code::BadShape);
    CHECK(refused(m, {.shapes = {{"a", {4}}}}).code == Code::BadShape);
    CHECK(refused(m, {.shapes = {{"a", {4, -1}}}}).code == Code::BadShape);
    CHECK(refused(m, {.shapes = {{"c", {4, 5}}}}).code == Code::BadArgument);
    // The first dimension alone is a batch of 1.
    for (int i = 0; i < 2; ++i)
        m.mutable_graph()
            ->mutable_input(i)
            ->mutable_type()
            ->mutable_tensor_type()
            ->mutable_shape()
            ->mutable_dim(1)
            ->set_dim_value(7);
    CHECK(result_type(imported(m)) == "f32[1,7]");
    CHECK(result_type(imported(m, {.open = OpenExtents::Keep})) == "f32[batch,7]");
    CHECK(refused(m, {.shapes = {{"a", {4, 8}}}}).code == Code::BadShape);
}

TEST_CASE("inputs given as constants are constants", "[onnx][import]") {
    const graph::Module module = imported(add_relu(), {.constants = {{"x", floats({2, 3}, {1, 1, 1, 1, 1, 1})}}});
    CHECK(module.main->params.empty());
    CHECK(run(module, {})[0].as_double(0) == 2);
    CHECK(refused(add_relu(), {.constants = {{"x", floats({2, 4}, std::vector<float>(8))}}}).code == Code::BadShape);
    CHECK(refused(add_relu(), {.constants = {{"x", NDArray::zeros(DType::I32, {2, 3})}}}).code == Code::BadType);
}

TEST_CASE("shape arithmetic is computed at import", "[onnx][import]") {
    // Reshape to [batch * 2, -1] where batch comes from Shape, Gather, Mul, Unsqueeze, Concat and Cast.
    ::onnx::ModelProto m = model(13);
    GraphMaker g(*m.mutable_graph());
    g.input("x", {"3", "4"}).output("y").ints("axis0", {0}).ints("minus", {-1});
    g.tensor("zero", {}, TensorProto::INT64).add_int64_data(0);
    g.tensor("two", {}, TensorProto::FLOAT).add_float_data(2);
    g.node("Shape", {"x"}, {"shape"});
    add_attr(g.node("Gather", {"shape", "zero"}, {"batch"}), "axis", 0);
    add_attr(g.node("Cast", {"batch"}, {"f"}), "to", TensorProto::FLOAT);
    g.node("Mul", {"f", "two"}, {"f2"});
    add_attr(g.node("Cast", {"f2"}, {"i2"}), "to", TensorProto::INT64);
    g.node("Unsqueeze", {"i2", "axis0"}, {"v"});
    add_attr(g.node("Concat", {"v", "minus"}, {"target"}), "axis", 0);
    g.node("Reshape", {"x", "target"}, {"y"});
    const graph::Module module = imported(m);
    CHECK(result_type(module) == "f32[6,2]");
    // The bindings stay as emitted: passes fold them.
    CHECK(graph::to_string(module.main).find("concat(") != std::string::npos);

    // The same from an input's values is known when it runs.
    g.input("s", {"2"}, TensorProto::INT64);
    m.mutable_graph()->mutable_node(7)->set_input(1, "s");
    const std::vector<std::int64_t> s{4, 3};
    const graph::Module waiting = imported(m);
    CHECK(result_type(waiting) == "f32[?,?]");
    CHECK(
        run(waiting, {NDArray::zeros(DType::F32, {3, 4}), NDArray::of<std::int64_t>(DType::I64, {2}, s)})[0].shape() ==
        Shape{4, 3});
    CHECK(result_type(imported(m, {.constants = {{"s", NDArray::of<std::int64_t>(DType::I64, {2}, s)}}})) ==
          "f32[4,3]");
}

TEST_CASE("branches whose condition is known are taken, short loops of known length unrolled", "[onnx][import]") {
    const graph::Module module = imported(seeds()[2]);
    const std::vector<NDArray> out = run(module, {floats({4}, {1, -2, 3, -4})});
    CHECK(compare(out[0], floats({4}, {4, -6, 12, -12})).max_abs == 0); // relu(x) + 3x
    CHECK(compare(out[1], floats({3, 4}, {1, 0, 3, 0, 2, -2, 6, -4, 3, -4, 9, -8})).max_abs == 0);
    std::set<std::string> names;
    for (const graph::Source& source : *module.sources) names.insert(source.name);
    CHECK(names.contains("n0/n0"));
    CHECK(names.contains("n1/n1"));

    ::onnx::ModelProto m = seeds()[2];
    m.mutable_graph()->mutable_initializer()->DeleteSubrange(0, 1);
    GraphMaker(*m.mutable_graph()).input("yes", {}, TensorProto::BOOL);
    const graph::Module decides = imported(m); // at run time
    NDArray yes = NDArray::zeros(DType::Bool, {}), no = NDArray::zeros(DType::Bool, {});
    yes.set_int(0, 1);
    const NDArray x = floats({4}, {1, -2, 3, -4});
    CHECK(compare(run(decides, {x, yes})[0], floats({4}, {4, -6, 12, -12})).max_abs == 0);
    // The loop has the same condition.
    CHECK(compare(run(decides, {x, no})[0], floats({4}, {-1, 2, -3, 4})).max_abs == 0);
}

TEST_CASE("a loop with fewer than no trips runs none", "[onnx][import]") {
    for (const std::int64_t trips : {std::int64_t{-1}, std::numeric_limits<std::int64_t>::min()}) {
        ::onnx::ModelProto m = seeds()[2];
        ::onnx::TensorProto& limit = *m.mutable_graph()->mutable_initializer(1);
        REQUIRE(limit.name() == "trips");
        limit.set_int64_data(0, trips);
        const std::vector<NDArray> out = run(imported(m), {floats({4}, {1, -2, 3, -4})});
        CHECK(compare(out[0], floats({4}, {1, 0, 3, 0})).max_abs == 0); // relu(x)
        CHECK(out[1].shape() == Shape{0, 4});
    }
}

TEST_CASE("functions of the model are expanded, their attributes passed on", "[onnx][import]") {
    const graph::Module module = imported(seeds()[3]);
    CHECK(result_type(module) == "f32[3,2]");
    const NDArray y = run(module, {floats({2, 3}, {1, 2, 3, 4, 5, 6})})[0];
    CHECK(compare(y, floats({3, 2}, {2, 8, 4, 10, 6, 12})).max_abs == 0);
    CHECK((*module.sources)[1].name == "n0/Add_1");
}

TEST_CASE("before opset 7 the second operand lies along the first from an axis on", "[onnx][import]") {
    ::onnx::ModelProto m = model(6);
    GraphMaker g(*m.mutable_graph());
    g.input("x", {"2", "3"}).output("y").floats("w", {2}, {10, 20});
    auto& add = g.node("Add", {"x", "w"}, {"y"});
    add_attr(add, "broadcast", 1);
    add_attr(add, "axis", 0);
    const NDArray y = run(imported(m), {floats({2, 3}, {1, 2, 3, 4, 5, 6})})[0];
    CHECK(compare(y, floats({2, 3}, {11, 12, 13, 24, 25, 26})).max_abs == 0);
    add.mutable_attribute(1)->set_i(2);
    CHECK(refused(m).code == Code::BadAttribute);
}

TEST_CASE("operators served are listed", "[onnx][import]") {
    const std::vector<ServedOperator> list = served_operators();
    CHECK(std::ranges::any_of(list, [](const ServedOperator& o) { return o.name == "Conv"; }));
    CHECK(std::ranges::any_of(list, [](const ServedOperator& o) { return o.name == "Loop"; }));
}

TEST_CASE("importing can be cancelled", "[onnx][import]") {
    std::stop_source source;
    source.request_stop();
    const std::string bytes = add_relu().SerializeAsString();
    const auto module = import_bytes(std::as_bytes(std::span(bytes)), {}, {}, Progress{source.get_token(), {}});
    REQUIRE_FALSE(module.has_value());
    CHECK(module.error().code == Code::Cancelled);
}

TEST_CASE("large raw data is left out of what protobuf reads, and is where it was", "[onnx][import]") {
    ::onnx::ModelProto m = model();
    const auto add = [&m](const char* name, std::int64_t count, int type, std::size_t width) {
        TensorProto& tensor = *m.mutable_graph()->add_initializer();
        tensor.set_name(name);
        tensor.add_dims(count);
        tensor.set_data_type(type);
        std::string data;
        for (std::size_t i = 0; i < static_cast<std::size_t>(count) * width; ++i)
            data += static_cast<char>(type == TensorProto::BOOL ? i % 2 : i % 61);
        tensor.set_raw_data(data);
        GraphMaker(*m.mutable_graph()).output(name);
    };
    add("small", 4, TensorProto::FLOAT, 4);
    add("large", 30000, TensorProto::FLOAT, 4);
    add("flags", 100000, TensorProto::BOOL, 1);
    add("last", 20000, TensorProto::DOUBLE, 8);
    const std::string bytes = m.SerializeAsString();
    const StrippedModel stripped = strip_raw_data(std::as_bytes(std::span(bytes)), 65536);
    REQUIRE(stripped.data.size() == 3);
    ::onnx::ModelProto rest, expected = m;
    REQUIRE(rest.ParseFromString(stripped.bytes));
    for (std::size_t i = 0; i < stripped.data.size(); ++i) {
        TensorProto& tensor = *expected.mutable_graph()->mutable_initializer(stripped.data[i].initializer);
        REQUIRE(std::memcmp(tensor.raw_data().data(), stripped.data[i].bytes.data(), tensor.raw_data().size()) == 0);
        REQUIRE(tensor.raw_data().size() == stripped.data[i].bytes.size());
        tensor.clear_raw_data();
    }
    REQUIRE(rest.SerializeAsString() == expected.SerializeAsString());
    const std::vector<NDArray> values = run(imported(m), {});
    for (int i = 0; i < 4; ++i) {
        const std::string& data = m.graph().initializer(i).raw_data();
        REQUIRE(values[static_cast<std::size_t>(i)].bytes() == data.size());
        REQUIRE(std::memcmp(values[static_cast<std::size_t>(i)].data(), data.data(), data.size()) == 0);
    }
    // Data that is not as long as its shape says is refused as ever.
    m.mutable_graph()->mutable_initializer(1)->set_dims(0, 29999);
    const std::string broken = m.SerializeAsString();
    REQUIRE_FALSE(import_bytes(std::as_bytes(std::span(broken)), {}, {}, {}).has_value());
}

TEST_CASE("constants stay what they were when the model's file is written over", "[onnx][import]") {
    namespace fs = std::filesystem;
    ::onnx::ModelProto m = model();
    std::string name = "w"; // grows by a byte, so that raw data begins at every address
    for (int round = 0; round < 5; ++round, name += "w") {
        m.mutable_graph()->clear_initializer();
        m.mutable_graph()->clear_output();
        TensorProto& tensor = *m.mutable_graph()->add_initializer();
        tensor.set_name(name);
        tensor.add_dims(30000);
        tensor.set_data_type(TensorProto::FLOAT);
        std::vector<float> values(30000);
        for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i) + static_cast<float>(round);
        tensor.set_raw_data(values.data(), values.size() * sizeof(float));
        GraphMaker(*m.mutable_graph()).output(name);
        const fs::path path = fs::temp_directory_path() / "orrery_test_import_overwritten.onnx";
        std::ofstream(path, std::ios::binary) << m.SerializeAsString();
        const auto module = import_file(path);
        REQUIRE(module.has_value());
        std::ofstream(path, std::ios::binary) << "nothing of it";
        const NDArray value = run(*module, {})[0];
        CHECK(std::memcmp(value.data(), values.data(), value.bytes()) == 0);
        fs::remove(path);
    }
}
