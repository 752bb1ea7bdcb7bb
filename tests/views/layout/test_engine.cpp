#include "tests/views/layout/graphs.hpp"
#include "views/layout/engine.hpp"
#include "views/layout/graphviz_process.hpp"

#include <catch2/catch.hpp>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <thread>

using namespace orrery;
using namespace orrery::layout;

namespace {

Options with_worker() {
    Options options;
    options.worker = ORRERY_LAYOUT_WORKER;
    options.time_box_s = 20; // what these tests check is not speed
    return options;
}

/// A helper that never answers.
std::filesystem::path sleeper() {
    const auto path = std::filesystem::temp_directory_path() / "orrery_test_sleeper.sh";
    std::ofstream(path) << "#!/bin/sh\nexec sleep 600\n";
    std::filesystem::permissions(path, std::filesystem::perms::owner_all);
    return path;
}

} // namespace

TEST_CASE("Graphviz lays out a small graph", "[views][layout]") {
    LayoutEngine engine(with_worker());
    Input input = chain(5);
    input.edges.push_back({0, 3});
    const auto result = engine.run(input);
    REQUIRE(result);
    CHECK((*result)->note == "");
    REQUIRE((*result)->engine == Engine::Graphviz);
    CHECK(fits(**result, input));
    CHECK_FALSE(boxes_overlap(input, **result));
    for (const Edge& e : input.edges) CHECK((*result)->centers[e.from].y < (*result)->centers[e.to].y);
    CHECK(engine.run(input).value() == *result); // the same object: from the cache
}

TEST_CASE("Graphviz keeps groups apart", "[views][layout]") {
    LayoutEngine engine(with_worker());
    Input input = chain(4);
    input.groups = {{-1, 18}};
    input.nodes[1].group = input.nodes[2].group = 0;
    const auto result = engine.run(input);
    REQUIRE(result);
    REQUIRE((*result)->engine == Engine::Graphviz);
    CHECK((*result)->groups[0].contains((*result)->centers[1]));
    CHECK_FALSE((*result)->groups[0].contains((*result)->centers[0]));
}

TEST_CASE("a helper that hangs is killed at the end of its time box", "[views][layout]") {
    Options options = with_worker();
    options.worker = sleeper();
    options.time_box_s = 0.1;
    LayoutEngine engine(options);
    const auto result = engine.run(chain(3));
    REQUIRE(result);
    CHECK((*result)->engine == Engine::Layered);
    CHECK_FALSE((*result)->note.empty());
    const auto direct = run_graphviz(chain(3), options.worker, 0.05, {});
    REQUIRE_FALSE(direct);
    CHECK(direct.error().code == Code::ProcessFailed);
}

TEST_CASE("a missing or failing helper falls back", "[views][layout]") {
    for (const char* worker : {"/nonexistent/orrery-layout", "/bin/false", "/bin/true"}) {
        Options options = with_worker();
        options.worker = worker;
        LayoutEngine engine(options);
        const auto result = engine.run(chain(3));
        REQUIRE(result);
        CHECK((*result)->engine == Engine::Layered);
    }
}

TEST_CASE("a large graph is not even sent to Graphviz", "[views][layout]") {
    Options options = with_worker();
    options.worker = sleeper();
    options.graphviz_limit = 100;
    LayoutEngine engine(options);
    const auto result = engine.run(transformer(20));
    REQUIRE(result);
    CHECK((*result)->engine == Engine::Layered);
}

TEST_CASE("cancelling stops a running layout", "[views][layout]") {
    Options options = with_worker();
    options.worker = sleeper();
    options.time_box_s = 60;
    LayoutEngine engine(options);
    std::stop_source source;
    std::thread canceller([&] { source.request_stop(); });
    Progress progress;
    progress.stop = source.get_token();
    const auto result = engine.run(chain(3), progress);
    canceller.join();
    REQUIRE_FALSE(result);
    CHECK(result.error().code == Code::Cancelled);
}

TEST_CASE("layouts are kept between runs", "[views][layout]") {
    const auto directory = std::filesystem::temp_directory_path() / "orrery_test_layouts";
    std::filesystem::remove_all(directory);
    Options options = with_worker();
    options.cache_directory = directory;
    const Input input = chain(4);
    const auto first = LayoutEngine(options).run(input);
    REQUIRE(first);
    options.worker = "/bin/false";
    const auto second = LayoutEngine(options).run(input);
    REQUIRE(second);
    CHECK((*second)->engine == Engine::Graphviz);
    CHECK((*second)->centers == (*first)->centers);
    // A damaged file is as good as none.
    for (const auto& entry : std::filesystem::directory_iterator(directory)) std::ofstream(entry.path()) << "ORL";
    const auto third = LayoutEngine(options).run(input);
    REQUIRE(third);
    CHECK((*third)->engine == Engine::Layered);
    std::filesystem::remove_all(directory);
}
