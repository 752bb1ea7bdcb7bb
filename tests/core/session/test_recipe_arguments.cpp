// What the window does to a recipe can be written as a command line, and reads back.

#include "backends/llvm/llvm_backend.hpp"
#include "core/base/file.hpp"
#include "core/graph/text.hpp"
#include "core/session/compiler.hpp"
#include "core/session/recipe_arguments.hpp"
#include "core/session/session.hpp"
#include "tests/core/session/compiler.hpp"

#include <catch2/catch.hpp>

#include <random>

using namespace orrery;
using namespace orrery::session;

namespace {

Recipe network(const std::string& name) {
    Recipe recipe = shared_compiler()->new_recipe({});
    recipe.builtin = name;
    return recipe;
}

/// The words sorted into arguments as the command line does.
RecipeArguments parsed(const std::vector<std::string>& words, Recipe& recipe) {
    RecipeArguments a;
    for (std::size_t i = 1; i < words.size(); ++i) {
        const std::string& word = words[i];
        if (word == "--no-contract") {
            a.no_contract = true;
        } else if (word == "--bounds-checks") {
            a.bounds_checks = true;
        } else {
            REQUIRE(i + 1 < words.size());
            const std::string& value = words[++i];
            if (word == "-O")
                a.level = std::stoi(value);
            else if (word == "--pass")
                a.passes.push_back(value);
            else if (word == "--without")
                a.without.push_back(value);
            else if (word == "--pass-option")
                a.options.push_back(value);
            else if (word == "--schedule")
                a.schedules.push_back(value);
            else if (word == "--codegen-level")
                a.codegen_level = std::stoi(value);
            else if (word == "--threads")
                recipe.threads = std::stoi(value);
            else if (word == "--seed")
                recipe.seed = std::stoull(value);
            else if (word == "--rule")
                recipe.rule = value == "none" ? ScheduleRule::None : ScheduleRule::Default;
            else
                FAIL("unexpected " << word);
        }
    }
    return a;
}

/// One random action of a user of the pass strip.
void random_edit(Recipe& recipe, std::mt19937& random) {
    const auto pick = [&](std::size_t count) { return random() % count; };
    std::vector<transform::PassStep>& passes = recipe.passes;
    const auto& table = transform::passes();
    switch (passes.empty() ? 0 : pick(7)) {
    case 0:
    case 1: {
        const std::string& name = table[pick(table.size())].name;
        passes.insert(passes.begin() + static_cast<std::ptrdiff_t>(pick(passes.size() + 1)), {name, {}, true});
        break;
    }
    case 2: passes.erase(passes.begin() + static_cast<std::ptrdiff_t>(pick(passes.size()))); break;
    case 3: std::swap(passes[pick(passes.size())], passes[pick(passes.size())]); break;
    case 4: {
        transform::PassStep& step = passes[pick(passes.size())];
        step.enabled = !step.enabled;
        break;
    }
    case 5: {
        transform::PassStep& step = passes[pick(passes.size())];
        const auto& options = transform::find_pass(step.name)->options;
        const char* const values[] = {"1", "false", "@odd", "a 'quoted' = text\nof two lines"};
        if (!options.empty()) step.options[options[pick(options.size())].name] = values[pick(4)];
        break;
    }
    default: passes = transform::default_pipeline(static_cast<int>(pick(4))); break;
    }
}

} // namespace

TEST_CASE("a fresh recipe is its model and nothing else", "[session][arguments]") {
    const Recipe fresh = network("lenet");
    CHECK(words_of(fresh, shared_compiler()->new_recipe({})) == std::vector<std::string>{"lenet"});
    CHECK(command_line(fresh, fresh) == "orrery run lenet");
    Recipe plain = fresh;
    plain.passes = transform::default_pipeline(0);
    plain.threads = 2;
    CHECK(command_line(plain, fresh, "show") == "orrery show lenet -O 0 --threads 2");
    plain.passes = transform::default_pipeline(3);
    int seen = 0;
    for (transform::PassStep& step : plain.passes)
        if (step.name == "FoldConstant" && ++seen == 2) step.enabled = false;
    REQUIRE(seen >= 2);
    CHECK(command_line(plain, fresh).find("--without 'FoldConstant#2'") != std::string::npos);
}

