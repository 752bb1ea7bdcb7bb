#include "core/session/profile.hpp"

#include "core/graph/op.hpp"
#include "core/session/compiler.hpp"
#include "core/session/measure.hpp"
#include "core/session/statistics.hpp"
#include "core/tuning/machine.hpp"
#include "core/tuning/measurer.hpp"

#include <algorithm>
#include <chrono>
#include <map>
#include <unordered_map>

// Outline: running; operators of calls; bounds; sums; what if.

namespace orrery::session {

namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

double median(std::vector<double>& values) {
    const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
    std::nth_element(values.begin(), middle, values.end());
    return *middle;
}

/// Times of every run, from outside and step by step. Units: milliseconds, microseconds.
struct Runs {
    std::vector<double> whole;
    std::vector<std::vector<double>> steps; ///< by step
};

Result<Runs> run_many(const CompiledModel& model, int threads, const ProfileOptions& options,
                      const Progress& progress) {
    // Once by the checked way: it makes inputs and outputs of the right kind, and touches all memory.
    ORRERY_TRY(const std::vector<NDArray> inputs, drawn_inputs(model, options.seed));
    ORRERY_TRY(RunResult first, run(model, inputs, threads, progress));
    runtime::Executor executor(model.executable, threads);
    std::vector<const void*> in;
    std::vector<void*> out;
    for (const NDArray& input : first.inputs) in.push_back(input.data());
    for (NDArray& output : first.outputs) out.push_back(output.mutable_data());
    constexpr int kWarmUp = 3, kLeast = 10, kMost = 500;
    Runs runs;
    runs.steps.resize(model.executable->plan.steps.size());
    runtime::StepTimes times;
    Clock::time_point start = Clock::now();
    const int most = options.runs > 0 ? options.runs : kMost, least = options.runs > 0 ? options.runs : kLeast;
    for (int i = -kWarmUp; i < most; ++i) {
        if (i == 0) start = Clock::now();
        if (i >= least && seconds_since(start) > options.seconds) break;
        const Clock::time_point begin = Clock::now();
        if (!executor.run(in, out, &times, progress.stop))
            return Diagnostic{Code::Cancelled, "the run was cancelled", {}, {}};
        const double ms = seconds_since(begin) * 1e3;
        if (i < 0) continue;
        runs.whole.push_back(ms);
        for (std::size_t s = 0; s < times.size(); ++s) runs.steps[s].push_back(static_cast<double>(times[s]) / 1e3);
        const double done = options.runs > 0
                                ? (i + 1.0) / most
                                : std::max((i + 1.0) / most, std::min(1.0, seconds_since(start) / options.seconds));
        progress.tell("run " + std::to_string(i + 1), done);
    }
    return runs;
}

double tensor_bytes(const graph::Type& type) {
    const graph::TensorType* tensor = graph::as_tensor(type);
    return tensor && graph::is_static(*tensor) ? static_cast<double>(graph::byte_size(type)) : 0;
}

/// The operators of a kernel, with their work and the bytes that come from outside of it or leave it.
std::vector<ProfilePart> parts_of(const graph::Function& function) {
    std::vector<ProfilePart> parts;
    for (const graph::Binding& binding : function->bindings) {
        const auto* call = graph::as<graph::CallOp>(binding.value);
        const auto* inner = graph::as<graph::CallFunction>(binding.value);
        if (!call && !inner) continue;
        ProfilePart part{call ? call->op.name : inner->function->name, binding.origin, 0, 0, 0};
        if (const std::optional<tensor::Cost> work = work_of(binding)) part.flops = work->flops;
        std::vector<graph::Var> seen;
        for (const graph::Var& operand : graph::operands(binding.value)) {
            const bool outside = operand && std::ranges::find(function->params, operand) != function->params.end();
            if (!outside || std::ranges::find(seen, operand) != seen.end()) continue;
            seen.push_back(operand);
            part.bytes += tensor_bytes(operand->type);
        }
        if (binding.var == function->result) part.bytes += tensor_bytes(binding.var->type);
        parts.push_back(std::move(part));
    }
    return parts;
}

/// Calls as main has them: their operators with the origins they have there.
std::unordered_map<graph::Var, graph::Function> called(const graph::Module& fused) {
    std::unordered_map<graph::Var, graph::Function> out;
    for (const graph::Binding& binding : fused.main->bindings)
        if (const auto* call = graph::as<graph::CallFunction>(binding.value)) out.emplace(binding.var, call->function);
    return out;
}

/// Shares of a call's operators at a machine's peaks. Units: operations and bytes a microsecond.
void divide(ProfileCall& call, double flops_us, double bytes_us) {
    double sum = 0;
    for (ProfilePart& part : call.parts) sum += part.share = part.flops / flops_us + part.bytes / bytes_us;
    for (ProfilePart& part : call.parts)
        part.share = sum > 0 ? part.share / sum : 1.0 / static_cast<double>(call.parts.size());
}

/// The nearest memory that holds so many bytes. Nothing is taken to wait in L1, which is one core's.
const tuning::Bandwidth* memory_for(const tuning::Peaks& peaks, const Target& target, int threads, double bytes) {
    const tuning::Bandwidth* found = nullptr;
    for (const tuning::Bandwidth& level : peaks.read) {
        if (level.level == "L1") continue;
        found = &level;
        const double holds = level.level == "L2"   ? static_cast<double>(target.l2_bytes) * threads
                             : level.level == "L3" ? static_cast<double>(target.l3_bytes)
                                                   : 1e300;
        if (bytes <= holds) break;
    }
    return found;
}

} // namespace

