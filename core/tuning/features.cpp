// What goes past a cache: of the loops around a block, the outermost whose touched data fits is found; all it touches
// is fetched once for each of its runs. Touched data is counted by intervals of the indices, buffer by buffer.

#include "core/tuning/features.hpp"

#include "core/tensor/analysis.hpp"
#include "core/tensor/build.hpp"
#include "core/tensor/visitor.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <set>

namespace orrery::tuning {

using namespace tensor; // every name here is a node of tensor IR

namespace {

constexpr const char* kFeatureNames[] = {
    "log2 of operations in all",
    "log2 of runs of the main block",
    "log2 of operations a run",
    "log2 of lanes",
    "vectors filled",
    "log2 of copies by unrolling",
    "log2 of sums side by side",
    "registers needed, as a share",
    "loads an operation",
    "vector loads an operation",
    "gathers",
    "log2 of the innermost loop that stays",
    "log2 of that loop and those around it until data is written again",
    "selects and predicates",
    "log2 of bytes past the first cache, an operation",
    "log2 of bytes past the second cache, an operation",
    "log2 of bytes past the third cache, an operation",
    "level at which data fits the first cache",
    "level at which data fits the second cache",
    "log2 of parallel pieces",
    "share of the last round of pieces",
    "log2 of operations a piece",
    "log2 of bytes allocated",
    "blocks",
    "log2 of vector runs of other blocks, against the main one",
    "log2 of bytes of other blocks, against operations",
    "log2 of loop turns, against operations",
    "log2 of cycles, estimated",
};
constexpr std::size_t kCount = std::size(kFeatureNames);

float log_of(double value) { return static_cast<float>(std::log2(std::max(value, 1e-9))); }

class VarsUsed final : public Visitor {
  public:
    std::set<const Var*> vars;

  protected:
    using Visitor::visit_node;
    void visit_node(const Var& node) override { vars.insert(&node); }
};

struct Access {
    Buffer buffer;
    std::vector<Expr> indices; ///< in terms of loops
    std::vector<std::set<const Var*>> vars;
    bool write = false;
    [[nodiscard]] bool uses(const Var* var) const {
        return std::ranges::any_of(vars, [&](const auto& used) { return used.contains(var); });
    }
};

/// What a block's body does in one run.
class BodyReader final : public Visitor {
  public:
    explicit BodyReader(VarMap map) : map_(std::move(map)) {}
    std::vector<Access> accesses;
    double operations = 0, selects = 0;
    bool has_block = false;

  protected:
    using Visitor::visit_node;
    void visit_node(const Load& node) override {
        add(node.buffer, node.indices, false);
        Visitor::visit_node(node);
    }
    void visit_node(const Store& node) override {
        add(node.buffer, node.indices, true);
        visit(node.value);
    }
    void visit_node(const Select& node) override {
        ++selects;
        Visitor::visit_node(node);
    }
    void visit_node(const Binary& node) override {
        if (is_float(node.a->dtype)) ++operations;
        Visitor::visit_node(node);
    }
    void visit_node(const Call& node) override {
        operations += 8; // about what an exponential function takes
        Visitor::visit_node(node);
    }
    void visit_node(const Block&) override { has_block = true; }

  private:
    void add(const Buffer& buffer, const std::vector<Expr>& indices, bool write) {
        Access access{buffer, {}, {}, write};
        for (const Expr& index : indices) {
            access.indices.push_back(substitute(index, map_));
            VarsUsed used;
            used.visit(access.indices.back());
            access.vars.push_back(std::move(used.vars));
        }
        accesses.push_back(std::move(access));
    }
    VarMap map_;
};

/// A block in its loops.
struct BlockInfo {
    std::vector<const For*> loops;
    std::vector<std::int64_t> extents;
    std::vector<Access> accesses;
    double operations = 0, selects = 0; ///< a run
    double runs = 1;
    std::int64_t lanes = 1, copies = 1, pieces = 1;
    [[nodiscard]] double work() const { return runs * (operations + 0.5 * static_cast<double>(accesses.size())); }
};

class BlockFinder final : public StmtVisitor {
  public:
    std::vector<BlockInfo> blocks;
    double allocated = 0, turns = 0;

