#include "views/qt/profile_panel.hpp"

#include "views/qt/theme.hpp"
#include "views/qt/words.hpp"

#include <QEvent>
#include <QHBoxLayout>
#include <QHelpEvent>
#include <QLabel>
#include <QMouseEvent>
#include <QPainter>
#include <QProgressBar>
#include <QPushButton>
#include <QSplitter>
#include <QStackedWidget>
#include <QToolTip>
#include <QVBoxLayout>

namespace orrery::qt {
namespace {

constexpr int kStripHeight = 28, kStripMargin = 12;

std::shared_ptr<const views::Table> part(const std::shared_ptr<const views::ProfileViewData>& data,
                                         const views::Table& table) {
    return {data, &table};
}

} // namespace

// -------------------------------------------------------------------------------------------- strip

TimeStrip::TimeStrip(QWidget* parent) : QWidget(parent), data_(std::make_shared<views::ProfileViewData>()) {
    setAccessibleName(tr("The run, call by call"));
    setMouseTracking(true);
    setFixedHeight(kStripHeight + 8);
}

void TimeStrip::set_data(std::shared_ptr<const views::ProfileViewData> data) {
    data_ = std::move(data);
    setAccessibleDescription(tr("%n calls", nullptr, static_cast<int>(data_->segments.size())));
    update();
}

void TimeStrip::set_selection(const views::Selection& selection) {
    if (selected_ == selection.origins) return;
    selected_ = selection.origins;
    update();
}

QRectF TimeStrip::place_of(int segment) const {
    const views::ProfileSegment& s = data_->segments[static_cast<std::size_t>(segment)];
    const double whole = width() - 2.0 * kStripMargin;
    return {kStripMargin + s.from * whole, 4, (s.to - s.from) * whole, kStripHeight};
}

int TimeStrip::segment_at(const QPointF& at) const {
    for (int i = 0; i < static_cast<int>(data_->segments.size()); ++i)
        if (place_of(i).contains(at)) return i;
    return -1;
}

void TimeStrip::paintEvent(QPaintEvent*) {
    QPainter painter(this);
    const Theme& t = theme();
    painter.fillRect(rect(), t.panel);
    painter.setFont(t.ui_small);
    for (int i = 0; i < static_cast<int>(data_->segments.size()); ++i) {
        const views::ProfileSegment& s = data_->segments[static_cast<std::size_t>(i)];
        const QRectF box = place_of(i);
        const bool chosen = s.origins.intersects(selected_);
        painter.fillRect(box, chosen ? t.accent_fill : t.kind_fill(s.kind));
        painter.fillRect(QRectF(box.left(), box.bottom() - 3, box.width(), 3), chosen ? t.accent : t.kind(s.kind));
        if (box.width() > 3) painter.fillRect(QRectF(box.right() - 1, box.top(), 1, box.height()), t.panel);
        constexpr double kLeastText = 34; // Units: pixels
        if (box.width() < kLeastText) continue;
        painter.setPen(t.text);
        const QRectF inside = box.adjusted(5, 0, -5, -3);
        painter.drawText(
            inside, Qt::AlignVCenter | Qt::AlignLeft,
            painter.fontMetrics().elidedText(text_of(s.title), Qt::ElideRight, static_cast<int>(inside.width())));
    }
}

void TimeStrip::mousePressEvent(QMouseEvent* event) {
    const int segment = event->button() == Qt::LeftButton ? segment_at(event->position()) : -1;
    if (segment >= 0) Q_EMIT segment_chosen(segment);
}

bool TimeStrip::event(QEvent* event) {
    if (event->type() != QEvent::ToolTip) return QWidget::event(event);
    const auto* help = static_cast<QHelpEvent*>(event);
    const int segment = segment_at(help->pos());
    if (segment >= 0)
        QToolTip::showText(help->globalPos(), text_of(data_->segments[static_cast<std::size_t>(segment)].details),
                           this);
    else
        QToolTip::hideText();
    return true;
}

// -------------------------------------------------------------------------------------------- panel

ProfilePanel::ProfilePanel(QWidget* parent) : QWidget(parent) {
    setAccessibleName(tr("Profile"));
    auto* column = new QVBoxLayout(this);
    column->setContentsMargins(0, 0, 0, 0);
    column->setSpacing(0);
    column->addWidget(build_line());
    strip_ = new TimeStrip(this);
    column->addWidget(strip_);
    auto* split = new QSplitter(Qt::Horizontal, this);
    split->setHandleWidth(1);
    split->setChildrenCollapsible(false);
    split->addWidget(build_tables());
    auto* right = new QSplitter(Qt::Vertical, split);
    right->setHandleWidth(1);
    right->setChildrenCollapsible(false);
    what_if_ = new TablePanel(tr("What if"), right);
    roofline_ = new RooflineView(right);
    right->addWidget(what_if_);
    right->addWidget(roofline_);
    right->setSizes({230, 260});
    split->addWidget(right);
    split->setStretchFactor(0, 3);
    split->setStretchFactor(1, 2);
    split->setSizes({780, 520});
    column->addWidget(split, 1);
    connect_parts();
    set_data(std::make_shared<views::ProfileViewData>());
}

QWidget* ProfilePanel::build_line() {
    auto* line = new QWidget(this);
    auto* row = new QHBoxLayout(line);
    row->setContentsMargins(12, 6, 12, 2);
    row->setSpacing(12);
    button_ = new QPushButton(tr("Profile"), line);
    cancel_ = new QPushButton(tr("Cancel"), line);
    progress_ = new QProgressBar(line);
    progress_->setTextVisible(false);
    progress_->setFixedSize(120, 6);
    said_ = new QLabel(line);
    headline_ = new QLabel(line);
    for (QLabel* label : {said_, headline_}) {
        label->setTextInteractionFlags(Qt::TextSelectableByMouse);
        label->setSizePolicy(QSizePolicy::Ignored, QSizePolicy::Preferred);
    }
    row->addWidget(button_);
    row->addWidget(cancel_);
    row->addWidget(progress_);
    auto* lines = new QVBoxLayout;
    lines->setSpacing(1);
    lines->addWidget(said_);
    lines->addWidget(headline_);
    row->addLayout(lines, 1);
    return line;
}

QWidget* ProfilePanel::build_tables() {
    tabs_ = new PaneHeader(this);
    stack_ = new QStackedWidget(this);
    const std::array names = {tr("Operators"), tr("Layers"), tr("Nodes"), tr("Kernels")};
    for (std::size_t i = 0; i < tables_.size(); ++i) {
        tables_[i] = new TablePanel(tr("Time by %1").arg(names[i].toLower()), stack_);
        tabs_->add_tab(names[i]);
        stack_->addWidget(tables_[i]);
    }
    connect(tabs_, &PaneHeader::tab_selected, stack_, &QStackedWidget::setCurrentIndex);
    return new Pane(tabs_, stack_, this);
}

void ProfilePanel::connect_parts() {
    connect(button_, &QPushButton::clicked, this, [this] {
        if (sink_) sink_(views::ProfileModel{true});
    });
    connect(cancel_, &QPushButton::clicked, this, [this] {
        if (sink_) sink_(views::ProfileModel{false});
    });
    const auto share = [this](TablePanel* table) {
        connect(table, &TablePanel::selection_requested, this, [this, table](const views::Selection& selection) {
            strip_->set_selection(selection);
            for (TablePanel* other : {tables_[0], tables_[1], tables_[2], tables_[3], what_if_})
                if (other != table) other->set_selection(selection);
            Q_EMIT selection_requested(selection);
        });
    };
    for (TablePanel* table : tables_) share(table);
    share(what_if_);
    connect(what_if_, &TablePanel::row_activated, this, [this](int row) {
        headline_->setText(text_of(data_->what_if.rows[static_cast<std::size_t>(row)].details));
    });
    connect(tables_[KernelsTab], &TablePanel::row_activated, this, &ProfilePanel::choose_kernel);
    connect(roofline_, &RooflineView::row_chosen, this, [this](int row) {
        show_tab(KernelsTab);
        tables_[KernelsTab]->select_row(row);
        choose_kernel(row);
        Q_EMIT selection_requested({data_->kernels.rows[static_cast<std::size_t>(row)].origins, {}, {}});
    });
    connect(strip_, &TimeStrip::segment_chosen, this, [this](int index) {
        const views::ProfileSegment& segment = data_->segments[static_cast<std::size_t>(index)];
        choose_kernel(segment.kernel);
        const views::Selection selection{segment.origins, {}, {}};
        set_selection(selection);
        Q_EMIT selection_requested(selection);
    });
}

/// The kernel's point is marked, its program and code are shown.
void ProfilePanel::choose_kernel(int row) {
    if (row < 0 || row >= static_cast<int>(data_->kernel_names.size())) return;
    roofline_->select_row(row);
    if (sink_) sink_(views::SelectFunction{data_->kernel_names[static_cast<std::size_t>(row)]});
}

void ProfilePanel::set_data(std::shared_ptr<const views::ProfileViewData> data) {
    if (!data || data == data_) return;
    data_ = std::move(data);
    tables_[OperatorsTab]->set_table(part(data_, data_->operators));
    tables_[LayersTab]->set_table(part(data_, data_->layers));
    tables_[NodesTab]->set_table(part(data_, data_->nodes));
    tables_[KernelsTab]->set_table(part(data_, data_->kernels));
    what_if_->set_table(part(data_, data_->what_if));
    roofline_->set_data(std::shared_ptr<const views::Roofline>(data_, &data_->roofline));
    roofline_->select_row(-1);
    strip_->set_data(data_);
    strip_->setVisible(!data_->segments.empty());
    tabs_->setToolTip(text_of(data_->attribution));
    tell();
}

void ProfilePanel::set_job(const views::ProfileJob& job) {
    if (job == job_) return;
    job_ = job;
    tell();
}

void ProfilePanel::tell() {
    const bool running = !job_.running.empty();
    button_->setVisible(!running);
    button_->setEnabled(data_->can_profile);
    button_->setToolTip(data_->can_profile ? tr("Run the model many times and time each kernel (Ctrl+Shift+R)")
                                           : text_of(data_->why_not));
    cancel_->setVisible(running);
    progress_->setVisible(running);
    progress_->setRange(0, job_.fraction < 0 ? 0 : 1000);
    if (job_.fraction >= 0) progress_->setValue(static_cast<int>(job_.fraction * 1000));
    const QString said = text_of(running ? job_.running : data_->summary.empty() ? data_->why_not : data_->summary);
    said_->setText(said);
    said_->setToolTip(said);
    headline_->setText(text_of(data_->headline));
    headline_->setToolTip(text_of(data_->headline + (data_->headline.empty() ? "" : "\n") + data_->attribution));
    headline_->setVisible(!data_->headline.empty());
    const QString quiet = QStringLiteral("color: %1").arg(theme().dim.name());
    if (said_->styleSheet() != quiet) said_->setStyleSheet(quiet);
}

void ProfilePanel::set_selection(const views::Selection& selection) {
    strip_->set_selection(selection);
    for (TablePanel* table : tables_) table->set_selection(selection);
    what_if_->set_selection(selection);
}

TablePanel* ProfilePanel::current_table() const { return tables_[static_cast<std::size_t>(stack_->currentIndex())]; }
void ProfilePanel::show_tab(Tab tab) { tabs_->select_tab(tab); }
QString ProfilePanel::said() const { return said_->text(); }

void ProfilePanel::changeEvent(QEvent* event) {
    QWidget::changeEvent(event);
    if (event->type() == QEvent::PaletteChange && data_) tell();
}

} // namespace orrery::qt
