#pragma once
// What the operators' tests share: arrays, calls by the interpreter, refusals, comparison.

#include "core/base/ndarray.hpp"
#include "core/ops/ops.hpp"

#include <catch2/catch.hpp>

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <string_view>
#include <vector>

namespace orrery::ops::test {

using graph::Attrs;
using graph::Floats;
using graph::Ints;
using graph::Strings;
using Arrays = std::vector<NDArray>;

/// Arrays of given values; `array` takes any dtype.
[[nodiscard]] NDArray array(DType dtype, Shape shape, const std::vector<double>& values);
[[nodiscard]] NDArray f32(Shape shape, const std::vector<double>& values);
[[nodiscard]] NDArray i64(Shape shape, const std::vector<double>& values);
/// 0, 1, 2, ...
[[nodiscard]] NDArray counted(Shape shape, DType dtype = DType::F32);
/// Uniform in [-1, 1), the same for equal seeds.
[[nodiscard]] NDArray drawn(Shape shape, unsigned seed);
[[nodiscard]] std::vector<double> values(const NDArray& array);

/// The results of a call, by the interpreter; undefined arrays are missing operands. Requires that the call is
/// accepted, that its program verifies, and that it runs.
[[nodiscard]] Arrays call_all(std::string_view op, const Arrays& args, const Attrs& attrs = {});
[[nodiscard]] NDArray call(std::string_view op, const Arrays& args, const Attrs& attrs = {});
/// The code a call is refused with. Requires that it is refused.
[[nodiscard]] Code refusal(std::string_view op, const Arrays& args, const Attrs& attrs = {});

/// Requires equal shapes and elements within tolerance * max(1, |expected|).
void require_near(const NDArray& actual, const NDArray& expected, double tolerance = 1e-5);
void require_values(const NDArray& actual, const Shape& shape, const std::vector<double>& expected,
                    double tolerance = 1e-5);

/// An array filled from its indices: the independent references are written with it.
[[nodiscard]] NDArray generate(const Shape& shape, const std::function<double(const Shape& index)>& value,
                               DType dtype = DType::F32);
/// Element at an index.
[[nodiscard]] double at(const NDArray& array, const Shape& index);
/// Calls `body` with every index of a shape, in row-major order.
void for_each(const Shape& shape, const std::function<void(const Shape& index)>& body);

} // namespace orrery::ops::test
