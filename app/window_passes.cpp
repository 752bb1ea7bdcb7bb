// The main window's part in the pass explorer: actions on passes, overlays, groups, export of the graph.

#include "app/main_window.hpp"
#include "views/qt/graph_picture.hpp"
#include "views/qt/words.hpp"

#include <QApplication>
#include <QClipboard>
#include <QFileDialog>
#include <QMenu>

#include <array>

namespace orrery::app {

using qt::text_of;

namespace {

constexpr std::array kOverlays = {ActionId::OverlayLatency, ActionId::OverlayFlops, ActionId::OverlayBytes,
                                  ActionId::OverlayIntensity, ActionId::OverlayError};
constexpr std::array kGroupings = {ActionId::GroupBlocks, ActionId::GroupModules, ActionId::GroupOnlyRepeats,
                                   ActionId::GroupKernels, ActionId::GroupBackends};

} // namespace

void MainWindow::connect_pass_actions() {
    Actions& a = *actions_;
    a.on(ActionId::InsertPass, [this] {
        const qt::StageButton* now = strip_->selected();
        const bool graph = now != nullptr && now->step().id < views::kTensorStages;
        int last = 0;
        for (const qt::StageButton* button : strip_->buttons()) last = std::max(last, button->step().pass + 1);
        open_insert(graph ? now->step().pass + 1 : last);
    });
    a.on(ActionId::RemovePass, [this] { strip_->remove_selected(); });
    a.on(ActionId::SwitchPass, [this] { strip_->switch_selected(); });
    a.on(ActionId::MoveEarlier, [this] { strip_->move_selected(-1); });
    a.on(ActionId::MoveLater, [this] { strip_->move_selected(1); });
    a.on(ActionId::PassOptions, [this] { open_card(strip_->selected()); });
    a.on(ActionId::EditText, [this] { open_editor(); });
    a.on(ActionId::CopyCommand, [this] { copy_command(); });
    a.on(ActionId::CheckSteps, [this] { submit(views::CheckSteps{}); });
    a.on(ActionId::Bisect, [this] { submit(views::Bisect{}); });
    a.on(ActionId::FilterStages, [this] { strip_->focus_filter(); });
    a.on(ActionId::FocusStages, [this] {
        if (qt::StageButton* now = strip_->selected()) now->setFocus(Qt::ShortcutFocusReason);
    });
    a.on_toggled(ActionId::ChangedOnly, [this](bool on) { strip_->set_changed_only(on); });
    a.on(ActionId::ShowOperators, [this] { workspace_->show_bottom_tab(Workspace::OperatorsTab); });
    a.on(ActionId::ShowScript, [this] { workspace_->show_bottom_tab(Workspace::ScriptTab); });
    connect(strip_, &qt::StageStrip::insert_requested, this, &MainWindow::open_insert);
    connect(strip_, &qt::StageStrip::card_requested, this, &MainWindow::open_card);
    connect(strip_, &qt::StageStrip::copy_requested, this, [this] { copy_command(); });
    connect(strip_, &qt::StageStrip::changed_only_toggled, this,
            [this](bool on) { (*actions_)[ActionId::ChangedOnly]->setChecked(on); });
    connect(card_, &qt::PassCard::insert_requested, this, &MainWindow::open_insert);
    connect(card_, &qt::PassCard::text_requested, this, [this](int stage) {
        card_->close_card();
        submit(views::SelectStage{stage});
        open_editor();
    });
    connect(workspace_, &Workspace::history_requested, this, [this](int entry) { submit(views::GoToEdit{entry}); });
    connect(workspace_, &Workspace::editor_shown, this, [this](bool on) { submit(views::ShowEditor{on}); });
}

void MainWindow::connect_overlay_actions() {
    Actions& a = *actions_;
    a.on(ActionId::Heat, [this] { submit(views::ShowHeat{!screen_->heat}); });
    for (std::size_t i = 0; i < kOverlays.size(); ++i)
        a.on(kOverlays[i], [this, i] { submit(views::ChooseOverlay{static_cast<views::Overlay>(i)}); });
    for (std::size_t i = 0; i < kGroupings.size(); ++i)
        a.on(kGroupings[i], [this, i] {
            (*actions_)[ActionId::GroupRepeats]->setChecked(true);
            submit(views::ChooseGroups{static_cast<views::GroupBy>(i)});
        });
    a.on(ActionId::ExportGraph, [this] { export_graph(); });
    connect(workspace_, &Workspace::overlay_menu_requested, this, [this](const QPoint& at) {
        QMenu menu(this);
        menu.addAction((*actions_)[ActionId::Heat]);
        for (const ActionId id : kOverlays) menu.addAction((*actions_)[id]);
        menu.addSeparator();
        menu.addAction((*actions_)[ActionId::GroupRepeats]);
        for (const ActionId id : kGroupings) menu.addAction((*actions_)[id]);
        menu.addSeparator();
        menu.addAction((*actions_)[ActionId::ShowOperators]);
        menu.addAction((*actions_)[ActionId::ExportGraph]);
        menu.exec(at);
    });
    workspace_->graph()->set_more_actions({a[ActionId::ExportGraph], a[ActionId::EditText]});
}

void MainWindow::open_insert(int at) {
    std::vector<qt::PaletteEntry> entries;
    for (const views::StageChoice& choice : screen_->stages->choices)
        entries.push_back({text_of(choice.name), text_of(choice.summary), {}, true, [this, at, name = choice.name] {
                               submit(views::InsertPass{at, name});
                           }});
    palette_->open(std::move(entries), tr("Type the name of a pass to insert"));
}

void MainWindow::open_card(const qt::StageButton* button) {
    if (button == nullptr || (button->step().pass < 0 && button->step().id != 0)) return;
    const QRect anchor(button->mapTo(this, QPoint(0, 0)), button->size());
    card_->open(button->step(), anchor);
}

void MainWindow::open_editor() {
    workspace_->show_bottom_tab(Workspace::TextTab);
    submit(views::ShowEditor{true});
    workspace_->editor()->field()->setFocus(Qt::ShortcutFocusReason);
}

void MainWindow::copy_command() {
    QApplication::clipboard()->setText(text_of(screen_->stages->command));
    status_->show_hint(tr("Copied: %1").arg(text_of(screen_->stages->command).section(u'\n', 0, 0)));
}

void MainWindow::export_graph() {
    const QString path = QFileDialog::getSaveFileName(
        this, tr("Export the graph"), QStringLiteral("graph.svg"),
        tr("Picture (*.svg);;Pixels (*.png);;Graphviz (*.dot);;Table of operators (*.csv)"));
    if (path.isEmpty()) return;
    if (!path.endsWith(QStringLiteral(".png"), Qt::CaseInsensitive))
        return submit(views::ExportView{path.toStdString()});
    if (!qt::graph_picture(*screen_->graph, screen_->heat, 2).save(path, "PNG"))
        status_->show_hint(tr("Cannot write %1").arg(path));
}

void MainWindow::update_pass_actions(const views::Screen& screen) {
    Actions& a = *actions_;
    const QString no_model = tr("open a model first");
    for (const ActionId id :
         {ActionId::InsertPass, ActionId::EditText, ActionId::CopyCommand, ActionId::CheckSteps, ActionId::Bisect,
          ActionId::FilterStages, ActionId::FocusStages, ActionId::ExportGraph, ActionId::ShowOperators,
          ActionId::ShowScript, ActionId::GroupBlocks, ActionId::GroupModules, ActionId::GroupOnlyRepeats,
          ActionId::GroupKernels, ActionId::GroupBackends})
        a.enable(id, screen.has_model, no_model);
    const views::StageStep* chosen = nullptr;
    for (const views::StageSection& section : screen.stages->sections)
        for (const views::StageStep& step : section.steps)
            if (step.selected) chosen = &step;
    const bool pass = chosen != nullptr && chosen->pass >= 0;
    const QString no_pass = screen.has_model ? tr("select a graph pass in the strip") : no_model;
    for (const ActionId id : {ActionId::RemovePass, ActionId::SwitchPass, ActionId::MoveEarlier, ActionId::MoveLater})
        a.enable(id, screen.has_model && pass, no_pass);
    a.enable(ActionId::PassOptions, screen.has_model && (pass || (chosen != nullptr && chosen->id == 0)), no_pass);
    static constexpr const char* kMissing[] = {"run the model first", "this graph's operators have no known work",
                                               "this graph's operators have no known sizes",
                                               "this graph's operators have no known work", "check the model first"};
    for (std::size_t i = 0; i < kOverlays.size(); ++i) {
        a.enable(kOverlays[i], screen.graph->has_overlay[i], tr(kMissing[i]));
        a[kOverlays[i]]->setChecked(screen.heat && static_cast<std::size_t>(screen.overlay) == i);
    }
    for (std::size_t i = 0; i < kGroupings.size(); ++i)
        a[kGroupings[i]]->setChecked(static_cast<std::size_t>(screen.group_by) == i);
    const auto overlay = static_cast<std::size_t>(screen.overlay);
    a.enable(ActionId::Heat, screen.graph->has_overlay[overlay], tr(kMissing[overlay]));
    a[ActionId::Heat]->setChecked(screen.heat);
}

} // namespace orrery::app
