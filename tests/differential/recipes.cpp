#include "tests/differential/recipes.hpp"

#include <algorithm>
#include <string_view>

namespace orrery::differential {

const Recipes& recipes() {
    static const Recipes all = [] {
        Recipes rows;
        for (Recipes (*family)() :
             {elementwise_recipes, pick_recipes, reduce_recipes, sequence_recipes, shape_recipes, window_recipes}) {
            const Recipes more = family();
            rows.insert(rows.end(), more.begin(), more.end());
        }
        std::ranges::sort(rows, {}, [](const OpRecipe& row) { return std::string_view(row.op); });
        return rows;
    }();
    return all;
}

const OpRecipe* find_recipe(std::string_view op) {
    const auto at =
        std::ranges::lower_bound(recipes(), op, {}, [](const OpRecipe& row) { return std::string_view(row.op); });
    return at == recipes().end() || at->op != op ? nullptr : &*at;
}

void draw_stretch(Draw& d, DrawnCall& call) {
    if (Draw::dtype_of(call.args.front()) == DType::F16 && d.chance(60)) call.attrs["stretch"] = d.number(1, 9);
}

void draw_sum_dtype(Draw& d, DrawnCall& call) {
    const DType operands = Draw::dtype_of(call.args.front());
    if (is_narrow_float(operands) && d.chance(50))
        call.attrs["out_dtype"] = DType::F32;
    else if (is_byte(operands) && d.chance(50))
        call.attrs["out_dtype"] = DType::I32;
    else if (d.chance(10))
        call.attrs["out_dtype"] = operands;
}

DType factor_dtype(Draw& d, const DrawnCall& call) {
    const DType first = Draw::dtype_of(call.args.front());
    const auto sums = call.attrs.find("out_dtype");
    const bool mixed = is_byte(first) && sums != call.attrs.end() && std::get<DType>(sums->second) == DType::I32;
    return mixed && d.chance(50) ? first == DType::I8 ? DType::U8 : DType::I8 : first;
}

} // namespace orrery::differential
