#include "core/target/backend.hpp"
#include "core/target/target.hpp"

#include <catch2/catch.hpp>

using namespace orrery;

namespace {

Target sample() {
    Target t;
    t.triple = "x86_64-pc-linux-gnu";
    t.cpu = "znver4";
    t.features = "+avx2,-avx512f";
    t.vector_bits = 256;
    t.vector_registers = 16;
    t.cores = 6;
    t.l1_bytes = 1000;
    t.l2_bytes = 20000;
    t.l3_bytes = 0;
    return t;
}

} // namespace

TEST_CASE("a target's text reads back as the same target", "[target]") {
    for (const Target& target : {sample(), Target()}) {
        const Result<Target> read = parse_target(to_string(target), sample());
        REQUIRE(read);
        CHECK(*read == target);
    }
}

TEST_CASE("what a target's text leaves out comes from the base", "[target]") {
    const Result<Target> read = parse_target("-mcpu=generic -vector-bits=128", sample());
    REQUIRE(read);
    CHECK(read->cpu == "generic");
    CHECK(read->vector_bits == 128);
    CHECK(read->backend == "llvm");
    CHECK(read->cores == 6);
    CHECK(parse_target("vta", sample())->backend == "vta");
    CHECK(*parse_target("", sample()) == sample());
}

TEST_CASE("a malformed target is refused", "[target]") {
    for (const char* text :
         {"llvm -threads=0", "llvm -threads=two", "llvm -threads=", "llvm -vector-bits=96", "llvm -l1=-1", "llvm -mcpu",
          "llvm extra", "llvm -speed=9", "-threads=99999999999999999999"}) {
        INFO(text);
        const Result<Target> read = parse_target(text, sample());
        REQUIRE_FALSE(read);
        CHECK(read.error().code == Code::BadArgument);
    }
}

TEST_CASE("every field of a target and of build options is part of its hash", "[target]") {
    const Target base = sample();
    std::vector<Target> others(10, base);
    others[0].backend = "c";
    others[1].triple = "x";
    others[2].cpu = "x";
    others[3].features = "x";
    others[4].vector_bits = 512;
    others[5].vector_registers = 32;
    others[6].cores = 1;
    others[7].l1_bytes = 1;
    others[8].l2_bytes = 1;
    others[9].l3_bytes = 1;
    for (const Target& other : others) CHECK(other.hash() != base.hash());
    CHECK(sample().hash() == base.hash());

    const BuildOptions options;
    CHECK(BuildOptions{.opt_level = 2}.hash() != options.hash());
    CHECK(BuildOptions{.contract = false}.hash() != options.hash());
    CHECK(BuildOptions{.bounds_checks = true}.hash() != options.hash());
}

TEST_CASE("another architecture inherits nothing of the base's processor", "[target]") {
    const Target arm = parse_target("llvm -mtriple=aarch64-linux-gnu", sample()).value();
    CHECK(arm.cpu.empty());
    CHECK(arm.features.empty());
    CHECK(arm.vector_bits == 128);
    CHECK(arm.cores == sample().cores);
    const Target given =
        parse_target("llvm -mcpu=cortex-a72 -vector-bits=256 -mtriple=aarch64-linux-gnu -vector-registers=32", sample())
            .value();
    CHECK(given.cpu == "cortex-a72");
    CHECK(given.vector_bits == 256);
    CHECK(given.vector_registers == 32);
    // The same architecture on another system has the same processor.
    const Target other = parse_target("llvm -mtriple=x86_64-unknown-freebsd", sample()).value();
    CHECK(other.cpu == "znver4");
    CHECK(other.features == sample().features);
    CHECK(parse_target("llvm -mtriple=", sample()).value().cpu == "znver4");
}

TEST_CASE("lanes fill a vector register", "[target]") {
    CHECK(sample().lanes(4) == 8);
    CHECK(sample().lanes(1) == 32);
    CHECK(sample().lanes(64) == 1);
}

TEST_CASE("another processor does not inherit the base's features", "[target]") {
    Target base;
    base.cpu = "znver4";
    base.features = "+avx512f";
    REQUIRE(parse_target("llvm -threads=1", base).value().features == "+avx512f");
    REQUIRE(parse_target("llvm -mcpu=cortex-a72", base).value().features.empty());
    REQUIRE(parse_target("llvm -mcpu=x -mattr=+neon", base).value().features == "+neon");
    REQUIRE(parse_target(to_string(base), Target{}).value() == base);
}

TEST_CASE("a target says whether it multiplies tiles of bf16", "[target]") {
    Target tiles = sample();
    tiles.bf16_tiles = true;
    CHECK(parse_target(to_string(tiles), sample()).value() == tiles);
    CHECK(parse_target(to_string(sample()), tiles).value() == sample());
    CHECK(tiles.hash() != sample().hash());
    CHECK(parse_target("llvm -tiles=bf16", sample())->bf16_tiles);
    CHECK_FALSE(parse_target("llvm -tiles=none", tiles)->bf16_tiles);
    CHECK_FALSE(parse_target("llvm -mcpu=znver4", tiles)->bf16_tiles);
    CHECK(parse_target("llvm -tiles=f64", sample()).error().code == Code::BadArgument);
}

TEST_CASE("a target says whether it computes in f16", "[target]") {
    Target half = sample();
    half.f16_arithmetic = true;
    CHECK(parse_target(to_string(half), sample()).value() == half);
    CHECK(parse_target(to_string(sample()), half).value() == sample());
    CHECK(half.hash() != sample().hash());
    CHECK(parse_target("llvm -f16=native", sample())->f16_arithmetic);
    CHECK_FALSE(parse_target("llvm -f16=none", half)->f16_arithmetic);
    CHECK_FALSE(parse_target("llvm -mcpu=znver4", half)->f16_arithmetic);
    CHECK(parse_target("llvm -f16=yes", sample()).error().code == Code::BadArgument);
}

TEST_CASE("a target says how it multiplies bytes", "[target]") {
    for (const ByteProducts products : {ByteProducts::Dots, ByteProducts::Tiles}) {
        Target bytes = sample();
        bytes.byte_products = products;
        CHECK(parse_target(to_string(bytes), sample()).value() == bytes);
        CHECK(parse_target(to_string(sample()), bytes).value() == sample());
        CHECK(bytes.hash() != sample().hash());
        CHECK(parse_target("llvm -mcpu=znver4", bytes)->byte_products == ByteProducts::None);
    }
    CHECK(parse_target("llvm -bytes=dots", sample())->byte_products == ByteProducts::Dots);
    CHECK(parse_target("llvm -bytes=crumbs", sample()).error().code == Code::BadArgument);
}
