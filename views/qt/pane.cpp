#include "views/qt/pane.hpp"

#include "views/qt/ink.hpp"
#include "views/qt/theme.hpp"

#include <QEvent>
#include <QHBoxLayout>
#include <QMenu>
#include <QPainter>
#include <QToolButton>
#include <QVBoxLayout>

#include <algorithm>
#include <utility>

namespace orrery::qt {
namespace {
constexpr int kHeaderHeight = 32;                  // WINDOW.md: 32-pixel pane headers
constexpr int kHeaderWidth = 120, kMoreWidth = 60; // the button of the menu, spacing and margins
} // namespace

PaneHeader::PaneHeader(QWidget* parent) : QWidget(parent) {
    setObjectName(QStringLiteral("header"));
    setFixedHeight(kHeaderHeight);
    setAttribute(Qt::WA_OpaquePaintEvent); // so that nothing behind it is painted with it
    row_ = new QHBoxLayout(this);
    row_->setContentsMargins(8, 0, 8, 1);
    row_->setSpacing(4);
    row_->addStretch(1);
}

QSize PaneHeader::sizeHint() const { return {kHeaderWidth, kHeaderHeight}; }

QSize PaneHeader::minimumSizeHint() const {
    if (tabs_.empty()) return sizeHint();
    int widest = 0; // any tab may be the selected one, with the menu of the others beside it
    for (const QToolButton* tab : tabs_) widest = std::max(widest, tab->sizeHint().width());
    for (const QToolButton* button : buttons_) widest += button->sizeHint().width() + row_->spacing();
    return {std::max(kHeaderWidth, widest + kMoreWidth), kHeaderHeight};
}

void PaneHeader::set_title(const QString& title) {
    title_ = title;
    speak();
}

void PaneHeader::set_subject(const QString& subject) {
    if (std::exchange(subject_, subject) != subject) speak();
}

void PaneHeader::set_note(const QString& note) {
    if (std::exchange(note_, note) != note) speak();
}

void PaneHeader::speak() {
    QStringList parts{title_, subject_, note_};
    parts.removeAll(QString());
    setAccessibleName(parts.join(QStringLiteral(", ")));
    setToolTip(parts.join(u'\n'));
    update();
}

int PaneHeader::add_tab(const QString& text) {
    auto* tab = new QToolButton(this);
    tab->setObjectName(QStringLiteral("tab"));
    tab->setText(text);
    tab->setCheckable(true);
    tab->setAutoExclusive(true);
    tab->setFocusPolicy(Qt::TabFocus);
    tab->setAccessibleName(text);
    const int index = static_cast<int>(tabs_.size());
    tab->setChecked(index == 0);
    row_->insertWidget(index, tab); // tabs are added before any is left out
    tabs_.push_back(tab);
    connect(tab, &QToolButton::clicked, this, [this, index] { Q_EMIT tab_selected(index); });
    return index;
}

void PaneHeader::set_tab_text(int index, const QString& text) { tabs_[static_cast<std::size_t>(index)]->setText(text); }

void PaneHeader::select_tab(int index) {
    if (index < 0 || index >= static_cast<int>(tabs_.size())) return;
    tabs_[static_cast<std::size_t>(index)]->setChecked(true);
    fit_tabs();
    Q_EMIT tab_selected(index);
}

int PaneHeader::selected_tab() const {
    for (std::size_t i = 0; i < tabs_.size(); ++i)
        if (tabs_[i]->isChecked()) return static_cast<int>(i);
    return -1;
}

QToolButton* PaneHeader::add_button(const QString& text, const QString& tooltip, bool checkable) {
    auto* button = new QToolButton(this);
    button->setObjectName(QStringLiteral("flat"));
    button->setText(text);
    button->setToolTip(tooltip);
    button->setAccessibleName(tooltip);
    button->setCheckable(checkable);
    button->setFocusPolicy(Qt::TabFocus);
    row_->addWidget(button);
    buttons_.push_back(button);
    return button;
}

/// As many tabs as there is room for, the selected one among them; the others go into the menu.
void PaneHeader::fit_tabs() {
    if (tabs_.empty() || fitting_) return;
    fitting_ = true; // what is shown and hidden here asks for the same again
    const QMargins margins = row_->contentsMargins();
    int room = width() - margins.left() - margins.right();
    for (const QToolButton* button : buttons_) room -= button->sizeHint().width() + row_->spacing();
    const auto taken = [this](const QToolButton* tab) { return tab->sizeHint().width() + row_->spacing(); };
    int all = 0;
    for (const QToolButton* tab : tabs_) all += taken(tab);
    const bool over = all > room;
    show_more(over);
    const int selected = selected_tab();
    if (over) {
        room -= taken(more_);
        if (selected >= 0) room -= taken(tabs_[static_cast<std::size_t>(selected)]);
    }
    for (std::size_t i = 0; i < tabs_.size(); ++i) {
        const bool kept = static_cast<int>(i) == selected;
        if (over && !kept) room -= taken(tabs_[i]); // below 0 from the first on that does not fit
        tabs_[i]->setVisible(kept || !over || room >= 0);
    }
    fitting_ = false;
}

void PaneHeader::show_more(bool on) {
    if (more_ == nullptr && on) {
        more_ = new QToolButton(this);
        more_->setObjectName(QStringLiteral("tab"));
        more_->setText(QStringLiteral("»"));
        more_->setToolTip(tr("The other tabs"));
        more_->setAccessibleName(tr("The other tabs"));
        more_->setFocusPolicy(Qt::TabFocus);
        row_->insertWidget(static_cast<int>(tabs_.size()), more_);
        connect(more_, &QToolButton::clicked, this, [this] {
            QMenu menu(this);
            fill_more(menu);
            menu.exec(more_->mapToGlobal(QPoint(0, more_->height())));
        });
    }
    if (more_ != nullptr) more_->setVisible(on);
}

/// The tabs that are not seen.
void PaneHeader::fill_more(QMenu& menu) {
    for (std::size_t i = 0; i < tabs_.size(); ++i)
        if (tabs_[i]->isHidden())
            menu.addAction(tabs_[i]->text(), this, [this, i] { select_tab(static_cast<int>(i)); });
}

void PaneHeader::resizeEvent(QResizeEvent* event) {
    QWidget::resizeEvent(event);
    fit_tabs();
}

bool PaneHeader::event(QEvent* event) {
    if (event->type() == QEvent::LayoutRequest) { // a tab or button grew: the texts move
        fit_tabs();
        update();
    }
    return QWidget::event(event);
}

void PaneHeader::paintEvent(QPaintEvent*) {
    const Theme& t = theme();
    QPainter painter(this);
    painter.fillRect(rect(), t.panel);
    painter.fillRect(0, height() - 1, width(), 1, t.hairline);
    int left = 12, right = width() - 12;
    for (const QToolButton* tab : tabs_)
        if (tab->isVisible()) left = std::max(left, tab->geometry().right() + 12);
    if (more_ != nullptr && more_->isVisible()) left = std::max(left, more_->geometry().right() + 12);
    for (const QToolButton* button : buttons_)
        if (button->isVisible()) right = std::min(right, button->geometry().left() - 8);
    const auto draw = [&](Face face, const QColor& colour, const QString& text, Qt::Alignment align) {
        painter.setPen(colour);
        return draw_text(painter, face, {QRect(left, 0, right - left, height() - 1), align, Qt::ElideMiddle}, text);
    };
    if (!title_.isEmpty()) left += draw(Face::UiBold, t.text, title_, Qt::AlignLeft) + 12;
    if (!subject_.isEmpty() && right - left > 40) left += draw(Face::Ui, t.text, subject_, Qt::AlignLeft) + 16;
    // A cut sentence says nothing: without room for most of it the note is left to the tooltip.
    if (!note_.isEmpty() && right - left >= std::min(160, shaped_width(Face::Ui, note_)))
        draw(Face::Ui, t.dim, note_, Qt::AlignRight);
}

Pane::Pane(PaneHeader* header, QWidget* content, QWidget* parent) : QWidget(parent), header_(header) {
    auto* column = new QVBoxLayout(this);
    column->setContentsMargins(0, 0, 0, 0);
    column->setSpacing(0);
    column->addWidget(header);
    column->addWidget(content, 1);
}

} // namespace orrery::qt
