// run, check, bench.

#include "app/cli.hpp"
#include "app/io_npy.hpp"
#include "core/base/elapsed.hpp"
#include "core/base/file.hpp"
#include "core/base/text_pool.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <numeric>
#include <optional>
#include <sys/resource.h>

namespace orrery::app {

namespace {

using Json = nlohmann::ordered_json;
using Clock = std::chrono::steady_clock;

struct Statistics {
    double least = INFINITY, greatest = -INFINITY, mean = 0;
    std::int64_t not_finite = 0;
};
Statistics statistics(const NDArray& array) {
    Statistics s;
    for (std::int64_t i = 0; i < array.size(); ++i) {
        const double v = array.as_double(i);
        if (!std::isfinite(v)) {
            ++s.not_finite;
            continue;
        }
        s.least = std::min(s.least, v);
        s.greatest = std::max(s.greatest, v);
        s.mean += v;
    }
    const std::int64_t finite = array.size() - s.not_finite;
    s.mean = finite > 0 ? s.mean / static_cast<double>(finite) : 0;
    if (finite == 0) s.least = s.greatest = 0;
    return s;
}

/// The strings that an output's numbers stand for; nothing unless all of them do (core/base/text_pool.hpp).
std::vector<std::string> texts_of(const NDArray& array) {
    constexpr std::int64_t kMostShown = 64;
    std::vector<std::string> texts;
    if (array.dtype() != DType::I64 || array.size() > kMostShown) return texts;
    for (const std::int64_t number : array.to_ints()) {
        const std::optional<std::string> text = text_of_number(number);
        if (!text) return {};
        texts.push_back(*text);
    }
    return texts;
}

std::vector<std::int64_t> largest(const NDArray& array, int count) {
    std::vector<std::int64_t> order(static_cast<std::size_t>(array.size()));
    std::iota(order.begin(), order.end(), 0);
    // What is no number comes last, so that any two elements have an order.
    const auto rank = [&](std::int64_t i) {
        const double value = array.as_double(i);
        return std::isnan(value) ? -INFINITY : value;
    };
    const auto end = order.begin() + std::min<std::ptrdiff_t>(count, static_cast<std::ptrdiff_t>(order.size()));
    std::partial_sort(order.begin(), end, order.end(),
                      [&](std::int64_t a, std::int64_t b) { return rank(a) > rank(b); });
    order.erase(end, order.end());
    return order;
}

Result<std::vector<std::string>> read_labels(const std::string& file) {
    std::vector<std::string> labels;
    if (file.empty()) return labels;
    ORRERY_TRY(const std::string text, read_file(file, 64 << 20));
    std::size_t at = 0;
    while (at < text.size()) {
        const std::size_t end = std::min(text.find('\n', at), text.size());
        labels.push_back(text.substr(at, end - at));
        if (labels.back().ends_with('\r')) labels.back().pop_back();
        at = end + 1;
    }
    return labels;
}

Result<session::RunResult> do_run(const RunArguments& a) {
    const auto compiler = make_compiler(a);
    ORRERY_TRY(session::Recipe recipe, make_recipe(a, *compiler));
    ORRERY_CHECK_OK(bind_shapes(a, recipe));
    ORRERY_TRY(const auto model, compiler->compile(recipe, {}));
    ORRERY_TRY(const std::vector<NDArray> inputs, make_inputs(a, *model));
    ORRERY_TRY(session::RunResult result, session::run(*model, inputs, threads_of(recipe), {}));
    if (a.output.empty()) return result;
    std::error_code failed;
    std::filesystem::create_directories(a.output, failed);
    if (failed)
        return Diagnostic{
            Code::FileUnwritable, "cannot make the folder: " + failed.message(), {FileOffset{a.output, -1}}, {}};
    std::map<std::string, std::pair<std::string, const NDArray*>> files; ///< by file: whose it is, and what
    const auto add = [&](const std::string& name, const NDArray& value) -> Result<void> {
        const auto [at, added] = files.try_emplace(npy_file_name(name), name, &value);
        if (added || at->second.first == name) return {};
        return Diagnostic{Code::BadArgument,
                          at->second.first + " and " + name + " would both be written to " + at->first,
                          {},
                          "give one of them another name in the model"};
    };
    for (std::size_t i = 0; i < result.outputs.size(); ++i)
        ORRERY_CHECK_OK(add(result.output_names[i], result.outputs[i]));
    for (std::size_t i = 0; i < result.inputs.size(); ++i)
        ORRERY_CHECK_OK(add(result.input_names[i], result.inputs[i]));
    for (const auto& [file, value] : files)
        ORRERY_CHECK_OK(write_npy(std::filesystem::path(a.output) / file, *value.second));
    return result;
}

Json outputs_json(const session::RunResult& result, const RunArguments& a, const std::vector<std::string>& labels) {
    Json outputs = Json::array();
    for (std::size_t i = 0; i < result.outputs.size(); ++i) {
        const NDArray& out = result.outputs[i];
        const Statistics s = statistics(out);
        Json row{{"name", result.output_names[i]},
                 {"dtype", std::string(to_string(out.dtype()))},
                 {"shape", out.shape()},
                 {"min", s.least},
                 {"max", s.greatest},
                 {"mean", s.mean},
                 {"not_finite", s.not_finite}};
        if (const std::vector<std::string> texts = texts_of(out); !texts.empty()) row["texts"] = texts;
        if (i == 0 && a.top > 0) {
            row["top"] = Json::array();
            for (std::int64_t index : largest(out, a.top)) {
                Json entry{{"index", index}, {"value", out.as_double(index)}};
                if (index < static_cast<std::int64_t>(labels.size()))
                    entry["label"] = labels[static_cast<std::size_t>(index)];
                row["top"].push_back(std::move(entry));
            }
        }
        outputs.push_back(std::move(row));
    }
    return outputs;
}

void print_outputs(const session::RunResult& result, const RunArguments& a, const std::vector<std::string>& labels) {
    for (std::size_t i = 0; i < result.outputs.size(); ++i) {
        const NDArray& out = result.outputs[i];
        if (const std::vector<std::string> texts = texts_of(out); !texts.empty()) {
            std::printf("%s:", result.output_names[i].c_str());
            for (const std::string& text : texts) std::printf(" \"%s\"", text.c_str());
            std::printf("\n");
            continue;
        }
        const Statistics s = statistics(out);
        std::printf("%s: %s  min %.6g  max %.6g  mean %.6g%s\n", result.output_names[i].c_str(),
                    type_text(out.dtype(), out.shape()).c_str(), s.least, s.greatest, s.mean,
                    s.not_finite ? "  (not all finite)" : "");
    }
    if (a.top > 0 && !result.outputs.empty())
        for (std::int64_t index : largest(result.outputs.front(), a.top)) {
            const bool labelled = index < static_cast<std::int64_t>(labels.size());
            std::printf("%10.6f  %lld  %s\n", result.outputs.front().as_double(index), static_cast<long long>(index),
                        labelled ? labels[static_cast<std::size_t>(index)].c_str() : "");
        }
    std::printf("%.3f ms\n", result.milliseconds);
}

struct BenchResult {
    std::vector<double> times; ///< sorted. Units: milliseconds
    int threads = 1;
    std::shared_ptr<const session::CompiledModel> model;
    double compile_ms = 0, first_ms = 0;
    std::vector<double> step_us; ///< median a step
};

Result<BenchResult> do_bench(const BenchArguments& a) {
    const auto start = Clock::now();
    const auto compiler = make_compiler(a);
    ORRERY_TRY(const session::Recipe recipe, make_recipe(a, *compiler));
    BenchResult out;
    ORRERY_TRY(out.model, compiler->compile(recipe, {}));
    out.compile_ms = milliseconds_since(start);
    out.threads = threads_of(recipe);
    const runtime::Plan& plan = out.model->executable->plan;
    ORRERY_TRY(const std::vector<NDArray> inputs, session::drawn_inputs(*out.model, a.seed));
    ORRERY_TRY(session::RunResult first, session::run(*out.model, inputs, out.threads, {}));
    out.first_ms = milliseconds_since(start);

    if (out.model->dynamic) { // what its parts take is not told apart
        for (int i = 0; i < a.runs; ++i) {
            ORRERY_TRY(const session::RunResult again, session::run(*out.model, inputs, out.threads, {}));
            out.times.push_back(again.milliseconds);
        }
        std::ranges::sort(out.times);
        return out;
    }
    runtime::Executor executor(out.model->executable, out.threads);
    std::vector<const void*> in;
    std::vector<void*> results;
    for (const NDArray& input : first.inputs) in.push_back(input.data());
    for (NDArray& output : first.outputs) results.push_back(output.mutable_data());
    // Caches fill, and cores that slept take a while until they run as fast as they can.
    constexpr double kWarmMilliseconds = 100;
    const auto warm = Clock::now();
    for (int i = 0; i < std::min(a.runs, 5) || (a.runs >= 5 && milliseconds_since(warm) < kWarmMilliseconds); ++i)
        executor.run(in, results);
    std::vector<runtime::StepTimes> steps(static_cast<std::size_t>(a.runs));
    for (int i = 0; i < a.runs; ++i) {
        const auto begin = Clock::now();
        executor.run(in, results, &steps[static_cast<std::size_t>(i)]);
        out.times.push_back(milliseconds_since(begin));
    }
    std::ranges::sort(out.times);
    for (std::size_t s = 0; s < plan.steps.size(); ++s) {
        std::vector<std::int64_t> times;
        for (const runtime::StepTimes& one : steps) times.push_back(one[s]);
        std::ranges::nth_element(times, times.begin() + static_cast<std::ptrdiff_t>(times.size() / 2));
        out.step_us.push_back(static_cast<double>(times[times.size() / 2]) / 1e3);
    }
    return out;
}

std::int64_t resident_peak_bytes() {
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    return static_cast<std::int64_t>(usage.ru_maxrss) * 1024;
}

/// Median time summed over the calls of each function, slowest first.
std::vector<std::pair<std::string, double>> time_by_function(const BenchResult& bench) {
    std::map<std::string, double> sums;
    const lower::LoweredModel& model = bench.model->model;
    for (std::size_t c = 0; c < model.calls.size(); ++c)
        sums[model.functions[model.calls[c].function].name] += bench.step_us[c];
    std::vector<std::pair<std::string, double>> rows(sums.begin(), sums.end());
    std::ranges::sort(rows, std::greater{}, &std::pair<std::string, double>::second);
    return rows;
}

void print_bench(const BenchResult& bench) {
    const runtime::Plan& plan = bench.model->executable->plan;
    std::printf("median %.3f ms  min %.3f  max %.3f  (%zu runs, %d threads)\n", bench.times[bench.times.size() / 2],
                bench.times.front(), bench.times.back(), bench.times.size(), bench.threads);
    std::printf("compile %.1f ms, first answer after %.1f ms:", bench.compile_ms, bench.first_ms);
    for (const auto& [stage, ms] : bench.model->times) std::printf("  %s %.1f", stage.c_str(), ms);
    std::printf("\nactivations %.2f MB (no plan can be below %.2f), constants %.2f MB, %zu kernels, %zu calls\n",
                static_cast<double>(plan.arena_bytes) / 1e6, static_cast<double>(plan.live_bytes_bound) / 1e6,
                static_cast<double>(bench.model->constant_bytes) / 1e6, plan.kernels.size(), plan.steps.size());
    constexpr std::size_t kShown = 12;
    const auto rows = time_by_function(bench);
    for (std::size_t i = 0; i < rows.size() && i < kShown; ++i) {
        double flops = 0;
        for (std::size_t f = 0; f < bench.model->functions.size(); ++f)
            if (bench.model->functions[f]->lowered.name == rows[i].first)
                flops =
                    bench.model->functions[f]->cost.flops * static_cast<double>(bench.model->model.functions[f].calls);
        std::printf("%10.3f ms  %7.1f GFLOP/s  %s\n", rows[i].second / 1e3, flops / rows[i].second / 1e3,
                    rows[i].first.c_str());
    }
}

} // namespace

int command_run(const RunArguments& a) {
    const Result<std::vector<std::string>> labels = read_labels(a.labels);
    if (!labels) return fail(labels.error(), a.json);
    const Result<session::RunResult> result = do_run(a);
    if (!result) return fail(result.error(), a.json);
    if (a.json)
        std::printf("%s\n", Json{{"outputs", outputs_json(*result, a, *labels)},
                                 {"milliseconds", result->milliseconds},
                                 {"peak_bytes", result->peak_bytes}}
                                .dump(2)
                                .c_str());
    else
        print_outputs(*result, a, *labels);
    return kDone;
}

int command_check(const CheckArguments& a) {
    const auto checked = [&]() -> Result<session::CheckResult> {
        const auto compiler = make_compiler(a);
        ORRERY_TRY(session::Recipe recipe, make_recipe(a, *compiler));
        ORRERY_CHECK_OK(bind_shapes(a, recipe));
        ORRERY_TRY(const auto model, compiler->compile(recipe, {}));
        ORRERY_TRY(const std::vector<NDArray> inputs, make_inputs(a, *model));
        return session::check(*model, inputs, a.tolerance, {});
    }();
    if (!checked) return fail(checked.error(), a.json);
    const bool agrees = checked->first_wrong < 0;
    if (a.json) {
        Json rows = Json::array();
        for (const session::CheckResult::Row& row : checked->rows)
            rows.push_back({{"name", row.name},
                            {"function", row.function},
                            {"agrees", row.agrees},
                            {"max_abs", row.difference.max_abs},
                            {"max_rel", row.difference.max_rel}});
        std::printf(
            "%s\n",
            Json{{"agrees", agrees}, {"worst", checked->worst}, {"tolerance", checked->tolerance}, {"rows", rows}}
                .dump(2)
                .c_str());
        return agrees ? kDone : kUserError;
    }
    if (agrees) {
        std::printf("all %zu kernels agree with the interpreter, worst error %.3g of the largest element\n",
                    checked->rows.size(), checked->worst);
        return kDone;
    }
    const session::CheckResult::Row& wrong = checked->rows[static_cast<std::size_t>(checked->first_wrong)];
    std::printf("first difference: %s (%s), element %lld is %.9g, the interpreter has %.9g (%.3g of the largest)\n",
                wrong.name.c_str(), wrong.function.c_str(), static_cast<long long>(wrong.difference.worst_index),
                wrong.difference.actual, wrong.difference.expected, wrong.difference.max_rel);
    return kUserError;
}

int command_bench(const BenchArguments& a) {
    const Result<BenchResult> bench = do_bench(a);
    if (!bench) return fail(bench.error(), a.json);
    if (!a.json) {
        print_bench(*bench);
        return kDone;
    }
    const runtime::Plan& plan = bench->model->executable->plan;
    Json stages = Json::object(), functions = Json::array();
    for (const auto& [stage, ms] : bench->model->times) stages[stage] = ms;
    for (const auto& [name, us] : time_by_function(*bench)) functions.push_back({{"name", name}, {"median_us", us}});
    const Json report{{"median_ms", bench->times[bench->times.size() / 2]},
                      {"min_ms", bench->times.front()},
                      {"max_ms", bench->times.back()},
                      {"runs", bench->times.size()},
                      {"threads", bench->threads},
                      {"compile_ms", bench->compile_ms},
                      {"peak_bytes", plan.arena_bytes},
                      {"live_bytes_bound", plan.live_bytes_bound},
                      {"constant_bytes", bench->model->constant_bytes},
                      {"resident_peak_bytes", resident_peak_bytes()},
                      {"first_answer_ms", bench->first_ms},
                      {"stages_ms", stages},
                      {"kernels_from_disk", bench->model->functions_from_cache},
                      {"functions", functions}};
    std::printf("%s\n", report.dump(2).c_str());
    return kDone;
}

} // namespace orrery::app
