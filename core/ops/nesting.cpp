#include "core/ops/nesting.hpp"

#include "core/base/arena.hpp"
#include "core/graph/builder.hpp"

#include <algorithm>
#include <unordered_map>

namespace orrery::ops {

namespace {

using graph::Var;

/// Bytes of a static tensor; nothing for other types.
std::optional<std::size_t> tensor_size(const graph::Type& type) {
    const graph::TensorType* tensor = graph::as_tensor(type);
    if (!tensor || !graph::is_static(*tensor)) return std::nullopt;
    return static_cast<std::size_t>(element_count(graph::static_shape(*tensor)) * byte_size(tensor->dtype));
}

class Tensors {
  public:
    explicit Tensors(const graph::Function& main) {
        for (std::size_t i = 0; i < main->bindings.size(); ++i) add(main->bindings[i], i);
        for (const std::size_t tensor : numbers(main->result))
            if (tensor != kElsewhere) out_.tensors[tensor].output = true;
    }
    CallTensors take() { return std::move(out_); }

  private:
    [[nodiscard]] std::vector<std::size_t> numbers(const Var& var) const {
        const auto found = numbers_.find(var);
        return found == numbers_.end() ? std::vector<std::size_t>{kElsewhere} : found->second;
    }

    void add(const graph::Binding& binding, std::size_t index) {
        if (const auto* tuple = graph::as<graph::Tuple>(binding.value)) {
            std::vector<std::size_t> fields;
            for (const Var& field : tuple->fields) fields.push_back(numbers(field).front());
            numbers_[binding.var] = std::move(fields);
        } else if (const auto* project = graph::as<graph::Project>(binding.value)) {
            const std::vector<std::size_t> fields = numbers(project->tuple);
            numbers_[binding.var] = {project->index < fields.size() ? fields[project->index] : kElsewhere};
        } else if (binding.value->kind == graph::ExprKind::CallFunction) {
            CallTensors::Call call{index, {}, out_.tensors.size(), 0};
            for (const Var& operand : graph::operands(binding.value))
                call.args.push_back(operand ? numbers(operand).front() : kElsewhere);
            const graph::TupleType* tuple = graph::as_tuple(binding.var->type);
            const std::vector<graph::Type> types = tuple ? tuple->fields : std::vector<graph::Type>{binding.var->type};
            for (const graph::Type& type : types) {
                numbers_[binding.var].push_back(out_.tensors.size());
                out_.tensors.push_back({binding.var, tensor_size(type).value_or(0), false});
            }
            call.count = types.size();
            out_.calls.push_back(std::move(call));
        }
    }

    CallTensors out_;
    std::unordered_map<Var, std::vector<std::size_t>> numbers_;
};

/// Bytes of a value in a function that follow one another in a parameter.
struct Part {
    std::size_t param = 0, begin = 0, bytes = 0;
    bool whole = true; ///< the parameter
};

/// What a function that only joins, cuts and reshapes its parameters makes of them.
struct Joined {
    std::vector<Part> parts;
    bool scattered = false; ///< they are not in one piece each
};

/// Extents before the axis along which a concatenation joins: of more than one, its operands are cut to pieces.
bool joins_pieces(const graph::CallOp& concat, const Shape& shape) {
    const std::int64_t attr = concat.attrs.integer("axis");
    const std::int64_t axis = attr < 0 ? attr + static_cast<std::int64_t>(shape.size()) : attr;
    return std::all_of(shape.begin(), shape.begin() + axis, [](std::int64_t extent) { return extent == 1; });
}

/// Where in its operand a slice begins, in elements; nothing where its elements do not follow one another there.
std::optional<std::int64_t> slice_start(const graph::CallOp& slice, const Shape& from) {
    const graph::Ints &begins = slice.attrs.ints("begins"), &sizes = slice.attrs.ints("sizes"),
                      steps = slice.attrs.ints("steps", graph::Ints(from.size(), 1));
    std::int64_t start = 0;
    bool one = true; // so far, along the axes before
    for (std::size_t d = 0; d < from.size(); ++d) {
        start = start * from[d] + begins[d];
        if ((!one && sizes[d] != from[d]) || (sizes[d] != 1 && steps[d] != 1)) return std::nullopt;
        one = one && sizes[d] == 1;
    }
    return start;
}

/// The part that a slice cuts out of another one.
std::optional<Part> cut(const graph::CallOp& slice, const std::vector<Part>& from, const graph::Type& type) {
    const graph::TensorType& operand = *graph::as_tensor(slice.args[0]->type);
    const std::optional<std::int64_t> start = slice_start(slice, graph::static_shape(operand));
    if (from.size() != 1 || !start) return std::nullopt;
    return Part{from[0].param, from[0].begin + static_cast<std::size_t>(*start * byte_size(operand.dtype)),
                tensor_size(type).value_or(0), false};
}

std::optional<Joined> joined_by(const graph::FunctionNode& function) {
    std::unordered_map<Var, std::vector<Part>> parts;
    Joined out;
    for (std::size_t i = 0; i < function.params.size(); ++i) {
        const std::optional<std::size_t> bytes = tensor_size(function.params[i]->type);
        if (!bytes) return std::nullopt;
        parts[function.params[i]] = {{i, 0, *bytes, true}};
    }
    for (const graph::Binding& binding : function.bindings) {
        const auto* call = graph::as<graph::CallOp>(binding.value);
        if (!call || !tensor_size(binding.var->type)) return std::nullopt;
        const std::string& name = call->op.name;
        if (name != "concat" && name != "reshape" && name != "identity" && name != "slice") return std::nullopt;
        std::vector<Part>& made = parts[binding.var];
        for (const Var& arg : call->args) {
            if (!arg) continue;
            const auto found = parts.find(arg);
            if (found == parts.end()) return std::nullopt;
            made.insert(made.end(), found->second.begin(), found->second.end());
        }
        if (name == "slice") {
            const std::optional<Part> part = cut(*call, made, binding.var->type);
            out.scattered = out.scattered || !part;
            if (part) made = {*part};
        }
        if (name == "concat" && !joins_pieces(*call, graph::static_shape(*graph::as_tensor(binding.var->type))))
            out.scattered = true;
    }
    const auto result = parts.find(function.result);
    if (result == parts.end() || function.bindings.empty()) return std::nullopt;
    out.parts = result->second;
    return out;
}

/// Gives tensors their places, join by join, the last first.
class Nester {
  public:
    explicit Nester(const CallTensors& tensors) : tensors_(tensors) { out_.inside.resize(tensors.tensors.size()); }

