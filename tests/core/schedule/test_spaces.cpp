// Traces opened into spaces: what is in them, that it applies, and that it computes the same.

#include "core/schedule/rules.hpp"
#include "core/schedule/spaces.hpp"
#include "core/tensor/analysis.hpp"
#include "core/tensor/text.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <random>
#include <set>

using namespace orrery;
using namespace orrery::schedule;

namespace {

/// A padded convolution in channel blocks with a bias and a relu, as models have it, small.
tensor::Program convolution() {
    return tensor::parse_program(R"(
fn conv_relu(x: f32[1,2,8,8,4], w: f32[4,2,3,3,4,8], b: f32[4,8]) -> (y: f32[1,4,8,8,8]) {
  alloc pad: f32[1,2,10,10,4] scope global
  alloc conv: f32[1,4,8,8,8] scope global
  for n in 1 { for c in 2 { for d in 10 { for h in 10 { for w_1 in 4 {
    block pad(vn = n in 1, vc = c in 2, vh = d in 10, vw = h in 10, vi = w_1 in 4) {
      reads x[vn, vc, vh - 1, vw - 1, vi]
      writes pad[vn, vc, vh, vw, vi]
      pad[vn, vc, vh, vw, vi] = select(vh >= 1 && vh < 9 && vw >= 1 && vw < 9, x[vn, vc, vh - 1, vw - 1, vi], 0.0)
    } } } } } }
  for n_1 in 1 { for c_1 in 4 { for h_1 in 8 { for w_2 in 8 { for ci in 8 { for ic in 2 { for kh in 3 { for kw in 3 { for ii in 4 {
    block conv(vn = n_1 in 1, vc = c_1 in 4, vh = h_1 in 8, vw = w_2 in 8, vci = ci in 8, reduce vic = ic in 2, reduce vkh = kh in 3, reduce vkw = kw in 3, reduce vii = ii in 4) {
      reads conv[vn, vc, vh, vw, vci], pad[vn, vic, vh + vkh, vw + vkw, vii], w[vc, vic, vkh, vkw, vii, vci]
      writes conv[vn, vc, vh, vw, vci]
      init { conv[vn, vc, vh, vw, vci] = 0.0 }
      conv[vn, vc, vh, vw, vci] = conv[vn, vc, vh, vw, vci] + pad[vn, vic, vh + vkh, vw + vkw, vii] * w[vc, vic, vkh, vkw, vii, vci]
    } } } } } } } } } }
  for n_2 in 1 { for c_2 in 4 { for h_2 in 8 { for w_3 in 8 { for ci_2 in 8 {
    block relu(vn = n_2 in 1, vc = c_2 in 4, vh = h_2 in 8, vw = w_3 in 8, vci = ci_2 in 8) {
      reads conv[vn, vc, vh, vw, vci], b[vc, vci]
      writes y[vn, vc, vh, vw, vci]
      y[vn, vc, vh, vw, vci] = max(conv[vn, vc, vh, vw, vci] + b[vc, vci], 0.0)
    } } } } } }
})")
        .value();
}

Target wide() {
    Target target;
    target.triple = "x86_64-pc-linux-gnu";
    target.vector_bits = 256, target.vector_registers = 16, target.cores = 2;
    return target;
}

NDArray filled(const tensor::Buffer& buffer, std::mt19937& random) {
    NDArray out = NDArray::allocate(buffer->dtype, buffer->static_shape());
    for (float& value : out.mutable_values<float>()) value = static_cast<float>(random() % 17) - 8.0F;
    return out;
}

std::vector<NDArray> computed(const tensor::Program& program) {
    std::mt19937 random(7);
    std::vector<NDArray> arguments;
    for (const tensor::Buffer& buffer : program->params) arguments.push_back(filled(buffer, random));
    REQUIRE(tensor::interpret(program, arguments));
    return {arguments.begin() + static_cast<std::ptrdiff_t>(program->input_count), arguments.end()};
}

} // namespace

TEST_CASE("an opened trace decides as it did before", "[schedule][spaces]") {
    const tensor::Program program = convolution();
    const Trace trace = default_trace(program, wide());
    const Trace open = open_trace(program, trace, wide());
    CHECK(fix_all(open).value() == trace);
    CHECK(space_size(open) > 10);
    for (const KnobUse& use : knobs_of(open)) {
        CHECK(use.knob.candidates.size() >= 2);
        CHECK(std::ranges::is_sorted(use.knob.candidates));
        for (const std::int64_t value : use.knob.candidates) CHECK(value >= 1);
    }
    // What is open already stays so; nothing to open gives the same trace.
    CHECK(open_trace(program, open, wide()) == open);
    CHECK(open_trace(program, {}, wide()) == Trace());
}

TEST_CASE("spaces are alternatives that apply, the trace itself first", "[schedule][spaces]") {
    const tensor::Program program = convolution();
    const Trace trace = default_trace(program, wide());
    const std::vector<Space> spaces = spaces_of(program, trace, wide(), 40);
    REQUIRE(spaces.size() > 10);
    CHECK(spaces.front().name == "as scheduled");
    CHECK(spaces.front().trace == open_trace(program, trace, wide()));
    std::set<std::string> names, texts;
    for (const Space& space : spaces) {
        INFO(space.name << "\n" << to_string(space.trace));
        const Result<Replay> done = replay(program, space.trace);
        REQUIRE(done);
        CHECK(structural_equal(done->result(), space.replay.result()));
        CHECK(done->programs.size() == space.replay.programs.size());
        names.insert(space.name), texts.insert(to_string(space.trace));
    }
    CHECK(texts.size() == spaces.size());
    for (const char* name :
         {"rows h_2", "split ic", "unroll ii", "pad inside", "pad in place", "order kh kw ii ic", "ic around h_2"}) {
        INFO(name);
        const bool there =
            std::ranges::any_of(names, [&](const std::string& n) { return n.find(name) != std::string::npos; });
        CHECK((there || std::string(name) == "split ic")); // of two iterations there is nothing to split
    }
    CHECK(spaces_of(program, trace, wide(), 5).size() == 5);
    CHECK(spaces_of(program, trace, wide(), 40).back().trace == spaces.back().trace); // the same for the same trace
    CHECK(spaces_of(program, {}, wide(), 8).size() == 1);
    const Trace wrong = parse_trace("unroll(relu.nowhere)").value();
    CHECK(spaces_of(program, wrong, wide(), 8).empty());
}

TEST_CASE("every point of a space that applies computes the same", "[schedule][spaces]") {
    const tensor::Program program = convolution();
    const std::vector<NDArray> expected = computed(program);
    const std::vector<Space> spaces = spaces_of(program, default_trace(program, wide()), wide(), 24);
    std::mt19937_64 random(Catch::rngSeed());
    int applied = 0, refused = 0;
    for (const Space& space : spaces)
        for (int i = 0; i < 2; ++i) {
            const Trace trace = i == 0 ? space.trace : nth(space.trace, random() % space_size(space.trace));
            const Result<Applied> done = apply_decided(program, trace);
            INFO(space.name << "\n" << to_string(trace));
            if (!done) {
                ++refused;
                CHECK(done.error().code == Code::IllegalSchedule);
                continue;
            }
            ++applied;
            REQUIRE(tensor::verify(done->program));
            CHECK(tensor::structural_equal(replay(program, done->trace).value().result(), done->program));
            const Difference difference = compare(computed(done->program)[0], expected[0]);
            CHECK(difference.same_type);
            CHECK(difference.max_rel < 1e-5); // whole numbers: sums in any order are exact
        }
    CHECK(applied > refused);
}
