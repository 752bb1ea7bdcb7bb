#include "views/qt/pass_card.hpp"

#include "views/qt/theme.hpp"
#include "views/qt/words.hpp"

#include <QApplication>
#include <QCheckBox>
#include <QGridLayout>
#include <QHBoxLayout>
#include <QKeyEvent>
#include <QLabel>
#include <QLineEdit>
#include <QToolButton>
#include <QVBoxLayout>

#include <algorithm>

namespace orrery::qt {
namespace {

constexpr int kWidth = 480;

} // namespace

PassCard::PassCard(QWidget* window) : QFrame(window) {
    setObjectName(QStringLiteral("popup"));
    setAccessibleName(tr("Pass"));
    setFocusPolicy(Qt::StrongFocus);
    auto* column = new QVBoxLayout(this);
    column->setContentsMargins(16, 12, 16, 12);
    column->setSpacing(6);
    const auto label = [&](const char* role, bool wrap) {
        auto* made = new QLabel(this);
        made->setObjectName(QLatin1String(role));
        made->setWordWrap(wrap);
        made->setTextInteractionFlags(Qt::TextSelectableByMouse);
        column->addWidget(made);
        return made;
    };
    name_ = label("title", false);
    summary_ = label("dim", true);
    facts_ = label("", true);
    error_ = label("error", true);
    options_ = new QGridLayout;
    options_->setContentsMargins(0, 4, 0, 4);
    options_->setHorizontalSpacing(12);
    options_->setVerticalSpacing(6);
    options_->setColumnStretch(1, 1);
    column->addLayout(options_);
    auto* row = new QHBoxLayout;
    row->setContentsMargins(0, 4, 0, 0);
    row->setSpacing(2);
    const auto button = [&](const QString& text, const QString& tip, auto&& run) {
        auto* made = new QToolButton(this);
        made->setObjectName(QStringLiteral("flat"));
        made->setText(text);
        made->setToolTip(tip);
        made->setAccessibleName(tip);
        made->setFocusPolicy(Qt::TabFocus);
        connect(made, &QToolButton::clicked, this, run);
        row->addWidget(made);
        return made;
    };
    switch_ = button(tr("Switch off"), tr("Leave this pass out, or take it in again"), [this] {
        send(views::EnablePass{step_.id, step_.state == views::StageState::Disabled});
    });
    earlier_ = button(QStringLiteral("◂"), tr("Move this pass earlier (Ctrl+Left)"), [this] {
        send(views::MovePass{step_.pass, step_.pass - 1});
    });
    later_ = button(QStringLiteral("▸"), tr("Move this pass later (Ctrl+Right)"), [this] {
        send(views::MovePass{step_.pass, step_.pass + 1});
    });
    insert_ = button(tr("Insert after…"), tr("Insert another pass after this one"),
                     [this] { Q_EMIT insert_requested(step_.pass + 1); });
    text_ = button(tr("Edit text"), tr("Edit the graph's text after this pass by hand"),
                   [this] { Q_EMIT text_requested(step_.id); });
    row->addStretch(1);
    remove_ = button(tr("Remove"), tr("Remove this pass (Delete)"), [this] { send(views::RemovePass{step_.pass}); });
    column->addLayout(row);
    hide();
}

void PassCard::open(const views::StageStep& step, const QRect& anchor) {
    if (!isVisible()) before_ = QApplication::focusWidget();
    step_ = step;
    anchor_ = anchor;
    render();
    show();
    raise();
    (editors_.empty() ? static_cast<QWidget*>(this) : editors_.front())->setFocus(Qt::PopupFocusReason);
}

void PassCard::refresh(const views::StagesViewData& data) {
    if (!isVisible()) return;
    // The pass under this card: the selected one when it moved, else the one at its place.
    const views::StageStep* same = nullptr;
    for (const views::StageSection& section : data.sections)
        for (const views::StageStep& step : section.steps)
            if ((step.pass >= 0 || step.id == 0) && step.name == step_.name &&
                (step.selected || (step.pass == step_.pass && !same)))
                same = &step;
    if (same == nullptr) return close_card();
    const bool other_options = same->options != step_.options || same->pass != step_.pass;
    step_ = *same;
    const bool typing = std::any_of(editors_.begin(), editors_.end(), [](QWidget* w) { return w->hasFocus(); });
    if (other_options || !typing) render();
}

void PassCard::close_card() {
    if (!isVisible()) return;
    for (QWidget* editor : editors_) editor->blockSignals(true); // what was typed and not entered is dropped
    hide();
    if (before_ != nullptr) before_->setFocus();
    before_ = nullptr;
}

void PassCard::render() {
    const bool off = step_.state == views::StageState::Disabled;
    name_->setText(text_of(step_.reference));
    summary_->setText(text_of(step_.summary));
    QStringList facts;
    if (off) facts << tr("switched off");
    if (step_.state == views::StageState::Pending) facts << tr("not reached");
    if (step_.state == views::StageState::Done) {
        facts << (step_.changed ? text_of(step_.detail) : tr("changed nothing"));
        if (!step_.time.empty()) facts << text_of(step_.time);
    }
    if (!step_.check.empty())
        facts << (step_.check_tone == views::Tone::Good ? tr("checked: same numbers, worst error %1")
                                                        : tr("changes the numbers: worst error %1"))
                     .arg(text_of(step_.check));
    if (step_.culprit) facts << tr("the first that is wrong");
    facts_->setText(facts.join(QStringLiteral(" · ")));
    facts_->setStyleSheet(
        QStringLiteral("color: %1")
            .arg((step_.culprit || step_.check_tone == views::Tone::Bad ? theme().error : theme().text).name()));
    error_->setText(text_of(step_.error));
    error_->setStyleSheet(QStringLiteral("color: %1").arg(theme().error.name()));
    error_->setVisible(!step_.error.empty());
    for (QToolButton* button : {switch_, earlier_, later_, remove_}) button->setVisible(step_.pass >= 0);
    switch_->setText(off ? tr("Switch on") : tr("Switch off"));
    earlier_->setEnabled(step_.pass > 0);
    add_options();
    place();
}

QWidget* PassCard::editor_for(const views::StageOption& option) {
    const auto set = [this, name = option.name](const QString& value) {
        send(views::SetPassOption{step_.pass, name, value.toStdString()});
    };
    if (option.flag) {
        auto* box = new QCheckBox(this);
        box->setChecked(option.value == "true");
        connect(box, &QCheckBox::toggled, this,
                [set](bool on) { set(on ? QStringLiteral("true") : QStringLiteral("false")); });
        return box;
    }
    auto* field = new QLineEdit(text_of(option.value), this);
    field->setPlaceholderText(option.fallback.empty() ? tr("empty") : text_of(option.fallback));
    field->setCursorPosition(0);
    connect(field, &QLineEdit::editingFinished, this, [set, field, before = text_of(option.value)] {
        if (field->text() != before) set(field->text());
    });
    return field;
}

void PassCard::add_options() {
    int focused = -1;
    for (std::size_t i = 0; i < editors_.size(); ++i)
        if (editors_[i]->hasFocus()) focused = static_cast<int>(i);
    while (QLayoutItem* item = options_->takeAt(0)) {
        // A field that is just being left still has a signal to finish.
        if (QWidget* old = item->widget()) old->hide(), old->deleteLater();
        delete item;
    }
    editors_.clear();
    int row = 0;
    for (const views::StageOption& option : step_.options) {
        if (option.name == "text" && step_.name == "HandEdit") continue; // edited in a pane of its own
        auto* name = new QLabel(text_of(option.name), this);
        name->setStyleSheet(option.own ? QStringLiteral("font-weight: 600") : QString());
        QWidget* editor = editor_for(option);
        editor->setAccessibleName(text_of(option.name));
        editor->setToolTip(text_of(option.doc));
        auto* doc = new QLabel(text_of(option.doc), this);
        doc->setObjectName(QStringLiteral("dim"));
        doc->setFont(theme().ui_small);
        doc->setWordWrap(true);
        options_->addWidget(name, row, 0);
        options_->addWidget(editor, row, 1);
        options_->addWidget(doc, row + 1, 1);
        // In a card that is open already they would be shown only later, and the card sized without them.
        for (QWidget* part : std::initializer_list<QWidget*>{name, editor, doc}) part->show();
        editors_.push_back(editor);
        row += 2;
    }
    if (focused >= 0 && focused < static_cast<int>(editors_.size()))
        editors_[static_cast<std::size_t>(focused)]->setFocus();
}

void PassCard::place() {
    const QSize room = parentWidget()->size();
    setFixedWidth(std::min(kWidth, room.width() - 16));
    layout()->activate();
    resize(width(), std::min(layout()->hasHeightForWidth() ? layout()->heightForWidth(width()) : sizeHint().height(),
                             room.height() - anchor_.bottom() - 16));
    move(std::clamp(anchor_.x(), 8, std::max(8, room.width() - width() - 8)), anchor_.bottom() + 4);
}

void PassCard::keyPressEvent(QKeyEvent* event) {
    if (event->key() == Qt::Key_Escape) return close_card();
    if (step_.pass < 0) return QFrame::keyPressEvent(event); // the import stays
    if (event->key() == Qt::Key_Delete) return send(views::RemovePass{step_.pass});
    if ((event->modifiers() & Qt::ControlModifier) != 0 && event->key() == Qt::Key_Left && step_.pass > 0)
        return send(views::MovePass{step_.pass, step_.pass - 1});
    if ((event->modifiers() & Qt::ControlModifier) != 0 && event->key() == Qt::Key_Right)
        return send(views::MovePass{step_.pass, step_.pass + 1});
    QFrame::keyPressEvent(event);
}

bool PassCard::event(QEvent* event) {
    if (event->type() == QEvent::PaletteChange && isVisible()) render(); // its colours are set by hand
    return QFrame::event(event);
}

} // namespace orrery::qt
