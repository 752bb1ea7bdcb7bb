#pragma once
// The knobs of an accelerator configuration, what they amount to, and the rules they break with the nearest remedy.

#include "views/model/vta_config_view.hpp"

#include <QScrollArea>

#include <map>
#include <vector>

class QLabel;
class QPushButton;
class QSpinBox;
class QVBoxLayout;

namespace orrery::qt {

class VtaConfigPanel : public QWidget {
    Q_OBJECT
  public:
    explicit VtaConfigPanel(QWidget* parent = nullptr);
    /// Shows a configuration; what the user is typing in is left alone.
    void set_config(const vta::Config& config);
    [[nodiscard]] QSpinBox* knob(const QString& key) const;
    /// The button that repairs a broken rule; null when nothing is broken.
    [[nodiscard]] QPushButton* remedy() const;
    [[nodiscard]] QString message() const;

  signals:
    void config_changed(const orrery::vta::Config& config);

  private:
    struct Knob {
        QSpinBox* box = nullptr;
        QLabel *label = nullptr, *amount = nullptr;
    };
    void build(const views::VtaConfigView& view);
    void turn(const std::string& key, int value);
    /// The rule to repair first: one that the knob turned last can repair, else the first that any can. Null: none.
    [[nodiscard]] const views::VtaViolation* to_repair(const views::VtaConfigView& view) const;

    vta::Config config_;
    std::map<std::string, Knob> knobs_;
    std::vector<QLabel*> titles_;
    QLabel *headline_ = nullptr, *message_ = nullptr;
    QPushButton* remedy_ = nullptr;
    QScrollArea* scroll_ = nullptr;
    std::string turned_; ///< key of the knob turned last
    bool filling_ = false;
};

} // namespace orrery::qt
