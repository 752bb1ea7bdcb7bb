#include "views/qt/pane.hpp"

#include "views/qt/theme.hpp"

#include <QButtonGroup>
#include <QHBoxLayout>
#include <QLabel>
#include <QPainter>
#include <QToolButton>
#include <QVBoxLayout>

namespace orrery::qt {
namespace {
constexpr int kHeaderHeight = 32; // WINDOW.md: 32-pixel pane headers
}

PaneHeader::PaneHeader(QWidget* parent) : QWidget(parent) {
    setObjectName(QStringLiteral("header"));
    setFixedHeight(kHeaderHeight);
    row_ = new QHBoxLayout(this);
    row_->setContentsMargins(12, 0, 8, 1);
    row_->setSpacing(6);
    title_ = new QLabel(this);
    title_->setObjectName(QStringLiteral("title"));
    title_->hide();
    subject_ = new QLabel(this);
    subject_->setMinimumWidth(0);
    note_ = new QLabel(this);
    note_->setObjectName(QStringLiteral("dim"));
    note_->setAlignment(Qt::AlignRight | Qt::AlignVCenter);
    row_->addWidget(title_);
    row_->addSpacing(4);
    row_->addWidget(subject_);
    row_->addStretch(1);
    row_->addWidget(note_);
}

void PaneHeader::set_title(const QString& title) {
    title_->setText(title);
    title_->setVisible(!title.isEmpty());
}

void PaneHeader::set_subject(const QString& subject) {
    full_subject_ = subject;
    subject_->setToolTip(subject);
    refit();
}

void PaneHeader::set_note(const QString& note) {
    full_note_ = note;
    note_->setToolTip(note);
    refit();
}

void PaneHeader::refit() {
    int taken = 40;
    if (title_->isVisibleTo(this)) taken += title_->sizeHint().width() + 16;
    for (const QToolButton* tab : tabs_) taken += tab->sizeHint().width() + 6;
    for (const QToolButton* b : findChildren<QToolButton*>(QStringLiteral("flat"))) taken += b->sizeHint().width() + 6;
    const QFontMetrics metrics(font());
    const int room = std::max(0, width() - taken);
    const int subject = std::min(room, metrics.horizontalAdvance(full_subject_) + 4);
    subject_->setText(metrics.elidedText(full_subject_, Qt::ElideMiddle, subject));
    const int note = room - subject - 12;
    // A cut sentence says nothing: below a useful width the note is left to the tooltip.
    note_->setText(note < 60 ? QString() : metrics.elidedText(full_note_, Qt::ElideRight, note));
}

void PaneHeader::resizeEvent(QResizeEvent* event) {
    QWidget::resizeEvent(event);
    refit();
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
    connect(tab, &QToolButton::clicked, this, [this, index] { emit tab_selected(index); });
    return index;
}

void PaneHeader::set_tab_text(int index, const QString& text) {
    tabs_[static_cast<std::size_t>(index)]->setText(text);
    refit();
}

void PaneHeader::select_tab(int index) {
    if (index < 0 || index >= static_cast<int>(tabs_.size())) return;
    tabs_[static_cast<std::size_t>(index)]->setChecked(true);
    emit tab_selected(index);
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
    return button;
}

void PaneHeader::paintEvent(QPaintEvent*) {
    QPainter painter(this);
    painter.fillRect(rect(), theme().panel);
    painter.fillRect(0, height() - 1, width(), 1, theme().hairline);
}

Pane::Pane(PaneHeader* header, QWidget* content, QWidget* parent) : QWidget(parent), header_(header) {
    auto* column = new QVBoxLayout(this);
    column->setContentsMargins(0, 0, 0, 0);
    column->setSpacing(0);
    column->addWidget(header);
    column->addWidget(content, 1);
}

} // namespace orrery::qt
