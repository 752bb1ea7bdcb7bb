#include "core/tuning/timing.hpp"

#include "core/runtime/thread_pool.hpp"
#include "core/tuning/machine.hpp"
#include "core/tuning/measurement.hpp"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <ctime>

namespace orrery::tuning {

namespace {

double now_ms() {
    return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

/// Time this thread spent on a core.
double on_core_ms() {
    timespec time{};
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return static_cast<double>(time.tv_sec) * 1e3 + static_cast<double>(time.tv_nsec) * 1e-6;
}

/// SplitMix64. Source: Steele, Lea, Flood, "Fast Splittable Pseudorandom Number Generators", 2014, figure 17.
class Random {
  public:
    explicit Random(std::uint64_t seed) : state_(seed) {}
    std::uint64_t next() {
        std::uint64_t z = state_ += 0x9E3779B97F4A7C15u;
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
        return z ^ (z >> 31);
    }
    /// In [-1000, 1000].
    std::int64_t draw() { return static_cast<std::int64_t>(next() % 2001) - 1000; }

  private:
    std::uint64_t state_;
};

void draw(NDArray& array, Random& random) {
    const std::int64_t count = array.size();
    if (array.dtype() == DType::F32) { // the common one, also where there are many megabytes of it
        for (float& value : array.mutable_values<float>()) value = static_cast<float>(random.draw()) * 1e-3f;
        return;
    }
    for (std::int64_t i = 0; i < count; ++i) {
        const std::int64_t value = random.draw();
        if (is_float(array.dtype()))
            array.set(i, static_cast<double>(value) / 1000);
        else if (array.dtype() == DType::Bool)
            array.set_int(i, value & 1);
        else
            array.set_int(i, is_signed_int(array.dtype()) ? value % 8 : std::abs(value) % 8);
    }
}

/// A loaded kernel with everything it is called with.
struct Call {
    orrery_kernel kernel = nullptr;
    std::vector<void*> pointers;
    orrery_context* context = nullptr;
    void operator()() const { kernel(pointers.data(), context); }
};

/// Memory that is walked through between runs.
class Flusher {
  public:
    explicit Flusher(std::int64_t bytes) : memory_(static_cast<std::size_t>(bytes)) {}
    void operator()() {
        constexpr std::size_t kLine = 64;
        for (std::size_t i = 0; i < memory_.size(); i += kLine) memory_[i] = static_cast<char>(memory_[i] + 1);
    }
    [[nodiscard]] bool used() const { return !memory_.empty(); }

  private:
    std::vector<char> memory_;
};

/// Weights as a run of a whole model finds them: each call gets others, and those it had before once it has gone
/// through as many bytes as the model has. Only times are taken with them.
class FarWeights {
  public:
    FarWeights(const RunRequest& request, Call& call) : call_(call) {
        if (request.weights_distance == 0) return;
        for (std::size_t i = 0; i < request.arguments.size(); ++i) {
            const Argument& argument = request.arguments[i];
            // Numbers that may be indices stay what they are.
            if (!argument.weights || !is_float(argument.dtype)) continue;
            const auto bytes = static_cast<std::size_t>(element_count(argument.shape) * byte_size(argument.dtype));
            places_.push_back({i, bytes_});
            bytes_ += (bytes + kLine - 1) / kLine * kLine;
        }
        const auto distance = static_cast<std::size_t>(request.weights_distance);
        if (2 * bytes_ > distance) places_.clear(); // alone they are as many
        if (places_.empty()) return;
        pool_ = pool(distance);
        count_ = distance / bytes_;
    }
    void next() {
        if (places_.empty()) return;
        std::byte* at = pool_ + turn_ * bytes_;
        for (const Place& place : places_) call_.pointers[place.argument] = at + place.offset;
        turn_ = turn_ + 1 == count_ ? 0 : turn_ + 1;
    }

  private:
    static constexpr std::size_t kLine = 64;
    struct Place {
        std::size_t argument = 0, offset = 0;
    };
    /// Kept for the next kernel. Any two bytes are a number of magnitude 0.5 to 2 as bf16, f16 and the upper half of an
    /// f32: none that is slow, none that is no number.
    static std::byte* pool(std::size_t bytes) {
        static NDArray memory;
        if (memory.bytes() < bytes) {
            memory = NDArray::allocate(DType::U16, {static_cast<std::int64_t>(bytes / 2)});
            Random random(1);
            for (std::uint16_t& value : memory.mutable_values<std::uint16_t>())
                value = static_cast<std::uint16_t>(0x3F00 | (random.next() & 0x807F));
        }
        return static_cast<std::byte*>(memory.mutable_data());
    }

    Call& call_;
    std::vector<Place> places_;
    std::byte* pool_ = nullptr;
    std::size_t bytes_ = 0, count_ = 0, turn_ = 0;
};

/// Timed runs until the median is known well enough, or there is no more time.
std::vector<double> timed_runs(Call& call, const RunRequest& request, double once_ms) {
    // A look at the clock costs some 30 ns: what is timed at once takes at least a thousand times as long.
    constexpr double kLeastTimedMs = 0.03;
    Flusher flush(request.flush_bytes);
    FarWeights weights(request, call);
    const int at_once =
        once_ms >= kLeastTimedMs || flush.used() ? 1 : static_cast<int>(kLeastTimedMs / std::max(once_ms, 3e-6)) + 1;
    std::vector<double> out;
    const double begin = now_ms();
    int look_at = std::max(6, request.least_runs);
    while (static_cast<int>(out.size()) < std::max(1, request.most_runs)) {
        const int runs = static_cast<int>(out.size());
        if (runs >= request.least_runs && now_ms() - begin > request.seconds * 1000) break;
        if (runs >= look_at) {
            if (uncertainty(summarize(out)) <= request.interval) break;
            look_at += std::max(4, runs / 4);
        }
        if (flush.used()) flush();
        const double start = now_ms();
        for (int i = 0; i < at_once; ++i) weights.next(), call();
        out.push_back((now_ms() - start) / at_once);
    }
    return out;
}

} // namespace

std::vector<Argument> arguments_of(const tensor::Program& program) {
    std::vector<Argument> out;
    for (std::size_t p = 0; p < program->params.size(); ++p)
        out.push_back({program->params[p]->dtype, program->params[p]->static_shape(), p < program->input_count});
    return out;
}

Result<std::vector<NDArray>> draw_arguments(std::span<const Argument> arguments, std::uint64_t seed) {
    constexpr std::int64_t kMostBytes = std::int64_t{8} << 30;
    std::int64_t left = kMostBytes;
    for (const Argument& argument : arguments) {
        ORRERY_TRY(const std::int64_t count, checked_elements(argument.shape, argument.dtype, left));
        left -= count * byte_size(argument.dtype);
    }
    Random random(seed);
    std::vector<NDArray> out;
    for (const Argument& argument : arguments) {
        out.push_back(NDArray::allocate(argument.dtype, argument.shape));
        if (argument.input)
            draw(out.back(), random);
        else
            std::memset(out.back().mutable_data(), 0xFF, out.back().bytes());
    }
    return out;
}

Result<RunReport> run_here(const Backend& backend, const RunRequest& request) {
    ORRERY_TRY(std::vector<NDArray> args, draw_arguments(request.arguments, request.seed));
    const KernelObject objects[] = {request.object};
    ORRERY_TRY(const std::shared_ptr<const LoadedCode> code, backend.load(objects));
    const std::size_t bytes = request.object.workspace_bytes;
    ORRERY_TRY(const std::int64_t workspace_bytes,
               checked_elements(Shape{static_cast<std::int64_t>(bytes) + 1}, DType::U8, std::int64_t{8} << 30));
    NDArray workspace = NDArray::allocate(DType::U8, {workspace_bytes});
    const Pinned pinned(request.threads);
    runtime::ThreadPool pool(request.threads);
    Call call{code->find(request.object.symbol), {}, pool.context()};
    if (call.kernel == nullptr)
        return Diagnostic{Code::UnknownName, "the object holds no kernel " + request.object.symbol, {}, {}};
    for (NDArray& array : args) call.pointers.push_back(array.mutable_data());
    call.pointers.push_back(bytes == 0 ? nullptr : workspace.mutable_data());

    const double first = now_ms();
    call();
    const double first_ms = now_ms() - first;
    RunReport out;
    for (std::size_t i = 0; request.want_outputs && i < args.size(); ++i)
        if (!request.arguments[i].input)
            out.outputs.push_back(NDArray::copy_of(args[i].dtype(), args[i].shape(), args[i].data(), args[i].bytes()));
    double once_ms = 0;
    const double warm = now_ms();
    const bool slow = request.give_up_ms > 0 && first_ms > request.give_up_ms;
    do {
        const double start = now_ms();
        call();
        once_ms = now_ms() - start;
    } while (!slow && now_ms() - warm < request.warm_up_seconds * 1000);
    if (slow && once_ms > request.give_up_ms) {
        out.milliseconds = {once_ms};
        return out;
    }

    const BusyTime busy = busy_time();
    const double wall = now_ms(), on_core = on_core_ms();
    out.milliseconds = timed_runs(call, request, once_ms);
    const double elapsed = now_ms() - wall, ran = on_core_ms() - on_core;
    const BusyTime after = busy_time();
    if (elapsed > 0) {
        out.waiting = std::clamp(1 - ran / elapsed, 0.0, 1.0);
        // The system counts in hundredths of a second: too coarse for what took less than a tenth.
        if (elapsed >= 100)
            out.busy_others = std::max(0.0, ((after.all - busy.all) - (after.own - busy.own)) / elapsed * 1000);
    }
    return out;
}

} // namespace orrery::tuning
