#include "core/schedule/step_rules.hpp"

#include "core/schedule/accesses.hpp"
#include "core/schedule/locate.hpp"
#include "core/schedule/tile_shape.hpp"
#include "core/tensor/build.hpp"
#include "core/tensor/visitor.hpp"

#include <algorithm>
#include <span>

namespace orrery::schedule {

using namespace tensor; // every name here is a node of tensor IR

namespace {

class Steps : TraceWriter {
  public:
    using TraceWriter::TraceWriter;

    void run() {
        for (const std::string& name : block_names())
            if (reduces(*find(name))) write_out(name);
    }

  private:
    void write_out(const std::string& name) {
        // Our choice, measured (docs/performance.md): eight are no faster, nor are four of a window's channels.
        constexpr std::int64_t kSteps = 4, kInWindows = 2;
        const Result<BlockPlace> place = find_block(program_, name);
        if (!place) return;
        const std::vector<const For*> loops = place->loops();
        const auto sums = [&](const For* loop) {
            return std::ranges::any_of(place->block->fields.iters, [&](const BlockIter& iter) {
                return iter.kind == IterKind::Reduce && uses_var(iter.binding, loop->var);
            });
        };
        const auto first = std::ranges::find_if(loops, sums);
        const auto last = std::find_if(loops.rbegin(), loops.rend(), sums);
        if (first == loops.end() || last == loops.rbegin() || (*last)->loop != LoopKind::Serial) return;
        const bool written_out =
            std::all_of(loops.rbegin(), last, [](const For* loop) { return loop->loop != LoopKind::Serial; });
        const auto extent = as_int((*last)->extent);
        const auto around = std::count_if(loops.begin(), loops.end(), [&](const For* loop) {
            return sums(loop) && as_int(loop->extent).value_or(2) > 1;
        });
        const std::int64_t steps = extent ? choose_divisor(*extent, around > 2 ? kInWindows : kSteps) : 1;
        // Beside a prefetch the wait for what comes from far away decides, and it asks most evenly as it is.
        const auto fetching = [](const For* loop) { return loop->body->kind == NodeKind::Seq; };
        const bool fetches = fetching(*last) || (last + 1 != loops.rend() && fetching(*(last + 1)));
        if (!written_out || steps < 2 || fetches) return;
        const std::string loop = name + "." + (*last)->var->name;
        if (read_along_lanes(*place->block, std::span(first, loops.end())) <= target_.l1_bytes / 2) {
            if (steps < extent && fills_registers(*place->block, std::span(last.base(), loops.end()), target_))
                step("split", {loop, std::vector<std::int64_t>{-1, steps}});
            return;
        }
        if (steps == extent)
            step("unroll", {loop});
        else if (step("split", {loop, std::vector<std::int64_t>{-1, steps}}))
            step("unroll", {loop + "_i"});
    }

    /// Bytes that one run of these loops reads along their last one, the lanes; 0 where all that is read moves with
    /// them.
    static std::int64_t read_along_lanes(const Block& block, std::span<const For* const> loops) {
        VarMap bindings;
        for (const BlockIter& iter : block.fields.iters) bindings[iter.var] = iter.binding;
        LoadCollector collector;
        collector.visit(block.fields.body);
        const Buffer sums = element_of(block);
        std::int64_t bytes = 0;
        bool shares = false;
        for (const Load* load : collector.loads) {
            if (load->buffer == sums) continue;
            const auto moves = [&](const For* loop) {
                return std::ranges::any_of(load->indices,
                                           [&](const Expr& e) { return uses_var(substitute(e, bindings), loop->var); });
            };
            shares |= !moves(loops.back());
            if (!moves(loops.back())) continue;
            std::int64_t read = byte_size(load->buffer->dtype);
            for (const For* loop : loops)
                if (moves(loop)) read *= extent_of(loop->extent);
            bytes += read;
        }
        return shares ? bytes : 0;
    }
};

} // namespace

void write_out_steps(Draft& draft) { Steps(draft).run(); }

} // namespace orrery::schedule
