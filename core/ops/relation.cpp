#include "core/ops/relation.hpp"

#include <algorithm>

namespace orrery::ops {

Diagnostic shape_error(std::string message) { return {Code::BadShape, std::move(message), {}, {}}; }
Diagnostic type_error(std::string message) { return {Code::BadType, std::move(message), {}, {}}; }
Diagnostic attr_error(std::string message) { return {Code::BadAttribute, std::move(message), {}, {}}; }

namespace {

const char* set_name(DTypes set) {
    switch (set) {
    case DTypes::Any: return "a tensor";
    case DTypes::Comparable: return "a tensor of wider elements";
    case DTypes::Bool: return "a bool tensor";
    case DTypes::Int: return "an integer tensor";
    case DTypes::Float: return "a floating-point tensor";
    case DTypes::Number: return "a tensor of numbers";
    case DTypes::Signed: return "a tensor of signed numbers";
    case DTypes::WideFloat: return "an f32 or f64 tensor";
    }
    fail_internal("set_name covers every set");
}

std::string operand_name(std::size_t i) { return "operand " + std::to_string(i); }

} // namespace

bool contains(DTypes set, DType dtype) {
    if (set != DTypes::Any && (is_float8(dtype) || !is_arithmetic(dtype))) return false;
    switch (set) {
    case DTypes::Any:
    case DTypes::Comparable: return true;
    case DTypes::Bool: return dtype == DType::Bool;
    case DTypes::Int: return is_int(dtype);
    case DTypes::Float: return is_float(dtype);
    case DTypes::Number: return dtype != DType::Bool;
    case DTypes::Signed: return is_float(dtype) || is_signed_int(dtype);
    case DTypes::WideFloat: return dtype == DType::F32 || dtype == DType::F64;
    }
    fail_internal("contains covers every set");
}

bool present(const TypeRequest& request, std::size_t i) {
    return i < request.types.size() && request.types[i] != nullptr;
}

Result<TensorType> operand(const TypeRequest& request, std::size_t i, DTypes allowed) {
    if (!present(request, i)) return type_error(operand_name(i) + " is missing");
    const TensorType* type = graph::as_tensor(request.types[i]);
    if (!type || !contains(allowed, type->dtype))
        return type_error(operand_name(i) + " must be " + set_name(allowed) + ", not " +
                          graph::to_string(request.types[i]));
    // The size is checked before the type is passed on, for a hostile file may claim anything.
    if (graph::is_static(*type)) ORRERY_CHECK_OK(checked_type(type->dtype, graph::static_shape(*type)));
    return *type;
}

Result<TensorType> static_operand(const TypeRequest& request, std::size_t i, DTypes allowed) {
    ORRERY_TRY(TensorType type, operand(request, i, allowed));
    if (!graph::is_static(type))
        return shape_error(operand_name(i) + " needs static dimensions, has " + graph::to_string(request.types[i]));
    return type;
}

Result<TensorType> ranked_operand(const TypeRequest& request, std::size_t i, std::size_t rank, DTypes allowed) {
    ORRERY_TRY(TensorType type, static_operand(request, i, allowed));
    if (type.dims.size() != rank)
        return shape_error(operand_name(i) + " must have " + std::to_string(rank) + " dimensions, is " +
                           graph::to_string(request.types[i]));
    return type;
}

Result<void> same_dtype(const TensorType& a, const TensorType& b) {
    if (a.dtype == b.dtype) return {};
    return type_error("operands differ in element type: " + std::string(to_string(a.dtype)) + " and " +
                      std::string(to_string(b.dtype)));
}

graph::AttrSpec sum_dtype_attr() {
    return {
        "out_dtype", graph::AttrKind::DType, false,
        "f32: sums of f16 and bf16 are given as they are made; i32: those of i8 and u8 are made so, and one operand "
        "may be of each; the operands' element type when left out"};
}

Result<DType> sum_dtype(const Attrs& attrs, DType operands) {
    const DType given = attrs.has("out_dtype") ? attrs.dtype("out_dtype") : operands;
    if (given == operands || (given == DType::F32 && is_narrow_float(operands)) ||
        (given == DType::I32 && is_byte(operands)))
        return given;
    return attr_error("sums of " + std::string(to_string(operands)) +
                      " are given as that, in f32 where it is narrow, or in i32 where it is i8 or u8, not as " +
                      std::string(to_string(given)));
}

Result<void> check_factors(const TensorType& a, const TensorType& b, const Attrs& attrs) {
    const bool in_i32 = attrs.has("out_dtype") && attrs.dtype("out_dtype") == DType::I32;
    if (in_i32 && is_byte(a.dtype) && is_byte(b.dtype)) return {};
    return same_dtype(a, b);
}

graph::AttrSpec border_attr() {
    return {"border", graph::AttrKind::Int, false, "what elements outside x count as; 0 when left out"};
}

Result<void> check_border(const Attrs& attrs, DType dtype) {
    constexpr int kMostBits = 32; // what is quantized, and its sums
    const std::int64_t border = attrs.integer("border", 0);
    if (border == 0) return {};
    if (is_int(dtype) && bit_width(dtype) <= kMostBits) {
        const std::int64_t values = std::int64_t{1} << bit_width(dtype), least = is_signed_int(dtype) ? -values / 2 : 0;
        if (border >= least && border < least + values) return {};
    }
    return attr_error("a border of " + std::to_string(border) + " is no " + std::string(to_string(dtype)) +
                      " of up to 32 bits: only such integers have one other than 0");
}

graph::AttrSpec sum_stretch_attr() {
    return {
        "stretch", graph::AttrKind::Int, false,
        "so many products of f16, at most, are added up in f16, and those sums in f32; 0 when left out: all in f32"};
}
std::int64_t sum_stretch(const Attrs& attrs) { return attrs.integer(sum_stretch_attr().name, 0); }
Result<void> check_stretch(const Attrs& attrs, DType operands) {
    constexpr std::int64_t kLongest = 65536; // our choice: no sum of f16 is worth anything after so many
    const std::int64_t stretch = sum_stretch(attrs);
    if (stretch < 0 || stretch > kLongest)
        return attr_error("sums in f16 go over stretches of 0 to " + std::to_string(kLongest) + " products, not " +
                          std::to_string(stretch));
    if (stretch == 0 || operands == DType::F16) return {};
    return attr_error("only products of f16 are added up in stretches, not of " + std::string(to_string(operands)));
}

Result<void> check_vector(const TypeRequest& request, std::size_t i, std::int64_t length, DType dtype) {
    if (!present(request, i)) return {};
    ORRERY_TRY(const TensorType type, ranked_operand(request, i, 1));
    if (type.dtype != dtype)
        return type_error(operand_name(i) + " must be of " + std::string(to_string(dtype)) + ", is " +
                          graph::to_string(request.types[i]));
    if (type.dims[0].value != length)
        return shape_error(operand_name(i) + " must have " + std::to_string(length) + " elements, is " +
                           graph::to_string(request.types[i]));
    return {};
}

Result<std::size_t> normalize_axis(std::int64_t axis, std::size_t rank) {
    const auto extent = static_cast<std::int64_t>(rank);
    if (axis < -extent || axis >= extent)
        return attr_error("axis " + std::to_string(axis) + " is outside a tensor of " + std::to_string(rank) +
                          " dimensions");
    return static_cast<std::size_t>(axis < 0 ? axis + extent : axis);
}

Result<std::vector<std::size_t>> normalize_axes(const Ints& axes, std::size_t rank) {
    std::vector<std::size_t> out;
    for (std::int64_t axis : axes) {
        ORRERY_TRY(const std::size_t normal, normalize_axis(axis, rank));
        out.push_back(normal);
    }
    std::ranges::sort(out);
    if (std::ranges::adjacent_find(out) != out.end()) return attr_error("an axis is named twice");
    return out;
}

Result<Ints> checked_ints(const Attrs& attrs, const char* name, const IntsRange& range) {
    Ints values = attrs.ints(name, Ints(range.count, range.fallback));
    if (values.size() != range.count)
        return attr_error(std::string(name) + " must have " + std::to_string(range.count) + " values, has " +
                          std::to_string(values.size()));
    for (std::int64_t value : values)
        if (value < range.low || value > range.high)
            return attr_error(std::string(name) + " must be between " + std::to_string(range.low) + " and " +
                              std::to_string(range.high) + ", not " + std::to_string(value));
    return values;
}

namespace {

Diagnostic too_large(DType dtype, const Shape& shape) {
    return {Code::LimitExceeded, type_text(dtype, shape) + " has a dimension that is too large", {}, {}};
}

} // namespace

Result<Type> checked_type(DType dtype, const Shape& shape) {
    ORRERY_CHECK_OK(checked_elements(shape, dtype, kMaxTensorBytes));
    // A zero extent makes any other harmless to memory, not to arithmetic, and not to the loops around it.
    std::int64_t iterations = 1;
    for (std::int64_t dim : shape)
        if (dim > 0 && (dim > kMaxTensorBytes / iterations || (iterations *= dim) > kMaxTensorBytes))
            return too_large(dtype, shape);
    if (element_count(shape) == 0 && iterations > kMaxEmptyLoops) return too_large(dtype, shape);
    return graph::tensor_type(dtype, shape);
}

Result<Type> checked_type(DType dtype, const Dims& dims) {
    TensorType type{dtype, dims};
    if (!graph::is_static(type)) return graph::tensor_type(dtype, dims);
    return checked_type(dtype, graph::static_shape(type));
}

Result<Dims> broadcast(const Dims& a, const Dims& b) {
    const Dims& longer = a.size() >= b.size() ? a : b;
    const Dims& shorter = a.size() >= b.size() ? b : a;
    Dims out = longer;
    const std::size_t shift = longer.size() - shorter.size();
    for (std::size_t i = 0; i < shorter.size(); ++i) {
        const Dim &x = longer[i + shift], &y = shorter[i];
        if (x == y || y.value == 1) continue;
        if (x.is_static() && x.value != 1 && !y.is_static()) continue;
        if (!x.is_static() && !y.is_static()) {
            out[i + shift] = Dim::unknown();
            continue;
        }
        if (x.is_static() && x.value != 1)
            return shape_error(
                "shapes do not broadcast: " + graph::to_string(graph::tensor_type(DType::F32, a)).substr(3) + " and " +
                graph::to_string(graph::tensor_type(DType::F32, b)).substr(3));
        out[i + shift] = y;
    }
    return out;
}

bool broadcasts_to(const Shape& from, const Shape& to) {
    if (from.size() > to.size()) return false;
    for (std::size_t i = 0; i < from.size(); ++i) {
        const std::int64_t target = to[to.size() - from.size() + i];
        if (from[i] != target && from[i] != 1) return false;
    }
    return true;
}

} // namespace orrery::ops