TEST_CASE("wrong words are refused with what would be right", "[session][arguments]") {
    const auto code = [](RecipeArguments a) {
        Recipe recipe = network("lenet");
        const Recipe before = recipe;
        const Result<void> done = apply(a, recipe);
        REQUIRE_FALSE(done.has_value());
        REQUIRE_FALSE(done.error().hint.empty());
        REQUIRE(recipe.passes == before.passes);
        return done.error().code;
    };
    CHECK(code({.passes = {"NoSuchPass"}}) == Code::UnknownName);
    CHECK(code({.without = {"DeadCode#7"}}) == Code::UnknownName);
    CHECK(code({.without = {"DeadCode#x"}}) == Code::BadArgument);
    CHECK(code({.options = {"FuseOps.no_such=1"}}) == Code::UnknownName);
    CHECK(code({.options = {"FuseOps"}}) == Code::BadArgument);
    CHECK(code({.schedules = {"abc=unroll(x.y)"}}) == Code::BadArgument);
}

TEST_CASE("an option's value is read from a file", "[session][arguments]") {
    const auto path = std::filesystem::temp_directory_path() / "orrery_test_option";
    REQUIRE(write_file(path, "7").has_value());
    Recipe recipe = network("lenet");
    REQUIRE(apply({.options = {"FuseOps.max_depth=@" + path.string()}}, recipe).has_value());
    CHECK(recipe.passes.back().options.at("max_depth") == "7");
    std::filesystem::remove(path);
    CHECK(apply({.options = {"FuseOps.max_depth=@" + path.string()}}, recipe).error().code == Code::FileMissing);
}

TEST_CASE("words of a shell", "[session][arguments]") {
    CHECK(shell_word("plain-word_1.2=3") == "plain-word_1.2=3");
    CHECK(shell_word("") == "''");
    CHECK(shell_word("two words") == "'two words'");
    CHECK(shell_word("it's") == "'it'\\''s'");
}

TEST_CASE("random edits: the command line makes the same recipe, undo all brings the first back",
          "[session][arguments][property]") {
    const Recipe fresh = shared_compiler()->new_recipe({});
    for (unsigned seed = 1; seed <= 200; ++seed) {
        std::mt19937 random(seed);
        Recipe recipe = network("lenet");
        for (int edits = 1 + static_cast<int>(random() % 8); edits > 0; --edits) random_edit(recipe, random);
        recipe.build.contract = random() % 4 != 0;
        recipe.build.opt_level = static_cast<int>(random() % 4);
        const std::vector<std::string> words = words_of(recipe, fresh);
        Recipe again = network("lenet");
        const RecipeArguments arguments = parsed(words, again);
        INFO("seed " << seed << ": " << command_line(recipe, fresh));
        const Result<void> done = apply(arguments, again);
        if (!done) FAIL(to_string(done.error()));
        REQUIRE(again == recipe);
        REQUIRE(from_json(to_json(recipe), compiler().backend()).value() == recipe);
    }
}

TEST_CASE("random edits in a session: the exported words give the module, and undo all the first recipe",
          "[session][arguments][property]") {
    Session session(shared_compiler());
    session.open_recipe(network("mlp"));
    session.wait_idle();
    const Recipe first = session.snapshot()->recipe;
    std::mt19937 random(5);
    for (int k = 0; k < 25; ++k) {
        session.edit("edit " + std::to_string(k), [&](Recipe& recipe) { random_edit(recipe, random); });
        session.wait_idle();
        const SnapshotPtr now = session.snapshot();
        Recipe again = network("mlp");
        const RecipeArguments arguments = parsed(words_of(now->recipe, first), again);
        REQUIRE(apply(arguments, again).has_value());
        const Result<Steps> steps = shared_compiler()->graph_steps(again, {});
        REQUIRE(steps.has_value());
        REQUIRE(steps->size() == now->steps.size());
        REQUIRE(graph::structural_hash(steps->back()->module) == graph::structural_hash(now->steps.back()->module));
        REQUIRE(steps->back()->error.has_value() == now->steps.back()->error.has_value());
    }
    const std::size_t states = session.snapshot()->history->entries.size();
    CHECK(session.snapshot()->history->current + 1 == states);
    const Recipe last = session.snapshot()->recipe;
    while (!session.snapshot()->undo_label.empty()) session.undo();
    session.wait_idle();
    CHECK(session.snapshot()->recipe == first);
    CHECK(session.snapshot()->history->current == 0);
    CHECK(session.snapshot()->history->entries.size() == states);
    session.go_to(states - 1);
    session.wait_idle();
    CHECK(session.snapshot()->recipe == last);
    session.go_to(states / 2);
    session.wait_idle();
    CHECK(session.snapshot()->recipe == *session.snapshot()->history->entries[states / 2].recipe);
}
