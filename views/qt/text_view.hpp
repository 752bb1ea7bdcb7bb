#pragma once
// Program text, virtual: a million lines open at once, only visible ones are painted and coloured.

#include "views/model/text_view.hpp"
#include "views/qt/painted_rows.hpp"

#include <QAbstractScrollArea>
#include <QString>

#include <memory>
#include <optional>
#include <vector>

namespace orrery::qt {

class FindBar;

class TextView : public QAbstractScrollArea {
    Q_OBJECT
  public:
    explicit TextView(QWidget* parent = nullptr);
    ~TextView() override;

    /// Shows other text, with no line marked; false when it is the one that is shown. The scroll position, folds and
    /// caret are kept when it is the same function as before.
    bool set_data(std::shared_ptr<const views::TextViewData> data);
    [[nodiscard]] const views::TextViewData& data() const { return *data_; }
    /// Marks the lines a selection means; scrolls to the first when none of them is visible and `reveal` is set.
    void set_selection(const views::Selection& selection, bool reveal = true);
    /// A quiet preview of what the mouse points at in another pane.
    void set_hover(const views::Selection& hover);

    void scroll_to_line(int line);
    /// Puts the caret on a line and brings it into sight; selects nothing.
    void go_to_line(int line);
    [[nodiscard]] int first_visible_line() const;
    [[nodiscard]] int caret_line() const { return caret_.line; }
    [[nodiscard]] const std::vector<int>& linked() const { return linked_; }
    [[nodiscard]] bool is_folded(int line) const;
    void toggle_fold(int line);
    void fold_all(bool folded);
    /// First lines of the ranges that are folded, sorted. Setting tells nobody.
    [[nodiscard]] const std::vector<int>& folded() const { return folded_; }
    void set_folded(const std::vector<int>& folded);
    /// Middle of a line in viewport coordinates; none when it is folded away or out of sight.
    [[nodiscard]] std::optional<QPoint> line_position(int line) const;

    /// Opens the find bar, with the selected word in it.
    void open_find();
    void find_next(bool backwards);
    /// Searches; hits are marked as they are found. Empty text clears.
    void set_find(const QString& needle, bool match_case);
    [[nodiscard]] std::size_t hit_count() const;
    [[nodiscard]] bool find_running() const { return search_running_; }
    [[nodiscard]] QString selected_text() const;
    void copy() const;
    /// Code size in pixels, 8 to 28.
    void set_font_pixels(int pixels);
    [[nodiscard]] double last_paint_ms() const { return paint_ms_; }

  signals:
    void selection_requested(const orrery::views::Selection& selection);
    void hovered(const orrery::views::Selection& selection);
    void folds_changed();
    void find_changed(int current, int total, bool searching);

  protected:
    void paintEvent(QPaintEvent* event) override;
    void resizeEvent(QResizeEvent* event) override;
    void scrollContentsBy(int dx, int dy) override;
    void mousePressEvent(QMouseEvent* event) override;
    void mouseMoveEvent(QMouseEvent* event) override;
    void mouseReleaseEvent(QMouseEvent* event) override;
    void mouseDoubleClickEvent(QMouseEvent* event) override;
    void leaveEvent(QEvent* event) override;
    void keyPressEvent(QKeyEvent* event) override;
    void wheelEvent(QWheelEvent* event) override;
    void changeEvent(QEvent* event) override;
    bool viewportEvent(QEvent* event) override;
    void contextMenuEvent(QContextMenuEvent* event) override;
    void timerEvent(QTimerEvent* event) override;

  private:
    struct Place {
        int line = 0, column = 0;
        auto operator<=>(const Place&) const = default;
    };
    struct Display; ///< a line as it is painted: tabs expanded, UTF-16, byte columns

    void update_metrics();
    void update_bars();
    void rebuild_rows();
    [[nodiscard]] int row_count() const;
    [[nodiscard]] int line_of_row(int row) const;
    [[nodiscard]] int row_of_line(int line) const;
    [[nodiscard]] int visible_rows() const;
    [[nodiscard]] Place place_at(const QPoint& point) const;
    [[nodiscard]] Display display_of(int line) const;
    [[nodiscard]] int gutter_width() const;
    struct Ink; ///< the glyphs of a frame, by colour
    void paint_ground(QPainter& painter, int line, int y, const Display& shown);
    void paint_gutter(QPainter& painter, int line, int y);
    void paint_marks(QPainter& painter, int line, int y, const Display& shown);
    void ink_number(Ink& ink, int y, int line) const;
    [[nodiscard]] std::uint64_t signature(int row) const;
    [[nodiscard]] int rows_in_sight() const;
    void update_rows();
    void ink_line(Ink& ink, int y, const Display& shown, std::string_view text);
    void move_caret(int line, bool publish);
    void unfold_to(int line);
    void publish(int line, bool block);
    void show_hit(std::size_t index);
    void place_find_bar();
    [[nodiscard]] const views::FoldRange* fold_at(int line) const;
    [[nodiscard]] std::pair<Place, Place> ordered() const;

    std::shared_ptr<const views::TextViewData> data_;
    std::vector<int> rows_;   ///< lines shown, when something is folded; empty: all
    std::vector<int> folded_; ///< first lines of closed folds, sorted
    std::vector<int> linked_, hover_;
    bool by_line_ = false; ///< the selection names lines, so they are filled; else only marked at the edge
    Place caret_, anchor_;
    bool dragging_ = false, dragged_ = false;
    int hover_line_ = -1;
    double char_width_ = 7;
    int line_height_ = 19, ascent_ = 14, longest_ = 0;
    int font_pixels_ = 0;
    QFont font_;
    PaintedRows painted_;      ///< counted from the first in sight
    std::unique_ptr<Ink> ink_; ///< empty, with the glyphs of the typeface looked up
    FindBar* find_bar_ = nullptr;
    std::unique_ptr<views::TextSearch> search_;
    bool search_running_ = false;
    int search_timer_ = 0;
    std::size_t current_hit_ = 0;
    double paint_ms_ = 0;
};

} // namespace orrery::qt
