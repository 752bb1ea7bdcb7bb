#include "core/transform/options.hpp"
#include "core/transform/passes.hpp"
#include "core/transform/simplify_rules.hpp"

namespace orrery::transform {

namespace {

Rules all_rules(bool reassociate) {
    Rules rules = layout_rules();
    for (Rule& rule : algebra_rules()) rules.push_back(std::move(rule));
    if (reassociate)
        for (Rule& rule : reassociation_rules()) rules.push_back(std::move(rule));
    return rules;
}

} // namespace

Result<graph::Module> simplify_expr(const graph::Module& module, const pass::Context& context) {
    static const Rules exact = all_rules(false), loose = all_rules(true);
    ORRERY_TRY(const bool reassociate, flag_option(context, "reassociate", false));
    graph::Module out = module;
    out.main = RuleRewriter(reassociate ? loose : exact, module.main, context.recorder).run(module.main);
    // What a rule goes around is left unused.
    return out.main == module.main ? Result<graph::Module>(module) : dead_code(out, quiet(context));
}

} // namespace orrery::transform
