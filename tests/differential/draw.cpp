#include "tests/differential/draw.hpp"

#include "core/base/check.hpp"

#include <algorithm>
#include <cmath>

namespace orrery::differential {

std::int64_t Draw::number(std::int64_t low, std::int64_t high) {
    return low + static_cast<std::int64_t>(engine_() % static_cast<std::uint64_t>(high - low + 1));
}

double Draw::real(double low, double high) {
    const auto from = static_cast<std::int64_t>(std::ceil(low * 16)), to = static_cast<std::int64_t>(high * 16);
    const std::int64_t drawn = number(from, std::max(from, to));
    if (drawn != 0) return static_cast<double>(drawn) / 16;
    return to > 0 ? 1.0 / 16 : from < 0 ? -1.0 / 16 : 0;
}

DType Draw::dtype(DTypes set) {
    static constexpr DType kDrawn[] = {DType::F32,    DType::F32,  DType::F32, DType::F32, DType::F32,  DType::F64,
                                       DType::F16,    DType::BF16, DType::I32, DType::I64, DType::I8,   DType::U8,
                                       DType::I16,    DType::U16,  DType::U32, DType::U64, DType::Bool, DType::F8E4M3FN,
                                       DType::F8E5M2, DType::I4,   DType::U4};
    for (;;) {
        const DType drawn = kDrawn[number(0, std::size(kDrawn) - 1)];
        if (ops::contains(set, drawn)) return drawn;
    }
}

std::int64_t Draw::extent() {
    if (large_ && chance(40)) return one_of<std::int64_t>({24, 31, 32, 48, 63, 64, 65});
    return one_of<std::int64_t>({1, 2, 2, 3, 3, 4, 4, 5, 7, 8, 8, 9, 16, 17, 33});
}

Shape Draw::shape(std::size_t least_rank, std::size_t most_rank, bool empty) {
    Shape shape(
        static_cast<std::size_t>(number(static_cast<std::int64_t>(least_rank), static_cast<std::int64_t>(most_rank))));
    std::int64_t count = 1;
    for (std::int64_t& e : shape) {
        do e = extent();
        while (count * e > most_elements() && e > 1);
        count *= e;
    }
    if (empty && !shape.empty() && chance(2))
        shape[static_cast<std::size_t>(number(0, static_cast<std::int64_t>(shape.size()) - 1))] = 0;
    return shape;
}

Shape Draw::shape_of(const Var& var) { return graph::static_shape(*graph::as_tensor(var->type)); }
DType Draw::dtype_of(const Var& var) { return graph::as_tensor(var->type)->dtype; }

NDArray Draw::filled(DType dtype, const Shape& shape, const Want& want) {
    NDArray array = NDArray::allocate(dtype, shape);
    for (std::int64_t i = 0; i < array.size(); ++i) {
        if (is_float(dtype))
            array.set(i, real(want.low, want.high));
        else if (dtype == DType::Bool)
            array.set_int(i, number(0, 1));
        else
            array.set_int(i, number(is_unsigned_int(dtype) ? 0
                                    : bit_width(dtype) < 8 ? -7
                                                           : -9,
                                    bit_width(dtype) < 8 ? 7 : 9));
    }
    if (wild_ && !want.finite && chance(40)) add_extremes(array);
    return array;
}

void Draw::add_extremes(NDArray& array) {
    for (std::int64_t i = 0; i < array.size(); ++i) {
        if (!chance(20)) continue;
        const DType dtype = array.dtype();
        if (is_float(dtype)) {
            array.set(i, one_of<double>({0.0, HUGE_VAL, -HUGE_VAL, std::nan(""), 1e4, -1e4, 1e-3, 0.5, 1.5, 2.5}));
        } else if (dtype != DType::Bool) {
            const int bits = bit_width(dtype) - (is_signed_int(dtype) ? 1 : 0);
            const std::uint64_t greatest = bits == 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << bits) - 1;
            const auto most = static_cast<std::int64_t>(greatest);
            array.set_int(i, one_of<std::int64_t>({most, is_signed_int(dtype) ? -most - 1 : 0, 0, 1, most / 2}));
        }
    }
}

