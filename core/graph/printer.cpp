// Text form, written. Functions inside others come first, each once, so that a reader (and the parser) meets every
// name before its use.

#include "core/base/check.hpp"
#include "core/graph/functions.hpp"
#include "core/graph/lexical.hpp"
#include "core/graph/opened.hpp"
#include "core/graph/text.hpp"

#include <bit>
#include <cmath>
#include <span>
#include <unordered_set>

namespace orrery::graph {

namespace {

/// Hands out names, each once; linear for any number of equal hints.
class Names {
  public:
    std::string unique(const std::string& hint) {
        std::string name = to_name(hint);
        if (is_reserved(name)) name += '_';
        if (taken_.insert(name).second) return name;
        for (int& next = next_[name];;) {
            std::string candidate = name + '_' + std::to_string(++next);
            if (taken_.insert(candidate).second) return candidate;
        }
    }

  private:
    std::unordered_set<std::string> taken_;
    std::unordered_map<std::string, int> next_;
};

std::string hex(std::uint64_t bits) {
    static constexpr char kDigits[] = "0123456789abcdef";
    std::string text;
    do text.insert(text.begin(), kDigits[bits & 15]);
    while (bits >>= 4);
    return "0x" + text;
}

/// A NaN keeps its bits: constants are equal by content.
std::string float_element(const NDArray& value, std::int64_t i) {
    const auto index = static_cast<std::size_t>(i);
    switch (value.dtype()) {
    case DType::F32: {
        const float v = value.values<float>()[index];
        return std::isnan(v) ? "nan(" + hex(std::bit_cast<std::uint32_t>(v)) + ")" : float_text(v);
    }
    case DType::F64: {
        const double v = value.values<double>()[index];
        return std::isnan(v) ? "nan(" + hex(std::bit_cast<std::uint64_t>(v)) + ")" : float_text(v);
    }
    default: {
        const bool byte = orrery::byte_size(value.dtype()) == 1;
        const std::uint16_t bits = byte ? value.values<std::uint8_t>()[index] : value.values<std::uint16_t>()[index];
        const float v = narrow_to_float(value.dtype(), bits);
        return std::isnan(v) ? "nan(" + hex(bits) + ")" : float_text(v);
    }
    }
}

std::string element_text(const NDArray& value, std::int64_t i) {
    if (is_float(value.dtype())) return float_element(value, i);
    if (value.dtype() == DType::Bool) return value.as_int(i) ? "true" : "false";
    if (value.dtype() == DType::U64) return std::to_string(value.values<std::uint64_t>()[static_cast<std::size_t>(i)]);
    return std::to_string(value.as_int(i));
}

std::string constant_text(const NDArray& value) {
    const std::int64_t count = value.size();
    if (count > kInlineElements) return "const @" + orrery::to_string(constant_hash(value));
    if (value.shape().empty()) return "const " + element_text(value, 0);
    std::string text = "const [";
    for (std::int64_t i = 0; i < count; ++i) text += (i ? ", " : "") + element_text(value, i);
    return text + "]";
}

std::string attrs_text(const Attrs& attrs) {
    std::string text = "{";
    for (const auto& [name, value] : attrs.values())
        text += (text.size() > 1 ? ", " : "") + (is_name(name) ? name : quoted(name)) + "=" + to_string(value);
    return text + "}";
}

class Printer {
  public:
    void name_functions(const std::vector<Function>& functions) {
        function_names_.emplace(functions.back(), names_.unique(functions.back()->name)); // main has the first choice
        for (const Function& function : functions)
            if (!function_names_.contains(function)) function_names_.emplace(function, names_.unique(function->name));
    }

