// How much of generated code leads back to the model, and what the processor's model predicts for a kernel.

#include "backends/llvm/llvm_backend.hpp"
#include "core/session/prediction.hpp"
#include "core/session/provenance.hpp"
#include "tests/core/session/compiler.hpp"

#include <catch2/catch.hpp>

#include <algorithm>

using namespace orrery;
using namespace orrery::session;

namespace {

/// A processor whose model is known, so that predictions do not depend on the machine at hand.
Recipe recipe_of(const std::string& network) {
    Recipe recipe = compiler().new_recipe({});
    recipe.builtin = network;
    recipe.target.triple = "x86_64-unknown-linux-gnu";
    recipe.target.cpu = "znver4";
    recipe.target.features.clear();
    recipe.target.vector_bits = 512;
    recipe.target.vector_registers = 32;
    return recipe;
}

std::vector<FunctionPtr> functions_of(const Recipe& recipe) {
    const Steps steps = compiler().graph_steps(recipe, {}).value();
    return compiler().functions(recipe, steps.back()->module, {}).value().functions;
}

} // namespace

TEST_CASE("kernels of built-in networks lead back to the model", "[session][provenance]") {
    for (const char* network : {"lenet", "lstm", "mobilenet_v2"}) {
        CAPTURE(network);
        const Recipe recipe = recipe_of(network);
        const Provenance found = provenance(compiler(), recipe, functions_of(recipe), {}).value();
        CHECK(found.regions == 0);
        CHECK(found.tensor.lines > 50);
        CHECK(found.ir.lines > found.tensor.lines);
        CHECK(found.assembly.lines > found.tensor.lines);
        CHECK(found.tensor.share() >= 0.95);
        CHECK(found.ir.share() >= 0.90);
        CHECK(found.assembly.share() >= 0.85);
    }
}

TEST_CASE("sums are those of the rows", "[session][provenance]") {
    const Recipe recipe = recipe_of("mlp");
    const Provenance found = provenance(compiler(), recipe, functions_of(recipe), {}).value();
    LinkedLines tensor, ir, assembly;
    for (const Provenance::Row& row : found.rows) {
        tensor += row.tensor;
        ir += row.ir;
        assembly += row.assembly;
    }
    CHECK(tensor.lines == found.tensor.lines);
    CHECK(ir.linked == found.ir.linked);
    CHECK(assembly.lines == found.assembly.lines);
}

TEST_CASE("a cancelled count stops", "[session][provenance]") {
    const Recipe recipe = recipe_of("mlp");
    const auto functions = functions_of(recipe);
    std::stop_source stop;
    stop.request_stop();
    const Progress progress{stop.get_token(), {}};
    const auto found = provenance(compiler(), recipe, functions, progress);
    REQUIRE_FALSE(found.has_value());
    CHECK(found.error().code == Code::Cancelled);
}

TEST_CASE("the hot loop of a convolution is the one that multiplies", "[session][provenance]") {
    const Recipe recipe = recipe_of("lenet");
    for (const FunctionPtr& function : functions_of(recipe)) {
        if (!function->lowered.name.starts_with("conv2d")) continue;
        const auto code = compiler().code(recipe, function).value();
        REQUIRE(code->cost.unknown.empty());
        const Prediction prediction = predict(*function, *code);
        REQUIRE(prediction.hot >= 0);
        const PredictedLoop& hot = prediction.loops[static_cast<std::size_t>(prediction.hot)];
        const LoopCost& loop = code->cost.loops[hot.loop];
        CHECK(std::any_of(code->assembly.lines.begin() + static_cast<std::ptrdiff_t>(loop.first),
                          code->assembly.lines.begin() + static_cast<std::ptrdiff_t>(loop.last),
                          [](const ListingLine& line) { return line.text.find("vfmadd") != std::string::npos; }));
        double shares = 0;
        for (const PredictedLoop& row : prediction.loops) {
            shares += row.share;
            CHECK(row.cycles <= hot.cycles);
        }
        CHECK(shares == Approx(1));
        // Each iteration's multiplications, at most 16 lanes of two operations, add up to the kernel's work.
        CHECK(hot.iterations * loop.instructions * 32 >= function->cost.flops / 2);
        return;
    }
    FAIL("lenet has no convolution");
}
