// orrery vta, run as a process: output, files, exit status. The program's path is in ORRERY_BINARY.

#include "tests/app/shell.hpp"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <unistd.h>

namespace {

using Json = nlohmann::json;

using Answer = orrery::tests::Outcome;

/// Standard output and error together.
Answer vta(const std::string& arguments) {
    return orrery::tests::run_line(orrery::tests::orrery_line("vta " + arguments + " 2>&1"));
}

struct Folder {
    std::filesystem::path path = "vta_" + std::to_string(getpid()); ///< below the build tree, where tests run
    Folder() { std::filesystem::create_directories(path); }
    ~Folder() { std::filesystem::remove_all(path); }
    [[nodiscard]] std::string file(const std::string& name) const { return (path / name).string(); }
};

std::string read(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    std::stringstream text;
    text << in.rdbuf();
    return text.str();
}
void write(const std::string& path, const std::string& text) { std::ofstream(path, std::ios::binary) << text; }

bool holds(const Answer& answer, const std::string& part) { return answer.text.find(part) != std::string::npos; }

} // namespace

TEST_CASE("info shows a configuration and refuses an illegal one", "[app][vta]") {
    Answer answer = vta("info --config gemm-1x32x32");
    CHECK(answer.status == 0);
    CHECK(holds(answer, "307.2 GOPS"));
    const Json json = Json::parse(vta("info --json").text);
    CHECK(json["PEAK_GOPS"].get<double>() == 51.2);
    CHECK(json["RIDGE_OPS_PER_BYTE"].get<double>() == 64.0);
    const Folder folder;
    write(folder.file("bad.json"), R"({"LOG_BLOCK": 4, "LOG_ACC_BUFF_SIZE": 19})");
    answer = vta("info --config " + folder.file("bad.json"));
    CHECK(answer.status == 1);
    CHECK(holds(answer, "LOG_ACC_BUFF_SIZE"));
    CHECK(vta("info --config nowhere.json").status == 1);
    write(folder.file("text.json"), "no JSON");
    CHECK(vta("info --config " + folder.file("text.json")).status == 1);
}

TEST_CASE("a program goes through asm and disasm unchanged", "[app][vta]") {
    const Folder folder;
    REQUIRE(vta("example matmul -o " + folder.file("a.vta")).status == 0);
    REQUIRE(vta("disasm " + folder.file("a.vta") + " -o " + folder.file("a.s")).status == 0);
    const Answer assembled = vta("asm " + folder.file("a.s") + " -o " + folder.file("b.vta"));
    CHECK(assembled.status == 0);
    CHECK(holds(assembled, "instructions"));
    CHECK(read(folder.file("a.vta")) == read(folder.file("b.vta")));
    CHECK(vta("run " + folder.file("a.s")).status == 0); // a listing runs as it is
    write(folder.file("bad.s"), "gemm uops=nonsense\n");
    const Answer refused = vta("asm " + folder.file("bad.s"));
    CHECK(refused.status == 1);
    CHECK(holds(refused, "line 1"));
    write(folder.file("cut.vta"), read(folder.file("a.vta")).substr(0, 100));
    CHECK(vta("run " + folder.file("cut.vta")).status == 1);
    CHECK(vta("disasm nowhere.vta").status == 1);
}

TEST_CASE("run reports causes that sum to the total, a bound, and a trace", "[app][vta]") {
    const Folder folder;
    const Answer text = vta("run resnet18_c2 --trace " + folder.file("t.json"));
    CHECK(text.status == 0);
    for (const char* part : {"UTILIZATION", "CAUSES", "MEMORY", "ENERGY", "Bound by", "532,354 cycles"})
        CHECK(holds(text, part));
    const Json trace = Json::parse(read(folder.file("t.json")));
    CHECK(trace["traceEvents"].size() > 1000);
    CHECK(trace["traceEvents"].size() < 60'000); // a viewer opens it
    const Json json = Json::parse(vta("run resnet18_c2 --threads 1 --json").text);
    for (const auto& [lane, causes] : json["causes"].items()) {
        std::uint64_t sum = 0;
        for (const auto& [cause, cycles] : causes.items()) sum += cycles.get<std::uint64_t>();
        CHECK(sum == json["cycles"].get<std::uint64_t>());
    }
    CHECK(json["findings"].empty());
    const Json range = Json::parse(vta("run resnet18_c2 --range 1000:3000 --json").text);
    CHECK(range["cycles"].get<int>() == 2000);
    CHECK(vta("run resnet18_c2 --range 9:3").status == 1);
    CHECK(vta("run resnet18_c2 --trace /nonexistent/t.json").status == 1);
    CHECK(vta("run no_such_program").status == 1);
}

TEST_CASE("a deadlock is reported with its token and exit status 1", "[app][vta]") {
    const Answer answer = vta("run deadlock");
    CHECK(answer.status == 1);
    CHECK(holds(answer, "load->compute"));
    CHECK(holds(answer, "CAUSES"));
}

TEST_CASE("step shows the state after some instructions", "[app][vta]") {
    Json json = Json::parse(vta("step matmul --to 5 --json").text);
    CHECK(json["position"].get<int>() == 5);
    json = Json::parse(vta("step matmul --break 'acc[3]' --tile 'acc[3]' --json").text);
    CHECK(json["stopped"].get<std::string>().find("acc[3]") != std::string::npos);
    CHECK(json["values"][0].size() == 16);
    const Answer trail = vta("step matmul --to 2 --steps 3");
    CHECK(trail.status == 0);
    CHECK(holds(trail, "tokens"));
    CHECK(vta("step matmul --tile acc9").status == 1);
    CHECK(vta("step matmul --break whenever").status == 1);
}

TEST_CASE("examples are listed and run", "[app][vta]") {
    CHECK(holds(vta("example"), "resnet18_c11"));
    CHECK(Json::parse(vta("example --json").text).size() >= 15);
    const Json two = Json::parse(vta("example resnet18_c9 resnet18_c11 --json").text);
    REQUIRE(two.size() == 2);
    CHECK(two[0]["gemm_utilization"].get<double>() > 0.9);
    const Answer unknown = vta("example nothing");
    CHECK(unknown.status == 1);
    CHECK(unknown.text.find("nothing") == unknown.text.rfind("nothing")); // named once
    CHECK(vta("example matmul pool -o two.vta").status == 1);
}

TEST_CASE("what the page shows is dumped", "[app][vta]") {
    for (const char* view : {"timeline", "statistics", "instructions", "fields", "roofline", "findings", "config"}) {
        CAPTURE(view);
        CHECK(vta(std::string("dump matmul --view ") + view).status == 0);
        CHECK(Json::accept(vta(std::string("dump matmul --json --view ") + view).text));
    }
    CHECK(vta("dump matmul --view nothing").status == 1);
}
