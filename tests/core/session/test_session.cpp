#include "core/session/compiler.hpp"
#include "core/session/recipe.hpp"
#include "core/session/session.hpp"
#include "core/session/stage_cache.hpp"

#include "backends/llvm/llvm_backend.hpp"
#include "core/base/file.hpp"
#include "core/frontends/onnx/networks.hpp"
#include "core/graph/text.hpp"
#include "core/ops/ops.hpp"
#include "core/schedule/rules.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <atomic>
#include <thread>

using namespace orrery;
using namespace orrery::session;

namespace {

std::shared_ptr<Compiler> compiler_over(const std::filesystem::path& cache = {}) {
    Compiler::Options options;
    options.disk_cache = cache;
    return std::make_shared<Compiler>(make_llvm_backend(), options);
}

Recipe builtin(const Compiler& made, const std::string& network) {
    Recipe recipe = made.new_recipe({});
    recipe.builtin = network;
    return recipe;
}

/// A folder that is empty at first and gone at last.
struct Folder {
    std::filesystem::path path = std::filesystem::temp_directory_path() / "orrery_test_session";
    Folder() { std::filesystem::remove_all(path), std::filesystem::create_directories(path); }
    ~Folder() { std::filesystem::remove_all(path); }
};

} // namespace

TEST_CASE("recipes read back equal", "[session][recipe]") {
    const auto made = compiler_over();
    Recipe recipe = builtin(*made, "lenet");
    recipe.seed = 3;
    recipe.shapes["input"] = {2, 1, 28, 28};
    recipe.passes[0].enabled = false;
    recipe.passes[1].options["fold_conv"] = "false";
    recipe.schedules[std::string(32, 'a')] =
        schedule::parse_trace("split(conv.c, [-1, 4])\nunroll(conv.c_i)\n").value();
    recipe.build.contract = false;
    recipe.threads = 1;
    const Result<Recipe> back = from_json(to_json(recipe), made->backend());
    REQUIRE(back.has_value());
    REQUIRE(*back == recipe);
    REQUIRE(to_json(*back) == to_json(recipe));
}

TEST_CASE("a model file that is written over is read again, one that is not is not", "[session]") {
    const Folder folder;
    const std::filesystem::path path = folder.path / "m.onnx";
    const auto write = [&](std::uint64_t seed) {
        REQUIRE(write_file(path, onnx::build_network("lenet", seed).value()).has_value());
    };
    const auto made = compiler_over();
    const Recipe recipe = made->new_recipe(path);
    const auto import = [&] { return made->graph_steps(recipe, {}).value().front(); };
    write(1);
    const auto first = import();
    CHECK(import() == first);
    write(2); // of the same size, at once
    const auto second = import();
    REQUIRE(second != first);
    CHECK_FALSE(graph::structural_equal(first->module, second->module));
    write(1);
    CHECK(import() == first); // by its content
    std::filesystem::remove(path);
    CHECK(made->graph_steps(recipe, {}).error().code == Code::FileMissing);
}

TEST_CASE("a wrong recipe is refused with its key", "[session][recipe]") {
    const auto made = compiler_over();
    const Backend& backend = made->backend();
    const auto code = [&](const char* text) { return from_json(text, backend).error().code; };
    REQUIRE(code("[1]") == Code::BadRecipe);
    REQUIRE(code("{") == Code::BadRecipe);
    REQUIRE(code("{}") == Code::BadRecipe);
    REQUIRE(code(R"({"orrery_recipe": 99})") == Code::BadRecipe);
    REQUIRE(code(R"({"orrery_recipe": 1, "model": 3})") == Code::BadRecipe);
    REQUIRE(code(R"({"orrery_recipe": 1, "passes": [{"name": "NoSuchPass"}]})") == Code::BadRecipe);
    REQUIRE(code(R"({"orrery_recipe": 1, "schedules": {"xyz": ""}})") == Code::BadRecipe);
    REQUIRE(code(R"({"orrery_recipe": 1, "rule": "fast"})") == Code::BadRecipe);
    REQUIRE(code(R"({"orrery_recipe": 1, "build": {"opt_level": 9}})") == Code::BadRecipe);
    REQUIRE(code(R"({"orrery_recipe": 1, "target": "llvm -mcpu=abacus"})") == Code::NoTarget);
    REQUIRE(from_json(R"({"orrery_recipe": 1})", backend).value().target == backend.host());
}

