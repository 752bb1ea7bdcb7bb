// Networks in f16 whose products are made and added up in f16: as code for a processor with AVX512-FP16, and on this
// machine, whether it has such arithmetic or not.

#include "core/transform/passes.hpp"
#include "tests/portable/emulator.hpp"
#include "tests/portable/loops.hpp"

using namespace orrery;
using namespace orrery::portable;

namespace {

/// Convolutions of three channels, of one place, of a border, depthwise, to channels that fill three quarters of a
/// register, of an image whose places fill no tile evenly, a residual sum, and products of many rows and of one.
std::string half_network() {
    return "outputs [\"y\", \"v\"];\nfn main(x: f32[1,3,26,26], z: f32[20,256]) {\n" + weight("k0", {64, 3, 3, 3}) +
           "  p = conv2d(x, k0) {pads=[1, 1, 1, 1], strides=[2, 2]};\n  q = relu(p);\n" + weight("k1", {64, 64, 1, 1}) +
           "  a = conv2d(q, k1);\n  b = relu(a);\n" + weight("k2", {64, 64, 3, 3}) +
           "  c = conv2d(b, k2) {pads=[1, 1, 1, 1]};\n  d = add(c, q);\n" + weight("k3", {64, 1, 3, 3}) +
           "  e = conv2d(d, k3) {groups=64, pads=[1, 1, 1, 1], strides=[2, 2]};\n  f = relu(e);\n" +
           weight("k4", {24, 64, 1, 1}) + "  g = conv2d(f, k4);\n" + weight("k5", {256, 24, 1, 1}) +
           "  h = conv2d(g, k5);\n  i = reduce_mean(h) {axes=[2, 3], keepdims=false};\n" + weight("k6", {256, 128}) +
           "  y = matmul(i, k6);\n  u = add(z, i);\n" + weight("k7", {256, 192}) +
           "  v = matmul(u, k7);\n  t = (y, v);\n  return t;\n}\n";
}

session::Recipe half_recipe(const Target& target, std::vector<transform::PassStep> passes) {
    session::Recipe recipe = compiler().new_recipe({});
    recipe.target = target;
    recipe.passes = std::move(passes);
    return recipe;
}

/// `winograd`: with fewer products where that is possible; without it as many as there are.
std::vector<transform::PassStep> passes_in_f16(bool winograd) {
    std::vector<transform::PassStep> passes = transform::in_f16(transform::default_pipeline());
    for (transform::PassStep& step : passes)
        if (step.name == "Winograd") step.options["tile"] = winograd ? "2" : "0";
    return passes;
}

Model half_model(const session::Recipe& recipe) { return compiled_text(recipe, half_network()); }

Target half_host(bool computes, int threads) {
    Target target = compiler().backend().host();
    target.f16_arithmetic = target.f16_arithmetic && computes;
    target.cores = threads;
    return target;
}

} // namespace

TEST_CASE("products in f16 are whole vectors of 32 in registers on a processor with AVX512-FP16", "[portable][half]") {
    Machine machine = kAvx512;
    machine.multiply = "vfmadd231ph";
    for (const bool winograd : {false, true}) {
        const session::Recipe recipe = half_recipe(target_of(machine), passes_in_f16(winograd));
        const Model model = half_model(recipe);
        int products = 0, tiles = 0; // loops of them, and those with sums enough to hide how long one takes
        for (const session::FunctionPtr& function : model->functions) {
            const Loop loop = busiest_loop(function, recipe, machine);
            INFO(function->lowered.name << "\n" << text_of(loop));
            CHECK(loop.stored_on_stack == 0);
            if (loop.multiplications == 0) continue;
            CHECK(loop.narrower == 0);
            // Nothing is widened or rounded between products.
            for (const std::string& line : loop.lines) CHECK(line.find("vcvt") == std::string::npos);
            ++products;
            tiles += loop.multiplications >= 8 ? 1 : 0;
        }
        CHECK(products >= 7);
        CHECK(tiles >= 5);
    }
}

TEST_CASE("in f16 a processor computes what the interpreter does, whatever the threads", "[portable][half]") {
    const Model exact = half_model(half_recipe(compiler().backend().host(), transform::default_pipeline()));
    const std::vector<NDArray> inputs = session::seeded_inputs(exact->executable->plan, 1);
    const auto wide = session::run(*exact, inputs, 1, {});
    REQUIRE(wide.has_value());
    struct Way {
        bool computes, winograd;
    };
    for (const Way way : {Way{true, false}, Way{true, true}, Way{false, true}}) {
        std::vector<NDArray> first;
        for (const int threads : {1, 2}) {
            INFO("f16: " << way.computes << ", Winograd: " << way.winograd << ", " << threads << " threads");
            const Model model = half_model(half_recipe(half_host(way.computes, threads), passes_in_f16(way.winograd)));
            const auto checked = session::check(*model, inputs, 0x1p-10, {});
            REQUIRE(checked.has_value());
            CHECK(checked->first_wrong == -1);
            const auto narrow = session::run(*model, inputs, threads, {});
            REQUIRE(narrow.has_value());
            for (std::size_t i = 0; i < wide->outputs.size(); ++i) {
                const Difference off = compare(narrow->outputs[i], wide->outputs[i]);
                CHECK(off.max_rel < 0.01);
                CHECK(off.max_rel > 0);
                if (threads > 1) CHECK(compare(narrow->outputs[i], first[i]).max_abs == 0);
            }
            first = narrow->outputs;
        }
    }
}

TEST_CASE("an Arm processor with arithmetic in f16 computes in it, too", "[portable][half][emulated]") {
    Machine machine = kNeon;
    machine.name = "NEON with FEAT_FP16";
    machine.emulator = "qemu-aarch64 -cpu max";
    if (const std::string missing = missing_for(machine); !missing.empty()) {
        WARN("no code for " << machine.name << " is run here: there is no " << missing);
        return;
    }
    const Target target = compiler().backend().read_target("llvm -mtriple=aarch64-linux-gnu -mcpu=neoverse-n1").value();
    REQUIRE(target.f16_arithmetic);
    const session::Recipe recipe = half_recipe(target, passes_in_f16(true));
    const Model model = half_model(recipe);
    const auto inputs = session::drawn_inputs(*model, 1);
    REQUIRE(inputs.has_value());
    const Model exact = half_model(half_recipe(compiler().backend().host(), transform::default_pipeline()));
    const auto wide = session::run(*exact, *inputs, 1, {});
    REQUIRE(wide.has_value());
    const Result<EmulatedRun> done = emulate(*model, *inputs, machine);
    if (!done) FAIL(to_string(done.error()));
    for (std::size_t i = 0; i < wide->outputs.size(); ++i)
        CHECK(compare(done->outputs[i], wide->outputs[i]).max_rel < 0.01);
    // Sums of eight f16 at once.
    std::size_t products = 0;
    for (const session::FunctionPtr& function : model->functions) {
        const auto code = compiler().code(recipe, function);
        REQUIRE(code.has_value());
        for (const ListingLine& line : (*code)->assembly.lines)
            products += line.text.find("fmla") != std::string::npos && line.text.find(".8h") != std::string::npos;
    }
    CHECK(products > 100);
}