  protected:
    using StmtVisitor::visit_node;
    void visit_node(const For& node) override {
        loops_.push_back(&node);
        const std::int64_t extent = as_int(node.extent).value_or(1);
        runs_ *= static_cast<double>(extent);
        if (node.loop == LoopKind::Serial || node.loop == LoopKind::Parallel) turns += runs_;
        visit(node.body);
        runs_ /= static_cast<double>(std::max<std::int64_t>(extent, 1));
        loops_.pop_back();
    }
    void visit_node(const Alloc& node) override {
        const bool known = std::ranges::all_of(node.buffer->shape, [](const Expr& e) { return as_int(e).has_value(); });
        if (known && node.buffer->scope == Scope::Global)
            allocated += static_cast<double>(node.buffer->static_size() * byte_size(node.buffer->dtype));
        visit(node.body);
    }
    void visit_node(const Block& node) override {
        VarMap map;
        for (const BlockIter& iter : node.fields.iters) map[iter.var] = iter.binding;
        BodyReader body(std::move(map));
        body.visit(node.fields.body);
        BlockInfo info;
        info.loops = loops_;
        for (const For* loop : loops_) {
            const std::int64_t extent = as_int(loop->extent).value_or(1);
            info.extents.push_back(extent);
            info.runs *= static_cast<double>(extent);
            if (loop->loop == LoopKind::Vectorized) info.lanes *= extent;
            if (loop->loop == LoopKind::Unrolled) info.copies *= extent;
            if (loop->loop == LoopKind::Parallel) info.pieces *= extent;
        }
        info.accesses = std::move(body.accesses);
        info.operations = body.operations, info.selects = body.selects + (node.fields.predicate ? 1 : 0);
        if (!info.accesses.empty()) blocks.push_back(std::move(info));
        if (body.has_block) visit(node.fields.body);
    }

