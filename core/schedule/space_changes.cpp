// Changes look for the pattern that rules and people write for a reduction: the loops of the block that uses it are
// ordered, the reduction is computed at one of them, and its own loops are ordered there:
//   reorder([user.a, user.b_o, user.b_i]); compute_at(block, user.b_o); reorder([block.k, block.b])
// A loop that is renamed by a change is renamed in all later steps, fused names included.

#include "core/schedule/space_changes.hpp"

#include "core/schedule/locate.hpp"
#include "core/tensor/build.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <optional>

namespace orrery::schedule {

using namespace tensor; // every name here is a node of tensor IR

namespace {

using Names = std::vector<std::string>;
constexpr std::int64_t kMostTerms = 16; ///< iterations of a reduction that are written out: our choice

const std::string* first_name(const TraceStep& step) {
    return step.args.empty() ? nullptr : std::get_if<std::string>(&step.args.front());
}
const Names* first_names(const TraceStep& step) {
    return step.args.empty() ? nullptr : std::get_if<Names>(&step.args.front());
}
bool is_of(const std::string& loop, const std::string& block) { return loop.starts_with(block + "."); }
std::string variable(const std::string& loop) { return loop.substr(loop.find('.') + 1); }

TraceStep split_step(const std::string& loop, std::int64_t factor) {
    return {"split", {loop, std::vector<std::int64_t>{-1, factor}}};
}

/// The least divisor of an extent above 1.
std::int64_t least_divisor(std::int64_t extent) {
    for (std::int64_t d = 2; d * d <= extent; ++d)
        if (extent % d == 0) return d;
    return extent;
}

/// Renames loops in the steps from `from` on; what is fused of them gets its new name too.
void rename_loops(Trace& trace, std::size_t from, std::map<std::string, std::string> names) {
    const auto renamed = [&](std::string& name) {
        if (const auto found = names.find(name); found != names.end()) name = found->second;
    };
    for (std::size_t i = from; i < trace.steps.size(); ++i) {
        TraceStep& step = trace.steps[i];
        const auto joined = [&] {
            const Names& loops = std::get<Names>(step.args.front());
            std::string name = loops.front();
            for (std::size_t k = 1; k < loops.size(); ++k) name += "_" + variable(loops[k]);
            return name;
        };
        const bool fuses = step.primitive == "fuse" && first_names(step) && !first_names(step)->empty();
        const std::string before = fuses ? joined() : std::string();
        for (Arg& arg : step.args) {
            if (auto* name = std::get_if<std::string>(&arg)) renamed(*name);
            if (auto* list = std::get_if<Names>(&arg)) std::ranges::for_each(*list, renamed);
        }
        if (fuses && joined() != before) names[before] = joined();
    }
}

Names joined(const Names& a, const Names& b) {
    Names out = a;
    out.insert(out.end(), b.begin(), b.end());
    return out;
}

/// A reduction in the loops of its user.
struct Tile {
    std::size_t order = 0, at = 0, inner = 0; ///< steps
    std::string user, block;
    Names outer, tiled;        ///< the user's loops: up to where the block is computed, and the rest
    Names reductions, spatial; ///< of the block, as ordered there
};

/// Loops around a block that its reductions are bound to.
Names reductions_of(const Program& program, const std::string& block) {
    Names out;
    const Result<BlockPlace> place = find_block(program, block);
    if (!place) return out;
    for (const For* loop : place->loops())
        for (const BlockIter& iter : place->block->fields.iters)
            if (iter.kind == IterKind::Reduce && uses_var(iter.binding, loop->var)) {
                out.push_back(block + "." + loop->var->name);
                break;
            }
    return out;
}

class Changes {
  public:
    Changes(const Trace& trace, const Replay& done) : trace_(trace), programs_(done.programs) {
        for (std::size_t i = 0; i < trace.steps.size(); ++i) find_tile(i);
    }

