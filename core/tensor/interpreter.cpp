// Running a plan: control nodes, then a strip of a leaf (its code and its store), then the instructions, then memory
// with its bounds; at the end, interpret() itself.

#include "core/tensor/analysis.hpp"
#include "core/tensor/build.hpp"
#include "core/tensor/externs.hpp"
#include "core/tensor/interpreter_plan.hpp"

#include <array>
#include <cstdlib>
#include <cstring>
#include <numeric>
#include <span>

namespace orrery::tensor {

namespace {

struct Freed {
    void operator()(std::byte* memory) const { std::free(memory); }
};
using Memory = std::unique_ptr<std::byte[], Freed>;

Memory allocate(std::int64_t bytes) {
    constexpr std::int64_t kAlignment = 64; // a cache line
    const std::int64_t rounded = (std::max<std::int64_t>(bytes, 1) + kAlignment - 1) / kAlignment * kAlignment;
    auto* memory = static_cast<std::byte*>(std::aligned_alloc(kAlignment, static_cast<std::size_t>(rounded)));
    if (!memory) throw std::bad_alloc();
    return Memory(memory);
}

std::int64_t element_total(const PlannedBuffer& buffer) {
    return std::accumulate(buffer.shape.begin(), buffer.shape.end(), std::int64_t{1}, std::multiplies<>());
}

/// Iterations between two looks at the stop token. Source: our choice, because 2^15 lanes of the dearest code seen
/// (a few transcendental functions, 20 ns each) take about a millisecond.
constexpr std::int64_t kPatience = std::int64_t{1} << 15;

class Machine {
  public:
    Machine(const Plan& plan, std::span<NDArray> args, const Progress& progress) : plan_(plan), progress_(progress) {
        const auto registers = static_cast<std::size_t>(plan.register_count);
        lanes_ = allocate(static_cast<std::int64_t>(registers) * kRegisterBytes);
        std::memset(lanes_.get(), 0, registers * kRegisterBytes);
        registers_.resize(registers);
        lanes_on_.resize(registers);
        for (int r = 0; r < plan.register_count; ++r) own(r);
        slots_.resize(static_cast<std::size_t>(plan.slot_count));
        for (const PlannedBuffer& buffer : plan.buffers)
            buffers_.push_back(buffer.parameter < 0 ? nullptr
                                                    : args[static_cast<std::size_t>(buffer.parameter)].mutable_data());
        allocated_.resize(plan.buffers.size());
        for (const Plan::Constant& constant : plan.constants) {
            std::uint64_t value = 0;
            write_constant(constant.value, &value);
            splat_kernel(constant.value->dtype)(own(constant.reg), &value, kLanes);
        }
    }

    /// False when cancelled.
    bool run(const ControlNode& control) {
        return std::visit([this](const auto& node) { return step(node); }, control.node);
    }

  private:
    // --------------------------------------------------------------------------------- control

    bool patient(std::int64_t work) {
        patience_ -= work;
        if (patience_ > 0) return true;
        patience_ = kPatience;
        return !progress_.cancelled();
    }

    std::int64_t value_of(const ScalarCode& scalar) {
        if (scalar.reg < 0) return scalar.linear.at(slots_.data());
        execute(scalar.code, 1, 1);
        return lane<std::int64_t>(scalar.reg, 0);
    }

    bool step(const LoopControl& loop) {
        const std::int64_t extent = value_of(loop.extent);
        for (std::int64_t i = 0; i < extent; ++i) {
            slots_[static_cast<std::size_t>(loop.slot)] = i;
            if (!patient(1) || !run(*loop.body)) return false;
        }
        return true;
    }

    bool step(const SequenceControl& sequence) {
        for (const Control& child : sequence.children)
            if (!run(*child)) return false;
        return true;
    }

    bool step(const BranchControl& branch) {
        execute(branch.code, 1, 1);
        const Control& taken = lane<std::uint8_t>(branch.reg, 0) ? branch.then_body : branch.else_body;
        return !taken || run(*taken);
    }

    bool step(const ZeroControl& zero) {
        for (const Linear& value : zero.values)
            if (value.at(slots_.data()) != 0) return true;
        return run(*zero.body);
    }

