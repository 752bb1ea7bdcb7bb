#include "core/ops/stage.hpp"

#include "core/ops/relation.hpp"

#include <algorithm>

namespace orrery::ops {

using namespace tensor;

DType accumulator(DType dtype) { return is_narrow_float(dtype) ? DType::F32 : dtype; }

Indices broadcast_indices(const Shape& shape, const Indices& out, const Shape& out_shape) {
    ORRERY_ASSERT(shape.size() <= out.size(), "a broadcast operand has no more dimensions than the result");
    Indices indices;
    indices.reserve(shape.size());
    const std::size_t shift = out.size() - shape.size();
    for (std::size_t i = 0; i < shape.size(); ++i)
        indices.push_back(shape[i] == 1 && out_shape[shift + i] != 1 ? imm(0) : out[shift + i]);
    return indices;
}

Expr load_broadcast(const Buffer& buffer, const Indices& out, const Shape& out_shape) {
    return load(buffer, broadcast_indices(buffer->static_shape(), out, out_shape));
}

Expr flatten(const Indices& indices, const Shape& shape) {
    Expr position = imm(0);
    for (std::size_t i = 0; i < shape.size(); ++i) position = position * shape[i] + indices[i];
    return position;
}

Indices unflatten(const Expr& position, const Shape& shape) {
    Indices indices(shape.size());
    Expr rest = position;
    for (std::size_t i = shape.size(); i-- > 0;) {
        if (shape[i] <= 1) {
            indices[i] = imm(0);
            continue;
        }
        std::int64_t outer = 1;
        for (std::size_t j = 0; j < i; ++j) outer *= shape[j];
        indices[i] = outer <= 1 ? rest : floor_mod(rest, imm(shape[i]));
        if (outer > 1) rest = floor_div(rest, imm(shape[i]));
    }
    return indices;
}

Expr safe_index(const Expr& index, std::int64_t extent) {
    const Expr i = cast(DType::I64, index);
    const Expr wrapped = select(lt(i, imm(0)), i + extent, i);
    return max(min(wrapped, imm(extent - 1)), imm(0));
}

Expr within(const Expr& index, std::int64_t low, std::int64_t high) {
    return ge(index, imm(low)) && lt(index, imm(high));
}

Buffer compute_stage(ComputeBuilder& builder, const StageSpec& spec, const ComputeBuilder::Body& body) {
    builder.axes(spec.axes);
    return builder.compute(spec.name, spec.dtype, spec.shape, body);
}

Buffer reduce_stage(ComputeBuilder& builder, const StageSpec& spec, const ComputeBuilder::Reduction& reduction,
                    const ComputeBuilder::ReduceBody& body) {
    const DType wide = accumulator(spec.dtype);
    builder.axes(spec.axes);
    const Buffer sum = builder.reduce(spec.name, wide, spec.shape, reduction,
                                      [&](const Indices& i, const Indices& k) { return cast(wide, body(i, k)); });
    if (wide == spec.dtype) return sum;
    return compute_stage(builder, {spec.name + "_rounded", spec.dtype, spec.shape, spec.axes},
                         [&](const Indices& i) { return cast(spec.dtype, load(sum, i)); });
}

Stretches stretches_of(const DefineRequest& request) {
    if (const std::int64_t length = sum_stretch(request.attrs); length > 0) return {request.in(0)->dtype, length};
    return {accumulator(request.out_dtype()), 0};
}

namespace {

/// A reduction cut in two: the loops around stretches, and those of one, where the first inner loop may be a part of
/// the last outer one.
struct CutReduction {
    ComputeBuilder::Reduction outer, inner;
    std::int64_t part = 1; ///< of the loop that is cut; 1 for none

