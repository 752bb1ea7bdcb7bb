#pragma once
// Two texts side by side that scroll and fold together, with what differs marked.

#include "views/model/diff_view.hpp"
#include "views/qt/pane.hpp"
#include "views/qt/text_view.hpp"

#include <QWidget>

#include <memory>

class QToolButton;

namespace orrery::qt {

class DiffPanel : public QWidget {
    Q_OBJECT
  public:
    explicit DiffPanel(QWidget* parent = nullptr);
    /// Shows another comparison, at its first change.
    void set_data(std::shared_ptr<const views::DiffViewData> data);
    [[nodiscard]] const views::DiffViewData& data() const { return *data_; }
    /// Whether the left side is pinned: it stays while stages are stepped through.
    void set_pinned(bool pinned);
    void set_selection(const views::Selection& selection, const QObject* source);

    [[nodiscard]] TextView* left() const { return left_; }
    [[nodiscard]] TextView* right() const { return right_; }
    [[nodiscard]] QToolButton* pin_button() const { return pin_; }
    /// Goes to the next run of changed lines, or the one before; stays at the ends.
    void go_to_change(bool backwards);

  signals:
    void selection_requested(const orrery::views::Selection& selection, QObject* source);
    void pin_requested(bool on);
    void swap_requested();

  protected:
    void keyPressEvent(QKeyEvent* event) override;

  private:
    void tie(TextView* from, TextView* to);
    void update_note();

    std::shared_ptr<const views::DiffViewData> data_;
    TextView *left_ = nullptr, *right_ = nullptr;
    PaneHeader *left_header_ = nullptr, *right_header_ = nullptr;
    QToolButton *pin_ = nullptr, *swap_ = nullptr, *before_ = nullptr, *next_ = nullptr;
    bool tied_ = false; ///< one side is following the other
};

} // namespace orrery::qt
