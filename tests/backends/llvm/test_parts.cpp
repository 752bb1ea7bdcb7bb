// Listings made in parts at the same time are those of the whole, line by line.
#include "tests/backends/llvm/harness.hpp"
#include "tests/core/tensor/random_program.hpp"

using namespace orrery;
using namespace orrery::testing;
using tensor::testing::ProgramGenerator;
using tensor::testing::RandomOptions;

namespace {

/// Two parallel loops of different lengths, and something beside them.
const char* const kRegions = R"(fn f(x: f32[16,40], w: f32[40,24]) -> (y: f32[16,24], z: f32[16], s: f32[1]) {
  alloc t: f32[16,40] scope global
  parallel a in 16 { vectorized b in 40 { t[a, b] = select(x[a, b] < 0.5, x[a, b] * 2.5, exp(x[a, b])) } }
  parallel i in 16 {
    for j in 3 {
      vectorized l in 8 { y[i, j * 8 + l] = 0.0 }
      for k in 40 { vectorized m in 8 { y[i, j * 8 + m] = y[i, j * 8 + m] + t[i, k] * w[k, j * 8 + m] } }
    }
  }
  for o in 16 { z[o] = t[o, 0] + 1.25 }
  s[0] = t[3, 3] * 0.75
})";

/// Lines with their places in the tensor program.
std::string lines_of(const Listing& listing) {
    std::string text;
    for (const ListingLine& line : listing.lines) text += std::to_string(line.tensor_line) + " " + line.text + "\n";
    return text;
}

void check_listings(const tensor::Program& program, const Target& target, const BuildOptions& options) {
    INFO(to_string(target) << "\n" << tensor::to_string(program));
    const Backend& backend = llvm_backend();
    std::size_t told = 0;
    const Result<FunctionCode> code = backend.list_all(program, target, options, [&](const FunctionCode& early) {
        CHECK(early.cost_pending);
        told = early.assembly.lines.size();
    });
    REQUIRE(code);
    CHECK(told == code->assembly.lines.size());
    CHECK(lines_of(code->ir) == lines_of(backend.list(program, target, options, ListingKind::BackendIr).value()));
    CHECK(lines_of(code->optimized_ir) ==
          lines_of(backend.list(program, target, options, ListingKind::OptimizedIr).value()));
    CHECK(lines_of(code->assembly) == lines_of(backend.list(program, target, options, ListingKind::Assembly).value()));
    const std::vector<BackendPass> passes = backend.list_passes(program, target, options).value();
    REQUIRE(code->passes.size() == passes.size());
    for (std::size_t i = 0; i < passes.size(); ++i) {
        CHECK(code->passes[i].name == passes[i].name);
        CHECK(code->passes[i].changed == passes[i].changed);
        CHECK(code->passes[i].instructions == passes[i].instructions);
    }
}

} // namespace

TEST_CASE("a program in parts reads as the whole, for machines of every kind", "[llvm][parts]") {
    for (const char* machine :
         {"llvm", "llvm -mtriple=x86_64-linux-gnu -mcpu=x86-64", "llvm -mtriple=x86_64-linux-gnu -mcpu=skylake-avx512",
          "llvm -mtriple=aarch64-linux-gnu -mcpu=cortex-a72", "llvm -mtriple=riscv64-linux-gnu -mcpu=sifive-u74",
          "llvm -mtriple=x86_64-apple-macosx -mcpu=haswell", "llvm -mtriple=armv7-linux-gnueabihf -mcpu=cortex-a15"}) {
        const Target target = llvm_backend().read_target(machine).value();
        for (const int level : {0, 3}) check_listings(parsed(kRegions), target, {.opt_level = level});
        check_listings(parsed(kRegions), target, {.bounds_checks = true});
    }
}

TEST_CASE("the cost of code made in parts is known, loop by loop", "[llvm][parts]") {
    const Target target = llvm_backend().read_target("llvm -mtriple=x86_64-linux-gnu -mcpu=znver3").value();
    const FunctionCode code = llvm_backend().list_all(parsed(kRegions), target, {}).value();
    CHECK(code.cost.unknown.empty());
    REQUIRE(code.cost.instructions.size() == code.assembly.lines.size());
    REQUIRE(code.att.lines.size() == code.assembly.lines.size());
    for (std::size_t i = 0; i < code.assembly.lines.size(); ++i) {
        const std::string& line = code.assembly.lines[i].text;
        if (line.back() == ':') continue;
        INFO(line);
        CHECK(code.cost.instructions[i].micro_ops + code.cost.instructions[i].latency > 0);
        CHECK(code.att.lines[i].text != line.substr(0, line.find(' ')));
    }
    CHECK(code.cost.loops.size() >= 4);
}

TEST_CASE("random programs in parts read as the whole", "[llvm][parts]") {
    for (std::uint64_t seed = 4000; seed < 4015; ++seed) {
        INFO("seed " << seed);
        ProgramGenerator generator(seed, RandomOptions{});
        check_listings(generator.program(), llvm_backend().host(), {});
    }
}
