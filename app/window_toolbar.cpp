#include "app/window_toolbar.hpp"

#include "views/qt/theme.hpp"

#include <QActionGroup>
#include <QHBoxLayout>
#include <QMenu>
#include <QPainter>

namespace orrery::app {
namespace {

constexpr int kHeight = 44;

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
    search_->setText(tr("Search, or type an action…      Ctrl+Shift+P"));
    search_->setMinimumWidth(300);
    connect(search_, &QToolButton::clicked, actions[ActionId::Palette], &QAction::trigger);
    row->addWidget(search_);
}

void Toolbar::set_screen(const views::Screen& screen) {
    model_->setText(screen.has_model ? QString::fromStdString(screen.model_title) + QStringLiteral("  ▾")
                                     : tr("Open a model  ▾"));
    target_->setText(QString::fromStdString(screen.target_title) + QStringLiteral("  ▾"));
    target_->setVisible(!screen.target_title.empty());
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

void Toolbar::fit() { search_->setVisible(width() > 860); }

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
