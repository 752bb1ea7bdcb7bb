// 2,000 damaged models: bytes flipped, cut, fields changed. Each is taken or refused; none crashes, hangs or takes more
// than 1 GiB. They run in forked batches, so that a crash names its model.

#include "tests/core/frontends/onnx/models.hpp"
#include "tests/core/frontends/onnx/mutation.hpp"

#include <catch2/catch.hpp>

#include <chrono>
#include <csignal>
#include <fstream>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace orrery;
using namespace orrery::onnx;
using namespace orrery::onnx::models;

namespace {

constexpr int kModels = 2000, kBatch = 100;
constexpr std::uint64_t kSeed = 20240229;
constexpr unsigned kBatchSeconds = 120; // a hang, not a slow machine
constexpr rlim_t kMemory = rlim_t{1} << 30;

/// What a batch tells: models met, taken, refused, the slowest one's time.
struct Tally {
    int met = 0, taken = 0, refused = 0;
    double slowest = 0;
};

void limit_memory() {
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) // they reserve terabytes of address space
    std::ifstream statm("/proc/self/statm");
    rlim_t pages = 0;
    statm >> pages;
    const rlim_t now = pages * static_cast<rlim_t>(sysconf(_SC_PAGESIZE));
    const rlimit limit{now + kMemory, now + kMemory};
    setrlimit(RLIMIT_AS, &limit);
#endif
}

[[noreturn]] void work(int out, int first, const std::vector<std::string>& originals) {
    limit_memory();
    std::signal(SIGALRM, SIG_DFL);
    alarm(kBatchSeconds);
    Tally tally;
    for (int i = first; i < first + kBatch; ++i) {
        tally.met = i - first;
        (void)!write(out, &tally, sizeof tally);
        const std::string bytes = mutated(originals, kSeed + static_cast<std::uint64_t>(i));
        const auto start = std::chrono::steady_clock::now();
        const auto module = import_bytes(std::as_bytes(std::span(bytes)), {});
        tally.slowest =
            std::max(tally.slowest, std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
        ++(module ? tally.taken : tally.refused);
        if (!module && module.error().message.empty()) _exit(3);
    }
    tally.met = kBatch;
    (void)!write(out, &tally, sizeof tally);
    _exit(0);
}

/// Runs one batch in a child and says how it ended; the tally is the last one told.
int run_batch(int first, const std::vector<std::string>& originals, Tally& tally) {
    int ends[2];
    REQUIRE(pipe(ends) == 0);
    const pid_t child = fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        close(ends[0]);
        work(ends[1], first, originals);
    }
    close(ends[1]);
    Tally next;
    while (read(ends[0], &next, sizeof next) == static_cast<ssize_t>(sizeof next)) tally = next;
    close(ends[0]);
    int status = 0;
    waitpid(child, &status, 0);
    return status;
}

} // namespace

TEST_CASE("2,000 mutated models are taken or refused, each soon and in bounded memory", "[onnx][import][hostile]") {
    std::vector<std::string> originals;
    for (const ::onnx::ModelProto& model : seeds()) originals.push_back(model.SerializeAsString());
    Tally all;
    for (int first = 0; first < kModels; first += kBatch) {
        Tally tally;
        const int status = run_batch(first, originals, tally);
        INFO("model " << first + tally.met << ", seed " << kSeed + static_cast<std::uint64_t>(first + tally.met)
                      << ", status " << status);
        REQUIRE(WIFEXITED(status));
        REQUIRE(WEXITSTATUS(status) == 0);
        all.taken += tally.taken;
        all.refused += tally.refused;
        all.slowest = std::max(all.slowest, tally.slowest);
    }
    CHECK(all.taken + all.refused == kModels);
    CHECK(all.refused > kModels / 4); // the damage is real
    CHECK(all.taken > kModels / 50);  // and not always fatal
    INFO("slowest " << all.slowest << " s");
    CHECK(all.slowest < 5); // a second is the goal, met when nothing else runs
}
