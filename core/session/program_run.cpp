// Running a program: values are allocated when their shapes are known and freed after their last use; regions run on
// the static executor.

#include "core/base/check.hpp"
#include "core/frontends/onnx/open.hpp"
#include "core/graph/evaluate.hpp"
#include "core/graph/symbols.hpp"
#include "core/runtime/executor.hpp"
#include "core/runtime/thread_pool.hpp"
#include "core/session/dynamic_model.hpp"
#include "core/session/stages.hpp"

#include <algorithm>

namespace orrery::session {

namespace {

using graph::as;
using graph::Var;
using Arrays = std::vector<NDArray>;

constexpr std::size_t kKeptExecutors = 32; // our choice: arenas of regions met lately
constexpr int kMaxDepth = 200;             // functions inside each other, each some frames of the machine's stack

Diagnostic bad(Code code, std::string message) { return {code, std::move(message), {}, {}}; }

NDArray aligned(const NDArray& value) {
    if (reinterpret_cast<std::uintptr_t>(value.data()) % 64 == 0) return value;
    return NDArray::copy_of(value.dtype(), value.shape(), value.data(), value.bytes());
}

class Runner {
  public:
    Runner(const DynamicModel& model, const ProgramOptions& options, const Progress& progress)
        : model_(model), options_(options), progress_(progress),
          pool_(std::make_shared<runtime::ThreadPool>(options.threads)), evaluate_(onnx::evaluator()) {}

    Result<Arrays> run(const Program& program, Arrays args) {
        if (++depth_ > kMaxDepth) return bad(Code::LimitExceeded, "functions call each other too deep to run");
        Frame frame{{}, live_};
        for (const auto& [var, value] : program.constants) frame.values.emplace(var, value); // kept by the program
        for (std::size_t i = 0; i < args.size(); ++i) frame.put(program.params[i], std::move(args[i]));
        for (const ProgramStep& step : program.steps) {
            if (progress_.cancelled()) return bad(Code::Cancelled, "the run was cancelled");
            if (Result<void> done = run_step(step, frame); !done) return located(std::move(done.error()), step);
            for (const Var& var : step.last_used) frame.drop(var);
        }
        Arrays results;
        for (const Var& result : program.results) results.push_back(frame.values.at(result));
        --depth_;
        return results;
    }

    [[nodiscard]] std::size_t peak_bytes() const { return peak_; }

  private:
    /// The values of one function that is running, and their share of all that is alive.
    struct Frame {
        std::unordered_map<Var, NDArray> values;
        std::size_t& live;
        std::size_t own = 0;

        void put(const Var& var, NDArray value) {
            live += value.bytes();
            own += value.bytes();
            values.insert_or_assign(var, std::move(value));
        }
        void drop(const Var& var) {
            const auto it = values.find(var);
            if (it == values.end()) return;
            const std::size_t bytes = std::min(own, it->second.bytes());
            live -= bytes;
            own -= bytes;
            values.erase(it);
        }
        ~Frame() { live -= own; }
    };

    Diagnostic located(Diagnostic error, const ProgramStep& step) const {
        if (error.code != Code::Cancelled && error.code != Code::Internal)
            for (const SourceId id : step.origin.ids()) {
                if (error.locations.size() >= 4) break;
                const graph::Source& source = model_.imported().sources->at(id);
                error.locations.push_back(ModelNode{source.name, source.op_type});
            }
        return error;
    }

    Result<void> claim(std::size_t bytes) {
        peak_ = std::max(peak_, live_ + bytes);
        if (live_ + bytes <= options_.limits.max_bytes) return {};
        return bad(Code::LimitExceeded,
                   "the run needs more than " + std::to_string(options_.limits.max_bytes) + " bytes at once");
    }

    Result<void> run_step(const ProgramStep& step, Frame& frame) {
        Arrays args;
        args.reserve(step.args.size());
        for (const Var& arg : step.args) args.push_back(arg ? frame.values.at(arg) : NDArray());
        Result<Arrays> results = apply(step, args);
        if (!results) return std::move(results.error());
        for (std::size_t i = 0; i < step.results.size(); ++i) {
            ORRERY_CHECK_OK(check_type(step.results[i], (*results)[i]));
            frame.put(step.results[i], std::move((*results)[i]));
        }
        return claim(0);
    }

