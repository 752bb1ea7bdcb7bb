// Nodes with operands whose shapes are symbols or depend on data. The converter only ever sees shapes of numbers: it
// is run for the shapes of each probe (core/graph/symbols.hpp). What it emits the same each time, without having looked
// at a value that depends on shapes, is emitted as it is, over symbolic types; anything else becomes an open call.

#include "core/frontends/onnx/importer.hpp"
#include "core/frontends/onnx/importer_node.hpp"
#include "core/frontends/onnx/open.hpp"
#include "core/frontends/onnx/open_node.hpp"
#include "core/ops/ops.hpp"

#include <algorithm>
#include <set>

namespace orrery::onnx {

using graph::as;
using graph::Probe;
using graph::Type;
using graph::Var;

/// One conversion over shapes of numbers.
struct OpenAttempt {
    std::vector<Var> params; ///< parallel to the inputs, null where missing
    std::vector<graph::Binding> bindings;
    std::vector<Var> outputs;
    std::set<std::size_t> asked;
    bool looked = false, missed = false, wrong_attribute = false;
    std::optional<Diagnostic> error;
};

namespace {

constexpr std::size_t kNamedSymbols = 24; // our choice: pairs of them are tried for each extent

bool same_value(const NDArray& a, const NDArray& b) {
    return a.dtype() == b.dtype() && a.shape() == b.shape() && a.content_hash() == b.content_hash();
}

/// Whether two attempts emitted the same, whatever the types.
bool same_program(const OpenAttempt& a, const OpenAttempt& b) {
    if (a.bindings.size() != b.bindings.size() || a.outputs.size() != b.outputs.size()) return false;
    std::unordered_map<Var, Var> twin;
    for (std::size_t i = 0; i < a.params.size(); ++i) twin[a.params[i]] = b.params[i];
    const auto match = [&](const Var& x, const Var& y) { return x ? twin.contains(x) && twin.at(x) == y : !y; };
    for (std::size_t i = 0; i < a.bindings.size(); ++i) {
        const graph::Expr &x = a.bindings[i].value, &y = b.bindings[i].value;
        if (x->kind != y->kind || !std::ranges::equal(graph::operands(x), graph::operands(y), match)) return false;
        if (const auto* call = as<graph::CallOp>(x))
            if (&call->op != &as<graph::CallOp>(y)->op || !(call->attrs == as<graph::CallOp>(y)->attrs)) return false;
        if (const auto* part = as<graph::Project>(x))
            if (part->index != as<graph::Project>(y)->index) return false;
        if (const auto* constant = as<graph::Constant>(x))
            if (!same_value(constant->value, as<graph::Constant>(y)->value)) return false;
        twin[a.bindings[i].var] = b.bindings[i].var;
    }
    return std::ranges::equal(a.outputs, b.outputs, match);
}

/// Tries conversions of one node.
class OpenConversion {
  public:
    OpenConversion(const graph::Attrs& attrs, const ConverterRow& row, const std::vector<Var>& inputs,
                   const Progress& progress)
        : attrs_(attrs), row_(row), inputs_(inputs), progress_(progress) {}

    using Value = std::function<std::optional<NDArray>(const Var& input, std::int64_t max_bytes)>;
    OpenAttempt run(Probe& probe, Probe::Unknowns unknowns, std::int64_t shared, const Value& value) const {
        OpenAttempt attempt;
        graph::FunctionBuilder builder;
        graph::KnownValues known(evaluator(), progress_);
        probe.reset_unknowns();
        for (const Var& input : inputs_)
            attempt.params.push_back(input ? builder.param(input->name, probe.closed(input->type, unknowns, shared))
                                           : Var());
        OpenNode node(attrs_, attempt.params, {builder, known, "open", {}, [&](std::size_t i, std::int64_t max_bytes) {
                                                   return value(inputs_[i], max_bytes);
                                               }});
        Result<std::vector<Var>> outputs = row_.convert(node);
        attempt.asked = node.asked();
        attempt.looked = node.looked_at_types();
        attempt.missed = node.missed_value();
        attempt.wrong_attribute = node.error().has_value();
        if (node.error())
            attempt.error = node.error();
        else if (!outputs)
            attempt.error = outputs.error();
        else
            attempt.outputs = *std::move(outputs);
        attempt.bindings = builder.bindings();
        return attempt;
    }

