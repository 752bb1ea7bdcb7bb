#pragma once
// The life of a value as a line with an event at each step that touched it.

#include "views/model/command.hpp"
#include "views/model/history_view.hpp"

#include <QAbstractScrollArea>

#include <memory>
#include <vector>

namespace orrery::qt {

class HistoryPanel : public QAbstractScrollArea {
    Q_OBJECT
  public:
    explicit HistoryPanel(QWidget* parent = nullptr);
    void set_data(std::shared_ptr<const views::HistoryViewData> data);
    [[nodiscard]] const views::HistoryViewData& data() const { return *data_; }
    void set_sink(views::CommandSink sink) { sink_ = std::move(sink); }
    [[nodiscard]] int current() const { return current_; }
    /// Of an entry, in viewport coordinates.
    [[nodiscard]] QRect entry_rect(int index) const;
    /// Goes to the stage of an entry.
    void activate(int index);

  protected:
    void paintEvent(QPaintEvent* event) override;
    void resizeEvent(QResizeEvent* event) override;
    void mousePressEvent(QMouseEvent* event) override;
    void keyPressEvent(QKeyEvent* event) override;
    void changeEvent(QEvent* event) override;

  private:
    struct Line {
        enum class Kind : std::uint8_t { Title, Before, After, Rule } kind;
        QString text;
    };
    struct Entry {
        int top = 0, height = 0;
        std::vector<Line> lines;
    };
    void lay_out();
    void update_bar();
    void select(int index);
    void paint_sign(QPainter& painter, views::HistorySign sign, const QPointF& at) const;
    [[nodiscard]] int entry_at(int y) const;

    std::shared_ptr<const views::HistoryViewData> data_;
    views::CommandSink sink_;
    std::vector<Entry> entries_;
    int height_ = 0, current_ = -1;
};

} // namespace orrery::qt
