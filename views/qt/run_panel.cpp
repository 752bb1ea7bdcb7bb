#include "views/qt/run_panel.hpp"

#include "views/qt/theme.hpp"

#include <QEvent>
#include <QHBoxLayout>
#include <QLabel>
#include <QSplitter>
#include <QVBoxLayout>

namespace orrery::qt {

RunPanel::RunPanel(QWidget* parent) : QWidget(parent) {
    setAccessibleName(tr("Run"));
    auto* column = new QVBoxLayout(this);
    column->setContentsMargins(0, 0, 0, 0);
    column->setSpacing(0);
    auto* line = new QWidget(this);
    auto* row = new QHBoxLayout(line);
    row->setContentsMargins(12, 6, 12, 6);
    row->setSpacing(16);
    summary_ = new QLabel(line);
    agreement_ = new QLabel(line);
    summary_->setTextInteractionFlags(Qt::TextSelectableByMouse);
    agreement_->setTextInteractionFlags(Qt::TextSelectableByMouse);
    row->addWidget(summary_);
    row->addWidget(agreement_);
    row->addStretch(1);
    auto* split = new QSplitter(Qt::Horizontal, this);
    split->setHandleWidth(1);
    split->setChildrenCollapsible(false);
    operators_ = new TablePanel(tr("Time by operator"), split);
    outputs_ = new TablePanel(tr("Outputs"), split);
    split->addWidget(operators_);
    split->addWidget(outputs_);
    split->setStretchFactor(0, 1);
    split->setStretchFactor(1, 1);
    column->addWidget(line);
    column->addWidget(split, 1);
    set_data(std::make_shared<views::RunViewData>());
}

void RunPanel::set_data(std::shared_ptr<const views::RunViewData> data) {
    if (!data || data == data_) return;
    data_ = std::move(data);
    const bool none = data_->summary.empty();
    summary_->setText(QString::fromStdString(none ? data_->empty_reason : data_->summary));
    summary_->setEnabled(true);
    agreement_->setText(QString::fromStdString(data_->agreement));
    colour_agreement();
    outputs_->set_table(std::shared_ptr<const views::Table>(data_, &data_->outputs));
    operators_->set_table(std::shared_ptr<const views::Table>(data_, &data_->operators));
    outputs_->setVisible(!none);
    operators_->setVisible(!none);
}

void RunPanel::colour_agreement() {
    const QString style = QStringLiteral("color: %1").arg(theme().tone(data_->agreement_tone).name());
    if (agreement_->styleSheet() != style) agreement_->setStyleSheet(style);
}

void RunPanel::changeEvent(QEvent* event) {
    QWidget::changeEvent(event);
    if (event->type() == QEvent::PaletteChange && data_) colour_agreement();
}

} // namespace orrery::qt