double Profile::calls_us() const {
    double sum = 0;
    for (const ProfileCall& call : calls) sum += call.us;
    return sum;
}

Result<Profile> profile(const CompiledModel& model, const graph::Module& fused, const Recipe& recipe,
                        const ProfileOptions& options, const Progress& progress) {
    if (model.dynamic)
        return Diagnostic{Code::UnsupportedFeature,
                          "this model's kernels are made while it runs: their times are not told apart",
                          {},
                          "bind its extents with --shape, or in the options of the import"};
    Profile out;
    out.threads = threads_of(recipe);
    out.sources = fused.sources;
    const tuning::BusyTime busy = tuning::busy_time();
    const Clock::time_point start = Clock::now();
    ORRERY_TRY(Runs runs, run_many(model, out.threads, options, progress));
    const tuning::BusyTime now = tuning::busy_time();
    if (const double passed = seconds_since(start); passed > 0.05) // ticks of the clock are 10 ms
        out.busy_others = std::max(0.0, (now.all - busy.all - (now.own - busy.own)) / passed);
    out.whole = tuning::summarize(runs.whole);
    const std::unordered_map<graph::Var, graph::Function> bodies = called(fused);
    for (std::size_t c = 0; c < model.model.calls.size() && c < runs.steps.size(); ++c) {
        const lower::LoweredCall& call = model.model.calls[c];
        const ScheduledFunction& function = *model.functions[call.function];
        ProfileCall row;
        row.function = function.lowered.name, row.origin = call.origin;
        row.value = call.var ? call.var->name : function.lowered.name;
        row.us = median(runs.steps[c]);
        row.flops = function.cost.flops, row.bytes = function.cost.bytes_read + function.cost.bytes_written;
        const auto body = bodies.find(call.var);
        row.parts = parts_of(body == bodies.end() ? function.lowered.source : body->second);
        if (row.parts.empty()) row.parts.push_back({row.function, call.origin, 1, row.flops, row.bytes});
        out.calls.push_back(std::move(row));
    }
    set_peaks(out, model, recipe, std::nullopt);
    return out;
}

