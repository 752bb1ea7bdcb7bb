#pragma once
// The window's workbench over a real session: commands go in, snapshots become screens off the UI thread.

#include "app/window_workbench.hpp"
#include "core/session/session.hpp"
#include "views/model/screen_builder.hpp"

#include <atomic>
#include <condition_variable>
#include <map>
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
    [[nodiscard]] bool more_soon() const override;
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
    void check_schedule();
    void request();
    void want_measurements();
    template <class Change> void change_screen(const Change& change);
    void note_options();
    void build_at_once(const session::SnapshotPtr& snapshot);
    void deliver(views::Screen screen, std::uint64_t revision);
    void deliver_programs(const views::ScreenBuilder::Programs& programs, std::uint64_t revision);
    void deliver_graph(const std::shared_ptr<const views::GraphViewData>& graph);
    struct Details {
        std::shared_ptr<const views::DiffViewData> diff;
        std::shared_ptr<const views::HistoryViewData> history;
        std::shared_ptr<const views::SidesViewData> sides;
        std::shared_ptr<const views::DiffViewData> pair;
        friend bool operator==(const Details&, const Details&) = default;
    };
    void deliver_details(const Details& details);
    void request_access();
    void deliver_access(const std::shared_ptr<const views::AccessViewData>& access);
    void deliver_choices(const views::ScreenBuilder::Choices& choices);
    void edit_trace(const session::TraceEdit& edit);
    void reset_options();
    void open_sample(const std::string& name);
    void cancel_jobs(const std::string& label);
    [[nodiscard]] bool show_tuning(const views::Tune& command);
    void tune(const views::Tune& command);
    void apply_tuning();
    void open_pair();
    void take_pair();
    [[nodiscard]] bool pair_at_rest() const;
    void select_stage(int id);
    void show_function(const std::string& name);
    void enable_pass(int stage, bool on);
    /// Changes the list of passes and shows the step at `shown` (an index into it) when that is not negative.
    void edit_passes(const std::string& label, int shown,
                     const std::function<void(std::vector<transform::PassStep>&)>& change);
    [[nodiscard]] std::string pass_name(int pass) const;
    void move_pass(const views::MovePass& command);
    void set_option(const views::SetPassOption& command);
    void bind_shape(const std::string& input, std::string text);
    void apply_text(const views::ApplyText& command);
    void export_view(const std::string& path);
    void export_code(const std::string& path);
    void compare_with(const views::CompareWith& command);
    void compare_recipe(session::Recipe recipe, const std::string& title);
    void stop_comparing();
    void choose_other(int index);
    void close_other(int index);
    void take_others();
    void run_all();
    void run_next();
    [[nodiscard]] bool working() const;
    void want_compared_code();
    void export_diff(const std::string& path);
    void write_in_background(const std::string& path, std::function<Result<std::string>()> make);
    void view_command(const views::Command& command);

    std::shared_ptr<session::Compiler> compiler_;
    std::unique_ptr<session::Session> session_;
    views::ScreenBuilder builder_;
    session::SnapshotPtr snapshot_;
    views::ViewOptions options_;
    std::shared_ptr<const views::Screen> screen_;
    /// What programs are to be made with, for the threads that schedule.
    struct Asked {
        views::ScreenBuilder::Key key;
        views::ViewOptions options;
    };
    [[nodiscard]] std::shared_ptr<const Asked> asked() const {
        const std::lock_guard lock(asked_mutex_);
        return asked_;
    }
    mutable std::mutex asked_mutex_;
    std::shared_ptr<const Asked> asked_; ///< guarded by asked_mutex_
    const std::thread::id window_thread_ = std::this_thread::get_id();
    std::mutex building_;                 ///< held while screens or programs are built
    std::uint64_t programs_revision_ = 0; ///< of the snapshot whose programs are on the screen
    views::ScreenBuilder::Key graph_key_, diff_key_, history_key_, sides_key_, choices_key_, access_key_, pair_key_;
    /// A recipe beside the open one.
    struct Other {
        std::unique_ptr<session::Session> session;
        session::SnapshotPtr seen; ///< what was last taken of it
        std::string title;         ///< shown for a variant of the open recipe; empty: its own
    };
    std::vector<Other> others_;
    int chosen_ = -1;                          ///< of them, whose texts are compared
    std::vector<session::Session*> run_queue_; ///< to be run one after another, the next one last
    std::string wanted_code_;
    std::string wanted_measurements_; ///< workload and threads
    session::FunctionPtr checked_;    ///< whose steps were asked to be checked last
    std::shared_ptr<const session::RunResult> seen_run_;
    std::shared_ptr<const session::CompiledModel> warm_; ///< what has been run before
    std::string exporting_;                              ///< file being written; empty when none is
    std::atomic<bool> snapshot_pending_{false};
    std::map<session::FunctionPtr, int> code_tries_; ///< how often code was asked for to be compared
    std::atomic<bool> other_pending_{false};
    /// A trial of a tuning, opened to be seen beside another.
    struct TrialSide {
        std::unique_ptr<session::Session> session;
        std::string workload, trace;
        int number = 0;
        session::SnapshotPtr seen;
        session::FunctionPtr code_of; ///< whose code was asked for last
    };
    std::array<TrialSide, 2> pair_; ///< left, right
    int pair_level_ = -1;           ///< see views::TrialPair
    std::atomic<bool> pair_pending_{false};
    std::shared_ptr<const views::TuneViewData> last_tune_;
    std::unique_ptr<Worker> screens_, graphs_, details_, choices_, access_;
    std::jthread export_;
};

} // namespace orrery::app
