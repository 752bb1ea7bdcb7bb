#include "tests/gui/live_window.hpp"

#ifdef ORRERY_HAS_DNNL
#include "backends/dnnl/dnnl_backend.hpp"
#endif
#include "backends/llvm/llvm_backend.hpp"
#include "core/target/region.hpp"

#include <catch2/catch.hpp>

namespace orrery::gui_test {

using app::ActionId;

std::shared_ptr<session::Compiler> shared_compiler() {
#ifdef ORRERY_HAS_DNNL
    if (!find_region_backend("dnnl")) add_region_backend(make_dnnl_backend());
#endif
    static const auto shared = std::make_shared<session::Compiler>(make_llvm_backend(), session::Compiler::Options{});
    return shared;
}

LiveWindow::LiveWindow(int width, int height) : workbench(shared_compiler(), {}), window(workbench, {{}, true}) {
    window.workspace()->graph()->set_animated(false);
    show(window, width, height);
}

void LiveWindow::settle() {
    // Several times in a row: work may follow from the screen just shown.
    int calm = 0;
    REQUIRE(QTest::qWaitFor(
        [&] {
            calm = workbench.idle() && window.at_rest() ? calm + 1 : 0;
            return calm > 5;
        },
        120'000));
}

void LiveWindow::open(const char* sample) { submit(views::OpenSample{sample}); }

void LiveWindow::open_file(const QString& path) {
    window.open_path(path);
    settle();
}

void LiveWindow::trigger(ActionId id) {
    window.actions()[id]->trigger();
    settle();
}

void LiveWindow::submit(const views::Command& command) {
    workbench.submit(command);
    settle();
}

int LiveWindow::stage(const std::string& name) const {
    const auto& steps = workbench.snapshot()->steps;
    for (std::size_t i = 0; i < steps.size(); ++i)
        if (steps[i]->name == name && (steps[i]->changed || i == 0)) return static_cast<int>(i);
    return -1;
}

int LiveWindow::node(const std::string& part) const {
    const auto& nodes = screen().graph->nodes;
    for (std::size_t i = 0; i < nodes.size(); ++i)
        if (nodes[i].title.find(part) != std::string::npos) return static_cast<int>(i);
    return -1;
}

void LiveWindow::both_themes(const QString& name) {
    for (const bool dark : {true, false}) {
        window.actions()[ActionId::DarkTheme]->setChecked(dark);
        picture(window, name + (dark ? QStringLiteral("_dark") : QStringLiteral("_light")));
    }
    window.actions()[ActionId::DarkTheme]->setChecked(true);
}

} // namespace orrery::gui_test
