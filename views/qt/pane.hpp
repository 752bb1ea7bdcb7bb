#pragma once
// A 32-pixel header over a view: title or tabs on the left, a quiet sentence on the right.

#include <QWidget>

class QHBoxLayout;
class QLabel;
class QToolButton;
class QVBoxLayout;

namespace orrery::qt {

class PaneHeader : public QWidget {
    Q_OBJECT
  public:
    explicit PaneHeader(QWidget* parent = nullptr);
    void set_title(const QString& title);
    /// What the pane shows, beside the title.
    void set_subject(const QString& subject);
    void set_note(const QString& note);
    /// Adds a tab; the first is checked. Returns its index.
    int add_tab(const QString& text);
    void set_tab_text(int index, const QString& text);
    void select_tab(int index);
    [[nodiscard]] int selected_tab() const;
    /// A small checkable or plain button at the right end.
    QToolButton* add_button(const QString& text, const QString& tooltip, bool checkable);

  signals:
    void tab_selected(int index);

  protected:
    void paintEvent(QPaintEvent* event) override;
    void resizeEvent(QResizeEvent* event) override;

  private:
    void refit();
    QHBoxLayout* row_ = nullptr;
    QLabel* title_ = nullptr;
    QLabel* subject_ = nullptr;
    QLabel* note_ = nullptr;
    QString full_note_, full_subject_;
    std::vector<QToolButton*> tabs_;
};

/// Header and content, stacked.
class Pane : public QWidget {
    Q_OBJECT
  public:
    Pane(PaneHeader* header, QWidget* content, QWidget* parent = nullptr);
    [[nodiscard]] PaneHeader* header() const { return header_; }

  private:
    PaneHeader* header_;
};

} // namespace orrery::qt
