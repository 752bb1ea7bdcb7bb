// The Access pane's view data of a small model.

#include "backends/llvm/llvm_backend.hpp"
#include "core/session/schedule_edit.hpp"
#include "core/session/session.hpp"
#include "views/model/access_view.hpp"
#include "views/model/session_views.hpp"

#include <catch2/catch.hpp>

#include <nlohmann/json.hpp>

#include <algorithm>

using namespace orrery;
using namespace orrery::views;
using What = session::TraceEdit::What;

namespace {

/// LeNet's second convolution, as lowered: 6 channels of 14 by 14, 16 results of 10 by 10, windows of 5 by 5.
struct Opened {
    std::shared_ptr<session::Compiler> compiler =
        std::make_shared<session::Compiler>(make_llvm_backend(), session::Compiler::Options{});
    session::Session session{compiler};
    ViewOptions options;
    Opened() {
        session.open_builtin("lenet");
        session.edit("-O2", [](session::Recipe& recipe) {
            recipe.passes = transform::default_pipeline(2);
            recipe.rule = session::ScheduleRule::None;
        });
        session.wait_idle();
        options.function = "conv2d_bias_add_tanh_1";
        options.access.on = true;
    }
    [[nodiscard]] AccessViewData at(const std::string& place, const std::string& buffer = {}) {
        options.access.place = place, options.access.buffer = buffer;
        return build_access(*session.snapshot(), options);
    }
};

/// A cell of a row that is named by its first cell, under a column.
const TableCell& cell(const Table& table, const std::string& row, const std::string& column) {
    const auto c = std::ranges::find(table.columns, column, &TableColumn::title) - table.columns.begin();
    REQUIRE(c < std::ssize(table.columns));
    for (const TableRow& each : table.rows)
        if (each.cells.front().text.find(row) != std::string::npos) return each.cells[static_cast<std::size_t>(c)];
    FAIL("no row " << row);
    return table.rows.front().cells.front();
}

int marked(const AccessPicture& picture, AccessMark mark) {
    int count = 0;
    for (int r = 0; r < picture.rows; ++r)
        for (int c = 0; c < picture.columns; ++c) count += picture.has(r, c, mark) ? 1 : 0;
    return count;
}

} // namespace

TEST_CASE("what a convolution's loops touch, by hand", "[views][access]") {
    Opened t;
    const AccessViewData data = t.at("conv2d.kh");
    CHECK(data.block == "conv2d");
    CHECK(data.place == "conv2d.kh");
    REQUIRE(data.levels.rows.size() >= 6);
    REQUIRE(data.level_places.size() == data.levels.rows.size());
    CHECK(data.level_places[static_cast<std::size_t>(data.level_row)] == "conv2d.kh");
    REQUIRE(data.picture.rows > 0);
    // One iteration of kh: a row of the window, 5 neighbours; the next one stands below.
    const AccessPicture& picture = data.picture;
    CHECK(picture.all_columns == 14);
    CHECK(marked(picture, kTouchedNow) == 5);
    CHECK(marked(picture, kTouchedNext) == 5);
    CHECK(marked(picture, kTouchedInLoop) == 25);
    CHECK(marked(picture, kLineStart) > 0);
    CHECK(cell(data.levels, "kh", "Elements").sort_key == 25);
    CHECK(cell(data.levels, "kw", "Elements").sort_key == 5);
    CHECK(cell(data.levels, "ic", "Elements").sort_key == 6 * 25);
    CHECK(cell(data.levels, "kw", "Stride").text == "1");
    CHECK(cell(data.levels, "kh", "Stride").text == "14");
    CHECK(cell(data.levels, "kw", "Reuse").text == "1×");
    CHECK(cell(data.levels, "kw", "L1").bar > 0);
    CHECK(data.summary.find("conv2d.kh: one iteration touches") == 0);
    CHECK(data.buffer_names[static_cast<std::size_t>(data.buffer_row)] == picture.buffer);
}

TEST_CASE("places and buffers that are asked for, and those that are not there", "[views][access]") {
    Opened t;
    const AccessViewData free = t.at("");
    CHECK(free.block == "conv2d"); // it is run most often
    CHECK(free.level_row >= 0);
    const AccessViewData block = t.at("tanh");
    CHECK(block.block == "tanh");
    CHECK(block.level_row == static_cast<int>(block.levels.rows.size()) - 1);
    CHECK(t.at("nothing.at").block == "conv2d");
    const std::string weights = t.at("conv2d.ic").buffer_names[1];
    CHECK(t.at("conv2d.ic", weights).picture.buffer == weights);
    CHECK(t.at("conv2d.ic", "nothing").picture.buffer == t.at("conv2d.ic").picture.buffer);
    t.options.function = "flatten";
    t.session.close();
    t.session.wait_idle();
    CHECK_FALSE(t.at("").empty_reason.empty());
}

TEST_CASE("buffers: scope, size, when they are in use", "[views][access]") {
    Opened t;
    const AccessViewData data = t.at("conv2d.ic");
    REQUIRE(data.buffers.rows.size() >= 4);
    CHECK(data.buffers.rows.front().cells[1].text == "input");
    bool allocated = false;
    for (const TableRow& row : data.buffers.rows) {
        const TableCell& life = row.cells[4];
        CHECK(life.bar > 0);
        CHECK(life.bar_from >= 0);
        CHECK(life.bar_from + life.bar <= 1.001F);
        allocated = allocated || row.cells[1].text == "memory";
    }
    CHECK(allocated);
}

TEST_CASE("the pane as text and JSON", "[views][access]") {
    Opened t;
    const AccessViewData data = t.at("conv2d.kh");
    const std::string text = to_text(data);
    CHECK(text.find("#####") != std::string::npos);
    CHECK(text.find("touched now") != std::string::npos);
    const auto json = nlohmann::json::parse(to_json(data));
    CHECK(json["picture"]["drawn"][0] == data.picture.rows);
    CHECK(json["place"] == "conv2d.kh");
}