    bool step(const BindControl& bind) {
        slots_[static_cast<std::size_t>(bind.slot)] = value_of(bind.value);
        return run(*bind.body);
    }

    bool step(const SpreadControl& spread) {
        execute(spread.code, 1, 1);
        spread.splat(own(spread.reg), registers_[static_cast<std::size_t>(spread.from)], kLanes);
        return run(*spread.body);
    }

    bool step(const AllocControl& alloc) {
        const auto index = static_cast<std::size_t>(alloc.buffer);
        const PlannedBuffer& buffer = plan_.buffers[index];
        const std::int64_t bytes = element_total(buffer) * byte_size(buffer.dtype);
        if (!allocated_[index]) allocated_[index] = allocate(bytes);
        buffers_[index] = allocated_[index].get();
        // Elements never stored: all ones is a NaN in every float format; 0xA5... is no likely integer.
        const int marker = is_float(buffer.dtype) ? 0xff : bit_width(buffer.dtype) < 8 ? 1 : 0xa5;
        std::memset(buffers_[index], marker, static_cast<std::size_t>(bytes));
        return patient(bytes / 64) && run(*alloc.body);
    }

    bool step(const ExternControl& call) {
        std::vector<orrery_view> views;
        std::vector<std::vector<std::int64_t>> kept;
        kept.reserve(2 * call.boxes.size()); // views point into it
        for (const ExternControl::Box& box : call.boxes) {
            const PlannedBuffer& buffer = plan_.buffers[static_cast<std::size_t>(box.buffer)];
            std::vector<std::int64_t> extents, strides(buffer.shape.size(), 1);
            std::int64_t offset = 0;
            for (std::size_t d = buffer.shape.size(); d-- > 1;) strides[d - 1] = strides[d] * buffer.shape[d];
            for (std::size_t d = 0; d < buffer.shape.size(); ++d) {
                const std::int64_t min = value_of(box.min[d]), extent = value_of(box.extent[d]);
                if (min < 0 || extent < 0 || min > buffer.shape[d] || extent > buffer.shape[d] - min)
                    fail_internal("an extern function's box is within its buffer", buffer.name);
                offset += min * strides[d];
                extents.push_back(extent);
            }
            const auto lead = static_cast<std::ptrdiff_t>(extents.size() - box.rank);
            kept.emplace_back(extents.begin() + lead, extents.end());
            kept.emplace_back(strides.begin() + lead, strides.end());
            views.push_back({static_cast<std::byte*>(buffers_[static_cast<std::size_t>(box.buffer)]) +
                                 offset * byte_size(buffer.dtype),
                             kept[kept.size() - 2].data(), kept.back().data(), static_cast<std::int64_t>(box.rank)});
        }
        std::vector<std::int64_t> numbers;
        for (const ScalarCode& number : call.numbers) numbers.push_back(value_of(number));
        call.function->function(views.data(), numbers.data());
        return patient(1);
    }

    bool step(const Leaf& leaf) {
        execute(leaf.before, 1, 1);
        for (int slot : leaf.inner_slots) slots_[static_cast<std::size_t>(slot)] = 0;
        if (!leaf.chunked) {
            strip(leaf, 1);
            return patient(leaf.inner);
        }
        const std::int64_t extent = value_of(leaf.chunk_extent);
        for (std::int64_t at = 0; at < extent; at += leaf.chunk) {
            slots_[static_cast<std::size_t>(leaf.chunk_slot)] = at;
            const std::int64_t steps = std::min(leaf.chunk, extent - at);
            strip(leaf, steps);
            if (!patient(steps * leaf.inner)) return false;
        }
        return true;
    }

    // --------------------------------------------------------------------------------- a strip

    /// Runs `steps` iterations of the chunked loop with all those inside.
    void strip(const Leaf& leaf, std::int64_t steps) {
        const int n = static_cast<int>(steps) * leaf.inner;
        if (leaf.store.mac && multiply_accumulate(leaf, n, steps)) return;
        if (leaf.straight && compute_in_place(leaf, n, steps)) return;
        if (!execute(leaf.code, n, steps)) return; // no lane is on
        store(leaf, n, steps);
    }

