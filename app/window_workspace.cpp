#include "app/window_workspace.hpp"

#include "views/qt/theme.hpp"
#include "views/qt/words.hpp"

#include <QApplication>
#include <QDockWidget>
#include <QLayout>
#include <QSortFilterProxyModel>
#include <QSplitter>
#include <QStackedWidget>
#include <QToolButton>

#include <optional>

namespace orrery::app {

using qt::text_of;

namespace {

constexpr int kUnsaidMs = 300;   // UX.md: a longer wait shows what it does
constexpr int kStateVersion = 5; // of saved dock states; another version falls back to the shipped arrangement

QDockWidget* dock_of(PaneId pane, const std::array<QDockWidget*, 6>& docks) {
    return docks[static_cast<std::size_t>(pane)];
}

QString overlay_label(views::Overlay overlay) {
    switch (overlay) {
    case views::Overlay::Latency: return Workspace::tr("heat: time");
    case views::Overlay::Flops: return Workspace::tr("heat: work");
    case views::Overlay::Bytes: return Workspace::tr("heat: bytes");
    case views::Overlay::Intensity: return Workspace::tr("heat: intensity");
    case views::Overlay::Error: return Workspace::tr("heat: error");
    }
    return {};
}

/// The program that is shown: that of a step that is previewed, where there is one.
const std::shared_ptr<const views::TextViewData>& tensor_text(const views::Screen& screen) {
    return screen.preview->text ? screen.preview->text : screen.tensor;
}

} // namespace

QString arrangement_name(Arrangement arrangement) {
    switch (arrangement) {
    case Arrangement::Explore: return QStringLiteral("Explore");
    case Arrangement::Passes: return QStringLiteral("Passes");
    case Arrangement::Schedule: return QStringLiteral("Schedule");
    case Arrangement::Run: return QStringLiteral("Run");
    case Arrangement::Compare: return QStringLiteral("Compare");
    case Arrangement::Scratch: return QStringLiteral("Scratch");
    case Arrangement::Profile: return QStringLiteral("Profile");
    case Arrangement::Tune: return QStringLiteral("Tune");
    }
    return {};
}

Arrangement arrangement_named(const QString& name) {
    for (int i = 0; i < kArrangements; ++i)
        if (arrangement_name(static_cast<Arrangement>(i)).compare(name, Qt::CaseInsensitive) == 0)
            return static_cast<Arrangement>(i);
    return Arrangement::Schedule;
}

Workspace::Workspace(Settings& settings, QWidget* parent) : QMainWindow(parent, Qt::Widget), settings_(settings) {
    setWindowFlags(Qt::Widget);
    setDockOptions(QMainWindow::AllowNestedDocks);
    setCorner(Qt::BottomRightCorner, Qt::BottomDockWidgetArea);
    setCorner(Qt::BottomLeftCorner, Qt::BottomDockWidgetArea);
    build_graph();
    build_texts();
    build_comparison();
    build_bottom();
    connect_selection();
    for (QDockWidget* dock : {graph_dock_, code_dock_, bottom_dock_, inspector_dock_})
        connect(dock, &QDockWidget::visibilityChanged, this, &Workspace::panes_changed);
}

QDockWidget* Workspace::add_dock(const QString& name, qt::PaneHeader* header, QWidget* content,
                                 Qt::DockWidgetArea area) {
    auto* dock = new QDockWidget(name, this);
    dock->setObjectName(name);
    // Floating docks are unreliable on Wayland; moving and closing is enough.
    dock->setFeatures(QDockWidget::DockWidgetMovable | QDockWidget::DockWidgetClosable);
    dock->setTitleBarWidget(header);
    dock->setWidget(content);
    addDockWidget(area, dock);
    return dock;
}

void Workspace::build_graph() {
    graph_ = new qt::GraphView(this);
    graph_header_ = new qt::PaneHeader(this);
    graph_header_->set_title(tr("Graph"));
    heat_button_ = graph_header_->add_button(tr("heat: time"), tr("Colour nodes by what they cost (Ctrl+H)"), true);
    connect(heat_button_, &QToolButton::clicked, this, &Workspace::heat_requested);
    overlay_button_ =
        graph_header_->add_button(QStringLiteral("▾"), tr("What to colour by, how to group, export"), false);
    connect(overlay_button_, &QToolButton::clicked, this, [this] {
        Q_EMIT overlay_menu_requested(overlay_button_->mapToGlobal(QPoint(0, overlay_button_->height())));
    });
    graph_dock_ = add_dock(QStringLiteral("Graph"), graph_header_, graph_, Qt::LeftDockWidgetArea);
    connect(graph_, &qt::GraphView::zoom_changed, this, [this](double scale) {
        graph_header_->set_note(QStringLiteral("%1 %").arg(scale * 100, 0, 'f', scale < 0.1 ? 1 : 0));
    });
    connect(graph_, &qt::GraphView::function_requested, this, &Workspace::function_requested);
}

void Workspace::build_texts() {
    tensor_ = new qt::TextView(this);
    tensor_->setAccessibleName(tr("Tensor program"));
    tensor_header_ = new qt::PaneHeader(this);
    tensor_header_->set_title(tr("Tensor program"));
    QToolButton* pick =
        tensor_header_->add_button(QStringLiteral("▾"), tr("Show another tensor program (Ctrl+T)"), false);
    connect(pick, &QToolButton::clicked, this, &Workspace::function_list_requested);
    middle_ = new QStackedWidget(this);
    loops_ = new qt::LoopPanel(this);
    schedule_ = new QSplitter(Qt::Horizontal, this);
    schedule_->setHandleWidth(1);
    schedule_->setChildrenCollapsible(false);
    scratch_ = new qt::EditPanel(this);
    auto* scratch_header = new qt::PaneHeader(this);
    scratch_header->set_title(tr("Scratchpad"));
    scratch_pane_ = new qt::Pane(scratch_header, scratch_, this);
    schedule_->addWidget(scratch_pane_);
    schedule_->addWidget(loops_);
    schedule_->addWidget(new qt::Pane(tensor_header_, tensor_, this));
    middle_->addWidget(schedule_);
    setCentralWidget(middle_);
    llvm_ = new qt::TextView(this);
    llvm_->setAccessibleName(tr("LLVM IR"));
    assembly_ = new qt::TextView(this);
    assembly_->setAccessibleName(tr("Assembly"));
    code_header_ = new qt::PaneHeader(this);
    code_header_->add_tab(tr("LLVM IR"));
    code_header_->add_tab(tr("Assembly"));
    code_stack_ = new QStackedWidget(this);
    code_stack_->addWidget(llvm_);
    code_stack_->addWidget(assembly_);
    connect(code_header_, &qt::PaneHeader::tab_selected, this, [this](int tab) {
        code_stack_->setCurrentIndex(tab);
        show_code_note();
    });
    code_wait_.setSingleShot(true);
    code_wait_.setInterval(kUnsaidMs);
    connect(&code_wait_, &QTimer::timeout, this, [this] {
        code_is_old_ = true;
        show_code_note();
    });
    code_dock_ = add_dock(QStringLiteral("Code"), code_header_, code_stack_, Qt::RightDockWidgetArea);
    code_header_->select_tab(AssemblyTab);
}

void Workspace::build_comparison() {
    diff_ = new qt::DiffPanel(this);
    middle_->addWidget(diff_);
    connect(diff_, &qt::DiffPanel::selection_requested, this, &Workspace::selection_requested);
    sides_ = new qt::SidesPanel(this);
    middle_->addWidget(sides_);
    connect(sides_, &qt::SidesPanel::selection_requested, this, &Workspace::selection_requested);
    connect(sides_, &qt::SidesPanel::function_requested, this, &Workspace::function_requested);
    tune_ = new TunePanel(this);
    middle_->addWidget(tune_);
    figures_ = new qt::TablePanel(tr("Figures of both sides"), this);
    changes_ = new qt::TablePanel(tr("Changes in the graph"), this);
    history_ = new qt::HistoryPanel(this);
}

void Workspace::build_bottom() {
    memory_ = new MemoryPanel(this);
    run_ = new qt::RunPanel(this);
    problems_ = new qt::TablePanel(tr("Problems"), this);
    bottom_header_ = new qt::PaneHeader(this);
    operators_ = new qt::TablePanel(tr("Operators"), this);
    script_ = new qt::TablePanel(tr("Script"), this);
    editor_ = new qt::EditPanel(this);
    for (const QString& tab :
         {tr("Memory"), tr("Run"), tr("Problems"), tr("Diff"), tr("History"), tr("Operators"), tr("Script"), tr("Text"),
          tr("Machine code"), tr("Measure"), tr("Access"), tr("Profile")})
        bottom_header_->add_tab(tab);
    auto* compared = new QSplitter(Qt::Horizontal, this);
    compared->setHandleWidth(1);
    compared->setChildrenCollapsible(false);
    compared->addWidget(figures_);
    compared->addWidget(changes_);
    compared->setSizes({480, 800});
    machine_ = new qt::TablePanel(tr("Loops of the machine code"), this);
    ports_ = new qt::TablePanel(tr("Ports of the hot loop"), this);
    auto* machine = new QSplitter(Qt::Horizontal, this);
    machine->setHandleWidth(1);
    machine->setChildrenCollapsible(false);
    machine->addWidget(machine_);
    machine->addWidget(ports_);
    machine->setSizes({960, 320});
    measure_ = new qt::MeasurePanel(this);
    access_ = new qt::AccessPanel(this);
    profile_ = new qt::ProfilePanel(this);
    connect(access_, &qt::AccessPanel::wanted, this, &Workspace::access_wanted);
    connect(access_, &qt::AccessPanel::place_requested, this,
            [this](const std::string& place) { loops_->tree()->choose(loops_->tree()->row_named(place)); });
    connect(loops_->tree(), &qt::LoopTree::place_changed, access_, &qt::AccessPanel::set_place);
    bottom_stack_ = new QStackedWidget(this);
    for (QWidget* page : std::initializer_list<QWidget*>{memory_, run_, problems_, compared, history_, operators_,
                                                         script_, editor_, machine, measure_, access_, profile_})
        bottom_stack_->addWidget(page);
    connect(script_, &QTableView::activated, this, [this](const QModelIndex& index) {
        const auto* sorted = qobject_cast<const QSortFilterProxyModel*>(script_->model());
        Q_EMIT history_requested(sorted->mapToSource(index).row());
    });
    connect(bottom_header_, &qt::PaneHeader::tab_selected, this, [this](int tab) {
        const bool edited = bottom_stack_->currentIndex() == TextTab;
        bottom_stack_->setCurrentIndex(tab);
        bottom_header_->set_note(bottom_notes_[static_cast<std::size_t>(tab)]);
        Q_EMIT history_shown_changed(tab == HistoryTab);
        Q_EMIT measurements_shown_changed(tab == MeasureTab);
        Q_EMIT diff_shown_changed(diff_shown());
        if (edited != (tab == TextTab)) Q_EMIT editor_shown(tab == TextTab);
    });
    bottom_dock_ = add_dock(QStringLiteral("Bottom"), bottom_header_, bottom_stack_, Qt::BottomDockWidgetArea);
    inspector_ = new qt::InspectorPanel(this);
    inspector_header_ = new qt::PaneHeader(this);
    inspector_header_->set_title(tr("Inspector"));
    inspector_dock_ = add_dock(QStringLiteral("Inspector"), inspector_header_, inspector_, Qt::BottomDockWidgetArea);
}

void Workspace::connect_selection() {
    const auto from = [this](auto* view, auto signal) {
        connect(view, signal, this,
                [this, view](const views::Selection& selection) { Q_EMIT selection_requested(selection, view); });
    };
    from(graph_, &qt::GraphView::selection_requested);
    from(scratch_, &qt::EditPanel::selection_requested);
    from(loops_, &qt::LoopPanel::selection_requested);
    from(machine_, &qt::TablePanel::selection_requested);
    from(tensor_, &qt::TextView::selection_requested);
    from(llvm_, &qt::TextView::selection_requested);
    from(assembly_, &qt::TextView::selection_requested);
    from(memory_, &MemoryPanel::selection_requested);
    from(run_->operators(), &qt::TablePanel::selection_requested);
    from(tune_, &TunePanel::selection_requested);
    from(profile_, &qt::ProfilePanel::selection_requested);
    from(problems_, &qt::TablePanel::selection_requested);
    from(changes_, &qt::TablePanel::selection_requested);
    from(operators_, &qt::TablePanel::selection_requested);
    const std::array texts = {tensor_, llvm_, assembly_};
    for (qt::TextView* source : texts)
        connect(source, &qt::TextView::hovered, this, [texts, source](const views::Selection& hover) {
            for (qt::TextView* other : texts)
                if (other != source) other->set_hover(hover.tensor_lines.empty() ? views::Selection() : hover);
        });
}

void Workspace::set_sink(const views::CommandSink& sink) {
    graph_->set_sink(sink);
    sides_->set_sink(sink);
    loops_->set_sink(sink);
    history_->set_sink(sink);
    measure_->set_sink(sink);
    profile_->set_sink(sink);
    tune_->set_sink(sink);
    editor_->set_sink(sink);
    scratch_->set_sink(sink);
}

int Workspace::bottom_tab() const { return bottom_header_->selected_tab(); }

bool Workspace::show_tensor(const views::Screen& next, const views::Selection& selection) {
    if (!tensor_->isVisible()) return false;
    const std::optional<views::Selection> moved = loops_->tree()->selection_in(*next.loops);
    if (!tensor_->set_data(tensor_text(next))) return false;
    tensor_->set_selection(moved ? *moved : selection);
    return true;
}

void Workspace::show_programs(const views::Screen& next, const views::Selection& selection) {
    loops_->set_data(next.loops);
    loops_->set_menu(next.menu);
    loops_->set_preview(next.preview);
    for (const auto& [text, data] :
         {std::pair(tensor_, tensor_text(next)), {llvm_, next.llvm}, {assembly_, next.assembly}})
        if (text->set_data(data)) text->set_selection(selection);
    if (!next.code_pending) code_wait_.stop();
}

void Workspace::show_screen(const views::Screen& before, const views::Screen& next) {
    graph_->set_data(next.graph);
    graph_->set_heat(next.heat);
    heat_button_->setChecked(next.heat);
    heat_button_->setText(overlay_label(next.overlay));
    heat_button_->setEnabled(next.graph->has_overlay[static_cast<std::size_t>(next.overlay)]);
    if (next.graph != before.graph)
        operators_->set_table(std::shared_ptr<const views::Table>(next.graph, &next.graph->table));
    if (next.script != before.script) {
        script_->set_table(std::shared_ptr<const views::Table>(next.script, &next.script->table));
        script_->select_row(next.script->current);
    }
    editor_->set_data(next.edit);
    scratch_->set_data(next.edit);
    if (next.machine != before.machine) {
        machine_->set_table(std::shared_ptr<const views::Table>(next.machine, &next.machine->loops));
        ports_->set_table(std::shared_ptr<const views::Table>(next.machine, &next.machine->ports));
    }
    measure_->set_data(next.measure);
    access_->set_data(next.access);
    memory_->set_data(next.memory);
    run_->set_data(next.run);
    tune_->set_data(next.tune);
    tune_->set_pair(next.tune_pair);
    profile_->set_data(next.profile);
    profile_->set_job(next.profile_job);
    inspector_->set_data(next.inspector);
    history_->set_data(next.history);
    if (next.diff != before.diff) {
        diff_->set_data(next.diff);
        figures_->set_table(std::shared_ptr<const views::Table>(next.diff, &next.diff->statistics));
        changes_->set_table(std::shared_ptr<const views::Table>(next.diff, &next.diff->changes));
    }
    diff_->set_pinned(next.left_pinned);
    if (sides_shown()) {
        sides_->set_data(next.sides, next.graph);
        sides_->set_heat(next.heat);
    }
    if (next.problems != before.problems)
        problems_->set_table(std::shared_ptr<const views::Table>(next.problems, &next.problems->table));
    show_notes(next);
}

void Workspace::show_notes(const views::Screen& screen) {
    graph_header_->set_subject(text_of(screen.graph->title));
    tensor_header_->set_subject(text_of(screen.tensor->subject));
    tensor_header_->set_note(text_of(screen.preview->text ? screen.preview->text->note : screen.tensor->note));
    code_notes_ = {text_of(screen.llvm->note), text_of(screen.assembly->note)};
    if (!screen.code_pending)
        code_wait_.stop();
    else if (!code_wait_.isActive() && !code_is_old_)
        code_wait_.start();
    code_is_old_ = code_is_old_ && screen.code_pending;
    show_code_note();
    const views::ProblemsViewData& p = *screen.problems;
    bottom_header_->set_tab_text(
        ProblemsTab, p.errors + p.warnings == 0 ? tr("Problems") : tr("Problems  %1").arg(p.errors + p.warnings));
    const QString compared =
        screen.other_title.empty() ? QString() : tr("compared with %1").arg(text_of(screen.other_title));
    bottom_notes_ = {text_of(screen.memory->summary),
                     QString(), // the pane's first line says it
                     QString(),
                     compared.isEmpty() ? text_of(screen.diff->summary) : compared,
                     text_of(screen.history->summary),
                     tr("%n operators", nullptr, static_cast<int>(screen.graph->table.rows.size())),
                     tr("Ctrl+C copies a row's command line, Enter goes to it"),
                     QString(),
                     text_of(screen.machine->summary),
                     text_of(screen.measure->subject),
                     text_of(screen.access->summary),
                     QString()}; // the pane's first line says it
    bottom_header_->set_note(bottom_notes_[static_cast<std::size_t>(std::max(0, bottom_header_->selected_tab()))]);
}

void Workspace::show_code_note() {
    const auto tab = static_cast<std::size_t>(std::max(0, code_header_->selected_tab()));
    code_header_->set_note(code_is_old_ ? tr("of the program before; the new one is being generated")
                                        : code_notes_[tab]);
}

void Workspace::show_selection(const views::Selection& selection, const QObject* source) {
    if (source != graph_) graph_->set_selection(selection);
    for (qt::TextView* text : {tensor_, llvm_, assembly_}) text->set_selection(selection, text != source);
    if (source != loops_) loops_->set_selection(selection);
    if (source != scratch_) scratch_->set_selection(selection);
    if (source != machine_) machine_->set_selection(selection);
    if (source != memory_) memory_->set_selection(selection);
    if (source != run_->operators()) run_->operators()->set_selection(selection);
    if (source != operators_) operators_->set_selection(selection);
    if (source != profile_) profile_->set_selection(selection);
    diff_->set_selection(selection, source);
    if (source != changes_) changes_->set_selection(selection);
    if (sides_shown()) sides_->set_selection(selection, source);
}

bool Workspace::diff_shown() const {
    return arrangement_ == Arrangement::Passes ||
           (!bottom_dock_->isHidden() && bottom_stack_->currentIndex() == DiffTab);
}

// ------------------------------------------------------------------------------------- arrangements

void Workspace::arrange(Arrangement arrangement) {
    arrangement_ = arrangement;
    const bool explore = arrangement == Arrangement::Explore;
    addDockWidget(Qt::LeftDockWidgetArea, graph_dock_);
    addDockWidget(Qt::RightDockWidgetArea, code_dock_);
    addDockWidget(Qt::BottomDockWidgetArea, bottom_dock_);
    if (explore) {
        addDockWidget(Qt::RightDockWidgetArea, inspector_dock_);
        splitDockWidget(inspector_dock_, code_dock_, Qt::Vertical);
    } else {
        splitDockWidget(bottom_dock_, inspector_dock_, Qt::Horizontal);
    }
    const bool passes = arrangement == Arrangement::Passes, sides = arrangement == Arrangement::Compare;
    const bool scratch = arrangement == Arrangement::Scratch, tune = arrangement == Arrangement::Tune;
    graph_dock_->setVisible(!sides && !scratch);
    middle_->setCurrentWidget(passes  ? static_cast<QWidget*>(diff_)
                              : sides ? static_cast<QWidget*>(sides_)
                              : tune  ? static_cast<QWidget*>(tune_)
                                      : schedule_);
    loops_->setVisible(arrangement == Arrangement::Schedule || scratch);
    scratch_pane_->setVisible(scratch);
    code_dock_->setVisible(arrangement == Arrangement::Schedule || scratch);
    bottom_dock_->setVisible(!explore && !sides && !tune);
    if (passes)
        show_bottom_tab(DiffTab);
    else if (bottom_stack_->currentIndex() == DiffTab)
        bottom_header_->select_tab(MemoryTab);
    Q_EMIT diff_shown_changed(diff_shown());
    Q_EMIT sides_shown_changed(sides);
    inspector_dock_->setVisible(!passes && !sides && !scratch && !tune && arrangement != Arrangement::Profile);
    if (scratch) show_code_tab(AssemblyTab);
    centralWidget()->setVisible(true);
    const QByteArray kept = settings_.bytes(QStringLiteral("layout/") + arrangement_name(arrangement));
    shipped_sizes_ = kept.isEmpty() || !restoreState(kept, kStateVersion);
    if (!shipped_sizes_) return;
    default_sizes();
    if (arrangement == Arrangement::Run) show_bottom_tab(RunTab);
    if (arrangement == Arrangement::Profile) show_bottom_tab(ProfileTab);
    if (scratch) show_bottom_tab(MachineTab);
}

void Workspace::showEvent(QShowEvent* event) {
    QMainWindow::showEvent(event);
    if (shipped_sizes_) default_sizes();
}

void Workspace::resizeEvent(QResizeEvent* event) {
    QMainWindow::resizeEvent(event);
    if (shipped_sizes_ && isVisible()) default_sizes();
}

void Workspace::default_sizes() {
    if (!isVisible()) return;
    layout()->activate(); // sizes hold only once the docks are laid out
    // Proportions of WINDOW.md's picture: 355 : 570 : 463 across, 290 of 868 below.
    const int w = std::max(400, width()), h = std::max(300, height());
    switch (arrangement_) {
    case Arrangement::Explore:
        resizeDocks({graph_dock_, inspector_dock_}, {w * 46 / 100, w * 24 / 100}, Qt::Horizontal);
        break;
    case Arrangement::Passes:
        resizeDocks({graph_dock_}, {w * 26 / 100}, Qt::Horizontal);
        resizeDocks({bottom_dock_}, {h * 33 / 100}, Qt::Vertical);
        break;
    case Arrangement::Schedule:
        resizeDocks({graph_dock_, code_dock_}, {w * 17 / 100, w * 31 / 100}, Qt::Horizontal);
        schedule_->setSizes({0, w * 22 / 100, w * 30 / 100});
        resizeDocks({bottom_dock_}, {h * 33 / 100}, Qt::Vertical);
        resizeDocks({bottom_dock_, inspector_dock_}, {w * 74 / 100, w * 26 / 100}, Qt::Horizontal);
        break;
    case Arrangement::Run:
        resizeDocks({graph_dock_}, {w * 55 / 100}, Qt::Horizontal);
        resizeDocks({bottom_dock_}, {h * 40 / 100}, Qt::Vertical);
        resizeDocks({bottom_dock_, inspector_dock_}, {w * 74 / 100, w * 26 / 100}, Qt::Horizontal);
        break;
    case Arrangement::Scratch:
        resizeDocks({code_dock_}, {w * 29 / 100}, Qt::Horizontal);
        schedule_->setSizes({w * 26 / 100, w * 19 / 100, w * 26 / 100});
        resizeDocks({bottom_dock_}, {h * 26 / 100}, Qt::Vertical);
        break;
    case Arrangement::Profile:
        resizeDocks({graph_dock_}, {w * 58 / 100}, Qt::Horizontal);
        resizeDocks({bottom_dock_}, {h * 62 / 100}, Qt::Vertical);
        break;
    case Arrangement::Tune: resizeDocks({graph_dock_}, {w * 17 / 100}, Qt::Horizontal); break;
    case Arrangement::Compare: break;
    }
}

void Workspace::keep_arrangement() {
    settings_.set(QStringLiteral("layout/") + arrangement_name(arrangement_), saveState(kStateVersion));
}

void Workspace::reset_arrangement() {
    settings_.remove(QStringLiteral("layout/") + arrangement_name(arrangement_));
    arrange(arrangement_);
}

void Workspace::show_pane(PaneId pane, bool on) {
    if (pane == PaneId::Loops) return loops_->setVisible(on);
    if (QDockWidget* dock = dock_of(pane, {graph_dock_, nullptr, code_dock_, bottom_dock_, inspector_dock_, nullptr}))
        dock->setVisible(on);
}

bool Workspace::pane_shown(PaneId pane) const {
    if (pane == PaneId::Loops) return middle_->currentWidget() == schedule_ && !loops_->isHidden();
    const QDockWidget* dock = dock_of(pane, {graph_dock_, nullptr, code_dock_, bottom_dock_, inspector_dock_, nullptr});
    return dock == nullptr || !dock->isHidden();
}

void Workspace::focus_pane(PaneId pane) {
    if (sides_shown() && (pane == PaneId::Graph || pane == PaneId::Tensor))
        return sides_->current()->setFocus(Qt::ShortcutFocusReason);
    show_pane(pane, true);
    switch (pane) {
    case PaneId::Graph: return graph_->setFocus(Qt::ShortcutFocusReason);
    case PaneId::Tensor:
        return (arrangement_ == Arrangement::Passes ? diff_->right() : tensor_)->setFocus(Qt::ShortcutFocusReason);
    case PaneId::Code: return code_stack_->currentWidget()->setFocus(Qt::ShortcutFocusReason);
    case PaneId::Inspector: return inspector_->setFocus(Qt::ShortcutFocusReason);
    case PaneId::Loops: return loops_->tree()->setFocus(Qt::ShortcutFocusReason);
    case PaneId::Bottom: break;
    }
    QWidget* const targets[] = {memory_->table(), run_->operators(), problems_,         figures_,
                                history_,         operators_,        script_,           editor_->field(),
                                machine_,         measure_->table(), access_->levels(), profile_->current_table()};
    targets[bottom_stack_->currentIndex()]->setFocus(Qt::ShortcutFocusReason);
}

void Workspace::cycle_focus(bool forward) {
    // The loops stand inside the middle: of two that hold the focus the later one is meant.
    constexpr PaneId kOrder[] = {PaneId::Graph, PaneId::Tensor, PaneId::Loops,
                                 PaneId::Code,  PaneId::Bottom, PaneId::Inspector};
    constexpr int kPanes = static_cast<int>(std::size(kOrder));
    QWidget* const roots[] = {graph_dock_, centralWidget(), loops_, code_dock_, bottom_dock_, inspector_dock_};
    int at = forward ? -1 : 0;
    for (int i = 0; i < kPanes; ++i)
        if (QApplication::focusWidget() != nullptr && roots[i]->isAncestorOf(QApplication::focusWidget())) at = i;
    for (int k = 1; k <= kPanes; ++k) {
        const int next = ((at + (forward ? k : -k)) % kPanes + kPanes) % kPanes;
        if (pane_shown(kOrder[next])) return focus_pane(kOrder[next]);
    }
}

void Workspace::show_bottom_tab(int tab) {
    bottom_dock_->setVisible(true);
    bottom_header_->select_tab(tab);
}

void Workspace::show_code_tab(int tab) { code_header_->select_tab(tab); }

qt::GraphView* Workspace::current_graph() const { return sides_shown() ? sides_->current() : graph_; }

void Workspace::hold_graphs() {
    graph_->hold();
    for (qt::GraphView* graph : sides_->graphs()) graph->hold();
}

qt::TextView* Workspace::current_text() const {
    for (qt::TextView* text : {tensor_, llvm_, assembly_, diff_->left(), diff_->right()})
        if (text->hasFocus() || text->isAncestorOf(QApplication::focusWidget())) return text;
    return arrangement_ == Arrangement::Passes ? diff_->right() : tensor_;
}

} // namespace orrery::app
