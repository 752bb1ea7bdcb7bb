#pragma once
// Random well-typed tensor programs: affine loop nests with several blocks, every dtype and operator, every load in
// bounds, every element stored before it is read, no i64 overflow.

#include "core/tensor/build.hpp"
#include "core/tensor/compute.hpp"

#include <random>

namespace orrery::tensor::testing {

struct RandomOptions {
    int max_stages = 4;
    int max_depth = 3;        ///< of value expressions
    bool library_math = true; ///< exp, sin, pow ...: results depend on the math library
    bool structure = true;    ///< splits, lets, ifs, scratch buffers, loop kinds, annotations
    bool all_dtypes = true;   ///< otherwise f32 and i32
};

/// Draws programs. The same seed draws the same programs.
class ProgramGenerator {
  public:
    explicit ProgramGenerator(std::uint64_t seed, RandomOptions options = {}) : random_(seed), options_(options) {}

    Program program() {
        readable_.clear();
        std::vector<Buffer> params;
        for (int i = 0, count = 1 + below(3); i < count; ++i) {
            params.push_back(make_buffer("x" + std::to_string(i), dtype(), shape()));
            readable_.push_back(params.back());
        }
        const std::size_t inputs = params.size();
        std::vector<std::pair<Buffer, Stmt>> stages; ///< the buffer is null where it is an output
        const int count = 1 + below(options_.max_stages);
        for (int i = 0; i < count; ++i) {
            Buffer buffer = make_buffer(pick<const char*>({"y", "acc", "pad", "max", "for"}), dtype(), shape());
            Stmt nest = stage(buffer, "b" + std::to_string(i));
            const bool output = i + 1 == count || chance(30);
            if (output) params.push_back(buffer);
            readable_.push_back(buffer);
            stages.push_back({output ? nullptr : buffer, nest});
        }
        Stmt body = Seq::make({});
        for (std::size_t i = stages.size(); i-- > 0;) {
            body = Seq::make({stages[i].second, body});
            if (stages[i].first != nullptr) body = Alloc::make(stages[i].first, body);
        }
        return make_program("random", std::move(params), inputs, std::move(body), OriginSet(7));
    }

    /// A value of that dtype over the readable buffers, which `program` or `readable` set.
    Expr value(DType dtype, int depth) {
        if (depth <= 0 || chance(15)) return leaf(dtype);
        if (dtype == DType::Bool) return condition(depth);
        switch (below(is_arithmetic(dtype) ? 6 : 2)) {
        case 0: // a narrow source keeps i64 far from overflow
            return cast_of(dtype, value(dtype == DType::I64 ? DType::I8 : this->dtype(), depth - 1));
        case 1: return select_of(value(DType::Bool, depth - 1), value(dtype, depth - 1), value(dtype, depth - 1));
        case 2: return is_float(dtype) ? float_call(dtype, depth) : int_call(dtype, depth);
        default: return is_float(dtype) ? float_binary(dtype, depth) : int_binary(dtype, depth);
        }
    }
    void readable(std::vector<Buffer> buffers) { readable_ = std::move(buffers); }
    /// Index variables with their extents that loads may use.
    struct Axis {
        Expr var;
        std::int64_t extent;
    };
    void axes(std::vector<Axis> axes) { axes_ = std::move(axes); }
    int below(int n) { return static_cast<int>(random_() % static_cast<std::uint64_t>(n)); }
    bool chance(int percent) { return below(100) < percent; }
    template <class T> T pick(std::initializer_list<T> items) {
        return *(items.begin() + below(static_cast<int>(items.size())));
    }

  private:
    DType dtype() {
        if (!options_.all_dtypes) return pick({DType::F32, DType::I32});
        return chance(40) ? DType::F32 : static_cast<DType>(below(kDTypeCount));
    }
    std::vector<std::int64_t> shape() {
        std::vector<std::int64_t> out(static_cast<std::size_t>(below(4)));
        for (std::int64_t& extent : out) extent = 1 + below(6);
        return out;
    }
    static Expr select_of(Expr c, Expr a, Expr b) { return Select::make(std::move(c), std::move(a), std::move(b)); }
    static Expr cast_of(DType dtype, Expr value) { return Cast::make(dtype, std::move(value)); }
    static Expr binary_of(BinaryOp op, Expr a, Expr b) { return Binary::make(op, std::move(a), std::move(b)); }

