// Numbers of the ResNet-18 convolutions and of the simulators themselves. Not a test: prints, asserts nothing.
//
// bench_vta [preset] [candidates]

#include "tests/vta-sim/resnet18.hpp"
#include "vta-sim/cycle_model.hpp"
#include "vta-sim/functional_model.hpp"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <string>

using namespace orrery::vta;

namespace {

double seconds_since(std::chrono::steady_clock::time_point start) {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

struct Choice {
    ConvTile tile;
    Program program;
    CycleResult cycles;
};

/// The best of the first `candidates` tiles of the estimate by simulated cycles.
Choice best_of(const Config& config, const ConvShape& shape, int contexts, std::size_t candidates) {
    Choice best;
    best.cycles.total_cycles = kNever;
    for (const ConvTile& tile : conv2d_tiles(config, shape, contexts, bench::resnet18_epilogue(), candidates)) {
        ConvJob job;
        job.shape = shape;
        job.tile = tile;
        job.epilogue = bench::resnet18_epilogue();
        Result<Program> program = conv2d_program(config, job);
        if (!program) {
            std::printf("refused: %s %s\n", program.error().message.c_str(), program.error().where.c_str());
            continue;
        }
        CycleResult cycles = simulate_cycles(*program, {});
        if (cycles.total_cycles < best.cycles.total_cycles) best = {tile, std::move(*program), std::move(cycles)};
    }
    return best;
}

void print_causes(const CycleResult& r) {
    const auto& compute = r.causes[1];
    const auto share = [&](Cause cause) {
        return 100.0 * double(compute[std::size_t(cause)]) / double(r.total_cycles);
    };
    std::printf("gemm %5.1f%% alu %4.1f%% fill %4.1f%% uop %4.1f%% acc %4.1f%% mem %4.1f%% port %4.1f%% prev %4.1f%% "
                "next %4.1f%% "
                "fetch %4.1f%% sync %3.1f%%\n",
                share(Cause::Gemm), share(Cause::Alu), share(Cause::Fill), share(Cause::LoadUop), share(Cause::LoadAcc),
                share(Cause::WaitLatency), share(Cause::WaitPort), share(Cause::WaitTokenPrev),
                share(Cause::WaitTokenNext), share(Cause::WaitFetch),
                share(Cause::Sync) + share(Cause::Idle) + share(Cause::Finish));
}

struct Totals {
    double cycles = 0;
    double steps = 0;
};

Totals layers_table(const Config& config, int contexts, std::size_t candidates,
                    std::vector<std::pair<Program, int>>& programs) {
    std::printf("\n%s, %d virtual thread(s)\n", config.name.c_str(), contexts);
    std::printf("%-22s %5s %10s %9s %6s  %-16s %7s  compute module by cause\n", "layer", "times", "cycles", "steps",
                "util", "tile h w ci co", "instr");
    Totals totals;
    for (const bench::ResnetLayer& layer : bench::resnet18_layers()) {
        Choice best = best_of(config, layer.shape, contexts, candidates);
        const CycleResult& r = best.cycles;
        totals.cycles += double(r.total_cycles) * layer.times;
        totals.steps += double(r.gemm_steps) * layer.times;
        char tile[32];
        std::snprintf(tile, sizeof tile, "%d %d %d %d", best.tile.height, best.tile.width, best.tile.in_blocks,
                      best.tile.out_blocks);
        std::printf("%-22s %5d %10llu %9llu %5.1f%%  %-16s %7zu  ",
                    (std::string(layer.name) + "  " + std::string(layer.text)).c_str(), layer.times,
                    static_cast<unsigned long long>(r.total_cycles), static_cast<unsigned long long>(r.gemm_steps),
                    100 * r.gemm_utilization(config), tile, best.program.instructions.size());
        print_causes(r);
        programs.emplace_back(std::move(best.program), layer.times);
    }
    std::printf("total %.0f cycles, %.0f GEMM steps, utilization %.1f%%\n", totals.cycles, totals.steps,
                100 * totals.steps * config.timing.gemm_interval / totals.cycles);
    return totals;
}

void fill_random(Program& program) {
    std::minstd_rand random(1);
    for (const DramBuffer& b : program.buffers) {
        if (b.kind == BufferKind::Uop) continue;
        for (std::uint64_t i = 0; i < b.bytes; ++i) program.dram[b.address + i] = static_cast<std::uint8_t>(random());
    }
}

void speeds(std::vector<std::pair<Program, int>>& programs) {
    double instructions = 0;
    double cycles = 0;
    for (auto& [program, times] : programs) {
        fill_random(program);
        instructions += double(program.instructions.size()) * times;
    }
    const auto run_cycles = [&](CycleOptions options) {
        const auto start = std::chrono::steady_clock::now();
        cycles = 0;
        for (auto& [program, times] : programs) {
            for (int i = 0; i < times; ++i) cycles += double(simulate_cycles(program, options).total_cycles);
        }
        return seconds_since(start);
    };
    const auto run_functional = [&](bool checks) {
        const auto start = std::chrono::steady_clock::now();
        FunctionalOptions options;
        options.check_accesses = checks;
        for (auto& [program, times] : programs) {
            for (int i = 0; i < times; ++i) {
                FunctionalModel model(program, options);
                if (model.run() != RunState::Finished) std::printf("did not finish\n");
                if (!model.diagnostics().empty()) std::printf("%s\n", describe(model.diagnostics().front()).c_str());
            }
        }
        return seconds_since(start);
    };
    const double with_records = run_cycles({});
    const double bare = run_cycles({false, false, false});
    std::printf("\n%.0f instructions, %.0f cycles\n", instructions, cycles);
    std::printf("cycle model with records  %.3f s  %.2f M instructions/s  %.0f M cycles/s\n", with_records,
                instructions / with_records / 1e6, cycles / with_records / 1e6);
    std::printf("cycle model, totals only  %.3f s  %.2f M instructions/s  %.0f M cycles/s\n", bare,
                instructions / bare / 1e6, cycles / bare / 1e6);
    const double checked = run_functional(true);
    const double plain = run_functional(false);
    std::printf("functional model, checks  %.3f s  %.2f M instructions/s\n", checked, instructions / checked / 1e6);
    std::printf("functional model, plain   %.3f s  %.2f M instructions/s\n", plain, instructions / plain / 1e6);
}

/// A stream of many small instructions: load, multiply, store, in tokens, over and over.
Program long_stream(const Config& config, std::size_t rounds) {
    Program program;
    program.config = config;
    program.dram.resize(1 << 16);
    Instruction load;
    load.opcode = Opcode::Load;
    load.memory = MemoryId::Inp;
    load.y_size = 1;
    load.x_size = 4;
    load.x_stride = 4;
    load.push_next = true;
    Instruction gemm;
    gemm.opcode = Opcode::Gemm;
    gemm.uop_end = 4;
    gemm.iter_out = 2;
    gemm.iter_in = 2;
    gemm.pop_prev = true;
    gemm.push_prev = true;
    gemm.push_next = true;
    Instruction store = load;
    store.opcode = Opcode::Store;
    store.memory = MemoryId::Out;
    store.push_next = false;
    store.pop_prev = true;
    for (std::size_t i = 0; i < rounds; ++i) {
        load.pop_next = i > 1;
        program.instructions.insert(program.instructions.end(), {load, gemm, store});
    }
    program.instructions.emplace_back();
    return program;
}

void stream_speed(const Config& config) {
    const Program program = long_stream(config, 1'000'000);
    for (const bool records : {true, false}) {
        const auto start = std::chrono::steady_clock::now();
        const CycleResult r = simulate_cycles(program, {records, records, records});
        const double seconds = seconds_since(start);
        std::printf("stream of %zu instructions, %s: %.2f s  %.2f M instructions/s  %.0f M cycles/s\n",
                    program.instructions.size(), records ? "records" : "totals", seconds,
                    double(program.instructions.size()) / seconds / 1e6, double(r.total_cycles) / seconds / 1e6);
    }
    const auto start = std::chrono::steady_clock::now();
    FunctionalModel model(program);
    model.run();
    const double seconds = seconds_since(start);
    std::printf("stream, functional with checks: %.2f s  %.2f M instructions/s\n", seconds,
                double(program.instructions.size()) / seconds / 1e6);
}

} // namespace

int main(int argc, char** argv) {
    const Result<Config> config = preset(argc > 1 ? argv[1] : "tsim-de10");
    if (!config) {
        std::printf("%s\n", config.error().message.c_str());
        return 1;
    }
    const std::size_t candidates = argc > 2 ? std::strtoul(argv[2], nullptr, 10) : 8;
    std::vector<std::pair<Program, int>> one;
    std::vector<std::pair<Program, int>> two;
    layers_table(*config, 1, candidates, one);
    layers_table(*config, 2, candidates, two);
    speeds(two);
    stream_speed(*config);
    return 0;
}
