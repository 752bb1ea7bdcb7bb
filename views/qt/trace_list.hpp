#pragma once
// A function's trace as a list of steps: changed in place, moved, removed, its numbers opened as knobs.

#include "views/model/command.hpp"
#include "views/model/loop_view.hpp"
#include "views/qt/painted_rows.hpp"

#include <QAbstractScrollArea>

#include <memory>

class QLineEdit;
class QMenu;

namespace orrery::qt {

/// Row 0 is the program as lowered, row n what step n made of it.
class TraceList : public QAbstractScrollArea {
    Q_OBJECT
  public:
    explicit TraceList(QWidget* parent = nullptr);
    void set_sink(views::CommandSink sink) { sink_ = std::move(sink); }
    void set_data(std::shared_ptr<const views::LoopViewData> data);
    [[nodiscard]] int current() const { return current_; }
    void choose(int row);
    /// In the viewport's coordinates.
    [[nodiscard]] QRect row_rect(int row) const;
    /// Opens the line edit over a step; Enter replaces the step, Escape leaves it.
    void edit(int row);
    /// Opens it after a row for a step that is not there yet.
    void insert_after(int row);
    [[nodiscard]] QLineEdit* editor() const { return editor_; }
    /// What can be done with a row.
    void fill_menu(QMenu& menu, int row);

  protected:
    void paintEvent(QPaintEvent* event) override;
    void resizeEvent(QResizeEvent* event) override;
    void scrollContentsBy(int dx, int dy) override;
    void mousePressEvent(QMouseEvent* event) override;
    void mouseDoubleClickEvent(QMouseEvent* event) override;
    void contextMenuEvent(QContextMenuEvent* event) override;
    void keyPressEvent(QKeyEvent* event) override;
    void focusInEvent(QFocusEvent* event) override;
    void focusOutEvent(QFocusEvent* event) override;
    void changeEvent(QEvent* event) override;
    bool viewportEvent(QEvent* event) override;
    bool eventFilter(QObject* watched, QEvent* event) override;

  private:
    using What = session::TraceEdit::What;
    [[nodiscard]] int rows() const { return data_->subject.empty() ? 0 : static_cast<int>(data_->trace.size()) + 1; }
    [[nodiscard]] int row_at(int y) const;
    [[nodiscard]] int top_of(int row) const;
    void update_bar();
    void open_editor(int row, const QString& text);
    void finish_edit();
    void send(session::TraceEdit edit) const;
    void show_program(int row) const;
    void move_step(int row, int by);
    void remove_step(int row);
    void add_numbers(QMenu& menu, int step);
    void add_branches(QMenu& menu);
    void paint_row(QPainter& painter, int row);
    [[nodiscard]] QRect whole_rect(int row) const;
    [[nodiscard]] std::uint64_t signature(int row) const;
    void update_rows();

    std::shared_ptr<const views::LoopViewData> data_;
    PaintedRows painted_;
    views::CommandSink sink_;
    QLineEdit* editor_ = nullptr;
    int current_ = 0;
    int edited_ = -1;        ///< row under the line edit
    bool inserting_ = false; ///< what is typed becomes a new step after that row
};

} // namespace orrery::qt
