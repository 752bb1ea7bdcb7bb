#include "core/schedule/tile_shape.hpp"

#include "core/schedule/accesses.hpp"
#include "core/schedule/locate.hpp"
#include "core/tensor/build.hpp"
#include "core/tensor/visitor.hpp"

#include <algorithm>
#include <bit>
#include <set>

namespace orrery::schedule {

using namespace tensor; // every name here is a node of tensor IR

std::int64_t choose_lanes(std::int64_t extent, std::int64_t width, std::int64_t most) {
    if (extent <= 1) return 1;
    std::int64_t best = 1;
    double best_score = 0;
    for (std::int64_t v = 1; v <= std::min(extent, most); ++v) {
        if (extent % v != 0) continue;
        const std::int64_t filled =
            v > width / 2 ? (v + width - 1) / width * width : std::bit_ceil(static_cast<std::uint64_t>(v));
        // Narrow registers do the work of one instruction on fewer lanes.
        const double score = static_cast<double>(v) / static_cast<double>(filled) *
                             std::min(1.0, static_cast<double>(filled) / static_cast<double>(width) + 0.4);
        if (score >= best_score) {
            best_score = score;
            best = v;
        }
    }
    constexpr double kPoor = 0.6;
    if (best_score >= kPoor || extent <= width) return best;
    return width;
}

std::int64_t choose_divisor(std::int64_t extent, std::int64_t most) {
    for (std::int64_t u = std::min(extent, most); u > 1; --u)
        if (extent % u == 0) return u;
    return 1;
}

const TilePart* TileShape::part_of(std::size_t d) const {
    for (const TilePart* part : {&outer_rows, &rows, &groups, &lanes})
        if (part->dim == static_cast<std::ptrdiff_t>(d) && (part->size > 1 || part == &lanes)) return part;
    return nullptr;
}

namespace {

/// How one load of a reduction moves with the tile's dimensions.
struct TileLoad {
    bool lane = false, row = false, group = false;
};
struct TileLoads {
    std::vector<TileLoad> all;
    std::int64_t vectors = 1;   ///< registers of a row of one group
    std::int64_t steps = 1;     ///< of the reduction
    std::int64_t row_bytes = 0; ///< of a vector load
    bool overlap = false;       ///< of windows, along the rows
};
/// Operations a cycle of one step of the reduction over a tile; 0 when it does not fit the registers.
/// Source of the machine: two multiply-adds, two loads and four cycles until a sum can be added to are common to
/// x86 since 2017 and to large Arm cores; that half a cycle more passes before the next one, what a load costs beside,
/// and what the second-level cache delivers, was measured on Zen 3 and 4 (docs/performance.md).
double tile_speed(const TileLoads& loads, std::int64_t rows, std::int64_t groups, const Target& target) {
    constexpr double kPipes = 2, kLatency = 4.5, kSecondLevelBytes = 24, kLoad = 0.1;
    const std::int64_t sums = rows * groups * loads.vectors;
    std::int64_t loaded = 0, kept = 1, streamed = 0;
    for (const TileLoad& load : loads.all) {
        const std::int64_t one = (load.lane ? loads.vectors : 1) * (load.group ? groups : 1);
        loaded += one * (load.row ? rows : 1);
        if (!load.row) kept += one;
        if (!load.row && load.lane) streamed += one * loads.row_bytes;
    }
    if (sums + kept > target.vector_registers) return 0;
    // What all rows share is read again for each tile: from the first level when it stays there.
    const bool near = streamed * loads.steps <= target.l1_bytes / 2;
    const double cycles = std::max({static_cast<double>(sums) / kPipes, static_cast<double>(loaded) / kPipes, kLatency,
                                    near ? 0 : static_cast<double>(streamed) / kSecondLevelBytes}) +
                          static_cast<double>(loaded) * kLoad;
    return static_cast<double>(sums) / cycles;
}

/// The innermost dimension before `end` of more than one element that `fits`; -1 for none.
template <class Fits>
std::ptrdiff_t innermost(const std::vector<std::int64_t>& shape, std::ptrdiff_t end, const Fits& fits) {
    for (std::ptrdiff_t d = end; d-- > 0;)
        if (shape[static_cast<std::size_t>(d)] > 1 && fits(static_cast<std::size_t>(d))) return d;
    return -1;
}

/// Whether a dimension that registers do not divide fills a few of them to that part: whole ones, and one for each
/// power of two of what is left.
bool few_registers(std::int64_t extent, std::int64_t width, double part) {
    constexpr std::int64_t kMost = 5;
    const std::int64_t parts = extent / width + std::popcount(static_cast<std::uint64_t>(extent % width));
    return extent > width && extent % width != 0 && parts <= kMost &&
           static_cast<double>(extent) >= part * static_cast<double>(parts * width);
}

/// The lanes of a tile along a dimension: all of it where a few registers are filled well, else what divides it; where
/// nothing does, or only what fills half a register, all of it again rather than one register at a time, under a mask
/// or not, which fills no more of them.
std::int64_t tile_lanes(std::int64_t extent, std::int64_t width, std::int64_t most) {
    constexpr double kWell = 0.8, kAsWell = 0.7; // our choice
    if (few_registers(extent, width, kWell)) return extent;
    const std::int64_t lanes = choose_lanes(extent, width, most);
    return (extent % lanes != 0 || 2 * lanes <= width) && few_registers(extent, width, kAsWell) ? extent : lanes;
}

/// The divisors of a part's dimension up to `most`.
std::vector<std::int64_t> sizes_of(const TilePart& part, const std::vector<std::int64_t>& shape, std::int64_t most) {
    const std::int64_t extent = part.dim < 0 ? 1 : shape[static_cast<std::size_t>(part.dim)];
    std::vector<std::int64_t> out;
    for (std::int64_t n = 1; n <= std::min(extent, most); ++n)
        if (extent % n == 0) out.push_back(n);
    return out;
}

/// The most rows of a tile. Where windows overlap, the registers hold what they read as well as the sums, unless that
/// would leave a few rows only.
std::int64_t most_rows(TileShape& tile, const TileLoads& loads, const std::vector<std::int64_t>& shape,
                       const Target& target) {
    // Our choice: rows, as many as sums are always under way; or twice as many sums, where several registers make a
    // row.
    constexpr std::int64_t kFew = 4, kSums = 8;
    const std::int64_t half = (target.vector_registers - 2) / 2 / loads.vectors;
    const std::int64_t most = sizes_of(tile.rows, shape, target.vector_registers).back();
    const std::int64_t rows = sizes_of(tile.rows, shape, half).back();
    tile.overlap = loads.overlap && (most <= half || rows >= kFew || (rows > 1 && rows * loads.vectors >= kSums));
    return tile.overlap ? half : target.vector_registers;
}

/// The fastest numbers of rows and groups for the lanes a tile has, and its speed; among equals the one with fewer
/// groups, then with rows of one dimension, then with more rows.
double choose_rows(TileShape& tile, TileLoads& loads, const std::vector<std::int64_t>& shape, const Target& target) {
    constexpr std::int64_t kMostGroups = 8, kMostOuterRows = 4;
    const std::int64_t most = most_rows(tile, loads, shape, target);
    constexpr double kWorthMore = 1.005; // our choice: what is further apart is read and written more slowly
    double best = 0;
    for (const std::int64_t groups : sizes_of(tile.groups, shape, kMostGroups))
        for (const std::int64_t outer : sizes_of(tile.outer_rows, shape, kMostOuterRows))
            for (const std::int64_t rows : sizes_of(tile.rows, shape, most)) {
                const double speed = tile_speed(loads, outer * rows, groups, target);
                const bool alike = groups == tile.groups.size && outer == tile.outer_rows.size;
                if (speed == 0 || (alike ? speed < best : speed <= best * kWorthMore)) continue;
                best = speed;
                tile.outer_rows.size = outer;
                tile.rows.size = rows;
                tile.groups.size = groups;
            }
    return best;
}

/// The fastest tile.
void choose_tile(TileShape& tile, TileLoads& loads, const Buffer& result, const Target& target) {
    const std::vector<std::int64_t> shape = result->static_shape();
    const std::int64_t bytes = byte_size(result->dtype), extent = shape.back();
    const std::int64_t width = target.lanes(static_cast<int>(bytes));
    const bool rows_there = sizes_of(tile.rows, shape, target.vector_registers).back() >= 4;
    tile.lanes.size = tile_lanes(extent, width, width * (rows_there ? 2 : 4));
    // Lanes that do not divide their dimension need masks. Where a tile would share nothing, a whole row in the
    // first-level cache does without them, but for its end.
    const bool shares = !std::ranges::all_of(loads.all, &TileLoad::lane);
    if (extent % tile.lanes.size != 0 && !shares && extent * bytes <= target.l1_bytes / 4)
        return void(tile.lanes.size = extent);
    loads.vectors = (tile.lanes.size + width - 1) / width;
    loads.row_bytes = width * bytes;
    const double speed = choose_rows(tile, loads, shape, target);
    // Many narrow registers: with more of them in a row, fewer numbers are loaded for the rows. Source: the first 64
    // bytes come with one line of the cache.
    constexpr std::int64_t kLine = 64;
    TileShape wider = tile;
    wider.lanes.size = 4 * width;
    if (target.vector_registers < 32 || !shares || tile.lanes.size != 2 * width || extent % wider.lanes.size != 0 ||
        wider.lanes.size * bytes > kLine)
        return;
    TileLoads more = loads;
    more.vectors = 4;
    wider.outer_rows.size = wider.rows.size = wider.groups.size = 1;
    if (choose_rows(wider, more, shape, target) <= speed) return;
    tile = wider;
    loads = more;
}

/// Whether a load slides over a dimension with the reduction, as windows of neighbours do.
bool windows_overlap(const std::vector<const Load*>& loads, const Block& block, const VarRef& row) {
    const auto slides = [&](const Expr& index) {
        return uses_var(index, row) && std::ranges::any_of(block.fields.iters, [&](const BlockIter& iter) {
                   return iter.kind == IterKind::Reduce && extent_of(iter.extent) > 1 && uses_var(index, iter.var);
               });
    };
    return std::ranges::any_of(loads, [&](const Load* load) { return std::ranges::any_of(load->indices, slides); });
}

} // namespace

std::optional<TileShape> tile_shape(const Block& block, const ElementBlock& reduction, const Target& target) {
    if (reduction.iters.empty()) return std::nullopt;
    TileShape tile;
    const auto last = static_cast<std::ptrdiff_t>(reduction.iters.size()) - 1;
    tile.lanes.dim = last;
    const std::vector<std::int64_t> shape = reduction.buffer->static_shape();
    const auto moves = [&](const Load* load, std::ptrdiff_t d) {
        return d >= 0 && std::ranges::any_of(load->indices, [&](const Expr& e) {
                   return uses_var(e, reduction.iters[static_cast<std::size_t>(d)]);
               });
    };
    LoadCollector collector;
    collector.visit(reduction.value);
    std::vector<const Load*> along, others;
    for (const Load* load : collector.loads) {
        if (load->buffer == reduction.buffer) continue;
        if (!vector_access(load->indices, reduction.iters.back())) return std::nullopt;
        (moves(load, last) ? along : others).push_back(load);
    }
    if (along.empty() || shape.back() < 2) return std::nullopt;
    const auto shared_by = [&](const std::vector<const Load*>& loads) {
        return [&](std::size_t d) {
            return std::ranges::none_of(loads,
                                        [&](const Load* load) { return moves(load, static_cast<std::ptrdiff_t>(d)); });
        };
    };
    tile.rows.dim = innermost(shape, last, shared_by(along));
    if (tile.rows.dim >= 0) tile.outer_rows.dim = innermost(shape, tile.rows.dim, shared_by(along));
    // Where all loads are along the lanes (a depthwise convolution, a pooling) rows are sums to work on at once.
    if (tile.rows.dim < 0 && others.empty() && last > 0 && shape[static_cast<std::size_t>(last) - 1] > 1)
        tile.rows.dim = last - 1;
    tile.shares = !others.empty();
    if (!others.empty()) tile.groups.dim = innermost(shape, last, shared_by(others));
    TileLoads loads;
    for (const BlockIter& iter : block.fields.iters)
        if (iter.kind == IterKind::Reduce) loads.steps *= extent_of(iter.extent);
    for (const std::vector<const Load*>* list : {&std::as_const(along), &std::as_const(others)})
        for (const Load* load : *list)
            loads.all.push_back({list == &along, moves(load, tile.rows.dim) || moves(load, tile.outer_rows.dim),
                                 moves(load, tile.groups.dim)});
    loads.overlap = !tile.shares && tile.rows.dim >= 0 &&
                    windows_overlap(along, block, reduction.iters[static_cast<std::size_t>(tile.rows.dim)]);
    choose_tile(tile, loads, reduction.buffer, target);
    return tile;
}

bool fills_registers(const Block& block, std::span<const For* const> loops, const Target& target) {
    constexpr int kMany = 32, kSpread = 2;
    const Store* store = as<Store>(block.fields.body);
    if (!store || loops.empty() || target.vector_registers < kMany) return false;
    const std::int64_t width = target.lanes(byte_size(store->buffer->dtype));
    VarMap bindings;
    for (const BlockIter& iter : block.fields.iters) bindings[iter.var] = iter.binding;
    const auto registers = [&](const std::vector<Expr>& indices) {
        std::int64_t count = 1;
        for (const For* loop : loops) {
            const bool moves = std::ranges::any_of(
                indices, [&](const Expr& e) { return uses_var(substitute(e, bindings), loop->var); });
            const std::int64_t extent = moves ? extent_of(loop->extent) : 1;
            if (loop == loops.back() && !moves) return std::int64_t{0}; // one number
            count *= loop == loops.back() ? (extent + width - 1) / width : extent;
        }
        return count;
    };
    std::int64_t taken = registers(store->indices) + kSpread;
    LoadCollector collector;
    collector.visit(store->value);
    for (const Load* load : collector.loads)
        if (load->buffer != store->buffer) taken += registers(load->indices);
    return taken >= target.vector_registers;
}

Panel panel_of(const Block& block, const ElementBlock& reduction, const TileShape& shape, const Target& target) {
    constexpr std::int64_t kWorthCopy = 8; // our choice: uses of an element for one that is copied
    const VarRef& lane = reduction.iters.back();
    LoadCollector collector;
    collector.visit(reduction.value);
    const Load* found = nullptr;
    for (const Load* load : collector.loads) {
        if (load->buffer == reduction.buffer) continue;
        const bool along = std::ranges::any_of(load->indices, [&](const Expr& e) { return uses_var(e, lane); });
        if (along && found) return {};
        if (along) found = load;
    }
    if (!found || found->indices.back().get() != lane.get() || shape.rows.size < 2) return {};
    if (found->buffer->static_shape().back() < 2 * shape.lanes.size) return {};
    std::int64_t uses = 1, bytes = shape.lanes.size * byte_size(found->dtype);
    Panel out{found->buffer, {}};
    for (const BlockIter& iter : block.fields.iters) {
        const bool moves = std::ranges::any_of(found->indices, [&](const Expr& e) { return uses_var(e, iter.var); });
        if (iter.kind == IterKind::Spatial && !moves) uses *= extent_of(iter.extent);
        if (iter.kind == IterKind::Reduce && moves) bytes *= extent_of(iter.extent);
    }
    for (const VarRef& iter : reduction.iters)
        out.moves_with.push_back(std::ranges::any_of(found->indices, [&](const Expr& e) { return uses_var(e, iter); }));
    return uses >= kWorthCopy * shape.rows.size && bytes <= target.l2_bytes / 2 ? out : Panel{};
}

namespace {

/// Loads of other buffers than the result's, those along the lanes or the rest.
std::vector<const Load*> loads_of(const ElementBlock& reduction, bool along) {
    LoadCollector collector;
    collector.visit(reduction.value);
    std::vector<const Load*> out;
    for (const Load* load : collector.loads) {
        const bool moves =
            std::ranges::any_of(load->indices, [&](const Expr& e) { return uses_var(e, reduction.iters.back()); });
        if (load->buffer != reduction.buffer && moves == along) out.push_back(load);
    }
    return out;
}
bool move_with(const std::vector<const Load*>& loads, const VarRef& iter) {
    return std::ranges::any_of(loads, [&](const Load* load) {
        return std::ranges::any_of(load->indices, [&](const Expr& e) { return uses_var(e, iter); });
    });
}
std::int64_t bytes_of(const std::vector<const Load*>& loads) {
    std::set<const BufferNode*> seen;
    std::int64_t bytes = 0;
    for (const Load* load : loads)
        if (seen.insert(load->buffer.get()).second)
            bytes += load->buffer->static_size() * byte_size(load->buffer->dtype);
    return bytes;
}

} // namespace

bool chooses_lanes(const ElementBlock& reduction, std::size_t d) {
    return move_with(loads_of(reduction, true), reduction.iters[d]);
}

bool chooses_lanes_alone(const ElementBlock& reduction, std::size_t d) {
    return chooses_lanes(reduction, d) && !move_with(loads_of(reduction, false), reduction.iters[d]);
}

bool side_by_side(const ElementBlock& reduction, const TileShape& shape) {
    const std::vector<std::int64_t> extents = reduction.buffer->static_shape();
    for (const Load* load : loads_of(reduction, true)) {
        const std::size_t rank = load->indices.size();
        if (load->indices.back().get() != reduction.iters.back().get() ||
            load->buffer->static_shape().back() != shape.lanes.size || rank < 2)
            return false;
        for (const VarRef& iter : reduction.iters)
            if (uses_var(load->indices[rank - 2], iter)) return false;
    }
    for (std::size_t d = 0; d + 1 < extents.size(); ++d)
        if (extents[d] > 1 && chooses_lanes_alone(reduction, d)) return true;
    return false;
}

Pieces row_pieces(const ElementBlock& reduction, const TileShape& shape, const Target& target) {
    const std::vector<const Load*> along = loads_of(reduction, true), others = loads_of(reduction, false);
    Pieces out;
    std::int64_t again = 1, loops = 1, apart = 1;
    for (std::size_t d = 0; d + 1 < reduction.iters.size(); ++d) {
        const TilePart* part = shape.part_of(d);
        const std::int64_t tiles = reduction.buffer->static_shape()[d] / (part ? part->size : 1);
        const bool lanes = move_with(along, reduction.iters[d]), rows = move_with(others, reduction.iters[d]);
        if (lanes && rows) apart *= tiles;
        if (lanes && !rows) again *= tiles;
        if (lanes || !rows || tiles < 2 || out.dim >= 0) continue;
        out.dim = static_cast<std::ptrdiff_t>(d);
        loops = tiles;
    }
    const std::int64_t bytes = bytes_of(others) / apart, kept = target.l2_bytes / 2;
    if (out.dim < 0 || again < 2 || bytes <= kept) return {};
    out.count = std::min(loops, (bytes + kept - 1) / kept);
    while (loops % out.count != 0) ++out.count;
    // What is along the lanes is read anew for each piece, which costs little where all of it stays near.
    const std::int64_t lanes = bytes_of(along) / apart;
    return lanes <= kept || out.count * lanes < again * bytes ? out : Pieces{};
}

namespace {

/// How many numbers in a row a load reads as the reduction runs.
std::int64_t run_of(const Load& load, const Block& block) {
    const std::vector<std::int64_t> shape = load.buffer->static_shape();
    std::int64_t run = 1;
    for (auto iter = block.fields.iters.rbegin(); iter != block.fields.iters.rend(); ++iter) {
        if (iter->kind != IterKind::Reduce || extent_of(iter->extent) == 1) continue;
        std::int64_t along = 0, stride = 1;
        for (std::size_t d = shape.size(); d-- > 0; stride *= shape[d])
            if (uses_var(load.indices[d], iter->var))
                along += stride * coefficient(load.indices[d], iter->var).value_or(shape[d]);
        if (along != run) break;
        run *= extent_of(iter->extent);
    }
    return run;
}

} // namespace

ScatteredRows scattered_rows(const Block& block, const ElementBlock& reduction, const TileShape& shape,
                             const Target& target) {
    // Our choices: bytes after which a jump costs little, and uses of a number for one that is copied.
    constexpr std::int64_t kFar = 256, kUses = 4;
    const std::vector<const Load*> along = loads_of(reduction, true), others = loads_of(reduction, false);
    if (others.size() != 1 || shape.rows.size * shape.outer_rows.size < 2) return {};
    const Load& read = *others.front();
    ScatteredRows out{read.buffer, {}, {}};
    std::int64_t uses = 1, apart = 1, rows = 1, steps = 1;
    for (std::size_t d = 0; d < reduction.iters.size(); ++d) {
        const TilePart* part = shape.part_of(d);
        const std::int64_t size = part ? part->size : 1, tiles = reduction.buffer->static_shape()[d] / size;
        const bool lanes = move_with(along, reduction.iters[d]), row = move_with(others, reduction.iters[d]);
        out.moves_with.push_back(row);
        if (row) rows *= tiles;
        if (row && lanes) apart *= tiles;
        if (!row && tiles > 1 && lanes) {
            uses *= tiles;
            out.lanes.dim = static_cast<std::ptrdiff_t>(d);
        }
    }
    for (const BlockIter& iter : block.fields.iters)
        if (iter.kind == IterKind::Reduce) steps *= extent_of(iter.extent);
    const std::int64_t bytes = byte_size(read.buffer->dtype), run = run_of(read, block);
    const std::int64_t piece = steps * shape.rows.size * shape.outer_rows.size * bytes;
    if (run < target.lanes(static_cast<int>(bytes)) || run == steps || run * bytes > kFar) return {};
    if (bytes_of(others) / apart <= target.l2_bytes || piece > target.l1_bytes) return {};
    if (row_pieces(reduction, shape, target).dim >= 0) return {};
    const std::int64_t lanes = bytes_of(along) / apart, kept = target.l2_bytes / 2;
    std::int64_t& count = out.lanes.count;
    while (uses % count != 0 || (count < uses && (lanes / count > kept || rows * count < 4 * target.cores))) ++count;
    return uses / count < kUses ? ScatteredRows{} : out;
}

std::int64_t streamed_piece(const Block& block, const ElementBlock& reduction, const TileShape& shape,
                            const Target& target) {
    LoadCollector collector;
    collector.visit(reduction.value);
    const Load* matrix = nullptr;
    for (const Load* load : collector.loads) {
        if (load->buffer == reduction.buffer) continue;
        const bool lane =
            std::ranges::any_of(load->indices, [&](const Expr& e) { return uses_var(e, reduction.iters.back()); });
        if (lane && matrix) return 0;
        if (lane) matrix = load;
    }
    if (!matrix || shape.rows.dim >= 0 || coefficient(matrix->indices.back(), reduction.iters.back()) != 1) return 0;
    if (matrix->buffer->static_shape().back() <= shape.lanes.size) return 0; // panels: read from end to end as they are
    std::int64_t elements = reduction.buffer->static_shape().back();
    bool reduces = false;
    for (const BlockIter& iter : block.fields.iters) {
        if (iter.kind != IterKind::Reduce) continue;
        if (std::ranges::none_of(matrix->indices, [&](const Expr& e) { return uses_var(e, iter.var); })) return 0;
        if (uses_var(matrix->indices.back(), iter.var)) return 0;
        reduces = true;
        elements *= extent_of(iter.extent);
    }
    const std::int64_t bytes = byte_size(reduction.buffer->dtype);
    if (!reduces || elements * bytes <= target.l1_bytes) return 0;
    const std::int64_t extent = reduction.buffer->static_shape().back();
    const bool shared = target.cores > 1 && static_cast<double>(elements) >= kParallelWork;
    const std::int64_t most = std::min(target.l1_bytes / 4 / bytes, shared ? extent / target.cores : extent);
    const std::int64_t width = target.lanes(static_cast<int>(bytes));
    const std::int64_t whole = extent % width == 0 ? width * choose_divisor(extent / width, most / width) : 0;
    const std::int64_t piece = whole > 0 ? whole : choose_divisor(extent, most);
    return piece >= width * 4 ? piece : 0;
}

} // namespace orrery::schedule
