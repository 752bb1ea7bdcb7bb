// Outline: ElementSet; the accesses of a block made ready (State); one access over one group of dimensions; unions;
// lifetimes.
//
// How a set is found: dimensions that share a loop, directly or through a condition, form a group. Groups are
// independent of each other, so that an access touches every combination of what its groups take. A group of one
// dimension whose index is a sum is an arithmetic progression as long as each term fills the gaps of those before; any
// other group is enumerated.

#include "core/schedule/footprint.hpp"

#include "core/schedule/dependence.hpp"
#include "core/schedule/index_code.hpp"
#include "core/schedule/locate.hpp"
#include "core/tensor/affine.hpp"
#include "core/tensor/build.hpp"
#include "core/tensor/visitor.hpp"

#include <algorithm>
#include <cstdlib>
#include <numeric>
#include <set>

namespace orrery::schedule {

using namespace tensor; // every name here is a node of tensor IR

namespace {

using Offsets = std::vector<std::int64_t>;

constexpr std::int64_t kMostSteps = 1 << 22; ///< of enumerating one group. Source: our choice, some 50 ms
constexpr std::int64_t kMostFlat = 1 << 20;  ///< elements of a set that is written out, and steps of counting lines

Offsets strides_of(const std::vector<std::int64_t>& shape) {
    Offsets strides(shape.size(), 1);
    for (std::size_t d = shape.size(); d-- > 1;) strides[d - 1] = strides[d] * shape[d];
    return strides;
}

void sort_unique(Offsets& offsets) {
    std::ranges::sort(offsets);
    offsets.erase(std::unique(offsets.begin(), offsets.end()), offsets.end());
}

} // namespace

// --------------------------------------------------------------------------------------- ElementSet

std::int64_t ElementSet::size() const {
    std::int64_t size = 1;
    for (const Offsets& part : parts) size *= std::ssize(part);
    return size;
}

namespace {

/// Lines of every sum, counted one by one.
std::int64_t count_lines(const std::vector<const Offsets*>& others, const Offsets& fine, std::int64_t element_bytes,
                         std::int64_t line_bytes, std::int64_t most) {
    std::vector<bool> seen(static_cast<std::size_t>(most), false);
    std::int64_t count = 0;
    const auto mark = [&](std::int64_t element) {
        const auto line = static_cast<std::size_t>(element * element_bytes / line_bytes);
        if (line >= seen.size() || seen[line]) return;
        seen[line] = true;
        ++count;
    };
    std::vector<std::size_t> at(others.size(), 0);
    while (true) {
        std::int64_t base = 0;
        for (std::size_t i = 0; i < others.size(); ++i) base += (*others[i])[at[i]];
        for (const std::int64_t offset : fine) mark(base + offset);
        std::size_t i = 0;
        while (i < others.size() && ++at[i] == others[i]->size()) at[i++] = 0;
        if (i == others.size()) return count;
    }
}

} // namespace

std::int64_t ElementSet::lines(std::int64_t element_bytes, std::int64_t line_bytes) const {
    const std::int64_t count = size();
    std::int64_t all = 1;
    for (const std::int64_t extent : shape) all *= extent;
    const std::int64_t most = (all * element_bytes + line_bytes - 1) / line_bytes;
    if (count == 0 || count == all) return count == 0 ? 0 : most;
    const auto gap = [](const Offsets& part) { return part.size() < 2 ? INT64_MAX : part[1] - part[0]; };
    const auto fine = std::ranges::min_element(parts, {}, gap);
    std::vector<const Offsets*> others;
    bool aligned = true;
    for (auto part = parts.begin(); part != parts.end(); ++part) {
        if (part == fine) continue;
        others.push_back(&*part);
        for (const std::int64_t offset : *part) aligned = aligned && offset * element_bytes % line_bytes == 0;
    }
    if (aligned) return count / std::ssize(*fine) * count_lines({}, *fine, element_bytes, line_bytes, most);
    if (count > kMostFlat) return std::min(count, most);
    return count_lines(others, *fine, element_bytes, line_bytes, most);
}

std::vector<std::array<std::int64_t, 2>> ElementSet::projected(int row, int column, std::size_t most) const {
    using Place = std::array<std::int64_t, 2>;
    const Offsets strides = strides_of(shape);
    const auto along = [&](std::int64_t offset, int dimension) {
        const auto d = static_cast<std::size_t>(dimension);
        return dimension < 0 ? 0 : offset / strides[d] % shape[d];
    };
    std::vector<Place> places{{0, 0}};
    for (const Offsets& part : parts) {
        std::set<Place> own, sums;
        for (const std::int64_t offset : part) own.insert({along(offset, row), along(offset, column)});
        for (const Place& place : places)
            for (const Place& more : own)
                if (sums.size() < most) sums.insert({place[0] + more[0], place[1] + more[1]});
        places.assign(sums.begin(), sums.end());
    }
    return places;
}

// -------------------------------------------------------------------------------- accesses made ready

namespace {

struct Loop {
    const For* node = nullptr;
    std::int64_t most = 0;              ///< iterations
    std::optional<IndexCode> varying;   ///< its extent, where that is no constant
    std::optional<IndexCode> condition; ///< variable < extent, likewise
};

/// constant + sum of coefficient * slot
struct Sum {
    std::vector<std::pair<int, std::int64_t>> terms;
    std::int64_t constant = 0;
};

/// A touch with everything in it compiled.
struct Access {
    std::vector<IndexCode> indices;
    std::vector<std::optional<Sum>> sums; ///< parallel to indices; none where an index is no sum
    std::vector<IndexCode> conditions;
    std::vector<int> loops; ///< slots of the loops around it
    bool certain = true;    ///< no condition that cannot be decided here
};

std::optional<Sum> sum_of(const Expr& expr, const Slots& slots) {
    Sum out;
    const Affine affine = affine_of(expr);
    out.constant = affine.constant;
    for (const Affine::Term& term : affine.terms) {
        const auto* var = as<Var>(term.term);
        const auto slot = var ? slots.find(var) : slots.end();
        if (slot == slots.end()) return std::nullopt;
        out.terms.emplace_back(slot->second, term.coefficient);
    }
    return out;
}

void split_conditions(const Expr& condition, const Slots& slots, Access& out) {
    if (const auto* both = as<Binary>(condition); both && both->op == BinaryOp::And) {
        split_conditions(both->a, slots, out);
        split_conditions(both->b, slots, out);
        return;
    }
    IndexCode code(condition, slots);
    if (code.known())
        out.conditions.push_back(std::move(code));
    else
        out.certain = false;
}

} // namespace

struct BlockAccesses::State {
    Program keep;
    std::vector<Touch> touches;    ///< which own the loops through boxes
    std::vector<const For*> chain; ///< around the block
    std::vector<Loop> loops;       ///< by slot; those of the chain come first
    Slots slots;
    std::vector<Used> used;
    std::vector<std::vector<Access>> accesses; ///< parallel to used

