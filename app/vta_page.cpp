// Outline: building; the job's answers; requests and their history; selection; what is shown.

#include "app/vta_page.hpp"

#include "app/vta_program.hpp"
#include "views/qt/theme.hpp"
#include "views/qt/words.hpp"

#include <QEvent>
#include <QFileDialog>
#include <QHBoxLayout>
#include <QMenu>
#include <QSplitter>
#include <QStackedWidget>
#include <QToolButton>
#include <QVBoxLayout>

#include <set>

namespace orrery::app {

using qt::text_of;

namespace {

constexpr std::size_t kMostHistory = 200;
constexpr int kBusyMs = 300;     ///< what takes longer says what it does
constexpr int kProgressMs = 100; ///< and how far it is, so often

QToolButton* bar_button(const QString& text, const QString& help, QWidget* parent) {
    auto* button = new QToolButton(parent);
    button->setObjectName(QStringLiteral("bar"));
    button->setText(text);
    button->setToolTip(help);
    button->setAccessibleName(help);
    button->setFocusPolicy(Qt::TabFocus);
    return button;
}

std::shared_ptr<const views::Table> share(views::Table table) {
    return std::make_shared<const views::Table>(std::move(table));
}

QSplitter* splitter(Qt::Orientation orientation, QWidget* parent) {
    auto* split = new QSplitter(orientation, parent);
    split->setHandleWidth(1);
    split->setChildrenCollapsible(false);
    return split;
}

} // namespace

VtaPage::VtaPage(QWidget* parent) : QWidget(parent), job_(new VtaJob(this)) {
    history_.front().config = views::vta_preset(kVtaPreset);
    auto* column = new QVBoxLayout(this);
    column->setContentsMargins(0, 0, 0, 0);
    column->setSpacing(0);
    column->addWidget(build_bar());
    rows_ = splitter(Qt::Vertical, this);
    top_ = splitter(Qt::Horizontal, rows_);
    top_->addWidget(build_timeline());
    top_->addWidget(build_side());
    top_->setStretchFactor(0, 1);
    top_->setStretchFactor(1, 0);
    rows_->addWidget(top_);
    rows_->addWidget(build_bottom());
    column->addWidget(rows_, 1);
    for (QSplitter* split : {rows_, top_}) connect(split, &QSplitter::splitterMoved, this, [this] { sized_ = true; });
    connect_job();
    connect_views();
    refresh();
}

QWidget* VtaPage::build_bar() {
    auto* bar = new QWidget(this);
    bar->setObjectName(QStringLiteral("strip"));
    bar->setAttribute(Qt::WA_StyledBackground);
    auto* row = new QHBoxLayout(bar);
    row->setContentsMargins(12, 6, 12, 6);
    row->setSpacing(8);
    program_ = bar_button({}, tr("Program: an example or a file"), bar);
    program_->setPopupMode(QToolButton::InstantPopup);
    auto* programs = new QMenu(program_);
    fill_program_menu(programs);
    program_->setMenu(programs);
    one_ = bar_button(tr("1 thread"), tr("One context of every memory: load and compute take turns"), bar);
    two_ = bar_button(tr("2 threads"), tr("Two contexts: loads of one run under the kernels of the other"), bar);
    for (QToolButton* button : {one_, two_}) button->setCheckable(true);
    connect(one_, &QToolButton::clicked, this, [this] { set_threads(1); });
    connect(two_, &QToolButton::clicked, this, [this] { set_threads(2); });
    preset_ = bar_button({}, tr("Configuration of the accelerator"), bar);
    preset_->setPopupMode(QToolButton::InstantPopup);
    auto* presets = new QMenu(preset_);
    for (const views::VtaPresetRow& preset : views::vta_presets())
        presets->addAction(text_of(preset.name + "   " + preset.help), this,
                           [this, name = preset.name] { set_preset(text_of(name)); });
    presets->addSeparator();
    presets->addAction(tr("Turn knobs…"), this, [this] { show_side_tab(MachineTab); });
    preset_->setMenu(presets);
    hide_ = bar_button(tr("Latency hiding: 1 | 2"), tr("One thread (A) beside two (B), on one axis"), bar);
    connect(hide_, &QToolButton::clicked, this, &VtaPage::compare_threads);
    keep_ = bar_button(tr("Keep as B"), tr("Keep this run as B and change the other"), bar);
    swap_ = bar_button(tr("A ⇄ B"), tr("Exchange A and B"), bar);
    drop_ = bar_button(tr("Drop B"), tr("Show one run again"), bar);
    connect(keep_, &QToolButton::clicked, this, &VtaPage::keep_as_b);
    connect(swap_, &QToolButton::clicked, this, &VtaPage::swap);
    connect(drop_, &QToolButton::clicked, this, &VtaPage::drop_b);
    for (QToolButton* button : {program_, one_, two_, preset_, hide_, keep_, swap_, drop_}) row->addWidget(button);
    row->addStretch(1);
    return bar;
}

void VtaPage::fill_program_menu(QMenu* menu) {
    QMenu* network = menu->addMenu(tr("ResNet-18, layer by layer"));
    for (const views::VtaExampleRow& example : views::vta_examples()) {
        const bool layer = example.name.starts_with("resnet18_");
        QAction* action =
            (layer ? network : menu)->addAction(text_of(example.title), this, [this, name = example.name] {
                open(text_of(name));
            });
        action->setToolTip(text_of(example.help));
    }
    menu->setToolTipsVisible(true);
    network->setToolTipsVisible(true);
    menu->addSeparator();
    menu->addAction(tr("Open a program or listing…"), this, [this] {
        const QString path = QFileDialog::getOpenFileName(this, tr("Open a program of the accelerator"), {},
                                                          tr("Programs and listings (*.vta *.s *.txt);;All files (*)"));
        if (!path.isEmpty()) open(path);
    });
    menu->addAction(tr("Open a configuration…"), this, [this] {
        const QString path = QFileDialog::getOpenFileName(this, tr("Open a configuration"), {},
                                                          tr("Configurations (*.json);;All files (*)"));
        if (path.isEmpty()) return;
        const Result<vta::Config> config = load_vta_config(path.toStdString());
        config ? set_config(*config) : say(text_of(config.error().message));
    });
    menu->addAction(tr("Export a trace for Perfetto…"), this, [this] {
        const QString path = QFileDialog::getSaveFileName(this, tr("Export a trace"), QStringLiteral("trace.json"),
                                                          tr("Trace (*.json)"));
        if (!path.isEmpty()) export_trace(path);
    });
}

QWidget* VtaPage::build_timeline() {
    timeline_ = new VtaTimelinePanel(this);
    timeline_header_ = new qt::PaneHeader(this);
    timeline_header_->set_title(tr("Pipeline"));
    stop_ = timeline_header_->add_button(tr("Cancel"), tr("Cancel what is computed (Ctrl+.)"), false);
    stop_->hide();
    connect(stop_, &QToolButton::clicked, this, &VtaPage::cancel);
    const auto button = [this](const QString& text, const QString& help, bool checkable) {
        return timeline_header_->add_button(text, help, checkable);
    };
    QToolButton* tokens = button(tr("tokens"), tr("Draw tokens as arrows where there is room (T)"), true);
    tokens->setChecked(true);
    connect(tokens, &QToolButton::toggled, timeline_, &VtaTimelinePanel::set_tokens);
    QToolButton* origins = button(tr("by origin"), tr("Colour by origin instead of kind"), true);
    connect(origins, &QToolButton::toggled, this, [this](bool on) {
        timeline_->set_colouring(on ? imgui::VtaColouring::Origin : imgui::VtaColouring::Kind);
    });
    connect(button(tr("◀ stall"), tr("Previous stall of the lane (Shift+N)"), false), &QToolButton::clicked, this,
            [this] { timeline_->go_to_stall(-1); });
    connect(button(tr("stall ▶"), tr("Next stall of the lane (N)"), false), &QToolButton::clicked, this,
            [this] { timeline_->go_to_stall(1); });
    connect(button(tr("all"), tr("Show the whole run (0)"), false), &QToolButton::clicked, timeline_,
            &VtaTimelinePanel::fit);
    return new qt::Pane(timeline_header_, timeline_, this);
}

QWidget* VtaPage::build_side() {
    side_header_ = new qt::PaneHeader(this);
    side_header_->add_tab(tr("What bounds it"));
    side_header_->add_tab(tr("Machine"));
    bound_ = new VtaBoundPanel(this);
    config_ = new qt::VtaConfigPanel(this);
    side_stack_ = new QStackedWidget(this);
    side_stack_->addWidget(bound_);
    side_stack_->addWidget(config_);
    connect(side_header_, &qt::PaneHeader::tab_selected, side_stack_, &QStackedWidget::setCurrentIndex);
    return new qt::Pane(side_header_, side_stack_, this);
}

QWidget* VtaPage::build_bottom() {
    bottom_header_ = new qt::PaneHeader(this);
    for (const QString& tab :
         {tr("Instructions"), tr("Step"), tr("Utilization"), tr("Memory"), tr("Origins"), tr("A | B"), tr("Findings")})
        bottom_header_->add_tab(tab);
    const QString names[] = {
        tr("Modules"), tr("Cycles by cause"), tr("Bytes by memory"), tr("Energy estimate"),
        tr("Origins"), tr("A beside B"),      tr("Findings"),        tr("Fields of the instruction")};
    for (std::size_t i = 0; i < tables_.size(); ++i) tables_[i] = new qt::TablePanel(names[i], this);
    list_ = new qt::VtaInstructionList(this);
    step_ = new VtaStepPanel(this);
    bottom_stack_ = new QStackedWidget(this);
    const auto pair = [this](Qt::Orientation orientation, QWidget* first, QWidget* second, const QList<int>& sizes) {
        QSplitter* split = splitter(orientation, bottom_stack_);
        split->addWidget(first);
        split->addWidget(second);
        split->setStretchFactor(0, 1);
        split->setStretchFactor(1, 1);
        split->setSizes(sizes);
        return split;
    };
    bottom_stack_->addWidget(pair(Qt::Horizontal, list_, tables_[Fields], {700, 560}));
    bottom_stack_->addWidget(step_);
    tables_[Modules]->setFixedHeight(5 * 24 + 8); // its four rows
    tables_[Causes]->setMinimumHeight(54);
    bottom_stack_->addWidget(pair(Qt::Vertical, tables_[Modules], tables_[Causes], {130, 240}));
    bottom_stack_->addWidget(pair(Qt::Horizontal, tables_[Memory], tables_[Energy], {640, 560}));
    for (const TableId table : {Origins, Compare, Findings}) bottom_stack_->addWidget(tables_[table]);
    connect(bottom_header_, &qt::PaneHeader::tab_selected, bottom_stack_, &QStackedWidget::setCurrentIndex);
    return new qt::Pane(bottom_header_, bottom_stack_, this);
}

// -------------------------------------------------------------------------------- the job's answers

void VtaPage::connect_job() {
    connect(job_, &VtaJob::run_ready, this, [this](int side, const std::shared_ptr<const views::VtaRun>& run) {
        if (side == VtaJob::B) {
            if (!request_b_ || !(*request_b_ == run->request)) return;
            data_.b = run, data_.b_details = nullptr;
        } else {
            if (!(request() == run->request)) return;
            data_.a = run, data_.a_details = nullptr, data_.followed = true;
            list_->set_run(run);
            step_->set_run(run);
            say({});
            show_fields();
        }
        timeline_->set_data(data_);
        const imgui::VtaTimelineUiState& state = timeline_->state();
        if (state.range_end > state.range_begin) job_->measure(data_.a, data_.b, state.range_begin, state.range_end);
        refresh();
    });
    connect(job_, &VtaJob::refused, this, [this](int side, const QString& why) {
        say((side == VtaJob::A ? why : tr("B: %1").arg(why)).section(u'\n', 0, 0));
        show_side_tab(MachineTab);
    });
    connect(
        job_, &VtaJob::details_ready, this, [this](int side, const std::shared_ptr<const views::VtaDetails>& details) {
            if (details->run == (side == VtaJob::A ? data_.a : data_.b))
                (side == VtaJob::A ? data_.a_details : data_.b_details) = details;
            timeline_->set_data(data_);
            if (side != VtaJob::A || !data_.a || details->run != data_.a) return;
            auto findings = share(views::vta_findings(*data_.a, *details));
            tables_[Findings]->set_table(findings);
            bottom_header_->set_tab_text(
                FindingsTab, findings->rows.empty() ? tr("Findings") : tr("Findings (%1)").arg(findings->rows.size()));
        });
    connect(job_, &VtaJob::statistics_ready, this,
            [this](int side, const std::shared_ptr<const views::VtaRun>& run,
                   const std::shared_ptr<const views::VtaStatistics>& s) {
                // Those of the run and the range on screen; the answer to an older question may come late.
                const imgui::VtaTimelineUiState& state = timeline_->state();
                if (run != (side == VtaJob::B ? data_.b : data_.a)) return;
                if (s->whole != (state.range_end <= state.range_begin)) return;
                statistics_[static_cast<std::size_t>(side)] = s;
                show_statistics();
            });
    connect(job_, &VtaJob::step_ready, this,
            [this](const std::shared_ptr<const views::VtaStepView>& view, quint64 serial) {
                step_->set_view(view, serial);
                list_->set_current(view->last);
                if (bottom_stack_->currentIndex() == StepTab && view->last != vta::kNoInstruction) {
                    timeline_->set_selected(view->last);
                    list_->select(view->last);
                    show_fields();
                }
            });
    connect(&busy_, &QTimer::timeout, this, &VtaPage::show_progress);
    connect(job_, &VtaJob::busy_changed, this, [this](bool busy) {
        busy ? busy_.start(kBusyMs) : busy_.stop();
        if (!busy) show_progress();
    });
}

void VtaPage::connect_views() {
    connect(timeline_, &VtaTimelinePanel::commanded, this, &VtaPage::obey);
    connect(bound_, &VtaBoundPanel::commanded, this, &VtaPage::obey);
    connect(list_, &qt::VtaInstructionList::selection_requested, this, &VtaPage::select_instruction);
    connect(list_, &qt::VtaInstructionList::edited, this, &VtaPage::edit_instruction);
    connect(list_, &qt::VtaInstructionList::edit_refused, this, &VtaPage::say);
    connect(list_, &qt::VtaInstructionList::breakpoint_toggled, step_, &VtaStepPanel::toggle_breakpoint);
    connect(step_, &VtaStepPanel::refused, this, &VtaPage::say);
    connect(step_, &VtaStepPanel::breakpoints_changed, this, [this] {
        std::set<std::uint32_t> marked;
        for (const views::VtaBreakpoint& b : step_->breakpoints())
            if (b.stop == views::VtaStop::Instruction) marked.insert(b.instruction);
        list_->set_breakpoints(std::move(marked));
    });
    connect(step_, &VtaStepPanel::moved, this, [this](const VtaMove& move) {
        if (data_.a) job_->step(data_.a, move);
    });
    connect(config_, &qt::VtaConfigPanel::config_changed, this, &VtaPage::set_config);
    connect(tables_[Origins], &qt::TablePanel::row_activated, this, [this](int row) { bound_->set_origin(row); });
    connect(tables_[Findings], &qt::TablePanel::row_activated, this, [this](int row) {
        const auto& rows = tables_[Findings]->model_data()->table().rows;
        if (row >= 0 && row < static_cast<int>(rows.size()) &&
            !rows[static_cast<std::size_t>(row)].cells[1].text.empty())
            select_instruction(static_cast<std::uint32_t>(rows[static_cast<std::size_t>(row)].cells[1].sort_key));
    });
}

// ----------------------------------------------------------------------- requests and their history

bool VtaPage::open(const QString& program) {
    const Result<views::VtaRequest> named = load_vta_request(program.toStdString(), {}, request().contexts);
    if (!named) {
        say(text_of(to_string(named.error())));
        return false;
    }
    views::VtaRequest next = *named;
    if (!next.file) next.config = request().file ? views::vta_preset(kVtaPreset) : request().config;
    request(std::move(next));
    return true;
}

void VtaPage::set_threads(int threads) {
    views::VtaRequest next = request();
    next.contexts = threads;
    next.edits.clear();
    request(std::move(next));
}

void VtaPage::set_preset(const QString& name) { set_config(views::vta_preset(name.toStdString())); }

void VtaPage::set_config(const vta::Config& config) {
    views::VtaRequest next = request();
    next.config = config;
    request(std::move(next));
}

void VtaPage::edit_instruction(std::uint32_t index, const vta::Instruction& instruction) {
    if (!data_.a || index >= data_.a->size()) return;
    views::VtaRequest next = request();
    const auto known = next.edits.find(index);
    const vta::Instruction before =
        known == next.edits.end() ? data_.a->program.instructions[index] : known->second.before;
    next.edits.insert_or_assign(index, views::VtaReplacement{before, instruction});
    request(std::move(next));
}

void VtaPage::request(views::VtaRequest next) {
    if (next == request() && data_.a) return refresh();
    history_.resize(at_ + 1);
    history_.push_back(std::move(next));
    if (history_.size() > kMostHistory) history_.erase(history_.begin());
    at_ = history_.size() - 1;
    started_ = true;
    job_->simulate(VtaJob::A, request());
    refresh();
}

void VtaPage::travel(int direction) {
    const std::size_t to = at_ + static_cast<std::size_t>(direction);
    if (to >= history_.size()) return;
    at_ = to;
    job_->simulate(VtaJob::A, request());
    refresh();
}

void VtaPage::compare_threads() {
    if (request().file) return say(tr("a program of a file has the threads it was made with: choose an example"));
    request_b_ = request();
    request_b_->contexts = 2, request_b_->edits.clear();
    set_threads(1);
    job_->simulate(VtaJob::B, *request_b_);
    show_bottom_tab(CompareTab);
}

void VtaPage::keep_as_b() {
    if (!data_.a) return;
    request_b_ = request();
    data_.b = data_.a, data_.b_details = data_.a_details;
    statistics_[1] = statistics_[0];
    timeline_->set_data(data_);
    refresh();
    show_statistics();
}

void VtaPage::swap() {
    if (!request_b_ || !data_.b) return;
    views::VtaRequest next = *request_b_;
    request_b_ = request();
    job_->simulate(VtaJob::B, *request_b_);
    request(std::move(next));
}

void VtaPage::drop_b() {
    request_b_.reset();
    data_.b = nullptr, data_.b_details = nullptr, statistics_[1] = nullptr;
    timeline_->set_data(data_);
    refresh();
    show_statistics();
}

void VtaPage::show_run(std::shared_ptr<const views::VtaRun> run) {
    started_ = true;
    history_.resize(at_ + 1);
    history_.push_back(run->request);
    at_ = history_.size() - 1;
    data_.a = std::move(run), data_.a_details = nullptr, data_.followed = true;
    list_->set_run(data_.a);
    timeline_->set_data(data_);
    refresh();
}

void VtaPage::cancel() {
    const bool simulates = !data_.a || !(request() == data_.a->request);
    job_->cancel();
    if (data_.a && !data_.a_details) data_.followed = false;
    if (request_b_ && !data_.b) request_b_.reset();
    if (data_.b && !(data_.b->request == *request_b_)) request_b_ = data_.b->request;
    // What was asked for is not what is shown: back to the newest request that is.
    for (std::size_t i = at_ + 1; data_.a && i-- > 0;)
        if (history_[i] == data_.a->request) {
            at_ = i;
            break;
        }
    timeline_->set_data(data_);
    refresh();
    say(!simulates ? tr("cancelled")
        : data_.a  ? tr("cancelled: this is the run before")
                   : tr("cancelled: choose a program"));
}

void VtaPage::export_trace(const QString& path) {
    if (!data_.a) return;
    const Result<void> written = write_vta_trace(*data_.a, path.toStdString());
    say(written ? tr("trace written; open it at ui.perfetto.dev") : text_of(written.error().message));
}

// ---------------------------------------------------------------------------------------- selection

void VtaPage::obey(const views::VtaCommand& command) {
    if (const auto* instruction = std::get_if<views::VtaSelectInstruction>(&command))
        select_instruction(instruction->index);
    if (const auto* range = std::get_if<views::VtaSelectRange>(&command)) select_range(range->begin, range->end);
    if (const auto* origin = std::get_if<views::VtaSelectOrigin>(&command)) {
        tables_[Origins]->select_row(static_cast<int>(origin->index));
        show_bottom_tab(OriginsTab);
    }
}

void VtaPage::select_instruction(std::uint32_t index) {
    timeline_->set_selected(index);
    if (list_->selected() != index) list_->select(index);
    show_fields();
}

void VtaPage::select_range(std::uint64_t begin, std::uint64_t end) {
    timeline_->set_range(begin, end);
    if (end <= begin) begin = 0, end = vta::kNever;
    if (data_.a) job_->measure(data_.a, data_.b, begin, end);
}

// ------------------------------------------------------------------------------------ what is shown

void VtaPage::refresh() {
    const views::VtaRequest& r = request();
    QString name = text_of(r.file_title);
    if (!r.file)
        for (const views::VtaExampleRow& example : views::vta_examples())
            if (example.name == r.example) name = text_of(example.title).simplified();
    program_->setText(name + QStringLiteral("  ▾"));
    preset_->setText(text_of(r.config.name) + QStringLiteral("  ▾"));
    one_->setChecked(!r.file && r.contexts == 1);
    two_->setChecked(!r.file && r.contexts == 2);
    for (QToolButton* button : {one_, two_, hide_}) button->setEnabled(!r.file);
    keep_->setVisible(!request_b_);
    swap_->setVisible(request_b_.has_value());
    drop_->setVisible(request_b_.has_value());
    config_->set_config(r.config);
    timeline_header_->set_subject(data_.a ? text_of(data_.a->title) : QString());
    Q_EMIT title_changed(data_.a ? text_of(data_.a->title) : tr("VTA"));
}

void VtaPage::show_statistics() {
    const auto& a = statistics_[0];
    const auto& b = statistics_[1];
    bound_->set_statistics(a, b);
    if (!a) return;
    const auto show = [&](TableId id, const views::Table& table) {
        tables_[id]->set_table(std::shared_ptr<const views::Table>(a, &table));
    };
    show(Modules, a->modules);
    show(Causes, a->causes);
    show(Memory, a->memory);
    show(Energy, a->energy);
    show(Origins, a->origins);
    views::Table compared;
    compared.empty_reason = "Keep a run as B, or press Latency hiding, to see two side by side.";
    tables_[Compare]->set_table(share(b ? views::compare_vta(*a, *b) : std::move(compared)));
    bottom_header_->set_note(a->whole ? QString() : text_of(a->headline));
    show_note();
}

void VtaPage::show_fields() {
    if (data_.a) tables_[Fields]->set_table(share(views::vta_field_table(*data_.a, list_->selected())));
}

void VtaPage::say(const QString& hint) {
    hint_ = hint;
    show_note();
    Q_EMIT hint_changed(hint);
}

/// What runs, else what was said last, else what bounds the run.
void VtaPage::show_note() {
    // The whole sentence stands beside; cut short it would say nothing.
    const QString sentence =
        statistics_[0] ? text_of(statistics_[0]->sentence).section(QStringLiteral(": "), 0, 0) : QString();
    timeline_header_->set_note(!doing_.isEmpty() ? doing_ : !hint_.isEmpty() ? hint_ : sentence);
}

void VtaPage::show_progress() {
    const bool before = busy();
    doing_ = busy_.isActive() ? job_->doing() : QString();
    if (busy_.isActive()) busy_.setInterval(kProgressMs);
    show_note();
    if (busy() == before) return;
    stop_->setVisible(busy());
    Q_EMIT busy_changed(busy());
}

void VtaPage::show_bottom_tab(int tab) { bottom_header_->select_tab(tab); }
void VtaPage::show_side_tab(int tab) { side_header_->select_tab(tab); }

void VtaPage::showEvent(QShowEvent* event) {
    QWidget::showEvent(event);
    if (started_) return;
    started_ = true;
    job_->simulate(VtaJob::A, request());
}

void VtaPage::default_sizes() {
    const int side = std::clamp(width() / 4, 360, 430);
    top_->setSizes({width() - side, side});
    const int bottom = std::clamp(height() * 34 / 100, 180, 380);
    rows_->setSizes({height() - bottom, bottom});
}

void VtaPage::resizeEvent(QResizeEvent* event) {
    QWidget::resizeEvent(event);
    if (!sized_ && width() > 400) default_sizes();
}

void VtaPage::changeEvent(QEvent* event) {
    QWidget::changeEvent(event);
    if (event->type() == QEvent::StyleChange && config_ != nullptr) config_->set_config(request().config);
}

} // namespace orrery::app
