#include "core/session/compiler.hpp"

#include "core/base/file.hpp"
#include "core/base/parallel.hpp"
#include "core/frontends/onnx/import.hpp"
#include "core/frontends/onnx/networks.hpp"
#include "core/graph/builder.hpp"
#include "core/graph/functions.hpp"
#include "core/schedule/intrinsics.hpp"
#include "core/session/dynamic_model.hpp"
#include "core/session/kernel_cache.hpp"
#include "core/session/schedule_edit.hpp"
#include "core/session/scratch.hpp"
#include "core/session/shipped.hpp"
#include "core/session/stage_cache.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstring>
#include <unordered_map>

namespace orrery::session {

namespace {

class Timer {
  public:
    [[nodiscard]] double milliseconds() const {
        return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start_).count();
    }

  private:
    std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

/// Operator calls, those of a function counted at each of its calls.
std::size_t count_operators(const graph::Function& root) {
    constexpr std::size_t kMost = std::size_t{1} << 40; // calls inside calls multiply
    std::unordered_map<graph::Function, std::size_t> counts;
    for (const graph::Function& function : graph::functions_inside_out(root)) {
        std::size_t count = 0;
        for (const graph::Binding& binding : function->bindings) {
            if (binding.value->kind == graph::ExprKind::CallOp) ++count;
            for (const graph::Function& inner : graph::inner_functions(binding.value)) count += counts.at(inner);
        }
        counts.emplace(function, std::min(count, kMost));
    }
    return counts.at(root);
}

std::size_t constant_bytes(const graph::Function& function) {
    std::size_t bytes = 0;
    for (const graph::Binding& binding : function->bindings)
        if (const auto* constant = graph::as<graph::Constant>(binding.value)) bytes += constant->value.bytes();
    return bytes;
}

Hash key_of(const char* stage, const void* identity, const Hash& extra) {
    Hasher hasher;
    hasher.add(stage).add(static_cast<std::uint64_t>(reinterpret_cast<std::uintptr_t>(identity))).add(extra);
    return hasher.finish();
}

constexpr std::size_t kNodeBytes =
    512; ///< rough cost of keeping a binding or statement; our choice, for the cache's account

/// A constant as kernels need it: the ABI promises 64-byte alignment, a mapped model file does not.
NDArray aligned(const NDArray& value) {
    constexpr std::uintptr_t kAlignment = 64;
    if (reinterpret_cast<std::uintptr_t>(value.data()) % kAlignment == 0) return value;
    return NDArray::copy_of(value.dtype(), value.shape(), value.data(), value.bytes());
}

Diagnostic no_region_backend(const std::string& name) {
    std::string names;
    for (const std::string& known : region_backend_names()) names += (names.empty() ? "" : ", ") + known;
    return {Code::NoTarget,
            "nothing compiles regions for \"" + name + "\"",
            {},
            names.empty() ? "this build has no region backends" : "this build has " + names};
}

std::optional<Diagnostic> why_foreign(const Backend& backend, const Target& target) {
    const Result<void> here = backend.runs_here(target);
    return here ? std::nullopt : std::optional(here.error());
}

/// Plan, kernels and regions of a model whose parts are compiled.
Result<void> link_kernels(const Backend& backend, const CompiledModel& model, runtime::Executable& out) {
    std::vector<KernelObject> objects;
    std::vector<std::size_t> workspaces;
    for (std::size_t i = 0; i < model.objects.size(); ++i) {
        workspaces.push_back(model.objects[i].workspace_bytes);
        if (!model.regions[i]) objects.push_back(model.objects[i]);
    }
    out.plan = lower::plan_memory(model.model, workspaces);
    if (model.foreign) return {};
    ORRERY_TRY(const std::shared_ptr<const LoadedCode> code, backend.load(objects));
    out.keep.push_back(code);
    for (std::size_t i = 0; i < model.objects.size(); ++i) {
        const std::shared_ptr<const RegionCode>& region = model.regions[i];
        const orrery_kernel kernel = region ? region->kernel() : code->find(model.objects[i].symbol);
        ORRERY_ASSERT(kernel != nullptr, model.objects[i].symbol + " was linked");
        out.kernels.push_back(kernel);
        out.kernel_data.push_back(region ? region->data() : nullptr);
        if (region) out.keep.push_back(region);
    }
    return {};
}

/// A region has one listing, its backend's, in place of code.
Listing region_listing(const RegionCode& region) {
    Listing listing;
    for (const std::string& line : region.listing()) listing.lines.push_back({line, 0});
    return listing;
}

} // namespace

struct Compiler::State {
    std::shared_ptr<const Backend> backend;
    Options options;
    StageCache cache;
    KernelCache kernels;
    std::mutex last_mutex;
    std::unordered_map<const tensor::ProgramNode*, std::weak_ptr<const ScheduledFunction>> last_schedules;
    struct ReadFile {
        Hash stamp, content;
    };
    std::unordered_map<std::string, ReadFile> read_files; ///< by path

