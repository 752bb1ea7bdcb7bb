#include "views/model/memory_view.hpp"
#include "views/model/panels.hpp"
#include "views/model/resource.hpp"
#include "views/model/session_views.hpp"
#include "views/model/stages_view.hpp"
#include "views/model/table.hpp"

#include <catch2/catch.hpp>

#include <nlohmann/json.hpp>

#include <set>

using namespace orrery;
using namespace orrery::views;

TEST_CASE("tables are aligned by characters, not bytes", "[views][panels]") {
    Table table;
    table.columns = {{"Name", Align::Left, 0}, {"n", Align::Right, 0}};
    table.rows = {{{{"a×b", 0, -1}, {"5", 5, -1}}, {}, Tone::Normal, {}},
                  {{{"long", 0, -1}, {"120", 120, -1}}, {}, Tone::Normal, {}}};
    CHECK(to_text(table) == "Name    n\na×b     5\nlong  120\n");
    table.rows.clear();
    table.empty_reason = "Nothing.";
    CHECK(to_text(table) == "Nothing.\n");
}

TEST_CASE("problems keep their place, their hint and their code", "[views][panels]") {
    const ProblemsViewData data = build_problems(
        {{Code::UnsupportedOperator, "no such operator", {ModelNode{"n1", "Foo"}}, "export it otherwise"},
         {Code::ProcessFailed, "slow", {}, {}, Severity::Warning}});
    REQUIRE(data.table.rows.size() == 2);
    CHECK(data.errors == 1);
    CHECK(data.warnings == 1);
    CHECK(data.table.rows[0].cells[2].text.find("n1") != std::string::npos);
    CHECK(data.table.rows[0].cells[4].text == "UnsupportedOperator");
    CHECK(data.table.rows[0].tone == Tone::Bad);
    CHECK(data.table.rows[1].tone == Tone::Warning);
}

TEST_CASE("remedies that are options of the command line say what to do in the window", "[views][panels]") {
    CHECK(hint_in_window("bind them with --shape ids=... --shape mask=...") ==
          "double-click the import stage and give ids, mask their shapes");
    CHECK(hint_in_window("open the model with --shape x=..., or give the inputs with --input") ==
          "double-click the import stage and give x a shape");
    CHECK(hint_in_window("bind every symbolic dimension with --shape") ==
          "double-click the import stage and give the inputs their shapes");
    // A model that cannot be read has no import stage.
    CHECK(hint_in_window("give them with --shape x=...", false) ==
          "give them with --shape x=..., on the command line, or open a recipe with these shapes");
    CHECK(hint_in_window("compile it without --partition to schedule it here") ==
          "switch AnnotateTarget off to schedule it here");
    CHECK(hint_in_window("end it in .o, .s or .ll") == "end it in .o, .s or .ll");
    CHECK(hint_in_window("").empty());
    const ProblemsViewData data = build_problems({{Code::BadShape, "open", {}, "bind them with --shape x=..."}});
    CHECK(data.table.rows[0].cells[3].text == "double-click the import stage and give x a shape");
    CHECK(data.table.rows[0].details.find("--shape") == std::string::npos);
}

TEST_CASE("bytes are written in powers of 1024", "[views][panels]") {
    CHECK(bytes_text(0) == "0 B");
    CHECK(bytes_text(1023) == "1023 B");
    CHECK(bytes_text(1536) == "1.5 KB");
    CHECK(bytes_text(200ull << 20) == "200 MB");
    CHECK(bytes_text(3ull << 40) == "3.0 TB");
}

TEST_CASE("the memory plan is summed by step", "[views][panels]") {
    MemoryViewData data;
    CHECK(to_text(data) == data.empty_reason + "\n");
    data.step_names = {"a", "b", "c"};
    MemoryBox x;
    x.name = "x", x.bytes = 1024, x.first_step = 0, x.last_step = 1;
    MemoryBox y = x;
    y.name = "y", y.offset = 1024, y.first_step = 1, y.last_step = 2;
    data.boxes = {x, y};
    data.arena_bytes = 2048, data.bound_bytes = 2048;
    summarize(data);
    CHECK(data.live_bytes == std::vector<std::uint64_t>{1024, 2048, 1024});
    CHECK(data.summary == "2.0 KB for 2 values, the least possible");
    data.bound_bytes = 1024;
    summarize(data);
    CHECK(data.summary == "2.0 KB for 2 values, 100.0 % above the least possible");
    const Table table = memory_table(data);
    REQUIRE(table.rows.size() == 2);
    CHECK(table.rows[1].cells[4].text == "2–3");
    CHECK(table.rows[1].details.find("from 2 b to 3 c") != std::string::npos);
}

TEST_CASE("memory that values share is counted once, and the table says so", "[views][panels]") {
    MemoryViewData data;
    data.step_names = {"a", "b", "c"};
    const auto box = [&](const char* name, std::uint64_t offset, std::uint64_t bytes, int first, int last) {
        MemoryBox b;
        b.name = name, b.offset = offset, b.bytes = bytes, b.first_step = first, b.last_step = last;
        data.boxes.push_back(b);
        return &data.boxes.back();
    };
    data.boxes.reserve(4);
    box("p", 64, 64, 0, 1)->part_of = "whole";
    box("q", 128, 192, 1, 2)->part_of = "whole";
    box("whole", 64, 256, 2, 2)->joins = "no kernel";
    box("alone", 512, 64, 0, 2);
    data.arena_bytes = 576, data.bound_bytes = 320;
    summarize(data);
    CHECK(data.live_bytes == std::vector<std::uint64_t>{128, 320, 320});
    CHECK(data.summary.find("4 values, 2 of them inside others") != std::string::npos);
    const Table table = memory_table(data);
    REQUIRE(table.columns.size() == 6);
    CHECK(table.rows[0].cells.at(5).text == "whole");
    CHECK(table.rows[3].cells.at(5).text.empty());
    CHECK(table.rows[1].details.find("inside whole") != std::string::npos);
    CHECK(table.rows[2].details.find("no kernel") != std::string::npos);
    CHECK(place_notes(data.boxes[3]).empty());
    CHECK(nlohmann::json::parse(to_json(data))["boxes"][1]["part_of"] == "whole");
}

TEST_CASE("stages say what is selected, unchanged, failed", "[views][panels]") {
    StagesViewData data;
    CHECK(to_text(data) == data.empty_reason + "\n");
    StageStep import, fuse;
    import.name = "import", import.selected = true;
    fuse.name = "FuseOps", fuse.changed = false, fuse.state = StageState::Failed;
    data.sections = {{"Graph", {import, fuse}}};
    CHECK(to_text(data) == "Graph\n  > import\n    FuseOps (unchanged) [failed]\n");
}

TEST_CASE("resources are reached by name", "[views][panels]") {
    CHECK(resource("no such file").empty());
    CHECK(nlohmann::json::parse(resource("theme.json")).contains("dark"));
    std::set<std::string> names;
    for (const StartSample& sample : build_start().samples) {
        names.insert(sample.name);
        CHECK_FALSE(sample.title.empty());
        CHECK_FALSE(sample.description.empty());
    }
    CHECK(names == std::set<std::string>{"mlp", "lenet", "resnet18", "resnet50", "vgg16", "squeezenet", "mobilenet_v1",
                                         "mobilenet_v2", "inception_v1", "densenet121", "lstm", "transformer"});
}

TEST_CASE("text that is not UTF-8 does not break JSON", "[views][panels]") {
    InspectorViewData data;
    data.title = "bad \xff byte";
    CHECK(nlohmann::json::parse(to_json(data))["view"] == "inspector");
}
