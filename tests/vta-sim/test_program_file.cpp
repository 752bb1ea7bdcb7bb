#include "tests/vta-sim/random_programs.hpp"
#include "vta-sim/matmul.hpp"
#include "vta-sim/program.hpp"

#include <catch2/catch.hpp>

using namespace orrery::vta;
using orrery::vta::testing::Random;

namespace {

Program small_program() {
    Random random(5);
    MatmulJob job;
    job.shape = {3, 20, 40};
    job.tile = {1, 2, 1, 2};
    const auto input = testing::random_values(random, 3 * 40, 8);
    const auto weight = testing::random_values(random, 20 * 40, 8);
    job.tensors = {input, weight, {}};
    return matmul_program(Config{}, job).value();
}

} // namespace

TEST_CASE("programs survive the file format", "[vta][program]") {
    const Program program = small_program();
    const std::vector<std::uint8_t> bytes = to_bytes(program).value();
    const Result<Program> again = program_from_bytes(bytes);
    REQUIRE(again);
    CHECK(*again == program);
}

TEST_CASE("a truncated file is refused at every length", "[vta][program]") {
    const std::vector<std::uint8_t> bytes = to_bytes(small_program()).value();
    for (std::size_t size = 0; size < bytes.size(); size += 1 + size / 50) {
        const Result<Program> program = program_from_bytes(std::span(bytes).first(size));
        REQUIRE_FALSE(program);
    }
}

TEST_CASE("a damaged file is refused or read, and never breaks", "[vta][program]") {
    const std::vector<std::uint8_t> bytes = to_bytes(small_program()).value();
    Random random(6);
    int refused = 0;
    for (int i = 0; i < 500; ++i) {
        std::vector<std::uint8_t> damaged = bytes;
        for (int k = 0; k < 3; ++k) {
            damaged[random() % std::min<std::size_t>(damaged.size(), 2000)] = static_cast<std::uint8_t>(random());
        }
        refused += program_from_bytes(damaged, 1 << 24) ? 0 : 1;
    }
    CHECK(refused > 250);
}

TEST_CASE("an image larger than allowed is refused before it is allocated", "[vta][program]") {
    Program program;
    program.dram.resize(1 << 16);
    const std::vector<std::uint8_t> bytes = to_bytes(program).value();
    CHECK(program_from_bytes(bytes, 1 << 16));
    CHECK(program_from_bytes(bytes, (1 << 16) - 1).error().code == ErrorCode::BadFile);
    CHECK(bytes.size() < 4096); // pages of zeros are left out
}
