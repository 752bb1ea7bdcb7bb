#pragma once
// A 32-pixel header over a view: title or tabs on the left, a quiet sentence on the right.

#include <QWidget>

#include <vector>

class QHBoxLayout;
class QMenu;
class QToolButton;

namespace orrery::qt {

class PaneHeader : public QWidget {
    Q_OBJECT
  public:
    explicit PaneHeader(QWidget* parent = nullptr);
    void set_title(const QString& title);
    /// What the pane shows, beside the title.
    void set_subject(const QString& subject);
    void set_note(const QString& note);
    [[nodiscard]] QSize sizeHint() const override;
    [[nodiscard]] QSize minimumSizeHint() const override;
    /// Adds a tab; the first is checked. Returns its index. Tabs there is no room for are in a menu at the end, the
    /// selected one never.
    int add_tab(const QString& text);
    void set_tab_text(int index, const QString& text);
    void select_tab(int index);
    [[nodiscard]] int selected_tab() const;
    [[nodiscard]] QToolButton* tab(int index) const { return tabs_[static_cast<std::size_t>(index)]; }
    /// Opens a menu of the tabs there is no room for; null as long as there was room for all.
    [[nodiscard]] QToolButton* more_button() const { return more_; }
    /// A small checkable or plain button at the right end.
    QToolButton* add_button(const QString& text, const QString& tooltip, bool checkable);

  signals:
    void tab_selected(int index);

  protected:
    void paintEvent(QPaintEvent* event) override;
    void resizeEvent(QResizeEvent* event) override;
    bool event(QEvent* event) override;

  private:
    void speak();
    void fit_tabs();
    void show_more(bool on);
    void fill_more(QMenu& menu);
    QHBoxLayout* row_ = nullptr;
    QString title_, subject_, note_;
    std::vector<QToolButton*> tabs_, buttons_;
    QToolButton* more_ = nullptr;
    bool fitting_ = false;
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
