#include "views/model/vta_run.hpp"

#include "vta-sim/examples.hpp"

#include <algorithm>

namespace orrery::views {
namespace {

constexpr std::uint64_t kMostSamples = 1u << 20; ///< of an occupancy strip; shorter runs have a sample a cycle
constexpr std::uint64_t kMostSteps = 1u << 28;   ///< walked for strips and findings: a second or two

std::uint64_t steps_of(const vta::Program& program) {
    std::uint64_t steps = 0;
    for (const vta::Instruction& in : program.instructions) steps += vta::step_count(in) + vta::sram_elements(in);
    return steps;
}

/// A file's program keeps its shape: addresses and fields depend on it.
bool same_shape(const vta::Config& a, const vta::Config& b) {
    vta::Config c = a;
    c.name = b.name, c.target = b.target, c.hw_version = b.hw_version;
    c.timing = b.timing, c.semantics = b.semantics;
    return c == b;
}

} // namespace

std::string vta_title(const VtaRequest& request) {
    std::string title = request.file_title;
    if (!request.file) {
        const auto found = std::ranges::find(vta::examples(), request.example, &vta::Example::name);
        title = found == vta::examples().end() ? request.example : std::string(found->title);
        title += request.contexts == 1 ? ", 1 thread" : ", " + std::to_string(request.contexts) + " threads";
    }
    title += " · " + request.config.name;
    if (!request.edits.empty()) title += " · " + std::to_string(request.edits.size()) + " edited";
    return title;
}

vta::Result<vta::Program> build_vta_program(const VtaRequest& request, const vta::Watch& watch) {
    if (vta::Result<vta::Config> legal = vta::checked(request.config); !legal) return legal.error();
    vta::Program program;
    if (request.file) {
        if (!same_shape(request.file->config, request.config))
            return vta::Error{
                vta::ErrorCode::BadConfig,
                "this program was made for other tile shapes or memories; only clock, bus and pipelines can "
                "change",
                request.file_title};
        program = *request.file;
        program.config = request.config;
    } else {
        vta::Result<vta::Program> built =
            vta::example_program(request.config, request.example, {.contexts = request.contexts, .watch = watch});
        if (!built) return built.error();
        program = *std::move(built);
    }
    for (const auto& [index, edit] : request.edits)
        if (index < program.instructions.size() && program.instructions[index] == edit.before)
            program.instructions[index] = edit.after;
    return program;
}

std::shared_ptr<const VtaRun> build_vta_run(VtaRequest request, vta::Program program, const vta::Watch& watch) {
    vta::CycleResult cycles = vta::simulate_cycles(program, {.watch = watch});
    if (cycles.state == vta::RunState::Stopped) return nullptr;
    return index_vta_run(std::move(request), std::move(program), std::move(cycles));
}

std::shared_ptr<const VtaRun> index_vta_run(VtaRequest request, vta::Program program, vta::CycleResult cycles) {
    auto run = std::make_shared<VtaRun>();
    run->title = vta_title(request);
    run->request = std::move(request);
    run->program = std::move(program);
    run->cycles = std::move(cycles);
    for (std::size_t lane = 0; lane < run->lanes.size(); ++lane)
        run->lanes[lane] = VtaLaneIndex(run->cycles.lanes[lane], run->total());
    run->port = VtaPortIndex(run->cycles.port, run->total());
    run->origin_count = std::max<std::uint32_t>(1, static_cast<std::uint32_t>(run->program.origin_names.size()));
    return run;
}

std::optional<vta::Occupancy> build_vta_occupancy(const VtaRun& run, std::uint64_t most_samples,
                                                  const vta::Watch& watch) {
    if (run.total() == 0 || steps_of(run.program) > kMostSteps) return {};
    return vta::sram_occupancy(run.program, run.cycles, std::min(run.total(), most_samples), watch);
}

std::shared_ptr<const VtaDetails> build_vta_details(std::shared_ptr<const VtaRun> run, const vta::Watch& watch) {
    // Memories are the first half of the work, findings the second.
    const auto half = [&watch](double from) {
        return vta::Watch{watch.stop, [&watch, from](double fraction) {
                              if (watch.report) watch.report(from + fraction / 2);
                          }};
    };
    auto details = std::make_shared<VtaDetails>();
    details->run = run;
    if (run->cycles.lost_tokens == 0)
        for (const vta::TokenArrow& arrow : vta::token_arrows(run->program))
            details->arrows[static_cast<std::size_t>(arrow.queue)].push_back(arrow);
    std::optional<vta::Occupancy> occupancy = build_vta_occupancy(*run, kMostSamples, half(0));
    if (watch.stopped()) return nullptr;
    details->occupancy_skipped = !occupancy;
    if (occupancy) {
        details->occupancy = *std::move(occupancy);
        for (std::size_t s = 0; s < details->occupied_before.size(); ++s) {
            const auto& samples = details->occupancy.elements[s];
            auto& sums = details->occupied_before[s];
            sums.resize(samples.size() + 1);
            for (std::size_t i = 0; i < samples.size(); ++i) sums[i + 1] = sums[i] + static_cast<double>(samples[i]);
        }
    }
    vta::FunctionalModel model(run->program, {.max_steps = kMostSteps, .watch = half(0.5)});
    details->data_state = model.run();
    if (details->data_state == vta::RunState::Stopped) return nullptr;
    details->findings = model.diagnostics();
    details->dropped_findings = model.dropped_diagnostics();
    return details;
}

double vta_occupied(const VtaDetails& details, vta::Strip strip, std::uint64_t begin, std::uint64_t end) {
    const auto& sums = details.occupied_before[static_cast<std::size_t>(strip)];
    if (sums.size() < 2) return 0;
    const std::uint64_t per = details.occupancy.cycles_per_sample;
    const std::size_t first = std::min<std::size_t>(begin / per, sums.size() - 2);
    const std::size_t last = std::clamp<std::size_t>((end + per - 1) / per, first + 1, sums.size() - 1);
    return (sums[last] - sums[first]) / static_cast<double>(last - first);
}

} // namespace orrery::views
