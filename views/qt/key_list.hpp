#pragma once
// The list of keys behind "?": made from the same table as the actions.

#include <QFrame>
#include <QPoint>
#include <QString>

#include <vector>

namespace orrery::qt {

struct KeyRow {
    QString section, keys, text;
};

class KeyList : public QFrame {
    Q_OBJECT
  public:
    explicit KeyList(QWidget* window);
    void open(const std::vector<KeyRow>& rows);

  protected:
    void keyPressEvent(QKeyEvent* event) override;
    void focusOutEvent(QFocusEvent* event) override;
    void paintEvent(QPaintEvent* event) override;

  private:
    int place(int row, int high);
    std::vector<KeyRow> rows_;
    std::vector<QPoint> places_; ///< of each row: its column, its y
    int row_ = 22, columns_ = 1; ///< height of a row; columns
};

} // namespace orrery::qt