    static Result<void> check_type(const Var& var, const NDArray& value) {
        const graph::TensorType* type = graph::as_tensor(var->type);
        bool fits =
            type && value.defined() && type->dtype == value.dtype() && type->dims.size() == value.shape().size();
        for (std::size_t d = 0; fits && d < type->dims.size(); ++d)
            fits = !type->dims[d].is_static() || type->dims[d].value == value.shape()[d];
        if (fits) return {};
        return bad(Code::BadShape, var->name + " is " +
                                       (value.defined() ? type_text(value.dtype(), value.shape()) : "missing") +
                                       ", not " + graph::to_string(var->type));
    }

    Result<Arrays> apply(const ProgramStep& step, Arrays& args) {
        switch (step.kind) {
        case ProgramStep::Kind::Region: {
            ORRERY_TRY(const RegionPtr region, model_.region(step.function, args, progress_));
            return run_region(*region, args);
        }
        case ProgramStep::Kind::Single: return single(*as<graph::CallOp>(step.expr), args);
        case ProgramStep::Kind::Branch: {
            const bool yes = args[0].as_int(0) != 0;
            args.erase(args.begin());
            return run(*step.inner[yes ? 1 : 0], std::move(args));
        }
        case ProgramStep::Kind::Loop: return loop(step, args);
        case ProgramStep::Kind::Call: return run(*step.inner[0], std::move(args));
        }
        fail_internal("apply covers every kind of step");
    }

    Result<Arrays> single(const graph::CallOp& call, const Arrays& args) {
        if (!call.op.open) return evaluate_(call, args, {}, progress_);
        ORRERY_TRY(const RegionPtr region, model_.single(call, args, progress_));
        Arrays rest;
        for (const std::size_t i : region->params) rest.push_back(args[i]);
        return run_region(*region, rest);
    }

    Result<Arrays> run_region(const SpecializedRegion& region, Arrays& args) {
        if (options_.observer.region) ORRERY_CHECK_OK(options_.observer.region(region, args));
        if (!region.compiled) {
            graph::EvaluateOptions limits;
            limits.max_bytes = options_.limits.max_bytes;
            return graph::evaluate(region.function, args, evaluate_, progress_, limits);
        }
        const runtime::Plan& plan = region.compiled->executable->plan;
        std::size_t bytes = plan.arena_bytes;
        for (const std::uint32_t id : plan.outputs) bytes += plan.values[id].bytes;
        ORRERY_CHECK_OK(claim(bytes));
        std::vector<const void*> in;
        std::vector<void*> out;
        for (NDArray& arg : args) {
            arg = aligned(arg);
            in.push_back(arg.data());
        }
        Arrays results;
        for (std::size_t i = 0; i < plan.outputs.size(); ++i) {
            const lower::LoweredValue& value = region.compiled->model.values[plan.outputs[i]];
            results.push_back(NDArray::allocate(value.dtype, value.shape));
            out.push_back(results.back().mutable_data());
        }
        if (!executor_of(region).run(in, out, nullptr, progress_.stop))
            return bad(Code::Cancelled, "the run was cancelled");
        return results;
    }

    runtime::Executor& executor_of(const SpecializedRegion& region) {
        const void* key = region.compiled.get();
        const auto it = std::ranges::find(executors_, key, &KeptExecutor::key);
        if (it != executors_.end()) {
            executors_.splice(executors_.begin(), executors_, it);
        } else {
            executors_.push_front(
                {key, region.compiled, std::make_unique<runtime::Executor>(region.compiled->executable, pool_)});
            if (executors_.size() > kKeptExecutors) executors_.pop_back();
        }
        return *executors_.front().executor;
    }

    // ---------------------------------------------------------------------------- loops

