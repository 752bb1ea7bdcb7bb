// The graph text parser on any bytes; what it takes prints and reads back equal.

#include "core/graph/text.hpp"
#include "core/ops/ops.hpp"

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace orrery;
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const auto module = graph::parse_module(text, ops::registry(), {});
    if (!module) return 0;
    const auto again = graph::parse_module(graph::to_string(*module), ops::registry(), graph::constants_of(*module));
    if (!again || !graph::structural_equal(*module, *again)) std::abort();
    return 0;
}
