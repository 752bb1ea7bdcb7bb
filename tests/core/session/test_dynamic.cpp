// Models whose shapes are known when they run: compiled part by part, and compared with the interpreter.

#include "core/session/dynamic_model.hpp"

#include "backends/llvm/llvm_backend.hpp"
#include "core/frontends/onnx/import.hpp"
#include "core/frontends/onnx/open.hpp"
#include "core/graph/evaluate.hpp"
#include "core/graph/text.hpp"
#include "core/ops/ops.hpp"
#include "core/session/compiler.hpp"
#include "core/session/session.hpp"
#include "tests/core/frontends/onnx/model_seeds.hpp"
#include "tests/core/session/compiler.hpp"

#include <catch2/catch.hpp>

#include <filesystem>
#include <fstream>
#include <random>

using namespace orrery;
using namespace orrery::session;
using ::onnx::TensorProto;
using orrery::onnx::models::add_attr;
using orrery::onnx::models::add_graph;
using orrery::onnx::models::GraphMaker;

namespace {

graph::Module imported(const ::onnx::ModelProto& model) {
    const std::string bytes = model.SerializeAsString();
    orrery::onnx::ImportOptions options;
    options.open = orrery::onnx::OpenExtents::Keep;
    Result<graph::Module> module = orrery::onnx::import_bytes(std::as_bytes(std::span(bytes)), {}, options);
    if (!module) FAIL(to_string(module.error()));
    // What was imported also reads back from its text.
    const auto again = graph::parse_module(graph::to_string(*module), ops::registry(), graph::constants_of(*module));
    if (!again) FAIL(to_string(again.error()) << "\n" << graph::to_string(*module));
    REQUIRE(graph::structural_equal(*module, *again));
    return *module;
}

std::shared_ptr<const CompiledModel> compiled(const graph::Module& module) {
    auto model = compiler().compile_module(compiler().new_recipe({}), module, {});
    if (!model) FAIL(to_string(model.error()) << "\n" << graph::to_string(module));
    REQUIRE((*model)->dynamic != nullptr);
    return *model;
}

std::string result_type(const graph::Module& module) { return graph::to_string(module.main->result->type); }

NDArray random_floats(Shape shape, std::uint64_t seed) {
    std::mt19937_64 engine(seed);
    NDArray array = NDArray::allocate(DType::F32, std::move(shape));
    for (std::int64_t i = 0; i < array.size(); ++i) array.set(i, static_cast<double>(engine() % 2001) / 1000 - 1);
    return array;
}

NDArray integer(std::int64_t value) {
    NDArray array = NDArray::allocate(DType::I64, {});
    array.set_int(0, value);
    return array;
}

NDArray integers(const std::vector<std::int64_t>& values) {
    return NDArray::of<std::int64_t>(DType::I64, {static_cast<std::int64_t>(values.size())}, values);
}

NDArray boolean(bool value) {
    NDArray array = NDArray::allocate(DType::Bool, {});
    array.set_int(0, value);
    return array;
}

/// Runs compiled and interpreted, compares, and gives the compiled outputs.
std::vector<NDArray> agreed(const CompiledModel& model, const std::vector<NDArray>& inputs) {
    const auto got = run(model, inputs, 2, {});
    if (!got) FAIL(to_string(got.error()));
    const auto expected = graph::evaluate(model.dynamic->imported().main, inputs, orrery::onnx::evaluator(), {});
    if (!expected) FAIL(to_string(expected.error()));
    REQUIRE(got->outputs.size() == expected->size());
    for (std::size_t i = 0; i < expected->size(); ++i) {
        INFO("output " << i);
        REQUIRE(got->outputs[i].shape() == (*expected)[i].shape());
        REQUIRE(compare(got->outputs[i], (*expected)[i]).max_rel < 1e-4); // float32 sums, reordered
    }
    return got->outputs;
}

std::vector<float> some(std::size_t count, unsigned seed) {
    std::mt19937 engine(seed);
    std::vector<float> values(count);
    for (float& v : values) v = static_cast<float>(engine() % 201) / 100 - 1;
    return values;
}

} // namespace

