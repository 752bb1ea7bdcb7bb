// `orrery measure` as a process: what it prints, what it keeps, what it says of broken kernels' machine and records.

#include "tests/app/shell.hpp"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include <filesystem>
#include <string>

namespace {

using Program = orrery::tests::MeasuringProgram;
using orrery::tests::Outcome;

constexpr const char* kMeasure = "measure mlp --threads 1 --seconds 0.05 ";

} // namespace

TEST_CASE("a kernel is measured, compared, kept, and listed", "[app][measure]") {
    const Program program;
    const Outcome none = program.run(std::string(kMeasure) + "--history");
    CHECK(none.status == 0);
    CHECK(none.text.find("has not been measured yet") != std::string::npos);
    const Outcome first = program.run(kMeasure);
    INFO(first.text);
    REQUIRE(first.status == 0);
    CHECK(first.text.find("GFLOP/s") != std::string::npos);
    CHECK(first.text.find("% of the peak") != std::string::npos);
    CHECK(first.text.find("agrees with the loops as written") != std::string::npos);
    const Outcome second = program.run(std::string(kMeasure) + "--rule none --json", "");
    REQUIRE(second.status == 0);
    const auto json = nlohmann::json::parse(second.text);
    CHECK(json["outcome"] == "ok");
    CHECK(json["trace"] == "");
    CHECK(json["runs"] >= 10);
    CHECK(json["median_ms"] >= json["interval_ms"][0]);
    CHECK(json["median_ms"] <= json["interval_ms"][1]);
    CHECK(json["peaks"]["read"].size() >= 2);
    CHECK(json["records_problem"] == "");
    const Outcome kept = program.run(std::string(kMeasure) + "--history --json", "");
    REQUIRE(kept.status == 0);
    const auto rows = nlohmann::json::parse(kept.text)["measurements"];
    REQUIRE(rows.size() == 2);
    CHECK(rows[0]["trace"] == "");
    CHECK(rows[1]["trace"] != "");
    // The window's pane shows the same.
    const Outcome pane = program.run("dump mlp --view measure --threads 1");
    INFO(pane.text);
    CHECK(pane.status == 0);
    CHECK(pane.text.find("the loops as written") != std::string::npos);
    CHECK(pane.text.find("FMA") != std::string::npos);
}

TEST_CASE("records that cannot be kept are told, the time all the same", "[app][measure]") {
    const Program program;
    std::filesystem::create_directory(program.file("records.db"));
    const Outcome out = program.run(std::string(kMeasure) + "--no-peaks");
    INFO(out.text);
    CHECK(out.status == 0);
    CHECK(out.text.find(" ms, median of ") != std::string::npos);
    CHECK(out.text.find("ORRERY_RECORDS") != std::string::npos);
}

TEST_CASE("what cannot be measured ends with status 1 and the reason", "[app][measure]") {
    const Program program;
    const Outcome unknown = program.run("measure mlp --function nothing");
    CHECK(unknown.status == 1);
    CHECK(unknown.text.starts_with("orrery: "));
    CHECK(program.run("measure /no/such/model").status == 1);
    CHECK(program.run("measure mlp --seconds 0").status == 1);
    const Outcome foreign = program.run("measure mlp --target 'llvm -mtriple=riscv64-unknown-linux-gnu'");
    CHECK(foreign.status == 1);
    CHECK(foreign.text.find("riscv64") != std::string::npos);
    CHECK(program.run("worker --socket /no/such/folder/socket < /dev/null").status == 1);
}

TEST_CASE("a model's time is told by operator, layer, node and kernel", "[app][profile]") {
    const Program program;
    const Outcome text = program.run("profile lenet -O 2 --threads 1 --runs 3");
    INFO(text.text);
    REQUIRE(text.status == 0);
    for (const char* part :
         {"median of 3 runs", "Operator", "Layer", "Nodes of the model", "Kernel", "What if", "conv2d"})
        CHECK(text.text.find(part) != std::string::npos);
    const Outcome json = program.run("profile lenet -O 2 --threads 1 --runs 3 --json", "");
    REQUIRE(json.status == 0);
    const auto data = nlohmann::json::parse(json.text);
    CHECK(data["roofs"].size() >= 3);
    CHECK(data["calls"].size() == 8); // to make rows of an image moves nothing
    CHECK(data["calls"].back()["to"] == Approx(1));
    const Outcome pane = program.run("dump lenet -O 2 --view profile --threads 1");
    INFO(pane.text);
    CHECK(pane.status == 0);
    CHECK(pane.text.find("What if these reached 80 % of their peak?") != std::string::npos);
    CHECK(program.run("profile /no/such/model").status == 1);
}

TEST_CASE("a profile without peaks says why there are none", "[app][profile]") {
    const Program program;
    const Outcome out = program.run("profile mlp --threads 1 --runs 2 --no-peaks");
    INFO(out.text);
    CHECK(out.status == 0);
    CHECK(out.text.find("peaks are not known: they have not been measured yet") != std::string::npos);
}
