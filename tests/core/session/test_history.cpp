#include "backends/llvm/llvm_backend.hpp"
#include "core/graph/text.hpp"
#include "core/ops/ops.hpp"
#include "core/session/compiler.hpp"
#include "core/session/history.hpp"
#include "core/session/statistics.hpp"
#include "tests/core/session/compiler.hpp"

#include <catch2/catch.hpp>

#include <algorithm>

using namespace orrery;
using namespace orrery::session;

namespace {

std::shared_ptr<Snapshot> opened(const char* network) {
    auto snapshot = std::make_shared<Snapshot>();
    snapshot->recipe = compiler().new_recipe({});
    snapshot->recipe.builtin = network;
    snapshot->steps = compiler().graph_steps(snapshot->recipe, {}).value();
    const auto functions = compiler().functions(snapshot->recipe, snapshot->steps.back()->module, {}).value();
    snapshot->lowered = functions.model;
    snapshot->functions = functions.functions;
    return snapshot;
}

const Snapshot& resnet() {
    static const auto shared = opened("resnet18");
    return *shared;
}

/// The first binding of a step that calls the operator.
graph::Var first_call(std::size_t step, const std::string& op) {
    for (const graph::Binding& b : resnet().steps[step]->module.main->bindings)
        if (const auto* call = graph::as<graph::CallOp>(b.value); call && call->op.name == op) return b.var;
    FAIL("no " + op);
    return nullptr;
}

const HistoryEvent* event_of(const ValueHistory& history, const std::string& step) {
    for (const HistoryEvent& event : history.events)
        if (event.step > 0 && resnet().steps[event.step]->name == step) return &event;
    return nullptr;
}

} // namespace

TEST_CASE("a batch norm: from the model, into a convolution, into a kernel", "[session][history]") {
    const ValueHistory history = history_of(resnet(), 0, first_call(0, "batch_norm")).value();
    REQUIRE(history.sources.size() == 1);
    CHECK(history.sources[0].op_type == "BatchNormalization");
    REQUIRE_FALSE(history.events.empty());
    CHECK(history.events.front().fate == Fate::Imported);
    const HistoryEvent* simplified = event_of(history, "SimplifyInference");
    REQUIRE(simplified);
    CHECK(simplified->fate == Fate::Rewritten);
    CHECK(simplified->rule == "batch norm into a convolution's weights");
    CHECK(simplified->file == "core/transform/simplify_inference.cpp");
    CHECK(simplified->line > 0);
    CHECK(simplified->before.front().find("batch_norm(") != std::string::npos);
    CHECK(simplified->after.front().find("bias_add(") != std::string::npos);
    const HistoryEvent* fused = event_of(history, "FuseOps");
    REQUIRE(fused);
    CHECK(fused->fate == Fate::Fused);
    CHECK(fused->after.front().find("@layout_conv2d_add") != std::string::npos);
    REQUIRE(history.kernels.size() == 1);
    CHECK(history.kernels[0].function.starts_with("layout_conv2d_add"));
    CHECK_FALSE(history.kernels[0].lines.empty());
}

TEST_CASE("a kernel: back to every operator that went into it", "[session][history]") {
    const std::size_t last = resnet().steps.size() - 1;
    const graph::Binding* kernel = nullptr;
    for (const graph::Binding& b : resnet().steps[last]->module.main->bindings)
        if (const auto* call = graph::as<graph::CallFunction>(b.value);
            !kernel && call && call->function->name.find("add_relu") != std::string::npos)
            kernel = &b;
    REQUIRE(kernel);
    const ValueHistory history = history_of(resnet(), last, kernel->var).value();
    CHECK(history.sources.size() == kernel->origin.ids().size());
    const HistoryEvent* fused = event_of(history, "FuseOps");
    REQUIRE(fused);
    CHECK(fused->fate == Fate::Fused);
    CHECK(fused->before.size() >= 3);
    CHECK(history.events.front().fate == Fate::Imported);
    CHECK(history.events.front().after.size() >= 2);
    for (std::size_t i = 1; i < history.events.size(); ++i) CHECK(history.events[i - 1].step <= history.events[i].step);
}

