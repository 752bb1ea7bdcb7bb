#include "views/qt/pane.hpp"

#include "views/qt/ink.hpp"
#include "views/qt/theme.hpp"

#include <QEvent>
#include <QHBoxLayout>
#include <QPainter>
#include <QToolButton>
#include <QVBoxLayout>

#include <algorithm>
#include <utility>

namespace orrery::qt {
namespace {
constexpr int kHeaderHeight = 32; // WINDOW.md: 32-pixel pane headers
}

PaneHeader::PaneHeader(QWidget* parent) : QWidget(parent) {
    setObjectName(QStringLiteral("header"));
    setFixedHeight(kHeaderHeight);
    setAttribute(Qt::WA_OpaquePaintEvent); // so that nothing behind it is painted with it
    row_ = new QHBoxLayout(this);
    row_->setContentsMargins(8, 0, 8, 1);
    row_->setSpacing(4);
    row_->addStretch(1);
}

QSize PaneHeader::sizeHint() const { return {120, kHeaderHeight}; }

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
    row_->insertWidget(index, tab);
    tabs_.push_back(tab);
    connect(tab, &QToolButton::clicked, this, [this, index] { Q_EMIT tab_selected(index); });
    return index;
}

void PaneHeader::set_tab_text(int index, const QString& text) { tabs_[static_cast<std::size_t>(index)]->setText(text); }

void PaneHeader::select_tab(int index) {
    if (index < 0 || index >= static_cast<int>(tabs_.size())) return;
    tabs_[static_cast<std::size_t>(index)]->setChecked(true);
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

bool PaneHeader::event(QEvent* event) {
    if (event->type() == QEvent::LayoutRequest) update(); // a tab or button grew: the texts move
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
