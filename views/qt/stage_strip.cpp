#include "views/qt/stage_strip.hpp"

#include "views/qt/theme.hpp"
#include "views/qt/words.hpp"

#include <QApplication>
#include <QContextMenuEvent>
#include <QHBoxLayout>
#include <QKeyEvent>
#include <QLabel>
#include <QLineEdit>
#include <QMenu>
#include <QPainter>
#include <QScrollBar>
#include <QTimer>
#include <QToolButton>

#include <algorithm>

// Outline: building; data and filter; stepping and editing; keys; dragging; menu.

namespace orrery::qt {
namespace {

constexpr int kHeight = 52, kFilterWidth = 118;

} // namespace

StageStrip::StageStrip(QWidget* parent) : QWidget(parent), data_(std::make_shared<views::StagesViewData>()) {
    setObjectName(QStringLiteral("strip"));
    setAccessibleName(tr("Stages"));
    setFixedHeight(kHeight);
    setAttribute(Qt::WA_OpaquePaintEvent); // so that nothing behind it is painted with it
    setFocusPolicy(Qt::NoFocus);
    auto* columns = new QHBoxLayout(this);
    columns->setContentsMargins(0, 0, 12, 1);
    columns->setSpacing(4);
    area_ = new QScrollArea(this);
    area_->setWidgetResizable(true);
    area_->setFrameShape(QFrame::NoFrame);
    area_->setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
    area_->setVerticalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
    area_->setFocusPolicy(Qt::NoFocus);
    area_->viewport()->setAutoFillBackground(false);
    area_->viewport()->installEventFilter(this);
    columns->addWidget(area_, 1);
    build_tools();
    build_edges();
    rebuild();
}

void StageStrip::build_edges() {
    QScrollBar* bar = area_->horizontalScrollBar();
    for (const StripEdge::Side side : {StripEdge::Side::Left, StripEdge::Side::Right}) {
        auto* edge = edges_[static_cast<std::size_t>(side)] = new StripEdge(side, this);
        const int direction = side == StripEdge::Side::Left ? -1 : 1;
        connect(edge, &QAbstractButton::clicked, this,
                [bar, direction] { bar->setValue(bar->value() + direction * bar->pageStep() * 2 / 3); });
    }
    connect(bar, &QScrollBar::rangeChanged, this, &StageStrip::place_edges);
    connect(bar, &QScrollBar::valueChanged, this, &StageStrip::place_edges);
    place_edges();
}

void StageStrip::place_edges() {
    const QScrollBar* bar = area_->horizontalScrollBar();
    for (StripEdge* edge : edges_) {
        const bool left = edge == edges_[0];
        const int x = left ? area_->x() : area_->geometry().right() + 1 - edge->sizeHint().width();
        edge->setGeometry(x, 0, edge->sizeHint().width(), height() - 1);
        edge->setVisible(left ? bar->value() > bar->minimum() : bar->value() < bar->maximum());
        edge->raise();
    }
}

void StageStrip::resizeEvent(QResizeEvent* event) {
    QWidget::resizeEvent(event);
    place_edges();
}

void StageStrip::build_tools() {
    auto* columns = static_cast<QHBoxLayout*>(layout());
    filter_ = new QLineEdit(this);
    filter_->setPlaceholderText(tr("Filter stages"));
    filter_->setAccessibleName(tr("Filter the stages by name"));
    filter_->setFixedWidth(kFilterWidth);
    filter_->setClearButtonEnabled(true);
    filter_->installEventFilter(this);
    connect(filter_, &QLineEdit::textChanged, this, [this] { apply_filter(); });
    const auto button = [&](const QString& text, const QString& tip) {
        auto* made = new QToolButton(this);
        made->setObjectName(QStringLiteral("flat"));
        made->setText(text);
        made->setToolTip(tip);
        made->setAccessibleName(tip);
        made->setFocusPolicy(Qt::TabFocus);
        return made;
    };
    changed_ = button(tr("changed"), tr("Only stages that changed something"));
    changed_->setCheckable(true);
    connect(changed_, &QToolButton::toggled, this, [this](bool on) {
        set_changed_only(on);
        Q_EMIT changed_only_toggled(on);
    });
    insert_ = button(QStringLiteral("+"), tr("Insert a pass after the selected one (Ctrl+I)"));
    connect(insert_, &QToolButton::clicked, this, [this] {
        const StageButton* now = selected();
        const int passes = static_cast<int>(
            std::count_if(buttons_.begin(), buttons_.end(), [](const StageButton* b) { return b->step().pass >= 0; }));
        const bool graph = now != nullptr && now->step().id < views::kTensorStages;
        Q_EMIT insert_requested(graph ? now->step().pass + 1 : passes);
    });
    columns->addWidget(filter_);
    columns->addWidget(changed_);
    columns->addWidget(insert_);
}

// ------------------------------------------------------------------------------------ data and filter

void StageStrip::set_data(std::shared_ptr<const views::StagesViewData> data) {
    if (!data || data == data_) return;
    data_ = std::move(data);
    if (!fit_sections()) return rebuild();
    std::size_t next = 0;
    for (const views::StageSection& section : data_->sections)
        for (const views::StageStep& step : section.steps) buttons_[next++]->set_step(step, expanded_);
    apply_filter();
    show_selected();
}

void StageStrip::set_expanded(bool on) {
    expanded_ = on;
    for (StageButton* button : buttons_) button->set_step(views::StageStep(button->step()), on);
}

void StageStrip::set_changed_only(bool on) {
    changed_only_ = on;
    changed_->setChecked(on);
    apply_filter();
}

void StageStrip::set_filter(const QString& text) { filter_->setText(text); }

void StageStrip::focus_filter() {
    filter_->setFocus(Qt::ShortcutFocusReason);
    filter_->selectAll();
}

StageButton* StageStrip::make_button() {
    auto* button = new StageButton;
    button->installEventFilter(this);
    connect(button, &StageButton::clicked, this, [this, button] { send(views::SelectStage{button->step().id}); });
    return button;
}

bool StageStrip::fit_sections() {
    if (buttons_.empty() || data_->sections.size() != sections_.size()) return false;
    auto* row = static_cast<QHBoxLayout*>(row_->layout());
    buttons_.clear();
    for (std::size_t i = 0; i < sections_.size(); ++i) {
        auto& [label, buttons] = sections_[i];
        if (const QString title = text_of(data_->sections[i].title).toUpper(); label->text() != title)
            label->setText(title);
        const std::size_t wanted = data_->sections[i].steps.size();
        while (buttons.size() > wanted) {
            if (buttons.back() == dragged_) end_drag();
            buttons.back()->hide();
            row->removeWidget(buttons.back());
            buttons.back()->deleteLater(); // it may be what was clicked
            buttons.pop_back();
        }
        for (int at = row->indexOf(buttons.empty() ? static_cast<QWidget*>(label) : buttons.back());
             buttons.size() < wanted;) {
            buttons.push_back(make_button());
            row->insertWidget(++at, buttons.back());
        }
        buttons_.insert(buttons_.end(), buttons.begin(), buttons.end());
    }
    return true;
}

void StageStrip::rebuild() {
    end_drag();
    buttons_.clear();
    sections_.clear();
    auto* content = new StageRow;
    auto* row = new QHBoxLayout(content);
    row->setContentsMargins(16, 6, 16, 6);
    row->setSpacing(6);
    nothing_ = new QLabel(text_of(data_->empty_reason), content);
    nothing_->setObjectName(QStringLiteral("dim"));
    row->addWidget(nothing_);
    for (const views::StageSection& section : data_->sections) {
        auto* label = new QLabel(text_of(section.title).toUpper(), content);
        label->setObjectName(QStringLiteral("dim"));
        QFont font = theme().ui_small;
        font.setPixelSize(11);
        font.setLetterSpacing(QFont::AbsoluteSpacing, 1.2);
        label->setFont(font);
        label->setContentsMargins(sections_.empty() ? 0 : 10, 0, 2, 0);
        row->addWidget(label);
        sections_.push_back({label, {}});
        for (const views::StageStep& step : section.steps) {
            StageButton* button = make_button();
            button->set_step(step, expanded_);
            row->addWidget(button);
            buttons_.push_back(button);
            sections_.back().second.push_back(button);
        }
    }
    row->addStretch(1);
    area_->setWidget(content);
    row_ = content;
    content->setAutoFillBackground(false);
    apply_filter();
    show_selected();
}

void StageStrip::apply_filter() {
    const std::string text = filter_->text().toStdString();
    bool any = false;
    for (const auto& [label, buttons] : sections_) {
        bool some = false;
        for (StageButton* button : buttons) {
            const bool shown = views::passes_filter(button->step(), text, changed_only_);
            button->setVisible(shown);
            some = some || shown;
        }
        label->setVisible(some);
        any = any || some;
    }
    nothing_->setText(sections_.empty() ? text_of(data_->empty_reason) : tr("No stage is called like that."));
    nothing_->setVisible(!any);
}

void StageStrip::show_selected() {
    // After the layout has run: until then positions are those of the strip before.
    QTimer::singleShot(0, this, [this] {
        if (StageButton* now = selected(); now != nullptr && !now->isHidden()) area_->ensureWidgetVisible(now, 120, 0);
    });
}

// ------------------------------------------------------------------------------- stepping and editing

StageButton* StageStrip::selected() const {
    const auto it =
        std::find_if(buttons_.begin(), buttons_.end(), [](const StageButton* b) { return b->step().selected; });
    return it == buttons_.end() ? nullptr : *it;
}

void StageStrip::step(int direction, bool only_changed) {
    int at = -1;
    const int count = static_cast<int>(buttons_.size());
    for (int i = 0; i < count; ++i)
        if (buttons_[static_cast<std::size_t>(i)]->step().selected) at = i;
    for (int i = at + direction; i >= 0 && i < count; i += direction) {
        const StageButton* button = buttons_[static_cast<std::size_t>(i)];
        const bool quiet = !button->step().changed && button->step().state == views::StageState::Done;
        if (button->isHidden() || (only_changed && quiet)) continue;
        return send(views::SelectStage{button->step().id});
    }
}

void StageStrip::move_selected(int direction) {
    const StageButton* now = selected();
    if (now == nullptr || now->step().pass < 0) return;
    send(views::MovePass{now->step().pass, now->step().pass + direction});
}

void StageStrip::remove_selected() {
    const StageButton* now = selected();
    if (now != nullptr && now->step().pass >= 0) send(views::RemovePass{now->step().pass});
}

void StageStrip::switch_selected() {
    const StageButton* now = selected();
    if (now != nullptr && now->step().pass >= 0)
        send(views::EnablePass{now->step().id, now->step().state == views::StageState::Disabled});
}

// ---------------------------------------------------------------------------------------------- keys

void StageStrip::focus_beside(StageButton* button, int direction) {
    auto at = std::find(buttons_.begin(), buttons_.end(), button) - buttons_.begin() + direction;
    while (at >= 0 && at < std::ssize(buttons_) && buttons_[static_cast<std::size_t>(at)]->isHidden()) at += direction;
    if (at < 0 || at >= std::ssize(buttons_)) return;
    buttons_[static_cast<std::size_t>(at)]->setFocus(Qt::TabFocusReason);
}

bool StageStrip::key_on(StageButton* button, QKeyEvent* event) {
    const int pass = button->step().pass;
    const bool control = (event->modifiers() & Qt::ControlModifier) != 0;
    switch (event->key()) {
    case Qt::Key_Left:
    case Qt::Key_Right: {
        const int direction = event->key() == Qt::Key_Right ? 1 : -1;
        if (!control)
            focus_beside(button, direction);
        else if (pass >= 0)
            send(views::MovePass{pass, pass + direction});
        return true;
    }
    case Qt::Key_Return:
    case Qt::Key_Enter: button->click(); return true;
    case Qt::Key_Delete:
        if (pass >= 0) send(views::RemovePass{pass});
        return true;
    case Qt::Key_Insert:
        if (button->step().id < views::kTensorStages) Q_EMIT insert_requested(pass + 1);
        return true;
    case Qt::Key_F2: Q_EMIT card_requested(button); return true;
    default: return false;
    }
}

bool StageStrip::eventFilter(QObject* watched, QEvent* event) {
    if (watched == filter_ && event->type() == QEvent::KeyPress &&
        static_cast<QKeyEvent*>(event)->key() == Qt::Key_Escape) {
        filter_->clear();
        if (StageButton* now = selected()) now->setFocus(Qt::TabFocusReason);
        return true;
    }
    if (watched == area_->viewport() && event->type() == QEvent::Wheel) {
        const QPoint delta = static_cast<QWheelEvent*>(event)->angleDelta();
        QScrollBar* bar = area_->horizontalScrollBar();
        bar->setValue(bar->value() - (delta.y() != 0 ? delta.y() : delta.x()) / 2);
        return true;
    }
    auto* button = qobject_cast<StageButton*>(watched);
    if (button == nullptr) return QWidget::eventFilter(watched, event);
    if (event->type() == QEvent::KeyPress && key_on(button, static_cast<QKeyEvent*>(event))) return true;
    if (event->type() == QEvent::FocusIn) area_->ensureWidgetVisible(button, 60, 0);
    const bool card = button->step().pass >= 0 || button->step().id == 0;
    if (event->type() == QEvent::MouseButtonDblClick && card) {
        Q_EMIT card_requested(button);
        return true;
    }
    return drag(button, event) || QWidget::eventFilter(watched, event);
}

// ------------------------------------------------------------------------------------------- dragging

StageStrip::Drop StageStrip::drop_at(int x, int from) const {
    Drop drop;
    int index = 0; // of the pass before which x is
    for (const StageButton* button : buttons_) {
        if (button->step().id >= views::kTensorStages || button->isHidden()) continue;
        const QRect box = button->geometry();
        if (button->step().pass >= 0 && x < box.center().x()) {
            drop.mark = box.left() - 3;
            index = button->step().pass;
            drop.to = index > from ? index - 1 : index;
            return drop;
        }
        drop.mark = box.right() + 4;
        index = button->step().pass + 1;
    }
    drop.to = index > from ? index - 1 : index;
    return drop;
}

bool StageStrip::drag(StageButton* button, QEvent* event) {
    if (event->type() == QEvent::MouseButtonPress) {
        const auto* mouse = static_cast<QMouseEvent*>(event);
        if (mouse->button() == Qt::LeftButton && button->step().pass >= 0) dragged_ = button, pressed_ = mouse->pos();
        return false;
    }
    if (button != dragged_) return false;
    if (event->type() == QEvent::MouseMove) {
        const QPoint at = static_cast<QMouseEvent*>(event)->pos();
        if (!dragging_ && (at - pressed_).manhattanLength() < QApplication::startDragDistance()) return false;
        if (!dragging_) button->setDown(false);
        dragging_ = true;
        button->setCursor(Qt::ClosedHandCursor);
        row_->set_drop_mark(drop_at(button->mapToParent(at).x(), button->step().pass).mark);
        return true;
    }
    if (event->type() == QEvent::MouseButtonRelease) {
        const bool moved = dragging_;
        const int from = button->step().pass;
        const Drop drop = drop_at(button->mapToParent(static_cast<QMouseEvent*>(event)->pos()).x(), from);
        end_drag();
        if (!moved) return false;
        if (drop.to >= 0 && drop.to != from) send(views::MovePass{from, drop.to});
        return true;
    }
    return false;
}

void StageStrip::end_drag() {
    if (dragged_ != nullptr) dragged_->setCursor(Qt::PointingHandCursor);
    if (row_ != nullptr) row_->set_drop_mark(-1);
    dragged_ = nullptr;
    dragging_ = false;
}

// ---------------------------------------------------------------------------------------------- menu

void StageStrip::contextMenuEvent(QContextMenuEvent* event) {
    QMenu menu(this);
    for (StageButton* button : buttons_) {
        if (button->isHidden() || !button->rect().contains(button->mapFromGlobal(event->globalPos()))) continue;
        const views::StageStep step = button->step();
        menu.addAction(tr("Show this stage"), this, [this, step] { send(views::SelectStage{step.id}); });
        if (step.id == 0)
            menu.addAction(tr("Shapes of the inputs…"), QKeySequence(Qt::Key_F2), this,
                           [this, button] { Q_EMIT card_requested(button); });
        if (step.pass >= 0) {
            const bool off = step.state == views::StageState::Disabled;
            menu.addAction(tr("Options and facts…"), QKeySequence(Qt::Key_F2), this,
                           [this, button] { Q_EMIT card_requested(button); });
            menu.addSeparator();
            menu.addAction(off ? tr("Switch this pass on") : tr("Switch this pass off"), this, [this, step, off] {
                send(views::EnablePass{step.id, off});
            });
            menu.addAction(tr("Move earlier"), this, [this, step] { send(views::MovePass{step.pass, step.pass - 1}); });
            menu.addAction(tr("Move later"), this, [this, step] { send(views::MovePass{step.pass, step.pass + 1}); });
            menu.addAction(tr("Remove"), QKeySequence(Qt::Key_Delete), this,
                           [this, step] { send(views::RemovePass{step.pass}); });
            menu.addAction(tr("Insert a pass before…"), this, [this, step] { Q_EMIT insert_requested(step.pass); });
        }
        if (step.id < views::kTensorStages)
            menu.addAction(tr("Insert a pass after…"), QKeySequence(Qt::Key_Insert), this,
                           [this, step] { Q_EMIT insert_requested(step.pass + 1); });
        menu.addSeparator();
    }
    QMenu* levels = menu.addMenu(tr("Start over from a pipeline"));
    for (int level = 0; level <= 3; ++level)
        levels->addAction(QStringLiteral("-O%1").arg(level), this, [this, level] { send(views::SetLevel{level}); });
    menu.addAction(tr("Copy the command line"), this, [this] { Q_EMIT copy_requested(text_of(data_->command)); });
    QAction* all = menu.addAction(tr("Show stages that changed nothing in full"));
    all->setCheckable(true);
    all->setChecked(expanded_);
    connect(all, &QAction::toggled, this, &StageStrip::set_expanded);
    menu.exec(event->globalPos());
}

void StageStrip::paintEvent(QPaintEvent*) {
    QPainter painter(this);
    painter.fillRect(rect(), theme().panel);
    painter.fillRect(0, height() - 1, width(), 1, theme().hairline);
}

} // namespace orrery::qt
