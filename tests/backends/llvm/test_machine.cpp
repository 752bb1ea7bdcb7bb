// What LLVM knows of machines: their vectors, and what is nonsense in a target's text.

#include "tests/backends/llvm/harness.hpp"

using namespace orrery;
using namespace orrery::testing;

namespace {

Target read(const std::string& text) {
    Result<Target> target = llvm_backend().read_target(text);
    if (!target) FAIL(text << ": " << to_string(target.error()));
    return *target;
}

Code refusal(const std::string& text) {
    const Result<Target> target = llvm_backend().read_target(text);
    if (target) FAIL(text << " is " << to_string(*target));
    CHECK_FALSE(target.error().message.empty());
    return target.error().code;
}

} // namespace

TEST_CASE("vectors are as wide and as many as the processor that is named has", "[llvm][target]") {
    struct Case {
        const char* processor;
        int bits, registers;
    };
    // Sources: the architectures' manuals. SVE's width is known only when code runs: NEON's stands for it.
    for (const Case& one : {Case{"-mtriple=x86_64-linux-gnu -mcpu=x86-64", 128, 16},
                            {"-mtriple=x86_64-linux-gnu -mcpu=x86-64-v2", 128, 16},
                            {"-mtriple=x86_64-linux-gnu -mcpu=x86-64-v3", 256, 16},
                            {"-mtriple=x86_64-linux-gnu -mcpu=x86-64-v4", 512, 32},
                            {"-mtriple=x86_64-linux-gnu -mcpu=sapphirerapids", 512, 32},
                            {"-mtriple=x86_64-linux-gnu -mcpu=znver3", 256, 16},
                            {"-mtriple=x86_64-linux-gnu -mcpu=x86-64 -mattr=+avx2,+fma", 256, 16},
                            {"-mtriple=x86_64-linux-gnu -mcpu=znver4 -mattr=-avx512f", 256, 16},
                            {"-mtriple=i686-linux-gnu -mcpu=pentium4", 128, 8},
                            {"-mtriple=i686-linux-gnu -mcpu=pentium", 32, 8},
                            {"-mtriple=aarch64-linux-gnu", 128, 32},
                            {"-mtriple=aarch64-linux-gnu -mcpu=cortex-a72", 128, 32},
                            {"-mtriple=aarch64-linux-gnu -mcpu=neoverse-v1", 128, 32},
                            {"-mtriple=arm64-apple-macosx -mcpu=apple-m1", 128, 32},
                            {"-mtriple=armv7-linux-gnueabihf -mcpu=cortex-a9 -mattr=+neon", 128, 16},
                            {"-mtriple=powerpc64le-linux-gnu -mcpu=pwr9", 128, 64},
                            {"-mtriple=wasm32-unknown-unknown -mattr=+simd128", 128, 16}}) {
        INFO(one.processor);
        const Target target = read(std::string("llvm ") + one.processor);
        CHECK(target.vector_bits == one.bits);
        CHECK(target.vector_registers == one.registers);
    }
}

TEST_CASE("a target's text names nothing: this machine", "[llvm][target]") {
    const Target host = llvm_backend().host();
    CHECK(read("llvm") == host);
    CHECK(read(to_string(host)) == host);
    CHECK(read("llvm -threads=3").cores == 3);
}

TEST_CASE("what is given stands; caches of another architecture are not this machine's", "[llvm][target]") {
    const Target half = read("llvm -mtriple=x86_64-linux-gnu -mcpu=znver4 -vector-bits=256 -vector-registers=16");
    CHECK(half.vector_bits == 256);
    CHECK(half.vector_registers == 16);
    const bool arm_host = llvm_backend().host().triple.starts_with("aarch64");
    const std::string other = arm_host ? "llvm -mtriple=x86_64-linux-gnu" : "llvm -mtriple=aarch64-linux-gnu";
    const Target plain, foreign = read(other);
    CHECK(foreign.l1_bytes == plain.l1_bytes);
    CHECK(foreign.l2_bytes == plain.l2_bytes);
    CHECK(foreign.l3_bytes == plain.l3_bytes);
    CHECK(read(other + " -l2=1048576").l2_bytes == 1048576);
    CHECK(read(to_string(foreign)) == foreign);
}

TEST_CASE("a processor with AMX multiplies tiles of bf16, unless it is told not to", "[llvm][target]") {
    const std::string amx = "llvm -mtriple=x86_64-linux-gnu -mcpu=sapphirerapids",
                      none = "llvm -mtriple=x86_64-linux-gnu -mcpu=znver4";
    CHECK(read(amx).bf16_tiles);
    CHECK_FALSE(read(amx + " -tiles=none").bf16_tiles);
    CHECK_FALSE(read(none).bf16_tiles);
    CHECK(refusal(none + " -tiles=bf16") == Code::BadArgument);
    for (const std::string& text : {amx, amx + " -tiles=none", none}) CHECK(read(to_string(read(text))) == read(text));
}

