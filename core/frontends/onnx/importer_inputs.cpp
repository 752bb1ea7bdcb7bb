// Inputs and their shapes: what the file declares, what the caller fixes, and what symbols stand for.

#include "core/frontends/onnx/importer.hpp"

#include "core/base/file.hpp"

#include <algorithm>
#include <set>
#include <unordered_set>

namespace orrery::onnx {

using graph::Var;

namespace {

struct InputDim {
    std::int64_t value = -1; ///< -1 while open
    std::string symbol;      ///< may be empty: open and shared with nothing
};

/// A parameter: an input, or an element of one.
struct Input {
    std::string name;
    DType dtype = DType::F32;
    bool ranked = false;
    std::vector<InputDim> dims;
    bool text = false; ///< of strings, as their numbers
};

Diagnostic about(Code code, const std::string& input, const std::string& what, std::string hint = {}) {
    return {code, "the input '" + input + "' " + what, {}, std::move(hint)};
}

Result<Input> read_input(const std::string& name, const ::onnx::TypeProto& type) {
    Input input{name, DType::F32, false, {}, false};
    if (!type.has_tensor_type())
        return about(Code::UnsupportedFeature, name, "is neither a tensor nor a sequence or optional of some");
    const auto& tensor = type.tensor_type();
    input.text = tensor.elem_type() == ::onnx::TensorProto::STRING;
    Result<DType> dtype = input.text ? DType::I64 : dtype_of(tensor.elem_type());
    if (!dtype) return about(dtype.error().code, name, "cannot be taken: " + dtype.error().message);
    input.dtype = *dtype;
    input.ranked = tensor.has_shape();
    for (const auto& dim : tensor.shape().dim()) {
        InputDim out;
        if (dim.has_dim_value() && dim.dim_value() >= 0)
            out.value = dim.dim_value(); // exporters write -1 for an open one
        else if (dim.has_dim_param())
            out.symbol = dim.dim_param();
        input.dims.push_back(std::move(out));
    }
    return input;
}

/// What the file calls an input, as the parameters it becomes.
struct InputGroup {
    std::string_view key; ///< the name in the file's own storage, which outlives scopes
    ValueKind kind = ValueKind::Tensor;
    bool absent = false; ///< an optional that is not given
    std::vector<Input> members;
};

ValueKind kind_of(const ::onnx::TypeProto& type) {
    if (type.has_sequence_type()) return ValueKind::Sequence;
    if (!type.has_optional_type()) return ValueKind::Tensor;
    return type.optional_type().elem_type().has_sequence_type() ? ValueKind::OptionalSequence : ValueKind::Optional;
}

bool is_asked(const ImportOptions& options, const std::string& name) {
    return options.shapes.contains(name) || options.constants.contains(name);
}

/// How many elements of a sequence are asked for: its own shape's one extent says so, or shapes of "name.0",
/// "name.1"...
std::optional<std::int64_t> asked_length(const ImportOptions& options, const std::string& name) {
    constexpr std::int64_t kMost = 100'000; // our choice: each is a parameter
    if (const auto it = options.shapes.find(name); it != options.shapes.end())
        return it->second.size() == 1 && it->second[0] >= 0 && it->second[0] <= kMost ? std::optional(it->second[0])
                                                                                      : std::nullopt;
    std::int64_t count = 0;
    while (count < kMost && is_asked(options, name + "." + std::to_string(count))) ++count;
    return count > 0 ? std::optional(count) : std::nullopt;
}

Result<InputGroup> read_group(const ::onnx::ValueInfoProto& info, const ImportOptions& options) {
    if (info.name().empty()) return about(Code::MalformedModel, {}, "has no name");
    if (!info.has_type()) return about(Code::MalformedModel, info.name(), "has no type");
    InputGroup group{info.name(), kind_of(info.type()), false, {}};
    const bool optional = info.type().has_optional_type();
    const ::onnx::TypeProto& type = optional ? info.type().optional_type().elem_type() : info.type();
    if (!type.has_sequence_type()) {
        group.absent = optional && !is_asked(options, info.name());
        if (group.absent) return group;
        ORRERY_TRY(Input input, read_input(info.name(), type));
        group.members.push_back(std::move(input));
        return group;
    }
    const std::optional<std::int64_t> length = asked_length(options, info.name());
    group.absent = optional && !length;
    if (!length && !optional)
        return about(Code::BadShape, info.name(), "is a sequence whose length is open",
                     "say how many elements it has with --shape " + info.name() +
                         "=N, or give their shapes with "
                         "--shape " +
                         info.name() + ".0=... --shape " + info.name() + ".1=...");
    for (std::int64_t i = 0; i < length.value_or(0); ++i) {
        ORRERY_TRY(Input input, read_input(info.name() + "." + std::to_string(i), type.sequence_type().elem_type()));
        if (input.text) return about(Code::UnsupportedFeature, info.name(), "is a sequence of strings");
        for (InputDim& dim : input.dims) dim.symbol.clear(); // each element has extents of its own
        group.members.push_back(std::move(input));
    }
    return group;
}

class ShapeBinder {
  public:
    /// Applies the caller's shape. Errors: BadShape.
    Result<void> fix(Input& input, const Shape& shape) {
        if (!input.ranked) {
            input.ranked = true;
            input.dims.resize(shape.size());
        }
        bool fits = input.dims.size() == shape.size();
        for (std::size_t i = 0; fits && i < shape.size(); ++i) {
            InputDim& dim = input.dims[i];
            fits = shape[i] >= 0 && (dim.value < 0 || dim.value == shape[i]);
            if (!fits || dim.value >= 0) continue;
            dim.value = shape[i];
            if (!dim.symbol.empty() && symbols_.emplace(dim.symbol, shape[i]).first->second != shape[i])
                return about(Code::BadShape, input.name,
                             "gets " + std::to_string(shape[i]) + " for " + dim.symbol + ", which is " +
                                 std::to_string(symbols_.at(dim.symbol)) + " elsewhere");
        }
        if (fits) return {};
        return about(Code::BadShape, input.name,
                     "is " + text(input) + " in the model, which " + type_text(input.dtype, shape) + " does not fit");
    }