    // Values.
    Expr drawn(BinaryOp op, DType dtype, int depth) {
        return binary_of(op, value(dtype, depth - 1), value(dtype, depth - 1));
    }
    Expr leaf(DType dtype) {
        if (chance(65) && !readable_.empty()) return load_of(dtype);
        if (dtype == DType::I64 && !axes_.empty() && chance(70)) return any_axis().var;
        if (dtype == DType::Bool) return boolean(chance(50));
        if (is_float(dtype)) return float_leaf(dtype);
        return constant_int(dtype, below(200) - 100);
    }
    Expr float_leaf(DType dtype) {
        if (chance(3)) return pick({lowest(dtype), highest(dtype)});
        const double value = (below(20001) - 10000) / pick({1.0, 4.0, 10.0, 1e3, 1e5});
        return constant(dtype, value);
    }
    const Axis& any_axis() { return axes_[static_cast<std::size_t>(below(static_cast<int>(axes_.size())))]; }

    Expr load_of(DType dtype) {
        const Buffer& buffer = readable_[static_cast<std::size_t>(below(static_cast<int>(readable_.size())))];
        const std::vector<std::int64_t> shape = buffer->static_shape();
        std::vector<Expr> indices;
        Expr guard;
        for (std::int64_t extent : shape) indices.push_back(index(extent, guard));
        Expr loaded = load(buffer, std::move(indices));
        // Wide integers and floats become small before they are an i64.
        if (dtype == DType::I64 && loaded->dtype != DType::Bool) loaded = cast_of(DType::I8, loaded);
        loaded = cast_of(dtype, loaded);
        return guard == nullptr ? loaded : select_of(guard, loaded, constant_int(dtype, 1));
    }
    /// An index within [0, extent), or one that `guard` says is.
    Expr index(std::int64_t extent, Expr& guard) {
        if (axes_.empty() || extent == 1 || chance(15)) return imm(below(static_cast<int>(extent)));
        const Axis& axis = any_axis();
        const std::int64_t room = extent - axis.extent;
        switch (below(5)) {
        case 0: return floor_mod(axis.var + below(4), imm(extent));
        case 1: return min(max(axis.var - below(3), imm(0)), imm(extent - 1));
        case 2: {
            const Expr shifted = axis.var - (1 + below(2));
            const Expr inside = binary_of(BinaryOp::And, ge(shifted, imm(0)), lt(shifted, imm(extent)));
            guard = guard == nullptr ? inside : binary_of(BinaryOp::And, guard, inside);
            return shifted;
        }
        default:
            if (room < 0) return floor_div(axis.var, imm((axis.extent + extent - 1) / extent));
            return axis.var + below(static_cast<int>(room) + 1);
        }
    }
    Expr condition(int depth) {
        switch (below(5)) {
        case 0: return drawn(pick({BinaryOp::And, BinaryOp::Or}), DType::Bool, depth);
        case 1: return Call::make(Intrinsic::Not, {value(DType::Bool, depth - 1)});
        case 2: {
            const DType type = options_.all_dtypes ? pick({DType::F32, DType::F64, DType::F16}) : DType::F32;
            return Call::make(pick({Intrinsic::IsNan, Intrinsic::IsInf}), {value(type, depth - 1)});
        }
        default: {
            const DType drawn_type = dtype(), type = is_arithmetic(drawn_type) ? drawn_type : DType::I8;
            const auto op = static_cast<BinaryOp>(static_cast<int>(BinaryOp::Eq) + below(type == DType::Bool ? 2 : 6));
            return drawn(op, type, depth);
        }
        }
    }
    Expr float_call(DType dtype, int depth) {
        if (!options_.library_math) {
            const Intrinsic exact = pick({Intrinsic::Neg, Intrinsic::Abs, Intrinsic::Sign, Intrinsic::Sqrt,
                                          Intrinsic::Floor, Intrinsic::Ceil, Intrinsic::Round, Intrinsic::Trunc});
            return Call::make(exact, {value(dtype, depth - 1)});
        }
        if (chance(10))
            return Call::make(pick({Intrinsic::Pow, Intrinsic::Fmod}),
                              {value(dtype, depth - 1), value(dtype, depth - 1)});
        constexpr int kFirst = static_cast<int>(Intrinsic::Abs), kLast = static_cast<int>(Intrinsic::Trunc);
        const auto unary = static_cast<Intrinsic>(kFirst + below(kLast - kFirst + 1));
        return Call::make(chance(10) ? Intrinsic::Neg : unary, {value(dtype, depth - 1)});
    }
    Expr int_call(DType dtype, int depth) {
        if (dtype == DType::I64)
            return Call::make(pick({Intrinsic::Neg, Intrinsic::Abs, Intrinsic::Sign}), {leaf(dtype)});
        return Call::make(
            pick({Intrinsic::Neg, Intrinsic::Abs, Intrinsic::Sign, Intrinsic::BitNot, Intrinsic::CountOnes}),
            {value(dtype, depth - 1)});
    }
    Expr float_binary(DType dtype, int depth) {
        return drawn(pick({BinaryOp::Add, BinaryOp::Sub, BinaryOp::Mul, BinaryOp::Div, BinaryOp::Min, BinaryOp::Max}),
                     dtype, depth);
    }
    Expr int_binary(DType dtype, int depth) {
        // i64 must not overflow: its leaves are below 2^8 in magnitude, its products have two of them.
        if (dtype == DType::I64) {
            const BinaryOp op = pick({BinaryOp::Add, BinaryOp::Sub, BinaryOp::Div, BinaryOp::Rem, BinaryOp::FloorDiv,
                                      BinaryOp::FloorMod, BinaryOp::Min, BinaryOp::Max, BinaryOp::BitAnd,
                                      BinaryOp::BitOr, BinaryOp::BitXor});
            if (chance(20)) return binary_of(BinaryOp::Mul, leaf(dtype), leaf(dtype));
            return drawn(op, dtype, depth);
        }
        const BinaryOp op = static_cast<BinaryOp>(below(static_cast<int>(BinaryOp::Max) + 1));
        if (chance(30)) return drawn(pick({BinaryOp::BitAnd, BinaryOp::BitOr, BinaryOp::BitXor}), dtype, depth);
        if (chance(20))
            return binary_of(pick({BinaryOp::Shl, BinaryOp::Shr}), leaf(dtype), constant_int(dtype, below(12)));
        return drawn(op, dtype, depth);
    }