    void add(std::size_t call, const Joined& joined) {
        Join join{call, Copies::Nothing, {}};
        join.copies = place(tensors_.calls[call], joined, join.copied);
        if (join.copies != Copies::Nothing) join.copied.clear();
        out_.joins.push_back(std::move(join));
    }

    Nesting finish() {
        for (std::size_t i = 0; i < out_.inside.size(); ++i)
            if (const Inside at = place_of(i); out_.inside[i]) out_.inside[i] = at;
        std::ranges::reverse(out_.joins);
        return std::move(out_);
    }

  private:
    /// A tensor's own place has the offset 0.
    [[nodiscard]] Inside place_of(std::size_t tensor) const {
        Inside at{tensor, 0};
        while (out_.inside[at.host]) {
            at.offset += out_.inside[at.host]->offset;
            at.host = out_.inside[at.host]->host;
        }
        return at;
    }

    [[nodiscard]] bool can_move(std::size_t tensor) const {
        return tensor != kElsewhere && !tensors_.tensors[tensor].output && !out_.inside[tensor];
    }

    Copies place(const CallTensors::Call& call, const Joined& joined, std::vector<Join::Copied>& copied) {
        if (joined.scattered) return Copies::Scattered;
        const std::size_t result = call.first;
        if (lie_together(call, joined, result)) return Copies::Nothing;
        std::size_t offset = 0, copies = 0;
        std::vector<std::pair<std::size_t, std::size_t>> placed; // tensors and offsets
        for (const Part& part : joined.parts) {
            if (part.bytes == 0) continue;
            if (offset % kArenaAlignment != 0) return Copies::Unaligned;
            const std::size_t tensor = call.args[part.param];
            if (!part.whole)
                return joined.parts.size() > 1             ? Copies::Scattered
                       : part.begin % kArenaAlignment == 0 ? Copies::Mostly
                                                           : Copies::Unaligned;
            const bool twice = std::ranges::any_of(placed, [&](const auto& p) { return p.first == tensor; });
            if (twice || !can_move(tensor) || tensor == place_of(result).host) {
                copied.push_back({part.param, offset});
                copies += part.bytes;
            } else {
                placed.emplace_back(tensor, offset);
            }
            offset += part.bytes;
        }
        if (placed.empty() || copies > offset / 2) return Copies::Mostly;
        for (const auto& [tensor, at] : placed) out_.inside[tensor] = Inside{result, at};
        return Copies::Nothing;
    }

    /// Where the arguments lie one after another already, in the order that the result has, the result does too.
    bool lie_together(const CallTensors::Call& call, const Joined& joined, std::size_t result) {
        if (tensors_.tensors[result].output || out_.inside[result]) return false;
        std::optional<Inside> start;
        std::size_t offset = 0;
        for (const Part& part : joined.parts) {
            if (part.bytes == 0) continue;
            const std::size_t tensor = call.args[part.param];
            if (tensor == kElsewhere) return false;
            Inside at = place_of(tensor);
            at.offset += part.begin;
            if (!start) start = at;
            if (at.host != start->host || at.offset != start->offset + offset) return false;
            offset += part.bytes;
        }
        if (!start || start->offset % kArenaAlignment != 0) return false;
        out_.inside[result] = *start;
        return true;
    }

    const CallTensors& tensors_;
    Nesting out_;
};

} // namespace

const char* to_string(Copies why) {
    switch (why) {
    case Copies::Nothing: return "";
    case Copies::Scattered: return "what it joins or cuts does not lie in one piece";
    case Copies::Unaligned: return "a piece would begin inside a cache line";
    case Copies::Mostly:
        return "most of it comes from inputs, constants or outputs, or from where another concatenation has it";
    }
    fail_internal("a sentence for every reason");
}

CallTensors call_tensors(const graph::Function& main) { return Tensors(main).take(); }

const Join* Nesting::join_of(std::size_t call) const {
    const auto found = std::ranges::lower_bound(joins, call, {}, &Join::call);
    return found != joins.end() && found->call == call ? &*found : nullptr;
}

Nesting nest_tensors(const graph::Function& main, const CallTensors& tensors) {
    Nester nester(tensors);
    std::unordered_map<const graph::FunctionNode*, std::optional<Joined>> known;
    for (std::size_t c = tensors.calls.size(); c-- > 0;) {
        const auto& call = *graph::as<graph::CallFunction>(main->bindings[tensors.calls[c].binding].value);
        if (tensors.calls[c].count != 1 || !call.function->primitive() || call.function->attrs.has("backend")) continue;
        auto found = known.find(call.function.get());
        if (found == known.end()) found = known.emplace(call.function.get(), joined_by(*call.function)).first;
        if (found->second) nester.add(c, *found->second);
    }
    return nester.finish();
}

} // namespace orrery::ops