    void print(const Function& function) {
        variables_.clear();
        Names names;
        std::string head = "fn " + function_names_.at(function) + "(";
        for (std::size_t i = 0; i < function->params.size(); ++i) {
            const Var& param = function->params[i];
            head += (i ? ", " : "") + define(param, names) + ": " + to_string(param->type);
        }
        head += ") -> " + to_string(function->result->type);
        if (!function->attrs.empty()) head += " with " + attrs_text(function->attrs);
        line(head + " {", 0);
        for (const Binding& binding : function->bindings) {
            const std::string value = value_text(binding.value); // operands are named before the binding is
            const std::string name = define(binding.var, names);
            line("  " + name + ": " + to_string(binding.var->type) + " = " + value + ";", 1, binding.var,
                 binding.origin);
        }
        line("  return " + name_of(function->result) + ";", 1);
        line("}", 0);
    }

    /// An opened function: kernels in place, over the variables of main. Gives the node of each line.
    std::vector<std::int32_t> print(const OpenedFunction& opened) {
        variables_.clear();
        Names names;
        std::vector<Var> shown; // each node under a variable of its own: a shared function is opened several times
        std::string head = "fn " + function_names_.at(opened.source) + "(";
        for (const OpenedNode& node : std::span(opened.nodes).first(static_cast<std::size_t>(opened.params))) {
            shown.push_back(make_var(node.var->name, node.var->type));
            head += (shown.size() > 1 ? ", " : "") + define(shown.back(), names) + ": " + to_string(node.var->type);
        }
        line(head + ") -> " + to_string(opened.source->result->type) + " {", 0);
        std::vector<std::int32_t> nodes(out_.lines.size(), -1);
        std::int32_t group = -1;
        const auto enter = [&](std::int32_t next) {
            if (next == group) return;
            if (group >= 0) line("  }", 1);
            group = next;
            if (group < 0) return;
            const OpenedGroup& kernel = opened.groups[static_cast<std::size_t>(group)];
            line("  kernel " + function_names_.at(kernel.function) + " {", 1, {}, kernel.origin);
        };
        for (std::size_t i = shown.size(); i < opened.nodes.size(); ++i) {
            const OpenedNode& node = opened.nodes[i];
            enter(node.group);
            std::vector<Var> args;
            for (const std::int32_t input : node.inputs)
                args.push_back(input < 0 ? Var() : shown[static_cast<std::size_t>(input)]);
            const std::string value = value_text(with_operands(node.value, args));
            shown.push_back(make_var(node.var->name, node.var->type));
            const std::string name = define(shown.back(), names);
            line((group >= 0 ? "    " : "  ") + name + ": " + to_string(node.var->type) + " = " + value + ";",
                 group >= 0 ? 2 : 1, node.var, node.origin);
            nodes.resize(out_.lines.size(), -1);
            nodes.back() = static_cast<std::int32_t>(i);
        }
        enter(-1);
        line("  return " + (opened.result < 0 ? "_" : name_of(shown[static_cast<std::size_t>(opened.result)])) + ";",
             1);
        line("}", 0);
        nodes.resize(out_.lines.size(), -1);
        return nodes;
    }

    void line(std::string text, int depth, Var var = {}, OriginSet origin = {}) {
        out_.lines.push_back({std::move(text), depth, std::move(var), std::move(origin)});
    }

    PrintedModule take() { return std::move(out_); }

  private:
    const std::string& define(const Var& var, Names& names) {
        return variables_.insert_or_assign(var, names.unique(var->name)).first->second;
    }

    /// A variable that is not bound (in a function that would not verify) prints as its hint in angle brackets.
    std::string name_of(const Var& var) const {
        if (!var) return "_";
        const auto it = variables_.find(var);
        return it == variables_.end() ? "<" + var->name + ">" : it->second;
    }

    std::string list(const std::vector<Var>& vars) const {
        std::string text = "(";
        for (std::size_t i = 0; i < vars.size(); ++i) text += (i ? ", " : "") + name_of(vars[i]);
        return text + ")";
    }

    std::string function_text(const Function& function) const { return "@" + function_names_.at(function); }