    // Statements.
    struct Loop {
        VarRef var;
        std::int64_t extent;
        LoopKind kind;
    };
    /// One loop for the axis, or two of which the inner is a split; the binding and, for a tail, a predicate.
    Expr loops_for(const std::string& name, std::int64_t extent, bool reduce, std::vector<Loop>& loops,
                   Expr& predicate) {
        const auto kind = [&] {
            if (!options_.structure || chance(60)) return LoopKind::Serial;
            return reduce ? LoopKind::Unrolled : pick({LoopKind::Parallel, LoopKind::Vectorized, LoopKind::Unrolled});
        };
        if (!options_.structure || chance(60) || extent < 2) {
            loops.push_back({Var::make(name), extent, kind()});
            return loops.back().var;
        }
        const std::int64_t factor = 2 + below(3), outer = (extent + factor - 1) / factor;
        const VarRef o = Var::make(name + "_o"), i = Var::make(name + "_i");
        loops.push_back({o, outer, kind()});
        loops.push_back({i, factor, kind()});
        const Expr whole = Expr(o) * factor + Expr(i);
        if (outer * factor == extent) return whole;
        const Expr inside = lt(whole, imm(extent));
        predicate = predicate == nullptr ? inside : binary_of(BinaryOp::And, predicate, inside);
        return whole;
    }