    State(std::shared_ptr<const Backend> b, Options o)
        : backend(std::move(b)), options(std::move(o)), cache(options.memory_limit), kernels(options.disk_cache) {}

    /// Only this backend's targets can be compiled for.
    Result<void> check_target(const Recipe& recipe) const {
        if (recipe.target.backend == backend->name()) return {};
        return Diagnostic{Code::NoTarget,
                          "there is no code generator named \"" + recipe.target.backend + "\"",
                          {},
                          "targets start with " + backend->name()};
    }

    /// What a recipe imports: its key, and a file's bytes where the key had to be made of them.
    struct Imported {
        Hash key;
        std::optional<LoadedFile> file;
        double milliseconds = 0; ///< of reading it
    };
    Result<Imported> read_model(const Recipe& recipe) {
        const Timer timer;
        Imported out;
        Hasher hasher;
        hasher.add("import").add(recipe.builtin).add(recipe.seed).add(recipe.scratch);
        if (!recipe.model.empty()) {
            ORRERY_TRY(const Hash content, content_of(recipe.model, out.file));
            hasher.add(content).add(recipe.model.parent_path().string());
        }
        for (const auto& [name, shape] : recipe.shapes) hasher.add(name).add(std::span<const std::int64_t>(shape));
        out.key = hasher.finish();
        out.milliseconds = timer.milliseconds();
        return out;
    }
    /// The hash of a file's bytes, which are read when it may have been written since the last time.
    Result<Hash> content_of(const std::filesystem::path& path, std::optional<LoadedFile>& file) {
        const std::optional<Hash> stamp = file_stamp(path);
        {
            const std::lock_guard lock(last_mutex);
            const auto known = read_files.find(path.string());
            if (stamp && known != read_files.end() && known->second.stamp == *stamp) return known->second.content;
        }
        ORRERY_TRY(file, onnx::load_model(path));
        if (stamp) {
            const std::lock_guard lock(last_mutex);
            read_files[path.string()] = {*stamp, file->content};
        }
        return file->content;
    }

    Result<graph::Module> import(const Recipe& recipe, const std::optional<LoadedFile>& file,
                                 const Progress& progress) const {
        onnx::ImportOptions import_options;
        import_options.shapes = recipe.shapes;
        if (!recipe.scratch.empty()) return scratch_module(recipe.scratch);
        if (file) return onnx::import_loaded(*file, recipe.model, import_options, progress);
        if (!recipe.model.empty()) return onnx::import_file(recipe.model, import_options, progress);
        ORRERY_TRY(const std::string bytes, onnx::build_network(recipe.builtin, recipe.seed));
        return onnx::import_bytes(std::as_bytes(std::span(bytes)), {}, import_options, progress);
    }

