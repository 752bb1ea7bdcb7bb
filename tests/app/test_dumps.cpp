// What views show, as text with no display: kept in tests/golden/dumps, rewritten with ORRERY_UPDATE_GOLDEN=1.

#include "tests/app/shell.hpp"
#include "tests/support/paths.hpp"

#include <catch2/catch.hpp>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <regex>
#include <set>
#include <sstream>

namespace {

namespace fs = std::filesystem;

struct Case {
    const char* file;
    const char* line;
};
// Of a target that is named whole, so that no machine's own is in them; of views that show no times.
constexpr const char* kTarget = " --threads 1 --no-cache --target 'llvm -mcpu=x86-64-v2 -mtriple=x86_64-pc-linux-gnu "
                                "-threads=1 -vector-bits=128 -vector-registers=16 -l1=32768 -l2=524288 -l3=8388608'";
constexpr Case kCases[] = {
    {"graph", "dump lenet --view graph --overlay flops"},
    {"graph_import", "dump lenet --view graph --after import"},
    {"graph_kernels", "dump lenet --view graph --group-by kernels"},
    {"graph_modules", "dump resnet18 --view graph --group-by modules"},
    {"graph_repeats", "dump resnet18 --view graph --group-by repeats"},
    {"operators", "dump lenet --view operators --overlay bytes"},
    {"statistics", "dump lenet --view statistics"},
    {"history", "dump lenet --view history --value /tanh1/Tanh"},
    {"history_none", "dump lenet --view history"},
    {"diff", "dump lenet --view diff"},
    {"edit", "dump mlp --view edit --after import"},
    {"problems", "dump lenet --view problems"},
    {"loops", "dump lenet -O 2 --view loops"},
    {"access", "dump lenet -O 2 --view access --rule none --function conv2d_bias_add_tanh_1 --value conv2d.kh"},
    {"menu", "dump lenet -O 2 --view menu --rule none --value conv2d.ic"},
    {"preview", "dump lenet -O 2 --view preview --rule none --value 'split(conv2d.w, [-1, 5])'"},
    {"start", "dump lenet --view start"},
    {"compare", "compare lenet mlp squeezenet"},
    {"sides", "compare lenet mlp --graphs"},
};

fs::path golden_dir() { return orrery::tests::source_dir() / "tests" / "golden" / "dumps"; }

std::string read(const fs::path& path) {
    std::ifstream in(path, std::ios::binary);
    std::stringstream text;
    text << in.rdbuf();
    return text.str();
}

std::string printed(const char* line) {
    const std::string command = orrery::tests::orrery_line(line + (kTarget + std::string(" 2>&1")));
    const orrery::tests::Outcome out = orrery::tests::run_line(command);
    INFO(command << "\n" << out.text);
    REQUIRE(out.status == 0);
    // Where a rule stands in its source moves with every edit above it.
    return std::regex_replace(out.text, std::regex("\\.cpp:[0-9]+"), ".cpp:N");
}

} // namespace

TEST_CASE("views print what they printed before", "[app][golden]") {
    const char* update = std::getenv("ORRERY_UPDATE_GOLDEN");
    for (const Case& each : kCases) {
        const fs::path path = golden_dir() / (std::string(each.file) + ".txt");
        const std::string text = printed(each.line);
        if (update != nullptr && *update == '1') {
            fs::create_directories(golden_dir());
            std::ofstream(path, std::ios::binary) << text;
        }
        INFO(each.line << "; ORRERY_UPDATE_GOLDEN=1 rewrites " << path.filename());
        CHECK(text == read(path));
    }
}

TEST_CASE("no golden text is left over", "[app][golden]") {
    std::set<std::string> wanted;
    for (const Case& each : kCases) wanted.insert(std::string(each.file) + ".txt");
    for (const auto& entry : fs::directory_iterator(golden_dir())) {
        INFO(entry.path());
        CHECK(wanted.contains(entry.path().filename().string()));
    }
}