Var Draw::constant(const NDArray& value) {
    const Var var = builder_.constant(value, {});
    values_.push_back(var);
    return var;
}

Var Draw::fresh(const NDArray& value) {
    if (chance(35)) return constant(value);
    const Var var =
        builder_.param("x" + std::to_string(inputs_.size()), graph::tensor_type(value.dtype(), value.shape()));
    inputs_.push_back({var, value});
    values_.push_back(var);
    return var;
}

Var Draw::operand(const Want& want) {
    if (!want.strict && chance(85)) {
        std::vector<Var> fitting;
        for (const Var& var : values_) {
            const graph::TensorType& type = *graph::as_tensor(var->type);
            if (!ops::contains(want.dtypes, type.dtype) || type.dims.size() < want.least_rank ||
                type.dims.size() > want.most_rank)
                continue;
            if (want.exact && is_float(type.dtype) && !exact(var)) continue;
            fitting.push_back(var);
        }
        // Later values are likelier: programs grow deep rather than wide.
        if (!fitting.empty()) {
            const auto last = static_cast<std::int64_t>(fitting.size()) - 1;
            return fitting[static_cast<std::size_t>(std::max(number(0, last), number(0, last)))];
        }
    }
    return fresh(filled(dtype(want.dtypes), shape(want.least_rank, want.most_rank, true), want));
}

Var Draw::tensor(DType dtype, const Shape& shape, const Want& want) {
    if (!want.strict && chance(70)) {
        std::vector<Var> fitting;
        for (const Var& var : values_)
            if (dtype_of(var) == dtype && shape_of(var) == shape && (!want.exact || !is_float(dtype) || exact(var)))
                fitting.push_back(var);
        if (!fitting.empty())
            return fitting[static_cast<std::size_t>(number(0, static_cast<std::int64_t>(fitting.size()) - 1))];
    }
    return fresh(filled(dtype, shape, want));
}

Shape Draw::broadcastable(const Shape& shape) {
    Shape out = shape;
    if (chance(50)) return out;
    out.erase(out.begin(), out.begin() + number(0, static_cast<std::int64_t>(out.size())));
    for (std::int64_t& e : out)
        if (chance(30)) e = 1;
    return out;
}

Var Draw::whole(DType dtype, const Shape& shape, std::int64_t low, std::int64_t high) {
    NDArray array = NDArray::allocate(dtype, shape);
    for (std::int64_t i = 0; i < array.size(); ++i)
        array.set_int(i, number(is_unsigned_int(dtype) ? std::max<std::int64_t>(low, 0) : low, high));
    return fresh(array);
}

std::int64_t Draw::axis(std::size_t rank) {
    const std::int64_t axis = number(0, static_cast<std::int64_t>(rank) - 1);
    return chance(25) ? axis - static_cast<std::int64_t>(rank) : axis;
}

std::vector<std::size_t> Draw::some_axes(std::size_t rank) {
    std::vector<std::size_t> axes;
    for (std::size_t i = 0; i < rank; ++i)
        if (chance(50)) axes.push_back(i);
    return axes;
}

void Draw::value(const Var& var, bool exact) {
    values_.push_back(var);
    if (!exact) rounded_.insert(var);
}

Var Draw::add(const graph::Op& op, const DrawnCall& call, bool exact) {
    const Var result = builder_.call(op, call.args, Attrs(call.attrs), {});
    const graph::TupleType* tuple = graph::as_tuple(result->type);
    const auto keep = [&](const Var& var) { value(var, exact || !is_float(dtype_of(var))); };
    if (!tuple) {
        keep(result);
        return result;
    }
    for (std::size_t i = 0; i < tuple->fields.size(); ++i)
        keep(builder_.emit(make_ref<const graph::Project>(result, i), {}, {}));
    return result;
}

} // namespace orrery::differential