    Result<void> add_loop(const For* node) {
        if (slots.contains(node->var.get())) return {};
        Loop loop{node, 0, {}, {}};
        if (const auto extent = as_int(node->extent)) {
            loop.most = *extent;
        } else {
            Bounds bounds;
            for (const Loop& outer : loops) bounds[outer.node->var] = {0, std::max<std::int64_t>(0, outer.most - 1)};
            const auto range = interval_of(node->extent, bounds);
            loop.varying.emplace(node->extent, slots);
            if (!range || !loop.varying->known())
                return Diagnostic{Code::UnsupportedFeature,
                                  "the extent of loop " + node->var->name + " is not known",
                                  {ProgramPlace{keep->name, node->var->name}},
                                  "footprints are those of loops with known sizes"};
            loop.most = std::max<std::int64_t>(0, range->max);
        }
        slots[node->var.get()] = static_cast<int>(loops.size());
        if (loop.varying) loop.condition.emplace(lt(node->var, node->extent), slots);
        loops.push_back(std::move(loop));
        return {};
    }

    Result<void> add_touch(const Touch& touch) {
        for (const Expr& extent : touch.buffer->shape)
            if (!as_int(extent))
                return Diagnostic{Code::UnsupportedFeature,
                                  "the size of " + touch.buffer->name + " is not known",
                                  {ProgramPlace{keep->name, touch.buffer->name}},
                                  {}};
        for (const For* loop : touch.loops) ORRERY_CHECK_OK(add_loop(loop));
        std::size_t b = 0;
        while (b < used.size() && used[b].buffer != touch.buffer) ++b;
        if (b == used.size()) {
            used.push_back({touch.buffer});
            accesses.emplace_back();
        }
        (touch.is_write ? used[b].written : used[b].read) = true;
        Access access;
        for (const Expr& index : touch.indices) {
            access.indices.emplace_back(index, slots);
            access.sums.push_back(sum_of(index, slots));
        }
        for (const Expr& condition : touch.conditions) split_conditions(condition, slots, access);
        for (const For* loop : touch.loops) {
            access.loops.push_back(slots.at(loop->var.get()));
            if (const auto& condition = loops[static_cast<std::size_t>(access.loops.back())].condition)
                access.conditions.push_back(*condition);
        }
        accesses[b].push_back(std::move(access));
        return {};
    }