TEST_CASE("processors with arithmetic in f16 use it, unless they are told not to", "[llvm][target]") {
    const std::string x86 = "llvm -mtriple=x86_64-linux-gnu -mcpu=sapphirerapids",
                      arm = "llvm -mtriple=aarch64-linux-gnu -mcpu=neoverse-n1",
                      none = "llvm -mtriple=x86_64-linux-gnu -mcpu=znver4";
    for (const std::string& text : {x86, arm}) {
        CHECK(read(text).f16_arithmetic);
        CHECK_FALSE(read(text + " -f16=none").f16_arithmetic);
        for (const std::string& one : {text, text + " -f16=none"}) CHECK(read(to_string(read(one))) == read(one));
    }
    CHECK_FALSE(read(none).f16_arithmetic);
    CHECK_FALSE(read("llvm -mtriple=aarch64-linux-gnu -mcpu=cortex-a72").f16_arithmetic);
    CHECK(refusal(none + " -f16=native") == Code::BadArgument);
}

TEST_CASE("how a processor multiplies bytes is known", "[llvm][target]") {
    const auto of = [](const std::string& rest) {
        return read("llvm -mtriple=x86_64-linux-gnu -mcpu=" + rest).byte_products;
    };
    CHECK(of("sapphirerapids") == ByteProducts::Tiles);
    CHECK(of("sapphirerapids -bytes=dots") == ByteProducts::Dots);
    CHECK(of("icelake-server") == ByteProducts::Dots);
    CHECK(of("alderlake") == ByteProducts::Dots);
    CHECK(of("skylake-avx512") == ByteProducts::None);
    CHECK(read("llvm -mtriple=aarch64-linux-gnu -mcpu=cortex-a72").byte_products == ByteProducts::None);
    CHECK(refusal("llvm -mtriple=x86_64-linux-gnu -mcpu=haswell -bytes=dots") == Code::BadArgument);
    CHECK(refusal("llvm -mtriple=x86_64-linux-gnu -mcpu=icelake-server -bytes=tiles") == Code::BadArgument);
}

TEST_CASE("nonsense is refused", "[llvm][target]") {
    CHECK(refusal("llvm -mtriple=pdp11-unknown-unix") == Code::NoTarget);
    CHECK(refusal("llvm -mtriple=aarch64-linux-gnu -mcpu=znver4") == Code::NoTarget);
    CHECK(refusal("llvm -mtriple=aarch64-linux-gnu -mattr=+avx2") == Code::NoTarget);
    CHECK(refusal("llvm -mtriple=x86_64-linux-gnu -mcpu=x86-64 -mattr=avx2") == Code::NoTarget); // LLVM reads "-avx2"
    CHECK(refusal("llvm -mtriple=x86_64-linux-gnu -mcpu=x86-64 -mattr=+avx2,,+fma") == Code::NoTarget);
    CHECK(refusal("llvm -mtriple=x86_64-linux-gnu -mcpu=x86-64 -vector-bits=256") == Code::BadArgument);
    CHECK(refusal("llvm -mtriple=x86_64-linux-gnu -mcpu=x86-64-v3 -vector-registers=32") == Code::BadArgument);
    CHECK(refusal("llvm -vector-bits=48") == Code::BadArgument);
    CHECK(refusal("cuda -mcpu=sm_90") == Code::NoTarget);
    // Their code, stack and data lie in memories of their own.
    for (const char* triple : {"amdgcn-amd-amdhsa", "avr"})
        CHECK(refusal(std::string("llvm -mtriple=") + triple) == Code::NoTarget);
}

TEST_CASE("a machine that LLVM has no code for is an error, not an empty file", "[llvm][target]") {
    const tensor::Program program =
        parsed("fn f(x: f32[64]) -> (y: f32[64]) { for i in 64 { y[i] = max(x[i], 0.5) } }");
    const Result<KernelObject> graphics =
        llvm_backend().compile(program, read("llvm -mtriple=nvptx64-nvidia-cuda"), {}, {});
    REQUIRE_FALSE(graphics);
    CHECK(graphics.error().code == Code::NoTarget);
    const Result<KernelObject> filter = llvm_backend().compile(program, read("llvm -mtriple=bpf"), {}, {});
    REQUIRE_FALSE(filter);
    CHECK(filter.error().code == Code::NoTarget);
}