  private:
    std::vector<const For*> loops_;
    double runs_ = 1;
};

/// Bytes touched by one run of each level: loop i with all inside, and of one run of the block at the end.
std::vector<double> touched_bytes(const BlockInfo& block) {
    const std::size_t levels = block.loops.size() + 1;
    std::vector<double> out(levels, 0);
    std::map<const BufferNode*, std::vector<double>> most;
    Bounds bounds;
    for (std::size_t i = 0; i < block.loops.size(); ++i)
        bounds[block.loops[i]->var] = {block.extents[i] / 2, block.extents[i] / 2};
    for (const Access& access : block.accesses) {
        std::vector<double> sizes(levels, static_cast<double>(byte_size(access.buffer->dtype)));
        for (std::size_t d = 0; d < access.indices.size(); ++d) {
            const std::int64_t whole = as_int(access.buffer->shape[d]).value_or(1);
            Bounds now = bounds;
            double width = 1;
            for (std::size_t level = levels; level-- > 0;) {
                if (level < block.loops.size()) {
                    const For* loop = block.loops[level];
                    now[loop->var] = {0, std::max<std::int64_t>(block.extents[level], 1) - 1};
                    if (access.vars[d].contains(loop->var.get())) {
                        const std::optional<Interval> range = interval_of(access.indices[d], now);
                        width = range ? static_cast<double>(std::min(range->max - range->min + 1, whole))
                                      : static_cast<double>(whole);
                    }
                }
                sizes[level] *= width;
            }
        }
        std::vector<double>& known = most.try_emplace(access.buffer.get(), levels, 0.0).first->second;
        for (std::size_t level = 0; level < levels; ++level) known[level] = std::max(known[level], sizes[level]);
    }
    for (const auto& [buffer, sizes] : most)
        for (std::size_t level = 0; level < levels; ++level) out[level] += sizes[level];
    return out;
}

struct Traffic {
    double bytes = 0;      ///< in all
    std::size_t level = 0; ///< the outermost that fits
};
Traffic past(const BlockInfo& block, const std::vector<double>& touched, std::int64_t cache) {
    double runs = 1;
    for (std::size_t level = 0; level < touched.size(); ++level) {
        if (touched[level] <= static_cast<double>(cache) || level + 1 == touched.size())
            return {runs * touched[level], level};
        runs *= static_cast<double>(block.extents[level]);
    }
    return {};
}

/// Elements that a step in the lane loop moves on; nullopt when that varies. Of no lane loop, 0.
std::optional<std::int64_t> lane_stride(const BlockInfo& block, const Access& access) {
    const For* lane = nullptr;
    for (const For* loop : block.loops)
        if (loop->loop == LoopKind::Vectorized) lane = loop;
    if (!lane || !access.uses(lane->var.get())) return 0;
    for (std::size_t d = 0; d + 1 < access.indices.size(); ++d)
        if (access.vars[d].contains(lane->var.get())) return std::nullopt;
    Bounds two;
    for (std::size_t i = 0; i < block.loops.size(); ++i) two[block.loops[i]->var] = {0, 0};
    const std::optional<Interval> first = interval_of(access.indices.back(), two);
    two[lane->var] = {1, 1};
    const std::optional<Interval> second = interval_of(access.indices.back(), two);
    if (!first || !second) return std::nullopt;
    return second->min - first->min;
}

/// How one written-out step of a block meets the registers.
struct StepShape {
    double sums = 1, loads = 0, vector_loads = 0, gathers = 0, kept = 0;
};
StepShape step_shape(const BlockInfo& block, std::int64_t width) {
    StepShape out;
    const double vectors = std::ceil(static_cast<double>(block.lanes) / static_cast<double>(width));
    std::set<const BufferNode*> written;
    for (const Access& access : block.accesses)
        if (access.write) written.insert(access.buffer.get());
    for (const Access& access : block.accesses) {
        double copies = 1;
        for (std::size_t i = 0; i < block.loops.size(); ++i)
            if (block.loops[i]->loop == LoopKind::Unrolled && access.uses(block.loops[i]->var.get()))
                copies *= static_cast<double>(block.extents[i]);
        const std::optional<std::int64_t> stride = lane_stride(block, access);
        const double registers = stride && *stride == 0 ? copies : copies * vectors;
        if (access.write) {
            out.sums = std::max(out.sums, registers);
        } else if (!written.contains(access.buffer.get())) {
            out.loads += registers;
            if (stride && *stride != 0) out.vector_loads += registers;
            if (!stride || std::abs(*stride) > 1) out.gathers += registers;
            out.kept += stride && *stride != 0 ? registers : 1;
        }
    }
    return out;
}

struct Estimate {
    std::array<double, 3> bytes{};
    std::array<std::size_t, 2> level{};
    double cycles = 0;
};
/// Source of the machine: see tile_speed in core/schedule/rules.cpp; caches deliver 32, 16 and 8 bytes a cycle, about.
Estimate estimate(const BlockInfo& block, const Target& target, std::int64_t width) {
    Estimate out;
    const std::vector<double> touched = touched_bytes(block);
    const std::array<std::int64_t, 3> caches = {target.l1_bytes / 2, target.l2_bytes / 2, target.l3_bytes / 2};
    for (std::size_t c = 0; c < caches.size(); ++c) {
        const Traffic traffic = past(block, touched, caches[c]);
        out.bytes[c] = traffic.bytes;
        if (c < out.level.size()) out.level[c] = block.loops.size() - traffic.level;
    }
    const StepShape step = step_shape(block, width);
    const double vectors = std::ceil(static_cast<double>(block.lanes) / static_cast<double>(width));
    const double steps = block.runs / static_cast<double>(block.copies * block.lanes);
    const double instructions = static_cast<double>(block.copies) * vectors;
    const double spilled = std::max(0.0, step.sums + step.kept - target.vector_registers);
    const double cycles = steps * std::max({instructions * block.operations / 4, (step.loads + 2 * spilled) / 2,
                                            step.gathers * static_cast<double>(width), 4.0});
    out.cycles = std::max({cycles, out.bytes[0] / 32, out.bytes[1] / 16, out.bytes[2] / 8});
    return out;
}

/// Iterations of the innermost loop that stays a loop, and of those it makes with the ones around it while what the
/// block writes stays the same.
std::array<double, 2> inner_turns(const BlockInfo& block) {
    double innermost = 1, all = 1;
    const auto written = std::ranges::find_if(block.accesses, &Access::write);
    for (std::size_t i = block.loops.size(); i-- > 0;) {
        if (block.loops[i]->loop == LoopKind::Unrolled || block.loops[i]->loop == LoopKind::Vectorized) continue;
        if (written != block.accesses.end() && written->uses(block.loops[i]->var.get())) break;
        if (all == 1) innermost = static_cast<double>(block.extents[i]);
        all *= static_cast<double>(block.extents[i]);
    }
    return {innermost, all};
}

std::int64_t width_of(const BlockInfo& block, const Target& target) {
    const auto written = std::ranges::find_if(block.accesses, &Access::write);
    return target.lanes(written == block.accesses.end() ? 4 : byte_size(written->buffer->dtype));
}

BlockFinder blocks_in(const Program& program) {
    BlockFinder finder;
    finder.visit(program->body);
    return finder;
}

} // namespace

std::span<const char* const> feature_names() { return kFeatureNames; }

std::vector<float> features_of(const Program& program, const Target& target, int threads) {
    const BlockFinder found = blocks_in(program);
    std::vector<float> out;
    out.reserve(kCount);
    if (found.blocks.empty()) return std::vector<float>(kCount, 0.0F);
    const auto main = std::ranges::max_element(found.blocks, {}, &BlockInfo::work);
    const std::int64_t width = width_of(*main, target);
    const Estimate estimated = estimate(*main, target, width);
    const StepShape step = step_shape(*main, width);
    const double operations = std::max(1.0, main->runs * main->operations);
    const double vectors = std::ceil(static_cast<double>(main->lanes) / static_cast<double>(width));
    const double instructions = std::max(1.0, static_cast<double>(main->copies) * vectors);
    double all = 0, other_runs = 0, other_bytes = 0, cycles = 0;
    for (const BlockInfo& block : found.blocks) {
        all += block.runs * block.operations;
        const Estimate one = &block == &*main ? estimated : estimate(block, target, width_of(block, target));
        const double share = std::min(static_cast<double>(block.pieces), static_cast<double>(threads));
        cycles += one.cycles / std::max(share, 1.0);
        if (&block == &*main) continue;
        other_runs += block.runs / static_cast<double>(std::min(block.lanes, width));
        other_bytes += one.bytes[1];
    }
    const std::array<double, 2> turns = inner_turns(*main);
    const double rounds = std::ceil(static_cast<double>(main->pieces) / threads);
    for (const double value : {all, main->runs, main->operations, static_cast<double>(main->lanes)})
        out.push_back(log_of(value));
    out.push_back(static_cast<float>(static_cast<double>(main->lanes) / (vectors * static_cast<double>(width))));
    out.push_back(log_of(static_cast<double>(main->copies)));
    out.push_back(log_of(step.sums));
    out.push_back(static_cast<float>((step.sums + step.kept) / target.vector_registers));
    out.push_back(static_cast<float>(step.loads / instructions));
    out.push_back(static_cast<float>(step.vector_loads / instructions));
    out.push_back(static_cast<float>(step.gathers));
    out.push_back(log_of(turns[0])), out.push_back(log_of(turns[1]));
    out.push_back(static_cast<float>(main->selects));
    for (const double bytes : estimated.bytes) out.push_back(log_of(bytes / operations));
    for (const std::size_t level : estimated.level) out.push_back(static_cast<float>(level));
    out.push_back(log_of(static_cast<double>(main->pieces)));
    out.push_back(static_cast<float>(static_cast<double>(main->pieces) / (rounds * threads)));
    out.push_back(log_of(operations / static_cast<double>(main->pieces)));
    out.push_back(log_of(found.allocated + 1));
    out.push_back(static_cast<float>(found.blocks.size()));
    out.push_back(log_of(other_runs / main->runs * static_cast<double>(main->lanes) + 1e-3));
    out.push_back(log_of(other_bytes / operations + 1e-3));
    out.push_back(log_of(found.turns / operations));
    out.push_back(log_of(cycles));
    return out;
}

std::int64_t most_written_out(const Program& program, const Target& target) {
    std::int64_t most = 0;
    for (const BlockInfo& block : blocks_in(program).blocks) {
        const std::int64_t width = width_of(block, target);
        most = std::max(most, block.copies * ((block.lanes + width - 1) / width));
    }
    return most;
}

} // namespace orrery::tuning