void set_peaks(Profile& profile, const CompiledModel& model, const Recipe& recipe, std::optional<tuning::Peaks> peaks) {
    constexpr double kUsualBalance = 16; // operations a byte. Source: our choice, AVX-512 cores over L3
    profile.peaks = std::move(peaks);
    double touched = static_cast<double>(model.executable->plan.arena_bytes);
    for (const lower::LoweredValue& value : model.model.values)
        if (value.storage == runtime::Storage::Constant)
            touched += static_cast<double>(model.model.constants[value.index].bytes());
    const auto level = [&](double bytes) {
        return profile.peaks ? memory_for(*profile.peaks, recipe.target, profile.threads, bytes) : nullptr;
    };
    const tuning::Bandwidth* for_weights = level(touched); // a weight is next needed a whole run later
    for (std::size_t c = 0; c < profile.calls.size(); ++c) {
        ProfileCall& call = profile.calls[c];
        call.bound_us = 0, call.roof.clear();
        const tuning::Bandwidth* near = level(call.bytes); // what the kernel before it wrote
        if (!near || !for_weights || profile.peaks->gflops <= 0) {
            divide(call, kUsualBalance, 1);
            continue;
        }
        double weights = 0;
        for (const std::uint32_t id : model.model.calls[c].args)
            if (const lower::LoweredValue& value = model.model.values[id]; value.storage == runtime::Storage::Constant)
                weights += static_cast<double>(model.model.constants[value.index].bytes());
        weights = std::min(weights, call.bytes); // a lookup touches some of its table
        const double arithmetic = call.flops / profile.peaks->gflops / 1e3;
        const double of_weights = weights / for_weights->gb_s / 1e3,
                     of_values = (call.bytes - weights) / near->gb_s / 1e3;
        call.bound_us = std::max(arithmetic, of_weights + of_values);
        call.roof = arithmetic >= of_weights + of_values ? "FMA"
                    : of_weights > of_values             ? for_weights->level
                                                         : near->level;
        divide(call, profile.peaks->gflops * 1e3, near->gb_s * 1e3);
    }
}

Result<Profile> profile_recipe(Compiler& compiler, tuning::Measurer& measurer, const Recipe& recipe,
                               const ProfileOptions& options, const Progress& progress) {
    ORRERY_TRY(const auto model, compiler.compile(recipe, progress));
    ORRERY_TRY(const Steps steps, compiler.graph_steps(recipe, progress));
    ORRERY_TRY(Profile made, profile(*model, steps.back()->module, recipe, options, progress));
    std::optional<tuning::Peaks> peaks = measurer.known_peaks(made.threads);
    if (options.peaks) {
        progress.tell("this machine's peaks", -1);
        Result<tuning::Peaks> measured = measurer.peaks(recipe.target, made.threads, progress);
        if (!measured && measured.error().code == Code::Cancelled) return measured.error();
        if (measured)
            peaks = *std::move(measured);
        else
            made.no_peaks = to_string(measured.error());
    } else if (!peaks) {
        made.no_peaks = "they have not been measured yet";
    }
    set_peaks(made, *model, recipe, std::move(peaks));
    return made;
}

// --------------------------------------------------------------------------------------------- sums

namespace {

/// Rows by key, in the order in which keys were first seen.
class Sums {
  public:
    ProfileRow& row(const std::string& key, const std::string& name) {
        const auto [it, fresh] = index_.emplace(key, rows_.size());
        if (fresh) rows_.push_back({name, {}, 0, 0, 0, 0, {}, 0, 0}), last_.push_back(-1), roofs_.emplace_back();
        at_ = it->second;
        return rows_[at_];
    }
    /// To the row that was asked for last.
    void add(const ProfileCall& call, const ProfilePart& part, std::size_t call_index) {
        ProfileRow& row = rows_[at_];
        row.us += call.us * part.share, row.bound_us += call.bound_us * part.share;
        row.flops += part.flops, row.bytes += part.bytes;
        row.origins = unite(row.origins, part.origin);
        roofs_[at_][call.roof] += call.us * part.share;
        if (std::exchange(last_[at_], static_cast<std::ptrdiff_t>(call_index)) !=
            static_cast<std::ptrdiff_t>(call_index))
            ++row.calls;
    }
    [[nodiscard]] std::vector<ProfileRow> take(bool slowest_first) {
        for (std::size_t i = 0; i < rows_.size(); ++i) {
            double most = -1;
            for (const auto& [roof, us] : roofs_[i])
                if (us > most) rows_[i].roof = roof, most = us;
        }
        if (slowest_first) std::ranges::stable_sort(rows_, std::greater{}, &ProfileRow::us);
        return std::move(rows_);
    }

