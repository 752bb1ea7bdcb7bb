#pragma once
// What stands in the window before a model does: samples, recent files, a place to drop one.

#include "views/model/command.hpp"
#include "views/model/panels.hpp"

#include <QAbstractButton>
#include <QScrollArea>

#include <memory>
#include <vector>

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
    void set_sink(views::CommandSink sink) { sink_ = std::move(sink); }
    /// Shows that a dragged file may be dropped.
    void set_drop_hint(bool on);
    [[nodiscard]] const std::vector<StartCard*>& samples() const { return samples_; }
    [[nodiscard]] const std::vector<StartCard*>& recents() const { return recents_; }

  signals:
    void open_requested();

  protected:
    void paintEvent(QPaintEvent* event) override;
    void resizeEvent(QResizeEvent* event) override;

  private:
    void rebuild();
    std::shared_ptr<const views::StartViewData> data_;
    views::CommandSink sink_;
    std::vector<StartCard*> samples_, recents_;
    int columns_ = 0;
    bool drop_ = false;
};

} // namespace orrery::qt
