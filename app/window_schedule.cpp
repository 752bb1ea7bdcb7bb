// The main window's part in the scheduler: actions on loops, steps and traces.

#include "app/main_window.hpp"

#include <QSlider>

#include <algorithm>

namespace orrery::app {

void MainWindow::connect_schedule_actions() {
    using What = session::TraceEdit::What;
    Actions& a = *actions_;
    const auto edit = [this](session::TraceEdit what) { submit(views::EditTrace{std::move(what)}); };
    const auto schedule = [this] {
        if (workspace_->arrangement() != Arrangement::Schedule) (*actions_)[ActionId::LayoutSchedule]->trigger();
        return workspace_->loops();
    };
    a.on(ActionId::ApplyPrimitive, [schedule] {
        qt::LoopPanel* loops = schedule();
        loops->tree()->setFocus(Qt::ShortcutFocusReason);
        loops->tree()->open_menu();
    });
    a.on(ActionId::EditStep, [schedule] { schedule()->trace()->edit(schedule()->trace()->current()); });
    a.on(ActionId::RemoveStep, [schedule, edit] {
        if (const int row = schedule()->trace()->current(); row > 0) edit({.what = What::Remove, .at = row - 1});
    });
    a.on(ActionId::NextStep, [this] { show_step(1); });
    a.on(ActionId::PreviousStep, [this] { show_step(-1); });
    a.on(ActionId::KeepTrace, [this, edit] {
        const std::vector<std::string>& kept = screen_->loops->branches;
        std::string name = "branch 1";
        for (int i = 2; std::ranges::find(kept, name) != kept.end(); ++i) name = "branch " + std::to_string(i);
        edit({.what = What::Keep, .text = name});
    });
    a.on(ActionId::ResetSchedule, [edit] { edit({.what = What::Reset}); });
    a.on(ActionId::AttSyntax, [this] { submit(views::AttSyntax{!screen_->att_syntax}); });
    a.on(ActionId::Measure, [this] {
        workspace_->show_bottom_tab(Workspace::MeasureTab);
        submit(views::MeasureFunction{});
    });
    a.on(ActionId::ShowMeasurements, [this] { workspace_->show_bottom_tab(Workspace::MeasureTab); });
    connect(workspace_, &Workspace::access_wanted, this, [this](const views::ShowAccess& what) { submit(what); });
    a.on(ActionId::ShowMachine, [this] { workspace_->show_bottom_tab(Workspace::MachineTab); });
    a.on(ActionId::ShowAccess, [this] { workspace_->show_bottom_tab(Workspace::AccessTab); });
}

/// The program some steps of the trace later, or earlier when `by` is negative.
void MainWindow::show_step(int by) {
    const views::LoopViewData& loops = *screen_->loops;
    const int to = std::clamp(loops.shown + by, 0, loops.reached);
    if (to != loops.shown) submit(views::SelectStage{views::kTensorStages + to});
}

void MainWindow::update_schedule_actions(const views::Screen& screen) {
    Actions& a = *actions_;
    const views::LoopViewData& loops = *screen.loops;
    const QString none = tr("open a model with tensor programs first");
    const bool there = !loops.subject.empty();
    for (const ActionId id : {ActionId::ApplyPrimitive, ActionId::KeepTrace, ActionId::FocusLoops})
        a.enable(id, there && !loops.rows.empty(), none);
    for (const ActionId id : {ActionId::EditStep, ActionId::RemoveStep})
        a.enable(id, !loops.trace.empty(), there ? tr("the trace has no steps") : none);
    a.enable(ActionId::NextStep, loops.shown < loops.reached, tr("the last step is shown"));
    a.enable(ActionId::PreviousStep, loops.shown > 0, tr("the loops as lowered are shown"));
    a.enable(ActionId::ResetSchedule, there && !loops.is_default, there ? tr("it is the default already") : none);
    const views::MeasureViewData& measure = *screen.measure;
    a.enable(ActionId::Measure, measure.can_measure && measure.running.empty(),
             measure.running.empty() ? QString::fromStdString(measure.why_not) : tr("it is being measured"));
    a[ActionId::AttSyntax]->setChecked(screen.att_syntax);
}

} // namespace orrery::app
