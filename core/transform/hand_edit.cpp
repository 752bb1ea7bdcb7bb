// The text is parsed over the constants of the module it replaces. Provenance is not part of the text: a binding whose
// name stood in the printed module keeps that origin, a new one came from what it reads.

#include "core/graph/builder.hpp"
#include "core/graph/functions.hpp"
#include "core/graph/text.hpp"
#include "core/ops/ops.hpp"
#include "core/transform/passes.hpp"

#include <unordered_map>

namespace orrery::transform {

namespace {

using graph::Binding;
using graph::Expr;
using graph::Function;

/// Origins of the printed module, by "function/binding".
std::unordered_map<std::string, OriginSet> printed_origins(const graph::Module& module) {
    std::unordered_map<std::string, OriginSet> origins;
    std::string function;
    for (const graph::PrintedLine& line : graph::print_module(module).lines) {
        const std::size_t first = line.text.find_first_not_of(' ');
        if (first == std::string::npos) continue;
        if (line.text.compare(first, 3, "fn ") == 0) {
            const std::size_t open = line.text.find('(', first);
            function = line.text.substr(first + 3, open - first - 3);
        } else if (line.var) {
            const std::size_t end = line.text.find_first_of(": =", first);
            origins.emplace(function + "/" + line.text.substr(first, end - first), line.origin);
        }
    }
    return origins;
}

/// The parsed functions with origins.
class Provenance {
  public:
    explicit Provenance(const graph::Module& before) : known_(printed_origins(before)) {}

    Function run(const Function& main) {
        for (const Function& function : graph::functions_inside_out(main))
            done_[function.get()] = with_origins(function);
        return done_.at(main.get());
    }

  private:
    Function with_origins(const Function& function) {
        std::unordered_map<graph::Var, OriginSet> here;
        std::vector<Binding> bindings;
        bindings.reserve(function->bindings.size());
        for (const Binding& parsed : function->bindings) {
            OriginSet origin;
            if (const auto it = known_.find(function->name + "/" + parsed.var->name); it != known_.end())
                origin = it->second;
            else
                for (const graph::Var& operand : graph::operands(parsed.value))
                    if (const auto of = operand ? here.find(operand) : here.end(); of != here.end())
                        origin = unite(origin, of->second);
            here[parsed.var] = origin;
            bindings.push_back({parsed.var, over_new_functions(parsed.value), origin});
        }
        return graph::make_function(function->name, function->params, std::move(bindings), function->result,
                                    function->attrs);
    }

    Expr over_new_functions(const Expr& value) const {
        const auto now = [this](const Function& function) { return done_.at(function.get()); };
        if (const auto* call = graph::as<graph::CallFunction>(value))
            return make_ref<const graph::CallFunction>(now(call->function), call->args);
        if (const auto* branch = graph::as<graph::If>(value))
            return make_ref<const graph::If>(branch->condition, now(branch->then_function), now(branch->else_function),
                                             branch->args);
        if (const auto* loop = graph::as<graph::Loop>(value)) {
            graph::Loop::Fields fields = loop->fields;
            fields.body = now(fields.body);
            return make_ref<const graph::Loop>(std::move(fields));
        }
        if (const auto* literal = graph::as<graph::FunctionLiteral>(value))
            return make_ref<const graph::FunctionLiteral>(now(literal->function));
        return value;
    }

    std::unordered_map<std::string, OriginSet> known_;
    std::unordered_map<const graph::FunctionNode*, Function> done_;
};

/// What stands around the module (its inputs, its outputs) was promised to the user of the model.
Result<void> check_interface(const graph::Module& before, const graph::Module& after) {
    const std::string hint = "keep the parameters of main, its result type and the outputs line";
    if (before.outputs != after.outputs)
        return Diagnostic{Code::BadType, "the edited text has other output names than the model", {}, hint};
    if (!graph::equal(before.main->type(), after.main->type()))
        return Diagnostic{Code::BadType,
                          "the edited main is " + graph::to_string(after.main->type()) + " and the model's is " +
                              graph::to_string(before.main->type()),
                          {},
                          hint};
    return {};
}

} // namespace

Result<graph::Module> hand_edit(const graph::Module& module, const pass::Context& context) {
    const std::string text = context.option("text", "");
    if (text.empty()) return module;
    ORRERY_TRY(graph::Module parsed,
               graph::parse_module(text, ops::registry(), graph::constants_of(module), module.sources));
    ORRERY_CHECK_OK(check_interface(module, parsed));
    if (graph::structural_equal(module, parsed)) return module;
    parsed.main = Provenance(module).run(parsed.main);
    return parsed;
}

} // namespace orrery::transform