    /// Fills open dimensions from symbols; where `batch` and that leaves none, leading ones become 1.
    /// Errors: BadShape naming every input whose rank is not known.
    Result<void> close(std::vector<Input>& inputs, bool batch) {
        if (batch && only_leading_open(inputs))
            for (Input& input : inputs)
                if (!input.dims.empty() && is_open(input.dims[0])) {
                    if (input.dims[0].symbol.empty())
                        input.dims[0].value = 1;
                    else
                        symbols_.emplace(input.dims[0].symbol, 1);
                }
        std::string unranked, hint;
        for (Input& input : inputs) {
            for (InputDim& dim : input.dims)
                if (const auto it = symbols_.find(dim.symbol);
                    dim.value < 0 && !dim.symbol.empty() && it != symbols_.end())
                    dim.value = it->second;
            if (input.ranked) continue;
            unranked += (unranked.empty() ? "" : ", ") + input.name + ": " + text(input);
            hint += " --shape " + input.name + "=...";
        }
        if (unranked.empty()) return {};
        return Diagnostic{Code::BadShape,
                          "inputs do not say how many dimensions they have (" + unranked + ")",
                          {},
                          "give them with" + hint};
    }

  private:
    bool is_open(const InputDim& dim) const { return dim.value < 0 && !symbols_.contains(dim.symbol); }

    /// Whether nothing is open but first dimensions and what has their symbols.
    bool only_leading_open(const std::vector<Input>& inputs) const {
        std::unordered_set<std::string_view> leading;
        for (const Input& input : inputs)
            if (!input.dims.empty() && is_open(input.dims[0])) leading.insert(input.dims[0].symbol);
        return std::ranges::all_of(inputs, [&](const Input& input) {
            return std::ranges::all_of(input.dims, [&](const InputDim& dim) {
                return !is_open(dim) || &dim == input.dims.data() ||
                       (!dim.symbol.empty() && leading.contains(dim.symbol));
            });
        });
    }

