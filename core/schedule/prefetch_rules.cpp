#include "core/schedule/prefetch_rules.hpp"

#include "core/schedule/accesses.hpp"
#include "core/schedule/dependence.hpp"
#include "core/schedule/locate.hpp"
#include "core/schedule/primitives.hpp"
#include "core/schedule/tile_shape.hpp"
#include "core/schedule/tiles.hpp"
#include "core/tensor/build.hpp"
#include "core/tensor/visitor.hpp"

#include <algorithm>
#include <iterator>
#include <optional>
#include <span>

namespace orrery::schedule {

using namespace tensor; // every name here is a node of tensor IR

namespace {

// Our choices, tried on models whose weights come from the third-level cache or from memory (docs/performance.md).
/// Rows by which a panel is used: with more, arithmetic takes so long that the wait for the next one does not count.
constexpr std::int64_t kMostRows = 1024;
constexpr std::int64_t kLeastBytes = 4096; ///< of a panel: a page, before which fetching by itself has hardly begun
constexpr std::int64_t kMostAtOnce = 4;    ///< lines in a row, where a loop further in could take some of them
constexpr std::int64_t kMostUnrolled = 16; ///< steps of a sum from one request to the next
/// Steps of a sum, for two lines where there is one every two: layers of ResNet-50 at 7 by 7 take 3 to 5 % less time
/// than with two steps for one line; with eight, products of 64 rows take 5 % more. A loop of sixteen steps is written
/// out whole, for up to eight lines: seven of nine of Winograd's kernels take 4 to 9 % less time than with four, the
/// others as long.
constexpr std::int64_t kLeastUnrolled = 4;

/// How many iterations of a loop go by before an index changes: the divisor, where it uses quotients alone.
class Pace final : public Visitor {
  public:
    explicit Pace(const VarRef& var) : var_(var.get()) {}
    std::int64_t iterations = 0; ///< 0 where the loop is not used

  protected:
    using Visitor::visit_node;
    void visit_node(const Binary& node) override {
        const auto divisor = as_int(node.b);
        if (node.op == BinaryOp::FloorDiv && node.a.get() == var_ && divisor) return see(*divisor);
        Visitor::visit_node(node);
    }
    void visit_node(const Var& node) override {
        if (&node == var_) see(1);
    }

  private:
    void see(std::int64_t pace) { iterations = iterations == 0 ? pace : std::min(iterations, pace); }
    const Var* var_;
};

class Ahead : TraceWriter {
  public:
    using TraceWriter::TraceWriter;

    void run() {
        for (const std::string& name : block_names())
            if (reduces(*find(name))) fetch(name);
    }

  private:
    void fetch(const std::string& name) {
        const Result<BlockPlace> place = find_block(program_, name);
        if (!place) return;
        const std::optional<Stream> stream = stream_of(*place);
        if (stream && worth_it(*stream)) spread(name, *place, *stream);
    }

    /// What sums read along their lanes, panel after panel.
    struct Stream {
        Buffer buffer;
        std::size_t panels = 0; ///< the loop over them
        std::size_t sums = 0;   ///< the first loop of the reduction
        std::int64_t pace = 1;  ///< iterations of the loop over panels that share one
        std::int64_t tiles = 1; ///< that go by one panel
        std::int64_t rows = 1;  ///< that use an element before it is fetched from far away again
        std::int64_t bytes = 1; ///< of a panel
        std::int64_t count = 1; ///< panels
    };

    /// The first load of an input that moves with the lanes, in terms of the loops.
    struct LaneLoad {
        Buffer buffer; ///< null for none
        std::vector<Expr> indices;
        [[nodiscard]] bool moves_with(const For* loop) const {
            return std::ranges::any_of(indices, [&](const Expr& index) { return uses_var(index, loop->var); });
        }
    };
    [[nodiscard]] LaneLoad lane_load(const Block& block, const For* lanes) const {
        const auto inputs = std::span(program_->params).first(program_->input_count);
        VarMap bindings;
        for (const BlockIter& iter : block.fields.iters) bindings[iter.var] = iter.binding;
        LoadCollector collector;
        collector.visit(block.fields.body);
        for (const Load* load : collector.loads) {
            if (std::ranges::find(inputs, load->buffer) == inputs.end()) continue;
            LaneLoad out{load->buffer, {}};
            for (const Expr& index : load->indices) out.indices.push_back(substitute(index, bindings));
            if (out.moves_with(lanes)) return out;
        }
        return {};
    }

