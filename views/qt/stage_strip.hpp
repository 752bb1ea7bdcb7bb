#pragma once
// The strip of stages on top: from import to machine code.

#include "views/model/command.hpp"
#include "views/model/stages_view.hpp"

#include <QAbstractButton>
#include <QScrollArea>

#include <array>
#include <memory>
#include <vector>

class QHBoxLayout;
class QLabel;
class QLineEdit;
class QToolButton;

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
    [[nodiscard]] bool is_dot() const;

  protected:
    void paintEvent(QPaintEvent* event) override;

  private:
    void paint_dot(QPainter& painter, const QRectF& box) const;
    void paint_lines(QPainter& painter) const;
    void paint_marks(QPainter& painter) const;
    views::StageStep step_;
    bool expand_ = false; ///< unchanged steps are shown in full
};

/// What the strip scrolls; paints where a dragged pass would land.
class StageRow : public QWidget {
    Q_OBJECT
  public:
    using QWidget::QWidget;
    /// x of the mark between two steps, or -1 for none.
    void set_drop_mark(int x);

  protected:
    void paintEvent(QPaintEvent* event) override;

  private:
    int mark_ = -1;
};

/// Stands at an end of what is scrolled, over the step that is cut there, and scrolls on.
class StripEdge : public QAbstractButton {
    Q_OBJECT
  public:
    enum class Side : std::uint8_t { Left, Right };
    StripEdge(Side side, QWidget* parent);
    [[nodiscard]] QSize sizeHint() const override;

  protected:
    void paintEvent(QPaintEvent* event) override;

  private:
    Side side_;
};

class StageStrip : public QWidget {
    Q_OBJECT
  public:
    explicit StageStrip(QWidget* parent = nullptr);
    void set_data(std::shared_ptr<const views::StagesViewData> data);
    [[nodiscard]] const views::StagesViewData& data() const { return *data_; }
    void set_sink(views::CommandSink sink) { sink_ = std::move(sink); }
    /// Shows unchanged steps in full, too.
    void set_expanded(bool on);
    /// Leaves steps out that changed nothing.
    void set_changed_only(bool on);
    void set_filter(const QString& text);
    void focus_filter();
    [[nodiscard]] const std::vector<StageButton*>& buttons() const { return buttons_; }
    /// The one marked; null when none is.
    [[nodiscard]] StageButton* selected() const;
    /// Selects the step before or after the selected one, in the whole strip; what the filter hides is passed over.
    void step(int direction, bool only_changed);
    /// Moves the selected pass by one place; nothing when it is no pass.
    void move_selected(int direction);
    void remove_selected();
    void switch_selected();
    [[nodiscard]] QLineEdit* filter() const { return filter_; }
    [[nodiscard]] QScrollArea* area() const { return area_; }
    /// Seen while steps are out of sight on that side.
    [[nodiscard]] StripEdge* edge(StripEdge::Side side) const { return edges_[static_cast<std::size_t>(side)]; }

  signals:
    void insert_requested(int at);
    void card_requested(orrery::qt::StageButton* button);
    void changed_only_toggled(bool on);
    void copy_requested(const QString& text);

  protected:
    void paintEvent(QPaintEvent* event) override;
    void resizeEvent(QResizeEvent* event) override;
    void contextMenuEvent(QContextMenuEvent* event) override;
    bool eventFilter(QObject* watched, QEvent* event) override;

  private:
    void build_tools();
    void build_edges();
    void place_edges();
    void rebuild();
    StageButton* make_button();
    /// Makes and deletes buttons at the ends of sections. False when the sections are others.
    bool fit_sections();
    void apply_filter();
    void show_selected();
    void send(const views::Command& command) const {
        if (sink_) sink_(command);
    }
    bool key_on(StageButton* button, QKeyEvent* event);
    void focus_beside(StageButton* button, int direction);
    /// Where a pass dropped at x of the row goes: its index, and where to draw the mark.
    struct Drop {
        int to = -1;
        int mark = -1;
    };
    [[nodiscard]] Drop drop_at(int x, int from) const;
    bool drag(StageButton* button, QEvent* event);
    void end_drag();

    std::shared_ptr<const views::StagesViewData> data_;
    views::CommandSink sink_;
    QScrollArea* area_ = nullptr;
    StageRow* row_ = nullptr;
    std::array<StripEdge*, 2> edges_{}; ///< left, right
    QLineEdit* filter_ = nullptr;
    QToolButton *changed_ = nullptr, *insert_ = nullptr;
    QLabel* nothing_ = nullptr; ///< says that the filter leaves nothing
    std::vector<StageButton*> buttons_;
    std::vector<std::pair<QLabel*, std::vector<StageButton*>>> sections_;
    bool expanded_ = false, changed_only_ = false;
    StageButton* dragged_ = nullptr;
    QPoint pressed_;
    bool dragging_ = false;
};

} // namespace orrery::qt