  private:
    std::vector<ProfileRow> rows_;
    std::vector<std::ptrdiff_t> last_; ///< call that was counted last
    std::vector<std::map<std::string, double>> roofs_;
    std::map<std::string, std::size_t> index_;
    std::size_t at_ = 0;
};

const std::string& name_of(const Profile& profile, SourceId id) {
    static const std::string kUnknown = "?";
    return profile.sources && id < profile.sources->size() ? (*profile.sources)[id].name : kUnknown;
}

/// "conv1/Conv + bn1/BatchNormalization", "conv1/Conv + 3 more".
std::string nodes_text(const Profile& profile, const OriginSet& origin) {
    const auto ids = origin.ids();
    if (ids.empty()) return "of no node";
    constexpr std::size_t kShown = 2;
    std::string out = name_of(profile, ids[0]);
    if (ids.size() > kShown) return out + " + " + std::to_string(ids.size() - 1) + " more";
    for (std::size_t i = 1; i < ids.size(); ++i) out += " + " + name_of(profile, ids[i]);
    return out;
}

std::string origin_key(const OriginSet& origin) {
    std::string key;
    for (const SourceId id : origin.ids()) key += std::to_string(id) + " ";
    return key;
}

using Path = std::vector<std::string>;

/// The parts of a node's name but the last, which is its own.
Path path_of(const std::string& name) {
    Path out;
    std::string part;
    for (const char c : name) {
        if (c != '/' && c != '.') {
            part += c;
            continue;
        }
        if (!part.empty()) out.push_back(std::move(part));
        part.clear();
    }
    if (part.empty() && !out.empty()) out.pop_back();
    return out;
}

/// The layer that holds all of its nodes; that of the first where none does.
Path layer_of(const Profile& profile, const OriginSet& origin) {
    Path out, first;
    for (const SourceId id : origin.ids()) {
        Path path = path_of(name_of(profile, id));
        if (id == origin.ids().front())
            out = first = std::move(path);
        else
            out.resize(static_cast<std::size_t>(std::ranges::mismatch(out, path).in1 - out.begin()));
    }
    return out.empty() ? first : out;
}

/// A layer and those inside it.
struct Layer {
    std::string name;
    Sums own; ///< one row: everything in it
    std::vector<std::unique_ptr<Layer>> inner;
    bool direct = false; ///< a part of its own, in no layer inside it

    explicit Layer(std::string n) : name(std::move(n)) {}
    Layer& child(const std::string& n) {
        for (const auto& each : inner)
            if (each->name == n) return *each;
        return *inner.emplace_back(std::make_unique<Layer>(n));
    }
};

void write_layers(Layer& layer, std::string name, int depth, std::vector<ProfileRow>& out) {
    // A layer that holds nothing but one other is that one.
    if (!layer.direct && layer.inner.size() == 1)
        return write_layers(*layer.inner.front(), name + "/" + layer.inner.front()->name, depth, out);
    std::vector<ProfileRow> own = layer.own.take(false);
    own.front().name = std::move(name), own.front().depth = depth;
    out.push_back(std::move(own.front()));
    for (const auto& inner : layer.inner) write_layers(*inner, inner->name, depth + 1, out);
}

} // namespace

std::vector<ProfileRow> by_kernel(const Profile& profile) {
    Sums sums;
    for (std::size_t c = 0; c < profile.calls.size(); ++c) {
        const ProfileCall& call = profile.calls[c];
        (void)sums.row(call.function, call.function);
        sums.add(call, {{}, call.origin, 1, call.flops, call.bytes}, c);
    }
    return sums.take(true);
}

std::vector<ProfileRow> by_operator(const Profile& profile) {
    Sums sums;
    for (std::size_t c = 0; c < profile.calls.size(); ++c)
        for (const ProfilePart& part : profile.calls[c].parts) {
            (void)sums.row(part.op, part.op);
            sums.add(profile.calls[c], part, c);
        }
    return sums.take(true);
}

