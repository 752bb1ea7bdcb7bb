#include "tests/core/schedule/walk.hpp"

#include "core/schedule/legality.hpp"
#include "core/schedule/locate.hpp"
#include "core/tensor/analysis.hpp"
#include "core/tensor/build.hpp"
#include "core/tensor/text.hpp"
#include "core/tensor/visitor.hpp"
#include "tests/backends/llvm/harness.hpp"
#include "tests/core/schedule/programs.hpp"

#include <algorithm>

namespace orrery::schedule::test {

namespace {

using namespace tensor;

/// Runs loops that may run in any order backwards: numbers then tell an illegal one.
class Backwards final : public Rewriter {
  public:
    bool changed = false;

  protected:
    using Rewriter::rewrite_node;
    Stmt rewrite_node(const For& node) override {
        const Stmt body = rewrite(node.body);
        const bool any_order =
            node.loop == LoopKind::Parallel || node.loop == LoopKind::Vectorized || node.annotations.contains("thread");
        if (!any_order) return For::make(node.var, node.extent, node.loop, body, node.annotations);
        changed = true;
        return For::make(node.var, node.extent, LoopKind::Serial,
                         substitute(body, {{node.var, node.extent - Expr(node.var) - 1}}), node.annotations);
    }
};

constexpr double kTolerance = 1e-4; ///< sums in another order, of at most some hundred numbers up to 2

} // namespace

Walk::Walk(Program program, std::uint64_t seed, bool compile)
    : original_(program), states_{std::move(program)}, random_(seed), compile_(compile) {
    inputs_ = arguments(original_, static_cast<unsigned>(seed));
    expected_ = testing::copies(inputs_);
    const Result<void> ran = interpret(original_, expected_);
    if (!ran) FAIL(to_string(ran.error()));
}

std::string Walk::draw_block() {
    const std::vector<const Block*> blocks = blocks_of(states_.back()->body);
    return blocks.empty() ? std::string("nobody") : blocks[below(blocks.size())]->fields.name;
}

std::vector<std::string> Walk::loops_of(const std::string& block) const {
    std::vector<std::string> out;
    if (const Result<BlockPlace> place = find_block(states_.back(), block))
        for (const For* loop : place->loops()) out.push_back(block + "." + loop->var->name);
    return out;
}

Arg Walk::draw_arg(const ArgInfo& info, const std::string& block) {
    const auto loop = [&](const std::string& of) {
        const std::vector<std::string> loops = loops_of(of);
        return loops.empty() ? of + ".none" : loops[below(loops.size())];
    };
    switch (info.kind) {
    case ArgKind::Loop: return loop(below(3) ? block : draw_block());
    case ArgKind::Loops: {
        std::vector<std::string> loops = loops_of(block);
        std::shuffle(loops.begin(), loops.end(), random_);
        loops.resize(std::min<std::size_t>(loops.size(), 2 + below(2)));
        return loops;
    }
    case ArgKind::Block: return below(8) ? block : loop(block);
    case ArgKind::Buffer: {
        const Result<BlockPlace> place = find_block(states_.back(), block);
        const auto read = place ? buffers_read(place->block->fields.body) : std::vector<Buffer>{};
        return read.empty() ? std::string("nothing") : read[below(read.size())]->name;
    }
    case ArgKind::Scope: return std::string(below(2) ? "stack" : below(2) ? "registers" : "global");
    case ArgKind::Integer: return static_cast<std::int64_t>(below(5));
    case ArgKind::Factors: {
        std::vector<std::int64_t> factors(2 + below(2), -1);
        for (std::size_t i = 1; i < factors.size(); ++i) factors[i] = 1 + static_cast<std::int64_t>(below(4));
        if (below(4) == 0) factors[0] = 1 + static_cast<std::int64_t>(below(4));
        return factors;
    }
    case ArgKind::Numbers: {
        const Result<BlockPlace> place = find_block(states_.back(), block);
        std::vector<std::int64_t> numbers(place ? place->block->fields.iters.size() : 1);
        for (std::int64_t& number : numbers) number = 1 + static_cast<std::int64_t>(below(4));
        return numbers;
    }
    case ArgKind::Text: return std::string("text");
    case ArgKind::Choice: return info.choices[below(info.choices.size())];
    }
    return std::int64_t{0};
}

/// A primitive that was found legal somewhere.
TraceStep Walk::draw_suggested() {
    const std::string block = draw_block();
    const std::vector<std::string> loops = loops_of(block);
    const std::string place = loops.empty() || below(3) == 0 ? block : loops[below(loops.size())];
    const Result<std::vector<Legality>> menu = legal_primitives(states_.back(), place);
    if (!menu || menu->empty()) return {"unroll", {place}};
    for (const Legality& line : *menu)
        if (!line.legal() && line.refusal.hint.empty()) FAIL("no remedy: " << to_string(line.refusal));
    for (int i = 0; i < 8; ++i) {
        const Legality& line = (*menu)[below(menu->size())];
        if (line.legal()) return line.steps[below(line.steps.size())];
    }
    return {"unroll", {place}};
}

TraceStep Walk::draw_step() {
    if (below(2)) return draw_suggested();
    const PrimitiveInfo* info = nullptr;
    while (!info || info->sampling) info = &primitives()[below(primitives().size())];
    TraceStep step{info->name, {}};
    const std::string block = draw_block();
    for (const ArgInfo& arg : info->args) {
        if (arg.optional && below(2)) break;
        step.args.push_back(draw_arg(arg, block));
    }
    return step;
}

std::string Walk::compare_with(const std::vector<NDArray>& args, const char* how) const {
    for (std::size_t i = original_->input_count; i < args.size(); ++i) {
        const Difference difference = compare(args[i], expected_[i]);
        const double allowed = is_float(args[i].dtype()) ? kTolerance : 0;
        if (!difference.same_type || !(difference.max_rel <= allowed))
            return std::string(how) + ": element " + std::to_string(difference.worst_index) + " of result " +
                   original_->params[i]->name + " is " + std::to_string(difference.actual) + " instead of " +
                   std::to_string(difference.expected);
    }
    return {};
}

std::string Walk::check(const Program& program, WalkCounts& counts) {
    if (const Result<void> sound = verify(program); !sound) return "the verifier: " + to_string(sound.error());
    const std::string text = to_string(program);
    const Result<Program> again = parse_program(text);
    if (!again) return "its text does not parse: " + to_string(again.error());
    if (!structural_equal(*again, program)) return "its text reads as another program";
    const auto run = [&](const Program& which, const char* how) -> std::string {
        std::vector<NDArray> args = testing::copies(inputs_);
        try {
            if (const Result<void> ran = interpret(which, args); !ran)
                return std::string(how) + ": " + to_string(ran.error());
        } catch (const InternalError& error) { // an access outside its buffer
            return std::string(how) + ": " + error.what();
        }
        return compare_with(args, how);
    };
    if (std::string wrong = run(program, "the interpreter"); !wrong.empty()) return wrong;
    Backwards backwards;
    const Program turned = backwards.rewrite(program);
    if (backwards.changed)
        if (std::string wrong = run(turned, "with parallel loops run backwards"); !wrong.empty()) return wrong;
    if (!compile_) return {};
    ++counts.compiled;
    std::vector<NDArray> args = testing::copies(inputs_);
    runtime::ThreadPool pool(2);
    testing::Compiled(program).run(args, pool);
    return compare_with(args, "compiled");
}

/// The failing trace without the steps it fails without.
Trace Walk::shrunk() {
    Trace best = trace_;
    WalkCounts ignored;
    for (std::size_t i = best.steps.size() - 1; i-- > 0;) {
        Trace shorter = best;
        shorter.steps.erase(shorter.steps.begin() + static_cast<std::ptrdiff_t>(i));
        const Result<Replay> replayed = replay(original_, shorter);
        if (replayed && !check(replayed->result(), ignored).empty()) best = std::move(shorter);
    }
    return best;
}

WalkFailure Walk::run(int length, WalkCounts& counts) {
    for (int i = 0; i < length; ++i) {
        if (!trace_.steps.empty() && below(6) == 0) {
            // Undo some, redo them: the same programs must come back.
            const std::size_t back = 1 + below(trace_.steps.size());
            const std::vector<Program> before = states_;
            states_.resize(states_.size() - back);
            counts.undone += static_cast<int>(back);
            for (std::size_t k = states_.size() - 1; k < trace_.steps.size(); ++k) {
                Result<Rewritten> next = apply_step(states_.back(), trace_.steps[k]);
                if (!next) return {"redo is refused: " + to_string(next.error()), trace_};
                states_.push_back(next->program);
                if (structural_hash(states_.back()) != structural_hash(before[k + 1]))
                    return {"redo gives another program", trace_};
                ++counts.redone;
            }
        }
        TraceStep step;
        ++counts.steps;
        Result<Rewritten> next = Diagnostic{};
        try {
            step = draw_step();
            next = apply_step(states_.back(), step);
        } catch (const InternalError& error) {
            trace_.steps.push_back(step);
            return {error.what(), trace_};
        }
        if (!next) {
            ++counts.refused[step.primitive];
            const Code code = next.error().code;
            if (code != Code::IllegalSchedule && code != Code::UnknownName && code != Code::BadArgument)
                return {"the refusal is " + to_string(next.error()), {{step}}};
            if (next.error().hint.empty()) return {"no remedy: " + to_string(next.error()), {{step}}};
            continue;
        }
        ++counts.accepted[step.primitive];
        trace_.steps.push_back(step);
        if (std::string wrong = check(next->program, counts); !wrong.empty()) return {wrong, shrunk()};
        states_.push_back(next->program);
    }
    // The trace as text, replayed from the start, and everything undone.
    const Result<Trace> parsed = parse_trace(to_string(trace_));
    if (!parsed || *parsed != trace_) return {"the trace does not read back", trace_};
    const Result<Replay> replayed = replay(original_, *parsed);
    if (!replayed) return {"replay: " + to_string(replayed.error()), trace_};
    if (structural_hash(replayed->result()) != structural_hash(states_.back())) return {"replay differs", trace_};
    counts.undone += static_cast<int>(trace_.steps.size());
    states_.resize(1);
    if (structural_hash(states_.back()) != structural_hash(original_))
        return {"undoing all gives another program", trace_};
    return {};
}

} // namespace orrery::schedule::test
