#pragma once
// What the selected thing is: attributes, types, documentation, values.

#include "views/model/panels.hpp"

#include <QTextBrowser>

#include <memory>

namespace orrery::qt {

class InspectorPanel : public QTextBrowser {
    Q_OBJECT
  public:
    explicit InspectorPanel(QWidget* parent = nullptr);
    void set_data(std::shared_ptr<const views::InspectorViewData> data);

  protected:
    void changeEvent(QEvent* event) override;

  private:
    void render();
    std::shared_ptr<const views::InspectorViewData> data_;
};

} // namespace orrery::qt
