// A process that runs kernels: it answers, crashes, hangs, is cancelled, is killed, and there is always another.

#include "core/tensor/analysis.hpp"
#include "core/tuning/worker.hpp"
#include "core/tuning/worker_channel.hpp"
#include "core/tuning/worker_listener.hpp"
#include "tests/core/tuning/programs.hpp"

#include <catch2/catch.hpp>

#include <atomic>
#include <csignal>
#include <cstdio>
#include <future>
#include <thread>

#include <sys/types.h>

using namespace orrery;
using namespace orrery::tuning;
using namespace orrery::tuning_test;

namespace {

/// What the interpreter says the results are.
std::vector<NDArray> interpreted(const tensor::Program& program, std::uint64_t seed) {
    std::vector<NDArray> arguments = draw_arguments(arguments_of(program), seed).value();
    REQUIRE(tensor::interpret(program, arguments));
    return {arguments.begin() + static_cast<std::ptrdiff_t>(program->input_count), arguments.end()};
}

/// Of the second input of 64 numbers, as drawn from seed 1.
std::string first_weight() {
    const std::vector<Argument> two(2, {DType::F32, {64}, true});
    char text[32];
    std::snprintf(text, sizeof text, "%.9g", static_cast<double>(draw_arguments(two, 1).value()[1].values<float>()[0]));
    return text;
}

void require_right(Worker& worker) {
    const WorkerRun run = worker.run(request_for(doubles()), {}).value();
    INFO(run.reason);
    REQUIRE(run.outcome == Outcome::Ok);
    REQUIRE(run.report.milliseconds.size() == 3);
    REQUIRE(run.report.outputs.size() == 1);
    const Difference difference = compare(run.report.outputs[0], interpreted(doubles(), 1)[0]);
    REQUIRE(difference.same_type);
    REQUIRE(difference.max_abs == 0);
}

/// A worker that listens until this ends.
class Listening {
  public:
    Listening() {
        // A port that another process has: then the next is tried.
        for (int port = 20000 + static_cast<int>(::getpid() % 10000), tries = 0; tries < 5; ++tries, ++port) {
            address_ = "127.0.0.1:" + std::to_string(port);
            std::promise<bool> next;
            std::future<bool> listening = next.get_future();
            listener_ = std::jthread([address = address_, next = std::move(next)](std::stop_token stop) mutable {
                bool told = false;
                const auto tell = [&](bool listens) {
                    if (!std::exchange(told, true)) next.set_value(listens);
                };
                const Result<void> ended =
                    listen_worker({{}, address, false}, [&](const std::string&) { tell(true); }, {stop, {}});
                tell(false);
            });
            if (listening.get()) return;
        }
        FAIL("no port of five is free");
    }
    [[nodiscard]] const std::string& address() const { return address_; }
    void end() {
        listener_.request_stop();
        listener_.join();
    }

  private:
    std::string address_;
    std::jthread listener_;
};

bool alive(int pid) { return pid > 0 && ::kill(pid, 0) == 0; }

} // namespace

TEST_CASE("a kernel is run in another process, kept warm", "[tuning][worker]") {
    Worker worker;
    CHECK(worker.process() == 0);
    require_right(worker);
    const int pid = worker.process();
    CHECK(alive(pid));
    CHECK(pid != ::getpid());
    require_right(worker);
    CHECK(worker.process() == pid);
    CHECK(worker.started() == 1);
    const WorkerHost host = worker.host({}).value();
    CHECK(host.cores >= 1);
    CHECK_FALSE(host.machine.empty());
    CHECK_FALSE(host.version.empty());
    // Runs end where they are told to.
    RunRequest many = request_for(doubles());
    many.least_runs = 20, many.most_runs = 20;
    CHECK(worker.run(many, {}).value().report.milliseconds.size() == 20);
    RunRequest parallel = request_for(tensor::parse_program("fn p(x: f32[64]) -> (y: f32[64]) {\nparallel i in 64 { "
                                                            "y[i] = x[i] * 2.0 }\n}")
                                          .value());
    parallel.threads = 3;
    const WorkerRun done = worker.run(parallel, {}).value();
    REQUIRE(done.outcome == Outcome::Ok);
    CHECK(compare(done.report.outputs[0], interpreted(doubles(), 1)[0]).max_abs == 0);
}

