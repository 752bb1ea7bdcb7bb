#include "views/qt/loop_panel.hpp"

#include "views/model/stages_view.hpp"
#include "views/qt/theme.hpp"
#include "views/qt/words.hpp"

#include <QEvent>
#include <QHBoxLayout>
#include <QLabel>
#include <QSlider>
#include <QSplitter>
#include <QVBoxLayout>

namespace orrery::qt {
LoopPanel::LoopPanel(QWidget* parent) : QWidget(parent), data_(std::make_shared<views::LoopViewData>()) {
    auto* column = new QVBoxLayout(this);
    column->setContentsMargins(0, 0, 0, 0);
    column->setSpacing(0);
    header_ = new PaneHeader(this);
    header_->set_title(tr("Loops"));
    auto* splitter = new QSplitter(Qt::Vertical, this);
    splitter->setHandleWidth(1);
    splitter->setChildrenCollapsible(false);
    tree_ = new LoopTree(splitter);
    splitter->addWidget(tree_);
    build_trace(splitter);
    splitter->setStretchFactor(0, 3);
    splitter->setStretchFactor(1, 2);
    refusal_ = new QLabel(this);
    refusal_->setWordWrap(true);
    refusal_->setContentsMargins(12, 6, 12, 6);
    refusal_->setTextInteractionFlags(Qt::TextSelectableByMouse);
    refusal_->hide();
    column->addWidget(header_);
    column->addWidget(splitter, 1);
    column->addWidget(refusal_);
    connect(tree_, &LoopTree::selection_requested, this, &LoopPanel::selection_requested);
    connect(tree_, &LoopTree::menu_requested, this, &LoopPanel::open_menu);
    connect(tree_, &LoopTree::refused, this, &LoopPanel::show_refusal);
    connect(tree_, &LoopTree::step_requested, this, [this](const QString& step) {
        send(views::EditTrace{
            {.what = session::TraceEdit::What::Insert, .at = data_->shown, .text = step.toStdString()}});
    });
}

void LoopPanel::build_trace(QSplitter* splitter) {
    auto* below = new QWidget(splitter);
    auto* column = new QVBoxLayout(below);
    column->setContentsMargins(0, 0, 0, 0);
    column->setSpacing(0);
    auto* line = new QWidget(below);
    auto* row = new QHBoxLayout(line);
    row->setContentsMargins(12, 4, 12, 4);
    row->setSpacing(12);
    title_ = new QuietLine(line);
    slider_ = new QSlider(Qt::Horizontal, line);
    slider_->setAccessibleName(tr("Step whose program is shown"));
    slider_->setToolTip(tr("The program after each step"));
    slider_->setMinimumWidth(60);
    slider_->setPageStep(1);
    row->addWidget(title_);
    row->addWidget(slider_, 1);
    trace_ = new TraceList(below);
    column->addWidget(line);
    column->addWidget(trace_, 1);
    splitter->addWidget(below);
    connect(slider_, &QSlider::valueChanged, this, [this](int step) {
        if (step != data_->shown) send(views::SelectStage{views::kTensorStages + step});
    });
}

void LoopPanel::set_sink(const views::CommandSink& sink) {
    sink_ = sink;
    trace_->set_sink(sink);
}

void LoopPanel::set_data(std::shared_ptr<const views::LoopViewData> data) {
    if (!data || data == data_) return;
    data_ = std::move(data);
    tree_->set_data(data_);
    trace_->set_data(data_);
    header_->set_note(text_of(data_->note));
    const std::size_t count = data_->trace.size();
    const QString steps = count == 1 ? tr("1 step") : tr("%1 steps").arg(count);
    title_->set_text(data_->subject.empty()
                         ? tr("Trace")
                         : tr("Trace · ") + steps + (data_->is_default ? tr(" · default") : tr(" · yours")) +
                               (data_->knobs.empty() ? QString() : tr(" · ") + text_of(data_->knobs)));
    title_->set_more(text_of(data_->checked));
    {
        const QSignalBlocker quiet(slider_);
        slider_->setRange(0, data_->reached);
        slider_->setValue(data_->shown);
    }
    slider_->setEnabled(data_->reached > 0);
    show_refusal(text_of(data_->refusal));
}

void LoopPanel::show_refusal(const QString& why) {
    refusal_->setText(why);
    if (why.isEmpty()) return refusal_->hide(); // a style sheet costs milliseconds
    refusal_->setStyleSheet(QStringLiteral("color: %1; background: %2; border-top: 1px solid %3")
                                .arg(theme().error.name(), theme().panel.name(), theme().hairline.name()));
    refusal_->show();
}

void LoopPanel::changeEvent(QEvent* event) {
    QWidget::changeEvent(event);
    if (event->type() == QEvent::StyleChange && refusal_ != nullptr) show_refusal(refusal());
}

QString LoopPanel::refusal() const { return refusal_->isHidden() ? QString() : refusal_->text(); }

void LoopPanel::open_menu(int row, const QString& typed) {
    const std::string& place = data_->rows[static_cast<std::size_t>(row)].place;
    if (place.empty())
        return show_refusal(tr("There is nothing to schedule at a buffer or a condition: choose a loop "
                               "or a block."));
    show_refusal({});
    if (menu_ == nullptr) {
        menu_ = new PrimitiveMenu(window());
        connect(menu_, &PrimitiveMenu::highlighted, this,
                [this](const QString& step) { send(views::PreviewStep{step.toStdString()}); });
        connect(menu_, &PrimitiveMenu::closed, this, [this] { send(views::ShowMenu{}); });
        connect(menu_, &PrimitiveMenu::chosen, this, [this](const QString& step) {
            send(views::EditTrace{
                {.what = session::TraceEdit::What::Insert, .at = data_->shown, .text = step.toStdString()}});
        });
    }
    const QRect rect = tree_->row_rect(row);
    const QPoint corner = tree_->viewport()->mapTo(window(), rect.topLeft());
    send(views::ShowMenu{place});
    menu_->open(place, QRect(corner, rect.size()), typed);
}

void LoopPanel::set_menu(std::shared_ptr<const views::MenuViewData> data) {
    if (menu_ != nullptr) menu_->set_data(std::move(data));
}

void LoopPanel::set_preview(std::shared_ptr<const views::PreviewViewData> data) {
    if (menu_ != nullptr) menu_->set_preview(std::move(data));
}

} // namespace orrery::qt