TEST_CASE("a perceptron over any batch; the same shapes again cost a lookup", "[session][dynamic]") {
    ::onnx::ModelProto m = orrery::onnx::models::model();
    GraphMaker g(*m.mutable_graph());
    g.input("x", {"batch", "12"}).output("y");
    g.floats("w", {12, 20}, some(240, 1)).floats("b", {20}, some(20, 2)).floats("v", {20, 5}, some(100, 3));
    g.node("Gemm", {"x", "w", "b"}, {"h"});
    g.node("Relu", {"h"}, {"r"});
    g.node("MatMul", {"r", "v"}, {"z"});
    add_attr(g.node("Softmax", {"z"}, {"y"}), "axis", -1);
    const graph::Module module = imported(m);
    REQUIRE(result_type(module) == "f32[batch,5]");
    REQUIRE(graph::to_string(module).find("open(") == std::string::npos);
    const auto model = compiled(module);
    REQUIRE(drawn_inputs(*model, 0).error().code == Code::BadShape);
    REQUIRE(drawn_inputs(*model, 0).error().message.find("batch") != std::string::npos);
    for (const std::int64_t batch : {1, 3, 40, 3, 1}) {
        const std::vector<NDArray> out = agreed(*model, {random_floats({batch, 12}, 7)});
        REQUIRE(out[0].shape() == Shape{batch, 5});
    }
    REQUIRE(model->dynamic->specialized() == 3);
    REQUIRE(run(*model, std::vector{random_floats({2, 13}, 7)}, 1, {}).error().code == Code::BadShape);
    REQUIRE(run(*model, std::vector{integers({1, 2})}, 1, {}).error().code == Code::BadType);
    REQUIRE(run(*model, std::vector<NDArray>{}, 1, {}).error().code == Code::BadArgument);
    const auto checked = check(*model, std::vector{random_floats({300, 12}, 8)}, 1e-4, {});
    REQUIRE(checked.has_value());
    REQUIRE(checked->first_wrong == -1);
    REQUIRE(checked->rows.size() >= 2);
}

TEST_CASE("attention over any batch and sequence keeps its symbols through reshapes", "[session][dynamic]") {
    ::onnx::ModelProto m = orrery::onnx::models::model();
    GraphMaker g(*m.mutable_graph());
    g.input("x", {"batch", "seq", "16"}).output("y");
    g.floats("wq", {16, 16}, some(256, 1)).floats("wk", {16, 16}, some(256, 2)).floats("wv", {16, 16}, some(256, 3));
    g.ints("zero", {0}).ints("one", {1}).ints("heads", {4}).ints("width", {4}).ints("all", {16}).ints("axis", {0});
    g.floats("scale", {}, {0.5F});
    g.node("Shape", {"x"}, {"shape"});
    add_attr(g.node("Gather", {"shape", "zero"}, {"b"}), "axis", 0);
    add_attr(g.node("Gather", {"shape", "one"}, {"s"}), "axis", 0);
    add_attr(g.node("Concat", {"b", "s", "heads", "width"}, {"split"}), "axis", 0);
    add_attr(g.node("Concat", {"b", "s", "all"}, {"joined"}), "axis", 0);
    for (const std::string name : {"q", "k", "v"}) {
        g.node("MatMul", {"x", "w" + name}, {name + "0"});
        g.node("Reshape", {name + "0", "split"}, {name + "1"});
        const std::vector<std::int64_t> perm =
            name == "k" ? std::vector<std::int64_t>{0, 2, 3, 1} : std::vector<std::int64_t>{0, 2, 1, 3};
        add_attr(g.node("Transpose", {name + "1"}, {name + "2"}), "perm", perm);
    }
    g.node("MatMul", {"q2", "k2"}, {"scores"});
    g.node("Mul", {"scores", "scale"}, {"scaled"});
    add_attr(g.node("Softmax", {"scaled"}, {"p"}), "axis", -1);
    g.node("MatMul", {"p", "v2"}, {"mixed"});
    add_attr(g.node("Transpose", {"mixed"}, {"back"}), "perm", std::vector<std::int64_t>{0, 2, 1, 3});
    g.node("Reshape", {"back", "joined"}, {"flat"});
    g.node("Add", {"flat", "x"}, {"y"});
    const graph::Module module = imported(m);
    REQUIRE(result_type(module) == "f32[batch,seq,16]");
    const auto model = compiled(module);
    for (const Shape& shape : {Shape{1, 5, 16}, Shape{2, 9, 16}, Shape{1, 1, 16}, Shape{2, 9, 16}})
        agreed(*model, {random_floats(shape, 3)});
    REQUIRE(model->dynamic->specialized() == 3);
}

