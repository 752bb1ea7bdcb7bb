// What the processor's model says of generated loops, and the two syntaxes of their assembly.

#include "backends/llvm/llvm_backend.hpp"
#include "core/tensor/text.hpp"

#include <catch2/catch.hpp>

#include <algorithm>

using namespace orrery;

namespace {

tensor::Program parse(std::string_view text) {
    const auto parsed = tensor::parse_program(text);
    if (!parsed) FAIL(to_string(parsed.error()));
    return *parsed;
}

/// y = x * f + 1 over vectors of 16, looped over a thousand times.
tensor::Program streaming() {
    return parse(R"(fn scale(x: f32[1000,16], f: f32[16]) -> (y: f32[1000,16]) {
  for i in 1000 {
    vectorized j in 16 {
      block scaled(vi = i in 1000, vj = j in 16) {
        reads x[vi, vj], f[vj]
        writes y[vi, vj]
        y[vi, vj] = x[vi, vj] * f[vj] + 1.0
      }
    }
  }
})");
}

/// A sum whose every step waits for the one before.
tensor::Program chain() {
    return parse(R"(fn total(x: f32[1000]) -> (y: f32[1]) {
  for k in 1000 {
    block sum(reduce vk = k in 1000) {
      reads x[vk]
      writes y[0]
      init {
        y[0] = 0.0
      }
      y[0] = y[0] + x[vk]
    }
  }
})");
}

Target server() {
    Target target;
    target.triple = "x86_64-unknown-linux-gnu";
    target.cpu = "znver4";
    target.vector_bits = 512;
    target.vector_registers = 32;
    return target;
}

FunctionCode code_of(const tensor::Program& program, const Target& target) {
    auto code = make_llvm_backend()->list_all(program, target, {});
    if (!code) FAIL(to_string(code.error()));
    return std::move(*code);
}

const LoopCost& only_inner(const FunctionCode& code) {
    REQUIRE(std::ranges::count_if(code.cost.loops, &LoopCost::innermost) == 1);
    return *std::ranges::find_if(code.cost.loops, &LoopCost::innermost);
}

std::string text_of(const Listing& listing) {
    std::string text;
    for (const ListingLine& line : listing.lines) text += line.text + "\n";
    return text;
}

} // namespace

TEST_CASE("all listings at once are those made one by one", "[llvm][cost]") {
    const auto backend = make_llvm_backend();
    const FunctionCode code = code_of(streaming(), server());
    for (const auto& [listing, kind] :
         {std::pair(&code.ir, ListingKind::BackendIr), std::pair(&code.optimized_ir, ListingKind::OptimizedIr),
          std::pair(&code.assembly, ListingKind::Assembly)})
        CHECK(text_of(*listing) == text_of(backend->list(streaming(), server(), {}, kind).value()));
    CHECK(code.passes.size() == backend->list_passes(streaming(), server(), {}).value().size());
}

TEST_CASE("a loop over whole vectors is bound by ports or dispatch, not by its results", "[llvm][cost]") {
    const FunctionCode code = code_of(streaming(), server());
    CHECK(code.cost.unknown.empty());
    CHECK(code.cost.cpu == "znver4");
    REQUIRE(code.cost.instructions.size() == code.assembly.lines.size());
    const LoopCost& loop = only_inner(code);
    CHECK(loop.vector_bits == 512);
    CHECK(loop.stack == 0);
    CHECK(loop.instructions >= 4); // load, multiply and add, store, count, jump
    CHECK(loop.cycles >= 0.9);
    CHECK(loop.cycles <= 8);
    CHECK((loop.bound == LoopBound::Ports || loop.bound == LoopBound::Dispatch));
    CHECK(loop.latency > loop.cycles);
    REQUIRE(!loop.ports.empty());
    CHECK(std::ranges::is_sorted(loop.ports, std::ranges::greater{}, &PortUse::cycles));
    CHECK(describe(loop, code.cost).find("cycles an iteration, bound by") != std::string::npos);
}

TEST_CASE("a sum is bound by the addition each iteration waits for", "[llvm][cost]") {
    const FunctionCode code = code_of(chain(), server());
    const LoopCost& loop = only_inner(code);
    INFO(text_of(code.assembly));
    CHECK(loop.bound == LoopBound::Dependence);
    CHECK(loop.cycles >= 2.5); // an addition of floats takes 3 cycles there (AMD's optimization guide, family 19h)
    CHECK(describe(loop, code.cost).ends_with("results that the next iteration waits for"));
}

TEST_CASE("instructions say what they cost and whether they touch memory", "[llvm][cost]") {
    const FunctionCode code = code_of(streaming(), server());
    int loads = 0, stores = 0;
    for (std::size_t i = 0; i < code.assembly.lines.size(); ++i) {
        const std::string& text = code.assembly.lines[i].text;
        const InstructionCost& cost = code.cost.instructions[i];
        if (!text.starts_with(" ")) {
            CHECK(cost.micro_ops == 0);
            continue;
        }
        CHECK(cost.micro_ops >= 0);
        loads += cost.loads ? 1 : 0;
        stores += cost.stores ? 1 : 0;
        if (text.find("vfmadd") != std::string::npos) CHECK(cost.latency >= 4);
    }
    CHECK(loads >= 1);
    CHECK(stores >= 1);
}

TEST_CASE("both syntaxes have the same lines", "[llvm][cost]") {
    const FunctionCode code = code_of(streaming(), server());
    REQUIRE(code.att.lines.size() == code.assembly.lines.size());
    const auto line = std::ranges::find_if(
        code.assembly.lines, [](const ListingLine& l) { return l.text.find("zmm") != std::string::npos; });
    REQUIRE(line != code.assembly.lines.end());
    const ListingLine& att = code.att.lines[static_cast<std::size_t>(line - code.assembly.lines.begin())];
    CHECK(att.text.find("%zmm") != std::string::npos);
    CHECK(line->text.find('%') == std::string::npos);
    CHECK(att.tensor_line == line->tensor_line);
}

TEST_CASE("another machine's code is modelled too, or says why not", "[llvm][cost]") {
    Target arm;
    arm.triple = "aarch64-unknown-linux-gnu";
    arm.cpu = "neoverse-n1";
    arm.vector_registers = 32;
    const FunctionCode code = code_of(streaming(), arm);
    CHECK(code.att.lines.empty());
    CHECK(code.cost.unknown.empty());
    CHECK(only_inner(code).cycles > 0);
    Target plain;
    plain.triple = "riscv64-unknown-linux-gnu";
    const FunctionCode other = code_of(streaming(), plain);
    CHECK(other.cost.unknown.find("no model of the pipeline") != std::string::npos);
    CHECK_FALSE(other.cost.loops.empty());
}
