#pragma once
// The window's workbench over a real session: commands go in, snapshots become screens off the UI thread.

#include "app/window_workbench.hpp"
#include "core/session/session.hpp"
#include "views/model/screen_builder.hpp"

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <thread>

namespace orrery::app {

class SessionWorkbench : public Workbench {
    Q_OBJECT
  public:
    /// `layout_cache` keeps layouts between starts; empty for none.
    SessionWorkbench(std::shared_ptr<session::Compiler> compiler, const std::filesystem::path& layout_cache);
    ~SessionWorkbench() override;

    void submit(const views::Command& command) override;
    [[nodiscard]] std::shared_ptr<const views::Screen> screen() const override { return screen_; }
    [[nodiscard]] bool idle() const override;
    void open_recipe(session::Recipe recipe);
    [[nodiscard]] const session::SnapshotPtr& snapshot() const { return snapshot_; }
    [[nodiscard]] const views::ViewOptions& options() const { return options_; }

  private:
    /// The latest of what was asked of a worker thread; older requests are dropped.
    struct Request {
        session::SnapshotPtr snapshot;
        views::ViewOptions options;
    };
    class Worker {
      public:
        using Work = std::function<void(const Request&, const Progress&)>;
        explicit Worker(Work work);
        ~Worker();
        /// `interrupt` stops what is under way.
        void ask(Request request, bool interrupt);
        [[nodiscard]] bool idle() const;

      private:
        void loop(const std::stop_token& stop);
        Work work_;
        mutable std::mutex mutex_;
        std::condition_variable_any wake_;
        std::optional<Request> next_;
        std::stop_source current_;
        bool busy_ = false;
        std::jthread thread_;
    };

    void take_snapshot();
    void request();
    void deliver(views::Screen screen);
    void deliver_graph(std::shared_ptr<const views::GraphViewData> graph);
    void reset_options();
    void select_stage(int id);
    void show_function(const std::string& name);
    void enable_pass(int stage, bool on);
    void export_code(const std::string& path);
    void view_command(const views::Command& command);

    std::shared_ptr<session::Compiler> compiler_;
    std::unique_ptr<session::Session> session_;
    views::ScreenBuilder builder_;
    session::SnapshotPtr snapshot_;
    views::ViewOptions options_;
    std::shared_ptr<const views::Screen> screen_;
    views::ScreenBuilder::Key graph_key_;
    std::string wanted_code_;
    std::shared_ptr<const session::RunResult> seen_run_;
    std::shared_ptr<const session::CompiledModel> warm_; ///< what has been run before
    std::string exporting_;                              ///< file being written; empty when none is
    std::atomic<bool> snapshot_pending_{false};
    std::unique_ptr<Worker> screens_, graphs_;
    std::jthread export_;
};

} // namespace orrery::app