TEST_CASE("a recurrent network over any length", "[session][dynamic]") {
    ::onnx::ModelProto m = orrery::onnx::models::model();
    GraphMaker g(*m.mutable_graph());
    g.input("x", {"time", "batch", "6"}).output("y").output("h");
    g.floats("w", {1, 16, 6}, some(96, 1)).floats("r", {1, 16, 4}, some(64, 2)).floats("b", {1, 32}, some(32, 3));
    add_attr(g.node("LSTM", {"x", "w", "r", "b"}, {"y", "h"}), "hidden_size", 4);
    const auto model = compiled(imported(m));
    for (const Shape& shape : {Shape{3, 2, 6}, Shape{7, 1, 6}, Shape{1, 5, 6}}) {
        const std::vector<NDArray> out = agreed(*model, {random_floats(shape, 4)});
        REQUIRE(out[0].shape() == Shape{shape[0], 1, shape[1], 4});
        REQUIRE(out[1].shape() == Shape{1, shape[1], 4});
    }
}

TEST_CASE("a convolution over any image", "[session][dynamic]") {
    ::onnx::ModelProto m = orrery::onnx::models::model();
    GraphMaker g(*m.mutable_graph());
    g.input("x", {"1", "3", "height", "width"}).output("y");
    g.floats("w", {8, 3, 3, 3}, some(216, 1));
    auto& conv = g.node("Conv", {"x", "w"}, {"c"});
    add_attr(conv, "strides", std::vector<std::int64_t>{2, 2});
    add_attr(conv, "pads", std::vector<std::int64_t>{1, 1, 1, 1});
    g.node("Relu", {"c"}, {"r"});
    g.node("GlobalAveragePool", {"r"}, {"p"});
    g.node("Flatten", {"p"}, {"y"});
    const graph::Module module = imported(m);
    REQUIRE(result_type(module) == "f32[1,8]");
    const auto model = compiled(module);
    for (const Shape& shape : {Shape{1, 3, 16, 16}, Shape{1, 3, 17, 9}}) agreed(*model, {random_floats(shape, 5)});
}

TEST_CASE("branches of different shapes, and what they capture", "[session][dynamic]") {
    ::onnx::ModelProto m = orrery::onnx::models::model();
    GraphMaker g(*m.mutable_graph());
    g.input("c", {}, TensorProto::BOOL).input("x", {"3", "4"}).output("y").output("z");
    g.floats("w", {4}, {1, 2, 3, 4});
    g.node("Neg", {"x"}, {"n"});
    auto& branch = g.node("If", {"c"}, {"y", "k"});
    GraphMaker then(add_graph(branch, "then_branch"));
    then.output("a").output("t");
    then.node("Add", {"n", "w"}, {"a"});
    then.node("Identity", {"x"}, {"t"});
    GraphMaker otherwise(add_graph(branch, "else_branch"));
    otherwise.output("b").output("e");
    add_attr(otherwise.node("Concat", {"x", "n"}, {"b"}), "axis", 0);
    otherwise.node("Relu", {"x"}, {"e"});
    g.node("Mul", {"k", "w"}, {"z"});
    const graph::Module module = imported(m);
    REQUIRE(result_type(module) == "(f32[?,4], f32[3,4])");
    const auto model = compiled(module);
    const NDArray x = random_floats({3, 4}, 6);
    REQUIRE(agreed(*model, {boolean(true), x})[0].shape() == Shape{3, 4});
    REQUIRE(agreed(*model, {boolean(false), x})[0].shape() == Shape{6, 4});
}

