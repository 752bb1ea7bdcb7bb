#pragma once
// Boxes for a bar of buttons that look like its buttons: a choice, and a number.

#include <QComboBox>
#include <QSpinBox>

namespace orrery::qt {

class BarCombo : public QComboBox {
    Q_OBJECT
  public:
    explicit BarCombo(QWidget* parent = nullptr);

  protected:
    void paintEvent(QPaintEvent* event) override;
};

class BarSpin : public QSpinBox {
    Q_OBJECT
  public:
    explicit BarSpin(QWidget* parent = nullptr);

  protected:
    void paintEvent(QPaintEvent* event) override;
};

} // namespace orrery::qt
