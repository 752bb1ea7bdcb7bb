#include "app/vta_job.hpp"

#include "core/base/check.hpp"
#include "views/qt/words.hpp"

#include <algorithm>

namespace orrery::app {

using qt::text_of;

VtaJob::VtaJob(QObject* parent) : QObject(parent) {
    for (Worker& worker : workers_)
        worker.thread = std::jthread([this, &worker](const std::stop_token& stop) { work(worker, stop); });
}

VtaJob::~VtaJob() {
    cancel();
    for (Worker& worker : workers_) worker.thread.request_stop();
    for (Worker& worker : workers_) worker.thread.join();
}

std::size_t VtaJob::worker_of(Tag tag) {
    switch (tag) {
    case SimulateA:
    case SimulateB: return 0;
    case DetailsA:
    case DetailsB: return 1;
    case Measure:
    case Step: break;
    }
    return 2;
}

bool VtaJob::replaces(Tag newer, Tag older) {
    if (newer == older) return true;
    // What follows from a run that is about to be replaced is not worth computing.
    return (newer == SimulateA && older == DetailsA) || (newer == SimulateB && older == DetailsB);
}

bool VtaJob::idle() const {
    const std::lock_guard lock(mutex_);
    return under_way_ == 0 && std::ranges::all_of(workers_, [](const Worker& w) { return w.tasks.empty(); });
}

QString VtaJob::doing() const {
    const std::lock_guard lock(mutex_);
    for (const Worker& worker : workers_) {
        if (!worker.runs) continue;
        const int done = worker.done / 10;
        return done == 0 ? worker.what + QStringLiteral("…") : worker.what + tr(": %1 %").arg(done);
    }
    return {};
}

void VtaJob::end_if(const std::function<bool(Tag)>& ends) {
    for (Worker& worker : workers_) {
        std::erase_if(worker.tasks, [&](const Task& waiting) { return ends(waiting.tag); });
        if (worker.runs && ends(worker.running)) worker.stop.request_stop();
    }
}

void VtaJob::submit(Task task) {
    {
        const std::lock_guard lock(mutex_);
        end_if([newer = task.tag](Tag older) { return replaces(newer, older); });
        workers_[worker_of(task.tag)].tasks.push_back(std::move(task));
    }
    wake_.notify_all();
}

void VtaJob::cancel() {
    const std::lock_guard lock(mutex_);
    end_if([](Tag) { return true; });
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

void VtaJob::work(Worker& worker, const std::stop_token& stop) {
    while (true) {
        Task task;
        std::stop_token ended;
        {
            std::unique_lock lock(mutex_);
            if (!wake_.wait(lock, stop, [&] { return !worker.tasks.empty(); }) || stop.stop_requested()) return;
            task = std::move(worker.tasks.front());
            worker.tasks.pop_front();
            worker.runs = true, worker.running = task.tag, worker.what = task.what, worker.done = 0;
            worker.stop = std::stop_source();
            ended = worker.stop.get_token();
            ++under_way_;
        }
        run_task(worker, task, ended);
    }
}

void VtaJob::run_task(Worker& worker, const Task& task, const std::stop_token& stop) {
    const auto tell = [this] {
        const bool now = std::ranges::any_of(workers_, [](const Worker& w) { return w.runs || !w.tasks.empty(); });
        QMetaObject::invokeMethod(
            this,
            [this, now] {
                if (now != busy_) Q_EMIT busy_changed(busy_ = now);
            },
            Qt::QueuedConnection);
    };
    {
        const std::lock_guard lock(mutex_);
        tell();
    }
    try {
        task.run({stop, [&worker](double fraction) { worker.done = static_cast<int>(fraction * 1000); }});
    } catch (const std::exception& bug) { // the job runner is one of the two places that catch
        post([this, what = text_of(bug.what())] { Q_EMIT refused(A, tr("internal error: %1").arg(what)); });
    }
    const std::lock_guard lock(mutex_);
    --under_way_;
    worker.runs = false;
    tell();
}

void VtaJob::simulate(Side side, const views::VtaRequest& request) {
    submit({side == A ? SimulateA : SimulateB, tr("simulating %1").arg(text_of(views::vta_title(request))),
            [this, side, request](const vta::Watch& watch) { simulate_now(side, request, watch); }});
}

void VtaJob::simulate_now(Side side, const views::VtaRequest& request, const vta::Watch& watch) {
    vta::Result<vta::Program> program = views::build_vta_program(request, watch);
    if (watch.stopped()) return;
    if (!program) {
        const vta::Error& error = program.error();
        post([this, side, why = text_of(error.message)] { Q_EMIT refused(side, why); });
        return;
    }
    const auto run = views::build_vta_run(request, *std::move(program), watch);
    if (!run || watch.stopped()) return;
    post([this, side, run] { Q_EMIT run_ready(side, run); });
    submit({side == A ? DetailsA : DetailsB, tr("following memories and tokens"),
            [this, side, run](const vta::Watch& w) { details_now(side, run, w); }});
    const auto statistics = std::make_shared<const views::VtaStatistics>(views::build_vta_statistics(*run));
    if (!watch.stopped()) post([this, side, run, statistics] { Q_EMIT statistics_ready(side, run, statistics); });
}

void VtaJob::details_now(Side side, const std::shared_ptr<const views::VtaRun>& run, const vta::Watch& watch) {
    const auto details = views::build_vta_details(run, watch);
    if (details && !watch.stopped()) post([this, side, details] { Q_EMIT details_ready(side, details); });
}

void VtaJob::measure(std::shared_ptr<const views::VtaRun> a, std::shared_ptr<const views::VtaRun> b,
                     std::uint64_t begin, std::uint64_t end) {
    submit({Measure, tr("adding up"), [this, a = std::move(a), b = std::move(b), begin, end](const vta::Watch& watch) {
                int side = A;
                for (const auto& run : {a, b}) {
                    if (run && !watch.stopped()) {
                        const auto statistics =
                            std::make_shared<const views::VtaStatistics>(views::build_vta_statistics(*run, begin, end));
                        if (!watch.stopped())
                            post([this, side, run, statistics] { Q_EMIT statistics_ready(side, run, statistics); });
                    }
                    side = B;
                }
            }});
}

void VtaJob::step(std::shared_ptr<const views::VtaRun> run, const VtaMove& move) {
    submit({Step, tr("stepping"),
            [this, run = std::move(run), move](const vta::Watch& watch) { step_now(run, move, watch); }});
}

void VtaJob::step_now(const std::shared_ptr<const views::VtaRun>& run, const VtaMove& move, const vta::Watch& watch) {
    if (!stepper_ || &stepper_->run() != run.get()) stepper_ = std::make_unique<views::VtaStepper>(run);
    stepper_->seek(move.position, watch);
    if (move.kind == VtaMove::Kind::Break && !watch.stopped())
        (void)stepper_->run_to_break(move.breakpoints, move.direction, watch);
    if (watch.stopped()) return;
    const auto view = std::make_shared<const views::VtaStepView>(stepper_->view(move.tile));
    post([this, view, serial = move.serial] { Q_EMIT step_ready(view, serial); });
}

} // namespace orrery::app