TEST_CASE("loops carry, grow, scan and nest", "[session][dynamic]") {
    ::onnx::ModelProto m = orrery::onnx::models::model();
    GraphMaker g(*m.mutable_graph());
    g.input("trips", {}, TensorProto::INT64).input("x", {"2", "3"}).output("sum").output("grown").output("rows");
    g.floats("half", {}, {0.5F});
    auto& loop = g.node("Loop", {"trips", "", "x", "x"}, {"sum", "grown", "rows"});
    GraphMaker body(add_graph(loop, "body"));
    body.input("i", {}, TensorProto::INT64)
        .input("go", {}, TensorProto::BOOL)
        .input("s", {"2", "3"})
        .input("t", {"", "3"});
    body.output("go_out").output("s_out").output("t_out").output("row");
    body.node("Identity", {"go"}, {"go_out"});
    auto& inner = body.node("Loop", {"i", "", "s"}, {"s2"}); // halves and adds i times
    GraphMaker inside(add_graph(inner, "body"));
    inside.input("j", {}, TensorProto::INT64).input("on", {}, TensorProto::BOOL).input("u", {"2", "3"});
    inside.output("on_out").output("u_out");
    inside.node("Identity", {"on"}, {"on_out"});
    inside.node("Mul", {"u", "half"}, {"v"});
    inside.node("Add", {"v", "x"}, {"u_out"});
    body.node("Add", {"s2", "x"}, {"s_out"});
    add_attr(body.node("Concat", {"t", "x"}, {"t_out"}), "axis", 0);
    add_attr(body.node("ReduceMean", {"s_out"}, {"row"}), "keepdims", 0);
    const graph::Module module = imported(m);
    REQUIRE(result_type(module) == "(f32[2,3], f32[?,3], f32[?])");
    const auto model = compiled(module);
    for (const std::int64_t trips : {0, 1, 5}) {
        const std::vector<NDArray> out = agreed(*model, {integer(trips), random_floats({2, 3}, 9)});
        REQUIRE(out[1].shape() == Shape{2 + 2 * trips, 3});
        REQUIRE(out[2].shape() == Shape{trips});
    }
}

TEST_CASE("scans go both ways along any axis", "[session][dynamic]") {
    ::onnx::ModelProto m = orrery::onnx::models::model();
    GraphMaker g(*m.mutable_graph());
    g.input("h", {"2"}).input("x", {"2", "time"}).output("last").output("all").output("back");
    for (const bool reverse : {false, true}) {
        auto& scan =
            reverse ? g.node("Scan", {"h", "x"}, {"first", "back"}) : g.node("Scan", {"h", "x"}, {"last", "all"});
        add_attr(scan, "num_scan_inputs", 1);
        add_attr(scan, "scan_input_axes", std::vector<std::int64_t>{1});
        add_attr(scan, "scan_input_directions", std::vector<std::int64_t>{reverse ? 1 : 0});
        add_attr(scan, "scan_output_axes", std::vector<std::int64_t>{1});
        GraphMaker body(add_graph(scan, "body"));
        body.input("s", {"2"}).input("e", {"2"}).output("s_out").output("o");
        body.node("Add", {"s", "e"}, {"s_out"});
        body.node("Relu", {"s_out"}, {"o"});
    }
    const auto model = compiled(imported(m));
    const std::vector<float> x{1, 2, 3, -10, 4, 5};
    const std::vector<NDArray> out =
        agreed(*model, {NDArray::zeros(DType::F32, {2}), NDArray::of<float>(DType::F32, {2, 3}, x)});
    REQUIRE(out[0].as_double(0) == 6);
    REQUIRE(out[0].as_double(1) == -1);
    const std::vector<float> all{1, 3, 6, 0, 0, 0}, back{3, 5, 6, 5, 9, 0};
    REQUIRE(compare(out[1], NDArray::of<float>(DType::F32, {2, 3}, all)).max_abs == 0);
    REQUIRE(compare(out[2], NDArray::of<float>(DType::F32, {2, 3}, back)).max_abs == 0);
}

TEST_CASE("scans write backwards over axes of unknown length", "[session][dynamic]") {
    ::onnx::ModelProto m = orrery::onnx::models::model();
    GraphMaker g(*m.mutable_graph());
    g.input("h", {"2"}).input("x", {"time", "2"}).output("all");
    auto& scan = g.node("Scan", {"h", "x"}, {"last", "all"});
    add_attr(scan, "num_scan_inputs", 1);
    add_attr(scan, "scan_output_directions", std::vector<std::int64_t>{1});
    GraphMaker body(add_graph(scan, "body"));
    body.input("s", {"2"}).input("e", {"2"}).output("s_out").output("o");
    body.node("Add", {"s", "e"}, {"s_out"});
    body.node("Identity", {"s_out"}, {"o"});
    const auto model = compiled(imported(m));
    for (const std::int64_t time : {1, 3}) {
        const NDArray x = random_floats({time, 2}, 4);
        const NDArray all = agreed(*model, {NDArray::zeros(DType::F32, {2}), x})[0];
        REQUIRE(all.shape() == Shape{time, 2});
        double sum = 0;
        for (std::int64_t t = 0; t < time; ++t) sum += x.as_double(2 * t);
        REQUIRE(all.as_double(0) == Approx(sum));
        REQUIRE(all.as_double(2 * (time - 1)) == x.as_double(0));
    }
}

