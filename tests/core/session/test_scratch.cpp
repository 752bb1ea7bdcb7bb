#include "core/session/scratch.hpp"

#include "backends/llvm/llvm_backend.hpp"
#include "core/session/compiler.hpp"
#include "core/session/recipe_arguments.hpp"
#include "core/session/session.hpp"
#include "tests/core/session/compiler.hpp"
#include "tests/core/tensor/typed_gallery.hpp"

#include <catch2/catch.hpp>

#include <cmath>
#include <functional>
#include <random>

using namespace orrery;
using namespace orrery::session;

namespace {

std::shared_ptr<const CompiledModel> compiled(const Recipe& recipe) {
    auto model = shared_compiler()->compile(recipe, {});
    if (!model) FAIL(to_string(model.error()));
    return *model;
}

struct Ran {
    std::vector<NDArray> inputs, outputs;
};
Ran run_text(const std::string& text, std::uint64_t seed = 1) {
    const auto model = compiled(scratch_recipe(*shared_compiler(), text));
    const std::vector<NDArray> inputs = drawn_inputs(*model, seed).value();
    Result<RunResult> run = session::run(*model, inputs, 2, {});
    if (!run) FAIL(to_string(run.error()));
    return {inputs, run->outputs};
}

/// The largest difference between an output and numbers worked out in the test, relative to the largest of them.
double difference(const NDArray& output, const std::vector<double>& wanted) {
    REQUIRE(output.size() == std::ssize(wanted));
    double worst = 0, largest = 0;
    for (std::size_t i = 0; i < wanted.size(); ++i) {
        worst = std::max(worst, std::abs(output.as_double(static_cast<std::int64_t>(i)) - wanted[i]));
        largest = std::max(largest, std::abs(wanted[i]));
    }
    return worst / largest;
}

std::vector<double> doubles(const NDArray& array) {
    std::vector<double> out;
    for (std::int64_t i = 0; i < array.size(); ++i) out.push_back(array.as_double(i));
    return out;
}

} // namespace

TEST_CASE("every gallery text compiles and agrees with the interpreter", "[session][scratch]") {
    for (const auto& [name, text] : tests::gallery_texts()) {
        INFO(name);
        const Recipe recipe = scratch_recipe(*shared_compiler(), text);
        const auto model = compiled(recipe);
        CHECK(model->functions.size() == (name == "two_kernels.tir" ? 2u : 1u));
        CHECK(model->functions.front()->lowered.name ==
              (name == "two_kernels.tir" ? "centre" : name.substr(0, name.find('.'))));
        for (const FunctionPtr& function : model->functions) CHECK_FALSE(function->error);
        const std::vector<NDArray> inputs = drawn_inputs(*model, 1).value();
        const Result<CheckResult> check = session::check(*model, inputs, 1e-4, {});
        if (!check) FAIL(to_string(check.error()));
        INFO(check->worst);
        CHECK(check->first_wrong == -1);
        CHECK(check->rows.size() == model->functions.size());
    }
}

TEST_CASE("attention is what its formula says", "[session][scratch]") {
    constexpr int S = 128, D = 64;
    const Ran ran = run_text(tests::gallery_texts().at("attention.te"));
    const std::vector<double> q = doubles(ran.inputs[0]), k = doubles(ran.inputs[1]), v = doubles(ran.inputs[2]);
    std::vector<double> wanted(S * D);
    for (int i = 0; i < S; ++i) {
        std::vector<double> weight(S);
        double total = 0;
        for (int j = 0; j < S; ++j) {
            double dot = 0;
            for (int d = 0; d < D; ++d) dot += q[i * D + d] * k[j * D + d];
            total += weight[j] = std::exp(dot / 8);
        }
        for (int d = 0; d < D; ++d)
            for (int j = 0; j < S; ++j) wanted[i * D + d] += weight[j] / total * v[j * D + d];
    }
    CHECK(difference(ran.outputs[0], wanted) < 1e-5); // f32 sums of 64 and 128 terms
}

TEST_CASE("layer norm is what its formula says", "[session][scratch]") {
    constexpr int N = 128, D = 768;
    const Ran ran = run_text(tests::gallery_texts().at("layer_norm.te"));
    const std::vector<double> x = doubles(ran.inputs[0]), gamma = doubles(ran.inputs[1]), beta = doubles(ran.inputs[2]);
    std::vector<double> wanted(N * D);
    for (int i = 0; i < N; ++i) {
        double mean = 0, variance = 0;
        for (int k = 0; k < D; ++k) mean += x[i * D + k] / D;
        for (int k = 0; k < D; ++k) variance += (x[i * D + k] - mean) * (x[i * D + k] - mean) / D;
        for (int j = 0; j < D; ++j)
            wanted[i * D + j] = (x[i * D + j] - mean) / std::sqrt(variance + 1e-5) * gamma[j] + beta[j];
    }
    CHECK(difference(ran.outputs[0], wanted) < 1e-5); // f32 sums of 768 terms
}

