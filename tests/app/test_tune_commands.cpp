// `orrery tune` and `orrery records` as processes: what they print, write and keep.

#include "tests/app/shell.hpp"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include <filesystem>
#include <fstream>
#include <string>

namespace {

using Program = orrery::tests::MeasuringProgram;
using orrery::tests::Outcome;

} // namespace

TEST_CASE("a model is tuned into a recipe that runs", "[app][tune]") {
    const Program program;
    const Outcome first = program.run("tune mlp --threads 1 --trials 12 --no-cache --patience 0 --no-peaks -o " +
                                      program.file("tuned.orrery"));
    INFO(first.text);
    REQUIRE(first.status == 0);
    CHECK(first.text.find("before ms") != std::string::npos);
    CHECK(first.text.find("schedules written to") != std::string::npos);
    CHECK(program.run("run --no-cache " + program.file("tuned.orrery")).status == 0);
    // Records say what was found; another tuning goes on.
    const Outcome second = program.run(
        "tune mlp --threads 1 --trials 14 --search random --no-cache --patience 0 --no-peaks --quiet --json",
        "2>/dev/null");
    REQUIRE(second.status == 0);
    const auto json = nlohmann::json::parse(second.text);
    CHECK(json["trials"].size() == 14);
    CHECK(json["search"] == "random");
    CHECK(json["tasks"].size() >= 2);
    const Outcome best = program.run("records best mlp --threads 1 --no-cache --json", "2>/dev/null");
    REQUIRE(best.status == 0);
    for (const auto& row : nlohmann::json::parse(best.text)) CHECK(row["median_ms"] > 0);

    const std::string lines = program.file("lines.jsonl");
    REQUIRE(program.run("records export " + lines).status == 0);
    const Outcome imported = program.run("records import " + lines, "2>&1", "other.db");
    CHECK(imported.status == 0);
    CHECK(imported.text.find("new records") != std::string::npos);
    CHECK(program.run("records import " + lines, "2>&1", "other.db").text == "0 new records\n");
    std::ofstream(program.file("bad.jsonl")) << "{}\n";
    CHECK(program.run("records import " + program.file("bad.jsonl")).status == 1);
    CHECK(program.run("records import " + program.file("none.jsonl")).status == 1);
}

TEST_CASE("layouts are chosen by measured kernels, into a recipe that runs", "[app][tune]") {
    const Program program;
    const Outcome measured =
        program.run("records layouts lenet --threads 1 --no-cache --measure --seconds 0.01 --json -o " +
                        program.file("laid.orrery"),
                    "2>/dev/null");
    INFO(measured.text);
    REQUIRE(measured.status == 0);
    const auto json = nlohmann::json::parse(measured.text);
    CHECK(json["kernels"] > 0);
    CHECK(json["known"] == json["kernels"]);
    CHECK(json["us"] <= json["own_us"]);
    CHECK(program.run("run --no-cache " + program.file("laid.orrery")).status == 0);
    // Nothing is run where records know.
    const Outcome again = program.run("records layouts lenet --threads 1 --no-cache");
    CHECK(again.status == 0);
    CHECK(again.text.find("kernels have a time") != std::string::npos);
    CHECK(program.run("show lenet --at layouts").status == 0);
    CHECK(program.run("show lenet --at layouts --without AlterOpLayout").status == 1);
    CHECK(program.run("records layouts").status == 1);
}

TEST_CASE("a tuning of nothing says so", "[app][tune]") {
    const Program program;
    CHECK(program.run("tune no_such_model --trials 2").status == 1);
    const Outcome unknown = program.run("tune mlp --trials 2 --function nothing");
    CHECK(unknown.status == 1);
    CHECK(unknown.text.find("nothing") != std::string::npos);
    CHECK(program.run("tune mlp --trials 0").status == 1);
    CHECK(program.run("tune mlp --search luck").status == 1);
    CHECK(program.run("tune mlp --trials 2 --fresh --resume").status == 1);
    CHECK(program.run("records").status == 1);
    CHECK(program.run("worker").status == 1);
    CHECK(program.run("worker --listen 0.0.0.0:9190").status == 1);
}