TEST_CASE("a scan over a batch stops each sequence at its length", "[session][dynamic]") {
    ::onnx::ModelProto m = orrery::onnx::models::model(8);
    GraphMaker g(*m.mutable_graph());
    g.input("lengths", {"2"}, TensorProto::INT64).input("h", {"2", "1"}).input("x", {"2", "3", "1"});
    for (const char* name : {"last", "all", "back", "every"}) g.output(name);
    for (const bool reverse : {false, true}) {
        auto& scan = reverse ? g.node("Scan", {"", "h", "x"}, {"back", "every"})
                             : g.node("Scan", {"lengths", "h", "x"}, {"last", "all"});
        add_attr(scan, "num_scan_inputs", 1);
        if (reverse) add_attr(scan, "directions", std::vector<std::int64_t>{1});
        GraphMaker body(add_graph(scan, "body"));
        body.input("s", {"1"}).input("e", {"1"}).output("s_out").output("o");
        body.node("Add", {"s", "e"}, {"s_out"});
        body.node("Identity", {"s_out"}, {"o"});
    }
    const auto model = compiled(imported(m));
    const auto array = [](Shape shape, const std::vector<float>& values) {
        return NDArray::of<float>(DType::F32, std::move(shape), std::span<const float>(values));
    };
    const std::vector<NDArray> out =
        agreed(*model, {integers({2, 3}), array({2, 1}, {10, 20}), array({2, 3, 1}, {1, 2, 3, 4, 5, 6})});
    REQUIRE(compare(out[0], array({2, 1}, {13, 35})).max_abs == 0);
    REQUIRE(compare(out[1], array({2, 3, 1}, {11, 13, 0, 24, 29, 35})).max_abs == 0);
    REQUIRE(compare(out[2], array({2, 1}, {16, 35})).max_abs == 0);
    REQUIRE(compare(out[3], array({2, 3, 1}, {13, 15, 16, 26, 31, 35})).max_abs == 0);
}

TEST_CASE("a sequence whose parts are data has as many as there are sizes", "[session][dynamic]") {
    ::onnx::ModelProto m = orrery::onnx::models::model();
    GraphMaker g(*m.mutable_graph());
    g.input("x", {"n"}).input("sizes", {"3"}, TensorProto::INT64).output("count").output("second");
    g.ints("one", {1});
    g.node("SplitToSequence", {"x", "sizes"}, {"parts"});
    g.node("SequenceLength", {"parts"}, {"count"});
    g.node("SequenceAt", {"parts", "one"}, {"second"});
    const auto model = compiled(imported(m));
    const std::vector<NDArray> out = agreed(*model, {random_floats({6}, 2), integers({1, 3, 2})});
    REQUIRE(out[0].as_int(0) == 3);
    REQUIRE(out[1].shape() == Shape{3});
    REQUIRE(run(*model, std::vector{random_floats({6}, 2), integers({1, 3, 3})}, 1, {}).error().code == Code::BadShape);
}

TEST_CASE("shapes that are data: found, cut, reshaped, filled", "[session][dynamic]") {
    ::onnx::ModelProto m = orrery::onnx::models::model();
    GraphMaker g(*m.mutable_graph());
    g.input("x", {"6", "4"}).input("start", {"1"}, TensorProto::INT64).input("shape", {"2"}, TensorProto::INT64);
    g.output("picked").output("cut").output("formed").output("count");
    g.ints("far", {1000}).ints("axis", {0});
    g.node("NonZero", {"x"}, {"where"});
    add_attr(g.node("Transpose", {"where"}, {"pairs"}), "perm", std::vector<std::int64_t>{1, 0});
    g.node("GatherND", {"x", "pairs"}, {"picked"});
    g.node("Slice", {"x", "start", "far", "axis"}, {"cut"});
    g.node("Reshape", {"x", "shape"}, {"formed"});
    g.node("Shape", {"where"}, {"count"});
    const graph::Module module = imported(m);
    REQUIRE(result_type(module) == "(f32[?], f32[?,?], f32[?,?], i64[2])");
    const auto model = compiled(module);
    NDArray x = random_floats({6, 4}, 11);
    for (const std::int64_t i : {0, 5, 17}) x.set(i, 0);
    const std::vector<NDArray> out = agreed(*model, {x, integers({2}), integers({3, -1})});
    REQUIRE(out[0].shape() == Shape{21});
    REQUIRE(out[1].shape() == Shape{4, 4});
    REQUIRE(out[2].shape() == Shape{3, 8});
    REQUIRE(out[3].as_int(1) == 21);
    REQUIRE(agreed(*model, {NDArray::zeros(DType::F32, {6, 4}), integers({-1}), integers({24, 1})})[0].shape() ==
            Shape{0});
    REQUIRE(run(*model, std::vector{x, integers({2}), integers({5, 5})}, 1, {}).error().code == Code::BadShape);
}

