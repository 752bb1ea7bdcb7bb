#pragma once
// Region backends: libraries and accelerators that take whole parts of a graph, beside the target's code generator.
//
// A region is a function with the attribute "backend". Its bindings are constants, operator calls, tuples, and calls of
// functions with the attribute "composite": several operators that the backend takes as one, by the pattern of that
// name. A region with the attribute "primitive" is one step of the plan, as a kernel is.

#include "core/base/progress.hpp"
#include "core/base/result.hpp"
#include "core/graph/node.hpp"
#include "core/graph/pattern.hpp"
#include "core/runtime/abi.h"
#include "core/target/target.hpp"

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace orrery {

/// One compiled region. Thread: the kernel may run on several threads at once.
class RegionCode {
  public:
    virtual ~RegionCode() = default;
    /// Arguments: the region's parameters, the constants inside it that have more or less than one element, in order,
    /// its results, the workspace; data() in the context.
    [[nodiscard]] virtual orrery_kernel kernel() const = 0;
    [[nodiscard]] virtual const void* data() const = 0;
    [[nodiscard]] virtual std::size_t workspace_bytes() const = 0;
    /// What it does, a line a part.
    [[nodiscard]] virtual const std::vector<std::string>& listing() const = 0;
};

/// Operators taken as one.
struct Composite {
    std::string name; ///< "conv2d_bias_relu"
    graph::Pattern pattern;
};

/// Thread: all calls may come from several threads at once.
class RegionBackend {
  public:
    virtual ~RegionBackend() = default;
    [[nodiscard]] virtual std::string name() const = 0;
    /// Those that should be looked for first come first.
    [[nodiscard]] virtual std::span<const Composite> composites() const = 0;
    /// Why a call is not taken, in a few words; nothing when it is. Each call of a composite is asked about.
    [[nodiscard]] virtual std::optional<std::string> refuses(const graph::CallOp& call,
                                                             const graph::Type& result) const = 0;
    /// Pre: every call inside is taken. Errors: UnsupportedFeature, ProcessFailed with the library's words, Cancelled.
    [[nodiscard]] virtual Result<std::shared_ptr<const RegionCode>>
    compile(const graph::Function& region, const Target& target, const Progress& progress) const = 0;
};

/// Makes a backend known to this process, in place of one of the same name. Thread: any.
void add_region_backend(std::shared_ptr<const RegionBackend> backend);
/// Null when there is none of that name. Thread: any.
[[nodiscard]] std::shared_ptr<const RegionBackend> find_region_backend(std::string_view name);
/// In order. Thread: any.
[[nodiscard]] std::vector<std::string> region_backend_names();

/// The backend that a function is for; empty for none.
[[nodiscard]] std::string region_of(const graph::Function& function);

} // namespace orrery
