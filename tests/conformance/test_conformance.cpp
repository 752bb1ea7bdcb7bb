// The runner of ONNX's backend tests: on cases made in place, and on Debian's package with the reference interpreter.

#include "app/conformance.hpp"
#include "core/frontends/onnx/open.hpp"
#include "core/graph/evaluate.hpp"

#include <catch2/catch.hpp>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <onnx/onnx_pb.h>
#include <unistd.h>

using namespace orrery;
using namespace orrery::app;
namespace fs = std::filesystem;

namespace {

Result<std::vector<NDArray>> interpret(const graph::Module& module, std::span<const NDArray> inputs) {
    return graph::evaluate(module.main, inputs, orrery::onnx::evaluator(), {});
}

void write_message(const fs::path& path, const google::protobuf::Message& message) {
    fs::create_directories(path.parent_path());
    std::ofstream(path, std::ios::binary) << message.SerializeAsString();
}

::onnx::TensorProto vector_of(std::initializer_list<float> values) {
    ::onnx::TensorProto tensor;
    tensor.set_data_type(::onnx::TensorProto::FLOAT);
    tensor.add_dims(static_cast<std::int64_t>(values.size()));
    for (const float value : values) tensor.add_float_data(value);
    return tensor;
}

/// y = op(x) over f32[2].
void write_case(const fs::path& folder, const std::string& op, std::initializer_list<float> in,
                std::initializer_list<float> out) {
    ::onnx::ModelProto model;
    model.add_opset_import()->set_version(13);
    auto& graph = *model.mutable_graph();
    auto& input = *graph.add_input();
    input.set_name("x");
    auto& type = *input.mutable_type()->mutable_tensor_type();
    type.set_elem_type(::onnx::TensorProto::FLOAT);
    type.mutable_shape()->add_dim()->set_dim_value(2);
    graph.add_output()->set_name("y");
    auto& node = *graph.add_node();
    node.set_op_type(op);
    node.set_name("the_node");
    node.add_input("x");
    node.add_output("y");
    write_message(folder / "model.onnx", model);
    write_message(folder / "test_data_set_0/input_0.pb", vector_of(in));
    write_message(folder / "test_data_set_0/output_0.pb", vector_of(out));
}

struct Folder {
    fs::path path = fs::temp_directory_path() / ("orrery_conformance_" + std::to_string(::getpid()));
    Folder() {
        fs::remove_all(path);
        write_case(path / "a_right", "Relu", {1, -1}, {1, 0});
        write_case(path / "b_wrong", "Relu", {1, -1}, {1, -1});
        write_case(path / "c_unknown", "Frobnicate", {1, 2}, {1, 2});
        write_case(path / "d_close", "Relu", {1, 2}, {1.0005F, 2});
        std::ofstream(path / "e_elsewhere.json");
        fs::create_directories(path / "e_elsewhere");
        std::ofstream(path / "e_elsewhere/data.json") << "{}";
        write_case(path / "f_broken", "Relu", {1, 2}, {1, 2});
        std::ofstream(path / "f_broken/model.onnx") << "garbage";
    }
    ~Folder() { fs::remove_all(path); }
};

ConformanceReport run_all(const fs::path& folder, const ModuleRunner& runner, const ConformanceOptions& options = {}) {
    Result<ConformanceReport> report = run_conformance(folder, runner, options);
    if (!report) FAIL(to_string(report.error()));
    return *report;
}

} // namespace

TEST_CASE("cases pass, fail and are refused each for themselves", "[conformance]") {
    const Folder folder;
    const ConformanceReport report = run_all(folder.path, interpret);
    REQUIRE(report.cases.size() == 6);
    CHECK(report.passed == 2);
    CHECK(report.failed == 2);
    CHECK(report.unsupported == 2);
    CHECK(report.cases[0].name == "a_right");
    CHECK(report.cases[0].reason.empty());
    CHECK(report.cases[1].status == CaseStatus::Failed);
    CHECK(report.cases[1].reason.find("1 of 2 elements") != std::string::npos);
    CHECK(report.cases[2].op_type == "Frobnicate");
    CHECK(report.cases[3].status == CaseStatus::Passed);
    CHECK(report.cases[4].reason == "needs files the package lacks");
    CHECK(report.cases[5].reason.starts_with("MalformedModel"));
    CHECK(report.unsupported_operators.at("Frobnicate") == 1);
}

TEST_CASE("the report's JSON has the fields others rely on", "[conformance]") {
    const Folder folder;
    const auto json = nlohmann::json::parse(to_json(run_all(folder.path, interpret)));
    CHECK(json["passed"] == 2);
    CHECK(json["failed"] == 2);
    CHECK(json["unsupported"] == 2);
    CHECK(json["cases"][2]["name"] == "c_unknown");
    CHECK(json["cases"][2]["status"] == "unsupported");
    CHECK(json["cases"][0]["reason"] == "");
}

TEST_CASE("a case that crashes, throws or hangs ends nothing else", "[conformance]") {
    const Folder folder;
    int met = 0; // in each worker: its first case is treated badly
    const auto bad = [&](void (*what)()) {
        return [&met, what](const graph::Module& module, std::span<const NDArray> inputs) {
            if (met++ == 0) what();
            return interpret(module, inputs);
        };
    };
    ConformanceOptions one;
    one.workers = 1;
    one.case_seconds = 1;
    ConformanceReport report = run_all(folder.path, bad([] { std::raise(SIGKILL); }), one);
    CHECK(report.cases[0].status == CaseStatus::Failed);
    CHECK(report.cases[0].reason.starts_with("crashed"));
    CHECK(report.cases.size() == 6);
    report = run_all(folder.path, bad([] { throw std::runtime_error("boom"); }), one);
    CHECK(report.cases[0].reason == "internal error: boom");
    CHECK(report.cases[3].status == CaseStatus::Passed);
    report = run_all(folder.path, bad([] { ::pause(); }), one);
    CHECK(report.cases[0].reason.starts_with("took longer"));
}

TEST_CASE("folders without cases are refused, and a run can be cancelled", "[conformance]") {
    CHECK(run_conformance("/nonexistent", interpret).error().code == Code::FileMissing);
    const Folder folder;
    std::stop_source source;
    source.request_stop();
    CHECK(run_conformance(folder.path, interpret, {}, Progress{source.get_token(), {}}).error().code ==
          Code::Cancelled);
}

TEST_CASE("ONNX's own cases pass with the reference interpreter", "[conformance]") {
    const fs::path data = "/usr/share/libonnx-testdata/data";
    if (!fs::exists(data)) {
        WARN("skipped: Debian's package libonnx-testdata is not installed");
        return;
    }
    const ConformanceReport node = run_all(data / "node", interpret);
    std::string failed;
    int others = 0;
    for (const ConformanceCase& one : node.cases)
        if (one.status == CaseStatus::Failed) {
            // What a seed gives is nowhere specified: theirs are numpy's numbers, which docs/operators.md says.
            const bool random = one.name.starts_with("test_bernoulli") || one.name.starts_with("test_training_dropout");
            failed += one.name + ": " + one.reason + "\n";
            others += !random;
        }
    INFO(failed);
    CHECK(node.cases.size() == 932);
    CHECK(node.passed >= 916);
    CHECK(others <= 6);
    CHECK(node.failed <= 16);
    const ConformanceReport converted = run_all(data / "pytorch-converted", interpret);
    CHECK(converted.passed >= 78);
    CHECK(run_all(data / "simple", interpret).passed == 23);
    const ConformanceReport real = run_all(data / "real", interpret);
    CHECK(real.unsupported == 9);
}
