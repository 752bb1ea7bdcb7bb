#pragma once
// One program, compiled and interpreted.

#include "tests/differential/agree.hpp"

#include "core/graph/text.hpp"
#include "core/ops/ops.hpp"

#include <catch2/catch.hpp>

#include <string>
#include <vector>

namespace orrery::differential {

/// A program from text through passes, on whole numbers from -4 on.
inline void require_agrees(const std::string& text, std::vector<transform::PassStep> passes) {
    Result<graph::Module> module = graph::parse_module(text, ops::registry(), {});
    if (!module) FAIL(orrery::to_string(module.error()));
    Case found{*module, {}, std::move(passes), {}, {}};
    for (const graph::Var& param : found.module.main->params) {
        const graph::TensorType& type = *graph::as_tensor(param->type);
        NDArray value = NDArray::allocate(type.dtype, graph::static_shape(type));
        for (std::int64_t i = 0; i < value.size(); ++i) value.set(i, static_cast<double>(i % 9) - 4);
        found.inputs.push_back(std::move(value));
    }
    const Outcome outcome = run_case(found);
    INFO(differential::to_string(found));
    REQUIRE(outcome.failure.empty());
}

} // namespace orrery::differential
