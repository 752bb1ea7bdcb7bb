#include "views/qt/diff_panel.hpp"

#include "views/qt/theme.hpp"
#include "views/qt/words.hpp"

#include <QHBoxLayout>
#include <QKeyEvent>
#include <QScrollBar>
#include <QSplitter>
#include <QToolButton>

#include <algorithm>

namespace orrery::qt {
namespace {} // namespace

DiffPanel::DiffPanel(QWidget* parent) : QWidget(parent), data_(std::make_shared<views::DiffViewData>()) {
    auto* row = new QHBoxLayout(this);
    row->setContentsMargins(0, 0, 0, 0);
    auto* split = new QSplitter(Qt::Horizontal, this);
    split->setHandleWidth(1);
    split->setChildrenCollapsible(false);
    row->addWidget(split);
    left_ = new TextView(this);
    right_ = new TextView(this);
    left_header_ = new PaneHeader(this);
    right_header_ = new PaneHeader(this);
    left_header_->set_title(tr("Before"));
    right_header_->set_title(tr("After"));
    pin_ = left_header_->add_button(tr("pin"), tr("Keep this side while stepping through the stages (Ctrl+L)"), true);
    swap_ = left_header_->add_button(QStringLiteral("⇄"), tr("Swap the sides (Ctrl+Shift+L)"), false);
    before_ = right_header_->add_button(QStringLiteral("▴"), tr("Change before this one (Shift+F7)"), false);
    next_ = right_header_->add_button(QStringLiteral("▾"), tr("Next change (F7)"), false);
    split->addWidget(new Pane(left_header_, left_, this));
    split->addWidget(new Pane(right_header_, right_, this));
    split->setSizes({1000, 1000});
    connect(pin_, &QToolButton::clicked, this, &DiffPanel::pin_requested);
    connect(swap_, &QToolButton::clicked, this, &DiffPanel::swap_requested);
    connect(before_, &QToolButton::clicked, this, [this] { go_to_change(true); });
    connect(next_, &QToolButton::clicked, this, [this] { go_to_change(false); });
    tie(left_, right_);
    tie(right_, left_);
    set_data(data_);
    setFocusProxy(right_);
}

/// Whatever one side scrolls or folds, the other does.
void DiffPanel::tie(TextView* from, TextView* to) {
    connect(from->verticalScrollBar(), &QScrollBar::valueChanged, this,
            [to](int value) { to->verticalScrollBar()->setValue(value); });
    connect(from->horizontalScrollBar(), &QScrollBar::valueChanged, this,
            [to](int value) { to->horizontalScrollBar()->setValue(value); });
    connect(from, &TextView::folds_changed, this, [this, from, to] {
        if (tied_) return;
        tied_ = true;
        to->set_folded(from->folded());
        to->verticalScrollBar()->setValue(from->verticalScrollBar()->value());
        tied_ = false;
    });
    connect(from, &TextView::selection_requested, this,
            [this, from](const views::Selection& selection) { Q_EMIT selection_requested(selection, from); });
}

void DiffPanel::set_data(std::shared_ptr<const views::DiffViewData> data) {
    if (!data) return;
    data_ = std::move(data);
    tied_ = true;
    const auto show = [this](TextView* view, const std::shared_ptr<const views::TextViewData>& text, const char* name) {
        if (text->line_count() > 0) {
            view->set_data(text);
        } else {
            auto empty = std::make_shared<views::TextViewData>();
            empty->empty_reason = view == right_ ? data_->empty_reason : tr("Nothing on this side.").toStdString();
            view->set_data(std::move(empty));
        }
        view->setAccessibleName(tr(name));
    };
    show(left_, data_->left, QT_TR_NOOP("Text before"));
    show(right_, data_->right, QT_TR_NOOP("Text after"));
    tied_ = false;
    left_header_->set_subject(text_of(data_->left_title));
    right_header_->set_subject(text_of(data_->right_title));
    const bool any = !data_->hunks.empty();
    before_->setEnabled(any);
    next_->setEnabled(any);
    update_note();
    if (any) right_->scroll_to_line(data_->hunks.front());
}

void DiffPanel::update_note() { right_header_->set_note(text_of(data_->summary)); }

void DiffPanel::set_pinned(bool pinned) {
    pin_->setChecked(pinned);
    left_header_->set_title(pinned ? tr("Pinned") : tr("Before"));
}

void DiffPanel::set_selection(const views::Selection& selection, const QObject* source) {
    // One side scrolls to it, the other follows.
    left_->set_selection(selection, false);
    right_->set_selection(selection, source != left_ && source != right_);
    if (source != left_ && source != right_ && right_->linked().empty()) left_->set_selection(selection, true);
}

void DiffPanel::go_to_change(bool backwards) {
    const auto& hunks = data_->hunks;
    if (hunks.empty()) return;
    TextView* view = left_->hasFocus() ? left_ : right_;
    const int at = view->caret_line();
    auto it =
        backwards ? std::lower_bound(hunks.begin(), hunks.end(), at) : std::upper_bound(hunks.begin(), hunks.end(), at);
    if (backwards) {
        if (it == hunks.begin()) return;
        --it;
    } else if (it == hunks.end()) {
        return;
    }
    left_->go_to_line(*it);
    right_->go_to_line(*it);
}

void DiffPanel::keyPressEvent(QKeyEvent* event) {
    if (event->key() == Qt::Key_F7) return go_to_change((event->modifiers() & Qt::ShiftModifier) != 0);
    QWidget::keyPressEvent(event);
}

} // namespace orrery::qt
