#pragma once
// What a view of the VTA page asks for; the page carries it out.

#include "views/model/vta_step.hpp"

#include <functional>
#include <variant>

namespace orrery::views {

struct VtaSelectInstruction {
    std::uint32_t index = vta::kNoInstruction; ///< of run A
};
struct VtaSelectRange {
    std::uint64_t begin = 0, end = 0; ///< cycles; empty: no range
};
struct VtaSelectOrigin {
    std::uint32_t index = 0; ///< row of VtaStatistics::origins
};
struct VtaSelectTile {
    VtaTile tile;
};

using VtaCommand = std::variant<VtaSelectInstruction, VtaSelectRange, VtaSelectOrigin, VtaSelectTile>;
using VtaSink = std::function<void(const VtaCommand&)>;

} // namespace orrery::views
