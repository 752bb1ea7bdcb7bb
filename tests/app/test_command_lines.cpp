// The command line the window copies, given to a shell, does what the window did.

#include "backends/llvm/llvm_backend.hpp"
#include "core/graph/text.hpp"
#include "core/session/compiler.hpp"
#include "core/session/recipe_arguments.hpp"
#include "tests/app/shell.hpp"
#include "tests/gui/dynamic_models.hpp"

#include <catch2/catch.hpp>

#include <fstream>

using namespace orrery;
using namespace orrery::session;

namespace {

using Output = orrery::tests::Outcome;

/// What a shell prints for "orrery ...", with the program of this build.
Output run_in_shell(const std::string& line) {
    return tests::run_line(tests::orrery_line(line.substr(std::string("orrery ").size())) + " 2>&1");
}

Compiler& compiler() {
    static Compiler shared(make_llvm_backend(), {});
    return shared;
}

Recipe network(const std::string& name) {
    Recipe recipe = compiler().new_recipe({});
    recipe.builtin = name;
    return recipe;
}

/// The copied line prints exactly the graph that the recipe gives.
void require_same(const Recipe& recipe) {
    const std::string line = command_line(recipe, compiler().new_recipe({}), "show");
    INFO(line);
    const Steps steps = compiler().graph_steps(recipe, {}).value();
    REQUIRE_FALSE(steps.back()->error);
    const Output shown = run_in_shell(line);
    CHECK(shown.status == 0);
    CHECK(shown.text == graph::to_string(steps.back()->module));
}

} // namespace

TEST_CASE("copied command lines print the graph they were copied from", "[app][cli]") {
    Recipe recipe = network("lenet");
    require_same(recipe);
    recipe.passes = transform::default_pipeline(1);
    recipe.passes.back().options["max_depth"] = "2";
    require_same(recipe);
    recipe.passes.erase(recipe.passes.begin() + 1);
    recipe.passes.push_back({"DeadCode", {}, false});
    require_same(recipe);
    // Text edited by hand, with quotes and line ends in it.
    recipe = network("mlp");
    recipe.seed = 3;
    std::string text = graph::to_string(compiler().graph_steps(recipe, {}).value().front()->module);
    const std::size_t at = text.find("= relu(");
    REQUIRE(at != std::string::npos);
    text.replace(at, 7, "= tanh(");
    recipe.passes.insert(recipe.passes.begin(), {"HandEdit", {{"text", "# it's edited\n" + text}}, true});
    require_same(recipe);
}

TEST_CASE("wrong passes end with status 1 and what would be right", "[app][cli]") {
    for (const char* line :
         {"orrery show mlp --pass NoSuchPass", "orrery show mlp --without DeadCode#9",
          "orrery show mlp --pass-option FuseOps.no_such=1", "orrery show mlp --recipe /no/such/file",
          "orrery export mlp -o orrery_no_kind", "orrery show mlp --after NoSuchStep"}) {
        const Output out = run_in_shell(line);
        INFO(line << "\n" << out.text);
        CHECK(out.status == 1);
        CHECK(out.text.starts_with("orrery: "));
    }
}

TEST_CASE("tensor programs stand where models do", "[app][cli]") {
    const Output list = run_in_shell("orrery gallery");
    CHECK(list.status == 0);
    CHECK(list.text.find("prefix_sum") != std::string::npos);
    const Output text = run_in_shell("orrery gallery softmax");
    std::ofstream("orrery_test_typed.te") << text.text;
    for (const char* model :
         {"gallery:softmax", "orrery_test_typed.te", "'scratch:input x: f32[8] y[i: 8] = exp(x[i])'"})
        for (const char* verb : {"show", "show --at tensor", "show --at asm", "run", "check", "bench --runs 2",
                                 "dump --view loops", "dump --view edit", "provenance", "schedule --show tensor"}) {
            const Output out = run_in_shell("orrery " + std::string(verb) + " " + model);
            INFO(verb << " " << model << "\n" << out.text);
            CHECK(out.status == 0);
        }
    // A kernel of a network, taken into a scratchpad.
    const Output kernel = run_in_shell("orrery show mlp --at expressions --function layout_matmul_bias_add_relu");
    INFO(kernel.text);
    REQUIRE(kernel.status == 0);
    CHECK(kernel.text.starts_with("kernel layout_matmul_bias_add_relu\n"));
    std::ofstream("orrery_test_kernel.te") << kernel.text;
    CHECK(run_in_shell("orrery check orrery_test_kernel.te").status == 0);
    // What the window copies for a scratchpad.
    Recipe recipe = compiler().new_recipe({});
    recipe.passes.clear();
    recipe.scratch = "# it's \"typed\"\nlet N = 8\ninput x: f32[N]\ny[i: N] = x[i] * 2\n";
    require_same(recipe);
    for (const char* line : {"orrery run gallery:nothing", "orrery run no_such.te",
                             "orrery run 'scratch:y[i: 8] = x[i]'", "orrery gallery nothing"}) {
        const Output out = run_in_shell(line);
        INFO(line << "\n" << out.text);
        CHECK(out.status == 1);
        CHECK(out.text.starts_with("orrery: "));
    }
}

