#include "app/main_window.hpp"

#include "app/vta_page.hpp"
#include "views/qt/theme.hpp"
#include "views/qt/words.hpp"

#include <QApplication>
#include <QBackingStore>
#include <QCloseEvent>
#include <QDragEnterEvent>
#include <QFileDialog>
#include <QFileInfo>
#include <QMenu>
#include <QMimeData>
#include <QPushButton>
#include <QShortcut>
#include <QStackedWidget>
#include <QVBoxLayout>
#include <QWindow>

// Outline: building; actions; screens; selection; opening and saving; palette.

namespace orrery::app {

using qt::text_of;

namespace {

constexpr qint64 kFrameMs = 15; // frames never wait longer for each other: WINDOW.md asks for 60 a second
constexpr int kRestMs = 25, kRestWithCodeMs = 100; // panes beside the programs follow an edit so much later
constexpr int kGatherMs = 2; // what was asked for together is shown together: the strip and the graph of a step
constexpr int kCalmMs = 5;   // after the last frame of several
constexpr std::size_t kMaxTrail = 200;

} // namespace

MainWindow::MainWindow(Workbench& workbench, const SettingsOptions& settings)
    : workbench_(workbench), settings_(settings), screen_(std::make_shared<views::Screen>()), whole_(screen_) {
    setWindowTitle(QStringLiteral("Orrery"));
    setAcceptDrops(true);
    setMinimumSize(760, 480);
    resize(1400, 880);
    set_theme({settings_.flag(QStringLiteral("dark"), true), settings_.flag(QStringLiteral("colour_blind"), false)});
    build();
    connect_file_actions();
    connect_go_actions();
    connect_pass_actions();
    connect_overlay_actions();
    connect_schedule_actions();
    connect_view_actions();
    connect_compare_actions();
    connect_scratch_actions();
    pending_.setSingleShot(true);
    pending_.setTimerType(Qt::PreciseTimer);
    connect(&pending_, &QTimer::timeout, this, &MainWindow::show_screen);
    rest_pending_.setSingleShot(true);
    connect(&rest_pending_, &QTimer::timeout, this, [this] {
        last_drawn_.start();
        show_rest();
        drawing_ms_ = last_drawn_.restart();
    });
    calm_.setSingleShot(true);
    calm_.setInterval(kCalmMs);
    connect(&calm_, &QTimer::timeout, this, &MainWindow::wait_for_display);
    connect(&workbench_, &Workbench::changed, this, [this] { want_frame(false); });
    connect(&workbench_, &Workbench::programs_changed, this, [this] { want_frame(true); });
    connect(&workbench_, &Workbench::told, status_, &qt::StatusLine::show_hint);
    if (const QByteArray geometry = settings_.bytes(QStringLiteral("geometry")); !geometry.isEmpty())
        restoreGeometry(geometry);
    workspace_->arrange(arrangement_named(settings_.text(QStringLiteral("arrangement"), QStringLiteral("Schedule"))));
    show_screen();
    update_start();
    start_->setFocus();
}

MainWindow::~MainWindow() {
    // Docks report that they are hidden while they are destroyed, when the actions are gone.
    disconnect(workspace_, nullptr, this, nullptr);
}

void MainWindow::build() {
    actions_ = std::make_unique<Actions>(this);
    auto* page = new QWidget(this);
    auto* column = new QVBoxLayout(page);
    column->setContentsMargins(0, 0, 0, 0);
    column->setSpacing(0);
    toolbar_ = new Toolbar(*actions_, page);
    strip_ = new qt::StageStrip(page);
    stack_ = new QStackedWidget(page);
    start_ = new qt::StartPage(stack_);
    workspace_ = new Workspace(settings_, stack_);
    status_ = new qt::StatusLine(page);
    stack_->addWidget(start_);
    stack_->addWidget(workspace_);
    for (QWidget* part : std::initializer_list<QWidget*>{toolbar_, strip_, stack_, status_})
        column->addWidget(part, part == stack_ ? 1 : 0);
    setCentralWidget(page);
    palette_ = new qt::CommandPalette(this);
    keys_ = new qt::KeyList(this);
    card_ = new qt::PassCard(this);
    const views::CommandSink sink = [this](const views::Command& command) {
        if (const auto* open = std::get_if<views::OpenFile>(&command)) return open_path(text_of(open->path));
        if (const auto* stage = std::get_if<views::SelectStage>(&command);
            stage != nullptr && stage->id >= views::kCodeStages)
            workspace_->show_code_tab(stage->id == views::kCodeStages + 2 ? Workspace::AssemblyTab
                                                                          : Workspace::LlvmTab);
        if (std::holds_alternative<views::SelectStage>(command)) workspace_->hold_graphs();
        opening_ = opening_ || std::holds_alternative<views::OpenSample>(command);
        submit(command);
    };
    strip_->set_sink(sink);
    start_->set_sink(sink);
    status_->set_sink(sink);
    workspace_->set_sink(sink);
    card_->set_sink(sink);
    connect(start_, &qt::StartPage::open_requested, this, &MainWindow::open_dialog);
    connect(toolbar_, &Toolbar::threads_requested, this, [this](int count) { submit(views::SetThreads{count}); });
    connect(workspace_, &Workspace::selection_requested, this,
            [this](const views::Selection& s, QObject* source) { select(s, source); });
    connect(workspace_, &Workspace::function_requested, this,
            [this](const QString& name) { submit(views::SelectFunction{name.toStdString()}); });
    connect(workspace_, &Workspace::function_list_requested, this, [this] { open_go_to(true); });
    connect(workspace_, &Workspace::heat_requested, this, [this](bool on) { submit(views::ShowHeat{on}); });
}

// ------------------------------------------------------------------------------------------ actions

void MainWindow::connect_file_actions() {
    Actions& a = *actions_;
    a.on(ActionId::Open, [this] { open_dialog(); });
    a.on(ActionId::Reload, [this] { submit(views::Reload{}); });
    a.on(ActionId::SaveRecipe, [this] { save_dialog(true); });
    a.on(ActionId::Export, [this] { save_dialog(false); });
    a.on(ActionId::CloseModel, [this] { submit(views::CloseModel{}); });
    a.on(ActionId::Quit, [this] { close(); });
    a.on(ActionId::Undo, [this] { vta_shown_ ? vta_->undo() : submit(views::Undo{}); });
    a.on(ActionId::Redo, [this] { vta_shown_ ? vta_->redo() : submit(views::Redo{}); });
    a.on(ActionId::Run, [this] {
        submit(views::RunModel{});
        if (!workspace_->sides_shown()) workspace_->show_bottom_tab(Workspace::RunTab);
    });
    a.on(ActionId::Profile, [this] {
        submit(views::ProfileModel{});
        workspace_->show_bottom_tab(Workspace::ProfileTab);
    });
    a.on(ActionId::Tune, [this] {
        if (workspace_->arrangement() != Arrangement::Tune) (*actions_)[ActionId::LayoutTune]->trigger();
        workspace_->tune()->button(TunePanel::StartButton)->setFocus(Qt::ShortcutFocusReason);
    });
    a.on(ActionId::Check, [this] { submit(views::CheckModel{}); });
    a.on(ActionId::Cancel, [this] { vta_shown_ && vta_->busy() ? vta_->cancel() : submit(views::CancelJobs{}); });
    for (int i = 0; i < 9; ++i) {
        auto* shortcut = new QShortcut(QKeySequence(QStringLiteral("Ctrl+%1").arg(i + 1)), this);
        connect(shortcut, &QShortcut::activated, this, [this, i] {
            const QStringList recents = settings_.recents();
            if (i < recents.size()) open_path(recents[i]);
        });
    }
}

void MainWindow::connect_go_actions() {
    Actions& a = *actions_;
    a.on(ActionId::Find, [this] {
        if (workspace_->current_graph()->hasFocus() || workspace_->sides_shown())
            workspace_->current_graph()->open_find();
        else
            workspace_->current_text()->open_find();
    });
    const auto next = [this](bool backwards) {
        qt::GraphView* graph = workspace_->current_graph();
        if (graph->hasFocus() || graph->isAncestorOf(QApplication::focusWidget()))
            graph->find_next(backwards);
        else
            workspace_->current_text()->find_next(backwards);
    };
    a.on(ActionId::FindNext, [next] { next(false); });
    a.on(ActionId::FindPrevious, [next] { next(true); });
    a.on(ActionId::GoTo, [this] { open_go_to(false); });
    a.on(ActionId::GoToFunction, [this] { open_go_to(true); });
    a.on(ActionId::Palette, [this] { open_palette(); });
    a.on(ActionId::Keys, [this] { keys_->open(actions_->keys()); });
    a.on(ActionId::Back, [this] { travel(-1); });
    a.on(ActionId::Forward, [this] { travel(1); });
    a.on(ActionId::NextStage, [this] { strip_->step(1, false); });
    a.on(ActionId::PreviousStage, [this] { strip_->step(-1, false); });
    a.on(ActionId::NextChanged, [this] { strip_->step(1, true); });
    a.on(ActionId::PreviousChanged, [this] { strip_->step(-1, true); });
    a.on(ActionId::NextPane, [this] { workspace_->cycle_focus(true); });
    a.on(ActionId::PreviousPane, [this] { workspace_->cycle_focus(false); });
    for (const auto& [id, pane] : {std::pair(ActionId::FocusGraph, PaneId::Graph),
                                   {ActionId::FocusTensor, PaneId::Tensor},
                                   {ActionId::FocusLoops, PaneId::Loops},
                                   {ActionId::FocusCode, PaneId::Code},
                                   {ActionId::FocusBottom, PaneId::Bottom},
                                   {ActionId::FocusInspector, PaneId::Inspector}})
        a.on(id, [this, pane = pane] { workspace_->focus_pane(pane); });
}

void MainWindow::connect_view_actions() {
    Actions& a = *actions_;
    const auto graph = [this] { return workspace_->current_graph(); };
    a.on(ActionId::FitAll, [graph] { graph()->fit_all(); });
    a.on(ActionId::FitSelection, [graph] { graph()->fit_selection(); });
    a.on(ActionId::ZoomIn, [graph] { graph()->zoom_by(1.25); });
    a.on(ActionId::ZoomOut, [graph] { graph()->zoom_by(0.8); });
    a.on(ActionId::ZoomReset, [graph] { graph()->reset_zoom(); });
    a.on(ActionId::Inputs, [graph] { graph()->select_neighbours(false); });
    a.on(ActionId::Readers, [graph] { graph()->select_neighbours(true); });
    a.on(ActionId::ToggleGroup, [graph] { graph()->toggle_group(); });
    a.on(ActionId::OpenGroups, [this] { submit(views::OpenAllGroups{true}); });
    a.on(ActionId::CloseGroups, [this] { submit(views::OpenAllGroups{false}); });
    a[ActionId::GroupRepeats]->setChecked(true);
    a.on_toggled(ActionId::GroupRepeats, [this](bool on) { submit(views::GroupRepeats{on}); });
    a.on_toggled(ActionId::ShowConstants, [this](bool on) { submit(views::ShowConstants{on}); });
    a.on(ActionId::FoldAll, [this] { workspace_->current_text()->fold_all(true); });
    a.on(ActionId::UnfoldAll, [this] { workspace_->current_text()->fold_all(false); });
    a.on_toggled(ActionId::ExpandStages, [this](bool on) { strip_->set_expanded(on); });
    for (const auto& [id, arrangement] : {std::pair(ActionId::LayoutExplore, Arrangement::Explore),
                                          {ActionId::LayoutPasses, Arrangement::Passes},
                                          {ActionId::LayoutSchedule, Arrangement::Schedule},
                                          {ActionId::LayoutRun, Arrangement::Run},
                                          {ActionId::LayoutCompare, Arrangement::Compare},
                                          {ActionId::LayoutScratch, Arrangement::Scratch},
                                          {ActionId::LayoutProfile, Arrangement::Profile},
                                          {ActionId::LayoutTune, Arrangement::Tune}})
        a.on(id, [this, arrangement = arrangement] {
            workspace_->keep_arrangement();
            workspace_->arrange(arrangement);
            show_vta(false);
        });
    a.on(ActionId::LayoutVta, [this] { show_vta(!vta_shown_); });
    a.on(ActionId::ResetLayout, [this] { workspace_->reset_arrangement(); });
    const auto panes = {std::pair(ActionId::ShowGraph, PaneId::Graph),
                        {ActionId::ShowCode, PaneId::Code},
                        {ActionId::ShowBottom, PaneId::Bottom},
                        {ActionId::ShowInspector, PaneId::Inspector}};
    for (const auto& [id, pane] : panes)
        a.on(id, [this, id = id, pane = pane] { workspace_->show_pane(pane, (*actions_)[id]->isChecked()); });
    connect(workspace_, &Workspace::panes_changed, this, [this, panes = std::vector(panes)] {
        for (const auto& [id, pane] : panes) (*actions_)[id]->setChecked(workspace_->pane_shown(pane));
    });
    a[ActionId::DarkTheme]->setChecked(qt::theme().choice.dark);
    a[ActionId::ColourBlind]->setChecked(qt::theme().choice.colour_blind);
    const auto retheme = [this](bool) {
        set_theme({(*actions_)[ActionId::DarkTheme]->isChecked(), (*actions_)[ActionId::ColourBlind]->isChecked()});
    };
    a.on_toggled(ActionId::DarkTheme, retheme);
    a.on_toggled(ActionId::ColourBlind, retheme);
    const auto resize_code = [this](int step) {
        const int pixels =
            std::clamp(settings_.number(QStringLiteral("code_pixels"), qt::theme().mono.pixelSize()) + step, 8, 28);
        settings_.set(QStringLiteral("code_pixels"), pixels);
        for (qt::TextView* text : {workspace_->tensor(), workspace_->llvm(), workspace_->assembly(),
                                   workspace_->diff()->left(), workspace_->diff()->right()})
            text->set_font_pixels(pixels);
    };
    a.on(ActionId::LargerCode, [resize_code] { resize_code(1); });
    a.on(ActionId::SmallerCode, [resize_code] { resize_code(-1); });
    resize_code(0);
}

void MainWindow::connect_compare_actions() {
    using What = views::CompareWith::What;
    Actions& a = *actions_;
    qt::DiffPanel* diff = workspace_->diff();
    a.on(ActionId::CompareFile, [this] {
        const QString path =
            QFileDialog::getOpenFileName(this, tr("Compare with a model or recipe"), {},
                                         tr("Models and recipes (*.onnx *.json *.recipe);;All files (*)"));
        if (!path.isEmpty()) compare_path(path);
    });
    const auto compare = [this](What what) {
        submit(views::CompareWith{what, {}});
        show_comparison();
    };
    a.on(ActionId::CompareFrozen, [compare] { compare(What::Frozen); });
    a.on(ActionId::CompareUnscheduled, [compare] { compare(What::Unscheduled); });
    a.on(ActionId::CompareUnoptimized, [compare] { compare(What::Unoptimized); });
    a.on(ActionId::StopComparing, [this] { submit(views::StopComparing{}); });
    a.on(ActionId::PinLeft, [this] { submit(views::PinLeft{!screen_->left_pinned}); });
    a.on(ActionId::SwapSides, [this] { submit(views::SwapSides{}); });
    a.on(ActionId::NextChange, [diff] { diff->go_to_change(false); });
    a.on(ActionId::PreviousChange, [diff] { diff->go_to_change(true); });
    a.on(ActionId::ExportDiff, [this] { export_diff_dialog(); });
    a.on(ActionId::History, [this] { show_history(); });
    connect(diff, &qt::DiffPanel::pin_requested, this, [this](bool on) { submit(views::PinLeft{on}); });
    connect(diff, &qt::DiffPanel::swap_requested, this, [this] { submit(views::SwapSides{}); });
    connect(workspace_, &Workspace::diff_shown_changed, this, [this](bool on) { submit(views::ShowDiff{on}); });
    connect(workspace_, &Workspace::sides_shown_changed, this, [this](bool on) {
        submit(views::ShowSides{on});
        if (on) workspace_->sides()->set_data(screen_->sides, screen_->graph);
    });
    connect(workspace_->sides(), &qt::SidesPanel::add_requested, this, [this](const QPoint& at) {
        QMenu menu(this);
        fill_compare_menu(menu);
        menu.exec(at);
    });
    connect(workspace_->sides(), &qt::SidesPanel::texts_requested, this, [this](int side) {
        submit(views::ChooseOther{side - 1});
        (*actions_)[ActionId::LayoutPasses]->trigger();
    });
    connect(workspace_, &Workspace::measurements_shown_changed, this,
            [this](bool on) { submit(views::ShowMeasurements{on}); });
    connect(workspace_, &Workspace::history_shown_changed, this, [this](bool on) {
        submit(views::ShowHistory{on, {}});
    });
}

/// Where a comparison that was just asked for is to be seen.
void MainWindow::show_comparison() {
    if (!workspace_->sides_shown()) workspace_->arrange(Arrangement::Passes);
}

void MainWindow::fill_compare_menu(QMenu& menu) {
    for (std::size_t i = 0; i < screen_->other_titles.size(); ++i) {
        QAction* chosen = menu.addAction(text_of(screen_->other_titles[i]), this,
                                         [this, i] { submit(views::ChooseOther{static_cast<int>(i)}); });
        chosen->setCheckable(true);
        chosen->setChecked(static_cast<int>(i) == screen_->chosen_other);
        chosen->setToolTip(tr("Compare texts with this one"));
    }
    if (!screen_->other_titles.empty()) menu.addSeparator();
    for (const ActionId id : {ActionId::CompareFile, ActionId::CompareFrozen, ActionId::CompareUnscheduled,
                              ActionId::CompareUnoptimized, ActionId::StopComparing})
        menu.addAction((*actions_)[id]);
    const auto add = [this](QMenu* to, const QString& title, views::CompareWith command) {
        QAction* action = to->addAction(title, this, [this, command] {
            submit(command);
            show_comparison();
        });
        action->setEnabled(screen_->has_model);
    };
    using What = views::CompareWith::What;
    QMenu* targets = menu.addMenu(tr("Another target"));
    // Three generations of one family (the x86-64 ABI's levels v2 to v4), and what most phones have.
    for (const auto& [title, target] : {std::pair("x86-64 with SSE4.2", "-mcpu=x86-64-v2"),
                                        {"x86-64 with AVX2", "-mcpu=x86-64-v3"},
                                        {"x86-64 with AVX-512", "-mcpu=x86-64-v4"},
                                        {"AArch64 with NEON", "-mtriple=aarch64-linux-gnu -mcpu=cortex-a72"}})
        add(targets, QLatin1String(title), {What::Target, std::string("llvm ") + target});
    QMenu* networks = menu.addMenu(tr("Built-in networks"));
    for (const views::StartSample& sample : screen_->start->samples)
        add(networks, text_of(sample.title), {What::Sample, sample.name});
}

void MainWindow::set_theme(const qt::ThemeChoice& choice) {
    settings_.set(QStringLiteral("dark"), choice.dark);
    settings_.set(QStringLiteral("colour_blind"), choice.colour_blind);
    qt::apply_theme(*qApp, choice);
}

// ------------------------------------------------------------------------------------------ screens

/// Shows the workbench's screen, with what else comes in this turn of the events, or at once.
void MainWindow::want_frame(bool at_once) {
    if (pending_.isActive()) return;
    // Drawing takes at most half of the time, so that keys and the mouse are heard: what took long waits as long.
    const qint64 since = last_drawn_.isValid() ? last_drawn_.elapsed() : kFrameMs;
    const qint64 rest = std::min(kFrameMs, drawing_ms_) - since;
    const qint64 wait = std::max<qint64>(workbench_.more_soon() ? kGatherMs : 0, rest);
    if (at_once && wait <= 0) return show_screen();
    pending_.start(static_cast<int>(std::max<qint64>(0, wait)));
}

void MainWindow::show_screen() {
    QElapsedTimer clock;
    clock.start();
    const auto before = std::exchange(screen_, workbench_.screen());
    const views::Screen& next = *screen_;
    const bool same_model = before->model_title == next.model_title && before->has_model == next.has_model;
    const bool edited = same_model && next.tensor->subject == before->tensor->subject &&
                        next.tensor->line_count() > 0 &&
                        (next.tensor != before->tensor || next.assembly != before->assembly ||
                         next.menu != before->menu || next.preview != before->preview);
    // After an edit the programs are what is looked at, the code first of all: the rest comes when that is drawn.
    if (edited) {
        drawing_programs_ = true;
        if (workspace_->show_tensor(next, selection_)) paint_now();
        workspace_->show_programs(next, selection_);
        drawing_programs_ = false;
        if (!rest_pending_.isActive() || !next.code_pending)
            rest_pending_.start(next.code_pending ? kRestWithCodeMs : kRestMs);
    }
    if (!same_model) rest_pending_.stop();
    if (!rest_pending_.isActive()) {
        show_rest();
    } else { // a key that is pressed at once is heard; that there is nothing left to undo can wait
        if (!next.undo_title.empty()) actions_->enable(ActionId::Undo, true, {});
        if (!next.redo_title.empty()) actions_->enable(ActionId::Redo, true, {});
    }
    drawing_ms_ = clock.elapsed();
    last_drawn_.start();
}

/// Paints what has been marked so far: the eye is on the program, and all else would be painted with it.
void MainWindow::paint_now() {
    QEvent now(QEvent::UpdateRequest);
    QCoreApplication::sendEvent(this, &now);
    Q_EMIT tensor_painted();
}

/// Over X11, a place on the screen is painted only after the server has said that it has read what was painted there
/// last. It is asked while nobody waits, so that the frame after a key need not.
void MainWindow::wait_for_display() {
    QBackingStore* store = backingStore();
    if (QGuiApplication::platformName() != QStringLiteral("xcb") || store == nullptr || !isVisible()) return;
    if (store->size().isEmpty()) return; // the display has not shown the window yet: there is no picture of it
    if (windowHandle() == nullptr || windowHandle()->format().hasAlpha()) return; // that would be cleared
    store->beginPaint(rect());
    store->endPaint();
}

/// All of the screen, against what was shown of it last.
void MainWindow::show_rest() {
    const auto before = std::exchange(whole_, screen_);
    const views::Screen& next = *screen_;
    if (next.has_model && !before->has_model) strip_->set_filter({});
    const bool other_model = before->model_title != next.model_title || before->has_model != next.has_model;
    if (other_model) {
        selection_ = {};
        trail_.clear();
        trail_at_ = 0;
    }
    toolbar_->set_screen(next);
    strip_->set_data(next.stages);
    if (next.stages != before->stages) card_->refresh(*next.stages);
    if (!next.has_model) card_->close_card();
    strip_->setVisible(next.has_model && !vta_shown_);
    workspace_->show_programs(next, selection_);
    workspace_->show_screen(*before, next);
    if (!next.has_model && next.problems != before->problems) start_->set_problems(next.problems);
    status_->set_data(next.status);
    if (other_model && next.has_model) vta_shown_ = false;
    (*actions_)[ActionId::LayoutVta]->setChecked(vta_shown_);
    stack_->setCurrentWidget(vta_shown_       ? static_cast<QWidget*>(vta_)
                             : next.has_model ? static_cast<QWidget*>(workspace_)
                                              : start_);
    if (before->has_model != next.has_model) next.has_model ? workspace_->graph()->setFocus() : start_->setFocus();
    if (opening_ && other_model && next.has_model) fit_arrangement(next);
    if (next.graph != before->graph || next.tensor != before->tensor || next.llvm != before->llvm ||
        next.assembly != before->assembly || next.diff != before->diff || next.memory != before->memory ||
        next.run != before->run || next.profile != before->profile || next.sides != before->sides ||
        next.loops != before->loops || next.machine != before->machine || next.preview != before->preview)
        workspace_->show_selection(selection_, nullptr);
    tell_problems(next);
    if (!vta_shown_)
        setWindowTitle(next.has_model ? text_of(next.model_title) + QStringLiteral(" · Orrery")
                                      : QStringLiteral("Orrery"));
    update_actions(next);
    if (next.start != before->start) update_start();
}

/// What was not there before is pointed at.
void MainWindow::tell_problems(const views::Screen& screen) {
    if (screen.problems->errors > errors_seen_ && screen.has_model) {
        // A mistake in text that is being edited is shown at its line.
        const bool at_line = workspace_->bottom_tab() == Workspace::TextTab ||
                             (screen.edit->error_line > 0 && workspace_->arrangement() == Arrangement::Scratch);
        if (!at_line) workspace_->show_bottom_tab(Workspace::ProblemsTab);
        status_->show_hint(tr("A problem was found: see Problems"));
    }
    errors_seen_ = screen.problems->errors;
}

bool MainWindow::event(QEvent* event) {
    if (event->type() != QEvent::UpdateRequest) return QMainWindow::event(event);
    QElapsedTimer clock;
    clock.start();
    const bool done = QMainWindow::event(event);
    drawing_ms_ += clock.elapsed();
    last_drawn_.start();
    calm_.start();
    return done;
}

void MainWindow::update_actions(const views::Screen& screen) {
    Actions& a = *actions_;
    const QString no_model = tr("open a model first");
    for (const ActionId id :
         {ActionId::Reload, ActionId::SaveRecipe, ActionId::Export, ActionId::CloseModel, ActionId::Run,
          ActionId::Check, ActionId::NextStage, ActionId::PreviousStage, ActionId::NextChanged,
          ActionId::PreviousChanged, ActionId::FitAll, ActionId::FitSelection, ActionId::ToggleGroup,
          ActionId::OpenGroups, ActionId::CloseGroups, ActionId::GoTo, ActionId::GoToFunction, ActionId::Find})
        a.enable(id, screen.has_model, no_model);
    a.enable(ActionId::Undo, !screen.undo_title.empty(), tr("nothing to undo"));
    a.enable(ActionId::Redo, !screen.redo_title.empty(), tr("nothing to redo"));
    a[ActionId::Undo]->setText(screen.undo_title.empty() ? tr("Undo") : tr("Undo: %1").arg(text_of(screen.undo_title)));
    a[ActionId::Redo]->setText(screen.redo_title.empty() ? tr("Redo") : tr("Redo: %1").arg(text_of(screen.redo_title)));
    if (vta_shown_)
        for (const ActionId id : {ActionId::Undo, ActionId::Redo})
            a.enable(id, true), a[id]->setText(id == ActionId::Undo ? tr("Undo") : tr("Redo"));
    a.enable(ActionId::Cancel, screen.status.can_cancel || (vta_shown_ && vta_->busy()), tr("nothing is running"));
    a.enable(ActionId::Tune, screen.has_model, no_model);
    a.enable(ActionId::Profile, screen.profile->can_profile, text_of(screen.profile->why_not));
    update_pass_actions(screen);
    update_schedule_actions(screen);
    for (const ActionId id : {ActionId::CompareFile, ActionId::CompareFrozen, ActionId::CompareUnscheduled,
                              ActionId::CompareUnoptimized, ActionId::History})
        a.enable(id, screen.has_model, no_model);
    const bool compared = screen.diff->left->line_count() > 0;
    const QString no_diff = tr("open the Passes layout (Alt+2): it compares the selected stage with the one before");
    a.enable(ActionId::StopComparing, !screen.other_title.empty(), tr("no second recipe is open"));
    a.enable(ActionId::PinLeft, screen.has_model && workspace_->diff_shown(), no_diff);
    a[ActionId::PinLeft]->setChecked(screen.left_pinned);
    for (const ActionId id :
         {ActionId::SwapSides, ActionId::NextChange, ActionId::PreviousChange, ActionId::ExportDiff})
        a.enable(id, compared && workspace_->diff_shown(), no_diff);
    a.enable(ActionId::Back, trail_at_ > 0, tr("nowhere to go back to"));
    a.enable(ActionId::Forward, trail_at_ + 1 < trail_.size(), tr("nowhere to go forward to"));
}

void MainWindow::update_start() {
    auto data = std::make_shared<views::StartViewData>(*screen_->start);
    data->recents.clear();
    for (const QString& path : settings_.recents()) {
        const QFileInfo info(path);
        data->recents.push_back({path.toStdString(), info.fileName().toStdString(),
                                 info.exists()
                                     ? info.lastModified().toString(QStringLiteral("d MMM yyyy")).toStdString()
                                     : tr("gone").toStdString(),
                                 info.exists()});
    }
    start_->set_data(data);
    update_model_menu();
}

void MainWindow::update_model_menu() {
    QMenu* menu = toolbar_->model_menu();
    menu->clear();
    menu->addAction((*actions_)[ActionId::Open]);
    menu->addAction((*actions_)[ActionId::NewScratchpad]);
    const QStringList recents = settings_.recents();
    if (!recents.isEmpty()) menu->addSeparator();
    for (int i = 0; i < recents.size(); ++i) {
        QAction* action =
            menu->addAction(QFileInfo(recents[i]).fileName(), this, [this, path = recents[i]] { open_path(path); });
        action->setToolTip(recents[i]);
        action->setEnabled(QFileInfo::exists(recents[i]));
        action->setText(action->text() + QStringLiteral("\tCtrl+%1").arg(i + 1));
    }
    menu->addSeparator();
    QMenu* samples = menu->addMenu(tr("Built-in networks"));
    for (const views::StartSample& sample : screen_->start->samples)
        samples->addAction(text_of(sample.title), this,
                           [this, name = sample.name] { opening_ = true, submit(views::OpenSample{name}); });
    fill_gallery_menu(*menu->addMenu(tr("Tensor programs")));
    menu->addSeparator();
    QMenu* compare = menu->addMenu(tr("Compare with"));
    fill_compare_menu(*compare);
    connect(compare, &QMenu::aboutToShow, this, [this, compare] { // what stands beside may have changed
        qDeleteAll(compare->findChildren<QMenu*>(QString(), Qt::FindDirectChildrenOnly));
        compare->clear();
        fill_compare_menu(*compare);
    });
    menu->addSeparator();
    menu->addAction((*actions_)[ActionId::CloseModel]);
}

// --------------------------------------------------------------------------------- the accelerator

VtaPage* MainWindow::vta() {
    if (vta_ != nullptr) return vta_;
    vta_ = new VtaPage(stack_);
    stack_->addWidget(vta_);
    connect(vta_, &VtaPage::title_changed, this, [this](const QString& title) {
        if (vta_shown_) setWindowTitle(title + QStringLiteral(" · Orrery"));
    });
    connect(vta_, &VtaPage::hint_changed, this, [this](const QString& hint) {
        if (vta_shown_) status_->show_hint(hint);
    });
    connect(vta_, &VtaPage::busy_changed, this, [this] { update_actions(*screen_); });
    return vta_;
}

void MainWindow::show_vta(bool on) {
    vta_shown_ = on;
    if (on) (void)vta();
    show_screen();
    if (on) vta_->timeline()->canvas()->setFocus();
    if (on && vta_->run()) setWindowTitle(text_of(vta_->run()->title) + QStringLiteral(" · Orrery"));
}

// ---------------------------------------------------------------------------------------- selection

void MainWindow::select(const views::Selection& selection, QObject* source, bool remember) {
    if (remember && !selection.empty() && (trail_.empty() || !(trail_[trail_at_] == selection))) {
        if (!trail_.empty()) trail_.resize(trail_at_ + 1);
        trail_.push_back(selection);
        if (trail_.size() > kMaxTrail) trail_.erase(trail_.begin());
        trail_at_ = trail_.size() - 1;
    }
    selection_ = selection;
    submit(views::Select{selection});
    if (drawing_programs_) return; // the chosen loop stands on other lines: the programs that come have them marked
    workspace_->show_selection(selection, source);
    update_actions(*screen_);
}

void MainWindow::travel(int direction) {
    const std::size_t to = trail_at_ + static_cast<std::size_t>(direction);
    if (trail_.empty() || to >= trail_.size()) return;
    trail_at_ = to;
    const views::Selection selection = trail_[to];
    if (!selection.function.empty()) submit(views::SelectFunction{selection.function});
    select(selection, nullptr, false);
}

// ------------------------------------------------------------------------------- opening and saving

void MainWindow::open_path(const QString& path) {
    const QString absolute = QFileInfo(path).absoluteFilePath();
    if (absolute.endsWith(QStringLiteral(".vta"))) {
        show_vta(true);
        (void)vta_->open(absolute);
        return;
    }
    remember(absolute);
    opening_ = true;
    submit(views::OpenFile{absolute.toStdString()});
}

void MainWindow::remember(const QString& path) {
    const QFileInfo info(path);
    if (!info.exists()) return;
    settings_.add_recent(info.absoluteFilePath());
    update_start();
}

void MainWindow::open_dialog() {
    const QString path = QFileDialog::getOpenFileName(
        this, tr("Open a model or recipe"), {},
        tr("Models, recipes, tensor programs (*.onnx *.json *.recipe *.te *.tir);;All files (*)"));
    if (!path.isEmpty()) open_path(path);
}

void MainWindow::save_dialog(bool recipe) {
    const QString kinds =
        screen_->edit->live ? tr("Recipe (*.json);;Tensor program (*.te *.tir)") : tr("Recipe (*.json)");
    const QString path =
        recipe ? QFileDialog::getSaveFileName(this, tr("Save the recipe"), QStringLiteral("session.json"), kinds)
               : QFileDialog::getSaveFileName(this, tr("Export code"), QStringLiteral("model.o"),
                                              tr("Object file (*.o);;Assembly (*.s);;LLVM IR (*.ll)"));
    if (path.isEmpty()) return;
    if (recipe)
        submit(views::SaveRecipe{path.toStdString()});
    else
        submit(views::ExportCode{path.toStdString()});
}

void MainWindow::compare_path(const QString& path) {
    const QString absolute = QFileInfo(path).absoluteFilePath();
    submit(views::CompareWith{views::CompareWith::What::File, absolute.toStdString()});
    show_comparison();
}

void MainWindow::export_diff_dialog() {
    const QString path = QFileDialog::getSaveFileName(this, tr("Export the comparison"), QStringLiteral("diff.html"),
                                                      tr("Report (*.html);;JSON (*.json);;Text (*.txt)"));
    if (!path.isEmpty()) submit(views::ExportDiff{path.toStdString()});
}

void MainWindow::show_history() {
    if (!screen_->has_model) return;
    const qt::GraphView* graph = workspace_->graph();
    std::string value;
    if (graph->active_node() >= 0) value = graph->data().nodes[static_cast<std::size_t>(graph->active_node())].name;
    workspace_->show_bottom_tab(Workspace::HistoryTab);
    submit(views::ShowHistory{true, value});
}

void MainWindow::dragEnterEvent(QDragEnterEvent* event) {
    if (!event->mimeData()->hasUrls() || !event->mimeData()->urls().front().isLocalFile()) return;
    event->acceptProposedAction();
    start_->set_drop_hint(true);
}

void MainWindow::dragLeaveEvent(QDragLeaveEvent*) { start_->set_drop_hint(false); }

void MainWindow::dropEvent(QDropEvent* event) {
    start_->set_drop_hint(false);
    event->acceptProposedAction();
    const QString path = event->mimeData()->urls().front().toLocalFile();
    // With Shift or Ctrl held, a file dropped on a model is what it is compared with.
    const bool beside = (event->modifiers() & (Qt::ShiftModifier | Qt::ControlModifier)) != 0;
    beside && screen_->has_model ? compare_path(path) : open_path(path);
}

void MainWindow::keyPressEvent(QKeyEvent* event) {
    // Reached by single letters only when the focused widget had no use for them: canvases and text panes.
    const bool shift = (event->modifiers() & Qt::ShiftModifier) != 0;
    const bool plain = (event->modifiers() & (Qt::ControlModifier | Qt::AltModifier | Qt::MetaModifier)) == 0;
    if (plain && screen_->has_model && event->key() == Qt::Key_N) return strip_->step(1, shift);
    if (plain && screen_->has_model && event->key() == Qt::Key_B) return strip_->step(-1, shift);
    if (plain && !shift && screen_->has_model && event->key() == Qt::Key_H) return show_history();
    if (event->key() == Qt::Key_Escape && screen_->status.can_cancel) return submit(views::CancelJobs{});
    QMainWindow::keyPressEvent(event);
}

void MainWindow::closeEvent(QCloseEvent* event) {
    settings_.set(QStringLiteral("geometry"), saveGeometry());
    settings_.set(QStringLiteral("arrangement"), arrangement_name(workspace_->arrangement()));
    if (screen_->has_model) workspace_->keep_arrangement();
    submit(views::CancelJobs{});
    QMainWindow::closeEvent(event);
}

// ------------------------------------------------------------------------------------------ palette

void MainWindow::open_palette() {
    auto entries = actions_->palette();
    for (const QString& path : settings_.recents())
        entries.push_back(
            {tr("Open %1").arg(QFileInfo(path).fileName()), path, {}, true, [this, path] { open_path(path); }});
    for (const views::StartSample& sample : screen_->start->samples)
        entries.push_back({tr("Open built-in %1").arg(text_of(sample.title)),
                           tr("built-in network"),
                           {},
                           true,
                           [this, name = sample.name] { submit(views::OpenSample{name}); }});
    palette_->open(std::move(entries), tr("Type an action"));
}

void MainWindow::open_go_to(bool functions_only) {
    std::vector<qt::PaletteEntry> entries;
    for (const std::string& name : screen_->functions)
        entries.push_back(
            {text_of(name), tr("tensor program"), {}, true, [this, name] { submit(views::SelectFunction{name}); }});
    qt::PaletteModel::Finder finder;
    if (!functions_only) {
        finder = [this](const QString& query) { return found_values(query); };
        for (const views::StageSection& section : screen_->stages->sections)
            for (const views::StageStep& step : section.steps)
                entries.push_back(
                    {text_of(step.name), tr("stage of %1").arg(text_of(section.title)), {}, true, [this, id = step.id] {
                         submit(views::SelectStage{id});
                     }});
    }
    palette_->open(std::move(entries),
                   functions_only ? tr("Type the name of a tensor program")
                                  : tr("Type a name, an operator, a shape, an attribute, a stage"),
                   std::move(finder));
}

/// Values of all graph steps that fit what is typed.
std::vector<qt::PaletteEntry> MainWindow::found_values(const QString& query) {
    constexpr std::size_t kMostFound = 200;
    std::vector<qt::PaletteEntry> entries;
    const auto data = screen_->search;
    for (const int index : views::search(*data, query.toStdString(), kMostFound)) {
        const views::SearchRow& row = data->rows[static_cast<std::size_t>(index)];
        entries.push_back({text_of(row.name), text_of(row.title + "  ·  " + row.steps), {}, true, [this, data, index] {
                               const views::SearchRow& found = data->rows[static_cast<std::size_t>(index)];
                               const int shown = screen_->shown_step;
                               if (shown < found.first_step || shown > found.last_step)
                                   submit(views::SelectStage{found.last_step});
                               if (!found.origins.empty()) select({found.origins, {}, {}}, nullptr);
                           }});
    }
    return entries;
}

} // namespace orrery::app
