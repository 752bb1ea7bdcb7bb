#pragma once
// What stands in the window before a model does: samples, recent files, a place to drop one.

#include "views/model/command.hpp"
#include "views/model/panels.hpp"

#include <QAbstractButton>
#include <QScrollArea>

#include <memory>
#include <vector>

class QVBoxLayout;

class QGridLayout;

namespace orrery::qt {

/// A card or a line one can press: title, sentence, figures.
class StartCard : public QAbstractButton {
    Q_OBJECT
  public:
    StartCard(const QString& title, const QString& text, const QString& figures, QWidget* parent = nullptr);
    [[nodiscard]] QSize sizeHint() const override;

  protected:
    void paintEvent(QPaintEvent* event) override;

  private:
    QString title_, text_, figures_;
};

class StartPage : public QScrollArea {
    Q_OBJECT
  public:
    explicit StartPage(QWidget* parent = nullptr);
    void set_data(std::shared_ptr<const views::StartViewData> data);
    /// What went wrong when opening: shown above everything else.
    void set_problems(std::shared_ptr<const views::ProblemsViewData> problems);
    void set_sink(views::CommandSink sink) { sink_ = std::move(sink); }
    /// Shows that a dragged file may be dropped.
    void set_drop_hint(bool on);
    [[nodiscard]] const std::vector<StartCard*>& samples() const { return samples_; }
    [[nodiscard]] const std::vector<StartCard*>& recents() const { return recents_; }
    [[nodiscard]] const std::vector<StartCard*>& gallery() const { return gallery_; }

  signals:
    void open_requested();
    void scratchpad_requested();

  protected:
    void paintEvent(QPaintEvent* event) override;
    void resizeEvent(QResizeEvent* event) override;

  private:
    void rebuild();
    void add_cards(QGridLayout* cells, QWidget* body);
    void add_open_row(QVBoxLayout* column, QWidget* body);
    void add_problems(QVBoxLayout* column, QWidget* body);
    std::shared_ptr<const views::StartViewData> data_;
    std::shared_ptr<const views::ProblemsViewData> problems_;
    views::CommandSink sink_;
    std::vector<StartCard*> samples_, recents_, gallery_;
    int columns_ = 0;
    bool drop_ = false;
};

} // namespace orrery::qt
