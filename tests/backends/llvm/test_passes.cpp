// LLVM's own passes are listed with what they changed, and its IR after any of them.

#include "backends/llvm/llvm_backend.hpp"
#include "core/tensor/text.hpp"

#include <catch2/catch.hpp>

using namespace orrery;

namespace {

tensor::Program program() {
    const auto parsed = tensor::parse_program(R"(fn scale(x: f32[64,32], f: f32[32]) -> (y: f32[64,32]) {
  for i in 64 {
    for j in 32 {
      block scaled(vi = i in 64, vj = j in 32) {
        reads x[vi, vj], f[vj]
        writes y[vi, vj]
        y[vi, vj] = x[vi, vj] * f[vj] + x[vi, vj] * f[vj]
      }
    }
  }
})");
    if (!parsed) FAIL(to_string(parsed.error()));
    return *parsed;
}

std::string text_of(const Listing& listing) {
    std::string text;
    for (const ListingLine& line : listing.lines) text += line.text + "\n";
    return text;
}

} // namespace

TEST_CASE("the passes over a loop nest, in order", "[llvm][passes]") {
    const auto backend = make_llvm_backend();
    const Target target = backend->host();
    const auto passes = backend->list_passes(program(), target, {}).value();
    REQUIRE(passes.size() >= 6);
    CHECK(passes.front().name == "SROA");
    CHECK(passes.back().name == "OpaqueBases");
    CHECK(std::ranges::any_of(passes, [](const BackendPass& p) { return p.name == "LICM"; }));
    CHECK(std::ranges::any_of(passes, [](const BackendPass& p) { return p.changed; }));
    for (const BackendPass& pass : passes) CHECK(pass.milliseconds >= 0);
    BuildOptions none;
    none.opt_level = 0;
    CHECK(backend->list_passes(program(), target, none).value().empty());
    BuildOptions low;
    low.opt_level = 1;
    const auto fewer = backend->list_passes(program(), target, low).value();
    for (const BackendPass& pass : fewer) CHECK(pass.name != "InstCombine");
}

TEST_CASE("the IR after a pass differs from the one before exactly when the pass changed something", "[llvm][passes]") {
    const auto backend = make_llvm_backend();
    const Target target = backend->host();
    const auto passes = backend->list_passes(program(), target, {}).value();
    std::string before = text_of(backend->list(program(), target, {}, ListingKind::BackendIr).value());
    for (std::size_t i = 0; i < passes.size(); ++i) {
        const std::string after = text_of(backend->list_after(program(), target, {}, i).value());
        INFO(passes[i].name << "\n" << before << "\n" << after);
        CHECK((after != before) == passes[i].changed);
        before = after;
    }
    CHECK(before == text_of(backend->list(program(), target, {}, ListingKind::OptimizedIr).value()));
    CHECK(backend->list_after(program(), target, {}, passes.size()).error().code == Code::UnknownName);
}
