#pragma once
// A line of quiet text that changes with every edit. A label would have all that is around it laid out anew each time.

#include <QString>
#include <QWidget>

namespace orrery::qt {

/// As wide as its text, in steps, so that another number in it moves nothing; cut with an ellipsis where there is less
/// room.
class QuietLine : public QWidget {
    Q_OBJECT
  public:
    explicit QuietLine(QWidget* parent = nullptr);
    void set_text(const QString& text);
    /// What the tooltip says below the text.
    void set_more(const QString& more);
    [[nodiscard]] QSize sizeHint() const override;
    [[nodiscard]] QSize minimumSizeHint() const override;

  protected:
    void paintEvent(QPaintEvent* event) override;
    void changeEvent(QEvent* event) override;

  private:
    void measure();
    void speak();

    QString text_, more_;
    int width_ = 0; ///< pixels
};

} // namespace orrery::qt