    Result<StageCache::Made<GraphStep>> make_import(const Recipe& recipe, const Imported& read,
                                                    const Progress& progress) const {
        const Timer timer;
        ORRERY_TRY(graph::Module module, import(recipe, read.file, progress));
        ORRERY_CHECK_OK(graph::verify(module));
        auto step = std::make_shared<GraphStep>();
        step->name = "import";
        step->changed = true;
        step->operators = count_operators(module.main);
        step->module = std::move(module);
        step->milliseconds = read.milliseconds + timer.milliseconds();
        const std::size_t bytes = constant_bytes(step->module.main) + kNodeBytes * step->module.main->bindings.size();
        return StageCache::Made<GraphStep>{step, bytes};
    }

    Result<std::shared_ptr<const GraphStep>> pass_step(const transform::PassStep& row, const GraphStep& before,
                                                       const Hash& key, pass::Invariants& holding,
                                                       const Progress& progress) {
        const transform::GraphPass* pass = transform::find_pass(row.name);
        if (!pass)
            return Diagnostic{
                Code::UnknownName, "there is no pass named \"" + row.name + "\"", {PassPlace{row.name}}, {}};
        if (!row.enabled) {
            auto step = std::make_shared<GraphStep>();
            step->name = row.name;
            step->module = before.module;
            step->enabled = false;
            step->operators = before.operators;
            return std::shared_ptr<const GraphStep>(std::move(step));
        }
        const pass::Invariants at_start = holding;
        ORRERY_TRY(const std::shared_ptr<const GraphStep> step,
                   cache.get<GraphStep>(key, progress, [&]() -> Result<StageCache::Made<GraphStep>> {
                       pass::Invariants local = at_start;
                       ORRERY_TRY(pass::Step<graph::Module> done,
                                  transform::manager().run(*pass, before.module, local, row.options, progress));
                       auto made = std::make_shared<GraphStep>();
                       made->name = row.name;
                       made->changed = done.changed;
                       made->milliseconds = done.milliseconds;
                       made->operators = count_operators(done.after.main);
                       made->module = std::move(done.after);
                       made->rewrites = std::move(done.rewrites);
                       return StageCache::Made<GraphStep>{
                           made, kNodeBytes * (made->module.main->bindings.size() + made->rewrites.size())};
                   }));
        holding = (holding | pass->establishes) & ~(step->changed ? pass->breaks : 0u);
        return step;
    }

    Result<Steps> run_passes(const Recipe& recipe, const std::shared_ptr<const GraphStep>& imported, Hash key,
                             const Progress& progress, const StepSink& sink);

    /// The schedule of a program that was made last: what its trace begins with need not be applied again.
    FunctionPtr last_schedule(const tensor::Program& program) {
        const std::lock_guard lock(last_mutex);
        const auto found = last_schedules.find(program.get());
        const FunctionPtr last = found == last_schedules.end() ? nullptr : found->second.lock();
        return last && last->lowered.program == program ? last : nullptr;
    }
    void keep_schedule(const FunctionPtr& function) {
        const std::lock_guard lock(last_mutex);
        std::erase_if(last_schedules, [](const auto& entry) { return entry.second.expired(); });
        last_schedules[function->lowered.program.get()] = function;
    }

    /// What a function's schedule follows from beside its program: made once for all functions of a recipe.
    struct Rules {
        const Recipe& recipe;
        Hash target, usual; ///< of the target; and of what functions without a trace of their own follow
        explicit Rules(const Recipe& r) : recipe(r), target(r.target.hash()) {
            Hasher hasher;
            hasher.add(target).add(static_cast<int>(r.rule));
            usual = hasher.finish();
        }
    };
    static Hash schedule_key(const Rules& rules, const lower::LoweredFunction& lowered) {
        const auto& own = rules.recipe.schedules;
        const auto trace = own.empty() ? own.end() : own.find(to_string(lowered.workload));
        if (trace == own.end()) return key_of("schedule", lowered.program.get(), rules.usual);
        Hasher extra;
        extra.add(rules.target).add(static_cast<int>(rules.recipe.rule)).add(trace->second.hash());
        return key_of("schedule", lowered.program.get(), extra.finish());
    }

