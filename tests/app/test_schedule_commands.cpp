// `orrery schedule` as a process: its exit status and what it prints.

#include "tests/app/shell.hpp"
#include "tests/support/paths.hpp"

#include <catch2/catch.hpp>

#include <fstream>
#include <string>

namespace {

using orrery::tests::Outcome;

Outcome run(const std::string& arguments) {
    return orrery::tests::run_line(orrery::tests::orrery_line("schedule " + arguments + " 2>&1"));
}

std::string file_with(const std::string& name, const std::string& text) {
    const std::string path = (std::filesystem::temp_directory_path() / ("orrery_schedule_" + name)).string();
    std::ofstream(path) << text;
    return path;
}

const char* const kMatmul = "fn matmul(a: f32[16,8], b: f32[8,16]) -> (c: f32[16,16]) {\n"
                            "for m in 16 { for n in 16 { for k in 8 {\n"
                            "block matmul(vm = m in 16, vn = n in 16, reduce vk = k in 8) {\n"
                            "reads c[vm, vn], a[vm, vk], b[vk, vn] writes c[vm, vn]\n"
                            "init { c[vm, vn] = 0.0 } c[vm, vn] = c[vm, vn] + a[vm, vk] * b[vk, vn] } } } } }\n";

} // namespace

TEST_CASE("a trace is applied to a program from a file", "[app][schedule]") {
    const std::string program = file_with("matmul.tir", kMatmul);
    const std::string trace = file_with("matmul.trace", "# rows side by side\nparallel(matmul.m)\n");
    const Outcome applied = run(program + " --trace " + trace + " --check");
    REQUIRE(applied.status == 0);
    REQUIRE(applied.text.find("parallel m in 16") != std::string::npos);
    REQUIRE(applied.text.find("agrees") != std::string::npos);
    REQUIRE(run(program + " --trace default --show asm").text.find("ret") != std::string::npos);
    const Outcome menu = run(program + " --show menu --at matmul.k");
    REQUIRE(menu.text.find("yes split(matmul.k") != std::string::npos);
    REQUIRE(menu.text.find("no  parallel") != std::string::npos);
    const std::string open = file_with("open.trace", "split(matmul.m, [-1, knob(t0, [2, 4, 8])])\n");
    REQUIRE(run(program + " --trace " + open + " --sample 3 --show trace --check").status == 0);
}

TEST_CASE("what cannot be applied is told with its place", "[app][schedule]") {
    const std::string program = file_with("matmul.tir", kMatmul);
    const Outcome refused = run(program + " --trace " + file_with("bad.trace", "parallel(matmul.k)\n"));
    REQUIRE(refused.status == 1);
    REQUIRE(refused.text.find("matmul.k") != std::string::npos);
    REQUIRE(run(program + " --trace " + file_with("worse.trace", "parallel(matmul.k\n")).status == 1);
    REQUIRE(run("/nonexistent.tir").status == 1);
    REQUIRE(run(file_with("bad.tir", "fn x( {")).status == 1);
}

TEST_CASE("the lessons' schedules apply and keep the numbers", "[app][schedule]") {
    const std::string folder = (orrery::tests::source_dir() / "resources/schedules/").string();
    for (const char* lesson : {"matmul_1024", "resnet_conv_3x3"}) {
        const Outcome done = run(folder + lesson + ".tir --trace " + folder + lesson + ".trace --show nothing --check");
        INFO(done.text);
        REQUIRE(done.status == 0);
    }
    for (const char* step : {"vectors", "registers", "tile"}) {
        const Outcome done = run(folder + "resnet_conv_3x3.tir --trace " + folder + "resnet_conv_3x3." + step +
                                 ".trace --show nothing --check");
        INFO(done.text);
        REQUIRE(done.status == 0);
    }
}

TEST_CASE("a wrong instruction is found by its step and its first wrong element", "[app][schedule]") {
    const std::string program =
        file_with("peaks.tir", "fn peaks(x: i32[4,16]) -> (y: i32[16]) {\n"
                               "for s in 16 { block start(vs = s in 16) { writes y[vs] y[vs] = i32(-100) } }\n"
                               "for k in 4 { for i in 16 { block top(reduce vk = k in 4, vi = i in 16) {\n"
                               "reads y[vi], x[vk, vi] writes y[vi] y[vi] = max(y[vi], x[vk, vi]) } } } }\n");
    const std::string trace = file_with("peaks.trace", "split(top.i, [-1, 8])\ntensorize(top.i_i, top_8)\n");
    const auto declared = [](const std::string& instruction) {
        return file_with("peaks.intrinsics", "intrinsic top_8\nfn top(a: i32[8]) -> (c: i32[8]) { for i in 8 {\n"
                                             "block top(vi = i in 8) { reads c[vi], a[vi] writes c[vi]\n"
                                             "c[vi] = max(c[vi], a[vi]) } } }\nc = llvm." +
                                                 instruction + "(c as i32x8, a as i32x8)\n");
    };
    const auto checked = [&](const std::string& instruction) {
        return run(program + " --trace " + trace + " --intrinsics " + declared(instruction) +
                   " --show nothing --check");
    };
    const Outcome right = checked("smax.v8i32");
    INFO(right.text);
    REQUIRE(right.status == 0);
    const Outcome wrong = checked("smin.v8i32");
    INFO(wrong.text);
    REQUIRE(wrong.status == 1);
    REQUIRE(wrong.text.find("step 2") != std::string::npos);
    REQUIRE(wrong.text.find("y[0] is -100") != std::string::npos);
}
