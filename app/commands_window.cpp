// The window, and its picture.

#include "app/cli.hpp"
#include "app/window_entry.hpp"

#include <cstdio>

namespace orrery::app {

namespace {

Result<WindowStart> window_start(const ModelArguments& a) {
    WindowStart start;
    start.compiler = make_compiler(a);
    if (!a.model.empty()) { ORRERY_TRY(start.recipe, make_shown_recipe(a, *start.compiler)); }
    if (std::error_code ignored; std::filesystem::is_regular_file(a.model, ignored)) start.file = a.model;
    return start;
}

Diagnostic no_display() {
    return {Code::NoDisplay,
            "there is no display to open a window on",
            {},
            "see orrery --help for what works without one, or use xvfb-run"};
}

} // namespace

int command_window(const WindowArguments& a) {
    if (!has_display()) return fail(no_display(), a.json);
    Result<WindowStart> start = window_start(a);
    if (!start) return fail(start.error(), a.json);
    start->config_directory = a.config;
    start->no_config = a.no_config;
    return show_window(*start);
}

int command_capture(const CaptureArguments& a) {
    if (!has_display()) return fail(no_display(), a.json);
    CaptureStart capture;
    const bool vta = a.layout == "VTA" || a.layout == "vta";
    if (!vta && a.layout != "Start" && a.model.empty())
        return fail({Code::BadArgument, "there is no model to show", {}, "only the layouts Start and VTA need none"},
                    a.json);
    ModelArguments model = a;
    if (vta) model.model.clear(), capture.program = a.model;
    Result<WindowStart> start = window_start(model);
    if (!start) return fail(start.error(), a.json);
    capture.window = *std::move(start);
    capture.window.no_config = true;
    capture.layout = a.layout;
    capture.theme = a.theme;
    capture.function = a.function;
    capture.size = a.size;
    capture.run = a.layout == "Run";
    capture.output = a.output;
    const Result<void> done = capture_window(capture);
    if (!done) return fail(done.error(), a.json);
    std::printf("%s\n", a.output.c_str());
    return kDone;
}

} // namespace orrery::app