    /// The last instruction writes to the buffer itself. Nothing in a leaf with a strip loads what it stores.
    bool compute_in_place(const Leaf& leaf, int n, std::int64_t steps) {
        const Access& to = access(leaf.store.access);
        if (!direct(to, steps)) return false;
        const Instruction& last = leaf.code.back();
        execute(std::span(leaf.code).first(leaf.code.size() - 1), n, steps);
        if (last.code == OpCode::Unary)
            last.unary(element(to), reg(last.a), n);
        else
            last.binary(element(to), reg(last.a), reg(last.b), n);
        return true;
    }

    bool multiply_accumulate(const Leaf& leaf, int n, std::int64_t steps) {
        const Access &to = access(leaf.store.access), &a = access(leaf.store.mac_a), &b = access(leaf.store.mac_b);
        if (!direct(to, steps) || !direct(a, steps) || !direct(b, steps)) return false;
        MacArgs args;
        args.fold.buffer = element(to);
        args.fold.pattern = to.pattern.data();
        set_starts(leaf, args.fold, n, steps);
        args.a = element(a);
        args.b = element(b);
        args.a_pattern = a.pattern.data();
        args.b_pattern = b.pattern.data();
        leaf.store.mac(args);
        return true;
    }

    void store(const Leaf& leaf, int n, std::int64_t steps) {
        const Leaf::Store& store = leaf.store;
        const Access& to = access(store.access);
        const bool all = store.mask < 0 || lanes_on_[static_cast<std::size_t>(store.mask)] == n;
        const void* value = registers_[static_cast<std::size_t>(store.value)];
        const bool fast = all && direct(to, steps);
        if (!fast) offsets(to, n, store.mask);
        if (store.fold) {
            FoldArgs args;
            args.term = value;
            set_starts(leaf, args, n, steps);
            if (fast)
                args.pattern = to.pattern.data();
            else {
                args.offsets = offsets_.data();
                if (args.starts == starts_.data()) mark_starts(leaf, args, 1);
            }
            args.buffer = fast ? element(to) : buffers_[static_cast<std::size_t>(to.buffer)];
            store.fold(args);
        } else if (!fast) {
            scatter_at_kernel(store.dtype)(buffers_[static_cast<std::size_t>(to.buffer)], value, offsets_.data(), n);
        } else if (to.stride == Access::Stride::Unit && lane_bytes(store.dtype) == byte_size(store.dtype)) {
            std::memmove(element(to), value, static_cast<std::size_t>(n * byte_size(store.dtype)));
        } else {
            scatter_kernel(store.dtype)(element(to), value, to.pattern.data(), n);
        }
    }

    /// Fills in how many lanes there are, the lanes in which the init runs, and the length of runs.
    void set_starts(const Leaf& leaf, FoldArgs& args, int n, std::int64_t steps) {
        args.n = n;
        args.run = leaf.run;
        if (leaf.init_value < 0) return;
        args.initial = registers_[static_cast<std::size_t>(leaf.init_value)];
        if (leaf.init_mask >= 0) {
            args.starts = static_cast<const std::uint8_t*>(registers_[static_cast<std::size_t>(leaf.init_mask)]);
            return;
        }
        bool negative = false;
        for (int index : leaf.reduce_iters) {
            const LaneLinear& iter = plan_.linears[static_cast<std::size_t>(index)];
            const std::int64_t least = iter.least(iter.index.at(slots_.data()), steps);
            if (least > 0) return; // in no lane are all of them 0
            negative |= least < 0;
        }
        if (!leaf.starts_only || negative) args.run = 1;
        mark_starts(leaf, args, args.run);
    }

    void mark_starts(const Leaf& leaf, FoldArgs& args, int run) {
        for (int lane = 0; lane < args.n; lane += run) starts_[static_cast<std::size_t>(lane)] = 1;
        for (int index : leaf.reduce_iters) {
            const LaneLinear& iter = plan_.linears[static_cast<std::size_t>(index)];
            const std::int64_t base = iter.index.at(slots_.data());
            for (int lane = 0; lane < args.n; lane += run)
                starts_[static_cast<std::size_t>(lane)] &= base + iter.pattern[static_cast<std::size_t>(lane)] == 0;
        }
        args.starts = starts_.data();
    }

