// prefetch: what a later iteration of a loop reads is fetched while this one computes.

#include "core/schedule/dependence.hpp"
#include "core/schedule/locate.hpp"
#include "core/schedule/motion.hpp"
#include "core/schedule/primitives.hpp"
#include "core/schedule/tiles.hpp"
#include "core/tensor/build.hpp"
#include "core/tensor/visitor.hpp"

#include <algorithm>
#include <span>

namespace orrery::schedule {

using namespace tensor; // every name here is a node of tensor IR

namespace {

/// Each is an instruction. Source: our choice; a core waits for some tens of lines at once.
constexpr std::int64_t kMostLinesAtOnce = 64;

/// A box of a buffer as cache lines: `rows` runs of elements that lie side by side, through dimensions `from` on.
struct BoxLines {
    std::vector<std::int64_t> extents;
    std::size_t from = 0;
    std::int64_t rows = 1, of_run = 1, elements = 1; ///< lines of a run, elements of a line
    [[nodiscard]] std::int64_t count() const { return rows * of_run; }
};

BoxLines lines_of(const Buffer& buffer, const std::vector<Need>& needs) {
    BoxLines out;
    for (const Need& need : needs) out.extents.push_back(need.extent);
    const std::vector<std::int64_t> shape = buffer->static_shape();
    out.from = shape.empty() ? 0 : shape.size() - 1;
    while (out.from > 0 && out.extents[out.from] == shape[out.from]) --out.from;
    std::int64_t run = 1;
    for (std::size_t d = 0; d < shape.size(); ++d) (d < out.from ? out.rows : run) *= out.extents[d];
    out.elements = std::max<std::int64_t>(1, kCacheLineBytes / byte_size(buffer->dtype));
    out.of_run = (run + out.elements - 1) / out.elements;
    return out;
}

/// The first element of a line of the box, relative to its corner.
std::vector<Expr> element_of_line(const BoxLines& lines, const Expr& line) {
    std::vector<Expr> out(lines.extents.size(), imm(0));
    const auto unfold = [&](Expr number, std::size_t begin, std::size_t end) {
        for (std::size_t d = end; d-- > begin; number = floor_div(number, imm(lines.extents[d])))
            out[d] = d == begin ? number : floor_mod(number, imm(lines.extents[d]));
    };
    unfold(floor_div(line, imm(lines.of_run)), 0, lines.from);
    unfold(floor_mod(line, imm(lines.of_run)) * imm(lines.elements), lines.from, out.size());
    return out;
}

/// Which of the steps that share the work this is, from the loop inwards to the one at which lines are fetched, and how
/// many steps there are.
struct Steps {
    Expr number = imm(0);
    std::int64_t count = 1;
    Bounds bounds; ///< of all loops around
};

Result<Steps> steps_of(const LoopPlace& from, const LoopPlace& at, std::int64_t distance, const Refusal& refuse) {
    Steps out;
    out.bounds = bounds_outside(at.block.path, at.at + 1);
    for (std::size_t i = from.at; i <= at.at; ++i) {
        const For* loop = as<For>(at.block.path[i]);
        if (as<Block>(at.block.path[i])) return refuse("a block is around it", "prefetch before blockize");
        if (!loop) continue;
        const auto extent = as_int(loop->extent);
        if (!extent || *extent < 1)
            return refuse("loop " + loop->var->name + " has no constant extent", "give the size a value");
        if (loop->loop == LoopKind::Vectorized)
            return refuse("loop " + loop->var->name + " runs as vectors", "fetch in a loop around it");
        const Expr var(loop->var);
        const std::int64_t times = i == from.at ? distance : *extent;
        out.number = out.number * imm(times) + (i == from.at ? floor_mod(var, imm(times)) : var);
        out.count *= times;
    }
    return out;
}

/// Fetches the lines that are this step's, in terms of loops around and, where there are several, of one of its own.
Stmt fetch(const Buffer& buffer, const std::vector<Need>& needs, const Steps& steps, const OriginSet& origin) {
    const BoxLines lines = lines_of(buffer, needs);
    const std::int64_t each = (lines.count() + steps.count - 1) / steps.count;
    Bounds bounds = steps.bounds;
    const VarRef own = Var::make("line");
    bounds[own] = {0, each - 1};
    // Past the end the last lines are asked for again, which costs next to nothing: they are near.
    const Expr first = min(steps.number * imm(each), imm(lines.count() - each));
    std::vector<Expr> at = element_of_line(lines, each > 1 ? first + Expr(own) : first);
    for (std::size_t d = 0; d < at.size(); ++d) at[d] = simplify(needs[d].min + at[d], bounds);
    const Stmt one = Prefetch::make(buffer, std::move(at), origin);
    return each > 1 ? For::make(own, imm(each), LoopKind::Unrolled, one) : one;
}

} // namespace

Result<Rewritten> prefetch(const Program& program, const std::string& loop, const std::string& name,
                           const std::string& inner, std::int64_t distance) {
    ORRERY_TRY(const LoopPlace place, find_loop(program, loop));
    ORRERY_TRY(const LoopPlace at, find_loop(program, inner));
    const Refusal refuse{"prefetch", program, "loop " + loop};
    const auto inputs = std::span(program->params).first(program->input_count);
    const auto buffer = std::ranges::find(inputs, name, [](const Buffer& input) { return input->name; });
    if (buffer == inputs.end())
        return refuse("there is no input named " + name, "choose an input that its block reads");
    if (!std::ranges::all_of((*buffer)->shape, [](const Expr& size) { return as_int(size).has_value(); }))
        return refuse("the shape of " + name + " is not constant", "give the size a value");
    if (at.at < place.at || at.block.path[place.at] != place.block.path[place.at])
        return refuse("loop " + inner + " is not inside", "fetch in a loop inside of it, or in the loop itself");
    if (distance < 1) return refuse("the distance is no number of iterations", "1 is the next iteration");
    ORRERY_TRY(Steps steps, steps_of(place, at, distance, refuse));
    const For& around = place.loop();
    const std::int64_t extent = extent_of(around.extent);
    if (distance >= extent)
        return refuse("it has " + std::to_string(extent) + " iterations, and none is " + std::to_string(distance) +
                          " further on",
                      "choose a smaller distance, or a loop around it");
    std::vector<Need> needs =
        needs_of(*buffer, around.body, bounds_outside(place.block.path, place.at + 1), Uses::Reads);
    if (needs.empty()) return refuse("nothing of " + name + " is read in it", "choose an input that its block reads");
    if (std::ranges::none_of(needs, [&](const Need& need) { return uses_var(need.min, around.var); }))
        return refuse("all of its iterations read the same of " + name,
                      "choose a loop along which " + name + " moves on");
    const std::int64_t lines = lines_of(*buffer, needs).count();
    if (lines > steps.count * kMostLinesAtOnce)
        return refuse("each iteration of " + inner + " would fetch more than " + std::to_string(kMostLinesAtOnce) +
                          " cache lines",
                      "fetch in a loop further inside");
    for (Need& need : needs)
        need.min = substitute(need.min, {{around.var, min(Expr(around.var) + imm(distance), imm(extent - 1))}});
    const For& user = at.loop();
    const Stmt body = Seq::make({fetch(*buffer, needs, steps, place.block.block->origin), user.body});
    const Stmt made = For::make(user.var, user.extent, user.loop, body, user.annotations);
    return Rewritten{replace_stmt(program, at.block.path[at.at], made), {}};
}

} // namespace orrery::schedule
