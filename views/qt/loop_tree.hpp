#pragma once
// The loops of a tensor program as a painted tree: chosen by keys and mouse, reordered by dragging.

#include "views/model/loop_view.hpp"
#include "views/qt/painted_rows.hpp"

#include <QAbstractScrollArea>
#include <QString>

#include <memory>
#include <optional>

namespace orrery::qt {

class LoopTree : public QAbstractScrollArea {
    Q_OBJECT
  public:
    explicit LoopTree(QWidget* parent = nullptr);
    /// The chosen row stays, by its place, else by its number; what it selects is said again when its lines moved.
    void set_data(std::shared_ptr<const views::LoopViewData> data);
    [[nodiscard]] const views::LoopViewData& data() const { return *data_; }
    /// What will be selected once `data` is shown; none when it is what is selected now.
    [[nodiscard]] std::optional<views::Selection> selection_in(const views::LoopViewData& data) const;
    /// Marks the row a selection means.
    void set_selection(const views::Selection& selection);
    [[nodiscard]] int current() const { return current_; }
    /// Chooses a row and tells the other panes.
    void choose(int row);
    /// The row of that place; -1 when there is none.
    [[nodiscard]] int row_named(const std::string& place) const;
    /// In the viewport's coordinates.
    [[nodiscard]] QRect row_rect(int row) const;

  public slots:
    /// Asks for the menu of the chosen row, `typed` being in its field already.
    void open_menu(const QString& typed = {});

  signals:
    void selection_requested(const orrery::views::Selection& selection);
    /// Another loop or block is the chosen one; empty for none.
    void place_changed(const std::string& place);
    void menu_requested(int row, const QString& typed);
    /// Dropping a loop on another asks for this step.
    void step_requested(const QString& step);
    void refused(const QString& why);

  protected:
    void paintEvent(QPaintEvent* event) override;
    void resizeEvent(QResizeEvent* event) override;
    void mousePressEvent(QMouseEvent* event) override;
    void mouseMoveEvent(QMouseEvent* event) override;
    void mouseReleaseEvent(QMouseEvent* event) override;
    void mouseDoubleClickEvent(QMouseEvent* event) override;
    void contextMenuEvent(QContextMenuEvent* event) override;
    void leaveEvent(QEvent* event) override;
    void keyPressEvent(QKeyEvent* event) override;
    void focusInEvent(QFocusEvent* event) override;
    void focusOutEvent(QFocusEvent* event) override;
    void changeEvent(QEvent* event) override;
    bool viewportEvent(QEvent* event) override;

  private:
    [[nodiscard]] int row_at(int y) const;
    [[nodiscard]] int row_in(const views::LoopViewData& data) const;
    void update_bar();
    void reveal(int row);
    void paint_row(QPainter& painter, int row);
    [[nodiscard]] std::uint64_t signature(int row) const;
    void update_rows();
    void paint_drop(QPainter& painter);
    void speak();

    std::shared_ptr<const views::LoopViewData> data_;
    PaintedRows painted_;
    int current_ = -1, hovered_ = -1;
    bool lined_ = false; ///< the window's selection names lines: the chosen row's are said again when they move
    std::string told_;   ///< the place that was told last
    int pressed_ = -1;   ///< the row under the button that went down
    QPoint pressed_at_;
    int drop_ = -1; ///< the row a dragged loop is over; -1 while none is dragged
};

} // namespace orrery::qt
