// Running compiled models, and checking them against the interpreter.

#include "core/base/parallel.hpp"
#include "core/frontends/onnx/open.hpp"
#include "core/graph/evaluate.hpp"
#include "core/lower/value_arrays.hpp"
#include "core/session/compiler.hpp"
#include "core/session/dynamic_model.hpp"
#include "core/tensor/analysis.hpp"

#include <algorithm>
#include <chrono>
#include <unordered_set>

namespace orrery::session {

namespace {

DType dtype_of(runtime::ElementType type) {
    constexpr std::uint8_t kInt = 0, kUint = 1, kBfloat = 4, kBool = 6, kFloat8 = 10;
    if (type.code == kBool) return DType::Bool;
    if (type.code == kBfloat) return DType::BF16;
    if (type.code >= kFloat8) return static_cast<DType>(static_cast<int>(DType::F8E4M3FN) + type.code - kFloat8);
    if (type.bits == 4) return type.code == kInt ? DType::I4 : DType::U4;
    const auto pick = [&](DType d8, DType d16, DType d32, DType d64) {
        return type.bits == 8 ? d8 : type.bits == 16 ? d16 : type.bits == 32 ? d32 : d64;
    };
    if (type.code == kInt) return pick(DType::I8, DType::I16, DType::I32, DType::I64);
    if (type.code == kUint) return pick(DType::U8, DType::U16, DType::U32, DType::U64);
    return pick(DType::F16, DType::F16, DType::F32, DType::F64);
}

/// SplitMix64: Steele, Lea, Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014, figure 17.
std::uint64_t split_mix(std::uint64_t& state) {
    std::uint64_t z = (state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

NDArray seeded(DType dtype, Shape shape, std::uint64_t seed) {
    NDArray array = NDArray::allocate(dtype, std::move(shape));
    for (std::int64_t i = 0; i < array.size(); ++i) {
        const std::uint64_t bits = split_mix(seed);
        if (is_float(dtype))
            array.set(i, static_cast<double>(bits >> 40) * 0x1p-23 - 1.0); // 24 bits over [-1, 1)
        else
            array.set_int(i, static_cast<std::int64_t>(bits >> 63));
    }
    return array;
}

Result<void> check_input(const runtime::Value& value, const NDArray& given) {
    if (given.dtype() == dtype_of(value.type) && given.shape() == value.shape) return {};
    const Code code = given.dtype() == dtype_of(value.type) ? Code::BadShape : Code::BadType;
    return Diagnostic{
        code,
        "input " + value.name + " is " + type_text(given.dtype(), given.shape()) + "; the model takes " +
            type_text(dtype_of(value.type), value.shape),
        {},
        code == Code::BadShape ? "give it that shape, or open the model with --shape " + value.name + "=..." : ""};
}

/// Storage a kernel may be given: 64-byte aligned.
NDArray aligned(const NDArray& value) {
    if (reinterpret_cast<std::uintptr_t>(value.data()) % 64 == 0) return value;
    return NDArray::copy_of(value.dtype(), value.shape(), value.data(), value.bytes());
}

/// Runs kernel `index` in this thread on the given arrays.
void call_kernel(const CompiledModel& model, std::size_t index, std::vector<NDArray>& args) {
    orrery_context serial{
        [](orrery_context*, std::int64_t extent, orrery_loop_body body, void* closure) { body(0, extent, closure); }, 1,
        model.executable->data_of(index)};
    const std::size_t workspace_bytes = model.objects[index].workspace_bytes;
    NDArray workspace = NDArray::allocate(DType::U8, {static_cast<std::int64_t>(workspace_bytes)});
    std::vector<void*> pointers;
    for (NDArray& arg : args) pointers.push_back(arg.mutable_data());
    pointers.push_back(workspace.mutable_data());
    model.executable->kernels[index](pointers.data(), &serial);
}

/// Interprets the lowered program of one call, and the compiled kernel on the same inputs.
struct CallCheck {
    const CompiledModel& model;
    lower::ValueArrays values;

    Result<CheckResult::Row> run(const lower::LoweredCall& call, const Progress& progress) {
        const lower::LoweredFunction& function = model.model.functions[call.function];
        std::vector<NDArray> args;
        for (std::uint32_t id : call.args) args.push_back(values.get(id));
        for (std::uint32_t id : call.results)
            args.push_back(NDArray::zeros(model.model.values[id].dtype, model.model.values[id].shape));
        std::vector<NDArray> reference = args, compiled = args;
        for (std::size_t i = call.args.size(); i < args.size(); ++i)
            compiled[i] = NDArray::zeros(args[i].dtype(), args[i].shape());
        ORRERY_CHECK_OK(tensor::interpret(function.program, reference, progress));
        call_kernel(model, call.function, compiled);

        CheckResult::Row row{model.model.values[call.results.front()].name, function.name, call.origin, {}, false,
                             tensor::rounding_unit(function.program)};
        for (std::size_t i = 0; i < call.results.size(); ++i) {
            const Difference difference = compare(compiled[call.args.size() + i], reference[call.args.size() + i]);
            if (i == 0 || difference.max_rel > row.difference.max_rel) row.difference = difference;
            values.set(call.results[i], reference[call.args.size() + i]);
        }
        return row;
    }
};

} // namespace

std::vector<NDArray> seeded_inputs(const runtime::Plan& plan, std::uint64_t seed) {
    std::vector<NDArray> inputs;
    for (std::size_t i = 0; i < plan.inputs.size(); ++i) {
        const runtime::Value& value = plan.values[plan.inputs[i]];
        inputs.push_back(seeded(dtype_of(value.type), value.shape, seed * 1000003 + i));
    }
    return inputs;
}

Result<std::vector<NDArray>> seeded_inputs(const graph::FunctionNode& main, std::uint64_t seed) {
    std::vector<NDArray> inputs;
    for (std::size_t i = 0; i < main.params.size(); ++i) {
        const graph::TensorType* type = graph::as_tensor(main.params[i]->type);
        if (!type || !graph::is_static(*type))
            return Diagnostic{Code::UnsupportedFeature,
                              "input " + main.params[i]->name + " has no fixed shape to draw numbers for",
                              {},
                              "open the model with --shape " + main.params[i]->name + "=..."};
        inputs.push_back(seeded(type->dtype, graph::static_shape(*type), seed * 1000003 + i));
    }
    return inputs;
}

Result<std::vector<NDArray>> drawn_inputs(const CompiledModel& model, std::uint64_t seed) {
    if (model.dynamic) {
        const std::string open = open_inputs(model.dynamic->imported().main);
        if (!open.empty())
            return Diagnostic{Code::BadShape,
                              "inputs cannot be drawn while extents are open: " + open,
                              {},
                              why_dynamic(model.dynamic->imported()).hint + ", or give the inputs with --input"};
    }
    return seeded_inputs(model.executable->plan, seed);
}

namespace {

Result<RunResult> run_dynamic(const CompiledModel& model, std::span<const NDArray> inputs, int threads,
                              const Progress& progress) {
    RunResult result;
    for (const std::uint32_t id : model.executable->plan.inputs)
        result.input_names.push_back(model.executable->plan.values[id].name);
    result.output_names = model.output_names;
    result.inputs.assign(inputs.begin(), inputs.end());
    ProgramOptions options;
    options.threads = threads;
    const auto start = std::chrono::steady_clock::now();
    ORRERY_TRY(ProgramRun run, run_program(*model.dynamic, inputs, options, progress));
    result.milliseconds = std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
    result.outputs = std::move(run.outputs);
    result.peak_bytes = run.peak_bytes;
    return result;
}

/// Values with memory of their own in the arena, and the last steps that need it; in order of these.
std::vector<std::pair<std::int32_t, std::uint32_t>> last_uses(const CompiledModel& model) {
    const std::vector<runtime::Value>& values = model.executable->plan.values;
    std::vector<std::int32_t> last(values.size(), -1);
    for (std::size_t id = 0; id < values.size(); ++id) {
        const std::int64_t host = model.model.values[id].host;
        std::int32_t& of = last[host < 0 ? id : static_cast<std::size_t>(host)];
        of = std::max(of, values[id].last_step);
    }
    std::vector<std::pair<std::int32_t, std::uint32_t>> out;
    for (std::size_t id = 0; id < values.size(); ++id)
        if (values[id].storage == runtime::Storage::Arena && model.model.values[id].host < 0)
            out.emplace_back(last[id], static_cast<std::uint32_t>(id));
    std::ranges::sort(out);
    return out;
}

void add_row(CheckResult& result, CheckResult::Row row) {
    row.agrees = row.difference.same_type && row.difference.max_rel <= std::max(result.tolerance, row.rounding);
    result.worst = std::max(result.worst, row.difference.max_rel);
    if (!row.agrees && result.first_wrong < 0) result.first_wrong = static_cast<std::ptrdiff_t>(result.rows.size());
    result.rows.push_back(std::move(row));
}

/// Each part's kernels where it is first met, then the outputs against the interpreter on the whole model.
Result<CheckResult> check_dynamic(const CompiledModel& model, std::span<const NDArray> inputs, double tolerance,
                                  const Progress& progress) {
    CheckResult result;
    result.tolerance = tolerance;
    std::unordered_set<const SpecializedRegion*> met;
    ProgramOptions options;
    options.observer.region = [&](const SpecializedRegion& region, std::span<const NDArray> args) -> Result<void> {
        if (!region.compiled || !met.insert(&region).second) return {};
        ORRERY_TRY(CheckResult part, check(*region.compiled, args, tolerance, progress));
        for (CheckResult::Row& row : part.rows) add_row(result, std::move(row));
        return {};
    };
    ORRERY_TRY(const ProgramRun run, run_program(*model.dynamic, inputs, options, progress));
    ORRERY_TRY(const std::vector<NDArray> reference,
               graph::evaluate(model.dynamic->imported().main, inputs, onnx::evaluator(), progress));
    for (std::size_t i = 0; i < run.outputs.size(); ++i)
        add_row(result, {model.output_names[i], "output", {}, compare(run.outputs[i], reference[i]), false});
    return result;
}

} // namespace

Result<RunResult> run(const CompiledModel& model, std::span<const NDArray> inputs, int threads,
                      const Progress& progress) {
    if (model.foreign) return *model.foreign;
    if (model.dynamic) return run_dynamic(model, inputs, threads, progress);
    const runtime::Plan& plan = model.executable->plan;
    if (inputs.size() != plan.inputs.size())
        return Diagnostic{Code::BadArgument,
                          std::to_string(inputs.size()) + " inputs are given; the model takes " +
                              std::to_string(plan.inputs.size()),
                          {},
                          {}};
    RunResult result;
    std::vector<const void*> in;
    std::vector<void*> out;
    for (std::size_t i = 0; i < inputs.size(); ++i) {
        const runtime::Value& value = plan.values[plan.inputs[i]];
        ORRERY_CHECK_OK(check_input(value, inputs[i]));
        result.inputs.push_back(aligned(inputs[i]));
        result.input_names.push_back(value.name);
        in.push_back(result.inputs.back().data());
    }
    for (std::size_t i = 0; i < plan.outputs.size(); ++i) {
        const runtime::Value& value = plan.values[plan.outputs[i]];
        result.outputs.push_back(NDArray::zeros(dtype_of(value.type), value.shape));
        result.output_names.push_back(i < model.output_names.size() ? model.output_names[i] : value.name);
        out.push_back(result.outputs.back().mutable_data());
    }
    runtime::Executor executor(model.executable, threads);
    runtime::StepTimes times;
    const auto start = std::chrono::steady_clock::now();
    if (!executor.run(in, out, &times, progress.stop))
        return Diagnostic{Code::Cancelled, "the run was cancelled", {}, {}};
    result.milliseconds = std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
    for (std::size_t s = 0; s < times.size(); ++s) result.steps.push_back({s, static_cast<double>(times[s]) / 1e3});
    result.peak_bytes = plan.arena_bytes;
    return result;
}

Result<CheckResult> check(const CompiledModel& model, std::span<const NDArray> inputs, double tolerance,
                          const Progress& progress) {
    if (model.foreign) return *model.foreign;
    if (model.dynamic) return check_dynamic(model, inputs, tolerance, progress);
    const runtime::Plan& plan = model.executable->plan;
    if (inputs.size() != plan.inputs.size())
        return Diagnostic{
            Code::BadArgument, "the model takes " + std::to_string(plan.inputs.size()) + " inputs", {}, {}};
    CallCheck state{model, lower::ValueArrays(model.model)};
    for (std::size_t i = 0; i < inputs.size(); ++i) {
        ORRERY_CHECK_OK(check_input(plan.values[plan.inputs[i]], inputs[i]));
        state.values.set(model.model.inputs[i], aligned(inputs[i]));
    }
    for (std::size_t id = 0; id < model.model.values.size(); ++id)
        if (model.model.values[id].storage == runtime::Storage::Constant)
            state.values.set(static_cast<std::uint32_t>(id),
                             aligned(model.model.constants[model.model.values[id].index]));

    CheckResult result;
    result.tolerance = tolerance;
    const std::vector<std::pair<std::int32_t, std::uint32_t>> lasts = last_uses(model);
    std::size_t next = 0;
    for (std::size_t c = 0; c < model.model.calls.size(); ++c) {
        const lower::LoweredCall& call = model.model.calls[c];
        progress.tell(model.model.functions[call.function].name,
                      static_cast<double>(c) / static_cast<double>(model.model.calls.size()));
        ORRERY_TRY(CheckResult::Row row, state.run(call, progress));
        add_row(result, std::move(row));
        for (; next < lasts.size() && lasts[next].first <= static_cast<std::int32_t>(c); ++next)
            state.values.drop(lasts[next].second);
    }
    return result;
}

} // namespace orrery::session