TEST_CASE("a session opens a model with symbols and says what to bind", "[session][dynamic]") {
    ::onnx::ModelProto m = orrery::onnx::models::model();
    GraphMaker g(*m.mutable_graph());
    g.input("x", {"batch", "seq", "4"}).output("y");
    g.node("Relu", {"x"}, {"y"});
    const auto path = std::filesystem::temp_directory_path() / "orrery_test_dynamic.onnx";
    std::ofstream(path, std::ios::binary) << m.SerializeAsString();
    Session session(std::make_shared<Compiler>(make_llvm_backend(), Compiler::Options{}));
    session.open(path);
    session.wait_idle();
    SnapshotPtr picture = session.snapshot();
    REQUIRE(picture->has_model());
    REQUIRE(picture->compiled != nullptr);
    REQUIRE(picture->compiled->dynamic != nullptr);
    REQUIRE(picture->functions.empty());
    REQUIRE(picture->problems.size() == 1);
    REQUIRE(picture->problems[0].severity == Severity::Note);
    REQUIRE(picture->problems[0].hint.find("--shape x=") != std::string::npos);
    session.run();
    session.wait_idle();
    REQUIRE(session.snapshot()->problems.back().code == Code::BadShape);
    session.edit("bind", [](Recipe& recipe) { recipe.shapes["x"] = {2, 3, 4}; });
    session.wait_idle();
    picture = session.snapshot();
    REQUIRE(picture->compiled->dynamic == nullptr);
    REQUIRE(picture->functions.size() == 1);
    std::filesystem::remove(path);
}

// ------------------------------------------------------------------------------ limits

namespace {

/// A loop that never ends, over a value that doubles when `grows`.
::onnx::ModelProto endless(bool grows) {
    ::onnx::ModelProto m = orrery::onnx::models::model();
    GraphMaker g(*m.mutable_graph());
    g.input("x", {"1000"}).output("y");
    auto& loop = g.node("Loop", {"", "", "x"}, {"y"});
    GraphMaker body(add_graph(loop, "body"));
    body.input("i", {}, TensorProto::INT64).input("go", {}, TensorProto::BOOL).input("s", {grows ? "" : "1000"});
    body.output("go_out").output("s_out");
    body.node("Identity", {"go"}, {"go_out"});
    if (grows)
        add_attr(body.node("Concat", {"s", "s"}, {"s_out"}), "axis", 0);
    else
        body.node("Neg", {"s"}, {"s_out"});
    return m;
}

} // namespace

TEST_CASE("a loop without end can be cancelled, and is bounded in iterations and memory",
          "[session][dynamic][hostile]") {
    const auto still = compiled(imported(endless(false)));
    const std::vector<NDArray> x{random_floats({1000}, 1)};
    std::stop_source source;
    int regions = 0;
    ProgramOptions watched;
    watched.observer.region = [&](const SpecializedRegion&, std::span<const NDArray>) -> Result<void> {
        if (++regions == 50) source.request_stop();
        return {};
    };
    REQUIRE(run_program(*still->dynamic, x, watched, Progress{source.get_token(), {}}).error().code == Code::Cancelled);
    REQUIRE(regions == 50);
    ProgramOptions few;
    few.limits.max_iterations = 100;
    REQUIRE(run_program(*still->dynamic, x, few, {}).error().code == Code::LimitExceeded);
    const auto grown = compiled(imported(endless(true)));
    ProgramOptions small;
    small.limits.max_bytes = 1 << 20;
    REQUIRE(run_program(*grown->dynamic, x, small, {}).error().code == Code::LimitExceeded);
}

// ------------------------------------------------------------------------ random programs

namespace {

/// Random programs over matrices of four columns: arithmetic, joins, branches on sums, loops of few iterations.
class RandomProgram {
  public:
    explicit RandomProgram(std::uint64_t seed) : engine_(seed) {}

