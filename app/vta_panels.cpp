#include "app/vta_panels.hpp"

#include "views/qt/theme.hpp"
#include "views/qt/words.hpp"

#include <QEvent>
#include <QHBoxLayout>
#include <QLabel>
#include <QLineEdit>
#include <QScrollArea>
#include <QSpinBox>
#include <QSplitter>
#include <QToolButton>
#include <QVBoxLayout>

#include <algorithm>

namespace orrery::app {

using qt::text_of;

namespace {

/// A command given inside a canvas's frame, carried out after it.
template <class Panel> views::VtaSink queued(Panel* panel) {
    return [panel](const views::VtaCommand& command) {
        QMetaObject::invokeMethod(
            panel, [panel, command] { Q_EMIT panel->commanded(command); }, Qt::QueuedConnection);
    };
}

QVBoxLayout* plain_column(QWidget* parent) {
    auto* column = new QVBoxLayout(parent);
    column->setContentsMargins(0, 0, 0, 0);
    column->setSpacing(0);
    return column;
}

} // namespace

// ----------------------------------------------------------------------------------------- timeline

VtaTimelinePanel::VtaTimelinePanel(QWidget* parent) : QWidget(parent) {
    canvas_ = new ImGuiHost(tr("Pipeline of the accelerator over time"), this);
    canvas_->set_keys(QStringLiteral("wasdfn0t\x1b"));
    plain_column(this)->addWidget(canvas_);
    canvas_->set_draw([this](const imgui::Input& input) { imgui::draw(data_, state_, input, sink()); });
    state_.style = canvas_style();
}

views::VtaSink VtaTimelinePanel::sink() { return queued(this); }

void VtaTimelinePanel::set_data(views::VtaTimelineData data) {
    const bool other_length = data.total() != data_.total();
    data_ = std::move(data);
    if (other_length) {
        state_.first_cycle = state_.cycles_shown = 0;
        state_.range_begin = state_.range_end = 0;
    }
    if (!data_.a || state_.selected >= data_.a->size()) state_.selected = vta::kNoInstruction;
    state_.overview_of = nullptr, state_.shown = {};
    state_.stall_of = vta::kNoInstruction;
    canvas_->request_frame();
}

void VtaTimelinePanel::set_selected(std::uint32_t instruction) {
    if (instruction == state_.selected) return;
    imgui::reveal_instruction(data_, state_, instruction);
    canvas_->request_frame();
}

void VtaTimelinePanel::set_range(std::uint64_t begin, std::uint64_t end) {
    state_.range_begin = begin, state_.range_end = end;
    canvas_->request_frame();
}

void VtaTimelinePanel::set_colouring(imgui::VtaColouring colouring) {
    state_.colouring = colouring;
    canvas_->request_frame();
}

void VtaTimelinePanel::set_tokens(bool on) {
    state_.tokens = on;
    canvas_->request_frame();
}

void VtaTimelinePanel::go_to_stall(int direction) {
    (void)imgui::go_to_stall(data_, state_, direction, sink());
    canvas_->request_frame();
}

void VtaTimelinePanel::fit() {
    state_.first_cycle = state_.cycles_shown = 0;
    canvas_->request_frame();
}

void VtaTimelinePanel::changeEvent(QEvent* event) {
    QWidget::changeEvent(event);
    if (event->type() != QEvent::StyleChange) return;
    state_.style = canvas_style();
    canvas_->request_frame();
}

// -------------------------------------------------------------------------------------------- bound

VtaBoundPanel::VtaBoundPanel(QWidget* parent) : QWidget(parent) {
    auto* column = plain_column(this);
    auto* words = new QVBoxLayout;
    words->setContentsMargins(12, 10, 12, 6);
    words->setSpacing(4);
    sentence_ = new QLabel(this);
    sentence_->setWordWrap(true);
    sentence_->setObjectName(QStringLiteral("title"));
    figures_ = new QLabel(this);
    figures_->setWordWrap(true);
    figures_->setObjectName(QStringLiteral("dim"));
    words->addWidget(sentence_);
    words->addWidget(figures_);
    canvas_ = new ImGuiHost(tr("Roofline"), this);
    column->addLayout(words);
    column->addWidget(canvas_, 1);
    state_.style = canvas_style();
    canvas_->set_draw([this](const imgui::Input& input) {
        const views::VtaRoofline none;
        imgui::draw(a_ ? a_->roofline : none, b_ ? &b_->roofline : nullptr, state_, input, queued(this));
    });
}

void VtaBoundPanel::set_statistics(std::shared_ptr<const views::VtaStatistics> a,
                                   std::shared_ptr<const views::VtaStatistics> b) {
    a_ = std::move(a), b_ = std::move(b);
    sentence_->setText(a_ ? text_of(a_->sentence) : QString());
    QString figures = a_ ? text_of(a_->headline) : tr("Choose a program to see what bounds it.");
    if (a_ && b_) figures = tr("A  ") + figures + tr("\nB  ") + text_of(b_->headline) + u'\n' + text_of(b_->sentence);
    figures_->setText(figures);
    canvas_->request_frame();
}

void VtaBoundPanel::set_origin(int origin) {
    state_.selected = origin;
    canvas_->request_frame();
}

QString VtaBoundPanel::sentence() const { return sentence_->text(); }

void VtaBoundPanel::changeEvent(QEvent* event) {
    QWidget::changeEvent(event);
    if (event->type() != QEvent::StyleChange || canvas_ == nullptr) return;
    state_.style = canvas_style();
    canvas_->request_frame();
}

// --------------------------------------------------------------------------------------------- step

VtaStepPanel::VtaStepPanel(QWidget* parent) : QWidget(parent), view_(std::make_shared<views::VtaStepView>()) {
    auto* column = plain_column(this);
    column->addWidget(build_controls());
    auto* split = new QSplitter(Qt::Horizontal, this);
    split->setHandleWidth(1);
    canvas_ = new ImGuiHost(tr("On-chip memories, tile by tile"), split);
    // What does not fit a low pane is scrolled to: the tables keep all of their rows.
    auto* side_scroll = new QScrollArea(split);
    side_scroll->setFrameShape(QFrame::NoFrame);
    side_scroll->setWidgetResizable(true);
    side_scroll->setMinimumHeight(60);
    auto* side = new QWidget(side_scroll);
    side_scroll->setWidget(side);
    auto* rows = plain_column(side);
    queues_ = new qt::TablePanel(tr("What each module runs next"), side);
    tokens_ = new qt::TablePanel(tr("Tokens in the queues"), side);
    queues_->setFixedHeight(4 * 24 + 20); // with a scroll bar
    tokens_->setFixedHeight(5 * 24 + 8);
    values_ = new QLabel(side);
    values_->setFont(qt::theme().mono);
    values_->setTextInteractionFlags(Qt::TextSelectableByMouse);
    values_->setContentsMargins(12, 6, 12, 6);
    values_->setAlignment(Qt::AlignTop | Qt::AlignLeft);
    auto* scroll = new QScrollArea(side);
    scroll->setWidget(values_);
    scroll->setWidgetResizable(true);
    scroll->setMinimumHeight(64);
    rows->addWidget(queues_);
    rows->addWidget(tokens_);
    rows->addWidget(scroll, 1);
    split->addWidget(canvas_);
    split->addWidget(side_scroll);
    split->setStretchFactor(0, 3);
    split->setStretchFactor(1, 2);
    split->setSizes({700, 460});
    column->addWidget(split, 1);
    state_.style = canvas_style();
    canvas_->set_draw([this](const imgui::Input& input) {
        imgui::draw(*view_, state_, input, [this](const views::VtaCommand& command) {
            if (const auto* tile = std::get_if<views::VtaSelectTile>(&command))
                QMetaObject::invokeMethod(
                    this, [this, wanted = tile->tile] { show_tile(wanted); }, Qt::QueuedConnection);
        });
    });
}

QWidget* VtaStepPanel::build_controls() {
    auto* bar = new QWidget(this);
    bar->setObjectName(QStringLiteral("header"));
    auto* row = new QHBoxLayout(bar);
    row->setContentsMargins(8, 3, 8, 3);
    row->setSpacing(4);
    const std::pair<QString, QString> names[] = {{QStringLiteral("|◀"), tr("To the beginning")},
                                                 {QStringLiteral("◀"), tr("One instruction back")},
                                                 {QStringLiteral("▶"), tr("One instruction forward")},
                                                 {tr("◀ break"), tr("Back to where a breakpoint held")},
                                                 {tr("break ▶"), tr("On to the next breakpoint, or the end")}};
    for (std::size_t i = 0; i < buttons_.size(); ++i) {
        auto* button = new QToolButton(bar);
        button->setObjectName(QStringLiteral("flat"));
        button->setText(names[i].first);
        button->setToolTip(names[i].second);
        button->setAccessibleName(names[i].second);
        buttons_[i] = button;
        row->addWidget(button);
    }
    connect(buttons_[Start], &QToolButton::clicked, this, [this] { go(0); });
    connect(buttons_[Back], &QToolButton::clicked, this, [this] { go(wanted_ == 0 ? 0 : wanted_ - 1); });
    connect(buttons_[Forward], &QToolButton::clicked, this, [this] { go(wanted_ + 1); });
    connect(buttons_[BreakBack], &QToolButton::clicked, this, [this] { run_to_break(-1); });
    connect(buttons_[BreakForward], &QToolButton::clicked, this, [this] { run_to_break(1); });
    position_ = new QSpinBox(bar);
    position_->setAccessibleName(tr("Instructions done"));
    position_->setToolTip(tr("Instructions done, in the order they run"));
    position_->setKeyboardTracking(false);
    connect(position_, &QSpinBox::valueChanged, this, [this](int value) {
        if (!filling_) go(static_cast<std::uint64_t>(value));
    });
    row->addWidget(position_);
    breakpoint_ = new QLineEdit(bar);
    breakpoint_->setPlaceholderText(tr("break at: 12, acc[3], stall 100"));
    breakpoint_->setAccessibleName(tr("Add or remove a breakpoint"));
    breakpoint_->setFixedWidth(200);
    connect(breakpoint_, &QLineEdit::returnPressed, this, &VtaStepPanel::add_breakpoint);
    row->addWidget(breakpoint_);
    tile_field_ = new QLineEdit(QStringLiteral("acc[0]"), bar);
    tile_field_->setAccessibleName(tr("Tile whose values are shown"));
    tile_field_->setToolTip(tr("Tile whose values are shown: uop, inp, wgt, acc or out and a number"));
    tile_field_->setFixedWidth(86);
    connect(tile_field_, &QLineEdit::returnPressed, this, [this] {
        if (!run_) return;
        const auto tile = views::vta_tile_named(run_->program.config, tile_field_->text().toStdString());
        tile ? show_tile(*tile) : (void)Q_EMIT refused(tr("there is no such tile; write for example acc[3]"));
    });
    row->addWidget(tile_field_);
    breaks_ = new QLabel(bar);
    breaks_->setObjectName(QStringLiteral("dim"));
    row->addWidget(breaks_);
    row->addSpacing(8);
    headline_ = new QLabel(bar);
    headline_->setSizePolicy(QSizePolicy::Ignored, QSizePolicy::Preferred);
    row->addWidget(headline_, 1);
    return bar;
}

void VtaStepPanel::set_run(std::shared_ptr<const views::VtaRun> run) {
    run_ = std::move(run);
    if (run_ && !views::vta_tile_named(run_->program.config, views::to_string(tile_))) tile_ = {};
    if (run_) wanted_ = std::min<std::uint64_t>(wanted_, run_->size());
    filling_ = true;
    position_->setRange(0, run_ ? static_cast<int>(std::min<std::size_t>(run_->size(), 0x7fffffff)) : 0);
    filling_ = false;
    if (run_) go(wanted_);
}

void VtaStepPanel::set_view(std::shared_ptr<const views::VtaStepView> view, std::uint64_t serial) {
    view_ = std::move(view);
    // Of an older move only the picture is taken: the next step counts from where the last one was to go.
    if (serial == serial_) {
        wanted_ = view_->position;
        filling_ = true;
        position_->setValue(static_cast<int>(std::min<std::uint64_t>(view_->position, 0x7fffffff)));
        filling_ = false;
    }
    headline_->setText(text_of(view_->headline));
    headline_->setToolTip(headline_->text());
    queues_->set_table(std::shared_ptr<const views::Table>(view_, &view_->queues));
    tokens_->set_table(std::shared_ptr<const views::Table>(view_, &view_->tokens_table));
    tile_field_->setText(text_of(views::to_string(view_->tile)));
    QString text = text_of(views::to_string(view_->tile)) +
                   (view_->tile.memory == vta::Strip::Uop ? tr("  dst src wgt") : QString());
    qsizetype widest = 1;
    for (const auto& values : view_->values)
        for (const std::int32_t value : values) widest = std::max(widest, QString::number(value).size());
    for (const auto& values : view_->values) {
        text += u'\n';
        for (const std::int32_t value : values) text += QStringLiteral("%1").arg(value, static_cast<int>(widest) + 2);
    }
    values_->setText(text);
    buttons_[Start]->setEnabled(view_->position > 0);
    buttons_[Back]->setEnabled(view_->position > 0);
    buttons_[Forward]->setEnabled(!view_->at_end && view_->position < view_->count);
    canvas_->request_frame();
}

void VtaStepPanel::go(std::uint64_t position) {
    if (!run_) return;
    wanted_ = std::min<std::uint64_t>(position, run_->size());
    VtaMove move;
    move.position = wanted_, move.tile = tile_, move.serial = ++serial_;
    Q_EMIT moved(move);
}

void VtaStepPanel::run_to_break(int direction) {
    if (!run_) return;
    VtaMove move;
    move.kind = VtaMove::Kind::Break;
    move.position = wanted_;
    move.direction = direction, move.breakpoints = breakpoints_, move.tile = tile_, move.serial = ++serial_;
    Q_EMIT moved(move);
}

void VtaStepPanel::show_tile(const views::VtaTile& tile) {
    tile_ = tile;
    go(wanted_);
}

void VtaStepPanel::toggle_breakpoint(std::uint32_t instruction) {
    views::VtaBreakpoint b;
    b.instruction = instruction;
    if (std::erase(breakpoints_, b) == 0) breakpoints_.push_back(b);
    show_breakpoints();
}

void VtaStepPanel::add_breakpoint() {
    if (!run_ || breakpoint_->text().isEmpty()) return;
    const auto named = views::vta_breakpoint_named(run_->program.config, breakpoint_->text().trimmed().toStdString());
    if (!named) {
        Q_EMIT refused(text_of(named.error().message));
        return;
    }
    if (std::erase(breakpoints_, *named) == 0) breakpoints_.push_back(*named);
    breakpoint_->clear();
    show_breakpoints();
}

void VtaStepPanel::show_breakpoints() {
    QStringList names;
    for (const views::VtaBreakpoint& b : breakpoints_) names << text_of(views::to_string(b));
    breaks_->setText(names.isEmpty() ? QString() : tr("breaks: %1").arg(names.join(QStringLiteral(", "))));
    breaks_->setToolTip(tr("Type a breakpoint again to remove it"));
    Q_EMIT breakpoints_changed();
}

void VtaStepPanel::changeEvent(QEvent* event) {
    QWidget::changeEvent(event);
    if (event->type() != QEvent::StyleChange || canvas_ == nullptr) return;
    state_.style = canvas_style();
    canvas_->request_frame();
}

} // namespace orrery::app
