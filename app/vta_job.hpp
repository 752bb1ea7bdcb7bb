#pragma once
// Simulates off the window's thread; of requests of one kind the newest wins.

#include "views/model/vta_statistics.hpp"
#include "views/model/vta_step.hpp"

#include <QObject>
#include <QString>

#include <array>
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

/// One worker thread. Results arrive as signals in the thread of this object; those of a request that was replaced
/// before it began do not arrive at all.
class VtaJob : public QObject {
    Q_OBJECT
  public:
    enum Side { A, B };
    explicit VtaJob(QObject* parent = nullptr);
    ~VtaJob() override; ///< waits for the task that runs

    /// Builds and simulates; then statistics of the whole, then details.
    void simulate(Side side, const views::VtaRequest& request);
    /// Statistics of cycles [begin, end) of both runs, B possibly null.
    void measure(std::shared_ptr<const views::VtaRun> a, std::shared_ptr<const views::VtaRun> b, std::uint64_t begin,
                 std::uint64_t end);
    void step(std::shared_ptr<const views::VtaRun> run, const VtaMove& move);
    /// True when nothing runs, waits, or is on its way back.
    [[nodiscard]] bool idle() const;

  signals:
    void run_ready(int side, std::shared_ptr<const orrery::views::VtaRun> run);
    void refused(int side, const QString& why);
    void details_ready(int side, std::shared_ptr<const orrery::views::VtaDetails> details);
    void statistics_ready(int side, std::shared_ptr<const orrery::views::VtaStatistics> statistics);
    void step_ready(std::shared_ptr<const orrery::views::VtaStepView> view, quint64 serial);
    void busy_changed(const QString& what); ///< empty: idle

  private:
    enum Tag { SimulateA, SimulateB, DetailsA, DetailsB, Measure, Step, kTags };
    struct Task {
        Tag tag;
        QString what;
        std::function<void()> run;
    };
    void submit(Task task);
    void work(const std::stop_token& stop);
    /// Runs `deliver` in this object's thread.
    void post(std::function<void()> deliver);
    void simulate_now(Side side, const views::VtaRequest& request);
    void details_now(Side side, const std::shared_ptr<const views::VtaRun>& run);
    void step_now(const std::shared_ptr<const views::VtaRun>& run, const VtaMove& move);

    mutable std::mutex mutex_;
    std::condition_variable_any wake_;
    std::deque<Task> tasks_;
    int under_way_ = 0;                          ///< tasks running and results not delivered
    std::unique_ptr<views::VtaStepper> stepper_; ///< used by the worker alone
    std::jthread worker_;
};

} // namespace orrery::app
