// One case: import with the shapes of its inputs, run, compare.

#include "app/conformance.hpp"
#include "app/io_pb.hpp"
#include "core/frontends/onnx/import.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>

namespace orrery::app {

namespace {

namespace fs = std::filesystem;

/// A refusal on the way, as the case's result.
struct Refusal {
    CaseStatus status;
    std::string reason, op_type;
};

Refusal refusal(const Diagnostic& error) {
    const bool unsupported = error.code == Code::UnsupportedOperator || error.code == Code::UnsupportedFeature;
    Refusal out{unsupported ? CaseStatus::Unsupported : CaseStatus::Failed,
                std::string(code_name(error.code)) + ": " + to_string(error),
                {}};
    for (const Location& location : error.locations)
        if (const auto* node = std::get_if<ModelNode>(&location)) {
            out.op_type = node->op_type;
            break;
        }
    return out;
}

/// Empty when equal within the tolerance.
std::string mismatch(const NDArray& actual, const NDArray& expected, const ConformanceOptions& options) {
    if (actual.dtype() != expected.dtype() || actual.shape() != expected.shape())
        return "is " + type_text(actual.dtype(), actual.shape()) + ", expected " +
               type_text(expected.dtype(), expected.shape());
    std::int64_t wrong = 0, first = -1;
    for (std::int64_t i = 0; i < expected.size(); ++i) {
        const double a = actual.as_double(i), e = expected.as_double(i);
        const bool equal =
            a == e || (std::isnan(a) && std::isnan(e)) ||
            (std::isfinite(a) && std::isfinite(e) && std::abs(a - e) <= options.atol + options.rtol * std::abs(e));
        if (equal) continue;
        if (first < 0) first = i;
        ++wrong;
    }
    if (wrong == 0) return {};
    return "differs in " + std::to_string(wrong) + " of " + std::to_string(expected.size()) + " elements, first at " +
           std::to_string(first) + ": " + std::to_string(actual.as_double(first)) + ", expected " +
           std::to_string(expected.as_double(first));
}

/// numpy has no bfloat16: ONNX's cases hold such arrays as the integers of their bits.
NDArray as_declared(const NDArray& array, DType dtype) {
    if (array.dtype() != DType::U16 || dtype != DType::BF16) return array;
    return NDArray::view(DType::BF16, array.shape(), array.owner(), array.data());
}

/// Sequences and optionals exist at import only, so that the import of a model with some is told their shapes, and the
/// whole numbers (positions, conditions) as constants. What is left are the arguments.
std::vector<NDArray> describe(PbValues& inputs, const onnx::ModelInterface& interface, onnx::ImportOptions& import) {
    const auto plain = [](const onnx::ModelValue& value) { return value.kind == onnx::ValueKind::Tensor; };
    if (std::ranges::all_of(interface.inputs, plain) && std::ranges::all_of(interface.outputs, plain))
        return std::move(inputs.arrays);
    std::vector<NDArray> args;
    import.shapes = inputs.lengths;
    for (std::size_t i = 0; i < inputs.arrays.size(); ++i) {
        NDArray& array = inputs.arrays[i];
        if (inputs.kinds[i] == onnx::ValueKind::Tensor && !is_float(array.dtype())) {
            import.constants[inputs.names[i]] = array;
            continue;
        }
        import.shapes[inputs.names[i]] = array.shape();
        args.push_back(std::move(array));
    }
    return args;
}

Result<void> run_data_set(const fs::path& model, const fs::path& folder, const ModuleRunner& runner,
                          const ConformanceOptions& options) {
    onnx::ImportOptions import;
    import.max_bytes = std::int64_t{1} << 30; // our choice: test models are small
    import.open = onnx::OpenExtents::Keep;
    ORRERY_TRY(const onnx::ModelInterface interface, onnx::model_interface(model));
    Result<PbValues> inputs = read_pb_values(folder, "input_", interface.inputs);
    std::vector<NDArray> args = inputs ? describe(*inputs, interface, import) : std::vector<NDArray>();
    ORRERY_TRY(const graph::Module module, onnx::import_file(model, import));
    if (!inputs) return inputs.error(); // no tensors: the import said what they are, where it could
    for (std::size_t i = 0; i < args.size() && i < module.main->params.size(); ++i)
        if (const graph::TensorType* type = graph::as_tensor(module.main->params[i]->type))
            args[i] = as_declared(args[i], type->dtype);
    ORRERY_TRY(const PbValues outputs, read_pb_values(folder, "output_", interface.outputs));
    ORRERY_TRY(const std::vector<NDArray> results, runner(module, args));
    if (results.size() < outputs.arrays.size())
        return Diagnostic{Code::WrongNumbers,
                          "gives " + std::to_string(results.size()) + " outputs, expected " +
                              std::to_string(outputs.arrays.size()),
                          {},
                          {}};
    for (std::size_t i = 0; i < outputs.arrays.size(); ++i)
        if (const std::string wrong = mismatch(results[i], as_declared(outputs.arrays[i], results[i].dtype()), options);
            !wrong.empty())
            return Diagnostic{Code::WrongNumbers, "output " + std::to_string(i) + " " + wrong, {}, {}};
    return {};
}

std::vector<fs::path> data_sets(const fs::path& folder) {
    std::vector<fs::path> sets;
    std::error_code error;
    for (const fs::directory_entry& entry : fs::directory_iterator(folder, error))
        if (entry.is_directory() && entry.path().filename().string().starts_with("test_data_set_"))
            sets.push_back(entry.path());
    std::ranges::sort(sets);
    return sets;
}

} // namespace

ConformanceCase run_case(const fs::path& folder, const ModuleRunner& runner, const ConformanceOptions& options) {
    ConformanceCase result;
    result.name = folder.filename().string();
    result.status = CaseStatus::Passed;
    const auto start = std::chrono::steady_clock::now();
    const fs::path model = folder / "model.onnx";
    const std::vector<fs::path> sets = data_sets(folder);
    if (!fs::exists(model) || sets.empty()) {
        result.status = CaseStatus::Unsupported;
        result.reason = "needs files the package lacks";
    }
    for (std::size_t i = 0; i < sets.size() && result.status == CaseStatus::Passed; ++i)
        if (const Result<void> done = run_data_set(model, sets[i], runner, options); !done) {
            Refusal why = refusal(done.error());
            result.status = why.status;
            result.reason = std::move(why.reason);
            result.op_type = std::move(why.op_type);
        }
    result.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    return result;
}

} // namespace orrery::app
