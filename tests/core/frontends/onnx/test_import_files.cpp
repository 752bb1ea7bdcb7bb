// Real networks: imported, verified, printed and read back equal.

#include "core/graph/builder.hpp"
#include "core/graph/text.hpp"
#include "core/ops/ops.hpp"
#include "tests/core/frontends/onnx/models.hpp"
#include "tests/support/paths.hpp"

#include <catch2/catch.hpp>

#include <filesystem>

using namespace orrery;
namespace fs = std::filesystem;

namespace {

void check_file(const fs::path& path) {
    INFO(path.filename());
    const Result<graph::Module> module = orrery::onnx::import_file(path);
    if (!module) FAIL(to_string(module.error()));
    CHECK(graph::verify(*module).has_value());
    const auto again =
        graph::parse_module(graph::to_string(*module), ops::registry(), graph::constants_of(*module), module->sources);
    if (!again) FAIL(to_string(again.error()));
    CHECK(graph::structural_equal(*module, *again));
    CHECK(graph::structural_hash(*module) == graph::structural_hash(*again));
    int without_origin = 0;
    for (const graph::Binding& binding : module->main->bindings)
        without_origin += binding.origin.empty() && binding.value->kind == graph::ExprKind::CallOp;
    CHECK(without_origin == 0);
}

} // namespace

TEST_CASE("networks of the shared folder import and read back from their text", "[onnx][import][shared]") {
    const fs::path models = tests::shared_dir() / "models";
    if (!fs::exists(models)) {
        WARN("skipped: ../shared/models is not there");
        return;
    }
    int count = 0;
    for (const char* folder : {"onnx-light", "face-detector"})
        for (const fs::directory_entry& entry : fs::directory_iterator(models / folder))
            if (entry.path().extension() == ".onnx") {
                check_file(entry.path());
                ++count;
            }
    CHECK(count >= 10);
}