TEST_CASE("a convolution whose weights are scaled, and one that nothing touched before fusion", "[session][history]") {
    const ValueHistory history = history_of(resnet(), 0, first_call(0, "conv2d")).value();
    const HistoryEvent* simplified = event_of(history, "SimplifyInference");
    REQUIRE(simplified);
    CHECK(simplified->fate == Fate::Rewired);
    CHECK(event_of(history, "FuseOps"));
    const ValueHistory pool = history_of(resnet(), 0, first_call(0, "max_pool")).value();
    const HistoryEvent* event = event_of(pool, "SimplifyInference");
    if (event) CHECK(event->fate == Fate::Rewired);
}

TEST_CASE("a parameter is followed, and every value of every step has a history", "[session][history]") {
    const graph::Var input = resnet().steps[0]->module.main->params.front();
    const ValueHistory history = history_of(resnet(), 0, input).value();
    CHECK(history.name == input->name);
    for (std::size_t s = 0; s < resnet().steps.size(); ++s) {
        const auto& bindings = resnet().steps[s]->module.main->bindings;
        for (std::size_t i = 0; i < bindings.size(); i += 1 + bindings.size() / 12) {
            const ValueHistory each = history_of(resnet(), s, bindings[i].var).value();
            INFO(resnet().steps[s]->name << " " << each.text);
            CHECK_FALSE(each.events.empty());
            for (const HistoryEvent& event : each.events) CHECK(event.step < resnet().steps.size());
        }
    }
    std::stop_source stop;
    stop.request_stop();
    const auto cancelled = history_of(resnet(), 0, input, {stop.get_token(), {}});
    REQUIRE_FALSE(cancelled);
    CHECK(cancelled.error().code == Code::Cancelled);
}

TEST_CASE("values are found by name, repeated names by number, and by origins", "[session][history]") {
    const graph::Module& module = resnet().steps.back()->module;
    for (const graph::Binding& b : module.main->bindings) {
        if (b.value->kind == graph::ExprKind::Tuple || b.value->kind == graph::ExprKind::Project) continue;
        const graph::Var found = find_value(module, b.var->name);
        REQUIRE(found);
        CHECK(found->name == b.var->name);
    }
    CHECK_FALSE(find_value(module, "no such value"));
    CHECK_FALSE(find_value(module, OriginSet()));
}

TEST_CASE("statistics of a small program, counted by hand", "[session][statistics]") {
    const auto parsed = graph::parse_module(R"(outputs ["y"];
fn main(x: f32[4,8]) -> f32[4,2] {
  w: f32[8,2] = const [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0, 11.0, 12.0, 13.0, 14.0, 15.0];
  a: f32[4,8] = relu(x);
  p: f32[4,2] = matmul(a, w);
  y: f32[4,2] = relu(p);
  return y;
})",
                                            ops::registry(), {});
    REQUIRE(parsed);
    const Statistics s = statistics_of(*parsed).value();
    CHECK(s.total == 3);
    CHECK(s.operators.at("relu") == 2);
    CHECK(s.kernels == 0);
    CHECK(s.unknown == 0);
    // relu: one maximum an element; matmul: 4 * 2 * 8 products and sums.
    CHECK(s.flops == 32 + 128 + 8);
    CHECK(s.bytes_read == 4 * (32 + 32 + 16 + 8));
    CHECK(s.bytes_written == 4 * (32 + 8 + 8));
    CHECK(s.weights == 1);
    CHECK(s.weight_elements == 16);
    CHECK(s.weight_bytes == 64);
    CHECK(s.peak_bytes == 4 * (32 + 32)); // x and a
}

TEST_CASE("fusion leaves the operators and the work, and lowers the traffic and the peak", "[session][statistics]") {
    const std::size_t last = resnet().steps.size() - 1;
    const Statistics before = statistics_of(resnet().steps[last - 1]->module).value(),
                     after = statistics_of(resnet().steps[last]->module).value();
    CHECK(before.total == after.total);
    CHECK(after.kernels > 20);
    CHECK(after.flops == Approx(before.flops));
    CHECK(after.bytes_written < before.bytes_written);
    CHECK(after.peak_bytes <= before.peak_bytes);
    const Statistics imported = statistics_of(resnet().steps.front()->module).value();
    CHECK(imported.flops > 3.5e9); // ResNet-18 is 1.8 G multiply-adds
    CHECK(imported.flops < 3.8e9);
    CHECK(before.flops <= imported.flops); // fewer where 3x3 convolutions are computed in tiles
}