    // --------------------------------------------------------------------------------- code

    /// False when a condition turned all lanes off and the rest was skipped.
    bool execute(std::span<const Instruction> code, int n, std::int64_t steps) {
        for (std::size_t at = 0; at < code.size(); ++at) {
            const Instruction& i = code[at];
            switch (i.code) {
            case OpCode::Unary: i.unary(own(i.dst), reg(i.a), n); break;
            case OpCode::Binary: i.binary(own(i.dst), reg(i.a), reg(i.b), n); break;
            case OpCode::Select: select(i, n); break;
            case OpCode::Load: load(i, n, steps); break;
            case OpCode::Affine: affine(i, n); break;
            case OpCode::Compare: compare(i, n, steps); break;
            case OpCode::MaskAnd:
            case OpCode::MaskAndNot: mask(i, n); break;
            case OpCode::JumpIfNone:
                if (lanes_on_[static_cast<std::size_t>(i.a)] > 0) break;
                if (i.index < 0) return false;
                own(i.dst); // what a select reads there, and does not take, must be memory it may read
                at = static_cast<std::size_t>(i.index) - 1;
                break;
            case OpCode::ToSlot: slots_[static_cast<std::size_t>(i.index)] = lane<std::int64_t>(i.a, 0); break;
            }
        }
        return true;
    }

    void* own(int r) {
        return registers_[static_cast<std::size_t>(r)] = lanes_.get() + static_cast<std::ptrdiff_t>(r) * kRegisterBytes;
    }
    const void* reg(int r) const { return registers_[static_cast<std::size_t>(r)]; }
    template <class T> T lane(int r, int i) const { return static_cast<const T*>(reg(r))[i]; }

    void select(const Instruction& i, int n) {
        const auto all = [&](int mask) { return mask >= 0 && lanes_on_[static_cast<std::size_t>(mask)] == n; };
        if (all(i.mask))
            registers_[static_cast<std::size_t>(i.dst)] = registers_[static_cast<std::size_t>(i.a)];
        else if (all(i.index))
            registers_[static_cast<std::size_t>(i.dst)] = registers_[static_cast<std::size_t>(i.b)];
        else
            i.select(own(i.dst), static_cast<const std::uint8_t*>(reg(i.c)), reg(i.a), reg(i.b), n);
    }

    void affine(const Instruction& i, int n) {
        const LaneLinear& linear = plan_.linears[static_cast<std::size_t>(i.index)];
        const auto base = static_cast<std::uint64_t>(linear.index.at(slots_.data()));
        auto* out = static_cast<std::uint64_t*>(own(i.dst));
        const std::int64_t* pattern = linear.pattern.data();
        for (int lane = 0; lane < n; ++lane) out[lane] = base + static_cast<std::uint64_t>(pattern[lane]);
    }

    template <class Test> static void compare_lanes(std::uint8_t* out, const LaneLinear& linear,
                                                    std::array<std::int64_t, 3> range, int n, Test test) {
        const auto [base, least, greatest] = range;
        // Each comparison with 0 is true for a whole range, or for none of it, when both ends say so and,
        // for = and !=, the range does not hold 0 inside.
        const bool sided = least > 0 || greatest < 0 || least == greatest;
        if (test(least) == test(greatest) && (sided || test(-1) != test(1)))
            return static_cast<void>(std::memset(out, test(least), static_cast<std::size_t>(n)));
        const std::int64_t* pattern = linear.pattern.data();
        for (int lane = 0; lane < n; ++lane) out[lane] = test(base + pattern[lane]);
    }

    void compare(const Instruction& i, int n, std::int64_t steps) {
        const LaneLinear& linear = plan_.linears[static_cast<std::size_t>(i.index)];
        const std::int64_t base = linear.index.at(slots_.data());
        const std::array<std::int64_t, 3> range{base, linear.least(base, steps), linear.greatest(base, steps)};
        auto* out = static_cast<std::uint8_t*>(own(i.dst));
        switch (static_cast<BinaryOp>(i.a)) {
        case BinaryOp::Eq: return compare_lanes(out, linear, range, n, [](std::int64_t v) { return v == 0; });
        case BinaryOp::Ne: return compare_lanes(out, linear, range, n, [](std::int64_t v) { return v != 0; });
        case BinaryOp::Lt: return compare_lanes(out, linear, range, n, [](std::int64_t v) { return v < 0; });
        case BinaryOp::Le: return compare_lanes(out, linear, range, n, [](std::int64_t v) { return v <= 0; });
        case BinaryOp::Gt: return compare_lanes(out, linear, range, n, [](std::int64_t v) { return v > 0; });
        case BinaryOp::Ge: return compare_lanes(out, linear, range, n, [](std::int64_t v) { return v >= 0; });
        default: fail_internal("a comparison compares");
        }
    }