TEST_CASE("recipe files find their model beside them", "[session][recipe]") {
    const Folder folder;
    const auto made = compiler_over();
    Recipe recipe = made->new_recipe("net.onnx");
    REQUIRE(save_recipe(recipe, folder.path / "one.json").has_value());
    REQUIRE(load_recipe(folder.path / "one.json", made->backend()).value().model == folder.path / "net.onnx");
    REQUIRE(load_recipe(folder.path / "none.json", made->backend()).error().code == Code::FileMissing);
}

TEST_CASE("equal work is computed once, cancelled waiters leave, errors are not kept", "[session][cache]") {
    StageCache cache(1 << 20);
    const Hash key{1, 2};
    std::atomic<int> made{0};
    const std::function<Result<StageCache::Made<int>>()> make = [&]() -> Result<StageCache::Made<int>> {
        ++made;
        return StageCache::Made<int>{std::make_shared<int>(7), 8};
    };
    {
        std::vector<std::jthread> threads;
        for (int t = 0; t < 8; ++t) threads.emplace_back([&] { (void)cache.get<int>(key, {}, make); });
    }
    REQUIRE(made == 1);
    const std::function<Result<StageCache::Made<int>>()> refuse = []() -> Result<StageCache::Made<int>> {
        return Diagnostic{Code::BadShape, "no", {}, {}};
    };
    REQUIRE(cache.get<int>({3, 4}, {}, refuse).error().code == Code::BadShape);
    REQUIRE(*cache.get<int>({3, 4}, {}, make).value() == 7);
    std::stop_source stop;
    stop.request_stop();
    REQUIRE(cache.get<int>({5, 6}, {stop.get_token(), {}}, make).error().code == Code::Cancelled);
    // The limit drops what was used least recently.
    StageCache small(10);
    (void)small.get<int>({1, 1}, {}, make);
    (void)small.get<int>({2, 2}, {}, make);
    made = 0;
    (void)small.get<int>({2, 2}, {}, make);
    REQUIRE(made == 0);
    (void)small.get<int>({1, 1}, {}, make);
    REQUIRE(made == 1);
}

TEST_CASE("a network compiles, runs, agrees with the interpreter, whatever the threads", "[session][compiler]") {
    const auto made = compiler_over();
    const Recipe recipe = builtin(*made, "lenet");
    const auto model = made->compile(recipe, {});
    if (!model) FAIL(to_string(model.error()));
    const std::vector<NDArray> inputs = seeded_inputs((*model)->executable->plan, 1);
    const auto one = run(**model, inputs, 1, {}), two = run(**model, inputs, 2, {});
    REQUIRE(one.has_value());
    REQUIRE(compare(two->outputs[0], one->outputs[0]).max_abs == 0);
    REQUIRE(one->steps.size() == (*model)->model.calls.size());
    const auto checked = check(**model, inputs, 1e-4, {});
    REQUIRE(checked.has_value());
    REQUIRE(checked->first_wrong == -1);
    REQUIRE(checked->rows.size() == (*model)->model.calls.size());
    // Plain loop nests give the same numbers.
    Recipe plain = recipe;
    plain.rule = ScheduleRule::None;
    const auto slow = made->compile(plain, {});
    REQUIRE(compare(run(**slow, inputs, 1, {})->outputs[0], one->outputs[0]).max_rel < 1e-5);
    REQUIRE(run(**model, {}, 1, {}).error().code == Code::BadArgument);
    const std::vector<NDArray> wrong{NDArray::zeros(DType::F32, {1})};
    REQUIRE(run(**model, wrong, 1, {}).error().code == Code::BadShape);
}

TEST_CASE("a target of another backend is refused", "[session][compiler]") {
    const auto made = compiler_over();
    Recipe recipe = builtin(*made, "mlp");
    recipe.target.backend = "abacus";
    REQUIRE(made->compile(recipe, {}).error().code == Code::NoTarget);
}

TEST_CASE("a planted wrong kernel is found and named", "[session][check]") {
    const auto made = compiler_over();
    const auto good = made->compile(builtin(*made, "mlp"), {});
    CompiledModel bad = **good;
    auto executable = std::make_shared<runtime::Executable>(*bad.executable);
    const std::size_t wrong = bad.model.calls[1].function;
    executable->kernels[wrong] = [](void* const*, orrery_context*) {};
    bad.executable = executable;
    const auto checked = check(bad, seeded_inputs(executable->plan, 1), 1e-4, {});
    REQUIRE(checked->first_wrong == 1);
    REQUIRE(checked->rows[1].function == bad.model.functions[wrong].name);
}

