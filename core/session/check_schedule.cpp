#include "core/session/check_schedule.hpp"

#include "core/base/elapsed.hpp"
#include "core/runtime/thread_pool.hpp"
#include "core/schedule/intrinsics.hpp"
#include "core/tensor/analysis.hpp"
#include "core/tensor/build.hpp"
#include "core/tensor/visitor.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <random>
#include <set>

// Outline: arguments; running; comparing; the checker.

namespace orrery::session {

namespace {

// ----------------------------------------------------------------------------------------- arguments

/// How often a program stores, and which buffers decide where it reads or writes.
class Survey final : public tensor::Visitor {
  public:
    double stores = 0;
    std::set<const tensor::BufferNode*> indexing;

  protected:
    using Visitor::visit_node;
    void visit_node(const tensor::For& node) override {
        const double outer = trips_;
        constexpr double kUnknown = 16; // iterations of a loop whose extent depends on others. Source: our choice
        const auto extent = tensor::as_int(node.extent);
        trips_ *= extent ? static_cast<double>(*extent) : kUnknown;
        visit(node.body);
        trips_ = outer;
    }
    void visit_node(const tensor::Store& node) override {
        stores += trips_;
        in_index([&] {
            for (const tensor::Expr& index : node.indices) visit(index);
        });
        visit(node.value);
    }
    void visit_node(const tensor::Load& node) override {
        if (in_index_) indexing.insert(node.buffer.get());
        in_index([&] {
            for (const tensor::Expr& index : node.indices) visit(index);
        });
    }

