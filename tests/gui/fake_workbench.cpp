#include "tests/gui/fake_workbench.hpp"

namespace orrery::gui_test {

FakeWorkbench::FakeWorkbench() {
    options_.groups = views::GroupState::Closed;
    auto screen = std::make_shared<views::Screen>();
    auto start = std::make_shared<views::StartViewData>();
    start->samples = {{"resnet18", "ResNet-18",
                       "Eight residual blocks; convolution, add and relu fuse into one kernel each.", "1×3×224×224",
                       "vision"},
                      {"transformer", "Transformer", "Attention and feed-forward blocks; matrix products and softmax.",
                       "sequence", "sequence"}};
    screen->start = start;
    screen_ = screen;
}

void FakeWorkbench::publish(views::Screen screen) {
    screen_ = std::make_shared<const views::Screen>(std::move(screen));
    Q_EMIT changed();
}

void FakeWorkbench::rebuild_graph(views::Screen& screen) {
    auto built = views::build_graph_view(graph_, options_, engine_, {});
    screen.graph = std::make_shared<const views::GraphViewData>(*std::move(built));
}

void FakeWorkbench::open(const std::string& title) {
    views::Screen next = *screen_;
    graph_ = residual_network(false);
    rebuild_graph(next);
    next.has_model = true;
    next.model_title = title;
    next.target_title = "llvm · native · 2 threads";
    next.threads = 2, next.max_threads = 8;
    next.stages = std::make_shared<views::StagesViewData>(stages(8));
    const auto tensor = tensor_program("conv2d_add_relu_3");
    next.tensor = tensor;
    next.assembly = assembly(*tensor);
    next.llvm = llvm(*tensor);
    next.memory = std::make_shared<views::MemoryViewData>(memory_plan(graph_));
    next.status.rebuilt = "rebuilt 1 of 21 functions in 38 ms";
    next.functions = {"conv2d_add_relu_3", "conv2d_4", "dense_37"};
    publish(std::move(next));
}

void FakeWorkbench::submit(const views::Command& command) {
    received.push_back(command);
    views::Screen next = *screen_;
    if (const auto* sample = std::get_if<views::OpenSample>(&command)) return open(sample->name + ".onnx");
    if (std::holds_alternative<views::CloseModel>(command)) {
        const auto start = next.start;
        next = {};
        next.start = start;
        return publish(std::move(next));
    }
    if (const auto* file = std::get_if<views::OpenFile>(&command)) {
        Diagnostic problem{Code::MalformedModel,
                           "the file is not an ONNX model",
                           {FileOffset{file->path, 0}},
                           "check that the download is complete"};
        next.problems = std::make_shared<views::ProblemsViewData>(views::build_problems({problem}));
        return publish(std::move(next));
    }
    if (const auto* toggle = std::get_if<views::ToggleGroup>(&command)) {
        if (options_.toggled.erase(toggle->name) == 0) options_.toggled.insert(toggle->name);
        rebuild_graph(next);
        return publish(std::move(next));
    }
    if (const auto* all = std::get_if<views::OpenAllGroups>(&command)) {
        options_.groups = all->open ? views::GroupState::Open : views::GroupState::Closed;
        rebuild_graph(next);
        return publish(std::move(next));
    }
    if (std::holds_alternative<views::RunModel>(command)) {
        graph_ = residual_network(true);
        next.graph = std::make_shared<views::GraphViewData>(views::with_times(*next.graph, graph_));
        next.run = std::make_shared<views::RunViewData>(run_result(graph_));
        next.heat = true;
        next.undo_title = "run";
        next.status.speed = "resnet18 13.4 ms on 2 threads";
        next.status.check = "all 21 kernels agree within 1.2e-6";
        next.status.check_tone = views::Tone::Good;
        return publish(std::move(next));
    }
    if (const auto* heat = std::get_if<views::ShowHeat>(&command)) {
        next.heat = heat->on;
        return publish(std::move(next));
    }
    if (const auto* stage = std::get_if<views::SelectStage>(&command)) {
        next.stages = std::make_shared<views::StagesViewData>(stages(stage->id));
        return publish(std::move(next));
    }
    if (const auto* select = std::get_if<views::Select>(&command)) {
        next.selection = select->selection;
        for (const views::GraphItem& item : graph_.items)
            if (item.origins.intersects(select->selection.origins))
                next.inspector = std::make_shared<views::InspectorViewData>(inspector(item));
        return publish(std::move(next));
    }
}

} // namespace orrery::gui_test