std::vector<ProfileRow> by_node(const Profile& profile) {
    Sums sums;
    for (std::size_t c = 0; c < profile.calls.size(); ++c)
        for (const ProfilePart& part : profile.calls[c].parts) {
            (void)sums.row(origin_key(part.origin), nodes_text(profile, part.origin));
            sums.add(profile.calls[c], part, c);
        }
    return sums.take(true);
}

std::vector<ProfileRow> by_layer(const Profile& profile) {
    constexpr std::size_t kDeepest = 4;
    Layer root("");
    for (std::size_t c = 0; c < profile.calls.size(); ++c)
        for (const ProfilePart& part : profile.calls[c].parts) {
            Path path = layer_of(profile, part.origin);
            if (path.empty())
                path.push_back(part.origin.empty() ? "of no layer" : nodes_text(profile, profile.calls[c].origin));
            if (path.size() > kDeepest) path.resize(kDeepest);
            Layer* at = &root;
            for (const std::string& name : path) {
                at = &at->child(name);
                (void)at->own.row("", name);
                at->own.add(profile.calls[c], part, c);
            }
            at->direct = true;
        }
    std::vector<ProfileRow> out;
    for (const auto& layer : root.inner) write_layers(*layer, layer->name, 0, out);
    return out;
}

// ------------------------------------------------------------------------------------------ what if

namespace {

double gain_of(const ProfileRow& row) { return std::max(0.0, row.us - row.bound_us / kAim); }

WhatIf one_row(const ProfileRow& row, std::string what, double run_us) {
    return {std::move(what), row.origins, row.calls, row.us, row.us / run_us, row.bound_us / row.us, gain_of(row)};
}

/// Several at once.
WhatIf together(std::span<const ProfileRow> rows, std::string what, double run_us) {
    ProfileRow sum;
    double gain = 0;
    for (const ProfileRow& row : rows) {
        sum.us += row.us, sum.bound_us += row.bound_us, sum.calls += row.calls;
        sum.origins = unite(sum.origins, row.origins);
        gain += gain_of(row);
    }
    WhatIf out = one_row(sum, std::move(what), run_us);
    out.gain_us = gain;
    return out;
}

} // namespace

std::vector<WhatIf> what_if(const Profile& profile) {
    constexpr std::size_t kMostKernels = 5, kMostOperators = 3;
    constexpr double kWorthIt = 0.01; // of a run
    std::vector<WhatIf> out;
    const double run_us = profile.whole.median_ms * 1e3;
    if (!profile.peaks || run_us <= 0) return out;
    const auto by_gain = [](std::vector<ProfileRow> rows) {
        std::erase_if(rows, [](const ProfileRow& row) { return row.us <= 0 || gain_of(row) <= 0; });
        std::ranges::stable_sort(rows, std::greater{}, gain_of);
        return rows;
    };
    const std::vector<ProfileRow> kernels = by_gain(by_kernel(profile));
    double all = 0, some = 0;
    for (const ProfileRow& row : kernels) all += gain_of(row);
    std::size_t few = 0;
    while (few < std::min(kMostKernels, kernels.size()) && some < all / 2) some += gain_of(kernels[few++]);
    if (few > 1) out.push_back(together({kernels.data(), few}, std::to_string(few) + " kernels", run_us));
    for (std::size_t i = 0; i < std::min(kMostKernels, kernels.size()); ++i)
        if (i == 0 || gain_of(kernels[i]) > kWorthIt * run_us)
            out.push_back(one_row(kernels[i], kernels[i].name, run_us));
    const std::vector<ProfileRow> operators = by_gain(by_operator(profile));
    for (std::size_t i = 0; i < std::min(kMostOperators, operators.size()) && operators.size() > 1; ++i)
        if (gain_of(operators[i]) > kWorthIt * run_us)
            out.push_back(one_row(operators[i], "all of " + operators[i].name, run_us));
    if (kernels.size() > few) out.push_back(together(kernels, "everything", run_us));
    if (const double between = run_us - profile.calls_us(); between > kWorthIt * run_us)
        out.push_back({"between kernels", {}, profile.calls.size(), between, between / run_us, 0, between});
    return out;
}

} // namespace orrery::session
