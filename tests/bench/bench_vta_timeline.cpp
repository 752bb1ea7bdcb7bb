// How long a timeline of ten million instructions takes: simulating, indexing, the bars of a frame, statistics.
//
// bench_vta_timeline [million instructions]

#include "views/model/vta_config_view.hpp"
#include "views/model/vta_statistics.hpp"
#include "views/model/vta_timeline.hpp"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <vector>

using namespace orrery;

namespace {

/// Load, multiply, store, in tokens, over and over.
vta::Program stream(std::size_t rounds) {
    vta::Program program;
    program.config = views::vta_preset("tsim-de10");
    program.dram.resize(1 << 16);
    vta::Instruction load, gemm;
    load.opcode = vta::Opcode::Load, load.memory = vta::MemoryId::Inp;
    load.y_size = 1, load.x_size = load.x_stride = 4;
    load.push_next = true;
    gemm.opcode = vta::Opcode::Gemm;
    gemm.uop_end = 4, gemm.iter_out = gemm.iter_in = 2;
    gemm.pop_prev = gemm.push_prev = gemm.push_next = true;
    vta::Instruction store = load;
    store.opcode = vta::Opcode::Store, store.memory = vta::MemoryId::Out;
    store.push_next = false, store.pop_prev = true;
    program.instructions.reserve(rounds * 3 + 1);
    for (std::size_t i = 0; i < rounds; ++i) {
        load.pop_next = i > 1;
        program.instructions.insert(program.instructions.end(), {load, gemm, store});
    }
    program.instructions.emplace_back();
    return program;
}

template <class Work> double ms(Work&& work) {
    const auto start = std::chrono::steady_clock::now();
    work();
    return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
}

} // namespace

int main(int argc, char** argv) {
    const double millions = argc > 1 ? std::atof(argv[1]) : 10;
    vta::Program program = stream(static_cast<std::size_t>(millions * 1e6 / 3));
    vta::CycleResult cycles;
    const std::size_t instructions = program.instructions.size();
    const double simulate = ms([&] { cycles = vta::simulate_cycles(program); });
    std::shared_ptr<const views::VtaRun> run;
    const double index = ms([&] { run = views::index_vta_run({}, std::move(program), std::move(cycles)); });
    std::size_t intervals = 0;
    for (const auto& lane : run->lanes) intervals += lane.items().size();
    std::printf("%zu instructions, %llu cycles, %zu intervals\n", instructions,
                static_cast<unsigned long long>(run->total()), intervals);
    std::printf("simulate %.0f ms, index %.0f ms\n", simulate, index);
    const auto total = static_cast<double>(run->total());
    for (const double shown : {1.0, 0.1, 1e-3, 1e-5}) {
        std::vector<double> times;
        std::size_t bars = 0;
        for (int frame = 0; frame < 200; ++frame) {
            const double first = (total - shown * total) * frame / 200;
            times.push_back(ms([&] {
                bars = 0;
                for (int lane = 0; lane < views::kVtaLanes; ++lane)
                    bars += views::build_vta_bars(*run, static_cast<views::VtaLane>(lane),
                                                  {first, first + shown * total, 1500})
                                .size();
            }));
        }
        std::ranges::sort(times);
        std::printf("bars of a frame with %g %% shown: median %.2f ms, p95 %.2f ms, %zu bars\n", shown * 100,
                    times[100], times[190], bars);
    }
    std::printf("statistics, whole %.0f ms", ms([&] { (void)views::build_vta_statistics(*run); }));
    std::printf(", a tenth %.0f ms\n", ms([&] { (void)views::build_vta_statistics(*run, 0, run->total() / 10); }));
    return 0;
}
