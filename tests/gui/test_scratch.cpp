// A scratchpad over a real session: a gallery item is opened, edited, broken, mended, scheduled; all is taken back.

#include "tests/gui/live_window.hpp"
#include "views/model/gallery.hpp"

#include <catch2/catch.hpp>

#include <QSplitter>
#include <QTextBlock>
#include <QTextCursor>

using namespace orrery;
using namespace orrery::gui_test;
using app::ActionId;
using What = session::TraceEdit::What;

namespace {

struct Scratchpad : LiveWindow {
    explicit Scratchpad(const char* item = "gallery:matmul") : LiveWindow(1600, 1000) {
        for (qt::StartCard* card : window.start_page()->gallery())
            if (item != nullptr && card->accessibleName() == title_of(item)) card->click();
        settle();
    }
    static QString title_of(const char* item) {
        const views::GalleryItem* found = views::find_in_gallery(std::string(item).substr(8));
        REQUIRE(found != nullptr);
        return QString::fromStdString(found->title);
    }
    [[nodiscard]] qt::EditPanel& pad() const { return *window.workspace()->scratch(); }
    [[nodiscard]] QString text() const { return pad().field()->toPlainText(); }
    /// Types over the first place where `from` stands, then waits for the pause and what comes of it.
    void replace(const QString& from, const QString& to) {
        QTextCursor cursor = pad().field()->document()->find(from);
        REQUIRE_FALSE(cursor.isNull());
        pad().field()->setFocus();
        pad().field()->setTextCursor(cursor);
        QTest::keyClicks(pad().field(), to);
        REQUIRE(wait_for([this] { return !pad().waiting(); }));
        settle();
    }
    [[nodiscard]] std::string program() const { return *screen().tensor->text; }
    [[nodiscard]] std::size_t steps() const { return screen().loops->trace.size(); }
};

} // namespace

TEST_CASE("a gallery item opens with its text, loops, program and code side by side", "[gui][scratch]") {
    Scratchpad t;
    CHECK(t.window.workspace()->arrangement() == app::Arrangement::Scratch);
    CHECK(t.text() == QString::fromUtf8(views::find_in_gallery("matmul")->text.data(),
                                        static_cast<qsizetype>(views::find_in_gallery("matmul")->text.size())));
    CHECK(t.pad().isVisible());
    CHECK(t.pad().field()->hasFocus());
    CHECK(t.window.workspace()->loops()->isVisible());
    CHECK(t.window.workspace()->tensor()->isVisible());
    CHECK(t.window.workspace()->assembly()->isVisible());
    CHECK(t.program().find("fn matmul(A: f32[256,256]") == 0);
    CHECK(t.screen().assembly->line_count() > 20);
    CHECK(t.screen().loops->rows.size() > 3);
    CHECK(t.window.windowTitle().startsWith("matmul"));
    t.both_themes("scratch");
    t.open("mlp");
    CHECK_FALSE(t.screen().edit->live);
}

TEST_CASE("typing recompiles after a pause; a mistake stands at its line and the last good code stays",
          "[gui][scratch]") {
    Scratchpad t;
    const std::string before = t.program();
    t.replace("256", "64");
    CHECK(t.program().find("A: f32[64,256]") != std::string::npos);
    CHECK_FALSE(t.pad().dirty());
    const std::string edited = t.program();
    t.replace("B[k, j]", "B[k, jj]");
    CHECK(t.program() == edited);
    CHECK(t.screen().edit->error_line == 8);
    CHECK(t.pad().field()->note().contains("jj"));
    CHECK(t.window.workspace()->bottom_tab() != app::Workspace::ProblemsTab); // it is said where it is
    t.both_themes("scratch_broken");
    t.replace("jj", "j");
    CHECK(t.screen().edit->error_line == 0);
    CHECK(t.pad().field()->note().isEmpty());
    CHECK(t.program() == edited);
    // One step of the script a pause.
    CHECK(t.screen().script->table.rows.size() == 4);
    // A step of a schedule, then all is taken back.
    t.submit(views::EditTrace{{.what = What::Rewrite}});
    CHECK(t.steps() == 0);
    t.submit(views::EditTrace{{.what = What::Insert, .at = 0, .text = "split(C.k, [-1, 8])"}});
    CHECK(t.steps() == 1);
    CHECK(t.program().find("k_o") != std::string::npos);
    // A comment leaves the schedule alone: it belongs to what is computed.
    t.replace("# Each", "# Here each");
    CHECK(t.steps() == 1);
    for (int i = 0; i < 6; ++i) t.trigger(ActionId::Undo);
    CHECK(t.screen().undo_title.empty());
    CHECK(t.program() == before);
    CHECK(t.text().toStdString() == views::find_in_gallery("matmul")->text);
    for (int i = 0; i < 6; ++i) t.trigger(ActionId::Redo);
    CHECK(t.steps() == 1);
    CHECK(t.text().contains("# Here each"));
}

TEST_CASE("a line of the text and the code made of it are selected together", "[gui][scratch]") {
    Scratchpad t("gallery:softmax");
    qt::EditField* field = t.pad().field();
    QTextCursor cursor = field->document()->find("e[i: N, j: D]");
    REQUIRE_FALSE(cursor.isNull());
    field->setFocus();
    field->setTextCursor(cursor);
    t.settle();
    CHECK(t.window.selection().origins == OriginSet(SourceId{1}));
    t.both_themes("scratch_selected");
    // The other way: a block of the tree lights its line up.
    t.window.workspace()->loops()->tree()->choose(t.window.workspace()->loops()->tree()->row_named("top"));
    t.settle();
    CHECK(t.window.selection().origins == OriginSet(SourceId{0}));
    bool lit = false;
    for (const QTextEdit::ExtraSelection& mark : field->extraSelections())
        lit = lit || mark.cursor.block().text().startsWith("top[");
    CHECK(lit);
}

TEST_CASE("a new scratchpad is a program one can change", "[gui][scratch]") {
    Scratchpad t(nullptr);
    t.trigger(ActionId::NewScratchpad);
    CHECK(t.window.workspace()->arrangement() == app::Arrangement::Scratch);
    CHECK(t.screen().edit->live);
    CHECK(t.text().toStdString() == views::new_scratchpad());
    CHECK(t.program().find("fn scratch(") == 0);
    t.trigger(ActionId::Run);
    CHECK_FALSE(t.screen().run->outputs.rows.empty());
    // All of the text may go; what is left is a scratchpad without a program.
    t.pad().field()->selectAll();
    QTest::keyClick(t.pad().field(), Qt::Key_Delete);
    REQUIRE(wait_for([&] { return !t.pad().waiting(); }));
    t.settle();
    CHECK(t.screen().edit->error_line == 1);
    CHECK(t.screen().edit->live);
    QTest::keyClicks(t.pad().field(), "y[i: 8] = f32(i) * 0.5");
    REQUIRE(wait_for([&] { return !t.pad().waiting(); }));
    t.settle();
    CHECK(t.program().find("y: f32[8]") != std::string::npos);
}
