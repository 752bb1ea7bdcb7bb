#include "app/window_memory_panel.hpp"

#include <QEvent>
#include <QHBoxLayout>
#include <QSplitter>

#include <utility>

namespace orrery::app {

MemoryPanel::MemoryPanel(QWidget* parent) : QWidget(parent), data_(std::make_shared<views::MemoryViewData>()) {
    auto* row = new QHBoxLayout(this);
    row->setContentsMargins(0, 0, 0, 0);
    auto* split = new QSplitter(Qt::Horizontal, this);
    split->setHandleWidth(1);
    canvas_ = new ImGuiHost(tr("Memory plan: buffers over time"), split);
    table_ = new qt::TablePanel(tr("Memory plan as a table"), split);
    split->addWidget(canvas_);
    split->addWidget(table_);
    split->setStretchFactor(0, 1);
    split->setStretchFactor(1, 1);
    split->setSizes({500, 460});
    row->addWidget(split);
    canvas_->set_draw([this](const imgui::Input& input) {
        imgui::draw(*data_, state_, input, [this](const views::Command& command) {
            const auto* select = std::get_if<views::Select>(&command);
            if (select == nullptr) return;
            table_->select_row(state_.selected);
            // The canvas is inside its frame: the window answers after it.
            QMetaObject::invokeMethod(
                this, [this, selection = select->selection] { Q_EMIT selection_requested(selection); },
                Qt::QueuedConnection);
        });
    });
    connect(table_, &qt::TablePanel::row_activated, this, &MemoryPanel::select_box);
    set_style();
}

void MemoryPanel::set_style() {
    state_.style = canvas_style();
    canvas_->request_frame();
}

void MemoryPanel::set_data(std::shared_ptr<const views::MemoryViewData> data) {
    if (!data || data == data_) return;
    data_ = std::move(data);
    state_.selected = state_.hovered = -1;
    state_.first_step = state_.steps_shown = 0;
    table_->set_table(std::make_shared<views::Table>(views::memory_table(*data_)));
    table_->setVisible(!data_->boxes.empty()); // one sentence is enough when there is nothing
    canvas_->request_frame();
}

void MemoryPanel::select_box(int box) {
    if (box < 0 || box >= static_cast<int>(data_->boxes.size()) || box == state_.selected) return;
    state_.selected = box;
    canvas_->request_frame();
    const OriginSet& origins = data_->boxes[static_cast<std::size_t>(box)].origins;
    if (!origins.empty()) Q_EMIT selection_requested({origins, {}, {}});
}

void MemoryPanel::set_selection(const views::Selection& selection) {
    const auto meant = [&](int i) {
        return data_->boxes[static_cast<std::size_t>(i)].origins.intersects(selection.origins);
    };
    if (state_.selected >= 0 && state_.selected < static_cast<int>(data_->boxes.size()) && meant(state_.selected))
        return;
    const int before = std::exchange(state_.selected, -1);
    for (int i = 0; i < static_cast<int>(data_->boxes.size()) && state_.selected < 0; ++i)
        if (meant(i)) state_.selected = i;
    if (state_.selected == before) return;
    table_->select_row(state_.selected);
    canvas_->request_frame();
}

void MemoryPanel::changeEvent(QEvent* event) {
    QWidget::changeEvent(event);
    if (event->type() == QEvent::StyleChange) set_style();
}

} // namespace orrery::app