    void mask(const Instruction& i, int n) {
        const auto* condition = static_cast<const std::uint8_t*>(reg(i.b));
        const auto* outer = i.a < 0 ? nullptr : static_cast<const std::uint8_t*>(reg(i.a));
        auto* out = static_cast<std::uint8_t*>(own(i.dst));
        const bool wanted = i.code == OpCode::MaskAnd;
        int count = 0;
        for (int lane = 0; lane < n; ++lane) {
            out[lane] = (condition[lane] != 0) == wanted;
            if (outer) out[lane] &= outer[lane];
            count += out[lane];
        }
        lanes_on_[static_cast<std::size_t>(i.dst)] = count;
    }

    // --------------------------------------------------------------------------------- memory

    const Access& access(int index) const { return plan_.accesses[static_cast<std::size_t>(index)]; }

    /// The element that lane 0 accesses. Pre: direct.
    std::byte* element(const Access& at) const {
        const auto buffer = static_cast<std::size_t>(at.buffer);
        return static_cast<std::byte*>(buffers_[buffer]) +
               at.offset.index.at(slots_.data()) * byte_size(plan_.buffers[buffer].dtype);
    }

    /// Whether all lanes are in bounds, at the offsets of the pattern.
    bool direct(const Access& at, std::int64_t steps) const {
        if (!at.extra.empty() || at.pattern.empty()) return false;
        if (at.proven) return true;
        for (const Access::Dimension& dimension : at.dimensions) {
            const std::int64_t base = dimension.index.index.at(slots_.data());
            if (dimension.index.least(base, steps) < 0 || dimension.index.greatest(base, steps) >= dimension.extent)
                return false;
        }
        return true;
    }

    std::int64_t index_of(const LaneLinear& linear, const std::vector<LaneTerm>& extra, std::int64_t base,
                          int lane_index) const {
        auto sum = static_cast<std::uint64_t>(base) +
                   static_cast<std::uint64_t>(linear.pattern[static_cast<std::size_t>(lane_index)]);
        for (const LaneTerm& term : extra)
            sum += static_cast<std::uint64_t>(term.coefficient) *
                   static_cast<std::uint64_t>(lane<std::int64_t>(term.reg, lane_index));
        return static_cast<std::int64_t>(sum);
    }

    /// Fills offsets_ with the element every lane accesses, -1 for lanes that are off.
    /// A broken invariant when one is outside the buffer.
    void offsets(const Access& at, int n, int mask_register) {
        const auto* on = mask_register < 0 ? nullptr : static_cast<const std::uint8_t*>(reg(mask_register));
        const std::int64_t base = at.offset.index.at(slots_.data());
        for (int i = 0; i < n; ++i)
            offsets_[static_cast<std::size_t>(i)] = on && !on[i] ? -1 : index_of(at.offset, at.extra, base, i);
        for (const Access::Dimension& dimension : at.dimensions) {
            const std::int64_t first = dimension.index.index.at(slots_.data());
            for (int i = 0; i < n; ++i) {
                if (on && !on[i]) continue;
                const std::int64_t index = index_of(dimension.index, dimension.extra, first, i);
                if (index < 0 || index >= dimension.extent) fail_bounds(at, i);
            }
        }
    }

    [[noreturn]] void fail_bounds(const Access& at, int lane_index) const {
        const PlannedBuffer& buffer = plan_.buffers[static_cast<std::size_t>(at.buffer)];
        std::string text = buffer.name + "[";
        for (const Access::Dimension& dimension : at.dimensions) {
            const std::int64_t first = dimension.index.index.at(slots_.data());
            if (text.back() != '[') text += ", ";
            text += std::to_string(index_of(dimension.index, dimension.extra, first, lane_index));
        }
        fail_internal("an access is within its buffer", text + "] of " + type_text(buffer.dtype, buffer.shape));
    }

