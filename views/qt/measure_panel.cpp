#include "views/qt/measure_panel.hpp"

#include "views/qt/theme.hpp"
#include "views/qt/words.hpp"

#include <QEvent>
#include <QHBoxLayout>
#include <QLabel>
#include <QProgressBar>
#include <QPushButton>
#include <QSortFilterProxyModel>
#include <QSplitter>
#include <QVBoxLayout>

namespace orrery::qt {
MeasurePanel::MeasurePanel(QWidget* parent) : QWidget(parent) {
    setAccessibleName(tr("Measurements"));
    auto* column = new QVBoxLayout(this);
    column->setContentsMargins(0, 0, 0, 0);
    column->setSpacing(0);
    auto* line = new QWidget(this);
    auto* row = new QHBoxLayout(line);
    row->setContentsMargins(12, 6, 12, 6);
    row->setSpacing(12);
    button_ = new QPushButton(tr("Measure"), line);
    cancel_ = new QPushButton(tr("Cancel"), line);
    said_ = new QLabel(line);
    said_->setTextInteractionFlags(Qt::TextSelectableByMouse);
    said_->setSizePolicy(QSizePolicy::Ignored, QSizePolicy::Preferred);
    progress_ = new QProgressBar(line);
    progress_->setTextVisible(false);
    progress_->setFixedSize(120, 6);
    row->addWidget(button_);
    row->addWidget(cancel_);
    row->addWidget(progress_);
    row->addWidget(said_, 1);
    auto* split = new QSplitter(Qt::Horizontal, this);
    split->setHandleWidth(1);
    split->setChildrenCollapsible(false);
    table_ = new TablePanel(tr("Measured traces"), split);
    roofline_ = new RooflineView(split);
    split->addWidget(table_);
    split->addWidget(roofline_);
    split->setStretchFactor(0, 3);
    split->setStretchFactor(1, 2);
    split->setSizes({600, 400});
    column->addWidget(line);
    column->addWidget(split, 1);
    connect(button_, &QPushButton::clicked, this, [this] {
        if (sink_) sink_(views::MeasureFunction{});
    });
    connect(cancel_, &QPushButton::clicked, this, [this] {
        if (sink_) sink_(views::CancelMeasuring{});
    });
    connect(table_, &TablePanel::row_activated, roofline_, &RooflineView::select_row);
    connect(table_, &QTableView::activated, this, [this](const QModelIndex& index) {
        const auto* sorted = qobject_cast<const QSortFilterProxyModel*>(table_->model());
        take_trace(sorted->mapToSource(index).row());
    });
    connect(roofline_, &RooflineView::row_chosen, table_, &TablePanel::select_row);
    set_data(std::make_shared<views::MeasureViewData>());
}

void MeasurePanel::set_data(std::shared_ptr<const views::MeasureViewData> data) {
    if (!data || data == data_) return;
    const bool other = !data_ || data_->subject != data->subject;
    const std::size_t rows = data_ ? data_->traces.size() : 0;
    data_ = std::move(data);
    table_->set_table(std::shared_ptr<const views::Table>(data_, &data_->table));
    roofline_->set_data(std::shared_ptr<const views::Roofline>(data_, &data_->roofline));
    // Rows move when one is added, and a new one is what the eye looks for.
    if (other || rows != data_->traces.size()) choose(data_->present);
    tell();
}

void MeasurePanel::choose(int row) {
    table_->select_row(row);
    roofline_->select_row(row);
}

void MeasurePanel::tell() {
    const bool running = !data_->running.empty();
    button_->setVisible(!running);
    button_->setEnabled(data_->can_measure);
    button_->setToolTip(data_->can_measure ? tr("Run this kernel alone, in a process of its own (Ctrl+Shift+M)")
                                           : text_of(data_->why_not));
    cancel_->setVisible(running);
    progress_->setVisible(running);
    progress_->setRange(0, data_->fraction < 0 ? 0 : 1000);
    if (data_->fraction >= 0) progress_->setValue(static_cast<int>(data_->fraction * 1000));
    const std::string& text = running                   ? data_->running
                              : !data_->problem.empty() ? data_->problem
                              : data_->can_measure      ? data_->summary
                                                        : data_->why_not;
    said_->setText(text_of(text));
    said_->setToolTip(text_of(text));
    const QColor colour = !running && !data_->problem.empty() ? theme().warning : theme().dim;
    const QString style = QStringLiteral("color: %1").arg(colour.name());
    if (said_->styleSheet() != style) said_->setStyleSheet(style);
}

QString MeasurePanel::said() const { return said_->text(); }

void MeasurePanel::take_trace(int row) const {
    if (!sink_ || row < 0 || row >= static_cast<int>(data_->traces.size())) return;
    const std::string& trace = data_->traces[static_cast<std::size_t>(row)];
    if (trace == data_->present_trace) return;
    sink_(views::EditTrace{{.what = session::TraceEdit::What::Rewrite, .text = trace}});
}

void MeasurePanel::changeEvent(QEvent* event) {
    QWidget::changeEvent(event);
    if (event->type() == QEvent::PaletteChange && data_) tell();
}

} // namespace orrery::qt
