// Random walks of primitives over the gallery. ORRERY_SEED draws other walks, ORRERY_WALKS says how many.

#include "tests/core/schedule/gallery.hpp"
#include "tests/core/schedule/walk.hpp"

#include <cstdio>
#include <cstdlib>

using namespace orrery;
using namespace orrery::schedule;
using namespace orrery::schedule::test;

namespace {

std::uint64_t number_from(const char* name, std::uint64_t otherwise) {
    const char* text = std::getenv(name);
    return text ? std::strtoull(text, nullptr, 10) : otherwise;
}

void walk_all(int walks, int length, WalkCounts& counts) {
    const std::uint64_t seed = number_from("ORRERY_SEED", 1);
    std::string failures;
    int failed = 0;
    for (int i = 0; i < walks && failed < 12; ++i) {
        const std::string& text = gallery_texts()[static_cast<std::size_t>(i) % gallery_texts().size()];
        const WalkFailure failure =
            Walk(program_of(text), seed * 1000003 + static_cast<std::uint64_t>(i), true).run(length, counts);
        if (failure.what.empty()) continue;
        ++failed;
        failures += "\nwalk " + std::to_string(i) + " on " + text.substr(0, text.find('(')) + ": " + failure.what +
                    "\n" + to_string(failure.trace);
    }
    INFO(failures);
    REQUIRE(failures.empty());
}

void report(const WalkCounts& counts) {
    std::printf("%d steps tried, %d undone, %d redone, %d programs compiled\n", counts.steps, counts.undone,
                counts.redone, counts.compiled);
    for (const PrimitiveInfo& info : primitives()) {
        const auto count = [&](const std::map<std::string, int>& of) {
            const auto found = of.find(info.name);
            return found == of.end() ? 0 : found->second;
        };
        if (!info.sampling)
            std::printf("%-24s accepted %6d  refused %6d\n", info.name.c_str(), count(counts.accepted),
                        count(counts.refused));
    }
}

} // namespace

TEST_CASE("walks of primitives keep the numbers and can be undone", "[schedule][walk]") {
    WalkCounts counts;
    walk_all(40, 10, counts);
    REQUIRE(counts.accepted.size() > 5);
    REQUIRE(counts.refused.size() > 5);
}

TEST_CASE("a thousand walks of primitives keep the numbers and can be undone", "[.nightly][schedule][walk]") {
    WalkCounts counts;
    walk_all(static_cast<int>(number_from("ORRERY_WALKS", 1000)), 16, counts);
    report(counts);
    for (const PrimitiveInfo& info : primitives())
        if (!info.sampling) {
            INFO(info.name);
            CHECK(counts.accepted[info.name] > 0);
        }
}
