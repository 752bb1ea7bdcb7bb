// Networks in bf16 whose products are made of tiles: as code for a processor with AMX, and as loops on this machine.

#include "core/transform/passes.hpp"
#include "tests/portable/programs.hpp"

#include <algorithm>

using namespace orrery;
using namespace orrery::portable;

namespace {

/// Convolutions of one place, of a border, with steps, and of an image whose rows fill no tile evenly, a residual sum,
/// and a product, all with 32 channels or more.
std::string tiled_network() {
    return "outputs [\"y\"];\nfn main(x: f32[2,32,14,14], z: f32[20,64]) {\n" + weight("k1", {32, 32, 1, 1}) +
           "  a = conv2d(x, k1);\n  b = relu(a);\n" + weight("k2", {64, 32, 3, 3}) +
           "  c = conv2d(b, k2) {pads=[1, 1, 1, 1]};\n  d = relu(c);\n" + weight("k3", {64, 64, 3, 3}) +
           "  e = conv2d(d, k3) {pads=[1, 1, 1, 1], strides=[2, 2]};\n" + weight("k4", {64, 64, 1, 1}) +
           "  f = conv2d(e, k4);\n  g = add(f, e);\n" + weight("k6", {64, 64, 2, 2}) +
           "  o = conv2d(g, k6);\n  h = reduce_mean(o) {axes=[0, 2, 3]};\n"
           "  i = reshape(h) {shape=[1, 64]};\n  j = add(z, i);\n" +
           weight("k5", {64, 96}) + "  y = matmul(j, k5);\n  return y;\n}\n";
}

session::Recipe recipe_for(const Target& target, bool narrow) {
    session::Recipe recipe = compiler().new_recipe({});
    recipe.target = target;
    if (narrow) recipe.passes = transform::in_bf16(std::move(recipe.passes));
    return recipe;
}

Model model_of(const session::Recipe& recipe) { return compiled_text(recipe, tiled_network()); }

/// This machine's, with products of tiles: as loops where it has none.
Target with_tiles(int threads) {
    Target target = compiler().backend().host();
    target.bf16_tiles = true;
    target.cores = threads;
    return target;
}

std::size_t count(const std::vector<ListingLine>& lines, std::string_view instruction) {
    return static_cast<std::size_t>(std::ranges::count_if(lines, [&](const ListingLine& line) {
        const std::size_t at = line.text.find_first_not_of(" \t");
        return at != std::string::npos && std::string_view(line.text).substr(at).starts_with(instruction);
    }));
}

} // namespace

TEST_CASE("products in bf16 are products of tiles on a processor with AMX", "[portable][tiles]") {
    const Target target =
        compiler().backend().read_target("llvm -mtriple=x86_64-linux-gnu -mcpu=sapphirerapids -threads=2").value();
    const session::Recipe recipe = recipe_for(target, true);
    const Model model = model_of(recipe);
    std::size_t products = 0;
    for (const session::FunctionPtr& function : model->functions) {
        const auto code = compiler().code(recipe, function);
        REQUIRE(code.has_value());
        const std::vector<ListingLine>& lines = (*code)->assembly.lines;
        if (count(lines, "tdpbf16ps") == 0) continue;
        INFO(function->lowered.name);
        ++products;
        // Two by two, and of their registers each is filled once around the loop: sums are not read in it.
        CHECK(count(lines, "tdpbf16ps") == 4);
        CHECK(count(lines, "tileloadd") == 4);
        CHECK(count(lines, "tilezero") == 4);
        CHECK(count(lines, "tilestored") == 4);
        CHECK(count(lines, "ldtilecfg") == 1);
        CHECK(count(lines, "tilerelease") == 1);
    }
    CHECK(products == 6);
}

TEST_CASE("products of tiles compute what their loops do, whatever the threads", "[portable][tiles]") {
    constexpr double kUnit = 0x1p-7; // of bf16
    for (const int threads : {1, 2}) {
        INFO(threads << " threads");
        const session::Recipe recipe = recipe_for(with_tiles(threads), true);
        const Model model = model_of(recipe);
        const std::vector<NDArray> inputs = session::seeded_inputs(model->executable->plan, 1);
        const auto checked = session::check(*model, inputs, kUnit, {});
        REQUIRE(checked.has_value());
        CHECK(checked->first_wrong == -1);
        const auto narrow = session::run(*model, inputs, threads, {});
        const auto wide = session::run(*model_of(recipe_for(compiler().backend().host(), false)), inputs, threads, {});
        REQUIRE(narrow.has_value());
        REQUIRE(wide.has_value());
        const Difference off = compare(narrow->outputs[0], wide->outputs[0]);
        CHECK(off.max_rel < 0.05); // roundings to bf16 of four layers
        CHECK(off.max_rel > 0);
    }
}
