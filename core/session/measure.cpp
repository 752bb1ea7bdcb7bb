#include "core/session/measure.hpp"

#include "core/runtime/thread_pool.hpp"
#include "core/tensor/text.hpp"

#include <algorithm>
#include <chrono>
#include <random>

namespace orrery::session {

namespace {

double now_ms() {
    return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

Result<std::vector<NDArray>> drawn_arguments(const tensor::Program& program, std::uint64_t seed) {
    constexpr std::int64_t kMostBytes = std::int64_t{8} << 30;
    std::mt19937_64 random(seed);
    std::vector<NDArray> out;
    for (std::size_t p = 0; p < program->params.size(); ++p) {
        const tensor::Buffer& buffer = program->params[p];
        const std::vector<std::int64_t> shape = buffer->static_shape();
        ORRERY_TRY(const std::int64_t count, checked_elements(shape, buffer->dtype, kMostBytes));
        NDArray array = NDArray::zeros(buffer->dtype, shape);
        for (std::int64_t i = 0; p < program->input_count && i < count; ++i) {
            const auto draw = static_cast<std::int64_t>(random() % 2001) - 1000;
            if (is_float(buffer->dtype))
                array.set(i, static_cast<double>(draw) / 1000);
            else
                array.set_int(i, is_signed_int(buffer->dtype) ? draw % 8 : std::abs(draw) % 8);
        }
        out.push_back(std::move(array));
    }
    return out;
}

} // namespace

double ProgramRun::median_ms() const {
    std::vector<double> sorted = milliseconds;
    std::ranges::sort(sorted);
    return sorted[sorted.size() / 2];
}

Result<ProgramRun> run_program(const Backend& backend, const tensor::Program& program, const Target& target,
                               const RunOptions& options) {
    ORRERY_TRY(std::vector<NDArray> args, drawn_arguments(program, options.seed));
    ORRERY_TRY(KernelObject object, backend.compile(program, target, {}, {}));
    ProgramRun out;
    out.compile_ms = object.compile_ms;
    const std::size_t bytes = object.workspace_bytes;
    const KernelObject objects[] = {std::move(object)};
    ORRERY_TRY(const std::shared_ptr<const LoadedCode> code, backend.load(objects));
    const orrery_kernel kernel = code->find(program->name);
    ORRERY_ASSERT(kernel != nullptr, "a compiled program has its kernel");
    NDArray workspace = NDArray::allocate(DType::U8, {static_cast<std::int64_t>(bytes) + 1});
    std::vector<void*> pointers;
    for (NDArray& array : args) pointers.push_back(array.mutable_data());
    pointers.push_back(bytes == 0 ? nullptr : workspace.mutable_data());
    runtime::ThreadPool pool(options.threads);
    kernel(pointers.data(), pool.context());
    const double begin = now_ms();
    for (int run = 0; run < options.most_runs; ++run) {
        if (run >= options.least_runs && now_ms() - begin > options.seconds * 1000) break;
        const double start = now_ms();
        kernel(pointers.data(), pool.context());
        out.milliseconds.push_back(now_ms() - start);
    }
    for (std::size_t i = program->input_count; i < args.size(); ++i) out.results.push_back(std::move(args[i]));
    return out;
}

Result<double> peak_gflops(const Backend& backend, const Target& target) {
    // Accumulators: latency 4 to 5 cycles times two units, with room; each is one vector register.
    constexpr int kAccumulators = 12, kSteps = 2'000'000;
    const int lanes = target.lanes(4);
    const std::string rows = std::to_string(kAccumulators), width = std::to_string(lanes);
    const std::string text = "fn peak(x: f32[2," + width + "]) -> (y: f32[" + rows + "," + width + "]) {\n" +
                             "alloc acc: f32[" + rows + "," + width + "] scope registers\n" + "unrolled r in " + rows +
                             " { vectorized l in " + width + " { acc[r, l] = x[0, l] } }\n" + "for t in " +
                             std::to_string(kSteps) + " { unrolled r in " + rows + " { vectorized l in " + width +
                             " { acc[r, l] = acc[r, l] * x[1, l] + x[0, l] } } }\n" + "unrolled r in " + rows +
                             " { vectorized l in " + width + " { y[r, l] = acc[r, l] } } }";
    ORRERY_TRY(const tensor::Program program, tensor::parse_program(text));
    ORRERY_TRY(const ProgramRun run, run_program(backend, program, target, {1, 0.2, 5, 50, 1}));
    const double best = *std::ranges::min_element(run.milliseconds);
    return 2.0 * kAccumulators * lanes * kSteps / best / 1e6;
}

} // namespace orrery::session
