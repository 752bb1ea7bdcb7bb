#pragma once
// The strip of stages on top: from import to machine code.

#include "views/model/command.hpp"
#include "views/model/stages_view.hpp"

#include <QAbstractButton>
#include <QScrollArea>

#include <memory>
#include <vector>

class QHBoxLayout;

namespace orrery::qt {

/// One step: name over what it changed and its time; a dot when it changed nothing.
class StageButton : public QAbstractButton {
    Q_OBJECT
  public:
    explicit StageButton(QWidget* parent = nullptr);
    void set_step(const views::StageStep& step, bool expand);
    [[nodiscard]] const views::StageStep& step() const { return step_; }
    [[nodiscard]] QSize sizeHint() const override;
    [[nodiscard]] QSize minimumSizeHint() const override { return sizeHint(); }

  protected:
    void paintEvent(QPaintEvent* event) override;

  private:
    [[nodiscard]] bool is_dot() const;
    views::StageStep step_;
    bool expand_ = false; ///< unchanged steps are shown in full
};

class StageStrip : public QScrollArea {
    Q_OBJECT
  public:
    explicit StageStrip(QWidget* parent = nullptr);
    void set_data(std::shared_ptr<const views::StagesViewData> data);
    void set_sink(views::CommandSink sink) { sink_ = std::move(sink); }
    /// Shows unchanged steps in full, too.
    void set_expanded(bool on);
    [[nodiscard]] const std::vector<StageButton*>& buttons() const { return buttons_; }
    /// Selects the step before or after the selected one, in the whole strip.
    void step(int direction, bool only_changed);

  protected:
    void wheelEvent(QWheelEvent* event) override;
    void paintEvent(QPaintEvent* event) override;
    void contextMenuEvent(QContextMenuEvent* event) override;
    bool eventFilter(QObject* watched, QEvent* event) override;

  private:
    void rebuild();
    void show_selected();
    std::shared_ptr<const views::StagesViewData> data_;
    views::CommandSink sink_;
    std::vector<StageButton*> buttons_;
    bool expanded_ = false;
};

} // namespace orrery::qt