    std::vector<ChangedTrace> split_reductions();
    std::vector<ChangedTrace> more_rows();
    std::vector<ChangedTrace> sweeps();
    std::vector<ChangedTrace> reduction_orders();
    std::vector<ChangedTrace> unrolled();
    std::vector<ChangedTrace> walks();
    std::vector<ChangedTrace> parallels();
    std::vector<ChangedTrace> without_copies();
    std::vector<ChangedTrace> producers_inside();

  private:
    void find_tile(std::size_t at);
    [[nodiscard]] std::int64_t extent(std::size_t before, const std::string& loop) const {
        const Result<LoopPlace> place = find_loop(programs_[before], loop);
        const auto value = place ? as_int(place->loop().extent) : std::nullopt;
        return value ? *value : 1;
    }
    /// The first step from `from` on that unrolls or vectorizes a loop of the block.
    [[nodiscard]] std::size_t first_kind(const Trace& trace, std::size_t from, const std::string& block) const {
        for (std::size_t i = from; i < trace.steps.size(); ++i) {
            const std::string* name = first_name(trace.steps[i]);
            const bool kind = trace.steps[i].primitive == "unroll" || trace.steps[i].primitive == "vectorize";
            if (kind && name && is_of(*name, block)) return i;
        }
        return trace.steps.size();
    }
    static void insert(Trace& trace, std::size_t at, TraceStep step) {
        trace.steps.insert(trace.steps.begin() + static_cast<std::ptrdiff_t>(at), std::move(step));
    }
    std::optional<Trace> with_rows(const Tile& tile, std::size_t which) const;
    [[nodiscard]] std::optional<Trace> swept(const Tile& tile, std::size_t at) const;
    [[nodiscard]] std::optional<Trace> walked(const Tile& tile, const Names& outer) const;