    CutReduction(const ComputeBuilder::Reduction& whole, std::int64_t longest) {
        std::size_t first = whole.extents.size();
        std::int64_t length = 1;
        while (first > 0 && whole.extents[first - 1] <= longest / length)
            length *= std::max<std::int64_t>(whole.extents[--first], 1);
        for (std::size_t d = 0; d < whole.extents.size(); ++d) {
            ComputeBuilder::Reduction& side = d < first ? outer : inner;
            side.extents.push_back(whole.extents[d]);
            side.names.push_back(whole.names[d]);
        }
        if (first == 0) return;
        for (part = longest / length; outer.extents.back() % part != 0;) --part;
        if (part == 1) return;
        outer.extents.back() /= part;
        inner.extents.insert(inner.extents.begin(), part);
        inner.names.insert(inner.names.begin(), outer.names.back() + "s");
    }
    /// Indices of the whole from those of both.
    [[nodiscard]] Indices whole(Indices at, const Indices& inside) const {
        if (part > 1) at.back() = at.back() * part + inside.front();
        at.insert(at.end(), inside.begin() + (part > 1 ? 1 : 0), inside.end());
        return at;
    }
};

} // namespace

Buffer product_sum_stage(ComputeBuilder& builder, const StageSpec& spec, const ComputeBuilder::Reduction& reduction,
                         const Stretches& stretches, const ComputeBuilder::ReduceBody& body) {
    if (stretches.length == 0) return reduce_stage(builder, spec, reduction, body);
    const CutReduction cut(reduction, stretches.length);
    const std::size_t around = cut.outer.extents.size();
    // The stretch's own dimensions come last, so that it is a tile where the whole is one.
    Shape shape = cut.outer.extents;
    Names axes = cut.outer.names;
    shape.insert(shape.end(), spec.shape.begin(), spec.shape.end());
    axes.insert(axes.end(), spec.axes.begin(), spec.axes.end());
    builder.axes(axes);
    const Buffer sums = builder.reduce(spec.name + "_stretch", stretches.dtype, shape, cut.inner,
                                       [&](const Indices& i, const Indices& k) {
                                           const auto own = i.begin() + static_cast<std::ptrdiff_t>(around);
                                           return body({own, i.end()}, cut.whole({i.begin(), own}, k));
                                       });
    if (around == 0)
        return compute_stage(builder, {spec.name, spec.dtype, spec.shape, spec.axes},
                             [&](const Indices& i) { return cast(spec.dtype, load(sums, i)); });
    return reduce_stage(builder, spec, cut.outer, [&](const Indices& i, const Indices& k) {
        Indices at = k;
        at.insert(at.end(), i.begin(), i.end());
        return load(sums, at);
    });
}

Buffer pad_stage(ComputeBuilder& builder, const Buffer& x, const PadSpec& spec) {
    const Shape in = x->static_shape();
    Shape out = in;
    bool changed = false;
    for (std::size_t d = 0; d < spec.before.size(); ++d) {
        out[spec.first + d] = spec.extent[d];
        // Fewer elements than there are, from the first on, need no copy: the rest is not looked at.
        changed |= spec.before[d] != 0 || spec.extent[d] > in[spec.first + d];
    }
    if (!changed) return x;
    return compute_stage(builder, {"pad", x->dtype, out, nchw_names(out.size())}, [&](const Indices& i) {
        Indices from = i;
        Expr inside;
        for (std::size_t d = 0; d < spec.before.size(); ++d) {
            const std::size_t axis = spec.first + d;
            const std::int64_t before = spec.before[d];
            from[axis] = i[axis] - before;
            const auto require = [&inside](const Expr& condition) {
                inside = inside ? inside && condition : condition;
            };
            if (before > 0) require(ge(i[axis], imm(before)));
            if (spec.extent[d] > before + in[axis]) require(lt(i[axis], imm(before + in[axis])));
        }
        const Expr value = load(x, from);
        return inside ? select(inside, value, spec.value) : value;
    });
}

Stmt loop(std::int64_t extent, const std::string& name, const std::function<Stmt(const Expr&)>& body) {
    const VarRef var = Var::make(name);
    return For::make(var, imm(extent), LoopKind::Serial, body(var));
}

Stmt loops(const Shape& shape, const Names& names, const std::function<Stmt(const Indices&)>& body) {
    std::vector<VarRef> vars;
    Indices indices;
    for (std::size_t i = 0; i < shape.size(); ++i) {
        vars.push_back(Var::make(i < names.size() ? names[i] : "i" + std::to_string(i)));
        indices.push_back(vars.back());
    }
    Stmt stmt = body(indices);
    for (std::size_t i = shape.size(); i-- > 0;) stmt = For::make(vars[i], imm(shape[i]), LoopKind::Serial, stmt);
    return stmt;
}

Stmt copy_loops(const Buffer& from, const Buffer& to) {
    return loops(to->static_shape(), {}, [&](const Indices& i) { return Store::make(to, i, load(from, i)); });
}

Names spatial_names(std::size_t count, const std::string& prefix) {
    static const char* const kNames[] = {"d", "h", "w"};
    Names names;
    for (std::size_t i = 0; i < count; ++i)
        names.push_back(prefix + (count <= 3 ? std::string(kNames[3 - count + i]) : "s" + std::to_string(i)));
    return names;
}

Names nchw_names(std::size_t rank) {
    if (rank < 2) return rank == 1 ? Names{"n"} : Names{};
    Names names{"n", "c"};
    for (std::string& name : spatial_names(rank - 2)) names.push_back(std::move(name));
    return names;
}

} // namespace orrery::ops
