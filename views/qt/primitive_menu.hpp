#pragma once
// What can be done at a loop or block: typed, previewed, applied; what cannot stands below with the reason.

#include "views/model/loop_view.hpp"

#include <QFrame>
#include <QString>

#include <memory>

class QLabel;
class QLineEdit;
class QListWidget;

namespace orrery::qt {

class PrimitiveMenu : public QFrame {
    Q_OBJECT
  public:
    explicit PrimitiveMenu(QWidget* window);
    /// Opens below or above `anchor`, a rectangle of the window; the entries come with set_data.
    void open(const std::string& place, const QRect& anchor, const QString& typed);
    void set_data(std::shared_ptr<const views::MenuViewData> data);
    /// What the highlighted step does, or why a typed one is refused.
    void set_preview(std::shared_ptr<const views::PreviewViewData> preview);
    void close_menu();
    [[nodiscard]] QLineEdit* field() const { return field_; }
    [[nodiscard]] QListWidget* list() const { return list_; }
    [[nodiscard]] QString footer() const;
    /// The step that Enter applies: the one typed in full, else the highlighted one; empty when it is refused.
    [[nodiscard]] QString step() const;

  signals:
    void highlighted(const QString& step);
    void chosen(const QString& step);
    void closed();

  protected:
    bool eventFilter(QObject* watched, QEvent* event) override;
    void changeEvent(QEvent* event) override;

  private:
    void fill();
    void announce();
    void apply();
    [[nodiscard]] bool typed_step() const;

    std::string place_;
    std::shared_ptr<const views::MenuViewData> data_;
    std::shared_ptr<const views::PreviewViewData> preview_;
    QLineEdit* field_ = nullptr;
    QListWidget* list_ = nullptr;
    QLabel* footer_ = nullptr;
    QWidget* before_ = nullptr; ///< what had the focus
};

} // namespace orrery::qt