    FunctionPtr schedule_if_ready(const Rules& rules, const lower::LoweredFunction& lowered) {
        return cache.ready<ScheduledFunction>(schedule_key(rules, lowered));
    }

    Result<FunctionPtr> schedule_function(const Rules& rules, const lower::LoweredFunction& lowered,
                                          const Progress& progress) {
        const Recipe& recipe = rules.recipe;
        const auto own = recipe.schedules.find(to_string(lowered.workload));
        const Hash key = schedule_key(rules, lowered);
        return cache.get<ScheduledFunction>(key, progress, [&]() -> Result<StageCache::Made<ScheduledFunction>> {
            const Timer timer;
            auto made = std::make_shared<ScheduledFunction>();
            made->lowered = lowered;
            made->trace_is_default = own == recipe.schedules.end();
            const FunctionPtr before = last_schedule(lowered.program);
            if (made->trace_is_default) {
                RuledTrace ruled = ruled_trace(recipe.rule, lowered, recipe.target);
                made->trace = std::move(ruled.trace), made->replay = std::move(ruled.replay);
            } else {
                made->trace = own->second;
                PartialReplay reached = replay_as_far(lowered.program, made->trace, before.get());
                made->replay = std::move(reached.replay), made->error = std::move(reached.error);
            }
            made->printed = tensor::print_program(made->program());
            made->cost = before ? before->cost : tensor::cost_of(lowered.program);
            made->milliseconds = timer.milliseconds();
            keep_schedule(made);
            return StageCache::Made<ScheduledFunction>{made, kNodeBytes * made->printed.lines.size() *
                                                                 made->replay.programs.size()};
        });
    }

    Result<std::shared_ptr<const KernelObject>> kernel(const Recipe& recipe, const tensor::Program& program,
                                                       const Progress& progress, bool& from_disk) {
        Hasher hasher;
        hasher.add("kernel").add(tensor::structural_hash(program)).add(program->name);
        hasher.add(recipe.target.hash()).add(recipe.build.hash());
        if (const Hash declared = schedule::intrinsics_hash(program); declared != Hash{}) hasher.add(declared);
        const Hash key = hasher.finish();
        return cache.get<KernelObject>(key, progress, [&]() -> Result<StageCache::Made<KernelObject>> {
            if (std::optional<KernelObject> kept = kernels.find(key)) {
                from_disk = true;
                auto shared = std::make_shared<KernelObject>(*std::move(kept));
                return StageCache::Made<KernelObject>{shared, shared->object.size()};
            }
            ORRERY_TRY(KernelObject fresh, backend->compile(program, recipe.target, recipe.build, progress));
            kernels.put(key, fresh);
            auto shared = std::make_shared<KernelObject>(std::move(fresh));
            return StageCache::Made<KernelObject>{shared, shared->object.size()};
        });
    }

    /// The code of a region, by its backend.
    Result<std::shared_ptr<const RegionCode>> region(const Recipe& recipe, const lower::LoweredFunction& function,
                                                     const Progress& progress) {
        struct Kept {
            std::shared_ptr<const RegionBackend> backend; ///< outlives its code
            std::shared_ptr<const RegionCode> code;
        };
        const std::shared_ptr<const RegionBackend> maker = find_region_backend(function.backend);
        if (!maker) return no_region_backend(function.backend);
        Hasher hasher;
        hasher.add("region").add(function.workload).add(recipe.target.hash());
        hasher.add(static_cast<std::uint64_t>(reinterpret_cast<std::uintptr_t>(maker.get())));
        ORRERY_TRY(const std::shared_ptr<const Kept> kept,
                   cache.get<Kept>(hasher.finish(), progress, [&]() -> Result<StageCache::Made<Kept>> {
                       auto made = std::make_shared<Kept>();
                       made->backend = maker;
                       ORRERY_TRY(made->code, maker->compile(function.source, recipe.target, progress));
                       return StageCache::Made<Kept>{made, constant_bytes(function.source)};
                   }));
        return std::shared_ptr<const RegionCode>(kept, kept->code.get());
    }