TEST_CASE("an edit to one schedule rebuilds one function", "[session][cache]") {
    const auto made = compiler_over();
    Recipe recipe = builtin(*made, "lenet");
    const auto before = made->compile(recipe, {});
    const FunctionPtr first = (*before)->functions.front();
    recipe.schedules[to_string(first->lowered.workload)] = {};
    const auto after = made->compile(recipe, {});
    std::size_t same = 0;
    for (std::size_t f = 0; f < (*before)->functions.size(); ++f)
        same += (*after)->functions[f] == (*before)->functions[f] ? 1 : 0;
    REQUIRE(same + 1 == (*before)->functions.size());
}

TEST_CASE("kernels on disk are found again, damaged ones made again", "[session][kernel_cache]") {
    const Folder folder;
    const auto first = compiler_over(folder.path);
    REQUIRE(first->compile(builtin(*first, "mlp"), {}).value()->functions_from_cache == 0);
    const auto second = compiler_over(folder.path);
    const auto again = second->compile(builtin(*second, "mlp"), {});
    REQUIRE((*again)->functions_from_cache == (*again)->functions.size());
    for (const auto& entry : std::filesystem::recursive_directory_iterator(folder.path)) {
        if (!entry.is_regular_file()) continue;
        std::string content = read_file(entry.path()).value();
        content.back() = static_cast<char>(content.back() ^ 1);
        REQUIRE(write_file(entry.path(), content).has_value());
    }
    const auto third = compiler_over(folder.path);
    REQUIRE(third->compile(builtin(*third, "mlp"), {}).value()->functions_from_cache == 0);
}

TEST_CASE("a session edits, undoes, runs, and keeps its recipe when something fails", "[session]") {
    Session session(compiler_over());
    std::atomic<int> pictures{0};
    session.set_listener([&](SnapshotPtr) { ++pictures; });
    session.open_builtin("lenet");
    session.wait_idle();
    SnapshotPtr now = session.snapshot();
    REQUIRE(now->compiled != nullptr);
    REQUIRE(now->problems.empty());
    REQUIRE(pictures > 3);
    const std::size_t kernels = now->functions.size();

    session.edit("switch off FuseOps' fusion", [](Recipe& recipe) { recipe.passes.back().options["fuse"] = "false"; });
    session.wait_idle();
    REQUIRE(session.snapshot()->functions.size() > kernels);
    REQUIRE(session.snapshot()->undo_label == "switch off FuseOps' fusion");
    session.undo();
    session.wait_idle();
    REQUIRE(session.snapshot()->functions.size() == kernels);
    session.redo();
    session.wait_idle();
    REQUIRE(session.snapshot()->functions.size() > kernels);
    session.undo();

    session.want_code(now->functions.front()->lowered.name);
    session.run();
    session.check();
    session.wait_idle();
    now = session.snapshot();
    REQUIRE(now->run != nullptr);
    REQUIRE(now->check->first_wrong == -1);
    REQUIRE(now->code.size() == 1);
    for (const ListingLine& line : now->code.begin()->second->assembly.lines) REQUIRE(line.tensor_line >= 0);

    // Without fusion nothing can be lowered: the step is red, the recipe stays.
    session.edit("switch off FuseOps", [](Recipe& recipe) { recipe.passes.back().enabled = false; });
    session.wait_idle();
    REQUIRE_FALSE(session.snapshot()->problems.empty());
    REQUIRE_FALSE(session.recipe().passes.back().enabled);
    session.undo();
    session.wait_idle();
    REQUIRE(session.snapshot()->problems.empty());

    session.open("no such file.onnx");
    session.wait_idle();
    REQUIRE(session.snapshot()->problems.at(0).code == Code::FileMissing);
    session.close();
    REQUIRE_FALSE(session.snapshot()->has_model());
}

TEST_CASE("a session ends after every one of its jobs, also one that was replaced", "[session]") {
    // What the job's thread still does with its job is seen by the sanitizers.
    std::atomic<bool> told{false}, ending{false};
    auto listens = std::make_shared<int>();
    auto session = std::make_unique<Session>(compiler_over());
    session->set_listener([&, listens, commands = std::this_thread::get_id()](const SnapshotPtr&) {
        if (std::this_thread::get_id() == commands) return;
        told = true, told.notify_all();
        ending.wait(false);
    });
    session->open_builtin("mlp");
    told.wait(false); // the job is under way, and stays so
    session->open_builtin("lenet");
    ending = true, ending.notify_all();
    session.reset();
    REQUIRE(listens.use_count() == 1);
}

