#include "core/tuning/worker_channel.hpp"

#include "core/tuning/machine.hpp"

#include <grpc/support/log.h>
#include <grpcpp/grpcpp.h>
#include <worker.grpc.pb.h>

#include <condition_variable>
#include <mutex>
#include <stop_token>
#include <thread>
#include <unistd.h>

namespace orrery::tuning {

namespace {

using WallClock = std::chrono::system_clock;

constexpr auto kLook = std::chrono::milliseconds(20);
/// Results that are sent back. Source: a protocol buffer holds less than 2 GiB.
constexpr std::size_t kMostResultBytes = std::size_t{1} << 30;

/// What goes wrong is told by whoever called; the library need not write it as well.
void keep_quiet() { ::gpr_set_log_verbosity(static_cast<gpr_log_severity>(GPR_LOG_SEVERITY_ERROR + 1)); }

wire::RunRequest to_wire(const RunRequest& request) {
    wire::RunRequest out;
    out.set_symbol(request.object.symbol);
    out.set_object(request.object.object);
    out.set_workspace_bytes(request.object.workspace_bytes);
    for (const Argument& argument : request.arguments) {
        wire::Argument& added = *out.add_arguments();
        added.set_dtype(static_cast<std::uint32_t>(argument.dtype));
        for (const std::int64_t extent : argument.shape) added.add_shape(extent);
        added.set_input(argument.input);
        added.set_weights(argument.weights);
    }
    out.set_seed(request.seed);
    out.set_threads(static_cast<std::uint32_t>(request.threads));
    out.set_warm_up_seconds(request.warm_up_seconds);
    out.set_seconds(request.seconds);
    out.set_least_runs(static_cast<std::uint32_t>(request.least_runs));
    out.set_most_runs(static_cast<std::uint32_t>(request.most_runs));
    out.set_interval(request.interval);
    out.set_want_outputs(request.want_outputs);
    out.set_give_up_ms(request.give_up_ms);
    out.set_flush_bytes(static_cast<std::uint64_t>(request.flush_bytes));
    out.set_weights_distance(static_cast<std::uint64_t>(request.weights_distance));
    return out;
}

/// What came over the socket is bounded before it is believed. Errors: BadArgument.
Result<RunRequest> from_wire(const wire::RunRequest& sent) {
    constexpr int kMostArguments = 4096, kMostRank = 64;
    constexpr std::uint32_t kMostThreads = 1024, kMostRuns = 1'000'000;
    constexpr std::uint64_t kMostFlushed = std::uint64_t{1} << 32;
    const auto bad = [](const char* what) {
        return Diagnostic{Code::BadArgument, std::string("the request has ") + what, {}, {}};
    };
    if (sent.arguments_size() > kMostArguments) return bad("too many arguments");
    if (sent.threads() < 1 || sent.threads() > kMostThreads) return bad("no sensible number of threads");
    if (sent.least_runs() > kMostRuns || sent.most_runs() > kMostRuns) return bad("too many runs");
    if (sent.flush_bytes() > kMostFlushed) return bad("more to flush than any cache holds");
    if (sent.weights_distance() > static_cast<std::uint64_t>(kMostWeightsDistance))
        return bad("weights that are too far away");
    RunRequest out;
    out.object.symbol = sent.symbol();
    out.object.object = sent.object();
    out.object.workspace_bytes = sent.workspace_bytes();
    for (const wire::Argument& argument : sent.arguments()) {
        if (argument.dtype() >= static_cast<std::uint32_t>(kDTypeCount)) return bad("an element type of no number");
        if (argument.shape_size() > kMostRank) return bad("a shape of too many dimensions");
        out.arguments.push_back({static_cast<DType>(argument.dtype()),
                                 Shape(argument.shape().begin(), argument.shape().end()), argument.input(),
                                 argument.weights()});
    }
    out.seed = sent.seed();
    out.threads = static_cast<int>(sent.threads());
    out.warm_up_seconds = sent.warm_up_seconds();
    out.seconds = sent.seconds();
    out.least_runs = static_cast<int>(sent.least_runs());
    out.most_runs = static_cast<int>(sent.most_runs());
    out.interval = sent.interval();
    out.want_outputs = sent.want_outputs();
    out.give_up_ms = sent.give_up_ms();
    out.flush_bytes = static_cast<std::int64_t>(sent.flush_bytes());
    out.weights_distance = static_cast<std::int64_t>(sent.weights_distance());
    return out;
}

class Service final : public wire::Worker::Service {
  public:
    explicit Service(const Backend& backend) : backend_(backend) {}

