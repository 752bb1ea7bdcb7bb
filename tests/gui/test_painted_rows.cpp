#include "tests/gui/driver.hpp"
#include "views/qt/painted_rows.hpp"

#include <catch2/catch.hpp>

#include <QPainter>

using namespace orrery;

namespace {

/// A list that says what it was asked to paint.
class RowsProbe : public QWidget {
  public:
    int rows = 0;
    QRegion painted;
    qt::PaintedRows kept;

    [[nodiscard]] QRect rect_of(int row) const { return {0, row * 20, width(), 20}; }
    void show_rows(int count) {
        rows = count;
        kept.update(
            *this, rows, [](int row) { return static_cast<std::uint64_t>(row) + 1; },
            [this](int row) { return rect_of(row); });
    }

  protected:
    void paintEvent(QPaintEvent* event) override {
        painted += event->region();
        if (rows == 0) return kept.forget();
        for (int row = 0; row < rows; ++row)
            if (qt::wants(*event, rect_of(row))) kept.painted(row, static_cast<std::uint64_t>(row) + 1);
    }
};

} // namespace

TEST_CASE("what stood where there were no rows is painted over when rows come", "[gui][rows]") {
    RowsProbe probe;
    probe.resize(200, 200);
    probe.show();
    REQUIRE(gui_test::wait_for([&] { return probe.painted == QRegion(probe.rect()); }));
    probe.painted = {};
    probe.show_rows(2);
    REQUIRE(gui_test::wait_for([&] { return !probe.painted.isEmpty(); }));
    CHECK(probe.painted == QRegion(probe.rect()));
    // A row more, and it alone.
    probe.painted = {};
    probe.show_rows(3);
    REQUIRE(gui_test::wait_for([&] { return !probe.painted.isEmpty(); }));
    CHECK(probe.painted == QRegion(probe.rect_of(2)));
    // Fewer: what lies under the last.
    probe.painted = {};
    probe.show_rows(1);
    REQUIRE(gui_test::wait_for([&] { return !probe.painted.isEmpty(); }));
    CHECK(probe.painted == QRegion(0, 20, 200, 180));
}