TEST_CASE("newer edits replace older ones, cancelling leaves a session usable", "[session]") {
    Session session(compiler_over());
    session.open_builtin("resnet18");
    // The history grows and shrinks while the jobs of older edits still tell of it in their pictures.
    for (int round = 0; round < 5; ++round) {
        for (int i = 0; i < 12; ++i)
            session.edit("edit " + std::to_string(i), [&](Recipe& recipe) { recipe.threads = 12 * round + i + 1; });
        for (int i = 0; i < 8; ++i) session.undo();
        for (int i = 0; i < 3; ++i) session.redo();
    }
    session.cancel();
    session.wait_idle();
    session.open_builtin("mlp");
    session.wait_idle();
    REQUIRE(session.snapshot()->compiled != nullptr);
    REQUIRE(session.snapshot()->title == "mlp");
    REQUIRE(session.snapshot()->jobs.empty());
}

namespace {

/// A depthwise convolution and one of single places after it.
struct Pair {
    int batch, channels, filters, size, stride, kernel;
    [[nodiscard]] std::string text() const {
        const auto n = [](int value) { return std::to_string(value); };
        const std::string pad = n(kernel / 2), pads = pad + ", " + pad + ", " + pad + ", " + pad, step = n(stride),
                          out = n((size - 1) / stride + 1),
                          result = "f32[" + n(batch) + "," + n(filters) + "," + out + "," + out + "]";
        return "outputs [\"y\"];\nfn main(x: f32[" + n(batch) + "," + n(channels) + "," + n(size) + "," + n(size) +
               "], w: f32[" + n(channels) + ",1," + n(kernel) + "," + n(kernel) + "], v: f32[" + n(filters) + "," +
               n(channels) + ",1,1], z: " + result + ") -> " + result + " {\n  c = conv2d(x, w) {pads=[" + pads +
               "], groups=" + n(channels) + ", strides=[" + step + ", " + step +
               "]};\n  r = relu(c);\n  p = conv2d(r, v);\n  y = add(p, z);\n  return y;\n}\n";
    }
};

} // namespace

TEST_CASE("a pair of convolutions in one kernel agrees with the interpreter, whatever the threads",
          "[session][compiler][pairs]") {
    const auto made = compiler_over();
    // Rows of 48 and 24 places are whole groups of six, of 28 of 14, whatever the registers.
    for (const Pair& pair :
         {Pair{1, 32, 48, 48, 1, 3}, Pair{2, 16, 32, 48, 2, 3}, Pair{1, 64, 16, 28, 1, 5}, Pair{1, 48, 24, 24, 1, 3}}) {
        INFO(pair.text());
        const Result<graph::Module> module = graph::parse_module(pair.text(), ops::registry(), {});
        if (!module) FAIL(to_string(module.error()));
        Recipe recipe = made->new_recipe({});
        recipe.rule = ScheduleRule::Rules;
        const auto model = made->compile_module(recipe, *module, {});
        if (!model) FAIL(to_string(model.error()));
        const auto joined = std::ranges::count_if((*model)->functions, [](const FunctionPtr& function) {
            const std::string& name = function->lowered.name;
            return name.find("conv2d") != name.rfind("conv2d");
        });
        if (pair.size != 28 || recipe.target.vector_bits >= 512) CHECK(joined == 1);
        const std::vector<NDArray> inputs = seeded_inputs((*model)->executable->plan, 1);
        const auto one = run(**model, inputs, 1, {}), two = run(**model, inputs, 2, {});
        REQUIRE(one.has_value());
        CHECK(compare(two->outputs[0], one->outputs[0]).max_abs == 0);
        const auto checked = check(**model, inputs, 1e-5, {});
        REQUIRE(checked.has_value());
        CHECK(checked->first_wrong == -1);
        // Apart, they give the same numbers.
        for (transform::PassStep& step : recipe.passes)
            if (step.name == "FuseOps") step.options["piece_bytes"] = "0";
        const auto apart = made->compile_module(recipe, *module, {});
        REQUIRE(apart.has_value());
        CHECK((*apart)->functions.size() > (*model)->functions.size());
        CHECK(compare(run(**apart, inputs, 1, {})->outputs[0], one->outputs[0]).max_rel < 1e-5);
    }
}
