#pragma once
// What oneDNN is given: which calls, and in which words it knows them.

#include "core/graph/node.hpp"

#include <dnnl.hpp>

#include <optional>
#include <string>

namespace orrery::onednn {

/// Why a call is not taken; nothing when it is.
[[nodiscard]] std::optional<std::string> refusal(const graph::CallOp& call, const graph::Type& result);

/// An elementwise function as oneDNN names it.
struct Eltwise {
    dnnl::algorithm algorithm;
    float alpha = 0, beta = 0;
};
/// Nothing when the call is none.
[[nodiscard]] std::optional<Eltwise> eltwise_of(const graph::CallOp& call);
/// Of add, multiply and the like; nothing otherwise.
[[nodiscard]] std::optional<dnnl::algorithm> binary_of(const graph::CallOp& call);

/// Windows of a convolution or pooling over two axes.
struct Windows {
    dnnl::memory::dims kernel, strides, dilations, before, after; ///< dilations as oneDNN counts them: 0 for none
};
/// Pre: the call is a conv2d, max_pool or avg_pool that is taken.
[[nodiscard]] Windows windows_of(const graph::CallOp& call, const graph::Type& result);
[[nodiscard]] dnnl::memory::dims dims_of(const graph::Type& type);

} // namespace orrery::onednn