TEST_CASE("timed runs have other weights than the run whose results count", "[tuning][worker]") {
    // Goes astray with any weights but those drawn.
    const tensor::Program picky =
        tensor::parse_program(
            "fn picky(x: f32[64], w: f32[64]) -> (y: f32[64]) {\nfor i in 64 { y[i + select(w[0] == " + first_weight() +
            ", 0, 1000000000000)] = x[i] * w[i] }\n}")
            .value();
    const std::vector<NDArray> expected = interpreted(picky, 1);
    Worker worker;
    RunRequest request = request_for(picky);
    const auto outcome = [&] {
        const WorkerRun done = worker.run(request, {}).value();
        if (done.outcome == Outcome::Ok) CHECK(compare(done.report.outputs[0], expected[0]).max_abs == 0);
        return done.outcome;
    };
    request.weights_distance = 1 << 20;
    CHECK(outcome() == Outcome::Ok); // no argument is said to be weights
    request.arguments[1].weights = true;
    CHECK(outcome() == Outcome::Crashed);
    request.weights_distance = 511; // they are more than half of all weights: no others are farther away
    CHECK(outcome() == Outcome::Ok);
    request.weights_distance = std::int64_t{1} << 40;
    CHECK(worker.run(request, {}).error().code == Code::LimitExceeded);
}

TEST_CASE("a crash is an outcome, and the next kernel runs", "[tuning][worker]") {
    Worker worker;
    const WorkerRun run = worker.run(request_for(crashes()), {}).value();
    CHECK(run.outcome == Outcome::Crashed);
    CHECK(run.reason.find("signal 11") != std::string::npos);
    CHECK(worker.process() == 0);
    require_right(worker);
    CHECK(worker.started() == 2);
    CHECK(worker.run(request_for(crashes()), {}).value().outcome == Outcome::Crashed);
    require_right(worker);
}

TEST_CASE("a kernel that does not end is ended", "[tuning][worker]") {
    Worker worker;
    require_right(worker);
    const int pid = worker.process();
    RunRequest request = request_for(hangs());
    request.deadline_seconds = 0.3;
    const WorkerRun run = worker.run(request, {}).value();
    CHECK(run.outcome == Outcome::TimedOut);
    CHECK_FALSE(run.reason.empty());
    CHECK_FALSE(alive(pid));
    require_right(worker);
}

TEST_CASE("a run is cancelled while it is under way", "[tuning][worker]") {
    Worker worker;
    std::stop_source source;
    int seen = 0;
    const Progress progress{source.get_token(), [&](std::string_view what, double) {
                                if (what.starts_with("running") && ++seen == 2) source.request_stop();
                            }};
    CHECK(worker.run(request_for(hangs()), progress).error().code == Code::Cancelled);
    CHECK(worker.process() == 0);
    // Before it begins, too.
    CHECK(worker.run(request_for(hangs()), progress).error().code == Code::Cancelled);
    require_right(worker);
}

TEST_CASE("a worker that is killed from outside is replaced", "[tuning][worker]") {
    Worker worker;
    require_right(worker);
    const int pid = worker.process();
    ::kill(pid, SIGKILL);
    // The next run finds it dead, or dying.
    const Result<WorkerRun> next = worker.run(request_for(doubles()), {});
    REQUIRE(next);
    CHECK((next->outcome == Outcome::Ok || next->outcome == Outcome::Crashed));
    require_right(worker);
    CHECK(worker.started() == 2);
}