    grpc::Status Hello(grpc::ServerContext*, const wire::HelloRequest* sent, wire::HelloReply* reply) override {
        if (sent->gave_up()) {
            const std::unique_lock idle(mutex_, std::try_to_lock);
            if (!idle) return {grpc::StatusCode::UNAVAILABLE, "the run that was given up has not ended"};
        }
        reply->set_protocol(kProtocol);
        reply->set_version(program_version());
        reply->set_machine(machine_fingerprint());
        reply->set_cores(static_cast<std::uint32_t>(usable_cores()));
        return grpc::Status::OK;
    }

    grpc::Status Run(grpc::ServerContext* context, const wire::RunRequest* sent, wire::RunReply* reply) override {
        const std::lock_guard alone(mutex_); // two at once would disturb each other's times
        if (context->IsCancelled()) return grpc::Status::CANCELLED;
        // A kernel that never ends cannot be stopped: when whoever called gives up, or is gone, the process ends.
        const std::jthread watch([context](const std::stop_token& done) {
            std::mutex mutex;
            std::condition_variable_any changed;
            std::unique_lock lock(mutex);
            while (!changed.wait_for(lock, done, kLook, [] { return false; }) && !done.stop_requested())
                if (context->IsCancelled()) ::_exit(1);
        });
        try {
            const Result<RunRequest> request = from_wire(*sent);
            if (!request) return {grpc::StatusCode::INVALID_ARGUMENT, request.error().message};
            const Result<RunReport> report = run_here(backend_, *request);
            if (!report && report.error().code == Code::LimitExceeded)
                return {grpc::StatusCode::RESOURCE_EXHAUSTED, report.error().message};
            if (!report) {
                reply->set_load_error(report.error().message);
                return grpc::Status::OK;
            }
            return answer(*report, *reply);
        } catch (const std::bad_alloc&) {
            return {grpc::StatusCode::RESOURCE_EXHAUSTED, "the worker is out of memory"};
        } catch (const std::exception& failure) { // this process's main
            return {grpc::StatusCode::INTERNAL, failure.what()};
        }
    }

  private:
    static grpc::Status answer(const RunReport& report, wire::RunReply& reply) {
        for (const double ms : report.milliseconds) reply.add_milliseconds(ms);
        std::size_t bytes = 0;
        for (const NDArray& output : report.outputs) bytes += output.bytes();
        if (bytes > kMostResultBytes) return {grpc::StatusCode::RESOURCE_EXHAUSTED, "results of more than 1 GiB"};
        for (const NDArray& output : report.outputs) reply.add_outputs(output.data(), output.bytes());
        reply.set_busy_others(report.busy_others);
        reply.set_waiting(report.waiting);
        return grpc::Status::OK;
    }

    const Backend& backend_;
    std::mutex mutex_;
};

/// The results' bytes as arrays. Empty when they are not those that were asked for.
std::optional<RunReport> from_wire(const wire::RunReply& reply, const RunRequest& request) {
    RunReport out;
    out.milliseconds.assign(reply.milliseconds().begin(), reply.milliseconds().end());
    out.busy_others = reply.busy_others();
    out.waiting = reply.waiting();
    if (out.milliseconds.empty()) return std::nullopt;
    if (!request.want_outputs) return out;
    int next = 0;
    for (const Argument& argument : request.arguments) {
        if (argument.input) continue;
        if (next >= reply.outputs_size()) return std::nullopt;
        const std::string& bytes = reply.outputs(next++);
        const auto size = static_cast<std::size_t>(element_count(argument.shape)) *
                          static_cast<std::size_t>(byte_size(argument.dtype));
        if (bytes.size() != size) return std::nullopt;
        out.outputs.push_back(NDArray::copy_of(argument.dtype, argument.shape, bytes.data(), bytes.size()));
    }
    return out;
}

} // namespace

struct Channel::State {
    std::unique_ptr<wire::Worker::Stub> stub;
    grpc::CompletionQueue queue;

