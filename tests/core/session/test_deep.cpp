// Long chains and deep nests of functions go from file to machine code without deep recursion, in time that grows with
// their length; what is too deep is refused.

#include "backends/llvm/llvm_backend.hpp"
#include "core/frontends/onnx/import.hpp"
#include "core/graph/builder.hpp"
#include "core/graph/evaluate.hpp"
#include "core/graph/text.hpp"
#include "core/ops/ops.hpp"
#include "core/session/compiler.hpp"
#include "tests/core/session/compiler.hpp"

#include <catch2/catch.hpp>
#include <onnx/onnx_pb.h>

using namespace orrery;
using namespace orrery::session;

namespace {

std::string chain_model(int nodes) {
    ::onnx::ModelProto model;
    model.set_ir_version(8);
    model.add_opset_import()->set_version(17);
    ::onnx::GraphProto& graph = *model.mutable_graph();
    graph.set_name("chain");
    const auto declare = [](::onnx::ValueInfoProto& info, const std::string& name) {
        info.set_name(name);
        auto& tensor = *info.mutable_type()->mutable_tensor_type();
        tensor.set_elem_type(::onnx::TensorProto::FLOAT);
        tensor.mutable_shape()->add_dim()->set_dim_value(8);
    };
    declare(*graph.add_input(), "v0");
    ::onnx::TensorProto& half = *graph.add_initializer();
    half.set_name("half");
    half.set_data_type(::onnx::TensorProto::FLOAT);
    half.add_float_data(0.5F);
    for (int i = 0; i < nodes; ++i) {
        static constexpr const char* kKinds[] = {"Relu", "Mul", "Neg", "Abs", "Add"};
        ::onnx::NodeProto& node = *graph.add_node();
        node.set_op_type(kKinds[i % 5]);
        node.add_input("v" + std::to_string(i));
        if (i % 5 == 1 || i % 5 == 4) node.add_input("half");
        node.add_output("v" + std::to_string(i + 1));
    }
    declare(*graph.add_output(), "v" + std::to_string(nodes));
    return model.SerializeAsString();
}

void check_chain(int nodes) {
    const std::string bytes = chain_model(nodes);
    const auto module = orrery::onnx::import_bytes(std::as_bytes(std::span(bytes)), {});
    if (!module) FAIL(to_string(module.error()));
    REQUIRE(module->main->bindings.size() >= static_cast<std::size_t>(nodes));
    const Recipe recipe = compiler().new_recipe({});
    const auto model = compiler().compile_module(recipe, *module, {});
    if (!model) FAIL(to_string(model.error()));
    const std::vector<NDArray> inputs = seeded_inputs((*model)->executable->plan, 3);
    const auto got = run(**model, inputs, 1, {});
    const auto want = graph::evaluate(module->main, inputs, ops::interpreter_evaluator(), {});
    REQUIRE(got.has_value());
    REQUIRE(want.has_value());
    REQUIRE(compare(got->outputs[0], (*want)[0]).max_rel < 1e-5);
}

/// f1 calls f0, f2 calls f1, ...
graph::Module nest(int depth, bool twice) {
    graph::FunctionBuilder first;
    const graph::Type type = graph::tensor_type(DType::F32, Shape{2});
    const graph::Var x = first.param("x", type);
    graph::Function inner = first.finish("f", first.call(ops::op("relu"), {x}, {}, {}));
    for (int i = 0; i < depth; ++i) {
        graph::FunctionBuilder next;
        graph::Var y = next.param("x", type);
        for (int k = 0; k < (twice ? 2 : 1); ++k)
            y = next.emit(make_ref<const graph::CallFunction>(inner, std::vector{y}), {}, {});
        inner = next.finish("f", y);
    }
    return {graph::make_function("main", inner->params, inner->bindings, inner->result),
            {"y"},
            std::make_shared<const std::vector<graph::Source>>()};
}

/// Every pass on its own, verified when it changes something; only refusals with a code are allowed.
void pass_through_all(const graph::Module& module) {
    for (const transform::GraphPass& pass : transform::passes()) {
        INFO(pass.name);
        pass::Invariants holding = ~pass::Invariants{0};
        const auto step = transform::manager().run(pass, module, holding, {}, {});
        if (!step) CHECK(step.error().code != Code::Internal);
    }
}

} // namespace

TEST_CASE("a chain of three thousand nodes compiles", "[session][deep]") { check_chain(3000); }

TEST_CASE("a chain of fifty thousand nodes compiles", "[.nightly][deep]") { check_chain(50'000); }

TEST_CASE("functions nested deep go through every pass", "[session][deep]") {
    const graph::Module deep = nest(5000, false);
    REQUIRE(graph::verify(deep).has_value());
    pass_through_all(deep);
    // Too deep to evaluate as it stands; inlined it is a chain.
    const std::vector<NDArray> input{NDArray::zeros(DType::F32, {2})};
    REQUIRE(graph::evaluate(deep.main, input, ops::interpreter_evaluator(), {}).error().code == Code::LimitExceeded);
    const auto flat = transform::inline_functions(deep, {{}, {}, nullptr});
    REQUIRE(flat.has_value());
    REQUIRE(graph::evaluate(flat->main, input, ops::interpreter_evaluator(), {}).has_value());
}

TEST_CASE("calls that double at every level go through every pass", "[session][deep]") {
    const graph::Module module = nest(60, true); // 2^60 calls of relu
    REQUIRE(graph::verify(module).has_value());
    pass_through_all(module);
    Recipe recipe = compiler().new_recipe({});
    REQUIRE(compiler().compile_module(recipe, module, {}).error().code == Code::UnsupportedFeature);
}
