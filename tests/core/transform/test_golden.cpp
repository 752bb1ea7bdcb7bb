// What each pass makes of a small program, word for word: tests/golden/passes/PASS.txt holds the passes to run with
// their options, the program before and after. ORRERY_UPDATE_GOLDEN=1 writes the programs after anew.

#include "tests/core/transform/graphs.hpp"

#include "core/target/region.hpp"
#include "tests/support/paths.hpp"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <sstream>

using namespace orrery;
using namespace orrery::transform;
using namespace orrery::transform::test;

namespace {

/// Takes exp and relu.
class Taker final : public RegionBackend {
  public:
    std::string name() const override { return "golden"; }
    std::span<const Composite> composites() const override { return {}; }
    std::optional<std::string> refuses(const graph::CallOp& call, const graph::Type&) const override {
        if (call.op.name == "exp" || call.op.name == "relu") return std::nullopt;
        return call.op.name + " is not taken";
    }
    Result<std::shared_ptr<const RegionCode>> compile(const graph::Function&, const Target&,
                                                      const Progress&) const override {
        return Diagnostic{Code::UnsupportedFeature, "nothing is compiled here", {}, {}};
    }
};

/// "passes: NAME key=value key=value; NAME ...", then the program before, a line of dashes, the program after.
struct Golden {
    std::string head, before, after;
};

constexpr const char* kLine = "----\n";

Golden read(const std::filesystem::path& path) {
    std::ifstream file(path);
    const std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
    const std::size_t head = text.find('\n') + 1, line = text.find(kLine);
    if (head == 0 || line == std::string::npos) return {};
    return {text.substr(0, head), text.substr(head, line - head), text.substr(line + std::string(kLine).size())};
}

std::vector<PassStep> steps_of(const Golden& golden) {
    std::vector<PassStep> steps;
    std::istringstream list(golden.head.substr(std::string("passes: ").size()));
    for (std::string one; std::getline(list, one, ';');) {
        std::istringstream words(one);
        PassStep step;
        words >> step.name;
        for (std::string word; words >> word;)
            step.options[word.substr(0, word.find('='))] = word.substr(word.find('=') + 1);
        steps.push_back(std::move(step));
    }
    return steps;
}

/// The program with one operator changed by hand.
std::string edited(std::string text) {
    text.replace(text.find("relu"), 4, "tanh");
    return text;
}

std::string result_of(const Golden& golden) {
    graph::Module module = module_of(golden.before);
    for (PassStep step : steps_of(golden)) {
        INFO(step.name);
        if (step.name == "HandEdit") step.options["text"] = edited(golden.before);
        const GraphPass* pass = find_pass(step.name);
        REQUIRE(pass != nullptr);
        Result<graph::Module> after = pass->run(module, {step.options, {}, nullptr});
        if (!after) FAIL(to_string(after.error()));
        module = *std::move(after);
        const Result<void> sound = graph::verify(module);
        if (!sound) FAIL(to_string(sound.error()));
    }
    return graph::to_string(module);
}

} // namespace

TEST_CASE("every pass does to a small program what its golden text says", "[transform][golden]") {
    add_region_backend(std::make_shared<Taker>());
    const std::filesystem::path folder = tests::source_dir() / "tests/golden/passes";
    std::set<std::string> files;
    for (const auto& entry : std::filesystem::directory_iterator(folder))
        files.insert(entry.path().filename().string());
    for (const GraphPass& pass : passes()) {
        const std::filesystem::path path = folder / (pass.name + ".txt");
        INFO(path.string());
        const Golden golden = read(path);
        REQUIRE_FALSE(golden.before.empty());
        CHECK(steps_of(golden).back().name == pass.name);
        const std::string after = result_of(golden);
        if (std::getenv("ORRERY_UPDATE_GOLDEN"))
            std::ofstream(path) << golden.head << golden.before << kLine << after;
        else
            CHECK(after == golden.after);
        files.erase(pass.name + ".txt");
    }
    INFO("a golden text of no pass");
    CHECK(files.empty());
}