    Stmt stage(const Buffer& out, const std::string& name) {
        const bool reduce = chance(40);
        Block::Fields fields;
        fields.name = name;
        std::vector<Loop> loops;
        std::vector<Expr> spatial;
        axes_.clear();
        for (std::int64_t extent : out->static_shape()) {
            const Expr binding = loops_for("i", extent, false, loops, fields.predicate);
            fields.iters.push_back({Var::make("vi"), imm(extent), IterKind::Spatial, binding});
            spatial.push_back(fields.iters.back().var);
            axes_.push_back({spatial.back(), extent});
        }
        if (reduce) {
            const std::int64_t extent = 1 + below(5);
            const Expr binding = loops_for("r", extent, true, loops, fields.predicate);
            fields.iters.push_back({Var::make("vr"), imm(extent), IterKind::Reduce, binding});
            axes_.push_back({fields.iters.back().var, extent});
            fields.init = Store::make(out, spatial, constant_int(out->dtype, 0), OriginSet(1));
        }
        fields.body = body(out, spatial, reduce);
        Accesses accesses =
            find_accesses(fields.init == nullptr ? fields.body : Seq::make({fields.init, fields.body}), fields.iters);
        fields.reads = std::move(accesses.reads);
        fields.writes = std::move(accesses.writes);
        if (options_.structure && chance(20)) fields.annotations = {{"tile", "4 x \"8\""}, {"odd key\n", ""}};
        Stmt nest = Block::make(std::move(fields), OriginSet(static_cast<SourceId>(below(9))));
        for (std::size_t i = loops.size(); i-- > 0;) {
            Annotations notes;
            if (options_.structure && chance(10)) notes = {{"pragma", "hint"}};
            nest = For::make(loops[i].var, imm(loops[i].extent), loops[i].kind, std::move(nest), std::move(notes));
        }
        return around(std::move(nest));
    }

    Stmt body(const Buffer& out, const std::vector<Expr>& spatial, bool reduce) {
        const DType type = out->dtype;
        const auto store = [&](Expr result) {
            if (reduce && type != DType::Bool && type != DType::I64 && is_arithmetic(type))
                result = binary_of(pick({BinaryOp::Add, BinaryOp::Max}), load(out, spatial), std::move(result));
            else if (reduce && type == DType::I64)
                result = binary_of(BinaryOp::Max, load(out, spatial), std::move(result));
            return Store::make(out, spatial, std::move(result), OriginSet(2));
        };
        const auto drawn = [&] { return value(type, 1 + below(options_.max_depth)); };
        if (!options_.structure) return store(drawn());
        switch (below(8)) {
        case 0: return If::make(value(DType::Bool, 2), store(drawn()), store(drawn()));
        case 1: {
            const VarRef t = Var::make("t", type);
            return Let::make(t, drawn(), store(select_of(value(DType::Bool, 1), t, drawn())));
        }
        case 2: {
            const Buffer scratch = make_buffer("tmp", type, {2}, pick({Scope::Stack, Scope::Registers}));
            std::vector<Stmt> steps{Store::make(scratch, {imm(1)}, drawn()), store(load(scratch, {imm(1)}))};
            return Alloc::make(scratch, Seq::make(std::move(steps)));
        }
        default: return store(drawn());
        }
    }

    /// Sometimes wraps a whole nest, so that lets, allocs and ifs stand between others.
    Stmt around(Stmt nest) {
        if (!options_.structure || chance(70)) return nest;
        switch (below(4)) {
        case 0: return Let::make(Var::make("unused", DType::I64), imm(3), std::move(nest));
        case 1: return Alloc::make(make_buffer("unused", DType::F32, {4}, Scope::Stack), std::move(nest));
        case 2: return If::make(boolean(true), std::move(nest));
        default: return For::make(Var::make("once"), imm(1), LoopKind::Serial, std::move(nest));
        }
    }

    std::mt19937_64 random_;
    RandomOptions options_;
    std::vector<Buffer> readable_;
    std::vector<Axis> axes_;
};

} // namespace orrery::tensor::testing
