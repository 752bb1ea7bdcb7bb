#pragma once
// The main window: toolbar, stages, panes, status line, and what ties them together.

#include "app/actions.hpp"
#include "app/window_settings.hpp"
#include "app/window_toolbar.hpp"
#include "app/window_workbench.hpp"
#include "app/window_workspace.hpp"
#include "views/qt/command_palette.hpp"
#include "views/qt/key_list.hpp"
#include "views/qt/pass_card.hpp"
#include "views/qt/stage_strip.hpp"
#include "views/qt/start_page.hpp"
#include "views/qt/status_line.hpp"
#include "views/qt/theme.hpp"

#include <QElapsedTimer>
#include <QMainWindow>
#include <QTimer>

#include <memory>
#include <vector>

class QMenu;
class QStackedWidget;

namespace orrery::app {

class VtaPage;

class MainWindow : public QMainWindow {
    Q_OBJECT
  public:
    /// `workbench` outlives the window.
    MainWindow(Workbench& workbench, const SettingsOptions& settings);
    ~MainWindow() override;

    void open_path(const QString& path);
    /// Puts a file that was opened first among the recent ones.
    void remember(const QString& path);
    [[nodiscard]] Workspace* workspace() const { return workspace_; }
    [[nodiscard]] qt::StageStrip* strip() const { return strip_; }
    [[nodiscard]] qt::PassCard* pass_card() const { return card_; }
    [[nodiscard]] qt::StartPage* start_page() const { return start_; }
    [[nodiscard]] qt::StatusLine* status() const { return status_; }
    [[nodiscard]] qt::CommandPalette* palette_popup() const { return palette_; }
    [[nodiscard]] qt::KeyList* key_list() const { return keys_; }
    /// The accelerator's page, which needs no model; made when it is first asked for.
    [[nodiscard]] VtaPage* vta();
    /// Shows the accelerator's page, or the model's again.
    void show_vta(bool on);
    [[nodiscard]] bool shows_vta() const { return vta_shown_; }
    [[nodiscard]] Toolbar* toolbar() const { return toolbar_; }
    [[nodiscard]] const Actions& actions() const { return *actions_; }
    [[nodiscard]] const views::Selection& selection() const { return selection_; }
    /// True when loops, trace and programs are those of the workbench's last screen.
    [[nodiscard]] bool up_to_date() const { return !pending_.isActive(); }
    /// The same for all that is shown.
    [[nodiscard]] bool at_rest() const { return up_to_date() && !rest_pending_.isActive(); }

  signals:
    /// After an edit its tensor program is on the screen, before anything else of it.
    void tensor_painted();

  protected:
    bool event(QEvent* event) override;
    void closeEvent(QCloseEvent* event) override;
    void dragEnterEvent(QDragEnterEvent* event) override;
    void dragLeaveEvent(QDragLeaveEvent* event) override;
    void dropEvent(QDropEvent* event) override;
    void keyPressEvent(QKeyEvent* event) override;

  private:
    void build();
    void connect_file_actions();
    void connect_go_actions();
    void connect_pass_actions();
    void connect_overlay_actions();
    void connect_schedule_actions();
    void show_step(int by);
    void update_schedule_actions(const views::Screen& screen);
    void open_insert(int at);
    void open_card(const qt::StageButton* button);
    void open_editor();
    void copy_command();
    void export_graph();
    void update_pass_actions(const views::Screen& screen);
    void connect_view_actions();
    void connect_compare_actions();
    void connect_scratch_actions();
    void fit_arrangement(const views::Screen& screen);
    void fill_gallery_menu(QMenu& menu);
    void compare_path(const QString& path);
    void show_comparison();
    void fill_compare_menu(QMenu& menu);
    void want_frame(bool at_once);
    void show_screen();
    void paint_now();
    void wait_for_display();
    void show_rest();
    void tell_problems(const views::Screen& screen);
    void update_actions(const views::Screen& screen);
    void update_start();
    void update_model_menu();
    void submit(const views::Command& command) { workbench_.submit(command); }
    void select(const views::Selection& selection, QObject* source, bool remember = true);
    void travel(int direction);
    void open_dialog();
    void save_dialog(bool recipe);
    void export_diff_dialog();
    void show_history();
    void open_palette();
    void open_go_to(bool functions_only);
    [[nodiscard]] std::vector<qt::PaletteEntry> found_values(const QString& query);
    void set_theme(const qt::ThemeChoice& choice);

    Workbench& workbench_;
    Settings settings_;
    std::unique_ptr<Actions> actions_;
    Toolbar* toolbar_ = nullptr;
    qt::StageStrip* strip_ = nullptr;
    QStackedWidget* stack_ = nullptr;
    qt::StartPage* start_ = nullptr;
    Workspace* workspace_ = nullptr;
    VtaPage* vta_ = nullptr;
    bool vta_shown_ = false;
    qt::StatusLine* status_ = nullptr;
    qt::CommandPalette* palette_ = nullptr;
    qt::KeyList* keys_ = nullptr;
    qt::PassCard* card_ = nullptr;
    std::shared_ptr<const views::Screen> screen_;
    std::shared_ptr<const views::Screen> whole_; ///< the last one that is shown with all its panes
    views::Selection selection_;
    std::vector<views::Selection> trail_; ///< selections visited, for back and forward
    std::size_t trail_at_ = 0;
    QTimer pending_;           ///< one update a frame, however many screens arrive
    QTimer rest_pending_;      ///< other panes follow the programs, which are what is looked at after an edit
    QTimer calm_;              ///< runs after a frame
    QElapsedTimer last_drawn_; ///< since the end of the last update
    qint64 drawing_ms_ = 0;    ///< what it took
    bool drawing_programs_ = false;
    int errors_seen_ = 0;
    bool opening_ = false; ///< what was asked for here is arranged as it is when it comes
};

} // namespace orrery::app