    /// Values of all slots with the loops before `level` in the middle of their range. False when the last of them
    /// would leave it.
    bool stand(std::size_t level, std::int64_t by, std::vector<std::int64_t>& values) const {
        values.assign(loops.size(), 0);
        for (std::size_t i = 0; i < level; ++i) {
            const std::int64_t extent = loops[i].varying ? (*loops[i].varying)(values) : loops[i].most;
            values[i] = std::max<std::int64_t>(0, extent) / 2 + (i + 1 == level ? by : 0);
            if (values[i] < 0 || values[i] >= extent) return false;
        }
        return true;
    }
};

Result<BlockAccesses> BlockAccesses::of(const Program& program, const std::string& block) {
    ORRERY_TRY(const BlockPlace place, find_block(program, block));
    auto state = std::make_shared<State>();
    state->keep = program;
    state->chain = place.loops();
    for (const For* loop : state->chain) ORRERY_CHECK_OK(state->add_loop(loop));
    const std::vector<const Block*> inside = blocks_of(place.path.back());
    state->touches = all_touches_of(program->body);
    for (const Touch& touch : state->touches)
        if (std::ranges::find(inside, touch.block) != inside.end()) ORRERY_CHECK_OK(state->add_touch(touch));
    return BlockAccesses(std::move(state));
}

const std::vector<const For*>& BlockAccesses::loops() const { return state_->chain; }
const std::vector<BlockAccesses::Used>& BlockAccesses::buffers() const { return state_->used; }
std::int64_t BlockAccesses::trips(std::size_t loop) const { return state_->loops[loop].most; }

// -------------------------------------------------------------------------------- sets of one access

namespace {

/// Disjoint sets of numbers.
class Groups {
  public:
    explicit Groups(std::size_t count) : parent_(count) { std::iota(parent_.begin(), parent_.end(), std::size_t{0}); }
    std::size_t of(std::size_t i) {
        while (parent_[i] != i) i = parent_[i] = parent_[parent_[i]];
        return i;
    }
    void unite(std::size_t a, std::size_t b) { parent_[of(a)] = of(b); }

  private:
    std::vector<std::size_t> parent_;
};

/// What is enumerated together: dimensions, the loops they move with, the conditions on those.
struct Group {
    std::vector<std::size_t> dims;
    std::vector<int> slots;
    std::vector<const IndexCode*> conditions;
};

struct Taken {
    Offsets offsets;
    double assignments = 0; ///< values of the group's loops under which the access is made
    bool exact = true;
};

struct Level {
    const std::vector<Loop>& loops;
    std::size_t level = 0;
    std::vector<std::int64_t> values; ///< of slots; those before `level` are fixed
    const std::vector<std::int64_t>& shape;
    Offsets strides;