    Result<Arrays> loop(const ProgramStep& step, const Arrays& args) {
        const graph::Loop::Fields& fields = as<graph::Loop>(step.expr)->fields;
        const std::int64_t limit = fields.max_trips ? args[0].as_int(0) : INT64_MAX;
        bool going = !fields.condition || args[1].as_int(0) != 0;
        const std::size_t carried_count = step.results.size() - step.scanned.size();
        Arrays carried(args.begin() + 2, args.begin() + 2 + static_cast<std::ptrdiff_t>(carried_count));
        const Arrays captured(args.begin() + 2 + static_cast<std::ptrdiff_t>(carried_count), args.end());
        std::vector<Arrays> scanned(step.scanned.size());
        std::size_t scanned_bytes = 0;
        for (std::int64_t trip = 0; going && trip < limit; ++trip) {
            if (progress_.cancelled()) return bad(Code::Cancelled, "the run was cancelled");
            if (++iterations_ > options_.limits.max_iterations)
                return bad(Code::LimitExceeded, "the loops make more than " +
                                                    std::to_string(options_.limits.max_iterations) + " iterations");
            NDArray iteration = NDArray::allocate(DType::I64, {}), condition = NDArray::allocate(DType::Bool, {});
            iteration.set_int(0, trip);
            condition.set_int(0, 1);
            Arrays inputs{iteration, condition};
            inputs.insert(inputs.end(), carried.begin(), carried.end());
            inputs.insert(inputs.end(), captured.begin(), captured.end());
            ORRERY_TRY(const Arrays out, run(*step.inner[0], std::move(inputs)));
            going = out.at(0).as_int(0) != 0;
            std::copy_n(out.begin() + 1, carried_count, carried.begin());
            for (std::size_t i = 0; i < scanned.size(); ++i) {
                scanned[i].push_back(out.at(1 + carried_count + i));
                scanned_bytes += scanned[i].back().bytes() + sizeof(NDArray);
            }
            ORRERY_CHECK_OK(claim(2 * scanned_bytes)); // the parts, and soon all of them stacked
        }
        Arrays results = std::move(carried);
        for (std::size_t i = 0; i < scanned.size(); ++i) {
            ORRERY_TRY(NDArray stacked, graph::stack(scanned[i], *graph::as_tensor(step.scanned[i])));
            results.push_back(std::move(stacked));
        }
        return results;
    }

    struct KeptExecutor {
        const void* key;
        std::shared_ptr<const CompiledModel> keep;
        std::unique_ptr<runtime::Executor> executor;
    };

    const DynamicModel& model_;
    const ProgramOptions& options_;
    const Progress& progress_;
    std::shared_ptr<runtime::ThreadPool> pool_;
    graph::OpEvaluator evaluate_;
    std::list<KeptExecutor> executors_; ///< most recent first
    std::size_t live_ = 0, peak_ = 0;
    std::int64_t iterations_ = 0;
    int depth_ = 0;
};

} // namespace

Result<ProgramRun> run_program(const DynamicModel& model, std::span<const NDArray> inputs,
                               const ProgramOptions& options, const Progress& progress) {
    const graph::Function& main = model.imported().main;
    if (inputs.size() != main->params.size())
        return bad(Code::BadArgument, std::to_string(inputs.size()) + " inputs are given; the model takes " +
                                          std::to_string(main->params.size()));
    graph::SymbolBindings symbols;
    for (std::size_t i = 0; i < inputs.size(); ++i) {
        const graph::TensorType* type = graph::as_tensor(main->params[i]->type);
        if (!type || !inputs[i].defined())
            return bad(Code::BadType, "input " + main->params[i]->name + " is no tensor");
        const std::string given = "input " + main->params[i]->name + " is " +
                                  type_text(inputs[i].dtype(), inputs[i].shape()) + "; the model takes " +
                                  graph::to_string(main->params[i]->type);
        if (inputs[i].dtype() != type->dtype) return bad(Code::BadType, given);
        if (!graph::bind_shape(*type, inputs[i].shape(), symbols))
            return Diagnostic{Code::BadShape, given, {}, "a symbol stands for one extent in all inputs"};
    }
    Runner runner(model, options, progress);
    ProgramRun run;
    ORRERY_TRY(run.outputs, runner.run(model.program(), {inputs.begin(), inputs.end()}));
    run.peak_bytes = runner.peak_bytes();
    return run;
}

} // namespace orrery::session
