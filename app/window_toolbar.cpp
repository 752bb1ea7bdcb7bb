#include "app/window_toolbar.hpp"

#include "views/qt/theme.hpp"

#include <QActionGroup>
#include <QFontMetrics>
#include <QHBoxLayout>
#include <QMenu>
#include <QPainter>

#include <algorithm>
#include <utility>

namespace orrery::app {
namespace {

constexpr int kHeight = 44;
constexpr int kWholeSearch = 300, kShortSearch = 90, kLeastName = 40; // pixels

/// The mark of the program: a sun, an orbit, a planet.
class Mark : public QToolButton {
  public:
    using QToolButton::QToolButton;
    [[nodiscard]] QSize sizeHint() const override { return {96, 32}; }

  protected:
    void paintEvent(QPaintEvent*) override {
        const qt::Theme& t = qt::theme();
        QPainter painter(this);
        painter.setRenderHint(QPainter::Antialiasing);
        if (underMouse() || hasFocus()) {
            painter.setPen(hasFocus() ? QPen(t.accent, 1) : QPen(Qt::NoPen));
            painter.setBrush(t.raised);
            painter.drawRoundedRect(QRectF(rect()).adjusted(0.5, 0.5, -0.5, -0.5), 6, 6);
        }
        const QPointF middle(20, height() / 2.0);
        painter.setPen(QPen(t.accent, 1.8));
        painter.setBrush(Qt::NoBrush);
        painter.drawEllipse(middle, 8, 8);
        painter.setPen(Qt::NoPen);
        painter.setBrush(t.accent);
        painter.drawEllipse(middle, 3.2, 3.2);
        painter.drawEllipse(middle + QPointF(5.7, -5.7), 2.3, 2.3);
        painter.setPen(t.text);
        painter.setFont(t.ui_bold);
        painter.drawText(rect().adjusted(38, 0, 0, 0), Qt::AlignLeft | Qt::AlignVCenter, text());
    }
};

QToolButton* bar_button(const QString& name, QWidget* parent) {
    auto* button = new QToolButton(parent);
    button->setObjectName(QStringLiteral("bar"));
    button->setAccessibleName(name);
    button->setFocusPolicy(Qt::TabFocus);
    return button;
}

} // namespace

Toolbar::Toolbar(const Actions& actions, QWidget* parent) : QWidget(parent) {
    setObjectName(QStringLiteral("toolbar"));
    setFixedHeight(kHeight);
    setAttribute(Qt::WA_OpaquePaintEvent); // so that nothing behind it is painted with it
    auto* row = new QHBoxLayout(this);
    row->setContentsMargins(8, 0, 12, 1);
    row->setSpacing(8);
    auto* mark = new Mark(this);
    mark->setText(QStringLiteral("Orrery"));
    mark->setAccessibleName(tr("Main menu"));
    mark->setToolTip(tr("Main menu (Alt+M)"));
    mark->setShortcut(QKeySequence(QStringLiteral("Alt+M")));
    mark->setPopupMode(QToolButton::InstantPopup);
    mark->setFocusPolicy(Qt::TabFocus);
    menu_ = new QMenu(mark);
    mark->setMenu(menu_);
    row->addWidget(mark);
    std::vector<std::pair<QString, QMenu*>> sections;
    for (const ActionRow& entry : action_rows()) {
        const QString section = QLatin1String(entry.section);
        if (sections.empty() || sections.back().first != section)
            sections.emplace_back(section, menu_->addMenu(section));
        sections.back().second->addAction(actions[entry.id]);
    }
    model_ = bar_button(tr("Model"), this);
    model_->setPopupMode(QToolButton::InstantPopup);
    model_menu_ = new QMenu(model_);
    model_->setMenu(model_menu_);
    row->addWidget(model_);
    target_ = bar_button(tr("Target"), this);
    target_->setPopupMode(QToolButton::InstantPopup);
    target_menu_ = new QMenu(target_);
    target_->setMenu(target_menu_);
    row->addWidget(target_);
    run_ = bar_button(tr("Run the model"), this);
    run_->setObjectName(QStringLiteral("primary"));
    actions[ActionId::Run]->setIconText(tr("▶ Run")); // what a button of it says, whatever else is changed
    run_->setDefaultAction(actions[ActionId::Run]);
    row->addWidget(run_);
    for (const auto& [id, text] : {std::pair(ActionId::Tune, tr("Tune")),
                                   {ActionId::Check, tr("Check")},
                                   {ActionId::Export, tr("Export…")},
                                   {ActionId::Undo, tr("↶")},
                                   {ActionId::Redo, tr("↷")},
                                   {ActionId::LayoutVta, tr("VTA")}}) {
        QToolButton* button = bar_button(actions[id]->text(), this);
        actions[id]->setIconText(text);
        button->setDefaultAction(actions[id]);
        row->addWidget(button);
    }
    row->addStretch(1);
    search_ = bar_button(tr("All actions"), this);
    search_->setToolTip(tr("Search for an action, a node, a tensor program"));
    connect(search_, &QToolButton::clicked, actions[ActionId::Palette], &QAction::trigger);
    row->addWidget(search_);
    row_ = row;
    say_search(kWholeSearch);
}

void Toolbar::set_screen(const views::Screen& screen) {
    model_name_ = screen.has_model ? QString::fromStdString(screen.model_title) : tr("Open a model");
    target_name_ = QString::fromStdString(screen.target_title);
    target_->setVisible(!screen.target_title.empty());
    fit();
    if (threads_ == screen.threads && max_threads_ == screen.max_threads) return;
    threads_ = screen.threads, max_threads_ = screen.max_threads;
    target_menu_->clear();
    auto* group = new QActionGroup(target_menu_);
    for (int count = 1; count <= std::max(1, max_threads_); count = count < 4 ? count + 1 : count * 2) {
        QAction* action = target_menu_->addAction(count == 1 ? tr("1 thread") : tr("%1 threads").arg(count));
        action->setCheckable(true);
        action->setChecked(count == threads_);
        group->addAction(action);
        connect(action, &QAction::triggered, this, [this, count] { Q_EMIT threads_requested(count); });
    }
}

/// What the buttons leave of the width, the search apart; below 0 when they are cut. Units: pixels.
int Toolbar::room() const {
    const QMargins margins = row_->contentsMargins();
    int room = width() - margins.left() - margins.right();
    for (int i = 0; i < row_->count(); ++i)
        if (const QWidget* button = row_->itemAt(i)->widget();
            button != nullptr && button != search_ && !button->isHidden())
            room -= button->sizeHint().width() + row_->spacing();
    return room;
}

/// The search takes what the other buttons leave: it says less where that is less, and goes where it is too little; its
/// key and the main menu stay. Where even they have too little room, the target's name is cut, then the model's.
void Toolbar::fit() {
    const auto say = [](QToolButton* button, const QString& name) { button->setText(name + QStringLiteral("  ▾")); };
    say(model_, model_name_);
    say(target_, target_name_);
    for (const auto& [button, name] : {std::pair(target_, target_name_), {model_, model_name_}}) {
        const int missing = button->isHidden() ? 0 : std::max(0, -room());
        button->setToolTip(missing > 0 ? name : QString());
        if (missing == 0) continue;
        const QFontMetrics metrics(button->font());
        say(button,
            metrics.elidedText(name, Qt::ElideRight, std::max(kLeastName, metrics.horizontalAdvance(name) - missing)));
    }
    const int left = room();
    say_search(left >= kWholeSearch ? kWholeSearch : left >= kShortSearch ? kShortSearch : 0);
}

/// `width` is one of the widths above, 0 for none.
void Toolbar::say_search(int width) {
    if (std::exchange(search_width_, width) == width) return;
    search_->setVisible(width > 0);
    if (width == 0) return;
    search_->setText(width == kWholeSearch ? tr("Search, or type an action…      Ctrl+Shift+P") : tr("Search…"));
    search_->setMinimumWidth(width);
}

void Toolbar::resizeEvent(QResizeEvent* event) {
    QWidget::resizeEvent(event);
    fit();
}

void Toolbar::paintEvent(QPaintEvent*) {
    QPainter painter(this);
    painter.fillRect(rect(), qt::theme().panel);
    painter.fillRect(0, height() - 1, width(), 1, qt::theme().hairline);
}

} // namespace orrery::app
