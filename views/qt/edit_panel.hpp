#pragma once
// Text to be edited: the graph's, to be gone on from, or a scratchpad's, which is applied as it is typed.

#include "views/model/command.hpp"
#include "views/model/script_view.hpp"

#include <QPlainTextEdit>
#include <QTimer>
#include <QWidget>

#include <memory>

class QLabel;
class QPushButton;

namespace orrery::qt {

/// Where the text is typed, with the numbers of its lines. Behind the line of a mistake stands what is wrong with it.
class EditField : public QPlainTextEdit {
    Q_OBJECT
  public:
    explicit EditField(QWidget* parent = nullptr);
    /// `line` from 1; 0 for none.
    void set_note(int line, const QString& text);
    [[nodiscard]] const QString& note() const { return note_; }

  protected:
    void paintEvent(QPaintEvent* event) override;
    void resizeEvent(QResizeEvent* event) override;
    bool eventFilter(QObject* watched, QEvent* event) override;

  private:
    void make_room();
    void paint_numbers();
    QWidget* numbers_ = nullptr;
    int line_ = 0;
    QString note_;
};

class EditPanel : public QWidget {
    Q_OBJECT
  public:
    explicit EditPanel(QWidget* parent = nullptr);
    void set_sink(views::CommandSink sink) { sink_ = std::move(sink); }
    /// Text that was typed and not applied stays; the other is replaced.
    void set_data(std::shared_ptr<const views::EditViewData> data);
    [[nodiscard]] EditField* field() const { return field_; }
    /// Lights up the lines that define what is selected.
    void set_selection(const views::Selection& selection);
    /// Whether typed text waits for a pause.
    [[nodiscard]] bool waiting() const { return pause_.isActive(); }
    [[nodiscard]] bool dirty() const { return dirty_; }
    void set_font_pixels(int pixels);

  public slots:
    /// Sends the text; it becomes a step of the recipe.
    void apply();
    /// The step's own text again.
    void revert();

  signals:
    void selection_requested(const orrery::views::Selection& selection);

  protected:
    bool eventFilter(QObject* watched, QEvent* event) override;
    void changeEvent(QEvent* event) override;

  private:
    void show_text();
    void show_state();
    void replace_text(const QString& text);
    void mark_lines();
    void go_to_error();
    void select_line();

    std::shared_ptr<const views::EditViewData> data_;
    views::CommandSink sink_;
    EditField* field_ = nullptr;
    QTimer pause_; ///< since the last key
    views::Selection selection_;
    QLabel *title_ = nullptr, *error_ = nullptr;
    QPushButton *apply_ = nullptr, *revert_ = nullptr;
    bool dirty_ = false, quiet_ = false;
};

} // namespace orrery::qt
