#include "tests/core/ops/calls.hpp"

#include "core/tensor/analysis.hpp"

#include <cmath>
#include <random>

namespace orrery::ops::test {

NDArray array(DType dtype, Shape shape, const std::vector<double>& values) {
    NDArray out = NDArray::allocate(dtype, std::move(shape));
    REQUIRE(out.size() == static_cast<std::int64_t>(values.size()));
    for (std::int64_t i = 0; i < out.size(); ++i) out.set(i, values[static_cast<std::size_t>(i)]);
    return out;
}

NDArray f32(Shape shape, const std::vector<double>& values) { return array(DType::F32, std::move(shape), values); }
NDArray i64(Shape shape, const std::vector<double>& values) { return array(DType::I64, std::move(shape), values); }

NDArray counted(Shape shape, DType dtype) {
    NDArray out = NDArray::allocate(dtype, std::move(shape));
    for (std::int64_t i = 0; i < out.size(); ++i) out.set(i, static_cast<double>(i));
    return out;
}

NDArray drawn(Shape shape, unsigned seed) {
    std::mt19937 engine(seed);
    NDArray out = NDArray::allocate(DType::F32, std::move(shape));
    for (std::int64_t i = 0; i < out.size(); ++i) out.set(i, static_cast<double>(engine()) / 2147483648.0 - 1);
    return out;
}

std::vector<double> values(const NDArray& array) {
    std::vector<double> out;
    for (std::int64_t i = 0; i < array.size(); ++i) out.push_back(array.as_double(i));
    return out;
}

namespace {

struct Prepared {
    std::vector<graph::Var> vars;
    std::vector<graph::Type> types;
};

Prepared prepare(const Arrays& args) {
    Prepared out;
    for (const NDArray& arg : args) {
        out.types.push_back(arg.defined() ? graph::tensor_type(arg.dtype(), arg.shape()) : graph::Type());
        out.vars.push_back(arg.defined() ? graph::make_var("x", out.types.back()) : graph::Var());
    }
    return out;
}

} // namespace

Arrays call_all(std::string_view name, const Arrays& args, const Attrs& attrs) {
    INFO(std::string(name));
    const Prepared prepared = prepare(args);
    const Result<graph::Type> type = graph::infer_call(op(name), prepared.types, attrs);
    INFO((type ? std::string() : to_string(type.error())));
    REQUIRE(type.has_value());
    const graph::CallOp call(op(name), prepared.vars, attrs);
    const Result<tensor::Program> program = program_of(call, *type);
    REQUIRE(program.has_value());
    const Result<void> verified = tensor::verify(*program);
    INFO((verified ? std::string() : to_string(verified.error())));
    REQUIRE(verified.has_value());
    Result<Arrays> results = interpreter_evaluator()(call, args, *type, {});
    REQUIRE(results.has_value());
    return *std::move(results);
}

NDArray call(std::string_view name, const Arrays& args, const Attrs& attrs) {
    const Arrays results = call_all(name, args, attrs);
    REQUIRE(results.size() == 1);
    return results[0];
}

Code refusal(std::string_view name, const Arrays& args, const Attrs& attrs) {
    INFO(std::string(name));
    const Result<graph::Type> type = graph::infer_call(op(name), prepare(args).types, attrs);
    REQUIRE_FALSE(type.has_value());
    return type.error().code;
}

void require_near(const NDArray& actual, const NDArray& expected, double tolerance) {
    REQUIRE(actual.shape() == expected.shape());
    for (std::int64_t i = 0; i < expected.size(); ++i) {
        const double a = actual.as_double(i), e = expected.as_double(i);
        if (a == e || (std::isnan(a) && std::isnan(e)) || std::abs(a - e) <= tolerance * std::max(1.0, std::abs(e)))
            continue;
        INFO("element " << i);
        REQUIRE(a == e);
    }
}

void require_values(const NDArray& actual, const Shape& shape, const std::vector<double>& expected, double tolerance) {
    require_near(actual, array(actual.dtype(), shape, expected), tolerance);
}

void for_each(const Shape& shape, const std::function<void(const Shape&)>& body) {
    Shape index(shape.size(), 0);
    for (std::int64_t i = 0; i < element_count(shape); ++i) {
        std::int64_t rest = i;
        for (std::size_t d = shape.size(); d-- > 0; rest /= shape[d]) index[d] = rest % shape[d];
        body(index);
    }
}

NDArray generate(const Shape& shape, const std::function<double(const Shape&)>& value, DType dtype) {
    NDArray out = NDArray::allocate(dtype, shape);
    std::int64_t i = 0;
    for_each(shape, [&](const Shape& index) { out.set(i++, value(index)); });
    return out;
}

double at(const NDArray& array, const Shape& index) {
    std::int64_t position = 0;
    for (std::size_t d = 0; d < index.size(); ++d) {
        REQUIRE(index[d] >= 0);
        REQUIRE(index[d] < array.shape()[d]);
        position = position * array.shape()[d] + index[d];
    }
    return array.as_double(position);
}

} // namespace orrery::ops::test
