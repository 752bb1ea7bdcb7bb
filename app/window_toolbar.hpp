#pragma once
// The bar on top: model, target, run, and the field behind which everything is found.

#include "app/actions.hpp"
#include "views/model/screen.hpp"

#include <QToolButton>
#include <QWidget>

class QHBoxLayout;
class QMenu;

namespace orrery::app {

class Toolbar : public QWidget {
    Q_OBJECT
  public:
    Toolbar(const Actions& actions, QWidget* parent = nullptr);
    void set_screen(const views::Screen& screen);
    [[nodiscard]] QMenu* main_menu() const { return menu_; }
    [[nodiscard]] QMenu* model_menu() const { return model_menu_; }
    [[nodiscard]] QToolButton* run_button() const { return run_; }
    [[nodiscard]] QToolButton* search_button() const { return search_; }

  signals:
    void threads_requested(int count);

  protected:
    void paintEvent(QPaintEvent* event) override;
    void resizeEvent(QResizeEvent* event) override;

  private:
    [[nodiscard]] int room() const;
    void fit();
    void say_search(int width);
    QMenu* menu_ = nullptr;
    QMenu* model_menu_ = nullptr;
    QMenu* target_menu_ = nullptr;
    QToolButton* model_ = nullptr;
    QToolButton* target_ = nullptr;
    QToolButton* run_ = nullptr;
    QToolButton* search_ = nullptr;
    QHBoxLayout* row_ = nullptr;
    QString model_name_, target_name_;
    int search_width_ = -1; ///< pixels; 0 when there is no room for it
    int threads_ = 0, max_threads_ = 0;
};

} // namespace orrery::app