    [[nodiscard]] std::optional<Stream> stream_of(const BlockPlace& place) const {
        const std::vector<const For*> loops = place.loops();
        const Block& block = *place.block;
        const auto constant = [](const Expr& size) { return as_int(size).has_value(); };
        if (loops.empty() || !std::ranges::all_of(loops, constant, &For::extent)) return std::nullopt;
        const LaneLoad load = lane_load(block, loops.back());
        if (!load.buffer || !std::ranges::all_of(load.buffer->shape, constant)) return std::nullopt;
        const auto sums = std::ranges::find_if(loops, [&](const For* loop) {
            return std::ranges::any_of(block.fields.iters, [&](const BlockIter& iter) {
                return iter.kind == IterKind::Reduce && uses_var(iter.binding, loop->var);
            });
        });
        const auto panels = std::find_if(std::reverse_iterator(sums), loops.rend(),
                                         [&](const For* loop) { return load.moves_with(loop); });
        if (sums == loops.end() || panels == loops.rend()) return std::nullopt;
        Stream out{.buffer = load.buffer};
        out.sums = static_cast<std::size_t>(sums - loops.begin());
        out.panels = static_cast<std::size_t>(loops.rend() - panels) - 1;
        Pace pace((*panels)->var);
        for (const Expr& index : load.indices) pace.visit(index);
        out.pace = std::max<std::int64_t>(pace.iterations, 1);
        out.tiles = out.pace;
        for (auto loop = panels.base(); loop != sums; ++loop) out.tiles *= extent_of((*loop)->extent);
        for (auto loop = sums; loop != loops.end(); ++loop)
            if (!load.moves_with(*loop)) out.rows *= extent_of((*loop)->extent);
        out.count = extent_of((*panels)->extent) / out.pace;
        const std::int64_t whole = out.buffer->static_size() * byte_size(out.buffer->dtype);
        const auto at = std::ranges::find(place.path, *panels, [](const Stmt& stmt) { return stmt.get(); });
        const Bounds around = bounds_outside(place.path, static_cast<std::size_t>(at - place.path.begin()) + 1);
        out.bytes = byte_size(out.buffer->dtype);
        for (const Need& need : needs_of(out.buffer, (*panels)->body, around, Uses::Reads)) out.bytes *= need.extent;
        if (out.bytes == 0) return std::nullopt;
        std::int64_t tiles = out.tiles;
        if (whole <= target_.l2_bytes / 2) { // once there it stays, however often panels go round
            tiles = 1;
            for (auto loop = loops.begin(); loop != sums; ++loop) tiles *= extent_of((*loop)->extent);
            tiles = std::max<std::int64_t>(1, tiles / std::max<std::int64_t>(1, whole / out.bytes));
        }
        out.rows *= tiles;
        return out;
    }

    [[nodiscard]] bool worth_it(const Stream& stream) const {
        const std::int64_t whole = stream.buffer->static_size() * byte_size(stream.buffer->dtype);
        // One tile alone reads a stream that goes on by itself.
        const bool again = stream.count > 1 && stream.tiles > 1 && stream.rows <= kMostRows;
        const bool far = whole >= 2 * target_.l1_bytes && stream.bytes >= kLeastBytes;
        return again && far && 2 * stream.bytes <= target_.l2_bytes / 4 * 3; // both panels, and what rows read
    }

    /// In the outermost loop whose iterations have a few lines each to fetch: more at once would be in the way of what
    /// is needed now.
    void spread(const std::string& name, const BlockPlace& place, const Stream& stream) {
        const std::vector<const For*> loops = place.loops();
        const std::vector<std::string> names = loop_names(name);
        const std::int64_t lines = stream.bytes / kCacheLineBytes;
        std::int64_t steps = stream.tiles;
        std::size_t at = stream.sums - 1;
        std::size_t last = at;
        for (std::size_t i = stream.sums; i < loops.size() && loops[i]->loop == LoopKind::Serial; ++i) last = i;
        while ((lines + steps - 1) / steps > kMostAtOnce && at < last) steps *= extent_of(loops[++at]->extent);
        if ((lines + steps - 1) / steps > kMostAtOnce) return;
        std::string inner = name + "." + names[at];
        if (at >= stream.sums && at == last && steps >= 2 * lines) {
            const bool fills = fills_registers(*place.block, std::span(loops).subspan(at + 1), target_);
            const std::int64_t extent = extent_of(loops[at]->extent);
            const std::int64_t few =
                !fills && extent <= kMostUnrolled
                    ? extent
                    : choose_divisor(extent, std::clamp(steps / lines, kLeastUnrolled, kMostUnrolled));
            if (few > 1 && step("split", {inner, std::vector<std::int64_t>{-1, few}})) {
                if (!fills) step("unroll", {inner + "_i"});
                inner += "_o";
            }
        }
        std::vector<Arg> args{name + "." + names[stream.panels], stream.buffer->name, inner};
        if (stream.pace > 1) args.emplace_back(stream.pace);
        step("prefetch", std::move(args));
    }
};

} // namespace

void fetch_ahead(Draft& draft) { Ahead(draft).run(); }

void add_prefetches(Trace& trace, Replay& done, const Target& target) {
    Draft draft(done.result(), target);
    fetch_ahead(draft);
    draft.programs.resize(draft.trace.steps.size() + 1);
    trace.steps.insert(trace.steps.end(), draft.trace.steps.begin(), draft.trace.steps.end());
    done.programs.insert(done.programs.end(), draft.programs.begin() + 1, draft.programs.end());
}

Trace without_prefetches(const Trace& trace) {
    Trace out;
    for (const TraceStep& step : trace.steps) {
        if (step.primitive != "prefetch") {
            out.steps.push_back(step);
            continue;
        }
        const std::string* inner = step.args.size() < 3 ? nullptr : std::get_if<std::string>(&step.args[2]);
        if (!inner || !inner->ends_with("_o")) continue;
        const std::string whole = inner->substr(0, inner->size() - 2);
        const auto drop = [&](const char* primitive, const std::string& loop) {
            if (!out.steps.empty() && out.steps.back().primitive == primitive &&
                out.steps.back().args.front() == Arg(loop))
                out.steps.pop_back();
        };
        drop("unroll", whole + "_i");
        drop("split", whole);
    }
    return out;
}

} // namespace orrery::schedule
