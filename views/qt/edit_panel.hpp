#pragma once
// The graph's text, to be edited by hand and gone on from.

#include "views/model/command.hpp"
#include "views/model/script_view.hpp"

#include <QPlainTextEdit>
#include <QWidget>

#include <memory>

class QLabel;
class QPushButton;

namespace orrery::qt {

class EditPanel : public QWidget {
    Q_OBJECT
  public:
    explicit EditPanel(QWidget* parent = nullptr);
    void set_sink(views::CommandSink sink) { sink_ = std::move(sink); }
    /// Text that was typed and not applied stays; the other is replaced.
    void set_data(std::shared_ptr<const views::EditViewData> data);
    [[nodiscard]] QPlainTextEdit* field() const { return field_; }
    [[nodiscard]] bool dirty() const { return dirty_; }
    void set_font_pixels(int pixels);

  public slots:
    /// Sends the text; it becomes a step of the recipe.
    void apply();
    /// The step's own text again.
    void revert();

  protected:
    bool eventFilter(QObject* watched, QEvent* event) override;
    void changeEvent(QEvent* event) override;

  private:
    void show_text();
    void show_state();
    void mark_error();

    std::shared_ptr<const views::EditViewData> data_;
    views::CommandSink sink_;
    QPlainTextEdit* field_ = nullptr;
    QLabel *title_ = nullptr, *error_ = nullptr;
    QPushButton *apply_ = nullptr, *revert_ = nullptr;
    bool dirty_ = false, quiet_ = false;
};

} // namespace orrery::qt
