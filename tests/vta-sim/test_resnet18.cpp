#include "tests/vta-sim/resnet18.hpp"
#include "vta-sim/counters.hpp"

#include <catch2/catch.hpp>

using namespace orrery::vta;

namespace {

struct Network {
    double cycles = 0;
    double steps = 0;
    double macs = 0;
};

/// All convolutions with the tile the estimate puts first.
Network run_network(const Config& config, int contexts) {
    Network sum;
    for (const bench::ResnetLayer& layer : bench::resnet18_layers()) {
        const auto tiles = conv2d_tiles(config, layer.shape, contexts, bench::resnet18_epilogue(), 1);
        REQUIRE_FALSE(tiles.empty());
        ConvJob job;
        job.shape = layer.shape;
        job.tile = tiles.front();
        job.epilogue = bench::resnet18_epilogue();
        const Program program = conv2d_program(config, job).value();
        const CycleResult r = simulate_cycles(program);
        REQUIRE(r.state == RunState::Finished);
        sum.cycles += double(r.total_cycles) * layer.times;
        sum.steps += double(r.gemm_steps) * layer.times;
        sum.macs += double(layer.shape.macs()) * layer.times;
    }
    return sum;
}

} // namespace

TEST_CASE("ResNet-18 convolutions under tsim-de10 beside the published 7.73 M cycles", "[vta][resnet]") {
    const Network two = run_network(preset("tsim-de10").value(), 2);
    // 1,695.5 M multiply-accumulates are 6.62 M steps of 256.
    CHECK(two.macs == Approx(1695.5e6).epsilon(0.0001));
    CHECK(two.steps == two.macs / 256);
    // Source of 7,729,601: the pull request that pipelined GEMM, for resnet18_v1.
    CHECK(two.cycles == Approx(7729601).epsilon(0.15));
}

TEST_CASE("ResNet-18 convolutions under tsim-2019 beside the published 27.68 M cycles", "[vta][resnet]") {
    CHECK(run_network(preset("tsim-2019").value(), 2).cycles == Approx(27679515).epsilon(0.15));
}

TEST_CASE("latency hiding lifts GEMM utilization as published, 70 % to 88 %", "[vta][resnet]") {
    const Config config = preset("tsim-de10").value();
    const Network one = run_network(config, 1);
    const Network two = run_network(config, 2);
    CHECK(one.steps / one.cycles == Approx(0.70).margin(0.05));
    CHECK(two.steps / two.cycles == Approx(0.88).margin(0.05));
}
