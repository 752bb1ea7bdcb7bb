#include "app/window_tune_panel.hpp"

#include "views/qt/bar_boxes.hpp"
#include "views/qt/theme.hpp"
#include "views/qt/words.hpp"

#include <QCheckBox>
#include <QEvent>
#include <QHBoxLayout>
#include <QLabel>
#include <QProgressBar>
#include <QPushButton>
#include <QScrollBar>
#include <QSplitter>
#include <QStackedWidget>
#include <QToolButton>
#include <QVBoxLayout>

namespace orrery::app {
namespace {

using qt::text_of;
using What = views::Tune::What;

constexpr qint64 kPaceMs = 200;  // Source: our choice; five pictures a second are enough to follow
constexpr int kUsualTrials = 64; // Source: issue "95 % of the best known within 64 trials" of a kernel

QSplitter* thin_splitter(Qt::Orientation orientation, QWidget* parent) {
    auto* split = new QSplitter(orientation, parent);
    split->setHandleWidth(1);
    split->setChildrenCollapsible(false);
    return split;
}

} // namespace

TunePanel::TunePanel(QWidget* parent) : QWidget(parent), data_(std::make_shared<views::TuneViewData>()) {
    setAccessibleName(tr("Tuning"));
    auto* column = new QVBoxLayout(this);
    column->setContentsMargins(0, 0, 0, 0);
    column->setSpacing(0);
    column->addWidget(build_line());
    auto* split = thin_splitter(Qt::Vertical, this);
    split->addWidget(build_plots());
    split->addWidget(build_tables());
    split->setStretchFactor(0, 3);
    split->setStretchFactor(1, 2);
    split->setSizes({560, 330});
    column->addWidget(split, 1);
    connect_buttons();
    connect_tables();
    pace_.setSingleShot(true);
    connect(&pace_, &QTimer::timeout, this, [this] {
        if (next_) apply_data(std::move(next_));
    });
    set_style();
    show_state();
    show_tables();
}

QWidget* TunePanel::build_line() {
    auto* line = new QWidget(this);
    auto* row = new QHBoxLayout(line);
    row->setContentsMargins(12, 6, 12, 6);
    row->setSpacing(8);
    const std::array<std::pair<QString, QString>, kButtons> words = {
        std::pair{tr("Tune"), tr("Look for faster schedules of the model's kernels")},
        {tr("Pause"), tr("Wait after the trial under way; or go on")},
        {tr("Stop"), tr("End after the trial under way: what was found stays")},
        {tr("Try mine"), tr("The shown kernel's present schedule is tried next, and searched around")},
        {tr("Pin"),
         tr("Try no other value of the knob that is chosen in the table; or free it (double-click in the plot)")},
        {tr("Apply best"), tr("The traces that are faster become the recipe's; Ctrl+Z takes it back")},
        {tr("Over time"), tr("Draw the curve over seconds, not over trials")}};
    for (std::size_t i = 0; i < buttons_.size(); ++i) {
        buttons_[i] = new QPushButton(words[i].first, line);
        buttons_[i]->setToolTip(words[i].second);
    }
    buttons_[TimeButton]->setCheckable(true);
    trials_ = new qt::BarSpin(line);
    trials_->setRange(1, 1'000'000);
    trials_->setValue(kUsualTrials);
    trials_->setSuffix(tr(" trials"));
    trials_->setAccessibleName(tr("Trials in all"));
    search_ = new qt::BarCombo(line);
    for (const char* name : {"model", "genetic", "random", "grid"}) search_->addItem(QLatin1String(name));
    search_->setAccessibleName(tr("How candidates are found"));
    only_ = new QCheckBox(tr("only this kernel"), line);
    only_->setToolTip(tr("Tune the shown kernel alone, not all of the model's"));
    progress_ = new QProgressBar(line);
    progress_->setTextVisible(false);
    progress_->setFixedSize(110, 6);
    said_ = new QLabel(line);
    note_ = new QLabel(line);
    for (QLabel* label : {said_, note_}) {
        label->setTextInteractionFlags(Qt::TextSelectableByMouse);
        label->setSizePolicy(QSizePolicy::Ignored, QSizePolicy::Preferred);
    }
    row->addWidget(buttons_[StartButton]);
    for (QWidget* widget : std::initializer_list<QWidget*>{trials_, search_, only_}) row->addWidget(widget);
    for (const Button b : {PauseButton, StopButton, SeedButton, PinButton, ApplyButton}) row->addWidget(buttons_[b]);
    row->addWidget(progress_);
    auto* lines = new QVBoxLayout;
    lines->setSpacing(1);
    lines->addWidget(said_);
    lines->addWidget(note_);
    row->addLayout(lines, 1);
    row->addWidget(buttons_[TimeButton]);
    return line;
}

QWidget* TunePanel::build_plots() {
    auto* split = thin_splitter(Qt::Horizontal, this);
    canvas_ = new ImGuiHost(tr("Tuning: best so far, predictions, knobs, budget"), split);
    roofline_ = new qt::RooflineView(split);
    split->addWidget(canvas_);
    split->addWidget(roofline_);
    split->setStretchFactor(0, 3);
    split->setStretchFactor(1, 1);
    split->setSizes({960, 360});
    canvas_->set_draw([this](const imgui::Input& input) {
        imgui::draw(*data_, state_, input, [this](const views::Command& command) {
            // The canvas is inside its frame: the window answers after it.
            QMetaObject::invokeMethod(
                this,
                [this, command] {
                    if (const auto* what = std::get_if<views::Tune>(&command)) tell(*what);
                },
                Qt::QueuedConnection);
        });
    });
    return split;
}

QWidget* TunePanel::build_tables() {
    tabs_ = new qt::PaneHeader(this);
    stack_ = new QStackedWidget(this);
    const std::array names = {tr("Kernels"), tr("Trials"), tr("Knobs"), tr("Failures"), tr("Side by side")};
    for (std::size_t i = 0; i < tables_.size(); ++i) {
        tabs_->add_tab(names[i]);
        tables_[i] = new qt::TablePanel(tr("Tuning: %1").arg(names[i].toLower()), stack_);
        stack_->addWidget(i == PairTab ? build_pair() : tables_[i]);
    }
    connect(tabs_, &qt::PaneHeader::tab_selected, this, [this](int tab) {
        stack_->setCurrentIndex(tab);
        show_tables();
        tell({.what = What::ShowPair, .number = tab == PairTab ? levels_->selected_tab() : -1});
    });
    return new qt::Pane(tabs_, stack_, this);
}

QWidget* TunePanel::build_pair() {
    auto* split = thin_splitter(Qt::Horizontal, stack_);
    levels_ = new qt::PaneHeader(this);
    for (const QString& name : {tr("Program"), tr("LLVM IR"), tr("Assembly")}) levels_->add_tab(name);
    diff_ = new qt::DiffPanel(this);
    diff_->pin_button()->hide();
    split->addWidget(tables_[PairTab]);
    split->addWidget(new qt::Pane(levels_, diff_, this));
    split->setSizes({500, 860});
    connect(levels_, &qt::PaneHeader::tab_selected, this,
            [this](int level) { tell({.what = What::ShowPair, .number = level}); });
    connect(diff_, &qt::DiffPanel::swap_requested, this, [this] {
        const int chosen = data_->chosen, beside = data_->beside;
        tell({.what = What::ShowTrial, .number = beside});
        tell({.what = What::CompareTrial, .number = chosen});
    });
    connect(diff_, &qt::DiffPanel::selection_requested, this,
            [this](const views::Selection& selection) { Q_EMIT selection_requested(selection); });
    return split;
}

void TunePanel::connect_buttons() {
    const auto on = [this](Button which, std::function<views::Tune()> what) {
        connect(buttons_[which], &QPushButton::clicked, this, [this, what = std::move(what)] { tell(what()); });
    };
    on(StartButton, [this] {
        return views::Tune{.what = What::Start,
                           .number = trials_->value(),
                           .search = search_->currentText().toStdString(),
                           .only_shown = only_->isChecked()};
    });
    on(PauseButton, [this] { return views::Tune{.what = data_->paused ? What::Resume : What::Pause}; });
    on(StopButton, [] { return views::Tune{.what = What::Stop}; });
    on(SeedButton, [] { return views::Tune{.what = What::Seed}; });
    on(ApplyButton, [] { return views::Tune{.what = What::Apply}; });
    on(TimeButton,
       [this] { return views::Tune{.what = What::ByTime, .number = buttons_[TimeButton]->isChecked() ? 1 : 0}; });
    connect(buttons_[PinButton], &QPushButton::clicked, this, [this] {
        const QModelIndexList rows = tables_[KnobsTab]->selectionModel()->selectedRows();
        if (rows.isEmpty()) return show_tab(KnobsTab);
        const auto* sorted = qobject_cast<const QSortFilterProxyModel*>(tables_[KnobsTab]->model());
        const auto& place = data_->knob_places[static_cast<std::size_t>(sorted->mapToSource(rows.front()).row())];
        tell({.what = place.pinned ? What::Free : What::Pin, .knob = place.knob, .value = place.value});
    });
}

void TunePanel::connect_tables() {
    connect(tables_[TasksTab], &qt::TablePanel::row_activated, this, [this](int row) {
        if (!filling_) tell({.what = What::ShowTask, .workload = data_->workloads[static_cast<std::size_t>(row)]});
    });
    const auto trial_of = [this](int row) {
        return row >= 0 && row < static_cast<int>(data_->numbers.size()) ? data_->numbers[static_cast<std::size_t>(row)]
                                                                         : 0;
    };
    connect(tables_[TrialsTab], &qt::TablePanel::row_activated, this, [this, trial_of](int row) {
        if (!filling_) tell({.what = What::ShowTrial, .number = trial_of(row)});
    });
    // What is opened, by a double click or the return key, is seen beside the other.
    connect(tables_[TrialsTab], &QTableView::activated, this, [this](const QModelIndex&) { show_tab(PairTab); });
    connect(roofline_, &qt::RooflineView::row_chosen, this, [this, trial_of](int row) {
        if (const int number = trial_of(row); number > 0) tell({.what = What::ShowTrial, .number = number});
    });
}

void TunePanel::tell(const views::Tune& what) const {
    if (sink_) sink_(what);
}

void TunePanel::set_data(std::shared_ptr<const views::TuneViewData> data) {
    if (!data || data == data_) return;
    // What a running tuning adds is shown some times a second; what somebody did, and the end, at once.
    const bool only_more = data->running && data_->running && data->paused == data_->paused &&
                           data->task == data_->task && data->chosen == data_->chosen && data->beside == data_->beside;
    if (!only_more || !shown_.isValid() || shown_.elapsed() >= kPaceMs) return apply_data(std::move(data));
    next_ = std::move(data);
    if (!pace_.isActive()) pace_.start(static_cast<int>(kPaceMs - shown_.elapsed()));
}

void TunePanel::apply_data(std::shared_ptr<const views::TuneViewData> data) {
    pace_.stop();
    next_.reset();
    shown_.start();
    data_ = std::move(data);
    roofline_->set_data(std::shared_ptr<const views::Roofline>(data_, &data_->roofline));
    const auto row = std::ranges::find(data_->numbers, data_->chosen);
    roofline_->select_row(row == data_->numbers.end() ? -1 : static_cast<int>(row - data_->numbers.begin()));
    canvas_->request_frame();
    show_state();
    show_tables();
}

void TunePanel::set_pair(std::shared_ptr<const views::DiffViewData> pair) {
    if (pair && pair.get() != &diff_->data()) diff_->set_data(std::move(pair));
}

/// A table is filled while it is seen, and stays where it was scrolled to.
void TunePanel::fill(Tab tab, const views::Table& table, int row) {
    qt::TablePanel* panel = tables_[tab];
    const int scrolled = panel->verticalScrollBar()->value();
    filling_ = true;
    panel->set_table(std::shared_ptr<const views::Table>(data_, &table));
    if (row >= 0) panel->select_row(row);
    panel->verticalScrollBar()->setValue(scrolled);
    filling_ = false;
}

void TunePanel::show_tables() {
    const auto chosen = std::ranges::find(data_->numbers, data_->chosen);
    switch (stack_->currentIndex()) {
    case TasksTab: fill(TasksTab, data_->tasks, data_->task); break;
    case TrialsTab:
        fill(TrialsTab, data_->trials,
             chosen == data_->numbers.end() ? -1 : static_cast<int>(chosen - data_->numbers.begin()));
        break;
    case KnobsTab: {
        const QModelIndexList rows = tables_[KnobsTab]->selectionModel()->selectedRows();
        const auto* sorted = qobject_cast<const QSortFilterProxyModel*>(tables_[KnobsTab]->model());
        const int row = rows.isEmpty() ? -1 : sorted->mapToSource(rows.front()).row();
        fill(KnobsTab, data_->knobs, row < static_cast<int>(data_->knobs.rows.size()) ? row : -1);
        break;
    }
    case FailuresTab: fill(FailuresTab, data_->failures, -1); break;
    default: fill(PairTab, data_->pair, -1); break;
    }
    tabs_->set_tab_text(TrialsTab,
                        data_->trials.rows.empty() ? tr("Trials") : tr("Trials  %1").arg(data_->trials.rows.size()));
    tabs_->set_tab_text(FailuresTab, data_->failures.rows.empty()
                                         ? tr("Failures")
                                         : tr("Failures  %1").arg(data_->failures.rows.size()));
    tabs_->set_note(data_->task < 0 ? QString() : text_of(data_->functions[static_cast<std::size_t>(data_->task)]));
}

void TunePanel::show_state() {
    const bool running = data_->running;
    if (running && buttons_[StartButton]->hasFocus()) canvas_->setFocus(); // not whatever stands next to it
    for (QWidget* widget : std::initializer_list<QWidget*>{buttons_[StartButton], trials_, search_, only_})
        widget->setVisible(!running);
    buttons_[StartButton]->setEnabled(data_->can_start);
    for (const Button b : {PauseButton, StopButton, SeedButton, PinButton}) buttons_[b]->setVisible(running);
    buttons_[PauseButton]->setText(data_->paused ? tr("Resume") : tr("Pause"));
    buttons_[ApplyButton]->setEnabled(data_->improvements > 0);
    buttons_[ApplyButton]->setText(data_->improvements > 0 ? tr("Apply best  %1").arg(data_->improvements)
                                                           : tr("Apply best"));
    progress_->setVisible(running);
    progress_->setRange(0, data_->fraction < 0 ? 0 : 1000);
    if (data_->fraction >= 0) progress_->setValue(static_cast<int>(data_->fraction * 1000));
    said_->setText(text_of(data_->summary));
    said_->setToolTip(text_of(data_->summary));
    const std::string& note = data_->problem.empty() ? data_->note : data_->problem;
    note_->setText(text_of(note));
    note_->setToolTip(text_of(note));
    note_->setVisible(!note.empty());
    const QColor colour = data_->problem.empty() ? qt::theme().dim : qt::theme().warning;
    const QString style = QStringLiteral("color: %1").arg(colour.name());
    if (note_->styleSheet() != style) note_->setStyleSheet(style);
}

QString TunePanel::said() const { return said_->text(); }

void TunePanel::set_style() {
    state_.style = canvas_style();
    canvas_->request_frame();
}

void TunePanel::changeEvent(QEvent* event) {
    QWidget::changeEvent(event);
    if (event->type() == QEvent::StyleChange) set_style();
    if (event->type() == QEvent::PaletteChange) show_state();
}

void TunePanel::showEvent(QShowEvent* event) {
    QWidget::showEvent(event);
    tell({.what = What::Show, .number = 1});
}

void TunePanel::hideEvent(QHideEvent* event) {
    QWidget::hideEvent(event);
    tell({.what = What::Show, .number = 0});
}

} // namespace orrery::app
