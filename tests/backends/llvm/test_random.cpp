#include "tests/backends/llvm/harness.hpp"
#include "tests/core/tensor/random_program.hpp"

using namespace orrery;
using namespace orrery::testing;
using tensor::testing::ProgramGenerator;
using tensor::testing::RandomOptions;

TEST_CASE("random programs without library math agree with the interpreter in every bit", "[llvm][random]") {
    for (std::uint64_t seed = 0; seed < 150; ++seed) {
        INFO("seed " << seed);
        ProgramGenerator generator(seed, RandomOptions{.library_math = false});
        check_program(generator.program(), {.seed = seed + 1, .special = true});
    }
}
