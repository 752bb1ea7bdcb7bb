#pragma once
// What a pass of the recipe is and did, under its step; its options are edited here.

#include "views/model/command.hpp"
#include "views/model/stages_view.hpp"

#include <QFrame>

#include <vector>

class QGridLayout;
class QLabel;
class QPushButton;
class QToolButton;

namespace orrery::qt {

class PassCard : public QFrame {
    Q_OBJECT
  public:
    explicit PassCard(QWidget* window);
    void set_sink(views::CommandSink sink) { sink_ = std::move(sink); }
    /// Opens for that step, below `anchor` (a rectangle of the window), and takes the focus.
    void open(const views::StageStep& step, const QRect& anchor);
    /// The same pass after an edit; closes when it is gone.
    void refresh(const views::StagesViewData& data);
    void close_card();
    [[nodiscard]] int pass() const { return step_.pass; }
    /// Editors of the options, in order: QLineEdit or QCheckBox.
    [[nodiscard]] const std::vector<QWidget*>& editors() const { return editors_; }

  signals:
    void insert_requested(int at);
    void text_requested(int stage);

  protected:
    void keyPressEvent(QKeyEvent* event) override;
    bool event(QEvent* event) override;

  private:
    void render();
    void add_options();
    QWidget* editor_for(const views::StageOption& option);
    void place();
    void send(const views::Command& command) const {
        if (sink_) sink_(command);
    }

    views::CommandSink sink_;
    views::StageStep step_;
    QRect anchor_;
    QLabel *name_ = nullptr, *summary_ = nullptr, *facts_ = nullptr, *error_ = nullptr;
    QToolButton *switch_ = nullptr, *earlier_ = nullptr, *later_ = nullptr, *insert_ = nullptr, *text_ = nullptr,
                *remove_ = nullptr;
    QGridLayout* options_ = nullptr;
    std::vector<QWidget*> editors_;
    QWidget* before_ = nullptr; ///< what had the focus
};

} // namespace orrery::qt
