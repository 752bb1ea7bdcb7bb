#pragma once
// The small bar over a view in which one types what to find.

#include <QWidget>

class QLabel;
class QLineEdit;
class QToolButton;

namespace orrery::qt {

class FindBar : public QWidget {
    Q_OBJECT
  public:
    explicit FindBar(const QString& placeholder, QWidget* parent);
    void open(const QString& text);
    void show_count(int current, int total, bool searching);
    [[nodiscard]] QString text() const;
    [[nodiscard]] bool match_case() const;

  signals:
    void edited(const QString& text, bool match_case);
    void next(bool backwards);
    void closed();

  protected:
    void keyPressEvent(QKeyEvent* event) override;
    void paintEvent(QPaintEvent* event) override;

  private:
    QLineEdit* field_ = nullptr;
    QLabel* count_ = nullptr;
    QToolButton* case_ = nullptr;
};

} // namespace orrery::qt
