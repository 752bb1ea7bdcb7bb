#pragma once
// Simulates off the window's thread; of requests of one kind the newest wins, and what runs for an older one ends.

#include "views/model/vta_statistics.hpp"
#include "views/model/vta_step.hpp"

#include <QObject>
#include <QString>

#include <array>
#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

namespace orrery::app {

/// Where a stepping view is asked to go.
struct VtaMove {
    enum class Kind : std::uint8_t { Seek, Break } kind = Kind::Seek;
    std::uint64_t position = 0; ///< where to go; of Break, where to start from
    int direction = 1;          ///< Break
    std::vector<views::VtaBreakpoint> breakpoints;
    views::VtaTile tile;
    std::uint64_t serial = 0; ///< comes back with the view: an answer to an older move is known as one
};

/// Three workers, so that looking at a run waits neither for the next run nor for the details of this one: one
/// simulates, one follows memories and tokens, one adds up and steps. Results arrive as signals in the thread of this
/// object; those of a request that was replaced or cancelled before its end do not arrive at all.
class VtaJob : public QObject {
    Q_OBJECT
  public:
    enum Side { A, B };
    explicit VtaJob(QObject* parent = nullptr);
    ~VtaJob() override; ///< ends what runs

    /// Builds and simulates; then statistics of the whole, then details.
    void simulate(Side side, const views::VtaRequest& request);
    /// Statistics of cycles [begin, end) of both runs, B possibly null.
    void measure(std::shared_ptr<const views::VtaRun> a, std::shared_ptr<const views::VtaRun> b, std::uint64_t begin,
                 std::uint64_t end);
    void step(std::shared_ptr<const views::VtaRun> run, const VtaMove& move);
    /// Ends everything that runs or waits. What was delivered stays.
    void cancel();
    /// True when nothing runs, waits, or is on its way back.
    [[nodiscard]] bool idle() const;
    /// What runs and how far it is, "simulating C2: 42 %"; empty when nothing does.
    [[nodiscard]] QString doing() const;

  signals:
    void run_ready(int side, std::shared_ptr<const orrery::views::VtaRun> run);
    void refused(int side, const QString& why);
    void details_ready(int side, std::shared_ptr<const orrery::views::VtaDetails> details);
    void statistics_ready(int side, std::shared_ptr<const orrery::views::VtaRun> run,
                          std::shared_ptr<const orrery::views::VtaStatistics> statistics);
    void step_ready(std::shared_ptr<const orrery::views::VtaStepView> view, quint64 serial);
    void busy_changed(bool busy);

  private:
    enum Tag { SimulateA, SimulateB, DetailsA, DetailsB, Measure, Step };
    struct Task {
        Tag tag = Step;
        QString what;
        std::function<void(const vta::Watch&)> run;
    };
    /// A thread and what it has to do, the first task first.
    struct Worker {
        std::deque<Task> tasks;
        bool runs = false;
        Tag running = Step;        ///< when it runs
        QString what;              ///< the same
        std::stop_source stop;     ///< of the task that runs
        std::atomic<int> done = 0; ///< of it; per mille
        std::jthread thread;       ///< last: it uses the others
    };
    [[nodiscard]] static std::size_t worker_of(Tag tag);
    /// Whether a request makes one that waits or runs worthless.
    [[nodiscard]] static bool replaces(Tag newer, Tag older);
    void submit(Task task);
    void end_if(const std::function<bool(Tag)>& ends); ///< Pre: mutex_ is held
    void work(Worker& worker, const std::stop_token& stop);
    void run_task(Worker& worker, const Task& task, const std::stop_token& stop);
    /// Runs `deliver` in this object's thread.
    void post(std::function<void()> deliver);
    void simulate_now(Side side, const views::VtaRequest& request, const vta::Watch& watch);
    void details_now(Side side, const std::shared_ptr<const views::VtaRun>& run, const vta::Watch& watch);
    void step_now(const std::shared_ptr<const views::VtaRun>& run, const VtaMove& move, const vta::Watch& watch);

    mutable std::mutex mutex_;
    std::condition_variable_any wake_;
    int under_way_ = 0;                          ///< tasks running and results not delivered
    bool busy_ = false;                          ///< as told by busy_changed; this object's thread
    std::unique_ptr<views::VtaStepper> stepper_; ///< used by the worker that steps alone
    std::array<Worker, 3> workers_;
};

} // namespace orrery::app