  private:
    template <class F> void in_index(const F& inside) {
        const bool outer = std::exchange(in_index_, true);
        inside();
        in_index_ = outer;
    }
    double trips_ = 1;
    bool in_index_ = false;
};

/// Inputs drawn from the seed; what is used as an index is 0 or 1. Outputs hold a value that is no likely result, so
/// that one that is not written is seen.
Result<std::vector<NDArray>> drawn_arguments(const tensor::Program& program, const Survey& survey, std::uint64_t seed) {
    constexpr std::int64_t kMostBytes = std::int64_t{2} << 30;
    constexpr int kUnwritten = 77;
    std::mt19937_64 random(seed);
    std::vector<NDArray> out;
    for (std::size_t p = 0; p < program->params.size(); ++p) {
        const tensor::Buffer& buffer = program->params[p];
        const std::vector<std::int64_t> shape = buffer->static_shape();
        ORRERY_TRY(const std::int64_t count, checked_elements(shape, buffer->dtype, kMostBytes));
        NDArray array = NDArray::zeros(buffer->dtype, shape);
        const bool input = p < program->input_count, index = survey.indexing.contains(buffer.get());
        for (std::int64_t i = 0; i < count; ++i) {
            const auto draw = static_cast<std::int64_t>(random() % 2001) - 1000;
            if (!input)
                array.set(i, kUnwritten);
            else if (is_float(buffer->dtype))
                array.set(i, static_cast<double>(draw) / 1000);
            else
                array.set_int(i, index || !is_signed_int(buffer->dtype) ? std::abs(draw) % (index ? 2 : 8) : draw % 8);
        }
        out.push_back(std::move(array));
    }
    return out;
}

std::vector<NDArray> copies(const std::vector<NDArray>& arrays) {
    std::vector<NDArray> out;
    out.reserve(arrays.size());
    for (const NDArray& array : arrays)
        out.push_back(NDArray::copy_of(array.dtype(), array.shape(), array.data(), array.bytes()));
    return out;
}

// ------------------------------------------------------------------------------------------- running

/// Runs the code once, on this thread.
Result<std::vector<NDArray>> run(const tensor::Program& program, const ScheduleChecker::Machine& machine,
                                 std::vector<NDArray> args) {
    ORRERY_TRY(const std::shared_ptr<const KernelObject> object, machine.compile(program));
    const KernelObject objects[] = {*object};
    ORRERY_TRY(const std::shared_ptr<const LoadedCode> code, machine.backend.load(objects));
    const orrery_kernel kernel = code->find(object->symbol);
    ORRERY_ASSERT(kernel != nullptr, "a compiled program has its kernel");
    NDArray workspace = NDArray::allocate(DType::U8, {static_cast<std::int64_t>(object->workspace_bytes) + 1});
    std::vector<void*> pointers;
    for (NDArray& array : args) pointers.push_back(array.mutable_data());
    pointers.push_back(object->workspace_bytes == 0 ? nullptr : workspace.mutable_data());
    runtime::ThreadPool pool(1);
    kernel(pointers.data(), pool.context());
    args.erase(args.begin(), args.begin() + static_cast<std::ptrdiff_t>(program->input_count));
    return args;
}

// ----------------------------------------------------------------------------------------- comparing

std::vector<std::int64_t> index_of(std::int64_t flat, const Shape& shape) {
    std::vector<std::int64_t> index(shape.size());
    for (std::size_t d = shape.size(); d-- > 0;) {
        index[d] = flat % shape[d];
        flat /= shape[d];
    }
    return index;
}

/// The first element that is off by more than `allowed`.
std::optional<WrongElement> first_off(const NDArray& actual, const NDArray& expected, double allowed) {
    for (std::int64_t i = 0; i < expected.size(); ++i) {
        const double a = actual.as_double(i), e = expected.as_double(i);
        if (a == e || (std::isnan(a) && std::isnan(e)) || std::abs(a - e) <= allowed) continue;
        return WrongElement{{}, index_of(i, expected.shape()), a, e};
    }
    return std::nullopt;
}

ScheduleVerdict compared(const tensor::Program& program, const std::vector<NDArray>& results,
                         const std::vector<NDArray>& expected, double tolerance) {
    ScheduleVerdict verdict;
    const double unit = tensor::rounding_unit(program);
    for (std::size_t i = 0; i < expected.size(); ++i) {
        const Difference difference = compare(results[i], expected[i]);
        verdict.worst = std::max(verdict.worst, difference.max_rel);
        const double allowed = is_float(expected[i].dtype()) ? std::max(tolerance, unit) : 0;
        if (verdict.wrong || difference.max_rel <= allowed) continue;
        const double largest = difference.max_rel > 0 ? difference.max_abs / difference.max_rel : 1;
        verdict.wrong = first_off(results[i], expected[i], std::isfinite(largest) ? allowed * largest : 0);
        verdict.right = !verdict.wrong;
        if (verdict.wrong) verdict.wrong->buffer = program->params[program->input_count + i]->name;
    }
    return verdict;
}

std::string number_text(double value) {
    char text[32];
    std::snprintf(text, sizeof text, "%.6g", value);
    return text;
}

} // namespace

std::string to_string(const WrongElement& wrong) {
    std::string at;
    for (const std::int64_t i : wrong.index) at += (at.empty() ? "" : ", ") + std::to_string(i);
    return wrong.buffer + "[" + at + "] is " + number_text(wrong.actual) + " instead of " + number_text(wrong.expected);
}

std::optional<Diagnostic> problem_of(const ScheduleCheck& check) {
    if (check.first_wrong < 0) return check.left_alone;
    const auto step = static_cast<std::size_t>(check.first_wrong);
    const ScheduleVerdict& verdict = *check.steps[step];
    const std::string number = "step " + std::to_string(step + 1);
    const ProgramPlace place{check.of->lowered.name, number + ": " + to_string(check.of->trace.steps[step])};
    if (verdict.error) {
        Diagnostic problem = *verdict.error;
        problem.message = "the program after " + number + " cannot be run: " + problem.message;
        problem.locations.insert(problem.locations.begin(), place);
        return problem;
    }
    return Diagnostic{Code::WrongNumbers,
                      number + " changes the numbers: " + to_string(*verdict.wrong),
                      {place},
                      "take the step out; if it names an instruction, compare its description with what it does"};
}

// --------------------------------------------------------------------------------------- the checker

Result<std::shared_ptr<const ScheduleChecker::Reference>>
ScheduleChecker::reference(const tensor::Program& program, const Machine& machine, const ScheduleCheckOptions& options,
                           const Progress& progress) {
    Hasher hasher;
    hasher.add(tensor::structural_hash(program)).add(machine.how).add(options.seed);
    const Hash key = hasher.finish();
    if (const auto known = references_.find(key); known != references_.end()) {
        known->second->used = ++clock_;
        return std::shared_ptr<const Reference>(known->second);
    }
    Survey survey;
    survey.visit(program->body);
    auto made = std::make_shared<Reference>();
    ORRERY_TRY(made->args, drawn_arguments(program, survey, options.seed));
    if (survey.stores <= options.interpreted_up_to) {
        std::vector<NDArray> args = copies(made->args);
        ORRERY_CHECK_OK(tensor::interpret(program, args, progress));
        made->results.assign(args.begin() + static_cast<std::ptrdiff_t>(program->input_count), args.end());
    } else {
        ORRERY_TRY(made->results, run(program, machine, copies(made->args)));
    }
    for (const auto* arrays : {&made->args, &made->results})
        for (const NDArray& array : *arrays) made->bytes += array.bytes();
    made->used = ++clock_;
    references_[key] = made;
    make_room();
    return std::shared_ptr<const Reference>(made);
}

/// Keeps what was used last.
void ScheduleChecker::make_room() {
    constexpr std::size_t kMostBytes = std::size_t{256} << 20, kMostVerdicts = 4096; // Source: our choice
    const auto bytes = [&] {
        std::size_t sum = 0;
        for (const auto& [key, kept] : references_) sum += kept->bytes;
        return sum;
    };
    while (references_.size() > 1 && bytes() > kMostBytes)
        references_.erase(
            std::ranges::min_element(references_, {}, [](const auto& entry) { return entry.second->used; }));
    if (verdicts_.size() > kMostVerdicts) verdicts_.clear();
}

namespace {

/// Why a program is not run at all, if so.
std::optional<Diagnostic> too_much(const ScheduledFunction& function, const ScheduleCheckOptions& options) {
    Survey survey;
    survey.visit(function.lowered.program->body);
    if (options.most_stores < 0 || survey.stores <= options.most_stores) return std::nullopt;
    return Diagnostic{Code::LimitExceeded,
                      "the schedule of " + function.lowered.name + " is not checked by itself: it computes too much",
                      {ProgramPlace{function.lowered.name, ""}},
                      "orrery check runs the whole model against the reference",
                      Severity::Note};
}

/// The last program first: it is what was just edited. Then from the first on.
std::vector<std::size_t> in_order(std::size_t count) {
    std::vector<std::size_t> order;
    if (count > 0) order.push_back(count - 1);
    for (std::size_t i = 0; i + 1 < count; ++i) order.push_back(i);
    return order;
}

} // namespace

Result<const ScheduleVerdict*> ScheduleChecker::verdict(const tensor::Program& lowered, const tensor::Program& program,
                                                        const Machine& machine, const ScheduleCheckOptions& options,
                                                        const Progress& progress) {
    const auto start = std::chrono::steady_clock::now();
    ORRERY_TRY(const std::shared_ptr<const Reference> right, reference(lowered, machine, options, progress));
    ScheduleVerdict made;
    const Result<void> sound = tensor::verify(program);
    Result<std::vector<NDArray>> results =
        sound ? run(program, machine, copies(right->args)) : Result<std::vector<NDArray>>(sound.error());
    if (!results && results.error().code == Code::Cancelled) return std::move(results.error());
    if (results) {
        made = compared(program, *results, right->results, options.tolerance);
    } else {
        made.right = false;
        made.error = std::move(results.error());
    }
    made.milliseconds = milliseconds_since(start);
    const Hash key = key_of(lowered, program, machine, options);
    return &verdicts_.insert_or_assign(key, std::move(made)).first->second;
}

Hash ScheduleChecker::key_of(const tensor::Program& lowered, const tensor::Program& program, const Machine& machine,
                             const ScheduleCheckOptions& options) {
    Hasher hasher;
    hasher.add(tensor::structural_hash(lowered)).add(tensor::structural_hash(program));
    hasher.add(machine.how).add(schedule::intrinsics_hash(program)).add(options.seed).add(options.tolerance);
    return hasher.finish();
}

Result<ScheduleCheck> ScheduleChecker::check(const FunctionPtr& function, const Machine& machine,
                                             const ScheduleCheckOptions& options, const Progress& progress,
                                             const Sink& sink) {
    const std::lock_guard lock(mutex_);
    const auto start = std::chrono::steady_clock::now();
    ScheduleCheck out;
    out.of = function;
    const std::vector<tensor::Program>& programs = function->replay.programs;
    const std::size_t count = programs.size() - 1;
    out.steps.resize(count);
    out.left_alone = too_much(*function, options);
    for (const std::size_t step : in_order(out.left_alone ? 0 : count)) {
        const tensor::Program& program = programs[step + 1];
        const auto index = static_cast<std::ptrdiff_t>(step);
        if (out.first_wrong >= 0 && index > out.first_wrong) break;
        if (progress.cancelled()) return Diagnostic{Code::Cancelled, "cancelled", {}, {}};
        const auto known = verdicts_.find(key_of(programs.front(), program, machine, options));
        const ScheduleVerdict* found = known == verdicts_.end() ? nullptr : &known->second;
        if (!found) {
            const bool late = options.seconds >= 0 && milliseconds_since(start) > options.seconds * 1000;
            if (late && step + 1 < count && out.first_wrong < 0) continue;
            progress.tell(to_string(function->trace.steps[step]), -1);
            ORRERY_TRY(found, verdict(programs.front(), program, machine, options, progress));
            ++out.ran;
        }
        out.steps[step] = *found;
        if (!found->right) out.first_wrong = index;
        if (sink) sink(out);
    }
    out.finished = true;
    if (sink) sink(out);
    make_room();
    return out;
}

} // namespace orrery::session
