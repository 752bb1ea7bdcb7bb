// Layouts and tiles chosen by what records say.

#include "core/session/layout_choices.hpp"

#include "core/session/measure.hpp"
#include "core/session/tune.hpp"
#include "tests/core/session/compiler.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <filesystem>
#include <map>
#include <unistd.h>

using namespace orrery;
using namespace orrery::session;

namespace {

Recipe squeezenet_recipe() {
    Recipe recipe = shared_compiler()->new_recipe({});
    recipe.builtin = "squeezenet";
    recipe.threads = 1;
    return recipe;
}
Recipe in_tiles(Recipe recipe, const char* tile) {
    for (transform::PassStep& step : recipe.passes)
        if (step.name == "Winograd") step.options["tile"] = tile;
    return recipe;
}

/// The kernels' workloads by what their only convolution is.
std::map<std::string, std::string> convolutions_of(const Recipe& recipe) {
    const Steps steps = shared_compiler()->graph_steps(recipe, {}).value();
    std::map<std::string, std::string> out;
    const Compiler::Functions functions = shared_compiler()->functions(recipe, steps.back()->module, {}).value();
    for (const FunctionPtr& function : functions.functions)
        for (const graph::Binding& binding : function->lowered.source->bindings)
            if (const auto work = transform::conv_work(binding))
                out[transform::kernel_key(*work, transform::conv_variant(binding))] =
                    to_string(function->lowered.workload);
    return out;
}
std::size_t tiled_in(const std::map<std::string, std::string>& kernels) {
    return static_cast<std::size_t>(
        std::ranges::count_if(kernels, [](const auto& kernel) { return !kernel.first.ends_with("w0"); }));
}

} // namespace

TEST_CASE("records of kernels in other tiles decide in the recipe", "[session][layout_choices]") {
    const std::filesystem::path path =
        std::filesystem::temp_directory_path() / ("orrery_layouts_" + std::to_string(::getpid()) + ".db");
    const Recipe recipe = squeezenet_recipe();
    const std::map<std::string, std::string> own = convolutions_of(recipe),
                                             plain = convolutions_of(in_tiles(recipe, "0"));
    REQUIRE(tiled_in(own) > 0);
    REQUIRE(tiled_in(plain) == 0);
    {
        tuning::Measurer measurer(std::shared_ptr<const Backend>(shared_compiler(), &shared_compiler()->backend()),
                                  {.records = path});
        const LayoutTimes none = layout_times(recipe, *shared_compiler(), measurer, std::nullopt, {}).value();
        CHECK(none.known == 0);
        CHECK(none.times.empty());
        CHECK(none.kernels > own.size());
        const std::int64_t distance = tuning_tasks(recipe, *shared_compiler(), {}).value().front().weights_distance;
        REQUIRE(distance > 0);
        const auto keep = [&](const std::string& workload, double ms, std::int64_t weights_distance) {
            tuning::Record record;
            record.workload = workload;
            record.target = to_string(recipe.target);
            record.machine = measurer.machine();
            record.times.median_ms = ms, record.weights_distance = weights_distance;
            tuning::Records records = tuning::Records::open(path).value();
            REQUIRE(records.add(record).has_value());
        };
        for (const auto& [key, workload] : own) keep(workload, 1, 0);
        const LayoutTimes near = layout_times(recipe, *shared_compiler(), measurer, std::nullopt, {}).value();
        CHECK(near.known == 0); // measured as in another model
        for (const auto& [key, workload] : own) keep(workload, 5, distance);
        for (const auto& [key, workload] : plain)
            if (!own.contains(key)) keep(workload, 0.25, distance);

        const LayoutTimes some = layout_times(recipe, *shared_compiler(), measurer, std::nullopt, {}).value();
        CHECK(some.known >= own.size() + tiled_in(own));
        CHECK(some.times.text().find(own.begin()->first + " = 5000000\n") != std::string::npos);
        const Recipe timed = with_layout_times(recipe, some.times);
        CHECK(tiled_in(convolutions_of(timed)) == 0);
        const Steps steps = shared_compiler()->graph_steps(timed, {}).value();
        const transform::LayoutReport report = layout_report(timed, steps).value();
        CHECK(std::ranges::any_of(report.choices, &transform::LayoutChoice::measured));
        CHECK(to_text(report).find("as measured") != std::string::npos);
        // The times are a part of the recipe.
        CHECK(from_json(to_json(timed), shared_compiler()->backend()).value() == timed);

        Recipe without = recipe;
        std::erase_if(without.passes, [](const auto& step) { return step.name == "AlterOpLayout"; });
        CHECK(layout_times(without, *shared_compiler(), measurer, std::nullopt, {}).error().code == Code::UnknownName);
    }
    for (const char* rest : {"", "-wal", "-shm"}) std::filesystem::remove(path.string() + rest);
}