TEST_CASE("a schedule is given by its function's name, as text or as a file", "[app][cli]") {
    std::ofstream("orrery_test_trace.txt") << "# by hand\nsplit(tanh.w, [-1, 5])\nvectorize(tanh.w_i)\n";
    const std::string show = "orrery show lenet -O 2 --at tensor --function conv2d_bias_add_tanh_1 ";
    const Output file = run_in_shell(show + "--schedule conv2d_bias_add_tanh_1=@orrery_test_trace.txt");
    INFO(file.text);
    CHECK(file.status == 0);
    CHECK(file.text.find("vectorized w_i in 5") != std::string::npos);
    const Output text =
        run_in_shell(show + "--schedule 'conv2d_bias_add_tanh_1=split(tanh.w, [-1, 5])\nvectorize(tanh.w_i)'");
    CHECK(text.text == file.text);
    const Output unknown = run_in_shell(show + "--schedule 'nothing=split(tanh.w, [-1, 5])'");
    CHECK(unknown.status == 1);
    CHECK(unknown.text.find("conv2d_bias_add_tanh_1") != std::string::npos);
    // What cannot be applied is no schedule to be measured under; a view shows what it is of beside the problem.
    const std::string refused = " lenet -O 2 --schedule 'conv2d_bias_add_tanh_1=fuse([tanh.w, tanh.nothing])'";
    for (const char* command : {"orrery bench --runs 1", "orrery run", "orrery profile"}) {
        const Output no = run_in_shell(command + refused);
        INFO(command << ": " << no.text);
        CHECK(no.status == 1);
        CHECK(no.text.find("no loop named nothing") != std::string::npos);
    }
    CHECK(run_in_shell("orrery dump" + refused + " --view problems").text.find("nothing") != std::string::npos);
    std::remove("orrery_test_trace.txt");
}

TEST_CASE("bisect, check --steps and export work without a display", "[app][cli]") {
    const Output bisect = run_in_shell("orrery bisect mlp");
    CHECK(bisect.status == 0);
    CHECK(bisect.text.starts_with("after FuseOps"));
    const Output steps = run_in_shell("orrery check mlp --steps");
    CHECK(steps.status == 0);
    CHECK(steps.text.find("agrees") != std::string::npos);
    for (const char* kind : {"svg", "png", "dot", "csv"}) {
        const std::string file = std::string("orrery_test_export.") + kind;
        const Output out = run_in_shell("orrery export mlp --after import --overlay flops -o " + file);
        INFO(kind << "\n" << out.text);
        CHECK(out.status == 0);
        std::FILE* made = std::fopen(file.c_str(), "rb");
        REQUIRE(made != nullptr);
        std::fseek(made, 0, SEEK_END);
        CHECK(std::ftell(made) > 200);
        std::fclose(made);
        std::remove(file.c_str());
    }
}

TEST_CASE("what no file can hold is refused: shapes known late, regions of another backend", "[app][cli]") {
    const auto refused = [](const std::string& line, const char* file) {
        const Output out = run_in_shell(line + " -o " + file);
        INFO(line << "\n" << out.text);
        CHECK(out.status == 1);
        CHECK(out.text.starts_with("orrery: "));
        std::FILE* made = std::fopen(file, "rb");
        CHECK(made == nullptr);
        if (made != nullptr) std::fclose(made);
        return out.text;
    };
    for (const auto& [name, bytes] : {std::pair("orrery_test_any_batch.onnx", gui_test::any_batch()),
                                      {"orrery_test_branch_and_loop.onnx", gui_test::branch_and_loop()}}) {
        std::ofstream(name, std::ios::binary) << bytes;
        for (const char* file : {"orrery_test_refused.so", "orrery_test_refused.o", "orrery_test_refused.ll"})
            CHECK(refused(std::string("orrery compile ") + name, file).find("kernels are made") != std::string::npos);
    }
    // With its extents bound the same model is as good as any.
    const Output bound =
        run_in_shell("orrery compile orrery_test_any_batch.onnx --shape x=2,3,12 -o orrery_test_bound.so");
    INFO(bound.text);
    CHECK(bound.status == 0);
    if (run_in_shell("orrery show lenet --partition dnnl").status == 0)
        for (const char* file : {"orrery_test_refused.so", "orrery_test_refused.s"})
            CHECK(refused("orrery compile lenet --partition dnnl", file).find("dnnl") != std::string::npos);
    for (const char* file : {"orrery_test_any_batch.onnx", "orrery_test_branch_and_loop.onnx", "orrery_test_bound.so"})
        std::remove(file);
}