    [[nodiscard]] bool is_free(int slot) const { return static_cast<std::size_t>(slot) >= level; }
    [[nodiscard]] std::int64_t most(int slot) const { return loops[static_cast<std::size_t>(slot)].most; }
};

/// The dimensions of a buffer, then the slots: united where one access moves them together.
Groups groups_of(const Access& access, const Level& at) {
    const std::size_t rank = at.shape.size();
    Groups groups(rank + at.loops.size());
    for (std::size_t d = 0; d < rank; ++d)
        for (const int slot : access.indices[d].slots())
            if (at.is_free(slot)) groups.unite(d, rank + static_cast<std::size_t>(slot));
    for (const IndexCode& condition : access.conditions) {
        int first = -1;
        for (const int slot : condition.slots()) {
            if (!at.is_free(slot)) continue;
            if (first >= 0) groups.unite(rank + static_cast<std::size_t>(first), rank + static_cast<std::size_t>(slot));
            first = slot;
        }
    }
    return groups;
}

/// The progression of a sum, when it is one and nothing else decides.
std::optional<Taken> progression(const Access& access, const Group& group, const Level& at) {
    if (group.dims.size() != 1 || !group.conditions.empty()) return std::nullopt;
    const std::size_t d = group.dims.front();
    const std::optional<Sum>& sum = access.sums[d];
    if (!sum) return std::nullopt;
    std::int64_t first = sum->constant;
    std::vector<std::pair<std::int64_t, std::int64_t>> terms; // coefficient, iterations
    for (const auto& [slot, coefficient] : sum->terms) {
        if (!at.is_free(slot)) {
            first += coefficient * at.values[static_cast<std::size_t>(slot)];
            continue;
        }
        if (coefficient < 0) first += coefficient * (at.most(slot) - 1);
        if (at.most(slot) > 1) terms.emplace_back(std::abs(coefficient), at.most(slot));
    }
    std::ranges::sort(terms);
    std::int64_t step = 1, count = 1;
    for (const auto& [coefficient, iterations] : terms) {
        if (count == 1)
            step = coefficient, count = iterations;
        else if (coefficient % step == 0 && coefficient / step <= count)
            count += coefficient / step * (iterations - 1);
        else
            return std::nullopt;
    }
    Taken out;
    out.assignments = 1;
    for (const int slot : group.slots) out.assignments *= static_cast<double>(at.most(slot));
    if (out.assignments == 0) return out;
    for (std::int64_t i = 0; i < count; ++i)
        if (const std::int64_t index = first + i * step; index >= 0 && index < at.shape[d])
            out.offsets.push_back(index * at.strides[d]);
    return out;
}

/// Everything that fits into the dimensions: what is taken when that cannot be told.
Taken whole(const Group& group, const Level& at) {
    Taken out;
    out.exact = false;
    out.assignments = 1;
    for (const int slot : group.slots) out.assignments *= static_cast<double>(at.most(slot));
    out.offsets = {0};
    for (const std::size_t d : group.dims) {
        Offsets more;
        for (const std::int64_t offset : out.offsets)
            for (std::int64_t i = 0; i < at.shape[d] && std::ssize(more) < kMostSteps; ++i)
                more.push_back(offset + i * at.strides[d]);
        out.offsets = std::move(more);
    }
    sort_unique(out.offsets);
    return out;
}

/// Offsets without repetitions, by marks where they lie close enough.
void keep_distinct(Offsets& offsets, std::int64_t step) {
    if (offsets.size() < 2) return;
    const auto [low, high] = std::ranges::minmax_element(offsets);
    const std::int64_t first = *low, places = (*high - first) / step + 1;
    if (places > 16 * std::ssize(offsets) + 1024) return sort_unique(offsets);
    std::vector<bool> seen(static_cast<std::size_t>(places), false);
    for (const std::int64_t offset : offsets) seen[static_cast<std::size_t>((offset - first) / step)] = true;
    offsets.clear();
    for (std::size_t i = 0; i < seen.size(); ++i)
        if (seen[i]) offsets.push_back(first + static_cast<std::int64_t>(i) * step);
}

Taken enumerated(const Access& access, const Group& group, Level at) {
    std::int64_t total = 1;
    for (const int slot : group.slots) {
        if (at.most(slot) == 0) return {};
        if (total > kMostSteps / at.most(slot)) return whole(group, at);
        total *= at.most(slot);
    }
    Taken out;
    std::int64_t step = INT64_MAX;
    for (const std::size_t d : group.dims) step = std::min(step, at.strides[d]);
    const auto holds = [&](const IndexCode* condition) { return (*condition)(at.values) != 0; };
    for (std::int64_t i = 0; i < total; ++i) {
        if (std::ranges::all_of(group.conditions, holds)) {
            out.assignments += 1;
            std::int64_t offset = 0;
            bool inside = true;
            for (const std::size_t d : group.dims) {
                const std::int64_t index = access.indices[d](at.values);
                inside = inside && index >= 0 && index < at.shape[d];
                offset += index * at.strides[d];
            }
            if (inside) out.offsets.push_back(offset);
        }
        for (const int slot : group.slots) {
            std::int64_t& value = at.values[static_cast<std::size_t>(slot)];
            if (++value < at.most(slot)) break;
            value = 0;
        }
    }
    keep_distinct(out.offsets, step);
    return out;
}

Taken taken(const Access& access, const Group& group, const Level& at) {
    for (const std::size_t d : group.dims)
        if (!access.indices[d].known()) return whole(group, at);
    if (std::optional<Taken> found = progression(access, group, at)) return *std::move(found);
    return enumerated(access, group, at);
}

// --------------------------------------------------------------------------------------------- unions

void flatten(ElementSet& set) {
    Offsets all{0};
    for (const Offsets& part : set.parts) {
        Offsets sums;
        for (const std::int64_t a : all)
            for (const std::int64_t b : part) sums.push_back(a + b);
        all = std::move(sums);
    }
    std::ranges::sort(all);
    set.parts = {std::move(all)};
}

bool holds_all(const Offsets& big, const Offsets& small) { return std::ranges::includes(big, small); }

/// Adds what another access takes; both are parted along the same dimensions, or written out.
void unite(ElementSet& into, ElementSet& more) {
    if (into.parts.size() != more.parts.size()) {
        flatten(into);
        flatten(more);
    }
    std::size_t different = 0, which = 0;
    bool covered = true;
    for (std::size_t i = 0; i < into.parts.size(); ++i) {
        if (into.parts[i] == more.parts[i]) continue;
        ++different, which = i;
        covered = covered && holds_all(into.parts[i], more.parts[i]);
    }
    if (different == 0 || covered) return;
    const auto joined = [](const Offsets& a, const Offsets& b) {
        Offsets out;
        std::ranges::set_union(a, b, std::back_inserter(out));
        return out;
    };
    if (different == 1) {
        into.parts[which] = joined(into.parts[which], more.parts[which]);
    } else if (into.size() + more.size() <= kMostFlat) {
        flatten(into);
        flatten(more);
        into.parts[0] = joined(into.parts[0], more.parts[0]);
    } else { // the least box of parts around both
        for (std::size_t i = 0; i < into.parts.size(); ++i) into.parts[i] = joined(into.parts[i], more.parts[i]);
        into.exact = false;
    }
}

/// What one access takes; `dims` says which dimensions belong together for all accesses of the buffer.
ElementSet set_of(const Access& access, const Level& at, Groups& dims) {
    const std::size_t rank = at.shape.size();
    Groups own = groups_of(access, at);
    for (std::size_t d = 0; d < rank; ++d) own.unite(d, dims.of(d));
    std::map<std::size_t, Group> groups;
    for (std::size_t d = 0; d < rank; ++d) groups[own.of(d)].dims.push_back(d);
    for (const int slot : access.loops)
        if (at.is_free(slot)) groups[own.of(rank + static_cast<std::size_t>(slot))].slots.push_back(slot);
    ElementSet out;
    out.shape = at.shape;
    out.exact = access.certain;
    out.accesses = 1;
    for (const IndexCode& condition : access.conditions) {
        const auto slot = std::ranges::find_if(condition.slots(), [&](int s) { return at.is_free(s); });
        if (slot != condition.slots().end())
            groups[own.of(rank + static_cast<std::size_t>(*slot))].conditions.push_back(&condition);
        else if (condition(at.values) == 0)
            out.accesses = 0;
    }
    // In the order of their first dimensions, which is the same for every access.
    std::vector<const Group*> ordered;
    for (const auto& [key, group] : groups) ordered.push_back(&group);
    std::ranges::sort(ordered, {}, [](const Group* g) { return g->dims.empty() ? SIZE_MAX : g->dims.front(); });
    for (const Group* group : ordered) {
        if (out.accesses == 0) break;
        Taken part = taken(access, *group, at);
        out.accesses *= part.assignments;
        out.exact = out.exact && part.exact;
        if (!group->dims.empty()) out.parts.push_back(std::move(part.offsets));
    }
    return out;
}

} // namespace

ElementSet BlockAccesses::touched(std::size_t buffer, std::size_t level, std::int64_t by) const {
    const std::vector<std::int64_t> shape = state_->used[buffer].buffer->static_shape();
    Level at{state_->loops, level, {}, shape, strides_of(shape)};
    ElementSet out;
    out.shape = shape;
    bool any = false;
    if (state_->stand(level, by, at.values)) {
        Groups dims(shape.size());
        for (const Access& access : state_->accesses[buffer]) {
            Groups own = groups_of(access, at);
            for (std::size_t a = 0; a < shape.size(); ++a)
                for (std::size_t b = a + 1; b < shape.size(); ++b)
                    if (own.of(a) == own.of(b)) dims.unite(a, b);
        }
        for (const Access& access : state_->accesses[buffer]) {
            ElementSet one = set_of(access, at, dims);
            if (one.accesses == 0) continue;
            if (any) {
                out.exact = out.exact && one.exact;
                out.accesses += one.accesses;
                unite(out, one);
            } else {
                out = std::move(one);
                any = true;
            }
        }
    }
    if (!any) out.parts = {{}};
    return out;
}

std::optional<std::int64_t> BlockAccesses::stride(std::size_t buffer, std::size_t loop) const {
    const std::vector<std::int64_t> shape = state_->used[buffer].buffer->static_shape();
    const Offsets strides = strides_of(shape);
    std::vector<std::int64_t> values;
    if (!state_->stand(loop, 0, values)) return std::nullopt;
    std::optional<std::int64_t> found;
    constexpr std::int64_t kLooks = 64; // iterations looked at. Source: our choice, more than the splits of a schedule
    for (const Access& access : state_->accesses[buffer]) {
        if (std::ranges::any_of(access.indices, [](const IndexCode& code) { return !code.known(); }))
            return std::nullopt;
        const auto offset = [&](std::int64_t value) {
            values[loop] = value;
            std::int64_t sum = 0;
            for (std::size_t d = 0; d < shape.size(); ++d) sum += access.indices[d](values) * strides[d];
            return sum;
        };
        for (std::int64_t i = 0; i == 0 || (i + 1 < trips(loop) && i < kLooks); ++i) {
            const std::int64_t step = offset(i + 1) - offset(i);
            if (found && *found != step) return std::nullopt;
            found = step;
        }
    }
    return found;
}

// ------------------------------------------------------------------------------------------ lifetimes

namespace {

class Lives final : public Visitor {
  public:
    explicit Lives(const Program& program) {
        for (std::size_t i = 0; i < program->params.size(); ++i) {
            add(program->params[i]);
            (i < program->input_count ? lives.back().input : lives.back().output) = true;
        }
        visit(program->body);
    }
    std::vector<BufferLife> lives;