    ~State() {
        queue.Shutdown();
        void* tag = nullptr;
        bool ok = false;
        while (queue.Next(&tag, &ok)) {}
    }

    /// Waits for a call that was begun on the queue.
    CallError finish(grpc::ClientContext& context, const grpc::Status& status, const KeepWaiting& keep_waiting) {
        void* tag = nullptr;
        bool ok = false, given_up = false;
        while (queue.AsyncNext(&tag, &ok, WallClock::now() + kLook) == grpc::CompletionQueue::TIMEOUT) {
            if (given_up || keep_waiting()) continue;
            given_up = true;
            context.TryCancel();
        }
        if (given_up) return {CallFailure::Broken, "given up"};
        const bool refused = status.error_code() == grpc::StatusCode::RESOURCE_EXHAUSTED ||
                             status.error_code() == grpc::StatusCode::INVALID_ARGUMENT;
        return {refused ? CallFailure::Refused : CallFailure::Broken, status.error_message()};
    }
};

Channel::Channel(const std::string& address) : state_(std::make_unique<State>()) {
    keep_quiet();
    grpc::ChannelArguments options;
    options.SetMaxReceiveMessageSize(-1);
    options.SetMaxSendMessageSize(-1);
    // A worker's end comes and goes under one name: no channel is taken over from the one before.
    options.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    options.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
    state_->stub =
        wire::Worker::NewStub(grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(), options));
}

Channel::~Channel() = default;

CallOutcome<WorkerHost> Channel::hello(const KeepWaiting& keep_waiting, bool gave_up) {
    grpc::ClientContext context;
    wire::HelloRequest request;
    request.set_protocol(kProtocol);
    request.set_gave_up(gave_up);
    wire::HelloReply reply;
    grpc::Status status;
    const auto call = state_->stub->AsyncHello(&context, request, &state_->queue);
    call->Finish(&reply, &status, this);
    CallError error = state_->finish(context, status, keep_waiting);
    if (!status.ok()) return {std::nullopt, std::move(error)};
    if (reply.protocol() != kProtocol)
        return {std::nullopt,
                {CallFailure::Refused, "the worker speaks protocol " + std::to_string(reply.protocol()) + ", not " +
                                           std::to_string(kProtocol)}};
    return {WorkerHost{reply.version(), reply.machine(), static_cast<int>(reply.cores())}, {}};
}

CallOutcome<Channel::Answer> Channel::run(const RunRequest& request, const KeepWaiting& keep_waiting) {
    grpc::ClientContext context;
    wire::RunReply reply;
    grpc::Status status;
    const auto call = state_->stub->AsyncRun(&context, to_wire(request), &state_->queue);
    call->Finish(&reply, &status, this);
    CallError error = state_->finish(context, status, keep_waiting);
    if (!status.ok()) return {std::nullopt, std::move(error)};
    if (!reply.load_error().empty()) return {Answer{reply.load_error(), {}}, {}};
    std::optional<RunReport> report = from_wire(reply, request);
    if (!report) return {std::nullopt, {CallFailure::Broken, "the worker's answer is not what was asked for"}};
    return {Answer{{}, *std::move(report)}, {}};
}

Result<void> serve(const Backend& backend, const std::string& address, const std::function<void()>& wait) {
    keep_quiet();
    Service service(backend);
    grpc::ServerBuilder builder;
    builder.SetMaxReceiveMessageSize(-1);
    builder.SetMaxSendMessageSize(-1);
    builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0); // two workers on one port would answer by turns
    builder.AddListeningPort(address.starts_with('/') ? "unix:" + address : address, grpc::InsecureServerCredentials());
    builder.RegisterService(&service);
    const std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
    if (!server)
        return Diagnostic{
            Code::FileUnwritable,
            "no worker can listen on " + address,
            {},
            "give a path of at most 100 characters in a folder that can be written, or a port that is free"};
    wait();
    // A call under way may never end: the process ends instead.
    server->Shutdown(WallClock::now());
    return {};
}

} // namespace orrery::tuning
