#pragma once
// The last run: outputs, time by operator, agreement with the reference.

#include "views/model/panels.hpp"
#include "views/qt/table_panel.hpp"

#include <QWidget>

class QLabel;

namespace orrery::qt {

class RunPanel : public QWidget {
    Q_OBJECT
  public:
    explicit RunPanel(QWidget* parent = nullptr);
    void set_data(std::shared_ptr<const views::RunViewData> data);
    [[nodiscard]] TablePanel* outputs() const { return outputs_; }
    [[nodiscard]] TablePanel* operators() const { return operators_; }

  protected:
    void changeEvent(QEvent* event) override;

  private:
    void colour_agreement();
    std::shared_ptr<const views::RunViewData> data_;
    QLabel* summary_ = nullptr;
    QLabel* agreement_ = nullptr;
    TablePanel* outputs_ = nullptr;
    TablePanel* operators_ = nullptr;
};

} // namespace orrery::qt
