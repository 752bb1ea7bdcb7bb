// How fast a schedule can be edited: on ResNet-50's 3x3 convolution of 64 channels at 56 by 56, with bias and relu, the
// time of one primitive, of the menu of what is legal at each loop and block, of going back and forth, of replaying 40
// steps, and of the way from tensor IR to assembly. Each line: median and 95th percentile in milliseconds, and the
// goal.

#include "backends/llvm/llvm_backend.hpp"
#include "core/schedule/legality.hpp"
#include "core/schedule/locate.hpp"
#include "core/schedule/rules.hpp"
#include "core/tensor/text.hpp"
#include "tests/core/schedule/programs.hpp"

#include <algorithm>
#include <chrono>
#include <cstdio>

using namespace orrery;
using namespace orrery::schedule;

namespace {

template <class F> double time_ms(const F& work) {
    const auto start = std::chrono::steady_clock::now();
    work();
    return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
}

/// `goal`: 0 for none.
void report(const char* what, std::vector<double> times, double goal) {
    std::ranges::sort(times);
    const double p50 = times[times.size() / 2], p95 = times[times.size() * 95 / 100];
    if (goal == 0) return void(std::printf("%-44s p50 %8.3f  p95 %8.3f\n", what, p50, p95));
    std::printf("%-44s p50 %8.3f  p95 %8.3f  goal %5.0f  %s\n", what, p50, p95, goal, p95 <= goal ? "met" : "MISSED");
}

/// 40 steps: a tile of registers with everything named, then halves split off and fused again.
Trace forty_steps(const tensor::Program& program, const Target& target) {
    Trace trace = default_trace(program, target);
    while (trace.steps.size() + 2 <= 40) {
        const std::string loop = "relu.w_o";
        trace.steps.push_back({"split", {loop, std::vector<std::int64_t>{-1, 1}}});
        const Result<Replay> now = replay(program, trace);
        if (!now) {
            trace.steps.pop_back();
            trace.steps.push_back({"annotate", {std::string("relu"), std::string("note"), std::string("x")}});
            continue;
        }
        trace.steps.push_back({"fuse", {std::vector<std::string>{"relu.w_o_o", "relu.w_o_i"}}});
        break;
    }
    while (trace.steps.size() < 40)
        trace.steps.push_back(
            {"annotate", {std::string("conv"), "note" + std::to_string(trace.steps.size()), std::string("x")}});
    return trace;
}

} // namespace

int main() {
    const std::unique_ptr<Backend> backend = make_llvm_backend();
    const Target target = backend->host();
    const tensor::Program program = test::conv_bias_relu(64, 64, 56);
    const Trace trace = forty_steps(program, target);
    const Replay steps = *replay(program, trace);
    std::printf("trace of %zu steps; the default's:\n%s\n", trace.steps.size(),
                to_string(default_trace(program, target)).c_str());
    constexpr int kRounds = 20;

    std::vector<double> one, menu, all, back, code, cost;
    for (int round = 0; round < kRounds; ++round) {
        for (std::size_t i = 0; i < trace.steps.size(); ++i)
            one.push_back(time_ms([&] { (void)*apply_step(steps.programs[i], trace.steps[i]); }));
        all.push_back(time_ms([&] { (void)*replay(program, trace); }));
    }
    report("one primitive -> tensor IR", one, 5);
    for (std::size_t i = 0; i < trace.steps.size(); ++i) {
        std::vector<double> times;
        for (int round = 0; round < kRounds; ++round)
            times.push_back(time_ms([&] { (void)*apply_step(steps.programs[i], trace.steps[i]); }));
        std::ranges::sort(times);
        if (times.back() > 1)
            std::printf("    %.3f ms: %s\n", times[times.size() / 2], to_string(trace.steps[i]).c_str());
    }
    // Going back without what was kept: the trace without its last step from the start, and forth again.
    Trace shorter = trace;
    shorter.steps.resize(std::min<std::size_t>(shorter.steps.size(), 12));
    for (int round = 0; round < kRounds * 5; ++round)
        back.push_back(time_ms([&] {
            Trace undone = shorter;
            undone.steps.pop_back();
            const Replay before = *replay(program, undone);
            (void)*apply_step(before.result(), shorter.steps.back());
        }));
    report("undo and redo, nothing kept, 12 steps", back, 10);
    report("replay of 40 steps", all, 60);

    for (const tensor::Program& state :
         {program, steps.programs[std::min<std::size_t>(8, trace.steps.size())], steps.result()})
        for (const tensor::Block* block : blocks_of(state->body)) {
            std::vector<std::string> places{block->fields.name};
            for (const tensor::For* loop : find_block(state, block->fields.name)->loops())
                places.push_back(block->fields.name + "." + loop->var->name);
            for (const std::string& place : places) {
                const double ms = time_ms([&] { (void)legal_primitives(state, place); });
                menu.push_back(ms);
                if (ms > 15) std::printf("    %.1f ms: menu at %s\n", ms, place.c_str());
            }
        }
    report("menu of what is legal, a place", menu, 20);

    // Listings are shown before it is known what they cost (Backend::list_all). Whoever edits has seen code before: the
    // first of all is not timed.
    (void)*backend->list_all(program, target, {});
    for (int round = 0; round < kRounds * 5; ++round) {
        const auto begin = std::chrono::steady_clock::now();
        const auto now = [&] {
            return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin).count();
        };
        const Rewritten next = *apply_step(steps.programs[trace.steps.size() - 1], trace.steps.back());
        (void)tensor::print_program(next.program);
        (void)*backend->list_all(next.program, target, {}, [&](const FunctionCode&) { code.push_back(now()); });
        cost.push_back(now());
    }
    report("one primitive -> tensor IR, LLVM IR, assembly", code, 50);
    report("the same, and what the assembly costs", cost, 0);
    return 0;
}
