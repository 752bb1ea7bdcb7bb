// Seeded random numbers. An element depends on the seed and its own row-major position alone, so that any schedule and
// any number of threads give the same numbers, every run.

#include "core/ops/family.hpp"
#include "core/ops/stage.hpp"

#include <cmath>
#include <numbers>

namespace orrery::ops {

using namespace tensor;
using graph::AttrKind;
using graph::AttrSpec;
using graph::FusionKind;

namespace {

Result<Type> random_type(const TypeRequest& request, const char* first, const char* second) {
    ORRERY_TRY(const TensorType seed, static_operand(request, 0));
    if (seed.dtype != DType::I64 || element_count(graph::static_shape(seed)) != 1)
        return type_error("a seed is one i64, not " + graph::to_string(request.types[0]));
    const DType dtype = request.attrs.dtype("dtype");
    if (!contains(DTypes::Float, dtype))
        return type_error("random numbers are f16, bf16, f32 or f64, not " + std::string(to_string(dtype)));
    for (const char* name : {first, second})
        if (!std::isfinite(request.attrs.number(name, 0))) return attr_error(std::string(name) + " must be finite");
    return checked_type(dtype, Shape(request.attrs.ints("shape")));
}

Result<Type> uniform_type(const TypeRequest& request) { return random_type(request, "low", "high"); }
Result<Type> normal_type(const TypeRequest& request) { return random_type(request, "mean", "scale"); }

/// Number `counter` that SplitMix64 gives from a seed on: its state after n steps is the seed plus n times a constant.
/// Source: Steele, Lea, Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014, figure 17.
Expr split_mix(const Expr& seed, const Expr& counter) {
    const auto word = [](std::uint64_t v) { return constant_int(DType::U64, static_cast<std::int64_t>(v)); };
    const auto folded = [&](const Expr& z, std::uint64_t shift) {
        return binary(BinaryOp::BitXor, z, binary(BinaryOp::Shr, z, word(shift)));
    };
    const Expr state = cast(DType::U64, seed) + cast(DType::U64, counter + 1) * word(0x9e3779b97f4a7c15);
    return folded(folded(folded(state, 30) * word(0xbf58476d1ce4e5b9), 27) * word(0x94d049bb133111eb), 31);
}

/// `streams` random words for each element: u64[streams, shape...].
Buffer words(const DefineRequest& request, std::int64_t streams) {
    const Shape out = request.out_shape();
    const std::int64_t count = element_count(out);
    Shape shape{streams};
    shape.insert(shape.end(), out.begin(), out.end());
    const Buffer& seed = request.in(0);
    return compute_stage(request.builder, {"random_word", DType::U64, shape}, [&](const Indices& i) {
        const Expr position = flatten(Indices(i.begin() + 1, i.end()), out);
        return split_mix(load(seed, Indices(seed->rank(), imm(0))), i[0] * count + position);
    });
}

/// In [0, 1): the upper 24 bits of a word, 53 for f64. What all f32 and f64 between hold alike.
Expr unit(const Buffer& words, std::int64_t stream, const Indices& i, DType wide) {
    Indices at{imm(stream)};
    at.insert(at.end(), i.begin(), i.end());
    const int bits = wide == DType::F64 ? 53 : 24;
    const Expr top = binary(BinaryOp::Shr, load(words, at), constant_int(DType::U64, 64 - bits));
    return cast(wide, cast(wide == DType::F64 ? DType::I64 : DType::I32, top)) * constant(wide, std::ldexp(1.0, -bits));
}

std::vector<Buffer> define_uniform(const DefineRequest& request) {
    const DType dtype = request.out_dtype(), wide = accumulator(dtype);
    const double low = request.attrs.number("low", 0), high = request.attrs.number("high", 1);
    const Buffer random = words(request, 1);
    return {compute_stage(request.builder, {"random_uniform", dtype, request.out_shape()}, [&](const Indices& i) {
        return cast(dtype, unit(random, 0, i, wide) * constant(wide, high - low) + constant(wide, low));
    })};
}

/// Box and Muller's transform: the logarithm is of a number in (0, 1].
std::vector<Buffer> define_normal(const DefineRequest& request) {
    const DType dtype = request.out_dtype(), wide = accumulator(dtype);
    const double mean = request.attrs.number("mean", 0), scale = request.attrs.number("scale", 1);
    const Buffer random = words(request, 2);
    return {compute_stage(request.builder, {"random_normal", dtype, request.out_shape()}, [&](const Indices& i) {
        const Expr logarithm = call(Intrinsic::Log, constant(wide, 1) - unit(random, 0, i, wide));
        const Expr radius = call(Intrinsic::Sqrt, constant(wide, -2) * logarithm);
        const Expr turn = call(Intrinsic::Cos, unit(random, 1, i, wide) * constant(wide, 2 * std::numbers::pi));
        return cast(dtype, radius * turn * constant(wide, scale) + constant(wide, mean));
    })};
}

OpRow random_row(const char* name, const char* doc, std::vector<AttrSpec> attrs) {
    OpRow row;
    row.name = name;
    row.doc = doc;
    row.operands = {{"seed", "one i64: equal seeds give equal numbers"}};
    row.attrs = std::move(attrs);
    row.attrs.push_back({"shape", AttrKind::Ints, true, "the result's extents"});
    row.attrs.push_back({"dtype", AttrKind::DType, true, "f16, bf16, f32 or f64"});
    row.fusion = FusionKind::Broadcast;
    row.random = true;
    return row;
}

} // namespace

Family random_family() {
    OpRow uniform = random_row(
        "random_uniform",
        "Random numbers evenly spread over [low, high), the same every run. Never folded or merged. Errors: "
        "BadType, BadAttribute, BadShape.",
        {{"low", AttrKind::Float, false, "0 when left out"}, {"high", AttrKind::Float, false, "1 when left out"}});
    uniform.infer = uniform_type;
    uniform.define = define_uniform;
    uniform.onnx_names = {"RandomUniform", "RandomUniformLike", "Bernoulli", "Dropout", "Multinomial"};
    OpRow normal = random_row(
        "random_normal",
        "Random numbers of the normal distribution, the same every run. Never folded or merged. Errors: BadType, "
        "BadAttribute, BadShape.",
        {{"mean", AttrKind::Float, false, "0 when left out"},
         {"scale", AttrKind::Float, false, "the standard deviation; 1 when left out"}});
    normal.infer = normal_type;
    normal.define = define_normal;
    normal.onnx_names = {"RandomNormal", "RandomNormalLike"};
    return {uniform, normal};
}

} // namespace orrery::ops