    ::onnx::ModelProto make() {
        ::onnx::ModelProto m = orrery::onnx::models::model();
        GraphMaker g(*m.mutable_graph());
        g.input("x", {"rows", "4"}).input("trips", {}, TensorProto::INT64);
        g.floats("zero", {}, {0}).floats("w", {4, 4}, some(16, 5)).ints("first", {0}).ints("last", {-1});
        const std::vector<std::string> out = fill(g, {"x"}, 6, 2);
        g.output(out.back()).output(out[out.size() / 2]);
        return m;
    }

  private:
    std::size_t pick(std::size_t count) { return engine_() % count; }
    std::string fresh() { return "v" + std::to_string(next_++); }

    /// Adds nodes to a graph; the matrices it can see, old and new.
    std::vector<std::string> fill(GraphMaker& g, std::vector<std::string> seen, int count, int depth) {
        for (int i = 0; i < count; ++i) {
            const std::string a = seen[pick(seen.size())], y = fresh();
            switch (pick(depth > 0 ? 8 : 5)) {
            case 0: g.node("Relu", {a}, {y}); break;
            case 1: g.node("MatMul", {a, "w"}, {y}); break;
            case 2: add_attr(g.node("Concat", {a, "x"}, {y}), "axis", 0); break; // no doubling in loops
            case 3: {
                const std::string row = fresh();
                add_attr(g.node("Gather", {a, pick(2) ? "first" : "last"}, {row}), "axis", 0);
                g.node("Sub", {a, row}, {y});
                break;
            }
            case 4: {
                auto& reduce = g.node("ReduceMean", {a}, {y});
                add_attr(reduce, "axes", std::vector<std::int64_t>{0});
                break;
            }
            case 5:
            case 6: branch(g, a, y, seen, depth); break;
            default: loop(g, a, y, seen, depth); break;
            }
            seen.push_back(y);
        }
        return seen;
    }

    void branch(GraphMaker& g, const std::string& a, const std::string& y, const std::vector<std::string>& seen,
                int depth) {
        const std::string sum = fresh(), yes = fresh();
        add_attr(g.node("ReduceSum", {a}, {sum}), "keepdims", 0);
        g.node("Greater", {sum, "zero"}, {yes});
        auto& node = g.node("If", {yes}, {y});
        for (const char* name : {"then_branch", "else_branch"}) {
            GraphMaker inside(add_graph(node, name));
            const std::vector<std::string> all = fill(inside, seen, 1 + static_cast<int>(pick(3)), depth - 1);
            inside.output(all.back());
        }
    }

    void loop(GraphMaker& g, const std::string& a, const std::string& y, std::vector<std::string> seen, int depth) {
        auto& node = g.node("Loop", {"trips", "", a}, {y});
        GraphMaker body(add_graph(node, "body"));
        const std::string i = fresh(), go = fresh(), carried = fresh(), on = fresh();
        body.input(i, {}, TensorProto::INT64).input(go, {}, TensorProto::BOOL).input(carried, {"", "4"});
        body.node("Identity", {go}, {on});
        seen.push_back(carried);
        const std::vector<std::string> all = fill(body, seen, 1 + static_cast<int>(pick(3)), depth - 1);
        body.output(on).output(all.back());
    }

    std::mt19937_64 engine_;
    int next_ = 0;
};

void differ(std::uint64_t first, int count) {
    for (int i = 0; i < count; ++i) {
        const std::uint64_t seed = first + static_cast<std::uint64_t>(i);
        const graph::Module module = imported(RandomProgram(seed).make());
        INFO("seed " << seed << "\n" << graph::to_string(module));
        // Nothing is left to the interpreter but what it is compared with.
        CompiledModel model = *compiled(module);
        model.dynamic = std::make_shared<const DynamicModel>(
            module, module,
            [](const graph::Module& part, const Progress& progress) {
                return compiler().compile_module(compiler().new_recipe({}), part, progress);
            },
            0);
        agreed(model, {random_floats({3, 4}, seed), integer(2)});
        agreed(model, {random_floats({5, 4}, seed + 1), integer(0)});
    }
}

} // namespace

TEST_CASE("random programs with branches and loops agree with the interpreter", "[session][dynamic][property]") {
    differ(1, 12);
}

TEST_CASE("many random programs with branches and loops", "[.nightly][session][dynamic]") { differ(1000, 500); }
