#include "tests/backends/llvm/harness.hpp"
#include "tests/core/tensor/random_program.hpp"

using namespace orrery;
using namespace orrery::testing;
using tensor::testing::ProgramGenerator;
using tensor::testing::RandomOptions;

namespace {

/// This machine as if it could do less.
Target lesser(const char* cpu, int vector_bits) {
    Target target = llvm_backend().host();
    target.cpu = cpu;
    target.features.clear();
    target.vector_bits = vector_bits;
    target.vector_registers = 16;
    return target;
}

bool runs_x86_v3() {
    const Target host = llvm_backend().host();
    return host.triple.find("x86_64") == 0 && host.features.find("+avx2") != std::string::npos;
}

} // namespace

TEST_CASE("random programs without library math agree with the interpreter in every bit", "[llvm][random]") {
    for (std::uint64_t seed = 0; seed < 150; ++seed) {
        INFO("seed " << seed);
        ProgramGenerator generator(seed, RandomOptions{.library_math = false});
        check_program(generator.program(), {.seed = seed + 1, .special = true});
    }
}

TEST_CASE("and so they do unoptimized, with bounds checked, and for machines that can do less", "[llvm][random]") {
    for (std::uint64_t seed = 1000; seed < 1060; ++seed) {
        INFO("seed " << seed);
        ProgramGenerator generator(seed, RandomOptions{.library_math = false});
        const tensor::Program program = generator.program();
        check_program(program, {.seed = seed, .special = true, .options = {.opt_level = 0, .contract = false}});
        check_program(program, {.seed = seed, .options = {.opt_level = 1, .contract = false, .bounds_checks = true}});
        if (!runs_x86_v3()) continue;
        check_program(program,
                      {.seed = seed, .special = true, .options = {.contract = false}, .target = lesser("x86-64", 128)});
        check_program(
            program,
            {.seed = seed, .special = true, .options = {.contract = false}, .target = lesser("x86-64-v3", 256)});
    }
}

TEST_CASE("random programs with library math agree with the interpreter closely", "[llvm][random]") {
    // Float results that integers and comparisons then depend on may differ by a rounding, so floats stay floats here.
    for (std::uint64_t seed = 2000; seed < 2080; ++seed) {
        INFO("seed " << seed);
        ProgramGenerator generator(seed, RandomOptions{.max_stages = 1, .structure = true, .all_dtypes = true});
        const tensor::Buffer x = tensor::make_buffer("x", DType::F32, {37});
        const tensor::Buffer y = tensor::make_buffer("y", DType::F32, {37});
        const tensor::VarRef i = tensor::Var::make("i");
        generator.readable({x});
        const tensor::Intrinsic intrinsic =
            static_cast<tensor::Intrinsic>(static_cast<int>(tensor::Intrinsic::Sqrt) + seed % 20);
        const tensor::Expr value = tensor::call(intrinsic, tensor::load(x, {i}) * tensor::constant(DType::F32, 0.2));
        const tensor::Stmt store = tensor::Store::make(y, {i}, value);
        const tensor::LoopKind kind = seed % 2 == 0 ? tensor::LoopKind::Vectorized : tensor::LoopKind::Serial;
        const tensor::Stmt loop = tensor::For::make(i, tensor::imm(37), kind, store);
        check_program(tensor::make_program("math", {x, y}, 1, loop), {.tolerance = 1e-6, .seed = seed});
    }
}