    void load(const Instruction& i, int n, std::int64_t steps) {
        const Access& from = access(i.index);
        if (!direct(from, steps)) {
            offsets(from, n, i.mask);
            return gather_at_kernel(i.dtype)(own(i.dst), buffers_[static_cast<std::size_t>(from.buffer)],
                                             offsets_.data(), n);
        }
        constexpr int kWorthFilling = 4; // our choice: shorter runs are gathered as fast
        if (i.in_place && (from.stride == Access::Stride::Unit || n == 1))
            registers_[static_cast<std::size_t>(i.dst)] = element(from);
        else if (from.run >= kWorthFilling)
            spread_kernel(i.dtype)(own(i.dst), element(from), from.pattern.data(), n, from.run);
        else
            i.gather(own(i.dst), element(from), from.pattern.data(), n);
    }

    const Plan& plan_;
    const Progress& progress_;
    Memory lanes_;
    std::vector<void*> registers_; ///< where the lanes of each register are: its own memory or a buffer's
    std::vector<int> lanes_on_;    ///< of masks
    std::vector<std::int64_t> slots_;
    std::vector<void*> buffers_;
    std::vector<Memory> allocated_;
    std::array<std::int64_t, kLanes> offsets_{};
    std::array<std::uint8_t, kLanes> starts_{};
    std::int64_t patience_ = kPatience;
};

Diagnostic misfit(Code code, const Program& program, const Buffer& buffer, const std::string& what) {
    return {code, "argument " + buffer->name + " " + what, {ProgramPlace{program->name, buffer->name}}, {}};
}

/// The parameter's extents once `sizes` holds those that are a variable alone, bound by the argument.
Result<void> check_argument(const Program& program, const Buffer& buffer, const NDArray& arg, SizeMap& sizes) {
    if (!arg.defined()) return misfit(Code::BadShape, program, buffer, "is missing");
    if (arg.dtype() != buffer->dtype)
        return misfit(Code::BadType, program, buffer,
                      "is " + std::string(to_string(arg.dtype())) + ", not " + std::string(to_string(buffer->dtype)));
    if (arg.shape().size() != buffer->rank())
        return misfit(Code::BadShape, program, buffer,
                      "has rank " + std::to_string(arg.shape().size()) + ", not " + std::to_string(buffer->rank()));
    for (std::size_t d = 0; d < buffer->rank(); ++d) {
        if (const Var* var = as<Var>(buffer->shape[d])) sizes.emplace(VarRef(var), arg.shape()[d]);
        const std::int64_t extent = extent_value(buffer->shape[d], sizes);
        if (arg.shape()[d] != extent)
            return misfit(Code::BadShape, program, buffer,
                          "is " + type_text(arg.dtype(), arg.shape()) + ", but dimension " + std::to_string(d) +
                              " is " + std::to_string(extent));
    }
    return {};
}

} // namespace

Result<void> interpret(const Program& program, std::span<NDArray> args, const Progress& progress) {
    if (args.size() != program->params.size())
        return Diagnostic{Code::BadShape,
                          "program " + program->name + " takes " + std::to_string(program->params.size()) +
                              " arguments, not " + std::to_string(args.size()),
                          {ProgramPlace{program->name, {}}},
                          {}};
    SizeMap sizes;
    std::vector<std::vector<std::int64_t>> shapes;
    for (std::size_t p = 0; p < args.size(); ++p) {
        ORRERY_CHECK_OK(check_argument(program, program->params[p], args[p], sizes));
        shapes.push_back(args[p].shape());
    }
    ORRERY_CHECK_OK(check_externs(program));
    const Plan plan = plan_program(program, shapes);
    if (progress.cancelled() || !Machine(plan, args, progress).run(*plan.body))
        return Diagnostic{
            Code::Cancelled, "running " + program->name + " was cancelled", {ProgramPlace{program->name, {}}}, {}};
    return {};
}

} // namespace orrery::tensor