    std::string value_text(const Expr& value) const {
        switch (value->kind) {
        case ExprKind::CallOp: {
            const CallOp& call = *as<CallOp>(value);
            return call.op.name + list(call.args) + (call.attrs.empty() ? "" : " " + attrs_text(call.attrs));
        }
        case ExprKind::CallFunction:
            return function_text(as<CallFunction>(value)->function) + list(as<CallFunction>(value)->args);
        case ExprKind::Constant: return constant_text(as<Constant>(value)->value);
        case ExprKind::Tuple: {
            std::string text = list(as<Tuple>(value)->fields);
            if (as<Tuple>(value)->fields.size() == 1) text.insert(text.size() - 1, ",");
            return text;
        }
        case ExprKind::Project:
            return name_of(as<Project>(value)->tuple) + "[" + std::to_string(as<Project>(value)->index) + "]";
        case ExprKind::If: {
            const If& node = *as<If>(value);
            return "if " + name_of(node.condition) + " then " + function_text(node.then_function) + " else " +
                   function_text(node.else_function) + " " + list(node.args);
        }
        case ExprKind::Loop: {
            const Loop::Fields& loop = as<Loop>(value)->fields;
            return "loop " + function_text(loop.body) + " limit " + name_of(loop.max_trips) + " while " +
                   name_of(loop.condition) + " carry " + list(loop.carried) + " capture " + list(loop.captured);
        }
        case ExprKind::FunctionLiteral: return "fn " + function_text(as<FunctionLiteral>(value)->function);
        }
        fail_internal("value_text covers every kind");
    }

    PrintedModule out_;
    Names names_;
    std::unordered_map<Function, std::string> function_names_;
    std::unordered_map<Var, std::string> variables_;
};

void print_functions(Printer& printer, const Function& root) {
    const std::vector<Function> functions = functions_inside_out(root);
    printer.name_functions(functions);
    for (std::size_t i = 0; i < functions.size(); ++i) {
        if (i) printer.line("", 0);
        printer.print(functions[i]);
    }
}

} // namespace

ConstantPool constants_of(const Module& module) {
    ConstantPool pool;
    for (const Function& function : functions_inside_out(module.main))
        for (const Binding& binding : function->bindings)
            if (const Constant* constant = as<Constant>(binding.value);
                constant && constant->value.size() > kInlineElements)
                pool.emplace(constant_hash(constant->value), constant->value);
    return pool;
}

std::string PrintedModule::text() const {
    std::size_t size = 0;
    for (const PrintedLine& line : lines) size += line.text.size() + 1;
    std::string all;
    all.reserve(size);
    for (const PrintedLine& line : lines) {
        all += line.text;
        all += '\n';
    }
    return all;
}

PrintedModule print_module(const Module& module) {
    Printer printer;
    std::string head = "outputs [";
    for (std::size_t i = 0; i < module.outputs.size(); ++i) head += (i ? ", " : "") + quoted(module.outputs[i]);
    printer.line(head + "];", 0);
    printer.line("", 0);
    print_functions(printer, module.main);
    return printer.take();
}

OpenedText print_opened(const Module& module, const OpenedFunction& opened) {
    Printer printer;
    std::vector<Function> functions = functions_inside_out(module.main);
    printer.name_functions(functions);
    std::unordered_set<Function> in_place{module.main};
    for (const OpenedGroup& group : opened.groups) in_place.insert(group.function);
    for (const OpenedPart& part : opened.parts) in_place.insert(part.function);
    for (const Function& function : functions) {
        if (in_place.contains(function)) continue;
        printer.print(function);
        printer.line("", 0);
    }
    OpenedText text;
    text.nodes = printer.print(opened);
    text.lines = printer.take().lines;
    return text;
}

std::string to_string(const Module& module) { return print_module(module).text(); }

std::string to_string(const Function& function) {
    Printer printer;
    print_functions(printer, function);
    return printer.take().text();
}

} // namespace orrery::graph
