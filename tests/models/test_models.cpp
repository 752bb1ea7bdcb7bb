// Real networks through the whole road: import, passes, lowering, schedules, code, run; against the interpreter and,
// where they are there, against published outputs.

#include "app/io_image.hpp"
#include "app/io_pb.hpp"
#include "backends/llvm/llvm_backend.hpp"
#include "core/frontends/onnx/networks.hpp"
#include "core/graph/text.hpp"
#include "core/ops/ops.hpp"
#include "core/session/compiler.hpp"
#include "tests/support/paths.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <filesystem>

using namespace orrery;
using namespace orrery::session;

namespace {

const std::filesystem::path kShared = tests::shared_dir();

std::shared_ptr<Compiler> compiler() { return std::make_shared<Compiler>(make_llvm_backend(), Compiler::Options{}); }

template <class T> T need(Result<T> result) {
    if (!result) FAIL(to_string(result.error()));
    return *std::move(result);
}

/// Both text forms read back equal, at the import, after every pass, and for every kernel before and after its
/// schedule.
void round_trips(Compiler& made, const Recipe& recipe) {
    const Steps steps = need(made.graph_steps(recipe, {}));
    for (const auto& step : steps) {
        INFO(step->name);
        REQUIRE_FALSE(step->error.has_value());
        const graph::Module back = need(graph::parse_module(graph::to_string(step->module), ops::registry(),
                                                            graph::constants_of(step->module), step->module.sources));
        REQUIRE(graph::structural_equal(back, step->module));
        REQUIRE(graph::structural_hash(back) == graph::structural_hash(step->module));
    }
    const Compiler::Functions functions = need(made.functions(recipe, steps.back()->module, {}));
    for (const FunctionPtr& function : functions.functions) {
        INFO(function->lowered.name);
        REQUIRE_FALSE(function->error.has_value());
        for (const tensor::Program& program : {function->lowered.program, function->program()}) {
            const tensor::Program back = need(tensor::parse_program(tensor::to_string(program)));
            REQUIRE(tensor::structural_equal(back, program));
            REQUIRE(tensor::structural_hash(back) == tensor::structural_hash(program));
            const Result<void> sound = tensor::verify(program);
            if (!sound) FAIL(to_string(sound.error()));
        }
    }
}

void network(const std::string& name) {
    const auto made = compiler();
    Recipe recipe = made->new_recipe({});
    recipe.builtin = name;
    recipe.seed = 5;
    round_trips(*made, recipe);
    const auto model = need(made->compile(recipe, {}));
    const std::vector<NDArray> inputs = seeded_inputs(model->executable->plan, 9);
    const runtime::Plan& plan = model->executable->plan;
    REQUIRE(static_cast<double>(plan.arena_bytes) <= 1.1 * static_cast<double>(plan.live_bytes_bound));
    const CheckResult checked = need(check(*model, inputs, 1e-4, {}));
    if (checked.first_wrong >= 0) FAIL(checked.rows[static_cast<std::size_t>(checked.first_wrong)].function);
    // No pass changed what the network computes: the graph as imported, operator by operator, says the same.
    const Steps steps = need(made->graph_steps(recipe, {}));
    const auto reference = need(graph::evaluate(steps.front()->module.main, inputs, ops::interpreter_evaluator(), {}));
    const RunResult result = need(run(*model, inputs, 2, {}));
    for (std::size_t i = 0; i < reference.size(); ++i) REQUIRE(compare(result.outputs[i], reference[i]).max_rel < 1e-4);
    // Every line inside a kernel knows its model nodes.
    std::size_t lines = 0, mapped = 0;
    for (const FunctionPtr& function : model->functions)
        for (const tensor::PrintedLine& line : function->printed.lines) {
            if (line.node == nullptr) continue;
            ++lines;
            mapped += line.origin.empty() ? 0 : 1;
        }
    REQUIRE(mapped * 100 >= lines * 95);
}

} // namespace

TEST_CASE("built-in networks compile, agree with the interpreter and read back from text", "[models]") {
    const std::string name = GENERATE("mlp", "lenet", "resnet18", "squeezenet", "mobilenet_v2", "lstm", "transformer");
    INFO(name);
    network(name);
}

TEST_CASE("the large built-in networks, too", "[models][.nightly]") {
    const std::string name = GENERATE("mobilenet_v1", "inception_v1", "densenet121", "resnet50", "vgg16");
    INFO(name);
    network(name);
}

TEST_CASE("published models give their published outputs", "[models]") {
    const std::filesystem::path folder = kShared / "models" / "onnx-light";
    if (!std::filesystem::exists(folder)) {
        WARN("skipped: the folder models/onnx-light is not beside the project");
        return;
    }
    int seen = 0;
    const auto made = compiler();
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
        if (entry.path().extension() != ".onnx") continue;
        INFO(entry.path().filename().string());
        ++seen;
        const auto model = need(made->compile(made->new_recipe(entry.path()), {}));
        const RunResult result = need(run(*model, seeded_inputs(model->executable->plan, 0), 2, {}));
        std::string expected = entry.path().string();
        expected.replace(expected.size() - 5, 5, "_output_0.pb");
        REQUIRE(compare(result.outputs[0], need(app::read_pb(expected))).max_rel < 1e-4);
    }
    REQUIRE(seen == 9);
}

TEST_CASE("a trained detector finds the faces of a picture", "[models]") {
    const std::filesystem::path folder = kShared / "models" / "face-detector";
    if (!std::filesystem::exists(folder)) {
        WARN("skipped: the folder models/face-detector is not beside the project");
        return;
    }
    const auto made = compiler();
    const auto model = need(made->compile(made->new_recipe(folder / "version-RFB-320.onnx"), {}));
    app::ImageOptions options;
    options.height = 240;
    options.width = 320;
    options.mean.fill(127);
    options.deviation.fill(128);
    const NDArray image = need(app::read_image(folder / "faces.jpg", options));
    const RunResult result = need(run(*model, std::vector<NDArray>{image}, 2, {}));
    const auto scores = std::ranges::find(result.output_names, "scores") - result.output_names.begin();
    const NDArray& score = result.outputs.at(static_cast<std::size_t>(scores));
    int confident = 0;
    for (std::int64_t box = 0; box < score.shape()[1]; ++box) confident += score.as_double(2 * box + 1) > 0.9 ? 1 : 0;
    // The picture shows several dozen people; each is found by one or more of the 4,420 boxes, most boxes by none.
    REQUIRE(confident > 30);
    REQUIRE(confident < 200);
}