  private:
    const graph::Attrs& attrs_;
    const ConverterRow& row_;
    const std::vector<Var>& inputs_;
    const Progress& progress_;
};

bool fits(const OpenAttempt& attempt) { return !attempt.error; }

graph::Attrs described(const graph::Attrs& attrs, const std::vector<Type>& results, const graph::Ints& values) {
    graph::Strings texts;
    const graph::Ints outputs = attrs.ints(ops::kOpenOutputs, {});
    for (std::size_t i = 0; i < outputs.size(); ++i)
        if (outputs[i]) texts.push_back(graph::to_string(results[i]));
    graph::Attrs out = attrs.with(ops::kOpenResults, std::move(texts));
    return values.empty() ? out : out.with(ops::kOpenValues, values);
}

} // namespace

/// All conversions of one node that were made, and what they say together.
struct OpenAttempts {
    std::vector<OpenAttempt> all;
    bool exact = false; ///< every unknown extent had a value of its own

    [[nodiscard]] bool any_fits() const { return std::ranges::any_of(all, fits); }
    [[nodiscard]] const OpenAttempt& fitting() const { return *std::ranges::find_if(all, fits); }
};

OpenAttempts Importer::attempt_open(const graph::Attrs& attrs, const ConverterRow& row,
                                    const std::vector<Var>& inputs) {
    const OpenConversion conversion(attrs, row, inputs, progress_);
    const auto run = [&](int number, Probe::Unknowns unknowns, std::int64_t shared) {
        const auto at = static_cast<std::size_t>(number);
        return conversion.run(probes_[at], unknowns, shared, [&](const Var& input, std::int64_t max_bytes) {
            if (std::optional<NDArray> value = known.value(input, max_bytes)) return value;
            return worlds_[at].value(input, max_bytes);
        });
    };
    OpenAttempts attempts;
    for (const Probe::Unknowns unknowns : {Probe::Unknowns::Apart, Probe::Unknowns::Together}) {
        attempts = {{}, unknowns == Probe::Unknowns::Apart};
        for (int number = 0; number < graph::kProbes; ++number) {
            attempts.all.push_back(run(number, unknowns, -1));
            if (attempts.all.back().missed || attempts.all.back().wrong_attribute) return attempts;
        }
        if (attempts.any_fits()) return attempts;
    }
    // Unknown extents may have to be one of those that are there, or a symbol that a shape operand was made of.
    std::vector<std::int64_t> extents;
    for (const Var& input : inputs)
        if (input) graph::collect_extents(input->type, extents);
    for (std::size_t i = 0; i < std::min(symbols_.size(), kNamedSymbols); ++i)
        extents.push_back(probes_[0].value(symbols_[i]).value_or(1));
    for (const std::int64_t extent : extents) {
        OpenAttempt attempt = run(0, Probe::Unknowns::Together, extent);
        if (!fits(attempt)) continue;
        attempts.all = {std::move(attempt)};
        break;
    }
    return attempts;
}

Result<std::vector<Var>> Importer::replay(const OpenAttempt& attempt, const std::vector<Var>& inputs,
                                          const NodePlace& place) {
    std::unordered_map<Var, Var> now;
    for (std::size_t i = 0; i < inputs.size(); ++i) now[attempt.params[i]] = inputs[i];
    for (const graph::Binding& binding : attempt.bindings) {
        std::vector<Var> operands = graph::operands(binding.value);
        for (Var& operand : operands)
            if (operand) operand = now.at(operand);
        const graph::Expr value = binding.value->kind == graph::ExprKind::Constant
                                      ? binding.value
                                      : graph::with_operands(binding.value, operands);
        ORRERY_TRY(now[binding.var], emit(value, place.name, place.source));
    }
    std::vector<Var> outputs;
    for (const Var& output : attempt.outputs) outputs.push_back(output ? now.at(output) : Var());
    return outputs;
}

/// The types of a node's results, as far as its conversions agree.
Result<std::vector<Type>> Importer::open_results(const OpenAttempts& attempts) {
    std::vector<graph::SymbolValues> symbols;
    for (const std::string& name : symbols_) symbols.push_back({name, {}});
    if (symbols.size() > kNamedSymbols) symbols.resize(kNamedSymbols);
    for (std::size_t k = 0; k < attempts.all.size(); ++k)
        if (fits(attempts.all[k]))
            for (graph::SymbolValues& symbol : symbols)
                symbol.values.push_back(probes_[k].value(symbol.name).value_or(-1));
    std::vector<Type> results;
    for (std::size_t i = 0; i < attempts.fitting().outputs.size(); ++i) {
        if (!attempts.fitting().outputs[i]) {
            results.emplace_back();
            continue;
        }
        std::vector<Type> types;
        for (const OpenAttempt& attempt : attempts.all)
            if (fits(attempt)) types.push_back(attempt.outputs[i]->type);
        const Type merged = graph::merge_types(types, symbols);
        if (!merged)
            return Diagnostic{
                Code::UnsupportedFeature, "the result's rank depends on extents that are not known", {}, {}};
        results.push_back(attempts.exact ? merged : graph::ranks_only(merged));
    }
    return results;
}

Result<std::vector<Var>> Importer::convert_open(const NodePlace& place, Scope& scope, const std::vector<Var>& inputs) {
    const ConverterRow* row = find_converter(place.proto->op_type(), scope.opset(domain_of(*place.proto)));
    ImportedNode reader(*this, place, scope, inputs);
    ORRERY_TRY(graph::Attrs attrs, reader.open_attrs());
    const auto present = std::ranges::count(attrs.ints(ops::kOpenOutputs), 1);
    if (present == 0) return std::vector<Var>(reader.output_count()); // nobody wants anything of it
    // Placeholders until the types are known: an open call has one for each output.
    attrs = attrs.with(ops::kOpenResults, graph::Strings(static_cast<std::size_t>(present), "f32[]"));
    const OpenAttempts attempts = attempt_open(attrs, *row, inputs);
    if (attempts.all.back().wrong_attribute) return *attempts.all.back().error;

    std::vector<Type> results;
    graph::Ints values;
    if (attempts.any_fits()) {
        const OpenAttempt& attempt = attempts.fitting();
        const auto depends = [&](std::size_t i) { return !known.is_known(inputs[i]); };
        // Where only some shapes fit, a converter that looked at none still says the same for all.
        const bool all = attempts.all.size() == graph::kProbes && std::ranges::all_of(attempts.all, fits);
        const bool same = (all || !attempt.looked) && std::ranges::all_of(attempts.all, [&](const OpenAttempt& a) {
                              return !fits(a) || same_program(attempt, a);
                          });
        if (same && std::ranges::none_of(attempt.asked, depends)) {
            const std::size_t mark = builder.bindings().size();
            Result<std::vector<Var>> outputs = replay(attempt, inputs, place);
            if (outputs) return outputs;
            builder.roll_back(mark);
        }
        ORRERY_TRY(results, open_results(attempts));
        values.assign(attempt.asked.begin(), attempt.asked.end());
    } else if (attempts.all.back().missed) {
        ORRERY_TRY(OpenShape shape, open_shape(reader));
        results = std::move(shape.results);
        values = std::move(shape.values);
    } else {
        return *attempts.all.front().error;
    }
    if (!std::ranges::all_of(inputs, [](const Var& v) { return !v || graph::as_tensor(v->type); }))
        return Diagnostic{Code::UnsupportedFeature,
                          place.proto->op_type() + " of a sequence waits for shapes or values that are not known",
                          {},
                          "bind every symbolic dimension with --shape"};
    results.resize(std::max(results.size(), reader.output_count()));
    for (std::size_t i = 0; i < reader.output_count(); ++i)
        if (reader.has_output(i) && !results[i])
            return Diagnostic{Code::UnsupportedFeature,
                              "output " + std::to_string(i) + " of " + place.proto->op_type() + " is not served",
                              {},
                              {}};
    ORRERY_TRY(const Var call,
               emit(make_ref<const graph::CallOp>(ops::op("open"), inputs, described(attrs, results, values)),
                    place.name, place.source));
    std::vector<Var> outputs(reader.output_count());
    std::size_t part = 0;
    for (std::size_t i = 0; i < outputs.size(); ++i)
        if (reader.has_output(i)) outputs[i] = present == 1 ? call : reader.project(call, part++);
    return outputs;
}

} // namespace orrery::onnx