  protected:
    using Visitor::visit_node;
    void visit_node(const Store& node) override {
        use(node.buffer, &node, true);
        from(node, [&] { Visitor::visit_node(node); });
    }
    void visit_node(const Load& node) override {
        use(node.buffer, now_, false);
        Visitor::visit_node(node);
    }
    void visit_node(const ExternCall& node) override {
        for (const ExternCall::Operand& operand : node.operands) {
            if (operand.reads()) use(operand.region.buffer, &node, false);
            if (operand.writes()) use(operand.region.buffer, &node, true);
        }
        from(node, [&] { Visitor::visit_node(node); });
    }
    void visit_node(const For& node) override {
        from(node, [&] { visit(node.extent); });
        const For* outer = std::exchange(loop_, &node);
        visit(node.body);
        loop_ = outer;
    }
    void visit_node(const If& node) override {
        from(node, [&] { visit(node.condition); });
        visit(node.then_body);
        if (node.else_body) visit(node.else_body);
    }
    void visit_node(const Let& node) override {
        from(node, [&] { visit(node.value); });
        visit(node.body);
    }
    void visit_node(const Alloc& node) override {
        add(node.buffer);
        visit(node.body);
    }
    void visit_node(const Block& node) override {
        from(node, [&] {
            for (const BlockIter& iter : node.fields.iters) visit(iter.binding);
            if (node.fields.predicate) visit(node.fields.predicate);
        });
        if (node.fields.init) visit(node.fields.init);
        visit(node.fields.body);
    }

  private:
    template <class F> void from(const StmtNode& stmt, const F& inside) {
        const StmtNode* outer = std::exchange(now_, &stmt);
        inside();
        now_ = outer;
    }
    void add(const Buffer& buffer) {
        at_[buffer.get()] = lives.size();
        lives.push_back({.buffer = buffer, .inside = loop_});
    }
    void use(const Buffer& buffer, const StmtNode* where, bool write) {
        const auto found = at_.find(buffer.get());
        if (found == at_.end()) return;
        BufferLife& life = lives[found->second];
        if (life.first == nullptr) life.first = where;
        life.last = where;
        (write ? life.written : life.read) = true;
    }
    std::map<const BufferNode*, std::size_t> at_;
    const StmtNode* now_ = nullptr;
    const For* loop_ = nullptr;
};

} // namespace

std::vector<BufferLife> lifetimes(const Program& program) { return std::move(Lives(program).lives); }

} // namespace orrery::schedule