TEST_CASE("no process is left when a worker is given up", "[tuning][worker]") {
    int pid = 0;
    {
        Worker worker;
        require_right(worker);
        pid = worker.process();
    }
    CHECK_FALSE(alive(pid));
}

TEST_CASE("what cannot be started or loaded is told", "[tuning][worker]") {
    Worker missing({.program = "/no/such/program"});
    CHECK(missing.run(request_for(doubles()), {}).error().code == Code::ProcessFailed);
    Worker ends({.program = "/bin/false"});
    CHECK(ends.run(request_for(doubles()), {}).error().code == Code::ProcessFailed);
    Worker talks({.program = "/bin/echo"});
    CHECK(talks.host({}).error().code == Code::ProcessFailed);
    Worker worker;
    RunRequest broken = request_for(doubles());
    broken.object.object = "no object file";
    CHECK(worker.run(broken, {}).value().outcome == Outcome::CompileError);
    RunRequest large = request_for(doubles());
    large.arguments[0].shape = {std::int64_t{1} << 40};
    CHECK(worker.run(large, {}).error().code == Code::LimitExceeded);
    require_right(worker);
}

TEST_CASE("what a kernel may not rely on is not zero", "[tuning][worker]") {
    Worker worker;
    const WorkerRun run = worker.run(request_for(forgets()), {}).value();
    REQUIRE(run.outcome == Outcome::Ok);
    CHECK(std::isnan(run.report.outputs[0].as_double(0)));
}

TEST_CASE("a worker that listens elsewhere outlives what it runs", "[tuning][worker]") {
    Listening listening;
    Worker worker({.address = listening.address()});
    require_right(worker);
    CHECK(worker.process() == 0);
    const WorkerRun crashed = worker.run(request_for(crashes()), {}).value();
    CHECK(crashed.outcome == Outcome::Crashed);
    CHECK_FALSE(crashed.reason.empty());
    require_right(worker);
    RunRequest endless = request_for(hangs());
    endless.deadline_seconds = 0.3;
    CHECK(worker.run(endless, {}).value().outcome == Outcome::TimedOut);
    require_right(worker);
    CHECK(worker.started() >= 3);
    listening.end();
    Worker gone({.start_seconds = 0.3, .address = listening.address()});
    CHECK(gone.host({}).error().code == Code::ProcessFailed);
}

TEST_CASE("a worker busy with what was given up is not taken for the next", "[tuning][worker]") {
    const Listening listening;
    std::atomic<bool> wait = true;
    std::future<bool> answered = std::async(std::launch::async, [&] {
        Channel busy(listening.address());
        return busy.run(request_for(hangs()), [&] { return wait.load(); }).value.has_value();
    });
    Channel next(listening.address());
    const auto patient = [] { return true; };
    // Until the run began it is as good as any.
    CallOutcome<WorkerHost> answer;
    for (int tries = 0; tries < 500 && (tries == 0 || answer.value); ++tries) {
        answer = next.hello(patient, true);
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    CHECK_FALSE(answer.value);
    CHECK(answer.error.failure == CallFailure::Broken);
    CHECK(next.hello(patient).value); // whoever gave up nothing waits for its turn
    wait = false;
    CHECK_FALSE(answered.get());
}

TEST_CASE("a worker listens on this machine only, unless told otherwise", "[tuning][worker]") {
    const auto refused = [](const std::string& address) {
        std::stop_source stop;
        stop.request_stop();
        return listen_worker({{}, address, false}, [](const std::string&) {}, {stop.get_token(), {}}).error().code;
    };
    for (const char* address : {"0.0.0.0:9190", "example.org:9190", "127.0.0.1", "127.0.0.1:0", "127.0.0.1:x", ":9190",
                                "127.0.0.1:70000", ""})
        CHECK(refused(address) == Code::BadArgument);
    CHECK(refused("127.0.0.1:9190") == Code::Cancelled);
    CHECK(refused("localhost:9190") == Code::Cancelled);
}