TEST_CASE("a histogram counts, a prefix sum adds up, a convolution is one", "[session][scratch]") {
    const Ran histogram = run_text(tests::gallery_texts().at("histogram.tir"));
    std::vector<double> counts(256);
    for (const double x : doubles(histogram.inputs[0]))
        ++counts[static_cast<std::size_t>(
            std::clamp(static_cast<int>((static_cast<float>(x) + 1.0f) * 128.0f), 0, 255))];
    CHECK(difference(histogram.outputs[0], counts) == 0);

    const Ran scan = run_text(tests::gallery_texts().at("prefix_sum.tir"));
    std::vector<double> sums = doubles(scan.inputs[0]);
    for (std::size_t i = 0; i < sums.size(); ++i) sums[i] += i % 1024 == 0 ? 0 : sums[i - 1];
    CHECK(difference(scan.outputs[0], sums) < 1e-5);

    const Ran conv = run_text(tests::gallery_texts().at("conv2d.te"));
    const std::vector<double> x = doubles(conv.inputs[0]), w = doubles(conv.inputs[1]);
    std::vector<double> y(32 * 28 * 28);
    for (int k = 0; k < 32; ++k)
        for (int c = 0; c < 32; ++c)
            for (int h = 0; h < 28; ++h)
                for (int q = 0; q < 28; ++q)
                    for (int r = std::max(0, 1 - h); r < std::min(3, 29 - h); ++r)
                        for (int s = std::max(0, 1 - q); s < std::min(3, 29 - q); ++s)
                            y[(k * 28 + h) * 28 + q] +=
                                x[(c * 28 + h + r - 1) * 28 + q + s - 1] * w[((k * 32 + c) * 3 + r) * 3 + s];
    CHECK(difference(conv.outputs[0], y) < 1e-5);
}

TEST_CASE("programs of one text are wired by name", "[session][scratch]") {
    const std::string text =
        "fn twice(x: f32[4]) -> (a: f32[4]) { for i in 4 { block twice(v = i in 4) { a[v] = 2.0 * x[v] } } }\n"
        "fn more(a: f32[4], x: f32[4]) -> (b: f32[4], c: f32[4]) {\n"
        "  for i in 4 { block more(v = i in 4) { b[v] = a[v] + x[v]\n c[v] = a[v] - x[v] } } }\n";
    const graph::Module module = scratch_module(text).value();
    CHECK(module.main->params.size() == 1);
    CHECK(module.outputs == std::vector<std::string>{"b", "c"});
    CHECK(module.sources->size() == 4);
    CHECK(module.sources->at(3).op_type == "line 3");
    const Ran ran = run_text(text);
    const std::vector<double> x = doubles(ran.inputs[0]);
    REQUIRE(ran.outputs.size() == 2);
    CHECK(ran.outputs[0].as_double(1) == Approx(3 * x[1]));
    CHECK(ran.outputs[1].as_double(1) == Approx(x[1]));
    // Two types under one name, and a result that is there already.
    const std::string one = "fn f(x: f32[4]) -> (y: f32[4]) { for i in 4 { y[i] = x[i] } }\n";
    for (const char* two : {"fn g(y: f32[5]) -> (z: f32[5]) { for i in 5 { z[i] = y[i] } }",
                            "fn g(x: f32[4]) -> (y: f32[4]) { for i in 4 { y[i] = x[i] } }",
                            "fn g(q: f32[4]) -> (x: f32[4]) { for i in 4 { x[i] = q[i] } }"}) {
        const Result<graph::Module> refused = scratch_module(one + two);
        REQUIRE_FALSE(refused.has_value());
        CHECK(refused.error().code == Code::BadShape);
        CHECK(std::get<TextPosition>(refused.error().locations.at(0)).line == 2);
    }
}

TEST_CASE("loops that are typed as parallel or vectors have to be so", "[session][scratch]") {
    const auto typed = [](const std::string& body) {
        return scratch_module("fn f(x: f32[64]) -> (y: f32[64]) {\n" + body + "\n}");
    };
    CHECK(typed("parallel i in 64 { y[i] = x[i] }").has_value());
    CHECK(typed("for o in 8 { vectorized i in 8 { block b(v = o * 8 + i in 64) { y[v] = x[v] * 2.0 } } }").has_value());
    for (const char* body :
         {"parallel i in 64 { y[0] = x[i] }", "vectorized i in 64 { y[i] = select(i > 0, y[max(i - 1, 0)], x[i]) }",
          "parallel i in 64 { block b(reduce v = i in 64) { y[0] = y[0] + x[v] } }"}) {
        INFO(body);
        const Result<graph::Module> refused = typed(body);
        REQUIRE_FALSE(refused.has_value());
        CHECK(refused.error().code == Code::IllegalSchedule);
        CHECK(std::get<TextPosition>(refused.error().locations.at(0)).line == 2);
        CHECK_FALSE(refused.error().hint.empty());
    }
    std::string many = "parallel i in 64 {";
    for (int k = 0; k < 300; ++k) many += " y[i] = y[i] + x[i]\n";
    CHECK(typed(many + "}").error().code == Code::LimitExceeded);
}