    /// Object or region of function `index` of the model; true when it came from the disk.
    Result<bool> generate(const Recipe& recipe, std::size_t index, CompiledModel& out, const Progress& progress) {
        const ScheduledFunction& function = *out.functions[index];
        bool from_disk = false;
        if (function.lowered.backend.empty()) {
            ORRERY_TRY(const std::shared_ptr<const KernelObject> object,
                       kernel(recipe, function.program(), progress, from_disk));
            out.objects[index] = *object;
            return from_disk;
        }
        const Timer timer;
        ORRERY_TRY(out.regions[index], region(recipe, function.lowered, progress));
        out.objects[index] = {function.lowered.name, {}, out.regions[index]->workspace_bytes(), timer.milliseconds()};
        return false;
    }
};

Compiler::Compiler(std::shared_ptr<const Backend> backend, Options options)
    : state_(std::make_shared<State>(std::move(backend), std::move(options))) {}
Compiler::~Compiler() = default;

const Backend& Compiler::backend() const { return *state_->backend; }

Recipe Compiler::new_recipe(const std::filesystem::path& model) const {
    Recipe recipe;
    recipe.model = model;
    recipe.target = state_->backend->host();
    recipe.passes = transform::default_pipeline();
    return recipe;
}

Result<Steps> Compiler::graph_steps(const Recipe& recipe, const Progress& progress, const StepSink& sink) {
    progress.tell("reading the model", 0);
    ORRERY_TRY(const State::Imported read, state_->read_model(recipe));
    ORRERY_TRY(const std::shared_ptr<const GraphStep> imported, state_->cache.get<GraphStep>(read.key, progress, [&] {
        return state_->make_import(recipe, read, progress);
    }));
    return state_->run_passes(recipe, imported, read.key, progress, sink);
}

Result<Steps> Compiler::State::run_passes(const Recipe& recipe, const std::shared_ptr<const GraphStep>& imported,
                                          Hash key, const Progress& progress, const StepSink& sink) {
    Steps steps{imported};
    std::shared_ptr<const GraphStep> current = imported;
    if (sink) sink(current);
    pass::Invariants holding = transform::kTyped;
    const pass::Options facts = transform::facts_of(recipe.target);
    for (std::size_t i = 0; i < recipe.passes.size(); ++i) {
        const transform::PassStep row = transform::with_facts(recipe.passes[i], facts);
        progress.tell(row.name, static_cast<double>(i) / static_cast<double>(recipe.passes.size()));
        if (row.enabled) {
            Hasher next;
            next.add(key).add(row.name);
            for (const auto& [name, value] : row.options) next.add(name).add(value);
            key = next.finish();
        }
        Result<std::shared_ptr<const GraphStep>> step = pass_step(row, *current, key, holding, progress);
        if (!step && step.error().code == Code::Cancelled) return std::move(step.error());
        if (!step) {
            auto failed = std::make_shared<GraphStep>();
            failed->name = row.name;
            failed->module = current->module;
            failed->operators = current->operators;
            failed->error = std::move(step.error());
            steps.push_back(failed);
            if (sink) sink(steps.back());
            return steps;
        }
        current = *step;
        steps.push_back(current);
        if (sink) sink(current);
    }
    return steps;
}

Result<Compiler::Functions> Compiler::functions(const Recipe& recipe, const graph::Module& fused,
                                                const Progress& progress) {
    struct Lowered {
        graph::Function keep; ///< the key is its address
        lower::LoweredModel model;
        double milliseconds = 0;
    };
    ORRERY_TRY(const std::shared_ptr<const Lowered> lowered,
               state_->cache.get<Lowered>(
                   key_of("lower", fused.main.get(), {}), progress, [&]() -> Result<StageCache::Made<Lowered>> {
                       if (!is_static_program(fused.main)) {
                           Diagnostic refusal = why_dynamic(fused);
                           refusal.severity = Severity::Error;
                           return refusal;
                       }
                       const Timer timer;
                       auto made = std::make_shared<Lowered>();
                       made->keep = fused.main;
                       ORRERY_TRY(made->model, lower::lower_module(fused, progress));
                       made->milliseconds = timer.milliseconds();
                       return StageCache::Made<Lowered>{made, kNodeBytes * made->model.values.size()};
                   }));
    Functions out;
    out.model = std::shared_ptr<const lower::LoweredModel>(lowered, &lowered->model);
    out.lower_ms = lowered->milliseconds;
    const Timer timer;
    const std::size_t count = lowered->model.functions.size();
    out.functions.resize(count);
    const State::Rules rules(recipe);
    // After an edit all but one are there already: no thread is started for those.
    std::vector<std::size_t> missing;
    for (std::size_t i = 0; i < count; ++i) {
        out.functions[i] = state_->schedule_if_ready(rules, lowered->model.functions[i]);
        if (!out.functions[i]) missing.push_back(i);
    }
    std::vector<std::optional<Diagnostic>> errors(count);
    parallel_for(missing.size(), state_->options.workers, [&](std::size_t at) {
        const std::size_t i = missing[at];
        Result<FunctionPtr> scheduled = state_->schedule_function(rules, lowered->model.functions[i], progress);
        if (scheduled)
            out.functions[i] = *std::move(scheduled);
        else
            errors[i] = std::move(scheduled.error());
    });
    for (std::optional<Diagnostic>& error : errors)
        if (error) return *std::move(error);
    out.schedule_ms = timer.milliseconds();
    return out;
}

namespace {

struct KeptCode {
    FunctionPtr function; ///< the key is its address
    FunctionCode code;
};

Hash code_key(const Recipe& recipe, const FunctionPtr& function) {
    Hasher extra;
    extra.add(recipe.target.hash()).add(recipe.build.hash());
    return key_of("code", function.get(), extra.finish());
}

} // namespace

std::shared_ptr<const FunctionCode> Compiler::code_if_ready(const Recipe& recipe, const FunctionPtr& function) {
    const auto kept = state_->cache.ready<KeptCode>(code_key(recipe, function));
    return kept ? std::shared_ptr<const FunctionCode>(kept, &kept->code) : nullptr;
}

Result<std::shared_ptr<const FunctionCode>> Compiler::code(const Recipe& recipe, const FunctionPtr& function,
                                                           const CodeSink& early) {
    ORRERY_CHECK_OK(state_->check_target(recipe));
    ORRERY_TRY(const std::shared_ptr<const KeptCode> kept,
               state_->cache.get<KeptCode>(code_key(recipe, function), {}, [&]() -> Result<StageCache::Made<KeptCode>> {
                   auto made = std::make_shared<KeptCode>();
                   made->function = function;
                   if (!function->lowered.backend.empty()) {
                       ORRERY_TRY(const auto region, state_->region(recipe, function->lowered, {}));
                       const Listing listing = region_listing(*region);
                       made->code.ir = made->code.optimized_ir = made->code.assembly = listing;
                       return StageCache::Made<KeptCode>{made, listing.lines.size() * kNodeBytes};
                   }
                   ORRERY_TRY(made->code, backend().list_all(function->program(), recipe.target, recipe.build, early));
                   const FunctionCode& code = made->code;
                   std::size_t bytes = code.cost.instructions.size() * sizeof(InstructionCost);
                   for (const Listing* listing : {&code.ir, &code.optimized_ir, &code.assembly, &code.att})
                       for (const ListingLine& line : listing->lines) bytes += sizeof line + line.text.size();
                   return StageCache::Made<KeptCode>{made, bytes};
               }));
    return std::shared_ptr<const FunctionCode>(kept, &kept->code);
}

Result<std::shared_ptr<const KernelObject>> Compiler::kernel(const Recipe& recipe, const tensor::Program& program,
                                                             const Progress& progress) {
    ORRERY_CHECK_OK(state_->check_target(recipe));
    bool from_disk = false;
    return state_->kernel(recipe, program, progress, from_disk);
}

Result<std::shared_ptr<const Listing>> Compiler::code_after(const Recipe& recipe, const FunctionPtr& function,
                                                            std::size_t pass) {
    ORRERY_CHECK_OK(state_->check_target(recipe));
    struct Kept {
        FunctionPtr function; ///< the key is its address
        Listing listing;
    };
    Hasher extra;
    extra.add(recipe.target.hash()).add(recipe.build.hash()).add(static_cast<std::uint64_t>(pass));
    ORRERY_TRY(const std::shared_ptr<const Kept> kept,
               state_->cache.get<Kept>(
                   key_of("code after", function.get(), extra.finish()), {}, [&]() -> Result<StageCache::Made<Kept>> {
                       auto made = std::make_shared<Kept>();
                       made->function = function;
                       ORRERY_TRY(made->listing,
                                  backend().list_after(function->program(), recipe.target, recipe.build, pass));
                       std::size_t bytes = 0;
                       for (const ListingLine& line : made->listing.lines) bytes += sizeof line + line.text.size();
                       return StageCache::Made<Kept>{made, bytes};
                   }));
    return std::shared_ptr<const Listing>(kept, &kept->listing);
}

Result<std::shared_ptr<const CompiledModel>> Compiler::compile(const Recipe& recipe, const Progress& progress,
                                                               const StepSink& sink) {
    ORRERY_TRY(const Steps steps, graph_steps(recipe, progress, sink));
    return compile_steps(recipe, steps, progress);
}

Result<std::shared_ptr<const CompiledModel>>
Compiler::compile_module(const Recipe& recipe, const graph::Module& imported, const Progress& progress) {
    auto step = std::make_shared<GraphStep>();
    step->name = "import";
    step->module = imported;
    step->operators = count_operators(imported.main);
    // Nothing outside knows this module by content, and its address may be used again: a key nobody else has.
    static std::atomic<std::uint64_t> serial{0};
    ORRERY_TRY(const Steps steps,
               state_->run_passes(recipe, step, key_of("module", nullptr, {0, ++serial}), progress, {}));
    return compile_steps(recipe, steps, progress);
}

Result<std::shared_ptr<const CompiledModel>> Compiler::compile_steps(const Recipe& recipe, const Steps& steps,
                                                                     const Progress& progress) {
    const Timer total;
    ORRERY_CHECK_OK(state_->check_target(recipe));
    if (steps.back()->error) return *steps.back()->error;
    if (!is_static_program(steps.front()->module.main)) return compile_dynamic(recipe, steps);
    auto compiled = std::make_shared<CompiledModel>();
    double pass_ms = 0;
    for (std::size_t i = 1; i < steps.size(); ++i) pass_ms += steps[i]->milliseconds;
    ORRERY_TRY(Functions functions, this->functions(recipe, steps.back()->module, progress));
    compiled->model = *functions.model;
    compiled->functions = functions.functions;
    compiled->output_names = steps.back()->module.outputs;
    compiled->sources = steps.back()->module.sources;

    const Timer codegen;
    const std::size_t count = functions.functions.size();
    compiled->objects.resize(count);
    compiled->regions.resize(count);
    std::vector<std::optional<Diagnostic>> errors(count);
    std::atomic<std::size_t> done{0}, from_disk{0};
    parallel_for(count, state_->options.workers, [&](std::size_t i) {
        const Result<bool> made = state_->generate(recipe, i, *compiled, progress);
        if (!made) errors[i] = made.error();
        from_disk += made && *made ? 1 : 0;
        progress.tell(functions.functions[i]->lowered.name, static_cast<double>(++done) / static_cast<double>(count));
    });
    for (std::size_t i = 0; i < count; ++i)
        if (errors[i]) {
            errors[i]->locations.push_back(ProgramPlace{functions.functions[i]->lowered.name, "code generation"});
            return *std::move(errors[i]);
        }
    compiled->functions_from_cache = from_disk;
    const double codegen_ms = codegen.milliseconds();

    const Timer computing;
    compute_all(compiled->model.constants);
    const double constants_ms = computing.milliseconds();

    const Timer link;
    auto executable = std::make_shared<runtime::Executable>();
    compiled->foreign = why_foreign(backend(), recipe.target);
    ORRERY_CHECK_OK(link_kernels(backend(), *compiled, *executable));
    for (const NDArray& constant : compiled->model.constants) {
        auto kept = std::make_shared<NDArray>(aligned(constant));
        executable->constants.push_back(kept->data());
        compiled->constant_bytes += kept->bytes();
        executable->keep.push_back(std::move(kept));
    }
    compiled->executable = std::move(executable);
    compiled->times = {{"import", steps.front()->milliseconds},
                       {"passes", pass_ms},
                       {"lower", functions.lower_ms},
                       {"schedule", functions.schedule_ms},
                       {"codegen", codegen_ms},
                       {"constants", constants_ms},
                       {"link", link.milliseconds()},
                       {"total", total.milliseconds() + pass_ms + steps.front()->milliseconds}};
    return std::shared_ptr<const CompiledModel>(std::move(compiled));
}

namespace {

/// A value that is given to a run, or comes out of it; open extents are -1.
void add_boundary(runtime::Plan& plan, const std::string& name, const graph::TensorType& type, bool input) {
    runtime::Value value;
    value.name = name;
    value.type = lower::element_type(type.dtype);
    value.storage = input ? runtime::Storage::Input : runtime::Storage::Output;
    std::vector<std::uint32_t>& list = input ? plan.inputs : plan.outputs;
    value.index = list.size();
    for (const graph::Dim& dim : type.dims) value.shape.push_back(dim.is_static() ? dim.value : -1);
    list.push_back(static_cast<std::uint32_t>(plan.values.size()));
    plan.values.push_back(std::move(value));
}

} // namespace

std::shared_ptr<const CompiledModel> Compiler::compile_dynamic(const Recipe& recipe, const Steps& steps) const {
    // Passes over the open model run once; fusion, and what follows it, wait for shapes.
    std::size_t last = 0;
    double pass_ms = 0;
    for (std::size_t i = 1; i < steps.size(); ++i) {
        const transform::GraphPass* pass = transform::find_pass(steps[i]->name);
        if (steps[i]->enabled && pass && (pass->establishes & transform::kFused)) break;
        last = i;
        pass_ms += steps[i]->milliseconds;
    }
    auto compiled = std::make_shared<CompiledModel>();
    const graph::Module& imported = steps.front()->module;
    compiled->dynamic =
        std::make_shared<const DynamicModel>(imported, steps[last]->module,
                                             [self = std::make_shared<Compiler>(Compiler(state_)),
                                              recipe](const graph::Module& module, const Progress& progress) {
                                                 return self->compile_module(recipe, module, progress);
                                             });
    compiled->foreign = why_foreign(backend(), recipe.target);
    compiled->output_names = imported.outputs;
    compiled->sources = imported.sources;
    auto executable = std::make_shared<runtime::Executable>();
    for (const graph::Var& param : imported.main->params)
        if (const graph::TensorType* type = graph::as_tensor(param->type))
            add_boundary(executable->plan, param->name, *type, true);
    const graph::TupleType* tuple = graph::as_tuple(imported.main->result->type);
    for (std::size_t i = 0; i < imported.outputs.size(); ++i)
        if (const graph::TensorType* type = graph::as_tensor(tuple ? tuple->fields[i] : imported.main->result->type))
            add_boundary(executable->plan, imported.outputs[i], *type, false);
    compiled->executable = std::move(executable);
    compiled->times = {
        {"import", steps.front()->milliseconds}, {"passes", pass_ms}, {"total", steps.front()->milliseconds + pass_ms}};
    return compiled;
}

} // namespace orrery::session
