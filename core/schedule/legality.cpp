#include "core/schedule/legality.hpp"

#include "core/schedule/catalog.hpp"

#include <algorithm>

namespace orrery::schedule {

using namespace tensor; // every name here is a node of tensor IR

namespace {

constexpr std::size_t kEnough = 3; ///< steps shown a primitive; source: our choice, a menu's submenu

Result<MenuPlace> menu_place(const Program& program, const std::string& place) {
    if (place.find('.') == std::string::npos || has_block(program, place)) {
        ORRERY_TRY(BlockPlace block, find_block(program, place));
        const std::size_t at = block.path.size() - 1;
        return MenuPlace{program, std::move(block), at, place, {}};
    }
    ORRERY_TRY(LoopPlace loop, find_loop(program, place));
    std::string block = loop.block.block->fields.name;
    return MenuPlace{program, std::move(loop.block), loop.at, std::move(block), place};
}

} // namespace

Result<std::vector<Legality>> legal_primitives(const Program& program, const std::string& place) {
    ORRERY_TRY(const MenuPlace menu, menu_place(program, place));
    std::vector<Legality> out;
    for (const CatalogRow& row : catalog()) {
        const std::vector<std::vector<Arg>> candidates = row.suggest(menu);
        if (candidates.empty()) continue;
        Legality line;
        line.primitive = find_primitive(row.info.name);
        for (const std::vector<Arg>& operands : candidates) {
            TraceStep step{row.info.name, operands};
            const Result<Rewritten> done = apply_step(program, step);
            if (done)
                line.steps.push_back(std::move(step));
            else if (line.refusal.message.empty())
                line.refusal = done.error();
            if (line.steps.size() == kEnough) break;
        }
        out.push_back(std::move(line));
    }
    return out;
}

} // namespace orrery::schedule
