#include "views/qt/sides_panel.hpp"

#include "views/qt/theme.hpp"
#include "views/qt/words.hpp"

#include <QApplication>
#include <QHeaderView>
#include <QLabel>
#include <QSplitter>
#include <QToolButton>
#include <QVBoxLayout>

namespace orrery::qt {
namespace {} // namespace

SidesPanel::SidesPanel(QWidget* parent) : QWidget(parent), data_(std::make_shared<views::SidesViewData>()) {
    setAccessibleName(tr("Recipes side by side"));
    auto* column = new QVBoxLayout(this);
    column->setContentsMargins(0, 0, 0, 0);
    rows_ = new QSplitter(Qt::Vertical, this);
    rows_->setHandleWidth(1);
    rows_->setChildrenCollapsible(false);
    column->addWidget(rows_);
    row_ = new QSplitter(Qt::Horizontal, rows_);
    row_->setHandleWidth(1);
    row_->setChildrenCollapsible(false);
    add_column();
    add_ = columns_.front().header->add_button(tr("+ compare"), tr("Put another recipe beside this one"), false);
    connect(add_, &QToolButton::clicked, this,
            [this] { Q_EMIT add_requested(add_->mapToGlobal(QPoint(0, add_->height()))); });
    invitation_ = new QWidget(row_);
    auto* words = new QVBoxLayout(invitation_);
    auto* label = new QLabel(tr("Nothing stands beside this recipe yet. Put another model, another target or a variant "
                                "of it here: “+ compare” above, or drop a file with Shift held."),
                             invitation_);
    label->setObjectName(QStringLiteral("dim"));
    label->setWordWrap(true);
    label->setAlignment(Qt::AlignCenter);
    label->setFixedWidth(380);
    words->addWidget(label, 1, Qt::AlignCenter);
    figures_ = new TablePanel(tr("Figures of all recipes"), this);
    figures_->horizontalHeader()->setSectionResizeMode(QHeaderView::Stretch);
    figures_header_ = new PaneHeader(this);
    figures_header_->set_title(tr("Figures"));
    rows_->addWidget(new Pane(figures_header_, figures_, this));
    rows_->setStretchFactor(0, 1);
    rows_->setSizes({1000, 240});
    setFocusProxy(columns_.front().graph);
}

void SidesPanel::add_column() {
    const auto index = columns_.size();
    Column made;
    made.header = new PaneHeader(this);
    made.graph = new GraphView(this);
    made.graph->set_animated(animated_);
    made.graph->set_sink(sink_);
    if (index > 0) {
        QToolButton* texts = made.header->add_button(
            tr("texts"), tr("Compare its texts with those of the first, in the Passes layout"), false);
        connect(texts, &QToolButton::clicked, this, [this, index] { Q_EMIT texts_requested(static_cast<int>(index)); });
        made.close = made.header->add_button(QStringLiteral("×"), tr("Close this recipe"), false);
        connect(made.close, &QToolButton::clicked, this, [this, index] {
            if (sink_) sink_(views::CloseOther{static_cast<int>(index) - 1});
        });
    } else {
        connect(made.graph, &GraphView::function_requested, this, &SidesPanel::function_requested);
    }
    connect(made.graph, &GraphView::selection_requested, this,
            [this, graph = made.graph](const views::Selection& s) { Q_EMIT selection_requested(s, graph); });
    made.pane = new Pane(made.header, made.graph, this);
    row_->insertWidget(static_cast<int>(index), made.pane);
    columns_.push_back(made);
}

void SidesPanel::set_data(std::shared_ptr<const views::SidesViewData> data,
                          std::shared_ptr<const views::GraphViewData> first) {
    const std::size_t before = data_->sides.size();
    const bool other = data != data_;
    data_ = std::move(data);
    columns_.front().graph->set_data(std::move(first));
    if (!other) return show_notes();
    while (columns_.size() < data_->sides.size()) add_column();
    for (std::size_t i = 1; i < columns_.size(); ++i) {
        const bool shown = i < data_->sides.size();
        columns_[i].pane->setVisible(shown);
        if (!shown) continue;
        columns_[i].graph->set_data(data_->sides[i].graph);
        columns_[i].graph->setAccessibleName(tr("Graph of %1").arg(text_of(data_->sides[i].title)));
    }
    const bool alone = data_->sides.size() < 2;
    invitation_->setVisible(alone);
    rows_->widget(1)->setVisible(!alone);
    figures_->set_table(std::shared_ptr<const views::Table>(data_, &data_->figures));
    if (before != data_->sides.size()) row_->setSizes(QList<int>(row_->count(), 1000));
    show_notes();
}

void SidesPanel::show_notes() {
    for (std::size_t i = 0; i < data_->sides.size() && i < columns_.size(); ++i) {
        const views::Side& side = data_->sides[i];
        columns_[i].header->set_title(text_of(side.title));
        columns_[i].header->set_subject(text_of(side.status.empty() ? side.target : side.status));
    }
    figures_header_->set_note(text_of(data_->summary));
}

void SidesPanel::set_heat(bool on) {
    for (const Column& column : columns_) column.graph->set_heat(on);
}

void SidesPanel::set_selection(const views::Selection& selection, const QObject* source) {
    for (const Column& column : columns_)
        if (column.graph != source) column.graph->set_selection(selection);
}

void SidesPanel::set_sink(views::CommandSink sink) {
    sink_ = std::move(sink);
    for (const Column& column : columns_) column.graph->set_sink(sink_);
}

void SidesPanel::set_animated(bool on) {
    animated_ = on;
    for (const Column& column : columns_) column.graph->set_animated(on);
}

std::vector<GraphView*> SidesPanel::graphs() const {
    std::vector<GraphView*> graphs;
    for (const Column& column : columns_)
        if (!column.pane->isHidden()) graphs.push_back(column.graph);
    return graphs;
}

GraphView* SidesPanel::current() const {
    for (GraphView* graph : graphs())
        if (graph->hasFocus() || graph->isAncestorOf(QApplication::focusWidget())) return graph;
    return columns_.front().graph;
}

} // namespace orrery::qt
