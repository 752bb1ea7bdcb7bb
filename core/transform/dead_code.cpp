#include "core/graph/builder.hpp"
#include "core/transform/passes.hpp"

#include <unordered_set>

namespace orrery::transform {

Result<graph::Module> dead_code(const graph::Module& module, const pass::Context& context) {
    const graph::Function& main = module.main;
    std::unordered_set<graph::Var> used{main->result};
    std::vector<graph::Binding> kept;
    for (auto it = main->bindings.rbegin(); it != main->bindings.rend(); ++it) {
        if (!used.contains(it->var)) {
            if (context.recorder) context.recorder->add({it->value, nullptr, "unused", __FILE__, __LINE__});
            continue;
        }
        for (const graph::Var& operand : graph::operands(it->value)) used.insert(operand);
        kept.push_back(*it);
    }
    if (kept.size() == main->bindings.size()) return module;
    graph::Module out = module;
    out.main = graph::make_function(main->name, main->params, {kept.rbegin(), kept.rend()}, main->result, main->attrs);
    return out;
}

} // namespace orrery::transform