    static std::string text(const Input& input) {
        if (!input.ranked) return std::string(to_string(input.dtype)) + "[...]";
        std::vector<graph::Dim> dims;
        for (const InputDim& dim : input.dims)
            dims.push_back(dim.value >= 0 ? graph::Dim(dim.value)
                                          : graph::Dim::named(dim.symbol.empty() ? "?" : dim.symbol));
        return graph::to_string(graph::tensor_type(input.dtype, std::move(dims)));
    }
    std::map<std::string, std::int64_t> symbols_;
};

Result<void> check_names(const std::vector<std::string>& asked, const std::vector<Input>& inputs) {
    for (const std::string& name : asked) {
        if (std::ranges::find(inputs, name, &Input::name) != inputs.end()) continue;
        std::string there;
        for (const Input& input : inputs) there += (there.empty() ? "" : ", ") + input.name;
        return Diagnostic{Code::BadArgument,
                          "the model has no input '" + name + "'",
                          {},
                          "its inputs are " + (there.empty() ? "none" : there)};
    }
    return {};
}

/// The type of an input. A dimension that is open and has no symbol gets one from the input's name.
graph::Type type_of(const Input& input) {
    std::vector<graph::Dim> dims;
    for (std::size_t i = 0; i < input.dims.size(); ++i) {
        const InputDim& dim = input.dims[i];
        if (dim.value >= 0) {
            dims.emplace_back(dim.value);
            continue;
        }
        std::string symbol = dim.symbol.empty() ? input.name + "." + std::to_string(i) : dim.symbol;
        if (dim.symbol.empty())
            std::ranges::replace_if(
                symbol, [](char c) { return c == '+' || c == '*' || c == '/'; }, '_');
        dims.push_back(symbol == "?" ? graph::Dim::named(input.name + "." + std::to_string(i))
                                     : graph::Dim::named(std::move(symbol)));
    }
    return graph::tensor_type(input.dtype, std::move(dims));
}

} // namespace

Result<void> Importer::bind_inputs(Scope& scope) {
    std::vector<Input> inputs;
    std::vector<InputGroup> groups;
    std::set<std::string> sequences;
    for (const auto& info : file_.model->graph().input()) {
        if (scope.initializers.contains(info.name())) continue; // a default value: taken as the constant it is
        ORRERY_TRY(InputGroup group, read_group(info, options_));
        if (group.kind == ValueKind::Sequence || group.kind == ValueKind::OptionalSequence)
            sequences.insert(info.name());
        inputs.insert(inputs.end(), group.members.begin(), group.members.end());
        groups.push_back(std::move(group));
    }
    std::vector<std::string> asked;
    for (const auto& [name, shape] : options_.shapes)
        if (!sequences.contains(name)) asked.push_back(name);
    for (const auto& [name, value] : options_.constants) asked.push_back(name);
    ORRERY_CHECK_OK(check_names(asked, inputs));

    ShapeBinder binder;
    for (Input& input : inputs) {
        if (const auto it = options_.shapes.find(input.name); it != options_.shapes.end())
            ORRERY_CHECK_OK(binder.fix(input, it->second));
        if (const auto it = options_.constants.find(input.name); it != options_.constants.end()) {
            if (it->second.dtype() != input.dtype)
                return about(Code::BadType, input.name,
                             "is " + std::string(to_string(input.dtype)) + ", not " +
                                 std::string(to_string(it->second.dtype())));
            ORRERY_CHECK_OK(binder.fix(input, it->second.shape()));
        }
    }
    ORRERY_CHECK_OK(binder.close(inputs, options_.open == OpenExtents::BindBatch));
    std::vector<Var> vars;
    for (const Input& input : inputs) {
        const graph::Type type = type_of(input);
        if (graph::fully_static(type)) {
            const Result<std::int64_t> count =
                checked_elements(graph::static_shape(*graph::as_tensor(type)), input.dtype, options_.max_bytes);
            if (!count) return about(count.error().code, input.name, "cannot be taken: " + count.error().message);
        } else {
            symbolic_ = true;
        }
        const auto constant = options_.constants.find(input.name);
        const Var var = constant == options_.constants.end() ? builder.param(input.name, type)
                                                             : builder.constant(constant->second, {}, input.name);
        note(var);
        if (input.text) texts_.insert(var);
        vars.push_back(var);
    }
    auto next = vars.begin();
    for (const InputGroup& group : groups) {
        const auto end = next + static_cast<std::ptrdiff_t>(group.members.size());
        const bool list = group.kind == ValueKind::Sequence || group.kind == ValueKind::OptionalSequence;
        const Var var = group.absent ? no_element() : list ? sequence({next, end}, std::string(group.key), {}) : *next;
        next = end;
        if (!scope.vars.emplace(group.key, var).second)
            return about(Code::MalformedModel, std::string(group.key), "is listed twice");
    }
    return {};
}

Result<ModelInterface> model_interface(const std::filesystem::path& path) {
    ORRERY_TRY(const MappedFile mapped, map_file(path));
    ORRERY_TRY(const ModelFile file, parse_model(mapped.bytes, path.string()));
    std::unordered_set<std::string_view> defaults;
    for (const auto& tensor : file.model->graph().initializer()) defaults.insert(tensor.name());
    ModelInterface found;
    for (const auto& input : file.model->graph().input())
        if (!defaults.contains(input.name())) found.inputs.push_back({input.name(), kind_of(input.type())});
    for (const auto& output : file.model->graph().output())
        found.outputs.push_back({output.name(), kind_of(output.type())});
    return found;
}

Result<std::vector<std::string>> input_names(const std::filesystem::path& path) {
    ORRERY_TRY(const ModelInterface found, model_interface(path));
    std::vector<std::string> names;
    for (const ModelValue& input : found.inputs) names.push_back(input.name);
    return names;
}

} // namespace orrery::onnx
