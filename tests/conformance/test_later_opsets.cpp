// Operators and forms newer than ONNX's own suite of opset 17: small models with what ONNX Runtime computes for them.
// make_later_opsets.py says how later_opsets.json was made.

#include "app/conformance.hpp"
#include "core/graph/evaluate.hpp"
#include "core/ops/ops.hpp"
#include "tests/support/paths.hpp"

#include <catch2/catch.hpp>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <unistd.h>

using namespace orrery;
using namespace orrery::app;
namespace fs = std::filesystem;

namespace {

Result<std::vector<NDArray>> interpret_alone(const graph::Module& module, std::span<const NDArray> inputs) {
    return graph::evaluate(module.main, inputs, ops::interpreter_evaluator(), {});
}

/// Writes what a base64 text holds. Source: RFC 4648, section 4.
void write_decoded(const fs::path& path, const std::string& text) {
    static const std::string kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::string bytes;
    unsigned bits = 0;
    int count = 0;
    for (const char c : text) {
        if (c == '=') break;
        bits = bits << 6 | static_cast<unsigned>(kDigits.find(c));
        count += 6;
        if (count < 8) continue;
        count -= 8;
        bytes += static_cast<char>(bits >> count & 0xff);
    }
    fs::create_directories(path.parent_path());
    std::ofstream(path, std::ios::binary) << bytes;
}

void write_case(const fs::path& folder, const nlohmann::json& row) {
    write_decoded(folder / "model.onnx", row["model"]);
    for (const char* kind : {"input", "output"}) {
        int number = 0;
        for (const nlohmann::json& array : row[std::string(kind) + "s"])
            write_decoded(folder / "test_data_set_0" / (std::string(kind) + "_" + std::to_string(number++) + ".pb"),
                          array);
    }
}

} // namespace

TEST_CASE("operators of later opsets give what ONNX Runtime gives", "[conformance]") {
    const fs::path root = fs::temp_directory_path() / ("orrery_later_" + std::to_string(::getpid()));
    std::ifstream file(tests::source_dir() / "tests/conformance/later_opsets.json");
    const auto rows = nlohmann::json::parse(file);
    REQUIRE(rows.size() > 70);
    for (const nlohmann::json& row : rows) {
        const std::string name = row["name"];
        write_case(root / name, row);
        const ConformanceCase result = run_case(root / name, interpret_alone, {});
        INFO(name << ": " << result.reason);
        CHECK(result.status == CaseStatus::Passed);
    }
    fs::remove_all(root);
}
