#pragma once
// How the command line opens the window, or takes its picture.

#include "core/session/compiler.hpp"
#include "core/session/recipe.hpp"
#include "views/model/graph_view.hpp"

#include <filesystem>
#include <memory>
#include <optional>
#include <string>

namespace orrery::app {

struct WindowStart {
    std::shared_ptr<session::Compiler> compiler;
    std::optional<session::Recipe> recipe; ///< what to open; none: the start page
    std::filesystem::path file;            ///< the file that `recipe` comes from; empty for none
    std::string config_directory;          ///< --config
    bool no_config = false;                ///< --no-config
};

/// True when a window can be shown: a platform is named, or a display is there.
[[nodiscard]] bool has_display();
/// Runs the window until it is closed; the exit status. Pre: has_display(). Thread: main.
int show_window(const WindowStart& start);

struct CaptureStart {
    WindowStart window;
    std::string layout = "Schedule"; ///< Explore, Passes, Schedule, Run, VTA; "Start" for the start page
    std::string program;             ///< of the layout VTA: an example or a file; empty: the first example
    std::string theme;               ///< "dark" (default) or "light"
    std::string function;            ///< tensor program shown; empty: the costliest
    std::string size;                ///< "1600x1000"; empty: 1680x1050
    bool run = false;                ///< run the model first, as the Run layout does
    std::filesystem::path output;    ///< a .png
};
/// A graph as the bytes of a PNG file; needs no display. Pre: no window runs. Thread: main.
[[nodiscard]] Result<std::string> graph_png(const views::GraphViewData& data, bool heat, double scale, bool dark);
/// Errors: NoDisplay, BadArgument, FileUnwritable, and those of the model. Pre: no other window runs. Thread: main.
[[nodiscard]] Result<void> capture_window(const CaptureStart& start);

} // namespace orrery::app
