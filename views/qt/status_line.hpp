#pragma once
// The last line of the window: is it still right, what was rebuilt, how fast is it, what is running.

#include "views/model/command.hpp"
#include "views/model/panels.hpp"

#include <QColor>
#include <QTimer>
#include <QWidget>

class QLabel;
class QProgressBar;
class QToolButton;

namespace orrery::qt {

class StatusLine : public QWidget {
    Q_OBJECT
  public:
    explicit StatusLine(QWidget* parent = nullptr);
    void set_data(const views::StatusViewData& data);
    void set_sink(views::CommandSink sink) { sink_ = std::move(sink); }
    /// A sentence of the window's own, until the next set_data with other text.
    void show_hint(const QString& text);
    [[nodiscard]] QToolButton* cancel_button() const { return cancel_; }

  protected:
    void paintEvent(QPaintEvent* event) override;
    void changeEvent(QEvent* event) override;

  private:
    void render();
    void render_job();
    views::StatusViewData data_;
    views::CommandSink sink_;
    QColor colour_;   ///< of the check
    QTimer patience_; ///< runs while a job is too young to be told of
    QLabel* dot_ = nullptr;
    QLabel* check_ = nullptr;
    QLabel* rebuilt_ = nullptr;
    QLabel* speed_ = nullptr;
    QLabel* hint_ = nullptr;
    QLabel* job_ = nullptr;
    QProgressBar* bar_ = nullptr;
    QToolButton* cancel_ = nullptr;
};

} // namespace orrery::qt
