#include "app/window_entry.hpp"

#include "app/cli.hpp"
#include "app/main_window.hpp"
#include "app/named_function.hpp"
#include "app/vta_page.hpp"
#include "app/window_session.hpp"
#include "core/base/file.hpp"
#include "views/qt/graph_picture.hpp"
#include "views/qt/theme.hpp"

#include <QApplication>
#include <QBuffer>
#include <QElapsedTimer>
#include <QEventLoop>
#include <QTimer>

#include <cstdio>
#include <cstdlib>
#include <optional>

namespace orrery::app {
namespace {

constexpr int kCaptureSeconds = 300; ///< longest wait for a model to be compiled

/// Qt ends the process when it finds no way to its display: said here as any other error of the environment is.
/// Pre: one at a time. Thread: main.
class DisplayWatch {
  public:
    DisplayWatch() {
        why_.clear();
        before_ = qInstallMessageHandler(&DisplayWatch::take);
    }
    ~DisplayWatch() { qInstallMessageHandler(before_); }

  private:
    static void take(QtMsgType type, const QMessageLogContext& context, const QString& text) {
        if (type == QtFatalMsg) {
            std::fprintf(stderr,
                         "orrery: there is no display to open a window on: %s. see orrery --help for what works "
                         "without one, or use xvfb-run\n",
                         qPrintable(why_.isEmpty() ? text.section(u'\n', 0, 0) : why_));
            std::fflush(stderr);
            std::_Exit(kUserError);
        }
        const bool of_platform = qstrncmp(context.category, "qt.qpa", 6) == 0;
        if (of_platform && why_.isEmpty()) why_ = text.simplified();
        if (!of_platform && before_) before_(type, context, text);
    }
    inline static QString why_; ///< what the platform said first
    inline static QtMessageHandler before_ = nullptr;
};

struct Program {
    int argc = 1;
    char name[7] = "orrery";
    char* argv[2] = {name, nullptr};
    std::optional<DisplayWatch> watch{std::in_place};
    QApplication application{argc, argv};
    Program() {
        watch.reset();
        QApplication::setApplicationName(QStringLiteral("orrery"));
        QApplication::setDesktopFileName(QStringLiteral("orrery"));
    }
};

SettingsOptions settings_of(const WindowStart& start) {
    return {QString::fromStdString(start.config_directory), start.no_config};
}

std::filesystem::path layout_cache(const WindowStart& start) {
    return start.no_config ? std::filesystem::path() : cache_directory() / "layouts";
}

/// Runs the event loop until the workbench rests and the window shows it.
bool wait_until_shown(const SessionWorkbench& workbench, MainWindow& window) {
    QElapsedTimer clock;
    clock.start();
    int calm = 0;
    while (clock.elapsed() < kCaptureSeconds * 1000) {
        QEventLoop loop;
        QTimer::singleShot(20, &loop, &QEventLoop::quit);
        loop.exec();
        // Twice in a row: work may follow from the screen just shown (the code of the function it chose).
        const bool idle = workbench.idle() && (!window.shows_vta() || window.vta()->idle());
        calm = idle && window.at_rest() ? calm + 1 : 0;
        if (calm >= 3) return true;
    }
    return false;
}

} // namespace

bool has_display() {
    const auto set = [](const char* name) { return !qEnvironmentVariableIsEmpty(name); };
    return set("DISPLAY") || set("WAYLAND_DISPLAY") || set("QT_QPA_PLATFORM");
}

int show_window(const WindowStart& start) {
    Program program;
    SessionWorkbench workbench(start.compiler, layout_cache(start));
    MainWindow window(workbench, settings_of(start));
    if (start.recipe && !start.recipe->scratch.empty()) window.workspace()->arrange(Arrangement::Scratch);
    if (start.recipe) workbench.open_recipe(*start.recipe);
    if (!start.file.empty()) window.remember(QString::fromStdString(start.file.string()));
    window.show();
    return QApplication::exec();
}

Result<std::string> graph_png(const views::GraphViewData& data, bool heat, double scale, bool dark) {
    if (!has_display()) qputenv("QT_QPA_PLATFORM", "offscreen");
    Program program;
    qt::apply_theme(program.application, {dark, false});
    QByteArray bytes;
    QBuffer buffer(&bytes);
    buffer.open(QIODevice::WriteOnly);
    if (!qt::graph_picture(data, heat, scale).save(&buffer, "PNG"))
        return Diagnostic{Code::OutOfMemory, "the picture could not be made", {}, "use a smaller --scale"};
    return bytes.toStdString();
}

Result<void> capture_window(const CaptureStart& start) {
    if (!has_display())
        return Diagnostic{Code::NoDisplay,
                          "there is no display to draw the window on",
                          {},
                          "run it under xvfb-run -a, or set DISPLAY"};
    QSize size(1680, 1050);
    if (!start.size.empty()) {
        const QStringList parts = QString::fromStdString(start.size).split(u'x');
        if (parts.size() != 2 || parts[0].toInt() < 400 || parts[1].toInt() < 300 || parts[0].toInt() > 16384 ||
            parts[1].toInt() > 16384)
            return Diagnostic{Code::BadArgument, "a size is WIDTHxHEIGHT, from 400x300 to 16384x16384", {}, {}};
        size = {parts[0].toInt(), parts[1].toInt()};
    }
    Program program;
    SessionWorkbench workbench(start.window.compiler, layout_cache(start.window));
    MainWindow window(workbench, {{}, true});
    window.actions()[ActionId::DarkTheme]->setChecked(start.theme != "light");
    window.workspace()->graph()->set_animated(false);
    const QString layout = QString::fromStdString(start.layout);
    const bool first_page = layout.compare(QStringLiteral("Start"), Qt::CaseInsensitive) == 0;
    window.resize(size);
    window.show();
    const bool vta = layout.compare(QStringLiteral("VTA"), Qt::CaseInsensitive) == 0;
    if (vta) window.show_vta(true);
    if (!start.program.empty() && !window.vta()->open(QString::fromStdString(start.program)))
        return Diagnostic{Code::BadArgument, window.vta()->hint().toStdString(), {}, {}};
    if (!first_page && !vta) window.workspace()->arrange(arrangement_named(layout));
    if (start.window.recipe && !first_page) workbench.open_recipe(*start.window.recipe);
    if (!wait_until_shown(workbench, window))
        return Diagnostic{Code::ProcessFailed, "the model was not compiled in time", {}, {}};
    if (!first_page && !vta && !workbench.snapshot()->has_model() && !workbench.snapshot()->problems.empty())
        return workbench.snapshot()->problems.front();
    if (!start.function.empty()) {
        ORRERY_CHECK_OK(named_function(workbench.snapshot()->functions, start.function));
        workbench.submit(views::SelectFunction{start.function});
    }
    if (arrangement_named(layout) == Arrangement::Profile) workbench.submit(views::ProfileModel{});
    if (start.run || arrangement_named(layout) == Arrangement::Run) {
        workbench.submit(views::RunModel{});
        window.workspace()->show_bottom_tab(Workspace::RunTab);
    }
    if (!wait_until_shown(workbench, window))
        return Diagnostic{Code::ProcessFailed, "the model did not run in time", {}, {}};
    if (!window.grab().save(QString::fromStdString(start.output.string()), "PNG"))
        return Diagnostic{Code::FileUnwritable, "cannot write the picture", {FileOffset{start.output.string()}}, {}};
    return {};
}

} // namespace orrery::app
