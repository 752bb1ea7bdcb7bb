#include "app/vta_job.hpp"

#include "core/base/check.hpp"

#include <algorithm>

namespace orrery::app {
namespace {

QString text_of(const std::string& s) { return QString::fromUtf8(s.data(), static_cast<qsizetype>(s.size())); }

} // namespace

VtaJob::VtaJob(QObject* parent) : QObject(parent) {
    worker_ = std::jthread([this](const std::stop_token& stop) { work(stop); });
}

VtaJob::~VtaJob() {
    worker_.request_stop();
    worker_.join();
}

bool VtaJob::idle() const {
    const std::lock_guard lock(mutex_);
    return tasks_.empty() && under_way_ == 0;
}

void VtaJob::submit(Task task) {
    {
        const std::lock_guard lock(mutex_);
        // What follows from a run that is about to be replaced is not worth computing.
        const Tag follows = task.tag == SimulateA ? DetailsA : task.tag == SimulateB ? DetailsB : task.tag;
        std::erase_if(tasks_, [&](const Task& w) { return w.tag == task.tag || w.tag == follows; });
        tasks_.push_back(std::move(task));
    }
    wake_.notify_one();
}

void VtaJob::post(std::function<void()> deliver) {
    {
        const std::lock_guard lock(mutex_);
        ++under_way_;
    }
    QMetaObject::invokeMethod(
        this,
        [this, deliver = std::move(deliver)] {
            deliver();
            const std::lock_guard lock(mutex_);
            --under_way_;
        },
        Qt::QueuedConnection);
}

void VtaJob::work(const std::stop_token& stop) {
    while (true) {
        Task task;
        {
            std::unique_lock lock(mutex_);
            if (!wake_.wait(lock, stop, [&] { return !tasks_.empty(); }) || stop.stop_requested()) return;
            task = std::move(tasks_.front());
            tasks_.pop_front();
            ++under_way_;
        }
        post([this, what = task.what] { Q_EMIT busy_changed(what); });
        try {
            task.run();
        } catch (const std::exception& bug) { // the job runner is one of the two places that catch
            post([this, what = text_of(bug.what())] { Q_EMIT refused(A, tr("internal error: %1").arg(what)); });
        }
        const std::lock_guard lock(mutex_);
        --under_way_;
        if (tasks_.empty())
            QMetaObject::invokeMethod(
                this, [this] { Q_EMIT busy_changed({}); }, Qt::QueuedConnection);
    }
}

void VtaJob::simulate(Side side, const views::VtaRequest& request) {
    submit({side == A ? SimulateA : SimulateB, tr("simulating %1").arg(text_of(views::vta_title(request))),
            [this, side, request] { simulate_now(side, request); }});
}

void VtaJob::simulate_now(Side side, const views::VtaRequest& request) {
    vta::Result<vta::Program> program = views::build_vta_program(request);
    if (!program) {
        const vta::Error& error = program.error();
        post([this, side, why = text_of(error.message)] { Q_EMIT refused(side, why); });
        return;
    }
    const auto run = views::build_vta_run(request, *std::move(program));
    post([this, side, run] { Q_EMIT run_ready(side, run); });
    const auto statistics = std::make_shared<const views::VtaStatistics>(views::build_vta_statistics(*run));
    post([this, side, statistics] { Q_EMIT statistics_ready(side, statistics); });
    submit({side == A ? DetailsA : DetailsB, tr("following memories and tokens"),
            [this, side, run] { details_now(side, run); }});
}

void VtaJob::details_now(Side side, const std::shared_ptr<const views::VtaRun>& run) {
    const auto details = views::build_vta_details(run);
    post([this, side, details] { Q_EMIT details_ready(side, details); });
}

void VtaJob::measure(std::shared_ptr<const views::VtaRun> a, std::shared_ptr<const views::VtaRun> b,
                     std::uint64_t begin, std::uint64_t end) {
    submit({Measure, tr("adding up"), [this, a = std::move(a), b = std::move(b), begin, end] {
                int side = A;
                for (const auto& run : {a, b}) {
                    if (run) {
                        const auto statistics =
                            std::make_shared<const views::VtaStatistics>(views::build_vta_statistics(*run, begin, end));
                        post([this, side, statistics] { Q_EMIT statistics_ready(side, statistics); });
                    }
                    side = B;
                }
            }});
}

void VtaJob::step(std::shared_ptr<const views::VtaRun> run, const VtaMove& move) {
    submit({Step, tr("stepping"), [this, run = std::move(run), move] { step_now(run, move); }});
}

void VtaJob::step_now(const std::shared_ptr<const views::VtaRun>& run, const VtaMove& move) {
    if (!stepper_ || &stepper_->run() != run.get()) stepper_ = std::make_unique<views::VtaStepper>(run);
    stepper_->seek(move.position);
    if (move.kind == VtaMove::Kind::Break) (void)stepper_->run_to_break(move.breakpoints, move.direction);
    const auto view = std::make_shared<const views::VtaStepView>(stepper_->view(move.tile));
    post([this, view, serial = move.serial] { Q_EMIT step_ready(view, serial); });
}

} // namespace orrery::app
