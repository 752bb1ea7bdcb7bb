#include "views/model/table.hpp"
#include "views/qt/command_palette.hpp"
#include "views/qt/table_model.hpp"

#include <catch2/catch.hpp>

#include <QAbstractItemModelTester>
#include <QSortFilterProxyModel>

using namespace orrery;

namespace {

std::shared_ptr<views::Table> sizes() {
    auto table = std::make_shared<views::Table>();
    table->columns = {{"Name", views::Align::Left, 0}, {"Size", views::Align::Right, 8}};
    for (const auto& [name, bytes] : {std::pair("b", 900.0), {"a", 12.0}, {"c", 1000.0}})
        table->rows.push_back({{{name, 0, -1}, {std::to_string(static_cast<int>(bytes)) + " B", bytes, 0.5f}},
                               {},
                               views::Tone::Normal,
                               {}});
    return table;
}

} // namespace

TEST_CASE("the table model keeps Qt's contract", "[gui][model]") {
    qt::TableModel model;
    const QAbstractItemModelTester tester(&model, QAbstractItemModelTester::FailureReportingMode::Fatal);
    model.set_table(sizes());
    REQUIRE(model.rowCount() == 3);
    CHECK(model.index(1, 1).data().toString() == "12 B");
    model.set_table(std::make_shared<views::Table>());
    CHECK(model.rowCount() == 0);
}

TEST_CASE("columns sort by their key, not by their text", "[gui][model]") {
    qt::TableModel model;
    QSortFilterProxyModel sorted;
    const QAbstractItemModelTester tester(&sorted, QAbstractItemModelTester::FailureReportingMode::Fatal);
    sorted.setSourceModel(&model);
    sorted.setSortRole(qt::TableModel::SortRole);
    model.set_table(sizes());
    sorted.sort(1);
    CHECK(sorted.index(0, 0).data().toString() == "a");
    CHECK(sorted.index(1, 0).data().toString() == "b");
    CHECK(sorted.index(2, 0).data().toString() == "c");
}

TEST_CASE("the palette finds by letters in order and prefers word starts", "[gui][model]") {
    CHECK(qt::palette_score("xyz", "Fit the graph") < 0);
    CHECK(qt::palette_score("ftg", "Fit the graph") > qt::palette_score("ftg", "afterthought going"));
    qt::PaletteModel model;
    const QAbstractItemModelTester tester(&model, QAbstractItemModelTester::FailureReportingMode::Fatal);
    std::vector<qt::PaletteEntry> entries;
    for (const char* text : {"Open a model", "Fit the whole graph", "Run the model"}) {
        qt::PaletteEntry entry;
        entry.text = QLatin1String(text);
        entries.push_back(entry);
    }
    model.set_entries(entries);
    CHECK(model.rowCount() == 3);
    model.filter("run");
    REQUIRE(model.rowCount() == 1);
    CHECK(model.entry(0)->text == "Run the model");
    CHECK(model.entry(7) == nullptr);
}