    const Trace& trace_;
    std::vector<Program> programs_;
    std::vector<Tile> tiles_;
};

void Changes::find_tile(std::size_t at) {
    const TraceStep& step = trace_.steps[at];
    if (step.primitive != "compute_at" || step.args.size() != 2) return;
    const auto *block = first_name(step), *loop = std::get_if<std::string>(&step.args[1]);
    if (!block || !loop) return;
    Tile tile;
    tile.at = at, tile.block = *block, tile.user = loop->substr(0, loop->find('.'));
    bool ordered = false, inside = false;
    for (std::size_t i = 0; i < trace_.steps.size(); ++i) {
        const Names* names = trace_.steps[i].primitive == "reorder" ? first_names(trace_.steps[i]) : nullptr;
        if (!names || names->empty()) continue;
        if (i < at && is_of(names->front(), tile.user)) tile.order = i, ordered = true;
        if (i > at && !inside && is_of(names->front(), tile.block)) tile.inner = i, inside = true;
    }
    if (!ordered || !inside) return;
    const Names& names = *first_names(trace_.steps[tile.order]);
    const auto last = std::ranges::find(names, *loop);
    if (last == names.end()) return;
    tile.outer.assign(names.begin(), last + 1);
    tile.tiled.assign(last + 1, names.end());
    const Names reduced = reductions_of(programs_[tile.inner], tile.block);
    for (const std::string& name : *first_names(trace_.steps[tile.inner]))
        (std::ranges::find(reduced, name) != reduced.end() ? tile.reductions : tile.spatial).push_back(name);
    if (!tile.reductions.empty() && !tile.spatial.empty()) tiles_.push_back(std::move(tile));
}

/// A reduction in pieces, the inner part inside of the others.
std::vector<ChangedTrace> Changes::split_reductions() {
    std::vector<ChangedTrace> out;
    for (const Tile& tile : tiles_)
        for (const std::string& loop : tile.reductions) {
            const std::int64_t size = extent(tile.inner, loop);
            if (size < 4 || loop.ends_with("_o") || loop.ends_with("_i")) continue;
            Trace next = trace_;
            Names reductions = tile.reductions;
            *std::ranges::find(reductions, loop) = loop + "_o";
            reductions.push_back(loop + "_i");
            next.steps[tile.inner].args.front() = joined(reductions, tile.spatial);
            rename_loops(next, tile.inner + 1, {{loop, loop + "_o"}});
            const std::int64_t part = size % 4 == 0 ? 4 : least_divisor(size);
            insert(next, tile.inner, split_step(loop, part));
            out.push_back({"split " + variable(loop), std::move(next)});
        }
    return out;
}

std::optional<Trace> Changes::with_rows(const Tile& tile, std::size_t which) const {
    const std::string& loop = tile.outer[which];
    Trace next = trace_;
    Names outer = tile.outer;
    outer[which] = loop + "_o";
    Names tiled = tile.tiled;
    tiled.insert(tiled.begin(), loop + "_i");
    rename_loops(next, tile.order, {{loop, loop + "_o"}});
    next.steps[tile.order].args.front() = joined(outer, tiled);
    insert(next, first_kind(next, tile.inner, tile.user), {"unroll", {loop + "_i"}});
    insert(next, tile.order, split_step(loop, least_divisor(extent(tile.order, loop))));
    // The block has a loop of its own for the new rows: which, shows when it is computed there.
    Trace until = next;
    until.steps.resize(tile.at + 2);
    const Result<Replay> done = replay(programs_.front(), until);
    const Result<BlockPlace> place = done ? find_block(done->result(), tile.block) : Result<BlockPlace>(Diagnostic{});
    if (!place) return std::nullopt;
    Names fresh;
    const Names ordered = joined(tile.reductions, tile.spatial);
    const std::string around = variable(outer.back());
    bool inside = false;
    for (const For* each : place->loops()) {
        const std::string name = tile.block + "." + each->var->name;
        const auto size = as_int(each->extent);
        if (inside && size && *size > 1 && std::ranges::find(ordered, name) == ordered.end()) fresh.push_back(name);
        inside = inside || each->var->name == around;
    }
    if (fresh.size() != 1) return std::nullopt;
    Names spatial = tile.spatial;
    spatial.insert(spatial.begin(), fresh.front());
    next.steps[tile.inner + 1].args.front() = joined(tile.reductions, spatial);
    const std::string init = tile.block + "_init";
    if (const std::size_t at = first_kind(next, tile.inner, init); at < next.steps.size())
        insert(next, at, {"unroll", {init + "." + variable(fresh.front())}});
    insert(next, first_kind(next, tile.inner, tile.block), {"unroll", {fresh.front()}});
    return next;
}

/// A tile with rows of one more dimension.
std::vector<ChangedTrace> Changes::more_rows() {
    std::vector<ChangedTrace> out;
    for (const Tile& tile : tiles_)
        for (std::size_t i = 0; i < tile.outer.size(); ++i) {
            const std::string& loop = tile.outer[i];
            const bool part = std::ranges::any_of(trace_.steps, [&](const TraceStep& step) {
                const std::string* name = step.primitive == "split" ? first_name(step) : nullptr;
                return name && (*name + "_o" == loop || *name + "_i" == loop);
            });
            if (part || extent(tile.order, loop) < 2) continue;
            if (std::optional<Trace> next = with_rows(tile, i)) out.push_back({"rows " + variable(loop), *next});
        }
    return out;
}

/// Fuses and makes parallel only loops of `outside`, between which nothing else stands.
void share_outside(Trace& trace, std::size_t from, const Names& outside) {
    for (std::size_t i = from; i < trace.steps.size(); ++i) {
        TraceStep& step = trace.steps[i];
        const Names* fused = step.primitive == "fuse" ? first_names(step) : nullptr;
        if (!fused || fused->empty() || fused->front() != outside.front()) continue;
        std::string before = fused->front(), after = fused->front();
        Names kept{fused->front()};
        for (std::size_t k = 1; k < fused->size(); ++k) {
            before += "_" + variable((*fused)[k]);
            if (std::ranges::find(outside, (*fused)[k]) == outside.end()) continue;
            kept.push_back((*fused)[k]);
            after += "_" + variable((*fused)[k]);
        }
        const bool one = kept.size() == 1;
        if (one)
            trace.steps.erase(trace.steps.begin() + static_cast<std::ptrdiff_t>(i));
        else
            step.args.front() = kept;
        return rename_loops(trace, one ? i : i + 1, {{before, after}});
    }
}

/// The block computed further out, at the user's loop `at`; there its first reduction goes around all tiles, so that
/// what it reads for them is read once.
std::optional<Trace> Changes::swept(const Tile& tile, std::size_t at) const {
    constexpr std::int64_t kMostElements = 4096; // of sums: our choice, half of a first-level cache
    Trace until = trace_;
    until.steps.resize(tile.at + 1);
    until.steps[tile.at].args[1] = tile.outer[at];
    const Result<Replay> done = replay(programs_.front(), until);
    const Result<BlockPlace> place = done ? find_block(done->result(), tile.block) : Result<BlockPlace>(Diagnostic{});
    if (!place) return std::nullopt;
    std::map<std::string, std::string> parts;
    std::vector<TraceStep> splits;
    Names around;
    std::int64_t elements = 1;
    bool inside = false;
    for (const For* loop : place->loops()) {
        const std::string name = tile.block + "." + loop->var->name;
        const std::int64_t now = as_int(loop->extent).value_or(1), before = extent(tile.inner, name);
        const bool reduces = std::ranges::find(tile.reductions, name) != tile.reductions.end();
        if (inside && !reduces) {
            elements *= now;
            const bool tiled = std::ranges::find(tile.spatial, name) != tile.spatial.end();
            if (!tiled && now > 1) around.push_back(name);
            if (tiled && now > before) {
                splits.push_back(split_step(name, before));
                parts[name] = name + "_i";
                const std::string init = tile.block + "_init." + variable(name);
                parts[init] = init + "_i";
                around.push_back(name + "_o");
            }
        }
        inside = inside || loop->var->name == variable(tile.outer[at]);
    }
    if (around.empty() || elements > kMostElements) return std::nullopt;
    Names order{tile.reductions.front()}, spatial;
    order.insert(order.end(), around.begin(), around.end());
    order.insert(order.end(), tile.reductions.begin() + 1, tile.reductions.end());
    for (const std::string& name : tile.spatial) spatial.push_back(parts.contains(name) ? name + "_i" : name);
    Trace next = trace_;
    next.steps[tile.at].args[1] = tile.outer[at];
    next.steps[tile.inner].args.front() = joined(order, spatial);
    rename_loops(next, tile.inner + 1, parts);
    for (std::size_t i = tile.at + 1; i < tile.inner; ++i)
        if (next.steps[i].primitive == "set_scope" && *first_name(next.steps[i]) == tile.block)
            next.steps[i].args[1] = std::string("stack");
    const auto outside = tile.outer.begin() + static_cast<std::ptrdiff_t>(at) + 1;
    share_outside(next, tile.inner, Names(tile.outer.begin(), outside));
    next.steps.insert(next.steps.begin() + static_cast<std::ptrdiff_t>(tile.inner), splits.begin(), splits.end());
    return next;
}

/// Tiles inside of the outermost reduction.
std::vector<ChangedTrace> Changes::sweeps() {
    std::vector<ChangedTrace> out;
    for (const Tile& tile : tiles_)
        for (std::size_t i = 0; i + 1 < tile.outer.size() && tile.reductions.size() > 1; ++i) {
            if (extent(tile.order, tile.outer[i + 1]) < 2) continue;
            if (std::optional<Trace> next = swept(tile, i))
                out.push_back({variable(tile.reductions.front()) + " around " + variable(tile.outer[i + 1]), *next});
        }
    return out;
}

/// The reduction's loops in another order.
std::vector<ChangedTrace> Changes::reduction_orders() {
    std::vector<ChangedTrace> out;
    for (const Tile& tile : tiles_) {
        Names order = tile.reductions;
        for (std::size_t turn = 1; turn < tile.reductions.size(); ++turn) {
            std::ranges::rotate(order, order.begin() + 1);
            Trace next = trace_;
            next.steps[tile.inner].args.front() = joined(order, tile.spatial);
            for (std::size_t i = tile.inner + 1; i < next.steps.size(); ++i)
                if (next.steps[i].primitive == "decompose_reduction" && *first_name(next.steps[i]) == tile.block)
                    next.steps[i].args[1] = order.front();
            std::string name = "order";
            for (const std::string& loop : order) name += " " + variable(loop);
            out.push_back({std::move(name), std::move(next)});
        }
    }
    return out;
}

/// The innermost reduction written out.
std::vector<ChangedTrace> Changes::unrolled() {
    std::vector<ChangedTrace> out;
    for (const Tile& tile : tiles_) {
        const std::string& last = tile.reductions.back();
        const std::int64_t size = extent(tile.inner, last);
        const std::size_t at = first_kind(trace_, tile.inner, tile.block);
        if (size < 2 || size > kMostTerms || at == trace_.steps.size() || *first_name(trace_.steps[at]) == last)
            continue;
        Trace next = trace_;
        insert(next, at, {"unroll", {last}});
        out.push_back({"unroll " + variable(last), std::move(next)});
    }
    return out;
}

/// The user's outer loops in that order, as many of the first fused and parallel as before.
std::optional<Trace> Changes::walked(const Tile& tile, const Names& outer) const {
    Trace next = trace_;
    next.steps[tile.order].args.front() = joined(outer, tile.tiled);
    next.steps[tile.at].args[1] = outer.back();
    for (std::size_t i = tile.at + 1; i < next.steps.size(); ++i) {
        TraceStep& step = next.steps[i];
        const Names* fused = step.primitive == "fuse" ? first_names(step) : nullptr;
        if (fused && !fused->empty() && is_of(fused->front(), tile.user)) {
            if (fused->size() > outer.size()) return std::nullopt;
            std::string before = fused->front(), after = outer.front();
            for (std::size_t k = 1; k < fused->size(); ++k) {
                before += "_" + variable((*fused)[k]);
                after += "_" + variable(outer[k]);
            }
            step.args.front() = Names(outer.begin(), outer.begin() + std::ssize(*fused));
            rename_loops(next, i + 1, {{before, after}});
        } else if (step.primitive == "parallel" && *first_name(step) == tile.outer.front()) {
            step.args.front() = outer.front();
        }
    }
    return next;
}

/// Tiles visited in another order.
std::vector<ChangedTrace> Changes::walks() {
    std::vector<ChangedTrace> out;
    for (const Tile& tile : tiles_) {
        std::vector<std::size_t> real; // positions that go round more than once
        for (std::size_t i = 0; i < tile.outer.size(); ++i)
            if (extent(tile.order, tile.outer[i]) > 1) real.push_back(i);
        for (std::size_t i = 0; i + 1 < real.size(); ++i) {
            Names outer = tile.outer;
            std::swap(outer[real[i]], outer[real[i + 1]]);
            if (std::optional<Trace> next = walked(tile, outer))
                out.push_back(
                    {"walk " + variable(outer[real[i]]) + " before " + variable(outer[real[i + 1]]), *std::move(next)});
        }
    }
    return out;
}

/// One loop fewer, or one more, shared among the threads.
std::vector<ChangedTrace> Changes::parallels() {
    std::vector<ChangedTrace> out;
    for (std::size_t i = 0; i + 1 < trace_.steps.size() && !programs_.empty(); ++i) {
        const TraceStep& step = trace_.steps[i];
        const Names* fused = step.primitive == "fuse" ? first_names(step) : nullptr;
        if (!fused || fused->size() < 2 || trace_.steps[i + 1].primitive != "parallel") continue;
        const std::string block = fused->front().substr(0, fused->front().find('.'));
        const Result<BlockPlace> place = find_block(programs_[i], block);
        if (!place || place->loops().size() < 3) continue;
        Names around;
        for (const For* loop : place->loops()) around.push_back(block + "." + loop->var->name);
        for (const std::size_t count : {fused->size() - 1, fused->size() + 1}) {
            if (count >= around.size()) continue;
            Names loops(around.begin(), around.begin() + static_cast<std::ptrdiff_t>(count));
            Trace next = trace_;
            std::string name = loops.front();
            for (std::size_t k = 1; k < count; ++k) name += "_" + variable(loops[k]);
            next.steps[i + 1].args.front() = name;
            if (count > 1)
                next.steps[i].args.front() = std::move(loops);
            else
                next.steps.erase(next.steps.begin() + static_cast<std::ptrdiff_t>(i));
            out.push_back({block + " parallel over " + std::to_string(count), std::move(next)});
        }
    }
    return out;
}

/// Copies that were made for a reduction left out.
std::vector<ChangedTrace> Changes::without_copies() {
    std::vector<ChangedTrace> out;
    for (const TraceStep& step : trace_.steps) {
        if (step.primitive != "cache_read" || step.args.size() < 2) continue;
        const std::string copy = std::get<std::string>(step.args[1]) + "_read";
        Trace next;
        for (const TraceStep& other : trace_.steps) {
            const std::string* name = first_name(other);
            const Names* names = first_names(other);
            const bool of_copy = (name && (*name == copy || is_of(*name, copy))) ||
                                 (names && !names->empty() && is_of(names->front(), copy));
            if (!of_copy && !(other == step)) next.steps.push_back(other);
        }
        out.push_back({"no copy of " + std::get<std::string>(step.args[1]), std::move(next)});
    }
    return out;
}

/// What is computed before, for all (a padding), instead where it is used.
std::vector<ChangedTrace> Changes::producers_inside() {
    std::vector<ChangedTrace> out;
    for (const Tile& tile : tiles_) {
        std::string parallel;
        for (const TraceStep& step : trace_.steps)
            if (step.primitive == "parallel" && is_of(*first_name(step), tile.user)) parallel = *first_name(step);
        const Result<BlockPlace> reader = find_block(programs_.front(), tile.block);
        if (!reader) continue;
        const std::vector<Buffer> read = buffers_read(reader->block->fields.body);
        for (const Block* block : blocks_of(programs_.back()->body)) {
            const std::string& name = block->fields.name;
            const std::vector<Buffer> written = buffers_written(block->fields.body);
            if (name == tile.block || written.size() != 1 ||
                std::ranges::none_of(read, [&](const Buffer& b) { return b->name == written.front()->name; }))
                continue;
            if (!has_block(programs_.front(), name)) continue;
            Trace next;
            for (const TraceStep& step : trace_.steps) {
                const std::string* first = first_name(step);
                const Names* names = first_names(step);
                if (!(first && is_of(*first, name)) && !(names && !names->empty() && is_of(names->front(), name)))
                    next.steps.push_back(step);
            }
            if (next.steps.size() == trace_.steps.size()) continue;
            const Result<BlockPlace> plain = find_block(programs_.front(), name);
            const std::vector<const For*> loops = plain->loops();
            Trace at = next;
            at.steps.push_back({"compute_at", {name, parallel.empty() ? tile.outer.front() : parallel}});
            if (!loops.empty()) at.steps.push_back({"vectorize", {name + "." + loops.back()->var->name}});
            out.push_back({name + " inside", std::move(at)});
            insert(next, 0, {"compute_inline", {name}});
            out.push_back({name + " in place", std::move(next)});
        }
    }
    return out;
}

// In the order in which they are tried: what mostly matters most comes first.
constexpr std::array kKinds = {&Changes::more_rows,        &Changes::walks,          &Changes::sweeps,
                               &Changes::split_reductions, &Changes::unrolled,       &Changes::producers_inside,
                               &Changes::reduction_orders, &Changes::without_copies, &Changes::parallels};

} // namespace

std::vector<ChangedTrace> changes_of(const Trace& trace, const Replay& done) {
    Changes changes(trace, done);
    std::vector<ChangedTrace> out;
    for (std::size_t kind = 0; kind < kKinds.size(); ++kind)
        for (ChangedTrace& changed : (changes.*kKinds[kind])()) {
            changed.kind = kind;
            out.push_back(std::move(changed));
        }
    return out;
}

} // namespace orrery::schedule