TEST_CASE("recipes keep their text, in files and on command lines", "[session][scratch]") {
    Recipe recipe = scratch_recipe(*shared_compiler(), tests::gallery_texts().at("softmax.te"));
    CHECK(recipe.passes.empty());
    CHECK(title_of(recipe) == "softmax");
    const Result<Recipe> back = from_json(to_json(recipe), compiler().backend());
    REQUIRE(back.has_value());
    CHECK(*back == recipe);
    Recipe fresh;
    fresh.target = recipe.target;
    const std::vector<std::string> words = words_of(recipe, fresh);
    REQUIRE(words.size() == 1);
    CHECK(words[0] == std::string(kScratchWord) + recipe.scratch);
    CHECK(is_scratch_file("a/b.te"));
    CHECK(is_scratch_file("b.tir"));
    CHECK_FALSE(is_scratch_file("te.onnx"));
    recipe.scratch = "y[] = 1.0";
    CHECK(title_of(recipe) == "scratchpad");
}

TEST_CASE("graph passes, the steps' check and bisection take a scratchpad too", "[session][scratch]") {
    Recipe recipe = scratch_recipe(*shared_compiler(), tests::gallery_texts().at("two_kernels.tir"));
    recipe.passes = transform::default_pipeline();
    const auto model = compiled(recipe);
    CHECK(model->functions.size() == 2);
    const Result<StepChecks> checks = check_steps(*shared_compiler(), recipe, {}, {}, {});
    if (!checks) FAIL(to_string(checks.error()));
    CHECK(checks->first_wrong < 0);
}

TEST_CASE("a session edits a text, keeps the last good views, undoes", "[session][scratch]") {
    const std::string good = "kernel k\nlet N = 64\ninput x: f32[N, N]\ny[i: N] = sum[k: N](x[i, k])\n";
    Session session(shared_compiler());
    session.open_recipe(scratch_recipe(*shared_compiler(), good));
    session.wait_idle();
    SnapshotPtr now = session.snapshot();
    REQUIRE(now->functions.size() == 1);
    CHECK(now->title == "k");
    const FunctionPtr first = now->functions[0];
    const std::string workload = to_string(first->lowered.workload);
    // A schedule belongs to what is computed, not to how it is written.
    session.edit("split", [&](Recipe& recipe) {
        recipe.schedules[workload] = schedule::parse_trace("split(y.k, [-1, 8])\n").value();
    });
    session.wait_idle();
    CHECK(session.snapshot()->functions[0]->trace.steps.size() == 1);
    const auto type = [&](const std::string& text) {
        session.edit("edit the text", [&](Recipe& recipe) { recipe.scratch = text; });
        session.wait_idle();
        now = session.snapshot();
    };
    type("# a comment\n" + good);
    REQUIRE(now->functions.size() == 1);
    CHECK(now->functions[0]->trace.steps.size() == 1);
    CHECK(now->problems.empty());
    const FunctionPtr scheduled = now->functions[0];
    type(good + "z[i: N] = y[i +");
    REQUIRE(now->problems.size() == 1);
    CHECK(now->problems[0].code == Code::BadText);
    CHECK(std::get<TextPosition>(now->problems[0].locations.at(0)).line == 5);
    REQUIRE(now->functions.size() == 1);
    CHECK(now->functions[0] == scheduled);
    type(good + "z[i: N] = y[i] + 1\n");
    CHECK(now->problems.empty());
    CHECK(now->functions[0]->trace_is_default);
    CHECK(now->history->entries.size() == 5);
    session.go_to(0);
    session.wait_idle();
    CHECK(session.snapshot()->recipe.scratch == good);
    CHECK(to_string(session.snapshot()->functions[0]->lowered.workload) == workload);
}

TEST_CASE("what is damaged and still a program compiles, runs and agrees", "[session][scratch][.nightly]") {
    constexpr int kRounds = 400;
    std::mt19937 random(7);
    const auto below = [&](std::size_t n) { return std::uniform_int_distribution<std::size_t>(0, n - 1)(random); };
    int agreed = 0;
    for (const auto& [name, text] : tests::gallery_texts())
        // Changed tensor IR may read what it never stores, which is undefined; an expression defines every element.
        for (int round = 0; round < (name.ends_with(".te") ? kRounds : 0); ++round) {
            // Digits and signs: what changes meaning without breaking the text.
            std::string changed = text;
            for (int edit = 0; edit < 2; ++edit) {
                const std::size_t at = below(changed.size());
                constexpr std::string_view kDigits = "0123456789+-*/%<>";
                if (kDigits.find(changed[at]) != std::string_view::npos) changed[at] = kDigits[below(kDigits.size())];
            }
            if (changed == text) continue;
            INFO(name << "\n" << changed);
            auto model = shared_compiler()->compile(scratch_recipe(*shared_compiler(), changed), {});
            if (!model) continue;
            double flops = 0;
            for (const FunctionPtr& function : (*model)->functions) flops += function->cost.flops;
            if (flops > 2e8) continue;
            const Result<CheckResult> check = session::check(**model, drawn_inputs(**model, 1).value(), 1e-3, {});
            if (!check) FAIL(to_string(check.error()));
            CHECK(check->first_wrong == -1);
            ++agreed;
        }
    CHECK(agreed > 100);
}
